/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL has a type of this name. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "responder.h"

#include <stdio.h>
#include <stdlib.h>

#define CAPS      (SPDM_CAP_CERT | SPDM_CAP_CHAL | SPDM_CAP_MEAS_SIG)
#define SLOT      0
#define HASH_SIZE 32

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- certificates ---------------------------------------------------- */

static void extend(X509 *c, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(e && X509_add_ext(c, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static struct span issue(struct crypto_key *issuer, const char *issuer_cn,
        struct crypto_key *subject, const char *cn, bool ca, const char *eku,
        uint8_t *der, size_t cap)
{
    X509 *c = X509_new();
    uint8_t *p = der;
    int n;

    must(c && X509_set_version(c, 2) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(c), ca ? 1 : 2) == 1);
    must(ASN1_TIME_set_string(X509_getm_notBefore(c), "20200101000000Z") == 1);
    must(ASN1_TIME_set_string(X509_getm_notAfter(c), "20400101000000Z") == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN",
                 MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0) == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_issuer_name(c), "CN", MBSTRING_ASC,
                 (const uint8_t *)issuer_cn, -1, -1, 0) == 1);
    must(X509_set_pubkey(c, crypto_key_native(subject)) == 1);
    if (ca) {
        extend(c, NID_basic_constraints, "critical,CA:TRUE");
        extend(c, NID_key_usage, "critical,keyCertSign");
    } else {
        extend(c, NID_key_usage, "critical,digitalSignature");
    }
    if (eku)
        extend(c, NID_ext_key_usage, eku);
    must(X509_sign(c, crypto_key_native(issuer), EVP_sha256()) > 0);
    n = i2d_X509(c, NULL);
    must(n > 0 && (size_t)n <= cap);
    must(i2d_X509(c, &p) == n);
    X509_free(c);
    return SPAN(der, (size_t)n);
}

static void make_chain(struct responder *d)
{
    struct crypto_key *root = crypto_key_generate(CRYPTO_P256);
    uint8_t a[CRYPTO_CERT_MAX], b[CRYPTO_CERT_MAX], hash[32], head[4];
    bool ca = d->lie == LIE_CA_LEAF;
    const char *eku = d->lie == LIE_REQUESTER_LEAF ? "1.3.6.1.4.1.412.274.4"
                                                   : "1.3.6.1.4.1.412.274.3";
    struct span root_der, leaf_der, out;
    struct wire_writer w = wire_writer_of(head, sizeof(head));

    root_der = issue(root, "maker", root, "maker", true, NULL, a, sizeof(a));
    leaf_der = issue(
            root, "maker", d->key, "device", ca, ca ? NULL : eku, b, sizeof(b));
    crypto_sha256(root_der, hash);
    wire_put_u16le(&w, (uint16_t)(4 + 32 + root_der.len + leaf_der.len));
    wire_put_u16le(&w, 0);
    must(wire_finish(&w, &out));
    buf_append(&d->chain, out);
    buf_append(&d->chain, SPAN_OF(hash));
    buf_append(&d->chain, root_der);
    buf_append(&d->chain, leaf_der);
    d->root = crypto_cert_from_der(root_der);
    must(d->root != NULL);
    crypto_key_free(root);
}

void responder_init(
        struct responder *d, enum responder_lie lie, uint8_t version)
{
    *d = (struct responder){.lie = lie, .version = version, .n_blocks = 3};
    d->chain = d->vca = d->m1 = d->l1 = BUF_INIT(SPDM_TRANSCRIPT_MAX);
    d->key = crypto_key_generate(CRYPTO_P256);
    must(d->key != NULL);
    for (size_t i = 0; i < ARRAY_LEN(d->value); i++)
        memset(d->value[i], (int)(0x11 * (i + 1)), sizeof(d->value[i]));
    make_chain(d);
    if (lie == LIE_OTHER_CHAIN) { /* its key is not the one of the chain */
        crypto_key_free(d->key);
        d->key = crypto_key_generate(CRYPTO_P256);
    }
}

void responder_fini(struct responder *d)
{
    crypto_key_free(d->key);
    crypto_cert_free(d->root);
    buf_fini(&d->chain);
    buf_fini(&d->vca);
    buf_fini(&d->m1);
    buf_fini(&d->l1);
}

/* ---- answers --------------------------------------------------------- */

static void put(struct buf *b, unsigned n, const uint8_t *bytes)
{
    buf_append(b, SPAN(bytes, n));
}

#define PUT(b, ...)                                                            \
    put((b), sizeof((uint8_t[]){__VA_ARGS__}), (uint8_t[]){__VA_ARGS__})

