/* SPDX-License-Identifier: Apache-2.0 */
#include "server_int.h"

#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#define SWEEP_US (1000u * 1000)

static const char *const names[] = {
        [SERVER_POLICY] = "policy socket",
        [SERVER_EVAL_SIMPLE] = "policy.EvalSimple",
        [SERVER_EVAL_GUI] = "policy.EvalGUI",
};

/* ---- clients ------------------------------------------------------------ */

uint64_t server_now_us(const struct server *s)
{
    uint64_t now = 0;

    (void)sd_event_now(s->event, CLOCK_MONOTONIC, &now);
    return now;
}

static void sweep_arm(struct server *s)
{
    int enabled = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(s->sweep, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    (void)sd_event_source_set_time_relative(s->sweep, SWEEP_US);
    (void)sd_event_source_set_enabled(s->sweep, SD_EVENT_ONESHOT);
}

static struct client *client_new(
        struct server *s, enum server_kind kind, int fd)
{
    struct client *c = malloc(sizeof(*c));

    if (!c)
        return NULL;
    /* All but the buffer: it is written before it is read. */
    memset(c, 0, offsetof(struct client, buf));
    c->server = s;
    c->kind = kind;
    c->fd = fd;
    c->deadline_us = server_now_us(s) + SERVER_REQUEST_TIMEOUT_US;
    (void)snprintf(c->id, sizeof(c->id), "%08x-%llu", s->run,
            (unsigned long long)++s->n_requests);
    c->next = s->clients;
    if (c->next)
        c->next->prev = c;
    s->clients = c;
    s->n_clients[kind]++;
    sweep_arm(s);
    return c;
}

void server_client_free(struct client *c)
{
    struct server *s = c->server;

    if (c->question) {
        question_cancel(c->question);
        s->n_questions--;
    }
    c->io = sd_event_source_disable_unref(c->io);
    (void)close(c->fd);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->clients = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->n_clients[c->kind]--;
    free(c);
}

/* The buffer of a new socket takes any answer at once. */
void server_say(int fd, const char *text, size_t len)
{
    if (send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        journal_note(LOG_WARNING, "an answer could not be sent: %s",
                strerror(errno));
}

void server_say_deny(enum server_kind kind, int fd, const char *why)
{
    char text[POLICYLINE_DENY_MAX];

    if (kind == SERVER_POLICY) {
        size_t len = policyline_deny(why, text);

        server_say(fd, text, len);
    } else {
        const char *deny = policyline_eval_answer(false);

        server_say(fd, deny, strlen(deny));
    }
}

/* ---- requests ----------------------------------------------------------- */

static int parse(struct client *c, struct err *err)
{
    struct span text = SPAN(c->buf, c->len);
    int r;

    if (c->kind == SERVER_POLICY)
        return policyline_request_parse(text, &c->request, err);
    r = policyline_eval_parse(text, names[c->kind], &c->eval, err);
    if (r < 0)
        return r;
    c->request = (struct policyline_request){.source = c->eval.source,
            .target = c->eval.target,
            .service = c->eval.service,
            .assume_yes = true,
            .just_evaluate = true};
    return 0;
}

static void on_request(struct client *c)
{
    struct err err = {.code = 0};

    if (parse(c, &err) < 0) {
        server_refuse(c, NULL, err.msg);
        return;
    }
    c->need = qubesd_need(c->server->qubesd);
    server_judge(c);
}

static bool is_complete(const struct client *c)
{
    size_t max = c->kind == SERVER_POLICY ? POLICYLINE_REQUEST_MAX
                                          : POLICYLINE_EVAL_MAX;

    return c->len > max ||
           (c->kind == SERVER_POLICY &&
                   policyline_request_end(SPAN(c->buf, c->len)) > 0);
}

/* False: more has to come. */
static bool read_request(struct client *c)
{
    for (;;) {
        ssize_t n = recv(
                c->fd, c->buf + c->len, sizeof(c->buf) - c->len, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n > 0)
            c->len += (size_t)n;
        if (n <= 0 || is_complete(c))
            return true;
    }
}

static int on_client(sd_event_source *src, int fd, uint32_t revents, void *ctx)
{
    struct client *c = ctx;

    (void)src;
    (void)fd;
    if (c->state != STATE_READING) {
        /* Only the asker's going away is of interest now. */
        if (revents & (EPOLLHUP | EPOLLERR)) {
            server_record(c, NULL, false, "the asker went away");
            server_client_free(c);
        }
        return 0;
    }
    if (!read_request(c))
        return 0;
    (void)sd_event_source_set_io_events(c->io, 0);
    on_request(c);
    return 0;
}

void server_watch_asker(struct client *c, enum state state)
{
    c->state = state;
    if (!c->io && sd_event_add_io(
                          c->server->event, &c->io, c->fd, 0, on_client, c) < 0)
        c->io = NULL; /* its deadline comes all the same */
}

/* ---- listeners ---------------------------------------------------------- */

static void accept_one(struct server *s, enum server_kind kind, int fd)
{
    struct client *c;

    if (s->n_clients[kind] >=
            (kind == SERVER_POLICY ? SERVER_CLIENTS_MAX : SERVER_EVALS_MAX)) {
        server_say_deny(kind, fd, "too many requests at once");
        (void)close(fd);
        return;
    }
    c = client_new(s, kind, fd);
    if (!c) {
        server_say_deny(kind, fd, "out of memory");
        (void)close(fd);
        return;
    }
    /* Often the request is there already. */
    if (read_request(c)) {
        on_request(c);
        return;
    }
    if (sd_event_add_io(s->event, &c->io, fd, EPOLLIN, on_client, c) < 0)
        server_refuse(c, NULL, "out of memory");
}

static void pause_listeners(struct server *s, bool pause)
{
    s->paused = pause;
    if (pause)
        sweep_arm(s);
    for (size_t i = 0; i < s->n_listeners; i++)
        (void)sd_event_source_set_enabled(
                s->listeners[i].io, pause ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int on_accept(sd_event_source *src, int fd, uint32_t revents, void *ctx)
{
    struct listener *l = ctx;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    (void)src;
    (void)revents;
    if (peer >= 0) {
        accept_one(l->server, l->kind, peer);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        journal_note(LOG_ERR, "cannot accept: %s", strerror(errno));
        pause_listeners(l->server, true);
    }
    return 0;
}

/* Once a second: those whose time is over. */
static int on_sweep(sd_event_source *src, uint64_t usec, void *ctx)
{
    struct server *s = ctx;
    struct client *next;
    uint64_t now = server_now_us(s);

    (void)src;
    (void)usec;
    for (struct client *c = s->clients; c; c = next) {
        next = c->next;
        if (c->state == STATE_ASKING || c->deadline_us > now)
            continue;
        server_refuse(c, NULL,
                c->state == STATE_READING
                        ? "the request did not come in time"
                        : "qubesd did not tell its system state in time");
    }
    if (s->paused)
        pause_listeners(s, false);
    if (s->clients)
        sweep_arm(s);
    return 0;
}

int server_listen(
        struct server *s, enum server_kind kind, int fd, struct err *err)
{
    struct listener *l;

    if (s->n_listeners == ARRAY_LEN(s->listeners)) {
        (void)close(fd);
        return err_set(err, ERR_LIMIT, "too many sockets to listen on");
    }
    l = &s->listeners[s->n_listeners];
    l->server = s;
    l->kind = kind;
    if (sd_event_add_io(s->event, &l->io, fd, EPOLLIN, on_accept, l) < 0 ||
            sd_event_source_set_io_fd_own(l->io, true) < 0) {
        (void)close(fd);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    s->n_listeners++;
    return 0;
}

int server_new(sd_event *event, const struct server_config *config,
        const struct snapshot *policy, struct server **ret, struct err *err)
{
    struct server *s = calloc(1, sizeof(*s));

    if (!s)
        return err_set(err, ERR_MEMORY, "out of memory");
    s->event = event;
    s->config = config;
    s->policy = policy;
    if (getrandom(&s->run, sizeof(s->run), 0) != sizeof(s->run) ||
            sd_event_add_time_relative(event, &s->sweep, CLOCK_MONOTONIC,
                    SWEEP_US, 0, on_sweep, s) < 0 ||
            qubesd_new(event, config->qubesd_socket,
                    config->qubesd_internal_socket, server_on_state, s,
                    &s->qubesd, err) < 0) {
        server_free(s);
        return err_set(err, ERR_MEMORY, "cannot begin to serve");
    }
    *ret = s;
    return 0;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    while (s->clients)
        server_refuse(s->clients, NULL, "the policy daemon is stopping");
    while (s->notices) {
        question_cancel(s->notices->question);
        server_notice_free(s->notices);
    }
    for (size_t i = 0; i < s->n_listeners; i++)
        s->listeners[i].io = sd_event_source_disable_unref(s->listeners[i].io);
    s->sweep = sd_event_source_disable_unref(s->sweep);
    qubesd_free(s->qubesd);
    free(s);
}
