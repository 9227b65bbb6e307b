/* SPDX-License-Identifier: Apache-2.0 */
/* The files of enrolment: reader and writer of each. */
#include "enrol.h"

#include "statement.h"

#include <stdlib.h>

#define TYPE_MAX       32
#define TYPE_CLAIM     "qair:claim/v1"
#define TYPE_CHALLENGE "qair:challenge/v1"
#define TYPE_SECRET    "qair:challenge-secret/v1"
#define TYPE_ANSWER    "qair:answer/v1"

/*
 * Decoded bytes and texts are together shorter than the file, so that room for
 * them is taken once and spans into it stay true.
 */
static int open_doc(struct span text, const char *what, size_t max,
        struct buf *store, struct json_t **ret, struct err *err)
{
    if (text.len > max)
        return err_set(err, ERR_LIMIT, "%s: more than %zu bytes", what, max);
    if (store) {
        *store = BUF_INIT(text.len + 1);
        if (!buf_reserve(store, text.len + 1))
            return err_set(err, ERR_MEMORY, "no memory for the %s", what);
    }
    *ret = statement_json_parse(text, err);
    return *ret ? 0 : err_prefix(err, ERR_SYNTAX, "%s", what);
}

static bool keep_b64(
        struct buf *store, struct span b64, size_t max, struct span *ret)
{
    uint8_t *to = store->ptr + store->len;
    size_t room = store->size - store->len, len;

    if (!text_parse_b64(b64, to, max < room ? max : room, &len))
        return false;
    *ret = SPAN(to, len);
    buf_commit(store, len);
    return true;
}

static bool get_b64(struct statement_reader *r, const char *key,
        struct buf *store, size_t max, struct span *ret)
{
    struct span b64;

    if (!statement_get_text(r, key, TEXT_B64_SIZE(max), &b64))
        return false;
    if (keep_b64(store, b64, max, ret))
        return true;
    r->bad = key;
    return false;
}

static struct span keep_text(struct buf *store, struct span s)
{
    uint8_t *to = store->ptr + store->len;

    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    buf_commit(store, s.len);
    return SPAN(to, s.len);
}

static bool get_type(struct statement_reader *r, const char *want)
{
    struct span type;

    if (!statement_get_text(r, "type", TYPE_MAX, &type))
        return false;
    if (!span_eq_str(type, want))
        r->bad = "type";
    return span_eq_str(type, want);
}

/* What was written again is what was read: one form, no other. */
static int same_text(
        int r, struct buf *again, struct span text, struct err *err)
{
    bool same = r == 0 && span_eq(buf_span(again), text);

    buf_fini(again);
    if (r != 0 || same)
        return r;
    return err_set(err, ERR_SYNTAX, "JSON: not compact with sorted members");
}

/* ---- claim ----------------------------------------------------------- */

static bool get_chain(struct statement_reader *r, struct enrol_claim *c)
{
    const struct json_t *list;
    size_t n;

    if (!statement_get_array(r, "ek_chain", &list, &n))
        return false;
    r->bad = "ek_chain";
    for (size_t i = 0; n <= ENROL_CHAIN_MAX && i < n; i++) {
        struct span b64;

        if (!statement_item_text(
                    list, i, TEXT_B64_SIZE(CRYPTO_CERT_MAX), &b64) ||
                !keep_b64(&c->store, b64, CRYPTO_CERT_MAX, &c->chain[i]))
            return false;
        c->n_chain++;
    }
    if (n > ENROL_CHAIN_MAX)
        return false;
    r->bad = NULL;
    return true;
}

