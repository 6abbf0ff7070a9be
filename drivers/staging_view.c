/*
 * drivers/staging_view.c - HEAD and GET of paths that only exist in staged tars.
 *
 * Two passes over the layers on a worker thread. The first notes for every path at or below the wanted one which layer
 * has it last; the second writes those entries, renamed relative to the wanted path, into an unlinked file. Where the capture at
 * exit begins, what it covers is forgotten: it knows better. A link on the way to the wanted path is followed: the path
 * becomes what it stands for, and the first pass is made again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/staging-internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"

#define VIEW_ENTRIES_MAX 1000000u
#define VIEW_HOPS_MAX 40u /* links that are followed, as the kernel does */

/* Go's os.FileMode bits (reference 2.14.1). */
#define GO_MODE_DIR (1u << 31)
#define GO_MODE_SYMLINK (1u << 27)
#define GO_MODE_DEVICE (1u << 26)
#define GO_MODE_PIPE (1u << 25)
#define GO_MODE_SETUID (1u << 23)
#define GO_MODE_SETGID (1u << 22)
#define GO_MODE_CHAR (1u << 21)
#define GO_MODE_STICKY (1u << 20)

struct view_entry {
    UT_hash_handle hh;
    size_t layer;
    char path[];
};

/* A file that is wanted under a further name alone: its bytes stand at the first one. */
struct view_alias {
    UT_hash_handle hh;
    char *name;    /* wanted */
    char key[];    /* of the layer and of the name that has the bytes and is not wanted */
};

/* A link among the directories above the wanted path, or the path itself when it is to be followed. */
struct view_hop {
    UT_hash_handle hh;
    char *target;
    char path[];
};

struct view {
    struct staging *st;
    struct staging_layer *layers;
    size_t n_layers;
    struct staging_exit kept;
    char *path;    /* normalised */
    char *name;    /* what it was asked for as */
    bool contents; /* the path ended in "/.": entries come as "./..." */
    bool follow;   /* it ended in a slash: a link there is followed */
    struct view_hop *hops;
    unsigned n_hops;
    bool stat_only;
    struct view_entry *entries;
    size_t n_entries;
    struct view_alias *aliases;
    char *stat_link;   /* the wanted path is a further name of this one, in stat_layer */
    size_t stat_layer;
    struct buf stat_json;
    int fd;
    int failed;
    struct skl_error err;
    staging_view_fn done;
    void *arg;
};

char *staging_normal_path(const char *dir, const char *name)
{
    CLEANUP(free_p) char *whole = xasprintf("%s/%s", dir, name);
    size_t n;
    char **parts = str_split(whole, '/', &n);
    char *out = xcalloc(1, strlen(whole) + 2), *end = out;
    for (size_t i = 0; i < n; i++) {
        if (!*parts[i] || str_eq(parts[i], "."))
            continue;
        if (str_eq(parts[i], "..")) {
            char *slash = strrchr(out, '/');
            end = slash ? slash : out;
            *end = '\0';
            continue;
        }
        size_t len = strlen(parts[i]);
        *end++ = '/';
        memcpy(end, parts[i], len + 1);
        end += len;
    }
    free(parts);
    if (end == out)
        memcpy(out, "/", 2);
    return out;
}

