/*
 * loop/http_call.c - one exchange: from a spec to a curl handle, curl's callbacks, and the result.
 *
 * Two things curl does by itself must not happen here:
 *  - It repeats a request when a kept-alive connection turns out to be dead. The pre-request callback runs before
 *    each attempt, and for a request that is not idempotent the second attempt is refused.
 *  - It follows the environment's proxy for loopback, or an Expect: 100-continue of its own.
 *
 * `request_sent` becomes true in that same pre-request callback, when a connection stands and the first byte is
 * about to go: a request that failed with request_sent false certainly never reached the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_internal.h"

#define MAX_BODY_DEFAULT ((size_t)4 * 1024 * 1024)
#define MAX_HEAD ((size_t)256 * 1024)
#define CONNECT_TIMEOUT_DEFAULT (10 * NS_PER_S)
#define KEEPALIVE_IDLE_S 60L
#define USER_AGENT "User-Agent: sockerless/" PACKAGE_VERSION

/* ---- curl's callbacks, in the order in which they come ---- */

static int on_before_request(void *arg, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
    struct http_call *call = arg;

    (void)peer_ip;
    (void)local_ip;
    (void)peer_port;
    (void)local_port;
    if (call->attempts++ > 0 && !call->spec.idempotent) {
        call->refused_replay = true;
        return CURL_PREREQFUNC_ABORT;
    }
    return CURL_PREREQFUNC_OK;
}

static size_t on_read_body(char *p, size_t size, size_t n, void *arg)
{
    struct http_call *call = arg;
    ssize_t got;

    if (call->canceled)
        return CURL_READFUNC_ABORT;
    got = call->spec.read_body(call->spec.arg, p, size * n);
    if (got == HTTP_CALL_PAUSE)
        return CURL_READFUNC_PAUSE;
    if (got < 0 || (size_t)got > size * n)
        return CURL_READFUNC_ABORT;
    if (got == 0)
        call->source_ended = true;
    return (size_t)got;
}

static void note_sent(struct http_call *call)
{
    bool all = call->sent_goal >= 0 ? call->sent_bytes >= call->sent_goal : call->source_ended;

    if (call->sent || !all || call->canceled)
        return;
    call->sent = true;
    call->spec.on_sent(call->spec.arg);
}

/* Set only when the caller wants on_sent. Nothing of what passes here is kept or logged. */
static int on_debug(CURL *easy, curl_infotype type, char *data, size_t n, void *arg)
{
    struct http_call *call = arg;

    (void)easy;
    (void)data;
    if (type == CURLINFO_DATA_OUT)
        call->sent_bytes += (int64_t)n;
    if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT)
        note_sent(call);
    return 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct http_call *call = arg;
    long status = 0;
    size_t len = size * n;

    if (call->canceled)
        return 0;
    call->head_bytes += len;
    if (call->head_bytes > MAX_HEAD) {
        call->head_too_large = true;
        return 0;
    }
    if (len != 2 || memcmp(p, "\r\n", 2) != 0)
        return len;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || call->head_done)
        return len; /* an interim response; or trailers */
    call->head_done = true;
    call->status = (int)status;
    if (call->spec.on_head != NULL)
        call->spec.on_head(call->spec.arg, call, call->status);
    return len;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct http_call *call = arg;
    size_t len = size * n, room;

    if (call->canceled)
        return 0;
    if (call->spec.on_data != NULL)
        return call->spec.on_data(call->spec.arg, p, len) ? len : CURL_WRITEFUNC_PAUSE;
    room = call->response_body.max - call->response_body.len;
    buf_append(&call->response_body, p, len < room ? len : room);
    call->truncated = len > room;
    return call->truncated ? 0 : len;
}

/* ---- the result ---- */

static int error_kind(CURLcode r)
{
    switch (r) {
    case CURLE_OPERATION_TIMEDOUT:
        return SKL_ERR_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return SKL_ERR_UNAVAILABLE;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
        return SKL_ERR_BAD_GATEWAY;
    default:
        return SKL_ERR_INTERNAL;
    }
}

