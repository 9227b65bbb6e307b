/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas of keys: TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4). */
#include "tcg_private.h"

/* TPMA_OBJECT bits that must be zero: 0, 3, 15:12 and 31:20 (8.3.2). */
#define ATTRIBUTES_RESERVED 0xfff0f009u
#define ALG_RSAES           0x0015
#define ALG_OAEP            0x0017
#define ALG_ECDH            0x0019
#define RSA_EXPONENT        65537u

size_t tcg_curve_size(uint16_t curve)
{
    return curve == TCG_CURVE_P256   ? 32
           : curve == TCG_CURVE_P384 ? 48
           : curve == TCG_CURVE_P521 ? 66
                                     : 0;
}

/* TPMT_SYM_DEF_OBJECT (11.1.7) */
static bool get_symmetric(struct wire_reader *r, struct tcg_public *p)
{
    if (!wire_get_u16be(r, &p->symmetric))
        return false;
    if (p->symmetric == TCG_ALG_NULL)
        return true;
    return p->symmetric == TCG_ALG_AES &&
           wire_get_u16be(r, &p->symmetric_bits) &&
           wire_get_u16be(r, &p->symmetric_mode);
}

/* TPMT_RSA_SCHEME, TPMT_ECC_SCHEME (11.2): all but RSAES name a hash. */
static bool get_scheme(struct wire_reader *r, struct tcg_public *p)
{
    static const uint16_t known[] = {
            TCG_ALG_RSASSA, TCG_ALG_RSAPSS, TCG_ALG_ECDSA, ALG_OAEP, ALG_ECDH};

    if (!wire_get_u16be(r, &p->scheme))
        return false;
    if (p->scheme == TCG_ALG_NULL || p->scheme == ALG_RSAES)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (p->scheme == known[i])
            return wire_get_u16be(r, &p->scheme_hash);
    }
    return false;
}

static bool get_rsa(struct wire_reader *r, struct tcg_public *p)
{
    if (!get_symmetric(r, p) || !get_scheme(r, p) ||
            !wire_get_u16be(r, &p->rsa_bits) ||
            !wire_get_u32be(r, &p->exponent) || !wire_get_vec16be(r, &p->x))
        return false;
    if (p->exponent == 0)
        p->exponent = RSA_EXPONENT;
    return p->rsa_bits >= 1024 && p->rsa_bits <= 4096 &&
           p->x.len * 8 == p->rsa_bits;
}

static bool get_ecc(struct wire_reader *r, struct tcg_public *p)
{
    uint16_t kdf, kdf_hash;

    if (!get_symmetric(r, p) || !get_scheme(r, p) ||
            !wire_get_u16be(r, &p->curve) || !wire_get_u16be(r, &kdf))
        return false;
    if (kdf != TCG_ALG_NULL && !wire_get_u16be(r, &kdf_hash))
        return false;
    if (!wire_get_vec16be(r, &p->x) || !wire_get_vec16be(r, &p->y))
        return false;
    return p->x.len <= 66 && p->y.len <= 66; /* P-521 */
}

static bool policy_fits(const struct tcg_public *p)
{
    enum crypto_hash hash;

    return p->policy.len == 0 ||
           (tcg_hash(p->name_alg, &hash) &&
                   p->policy.len == crypto_hash_size(hash));
}

int tcg_public(struct span bytes, struct tcg_public *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct tcg_public p = {.bytes = bytes};
    bool ok;

    if (!wire_get_u16be(&r, &p.type) || !wire_get_u16be(&r, &p.name_alg) ||
            !wire_get_u32be(&r, &p.attributes) ||
            !wire_get_vec16be(&r, &p.policy))
        return err_set(err, ERR_SYNTAX, "public area cut short");
    if (p.type != TCG_ALG_RSA && p.type != TCG_ALG_ECC)
        return err_set(err, ERR_UNSUPPORTED,
                "public area of type %04x is not a key known here", p.type);
    ok = p.type == TCG_ALG_RSA ? get_rsa(&r, &p) : get_ecc(&r, &p);
    if (!ok || !wire_end(&r))
        return err_set(err, ERR_SYNTAX, "public area is malformed");
    if ((p.attributes & ATTRIBUTES_RESERVED) || !policy_fits(&p))
        return err_set(err, ERR_SYNTAX, "public area has an impossible value");
    *ret = p;
    return 0;
}

struct crypto_pub *tcg_pub(const struct tcg_public *p)
{
    uint8_t x[TCG_COORDINATE_MAX], y[TCG_COORDINATE_MAX];
    size_t n = tcg_curve_size(p->curve);

    if (p->type == TCG_ALG_RSA)
        return crypto_pub_rsa(p->x, p->exponent);
    if (n == 0 || !tcg_pad(p->x, x, n) || !tcg_pad(p->y, y, n))
        return NULL;
    return crypto_pub_ec(n == 32   ? CRYPTO_P256
                         : n == 48 ? CRYPTO_P384
                                   : CRYPTO_P521,
            SPAN(x, n), SPAN(y, n));
}

int tcg_name(const struct tcg_public *p, struct tcg_name *ret)
{
    enum crypto_hash hash;

    if (!tcg_hash(p->name_alg, &hash))
        return ERR_UNSUPPORTED;
    ret->bytes[0] = (uint8_t)(p->name_alg >> 8);
    ret->bytes[1] = (uint8_t)p->name_alg;
    crypto_hash(hash, p->bytes, ret->bytes + 2);
    ret->len = 2 + crypto_hash_size(hash);
    return 0;
}

