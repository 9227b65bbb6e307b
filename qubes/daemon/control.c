/* SPDX-License-Identifier: Apache-2.0 */
/* The vchan to the qube's agent: everything that comes from it is hostile. */
#include "daemon.h"

#include "trigger.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* What waits for an agent that does not read: 20 longest commands. */
#define OUT_MAX (20u * QREXEC_MSG_MAX)
/* Kept free for what requests under way still have to say, 48 bytes each. */
#define OUT_RESERVE (2u * QREXEC_MSG_MAX)
#define AGAIN_US    100000

/* ---- to the agent ---------------------------------------------------- */

static void watch(struct daemon *d)
{
    struct control *c = &d->control;
    short events = link_events(c->link);
    bool room = control_has_room(d);

    if (!room)
        events &= (short)~link_want(c->link, POLLIN);
    (void)sd_event_source_set_io_events(c->io, (uint32_t)events);
    clients_pause(d, !room);
}

bool control_has_room(const struct daemon *d)
{
    return d->control.link && link_room(d->control.link) >= OUT_RESERVE;
}

void control_send(struct daemon *d, struct span message)
{
    struct err err;
    int r;

    if (!d->control.link)
        return;
    r = link_send(d->control.link, message, NULL, 0, &err);
    /* A dead link is heard of by on_link. */
    if (r == ERR_LIMIT || r == ERR_MEMORY) {
        daemon_log(d, "the agent cannot be told: %s", err.msg);
        daemon_exit(d, 1);
        return;
    }
    watch(d);
}

static void say(struct daemon *d, const struct qrexec_msg *m)
{
    uint8_t bytes[QREXEC_HEADER_SIZE + DSOCK_EXEC_SIZE + QREXEC_IDENT_SIZE];
    size_t len;

    if (qrexec_msg_put(m, bytes, sizeof(bytes), &len) == 0)
        control_send(d, SPAN(bytes, len));
}

/* The ident is echoed as it came, whatever it holds. */
void control_refuse(struct daemon *d, const uint8_t ident[QREXEC_IDENT_SIZE])
{
    uint8_t bytes[QREXEC_HEADER_SIZE + QREXEC_IDENT_SIZE];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));

    wire_put_u32le(&w, QREXEC_SERVICE_REFUSED);
    wire_put_u32le(&w, QREXEC_IDENT_SIZE);
    wire_put_bytes(&w, ident, QREXEC_IDENT_SIZE);
    control_send(d, SPAN(bytes, sizeof(bytes)));
}

void control_connect(struct daemon *d, uint32_t domain, uint32_t port,
        const uint8_t ident[QREXEC_IDENT_SIZE])
{
    uint8_t bytes[QREXEC_HEADER_SIZE + DSOCK_EXEC_SIZE + QREXEC_IDENT_SIZE];
    struct dsock_request q = {.type = QREXEC_SERVICE_CONNECT,
            .domain = domain,
            .port = port,
            .text = SPAN(ident, QREXEC_IDENT_SIZE)};
    size_t len;

    if (dsock_put_request(&q, bytes, sizeof(bytes), &len) == 0)
        control_send(d, SPAN(bytes, len));
}

/* ---- its messages ---------------------------------------------------- */

static void breach(struct daemon *d, const char *what, uint32_t type)
{
    daemon_log(d, "the agent broke the protocol: %s (%s, version %u), exiting",
            what, qrexec_type_name(type), (unsigned)d->control.version);
    daemon_exit(d, 1);
}

static void on_hello(struct daemon *d, struct wire_reader body)
{
    struct qrexec_msg m = {.type = QREXEC_HELLO};
    struct err err;

    if (d->control.version) {
        breach(d, "second hello", QREXEC_HELLO);
        return;
    }
    if (!wire_get_u32le(&body, &m.version) ||
            qrexec_negotiate(m.version, &d->control.version, &err)) {
        daemon_log(d, "agent's hello: %s", err.msg);
        daemon_exit(d, 1);
        return;
    }
    say(d, &m); /* its own version, as upstream has it */
    if (clients_open(d, &err)) {
        daemon_log(d, "%s", err.msg);
        daemon_exit(d, 1);
        return;
    }
    if (d->control.was_ready)
        daemon_log(d, "qrexec-agent has reconnected");
    d->control.was_ready = true;
    daemon_ready(d);
}

static void on_terminated(struct daemon *d, struct wire_reader body)
{
    uint32_t domain = 0;
    uint32_t port = 0;
    void *owner = NULL;

    if (!wire_get_u32le(&body, &domain) || !wire_get_u32le(&body, &port) ||
            port < LINK_DATA_PORT_FIRST || port > LINK_DATA_PORT_LAST) {
        breach(d, "invalid port", QREXEC_CONNECTION_TERMINATED);
        return;
    }
    if (ports_put(&d->ports, domain, port, daemon_now_ms(), &owner) && owner)
        client_drop(owner);
}

static void on_trigger(struct daemon *d, uint32_t type, struct wire_reader body)
{
    struct trigger t;
    struct err err;
    int r = trigger_parse(type, SPAN(body.ptr, body.left), &t, &err);

    if (r) {
        daemon_log_qube(d, "request refused: %s", err.msg);
        control_refuse(d, t.ident);
        return;
    }
    request_new(d, t.ident, &t.asked, t.bare);
}

static void on_trigger2(struct daemon *d, struct wire_reader body)
{
    on_trigger(d, QREXEC_TRIGGER_SERVICE, body);
}

static void on_trigger3(struct daemon *d, struct wire_reader body)
{
    on_trigger(d, QREXEC_TRIGGER_SERVICE3, body);
}

