/* SPDX-License-Identifier: Apache-2.0 */
/* The pure handshake.  A connection is a number; its exporter is a hash. */
#include "channel_attest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct end {
    struct channel_attest a;
    uint8_t connection;
};

static bool exporter_broken;

static int exporter(
        void *arg, const char *label, struct span context, uint8_t *ret)
{
    const struct end *e = arg;
    uint8_t bytes[128];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct span s;

    if (exporter_broken)
        return ERR_CRYPTO;
    wire_put_u8(&w, e->connection);
    wire_put_vec8(&w, span_str(label));
    wire_put_vec8(&w, context);
    assert_true(wire_finish(&w, &s));
    crypto_hash(CRYPTO_SHA384, s, ret);
    return 0;
}

static struct channel_attest_conf conf_of(
        struct end *e, enum channel_attest_role role, uint16_t round)
{
    bool client = role == CHANNEL_ATTEST_CLIENT;
    struct channel_attest_conf c = {
            .role = role,
            .round = round,
            .interval_s = client ? 30 : 60,
            .exporter = exporter,
            .exporter_arg = e,
    };
    (void)snprintf(c.zone, sizeof(c.zone), "%s", client ? "thin" : "server");
    (void)snprintf(c.peer, sizeof(c.peer), "%s", client ? "server" : "thin");
    crypto_random(c.nonce, sizeof(c.nonce));
    memset(c.spki, client ? 0xcc : 0x55, sizeof(c.spki));
    memset(c.peer_spki, client ? 0x55 : 0xcc, sizeof(c.peer_spki));
    return c;
}

static void end_init(struct end *e, enum channel_attest_role role,
        uint8_t connection, uint16_t round)
{
    struct channel_attest_conf c = conf_of(e, role, round);

    e->connection = connection;
    assert_int_equal(channel_attest_init(&e->a, &c), 0);
}

/* What a has to say, to b; the result of b's feed. */
static int move(struct end *a, struct end *b)
{
    size_t used = 0;
    int rc = channel_attest_feed(&b->a, buf_span(&a->a.out), &used, NULL);

    buf_consume(&a->a.out, rc == 0 ? used : a->a.out.len);
    return rc;
}

static void quote(struct end *e)
{
    assert_int_equal(channel_attest_want(&e->a), CHANNEL_ATTEST_EVIDENCE);
    assert_int_equal(
            channel_attest_evidence(&e->a, SPAN_OF(e->a.binder), NULL), 0);
}

/* As attestd would: is the quote over the binder that it should be over? */
static bool is_genuine(const struct end *e)
{
    assert_int_equal(channel_attest_want(&e->a), CHANNEL_ATTEST_APPRAISE);
    return span_eq(buf_span(&e->a.untrusted_evidence), SPAN_OF(e->a.binder));
}

static void accept_it(struct end *e)
{
    assert_true(is_genuine(e));
    assert_int_equal(channel_attest_appraised(&e->a, true, NULL), 0);
}

/* Up to the moment before the server appraises. */
static void run_to_client_evidence(struct end *c, struct end *s)
{
    assert_int_equal(move(c, s), 0);
    quote(s);
    assert_int_equal(move(s, c), 0);
    accept_it(c);
    quote(c);
    assert_int_equal(move(c, s), 0);
}

static void run_to_end(struct end *c, struct end *s)
{
    run_to_client_evidence(c, s);
    accept_it(s);
    assert_int_equal(channel_attest_want(&s->a), CHANNEL_ATTEST_CONFIRM);
    assert_int_equal(s->a.out.len, 0); /* no yes before the record */
    assert_int_equal(channel_attest_confirm(&s->a), 0);
    assert_int_equal(channel_attest_want(&s->a), CHANNEL_ATTEST_DONE);
    assert_int_equal(move(s, c), 0);
    assert_int_equal(channel_attest_want(&c->a), CHANNEL_ATTEST_CONFIRM);
    assert_int_equal(channel_attest_confirm(&c->a), 0);
    assert_int_equal(channel_attest_want(&c->a), CHANNEL_ATTEST_DONE);
}

static void fini(struct end *c, struct end *s)
{
    channel_attest_fini(&c->a);
    channel_attest_fini(&s->a);
}

