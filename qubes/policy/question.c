/* SPDX-License-Identifier: Apache-2.0 */
#include "question.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct question {
    const char *service;
    char *text; /* what is still to be sent begins at sent */
    size_t len, sent;
    int fd;
    pid_t pid; /* 0: no process, or one that is gone */
    bool answered;
    char answer[QUESTION_ANSWER_MAX + 1];
    size_t answer_len;
    sd_event_source *io, *timer, *child;
    question_done *done;
    void *ctx;
};

void question_cancel(struct question *q)
{
    if (!q)
        return;
    q->io = sd_event_source_disable_unref(q->io);
    q->timer = sd_event_source_disable_unref(q->timer);
    q->child = sd_event_source_disable_unref(q->child);
    if (q->fd >= 0)
        (void)close(q->fd);
    if (q->pid > 0) {
        /* It leads a group of its own, and is given no time: qrexec-client
         * has nothing to save. */
        (void)kill(-q->pid, SIGKILL);
        (void)waitpid(q->pid, NULL, 0);
    }
    free(q->text);
    free(q);
}

static void finish(struct question *q, struct err *err)
{
    question_done *done = q->done;
    void *ctx = q->ctx;
    char answer[QUESTION_ANSWER_MAX + 1];
    size_t len = q->answer_len;
    char service[64];

    memcpy(answer, q->answer, len);
    (void)snprintf(service, sizeof(service), "%s", q->service);
    question_cancel(q);
    if (err->code < 0)
        (void)err_prefix(err, err->code, "%s", service);
    done(ctx, SPAN(answer, len), err->code < 0 ? err : NULL);
}

/* Both the answer's end and the program's are awaited. */
static void finish_if_done(struct question *q)
{
    struct err err = {.code = 0};

    if (q->answered && q->pid == 0)
        finish(q, &err);
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct err err;

    (void)s;
    (void)usec;
    (void)err_set(&err, ERR_TIMEOUT, "no answer in time");
    finish(ctx, &err);
    return 0;
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *ctx)
{
    struct question *q = ctx;
    struct err err = {.code = 0};

    (void)s;
    q->pid = 0;
    if (si->si_code != CLD_EXITED || si->si_status != 0) {
        (void)err_set(&err, ERR_PEER, "qrexec-client ended with %s %d",
                si->si_code == CLD_EXITED ? "code" : "signal", si->si_status);
        finish(q, &err);
        return 0;
    }
    finish_if_done(q);
    return 0;
}

