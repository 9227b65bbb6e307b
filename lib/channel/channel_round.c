/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

#include <stdio.h>

int channel_round_begin(struct channel *ch)
{
    struct channel_attest_conf conf = {
            .role = ch->dialled ? CHANNEL_ATTEST_CLIENT : CHANNEL_ATTEST_SERVER,
            .round = (uint16_t)ch->rounds,
            .interval_s = channel_context_reattest_s(ch->ctx),
            .exporter = ch->exporter,
            .exporter_arg = ch->tls,
    };
    if (ch->attesting)
        return ERR_STATE;
    (void)snprintf(
            conf.zone, sizeof(conf.zone), "%s", channel_context_zone(ch->ctx));
    memcpy(conf.peer, ch->peer, sizeof(conf.peer));
    crypto_random(conf.nonce, sizeof(conf.nonce));
    if (ch->tls != NULL) {
        channel_tls_spki(ch->tls, conf.spki);
        channel_tls_peer_spki(ch->tls, conf.peer_spki);
    }
    channel_attest_fini(&ch->attest);
    int rc = channel_attest_init(&ch->attest, &conf);
    ch->attesting = rc == 0;
    ch->asked = false;
    return rc;
}

int channel_round_accept(struct channel *ch)
{
    return ch->dialled || ch->rounds > CHANNEL_ATTEST_ROUND_MAX
                   ? ERR_STATE
                   : channel_round_begin(ch);
}

/* Own record is durable: the first round opens, later ones renew. */
static void done(struct channel *ch)
{
    uint64_t own = channel_context_reattest_s(ch->ctx);
    uint64_t peer = ch->attest.peer_interval_s;

    ch->attesting = false;
    ch->rounds++;
    ch->interval_ms = 1000 * (own < peer ? own : peer);
    ch->attested_ms = ch->now.mono_ms;
    if (ch->h2 != NULL) {
        ch->rekey = ch->dialled; /* asks the peer for new keys as well */
        return;
    }
    if (channel_h2_new(ch) != 0) {
        channel_end(ch, ERR_MEMORY, "out of memory");
        return;
    }
    ch->state = CHANNEL_OPEN;
    channel_tls_read_ahead(ch->tls);
    ch->bare = ch->attest.out.len > 0;
}

void channel_round_step(struct channel *ch)
{
    struct channel_attest *a = &ch->attest;

    ch->kick = true;
    if (ch->attest_stream != NULL && ch->attest_stream->deferred)
        channel_flow_resume(ch->attest_stream);
    if (!ch->attesting || ch->asked)
        return;
    switch (channel_attest_want(a)) {
    case CHANNEL_ATTEST_EVIDENCE:
        ch->asked = true;
        ch->ops->evidence(ch->arg, ch, a->binder);
        break;
    case CHANNEL_ATTEST_APPRAISE:
        ch->asked = true;
        ch->ops->appraise(
                ch->arg, ch, a->binder, buf_span(&a->untrusted_evidence));
        break;
    case CHANNEL_ATTEST_CONFIRM:
        ch->asked = true;
        ch->ops->accepted(ch->arg, ch, ch->rounds);
        break;
    case CHANNEL_ATTEST_DONE:
        done(ch);
        break;
    case CHANNEL_ATTEST_INPUT:
    case CHANNEL_ATTEST_FAILED:
        break;
    }
}

size_t channel_round_feed(struct channel *ch, struct span untrusted)
{
    struct err err = {0};
    size_t used = 0;

    if (channel_attest_feed(&ch->attest, untrusted, &used, &err) != 0)
        channel_end(ch, err.code, "attestation: %s", err.msg);
    channel_round_step(ch);
    return used;
}

void channel_round_input(struct channel *ch, struct span untrusted)
{
    if (!ch->attesting ||
            (channel_round_feed(ch, untrusted) != untrusted.len && !ch->ending))
        channel_end(ch, ERR_PEER, "bytes behind a round of attestation");
}

static int answered(
        struct channel *ch, int rc, const struct err *err, const char *what)
{
    if (rc == ERR_STATE)
        return rc;
    if (rc != 0)
        channel_end(ch, rc, "%s: %s", what, err->msg);
    channel_round_step(ch);
    channel_io_wake(ch);
    return 0;
}

int channel_round_evidence(struct channel *ch, struct span evidence,
        const struct channel_time *now)
{
    struct err err = {0};

    ch->now = *now;
    if (!ch->attesting ||
            channel_attest_want(&ch->attest) != CHANNEL_ATTEST_EVIDENCE)
        return ERR_STATE;
    ch->asked = false;
    return answered(ch, channel_attest_evidence(&ch->attest, evidence, &err),
            &err, "own evidence");
}

int channel_round_appraised(
        struct channel *ch, bool accept, const struct channel_time *now)
{
    struct err err = {0};

    ch->now = *now;
    if (!ch->attesting ||
            channel_attest_want(&ch->attest) != CHANNEL_ATTEST_APPRAISE)
        return ERR_STATE;
    ch->asked = false;
    return answered(ch, channel_attest_appraised(&ch->attest, accept, &err),
            &err, "attestation");
}

int channel_round_confirm(struct channel *ch, const struct channel_time *now)
{
    struct err err = {0};

    ch->now = *now;
    if (!ch->attesting ||
            channel_attest_want(&ch->attest) != CHANNEL_ATTEST_CONFIRM)
        return ERR_STATE;
    ch->asked = false;
    return answered(
            ch, channel_attest_confirm(&ch->attest), &err, "attestation");
}

int channel_round_cannot(struct channel *ch, enum channel_reason why,
        const struct channel_time *now)
{
    ch->now = *now;
    if (!ch->attesting || !ch->asked)
        return ERR_STATE;
    channel_attest_fail(&ch->attest, why);
    if (ch->attest_stream != NULL && ch->attest_stream->deferred)
        channel_flow_resume(ch->attest_stream);
    channel_end(ch, ERR_DENIED, "this zone %s", channel_reason_text(why));
    channel_io_wake(ch);
    return 0;
}

void channel_round_again(struct channel *ch)
{
    if (ch->rounds > CHANNEL_ATTEST_ROUND_MAX) {
        channel_end(ch, ERR_LIMIT, "rounds of attestation are used up");
        return;
    }
    struct channel_stream *s = channel_stream_new(ch, CHANNEL_STREAM_ATTEST);
    if (s == NULL || channel_round_begin(ch) != 0 ||
            channel_request_send(ch, s) != 0) {
        channel_end(ch, ERR_MEMORY, "re-attestation could not begin");
        return;
    }
    ch->attest_stream = s;
    ch->kick = true;
}