static void both(struct end *c, struct end *s, uint16_t round)
{
    end_init(c, CHANNEL_ATTEST_CLIENT, 1, round);
    end_init(s, CHANNEL_ATTEST_SERVER, 1, round);
}

/* ---- what works ------------------------------------------------------ */

static void honest_round_ends_in_done(void **state)
{
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    run_to_end(&c, &s);
    assert_int_equal(c.a.peer_interval_s, 60);
    assert_int_equal(s.a.peer_interval_s, 30);
    fini(&c, &s);
}

static void bytes_may_come_one_by_one(void **state)
{
    struct end c, s;
    size_t used;
    (void)state;

    both(&c, &s, 0);
    for (size_t i = 0; i < c.a.out.len; i++)
        assert_int_equal(channel_attest_feed(
                                 &s.a, SPAN(c.a.out.ptr + i, 1), &used, NULL),
                0);
    buf_reset(&c.a.out);
    quote(&s);
    for (size_t i = 0; i < s.a.out.len; i++) {
        assert_int_equal(channel_attest_want(&c.a), CHANNEL_ATTEST_INPUT);
        assert_int_equal(channel_attest_feed(
                                 &c.a, SPAN(s.a.out.ptr + i, 1), &used, NULL),
                0);
        assert_int_equal(used, 1);
    }
    assert_true(is_genuine(&c));
    fini(&c, &s);
}

static void what_follows_the_last_verdict_is_left(void **state)
{
    struct end c, s;
    size_t used = 0, len;
    (void)state;

    both(&c, &s, 0);
    run_to_client_evidence(&c, &s);
    accept_it(&s);
    assert_int_equal(channel_attest_confirm(&s.a), 0);
    len = s.a.out.len;
    buf_append_str(&s.a.out, "PRI * HTTP/2.0");
    assert_int_equal(
            channel_attest_feed(&c.a, buf_span(&s.a.out), &used, NULL), 0);
    assert_int_equal(used, len);
    assert_int_equal(
            channel_attest_feed(&c.a, span_str("more"), &used, NULL), 0);
    assert_int_equal(used, 0);
    fini(&c, &s);
}

/* ---- what an attacker in the middle tries ---------------------------- */

/* Two TLS connections, all frames carried over unchanged: the man in the
 * middle has a genuine machine's answers, and they do not fit. */
static void relay_through_two_connections_is_found(void **state)
{
    struct end c, s;
    (void)state;

    end_init(&c, CHANNEL_ATTEST_CLIENT, 1, 0);
    end_init(&s, CHANNEL_ATTEST_SERVER, 2, 0);
    assert_int_equal(move(&c, &s), 0);
    quote(&s);
    assert_int_equal(move(&s, &c), 0);
    assert_false(is_genuine(&c));
    fini(&c, &s);
}

/* As above, but the middle also has certificates of its own on each leg. */
static void relay_with_other_keys_is_found(void **state)
{
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    memset(c.a.conf.peer_spki, 0x66, sizeof(c.a.conf.peer_spki));
    assert_int_equal(move(&c, &s), 0);
    quote(&s);
    assert_int_equal(move(&s, &c), 0);
    assert_false(is_genuine(&c));
    fini(&c, &s);
}

static void reflected_hello_is_refused(void **state)
{
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    assert_int_equal(move(&c, &c), ERR_PEER);
    assert_int_equal(channel_attest_want(&c.a), CHANNEL_ATTEST_FAILED);
    fini(&c, &s);
}

/* Attacker's server feeds the client's own quote back, taken in a round in
 * which it played client on the same kind of connection. */
static void reflected_evidence_does_not_fit(void **state)
{
    struct end c, s;
    struct buf quoted = BUF_INIT(CHANNEL_BINDER);
    (void)state;

    both(&c, &s, 0);
    run_to_client_evidence(&c, &s);
    buf_append(&quoted, buf_span(&s.a.untrusted_evidence));
    fini(&c, &s);
    both(&c, &s, 0);
    assert_int_equal(move(&c, &s), 0);
    assert_int_equal(channel_attest_evidence(&s.a, buf_span(&quoted), NULL), 0);
    assert_int_equal(move(&s, &c), 0);
    assert_false(is_genuine(&c));
    buf_fini(&quoted);
    fini(&c, &s);
}

