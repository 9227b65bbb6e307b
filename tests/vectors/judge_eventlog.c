/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event logs: of real machines (tcg-eventlog, ccel-eventlog), spoilt ones with
 * the PCR values that a machine claims (tcg-eventlog-negative), and those of
 * dynamic launches (drtm-eventlog).
 */
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#undef ERR_STATE

#include "eventlog.h"
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

#define TYPES_MAX  128
#define CLAIMS_MAX (TCG_BANKS_MAX * TCG_PCRS)

/* What the log alone says. */
struct result {
    int parse; /* 0 or an error */
    struct err err;
    struct eventlog log;
    struct eventlog_pcrs pcrs;
    size_t n_types;
    struct {
        uint32_t type;
        unsigned n;
    } types[TYPES_MAX];
};

static uint16_t alg_of(const char *name)
{
    static const uint16_t algs[] = {TCG_ALG_SHA1, TCG_ALG_SHA256,
            TCG_ALG_SHA384, TCG_ALG_SHA512, TCG_ALG_SM3};

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (strncmp(tcg_alg_name(algs[i]), name, 6) == 0)
            return algs[i];
    }
    return strncmp(name, "sm3", 3) == 0 ? TCG_ALG_SM3 : 0;
}

/* ---- types ----------------------------------------------------------- */

static void count_type(struct result *r, uint32_t type)
{
    size_t i = 0;

    while (i < r->n_types && r->types[i].type != type)
        i++;
    if (i == TYPES_MAX)
        return;
    if (i == r->n_types) {
        r->n_types++;
        r->types[i].type = type;
    }
    r->types[i].n++;
}

static bool is_type(uint32_t type, const char *name)
{
    const char *known = eventlog_type_name(type);

    return (known && strcmp(known, name) == 0) ||
           (name[0] == '0' && strtoul(name, NULL, 16) == type);
}

static void compare_types(struct vectors_case *c, const struct result *r)
{
    json_t *types = json_object_get(c->expect, "types"), *n;
    const char *name;

    if (!types)
        return;
    if (json_object_size(types) != r->n_types)
        vectors_complain(c, "types: expected %zu, got %zu",
                json_object_size(types), r->n_types);
    json_object_foreach (types, name, n) {
        unsigned got = 0;

        for (size_t i = 0; i < r->n_types; i++) {
            if (is_type(r->types[i].type, name))
                got = r->types[i].n;
        }
        if (got != json_integer_value(n))
            vectors_complain(c, "types: %lld of %s, got %u",
                    (long long)json_integer_value(n), name, got);
    }
}

/* ---- separators and data --------------------------------------------- */

static bool lists(json_t *list, size_t event, uint32_t pcr, const char *alg)
{
    size_t i;
    json_t *row;

    json_array_foreach (list, i, row) {
        if ((size_t)json_integer_value(json_array_get(row, 0)) == event &&
                json_integer_value(json_array_get(row, 1)) == pcr &&
                (!alg || strcmp(json_string_value(json_array_get(row, 3)),
                                 alg) == 0))
            return true;
    }
    return false;
}

struct seen {
    uint32_t separators; /* PCRs that had one */
    size_t n_duplicates;
    size_t n_bad;
};

static void judge_separator(
        struct vectors_case *c, struct seen *s, const struct eventlog_event *e)
{
    json_t *want = json_object_get(c->expect, "separators");
    json_t *twice = json_object_get(c->expect, "duplicate_separators");
    char pcr[12], hex[TEXT_HEX_SIZE(64)] = "longer";

    if (!want || e->type != EVENTLOG_EV_SEPARATOR || e->pcr >= TCG_PCRS)
        return;
    if ((s->separators >> e->pcr) & 1) {
        s->n_duplicates++;
        if (!lists(twice, e->index, e->pcr, NULL))
            vectors_complain(c, "duplicate separator in event %zu", e->index);
        return;
    }
    s->separators |= 1u << e->pcr;
    (void)snprintf(pcr, sizeof(pcr), "%u", e->pcr);
    if (e->data.len <= 64)
        text_format_hex(e->data, hex);
    vectors_is_text(c, want, pcr, hex);
    if (!json_object_get(want, pcr))
        vectors_complain(c, "separator of PCR %u is not expected", e->pcr);
}

/* Types whose digests the vectors compare with the data. */
static void judge_data(
        struct vectors_case *c, struct seen *s, const struct eventlog_event *e)
{
    json_t *bad = json_object_get(
            c->expect, "events_whose_digest_is_not_hash_of_data");

