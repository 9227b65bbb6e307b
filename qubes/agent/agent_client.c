/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of the qube.  One request a connection; the answer is 8 raw bytes
 * or the end of the stream.  The connection then stands for the call: its end
 * is what tells dom0 that the caller's port is free.
 *
 * A place is lost by being slow, never by another's request: when all places
 * are taken, the oldest connection that has not finished its request goes.
 */
#include "agent.h"

#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX (2 * LIMIT_CALLS_PER_SOURCE)
#define PENDING_MAX LIMIT_CALLS_PER_SOURCE
#define IDENT       "SOCKET"
#define ANSWER_SIZE 8

enum state {
    STATE_NONE,    /* the place is free */
    STATE_READING, /* its request is not complete */
    STATE_PENDING, /* asked; dom0 decides */
    STATE_CALLING, /* answered: the call lives as long as the connection */
};

struct client {
    enum state state;
    struct link *link;
    sd_event_source *source;
    uint32_t serial; /* in order of arrival, never used twice */
    unsigned epoch;  /* CALLING: of the daemon that gave the port */
    uint32_t domain;
    uint32_t port;
};

static struct client clients[CLIENTS_MAX];
static uint32_t serials;

static void drop(struct client *c)
{
    struct client old = *c;

    *c = (struct client){0};
    sd_event_source_disable_unref(old.source);
    link_free(old.link);
    if (old.state == STATE_CALLING)
        agent_control_ended(old.epoch, old.domain, old.port);
}

/* ---- the request ----------------------------------------------------- */

static size_t count(enum state state)
{
    size_t n = 0;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        n += clients[i].state == state;
    return n;
}

static int ask(struct client *c, struct qrexec_msg *m, struct err *err)
{
    char ident[QREXEC_IDENT_SIZE];

    if (m->type != QREXEC_TRIGGER_SERVICE4 &&
            m->type != QREXEC_TRIGGER_SERVICE3)
        return err_set(
                err, ERR_PEER, "%s is no request", qrexec_type_name(m->type));
    if (count(STATE_PENDING) >= PENDING_MAX)
        return err_set(err, ERR_LIMIT, "too many requests are being decided");
    (void)snprintf(ident, sizeof(ident), IDENT "%u", c->serial);
    m->ident = span_str(ident);
    c->state = STATE_PENDING;
    return agent_control_ask(m, err);
}

static void read_request(struct client *c)
{
    struct qrexec_msg m;
    struct err err;
    int r = link_recv(c->link, &err);
    struct span in = link_in(c->link);

    if (r == 0) {
        if (in.len == 0)
            return;
        r = qrexec_msg_get(&in, &m, &err);
        if (r == ERR_STATE)
            return;
        if (r == 0 && in.len)
            r = err_set(&err, ERR_PEER, "more than one request");
        if (r == 0)
            r = ask(c, &m, &err);
        if (r)
            agent_log("a request was refused: %s", err.msg);
        else
            link_consume(c->link, link_in(c->link).len);
    }
    if (r)
        drop(c);
}

static int on_client(
        sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    struct client *c = userdata;

    (void)s;
    (void)fd;
    (void)revents;
    if (c->state == STATE_READING)
        read_request(c);
    else
        drop(c); /* it said more than one thing, or went away */
    return 0;
}

/* ---- answers --------------------------------------------------------- */

static struct client *find_pending(struct span ident)
{
    char own[QREXEC_IDENT_SIZE];

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].state != STATE_PENDING)
            continue;
        (void)snprintf(own, sizeof(own), IDENT "%u", clients[i].serial);
        if (span_eq_str(ident, own))
            return &clients[i];
    }
    return NULL; /* it went away meanwhile, or was answered */
}

void agent_client_connect(const struct qrexec_msg *m)
{
    struct client *c = find_pending(m->ident);
    uint8_t bytes[ANSWER_SIZE];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct err err;

    if (!c) { /* nobody will use the port */
        agent_control_ended(agent_control_epoch(), m->domain, m->port);
        return;
    }
    wire_put_u32le(&w, m->domain);
    wire_put_u32le(&w, m->port);
    c->state = STATE_CALLING;
    c->epoch = agent_control_epoch();
    c->domain = m->domain;
    c->port = m->port;
    if (link_send(c->link, SPAN_OF(bytes), NULL, 0, &err))
        drop(c);
}

void agent_client_refused(const struct qrexec_msg *m)
{
    struct client *c = find_pending(m->ident);

    if (c)
        drop(c);
}

void agent_client_refuse_all(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].state == STATE_PENDING)
            drop(&clients[i]);
    }
}

/* ---- arrivals -------------------------------------------------------- */

static struct client *free_place(void)
{
    struct client *slow = NULL;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &clients[i];

        if (c->state == STATE_NONE)
            return c;
        if (c->state == STATE_READING &&
                (!slow || (int32_t)(c->serial - slow->serial) < 0))
            slow = c;
    }
    if (slow)
        drop(slow);
    return slow;
}

static int on_accept(
        sd_event_source *s, int listener, uint32_t revents, void *userdata)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *c = fd >= 0 ? free_place() : NULL;
    struct link *l =
            c ? link_new_stream(fd, QREXEC_MSG_MAX, ANSWER_SIZE) : NULL;

    (void)s;
    (void)revents;
    (void)userdata;
    if (fd < 0)
        return 0;
    if (!l) {
        (void)close(fd);
        return 0;
    }
    *c = (struct client){
            .state = STATE_READING, .link = l, .serial = ++serials};
    if (sd_event_add_io(agent.loop, &c->source, fd, EPOLLIN, on_client, c) < 0)
        drop(c);
    return 0;
}

void agent_client_listen(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof(addr.sun_path))
        agent_die("socket path is too long: %s", path);
    memcpy(addr.sun_path, path, strlen(path));
    (void)unlink(path);
    /* Any program of the qube may ask: what it may do is policy's matter. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
        agent_die("%s: %s", path, strerror(errno));
    if (sd_event_add_io(agent.loop, NULL, fd, EPOLLIN, on_accept, NULL) < 0)
        agent_die("no event source");
}
