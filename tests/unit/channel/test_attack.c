/* SPDX-License-Identifier: Apache-2.0 */
/* A proved peer that misbehaves: raw frames through its TLS connection. */
#include "channel_private.h"
#include "fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- frames by hand -------------------------------------------------- */

enum { DATA = 0, HEADERS = 1, PRIORITY = 2, RST = 3, SETTINGS = 4, PING = 6 };
#define END_STREAM  1
#define END_HEADERS 4

static void frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t stream,
        struct span body)
{
    uint8_t bytes[9];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));
    struct span s;

    wire_put_u8(&w, (uint8_t)(body.len >> 16));
    wire_put_u16be(&w, (uint16_t)body.len);
    wire_put_u8(&w, type);
    wire_put_u8(&w, flags);
    wire_put_u32be(&w, stream);
    assert_true(wire_finish(&w, &s));
    buf_append(b, s);
    buf_append(b, body);
}

/* HPACK: indexed fields, and literals without indexing. */
static void request(struct buf *b, uint32_t stream, const char *path,
        uint8_t method, uint8_t flags)
{
    struct buf h = BUF_INIT(512);

    /* The server's table has size 0, which a peer must acknowledge. */
    buf_append_u8(&h, 0x20);
    buf_append_u8(&h, method); /* 0x83 POST, 0x82 GET */
    buf_append_u8(&h, 0x87);
    buf_append(&h, span_str("\x01\x06server"));
    buf_append_u8(&h, 0x04);
    buf_append_u8(&h, (uint8_t)strlen(path));
    buf_append_str(&h, path);
    frame(b, HEADERS, flags | END_HEADERS, stream, buf_span(&h));
    buf_fini(&h);
}

static void call(struct buf *b, uint32_t stream)
{
    request(b, stream, "/qair/call/v1", 0x83, 0);
}

/* Sends it as the client, whose own HTTP/2 sees nothing from here on. */
static void attack(struct fixture *f, struct buf *b)
{
    size_t sent = 0;

    assert_int_equal(buf_ok(b, NULL), 0);
    f->client.closed = 1; /* not run any more */
    for (unsigned tries = 0; sent < b->len && tries < 100000; tries++) {
        size_t n;
        int rc = channel_tls_write(f->client.ch->tls,
                SPAN(b->ptr + sent, b->len - sent), &n, NULL);
        if (rc == 0)
            sent += n;
        else if (rc != ERR_STATE)
            break; /* the server has hung up */
        fixture_pump(f);
        if (f->server.closed)
            break;
    }
    fixture_pump(f);
    buf_fini(b);
}

static unsigned streams_of(const struct fixture_side *s)
{
    struct channel_status st;
    channel_status(s->ch, &st);
    return st.streams;
}

static void assert_closed(const struct fixture *f, const char *reason)
{
    assert_int_equal(f->server.closed, 1);
    if (strstr(f->server.closed_reason, reason) == NULL)
        fail_msg("server says: %s", f->server.closed_reason);
}

#define ATTACK_INIT BUF_INIT(8u << 20)

/* ---- floods ---------------------------------------------------------- */

static void floods_of_control_frames_end_the_channel(void **state)
{
    static const uint8_t zero[8];
    static const struct {
        uint8_t type;
        uint8_t len;
        uint32_t stream;
    } floods[] = {{PING, 8, 0}, {SETTINGS, 0, 0}, {PRIORITY, 5, 3}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        struct fixture f;
        struct buf b = ATTACK_INIT;

        fixture_open(&f);
        for (int n = 0; n < 300; n++)
            frame(&b, floods[i].type, 0, floods[i].stream,
                    SPAN(zero, floods[i].len));
        attack(&f, &b);
        assert_closed(&f, "lood"); /* nghttp2's words or ours */
        fixture_fini(&f);
    }
}

static void rapid_reset_ends_the_channel(void **state)
{
    static const uint8_t cancel[4] = {0, 0, 0, 8};
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    for (uint32_t n = 0; n < 2000; n++) {
        call(&b, 2 * n + 1);
        frame(&b, RST, 0, 2 * n + 1, SPAN_OF(cancel));
    }
    attack(&f, &b);
    assert_closed(&f, "floods calls that it resets");
    assert_int_equal(f.server.incoming, 0);
    fixture_fini(&f);
}

