/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_enrol.h"

#include "appraise.h"
#include "statement.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILE_MAX      49152
#define ANSWER_MAX    98304 /* evidence of LIMIT_EVIDENCE_MAX as base64 */
#define SECRET        32
#define CHAIN_MAX     6
#define CA_MAX        (1u << 20)
#define ROOTS_MAX     64
#define BINDER_PREFIX "qair-enrol-1"
/* What swtpm's own tools write into their certificates. */
#define SWTPM_MODEL "swtpm"

/* ---- the claim ------------------------------------------------------- */

struct claim {
    struct buf text;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    char address[PACK_ADDRESS_MAX + 1];
    bool emulated;
    struct crypto_cert *ek_cert;
    size_t n_chain;
    struct crypto_cert *chain[CHAIN_MAX];
    uint8_t ek[PACK_AK_MAX], ak[PACK_AK_MAX];
    size_t ek_len, ak_len;
    struct evidence_public ek_public, ak_public;
    struct evidence_name ak_name;
    struct crypto_pub *identity, *log;
};

static void claim_fini(struct claim *c)
{
    crypto_cert_free(c->ek_cert);
    for (size_t i = 0; i < c->n_chain; i++)
        crypto_cert_free(c->chain[i]);
    crypto_pub_free(c->identity);
    crypto_pub_free(c->log);
    buf_fini(&c->text);
}

static bool get_pub(
        struct statement_reader *r, const char *key, struct crypto_pub **ret)
{
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    if (!statement_get_b64(r, key, spki, sizeof(spki), &len))
        return false;
    *ret = crypto_pub_from_spki(SPAN(spki, len));
    if (!*ret)
        r->bad = key;
    return *ret != NULL;
}

static struct crypto_cert *cert_from(struct span der)
{
    struct span trimmed;

    /* Zones are asked for plain DER; this refuses what hangs on behind it. */
    if (evidence_ek_trim(der, &trimmed) != 0 || trimmed.len != der.len)
        return NULL;
    return crypto_cert_from_der(trimmed);
}

static bool get_cert(struct statement_reader *r, struct crypto_cert **ret)
{
    uint8_t der[CRYPTO_CERT_MAX];
    size_t len;

    if (!statement_get_b64(r, "ek_certificate", der, sizeof(der), &len))
        return false;
    *ret = cert_from(SPAN(der, len));
    if (!*ret)
        r->bad = "ek_certificate";
    return *ret != NULL;
}

static bool get_chain(struct statement_reader *r, struct claim *c)
{
    const struct json_t *list;
    uint8_t der[CRYPTO_CERT_MAX];
    size_t n, len;

    if (!statement_get_array(r, "ek_chain", &list, &n) || n > CHAIN_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct span b64;

        if (!statement_item_text(list, i, TEXT_B64_SIZE(sizeof(der)), &b64) ||
                !text_parse_b64(b64, der, sizeof(der), &len))
            return false;
        c->chain[i] = cert_from(SPAN(der, len));
        if (!c->chain[i])
            return false;
        c->n_chain++;
    }
    return true;
}

static void copy(char *to, size_t cap, struct span s)
{
    (void)snprintf(to, cap, "%.*s", (int)s.len, (const char *)s.ptr);
}

