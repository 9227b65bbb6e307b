/* SPDX-License-Identifier: Apache-2.0 */
/* What the zone's owner asks on key.sock. */
#include "keyd.h"

#include "enrol.h"
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>

#define JSON_MAX (96u << 10) /* a list of LIMIT_KEYS_MAX keys */

static void refuse(struct keyd *k, struct role_ticket t, const struct err *err)
{
    role_refuse(k->role, t, err->code, KEYD_WHERE, "%s", err->msg);
}

/* Frees j. */
static void reply_json(struct keyd *k, struct role_ticket t, struct json_t *j)
{
    CLEANUP(statement_json_free_ptr) struct json_t *doc = j;
    CLEANUP(buf_fini) struct buf text = BUF_INIT(JSON_MAX);
    struct err err = {.code = ERR_MEMORY, .msg = "no memory for the answer"};

    if (!doc || statement_json_format(doc, &text, &err) != 0) {
        refuse(k, t, &err);
        return;
    }
    role_reply(
            k->role, t, MSG_BLOB, &(struct msg_blob){buf_span(&text)}, NULL, 0);
}

/* ---- release keys ---------------------------------------------------- */

static bool key_put(
        const struct keyd *k, const struct keyd_key *key, struct json_t *j)
{
    return statement_put_str(j, "zone", k->zone) &&
           statement_put_str(j, "name", key->file.name) &&
           statement_put_str(
                   j, "custody", keyd_custody_name(key->file.custody)) &&
           statement_put_str(j, "profile",
                   profile_name((enum profile_id)key->file.profile)) &&
           statement_put_time(j, "created", key->file.created) &&
           statement_put_b64(
                   j, "public", SPAN(key->file.spki, key->file.spki_len));
}

struct creation {
    struct keyd *k;
    struct role_ticket ticket;
    struct keyd_file file;
};

static int creation_check(struct keyd *k, const struct msg_key_create *q,
        struct keyd_file *ret, struct err *err)
{
    enum profile_id profile;
    enum crypto_key_type type;

    if (!text_is_name(q->name, KEYD_FILE_NAME_MAX))
        return err_set(err, ERR_USAGE,
                "a key's name is [a-z0-9][a-z0-9._-]*, at most %d characters",
                KEYD_FILE_NAME_MAX);
    if (!keyd_custody_parse(q->custody, &ret->custody))
        return err_set(err, ERR_USAGE, "custody is tpm or sealed");
    if (!profile_parse_name(q->profile, &profile))
        return err_set(err, ERR_USAGE, "profile is sshsig or minisign");
    type = ret->custody == KEYD_TPM ? CRYPTO_P256 : CRYPTO_ED25519;
    if (!profile_takes_key(profile, type))
        return err_set(err, ERR_USAGE,
                "profile %s needs an Ed25519 key: custody sealed",
                profile_name(profile));
    memcpy(ret->name, q->name.ptr, q->name.len);
    ret->profile = (uint8_t)profile;
    if (keyd_ring_find(&k->ring, q->name))
        return err_set(err, ERR_EXISTS, "the key '%s' exists", ret->name);
    if (k->creating[0] != '\0')
        return err_set(
                err, ERR_STATE, "the key '%s' is being created", k->creating);
    if (k->ring.n >= LIMIT_KEYS_MAX)
        return err_set(
                err, ERR_LIMIT, "a zone has at most %d keys", LIMIT_KEYS_MAX);
    return 0;
}

static int creation_make(struct keyd *k, struct keyd_file *f, struct err *err)
{
    uint8_t policy[TPM_DIGEST];
    char name[sizeof f->name];
    int r;

    r = keyd_make_policy(k, policy, err);
    if (r != 0)
        return r;
    if (f->custody == KEYD_SEALED) {
        memcpy(name, f->name, sizeof name);
        return keyd_make_sealed(k, name, f->profile, policy, f, err);
    }
    f->created = role_now();
    r = tpm_key_create(k->tpm, policy, &f->blob, err);
    return r ? r : keyd_make_spki(f, err);
}

static void creation_done(
        struct role *r, const struct role_msg *answer, void *user)
{
    struct creation *c = user;
    struct keyd *k = c->k;
    struct err err = {.msg = ""};
    struct json_t *j;

    k->creating[0] = '\0';
    if (answer->type == MSG_REFUSED) {
        role_refuse_as(r, c->ticket, answer->body);
    } else if (keyd_ring_add(&k->ring, &c->file, &err) != 0) {
        refuse(k, c->ticket, &err);
    } else {
        j = statement_json_object();
        if (j && !key_put(k, keyd_ring_find(&k->ring, span_str(c->file.name)),
                         j)) {
            statement_json_free(j);
            j = NULL;
        }
        reply_json(k, c->ticket, j);
    }
    free(c);
}

