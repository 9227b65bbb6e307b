/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room tcg against vectors of others and of real machines: quotes, endorsement
 * certificates, credentials, policies.  They are data of their own licences,
 * kept outside: $QAIR_SHARED/attestation, else exit 77.
 */
#include "buf.h"
#include "tcg.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static char root[PATH_MAX];

/* ---- files ----------------------------------------------------------- */

static bool load(struct buf *b, const char *dir, const char *name)
{
    char path[2 * PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s/%s", root, dir, name);
    buf_fini(b);
    *b = BUF_INIT(32u << 20);
    return access(path, R_OK) == 0 && buf_load(b, AT_FDCWD, path, NULL) == 0;
}

static json_t *load_json(const char *dir, const char *name)
{
    char path[2 * PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s/%s", root, dir, name);
    return json_load_file(path, 0, NULL);
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static size_t unhex(const char *hex, uint8_t *ret, size_t cap)
{
    size_t n = strcspn(hex, " \n") / 2;

    assert_true(n <= cap);
    assert_true(text_parse_hex(SPAN(hex, 2 * n), ret, n));
    return n;
}

static void assert_hex(struct span got, const char *want)
{
    char hex[TEXT_HEX_SIZE(512)];

    assert_true(got.len <= 512);
    text_format_hex(got, hex);
    assert_string_equal(hex, want);
}

/* Calls fn for each folder of a kind; returns how many. */
static unsigned each(const char *kind, void (*fn)(const char *dir, json_t *e))
{
    char path[2 * PATH_MAX];
    struct dirent **list;
    unsigned done = 0;
    int n;

    (void)snprintf(path, sizeof(path), "%s/%s", root, kind);
    n = scandir(path, &list, NULL, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        json_t *e;

        (void)snprintf(path, sizeof(path), "%s/%s", kind, list[i]->d_name);
        e = list[i]->d_name[0] == '.' ? NULL : load_json(path, "expected.json");
        if (e) {
            print_message("  %s\n", path);
            fn(path, e);
            json_decref(e);
            done++;
        }
        free(list[i]);
    }
    free(list);
    return done;
}

/* ---- quotes ---------------------------------------------------------- */

struct quote {
    struct buf msg, sig, ak, nonce;
    json_t *pcrs;
};

static void quote_fini(struct quote *q)
{
    buf_fini(&q->msg);
    buf_fini(&q->sig);
    buf_fini(&q->ak);
    buf_fini(&q->nonce);
    json_decref(q->pcrs);
}

static struct span unwrap(struct span tpm2b)
{
    struct wire_reader r = wire_reader_of(tpm2b);
    struct span inner;

    assert_true(wire_get_vec16be(&r, &inner) && wire_end(&r));
    return inner;
}

/* ak.pub is a TPM2B_PUBLIC, or a bare TPMT_PUBLIC. */
static struct span public_area(struct span s)
{
    bool bare = s.len > 2 && s.ptr[0] == 0 &&
                (s.ptr[1] == TCG_ALG_RSA || s.ptr[1] == TCG_ALG_ECC);

    return bare ? s : unwrap(s);
}

/* The claimed values in the order of the quote's selection. */
static bool take_values(const json_t *pcrs, const struct tcg_selection *s,
        uint8_t *room, struct tcg_values *v)
{
    v->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const json_t *bank =
                json_object_get(pcrs, tcg_alg_name(s->bank[i].alg));

        for (unsigned p = 0; p < TCG_PCRS; p++) {
            char key[8];
            const char *hex;
            size_t n;

            if (!((s->bank[i].pcrs >> p) & 1))
                continue;
            (void)snprintf(key, sizeof(key), "%u", p);
            hex = text(bank, key);
            if (!hex)
                return false;
            n = unhex(hex, room, CRYPTO_HASH_MAX);
            v->value[v->n++] = SPAN(room, n);
            room += n;
        }
    }
    return tcg_values_fit(s, v);
}

static bool pcrs_hold(const struct quote *q, const struct tcg_attest *a,
        const struct tcg_signature *sig)
{
    static uint8_t room[TCG_VALUES_MAX * CRYPTO_HASH_MAX];
    struct tcg_values v;
    uint8_t digest[CRYPTO_HASH_MAX];
    enum crypto_hash hash;

    return take_values(q->pcrs, &a->selection, room, &v) &&
           tcg_hash(sig->hash, &hash) &&
           tcg_pcr_digest(&v, hash, digest) == 0 &&
           span_eq(SPAN(digest, crypto_hash_size(hash)), a->pcr_digest);
}

static bool selection_holds(
        const json_t *required, const struct tcg_selection *s)
{
    size_t i;
    json_t *pair;

    json_array_foreach (required, i, pair) {
        const char *alg = json_string_value(json_array_get(pair, 0));
        unsigned pcr = (unsigned)json_integer_value(json_array_get(pair, 1));

        assert_string_equal(alg, "sha256");
        if (!tcg_selects(s, TCG_ALG_SHA256, pcr))
            return false;
    }
    return true;
}

/* The checks of a quote, in order; NULL when all hold. */
static const char *judge(const struct quote *q, const json_t *required,
        struct tcg_attest *a, struct tcg_public *ak)
{
    struct tcg_signature sig;
    uint8_t nonce[128];
    size_t n = q->nonce.len
                       ? unhex((const char *)q->nonce.ptr, nonce, sizeof(nonce))
                       : 0;

    if (tcg_attest(buf_span(&q->msg), a, NULL) != 0)
        return "attest";
    if (tcg_public(public_area(buf_span(&q->ak)), ak, NULL) != 0)
        return "public";
    if (tcg_check_ak(ak, NULL) != 0)
        return "ak";
    if (tcg_signature(buf_span(&q->sig), &sig, NULL) != 0 ||
            tcg_verify(ak, buf_span(&q->msg), &sig, NULL) != 0)
        return "signature";
    if (q->nonce.len && !span_eq_ct(SPAN(nonce, n), a->extra))
        return "nonce";
    if (!selection_holds(required, &a->selection))
        return "selection";
    if (q->pcrs && !pcrs_hold(q, a, &sig))
        return "pcr-digest";
    return NULL;
}

static const struct {
    const char *theirs, *ours;
} reasons[] = {
        {"required-pcr-not-quoted", "selection"},
        {"pcr-digest", "selection"}, /* relabelled: selection comes first */
        {"not-a-quote", "attest"},
        {"length", "attest"},
        {"magic", "attest"},
        {"count", "attest"},
        {"trailing", "attest"},
        {"signature", "signature"},
        {"sig-hash-not-ak-scheme", "signature"},
        {"ak-not-restricted", "ak"},
        {"nonce", "nonce"},
        {NULL, NULL},
};

static void assert_reason(const json_t *x, const char *reason)
{
    const char *theirs =
            json_string_value(json_array_get(json_object_get(x, "reasons"), 0));

    assert_non_null(reason);
    assert_non_null(theirs);
    for (size_t i = 0; reasons[i].theirs; i++) {
        if (strcmp(reasons[i].theirs, theirs) == 0 &&
                (strcmp(reasons[i].ours, reason) == 0 ||
                        strcmp(theirs, reason) == 0))
            return;
    }
    fail_msg("refused for %s, not for %s", reason, theirs);
}

static void assert_fields(const json_t *x, const struct tcg_attest *a,
        const struct tcg_public *ak)
{
    struct tcg_name name;

    assert_hex(a->extra, text(x, "extra_data"));
    assert_hex(a->signer, text(x, "qualified_signer"));
    assert_hex(a->pcr_digest, text(x, "pcr_digest"));
    assert_int_equal(
            a->clock.clock, json_integer_value(json_object_get(x, "clock")));
    assert_int_equal(a->clock.resets,
            json_integer_value(json_object_get(x, "reset_count")));
    assert_int_equal(a->clock.restarts,
            json_integer_value(json_object_get(x, "restart_count")));
    assert_int_equal(tcg_name(ak, &name), 0);
    assert_hex(SPAN(name.bytes, name.len), text(x, "ak_name"));
}

static void one_quote(const char *dir, json_t *e)
{
    struct quote q = {0};
    struct tcg_attest a;
    struct tcg_public ak;
    const json_t *x = json_object_get(e, "expect");
    const char *reason;

    if (!load(&q.ak, dir, "ak.pub")) {
        /* An AK as SPKI: cannot be judged, so it is no AK here. */
        assert_string_equal(text(e, "id"), "trustee-tpm");
        return;
    }
    assert_true(load(&q.msg, dir, "quote.msg"));
    assert_true(load(&q.sig, dir, "quote.sig"));
    (void)load(&q.nonce, dir, "nonce.hex");
    q.pcrs = load_json(dir, "pcrs.json");
    reason = judge(&q, json_object_get(e, "required_pcrs"), &a, &ak);
    if (strcmp(text(x, "verdict"), "accept") == 0) {
        if (reason)
            fail_msg("refused for %s", reason);
        assert_fields(x, &a, &ak);
    } else {
        assert_reason(x, reason);
    }
    quote_fini(&q);
}

static void test_quotes(void **state)
{
    (void)state;
    assert_int_equal(each("quote", one_quote), 33);
}

static uint16_t alg_of(const char *name)
{
    static const uint16_t algs[] = {
            TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (strcmp(tcg_alg_name(algs[i]), name) == 0)
            return algs[i];
    }
    return 0;
}

/* ---- endorsement certificates ---------------------------------------- */

static struct crypto_cert *load_cert(const char *dir, const char *name)
{
    struct crypto_cert *c = NULL;
    struct buf b = {0};
    struct span s;

    if (load(&b, dir, name)) {
        s = buf_span(&b);
        c = strstr(name, ".pem") ? crypto_cert_from_pem(&s)
                                 : crypto_cert_from_der(s);
        assert_non_null(c);
    }
    buf_fini(&b);
    return c;
}

static const struct {
    const char *id;
    const char *at;
    bool accept;
} ek_cases[] = {
        /* a chip of 2014, whose key OpenSSL 3.0 itself does not decode */
        {"st33-real", "2017-07-14T00:00:00Z", true},
        {"st33-real", "2024-02-24T00:00:00Z", false},
        {"swtpm-rsa2048", "2026-11-25T00:00:00Z", true},
        {"synth-good", "2026-01-01T00:00:00Z", true},
        {"synth-expired", "2026-01-01T00:00:00Z", false},
        {"synth-issued-by-root-leaf", "2026-01-01T00:00:00Z", false},
        {"synth-no-eku", "2026-01-01T00:00:00Z", false},
        {"synth-self-signed", "2026-01-01T00:00:00Z", false},
};

static void check_ek(size_t i)
{
    static const char *const inters[] = {
            "int1.der", "int2.der", "int.der", "int.pem"};
    static const char *const roots[] = {"root.der", "root.pem"};
    struct crypto_cert *inter[4], *anchor[2], *ek;
    struct crypto_pub *pub = NULL;
    struct tcg_ek got;
    size_t n_inter = 0, n_root = 0;
    char dir[64];
    uint64_t at;
    struct err err = {0};
    int r;

    (void)snprintf(dir, sizeof(dir), "ekcert/%s", ek_cases[i].id);
    ek = load_cert(dir, "ek.der");
    for (size_t j = 0; j < ARRAY_LEN(inters); j++) {
        inter[n_inter] = load_cert(dir, inters[j]);
        n_inter += inter[n_inter] != NULL;
    }
    for (size_t j = 0; j < ARRAY_LEN(roots); j++) {
        anchor[n_root] = load_cert(dir, roots[j]);
        n_root += anchor[n_root] != NULL;
    }
    assert_true(ek && n_root == 1);
    assert_true(text_parse_time(span_str(ek_cases[i].at), &at));
    r = tcg_ek_verify(ek, inter, n_inter, anchor, n_root, at, &got, &pub, &err);
    print_message("  %s: %d %s\n", dir, r, r ? err.msg : got.manufacturer);
    assert_int_equal(r == 0, ek_cases[i].accept);
    if (r == 0 && strcmp(ek_cases[i].id, "st33-real") == 0) {
        assert_string_equal(got.manufacturer, "id:53544D20");
        assert_string_equal(got.model, "ST33ZP24PVSP");
        assert_string_equal(got.version, "id:0D0C");
        assert_int_equal(crypto_pub_bits(pub), 2048);
    }
    if (strcmp(ek_cases[i].id, "swtpm-rsa2048") == 0) {
        assert_string_equal(got.manufacturer, "id:00001014");
        assert_string_equal(got.model, "swtpm");
        assert_int_equal(crypto_pub_bits(pub), 2048);
    }
    crypto_pub_free(pub);
    crypto_cert_free(ek);
    for (size_t j = 0; j < n_inter; j++)
        crypto_cert_free(inter[j]);
    crypto_cert_free(anchor[0]);
}

static void test_ek_certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ek_cases); i++)
        check_ek(i);
}

