/*
 * plugin/pack.c - deep copies of requests (core to driver) and of results (driver to core), each in one block.
 *
 * A copy is made by running the same code twice: first with no block, when the packer only counts, then with a
 * block of that size, when it writes. So there is one description of each struct's contents and no list of
 * allocations to free.
 *
 * What comes from the core is trusted. What comes from a driver is measured before it is copied.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "plugin/internal.h"

#define ALIGNMENT sizeof(max_align_t)
#define WARNINGS_MAX 64
#define WARNING_LEN_MAX 4096
#define STATE_LEN_MAX 4096

struct packer {
    char *block; /* NULL: only counting */
    size_t off;
};

static void *pack_room(struct packer *k, size_t n)
{
    void *at = k->block != NULL ? k->block + k->off : NULL;

    k->off += (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

static void *pack_bytes(struct packer *k, const void *p, size_t n)
{
    void *at = pack_room(k, n);

    if (at != NULL && n > 0)
        memcpy(at, p, n);
    return at;
}

static const char *pack_str(struct packer *k, const char *s)
{
    return s != NULL ? pack_bytes(k, s, strlen(s) + 1) : NULL;
}

static const char *const *pack_strv(struct packer *k, const char *const *v)
{
    const char **copy;
    size_t n = 0;

    if (v == NULL)
        return NULL;
    while (v[n] != NULL)
        n++;
    copy = pack_room(k, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        const char *s = pack_str(k, v[i]);
        if (copy != NULL)
            copy[i] = s;
    }
    if (copy != NULL)
        copy[n] = NULL;
    return copy;
}

static const struct skl_kv *pack_kvs(struct packer *k, const struct skl_kv *v)
{
    struct skl_kv *copy;
    size_t n = 0;

    if (v == NULL)
        return NULL;
    while (v[n].key != NULL)
        n++;
    copy = pack_room(k, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        struct skl_kv kv = {.key = pack_str(k, v[i].key), .value = pack_str(k, v[i].value)};
        if (copy != NULL)
            copy[i] = kv;
    }
    if (copy != NULL)
        copy[n] = (struct skl_kv){NULL, NULL};
    return copy;
}

static const struct skl_container *pack_container(struct packer *k, const struct skl_container *c)
{
    struct skl_container *at = pack_room(k, sizeof *at);
    struct skl_container copy = *c;

    copy.size = sizeof copy;
    copy.id = pack_str(k, c->id);
    copy.name = pack_str(k, c->name);
    copy.image = pack_str(k, c->image);
    copy.image_id = pack_str(k, c->image_id);
    copy.argv = pack_strv(k, c->argv);
    copy.env = pack_strv(k, c->env);
    copy.working_dir = pack_str(k, c->working_dir);
    copy.user = pack_str(k, c->user);
    copy.labels = pack_kvs(k, c->labels);
    copy.platform = pack_str(k, c->platform);
    copy.agent_token = pack_str(k, c->agent_token);
    copy.agent_callback_url = pack_str(k, c->agent_callback_url);
    copy.process = pack_str(k, c->process);
    copy.daemon_id = pack_str(k, c->daemon_id);
    copy.handle = pack_str(k, c->handle);
    if (at != NULL)
        *at = copy;
    return at;
}

/* ---- requests ---- */

/* A function pack_<op>(): counts, then copies. The request struct comes first in the block; `fill` sets its pointers. */
#define PACK_TWICE(type, req, fill)                            \
    struct packer k = {NULL, 0};                               \
    for (int pass = 0; pass < 2; pass++) {                     \
        type *at = pack_room(&k, sizeof *at);                  \
        type copy = *(req);                                    \
        copy.size = sizeof copy;                               \
        fill;                                                  \
        if (at != NULL)                                        \
            *at = copy;                                        \
        else                                                   \
            k = (struct packer){xcalloc(1, k.off), 0};         \
    }                                                          \
    return (struct packed){k.block, k.off}

struct packed pack_create(const struct skl_create_req *req)
{
    PACK_TWICE(struct skl_create_req, req, copy.container = pack_container(&k, req->container));
}

struct packed pack_start(const struct skl_start_req *req)
{
    PACK_TWICE(struct skl_start_req, req, copy.container = pack_container(&k, req->container));
}

struct packed pack_kill(const struct skl_kill_req *req)
{
    PACK_TWICE(struct skl_kill_req, req, copy.container = pack_container(&k, req->container));
}

struct packed pack_remove(const struct skl_remove_req *req)
{
    PACK_TWICE(struct skl_remove_req, req, copy.container = pack_container(&k, req->container));
}

struct packed pack_inspect(const struct skl_inspect_req *req)
{
    PACK_TWICE(struct skl_inspect_req, req, copy.container = pack_container(&k, req->container));
}

static struct packed pack_logs_out(const struct skl_logs_req *req)
{
    PACK_TWICE(struct skl_logs_req, req, copy.container = pack_container(&k, req->container));
}

struct packed pack_logs(const struct skl_logs_req *req, struct skl_stream *out)
{
    struct packed k = pack_logs_out(req);

    ((struct skl_logs_req *)k.block)->out = out;
    return k;
}

struct packed pack_list(const struct skl_list_req *req)
{
    PACK_TWICE(struct skl_list_req, req, copy.daemon_id = pack_str(&k, req->daemon_id));
}

void packed_free(struct packed *k)
{
    if (k->block != NULL)
        mem_wipe(k->block, k->size);
    free(k->block);
    *k = (struct packed){NULL, 0};
}

/* ---- results ---- */

bool text_ok(const char *s, size_t max)
{
    if (s == NULL)
        return true;
    size_t n = strnlen(s, max + 1);
    return n <= max && utf8_valid(s, n);
}

static int garbage(struct skl_error *err, const char *what)
{
    return error_set(err, SKL_ERR_INTERNAL, "%s", what);
}

/* The result as far as it is sound: too many or unreadable warnings are left out. */
static const char *const *pack_warnings(struct packer *k, const char *const *v)
{
    const char *sound[WARNINGS_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; v != NULL && v[i] != NULL && i < WARNINGS_MAX; i++)
        if (text_ok(v[i], WARNING_LEN_MAX))
            sound[n++] = v[i];
    sound[n] = NULL;
    return pack_strv(k, sound);
}

static struct packed pack_create_res(const struct skl_create_result *res)
{
    PACK_TWICE(struct skl_create_result, res, {
        copy.handle = pack_str(&k, res->handle != NULL ? res->handle : "");
        copy.warnings = pack_warnings(&k, res->warnings);
    });
}

int pack_create_result(struct packed *k, const struct skl_create_result *res, struct skl_error *err)
{
    struct skl_create_result mine = {.size = sizeof mine};

    if (res != NULL && take_struct(&mine, sizeof mine, res, TAKE_MIN(struct skl_create_result, warnings)) < 0)
        return garbage(err, "its result has a wrong size");
    if (!text_ok(mine.handle, SKL_HANDLE_MAX))
        return garbage(err, "its handle is longer than SKL_HANDLE_MAX or not UTF-8");
    *k = pack_create_res(&mine);
    return 0;
}

static bool is_container_id(const char *id)
{
    return strnlen(id, 65) == 64 && str_is_hex(id);
}

static int take_list_item(struct skl_list_item *mine, const void *item, uint32_t stride, struct skl_error *err)
{
    uint32_t size;

    memcpy(&size, item, sizeof size);
    if (size != stride || take_struct(mine, sizeof *mine, item, TAKE_MIN(struct skl_list_item, resource)) < 0)
        return garbage(err, "an item of its list has a wrong size");
    if (mine->container_id != NULL && !is_container_id(mine->container_id))
        return garbage(err, "an item of its list has a container ID that is none");
    if (!text_ok(mine->handle, SKL_HANDLE_MAX) || !text_ok(mine->state, STATE_LEN_MAX) ||
        !text_ok(mine->resource, STATE_LEN_MAX))
        return garbage(err, "an item of its list has a text that is too long or not UTF-8");
    return 0;
}

static const struct skl_list_item *pack_items(struct packer *k, const struct skl_list_item *items, uint32_t n)
{
    struct skl_list_item *copies = pack_room(k, n * sizeof *copies);

    for (uint32_t i = 0; i < n; i++) {
        struct skl_list_item copy = items[i];
        copy.container_id = pack_str(k, items[i].container_id);
        copy.handle = pack_str(k, items[i].handle);
        copy.state = pack_str(k, items[i].state);
        copy.resource = pack_str(k, items[i].resource);
        if (copies != NULL)
            copies[i] = copy;
    }
    return copies;
}

static struct packed pack_list_res(const struct skl_list_result *res)
{
    PACK_TWICE(struct skl_list_result, res, copy.items = pack_items(&k, res->items, res->count));
}

int pack_list_result(struct packed *k, const struct skl_list_result *res, struct skl_error *err)
{
    CLEANUP(free_p) struct skl_list_item *items = NULL;
    struct skl_list_result mine;
    const char *at;
    uint32_t stride = 0;

    if (res == NULL || take_struct(&mine, sizeof mine, res, TAKE_MIN(struct skl_list_result, complete)) < 0)
        return garbage(err, "its result is missing or has a wrong size");
    if (mine.count > SKL_LIST_MAX || (mine.count > 0 && mine.items == NULL))
        return garbage(err, "its list has more than SKL_LIST_MAX items or none at all");
    items = xcalloc(mine.count + 1u, sizeof *items);
    at = (const char *)mine.items;
    if (mine.count > 0)
        memcpy(&stride, at, sizeof stride);
    for (uint32_t i = 0; i < mine.count; i++, at += stride)
        if (take_list_item(&items[i], at, stride, err) < 0)
            return -1;
    mine.items = items;
    *k = pack_list_res(&mine);
    return 0;
}

static struct packed pack_inspect_res(const struct skl_inspect_result *res)
{
    PACK_TWICE(struct skl_inspect_result, res, {
        copy.state = pack_str(&k, res->state);
        copy.resource = pack_str(&k, res->resource);
    });
}

int pack_inspect_result(struct packed *k, const struct skl_inspect_result *res, struct skl_error *err)
{
    struct skl_inspect_result mine;

    if (res == NULL || take_struct(&mine, sizeof mine, res, TAKE_MIN(struct skl_inspect_result, resource)) < 0)
        return garbage(err, "its result is missing or has a wrong size");
    if (!text_ok(mine.state, STATE_LEN_MAX) || !text_ok(mine.resource, STATE_LEN_MAX))
        return garbage(err, "its result has a text that is too long or not UTF-8");
    *k = pack_inspect_res(&mine);
    return 0;
}

/* ---- errors ---- */

static bool is_error_kind(int32_t kind)
{
    return kind > SKL_ERR_NONE && kind <= SKL_ERR_BAD_GATEWAY;
}

void take_error(struct skl_error *dst, const struct skl_error *src)
{
    size_t n = strnlen(src->message, sizeof src->message - 1);

    *dst = (struct skl_error){.kind = is_error_kind(src->kind) ? src->kind : SKL_ERR_INTERNAL, .detail = src->detail};
    memcpy(dst->message, src->message, n);
    if (n == 0)
        error_set(dst, dst->kind, "the driver gave no reason");
    else if (!utf8_valid(dst->message, n))
        for (size_t i = 0; i < n; i++)
            if ((dst->message[i] & 0x80) != 0)
                dst->message[i] = '?';
}