static void header(struct responder *d, struct buf *ret, uint8_t code,
        uint8_t p1, uint8_t p2)
{
    PUT(ret, d->agreed ? d->agreed : 0x10, code, p1, p2);
}

/* Signs prefix || context || H(all), or H(all) before 1.2. */
static void sign(struct responder *d, const char *context,
        const struct buf *all, struct buf *ret)
{
    uint8_t framed[100 + HASH_SIZE] = {0}, sig[64];
    char text[17];

    (void)snprintf(text, sizeof(text), "dmtf-spdm-v1.%u.*", d->agreed & 0xfu);
    for (int i = 0; i < 4; i++)
        memcpy(framed + 16 * i, text, 16);
    memcpy(framed + 100 - strlen(context), context, strlen(context));
    crypto_sha256(buf_span(all), framed + 100);
    if (d->agreed >= 0x12)
        must(crypto_sign(d->key, SPAN_OF(framed), sig) == 0);
    else
        must(crypto_sign_digest(d->key, framed + 100, sig) == 0);
    buf_append(ret, SPAN_OF(sig));
}

static void put_version(struct responder *d, struct buf *ret)
{
    uint8_t top = d->lie == LIE_OLD_VERSION ? 0x11 : d->version;

    d->agreed = 0;
    buf_reset(&d->vca);
    header(d, ret, SPDM_VERSION, 0, 0);
    PUT(ret, 0, (uint8_t)(top - 0x0f));
    for (uint8_t v = 0x10; v <= top; v++)
        PUT(ret, 0, v);
}

static void put_capabilities(
        struct responder *d, struct span request, struct buf *ret)
{
    uint32_t caps = CAPS;

    if (d->lie == LIE_NO_SIGNATURES)
        caps = SPDM_CAP_CERT | 0x8;
    d->agreed = request.ptr[0];
    header(d, ret, SPDM_CAPABILITIES, 0, 0);
    PUT(ret, 0, 0, 0, 0, (uint8_t)caps, 0, 0, 0);
    if (d->agreed >= 0x12)
        PUT(ret, 0, 0, 1, 0, 0, 0, 1, 0);
}

static void put_algorithms(struct responder *d, struct buf *ret)
{
    uint8_t hash = d->lie == LIE_WEAK         ? 0x40
                   : d->lie == LIE_TWO_HASHES ? 0x03
                                              : SPDM_HASH_SHA256;

    header(d, ret, SPDM_ALGORITHMS, 0, 0);
    PUT(ret, 36, 0, 1, d->agreed >= 0x12 ? 2 : 0, 2, 0, 0, 0, SPDM_ASYM_P256, 0,
            0, 0, hash, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0);
}

static void put_digests(struct responder *d, struct buf *ret)
{
    uint8_t hash[32];

    crypto_sha256(buf_span(&d->chain), hash);
    if (d->lie == LIE_DIGEST)
        hash[0] ^= 1;
    header(d, ret, SPDM_DIGESTS, 0, 1 << SLOT);
    buf_append(ret, SPAN_OF(hash));
}

static void put_certificate(
        struct responder *d, struct span request, struct buf *ret)
{
    size_t offset = request.ptr[4] | (size_t)request.ptr[5] << 8;
    size_t length = request.ptr[6] | (size_t)request.ptr[7] << 8;
    size_t left;

    if (d->lie == LIE_ENDLESS_CHAIN)
        offset = length = 0;
    must(offset <= d->chain.len);
    left = d->chain.len - offset;
    if (length > left)
        length = left;
    left -= length;
    header(d, ret, SPDM_CERTIFICATE, request.ptr[2], 0);
    PUT(ret, (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)left,
            (uint8_t)(left >> 8));
    buf_append(ret, SPAN(d->chain.ptr + offset, length));
}

static void put_context(
        struct responder *d, struct span request, struct buf *ret)
{
    if (d->agreed < 0x13)
        return;
    buf_append(ret, SPAN(request.ptr + request.len - 8, 8));
    if (d->lie == LIE_CONTEXT)
        ret->ptr[ret->len - 1] ^= 1;
}

static void put_challenge_auth(
        struct responder *d, struct span request, struct buf *ret)
{
    uint8_t hash[32], nonce[32] = {7};

    crypto_sha256(buf_span(&d->chain), hash);
    header(d, ret, SPDM_CHALLENGE_AUTH, request.ptr[2], 1);
    buf_append(ret, SPAN_OF(hash));
    buf_append(ret, SPAN_OF(nonce));
    PUT(ret, 0, 0);
    put_context(d, request, ret);
    buf_append(&d->m1, request);
    buf_append(&d->m1, buf_span(ret));
    sign(d, "responder-challenge_auth signing", &d->m1, ret);
    buf_reset(&d->m1);
    if (d->lie == LIE_FLIPPED_AUTH)
        ret->ptr[ret->len - 1] ^= 1;
}

