/* SPDX-License-Identifier: Apache-2.0 */
/* What qair.Relay takes from a dom0, and what it refuses. */
#include "relay_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NAME "qair.Relay+"

static const struct {
    const char *argument, *source, *target, *service;
} good[] = {
        {"server-signer+qair.Sign+release", "work", "server-signer",
                "qair.Sign+release"},
        {"server+qubes.Filecopy+", "work", "server", "qubes.Filecopy+"},
        {"server+qubes.Filecopy", "work", "server", "qubes.Filecopy"},
        {"server+a.B+c+d+e", "w-1", "server", "a.B+c+d+e"},
};

static void what_dom0_writes_is_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct relay_request r;
        struct err err;
        char full[256];

        (void)snprintf(full, sizeof(full), NAME "%s", good[i].argument);
        if (relay_request_parse(
                    good[i].argument, full, good[i].source, &r, &err))
            fail_msg("%s: %s", good[i].argument, err.msg);
        assert_string_equal(r.source, good[i].source);
        assert_string_equal(r.target, good[i].target);
        assert_string_equal(r.service, good[i].service);
    }
}

static const struct {
    const char *what, *argument, *source;
} bad[] = {
        {"no service", "server", "work"},
        {"nothing behind the name", "server+", "work"},
        {"no name", "+qair.Sign+x", "work"},
        {"two pluses", "server++x", "work"},
        {"upper case", "Server+a.B", "work"},
        {"keyword", "@default+a.B", "work"},
        {"path as name", "../x+a.B", "work"},
        {"path as service", "server+../../bin/sh", "work"},
        {"space in the service", "server+a.B c", "work"},
        {"line end in the argument", "server+a.B+c\nd", "work"},
        {"name too long", "a23456789012345678901234567890123+a.B", "work"},
        {"source is empty", "server+a.B", ""},
        {"source is dom0's keyword", "server+a.B", "@adminvm"},
        {"source with a plus", "server+a.B", "work+x"},
        {"source is an option", "server+a.B", "-x"},
};

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct relay_request r = {.target = "untouched"};
        struct err err;
        char full[256];

        (void)snprintf(full, sizeof(full), NAME "%s", bad[i].argument);
        if (relay_request_parse(
                    bad[i].argument, full, bad[i].source, &r, &err) == 0)
            fail_msg("%s", bad[i].what);
        assert_string_equal(r.target, "untouched");
    }
}

static void a_service_of_any_length_ends_at_the_limit(void **state)
{
    static char argument[LIMIT_SERVICE_MAX + 16];
    static char full[sizeof(argument) + sizeof(NAME)];
    static struct relay_request r;
    struct err err;

    (void)state;
    memcpy(argument, "server+a.B+", 11);
    memset(argument + 11, 'x', LIMIT_SERVICE_MAX - 4);
    (void)snprintf(full, sizeof(full), NAME "%s", argument);
    assert_int_equal(relay_request_parse(argument, full, "w", &r, &err), 0);
    argument[strlen(argument)] = 'x';
    (void)snprintf(full, sizeof(full), NAME "%s", argument);
    assert_int_equal(
            relay_request_parse(argument, full, "w", &r, &err), ERR_LIMIT);
}

static void who_no_agent_started_is_refused(void **state)
{
    const char *a = "server+a.B";
    struct relay_request r;
    struct err err;

    (void)state;
    assert_int_equal(
            relay_request_parse(a, NULL, "work", &r, &err), ERR_DENIED);
    assert_int_equal(relay_request_parse(a, NAME "server+a.B", NULL, &r, &err),
            ERR_DENIED);
    assert_int_equal(
            relay_request_parse(NULL, NAME "server+a.B", "work", &r, &err),
            ERR_DENIED);
    /* started as another service, or with another argument than it says */
    assert_int_equal(
            relay_request_parse(a, "my.Relay+server+a.B", "work", &r, &err),
            ERR_DENIED);
    assert_int_equal(relay_request_parse(a, NAME "other+a.B", "work", &r, &err),
            ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_dom0_writes_is_taken_apart),
            cmocka_unit_test(what_is_malformed_is_refused),
            cmocka_unit_test(a_service_of_any_length_ends_at_the_limit),
            cmocka_unit_test(who_no_agent_started_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
