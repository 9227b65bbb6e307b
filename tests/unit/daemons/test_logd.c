/* SPDX-License-Identifier: Apache-2.0 */
/* The real qair-logd in its sandbox: args: PROGRAM. */
#include "driver.h"

#include "merkle.h"
#include "statement.h"
#include "store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;
static const uint8_t seed[32] = {0x10};

struct world {
    struct driver d;
    char path[32];
    int dirfd;
    int calld, keyd, netd;
    struct crypto_key *key, *identity;
    struct merkle_vkey vkey;
};

static void start(struct world *w)
{
    struct msg_empty body;

    driver_start(&w->d, program, "server");
    driver_handle(&w->d, "log", dup(w->dirfd)); /* closes it */
    w->calld = driver_peer(&w->d, MSG_ROLE_CALLD);
    w->keyd = driver_peer(&w->d, MSG_ROLE_KEYD);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &body, NULL, NULL), MSG_READY);
}

static void stop(struct world *w)
{
    driver_stop(&w->d);
    close(w->d.control);
    close(w->calld);
    close(w->keyd);
    close(w->netd);
}

static void give_key(struct world *w)
{
    struct msg_log_key k;

    memcpy(k.seed, seed, sizeof k.seed);
    driver_put(w->keyd, MSG_LOG_KEY, 0, &k, NULL, 0);
}

static int setup(void **state)
{
    static const uint8_t other[32] = {0x20};
    struct world *w = calloc(1, sizeof *w);
    struct err err;

    assert_non_null(w);
    *state = w;
    strcpy(w->path, "/tmp/qair-logd-XXXXXX");
    assert_non_null(mkdtemp(w->path));
    w->dirfd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->dirfd >= 0);
    w->key = crypto_key_ed25519(seed);
    w->identity = crypto_key_ed25519(other);
    assert_int_equal(merkle_vkey_for_zone(span_str("server"),
                             crypto_key_pub(w->key), &w->vkey, &err),
            0);
    start(w);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char cmd[64];

    stop(w);
    close(w->dirfd);
    snprintf(cmd, sizeof cmd, "rm -rf %s", w->path);
    assert_int_equal(system(cmd), 0);
    crypto_key_free(w->key);
    crypto_key_free(w->identity);
    free(w);
    return 0;
}

static void decision(const char *zone, uint32_t n, struct buf *ret)
{
    struct statement_decision d = {.time = 1795000000,
            .zone = span_str(zone),
            .source = span_str("work"),
            .requested = span_str("signer"),
            .service = span_str("qair.Sign+"),
            .where = span_str("policy of zone server"),
            .reason = span_str("no rule allows it")};
    struct err err;

    memcpy(d.call_id, &n, sizeof n);
    *ret = BUF_INIT(LIMIT_STATEMENT_MAX);
    assert_int_equal(statement_decision_format(&d, ret, &err), 0);
}

static void channel(struct buf *ret)
{
    struct statement_channel c = {.event = STATEMENT_CHANNEL_OPENED,
            .time = 1795000000,
            .zone = span_str("server"),
            .peer = span_str("thin"),
            .state = span_str("golden (emulated)")};
    struct err err;

    *ret = BUF_INIT(LIMIT_STATEMENT_MAX);
    assert_int_equal(statement_channel_format(&c, ret, &err), 0);
}

/* An event that keyd signs with the zone identity. */
static void signed_event(const struct world *w, struct buf *ret)
{
    struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_event e = {.time = 1795000000,
            .zone = span_str("server"),
            .kind = span_str("key-create")};
    struct err err;

    *ret = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    assert_int_equal(statement_event_format(&e, &text, &err), 0);
    assert_int_equal(
            statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&text),
                    "server/identity", w->identity, ret, &err),
            0);
    buf_fini(&text);
}

static void ask(
        int fd, uint32_t id, uint8_t kind, bool want_proof, struct span payload)
{
    struct msg_append a = {
            .kind = kind, .want_proof = want_proof, .payload = payload};

    driver_put(fd, MSG_APPEND, id, &a, NULL, 0);
}

static void expect_appended(int fd, struct msg_appended *ret)
{
    union {
        struct msg_appended appended;
        struct msg_refused refused;
    } body;
    uint16_t type = driver_get(fd, &body, NULL, NULL);

    if (type == MSG_REFUSED)
        fail_msg("%.*s", (int)body.refused.reason.len, body.refused.reason.ptr);
    assert_int_equal(type, MSG_APPENDED);
    *ret = body.appended;
}

static void expect_refused(int fd, int code)
{
    union {
        struct msg_appended appended;
        struct msg_refused refused;
    } body;

    assert_int_equal(driver_get(fd, &body, NULL, NULL), MSG_REFUSED);
    assert_int_equal(body.refused.code, (uint32_t)-code);
    assert_true(span_eq_str(body.refused.where, "log of zone server"));
    assert_true(body.refused.reason.len > 0);
}

