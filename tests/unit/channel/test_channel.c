/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- opening --------------------------------------------------------- */

static void opens_after_both_accepted(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    assert_int_equal(f.client.confirms, 1);
    assert_int_equal(f.server.confirms, 1);
    assert_string_equal(channel_peer(f.client.ch), "server");
    assert_string_equal(channel_peer(f.server.ch), "thin");
    /* Each side appraised over what the other side quoted, and the two
     * binders differ: a reflected quote is good for nothing. */
    assert_memory_equal(f.client.binder, f.server.peer_binder, CHANNEL_BINDER);
    assert_memory_equal(f.server.binder, f.client.peer_binder, CHANNEL_BINDER);
    assert_memory_not_equal(f.client.binder, f.server.binder, CHANNEL_BINDER);
    fixture_fini(&f);
}

static void client_keeps_its_evidence_from_a_bad_server(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    f.client.deny = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_int_equal(f.client.evidences, 0);
    assert_int_equal(f.client.closed_code, ERR_DENIED);
    assert_int_equal(f.server.closed_code, ERR_DENIED);
    assert_non_null(strstr(f.server.closed_reason, "did not accept"));
    fixture_fini(&f);
}

static void server_denies_with_a_class_only(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    f.server.deny = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_int_equal(f.server.confirms, 0);
    assert_int_equal(f.client.confirms, 0);
    assert_int_equal(f.client.closed, 1);
    assert_string_equal(f.client.closed_reason,
            "attestation: server: did not accept this zone's evidence");
    fixture_fini(&f);
}

static void quote_over_another_binder_is_refused(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    f.server.lie = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_int_equal(f.client.closed_code, ERR_DENIED);
    assert_int_equal(f.client.evidences, 0);
    fixture_fini(&f);
}

static void side_without_evidence_says_so(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    f.server.no_evidence = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_non_null(strstr(f.client.closed_reason, "cannot prove its own"));
    assert_int_equal(f.client.appraisals, 0);
    fixture_fini(&f);
}

static void no_call_before_the_record_is_durable(void **state)
{
    struct fixture f;
    uint32_t id;
    int fds[2];
    (void)state;

    fixture_init(&f);
    f.client.hold_confirm = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_true(fixture_is_open(&f.server));
    assert_false(fixture_is_open(&f.client));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(
            channel_call(f.client.ch, span_str("e"), fds[0], 7, &f.now, &id),
            ERR_STATE);
    assert_int_equal(channel_round_confirm(f.client.ch, &f.now), 0);
    fixture_pump(&f);
    assert_int_equal(
            channel_call(f.client.ch, span_str("e"), fds[0], 7, &f.now, &id),
            0);
    fixture_pump(&f);
    assert_int_equal(f.server.incoming, 1);
    (void)close(fds[1]);
    fixture_fini(&f);
}

static void server_says_yes_only_after_its_record(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    f.server.hold_confirm = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_int_equal(f.client.confirms, 0);
    assert_int_equal(channel_round_confirm(f.server.ch, &f.now), 0);
    fixture_pump(&f);
    assert_int_equal(f.client.confirms, 1);
    assert_true(fixture_is_open(&f.client));
    fixture_fini(&f);
}

static void answers_nobody_asked_for_are_refused(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    assert_int_equal(channel_round_evidence(f.client.ch, span_str("x"), &f.now),
            ERR_STATE);
    assert_int_equal(
            channel_round_appraised(f.client.ch, true, &f.now), ERR_STATE);
    assert_int_equal(channel_round_confirm(f.client.ch, &f.now), ERR_STATE);
    assert_int_equal(
            channel_round_cannot(f.client.ch, CHANNEL_REASON_OWN, &f.now),
            ERR_STATE);
    assert_true(fixture_is_open(&f.client));
    fixture_fini(&f);
}

/* ---- who is it ------------------------------------------------------- */

struct identity_case {
    const char *name;
    void (*spoil)(struct fixture *f, struct fixture_own *server);
    const char *reason; /* of the client */
};

static void spoil_issuer(struct fixture *f, struct fixture_own *o)
{
    o->issuer = f->zones.identity[FIXTURE_OTHER];
}

static void spoil_expired(struct fixture *f, struct fixture_own *o)
{
    (void)f;
    o->from = FIXTURE_NOW - 7200;
    o->until = FIXTURE_NOW - 3600;
}

