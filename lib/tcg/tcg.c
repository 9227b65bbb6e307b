/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms, PCR selections and PCR values (TPM 2.0 Part 2). */
#include "tcg_private.h"

#include <stdio.h>

static const struct {
    uint16_t alg;
    const char *name;
    bool is_hash;
    enum crypto_hash hash;
} algs[] = {
        {TCG_ALG_SHA1, "sha1", true, CRYPTO_SHA1},
        {TCG_ALG_SHA256, "sha256", true, CRYPTO_SHA256},
        {TCG_ALG_SHA384, "sha384", true, CRYPTO_SHA384},
        {TCG_ALG_SHA512, "sha512", true, CRYPTO_SHA512},
        {TCG_ALG_SM3, "sm3", false, CRYPTO_SHA1},
        {TCG_ALG_RSA, "rsa", false, CRYPTO_SHA1},
        {TCG_ALG_AES, "aes", false, CRYPTO_SHA1},
        {TCG_ALG_KEYEDHASH, "keyedhash", false, CRYPTO_SHA1},
        {TCG_ALG_NULL, "null", false, CRYPTO_SHA1},
        {TCG_ALG_RSASSA, "rsassa", false, CRYPTO_SHA1},
        {TCG_ALG_RSAPSS, "rsapss", false, CRYPTO_SHA1},
        {TCG_ALG_ECDSA, "ecdsa", false, CRYPTO_SHA1},
        {TCG_ALG_ECC, "ecc", false, CRYPTO_SHA1},
        {TCG_ALG_CFB, "cfb", false, CRYPTO_SHA1},
};

bool tcg_hash(uint16_t alg, enum crypto_hash *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg && algs[i].is_hash) {
            *ret = algs[i].hash;
            return true;
        }
    }
    return false;
}

const char *tcg_alg_name(uint16_t alg)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg)
            return algs[i].name;
    }
    return "unknown";
}

bool tcg_pad(struct span v, uint8_t *ret, size_t size)
{
    while (v.len > size && v.ptr[0] == 0)
        v = SPAN(v.ptr + 1, v.len - 1);
    if (v.len > size)
        return false;
    memset(ret, 0, size - v.len);
    if (v.len > 0)
        memcpy(ret + size - v.len, v.ptr, v.len);
    return true;
}

/* ---- PCR selections (10.9.7) ----------------------------------------- */

static bool has_bank(const struct tcg_selection *s, uint16_t alg)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->bank[i].alg == alg)
            return true;
    }
    return false;
}

/*
 * TPMS_PCR_SELECTION.  A PC Client writes three bytes, chips with 32 PCRs four,
 * and those with fewer banks of interest less; PCRs beyond 23 have no meaning
 * that a verifier could know.
 */
static enum tcg_why get_bank(struct wire_reader *r, struct tcg_bank *ret)
{
    struct tcg_bank b = {0};
    struct span map;

    if (!wire_get_u16be(r, &b.alg) || !wire_get_vec8(r, &map))
        return TCG_WHY_LENGTH;
    if (map.len < 1 || map.len > 4)
        return TCG_WHY_SELECT;
    for (size_t i = 0; i < map.len; i++)
        b.pcrs |= (uint32_t)map.ptr[i] << (8 * i);
    if (b.pcrs >> TCG_PCRS)
        return TCG_WHY_SELECT;
    *ret = b;
    return TCG_WHY_NONE;
}

enum tcg_why tcg_selection_parse(
        struct wire_reader *r, struct tcg_selection *ret, bool *ret_twice)
{
    struct wire_reader at = *r;
    struct tcg_selection s = {0};
    bool twice = false;
    uint32_t count;

    if (!wire_get_u32be(&at, &count))
        return TCG_WHY_LENGTH;
    if (count > TCG_BANKS_MAX)
        return TCG_WHY_COUNT;
    for (uint32_t i = 0; i < count; i++) {
        struct tcg_bank b;
        enum tcg_why why = get_bank(&at, &b);

        if (why != TCG_WHY_NONE)
            return why;
        twice = twice || has_bank(&s, b.alg);
        s.bank[s.n++] = b;
    }
    *ret = s;
    *ret_twice = twice;
    *r = at;
    return TCG_WHY_NONE;
}

bool tcg_get_selection(struct wire_reader *r, struct tcg_selection *ret)
{
    struct wire_reader at = *r;
    struct tcg_selection s;
    bool twice;

    if (tcg_selection_parse(&at, &s, &twice) != TCG_WHY_NONE || twice)
        return false;
    *ret = s;
    *r = at;
    return true;
}