/* Fills err and returns true when the exchange failed. */
static bool result_error(struct http_call *call, CURLcode r, struct skl_error *err)
{
    const char *text = call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(r);

    if (call->canceled) {
        error_set(err, SKL_ERR_CANCELED, "%s: canceled", call->name);
    } else if (call->refused_replay) {
        error_set(err, SKL_ERR_UNAVAILABLE, "%s: the server closed the connection before it answered", call->name);
    } else if (call->head_too_large) {
        error_set(err, SKL_ERR_BAD_GATEWAY, "%s: response headers of more than %zu bytes", call->name, MAX_HEAD);
    } else if (r != CURLE_OK && !call->truncated) {
        error_set(err, error_kind(r), "%s: %s", call->name, text);
        err->detail = (int32_t)r;
    } else {
        return false;
    }
    return true;
}

void http_call_complete(struct http_call *call, CURLcode r)
{
    struct skl_error err = {0};
    struct http_result res = {
        .status = call->status,
        .request_sent = call->attempts > 0,
        .truncated = call->truncated,
    };

    res.error = result_error(call, r, &err) ? &err : NULL;
    res.body = buf_str(&call->response_body);
    res.body_len = call->response_body.len;
    soon_cancel(&call->soon);
    if (call->spec.on_done != NULL)
        call->spec.on_done(call->spec.arg, &res);
    http_call_free(call);
}

void http_call_free(struct http_call *call)
{
    list_remove(&call->link);
    soon_cancel(&call->soon);
    if (call->added)
        curl_multi_remove_handle(call->client->multi, call->easy);
    if (call->easy != NULL)
        curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    mem_wipe(call->request_body.data, call->request_body.len);
    buf_fini(&call->request_body);
    buf_fini(&call->response_body);
    free(call->name);
    free(call->method);
    free(call);
}

const char *http_call_header(const struct http_call *call, const char *name)
{
    struct curl_header *h = NULL;

    if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->value;
}

const void *http_call_next_header(const struct http_call *call, const void *prev, const char **ret_name,
                                  const char **ret_value)
{
    struct curl_header *h =
        curl_easy_nextheader(call->easy, CURLH_HEADER, -1, (struct curl_header *)(uintptr_t)prev);

    if (h == NULL)
        return NULL;
    *ret_name = h->name;
    *ret_value = h->value;
    return h;
}

/* ---- from spec to handle ---- */

static bool is_token(const char *s)
{
    return !str_empty(s) && s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")] == '\0';
}

/* The URL without user, query and fragment. NULL when it is not an http or https URL. */
static char *url_name(const char *url)
{
    static const CURLUPart drop[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY,
                                     CURLUPART_FRAGMENT};
    CURLU *u = curl_url();
    char *whole = NULL, *ret = NULL;

    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        for (size_t i = 0; i < ARRAY_LEN(drop); i++)
            curl_url_set(u, drop[i], NULL, 0);
        if (curl_url_get(u, CURLUPART_URL, &whole, 0) == CURLUE_OK &&
            (str_starts(whole, "http://") || str_starts(whole, "https://")))
            ret = xstrdup(whole);
    }
    curl_free(whole);
    curl_url_cleanup(u);
    return ret;
}

static void add_header(struct http_call *call, const char *line)
{
    struct curl_slist *list = curl_slist_append(call->headers, line);

    if (list == NULL)
        abort();
    call->headers = list;
}

static int add_headers(struct http_call *call, const char *const *headers, struct skl_error *err)
{
    bool agent = false, type = false;

    for (; headers != NULL && *headers != NULL; headers++) {
        const char *colon = strchr(*headers, ':');

        if (colon == NULL || colon == *headers || strpbrk(*headers, "\r\n") != NULL)
            return error_set(err, SKL_ERR_INVALID, "malformed header for %s", call->name);
        agent = agent || strncasecmp(*headers, "user-agent:", 11) == 0;
        type = type || strncasecmp(*headers, "content-type:", 13) == 0;
        /* curl reads "Name:" as "leave it out", and takes "Name;" for an empty value. */
        if (colon[1 + strspn(colon + 1, " ")] == '\0') {
            CLEANUP(free_p) char *empty = xasprintf("%.*s;", (int)(colon - *headers), *headers);
            add_header(call, empty);
        } else {
            add_header(call, *headers);
        }
    }
    add_header(call, "Expect:");
    if (!agent)
        add_header(call, USER_AGENT);
    if (!type)
        add_header(call, "Content-Type:");
    return 0;
}

