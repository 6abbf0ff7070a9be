/*
 * agent/archive.c - /archive, /export and /changes: paths, Docker's stat header, and the streams (README.md 4).
 *
 * The agent's root is the container's root, so whatever a path says, it stays inside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/archive.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/extract.h"
#include "agent/walk.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "wire/pax.h"

#define STAT_HEADER "x-docker-container-path-stat"
#define STAT_MAX (32u * 1024)

/* ---- paths ---- */

struct target {
    char *path;   /* absolute, cleaned, without a slash at the end (but "/") */
    char *name;   /* its last component as asked for: "dir", "." behind "/.", "/" */
    bool follow;  /* ended in "/" or "/." */
};

static void target_fini(struct target *t)
{
    free(t->path);
    free(t->name);
}

/* Lexically, as Docker does: ".." takes back what stands before it. */
static char *clean(const char *s)
{
    char *out = xmalloc(strlen(s) + 2);
    size_t len = 0, n;

    for (const char *p = s; *p != '\0'; p += n) {
        p += strspn(p, "/");
        n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.'))
            continue;
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (len > 0 && out[--len] != '/')
                ;
            continue;
        }
        out[len++] = '/';
        memcpy(out + len, p, n);
        len += n;
    }
    if (len == 0)
        out[len++] = '/';
    out[len] = '\0';
    return out;
}

static void target_init(struct target *t, const char *asked)
{
    bool dot = str_ends(asked, "/.") || str_eq(asked, ".");

    t->path = clean(asked);
    t->follow = dot || str_ends(asked, "/");
    if (dot)
        t->name = xstrdup(".");
    else
        t->name = xstrdup(t->path[1] == '\0' ? "/" : strrchr(t->path, '/') + 1);
}

static int not_there(const struct request *r, const char *path, struct skl_error *err)
{
    const char *id = r->agent->cfg.container;

    if (errno == ENOENT)
        return error_set(err, SKL_ERR_NOT_FOUND, "Could not find the file %s in container %s", path, id != NULL ? id : "");
    if (errno == ENOTDIR)
        return error_set(err, SKL_ERR_INVALID, "%s: not a directory", path);
    return error_set_errno(err, errno == EACCES ? SKL_ERR_FORBIDDEN : SKL_ERR_INTERNAL, errno, "%s", path);
}

/* ---- Docker's stat ---- */

/* Where a link leads in the end, as far as that exists. */
static char *link_target(const char *path)
{
    char *real = realpath(path, NULL), text[PATH_MAX];
    CLEANUP(free_p) char *dir = NULL;
    CLEANUP(free_p) char *joined = NULL;
    ssize_t n;

    if (real != NULL)
        return real;
    n = readlink(path, text, sizeof(text) - 1);
    if (n < 0)
        return xstrdup("");
    text[n] = '\0';
    if (text[0] == '/')
        return clean(text);
    dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    joined = xasprintf("%s/%s", dir, text);
    return clean(joined);
}

static char *stat_header(const struct target *t, const struct stat *st)
{
    CLEANUP(free_p) char *link = S_ISLNK(st->st_mode) ? link_target(t->path) : xstrdup("");
    int64_t mtime = (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
    char when[TIME_RFC3339_SIZE] = "1970-01-01T00:00:00Z"; /* 0 is "never" to time_format_rfc3339() */
    struct buf json, text;

    buf_init(&json, STAT_MAX);
    buf_init(&text, 2 * STAT_MAX);
    buf_puts(&json, "{\"name\":");
    buf_json_string(&json, t->name, strlen(t->name));
    buf_printf(&json, ",\"size\":%lld,\"mode\":%u,\"mtime\":\"%s\",\"linkTarget\":", (long long)st->st_size,
               pax_go_filemode(st->st_mode), mtime != 0 ? time_format_rfc3339(mtime, when) : when);
    buf_json_string(&json, link, strlen(link));
    buf_putc(&json, '}');
    (void)base64_encode(&text, json.data, json.len, false, true);
    buf_fini(&json);
    return buf_steal(&text, NULL);
}

static int look(const struct request *r, const struct target *t, const char *asked, struct stat *st, struct skl_error *err)
{
    if ((t->follow ? stat(t->path, st) : lstat(t->path, st)) < 0)
        return not_there(r, asked, err);
    if (t->follow && !S_ISDIR(st->st_mode)) {
        errno = ENOTDIR;
        return not_there(r, asked, err);
    }
    return 0;
}

/* ---- HEAD, GET ---- */

struct reading {
    struct agent *agent;
    struct walk *walk;
};

static void walk_on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct reading *r = arg;

    (void)st;
    (void)err;
    if (walk_failure(r->walk)[0] != '\0')
        log_warn("archive", "%s", walk_failure(r->walk));
    walk_free(r->walk);
    r->agent->reads--;
    free(r);
}

static const struct h2_stream_ops walk_ops = {.on_close = walk_on_close};

static void send_walk(struct request *r, struct walk *w, const char *stat)
{
    struct h2_body body = {.pull = walk_pull, .arg = w};
    struct reading *reading = xcalloc(1, sizeof(*reading));
    const char *headers[] = {"content-type", "application/x-tar", STAT_HEADER, stat, NULL};

    if (stat == NULL)
        headers[2] = NULL;
    reading->agent = r->agent;
    reading->walk = w;
    r->agent->reads++;
    h2_stream_set_ops(r->stream, &walk_ops, reading);
    h2_respond(r->stream, 200, headers, &body);
}

