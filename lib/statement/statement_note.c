/* SPDX-License-Identifier: Apache-2.0 */
/* Channels to other zones, and whatever else is worth a record. */
#include "statement_private.h"

/* ---- channel --------------------------------------------------------- */

static const struct statement_member channel_members[] = {
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
    statement_predicate_subject_digest(c->evidence, c->peer, ret);
}

static const struct statement_predicate channel_predicate = {
        STATEMENT_CHANNEL, channel_members, channel_subject, NULL};

int statement_channel_format(
        const struct statement_channel *c, struct buf *ret, struct err *err)
{
    struct statement_channel scratch;

    return statement_predicate_format(
            &channel_predicate, c, &scratch, ret, err);
}

int statement_channel_parse(const struct statement *s,
        struct statement_channel *ret, struct err *err)
{
    struct statement_channel c = {0};
    int r = statement_predicate_parse(&channel_predicate, s, &c, err);

    if (r == 0)
        *ret = c;
    return r;
}

/* ---- event ----------------------------------------------------------- */

static const struct statement_member event_members[] = {
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
    statement_predicate_subject_digest(e->digest, e->detail, ret);
}

static const struct statement_predicate event_predicate = {
        STATEMENT_EVENT, event_members, event_subject, NULL};

int statement_event_format(
        const struct statement_event *e, struct buf *ret, struct err *err)
{
    struct statement_event scratch;

    return statement_predicate_format(&event_predicate, e, &scratch, ret, err);
}

int statement_event_parse(
        const struct statement *s, struct statement_event *ret, struct err *err)
{
    struct statement_event e = {0};
    int r = statement_predicate_parse(&event_predicate, s, &e, err);

    if (r == 0)
        *ret = e;
    return r;
}
