/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ports.h"

#define OWN   42
#define FIRST LINK_DATA_PORT_FIRST
#define PAIR  (PORTS_COUNT / 2) /* ports of one side of a pair */

static struct ports ports;
static int owner; /* only its address counts */

static int fresh(void **state)
{
    (void)state;
    ports_init(&ports, OWN);
    return 0;
}

static uint32_t take(uint32_t domain, uint64_t now)
{
    uint32_t port = 0;

    assert_int_equal(ports_take(&ports, domain, now, &owner, &port), 0);
    return port;
}

static bool put(uint32_t domain, uint32_t port, uint64_t now)
{
    void *told = NULL;

    return ports_put(&ports, domain, port, now, &told);
}

static void test_the_daemons_of_a_pair_never_choose_the_same(void **state)
{
    static struct ports theirs;

    (void)state;
    ports_init(&theirs, OWN + 1);
    for (int i = 0; i < PAIR; i++) {
        uint32_t ours = take(OWN + 1, 1);
        uint32_t port;

        assert_int_equal(ports_take(&theirs, OWN, 1, NULL, &port), 0);
        assert_int_equal((ours ^ port) & 1, 1);
    }
}

/* What upstream's own tests look for. */
static void test_the_first_free_port_of_the_right_kind(void **state)
{
    (void)state;
    assert_int_equal(take(OWN + 1, 1), FIRST + 1);
    assert_int_equal(take(OWN + 2, 1), FIRST + 3);
    assert_true(put(OWN + 1, FIRST + 1, 1));
    assert_int_equal(take(OWN + 2, 1), FIRST + 1);
    assert_int_equal(take(1, 1), FIRST);
    assert_int_equal(take(0, 1), FIRST + 2);
}

static void test_a_port_just_freed_rests_for_its_peer(void **state)
{
    (void)state;
    assert_int_equal(take(1, 1), FIRST);
    assert_true(put(1, FIRST, 2));
    assert_int_equal(take(1, 3), FIRST + 2);
    assert_int_equal(take(1, 2 + PORTS_REST_MS), FIRST);
}

static void test_when_all_rest_the_one_that_rested_longest(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < PAIR; i++)
        assert_int_equal(take(1, 1), FIRST + 2 * i);
    assert_true(put(1, FIRST + 4, 10));
    assert_true(put(1, FIRST + 2, 20));
    assert_int_equal(take(1, 30), FIRST + 4);
    assert_int_equal(take(1, 30), FIRST + 2);
}

static void test_a_qube_that_holds_all_it_may_keeps_nobody_out(void **state)
{
    uint32_t port = 0;

    (void)state;
    for (int i = 0; i < PAIR; i++)
        (void)take(OWN + 1, 1);
    assert_int_equal(ports_take(&ports, OWN + 1, 1, &owner, &port), ERR_LIMIT);
    assert_int_equal(port, 0);
    for (uint32_t i = 0; i < PAIR; i++)
        assert_int_equal(take(OWN + 2, 1), FIRST + 1 + 2 * i);
    for (int i = 0; i < PORTS_COUNT; i++)
        (void)take(0, 1);
}

static void test_many_qubes_together_end_at_the_limit(void **state)
{
    uint32_t port;
    int n = 0;

    (void)state;
    for (uint32_t peer = 1; peer < OWN; peer++) {
        while (ports_take(&ports, peer, 1, NULL, &port) == 0)
            n++;
    }
    assert_int_equal(n, PORTS_CALLS_MAX);
    assert_true(put(1, FIRST, 2));
    assert_int_equal(take(2000, 2), FIRST + 1);
}

/* Two qubes on one port: each agent's word ends its own call only. */
static void test_an_end_of_another_qubes_call_is_not_believed(void **state)
{
    int first, second;
    void *told = NULL;
    uint32_t port;

    (void)state;
    for (int i = 0; i < PAIR; i++)
        assert_int_equal(ports_take(&ports, 1, 1, &first, &port), 0);
    assert_int_equal(ports_take(&ports, 2, 1, &second, &port), 0);
    assert_int_equal(port, FIRST);
    assert_false(put(3, FIRST, 2));
    assert_false(put(1, FIRST + 1, 2));
    assert_false(put(1, FIRST + PORTS_COUNT, 2));
    assert_false(put(1, 0, 2));
    assert_true(ports_put(&ports, 2, FIRST, 2, &told));
    assert_ptr_equal(told, &second);
    assert_false(put(2, FIRST, 2));
    ports_forget(&ports, &first);
    assert_true(ports_put(&ports, 1, FIRST, 2, &told));
    assert_null(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, fresh)
            T(test_the_daemons_of_a_pair_never_choose_the_same),
            T(test_the_first_free_port_of_the_right_kind),
            T(test_a_port_just_freed_rests_for_its_peer),
            T(test_when_all_rest_the_one_that_rested_longest),
            T(test_a_qube_that_holds_all_it_may_keeps_nobody_out),
            T(test_many_qubes_together_end_at_the_limit),
            T(test_an_end_of_another_qubes_call_is_not_believed),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
