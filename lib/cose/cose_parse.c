/* SPDX-License-Identifier: Apache-2.0 */
#include "cose_private.h"

/* Labels of both buckets: RFC 9052, 3: one label, one bucket. */
struct labels {
    struct span label[2 * COSE_HEADERS_MAX];
    size_t n, n_protected;
};

static int add_label(struct labels *l, struct span label, struct err *err)
{
    struct wire_reader r = wire_reader_of(label);
    enum cbor_type type = cbor_peek(&r);

    if (type != CBOR_UINT && type != CBOR_NINT && type != CBOR_TEXT)
        return err_set(err, ERR_SYNTAX,
                "COSE header: a label is neither a number nor text");
    for (size_t i = 0; i < l->n; i++) {
        if (span_eq(l->label[i], label))
            return err_set(err, ERR_SYNTAX,
                    "COSE header: a label stands in both headers");
    }
    l->label[l->n++] = label;
    return 0;
}

static int collect(struct labels *l, struct span map, struct err *err)
{
    struct wire_reader r = wire_reader_of(map), in;
    struct span label, value;
    size_t n = 0;
    int rc;

    if (map.len == 0)
        return 0;
    if (!cbor_get_map(&r, &in))
        return err_set(err, ERR_SYNTAX, "COSE header: not a map");
    for (; !wire_end(&in); n++) {
        if (n == COSE_HEADERS_MAX)
            return err_set(err, ERR_LIMIT, "COSE header: more than %d labels",
                    COSE_HEADERS_MAX);
        if (!cbor_get_item(&in, &label) || !cbor_get_item(&in, &value))
            return err_set(err, ERR_SYNTAX, "COSE header: cut off");
        rc = add_label(l, label, err);
        if (rc)
            return rc;
    }
    return 0;
}

static bool is_understood(struct span label, const struct cose_options *o)
{
    static const int64_t own[] = {COSE_ALG, COSE_CONTENT_TYPE, COSE_KID};
    struct wire_reader r = wire_reader_of(label);
    int64_t v;

    if (!cbor_get_int(&r, &v))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (own[i] == v)
            return true;
    }
    for (size_t i = 0; i < o->n_crit; i++) {
        if (o->crit[i] == v)
            return true;
    }
    return false;
}

static bool is_protected(const struct labels *l, struct span label)
{
    for (size_t i = 0; i < l->n_protected; i++) {
        if (span_eq(l->label[i], label))
            return true;
    }
    return false;
}

/* RFC 9052, 3.1: what must be understood, is there, and is signed. */
static int check_crit(const struct cose_sign1 *m, const struct labels *l,
        const struct cose_options *o, struct err *err)
{
    struct wire_reader r, in;
    struct span label;

    if (cose_header(m, COSE_UNPROTECTED, COSE_CRIT, &r))
        return err_set(err, ERR_SYNTAX, "COSE: crit is not protected");
    if (!cose_header(m, COSE_PROTECTED, COSE_CRIT, &r))
        return 0;
    if (!cbor_get_array(&r, &in) || wire_end(&in))
        return err_set(err, ERR_SYNTAX, "COSE: crit is no list of labels");
    while (!wire_end(&in)) {
        if (!cbor_get_item(&in, &label) || !is_protected(l, label))
            return err_set(err, ERR_SYNTAX,
                    "COSE: crit names a parameter that is not protected");
        if (!is_understood(label, o))
            return err_set(err, ERR_UNSUPPORTED,
                    "COSE: a critical header parameter is not understood");
    }
    return 0;
}

static int read_alg(
        struct cose_sign1 *m, const struct cose_options *o, struct err *err)
{
    struct wire_reader r;

    if (!cose_header(m, COSE_PROTECTED, COSE_ALG, &r)) {
        if (!cose_header(m, COSE_UNPROTECTED, COSE_ALG, &r))
            return err_set(err, ERR_SYNTAX, "COSE: no algorithm");
        if (!o->alg_unprotected)
            return err_set(
                    err, ERR_SYNTAX, "COSE: the algorithm is not protected");
    }
    if (!cbor_get_int(&r, &m->alg))
        return err_set(
                err, ERR_UNSUPPORTED, "COSE: the algorithm is not a number");
    m->has_alg = true;
    return 0;
}

