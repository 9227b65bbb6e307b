/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEV and SEV-ES: certificates of the platform (SEV API, appendix C.1), AMD's
 * own (appendix B.1), and the MAC over a launch (6.5, LAUNCH_MEASURE).
 */
#include "snp_private.h"

#define KEY_SIZE 1028
#define SIG_SIZE 512
#define EC_COORD 72
/* An RSA exponent in its four bytes; AMD uses 65537. */
#define EXPONENT_MAX 4

enum algo {
    ALGO_NONE = 0,
    ALGO_RSA_SHA256 = 0x001,
    ALGO_ECDSA_SHA256 = 0x002,
    ALGO_ECDH_SHA256 = 0x003,
    ALGO_RSA_SHA384 = 0x101,
    ALGO_ECDSA_SHA384 = 0x102,
    ALGO_ECDH_SHA384 = 0x103,
};

static const struct {
    enum snp_legacy_usage usage;
    const char *name;
} usages[] = {
        {SNP_LEGACY_ARK, "ARK"},
        {SNP_LEGACY_ASK, "ASK"},
        {SNP_LEGACY_OCA, "OCA"},
        {SNP_LEGACY_PEK, "PEK"},
        {SNP_LEGACY_PDH, "PDH"},
        {SNP_LEGACY_CEK, "CEK"},
};

const char *snp_legacy_name(enum snp_legacy_usage u)
{
    for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
        if (usages[i].usage == u)
            return usages[i].name;
    }
    return "none";
}

static bool is_known_algo(uint32_t algo)
{
    return (algo & ~0x103u) == 0 && (algo & 3) != 0;
}

static bool get_sig(struct wire_reader *r, struct snp_legacy_sig *ret)
{
    uint32_t usage;

    if (!wire_get_u32le(r, &usage) || !wire_get_u32le(r, &ret->algo) ||
            !wire_get_span(r, SIG_SIZE, &ret->bytes))
        return false;
    ret->usage = (enum snp_legacy_usage)usage;
    /* An unused slot is empty: usage "invalid", no algorithm, no bytes. */
    if (usage == SNP_LEGACY_NONE)
        return ret->algo == ALGO_NONE && snp_is_zero(ret->bytes);
    return strcmp(snp_legacy_name(ret->usage), "none") != 0 &&
           is_known_algo(ret->algo);
}

int snp_legacy_parse(struct span bytes, struct snp_legacy *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    uint32_t version, usage;
    struct snp_legacy c = {.raw = bytes};
    uint16_t reserved;

    if (bytes.len != SNP_LEGACY_SIZE || !wire_get_u32le(&r, &version) ||
            !wire_get_u8(&r, &c.api_major) || !wire_get_u8(&r, &c.api_minor) ||
            !wire_get_u16le(&r, &reserved) || !wire_get_u32le(&r, &usage) ||
            !wire_get_u32le(&r, &c.algo) ||
            !wire_get_span(&r, KEY_SIZE, &c.key))
        return err_set(err, ERR_SYNTAX, "SEV certificate: %zu bytes, not %d",
                bytes.len, SNP_LEGACY_SIZE);
    if (version != 1)
        return err_set(
                err, ERR_UNSUPPORTED, "SEV certificate: version %u", version);
    c.usage = (enum snp_legacy_usage)usage;
    if (usage < SNP_LEGACY_OCA || usage > SNP_LEGACY_CEK ||
            !is_known_algo(c.algo) || reserved != 0)
        return err_set(err, ERR_UNSUPPORTED,
                "SEV certificate: usage %x, algorithm %x", usage, c.algo);
    if (!get_sig(&r, &c.sig[0]) || !get_sig(&r, &c.sig[1]) || !wire_end(&r))
        return err_set(
                err, ERR_SYNTAX, "SEV certificate: a malformed signature slot");
    *ret = c;
    return 0;
}