static void empty_data_flood_ends_the_channel(void **state)
{
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    call(&b, 1);
    for (int n = 0; n < 300; n++)
        frame(&b, DATA, 0, 1, SPAN_EMPTY);
    attack(&f, &b);
    assert_closed(&f, "flood");
    fixture_fini(&f);
}

static void more_streams_than_allowed_are_not_kept(void **state)
{
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    f.server.hold_calls = true;
    for (uint32_t n = 0; n < 1000; n++)
        call(&b, 2 * n + 1);
    attack(&f, &b);
    if (!f.server.closed)
        assert_true(streams_of(&f.server) <= CHANNEL_STREAMS_MAX + 1);
    fixture_fini(&f);
}

/* It goes on asking, so that it is not silent; the answers pile up. */
static void peer_that_never_reads_is_given_up(void **state)
{
    static const uint8_t zero[8];
    static uint8_t bytes[65536];
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    call(&b, 1);
    frame(&b, DATA, 0, 1, SPAN("\0\0\0\1e", 5));
    attack(&f, &b);
    assert_true(f.server.served >= 0);
    for (int i = 0; i < 8; i++) {
        while (send(f.server.served, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            continue;
        fixture_pump(&f);
    }
    assert_true(channel_io_has_output(f.server.ch));
    for (int i = 0; i < 5 && f.server.closed == 0; i++) {
        struct buf ping = ATTACK_INIT;
        frame(&ping, PING, 0, 0, SPAN_OF(zero));
        attack(&f, &ping);
        fixture_later(&f, CHANNEL_PING_MS - 1);
    }
    assert_closed(&f, "peer does not read");
    fixture_fini(&f);
}

static void header_bombs_are_refused(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct fixture f;
        struct buf b = ATTACK_INIT, h = BUF_INIT(1u << 20);

        fixture_open(&f);
        buf_append(&h,
                span_str("\x20\x83\x87\x01\x06server\x04\x0d/qair/call/v1"));
        for (int n = 0; n < (kind == 0 ? 40 : 1500); n++)
            buf_append(&h, SPAN("\0\1x\5aaaaa", 9));
        frame(&b, HEADERS, END_HEADERS, 1,
                SPAN(h.ptr, h.len < 16384 ? h.len : 16384));
        attack(&f, &b);
        assert_int_equal(f.server.incoming, 0);
        if (!f.server.closed)
            assert_int_equal(streams_of(&f.server), 0);
        buf_fini(&h);
        fixture_fini(&f);
    }
}

static void continuation_flood_ends_the_channel(void **state)
{
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    frame(&b, HEADERS, 0, 1, span_str("\x20\x83"));
    for (int n = 0; n < 50; n++)
        frame(&b, 9, 0, 1, SPAN_EMPTY);
    attack(&f, &b);
    assert_int_equal(f.server.closed, 1);
    fixture_fini(&f);
}

/* ---- violations ------------------------------------------------------ */

static void violations_end_the_channel(void **state)
{
    static const struct {
        const char *name;
        uint8_t type;
        uint32_t stream;
        size_t len;
    } cases[] = {
            {"DATA on stream 0", DATA, 0, 4},
            {"DATA on an idle stream", DATA, 9, 4},
            {"HEADERS on an even stream", HEADERS, 2, 1},
            {"PING of 7 bytes", PING, 0, 7},
            {"SETTINGS of 5 bytes", SETTINGS, 0, 5},
            {"RST of an idle stream", RST, 9, 4},
            {"a frame larger than allowed", DATA, 1, 65537},
            {"WINDOW_UPDATE of 0", 8, 0, 4},
            {"PUSH_PROMISE of a client", 5, 1, 4},
    };
    static const uint8_t zero[65537];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct buf b = ATTACK_INIT;

        fixture_open(&f);
        frame(&b, cases[i].type, 0, cases[i].stream, SPAN(zero, cases[i].len));
        attack(&f, &b);
        if (!f.server.closed)
            fail_msg("still open after %s", cases[i].name);
        fixture_fini(&f);
    }
}

