/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that have started.  The stream is between others; of each calld holds
 * the callee's end, which it never reads: shut down, by its user when the call
 * is over or by calld to cut it, that end tells everybody.
 *
 * A call ends early when the owner says so, or when the policy that is in force
 * now would not allow it any more.  Either is recorded first.
 */
#include "calld.h"

#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void check_next(struct calld *d);

/* ---- begin and end --------------------------------------------------- */

static void end(struct running *u)
{
    struct calld *d = u->d;

    role_forget(d->role, u);
    LIST_REMOVE(u, entry);
    if (d->checking == u) { /* and with it the answer that is awaited */
        d->checking = NULL;
        check_next(d);
    }
    d->n_running--;
    (void)sd_event_source_disable_unref(u->io);
    /* The owner's command hears why; a second answer, before the end. */
    if (*u->why && (u->origin == CALL_OF_ADMIN || u->origin == CALL_OF_RUN))
        role_refuse(d->role, u->asker, ERR_DENIED, d->where, "%s", u->why);
    /* Whoever still holds the end cannot keep the stream open by that. */
    (void)shutdown(u->fd, SHUT_RDWR);
    (void)close(u->fd);
    if (u->target)
        qube_end_key_session(u->target, u->port);
    if (u->has_killer)
        role_reply_ok(d->role, u->killer);
    qube_release(u->target);
    free(u);
}

static int on_hangup(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    (void)s;
    (void)fd;
    (void)revents;
    end(user);
    return 0;
}

void running_begin(struct call *c)
{
    size_t len = strlen(c->service);
    struct running *u = calloc(1, sizeof(*u) + len + 1);

    if (!u || sd_event_add_io(role_event(c->d->role), &u->io, c->watch, 0,
                      on_hangup, u) < 0)
        role_fatal(c->d->role, "out of memory");
    u->d = c->d;
    u->origin = c->origin;
    u->since = role_now();
    u->uid = c->uid;
    u->fd = TAKE_FD(c->watch);
    u->target = c->target;
    u->port = c->port;
    u->asker = c->ticket;
    u->checked = c->policies;
    memcpy(u->id, c->id, sizeof(u->id));
    memcpy(u->source_name, c->source_name, sizeof(u->source_name));
    memcpy(u->requested, c->requested, sizeof(u->requested));
    memcpy(u->peer_zone, c->peer_zone, sizeof(u->peer_zone));
    memcpy(u->zone, c->zone, sizeof(u->zone));
    memcpy(u->qube, c->qube, sizeof(u->qube));
    memcpy(u->rule, c->rule, sizeof(u->rule));
    memcpy(u->choice, c->choice, sizeof(u->choice));
    memcpy(u->template, c->template, sizeof(u->template));
    u->from = c->from;
    memcpy(u->service, c->service, len + 1);
    LIST_INSERT_HEAD(&c->d->running, u, entry);
    c->d->n_running++;
    /* Another policy came into force while it was set up. */
    check_next(c->d);
}

/* Of those for which it is true. */
static void end_all(struct calld *d,
        bool (*is)(const struct running *u, const void *what), const void *what)
{
    struct running *u = LIST_FIRST(&d->running);

    while (u) {
        struct running *next = LIST_NEXT(u, entry);

        if (is(u, what))
            end(u);
        u = next;
    }
}

static bool is_in_qube(const struct running *u, const void *what)
{
    return u->target == what;
}

static bool is_remote(const struct running *u, const void *what)
{
    (void)what;
    return u->target == NULL;
}

void running_qube_gone(struct qube *q)
{
    end_all(q->d, is_in_qube, q);
}

void running_netd_gone(struct calld *d)
{
    end_all(d, is_remote, NULL);
}

void running_terminated(struct qube *q, uint32_t port)
{
    struct running *u;

    LIST_FOREACH (u, &q->d->running, entry) {
        if (u->target == q && u->port == port) {
            end(u);
            return;
        }
    }
}

/* ---- cutting --------------------------------------------------------- */

static void format_id(const struct running *u, char ret[static CALLD_ID_TEXT])
{
    text_format_hex(SPAN_OF(u->id), ret);
}

static void on_cut_recorded(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct running *u = user;

    /* A call that is to end is not kept for the want of a log. */
    if (answer->type == MSG_REFUSED)
        role_log(r, "the end of a call (%s) could not be recorded", u->why);
    end(u);
}

static int format_cut(const struct running *u, struct buf *ret, struct err *err)
{
    char id[CALLD_ID_TEXT], text[STATEMENT_REASON_MAX * 2];
    char detail[STATEMENT_REASON_MAX];
    struct statement_event e = {.time = role_now(),
            .zone = span_str(role_zone(u->d->role)),
            .kind = span_str("call-ended")};

    format_id(u, id);
    (void)snprintf(text, sizeof(text), "call %s from %s to %s%s%s, %.200s: %s",
            id, u->source_name, u->zone, *u->zone ? "/" : "", u->qube,
            u->service, u->why);
    text_format_safe(span_str(text), detail, sizeof(detail));
    e.detail = span_str(detail);
    crypto_sha256(SPAN_OF(u->id), e.digest);
    return statement_event_format(&e, ret, err);
}