    if (!bad || (eventlog_check_data(e) == ERR_UNSUPPORTED &&
                        e->type != EVENTLOG_EV_PLATFORM_CONFIG_FLAGS))
        return;
    for (size_t i = 0; i < e->n_digests; i++) {
        uint8_t digest[CRYPTO_HASH_MAX];
        const char *alg = tcg_alg_name(e->digest[i].alg);
        enum crypto_hash hash;
        bool is_bad;

        if (!tcg_hash(e->digest[i].alg, &hash))
            continue;
        crypto_hash(hash, e->data, digest);
        is_bad = !span_eq(
                SPAN(digest, crypto_hash_size(hash)), e->digest[i].digest);
        s->n_bad += is_bad;
        if (is_bad != lists(bad, e->index, e->pcr, alg))
            vectors_complain(c, "event %zu: %s of the data %s", e->index, alg,
                    is_bad ? "differs" : "holds");
    }
}

static void compare_counts(struct vectors_case *c, const struct seen *s)
{
    json_t *want = json_object_get(c->expect, "separators");
    json_t *twice = json_object_get(c->expect, "duplicate_separators");
    json_t *bad = json_object_get(
            c->expect, "events_whose_digest_is_not_hash_of_data");
    json_t *row;
    size_t i, n_bad = 0;

    if (want &&
            json_object_size(want) != (size_t)__builtin_popcount(s->separators))
        vectors_complain(c, "separators: expected %zu, got %d",
                json_object_size(want), __builtin_popcount(s->separators));
    if (twice && json_array_size(twice) != s->n_duplicates)
        vectors_complain(c, "duplicate_separators: expected %zu, got %zu",
                json_array_size(twice), s->n_duplicates);
    json_array_foreach (bad, i, row)
        n_bad += alg_of(json_string_value(json_array_get(row, 3))) !=
                 TCG_ALG_SM3;
    if (bad && n_bad != s->n_bad)
        vectors_complain(c, "%zu digests that are not of their data, got %zu",
                n_bad, s->n_bad);
}

/* ---- the log --------------------------------------------------------- */

static struct result read_log(struct vectors_case *c, struct span bytes)
{
    struct result r = {.parse = 0};
    struct eventlog_replay replay;
    struct eventlog_event e;
    enum eventlog_data data;
    struct seen seen = {.separators = 0};

    r.parse = eventlog_open_any(bytes, &r.log, &r.err);
    if (r.parse != 0)
        return r;
    if (r.log.index == 1)
        count_type(&r, EVENTLOG_EV_NO_ACTION); /* the header */
    eventlog_replay_begin(&r.log, &replay);
    while ((r.parse = eventlog_replay_next(&replay, &e, &data, &r.err)) == 1) {
        count_type(&r, e.type);
        judge_separator(c, &seen, &e);
        judge_data(c, &seen, &e);
    }
    r.pcrs = replay.pcrs;
    if (r.parse == 0)
        compare_counts(c, &seen);
    return r;
}

static void compare_algs(struct vectors_case *c, const struct result *r)
{
    json_t *algs = json_object_get(c->expect, "algs"), *alg;
    size_t i;

    if (!algs)
        return;
    if (json_array_size(algs) != r->log.n_algs)
        vectors_complain(c, "algs: expected %zu, got %zu",
                json_array_size(algs), r->log.n_algs);
    json_array_foreach (algs, i, alg) {
        if (i < r->log.n_algs &&
                alg_of(json_string_value(alg)) != r->log.alg[i].alg)
            vectors_complain(
                    c, "algs: %s is not bank %zu", json_string_value(alg), i);
    }
}

#define SM3_SIZE 32

static bool extend_sm3(uint8_t *value, struct span digest)
{
    uint8_t both[2 * SM3_SIZE];

    memcpy(both, value, SM3_SIZE);
    memcpy(both + SM3_SIZE, digest.ptr, SM3_SIZE);
    return EVP_Digest(both, sizeof(both), value, NULL, EVP_sm3(), NULL) == 1;
}

