/* SPDX-License-Identifier: Apache-2.0 */
/* How long a channel of netd lasts, and who may have one.  args: PROGRAM. */
#include "channel.h"
#include "netd_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned opened(const struct world *w)
{
    return w->thin.records[STATEMENT_CHANNEL_OPENED];
}

static unsigned closed(const struct world *w)
{
    return w->thin.records[STATEMENT_CHANNEL_CLOSED];
}

/* A call that must be accepted; the caller's end. */
static int call_ok(struct world *w)
{
    unsigned n = w->thin.answers;
    int fd = world_call(w, "server", "envelope");

    world_serve_until(w, &w->thin.answers, n + 1);
    if (w->thin.answer != MSG_OK)
        fail_msg("%s: %s", w->thin.where, w->thin.reason);
    return fd;
}

/* ---- the end of a certificate ---------------------------------------- */

#define SHORT_S 20

/* A channel in its last quarter, with a call on it. */
struct ageing {
    struct world *w;
    int caller, callee;
    uint64_t until;
};

static void ageing_init(struct ageing *a, bool own)
{
    a->w = world_prepare();
    struct zone *z = own ? &a->w->thin : &a->w->server;

    z->cert_s = SHORT_S;
    world_start(a->w, &a->w->thin, 300);
    world_start(a->w, &a->w->server, 300);
    a->caller = call_ok(a->w);
    a->callee = TAKE_FD(a->w->server.data);
    a->until = z->cert_until;
    /* A short certificate does not mean a channel for each call. */
    (void)close(call_ok(a->w));
    assert_int_equal(opened(a->w), 1);
}

static void ageing_check(struct ageing *a)
{
    struct world *w = a->w;
    char buf[32];

    (void)close(call_ok(w));
    assert_int_equal(opened(w), 2);
    /* The call under way goes on over the old channel. */
    assert_int_equal(closed(w), 0);
    assert_int_equal(write(a->caller, "question", 8), 8);
    assert_true(world_serve(w, 50));
    assert_int_equal(read(a->callee, buf, sizeof(buf)), 8);
    (void)close(a->caller);
    (void)close(a->callee);
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_string_equal(w->thin.record_reason, "replaced by a fresh channel");
    (void)close(call_ok(w));
    assert_int_equal(opened(w), 2);
    world_free(w);
}

static void channel_near_a_certificates_end_takes_no_new_calls(void **state)
{
    struct ageing a[2];
    (void)state;

    for (int own = 0; own < 2; own++)
        ageing_init(&a[own], own);
    while ((uint64_t)time(NULL) + 3 < a[0].until) {
        assert_true(world_serve(a[0].w, 100));
        assert_true(world_serve(a[1].w, 100));
    }
    ageing_check(&a[0]);
    while ((uint64_t)time(NULL) + 3 < a[1].until)
        assert_true(world_serve(a[1].w, 100));
    ageing_check(&a[1]);
}

/* ---- a new pack ------------------------------------------------------ */

enum change { REVOKED, IDENTITY, TIME_OVER, NO_CHANGE };

static void change_zone(struct zone *z, enum change change)
{
    switch (change) {
    case REVOKED:
        z->estate.zone.revoked = true;
        break;
    case IDENTITY:
        world_replace_identity(z);
        break;
    case TIME_OVER:
        z->estate.zone.until = (uint64_t)time(NULL) - 1;
        break;
    case NO_CHANGE:
        break;
    }
    world_sign(z);
}

static const struct change_case {
    bool dialled; /* the reader of the new pack is the one that dialled */
    bool own;     /* what changes is the reader's own zone */
    enum change change;
    const char *reason;
} changes[] = {
        {true, false, IDENTITY, "the pack has another identity for the zone"},
        {false, false, IDENTITY, "the pack has another identity for the zone"},
        {true, false, REVOKED, "the pack revokes the zone"},
        {false, false, REVOKED, "the pack revokes the zone"},
        {true, false, TIME_OVER, "the zone's time in the pack is over"},
        {true, true, IDENTITY, "own channel certificate"},
        {false, true, IDENTITY, "own channel certificate"},
        {true, true, REVOKED, "own channel certificate"},
};