static int claim_read(
        const struct json_t *doc, struct claim *c, struct err *err)
{
    struct statement_reader r = statement_reader_of(doc);
    struct span type, zone, address;

    if (!statement_get_text(&r, "type", 32, &type) ||
            !span_eq_str(type, "qair:claim/v1") ||
            !statement_get_name(&r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_text(&r, "address", PACK_ADDRESS_MAX, &address) ||
            !statement_get_bool(&r, "emulated", &c->emulated) ||
            !get_cert(&r, &c->ek_cert) || !get_chain(&r, c) ||
            !statement_get_b64(
                    &r, "ek_public", c->ek, sizeof(c->ek), &c->ek_len) ||
            !statement_get_b64(
                    &r, "ak_public", c->ak, sizeof(c->ak), &c->ak_len) ||
            !get_pub(&r, "identity", &c->identity) ||
            !get_pub(&r, "log", &c->log) || !statement_get_end(&r))
        return statement_bad(&r, "claim", err);
    copy(c->zone, sizeof(c->zone), zone);
    copy(c->address, sizeof(c->address), address);
    return 0;
}

/* Checks 3 to 5 of enrol.md. */
static int claim_check(struct claim *c, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *of_cert = crypto_cert_pub(c->ek_cert);
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *of_tpm = NULL;
    int r = evidence_tpm_public(SPAN(c->ek, c->ek_len), &c->ek_public, err);

    if (r == 0)
        r = evidence_tpm_check_ek(&c->ek_public, err);
    if (r != 0)
        return err_prefix(err, r, "claim: endorsement key");
    of_tpm = evidence_tpm_pub(&c->ek_public);
    if (!of_cert || !of_tpm || !crypto_pub_eq(of_cert, of_tpm))
        return err_set(err, ERR_MISMATCH,
                "claim: the endorsement key is not the certificate's");
    r = evidence_tpm_public(SPAN(c->ak, c->ak_len), &c->ak_public, err);
    if (r == 0)
        r = evidence_tpm_check_ak(&c->ak_public, err);
    if (r == 0)
        r = evidence_tpm_name(&c->ak_public, &c->ak_name);
    if (r != 0)
        return err_prefix(err, r, "claim: attestation key");
    if (crypto_pub_type(c->identity) != CRYPTO_ED25519 ||
            crypto_pub_type(c->log) != CRYPTO_ED25519 ||
            crypto_pub_eq(c->identity, c->log))
        return err_set(err, ERR_MISMATCH,
                "claim: identity and log key are not two Ed25519 keys");
    return 0;
}

static int claim_load(const char *path, struct claim *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    int r;

    ret->text = BUF_INIT(FILE_MAX);
    r = buf_load(&ret->text, AT_FDCWD, path, err);
    if (r != 0)
        return r;
    crypto_sha256(buf_span(&ret->text), ret->digest);
    doc = statement_json_parse(buf_span(&ret->text), err);
    if (!doc)
        return err_prefix(err, ERR_SYNTAX, "%s", path);
    r = claim_read(doc, ret, err);
    return r == 0 ? claim_check(ret, err) : r;
}

/* ---- the maker's certificates ---------------------------------------- */

struct trust {
    size_t n_roots, n_inters;
    struct crypto_cert *root[ROOTS_MAX], *inter[ROOTS_MAX + CHAIN_MAX];
    size_t n_own; /* of inter[]: ours to free */
};

static void trust_fini(struct trust *t)
{
    for (size_t i = 0; i < t->n_roots; i++)
        crypto_cert_free(t->root[i]);
    for (size_t i = 0; i < t->n_own; i++)
        crypto_cert_free(t->inter[i]);
}

static bool is_self_signed(const struct crypto_cert *c)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *k = crypto_cert_pub(c);

    return k && crypto_cert_verify(c, k) == 0;
}

static int trust_load(const char *path, struct trust *t, struct err *err)
{
    CLEANUP(buf_fini) struct buf pem = BUF_INIT(CA_MAX);
    struct crypto_cert *c;
    struct span rest;
    int r = buf_load(&pem, AT_FDCWD, path, err);

    if (r != 0)
        return r;
    rest = buf_span(&pem);
    while ((c = crypto_cert_from_pem(&rest)) != NULL) {
        bool root = is_self_signed(c);

        if (t->n_roots == ROOTS_MAX || t->n_own == ROOTS_MAX) {
            crypto_cert_free(c);
            return err_set(err, ERR_LIMIT, "%s: too many certificates", path);
        }
        if (root)
            t->root[t->n_roots++] = c;
        else
            t->inter[t->n_own++] = c;
    }
    t->n_inters = t->n_own;
    if (t->n_roots == 0)
        return err_set(err, ERR_NOT_FOUND,
                "%s: no self-signed certificate in PEM, so no root", path);
    return 0;
}

