/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-wan NS_A NS_B RTT_MS WAN_PID [MIB]: the channel over a long line
 * (tests/wan), each figure beside what plain TCP does there in the same run.
 * bench/bench_wan.sh makes the line and the namespaces.
 *
 *   one stream       MIB from NS_A to NS_B: TCP, TLS, a call; medians of three
 *   100 calls        question and answer each, all at once, on an open channel,
 *                    in round trips; beside: the same bytes over one TCP
 *   partition        20 s in the middle of a call: seconds from the mending of
 *                    the line to the next byte; beside: of a TCP connection
 *
 * Prints JSON lines.
 */
#include "ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS     3
#define CALLS    100
#define CUT_S    20
#define ADDRESS  "10.99.0.2"
#define ENVELOPE 1000 /* about what one is */
#define QUESTION 64
#define ANSWER   64

static const char *namespaces[2];
static pid_t wan;

/* ---- connections over the line --------------------------------------- */

static int socket_in(const char *name)
{
    char path[128];
    const int one = 1;

    (void)snprintf(path, sizeof(path), "/run/netns/%s", name);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
        ends_die(path);
    (void)close(ns);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
        ends_die("socket");
    return fd;
}

static void join(int tcp[static 2])
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    int l = socket_in(namespaces[1]);
    const int one = 1;

    (void)inet_pton(AF_INET, ADDRESS, &a.sin_addr);
    if (bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 1) != 0 ||
            getsockname(l, (struct sockaddr *)&a, &len) != 0)
        ends_die("listen");
    tcp[0] = socket_in(namespaces[0]);
    if (connect(tcp[0], (struct sockaddr *)&a, sizeof(a)) != 0)
        ends_die("connect");
    tcp[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    (void)setsockopt(tcp[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)close(l);
}

static double median(enum ends_mode mode)
{
    double results[RUNS];
    int tcp[2];

    for (int i = 0; i < RUNS; i++) {
        join(tcp);
        results[i] = ends_run(mode, tcp);
    }
    qsort(results, RUNS, sizeof(double), ends_by_value);
    return results[RUNS / 2];
}

/* ---- many small calls ------------------------------------------------ */

struct calls {
    struct channel *ch;
    int fds[CALLS]; /* local ends, -1: over */
    size_t got[CALLS];
    unsigned n; /* callee: made; caller: answered */
    bool open;
};

static void on_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time t = ends_now();
    (void)round;
    (void)channel_round_confirm(ch, &t);
    ((struct calls *)arg)->open = true;
}

static void on_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct channel_time t = ends_now();
    struct calls *c = arg;
    int fds[2];
    (void)envelope;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
            channel_call_serve(ch, stream, fds[0], &t) != 0)
        ends_die("serve");
    c->fds[c->n] = fds[1];
    c->got[c->n++ % CALLS] = 0;
    c->n %= CALLS;
}

static void on_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *a)
{
    (void)arg;
    (void)ch;
    (void)stream;
    if (a->code != 0)
        ends_die("the call was refused");
}

static const struct channel_ops ops = {ends_on_evidence, ends_on_appraise,
        on_accepted, on_incoming, on_answered, ends_on_closed};

/* Waits for the channel or a local end; true: something came at end *ret. */
static bool turn(struct calls *c, int *ret)
{
    struct pollfd p[CALLS + 1] = {{.fd = channel_fd(c->ch), .events = POLLIN}};
    struct channel_time t;

    for (int i = 0; i < CALLS; i++)
        p[i + 1] = (struct pollfd){.fd = c->fds[i], .events = POLLIN};
    (void)poll(p, CALLS + 1, 100);
    t = ends_now();
    channel_run(c->ch, &t);
    for (int i = 0; i < CALLS; i++) {
        *ret = i;
        if (p[i + 1].revents != 0 && c->fds[i] == p[i + 1].fd)
            return true;
    }
    return false;
}

static void forget(struct calls *c, int i)
{
    (void)close(c->fds[i]);
    c->fds[i] = -1;
}

_Noreturn static void callee(struct calls *c)
{
    uint8_t bytes[QUESTION];
    int i;

    for (;;) {
        if (!turn(c, &i))
            continue;
        ssize_t n = read(c->fds[i], bytes, sizeof(bytes));
        c->got[i] += n > 0 ? (size_t)n : 0;
        if (c->got[i] == QUESTION && write(c->fds[i], bytes, ANSWER) != ANSWER)
            ends_die("write");
        if (n <= 0 || c->got[i] == QUESTION)
            forget(c, i);
    }
}

/* All at once; seconds until the last has its answer and its end. */
static double ask_all(struct calls *c)
{
    static const uint8_t envelope[ENVELOPE], question[QUESTION];
    double start = ends_seconds();
    unsigned left = CALLS;
    int fds[2], i;

    for (i = 0; i < CALLS; i++) {
        struct channel_time t = ends_now();
        uint32_t stream;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
                write(fds[1], question, QUESTION) != QUESTION ||
                channel_call(c->ch, SPAN_OF(envelope), fds[0], 0, &t, &stream))
            ends_die("call");
        (void)shutdown(fds[1], SHUT_WR);
        c->fds[i] = fds[1];
        c->got[i] = 0;
    }
    while (left > 0) {
        uint8_t bytes[ANSWER];
        if (!turn(c, &i))
            continue;
        ssize_t n = read(c->fds[i], bytes, sizeof(bytes));
        if (n > 0) {
            c->got[i] += (size_t)n;
            continue;
        }
        if (c->got[i] != ANSWER)
            ends_die("answer is cut");
        forget(c, i);
        left--;
    }
    return ends_seconds() - start;
}

