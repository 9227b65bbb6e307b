/* SPDX-License-Identifier: Apache-2.0 */
/* PCR values as tpm2_pcrread prints them. */
#include "foreign.h"

bool foreign_is_text(struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != '\n' && bytes.ptr[i] != '\t' &&
                bytes.ptr[i] != '\r' &&
                (bytes.ptr[i] < ' ' || bytes.ptr[i] > '~'))
            return false;
    }
    return bytes.len > 0;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && strchr(" \t\r", s.ptr[0]))
        s = SPAN(s.ptr + 1, s.len - 1);
    while (s.len > 0 && strchr(" \t\r", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static bool bank_of(struct span name, uint16_t *ret)
{
    static const uint16_t algs[] = {
            TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (span_eq_str(name, tcg_alg_name(algs[i]))) {
            *ret = algs[i];
            return true;
        }
    }
    return false;
}

/* Upper or lower case, with or without 0x, of the bank's size. */
static bool get_value(struct span text, uint16_t alg, uint8_t *ret, size_t *n)
{
    char lower[TEXT_HEX_SIZE(CRYPTO_HASH_MAX)];
    enum crypto_hash hash;

    if (text.len > 2 && text.ptr[0] == '0' && (text.ptr[1] | 0x20) == 'x')
        text = SPAN(text.ptr + 2, text.len - 2);
    if (!tcg_hash(alg, &hash) || text.len != 2 * crypto_hash_size(hash))
        return false;
    for (size_t i = 0; i < text.len; i++)
        lower[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'F'
                                  ? text.ptr[i] | 0x20
                                  : text.ptr[i]);
    *n = crypto_hash_size(hash);
    return text_parse_hex(SPAN(lower, text.len), ret, *n);
}

static bool has(const struct tcg_claim *c, size_t n, uint16_t alg, uint64_t pcr)
{
    for (size_t i = 0; i < n; i++) {
        if (c[i].alg == alg && c[i].pcr == pcr)
            return true;
    }
    return false;
}

int foreign_pcr_text(struct span text, struct tcg_claim *ret, size_t *ret_n,
        uint8_t *room, struct err *err)
{
    struct text_lines l = text_lines_of(text);
    struct span line;
    uint16_t alg = 0;
    size_t n = 0;

    while (text_next_line(&l, &line)) {
        const uint8_t *colon = memchr(line.ptr, ':', line.len);
        struct span left, right;
        uint64_t pcr;
        size_t size;

        if (trim(line).len == 0)
            continue;
        if (!colon)
            return err_set(
                    err, ERR_SYNTAX, "PCR values, line %u: no ':'", l.line);
        left = trim(SPAN(line.ptr, (size_t)(colon - line.ptr)));
        right = trim(
                SPAN(colon + 1, line.len - (size_t)(colon + 1 - line.ptr)));
        if (right.len == 0) {
            if (!bank_of(left, &alg))
                return err_set(err, ERR_UNSUPPORTED,
                        "PCR values, line %u: unknown bank", l.line);
            continue;
        }
        if (n == FOREIGN_CLAIMS_MAX || alg == 0 ||
                !text_parse_u64(left, &pcr) || pcr >= TCG_PCRS ||
                has(ret, n, alg, pcr) || !get_value(right, alg, room, &size))
            return err_set(err, ERR_SYNTAX,
                    "PCR values, line %u: wants \"N : 0xHEX\" behind a line "
                    "with the bank, each PCR once",
                    l.line);
        ret[n++] = (struct tcg_claim){
                .alg = alg, .pcr = (unsigned)pcr, .value = SPAN(room, size)};
        room += size;
    }
    if (n == 0)
        return err_set(err, ERR_SYNTAX, "PCR values: there are none");
    *ret_n = n;
    return 0;
}
