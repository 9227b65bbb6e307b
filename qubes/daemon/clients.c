/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's socket: dom0's programs and other qubes' daemons. */
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* From accept to a whole request; local programs, so this is generous. */
#define REQUEST_S 10
/* Accepted at one go: others have their turn too. */
#define ACCEPT_BURST 16
#define DEFAULT_USER "DEFAULT"
/* Of a command in the log: the longest service name, and more. */
#define COMMAND_SHOWN 320

/* ---- requests -------------------------------------------------------- */

/* "DEFAULT:" becomes the qube's default user. */
static int with_user(const struct daemon *d, struct span text,
        uint8_t ret[static QREXEC_BODY_MAX], struct span *ret_text)
{
    /* What is too long is refused here, before it has a port. */
    struct wire_writer w =
            wire_writer_of(ret, QREXEC_BODY_MAX - DSOCK_EXEC_SIZE);
    size_t n = strlen(DEFAULT_USER);
    const char *user = d->o.default_user;

    if (text.len <= n || memcmp(text.ptr, DEFAULT_USER ":", n + 1) != 0) {
        *ret_text = text;
        return 0;
    }
    wire_put_bytes(&w, (const uint8_t *)user, strlen(user));
    wire_put_bytes(&w, text.ptr + n, text.len - n);
    return wire_finish(&w, ret_text) ? 0 : ERR_LIMIT;
}

/* The agent never heard of the call, and will not tell its end. */
static void give_back(struct daemon *d, const struct dsock_request *q)
{
    void *owner;

    (void)!ports_put(&d->ports, q->domain, q->port, daemon_now_ms(), &owner);
}

/* The port of a call: the daemon's choice, told to the client, or its own. */
static int settle_port(
        struct client *c, struct dsock_request *q, struct err *err)
{
    struct daemon *d = c->d;
    uint8_t answer[DSOCK_ANSWER_SIZE];
    int r;

    if (q->port)
        return q->port >= LINK_DATA_PORT_FIRST && q->port <= LINK_DATA_PORT_LAST
                       ? 0
                       : err_set(err, ERR_SYNTAX, "invalid port %u",
                                 (unsigned)q->port);
    if (ports_take(&d->ports, q->domain, daemon_now_ms(), c, &q->port))
        return err_set(err, ERR_LIMIT, "all ports are in use");
    dsock_put_answer(q->type, d->o.domain, q->port, answer);
    r = link_send(c->link, SPAN_OF(answer), NULL, 0, err);
    if (r)
        give_back(d, q);
    return r;
}

/* dom0 asks no policy: this line is the record of its call, written before the
 * agent hears of it (qubes-issues 10689).  Other domains' calls were judged. */
static void note_dom0(struct daemon *d, const struct dsock_request *q)
{
    struct span command = q->text; /* with its NUL */
    char text[COMMAND_SHOWN];

    if (q->domain != 0 || q->type == QREXEC_SERVICE_CONNECT)
        return;
    if (command.len)
        command.len--;
    text_format_safe(command, text, sizeof(text));
    daemon_log(d, "dom0 runs %s", text);
}

static int serve(struct client *c, struct dsock_request *q, struct err *err)
{
    static uint8_t with[QREXEC_BODY_MAX];
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct request *asked = NULL;
    size_t len;
    int r = 0;

    if (q->type == QREXEC_SERVICE_CONNECT) {
        asked = request_find(c->d, q->text);
        if (!asked)
            return err_set(err, ERR_NOT_FOUND,
                    "connection not requested or already handled");
    } else {
        r = with_user(c->d, q->text, with, &q->text);
    }
    if (r)
        return err_set(err, r, "the command is too long");
    r = settle_port(c, q, err);
    if (r)
        return r;
    if (asked) /* this client has decided it, nobody else has to */
        request_abandon(asked);
    r = dsock_put_request(q, bytes, sizeof(bytes), &len);
    if (r)
        return err_set(err, r, "the command is too long");
    note_dom0(c->d, q);
    control_send(c->d, SPAN(bytes, len));
    return 0;
}

/* ---- one client ------------------------------------------------------ */

void client_drop(struct client *c)
{
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->deadline);
    link_free(c->link);
    ports_forget(&c->d->ports, c);
    *c = (struct client){.d = c->d};
}

static int hear_request(struct client *c, struct span *in, struct err *err)
{
    struct dsock_request q;
    int r = dsock_get_request(in, &q, err);

    if (r)
        return r;
    r = serve(c, &q, err);
    if (r)
        return r;
    c->state = CLIENT_RUNNING;
    sd_event_source_disable_unref(TAKE_PTR(c->deadline));
    return 0;
}

static int hear_hello(struct client *c, struct span *in, struct err *err)
{
    int r = dsock_get_hello(in, err);

    if (r == 0)
        c->state = CLIENT_REQUEST;
    return r;
}

/* What a running client says is one thing too many. */
static int hear(struct client *c, struct err *err)
{
    for (;;) {
        struct span in = link_in(c->link);
        size_t before = in.len;
        int r = 0;

        if (c->state == CLIENT_HELLO)
            r = hear_hello(c, &in, err);
        else if (c->state == CLIENT_REQUEST && control_has_room(c->d))
            r = hear_request(c, &in, err);
        else if (c->state == CLIENT_RUNNING && before)
            r = err_set(err, ERR_SYNTAX, "more than one request");
        else
            return 0;
        if (r)
            return r == ERR_STATE ? 0 : r;
        link_consume(c->link, before - in.len);
    }
}