static void on_trigger4(struct daemon *d, struct wire_reader body)
{
    on_trigger(d, QREXEC_TRIGGER_SERVICE4, body);
}

static const struct permit {
    uint32_t type;
    uint32_t version_min, version_max;
    uint32_t len_min, len_max;
    void (*handler)(struct daemon *d, struct wire_reader body);
} permits[] = {
        {QREXEC_HELLO, 0, QREXEC_VERSION, 4, 4, on_hello},
        {QREXEC_TRIGGER_SERVICE, 2, 2, TRIGGER2_SIZE, TRIGGER2_SIZE,
                on_trigger2},
        {QREXEC_TRIGGER_SERVICE3, 3, QREXEC_VERSION, TRIGGER3_MIN, TRIGGER3_MAX,
                on_trigger3},
        {QREXEC_TRIGGER_SERVICE4, 4, QREXEC_VERSION, TRIGGER4_MIN, TRIGGER4_MAX,
                on_trigger4},
        {QREXEC_CONNECTION_TERMINATED, 2, QREXEC_VERSION, 8, 8, on_terminated},
};

/* The permit for a header; NULL after a breach. */
static const struct permit *judge(struct daemon *d, uint32_t type, uint32_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(permits); i++) {
        const struct permit *p = &permits[i];

        if (p->type != type)
            continue;
        if (d->control.version < p->version_min ||
                d->control.version > p->version_max)
            breach(d, "not with this version", type);
        else if (len < p->len_min || len > p->len_max)
            breach(d, "invalid length", type);
        else
            return p;
        return NULL;
    }
    breach(d, "unknown message", type);
    return NULL;
}

/* One message; false when no whole one is there, or after a breach. */
static bool hear_one(struct daemon *d)
{
    struct span in = link_in(d->control.link);
    struct wire_reader r = wire_reader_of(in);
    struct wire_reader body;
    const struct permit *p;
    uint32_t type;
    uint32_t len;

    if (!wire_get_u32le(&r, &type) || !wire_get_u32le(&r, &len))
        return false;
    if (len <= QREXEC_BODY_MAX && !wire_get_sub(&r, len, &body))
        return false; /* judged when it is whole: its sender is still at it */
    p = judge(d, type, len);
    if (!p)
        return false;
    p->handler(d, body);
    link_consume(d->control.link, in.len - r.left);
    return true;
}

/* ---- the link -------------------------------------------------------- */

static int on_again(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct daemon *d = ctx;

    (void)s;
    (void)usec;
    sd_event_source_disable_unref(TAKE_PTR(d->control.again));
    control_start(d);
    return 0;
}

static void lost(struct daemon *d)
{
    struct control *c = &d->control;

    daemon_log(d, "qrexec-agent has disconnected");
    clients_close(d);
    requests_abort(d);
    control_fini(d);
    if (!c->was_ready) {
        daemon_exit(d, 1);
        return;
    }
    /* Ports stay taken: their calls may outlive an agent's restart. */
    if (sd_event_add_time_relative(d->event, &c->again, CLOCK_MONOTONIC,
                AGAIN_US, 0, on_again, d) < 0)
        daemon_exit(d, 1);
}

static bool is_over(const struct daemon *d)
{
    return sd_event_get_state(d->event) == SD_EVENT_EXITING ||
           sd_event_get_exit_code(d->event, NULL) >= 0;
}

static int on_link(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct daemon *d = ctx;
    short ready = link_ready(d->control.link, (short)revents);
    struct err err;
    int r = link_flush(d->control.link, &err);

    (void)s;
    (void)fd;
    if (!r && (ready & (POLLIN | POLLHUP | POLLERR)))
        r = link_recv(d->control.link, &err);
    while (!is_over(d) && (r || control_has_room(d)) && hear_one(d)) {
    }
    if (is_over(d))
        return 0;
    if (r)
        lost(d);
    else
        watch(d);
    return 0;
}

static int on_port(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct daemon *d = ctx;
    struct control *c = &d->control;
    struct err err;
    int r = link_port_open(c->port, QREXEC_MSG_MAX, OUT_MAX, &c->link, &err);

    (void)s;
    (void)fd;
    (void)revents;
    if (r == ERR_STATE)
        return 0;
    sd_event_source_disable_unref(TAKE_PTR(c->io));
    link_port_free(TAKE_PTR(c->port));
    if (r == 0 && sd_event_add_io(d->event, &c->io, link_fd(c->link),
                          (uint32_t)link_events(c->link), on_link, d) >= 0)
        return 0;
    daemon_log(d, "no vchan to the agent: %s", r ? err.msg : "event loop");
    daemon_exit(d, 3);
    return 0;
}

void control_start(struct daemon *d)
{
    struct control *c = &d->control;
    struct err err = {.msg = "event loop"};

    if (link_port_connect(d->o.domain, LINK_CONTROL_PORT, 0, &c->port, &err) ==
                    0 &&
            sd_event_add_io(d->event, &c->io, link_port_fd(c->port), POLLIN,
                    on_port, d) >= 0)
        return;
    daemon_log(d, "no vchan to the agent: %s", err.msg);
    daemon_exit(d, 3);
}

void control_fini(struct daemon *d)
{
    struct control *c = &d->control;

    sd_event_source_disable_unref(TAKE_PTR(c->io));
    sd_event_source_disable_unref(TAKE_PTR(c->again));
    link_port_free(TAKE_PTR(c->port));
    link_free(TAKE_PTR(c->link));
    c->version = 0;
}
