/* SPDX-License-Identifier: Apache-2.0 */
/* A real role process on a socket pair: what it takes, what ends it. */
#include "role.h"

#include "bundle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the role under test --------------------------------------------- */

static const struct sandbox_spec sandbox = {.name = "test", .max_fds = 64};

/* policyd answers when it says what the target says: each target is a way to
 * behave. */
static void on_append_answer(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct role_ticket *t = user;

    if (answer->type == MSG_REFUSED)
        role_refuse_as(r, *t, answer->body);
    else
        role_reply_ok(r, *t);
    free(t);
}

static void ask_logd(struct role *r, struct role_ticket t)
{
    struct msg_append append = {.kind = 1, .payload = span_str("x")};
    struct role_ticket *copy = malloc(sizeof(*copy));

    assert_non_null(copy);
    *copy = t;
    role_request(r, &(struct role_request){.to = MSG_ROLE_LOGD,
                            .type = MSG_APPEND,
                            .msg = &append,
                            .expect = MSG_APPENDED,
                            .done = on_append_answer,
                            .user = copy});
}

static void on_decide(struct role *r, const struct role_msg *m)
{
    const struct msg_decide *d = m->body;
    struct msg_decision out = {.allow = 1, .source = d->source};

    if (span_eq_str(d->target, "file"))
        role_reply_file(r, m->ticket, role_bundle(r, "policy"));
    else if (span_eq_str(d->target, "refuse"))
        role_refuse(r, m->ticket, ERR_DENIED, "test", "no\n%s", "way");
    else if (span_eq_str(d->target, "log"))
        ask_logd(r, m->ticket);
    else if (span_eq_str(d->target, "fork"))
        (void)fork();
    else if (span_eq_str(d->target, "flood"))
        for (int i = 0; i < 20000; i++)
            role_send(m->link, MSG_QUBE_GONE,
                    &(struct msg_named){.name = d->source}, NULL, 0);
    else
        role_reply(r, m->ticket, MSG_DECISION, &out, NULL, 0);
}

static void on_key_session(struct role *r, const struct role_msg *m)
{
    struct role_link *l;
    struct err err;

    if (role_link_add(r, TAKE_FD(m->fds->fd[0]), MSG_ROLE_SERVICE, NULL, &l,
                &err) < 0)
        role_fatal(r, "%s", err.msg);
    role_link_set_state(l, ROLE_STATE(1));
    role_reply_ok(r, m->ticket);
}

static void on_sign(struct role *r, const struct role_msg *m)
{
    role_reply_ok(r, m->ticket);
    role_link_set_state(m->link, ROLE_STATE(2));
}

static int on_reload(struct role *r, const char *name, struct err *err)
{
    struct span content;

    if (!bundle_find(role_bundle(r, name), "good", &content))
        return err_set(err, ERR_SYNTAX, "not good");
    return 0;
}

static const struct role_permit permits[] = {
        {MSG_ROLE_CALLD, MSG_DECIDE, ROLE_OPEN, on_decide},
        {MSG_ROLE_CALLD, MSG_KEY_SESSION, ROLE_OPEN, on_key_session},
        {MSG_ROLE_SERVICE, MSG_KEY_SIGN, ROLE_STATE(1), on_sign},
};

static const struct role_spec spec = {
        .role = MSG_ROLE_POLICYD,
        .sandbox = &sandbox,
        .permits = permits,
        .n_permits = ARRAY_LEN(permits),
        .reload = on_reload,
};

/* ---- the supervisor and peers: this process -------------------------- */

struct child {
    pid_t pid;
    int control;
    int calld;
};

static void put(int fd, enum msg_type type, uint32_t id, const void *msg,
        const int *fds, size_t n)
{
    uint8_t buf[4096];
    size_t len;

    assert_true(msg_put(type, id, msg, buf, sizeof(buf), &len));
    assert_int_equal(ipc_send(fd, SPAN(buf, len), fds, n), 0);
}

