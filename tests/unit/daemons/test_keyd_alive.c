/* SPDX-License-Identifier: Apache-2.0 */
/* The own state while nobody asks for anything, and who hears of it: args:
 * PROGRAM. */
#include "keyd_world.h"
#include "statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct world w;
static struct err err;
static char reason[512];

#define OK(x)   assert_int_equal((x), 0)
#define SAYS(s) assert_non_null(strstr(reason, (s)))

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    return 0;
}

static struct msg_envelope envelope(void)
{
    return (struct msg_envelope){
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
}

static bool envelope_refused(void)
{
    struct msg_envelope e = envelope();

    driver_put(w.calld, MSG_ENVELOPE, 3, &e, NULL, 0);
    return world_refused(w.calld, reason, sizeof reason);
}

/* The next that calld hears of the own state; at the start it hears twice that
 * it is not approved: from the start itself, and when its link is there. */
static void calld_hears(const char *zone_state)
{
    struct msg_own_state m;
    int n = 0;

    do
        assert_int_equal(driver_get(w.calld, &m, NULL, NULL), MSG_OWN_STATE);
    while (*zone_state != '\0' && m.state.len == 0 && ++n < 3);
    if (!span_eq_str(m.state, zone_state))
        fail_msg("calld heard '%.*s'", (int)m.state.len,
                (const char *)m.state.ptr);
    assert_int_equal(*zone_state != '\0',
            memcmp(m.evidence, (uint8_t[MSG_DIGEST]){0}, MSG_DIGEST) != 0);
}

static void calld_hears_of_each_state(void **state)
{
    (void)state;
    world_ready(&w);
    calld_hears("golden (emulated)");
    world_extend(&w);
    calld_hears(""); /* nobody asked for anything */
    /* a calld that was started again hears it too */
    close(w.calld);
    w.calld = driver_peer(&w.d, MSG_ROLE_CALLD);
    calld_hears("");
}

/* Nobody asks for anything: the owner's word alone is over. */
static void keys_close_when_the_zones_time_ends(void **state)
{
    uint64_t until = (uint64_t)time(NULL) + 6;

    (void)state;
    w.until = until;
    world_ready(&w);
    calld_hears("golden (emulated)");
    assert_false(envelope_refused());
    calld_hears("");
    assert_in_range(time(NULL), until, until + 4);
    assert_true(envelope_refused());
    SAYS("zone not trusted");
}

static void keys_close_when_the_zone_is_revoked(void **state)
{
    (void)state;
    world_ready(&w);
    calld_hears("golden (emulated)");
    w.revoked = true;
    world_enrol(&w);
    world_send_pack(&w);
    calld_hears("");
    assert_true(envelope_refused());
    SAYS("revoked");
}

/* Who calls without saying on which state of the other zone? */
static void an_envelope_rests_on_a_state(void **state)
{
    struct msg_envelope q = envelope();
    CLEANUP(statement_fini) struct statement s = {0};
    struct statement_call c;
    struct msg_blob b;

    (void)state;
    world_ready(&w);
    q.state = SPAN_EMPTY;
    driver_put(w.calld, MSG_ENVELOPE, 3, &q, NULL, 0);
    assert_true(world_refused(w.calld, reason, sizeof reason));
    SAYS("appraisal");
    q = envelope();
    memset(q.evidence, 0, sizeof q.evidence);
    driver_put(w.calld, MSG_ENVELOPE, 3, &q, NULL, 0);
    assert_true(world_refused(w.calld, reason, sizeof reason));
    SAYS("appraisal");
    q = envelope();
    driver_put(w.calld, MSG_ENVELOPE, 3, &q, NULL, 0);
    assert_int_equal(driver_answer(w.calld, &b, NULL, NULL), MSG_BLOB);
    OK(statement_open(b.bytes, w.identity, &s, &err));
    OK(statement_call_parse(&s, &c, &err));
    assert_true(span_eq_str(c.appraisal.zone, "thin"));
    assert_true(span_eq_str(c.appraisal.state, "golden (emulated)"));
    assert_int_equal(c.appraisal.evidence[0], 5);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int group(void)
{
    const struct CMUnitTest tests[] = {
            T(calld_hears_of_each_state),
            T(keys_close_when_the_zones_time_ends),
            T(keys_close_when_the_zone_is_revoked),
            T(an_envelope_rests_on_a_state),
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