/* qair keeps this bank and does not compute it; the judge does. */
static bool replay_sm3(const struct result *r, struct eventlog_bank *b)
{
    struct eventlog l = r->log;
    struct eventlog_event e;
    struct span digest;

    *b = (struct eventlog_bank){.alg = TCG_ALG_SM3, .size = SM3_SIZE};
    while (eventlog_next(&l, &e, NULL) == 1) {
        if (e.type == EVENTLOG_EV_NO_ACTION || e.pcr >= 17 ||
                !eventlog_digest(&e, TCG_ALG_SM3, &digest))
            continue;
        if (e.pcr == 0 && !(b->extended & 1))
            b->value[0][SM3_SIZE - 1] = e.type == EVENTLOG_EV_EFI_HCRTM_EVENT
                                                ? 4
                                                : r->pcrs.locality;
        if (!extend_sm3(b->value[e.pcr], digest))
            return false;
        b->extended |= 1u << e.pcr;
    }
    return true;
}

static bool has_sm3(const struct result *r)
{
    for (size_t i = 0; i < r->log.n_algs; i++) {
        if (r->log.alg[i].alg == TCG_ALG_SM3)
            return true;
    }
    return false;
}

/* { bank: { PCR: value } }, all that the log extended and no others. */
static void compare_pcrs(struct vectors_case *c, const struct result *r)
{
    json_t *pcrs = json_object_get(c->expect, "pcrs"), *values, *value;
    const char *bank, *index;

    if (!json_is_object(pcrs))
        return;
    json_object_foreach (pcrs, bank, values) {
        const struct eventlog_bank *b = eventlog_bank(&r->pcrs, alg_of(bank));
        struct eventlog_bank sm3;
        unsigned n = 0;

        if (!b && alg_of(bank) == TCG_ALG_SM3 && has_sm3(r)) {
            if (json_object_size(values) == 0 || !replay_sm3(r, &sm3))
                continue;
            b = &sm3;
        }
        if (!b) {
            vectors_complain(c, "pcrs: no bank of %s", bank);
            continue;
        }
        json_object_foreach (values, index, value) {
            unsigned long i = strtoul(index, NULL, 10);

            (void)value;
            if (i >= TCG_PCRS || !((b->extended >> i) & 1)) {
                vectors_complain(c, "pcrs: %s %s not extended", bank, index);
                continue;
            }
            vectors_is_hex(c, values, index, SPAN(b->value[i], b->size));
            n++;
        }
        if (n != (unsigned)__builtin_popcount(b->extended))
            vectors_complain(c, "pcrs: %s: expected %u, got %d", bank, n,
                    __builtin_popcount(b->extended));
    }
}

static void compare_locality(struct vectors_case *c, const struct result *r)
{
    json_t *want = json_object_get(c->expect, "startup_locality");

    if (!want)
        return;
    if (json_is_null(want) == r->pcrs.has_locality)
        vectors_complain(c, "startup_locality: %s",
                r->pcrs.has_locality ? "not expected" : "missing");
    vectors_is_u64(c, c->expect, "startup_locality", r->pcrs.locality);
}

static void compare_parse(struct vectors_case *c, const struct result *r)
{
    const char *want = vectors_text(c->expect, "parse");

    if (!want || !strcmp(want, "fail-or-mismatch") ||
            !strcmp(want, "ok or fail"))
        return;
    if (strcmp(want, r->parse == 0 ? "ok" : "fail") != 0)
        vectors_disagree(c, "parse", want, r->parse == 0 ? "ok" : r->err.msg);
}

/* why, lesson: sentences for a person. */
static const char *const known[] = {"parse", "format", "algs", "events",
        "bytes_used", "startup_locality", "types", "pcrs", "separators",
        "duplicate_separators", "events_whose_digest_is_not_hash_of_data",
        "verdict", "why", "lesson", NULL};

static void judge_log(struct vectors_case *c)
{
    struct result r = read_log(c, vectors_load(c, vectors_file(c, "log")));

    vectors_known(c, c->expect, known);
    compare_parse(c, &r);
    vectors_is_text(
            c, c->expect, "verdict", r.parse == 0 ? "accept" : "reject");
    if (r.parse != 0)
        return;
    vectors_is_text(c, c->expect, "format",
            r.log.format == EVENTLOG_AGILE ? "crypto-agile" : "tcg1.2-sha1");
    vectors_is_u64(c, c->expect, "events", r.pcrs.events);
    vectors_is_u64(c, c->expect, "bytes_used", r.pcrs.used);
    compare_algs(c, &r);
    compare_locality(c, &r);
    compare_types(c, &r);
    compare_pcrs(c, &r);
}

/* ---- against PCR values ---------------------------------------------- */