static void listen_to(struct client *c)
{
    struct err err = {0};
    int r = hear(c, &err);

    if (r) {
        daemon_log(c->d, "a client's request is dropped: %s", err.msg);
        client_drop(c);
        return;
    }
    (void)sd_event_source_set_io_events(c->io, (uint32_t)link_events(c->link));
}

static int on_client(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct client *c = ctx;
    struct err err;
    int r = link_flush(c->link, &err);

    (void)s;
    (void)fd;
    if (!r && (revents & ~(uint32_t)EPOLLOUT))
        r = link_recv(c->link, &err);
    if (r)
        client_drop(c);
    else
        listen_to(c);
    return 0;
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct client *c = ctx;

    (void)s;
    (void)usec;
    daemon_log(c->d, "a client said nothing for %d s", REQUEST_S);
    client_drop(c);
    return 0;
}

static struct client *free_client(struct daemon *d)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (d->clients[i].state == CLIENT_FREE)
            return &d->clients[i];
    }
    return NULL;
}

static void welcome(struct daemon *d, int fd)
{
    struct client *c = free_client(d);
    uint8_t hello[DSOCK_HELLO_SIZE];
    struct err err;

    if (!c) {
        daemon_log_qube(d, "more than %d clients", CLIENTS_MAX);
        (void)close(fd);
        return;
    }
    c->d = d;
    c->link = link_new_stream(fd, QREXEC_MSG_MAX, 256);
    if (!c->link) {
        (void)close(fd);
        return;
    }
    c->state = CLIENT_HELLO;
    dsock_put_hello(hello);
    if (link_send(c->link, SPAN_OF(hello), NULL, 0, &err) ||
            sd_event_add_io(d->event, &c->io, fd,
                    (uint32_t)link_events(c->link), on_client, c) < 0 ||
            sd_event_add_time_relative(d->event, &c->deadline, CLOCK_MONOTONIC,
                    REQUEST_S * SECOND_US, 0, on_deadline, c) < 0) {
        client_drop(c);
        return;
    }
    if (d->clients_paused)
        (void)sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
}

static int on_accept(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct daemon *d = ctx;

    (void)s;
    (void)revents;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (peer < 0)
            return 0;
        welcome(d, peer);
    }
    return 0;
}

void clients_pause(struct daemon *d, bool pause)
{
    if (pause == d->clients_paused)
        return;
    d->clients_paused = pause;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &d->clients[i];

        if (c->state == CLIENT_FREE)
            continue;
        (void)sd_event_source_set_enabled(
                c->io, pause ? SD_EVENT_OFF : SD_EVENT_ON);
        if (!pause)
            listen_to(c);
        if (d->clients_paused != pause) /* there was much to say */
            return;
    }
}

/* ---- sockets --------------------------------------------------------- */

/* The names of the one socket: by id, by name, by uuid. */
static void socket_name(
        const struct daemon *d, unsigned which, char ret[static 128])
{
    ret[0] = '\0';
    if (which == 0)
        (void)snprintf(ret, 128, "qrexec.%u", (unsigned)d->o.domain);
    else if (which == 1)
        (void)snprintf(ret, 128, "qrexec.%s", d->o.name);
    else if (d->o.uuid)
        (void)snprintf(ret, 128, "qrexec.uuid:%s", d->o.uuid);
}

static int listen_at(struct daemon *d, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char name[128];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_errno(err, "socket");
    d->listener = fd;
    socket_name(d, 0, name);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", name);
    (void)unlink(name);
    /* As upstream: who may reach the folder may call. */
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            chmod(name, 0666) < 0 || listen(fd, 128) < 0)
        return err_errno(err, "%s/%s", d->o.socket_dir, name);
    return 0;
}

int clients_open(struct daemon *d, struct err *err)
{
    char name[128];
    char link[128];
    int r = listen_at(d, err);

    if (r)
        return r;
    socket_name(d, 0, name);
    for (unsigned i = 1; i <= 2; i++) {
        socket_name(d, i, link);
        if (!*link)
            continue;
        (void)unlink(link);
        if (symlink(name, link) < 0)
            return err_errno(err, "%s/%s", d->o.socket_dir, link);
    }
    if (sd_event_add_io(d->event, &d->listener_io, d->listener, EPOLLIN,
                on_accept, d) < 0)
        return err_set(err, ERR_IO, "event loop");
    return 0;
}

/* A link that leads elsewhere is the next daemon's. */
static bool is_ours(const char *link, const char *name)
{
    char to[128];
    ssize_t n = readlink(link, to, sizeof(to));

    return n >= 0 && span_eq_str(SPAN(to, (size_t)n), name);
}

void clients_close(struct daemon *d)
{
    char name[128];
    char link[128];

    if (d->listener >= 0) {
        socket_name(d, 0, name);
        for (unsigned i = 1; i <= 2; i++) {
            socket_name(d, i, link);
            if (*link && is_ours(link, name))
                (void)unlink(link);
        }
        (void)unlink(name);
        sd_event_source_disable_unref(TAKE_PTR(d->listener_io));
        (void)close(TAKE_FD(d->listener));
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (d->clients[i].state != CLIENT_FREE)
            client_drop(&d->clients[i]);
    }
}