static void handle_read(struct request *r, const char *asked)
{
    struct skl_error err = {0};
    CLEANUP(free_p) char *header = NULL;
    struct target t;
    struct walk *w;
    struct stat st;

    target_init(&t, asked);
    if (look(r, &t, asked, &st, &err) < 0) {
        request_error(r, 0, &err);
    } else if (str_eq(r->method, "HEAD")) {
        header = stat_header(&t, &st);
        h2_respond(r->stream, 200, (const char *const[]){STAT_HEADER, header, NULL}, NULL);
    } else {
        struct walk_opts opts = {.path = t.path, .follow = t.follow, .name = t.name};
        header = stat_header(&t, &st);
        w = walk_new(&opts, &err);
        if (w != NULL)
            send_walk(r, w, header);
        else
            request_error(r, 0, &err);
    }
    target_fini(&t);
}

static void handle_export(struct request *r)
{
    struct walk_opts opts = {.path = "/", .follow = true, .name = "", .one_file_system = true}; /* "bin/", as Docker's */
    struct skl_error err = {0};
    struct walk *w = walk_new(&opts, &err);

    if (w != NULL)
        send_walk(r, w, NULL);
    else
        request_error(r, 0, &err);
}

/* ---- PUT ---- */

static void put_fail(struct extract *x, struct h2_stream *st, const struct skl_error *err)
{
    h2_stream_set_ops(st, NULL, NULL);
    extract_free(x);
    h2_respond_error(st, 0, err);
}

static void put_on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct skl_error err = {0};

    if (extract_feed(arg, p, n, &err) < 0)
        put_fail(arg, st, &err);
    h2_stream_consume(st, n);
}

static void put_on_end(void *arg, struct h2_stream *st)
{
    struct skl_error err = {0};

    if (extract_finish(arg, &err) < 0) {
        put_fail(arg, st, &err);
        return;
    }
    h2_stream_set_ops(st, NULL, NULL);
    extract_free(arg);
    h2_respond_bytes(st, 200, "application/json", "{}", 2);
}

static void put_on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    (void)st;
    (void)err;
    extract_free(arg);
}

static const struct h2_stream_ops put_ops = {.on_data = put_on_data, .on_end = put_on_end, .on_close = put_on_close};

/* Whose the files become with copyUIDGID: the main process's user, or who that will be. */
static int main_user(struct agent *a, struct extract_opts *opts, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *nothing = json_new_object();
    struct process_spec spec;
    int code, rc;

    opts->uid = a->main->spec.uid;
    opts->gid = a->main->spec.gid;
    if (a->main->state != PROCESS_IDLE)
        return 0;
    rc = spec_parse(&spec, &a->cfg, nothing, a->cfg.process, NULL, &code, err);
    if (rc == 0) {
        opts->uid = spec.uid;
        opts->gid = spec.gid;
    }
    spec_fini(&spec);
    return rc;
}

static int prepare_put(struct request *r, const struct target *t, const char *asked, struct extract_opts *opts, struct skl_error *err)
{
    struct stat st;

    opts->directory = t->path;
    opts->no_overwrite_dir_non_dir = request_flag(r, "noOverwriteDirNonDir");
    opts->chown = request_flag(r, "copyUIDGID");
    if (stat(t->path, &st) < 0 && errno == ENOENT && request_flag(r, "mkdir") && fs_mkdir_p(t->path, 0755, err) < 0)
        return -1;
    if (stat(t->path, &st) < 0)
        return not_there(r, asked, err);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, SKL_ERR_INVALID, "extraction point is not a directory");
    return opts->chown ? main_user(r->agent, opts, err) : 0;
}

static void handle_write(struct request *r, const char *asked)
{
    struct extract_opts opts = {0};
    struct skl_error err = {0};
    struct target t;

    target_init(&t, asked);
    if (prepare_put(r, &t, asked, &opts, &err) < 0) {
        request_error(r, 0, &err);
    } else {
        h2_continue(r->stream);
        h2_stream_set_ops(r->stream, &put_ops, extract_new(&opts));
    }
    target_fini(&t);
}

/* ---- routing ---- */

bool archive_handle(struct request *r)
{
    bool get = str_eq(r->method, "GET");
    CLEANUP(free_p) char *path = NULL;

    if (get && str_eq(r->path, "/export")) {
        handle_export(r);
        return true;
    }
    if (get && str_eq(r->path, "/changes")) {
        request_fail(r, SKL_ERR_UNIMPLEMENTED, "a function's file system keeps no record of what changed in it");
        return true;
    }
    if (!str_eq(r->path, "/archive"))
        return false;
    path = request_query(r, "path");
    if (str_empty(path))
        request_fail(r, SKL_ERR_INVALID, "bad parameter: path cannot be empty");
    else if (get || str_eq(r->method, "HEAD"))
        handle_read(r, path);
    else if (str_eq(r->method, "PUT"))
        handle_write(r, path);
    else
        request_fail(r, SKL_ERR_INVALID, "no such method here");
    return true;
}