/* Hash that may decide something: known here and not SHA-1. */
static bool is_strong(uint16_t alg)
{
    enum crypto_hash hash;

    return tcg_hash(alg, &hash) && hash != CRYPTO_SHA1;
}

static bool is_strong_key(const struct tcg_public *p)
{
    return p->type == TCG_ALG_RSA
                   ? p->rsa_bits >= 2048 && p->exponent == RSA_EXPONENT
                   : tcg_curve_size(p->curve) != 0;
}

#define ATTRIBUTES_FIXED (TCG_FIXED_TPM | TCG_FIXED_PARENT | TCG_SENSITIVE_ORIG)

struct attribute_rule {
    uint32_t bit;
    bool set;
    const char *says;
    enum tcg_why why;
};

static int check_attributes(const struct tcg_public *p,
        const struct attribute_rule *rules, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (((p->attributes & rules[i].bit) == rules[i].bit) != rules[i].set)
            return err_set(err, ERR_DENIED, "the key %s", rules[i].says);
    }
    return 0;
}

static const struct attribute_rule ak_rules[] = {
        {TCG_RESTRICTED, true,
                "is not restricted: it would sign a forged quote",
                TCG_WHY_AK_NOT_RESTRICTED},
        {TCG_SIGN, true, "is not for signing", TCG_WHY_AK_NOT_SIGNING},
        {TCG_DECRYPT, false, "can decrypt", TCG_WHY_AK_DECRYPTS},
        {ATTRIBUTES_FIXED, true, "is not made in and fixed to one TPM",
                TCG_WHY_AK_NOT_FIXED},
};

static bool is_scheme_of(const struct tcg_public *p)
{
    return p->type == TCG_ALG_ECC
                   ? p->scheme == TCG_ALG_ECDSA
                   : p->scheme == TCG_ALG_RSASSA || p->scheme == TCG_ALG_RSAPSS;
}

uint32_t tcg_ak_reasons(const struct tcg_public *p)
{
    uint32_t why = 0;

    for (size_t i = 0; i < ARRAY_LEN(ak_rules); i++) {
        const struct attribute_rule *r = &ak_rules[i];

        if (((p->attributes & r->bit) == r->bit) != r->set)
            why |= 1u << r->why;
    }
    if (!is_scheme_of(p))
        why |= 1u << TCG_WHY_AK_SCHEME;
    else if (!is_strong(p->scheme_hash))
        why |= 1u << TCG_WHY_AK_WEAK;
    if (!is_strong(p->name_alg) || !is_strong_key(p))
        why |= 1u << TCG_WHY_AK_WEAK;
    return why;
}

int tcg_check_ak(const struct tcg_public *p, struct err *err)
{
    int r = check_attributes(p, ak_rules, ARRAY_LEN(ak_rules), err);

    if (r != 0)
        return r;
    if (!is_scheme_of(p))
        return err_set(err, ERR_DENIED, "the key has no signing scheme");
    if (!is_strong(p->scheme_hash) || !is_strong(p->name_alg))
        return err_set(err, ERR_DENIED,
                "the key uses %s and is named by %s, which is not accepted",
                tcg_alg_name(p->scheme_hash), tcg_alg_name(p->name_alg));
    if (!is_strong_key(p))
        return err_set(err, ERR_DENIED, "the key's size or curve is unfit");
    return 0;
}

int tcg_check_ek(const struct tcg_public *p, struct err *err)
{
    static const struct attribute_rule rules[] = {
            {TCG_RESTRICTED, true, "is not restricted", TCG_WHY_NONE},
            {TCG_DECRYPT, true, "is not for decrypting", TCG_WHY_NONE},
            {TCG_SIGN, false, "can sign", TCG_WHY_NONE},
            {ATTRIBUTES_FIXED, true, "is not made in and fixed to one TPM",
                    TCG_WHY_NONE},
    };
    int r = check_attributes(p, rules, ARRAY_LEN(rules), err);

    if (r != 0)
        return r;
    if (!is_strong(p->name_alg) || !is_strong_key(p))
        return err_set(err, ERR_DENIED,
                "the key's size, curve or name is "
                "unfit");
    if (p->symmetric != TCG_ALG_AES || p->symmetric_mode != TCG_ALG_CFB ||
            (p->symmetric_bits != 128 && p->symmetric_bits != 256))
        return err_set(err, ERR_DENIED, "the key does not protect with AES");
    return 0;
}

int tcg_signer_public(
        const struct crypto_pub *k, uint8_t *ret, size_t cap, size_t *ret_len)
{
    struct wire_writer w = wire_writer_of(ret, cap);
    uint8_t point[65];
    size_t len;
    struct span done;

    if (crypto_pub_type(k) != CRYPTO_P256 ||
            crypto_pub_raw(k, point, sizeof(point), &len) != 0 || len != 65)
        return ERR_UNSUPPORTED;
    wire_put_u16be(&w, TCG_ALG_ECC);
    wire_put_u16be(&w, TCG_ALG_SHA256);
    wire_put_u32be(&w, TCG_USER_WITH_AUTH | TCG_SIGN);
    wire_put_vec16be(&w, SPAN_EMPTY); /* authPolicy */
    wire_put_u16be(&w, TCG_ALG_NULL); /* symmetric */
    wire_put_u16be(&w, TCG_ALG_NULL); /* scheme */
    wire_put_u16be(&w, TCG_CURVE_P256);
    wire_put_u16be(&w, TCG_ALG_NULL); /* kdf */
    wire_put_vec16be(&w, SPAN(point + 1, 32));
    wire_put_vec16be(&w, SPAN(point + 33, 32));
    if (!wire_finish(&w, &done))
        return ERR_LIMIT;
    *ret_len = done.len;
    return 0;
}
