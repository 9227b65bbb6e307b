/* SPDX-License-Identifier: Apache-2.0 */
/* The token around the claims: CWT, UCCS, detached bundle. */
#include "eat_private.h"

/* COSE's hash algorithms (RFC 9054). */
static bool hash_of(int64_t alg, enum crypto_hash *ret)
{
    static const struct {
        int64_t alg;
        enum crypto_hash hash;
    } hashes[] = {
            {-16, CRYPTO_SHA256}, {-43, CRYPTO_SHA384}, {-44, CRYPTO_SHA512}};

    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if (hashes[i].alg == alg) {
            *ret = hashes[i].hash;
            return true;
        }
    }
    return false;
}

/* ---- one token ------------------------------------------------------- */

static int get_payload(
        struct eat_reading *x, struct span payload, struct err *err)
{
    int rc = cbor_check(payload, CBOR_DETERMINISTIC, err);

    x->e->n_modules = 1;
    x->e->module[0] =
            (struct eat_module){.kind = EAT_CLAIMS, .content = payload};
    return rc ? rc : eat_get_claims(x, wire_reader_of(payload), 0, err);
}

static bool is_eat_type(const struct cose_sign1 *m)
{
    if (m->has_content_format)
        return m->content_format == FORMAT_EAT_CWT ||
               m->content_format == FORMAT_CWT;
    return !m->content_type.ptr ||
           span_eq_str(m->content_type, "application/eat+cwt") ||
           span_eq_str(m->content_type, "application/cwt");
}

static int read_signed(struct eat_reading *x, struct span msg,
        const struct eat_options *o, struct err *err)
{
    const struct cose_options strict = {.order = CBOR_DETERMINISTIC};
    struct cose_sign1 m;
    int rc;

    if (!o->key)
        return err_set(err, ERR_DENIED, "EAT: signed, and no key to check it");
    rc = cose_sign1_parse(msg, &strict, &m, err);
    if (rc)
        return rc;
    if (m.detached || !is_eat_type(&m))
        return err_set(err, ERR_UNSUPPORTED,
                m.detached ? "EAT: its claims are detached"
                           : "EAT: signed is something else than a token");
    rc = cose_sign1_verify(&m, o->key, o->external_aad, NULL, err);
    if (rc)
        return rc;
    x->e->is_signed = true;
    x->e->alg = m.alg;
    x->e->kid = m.kid;
    return get_payload(x, m.payload, err);
}

static int read_unsigned(struct eat_reading *x, struct span payload,
        const struct eat_options *o, struct err *err)
{
    if (o->key || !o->inside_attested_channel)
        return err_set(err, ERR_DENIED, "EAT: it is not signed");
    return get_payload(x, payload, err);
}

static int read_token(struct eat_reading *x, struct span token,
        const struct eat_options *o, struct err *err)
{
    struct wire_reader r = wire_reader_of(token), at;
    bool cwt;
    int rc = cbor_check(token, CBOR_DETERMINISTIC, err);

    if (rc)
        return rc;
    if (cbor_get_tag_of(&r, TAG_UCCS))
        return read_unsigned(x, SPAN(r.ptr, r.left), o, err);
    cwt = cbor_get_tag_of(&r, TAG_CWT); /* may stand around tag 18 */
    at = r;
    if (!cbor_get_tag_of(&at, COSE_TAG_SIGN1))
        return err_set(err, ERR_SYNTAX,
                cwt ? "EAT: a CWT that is no COSE_Sign1"
                    : "EAT: neither COSE_Sign1 nor UCCS");
    return read_signed(x, SPAN(r.ptr, r.left), o, err);
}

/* ---- bundle ---------------------------------------------------------- */

static struct eat_module *detached_of(struct eat *e, struct span name)
{
    struct eat_module *found = NULL;

    for (size_t i = 1; i < e->n_modules; i++) {
        if (e->module[i].kind != EAT_DETACHED ||
                !span_eq(e->module[i].name, name))
            continue;
        if (found) /* two of one name: which one is meant? */
            return NULL;
        found = &e->module[i];
    }
    return found;
}

