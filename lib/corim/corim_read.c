/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest (draft, 4): signature, identity, tags. */
#include "corim_private.h"

enum {
    TAG_CORIM_CHOICE = 500, /* of drafts before 03, around the others */
    TAG_CORIM = 501,
    TAG_COSWID = 505,
    TAG_COMID = 506,
    TAG_COTL = 508,
    LABEL_META = 8,
};

enum { M_ID, M_TAGS, M_DEPENDENT, M_PROFILE, M_VALIDITY, M_ENTITIES, M_N };

/* ---- tags ------------------------------------------------------------ */

static const char *tag_name(uint64_t tag)
{
    if (tag == TAG_COSWID)
        return "CoSWID";
    return tag == TAG_COTL ? "CoTL" : "a kind not known here";
}

static int get_tag(struct corim *c, struct wire_reader *r, struct err *err)
{
    struct span content;
    uint64_t tag;
    int rc;

    if (!cbor_get_tag(r, &tag) || !cbor_get_bytes(r, &content))
        return err_set(err, ERR_SYNTAX, "CoRIM: a tag is no tagged bytes");
    if (tag != TAG_COMID) {
        corim_note(c, "a tag was not looked at: %s (CBOR tag %llu)",
                tag_name(tag), (unsigned long long)tag);
        return 0;
    }
    rc = corim_get_comid(c, content, err);
    return rc ? err_prefix(err, rc, "CoMID %zu", c->n_tags) : 0;
}

/* A tag that another one replaces states nothing any more. */
static void mark_replaced(struct corim *c)
{
    for (size_t i = 0; i < c->n_links; i++) {
        const struct corim_link *l = &c->link[i];

        for (size_t t = 0; l->rel == CORIM_REPLACES && t < c->n_tags; t++) {
            if (t != l->tag && c->tag[t].id.text == l->of.text &&
                    span_eq(c->tag[t].id.value, l->of.value))
                c->tag[t].replaced = true;
        }
    }
}

static int get_tags(struct corim *c, struct wire_reader r, struct err *err)
{
    struct wire_reader list;
    int rc = 0;

    if (!cbor_get_array(&r, &list) || wire_end(&list))
        return err_set(err, ERR_SYNTAX, "CoRIM: tags: not a list");
    while (rc == 0 && !wire_end(&list))
        rc = get_tag(c, &list, err);
    mark_replaced(c);
    return rc;
}

/* ---- manifest -------------------------------------------------------- */

static int get_profile(struct corim *c, struct wire_reader r, struct err *err)
{
    struct wire_reader list;

    if (cbor_get_array(&r, &list)) /* of one, in drafts before 03 */
        r = list;
    if (corim_get_uri(&r, &c->profile) && wire_end(&r))
        return 0;
    c->profile_is_oid = true;
    if (!cbor_get_tag_of(&r, CORIM_TAG_OID) ||
            !cbor_get_bytes(&r, &c->profile) || !corim_is_oid(c->profile) ||
            !wire_end(&r))
        return err_set(
                err, ERR_SYNTAX, "CoRIM: the profile is neither URI nor OID");
    return 0;
}

static int get_members(struct corim *c, struct cbor_field *f, struct err *err)
{
    struct wire_reader list;
    int rc = corim_get_name(f[M_ID].value, "the manifest's id", &c->id, err);

    if (rc == 0 && f[M_PROFILE].present)
        rc = get_profile(c, f[M_PROFILE].value, err);
    if (rc == 0 && f[M_VALIDITY].present)
        rc = corim_get_validity(
                f[M_VALIDITY].value, "validity", &c->validity, err);
    if (rc == 0 && f[M_ENTITIES].present)
        rc = corim_check_entities(c, f[M_ENTITIES].value, "an entity", err);
    if (rc == 0 && f[M_DEPENDENT].present) {
        if (!cbor_get_array(&f[M_DEPENDENT].value, &list) || wire_end(&list))
            return err_set(err, ERR_SYNTAX, "CoRIM: dependent manifests");
        corim_note(c, "manifests that this one depends on were not looked at");
    }
    return rc ? rc : get_tags(c, f[M_TAGS].value, err);
}