/* "" when full is the path itself, the part behind it (with its slash) when below it, else NULL. */
static const char *below(const struct view *v, const char *full)
{
    size_t n = strlen(v->path);
    if (n == 1)
        return str_eq(full, "/") ? "" : full;
    if (strncmp(full, v->path, n) != 0 || (full[n] != '\0' && full[n] != '/'))
        return NULL;
    return full + n;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static uint32_t go_mode(struct archive_entry *e)
{
    uint32_t m = archive_entry_perm(e), out = m & 0777u;
    out |= (m & 04000u ? GO_MODE_SETUID : 0) | (m & 02000u ? GO_MODE_SETGID : 0);
    out |= m & 01000u ? GO_MODE_STICKY : 0;
    switch (archive_entry_filetype(e)) {
    case AE_IFDIR:
        return out | GO_MODE_DIR;
    case AE_IFLNK:
        return out | GO_MODE_SYMLINK;
    case AE_IFIFO:
        return out | GO_MODE_PIPE;
    case AE_IFCHR:
        return out | GO_MODE_DEVICE | GO_MODE_CHAR;
    case AE_IFBLK:
        return out | GO_MODE_DEVICE;
    default:
        return out;
    }
}

static void put_stat(struct view *v, const char *name, int64_t size, uint32_t mode, int64_t mtime, const char *target)
{
    char when[TIME_RFC3339_SIZE];
    buf_clear(&v->stat_json);
    buf_puts(&v->stat_json, "{\"name\":");
    buf_json_string(&v->stat_json, name, strlen(name));
    buf_printf(&v->stat_json, ",\"size\":%lld,\"mode\":%u,\"mtime\":\"%s\",\"linkTarget\":", (long long)size, mode,
               time_format_rfc3339(mtime, when));
    buf_json_string(&v->stat_json, target ? target : "", target ? strlen(target) : 0);
    buf_putc(&v->stat_json, '}');
}

static void note(struct view *v, size_t layer, const char *full)
{
    struct view_entry *ve;
    size_t len = strlen(full);
    HASH_FIND(hh, v->entries, full, len, ve);
    if (!ve) {
        if (v->n_entries++ >= VIEW_ENTRIES_MAX) {
            v->failed = error_set(&v->err, SKL_ERR_TOO_LARGE, "more than %u staged files", VIEW_ENTRIES_MAX);
            return;
        }
        ve = xcalloc(1, sizeof(*ve) + len + 1);
        memcpy(ve->path, full, len + 1);
        HASH_ADD_KEYPTR(hh, v->entries, ve->path, len, ve);
    }
    ve->layer = layer;
}

static char *hardlink_target(const struct view *v, size_t layer, struct archive_entry *e)
{
    const char *link = archive_entry_hardlink(e);
    return link ? staging_normal_path(v->layers[layer].dest, link) : NULL;
}

static struct view_alias *find_alias(const struct view *v, const char *key)
{
    struct view_alias *va;
    HASH_FIND(hh, v->aliases, key, strlen(key), va);
    return va;
}

static char *alias_key(size_t layer, const char *target)
{
    return xasprintf("%zu%s", layer, target); /* targets begin with a slash */
}

static void note_alias(struct view *v, size_t layer, const char *target, const char *name)
{
    CLEANUP(free_p) char *key = alias_key(layer, target);
    struct view_alias *va = find_alias(v, key);
    size_t len = strlen(key);
    if (!va) {
        va = xcalloc(1, sizeof(*va) + len + 1);
        memcpy(va->key, key, len + 1);
        HASH_ADD_KEYPTR(hh, v->aliases, va->key, len, va);
    }
    free(va->name);
    va->name = xstrdup(name);
}

static void stat_of_entry(struct view *v, struct archive_entry *e)
{
    int64_t mtime = archive_entry_mtime(e) * NS_PER_S + archive_entry_mtime_nsec(e);
    put_stat(v, v->name, archive_entry_size(e), go_mode(e), mtime, archive_entry_symlink(e));
}

/* ---- links on the way ---- */

static void hop_free(struct view *v, struct view_hop *hop)
{
    HASH_DEL(v->hops, hop);
    free(hop->target);
    free(hop);
}

static bool is_on_the_way(const struct view *v, const char *full)
{
    size_t n = strlen(full);
    if (strncmp(v->path, full, n) != 0)
        return false;
    return v->path[n] == '/' || (v->path[n] == '\0' && v->follow);
}

/* What comes later at the same place counts. */
static void note_hop(struct view *v, struct archive_entry *e, const char *full)
{
    const char *target = archive_entry_filetype(e) == AE_IFLNK ? archive_entry_symlink(e) : NULL;
    size_t len = strlen(full);
    struct view_hop *hop;
    if (!is_on_the_way(v, full))
        return;
    HASH_FIND(hh, v->hops, full, len, hop);
    if (hop)
        hop_free(v, hop);
    if (!target)
        return;
    hop = xcalloc(1, sizeof(*hop) + len + 1);
    memcpy(hop->path, full, len + 1);
    hop->target = xstrdup(target);
    HASH_ADD_KEYPTR(hh, v->hops, hop->path, len, hop);
}

/* The path with its first link replaced by what that stands for; NULL: there is none. */
static char *followed(struct view *v)
{
    struct view_hop *hop, *tmp, *first = NULL;
    HASH_ITER(hh, v->hops, hop, tmp)
        if (!first || strlen(hop->path) < strlen(first->path))
            first = hop;
    if (!first)
        return NULL;
    CLEANUP(free_p) char *dir = xstrndup(first->path, (size_t)(strrchr(first->path, '/') - first->path));
    CLEANUP(free_p) char *to = staging_normal_path(first->target[0] == '/' ? "" : dir, first->target);
    return staging_normal_path(to, v->path + strlen(first->path));
}

/* First pass, one entry. */
static void see(struct view *v, size_t layer, struct archive_entry *e, const char *full)
{
    const char *rest = below(v, full);
    note_hop(v, e, full);
    if (!rest)
        return;
    CLEANUP(free_p) char *target = hardlink_target(v, layer, e);
    note(v, layer, full);
    if (target && !below(v, target))
        note_alias(v, layer, target, full);
    if (*rest)
        return;
    stat_of_entry(v, e);
    free(v->stat_link);
    v->stat_link = STEAL(target);
    v->stat_layer = layer;
}

static int open_layer(const struct staging_layer *l, struct archive **ret)
{
    struct archive *a = archive_read_new();
    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);
    *ret = a;
    return archive_read_open_filename(a, l->tar, 64 * 1024);
}

