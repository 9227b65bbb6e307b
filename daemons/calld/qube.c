/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links to agents.  An agent is as hostile as its qube: what it says is
 * checked against the permit table below, and the first violation ends its
 * link, its calls and the qube.
 */
#include "calld.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers and executions that an agent may leave unread. */
#define LINK_OUT_MAX (1u << 20)
#define ADMIN_NAME   "dom0" /* what services know the owner as (Qubes) */

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
static void end_key_session(int *fd)
{
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
    for (size_t i = 0; i < ARRAY_LEN(q->port_key); i++)
        end_key_session(&q->port_key[i]);
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
static void bury_and_stop(struct qube *q, const char *what)
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

static void watch(struct qube *q)
{
    unsigned events = EPOLLIN;

    if (link_events(q->link) & EPOLLOUT)
        events |= EPOLLOUT;
    if (sd_event_source_set_io_events(q->io, events) < 0)
        role_fatal(q->d->role, "event loop");
}

/* Takes the descriptors in any case. */
static void say(
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
        bury_and_stop(q, err.msg);
    else
        watch(q);
}

void qube_connect(struct call *c)
{
    const struct qrexec_msg m = {.type = QREXEC_SERVICE_CONNECT,
            .domain = 1,
            .port = CALLD_PORT_FIRST,
            .ident = span_str(c->ident)};

    say(c->source, &m, &c->data_back, 1);
    c->data_back = -1;
}

static void say_refused(struct qube *q, const char *ident, const char *where,
        const char *reason)
{
    const struct qrexec_msg m = {.type = QREXEC_SERVICE_REFUSED,
            .ident = span_str(ident),
            .has_reason = true,
            .where = span_str(where),
            .reason = span_str(reason)};

    say(q, &m, NULL, 0);
}

void qube_refuse(struct call *c)
{
    say_refused(c->source, c->ident, c->where, c->reason);
}

/* ---- executing ------------------------------------------------------- */

static int put_command(const struct call *c, char *ret, size_t cap)
{
    const char *source = c->source_name;
    int n;

    if (c->origin == CALL_OF_RUN) {
        n = snprintf(ret, cap, "DEFAULT:%s", c->command);
        return n > 0 && (size_t)n < cap ? 0 : ERR_LIMIT;
    }
    if (strcmp(source, "@adminvm") == 0)
        source = ADMIN_NAME;
    if (!host_has(c->d, c->qube))
        return qrexec_command_format(span_str(c->user), span_str(c->service),
                span_str(source), ret, cap);
    /* The relay has many qubes behind it; as whom, its dom0 decides. */
    n = snprintf(ret, cap, "DEFAULT:QUBESRPC %s %s name %s", c->service, source,
            c->qube);
    return n > 0 && (size_t)n < cap ? 0 : ERR_LIMIT;
}

static bool take_port(struct qube *q, uint32_t *ret)
{
    for (uint32_t i = 0; i < LIMIT_CALLS_PER_SOURCE; i++) {
        if (q->port_used[i])
            continue;
        q->port_used[i] = true;
        q->running++;
        *ret = CALLD_PORT_FIRST + i;
        return true;
    }
    return false;
}

void qube_exec(struct call *c)
{
    static char command[QREXEC_COMMAND_MAX + 1];
    struct qrexec_msg m = {
            .type = QREXEC_EXEC_CMDLINE, .domain = c->key >= 0 ? 2 : 1};
    const int fds[] = {c->data, c->key};
    struct qube *q = c->target;
    struct err err;

    if (put_command(c, command, sizeof(command))) {
        call_refuse(c, ERR_SYNTAX, c->d->where,
                "user or service cannot be written as a command");
        return;
    }
    if (share_serve(c, &err)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "%s", err.msg);
        return;
    }
    if (!take_port(q, &m.port)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "%s runs %u services already",
                q->name, q->running);
        return;
    }
    c->port = m.port;
    c->watch = fcntl(c->data, F_DUPFD_CLOEXEC, 3);
    if (c->watch < 0)
        role_fatal(q->d->role, "out of descriptors");
    /* Kept to end the session with the call. */
    q->port_key[m.port - CALLD_PORT_FIRST] =
            c->key >= 0 ? fcntl(c->key, F_DUPFD_CLOEXEC, 3) : -1;
    m.command = span_str(command);
    say(q, &m, fds, m.domain);
    c->data = c->key = -1;
    if (q->state != QUBE_BROKEN) /* else its burial refuses the call */
        plan_next(c);
}

/* ---- hearing --------------------------------------------------------- */

static void release_waiting(struct qube *q)
{
    struct call *c = LIST_FIRST(&q->d->calls);

    while (c) {
        struct call *next = LIST_NEXT(c, entry);

        if (c->target == q && !c->refused)
            plan_next(c);
        c = next;
    }
}

static void on_hello(struct qube *q, const struct qrexec_msg *m)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    uint32_t version;
    struct err err;

    if (qrexec_negotiate(m->version, &version, &err) ||
            version < QREXEC_VERSION) {
        bury_and_stop(q, "its agent speaks another protocol");
        return;
    }
    q->timer = sd_event_source_disable_unref(q->timer);
    q->state = QUBE_UP;
    say(q, &hello, NULL, 0);
    if (q->state == QUBE_UP)
        release_waiting(q);
}

