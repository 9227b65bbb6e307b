/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_tls_private.h"

#include <stdlib.h>

/* One small certificate; OpenSSL's default would take 100 kB unasked. */
#define PEER_CERT_LIST_MAX 8192

static const unsigned char alpn[CHANNEL_TLS_ALPN_LEN] = CHANNEL_TLS_ALPN;

static int alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *outlen,
        const unsigned char *in, unsigned int inlen, void *arg)
{
    (void)ssl;
    (void)arg;
    /* One protocol, alone: nothing to negotiate, nothing to downgrade. */
    if (inlen != CHANNEL_TLS_ALPN_LEN ||
            memcmp(in, alpn, CHANNEL_TLS_ALPN_LEN) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = alpn + 1;
    *outlen = CHANNEL_TLS_ALPN_LEN - 1;
    return SSL_TLSEXT_ERR_OK;
}

static int setup_ssl(SSL_CTX *s)
{
    SSL_CTX_set_options(s, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(
            s, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(s, channel_tls_verify, NULL);
    SSL_CTX_set_max_cert_list(s, PEER_CERT_LIST_MAX);
    SSL_CTX_set_mode(s, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(s, alpn_cb, NULL);
    return SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(s, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(s, 0) == 1 &&
           SSL_CTX_set_max_early_data(s, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(s, 0) == 1 &&
           SSL_CTX_set_ciphersuites(s, "TLS_AES_256_GCM_SHA384:"
                                       "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(s, "X25519:P-256") == 1 &&
           SSL_CTX_set1_sigalgs_list(s, "ed25519:ECDSA+SHA256") == 1 &&
           SSL_CTX_set_alpn_protos(s, alpn, sizeof(alpn)) == 0;
}

static int take_cert(struct channel_context *c, const struct channel_conf *conf,
        uint64_t unix_s, struct err *err)
{
    const struct crypto_pub *own = crypto_key_pub(conf->key);
    CLEANUP(crypto_cert_free_ptr)
    struct crypto_cert *cert = crypto_cert_from_der(conf->cert);

    if (cert == NULL)
        return err_set(err, ERR_SYNTAX, "own channel certificate is malformed");
    int rc = channel_cert_check_own(
            &c->pins, cert, own, unix_s, &c->expires, err);
    if (rc != 0)
        return rc;
    rc = channel_cert_spki(own, c->spki);
    if (rc != 0)
        return err_set(err, rc, "own channel key");
    if (SSL_CTX_use_certificate(c->ctx, crypto_cert_native(cert)) != 1 ||
            SSL_CTX_use_PrivateKey(c->ctx, crypto_key_native(conf->key)) != 1 ||
            SSL_CTX_check_private_key(c->ctx) != 1)
        return channel_tls_error(err, ERR_CRYPTO, "own channel certificate");
    return 0;
}

struct channel_context *channel_context_new(
        const struct channel_conf *conf, uint64_t unix_s, struct err *err)
{
    struct channel_context *c;

    if (!text_is_name(span_str(conf->zone), LIMIT_ZONE_NAME_MAX) ||
            conf->reattest_s == 0 || conf->n_zones > LIMIT_ZONES_MAX) {
        (void)err_set(err, ERR_USAGE, "zone name, zones or interval");
        return NULL;
    }
    /* The system's openssl.cnf must not decide what a channel is. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
            (c = calloc(1, sizeof(*c))) == NULL) {
        (void)err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    c->refs = 1;
    c->reattest_s = conf->reattest_s;
    c->ctx = SSL_CTX_new(TLS_method());
    int rc = 0;
    if (c->ctx == NULL || !setup_ssl(c->ctx))
        rc = channel_tls_error(err, ERR_CRYPTO, "TLS set-up");
    else if ((rc = channel_cert_pins_init(&c->pins, conf)) != 0)
        (void)err_set(err, rc, "zones of the pack");
    else
        rc = take_cert(c, conf, unix_s, err);
    if (rc != 0) {
        channel_context_unref(c);
        return NULL;
    }
    return c;
}

struct channel_context *channel_context_ref(struct channel_context *c)
{
    c->refs++;
    return c;
}

void channel_context_unref(struct channel_context *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    channel_cert_pins_fini(&c->pins);
    SSL_CTX_free(c->ctx);
    free(c);
}

const char *channel_context_zone(const struct channel_context *c)
{
    return c->pins.own;
}

unsigned channel_context_reattest_s(const struct channel_context *c)
{
    return c->reattest_s;
}

uint64_t channel_context_expires(const struct channel_context *c)
{
    return c->expires;
}
