/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Own state.  Two judges must agree before a key works: room appraise over own
 * evidence and the owner's pack, which gives reasons; and the TPM, which opens
 * the identity under the owner's signed PolicyPCR, or does not.
 */
#include "keyd.h"

#include "bundle.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- appraisal ------------------------------------------------------- */

/* reason: NULL when it stands in state.reason already. */
static void state_close(struct keyd *k, const char *reason)
{
    struct keyd_state *s = &k->state;

    keyd_ring_close(&k->ring);
    if (reason)
        (void)snprintf(s->reason, sizeof s->reason, "%s", reason);
    (void)snprintf(s->name, sizeof s->name, "%s", APPRAISE_NOT_APPROVED);
    s->approved = false;
}

static int approval_from(struct keyd *k, const struct pack_reference *ref,
        struct keyd_approval *ret, struct err *err)
{
    const struct pack_rules *rules =
            pack_rules(k->pack, k->zone_name, role_now());
    struct keyd_approval a = {.issued = ref->issued,
            .rules = rules ? rules->issued : 0,
            .until = pack_until(pack_zone(k->pack, k->zone_name), ref, rules,
                    k->conf->reference_max_age_s)};
    size_t len;
    int r;

    if (ref->selection.n != 1 || ref->selection.bank[0].alg != TCG_ALG_SHA256)
        return err_set(err, ERR_UNSUPPORTED,
                "keys can be bound to PCRs of the SHA-256 bank alone");

    r = tcg_signer_public(k->owner, a.owner, sizeof a.owner, &len);
    if (r != 0)
        return err_set(err, r, "the owner's key is not P-256");
    memcpy(a.ref, ref->policy_ref, sizeof a.ref);
    memcpy(a.tpm.policy, ref->policy, sizeof a.tpm.policy);
    memcpy(a.tpm.sig, ref->policy_sig, sizeof a.tpm.sig);
    *ret = a;
    ret->tpm.owner = SPAN(ret->owner, len);
    ret->tpm.ref = SPAN_OF(ret->ref);
    ret->tpm.pcrs = ref->selection.bank[0].pcrs;
    return 0;
}

int keyd_state_open(struct keyd *k, struct keyd_key *key, struct err *err)
{
    uint8_t *seed;
    size_t len = 0;
    int r;

    if (key->open)
        return 0;
    seed = secret_new(KEYD_SEED);
    if (!seed)
        return err_set(err, ERR_MEMORY, "cannot lock memory for a seed");
    r = tpm_unseal(k->tpm, &key->file.blob, &k->state.approval.tpm, seed,
            KEYD_SEED, &len, err);
    if (r == 0 && len != KEYD_SEED)
        r = err_set(err, ERR_MISMATCH, "sealed data of another kind");
    if (r == 0)
        r = keyd_ring_open(key, seed, err);
    secret_free(seed, KEYD_SEED);
    return r;
}

/* The first reason; there may be many. */
static void explain(const struct appraisal *a, char *ret, size_t cap)
{
    size_t more = a->n_findings + a->n_more;
    size_t len;

    (void)snprintf(ret, cap, "own evidence is not accepted");
    if (a->n_findings == 0)
        return;
    appraise_format(&a->finding[0], ret, cap);
    len = strlen(ret);
    if (more > 1)
        (void)snprintf(ret + len, cap - len, " (and %zu more)", more - 1);
}

static int self_appraise(struct keyd *k, const struct pack_reference *ref,
        struct appraisal *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    uint8_t binder[CRYPTO_SHA256_SIZE];
    struct appraise_input in = {
            .binder = SPAN_OF(binder),
            .time = role_now(),
    };
    int r;

    appraise_take_pack(&in, k->pack, k->zone_name);
    in.reference = ref; /* whose policy the TPM is asked to believe */
    crypto_random(binder, sizeof binder);
    r = keyd_state_evidence(k, binder, &evidence, err);
    if (r != 0)
        return r;
    in.evidence = buf_span(&evidence);
    appraise(&in, ret);
    return 0;
}

