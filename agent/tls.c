/*
 * agent/tls.c - see tls.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/error.h"
#include "base/mem.h"

struct tls {
    SSL *ssl;
    SSL_CTX *ctx;
    bool wants_write;
};

/* The certificates of a PEM text. */
static int load_pem(SSL_CTX *ctx, const char *pem, struct skl_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t n = 0;

    for (X509 *x; (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; X509_free(x))
        n += X509_STORE_add_cert(store, x) == 1;
    ERR_clear_error(); /* of the end */
    BIO_free(bio);
    return n > 0 ? 0 : error_set(err, SKL_ERR_INVALID, "the daemon's agent.ca-file holds no certificate");
}

static int load_ca(SSL_CTX *ctx, const char *ca_file, const char *ca_pem, struct skl_error *err)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
    };

    if (ca_file != NULL)
        return SSL_CTX_load_verify_locations(ctx, ca_file, NULL) == 1
                   ? 0
                   : error_set(err, SKL_ERR_INVALID, "SOCKERLESS_CA_FILE: %s can't be used", ca_file);
    if (ca_pem != NULL)
        return load_pem(ctx, ca_pem, err);
    for (size_t i = 0; i < ARRAY_LEN(bundles); i++)
        if (access(bundles[i], R_OK) == 0)
            return SSL_CTX_load_verify_locations(ctx, bundles[i], NULL) == 1
                       ? 0
                       : error_set(err, SKL_ERR_INVALID, "%s can't be used", bundles[i]);
    return error_set(err, SKL_ERR_UNAVAILABLE,
                     "the image has no CA certificates; agent.ca-file of the daemon or SOCKERLESS_CA_FILE can name some");
}

static int set_host(SSL *ssl, const char *host)
{
    unsigned char ip[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

struct tls *tlsc_new(int fd, const char *host, const char *ca_file, const char *ca_pem, struct skl_error *err)
{
    struct tls *t = xcalloc(1, sizeof(*t));

    t->ctx = SSL_CTX_new(TLS_client_method());
    if (t->ctx == NULL || load_ca(t->ctx, ca_file, ca_pem, err) < 0) {
        tlsc_free(t);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    t->ssl = SSL_new(t->ctx);
    if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1 || !set_host(t->ssl, host)) {
        error_set(err, SKL_ERR_INTERNAL, "setting up TLS");
        tlsc_free(t);
        return NULL;
    }
    SSL_set_connect_state(t->ssl);
    return t;
}

void tlsc_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    free(t);
}

int tlsc_handshake(struct tls *t, struct skl_error *err)
{
    int rc = SSL_do_handshake(t->ssl), e;
    long verify;
    char reason[160];

    if (rc == 1)
        return 1;
    e = SSL_get_error(t->ssl, rc);
    t->wants_write = e == SSL_ERROR_WANT_WRITE;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return 0;
    verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK)
        return error_set(err, SKL_ERR_UNAVAILABLE, "TLS: the certificate is not accepted: %s",
                         X509_verify_cert_error_string(verify));
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    ERR_clear_error();
    return error_set(err, SKL_ERR_UNAVAILABLE, "TLS: %s", e == SSL_ERROR_SYSCALL ? "the connection was closed" : reason);
}

static ssize_t result(struct tls *t, int rc)
{
    int e = SSL_get_error(t->ssl, rc), saved = errno;

    ERR_clear_error();
    t->wants_write = e == SSL_ERROR_WANT_WRITE;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (e == SSL_ERROR_ZERO_RETURN)
        return 0;
    return saved != 0 ? -saved : -ECONNRESET;
}

ssize_t tlsc_read(struct tls *t, void *p, size_t n)
{
    int rc;

    errno = 0;
    rc = SSL_read(t->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
    return rc > 0 ? rc : result(t, rc);
}

ssize_t tlsc_write(struct tls *t, const void *p, size_t n)
{
    int rc;
    ssize_t r;

    errno = 0;
    rc = SSL_write(t->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
    if (rc > 0)
        return rc;
    r = result(t, rc);
    return r == 0 ? -EPIPE : r;
}

bool tlsc_wants_write(const struct tls *t)
{
    return t != NULL && t->wants_write;
}
