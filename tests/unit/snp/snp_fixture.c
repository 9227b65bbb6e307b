/* SPDX-License-Identifier: Apache-2.0 */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "snp_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_MAX 256

static struct {
    EVP_PKEY *key[SNP_FIXTURE_KEYS];
    uint8_t *kept[KEPT_MAX];
    size_t n_kept;
} fx;

static const uint8_t hwid_milan[SNP_CHIP_ID] = {
        0xb4, 0xa1, 0xd7, 0x17, 0x94, 0x27, [63] = 0x5e};
static const uint8_t hwid_turin[SNP_CHIP_ID_TURIN] = {
        0x51, 0x5e, 0x36, 0x12, 0x8c, 0x47, 0x41, 0x9d};

static void need(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "fixture: %s\n", what);
        abort();
    }
}

/* Takes heap over until fini. */
static struct span keep(uint8_t *p, int len)
{
    need(p && len > 0 && fx.n_kept < KEPT_MAX, "memory");
    fx.kept[fx.n_kept++] = p;
    return SPAN(p, (size_t)len);
}

/* Made when it is first used: an RSA key of 4,096 bits takes its seconds. */
static EVP_PKEY *key_of(enum snp_fixture_key k)
{
    if (fx.key[k])
        return fx.key[k];
    switch (k) {
    case SNP_FIXTURE_AMD:
    case SNP_FIXTURE_EVIL:
        fx.key[k] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
        break;
    case SNP_FIXTURE_SMALL:
        fx.key[k] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        break;
    case SNP_FIXTURE_VEK:
    case SNP_FIXTURE_OTHER:
        fx.key[k] = EVP_EC_gen("P-384");
        break;
    case SNP_FIXTURE_P256:
        fx.key[k] = EVP_EC_gen("P-256");
        break;
    case SNP_FIXTURE_KEYS:
        break;
    }
    need(fx.key[k] != NULL, "keys");
    return fx.key[k];
}

void snp_fixture_init(void)
{
    memset(&fx, 0, sizeof(fx));
}

void snp_fixture_fini(void)
{
    for (size_t i = 0; i < SNP_FIXTURE_KEYS; i++)
        EVP_PKEY_free(fx.key[i]);
    for (size_t i = 0; i < fx.n_kept; i++)
        OPENSSL_free(fx.kept[i]);
    memset(&fx, 0, sizeof(fx));
}

/* ---- certificates ------------------------------------------------------ */

struct snp_fixture_cert snp_fixture_ark(void)
{
    return (struct snp_fixture_cert){.subject = "ARK-Milan",
            .issuer = "ARK-Milan",
            .from = SNP_FIXTURE_FROM,
            .until = SNP_FIXTURE_UNTIL,
            .serial = 1,
            .is_ca = true,
            .path_limit = -1,
            .key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN};
}

struct snp_fixture_cert snp_fixture_ask(void)
{
    struct snp_fixture_cert c = snp_fixture_ark();

    c.subject = "SEV-Milan";
    c.serial = 2;
    c.path_limit = 0;
    c.key_usage = KU_KEY_CERT_SIGN;
    return c;
}

struct snp_fixture_cert snp_fixture_asvk(void)
{
    struct snp_fixture_cert c = snp_fixture_ask();

    c.subject = "SEV-VLEK-Milan";
    c.serial = 3;
    return c;
}

struct snp_fixture_cert snp_fixture_vcek(void)
{
    return (struct snp_fixture_cert){.subject = "SEV-VCEK",
            .issuer = "SEV-Milan",
            .key = SNP_FIXTURE_VEK,
            .from = SNP_FIXTURE_FROM,
            .until = SNP_FIXTURE_UNTIL,
            .path_limit = -1,
            .key_usage = -1,
            .product = "Milan-B0",
            .tcb = {.bootloader = 4, .snp = 24, .microcode = 219},
            .hwid = SPAN_OF(hwid_milan)};
}

struct snp_fixture_cert snp_fixture_vlek(void)
{
    struct snp_fixture_cert c = snp_fixture_vcek();

    c.subject = "SEV-VLEK";
    c.issuer = "SEV-VLEK-Milan";
    c.product = "Milan";
    c.hwid = SPAN_EMPTY;
    c.csp_id = "CN=cloud.example";
    return c;
}

struct snp_fixture_cert snp_fixture_turin(void)
{
    struct snp_fixture_cert c = snp_fixture_vcek();

