/* SPDX-License-Identifier: Apache-2.0 */
/* From digests to a signature, and what is said about it. */
#include "keyd_job.h"

#include "receipt.h"
#include "statement.h"

static int sign_step(struct keyd *k, struct keyd_key *key, struct span tbs,
        struct profile_sig *ret, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *priv = NULL;
    uint8_t digest[CRYPTO_SHA256_SIZE];

    if (key->file.custody == KEYD_TPM) {
        crypto_sha256(tbs, digest);
        return tpm_key_sign(k->tpm, &key->file.blob, &k->state.approval.tpm,
                digest, ret->raw, err);
    }
    priv = keyd_ring_private(key);
    if (!priv || crypto_sign(priv, tbs, ret->raw) != 0)
        return err_set(err, ERR_CRYPTO, "cannot sign");
    return 0;
}

/* The file, and proof that the strictest of its readers takes it. */
static int sign_file(struct keyd_job *j, uint64_t now, struct err *err)
{
    CLEANUP(buf_fini) struct buf tbs = BUF_INIT(PROFILE_TBS_MAX);
    enum profile_id id = (enum profile_id)j->key->file.profile;
    struct profile_sig sigs[PROFILE_STEPS_MAX] = {0};
    struct profile_request q = {
            .id = id,
            .key = j->key->pub,
            .digests = &j->digests,
            .name = span_str(j->name),
            .time = now,
    };
    struct keyd *k = j->session->k;
    int r = 0;

    if (j->key->file.custody == KEYD_SEALED)
        r = keyd_state_open(k, j->key, err);
    for (unsigned step = 0; step < profile_steps(id) && r == 0; step++) {
        buf_reset(&tbs);
        r = profile_tbs(&q, step, sigs, &tbs, err);
        if (r == 0)
            r = sign_step(k, j->key, buf_span(&tbs), &sigs[step], err);
    }
    if (r == 0)
        r = profile_assemble(&q, sigs, &j->signature, err);
    if (r == 0)
        r = profile_verify(id, j->key->pub, &j->digests,
                buf_span(&j->signature), NULL, err);
    return r;
}

static struct statement_sign sign_fields(const struct keyd_job *j, uint64_t now)
{
    const struct msg_key_session *c = &j->session->call;
    const struct keyd *k = j->session->k;
    struct statement_sign s = {
            .time = now,
            .zone = k->zone_name,
            .qube = c->qube,
            .requested = c->requested,
            .requester_zone =
                    c->source_zone.len ? c->source_zone : k->zone_name,
            .requester_qube = c->source_qube.len ? c->source_qube : c->source,
            .source = c->source,
            .rule = c->rule,
            .key = span_str(j->key->file.name),
            .custody = span_str(keyd_custody_name(j->key->file.custody)),
            .profile = span_str(
                    profile_name((enum profile_id)j->key->file.profile)),
            .artefact = span_str(j->name),
            .artefact_size = j->digests.size,
            .state = span_str(k->state.name),
            .emulated = k->state.emulated,
    };

    memcpy(s.call_id, c->call_id, sizeof s.call_id);
    memcpy(s.policy, c->policy, sizeof s.policy);
    memcpy(s.key_sha256, j->key->spki_sha256, sizeof s.key_sha256);
    memcpy(s.artefact_sha256, j->digests.sha256, sizeof s.artefact_sha256);
    memcpy(s.artefact_sha512, j->digests.sha512, sizeof s.artefact_sha512);
    if (c->envelope.len > 0)
        crypto_sha256(c->envelope, s.envelope);
    crypto_sha256(buf_span(&j->signature), s.signature);
    crypto_sha256(buf_span(&j->evidence), s.evidence);
    return s;
}

static int sign_statement(struct keyd_job *j, uint64_t now, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct keyd *k = j->session->k;
    struct statement_sign s;
    uint8_t binder[CRYPTO_SHA256_SIZE];
    int r;

    receipt_binder(j->session->call.call_id, j->key->spki_sha256,
            j->digests.sha256, binder);
    r = keyd_state_evidence(k, binder, &j->evidence, err);
    if (r != 0)
        return r;
    s = sign_fields(j, now);
    r = statement_sign_format(&s, &text, err);
    return r ? r : keyd_call_sign(k, buf_span(&text), &j->statement, err);
}

int keyd_sign_artefact(struct keyd_job *j, struct err *err)
{
    uint64_t now = role_now();
    int r = sign_file(j, now, err);

    return r ? r : sign_statement(j, now, err);
}

int keyd_sign_receipt(const struct keyd_job *j, struct span proof,
        struct buf *ret, struct err *err)
{
    struct receipt r = {
            .profile = span_str(
                    profile_name((enum profile_id)j->key->file.profile)),
            .signature = buf_span(&j->signature),
            .statement = buf_span(&j->statement),
            .envelope = j->session->call.envelope,
            .proof = proof,
            .evidence = buf_span(&j->evidence),
    };

    return receipt_format(&r, ret, err);
}
