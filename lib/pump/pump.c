/* SPDX-License-Identifier: Apache-2.0 */
#include "pump_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* After the exit code a callee waits so long for its caller to close, so that
 * bytes in flight do not turn into a reset of the stream. */
#define LINGER_MS 5000

/* ---- the loop -------------------------------------------------------- */

static void want(struct pump_call *r, unsigned slot, int fd, short events)
{
    r->poll[slot] = (struct pollfd){.fd = fd, .events = events};
}

static void prepare(struct pump_call *r)
{
    short peer = 0;
    bool waits = r->pend.len > 0;

    if (!waits)
        peer |= POLLIN;
    if (r->out_len)
        peer |= POLLOUT;
    /* A hang-up that nobody handles would make poll spin. */
    want(r, SLOT_LINK,
            peer || r->d.end == QREXEC_CALLEE ? link_fd(r->p->link) : -1,
            link_want(r->p->link, peer));
    want(r, SLOT_SINK, waits ? r->fd[pump_index(r->pend_stream)] : -1, POLLOUT);
    if (!waits && pump_takes_stdin(r)) /* for its hang-up alone */
        want(r, SLOT_SINK, r->fd[pump_index(QREXEC_STDIN)], 0);
    want(r, SLOT_CHILD, r->child_fd, POLLIN);
    want(r, SLOT_SIGNAL, r->signal_fd, POLLIN);
    for (uint32_t s = QREXEC_STDIN; s <= QREXEC_STDERR; s++) {
        bool read = !r->out_len && !r->link_ended && !r->p->prefix.len &&
                    qrexec_data_may_send(&r->d, s);

        want(r, SLOT_SOURCE + (unsigned)pump_index(s),
                read ? r->fd[pump_index(s)] : -1, POLLIN);
    }
}

static void reap(struct pump_call *r)
{
    int status = 0;

    if (waitpid(r->p->child, &status, WNOHANG) != r->p->child)
        return;
    r->p->exit_code = qrexec_exit_code(status);
    r->p->child = 0;
    (void)close(r->child_fd);
    r->child_fd = -1;
    /* What the service left running has its output, and no more input. */
    pump_close(r, QREXEC_STDIN);
    r->pend = SPAN_EMPTY;
}

/* SIGUSR1: the program wants its stdin, a socket, for both directions. */
static void use_one_socket(struct pump_call *r)
{
    size_t from = pump_index(
            r->d.end == QREXEC_CALLEE ? QREXEC_STDOUT : QREXEC_STDIN);

    (void)close(r->signal_fd);
    r->signal_fd = -1;
    if (r->fd[from] < 0 || r->spare_fd < 0)
        return;
    (void)close(r->fd[from]);
    r->fd[from] = TAKE_FD(r->spare_fd);
    r->is_sock[from] = true;
    r->poll[SLOT_SOURCE + from].revents = 0;
}

static int step(struct pump_call *r, struct err *err)
{
    int e;

    prepare(r);
    if (poll(r->poll, SLOT_COUNT, -1) < 0)
        return errno == EINTR ? 0 : err_errno(err, "poll");
    if (r->child_fd >= 0 && r->poll[SLOT_CHILD].revents)
        reap(r);
    if (r->signal_fd >= 0 && r->poll[SLOT_SIGNAL].revents)
        use_one_socket(r);
    if (!r->pend.len && pump_takes_stdin(r) && r->poll[SLOT_SINK].revents)
        pump_close(r, QREXEC_STDIN);
    e = pump_recv(r, err);
    if (e == 0 && !r->over)
        e = pump_send(r, err);
    if (e == 0 && r->d.exit_sent && !r->out_len)
        r->over = true;
    return e;
}

