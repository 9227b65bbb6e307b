/* SPDX-License-Identifier: Apache-2.0 */
/* Objects under the storage root key: AK, sealed data, release keys. */
#include "tpm_private.h"

static const TPMS_ECC_PARMS p256_signing = {
        .symmetric.algorithm = TPM2_ALG_NULL,
        .scheme =
                {
                        .scheme = TPM2_ALG_ECDSA,
                        .details.ecdsa.hashAlg = TPM2_ALG_SHA256,
                },
        .curveID = TPM2_ECC_NIST_P256,
        .kdf.scheme = TPM2_ALG_NULL,
};

#define FIXED                                                                  \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA)

int tpm_load(struct tpm *t, const struct tpm_blob *blob, ESYS_TR *ret,
        struct err *err)
{
    TPM2B_PUBLIC pub;
    TPM2B_PRIVATE priv;
    TSS2_RC rc;
    int r;

    r = tpm_blob_parse(blob, &pub, &priv, err);
    if (r != 0)
        return r;
    rc = Esys_Load(t->esys, t->srk, ESYS_TR_PASSWORD, ESYS_TR_NONE,
            ESYS_TR_NONE, &priv, &pub, ret);
    return tpm_check(rc, "load the object (made by another TPM?)", err);
}

/* secret: NULL when the TPM makes the key itself. */
static int object_create(struct tpm *t, TPM2B_PUBLIC *pub,
        const struct span *secret, const uint8_t *policy, struct tpm_blob *ret,
        struct err *err)
{
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcr;
    TPM2B_SENSITIVE_CREATE in = {.size = 0};
    TPM2B_PUBLIC *out_pub = NULL;
    TPM2B_PRIVATE *out_priv = NULL;
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc;
    int r;

    if (policy) {
        pub->publicArea.authPolicy.size = TPM_DIGEST;
        memcpy(pub->publicArea.authPolicy.buffer, policy, TPM_DIGEST);
    }
    pub->publicArea.objectAttributes |=
            policy ? TPMA_OBJECT_ADMINWITHPOLICY : TPMA_OBJECT_USERWITHAUTH;
    r = tpm_session(t, TPM2_SE_HMAC, TPMA_SESSION_DECRYPT, &session, err);
    if (r != 0)
        return r;
    if (secret) {
        in.sensitive.data.size = (UINT16)secret->len;
        memcpy(in.sensitive.data.buffer, secret->ptr, secret->len);
    }
    rc = Esys_Create(t->esys, t->srk, session, ESYS_TR_NONE, ESYS_TR_NONE, &in,
            pub, &no_data, &no_pcr, &out_priv, &out_pub, NULL, NULL, NULL);
    secret_wipe(&in, sizeof in);
    tpm_flush(t, &session);
    r = tpm_check(rc, "create the object", err);
    if (r == 0)
        r = tpm_blob_of(out_pub, out_priv, ret, err);
    Esys_Free(out_pub);
    Esys_Free(out_priv);
    return r;
}

int tpm_ak_create(struct tpm *t, struct tpm_blob *ret, struct err *err)
{
    TPM2B_PUBLIC pub = {
            .publicArea =
                    {
                            .type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes =
                                    FIXED | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                    TPMA_OBJECT_RESTRICTED |
                                    TPMA_OBJECT_SIGN_ENCRYPT,
                            .parameters.eccDetail = p256_signing,
                    },
    };

    return object_create(t, &pub, NULL, NULL, ret, err);
}

int tpm_key_create(struct tpm *t, const uint8_t policy[static TPM_DIGEST],
        struct tpm_blob *ret, struct err *err)
{
    TPM2B_PUBLIC pub = {
            .publicArea =
                    {
                            .type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes =
                                    FIXED | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                    TPMA_OBJECT_SIGN_ENCRYPT,
                            .parameters.eccDetail = p256_signing,
                    },
    };

    return object_create(t, &pub, NULL, policy, ret, err);
}

int tpm_seal(struct tpm *t, struct span secret, const uint8_t *policy,
        struct tpm_blob *ret, struct err *err)
{
    TPM2B_PUBLIC pub = {
            .publicArea =
                    {
                            .type = TPM2_ALG_KEYEDHASH,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes = FIXED,
                            .parameters.keyedHashDetail.scheme.scheme =
                                    TPM2_ALG_NULL,
                    },
    };

    if (secret.len == 0 || secret.len > TPM_SEAL_MAX)
        return err_set(err, ERR_LIMIT, "cannot seal %zu bytes", secret.len);
    return object_create(t, &pub, &secret, policy, ret, err);
}

/*
 * The session that opens sealed data: by policy when there is an approval,
 * else by its empty authorisation value.
 */
