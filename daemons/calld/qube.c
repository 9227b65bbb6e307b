/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links to agents.  An agent is as hostile as its qube: what it says is
 * checked against the permit table below, and the first violation ends its
 * link, its calls and the qube.
 */
#include "qube_private.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers and executions that an agent may leave unread. */
#define LINK_OUT_MAX (1u << 20)

struct qube *qube_find(struct calld *d, const char *name)
{
    struct qube *q;

    LIST_FOREACH (q, &d->qubes, entry) {
        if (q->state != QUBE_BROKEN && strcmp(q->name, name) == 0)
            return q;
    }
    return NULL;
}

struct qube *qube_new(struct calld *d, const char *name)
{
    struct qube *q =
            d->n_qubes < LIMIT_QUBES_MAX ? calloc(1, sizeof(*q)) : NULL;

    if (!q)
        return NULL;
    q->d = d;
    for (size_t i = 0; i < ARRAY_LEN(q->port_key); i++)
        q->port_key[i] = -1;
    (void)snprintf(q->name, sizeof(q->name), "%s", name);
    LIST_INSERT_HEAD(&d->qubes, q, entry);
    d->n_qubes++;
    return q;
}

/* ---- the end of a qube ----------------------------------------------- */

static void end_calls(struct qube *q)
{
    struct call *c = LIST_FIRST(&q->d->calls);

    while (c) {
        struct call *next = LIST_NEXT(c, entry);

        if (c->source == q) {
            call_cancel(c);
        } else if (c->target == q) {
            c->target = NULL;
            call_refuse(
                    c, ERR_PEER, c->d->where, "qube %s: %s", q->name, q->why);
        }
        c = next;
    }
}

/* A service may have handed its end on: shutting it down ends them all. */
void qube_end_key_session(struct qube *q, uint32_t port)
{
    int *fd = &q->port_key[port - CALLD_PORT_FIRST];

    if (*fd >= 0)
        (void)shutdown(*fd, SHUT_RDWR);
    buf_close_fd(fd);
    *fd = -1;
}

static int on_burial(sd_event_source *s, void *user)
{
    struct qube *q = user;

    (void)s;
    role_forget(q->d->role, q);
    end_calls(q);
    running_qube_gone(q);
    for (uint32_t i = 0; i < ARRAY_LEN(q->port_key); i++)
        qube_end_key_session(q, CALLD_PORT_FIRST + i);
    LIST_REMOVE(q, entry);
    q->d->n_qubes--;
    (void)sd_event_source_disable_unref(q->io);
    (void)sd_event_source_disable_unref(q->timer);
    (void)sd_event_source_disable_unref(q->burial);
    link_free(q->link);
    free(q);
    return 0;
}

static void bury(struct qube *q, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Marks it; calls end in the loop's next turn, so that nobody who holds the
 * qube or a call has to fear for it.
 */
static void bury(struct qube *q, const char *fmt, ...)
{
    va_list ap;

    if (q->state == QUBE_BROKEN)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(q->why, sizeof(q->why), fmt, ap);
    va_end(ap);
    q->state = QUBE_BROKEN;
    if (q->io)
        (void)sd_event_source_set_enabled(q->io, SD_EVENT_OFF);
    if (sd_event_add_defer(role_event(q->d->role), &q->burial, on_burial, q) <
            0)
        role_fatal(q->d->role, "event loop");
}

/* It broke a rule, or does not read: the qube ends. */
void qube_bury_and_stop(struct qube *q, const char *what)
{
    const struct msg_named m = {.name = span_str(q->name)};
    struct role_link *qaird = role_peer(q->d->role, MSG_ROLE_QAIRD);

    if (q->state == QUBE_BROKEN)
        return;
    role_log(q->d->role, "qube %s is stopped: %s", q->name, what);
    bury(q, "%s", what);
    if (qaird && q->name[0] != '@')
        role_send(qaird, MSG_QUBE_STOP, &m, NULL, 0);
}

void qube_on_gone(struct role *r, const struct role_msg *m)
{
    const struct msg_named *named = m->body;
    struct calld *d = role_user(r);
    struct qube *q;

    LIST_FOREACH (q, &d->qubes, entry) {
        /* One that starts has its own answer coming; this is of a former. */
        if (q->state != QUBE_STARTING && span_eq_str(named->name, q->name))
            bury(q, "the qube ended");
    }
}

/* ---- saying ---------------------------------------------------------- */

void qube_watch(struct qube *q)
{
    unsigned events = EPOLLIN;

    if (link_events(q->link) & EPOLLOUT)
        events |= EPOLLOUT;
    if (sd_event_source_set_io_events(q->io, events) < 0)
        role_fatal(q->d->role, "event loop");
}

/* Takes the descriptors in any case. */
void qube_say(
        struct qube *q, const struct qrexec_msg *m, const int *fds, size_t n)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    if (q->state == QUBE_BROKEN ||
            qrexec_msg_put(m, bytes, sizeof(bytes), &len)) {
        for (size_t i = 0; i < n; i++)
            (void)close(fds[i]);
        return;
    }
    if (link_send(q->link, SPAN(bytes, len), fds, n, &err))
        qube_bury_and_stop(q, err.msg);
    else
        qube_watch(q);
}

