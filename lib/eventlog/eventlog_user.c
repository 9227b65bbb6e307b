/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's log of its own measurements. */
#include "eventlog_private.h"

#define RECORD_SEPARATOR 0x1e

/* ---- the JSON that is needed ----------------------------------------- */

static void skip_space(struct wire_reader *r)
{
    while (r->left > 0 && (*r->ptr == ' ' || *r->ptr == '\t' ||
                                  *r->ptr == '\n' || *r->ptr == '\r')) {
        r->ptr++;
        r->left--;
    }
}

static bool take_byte(struct wire_reader *r, char c)
{
    skip_space(r);
    if (r->left == 0 || *r->ptr != (uint8_t)c)
        return false;
    r->ptr++;
    r->left--;
    return true;
}

/* What stands between the quotes. */
static bool get_string(struct wire_reader *r, struct span *ret)
{
    struct wire_reader s = *r;
    const uint8_t *begin;

    if (!take_byte(&s, '"'))
        return false;
    begin = s.ptr;
    while (s.left > 0 && *s.ptr >= 0x20) {
        uint8_t c = *s.ptr;

        s.ptr++;
        s.left--;
        if (c == '"') {
            *ret = SPAN(begin, (size_t)(s.ptr - 1 - begin));
            *r = s;
            return true;
        }
        if (c == '\\') {
            if (s.left == 0)
                return false;
            s.ptr++;
            s.left--;
        }
    }
    return false;
}

static bool get_number(struct wire_reader *r, uint64_t *ret)
{
    const uint8_t *begin;
    size_t n = 0;

    skip_space(r);
    begin = r->ptr;
    while (n < r->left && begin[n] >= '0' && begin[n] <= '9')
        n++;
    if (!text_parse_u64(SPAN(begin, n), ret))
        return false;
    r->ptr += n;
    r->left -= n;
    return true;
}

static bool skip_word(struct wire_reader *r)
{
    size_t n = 0;

    skip_space(r);
    while (n < r->left &&
            ((r->ptr[n] >= 'a' && r->ptr[n] <= 'z') ||
                    (r->ptr[n] >= '0' && r->ptr[n] <= '9') ||
                    strchr("+-.E", r->ptr[n])) &&
            r->ptr[n] != 0)
        n++;
    r->ptr += n;
    r->left -= n;
    return n > 0;
}

static bool skip_value(struct wire_reader *r, unsigned depth);

static bool skip_members(struct wire_reader *r, unsigned depth)
{
    struct span name;

    if (take_byte(r, '}'))
        return true;
    do {
        if (!get_string(r, &name) || !take_byte(r, ':') ||
                !skip_value(r, depth))
            return false;
    } while (take_byte(r, ','));
    return take_byte(r, '}');
}

static bool skip_items(struct wire_reader *r, unsigned depth)
{
    if (take_byte(r, ']'))
        return true;
    do {
        if (!skip_value(r, depth))
            return false;
    } while (take_byte(r, ','));
    return take_byte(r, ']');
}

/* A value that is not needed. */
static bool skip_value(struct wire_reader *r, unsigned depth)
{
    struct span s;

    if (depth == 0)
        return false;
    if (take_byte(r, '{'))
        return skip_members(r, depth - 1);
    if (take_byte(r, '['))
        return skip_items(r, depth - 1);
    return get_string(r, &s) || skip_word(r);
}

struct member {
    const char *name;
    bool (*get)(struct wire_reader *r, struct eventlog_user_record *rec);
};

/* An object; members that table does not have are stepped over. */
static bool get_object(struct wire_reader *r, const struct member *table,
        size_t n, struct eventlog_user_record *rec)
{
    uint32_t seen = 0;

    if (!take_byte(r, '{'))
        return false;
    if (take_byte(r, '}'))
        return true;
    do {
        struct span name;
        size_t i = 0;

        if (!get_string(r, &name) || !take_byte(r, ':'))
            return false;
        while (i < n && !span_eq_str(name, table[i].name))
            i++;
        if (i < n && (seen >> i) & 1)
            return false;
        if (!(i < n ? table[i].get(r, rec)
                    : skip_value(r, EVENTLOG_USER_DEPTH)))
            return false;
        if (i < n)
            seen |= 1u << i;
    } while (take_byte(r, ','));
    return take_byte(r, '}');
}

