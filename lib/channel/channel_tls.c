/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL has a typedef of this name; ours is an error code. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include "channel_attest.h"
#include "channel_tls.h"

#include <errno.h>
#include <stdlib.h>

#define EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
/* One small certificate; OpenSSL's default would take 100 kB unasked. */
#define PEER_CERT_LIST_MAX 8192
/* Four full records. */
#define READ_AHEAD (4 * 16709)

/* RFC 7301 form: a length byte and the name. */
static const unsigned char alpn[] = "\x0aqair-att/1";
#define ALPN_LEN (sizeof(alpn) - 1)

struct channel_context {
    unsigned refs;
    SSL_CTX *ctx;
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    unsigned reattest_s;
    uint64_t expires;
    uint8_t spki[CRYPTO_SHA384_SIZE];
    struct channel_zone *zones; /* identities owned */
    size_t n_zones;
};

struct channel_tls {
    struct channel_context *context;
    SSL *ssl;
    bool client;
    bool wants_write;
    uint64_t unix_s;                    /* for the check of the certificate */
    char peer[LIMIT_ZONE_NAME_MAX + 1]; /* expected, then proved */
    uint8_t peer_spki[CRYPTO_SHA384_SIZE];
    uint64_t peer_expires;
    struct err verify; /* why the certificate was refused */
};

/* ---- errors ---------------------------------------------------------- */

/* The innermost reason that OpenSSL has, or what the socket says. */
static int tls_error(struct err *err, int code, const char *what)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, code, "%s: %s", what,
            reason != NULL ? reason : "connection lost");
}

/* ---- whose certificate is it ----------------------------------------- */

/* The one zone of that name; a name that stands for two means nobody. */
static int find_zone(const struct channel_context *c, const char *name,
        const struct channel_zone **ret, struct err *err)
{
    const struct channel_zone *found = NULL;

    for (size_t i = 0; i < c->n_zones; i++) {
        if (strcmp(c->zones[i].name, name) != 0)
            continue;
        if (found != NULL)
            return err_set(err, ERR_DENIED,
                    "the pack has two zones of the name %s", name);
        found = &c->zones[i];
    }
    if (found == NULL)
        return err_set(err, ERR_DENIED, "zone %s is not in the pack", name);
    *ret = found;
    return 0;
}

static int check_cert(const struct channel_context *c,
        const struct crypto_cert *cert, const char *name, uint64_t unix_s,
        uint64_t *ret_expires, struct err *err)
{
    const struct channel_zone *zone = NULL;
    uint64_t from, until;

    int rc = find_zone(c, name, &zone, err);
    if (rc != 0)
        return rc;
    if (crypto_cert_verify(cert, zone->identity) != 0)
        return err_set(err, ERR_MISMATCH,
                "certificate of %s is not from that zone's identity", name);
    if (crypto_cert_validity(cert, &from, &until) != 0)
        return err_set(
                err, ERR_SYNTAX, "certificate of %s has no validity", name);
    if (unix_s < from || unix_s > until)
        return err_set(err, ERR_DENIED, "certificate of %s is %s", name,
                unix_s < from ? "not valid yet (check both clocks)"
                              : "expired");
    if (until - from > CHANNEL_CERT_MAX_S)
        return err_set(err, ERR_LIMIT,
                "certificate of %s is valid for more than a day", name);
    if (!crypto_cert_has_eku(cert, EKU_SERVER_AUTH) ||
            !crypto_cert_has_eku(cert, EKU_CLIENT_AUTH))
        return err_set(err, ERR_DENIED,
                "certificate of %s is not one for channels", name);
    *ret_expires = until;
    return 0;
}

static int spki_digest(const struct crypto_pub *pub, uint8_t *ret)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;
    int rc = crypto_pub_spki(pub, spki, sizeof(spki), &len);
    if (rc == 0)
        crypto_hash(CRYPTO_SHA384, SPAN(spki, len), ret);
    return rc;
}

