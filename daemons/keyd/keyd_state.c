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

/* ---- evidence -------------------------------------------------------- */

int keyd_state_evidence(struct keyd *k,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], struct buf *ret,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf attest = BUF_INIT(TPM_QUOTE_MAX);
    CLEANUP(buf_fini) struct buf sig = BUF_INIT(TPM_QUOTE_MAX);
    struct evidence e = {.log = SPAN_EMPTY};
    struct bundle_iter events = bundle_iter_of(role_bundle(k->role, "events"));
    struct bundle_file log;
    uint8_t pcr[TPM_DIGEST];
    int r;

    r = tpm_quote(k->tpm, &k->ring.ak->file.blob, TPM_PCR_QAIR, binder, &attest,
            &sig, err);
    if (r == 0)
        r = tpm_pcr_read(k->tpm, TPM_PCR_QAIR, pcr, err);
    if (r != 0)
        return r;
    e.attest = buf_span(&attest);
    e.signature = buf_span(&sig);
    e.ak = tpm_blob_public(&k->ring.ak->file.blob);
    e.values = (struct evidence_values){.n = 1, .value = {SPAN_OF(pcr)}};
    if (bundle_next(&events, &log)) /* the one file */
        e.log = log.content;
    return evidence_format(&e, ret, err);
}

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
    struct keyd_approval a = {.expires = ref->expires};
    size_t len;
    int r;

    r = evidence_tpm_signer_public(k->owner, a.owner, sizeof a.owner, &len);
    if (r != 0)
        return err_set(err, r, "the owner's key is not P-256");
    memcpy(a.ref, ref->policy_ref, sizeof a.ref);
    memcpy(a.tpm.policy, ref->policy, sizeof a.tpm.policy);
    memcpy(a.tpm.sig, ref->policy_sig, sizeof a.tpm.sig);
    *ret = a;
    ret->tpm.owner = SPAN(ret->owner, len);
    ret->tpm.ref = SPAN_OF(ret->ref);
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
            .zone = pack_zone(k->pack, k->zone_name),
            .reference = ref,
            .binder = SPAN_OF(binder),
            .time = role_now(),
    };
    int r;

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
    struct appraisal *a;
    int r;

    if (!k->owner)
        return err_set(err, ERR_STATE, "zone.conf names no owner");
    if (!k->pack)
        return err_set(err, ERR_STATE, "pack not usable: %s", k->pack_error);
    if (!k->ring.identity)
        return err_set(err, ERR_STATE, "the zone has no identity yet");
    ref = pack_reference(k->pack, k->zone_name, role_now());
    a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_MEMORY, "no memory to appraise");
    r = self_appraise(k, ref, a, err);
    if (r == 0 && (!a->accept || !ref)) {
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

/* What was measured when the state was appraised; later looks compare. */
static int state_measure(struct keyd *k, uint8_t pcr[static TPM_DIGEST],
        struct tpm_clock *clock, struct err *err)
{
    int r;

    r = tpm_pcr_read(k->tpm, TPM_PCR_QAIR, pcr, err);
    return r ? r : tpm_clock(k->tpm, clock, err);
}

static bool state_same(const struct keyd_state *s,
        const uint8_t pcr[static TPM_DIGEST], const struct tpm_clock *clock)
{
    return s->measured && memcmp(s->pcr, pcr, TPM_DIGEST) == 0 &&
           s->clock.resets == clock->resets &&
           s->clock.restarts == clock->restarts;
}

/* The identity's seed proves the state: nothing but the TPM has it. */
static void state_evaluate(struct keyd *k)
{
    struct keyd_state *s = &k->state;
    bool was = s->approved;
    struct err err = {.msg = ""};
    int r;

    keyd_ring_close(&k->ring);
    s->measured = false;
    s->reason[0] = '\0';
    s->since = role_now();
    r = state_measure(k, s->pcr, &s->clock, &err);
    if (r == 0) {
        s->measured = true;
        r = state_appraise(k, &err);
    }
    if (r == 0)
        r = keyd_state_open(k, k->ring.identity, &err);
    s->approved = r == 0;
    if (r != 0)
        state_close(k, s->reason[0] ? NULL : err.msg);
    if (s->approved && !was)
        role_log(k->role, "state is %s, keys are open", s->name);
    if (!s->approved)
        role_log(k->role, "keys are closed: %s", s->reason);
}

bool keyd_state_check(struct keyd *k)
{
    struct keyd_state *s = &k->state;
    uint64_t expires = s->approval.expires, now = role_now();
    uint8_t pcr[TPM_DIGEST];
    struct tpm_clock clock;
    struct err err = {.msg = ""};

    if (state_measure(k, pcr, &clock, &err) != 0) {
        s->measured = false;
        state_close(k, err.msg);
    } else if (!state_same(s, pcr, &clock)) {
        state_evaluate(k);
    } else if (s->approved &&
               ((expires != 0 && now >= expires) || now < s->since)) {
        /* out of its time, or the clock was set back */
        state_evaluate(k);
    }
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
}

/* ---- the zone's own keys --------------------------------------------- */

int keyd_state_policy(
        struct keyd *k, uint8_t ret[static TPM_DIGEST], struct err *err)
{
    uint8_t ref[CRYPTO_SHA256_SIZE];

    if (!k->owner)
        return err_set(err, ERR_STATE,
                "zone.conf names no owner: keys could be bound to nobody");
    evidence_policy_ref(k->zone_name, ref);
    if (evidence_policy_authorize(k->owner, SPAN_OF(ref), ret) != 0)
        return err_set(err, ERR_CRYPTO, "cannot use the owner's key");
    return 0;
}

static int spki_put(
        const struct crypto_pub *pub, struct keyd_file *f, struct err *err)
{
    if (!pub ||
            crypto_pub_spki(pub, f->spki, sizeof f->spki, &f->spki_len) != 0)
        return err_set(err, ERR_CRYPTO, "cannot encode the public key");
    return 0;
}

int keyd_state_spki(struct keyd_file *f, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *pub = NULL;
    uint8_t point[65];

    if (tpm_blob_point(&f->blob, point) != 0)
        return err_set(err, ERR_TPM, "the TPM made another kind of key");
    pub = crypto_pub_ec(CRYPTO_P256, SPAN(point + 1, 32), SPAN(point + 33, 32));
    return spki_put(pub, f, err);
}

/* Neither a weak TPM nor a weak kernel alone makes the seed guessable. */
static int seed_new(
        struct tpm *t, uint8_t seed[static KEYD_SEED], struct err *err)
{
    uint8_t *both = secret_new(2 * KEYD_SEED);
    int r;

    if (!both)
        return err_set(err, ERR_MEMORY, "cannot lock memory for a seed");
    r = tpm_random(t, both, KEYD_SEED, err);
    if (r == 0) {
        crypto_random(both + KEYD_SEED, KEYD_SEED);
        crypto_sha256(SPAN(both, 2 * KEYD_SEED), seed);
    }
    secret_free(both, 2 * KEYD_SEED);
    return r;
}

static int seal_seed(struct keyd *k, const uint8_t *policy, uint8_t *seed,
        struct keyd_file *f, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *key = NULL;
    int r;

    r = seed_new(k->tpm, seed, err);
    if (r != 0)
        return r;
    key = crypto_key_ed25519(seed);
    if (!key)
        return err_set(err, ERR_CRYPTO, "cannot use the key's seed");
    r = spki_put(crypto_key_pub(key), f, err);
    if (r == 0)
        r = tpm_seal(k->tpm, SPAN(seed, KEYD_SEED), policy, &f->blob, err);
    return r;
}

int keyd_state_seal_new(struct keyd *k, const char *name, uint8_t profile,
        const uint8_t *policy, struct keyd_file *ret, struct err *err)
{
    struct keyd_file f = {
            .custody = KEYD_SEALED, .profile = profile, .created = role_now()};
    uint8_t *seed = secret_new(KEYD_SEED);
    int r;

    if (!seed)
        return err_set(err, ERR_MEMORY, "cannot lock memory for a seed");
    (void)snprintf(f.name, sizeof f.name, "%s", name);
    r = seal_seed(k, policy, seed, &f, err);
    secret_free(seed, KEYD_SEED);
    if (r == 0)
        *ret = f;
    return r;
}

static int make_ak(struct keyd *k, struct err *err)
{
    struct keyd_file f = {
            .name = "ak", .custody = KEYD_TPM, .created = role_now()};
    int r;

    r = tpm_ak_create(k->tpm, &f.blob, err);
    if (r == 0)
        r = keyd_state_spki(&f, err);
    return r ? r : keyd_ring_add_own(&k->ring, KEYD_AK, &f, err);
}

static int make_sealed(struct keyd *k, enum keyd_own own, const uint8_t *policy,
        struct err *err)
{
    struct keyd_file f;
    int r;

    r = keyd_state_seal_new(k, keyd_own_name(own), 0, policy, &f, err);
    return r ? r : keyd_ring_add_own(&k->ring, own, &f, err);
}

static int make_own(struct keyd *k, struct err *err)
{
    uint8_t policy[TPM_DIGEST];
    int r = 0;

    if (!k->ring.ak)
        r = make_ak(k, err);
    if (r == 0 && !k->ring.log)
        r = make_sealed(k, KEYD_LOG, NULL, err);
    /* without an owner the identity has to wait for one */
    if (r == 0 && !k->ring.identity && k->owner) {
        r = keyd_state_policy(k, policy, err);
        if (r == 0)
            r = make_sealed(k, KEYD_IDENTITY, policy, err);
    }
    return r;
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
        r = make_own(k, err);
    if (r == 0)
        keyd_state_reload(k);
    return r;
}