/* ---- members --------------------------------------------------------- */

static bool get_pcr(struct wire_reader *r, struct eventlog_user_record *rec)
{
    uint64_t v;

    if (!get_number(r, &v) || v >= TCG_PCRS)
        return false;
    rec->has_pcr = true;
    rec->pcr = (uint32_t)v;
    return true;
}

static bool get_nv(struct wire_reader *r, struct eventlog_user_record *rec)
{
    rec->has_nv = true;
    return get_number(r, &rec->nv_index);
}

static bool get_hash_alg(
        struct wire_reader *r, struct eventlog_user_record *rec)
{
    static const uint16_t algs[] = {
            TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};
    struct span name;

    if (!get_string(r, &name))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (span_eq_str(name, tcg_alg_name(algs[i])))
            rec->digest[rec->n_digests].alg = algs[i];
    }
    return true;
}

static bool get_digest(struct wire_reader *r, struct eventlog_user_record *rec)
{
    struct eventlog_user_digest *d = &rec->digest[rec->n_digests];
    struct span hex;

    if (!get_string(r, &hex) || hex.len % 2 != 0 ||
            hex.len / 2 > sizeof(d->value))
        return false;
    d->len = hex.len / 2;
    return text_parse_hex(hex, d->value, d->len);
}

/* Does the digest just read have a bank of its own, and its size? */
static bool is_new_digest(const struct eventlog_user_record *rec)
{
    const struct eventlog_user_digest *d = &rec->digest[rec->n_digests];
    enum crypto_hash hash;

    if (!tcg_hash(d->alg, &hash) || d->len != crypto_hash_size(hash))
        return false;
    for (size_t i = 0; i < rec->n_digests; i++) {
        if (rec->digest[i].alg == d->alg)
            return false;
    }
    return true;
}

static bool get_digests(struct wire_reader *r, struct eventlog_user_record *rec)
{
    static const struct member members[] = {
            {"hashAlg", get_hash_alg}, {"digest", get_digest}};

    if (!take_byte(r, '['))
        return false;
    do {
        if (rec->n_digests == ARRAY_LEN(rec->digest) ||
                !get_object(r, members, ARRAY_LEN(members), rec) ||
                !is_new_digest(rec))
            return false;
        rec->n_digests++;
    } while (take_byte(r, ','));
    return take_byte(r, ']');
}

static bool get_content_type(
        struct wire_reader *r, struct eventlog_user_record *rec)
{
    struct span type;

    (void)rec;
    return get_string(r, &type) && span_eq_str(type, "systemd");
}

static bool get_text(struct wire_reader *r, struct eventlog_user_record *rec)
{
    return get_string(r, &rec->text);
}

static bool get_type(struct wire_reader *r, struct eventlog_user_record *rec)
{
    return get_string(r, &rec->type);
}

static bool get_boot_id(struct wire_reader *r, struct eventlog_user_record *rec)
{
    return get_string(r, &rec->boot_id);
}

static bool get_timestamp(
        struct wire_reader *r, struct eventlog_user_record *rec)
{
    return get_number(r, &rec->timestamp);
}

static bool get_content(struct wire_reader *r, struct eventlog_user_record *rec)
{
    static const struct member members[] = {{"string", get_text},
            {"eventType", get_type}, {"bootId", get_boot_id},
            {"timestamp", get_timestamp}};

    return get_object(r, members, ARRAY_LEN(members), rec);
}

static const struct member record_members[] = {{"pcr", get_pcr},
        {"nv_index", get_nv}, {"digests", get_digests},
        {"content_type", get_content_type}, {"content", get_content}};

/* ---- records --------------------------------------------------------- */

static enum eventlog_data data_of(const struct eventlog_user_record *rec)
{
    bool is_phase = span_eq_str(rec->type, "phase");

