/* SPDX-License-Identifier: Apache-2.0 */
#include "qaird.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What sanitizers and their reports are steered with is passed on. */
static void set_environment(char **ret, size_t n)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static const char *const kept[] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS="};
    size_t at = 0;

    ret[at++] = path;
    for (char **e = environ; *e; e++) {
        for (size_t i = 0; i < ARRAY_LEN(kept) && at + 1 < n; i++) {
            if (strncmp(*e, kept[i], strlen(kept[i])) == 0)
                ret[at++] = *e;
        }
    }
    ret[at] = NULL;
}

static void die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(127);
}

/* In the child; the descriptor to keep becomes 3, the rest is closed. */
static _Noreturn void child(const struct qaird_exec *x, pid_t parent)
{
    char *env[8];
    sigset_t none;
    unsigned first = 3;

    die_with(parent);
    (void)setpgid(0, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (x->dir_fd >= 0 && fchdir(x->dir_fd) < 0)
        _exit(127);
    if (x->fd3 >= 0) {
        /* dup2 onto itself would keep close-on-exec */
        if (x->fd3 == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(x->fd3, 3) < 0)
            _exit(127);
        first = 4;
    }
    if (close_range(first, ~0u, 0) < 0)
        _exit(127);
    if (x->uid != 0 &&
            (setgroups(0, NULL) < 0 || setresgid(x->uid, x->uid, x->uid) < 0 ||
                    setresuid(x->uid, x->uid, x->uid) < 0))
        _exit(127);
    die_with(parent); /* a change of uid clears it */
    set_environment(env, ARRAY_LEN(env));
    environ = env; /* whose PATH finds the program */
    /* exec does not write through it */
    (void)execvp(x->path, (char *const *)(uintptr_t)x->argv);
    (void)dprintf(STDERR_FILENO, "qaird: %s: %s\n", x->path, strerror(errno));
    _exit(127);
}

int qaird_exec(const struct qaird_exec *x, pid_t *ret_pid, struct err *err)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        return err_errno(err, "fork for %s", x->path);
    if (pid == 0)
        child(x, parent);
    *ret_pid = pid;
    return 0;
}

struct qaird_child {
    struct qaird_child *next;
    pid_t pid;
    qaird_ended *ended;
    void *user;
};

int qaird_watch(struct qaird *q, pid_t pid, qaird_ended *ended, void *user,
        struct err *err)
{
    struct qaird_child *c = malloc(sizeof(*c));

    if (!c)
        return err_set(err, ERR_MEMORY, "watch pid %d", (int)pid);
    *c = (struct qaird_child){q->children, pid, ended, user};
    q->children = c;
    return 0;
}

static void child_ended(struct qaird *q, const siginfo_t *si)
{
    struct qaird_child **p = &q->children, *c;

    while (*p && (*p)->pid != si->si_pid)
        p = &(*p)->next;
    c = *p;
    if (!c)
        return;
    *p = c->next;
    c->ended(si, c->user);
    free(c);
}

void qaird_reap(struct qaird *q)
{
    for (;;) {
        siginfo_t si = {0};

        if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
            return;
        child_ended(q, &si);
    }
}
