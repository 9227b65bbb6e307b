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
    static const uint16_t types[] = {TCG_ATTEST_CERTIFY, TCG_ATTEST_CREATION,
            TCG_ATTEST_TIME, TCG_ATTEST_NV, TCG_ATTEST_NV_DIGEST,
            TCG_ATTEST_COMMAND_AUDIT, TCG_ATTEST_SESSION_AUDIT};
    struct tcg_attest a;
    struct tcg_attested other;
    struct tcg_signature s;
    size_t taken = tcg_attest(SPAN(data, size), &a, NULL) == 0;

    /* Of one type, or of none. */
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        taken +=
                tcg_attest_other(SPAN(data, size), types[i], &other, NULL) == 0;
    if (taken > 1)
        abort();
    if (tcg_attest(SPAN(data, size), &a, NULL) == 0)
        check_selection(&a.selection);
    if (tcg_signature(SPAN(data, size), &s, NULL) == 0 &&
            s.r.len + s.s.len + s.rsa.len > size)
        abort();
    return 0;
}
