/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offline judgement: one table of checks in their order.  A check runs
 * when those it stands on were good; otherwise it has failed as well.
 */
#include "receipt.h"

#include "appraise.h"
#include "chain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Clocks of two machines; a call's envelope lives no longer either. */
#define SKEW_S LIMIT_CALL_DEADLINE_S

struct judge {
    const struct receipt_input *in;
    struct receipt r;
    struct statement st;
    struct statement_sign sign; /* untrusted until RECEIPT_STATEMENT is good */
    struct statement envelope;
    struct statement_call call; /* of envelope, once RECEIPT_ENVELOPE is good */
    const struct pack_zone *zone;
    const struct pack_key *key;
    char detail[RECEIPT_DETAIL_MAX];
};

#define STR(s) (int)(s).len, (const char *)(s).ptr

static enum receipt_result say(struct judge *j, enum receipt_result result,
        const char *fmt, ...) PRINTF_LIKE(3, 4);

static enum receipt_result say(
        struct judge *j, enum receipt_result result, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(j->detail, sizeof(j->detail), fmt, ap);
    va_end(ap);
    return result;
}

#define NO(...)  say(j, RECEIPT_FAILED, __VA_ARGS__)
#define YES(...) say(j, RECEIPT_OK, __VA_ARGS__)

static bool is_zero(const uint8_t digest[static CRYPTO_SHA256_SIZE])
{
    static const uint8_t zero[CRYPTO_SHA256_SIZE];

    return memcmp(digest, zero, sizeof(zero)) == 0;
}

static bool has_digest(
        struct span bytes, const uint8_t want[static CRYPTO_SHA256_SIZE])
{
    uint8_t got[CRYPTO_SHA256_SIZE];

    crypto_sha256(bytes, got);
    return memcmp(got, want, sizeof(got)) == 0;
}

static enum receipt_result check_form(struct judge *j)
{
    struct err err = {0};

    if (receipt_parse(j->in->receipt, &j->r, &err))
        return NO("%s", err.msg);
    if (statement_open_untrusted(j->r.statement, &j->st, &err))
        return NO("statement: %s", err.msg);
    if (statement_sign_parse(&j->st, &j->sign, &err))
        return NO("statement: %s", err.msg);
    return YES("%.*s, signed as %.*s", STR(j->sign.artefact),
            STR(j->sign.profile));
}

static enum receipt_result check_statement(struct judge *j)
{
    const struct pack_zone *z = pack_zone(j->in->pack, j->sign.zone);
    struct err err = {0};

    if (!z)
        return NO("zone %.*s is not in the pack", STR(j->sign.zone));
    if (statement_verify(&j->st, z->identity, &err))
        return NO(
                "not signed by the identity of zone %s: %s", z->name, err.msg);
    if (!pack_zone_valid(z, j->sign.time))
        return NO("zone %s was not valid when it signed", z->name);
    j->zone = z;
    return YES("signed by the identity of zone %s", z->name);
}

static enum receipt_result check_time(struct judge *j)
{
    char text[TEXT_TIME_SIZE];

    if (!text_format_time(j->sign.time, text))
        return NO("time of signing is out of range");
    if (j->sign.time > j->in->time && j->sign.time - j->in->time > SKEW_S)
        return NO("signed at %s, which is in the future", text);
    return YES("signed at %s", text);
}

static enum receipt_result check_log(struct judge *j)
{
    struct merkle_checkpoint c;
    struct merkle_vkey vkey;
    struct err err = {0};
    uint64_t index;

    if (merkle_vkey_for_zone(j->sign.zone, j->zone->log, &vkey, &err) ||
            merkle_tlog_proof_verify(
                    j->r.proof, j->r.statement, &vkey, &index, &c, &err))
        return NO("not proved to be in the log of zone %s: %s", j->zone->name,
                err.msg);
    return YES("entry %" PRIu64 " of %" PRIu64 " in the log %s", index, c.size,
            c.origin);
}

