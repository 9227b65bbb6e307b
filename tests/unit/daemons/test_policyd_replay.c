/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of call ids: nothing is forgotten early, nothing grows. */
#include "replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t *id_of(uint32_t n)
{
    static uint8_t id[REPLAY_ID];

    for (size_t i = 0; i < 4; i++)
        id[i] = (uint8_t)(n >> 8 * i);
    return id;
}

static void test_second_use_is_seen_until_the_deadline(void **state)
{
    struct replay *r = replay_new(8);

    (void)state;
    assert_non_null(r);
    assert_int_equal(replay_add(r, 0, id_of(1), 110, 100), 0);
    assert_int_equal(replay_add(r, 0, id_of(1), 110, 100), ERR_EXISTS);
    assert_int_equal(replay_add(r, 0, id_of(1), 200, 110), ERR_EXISTS);
    assert_int_equal(replay_add(r, 0, id_of(2), 110, 110), 0);
    assert_int_equal(replay_count(r), 2);
    replay_free(r);
}

static void test_full_refuses_and_forgets_nothing(void **state)
{
    struct replay *r = replay_new(100 * REPLAY_SHARES);

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(replay_add(r, 0, id_of(i), 200 + i % 2, 100), 0);
    assert_int_equal(replay_add(r, 0, id_of(100), 200, 100), ERR_LIMIT);
    assert_int_equal(replay_add(r, 0, id_of(100), 200, 200), ERR_LIMIT);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(replay_add(r, 0, id_of(i), 300, 200), ERR_EXISTS);
    /* The half whose deadline was 200 goes at 201, and no more. */
    assert_int_equal(replay_add(r, 0, id_of(100), 300, 201), 0);
    assert_int_equal(replay_count(r), 51);
    for (uint32_t i = 1; i < 100; i += 2)
        assert_int_equal(replay_add(r, 0, id_of(i), 300, 201), ERR_EXISTS);
    for (uint32_t i = 101; i < 150; i++)
        assert_int_equal(replay_add(r, 0, id_of(i), 300, 201), 0);
    assert_int_equal(replay_add(r, 0, id_of(150), 300, 201), ERR_LIMIT);
    replay_free(r);
}

static void test_every_byte_of_an_id_counts(void **state)
{
    struct replay *r = replay_new(REPLAY_SHARES * (REPLAY_ID + 1));
    uint8_t id[REPLAY_ID] = {0};

    (void)state;
    assert_int_equal(replay_add(r, 0, id, 200, 100), 0);
    for (size_t i = 0; i < REPLAY_ID; i++) {
        id[i] ^= 0x80;
        assert_int_equal(replay_add(r, 0, id, 200, 100), 0);
        id[i] ^= 0x80;
    }
    replay_free(r);
}

/* Ids in order are the worst for a tree that does not balance. */
static void test_many_in_order(void **state)
{
    struct replay *r = replay_new(LIMIT_REPLAY_MAX * REPLAY_SHARES);

    (void)state;
    for (uint32_t i = 0; i < LIMIT_REPLAY_MAX; i++)
        assert_int_equal(replay_add(r, 0, id_of(i), 400, 100), 0);
    assert_int_equal(
            replay_add(r, 0, id_of(LIMIT_REPLAY_MAX), 400, 400), ERR_LIMIT);
    assert_int_equal(replay_add(r, 0, id_of(LIMIT_REPLAY_MAX), 500, 401), 0);
    assert_int_equal(replay_count(r), 1);
    replay_free(r);
}

/* One peer's flood leaves room for the others; all of them together do not. */
static void test_a_flood_stays_in_its_share(void **state)
{
    struct replay *r = replay_new(40);
    uint32_t id = 0;

    (void)state;
    for (size_t peer = 0; peer < REPLAY_SHARES; peer++) {
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(replay_add(r, peer, id_of(id++), 200, 100), 0);
        assert_int_equal(replay_add(r, peer, id_of(id), 200, 100), ERR_LIMIT);
    }
    assert_int_equal(replay_add(r, 5, id_of(id), 200, 100), ERR_LIMIT);
    assert_int_equal(replay_add(r, 5, id_of(0), 200, 100), ERR_EXISTS);
    assert_int_equal(replay_add(r, 0, id_of(id), 300, 201), 0);
    assert_int_equal(replay_count(r), 1);
    assert_int_equal(
            replay_add(r, LIMIT_ZONES_MAX, id_of(99), 300, 201), ERR_LIMIT);
    replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_second_use_is_seen_until_the_deadline),
            cmocka_unit_test(test_full_refuses_and_forgets_nothing),
            cmocka_unit_test(test_every_byte_of_an_id_counts),
            cmocka_unit_test(test_many_in_order),
            cmocka_unit_test(test_a_flood_stays_in_its_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
