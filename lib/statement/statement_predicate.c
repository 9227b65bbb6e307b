/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The predicates of records, each a table of its members.  The same table
 * writes and reads, so the two cannot drift apart.
 */
#include "statement_private.h"

static const char *const event_names[STATEMENT_CHANNEL_EVENT_COUNT] = {
        [STATEMENT_CHANNEL_OPENED] = "opened",
        [STATEMENT_CHANNEL_REFUSED] = "refused",
        [STATEMENT_CHANNEL_CLOSED] = "closed",
        [STATEMENT_CHANNEL_REATTESTED] = "reattested",
};

const char *statement_channel_event_name(enum statement_channel_event e)
{
    return e > 0 && e < STATEMENT_CHANNEL_EVENT_COUNT ? event_names[e] : NULL;
}

static bool get_event(struct statement_reader *r, const char *key, void *ret)
{
    struct span name;

    if (!statement_get_text(r, key, 32, &name))
        return false;
    for (int e = 1; e < STATEMENT_CHANNEL_EVENT_COUNT; e++) {
        if (span_eq_str(name, event_names[e])) {
            *(enum statement_channel_event *)ret =
                    (enum statement_channel_event)e;
            return true;
        }
    }
    r->bad = key;
    return false;
}

static bool get_text(struct statement_reader *r,
        const struct statement_member *m, bool may_be_empty, struct span *ret)
{
    struct span text;

    if (!statement_get_text(r, m->key, m->max, &text))
        return false;
    if (text.len == 0 && !may_be_empty) {
        r->bad = m->key;
        return false;
    }
    *ret = text;
    return true;
}

/* Absent, or whole. */
static bool get_appraisal(struct statement_reader *r, const char *key,
        struct statement_appraisal *ret)
{
    struct statement_appraisal a;
    struct statement_reader in;
    const struct json_t *obj;

    if (!statement_has(r, key))
        return true;
    if (!statement_get_object(r, key, &obj))
        return false;
    in = statement_reader_of(obj);
    if (!statement_get_hex(&in, "evidence", a.evidence, sizeof a.evidence) ||
            !statement_get_text(&in, "state", STATE_MAX, &a.state) ||
            !statement_get_name(&in, "zone", LIMIT_ZONE_NAME_MAX, &a.zone) ||
            !statement_get_end(&in) || a.state.len == 0 ||
            statement_predicate_is_zero(a.evidence)) {
        r->bad = key;
        return false;
    }
    *ret = a;
    return true;
}

static bool get_member(
        struct statement_reader *r, const struct statement_member *m, void *at)
{
    switch (m->kind) {
    case ID:
        return statement_get_hex(r, m->key, at, STATEMENT_CALL_ID);
    case DIGEST:
        return statement_get_hex(r, m->key, at, STATEMENT_DIGEST);
    case DIGEST_OPT:
        return statement_get_digest(r, m->key, at);
    case SHA512:
        return statement_get_hex(r, m->key, at, CRYPTO_SHA512_SIZE);
    case TIME:
        return statement_get_time(r, m->key, at);
    case U64:
        return statement_get_u64(r, m->key, at);
    case BOOL:
        return statement_get_bool(r, m->key, at);
    case NAME:
        return statement_get_name(r, m->key, (int)m->max, at);
    case NAME_OPT:
        return statement_get_name(r, m->key, -(int)m->max, at);
    case TEXT:
        return get_text(r, m, false, at);
    case TEXT_OPT:
        return get_text(r, m, true, at);
    case EVENT:
        return get_event(r, m->key, at);
    case APPRAISAL_OPT:
        return get_appraisal(r, m->key, at);
    }
    return false;
}

static bool put_event(struct json_t *obj, const char *key, const void *at)
{
    const char *name = statement_channel_event_name(
            *(const enum statement_channel_event *)at);

    return name != NULL && statement_put_str(obj, key, name);
}

static bool put_appraisal(struct json_t *obj, const char *key,
        const struct statement_appraisal *a)
{
    struct json_t *in;

    if (a->zone.len == 0)
        return true;
    in = statement_put_object(obj, key);
    return in != NULL &&
           statement_put_hex(in, "evidence", SPAN_OF(a->evidence)) &&
           statement_put_text(in, "state", a->state) &&
           statement_put_text(in, "zone", a->zone);
}

static bool put_member(
        struct json_t *obj, const struct statement_member *m, const void *at)
{
    switch (m->kind) {
    case ID:
        return statement_put_hex(obj, m->key, SPAN(at, STATEMENT_CALL_ID));
    case DIGEST:
        return statement_put_hex(obj, m->key, SPAN(at, STATEMENT_DIGEST));
    case DIGEST_OPT:
        return statement_put_digest(obj, m->key, at);
    case SHA512:
        return statement_put_hex(obj, m->key, SPAN(at, CRYPTO_SHA512_SIZE));
    case TIME:
        return statement_put_time(obj, m->key, *(const uint64_t *)at);
    case U64:
        return statement_put_u64(obj, m->key, *(const uint64_t *)at);
    case BOOL:
        return statement_put_bool(obj, m->key, *(const bool *)at);
    case NAME:
    case NAME_OPT:
    case TEXT:
    case TEXT_OPT:
        return statement_put_text(obj, m->key, *(const struct span *)at);
    case EVENT:
        return put_event(obj, m->key, at);
    case APPRAISAL_OPT:
        return put_appraisal(obj, m->key, at);
    }
    return false;
}

