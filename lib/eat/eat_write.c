/* SPDX-License-Identifier: Apache-2.0 */
/* Our own evidence as a token (docs/proto/eat.md, section 3). */
#include "eat_private.h"

#define NONCE_SIZE 32
/* Everything in a claims set but the evidence itself. */
#define CLAIMS_ROOM 256

void eat_ueid(const uint8_t ek[static 32], uint8_t ret[static EAT_UEID_MAX])
{
    ret[0] = 1;
    memcpy(ret + 1, ek, 32);
}

static void put_claims(const struct eat_evidence *e, struct wire_writer *w)
{
    cbor_put_map(w, 3u + e->has_iat + e->has_bootcount + (e->ueid.ptr != NULL));
    if (e->has_iat) {
        cbor_put_int(w, EAT_CLAIM_IAT);
        cbor_put_uint(w, e->iat);
    }
    cbor_put_int(w, EAT_CLAIM_NONCE);
    cbor_put_bytes(w, e->nonce);
    if (e->ueid.ptr) {
        cbor_put_int(w, EAT_CLAIM_UEID);
        cbor_put_bytes(w, e->ueid);
    }
    cbor_put_int(w, EAT_CLAIM_PROFILE);
    cbor_put_str(w, EAT_PROFILE);
    if (e->has_bootcount) {
        cbor_put_int(w, EAT_CLAIM_BOOTCOUNT);
        cbor_put_uint(w, e->bootcount);
    }
    cbor_put_int(w, EAT_CLAIM_MEASUREMENTS);
    cbor_put_array(w, 1);
    cbor_put_array(w, 2);
    cbor_put_uint(w, EAT_FORMAT_EVIDENCE);
    cbor_put_bytes(w, e->evidence);
}

int eat_write_claims(
        const struct eat_evidence *e, struct buf *ret, struct err *err)
{
    size_t room = CLAIMS_ROOM + e->evidence.len;
    struct wire_writer w;
    struct span item;
    uint8_t *p;

    if (e->nonce.len != NONCE_SIZE || e->evidence.len == 0 ||
            (e->ueid.ptr && e->ueid.len != EAT_UEID_MAX))
        return err_set(err, ERR_USAGE, "EAT: nonce, ueid or evidence missing");
    p = buf_reserve(ret, room);
    if (!p)
        return buf_ok(ret, err);
    w = wire_writer_of(p, room);
    put_claims(e, &w);
    if (!cbor_finish(&w, &item))
        return err_set(err, ERR_LIMIT, "EAT: the evidence is too large");
    buf_commit(ret, item.len);
    return 0;
}

static int append_tag(struct buf *ret, uint64_t tag, struct err *err)
{
    uint8_t head[9];
    struct wire_writer w = wire_writer_of(head, sizeof(head));

    cbor_put_tag(&w, tag);
    buf_append(ret, SPAN(head, w.len));
    return buf_ok(ret, err);
}

int eat_write(const struct eat_evidence *e, const struct crypto_key *k,
        struct span kid, struct span external_aad, struct buf *ret,
        struct err *err)
{
    struct buf claims = BUF_INIT(CBOR_BYTES_MAX);
    int rc = eat_write_claims(e, &claims, err);

    if (rc == 0)
        rc = append_tag(ret, k ? TAG_CWT : TAG_UCCS, err);
    if (rc == 0 && k) {
        const struct cose_write m = {.kid = kid,
                .content_type = "application/eat+cwt",
                .external_aad = external_aad,
                .payload = buf_span(&claims)};

        rc = cose_sign1_write(&m, k, ret, err);
    } else if (rc == 0) {
        buf_append(ret, buf_span(&claims));
        rc = buf_ok(ret, err);
    }
    buf_fini(&claims);
    return rc;
}

int eat_evidence_of(const struct eat *e, struct span *ret, struct err *err)
{
    const struct eat_module *m = &e->module[0];

    if (e->n_modules == 0 || m->profile_is_oid ||
            !span_eq_str(m->profile, EAT_PROFILE))
        return err_set(err, ERR_NOT_FOUND, "EAT: not of profile " EAT_PROFILE);
    if (e->n_measurements != 1 || e->measurement[0].module != 0 ||
            e->measurement[0].manifest ||
            e->measurement[0].format != EAT_FORMAT_EVIDENCE)
        return err_set(err, ERR_NOT_FOUND, "EAT: no evidence, or several");
    *ret = e->measurement[0].content;
    return 0;
}
