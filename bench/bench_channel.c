/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-channel [MIB]: bytes one way over loopback TCP and TLS 1.3, each
 * figure the median of five runs that take turns:
 *
 *   call   socket -> channel -> TLS, HTTP/2 -> channel -> socket, one call
 *   copy   socket -> TLS -> socket, the same sockets without a channel
 *   raw    memory -> TLS -> nowhere: the limit
 *
 * and the time from channel_call to its answer, one call after the other,
 * beside a question and an answer of the same size over TLS alone.
 *
 * Every end is a process of its own.  Prints JSON lines.
 */
#include "ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS  5
#define CALLS 2000
/* About what an envelope and the answer to it are on the wire. */
#define QUESTION 1200
#define ANSWER   60

static void loopback_pair(int fds[static 2])
{
    struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    const int one = 1;
    int l = socket(AF_INET, SOCK_STREAM, 0);

    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 1) != 0 ||
            getsockname(l, (struct sockaddr *)&a, &len) != 0 ||
            connect(fds[0], (struct sockaddr *)&a, sizeof(a)) != 0)
        ends_die("loopback");
    fds[1] = accept(l, NULL, NULL);
    (void)close(l);
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- one call after the other ---------------------------------------- */

struct caller {
    struct channel *ch;
    unsigned done;
    double asked;
    double *took; /* CALLS of them, in ends_seconds */
};

static void ask(struct caller *c)
{
    static const uint8_t envelope[QUESTION];
    struct channel_time t = ends_now();
    uint32_t stream;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        ends_die("socketpair");
    c->asked = ends_seconds();
    if (channel_call(c->ch, SPAN_OF(envelope), fds[0], 0, &t, &stream) != 0)
        ends_die("call");
    (void)close(fds[1]);
}

static void caller_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time t = ends_now();
    (void)round;
    (void)channel_round_confirm(ch, &t);
    ask(arg);
}

static void caller_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *a)
{
    struct caller *c = arg;
    (void)ch;
    (void)stream;
    if (a->code != 0)
        ends_die("the call was refused");
    c->took[c->done++] = ends_seconds() - c->asked;
    if (c->done < CALLS)
        ask(c);
}

static void callee_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct channel_time t = ends_now();
    int fds[2];
    (void)arg;
    (void)envelope;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
            channel_call_serve(ch, stream, fds[0], &t) != 0)
        ends_die("serve");
    (void)close(fds[1]);
}

static const struct channel_ops caller_ops = {ends_on_evidence,
        ends_on_appraise, caller_accepted, callee_incoming, caller_answered,
        ends_on_closed};
static const struct channel_ops callee_ops = {ends_on_evidence,
        ends_on_appraise, ends_on_accepted, callee_incoming, caller_answered,
        ends_on_closed};

static void run_calls(double *took)
{
    struct caller c = {.took = took};
    struct channel_time t = ends_now();
    struct err err = {0};
    int tcp[2];

    loopback_pair(tcp);
    ends_set_nonblocking(tcp[0]);
    ends_set_nonblocking(tcp[1]);
    pid_t pid = ends_fork();
    if (pid == 0) {
        (void)close(tcp[0]);
        struct ends_end e = {.fd = -1};
        struct channel *ch = channel_accept(
                ends_contexts[1], tcp[1], &callee_ops, &e, &t, &err);
        while (ch != NULL)
            ends_run_once(ch);
        ends_die(err.msg);
    }
    (void)close(tcp[1]);
    c.ch = channel_dial(
            ends_contexts[0], tcp[0], "server", &caller_ops, &c, &t, &err);
    if (c.ch == NULL)
        ends_die(err.msg);
    while (c.done < CALLS)
        ends_run_once(c.ch);
    channel_free(c.ch);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void read_all(struct channel_tls *t, size_t want)
{
    static uint8_t bytes[QUESTION];

    while (want > 0) {
        size_t n;
        if (channel_tls_read(t, bytes, want, &n, NULL) != 0)
            _exit(0);
        want -= n;
    }
}

static void write_all(struct channel_tls *t, size_t len)
{
    static const uint8_t bytes[QUESTION];
    size_t n;

    if (channel_tls_write(t, SPAN(bytes, len), &n, NULL) != 0 || n != len)
        _exit(0);
}

static void run_pings(double *took)
{
    int tcp[2];

    loopback_pair(tcp);
    pid_t pid = ends_fork();
    if (pid == 0) {
        struct channel_tls *t = ends_tls_open(1, tcp[1]);
        for (;;) {
            read_all(t, QUESTION);
            write_all(t, ANSWER);
        }
    }
    struct channel_tls *t = ends_tls_open(0, tcp[0]);
    for (unsigned i = 0; i < CALLS; i++) {
        double start = ends_seconds();
        write_all(t, QUESTION);
        read_all(t, ANSWER);
        took[i] = ends_seconds() - start;
    }
    channel_tls_free(t);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(tcp[0]);
    (void)close(tcp[1]);
}

int main(int argc, char **argv)
{
    static double results[ENDS_TCP][RUNS];
    int tcp[2];
    uint64_t mib = 512;

    if (argc > 2 || (argc == 2 && !text_parse_u64(span_str(argv[1]), &mib)) ||
            mib == 0 || mib > 65536) {
        (void)fprintf(stderr, "usage: bench-channel [MIB]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    ends_total = mib << 20;
    ends_init();
    for (int i = 0; i < RUNS; i++) {
        for (int m = 0; m < ENDS_TCP; m++) {
            loopback_pair(tcp);
            results[m][i] = ends_run((enum ends_mode)m, tcp);
        }
    }
    for (int m = 0; m < ENDS_TCP; m++)
        qsort(results[m], RUNS, sizeof(double), ends_by_value);
    ends_print("channel-one-stream", "MB/s", results[ENDS_CALL][RUNS / 2],
            results[ENDS_RAW][RUNS / 2]);
    ends_print("channel-one-stream-vs-socket-copy", "MB/s",
            results[ENDS_CALL][RUNS / 2], results[ENDS_COPY][RUNS / 2]);
    static double calls[CALLS], pings[CALLS];
    run_calls(calls);
    run_pings(pings);
    qsort(calls, CALLS, sizeof(double), ends_by_value);
    qsort(pings, CALLS, sizeof(double), ends_by_value);
    ends_print("channel-call-p50", "us", calls[CALLS / 2] * 1e6,
            pings[CALLS / 2] * 1e6);
    return 0;
}