/* Takes the peer's name from its certificate and proves it. */
static int check_peer(struct channel_tls *t, struct span der, struct err *err)
{
    char name[LIMIT_ZONE_NAME_MAX + 1];
    CLEANUP(crypto_cert_free_ptr) struct crypto_cert *cert = NULL;
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;

    cert = crypto_cert_from_der(der);
    pub = cert != NULL ? crypto_cert_pub(cert) : NULL;
    if (pub == NULL)
        return err_set(err, ERR_SYNTAX, "certificate is malformed");
    if (crypto_cert_cn(cert, name, sizeof(name)) != 0 ||
            !text_is_name(span_str(name), LIMIT_ZONE_NAME_MAX))
        return err_set(err, ERR_SYNTAX, "certificate names no zone");
    if (strcmp(name, t->context->zone) == 0)
        return err_set(err, ERR_DENIED,
                "certificate of this zone's own name %s", name);
    if (t->client && strcmp(name, t->peer) != 0)
        return err_set(err, ERR_MISMATCH, "zone %s was dialled, %s answered",
                t->peer, name);
    if (crypto_pub_type(pub) != CRYPTO_P256 &&
            crypto_pub_type(pub) != CRYPTO_ED25519)
        return err_set(err, ERR_UNSUPPORTED,
                "channel key of %s is neither P-256 nor Ed25519", name);
    int rc = check_cert(
            t->context, cert, name, t->unix_s, &t->peer_expires, err);
    if (rc != 0)
        return rc;
    rc = spki_digest(pub, t->peer_spki);
    if (rc != 0)
        return err_set(err, rc, "channel key of %s", name);
    memcpy(t->peer, name, sizeof(t->peer));
    return 0;
}