static void put_blocks(struct responder *d, struct buf *ret)
{
    struct buf record = BUF_INIT(4096);

    for (uint8_t i = 0; i < d->n_blocks; i++) {
        uint8_t index = d->lie == LIE_TWICE ? 1 : (uint8_t)(i + 1);

        PUT(&record, index, 1, 35, 0, i, 32, 0);
        buf_append(&record, SPAN_OF(d->value[i]));
    }
    PUT(ret, d->n_blocks, (uint8_t)record.len, (uint8_t)(record.len >> 8), 0);
    buf_append(ret, buf_span(&record));
    buf_fini(&record);
}

static void put_measurements(
        struct responder *d, struct span request, struct buf *ret)
{
    uint8_t nonce[32] = {9};
    uint8_t slot = d->lie == LIE_OTHER_SLOT ? 1 : SLOT;
    struct buf asked = BUF_INIT(128);

    header(d, ret, SPDM_MEASUREMENTS, 0, slot);
    put_blocks(d, ret);
    buf_append(ret, SPAN_OF(nonce));
    PUT(ret, 0, 0);
    put_context(d, request, ret);
    buf_append(&asked, request);
    if (d->lie == LIE_OLD_NONCE)
        asked.ptr[4] ^= 1;
    if (d->agreed >= 0x12)
        buf_append(&d->l1, buf_span(&d->vca));
    buf_append(&d->l1, buf_span(&asked));
    buf_append(&d->l1, buf_span(ret));
    sign(d, "responder-measurements signing", &d->l1, ret);
    buf_reset(&d->l1);
    buf_fini(&asked);
    if (d->lie == LIE_FLIPPED_SIG)
        ret->ptr[ret->len - 1] ^= 1;
}

static void answer(struct responder *d, struct span request, struct buf *ret)
{
    switch (request.ptr[1]) {
    case SPDM_GET_VERSION:
        put_version(d, ret);
        break;
    case SPDM_GET_CAPABILITIES:
        put_capabilities(d, request, ret);
        break;
    case SPDM_NEGOTIATE_ALGORITHMS:
        put_algorithms(d, ret);
        break;
    case SPDM_GET_DIGESTS:
        put_digests(d, ret);
        break;
    case SPDM_GET_CERTIFICATE:
        put_certificate(d, request, ret);
        break;
    case SPDM_CHALLENGE:
        put_challenge_auth(d, request, ret);
        break;
    case SPDM_GET_MEASUREMENTS:
        put_measurements(d, request, ret);
        break;
    default:
        header(d, ret, SPDM_ERROR, 0x07, request.ptr[1]);
        break;
    }
}

/* What is hashed later: negotiation, and the certificates before CHALLENGE. */
static void remember(struct responder *d, struct span request, struct buf *ret)
{
    switch (request.ptr[1]) {
    case SPDM_GET_VERSION:
    case SPDM_GET_CAPABILITIES:
    case SPDM_NEGOTIATE_ALGORITHMS:
        buf_append(&d->vca, request);
        buf_append(&d->vca, buf_span(ret));
        if (request.ptr[1] == SPDM_NEGOTIATE_ALGORITHMS) {
            buf_reset(&d->m1);
            buf_append(&d->m1, buf_span(&d->vca));
        }
        break;
    case SPDM_GET_DIGESTS:
    case SPDM_GET_CERTIFICATE:
        buf_append(&d->m1, request);
        buf_append(&d->m1, buf_span(ret));
        break;
    default:
        break;
    }
}

void responder_answer(struct responder *d, struct span request, struct buf *ret)
{
    if (d->lie == LIE_BUSY_ONCE && !d->was_busy &&
            request.ptr[1] == SPDM_GET_DIGESTS) {
        d->was_busy = true;
        header(d, ret, SPDM_ERROR, 0x03, 0);
        return;
    }
    if (d->lie == LIE_WRONG_ANSWER && request.ptr[1] == SPDM_GET_DIGESTS) {
        put_capabilities(d, request, ret);
        return;
    }
    answer(d, request, ret);
    remember(d, request, ret);
    if (d->lie == LIE_SHORT && request.ptr[1] == SPDM_GET_MEASUREMENTS)
        ret->len--;
    if (d->lie == LIE_LONG && request.ptr[1] == SPDM_GET_MEASUREMENTS)
        PUT(ret, 0);
}
