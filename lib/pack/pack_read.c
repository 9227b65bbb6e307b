/* SPDX-License-Identifier: Apache-2.0 */
/* Predicates of a pack's statements: docs/proto/pack.md. */
#include "pack_private.h"

#include <stdio.h>
#include <stdlib.h>

int pack_spki_sha256(
        const struct crypto_pub *k, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;
    int r = crypto_pub_spki(k, spki, sizeof(spki), &len);

    if (r == 0)
        crypto_sha256(SPAN(spki, len), ret);
    return r;
}

void pack_copy_text(char *to, size_t cap, struct span s)
{
    size_t n = s.len < cap ? s.len : cap - 1; /* bounded by the getters */

    if (n > 0)
        memcpy(to, s.ptr, n);
    to[n] = '\0';
}

static bool get_pub(
        struct statement_reader *r, const char *key, struct crypto_pub **ret)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    struct crypto_pub *k;
    size_t len;

    if (!statement_get_b64(r, key, spki, sizeof(spki), &len))
        return false;
    k = crypto_pub_from_spki(SPAN(spki, len));
    if (!k) {
        r->bad = key;
        return false;
    }
    *ret = k;
    return true;
}

bool pack_get_end(struct statement_reader *r, const char *key, uint64_t *ret)
{
    *ret = 0;
    return !statement_has(r, key) || (statement_get_time(r, key, ret) && *ret);
}

int pack_check_names(const struct statement *s, const char *prefix,
        const char *name, struct span file,
        const uint8_t digest[static CRYPTO_SHA256_SIZE], struct err *err)
{
    char subject[STATEMENT_SUBJECT_MAX + 1], want[PACK_KEY_MAX + 6];

    (void)snprintf(subject, sizeof(subject), "%s/%s", prefix, name);
    (void)snprintf(want, sizeof(want), "%s.json", name);
    if (file.len > 0 && !span_eq_str(file, want))
        return err_set(err, ERR_MISMATCH, "is about %s", name);
    if (!span_eq_str(s->subject_name, subject) ||
            memcmp(s->subject, digest, CRYPTO_SHA256_SIZE) != 0)
        return err_set(
                err, ERR_MISMATCH, "its subject is not what it is about");
    return 0;
}

static int check_zone(const struct statement *s, struct span file,
        struct pack_zone *z, struct err *err)
{
    struct tcg_public ak;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r = tcg_public(SPAN(z->ak, z->ak_len), &ak, err);

    if (r == 0)
        r = tcg_check_ak(&ak, err);
    if (r == 0)
        r = tcg_name(&ak, &z->ak_name);
    if (r == 0)
        r = pack_spki_sha256(z->identity, digest);
    if (r != 0)
        return r;
    if (crypto_pub_type(z->identity) != CRYPTO_ED25519 ||
            crypto_pub_type(z->log) != CRYPTO_ED25519 ||
            crypto_pub_eq(z->identity, z->log))
        return err_set(err, ERR_MISMATCH,
                "identity and log key are not two Ed25519 keys");
    return pack_check_names(s, "zone", z->name, file, digest, err);
}

int pack_read_zone(const struct statement *s, struct span file,
        struct pack_zone *ret, struct err *err)
{
    struct statement_reader r = statement_reader_of(s->predicate);
    struct pack_zone z = {0};
    struct span name, address;
    int rc = 0;

    if (!statement_get_text(&r, "address", PACK_ADDRESS_MAX, &address) ||
            !statement_get_b64(&r, "ak", z.ak, sizeof(z.ak), &z.ak_len) ||
            !statement_get_hex(
                    &r, "ek_sha256", z.ek_sha256, sizeof(z.ek_sha256)) ||
            !statement_get_bool(&r, "emulated", &z.emulated) ||
            !get_pub(&r, "identity", &z.identity) ||
            !get_pub(&r, "log", &z.log) ||
            !statement_get_name(&r, "name", LIMIT_ZONE_NAME_MAX, &name) ||
            !statement_get_bool(&r, "revoked", &z.revoked) ||
            !statement_get_time(&r, "since", &z.since) ||
            !pack_get_end(&r, "until", &z.until) || !statement_get_end(&r))
        rc = statement_bad(&r, "zone", err);
    if (rc == 0) {
        pack_copy_text(z.name, sizeof(z.name), name);
        pack_copy_text(z.address, sizeof(z.address), address);
        rc = check_zone(s, file, &z, err);
    }
    if (rc != 0) {
        pack_zone_fini(&z);
        return rc;
    }
    *ret = z;
    return 0;
}

