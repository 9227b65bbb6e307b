/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_private.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Unix second as monotonic milliseconds, as the clocks stand now. */
static uint64_t mono_of(const struct channel *ch, uint64_t unix_s)
{
    return unix_s <= ch->now.unix_s
                   ? ch->now.mono_ms
                   : ch->now.mono_ms + (unix_s - ch->now.unix_s) * 1000;
}

uint64_t channel_deadline_expires(const struct channel *ch)
{
    return earlier(channel_context_expires(ch->ctx),
            channel_tls_peer_expires(ch->tls));
}

uint64_t channel_deadline(const struct channel *ch)
{
    const struct channel_stream *s;
    uint64_t due;

    if (ch->over)
        return UINT64_MAX;
    if (ch->ending)
        return ch->end_ms;
    if (ch->unread)
        return ch->now.mono_ms;
    if (ch->state == CHANNEL_CONNECTING)
        return ch->since_ms + CHANNEL_TLS_MS;
    if (ch->state == CHANNEL_ATTESTING)
        return ch->since_ms + CHANNEL_HANDSHAKE_MS;
    due = earlier(mono_of(ch, channel_deadline_expires(ch)),
            ch->attested_ms +
                    (ch->dialled && !ch->attesting ? 1 : 2) * ch->interval_ms);
    due = earlier(due,
            ch->rx_ms + (ch->ping_sent ? CHANNEL_STALL_MS : CHANNEL_PING_MS));
    due = earlier(due, ch->probe_end_ms);
    if (channel_io_has_output(ch))
        due = earlier(due, ch->tx_ms + CHANNEL_STALL_MS);
    TAILQ_FOREACH (s, &ch->streams, link)
        due = earlier(due, s->due);
    return due;
}

static void open_timers(struct channel *ch)
{
    uint64_t now = ch->now.mono_ms;
    struct channel_stream *s;

    if (now >= mono_of(ch, channel_deadline_expires(ch)))
        channel_end(ch, ERR_TIMEOUT, "a channel certificate expired");
    else if (now >= ch->attested_ms + 2 * ch->interval_ms)
        channel_end(ch, ERR_TIMEOUT, "no fresh evidence in two intervals");
    else if (now >= ch->probe_end_ms)
        channel_end(ch, ERR_TIMEOUT, "peer does not answer, and has a new one");
    else if (now >= ch->rx_ms + CHANNEL_STALL_MS)
        channel_end(ch, ERR_TIMEOUT, "peer is silent");
    else if (channel_io_has_output(ch) && now >= ch->tx_ms + CHANNEL_STALL_MS)
        channel_end(ch, ERR_TIMEOUT, "peer does not read");
    if (ch->ending)
        return;
    if (ch->dialled && !ch->attesting && !ch->bare &&
            now >= ch->attested_ms + ch->interval_ms)
        channel_round_again(ch);
    if (now >= ch->rx_ms + CHANNEL_PING_MS && !ch->ping_sent) {
        ch->ping_sent = true;
        channel_h2_ping(ch);
    }
    TAILQ_FOREACH (s, &ch->streams, link) {
        if (now >= s->due)
            channel_stream_is_due(s);
    }
}

void channel_deadline_run(struct channel *ch)
{
    if (ch->ending)
        return;
    if (ch->state == CHANNEL_OPEN) {
        open_timers(ch);
    } else if (ch->now.mono_ms >= channel_deadline(ch)) {
        if (ch->state == CHANNEL_ATTESTING)
            channel_attest_fail(&ch->attest, CHANNEL_REASON_BUSY);
        channel_end(ch, ERR_TIMEOUT, "%s took too long",
                ch->state == CHANNEL_CONNECTING ? "connection and TLS"
                                                : "attestation");
    }
}