static void forget(struct view *v, struct view_entry *ve)
{
    HASH_DEL(v->entries, ve);
    v->n_entries--;
    free(ve);
}

/* The run's end: what was captured replaces what was copied in before. */
static void mask(struct view *v)
{
    const struct staging_exit_path *p;
    struct view_entry *ve, *tmp;
    struct view_hop *hop, *hop_tmp;
    HASH_ITER(hh, v->entries, ve, tmp) {
        p = staging_exit_covers(&v->kept, ve->path);
        if (p && !p->why)
            forget(v, ve);
    }
    p = staging_exit_covers(&v->kept, v->path);
    if (p && !p->why)
        buf_clear(&v->stat_json);
    HASH_ITER(hh, v->hops, hop, hop_tmp) {
        p = staging_exit_covers(&v->kept, hop->path);
        if (p && !p->why)
            hop_free(v, hop);
    }
}

/* The next entry of a layer; NULL at its end, or when it can't be read: v->failed then. */
static struct archive_entry *next_entry(struct view *v, struct archive *a)
{
    struct archive_entry *e;
    int rc = archive_read_next_header(a, &e);
    if (rc == ARCHIVE_EOF || v->failed)
        return NULL;
    if (rc >= ARCHIVE_WARN && archive_entry_pathname(e))
        return e;
    v->failed = error_set(&v->err, SKL_ERR_INTERNAL, "reading a staged archive: %s",
                          archive_error_string(a) ? archive_error_string(a) : "an entry without a name");
    return NULL;
}

static void first_pass(struct view *v, size_t layer)
{
    struct archive *a;
    struct archive_entry *e;
    if (!v->layers[layer].tar) {
        mask(v);
        return;
    }
    if (open_layer(&v->layers[layer], &a) == ARCHIVE_OK)
        while ((e = next_entry(v, a))) {
            CLEANUP(free_p) char *full = staging_normal_path(v->layers[layer].dest, archive_entry_pathname(e));
            see(v, layer, e, full);
        }
    archive_read_free(a);
}

/* Name of an entry in the answer: basename + rest, or "." + rest for contents. */
static char *answer_name(const struct view *v, const char *full)
{
    const char *rest = below(v, full);
    if (!rest)
        return NULL;
    if (v->contents)
        return xasprintf(".%s", *rest ? rest : "/");
    return xasprintf("%s%s", str_eq(v->path, "/") ? "." : v->name, rest);
}