static int unseal_session(struct tpm *t, const struct tpm_approval *approval,
        ESYS_TR *ret, struct err *err)
{
    if (approval)
        return tpm_approved_session(
                t, approval, TPMA_SESSION_ENCRYPT, ret, err);
    return tpm_session(t, TPM2_SE_HMAC, TPMA_SESSION_ENCRYPT, ret, err);
}

int tpm_unseal(struct tpm *t, const struct tpm_blob *blob,
        const struct tpm_approval *approval, uint8_t *ret, size_t cap,
        size_t *ret_len, struct err *err)
{
    TPM2B_SENSITIVE_DATA *data = NULL;
    ESYS_TR object = ESYS_TR_NONE, session = ESYS_TR_NONE;
    int r;

    r = unseal_session(t, approval, &session, err);
    if (r == 0)
        r = tpm_load(t, blob, &object, err);
    if (r == 0)
        r = tpm_check(Esys_Unseal(t->esys, object, session, ESYS_TR_NONE,
                              ESYS_TR_NONE, &data),
                "unseal", err);
    if (r == 0 && data->size > cap)
        r = err_set(err, ERR_LIMIT, "sealed data of %u bytes", data->size);
    if (r == 0) {
        memcpy(ret, data->buffer, data->size);
        *ret_len = data->size;
    }
    if (data)
        secret_wipe(data, sizeof *data);
    Esys_Free(data);
    tpm_flush(t, &object);
    tpm_flush(t, &session);
    return r;
}

/* A TPM drops leading zeros of r and s; we do not. */
static int signature_of(const TPMT_SIGNATURE *sig,
        uint8_t ret[static TPM_SIGNATURE], struct err *err)
{
    const TPM2B_ECC_PARAMETER *r = &sig->signature.ecdsa.signatureR;
    const TPM2B_ECC_PARAMETER *s = &sig->signature.ecdsa.signatureS;

    if (sig->sigAlg != TPM2_ALG_ECDSA || r->size > 32 || s->size > 32)
        return err_set(err, ERR_TPM, "the TPM signed with another scheme");
    memset(ret, 0, TPM_SIGNATURE);
    memcpy(ret + 32 - r->size, r->buffer, r->size);
    memcpy(ret + 64 - s->size, s->buffer, s->size);
    return 0;
}

