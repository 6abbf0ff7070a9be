/*
 * tests/fuzz/fuzz_gcf_answer.c - what the cloud answers when all is well: functions, operations, services,
 * pages of logs, image manifests and configurations, invocations. And the driver's own handle, as it comes
 * back from a store.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/bake.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/patch.h"
#include "cloud-run-functions/run.h"
#include "gcp/json.h"
#include "gcp/logging.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header(const struct skl_http_response *res, const char *name)
{
    (void)name;
    return res->body_len % 2 ? res->body : NULL;
}

static void invocation(const char *text, size_t n)
{
    struct skl_http_response res = {
        .size = sizeof(res), .status = 200 + (int)(n % 400), .body = text, .body_len = n};
    struct skl_run_end end = {.size = sizeof(end)};
    char reason[900];

    res.header = header;
    gcf_run_judge(&end, reason, sizeof(reason), &res);
    if (end.kind < SKL_END_EXIT || end.kind > SKL_END_CANCELED || end.exit_code < 0 || end.exit_code > 255)
        abort();
    (void)gcf_run_turned_away(&res);
}

static void image(const char *text, size_t n)
{
    struct gcf_layer l = {.blob = NULL, .len = 1, .digest = "sha256:d", .diff_id = "sha256:i"};
    struct skl_error err;
    struct gcp_ref ref;

    free(gcf_bake_config(text, n, &l, true, &err));
    free(gcf_bake_manifest(text, n, &l, "sha256:c", 1, &err));
    if (gcp_ref_parse(&ref, text, &err) == 0 && (!*ref.host || !*ref.repo || !*gcp_ref_version(&ref)))
        abort();
}

static void cloud(struct json_object *o)
{
    struct gcp_log_batch batch = {.lines = NULL};
    struct gcf_function fn;
    struct gcp_fault fault;

    gcf_function_read(&fn, o);
    gcf_function_read(&fn, gcp_json_get(o, "response"));
    gcp_fault_from_status(&fault, gcp_json_get(o, "error"));
    (void)gcf_patch_served(o, "image");
    (void)gcp_log_batch_add(&batch, o);
    (void)gcp_log_batch_add(&batch, o);
    gcp_log_batch_sort(&batch);
    gcp_log_batch_fini(&batch);
    free(gcf_patch_body(o, "image"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct json_object *o;
    struct gcf_handle h;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    o = gcp_json_parse(text, size);
    cloud(o);
    json_object_put(o);
    image(text, size);
    invocation(text, size);
    if (gcf_handle_read(&h, text))
        free(gcf_handle_write(&h));
    free(text);
    return 0;
}
