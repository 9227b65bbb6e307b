/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-eventlog [FILE]: replay of event logs in all their banks, with the
 * data of each event checked where the standard demands it; beside OpenSSL's
 * bare hashing of the same bytes, once in each bank, in the same run.  Logs of
 * the mix that real machines have, of 64 KiB to 100 MiB; and one of a million
 * small events beside the bare hashing of exactly what is hashed for it.
 * Then FILE, or a made log of 64 KiB, beside `tpm2_eventlog` when that is
 * installed.  Runs take turns, CPU time, the median of each.  JSON lines.
 */
#include "buf.h"
#include "eventlog.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS 9

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "bench-eventlog: %s\n", what);
    exit(1);
}

/* ---- logs ------------------------------------------------------------ */

static void put_u16(struct buf *b, uint16_t v)
{
    buf_append_u8(b, (uint8_t)v);
    buf_append_u8(b, (uint8_t)(v >> 8));
}

static void put_u32(struct buf *b, uint32_t v)
{
    put_u16(b, (uint16_t)v);
    put_u16(b, (uint16_t)(v >> 16));
}

static const struct eventlog_alg algs[] = {
        {TCG_ALG_SHA256, 32}, {TCG_ALG_SHA1, 20}, {TCG_ALG_SHA384, 48}};

static void put_header(struct buf *b, unsigned banks)
{
    static const uint8_t zero[20];

    put_u32(b, 0);
    put_u32(b, EVENTLOG_EV_NO_ACTION);
    buf_append(b, SPAN_OF(zero));
    put_u32(b, 16 + 12 + 4 * banks + 1);
    buf_append(b, SPAN("Spec ID Event03\0\0\0\0\0\0\2\0\2", 24));
    put_u32(b, banks);
    for (unsigned i = 0; i < banks; i++) {
        put_u16(b, algs[i].alg);
        put_u16(b, algs[i].size);
    }
    buf_append_u8(b, 0);
}

static void put_event(struct buf *b, unsigned banks, uint32_t pcr,
        uint32_t type, struct span data)
{
    uint8_t digest[CRYPTO_HASH_MAX];

    put_u32(b, pcr);
    put_u32(b, type);
    put_u32(b, banks);
    for (unsigned i = 0; i < banks; i++) {
        enum crypto_hash hash;

        if (!tcg_hash(algs[i].alg, &hash))
            die("hash");
        crypto_hash(hash, data, digest);
        put_u16(b, algs[i].alg);
        buf_append(b, SPAN(digest, algs[i].size));
    }
    put_u32(b, (uint32_t)data.len);
    buf_append(b, data);
}

static void put_variable(struct buf *b, unsigned banks, uint8_t *data, size_t n)
{
    struct wire_writer w = wire_writer_of(data + 16, 8 + 8 + 2);

    wire_put_u64le(&w, 1);
    wire_put_u64le(&w, n - 34);
    wire_put_u16le(&w, 'v');
    put_event(
            b, banks, 7, EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG, SPAN(data, n));
}

/*
 * Of the 21 logs among the vectors: a tenth of the events are variables, some
 * of them long (KEK, db, dbx), the rest boot loader commands and images.
 */
static void make_mixed(struct buf *b, unsigned banks, size_t size)
{
    uint8_t data[4096];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + 1);
    put_header(b, banks);
    for (unsigned i = 0; b->len < size; i++) {
        data[0] = (uint8_t)i;
        if (i % 10 == 0)
            put_variable(b, banks, data, i % 40 == 0 ? sizeof(data) : 64);
        else
            put_event(
                    b, banks, 8, EVENTLOG_EV_IPL, SPAN(data, 60 + i % 8 * 30));
    }
    if (buf_ok(b, NULL) != 0)
        die("log");
}

/* ---- clocks ---------------------------------------------------------- */

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v)
{
    qsort(v, RUNS, sizeof(*v), compare_doubles);
    return v[RUNS / 2];
}

static void tell(const char *name, double value, const char *unit, double ref)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\","
                 "\"reference\":%.3f,\"ratio\":%.2f}\n",
            name, value, unit, ref, value / ref);
}

/* ---- replay ---------------------------------------------------------- */

static void replay_all(struct span log)
{
    struct eventlog_pcrs p;
    struct err err;

    if (eventlog_replay(log, &p, &err) != 0)
        die(err.msg);
    if (p.wrong)
        die("data");
}

static void hash_all(struct span log, unsigned banks)
{
    uint8_t digest[CRYPTO_HASH_MAX];

    for (unsigned i = 0; i < banks; i++) {
        enum crypto_hash hash;

        if (tcg_hash(algs[i].alg, &hash))
            crypto_hash(hash, log, digest);
    }
}

static unsigned repeats_of(size_t size)
{
    return size >= 4u << 20 ? 1 : (unsigned)((4u << 20) / size);
}

