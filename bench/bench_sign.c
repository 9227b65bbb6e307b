/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole job as a qube sees it: one remote signature of a file over a warm
 * channel, both policies, envelope, durable records, parse, sign, verify and
 * receipt included.  Runs inside the calling qube, like qrexec-client-vm; the
 * reference is the sum of the raw parts measured here on the same disk: two
 * synced appends, hashing and one Ed25519 signature.
 *
 *     bench-sign TARGET SERVICE RUNS BYTES
 */
#include "buf.h"
#include "crypto.h"
#include "link.h"
#include "pump.h"
#include "qrexec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX   10000
#define RECORD_LEN 2000 /* a signature record in its DSSE envelope */

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(v[0]), by_value);
    return v[n / 2];
}

static int file_of(size_t bytes)
{
    static uint8_t block[65536];
    int fd = memfd_create("artefact", MFD_CLOEXEC);

    if (fd < 0)
        die("memfd");
    for (size_t done = 0; done < bytes; done += sizeof(block)) {
        size_t n = bytes - done;

        crypto_random(block, 32);
        if (buf_write_all(fd,
                    SPAN(block, n < sizeof(block) ? n : sizeof(block)), NULL))
            die("write");
    }
    return fd;
}

/* The call's data stream, as the agent hands it over. */
static int data_stream(const char *target, const char *service)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct sockaddr_un addr = {
            .sun_family = AF_UNIX, .sun_path = "/run/qubes/qrexec-agent"};
    struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .target = span_str(target),
            .ident = span_str("SOCKET"),
            .service = span_str(service)};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), data;
    struct link *l;
    size_t len;

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        die("agent");
    l = link_new_unix(fd, 4096, QREXEC_MSG_MAX);
    if (!l || qrexec_msg_put(&m, bytes, sizeof(bytes), &len) ||
            link_send(l, SPAN(bytes, len), NULL, 0, NULL))
        die("request");
    while (link_in(l).len < 8) {
        struct pollfd p = {.fd = link_fd(l), .events = POLLIN};

        if (poll(&p, 1, 30000) != 1 || link_recv(l, NULL)) {
            (void)fprintf(stderr, "the call was refused\n");
            exit(1);
        }
    }
    data = link_take_fd(l);
    link_free(l);
    return data;
}

static void sign_once(const char *target, const char *service, int artefact)
{
    struct pump p = {.end = QREXEC_CALLER, .stderr_fd = dup(STDERR_FILENO)};
    struct err err;
    char path[32];
    int code = -1;

    p.link = link_new_stream(data_stream(target, service), 0, 0);
    /* A descriptor of its own, so that each run reads from the start. */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", artefact);
    p.stdin_fd = open(path, O_RDONLY | O_CLOEXEC);
    p.stdout_fd = memfd_create("receipt", MFD_CLOEXEC);
    if (p.stdin_fd < 0 || p.stdout_fd < 0 || p.stderr_fd < 0)
        die("descriptors");
    if (pump_run(&p, &code, &err) || code != 0) {
        (void)fprintf(stderr, "the service ended with %d\n", code);
        exit(1);
    }
}

/* What no implementation can do without: milliseconds. */
static double raw_parts(int artefact, size_t bytes)
{
    static const char name[] = "bench.raw";
    uint8_t record[RECORD_LEN] = {0}, seed[32] = {1}, sig[64];
    uint8_t digest[CRYPTO_HASH_MAX];
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, artefact, 0);
    struct crypto_key *key = crypto_key_ed25519(seed);
    double begin;

    if (fd < 0 || map == MAP_FAILED || !key)
        die("raw parts");
    begin = now_ms();
    for (unsigned i = 0; i < 2; i++) {
        if (buf_write_all(fd, SPAN_OF(record), NULL) || fdatasync(fd) < 0)
            die("sync");
    }
    crypto_hash(CRYPTO_SHA256, SPAN(map, bytes), digest);
    crypto_hash(CRYPTO_BLAKE2B512, SPAN(map, bytes), digest);
    if (crypto_sign(key, SPAN_OF(digest), sig))
        die("sign");
    begin = now_ms() - begin;
    crypto_key_free(key);
    (void)munmap(map, bytes);
    (void)close(fd);
    (void)unlink(name);
    return begin;
}

int main(int argc, char **argv)
{
    static double took[RUNS_MAX], raw[RUNS_MAX];
    uint64_t runs, bytes;
    double p50, ref;
    int artefact;

    if (argc != 5 || !text_parse_u64(span_str(argv[3]), &runs) || runs == 0 ||
            runs > RUNS_MAX || !text_parse_u64(span_str(argv[4]), &bytes) ||
            bytes == 0) {
        (void)fprintf(stderr, "usage: bench-sign TARGET SERVICE RUNS BYTES\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    artefact = file_of(bytes);
    sign_once(argv[1], argv[2], artefact); /* opens the channel */
    for (size_t i = 0; i < runs; i++) {
        double begin = now_ms();

        sign_once(argv[1], argv[2], artefact);
        took[i] = now_ms() - begin;
        raw[i] = raw_parts(artefact, bytes);
    }
    p50 = median(took, runs);
    ref = median(raw, runs);
    (void)printf("{\"name\":\"remote sign %zu KiB %s\",\"value\":%.3f,"
                 "\"unit\":\"ms\",\"reference\":%.3f,\"ratio\":%.2f,"
                 "\"p99\":%.3f}\n",
            (size_t)bytes / 1024, argv[2], p50, ref, p50 / ref,
            took[(size_t)runs * 99 / 100]);
    return 0;
}
