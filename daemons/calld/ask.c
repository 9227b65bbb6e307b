/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call about which a person is asked waits here, for a time.  The owner sees
 * it in `qair call list`; where its source has a GuiVM, that is asked too, and
 * the first answer counts.  An answer is no decision: policyd decides anew,
 * with the policy of then, and takes nothing that its rules do not offer.
 */
#include "calld.h"

#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* ---- begin and end --------------------------------------------------- */

void ask_end(struct call *c)
{
    struct ask *a = c->ask;

    if (!a)
        return;
    c->ask = NULL;
    c->d->n_asking--;
    ask_guivm_end(a);
    (void)sd_event_source_disable_unref(a->timer);
    (void)sd_event_source_disable_unref(a->hangup);
    free(a->candidates);
    free(a);
}

static int on_late(sd_event_source *s, uint64_t usec, void *user)
{
    struct ask *a = user;

    (void)s;
    (void)usec;
    call_refuse(a->c, ERR_TIMEOUT, a->c->d->where,
            "nobody answered whether it may call");
    return 0;
}

static int on_hangup(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct ask *a = user;

    (void)s;
    (void)fd;
    (void)revents;
    call_refuse(a->c, ERR_PEER, a->c->d->where,
            "the caller went away before it was allowed");
    return 0;
}

static unsigned open_of(const struct call *c)
{
    const struct call *o;
    unsigned n = 0;

    LIST_FOREACH (o, &c->d->calls, entry)
        n += o->ask && strcmp(o->source_name, c->source_name) == 0;
    return n;
}

static bool may_ask(struct call *c)
{
    if (open_of(c) >= CALLD_QUESTIONS_PER_SOURCE)
        call_refuse(c, ERR_LIMIT, c->d->where,
                "%d questions about %s are open already",
                CALLD_QUESTIONS_PER_SOURCE, c->source_name);
    else if (c->d->n_asking >= CALLD_QUESTIONS_MAX)
        call_refuse(c, ERR_LIMIT, c->d->where, "%d questions are open already",
                CALLD_QUESTIONS_MAX);
    else
        return true;
    return false;
}

/* A call of another zone has no longer than its envelope, less the time to
 * start its target. */
static uint64_t time_to_answer(const struct call *c, uint64_t now)
{
    uint64_t until = now + CALLD_QUESTION_S;

    if (c->origin != CALL_OF_ZONE || c->deadline >= until + CALLD_ASK_REST_S)
        return until;
    return c->deadline > now + CALLD_ASK_REST_S ? c->deadline - CALLD_ASK_REST_S
                                                : now;
}

static bool fill(struct ask *a, const struct msg_decision *d)
{
    if (d->candidates.len == 0 || d->fallback.len >= sizeof(a->fallback) ||
            d->guivm.len >= sizeof(a->guivm))
        return false;
    (void)snprintf(a->fallback, sizeof(a->fallback), "%.*s",
            (int)d->fallback.len, (const char *)d->fallback.ptr);
    (void)snprintf(a->guivm, sizeof(a->guivm), "%.*s", (int)d->guivm.len,
            (const char *)d->guivm.ptr);
    a->candidates = strndup((const char *)d->candidates.ptr, d->candidates.len);
    return a->candidates != NULL;
}

void ask_begin(struct call *c, const struct msg_decision *d)
{
    sd_event *e = role_event(c->d->role);
    uint64_t now = role_now();
    struct ask *a;

    if (!may_ask(c))
        return;
    a = calloc(1, sizeof(*a));
    if (!a || !fill(a, d)) {
        free(a);
        call_refuse(c, ERR_LIMIT, c->d->where, "the question is too long");
        return;
    }
    a->c = c;
    a->until = time_to_answer(c, now);
    c->ask = a;
    c->d->n_asking++;
    /* The stream's other end goes with whoever waits; of a qube's program its
     * agent tells (qube_hear.c). */
    if (sd_event_add_time_relative(e, &a->timer, CLOCK_MONOTONIC,
                (a->until - now) * 1000000, 0, on_late, a) < 0 ||
            (c->data >= 0 && sd_event_add_io(e, &a->hangup, c->data, EPOLLRDHUP,
                                     on_hangup, a) < 0))
        role_fatal(c->d->role, "event loop");
    if (*a->guivm)
        ask_guivm_begin(a);
}

/* ---- the answer ------------------------------------------------------ */

void ask_answer(struct call *c, struct span choice)
{
    if (choice.len == 0 || choice.len >= sizeof(c->choice) ||
            memchr(choice.ptr, 0, choice.len)) {
        call_refuse(c, ERR_DENIED, c->d->where, "the answer is no target");
        return;
    }
    memcpy(c->choice, choice.ptr, choice.len);
    c->choice[choice.len] = '\0';
    ask_end(c);
    plan_start(c, PLAN_DECIDE);
}

static bool is_candidate(const struct ask *a, struct span target)
{
    const char *at = a->candidates;

    while (*at) {
        size_t n = strcspn(at, "\n");

        if (span_eq(SPAN(at, n), target))
            return true;
        at += n + (at[n] == '\n');
    }
    return false;
}

static struct call *find(struct calld *d, struct span text)
{
    uint8_t id[MSG_CALL_ID];
    struct call *c;

    if (!text_parse_hex(text, id, sizeof(id)))
        return NULL;
    LIST_FOREACH (c, &d->calls, entry) {
        if (c->ask && memcmp(c->id, id, sizeof(id)) == 0)
            return c;
    }
    return NULL;
}

void ask_on_choose(struct role *r, const struct role_msg *m)
{
    const struct msg_choose *body = m->body;
    struct calld *d = role_user(r);
    struct call *c = find(d, body->id);
    struct span target = body->target;

    if (!c) {
        role_refuse(r, m->ticket, ERR_NOT_FOUND, d->where,
                "no call of that id asks: 'qair call list'");
        return;
    }
    if (!body->allow) {
        role_reply_ok(r, m->ticket);
        call_refuse(c, ERR_DENIED, d->where, "denied by the zone's owner");
        return;
    }
    if (target.len == 0)
        target = span_str(c->ask->fallback);
    /* policyd looks again; here a slip of the pen costs no call. */
    if (target.len == 0 || !is_candidate(c->ask, target)) {
        role_refuse(r, m->ticket, ERR_NOT_FOUND, d->where,
                target.len ? "that target is not offered: 'qair call list'"
                           : "name a target: 'qair call list'");
        return;
    }
    role_reply_ok(r, m->ticket);
    ask_answer(c, target);
}

/* ---- the list -------------------------------------------------------- */

bool ask_put(struct json_t *o, const struct ask *a)
{
    struct json_t *list = statement_put_array(o, "candidates");
    const char *at = a->candidates;

    if (!list || !statement_put_str(o, "default", a->fallback) ||
            !statement_put_str(o, "guivm", a->guivm) ||
            !statement_put_u64(o, "until", a->until))
        return false;
    while (*at) {
        size_t n = strcspn(at, "\n");

        if (!statement_add_text(list, SPAN(at, n)))
            return false;
        at += n + (at[n] == '\n');
    }
    return true;
}