static void test_ek_nv_header(void **state)
{
    struct crypto_cert *c;
    struct buf b = {0};
    struct tcg_ek ek = {0};
    struct span der;
    uint8_t bytes[1024];
    size_t n;

    (void)state;
    assert_true(load(&b, "ekcert/security-assertions", "ek.nv.bin"));
    assert_null(crypto_cert_from_der(buf_span(&b)));
    assert_int_equal(tcg_ek_trim(buf_span(&b), &der), 0);
    c = crypto_cert_from_der(der);
    assert_non_null(c);
    assert_int_equal(
            crypto_cert_extension(c, "2.5.29.9", bytes, sizeof(bytes), &n), 0);
    tcg_ek_attributes(SPAN(bytes, n), &ek);
    assert_true(ek.has_spec && ek.has_assertions && ek.has_generation);
    assert_string_equal(ek.family, "1.2");
    assert_int_equal(ek.level, 2);
    assert_int_equal(ek.revision, 3);
    assert_true(ek.field_upgradable);
    assert_int_equal(ek.generation, 1);
    crypto_cert_free(c);
    buf_fini(&b);
}

/* ---- the certificates of makers -------------------------------------- */

#define STORE_MAX 64
#define ROOTS     11
#define CHAINED   36

static size_t load_store(struct crypto_cert **ret)
{
    struct dirent **list;
    char path[2 * PATH_MAX];
    size_t n = 0;
    int files;

    (void)snprintf(path, sizeof(path), "%s/ekcert/vendor-store", root);
    files = scandir(path, &list, NULL, alphasort);
    assert_true(files > 2);
    for (int i = 0; i < files; i++) {
        if (strstr(list[i]->d_name, ".pem")) {
            assert_true(n < STORE_MAX);
            ret[n] = load_cert("ekcert/vendor-store", list[i]->d_name);
            assert_true(crypto_cert_is_ca(ret[n]));
            n++;
        }
        free(list[i]);
    }
    free(list);
    return n;
}

