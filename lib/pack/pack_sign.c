/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's side: new files of a pack. */
#include "pack_private.h"

#include <stdio.h>
#include <stdlib.h>

static bool put_pub(
        struct json_t *o, const char *key, const struct crypto_pub *k)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    return crypto_pub_spki(k, spki, sizeof(spki), &len) == 0 &&
           statement_put_b64(o, key, SPAN(spki, len));
}

bool pack_put_end(struct json_t *o, const char *key, uint64_t t)
{
    return t == 0 || statement_put_time(o, key, t);
}

int pack_sign_statement(enum statement_kind kind, const char *name,
        const uint8_t digest[static CRYPTO_SHA256_SIZE],
        struct json_t *predicate, const struct crypto_key *owner,
        struct buf *ret, struct err *err)
{
    char subject[STATEMENT_SUBJECT_MAX + 1];
    struct buf payload = BUF_INIT(LIMIT_STATEMENT_MAX);
    int r;

    (void)snprintf(
            subject, sizeof(subject), "%s/%s", statement_kind_name(kind), name);
    r = statement_format(statement_kind_type(kind), span_str(subject), digest,
            predicate, &payload, err);
    if (r == 0)
        r = statement_dsse_sign(STATEMENT_PAYLOAD_TYPE, buf_span(&payload),
                "owner", owner, ret, err);
    buf_fini(&payload);
    return r;
}

int pack_zone_sign(const struct pack_zone *z, const struct crypto_key *owner,
        struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (!o || pack_spki_sha256(z->identity, digest) != 0 ||
            !statement_put_str(o, "address", z->address) ||
            !statement_put_b64(o, "ak", SPAN(z->ak, z->ak_len)) ||
            !statement_put_hex(o, "ek_sha256", SPAN_OF(z->ek_sha256)) ||
            !statement_put_bool(o, "emulated", z->emulated) ||
            !put_pub(o, "identity", z->identity) ||
            !put_pub(o, "log", z->log) ||
            !statement_put_str(o, "name", z->name) ||
            !statement_put_bool(o, "revoked", z->revoked) ||
            !statement_put_time(o, "since", z->since) ||
            !pack_put_end(o, "until", z->until))
        return err_set(err, ERR_SYNTAX, "zone %s cannot be written", z->name);
    return pack_sign_statement(
            STATEMENT_ZONE, z->name, digest, o, owner, ret, err);
}

int pack_key_sign(const struct pack_key *k, const struct crypto_key *owner,
        struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (!o || pack_spki_sha256(k->pub, digest) != 0 ||
            !statement_put_str(o, "custody", k->custody) ||
            !statement_put_str(o, "name", k->name) ||
            !statement_put_str(o, "profile", k->profile) ||
            !put_pub(o, "public", k->pub) ||
            !statement_put_bool(o, "revoked", k->revoked) ||
            !statement_put_time(o, "since", k->since) ||
            !pack_put_end(o, "until", k->until) ||
            !statement_put_str(o, "zone", k->zone))
        return err_set(err, ERR_SYNTAX, "key %s cannot be written", k->name);
    return pack_sign_statement(
            STATEMENT_KEY, k->name, digest, o, owner, ret, err);
}

static bool put_pcrs(struct json_t *o, const struct pack_reference *f)
{
    struct json_t *list = statement_put_array(o, "pcrs");
    size_t at = 0;

    if (!list)
        return false;
    for (size_t i = 0; i < f->selection.n; i++) {
        const struct tcg_bank *b = &f->selection.bank[i];

        for (unsigned p = 0; p < TCG_PCRS; p++) {
            struct json_t *item;

            if (!((b->pcrs >> p) & 1))
                continue;
            item = at < f->n_values ? statement_add_object(list) : NULL;
            if (!item ||
                    !statement_put_str(item, "alg", tcg_alg_name(b->alg)) ||
                    !statement_put_u64(item, "pcr", p) ||
                    !statement_put_hex(item, "value",
                            SPAN(f->value[at].bytes, f->value[at].len)))
                return false;
            at++;
        }
    }
    return at == f->n_values;
}

static bool put_events(struct json_t *o, const struct pack_reference *f)
{
    struct json_t *list = statement_put_array(o, "events");

    if (!list)
        return false;
    for (size_t i = 0; i < f->n_events; i++) {
        const struct pack_event *e = &f->event[i];
        struct json_t *item = statement_add_object(list);

        if (!item || !statement_put_str(item, "kind", e->kind) ||
                !statement_put_str(item, "name", e->name) ||
                !statement_put_hex(item, "sha256", SPAN_OF(e->sha256)) ||
                !statement_put_u64(item, "size", e->size))
            return false;
    }
    return true;
}

static bool put_reference(struct json_t *o, const struct pack_reference *f)
{
    char computed[TEXT_BITS_SIZE];

    text_format_bits(f->computed, computed);
    return (!f->computed || statement_put_str(o, "computed", computed)) &&
           put_events(o, f) && pack_put_end(o, "expires", f->expires) &&
           statement_put_time(o, "issued", f->issued) &&
           statement_put_hex(o, "pcr_digest", SPAN_OF(f->pcr_digest)) &&
           put_pcrs(o, f) &&
           statement_put_hex(o, "policy", SPAN_OF(f->policy)) &&
           statement_put_hex(o, "policy_ref", SPAN_OF(f->policy_ref)) &&
           statement_put_b64(o, "policy_signature", SPAN_OF(f->policy_sig)) &&
           statement_put_str(o, "state", f->state) &&
           statement_put_str(o, "zone", f->zone);
}