static int get_manifest(struct corim *c, struct span doc, struct err *err)
{
    struct cbor_field f[M_N] = {
            [M_ID] = {.key = 0, .name = "id", .required = true},
            [M_TAGS] = {.key = 1, .name = "tags", .required = true},
            [M_DEPENDENT] = {.key = 2, .name = "dependent-rims"},
            [M_PROFILE] = {.key = 3, .name = "profile"},
            [M_VALIDITY] = {.key = 4, .name = "rim-validity"},
            [M_ENTITIES] = {.key = 5, .name = "entities"}};
    struct wire_reader r = wire_reader_of(doc);
    struct cbor_unknown unknown;
    int rc = cbor_check(doc, CBOR_ANY_ORDER, err);

    if (rc)
        return rc;
    if (!cbor_get_tag_of(&r, TAG_CORIM))
        return err_set(err, ERR_SYNTAX, "CoRIM: not tag %d", TAG_CORIM);
    rc = cbor_get_fields(&r, "CoRIM", f, M_N, &unknown, err);
    if (rc == 0)
        rc = corim_note_unknown(c, &unknown, "the manifest", err);
    if (rc == 0)
        rc = get_members(c, f, err);
    return rc ? rc : corim_snp_check(c, err);
}

/* ---- signature ------------------------------------------------------- */

/* corim-meta-map: who signs, and how long the signature holds. */
static int get_meta(struct corim *c, struct wire_reader r, struct err *err)
{
    struct cbor_field f[] = {{.key = 0, .name = "signer", .required = true},
            {.key = 1, .name = "signature-validity"}};
    struct cbor_field s[] = {
            {.key = 0, .name = "signer-name", .required = true},
            {.key = 1, .name = "signer-uri"}};
    struct cbor_unknown unknown;
    struct span doc, uri;
    int rc;

    if (!cbor_get_bytes(&r, &doc))
        return err_set(err, ERR_SYNTAX, "CoRIM: corim-meta is not wrapped");
    rc = cbor_check(doc, CBOR_ANY_ORDER, err);
    r = wire_reader_of(doc);
    if (rc == 0)
        rc = cbor_get_fields(&r, "corim-meta", f, 2, NULL, err);
    if (rc == 0)
        rc = cbor_get_fields(&f[0].value, "signer", s, 2, &unknown, err);
    if (rc == 0)
        rc = corim_note_unknown(c, &unknown, "the signer", err);
    if (rc)
        return rc;
    if (!cbor_get_text(&s[0].value, &c->signer) ||
            (s[1].present && !corim_get_uri(&s[1].value, &uri)))
        return err_set(err, ERR_SYNTAX, "CoRIM: the signer's name");
    return f[1].present ? corim_get_validity(f[1].value, "signature-validity",
                                  &c->signed_validity, err)
                        : 0;
}

/* CWT claims in the header (RFC 9597), which newer drafts use instead. */
static int get_cwt(struct corim *c, struct wire_reader r, struct err *err)
{
    struct cbor_field f[] = {{.key = 1, .name = "iss", .required = true},
            {.key = 4, .name = "exp"}, {.key = 5, .name = "nbf"}};
    struct corim_validity *v = &c->signed_validity;
    struct cbor_unknown unknown;
    int rc = cbor_get_fields(&r, "CWT claims", f, ARRAY_LEN(f), &unknown, err);

    if (rc)
        return rc;
    v->has_not_after = f[1].present;
    v->has_not_before = f[2].present;
    if (!cbor_get_text(&f[0].value, &c->signer) ||
            (f[1].present && !cbor_get_uint(&f[1].value, &v->not_after)) ||
            (f[2].present && !cbor_get_uint(&f[2].value, &v->not_before)))
        return err_set(err, ERR_SYNTAX, "CoRIM: CWT claims of another form");
    return 0;
}