/* Role in the binder, all else equal: the values themselves. */
static void roles_quote_over_different_binders(void **state)
{
    struct end c, s;
    uint8_t server[CHANNEL_BINDER];
    (void)state;

    both(&c, &s, 0);
    memset(c.a.conf.spki, 7, CRYPTO_SHA384_SIZE); /* even with equal keys */
    memset(c.a.conf.peer_spki, 7, CRYPTO_SHA384_SIZE);
    memset(s.a.conf.spki, 7, CRYPTO_SHA384_SIZE);
    memset(s.a.conf.peer_spki, 7, CRYPTO_SHA384_SIZE);
    assert_int_equal(move(&c, &s), 0);
    memcpy(server, s.a.binder, CHANNEL_BINDER);
    quote(&s);
    assert_int_equal(move(&s, &c), 0);
    accept_it(&c);
    assert_memory_not_equal(server, c.a.binder, CHANNEL_BINDER);
    fini(&c, &s);
}

static void frames_of_an_earlier_round_are_refused(void **state)
{
    struct end c, s, later;
    struct buf old = BUF_INIT(CHANNEL_FRAME_MAX * 2);
    size_t used;
    (void)state;

    both(&c, &s, 3);
    assert_int_equal(move(&c, &s), 0);
    quote(&s);
    buf_append(&old, buf_span(&s.a.out));
    end_init(&later, CHANNEL_ATTEST_CLIENT, 1, 4);
    assert_int_equal(channel_attest_feed(&later.a, buf_span(&old), &used, NULL),
            ERR_PEER);
    channel_attest_fini(&later.a);
    /* With the number corrected they do not fit, either. */
    end_init(&later, CHANNEL_ATTEST_CLIENT, 1, 4);
    size_t evidence = old.len - CHANNEL_FRAME_HEADER - CHANNEL_BINDER;
    old.ptr[3] = 4;
    old.ptr[evidence + 3] = 4;
    assert_int_equal(
            channel_attest_feed(&later.a, buf_span(&old), &used, NULL), 0);
    assert_false(is_genuine(&later));
    channel_attest_fini(&later.a);
    buf_fini(&old);
    fini(&c, &s);
}

static void accepting_other_evidence_is_refused(void **state)
{
    struct end c, s;
    struct buf out = BUF_INIT(256);
    struct channel_frame_verdict v = {.accept = 1, .evidence = {1, 2, 3}};
    size_t used;
    (void)state;

    both(&c, &s, 0);
    assert_int_equal(move(&c, &s), 0);
    quote(&s);
    assert_int_equal(channel_frame_put_verdict(&out, 0, &v), 0);
    assert_int_equal(
            channel_attest_feed(&s.a, buf_span(&out), &used, NULL), ERR_PEER);
    buf_fini(&out);
    fini(&c, &s);
}

static void denial_ends_it_on_both_sides(void **state)
{
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    run_to_client_evidence(&c, &s);
    assert_int_equal(channel_attest_appraised(&s.a, false, NULL), ERR_DENIED);
    assert_int_equal(channel_attest_want(&s.a), CHANNEL_ATTEST_FAILED);
    assert_int_equal(s.a.out.len, CHANNEL_FRAME_HEADER + CHANNEL_FRAME_VERDICT);
    assert_int_equal(move(&s, &c), ERR_DENIED);
    assert_true(c.a.peer_denied);
    assert_int_equal(c.a.peer_reason, CHANNEL_REASON_EVIDENCE);
    assert_int_equal(c.a.out.len, 0); /* no argument about it */
    fini(&c, &s);
}

static void missing_exporter_is_fatal(void **state)
{
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    exporter_broken = true;
    assert_int_equal(move(&c, &s), ERR_CRYPTO);
    exporter_broken = false;
    assert_int_equal(channel_attest_want(&s.a), CHANNEL_ATTEST_FAILED);
    fini(&c, &s);
}

