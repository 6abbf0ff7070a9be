/*
 * drivers/archive.c - files in and out of containers: through the agent while it is there, else the staging area.
 *
 * Which one: an agent that is connected takes everything. A container that does not run has its staging area, where
 * uploads wait for the next start and what was copied in (or captured at exit) can be read. A running container whose
 * agent is away for the moment is waited for, bounded; one that has no agent by configuration declines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/archive.h"
#include "json/json.h"
#include "state/container.h"
#include "state/engine.h"
#include "wire/pax.h"

#define STAT_HEADER_MAX (64u * 1024)

/* ---- choosing ---- */

enum archive_way archive_way(struct chain *ch, struct container *c, struct peer **ret_peer, struct skl_error *err)
{
    struct peer *p = peer_find(ch, c->id);

    *ret_peer = p;
    if (p && p->expected && peer_ready(p) && p->process_started)
        return ARCHIVE_AGENT;
    if (!container_is_live(c))
        return ARCHIVE_STAGING;
    if (!container_has_agent(c)) {
        error_set(err, SKL_ERR_UNIMPLEMENTED, "files of a running container need the agent, and %s",
                  chain_why_no_agent(c));
        return ARCHIVE_DECLINED;
    }
    return ARCHIVE_WAIT;
}

char *archive_path(const char *path, const struct chain_put_opts *put, bool mkdir)
{
    struct buf b;

    buf_init(&b, 256 * 1024);
    buf_puts(&b, "/archive?path=");
    (void)url_encode(&b, path, strlen(path));
    if (put && put->no_overwrite_dir_non_dir)
        buf_puts(&b, "&noOverwriteDirNonDir=1");
    if (put && put->copy_uid_gid)
        buf_puts(&b, "&copyUIDGID=1");
    if (mkdir)
        buf_puts(&b, "&mkdir=1");
    return buf_steal(&b, NULL);
}

/* The header's base64 as JSON text; NULL when it is not. Caller frees. */
char *archive_stat_json(const char *header)
{
    JSON_CLEANUP struct json_object *o = NULL;
    struct buf b;

    buf_init(&b, STAT_HEADER_MAX);
    if (!header || base64_decode(&b, header, strlen(header)) < 0 ||
        (o = json_parse_object(buf_str(&b), b.len, STAT_HEADER_MAX, NULL)) == NULL) {
        buf_fini(&b);
        return NULL;
    }
    return buf_steal(&b, NULL);
}

void archive_not_found(struct skl_error *ret, const struct skl_error *err, const char *path, const char *id, bool ran)
{
    const char *why = err->message;

    if (err->kind != SKL_ERR_NOT_FOUND) {
        error_copy(ret, err);
        return;
    }
    if (why[0] == '\0' && ran)
        why = "it has ended, and its files went with the function; only what was copied in, and what agent.capture-paths "
              "names, can be read";
    error_set(ret, SKL_ERR_NOT_FOUND, "Could not find the file %s in container %s%s%s%s", path, id, why[0] ? " (" : "", why,
              why[0] ? ")" : "");
}

/* ---- stat ---- */

struct stat_job {
    struct chain *ch;
    char *id;
    char *path;
    bool ran;
    struct capture_waiter captured;
    void (*done)(void *arg, const struct skl_error *err, const char *stat_json);
    void *arg;
};

static void stat_end(struct stat_job *j, const struct skl_error *err, const char *json)
{
    j->done(j->arg, err, json);
    free(j->id);
    free(j->path);
    free(j);
}

static void on_stat(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    struct stat_job *j = arg;
    CLEANUP(free_p) char *json = err ? NULL : archive_stat_json(a->stat);
    struct skl_error why = {0};

    if (err && a->status == 404)
        error_set(&why, SKL_ERR_NOT_FOUND, "Could not find the file %s in container %s", j->path, j->id);
    else if (err)
        error_copy(&why, err);
    else if (!json)
        error_set(&why, SKL_ERR_BAD_GATEWAY, "the agent answered without a path stat");
    stat_end(j, why.kind ? &why : NULL, json);
}

/* A path that is written as a directory, in a container that never ran: nobody can look, but uploads to it make it if it is
 * missing. Clients that got a 404 here (`docker cp f c:/tmp/`) would not even try. */
static char *directory_to_be(const struct stat_job *j)
{
    bool dot = str_ends(j->path, "/.");
    size_t n = strlen(j->path), end = n;
    struct buf b;

    if (j->ran || (!str_ends(j->path, "/") && !dot))
        return NULL;
    while (end > 1 && j->path[end - 1] == '/')
        end--;
    n = end;
    while (n > 0 && j->path[n - 1] != '/')
        n--;
    buf_init(&b, STAT_HEADER_MAX);
    buf_puts(&b, "{\"name\":");
    if (end == 1)
        buf_puts(&b, "\"/\"");
    else
        buf_json_string(&b, j->path + n, end - n);
    buf_printf(&b, ",\"size\":0,\"mode\":%u,\"mtime\":\"0001-01-01T00:00:00Z\",\"linkTarget\":\"\"}", pax_go_filemode(S_IFDIR | 0755));
    return buf_steal(&b, NULL);
}

static void on_stat_view(void *arg, const struct skl_error *err, const char *stat_json, int fd)
{
    struct stat_job *j = arg;
    CLEANUP(free_p) char *made = err != NULL && err->kind == SKL_ERR_NOT_FOUND ? directory_to_be(j) : NULL;
    struct skl_error why = {0};

    (void)fd;
    if (made != NULL) {
        stat_end(j, NULL, made);
        return;
    }
    if (err)
        archive_not_found(&why, err, j->path, j->id, j->ran);
    stat_end(j, err ? &why : NULL, stat_json);
}

static void on_stat_link(void *arg, const struct skl_error *err)
{
    struct stat_job *j = arg;
    struct peer *p = peer_find(j->ch, j->id);
    CLEANUP(free_p) char *path = archive_path(j->path, NULL, false);
    struct skl_error why = {0};

    if (!err && p) {
        (void)peer_call(p, "HEAD", path, NULL, on_stat, j);
        return;
    }
    error_set(&why, SKL_ERR_UNAVAILABLE, "the agent went away");
    stat_end(j, err ? err : &why, NULL);
}

static void on_stat_captured(void *arg)
{
    struct stat_job *j = arg;

    staging_view(j->ch->staging, j->id, j->path, true, on_stat_view, j);
}

void chain_archive_stat(struct chain *ch, struct container *c, const char *path,
                        void (*done)(void *arg, const struct skl_error *err, const char *stat_json), void *arg)
{
    struct stat_job *j = xcalloc(1, sizeof(*j));
    struct peer *p;
    struct skl_error err = {0};
    enum archive_way way = archive_way(ch, c, &p, &err);

    j->ch = ch;
    j->id = xstrdup(c->id);
    j->path = xstrdup(path);
    j->ran = c->run > 0;
    j->done = done;
    j->arg = arg;
    if (way == ARCHIVE_STAGING) {
        if (!capture_wait(ch, c, &j->captured, on_stat_captured, j))
            on_stat_captured(j);
        return;
    }
    /* A peer that is not expected fails the wait soon: the reason then is the decline's. */
    p = peer_get(ch, c->id);
    (void)peer_wait(p, way == ARCHIVE_DECLINED ? 0 : ARCHIVE_WAIT_NS, on_stat_link, j);
}
