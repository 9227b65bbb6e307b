/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A measured boot: a quote, the firmware's log and the kernel's list of one
 * boot.  No file has PCR values: they are those that the log explains, PCR 10
 * that of some prefix of the list, and the quote says whether they are true.
 */
#include "eventlog.h"
#include "ima.h"
#include "tcg.h"
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

struct bundle {
    struct tcg_ak *ak;
    struct span msg, sig;
    bool has_ima;
    enum ima_format format;
    struct span ima;
    struct eventlog_pcrs pcrs;
    struct tcg_quote quote;
    struct ima_prefix prefix;
    size_t lines;
};

/* A file by member or, when files are a list, by its name. */
static const char *find(
        const struct vectors_case *c, const char *member, const char *file)
{
    const char *name = vectors_file(c, member);

    return name ? name : vectors_file(c, file);
}

static const char *read_log(struct vectors_case *c, struct bundle *b)
{
    const char *name = find(c, "eventlog_bin", "eventlog.bin");
    struct err err = {0};

    if (!name)
        return "no event log";
    if (eventlog_replay(vectors_load(c, name), &b->pcrs, &err) != 0)
        return "event log is malformed";
    return b->pcrs.wrong > 0 ? "data of an event is not what was measured"
                             : NULL;
}

static void read_list(struct vectors_case *c, struct bundle *b)
{
    const char *text = find(c, "ima_ascii", "ima.ascii");
    const char *bytes = find(c, "ima_bin", "ima.bin");

    b->has_ima = text || bytes;
    b->format = text ? IMA_ASCII : IMA_BINARY;
    if (b->has_ima)
        b->ima = vectors_load(c, text ? text : bytes);
}

/* Signature and form; the values are compared later. */
static const char *read_quote(struct vectors_case *c, struct bundle *b)
{
    struct tcg_quote_want want = {.any_ak = true, .any_pcrs = true};
    const char *ak = find(c, "ak_pub", "ak.pub");
    const char *nonce = vectors_text(c->json, "nonce");

    b->msg = vectors_load(c, find(c, "quote_msg", "quote.msg"));
    b->sig = vectors_load(c, find(c, "quote_sig", "quote.sig"));
    want.any_nonce = !nonce;
    if (nonce && !vectors_hex(nonce, &want.nonce))
        return "nonce is not hex";
    if (!ak || tcg_ak_new(vectors_load(c, ak), &b->ak, NULL) != 0)
        return "no attestation key";
    return tcg_quote_judge(b->ak, b->msg, b->sig, &want, &b->quote, NULL) == 0
                   ? NULL
                   : "the quote is refused";
}

/* ---- values ---------------------------------------------------------- */

/* All that is quoted, one behind the other, and where PCR 10 stands in it. */
struct values {
    uint8_t bytes[TCG_VALUES_MAX * CRYPTO_HASH_MAX];
    size_t len;
    const struct eventlog_bank *ima_bank;
    size_t ima_at;
};

static const char *collect(const struct bundle *b, struct values *v)
{
    const struct tcg_selection *s = &b->quote.attest.head.selection;

    for (size_t i = 0; i < s->n; i++) {
        const struct eventlog_bank *bank =
                eventlog_bank(&b->pcrs, s->bank[i].alg);

        if (!bank && s->bank[i].pcrs)
            return "the log lacks a quoted bank";
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!(s->bank[i].pcrs >> p & 1))
                continue;
            if (bank->missing >> p & 1)
                return "an event lacks a digest of a quoted bank";
            if (p == IMA_PCR && v->ima_bank)
                return "PCR 10 is quoted in two banks";
            if (p == IMA_PCR) {
                v->ima_bank = bank;
                v->ima_at = v->len;
            }
            memcpy(v->bytes + v->len, bank->value[p], bank->size);
            v->len += bank->size;
        }
    }
    return NULL;
}

static const char *compare_values(
        struct bundle *b, const struct values *v, enum crypto_hash hash)
{
    struct span digest = b->quote.attest.head.pcr_digest;
    uint8_t got[CRYPTO_HASH_MAX];
    struct ima_list list;
    struct ima_goal goal = {.hash = hash, .digest = digest};

    if (!b->has_ima || !v->ima_bank) {
        crypto_hash(hash, SPAN(v->bytes, v->len), got);
        return span_eq(SPAN(got, crypto_hash_size(hash)), digest)
                       ? NULL
                       : "the log does not give the quoted PCRs";
    }
    goal.before = SPAN(v->bytes, v->ima_at);
    goal.after = SPAN(v->bytes + v->ima_at + v->ima_bank->size,
            v->len - v->ima_at - v->ima_bank->size);
    if (ima_open(b->ima, b->format, 0, &list, NULL) != 0 ||
            ima_prefix_find(list, v->ima_bank->hash, IMA_PCR,
                    SPAN(v->bytes + v->ima_at, v->ima_bank->size), &goal,
                    &b->prefix, NULL) != 0)
        return "no prefix of the list gives the quoted PCR 10";
    return NULL;
}

/* A list that covers anything begins with the aggregate of this boot. */
static const char *compare_aggregate(
        const struct bundle *b, const struct values *v)
{
    struct ima_boot_pcrs pcrs = {0};
    struct ima_list list;
    struct ima_entry first;
    unsigned n;

    if (!b->has_ima || !v->ima_bank || b->prefix.covered == 0)
        return NULL;
    pcrs.bank = v->ima_bank->hash;
    for (unsigned i = 0; i < 10; i++)
        pcrs.value[i] = SPAN(v->ima_bank->value[i], v->ima_bank->size);
    if (ima_open(b->ima, b->format, 0, &list, NULL) != 0 ||
            ima_next(&list, &first, NULL) != 1 ||
            ima_boot_aggregate_check(&first, &pcrs, &n, NULL) != 0)
        return "the boot aggregate is not that of the quoted PCRs";
    return NULL;
}