/* exit_on_*: the streams end here, whatever the service still does. */
static void say_last_words(struct pump_call *r)
{
    struct err ignored;

    if (r->p->child)
        r->p->exit_code = 0;
    for (uint32_t s = QREXEC_STDIN; s <= QREXEC_STDERR; s++)
        pump_close(r, s);
    r->turn = QREXEC_STDERR - QREXEC_STDIN; /* upstream's order */
    if (r->child_fd >= 0)
        (void)close(r->child_fd);
    r->child_fd = -1;
    while (!r->d.exit_sent || r->out_len) {
        struct pollfd pfd = {.fd = link_fd(r->p->link),
                .events = link_want(r->p->link, POLLOUT)};

        if (pump_send(r, &ignored) || (!r->out_len && !r->d.version))
            return;
        if (r->out_len && poll(&pfd, 1, LINGER_MS) <= 0)
            return;
    }
}

static void linger(struct pump_call *r)
{
    int ms = r->p->linger_ms ? r->p->linger_ms : LINGER_MS;
    struct pollfd pfd = {
            .fd = link_fd(r->p->link), .events = link_want(r->p->link, POLLIN)};
    ssize_t n;

    link_end(r->p->link);
    do {
        if (poll(&pfd, 1, ms) <= 0)
            return;
        n = link_read(r->p->link, r->in, IN_SIZE);
    } while (n > 0 || (n < 0 && errno == EAGAIN));
}

static int watch_signal(struct pump_call *r, struct err *err)
{
    size_t sink = pump_index(
            r->d.end == QREXEC_CALLEE ? QREXEC_STDIN : QREXEC_STDOUT);
    sigset_t set;

    if (r->fd[sink] >= 0 && r->is_sock[sink])
        r->spare_fd = fcntl(r->fd[sink], F_DUPFD_CLOEXEC, 3);

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signal_fd < 0 ? err_errno(err, "signalfd") : 0;
}

static int start(struct pump_call *r, struct err *err)
{
    const int fds[STREAMS] = {r->p->stdin_fd, r->p->stdout_fd, r->p->stderr_fd};

    for (size_t i = 0; i < STREAMS; i++) {
        struct stat st;
        int flags;

        r->fd[i] = fds[i];
        if (fds[i] < 0)
            continue;
        r->is_sock[i] = fstat(fds[i], &st) == 0 && S_ISSOCK(st.st_mode);
        flags = fcntl(fds[i], F_GETFL);
        if (fds[i] > 2 && flags >= 0 && !r->is_sock[i])
            (void)fcntl(fds[i], F_SETFL, flags | O_NONBLOCK);
    }
    r->is_service_socket = !r->p->child && r->is_sock[0];
    if (r->p->no_stderr)
        r->d.eof_sent |= (uint8_t)(1u << pump_index(QREXEC_STDERR));
    r->out = malloc(OUT_SIZE);
    r->in = malloc(IN_SIZE);
    if (!r->p->link || !r->out || !r->in)
        return err_set(err, ERR_MEMORY, "no memory for a call");
    if (r->p->child) {
        r->child_fd = (int)syscall(SYS_pidfd_open, r->p->child, 0);
        if (r->child_fd < 0)
            return err_errno(err, "pidfd_open");
    }
    if (r->p->one_socket_on_usr1 && watch_signal(r, err))
        return ERR_IO;
    return pump_send(r, err);
}

int pump_run(struct pump *p, int *ret_exit, struct err *err)
{
    struct pump_call r = {
            .p = p, .child_fd = -1, .signal_fd = -1, .spare_fd = -1};
    int e;

    qrexec_data_init(&r.d, p->end);
    e = start(&r, err);
    while (e == 0 && !r.over)
        e = step(&r, err);
    if (e == 0 && p->end == QREXEC_CALLEE) {
        if (!r.d.exit_sent)
            say_last_words(&r);
        linger(&r);
    }
    if (e == 0 && r.d.exit_got)
        pump_end_stdin(&r);
    for (uint32_t s = QREXEC_STDIN; s <= QREXEC_STDERR; s++)
        pump_close(&r, s);
    if (r.child_fd >= 0)
        (void)close(r.child_fd);
    if (r.signal_fd >= 0)
        (void)close(r.signal_fd);
    if (r.spare_fd >= 0)
        (void)close(r.spare_fd);
    link_free(p->link);
    p->link = NULL;
    free(r.out);
    free(r.in);
    if (e == 0)
        *ret_exit = p->exit_code;
    return e;
}