/* Every maker's CA reads, and reaches each root that it names. */
static void test_makers_chain_among_themselves(void **state)
{
    struct crypto_cert *store[STORE_MAX];
    size_t n = load_store(store), roots = 0, chained = 0, alone = 0;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct crypto_pub *k = crypto_cert_pub(store[i]);
        uint64_t from, until;
        struct err err = {0};

        assert_non_null(k);
        assert_int_equal(crypto_cert_validity(store[i], &from, &until), 0);
        if (crypto_cert_verify(store[i], k) == 0)
            roots++;
        else if (crypto_cert_path(
                         store[i], store, n, store, n, until - 1, &err) == 0)
            chained++;
        else
            alone++;
        crypto_pub_free(k);
    }
    print_message("  %zu: %zu roots, %zu chain, %zu whose root is not here\n",
            n, roots, chained, alone);
    assert_int_equal(n, 51);
    assert_int_equal(roots, ROOTS);
    assert_int_equal(chained, CHAINED);
    for (size_t i = 0; i < n; i++)
        crypto_cert_free(store[i]);
}

/* ---- policies and credentials ---------------------------------------- */

static void check_pcr_policy(const json_t *c)
{
    const json_t *in = json_object_get(c, "inputs");
    struct tcg_selection s = {.n = 1, .bank = {{TCG_ALG_SHA256, 0}}};
    uint8_t room[TCG_VALUES_MAX * CRYPTO_HASH_MAX], digest[32], got[32];
    struct tcg_values v;
    const char *index;
    json_t *value;

    json_object_foreach (json_object_get(json_object_get(in, "pcrs"), "sha256"),
            index, value)
        s.bank[0].pcrs |= 1u << strtoul(index, NULL, 10);
    assert_true(take_values(json_object_get(in, "pcrs"), &s, room, &v));
    assert_int_equal(tcg_pcr_digest(&v, CRYPTO_SHA256, digest), 0);
    assert_int_equal(tcg_policy_pcr(&s, digest, got), 0);
    assert_hex(SPAN_OF(got), text(c, "policy_digest"));
}