static int creation_statement(struct keyd *k, const struct keyd_file *f,
        struct buf *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    char detail[160];
    struct statement_event e = {
            .time = role_now(),
            .zone = k->zone_name,
            .kind = span_str("key-create"),
    };
    int r;

    (void)snprintf(detail, sizeof detail, "key %s, custody %s, profile %s",
            f->name, keyd_custody_name(f->custody),
            profile_name((enum profile_id)f->profile));
    e.detail = span_str(detail);
    crypto_sha256(SPAN(f->spki, f->spki_len), e.digest);
    r = statement_event_format(&e, &text, err);
    return r ? r : keyd_call_sign(k, buf_span(&text), ret, err);
}

/* The record first: a key that is not in the log does not exist. */
static int creation_record(struct creation *c, struct err *err)
{
    CLEANUP(buf_fini) struct buf dsse = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    struct msg_append a = {.kind = MSG_APPEND_SIGNED};
    struct role_request q = {
            .to = MSG_ROLE_LOGD,
            .type = MSG_APPEND,
            .msg = &a,
            .expect = MSG_APPENDED,
            .done = creation_done,
            .user = c,
    };
    int r;

    r = creation_statement(c->k, &c->file, &dsse, err);
    if (r != 0)
        return r;
    a.payload = buf_span(&dsse);
    role_request(c->k->role, &q);
    return 0;
}

void keyd_admin_create(struct role *r, const struct role_msg *m)
{
    struct keyd *k = role_user(r);
    struct creation *c = calloc(1, sizeof *c);
    struct err err = {.msg = ""};
    int e;

    if (!c)
        role_fatal(r, "no memory for a key");
    c->k = k;
    c->ticket = m->ticket;
    e = creation_check(k, m->body, &c->file, &err);
    if (e == 0 && !keyd_state_ready(k, m->ticket)) {
        free(c);
        return;
    }
    if (e == 0)
        e = creation_make(k, &c->file, &err);
    if (e == 0)
        e = creation_record(c, &err);
    if (e != 0) {
        refuse(k, m->ticket, &err);
        free(c);
        return;
    }
    memcpy(k->creating, c->file.name, sizeof k->creating);
}

static struct json_t *list_json(const struct keyd *k)
{
    struct json_t *j = statement_json_object(), *keys, *one;
    bool ok;

    if (!j)
        return NULL;
    keys = statement_put_array(j, "keys");
    ok = keys && statement_put_str(j, "zone", k->zone) &&
         statement_put_str(j, "state", k->state.name);
    for (size_t i = 0; ok && i < k->ring.n; i++) {
        one = statement_add_object(keys);
        ok = one && key_put(k, k->ring.key[i], one);
    }
    if (!ok) {
        statement_json_free(j);
        return NULL;
    }
    return j;
}

void keyd_admin_list(struct role *r, const struct role_msg *m)
{
    struct keyd *k = role_user(r);

    reply_json(k, m->ticket, list_json(k));
}

/* ---- enrolment (docs/proto/enrol.md) --------------------------------- */

struct claim_parts {
    struct buf ek_cert, ek_public;
    char address[CONF_HOST_MAX + 16];
};

static void claim_fini(struct claim_parts *p)
{
    buf_fini(&p->ek_cert);
    buf_fini(&p->ek_public);
}

/* RSA where there is one: every owner's tools know it. */
static int ek_choose(
        struct keyd *k, struct buf *ret_cert, enum tpm_ek *ret, struct err *err)
{
    int r;

    *ret = TPM_EK_RSA2048;
    r = tpm_ek_cert(k->tpm, *ret, ret_cert, err);
    if (r != ERR_NOT_FOUND)
        return r;
    *ret = TPM_EK_P384;
    return tpm_ek_cert(k->tpm, *ret, ret_cert, err);
}

static void address_put(const struct conf_zone *c, char *ret, size_t cap)
{
    const char *host = c->listen.host;

    ret[0] = '\0';
    if (c->has_listen && c->listen.port != 0)
        (void)snprintf(ret, cap, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                c->listen.port);
}

static int claim_format(const struct keyd *k, const struct claim_parts *p,
        struct buf *ret, struct err *err)
{
    const struct keyd_file *id = &k->ring.identity->file;
    const struct keyd_file *log = &k->ring.log->file;

