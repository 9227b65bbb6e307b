/* SPDX-License-Identifier: Apache-2.0 */
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536

struct channel_context *ends_contexts[2];
uint64_t ends_total;
struct ends_seen *ends_seen;

_Noreturn void ends_die(const char *what)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

struct channel_time ends_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct channel_time){
            .mono_ms =
                    (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000,
            .unix_s = (uint64_t)time(NULL),
    };
}

double ends_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- two zones ------------------------------------------------------- */

void ends_init(void)
{
    ends_seen = mmap(NULL, sizeof(*ends_seen), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ends_seen == MAP_FAILED)
        ends_die("mmap");

    static const char *const names[] = {"thin", "server"};
    struct crypto_key *identity[2];
    struct channel_zone zones[2] = {{.name = "thin"}, {.name = "server"}};
    uint64_t t = (uint64_t)time(NULL);
    struct err err = {0};

    for (int i = 0; i < 2; i++) {
        identity[i] = crypto_key_generate(CRYPTO_ED25519);
        if (identity[i] == NULL)
            ends_die("key");
        zones[i].identity = crypto_key_pub(identity[i]);
    }
    for (int i = 0; i < 2; i++) {
        uint8_t der[CRYPTO_CERT_MAX];
        size_t len;
        struct crypto_key *key = crypto_key_generate(CRYPTO_P256);
        if (key == NULL ||
                crypto_cert_issue(identity[i], names[i], crypto_key_pub(key),
                        t - 60, t + 3600, der, sizeof(der), &len) != 0)
            ends_die("certificate");
        struct channel_conf conf = {.zone = names[i],
                .zones = zones,
                .n_zones = 2,
                .key = key,
                .cert = SPAN(der, len),
                .reattest_s = 3600};
        ends_contexts[i] = channel_context_new(&conf, t, &err);
        if (ends_contexts[i] == NULL)
            ends_die(err.msg);
        crypto_key_free(key);
    }
    crypto_key_free(identity[0]);
    crypto_key_free(identity[1]);
}

/* ---- producer and consumer ------------------------------------------- */

static void produce(int fd)
{
    static uint8_t bytes[CHUNK];

    for (uint64_t left = ends_total; left > 0;) {
        ssize_t n = write(fd, bytes, left < CHUNK ? (size_t)left : CHUNK);
        if (n <= 0)
            ends_die("write");
        left -= (uint64_t)n;
    }
    (void)shutdown(fd, SHUT_WR);
}

/* The receiver of the last run: its first byte and its last. */
static void saw(uint64_t got)
{
    ends_seen->last = ends_seconds();
    if (got == 0)
        ends_seen->first = ends_seen->last;
}

static void consume(int fd)
{
    static uint8_t bytes[CHUNK];

    for (uint64_t got = 0; got < ends_total;) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n <= 0)
            ends_die("read");
        saw(got);
        got += (uint64_t)n;
    }
}

/* ---- TLS alone ------------------------------------------------------- */

struct channel_tls *ends_tls_open(int side, int tcp)
{
    struct err err = {0};
    struct channel_tls *t = channel_tls_new(
            ends_contexts[side], tcp, side == 0 ? "server" : NULL, &err);

    if (t == NULL || channel_tls_handshake(t, (uint64_t)time(NULL), &err) != 0)
        ends_die(err.msg);
    return t;
}

/* fd -1: from memory, to nowhere. */
static void tls_send(int tcp, int fd)
{
    static uint8_t bytes[CHUNK];
    struct channel_tls *t = ends_tls_open(0, tcp);

    for (uint64_t left = ends_total; left > 0;) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK, sent = 0;
        if (fd >= 0) {
            ssize_t got = read(fd, bytes, n);
            if (got <= 0)
                ends_die("read");
            n = (size_t)got;
        }
        while (sent < n) {
            size_t len;
            if (channel_tls_write(
                        t, SPAN(bytes + sent, n - sent), &len, NULL) != 0)
                ends_die("TLS write");
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
    static uint8_t bytes[CHUNK];
    struct channel_tls *t = ends_tls_open(1, tcp);

    channel_tls_read_ahead(t);

    for (uint64_t got = 0; got < ends_total;) {
        size_t n;
        if (channel_tls_read(t, bytes, sizeof(bytes), &n, NULL) != 0)
            ends_die("TLS read");
        if (fd < 0)
            saw(got);
        got += n;
        for (size_t put = 0; fd >= 0 && put < n;) {
            ssize_t w = write(fd, bytes + put, n - put);
            if (w <= 0)
                ends_die("write");
            put += (size_t)w;
        }
    }
}

/* ---- the channel ----------------------------------------------------- */

void ends_on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    struct channel_time t = ends_now();
    (void)arg;
    (void)channel_round_evidence(ch, SPAN(binder, CHANNEL_BINDER), &t);
}