/* Why it is refused, or NULL. */
static const char *decide(struct vectors_case *c, struct bundle *b)
{
    static struct values v;
    enum crypto_hash hash;
    const char *why = read_quote(c, b);
    const char *log = read_log(c, b);

    read_list(c, b);
    if (!why)
        why = log;
    if (!why && !tcg_hash(b->quote.sig.hash, &hash))
        why = "hash of the signature is not known";
    if (!why)
        why = collect(b, &v);
    if (!why)
        why = compare_values(b, &v, hash);
    return why ? why : compare_aggregate(b, &v);
}

/* ---- comparison ------------------------------------------------------ */

static size_t count_lines(const struct bundle *b)
{
    struct ima_list list;
    struct ima_entry e;
    size_t n = 0;

    if (!b->has_ima || ima_open(b->ima, b->format, 0, &list, NULL) != 0)
        return 0;
    while (ima_next(&list, &e, NULL) == 1)
        n++;
    return n;
}

/* Both forms of the list, where both are there, are one list. */
static void compare_forms(struct vectors_case *c)
{
    const char *names[] = {
            find(c, "ima_ascii", "ima.ascii"), find(c, "ima_bin", "ima.bin")};
    static const enum ima_format formats[] = {IMA_ASCII, IMA_BINARY};
    struct ima_replay r[2];
    struct ima_list list;
    struct err err = {0};

    if (!names[0] || !names[1])
        return;
    for (size_t i = 0; i < 2; i++) {
        if (ima_open(vectors_load(c, names[i]), formats[i], 0, &list, &err) !=
                        0 ||
                ima_replay_all(list, CRYPTO_SHA256, IMA_PCR, SPAN_EMPTY, &r[i],
                        &err) != 0) {
            vectors_complain(c, "%s: %s", names[i], err.msg);
            return;
        }
    }
    if (r[0].entries != r[1].entries ||
            memcmp(r[0].value, r[1].value, CRYPTO_SHA256_SIZE) != 0)
        vectors_complain(c, "the two forms of the list differ");
}

/* "pcr_select": ["sha256", [0, 1]] */
static void compare_selection(
        struct vectors_case *c, const struct tcg_selection *s)
{
    json_t *want = json_object_get(c->expect, "pcr_select"), *v;
    struct tcg_selection w = {.n = 1};
    char a[TCG_SELECTION_TEXT], b[TCG_SELECTION_TEXT];
    size_t i;

    if (!json_is_array(want))
        return;
    w.bank[0].alg = TCG_ALG_SHA256;
    json_array_foreach (json_array_get(want, 1), i, v)
        w.bank[0].pcrs |= 1u << (json_integer_value(v) & 31);
    tcg_format_selection(&w, a);
    tcg_format_selection(s, b);
    if (strcmp(a, b) != 0)
        vectors_disagree(c, "pcr_select", a, b);
}

static void compare_replay(struct vectors_case *c, const struct bundle *b)
{
    json_t *want = json_object_get(c->expect, "replayed_pcrs_sha256"), *v;
    const struct eventlog_bank *bank = eventlog_bank(&b->pcrs, TCG_ALG_SHA256);
    const char *name;

    json_object_foreach (want, name, v) {
        uint64_t pcr;

        if (bank && text_parse_u64(span_str(name), &pcr) && pcr < TCG_PCRS)
            vectors_is_hex(c, want, name, SPAN(bank->value[pcr], bank->size));
        else
            vectors_complain(c, "replayed PCR %s: no such thing", name);
    }
}

static const char *const known[] = {"verdict", "signature", "nonce",
        "pcr_select", "pcr_digest", "replayed_pcrs_sha256", "events",
        "ima_lines", "ima_prefix_covered_by_quote", "boot_aggregate",
        "reset_count", "restart_count", "clock", "safe", "why", "lesson", NULL};

static void judge(struct vectors_case *c)
{
    static struct bundle b;
    const struct tcg_attest *a = &b.quote.attest.head;
    const char *why = decide(c, &b);

    vectors_known(c, c->expect, known);
    vectors_is_text(c, c->expect, "verdict", why ? "reject" : "accept");
    if (why && vectors_text(c->expect, "verdict") &&
            strcmp(vectors_text(c->expect, "verdict"), "accept") == 0)
        vectors_complain(c, "refused: %s", why);
    vectors_is_bool(c, c->expect, "signature", b.quote.signature);
    vectors_is_hex(c, c->expect, "nonce", a->extra);
    vectors_is_hex(c, c->expect, "pcr_digest", a->pcr_digest);
    vectors_is_u64(c, c->expect, "clock", a->clock.clock);
    vectors_is_bool(c, c->expect, "safe", a->clock.safe);
    vectors_is_u64(c, c->expect, "reset_count", a->clock.resets);
    vectors_is_u64(c, c->expect, "restart_count", a->clock.restarts);
    vectors_is_u64(c, c->expect, "events", b.pcrs.events);
    vectors_is_u64(c, c->expect, "ima_lines", count_lines(&b));
    vectors_is_u64(
            c, c->expect, "ima_prefix_covered_by_quote", b.prefix.covered);
    compare_selection(c, &a->selection);
    compare_replay(c, &b);
    compare_forms(c);
}

const struct vectors_kind vectors_bundle[] = {
        {.name = "measured-boot-bundle", .judge = judge},
        {0},
};
