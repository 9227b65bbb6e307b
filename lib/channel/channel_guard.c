/* SPDX-License-Identifier: Apache-2.0 */
/* What costs a peer less to send than us to handle; docs/proto/channel.md, 5.
 */
#include "channel_h2.h"

/* PING, SETTINGS, PRIORITY, empty DATA: an answer or bookkeeping each. */
#define CONTROL_BURST 200
#define CONTROL_RATE  20
/* Calls that a peer opens and resets at once (CVE-2023-44487). */
#define RESET_BURST 1000
#define RESET_RATE  100
/* Own PINGs that measure: half of what a peer takes. */
#define PROBE_BURST 40
#define PROBE_RATE  10

static bool spend(struct channel_bucket *b, uint64_t now_ms, unsigned burst,
        unsigned rate)
{
    uint64_t s = (now_ms - b->ms) / 1000;

    if (s > 0) {
        uint64_t tokens = b->tokens + s * rate;
        b->tokens = tokens > burst ? burst : (unsigned)tokens;
        b->ms += s * 1000;
    }
    if (b->tokens == 0)
        return false;
    b->tokens--;
    return true;
}

void channel_guard_init(struct channel *ch)
{
    uint64_t now = ch->now.mono_ms;

    ch->control = (struct channel_bucket){CONTROL_BURST, now};
    ch->resets = (struct channel_bucket){RESET_BURST, now};
    ch->probes = (struct channel_bucket){PROBE_BURST, now};
}

bool channel_guard_may_probe(struct channel *ch)
{
    return spend(&ch->probes, ch->now.mono_ms, PROBE_BURST, PROBE_RATE);
}

/* Frames that cost the bucket; the others have limits of their own. */
static bool pays(const nghttp2_frame_hd *hd)
{
    if (hd->type == NGHTTP2_DATA)
        return hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0;
    return hd->type != NGHTTP2_HEADERS && hd->type != NGHTTP2_RST_STREAM &&
           hd->type != NGHTTP2_WINDOW_UPDATE;
}

int channel_guard_on_begin_frame(
        nghttp2_session *h2, const nghttp2_frame_hd *hd, void *arg)
{
    struct channel *ch = arg;
    uint64_t now = ch->now.mono_ms;
    (void)h2;

    if (ch->ending)
        return 0;
    if (hd->type == NGHTTP2_RST_STREAM && !ch->dialled &&
            !spend(&ch->resets, now, RESET_BURST, RESET_RATE))
        channel_end(ch, ERR_LIMIT, "peer floods calls that it resets");
    else if (pays(hd) && !spend(&ch->control, now, CONTROL_BURST, CONTROL_RATE))
        channel_end(ch, ERR_LIMIT, "peer floods control frames");
    return 0;
}
