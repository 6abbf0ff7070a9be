/*
 * http/tls.c - TLS: contexts with dockerd's meaning of its flags, and the byte functions of a connection.
 *
 * OpenSSL reads and writes the socket itself (non-blocking). A handshake runs inside the first read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "base/error.h"
#include "http/http-internal.h"
#include "http/tls.h"

static int tls_error(struct skl_error *err, const char *what, const char *file)
{
    char reason[200] = "unknown error";
    unsigned long e = ERR_peek_last_error();

    if (e != 0)
        ERR_error_string_n(e, reason, sizeof(reason));
    ERR_clear_error();
    return error_set(err, SKL_ERR_INVALID, "%s %s: %s", what, file, reason);
}

static int ctx_fill(SSL_CTX *ctx, const char *cert_file, const char *key_file, const char *ca_file, bool verify,
                    struct skl_error *err)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return tls_error(err, "TLS certificate", cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return tls_error(err, "TLS key", key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_error(err, "TLS key does not belong to the certificate:", key_file);
    if (!verify)
        return 0;
    if (ca_file == NULL)
        return error_set(err, SKL_ERR_INVALID, "TLS verification of clients needs a CA file");
    if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
        return tls_error(err, "TLS CA", ca_file);
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(ca_file));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

struct ssl_ctx_st *tls_server_ctx_new(const char *cert_file, const char *key_file, const char *ca_file, bool verify,
                                      struct skl_error *err)
{
    SSL_CTX *ctx;

    if (cert_file == NULL || key_file == NULL) {
        error_set(err, SKL_ERR_INVALID, "TLS needs a certificate and a key");
        return NULL;
    }
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || ctx_fill(ctx, cert_file, key_file, ca_file, verify, err) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

struct ssl_ctx_st *tls_ctx_ref(struct ssl_ctx_st *ctx)
{
    if (ctx != NULL)
        SSL_CTX_up_ref(ctx);
    return ctx;
}

void tls_ctx_free(struct ssl_ctx_st *ctx)
{
    SSL_CTX_free(ctx);
}

struct ssl_st *tls_conn_new(struct ssl_ctx_st *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}

void tls_conn_free(struct ssl_st *ssl)
{
    SSL_free(ssl);
}

static ssize_t tls_result(struct http_conn *c, int rc)
{
    int e = SSL_get_error(c->ssl, rc);
    int saved = errno;

    ERR_clear_error();
    switch (e) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        c->blocked = true; /* the write event makes a turn, which reads again */
        event_add(&c->ev_out, NULL);
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return saved != 0 ? -saved : -ECONNRESET;
    default:
        return -EPROTO;
    }
}

ssize_t tls_read(struct http_conn *c, void *p, size_t n)
{
    int rc;

    errno = 0;
    rc = SSL_read(c->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
    return rc > 0 ? rc : tls_result(c, rc);
}

ssize_t tls_write(struct http_conn *c, const void *p, size_t n)
{
    int rc;
    ssize_t r;

    if (n == 0)
        return 0;
    errno = 0;
    rc = SSL_write(c->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
    if (rc > 0)
        return rc;
    r = tls_result(c, rc);
    return r == 0 ? -EPIPE : r;
}

void tls_fin(struct http_conn *c)
{
    if (SSL_is_init_finished(c->ssl))
        (void)SSL_shutdown(c->ssl);
    ERR_clear_error();
}

bool tls_has_input(const struct http_conn *c)
{
    return c->ssl != NULL && SSL_has_pending(c->ssl) == 1;
}