int pack_reference_sign(struct pack_reference *f,
        const struct crypto_key *owner, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();
    uint8_t ahash[CRYPTO_SHA256_SIZE];
    int r = pack_derive(f, err);

    if (r == 0)
        r = pack_check_events(f, err);
    if (r != 0)
        return err_prefix(err, r, "reference of zone %s", f->zone);
    tcg_policy_ahash(f->policy, SPAN_OF(f->policy_ref), ahash);
    r = crypto_sign_digest(owner, ahash, f->policy_sig);
    if (r != 0)
        return err_set(err, r, "the owner's key cannot approve a TPM policy");
    if (!o || !put_reference(o, f))
        return err_set(err, ERR_SYNTAX,
                "reference of zone %s cannot be written", f->zone);
    return pack_sign_statement(
            STATEMENT_REFERENCE, f->zone, f->pcr_digest, o, owner, ret, err);
}

/* ---- a reference from evidence --------------------------------------- */

/* Those of the selection, which the quote covers. */
static int take_values(const struct evidence *e, const struct tcg_selection *s,
        struct pack_reference *f, struct err *err)
{
    struct span v;
    size_t n = 0;

    if (tcg_selection_count(s) > ARRAY_LEN(f->value))
        return err_set(err, ERR_LIMIT, "evidence quotes more than %zu PCRs",
                ARRAY_LEN(f->value));
    if (!tcg_selection_covers(&e->quote.selection, s))
        return err_set(
                err, ERR_MISMATCH, "evidence does not quote all of them");
    for (size_t i = 0; i < s->n; i++) {
        for (unsigned p = 0; p < TCG_PCRS; p++) {
            if (!(s->bank[i].pcrs >> p & 1) ||
                    !tcg_value(&e->quote.selection, &e->values, s->bank[i].alg,
                            p, &v))
                continue;
            f->value[n].len = v.len;
            memcpy(f->value[n++].bytes, v.ptr, v.len);
        }
    }
    f->selection = *s;
    f->n_values = n;
    return 0;
}

static struct tcg_selection all_that_last(const struct evidence *e)
{
    struct tcg_selection s = {.n = 0};

    for (size_t i = 0; i < e->quote.selection.n; i++) {
        struct tcg_bank b = e->quote.selection.bank[i];

        b.pcrs &= ~(1u << PACK_PCR_RUNNING);
        if (b.pcrs)
            s.bank[s.n++] = b;
    }
    return s;
}

int pack_reference_select(struct pack_reference *r, const struct evidence *e,
        uint32_t pcrs, struct err *err)
{
    struct tcg_selection s = {.n = 1, .bank = {{TCG_ALG_SHA256, pcrs}}};

    if (!(pcrs >> EVIDENCE_ZONE_PCR & 1))
        return err_set(err, ERR_MISMATCH, "PCR %d is not among them",
                EVIDENCE_ZONE_PCR);
    return take_values(e, &s, r, err);
}

static int take_events(
        const struct evidence *e, struct pack_reference *f, struct err *err)
{
    struct evidence_events events;
    int r = evidence_events_parse(e->log, &events, err);

    if (r != 0)
        return r;
    f->event = calloc(events.n ? events.n : 1, sizeof(*f->event));
    if (!f->event)
        r = err_set(err, ERR_MEMORY, "no memory for the reference");
    for (size_t i = 0; r == 0 && i < events.n; i++) {
        const struct evidence_event *from = &events.event[i];
        struct pack_event *to = &f->event[i];

        memcpy(to->kind, from->kind.ptr, from->kind.len);
        memcpy(to->name, from->name.ptr, from->name.len);
        memcpy(to->sha256, from->sha256, sizeof(to->sha256));
        to->size = from->size;
        to->round = from->round;
        f->n_events = i + 1;
    }
    evidence_events_fini(&events);
    return r;
}

int pack_reference_from(const struct evidence *e, const char *zone,
        const char *state, uint64_t issued, uint64_t expires,
        struct pack_reference *ret, struct err *err)
{
    struct pack_reference f = {.issued = issued, .expires = expires};
    struct tcg_selection s = all_that_last(e);
    int r;

    if (!text_is_name(span_str(zone), LIMIT_ZONE_NAME_MAX) ||
            !text_is_name(span_str(state), PACK_STATE_MAX))
        return err_set(err, ERR_USAGE,
                "a zone or state is named in [a-z0-9._-], at most %d",
                PACK_STATE_MAX);
    (void)snprintf(f.zone, sizeof(f.zone), "%s", zone);
    (void)snprintf(f.state, sizeof(f.state), "%s", state);
    r = take_values(e, &s, &f, err);
    if (r == 0)
        r = take_events(e, &f, err);
    if (r == 0)
        r = pack_check_events(&f, err);
    if (r != 0) {
        pack_reference_fini(&f);
        return err_prefix(err, r, "evidence cannot become a reference");
    }
    *ret = f;
    return 0;
}