/* The next message; its type, or 0 when the other end is gone. */
static uint16_t get(
        int fd, void *ret_body, struct ipc_fds *ret_fds, uint32_t *ret_id)
{
    static uint8_t buf[LIMIT_IPC_MSG_MAX]; /* spans of the body point here */
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct err err;
    size_t len;
    int rc;

    assert_int_equal(ipc_wait(fd, 20000, &err), 0);
    rc = ipc_recv(fd, buf, sizeof(buf), &len, &fds);
    if (rc == ERR_PEER)
        return 0;
    assert_int_equal(rc, 0);
    assert_int_equal(msg_get_header(SPAN(buf, len), &h), 0);
    assert_int_equal(msg_get(&h, ret_body), 0);
    assert_int_equal(fds.n, msg_fds(h.type));
    if (ret_fds)
        *ret_fds = fds;
    else
        ipc_fds_close(&fds);
    if (ret_id)
        *ret_id = h.id;
    return h.type;
}

static void run_child(int control)
{
    char uid[16],
            *argv[] = {(char[]){"qair-test"}, (char[]){"zone"}, uid, NULL};

    (void)snprintf(uid, sizeof(uid), "%u", geteuid() == 0 ? 64203u : 0u);
    if (dup2(control, 3) < 0)
        _exit(9);
    _exit(role_main(&spec, 3, argv));
}

static void hand_peer(const struct child *c, uint8_t role, int *ret_mine)
{
    struct msg_peer p = {.role = role};
    struct err err;
    int ends[2];

    assert_int_equal(ipc_pair(ends, &err), 0);
    put(c->control, MSG_PEER, 0, &p, &ends[1], 1);
    (void)close(ends[1]);
    *ret_mine = ends[0];
}

static void hand_bundle(const struct child *c, const char *file)
{
    struct msg_named n = {.name = span_str("policy")};
    struct buf b = BUF_INIT(4096);
    struct bundle_writer w = {.out = &b};
    struct bundle_file f = {span_str(file), span_str("content")};
    struct err err;
    int fd;

    assert_int_equal(bundle_put(&w, &f, &err), 0);
    assert_int_equal(ipc_seal(buf_span(&b), "b", &fd, &err), 0);
    put(c->control, MSG_BUNDLE, 0, &n, &fd, 1);
    (void)close(fd);
    buf_fini(&b);
}

static struct child start(void)
{
    struct child c;
    struct err err;
    int ends[2];
    union msg_any any;

    assert_int_equal(ipc_pair(ends, &err), 0);
    c.pid = fork();
    if (c.pid == 0)
        run_child(ends[1]);
    (void)close(ends[1]);
    c.control = ends[0];
    hand_peer(&c, MSG_ROLE_CALLD, &c.calld);
    hand_bundle(&c, "first");
    put(c.control, MSG_START, 0, &(struct msg_empty){0}, NULL, 0);
    assert_int_equal(get(c.control, &any, NULL, NULL), MSG_READY);
    return c;
}

static int end_of(struct child *c)
{
    int status;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    (void)close(c->control);
    (void)close(c->calld);
    return status;
}

static void assert_ended(struct child *c, int exit_code)
{
    int status = end_of(c);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_code);
}

static void decide(const struct child *c, uint32_t id, const char *target)
{
    struct msg_decide d = {span_str("work"), span_str(target), span_str("s+")};

    put(c->calld, MSG_DECIDE, id, &d, NULL, 0);
}

static void stop(struct child *c)
{
    (void)close(c->control);
    c->control = -1;
    assert_ended(c, 0);
}

/* ---- tests ----------------------------------------------------------- */

static void test_serves_and_ends_with_qaird(void **state)
{
    struct child c = start();
    union msg_any any;
    uint32_t id;

    (void)state;
    decide(&c, 7, "x");
    assert_int_equal(get(c.calld, &any, NULL, &id), MSG_DECISION);
    assert_int_equal(id, 7);
    assert_int_equal(any.decision.allow, 1);
    stop(&c);
}

static void test_refusal_is_one_safe_line(void **state)
{
    struct child c = start();
    union msg_any any;
    struct msg_refused *refused = (struct msg_refused *)(void *)&any;

    (void)state;
    decide(&c, 8, "refuse");
    assert_int_equal(get(c.calld, &any, NULL, NULL), MSG_REFUSED);
    assert_true(span_eq_str(refused->reason, "no\\x0away"));
    assert_true(span_eq_str(refused->where, "test"));
    stop(&c);
}

