/* SPDX-License-Identifier: Apache-2.0 */
/* Notes, checkpoints and verifier keys; what is accepted formats back. */
#include "merkle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vkey(struct span text)
{
    char again[MERKLE_VKEY_SIZE];
    struct merkle_vkey k;

    if (merkle_vkey_parse(text, &k, NULL) < 0)
        return;
    merkle_vkey_format(&k, again);
    if (!span_eq_str(text, again))
        abort();
}

static void check_checkpoint(struct span text)
{
    struct buf again = BUF_INIT(4096);
    struct merkle_checkpoint c;

    if (merkle_checkpoint_parse(text, &c, NULL) == 0) {
        /* extension lines follow what we write */
        if (merkle_checkpoint_format(&c, &again) < 0 || again.len > text.len ||
                memcmp(again.ptr, text.ptr, again.len) != 0)
            abort();
    }
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t raw[32] = {1};
    struct span text = SPAN(data, size), body;
    struct merkle_vkey k;

    if (merkle_vkey_make("qair/server/log", raw, &k) < 0)
        abort();
    check_vkey(text);
    check_checkpoint(text);
    if (merkle_note_verify(text, &k, 1, &body, NULL, NULL) == 0)
        abort(); /* nobody has that key */
    return 0;
}
