/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a prediction: docs/proto/recipe.md. */
#include "predict_private.h"

#define HEADER "qair:recipe/v1"
/* So that a text that was cut off is not a shorter one. */
#define END "end\n"

static bool has_bank(const struct predict *p, size_t i)
{
    return (p->banks >> i) & 1;
}

static void put_digest(struct buf *b, const char *verb, unsigned pcr,
        enum crypto_hash hash, const uint8_t *digest)
{
    char hex[TEXT_HEX_SIZE(CRYPTO_HASH_MAX)];

    text_format_hex(SPAN(digest, crypto_hash_size(hash)), hex);
    buf_printf(b, "%s %u %s %s", verb, pcr, crypto_hash_name(hash), hex);
}

static void put_event(
        const struct predict *p, const struct predict_event *e, struct buf *b)
{
    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        if (!has_bank(p, i))
            continue;
        put_digest(b, "extend", e->pcr, (enum crypto_hash)i, e->digest[i]);
        buf_printf(b, " %s\n", e->how);
    }
}

int predict_format(const struct predict *p, struct buf *ret, struct err *err)
{
    uint8_t value[CRYPTO_HASH_MAX];

    buf_append_str(ret, HEADER "\n");
    for (size_t i = 0; i < p->n; i++)
        put_event(p, &p->event[i], ret);
    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        for (size_t i = 0; i < PREDICT_BANKS; i++) {
            enum crypto_hash hash = (enum crypto_hash)i;

            if (predict_value(p, hash, pcr, value) != 0)
                continue;
            put_digest(ret, "value", pcr, hash, value);
            buf_append_u8(ret, '\n');
        }
    }
    buf_append_str(ret, END);
    return buf_ok(ret, err);
}

/* ---- reading --------------------------------------------------------- */

struct line {
    bool is_value;
    unsigned pcr;
    enum crypto_hash hash;
    uint8_t digest[CRYPTO_HASH_MAX];
    struct span how;
};

static bool get_hash(struct span word, enum crypto_hash *ret)
{
    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        if (span_eq_str(word, crypto_hash_name((enum crypto_hash)i))) {
            *ret = (enum crypto_hash)i;
            return true;
        }
    }
    return false;
}

/* The word up to the next single space; false when it is empty. */
static bool next_word(struct span *rest, struct span *ret)
{
    size_t n = 0;

    while (n < rest->len && rest->ptr[n] != ' ')
        n++;
    if (n == 0)
        return false;
    *ret = SPAN(rest->ptr, n);
    *rest = n == rest->len ? SPAN(rest->ptr + n, 0)
                           : SPAN(rest->ptr + n + 1, rest->len - n - 1);
    return true;
}

static bool get_line(struct span text, struct line *ret)
{
    struct line l = {.pcr = 0};
    struct span verb, pcr, hash, hex;
    uint64_t number;

    if (!next_word(&text, &verb) || !next_word(&text, &pcr) ||
            !next_word(&text, &hash) || !next_word(&text, &hex) ||
            !text_parse_u64(pcr, &number) || number >= TCG_PCRS ||
            !get_hash(hash, &l.hash) ||
            !text_parse_hex(hex, l.digest, crypto_hash_size(l.hash)))
        return false;
    l.pcr = (unsigned)number;
    l.is_value = span_eq_str(verb, "value");
    if (!l.is_value && !span_eq_str(verb, "extend"))
        return false;
    l.how = text;
    *ret = l;
    return l.is_value ? text.len == 0 : text.len <= PREDICT_HOW_MAX;
}

/* The header is taken off; false at the end, *ret_ok false for a bad line. */
static bool next_line(struct text_lines *lines, struct line *ret, bool *ret_ok)
{
    struct span text;

    if (!text_next_line(lines, &text))
        return false;
    *ret_ok = get_line(text, ret);
    return true;
}

