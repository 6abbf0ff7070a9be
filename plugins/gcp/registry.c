/*
 * gcp/registry.c - see registry.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/registry.h"
#include "gcp/str.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT (300 * GCP_SECOND)

bool gcp_digest_valid(const char *text)
{
    return gcp_has_prefix(text, "sha256:") && strlen(text) == 71 &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

void gcp_digest(const void *p, size_t n, char out[GCP_DIGEST_MAX])
{
    unsigned char md[EVP_MAX_MD_SIZE] = {0};
    unsigned len = 0;

    (void)EVP_Digest(p, n, md, &len, EVP_sha256(), NULL);
    memcpy(out, "sha256:", 8);
    for (unsigned i = 0; i < 32; i++)
        (void)snprintf(out + 7 + 2 * i, 3, "%02x", md[i]);
}

/* ---- references ---- */

/* The first component is a host when it looks like one: a dot, a port, or "localhost". */
static size_t host_length(const char *text)
{
    size_t n = strcspn(text, "/");

    if (!text[n])
        return 0;
    if (memchr(text, '.', n) || memchr(text, ':', n) || (n == 9 && !strncmp(text, "localhost", 9)))
        return n;
    return 0;
}

static bool copy(char *out, size_t size, const char *p, size_t n)
{
    if (!n || n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

static bool is_repo(const char *repo)
{
    char last = '/';

    for (const char *p = repo; *p; last = *p++) {
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && !strchr("._-/", *p))
            return false;
        if (last == '/' && !isalnum((unsigned char)*p)) /* each component begins with a letter or digit */
            return false;
    }
    return last != '/' && !strstr(repo, "..");
}

static bool is_tag(const char *tag)
{
    for (const char *p = tag; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return false;
    return *tag != '.' && *tag != '-';
}

static bool parse_version(struct gcp_ref *ref, const char *p)
{
    const char *at = strchr(p, '@'), *colon;
    size_t n = at ? (size_t)(at - p) : strlen(p);

    if (at && (!gcp_digest_valid(at + 1) || !copy(ref->digest, sizeof(ref->digest), at + 1, strlen(at + 1))))
        return false;
    colon = memchr(p, ':', n);
    if (colon &&
        (!copy(ref->tag, sizeof(ref->tag), colon + 1, (size_t)(p + n - colon - 1)) || !is_tag(ref->tag)))
        return false;
    n = colon ? (size_t)(colon - p) : n;
    if (!copy(ref->repo + strlen(ref->repo), sizeof(ref->repo) - strlen(ref->repo), p, n))
        return false;
    if (!*ref->tag && !*ref->digest)
        (void)copy(ref->tag, sizeof(ref->tag), "latest", 6);
    if (*ref->digest)
        ref->tag[0] = '\0';
    return is_repo(ref->repo);
}

int gcp_ref_parse(struct gcp_ref *ref, const char *text, struct skl_error *err)
{
    size_t n = host_length(text);
    const char *rest = n ? text + n + 1 : text;

    memset(ref, 0, sizeof(*ref));
    if (n && !copy(ref->host, sizeof(ref->host), text, n))
        return gcp_error(err, SKL_ERR_INVALID, "\"%.200s\" is not an image reference", text);
    if (!n || !strcmp(ref->host, "index.docker.io"))
        (void)copy(ref->host, sizeof(ref->host), "docker.io", 9);
    if (!strcmp(ref->host, "docker.io") && !strchr(rest, '/'))
        (void)copy(ref->repo, sizeof(ref->repo), "library/", 8);
    if (!parse_version(ref, rest))
        return gcp_error(err, SKL_ERR_INVALID, "\"%.200s\" is not an image reference", text);
    return 0;
}

const char *gcp_ref_version(const struct gcp_ref *ref)
{
    return *ref->digest ? ref->digest : ref->tag;
}

/* ---- requests ---- */

static struct gcp_call *send_to(struct gcp_client *c, const struct gcp_registry_request *r, const char *url,
                                bool auth, gcp_reply_fn fn, void *arg)
{
    struct skl_http_header headers[] = {{r->accept ? "Accept" : NULL, r->accept}, {NULL, NULL}};
    struct gcp_request req = {.method = r->method, .url = url, .body = r->body, .body_len = r->body_len};

    req.content_type = r->content_type;
    req.headers = headers;
    req.what = r->what;
    req.policy = GCP_WRITE; /* content-addressed: any of these may be repeated */
    req.max_response = r->max_response;
    req.deadline = c->host->now_mono(c->host->ctx) + CALL_TIMEOUT;
    req.attempt_timeout = CALL_TIMEOUT;
    req.no_auth = !auth;
    return gcp_call_start(c, &req, fn, arg);
}

struct gcp_call *gcp_registry_call(struct gcp_client *c, const struct gcp_registry_request *r,
                                   gcp_reply_fn fn, void *arg)
{
    char *url = c->endpoint ? gcp_format("%s/v2/%s", c->endpoint, r->path)
                            : gcp_format("https://%s/v2/%s", r->host, r->path);
    struct gcp_call *call = url ? send_to(c, r, url, true, fn, arg) : NULL;

    free(url);
    return call;
}

/* "scheme://host" of the registry. */
static char *registry_base(const struct gcp_client *c, const char *host)
{
    const char *start = c->endpoint ? strstr(c->endpoint, "://") : NULL;

    if (!start)
        return gcp_format("https://%s", host);
    return gcp_format("%.*s", (int)(start + 3 - c->endpoint + (ptrdiff_t)strcspn(start + 3, "/")),
                      c->endpoint);
}

struct gcp_call *gcp_registry_follow(struct gcp_client *c, const struct gcp_registry_request *r,
                                     const char *location, gcp_reply_fn fn, void *arg)
{
    char *base = registry_base(c, r->host), *url = NULL;
    struct gcp_call *call = NULL;
    bool own;

    if (base && *location == '/') {
        url = gcp_format("%s%s", base, location);
        own = true;
    } else {
        url = base ? strdup(location) : NULL;
        own = url && gcp_has_prefix(url, base) && strchr("/?", url[strlen(base)]);
    }
    if (url)
        call = send_to(c, r, url, own, fn, arg);
    free(base);
    free(url);
    return call;
}
