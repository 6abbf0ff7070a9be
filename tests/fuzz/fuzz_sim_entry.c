/*
 * tests/fuzz/fuzz_sim_entry.c - log entries as clients write them: what is read is given back, and reads again as the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "json/json.h"
#include "simulator/logging/logging.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *raw = json_parse_object((const char *)data, size, 1 << 20, &err), *m = NULL, *again = NULL;
    struct log_entry *e;

    if (raw == NULL)
        return 0;
    m = log_message_read(log_entry_fields, raw, "entry", &err);
    if (m == NULL)
        return err.kind == SKL_ERR_NONE ? abort(), 0 : 0;
    again = log_message_read(log_entry_fields, m, "entry", &err);
    if (!json_equal(m, again))
        abort();
    e = log_entry_read(m, &err);
    if (e != NULL) {
        e->insert_id = e->insert_id != NULL ? e->insert_id : xstrdup("i");
        e->resource = e->resource != NULL ? e->resource : json_new_object();
        log_entry_measure(e);
        json_object_put(log_entry_json(e));
    }
    log_entry_free(e);
    return 0;
}
