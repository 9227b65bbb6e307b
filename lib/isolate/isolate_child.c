/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void give_up(const struct isolate_plan *plan, const char *what)
{
    (void)dprintf(2, "qube %s: %s: %s\n", plan->p->name, what, strerror(errno));
    _exit(1);
}

static void stage(const struct isolate_plan *plan, const char *from,
        const char *name, bool folder)
{
    char to[PATH_MAX];
    int fd;

    (void)snprintf(to, sizeof(to), "%s/%s", ISOLATE_STAGE, name);
    if (folder) {
        if (mkdir(to, 0755) < 0)
            give_up(plan, to);
    } else {
        fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        if (fd < 0)
            give_up(plan, to);
        (void)close(fd);
    }
    if (mount(from, to, NULL, MS_BIND, NULL) < 0)
        give_up(plan, from);
}

/*
 * The qube's uid cannot walk to folders of the zone, which are root's: they are
 * put where it can, in a mount namespace that ends with the qube.
 */
static void stage_all(const struct isolate_plan *plan)
{
    if (unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
            mount("tmpfs", ISOLATE_STAGE, "tmpfs", MS_NOSUID | MS_NODEV,
                    "mode=0755") < 0)
        give_up(plan, "mount namespace");
    for (size_t i = 0; i < ISOLATE_PROGRAMS_COUNT; i++) {
        if (plan->programs[i][0])
            stage(plan, plan->programs[i], isolate_program_names[i], false);
    }
    if (plan->services[0])
        stage(plan, plan->services, "services", true);
    if (plan->home[0])
        stage(plan, plan->home, "home", true);
}

/* The count of processes is one of the uid, which is the qube's alone. */
static void drop_uid(const struct isolate_plan *plan)
{
    const struct rlimit processes = {
            LIMIT_QUBE_PROCESSES_MAX, LIMIT_QUBE_PROCESSES_MAX};

    if (setrlimit(RLIMIT_NPROC, &processes) < 0 || setgroups(0, NULL) < 0 ||
            setresgid(plan->p->gid, plan->p->gid, plan->p->gid) < 0 ||
            setresuid(plan->p->uid, plan->p->uid, plan->p->uid) < 0)
        give_up(plan, "uid of the qube");
}

/* Descriptors: 0-2, the agent's link, and files from ISOLATE_FIXED_FDS on. */
static void sort_fds(struct isolate_plan *plan)
{
    const int top = ISOLATE_FIXED_FDS + (int)plan->n_data;
    int null;

    /* Out of the way first, so that no dup2 overwrites one still needed. */
    for (size_t i = 0; i < plan->n_data; i++) {
        plan->data[i] = fcntl(plan->data[i], F_DUPFD_CLOEXEC, top);
        if (plan->data[i] < 0)
            give_up(plan, "descriptors");
    }
    if (plan->agent_fd >= 0)
        plan->agent_fd = fcntl(plan->agent_fd, F_DUPFD_CLOEXEC, top);
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        give_up(plan, "descriptors");
    for (size_t i = 0; i < plan->n_data; i++) {
        if (dup2(plan->data[i], ISOLATE_FIXED_FDS + (int)i) < 0)
            give_up(plan, "descriptors");
    }
    if (plan->agent_fd >= 0 && dup2(plan->agent_fd, ISOLATE_AGENT_FD) < 0)
        give_up(plan, "descriptors");
    if (plan->err_fd >= 0 && dup2(plan->err_fd, 2) < 0)
        give_up(plan, "descriptors");
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        give_up(plan, "/dev/null");
}

_Noreturn void isolate_child(struct isolate_plan *plan)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)umask(0022);
    if (plan->p->uid) {
        stage_all(plan);
        drop_uid(plan);
    }
    /* After the drop: a change of uid clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != plan->parent)
        give_up(plan, "parent");
    sort_fds(plan);
    (void)execv(ISOLATE_BWRAP, plan->args);
    give_up(plan, ISOLATE_BWRAP " (apt-get install bubblewrap)");
}