int pack_read_key(const struct statement *s, struct span file,
        struct pack_key *ret, struct err *err)
{
    struct statement_reader r = statement_reader_of(s->predicate);
    struct pack_key k = {0};
    struct span name, zone, custody, profile;
    int rc = 0;

    if (!statement_get_name(
                &r, "custody", (int)sizeof(k.custody) - 1, &custody) ||
            !statement_get_name(&r, "name", PACK_KEY_MAX, &name) ||
            !statement_get_name(
                    &r, "profile", (int)sizeof(k.profile) - 1, &profile) ||
            !get_pub(&r, "public", &k.pub) ||
            !statement_get_bool(&r, "revoked", &k.revoked) ||
            !statement_get_time(&r, "since", &k.since) ||
            !pack_get_end(&r, "until", &k.until) ||
            !statement_get_name(&r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_end(&r))
        rc = statement_bad(&r, "key", err);
    if (rc == 0) {
        pack_copy_text(k.name, sizeof(k.name), name);
        pack_copy_text(k.zone, sizeof(k.zone), zone);
        pack_copy_text(k.custody, sizeof(k.custody), custody);
        pack_copy_text(k.profile, sizeof(k.profile), profile);
        rc = pack_spki_sha256(k.pub, k.spki_sha256);
    }
    if (rc == 0)
        rc = pack_check_names(s, "key", k.name, file, k.spki_sha256, err);
    if (rc != 0) {
        pack_key_fini(&k);
        return rc;
    }
    *ret = k;
    return 0;
}

/* ---- references ------------------------------------------------------ */

static bool alg_from_name(struct span name, uint16_t *ret)
{
    static const uint16_t known[] = {
            TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq_str(name, tcg_alg_name(known[i]))) {
            *ret = known[i];
            return true;
        }
    }
    return false;
}

/* Banks stay together and PCRs ascend, as in a quote. */
static bool select_pcr(struct tcg_selection *s, uint16_t alg, uint64_t pcr)
{
    struct tcg_bank *b = s->n ? &s->bank[s->n - 1] : NULL;

    if (pcr >= TCG_PCRS)
        return false;
    if (!b || b->alg != alg) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->bank[i].alg == alg)
                return false;
        }
        if (s->n == TCG_BANKS_MAX)
            return false;
        b = &s->bank[s->n++];
        *b = (struct tcg_bank){.alg = alg};
    }
    if (b->pcrs >> pcr)
        return false;
    b->pcrs |= 1u << pcr;
    return true;
}

static bool get_pcrs(struct statement_reader *r, struct pack_reference *f)
{
    const struct json_t *list;
    size_t n;

    if (!statement_get_array(r, "pcrs", &list, &n) || n == 0 || n > TCG_PCRS)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct statement_reader item;
        struct span alg_name;
        enum crypto_hash hash;
        uint16_t alg;
        uint64_t pcr;

        if (!statement_item_object(list, i, &item) ||
                !statement_get_name(&item, "alg", 16, &alg_name) ||
                !alg_from_name(alg_name, &alg) || !tcg_hash(alg, &hash) ||
                !statement_get_u64(&item, "pcr", &pcr) ||
                !select_pcr(&f->selection, alg, pcr))
            return false;
        f->value[i].len = crypto_hash_size(hash);
        if (!statement_get_hex(
                    &item, "value", f->value[i].bytes, f->value[i].len) ||
                !statement_get_end(&item))
            return false;
    }
    f->n_values = n;
    return true;
}

