/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_tls_private.h"

#include "channel_attest.h"

#include <errno.h>
#include <stdlib.h>

/* Four full records. */
#define READ_AHEAD (4 * 16709)

struct channel_tls {
    struct channel_context *context;
    SSL *ssl;
    bool client;
    bool wants_write;
    uint64_t unix_s;               /* for the check of the certificate */
    struct channel_cert_peer peer; /* zone: expected first, then proved */
    struct err verify;             /* why the certificate was refused */
};

int channel_tls_error(struct err *err, int code, const char *what)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, code, "%s: %s", what,
            reason != NULL ? reason : "connection lost");
}

/* Instead of OpenSSL's path building: there are no CAs here, only pins. */
int channel_tls_verify(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(
            store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct channel_tls *t = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    unsigned char *der = NULL;
    int rc, len = leaf != NULL ? i2d_X509(leaf, &der) : 0;

    (void)arg;
    if (len <= 0)
        rc = err_set(&t->verify, ERR_SYNTAX, "no certificate");
    else if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) > 1)
        rc = err_set(&t->verify, ERR_DENIED, "more than one certificate");
    else
        rc = channel_cert_check_peer(&t->context->pins, SPAN(der, (size_t)len),
                t->client ? t->peer.zone : NULL, t->unix_s, &t->peer,
                &t->verify);
    OPENSSL_free(der);
    if (rc == 0)
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

struct channel_tls *channel_tls_new(
        struct channel_context *c, int fd, const char *peer, struct err *err)
{
    struct channel_tls *t = calloc(1, sizeof(*t));
    SSL *ssl = t != NULL ? SSL_new(c->ctx) : NULL;

    if (ssl != NULL)
        SSL_set_default_read_buffer_len(ssl, READ_AHEAD);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        free(t);
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    t->ssl = ssl;
    t->context = channel_context_ref(c);
    t->client = peer != NULL;
    if (t->client) {
        (void)memccpy(t->peer.zone, peer, 0, sizeof(t->peer.zone) - 1);
        SSL_set_connect_state(ssl);
    } else {
        SSL_set_accept_state(ssl);
    }
    SSL_set_app_data(ssl, t);
    return t;
}

void channel_tls_free(struct channel_tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    channel_context_unref(t->context);
    free(t);
}

/* The peer closed without a word: OpenSSL 3.0 has two ways to say so. */
static bool is_eof(int e, int saved_errno)
{
    return (e == SSL_ERROR_SYSCALL && saved_errno == 0) ||
           (e == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) ==
                                          SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

/* What a return value of libssl means; errno as it left it. */
static int result(struct channel_tls *t, int n, int saved_errno,
        const char *what, struct err *err)
{
    int e = SSL_get_error(t->ssl, n);

    t->wants_write = e == SSL_ERROR_WANT_WRITE;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return ERR_STATE;
    if (e == SSL_ERROR_ZERO_RETURN || is_eof(e, saved_errno)) {
        ERR_clear_error();
        return err_set(err, ERR_PEER, "%s: closed by the peer%s", what,
                t->peer.expires != 0 ? ""
                                     : " before it proved itself; 'qair zone "
                                       "status' there tells why");
    }
    if (t->verify.code != 0) {
        ERR_clear_error();
        return err_set(err, t->verify.code, "%s", t->verify.msg);
    }
    if (e == SSL_ERROR_SYSCALL && saved_errno != 0) {
        ERR_clear_error();
        return err_set(err,
                saved_errno == ECONNRESET || saved_errno == EPIPE ? ERR_PEER
                                                                  : ERR_IO,
                "%s: %s", what, strerror(saved_errno));
    }
    return channel_tls_error(err, ERR_PEER, what);
}

/* Everything that was asked for, once more as a fact of this connection. */
static int check_connection(struct channel_tls *t, struct err *err)
{
    const unsigned char *name = NULL;
    unsigned int len = 0;

    SSL_get0_alpn_selected(t->ssl, &name, &len);
    if (SSL_version(t->ssl) != TLS1_3_VERSION)
        return err_set(err, ERR_PEER, "not TLS 1.3");
    if (SSL_session_reused(t->ssl))
        return err_set(err, ERR_PEER, "TLS session was resumed");
    if (len != CHANNEL_TLS_ALPN_LEN - 1 ||
            memcmp(name, &CHANNEL_TLS_ALPN[1], len) != 0)
        return err_set(err, ERR_PEER, "peer does not speak qair-att/1");
    if (t->peer.expires == 0)
        return err_set(err, ERR_PEER, "peer has no certificate");
    return 0;
}

int channel_tls_handshake(
        struct channel_tls *t, uint64_t unix_s, struct err *err)
{
    t->unix_s = unix_s;
    ERR_clear_error();
    errno = 0;
    int n = SSL_do_handshake(t->ssl);
    if (n != 1)
        return result(t, n, errno, "TLS handshake", err);
    t->wants_write = false;
    return check_connection(t, err);
}

int channel_tls_read(struct channel_tls *t, uint8_t *ret, size_t cap,
        size_t *ret_len, struct err *err)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_read_ex(t->ssl, ret, cap, ret_len);
    if (n == 1)
        return 0;
    bool wants_write = t->wants_write; /* a write may be waiting, too */
    int rc = result(t, n, errno, "TLS", err);
    t->wants_write = t->wants_write || wants_write;
    return rc;
}

int channel_tls_write(
        struct channel_tls *t, struct span s, size_t *ret_len, struct err *err)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_write_ex(t->ssl, s.ptr, s.len, ret_len);
    if (n == 1) {
        t->wants_write = false;
        return 0;
    }
    return result(t, n, errno, "TLS", err);
}

void channel_tls_read_ahead(struct channel_tls *t)
{
    SSL_set_read_ahead(t->ssl, 1);
}

bool channel_tls_has_pending(const struct channel_tls *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

bool channel_tls_wants_write(const struct channel_tls *t)
{
    return t->wants_write;
}

void channel_tls_shutdown(struct channel_tls *t)
{
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

int channel_tls_rekey(struct channel_tls *t)
{
    ERR_clear_error();
    int n = SSL_key_update(t->ssl, SSL_KEY_UPDATE_REQUESTED);
    ERR_clear_error();
    return n == 1 ? 0 : ERR_CRYPTO;
}

const char *channel_tls_peer(const struct channel_tls *t)
{
    return t->peer.zone;
}

uint64_t channel_tls_peer_expires(const struct channel_tls *t)
{
    return t->peer.expires;
}

const struct crypto_pub *channel_tls_peer_identity(const struct channel_tls *t)
{
    return t->peer.pin != NULL ? t->peer.pin->identity : NULL;
}

void channel_tls_spki(
        const struct channel_tls *t, uint8_t ret[static CRYPTO_SHA384_SIZE])
{
    memcpy(ret, t->context->spki, CRYPTO_SHA384_SIZE);
}

void channel_tls_peer_spki(
        const struct channel_tls *t, uint8_t ret[static CRYPTO_SHA384_SIZE])
{
    memcpy(ret, t->peer.spki, CRYPTO_SHA384_SIZE);
}

int channel_tls_export(
        void *arg, const char *label, struct span context, uint8_t *ret)
{
    struct channel_tls *t = arg;

    ERR_clear_error();
    int n = SSL_export_keying_material(t->ssl, ret, CHANNEL_ATTEST_EKM, label,
            strlen(label), context.ptr, context.len, 1);
    ERR_clear_error();
    return n == 1 ? 0 : ERR_CRYPTO;
}