    for (size_t i = 0; i < rec->n_digests; i++) {
        uint8_t digest[CRYPTO_HASH_MAX];
        enum crypto_hash hash;

        if (!tcg_hash(rec->digest[i].alg, &hash))
            return EVENTLOG_DATA_OPAQUE; /* is_new_digest lets none through */
        crypto_hash(hash, rec->text, digest);
        if (memcmp(digest, rec->digest[i].value, rec->digest[i].len) != 0)
            return is_phase ? EVENTLOG_DATA_WRONG : EVENTLOG_DATA_OPAQUE;
    }
    return EVENTLOG_DATA_WHOLE;
}

int eventlog_user_open(
        struct span log, struct eventlog_user *ret, struct err *err)
{
    if (log.len > LIMIT_TCG_LOG_MAX)
        return err_set(err, ERR_LIMIT, "systemd's log of %zu bytes", log.len);
    *ret = (struct eventlog_user){.left = log};
    return 0;
}

/* RS, the object's text, LF. */
static bool get_record(struct span *left, struct span *ret)
{
    size_t n = 1;

    if (left->ptr[0] != RECORD_SEPARATOR)
        return false;
    while (n < left->len && n <= EVENTLOG_USER_RECORD_MAX &&
            left->ptr[n] != RECORD_SEPARATOR)
        n++;
    if (n > EVENTLOG_USER_RECORD_MAX || left->ptr[n - 1] != '\n')
        return false;
    *ret = SPAN(left->ptr + 1, n - 1);
    *left = SPAN(left->ptr + n, left->len - n);
    return true;
}

int eventlog_user_next(struct eventlog_user *u,
        struct eventlog_user_record *ret, struct err *err)
{
    struct eventlog_user_record rec = {.index = u->index};
    struct span left = u->left, text;
    struct wire_reader r;

    if (left.len == 0)
        return 0;
    if (u->index >= LIMIT_TCG_EVENTS_MAX)
        return err_set(err, ERR_LIMIT, "systemd's log: more than %u records",
                LIMIT_TCG_EVENTS_MAX);
    if (!get_record(&left, &text))
        return err_set(err, ERR_SYNTAX,
                "systemd's log: record %zu is cut short", u->index);
    r = wire_reader_of(text);
    if (!text_is_utf8(text) ||
            !get_object(&r, record_members, ARRAY_LEN(record_members), &rec))
        return err_set(err, ERR_SYNTAX, "systemd's log: record %zu malformed",
                u->index);
    skip_space(&r);
    if (!wire_end(&r) || rec.has_pcr == rec.has_nv || rec.n_digests == 0)
        return err_set(err, ERR_SYNTAX,
                "systemd's log: record %zu is of no PCR, or says nothing",
                u->index);
    rec.data = data_of(&rec);
    u->left = left;
    u->index++;
    *ret = rec;
    return 1;
}

static void extend(
        struct eventlog_pcrs *p, const struct eventlog_user_record *rec)
{
    for (size_t i = 0; i < p->n; i++) {
        struct eventlog_bank *b = &p->bank[i];
        size_t j = 0;

        while (j < rec->n_digests && rec->digest[j].alg != b->alg)
            j++;
        if (j == rec->n_digests) {
            b->missing |= 1u << rec->pcr;
            continue;
        }
        eventlog_extend(b->hash, b->value[rec->pcr],
                SPAN(rec->digest[j].value, rec->digest[j].len));
        b->extended |= 1u << rec->pcr;
    }
}

int eventlog_user_replay(
        struct span log, struct eventlog_pcrs *p, struct err *err)
{
    struct eventlog_pcrs all = *p;
    struct eventlog_user u;
    struct eventlog_user_record rec;
    int r = eventlog_user_open(log, &u, err);

    if (r != 0)
        return r;
    while ((r = eventlog_user_next(&u, &rec, err)) == 1) {
        if (rec.data == EVENTLOG_DATA_WRONG && all.wrong++ == 0)
            all.first_wrong = all.events + rec.index;
        if (rec.has_pcr)
            extend(&all, &rec);
    }
    if (r != 0)
        return r;
    all.events += u.index;
    *p = all;
    return 0;
}