    c.issuer = "SEV-Turin";
    c.product = "Turin";
    c.struct_version = 1;
    c.tcb = (struct snp_tcb){1, 2, 1, 4, 72};
    c.hwid = SPAN_OF(hwid_turin);
    return c;
}

static void set_name(X509_NAME *name, const char *cn)
{
    need(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                 (const uint8_t *)"Not AMD", -1, -1, 0) == 1 &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                            (const uint8_t *)cn, -1, -1, 0) == 1,
            "name");
}

static void add_raw(X509 *x, const char *oid, struct span value, int critical)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    need(o && s && ASN1_OCTET_STRING_set(s, value.ptr, (int)value.len) == 1,
            "extension");
    e = X509_EXTENSION_create_by_OBJ(NULL, o, critical, s);
    need(e && X509_add_ext(x, e, -1) == 1, "extension");
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}

static void add_spl(X509 *x, unsigned number, uint8_t v)
{
    uint8_t der[] = {0x02, 0x01, v}, large[] = {0x02, 0x02, 0x00, v};
    char oid[64];

    (void)snprintf(oid, sizeof(oid), "1.3.6.1.4.1.3704.1.3.%u", number);
    add_raw(x, oid, v < 0x80 ? SPAN_OF(der) : SPAN_OF(large), 0);
}

static void add_ia5(X509 *x, const char *oid, const char *text)
{
    uint8_t der[64] = {0x16, (uint8_t)strlen(text)};

    memcpy(der + 2, text, strlen(text));
    add_raw(x, oid, SPAN(der, strlen(text) + 2), 0);
}

static void add_amd(X509 *x, const struct snp_fixture_cert *c)
{
    const uint8_t version[] = {0x02, 0x01, (uint8_t)c->struct_version};
    const struct {
        unsigned number;
        uint8_t v;
    } spls[] = {{1, c->tcb.bootloader}, {2, c->tcb.tee}, {3, c->tcb.snp},
            {5, 0}, {6, 0}, {7, 0}, {8, c->tcb.microcode}, {9, c->tcb.fmc}};
    bool turin = strcmp(c->product, "Turin") == 0;
    uint8_t wrapped[SNP_CHIP_ID + 2] = {0x04, (uint8_t)c->hwid.len};

    add_raw(x, "1.3.6.1.4.1.3704.1.1", SPAN_OF(version), 0);
    for (int i = 0; i < 1 + c->twice; i++)
        add_ia5(x, "1.3.6.1.4.1.3704.1.2", c->product);
    for (size_t i = 0; i < ARRAY_LEN(spls); i++) {
        if (spls[i].number != c->leave_out && (spls[i].number != 9 || turin))
            add_spl(x, spls[i].number, spls[i].v);
    }
    if (c->hwid.len > 0)
        memcpy(wrapped + 2, c->hwid.ptr, c->hwid.len);
    if (c->hwid.len > 0)
        add_raw(x, "1.3.6.1.4.1.3704.1.4",
                c->wrap_hwid ? SPAN(wrapped, c->hwid.len + 2) : c->hwid, 0);
    if (c->csp_id)
        add_ia5(x, "1.3.6.1.4.1.3704.1.5", c->csp_id);
}

static void add_ca(X509 *x, const struct snp_fixture_cert *c)
{
    uint8_t limit[] = {
            0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, (uint8_t)c->path_limit};
    uint8_t none[] = {0x30, 0x03, 0x01, 0x01, 0xff};

    add_raw(x, "2.5.29.19", c->path_limit < 0 ? SPAN_OF(none) : SPAN_OF(limit),
            1);
    if (c->key_usage >= 0) {
        uint8_t bits[] = {0x03, 0x02, 0x01, (uint8_t)c->key_usage};

        add_raw(x, "2.5.29.15", SPAN_OF(bits), 1);
    }
}

/* The context of a PSS signature. */
static EVP_MD_CTX *pss(EVP_PKEY *key, bool sha256, int salt)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;

    need(ctx && EVP_DigestSignInit(ctx, &pctx,
                        sha256 ? EVP_sha256() : EVP_sha384(), NULL, key) == 1,
            "signature");
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt) == 1,
                "PSS");
    return ctx;
}

struct span snp_fixture_make(const struct snp_fixture_cert *c)
{
    static const uint8_t null[] = {0x05, 0x00};
    X509 *x = X509_new();
    EVP_MD_CTX *ctx;
    uint8_t *der = NULL;
    int len;