struct claims {
    size_t n;
    struct eventlog_claim claim[CLAIMS_MAX];
};

static void add_claim(struct vectors_case *c, struct claims *l,
        const char *bank, const char *pcr, json_t *value)
{
    struct eventlog_claim *k = &l->claim[l->n];

    if (l->n == CLAIMS_MAX ||
            !vectors_hex(json_string_value(value), &k->value)) {
        vectors_complain(c, "claim of %s PCR %s cannot be read", bank, pcr);
        return;
    }
    k->alg = alg_of(bank);
    k->pcr = (unsigned)strtoul(pcr, NULL, 10);
    l->n++;
}

/* { bank: { PCR: value } } or { PCR: { bank: value } } */
static struct claims load_claims(struct vectors_case *c, const char *name)
{
    struct claims l = {.n = 0};
    struct span text = vectors_load(c, vectors_file(c, name));
    json_t *file = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    const char *outer, *inner;
    json_t *values, *value;

    if (!file)
        vectors_complain(c, "%s is no JSON", name);
    json_object_foreach (file, outer, values) {
        json_object_foreach (values, inner, value) {
            if (outer[0] >= '0' && outer[0] <= '9')
                add_claim(c, &l, inner, outer, value);
            else
                add_claim(c, &l, outer, inner, value);
        }
    }
    return l;
}

static void compare_differing(
        struct vectors_case *c, const struct eventlog_agreement *a)
{
    json_t *pcrs = json_object_get(c->expect, "pcrs");
    json_t *banks = json_object_get(c->expect, "banks"), *v;
    uint32_t want = 0;
    unsigned n = 0;
    size_t i;

    json_array_foreach (pcrs, i, v)
        want |= 1u << json_integer_value(v);
    if (json_is_array(pcrs) && want != a->differ)
        vectors_complain(
                c, "pcrs: expected %#x to differ, got %#x", want, a->differ);
    for (i = 0; i < a->n; i++)
        n += a->bank[i].differ != 0;
    if (json_is_array(banks) && json_array_size(banks) != n)
        vectors_complain(
                c, "banks: expected %zu, got %u", json_array_size(banks), n);
    json_array_foreach (banks, i, v) {
        bool differs = false;

        for (size_t j = 0; j < a->n; j++) {
            if (a->bank[j].alg == alg_of(json_string_value(v)))
                differs = a->bank[j].differ != 0;
        }
        if (!differs)
            vectors_complain(
                    c, "banks: %s does not differ", json_string_value(v));
    }
}

/* What a rule that needs the state of secure boot would say. */
static bool is_decided(const struct result *r, uint32_t proved)
{
    struct eventlog_view v;
    const char *why;
    uint16_t alg = TCG_ALG_SHA1;

    for (size_t i = 0; i < r->pcrs.n; i++) {
        if (r->pcrs.bank[i].alg == TCG_ALG_SHA256)
            alg = TCG_ALG_SHA256;
    }
    eventlog_view_begin(&r->log, alg, proved, &v);
    return eventlog_view_all(&v, NULL) == 0 &&
           eventlog_view_secure_boot(&v, &why) != EVENTLOG_UNDECIDED;
}

static const char *const known_negative[] = {"parse", "replay", "data_digest",
        "event", "pcrs", "banks", "verdict", "why", "lesson", NULL};

static void judge_negative(struct vectors_case *c)
{
    struct result r = read_log(c, vectors_load(c, vectors_file(c, "log")));
    struct claims l = load_claims(c, "claimed_pcrs");
    struct eventlog_agreement a = {.n = 0};
    bool match = false;

    vectors_known(c, c->expect, known_negative);
    compare_parse(c, &r);
    if (r.parse == 0) {
        match = eventlog_compare(&r.pcrs, l.claim, l.n, &a, &r.err) == 0;
        vectors_is_text(c, c->expect, "replay", match ? "match" : "mismatch");
        vectors_is_text(c, c->expect, "data_digest",
                r.pcrs.wrong ? "mismatch" : "match");
        if (r.pcrs.wrong)
            vectors_is_u64(c, c->expect, "event", r.pcrs.first_wrong);
        compare_differing(c, &a);
    }
    vectors_is_text(c, c->expect, "verdict",
            match && r.pcrs.wrong == 0 && is_decided(&r, a.proved) ? "accept"
                                                                   : "reject");
}

/* ---- dynamic launches ------------------------------------------------- */

