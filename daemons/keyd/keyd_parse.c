/* SPDX-License-Identifier: Apache-2.0 */
#include "keyd_parse.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_S 120 /* tens of gigabytes: nobody signs more in one piece */

enum { CHILD_ARTEFACT = 0, CHILD_ANSWER = 1 };

_Noreturn static void child_read(struct profile_stream *s)
{
    static uint8_t part[65536];
    struct profile_digests d;
    ssize_t n;

    while ((n = read(CHILD_ARTEFACT, part, sizeof part)) != 0) {
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

_Noreturn static void child(
        struct keyd_ring *ring, enum profile_id profile, int artefact, int out)
{
    static const struct rlimit cpu = {.rlim_cur = CPU_S, .rlim_max = CPU_S};
    struct profile_stream *s;

    /* seeds are gone (MADV_WIPEONFORK); now descriptors: TPM, links, keys */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(artefact, 0) < 0 ||
            dup2(out, 1) < 0 || close_range(3, ~0u, 0) < 0 ||
            setrlimit(RLIMIT_CPU, &cpu) < 0)
        _exit(1);
    keyd_ring_fini(ring);
    s = profile_begin(profile);
    if (!s)
        _exit(1);
    sandbox_enter_parser();
    child_read(s);
}

int keyd_parse_start(struct keyd_ring *ring, enum profile_id profile,
        int artefact, pid_t *ret_pid, int *ret_fd, struct err *err)
{
    CLEANUP(buf_close_fd) int in = -1;
    CLEANUP(buf_close_fd) int out = -1;
    int fds[2], flags = fcntl(artefact, F_GETFL);
    pid_t pid;

    /* a blocking read is the child's way to wait */
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY ||
            fcntl(artefact, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return err_set(err, ERR_PEER, "the artefact cannot be read");
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, "pipe");
    in = fds[0];
    out = fds[1];
    if (fcntl(in, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(err, "pipe");
    pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0)
        child(ring, profile, artefact, out);
    *ret_pid = pid;
    *ret_fd = TAKE_FD(in);
    return 0;
}

void keyd_parse_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
