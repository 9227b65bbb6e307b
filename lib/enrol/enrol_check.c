/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of docs/proto/enrol.md. */
#include "enrol.h"

#include "appraise.h"

#include <stdio.h>
#include <stdlib.h>

#define BINDER_PREFIX "qair-enrol-1"
/* What swtpm's own tools write into their certificates. */
#define SWTPM_MODEL "swtpm"

int enrol_binder(const uint8_t secret[static ENROL_SECRET],
        struct span claim_text, uint8_t ret[static CRYPTO_SHA256_SIZE],
        struct err *err)
{
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);

    if (!h)
        return err_set(err, ERR_MEMORY, "no memory to hash");
    crypto_hasher_update(h, span_str(BINDER_PREFIX));
    crypto_hasher_update(h, SPAN(secret, ENROL_SECRET));
    crypto_hasher_update(h, claim_text);
    crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
    return 0;
}

/* ---- the claim ------------------------------------------------------- */

static struct crypto_cert *cert_from(struct span der)
{
    struct span trimmed;

    /* Zones are asked for plain DER; this refuses what hangs on behind it. */
    if (tcg_ek_trim(der, &trimmed) != 0 || trimmed.len != der.len)
        return NULL;
    return crypto_cert_from_der(trimmed);
}

static int keys_read(
        const struct enrol_claim *c, struct enrol_keys *k, struct err *err)
{
    const char *bad = NULL;

    k->ek_cert = cert_from(c->ek_certificate);
    k->identity = crypto_pub_from_spki(c->identity);
    k->log = crypto_pub_from_spki(c->log);
    if (!k->ek_cert)
        bad = "ek_certificate";
    else if (!k->identity)
        bad = "identity";
    else if (!k->log)
        bad = "log";
    for (size_t i = 0; !bad && i < c->n_chain; i++) {
        k->chain[i] = cert_from(c->chain[i]);
        if (k->chain[i])
            k->n_chain++;
        else
            bad = "ek_chain";
    }
    return bad ? err_set(err, ERR_SYNTAX, "claim: bad member %s", bad) : 0;
}

static int ek_check(
        const struct enrol_claim *c, struct enrol_keys *k, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *of_cert = crypto_cert_pub(k->ek_cert);
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *of_tpm = NULL;
    int r = tcg_public(c->ek_public, &k->ek, err);

    if (r == 0)
        r = tcg_check_ek(&k->ek, err);
    if (r != 0)
        return err_prefix(err, r, "claim: endorsement key");
    of_tpm = tcg_pub(&k->ek);
    if (!of_cert || !of_tpm || !crypto_pub_eq(of_cert, of_tpm))
        return err_set(err, ERR_MISMATCH,
                "claim: the endorsement key is not the certificate's");
    return 0;
}

int enrol_claim_check(
        const struct enrol_claim *c, struct enrol_keys *ret, struct err *err)
{
    int r;

    *ret = (struct enrol_keys){0};
    r = keys_read(c, ret, err);
    if (r == 0)
        r = ek_check(c, ret, err);
    if (r != 0)
        return r;
    r = tcg_public(c->ak_public, &ret->ak, err);
    if (r == 0)
        r = tcg_check_ak(&ret->ak, err);
    if (r == 0)
        r = tcg_name(&ret->ak, &ret->ak_name);
    if (r != 0)
        return err_prefix(err, r, "claim: attestation key");
    if (crypto_pub_type(ret->identity) != CRYPTO_ED25519 ||
            crypto_pub_type(ret->log) != CRYPTO_ED25519 ||
            crypto_pub_eq(ret->identity, ret->log))
        return err_set(err, ERR_MISMATCH,
                "claim: identity and log key are not two Ed25519 keys");
    return 0;
}

void enrol_keys_fini(struct enrol_keys *k)
{
    crypto_cert_free(k->ek_cert);
    for (size_t i = 0; i < k->n_chain; i++)
        crypto_cert_free(k->chain[i]);
    crypto_pub_free(k->identity);
    crypto_pub_free(k->log);
}

/* ---- the maker's certificates ---------------------------------------- */

static bool is_self_signed(const struct crypto_cert *c)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *k = crypto_cert_pub(c);

    return k && crypto_cert_verify(c, k) == 0;
}

int enrol_ca_parse(struct span pem, struct enrol_ca *ret, struct err *err)
{
    struct crypto_cert *c;

    *ret = (struct enrol_ca){0};
    while ((c = crypto_cert_from_pem(&pem)) != NULL) {
        bool root = is_self_signed(c);

        if ((root ? ret->n_roots : ret->n_inters) == ENROL_CA_MAX) {
            crypto_cert_free(c);
            return err_set(err, ERR_LIMIT, "too many certificates");
        }
        if (root)
            ret->root[ret->n_roots++] = c;
        else
            ret->inter[ret->n_inters++] = c;
    }
    if (ret->n_roots == 0)
        return err_set(err, ERR_NOT_FOUND,
                "no self-signed certificate in PEM, so no root");
    return 0;
}

void enrol_ca_fini(struct enrol_ca *ca)
{
    for (size_t i = 0; i < ca->n_roots; i++)
        crypto_cert_free(ca->root[i]);
    for (size_t i = 0; i < ca->n_inters; i++)
        crypto_cert_free(ca->inter[i]);
}

