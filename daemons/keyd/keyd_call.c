/* SPDX-License-Identifier: Apache-2.0 */
/* What calld and netd ask in the name of the zone. */
#include "keyd.h"

#include "chain.h"
#include "statement.h"

#include <stdio.h>

#define CERT_SKEW_S 60 /* clocks of two zones differ a little */
#define CERT_LIFE_S 86400

int keyd_call_sign(
        struct keyd *k, struct span statement, struct buf *ret, struct err *err)
{
    CLEANUP(crypto_key_free_ptr)
    struct crypto_key *key = keyd_ring_private(k->ring.identity);
    char keyid[LIMIT_ZONE_NAME_MAX + sizeof "/identity"];

    if (!key)
        return err_set(err, ERR_STATE, "the zone's identity is closed");
    (void)snprintf(keyid, sizeof keyid, "%s/identity", k->zone);
    return statement_dsse_sign(
            STATEMENT_PAYLOAD_TYPE, statement, keyid, key, ret, err);
}

/*
 * The fields come from calld; who signs and for which origin does not: a
 * calld that was taken over can lie about its own qubes, not about the zone.
 */
/*
 * A call that goes on to another zone: calld and policyd say that they have
 * verified where it comes from, and the identity vouches for it.  So it is
 * verified here too, against what is about to be signed.
 */
static int check_via(
        struct keyd *k, const struct statement_call *c, struct err *err)
{
    CLEANUP(chain_fini) struct chain before = {.n = 0};

    if (!k->pack)
        return err_set(err, ERR_STATE, "no pack: %s", k->pack_error);
    return chain_open(c, k->pack, role_now(), &before, err);
}

static int envelope(struct keyd *k, const struct msg_envelope *e,
        struct buf *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct statement_call c = {
            .issued = e->issued,
            .deadline = e->deadline,
            .log_size = e->log_size,
            .origin = k->zone_name,
            .source_qube = e->source_qube,
            .zone = e->zone,
            .qube = e->qube,
            .requested = e->requested,
            .service = e->service,
            .rule = e->rule,
            .autostart = e->autostart != 0,
            .via = e->via,
            .appraisal = {.zone = e->zone, .state = e->state},
    };
    int r;

    memcpy(c.call_id, e->call_id, sizeof c.call_id);
    memcpy(c.policy, e->policy, sizeof c.policy);
    memcpy(c.log_root, e->log_root, sizeof c.log_root);
    memcpy(c.appraisal.evidence, e->evidence, sizeof c.appraisal.evidence);
    r = c.via.len > 0 ? check_via(k, &c, err) : 0;
    if (r == 0)
        r = statement_call_format(&c, &text, err);
    return r ? r : keyd_call_sign(k, buf_span(&text), ret, err);
}

void keyd_call_envelope(struct role *r, const struct role_msg *m)
{
    CLEANUP(buf_fini) struct buf dsse = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct keyd *k = role_user(r);
    struct err err = {.msg = ""};
    int e;

    if (!keyd_state_ready(k, m->ticket))
        return;
    e = envelope(k, m->body, &dsse, &err);
    if (e != 0) {
        role_refuse(r, m->ticket, e, KEYD_WHERE, "%s", err.msg);
        return;
    }
    role_reply(r, m->ticket, MSG_BLOB,
            &(struct msg_blob){.bytes = buf_span(&dsse)}, NULL, 0);
}

static int cert(struct keyd *k, struct span spki, uint8_t *ret, size_t cap,
        size_t *ret_len, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *pub = crypto_pub_from_spki(spki);
    CLEANUP(crypto_key_free_ptr) struct crypto_key *key = NULL;
    uint64_t from = role_now() - CERT_SKEW_S;

    if (!pub || (crypto_pub_type(pub) != CRYPTO_ED25519 &&
                        crypto_pub_type(pub) != CRYPTO_P256))
        return err_set(err, ERR_SYNTAX, "malformed channel key");
    if (crypto_pub_eq(pub, k->ring.identity->pub))
        return err_set(err, ERR_DENIED, "that is the identity's own key");
    key = keyd_ring_private(k->ring.identity);
    if (!key)
        return err_set(err, ERR_STATE, "the zone's identity is closed");
    if (crypto_cert_issue(
                key, k->zone, pub, from, from + CERT_LIFE_S, ret, cap, ret_len))
        return err_set(err, ERR_CRYPTO, "cannot issue the certificate");
    return 0;
}

void keyd_call_cert(struct role *r, const struct role_msg *m)
{
    const struct msg_blob *b = m->body;
    struct keyd *k = role_user(r);
    uint8_t der[CRYPTO_CERT_MAX];
    struct err err = {.msg = ""};
    size_t len = 0;
    int e;

    if (!keyd_state_ready(k, m->ticket))
        return;
    e = cert(k, b->bytes, der, sizeof der, &len, &err);
    if (e != 0) {
        role_refuse(r, m->ticket, e, KEYD_WHERE, "%s", err.msg);
        return;
    }
    role_reply(r, m->ticket, MSG_BLOB,
            &(struct msg_blob){.bytes = SPAN(der, len)}, NULL, 0);
}

/* In any state: a peer must see a fallen state too. */
void keyd_call_evidence(struct role *r, const struct role_msg *m)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    const struct msg_evidence_get *g = m->body;
    struct keyd *k = role_user(r);
    struct err err = {.msg = ""};
    int e;

    e = keyd_state_evidence(k, g->binder, &evidence, &err);
    if (e != 0) {
        role_refuse(r, m->ticket, e, KEYD_WHERE, "%s", err.msg);
        return;
    }
    role_reply_file(r, m->ticket, buf_span(&evidence));
}

/* The log's key is bound to the TPM and to no state: refusals in a fallen
 * state must be recorded too. */
void keyd_call_logd(struct keyd *k, struct role_link *logd)
{
    uint8_t *seed = secret_new(KEYD_SEED);
    struct msg_log_key key;
    struct err err = {.msg = ""};
    size_t len = 0;
    int e;

    if (!seed)
        role_fatal(k->role, "cannot lock memory for the log's seed");
    e = tpm_unseal(
            k->tpm, &k->ring.log->file.blob, NULL, seed, KEYD_SEED, &len, &err);
    if (e == 0 && len != KEYD_SEED)
        e = err_set(&err, ERR_MISMATCH, "sealed data of another kind");
    if (e == 0)
        e = keyd_ring_open(k->ring.log, seed, &err);
    if (e == 0) {
        memcpy(key.seed, seed, sizeof key.seed);
        role_send(logd, MSG_LOG_KEY, &key, NULL, 0);
        secret_wipe(&key, sizeof key);
    }
    keyd_ring_close_log(&k->ring);
    secret_free(seed, KEYD_SEED);
    if (e != 0)
        role_log(k->role, "the log stays without its key: %s", err.msg);
    k->log_has_key = e == 0;
    /* a record that the former logd had in its hands may be lost */
    k->state.told = false;
    keyd_tell_log(k);
}