static void spoil_future(struct fixture *f, struct fixture_own *o)
{
    (void)f;
    o->from = FIXTURE_NOW + 3600;
    o->until = FIXTURE_NOW + 7200;
}

static void spoil_long(struct fixture *f, struct fixture_own *o)
{
    (void)f;
    o->until = o->from + CHANNEL_CERT_MAX_S + 1;
}

static void spoil_name(struct fixture *f, struct fixture_own *o)
{
    (void)f;
    o->cert_name = "other";
}

static const struct identity_case own_cases[] = {
        {"issuer", spoil_issuer, "not from that zone's identity"},
        {"expired", spoil_expired, "expired"},
        {"not yet", spoil_future, "not valid yet"},
        {"too long", spoil_long, "more than a day"},
        {"name", spoil_name, "another name"},
};

static void own_certificate_is_held_to_the_same_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(own_cases); i++) {
        struct fixture f;
        struct err err = {0};

        fixture_init(&f);
        struct fixture_own o = fixture_own(&f.zones, FIXTURE_SERVER);
        own_cases[i].spoil(&f, &o);
        assert_null(fixture_context(&f.zones, &o, &err));
        if (strstr(err.msg, own_cases[i].reason) == NULL)
            fail_msg("%s: %s", own_cases[i].name, err.msg);
        fixture_fini(&f);
    }
}

/* Server's context from a pack of its own, so that it passes there. */
static void join_with(struct fixture *f, const struct fixture_zones *pack,
        const struct fixture_own *own, const char *dial)
{
    struct err err = {0};

    channel_context_unref(f->ctx[1]);
    f->ctx[1] = fixture_context(pack, own, &err);
    if (f->ctx[1] == NULL)
        fail_msg("%s", err.msg);
    fixture_join(f, dial);
    fixture_pump(f);
}

static void assert_client_refused(const struct fixture *f, const char *reason)
{
    assert_int_equal(f->client.closed, 1);
    assert_int_equal(f->client.evidences, 0);
    assert_int_equal(f->client.appraisals, 0);
    assert_int_equal(f->server.confirms, 0);
    if (strstr(f->client.closed_reason, reason) == NULL)
        fail_msg("client says: %s", f->client.closed_reason);
    assert_int_equal(f->server.closed, 1);
}

static void impostor_with_its_own_identity_is_refused(void **state)
{
    struct fixture f;
    struct fixture_zones fake;
    (void)state;

    fixture_init(&f);
    fixture_zones_init(&fake);
    /* Knows thin's identity, calls itself server. */
    fake.zones[FIXTURE_THIN] = f.zones.zones[FIXTURE_THIN];
    struct fixture_own o = fixture_own(&fake, FIXTURE_SERVER);
    join_with(&f, &fake, &o, "server");
    assert_client_refused(&f, "not from that zone's identity");
    fixture_fini(&f);
    fixture_zones_fini(&fake);
}

static void another_zone_than_dialled_is_refused(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    struct fixture_own o = fixture_own(&f.zones, FIXTURE_OTHER);
    join_with(&f, &f.zones, &o, "server");
    assert_client_refused(&f, "server was dialled, other answered");
    fixture_fini(&f);
}

static void server_with_the_clients_own_name_is_refused(void **state)
{
    struct fixture f;
    struct fixture_own o;
    (void)state;

    /* Both are "thin": a copied or restored machine, or a thief of its key. */
    fixture_init(&f);
    o = fixture_own(&f.zones, FIXTURE_THIN);
    join_with(&f, &f.zones, &o, "server");
    assert_client_refused(&f, "this zone's own name thin");
    fixture_fini(&f);
}

static void client_with_the_servers_own_name_is_refused(void **state)
{
    struct fixture f;
    struct err err = {0};
    (void)state;

    fixture_init(&f);
    channel_context_unref(f.ctx[0]);
    struct fixture_own o = fixture_own(&f.zones, FIXTURE_SERVER);
    f.ctx[0] = fixture_context(&f.zones, &o, &err);
    assert_non_null(f.ctx[0]);
    fixture_join(&f, "other"); /* so that the name itself is no obstacle */
    fixture_pump(&f);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.server.evidences, 0);
    fixture_fini(&f);
}