static void noise_ends_the_channel(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct fixture f;
        struct buf b = ATTACK_INIT;
        uint8_t noise[512];

        fixture_open(&f);
        crypto_random(noise, sizeof(noise));
        noise[0] = 0xff; /* a huge frame, whatever else */
        buf_append(&b, SPAN_OF(noise));
        attack(&f, &b);
        assert_int_equal(f.server.closed, 1);
        fixture_fini(&f);
    }
}

static void window_cannot_be_overrun(void **state)
{
    static const uint8_t zero[16384];
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    f.server.hold_calls = true; /* nobody reads */
    call(&b, 1);
    frame(&b, DATA, 0, 1, SPAN("\0\0\0\1e", 5));
    for (size_t n = 0; n < CHANNEL_WINDOW / sizeof(zero) + 2; n++)
        frame(&b, DATA, 0, 1, SPAN_OF(zero));
    attack(&f, &b);
    if (!f.server.closed)
        assert_int_equal(streams_of(&f.server), 0);
    fixture_fini(&f);
}

/* ---- requests -------------------------------------------------------- */

static void unknown_requests_are_reset(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        struct buf b = ATTACK_INIT;

        fixture_open(&f);
        request(&b, 1, i == 0 ? "/qair/call/v2" : "/qair/call/v1",
                i == 1 ? 0x82 : 0x83, i == 2 ? END_STREAM : 0);
        attack(&f, &b);
        assert_int_equal(f.server.incoming, 0);
        assert_int_equal(f.server.closed, 0);
        assert_int_equal(streams_of(&f.server), 0);
        fixture_fini(&f);
    }
}

static void bad_envelope_lengths_reset_the_call(void **state)
{
    static const uint8_t lengths[][4] = {
            {0, 0, 0, 0}, {0x80, 0, 0, 0}, {255, 255, 255, 255}, {0, 1, 0, 0}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct fixture f;
        struct buf b = ATTACK_INIT;

        fixture_open(&f);
        call(&b, 1);
        frame(&b, DATA, 0, 1, SPAN_OF(lengths[i]));
        frame(&b, DATA, 0, 1, span_str("payload"));
        attack(&f, &b);
        assert_int_equal(f.server.incoming, 0);
        assert_int_equal(f.server.closed, 0);
        assert_int_equal(streams_of(&f.server), 0);
        fixture_fini(&f);
    }
}

static void envelope_may_come_in_pieces_but_must_come(void **state)
{
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    call(&b, 1);
    frame(&b, DATA, 0, 1, SPAN("\0\0", 2));
    frame(&b, DATA, 0, 1, SPAN("\0\4en", 4));
    call(&b, 3);
    frame(&b, DATA, 0, 3, SPAN("\0\0\0\4envepayload", 15));
    call(&b, 5);
    frame(&b, DATA, END_STREAM, 5, SPAN("\0\0\0\4en", 6)); /* cut off */
    attack(&f, &b);
    assert_int_equal(f.server.incoming, 1);
    assert_string_equal(f.server.envelope, "enve");
    assert_int_equal(streams_of(&f.server), 2);
    char bytes[16];
    assert_int_equal(read(f.server.served, bytes, sizeof(bytes)), 7);
    /* The one that stalls is given up, the other lives on. */
    fixture_later(&f, CHANNEL_ENVELOPE_MS);
    assert_int_equal(streams_of(&f.server), 1);
    fixture_fini(&f);
}

static void second_round_of_attestation_at_a_time_is_a_violation(void **state)
{
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    request(&b, 1, "/qair/attest/v1", 0x83, 0);
    request(&b, 3, "/qair/attest/v1", 0x83, 0);
    attack(&f, &b);
    assert_closed(&f, "out of turn");
    fixture_fini(&f);
}

static void attestation_that_is_cut_off_is_a_violation(void **state)
{
    static const uint8_t cancel[4] = {0, 0, 0, 8};
    struct fixture f;
    struct buf b = ATTACK_INIT;
    (void)state;

    fixture_open(&f);
    request(&b, 1, "/qair/attest/v1", 0x83, 0);
    frame(&b, RST, 0, 1, SPAN_OF(cancel));
    attack(&f, &b);
    assert_closed(&f, "cut off");
    fixture_fini(&f);
}

