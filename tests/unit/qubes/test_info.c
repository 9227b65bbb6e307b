/* SPDX-License-Identifier: Apache-2.0 */
/* What qubesd tells of its qubes. */
#include "info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define QUBE(more) "{\"type\":\"AppVM\",\"tags\":[]" more "}"

static struct info *parse(const char *json)
{
    struct info *i = NULL;
    struct err err = {.code = 0};

    if (info_parse(span_str(json), &i, &err) < 0)
        fail_msg("%s", err.msg);
    return i;
}

static const struct policy_qube *find(const struct info *i, const char *name)
{
    const struct policy_qube *q = policy_system_find(i->system, span_str(name));

    assert_non_null(q);
    return q;
}

static void a_qube_is_read_whole(void **state)
{
    struct info *i = parse(
            "{\"domains\":{\"work\":{\"type\":\"AppVM\",\"uuid\":\"u-1\","
            "\"tags\":[\"a\",\"b\"],\"template_for_dispvms\":true,"
            "\"default_dispvm\":\"dvm\",\"guivm\":\"gui\",\"internal\":null,"
            "\"power_state\":\"Running\",\"icon\":\"appvm-red\","
            "\"tomorrow\":{\"x\":[1]}}}}");
    const struct policy_qube *q = find(i, "work");

    (void)state;
    assert_ptr_equal(q, find(i, "uuid:u-1"));
    assert_true(span_eq_str(q->type, "AppVM"));
    assert_int_equal(q->n_tags, 2);
    assert_true(span_eq_str(q->tags[1], "b"));
    assert_true(span_eq_str(q->default_dispvm, "dvm"));
    assert_true(span_eq_str(q->guivm, "gui"));
    assert_true(q->template_for_dispvms && q->running && !q->internal);
    /* What a zone says of a RemoteVM, qubesd cannot. */
    assert_int_equal(q->zone.len + q->remote_name.len, 0);
    info_free(i);
}

static void a_feature_may_be_text(void **state)
{
    static const struct {
        const char *json;
        bool internal;
    } rows[] = {
            {QUBE(""), false},
            {QUBE(",\"internal\":null"), false},
            {QUBE(",\"internal\":false"), false},
            {QUBE(",\"internal\":\"\""), false},
            {QUBE(",\"internal\":\"1\""), true},
            {QUBE(",\"internal\":true"), true},
    };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        char json[256];
        struct info *i;

        (void)snprintf(
                json, sizeof(json), "{\"domains\":{\"a\":%s}}", rows[k].json);
        i = parse(json);
        assert_int_equal(find(i, "a")->internal, rows[k].internal);
        info_free(i);
    }
}

static void a_remote_is_what_its_relay_is(void **state)
{
    struct info *i = parse(
            "{\"domains\":{"
            "\"far\":{\"type\":\"RemoteVM\",\"tags\":[],\"relayvm\":"
            "\"up\","
            "\"transport_rpc\":\"t\",\"power_state\":\"Running\"},"
            "\"own\":{\"type\":\"RemoteVM\",\"tags\":[],\"relayvm\":"
            "\"down\","
            "\"guivm\":\"mine\",\"power_state\":\"Running\"},"
            "\"lost\":{\"type\":\"RemoteVM\",\"tags\":[],\"relayvm\":"
            "\"gone\","
            "\"power_state\":\"Running\"},"
            "\"up\":" QUBE(",\"guivm\":\"gui\",\"power_state\":"
                           "\"Running\"") ","
                                          "\"down\":" QUBE(",\"guivm\":\"gui\","
                                                           "\"power_state\":"
                                                           "\"Halted\"") "}}");

    (void)state;
    assert_true(find(i, "far")->running);
    assert_true(span_eq_str(find(i, "far")->guivm, "gui"));
    assert_false(find(i, "own")->running);
    assert_true(span_eq_str(find(i, "own")->guivm, "mine"));
    assert_false(find(i, "lost")->running);
    assert_int_equal(find(i, "lost")->guivm.len, 0);
    info_free(i);
}

static void no_state_is_guessed_at(void **state)
{
    static const struct {
        const char *json;
        const char *why;
    } rows[] = {
            {"", "line"},
            {"{\"domains\":{\"a\":" QUBE("") "}", "line"},
            {"[]", "no domains"},
            {"{}", "no domains"},
            {"{\"domains\":[]}", "no domains"},
            {"{\"domains\":{\"a\":[]}}", "qube 'a': not an object"},
            {"{\"domains\":{\"a\":" QUBE("") ",\"a\":" QUBE("") "}}",
                    "duplicate"},
            {"{\"domains\":{\"a\":{\"type\":\"AppVM\"}}}",
                    "tags is not a list"},
            {"{\"domains\":{\"a\":{\"tags\":[1]}}}", "a tag is not a text"},
            {"{\"domains\":{\"a\":" QUBE(",\"guivm\":1") "}}",
                    "guivm is not a text"},
            {"{\"domains\":{\"a b\":" QUBE("") "}}", "is no name of a qube"},
            {"{\"domains\":{\"evil\":{\"type\":\"AdminVM\",\"tags\":[]}}}",
                    "pretends to be dom0"},
            {"{\"domains\":{\"a\":" QUBE(",\"uuid\":\"x\"") ",\"b\":" QUBE(
                     ",\"uuid\":\"x\"") "}}",
                    "uuid is taken"},
            {"{\"domains\":{\"a\":" QUBE(",\"guivm\":\"\\ud800\"") "}}",
                    "line"},
    };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        struct info *i = NULL;
        struct err err = {.code = 0};

        assert_true(info_parse(span_str(rows[k].json), &i, &err) < 0);
        assert_null(i);
        if (!strstr(err.msg, rows[k].why))
            fail_msg("row %zu: %s", k, err.msg);
    }
}

static void icons_are_those_of_qubes_and_their_disposables(void **state)
{
    struct info *i = parse("{\"domains\":{\"dvm\":" QUBE(
            ",\"template_for_dispvms\":true,"
            "\"icon\":\"appvm-green\"") ","
                                        "\"work\":" QUBE(
                                                ",\"icon\":\"appvm-"
                                                "red\"") ","
                                                         "\"bare\""
                                                         ":" QUBE("") "}"
                                                                      "}");
    json_t *icons = info_icons(i);

    (void)state;
    assert_non_null(icons);
    assert_int_equal(json_object_size(icons), 4);
    assert_string_equal(
            json_string_value(json_object_get(icons, "work")), "appvm-red");
    assert_string_equal(
            json_string_value(json_object_get(icons, "@dispvm:dvm")),
            "dispvm-green");
    assert_string_equal(json_string_value(json_object_get(icons, "bare")), "");
    json_decref(icons);
    info_free(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_qube_is_read_whole),
            cmocka_unit_test(a_feature_may_be_text),
            cmocka_unit_test(a_remote_is_what_its_relay_is),
            cmocka_unit_test(no_state_is_guessed_at),
            cmocka_unit_test(icons_are_those_of_qubes_and_their_disposables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