static void append_decision(
        struct world *w, uint32_t n, struct msg_appended *ret)
{
    struct buf text;

    decision("server", n, &text);
    ask(w->calld, n + 1, MSG_APPEND_STATEMENT, false, buf_span(&text));
    expect_appended(w->calld, ret);
    buf_fini(&text);
}

/* ---- tests ------------------------------------------------------------- */

static void a_statement_is_signed_logged_and_proved(void **state)
{
    struct world *w = *state;
    struct buf text;
    struct msg_appended a;
    struct store_reader r;
    struct merkle_checkpoint c;
    struct statement s;
    struct span entry;
    struct err err;
    uint64_t index;

    give_key(w);
    decision("server", 7, &text);
    ask(w->calld, 1, MSG_APPEND_STATEMENT, true, buf_span(&text));
    expect_appended(w->calld, &a);
    assert_int_equal(a.index, 0);
    assert_int_equal(a.size, 1);
    assert_int_equal(store_reader_open(w->dirfd, &w->vkey, &r, &err), 0);
    assert_int_equal(store_reader_get(&r, 0, &entry, &err), 0);
    assert_int_equal(merkle_tlog_proof_verify(
                             a.proof, entry, &w->vkey, &index, &c, &err),
            0);
    assert_memory_equal(c.root, a.root, sizeof a.root);
    assert_int_equal(
            statement_open(entry, crypto_key_pub(w->key), &s, &err), 0);
    assert_true(span_eq(buf_span(&s.dsse->payload), buf_span(&text)));
    assert_true(span_eq_str(s.keyid, "server/log"));
    statement_fini(&s);
    store_reader_fini(&r);
    buf_fini(&text);
}

static void an_envelope_is_logged_as_it_came(void **state)
{
    struct world *w = *state;
    struct msg_appended a;
    struct store_reader r;
    struct span entry;
    struct buf env;
    struct err err;

    give_key(w);
    signed_event(w, &env);
    ask(w->keyd, 1, MSG_APPEND_SIGNED, false, buf_span(&env));
    expect_appended(w->keyd, &a);
    assert_int_equal(a.proof.len, 0);
    assert_int_equal(store_reader_open(w->dirfd, &w->vkey, &r, &err), 0);
    assert_int_equal(store_reader_get(&r, 0, &entry, &err), 0);
    assert_true(span_eq(entry, buf_span(&env)));
    store_reader_fini(&r);
    buf_fini(&env);
}

static void records_wait_for_the_key(void **state)
{
    struct world *w = *state;
    struct msg_appended a;
    struct buf text;

    decision("server", 1, &text);
    ask(w->calld, 1, MSG_APPEND_STATEMENT, false, buf_span(&text));
    assert_true(driver_is_silent(w->calld, 100));
    driver_put(
            w->calld, MSG_CHECKPOINT_GET, 2, &(struct msg_empty){0}, NULL, 0);
    expect_refused(w->calld, ERR_STATE);
    give_key(w);
    expect_appended(w->calld, &a);
    assert_int_equal(a.size, 1);
    buf_fini(&text);
}

static void a_role_writes_of_its_own_acts_alone(void **state)
{
    struct world *w = *state;
    struct buf d, c, e, foreign;
    struct msg_appended a;

    give_key(w);
    decision("server", 1, &d);
    decision("thin", 1, &foreign);
    channel(&c);
    signed_event(w, &e);
    ask(w->netd, 1, MSG_APPEND_STATEMENT, false, buf_span(&d));
    expect_refused(w->netd, ERR_DENIED);
    ask(w->netd, 2, MSG_APPEND_SIGNED, false, buf_span(&e));
    expect_refused(w->netd, ERR_DENIED);
    ask(w->calld, 3, MSG_APPEND_STATEMENT, false, buf_span(&c));
    expect_refused(w->calld, ERR_DENIED);
    ask(w->calld, 4, MSG_APPEND_SIGNED, false, buf_span(&e));
    expect_refused(w->calld, ERR_DENIED);
    ask(w->calld, 5, MSG_APPEND_STATEMENT, false, buf_span(&foreign));
    expect_refused(w->calld, ERR_DENIED);
    ask(w->netd, 6, MSG_APPEND_STATEMENT, false, buf_span(&c));
    expect_appended(w->netd, &a);
    assert_int_equal(a.size, 1); /* none of the others is there */
    buf_fini(&d);
    buf_fini(&c);
    buf_fini(&e);
    buf_fini(&foreign);
}

