/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's signed PCR policies: systemd-measure(1), systemd-stub(7). */
#include "predict_private.h"

#include "der.h"
#include "statement.h"

/* Two signatures of RSA-4096 in base64, and their hex: 1,700 bytes each. */
#define JSON_MAX (PREDICT_PCRSIG_MAX * 2048)

static bool get_pcrs(struct statement_reader *r, uint32_t *ret)
{
    const struct json_t *list;
    size_t n;
    uint64_t pcr, last = 0;
    uint32_t pcrs = 0;

    if (!statement_get_array(r, "pcrs", &list, &n) || n == 0 || n > TCG_PCRS)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!statement_item_u64(list, i, &pcr) || pcr >= TCG_PCRS ||
                (i > 0 && pcr <= last))
            return false;
        pcrs |= 1u << pcr;
        last = pcr;
    }
    *ret = pcrs;
    return true;
}

static int get_entry(const struct json_t *list, size_t i, enum crypto_hash bank,
        struct predict_pcrsig_entry *ret, struct err *err)
{
    struct predict_pcrsig_entry e = {.bank = bank};
    struct statement_reader r;

    if (!statement_item_object(list, i, &r))
        return err_set(err, ERR_SYNTAX, "pcrsig: entry %zu is no object", i);
    if (!get_pcrs(&r, &e.pcrs) ||
            !statement_get_hex(
                    &r, "pkfp", e.key_sha256, sizeof(e.key_sha256)) ||
            !statement_get_hex(&r, "pol", e.policy, sizeof(e.policy)) ||
            !statement_get_b64(&r, "sig", e.sig, sizeof(e.sig), &e.sig_len) ||
            !statement_get_end(&r))
        return statement_bad(&r, "pcrsig", err);
    *ret = e;
    return 0;
}

static int get_bank(struct statement_reader *r, enum crypto_hash bank,
        struct predict_pcrsig *out, struct err *err)
{
    const char *name = crypto_hash_name(bank);
    const struct json_t *list;
    size_t n;
    int e = 0;

    if (!statement_has(r, name))
        return 0;
    if (!statement_get_array(r, name, &list, &n))
        return statement_bad(r, "pcrsig", err);
    if (n > PREDICT_PCRSIG_MAX - out->n)
        return err_set(err, ERR_LIMIT, "pcrsig: more than %d entries",
                PREDICT_PCRSIG_MAX);
    for (size_t i = 0; i < n && e == 0; i++) {
        e = get_entry(list, i, bank, &out->entry[out->n], err);
        out->n += e == 0;
    }
    return e;
}

/* A section is padded, a file ends with a line. */
static struct span without_end(struct span s)
{
    while (s.len && (s.ptr[s.len - 1] == 0 || s.ptr[s.len - 1] == '\n'))
        s.len--;
    return s;
}

int predict_pcrsig_parse(
        struct span json, struct predict_pcrsig *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *j = NULL;
    struct predict_pcrsig out = {.n = 0};
    struct statement_reader r;
    int e = 0;

    json = without_end(json);
    if (json.len > JSON_MAX)
        return err_set(err, ERR_LIMIT, "pcrsig of %zu bytes", json.len);
    j = statement_json_parse(json, err);
    if (!j)
        return err ? err->code : ERR_SYNTAX;
    r = statement_reader_of(j);
    for (size_t i = 0; i < PREDICT_BANKS && e == 0; i++)
        e = get_bank(&r, (enum crypto_hash)i, &out, err);
    if (e == 0 && (out.n == 0 || !statement_get_end(&r)))
        e = err_set(err, ERR_SYNTAX,
                "pcrsig: banks that are known, and at least one policy");
    if (e == 0)
        *ret = out;
    return e;
}

/* RSAPublicKey (RFC 8017, A.1.1): the content of the SPKI's bit string. */
static int pkcs1_sha256(
        const struct crypto_pub *key, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    struct wire_reader r, body, alg;
    struct span pkcs1;
    size_t len;

    if (crypto_pub_type(key) != CRYPTO_RSA ||
            crypto_pub_spki(key, spki, sizeof(spki), &len) != 0)
        return ERR_UNSUPPORTED;
    r = wire_reader_of(SPAN(spki, len));
    if (!der_get_sub(&r, DER_SEQUENCE, &body) || !wire_end(&r) ||
            !der_get_sub(&body, DER_SEQUENCE, &alg) ||
            !der_get_bits(&body, &pkcs1) || !wire_end(&body))
        return ERR_UNSUPPORTED;
    crypto_sha256(pkcs1, ret);
    return 0;
}

int predict_pcrsig_verify(const struct predict_pcrsig_entry *e,
        const struct crypto_pub *key, struct err *err)
{
    uint8_t print[CRYPTO_SHA256_SIZE];
    int r = pkcs1_sha256(key, print);

    if (r != 0)
        return err_set(err, r, "pcrsig: keys are RSA");
    if (!span_eq(SPAN_OF(print), SPAN_OF(e->key_sha256)))
        return err_set(err, ERR_MISMATCH,
                "pcrsig: signed by another key than this one");
    r = crypto_verify(key, CRYPTO_SIG_RSASSA, CRYPTO_SHA256, SPAN_OF(e->policy),
            SPAN(e->sig, e->sig_len));
    return r == 0 ? 0 : err_set(err, r, "pcrsig: the signature does not hold");
}
