/* SPDX-License-Identifier: Apache-2.0 */
#include "unlzma.h"

#include <lzma.h>

#define MEMORY_MAX (128u << 20)
#define STEP       (1u << 20)

static int fail(lzma_ret code, struct err *err)
{
    return code == LZMA_MEM_ERROR
                   ? err_set(err, ERR_MEMORY, "no memory to decompress")
                   : err_set(err, ERR_SYNTAX, "LZMA stream: error %d",
                             (int)code);
}

/* Some writers pad the stream: what follows its end is not looked at. */
int unlzma(struct span stream, struct buf *ret, struct err *err)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret code = lzma_alone_decoder(&s, MEMORY_MAX);

    s.next_in = stream.ptr;
    s.avail_in = stream.len;
    while (code == LZMA_OK) {
        uint8_t *to = buf_reserve(ret, STEP);

        if (!to)
            break;
        s.next_out = to;
        s.avail_out = STEP;
        code = lzma_code(&s, LZMA_FINISH);
        buf_commit(ret, STEP - s.avail_out);
        /* Neither input nor output moves: it was cut off. */
        if (code == LZMA_OK && s.avail_out)
            code = LZMA_BUF_ERROR;
    }
    lzma_end(&s);
    if (ret->error)
        return buf_ok(ret, err);
    return code == LZMA_STREAM_END ? 0 : fail(code, err);
}