int tpm_key_sign(struct tpm *t, const struct tpm_blob *key,
        const struct tpm_approval *approval,
        const uint8_t digest[static TPM_DIGEST],
        uint8_t ret[static TPM_SIGNATURE], struct err *err)
{
    static const TPMT_SIG_SCHEME of_key = {.scheme = TPM2_ALG_NULL};
    static const TPMT_TK_HASHCHECK no_ticket = {
            .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
    TPM2B_DIGEST in = {.size = TPM_DIGEST};
    ESYS_TR object = ESYS_TR_NONE, session = ESYS_TR_NONE;
    TPMT_SIGNATURE *sig = NULL;
    int r;

    memcpy(in.buffer, digest, TPM_DIGEST);
    r = tpm_approved_session(t, approval, 0, &session, err);
    if (r == 0)
        r = tpm_load(t, key, &object, err);
    if (r == 0)
        r = tpm_check(Esys_Sign(t->esys, object, session, ESYS_TR_NONE,
                              ESYS_TR_NONE, &in, &of_key, &no_ticket, &sig),
                "sign", err);
    if (r == 0)
        r = signature_of(sig, ret, err);
    Esys_Free(sig);
    tpm_flush(t, &object);
    tpm_flush(t, &session);
    return r;
}

static int quote_put(const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *sig,
        struct buf *ret_attest, struct buf *ret_sig, struct err *err)
{
    uint8_t bytes[sizeof *sig];
    size_t len = 0;
    TSS2_RC rc;
    int r;

    rc = Tss2_MU_TPMT_SIGNATURE_Marshal(sig, bytes, sizeof bytes, &len);
    if (rc != 0)
        return tpm_check(rc, "encode the quote", err);
    buf_append(ret_attest, SPAN(attest->attestationData, attest->size));
    buf_append(ret_sig, SPAN(bytes, len));
    r = buf_ok(ret_attest, err);
    return r ? r : buf_ok(ret_sig, err);
}

void tpm_ak_forget(struct tpm *t)
{
    tpm_flush(t, &t->ak.tr);
}

/* Loading costs as much as the quote: each signature needs one. */
static int ak_keep(struct tpm *t, const struct tpm_blob *ak, struct err *err)
{
    int r;

    if (t->ak.tr != ESYS_TR_NONE && t->ak.blob.len == ak->len &&
            memcmp(t->ak.blob.bytes, ak->bytes, ak->len) == 0)
        return 0;
    tpm_ak_forget(t);
    r = tpm_load(t, ak, &t->ak.tr, err);
    if (r == 0)
        t->ak.blob = *ak;
    else
        t->ak.tr = ESYS_TR_NONE;
    return r;
}

int tpm_quote(struct tpm *t, const struct tpm_blob *ak, uint32_t pcrs,
        const uint8_t binder[static TPM_DIGEST], struct buf *ret_attest,
        struct buf *ret_sig, struct err *err)
{
    static const TPMT_SIG_SCHEME of_key = {.scheme = TPM2_ALG_NULL};
    TPML_PCR_SELECTION want = tpm_pcr_selection(pcrs);
    TPM2B_DATA data = {.size = TPM_DIGEST};
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *sig = NULL;
    int r;

    memcpy(data.buffer, binder, TPM_DIGEST);
    r = ak_keep(t, ak, err);
    if (r != 0)
        return r;
    r = tpm_check(Esys_Quote(t->esys, t->ak.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          ESYS_TR_NONE, &data, &of_key, &want, &attest, &sig),
            "quote", err);
    if (r != 0)
        tpm_ak_forget(t);
    else
        r = quote_put(attest, sig, ret_attest, ret_sig, err);
    Esys_Free(attest);
    Esys_Free(sig);
    return r;
}

/* ---- credential activation ------------------------------------------- */

static int credential_parse(struct span credential, struct span secret,
        TPM2B_ID_OBJECT *ret_id, TPM2B_ENCRYPTED_SECRET *ret_secret,
        struct err *err)
{
    size_t a = 0, b = 0;
    TSS2_RC rc;

    rc = Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(
            credential.ptr, credential.len, &a, ret_id);
    if (rc == 0)
        rc = Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(
                secret.ptr, secret.len, &b, ret_secret);
    if (rc != 0 || a != credential.len || b != secret.len)
        return err_set(err, ERR_SYNTAX, "malformed credential");
    return 0;
}

/*
 * What authorises the endorsement key: its password, which is empty, for the
 * high-range templates, which set userWithAuth; PolicySecret(endorsement) for
 * the low-range ones (TCG EK credential profile 2.5, B.3 and B.6).
 */
static int ek_auth(struct tpm *t, ESYS_TR ek, ESYS_TR *ret, struct err *err)
{
    TPM2B_PUBLIC *pub = NULL;
    ESYS_TR s = ESYS_TR_NONE;
    bool password = false;
    TSS2_RC rc;
    int r;

    rc = Esys_ReadPublic(t->esys, ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
            &pub, NULL, NULL);
    if (rc != 0)
        return tpm_check(rc, "read the endorsement key", err);
    password = pub->publicArea.objectAttributes & TPMA_OBJECT_USERWITHAUTH;
    Esys_Free(pub);
    if (password) {
        *ret = ESYS_TR_PASSWORD;
        return 0;
    }
    r = tpm_session(t, TPM2_SE_POLICY, 0, &s, err);
    if (r != 0)
        return r;
    rc = Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, s, ESYS_TR_PASSWORD,
            ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    r = tpm_check(rc, "authorise the endorsement key", err);
    if (r != 0)
        tpm_flush(t, &s);
    else
        *ret = s;
    return r;
}

int tpm_activate(struct tpm *t, const struct tpm_blob *ak, enum tpm_ek ek,
        struct span credential, struct span secret,
        uint8_t ret[static TPM_DIGEST], size_t *ret_len, struct err *err)
{
    TPM2B_ID_OBJECT id = {.size = 0};
    TPM2B_ENCRYPTED_SECRET enc = {.size = 0};
    ESYS_TR key = ESYS_TR_NONE, auth = ESYS_TR_NONE;
    struct tpm_ek_key ek_key = {.tr = ESYS_TR_NONE};
    TPM2B_DIGEST *out = NULL;
    int r;

    tpm_ak_forget(t);
    r = credential_parse(credential, secret, &id, &enc, err);
    if (r == 0)
        r = tpm_ek_load(t, ek, &ek_key, err);
    if (r == 0)
        r = tpm_load(t, ak, &key, err);
    if (r == 0)
        r = ek_auth(t, ek_key.tr, &auth, err);
    if (r == 0)
        r = tpm_check(
                Esys_ActivateCredential(t->esys, key, ek_key.tr,
                        ESYS_TR_PASSWORD, auth, ESYS_TR_NONE, &id, &enc, &out),
                "open the credential", err);
    if (r == 0 && out->size > TPM_DIGEST)
        r = err_set(err, ERR_LIMIT, "the credential holds %u bytes", out->size);
    if (r == 0) {
        memcpy(ret, out->buffer, out->size);
        *ret_len = out->size;
    }
    Esys_Free(out);
    if (auth != ESYS_TR_PASSWORD)
        tpm_flush(t, &auth);
    tpm_flush(t, &key);
    tpm_ek_unload(t, &ek_key);
    return r;
}
