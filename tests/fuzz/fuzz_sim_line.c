/*
 * tests/fuzz/fuzz_sim_line.c - what containers print: a line that is taken as structured is an entry that clients could have written, too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include "json/json.h"
#include "simulator/logging/logging.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *o = log_line_read((const char *)data, size), *again = NULL;
    struct log_entry *e;

    if (o == NULL)
        return 0;
    json_add_string(o, "logName", "projects/p/logs/run.googleapis.com%2Fstdout");
    again = log_message_read(log_entry_fields, o, "line", &err);
    e = log_entry_read(o, &err);
    if (again == NULL || e == NULL || (json_member(o, "textPayload") != NULL) == (json_member(o, "jsonPayload") != NULL))
        abort();
    log_entry_free(e);
    return 0;
}