/* Megabytes of log a second, ours and bare. */
static void bench_size(const char *what, unsigned banks, size_t size)
{
    struct buf b = BUF_INIT(LIMIT_TCG_LOG_MAX);
    double ours[RUNS], bare[RUNS];
    unsigned n = repeats_of(size);
    char name[128];

    make_mixed(&b, banks, size);
    for (int run = 0; run < RUNS; run++) {
        double from = now_us();

        for (unsigned i = 0; i < n; i++)
            replay_all(buf_span(&b));
        ours[run] = (double)b.len * n / (now_us() - from);
        from = now_us();
        for (unsigned i = 0; i < n; i++)
            hash_all(buf_span(&b), banks);
        bare[run] = (double)b.len * n / (now_us() - from);
    }
    (void)snprintf(name, sizeof(name), "event log replay, %s, %u bank%s", what,
            banks, banks > 1 ? "s" : "");
    tell(name, median(ours), "MB/s", median(bare));
    buf_fini(&b);
}

/* ---- a million events ------------------------------------------------ */

#define MILLION 1000000u
#define SMALL   48u

/* What the replay of one SHA-256 bank has to hash, over EVP: 64 bytes an
 * event. */
static double hash_extends_us(void)
{
    uint8_t both[64] = {0};
    double from = now_us();

    for (unsigned i = 0; i < MILLION; i++)
        crypto_hash(CRYPTO_SHA256, SPAN_OF(both), both);
    return now_us() - from;
}

static void bench_million(void)
{
    struct buf b = BUF_INIT(LIMIT_TCG_LOG_MAX);
    double ours[RUNS], bare[RUNS];
    size_t before;
    uint8_t data[SMALL] = {0};

    put_header(&b, 1);
    for (unsigned i = 0; i < MILLION; i++) {
        memcpy(data, &i, sizeof(i));
        put_event(&b, 1, 8, EVENTLOG_EV_IPL, SPAN_OF(data));
    }
    replay_all(buf_span(&b));
    before = mallinfo2().uordblks;
    for (int run = 0; run < RUNS; run++) {
        double from = now_us();

        replay_all(buf_span(&b));
        ours[run] = (now_us() - from) / 1e3;
        bare[run] = hash_extends_us() / 1e3;
    }
    tell("a million events of 98 bytes (beside: their extends bare)",
            median(ours), "ms", median(bare));
    (void)printf("{\"name\":\"the same, heap that it takes\",\"value\":%zu,"
                 "\"unit\":\"bytes\",\"reference\":0,\"ratio\":0}\n",
            mallinfo2().uordblks - before);
    buf_fini(&b);
}

/* ---- the tool -------------------------------------------------------- */

static double cpu_of_children_us(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* CPU of one run of the tool, or 0 when it is not there. */
static double tool_us(const char *path)
{
    double from = cpu_of_children_us();
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null >= 0) {
            (void)dup2(null, 1);
            (void)dup2(null, 2);
        }
        (void)execlp("tpm2_eventlog", "tpm2_eventlog", path, (char *)NULL);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0)
        return 0;
    return cpu_of_children_us() - from;
}

static void bench_tool(const char *path)
{
    struct buf b = BUF_INIT(LIMIT_TCG_LOG_MAX);
    double ours[RUNS], tool[RUNS];
    struct err err;

    if (buf_load(&b, AT_FDCWD, path, &err) != 0)
        die(err.msg);
    for (int run = 0; run < RUNS; run++) {
        double from = now_us();

        for (int i = 0; i < 100; i++) {
            struct eventlog_pcrs p;

            if (eventlog_replay_any(buf_span(&b), &p, &err) != 0)
                die(err.msg);
        }
        ours[run] = (now_us() - from) / 100;
        tool[run] = tool_us(path);
        if (tool[run] <= 0) { /* not installed, or does not take this log */
            buf_fini(&b);
            return;
        }
    }
    tell("one log, CPU (beside: tpm2_eventlog)", median(ours), "us",
            median(tool));
    tell("the same, times faster than tpm2_eventlog (beside: target)",
            median(tool) / median(ours), "x", 10);
    buf_fini(&b);
}

static void bench_made_log(void)
{
    char path[] = "/var/tmp/bench-eventlog.XXXXXX";
    struct buf b = BUF_INIT(LIMIT_TCG_LOG_MAX);
    int fd = mkstemp(path);

    make_mixed(&b, 2, 65536);
    if (fd < 0 || buf_write_all(fd, buf_span(&b), NULL) != 0)
        die("file");
    (void)close(fd);
    bench_tool(path);
    (void)unlink(path);
    buf_fini(&b);
}

int main(int argc, char **argv)
{
    bench_size("64 KiB", 1, 64u << 10);
    bench_size("1 MiB", 1, 1u << 20);
    bench_size("1 MiB", 3, 1u << 20);
    bench_size("16 MiB", 3, 16u << 20);
    bench_size("100 MiB", 1, 100u << 20);
    bench_million();
    if (argc > 1)
        bench_tool(argv[1]);
    else
        bench_made_log();
    return 0;
}
