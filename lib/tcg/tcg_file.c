/* SPDX-License-Identifier: Apache-2.0 */
/* Files as tpm2-tools and others write them. */
#include "tcg_private.h"

struct span tcg_file_unwrap(struct span bytes)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct span inner;

    if (wire_get_vec16be(&r, &inner) && wire_end(&r))
        return inner;
    return bytes;
}

/* ---- PCR files ------------------------------------------------------- */

/* TPML_PCR_SELECTION in memory: 16 of {u16, u8, u8[4]} and a byte of padding;
 * TPML_DIGEST: 8 of {u16, u8[64]}. */
#define SELECTION_SLOTS 16
#define DIGEST_SLOTS    8
#define LISTS_MAX       ((TCG_VALUES_MAX + DIGEST_SLOTS - 1) / DIGEST_SLOTS + 8)

static bool get_selection(struct wire_reader *r, struct tcg_selection *ret)
{
    struct tcg_selection s = {0};
    uint32_t count;

    if (!wire_get_u32le(r, &count) || count > TCG_BANKS_MAX)
        return false;
    for (uint32_t i = 0; i < SELECTION_SLOTS; i++) {
        struct tcg_bank b = {0};
        uint8_t size, map[4], padding;

        if (!wire_get_u16le(r, &b.alg) || !wire_get_u8(r, &size) ||
                !wire_get_copy(r, map, sizeof(map)) ||
                !wire_get_u8(r, &padding))
            return false;
        if (i >= count)
            continue;
        if (size > sizeof(map))
            return false;
        for (size_t j = 0; j < size; j++)
            b.pcrs |= (uint32_t)map[j] << (8 * j);
        s.bank[s.n++] = b;
    }
    *ret = s;
    return true;
}

static bool get_digests(struct wire_reader *r, struct tcg_values *v)
{
    uint32_t count;

    if (!wire_get_u32le(r, &count) || count > DIGEST_SLOTS)
        return false;
    for (uint32_t i = 0; i < DIGEST_SLOTS; i++) {
        struct span slot;
        uint16_t size;

        if (!wire_get_u16le(r, &size) ||
                !wire_get_span(r, CRYPTO_HASH_MAX, &slot))
            return false;
        if (i >= count)
            continue;
        if (size > slot.len || v->n == TCG_VALUES_MAX)
            return false;
        v->value[v->n++] = SPAN(slot.ptr, size);
    }
    return true;
}

static bool get_serialized(struct span bytes, const struct tcg_selection *want,
        struct tcg_values *ret)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct tcg_values v = {0};
    struct tcg_selection s;
    uint32_t lists;

    if (!get_selection(&r, &s) || !wire_get_u32le(&r, &lists) ||
            lists > LISTS_MAX)
        return false;
    for (uint32_t i = 0; i < lists; i++) {
        if (!get_digests(&r, &v))
            return false;
    }
    if (!wire_end(&r) || !tcg_selection_eq(&s, want))
        return false;
    *ret = v;
    return true;
}

static bool get_plain(struct span bytes, const struct tcg_selection *s,
        struct tcg_values *ret)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct tcg_values v = {0};

    for (size_t i = 0; i < s->n; i++) {
        enum crypto_hash hash;

        if (!tcg_hash(s->bank[i].alg, &hash))
            return false;
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            if (v.n == TCG_VALUES_MAX ||
                    !wire_get_span(&r, crypto_hash_size(hash), &v.value[v.n++]))
                return false;
        }
    }
    if (!wire_end(&r))
        return false;
    *ret = v;
    return true;
}

int tcg_file_pcrs(struct span bytes, const struct tcg_selection *s,
        struct tcg_values *ret, struct err *err)
{
    struct tcg_values v;

    if (!get_serialized(bytes, s, &v) && !get_plain(bytes, s, &v))
        return err_set(err, ERR_SYNTAX,
                "PCR file is not that of the quoted selection");
    if (!tcg_values_fit(s, &v))
        return err_set(err, ERR_SYNTAX,
                "PCR file has values of other sizes than the quoted banks");
    *ret = v;
    return 0;
}
