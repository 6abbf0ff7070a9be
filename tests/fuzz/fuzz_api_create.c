/*
 * tests/fuzz/fuzz_api_create.c - create bodies: parse, type check, rules, merge, canonical form (which must parse again
 * and be its own canonical form).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/call.h"
#include "api/create.h"
#include "api/schema.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_object *canonical(const struct schema_field *table, struct json_object *v, struct buf *out)
{
    struct jw w;

    buf_clear(out);
    jw_init(&w, out);
    if (schema_write(&w, NULL, table, v, NULL, NULL) < 0)
        return NULL;
    return json_parse_object(buf_str(out), out->len, API_REPLY_MAX, NULL);
}

static void check(const struct schema_field *table, struct json_object *v)
{
    struct buf a, b;
    JSON_CLEANUP struct json_object *once = NULL, *twice = NULL;

    buf_init(&a, API_REPLY_MAX);
    buf_init(&b, API_REPLY_MAX);
    once = canonical(table, v, &a);
    if (once != NULL) {
        twice = canonical(table, once, &b);
        if (twice == NULL || !json_equal(once, twice))
            abort();
    }
    buf_fini(&a);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JSON_CLEANUP struct json_object *body = json_parse_object((const char *)data, size, API_JSON_BODY_MAX, NULL);
    JSON_CLEANUP struct json_object *image = NULL;
    struct create_warnings w = {0};
    struct json_object *host;

    if (body == NULL)
        return 0;
    host = json_member(body, "HostConfig");
    check(schema_config, body);
    check(schema_networking, json_member(body, "NetworkingConfig"));
    if (schema_check(schema_config, body, NULL, NULL) == 0) {
        create_check_config(body, NULL);
        image = json_dup(json_member(body, "Image2"));
        create_merge(body, schema_check(schema_config, image, NULL, NULL) == 0 ? image : NULL, false, NULL);
    }
    if (json_object_is_type(host, json_type_object)) {
        check(schema_host_config, host);
        if (schema_check(schema_host_config, host, NULL, NULL) == 0) {
            create_check_host(host, &w, NULL);
            create_check_modes(body, host, &w, NULL);
        }
    }
    create_warnings_fini(&w);
    return 0;
}
