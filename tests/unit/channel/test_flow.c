/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: who gets more, who does not, and how much there is in all. */
#include "channel_private.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG 6

/* A call that the server serves: both local ends, and the server's stream. */
struct call {
    int caller, callee;
    struct channel_stream *s;
    uint64_t read;
};

static struct call begin(struct fixture *f)
{
    struct call c = {.callee = -1};
    uint32_t id;

    f->server.served = -1;
    c.caller = fixture_call(f, "envelope", &id);
    fixture_pump(f);
    assert_true(f->server.served >= 0);
    c.callee = f->server.served;
    f->server.served = -1;
    c.s = channel_stream_find(f->server.ch, (int32_t)id);
    assert_non_null(c.s);
    return c;
}

static void end(struct call *c)
{
    (void)close(c->caller);
    (void)close(c->callee);
}

/* Writes what fits, and carries it; reads when asked to. */
static void carry(struct fixture *f, struct call *c, bool reads)
{
    static uint8_t bytes[65536];
    ssize_t n;

    while (send(c->caller, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
    fixture_pump(f);
    while (reads &&
            (n = recv(c->callee, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        c->read += (uint64_t)n;
}

static void assert_within_bounds(const struct channel *ch)
{
    const struct channel_stream *s;
    uint32_t out = 0;

    TAILQ_FOREACH (s, &ch->streams, link) {
        assert_in_range(s->window, CHANNEL_WINDOW, CHANNEL_WINDOW_MAX);
        assert_true(channel_stream_pending(s) <= s->window);
        assert_true(s->in.size <= s->window + 1);
        out += s->window - CHANNEL_WINDOW;
    }
    assert_int_equal(out, ch->pool);
    assert_true(ch->pool <= CHANNEL_WINDOW_POOL);
}

/* A line that is longer than the window: a round trip takes many runs of one
 * side, during which the other does not answer. */
static void carry_far(struct fixture *f, struct call *calls, size_t n)
{
    static uint8_t bytes[65536];

    for (int i = 0; i < 64; i++) {
        for (size_t k = 0; k < n; k++) {
            while (send(calls[k].caller, bytes, sizeof(bytes), MSG_DONTWAIT) >
                    0)
                continue;
        }
        channel_run(f->client.ch, &f->now);
        channel_run(f->server.ch, &f->now);
        for (size_t k = 0; k < n; k++) {
            ssize_t got;
            while ((got = recv(calls[k].callee, bytes, sizeof(bytes),
                            MSG_DONTWAIT)) > 0)
                calls[k].read += (uint64_t)got;
        }
    }
    fixture_later(f, 100);
    assert_within_bounds(f->server.ch);
}

static void reader_that_keeps_up_gets_a_larger_window(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    struct call c = begin(&f);
    /* As if the answer to the measuring PING took long enough. */
    for (int i = 0; i < 20; i++) {
        c.s->marked = 0;
        f.server.ch->probing = true;
        carry_far(&f, &c, 1);
        channel_flow_probe_done(f.server.ch);
        assert_within_bounds(f.server.ch);
    }
    assert_true(c.read > CHANNEL_WINDOW);
    assert_int_equal(c.s->window, CHANNEL_WINDOW_MAX);
    end(&c);
    fixture_pump(&f);
    assert_int_equal(f.server.ch->pool, 0);
    fixture_fini(&f);
}

static void reader_that_stands_still_gets_no_more(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    struct call c = begin(&f);
    for (int i = 0; i < 20; i++) {
        carry(&f, &c, false);
        fixture_later(&f, 100);
    }
    /* What its socket holds may look like a reader, once. */
    assert_in_range(c.s->window, CHANNEL_WINDOW, 2 * CHANNEL_WINDOW);
    assert_true(channel_stream_pending(c.s) > CHANNEL_WINDOW / 2);
    assert_within_bounds(f.server.ch);
    struct channel_status st;
    channel_status(f.server.ch, &st);
    assert_int_equal(st.held, channel_stream_pending(c.s));
    end(&c);
    fixture_fini(&f);
}

static void all_windows_together_are_bounded(void **state)
{
    struct fixture f;
    struct call calls[BIG];
    (void)state;

    fixture_open(&f);
    for (size_t i = 0; i < BIG; i++)
        calls[i] = begin(&f);
    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < BIG; k++)
            calls[k].s->marked = 0;
        f.server.ch->probing = true;
        carry_far(&f, calls, BIG);
        channel_flow_probe_done(f.server.ch);
        assert_within_bounds(f.server.ch);
    }
    /* Nobody is left without a window because others took all. */
    for (size_t k = 0; k < BIG; k++) {
        uint64_t before = calls[k].read;
        for (int i = 0; i < 50; i++)
            carry(&f, &calls[k], true);
        assert_true(calls[k].read > before + CHANNEL_WINDOW);
        end(&calls[k]);
    }
    fixture_fini(&f);
}

/* The other direction: services send, and one source has called them all. */
static void one_source_gets_half_of_what_there_is(void **state)
{
    struct fixture f;
    struct call calls[BIG];
    (void)state;

    fixture_open(&f);
    for (size_t i = 0; i < BIG; i++) {
        calls[i] = begin(&f);
        int fd = calls[i].caller;
        calls[i].caller = calls[i].callee;
        calls[i].callee = fd;
        calls[i].s = channel_stream_find(f.client.ch, calls[i].s->id);
    }
    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < BIG; k++)
            calls[k].s->marked = 0;
        f.client.ch->probing = true;
        carry_far(&f, calls, BIG);
        channel_flow_probe_done(f.client.ch);
        assert_within_bounds(f.client.ch);
    }
    assert_in_range(f.client.ch->pool, CHANNEL_WINDOW_SOURCE / 2,
            CHANNEL_WINDOW_SOURCE);
    /* Another one's call still grows. */
    calls[BIG - 1].s->source++;
    for (int i = 0; i < 20; i++) {
        calls[BIG - 1].s->marked = 0;
        f.client.ch->probing = true;
        carry_far(&f, &calls[BIG - 1], 1);
        channel_flow_probe_done(f.client.ch);
    }
    assert_in_range(calls[BIG - 1].s->window, CHANNEL_WINDOW_SOURCE / 2,
            CHANNEL_WINDOW_MAX);
    for (size_t k = 0; k < BIG; k++)
        end(&calls[k]);
    fixture_fini(&f);
}

/* A hundred seconds of a stream that is always measured: the peer's bucket for
 * control frames is never empty. */
static void measuring_is_no_flood(void **state)
{
    struct fixture f;
    (void)state;

    fixture_open(&f);
    struct call c = begin(&f);
    for (int i = 0; i < 20000; i++) {
        uint8_t byte = 0;
        c.s->in.cap = c.s->window = CHANNEL_WINDOW;
        f.server.ch->pool = 0;
        f.server.ch->probe_ms = 0; /* as if each measurement told something */
        assert_int_equal(send(c.caller, &byte, 1, 0), 1);
        fixture_later(&f, 5);
        assert_int_equal(recv(c.callee, &byte, 1, 0), 1);
    }
    assert_true(fixture_is_open(&f.client) && fixture_is_open(&f.server));
    assert_true(f.client.ch->control.tokens > 100);
    end(&c);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(reader_that_keeps_up_gets_a_larger_window),
            cmocka_unit_test(reader_that_stands_still_gets_no_more),
            cmocka_unit_test(all_windows_together_are_bounded),
            cmocka_unit_test(one_source_gets_half_of_what_there_is),
            cmocka_unit_test(measuring_is_no_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
