/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-policy-daemon as its clients see it: connect, ask, read to the end.
 * Starts the daemon that stands beside this program, with a stand-in for
 * qubesd.  A JSON object a line: name, value, unit, reference, ratio.  The
 * reference of a decision is the same exchange with a bare server that reads
 * and answers a constant; of a reload, reading the same file; of the longest
 * gap, the longest of as many answers with no reload.
 */
#include "buf.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUBES   50
#define ROUNDS  4000
#define RELOADS 15

static char dir[64];
static pid_t daemon_pid, bare_pid;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int remove_one(
        const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void end(void)
{
    if (daemon_pid > 0)
        (void)kill(daemon_pid, SIGTERM);
    if (bare_pid > 0)
        (void)kill(bare_pid, SIGTERM);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void print(
        const char *name, const char *unit, double value, double reference)
{
    (void)printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\","
                 "\"reference\":%.3f,\"ratio\":%.3f}\n",
            name, value, unit, reference, value / reference);
    (void)fflush(stdout);
}

/* ---- sockets ------------------------------------------------------------ */

static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", dir, name);
    return sun;
}

static int listen_at(const char *name)
{
    struct sockaddr_un sun = address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
            listen(fd, 128) < 0)
        die(name);
    return fd;
}

/* One exchange; the answer's first bytes are in ret. */
static void exchange(const char *name, const char *request, size_t len,
        char *ret, size_t cap)
{
    struct sockaddr_un sun = address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t got = 0;
    ssize_t n;

    if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
            write(fd, request, len) != (ssize_t)len)
        die(name);
    while (got < cap - 1 && (n = read(fd, ret + got, cap - 1 - got)) > 0)
        got += (size_t)n;
    ret[got] = '\0';
    (void)close(fd);
}

/* ---- stand-ins ---------------------------------------------------------- */

static struct buf info_text = {.cap = 1u << 20};

static void write_info(void)
{
    buf_append(&info_text, SPAN("0", 2));
    buf_append_str(&info_text, "{\"domains\":{");
    for (unsigned i = 0; i < QUBES; i++)
        buf_printf(&info_text,
                "%s\"qube%u\":{\"type\":\"AppVM\",\"tags\":[\"created-by-"
                "dom0\","
                "\"guivm-dom0\",\"t%u\"],\"internal\":null,\"uuid\":"
                "\"00000000-0000-0000-0000-%012u\",\"template_for_dispvms\":"
                "false,\"default_dispvm\":null,\"icon\":\"appvm-red\","
                "\"guivm\":null,\"relayvm\":null,\"transport_rpc\":null,"
                "\"power_state\":\"Running\"}",
                i ? "," : "", i, i % 7, i + 1);
    buf_append_str(&info_text, "}}");
    if (buf_ok(&info_text, NULL) < 0)
        die("info");
}

/* Answers GetSystemInfo, and holds the subscription to events open. */
static void *qubesd(void *ctx)
{
    int fd = *(const int *)ctx;

    for (;;) {
        int peer = accept(fd, NULL, NULL);
        char head[256];

        if (peer < 0)
            die("accept");
        while (read(peer, head, sizeof(head)) > 0)
            ;
        (void)!write(peer, info_text.ptr, info_text.len);
        (void)close(peer);
    }
    return NULL;
}

static void *events(void *ctx)
{
    static const char hello[] = "1\0\0connection-established\0";
    int fd = *(const int *)ctx;

    for (;;) {
        int peer = accept(fd, NULL, NULL);

        if (peer < 0)
            die("accept");
        (void)!write(peer, hello, sizeof(hello));
        /* Open for good. */
    }
    return NULL;
}

/* The least that can be done for a request. */
static void serve_bare(void)
{
    static const char answer[] = "result=deny\n";
    int fd = listen_at("bare.sock");

    bare_pid = fork();
    if (bare_pid < 0)
        die("fork");
    if (bare_pid > 0)
        return;
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        char head[4096];

        if (read(peer, head, sizeof(head)) > 0)
            (void)!write(peer, answer, sizeof(answer) - 1);
        (void)close(peer);
    }
}

static void start_daemon(const char *program)
{
    char arg[8][160] = {""};
    static const char *const options[] = {"policy-path", "socket-path",
            "eval-socket-path", "gui-socket-path", "compat-path",
            "qubesd-socket", "qubesd-internal-socket"};
    static const char *const values[] = {"policy.d", "policy.sock", "eval.sock",
            "gui.sock", "compat", "qubesd.sock", "qubesd.internal.sock"};
    char *argv[10] = {arg[7]};

    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        (void)snprintf(arg[i], sizeof(arg[i]), "--%s=%s/%s", options[i], dir,
                values[i]);
        argv[i + 1] = arg[i];
    }
    (void)snprintf(arg[7], sizeof(arg[7]), "--stderr");
    argv[8] = arg[7];
    daemon_pid = fork();
    if (daemon_pid < 0)
        die("fork");
    if (daemon_pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        (void)dup2(null, STDERR_FILENO);
        (void)execv(program, argv);
        _exit(127);
    }
}

/* ---- rules -------------------------------------------------------------- */

