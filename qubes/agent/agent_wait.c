/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of services with wait-for-session: qubes.WaitForSession is run with
 * the user's name on its stdin, and they run when it has ended.
 */
#include "agent.h"

#include "callee.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE     "qubes.WaitForSession"
#define WAITING_MAX LIMIT_CALLS_PER_SOURCE

struct waiting {
    uint32_t type; /* 0 = the place is free */
    uint32_t domain;
    uint32_t port;
    unsigned epoch;
    struct span command; /* on the heap */
    char user[LIMIT_NAME_MAX + 1];
    bool is_first; /* the one that started the waiter */
};

static struct waiting waiting[WAITING_MAX];

static void go_on(struct waiting *w)
{
    const struct qrexec_msg m = {.type = w->type,
            .domain = w->domain,
            .port = w->port,
            .command = w->command};
    void *text = (void *)(uintptr_t)w->command.ptr;
    unsigned epoch = w->epoch;

    *w = (struct waiting){0};
    /* The port of a daemon that is gone may be somebody else's by now. */
    if (epoch == agent_control_epoch())
        agent_exec_now(&m, epoch);
    free(text);
}

static int on_session(sd_event_source *s, const siginfo_t *info, void *userdata)
{
    char user[LIMIT_NAME_MAX + 1];

    (void)info;
    memcpy(user, ((struct waiting *)userdata)->user, sizeof(user));
    sd_event_source_disable_unref(s);
    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (waiting[i].type && strcmp(waiting[i].user, user) == 0)
            go_on(&waiting[i]);
    }
    return 0;
}

static _Noreturn void become_waiter(
        const char *path, struct span source, int in)
{
    static char name[] = SERVICE;
    char *const argv[] = {name, NULL};
    char *text = strndup((const char *)source.ptr, source.len);
    sigset_t none;

    sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (!text || setenv("QREXEC_REMOTE_DOMAIN", text, 1) < 0 || dup2(in, 0) < 0)
        _exit(1);
    agent_child();
    (void)execv(path, argv);
    _exit(1);
}

static pid_t start_waiter(const char *user, struct span source)
{
    const struct qrexec_command c = {
            .service = span_str(SERVICE), .name = span_str(SERVICE)};
    struct callee_service found;
    struct err err;
    int fds[2];
    pid_t pid;

    if (callee_find(&c, &found, &err) || found.found != QREXEC_FOUND_EXEC ||
            pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        become_waiter(found.path, source, fds[0]);
    (void)close(fds[0]);
    (void)dprintf(fds[1], "%s\n", user); /* fits an empty pipe */
    (void)close(fds[1]);
    return pid;
}

static struct waiting *add(const struct qrexec_msg *m, struct span user)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        struct waiting *w = &waiting[i];
        uint8_t *text;

        if (w->type)
            continue;
        text = malloc(m->command.len);
        if (!text)
            return NULL;
        memcpy(text, m->command.ptr, m->command.len);
        *w = (struct waiting){.type = m->type,
                .domain = m->domain,
                .port = m->port,
                .epoch = agent_control_epoch(),
                .command = SPAN(text, m->command.len)};
        memcpy(w->user, user.ptr, user.len);
        return w;
    }
    return NULL;
}

static bool is_waited_for(const char *user)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (waiting[i].is_first && strcmp(waiting[i].user, user) == 0)
            return true;
    }
    return false;
}

bool agent_wait(
        const struct qrexec_msg *m, struct span user, struct span source)
{
    struct waiting *w = user.len <= LIMIT_NAME_MAX ? add(m, user) : NULL;
    pid_t pid;

    if (!w)
        return false;
    if (is_waited_for(w->user))
        return true;
    w->is_first = true;
    pid = start_waiter(w->user, source);
    if (pid > 0 && sd_event_add_child(
                           agent.loop, NULL, pid, WEXITED, on_session, w) >= 0)
        return true;
    agent_log("no " SERVICE ": not waiting");
    agent_give_up(pid);
    free((void *)(uintptr_t)w->command.ptr);
    *w = (struct waiting){0};
    return false;
}