static bool claim_get(struct statement_reader *r, struct enrol_claim *c)
{
    struct span zone, address;

    if (!get_type(r, TYPE_CLAIM) ||
            !statement_get_name(r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_text(r, "address", PACK_ADDRESS_MAX, &address))
        return false;
    c->zone = keep_text(&c->store, zone);
    c->address = keep_text(&c->store, address);
    return statement_get_bool(r, "emulated", &c->emulated) &&
           get_b64(r, "ek_certificate", &c->store, CRYPTO_CERT_MAX,
                   &c->ek_certificate) &&
           get_chain(r, c) &&
           get_b64(r, "ek_public", &c->store, PACK_AK_MAX, &c->ek_public) &&
           get_b64(r, "ak_public", &c->store, PACK_AK_MAX, &c->ak_public) &&
           get_b64(r, "identity", &c->store, CRYPTO_SPKI_MAX, &c->identity) &&
           get_b64(r, "log", &c->store, CRYPTO_SPKI_MAX, &c->log) &&
           statement_get_end(r);
}

int enrol_claim_parse(
        struct span text, struct enrol_claim *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    struct buf again = BUF_INIT(ENROL_FILE_MAX);
    struct statement_reader in;
    int r;

    *ret = (struct enrol_claim){0};
    r = open_doc(text, "claim", ENROL_FILE_MAX, &ret->store, &doc, err);
    if (r != 0)
        return r;
    in = statement_reader_of(doc);
    if (!claim_get(&in, ret))
        return statement_bad(&in, "claim", err);
    return same_text(enrol_claim_format(ret, &again, err), &again, text, err);
}

static bool claim_fits(const struct enrol_claim *c)
{
    bool ok =
            text_is_name(c->zone, LIMIT_ZONE_NAME_MAX) &&
            c->address.len <= PACK_ADDRESS_MAX &&
            c->ek_certificate.len <= CRYPTO_CERT_MAX &&
            c->n_chain <= ENROL_CHAIN_MAX && c->ek_public.len <= PACK_AK_MAX &&
            c->ak_public.len <= PACK_AK_MAX &&
            c->identity.len <= CRYPTO_SPKI_MAX && c->log.len <= CRYPTO_SPKI_MAX;

    for (size_t i = 0; ok && i < c->n_chain; i++)
        ok = c->chain[i].len <= CRYPTO_CERT_MAX;
    return ok;
}

static bool put_chain(struct json_t *j, const struct enrol_claim *c)
{
    struct json_t *list = statement_put_array(j, "ek_chain");
    char b64[TEXT_B64_SIZE(CRYPTO_CERT_MAX)];

    for (size_t i = 0; list && i < c->n_chain; i++) {
        text_format_b64(c->chain[i], b64);
        if (!statement_add_text(list, span_str(b64)))
            return false;
    }
    return list != NULL;
}

int enrol_claim_format(
        const struct enrol_claim *c, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *j = statement_json_object();

    if (!claim_fits(c))
        return err_set(err, ERR_LIMIT, "claim: a member is too long");
    if (!j || !statement_put_str(j, "type", TYPE_CLAIM) ||
            !statement_put_text(j, "zone", c->zone) ||
            !statement_put_text(j, "address", c->address) ||
            !statement_put_bool(j, "emulated", c->emulated) ||
            !statement_put_b64(j, "ek_certificate", c->ek_certificate) ||
            !put_chain(j, c) ||
            !statement_put_b64(j, "ek_public", c->ek_public) ||
            !statement_put_b64(j, "ak_public", c->ak_public) ||
            !statement_put_b64(j, "identity", c->identity) ||
            !statement_put_b64(j, "log", c->log))
        return err_set(err, ERR_MEMORY, "no memory for the claim");
    return statement_json_format(j, ret, err);
}

void enrol_claim_fini(struct enrol_claim *c)
{
    buf_fini(&c->store);
}

/* ---- challenge ------------------------------------------------------- */

int enrol_challenge_parse(
        struct span text, struct enrol_challenge *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    struct buf again = BUF_INIT(ENROL_FILE_MAX);
    struct statement_reader in;
    int r;

    *ret = (struct enrol_challenge){0};
    r = open_doc(text, "challenge", ENROL_FILE_MAX, &ret->store, &doc, err);
    if (r != 0)
        return r;
    in = statement_reader_of(doc);
    if (!get_type(&in, TYPE_CHALLENGE) ||
            !statement_get_hex(&in, "claim", ret->claim, sizeof ret->claim) ||
            !get_b64(&in, "credential", &ret->store, TCG_CREDENTIAL_MAX,
                    &ret->credential) ||
            !get_b64(&in, "secret", &ret->store, TCG_ENCRYPTED_MAX,
                    &ret->secret) ||
            !statement_get_end(&in))
        return statement_bad(&in, "challenge", err);
    return same_text(
            enrol_challenge_format(ret, &again, err), &again, text, err);
}

int enrol_challenge_format(
        const struct enrol_challenge *c, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *j = statement_json_object();

    if (c->credential.len > TCG_CREDENTIAL_MAX ||
            c->secret.len > TCG_ENCRYPTED_MAX)
        return err_set(err, ERR_LIMIT, "challenge: a member is too long");
    if (!j || !statement_put_str(j, "type", TYPE_CHALLENGE) ||
            !statement_put_hex(j, "claim", SPAN_OF(c->claim)) ||
            !statement_put_b64(j, "credential", c->credential) ||
            !statement_put_b64(j, "secret", c->secret))
        return err_set(err, ERR_MEMORY, "no memory for the challenge");
    return statement_json_format(j, ret, err);
}

void enrol_challenge_fini(struct enrol_challenge *c)
{
    buf_fini(&c->store);
}

/* ---- the challenge's secret ------------------------------------------ */

int enrol_secret_parse(
        struct span text, struct enrol_secret *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    struct buf again = BUF_INIT(ENROL_FILE_MAX);
    struct statement_reader in;
    int r;

    *ret = (struct enrol_secret){0};
    r = open_doc(text, "challenge secret", ENROL_FILE_MAX, NULL, &doc, err);
    if (r != 0)
        return r;
    in = statement_reader_of(doc);
    if (!get_type(&in, TYPE_SECRET) ||
            !statement_get_hex(&in, "claim", ret->claim, sizeof ret->claim) ||
            !statement_get_hex(&in, "secret", ret->secret, ENROL_SECRET) ||
            !statement_get_end(&in))
        return statement_bad(&in, "challenge secret", err);
    return same_text(enrol_secret_format(ret, &again, err), &again, text, err);
}

int enrol_secret_format(
        const struct enrol_secret *s, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *j = statement_json_object();

    if (!j || !statement_put_str(j, "type", TYPE_SECRET) ||
            !statement_put_hex(j, "claim", SPAN_OF(s->claim)) ||
            !statement_put_hex(j, "secret", SPAN_OF(s->secret)))
        return err_set(err, ERR_MEMORY, "no memory for the challenge");
    return statement_json_format(j, ret, err);
}

/* ---- answer ---------------------------------------------------------- */

int enrol_answer_parse(
        struct span text, struct enrol_answer *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    struct buf again = BUF_INIT(ENROL_ANSWER_MAX);
    struct statement_reader in;
    int r;

    *ret = (struct enrol_answer){0};
    r = open_doc(text, "answer", ENROL_ANSWER_MAX, &ret->store, &doc, err);
    if (r != 0)
        return r;
    in = statement_reader_of(doc);
    if (!get_type(&in, TYPE_ANSWER) ||
            !statement_get_hex(&in, "claim", ret->claim, sizeof ret->claim) ||
            !get_b64(&in, "evidence", &ret->store, LIMIT_EVIDENCE_MAX,
                    &ret->evidence) ||
            !statement_get_end(&in))
        return statement_bad(&in, "answer", err);
    return same_text(enrol_answer_format(ret, &again, err), &again, text, err);
}

int enrol_answer_format(
        const struct enrol_answer *a, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *j = statement_json_object();

    if (a->evidence.len > LIMIT_EVIDENCE_MAX)
        return err_set(err, ERR_LIMIT, "answer: the evidence is too long");
    if (!j || !statement_put_str(j, "type", TYPE_ANSWER) ||
            !statement_put_hex(j, "claim", SPAN_OF(a->claim)) ||
            !statement_put_b64(j, "evidence", a->evidence))
        return err_set(err, ERR_MEMORY, "no memory for the answer");
    return statement_json_format(j, ret, err);
}

void enrol_answer_fini(struct enrol_answer *a)
{
    buf_fini(&a->store);
}
