/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and integrity registers (draft, 5.1.4.7 and 7.7). */
#include "corim_private.h"

int corim_bad(const struct corim_value *v, struct err *err)
{
    return err_set(err, ERR_SYNTAX, "CoRIM: a measured %s of another form",
            corim_type_name(v->type));
}

/* Named Information registry; the COSE numbers that tools use for the same. */
static const struct {
    int64_t written;
    enum corim_alg alg;
    const char *text;
    size_t size;
} hashes[] = {
        {1, CORIM_ALG_SHA256, "sha-256", 32},
        {2, 2, "sha-256-128", 16},
        {3, 3, "sha-256-120", 15},
        {4, 4, "sha-256-96", 12},
        {5, 5, "sha-256-64", 8},
        {6, 6, "sha-256-32", 4},
        {7, CORIM_ALG_SHA384, "sha-384", 48},
        {8, CORIM_ALG_SHA512, "sha-512", 64},
        {9, 9, "sha3-224", 28},
        {10, 10, "sha3-256", 32},
        {11, 11, "sha3-384", 48},
        {12, 12, "sha3-512", 64},
        {-16, CORIM_ALG_SHA256, "SHA-256", 32},
        {-43, CORIM_ALG_SHA384, "SHA-384", 48},
        {-44, CORIM_ALG_SHA512, "SHA-512", 64},
};

const char *corim_alg_name(uint64_t alg)
{
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if ((uint64_t)hashes[i].alg == alg)
            return hashes[i].text;
    }
    return NULL;
}

/* Index into hashes; ARRAY_LEN when unknown; false when not an algorithm. */
static bool get_alg(struct wire_reader *r, size_t *ret)
{
    struct span text = SPAN_EMPTY;
    int64_t number = 0;
    size_t i;

    if (!cbor_get_int(r, &number) && !cbor_get_text(r, &text))
        return false;
    for (i = 0; i < ARRAY_LEN(hashes); i++) {
        if (text.ptr ? span_eq_str(text, hashes[i].text)
                     : hashes[i].written == number)
            break;
    }
    *ret = i;
    return true;
}

/* [alg, value] */
static int get_digest(
        struct wire_reader *r, struct corim_value *v, struct err *err)
{
    struct wire_reader in;
    size_t i;

    if (!cbor_get_array(r, &in) || !get_alg(&in, &i) ||
            !cbor_get_bytes(&in, &v->bytes) || !wire_end(&in) ||
            v->bytes.len == 0)
        return corim_bad(v, err);
    v->alg = CORIM_ALG_UNKNOWN;
    if (i == ARRAY_LEN(hashes))
        return 0;
    v->alg = hashes[i].alg;
    if (v->bytes.len != hashes[i].size)
        return err_set(err, ERR_SYNTAX, "CoRIM: a digest of %zu bytes for %s",
                v->bytes.len, hashes[i].text);
    return 0;
}

/* One object in several algorithms: each of them once (draft, 7.7). */
int corim_get_digests(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    struct wire_reader list;
    uint32_t seen = 0;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return corim_bad(v, err);
    while (rc == 0 && !wire_end(&list)) {
        rc = get_digest(&list, v, err);
        if (rc == 0 && v->alg != CORIM_ALG_UNKNOWN && (seen >> v->alg & 1))
            rc = err_set(err, ERR_SYNTAX,
                    "CoRIM: two digests of one thing in one algorithm");
        seen |= 1u << v->alg;
        if (rc == 0)
            rc = corim_add_value(c, v, err);
    }
    return rc;
}

int corim_get_registers(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err)
{
    struct wire_reader map;
    struct span key, value;
    int rc = 0;

    if (!cbor_get_map(&r, &map) || wire_end(&map))
        return corim_bad(v, err);
    while (rc == 0 && !wire_end(&map)) {
        if (!cbor_get_item(&map, &key) || !cbor_get_item(&map, &value))
            return corim_bad(v, err);
        rc = corim_get_mkey(wire_reader_of(key), &v->reg, err);
        if (rc == 0 && v->reg.type != CORIM_MKEY_UINT &&
                v->reg.type != CORIM_MKEY_TEXT)
            rc = corim_bad(v, err);
        if (rc == 0)
            rc = corim_get_digests(c, wire_reader_of(value), v, err);
    }
    return rc;
}
