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
#include "channel.h"
#include "channel_tls.h"

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
#define CHUNK 65536
#define CALLS 2000
/* About what an envelope and the answer to it are on the wire. */
#define QUESTION 1200
#define ANSWER   60

static struct channel_context *contexts[2];
static uint64_t total;

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "bench-channel: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct channel_time now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct channel_time){
            .mono_ms =
                    (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000,
            .unix_s = (uint64_t)time(NULL),
    };
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- two zones ------------------------------------------------------- */

static void make_contexts(void)
{
    static const char *const names[] = {"thin", "server"};
    struct crypto_key *identity[2];
    struct channel_zone zones[2] = {{.name = "thin"}, {.name = "server"}};
    uint64_t t = (uint64_t)time(NULL);
    struct err err = {0};

    for (int i = 0; i < 2; i++) {
        identity[i] = crypto_key_generate(CRYPTO_ED25519);
        if (identity[i] == NULL)
            die("key");
        zones[i].identity = crypto_key_pub(identity[i]);
    }
    for (int i = 0; i < 2; i++) {
        uint8_t der[CRYPTO_CERT_MAX];
        size_t len;
        struct crypto_key *key = crypto_key_generate(CRYPTO_P256);
        if (key == NULL ||
                crypto_cert_issue(identity[i], names[i], crypto_key_pub(key),
                        t - 60, t + 3600, der, sizeof(der), &len) != 0)
            die("certificate");
        struct channel_conf conf = {.zone = names[i],
                .zones = zones,
                .n_zones = 2,
                .key = key,
                .cert = SPAN(der, len),
                .reattest_s = 3600};
        contexts[i] = channel_context_new(&conf, t, &err);
        if (contexts[i] == NULL)
            die(err.msg);
        crypto_key_free(key);
    }
    crypto_key_free(identity[0]);
    crypto_key_free(identity[1]);
}

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
        die("loopback");
    fds[1] = accept(l, NULL, NULL);
    (void)close(l);
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- producer and consumer ------------------------------------------- */

static void produce(int fd)
{
    static uint8_t bytes[CHUNK];

    for (uint64_t left = total; left > 0;) {
        ssize_t n = write(fd, bytes, left < CHUNK ? (size_t)left : CHUNK);
        if (n <= 0)
            die("write");
        left -= (uint64_t)n;
    }
    (void)shutdown(fd, SHUT_WR);
}

static void consume(int fd)
{
    static uint8_t bytes[CHUNK];

    for (uint64_t got = 0; got < total;) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n <= 0)
            die("read");
        got += (uint64_t)n;
    }
}

/* ---- TLS alone ------------------------------------------------------- */

static struct channel_tls *tls_open(int side, int tcp)
{
    struct err err = {0};
    struct channel_tls *t = channel_tls_new(
            contexts[side], tcp, side == 0 ? "server" : NULL, &err);

    if (t == NULL || channel_tls_handshake(t, (uint64_t)time(NULL), &err) != 0)
        die(err.msg);
    return t;
}

/* fd -1: from memory, to nowhere. */
static void tls_send(int tcp, int fd)
{
    static uint8_t bytes[CHUNK];
    struct channel_tls *t = tls_open(0, tcp);

    for (uint64_t left = total; left > 0;) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK, sent = 0;
        if (fd >= 0) {
            ssize_t got = read(fd, bytes, n);
            if (got <= 0)
                die("read");
            n = (size_t)got;
        }
        while (sent < n) {
            size_t len;
            if (channel_tls_write(
                        t, SPAN(bytes + sent, n - sent), &len, NULL) != 0)
                die("TLS write");
            sent += len;
        }
        left -= n;
    }
    (void)shutdown(tcp, SHUT_WR);
    while (recv(tcp, bytes, 1, 0) > 0) /* until the receiver is done */
        continue;
}

static void tls_receive(int tcp, int fd)
{
    static uint8_t bytes[16384];
    struct channel_tls *t = tls_open(1, tcp);

    for (uint64_t got = 0; got < total;) {
        size_t n;
        if (channel_tls_read(t, bytes, sizeof(bytes), &n, NULL) != 0)
            die("TLS read");
        got += n;
        for (size_t put = 0; fd >= 0 && put < n;) {
            ssize_t w = write(fd, bytes + put, n - put);
            if (w <= 0)
                die("write");
            put += (size_t)w;
        }
    }
}