int snp_legacy_ca_parse(
        struct span bytes, struct snp_legacy_ca *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    uint32_t version, usage, exponent_bits, modulus_bits;
    struct snp_legacy_ca c = {.raw = bytes};
    struct span reserved;
    size_t size;

    if (!wire_get_u32le(&r, &version) || !wire_get_span(&r, 16, &c.key_id) ||
            !wire_get_span(&r, 16, &c.signer_id) ||
            !wire_get_u32le(&r, &usage) || !wire_get_span(&r, 16, &reserved) ||
            !wire_get_u32le(&r, &exponent_bits) ||
            !wire_get_u32le(&r, &modulus_bits))
        return err_set(err, ERR_SYNTAX, "SEV CA: %zu bytes", bytes.len);
    size = modulus_bits / 8;
    if (version != 1 || exponent_bits != modulus_bits ||
            (modulus_bits != 2048 && modulus_bits != 4096) ||
            (usage != SNP_LEGACY_ARK && usage != SNP_LEGACY_ASK) ||
            !snp_is_zero(reserved))
        return err_set(err, ERR_UNSUPPORTED,
                "SEV CA: version %u, usage %x, %u bits", version, usage,
                modulus_bits);
    if (!wire_get_span(&r, size, &c.exponent) ||
            !wire_get_span(&r, size, &c.modulus))
        return err_set(err, ERR_SYNTAX, "SEV CA: %zu bytes", bytes.len);
    c.body = SPAN(bytes.ptr, bytes.len - r.left);
    /* AMD serves the ARK of Naples without its signature, which says nothing
     * anyway: whoever gives an ARK trusts it. */
    if (!(usage == SNP_LEGACY_ARK && wire_end(&r)) &&
            (!wire_get_span(&r, size, &c.signature) || !wire_end(&r)))
        return err_set(err, ERR_SYNTAX, "SEV CA: %zu bytes", bytes.len);
    c.usage = (enum snp_legacy_usage)usage;
    *ret = c;
    return 0;
}

/* ---- keys and signatures ---------------------------------------------------
 */

static struct crypto_pub *ec_key(const struct snp_legacy *c)
{
    struct wire_reader r = wire_reader_of(c->key);
    uint8_t xy[2][48];
    struct span le[2];
    enum crypto_key_type type;
    size_t size;
    uint32_t curve;

    if (!wire_get_u32le(&r, &curve) || curve < 1 || curve > 2 ||
            !wire_get_span(&r, EC_COORD, &le[0]) ||
            !wire_get_span(&r, EC_COORD, &le[1]) ||
            !snp_is_zero(SPAN(r.ptr, r.left)))
        return NULL;
    type = curve == 1 ? CRYPTO_P256 : CRYPTO_P384;
    size = curve == 1 ? 32 : 48;
    for (size_t i = 0; i < 2; i++) {
        if (!snp_be48(le[i], xy[i]) || !snp_is_zero(SPAN(xy[i], 48 - size)))
            return NULL;
    }
    return crypto_pub_ec(
            type, SPAN(xy[0] + 48 - size, size), SPAN(xy[1] + 48 - size, size));
}

static struct crypto_pub *rsa_key(struct span n_le, struct span e_le)
{
    uint8_t n[512];
    uint32_t e = 0;

    if (n_le.len > sizeof(n) || e_le.len < EXPONENT_MAX ||
            !snp_is_zero(
                    SPAN(e_le.ptr + EXPONENT_MAX, e_le.len - EXPONENT_MAX)))
        return NULL;
    for (size_t i = 0; i < n_le.len; i++)
        n[i] = n_le.ptr[n_le.len - 1 - i];
    for (size_t i = EXPONENT_MAX; i-- > 0;)
        e = e << 8 | e_le.ptr[i];
    return crypto_pub_rsa(SPAN(n, n_le.len), e);
}

/* RSA of an owner's CA: {bits, exponent, modulus}, little endian. */
static struct crypto_pub *key_of(const struct snp_legacy *c)
{
    struct wire_reader r = wire_reader_of(c->key);
    struct span e, n;
    uint32_t bits;