static int get_signed(struct corim *c, struct span file,
        const struct crypto_pub *key, struct span *ret_payload, struct err *err)
{
    static const int64_t crit[] = {LABEL_META, COSE_CWT_CLAIMS};
    const struct cose_options options = {
            .order = CBOR_ANY_ORDER, .crit = crit, .n_crit = ARRAY_LEN(crit)};
    struct wire_reader meta, cwt;
    struct cose_sign1 m;
    bool has_meta, has_cwt;
    int rc = cose_sign1_parse(file, &options, &m, err);

    if (rc == 0 && key)
        rc = cose_sign1_verify(&m, key, SPAN_EMPTY, NULL, err);
    if (rc)
        return rc;
    if (m.detached)
        return err_set(err, ERR_UNSUPPORTED, "CoRIM: the payload is detached");
    if (!span_eq_str(m.content_type, "application/rim+cbor") &&
            !span_eq_str(m.content_type, "application/corim-unsigned+cbor"))
        return err_set(err, ERR_UNSUPPORTED,
                "CoRIM: signed is something else than a manifest");
    has_meta = cose_header(&m, COSE_PROTECTED, LABEL_META, &meta);
    has_cwt = cose_header(&m, COSE_PROTECTED, COSE_CWT_CLAIMS, &cwt);
    if (!has_meta && !has_cwt)
        return err_set(err, ERR_SYNTAX, "CoRIM: the header names no signer");
    if (has_cwt)
        rc = get_cwt(c, cwt, err);
    if (rc == 0 && has_meta)
        rc = get_meta(c, meta, err);
    c->is_signed = true;
    c->alg = m.alg;
    c->kid = m.kid;
    *ret_payload = m.payload;
    return rc;
}

/* ---- files ----------------------------------------------------------- */

static int read_manifest(struct corim *c, struct span file,
        const struct crypto_pub *key, struct err *err)
{
    struct wire_reader r = wire_reader_of(file), at;
    struct span doc;
    int rc = 0;

    (void)!cbor_get_tag_of(&r, TAG_CORIM_CHOICE);
    doc = SPAN(r.ptr, r.left);
    at = r;
    if (cbor_get_tag_of(&at, COSE_TAG_SIGN1))
        rc = get_signed(c, doc, key, &doc, err);
    else if (key)
        rc = err_set(err, ERR_DENIED, "CoRIM: it is not signed");
    return rc ? rc : get_manifest(c, doc, err);
}

int corim_read(struct span file, const struct crypto_pub *key,
        struct corim **ret, struct err *err)
{
    struct corim *c = corim_new();
    int rc;

    if (!c)
        return err_set(err, ERR_MEMORY, "CoRIM: no memory");
    rc = read_manifest(c, file, key, err);
    if (rc) {
        corim_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

int corim_read_comid(struct span file, struct corim **ret, struct err *err)
{
    struct corim *c = corim_new();
    int rc;

    if (!c)
        return err_set(err, ERR_MEMORY, "CoRIM: no memory");
    rc = corim_get_comid(c, file, err);
    if (rc) {
        corim_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

static int check_validity(const struct corim_validity *v, const char *what,
        uint64_t unix_s, struct err *err)
{
    if (v->has_not_before && unix_s < v->not_before)
        return err_set(err, ERR_DENIED, "CoRIM: %s is not valid yet", what);
    if (v->has_not_after && unix_s > v->not_after)
        return err_set(
                err, ERR_DENIED, "CoRIM: %s is not valid any more", what);
    return 0;
}

int corim_check_time(const struct corim *c, uint64_t unix_s, struct err *err)
{
    int rc = check_validity(&c->signed_validity, "the signature", unix_s, err);

    return rc ? rc : check_validity(&c->validity, "the manifest", unix_s, err);
}