/* ---- the channel ----------------------------------------------------- */

struct end {
    int fd;
    bool open;
    bool served;
};

static void on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    struct channel_time t = now();
    (void)arg;
    (void)channel_round_evidence(ch, SPAN(binder, CHANNEL_BINDER), &t);
}

static void on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER], struct span evidence)
{
    struct channel_time t = now();
    (void)arg;
    (void)channel_round_appraised(
            ch, span_eq(evidence, SPAN(binder, CHANNEL_BINDER)), &t);
}

static void on_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time t = now();
    struct end *e = arg;
    (void)round;
    (void)channel_round_confirm(ch, &t);
    e->open = true;
}

static void on_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct channel_time t = now();
    struct end *e = arg;
    (void)envelope;
    if (channel_call_serve(ch, stream, e->fd, &t) != 0)
        die("serve");
}

static void on_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *a)
{
    (void)arg;
    (void)ch;
    (void)stream;
    if (a->code != 0)
        die("the call was refused");
}

static void on_closed(
        void *arg, struct channel *ch, int code, const char *reason)
{
    (void)arg;
    (void)ch;
    (void)code;
    (void)reason;
    _exit(0); /* the other end is done */
}

static const struct channel_ops ops = {on_evidence, on_appraise, on_accepted,
        on_incoming, on_answered, on_closed};

_Noreturn static void channel_end_run(int side, int tcp, int fd)
{
    struct channel_time t = now();
    struct end e = {.fd = fd};
    struct err err = {0};
    uint32_t stream;
    struct channel *ch =
            side == 0 ? channel_dial(
                                contexts[0], tcp, "server", &ops, &e, &t, &err)
                      : channel_accept(contexts[1], tcp, &ops, &e, &t, &err);

    if (ch == NULL)
        die(err.msg);
    for (;;) {
        struct pollfd p = {.fd = channel_fd(ch), .events = POLLIN};
        (void)poll(&p, 1, 1000);
        t = now();
        channel_run(ch, &t);
        if (side == 0 && e.open && !e.served) {
            e.served = true;
            if (channel_call(ch, span_str("envelope"), fd, &t, &stream) != 0)
                die("call");
        }
    }
}

/* ---- processes ------------------------------------------------------- */

static pid_t forked(void)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    return pid;
}

static void set_nonblocking(int tcp)
{
    int flags = fcntl(tcp, F_GETFL);

    if (flags < 0 || fcntl(tcp, F_SETFL, flags | O_NONBLOCK) != 0)
        die("fcntl");
}

/* ---- one call after the other ---------------------------------------- */

struct caller {
    struct channel *ch;
    unsigned done;
    double asked;
    double *took; /* CALLS of them, in seconds */
};

static void ask(struct caller *c)
{
    static const uint8_t envelope[QUESTION];
    struct channel_time t = now();
    uint32_t stream;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        die("socketpair");
    c->asked = seconds();
    if (channel_call(c->ch, SPAN_OF(envelope), fds[0], &t, &stream) != 0)
        die("call");
    (void)close(fds[1]);
}

static void caller_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time t = now();
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
        die("the call was refused");
    c->took[c->done++] = seconds() - c->asked;
    if (c->done < CALLS)
        ask(c);
}

static void callee_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct channel_time t = now();
    int fds[2];
    (void)arg;
    (void)envelope;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 ||
            channel_call_serve(ch, stream, fds[0], &t) != 0)
        die("serve");
    (void)close(fds[1]);
}

static const struct channel_ops caller_ops = {on_evidence, on_appraise,
        caller_accepted, callee_incoming, caller_answered, on_closed};
static const struct channel_ops callee_ops = {on_evidence, on_appraise,
        on_accepted, callee_incoming, caller_answered, on_closed};

static void serve_one(struct channel *ch)
{
    struct pollfd p = {.fd = channel_fd(ch), .events = POLLIN};
    struct channel_time t;

    (void)poll(&p, 1, 1000);
    t = now();
    channel_run(ch, &t);
}