    need(x && X509_set_version(x, X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set(
                            X509_get_serialNumber(x), (long)c->serial) == 1 &&
                    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)c->from) &&
                    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)c->until) &&
                    X509_set_pubkey(x, key_of(c->key)) == 1,
            "certificate");
    set_name(X509_get_subject_name(x), c->subject);
    set_name(X509_get_issuer_name(x), c->issuer);
    if (c->is_ca)
        add_ca(x, c);
    if (c->product)
        add_amd(x, c);
    if (c->critical_extra)
        add_raw(x, "1.3.6.1.4.1.3704.99", SPAN_OF(null), 1);
    ctx = pss(key_of(c->signer), c->sha256, c->salt_32 ? 32 : 48);
    need(X509_sign_ctx(x, ctx) > 0, "certificate's signature");
    EVP_MD_CTX_free(ctx);
    len = i2d_X509(x, &der);
    X509_free(x);
    return keep(der, len);
}

struct span snp_fixture_pem(struct span der)
{
    const uint8_t *p = der.ptr;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;
    uint8_t *own;

    need(x && bio && PEM_write_bio_X509(bio, x) == 1, "PEM");
    len = BIO_get_mem_data(bio, &text);
    own = OPENSSL_memdup(text, (size_t)len);
    BIO_free(bio);
    X509_free(x);
    return keep(own, (int)len);
}

struct span snp_fixture_make_crl(const struct snp_fixture_crl *c)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *t = ASN1_TIME_new();
    uint8_t *der = NULL;
    EVP_MD_CTX *ctx;
    int len;

    need(crl && name && t && X509_CRL_set_version(crl, 1) == 1, "CRL");
    set_name(name, c->issuer);
    need(X509_CRL_set_issuer_name(crl, name) == 1 &&
                    ASN1_TIME_set(t, (time_t)c->this_update) &&
                    X509_CRL_set1_lastUpdate(crl, t) == 1 &&
                    ASN1_TIME_set(t, (time_t)c->next_update) &&
                    X509_CRL_set1_nextUpdate(crl, t) == 1,
            "CRL");
    for (size_t i = 0; i < c->n; i++) {
        X509_REVOKED *r = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();

        need(r && serial &&
                        ASN1_INTEGER_set(serial, (long)c->serials[i]) == 1 &&
                        X509_REVOKED_set_serialNumber(r, serial) == 1 &&
                        X509_REVOKED_set_revocationDate(r, t) == 1 &&
                        X509_CRL_add0_revoked(crl, r) == 1,
                "CRL entry");
        ASN1_INTEGER_free(serial);
    }
    if (c->critical_extra) {
        ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
        ASN1_OBJECT *o = OBJ_txt2obj("2.5.29.27", 1); /* a delta */
        X509_EXTENSION *e;

        need(s && o &&
                        ASN1_OCTET_STRING_set(
                                s, (const uint8_t *)"\x02\x01\x01", 3) == 1,
                "CRL extension");
        e = X509_EXTENSION_create_by_OBJ(NULL, o, 1, s);
        need(e && X509_CRL_add_ext(crl, e, -1) == 1, "CRL extension");
        X509_EXTENSION_free(e);
        ASN1_OBJECT_free(o);
        ASN1_OCTET_STRING_free(s);
    }
    ctx = pss(key_of(c->signer), false, 48);
    need(X509_CRL_sign_ctx(crl, ctx) > 0, "CRL's signature");
    EVP_MD_CTX_free(ctx);
    len = i2d_X509_CRL(crl, &der);
    X509_CRL_free(crl);
    X509_NAME_free(name);
    ASN1_TIME_free(t);
    return keep(der, len);
}

struct snp_trust *snp_fixture_trust(void)
{
    const struct snp_fixture_cert cas[] = {
            snp_fixture_ark(), snp_fixture_ask(), snp_fixture_asvk()};
    struct snp_trust *t = snp_trust_new();

    for (size_t i = 0; i < ARRAY_LEN(cas); i++)
        need(t && snp_trust_add(t, snp_fixture_make(&cas[i]), NULL) == 0,
                "trust");
    return t;
}

/* ---- reports ----------------------------------------------------------- */

