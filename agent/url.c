/*
 * agent/url.c - see url.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/url.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

static int bad(struct skl_error *err, const char *text, const char *why)
{
    /* Credentials in it must not reach an error. */
    const char *at = strrchr(text, '@');

    return error_set(err, SKL_ERR_INVALID, "the URL \"%s\" %s", at != NULL ? at + 1 : text, why);
}

static const char *scheme(struct url *u, const char *text)
{
    static const struct {
        const char *prefix;
        bool secure;
    } schemes[] = {{"ws://", false}, {"wss://", true}, {"http://", false}, {"https://", true}};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(text, schemes[i].prefix)) {
            u->secure = schemes[i].secure;
            return text + strlen(schemes[i].prefix);
        }
    return NULL;
}

static bool copy(char *out, size_t size, const char *p, size_t n)
{
    if (n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

static bool take_host(struct url *u, const char *p, size_t n)
{
    const char *colon;
    uint64_t port;

    if (n > 0 && p[0] == '[') {
        const char *end = memchr(p, ']', n);
        if (end == NULL || !copy(u->host, sizeof(u->host), p + 1, (size_t)(end - p) - 1))
            return false;
        n -= (size_t)(end + 1 - p);
        p = end + 1;
        colon = n > 0 && *p == ':' ? p : NULL;
    } else {
        colon = memchr(p, ':', n);
        if (!copy(u->host, sizeof(u->host), p, colon != NULL ? (size_t)(colon - p) : n))
            return false;
    }
    u->port = u->secure ? 443 : 80;
    if (colon != NULL) {
        char text[8];
        if (!copy(text, sizeof(text), colon + 1, (size_t)(p + n - colon) - 1) || !str_to_u64(text, 1, 65535, &port))
            return false;
        u->port = (uint16_t)port;
    }
    return u->host[0] != '\0';
}

static bool take_userinfo(struct url *u, const char *p, size_t n)
{
    struct buf b;
    bool ok;

    buf_init(&b, sizeof(u->userinfo) - 1);
    ok = url_decode(&b, p, n, false) == 0 && copy(u->userinfo, sizeof(u->userinfo), buf_str(&b), b.len);
    buf_fini(&b);
    return ok;
}

int url_parse(struct url *u, const char *text, struct skl_error *err)
{
    const char *p, *at;
    size_t n, path;

    memset(u, 0, sizeof(*u));
    p = scheme(u, text);
    if (p == NULL)
        return bad(err, text, "begins with none of ws, wss, http, https");
    n = strcspn(p, "/?#");
    at = memchr(p, '@', n);
    if (at != NULL) {
        if (!take_userinfo(u, p, (size_t)(at - p)))
            return bad(err, text, "has malformed credentials");
        n -= (size_t)(at + 1 - p);
        p = at + 1;
    }
    if (!take_host(u, p, n))
        return bad(err, text, "has no proper host");
    snprintf(u->host_header, sizeof(u->host_header), "%.*s", (int)n, p);
    p += n;
    path = strcspn(p, "?#");
    if (p[path] != '\0' || strpbrk(p, " \r\n") != NULL)
        return bad(err, text, "has a query or white space");
    while (path > 0 && p[path - 1] == '/')
        path--;
    return copy(u->path, sizeof(u->path), p, path) ? 0 : bad(err, text, "has too long a path");
}

/* ---- proxies ---- */

static const char *env_either(const char *upper, const char *lower)
{
    const char *v = getenv(lower);

    return str_empty(v) ? getenv(upper) : v;
}

static bool host_matches(const char *host, const char *rule)
{
    size_t n = strlen(host), m;

    if (str_eq(rule, "*"))
        return true;
    if (rule[0] == '.')
        rule++;
    m = strlen(rule);
    return m > 0 && n >= m && str_ieq(host + n - m, rule) && (n == m || host[n - m - 1] == '.');
}

static bool is_excepted(const char *host)
{
    CLEANUP(free_p) char *list = xstrdup(env_either("NO_PROXY", "no_proxy"));
    char *save = NULL;

    if (str_ieq(host, "localhost") || str_starts(host, "127.") || str_eq(host, "::1"))
        return true;
    if (list == NULL)
        return false;
    for (char *rule = strtok_r(list, ", ", &save); rule != NULL; rule = strtok_r(NULL, ", ", &save))
        if (host_matches(host, rule))
            return true;
    return false;
}

bool url_proxy_for(const struct url *u, struct url *ret_proxy)
{
    const char *v = u->secure ? env_either("HTTPS_PROXY", "https_proxy") : env_either("HTTP_PROXY", "http_proxy");

    if (str_empty(v))
        v = env_either("ALL_PROXY", "all_proxy");
    if (str_empty(v) || is_excepted(u->host))
        return false;
    return url_parse(ret_proxy, v, NULL) == 0 && !ret_proxy->secure;
}

char *url_basic_auth(const struct url *u)
{
    struct buf b;
    char *out;

    if (u->userinfo[0] == '\0')
        return xstrdup("");
    buf_init(&b, 1024);
    base64_encode(&b, u->userinfo, strlen(u->userinfo), false, true);
    out = xasprintf("Proxy-Authorization: Basic %s\r\n", buf_str(&b));
    buf_fini(&b);
    return out;
}
