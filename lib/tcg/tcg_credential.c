/* SPDX-License-Identifier: Apache-2.0 */
/* MakeCredential in software (TPM 2.0 Part 1, 24 and annexes B.10, C.6). */
#include "tcg_private.h"

#define LABEL "IDENTITY"

int tcg_credential_kdfa(enum crypto_hash hash, struct span key,
        const char *label, struct span context, uint32_t bits, uint8_t *ret)
{
    uint8_t buf[4 + 16 + TCG_NAME_MAX + 4];
    uint8_t mac[CRYPTO_HASH_MAX];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct span msg = SPAN_EMPTY;

    wire_put_u32be(&w, 1);
    wire_put_bytes(&w, (const uint8_t *)label, strlen(label) + 1);
    wire_put_bytes(&w, context.ptr, context.len);
    wire_put_u32be(&w, bits);
    if (!wire_finish(&w, &msg) || bits % 8 || bits / 8 > crypto_hash_size(hash))
        return ERR_LIMIT;
    crypto_hmac(hash, key, msg, mac);
    memcpy(ret, mac, bits / 8);
    secret_wipe(mac, sizeof(mac));
    return 0;
}

/* Names are bounded by TCG_NAME_MAX and labels are ours. */
static void kdfa(enum crypto_hash hash, struct span key, const char *label,
        struct span context, uint32_t bits, uint8_t *ret)
{
    if (tcg_credential_kdfa(hash, key, label, context, bits, ret) != 0)
        __builtin_trap();
}

/* KDFe (Part 1, 11.4.10.3) for one hash of output. */
static void kdfe(enum crypto_hash hash, struct span z, struct span u,
        struct span v, uint8_t *ret)
{
    uint8_t buf[4 + 3 * TCG_COORDINATE_MAX + sizeof(LABEL)];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct span msg = SPAN_EMPTY;

    wire_put_u32be(&w, 1);
    wire_put_bytes(&w, z.ptr, z.len);
    wire_put_bytes(&w, (const uint8_t *)LABEL, sizeof(LABEL));
    wire_put_bytes(&w, u.ptr, u.len);
    wire_put_bytes(&w, v.ptr, v.len);
    if (!wire_finish(&w, &msg))
        __builtin_trap();
    crypto_hash(hash, msg, ret);
    secret_wipe(buf, sizeof(buf));
}

int tcg_credential_wrap(const struct tcg_public *ek,
        const struct tcg_name *ak_name, struct span secret, struct span seed,
        struct tcg_credential *ret)
{
    struct span name = SPAN(ak_name->bytes, ak_name->len);
    uint8_t sym[32], mac_key[CRYPTO_HASH_MAX], mac[CRYPTO_HASH_MAX];
    uint8_t plain[2 + TCG_SECRET_MAX], enc[2 + TCG_SECRET_MAX];
    uint8_t signed_[sizeof(enc) + TCG_NAME_MAX];
    struct wire_writer w = wire_writer_of(plain, sizeof(plain));
    enum crypto_hash hash;
    struct span s;
    size_t h;
    int r;

    if (!tcg_hash(ek->name_alg, &hash))
        return ERR_UNSUPPORTED;
    h = crypto_hash_size(hash);
    if (seed.len != h || ek->symmetric_bits / 8 > sizeof(sym) ||
            ek->symmetric_bits / 8 > h || secret.len > TCG_SECRET_MAX ||
            ak_name->len > TCG_NAME_MAX)
        return ERR_LIMIT;
    wire_put_vec16be(&w, secret);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    kdfa(hash, seed, "STORAGE", name, ek->symmetric_bits, sym);
    r = crypto_aes_cfb_encrypt(SPAN(sym, ek->symmetric_bits / 8), s, enc);
    secret_wipe(sym, sizeof(sym));
    secret_wipe(plain, sizeof(plain));
    if (r != 0)
        return r;
    memcpy(signed_, enc, s.len);
    memcpy(signed_ + s.len, name.ptr, name.len);
    kdfa(hash, seed, "INTEGRITY", SPAN_EMPTY, (uint32_t)(8 * h), mac_key);
    crypto_hmac(hash, SPAN(mac_key, h), SPAN(signed_, s.len + name.len), mac);
    secret_wipe(mac_key, sizeof(mac_key));
    w = wire_writer_of(ret->blob, sizeof(ret->blob));
    wire_put_u16be(&w, (uint16_t)(2 + h + s.len));
    wire_put_vec16be(&w, SPAN(mac, h));
    wire_put_bytes(&w, enc, s.len);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    ret->blob_len = s.len;
    return 0;
}

static int protect_rsa(const struct crypto_pub *pub, enum crypto_hash hash,
        struct span seed, struct tcg_credential *ret)
{
    uint8_t enc[512];
    struct wire_writer w = wire_writer_of(ret->secret, sizeof(ret->secret));
    struct span s;
    size_t len;
    int r = crypto_rsa_oaep(pub, hash, SPAN(LABEL, sizeof(LABEL)), seed, enc,
            sizeof(enc), &len);

    if (r != 0)
        return r;
    wire_put_vec16be(&w, SPAN(enc, len));
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    ret->secret_len = s.len;
    return 0;
}

/* TPMS_ECC_POINT of an ephemeral key; the seed comes out of the agreement. */
static int protect_ecc(const struct tcg_public *ek,
        const struct crypto_pub *pub, enum crypto_hash hash, uint8_t *ret_seed,
        struct tcg_credential *ret)
{
    size_t n = tcg_curve_size(ek->curve);
    uint8_t z[TCG_COORDINATE_MAX], x[TCG_COORDINATE_MAX];
    uint8_t y[TCG_COORDINATE_MAX], ek_x[TCG_COORDINATE_MAX];
    struct wire_writer w = wire_writer_of(ret->secret, sizeof(ret->secret));
    struct span s;
    int r;

    if (n == 0 || !tcg_pad(ek->x, ek_x, n))
        return ERR_UNSUPPORTED;
    r = crypto_ecdh_ephemeral(pub, z, x, y, n);
    if (r != 0)
        return r;
    kdfe(hash, SPAN(z, n), SPAN(x, n), SPAN(ek_x, n), ret_seed);
    secret_wipe(z, sizeof(z));
    wire_put_u16be(&w, (uint16_t)(2 * (2 + n)));
    wire_put_vec16be(&w, SPAN(x, n));
    wire_put_vec16be(&w, SPAN(y, n));
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    ret->secret_len = s.len;
    return 0;
}

int tcg_credential_make(const struct tcg_public *ek,
        const struct tcg_name *ak_name, struct span secret, struct span seed,
        struct tcg_credential *ret, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;
    struct tcg_credential c = {0};
    uint8_t agreed[CRYPTO_HASH_MAX];
    enum crypto_hash hash;
    int r = tcg_check_ek(ek, err);

    if (r != 0)
        return err_prefix(err, r, "endorsement key");
    pub = tcg_pub(ek);
    if (!pub || !tcg_hash(ek->name_alg, &hash))
        return err_set(err, ERR_UNSUPPORTED, "endorsement key is not usable");
    if (ek->type == TCG_ALG_RSA) {
        r = protect_rsa(pub, hash, seed, &c);
    } else {
        r = protect_ecc(ek, pub, hash, agreed, &c);
        seed = SPAN(agreed, crypto_hash_size(hash));
    }
    if (r == 0)
        r = tcg_credential_wrap(ek, ak_name, secret, seed, &c);
    secret_wipe(agreed, sizeof(agreed));
    if (r != 0)
        return err_set(err, r, "credential could not be made");
    *ret = c;
    return 0;
}
