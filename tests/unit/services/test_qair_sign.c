/* SPDX-License-Identifier: Apache-2.0 */
/* The real qair-sign, with this test in the place of keyd. */
#include "buf.h"
#include "ipc.h"
#include "msg.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;

struct run {
    pid_t pid;
    int key_fd; /* keyd's end of the session */
    int out, err;
};

struct result {
    int code;
    char out[4096], err[1024];
};

static int pipe_end(int *ret_child)
{
    int p[2];

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    *ret_child = p[1];
    return p[0];
}

/* key_fd of the child is 9; env NULL leaves QAIR_KEY_FD unset. */
static struct run start_as(const char *const argv[], const char *env)
{
    int session[2], out, err, in[2];
    struct run r;

    assert_int_equal(ipc_pair(session, NULL), 0);
    r.out = pipe_end(&out);
    r.err = pipe_end(&err);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(write(in[1], "artefact bytes", 14), 14);
    (void)close(in[1]);
    r.pid = fork();
    assert_true(r.pid >= 0);
    if (r.pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out, 1);
        (void)dup2(err, 2);
        (void)dup2(session[1], 9);
        (void)unsetenv("QAIR_KEY_FD");
        if (env)
            (void)setenv("QAIR_KEY_FD", env, 1);
        (void)execv(program, (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    (void)close(in[0]);
    (void)close(out);
    (void)close(err);
    (void)close(session[1]);
    r.key_fd = session[0];
    return r;
}

static struct run start(const char *env, const char *key)
{
    return start_as((const char *const[]){program, key, NULL}, env);
}

static void read_all(int fd, char *ret, size_t cap)
{
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, ret + n, cap - 1 - n)) > 0)
        n += (size_t)got;
    ret[n] = '\0';
    (void)close(fd);
}

static struct result finish(struct run *r)
{
    struct result res;
    int status;

    if (r->key_fd >= 0)
        (void)close(r->key_fd);
    read_all(r->out, res.out, sizeof(res.out));
    read_all(r->err, res.err, sizeof(res.err));
    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    assert_true(WIFEXITED(status));
    res.code = WEXITSTATUS(status);
    return res;
}

/* The request, and the artefact read from the descriptor that came with it. */
static void expect_request(const struct run *r, const char *key)
{
    uint8_t buf[1024];
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct msg_key_sign m;
    char artefact[32] = "";
    size_t len;

    assert_int_equal(ipc_wait(r->key_fd, 10000, NULL), 0);
    assert_int_equal(ipc_recv(r->key_fd, buf, sizeof(buf), &len, &fds), 0);
    assert_int_equal(msg_get_header(SPAN(buf, len), &h), 0);
    assert_int_equal(h.type, MSG_KEY_SIGN);
    assert_int_equal(msg_get(&h, &m), 0);
    assert_true(span_eq_str(m.key, key));
    assert_true(m.name.len > 0);
    assert_int_equal(fds.n, 1);
    assert_int_equal(read(fds.fd[0], artefact, sizeof(artefact)), 14);
    assert_string_equal(artefact, "artefact bytes");
    ipc_fds_close(&fds);
}

static void answer(const struct run *r, enum msg_type type, uint32_t id,
        const void *msg, int fd)
{
    uint8_t buf[1024];
    size_t len;

    assert_true(msg_put(type, id, msg, buf, sizeof(buf), &len));
    assert_int_equal(
            ipc_send(r->key_fd, SPAN(buf, len), &fd, fd >= 0 ? 1 : 0), 0);
}

static void receipt_comes_out_byte_for_byte(void **state)
{
    struct run r = start("9", "release");
    static const struct msg_empty empty;
    struct result res;
    int fd;

    (void)state;
    expect_request(&r, "release");
    assert_int_equal(
            ipc_seal(span_str("{\"receipt\":1}\n"), "r", &fd, NULL), 0);
    answer(&r, MSG_FILE, 1, &empty, fd);
    (void)close(fd);
    res = finish(&r);
    assert_int_equal(res.code, 0);
    assert_string_equal(res.out, "{\"receipt\":1}\n");
    assert_string_equal(res.err, "");
}

