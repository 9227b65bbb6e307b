/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_burst_then_one_a_second(void **state)
{
    struct rate r = {.used = 0};
    unsigned left_out = 9;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(rate_take(&r, 100, 5, &left_out));
        assert_int_equal(left_out, 0);
    }
    for (unsigned i = 0; i < 7; i++)
        assert_false(rate_take(&r, 100, 5, &left_out));
    assert_true(rate_take(&r, 101, 5, &left_out));
    assert_int_equal(left_out, 7);
    assert_false(rate_take(&r, 101, 5, &left_out));
    assert_true(rate_take(&r, 1000, 5, &left_out));
    assert_int_equal(left_out, 1);
}

static void test_clock_that_runs_back_gives_nothing(void **state)
{
    struct rate r = {.used = 0};
    unsigned left_out;

    (void)state;
    assert_true(rate_take(&r, 100, 1, &left_out));
    assert_false(rate_take(&r, 50, 1, &left_out));
    assert_false(rate_take(&r, 100, 1, &left_out));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_burst_then_one_a_second),
            cmocka_unit_test(test_clock_that_runs_back_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