static void put(uint8_t *p, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

void snp_fixture_report(uint8_t ret[static SNP_REPORT_SIZE])
{
    static const uint16_t tcbs[] = {0x038, 0x180, 0x1e0, 0x1f0};

    memset(ret, 0, SNP_REPORT_SIZE);
    put(ret, 3, 4);
    put(ret + 0x008, 0x30000, 8);
    put(ret + 0x034, 1, 4);
    for (size_t i = 0; i < ARRAY_LEN(tcbs); i++)
        put(ret + tcbs[i], 0xdb18000000000004, 8);
    put(ret + 0x040, 0x25, 8);
    memset(ret + 0x050, 0xd1, 64);
    memset(ret + 0x090, 0x9e, 48);
    memset(ret + 0x140, 0xff, 32);
    memset(ret + 0x160, 0xff, 32);
    put(ret + 0x188, 0x010119, 3);
    memcpy(ret + 0x1a0, hwid_milan, sizeof(hwid_milan));
    put(ret + 0x1e8, 0x01371f, 3); /* 1.55.31 */
    put(ret + 0x1ec, 0x01371f, 3);
}

void snp_fixture_report_turin(uint8_t ret[static SNP_REPORT_SIZE])
{
    static const uint16_t tcbs[] = {0x038, 0x180, 0x1e0, 0x1f0};

    snp_fixture_report(ret);
    put(ret, 5, 4);
    for (size_t i = 0; i < ARRAY_LEN(tcbs); i++)
        put(ret + tcbs[i], 0x4800000004010201, 8);
    put(ret + 0x040, 0x67, 8);
    put(ret + 0x188, 0x01021a, 3);
    memset(ret + 0x1a0, 0, SNP_CHIP_ID);
    memcpy(ret + 0x1a0, hwid_turin, sizeof(hwid_turin));
    put(ret + 0x1f8, 3, 8);
    put(ret + 0x200, 3, 8);
}

static void reverse(const uint8_t *be, size_t n, uint8_t *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = be[n - 1 - i];
}

void snp_fixture_ecdsa(
        struct span data, enum snp_fixture_key key, uint8_t ret[static 144])
{
    EVP_MD_CTX *ctx = pss(key_of(key), false, 0);
    uint8_t der[128], rs[96];
    size_t len = sizeof(der);

    need(EVP_DigestSign(ctx, der, &len, data.ptr, data.len) == 1 &&
                    crypto_ecdsa_from_der(SPAN(der, len), rs, 48) == 0,
            "ECDSA");
    EVP_MD_CTX_free(ctx);
    memset(ret, 0, 144);
    reverse(rs, 48, ret);
    reverse(rs + 48, 48, ret + 72);
}

void snp_fixture_sign(
        uint8_t report[static SNP_REPORT_SIZE], enum snp_fixture_key key)
{
    snp_fixture_ecdsa(
            SPAN(report, SNP_REPORT_SIGNED), key, report + SNP_REPORT_SIGNED);
}

void snp_fixture_point(enum snp_fixture_key key, uint8_t ret[static 144])
{
    uint8_t point[97];
    size_t len;

    need(EVP_PKEY_get_octet_string_param(key_of(key), OSSL_PKEY_PARAM_PUB_KEY,
                 point, sizeof(point), &len) == 1 &&
                    len == sizeof(point),
            "point");
    memset(ret, 0, 144);
    reverse(point + 1, 48, ret);
    reverse(point + 49, 48, ret + 72);
}

size_t snp_fixture_pss(
        struct span data, enum snp_fixture_key key, uint8_t ret[static 512])
{
    bool small = key == SNP_FIXTURE_SMALL;
    EVP_MD_CTX *ctx = pss(key_of(key), small, small ? 32 : 48);
    uint8_t be[512];
    size_t len = sizeof(be);

    need(EVP_DigestSign(ctx, be, &len, data.ptr, data.len) == 1, "PSS");
    EVP_MD_CTX_free(ctx);
    reverse(be, len, ret);
    return len;
}

size_t snp_fixture_modulus(enum snp_fixture_key key, uint8_t ret[static 512])
{
    BIGNUM *n = NULL;
    int len;

    need(EVP_PKEY_get_bn_param(key_of(key), OSSL_PKEY_PARAM_RSA_N, &n) == 1,
            "modulus");
    len = BN_num_bytes(n);
    need(BN_bn2lebinpad(n, ret, len) == len, "modulus");
    BN_free(n);
    return (size_t)len;
}
