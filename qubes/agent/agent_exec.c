/* SPDX-License-Identifier: Apache-2.0 */
/* Services: a runner process each, or the fork server of the user. */
#include "agent.h"

#include "callee.h"
#include "fork.h"
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* dom0 gives out 256 ports; JUST_EXEC and other domains have theirs. */
#define RUNNING_MAX     1024
#define MEMINFO_PIDFILE "/run/meminfo-writer.pid"

/* Ends with its process, or with the fork server's connection. */
struct running {
    bool used;
    sd_event_source *source;
    unsigned epoch;
    uint32_t domain;
    uint32_t port;
};

static struct running running[RUNNING_MAX];

static void ended(struct running *r)
{
    struct running old = *r;

    *r = (struct running){0};
    sd_event_source_disable_unref(old.source);
    agent_control_ended(old.epoch, old.domain, old.port);
}

static int on_runner_end(
        sd_event_source *s, const siginfo_t *info, void *userdata)
{
    (void)s;
    (void)info;
    ended(userdata);
    return 0;
}

static int on_server_end(
        sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    char byte;

    (void)revents;
    if (read(fd, &byte, 1) < 0 && errno == EAGAIN)
        return 0;
    (void)sd_event_source_set_io_fd_own(s, 1);
    ended(userdata);
    return 0;
}

static struct running *free_place(void)
{
    for (size_t i = 0; i < RUNNING_MAX; i++) {
        if (!running[i].used)
            return &running[i];
    }
    return NULL;
}

/* Memory balancing begins with the qube's first work, as upstream. */
static void wake_meminfo_writer(void)
{
    static bool woken;
    FILE *f = woken ? NULL : fopen(MEMINFO_PIDFILE, "re");
    int pid = 0;

    if (!f)
        return;
    if (fscanf(f, "%7d", &pid) == 1 && pid > 1)
        woken = kill(pid, SIGUSR1) == 0;
    (void)fclose(f);
}

/* ---- a runner -------------------------------------------------------- */

static _Noreturn void become_runner(const struct qrexec_msg *m)
{
    struct callee c = {.name = "qrexec-agent",
            .command = m->command,
            .users = geteuid() == 0 ? &session_users : &callee_own_user,
            .just_exec = m->type == QREXEC_JUST_EXEC,
            .tcp = true,
            .one_socket = true,
            .leaves_running = true,
            .key_fd = -1,
            .open_log = session_log};
    struct err err;

    agent_child();
    if (link_port_connect(
                m->domain, m->port, CALLEE_CONNECT_MS, &c.port, &err)) {
        agent_log("data vchan: %s", err.msg);
        _exit(1);
    }
    callee_run(&c);
}

static bool start_runner(const struct qrexec_msg *m, struct running *r)
{
    pid_t pid = fork();

    if (pid == 0)
        become_runner(m);
    if (pid > 0 && sd_event_add_child(agent.loop, &r->source, pid, WEXITED,
                           on_runner_end, r) >= 0)
        return true;
    agent_log("a service cannot be run: %s", strerror(errno));
    agent_give_up(pid);
    return false;
}

/* ---- which way ------------------------------------------------------- */

struct plan {
    struct qrexec_command command;
    struct callee_service service;
    struct span user;
    bool is_program; /* else a socket service, or nothing that runs */
};

/* False: the runner will tell the caller what is wrong. */
static bool make_plan(const struct qrexec_msg *m, struct plan *p)
{
    *p = (struct plan){0};
    if (qrexec_command_parse(m->command, &p->command, NULL))
        return false;
    p->user = p->command.user;
    p->is_program = true;
    if (!p->command.is_service)
        return true;
    if (callee_find(&p->command, &p->service, NULL))
        return false;
    p->is_program = p->service.found == QREXEC_FOUND_EXEC;
    if (*p->service.config.force_user)
        p->user = span_str(p->service.config.force_user);
    return true;
}

/* The session's own server runs the program, when there is one. */
static int try_fork_server(const struct qrexec_msg *m)
{
    const uint8_t *colon;
    struct plan p;

    if (!agent.fork_server || !make_plan(m, &p) || !p.is_program)
        return -1;
    colon = memchr(m->command.ptr, ':', m->command.len);
    return fork_send(agent.fork_server, p.user,
            &(struct fork_request){.type = m->type,
                    .domain = m->domain,
                    .port = m->port,
                    .command = SPAN(colon + 1,
                            m->command.len - p.command.user.len - 1)});
}

void agent_exec_now(const struct qrexec_msg *m, unsigned epoch)
{
    struct running *r = free_place();
    bool ok = false;
    int server;

    if (!r) {
        agent_log("too many services run");
        agent_control_ended(epoch, m->domain, m->port);
        return;
    }
    *r = (struct running){
            .used = true, .epoch = epoch, .domain = m->domain, .port = m->port};
    server = try_fork_server(m);
    if (server < 0)
        ok = start_runner(m, r);
    else
        ok = sd_event_add_io(agent.loop, &r->source, server, EPOLLIN,
                     on_server_end, r) >= 0;
    if (!ok)
        ended(r);
}

void agent_exec(const struct qrexec_msg *m)
{
    struct plan p;

    wake_meminfo_writer();
    if (make_plan(m, &p) && p.command.is_service && !p.command.nogui &&
            p.service.config.wait_for_session &&
            agent_wait(m, p.user, p.command.source))
        return;
    agent_exec_now(m, agent_control_epoch());
}