/* 0 with state.name and state.approval set, or a reason in state.reason. */
static int state_appraise(struct keyd *k, struct err *err)
{
    const struct pack_reference *ref;
    const struct pack_zone *zone;
    struct appraisal *a;
    int r;

    if (!k->owner)
        return err_set(err, ERR_STATE, "zone.conf names no owner");
    if (!k->pack)
        return err_set(err, ERR_STATE, "pack not usable: %s", k->pack_error);
    if (!k->ring.identity)
        return err_set(err, ERR_STATE, "the zone has no identity yet");
    zone = pack_zone(k->pack, k->zone_name);
    if (!zone)
        return err_set(err, ERR_STATE,
                "zone %s is not in the owner's pack: qair zone enrol", k->zone);
    /* its state would not be called emulated, and it is */
    if (k->conf->tpm == CONF_TPM_SWTPM && !zone->emulated)
        return err_set(err, ERR_MISMATCH,
                "the pack takes this zone's software TPM for hardware");
    ref = pack_reference(k->pack, k->zone_name, role_now());
    if (!ref)
        return err_set(err, ERR_STATE,
                "no state of zone %s is approved now: qair attest reference",
                k->zone);
    if (k->conf->reference_max_age_s != 0 &&
            role_now() >= ref->issued + k->conf->reference_max_age_s)
        return err_set(err, ERR_STATE,
                "approval too old: signed %llu s ago, reference-max-age is "
                "%u s",
                (unsigned long long)(role_now() - ref->issued),
                k->conf->reference_max_age_s);
    a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_MEMORY, "no memory to appraise");
    r = self_appraise(k, ref, a, err);
    if (r == 0)
        memcpy(k->state.evidence, a->evidence, sizeof k->state.evidence);
    if (r == 0 && !a->accept) {
        explain(a, k->state.reason, sizeof k->state.reason);
        r = ERR_MISMATCH;
    }
    if (r == 0)
        (void)snprintf(k->state.name, sizeof k->state.name, "%s", a->state);
    free(a);
    if (r == 0)
        r = approval_from(k, ref, &k->state.approval, err);
    return r;
}

/*
 * What the zone quotes, but for the PCR that a running system goes on with;
 * and whatever the owner's word names.
 */
static uint32_t state_watched(const struct keyd *k)
{
    const struct pack_reference *ref =
            k->pack ? pack_reference(k->pack, k->zone_name, role_now()) : NULL;
    uint32_t pcrs = k->conf->pcrs & ~(1u << PACK_PCR_RUNNING);

    if (ref && ref->selection.n == 1)
        pcrs |= ref->selection.bank[0].pcrs;
    return pcrs;
}

/* What was measured when the state was appraised; later looks compare. */
static int state_measure(
        struct keyd *k, struct keyd_state *ret, struct err *err)
{
    uint8_t value[TPM_PCRS][TPM_DIGEST];
    uint32_t pcrs = state_watched(k);
    uint32_t before = pcrs & ((1u << TPM_PCR_QAIR) - 1);
    size_t n = (size_t)__builtin_popcount(pcrs);
    int r = tpm_pcrs_read(k->tpm, pcrs, value, err);

    if (r == 0)
        r = tpm_clock(k->tpm, &ret->clock, err);
    if (r != 0)
        return r;
    ret->watched = pcrs;
    memcpy(ret->pcr, value[__builtin_popcount(before)], TPM_DIGEST);
    crypto_sha256(SPAN(value, n * TPM_DIGEST), ret->values);
    return 0;
}

static bool state_same(const struct keyd_state *a, const struct keyd_state *b)
{
    return a->watched == b->watched &&
           memcmp(a->values, b->values, TPM_DIGEST) == 0 &&
           a->clock.resets == b->clock.resets &&
           a->clock.restarts == b->clock.restarts;
}

static int state_open(struct keyd *k, struct err *err)
{
    struct keyd_state *s = &k->state;
    int r;

    r = state_measure(k, s, err);
    if (r != 0)
        return r;
    s->measured = true;
    r = state_appraise(k, err);
    /* its seed proves the state: nothing but the TPM has it */
    return r ? r : keyd_state_open(k, k->ring.identity, err);
}

static void state_evaluate(struct keyd *k)
{
    struct keyd_state *s = &k->state;
    char before[sizeof s->reason];
    bool was = s->approved;
    struct err err = {.msg = ""};
    int r;

    memcpy(before, s->reason, sizeof before);
    keyd_ring_close(&k->ring);
    s->measured = false;
    s->reason[0] = '\0';
    s->since = role_now();
    r = state_open(k, &err);
    s->approved = r == 0;
    if (r != 0)
        state_close(k, s->reason[0] ? NULL : err.msg);
    if (s->approved && !was)
        role_log(k->role, "state is %s, keys are open", s->name);
    if (!s->approved && strcmp(before, s->reason) != 0)
        role_log(k->role, "keys are closed: %s", s->reason);
}