static void refusal_is_one_harmless_line(void **state)
{
    struct run r = start("9", "release");
    struct msg_refused refused = {.code = 4,
            .where = span_str("keyd of zone server"),
            .reason = span_str("state \x1b[2J not approved\nnext")};
    struct result res;

    (void)state;
    expect_request(&r, "release");
    answer(&r, MSG_REFUSED, 1, &refused, -1);
    res = finish(&r);
    assert_int_equal(res.code, 1);
    assert_string_equal(res.out, "");
    assert_string_equal(res.err,
            "keyd of zone server: state \\x1b[2J not approved\\x0anext\n");
}

/* Memory that its sender can still write is not a receipt. */
static void unsealed_memory_is_refused(void **state)
{
    struct run r = start("9", "release");
    static const struct msg_empty empty;
    int fd = memfd_create("r", MFD_CLOEXEC);
    struct result res;

    (void)state;
    expect_request(&r, "release");
    assert_int_equal(write(fd, "{}\n", 3), 3);
    answer(&r, MSG_FILE, 1, &empty, fd);
    (void)close(fd);
    res = finish(&r);
    assert_int_equal(res.code, 1);
    assert_string_equal(res.out, "");
}

static void answers_out_of_protocol_are_refused(void **state)
{
    static const struct msg_empty empty;
    static const struct {
        enum msg_type type;
        uint32_t id;
    } cases[] = {{MSG_OK, 1}, {MSG_FILE, 1}, {MSG_FILE, 2}, {MSG_OK, 2}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r = start("9", "release");
        struct result res;

        expect_request(&r, "release");
        answer(&r, cases[i].type, cases[i].id, &empty, -1);
        res = finish(&r);
        assert_int_equal(res.code, 1);
        assert_string_equal(res.out, "");
    }
}

static void a_keyd_that_dies_is_a_refusal(void **state)
{
    struct run r = start("9", "release");
    struct result res;

    (void)state;
    expect_request(&r, "release");
    (void)close(r.key_fd);
    r.key_fd = -1;
    res = finish(&r);
    assert_int_equal(res.code, 1);
    assert_string_equal(res.err, "keyd: went away without an answer\n");
}

static void misuse_says_what_to_do(void **state)
{
    static const struct {
        const char *env, *key;
        int code;
    } cases[] = {
            {NULL, "release", 2}, {"", "release", 2}, {"-1", "release", 2},
            {"9x", "release", 2}, {"99999", "release", 2}, {"9", NULL, 2},
            {"9", "", 2}, {"77", "release", 1}, /* nothing is open there */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r = start(cases[i].env, cases[i].key);
        struct result res = finish(&r);

        assert_int_equal(res.code, cases[i].code);
        assert_string_equal(res.out, "");
        assert_non_null(strchr(res.err, '\n'));
    }
}

/* As the interpreter of its service's file: the kernel adds the path. */
static void service_file_needs_no_shell(void **state)
{
    static const char file[] = "/etc/qubes-rpc/qair.Sign";
    struct run r = start_as(
            (const char *const[]){program, "--service", file, "release", NULL},
            "9");
    struct result res;

    (void)state;
    expect_request(&r, "release");
    (void)close(r.key_fd);
    r.key_fd = -1;
    (void)finish(&r);
    /* qair.Sign without +KEY; a wrong word in the first line */
    r = start_as((const char *const[]){program, "--service", file, NULL}, "9");
    res = finish(&r);
    assert_int_equal(res.code, 2);
    r = start_as(
            (const char *const[]){program, "--serve", file, "release", NULL},
            "9");
    res = finish(&r);
    assert_int_equal(res.code, 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(receipt_comes_out_byte_for_byte),
            cmocka_unit_test(refusal_is_one_harmless_line),
            cmocka_unit_test(unsealed_memory_is_refused),
            cmocka_unit_test(answers_out_of_protocol_are_refused),
            cmocka_unit_test(a_keyd_that_dies_is_a_refusal),
            cmocka_unit_test(misuse_says_what_to_do),
            cmocka_unit_test(service_file_needs_no_shell),
    };

    if (argc != 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
