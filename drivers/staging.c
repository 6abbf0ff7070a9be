/*
 * drivers/staging.c - taking uploads and handing them out. See staging.h for the layout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/staging-internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"

#define STAGING_META_MAX (64u * 1024)

struct staging_put {
    struct staging *st;
    char *dir;
    char *tar;  /* final name */
    char *part; /* name while it is written */
    char *meta;
    int fd;
    struct staging_item item;
    struct skl_error err;
    int failed;
    void (*done)(void *arg, const struct skl_error *err);
    void *arg;
};

struct staging *staging_new(struct loop *loop, const char *dir, struct skl_error *err)
{
    if (fs_mkdir_p(dir, 0700, err) < 0)
        return NULL;
    struct staging *st = xcalloc(1, sizeof(*st));
    st->loop = loop;
    st->dir = xstrdup(dir);
    return st;
}

void staging_sweep(struct staging *st, bool (*keep)(void *arg, const char *id), void *arg)
{
    (void)fs_sweep(st->dir, keep, arg);
}

void staging_free(struct staging *st)
{
    if (!st)
        return;
    free(st->dir);
    free(st);
}

static int read_meta(const char *file, struct staging_item *ret)
{
    struct buf text;
    buf_init(&text, STAGING_META_MAX);
    if (fs_read_file(file, &text, NULL) < 0) {
        buf_fini(&text);
        return -1;
    }
    struct json_object *o = json_tokener_parse(buf_str(&text)), *v;
    buf_fini(&text);
    if (!o || !json_object_object_get_ex(o, "path", &v)) {
        json_object_put(o);
        return -1;
    }
    ret->path = xstrdup(json_object_get_string(v));
    if (json_object_object_get_ex(o, "noOverwriteDirNonDir", &v))
        ret->no_overwrite_dir_non_dir = json_object_get_boolean(v);
    if (json_object_object_get_ex(o, "copyUIDGID", &v))
        ret->copy_uid_gid = json_object_get_boolean(v);
    json_object_put(o);
    return 0;
}

static int by_seq(const void *a, const void *b)
{
    const struct staging_item *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* An upload's number from its file name, 0 when it is not one. */
static uint32_t seq_of_name(const char *name, const char *suffix)
{
    if (!str_ends(name, suffix))
        return 0;
    CLEANUP(free_p) char *digits = xstrndup(name, strlen(name) - strlen(suffix));
    uint64_t v;
    return str_to_u64(digits, 1, UINT32_MAX, &v) ? (uint32_t)v : 0;
}

static void add_item(struct staging_item **items, size_t *n, const char *dir, uint32_t seq)
{
    struct staging_item it = {.seq = seq};
    CLEANUP(free_p) char *meta = xasprintf("%s/%u.json", dir, seq);
    CLEANUP(free_p) char *tar = xasprintf("%s/%u.tar", dir, seq);
    struct stat sb;
    if (stat(tar, &sb) < 0 || read_meta(meta, &it) < 0) {
        log_warn("staging", "unreadable upload %s is left out", meta);
        return;
    }
    it.size = (uint64_t)sb.st_size;
    *items = xrealloc(*items, (*n + 1) * sizeof(**items));
    (*items)[(*n)++] = it;
}

size_t staging_items(struct staging *st, const char *id, uint32_t after, struct staging_item **ret_items)
{
    CLEANUP(free_p) char *dir = fs_join(st->dir, id);
    size_t n = 0;
    *ret_items = NULL;
    DIR *d = opendir(dir);
    if (!d)
        return 0;
    for (struct dirent *de; (de = readdir(d)) && n < STAGING_ITEMS_MAX;) {
        uint32_t seq = seq_of_name(de->d_name, ".json");
        if (seq > after)
            add_item(ret_items, &n, dir, seq);
    }
    closedir(d);
    if (n > 0)
        qsort(*ret_items, n, sizeof(**ret_items), by_seq);
    return n;
}

void staging_items_free(struct staging_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(items[i].path);
    free(items);
}

int staging_item_open(struct staging *st, const char *id, uint32_t seq, struct skl_error *err)
{
    CLEANUP(free_p) char *tar = xasprintf("%s/%s/%u.tar", st->dir, id, seq);
    int fd = open(tar, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "opening the staged upload %s", tar);
    return fd;
}

void staging_remove(struct staging *st, const char *id)
{
    CLEANUP(free_p) char *dir = fs_join(st->dir, id);
    struct skl_error err = {0};
    if (fs_remove_tree(dir, &err) < 0)
        log_warn("staging", "removing %s: %s", dir, err.message);
}

static size_t add_upload_layers(struct staging_layer *layers, size_t used, const char *dir, struct staging_item *items,
                                size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        layers[used].tar = xasprintf("%s/%u.tar", dir, items[i].seq);
        layers[used++].dest = xstrdup(items[i].path);
    }
    return used;
}

size_t staging_layers(struct staging *st, const char *id, const struct staging_exit *x, struct staging_layer **ret)
{
    CLEANUP(free_p) char *dir = fs_join(st->dir, id);
    struct staging_item *items;
    size_t n = staging_items(st, id, 0, &items), older = 0, used;

    while (older < n && items[older].seq <= x->after)
        older++;
    *ret = xcalloc(n + x->n_tars + 1, sizeof(**ret));
    used = add_upload_layers(*ret, 0, dir, items, 0, older);
    used++; /* the mark without a tar */
    for (size_t i = 0; i < x->n_tars; i++)
        (*ret)[used++] = (struct staging_layer){
            .tar = x->tars[i].tar[0] == '/' ? xstrdup(x->tars[i].tar) : fs_join(dir, x->tars[i].tar), .dest = xstrdup(x->tars[i].dest)};
    used = add_upload_layers(*ret, used, dir, items, older, n);
    staging_items_free(items, n);
    return used;
}

