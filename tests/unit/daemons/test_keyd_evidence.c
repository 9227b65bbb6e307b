/* SPDX-License-Identifier: Apache-2.0 */
/* What qair-keyd shows of its machine, and what that binds: args: PROGRAM. */
#include "keyd_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct world w;
static char reason[512];

#define OK(x)   assert_int_equal((x), 0)
#define SAYS(s) assert_non_null(strstr(reason, (s)))

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    w.pcrs = "0,4,7,10,14";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    return 0;
}

static bool envelope_refused(void)
{
    struct msg_envelope e = {
            .call_id = {7},
            .issued = (uint64_t)time(NULL),
            .deadline = (uint64_t)time(NULL) + 60,
            .source_qube = span_str("work"),
            .zone = span_str("thin"),
            .qube = span_str("signer"),
            .requested = span_str("thin-signer"),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:1"),
            .state = span_str("golden (emulated)"),
            .evidence = {5},
    };

    driver_put(w.calld, MSG_ENVELOPE, 3, &e, NULL, 0);
    return world_refused(w.calld, reason, sizeof reason);
}

/* What netd gets; the caller frees. */
static struct evidence *take(struct span *ret_bytes)
{
    struct msg_evidence_get q = {.binder = {9}};
    struct evidence *e = calloc(1, sizeof *e);
    struct msg_decision largest;
    struct ipc_fds fds;
    struct err err;
    uint16_t type;

    driver_put(w.netd, MSG_EVIDENCE_GET, 5, &q, NULL, 0);
    do
        type = driver_get(w.netd, &largest, &fds, NULL);
    while (type == MSG_STATE_FALLEN);
    assert_int_equal(type, MSG_FILE);
    OK(ipc_map(fds.fd[0], LIMIT_EVIDENCE_MAX, ret_bytes, &err));
    OK(evidence_parse(*ret_bytes, e, &err));
    assert_true(span_eq(e->quote.extra, SPAN_OF(q.binder)));
    ipc_fds_close(&fds);
    return e;
}

/* Evidence is for everybody, or nobody could ever approve. */
static void test_evidence_before_approval(void **state)
{
    struct evidence *e;
    struct span bytes;

    (void)state;
    world_start(&w);
    assert_true(envelope_refused());
    e = take(&bytes);
    assert_int_equal(e->quote.selection.bank[0].pcrs, 0x4491);
    assert_int_equal(e->values.n, 5);
    ipc_unmap(bytes);
    free(e);
}

/* Each log goes with the PCRs that it explains, and the kernel's list is read
 * anew each time. */
static void test_logs_of_the_machine(void **state)
{
    static const struct {
        const char *pcrs;
        bool firmware, running, launch;
    } cases[] = {{"14", false, false, false}, {"10,14", false, true, false},
            {"14,17", false, false, true}, {"0,14", true, false, false},
            {"9,10,14,22", true, true, true}};
    struct evidence *e;
    struct span bytes;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        w.pcrs = cases[i].pcrs;
        w.machine[0] = (struct driver_file){"firmware", span_str("TCG log")};
        w.machine[1] = (struct driver_file){"launch", span_str("DRTM log")};
        w.n_machine = 2;
        w.measured = memfd_create("ima", MFD_CLOEXEC);
        assert_int_equal(write(w.measured, "one,", 4), 4);
        world_start(&w);
        e = take(&bytes);
        assert_true(span_eq_str(e->part[EVIDENCE_FIRMWARE],
                cases[i].firmware ? "TCG log" : ""));
        assert_true(span_eq_str(
                e->part[EVIDENCE_DRTM], cases[i].launch ? "DRTM log" : ""));
        assert_true(span_eq_str(
                e->part[EVIDENCE_IMA], cases[i].running ? "one," : ""));
        ipc_unmap(bytes);
        free(e);
        assert_int_equal(write(w.measured, "two", 3), 3);
        e = take(&bytes);
        assert_true(span_eq_str(
                e->part[EVIDENCE_IMA], cases[i].running ? "one,two" : ""));
        ipc_unmap(bytes);
        free(e);
        world_stop(&w);
        close(w.measured);
    }
}

/* A machine whose loader hands no log over says so by having none. */
static void test_machine_without_logs(void **state)
{
    struct evidence *e;
    struct span bytes;

    (void)state;
    world_start(&w);
    e = take(&bytes);
    for (unsigned k = EVIDENCE_FIRMWARE; k < EVIDENCE_KINDS; k++)
        assert_int_equal(e->part[k].len, 0);
    ipc_unmap(bytes);
    free(e);
}

/* A list that does not fit is no reason to show a part of it. */
static void test_list_that_does_not_fit(void **state)
{
    struct msg_evidence_get q = {.binder = {9}};
    struct msg_decision largest;
    uint16_t type;

    (void)state;
    w.measured = memfd_create("ima", MFD_CLOEXEC);
    OK(ftruncate(w.measured, LIMIT_EVIDENCE_MAX + 1));
    world_start(&w);
    driver_put(w.netd, MSG_EVIDENCE_GET, 5, &q, NULL, 0);
    do
        type = driver_get(w.netd, &largest, NULL, NULL);
    while (type == MSG_STATE_FALLEN);
    assert_int_equal(type, MSG_REFUSED);
    close(w.measured);
}

/* What firmware measured is as good as the zone's own files; what a running
 * kernel goes on with closes nothing. */
static void test_changed_firmware_closes_keys(void **state)
{
    (void)state;
    world_ready(&w);
    assert_false(envelope_refused());
    world_extend_pcr(&w, 9); /* not named */
    assert_false(envelope_refused());
    world_extend_pcr(&w, 10);
    assert_false(envelope_refused());
    world_extend_pcr(&w, 4);
    assert_true(envelope_refused());
    SAYS("keys are closed");
    SAYS("PCR 4 of sha256");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int group(void)
{
    const struct CMUnitTest tests[] = {
            T(test_evidence_before_approval),
            T(test_logs_of_the_machine),
            T(test_machine_without_logs),
            T(test_list_that_does_not_fit),
            T(test_changed_firmware_closes_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    world_program = argv[1];
    return world_run(group);
}
