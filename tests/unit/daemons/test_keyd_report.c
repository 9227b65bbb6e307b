/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-keyd in a confidential guest: args: PROGRAM.  The kernel is a process
 * here that serves FIFOs by the names of configfs-tsm, in step with each open
 * and close.
 */
#include "keyd_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(x)   assert_int_equal((x), 0)
#define REPORT  1184
#define DATA_AT 0x50

static struct world w;
static char dir[64];
static pid_t kernel;

/* What this kernel does wrong. */
static struct {
    const char *provider;
    unsigned busy; /* so many times somebody else writes in between */
    size_t report; /* bytes of a report */
    bool no_certs;
} how;

/* ---- the kernel ------------------------------------------------------ */

static void give(const char *name, const void *bytes, size_t len)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        _exit(1);
    (void)close(fd);
    /* keyd sees the end before the file is opened for the next */
    (void)usleep(20000);
}

static void give_count(unsigned n)
{
    char text[16];

    give("generation", text, (size_t)snprintf(text, sizeof(text), "%u\n", n));
}

_Noreturn static void serve(void)
{
    uint8_t report[8192] = {5}, data[64];
    char path[128];
    unsigned n = 3;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(path, sizeof(path), "%s/inblob", dir);
    for (;;) {
        give("provider", how.provider, strlen(how.provider));
        for (unsigned busy = how.busy + 1; busy > 0; busy--) {
            int fd;

            give_count(n);
            fd = open(path, O_RDONLY);
            if (fd < 0 || read(fd, data, sizeof(data)) != sizeof(data) ||
                    read(fd, data, 1) != 0)
                _exit(1);
            (void)close(fd);
            n += busy > 1 ? 2 : 1;
            memcpy(report + DATA_AT, data, sizeof(data));
            give("outblob", report, how.report);
            if (!how.no_certs)
                give("auxblob", "certificates", 12);
            give_count(n);
        }
    }
}

static int setup(void **state)
{
    static const char *const files[] = {
            "provider", "generation", "inblob", "outblob", "auxblob"};
    char path[128];

    (void)state;
    how.provider = "sev_guest\n";
    how.busy = 0;
    how.report = REPORT;
    how.no_certs = false;
    world_init(&w);
    (void)snprintf(dir, sizeof(dir), "%s/tsm", w.dir);
    OK(mkdir(dir, 0700));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        OK(mkfifo(path, 0600));
    }
    w.report = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    (void)close(w.report);
    kill(kernel, SIGKILL);
    (void)waitpid(kernel, NULL, 0);
    return 0;
}

static void boot(void)
{
    kernel = fork();
    assert_true(kernel >= 0);
    if (kernel == 0)
        serve();
    world_start(&w);
}

/* ---- cases ----------------------------------------------------------- */

static char reason[512];

static uint16_t ask(struct evidence *e, struct span *ret_bytes)
{
    struct msg_evidence_get q = {.binder = {9, 8, 7}};
    union {
        struct msg_refused refused;
        struct msg_decision decision;
    } largest;
    struct ipc_fds fds = {.n = 0};
    struct err err;
    uint16_t type;

    driver_put(w.netd, MSG_EVIDENCE_GET, 5, &q, NULL, 0);
    do
        type = driver_get(w.netd, &largest, &fds, NULL);
    while (type == MSG_STATE_FALLEN);
    if (type == MSG_REFUSED)
        text_format_safe(largest.refused.reason, reason, sizeof(reason));
    if (type != MSG_FILE)
        return type;
    OK(ipc_map(fds.fd[0], LIMIT_EVIDENCE_MAX, ret_bytes, &err));
    OK(evidence_parse(*ret_bytes, e, &err));
    ipc_fds_close(&fds);
    return type;
}

static void test_report_is_bound_as_the_quote_is(void **state)
{
    static const uint8_t zero[32];
    struct evidence *e = calloc(1, sizeof(*e));
    struct span bytes, r;

    (void)state;
    boot();
    assert_int_equal(ask(e, &bytes), MSG_FILE);
    r = e->part[EVIDENCE_SNP_REPORT];
    assert_int_equal(r.len, REPORT);
    assert_true(span_eq(SPAN(r.ptr + DATA_AT, 32), e->quote.extra));
    assert_memory_equal(r.ptr + DATA_AT + 32, zero, 32);
    assert_true(span_eq_str(e->part[EVIDENCE_SNP_CERTS], "certificates"));
    ipc_unmap(bytes);
    free(e);
}

/* The report of somebody else's write is not taken for the own one. */
static void test_write_in_between(void **state)
{
    struct evidence *e = calloc(1, sizeof(*e));
    struct span bytes;

    (void)state;
    how.busy = 2;
    boot();
    assert_int_equal(ask(e, &bytes), MSG_FILE);
    assert_int_equal(e->part[EVIDENCE_SNP_REPORT].len, REPORT);
    ipc_unmap(bytes);
    free(e);
}

static void assert_refused(const char *why)
{
    struct evidence *e = calloc(1, sizeof(*e));
    struct span bytes;

    boot();
    assert_int_equal(ask(e, &bytes), MSG_REFUSED);
    assert_non_null(strstr(reason, why));
    free(e);
}

static void test_always_somebody_in_between(void **state)
{
    (void)state;
    how.busy = 4;
    assert_refused("somebody else");
}

static void test_report_of_another_size(void **state)
{
    (void)state;
    how.report = REPORT - 1;
    assert_refused("1183 bytes");
}

static void test_report_that_is_too_long(void **state)
{
    (void)state;
    how.report = 5000;
    assert_refused("outblob is too long");
}

static void test_guest_of_another_kind(void **state)
{
    struct evidence *e = calloc(1, sizeof(*e));
    struct span bytes;

    (void)state;
    how.provider = "tdx_guest\n";
    boot();
    assert_int_equal(ask(e, &bytes), MSG_FILE);
    assert_int_equal(e->part[EVIDENCE_SNP_REPORT].len, 0);
    ipc_unmap(bytes);
    free(e);
}

static void test_guest_of_another_kind_than_its_owner_says(void **state)
{
    (void)state;
    w.pcrs = "14\nguest-report = /sys/kernel/config/tsm/report";
    how.provider = "tdx_guest\n";
    assert_refused("not a guest of AMD");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int group(void)
{
    const struct CMUnitTest tests[] = {
            T(test_report_is_bound_as_the_quote_is),
            T(test_write_in_between),
            T(test_always_somebody_in_between),
            T(test_report_of_another_size),
            T(test_report_that_is_too_long),
            T(test_guest_of_another_kind),
            T(test_guest_of_another_kind_than_its_owner_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    world_program = argv[1];
    return world_run(group);
}