static void check_authorize(const json_t *c)
{
    const json_t *in = json_object_get(c, "inputs");
    struct tcg_name name;
    uint8_t ref[64], got[32];
    size_t n = unhex(text(in, "policy_ref"), ref, sizeof(ref));

    name.len = unhex(text(in, "key_name"), name.bytes, sizeof(name.bytes));
    assert_int_equal(tcg_policy_authorize_name(&name, SPAN(ref, n), got), 0);
    assert_hex(SPAN_OF(got), text(c, "policy_digest"));
}

static void test_policies(void **state)
{
    json_t *doc = load_json("policy", "policy_digests.json"), *c;
    unsigned done = 0;
    size_t i;

    (void)state;
    assert_non_null(doc);
    json_array_foreach (json_object_get(doc, "cases"), i, c) {
        if (strcmp(text(c, "id"), "pcr-sha256:0,4,7,11-sha256") == 0)
            done++, check_pcr_policy(c);
        if (strcmp(text(c, "id"), "authorize-ecc") == 0)
            done++, check_authorize(c);
    }
    assert_int_equal(done, 2);
    json_decref(doc);
}

static void check_credential(const json_t *c)
{
    struct tcg_public ek = {.name_alg = alg_of(text(c, "name_alg"))};
    struct tcg_credential got = {0};
    struct tcg_name name;
    uint8_t seed[64], secret[32];
    size_t n_seed = unhex(text(c, "seed"), seed, sizeof(seed));
    size_t n = unhex(text(c, "secret"), secret, sizeof(secret));

    ek.symmetric_bits =
            (uint16_t)json_integer_value(json_object_get(c, "aes_bits"));
    name.len = unhex(text(c, "ak_name"), name.bytes, sizeof(name.bytes));
    assert_int_equal(tcg_credential_wrap(&ek, &name, SPAN(secret, n),
                             SPAN(seed, n_seed), &got),
            0);
    assert_hex(unwrap(SPAN(got.blob, got.blob_len)),
            text(c, "tpm2b_id_object_inner"));
}

static void test_credentials(void **state)
{
    json_t *doc = load_json("policy", "makecredential.json"), *c;
    size_t i;

    (void)state;
    assert_non_null(doc);
    json_array_foreach (json_object_get(doc, "cases"), i, c)
        check_credential(c);
    assert_int_equal(i, 2);
    json_decref(doc);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_quotes),
            cmocka_unit_test(test_ek_certificates),
            cmocka_unit_test(test_ek_nv_header),
            cmocka_unit_test(test_makers_chain_among_themselves),
            cmocka_unit_test(test_policies),
            cmocka_unit_test(test_credentials),
    };
    const char *shared = getenv("QAIR_SHARED");

    if (!shared && argc > 1)
        shared = argv[1];
    (void)snprintf(root, sizeof(root), "%s/attestation", shared ? shared : ".");
    if (access(root, R_OK | X_OK) != 0) {
        (void)fprintf(stderr, "skipped: no vectors in %s\n", root);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