/*
 * The owner's word is out of its time, or another one is in force: it may have
 * been signed ahead; the clock was set back; closed, and time to look again.
 */
static bool state_is_stale(const struct keyd *k)
{
    const struct keyd_state *s = &k->state;
    uint64_t now = role_now();
    const struct pack_reference *ref =
            k->pack ? pack_reference(k->pack, k->zone_name, now) : NULL;
    const struct pack_rules *rules =
            k->pack ? pack_rules(k->pack, k->zone_name, now) : NULL;

    if (now < s->since)
        return true;
    if (!s->approved)
        return now >= s->since + KEYD_RETRY_S;
    /* Sets that rules name end by themselves, and logs that they judge grow. */
    return now >= s->approval.until || !ref ||
           ref->issued != s->approval.issued ||
           (rules ? rules->issued : 0) != s->approval.rules ||
           (rules && now >= s->since + k->conf->reattest_s);
}

bool keyd_state_check(struct keyd *k)
{
    struct keyd_state *s = &k->state;
    struct keyd_state now;
    struct err err = {.msg = ""};

    if (state_measure(k, &now, &err) != 0) {
        s->measured = false;
        if (s->approved)
            role_log(k->role, "keys are closed: %s", err.msg);
        state_close(k, err.msg);
    } else if (!s->measured || !state_same(s, &now) || state_is_stale(k)) {
        state_evaluate(k);
    }
    keyd_tell(k);
    return s->approved;
}

bool keyd_state_ready(struct keyd *k, struct role_ticket t)
{
    if (keyd_state_check(k))
        return true;
    role_refuse(k->role, t, ERR_DENIED, KEYD_WHERE, "keys are closed: %s",
            k->state.reason);
    return false;
}

/* ---- configuration --------------------------------------------------- */

static int load_conf(struct keyd *k, struct err *err)
{
    struct span text;
    int r;

    if (!bundle_find(role_bundle(k->role, "conf"), "zone.conf", &text))
        return err_set(err, ERR_STATE, "qaird gave no zone.conf");
    r = conf_zone_parse(text, k->conf, err);
    if (r != 0)
        return r;
    if (k->conf->owner_len == 0)
        return 0;
    k->owner = crypto_pub_from_spki(SPAN(k->conf->owner, k->conf->owner_len));
    if (!k->owner || crypto_pub_type(k->owner) != CRYPTO_P256)
        return err_set(err, ERR_SYNTAX,
                "the owner in zone.conf is not a P-256 public key");
    return 0;
}

/* A pack is right or it is not used; without one nothing is approved. */
static void load_pack(struct keyd *k)
{
    struct bundle_iter it = bundle_iter_of(role_bundle(k->role, "pack"));
    struct bundle_file f;
    struct err err = {.msg = "out of memory"};
    struct pack *p;
    int r = 0;

    pack_free(TAKE_PTR(k->pack));
    if (!k->owner)
        return;
    p = pack_new(k->owner);
    while (p && r == 0 && bundle_next(&it, &f))
        r = pack_add(p, f.name, f.content, &err);
    if (p && r == 0)
        r = pack_check(p, &err);
    if (p && r == 0) {
        k->pack = p;
        return;
    }
    (void)snprintf(k->pack_error, sizeof k->pack_error, "%s", err.msg);
    pack_free(p);
}

static bool is_emulated(const struct keyd *k)
{
    const struct pack_zone *z =
            k->pack ? pack_zone(k->pack, k->zone_name) : NULL;

    return k->conf->tpm == CONF_TPM_SWTPM || (z && z->emulated);
}

void keyd_state_reload(struct keyd *k)
{
    load_pack(k);
    k->state.emulated = is_emulated(k);
    state_evaluate(k);
    keyd_tell(k);
}

int keyd_state_init(struct keyd *k, struct err *err)
{
    int r;

    k->conf = calloc(1, sizeof *k->conf);
    if (!k->conf)
        return err_set(err, ERR_MEMORY, "no memory for zone.conf");
    r = load_conf(k, err);
    if (r == 0)
        r = tpm_open(role_handle_take(k->role, "tpm"), false, &k->tpm, err);
    if (r == 0)
        r = keyd_ring_load(&k->ring, role_handle(k->role, "keys"), err);
    if (r == 0)
        r = keyd_make_own(k, err);
    if (r == 0)
        keyd_state_reload(k);
    return r;
}