/* The last of n rules decides. */
static void write_rules(unsigned n, const char *action)
{
    struct buf b = BUF_INIT(LIMIT_CONF_FILE_MAX);
    char path[160];
    int fd;

    for (unsigned i = 1; i < n; i++)
        buf_printf(&b, "svc.S%u +a%u qube%u @tag:t%u allow user=user\n", i % 40,
                i % 25, i % 50, i % 7);
    buf_printf(&b, "* * @anyvm @anyvm %s\n", action);
    (void)snprintf(path, sizeof(path), "%s/policy.d", dir);
    fd = open(path, O_DIRECTORY | O_CLOEXEC);
    if (buf_ok(&b, NULL) < 0 || fd < 0 ||
            buf_store(buf_span(&b), fd, "50-bench.policy", 0644, NULL) < 0)
        die(path);
    (void)close(fd);
    buf_fini(&b);
}

static const char request[] = "source=qube1\nintended_target=qube2\n"
                              "service_and_arg=svc.None+a1\n\n";

static bool is_allowed(void)
{
    char answer[4096];

    exchange("policy.sock", request, sizeof(request) - 1, answer,
            sizeof(answer));
    return strstr(answer, "result=allow") != NULL;
}

static void await(bool allowed)
{
    while (is_allowed() != allowed)
        ;
}

/* Median and longest, in microseconds. */
static void measure(const char *name, double *ret_median, double *ret_max)
{
    static uint64_t took[ROUNDS];
    char answer[4096];

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns();

        exchange(name, request, sizeof(request) - 1, answer, sizeof(answer));
        took[i] = now_ns() - start;
    }
    qsort(took, ROUNDS, sizeof(took[0]), cmp_u64);
    *ret_median = (double)took[ROUNDS / 2] / 1000;
    *ret_max = (double)took[ROUNDS - 1] / 1000;
}

static void decisions(unsigned n)
{
    double value, reference, max, unused;
    char name[64];

    write_rules(n, "deny");
    await(false);
    write_rules(n, "allow");
    await(true);
    measure("policy.sock", &value, &max);
    measure("bare.sock", &reference, &unused);
    (void)snprintf(name, sizeof(name), "policy-socket-%u", n);
    print(name, "us", value, reference);
}

/* Reading the file, as a floor of any reload. */
static double read_file_us(void)
{
    struct buf b = BUF_INIT(LIMIT_CONF_FILE_MAX);
    uint64_t start = now_ns(), took;
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/policy.d/50-bench.policy", dir);
    if (buf_load(&b, AT_FDCWD, path, NULL) < 0)
        die(path);
    took = now_ns() - start;
    buf_fini(&b);
    return (double)took / 1000;
}

/* From the file's change to the first answer by it; and the longest answer. */
static void reload_once(unsigned i, uint64_t *ret_took, uint64_t *ret_gap)
{
    bool allowed = i % 2, now = !allowed;
    uint64_t start, gap = 0;

    write_rules(10000, allowed ? "allow" : "deny");
    start = now_ns();
    while (now != allowed) {
        uint64_t asked = now_ns();

        now = is_allowed();
        if (now_ns() - asked > gap)
            gap = now_ns() - asked;
    }
    *ret_took = now_ns() - start;
    *ret_gap = gap;
}

static void reloads(void)
{
    uint64_t took[RELOADS], gap[RELOADS];
    double unused, quiet;

    write_rules(10000, "allow");
    await(true);
    for (unsigned i = 0; i < RELOADS; i++)
        reload_once(i, &took[i], &gap[i]);
    qsort(took, RELOADS, sizeof(took[0]), cmp_u64);
    qsort(gap, RELOADS, sizeof(gap[0]), cmp_u64);
    measure("policy.sock", &unused, &quiet);
    print("policy-reload-10000", "us", (double)took[RELOADS / 2] / 1000,
            read_file_us());
    print("policy-reload-longest-answer", "us", (double)gap[RELOADS / 2] / 1000,
            quiet);
}

static void make_dir(const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (mkdir(path, 0755) < 0)
        die(path);
}

int main(int argc, char **argv)
{
    static int internal, admin;
    char program[4096];
    pthread_t threads[2];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 32);

    (void)argc;
    (void)argv;
    /* Above the folder there should be few names: each is looked at when the
     * folder above is watched, and /tmp of a build machine has thousands. */
    (void)snprintf(dir, sizeof(dir), "%s/qair-bench-policy-XXXXXX",
            access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (n < 0 || !mkdtemp(dir))
        die("start");
    (void)atexit(end);
    program[n] = '\0';
    (void)snprintf(strrchr(program, '/'), 32, "/qrexec-policy-daemon");
    make_dir("policy.d");
    make_dir("compat");
    write_info();
    write_rules(100, "allow");
    internal = listen_at("qubesd.internal.sock");
    admin = listen_at("qubesd.sock");
    serve_bare();
    if (pthread_create(&threads[0], NULL, qubesd, &internal) != 0 ||
            pthread_create(&threads[1], NULL, events, &admin) != 0)
        die("thread");
    start_daemon(program);
    for (unsigned i = 0; i < 1000; i++) {
        struct sockaddr_un sun = address("policy.sock");

        if (access(sun.sun_path, F_OK) == 0)
            break;
        (void)usleep(10000);
    }
    decisions(100);
    decisions(10000);
    reloads();
    exit(0);
}