    if ((c->algo & 3) != ALGO_RSA_SHA256)
        return ec_key(c);
    if (!wire_get_u32le(&r, &bits) || (bits != 2048 && bits != 4096) ||
            !wire_get_span(&r, 512, &e) || !wire_get_span(&r, 512, &n) ||
            !snp_is_zero(SPAN(n.ptr + bits / 8, 512 - bits / 8)))
        return NULL;
    return rsa_key(SPAN(n.ptr, bits / 8), e);
}

static enum crypto_hash hash_of(uint32_t algo)
{
    return algo & 0x100 ? CRYPTO_SHA384 : CRYPTO_SHA256;
}

static bool rsa_holds(const struct crypto_pub *k, enum crypto_hash hash,
        struct span data, struct span sig_le)
{
    size_t size = crypto_pub_bits(k) / 8;
    uint8_t sig[512];

    if (size > sizeof(sig) || sig_le.len < size ||
            !snp_is_zero(SPAN(sig_le.ptr + size, sig_le.len - size)))
        return false;
    for (size_t i = 0; i < size; i++)
        sig[i] = sig_le.ptr[size - 1 - i];
    return crypto_verify(k, CRYPTO_SIG_RSAPSS_DIGEST, hash, data,
                   SPAN(sig, size)) == 0;
}

static bool ecdsa_holds(const struct crypto_pub *k, enum crypto_hash hash,
        struct span data, struct span sig)
{
    size_t size = crypto_pub_type(k) == CRYPTO_P256 ? 32 : 48;
    uint8_t r[48], s[48], rs[96];

    if (!snp_be48(SPAN(sig.ptr, EC_COORD), r) ||
            !snp_be48(SPAN(sig.ptr + EC_COORD, EC_COORD), s) ||
            !snp_is_zero(SPAN(r, 48 - size)) ||
            !snp_is_zero(SPAN(s, 48 - size)) ||
            !snp_is_zero(SPAN(sig.ptr + (size_t)2 * EC_COORD,
                    SIG_SIZE - (size_t)2 * EC_COORD)))
        return false;
    memcpy(rs, r + 48 - size, size);
    memcpy(rs + size, s + 48 - size, size);
    return crypto_verify(k, CRYPTO_SIG_ECDSA, hash, data, SPAN(rs, 2 * size)) ==
           0;
}

/* A slot that names that usage and algorithm, and holds. */
static int find_signature(const struct snp_legacy *child,
        enum snp_legacy_usage usage, uint32_t algo,
        const struct crypto_pub *key, struct err *err)
{
    struct span body = SPAN(child->raw.ptr, SNP_LEGACY_SIGNED);

    for (size_t i = 0; key && i < ARRAY_LEN(child->sig); i++) {
        const struct snp_legacy_sig *s = &child->sig[i];

        if (s->usage != usage || s->algo != algo)
            continue;
        if ((algo & 3) == ALGO_RSA_SHA256
                        ? rsa_holds(key, hash_of(algo), body, s->bytes)
                        : ecdsa_holds(key, hash_of(algo), body, s->bytes))
            return 0;
    }
    return err_set(err, ERR_MISMATCH, "SEV: the %s is not signed by the %s",
            snp_legacy_name(child->usage), snp_legacy_name(usage));
}

int snp_legacy_signed(const struct snp_legacy *child,
        const struct snp_legacy *parent, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *key = key_of(parent);

    if ((parent->algo & 3) == ALGO_ECDH_SHA256) /* a PDH signs nothing */
        return err_set(err, ERR_MISMATCH, "SEV: a %s signs nothing",
                snp_legacy_name(parent->usage));
    return find_signature(child, parent->usage, parent->algo, key, err);
}

int snp_legacy_signed_by_ca(const struct snp_legacy *child,
        const struct snp_legacy_ca *parent, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *key = rsa_key(parent->modulus, parent->exponent);

    return find_signature(child, parent->usage,
            parent->modulus.len == 256 ? ALGO_RSA_SHA256 : ALGO_RSA_SHA384, key,
            err);
}

