/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin.h"
#include "dsock.h"
#include "trigger.h"

#include <string.h>

/* name..., padded; the last one as it is. */
static size_t body_of(uint8_t *ret, const char *source, const char *target,
        const char *ident, const char *service, size_t service_len)
{
    uint8_t *p = ret;

    memset(ret, 0, 512);
    if (source) {
        memcpy(p, source, strlen(source));
        p += 64;
    }
    memcpy(p, target, strlen(target));
    memcpy(p + 64, ident, strlen(ident));
    memcpy(p + 96, service, service_len);
    return (size_t)(p - ret) + 96 + service_len;
}

static void test_versions_3_and_4_say_the_same(void **state)
{
    uint8_t body[512];
    struct trigger t;
    struct err err;
    size_t n;

    (void)state;
    n = body_of(body, NULL, "@dispvm:tpl", "SOCKET 1.-_", "t.S+a", 6);
    assert_int_equal(
            trigger_parse(QREXEC_TRIGGER_SERVICE3, SPAN(body, n), &t, &err), 0);
    assert_string_equal(t.asked.source, "");
    assert_string_equal(t.asked.target, "@dispvm:tpl");
    assert_string_equal(t.asked.ident, "SOCKET 1.-_");
    assert_string_equal(t.asked.service, "t.S+a");
    assert_false(t.bare);
    n = body_of(body, "far", "", "S", "t.S", 4);
    assert_int_equal(
            trigger_parse(QREXEC_TRIGGER_SERVICE4, SPAN(body, n), &t, &err), 0);
    assert_string_equal(t.asked.source, "far");
    assert_string_equal(t.asked.target, "");
    assert_string_equal(t.asked.service, "t.S+");
    assert_true(t.bare);
}

static void test_version_2_has_its_own_order(void **state)
{
    uint8_t body[128] = "t.S+x";
    struct trigger t;
    struct err err;

    (void)state;
    memset(body + 64, 'v', 32); /* no NUL: cut, as upstream */
    memcpy(body + 96, "SOCKET1", 7);
    assert_int_equal(
            trigger_parse(QREXEC_TRIGGER_SERVICE, SPAN_OF(body), &t, &err), 0);
    assert_string_equal(t.asked.service, "t.S+x");
    assert_int_equal(strlen(t.asked.target), 31);
    assert_string_equal(t.asked.ident, "SOCKET1");
}

static void test_what_is_refused_keeps_its_ident(void **state)
{
    static const struct {
        const char *ident, *service;
        size_t len;
    } rows[] = {
            {"S", "t.S", 3},    /* no NUL */
            {"S", "", 1},       /* nothing */
            {"S", "+", 2},      /* no name */
            {"S", "+a", 3},     /**/
            {"S", "t\0S", 4},   /* a NUL inside */
            {"S", "\0t.S", 5},  /**/
            {"a\nb", "t.S", 4}, /* a byte that is no ident's */
            {"\x80", "t.S", 4}, /**/
    };
    uint8_t body[512];
    struct trigger t;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = body_of(
                body, "", "vault", rows[i].ident, rows[i].service, rows[i].len);

        assert_int_not_equal(
                trigger_parse(QREXEC_TRIGGER_SERVICE4, SPAN(body, n), &t, &err),
                0);
        assert_memory_equal(t.ident, body + 128, 32);
    }
    /* Something after the ident's end. */
    (void)body_of(body, "", "vault", "S", "t.S", 4);
    body[128 + 31] = 'x';
    assert_int_not_equal(
            trigger_parse(QREXEC_TRIGGER_SERVICE4, SPAN(body, 164), &t, &err),
            0);
    assert_memory_equal(t.ident, body + 128, 32);
}

static void test_calls_of_qubesd_as_text(void **state)
{
    static const char want[] = "admin.vm.Start+ dom0 name vault\0pay";
    uint8_t text[ADMIN_CALL_MAX];
    char name[300];
    size_t n = 0;

    (void)state;
    assert_int_equal(admin_call("admin.vm.Start", "vault", "pay", text, &n), 0);
    assert_int_equal(n, sizeof(want) - 1);
    assert_memory_equal(text, want, n);
    assert_int_equal(admin_call("admin.vm.Kill", "@adminvm", "", text, &n), 0);
    assert_memory_equal(text, "admin.vm.Kill+ dom0 keyword adminvm", 36);
    assert_int_not_equal(admin_call("m", "a b", "", text, &n), 0);
    assert_int_not_equal(admin_call("m", "", "", text, &n), 0);
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_not_equal(admin_call(name, "vault", "", text, &n), 0);
}

static void test_names_of_sockets(void **state)
{
    static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".hidden",
            "a b", "a\nb",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    char path[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(
                dsock_path("d", bad[i], path, sizeof(path), NULL), ERR_SYNTAX);
    assert_int_equal(dsock_path("d", "uuid:1-2", path, sizeof(path), NULL), 0);
    assert_string_equal(path, "d/qrexec.uuid:1-2");
    assert_int_equal(dsock_path("d", "vault", path, 14, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_versions_3_and_4_say_the_same),
            cmocka_unit_test(test_version_2_has_its_own_order),
            cmocka_unit_test(test_what_is_refused_keeps_its_ident),
            cmocka_unit_test(test_calls_of_qubesd_as_text),
            cmocka_unit_test(test_names_of_sockets),
    };

    return cmocka_run_group_tests_name("trigger", tests, NULL, NULL);
}