static void test_large_answers_are_sealed(void **state)
{
    struct child c = start();
    union msg_any any;
    struct ipc_fds fds;
    struct span s, content;
    struct err err;

    (void)state;
    decide(&c, 9, "file");
    assert_int_equal(get(c.calld, &any, &fds, NULL), MSG_FILE);
    assert_int_equal(ipc_map(fds.fd[0], 4096, &s, &err), 0);
    assert_true(bundle_find(s, "first", &content));
    assert_true(pwrite(fds.fd[0], "x", 1, 0) < 0);
    ipc_unmap(s);
    ipc_fds_close(&fds);
    stop(&c);
}

static void test_bundle_is_kept_when_its_successor_is_bad(void **state)
{
    struct child c = start();
    const char *const names[] = {"bad", "good"};
    const char *const want[] = {"first", "good"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        union msg_any any;
        struct ipc_fds fds;
        struct span s, content;
        struct err err;

        hand_bundle(&c, names[i]);
        /* An answer to the control link proves that the bundle was read:
         * both links are served in turn, so ask until it shows. */
        for (int n = 0;; n++) {
            assert_true(n < 1000);
            decide(&c, 1, "file");
            assert_int_equal(get(c.calld, &any, &fds, NULL), MSG_FILE);
            assert_int_equal(ipc_map(fds.fd[0], 4096, &s, &err), 0);
            bool found = bundle_find(s, want[i], &content);
            ipc_unmap(s);
            ipc_fds_close(&fds);
            if (found)
                break;
        }
    }
    stop(&c);
}

static void test_dead_peer_refuses_what_was_in_flight(void **state)
{
    struct child c = start();
    union msg_any any;
    struct msg_refused *refused = (struct msg_refused *)(void *)&any;
    int logd;

    (void)state;
    decide(&c, 1, "log"); /* no logd yet */
    assert_int_equal(get(c.calld, &any, NULL, NULL), MSG_REFUSED);
    assert_int_equal(refused->code, -ERR_PEER);
    assert_true(span_eq_str(refused->reason, "logd is not there"));

    hand_peer(&c, MSG_ROLE_LOGD, &logd);
    for (int n = 0;; n++) { /* until the link is in use */
        assert_true(n < 1000);
        decide(&c, 2, "log");
        if (ipc_wait(logd, 10, NULL) == 0)
            break;
        assert_int_equal(get(c.calld, &any, NULL, NULL), MSG_REFUSED);
    }
    assert_int_equal(get(logd, &any, NULL, NULL), MSG_APPEND);
    (void)close(logd);
    assert_int_equal(get(c.calld, &any, NULL, NULL), MSG_REFUSED);
    assert_true(span_eq_str(refused->reason, "logd restarted"));

    hand_peer(&c, MSG_ROLE_LOGD, &logd);
    (void)close(logd);
    stop(&c);
}

static void test_unpermitted_message_of_a_role_ends_it(void **state)
{
    struct child c = start();

    (void)state;
    put(c.calld, MSG_STATUS, 1, &(struct msg_empty){0}, NULL, 0);
    assert_ended(&c, 1);
}

static void test_unasked_answer_of_a_role_ends_it(void **state)
{
    struct child c = start();

    (void)state;
    put(c.calld, MSG_OK, 1, &(struct msg_empty){0}, NULL, 0);
    assert_ended(&c, 1);
}

static void test_malformed_messages_of_a_role_end_it(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } cases[] = {
            {"short header", "\0\x20\0\0\0\0\0", 7},
            {"unknown type", "\xff\xff\0\0\0\0\0\1", 8},
            {"reserved not zero", "\0\x20\0\1\0\0\0\1\0\0\0\0\0\0", 14},
            {"field cut off", "\0\x20\0\0\0\0\0\1\0\0\0\0\0\1", 14},
            {"trailing byte", "\0\x20\0\0\0\0\0\1\0\0\0\0\0\0\0", 15},
            {"text with NUL", "\0\x20\0\0\0\0\0\1\0\1\0\0\0\0\0", 15},
            {"text not UTF-8", "\0\x20\0\0\0\0\0\1\0\1\xff\0\0\0\0", 15},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct child c = start();

        assert_int_equal(
                ipc_send(c.calld, SPAN(cases[i].bytes, cases[i].len), NULL, 0),
                0);
        assert_ended(&c, 1);
    }
}

