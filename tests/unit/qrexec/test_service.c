/* SPDX-License-Identifier: Apache-2.0 */
#include "qrexec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- requests of a qube ---------------------------------------------- */

static void requests_are_cleaned_as_upstream_does(void **state)
{
    static const struct {
        const char *target;
        const char *service;
        size_t service_len;
        const char *ident;
        int code;
        const char *clean_target;
        const char *clean_service;
    } rows[] = {
            {"vault", "a.B", 3, "SOCKET1", 0, "vault", "a.B+"},
            {"@dispvm:x", "a+b+c", 5, "", 0, "@dispvm:x", "a+b+c"},
            {"", "a+", 2, "a Z_9.-", 0, "", "a+"},
            {"v$t/../x", "a/../b+\x7f\n", 9, "", 0, "v_t_.._x", "a_.._b+__"},
            {"a+b", "x", 1, "", 0, "a_b", "x+"},
            {"v", "x+a@b:c", 7, "", 0, "v", "x+a_b_c"},
            {"x", "", 0, "", ERR_SYNTAX, NULL, NULL},
            {"x", "+arg", 4, "", ERR_SYNTAX, NULL, NULL},
            {"x", "a\0b", 3, "", ERR_SYNTAX, NULL, NULL},
            {"x", "a", 1, "SOCKET/1", ERR_SYNTAX, NULL, NULL},
            {"x", "a", 1, "\x80", ERR_SYNTAX, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct qrexec_msg m = {.target = span_str(rows[i].target),
                .ident = span_str(rows[i].ident),
                .service = SPAN(rows[i].service, rows[i].service_len)};
        struct qrexec_request r;
        struct err err;

        assert_int_equal(qrexec_request_check(&m, &r, &err), rows[i].code);
        if (rows[i].code)
            continue;
        assert_string_equal(r.target, rows[i].clean_target);
        assert_string_equal(r.service, rows[i].clean_service);
        assert_string_equal(r.ident, rows[i].ident);
    }
}

static void request_lengths(void **state)
{
    static char text[70000];
    static const struct {
        size_t name;
        size_t all;
        int code;
    } rows[] = {
            {255, 255, 0},
            {256, 256, ERR_LIMIT},
            {10, LIMIT_SERVICE_MAX, 0},
            {10, LIMIT_SERVICE_MAX + 1, ERR_LIMIT},
            {10, 65000, ERR_LIMIT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct qrexec_msg m = {.service = SPAN(text, rows[i].all)};
        struct qrexec_request r;
        struct err err;

        memset(text, 'a', sizeof(text));
        text[rows[i].name] = '+';
        assert_int_equal(qrexec_request_check(&m, &r, &err), rows[i].code);
        assert_int_equal(qrexec_is_service(m.service), rows[i].code == 0);
    }
}

/* ---- lookup ---------------------------------------------------------- */

struct world {
    const char *paths[4];
    enum qrexec_found found[4];
    char asked[2048];
};

static enum qrexec_found probe(void *ctx, const char *path)
{
    struct world *w = ctx;
    size_t n = strlen(w->asked);

    (void)snprintf(w->asked + n, sizeof(w->asked) - n, "%s ", path);
    for (size_t i = 0; i < ARRAY_LEN(w->paths); i++) {
        if (w->paths[i] && strcmp(w->paths[i], path) == 0)
            return w->found[i];
    }
    return QREXEC_FOUND_NONE;
}

static void services_are_found_as_upstream_does(void **state)
{
    static const struct {
        const char *service;
        struct world w;
        int code;
        const char *path; /* found, or what was asked when not */
    } rows[] = {
            {"s+a", {{"/b/s+a"}, {QREXEC_FOUND_EXEC}, ""}, 0, "/b/s+a"},
            /* the argument's file in a later folder before the plain one */
            {"s+a",
                    {{"/a/s", "/b/s+a"}, {QREXEC_FOUND_EXEC, QREXEC_FOUND_EXEC},
                            ""},
                    0, "/b/s+a"},
            {"s+a", {{"/b/s"}, {QREXEC_FOUND_SOCKET}, ""}, 0, "/b/s"},
            {"s+", {{"/a/s"}, {QREXEC_FOUND_FILE}, ""}, 0, "/a/s"},
            {"s", {{"/a/s"}, {QREXEC_FOUND_EXEC}, ""}, 0, "/a/s"},
            {"s",
                    {{"/b/s+", "/a/s"}, {QREXEC_FOUND_EXEC, QREXEC_FOUND_EXEC},
                            ""},
                    0, "/b/s+"},
            {"s", {{NULL}, {0}, ""}, ERR_NOT_FOUND, "/a/s+ /b/s+ /a/s /b/s "},
            {"s+a", {{NULL}, {0}, ""}, ERR_NOT_FOUND,
                    "/a/s+a /b/s+a /a/s /b/s "},
            {"s+a", {{"/a/s+a"}, {QREXEC_FOUND_ERROR}, ""}, ERR_IO, "/a/s+a "},
            {"../etc/x+", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
            {"..", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
            {".+x", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
            {"s+/x", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
            {"s x", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
            {"", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
            {"+x", {{NULL}, {0}, ""}, ERR_NOT_FOUND, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w = rows[i].w;
        char path[QREXEC_PATH_MAX] = "";
        enum qrexec_found found = QREXEC_FOUND_NONE;
        struct err err;

        assert_int_equal(qrexec_lookup(span_str(rows[i].service), "/a::/b",
                                 probe, &w, path, &found, &err),
                rows[i].code);
        if (rows[i].code == 0)
            assert_string_equal(path, rows[i].path);
        else
            assert_string_equal(w.asked, rows[i].path);
    }
}

static void over_long_names_are_skipped(void **state)
{
    char service[400];
    char path[QREXEC_PATH_MAX];
    struct world w = {0};
    enum qrexec_found found;
    struct err err;

    (void)state;
    memset(service, 'a', sizeof(service));
    service[100] = '+';
    service[399] = '\0';
    assert_int_equal(qrexec_lookup(span_str(service), "/a", probe, &w, path,
                             &found, &err),
            ERR_NOT_FOUND);
    assert_int_equal(strlen(w.asked), 3 + 100 + 1); /* the plain name only */
}

/* ---- configuration --------------------------------------------------- */

static void configurations(void **state)
{
    static const struct {
        const char *text;
        int code;
        struct qrexec_config c;
    } rows[] = {
            {"", 0, {0}},
            {"# comment\n\n  \n", 0, {0}},
            {"wait-for-session = 1\n", 0, {.wait_for_session = true}},
            {"wait-for-session=true", 0, {.wait_for_session = true}},
            {"wait-for-session = 0", 0, {0}},
            {"force-user = 'root'", 0, {.force_user = "root"}},
            {"exit-on-client-eof = true\nexit-on-service-eof = 1\n"
             "skip-service-descriptor = true",
                    0,
                    {.exit_on_client_eof = true,
                            .exit_on_service_eof = true,
                            .skip_service_descriptor = true}},
            {"future = 'x'\nother = 1", 0, {.unknown = 2}},
            {"wait-for-session = 1 # comment", 0, {.wait_for_session = true}},
            {"wait-for-session = 1#", 0, {.wait_for_session = true}},
            {"force-user = 'root' # 'a'", 0, {.force_user = "root"}},
            {"force-user = 'ro#t'", 0, {.force_user = "ro#t"}},
            {"wait-for-session = # 1", ERR_SYNTAX, {0}},
            {"force-user = 'root # '", ERR_SYNTAX, {0}},
            {"force-user = 'root' 'x' #", ERR_SYNTAX, {0}},
            /* what fails the call */
            {"wait-for-session", ERR_SYNTAX, {0}},
            {"wait-for-session = yes", ERR_SYNTAX, {0}},
            {"wait-for-session = 2", ERR_SYNTAX, {0}},
            {"wait-for-session = 'true'", ERR_SYNTAX, {0}},
            {"wait-for-session = 1\nwait-for-session = 1", ERR_SYNTAX, {0}},
            {"force-user = root", ERR_SYNTAX, {0}},
            {"force-user = \"root\"", ERR_SYNTAX, {0}},
            {"force-user = ''", ERR_SYNTAX, {0}},
            {"force-user = 'a'b'", ERR_SYNTAX, {0}},
            {"force-user = 'a b'", ERR_SYNTAX, {0}},
            {"force-user = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", ERR_SYNTAX,
                    {0}},
            {"force-user = true", ERR_SYNTAX, {0}},
            {"force-user = 'a'\nexit-on-client-eof = 0", ERR_SYNTAX, {0}},
            {"force-user = 'a'\nskip-service-descriptor = 1", ERR_SYNTAX, {0}},
            {"[section]", ERR_SYNTAX, {0}},
            {"= 1", ERR_SYNTAX, {0}},
            {"a.b = 1", ERR_SYNTAX, {0}},
            {"future = x", ERR_SYNTAX, {0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct qrexec_config c = {0};
        struct err err;

        assert_int_equal(qrexec_config_parse(span_str(rows[i].text), &c, &err),
                rows[i].code);
        assert_int_equal(c.wait_for_session, rows[i].c.wait_for_session);
        assert_int_equal(c.exit_on_client_eof, rows[i].c.exit_on_client_eof);
        assert_int_equal(c.exit_on_service_eof, rows[i].c.exit_on_service_eof);
        assert_int_equal(
                c.skip_service_descriptor, rows[i].c.skip_service_descriptor);
        assert_int_equal(c.unknown, rows[i].c.unknown);
        assert_string_equal(c.force_user, rows[i].c.force_user);
    }
}

/* ---- commands -------------------------------------------------------- */

static void commands(void **state)
{
    static const struct {
        const char *text;
        int code;
        bool is_service;
        const char *name;
        const char *arg;
        const char *source;
        const char *target;
    } rows[] = {
            {"DEFAULT:QUBESRPC a.B+c work", 0, true, "a.B", "c", "work", ""},
            {"u:QUBESRPC a+ w", 0, true, "a", "", "w", ""},
            {"u:QUBESRPC a w name x", 0, true, "a", "", "w", "x"},
            {"u:QUBESRPC a w keyword adminvm", 0, true, "a", "", "w",
                    "adminvm"},
            {"u:nogui:QUBESRPC a+b w", 0, true, "a", "b", "w", ""},
            {"u:nogui:ls", 0, false, "", "", "", ""},
            {"u:nogui:", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:ls -l", 0, false, "", "", "", ""},
            {"u:a:b", 0, false, "", "", "", ""},
            {"u:QUBESRPCx y z", 0, false, "", "", "", ""},
            {"", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"no colon", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {":x", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC ", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC a", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC a ", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC  a w", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC a w ", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC a w name", ERR_SYNTAX, false, NULL, NULL, NULL, NULL},
            {"u:QUBESRPC a w kind x", ERR_SYNTAX, false, NULL, NULL, NULL,
                    NULL},
            {"u:QUBESRPC a w name x y", ERR_SYNTAX, false, NULL, NULL, NULL,
                    NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct qrexec_command c;
        struct err err;

        assert_int_equal(qrexec_command_parse(span_str(rows[i].text), &c, &err),
                rows[i].code);
        if (rows[i].code)
            continue;
        assert_int_equal(c.is_service, rows[i].is_service);
        assert_true(span_eq_str(c.name, rows[i].name));
        assert_true(span_eq_str(c.arg, rows[i].arg));
        assert_true(span_eq_str(c.source, rows[i].source));
        assert_true(span_eq_str(c.target, rows[i].target));
        assert_true(c.is_service || c.shell.len > 0);
    }
    {
        struct qrexec_command c;

        assert_int_equal(
                qrexec_command_parse_bare(span_str("QUBESRPC a+b w"), &c, NULL),
                0);
        assert_int_equal(c.user.len, 0);
        assert_false(c.nogui);
        assert_true(span_eq_str(c.source, "w"));
        assert_int_equal(
                qrexec_command_parse_bare(span_str("nogui:u:x"), &c, NULL), 0);
        assert_true(c.nogui && span_eq_str(c.shell, "u:x"));
        assert_int_equal(
                qrexec_command_parse_bare(SPAN_EMPTY, &c, NULL), ERR_SYNTAX);
    }
    assert_int_equal(qrexec_command_parse(SPAN("u:a\0b", 5),
                             &(struct qrexec_command){0}, NULL),
            ERR_SYNTAX);
}

static void commands_cannot_be_injected(void **state)
{
    static const struct {
        const char *user;
        const char *service;
        const char *source;
        const char *command; /* NULL: refused */
    } rows[] = {
            {"", "a+b", "w", "DEFAULT:QUBESRPC a+b w"},
            {"u", "a+", "w", "u:QUBESRPC a+ w"},
            {"u:id", "a+", "w", NULL},
            {"u u", "a+", "w", NULL},
            {"u", "a b", "w", NULL},
            {"u", "../a", "w", NULL},
            {"u", "a\n", "w", NULL},
            {"u", "", "w", NULL},
            {"u", "a", "w name x", NULL},
            {"u", "a", "", NULL},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int r = qrexec_command_format(span_str(rows[i].user),
                span_str(rows[i].service), span_str(rows[i].source), text,
                sizeof(text));

        assert_int_equal(r, rows[i].command ? 0 : ERR_SYNTAX);
        if (rows[i].command)
            assert_string_equal(text, rows[i].command);
    }
    assert_int_equal(qrexec_command_format(span_str("u"), span_str("aaaaaaaaa"),
                             span_str("w"), text, 12),
            ERR_LIMIT);
}

/* ---- environment ----------------------------------------------------- */

static const char *value_of(const struct qrexec_env *e, const char *name)
{
    for (size_t i = 0; e->vars[i]; i++) {
        size_t n = strlen(name);

        if (strncmp(e->vars[i], name, n) == 0 && e->vars[i][n] == '=')
            return e->vars[i] + n + 1;
    }
    return NULL;
}

static void environment_is_stripped_and_told(void **state)
{
    static char path[] = "PATH=/bin";
    static char leak[] = "QREXEC_REMOTE_DOMAIN=dom0";
    static char other[] = "QREXECX=1";
    static char key[] = "QAIR_KEY_FD=9";
    static char kept[] = "QREXEC_SERVICE_PATH=/x";
    char *const base[] = {path, leak, other, key, kept, NULL};
    struct qrexec_command c;
    struct qrexec_env e;
    struct err err;

    (void)state;
    assert_int_equal(
            qrexec_command_parse(
                    span_str("u:QUBESRPC a+b work keyword adminvm"), &c, &err),
            0);
    assert_int_equal(qrexec_env_build(&c, 3, base, &e), 0);
    assert_string_equal(value_of(&e, "PATH"), "/bin");
    assert_string_equal(value_of(&e, "QREXEC_REMOTE_DOMAIN"), "work");
    assert_string_equal(value_of(&e, "QREXEC_SERVICE_FULL_NAME"), "a+b");
    assert_string_equal(value_of(&e, "QREXEC_SERVICE_ARGUMENT"), "b");
    assert_string_equal(
            value_of(&e, "QREXEC_REQUESTED_TARGET_TYPE"), "keyword");
    assert_string_equal(
            value_of(&e, "QREXEC_REQUESTED_TARGET_KEYWORD"), "adminvm");
    assert_null(value_of(&e, "QREXEC_REQUESTED_TARGET"));
    assert_string_equal(value_of(&e, "QREXEC_SERVICE_PATH"), "/x");
    assert_null(value_of(&e, "QREXECX"));
    assert_string_equal(value_of(&e, "QAIR_KEY_FD"), "3");
    qrexec_env_fini(&e);
    assert_int_equal(
            qrexec_command_parse(span_str("u:QUBESRPC a w"), &c, &err), 0);
    assert_int_equal(qrexec_env_build(&c, -1, base, &e), 0);
    assert_null(value_of(&e, "QREXEC_SERVICE_ARGUMENT"));
    assert_null(value_of(&e, "QAIR_KEY_FD"));
    assert_string_equal(value_of(&e, "QREXEC_REQUESTED_TARGET_TYPE"), "");
    qrexec_env_fini(&e);
}

static void too_many_variables_are_refused(void **state)
{
    static char var[] = "A=1";
    static char *base[QREXEC_ENV_MAX + 1];
    struct qrexec_command c;
    struct qrexec_env e;
    struct err err;

    (void)state;
    for (size_t i = 0; i < QREXEC_ENV_MAX; i++)
        base[i] = var;
    assert_int_equal(
            qrexec_command_parse(span_str("u:QUBESRPC a w"), &c, &err), 0);
    assert_int_equal(qrexec_env_build(&c, -1, base, &e), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(requests_are_cleaned_as_upstream_does),
            cmocka_unit_test(request_lengths),
            cmocka_unit_test(services_are_found_as_upstream_does),
            cmocka_unit_test(over_long_names_are_skipped),
            cmocka_unit_test(configurations),
            cmocka_unit_test(commands),
            cmocka_unit_test(commands_cannot_be_injected),
            cmocka_unit_test(environment_is_stripped_and_told),
            cmocka_unit_test(too_many_variables_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
