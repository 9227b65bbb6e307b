/* SPDX-License-Identifier: Apache-2.0 */
#include "policyline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALLOW                                                                  \
    "user=DEFAULT\nresult=allow\ntarget=vault\ntarget_uuid=uuid:1-2\n"         \
    "autostart=True\nrequested_target=@default\n"

static void both_daemons_answers_are_read(void **state)
{
    struct policyline_response r;
    struct err err;

    (void)state;
    assert_int_equal(policyline_response_parse(span_str(ALLOW "service=t.Rpc+f"
                                                              "\npolicy_source="
                                                              "far"),
                             false, &r, &err),
            0);
    assert_true(r.allow && r.has_target && r.autostart);
    assert_true(span_eq_str(r.user, "DEFAULT"));
    assert_true(span_eq_str(r.target, "vault"));
    assert_true(span_eq_str(r.target_uuid, "uuid:1-2"));
    assert_true(span_eq_str(r.requested_target, "@default"));
    assert_true(span_eq_str(r.service, "t.Rpc+f"));
    assert_true(span_eq_str(r.policy_source, "far"));

    /* A daemon of tomorrow may say more. */
    assert_int_equal(policyline_response_parse(
                             span_str(ALLOW "tomorrow=x\n"), false, &r, &err),
            0);
    assert_int_equal(r.service.len, 0);

    assert_int_equal(policyline_response_parse(
                             span_str("result=deny\n"), false, &r, &err),
            0);
    assert_false(r.allow || r.has_target);
    assert_int_equal(r.reason.len, 0);
    assert_int_equal(
            policyline_response_parse(
                    span_str("result=deny\nreason=denied by 30-user.policy:4"),
                    false, &r, &err),
            0);
    assert_true(span_eq_str(r.reason, "denied by 30-user.policy:4"));
    assert_int_equal(
            policyline_response_parse(span_str("result=allow"), true, &r, &err),
            0);
    assert_true(r.allow && !r.has_target);
}

