/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdio.h>

/*
 * A role that was taken over can lie about its own acts, and about no other's:
 * netd cannot write a decision, calld cannot write a signature.
 */
static const struct {
    uint8_t peer;
    uint8_t kind; /* enum msg_append_kind */
    enum statement_kind statement;
} permitted[] = {
        {MSG_ROLE_CALLD, MSG_APPEND_SIGNED, STATEMENT_CALL},
        {MSG_ROLE_CALLD, MSG_APPEND_STATEMENT, STATEMENT_DECISION},
        {MSG_ROLE_CALLD, MSG_APPEND_STATEMENT, STATEMENT_EVENT},
        {MSG_ROLE_NETD, MSG_APPEND_STATEMENT, STATEMENT_CHANNEL},
        {MSG_ROLE_NETD, MSG_APPEND_STATEMENT, STATEMENT_EVENT},
        {MSG_ROLE_KEYD, MSG_APPEND_SIGNED, STATEMENT_SIGN},
        {MSG_ROLE_KEYD, MSG_APPEND_SIGNED, STATEMENT_KEY},
        {MSG_ROLE_KEYD, MSG_APPEND_SIGNED, STATEMENT_EVENT},
        {MSG_ROLE_KEYD, MSG_APPEND_STATEMENT, STATEMENT_EVENT},
};

static int check_permitted(uint8_t peer, uint8_t kind,
        enum statement_kind statement, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(permitted); i++) {
        if (permitted[i].peer == peer && permitted[i].kind == kind &&
                permitted[i].statement == statement)
            return 0;
    }
    return err_set(err, ERR_DENIED, "%s may not write a %s record of that form",
            msg_role_name(peer), statement_kind_name(statement));
}

/* The log key speaks of its own zone. */
static int check_zone(
        const struct statement *s, const char *zone, struct err *err)
{
    struct statement_reader r = statement_reader_of(s->predicate);
    struct span name;

    if (!statement_get_name(&r, s->kind == STATEMENT_CALL ? "origin" : "zone",
                LIMIT_ZONE_NAME_MAX, &name) ||
            !span_eq_str(name, zone))
        return err_set(err, ERR_DENIED, "a record of another zone");
    return 0;
}

static int check_statement(const struct statement *s,
        const struct msg_append *m, uint8_t peer, const char *zone,
        struct err *err)
{
    int r = check_permitted(peer, m->kind, s->kind, err);

    if (r == 0)
        r = statement_check(s, err);
    return r == 0 ? check_zone(s, zone, err) : r;
}

static int record_signed(const struct msg_append *m, uint8_t peer,
        const char *zone, struct buf *ret, struct err *err)
{
    struct statement s;
    int r;

    if (m->payload.len > LIMIT_LOG_ENTRY_MAX)
        return err_set(err, ERR_LIMIT, "a record of %zu bytes", m->payload.len);
    r = statement_open_untrusted(m->payload, &s, err);
    if (r < 0)
        return r;
    r = check_statement(&s, m, peer, zone, err);
    statement_fini(&s);
    if (r < 0)
        return r;
    buf_append(ret, m->payload);
    return buf_ok(ret, err);
}

static int record_statement(const struct msg_append *m, uint8_t peer,
        const char *zone, const struct crypto_key *log_key, struct buf *ret,
        struct err *err)
{
    char keyid[LIMIT_ZONE_NAME_MAX + 8];
    struct statement s;
    int r = statement_parse(m->payload, &s, err);

    if (r < 0)
        return r;
    r = check_statement(&s, m, peer, zone, err);
    statement_fini(&s);
    if (r < 0)
        return r;
    snprintf(keyid, sizeof keyid, "%s/log", zone);
    return statement_dsse_sign(
            STATEMENT_PAYLOAD_TYPE, m->payload, keyid, log_key, ret, err);
}

int record_entry(const struct msg_append *m, uint8_t peer, const char *zone,
        const struct crypto_key *log_key, struct buf *ret, struct err *err)
{
    switch (m->kind) {
    case MSG_APPEND_SIGNED:
        return record_signed(m, peer, zone, ret, err);
    case MSG_APPEND_STATEMENT:
        return record_statement(m, peer, zone, log_key, ret, err);
    default:
        return err_set(err, ERR_SYNTAX, "an append of kind %u", m->kind);
    }
}
