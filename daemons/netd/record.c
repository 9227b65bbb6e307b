/* SPDX-License-Identifier: Apache-2.0 */
#include "netd.h"

#include "statement.h"

#include <stdio.h>
#include <stdlib.h>

/* Asked of logd for one channel; found again by number. */
struct ask {
    struct netd *d;
    uint64_t conn;
    bool confirm;
};

/* One line of printable ASCII, as the statement wants it. */
static struct span line(char *ret, size_t cap, const char *text)
{
    netd_text(ret, cap, span_str(text));
    return span_str(ret);
}

static void confirm(struct conn *c, const struct role_msg *m)
{
    struct channel_time now = netd_now();

    if (m->type == MSG_REFUSED) {
        (void)snprintf(c->where, sizeof(c->where), "logd");
        (void)snprintf(c->reason, sizeof(c->reason),
                "the channel's record is not durable");
        (void)channel_round_cannot(c->ch, CHANNEL_REASON_BUSY, &now);
        return;
    }
    attest_stands(c); /* before a call can come */
    if (channel_round_confirm(c->ch, &now) != 0)
        return;
    c->recorded = true;
    if (c->peer != NULL)
        dial_opened(c);
    else
        conn_probe_former(c);
}

static void on_appended(struct role *r, const struct role_msg *m, void *user)
{
    struct ask *a = user;
    struct conn *c = conn_find(a->d, a->conn);

    if (m->type == MSG_REFUSED) {
        const struct msg_refused *why = m->body;
        char text[NETD_TEXT_MAX];
        netd_text(text, sizeof(text), why->reason);
        role_log(r, "logd refuses a channel's record: %s", text);
    }
    if (c != NULL && a->confirm)
        confirm(c, m);
    free(a);
}

static void append(struct netd *d, const struct statement_channel *s,
        uint64_t conn, bool confirm)
{
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct err err = {0};
    struct ask *a = calloc(1, sizeof(*a));

    if (a == NULL || statement_channel_format(s, &payload, &err) != 0)
        role_fatal(d->role, "record of a channel: %s", err.msg);
    *a = (struct ask){.d = d, .conn = conn, .confirm = confirm};
    struct msg_append msg = {
            .kind = MSG_APPEND_STATEMENT, .payload = buf_span(&payload)};
    role_request(d->role, &(struct role_request){.to = MSG_ROLE_LOGD,
                                  .type = MSG_APPEND,
                                  .msg = &msg,
                                  .expect = MSG_APPENDED,
                                  .done = on_appended,
                                  .user = a});
    buf_fini(&payload);
}

static struct statement_channel about(
        const struct conn *c, enum statement_channel_event event)
{
    struct statement_channel s = {
            .event = event,
            .time = role_now(),
            .zone = span_str(role_zone(c->d->role)),
            .peer = span_str(channel_peer(c->ch)),
            .state = span_str(c->seen.state),
    };
    memcpy(s.evidence, c->seen.evidence, sizeof(s.evidence));
    return s;
}

void record_accepted(struct conn *c, unsigned round)
{
    struct statement_channel s =
            about(c, round == 0 ? STATEMENT_CHANNEL_OPENED
                                : STATEMENT_CHANNEL_REATTESTED);

    role_log(c->d->role, "channel %s %s: %s",
            round == 0 ? "opens with" : "re-attested by", channel_peer(c->ch),
            c->seen.state);
    append(c->d, &s, c->serial, true);
}

void record_restated(struct conn *c)
{
    struct statement_channel s = about(c, STATEMENT_CHANNEL_REATTESTED);

    role_log(c->d->role, "channel %s, by a new pack: %s", channel_peer(c->ch),
            c->seen.state);
    append(c->d, &s, 0, false);
}

/* A stranger can cause refusals at will, and must fill neither the log nor
 * the disk behind stderr. */
static bool may_record_refusal(struct netd *d)
{
    uint64_t now = netd_now().mono_ms;
    uint64_t more = (now - d->record_ms) / NETD_RECORD_EACH_MS;

    if (more > 0) {
        d->record_tokens = more > NETD_RECORD_BURST - d->record_tokens
                                   ? NETD_RECORD_BURST
                                   : d->record_tokens + (unsigned)more;
        d->record_ms += more * NETD_RECORD_EACH_MS;
    }
    if (d->record_tokens == 0) {
        d->records_left_out++;
        return false;
    }
    d->record_tokens--;
    return true;
}

static void refuse(
        struct netd *d, struct statement_channel *s, const char *reason)
{
    char text[2 * NETD_TEXT_MAX], safe[2 * NETD_TEXT_MAX];

    if (!may_record_refusal(d))
        return;
    role_log(d->role, "channel refused: %s", reason);
    (void)snprintf(text, sizeof(text), "%s", reason);
    if (d->records_left_out > 0)
        (void)snprintf(text, sizeof(text), "%s (and %u more before)", reason,
                d->records_left_out);
    d->records_left_out = 0;
    s->reason = line(safe, sizeof(safe), text);
    append(d, s, 0, false);
}

/* For people who ask what happened. */
static void note_ended(struct conn *c, const char *reason)
{
    struct netd *d = c->d;
    struct ended *e = &d->ended[d->n_ended++ % NETD_ENDED_MAX];

    *e = (struct ended){.serial = c->serial, .time = role_now()};
    (void)snprintf(e->peer, sizeof(e->peer), "%s", channel_peer(c->ch));
    (void)snprintf(e->state, sizeof(e->state), "%s", c->seen.state);
    netd_text(e->reason, sizeof(e->reason), span_str(reason));
}

void record_closed(struct conn *c, int code, const char *reason)
{
    /* The channel's word may be the own one, cut. */
    bool own = c->where[0] != '\0' && strncmp(c->reason, reason, 40) != 0;
    char text[NETD_TEXT_MAX];
    struct statement_channel s = about(c,
            c->recorded ? STATEMENT_CHANNEL_CLOSED : STATEMENT_CHANNEL_REFUSED);

    if (c->known || c->peer != NULL)
        role_log(c->d->role, "channel with %s (%s) %s: %s%s%s%s%s",
                channel_peer(c->ch), c->addr,
                c->recorded ? "closed" : "refused", reason, own ? "; " : "",
                own ? c->where : "", own ? ": " : "", own ? c->reason : "");
    s.where = span_str(c->where[0] != '\0' ? c->where : "netd");
    if (c->reason[0] != '\0')
        reason = c->reason;
    if (c->known)
        note_ended(c, reason);
    if (c->recorded) {
        s.reason = line(text, sizeof(text), reason);
        append(c->d, &s, 0, false);
    } else if (c->known || code == ERR_DENIED || code == ERR_MISMATCH ||
               c->peer == NULL) {
        /* An address that does not answer is no channel refused. */
        refuse(c->d, &s, reason);
    }
}

void record_limit(struct conn *c, const char *limit)
{
    struct netd *d = c->d;

    if (!may_record_refusal(d))
        return;
    role_log(d->role, "call of zone %s (%s) refused: %s", channel_peer(c->ch),
            c->addr, limit);
}

void record_refused(struct netd *d, const char *peer, const char *reason)
{
    struct statement_channel s = {
            .event = STATEMENT_CHANNEL_REFUSED,
            .time = role_now(),
            .zone = span_str(role_zone(d->role)),
            .peer = span_str(peer),
            .where = span_str("netd"),
    };
    refuse(d, &s, reason);
}
