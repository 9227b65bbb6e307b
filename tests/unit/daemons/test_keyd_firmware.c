/* SPDX-License-Identifier: Apache-2.0 */
/* qair-keyd on a machine whose boot is measured too: args: PROGRAM. */
#include "keyd_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct world w;
static char reason[512];

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