static void no_half_allow_is_taken(void **state)
{
    static const struct {
        const char *text;
        bool just_evaluate;
        const char *why;
    } rows[] = {
            {"", false, "none"},
            {"\n", false, "no result"},
            {"result=allow\n", false, "no user"},
            {ALLOW, true, "keys of a call's allow"},
            {"result=deny\ntarget=vault\n", false, "keys of a call's allow"},
            {"result=deny\nautostart=True\n", true, "keys of a call's allow"},
            {ALLOW "reason=x\n", false, "has a reason"},
            {ALLOW "result=deny\n", false, "result comes twice"},
            {ALLOW "target=dom0\n", false, "target comes twice"},
            {"result=deny\nresult=deny\n", false, "result comes twice"},
            {"result=Allow\n", false, "not allow or deny"},
            {"result=ask\n", true, "not allow or deny"},
            {"user=u\nresult=allow\ntarget=\nautostart=True\n"
             "requested_target=x\n",
                    false, "no target"},
            {"user=\nresult=allow\ntarget=v\nautostart=True\n"
             "requested_target=x\n",
                    false, "no user"},
            {"user=u\nresult=allow\ntarget=v\nautostart=yes\n"
             "requested_target=x\n",
                    false, "not True or False"},
            {"user=u\nresult=allow\ntarget=v\nrequested_target=x\n", false,
                    "no autostart"},
            {"user=u\nresult=allow\ntarget=v\nautostart=True\n", false,
                    "no requested_target"},
            {"result=deny\r\n", false, "printable"},
            {"reason=x\n", false, "no result"},
            {"result=deny\n\nresult=allow\n", true, "behind the empty line"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policyline_response r = {.user = span_str("untouched")};
        struct err err = {.code = 0};

        assert_int_equal(policyline_response_parse(span_str(rows[i].text),
                                 rows[i].just_evaluate, &r, &err),
                ERR_SYNTAX);
        if (!strstr(err.msg, rows[i].why))
            fail_msg(
                    "row %zu: '%s' does not say '%s'", i, err.msg, rows[i].why);
        assert_true(span_eq_str(r.user, "untouched"));
    }
}

static void a_nul_and_an_endless_response_are_refused(void **state)
{
    static char text[POLICYLINE_RESPONSE_MAX + 1];
    struct policyline_response r;
    struct err err;

    (void)state;
    assert_int_equal(policyline_response_parse(
                             SPAN("result=deny\0\n", 13), false, &r, &err),
            ERR_SYNTAX);
    memset(text, 'x', sizeof(text));
    memcpy(text, ALLOW "service=", sizeof(ALLOW) + 7);
    assert_int_equal(policyline_response_parse(SPAN_OF(text), false, &r, &err),
            ERR_LIMIT);
}

static void what_is_written_is_read_back(void **state)
{
    const struct policyline_response rows[] = {
            {.allow = true,
                    .has_target = true,
                    .user = span_str("root"),
                    .target = span_str("@dispvm:t"),
                    .requested_target = SPAN_EMPTY},
            {.allow = true,
                    .has_target = true,
                    .autostart = true,
                    .user = span_str("DEFAULT"),
                    .target = span_str("relay"),
                    .target_uuid = span_str("uuid:7"),
                    .requested_target = span_str("far"),
                    .service = span_str("t+far+s+"),
                    .policy_source = span_str("near")},
            {.allow = true},
            {.allow = false, .reason = span_str("no rule matches")},
            {.allow = false, .target = span_str("never said")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policyline_response *from = &rows[i];
        bool just = from->allow && !from->has_target;
        struct policyline_response r;
        char text[512], again[512];
        size_t len, len2;
        struct err err;

        assert_int_equal(policyline_response_format(
                                 from, text, sizeof(text), &len, &err),
                0);
        assert_int_equal(
                policyline_response_parse(SPAN(text, len), just, &r, &err), 0);
        assert_int_equal(r.allow, from->allow);
        if (from->has_target) {
            assert_true(span_eq(r.target, from->target));
            assert_true(span_eq(r.service, from->service));
            assert_int_equal(r.autostart, from->autostart);
        }
        if (!from->allow)
            assert_true(span_eq(r.reason, from->reason));
        assert_int_equal(policyline_response_format(
                                 &r, again, sizeof(again), &len2, &err),
                0);
        assert_true(span_eq(SPAN(text, len), SPAN(again, len2)));
        assert_int_equal(
                policyline_response_format(from, text, len - 1, &len, &err),
                ERR_LIMIT);
    }
}

static void an_answer_larger_than_upstream_reads_is_not_written(void **state)
{
    static char service[LIMIT_SERVICE_MAX + 100];
    static char text[2 * POLICYLINE_RESPONSE_MAX];
    const struct policyline_response r = {.allow = true,
            .has_target = true,
            .user = span_str("DEFAULT"),
            .target = span_str("relay"),
            .service = SPAN_OF(service),
            .requested_target = span_str("far")};
    size_t len;
    struct err err;

    (void)state;
    memset(service, 's', sizeof(service));
    assert_int_equal(
            policyline_response_format(&r, text, sizeof(text), &len, &err),
            ERR_LIMIT);
}

static void a_deny_can_always_be_said(void **state)
{
    static char reason[1000];
    static const char *const reasons[] = {"", "a\nresult=allow", "\x80\x01"};
    char text[POLICYLINE_DENY_MAX];
    struct policyline_response r;
    struct err err;
    size_t len;

    (void)state;
    memset(reason, '\n', sizeof(reason) - 1);
    len = policyline_deny(reason, text);
    assert_int_equal(
            policyline_response_parse(SPAN(text, len), false, &r, &err), 0);
    assert_false(r.allow);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        len = policyline_deny(reasons[i], text);
        assert_int_equal(
                policyline_response_parse(SPAN(text, len), false, &r, &err), 0);
        assert_false(r.allow);
    }
}

/* ---- from the engine ---------------------------------------------------- */

static struct policy_system *make_system(void)
{
    const struct policy_qube qubes[] = {
            {.name = span_str("work"),
                    .type = span_str("AppVM"),
                    .uuid = span_str("u-work"),
                    .default_dispvm = span_str("disp")},
            {.name = span_str("disp"),
                    .type = span_str("AppVM"),
                    .uuid = span_str("u-disp"),
                    .template_for_dispvms = true},
            {.name = span_str("relay"),
                    .type = span_str("AppVM"),
                    .uuid = span_str("u-relay")},
            {.name = span_str("far"),
                    .type = span_str("RemoteVM"),
                    .relayvm = span_str("relay"),
                    .transport_rpc = span_str("t.Rpc")},
            {.name = span_str("near"),
                    .type = span_str("RemoteVM"),
                    .relayvm = span_str("relay"),
                    .transport_rpc = span_str("t.Rpc")},
            {.name = span_str("else"),
                    .type = span_str("RemoteVM"),
                    .relayvm = span_str("work"),
                    .transport_rpc = span_str("t.Rpc")},
            {.name = span_str("zoned"),
                    .type = span_str("RemoteVM"),
                    .zone = span_str("server"),
                    .remote_name = span_str("x")},
            {.name = span_str("lost"),
                    .type = span_str("RemoteVM"),
                    .relayvm = span_str("gone"),
                    .transport_rpc = span_str("t.Rpc")},
    };
    struct policy_system *s = NULL;
    struct err err;

    assert_int_equal(policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err), 0);
    return s;
}