static int read_members(const struct statement_predicate *p,
        const struct json_t *obj, void *ret, struct err *err)
{
    struct statement_reader r = statement_reader_of(obj);
    const char *wrong;

    for (const struct statement_member *m = p->members; m->key != NULL; m++) {
        if (!get_member(&r, m, (uint8_t *)ret + m->offset))
            return statement_bad(&r, statement_kind_name(p->kind), err);
    }
    if (!statement_get_end(&r))
        return statement_bad(&r, statement_kind_name(p->kind), err);
    wrong = p->check == NULL ? NULL : p->check(ret);
    if (wrong != NULL)
        return err_set(
                err, ERR_SYNTAX, "%s: %s", statement_kind_name(p->kind), wrong);
    return 0;
}

int statement_predicate_format(const struct statement_predicate *p,
        const void *in, void *scratch, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *obj = statement_json_object();
    CLEANUP(buf_fini) struct buf name = BUF_INIT(STATEMENT_SUBJECT_MAX);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r;

    if (obj == NULL)
        return err_set(err, ERR_MEMORY, "statement: out of memory");
    for (const struct statement_member *m = p->members; m->key != NULL; m++) {
        if (!put_member(obj, m, (const uint8_t *)in + m->offset))
            return err_set(err, ERR_SYNTAX, "%s: bad member %s",
                    statement_kind_name(p->kind), m->key);
    }
    r = read_members(p, obj, scratch, err);
    if (r < 0)
        return r;
    p->subject(in, &name, digest);
    r = buf_ok(&name, err);
    if (r < 0)
        return r;
    return statement_format(statement_kind_type(p->kind), buf_span(&name),
            digest, obj, ret, err);
}

int statement_predicate_parse(const struct statement_predicate *p,
        const struct statement *s, void *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf name = BUF_INIT(STATEMENT_SUBJECT_MAX);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r;

    if (s->kind != p->kind)
        return err_set(err, ERR_UNSUPPORTED, "statement: a %s, not a %s",
                statement_kind_name(s->kind), statement_kind_name(p->kind));
    r = read_members(p, s->predicate, ret, err);
    if (r < 0)
        return r;
    p->subject(ret, &name, digest);
    if (!span_eq(buf_span(&name), s->subject_name) ||
            memcmp(digest, s->subject, sizeof digest) != 0)
        return err_set(err, ERR_MISMATCH, "%s: subject is not its own",
                statement_kind_name(p->kind));
    return 0;
}

bool statement_predicate_is_zero(const uint8_t d[static STATEMENT_DIGEST])
{
    static const uint8_t zero[STATEMENT_DIGEST];

    return memcmp(d, zero, sizeof zero) == 0;
}

void statement_predicate_subject_call(
        const uint8_t id[static STATEMENT_CALL_ID], struct buf *name,
        uint8_t *ret)
{
    char hex[TEXT_HEX_SIZE(STATEMENT_CALL_ID)];

    text_format_hex(SPAN(id, STATEMENT_CALL_ID), hex);
    buf_printf(name, "call/%s", hex);
    crypto_sha256(SPAN(id, STATEMENT_CALL_ID), ret);
}

void statement_predicate_subject_digest(
        const uint8_t d[static STATEMENT_DIGEST], struct span text,
        uint8_t *ret)
{
    if (statement_predicate_is_zero(d))
        crypto_sha256(text, ret);
    else
        memcpy(ret, d, STATEMENT_DIGEST);
}

int statement_check(const struct statement *s, struct err *err)
{
    union {
        struct statement_call call;
        struct statement_decision decision;
        struct statement_sign sign;
        struct statement_channel channel;
        struct statement_event event;
    } v;

    switch (s->kind) {
    case STATEMENT_CALL:
        return statement_call_parse(s, &v.call, err);
    case STATEMENT_DECISION:
        return statement_decision_parse(s, &v.decision, err);
    case STATEMENT_SIGN:
        return statement_sign_parse(s, &v.sign, err);
    case STATEMENT_CHANNEL:
        return statement_channel_parse(s, &v.channel, err);
    case STATEMENT_EVENT:
        return statement_event_parse(s, &v.event, err);
    case STATEMENT_OTHER:
    case STATEMENT_ZONE:
    case STATEMENT_KEY:
    case STATEMENT_REFERENCE:
    case STATEMENT_RULES:
    case STATEMENT_VALUES:
    case STATEMENT_KIND_COUNT:
        return 0;
    }
    return 0;
}