static const char *drtm_replay(const struct eventlog_agreement *a)
{
    bool sha1 = false, other = false;

    for (size_t i = 0; i < a->n; i++) {
        if (a->bank[i].alg == TCG_ALG_SHA1)
            sha1 = sha1 || a->bank[i].differ;
        else
            other = other || a->bank[i].differ;
    }
    return other ? "mismatch" : sha1 ? "sha256 match, sha1 mismatch" : "match";
}

/* { PCR: { bank: value } } */
static void compare_launch(
        struct vectors_case *c, const struct eventlog_pcrs *p)
{
    json_t *pcrs = json_object_get(c->expect, "pcrs"), *banks, *value;
    const char *pcr, *bank;

    json_object_foreach (pcrs, pcr, banks) {
        json_object_foreach (banks, bank, value) {
            const struct eventlog_bank *b = eventlog_bank(p, alg_of(bank));
            unsigned long i = strtoul(pcr, NULL, 10);

            (void)value;
            if (!b || i >= TCG_PCRS)
                vectors_complain(c, "pcrs: no %s PCR %s", bank, pcr);
            else
                vectors_is_hex(c, banks, bank, SPAN(b->value[i], b->size));
        }
    }
}

static const char *const known_drtm[] = {
        "parse", "replay", "pcrs", "verdict", "why", NULL};

static void judge_drtm(struct vectors_case *c)
{
    struct result r = {.parse = 0};
    struct eventlog_drtm d;
    struct claims l = load_claims(c, "claimed");
    struct eventlog_agreement a = {.n = 0};
    const char *want = vectors_text(c->expect, "verdict"), *got = "reject";

    vectors_known(c, c->expect, known_drtm);
    r.parse = eventlog_drtm_open(
            vectors_load(c, vectors_file(c, "log")), &d, &r.err);
    compare_parse(c, &r);
    if (r.parse == 0 && eventlog_drtm_replay(&d, &r.pcrs, &r.err) == 0) {
        if (eventlog_drtm_compare(&r.pcrs, l.claim, l.n, &a, &r.err) == 0)
            got = "accept";
        vectors_is_text(c, c->expect, "replay", drtm_replay(&a));
        compare_launch(c, &r.pcrs);
    }
    /* An accepting verdict may go on with its conditions. */
    if (!want || strncmp(want, got, strlen(got)) != 0)
        vectors_disagree(c, "verdict", want ? want : "nothing",
                r.err.msg[0] ? r.err.msg : got);
}

static bool is_launch_facts(json_t *file)
{
    return json_object_get(file, "pcr17_sha256") != NULL;
}

static const char *const known_facts[] = {"note", "pcr17_sha256",
        "pcr18_sha256", "pcr19_22", "origin", "id", "kind", NULL};

/* Values of a real machine: they prove a launch, and nothing else is known. */
static void judge_launch_facts(struct vectors_case *c)
{
    static const char *const names[] = {"pcr17_sha256", "pcr18_sha256"};
    struct eventlog_claim claim[2];
    struct eventlog_pcrs p = {.n = 1,
            .bank = {{.alg = TCG_ALG_SHA256,
                    .hash = CRYPTO_SHA256,
                    .size = 32}}};
    struct eventlog_agreement a;
    struct err err;

    vectors_known(c, c->expect, known_facts);
    for (unsigned i = 0; i < 2; i++) {
        claim[i] =
                (struct eventlog_claim){.alg = TCG_ALG_SHA256, .pcr = 17 + i};
        if (!vectors_hex(vectors_text(c->expect, names[i]), &claim[i].value) ||
                claim[i].value.len != 32) {
            vectors_complain(c, "%s is no digest", names[i]);
            return;
        }
        memcpy(p.bank[0].value[17 + i], claim[i].value.ptr, 32);
    }
    if (eventlog_drtm_compare(&p, claim, 2, &a, &err) != 0)
        vectors_complain(c, "no launch: %s", err.msg);
}

const struct vectors_kind vectors_eventlog[] = {
        {.name = "tcg-eventlog", .judge = judge_log},
        {.name = "ccel-eventlog", .judge = judge_log},
        {.name = "tcg-eventlog-negative", .judge = judge_negative},
        {.name = "drtm-eventlog", .judge = judge_drtm},
        {.name = "drtm-facts",
                .recognise = is_launch_facts,
                .judge = judge_launch_facts},
        {0},
};