static void calls_are_said_as_they_were_decided(void **state)
{
    const char rules[] = "r.Far * * @default allow target=far\n"
                         "r.Dom0 * * @default allow target=dom0\n"
                         "r.User * * @anyvm allow user=root\n"
                         "* * * @anyvm allow\n";
    static const struct {
        const char *source, *relayed, *target, *service;
        const char *answer; /* NULL: refused, why is said */
        const char *why;
    } rows[] = {
            {"work", "", "disp", "s.A+x",
                    "user=DEFAULT\nresult=allow\ntarget=disp\n"
                    "target_uuid=uuid:u-disp\nautostart=True\n"
                    "requested_target=disp\n",
                    NULL},
            {"work", "", "@dispvm", "r.User",
                    "user=root\nresult=allow\ntarget=@dispvm:disp\n"
                    "target_uuid=@dispvm:uuid:u-disp\nautostart=True\n"
                    "requested_target=@dispvm\n",
                    NULL},
            /* The relay is told the decided name, not the asked-for one. */
            {"work", "", "", "r.Far+a",
                    "user=DEFAULT\nresult=allow\ntarget=relay\n"
                    "target_uuid=uuid:u-relay\nautostart=True\n"
                    "requested_target=@default\n"
                    "service=t.Rpc+far+r.Far+a\n",
                    NULL},
            {"work", "", "far", "r.User",
                    "user=DEFAULT\nresult=allow\ntarget=relay\n"
                    "target_uuid=uuid:u-relay\nautostart=True\n"
                    "requested_target=far\nservice=t.Rpc+far+r.User+\n",
                    NULL},
            {"relay", "far", "disp", "s.A",
                    "user=DEFAULT\nresult=allow\ntarget=disp\n"
                    "target_uuid=uuid:u-disp\nautostart=True\n"
                    "requested_target=disp\npolicy_source=far\n",
                    NULL},
            {"relay", "far", "", "r.Dom0",
                    "user=DEFAULT\nresult=allow\ntarget=dom0\n"
                    "autostart=True\nrequested_target=@default\n"
                    "policy_source=far\n",
                    NULL},
            {"relay", "far", "near", "s.A", NULL, "behind 'relay'"},
            {"relay", "", "far", "s.A", NULL, "behind 'relay'"},
            {"work", "", "zoned", "s.A", NULL, "of a zone"},
            {"work", "", "lost", "s.A", NULL, "has no relay 'gone'"},
            {"relay", "far", "else", "s.A",
                    "user=DEFAULT\nresult=allow\ntarget=work\n"
                    "target_uuid=uuid:u-work\nautostart=True\n"
                    "requested_target=else\nservice=t.Rpc+else+s.A+\n"
                    "policy_source=far\n",
                    NULL},
            {"work", "far", "disp", "s.A", NULL, "is not the relay"},
    };
    const struct policy_file file = {
            .name = span_str("50-x.policy"), .text = span_str(rules)};
    const struct policy_files files = {.files = &file, .n_files = 1};
    struct policy_system *s = make_system();
    struct policy *p = NULL;
    struct err err = {.code = 0};

    (void)state;
    assert_int_equal(policy_new(&files, &p, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy_request q = {.source = span_str(rows[i].source),
                .requested_source = span_str(rows[i].relayed),
                .target = span_str(rows[i].target),
                .service = span_str(rows[i].service)};
        struct policyline_response r;
        struct policyline_store store;
        struct policy_result result;
        char text[512];
        size_t len;
        int code;

        policy_eval(p, s, &q, &result);
        code = policyline_from_result(&result, s, &store, &r, &err);
        if (!rows[i].answer) {
            assert_int_equal(code, ERR_DENIED);
            if (!strstr(err.msg, rows[i].why))
                fail_msg("row %zu: %s", i, err.msg);
            continue;
        }
        if (code != 0)
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(policyline_response_format(
                                 &r, text, sizeof(text) - 1, &len, &err),
                0);
        text[len] = '\0';
        assert_string_equal(text, rows[i].answer);
    }
    policy_free(p);
    policy_system_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(both_daemons_answers_are_read),
            cmocka_unit_test(no_half_allow_is_taken),
            cmocka_unit_test(a_nul_and_an_endless_response_are_refused),
            cmocka_unit_test(what_is_written_is_read_back),
            cmocka_unit_test(
                    an_answer_larger_than_upstream_reads_is_not_written),
            cmocka_unit_test(a_deny_can_always_be_said),
            cmocka_unit_test(calls_are_said_as_they_were_decided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