static void unknown_client_learns_nothing(void **state)
{
    struct fixture f;
    struct err err = {0};
    (void)state;

    fixture_init(&f);
    struct fixture_own o = fixture_own(&f.zones, FIXTURE_OTHER);
    channel_context_unref(f.ctx[0]);
    f.ctx[0] = fixture_context(&f.zones, &o, &err);
    assert_non_null(f.ctx[0]);
    /* The server's pack does not have "other". */
    struct fixture_zones pack = f.zones;
    pack.n_zones = 2;
    o = fixture_own(&f.zones, FIXTURE_SERVER);
    channel_context_unref(f.ctx[1]);
    f.ctx[1] = fixture_context(&pack, &o, &err);
    assert_non_null(f.ctx[1]);
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_string_equal(
            f.server.closed_reason, "zone other is not in the pack");
    assert_int_equal(f.server.evidences, 0);
    assert_int_equal(f.client.closed, 1);
    fixture_fini(&f);
}

static void name_that_two_zones_have_means_nobody(void **state)
{
    struct fixture f;
    struct err err = {0};
    (void)state;

    fixture_init(&f);
    struct fixture_zones pack = f.zones;
    pack.zones[3] = pack.zones[FIXTURE_OTHER];
    memcpy(pack.zones[3].name, "server", 7);
    pack.n_zones = 4;
    struct fixture_own o = fixture_own(&f.zones, FIXTURE_THIN);
    channel_context_unref(f.ctx[0]);
    f.ctx[0] = fixture_context(&pack, &o, &err);
    assert_non_null(f.ctx[0]);
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_client_refused(&f, "two zones of the name server");
    fixture_fini(&f);
}

