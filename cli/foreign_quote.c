/* SPDX-License-Identifier: Apache-2.0 */
/* A quote of tpm2-tools, with the logs that explain its PCRs. */
#include "eventlog.h"
#include "foreign.h"
#include "ima.h"

#include <stdio.h>

struct work {
    const struct foreign *f;
    struct foreign_report out;
    struct tcg_ak *ak;
    struct tcg_quote quote;
    struct tcg_quote_want want;
    /* PCR values, as claimed by text or as worked out from the logs. */
    struct tcg_claim claim[FOREIGN_CLAIMS_MAX];
    size_t n_claims;
    uint8_t room[FOREIGN_ROOM];
    bool has_log;
    struct eventlog_pcrs pcrs;
};

/* ---- whose key ------------------------------------------------------- */

static const struct pack_zone *zone_of(const struct work *w)
{
    const struct tcg_public *p = tcg_ak_public(w->ak);
    const struct pack_zone *z;
    size_t n = w->f->pack_read ? pack_zones(w->f->pack_read, &z) : 0;

    for (size_t i = 0; i < n && p; i++) {
        if (span_eq(p->bytes, SPAN(z[i].ak, z[i].ak_len)))
            return &z[i];
    }
    return NULL;
}

static void take_pin(struct work *w)
{
    const struct pack_zone *z = zone_of(w);
    char hex[TEXT_HEX_SIZE(TCG_NAME_MAX)];

    text_format_hex(tcg_ak_pin(w->ak), hex);
    foreign_say(&w->out, "ak", "%s", hex);
    if (w->f->pin.len)
        w->want.pin = SPAN(w->f->pin.bytes, w->f->pin.len);
    if (!z)
        return;
    if (!pack_zone_valid(z, w->f->time))
        foreign_refuse(&w->out, "zone",
                "the key is of zone %s, which is revoked or out of its time",
                z->name);
    else if (!w->f->pin.len)
        w->want.pin = SPAN(z->ak_name.bytes, z->ak_name.len);
    foreign_say(
            &w->out, "zone", "%s%s", z->name, z->emulated ? " (emulated)" : "");
}

/* ---- values ---------------------------------------------------------- */

/* What the log says of each selected PCR; PCR 10 is the IMA list's. */
static int claims_of_log(struct work *w, struct err *err)
{
    const struct tcg_selection *s = &w->quote.attest.head.selection;
    int r = eventlog_replay_any(buf_span(&w->f->log_bytes), &w->pcrs, err);

    if (r != 0)
        return err_prefix(err, r, "%s", w->f->log);
    w->has_log = true;
    foreign_say(&w->out, "log", "%zu events", w->pcrs.events);
    if (w->pcrs.wrong)
        foreign_refuse(&w->out, "log-data",
                "event %zu of the log has data that its digest is not of "
                "(%zu such events)",
                w->pcrs.first_wrong, w->pcrs.wrong);
    if (w->n_claims || w->f->pcrs)
        return 0;
    for (size_t b = 0; b < s->n; b++) {
        const struct eventlog_bank *bank =
                eventlog_bank(&w->pcrs, s->bank[b].alg);

        for (unsigned i = 0; bank && i < TCG_PCRS; i++) {
            if (s->bank[b].pcrs >> i & 1)
                w->claim[w->n_claims++] = (struct tcg_claim){.alg = bank->alg,
                        .pcr = i,
                        .value = SPAN(bank->value[i], bank->size)};
        }
    }
    return 0;
}

/* The IMA list grows between quote and reading: its prefix that was quoted. */
static int claim_of_ima(struct work *w, struct err *err)
{
    const struct tcg_selection *s = &w->quote.attest.head.selection;
    CLEANUP(buf_fini) struct buf before = BUF_INIT(FOREIGN_ROOM);
    CLEANUP(buf_fini) struct buf after = BUF_INIT(FOREIGN_ROOM);
    struct span list = buf_span(&w->f->ima_bytes);
    struct tcg_claim *ten = NULL;
    struct ima_prefix found;
    struct ima_list l;
    struct ima_goal goal = {.digest = w->quote.attest.head.pcr_digest};
    enum crypto_hash bank;
    int r;

    for (size_t i = 0; i < w->n_claims; i++) {
        struct tcg_claim *c = &w->claim[i];

        if (c->pcr == IMA_PCR && !ten)
            ten = c;
        else
            buf_append(ten ? &after : &before, c->value);
    }
    if (!ten || !tcg_selects(s, ten->alg, IMA_PCR) ||
            !tcg_hash(ten->alg, &bank) ||
            !tcg_hash(w->quote.sig.hash, &goal.hash))
        return err_set(err, ERR_NOT_FOUND,
                "PCR 10 is not quoted in a bank that the log has: nothing "
                "vouches for %s",
                w->f->ima);
    if (w->f->pcrs)
        goal.value = ten->value;
    goal.before = buf_span(&before);
    goal.after = buf_span(&after);
    r = ima_open(
            list, foreign_is_text(list) ? IMA_ASCII : IMA_BINARY, 0, &l, err);
    if (r == 0)
        r = ima_prefix_find(l, bank, IMA_PCR, SPAN_EMPTY, &goal, &found, err);
    if (r != 0)
        return err_prefix(err, r, "%s", w->f->ima);
    if (!w->f->pcrs) {
        memcpy(w->room, found.value, ten->value.len);
        ten->value = SPAN(w->room, ten->value.len);
    }
    foreign_say(&w->out, "ima", "%zu of %zu lines quoted, %zu violations",
            found.covered, found.total, found.violations);
    if (found.covered < found.total)
        foreign_say(&w->out, "ima-rest", "%zu lines are unattested",
                found.total - found.covered);
    return 0;
}