static void cut(struct running *u)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct msg_append m = {.kind = MSG_APPEND_STATEMENT};
    struct role_request q = {.to = MSG_ROLE_LOGD,
            .type = MSG_APPEND,
            .msg = &m,
            .expect = MSG_APPENDED,
            .done = on_cut_recorded,
            .user = u};
    struct err err;

    if (u->cut)
        return;
    u->cut = true;
    if (format_cut(u, &text, &err)) {
        role_log(u->d->role, "the end of a call cannot be recorded: %s",
                err.msg);
        end(u);
        return;
    }
    m.payload = buf_span(&text);
    role_request(u->d->role, &q);
}

static bool kill_waiting(struct calld *d, struct role_ticket killer,
        const uint8_t id[static MSG_CALL_ID])
{
    struct call *c;

    LIST_FOREACH (c, &d->calls, entry) {
        if (!c->refused && memcmp(c->id, id, MSG_CALL_ID) == 0)
            break;
    }
    if (!c)
        return false;
    call_refuse(c, ERR_DENIED, d->where, "ended by the owner of zone %s",
            role_zone(d->role));
    role_reply_ok(d->role, killer);
    return true;
}

void running_kill(struct role *r, const struct role_msg *m)
{
    const struct msg_named *named = m->body;
    struct calld *d = role_user(r);
    uint8_t id[MSG_CALL_ID];
    struct running *u;

    if (!text_parse_hex(named->name, id, sizeof(id))) {
        role_refuse(r, m->ticket, ERR_SYNTAX, d->where,
                "a call's id is 32 hexadecimal digits: 'qair call list'");
        return;
    }
    if (kill_waiting(d, m->ticket, id))
        return;
    LIST_FOREACH (u, &d->running, entry) {
        if (memcmp(u->id, id, sizeof(id)) == 0 && !u->has_killer)
            break;
    }
    if (!u) {
        role_refuse(r, m->ticket, ERR_NOT_FOUND, d->where,
                "no call of that id runs");
        return;
    }
    u->killer = m->ticket;
    u->has_killer = true;
    (void)snprintf(u->why, sizeof(u->why), "ended by the owner of zone %s",
            role_zone(r));
    cut(u);
}

/* ---- a new policy ---------------------------------------------------- */

/* Not what the rules did not decide. */
static bool is_of_policy(const struct running *u)
{
    return u->origin != CALL_OF_RUN && u->origin != CALL_OF_ASK;
}

/* The same target as now, by the rules as they are now? */
static bool still_allows(const struct running *u, const struct msg_decision *d)
{
    bool disposable = d->kind == MSG_TARGET_DISPOSABLE;

    return d->allow && span_eq_str(d->zone, u->zone) &&
           disposable == (*u->template != '\0') &&
           span_eq_str(d->qube, disposable ? u->template : u->qube);
}

static void on_checked(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct running *u = user;
    const struct msg_decision *decision = answer->body;
    struct calld *d = u->d;
    char reason[128];

    (void)r;
    d->checking = NULL;
    /* policyd is gone: the next one says when it is there. */
    if (answer->type == MSG_REFUSED)
        return;
    if (!still_allows(u, decision)) {
        text_format_safe(
                decision->allow ? span_str("another target") : decision->reason,
                reason, sizeof(reason));
        (void)snprintf(u->why, sizeof(u->why),
                "the policy does not allow it any more: %s", reason);
        cut(u);
    }
    check_next(d);
}

/* One after the other, so that new calls are not held up. */
static void check_next(struct calld *d)
{
    struct running *u;
    struct msg_decide m;
    struct role_request q = {.to = MSG_ROLE_POLICYD,
            .type = MSG_DECIDE,
            .msg = &m,
            .expect = MSG_DECISION,
            .done = on_checked};

    if (d->checking)
        return;
    LIST_FOREACH (u, &d->running, entry) {
        if (u->checked != d->policies && !u->cut && is_of_policy(u))
            break;
    }
    if (!u)
        return;
    u->checked = d->policies;
    d->checking = u;
    m = (struct msg_decide){.source = span_str(u->source_name),
            .target = span_str(u->requested),
            .service = span_str(u->service),
            .choice = span_str(u->choice),
            .running = 1,
            .state = span_str(
                    u->origin == CALL_OF_ZONE ? u->from.state : d->own.state)};
    q.user = u;
    role_request(d->role, &q);
}

void running_note_state(
        struct calld *d, const char *zone, const struct proof *now)
{
    struct running *u;

    LIST_FOREACH (u, &d->running, entry) {
        if (u->origin == CALL_OF_ZONE && strcmp(u->peer_zone, zone) == 0)
            u->from = *now;
    }
}

void running_check(struct calld *d)
{
    d->policies++;
    check_next(d);
}