static void pack_that_takes_back_its_word_cuts_the_channel(void **state)
{
    const struct change_case *c = *state;
    struct world *w = world_new(300);
    struct zone *reader = c->dialled ? &w->thin : &w->server;
    struct zone *other = c->dialled ? &w->server : &w->thin;
    char buf[32];

    int fd = call_ok(w);
    change_zone(c->own ? reader : other, c->change);
    world_put_pack(w, reader, WORLD_PACK_WHOLE);
    world_serve_until(w, &reader->records[STATEMENT_CHANNEL_CLOSED], 1);
    if (strstr(reader->record_reason, c->reason) == NULL)
        fail_msg("recorded: %s", reader->record_reason);
    world_serve_until(w, &other->records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
    (void)close(fd);
    /* And there is no other. */
    unsigned n = w->thin.answers;
    fd = world_call(w, "server", "envelope");
    world_serve_until(w, &w->thin.answers, n + 1);
    assert_int_equal(w->thin.answer, MSG_REFUSED);
    assert_int_equal(w->server.incoming, 1);
    assert_int_equal(opened(w), 1);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 1);
    (void)close(fd);
    world_free(w);
}

static void pack_that_stands_by_its_word_cuts_nothing(void **state)
{
    struct world *w = world_new(300);
    char buf[32];
    (void)state;

    int fd = call_ok(w);
    change_zone(&w->server, NO_CHANGE);
    change_zone(&w->thin, NO_CHANGE);
    world_put_pack(w, &w->thin, WORLD_PACK_WHOLE);
    world_put_pack(w, &w->server, WORLD_PACK_WHOLE);
    assert_true(world_serve(w, 300));
    assert_int_equal(write(w->server.data, "answer", 6), 6);
    assert_true(world_serve(w, 50));
    assert_int_equal(read(fd, buf, sizeof(buf)), 6);
    (void)close(call_ok(w));
    assert_int_equal(closed(w), 0);
    assert_int_equal(opened(w), 1);
    (void)close(fd);
    world_free(w);
}

/* ---- channels that this process dials -------------------------------- */

/* One end of a channel to server, in the name of thin. */
struct dialler {
    struct channel *ch;
    bool open, over;
    bool dead; /* not run any more: its end of the line is cut */
    unsigned refused;
    char reason[256]; /* of the last refusal */
};

static struct channel_time now_of_both_clocks(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct channel_time){
            .mono_ms =
                    (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000,
            .unix_s = (uint64_t)time(NULL),
    };
}

static void dialler_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    uint8_t evidence[9 + CHANNEL_BINDER] = "evidence:";
    struct channel_time now = now_of_both_clocks();
    (void)arg;

    memcpy(evidence + 9, binder, CHANNEL_BINDER);
    assert_int_equal(channel_round_evidence(ch, SPAN_OF(evidence), &now), 0);
}

static void dialler_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER],
        struct span untrusted_evidence)
{
    struct channel_time now = now_of_both_clocks();
    (void)arg;
    (void)binder;
    (void)untrusted_evidence;

    assert_int_equal(channel_round_appraised(ch, true, &now), 0);
}

static void dialler_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct channel_time now = now_of_both_clocks();
    struct dialler *d = arg;
    (void)round;

    assert_int_equal(channel_round_confirm(ch, &now), 0);
    d->open = true;
}

static void dialler_closed(
        void *arg, struct channel *ch, int code, const char *reason)
{
    struct dialler *d = arg;
    (void)ch;
    (void)code;
    (void)reason;

    d->over = true;
}

static void dialler_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *a)
{
    struct dialler *d = arg;
    (void)ch;
    (void)stream;

    if (a->code != ERR_DENIED)
        return;
    d->refused++;
    (void)snprintf(d->reason, sizeof(d->reason), "%.*s", (int)a->reason.len,
            (const char *)a->reason.ptr);
}

static const struct channel_ops dialler_ops = {
        .answered = dialler_answered,
        .evidence = dialler_evidence,
        .appraise = dialler_appraise,
        .accepted = dialler_accepted,
        .closed = dialler_closed,
};

static struct channel_context *context_of_thin(const struct world *w)
{
    struct crypto_key *key = crypto_key_generate(CRYPTO_P256);
    struct channel_zone zones[] = {
            {"thin", w->thin.estate.zone.identity},
            {"server", w->server.estate.zone.identity},
    };
    uint64_t now = (uint64_t)time(NULL);
    uint8_t der[CRYPTO_CERT_MAX];
    struct err err = {0};
    size_t len;

    assert_non_null(key);
    assert_int_equal(crypto_cert_issue(w->thin.estate.identity, "thin",
                             crypto_key_pub(key), now - 60, now + 3600, der,
                             sizeof(der), &len),
            0);
    struct channel_conf conf = {
            .zone = "thin",
            .zones = zones,
            .n_zones = ARRAY_LEN(zones),
            .key = key,
            .cert = SPAN(der, len),
            .reattest_s = 300,
    };
    struct channel_context *c = channel_context_new(&conf, now, &err);
    if (c == NULL)
        fail_msg("%s", err.msg);
    crypto_key_free(key);
    return c;
}