/* Instead of OpenSSL's path building: there are no CAs here, only pins. */
static int verify_cb(X509_STORE_CTX *store, void *arg)
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
        rc = check_peer(t, SPAN(der, (size_t)len), &t->verify);
    OPENSSL_free(der);
    if (rc == 0)
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static int alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *outlen,
        const unsigned char *in, unsigned int inlen, void *arg)
{
    (void)ssl;
    (void)arg;
    /* One protocol, alone: nothing to negotiate, nothing to downgrade. */
    if (inlen != ALPN_LEN || memcmp(in, alpn, ALPN_LEN) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = alpn + 1;
    *outlen = ALPN_LEN - 1;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- context --------------------------------------------------------- */

static int setup_ssl(SSL_CTX *s)
{
    SSL_CTX_set_options(s, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(
            s, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(s, verify_cb, NULL);
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
           SSL_CTX_set_alpn_protos(s, alpn, ALPN_LEN) == 0;
}

static int copy_zones(
        struct channel_context *c, const struct channel_conf *conf)
{
    c->zones = calloc(conf->n_zones ? conf->n_zones : 1, sizeof(*c->zones));
    if (c->zones == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < conf->n_zones; i++) {
        const struct channel_zone *from = &conf->zones[i];
        uint8_t spki[CRYPTO_SPKI_MAX];
        size_t len;
        int rc = crypto_pub_spki(from->identity, spki, sizeof(spki), &len);
        if (rc != 0)
            return rc;
        struct crypto_pub *pub = crypto_pub_from_spki(SPAN(spki, len));
        if (pub == NULL)
            return ERR_CRYPTO;
        memcpy(c->zones[i].name, from->name, sizeof(from->name));
        c->zones[i].identity = pub;
        c->n_zones++;
    }
    return 0;
}

/* Own certificate: the same rules that peers will apply to it. */
static int take_cert(struct channel_context *c, const struct channel_conf *conf,
        uint64_t unix_s, struct err *err)
{
    char name[LIMIT_ZONE_NAME_MAX + 1];
    const struct crypto_pub *own = crypto_key_pub(conf->key);
    CLEANUP(crypto_cert_free_ptr) struct crypto_cert *cert = NULL;
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;

    cert = crypto_cert_from_der(conf->cert);
    pub = cert != NULL ? crypto_cert_pub(cert) : NULL;
    if (pub == NULL || crypto_cert_cn(cert, name, sizeof(name)) != 0)
        return err_set(err, ERR_SYNTAX, "own channel certificate is malformed");
    if (strcmp(name, c->zone) != 0 || !crypto_pub_eq(pub, own))
        return err_set(err, ERR_MISMATCH,
                "own channel certificate is for another name or key");
    int rc = check_cert(c, cert, name, unix_s, &c->expires, err);
    if (rc != 0)
        return err_prefix(err, rc, "own channel certificate");
    rc = spki_digest(own, c->spki);
    if (rc != 0)
        return err_set(err, rc, "own channel key");
    if (SSL_CTX_use_certificate(c->ctx, crypto_cert_native(cert)) != 1 ||
            SSL_CTX_use_PrivateKey(c->ctx, crypto_key_native(conf->key)) != 1 ||
            SSL_CTX_check_private_key(c->ctx) != 1)
        return tls_error(err, ERR_CRYPTO, "own channel certificate");
    return 0;
}

struct channel_context *channel_context_new(
        const struct channel_conf *conf, uint64_t unix_s, struct err *err)
{
    struct span zone = span_str(conf->zone);
    struct channel_context *c;

    if (!text_is_name(zone, LIMIT_ZONE_NAME_MAX) || conf->reattest_s == 0 ||
            conf->n_zones > LIMIT_ZONES_MAX) {
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
    memcpy(c->zone, conf->zone, zone.len + 1);
    c->ctx = SSL_CTX_new(TLS_method());
    int rc = 0;
    if (c->ctx == NULL || !setup_ssl(c->ctx))
        rc = tls_error(err, ERR_CRYPTO, "TLS set-up");
    else if ((rc = copy_zones(c, conf)) != 0)
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
    for (size_t i = 0; i < c->n_zones; i++)
        crypto_pub_free((struct crypto_pub *)(uintptr_t)c->zones[i].identity);
    free(c->zones);
    SSL_CTX_free(c->ctx);
    free(c);
}

const char *channel_context_zone(const struct channel_context *c)
{
    return c->zone;
}

unsigned channel_context_reattest_s(const struct channel_context *c)
{
    return c->reattest_s;
}

uint64_t channel_context_expires(const struct channel_context *c)
{
    return c->expires;
}

/* ---- connection ------------------------------------------------------ */

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
        (void)memccpy(t->peer, peer, 0, sizeof(t->peer) - 1);
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
                t->peer_expires != 0 ? ""
                                     : " before it proved itself; 'qair zone "
                                       "status' there tells why");
    }
    if (t->verify.code != 0) {
        ERR_clear_error();
        return err_set(err, t->verify.code, "%s", t->verify.msg);
    }
    if (e == SSL_ERROR_SYSCALL && saved_errno != 0) {
        ERR_clear_error();
        return err_set(err, ERR_PEER, "%s: %s", what, strerror(saved_errno));
    }
    return tls_error(err, ERR_PEER, what);
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
    if (len != ALPN_LEN - 1 || memcmp(name, alpn + 1, len) != 0)
        return err_set(err, ERR_PEER, "peer does not speak qair-att/1");
    if (t->peer_expires == 0)
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
    return t->peer;
}

uint64_t channel_tls_peer_expires(const struct channel_tls *t)
{
    return t->peer_expires;
}

void channel_tls_spki(
        const struct channel_tls *t, uint8_t ret[static CRYPTO_SHA384_SIZE])
{
    memcpy(ret, t->context->spki, CRYPTO_SHA384_SIZE);
}

void channel_tls_peer_spki(
        const struct channel_tls *t, uint8_t ret[static CRYPTO_SHA384_SIZE])
{
    memcpy(ret, t->peer_spki, CRYPTO_SHA384_SIZE);
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