static double run_calls(void)
{
    struct calls c = {.n = 0};
    struct channel_time t = ends_now();
    struct err err = {0};
    double took[RUNS];
    int tcp[2];

    memset(c.fds, 0xff, sizeof(c.fds));
    join(tcp);
    ends_set_nonblocking(tcp[0]);
    ends_set_nonblocking(tcp[1]);
    pid_t pid = ends_fork();
    if (pid == 0) {
        (void)close(tcp[0]);
        c.ch = channel_accept(ends_contexts[1], tcp[1], &ops, &c, &t, &err);
        if (c.ch == NULL)
            ends_die(err.msg);
        callee(&c);
    }
    (void)close(tcp[1]);
    c.ch = channel_dial(ends_contexts[0], tcp[0], "server", &ops, &c, &t, &err);
    if (c.ch == NULL)
        ends_die(err.msg);
    while (!c.open)
        ends_run_once(c.ch);
    for (int i = 0; i < RUNS; i++)
        took[i] = ask_all(&c);
    channel_free(c.ch);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    qsort(took, RUNS, sizeof(double), ends_by_value);
    return took[RUNS / 2];
}

/* The same bytes over TCP: all questions, then all answers. */
static double run_tcp_calls(void)
{
    static uint8_t bytes[CALLS * (ENVELOPE + QUESTION)];
    double took[RUNS];
    int tcp[2];

    join(tcp);
    pid_t pid = ends_fork();
    if (pid == 0) {
        (void)close(tcp[0]);
        while (recv(tcp[1], bytes, sizeof(bytes), MSG_WAITALL) ==
                        (ssize_t)sizeof(bytes) &&
                write(tcp[1], bytes, CALLS * ANSWER) == CALLS * ANSWER)
            continue;
        _exit(0);
    }
    (void)close(tcp[1]);
    for (int i = 0; i < RUNS; i++) {
        double start = ends_seconds();
        if (write(tcp[0], bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) ||
                recv(tcp[0], bytes, CALLS * ANSWER, MSG_WAITALL) !=
                        CALLS * ANSWER)
            ends_die("TCP");
        took[i] = ends_seconds() - start;
    }
    (void)close(tcp[0]);
    (void)waitpid(pid, NULL, 0);
    qsort(took, RUNS, sizeof(double), ends_by_value);
    return took[RUNS / 2];
}

/* ---- partition ------------------------------------------------------- */

/* Seconds from the mending of the line to the next byte received. */
static double run_partition(enum ends_mode mode)
{
    int tcp[2];

    join(tcp);
    ends_seen->last = ends_seen->first = 0;
    pid_t pid = ends_fork();
    if (pid == 0) {
        (void)ends_run(mode, tcp);
        _exit(0);
    }
    (void)close(tcp[0]);
    (void)close(tcp[1]);
    while (ends_seen->first == 0)
        (void)usleep(1000);
    (void)usleep(500000);
    (void)kill(wan, SIGUSR1);
    (void)sleep(CUT_S);
    (void)kill(wan, SIGUSR2);
    double mended = ends_seconds();
    while (ends_seen->last < mended && ends_seconds() < mended + 60)
        (void)usleep(1000);
    double took = ends_seen->last - mended;
    (void)waitpid(pid, NULL, 0); /* and all of it arrives */
    return took;
}

int main(int argc, char **argv)
{
    uint64_t mib = 64, rtt, pid;

    if (argc < 5 || argc > 6 || !text_parse_u64(span_str(argv[3]), &rtt) ||
            rtt == 0 || !text_parse_u64(span_str(argv[4]), &pid) ||
            (argc == 6 && !text_parse_u64(span_str(argv[5]), &mib)) ||
            mib == 0 || mib > 65536) {
        (void)fprintf(stderr,
                "usage: bench-wan NS_A NS_B RTT_MS WAN_PID [MIB] (see "
                "bench/bench_wan.sh)\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    namespaces[0] = argv[1];
    namespaces[1] = argv[2];
    wan = (pid_t)pid;
    ends_total = mib << 20;
    ends_init();
    double tcp = median(ENDS_TCP);
    ends_print("wan-tls", "MB/s", median(ENDS_RAW), tcp);
    ends_print("wan-one-stream", "MB/s", median(ENDS_CALL), tcp);
    double trip = (double)rtt / 1e3;
    ends_print("wan-100-calls", "round trips", run_calls() / trip,
            run_tcp_calls() / trip);
    ends_print("wan-partition", "s", run_partition(ENDS_CALL),
            run_partition(ENDS_TCP));
    return 0;
}
