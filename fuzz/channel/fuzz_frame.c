/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of qair-att/1: what is accepted is written again, byte for byte. */
#include "channel_frame.h"

#include <stdlib.h>

#define MUST(x)                                                                \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = BUF_INIT(CHANNEL_FRAME_MAX);
    struct channel_frame_hello hello;
    struct channel_frame_verdict verdict;
    uint8_t type;
    uint16_t round;
    uint32_t len;
    bool accepted = false;

    if (channel_frame_get_header(SPAN(data, size), &type, &round, &len) != 0 ||
            len != size - CHANNEL_FRAME_HEADER)
        return 0;
    struct span body = SPAN(data + CHANNEL_FRAME_HEADER, len);
    if (type == CHANNEL_FRAME_T_HELLO &&
            channel_frame_get_hello(body, &hello) == 0) {
        MUST(channel_frame_put_hello(&out, round, &hello) == 0);
        accepted = true;
    } else if (type == CHANNEL_FRAME_T_VERDICT &&
               channel_frame_get_verdict(body, &verdict) == 0) {
        MUST(channel_frame_put_verdict(&out, round, &verdict) == 0);
        accepted = true;
    } else if (type == CHANNEL_FRAME_T_EVIDENCE) {
        MUST(channel_frame_put_evidence(&out, round, body) == 0);
        accepted = true;
    }
    if (accepted)
        MUST(span_eq(buf_span(&out), SPAN(data, size)));
    buf_fini(&out);
    return 0;
}
