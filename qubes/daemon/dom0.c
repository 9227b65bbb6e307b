/* SPDX-License-Identifier: Apache-2.0 */
/* An allowed request to dom0: the service is a child of the daemon. */
#include "daemon.h"

#include "callee.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* For the qube's end of the call to be there, as upstream. */
#define CONNECT_MS 5000

static _Noreturn void serve(
        const struct daemon *d, uint32_t port, const char *command)
{
    struct callee c = {.name = "qrexec-daemon",
            .command = span_str(command),
            .bare = true,
            .users = &callee_any_user,
            .one_socket = true,
            .own_stderr = true,
            .waits_for_session = true,
            .leaves_running = true,
            .tcp = true,
            .key_fd = -1};
    struct err err;

    if (link_port_connect(d->o.domain, port, CONNECT_MS, &c.port, &err)) {
        (void)dprintf(2, "qrexec-daemon: %s: %s\n", d->o.name, err.msg);
        _exit(QREXEC_EXIT_TROUBLE);
    }
    callee_run(&c);
}

/* QUBESRPC SERVICE+ARG SOURCE name|keyword TARGET */
static bool format(const struct request *r, char *ret, size_t cap)
{
    struct span target = r->decision.requested_target;
    struct span service = request_service(r);
    struct span source = request_source(r);
    bool keyword = target.len && target.ptr[0] == '@';
    int n;

    if (keyword)
        target = SPAN(target.ptr + 1, target.len - 1);
    n = snprintf(ret, cap, "QUBESRPC %.*s %.*s %s %.*s", (int)service.len,
            service.ptr, (int)source.len, source.ptr,
            keyword ? "keyword" : "name", (int)target.len, target.ptr);
    return n > 0 && (size_t)n < cap;
}

/* Nothing is to be done: only so that the process is reaped. */
static int on_end(sd_event_source *s, const siginfo_t *info, void *ctx)
{
    (void)info;
    (void)ctx;
    sd_event_source_disable_unref(s);
    return 0;
}

void dom0_start(struct request *r)
{
    struct daemon *d = r->d;
    char command[LIMIT_SERVICE_MAX + 512];
    uint32_t port;
    pid_t pid;
    sd_event_source *end = NULL;

    if (!format(r, command, sizeof(command))) {
        request_fail(r, "the command is too long");
        return;
    }
    if (ports_take(&d->ports, 0, daemon_now_ms(), NULL, &port)) {
        request_fail(r, "all ports are in use");
        return;
    }
    pid = fork();
    if (pid == 0)
        serve(d, port, command);
    if (pid < 0) {
        void *ignored;

        (void)!ports_put(&d->ports, 0, port, daemon_now_ms(), &ignored);
        request_fail(r, "no process for the service");
        return;
    }
    (void)sd_event_add_child(d->event, &end, pid, WEXITED, on_end, NULL);
    control_connect(d, 0, port, r->ident);
    request_free(r);
}