int snp_legacy_ca_signed(const struct snp_legacy_ca *child,
        const struct snp_legacy_ca *parent, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *key = rsa_key(parent->modulus, parent->exponent);
    enum crypto_hash hash =
            parent->modulus.len == 256 ? CRYPTO_SHA256 : CRYPTO_SHA384;

    if (!key || parent->usage != SNP_LEGACY_ARK ||
            !span_eq(child->signer_id, parent->key_id) ||
            child->signature.len != parent->modulus.len ||
            !rsa_holds(key, hash, child->body, child->signature))
        return err_set(err, ERR_MISMATCH,
                "SEV: the %s is not signed by the ARK",
                snp_legacy_name(child->usage));
    return 0;
}

static int check_usages(const struct snp_legacy *pdh,
        const struct snp_legacy *pek, const struct snp_legacy *oca,
        const struct snp_legacy *cek, struct err *err)
{
    if (pdh->usage != SNP_LEGACY_PDH || pek->usage != SNP_LEGACY_PEK ||
            oca->usage != SNP_LEGACY_OCA || cek->usage != SNP_LEGACY_CEK)
        return err_set(err, ERR_MISMATCH,
                "SEV: a certificate is not the one it is given for");
    return 0;
}

int snp_legacy_chain(const struct snp_legacy *pdh, const struct snp_legacy *pek,
        const struct snp_legacy *oca, const struct snp_legacy *cek,
        const struct snp_legacy_ca *ask, const struct snp_legacy_ca *ark,
        bool *ret_amd, struct err *err)
{
    int rc = check_usages(pdh, pek, oca, cek, err);

    if (rc == 0)
        rc = snp_legacy_signed(pdh, pek, err);
    if (rc == 0)
        rc = snp_legacy_signed(pek, cek, err);
    if (rc == 0)
        rc = snp_legacy_signed(pek, oca, err);
    if (rc == 0)
        rc = snp_legacy_signed(oca, oca, err);
    if (rc == 0 && ask && ark) {
        if (ask->usage != SNP_LEGACY_ASK || ark->usage != SNP_LEGACY_ARK)
            return err_set(err, ERR_MISMATCH, "SEV: not an ASK and an ARK");
        rc = snp_legacy_signed_by_ca(cek, ask, err);
        if (rc == 0)
            rc = snp_legacy_ca_signed(ask, ark, err);
        if (rc == 0 && ark->signature.len > 0)
            rc = snp_legacy_ca_signed(ark, ark, err);
    }
    if (rc)
        return rc;
    *ret_amd = ask && ark;
    return 0;
}

/* ---- the launch -------------------------------------------------------------
 */

#define MEASURE_CONTEXT 0x04

void snp_legacy_measure(const struct snp_legacy_measure *m,
        const uint8_t tik[static 16], uint8_t ret[static 32])
{
    uint8_t data[8 + 32 + 16];
    struct wire_writer w = wire_writer_of(data, sizeof(data));

    wire_put_u8(&w, MEASURE_CONTEXT);
    wire_put_u8(&w, m->api_major);
    wire_put_u8(&w, m->api_minor);
    wire_put_u8(&w, m->build);
    wire_put_u32le(&w, m->policy);
    wire_put_bytes(&w, m->digest, sizeof(m->digest));
    wire_put_bytes(&w, m->mnonce, sizeof(m->mnonce));
    crypto_hmac(CRYPTO_SHA256, SPAN(tik, 16), SPAN_OF(data), ret);
}

int snp_legacy_measure_check(const struct snp_legacy_measure *m,
        const uint8_t tik[static 16], struct span mac, struct err *err)
{
    uint8_t want[32];

    snp_legacy_measure(m, tik, want);
    if (!span_eq_ct(mac, SPAN_OF(want)))
        return err_set(err, ERR_MISMATCH,
                "LAUNCH_MEASURE: the guest was not started from that");
    return 0;
}
