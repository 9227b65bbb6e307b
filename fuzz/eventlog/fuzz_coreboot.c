/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of coreboot: what opens can be read and replayed to its end. */
#include "eventlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eventlog_coreboot c;
    struct eventlog_coreboot_entry e;
    struct eventlog_pcrs p;

    if (eventlog_coreboot_open(SPAN(data, size), &c, NULL) != 0)
        return 0;
    if (c.form != EVENTLOG_COREBOOT_TABLE) {
        (void)!eventlog_coreboot_replay(&c, &p, NULL);
        return 0;
    }
    for (size_t i = 0; i < c.n; i++) {
        if (eventlog_coreboot_entry(&c, i, &e, NULL) != 0)
            abort();
    }
    if (eventlog_coreboot_replay(&c, &p, NULL) != 0 || p.n > EVENTLOG_BANKS_MAX)
        abort();
    return 0;
}