/* Which banks the text has at all: each event must have them. */
static int scan_banks(struct text_lines lines, unsigned *ret, struct err *err)
{
    struct line l;
    unsigned banks = 0;
    bool ok;

    while (next_line(&lines, &l, &ok)) {
        if (!ok)
            return err_set(err, ERR_SYNTAX, "recipe: line %u", lines.line);
        banks |= PREDICT_BANK(l.hash);
    }
    *ret = banks;
    return 0;
}

/* Lines of one event: a bank each, in the banks' order. */
static int take_event(struct predict *p, struct text_lines *lines,
        const struct line *first, struct err *err)
{
    struct line l[PREDICT_BANKS] = {*first};
    struct span digest[PREDICT_BANKS];
    size_t n = 0;
    bool ok = true;

    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        if (!has_bank(p, i))
            continue;
        if (n > 0 && (!next_line(lines, &l[n], &ok) || !ok))
            return err_set(err, ERR_SYNTAX, "recipe: line %u", lines->line);
        if (l[n].is_value || l[n].hash != (enum crypto_hash)i ||
                l[n].pcr != first->pcr || !span_eq(l[n].how, first->how))
            return err_set(err, ERR_SYNTAX,
                    "recipe: line %u: an event has a line in each bank, in "
                    "their order",
                    lines->line);
        digest[n] = SPAN(l[n].digest, crypto_hash_size(l[n].hash));
        n++;
    }
    return predict_add_digest(p, first->pcr, digest, err, "%.*s",
            (int)first->how.len, (const char *)first->how.ptr);
}

static int check_value(
        const struct predict *p, const struct line *l, struct err *err)
{
    uint8_t value[CRYPTO_HASH_MAX];

    if (predict_value(p, l->hash, l->pcr, value) != 0 ||
            !span_eq(SPAN(value, crypto_hash_size(l->hash)),
                    SPAN(l->digest, crypto_hash_size(l->hash))))
        return err_set(err, ERR_MISMATCH,
                "recipe: the value of PCR %u in %s is not what its events "
                "give",
                l->pcr, crypto_hash_name(l->hash));
    return 0;
}

static int take_lines(
        struct predict *p, struct text_lines lines, struct err *err)
{
    struct line l;
    bool ok;
    int r = 0;

    while (r == 0 && next_line(&lines, &l, &ok)) {
        if (!ok)
            return err_set(err, ERR_SYNTAX, "recipe: line %u", lines.line);
        if (!l.is_value) {
            r = take_event(p, &lines, &l, err);
        } else {
            predict_start(p, l.pcr);
            r = check_value(p, &l, err);
        }
    }
    return r;
}

/* The one spelling: order, spaces and characters are those of the writer. */
static int check_canonical(
        const struct predict *p, struct span text, struct err *err)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(PREDICT_RECIPE_MAX);
    int r = predict_format(p, &again, err);

    if (r == 0 && !span_eq(buf_span(&again), text))
        r = err_set(err, ERR_SYNTAX, "recipe: not as it would be written");
    return r;
}

int predict_parse(struct span text, struct predict *ret, struct err *err)
{
    struct predict p = predict_of(0);
    struct text_lines lines;
    struct span header, body = text;
    int r;

    if (text.len > PREDICT_RECIPE_MAX)
        return err_set(err, ERR_LIMIT, "recipe of %zu bytes", text.len);
    if (body.len >= strlen(END))
        body.len -= strlen(END); /* check_canonical sees that it is one */
    lines = text_lines_of(body);
    if (!text_next_line(&lines, &header) || !span_eq_str(header, HEADER))
        return err_set(err, ERR_SYNTAX, "not a recipe (" HEADER ")");
    r = scan_banks(lines, &p.banks, err);
    if (r == 0 && p.banks == 0)
        r = err_set(err, ERR_SYNTAX, "recipe: without a value");
    if (r == 0)
        r = take_lines(&p, lines, err);
    if (r == 0)
        r = check_canonical(&p, text, err);
    if (r == 0)
        *ret = p;
    else
        predict_fini(&p);
    return r;
}