void ends_on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER], struct span evidence)
{
    struct channel_time t = ends_now();
    (void)arg;
    (void)channel_round_appraised(
            ch, span_eq(evidence, SPAN(binder, CHANNEL_BINDER)), &t);
}

void ends_on_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time t = ends_now();
    struct ends_end *e = arg;
    (void)round;
    (void)channel_round_confirm(ch, &t);
    e->open = true;
}

static void on_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct channel_time t = ends_now();
    struct ends_end *e = arg;
    (void)envelope;
    if (channel_call_serve(ch, stream, e->fd, &t) != 0)
        ends_die("serve");
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

void ends_on_closed(void *arg, struct channel *ch, int code, const char *reason)
{
    (void)arg;
    (void)ch;
    (void)code;
    (void)reason;
    _exit(0); /* the other end is done */
}

static const struct channel_ops ops = {ends_on_evidence, ends_on_appraise,
        ends_on_accepted, on_incoming, on_answered, ends_on_closed};

_Noreturn static void channel_end(int side, int tcp, int fd)
{
    struct channel_time t = ends_now();
    struct ends_end e = {.fd = fd};
    struct err err = {0};
    uint32_t stream;
    struct channel *ch = side == 0 ? channel_dial(ends_contexts[0], tcp,
                                             "server", &ops, &e, &t, &err)
                                   : channel_accept(ends_contexts[1], tcp, &ops,
                                             &e, &t, &err);

    if (ch == NULL)
        ends_die(err.msg);
    for (;;) {
        struct pollfd p = {.fd = channel_fd(ch), .events = POLLIN};
        (void)poll(&p, 1, 1000);
        t = ends_now();
        channel_run(ch, &t);
        if (side == 0 && e.open && !e.served) {
            e.served = true;
            if (channel_call(ch, span_str("envelope"), fd, 0, &t, &stream) != 0)
                ends_die("call");
        }
    }
}

/* ---- processes ------------------------------------------------------- */

pid_t ends_fork(void)
{
    pid_t pid = fork();

    if (pid < 0)
        ends_die("fork");
    return pid;
}

void ends_set_nonblocking(int tcp)
{
    int flags = fcntl(tcp, F_GETFL);

    if (flags < 0 || fcntl(tcp, F_SETFL, flags | O_NONBLOCK) != 0)
        ends_die("fcntl");
}

void ends_run_once(struct channel *ch)
{
    struct pollfd p = {.fd = channel_fd(ch), .events = POLLIN};
    struct channel_time t;

    (void)poll(&p, 1, 1000);
    t = ends_now();
    channel_run(ch, &t);
}

/* ---- one way --------------------------------------------------------- */

static pid_t start_end(
        enum ends_mode mode, int side, const int tcp[2], const int local[4])
{
    int fd = local[side == 0 ? 1 : 3];
    pid_t pid = ends_fork();

    if (pid != 0)
        return pid;
    (void)close(tcp[1 - side]);
    (void)close(local[0]);
    (void)close(local[2]);
    if (mode == ENDS_CALL)
        channel_end(side, tcp[side], fd);
    if (mode == ENDS_TCP && side == 0)
        produce(tcp[0]);
    else if (mode == ENDS_TCP)
        consume(tcp[1]);
    else if (side == 0)
        tls_send(tcp[0], mode == ENDS_RAW ? -1 : fd);
    else
        tls_receive(tcp[1], mode == ENDS_RAW ? -1 : fd);
    _exit(0);
}

double ends_run(enum ends_mode mode, const int tcp[static 2])
{
    bool in_memory = mode == ENDS_RAW || mode == ENDS_TCP;
    int local[4];
    pid_t pids[3];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, &local[0]) != 0 ||
            socketpair(AF_UNIX, SOCK_STREAM, 0, &local[2]) != 0)
        ends_die("socketpair");
    if (mode == ENDS_CALL) {
        ends_set_nonblocking(tcp[0]);
        ends_set_nonblocking(tcp[1]);
    }
    for (int side = 0; side < 2; side++)
        pids[side] = start_end(mode, side, tcp, local);
    (void)close(tcp[0]);
    (void)close(tcp[1]);
    (void)close(local[1]);
    (void)close(local[3]);
    pids[2] = ends_fork();
    if (pids[2] == 0) {
        if (!in_memory)
            produce(local[0]);
        _exit(0);
    }
    if (in_memory)
        (void)waitpid(pids[1], NULL, 0);
    else
        consume(local[2]);
    (void)close(local[0]);
    (void)close(local[2]);
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    return (double)ends_total / (ends_seen->last - ends_seen->first) / 1e6;
}

/* ---- figures -------------------------------------------------------- */

int ends_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void ends_print(
        const char *name, const char *unit, double value, double reference)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\","
                 "\"reference\":%.1f,\"ratio\":%.3f}\n",
            name, value, unit, reference, value / reference);
}