static int read_hints(struct cose_sign1 *m, struct err *err)
{
    struct wire_reader r;

    if ((cose_header(m, COSE_PROTECTED, COSE_KID, &r) ||
                cose_header(m, COSE_UNPROTECTED, COSE_KID, &r)) &&
            !cbor_get_bytes(&r, &m->kid))
        return err_set(err, ERR_SYNTAX, "COSE: kid is no byte string");
    if (cose_header(m, COSE_PROTECTED, COSE_CONTENT_TYPE, &r) ||
            cose_header(m, COSE_UNPROTECTED, COSE_CONTENT_TYPE, &r)) {
        m->has_content_format = cbor_get_uint(&r, &m->content_format);
        if (!m->has_content_format && !cbor_get_text(&r, &m->content_type))
            return err_set(err, ERR_SYNTAX,
                    "COSE: the content type is neither text nor a number");
    }
    return 0;
}

static int read_headers(
        struct cose_sign1 *m, const struct cose_options *o, struct err *err)
{
    struct labels l = {.n = 0};
    int rc;

    rc = collect(&l, m->protected_header, err);
    l.n_protected = l.n;
    if (rc == 0)
        rc = collect(&l, m->unprotected_header, err);
    if (rc == 0)
        rc = check_crit(m, &l, o, err);
    if (rc == 0)
        rc = read_alg(m, o, err);
    return rc ? rc : read_hints(m, err);
}

/* [protected, unprotected, payload / nil, signature] */
static int read_elements(
        struct wire_reader *r, struct cose_sign1 *m, struct err *err)
{
    struct wire_reader in;

    if (!cbor_get_array(r, &in) || !cbor_get_bytes(&in, &m->protected_header) ||
            cbor_peek(&in) != CBOR_MAP ||
            !cbor_get_item(&in, &m->unprotected_header))
        return err_set(err, ERR_SYNTAX, "COSE_Sign1: not an array of headers");
    m->detached = cbor_get_null(&in);
    if (!m->detached && !cbor_get_bytes(&in, &m->payload))
        return err_set(
                err, ERR_SYNTAX, "COSE_Sign1: the payload is no byte string");
    if (!cbor_get_bytes(&in, &m->signature) || !wire_end(&in))
        return err_set(err, ERR_SYNTAX, "COSE_Sign1: not four elements");
    return 0;
}

int cose_sign1_parse(struct span msg, const struct cose_options *options,
        struct cose_sign1 *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(msg);
    struct cose_sign1 m = {0};
    int rc;

    rc = cbor_check(msg, options->order, err);
    if (rc)
        return err_prefix(err, rc, "COSE_Sign1");
    if (!cbor_get_tag_of(&r, COSE_TAG_SIGN1) && !options->untagged)
        return err_set(err, ERR_SYNTAX, "COSE_Sign1: not tag 18");
    rc = read_elements(&r, &m, err);
    if (rc)
        return rc;
    if (m.protected_header.len > 0) {
        rc = cbor_check(m.protected_header, options->order, err);
        if (rc)
            return err_prefix(err, rc, "COSE protected header");
        /* RFC 9052, 4.4: an empty map is signed as no bytes at all */
        if (span_eq(m.protected_header, SPAN("\xa0", 1)))
            m.protected_header.len = 0;
    }
    rc = read_headers(&m, options, err);
    if (rc)
        return rc;
    *ret = m;
    return 0;
}

bool cose_header(const struct cose_sign1 *m, enum cose_bucket bucket,
        int64_t label, struct wire_reader *ret)
{
    struct wire_reader r =
            wire_reader_of(bucket == COSE_PROTECTED ? m->protected_header
                                                    : m->unprotected_header);
    struct cbor_field f = {.key = label, .name = "label"};
    struct cbor_unknown unknown;

    if (cbor_get_fields(&r, "COSE header", &f, 1, &unknown, NULL) || !f.present)
        return false;
    *ret = f.value;
    return true;
}