static bool get_events(struct statement_reader *r, struct pack_reference *f)
{
    const struct json_t *list;
    unsigned round = 0;
    size_t n;

    if (!statement_get_array(r, "events", &list, &n) || n > EVIDENCE_EVENTS_MAX)
        return false;
    f->event = calloc(n ? n : 1, sizeof(*f->event));
    if (!f->event)
        return false;
    f->n_events = n;
    for (size_t i = 0; i < n; i++) {
        struct pack_event *e = &f->event[i];
        struct statement_reader item;
        struct span kind, name;

        if (!statement_item_object(list, i, &item) ||
                !statement_get_name(
                        &item, "kind", EVIDENCE_EVENT_KIND_MAX, &kind) ||
                !statement_get_text(
                        &item, "name", EVIDENCE_EVENT_NAME_MAX, &name) ||
                !statement_get_hex(
                        &item, "sha256", e->sha256, sizeof(e->sha256)) ||
                !statement_get_u64(&item, "size", &e->size) ||
                !statement_get_end(&item))
            return false;
        pack_copy_text(e->kind, sizeof(e->kind), kind);
        pack_copy_text(e->name, sizeof(e->name), name);
        round += strcmp(e->kind, EVIDENCE_KIND_CHANGE) == 0;
        e->round = round;
    }
    return true;
}

struct tcg_values pack_values(const struct pack_reference *r)
{
    struct tcg_values v = {.n = r->n_values};

    for (size_t i = 0; i < r->n_values; i++)
        v.value[i] = SPAN(r->value[i].bytes, r->value[i].len);
    return v;
}

static struct evidence_event event_of(const struct pack_event *from)
{
    struct evidence_event e = {
            .kind = span_str(from->kind),
            .name = span_str(from->name),
            .size = from->size,
            .round = from->round,
    };

    memcpy(e.sha256, from->sha256, sizeof(e.sha256));
    return e;
}

/* The log that these events came from. */
static int write_log(
        const struct pack_reference *r, struct buf *log, struct err *err)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    unsigned round = 0;
    int rc = evidence_events_begin(log, err);

    for (size_t i = 0; i < r->n_events && rc == 0; i++) {
        struct evidence_event e = event_of(&r->event[i]);

        if (e.round != round)
            rc = evidence_events_end(log, digest, err);
        round = e.round;
        if (rc == 0)
            rc = evidence_events_add(log, &e, digest, err);
    }
    return rc ? rc : evidence_events_end(log, digest, err);
}

int pack_check_events(const struct pack_reference *r, struct err *err)
{
    CLEANUP(evidence_events_fini) struct evidence_events events = {0};
    CLEANUP(buf_fini) struct buf log = BUF_INIT(LIMIT_EVENT_LOG_MAX);
    struct tcg_values v = pack_values(r);
    struct span want;
    int rc;

    if (!tcg_value(&r->selection, &v, TCG_ALG_SHA256, EVIDENCE_ZONE_PCR, &want))
        return err_set(err, ERR_MISMATCH, "PCR %d of sha256 is not in it",
                EVIDENCE_ZONE_PCR);
    rc = write_log(r, &log, err);
    if (rc == 0)
        rc = evidence_events_parse(buf_span(&log), &events, err);
    if (rc == 0 && !span_eq(SPAN_OF(events.pcr), want))
        rc = err_set(err, ERR_MISMATCH, "its files do not give its PCR %d",
                EVIDENCE_ZONE_PCR);
    return rc;
}

int pack_derive(struct pack_reference *r, struct err *err)
{
    const struct tcg_selection computed = {
            .n = r->computed ? 1 : 0, .bank = {{TCG_ALG_SHA256, r->computed}}};
    struct tcg_values v = pack_values(r);
    int rc = 0;

    if (!tcg_selection_covers(&r->selection, &computed))
        return err_set(err, ERR_MISMATCH, "it has no PCR that was computed");

    if (!tcg_values_fit(&r->selection, &v))
        return err_set(err, ERR_MISMATCH, "its PCR values do not fit");
    rc = tcg_pcr_digest(&v, CRYPTO_SHA256, r->pcr_digest);
    if (rc == 0)
        rc = tcg_policy_pcr(&r->selection, r->pcr_digest, r->policy);
    tcg_policy_ref(span_str(r->zone), r->policy_ref);
    return rc;
}

