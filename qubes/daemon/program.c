/* SPDX-License-Identifier: Apache-2.0 */
/* The fallback program that --policy-program names. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void (*tell)(struct request *r, struct span answer);

static _Noreturn void become(struct request *r, int out)
{
    char service[sizeof(r->asked.service)];
    size_t n = strlen(r->asked.service);
    char name[] = "qrexec-policy-exec";
    char end[] = "--";
    char source[QREXEC_NAME_SIZE];
    char *argv[] = {name, end, source, r->asked.target, service, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    /* As the qube wrote it. */
    (void)snprintf(service, sizeof(service), "%.*s", (int)(n - r->bare),
            r->asked.service);
    (void)snprintf(source, sizeof(source), "%s", r->d->o.name);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(null, 0) < 0 || dup2(out, 1) < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    (void)close_range(3, ~0u, 0);
    (void)execv(r->d->o.policy_program, argv);
    (void)dprintf(2, "qrexec-daemon: %s: %s\n", r->d->o.policy_program,
            strerror(errno));
    _exit(QREXEC_EXIT_TROUBLE);
}

/* All that it wrote: at most a full pipe, of which more than fits is wrong. */
static int on_exit_of(sd_event_source *s, const siginfo_t *info, void *ctx)
{
    struct request *r = ctx;
    char answer[POLICYLINE_RESPONSE_MAX + 1];
    size_t len = 0;
    ssize_t n = 1;

    if (!r) { /* the request is over; the process was to be reaped */
        sd_event_source_disable_unref(s);
        return 0;
    }
    while (len < sizeof(answer) && n > 0) {
        n = read(r->program_fd, answer + len, sizeof(answer) - len);
        if (n > 0)
            len += (size_t)n;
    }
    r->program_pid = 0;
    program_forget(r);
    if (info->si_code != CLD_EXITED || info->si_status != 0)
        request_fail(r, "denied by the policy program (%s %d)",
                info->si_code == CLD_EXITED ? "code" : "signal",
                info->si_status);
    else
        tell(r, SPAN(answer, len));
    return 0;
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *ctx)
{
    struct request *r = ctx;

    (void)s;
    (void)usec;
    request_fail(r, "the policy program does not end");
    return 0;
}

void program_start(
        struct request *r, void (*done)(struct request *r, struct span answer))
{
    int fds[2];

    tell = done;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        request_fail(r, "policy program: %s", strerror(errno));
        return;
    }
    (void)fcntl(fds[1], F_SETFL, 0);
    r->program_fd = fds[0];
    r->program_pid = fork();
    if (r->program_pid == 0)
        become(r, fds[1]);
    (void)close(fds[1]);
    if (r->program_pid < 0 ||
            sd_event_add_child(r->d->event, &r->program, r->program_pid,
                    WEXITED, on_exit_of, r) < 0 ||
            sd_event_add_time_relative(r->d->event, &r->program_deadline,
                    CLOCK_MONOTONIC, r->d->o.decision_s * SECOND_US, 0,
                    on_deadline, r) < 0)
        request_fail(r, "policy program: no process");
}

void program_forget(struct request *r)
{
    if (r->program_fd >= 0)
        (void)close(TAKE_FD(r->program_fd));
    if (r->program_pid > 0 && r->program) {
        /* The source stays, to reap. */
        (void)kill(r->program_pid, SIGTERM);
        (void)sd_event_source_set_userdata(r->program, NULL);
        r->program = NULL;
    }
    sd_event_source_disable_unref(TAKE_PTR(r->program));
    sd_event_source_disable_unref(TAKE_PTR(r->program_deadline));
    r->program_pid = 0;
}
