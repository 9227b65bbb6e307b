/* SPDX-License-Identifier: Apache-2.0 */
/* A message that decodes is encoded to the same bytes. */
#include "msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[LIMIT_IPC_MSG_MAX];
    union msg_any any = {0};
    struct msg_header h;
    size_t len;

    if (msg_get_header(SPAN(data, size), &h) < 0 || msg_get(&h, &any) < 0)
        return 0;
    if (!msg_put((enum msg_type)h.type, h.id, &any, out, sizeof(out), &len) ||
            !span_eq(SPAN(out, len), SPAN(data, size)))
        abort();
    return 0;
}
