/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST and TPMT_SIGNATURE; a selection is written as it was read. */
#include "tcg.h"

#include <stdlib.h>

static void check_selection(const struct tcg_selection *s)
{
    uint8_t buf[64];
    char text[TCG_SELECTION_TEXT];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct wire_reader r;
    struct tcg_selection again;
    struct span done;

    tcg_put_selection(&w, s);
    if (!wire_finish(&w, &done))
        abort();
    r = wire_reader_of(done);
    if (!tcg_get_selection(&r, &again) || !wire_end(&r) ||
            !tcg_selection_eq(s, &again))
        abort();
    tcg_format_selection(s, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcg_attest a;
    struct tcg_signature s;

    if (tcg_attest(SPAN(data, size), &a, NULL) == 0)
        check_selection(&a.selection);
    if (tcg_signature(SPAN(data, size), &s, NULL) == 0 &&
            s.r.len + s.s.len + s.rsa.len > size)
        abort();
    return 0;
}