static int copy_data(struct archive *in, struct archive *out, struct skl_error *err)
{
    const void *p;
    size_t n;
    int64_t off;
    int rc;
    while ((rc = archive_read_data_block(in, &p, &n, &off)) == ARCHIVE_OK)
        if (archive_write_data(out, p, n) < 0)
            return error_set(err, SKL_ERR_INTERNAL, "writing the archive: %s", archive_error_string(out));
    if (rc != ARCHIVE_EOF)
        return error_set(err, SKL_ERR_INTERNAL, "reading a staged archive: %s", archive_error_string(in));
    return 0;
}

static bool is_of_layer(const struct view *v, const char *full, size_t layer)
{
    struct view_entry *ve;
    HASH_FIND(hh, v->entries, full, strlen(full), ve);
    return ve && ve->layer == layer;
}

static int write_entry(struct view *v, struct archive *in, struct archive *out, struct archive_entry *e, const char *full)
{
    CLEANUP(free_p) char *name = answer_name(v, full);
    archive_entry_set_pathname(e, name);
    if (archive_write_header(out, e) < ARCHIVE_WARN)
        return error_set(&v->err, SKL_ERR_INTERNAL, "writing the archive: %s", archive_error_string(out));
    return archive_entry_size(e) > 0 ? copy_data(in, out, &v->err) : 0;
}

static int emit(struct view *v, size_t layer, struct archive *in, struct archive *out, struct archive_entry *e)
{
    CLEANUP(free_p) char *full = staging_normal_path(v->layers[layer].dest, archive_entry_pathname(e));
    CLEANUP(free_p) char *target = hardlink_target(v, layer, e);
    CLEANUP(free_p) char *key = alias_key(layer, target ? target : full);
    struct view_alias *va = find_alias(v, key);
    if (va && !is_of_layer(v, va->name, layer)) /* a later layer has something else there */
        va = NULL;
    if (!target && va) /* not wanted itself */
        return write_entry(v, in, out, e, va->name);
    if (!is_of_layer(v, full, layer) || (va && str_eq(va->name, full)))
        return 0;
    if (target && !va && !below(v, target))
        return 0; /* the file itself is not to be had */
    if (target) {
        CLEANUP(free_p) char *to_name = answer_name(v, va ? va->name : target);
        if (to_name)
            archive_entry_set_hardlink(e, to_name);
    }
    return write_entry(v, in, out, e, full);
}

static void second_pass(struct view *v, size_t layer, struct archive *out)
{
    struct archive *a;
    struct archive_entry *e;
    if (!v->layers[layer].tar)
        return;
    if (open_layer(&v->layers[layer], &a) == ARCHIVE_OK)
        while ((e = next_entry(v, a)))
            v->failed = emit(v, layer, a, out, e);
    archive_read_free(a);
}

