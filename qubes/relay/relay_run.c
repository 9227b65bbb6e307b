/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_run.h"

#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOURCE_OPTION "--source-qube="

struct words {
    char source[sizeof(SOURCE_OPTION) + LIMIT_NAME_MAX];
    char target[LIMIT_NAME_MAX + 1];
    char service[LIMIT_SERVICE_MAX + 1];
};

/* calld has checked them; an option of the client is none of them. */
static bool take(struct span s, bool is_name, char *ret, size_t cap)
{
    if (s.len == 0 || s.len >= cap || s.ptr[0] == '-' ||
            (is_name && !text_is_name(s, LIMIT_NAME_MAX)))
        return false;
    memcpy(ret, s.ptr, s.len);
    ret[s.len] = '\0';
    return true;
}

static bool parse(struct span command, struct words *ret)
{
    struct qrexec_command c;
    struct err err;
    size_t n = strlen(SOURCE_OPTION);

    *ret = (struct words){.source = SOURCE_OPTION};
    return qrexec_command_parse(command, &c, &err) == 0 && c.is_service &&
           span_eq_str(c.target_type, "name") &&
           take(c.source, true, ret->source + n, LIMIT_NAME_MAX + 1) &&
           take(c.target, true, ret->target, sizeof(ret->target)) &&
           take(c.service, false, ret->service, sizeof(ret->service)) &&
           qrexec_is_service(span_str(ret->service));
}

static _Noreturn void become(const char *client_vm, struct words *w,
        const int in[2], const int out[2], const int errs[2])
{
    char name[] = "qrexec-client-vm";
    char *argv[] = {name, w->source, w->target, w->service, NULL};

    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(errs[1], 2) < 0)
        _exit(QREXEC_EXIT_TROUBLE);
    (void)execv(client_vm, argv);
    (void)dprintf(2, "qair-relay: %s: %s\n", client_vm, strerror(errno));
    _exit(QREXEC_EXIT_TROUBLE);
}

static pid_t start(const char *client_vm, struct words *w, struct pump *p)
{
    int in[2], out[2], errs[2];
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
            pipe2(errs, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        become(client_vm, w, in, out, errs);
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(errs[1]);
    p->stdin_fd = in[1];
    p->stdout_fd = out[0];
    p->stderr_fd = errs[0];
    return pid;
}

_Noreturn void relay_run(const char *client_vm, struct span command, int data)
{
    static struct words w;
    struct pump p = {.end = QREXEC_CALLEE,
            .link = link_new_stream(data, 0, 0),
            .stdin_fd = -1,
            .stdout_fd = -1,
            .stderr_fd = -1,
            .exit_code = QREXEC_EXIT_TROUBLE};
    struct err err;
    int code;
    int r;

    if (!p.link)
        _exit(1);
    if (parse(command, &w)) {
        pid_t pid = start(client_vm, &w, &p);

        p.child = pid > 0 ? pid : 0;
    }
    r = pump_run(&p, &code, &err);
    if (p.child) { /* the caller went away: the call into the host ends */
        (void)kill(p.child, SIGTERM);
        (void)waitpid(p.child, NULL, 0);
    }
    _exit(r ? 1 : 0);
}