static void test_descriptor_nobody_asked_for_ends_it(void **state)
{
    struct child c = start();
    struct msg_decide d = {span_str("a"), span_str("b"), span_str("s+")};
    uint8_t buf[256];
    size_t len;
    int fd = STDIN_FILENO;

    (void)state;
    assert_true(msg_put(MSG_DECIDE, 1, &d, buf, sizeof(buf), &len));
    assert_int_equal(ipc_send(c.calld, SPAN(buf, len), &fd, 1), 0);
    assert_ended(&c, 1);
}

static void test_start_twice_ends_it(void **state)
{
    struct child c = start();

    (void)state;
    put(c.control, MSG_START, 0, &(struct msg_empty){0}, NULL, 0);
    assert_ended(&c, 1);
}

static void test_unsealed_bundle_ends_it(void **state)
{
    struct child c = start();
    struct msg_named n = {.name = span_str("policy")};
    int fd = memfd_create("b", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)state;
    assert_true(fd >= 0);
    put(c.control, MSG_BUNDLE, 0, &n, &fd, 1);
    (void)close(fd);
    assert_ended(&c, 1);
}

static void test_forbidden_call_kills_it(void **state)
{
    struct child c = start();
    int status;

    (void)state;
    decide(&c, 1, "fork");
    status = end_of(&c);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_peer_that_never_reads_ends_it(void **state)
{
    struct child c = start();

    (void)state;
    decide(&c, 1, "flood");
    assert_ended(&c, 1);
}

static void test_service_that_breaks_the_rules_loses_its_link_alone(
        void **state)
{
    struct child c = start();
    struct msg_key_session s = {.deadline = 1};
    struct msg_key_sign sign = {span_str("k"), span_str("n")};
    union msg_any any;
    struct err err;
    int ends[2], null = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(ipc_pair(ends, &err), 0);
    put(c.calld, MSG_KEY_SESSION, 3, &s, &ends[1], 1);
    (void)close(ends[1]);
    assert_int_equal(get(c.calld, &any, NULL, NULL), MSG_OK);
    put(ends[0], MSG_KEY_SIGN, 1, &sign, &null, 1);
    assert_int_equal(get(ends[0], &any, NULL, NULL), MSG_OK);
    /* Permitted in the state before, not in this one. */
    put(ends[0], MSG_KEY_SIGN, 2, &sign, &null, 1);
    assert_int_equal(get(ends[0], &any, NULL, NULL), 0);
    decide(&c, 4, "x");
    assert_int_equal(get(c.calld, &any, NULL, NULL), MSG_DECISION);
    (void)close(ends[0]);
    (void)close(null);
    stop(&c);
}

static void test_refuses_to_start_without_qaird(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        char *argv[] = {(char[]){"x"}, (char[]){"zone"}, (char[]){"0"}, NULL};

        (void)close(3);
        _exit(role_main(&spec, 3, argv));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_serves_and_ends_with_qaird),
            cmocka_unit_test(test_refusal_is_one_safe_line),
            cmocka_unit_test(test_large_answers_are_sealed),
            cmocka_unit_test(test_bundle_is_kept_when_its_successor_is_bad),
            cmocka_unit_test(test_dead_peer_refuses_what_was_in_flight),
            cmocka_unit_test(test_unpermitted_message_of_a_role_ends_it),
            cmocka_unit_test(test_unasked_answer_of_a_role_ends_it),
            cmocka_unit_test(test_malformed_messages_of_a_role_end_it),
            cmocka_unit_test(test_descriptor_nobody_asked_for_ends_it),
            cmocka_unit_test(test_start_twice_ends_it),
            cmocka_unit_test(test_unsealed_bundle_ends_it),
            cmocka_unit_test(test_forbidden_call_kills_it),
            cmocka_unit_test(test_peer_that_never_reads_ends_it),
            cmocka_unit_test(
                    test_service_that_breaks_the_rules_loses_its_link_alone),
            cmocka_unit_test(test_refuses_to_start_without_qaird),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
