/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM quotes.  A sequence of quotes by one AK (ids ...seq1..., ...seq2...) is
 * judged in its order: what one case says of continuity rests on those before
 * it, and a quote that breaks it is not built upon.
 */
#include "eventlog.h"
#include "tcg.h"
#include "vectors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMS_MAX (TCG_BANKS_MAX * TCG_PCRS)

static uint16_t alg_of(const char *name)
{
    static const uint16_t hashes[] = {TCG_ALG_SHA1, TCG_ALG_SHA256,
            TCG_ALG_SHA384, TCG_ALG_SHA512, TCG_ALG_SM3};

    for (size_t i = 0; name && i < ARRAY_LEN(hashes); i++) {
        if (strcmp(tcg_alg_name(hashes[i]), name) == 0)
            return hashes[i];
    }
    return 0;
}

/* ---- inputs ---------------------------------------------------------- */

struct inputs {
    struct tcg_ak *ak;
    struct span msg, sig;
    struct tcg_quote_want want;
    struct tcg_claim claims[CLAIMS_MAX];
};

/* The file of the first of two members that the case has; else of one that
 * begins with the second ("ak_pem", "sig_bin"); else NULL. */
static const char *either(
        const struct vectors_case *c, const char *a, const char *b)
{
    json_t *files = json_object_get(c->json, "files"), *v;
    const char *name = vectors_file(c, a), *member;

    if (!name)
        name = vectors_file(c, b);
    json_object_foreach (files, member, v) {
        if (!name && strncmp(member, b, strlen(b)) == 0 &&
                !strstr(member, "name") && !strstr(member, "cert"))
            name = json_string_value(v);
    }
    return name;
}

static void take_claims(
        struct vectors_case *c, struct inputs *in, struct span text)
{
    json_t *doc = json_loadb((const char *)text.ptr, text.len, 0, NULL), *bank,
           *v;
    const char *alg, *pcr;

    json_object_foreach (doc, alg, bank) {
        json_object_foreach (bank, pcr, v) {
            struct tcg_claim *claim = &in->claims[in->want.n_claims];
            uint64_t index;

            if (in->want.n_claims == CLAIMS_MAX ||
                    !text_parse_u64(span_str(pcr), &index) ||
                    !vectors_hex(json_string_value(v), &claim->value)) {
                vectors_complain(
                        c, "PCR file cannot be read at %s:%s", alg, pcr);
                return;
            }
            claim->alg = alg_of(alg);
            claim->pcr = (unsigned)index;
            in->want.n_claims++;
        }
    }
    in->want.claims = in->claims;
}

/* Absent: judged without.  The vectors' own rule for a policy of PCRs. */
static void take_required(struct vectors_case *c, struct inputs *in)
{
    json_t *list = json_object_get(c->json, "required_pcrs"), *pair;
    struct tcg_selection *s = &in->want.required;
    size_t i, b;

    in->want.any_pcrs = !json_is_array(list);
    json_array_foreach (list, i, pair) {
        uint16_t alg = alg_of(json_string_value(json_array_get(pair, 0)));

        for (b = 0; b < s->n && s->bank[b].alg != alg; b++)
            ;
        if (b == TCG_BANKS_MAX)
            continue;
        if (b == s->n)
            s->bank[s->n++].alg = alg;
        s->bank[b].pcrs |=
                1u << (json_integer_value(json_array_get(pair, 1)) & 31);
    }
}

static void take_nonce(struct vectors_case *c, struct inputs *in)
{
    const char *name = either(c, "nonce_hex", "nonce");
    struct span text = name ? vectors_load(c, name) : SPAN_EMPTY;
    char hex[300];

    text = text_trim(text);
    in->want.any_nonce = text.len == 0;
    if (text.len == 0 || text.len >= sizeof(hex))
        return;
    (void)snprintf(
            hex, sizeof(hex), "%.*s", (int)text.len, (const char *)text.ptr);
    if (!vectors_hex(hex, &in->want.nonce))
        vectors_complain(c, "nonce is not hex");
}

