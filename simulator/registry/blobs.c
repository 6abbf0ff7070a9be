/*
 * simulator/registry/blobs.c - blobs: reading, mounting, and uploads, in one piece or in many.
 *
 *   POST uploads/            202, a session          POST ?digest=    201, all in one
 *   PATCH session            202, more bytes         POST ?mount=&from=   201, or a session
 *   PUT session?digest=      201: the digest fits    GET session      204, how much there is     DELETE session
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/registry/registry.h"
#include "simulator/storage.h"

struct session {
    struct list link;
    char id[33];
    char *repo, *path;
    int fd;
    uint64_t size;
    EVP_MD_CTX *hash;
    bool busy;            /* a body is on its way into it */
};

/* A request whose body goes into a session. */
struct piece {
    struct sim_call *call;
    struct session *session;
    char *digest;         /* it is the last one, and this must be the whole's digest; or NULL */
    struct skl_error err;
};

static struct list sessions = {&sessions, &sessions};
static size_t n_sessions;

static void session_free(struct session *u)
{
    list_remove(&u->link);
    n_sessions--;
    if (u->fd >= 0)
        close(u->fd);
    (void)unlink(u->path);
    EVP_MD_CTX_free(u->hash);
    free(u->repo);
    free(u->path);
    free(u);
}

/* The one that nobody has gone on with for the longest makes room. */
static void make_room(void)
{
    LIST_FOREACH_SAFE(n, tmp, &sessions) {
        struct session *u = LIST_ENTRY(n, struct session, link);
        if (!u->busy && n_sessions >= REGISTRY_UPLOADS_MAX)
            session_free(u);
    }
}

static struct session *session_new(struct sim *s, const char *repo, struct skl_error *err)
{
    CLEANUP(free_p) char *dir = xasprintf("%s/registry/uploads", s->opts.state_dir);
    struct session *u;
    char id[ID_SIZE];