void staging_set_more(struct staging *st, void (*more)(void *arg, const char *id, struct staging_exit *x), void *arg)
{
    st->more = more;
    st->more_arg = arg;
}

uint32_t staging_seq_at(struct staging *st, const char *id, int64_t wall)
{
    struct staging_item *items;
    size_t n = staging_items(st, id, 0, &items);
    uint32_t seq = 0;

    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_p) char *tar = xasprintf("%s/%s/%u.tar", st->dir, id, items[i].seq);
        struct stat sb;

        if (stat(tar, &sb) == 0 && (int64_t)sb.st_mtim.tv_sec * NS_PER_S + sb.st_mtim.tv_nsec <= wall)
            seq = items[i].seq;
    }
    staging_items_free(items, n);
    return seq;
}

void staging_layers_free(struct staging_layer *layers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(layers[i].tar);
        free(layers[i].dest);
    }
    free(layers);
}

/* ---- taking an upload ---- */

static void put_free(struct staging_put *p)
{
    close_p(&p->fd);
    free(p->dir);
    free(p->tar);
    free(p->part);
    free(p->meta);
    free(p->item.path);
    free(p);
}

static uint32_t last_seq(struct staging *st, const char *id, size_t *ret_n)
{
    struct staging_item *items;
    *ret_n = staging_items(st, id, 0, &items);
    uint32_t last = *ret_n ? items[*ret_n - 1].seq : 0;
    staging_items_free(items, *ret_n);
    return last;
}

uint32_t staging_last_seq(struct staging *st, const char *id)
{
    size_t n;

    return last_seq(st, id, &n);
}

struct staging_put *staging_put_begin(struct staging *st, const char *id, const struct staging_item *item,
                                      struct skl_error *err)
{
    size_t n;
    uint32_t seq = last_seq(st, id, &n) + 1;
    if (n >= STAGING_ITEMS_MAX) {
        error_set(err, SKL_ERR_CONFLICT, "more than %u uploads wait for this container's next start",
                  STAGING_ITEMS_MAX);
        return NULL;
    }
    CLEANUP(free_p) char *dir = fs_join(st->dir, id);
    if (fs_mkdir_p(dir, 0700, err) < 0)
        return NULL;
    struct staging_put *p = xcalloc(1, sizeof(*p));
    p->st = st;
    p->dir = STEAL(dir);
    /* The part's name is unique, so two uploads at once don't write into one file; the number is settled at
     * commit. */
    p->part = xasprintf("%s/part-%u-XXXXXX", p->dir, seq);
    p->item.path = xstrdup(item->path);
    p->item.no_overwrite_dir_non_dir = item->no_overwrite_dir_non_dir;
    p->item.copy_uid_gid = item->copy_uid_gid;
    p->fd = mkostemp(p->part, O_CLOEXEC);
    if (p->fd < 0) {
        error_set_errno(err, SKL_ERR_INTERNAL, errno, "creating %s", p->part);
        put_free(p);
        return NULL;
    }
    return p;
}

int staging_put_write(struct staging_put *p, const void *data, size_t n, struct skl_error *err)
{
    int rc = fs_write_all(p->fd, data, n);
    if (rc < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, -rc, "staging the upload");
    return 0;
}

void staging_put_abort(struct staging_put *p)
{
    (void)unlink(p->part);
    put_free(p);
}

/* Reads the whole tar once: what is cut off or is no tar is refused now, not at the next start. */
static int check_tar(const char *file, struct skl_error *err)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    int rc;
    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);
    rc = archive_read_open_filename(a, file, 64 * 1024);
    while (rc == ARCHIVE_OK && (rc = archive_read_next_header(a, &e)) >= ARCHIVE_WARN && rc != ARCHIVE_EOF)
        rc = archive_read_data_skip(a);
    int ok = rc == ARCHIVE_EOF;
    if (!ok)
        error_set(err, SKL_ERR_INVALID, "the archive is not a complete tar: %s",
                  archive_error_string(a) ? archive_error_string(a) : "unexpected end");
    archive_read_free(a);
    return ok ? 0 : -1;
}

static void commit_work(void *arg)
{
    struct staging_put *p = arg;
    p->failed = check_tar(p->part, &p->err);
}

static int write_meta(struct staging_put *p, struct skl_error *err)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "path", json_object_new_string(p->item.path));
    json_object_object_add(o, "noOverwriteDirNonDir", json_object_new_boolean(p->item.no_overwrite_dir_non_dir));
    json_object_object_add(o, "copyUIDGID", json_object_new_boolean(p->item.copy_uid_gid));
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    int rc = fs_write_file_atomic(p->meta, text, strlen(text), 0600, err);
    json_object_put(o);
    return rc;
}

static void commit_done(void *arg)
{
    struct staging_put *p = arg;
    size_t n;
    if (!p->failed) {
        uint32_t seq = last_seq(p->st, strrchr(p->dir, '/') + 1, &n) + 1;
        p->tar = xasprintf("%s/%u.tar", p->dir, seq);
        p->meta = xasprintf("%s/%u.json", p->dir, seq);
        if (rename(p->part, p->tar) < 0)
            p->failed = error_set_errno(&p->err, SKL_ERR_INTERNAL, errno, "staging the upload");
        else
            p->failed = write_meta(p, &p->err);
    }
    if (p->failed)
        (void)unlink(p->part);
    p->done(p->arg, p->failed ? &p->err : NULL);
    put_free(p);
}

void staging_put_commit(struct staging_put *p, void (*done)(void *arg, const struct skl_error *err), void *arg)
{
    p->done = done;
    p->arg = arg;
    loop_work(p->st->loop, commit_work, commit_done, p);
}