static int ek_verify(const struct claim *c, struct trust *t,
        struct evidence_ek *ret, struct err *err)
{
    struct crypto_pub *pub = NULL;
    int r;

    for (size_t i = 0; i < c->n_chain; i++)
        t->inter[t->n_inters++] = c->chain[i];
    r = evidence_ek_verify(c->ek_cert, t->inter, t->n_inters, t->root,
            t->n_roots, (uint64_t)time(NULL), ret, &pub, err);
    crypto_pub_free(pub);
    return r;
}

/* ---- the challenge --------------------------------------------------- */

static int store_json(const struct json_t *doc, const char *path, unsigned mode,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);
    int r = statement_json_format(doc, &text, err);

    return r == 0 ? buf_store(buf_span(&text), AT_FDCWD, path, mode, err) : r;
}

static int secret_path(
        const char *challenge, char ret[static 4096], struct err *err)
{
    int n = snprintf(ret, 4096, "%s.secret", challenge);

    return n > 0 && n < 4096 ? 0
                             : err_set(err, ERR_LIMIT, "file name is too long");
}

static int store_challenge(const struct claim *c, const char *out,
        const struct evidence_credential *cred,
        const uint8_t secret[static SECRET], struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *open = statement_json_object();
    CLEANUP(statement_json_free_ptr)
    struct json_t *kept = statement_json_object();
    char path[4096];
    int r = secret_path(out, path, err);

    if (r != 0)
        return r;
    if (!open || !kept ||
            !statement_put_str(open, "type", "qair:challenge/v1") ||
            !statement_put_hex(open, "claim", SPAN_OF(c->digest)) ||
            !statement_put_b64(
                    open, "credential", SPAN(cred->blob, cred->blob_len)) ||
            !statement_put_b64(
                    open, "secret", SPAN(cred->secret, cred->secret_len)) ||
            !statement_put_str(kept, "type", "qair:challenge-secret/v1") ||
            !statement_put_hex(kept, "claim", SPAN_OF(c->digest)) ||
            !statement_put_hex(kept, "secret", SPAN(secret, SECRET)))
        return err_set(err, ERR_MEMORY, "no memory for the challenge");
    r = store_json(kept, path, 0600, err);
    return r == 0 ? store_json(open, out, 0644, err) : r;
}

static void print_hex(const char *what, struct span bytes)
{
    char hex[TEXT_HEX_SIZE(EVIDENCE_NAME_MAX)];

    text_format_hex(bytes, hex);
    (void)printf("%-12s %s\n", what, hex);
}

static void print_ek(const struct claim *c, const struct evidence_ek *ek)
{
    (void)printf("zone         %s\ntpm          %s, model %s, version %s%s\n",
            c->zone, ek->manufacturer, ek->model, ek->version,
            c->emulated ? " (software, says the zone)" : "");
    print_hex("ek", SPAN_OF(ek->spki_sha256));
    print_hex("ak", SPAN(c->ak_name.bytes, c->ak_name.len));
}

static int challenge(const struct pack_options *o, struct err *err)
{
    CLEANUP(claim_fini) struct claim c = {0};
    CLEANUP(trust_fini) struct trust t = {0};
    struct evidence_credential cred;
    struct evidence_ek ek;
    uint8_t secret[SECRET], seed[CRYPTO_HASH_MAX];
    enum crypto_hash hash;
    int r = claim_load(o->arg[0], &c, err);

    if (r == 0)
        r = trust_load(o->ca, &t, err);
    if (r == 0)
        r = ek_verify(&c, &t, &ek, err);
    if (r == 0 && !evidence_tpm_hash(c.ek_public.name_alg, &hash))
        r = err_set(err, ERR_UNSUPPORTED, "endorsement key is not usable");
    if (r != 0)
        return r;
    crypto_random(secret, sizeof(secret));
    crypto_random(seed, sizeof(seed));
    r = evidence_credential_make(&c.ek_public, &c.ak_name, SPAN_OF(secret),
            SPAN(seed, crypto_hash_size(hash)), &cred, err);
    if (r == 0)
        r = store_challenge(&c, o->output, &cred, secret, err);
    secret_wipe(secret, sizeof(secret));
    secret_wipe(seed, sizeof(seed));
    if (r == 0)
        print_ek(&c, &ek);
    return r;
}