/* A call from the signing zone itself has no envelope. */
static enum receipt_result check_local(struct judge *j)
{
    if (j->r.envelope.len > 0)
        return NO("there is an envelope that the statement does not name");
    if (!span_eq(j->sign.requester_zone, j->sign.zone))
        return NO("call of another zone without its envelope");
    return YES("asked for by qube %.*s of the same zone",
            STR(j->sign.requester_qube));
}

static enum receipt_result compare_call(
        struct judge *j, const struct statement_call *c)
{
    const struct statement_sign *s = &j->sign;

    if (memcmp(c->call_id, s->call_id, STATEMENT_CALL_ID) != 0)
        return NO("envelope is of another call");
    if (!span_eq(c->origin, s->requester_zone) ||
            !span_eq(c->source_qube, s->requester_qube))
        return NO("envelope was asked for by %.*s of zone %.*s, statement "
                  "says %.*s of %.*s",
                STR(c->source_qube), STR(c->origin), STR(s->requester_qube),
                STR(s->requester_zone));
    if (!span_eq(c->zone, s->zone) || !span_eq(c->qube, s->requested))
        return NO("envelope is for %.*s of zone %.*s", STR(c->qube),
                STR(c->zone));
    if (c->issued > s->time && c->issued - s->time > SKEW_S)
        return NO("envelope was issued after the signature");
    /* Else a used envelope would vouch for signatures of any later day. */
    if (s->time > c->deadline &&
            s->time - c->deadline > LIMIT_ARTEFACT_S + SKEW_S)
        return NO("the envelope's deadline had passed when it was signed");
    if (c->appraisal.zone.len == 0) /* of before 2026-11 */
        return YES("asked for by qube %.*s of zone %.*s (%.*s), allowed by "
                   "%.*s",
                STR(c->source_qube), STR(c->origin), STR(c->service),
                STR(c->rule));
    return YES("asked for by qube %.*s of zone %.*s (%.*s), allowed by %.*s; "
               "it rests on zone %.*s being %.*s",
            STR(c->source_qube), STR(c->origin), STR(c->service), STR(c->rule),
            STR(c->appraisal.zone), STR(c->appraisal.state));
}

static enum receipt_result check_envelope(struct judge *j)
{
    const struct pack_zone *origin;
    struct err err = {0};

    if (is_zero(j->sign.envelope))
        return check_local(j);
    if (j->r.envelope.len == 0 || !has_digest(j->r.envelope, j->sign.envelope))
        return NO("envelope is not the one that the statement names");
    origin = pack_zone(j->in->pack, j->sign.requester_zone);
    if (!origin)
        return NO("zone %.*s is not in the pack", STR(j->sign.requester_zone));
    if (statement_open(j->r.envelope, origin->identity, &j->envelope, &err) ||
            statement_call_parse(&j->envelope, &j->call, &err))
        return NO("not an envelope of zone %s: %s", origin->name, err.msg);
    if (!pack_zone_valid(origin, j->call.issued))
        return NO("zone %s was not valid when it called", origin->name);
    return compare_call(j, &j->call);
}

/* A redirect of the signing zone's own policy, for people. */
static enum receipt_result say_path(struct judge *j, const char *path)
{
    const struct statement_sign *s = &j->sign;

    if (s->requested.len == 0 || span_eq(s->requested, s->qube))
        return YES("%s", path);
    return YES(
            "%s, redirected to %.*s by %.*s", path, STR(s->qube), STR(s->rule));
}

static enum receipt_result check_path(struct judge *j)
{
    const struct statement_sign *s = &j->sign;
    CLEANUP(chain_fini) struct chain chain = {.n = 0};
    const struct statement_call local = {.origin = s->requester_zone,
            .source_qube = s->requester_qube,
            .zone = s->zone,
            .qube = s->requested.len ? s->requested : s->qube};
    char path[CHAIN_PATH_MAX];
    struct err err = {0};

    if (is_zero(s->envelope)) {
        chain_path(&chain, &local, path);
        return say_path(j, path);
    }
    if (chain_open(&j->call, j->in->pack, 0, &chain, &err))
        return NO("%s", err.msg);
    chain_path(&chain, &j->call, path);
    return say_path(j, path);
}