int enrol_claim_path(const struct enrol_keys *k, const struct enrol_ca *ca,
        uint64_t unix_s, struct tcg_ek *ret, struct err *err)
{
    struct crypto_cert *inter[ENROL_CA_MAX + ENROL_CHAIN_MAX];
    struct crypto_pub *pub = NULL;
    size_t n = 0;
    int r;

    for (size_t i = 0; i < ca->n_inters; i++)
        inter[n++] = ca->inter[i];
    for (size_t i = 0; i < k->n_chain; i++)
        inter[n++] = k->chain[i];
    r = tcg_ek_verify(k->ek_cert, inter, n, ca->root, ca->n_roots, unix_s, ret,
            &pub, err);
    crypto_pub_free(pub);
    return r;
}

/* ---- the answer ------------------------------------------------------ */

/* No reference yet: genuine is what is asked for, approved comes later. */
static int evidence_check(const struct pack_zone *z, struct span evidence,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], uint64_t now,
        struct err *err)
{
    struct appraise_input in = {
            .evidence = evidence,
            .zone = z,
            .binder = SPAN(binder, CRYPTO_SHA256_SIZE),
            .time = now,
    };
    CLEANUP(buf_free_ptr) struct appraisal *out = calloc(1, sizeof *out);
    char line[ERR_MSG_MAX];

    if (!out)
        return err_set(err, ERR_MEMORY, "no memory to appraise");
    appraise(&in, out);
    if (out->genuine)
        return 0;
    appraise_format(&out->finding[0], line, sizeof line);
    return err_set(err, ERR_DENIED,
            "the answer does not prove the claim of zone %s: %s", z->name,
            line);
}

static void copy(char *to, size_t cap, struct span s)
{
    (void)snprintf(to, cap, "%.*s", (int)s.len, (const char *)s.ptr);
}

static int zone_from(const struct enrol_claim *c, const struct enrol_keys *k,
        const struct enrol_input *in, struct enrol_zone *ret, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *ek = crypto_cert_pub(k->ek_cert);
    struct pack_zone *z = &ret->zone;
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    if (!ek || crypto_pub_spki(ek, spki, sizeof spki, &len) != 0 ||
            crypto_cert_tpm_san(k->ek_cert, "2.23.133.2.1", ret->manufacturer,
                    sizeof ret->manufacturer) != 0 ||
            crypto_cert_tpm_san(k->ek_cert, "2.23.133.2.2", ret->model,
                    sizeof ret->model) != 0)
        return err_set(err, ERR_SYNTAX, "claim: EK certificate is not usable");
    crypto_sha256(SPAN(spki, len), z->ek_sha256);
    copy(z->name, sizeof z->name, c->zone);
    copy(z->address, sizeof z->address, c->address);
    memcpy(z->ak, c->ak_public.ptr, c->ak_public.len);
    z->ak_len = c->ak_public.len;
    z->ak_name = k->ak_name;
    z->emulated = !in->hardware || c->emulated ||
                  strcmp(ret->model, SWTPM_MODEL) == 0;
    z->since = in->time;
    return 0;
}

static int same_claim(struct span claim,
        const uint8_t digest[static CRYPTO_SHA256_SIZE], const char *what,
        struct err *err)
{
    uint8_t own[CRYPTO_SHA256_SIZE];

    crypto_sha256(claim, own);
    return memcmp(own, digest, sizeof own) == 0
                   ? 0
                   : err_set(err, ERR_MISMATCH,
                             "the %s belongs to another claim than this one",
                             what);
}

/* The challenge holds nothing that is needed here: that it is of this claim
 * keeps a person from mixing up files. */
static int challenge_check(const struct enrol_input *in, struct err *err)
{
    CLEANUP(enrol_challenge_fini) struct enrol_challenge c = {0};
    int r = enrol_challenge_parse(in->challenge, &c, err);

    return r ? r : same_claim(in->claim, c.claim, "challenge", err);
}

static int binder_check(const struct enrol_input *in,
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err)
{
    struct enrol_secret s = {0};
    int r = enrol_secret_parse(in->secret, &s, err);

    if (r == 0)
        r = same_claim(in->claim, s.claim, "challenge's secret", err);
    if (r == 0)
        r = enrol_binder(s.secret, in->claim, ret, err);
    secret_wipe(&s, sizeof s);
    return r;
}

int enrol_answer_check(
        const struct enrol_input *in, struct enrol_zone *ret, struct err *err)
{
    CLEANUP(enrol_claim_fini) struct enrol_claim c = {0};
    CLEANUP(enrol_keys_fini) struct enrol_keys k = {0};
    CLEANUP(enrol_answer_fini) struct enrol_answer a = {0};
    struct enrol_zone z = {0};
    uint8_t binder[CRYPTO_SHA256_SIZE];
    int r = enrol_claim_parse(in->claim, &c, err);

    if (r == 0)
        r = enrol_claim_check(&c, &k, err);
    if (r == 0)
        r = challenge_check(in, err);
    if (r == 0)
        r = binder_check(in, binder, err);
    if (r == 0)
        r = enrol_answer_parse(in->answer, &a, err);
    if (r == 0)
        r = same_claim(in->claim, a.claim, "answer", err);
    if (r == 0)
        r = zone_from(&c, &k, in, &z, err);
    if (r == 0)
        r = evidence_check(&z.zone, a.evidence, binder, in->time, err);
    if (r != 0)
        return r;
    z.zone.identity = TAKE_PTR(k.identity);
    z.zone.log = TAKE_PTR(k.log);
    *ret = z;
    return 0;
}

void enrol_zone_fini(struct enrol_zone *z)
{
    crypto_pub_free(z->zone.identity);
    crypto_pub_free(z->zone.log);
}
