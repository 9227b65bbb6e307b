/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const names[] = {"thin", "server", "other"};

void fixture_zones_init(struct fixture_zones *z)
{
    *z = (struct fixture_zones){.n_zones = 3};
    for (size_t i = 0; i < 3; i++) {
        z->identity[i] = crypto_key_generate(CRYPTO_ED25519);
        assert_non_null(z->identity[i]);
        (void)snprintf(
                z->zones[i].name, sizeof(z->zones[i].name), "%s", names[i]);
        z->zones[i].identity = crypto_key_pub(z->identity[i]);
    }
}

void fixture_zones_fini(struct fixture_zones *z)
{
    for (size_t i = 0; i < 3; i++)
        crypto_key_free(z->identity[i]);
}

struct fixture_own fixture_own(
        const struct fixture_zones *z, enum fixture_zone which)
{
    return (struct fixture_own){
            .zone = names[which],
            .cert_name = names[which],
            .issuer = z->identity[which],
            .from = FIXTURE_NOW - 60,
            .until = FIXTURE_NOW - 60 + CHANNEL_CERT_MAX_S,
            .reattest_s = 30,
    };
}

struct channel_context *fixture_context(const struct fixture_zones *z,
        const struct fixture_own *own, struct err *err)
{
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;
    struct crypto_key *key = crypto_key_generate(CRYPTO_P256);

    assert_non_null(key);
    assert_int_equal(
            crypto_cert_issue(own->issuer, own->cert_name, crypto_key_pub(key),
                    own->from, own->until, der, sizeof(der), &len),
            0);
    struct channel_conf conf = {
            .zone = own->zone,
            .zones = z->zones,
            .n_zones = z->n_zones,
            .key = key,
            .cert = SPAN(der, len),
            .reattest_s = own->reattest_s,
    };
    struct channel_context *c = channel_context_new(&conf, FIXTURE_NOW, err);
    crypto_key_free(key);
    return c;
}

/* ---- ops ------------------------------------------------------------- */

static void on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    struct fixture_side *s = arg;
    uint8_t bytes[CHANNEL_BINDER + 9];

    s->evidences++;
    memcpy(s->binder, binder, CHANNEL_BINDER);
    if (s->no_evidence) {
        assert_int_equal(
                channel_round_cannot(ch, CHANNEL_REASON_OWN, s->now), 0);
        return;
    }
    if (s->hold_evidence)
        return;
    memcpy(bytes, "evidence:", 9);
    memcpy(bytes + 9, binder, CHANNEL_BINDER);
    if (s->lie)
        bytes[9] ^= 1;
    assert_int_equal(channel_round_evidence(ch, SPAN_OF(bytes), s->now), 0);
}

static void on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER], struct span evidence)
{
    struct fixture_side *s = arg;
    bool good = evidence.len == CHANNEL_BINDER + 9 &&
                memcmp(evidence.ptr, "evidence:", 9) == 0 &&
                memcmp(evidence.ptr + 9, binder, CHANNEL_BINDER) == 0;

    s->appraisals++;
    memcpy(s->peer_binder, binder, CHANNEL_BINDER);
    assert_int_equal(channel_round_appraised(ch, good && !s->deny, s->now), 0);
}

static void on_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct fixture_side *s = arg;

    assert_int_equal(round, s->confirms);
    if (s->hold_confirm)
        return;
    s->confirms++;
    assert_int_equal(channel_round_confirm(ch, s->now), 0);
}

static void on_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct fixture_side *s = arg;
    int fds[2];

    s->incoming++;
    s->stream = stream;
    assert_true(envelope.len < sizeof(s->envelope));
    memcpy(s->envelope, envelope.ptr, envelope.len);
    s->envelope[envelope.len] = '\0';
    if (s->hold_calls)
        return;
    if (s->refuse_calls) {
        assert_int_equal(
                channel_call_refuse(ch, stream, span_str("policy of zone x"),
                        span_str("line 3 says no\r\nqair-where: y"), s->now),
                0);
        return;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(channel_call_serve(ch, stream, fds[0], s->now), 0);
    s->served = fds[1];
}