static void write_tar(struct view *v)
{
    v->fd = open(v->st->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (v->fd < 0) {
        v->failed = error_set_errno(&v->err, SKL_ERR_INTERNAL, errno, "making a temporary file in %s", v->st->dir);
        return;
    }
    struct archive *out = archive_write_new();
    archive_write_set_format_pax_restricted(out);
    archive_write_set_bytes_in_last_block(out, 1);
    if (archive_write_open_fd(out, v->fd) != ARCHIVE_OK)
        v->failed = error_set(&v->err, SKL_ERR_INTERNAL, "writing the archive: %s", archive_error_string(out));
    for (size_t i = 0; i < v->n_layers && !v->failed; i++)
        second_pass(v, i, out);
    if (archive_write_close(out) != ARCHIVE_OK && !v->failed)
        v->failed = error_set(&v->err, SKL_ERR_INTERNAL, "writing the archive: %s", archive_error_string(out));
    archive_write_free(out);
    if (!v->failed && lseek(v->fd, 0, SEEK_SET) < 0)
        v->failed = error_set_errno(&v->err, SKL_ERR_INTERNAL, errno, "rewinding the archive");
}

/* The size of a further name is that of the file. */
static void stat_through_link(struct view *v)
{
    struct archive *a;
    struct archive_entry *e;
    if (!v->stat_link || v->stat_json.len == 0)
        return;
    if (open_layer(&v->layers[v->stat_layer], &a) == ARCHIVE_OK)
        while ((e = next_entry(v, a))) {
            CLEANUP(free_p) char *full = staging_normal_path(v->layers[v->stat_layer].dest, archive_entry_pathname(e));
            if (str_eq(full, v->stat_link) && !archive_entry_hardlink(e)) {
                stat_of_entry(v, e);
                break;
            }
        }
    archive_read_free(a);
}

/* What is to be said of a path that is in no layer. */
static void not_there(struct view *v)
{
    const struct staging_exit_path *p = staging_exit_covers(&v->kept, v->path);
    if (!p)
        v->failed = error_set(&v->err, SKL_ERR_NOT_FOUND, "%s", "");
    else if (p->why)
        v->failed = error_set(&v->err, SKL_ERR_NOT_FOUND, "%s was to be kept when the container ended, but %s", p->path, p->why);
    else
        v->failed = error_set(&v->err, SKL_ERR_NOT_FOUND, "it was not there any more when the container ended");
}

static void forget_all(struct view *v)
{
    struct view_entry *ve, *tmp;
    struct view_alias *va, *va_tmp;
    struct view_hop *hop, *hop_tmp;
    HASH_ITER(hh, v->entries, ve, tmp)
        forget(v, ve);
    HASH_ITER(hh, v->aliases, va, va_tmp) {
        HASH_DEL(v->aliases, va);
        free(va->name);
        free(va);
    }
    HASH_ITER(hh, v->hops, hop, hop_tmp)
        hop_free(v, hop);
    free(STEAL(v->stat_link));
    buf_clear(&v->stat_json);
}

/* The first pass, until no link is on the way any more. */
static void find(struct view *v)
{
    for (;;) {
        for (size_t i = 0; i < v->n_layers && !v->failed; i++)
            first_pass(v, i);
        CLEANUP(free_p) char *path = v->failed ? NULL : followed(v);
        if (!path)
            return;
        if (++v->n_hops > VIEW_HOPS_MAX) {
            v->failed = error_set(&v->err, SKL_ERR_INVALID, "%s: too many levels of symbolic links", v->path);
            return;
        }
        forget_all(v);
        free(v->path);
        v->path = STEAL(path);
    }
}

static void view_work(void *arg)
{
    struct view *v = arg;
    find(v);
    if (v->failed)
        return;
    if (!v->entries) {
        not_there(v);
        return;
    }
    stat_through_link(v);
    if (v->stat_json.len == 0)
        put_stat(v, v->name, 4096, GO_MODE_DIR | 0755u, 0, NULL);
    if (!v->stat_only)
        write_tar(v);
}

static void view_done(void *arg)
{
    struct view *v = arg;
    if (v->failed)
        close_p(&v->fd);
    v->done(v->arg, v->failed ? &v->err : NULL, buf_str(&v->stat_json), v->failed ? -1 : v->fd);
    forget_all(v);
    staging_exit_fini(&v->kept);
    staging_layers_free(v->layers, v->n_layers);
    buf_fini(&v->stat_json);
    free(v->path);
    free(v->name);
    free(v);
}

void staging_view(struct staging *st, const char *id, const char *path, bool stat_only, staging_view_fn done,
                  void *arg)
{
    struct view *v = xcalloc(1, sizeof(*v));
    v->st = st;
    v->fd = -1;
    v->path = staging_normal_path("", path);
    v->name = xstrdup(base_name(v->path));
    v->contents = str_ends(path, "/.") || str_eq(path, ".");
    v->follow = v->contents || str_ends(path, "/");
    v->stat_only = stat_only;
    v->done = done;
    v->arg = arg;
    buf_init(&v->stat_json, 64 * 1024);
    (void)staging_exit_load(st, id, &v->kept);
    if (st->more)
        st->more(st->more_arg, id, &v->kept);
    v->n_layers = staging_layers(st, id, &v->kept, &v->layers);
    loop_work(st->loop, view_work, view_done, v);
}