static enum receipt_result check_key(struct judge *j)
{
    const struct statement_sign *s = &j->sign;
    const struct pack_key *k = pack_key(j->in->pack, s->key);

    if (!k)
        return NO("key %.*s is not in the pack", STR(s->key));
    if (memcmp(k->spki_sha256, s->key_sha256, sizeof(s->key_sha256)) != 0)
        return NO("the pack has another public key for %s", k->name);
    if (!span_eq_str(s->zone, k->zone))
        return NO("key %s belongs to zone %s", k->name, k->zone);
    if (!span_eq_str(s->profile, k->profile) ||
            !span_eq_str(s->custody, k->custody))
        return NO("key %s is for profile %s in custody %s", k->name, k->profile,
                k->custody);
    if (k->revoked)
        return NO("the owner has revoked key %s", k->name);
    if (!pack_key_valid(k, s->time))
        return NO("key %s was not valid at the time of signing", k->name);
    j->key = k;
    return YES(
            "key %s, custody %s, profile %s", k->name, k->custody, k->profile);
}

/* What the signature covers, by the statement; BLAKE2b by the file alone. */
static struct profile_digests stated_digests(const struct judge *j)
{
    struct profile_digests d = {.size = j->sign.artefact_size};

    memcpy(d.sha256, j->sign.artefact_sha256, sizeof(d.sha256));
    memcpy(d.sha512, j->sign.artefact_sha512, sizeof(d.sha512));
    if (j->in->artefact)
        memcpy(d.blake2b512, j->in->artefact->blake2b512, sizeof(d.blake2b512));
    return d;
}

static bool agrees(const struct judge *j, const struct profile_claims *c)
{
    uint64_t apart = c->time > j->sign.time ? c->time - j->sign.time
                                            : j->sign.time - c->time;

    return !c->has_comment ||
           (span_eq(c->name, j->sign.artefact) && apart <= SKEW_S);
}

static enum receipt_result check_signature(struct judge *j)
{
    struct profile_digests d = stated_digests(j);
    struct profile_claims claims = {0};
    struct err err = {0};
    enum profile_id id;

    if (!span_eq(j->r.profile, j->sign.profile) ||
            !profile_parse_name(j->r.profile, &id))
        return NO("profile %.*s is not the stated one", STR(j->r.profile));
    if (!has_digest(j->r.signature, j->sign.signature))
        return NO("signature file is not the one that the statement names");
    if (id == PROFILE_MINISIGN && !j->in->artefact)
        return NO("a minisign signature is checked with the file: name it");
    if (profile_verify(id, j->key->pub, &d, j->r.signature, &claims, &err))
        return NO("%s", err.msg);
    if (!agrees(j, &claims))
        return NO("trusted comment names another file or time");
    return YES("%s signature by key %s", profile_name(id), j->key->name);
}

static enum receipt_result check_artefact(struct judge *j)
{
    const struct profile_digests *d = j->in->artefact;
    char stated[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];
    char found[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    text_format_hex(SPAN_OF(j->sign.artefact_sha256), stated);
    if (!d)
        return say(j, RECEIPT_NOT_GIVEN,
                "no file to compare; signed was SHA-256 %s", stated);
    text_format_hex(SPAN_OF(d->sha256), found);
    if (d->size != j->sign.artefact_size ||
            memcmp(d->sha256, j->sign.artefact_sha256, sizeof(d->sha256)) !=
                    0 ||
            memcmp(d->sha512, j->sign.artefact_sha512, sizeof(d->sha512)) != 0)
        return NO("file has SHA-256 %s, signed was %s", found, stated);
    return YES("%" PRIu64 " bytes, SHA-256 %s", d->size, found);
}

static enum receipt_result explain_appraisal(
        struct judge *j, const struct appraisal *a)
{
    char line[RECEIPT_DETAIL_MAX] = "";