/* Those of the request that fit their fields, for the record. */
static void keep_request(struct call *c, const struct qrexec_request *q)
{
    (void)snprintf(c->ident, sizeof(c->ident), "%s", q->ident);
    (void)snprintf(c->requested, sizeof(c->requested), "%s", q->target);
    (void)snprintf(c->service, sizeof(c->service), "%s", q->service);
}

static void on_trigger(struct qube *q, const struct qrexec_msg *untrusted_m)
{
    static struct qrexec_request request; /* 4 kB */
    struct call *c = NULL;
    const struct share_of who = {
            .origin = CALL_OF_QUBE, .source = q->name, .peer_zone = ""};
    char ident[QREXEC_IDENT_SIZE];
    struct err err, limit;
    int e;

    if (q->name[0] == '@') { /* qubes of the Qubes host come over relay.sock */
        bury_and_stop(q, "it called");
        return;
    }
    request = (struct qrexec_request){0};
    e = qrexec_request_check(untrusted_m, &request, &err);
    text_format_safe(untrusted_m->ident, ident, sizeof(ident));
    if (share_begin(q->d, &who, NULL, &limit) == 0) {
        c = call_new(q->d, CALL_OF_QUBE);
        (void)err_set(&limit, ERR_LIMIT, "too many calls at once");
    }
    if (!c) {
        say_refused(q, ident, q->d->where, limit.msg);
        return;
    }
    c->source = q;
    (void)snprintf(c->source_name, sizeof(c->source_name), "%s", q->name);
    if (e) {
        (void)snprintf(c->ident, sizeof(c->ident), "%s", ident);
        call_refuse(c, e, c->d->where, "%s", err.msg);
        return;
    }
    keep_request(c, &request);
    if (*request.source)
        call_refuse(c, ERR_DENIED, c->d->where,
                "a qube of this zone speaks for itself alone, not for %s",
                request.source);
    else
        plan_start(c, PLAN_DECIDE);
}

static void on_terminated(struct qube *q, const struct qrexec_msg *m)
{
    uint32_t i = m->port - CALLD_PORT_FIRST;

    if (i >= LIMIT_CALLS_PER_SOURCE || !q->port_used[i]) {
        bury_and_stop(q, "its agent ended a service that does not run");
        return;
    }
    end_key_session(&q->port_key[i]);
    running_terminated(q, m->port);
    q->port_used[i] = false;
    q->running--;
}

static const struct {
    uint32_t type;
    enum qube_state state;
    void (*handler)(struct qube *q, const struct qrexec_msg *untrusted_m);
} permits[] = {
        {QREXEC_HELLO, QUBE_GREETING, on_hello},
        {QREXEC_TRIGGER_SERVICE4, QUBE_UP, on_trigger},
        {QREXEC_CONNECTION_TERMINATED, QUBE_UP, on_terminated},
};

static void on_message(struct qube *q, const struct qrexec_msg *untrusted_m)
{
    for (size_t i = 0; i < ARRAY_LEN(permits); i++) {
        if (permits[i].type == untrusted_m->type &&
                permits[i].state == q->state) {
            permits[i].handler(q, untrusted_m);
            return;
        }
    }
    bury_and_stop(q, "its agent broke the protocol");
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct qube *q = user;
    struct err err;
    int dead = 0;
    int extra;

    (void)s;
    (void)fd;
    if (revents & EPOLLOUT)
        dead = link_flush(q->link, &err);
    if (!dead && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        dead = link_recv(q->link, &err);
    while (q->state != QUBE_BROKEN) {
        struct span in = link_in(q->link);
        size_t before = in.len;
        struct qrexec_msg m;
        int e = qrexec_msg_get(&in, &m, &err);

        if (e == ERR_STATE)
            break;
        if (e) {
            bury_and_stop(q, err.msg);
            return 0;
        }
        on_message(q, &m);
        link_consume(q->link, before - in.len);
    }
    extra = link_take_fd(q->link);
    if (extra >= 0) {
        (void)close(extra);
        bury_and_stop(q, "its agent sent a descriptor");
    }
    if (dead)
        bury_and_stop(q, "its agent went away");
    else if (q->state != QUBE_BROKEN)
        watch(q);
    return 0;
}

/* ---- starting -------------------------------------------------------- */

static int on_late(sd_event_source *s, uint64_t usec, void *user)
{
    (void)s;
    (void)usec;
    bury_and_stop(user, "its agent did not start in time");
    return 0;
}

static void adopt(struct qube *q, int fd)
{
    sd_event *e = role_event(q->d->role);

    q->link = link_new_unix(fd, QREXEC_MSG_MAX, LINK_OUT_MAX);
    if (!q->link) {
        (void)close(fd);
        bury_and_stop(q, "no memory for its link");
        return;
    }
    q->state = QUBE_GREETING;
    if (sd_event_add_io(e, &q->io, fd, EPOLLIN, on_io, q) < 0 ||
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
    char text[CALLD_REASON_MAX];

    (void)r;
    if (answer->type != MSG_REFUSED) {
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