static bool takes_body(const char *method)
{
    return str_eq(method, "POST") || str_eq(method, "PUT") || str_eq(method, "PATCH");
}

static void set_method(struct http_call *call, const struct http_call_spec *spec)
{
    CURL *e = call->easy;

    if (spec->read_body != NULL) {
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read_body);
        curl_easy_setopt(e, CURLOPT_READDATA, call);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(spec->body_total < 0 ? -1 : spec->body_total));
        call->sent_goal = spec->body_total < 0 ? -1 : spec->body_total;
    } else if (spec->body != NULL || takes_body(call->method)) {
        buf_init(&call->request_body, spec->body_len);
        buf_append(&call->request_body, spec->body, spec->body_len);
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, buf_str(&call->request_body));
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len);
        call->sent_goal = (int64_t)spec->body_len;
    } else if (str_eq(call->method, "HEAD")) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_connection(struct http_call *call, const struct http_call_spec *spec)
{
    CURL *e = call->easy;
    int64_t connect_ns = spec->connect_timeout_ns > 0 ? spec->connect_timeout_ns : CONNECT_TIMEOUT_DEFAULT;

    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROXY, spec->unix_socket != NULL ? "*" : call->client->no_proxy);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_IDLE_S);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)((connect_ns + NS_PER_MS - 1) / NS_PER_MS));
    if (spec->timeout_ns > 0)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)((spec->timeout_ns + NS_PER_MS - 1) / NS_PER_MS));
    if (spec->fresh_connection) {
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    if (spec->unix_socket != NULL)
        curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, spec->unix_socket);
    if (spec->ca_file != NULL)
        curl_easy_setopt(e, CURLOPT_CAINFO, spec->ca_file);
    if (spec->insecure_tls) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_callbacks(struct http_call *call)
{
    CURL *e = call->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, call);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error_text);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_before_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
    if (call->spec.on_sent != NULL) {
        curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
        curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_debug);
        curl_easy_setopt(e, CURLOPT_DEBUGDATA, call);
    }
}

static int call_set_up(struct http_call *call, const struct http_call_spec *spec, struct skl_error *err)
{
    CLEANUP(free_p) char *url = NULL;

    if (!is_token(spec->method))
        return error_set(err, SKL_ERR_INVALID, "malformed HTTP method");
    url = spec->url != NULL ? url_name(spec->url) : NULL;
    if (url == NULL)
        return error_set(err, SKL_ERR_INVALID, "not an http:// or https:// URL");
    call->method = xstrdup(spec->method);
    call->name = xasprintf("%s %s", spec->method, url);
    if (add_headers(call, spec->headers, err) < 0)
        return -1;
    call->easy = curl_easy_init();
    if (call->easy == NULL)
        return error_set(err, SKL_ERR_INTERNAL, "curl_easy_init failed");
    if (curl_easy_setopt(call->easy, CURLOPT_URL, spec->url) != CURLE_OK ||
        curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK)
        return error_set(err, SKL_ERR_INVALID, "%s: URL refused", call->name);
    set_method(call, spec);
    set_connection(call, spec);
    set_callbacks(call);
    return 0;
}

struct http_call *http_call_new(struct http_client *c, const struct http_call_spec *spec, struct skl_error *err)
{
    struct http_call *call = xcalloc(1, sizeof(*call));

    call->client = c;
    call->spec = *spec;
    list_init(&call->link);
    soon_init(&call->soon, NULL, NULL);
    buf_init(&call->response_body, spec->max_body != 0 ? spec->max_body : MAX_BODY_DEFAULT);
    if (call_set_up(call, spec, err) < 0) {
        http_call_free(call);
        return NULL;
    }
    return call;
}