    if (a->n_findings > 0)
        appraise_format(&a->finding[0], line, sizeof(line));
    if (a->n_findings + a->n_more > 1)
        return NO("%s, and %zu more", line, a->n_findings + a->n_more - 1);
    return NO("%s", line);
}

/* Approved since or not: what counts is the state of the day. */
static const struct pack_reference *reference_then(const struct judge *j)
{
    struct evidence e;
    bool is = evidence_parse(j->r.evidence, &e, NULL) == 0;

    return pack_reference_then(j->in->pack, j->sign.zone, j->sign.time,
            is ? &e.quote.selection : NULL, is ? &e.values : NULL);
}

/* Rules that came into force in these minutes may not have been known yet. */
static void appraise_then(const struct pack *p, struct span zone,
        struct appraise_input *in, struct appraisal *ret)
{
    const struct pack_rules *before = pack_rules_before(p, zone, in->time);

    appraise(in, ret);
    if (ret->accept || before == in->rules)
        return;
    in->rules = before;
    appraise(in, ret);
}

static enum receipt_result check_evidence(struct judge *j)
{
    const struct statement_sign *s = &j->sign;
    uint8_t binder[CRYPTO_SHA256_SIZE];
    struct appraise_input in = {.evidence = j->r.evidence,
            .zone = j->zone,
            .binder = SPAN_OF(binder),
            .time = s->time};
    struct appraisal a;

    if (is_zero(s->evidence) || !has_digest(j->r.evidence, s->evidence))
        return NO("evidence is not the one that the statement names");
    receipt_binder(s->call_id, s->key_sha256, s->artefact_sha256, binder);
    appraise_take_pack(&in, j->in->pack, s->zone);
    in.reference = reference_then(j);
    appraise_then(j->in->pack, s->zone, &in, &a);
    if (!a.accept)
        return explain_appraisal(j, &a);
    if (!span_eq_str(s->state, a.state) || s->emulated != j->zone->emulated)
        return NO("state is %s, statement says %.*s", a.state, STR(s->state));
    return YES("zone %s was in state %s", j->zone->name, a.state);
}

#define NEEDS(c) (1u << RECEIPT_##c)

static const struct {
    const char *name;
    enum receipt_result (*check)(struct judge *j);
    unsigned needs; /* checks that must be good */
} checks[RECEIPT_CHECK_COUNT] = {
        [RECEIPT_FORM] = {"form", check_form, 0},
        [RECEIPT_STATEMENT] = {"statement", check_statement, NEEDS(FORM)},
        [RECEIPT_TIME] = {"time", check_time, NEEDS(STATEMENT)},
        [RECEIPT_LOG] = {"log", check_log, NEEDS(STATEMENT)},
        [RECEIPT_ENVELOPE] = {"envelope", check_envelope, NEEDS(STATEMENT)},
        [RECEIPT_PATH] = {"path", check_path, NEEDS(ENVELOPE)},
        [RECEIPT_KEY] = {"key", check_key, NEEDS(STATEMENT)},
        [RECEIPT_SIGNATURE] = {"signature", check_signature, NEEDS(KEY)},
        [RECEIPT_ARTEFACT] = {"artefact", check_artefact, NEEDS(STATEMENT)},
        [RECEIPT_EVIDENCE] = {"evidence", check_evidence, NEEDS(STATEMENT)},
};

const char *receipt_check_name(enum receipt_check c)
{
    return checks[c].name;
}

void receipt_judge(
        const struct receipt_input *in, struct receipt_judgement *ret)
{
    struct judge j = {.in = in};
    unsigned good = 0;

    *ret = (struct receipt_judgement){.verified = true};
    for (unsigned i = 0; i < RECEIPT_CHECK_COUNT; i++) {
        struct receipt_finding *f = &ret->finding[i];

        (void)snprintf(j.detail, sizeof(j.detail),
                "not checked: an earlier check failed");
        f->result = (checks[i].needs & ~good) == 0 ? checks[i].check(&j)
                                                   : RECEIPT_FAILED;
        /* Parts of it came from the receipt. */
        text_format_safe(span_str(j.detail), f->detail, sizeof(f->detail));
        if (f->result == RECEIPT_OK)
            good |= 1u << i;
        if (f->result == RECEIPT_FAILED)
            ret->verified = false;
    }
    statement_fini(&j.envelope);
    statement_fini(&j.st);
    receipt_fini(&j.r);
}
