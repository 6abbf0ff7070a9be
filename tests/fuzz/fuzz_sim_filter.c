/*
 * tests/fuzz/fuzz_sim_filter.c - filters of any shape on an entry. What parses is evaluated; a regular expression among it runs too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "json/json.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/logging.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "{\"logName\":\"projects/acme/logs/app\",\"resource\":{\"type\":\"gce_instance\",\"labels\":{\"zone\":\"eu\"}},\"jsonPayload\":{\"message\":\"cart full\","
    "\"count\":5,\"ratio\":0.25,\"ok\":true,\"nothing\":null,\"user\":{\"name\":\"Ann\",\"tags\":[\"red\",\"blue\"]},\"ip\":\"10.1.2.3\"},"
    "\"timestamp\":\"2025-08-08T10:20:00Z\",\"insertId\":\"ccc3\",\"severity\":\"WARNING\",\"httpRequest\":{\"status\":503,\"latency\":\"1.5s\"},"
    "\"labels\":{\"goog-managed-by\":\"cloudfunctions\"}}";

static struct log_entry *make_entry(void)
{
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *raw = json_parse_object(text, strlen(text), sizeof(text), &err);
    JSON_CLEANUP struct json_object *m = log_message_read(log_entry_fields, raw, "entry", &err);

    return log_entry_read(m, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct log_entry *e;
    struct skl_error err = {0};
    char *filter = xstrndup((const char *)data, size);
    struct filter *f = filter_new(filter, &err);

    if (e == NULL)
        e = make_entry();
    if (f == NULL && (err.kind != SKL_ERR_INVALID || err.message[0] == '\0'))
        abort();
    if (f != NULL && filter_matches(f, e) != filter_matches(f, e))
        abort();
    filter_free(f);
    free(filter);
    return 0;
}
