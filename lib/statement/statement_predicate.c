/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The predicates of records, each a table of its members.  The same table
 * writes and reads, so the two cannot drift apart.
 */
#include "statement.h"

#include <stddef.h>

enum kind {
    ID,         /* 16 bytes, hex */
    DIGEST,     /* 32 bytes, hex */
    DIGEST_OPT, /* 32 bytes, "" for zero */
    SHA512,     /* 64 bytes, hex */
    TIME,
    U64,
    BOOL,
    NAME,     /* text_is_name */
    NAME_OPT, /* or empty */
    TEXT,     /* printable ASCII, not empty */
    TEXT_OPT,
    EVENT, /* enum statement_channel_event */
};

struct member {
    const char *key;
    enum kind kind;
    size_t offset;
    size_t max; /* of text */
};

/* Qube names and tokens as "@dispvm:NAME". */
#define QUBE_MAX  64
#define STATE_MAX 64
#define WHERE_MAX 128

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

static bool get_text(struct statement_reader *r, const struct member *m,
        bool may_be_empty, struct span *ret)
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

static bool get_member(
        struct statement_reader *r, const struct member *m, void *at)
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
    }
    return false;
}

static bool put_event(struct json_t *obj, const char *key, const void *at)
{
    const char *name = statement_channel_event_name(
            *(const enum statement_channel_event *)at);

    return name != NULL && statement_put_str(obj, key, name);
}

static bool put_member(
        struct json_t *obj, const struct member *m, const void *at)
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
    }
    return false;
}

/* Everything but the members: how a predicate gets its subject. */
struct predicate {
    enum statement_kind kind;
    const struct member *members; /* ends with a NULL key */
    /* Writes the subject's name and digest from the struct. */
    void (*subject)(const void *in, struct buf *ret_name, uint8_t *ret);
    /* Checks the values together; NULL when there is nothing to check. */
    const char *(*check)(const void *in);
};