/* False when the key itself cannot be read. */
static bool take(struct vectors_case *c, struct inputs *in)
{
    const char *pcrs = either(c, "pcrs_json", "pcrs");
    struct span text;

    in->msg = vectors_load(c, either(c, "quote_msg", "msg"));
    in->sig = vectors_load(c, either(c, "quote_sig", "sig"));
    in->want.any_ak = true;
    take_required(c, in);
    take_nonce(c, in);
    if (pcrs) {
        text = vectors_load(c, pcrs);
        if (text.len > 0 && text_trim(text).ptr[0] == '{')
            take_claims(c, in, text);
        else
            in->want.pcr_file = text;
    }
    return tcg_ak_new(vectors_load(c, either(c, "ak_pub", "ak")), &in->ak,
                   NULL) == 0;
}

/* ---- continuity ------------------------------------------------------ */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Adds one case of the sequence; *last is the latest that held. */
static enum tcg_continuity step(struct vectors_case *c, const char *folder,
        struct tcg_attest *last, bool *has_last)
{
    struct vectors_case one = {.folder = folder, .id = c->id};
    struct inputs in = {0};
    struct tcg_quote q;
    enum tcg_continuity found;
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/expected.json", folder);
    one.json = json_load_file(path, 0, NULL);
    if (!one.json || !take(&one, &in))
        return TCG_VIOLATION;
    in.want.before = *has_last ? last : NULL;
    (void)!tcg_quote_judge(in.ak, in.msg, in.sig, &in.want, &q, NULL);
    found = q.continuity == TCG_FIRST ? TCG_SAME_BOOT : q.continuity;
    if (found != TCG_VIOLATION) {
        *last = q.attest.head;
        *has_last = true;
    }
    return found;
}

static enum tcg_continuity continuity_of(struct vectors_case *c)
{
    const char *base = strrchr(c->folder, '/');
    const char *seq;
    enum tcg_continuity found = TCG_VIOLATION;
    struct tcg_attest last;
    struct dirent **all;
    char parent[2048], folder[4096];
    bool has_last = false;
    int n;

    base = base ? base + 1 : c->folder;
    seq = strstr(base, "seq");
    (void)snprintf(
            parent, sizeof(parent), "%.*s", (int)(base - c->folder), c->folder);
    n = seq ? scandir(*parent ? parent : ".", &all, NULL, by_name) : 0;
    for (int i = 0; i < n; i++) {
        const char *name = all[i]->d_name;
        size_t len = (size_t)(seq - base) + 3;

        if (strncmp(name, base, len) != 0 || strcmp(name, base) > 0)
            continue;
        (void)snprintf(folder, sizeof(folder), "%s%s", parent, name);
        found = step(c, folder, &last, &has_last);
    }
    return found;
}

/* ---- comparison ------------------------------------------------------ */

/* Words of others for the reasons here. */
static const struct {
    const char *theirs;
    enum tcg_why ours;
} words[] = {
        {"type", TCG_WHY_NOT_A_QUOTE},
        {"truncated", TCG_WHY_LENGTH},
        {"short", TCG_WHY_LENGTH},
        {"parse", TCG_WHY_LENGTH},
        {"select", TCG_WHY_SELECT},
        {"sizeofselect", TCG_WHY_SELECT},
        {"sizeof-select", TCG_WHY_SELECT},
        {"select-size", TCG_WHY_SELECT},
        {"dup-bank", TCG_WHY_DUPLICATE_BANK},
        {"bank-twice", TCG_WHY_DUPLICATE_BANK},
        {"duplicate", TCG_WHY_DUPLICATE_BANK},
        {"ak-not-fixed", TCG_WHY_AK_NOT_FIXED},
        {"ak-not-fixedtpm", TCG_WHY_AK_NOT_FIXED},
        {"ak-not-sign", TCG_WHY_AK_NOT_SIGNING},
        {"ak-decrypt", TCG_WHY_AK_DECRYPTS},
        {"ak-is-decrypt", TCG_WHY_AK_DECRYPTS},
        {"ak-name", TCG_WHY_AK_OTHER},
        {"ak-sha1", TCG_WHY_AK_WEAK},
        {"sig-sha1", TCG_WHY_SIG_HASH},
        {"sha1", TCG_WHY_SIG_HASH},
        {"sig-alg", TCG_WHY_SIG_ALG},
        {"sig-scheme-not-ak-scheme", TCG_WHY_SIG_ALG},
        {"sig-parse", TCG_WHY_SIG_FORMAT},
};

static bool means(const char *word, enum tcg_why w)
{
    if (strcmp(word, tcg_why_word(w)) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].ours == w && strcmp(words[i].theirs, word) == 0)
            return true;
    }
    return false;
}

