/* SPDX-License-Identifier: Apache-2.0 */
/* What qair-keyd shows of its machine, and what that binds: args: PROGRAM. */
#include "keyd_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
