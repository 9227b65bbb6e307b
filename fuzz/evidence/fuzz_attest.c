/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST and TPMT_SIGNATURE; a selection is written as it was read. */
#include "evidence.h"

#include <stdlib.h>

static void check_selection(const struct evidence_selection *s)
{
    uint8_t buf[64];
    char text[EVIDENCE_SELECTION_TEXT];
    struct wire_writer w = wire_writer_of(buf, sizeof(buf));
    struct wire_reader r;
    struct evidence_selection again;
    struct span done;

    evidence_tpm_put_selection(&w, s);
    if (!wire_finish(&w, &done))
        abort();
    r = wire_reader_of(done);
    if (!evidence_tpm_get_selection(&r, &again) || !wire_end(&r) ||
            !evidence_tpm_selection_eq(s, &again))
        abort();
    evidence_tpm_format_selection(s, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct evidence_attest a;
    struct evidence_signature s;

    if (evidence_tpm_attest(SPAN(data, size), &a, NULL) == 0)
        check_selection(&a.selection);
    if (evidence_tpm_signature(SPAN(data, size), &s, NULL) == 0 &&
            s.r.len + s.s.len + s.rsa.len > size)
        abort();
    return 0;
}