static void dialler_init(
        struct dialler *d, const struct world *w, struct channel_context *c)
{
    struct channel_time now = now_of_both_clocks();
    struct err err = {0};
    int fd = world_connect(w);

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    *d = (struct dialler){.open = false};
    d->ch = channel_dial(c, fd, "server", &dialler_ops, d, &now, &err);
    if (d->ch == NULL)
        fail_msg("%s", err.msg);
}

static void dialler_fini(struct dialler *d)
{
    channel_free(d->ch);
    d->ch = NULL;
}

/* Until each is open or over, then a little longer. */
static void run_all(struct world *w, struct dialler *d, size_t n)
{
    size_t settled = 0;

    for (int i = 0, more = 20; i < 2000 && more > 0; i++) {
        struct channel_time now = now_of_both_clocks();
        settled = 0;
        for (size_t k = 0; k < n; k++) {
            if (d[k].ch != NULL && !d[k].dead)
                channel_run(d[k].ch, &now);
            settled += d[k].ch == NULL || d[k].open || d[k].over;
        }
        assert_true(world_serve(w, 5));
        more -= settled == n;
    }
    assert_int_equal(settled, n);
}

static void one_zone_cannot_take_all_channels(void **state)
{
    struct world *w = world_new(300);
    struct channel_context *c = context_of_thin(w);
    struct dialler d[6];
    (void)state;

    for (size_t i = 0; i < 4; i++)
        dialler_init(&d[i], w, c);
    run_all(w, d, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(d[i].open && !d[i].over);
    for (size_t i = 4; i < 6; i++)
        dialler_init(&d[i], w, c);
    run_all(w, d, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(d[i].over, i >= 4);
    assert_false(d[4].open || d[5].open);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 4);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_REFUSED], 2);
    assert_string_equal(w->server.record_reason, "zone has too many channels");
    /* A place that is given back can be taken again. */
    dialler_fini(&d[0]);
    world_serve_until(w, &w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    dialler_fini(&d[4]);
    dialler_init(&d[4], w, c);
    run_all(w, d, 6);
    assert_true(d[4].open && !d[4].over);
    for (size_t i = 0; i < 6; i++)
        dialler_fini(&d[i]);
    channel_context_unref(c);
    world_free(w);
}

static void run_ms(struct world *w, struct dialler *d, size_t n, uint64_t ms)
{
    uint64_t end = now_of_both_clocks().mono_ms + ms;

    for (struct channel_time now = now_of_both_clocks(); now.mono_ms < end;
            now = now_of_both_clocks()) {
        for (size_t k = 0; k < n; k++) {
            if (d[k].ch != NULL && !d[k].dead && !d[k].over)
                channel_run(d[k].ch, &now);
        }
        assert_true(world_serve(w, 5));
    }
}

/* A zone that changed its address: the channel it left behind is found out and
 * closed.  One that is alive has its calls and stays. */
static void new_connection_of_a_zone_replaces_dead_ones_only(void **state)
{
    struct world *w = world_new(300);
    struct channel_context *c = context_of_thin(w);
    struct dialler d[3];
    (void)state;

    dialler_init(&d[0], w, c);
    dialler_init(&d[1], w, c);
    run_all(w, d, 2);
    d[0].dead = true;
    dialler_init(&d[2], w, c);
    run_all(w, d, 3);
    run_ms(w, d, 3, 2000);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_CLOSED], 0);
    for (int i = 0; i < 15 && w->server.records[STATEMENT_CHANNEL_CLOSED] == 0;
            i++)
        run_ms(w, d, 3, 1000);
    run_ms(w, d, 3, 1000);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_string_equal(
            w->server.record_reason, "peer does not answer, and has a new one");
    assert_true(d[1].open && !d[1].over && d[2].open && !d[2].over);
    for (size_t i = 0; i < ARRAY_LEN(d); i++)
        dialler_fini(&d[i]);
    channel_context_unref(c);
    world_free(w);
}

static uint32_t dialler_call(struct dialler *d, int *ret_fd)
{
    struct channel_time now = now_of_both_clocks();
    uint32_t stream;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(
            channel_call(d->ch, span_str("envelope"), fds[0], 0, &now, &stream),
            0);
    *ret_fd = fds[1];
    return stream;
}

