/* SPDX-License-Identifier: Apache-2.0 */
/* What agents say: the permit table, and a handler for each message. */
#include "qube_private.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

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
        qube_bury_and_stop(q, "its agent speaks another protocol");
        return;
    }
    q->timer = sd_event_source_disable_unref(q->timer);
    q->state = QUBE_UP;
    qube_say(q, &hello, NULL, 0);
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
        qube_bury_and_stop(q, "it called");
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
        qube_say_refused(q, ident, q->d->where, limit.msg);
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
        qube_bury_and_stop(q, "its agent ended a service that does not run");
        return;
    }
    qube_end_key_session(q, m->port);
    running_terminated(q, m->port);
    q->port_used[i] = false;
    q->running--;
}

/* Whoever asked has gone: a person need not be asked any more, nor begin to be.
 * A call that is under way goes on, to a stream whose other end is closed. */
static void on_withdrawn(struct qube *q, const struct qrexec_msg *m)
{
    struct call *c;

    LIST_FOREACH (c, &q->d->calls, entry) {
        if (c->source == q && c->plan == PLAN_DECIDE && !c->refused &&
                span_eq_str(m->ident, c->ident)) {
            call_refuse(c, ERR_PEER, c->d->where,
                    "the caller went away before it was allowed");
            return;
        }
    }
}

static const struct {
    uint32_t type;
    enum qube_state state;
    void (*handler)(struct qube *q, const struct qrexec_msg *untrusted_m);
} permits[] = {
        {QREXEC_HELLO, QUBE_GREETING, on_hello},
        {QREXEC_TRIGGER_SERVICE4, QUBE_UP, on_trigger},
        {QREXEC_SERVICE_REFUSED, QUBE_UP, on_withdrawn},
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
    qube_bury_and_stop(q, "its agent broke the protocol");
}

int qube_on_io(sd_event_source *s, int fd, uint32_t revents, void *user)
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
            qube_bury_and_stop(q, err.msg);
            return 0;
        }
        on_message(q, &m);
        link_consume(q->link, before - in.len);
    }
    extra = link_take_fd(q->link);
    if (extra >= 0) {
        (void)close(extra);
        qube_bury_and_stop(q, "its agent sent a descriptor");
    }
    if (dead)
        qube_bury_and_stop(q, "its agent went away");
    else if (q->state != QUBE_BROKEN)
        qube_watch(q);
    return 0;
}