    make_room();
    u = xcalloc(1, sizeof(*u));
    id_new(id);
    snprintf(u->id, sizeof(u->id), "%.32s", id);
    u->repo = xstrdup(repo);
    u->path = fs_join(dir, u->id);
    u->hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(u->hash, EVP_sha256(), NULL);
    list_push_back(&sessions, &u->link);
    n_sessions++;
    u->fd = fs_mkdir_p(dir, 0700, err) == 0 ? open(u->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (u->fd >= 0)
        return u;
    error_set_errno(err, SKL_ERR_INTERNAL, errno, "beginning an upload");
    session_free(u);
    return NULL;
}

/* By the path; NULL: answered. */
static struct session *session_find(struct sim_call *c)
{
    LIST_FOREACH_SAFE(n, tmp, &sessions) {
        struct session *u = LIST_ENTRY(n, struct session, link);
        if (str_eq(u->id, call_param(c, "uuid")) && str_eq(u->repo, call_param(c, "name")) && !u->busy)
            return u;
    }
    registry_fail(c, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    return NULL;
}

static void answer_session(struct sim_call *c, const struct session *u, int status)
{
    http_res_header(c->req, "Location", "/v2/%s/blobs/uploads/%s", u->repo, u->id);
    http_res_header(c->req, "Range", "0-%" PRIu64, u->size > 0 ? u->size - 1 : 0);
    http_res_header(c->req, "Docker-Upload-UUID", "%s", u->id);
    registry_end(c, status);
}

static void answer_blob(struct sim_call *c, const char *repo, const char *hex)
{
    http_res_header(c->req, "Location", "/v2/%s/blobs/sha256:%s", repo, hex);
    http_res_header(c->req, "Docker-Content-Digest", "sha256:%s", hex);
    registry_end(c, 201);
}

/* ---- bytes into a session ---- */

static bool on_data(void *arg, const char *p, size_t n)
{
    struct piece *b = arg;
    struct session *u = b->session;
    int rc = 0;

    if (b->err.kind != 0)
        return true;
    if (n > REGISTRY_BLOB_MAX - u->size)
        error_set(&b->err, SKL_ERR_TOO_LARGE, "the blob is too large");
    else if ((rc = fs_write_all(u->fd, p, n)) < 0)
        error_set_errno(&b->err, SKL_ERR_INTERNAL, -rc, "writing a blob");
    if (b->err.kind == 0) {
        EVP_DigestUpdate(u->hash, p, n);
        u->size += n;
    }
    return true;
}

/* All bytes are there: it becomes a blob of the repository, or there was something wrong with it. */
static void commit(struct sim_call *c, struct session *u, const char *digest)
{
    const char *hex = registry_hex(digest);
    CLEANUP(free_p) char *to = hex != NULL ? registry_blob_path(c->sim, hex) : NULL;
    CLEANUP(free_p) char *repo = xstrdup(u->repo), *dir = xasprintf("%s/registry/blobs/sha256", c->sim->opts.state_dir);
    unsigned char hash[EVP_MAX_MD_SIZE];
    char real[65];
    struct skl_error err = {0};

    EVP_DigestFinal_ex(u->hash, hash, NULL);
    hex_encode(hash, 32, real);
    if (hex == NULL || !str_eq(hex, real)) {
        registry_fail(c, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    } else if (fs_mkdir_p(dir, 0700, &err) < 0 || rename(u->path, to) < 0 || registry_put(c->sim, "blobs", repo, hex, "", &err) < 0) {
        registry_fail(c, 500, "UNKNOWN", "%s", err.kind != 0 ? err.message : strerror(errno));
    } else {
        answer_blob(c, repo, hex);
    }
    session_free(u);
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct piece *b = arg;
    struct session *u = b->session;
    struct sim_call *c = b->call;

    u->busy = false;
    if (err != NULL && b->err.kind == 0)
        b->err = *err;
    if (b->err.kind == SKL_ERR_CANCELED) {
        registry_fail(c, 400, "BLOB_UPLOAD_INVALID", "the client went away"); /* it may go on later */
    } else if (b->err.kind != 0) {
        registry_fail(c, b->err.kind == SKL_ERR_TOO_LARGE ? 413 : 500, "BLOB_UPLOAD_INVALID", "%s", b->err.message);
        session_free(u);
    } else if (b->digest != NULL) {
        commit(c, u, b->digest);
    } else {
        answer_session(c, u, 202);
    }
    free(b->digest);
    free(b);
}

static const struct http_body_reader reader = {.on_data = on_data, .on_end = on_end};

static void take_body(struct sim_call *c, struct session *u, const char *digest)
{
    struct piece *b = xcalloc(1, sizeof(*b));

    b->call = c;
    b->session = u;
    b->digest = xstrdup(digest);
    u->busy = true;
    http_req_read_stream(c->req, &reader, b);
}

/* ---- handlers ---- */

static bool mount(struct sim_call *c, const char *repo, const char *digest, const char *from)
{
    const char *hex = registry_hex(digest);
    struct skl_error err = {0};

    if (hex == NULL || from == NULL || !registry_legal_name(from) || !registry_has(c->sim, "blobs", from, hex) ||
        registry_put(c->sim, "blobs", repo, hex, "", &err) < 0)
        return false;
    answer_blob(c, repo, hex);
    return true;
}

static void handle_begin(struct sim_call *c)
{
    const char *digest = http_req_query(c->req, "digest"), *what = http_req_query(c->req, "mount"), *repo = registry_repo(c);
    struct skl_error err = {0};
    struct session *u;

    if (repo == NULL || (what != NULL && mount(c, repo, what, http_req_query(c->req, "from"))))
        return;
    if (digest != NULL && registry_hex(digest) == NULL) {
        registry_fail(c, 400, "DIGEST_INVALID", "only sha256 digests are supported");
        return;
    }
    u = session_new(c->sim, repo, &err);
    if (u == NULL)
        registry_fail(c, 500, "UNKNOWN", "%s", err.message);
    else if (digest != NULL)
        take_body(c, u, digest);
    else
        answer_session(c, u, 202);
}

/* "100-199": what is sent must go on where the session is. */
static bool goes_on(struct sim_call *c, const struct session *u)
{
    const char *range = http_req_header(c->req, "Content-Range");
    uint64_t from;
    CLEANUP(free_p) char *first = range != NULL ? xstrndup(range, strcspn(range, "-")) : NULL;

    if (range == NULL || (str_to_u64(first, 0, INT64_MAX, &from) && from == u->size))
        return true;
    answer_session(c, u, 416);
    return false;
}

static void handle_patch(struct sim_call *c)
{
    struct session *u = session_find(c);

    if (u != NULL && goes_on(c, u))
        take_body(c, u, NULL);
}

static void handle_put(struct sim_call *c)
{
    const char *digest = http_req_query(c->req, "digest");
    struct session *u = session_find(c);

    if (u == NULL)
        return;
    if (registry_hex(digest) == NULL)
        registry_fail(c, 400, "DIGEST_INVALID", "only sha256 digests are supported");
    else if (goes_on(c, u))
        take_body(c, u, digest);
}

static void handle_status(struct sim_call *c)
{
    struct session *u = session_find(c);

    if (u != NULL)
        answer_session(c, u, 204);
}

static void handle_cancel(struct sim_call *c)
{
    struct session *u = session_find(c);

    if (u == NULL)
        return;
    session_free(u);
    registry_end(c, 204);
}

static void handle_get(struct sim_call *c)
{
    const char *hex = registry_hex(call_param(c, "digest")), *repo = registry_repo(c);
    CLEANUP(free_p) char *path = NULL;

    if (repo == NULL)
        return;
    if (hex == NULL || !registry_has(c->sim, "blobs", repo, hex)) {
        registry_fail(c, 404, "BLOB_UNKNOWN", "blob unknown to registry");
        return;
    }
    path = registry_blob_path(c->sim, hex);
    http_res_header(c->req, "Docker-Content-Digest", "sha256:%s", hex);
    send_file(c, path, "application/octet-stream");
}

static void handle_delete(struct sim_call *c)
{
    const char *hex = registry_hex(call_param(c, "digest")), *repo = registry_repo(c);

    if (repo == NULL)
        return;
    if (hex == NULL || registry_remove(c->sim, "blobs", repo, hex) < 0)
        registry_fail(c, 404, "BLOB_UNKNOWN", "blob unknown to registry");
    else
        registry_end(c, 202);
}

#define UPLOADS "/v2/{name*}/blobs/uploads"
const struct sim_route registry_blob_routes[] = {
    {"POST", UPLOADS, "RegistryBeginUpload", handle_begin, true},
    {"POST", UPLOADS "/", "RegistryBeginUpload", handle_begin, true},
    {"PATCH", UPLOADS "/{uuid}", "RegistryUpload", handle_patch, true},
    {"PUT", UPLOADS "/{uuid}", "RegistryEndUpload", handle_put, true},
    {"GET", UPLOADS "/{uuid}", "RegistryGetUpload", handle_status, true},
    {"DELETE", UPLOADS "/{uuid}", "RegistryCancelUpload", handle_cancel, true},
    {"GET", "/v2/{name*}/blobs/{digest}", "RegistryGetBlob", handle_get, true},
    {"HEAD", "/v2/{name*}/blobs/{digest}", "RegistryHeadBlob", handle_get, true},
    {"DELETE", "/v2/{name*}/blobs/{digest}", "RegistryDeleteBlob", handle_delete, true},
    {NULL, NULL, NULL, NULL, false},
};