void qube_connect(struct call *c)
{
    const struct qrexec_msg m = {.type = QREXEC_SERVICE_CONNECT,
            .domain = 1,
            .port = CALLD_PORT_FIRST,
            .ident = span_str(c->ident)};

    qube_say(c->source, &m, &c->data_back, 1);
    c->data_back = -1;
}

void qube_say_refused(struct qube *q, const char *ident, const char *where,
        const char *reason)
{
    const struct qrexec_msg m = {.type = QREXEC_SERVICE_REFUSED,
            .ident = span_str(ident),
            .has_reason = true,
            .where = span_str(where),
            .reason = span_str(reason)};

    qube_say(q, &m, NULL, 0);
}

void qube_refuse(struct call *c)
{
    qube_say_refused(c->source, c->ident, c->where, c->reason);
}

/* ---- starting -------------------------------------------------------- */

static int on_late(sd_event_source *s, uint64_t usec, void *user)
{
    (void)s;
    (void)usec;
    qube_bury_and_stop(user, "its agent did not start in time");
    return 0;
}

static void adopt(struct qube *q, int fd)
{
    sd_event *e = role_event(q->d->role);

    q->link = link_new_unix(fd, QREXEC_MSG_MAX, LINK_OUT_MAX);
    if (!q->link) {
        (void)close(fd);
        qube_bury_and_stop(q, "no memory for its link");
        return;
    }
    q->state = QUBE_GREETING;
    if (sd_event_add_io(e, &q->io, fd, EPOLLIN, qube_on_io, q) < 0 ||
            sd_event_add_time_relative(e, &q->timer, CLOCK_MONOTONIC,
                    CALLD_QUBE_START_S * 1000000ull, 0, on_late, q) < 0)
        role_fatal(q->d->role, "event loop");
}

struct qube *qube_adopt(struct calld *d, const char *name, int fd)
{
    struct qube *q = qube_new(d, name);

    if (q)
        adopt(q, fd);
    else
        (void)close(fd);
    return q;
}

static void on_started(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct qube *q = user;
    const struct msg_refused *refused = answer->body;
    const struct msg_named *started = answer->body;
    char text[CALLD_REASON_MAX];

    if (answer->type != MSG_REFUSED) {
        /* Its agent would hear the calls of this one. */
        if (!span_eq_str(started->name, q->name))
            role_fatal(r, "qaird started another qube than %s", q->name);
        adopt(q, TAKE_FD(answer->fds->fd[0]));
        return;
    }
    text_format_safe(refused->reason, text, sizeof(text));
    bury(q, "%s", text);
}

void qube_ask_start(struct qube *q)
{
    const struct msg_qube_start m = {
            .name = span_str(q->name), .of = span_str(q->template)};
    const struct role_request ask = {.to = MSG_ROLE_QAIRD,
            .type = MSG_QUBE_START,
            .msg = &m,
            .expect = MSG_QUBE_STARTED,
            .done = on_started,
            .user = q};

    role_request(q->d->role, &ask);
}

void qube_end(struct qube *q, const char *what)
{
    const struct msg_named m = {.name = span_str(q->name)};
    struct role_link *qaird = role_peer(q->d->role, MSG_ROLE_QAIRD);

    if (q->state == QUBE_BROKEN)
        return;
    bury(q, "%s", what);
    if (qaird)
        role_send(qaird, MSG_QUBE_STOP, &m, NULL, 0);
}

void qube_start(struct call *c)
{

    c->target = qube_find(c->d, c->qube);
    if (c->target) {
        if (c->target->state == QUBE_UP)
            plan_next(c);
        return;
    }
    c->target = qube_new(c->d, c->qube);
    if (!c->target) {
        call_refuse(c, ERR_LIMIT, c->d->where, "too many qubes run");
        return;
    }
    qube_ask_start(c->target);
}
