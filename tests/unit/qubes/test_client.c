/* SPDX-License-Identifier: Apache-2.0 */
/* qrexec-client against daemons and qubes that do harm. */
#include "daemon_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t client;

/* Stdout goes to out. */
static void call(const char *word, const char *word2)
{
    char dir[96];
    char out[96];

    client = fork();
    if (client != 0)
        return;
    (void)snprintf(dir, sizeof(dir), "--socket-dir=%s", w.dir);
    (void)snprintf(out, sizeof(out), "%s/out", w.dir);
    (void)setenv("VCHAN_SOCKET_DIR", w.dir, 1);
    (void)setenv("VCHAN_DOMAIN", "0", 1);
    (void)dup2(open("/dev/null", O_RDONLY), 0);
    (void)dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    (void)dup2(open("/dev/null", O_WRONLY), 2);
    (void)execl(world_program, world_program, dir, "-w2", "-d", "vault",
            word ? word : "joe:true", word2, NULL);
    _exit(99);
}

static int code(void)
{
    int status = 0;

    for (int i = 0; waitpid(client, &status, WNOHANG) == 0; i++) {
        assert_true(i < 1500);
        (void)usleep(10000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* A daemon that has greeted and heard the request. */
static int serve(int listener)
{
    const uint32_t version = 3;
    uint8_t body[512];
    int fd = world_accept(listener);

    put_msg(fd, QREXEC_HELLO, &version, 4);
    assert_int_equal(want_msg(fd, QREXEC_HELLO, body, sizeof(body)), 4);
    (void)want_msg(fd, QREXEC_EXEC_CMDLINE, body, sizeof(body));
    assert_string_equal((char *)body + 8, "joe:true");
    return fd;
}

static void test_a_daemon_that_lies_is_trouble(void **state)
{
    static const struct {
        uint32_t type, len;
        uint32_t body[3];
    } hellos[] = {
            {QREXEC_HELLO, 4, {2}},
            {QREXEC_HELLO, 3, {3}},
            {QREXEC_HELLO, 8, {3}},
            {QREXEC_EXEC_CMDLINE, 8, {9, 514}},
            {QREXEC_HELLO, 4, {0}},
    };
    static const struct {
        uint32_t type, len;
        uint32_t body[3];
    } answers[] = {
            {QREXEC_EXEC_CMDLINE, 4, {9}},
            {QREXEC_EXEC_CMDLINE, 12, {9, 514, 0}},
            {QREXEC_JUST_EXEC, 8, {9, 514}},
            {QREXEC_SERVICE_REFUSED, 8, {9, 514}},
    };
    const uint32_t huge[2] = {QREXEC_HELLO, UINT32_MAX};
    int listener = world_listen("qrexec.vault");
    int fd;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hellos); i++) {
        call(NULL, NULL);
        fd = world_accept(listener);
        put_msg(fd, hellos[i].type, hellos[i].body, hellos[i].len);
        assert_int_equal(code(), 125);
        (void)close(fd);
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        call(NULL, NULL);
        fd = serve(listener);
        put_msg(fd, answers[i].type, answers[i].body, answers[i].len);
        assert_int_equal(code(), 125);
        (void)close(fd);
    }
    call(NULL, NULL);
    fd = world_accept(listener);
    put(fd, huge, sizeof(huge));
    assert_int_equal(code(), 125);
    (void)close(fd);
    call(NULL, NULL);
    (void)close(serve(listener)); /* no port is left, say */
    assert_int_equal(code(), 125);
    (void)close(listener);
}

/* The qube's end of a call that its daemon has let through. */
static int join(int listener)
{
    static const uint32_t place[2] = {9, 514};
    int fd = serve(listener);

    put_msg(fd, QREXEC_EXEC_CMDLINE, place, 8);
    (void)close(fd);
    return world_connect("vchan.0.9.514.sock");
}

static void test_a_qube_that_never_comes_is_not_awaited(void **state)
{
    static const uint32_t place[2] = {9, 514};
    int listener = world_listen("qrexec.vault");
    int fd;

    (void)state;
    call(NULL, NULL);
    fd = serve(listener);
    put_msg(fd, QREXEC_EXEC_CMDLINE, place, 8);
    assert_int_equal(code(), 125); /* after two seconds */
    (void)close(fd);
    (void)close(listener);
}

static void test_a_qube_that_breaks_the_call_is_told_apart(void **state)
{
    static const struct {
        uint32_t type, len;
    } rows[] = {
            {QREXEC_EXIT_CODE, 3},
            {QREXEC_STDIN, 1}, /* the caller's own */
            {QREXEC_EXEC_CMDLINE, 12},
            {0x777, 0},
            {QREXEC_STDOUT, 65537},
    };
    const uint32_t version = 4;
    static uint8_t body[70000];
    int listener = world_listen("qrexec.vault");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd;

        call(NULL, NULL);
        fd = join(listener);
        put_msg(fd, QREXEC_HELLO, &version, 4);
        put_msg(fd, rows[i].type, body, rows[i].len);
        assert_in_range(code(), 125, 255);
        (void)close(fd);
    }
    call(NULL, NULL); /* cut off before its code */
    {
        int fd = join(listener);

        put_msg(fd, QREXEC_HELLO, &version, 4);
        put_msg(fd, QREXEC_STDOUT, "half", 4);
        (void)close(fd);
        assert_int_equal(code(), 255);
    }
    (void)close(listener);
}

static void test_codes_beyond_a_byte_are_no_success(void **state)
{
    static const struct {
        int32_t said;
        int code;
    } rows[] = {{0, 0}, {1, 1}, {255, 255}, {137, 137}, {-1, 255}, {256, 255},
            {0x10000, 255}, {INT32_MIN, 255}};
    const uint32_t version = 4;
    int listener = world_listen("qrexec.vault");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd;

        call(NULL, NULL);
        fd = join(listener);
        put_msg(fd, QREXEC_HELLO, &version, 4);
        put_msg(fd, QREXEC_EXIT_CODE, &rows[i].said, 4);
        assert_int_equal(code(), rows[i].code);
        (void)close(fd);
    }
    (void)close(listener);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            WITH_WORLD(test_a_daemon_that_lies_is_trouble),
            WITH_WORLD(test_a_qube_that_never_comes_is_not_awaited),
            WITH_WORLD(test_a_qube_that_breaks_the_call_is_told_apart),
            WITH_WORLD(test_codes_beyond_a_byte_are_no_success),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests_name("qrexec-client", tests, NULL, NULL);
}
