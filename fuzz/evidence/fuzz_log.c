/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCG event logs and the zone's own: what the zone's reader takes, its writer
 * writes again byte for byte, and both readers come to the same PCR 14.
 */
#include "evidence.h"

#include <stdlib.h>

static void check_zone_log(struct span log, const struct evidence_events *e)
{
    struct buf again = BUF_INIT(LIMIT_EVENT_LOG_MAX);
    struct eventlog_pcrs pcrs;
    uint8_t digest[32];

    if (evidence_events_begin(&again, NULL) != 0)
        abort();
    for (size_t i = 0; i < e->n; i++) {
        if (evidence_events_add(&again, &e->event[i], digest, NULL) != 0)
            abort();
    }
    if (evidence_events_end(&again, digest, NULL) != 0 ||
            !span_eq(buf_span(&again), log))
        abort();
    if (eventlog_replay(log, &pcrs, NULL) != 0 ||
            memcmp(pcrs.bank[0].value[EVIDENCE_ZONE_PCR], e->pcr, 32) != 0)
        abort();
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span log = SPAN(data, size);
    struct eventlog l;
    struct eventlog_event e;
    struct evidence_events events;
    struct eventlog_pcrs pcrs;

    if (eventlog_open(log, &l, NULL) != 0)
        return 0;
    while (eventlog_next(&l, &e, NULL) == 1)
        (void)!eventlog_check_data(&e);
    (void)!eventlog_replay(log, &pcrs, NULL);
    if (evidence_events_parse(log, &events, NULL) == 0) {
        check_zone_log(log, &events);
        evidence_events_fini(&events);
    }
    return 0;
}