static void speaking_out_of_turn_is_refused(void **state)
{
    struct end c, s;
    size_t used;
    (void)state;

    both(&c, &s, 0);
    assert_int_equal(move(&c, &s), 0); /* the server takes its quote */
    assert_int_equal(
            channel_attest_feed(&s.a, span_str("x"), &used, NULL), ERR_PEER);
    fini(&c, &s);
    both(&c, &s, 0);
    run_to_client_evidence(&c, &s); /* the server appraises */
    assert_int_equal(
            channel_attest_feed(&s.a, span_str("x"), &used, NULL), ERR_PEER);
    fini(&c, &s);
}

static void own_answers_out_of_order_change_nothing(void **state)
{
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    assert_int_equal(
            channel_attest_evidence(&c.a, span_str("x"), NULL), ERR_STATE);
    assert_int_equal(channel_attest_appraised(&c.a, true, NULL), ERR_STATE);
    assert_int_equal(channel_attest_confirm(&c.a), ERR_STATE);
    run_to_end(&c, &s);
    assert_int_equal(channel_attest_confirm(&c.a), ERR_STATE);
    fini(&c, &s);
}

static void evidence_that_does_not_fit_is_not_sent(void **state)
{
    static uint8_t big[LIMIT_EVIDENCE_MAX + 1];
    struct end c, s;
    (void)state;

    both(&c, &s, 0);
    assert_int_equal(move(&c, &s), 0);
    assert_int_equal(
            channel_attest_evidence(&s.a, SPAN_OF(big), NULL), ERR_LIMIT);
    assert_int_equal(move(&s, &c), ERR_DENIED);
    assert_int_equal(c.a.peer_reason, CHANNEL_REASON_OWN);
    fini(&c, &s);
    both(&c, &s, 0);
    assert_int_equal(move(&c, &s), 0);
    assert_int_equal(
            channel_attest_evidence(&s.a, SPAN(big, LIMIT_EVIDENCE_MAX), NULL),
            0);
    assert_int_equal(move(&s, &c), 0);
    assert_int_equal(c.a.untrusted_evidence.len, LIMIT_EVIDENCE_MAX);
    fini(&c, &s);
}

/* ---- HELLO ----------------------------------------------------------- */

struct hello_case {
    const char *name;
    void (*spoil)(struct channel_frame_hello *h, const struct end *s);
};

static void hello_version(struct channel_frame_hello *h, const struct end *s)
{
    (void)s;
    h->version = 2;
}

static void hello_role(struct channel_frame_hello *h, const struct end *s)
{
    (void)s;
    h->role = CHANNEL_ATTEST_SERVER;
}

static void hello_from(struct channel_frame_hello *h, const struct end *s)
{
    (void)s;
    h->from = span_str("other");
}

static void hello_from_prefix(
        struct channel_frame_hello *h, const struct end *s)
{
    (void)s;
    h->from = span_str("thi");
}

static void hello_to(struct channel_frame_hello *h, const struct end *s)
{
    (void)s;
    h->to = span_str("other");
}

static void hello_nonce(struct channel_frame_hello *h, const struct end *s)
{
    memcpy(h->nonce, s->a.conf.nonce, sizeof(h->nonce));
}

static const struct hello_case hello_cases[] = {
        {"another version", hello_version},
        {"the server's role", hello_role},
        {"another zone than its certificate", hello_from},
        {"a prefix of its name", hello_from_prefix},
        {"meant for another zone", hello_to},
        {"the server's own nonce", hello_nonce},
};

static void hello_that_lies_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hello_cases); i++) {
        struct end s;
        struct buf out = BUF_INIT(256);
        struct channel_frame_hello h = {
                .version = 1,
                .role = CHANNEL_ATTEST_CLIENT,
                .interval_s = 30,
                .from = span_str("thin"),
                .to = span_str("server"),
        };
        size_t used;

        end_init(&s, CHANNEL_ATTEST_SERVER, 1, 0);
        hello_cases[i].spoil(&h, &s);
        assert_int_equal(channel_frame_put_hello(&out, 0, &h), 0);
        if (channel_attest_feed(&s.a, buf_span(&out), &used, NULL) == 0)
            fail_msg("accepted: %s", hello_cases[i].name);
        assert_int_equal(channel_attest_want(&s.a), CHANNEL_ATTEST_FAILED);
        buf_fini(&out);
        channel_attest_fini(&s.a);
    }
}