int zone_challenge(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_CA | PACK_OPT_OUTPUT;
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, need, need, 1, &o);

    if (r != CLI_OK)
        return r;
    return challenge(&o, &err) == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- the answer ------------------------------------------------------ */

static int load_json(const char *path, struct buf *text, struct json_t **ret,
        struct err *err)
{
    int r = buf_load(text, AT_FDCWD, path, err);

    if (r != 0)
        return r;
    *ret = statement_json_parse(buf_span(text), err);
    return *ret ? 0 : err_prefix(err, ERR_SYNTAX, "%s", path);
}

static int same_claim(const struct claim *c,
        const uint8_t digest[static CRYPTO_SHA256_SIZE], const char *path,
        struct err *err)
{
    return memcmp(c->digest, digest, CRYPTO_SHA256_SIZE) == 0
                   ? 0
                   : err_set(err, ERR_MISMATCH,
                             "%s belongs to another claim than this one", path);
}

static int secret_load(const struct claim *c, const char *challenge_path,
        uint8_t ret[static SECRET], struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct statement_reader r;
    struct span type;
    char path[4096];
    int rc = secret_path(challenge_path, path, err);

    if (rc == 0)
        rc = load_json(path, &text, &doc, err);
    if (rc != 0)
        return rc;
    r = statement_reader_of(doc);
    if (!statement_get_text(&r, "type", 32, &type) ||
            !span_eq_str(type, "qair:challenge-secret/v1") ||
            !statement_get_hex(&r, "claim", digest, sizeof(digest)) ||
            !statement_get_hex(&r, "secret", ret, SECRET) ||
            !statement_get_end(&r))
        return statement_bad(&r, path, err);
    return same_claim(c, digest, path, err);
}

/* The challenge itself holds nothing that is needed: that it is of this claim
 * keeps a person from mixing up files. */
static int challenge_check(
        const struct claim *c, const char *path, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct statement_reader r;
    int rc = load_json(path, &text, &doc, err);

    if (rc != 0)
        return rc;
    r = statement_reader_of(doc);
    if (!statement_get_hex(&r, "claim", digest, sizeof(digest)))
        return statement_bad(&r, path, err);
    return same_claim(c, digest, path, err);
}

static int answer_load(const struct claim *c, const char *path,
        uint8_t evidence[static LIMIT_EVIDENCE_MAX], size_t *ret_len,
        struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(ANSWER_MAX);
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct statement_reader r;
    struct span type;
    int rc = load_json(path, &text, &doc, err);

    if (rc != 0)
        return rc;
    r = statement_reader_of(doc);
    if (!statement_get_text(&r, "type", 32, &type) ||
            !span_eq_str(type, "qair:answer/v1") ||
            !statement_get_hex(&r, "claim", digest, sizeof(digest)) ||
            !statement_get_b64(
                    &r, "evidence", evidence, LIMIT_EVIDENCE_MAX, ret_len) ||
            !statement_get_end(&r))
        return statement_bad(&r, path, err);
    return same_claim(c, digest, path, err);
}

static int binder_of(const struct claim *c, const uint8_t secret[static SECRET],
        uint8_t ret[static CRYPTO_SHA256_SIZE], struct err *err)
{
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);

    if (!h)
        return err_set(err, ERR_MEMORY, "no memory to hash");
    crypto_hasher_update(h, span_str(BINDER_PREFIX));
    crypto_hasher_update(h, SPAN(secret, SECRET));
    crypto_hasher_update(h, buf_span(&c->text));
    crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
    return 0;
}