static void run_calls(double *took)
{
    struct caller c = {.took = took};
    struct channel_time t = now();
    struct err err = {0};
    int tcp[2];

    loopback_pair(tcp);
    set_nonblocking(tcp[0]);
    set_nonblocking(tcp[1]);
    pid_t pid = forked();
    if (pid == 0) {
        (void)close(tcp[0]);
        struct end e = {.fd = -1};
        struct channel *ch =
                channel_accept(contexts[1], tcp[1], &callee_ops, &e, &t, &err);
        while (ch != NULL)
            serve_one(ch);
        die(err.msg);
    }
    (void)close(tcp[1]);
    c.ch = channel_dial(
            contexts[0], tcp[0], "server", &caller_ops, &c, &t, &err);
    if (c.ch == NULL)
        die(err.msg);
    while (c.done < CALLS)
        serve_one(c.ch);
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
    pid_t pid = forked();
    if (pid == 0) {
        struct channel_tls *t = tls_open(1, tcp[1]);
        for (;;) {
            read_all(t, QUESTION);
            write_all(t, ANSWER);
        }
    }
    struct channel_tls *t = tls_open(0, tcp[0]);
    for (unsigned i = 0; i < CALLS; i++) {
        double start = seconds();
        write_all(t, QUESTION);
        read_all(t, ANSWER);
        took[i] = seconds() - start;
    }
    channel_tls_free(t);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(tcp[0]);
    (void)close(tcp[1]);
}

/* ---- runs ------------------------------------------------------------ */

enum mode { CALL, COPY, RAW, MODES };

/* MB/s from the first byte offered to the last one received. */
static double run(enum mode mode)
{
    int tcp[2], in[2], out[2];
    pid_t pids[3];
    double start;

    loopback_pair(tcp);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, in) != 0 ||
            socketpair(AF_UNIX, SOCK_STREAM, 0, out) != 0)
        die("socketpair");
    if (mode == CALL) {
        set_nonblocking(tcp[0]);
        set_nonblocking(tcp[1]);
    }
    start = seconds();
    for (int side = 0; side < 2; side++) {
        int fd = mode == RAW ? -1 : side == 0 ? in[1] : out[1];
        pids[side] = forked();
        if (pids[side] != 0)
            continue;
        (void)close(tcp[1 - side]);
        (void)close(in[0]);
        (void)close(out[0]);
        if (mode == CALL)
            channel_end_run(side, tcp[side], fd);
        if (side == 0)
            tls_send(tcp[0], fd);
        else
            tls_receive(tcp[1], fd);
        _exit(0);
    }
    (void)close(tcp[0]);
    (void)close(tcp[1]);
    (void)close(in[1]);
    (void)close(out[1]);
    pids[2] = forked();
    if (pids[2] == 0) {
        if (mode != RAW)
            produce(in[0]);
        _exit(0);
    }
    if (mode == RAW)
        (void)waitpid(pids[1], NULL, 0);
    else
        consume(out[0]);
    double took = seconds() - start;
    (void)close(in[0]);
    (void)close(out[0]);
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    return (double)total / took / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(
        const char *name, const char *unit, double value, double reference)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\","
                 "\"reference\":%.1f,\"ratio\":%.3f}\n",
            name, value, unit, reference, value / reference);
}

int main(int argc, char **argv)
{
    static double results[MODES][RUNS];
    uint64_t mib = 512;

    if (argc > 2 || (argc == 2 && !text_parse_u64(span_str(argv[1]), &mib)) ||
            mib == 0 || mib > 65536) {
        (void)fprintf(stderr, "usage: bench-channel [MIB]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    total = mib << 20;
    make_contexts();
    for (int i = 0; i < RUNS; i++) {
        for (int m = 0; m < MODES; m++)
            results[m][i] = run((enum mode)m);
    }
    for (int m = 0; m < MODES; m++)
        qsort(results[m], RUNS, sizeof(double), by_value);
    print("channel-one-stream", "MB/s", results[CALL][RUNS / 2],
            results[RAW][RUNS / 2]);
    print("channel-one-stream-vs-socket-copy", "MB/s", results[CALL][RUNS / 2],
            results[COPY][RUNS / 2]);
    static double calls[CALLS], pings[CALLS];
    run_calls(calls);
    run_pings(pings);
    qsort(calls, CALLS, sizeof(double), by_value);
    qsort(pings, CALLS, sizeof(double), by_value);
    print("channel-call-p50", "us", calls[CALLS / 2] * 1e6,
            pings[CALLS / 2] * 1e6);
    return 0;
}