static void peer_that_does_not_speak_tls_is_cheap(void **state)
{
    struct fixture f;
    int fds[2];
    (void)state;

    fixture_init(&f);
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    fixture_side_accept(&f.server, f.ctx[1], fds[0]);
    assert_int_equal(write(fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    fixture_pump(&f);
    assert_int_equal(f.server.closed, 1);
    (void)close(fds[1]);
    fixture_fini(&f);
}

static void silent_peer_is_given_up(void **state)
{
    struct fixture f;
    int fds[2];
    (void)state;

    fixture_init(&f);
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    fixture_side_accept(&f.server, f.ctx[1], fds[0]);
    fixture_pump(&f);
    fixture_later(&f, CHANNEL_TLS_MS - 1);
    assert_int_equal(f.server.closed, 0);
    fixture_later(&f, 1);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.server.closed_code, ERR_TIMEOUT);
    (void)close(fds[1]);
    fixture_fini(&f);
}

static void stalled_attestation_is_given_up(void **state)
{
    struct fixture f;
    (void)state;

    fixture_init(&f);
    f.server.hold_evidence = true;
    fixture_join(&f, "server");
    fixture_pump(&f);
    fixture_later(&f, CHANNEL_HANDSHAKE_MS);
    /* Whose timer is first is chance. */
    assert_true(f.server.closed_code == ERR_TIMEOUT ||
                f.client.closed_code == ERR_TIMEOUT);
    assert_int_equal(f.server.closed, 1);
    assert_int_equal(f.client.closed, 1);
    fixture_fini(&f);
}

/* ---- calls ----------------------------------------------------------- */

static void assert_reads(int fd, const char *text)
{
    char buf[64];
    ssize_t n = read(fd, buf, sizeof(buf));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static void call_carries_bytes_and_half_closes(void **state)
{
    struct fixture f;
    uint32_t id;
    char c;
    (void)state;

    fixture_open(&f);
    int fd = fixture_call(&f, "the envelope", &id);
    assert_int_equal(write(fd, "question", 8), 8);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    fixture_pump(&f);
    assert_string_equal(f.server.envelope, "the envelope");
    assert_int_equal(f.client.answers, 1);
    assert_int_equal(f.client.answer_code, 0);
    assert_reads(f.server.served, "question");
    assert_int_equal(read(f.server.served, &c, 1), 0);
    /* The other half still works. */
    assert_int_equal(write(f.server.served, "answer", 6), 6);
    fixture_pump(&f);
    assert_reads(fd, "answer");
    assert_int_equal(read(fd, &c, 1), -1);
    assert_int_equal(errno, EAGAIN);
    (void)close(f.server.served);
    f.server.served = -1;
    fixture_pump(&f);
    assert_int_equal(read(fd, &c, 1), 0);
    struct channel_status st;
    channel_status(f.client.ch, &st);
    assert_int_equal(st.streams, 0);
    assert_int_equal(st.bytes_out, 8);
    assert_int_equal(st.bytes_in, 6);
    channel_status(f.server.ch, &st);
    assert_int_equal(st.streams, 0);
    (void)close(fd);
    fixture_fini(&f);
}

static void refusal_names_where_and_cannot_inject_headers(void **state)
{
    struct fixture f;
    uint32_t id;
    char c;
    (void)state;

    fixture_open(&f);
    f.server.refuse_calls = true;
    int fd = fixture_call(&f, "e", &id);
    assert_int_equal(write(fd, "early bytes", 11), 11);
    fixture_pump(&f);
    assert_int_equal(f.client.answers, 1);
    assert_int_equal(f.client.answer_code, ERR_DENIED);
    assert_string_equal(f.client.answer_where, "policy of zone x");
    assert_non_null(strstr(f.client.answer_reason, "line 3 says no\\x0d\\x0a"));
    assert_int_equal(read(fd, &c, 1), 0);
    struct channel_status st;
    channel_status(f.server.ch, &st);
    assert_int_equal(st.streams, 0);
    assert_true(fixture_is_open(&f.client));
    (void)close(fd);
    fixture_fini(&f);
}

/* Callers that leave early must not look like an attack (rapid reset). */
static void thousands_of_short_calls_are_no_attack(void **state)
{
    struct fixture f;
    uint32_t id;
    (void)state;

    for (int kind = 0; kind < 2; kind++) {
        fixture_open(&f);
        f.server.refuse_calls = kind == 1;
        for (unsigned i = 1; i <= 3000; i++) {
            int fd = fixture_call(&f, "e", &id);
            (void)close(fd); /* before the answer */
            fixture_pump(&f);
            if (kind == 0) {
                (void)close(f.server.served);
                f.server.served = -1;
                fixture_pump(&f);
            }
            assert_int_equal(f.client.answers, i);
        }
        assert_true(fixture_is_open(&f.client));
        assert_true(fixture_is_open(&f.server));
        fixture_fini(&f);
    }
}

/* A caller that is gone while the callee talks on: the callee is stopped. */
static void callee_of_a_dead_caller_is_stopped(void **state)
{
    static char bytes[65536];
    struct fixture f;
    uint32_t id;
    (void)state;

    fixture_open(&f);
    int fd = fixture_call(&f, "e", &id);
    fixture_pump(&f);
    (void)close(fd);
    ssize_t n = 1;
    for (int i = 0; i < 100 && n > 0; i++) {
        n = send(f.server.served, bytes, sizeof(bytes), MSG_NOSIGNAL);
        fixture_pump(&f);
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, EPIPE);
    /* One that is silent is stopped as well. */
    (void)close(f.server.served);
    fd = fixture_call(&f, "e", &id);
    fixture_pump(&f);
    (void)close(fd);
    fixture_pump(&f);
    struct channel_status st;
    channel_status(f.client.ch, &st);
    assert_int_equal(st.streams, 1);
    fixture_later(&f, 1000);
    channel_status(f.client.ch, &st);
    assert_int_equal(st.streams, 0);
    channel_status(f.server.ch, &st);
    assert_int_equal(st.streams, 0);
    fixture_fini(&f);
}

static void cancel_before_the_answer_is_heard_on_both_sides(void **state)
{
    struct fixture f;
    uint32_t id;
    (void)state;

    fixture_open(&f);
    f.server.hold_calls = true;
    int fd = fixture_call(&f, "e", &id);
    fixture_pump(&f);
    assert_int_equal(f.server.incoming, 1);
    channel_call_cancel(
            f.client.ch, id, ERR_TIMEOUT, "deadline passed", &f.now);
    assert_int_equal(f.client.answers, 1);
    assert_int_equal(f.client.answer_code, ERR_TIMEOUT);
    fixture_pump(&f);
    /* The target's yes comes too late, and finds nobody. */
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(
            channel_call_serve(f.server.ch, f.server.stream, fds[0], &f.now),
            ERR_NOT_FOUND);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(f.client.answers, 1);
    (void)close(fd);
    fixture_fini(&f);
}

static void cancel_before_the_request_left(void **state)
{
    struct fixture f;
    uint32_t id;
    (void)state;

    fixture_open(&f);
    int fd = fixture_call(&f, "e", &id);
    channel_call_cancel(
            f.client.ch, id, ERR_TIMEOUT, "deadline passed", &f.now);
    fixture_pump(&f);
    assert_int_equal(f.client.answers, 1);
    assert_int_equal(f.server.incoming, 0);
    struct channel_status st;
    channel_status(f.client.ch, &st);
    assert_int_equal(st.streams, 0);
    (void)close(fd);
    fixture_fini(&f);
}

/* Local party writes until nothing moves any more. */
static size_t push_until_full(struct fixture *f, int fd)
{
    static const char bytes[16384];
    size_t total = 0;

    for (unsigned idle = 0; idle < 3;) {
        ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0) {
            total += (size_t)n;
            idle = 0;
        } else {
            idle++;
        }
        fixture_pump(f);
        assert_true(total < 64u << 20);
    }
    return total;
}

static void blocked_stream_is_bounded_and_holds_back_nobody(void **state)
{
    struct fixture f;
    uint32_t id;
    (void)state;

    fixture_open(&f);
    int blocked = fixture_call(&f, "blocked", &id);
    fixture_pump(&f);
    int reader = f.server.served; /* that does not read */
    size_t total = push_until_full(&f, blocked);
    assert_true(total >= CHANNEL_WINDOW);
    assert_true(total < 4 * CHANNEL_WINDOW);
    /* Its neighbour runs as if it were alone. */
    int fd = fixture_call(&f, "free", &id);
    fixture_pump(&f);
    size_t sent = 0, got = 0;
    static char bytes[65536];
    while (got < 8u << 20) {
        ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        fixture_pump(&f);
        n = recv(f.server.served, bytes, sizeof(bytes), MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        assert_true(n > 0 || sent > got);
    }
    /* And when the reader wakes, not a byte is missing. */
    size_t drained = 0;
    for (unsigned idle = 0; idle < 3;) {
        ssize_t n = recv(reader, bytes, sizeof(bytes), MSG_DONTWAIT);
        drained += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        fixture_pump(&f);
    }
    assert_int_equal(drained, total);
    (void)close(reader);
    (void)close(blocked);
    (void)close(fd);
    fixture_fini(&f);
}

static void more_calls_than_allowed_are_refused_locally(void **state)
{
    struct fixture f;
    uint32_t id;
    int fds[2];
    static int open_fds[CHANNEL_STREAMS_MAX];
    (void)state;

    fixture_open(&f);
    f.server.hold_calls = true;
    for (int i = 0; i < CHANNEL_STREAMS_MAX; i++) {
        open_fds[i] = fixture_call(&f, "e", &id);
        fixture_pump(&f);
    }
    assert_int_equal(f.server.incoming, CHANNEL_STREAMS_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(
            channel_call(f.client.ch, span_str("e"), fds[0], 7, &f.now, &id),
            ERR_LIMIT);
    (void)close(fds[0]);
    (void)close(fds[1]);
    for (int i = 0; i < CHANNEL_STREAMS_MAX; i++)
        (void)close(open_fds[i]);
    fixture_fini(&f);
}

static void callee_that_dies_is_an_end_for_the_caller(void **state)
{
    struct fixture f;
    uint32_t id;
    char c;
    (void)state;

    fixture_open(&f);
    int fd = fixture_call(&f, "e", &id);
    fixture_pump(&f);
    assert_int_equal(write(f.server.served, "last", 4), 4);
    (void)close(f.server.served);
    f.server.served = -1;
    fixture_pump(&f);
    assert_reads(fd, "last");
    assert_int_equal(read(fd, &c, 1), 0);
    /* Nobody hears what the caller still writes, and it learns so. */
    ssize_t n = 1;
    for (int i = 0; i < 100 && n > 0; i++) {
        n = send(fd, "x", 1, MSG_NOSIGNAL);
        fixture_pump(&f);
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, EPIPE);
    struct channel_status st;
    channel_status(f.server.ch, &st);
    assert_int_equal(st.streams, 0);
    (void)close(fd);
    fixture_fini(&f);
}

static void closing_answers_and_cuts_every_call(void **state)
{
    struct fixture f;
    uint32_t id;
    char c;
    (void)state;

    fixture_open(&f);
    int one = fixture_call(&f, "one", &id);
    fixture_pump(&f);
    f.server.hold_calls = true;
    int two = fixture_call(&f, "two", &id);
    fixture_pump(&f);
    assert_int_equal(f.client.answers, 1);
    channel_close(f.server.ch, ERR_DENIED, "state fell");
    fixture_pump(&f);
    assert_int_equal(f.server.closed, 1);
    assert_string_equal(f.server.closed_reason, "state fell");
    assert_int_equal(f.client.closed, 1);
    assert_int_equal(f.client.answers, 2);
    assert_int_equal(f.client.answer_code, ERR_PEER);
    assert_int_equal(read(one, &c, 1), 0);
    assert_int_equal(read(two, &c, 1), 0);
    assert_int_equal(read(f.server.served, &c, 1), 0);
    (void)close(one);
    (void)close(two);
    fixture_fini(&f);
}

/* ---- while it lives -------------------------------------------------- */

static void evidence_is_taken_again_while_streams_flow(void **state)
{
    struct fixture f;
    uint32_t id;
    uint8_t binder[CHANNEL_BINDER];
    (void)state;

    fixture_open(&f);
    int fd = fixture_call(&f, "e", &id);
    fixture_pump(&f);
    for (unsigned round = 1; round <= 70; round++) {
        memcpy(binder, f.server.binder, sizeof(binder));
        fixture_later(&f, 30000);
        assert_int_equal(f.client.confirms, round + 1);
        assert_int_equal(f.server.confirms, round + 1);
        assert_memory_not_equal(binder, f.server.binder, sizeof(binder));
        assert_int_equal(write(fd, "still here", 10), 10);
        fixture_pump(&f);
        assert_reads(f.server.served, "still here");
    }
    (void)close(fd);
    fixture_fini(&f);
}

static void state_that_falls_cuts_the_channel(void **state)
{
    struct fixture f;
    uint32_t id;
    char c;
    (void)state;

    for (int who = 0; who < 4; who++) {
        fixture_open(&f);
        int fd = fixture_call(&f, "e", &id);
        fixture_pump(&f);
        f.client.deny = who == 0;
        f.server.deny = who == 1;
        f.client.no_evidence = who == 2;
        f.server.no_evidence = who == 3;
        fixture_later(&f, 30000);
        assert_int_equal(f.client.closed, 1);
        assert_int_equal(f.server.closed, 1);
        assert_int_equal(f.client.closed_code, ERR_DENIED);
        assert_int_equal(f.server.closed_code, ERR_DENIED);
        assert_int_equal(read(fd, &c, 1), 0);
        assert_int_equal(read(f.server.served, &c, 1), 0);
        (void)close(fd);
        fixture_fini(&f);
    }
}

/* Whichever side it is, the other's log says why, by class. */
static void a_side_that_cuts_says_why(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct fixture f;
        uint32_t id;

        fixture_open(&f);
        int fd = fixture_call(&f, "x", &id);
        struct fixture_side *own = who ? &f.server : &f.client;
        struct fixture_side *peer = who ? &f.client : &f.server;

        channel_close_saying(own->ch,
                who ? CHANNEL_REASON_EVIDENCE : CHANNEL_REASON_OWN, ERR_DENIED,
                "state of the peer fell: policy.d/30.policy differs");
        fixture_pump(&f);
        assert_int_equal(own->closed, 1);
        assert_int_equal(peer->closed, 1);
        assert_int_equal(peer->closed_code, ERR_DENIED);
        assert_string_equal(peer->closed_reason,
                who ? "peer did not accept this zone's evidence"
                    : "peer cannot prove its own state");
        (void)close(fd);
        fixture_fini(&f);
    }
}

static void server_closes_when_no_fresh_evidence_comes(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    /* The client's machine hangs in its TPM, and its own timer as well. */
    f.client.hold_evidence = true;
    fixture_later(&f, 30000);
    assert_true(fixture_is_open(&f.server));
    fixture_later(&f, 29999);
    assert_true(fixture_is_open(&f.server));
    f.client.closed = 1;
    fixture_later(&f, 1);
    /* Its GOAWAY and goodbye fit the socket: it does not linger. */
    assert_int_equal(f.server.closed_code, ERR_TIMEOUT);
    fixture_fini(&f);
}

static void channel_ends_with_its_certificate(void **state)
{
    struct fixture f;
    struct err err = {0};
    (void)state;

    fixture_init(&f);
    struct fixture_own o = fixture_own(&f.zones, FIXTURE_SERVER);
    o.until = FIXTURE_NOW + 20;
    channel_context_unref(f.ctx[1]);
    f.ctx[1] = fixture_context(&f.zones, &o, &err);
    assert_non_null(f.ctx[1]);
    fixture_join(&f, "server");
    fixture_pump(&f);
    assert_true(fixture_is_open(&f.client));
    fixture_later(&f, 19000);
    assert_true(fixture_is_open(&f.client));
    fixture_later(&f, 1000);
    assert_int_equal(f.client.closed, 1);
    assert_int_equal(f.server.closed, 1);
    fixture_fini(&f);
}

static void vanished_peer_is_found_by_ping(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    f.server.closed = 1; /* never run again, its socket stays open */
    fixture_later(&f, CHANNEL_PING_MS);
    assert_true(fixture_is_open(&f.client));
    fixture_later(&f, CHANNEL_STALL_MS - CHANNEL_PING_MS);
    assert_int_equal(f.client.closed_code, ERR_TIMEOUT);
    fixture_fini(&f);
}

static void idle_channel_stays_open(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    for (int i = 0; i < 100; i++)
        fixture_later(&f, 7000);
    assert_true(fixture_is_open(&f.client));
    assert_true(fixture_is_open(&f.server));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(opens_after_both_accepted),
            cmocka_unit_test(client_keeps_its_evidence_from_a_bad_server),
            cmocka_unit_test(server_denies_with_a_class_only),
            cmocka_unit_test(quote_over_another_binder_is_refused),
            cmocka_unit_test(side_without_evidence_says_so),
            cmocka_unit_test(no_call_before_the_record_is_durable),
            cmocka_unit_test(server_says_yes_only_after_its_record),
            cmocka_unit_test(answers_nobody_asked_for_are_refused),
            cmocka_unit_test(own_certificate_is_held_to_the_same_rules),
            cmocka_unit_test(impostor_with_its_own_identity_is_refused),
            cmocka_unit_test(another_zone_than_dialled_is_refused),
            cmocka_unit_test(server_with_the_clients_own_name_is_refused),
            cmocka_unit_test(client_with_the_servers_own_name_is_refused),
            cmocka_unit_test(unknown_client_learns_nothing),
            cmocka_unit_test(name_that_two_zones_have_means_nobody),
            cmocka_unit_test(peer_that_does_not_speak_tls_is_cheap),
            cmocka_unit_test(silent_peer_is_given_up),
            cmocka_unit_test(stalled_attestation_is_given_up),
            cmocka_unit_test(call_carries_bytes_and_half_closes),
            cmocka_unit_test(refusal_names_where_and_cannot_inject_headers),
            cmocka_unit_test(thousands_of_short_calls_are_no_attack),
            cmocka_unit_test(callee_of_a_dead_caller_is_stopped),
            cmocka_unit_test(cancel_before_the_answer_is_heard_on_both_sides),
            cmocka_unit_test(cancel_before_the_request_left),
            cmocka_unit_test(blocked_stream_is_bounded_and_holds_back_nobody),
            cmocka_unit_test(more_calls_than_allowed_are_refused_locally),
            cmocka_unit_test(callee_that_dies_is_an_end_for_the_caller),
            cmocka_unit_test(closing_answers_and_cuts_every_call),
            cmocka_unit_test(evidence_is_taken_again_while_streams_flow),
            cmocka_unit_test(state_that_falls_cuts_the_channel),
            cmocka_unit_test(a_side_that_cuts_says_why),
            cmocka_unit_test(server_closes_when_no_fresh_evidence_comes),
            cmocka_unit_test(channel_ends_with_its_certificate),
            cmocka_unit_test(vanished_peer_is_found_by_ping),
            cmocka_unit_test(idle_channel_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
