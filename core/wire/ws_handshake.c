/*
 * wire/ws_handshake.c - the HTTP exchange that opens a WebSocket (RFC 6455 4), both ends.
 *
 * The client's side reads the response head itself: it is the only HTTP/1.1 the agent has to read as a client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/ws.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define REFUSAL_TEXT_MAX 600

static void base64_into(const void *p, size_t n, char *out, size_t out_size)
{
    struct buf b;

    buf_init(&b, out_size);
    base64_encode(&b, p, n, false, true);
    snprintf(out, out_size, "%s", buf_str(&b));
    buf_fini(&b);
}

void ws_key_new(char out[WS_KEY_SIZE])
{
    uint8_t raw[16];

    random_bytes(raw, sizeof(raw));
    base64_into(raw, sizeof(raw), out, WS_KEY_SIZE);
}

void ws_accept(const char *key, char out[WS_ACCEPT_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[128];

    snprintf(text, sizeof(text), "%.64s" WS_GUID, key);
    if (EVP_Digest(text, strlen(text), digest, &n, EVP_sha1(), NULL) != 1 || n != 20)
        abort();
    base64_into(digest, n, out, WS_ACCEPT_SIZE);
}

/* Whether a comma-separated list of tokens holds one, in any case. */
static bool list_has(const char *list, const char *token)
{
    size_t want = strlen(token);

    while (list != NULL && *list != '\0') {
        size_t n;
        list += strspn(list, " \t,");
        n = strcspn(list, " \t,");
        if (n == want && strncasecmp(list, token, n) == 0)
            return true;
        list += n;
    }
    return false;
}

static bool key_valid(const char *key)
{
    struct buf raw;
    bool ok;

    if (key == NULL || strlen(key) != WS_KEY_SIZE - 1)
        return false;
    buf_init(&raw, 32);
    ok = base64_decode(&raw, key, strlen(key)) == 0 && raw.len == 16;
    buf_fini(&raw);
    return ok;
}

static int refuse(struct skl_error *err, int status, const char *why)
{
    error_set(err, SKL_ERR_INVALID, "not a WebSocket handshake: %s", why);
    return status;
}

int ws_server_check(const char *method, const char *connection, const char *upgrade, const char *version,
                    const char *key, struct skl_error *err)
{
    if (!str_eq(method, "GET"))
        return refuse(err, 400, "the method is not GET");
    if (!list_has(upgrade, "websocket") || !list_has(connection, "upgrade"))
        return refuse(err, 400, "no \"Upgrade: websocket\" with \"Connection: upgrade\"");
    if (!str_eq(version, "13"))
        return refuse(err, 426, "Sec-WebSocket-Version is not 13");
    if (!key_valid(key))
        return refuse(err, 400, "Sec-WebSocket-Key is missing or malformed");
    return 0;
}