/* No reference yet: genuine is what is asked for, approved comes later. */
static int evidence_check(const struct pack_zone *z, struct span evidence,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], uint64_t now,
        struct err *err)
{
    char line[ERR_MSG_MAX];
    struct appraise_input in = {
            .evidence = evidence,
            .zone = z,
            .binder = SPAN(binder, CRYPTO_SHA256_SIZE),
            .time = now,
    };
    static struct appraisal out;

    appraise(&in, &out);
    if (out.genuine)
        return 0;
    appraise_format(&out.finding[0], line, sizeof(line));
    return err_set(err, ERR_DENIED,
            "the answer does not prove the claim of zone %s: %s", z->name,
            line);
}

static int zone_from(const struct claim *c, uint64_t now, bool hardware,
        struct pack_enrolled *e, struct err *err)
{
    struct pack_zone *z = &e->zone;
    CLEANUP(crypto_pub_free_ptr)
    struct crypto_pub *ek = crypto_cert_pub(c->ek_cert);
    uint8_t spki[CRYPTO_SPKI_MAX];
    size_t len;

    if (!ek || crypto_pub_spki(ek, spki, sizeof(spki), &len) != 0 ||
            crypto_cert_tpm_san(c->ek_cert, "2.23.133.2.1", e->manufacturer,
                    sizeof(e->manufacturer)) != 0 ||
            crypto_cert_tpm_san(c->ek_cert, "2.23.133.2.2", e->model,
                    sizeof(e->model)) != 0)
        return err_set(err, ERR_SYNTAX, "claim: EK certificate is not usable");
    crypto_sha256(SPAN(spki, len), z->ek_sha256);
    (void)snprintf(z->name, sizeof(z->name), "%s", c->zone);
    (void)snprintf(z->address, sizeof(z->address), "%s", c->address);
    memcpy(z->ak, c->ak, c->ak_len);
    z->ak_len = c->ak_len;
    z->ak_name = c->ak_name;
    z->emulated =
            !hardware || c->emulated || strcmp(e->model, SWTPM_MODEL) == 0;
    z->since = now;
    return 0;
}

static int enrol_check(struct claim *c, const char *answer,
        const char *challenge_path, uint64_t now, bool hardware,
        struct pack_enrolled *e, struct err *err)
{
    static uint8_t evidence[LIMIT_EVIDENCE_MAX];
    uint8_t secret[SECRET], binder[CRYPTO_SHA256_SIZE];
    size_t len = 0;
    int r = challenge_check(c, challenge_path, err);

    if (r == 0)
        r = secret_load(c, challenge_path, secret, err);
    if (r == 0)
        r = answer_load(c, answer, evidence, &len, err);
    if (r == 0)
        r = binder_of(c, secret, binder, err);
    if (r == 0)
        r = zone_from(c, now, hardware, e, err);
    if (r == 0)
        r = evidence_check(&e->zone, SPAN(evidence, len), binder, now, err);
    secret_wipe(secret, sizeof(secret));
    return r;
}

int pack_enrol_check(const char *claim, const char *answer,
        const char *challenge_path, uint64_t now, bool hardware,
        struct pack_enrolled *ret, struct err *err)
{
    CLEANUP(claim_fini) struct claim c = {0};
    struct pack_enrolled e = {0};
    int r = claim_load(claim, &c, err);

    if (r == 0)
        r = enrol_check(&c, answer, challenge_path, now, hardware, &e, err);
    if (r != 0)
        return r;
    e.zone.identity = TAKE_PTR(c.identity);
    e.zone.log = TAKE_PTR(c.log);
    *ret = e;
    return 0;
}

void pack_enrolled_fini(struct pack_enrolled *e)
{
    crypto_pub_free(e->zone.identity);
    crypto_pub_free(e->zone.log);
}
