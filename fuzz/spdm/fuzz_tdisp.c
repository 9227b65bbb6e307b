/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges of TDISP (a length byte in front of each message), a report. */
#include "spdm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_reader r = wire_reader_of(SPAN(data, size));
    struct spdm_tdisp_report report;
    struct span request, response;
    struct spdm_tdisp t;

    spdm_tdisp_init(&t);
    while (wire_get_vec8(&r, &request) && wire_get_vec8(&r, &response))
        (void)!spdm_tdisp_take(&t, request, response, NULL);
    if (t.complete)
        (void)!spdm_tdisp_report(buf_span(&t.report), &report, NULL);
    spdm_tdisp_fini(&t);
    if (spdm_tdisp_report(SPAN(data, size), &report, NULL) == 0 &&
            report.n_ranges > SPDM_TDISP_RANGES_MAX)
        abort();
    return 0;
}