static int take_values(struct work *w, struct err *err)
{
    struct span text = buf_span(&w->f->pcrs_bytes);
    int r = 0;

    if (w->f->pcrs && foreign_is_text(text))
        r = foreign_pcr_text(text, w->claim, &w->n_claims, w->room, err);
    else if (w->f->pcrs)
        w->want.pcr_file = text;
    if (r == 0 && w->f->log)
        r = claims_of_log(w, err);
    if (r == 0 && w->f->ima)
        r = claim_of_ima(w, err);
    w->want.claims = w->n_claims ? w->claim : NULL;
    w->want.n_claims = w->n_claims;
    return r;
}

/* ---- the log against what was quoted --------------------------------- */

static void compare_log(struct work *w)
{
    const struct tcg_selection *s = &w->quote.attest.head.selection;
    struct eventlog_claim claim[FOREIGN_CLAIMS_MAX];
    struct eventlog_agreement a;
    struct eventlog_view v;
    struct eventlog log;
    struct err err = {0};
    const char *why;
    size_t n = 0, at = 0;

    for (size_t b = 0; b < s->n; b++) {
        for (unsigned i = 0; i < TCG_PCRS && at < w->quote.values.n; i++) {
            if (!(s->bank[b].pcrs >> i & 1))
                continue;
            if (i != IMA_PCR) /* the kernel's, not the firmware log's */
                claim[n++] = (struct eventlog_claim){.alg = s->bank[b].alg,
                        .pcr = i,
                        .value = w->quote.values.value[at]};
            at++;
        }
    }
    if (eventlog_compare(&w->pcrs, claim, n, &a, &err) != 0) {
        foreign_refuse(&w->out, "log-replay", "%s", err.msg);
        return;
    }
    if (!(a.proved & 1u << 7) ||
            eventlog_open_any(buf_span(&w->f->log_bytes), &log, &err) != 0)
        return;
    eventlog_view_begin(&log, TCG_ALG_SHA256, a.proved, &v);
    if (eventlog_view_all(&v, &err) != 0)
        return;
    enum eventlog_answer on = eventlog_view_secure_boot(&v, &why);
    foreign_say(&w->out, "secureboot", "%s",
            on == EVENTLOG_YES  ? "on"
            : on == EVENTLOG_NO ? "off"
                                : why);
}

/* ---- the quote ------------------------------------------------------- */

static void tell_quote(struct work *w)
{
    const struct tcg_attest *a = &w->quote.attest.head;
    char text[TCG_SELECTION_TEXT];

    tcg_format_selection(&a->selection, text);
    foreign_say(&w->out, "pcrs", "%s", text);
    foreign_say(&w->out, "clock", "reset %u, restart %u, %llu ms%s",
            a->clock.resets, a->clock.restarts,
            (unsigned long long)a->clock.clock,
            a->clock.safe ? "" : ", not safe");
    foreign_say(&w->out, "firmware", "0x%llx", (unsigned long long)a->firmware);
    foreign_say(&w->out, "fresh", "%s",
            w->f->nonce_len ? "made for the nonce that was given"
                            : "at an unknown time (no --nonce)");
    if (!w->quote.pcr_judged)
        foreign_say(&w->out, "values",
                "not compared (no --pcrs, no --log): what they are is open");
}

static void tell_reasons(struct work *w)
{
    for (unsigned i = TCG_WHY_NONE + 1; i < TCG_WHY_COUNT_; i++) {
        if (w->quote.why >> i & 1)
            foreign_refuse(&w->out, tcg_why_word((enum tcg_why)i), "%s",
                    tcg_why_text((enum tcg_why)i));
    }
}

static void want_of_options(struct work *w)
{
    const struct foreign *f = w->f;

    w->want.any_nonce = f->nonce_len == 0;
    w->want.nonce = SPAN(f->nonce, f->nonce_len);
    w->want.any_pcrs = f->require == 0;
    w->want.required = (struct tcg_selection){
            .n = f->require ? 1 : 0, .bank = {{TCG_ALG_SHA256, f->require}}};
}

int foreign_quote(void *ctx)
{
    static struct work w; /* the child's alone */
    struct span msg, sig;
    struct err err = {0};
    int r;

    w.f = ctx;
    msg = buf_span(&w.f->bytes);
    sig = buf_span(&w.f->signature_bytes);
    if (tcg_ak_new(buf_span(&w.f->ak_bytes), &w.ak, &err) != 0)
        return cli_fail(&err);
    if (foreign_report_begin(w.f, &w.out) != CLI_OK)
        return CLI_NO;
    want_of_options(&w);
    take_pin(&w);
    /* once to read it: what is selected tells which values are wanted */
    (void)!tcg_quote_judge(w.ak, msg, sig, &w.want, &w.quote, &err);
    if (w.quote.parsed) {
        err = (struct err){0};
        if (take_values(&w, &err) != 0)
            foreign_refuse(&w.out, "values", "%s", err.msg);
        r = tcg_quote_judge(w.ak, msg, sig, &w.want, &w.quote, &err);
        tell_quote(&w);
        if (r == 0 && w.has_log && w.quote.pcr_judged)
            compare_log(&w);
        else if (r == 0 && w.has_log)
            foreign_refuse(&w.out, "log-bank",
                    "the log has no bank that is quoted: it explains nothing");
    }
    tell_reasons(&w);
    return foreign_report_end(&w.out,
            w.quote.pcr_judged ? "genuine, and these are its PCRs"
                               : "genuine; its PCRs were not looked at");
}
