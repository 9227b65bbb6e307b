/* SPDX-License-Identifier: Apache-2.0 */
#include "keyd_parse.h"

#include "ipc.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_S 120 /* tens of gigabytes: nobody signs more in one piece */

/*
 * A child is forked before its artefact is there and waits in its cage, so
 * that neither fork nor filter stands between a request and its signature.  On
 * ORDER, which keyd closes once it has sent it, come the descriptor and one
 * byte, the profile; then the child reads nothing but the artefact.
 */
enum { CHILD_ORDER = SANDBOX_PARSER_ORDER, CHILD_ANSWER = 1 };

_Noreturn static void child_read(int artefact, struct profile_stream *s)
{
    static uint8_t part[65536];
    struct profile_digests d;
    ssize_t n;

    while ((n = read(artefact, part, sizeof part)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(1);
        profile_update(s, SPAN(part, (size_t)n));
    }
    profile_end(s, &d);
    n = write(CHILD_ANSWER, &d, sizeof d); /* less than PIPE_BUF: whole */
    _exit(n == (ssize_t)sizeof d ? 0 : 1);
}

_Noreturn static void child(struct keyd_ring *ring, int order, int out)
{
    static const struct rlimit cpu = {.rlim_cur = CPU_S, .rlim_max = CPU_S};
    struct profile_stream *s[PROFILE_MINISIGN + 1] = {NULL};
    struct ipc_fds fds = {.n = 0};
    uint8_t profile;
    size_t len;
    int flags;

    /* seeds are gone (MADV_WIPEONFORK); now descriptors: TPM, links, keys */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(order, CHILD_ORDER) < 0 ||
            dup2(out, CHILD_ANSWER) < 0 || close_range(3, ~0u, 0) < 0 ||
            setrlimit(RLIMIT_CPU, &cpu) < 0)
        _exit(1);
    flags = fcntl(CHILD_ORDER, F_GETFL);
    if (flags < 0 || fcntl(CHILD_ORDER, F_SETFL, flags & ~O_NONBLOCK) < 0)
        _exit(1);
    keyd_ring_fini(ring);
    for (unsigned i = PROFILE_SSHSIG; i < ARRAY_LEN(s); i++) {
        s[i] = profile_begin((enum profile_id)i);
        if (!s[i])
            _exit(1);
    }
    sandbox_enter_parser();
    if (ipc_recv_wait(CHILD_ORDER, &profile, 1, &len, &fds) != 0 || len != 1 ||
            fds.n != 1 || profile >= ARRAY_LEN(s) || !s[profile])
        _exit(1);
    (void)close(CHILD_ORDER); /* so that there is nothing to receive from */
    child_read(fds.fd[0], s[profile]);
}

int keyd_parse_prepare(
        struct keyd_ring *ring, struct keyd_parser *p, struct err *err)
{
    CLEANUP(buf_close_fd) int in = -1;
    CLEANUP(buf_close_fd) int out = -1;
    CLEANUP(buf_close_fd) int order = -1;
    CLEANUP(buf_close_fd) int order_child = -1;
    int fds[2], r;
    pid_t pid;

    if (p->pid > 0)
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "pipe");
    in = fds[0];
    out = fds[1];
    if (fcntl(in, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(err, "pipe");
    r = ipc_pair(fds, err);
    if (r != 0)
        return r;
    order = fds[0];
    order_child = fds[1];
    pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0)
        child(ring, order_child, out);
    p->pid = pid;
    p->order = TAKE_FD(order);
    p->answer = TAKE_FD(in);
    return 0;
}

/* One that waits may have been killed, say by the kernel for its memory. */
static int send_order(struct keyd_ring *ring, struct keyd_parser *p,
        enum profile_id profile, int artefact, struct err *err)
{
    uint8_t order = (uint8_t)profile;
    int r = keyd_parse_prepare(ring, p, err);

    if (r == 0 && ipc_send(p->order, SPAN(&order, 1), &artefact, 1) != 0) {
        keyd_parse_drop(p);
        r = keyd_parse_prepare(ring, p, err);
        if (r == 0 && ipc_send(p->order, SPAN(&order, 1), &artefact, 1) != 0)
            r = err_set(err, ERR_PEER, "the artefact's reader is gone");
    }
    return r;
}

int keyd_parse_start(struct keyd_ring *ring, struct keyd_parser *p,
        enum profile_id profile, int artefact, pid_t *ret_pid, int *ret_fd,
        struct err *err)
{
    int flags = fcntl(artefact, F_GETFL), r;

    /* a blocking read is the child's way to wait */
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY ||
            fcntl(artefact, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return err_set(err, ERR_PEER, "the artefact cannot be read");
    r = send_order(ring, p, profile, artefact, err);
    if (r != 0)
        return r;
    *ret_pid = p->pid;
    *ret_fd = TAKE_FD(p->answer);
    buf_close_fd(&p->order);
    *p = KEYD_PARSER_NONE;
    return 0;
}

void keyd_parse_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void keyd_parse_drop(struct keyd_parser *p)
{
    if (p->pid > 0)
        keyd_parse_end(p->pid);
    buf_close_fd(&p->order);
    buf_close_fd(&p->answer);
    *p = KEYD_PARSER_NONE;
}
