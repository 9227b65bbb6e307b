/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-log [DIR]: durable appends against the store and the batching of
 * logd, by 1 and by 64 writers that each wait for their record; beside a bare
 * program that writes the same bytes in the same groups to one file and syncs
 * it after each.  Five runs that take turns, the median of each figure.
 * DIR should be on the disk that the log will be on; default /var/tmp.
 * Prints JSON lines.
 */
#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUNS        5
#define RUN_S       1.0
#define WRITERS_MAX 64
#define ENTRY_BYTES 1100 /* a decision in its envelope */
#define ACKS_MAX    400000
#define GROUPS_MAX  100000

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "bench-log: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- ours ------------------------------------------------------------------
 */

struct writer {
    struct bench *b;
    pthread_t thread;
    sem_t done;
    uint8_t entry[ENTRY_BYTES];
    bool failed;
};

struct bench {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct writer *waiting[WRITERS_MAX];
    size_t n_waiting;
    atomic_bool stop;
    struct writer writers[WRITERS_MAX];
    float acks[ACKS_MAX]; /* seconds */
    atomic_size_t n_acks;
    size_t groups[GROUPS_MAX]; /* entries */
    size_t n_groups;
};

static void submit(struct bench *b, struct writer *w)
{
    pthread_mutex_lock(&b->lock);
    b->waiting[b->n_waiting++] = w;
    if (b->n_waiting == 1)
        pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
    while (sem_wait(&w->done) < 0) {
    }
}

static void *run_writer(void *arg)
{
    struct writer *w = arg;
    struct bench *b = w->b;

    for (uint32_t i = 0; !atomic_load(&b->stop); i++) {
        double from = seconds();
        size_t at;

        memcpy(w->entry, &i, sizeof i);
        submit(b, w);
        if (w->failed)
            return NULL;
        at = atomic_fetch_add(&b->n_acks, 1);
        if (at < ACKS_MAX)
            b->acks[at] = (float)(seconds() - from);
    }
    return NULL;
}

static void on_done(void *arg, const struct batch_waiter *waiter, int code,
        uint64_t index, const struct err *err)
{
    struct bench *b = arg;
    struct writer *w = &b->writers[waiter->id];

    (void)index;
    if (code < 0 && !w->failed) {
        fprintf(stderr, "bench-log: %s\n", err->msg);
        w->failed = true;
        atomic_store(&b->stop, true);
    }
    sem_post(&w->done);
}

/* What logd's loop does, with a queue in place of its links. */
static void serve(struct bench *b, struct store *s, double until)
{
    struct batch batch;
    struct err err;

    if (batch_init(&batch, &err) < 0)
        die(err.msg);
    while (seconds() < until && !atomic_load(&b->stop)) {
        struct timespec t;

        pthread_mutex_lock(&b->lock);
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec++;
        while (b->n_waiting == 0 &&
                pthread_cond_timedwait(&b->wake, &b->lock, &t) == 0) {
        }
        for (size_t i = 0; i < b->n_waiting; i++) {
            struct writer *w = b->waiting[i];
            struct batch_waiter id = {.id = (uint32_t)(w - b->writers)};

            if (batch_add(&batch, SPAN_OF(w->entry), id) < 0)
                die("batch");
        }
        b->n_waiting = 0;
        pthread_mutex_unlock(&b->lock);
        if (b->n_groups < GROUPS_MAX && batch.n > 0)
            b->groups[b->n_groups++] = batch.n;
        batch_commit(&batch, s, on_done, b);
    }
    atomic_store(&b->stop, true);
    batch_fini(&batch);
}

/* Writers that wait for a group that will not be written any more. */
static void release(struct bench *b)
{
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n_waiting; i++) {
        b->waiting[i]->failed = true;
        sem_post(&b->waiting[i]->done);
    }
    b->n_waiting = 0;
    pthread_mutex_unlock(&b->lock);
}