static int check_reference(const struct pack_reference *f,
        const struct crypto_pub *owner, struct err *err)
{
    struct pack_reference want = *f;
    uint8_t ahash[CRYPTO_SHA256_SIZE];
    int r = pack_derive(&want, err);

    if (r == 0)
        r = pack_check_events(f, err);
    if (r != 0)
        return r;
    if (!span_eq(SPAN_OF(f->pcr_digest), SPAN_OF(want.pcr_digest)) ||
            !span_eq(SPAN_OF(f->policy), SPAN_OF(want.policy)) ||
            !span_eq(SPAN_OF(f->policy_ref), SPAN_OF(want.policy_ref)))
        return err_set(err, ERR_MISMATCH,
                "its PCR digest or TPM policy is not that of its PCR values");
    tcg_policy_ahash(f->policy, SPAN_OF(f->policy_ref), ahash);
    if (crypto_verify_digest(owner, CRYPTO_SIG_ECDSA, CRYPTO_SHA256,
                SPAN_OF(ahash), SPAN_OF(f->policy_sig)) != 0)
        return err_set(err, ERR_MISMATCH,
                "the owner's approval of its TPM policy does not hold");
    return 0;
}

bool pack_reference_name(struct span name, const char *zone, uint64_t issued)
{
    char want[LIMIT_ZONE_NAME_MAX + 32];

    (void)snprintf(want, sizeof(want), "%s.json", zone);
    if (span_eq_str(name, want))
        return true;
    (void)snprintf(want, sizeof(want), "%s@%llu.json", zone,
            (unsigned long long)issued);
    return span_eq_str(name, want);
}

static bool get_computed(struct statement_reader *r, struct pack_reference *f)
{
    struct span text;

    if (!statement_has(r, "computed"))
        return true;
    if (!statement_get_text(r, "computed", TEXT_BITS_SIZE, &text))
        return false;
    if (text_parse_bits(text, TCG_PCRS, &f->computed))
        return true;
    r->bad = "computed";
    return false;
}

static int read_reference(const struct statement *s, struct span file,
        struct pack_reference *f, struct err *err)
{
    struct statement_reader r = statement_reader_of(s->predicate);
    struct span state, zone;
    size_t n;

    if (!get_computed(&r, f) || !get_events(&r, f) ||
            !pack_get_end(&r, "expires", &f->expires) ||
            !statement_get_time(&r, "issued", &f->issued) ||
            !statement_get_hex(
                    &r, "pcr_digest", f->pcr_digest, sizeof(f->pcr_digest)) ||
            !get_pcrs(&r, f) ||
            !statement_get_hex(&r, "policy", f->policy, sizeof(f->policy)) ||
            !statement_get_hex(
                    &r, "policy_ref", f->policy_ref, sizeof(f->policy_ref)) ||
            !statement_get_b64(&r, "policy_signature", f->policy_sig,
                    sizeof(f->policy_sig), &n) ||
            n != sizeof(f->policy_sig) ||
            !statement_get_name(&r, "state", PACK_STATE_MAX, &state) ||
            !statement_get_name(&r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_end(&r))
        return statement_bad(&r, "reference", err);
    pack_copy_text(f->state, sizeof(f->state), state);
    pack_copy_text(f->zone, sizeof(f->zone), zone);
    if (!pack_reference_name(file, f->zone, f->issued))
        return err_set(err, ERR_MISMATCH, "is about zone %s, issued %llu",
                f->zone, (unsigned long long)f->issued);
    return pack_check_names(
            s, "reference", f->zone, SPAN_EMPTY, f->pcr_digest, err);
}

int pack_read_reference(const struct statement *s, struct span file,
        const struct crypto_pub *owner, struct pack_reference *ret,
        struct err *err)
{
    struct pack_reference f = {0};
    int r = read_reference(s, file, &f, err);

    if (r == 0)
        r = check_reference(&f, owner, err);
    if (r != 0) {
        pack_reference_fini(&f);
        return r;
    }
    *ret = f;
    return 0;
}
