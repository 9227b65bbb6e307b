/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin zone's netd that has been taken over: linked into the real one, it
 * sends the first call's envelope again in place of every later one.  It holds
 * a good channel and good evidence; what it cannot do is make a call.
 */
#include "buf.h"
#include "channel.h"

/* The linker's names (--wrap) for the room's function and its replacement. */
int __real_channel_call(struct channel *ch, struct span envelope, int fd,
        uint64_t source, const struct channel_time *now, uint32_t *ret_stream);
int __wrap_channel_call(struct channel *ch, struct span envelope, int fd,
        uint64_t source, const struct channel_time *now, uint32_t *ret_stream);

static struct buf first = {.cap = LIMIT_LOG_ENTRY_MAX};

int __wrap_channel_call(struct channel *ch, struct span envelope, int fd,
        uint64_t source, const struct channel_time *now, uint32_t *ret_stream)
{
    if (first.len == 0)
        buf_append(&first, envelope);
    return __real_channel_call(
            ch, buf_span(&first), fd, source, now, ret_stream);
}
