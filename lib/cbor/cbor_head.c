/* SPDX-License-Identifier: Apache-2.0 */
#include "cbor_private.h"

static bool get_argument(
        struct wire_reader *r, unsigned size_log2, uint64_t *ret)
{
    uint64_t v = 0;
    uint8_t byte;

    for (unsigned i = 0; i < 1u << size_log2; i++) {
        if (!wire_get_u8(r, &byte))
            return false;
        v = v << 8 | byte;
    }
    *ret = v;
    return true;
}

/* What the next shorter form could have held (RFC 8949, 4.2.1). */
static bool is_shortest(unsigned size_log2, uint64_t v)
{
    static const uint64_t held[] = {23, UINT8_MAX, UINT16_MAX, UINT32_MAX};

    return v > held[size_log2];
}

/*
 * Is this double exactly a float, or this float exactly a half?  The wide
 * format has `mant` bits of mantissa and exponent bias `bias`, the narrow one
 * `n_mant` and `n_bias`.
 */
static bool narrows(
        uint64_t bits, unsigned mant, int bias, unsigned n_mant, int n_bias)
{
    uint64_t fraction = bits & ((1ull << mant) - 1);
    int exponent = (int)(bits >> mant & (2u * (unsigned)bias + 1u));
    unsigned drop = mant - n_mant;
    int e = exponent - bias;

    if (exponent == 2 * bias + 1) /* infinity, and NaN: one form, f97e00 */
        return true;
    if (exponent == 0) /* zero; the wide format's subnormals are too small */
        return fraction == 0;
    if (e > n_bias)
        return false;
    if (e < 1 - n_bias) /* a subnormal there: more bits of the fraction go */
        drop += (unsigned)(1 - n_bias - e);
    if (drop > mant) /* not even the leading one is left but at its place */
        return false;
    return (fraction & ((1ull << drop) - 1)) == 0;
}

/* RFC 8949, 4.2.1 and 4.2.2: the shortest float that holds the value. */
static bool is_shortest_float(const struct cbor_head *h)
{
    if (h->info == INFO_U64)
        return !narrows(h->value, 52, 1023, 23, 127);
    if (h->info == INFO_U64 - 1)
        return !narrows(h->value, 23, 127, 10, 15);
    return (h->value & 0x7c00) != 0x7c00 || (h->value & 0x3ff) == 0 ||
           h->value == 0x7e00;
}

static const char *check_simple(const struct cbor_head *h)
{
    if (h->info == INFO_U8)
        return "a simple value that nobody uses";
    if (h->info >= INFO_U16)
        return is_shortest_float(h) ? NULL : "a float not in its shortest form";
    return h->info >= SIMPLE_FALSE ? NULL : "a simple value that nobody uses";
}

const char *cbor_head_get(struct wire_reader *r, struct cbor_head *ret)
{
    struct wire_reader at = *r;
    struct cbor_head h = {0};
    uint8_t first;
    const char *wrong;

    if (!wire_get_u8(&at, &first))
        return "the item is missing";
    h.major = first >> 5;
    h.info = first & 0x1f;
    h.value = h.info;
    if (h.info == INFO_INDEFINITE)
        return "an indefinite length";
    if (h.info > INFO_U64)
        return "a reserved head";
    if (h.info >= INFO_U8) {
        unsigned size_log2 = h.info - INFO_U8;

        if (!get_argument(&at, size_log2, &h.value))
            return "the head is cut off";
        if (h.major != MAJOR_SIMPLE && !is_shortest(size_log2, h.value))
            return "a head not in its shortest form";
    }
    wrong = h.major == MAJOR_SIMPLE ? check_simple(&h) : NULL;
    if (wrong)
        return wrong;
    *r = at;
    *ret = h;
    return NULL;
}

bool cbor_head_items(const struct cbor_head *h, size_t left, size_t *ret)
{
    uint64_t n = 0;

    if (h->major == MAJOR_TAG)
        n = 1;
    else if (h->major == MAJOR_ARRAY)
        n = h->value;
    else if (h->major == MAJOR_MAP)
        n = h->value <= SIZE_MAX / 2 ? h->value * 2 : UINT64_MAX;
    if (n > left)
        return false;
    *ret = (size_t)n;
    return true;
}

void cbor_head_put(struct wire_writer *w, uint8_t major, uint64_t value)
{
    uint8_t first = (uint8_t)(major << 5);

    if (value < INFO_U8) {
        wire_put_u8(w, first | (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        wire_put_u8(w, first | INFO_U8);
        wire_put_u8(w, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        wire_put_u8(w, first | INFO_U16);
        wire_put_u16be(w, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        wire_put_u8(w, first | (INFO_U16 + 1));
        wire_put_u32be(w, (uint32_t)value);
    } else {
        wire_put_u8(w, first | INFO_U64);
        wire_put_u64be(w, value);
    }
}
