/*
 * api/unsupported.c - what this daemon can't do, said at once and with the way out.
 *
 * Nothing here may hang: `docker build` and compose wait for ever on a daemon that is silent. Uploads are read to
 * their end before the refusal, since clients that are still writing would see a broken pipe and not the reason; the
 * sessions of BuildKit are refused at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/call.h"
#include "api/filters.h"
#include "api/internal.h"
#include "base/mem.h"
#include "state/engine.h"
#include "state/reference.h"

#define NO_BUILD                                                                                                    \
    "this daemon cannot build images: it runs them as cloud functions, from a registry. Build with another daemon "  \
    "or builder (docker --host ... build, docker buildx build --builder ... --push) and push the image"
#define NO_BUILDKIT "BuildKit is not supported by this daemon. " NO_BUILD
#define NO_LOAD                                                                                              \
    "images cannot be loaded: functions run images from a registry. Push the image and pull it by its name"
#define NO_LAYERS "this daemon holds no image layers, only names and configurations. "
#define SEARCH_MAX 100
#define NO_SWARM                                                                                              \
    "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to " \
    "swarm and try again."

/* ---- after the upload ---- */
struct refusal {
    struct api_call *call;
    const char *text;
};

static bool on_data(void *arg, const char *p, size_t n)
{
    (void)arg;
    (void)p;
    (void)n;
    return true;
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct refusal *r = arg;

    (void)err;
    api_reply_fail(r->call, SKL_ERR_UNIMPLEMENTED, "%s", r->text);
    free_p(&r);
}

static const struct http_body_reader discard = {on_data, on_end};

static void refuse_upload(struct api_call *c, const char *text)
{
    struct refusal *r;

    /* A client that asks first (Expect: 100-continue) is spared the upload. */
    if (!http_req_has_body(c->req) || http_req_header(c->req, "Expect") != NULL) {
        api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, "%s", text);
        return;
    }
    r = xcalloc(1, sizeof(*r));
    r->call = c;
    r->text = text;
    http_req_read_stream(c->req, &discard, r);
}

void api_build(struct api_call *c)
{
    const char *version = api_query(c, "version");

    if (version != NULL && version[0] != '\0' && (version[1] != '\0' || (version[0] != '1' && version[0] != '2'))) {
        api_reply_fail(c, SKL_ERR_INVALID, "invalid version \"%s\"", version);
        return;
    }
    refuse_upload(c, version != NULL && version[0] == '2' ? NO_BUILDKIT : NO_BUILD);
}

void api_images_load(struct api_call *c)
{
    refuse_upload(c, NO_LOAD);
}

void api_images_import(struct api_call *c)
{
    refuse_upload(c, NO_LOAD);
}

/* ---- at once ---- */
void api_buildkit(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, "%s", NO_BUILDKIT);
}

void api_build_cancel(struct api_call *c)
{
    const char *id = api_query(c, "id");

    if (id == NULL || id[0] == '\0')
        api_reply_fail(c, SKL_ERR_INVALID, "build ID not provided");
    else
        api_reply_empty(c, 204);
}

/* What Docker would say first: an image that is not there is a 404 here as well. */
static bool have_image(struct api_call *c, const char *name)
{
    struct skl_error err = {0};

    if (image_find(c->api->opts.engine, name, &err) != NULL)
        return true;
    api_reply_error(c, &err);
    return false;
}

void api_images_save(struct api_call *c)
{
    const char *name = api_param(c, "name");

    if (name[0] != '\0' && !have_image(c, name))
        return;
    for (size_t i = 0; (name = http_req_query_nth(c->req, "names", i)) != NULL; i++)
        if (!have_image(c, name))
            return;
    api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, NO_LAYERS "Fetch the image from its registry (skopeo copy, docker pull with "
                                                       "another daemon)");
}

/* Docker calls it as its users do, however the client spelt it. */
static void refuse_push(struct api_call *c, const char *name, const struct skl_error *err)
{
    struct reference r;
    CLEANUP(free_p) char *familiar = NULL;

    if (err->kind != SKL_ERR_NOT_FOUND || reference_parse(name, &r, NULL) < 0) {
        api_reply_error(c, err);
        return;
    }
    familiar = reference_familiar_repo(&r);
    reference_fini(&r);
    api_reply_fail(c, SKL_ERR_NOT_FOUND, "An image does not exist locally with the tag: %s", familiar);
}

void api_images_push(struct api_call *c)
{
    const char *name = api_param(c, "name"), *tag = api_query(c, "tag");
    CLEANUP(free_p) char *ref = tag != NULL && tag[0] != '\0' ? xasprintf("%s:%s", name, tag) : xstrdup(name);
    struct skl_error err = {0};

    if (image_find(c->api->opts.engine, ref, &err) == NULL) {
        refuse_push(c, name, &err);
        return;
    }
    api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, NO_LAYERS "Push from where the image was built");
}

void api_images_search(struct api_call *c)
{
    static const char *const allowed[] = {"is-automated", "is-official", "stars", NULL};
    const char *term = api_query(c, "term");
    struct skl_error err = {0};
    struct filters f;
    int64_t limit = 0;

    if (api_query_i64(c, "limit", 0, INT32_MAX, 0, &limit, &err) < 0 || filters_parse(api_query(c, "filters"), allowed, &f, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    filters_fini(&f);
    if (limit > SEARCH_MAX)
        api_reply_fail(c, SKL_ERR_INVALID, "Limit %d is outside the range of [1, %d]", (int)limit, SEARCH_MAX);
    else if (term == NULL || term[0] == '\0')
        api_reply_fail(c, SKL_ERR_INVALID, "missing search term");
    else
        api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, "this daemon does not search registries");
}

void api_commit(struct api_call *c)
{
    const char *name = api_query(c, "container");
    struct skl_error err = {0};

    if (container_find(c->api->opts.engine, name != NULL ? name : "", &err) == NULL) {
        api_reply_error(c, &err);
        return;
    }
    api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, "a function's file system cannot be made into an image");
}

void api_swarm(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_UNAVAILABLE, "%s", NO_SWARM);
}

void api_swarm_join(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_UNAVAILABLE, "swarm mode is not available: this daemon runs containers as cloud functions");
}

void api_swarm_leave(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_UNAVAILABLE, "This node is not part of a swarm");
}

void api_plugins_list(struct api_call *c)
{
    struct buf out;

    buf_init(&out, 16);
    buf_puts(&out, "[]");
    api_reply_json(c, 200, &out);
}

/* 404 on any name: `docker inspect NAME` asks here last and must hear that there is none (reference 2.12.12). */
void api_plugin(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_NOT_FOUND, "plugin \"%s\" not found", api_param(c, "name"));
}

void api_plugins_add(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, "this daemon takes no Docker plugins; its drivers are files in --driver-dir");
}