/* ---- frames ---------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t bytes[8];
    int rc;
} headers[] = {
        {"type 0", {0, 0, 0, 0, 0, 0, 0, 42}, ERR_SYNTAX},
        {"type 4", {4, 0, 0, 0, 0, 0, 0, 42}, ERR_SYNTAX},
        {"type 255", {255, 0, 0, 0, 0, 0, 0, 42}, ERR_SYNTAX},
        {"reserved byte", {1, 1, 0, 0, 0, 0, 0, 42}, ERR_SYNTAX},
        {"length 0", {1, 0, 0, 0, 0, 0, 0, 0}, ERR_SYNTAX},
        {"evidence of length 0", {2, 0, 0, 0, 0, 0, 0, 0}, ERR_SYNTAX},
        {"short hello", {1, 0, 0, 0, 0, 0, 0, 41}, ERR_SYNTAX},
        {"long hello", {1, 0, 0, 0, 0, 0, 0, 103}, ERR_LIMIT},
        {"evidence of max + 1", {2, 0, 0, 0, 0, 0x40, 0, 1}, ERR_LIMIT},
        {"length 2^31", {2, 0, 0, 0, 0x80, 0, 0, 0}, ERR_LIMIT},
        {"length 2^32-1", {2, 0, 0, 0, 255, 255, 255, 255}, ERR_LIMIT},
        {"short verdict", {3, 0, 0, 0, 0, 0, 0, 33}, ERR_SYNTAX},
        {"long verdict", {3, 0, 0, 0, 0, 0, 0, 35}, ERR_LIMIT},
};

static void bad_header_is_refused_before_a_body_is_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct end s;
        size_t used;

        end_init(&s, CHANNEL_ATTEST_SERVER, 1, 0);
        int rc = channel_attest_feed(
                &s.a, SPAN_OF(headers[i].bytes), &used, NULL);
        if (rc != headers[i].rc)
            fail_msg("%s: %d", headers[i].name, rc);
        assert_int_equal(channel_attest_want(&s.a), CHANNEL_ATTEST_FAILED);
        channel_attest_fini(&s.a);
    }
}

static void hello_is_canonical(void **state)
{
    struct buf out = BUF_INIT(256), longer = BUF_INIT(256);
    struct channel_frame_hello h = {.version = 1,
            .role = 1,
            .interval_s = 1,
            .from = span_str("a"),
            .to = span_str("b")};
    struct channel_frame_hello back;
    (void)state;

    assert_int_equal(channel_frame_put_hello(&out, 0, &h), 0);
    struct span body = SPAN(out.ptr + 8, out.len - 8);
    assert_int_equal(channel_frame_get_hello(body, &back), 0);
    assert_true(span_eq(back.from, h.from) && span_eq(back.to, h.to));
    for (size_t n = 0; n < body.len; n++)
        assert_int_equal(
                channel_frame_get_hello(SPAN(body.ptr, n), &back), ERR_SYNTAX);
    buf_append(&longer, body);
    buf_append_u8(&longer, 0);
    assert_int_equal(
            channel_frame_get_hello(buf_span(&longer), &back), ERR_SYNTAX);
    out.ptr[8 + 1] = 3;
    assert_int_equal(channel_frame_get_hello(body, &back), ERR_SYNTAX);
    out.ptr[8 + 1] = 1;
    out.ptr[8 + 37] = 0; /* interval 0 */
    assert_int_equal(channel_frame_get_hello(body, &back), ERR_SYNTAX);
    out.ptr[8 + 37] = 1;
    out.ptr[8 + 39] = '/'; /* not a name */
    assert_int_equal(channel_frame_get_hello(body, &back), ERR_SYNTAX);
    h.to = SPAN_EMPTY;
    assert_int_equal(channel_frame_put_hello(&longer, 0, &h), ERR_SYNTAX);
    buf_fini(&out);
    buf_fini(&longer);
}

