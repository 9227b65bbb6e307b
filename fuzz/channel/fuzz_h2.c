/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proved peer's bytes into the server's HTTP/2 session, without TLS: calls,
 * refusals, re-attestation.  The first byte chooses how local parties behave.
 */
#include "channel_private.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUST(x)                                                                \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

enum { REFUSE = 1, HOLD = 2, HANG_UP = 4, SPEAK = 8 };

struct user {
    uint8_t choices;
    struct channel_time now;
    int local[CHANNEL_STREAMS_MAX + 2];
    size_t n_local;
    bool closed;
};

static void on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER])
{
    struct user *u = arg;
    (void)channel_round_evidence(ch, SPAN(binder, CHANNEL_BINDER), &u->now);
}

static void on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER], struct span evidence)
{
    struct user *u = arg;
    (void)binder;
    (void)channel_round_appraised(ch, evidence.ptr[0] == 'y', &u->now);
}

static void on_accepted(void *arg, struct channel *ch, unsigned round)
{
    struct user *u = arg;
    (void)round;
    (void)channel_round_confirm(ch, &u->now);
}

static void on_incoming(
        void *arg, struct channel *ch, uint32_t stream, struct span envelope)
{
    struct user *u = arg;
    int fds[2];

    MUST(envelope.len > 0 && envelope.len <= LIMIT_LOG_ENTRY_MAX);
    if (u->choices & HOLD)
        return;
    if ((u->choices & REFUSE) || u->n_local == ARRAY_LEN(u->local) ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) {
        (void)channel_call_refuse(ch, stream, envelope, envelope, &u->now);
        return;
    }
    if (u->choices & SPEAK)
        (void)send(fds[1], "hello", 5, MSG_NOSIGNAL);
    MUST(channel_call_serve(ch, stream, fds[0], &u->now) == 0);
    if (u->choices & HANG_UP)
        (void)close(fds[1]);
    else
        u->local[u->n_local++] = fds[1];
}

static void on_answered(void *arg, struct channel *ch, uint32_t stream,
        const struct channel_answer *a)
{
    (void)arg;
    (void)ch;
    (void)stream;
    (void)a;
    abort(); /* a server calls nobody */
}

static void on_closed(
        void *arg, struct channel *ch, int code, const char *reason)
{
    struct user *u = arg;
    (void)ch;
    (void)code;
    (void)reason;
    u->closed = true;
}

static const struct channel_ops ops = {on_evidence, on_appraise, on_accepted,
        on_incoming, on_answered, on_closed};

static int exporter(
        void *arg, const char *label, struct span context, uint8_t *ret)
{
    (void)arg;
    crypto_hmac(CRYPTO_SHA384, span_str(label), context, ret);
    return 0;
}

/* Made once; only its name and interval are used here. */
static struct channel_context *context(void)
{
    static struct channel_context *made;
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    if (made != NULL)
        return made;
    struct crypto_key *key = crypto_key_generate(CRYPTO_P256);
    struct crypto_key *identity = crypto_key_generate(CRYPTO_ED25519);
    MUST(key != NULL && identity != NULL);
    MUST(crypto_cert_issue(identity, "server", crypto_key_pub(key), 1000, 2000,
                 der, sizeof(der), &len) == 0);
    struct channel_zone zone = {
            .name = "server", .identity = crypto_key_pub(identity)};
    struct channel_conf conf = {.zone = "server",
            .zones = &zone,
            .n_zones = 1,
            .key = key,
            .cert = SPAN(der, len),
            .reattest_s = 30};
    made = channel_context_new(&conf, 1500, NULL);
    MUST(made != NULL);
    crypto_key_free(key);
    crypto_key_free(identity);
    return made;
}

static void pump(struct channel *ch)
{
    static uint8_t out[CHANNEL_OUT_SIZE];
    struct epoll_event ev[32];
    int n = epoll_wait(ch->epoll, ev, ARRAY_LEN(ev), 0);

    for (int i = 0; i < n; i++)
        channel_stream_event(ev[i].data.ptr, ev[i].events);
    for (int i = 0; i < 8 && channel_h2_pull(ch, out, sizeof(out)) > 0; i++)
        continue;
    channel_stream_settle(ch);
    channel_stream_reap(ch, false);
    MUST(ch->n_streams <= CHANNEL_STREAMS_MAX + 1);
}

static void run(struct channel *ch, const uint8_t *data, size_t size)
{
    while (size > 0 && !ch->ending && !channel_h2_is_over(ch)) {
        size_t n = size < 97 ? size : 97;
        channel_h2_feed(ch, SPAN(data, n));
        pump(ch);
        ch->now.mono_ms += 10;
        data += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct user u = {.now = {.mono_ms = 1000, .unix_s = 1500}};
    struct channel *ch = calloc(1, sizeof(*ch));

    MUST(ch != NULL);
    u.choices = size > 0 ? data[0] : 0;
    TAILQ_INIT(&ch->streams);
    ch->ctx = channel_context_ref(context());
    ch->ops = &ops;
    ch->arg = &u;
    ch->now = u.now;
    ch->fd = -1;
    ch->epoll = epoll_create1(EPOLL_CLOEXEC);
    ch->exporter = exporter;
    ch->state = CHANNEL_OPEN;
    ch->rounds = 1;
    memcpy(ch->peer, "thin", 5);
    MUST(channel_h2_new(ch) == 0);
    if (size > 1)
        run(ch, data + 1, size - 1);
    channel_free(ch);
    for (size_t i = 0; i < u.n_local; i++)
        (void)close(u.local[i]);
    return 0;
}
