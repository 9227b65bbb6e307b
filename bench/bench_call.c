/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls as a qube makes them, through qrexec-client-vm, beside what the machine
 * can do without any of it.  Runs inside the calling qube.
 *
 *     bench-call empty TARGET SERVICE RUNS     wall time of an empty call
 *     bench-call loop TARGET SERVICE RUNS      the same, silent: for CPU time
 *     bench-call to|from TARGET SERVICE MIB    one stream
 *
 * A word behind those is an option for qrexec-client-vm, and then the figures
 * are called those of a Qubes host.
 *
 * The reference of a call is starting and awaiting one process the same way,
 * that of a stream a pipe between two processes with the same chunks.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 100000
#define ROUNDS   5
#define CHUNK    65536

extern char **environ;

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

static void report(const char *name, const char *unit, double value, double ref)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\","
                 "\"reference\":%.3f,\"ratio\":%.2f}\n",
            name, value, unit, ref, value / ref);
}

/* in, out: become the child's 0 and 1 where not negative. */
static pid_t start(char *const *argv, int in, int out)
{
    posix_spawn_file_actions_t a;
    pid_t pid;
    int e = posix_spawn_file_actions_init(&a);

    if (e == 0 && in >= 0)
        e = posix_spawn_file_actions_adddup2(&a, in, 0);
    if (e == 0 && out >= 0)
        e = posix_spawn_file_actions_adddup2(&a, out, 1);
    if (e == 0)
        e = posix_spawnp(&pid, argv[0], &a, NULL, argv, environ);
    if (e) {
        errno = e;
        die(argv[0]);
    }
    (void)posix_spawn_file_actions_destroy(&a);
    return pid;
}

static void await(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || status != 0) {
        (void)fprintf(stderr, "a call ended with status %#x\n", status);
        exit(1);
    }
}

/* call[1] is the option, or all that follows moves up. */
static void skip_option(char **call, const char *option)
{
    for (size_t i = 1; !option && call[i + 1]; i++) {
        call[i] = call[i + 1];
        call[i + 1] = NULL;
    }
}

/* ---- empty calls ----------------------------------------------------- */

static int empty(
        char *option, char *target, char *service, size_t runs, bool silent)
{
    static double took[RUNS_MAX], raw[RUNS_MAX];
    char *call[] = {"qrexec-client-vm", option, target, service, NULL};
    char *const nothing[] = {"true", NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    skip_option(call, option);
    for (size_t i = 0; i < runs; i++) {
        double begin = now_ms();

        await(start(call, null, null));
        took[i] = now_ms() - begin;
        if (silent)
            continue;
        begin = now_ms();
        await(start(nothing, null, null));
        raw[i] = now_ms() - begin;
    }
    if (!silent)
        report(option ? "Qubes: empty call (beside: one process)"
                      : "local empty call (beside: one process)",
                "ms", median(took, runs), median(raw, runs));
    return 0;
}

/* ---- streams --------------------------------------------------------- */

static void push(int fd, size_t bytes)
{
    static const uint8_t block[CHUNK];

    while (bytes > 0) {
        ssize_t n = write(fd, block, bytes < CHUNK ? bytes : CHUNK);

        if (n < 0)
            die("write");
        bytes -= (size_t)n;
    }
}

static size_t drain(int fd)
{
    static uint8_t block[CHUNK];
    size_t bytes = 0;
    ssize_t n;

    while ((n = read(fd, block, sizeof(block))) > 0)
        bytes += (size_t)n;
    if (n < 0)
        die("read");
    return bytes;
}

static void make_pipe(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC) < 0)
        die("pipe");
}

/* MiB/s of bytes into or out of a process. */
static double stream(char *const *argv, bool to, size_t bytes)
{
    double begin = now_ms();
    int fd[2];
    pid_t pid;

    make_pipe(fd);
    pid = start(argv, to ? fd[0] : -1, to ? -1 : fd[1]);
    (void)close(to ? fd[0] : fd[1]);
    if (to) {
        push(fd[1], bytes);
        (void)close(fd[1]);
    } else {
        if (drain(fd[0]) != bytes) {
            (void)fprintf(stderr, "the stream was cut short\n");
            exit(1);
        }
        (void)close(fd[0]);
    }
    await(pid);
    return (double)bytes / 1048576 / ((now_ms() - begin) / 1e3);
}

static int streams(
        char *option, char *target, char *service, size_t mib, bool to)
{
    double took[ROUNDS], raw[ROUNDS];
    char bytes[24], name[64];
    char *call[] = {"qrexec-client-vm", option, target, service, NULL};
    char *const sink[] = {"sh", "-c", "exec cat > /dev/null", NULL};
    char *const source[] = {"head", "-c", bytes, "/dev/zero", NULL};

    skip_option(call, option);
    (void)snprintf(bytes, sizeof(bytes), "%zu", mib << 20);
    for (size_t i = 0; i < ROUNDS; i++) {
        took[i] = stream(call, to, mib << 20);
        raw[i] = stream(to ? sink : source, to, mib << 20);
    }
    (void)snprintf(name, sizeof(name),
            "%s stream %s a service (beside: a pipe)",
            option ? "Qubes:" : "local", to ? "to" : "from");
    report(name, "MiB/s", median(took, ROUNDS), median(raw, ROUNDS));
    return 0;
}

int main(int argc, char **argv)
{
    char *option = argc == 6 ? argv[5] : NULL;
    const char *mode = argc >= 5 ? argv[1] : "";
    uint64_t n = 0;

    (void)signal(SIGPIPE, SIG_DFL);
    if ((argc == 5 || argc == 6) && text_parse_u64(span_str(argv[4]), &n) &&
            n > 0 && n <= RUNS_MAX) {
        if (strcmp(mode, "empty") == 0 || strcmp(mode, "loop") == 0)
            return empty(option, argv[2], argv[3], (size_t)n, *mode == 'l');
        if (strcmp(mode, "to") == 0 || strcmp(mode, "from") == 0)
            return streams(option, argv[2], argv[3], (size_t)n, *mode == 't');
    }
    (void)fprintf(stderr, "usage: bench-call empty|loop|to|from TARGET SERVICE "
                          "NUMBER [OPTION]\n");
    return 2;
}