    return enrol_claim_format(
            &(struct enrol_claim){
                    .zone = span_str(k->zone),
                    .address = span_str(p->address),
                    .emulated = k->conf->tpm == CONF_TPM_SWTPM,
                    .ek_certificate = buf_span(&p->ek_cert),
                    .ek_public = buf_span(&p->ek_public),
                    .ak_public = tpm_blob_public(&k->ring.ak->file.blob),
                    .identity = SPAN(id->spki, id->spki_len),
                    .log = SPAN(log->spki, log->spki_len),
            },
            ret, err);
}

static int claim(struct keyd *k, struct buf *ret, struct err *err)
{
    CLEANUP(claim_fini)
    struct claim_parts p = {
            .ek_cert = BUF_INIT(16384), .ek_public = BUF_INIT(TPM_PUBLIC_MAX)};
    enum tpm_ek ek;
    int r;

    if (!k->ring.identity)
        return err_set(err, ERR_STATE,
                "zone.conf names no owner: set owner and start the zone again");
    r = ek_choose(k, &p.ek_cert, &ek, err);
    if (r == 0)
        r = tpm_ek_public(k->tpm, ek, &p.ek_public, err);
    if (r != 0)
        return r;
    address_put(k->conf, p.address, sizeof p.address);
    return claim_format(k, &p, ret, err);
}

void keyd_admin_enrol(struct role *r, const struct role_msg *m)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(ENROL_FILE_MAX);
    struct keyd *k = role_user(r);
    struct err err = {.msg = ""};

    if (claim(k, &text, &err) != 0) {
        refuse(k, m->ticket, &err);
        return;
    }
    role_reply_file(r, m->ticket, buf_span(&text));
}

void keyd_admin_activate(struct role *r, const struct role_msg *m)
{
    CLEANUP(buf_fini) struct buf cert = BUF_INIT(16384);
    const struct msg_activate *a = m->body;
    struct keyd *k = role_user(r);
    struct err err = {.msg = ""};
    uint8_t secret[TPM_DIGEST];
    size_t len = 0;
    enum tpm_ek ek;
    int e;

    e = ek_choose(k, &cert, &ek, &err);
    if (e == 0)
        e = tpm_activate(k->tpm, &k->ring.ak->file.blob, ek, a->credential,
                a->secret, secret, &len, &err);
    if (e != 0) {
        refuse(k, m->ticket, &err);
        return;
    }
    role_reply(r, m->ticket, MSG_BLOB, &(struct msg_blob){SPAN(secret, len)},
            NULL, 0);
    secret_wipe(secret, sizeof secret);
}

void keyd_admin_evidence(struct role *r, const struct role_msg *m)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    const struct msg_evidence_get *g = m->body;
    struct keyd *k = role_user(r);
    struct err err = {.msg = ""};

    if (keyd_state_evidence(k, g->binder, &evidence, &err) != 0) {
        refuse(k, m->ticket, &err);
        return;
    }
    role_reply_file(r, m->ticket, buf_span(&evidence));
}

/* ---- state ----------------------------------------------------------- */

void keyd_admin_reload(struct role *r, const struct role_msg *m)
{
    keyd_state_reload(role_user(r));
    role_reply_ok(r, m->ticket);
}

/* On which evidence the state stands, for how long, and how old the owner's
 * word is. */
static bool put_approval(const struct keyd *k, struct json_t *j)
{
    const struct keyd_approval *a = &k->state.approval;
    uint64_t now = role_now();

    if (!k->state.approved)
        return true;
    return statement_put_digest(j, "evidence", k->state.evidence) &&
           statement_put_u64(
                   j, "approvalAge", now > a->issued ? now - a->issued : 0) &&
           statement_put_u64(
                   j, "validUntil", a->until == UINT64_MAX ? 0 : a->until);
}

static struct json_t *status_json(const struct keyd *k)
{
    struct json_t *j = statement_json_object();

    if (!j)
        return NULL;
    if (!statement_put_str(j, "role", "keyd") ||
            !statement_put_str(j, "zone", k->zone) ||
            !statement_put_str(j, "state", k->state.name) ||
            !statement_put_bool(j, "approved", k->state.approved) ||
            !statement_put_bool(j, "emulated", k->state.emulated) ||
            !statement_put_str(j, "reason", k->state.reason) ||
            !statement_put_hex(j, "pcr14", SPAN_OF(k->state.pcr)) ||
            !put_approval(k, j) || !statement_put_u64(j, "keys", k->ring.n) ||
            !statement_put_u64(j, "sessions", k->n_sessions) ||
            !statement_put_u64(j, "artefacts", k->n_jobs)) {
        statement_json_free(j);
        return NULL;
    }
    return j;
}

void keyd_admin_status(struct role *r, const struct role_msg *m)
{
    struct keyd *k = role_user(r);

    (void)keyd_state_check(k);
    reply_json(k, m->ticket, status_json(k));
}