static int read_members(const struct predicate *p, const struct json_t *obj,
        void *ret, struct err *err)
{
    struct statement_reader r = statement_reader_of(obj);
    const char *wrong;

    for (const struct member *m = p->members; m->key != NULL; m++) {
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

/* scratch is as large as *in: what is written must read back. */
static int predicate_format(const struct predicate *p, const void *in,
        void *scratch, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *obj = statement_json_object();
    CLEANUP(buf_fini) struct buf name = BUF_INIT(STATEMENT_SUBJECT_MAX);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r;

    if (obj == NULL)
        return err_set(err, ERR_MEMORY, "statement: out of memory");
    for (const struct member *m = p->members; m->key != NULL; m++) {
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

static int predicate_parse(const struct predicate *p, const struct statement *s,
        void *ret, struct err *err)
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

static bool is_zero(const uint8_t d[static STATEMENT_DIGEST])
{
    static const uint8_t zero[STATEMENT_DIGEST];

    return memcmp(d, zero, sizeof zero) == 0;
}

static void subject_of_call(const uint8_t id[static STATEMENT_CALL_ID],
        struct buf *name, uint8_t *ret)
{
    char hex[TEXT_HEX_SIZE(STATEMENT_CALL_ID)];

    text_format_hex(SPAN(id, STATEMENT_CALL_ID), hex);
    buf_printf(name, "call/%s", hex);
    crypto_sha256(SPAN(id, STATEMENT_CALL_ID), ret);
}

/* The digest itself, or for none that of a text. */
static void subject_digest(const uint8_t d[static STATEMENT_DIGEST],
        struct span text, uint8_t *ret)
{
    if (is_zero(d))
        crypto_sha256(text, ret);
    else
        memcpy(ret, d, STATEMENT_DIGEST);
}

#define M(key, kind, type, field, max)                                         \
    {                                                                          \
        key, kind, offsetof(struct type, field), max                           \
    }

/* ---- call ------------------------------------------------------------ */

static const struct member call_members[] = {
        M("call", ID, statement_call, call_id, 0),
        M("deadline", TIME, statement_call, deadline, 0),
        M("issued", TIME, statement_call, issued, 0),
        M("logRoot", DIGEST_OPT, statement_call, log_root, 0),
        M("logSize", U64, statement_call, log_size, 0),
        M("origin", NAME, statement_call, origin, LIMIT_ZONE_NAME_MAX),
        M("policy", DIGEST, statement_call, policy, 0),
        M("qube", TEXT, statement_call, qube, QUBE_MAX),
        M("requested", TEXT_OPT, statement_call, requested,
                LIMIT_SERVICE_NAME_MAX),
        M("rule", TEXT, statement_call, rule, STATEMENT_RULE_MAX),
        M("service", TEXT, statement_call, service, LIMIT_SERVICE_MAX),
        M("sourceQube", TEXT, statement_call, source_qube, QUBE_MAX),
        M("zone", NAME, statement_call, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void call_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_call *c = in;

    subject_of_call(c->call_id, name, ret);
}

static const char *call_check(const void *in)
{
    const struct statement_call *c = in;

    return c->deadline < c->issued ? "deadline before issued" : NULL;
}

static const struct predicate call_predicate = {
        STATEMENT_CALL, call_members, call_subject, call_check};

int statement_call_format(
        const struct statement_call *c, struct buf *ret, struct err *err)
{
    struct statement_call scratch;

    return predicate_format(&call_predicate, c, &scratch, ret, err);
}

int statement_call_parse(
        const struct statement *s, struct statement_call *ret, struct err *err)
{
    struct statement_call c = {0};
    int r = predicate_parse(&call_predicate, s, &c, err);

    if (r == 0)
        *ret = c;
    return r;
}

/* ---- decision -------------------------------------------------------- */

static const struct member decision_members[] = {
        M("allow", BOOL, statement_decision, allow, 0),
        M("call", ID, statement_decision, call_id, 0),
        M("envelope", DIGEST_OPT, statement_decision, envelope, 0),
        M("policy", DIGEST_OPT, statement_decision, policy, 0),
        M("reason", TEXT_OPT, statement_decision, reason, STATEMENT_REASON_MAX),
        M("requested", TEXT_OPT, statement_decision, requested,
                LIMIT_SERVICE_NAME_MAX),
        M("rule", TEXT_OPT, statement_decision, rule, STATEMENT_RULE_MAX),
        M("service", TEXT_OPT, statement_decision, service, LIMIT_SERVICE_MAX),
        M("source", TEXT_OPT, statement_decision, source, QUBE_MAX),
        M("sourceQube", TEXT_OPT, statement_decision, source_qube, QUBE_MAX),
        M("sourceZone", NAME_OPT, statement_decision, source_zone,
                LIMIT_ZONE_NAME_MAX),
        M("targetQube", TEXT_OPT, statement_decision, target_qube, QUBE_MAX),
        M("targetZone", NAME_OPT, statement_decision, target_zone,
                LIMIT_ZONE_NAME_MAX),
        M("time", TIME, statement_decision, time, 0),
        M("where", TEXT_OPT, statement_decision, where, WHERE_MAX),
        M("zone", NAME, statement_decision, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void decision_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_decision *d = in;

    subject_of_call(d->call_id, name, ret);
}

static const char *decision_check(const void *in)
{
    const struct statement_decision *d = in;

    if (!d->allow)
        return d->where.len == 0 ? "denied without where" : NULL;
    if (d->where.len != 0 || d->reason.len != 0)
        return "allowed, but with a reason for a refusal";
    if (d->target_qube.len == 0 || is_zero(d->policy))
        return "allowed without a target or a policy";
    return NULL;
}

static const struct predicate decision_predicate = {
        STATEMENT_DECISION, decision_members, decision_subject, decision_check};

int statement_decision_format(
        const struct statement_decision *d, struct buf *ret, struct err *err)
{
    struct statement_decision scratch;

    return predicate_format(&decision_predicate, d, &scratch, ret, err);
}

int statement_decision_parse(const struct statement *s,
        struct statement_decision *ret, struct err *err)
{
    struct statement_decision d = {0};
    int r = predicate_parse(&decision_predicate, s, &d, err);

    if (r == 0)
        *ret = d;
    return r;
}

/* ---- sign ------------------------------------------------------------ */

static const struct member sign_members[] = {
        M("artefact", TEXT, statement_sign, artefact, STATEMENT_SUBJECT_MAX),
        M("artefactSha256", DIGEST, statement_sign, artefact_sha256, 0),
        M("artefactSha512", SHA512, statement_sign, artefact_sha512, 0),
        M("artefactSize", U64, statement_sign, artefact_size, 0),
        M("call", ID, statement_sign, call_id, 0),
        M("custody", NAME, statement_sign, custody, LIMIT_NAME_MAX),
        M("emulated", BOOL, statement_sign, emulated, 0),
        M("envelope", DIGEST_OPT, statement_sign, envelope, 0),
        M("evidence", DIGEST_OPT, statement_sign, evidence, 0),
        M("key", NAME, statement_sign, key, LIMIT_NAME_MAX),
        M("keySha256", DIGEST, statement_sign, key_sha256, 0),
        M("policy", DIGEST, statement_sign, policy, 0),
        M("profile", NAME, statement_sign, profile, LIMIT_NAME_MAX),
        M("qube", TEXT, statement_sign, qube, QUBE_MAX),
        M("requesterQube", TEXT, statement_sign, requester_qube, QUBE_MAX),
        M("requesterZone", NAME, statement_sign, requester_zone,
                LIMIT_ZONE_NAME_MAX),
        M("rule", TEXT, statement_sign, rule, STATEMENT_RULE_MAX),
        M("signature", DIGEST, statement_sign, signature, 0),
        M("source", TEXT, statement_sign, source, QUBE_MAX),
        M("state", TEXT, statement_sign, state, STATE_MAX),
        M("time", TIME, statement_sign, time, 0),
        M("zone", NAME, statement_sign, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void sign_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_sign *s = in;

    buf_append(name, s->artefact);
    memcpy(ret, s->artefact_sha256, STATEMENT_DIGEST);
}

static const struct predicate sign_predicate = {
        STATEMENT_SIGN, sign_members, sign_subject, NULL};

int statement_sign_format(
        const struct statement_sign *s, struct buf *ret, struct err *err)
{
    struct statement_sign scratch;

    return predicate_format(&sign_predicate, s, &scratch, ret, err);
}

int statement_sign_parse(
        const struct statement *s, struct statement_sign *ret, struct err *err)
{
    struct statement_sign sign = {0};
    int r = predicate_parse(&sign_predicate, s, &sign, err);

    if (r == 0)
        *ret = sign;
    return r;
}

/* ---- channel --------------------------------------------------------- */

static const struct member channel_members[] = {
        M("event", EVENT, statement_channel, event, 0),
        M("evidence", DIGEST_OPT, statement_channel, evidence, 0),
        M("peer", NAME_OPT, statement_channel, peer, LIMIT_ZONE_NAME_MAX),
        M("reason", TEXT_OPT, statement_channel, reason, STATEMENT_REASON_MAX),
        M("state", TEXT_OPT, statement_channel, state, STATE_MAX),
        M("time", TIME, statement_channel, time, 0),
        M("where", TEXT_OPT, statement_channel, where, WHERE_MAX),
        M("zone", NAME, statement_channel, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void channel_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_channel *c = in;

    buf_append_str(name, "channel/");
    buf_append(name, c->peer);
    subject_digest(c->evidence, c->peer, ret);
}

static const struct predicate channel_predicate = {
        STATEMENT_CHANNEL, channel_members, channel_subject, NULL};

int statement_channel_format(
        const struct statement_channel *c, struct buf *ret, struct err *err)
{
    struct statement_channel scratch;

    return predicate_format(&channel_predicate, c, &scratch, ret, err);
}

int statement_channel_parse(const struct statement *s,
        struct statement_channel *ret, struct err *err)
{
    struct statement_channel c = {0};
    int r = predicate_parse(&channel_predicate, s, &c, err);

    if (r == 0)
        *ret = c;
    return r;
}

/* ---- event ----------------------------------------------------------- */

static const struct member event_members[] = {
        M("detail", TEXT_OPT, statement_event, detail, STATEMENT_REASON_MAX),
        M("digest", DIGEST_OPT, statement_event, digest, 0),
        M("kind", NAME, statement_event, kind, LIMIT_NAME_MAX),
        M("time", TIME, statement_event, time, 0),
        M("zone", NAME, statement_event, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void event_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_event *e = in;

    buf_append_str(name, "event/");
    buf_append(name, e->kind);
    subject_digest(e->digest, e->detail, ret);
}

static const struct predicate event_predicate = {
        STATEMENT_EVENT, event_members, event_subject, NULL};

int statement_event_format(
        const struct statement_event *e, struct buf *ret, struct err *err)
{
    struct statement_event scratch;

    return predicate_format(&event_predicate, e, &scratch, ret, err);
}

int statement_event_parse(
        const struct statement *s, struct statement_event *ret, struct err *err)
{
    struct statement_event e = {0};
    int r = predicate_parse(&event_predicate, s, &e, err);

    if (r == 0)
        *ret = e;
    return r;
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
    case STATEMENT_KIND_COUNT:
        return 0;
    }
    return 0;
}