static void first_rounds_frames_do_not_fit_a_later_round(void **state)
{
    struct fixture f;
    struct buf b = ATTACK_INIT, out = BUF_INIT(256);
    struct channel_frame_hello h = {.version = 1,
            .role = CHANNEL_ATTEST_CLIENT,
            .interval_s = 30,
            .from = span_str("thin"),
            .to = span_str("server")};
    (void)state;

    fixture_open(&f);
    assert_int_equal(channel_frame_put_hello(&out, 0, &h), 0);
    request(&b, 1, "/qair/attest/v1", 0x83, 0);
    frame(&b, DATA, 0, 1, buf_span(&out));
    attack(&f, &b);
    assert_closed(&f, "frame of round 0 in round 1");
    buf_fini(&out);
    fixture_fini(&f);
}

/* ---- replay and relay over real TLS ---------------------------------- */

/* A genuine quote, taken for one connection, offered on the next one. */
static void quote_of_another_connection_is_refused(void **state)
{
    struct fixture f, g;
    uint8_t evidence[9 + CHANNEL_BINDER] = "evidence:";
    (void)state;

    fixture_open(&f);
    memcpy(evidence + 9, f.server.binder, CHANNEL_BINDER);
    fixture_init(&g);
    g.server.hold_evidence = true;
    fixture_join(&g, "server");
    fixture_pump(&g);
    assert_int_equal(g.server.evidences, 1);
    assert_memory_not_equal(f.server.binder, g.server.binder, CHANNEL_BINDER);
    channel_round_evidence(g.server.ch, SPAN_OF(evidence), &g.now);
    fixture_pump(&g);
    assert_int_equal(g.client.closed_code, ERR_DENIED);
    assert_int_equal(g.client.evidences, 0);
    fixture_fini(&f);
    fixture_fini(&g);
}

/* Bytes of one TLS connection carried into another: not even TLS. */
static void cut_through_connections_see_nothing(void **state)
{
    struct fixture f;
    int a[2], b[2];
    uint8_t bytes[65536];
    (void)state;

    /* Client to the middle, the middle to the server: passed on unchanged,
     * this is a wire, and works.  One bit changed, and it does not. */
    for (int change = 0; change < 2; change++) {
        fixture_init(&f);
        assert_int_equal(
                socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
        assert_int_equal(
                socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
        fixture_side_dial(&f.client, f.ctx[0], a[0], "server");
        fixture_side_accept(&f.server, f.ctx[1], b[0]);
        size_t passed = 0;
        for (int i = 0; i < 200; i++) {
            fixture_pump(&f);
            ssize_t n = read(a[1], bytes, sizeof(bytes));
            if (n > 0) {
                passed += (size_t)n;
                if (change && passed > 1000)
                    bytes[n - 1] ^= 1;
                (void)send(b[1], bytes, (size_t)n, MSG_NOSIGNAL);
            }
            n = read(b[1], bytes, sizeof(bytes));
            if (n > 0)
                (void)send(a[1], bytes, (size_t)n, MSG_NOSIGNAL);
        }
        assert_int_equal(fixture_is_open(&f.server), change == 0);
        (void)close(a[1]);
        (void)close(b[1]);
        fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(floods_of_control_frames_end_the_channel),
            cmocka_unit_test(rapid_reset_ends_the_channel),
            cmocka_unit_test(empty_data_flood_ends_the_channel),
            cmocka_unit_test(more_streams_than_allowed_are_not_kept),
            cmocka_unit_test(peer_that_never_reads_is_given_up),
            cmocka_unit_test(header_bombs_are_refused),
            cmocka_unit_test(continuation_flood_ends_the_channel),
            cmocka_unit_test(violations_end_the_channel),
            cmocka_unit_test(noise_ends_the_channel),
            cmocka_unit_test(window_cannot_be_overrun),
            cmocka_unit_test(unknown_requests_are_reset),
            cmocka_unit_test(bad_envelope_lengths_reset_the_call),
            cmocka_unit_test(envelope_may_come_in_pieces_but_must_come),
            cmocka_unit_test(
                    second_round_of_attestation_at_a_time_is_a_violation),
            cmocka_unit_test(attestation_that_is_cut_off_is_a_violation),
            cmocka_unit_test(first_rounds_frames_do_not_fit_a_later_round),
            cmocka_unit_test(quote_of_another_connection_is_refused),
            cmocka_unit_test(cut_through_connections_see_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