static bool is_known(const char *word)
{
    for (int w = 1; w < TCG_WHY_COUNT_; w++) {
        if (means(word, (enum tcg_why)w))
            return true;
    }
    return false;
}

/*
 * Reasons are compared by name.  A word that stands in no list here is a name
 * of others for one of the reasons that are left: as many are taken.
 */
static void compare_reasons(struct vectors_case *c, uint32_t why)
{
    json_t *list = json_object_get(c->expect, "reasons"), *v;
    uint32_t left = why;
    unsigned strange = 0;
    size_t i;

    if (!json_is_array(list))
        return;
    json_array_foreach (list, i, v) {
        const char *word = json_string_value(v);
        bool found = false;

        for (int w = 1; word && w < TCG_WHY_COUNT_; w++) {
            if (!(why & 1u << w) || !means(word, (enum tcg_why)w))
                continue;
            left &= ~(1u << w);
            found = true;
        }
        if (!found && word && !is_known(word))
            strange++;
        else if (!found)
            vectors_complain(c, "reasons: expected %s", word ? word : "text");
    }
    for (int w = 1; strange > 0 && w < TCG_WHY_COUNT_; w++) {
        if (left & 1u << w) {
            left &= ~(1u << w);
            strange--;
        }
    }
    if (strange > 0)
        vectors_complain(c, "reasons: %u more were expected", strange);
    for (int w = 1; w < TCG_WHY_COUNT_; w++) {
        if (left & 1u << w)
            vectors_complain(c, "reasons: %s was not expected",
                    tcg_why_word((enum tcg_why)w));
    }
}

static void compare_selection(
        struct vectors_case *c, const struct tcg_selection *s)
{
    json_t *want = json_object_get(c->expect, "pcr_select"), *bank, *v;
    struct tcg_selection w = {0};
    char a[TCG_SELECTION_TEXT], b[TCG_SELECTION_TEXT];
    size_t i, k;

    if (!json_is_array(want))
        return;
    json_array_foreach (want, i, bank) {
        if (i == TCG_BANKS_MAX)
            break;
        w.bank[w.n].alg = alg_of(json_string_value(json_array_get(bank, 0)));
        json_array_foreach (json_array_get(bank, 1), k, v)
            w.bank[w.n].pcrs |= 1u << (json_integer_value(v) & 31);
        w.n++;
    }
    tcg_format_selection(&w, a);
    tcg_format_selection(s, b);
    if (!tcg_selection_eq(&w, s))
        vectors_disagree(c, "pcr_select", a, b);
}

static void compare_ak(struct vectors_case *c, const struct tcg_ak *ak)
{
    const struct tcg_public *p = tcg_ak_public(ak);
    const char *name = vectors_file(c, "ak_name");

    if (!p)
        return;
    vectors_is_hex(c, c->expect, "ak_name", tcg_ak_pin(ak));
    if (name && !span_eq(vectors_load(c, name), tcg_ak_pin(ak)))
        vectors_complain(c, "the file of the AK's name has another");
    vectors_is_u64(c, c->expect, "ak_attributes", p->attributes);
    vectors_is_bool(
            c, c->expect, "ak_restricted", p->attributes & TCG_RESTRICTED);
    vectors_is_bool(c, c->expect, "ak_sign", p->attributes & TCG_SIGN);
    vectors_is_bool(c, c->expect, "ak_decrypt", p->attributes & TCG_DECRYPT);
    vectors_is_bool(
            c, c->expect, "ak_fixed_tpm", p->attributes & TCG_FIXED_TPM);
}