static int add_detached(struct eat_reading *x, struct span name,
        struct span set, struct err *err)
{
    struct eat_module *m = detached_of(x->e, name);
    uint8_t digest[CRYPTO_HASH_MAX];
    enum crypto_hash hash;
    int rc;

    if (!m)
        return err_set(err, ERR_SYNTAX,
                "EAT bundle: a claims set that the token does not name");
    if (!hash_of(m->alg, &hash))
        return err_set(err, ERR_UNSUPPORTED, "EAT bundle: a hash not of ours");
    crypto_hash(hash, set, digest);
    if (!span_eq(m->digest, SPAN(digest, crypto_hash_size(hash))))
        return err_set(err, ERR_MISMATCH,
                "EAT bundle: a claims set is not the one of its digest");
    rc = cbor_check(set, CBOR_DETERMINISTIC, err);
    if (rc)
        return rc;
    m->kind = EAT_CLAIMS;
    m->from_bundle = true;
    m->content = set;
    return eat_get_claims(
            x, wire_reader_of(set), (size_t)(m - x->e->module), err);
}

/* [token, {+ name: claims set in a byte string}] */
static int read_bundle(struct eat_reading *x, struct wire_reader r,
        const struct eat_options *o, struct err *err)
{
    struct wire_reader in, map;
    struct span token, name, set;
    int rc;

    if (!cbor_get_array(&r, &in) || !cbor_get_bytes(&in, &token) ||
            !cbor_get_map(&in, &map) || wire_end(&map) || !wire_end(&in))
        return err_set(err, ERR_SYNTAX, "EAT bundle: of another form");
    rc = read_token(x, token, o, err);
    while (rc == 0 && !wire_end(&map)) {
        if (!cbor_get_text(&map, &name) || !cbor_get_bytes(&map, &set))
            return err_set(err, ERR_SYNTAX, "EAT bundle: of another form");
        rc = add_detached(x, name, set, err);
    }
    return rc;
}

int eat_read(struct span token, const struct eat_options *options,
        struct eat *ret, struct err *err)
{
    struct eat_reading x = {.e = ret, .audience = options->audience};
    struct wire_reader r = wire_reader_of(token);
    int rc = cbor_check(token, CBOR_DETERMINISTIC, err);

    memset(ret, 0, sizeof(*ret));
    if (rc == 0 && cbor_get_tag_of(&r, TAG_BUNDLE)) {
        ret->is_bundle = true;
        rc = read_bundle(&x, r, options, err);
    } else if (rc == 0) {
        rc = read_token(&x, token, options, err);
    }
    if (rc)
        memset(ret, 0, sizeof(*ret));
    return rc;
}

/* ---- what is asked of a token ---------------------------------------- */

int eat_check_nonce(const struct eat *e, struct span nonce, struct err *err)
{
    const struct eat_module *m = &e->module[0];

    if (e->n_modules == 0 || m->n_nonces != 1 || nonce.len < EAT_NONCE_MIN ||
            !span_eq_ct(m->nonce[0], nonce))
        return err_set(
                err, ERR_MISMATCH, "EAT: not the nonce of this question");
    return 0;
}

int eat_check_time(const struct eat *e, uint64_t unix_s, struct err *err)
{
    for (size_t i = 0; i < e->n_modules; i++) {
        const struct eat_module *m = &e->module[i];

        if (m->has_nbf && unix_s < m->nbf)
            return err_set(err, ERR_DENIED, "EAT: not valid yet");
        if (m->has_exp && unix_s >= m->exp)
            return err_set(err, ERR_DENIED, "EAT: not valid any more");
    }
    return 0;
}

const struct eat_module *eat_find(
        const struct eat *e, size_t parent, const char *name)
{
    for (size_t i = 1; i < e->n_modules; i++) {
        if (e->module[i].parent == parent &&
                span_eq_str(e->module[i].name, name))
            return &e->module[i];
    }
    return NULL;
}