static double run_ours(struct bench *b, struct store *s, size_t writers)
{
    double from, took;

    atomic_store(&b->stop, false);
    atomic_store(&b->n_acks, 0);
    b->n_groups = b->n_waiting = 0;
    from = seconds();
    for (size_t i = 0; i < writers; i++) {
        struct writer *w = &b->writers[i];

        w->b = b;
        w->failed = false;
        memset(w->entry, (int)('a' + i % 26), sizeof w->entry);
        if (sem_init(&w->done, 0, 0) < 0 ||
                pthread_create(&w->thread, NULL, run_writer, w) != 0)
            die("thread");
    }
    serve(b, s, from + RUN_S);
    took = seconds() - from;
    for (size_t i = 0; i < writers; i++) {
        struct timespec t = {0, 1000000};

        while (pthread_tryjoin_np(b->writers[i].thread, NULL) != 0) {
            release(b);
            nanosleep(&t, NULL);
        }
    }
    return (double)atomic_load(&b->n_acks) / took;
}

/* ---- the bare program
 * --------------------------------------------------------- */

static double run_bare(const struct bench *b, int dirfd)
{
    static uint8_t bytes[WRITERS_MAX * ENTRY_BYTES];
    int fd = openat(dirfd, "bare", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    size_t entries = 0;
    double from = seconds();

    if (fd < 0)
        die("bare");
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < b->n_groups; i++) {
        size_t n = b->groups[i] * ENTRY_BYTES;

        if (write(fd, bytes, n) != (ssize_t)n || fdatasync(fd) < 0)
            die("bare");
        entries += b->groups[i];
    }
    from = seconds() - from;
    close(fd);
    (void)unlinkat(dirfd, "bare", 0);
    return (double)entries / from;
}

/* ---- figures
 * --------------------------------------------------------------------- */

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_double);
    return v[n / 2];
}

static double quantile(struct bench *b, double q)
{
    size_t n = atomic_load(&b->n_acks);

    n = n < ACKS_MAX ? n : ACKS_MAX;
    if (n == 0)
        return 0;
    qsort(b->acks, n, sizeof *b->acks, by_float);
    return (double)b->acks[(size_t)(q * (double)(n - 1))] * 1000;
}

static void print(const char *name, size_t writers, double value,
        const char *unit, double reference)
{
    (void)printf("{\"name\":\"%s, %zu writer%s\",\"value\":%.3f,"
                 "\"unit\":\"%s\",\"reference\":%.3f,\"ratio\":%.3f}\n",
            name, writers, writers == 1 ? "" : "s", value, unit, reference,
            value / reference);
}

static void measure(struct bench *b, struct store *s, int dirfd, size_t writers)
{
    double ours[RUNS], bare[RUNS], p50[RUNS], p99[RUNS];

    for (int i = 0; i < RUNS; i++) {
        ours[i] = run_ours(b, s, writers);
        p50[i] = quantile(b, 0.5);
        p99[i] = quantile(b, 0.99);
        bare[i] = run_bare(b, dirfd);
    }
    print("log append", writers, median(ours, RUNS), "entries/s",
            median(bare, RUNS));
    /* the target of an acknowledgement is 10 ms at the 99th percentile */
    print("log ack p50", writers, median(p50, RUNS), "ms", 10);
    print("log ack p99", writers, median(p99, RUNS), "ms", 10);
}

static int remove_one(
        const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = {1};
    struct bench *b = calloc(1, sizeof *b);
    struct crypto_key *key = crypto_key_ed25519(seed);
    struct merkle_vkey vkey;
    struct store *s;
    struct err err;
    char path[4096];
    int dirfd;

    snprintf(path, sizeof path, "%s/bench-log-XXXXXX",
            argc > 1 ? argv[1] : "/var/tmp");
    if (argc > 2 || b == NULL || key == NULL || mkdtemp(path) == NULL)
        die(argc > 2 ? "usage: bench-log [DIR]" : path);
    dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0 ||
            merkle_vkey_for_zone(
                    span_str("bench"), crypto_key_pub(key), &vkey, &err) < 0 ||
            store_open(dirfd, &vkey, key, 0, &s, &err) < 0)
        die(path);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->wake, NULL);
    measure(b, s, dirfd, 1);
    measure(b, s, dirfd, WRITERS_MAX);
    store_close(s);
    crypto_key_free(key);
    free(b);
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
