/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_unwrap.h"

#include "eat.h"
#include "evidence.h"

#define MAGIC          "QAIREVID"
#define TYPE_EVIDENCE  "application/vnd.qair.evidence"
#define TYPE_TOKEN     "application/eat+cwt"
#define FORMAT_EAT_CWT 263
#define TAG_CWT        61
#define TAG_UCCS       601

static bool is_blob(struct span s)
{
    return s.len >= strlen(MAGIC) && memcmp(s.ptr, MAGIC, strlen(MAGIC)) == 0;
}

/* ---- wrapper --------------------------------------------------------- */

static bool is_evidence(const struct cmw_record *r)
{
    if (r->has_kinds && !(r->kinds & CMW_EVIDENCE))
        return false;
    return r->media_type.ptr ? span_eq_str(r->media_type, TYPE_EVIDENCE) ||
                                       span_eq_str(r->media_type, TYPE_TOKEN)
                             : r->format == FORMAT_EAT_CWT;
}

/* The one record with evidence; two would leave open which is meant. */
static int open_wrapper(struct span in, struct span *ret, struct err *err)
{
    static struct cmw w; /* large */
    const struct cmw_record *found = NULL;
    int r = cmw_read(in, &w, err);

    for (size_t i = 0; r == 0 && i < w.n; i++) {
        if (!is_evidence(&w.record[i]))
            continue;
        if (found)
            return err_set(err, ERR_SYNTAX, "CMW: evidence twice");
        found = &w.record[i];
    }
    if (r == 0 && !found)
        return err_set(err, ERR_UNSUPPORTED,
                "CMW: no evidence of a kind that "
                "is known here");
    if (r == 0)
        *ret = found->value;
    return r;
}

/* ---- token ----------------------------------------------------------- */

/* The token names its signer by kid; the pack says with which key. */
static int find_signer(struct span token, const struct pack *p,
        const struct pack_zone **ret, struct err *err)
{
    const struct cose_options strict = {.order = CBOR_DETERMINISTIC};
    struct wire_reader r = wire_reader_of(token);
    struct cose_sign1 m;
    int rc = cbor_check(token, CBOR_DETERMINISTIC, err);

    if (rc != 0)
        return rc;
    if (cbor_get_tag_of(&r, TAG_UCCS))
        return err_set(err, ERR_DENIED,
                "EAT: it is not signed, and a file is no attested channel");
    (void)!cbor_get_tag_of(&r, TAG_CWT);
    rc = cose_sign1_parse(SPAN(r.ptr, r.left), &strict, &m, err);
    if (rc != 0)
        return rc;
    *ret = pack_zone(p, m.kid);
    return *ret ? 0
                : err_set(err, ERR_NOT_FOUND,
                          "EAT: no zone of the pack signed it (kid)");
}

static int check_nonce(const struct eat *e, struct span blob, struct err *err)
{
    struct evidence v;
    int r = evidence_parse(blob, &v, err);

    return r ? r : eat_check_nonce(e, v.quote.extra, err);
}

static int open_token(struct span token, const struct pack *p, uint64_t unix_s,
        const struct pack_zone **signer, struct span *ret, struct err *err)
{
    static struct eat e; /* large */
    struct eat_options o = {.key = NULL};
    int r = find_signer(token, p, signer, err);

    if (r != 0)
        return r;
    if (!pack_zone_valid(*signer, unix_s))
        return err_set(err, ERR_DENIED,
                "EAT: zone %s is revoked or out of its "
                "time",
                (*signer)->name);
    o.key = (*signer)->identity;
    r = eat_read(token, &o, &e, err);
    if (r == 0)
        r = eat_check_time(&e, unix_s, err);
    if (r == 0)
        r = eat_evidence_of(&e, ret, err);
    return r == 0 ? check_nonce(&e, *ret, err) : r;
}

bool attest_is_wrapped(uint8_t first)
{
    return first >= 0x80 && first <= 0xdb;
}

int attest_unwrap(struct buf *bytes, const struct pack *p, uint64_t unix_s,
        const struct pack_zone **ret_signer, struct err *err)
{
    struct wire_reader head = wire_reader_of(buf_span(bytes));
    enum cbor_type type = cbor_peek(&head);
    const struct pack_zone *signer = NULL;
    struct span at = buf_span(bytes), blob = at;
    int r = 0;

    *ret_signer = NULL;
    /* what is no CBOR either is for the blob's own reader to refuse */
    if (is_blob(at) ||
            (type != CBOR_ARRAY && type != CBOR_MAP && type != CBOR_TAG))
        return 0;
    if (type != CBOR_TAG)
        r = open_wrapper(at, &at, err);
    if (r == 0 && !is_blob(at))
        r = open_token(at, p, unix_s, &signer, &blob, err);
    else
        blob = at;
    if (r != 0)
        return r;
    memmove(bytes->ptr, blob.ptr, blob.len);
    bytes->len = blob.len;
    *ret_signer = signer;
    return 0;
}