void tcg_put_selection(struct wire_writer *w, const struct tcg_selection *s)
{
    wire_put_u32be(w, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        wire_put_u16be(w, s->bank[i].alg);
        wire_put_u8(w, TCG_PCRS / 8);
        for (unsigned j = 0; j < TCG_PCRS / 8; j++)
            wire_put_u8(w, (uint8_t)(s->bank[i].pcrs >> (8 * j)));
    }
}

bool tcg_selection_eq(
        const struct tcg_selection *a, const struct tcg_selection *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->bank[i].alg != b->bank[i].alg ||
                a->bank[i].pcrs != b->bank[i].pcrs)
            return false;
    }
    return true;
}

bool tcg_selection_covers(
        const struct tcg_selection *a, const struct tcg_selection *b)
{
    for (size_t i = 0; i < b->n; i++) {
        uint32_t pcrs = 0;

        for (size_t j = 0; j < a->n; j++)
            if (a->bank[j].alg == b->bank[i].alg)
                pcrs |= a->bank[j].pcrs;
        if (b->bank[i].pcrs & ~pcrs)
            return false;
    }
    return true;
}

bool tcg_selects(const struct tcg_selection *s, uint16_t alg, unsigned pcr)
{
    if (pcr >= TCG_PCRS)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        if (s->bank[i].alg == alg)
            return (s->bank[i].pcrs >> pcr) & 1;
    }
    return false;
}

size_t tcg_selection_count(const struct tcg_selection *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += (size_t)__builtin_popcount(s->bank[i].pcrs);
    return n;
}

void tcg_format_selection(
        const struct tcg_selection *s, char ret[static TCG_SELECTION_TEXT])
{
    size_t at = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < s->n; i++) {
        char sep = ':';

        at += (size_t)snprintf(ret + at, TCG_SELECTION_TEXT - at, "%s%s",
                i ? "+" : "", tcg_alg_name(s->bank[i].alg));
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            at += (size_t)snprintf(
                    ret + at, TCG_SELECTION_TEXT - at, "%c%u", sep, p);
            sep = ',';
        }
    }
}

/* ---- PCR values ------------------------------------------------------ */

bool tcg_values_fit(const struct tcg_selection *s, const struct tcg_values *v)
{
    size_t at = 0;

    if (v->n != tcg_selection_count(s))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        enum crypto_hash hash;

        if (!tcg_hash(s->bank[i].alg, &hash))
            return false;
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            if (v->value[at++].len != crypto_hash_size(hash))
                return false;
        }
    }
    return true;
}

bool tcg_value(const struct tcg_selection *s, const struct tcg_values *v,
        uint16_t alg, unsigned pcr, struct span *ret)
{
    size_t at = 0;

    for (size_t i = 0; i < s->n; i++) {
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            if (at >= v->n)
                return false;
            if (s->bank[i].alg == alg && p == pcr) {
                *ret = v->value[at];
                return true;
            }
            at++;
        }
    }
    return false;
}

int tcg_pcr_digest(
        const struct tcg_values *v, enum crypto_hash hash, uint8_t *ret)
{
    uint8_t all[TCG_VALUES_MAX * CRYPTO_HASH_MAX];
    struct wire_writer w = wire_writer_of(all, sizeof(all));
    struct span s;

    for (size_t i = 0; i < v->n; i++)
        wire_put_bytes(&w, v->value[i].ptr, v->value[i].len);
    if (!wire_finish(&w, &s))
        return ERR_LIMIT;
    crypto_hash(hash, s, ret);
    return 0;
}

int tcg_values_of_claims(const struct tcg_selection *s,
        const struct tcg_claim *claims, size_t n, struct tcg_values *ret)
{
    struct tcg_values v = {0};

    for (size_t i = 0; i < s->n; i++) {
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            const struct tcg_claim *found = NULL;

            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            for (size_t j = 0; j < n; j++) {
                if (claims[j].alg != s->bank[i].alg || claims[j].pcr != p)
                    continue;
                if (found)
                    return ERR_NOT_FOUND;
                found = &claims[j];
            }
            if (!found || v.n == TCG_VALUES_MAX)
                return ERR_NOT_FOUND;
            v.value[v.n++] = found->value;
        }
    }
    if (!tcg_values_fit(s, &v))
        return ERR_NOT_FOUND;
    *ret = v;
    return 0;
}
