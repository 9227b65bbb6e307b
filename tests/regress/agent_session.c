/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-agent as root: services in PAM sessions of the qube's users.  Run by
 * agent_session.sh, which gives it users and a PAM configuration of its own.
 */
#include "agent_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world w;

static int setup(void **state)
{
    static const char *const options[] = {"--no-fork-server", NULL};

    (void)state;
    world_session_user = "tester";
    world_start(&w, options);
    dom0_connect(&w, 4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_stop(&w);
    return 0;
}

static void write_services(void)
{
    world_write(&w, "rpc/who",
            "#!/bin/sh\necho $(id -u) $(id -g) $(id -G) $HOME $SHELL $USER "
            "$LOGNAME $(pwd) $1 ${VCHAN_DOMAIN-none} $QREXEC_REMOTE_DOMAIN\n"
            "exit 9\n",
            0755);
    world_write(&w, "rpc/forced", "#!/bin/sh\nid -u\n", 0755);
    world_write(&w, "rpc-config/forced", "force-user = 'second'\n", 0644);
}

static void service_is_its_user_and_nobody_else(void **state)
{
    char out[512];

    (void)state;
    write_services();
    assert_int_equal(
            call_run(&w, 513, "QUBESRPC who+a;id work", "", out, sizeof(out)),
            9);
    assert_string_equal(out,
            "54321 54321 54321 54399 / /bin/sh tester tester / a;id none "
            "work\n");
    assert_int_equal(
            call_run(&w, 513, "id -u; kill -9 $$", "", out, sizeof(out)), 137);
    assert_string_equal(out, "54321\n");
    assert_int_equal(
            call_run(&w, 514, "QUBESRPC forced work", "", out, sizeof(out)), 0);
    assert_string_equal(out, "54322\n");
    assert_int_equal(
            call_run(&w, 514, "QUBESRPC none work", "", out, sizeof(out)), 127);
}

/* PAM says no, there is no such user, the name is a trick: nothing runs. */
static void service_of_an_unwelcome_user_does_not_run(void **state)
{
    static const char *const users[] = {
            "barred", "nobody-of-this-name", "54321", "tester ", "../tester"};
    char out[512];

    (void)state;
    write_services();
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        world_session_user = users[i];
        assert_int_equal(
                call_run(&w, 513, "QUBESRPC who work", "", out, sizeof(out)),
                125);
        assert_string_equal(out, "");
        assert_int_equal(
                call_run(&w, 513, "echo ran", "", out, sizeof(out)), 125);
        assert_string_equal(out, "");
    }
    world_session_user = "tester";
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    service_is_its_user_and_nobody_else, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    service_of_an_unwelcome_user_does_not_run, setup, teardown),
    };

    if (argc != 2)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    world_agent_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