/* Over three channels, so that no limit of one channel stands before. */
static void one_zone_cannot_take_all_calls(void **state)
{
    struct world *w = world_new(300);
    struct channel_context *c = context_of_thin(w);
    struct dialler d[3];
    static int fds[3][90];
    (void)state;

    w->server.hold_calls = true;
    for (size_t i = 0; i < 3; i++)
        dialler_init(&d[i], w, c);
    run_all(w, d, 3);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < ARRAY_LEN(fds[i]); k++) {
            (void)dialler_call(&d[i], &fds[i][k]);
            run_ms(w, d, 3, 1);
        }
    }
    for (int i = 0; i < 100 && d[2].refused < 14; i++)
        run_ms(w, d, 3, 50);
    assert_int_equal(w->server.incoming, 256);
    assert_int_equal(d[0].refused + d[1].refused, 0);
    assert_int_equal(d[2].refused, 14);
    assert_string_equal(d[2].reason, "limit: 256 calls in flight of zone thin");
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < ARRAY_LEN(fds[i]); k++)
            (void)close(fds[i][k]);
        dialler_fini(&d[i]);
    }
    channel_context_unref(c);
    world_free(w);
}

/* Calls by the thousand, each cut at once: the zone is named, and stays out for
 * a while. */
static void zone_that_floods_is_shut_out_for_a_while(void **state)
{
    struct world *w = world_new(300);
    struct channel_context *c = context_of_thin(w);
    struct dialler d[2];
    (void)state;

    w->server.hold_calls = true;
    dialler_init(&d[0], w, c);
    run_all(w, d, 1);
    for (int i = 0; i < 1500 && !d[0].over; i++) {
        struct channel_time now = now_of_both_clocks();
        int fd;
        uint32_t stream = dialler_call(&d[0], &fd);
        channel_run(d[0].ch, &now);
        channel_call_cancel(d[0].ch, stream, ERR_TIMEOUT, "now", &now);
        channel_run(d[0].ch, &now);
        (void)close(fd);
        if (i % 50 == 0)
            run_ms(w, d, 1, 10);
    }
    run_ms(w, d, 1, 200);
    assert_true(d[0].over);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_string_equal(
            w->server.record_reason, "peer floods calls that it resets");
    dialler_init(&d[1], w, c);
    run_all(w, d, 2);
    assert_true(d[1].over && !d[1].open);
    assert_string_equal(w->server.record_reason,
            "zone broke a limit and comes back too soon");
    for (size_t i = 0; i < ARRAY_LEN(d); i++)
        dialler_fini(&d[i]);
    channel_context_unref(c);
    world_free(w);
}

/* The connection is from before the new pack, and so are its pins. */
static void handshake_under_a_former_pack_opens_nothing(void **state)
{
    struct world *w = world_new(300);
    struct channel_context *c = context_of_thin(w);
    struct dialler d;
    (void)state;

    dialler_init(&d, w, c);
    assert_true(world_serve(w, 300)); /* accepted, and nothing said yet */
    world_replace_identity(&w->thin);
    world_put_pack(w, &w->server, WORLD_PACK_WHOLE);
    assert_true(world_serve(w, 300));
    run_all(w, &d, 1);
    assert_true(d.over && !d.open);
    assert_int_equal(w->server.quotes, 0); /* nor learns the server's state */
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_OPENED], 0);
    assert_int_equal(w->server.records[STATEMENT_CHANNEL_REFUSED], 1);
    assert_string_equal(w->server.record_reason,
            "the pack has another identity for the zone");
    dialler_fini(&d);
    channel_context_unref(c);
    world_free(w);
}

int main(int argc, char **argv)
{
#define CHANGE(i)                                                              \
    cmocka_unit_test_prestate(pack_that_takes_back_its_word_cuts_the_channel,  \
            (void *)(uintptr_t)&changes[i])
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(
                    channel_near_a_certificates_end_takes_no_new_calls),
            CHANGE(0),
            CHANGE(1),
            CHANGE(2),
            CHANGE(3),
            CHANGE(4),
            CHANGE(5),
            CHANGE(6),
            CHANGE(7),
            cmocka_unit_test(pack_that_stands_by_its_word_cuts_nothing),
            cmocka_unit_test(one_zone_cannot_take_all_channels),
            cmocka_unit_test(new_connection_of_a_zone_replaces_dead_ones_only),
            cmocka_unit_test(one_zone_cannot_take_all_calls),
            cmocka_unit_test(zone_that_floods_is_shut_out_for_a_while),
            cmocka_unit_test(handshake_under_a_former_pack_opens_nothing),
    };
    if (argc != 2)
        return 2;
    world_program = argv[1];
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
