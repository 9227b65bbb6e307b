/* SPDX-License-Identifier: Apache-2.0 */
#include "receipt.h"

#define TYPE "qair:receipt/v1"

void receipt_binder(const uint8_t call_id[static STATEMENT_CALL_ID],
        const uint8_t key_sha256[static CRYPTO_SHA256_SIZE],
        const uint8_t artefact_sha256[static CRYPTO_SHA256_SIZE],
        uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    static const char label[] = "qair-sign-1";
    uint8_t bytes[sizeof(label) - 1 + STATEMENT_CALL_ID +
                  2 * CRYPTO_SHA256_SIZE];
    struct wire_writer w = wire_writer_of(bytes, sizeof(bytes));

    wire_put_bytes(&w, (const uint8_t *)label, sizeof(label) - 1);
    wire_put_bytes(&w, call_id, STATEMENT_CALL_ID);
    wire_put_bytes(&w, key_sha256, CRYPTO_SHA256_SIZE);
    wire_put_bytes(&w, artefact_sha256, CRYPTO_SHA256_SIZE);
    crypto_sha256(SPAN_OF(bytes), ret);
}

static bool put_all(struct json_t *doc, const struct receipt *r)
{
    struct json_t *sig;

    if (!doc || !statement_put_str(doc, "receipt", TYPE) ||
            !statement_put_text(doc, "statement", r->statement) ||
            !statement_put_text(doc, "envelope", r->envelope) ||
            !statement_put_text(doc, "proof", r->proof) ||
            !statement_put_b64(doc, "evidence", r->evidence))
        return false;
    sig = statement_put_object(doc, "signature");
    return sig && statement_put_text(sig, "profile", r->profile) &&
           statement_put_text(sig, "text", r->signature);
}

int receipt_format(const struct receipt *r, struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *doc = statement_json_object();
    int rc;

    if (!put_all(doc, r))
        return err_set(err, ERR_SYNTAX, "receipt cannot be written as JSON");
    rc = statement_json_format(doc, ret, err);
    if (rc)
        return err_prefix(err, rc, "receipt");
    buf_append_str(ret, "\n");
    return buf_ok(ret, err);
}

static bool get_signature(struct statement_reader *r, struct receipt *ret)
{
    const struct json_t *obj;
    struct statement_reader s;

    if (!statement_get_object(r, "signature", &obj))
        return false;
    s = statement_reader_of(obj);
    return statement_get_name(&s, "profile", PROFILE_NAME_MAX, &ret->profile) &&
           statement_get_utf8(&s, "text", PROFILE_TEXT_MAX, &ret->signature) &&
           statement_get_end(&s);
}

static bool get_evidence(struct statement_reader *r, struct receipt *ret)
{
    uint8_t *p = buf_reserve(&ret->evidence_bytes, LIMIT_EVIDENCE_MAX);
    size_t len;

    if (!p || !statement_get_b64(r, "evidence", p, LIMIT_EVIDENCE_MAX, &len))
        return false;
    buf_commit(&ret->evidence_bytes, len);
    ret->evidence = buf_span(&ret->evidence_bytes);
    return true;
}

static int get_all(struct receipt *ret, struct err *err)
{
    struct statement_reader r = statement_reader_of(ret->doc);
    struct span type;

    if (!statement_get_text(&r, "receipt", 64, &type) ||
            !statement_get_utf8(
                    &r, "statement", STATEMENT_ENVELOPE_MAX, &ret->statement) ||
            !statement_get_utf8(
                    &r, "envelope", STATEMENT_ENVELOPE_MAX, &ret->envelope) ||
            !statement_get_utf8(
                    &r, "proof", MERKLE_TLOG_PROOF_MAX, &ret->proof) ||
            !get_signature(&r, ret) || !get_evidence(&r, ret) ||
            !statement_get_end(&r))
        return statement_bad(&r, "receipt", err);
    if (!span_eq_str(type, TYPE))
        return err_set(err, ERR_UNSUPPORTED, "not a " TYPE);
    return 0;
}

/* Two receipts that say the same are the same file. */
static int check_canonical(
        const struct receipt *r, struct span bytes, struct err *err)
{
    CLEANUP(buf_fini) struct buf again = BUF_INIT(RECEIPT_MAX);
    int rc = receipt_format(r, &again, err);

    if (rc == 0 && !span_eq(bytes, buf_span(&again)))
        rc = err_set(err, ERR_SYNTAX, "receipt is not in canonical form");
    return rc;
}

int receipt_parse(struct span bytes, struct receipt *ret, struct err *err)
{
    struct receipt r = {.evidence_bytes = BUF_INIT(LIMIT_EVIDENCE_MAX)};
    int rc;

    if (bytes.len > RECEIPT_MAX)
        return err_set(
                err, ERR_LIMIT, "receipt is larger than %u bytes", RECEIPT_MAX);
    r.doc = statement_json_parse(bytes, err);
    if (!r.doc)
        return ERR_SYNTAX;
    rc = get_all(&r, err);
    if (rc == 0)
        rc = check_canonical(&r, bytes, err);
    if (rc)
        receipt_fini(&r);
    else
        *ret = r;
    return rc;
}

void receipt_fini(struct receipt *r)
{
    statement_json_free(r->doc);
    buf_fini(&r->evidence_bytes);
    *r = (struct receipt){0};
}