static void verdict_has_one_spelling(void **state)
{
    uint8_t body[CHANNEL_FRAME_VERDICT] = {1};
    struct channel_frame_verdict v;
    (void)state;

    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), 0);
    body[0] = 2; /* neither yes nor no */
    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), ERR_SYNTAX);
    body[0] = 0; /* no without a reason */
    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), ERR_SYNTAX);
    body[1] = CHANNEL_REASON_COUNT;
    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), ERR_SYNTAX);
    body[1] = CHANNEL_REASON_EVIDENCE;
    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), 0);
    body[33] = 1; /* no, with the digest of what? */
    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), ERR_SYNTAX);
    body[0] = 1; /* yes, with a reason */
    assert_int_equal(channel_frame_get_verdict(SPAN_OF(body), &v), ERR_SYNTAX);
    assert_int_equal(channel_frame_get_verdict(
                             SPAN(body, CHANNEL_FRAME_VERDICT - 1), &v),
            ERR_SYNTAX);
}

/* Every well-formed frame in every state of either role: what the table of
 * the document does not allow ends the machine. */
static void only_the_documented_order_is_taken(void **state)
{
    static const bool allowed[3][3][4] = {
            /* by role, state (HELLO, EVIDENCE, VERDICT awaited), type */
            [CHANNEL_ATTEST_CLIENT] = {{0, 1, 0, 1}, {0, 0, 1, 1},
                    {0, 0, 0, 1}},
            [CHANNEL_ATTEST_SERVER] = {{0, 1, 0, 0}, {0, 0, 1, 1},
                    {0, 0, 0, 1}},
    };
    struct channel_frame_verdict no = {.reason = CHANNEL_REASON_BUSY};
    (void)state;

    for (int role = 1; role <= 2; role++) {
        for (int st = 0; st <= CHANNEL_ATTEST_S_VERDICT; st++) {
            for (int type = 1; type <= 3; type++) {
                struct end e, peer;
                struct buf out = BUF_INIT(256);
                size_t used;

                end_init(&e, (enum channel_attest_role)role, 1, 0);
                end_init(&peer, (enum channel_attest_role)(3 - role), 1, 0);
                e.a.state = (enum channel_attest_state)st;
                if (type == CHANNEL_FRAME_T_HELLO)
                    buf_append(&out, buf_span(&peer.a.mine));
                else if (type == CHANNEL_FRAME_T_EVIDENCE)
                    assert_int_equal(
                            channel_frame_put_evidence(&out, 0, span_str("x")),
                            0);
                else
                    assert_int_equal(
                            channel_frame_put_verdict(&out, 0, &no), 0);
                int rc = channel_attest_feed(&e.a, buf_span(&out), &used, NULL);
                bool taken = rc == 0 || (rc == ERR_DENIED && e.a.peer_denied);
                if (taken != allowed[role][st][type])
                    fail_msg("role %d, state %d, type %d: %d", role, st, type,
                            rc);
                buf_fini(&out);
                fini(&e, &peer);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(honest_round_ends_in_done),
            cmocka_unit_test(bytes_may_come_one_by_one),
            cmocka_unit_test(what_follows_the_last_verdict_is_left),
            cmocka_unit_test(relay_through_two_connections_is_found),
            cmocka_unit_test(relay_with_other_keys_is_found),
            cmocka_unit_test(reflected_hello_is_refused),
            cmocka_unit_test(reflected_evidence_does_not_fit),
            cmocka_unit_test(roles_quote_over_different_binders),
            cmocka_unit_test(frames_of_an_earlier_round_are_refused),
            cmocka_unit_test(accepting_other_evidence_is_refused),
            cmocka_unit_test(denial_ends_it_on_both_sides),
            cmocka_unit_test(missing_exporter_is_fatal),
            cmocka_unit_test(speaking_out_of_turn_is_refused),
            cmocka_unit_test(own_answers_out_of_order_change_nothing),
            cmocka_unit_test(evidence_that_does_not_fit_is_not_sent),
            cmocka_unit_test(hello_that_lies_is_refused),
            cmocka_unit_test(bad_header_is_refused_before_a_body_is_kept),
            cmocka_unit_test(hello_is_canonical),
            cmocka_unit_test(verdict_has_one_spelling),
            cmocka_unit_test(only_the_documented_order_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
