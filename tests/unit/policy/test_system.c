/* SPDX-License-Identifier: Apache-2.0 */
/* The table of qubes: what may not stand in it. */
#include "help.h"

#include <stdio.h>

struct table {
    const char *what;
    struct policy_qube qubes[3];
    size_t n;
    int result;
};

static const struct span some_tags[POLICY_TAGS_MAX + 1];
static const char long_name[65] =
        "0123456789012345678901234567890123456789012345678901234567890123";

static const struct table tables[] = {
        {"no qube at all", {{.internal = false}}, 0, 0},
        {"plain", {{.name = STR("a")}, {.name = STR("A.b_c-1")}}, 2, 0},
        {"empty name", {{.name = STR("")}}, 1, ERR_SYNTAX},
        {"name that is a keyword", {{.name = STR("@anyvm")}}, 1, ERR_SYNTAX},
        {"name that is a pattern", {{.name = STR("*")}}, 1, ERR_SYNTAX},
        {"name that is a uuid", {{.name = STR("uuid:1")}}, 1, ERR_SYNTAX},
        {"name with a slash", {{.name = STR("a/b")}}, 1, ERR_SYNTAX},
        {"name with a newline", {{.name = STR("a\nb")}}, 1, ERR_SYNTAX},
        {"name with NUL", {{.name = STR("a\0b")}}, 1, ERR_SYNTAX},
        {"name too long", {{.name = {(const uint8_t *)long_name, 64}}}, 1,
                ERR_SYNTAX},
        {"name just fits", {{.name = {(const uint8_t *)long_name, 63}}}, 1, 0},
        {"one name twice", {{.name = STR("a")}, {.name = STR("a")}}, 2,
                ERR_EXISTS},
        {"one uuid twice",
                {{.name = STR("a"), .uuid = STR("1")},
                        {.name = STR("b"), .uuid = STR("1")}},
                2, ERR_EXISTS},
        {"no uuid twice", {{.name = STR("a")}, {.name = STR("b")}}, 2, 0},
        {"a second AdminVM", {{.name = STR("a"), .type = STR("AdminVM")}}, 1,
                ERR_SYNTAX},
        {"dom0's uuid",
                {{.name = STR("a"),
                        .uuid = STR("00000000-0000-0000-0000-000000000000")}},
                1, ERR_SYNTAX},
        {"most tags",
                {{.name = STR("a"),
                        .tags = some_tags,
                        .n_tags = POLICY_TAGS_MAX}},
                1, 0},
        {"too many tags",
                {{.name = STR("a"),
                        .tags = some_tags,
                        .n_tags = POLICY_TAGS_MAX + 1}},
                1, ERR_LIMIT},
};

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        struct policy_system *s = NULL;
        struct err err = {.code = 0};
        int r = policy_system_new(tables[i].qubes, tables[i].n, &s, &err);

        if (r != tables[i].result)
            fail_msg("%s: %d %s", tables[i].what, r, err.msg);
        assert_int_equal(r == 0, s != NULL);
        policy_system_free(s);
    }
}

static void test_number_is_bounded(void **state)
{
    struct policy_qube *qubes = calloc(LIMIT_QUBES_MAX + 1, sizeof(*qubes));
    char(*names)[16] = calloc(LIMIT_QUBES_MAX + 1, sizeof(*names));
    struct policy_system *s = NULL;
    struct err err;

    (void)state;
    assert_non_null(qubes);
    assert_non_null(names);
    for (size_t i = 0; i <= LIMIT_QUBES_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "q%zu", i);
        qubes[i].name = span_str(names[i]);
    }
    assert_int_equal(
            policy_system_new(qubes, LIMIT_QUBES_MAX + 1, &s, &err), ERR_LIMIT);
    assert_int_equal(policy_system_new(qubes, LIMIT_QUBES_MAX, &s, &err), 0);
    for (size_t i = 0; i < LIMIT_QUBES_MAX; i++)
        assert_non_null(policy_system_find(s, span_str(names[i])));
    policy_system_free(s);
    free(qubes);
    free(names);
}

static void test_find(void **state)
{
    const struct policy_qube qubes[] = {
            {.name = STR("a"), .uuid = STR("11")}, {.name = STR("b")}};
    struct policy_system *s = NULL;
    struct err err;

    (void)state;
    assert_int_equal(policy_system_new(qubes, 2, &s, &err), 0);
    assert_non_null(policy_system_find(s, span_str("a")));
    assert_ptr_equal(policy_system_find(s, span_str("uuid:11")),
            policy_system_find(s, span_str("a")));
    assert_ptr_equal(policy_system_find(s, span_str("dom0")),
            policy_system_find(s, span_str("@adminvm")));
    assert_non_null(policy_system_find(s, span_str("dom0")));
    assert_null(policy_system_find(s, span_str("")));
    assert_null(policy_system_find(s, span_str("uuid:")));
    assert_null(policy_system_find(s, span_str("uuid:12")));
    assert_null(policy_system_find(s, span_str("@anyvm")));
    assert_null(policy_system_find(s, span_str("@default")));
    assert_null(policy_system_find(s, span_str("@dispvm:a")));
    assert_null(policy_system_find(s, span_str("c")));
    policy_system_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_tables),
            cmocka_unit_test(test_number_is_bounded),
            cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