static void what_no_reader_could_read_is_refused(void **state)
{
    static uint8_t big[LIMIT_STATEMENT_MAX + 1];
    struct world *w = *state;
    struct msg_appended a;
    struct buf d;

    give_key(w);
    decision("server", 1, &d);
    ask(w->calld, 1, MSG_APPEND_STATEMENT, false, SPAN_EMPTY);
    expect_refused(w->calld, ERR_SYNTAX);
    ask(w->calld, 2, MSG_APPEND_STATEMENT, false, SPAN(d.ptr, d.len - 1));
    expect_refused(w->calld, ERR_SYNTAX);
    ask(w->calld, 3, MSG_APPEND_SIGNED, false, buf_span(&d));
    expect_refused(w->calld, ERR_SYNTAX);
    ask(w->calld, 4, MSG_APPEND_STATEMENT, false, SPAN_OF(big));
    expect_refused(w->calld, ERR_LIMIT);
    ask(w->calld, 5, MSG_APPEND_STATEMENT + 1, false, buf_span(&d));
    expect_refused(w->calld, ERR_SYNTAX);
    append_decision(w, 6, &a);
    assert_int_equal(a.size, 1);
    buf_fini(&d);
}

static void many_at_once_get_an_index_each(void **state)
{
    static bool seen[600];
    struct world *w = *state;
    struct msg_appended a;

    give_key(w);
    memset(seen, 0, sizeof seen);
    /* more than the socket holds: both ends take turns */
    for (uint32_t sent = 0, got = 0; got < 600;) {
        struct buf text;

        for (; sent < 600 && sent < got + 50; sent++) {
            decision("server", sent, &text);
            ask(w->calld, sent + 1, MSG_APPEND_STATEMENT, false,
                    buf_span(&text));
            buf_fini(&text);
        }
        expect_appended(w->calld, &a);
        assert_true(a.index < 600 && !seen[a.index] && a.size > a.index);
        seen[a.index] = true;
        got++;
    }
}

static int one_of_decisions(
        void *arg, uint64_t index, struct span entry, struct err *err)
{
    const struct world *w = arg;
    struct statement s;
    int r = statement_open(entry, crypto_key_pub(w->key), &s, err);

    (void)index;
    if (r == 0)
        statement_fini(&s);
    return r;
}

static void kills_lose_nothing(void **state)
{
    struct world *w = *state;
    struct store_reader r;
    uint64_t size = 0;
    struct err err;

    for (uint32_t round = 0; round < 10; round++) {
        struct msg_appended a;
        struct buf text;

        give_key(w);
        for (uint32_t i = 0; i < 20; i++) {
            append_decision(w, round * 100 + i, &a);
            assert_true(a.size > size);
            size = a.size;
        }
        decision("server", 99, &text); /* in flight when it dies */
        ask(w->calld, 99, MSG_APPEND_STATEMENT, false, buf_span(&text));
        buf_fini(&text);
        kill(w->d.pid, SIGKILL);
        stop(w);
        assert_int_equal(store_reader_open(w->dirfd, &w->vkey, &r, &err), 0);
        assert_true(r.head.size >= size);
        if (store_reader_verify(&r, one_of_decisions, w, &err) < 0)
            fail_msg("%s", err.msg);
        size = r.head.size;
        store_reader_fini(&r);
        start(w);
    }
}

static void a_damaged_log_refuses_with_the_reason(void **state)
{
    struct world *w = *state;
    struct msg_appended a;
    struct buf text;
    int fd;

    give_key(w);
    append_decision(w, 1, &a);
    stop(w);
    fd = openat(w->dirfd, "checkpoint", O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, "X", 1, 0) == 1);
    close(fd);
    fd = openat(w->dirfd, "journal", O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, "X", 1, 0) == 1);
    close(fd);
    start(w);
    give_key(w);
    decision("server", 2, &text);
    ask(w->calld, 1, MSG_APPEND_STATEMENT, false, buf_span(&text));
    expect_refused(w->calld, ERR_MISMATCH);
    driver_put(
            w->calld, MSG_CHECKPOINT_GET, 2, &(struct msg_empty){0}, NULL, 0);
    expect_refused(w->calld, ERR_STATE);
    buf_fini(&text);
}

static void another_log_key_ends_it(void **state)
{
    struct world *w = *state;
    struct msg_log_key k = {.seed = {9}};
    struct msg_appended a;

    give_key(w);
    give_key(w); /* the same: keyd was restarted */
    append_decision(w, 1, &a);
    driver_put(w->keyd, MSG_LOG_KEY, 0, &k, NULL, 0);
    assert_int_not_equal(driver_wait(&w->d), 0);
}

static void a_message_out_of_place_ends_it(void **state)
{
    struct world *w = *state;
    struct msg_log_key k = {.seed = {9}};

    driver_put(w->calld, MSG_LOG_KEY, 0, &k, NULL, 0);
    assert_int_not_equal(driver_wait(&w->d), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
            T(a_statement_is_signed_logged_and_proved),
            T(an_envelope_is_logged_as_it_came),
            T(records_wait_for_the_key),
            T(a_role_writes_of_its_own_acts_alone),
            T(what_no_reader_could_read_is_refused),
            T(many_at_once_get_an_index_each),
            T(kills_lose_nothing),
            T(a_damaged_log_refuses_with_the_reason),
            T(another_log_key_ends_it),
            T(a_message_out_of_place_ends_it),
    };

    if (argc < 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