static void compare_fields(struct vectors_case *c, const struct tcg_quote *q)
{
    const struct tcg_attest *a = &q->attest.head;
    char alg[16];

    vectors_is_u64(c, c->expect, "magic", q->attest.magic);
    vectors_is_u64(c, c->expect, "type", a->type);
    vectors_is_hex(c, c->expect, "extra_data", a->extra);
    vectors_is_u64(c, c->expect, "clock", a->clock.clock);
    vectors_is_u64(c, c->expect, "reset_count", a->clock.resets);
    vectors_is_u64(c, c->expect, "restart_count", a->clock.restarts);
    vectors_is_bool(c, c->expect, "safe", a->clock.safe);
    vectors_is_u64(c, c->expect, "firmware_version", a->firmware);
    vectors_is_hex(c, c->expect, "qualified_signer", a->signer);
    (void)snprintf(alg, sizeof(alg), "%s", tcg_alg_name(q->sig.alg));
    for (char *p = alg; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    vectors_is_text(c, c->expect, "sig_alg", alg);
    vectors_is_text(c, c->expect, "sig_hash", tcg_alg_name(q->sig.hash));
    /* A signature that is refused for its hash is not tried. */
    if (q->signature_judged ||
            !(q->why & (1u << TCG_WHY_SIG_ALG | 1u << TCG_WHY_SIG_HASH)))
        vectors_is_bool(c, c->expect, "signature", q->signature);
    if (q->nonce_judged)
        vectors_is_bool(c, c->expect, "nonce_match", q->nonce);
    if (a->type != TCG_ATTEST_QUOTE)
        return;
    compare_selection(c, &a->selection);
    vectors_is_hex(c, c->expect, "pcr_digest", a->pcr_digest);
    vectors_is_bool(c, c->expect, "pcr_digest_match", q->pcr_digest);
}

static const char *const known[] = {"parse", "magic", "type", "extra_data",
        "clock", "reset_count", "restart_count", "safe", "firmware_version",
        "qualified_signer", "ak_name", "ak_attributes", "ak_restricted",
        "ak_sign", "ak_decrypt", "ak_fixed_tpm", "sig_alg", "sig_hash",
        "signature", "nonce_match", "pcr_select", "pcr_digest",
        "pcr_digest_match", "reasons", "verdict", "continuity", "lesson", "why",
        NULL};

/* The certificate of a cloud's AK is for the key that signed. */
static void compare_certificate(struct vectors_case *c, const struct tcg_ak *ak)
{
    const char *name = vectors_file(c, "ak_cert_der");
    struct crypto_cert *cert;
    struct crypto_pub *pub;

    if (!name)
        return;
    cert = crypto_cert_from_der(vectors_load(c, name));
    pub = cert ? crypto_cert_pub(cert) : NULL;
    if (!pub || !crypto_pub_eq(pub, tcg_ak_pub(ak)))
        vectors_complain(c, "AK certificate is not for the AK");
}

/* The log that comes with a quote gives the values that come with it. */
static void compare_log(struct vectors_case *c, const struct inputs *in)
{
    const char *name = vectors_file(c, "eventlog_bin");
    struct eventlog_pcrs got;
    struct err err = {0};

    if (!name)
        return;
    if (eventlog_replay(vectors_load(c, name), &got, &err) != 0) {
        vectors_complain(c, "event log: %s", err.msg);
        return;
    }
    for (size_t i = 0; i < in->want.n_claims; i++) {
        const struct tcg_claim *v = &in->claims[i];
        const struct eventlog_bank *b = eventlog_bank(&got, v->alg);

        if (b && v->pcr < TCG_PCRS && (b->extended >> v->pcr & 1) &&
                !span_eq(v->value, SPAN(b->value[v->pcr], b->size)))
            vectors_complain(c, "event log gives another PCR %u", v->pcr);
    }
}

static void judge(struct vectors_case *c)
{
    struct inputs in = {0};
    struct tcg_quote q;
    const char *verdict;

    vectors_known(c, c->expect, known);
    if (!take(c, &in)) {
        vectors_is_text(c, c->expect, "verdict", "reject");
        compare_reasons(c, 1u << TCG_WHY_AK_FORMAT);
        return;
    }
    (void)!tcg_quote_judge(in.ak, in.msg, in.sig, &in.want, &q, NULL);
    vectors_is_text(c, c->expect, "parse", q.parsed ? "ok" : "fail");
    verdict = q.why == 0 ? "accept"
              : q.why == 1u << TCG_WHY_AK_NOT_PINNED
                      ? "accept only with pinned AK"
                      : "reject";
    vectors_is_text(c, c->expect, "verdict", verdict);
    compare_reasons(c, q.why);
    compare_ak(c, in.ak);
    compare_certificate(c, in.ak);
    if (q.parsed)
        compare_fields(c, &q);
    if (in.want.n_claims > 0)
        compare_log(c, &in);
    if (json_object_get(c->expect, "continuity"))
        vectors_is_text(c, c->expect, "continuity",
                tcg_continuity_name(continuity_of(c)));
}

const struct vectors_kind vectors_quote[] = {
        {.name = "tpm-quote", .judge = judge},
        {0},
};