int ws_client_request(struct buf *out, const char *host, const char *target, const char *key,
                      const char *const *headers)
{
    buf_printf(out, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", target, host);
    buf_printf(out, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key);
    for (; headers != NULL && *headers != NULL; headers++)
        buf_printf(out, "%s\r\n", *headers);
    return buf_puts(out, "\r\n");
}

/* ---- the client's view of the response ---- */

struct response {
    int status;
    char upgrade[32];
    char connection[64];
    char accept[WS_ACCEPT_SIZE + 4];
    bool extension;      /* one was "agreed" although none was offered */
};

static bool parse_status_line(const char *line, size_t n, int *ret)
{
    if (n < 12 || strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return false;
    *ret = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        *ret = *ret * 10 + (line[i] - '0');
    }
    return *ret >= 100 && (n == 12 || line[12] == ' ');
}

static void copy_value(char *out, size_t size, const char *value, size_t n)
{
    /* A repeated header makes a value that can't match. */
    snprintf(out + strlen(out), size - strlen(out), "%s%.*s", out[0] != '\0' ? "," : "", (int)n, value);
}

static bool parse_field(const char *line, size_t n, struct response *r)
{
    const char *colon = memchr(line, ':', n);
    size_t name, len;
    const char *value;

    if (colon == NULL || colon == line || memchr(line, '\0', n) != NULL)
        return false;
    name = (size_t)(colon - line);
    value = colon + 1;
    len = n - name - 1;
    while (len > 0 && (*value == ' ' || *value == '\t'))
        value++, len--;
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    if (name == 7 && strncasecmp(line, "upgrade", name) == 0)
        copy_value(r->upgrade, sizeof(r->upgrade), value, len);
    else if (name == 10 && strncasecmp(line, "connection", name) == 0)
        copy_value(r->connection, sizeof(r->connection), value, len);
    else if (name == 20 && strncasecmp(line, "sec-websocket-accept", name) == 0)
        copy_value(r->accept, sizeof(r->accept), value, len);
    else if (name == 24 && strncasecmp(line, "sec-websocket-extensions", name) == 0)
        r->extension = true;
    return true;
}

static bool parse_head(const char *p, size_t n, struct response *r)
{
    const char *end = p + n;
    bool first = true;

    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        size_t len;
        if (eol == NULL)
            return false;
        len = (size_t)(eol - p);
        if (len > 0 && p[len - 1] == '\r')
            len--;
        if (first ? !parse_status_line(p, len, &r->status) : len > 0 && !parse_field(p, len, r))
            return false;
        first = false;
        p = eol + 1;
    }
    return !first;
}

/* The length of the head with its empty line, or 0 when that has not arrived. */
static size_t head_length(const char *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (p[i] != '\n')
            continue;
        if (p[i + 1] == '\n')
            return i + 2;
        if (p[i + 1] == '\r' && i + 2 < n && p[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

static int refused(const struct response *r, const char *body, size_t n, struct skl_error *err)
{
    char text[REFUSAL_TEXT_MAX + 1];
    size_t len = 0;

    for (size_t i = 0; i < n && len < REFUSAL_TEXT_MAX; i++)
        text[len++] = (unsigned char)body[i] < 0x20 ? ' ' : body[i];
    text[len] = '\0';
    error_set(err, SKL_ERR_BAD_GATEWAY, "HTTP status %d instead of 101%s%s", r->status, len > 0 ? ": " : "",
              str_trim(text));
    if (err != NULL)
        err->detail = r->status;
    return -1;
}

ssize_t ws_client_response(const char *p, size_t n, const char *key, int *ret_status, struct skl_error *err)
{
    struct response r = {0};
    char want[WS_ACCEPT_SIZE];
    size_t head = head_length(p, n);

    *ret_status = 0;
    if (n > 0 && strncmp(p, "HTTP/", n < 5 ? n : 5) != 0)
        return error_set(err, SKL_ERR_BAD_GATEWAY, "the answer is not HTTP");
    if (head == 0) {
        if (n >= WS_HANDSHAKE_MAX)
            return error_set(err, SKL_ERR_BAD_GATEWAY, "the head of the answer is too long");
        return 0;
    }
    if (!parse_head(p, head, &r))
        return error_set(err, SKL_ERR_BAD_GATEWAY, "the head of the answer is malformed");
    *ret_status = r.status;
    if (r.status != 101)
        return refused(&r, p + head, n - head, err);
    ws_accept(key, want);
    if (!list_has(r.upgrade, "websocket") || !list_has(r.connection, "upgrade"))
        return error_set(err, SKL_ERR_BAD_GATEWAY, "the answer does not upgrade to a WebSocket");
    if (!str_eq(r.accept, want))
        return error_set(err, SKL_ERR_BAD_GATEWAY, "Sec-WebSocket-Accept does not match");
    if (r.extension)
        return error_set(err, SKL_ERR_BAD_GATEWAY, "an extension nobody offered");
    return (ssize_t)head;
}
