/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of either form: replay and view walk the same events, spans stay inside
 * of the log, and what replay gives agrees with itself.
 */
#include "eventlog.h"

#include <stdlib.h>

static void check_inside(struct span log, struct span s)
{
    if (s.len > 0 && (s.ptr < log.ptr || s.len > log.len ||
                             s.ptr - log.ptr > (ptrdiff_t)(log.len - s.len)))
        abort();
}

static void check_agreement(const struct eventlog_pcrs *p)
{
    static struct eventlog_claim claim[EVENTLOG_BANKS_MAX * TCG_PCRS];
    struct eventlog_agreement a;
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++)
            claim[n++] = (struct eventlog_claim){p->bank[i].alg, pcr,
                    SPAN(p->bank[i].value[pcr], p->bank[i].size)};
    }
    if (n > 0 && (eventlog_compare(p, claim, n, &a, NULL) != 0 || a.differ))
        abort();
}

static size_t walk(struct span log, const struct eventlog *l)
{
    struct eventlog_view v;
    struct eventlog_fact f;
    char text[EVENTLOG_FACT_TEXT];
    const char *why;

    eventlog_view_begin(l, TCG_ALG_SHA256, 0xffffff, &v);
    while (eventlog_view_next(&v, &f, NULL) == 1) {
        check_inside(log, f.name);
        check_inside(log, f.value);
        check_inside(log, f.digest);
        eventlog_view_format(&f, text);
        if (f.data_attested && !f.attested)
            abort();
    }
    (void)eventlog_view_secure_boot(&v, &why);
    (void)eventlog_view_separators(&v, &why);
    for (int i = 0; i < EVENTLOG_FLAG_N; i++)
        (void)eventlog_view_flag(&v, (enum eventlog_flag)i);
    return v.log.index;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct eventlog_alg algs[] = {
            {TCG_ALG_SHA1, 20}, {TCG_ALG_SHA256, 32}};
    struct span log = SPAN(data, size);
    struct eventlog l;
    struct eventlog_pcrs p;

    if (eventlog_open_fragment(log, algs, ARRAY_LEN(algs), &l, NULL) == 0)
        (void)walk(log, &l);
    if (eventlog_open_any(log, &l, NULL) != 0)
        return 0;
    if (eventlog_replay_any(log, &p, NULL) == 0) {
        if (walk(log, &l) != p.events || p.used > size)
            abort();
        check_agreement(&p);
    }
    return 0;
}
