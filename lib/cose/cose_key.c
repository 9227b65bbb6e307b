/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Key: RFC 9052, 7, with the parameters of RFC 9053, 7 and RFC 8230, 4. */
#include "cose_private.h"

enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3, CRV_ED25519 = 6 };

enum { F_KTY, F_ALG, F_MINUS_1, F_MINUS_2, F_MINUS_3, F_MINUS_4, F_N };

static struct crypto_pub *key_okp(const struct cbor_field *f)
{
    struct wire_reader crv = f[F_MINUS_1].value, x = f[F_MINUS_2].value;
    struct span raw;
    uint64_t curve;

    if (!f[F_MINUS_1].present || !f[F_MINUS_2].present || f[F_MINUS_3].present)
        return NULL;
    if (!cbor_get_uint(&crv, &curve) || curve != CRV_ED25519 ||
            !cbor_get_bytes(&x, &raw) || raw.len != 32)
        return NULL;
    return crypto_pub_ed25519(raw.ptr);
}

static struct crypto_pub *key_ec2(const struct cbor_field *f)
{
    static const struct {
        enum crypto_key_type type;
        size_t size;
    } curves[] = {{CRYPTO_P256, 32}, {CRYPTO_P384, 48}, {CRYPTO_P521, 66}};
    struct wire_reader crv = f[F_MINUS_1].value, rx = f[F_MINUS_2].value,
                       ry = f[F_MINUS_3].value;
    struct span x, y;
    uint64_t curve;

    if (!f[F_MINUS_1].present || !f[F_MINUS_2].present || !f[F_MINUS_3].present)
        return NULL;
    if (!cbor_get_uint(&crv, &curve) || curve < 1 ||
            curve > ARRAY_LEN(curves) || !cbor_get_bytes(&rx, &x) ||
            !cbor_get_bytes(&ry, &y))
        return NULL;
    /* RFC 9053, 7.1.1: coordinates have the length of the field */
    if (x.len != curves[curve - 1].size || y.len != x.len)
        return NULL;
    return crypto_pub_ec(curves[curve - 1].type, x, y);
}

static struct crypto_pub *key_rsa(const struct cbor_field *f)
{
    struct wire_reader rn = f[F_MINUS_1].value, re = f[F_MINUS_2].value;
    struct span n, e;
    uint32_t exponent = 0;

    if (!f[F_MINUS_1].present || !f[F_MINUS_2].present || f[F_MINUS_3].present)
        return NULL;
    if (!cbor_get_bytes(&rn, &n) || !cbor_get_bytes(&re, &e) || n.len == 0 ||
            n.ptr[0] == 0 || e.len == 0 || e.len > 4 || e.ptr[0] == 0)
        return NULL;
    for (size_t i = 0; i < e.len; i++)
        exponent = exponent << 8 | e.ptr[i];
    return crypto_pub_rsa(n, exponent);
}

/* RFC 9052, 7.1: a key that names its algorithm is for no other. */
static bool is_alg_of(const struct crypto_pub *k, struct wire_reader alg)
{
    const struct cose_alg_row *row;
    int64_t v;

    if (!cbor_get_int(&alg, &v))
        return false;
    row = cose_alg_find(v);
    return row && row->key == crypto_pub_type(k);
}

int cose_key_parse(struct span key, enum cbor_order order,
        struct crypto_pub **ret, struct err *err)
{
    static struct crypto_pub *(*const of_kty[])(const struct cbor_field *) = {
            [KTY_OKP] = key_okp, [KTY_EC2] = key_ec2, [KTY_RSA] = key_rsa};
    struct cbor_field f[F_N] = {
            [F_KTY] = {.key = 1, .name = "kty", .required = true},
            [F_ALG] = {.key = 3, .name = "alg"},
            [F_MINUS_1] = {.key = -1, .name = "-1"},
            [F_MINUS_2] = {.key = -2, .name = "-2"},
            [F_MINUS_3] = {.key = -3, .name = "-3"},
            [F_MINUS_4] = {.key = -4, .name = "-4"}};
    struct wire_reader r = wire_reader_of(key);
    struct cbor_unknown unknown;
    struct crypto_pub *k;
    uint64_t kty;
    int rc;

    rc = cbor_check(key, order, err);
    if (rc == 0)
        rc = cbor_get_fields(&r, "COSE_Key", f, F_N, &unknown, err);
    if (rc)
        return rc;
    if (!cbor_get_uint(&f[F_KTY].value, &kty) || kty >= ARRAY_LEN(of_kty) ||
            !of_kty[kty])
        return err_set(
                err, ERR_UNSUPPORTED, "COSE_Key: not a key type of ours");
    if (f[F_MINUS_4].present) /* d of OKP and EC2; with -3 (d), p of RSA */
        return err_set(err, ERR_DENIED, "COSE_Key: a private key");
    k = of_kty[kty](f);
    if (!k)
        return err_set(err, ERR_SYNTAX, "COSE_Key: not a key");
    if (f[F_ALG].present && !is_alg_of(k, f[F_ALG].value)) {
        crypto_pub_free(k);
        return err_set(
                err, ERR_MISMATCH, "COSE_Key: its algorithm is another one");
    }
    *ret = k;
    return 0;
}