/* Returns 0 when there is nothing more to do now. */
static int send_some(struct question *q, struct err *err)
{
    while (q->sent < q->len) {
        ssize_t n = send(q->fd, q->text + q->sent, q->len - q->sent,
                MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return err_errno(err, "cannot send the question");
        q->sent += (size_t)n;
    }
    if (shutdown(q->fd, SHUT_WR) < 0)
        return err_errno(err, "cannot send the question");
    return sd_event_source_set_io_events(q->io, EPOLLIN) < 0
                   ? err_set(err, ERR_MEMORY, "out of memory")
                   : 0;
}

static int read_some(struct question *q, struct err *err)
{
    ssize_t n = recv(q->fd, q->answer + q->answer_len,
            sizeof(q->answer) - q->answer_len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return err_errno(err, "cannot read the answer");
    q->answer_len += (size_t)n;
    if (q->answer_len > QUESTION_ANSWER_MAX) {
        q->answer_len = 0;
        return err_set(err, ERR_LIMIT, "the answer is over %d bytes",
                QUESTION_ANSWER_MAX);
    }
    if (n == 0) {
        q->answered = true;
        q->io = sd_event_source_disable_unref(q->io);
    }
    return 0;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
    struct question *q = ctx;
    struct err err = {.code = 0};
    int r = 0;

    (void)s;
    (void)fd;
    if (revents & EPOLLOUT)
        r = send_some(q, &err);
    if (r == 0 && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        r = read_some(q, &err);
    if (r < 0)
        finish(q, &err);
    else
        finish_if_done(q);
    return 0;
}

/* ---- who is asked ------------------------------------------------------- */

static int connect_local(struct question *q, const char *rpc, struct err *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int n = snprintf(
            sun.sun_path, sizeof(sun.sun_path), "%s/%s", rpc, q->service);

    if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
        return err_set(err, ERR_LIMIT, "path of '%s' is too long", q->service);
    q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (q->fd < 0 ||
            connect(q->fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
        return err_errno(err, "cannot reach '%s'", sun.sun_path);
    return 0;
}

/* Runs argv with fd as stdin and stdout; 0 or an errno. */
static int spawn(pid_t *ret, char *const *argv, int fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, pipe;
    int r = ENOMEM;

    (void)sigemptyset(&none);
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE); /* which this daemon ignores */
    if (posix_spawnattr_init(&attr) != 0)
        return ENOMEM;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        (void)posix_spawnattr_destroy(&attr);
        return ENOMEM;
    }
    if (posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO) == 0 &&
            posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO) ==
                    0 &&
            posix_spawnattr_setsigmask(&attr, &none) == 0 &&
            posix_spawnattr_setsigdefault(&attr, &pipe) == 0 &&
            posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP) == 0)
        r = posix_spawn(ret, argv[0], &actions, &attr, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return r;
}

static int spawn_client(struct question *q, sd_event *event,
        const char *program, struct span guivm, struct err *err)
{
    char name[80], command[128];
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "-d", name,
            command, NULL};
    pid_t pid;
    int pair[2], r;

    (void)snprintf(name, sizeof(name), "%.*s", (int)guivm.len, guivm.ptr);
    (void)snprintf(
            command, sizeof(command), "DEFAULT:QUBESRPC %s dom0", q->service);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "cannot make a socket");
    q->fd = pair[0];
    r = spawn(&pid, argv, pair[1]);
    (void)close(pair[1]);
    if (r) {
        errno = r;
        return err_errno(err, "cannot run '%s'", program);
    }
    q->pid = pid;
    return sd_event_add_child(event, &q->child, pid, WEXITED, on_child, q) < 0
                   ? err_set(err, ERR_MEMORY, "out of memory")
                   : 0;
}

static int begin(struct question *q, sd_event *event,
        const struct question_paths *paths, struct span guivm, char *payload,
        uint64_t timeout_us, struct err *err)
{
    bool local = span_eq_str(guivm, "dom0");
    int n = local ? asprintf(&q->text, "%s dom0 name dom0", q->service)
                  : asprintf(&q->text, "%s", payload);
    int r;

    if (n < 0) {
        q->text = NULL;
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    q->len = (size_t)n;
    if (local) { /* the descriptor, its NUL, and the JSON */
        size_t extra = strlen(payload);
        char *more = realloc(q->text, q->len + 1 + extra);

        if (!more)
            return err_set(err, ERR_MEMORY, "out of memory");
        memcpy(more + q->len + 1, payload, extra);
        q->text = more;
        q->len += 1 + extra;
    }
    r = local ? connect_local(q, paths->rpc, err)
              : spawn_client(q, event, paths->qrexec_client, guivm, err);
    if (r < 0)
        return r;
    if (sd_event_add_io(event, &q->io, q->fd, EPOLLIN | EPOLLOUT, on_io, q) <
                    0 ||
            sd_event_add_time_relative(event, &q->timer, CLOCK_MONOTONIC,
                    timeout_us, 0, on_timeout, q) < 0)
        return err_set(err, ERR_MEMORY, "out of memory");
    return 0;
}

int question_ask(sd_event *event, const struct question_paths *paths,
        struct span guivm, const char *service, char *payload,
        uint64_t timeout_us, question_done *done, void *ctx,
        struct question **ret, struct err *err)
{
    struct question *q = calloc(1, sizeof(*q));
    int r;

    if (!q || !payload) {
        free(q);
        free(payload);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    q->service = service;
    q->fd = -1;
    q->done = done;
    q->ctx = ctx;
    r = begin(q, event, paths, guivm, payload, timeout_us, err);
    free(payload);
    if (r < 0) {
        question_cancel(q);
        return r;
    }
    *ret = q;
    return 0;
}