static void on_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *a)
{
    struct fixture_side *s = arg;
    (void)ch;

    s->answers++;
    s->stream = stream;
    s->answer_code = a->code;
    (void)snprintf(s->answer_where, sizeof(s->answer_where), "%.*s",
            (int)a->where.len, (const char *)a->where.ptr);
    (void)snprintf(s->answer_reason, sizeof(s->answer_reason), "%.*s",
            (int)a->reason.len, (const char *)a->reason.ptr);
}

static void on_closed(
        void *arg, struct channel *ch, int code, const char *reason)
{
    struct fixture_side *s = arg;
    (void)ch;

    s->closed++;
    s->closed_code = code;
    (void)snprintf(s->closed_reason, sizeof(s->closed_reason), "%s", reason);
}

static const struct channel_ops ops = {
        .evidence = on_evidence,
        .appraise = on_appraise,
        .accepted = on_accepted,
        .incoming = on_incoming,
        .answered = on_answered,
        .closed = on_closed,
};

/* ---- two ends -------------------------------------------------------- */

void fixture_init(struct fixture *f)
{
    struct err err = {0};
    struct fixture_own own;

    *f = (struct fixture){.now = {.mono_ms = 1000000, .unix_s = FIXTURE_NOW}};
    (void)signal(SIGPIPE, SIG_IGN);
    fixture_zones_init(&f->zones);
    for (int i = 0; i < 2; i++) {
        own = fixture_own(&f->zones, (enum fixture_zone)i);
        f->ctx[i] = fixture_context(&f->zones, &own, &err);
        if (f->ctx[i] == NULL)
            fail_msg("%s", err.msg);
    }
    f->client.now = f->server.now = &f->now;
    f->client.served = f->server.served = -1;
}

void fixture_side_accept(
        struct fixture_side *s, struct channel_context *c, int fd)
{
    struct err err = {0};
    s->ch = channel_accept(c, fd, &ops, s, s->now, &err);
    if (s->ch == NULL)
        fail_msg("%s", err.msg);
}

void fixture_side_dial(struct fixture_side *s, struct channel_context *c,
        int fd, const char *peer)
{
    struct err err = {0};
    s->ch = channel_dial(c, fd, peer, &ops, s, s->now, &err);
    if (s->ch == NULL)
        fail_msg("%s", err.msg);
}

void fixture_join(struct fixture *f, const char *dial)
{
    int fds[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    fixture_side_dial(&f->client, f->ctx[0], fds[0], dial);
    fixture_side_accept(&f->server, f->ctx[1], fds[1]);
}

void fixture_fini(struct fixture *f)
{
    channel_free(f->client.ch);
    channel_free(f->server.ch);
    channel_context_unref(f->ctx[0]);
    channel_context_unref(f->ctx[1]);
    if (f->server.served >= 0)
        (void)close(f->server.served);
    fixture_zones_fini(&f->zones);
}

static bool run_one(struct fixture_side *s)
{
    struct pollfd p;

    if (s->ch == NULL || s->closed > 0)
        return false;
    p = (struct pollfd){.fd = channel_fd(s->ch), .events = POLLIN};
    if (poll(&p, 1, 0) != 1 && channel_deadline(s->ch) > s->now->mono_ms)
        return false;
    channel_run(s->ch, s->now);
    return true;
}

void fixture_pump(struct fixture *f)
{
    for (unsigned i = 0; i < 20000; i++) {
        bool a = run_one(&f->client), b = run_one(&f->server);
        if (!a && !b)
            return;
    }
    fail_msg("the channel spins");
}

void fixture_later(struct fixture *f, uint64_t ms)
{
    f->now.mono_ms += ms;
    f->now.unix_s += ms / 1000;
    fixture_pump(f);
}

bool fixture_is_open(const struct fixture_side *s)
{
    struct channel_status st;

    if (s->closed > 0)
        return false;
    channel_status(s->ch, &st);
    return st.state == CHANNEL_OPEN;
}

void fixture_open(struct fixture *f)
{
    fixture_init(f);
    fixture_join(f, "server");
    fixture_pump(f);
    if (!fixture_is_open(&f->client) || !fixture_is_open(&f->server))
        fail_msg("client: %s; server: %s", f->client.closed_reason,
                f->server.closed_reason);
}

int fixture_call(struct fixture *f, const char *envelope, uint32_t *ret_id)
{
    int fds[2];

    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(channel_call(f->client.ch, span_str(envelope), fds[0], 7,
                             &f->now, ret_id),
            0);
    return fds[1];
}
