/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer can do to cost more than it pays; docs/proto/channel.md, 5. */
#include "channel_h2.h"

/* A bucket of tokens for what costs more to handle than to send. */
static void spend_control(struct channel *ch)
{
    uint64_t s = (ch->now.mono_ms - ch->control_ms) / 1000;

    if (s > 0) {
        uint64_t tokens = ch->control + s * CHANNEL_CONTROL_RATE;
        ch->control = tokens > CHANNEL_CONTROL_BURST ? CHANNEL_CONTROL_BURST
                                                     : (unsigned)tokens;
        ch->control_ms += s * 1000;
    }
    if (ch->control == 0) {
        channel_end(ch, ERR_LIMIT, "peer floods control frames");
        return;
    }
    ch->control--;
}

int channel_guard_on_begin_frame(
        nghttp2_session *h2, const nghttp2_frame_hd *hd, void *arg)
{
    struct channel *ch = arg;
    bool pays = hd->type != NGHTTP2_DATA && hd->type != NGHTTP2_HEADERS &&
                hd->type != NGHTTP2_RST_STREAM && /* limits of their own */
                hd->type != NGHTTP2_WINDOW_UPDATE;
    (void)h2;

    if (hd->type == NGHTTP2_DATA && hd->length == 0 &&
            (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
        pays = true;
    if (pays && !ch->ending)
        spend_control(ch);
    return 0;
}
