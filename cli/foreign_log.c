/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event logs and IMA lists alone: what they say, and whether they explain PCR
 * values that were read by other means.  Without such values nothing vouches
 * for a log, and it is not accepted.
 */
#include "eventlog.h"
#include "foreign.h"
#include "ima.h"

#include <stdio.h>

struct values {
    struct tcg_claim claim[FOREIGN_CLAIMS_MAX];
    uint8_t room[FOREIGN_ROOM];
    size_t n;
};

static int take_values(
        const struct foreign *f, struct values *v, struct foreign_report *out)
{
    struct err err = {0};

    if (!f->pcrs) {
        foreign_refuse(out, "no-values",
                "a log proves nothing by itself: give the PCR values with "
                "--pcrs, or verify the quote with --log");
        return -1;
    }
    if (foreign_pcr_text(
                buf_span(&f->pcrs_bytes), v->claim, &v->n, v->room, &err) == 0)
        return 0;
    foreign_refuse(out, "values", "%s", err.msg);
    return -1;
}

/* ---- firmware -------------------------------------------------------- */

static void tell_pcrs(const struct eventlog_pcrs *p, struct foreign_report *out)
{
    for (size_t b = 0; b < p->n; b++) {
        const struct eventlog_bank *bank = &p->bank[b];

        for (unsigned i = 0; i < TCG_PCRS; i++) {
            char name[16], hex[TEXT_HEX_SIZE(CRYPTO_HASH_MAX)];

            if (!(bank->extended >> i & 1))
                continue;
            (void)snprintf(
                    name, sizeof(name), "%s:%u", tcg_alg_name(bank->alg), i);
            text_format_hex(SPAN(bank->value[i], bank->size), hex);
            foreign_say(out, name, "%s", hex);
        }
    }
}

static void compare(const struct eventlog_pcrs *p, const struct values *v,
        struct foreign_report *out)
{
    struct eventlog_claim claim[FOREIGN_CLAIMS_MAX];
    struct eventlog_agreement a = {0};
    struct err err = {0};
    uint32_t all = 0;

    for (size_t i = 0; i < v->n; i++)
        claim[i] = (struct eventlog_claim){
                v->claim[i].alg, v->claim[i].pcr, v->claim[i].value};
    if (eventlog_compare(p, claim, v->n, &a, &err) != 0)
        foreign_refuse(out, "log-replay", "%s", err.msg);
    else if (a.proved == 0)
        foreign_refuse(out, "sha1",
                "the values are of SHA-1 alone, which proves nothing any more");
    for (size_t b = 0; b < p->n; b++)
        all |= p->bank[b].extended;
    if (all & ~a.proved & ~a.differ)
        foreign_say(out, "open",
                "the log has events in PCRs whose values were not given");
}

int foreign_log(void *ctx)
{
    const struct foreign *f = ctx;
    static struct eventlog_pcrs p;
    static struct values v;
    struct foreign_report out;
    struct err err = {0};

    if (foreign_report_begin(f, &out) != CLI_OK)
        return CLI_NO;
    if (eventlog_replay_any(buf_span(&f->bytes), &p, &err) != 0) {
        foreign_refuse(&out, "log", "%s", err.msg);
        return foreign_report_end(&out, "");
    }
    foreign_say(&out, "events", "%zu", p.events);
    if (p.format == EVENTLOG_LEGACY)
        foreign_refuse(&out, "sha1",
                "the log has SHA-1 alone, which proves nothing any more");
    if (p.wrong)
        foreign_refuse(&out, "log-data",
                "event %zu has data that its digest is not of (%zu such "
                "events)",
                p.first_wrong, p.wrong);
    tell_pcrs(&p, &out);
    if (take_values(f, &v, &out) == 0)
        compare(&p, &v, &out);
    return foreign_report_end(&out,
            "the log explains these values; that they are a machine's, only a "
            "quote proves");
}

/* ---- IMA ------------------------------------------------------------- */

static void compare_ima(const struct ima_list *l, const struct values *v,
        struct foreign_report *out)
{
    bool found = false;

    for (size_t i = 0; i < v->n; i++) {
        struct ima_goal goal = {.value = v->claim[i].value};
        struct ima_prefix p;
        struct err err = {0};
        enum crypto_hash bank;

        if (v->claim[i].pcr != IMA_PCR || v->claim[i].alg == TCG_ALG_SHA1 ||
                !tcg_hash(v->claim[i].alg, &bank))
            continue;
        found = true;
        if (ima_prefix_find(*l, bank, IMA_PCR, SPAN_EMPTY, &goal, &p, &err) !=
                0) {
            foreign_refuse(out, "ima-replay", "%s: %s",
                    tcg_alg_name(v->claim[i].alg), err.msg);
            continue;
        }
        foreign_say(out, tcg_alg_name(v->claim[i].alg),
                "explains %zu of %zu lines, %zu violations", p.covered, p.total,
                p.violations);
    }
    if (!found)
        foreign_refuse(out, "values",
                "PCR 10 of SHA-256 or better is not among the values");
}

int foreign_ima(void *ctx)
{
    const struct foreign *f = ctx;
    static struct values v;
    struct foreign_report out;
    struct ima_replay sum;
    struct ima_list l;
    struct err err = {0};
    struct span list = buf_span(&f->bytes);

    if (foreign_report_begin(f, &out) != CLI_OK)
        return CLI_NO;
    if (ima_open(list, foreign_is_text(list) ? IMA_ASCII : IMA_BINARY, 0, &l,
                &err) != 0 ||
            ima_replay_all(l, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &sum, &err) !=
                    0) {
        foreign_refuse(&out, "list", "%s", err.msg);
        return foreign_report_end(&out, "");
    }
    foreign_say(
            &out, "lines", "%zu, %zu violations", sum.entries, sum.violations);
    if (sum.mismatches)
        foreign_refuse(&out, "template-hash",
                "line %zu has another hash than it states (%zu such lines)",
                sum.first_mismatch, sum.mismatches);
    if (take_values(f, &v, &out) == 0)
        compare_ima(&l, &v, &out);
    return foreign_report_end(&out,
            "the list explains this value; that it is a machine's, only a "
            "quote proves");
}
