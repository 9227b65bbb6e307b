/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endorsement and attestation key certificates.  Files are told apart by their
 * names: root*, int*, and the certificate itself (ek*, ak*, cert*, leaf*), what
 * an NV index held among them; others are what they say, a root when they
 * signed themselves.  Without a time of its own a case is judged a day after
 * its certificate began to be valid.
 */
#include "tcg.h"
#include "vectors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define CERTS_MAX 16
#define DAY_S     86400u

struct chain {
    struct crypto_cert *leaf;
    bool trimmed; /* something was before or behind the DER */
    struct crypto_cert *inter[CERTS_MAX], *root[CERTS_MAX];
    size_t n_inters, n_roots;
};

static struct crypto_cert *read_cert(struct span bytes, bool *ret_trimmed)
{
    struct span der, pem = bytes;
    struct crypto_cert *c = crypto_cert_from_der(bytes);

    *ret_trimmed = false;
    if (c)
        return c;
    c = crypto_cert_from_pem(&pem);
    if (c || tcg_ek_trim(bytes, &der) != 0)
        return c;
    *ret_trimmed = true;
    return crypto_cert_from_der(der);
}

static bool is_named(const char *file, const char *what)
{
    return strncasecmp(file, what, strlen(what)) == 0;
}

static bool is_leaf(const char *file)
{
    return is_named(file, "ek") || is_named(file, "ak") ||
           is_named(file, "cert") || is_named(file, "leaf");
}

static bool is_root(const char *file, const struct crypto_cert *c)
{
    struct crypto_pub *k = NULL;
    bool own;

    if (is_leaf(file) || is_named(file, "int") || !crypto_cert_is_ca(c))
        return false;
    k = crypto_cert_pub(c);
    own = k && crypto_cert_verify(c, k) == 0;
    crypto_pub_free(k);
    return own || is_named(file, "root");
}

static bool is_inter(const char *file, const struct crypto_cert *c)
{
    return is_named(file, "int") || (!is_leaf(file) && crypto_cert_is_ca(c));
}

/* NULL, or the name of a CA's file that cannot be read. */
static const char *take_file(
        struct vectors_case *c, const char *name, struct chain *ret)
{
    bool trimmed;
    struct crypto_cert *cert = read_cert(vectors_load(c, name), &trimmed);

    if (cert && is_root(name, cert) && ret->n_roots < CERTS_MAX)
        ret->root[ret->n_roots++] = cert;
    else if (cert && is_inter(name, cert) && ret->n_inters < CERTS_MAX)
        ret->inter[ret->n_inters++] = cert;
    else if (is_named(name, "root") || is_named(name, "int"))
        return name;
    else
        ret->leaf = cert, ret->trimmed = trimmed;
    return NULL;
}

static void take(struct vectors_case *c, struct chain *ret)
{
    json_t *files = json_object_get(c->json, "files"), *v;
    const char *name, *bad;
    size_t i;

    json_array_foreach (files, i, v) {
        bad = take_file(c, json_string_value(v), ret);
        if (bad)
            vectors_complain(c, "%s cannot be read", bad);
    }
    json_object_foreach (files, name, v) {
        bad = take_file(c, json_string_value(v), ret);
        if (bad)
            vectors_complain(c, "%s cannot be read", bad);
    }
}

/* ---- comparison ------------------------------------------------------ */

/* "RSA-2048", "ECC-P384"; the way of writing of the vectors varies. */
static bool is_key(const char *want, const struct crypto_pub *pub)
{
    char digits[16] = "", got[16];
    size_t n = 0;

    for (const char *p = want; *p && n + 1 < sizeof(digits); p++) {
        if (isdigit((unsigned char)*p))
            digits[n++] = *p;
    }
    digits[n] = '\0';
    (void)snprintf(got, sizeof(got), "%u", crypto_pub_bits(pub));
    return strcmp(digits, got) == 0 &&
           (strstr(want, "RSA") != NULL) ==
                   (crypto_pub_type(pub) == CRYPTO_RSA);
}

static void compare_profile(
        struct vectors_case *c, const struct crypto_cert *leaf)
{
    static const struct {
        const char *member, *oid;
    } attributes[] = {
            {"manufacturer", "2.23.133.2.1"},
            {"model", "2.23.133.2.2"},
            {"version", "2.23.133.2.3"},
    };
    const char *eku = vectors_text(c->expect, "eku");
    const char *key = vectors_text(c->expect, "key");
    const char *spki = vectors_text(c->expect, "spki_oid");
    struct crypto_pub *pub = crypto_cert_pub(leaf);
    char text[TCG_EK_TEXT], oid[64];

    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (crypto_cert_tpm_san(leaf, attributes[i].oid, text, sizeof(text)) !=
                0)
            text[0] = '\0';
        vectors_is_text(c, c->expect, attributes[i].member, text);
    }
    if (eku && !crypto_cert_has_eku(leaf, eku))
        vectors_complain(c, "eku: %s is missing", eku);
    if (key && (!pub || !is_key(key, pub)))
        vectors_disagree(c, "key", key, pub ? "another" : "none");
    if (crypto_cert_spki_oid(leaf, oid, sizeof(oid)) != 0)
        oid[0] = '\0';
    /* The text goes on with the algorithm's name. */
    if (spki && (strncmp(spki, oid, strlen(oid)) != 0 ||
                        (spki[strlen(oid)] && spki[strlen(oid)] != ' ')))
        vectors_disagree(c, "spki_oid", spki, oid);
    crypto_pub_free(pub);
}

static int verify_at(const struct chain *k, uint64_t at, struct err *err)
{
    struct crypto_pub *pub = NULL;
    struct tcg_ek ek;
    int r = tcg_ek_verify(k->leaf, k->inter, k->n_inters, k->root, k->n_roots,
            at, &ek, &pub, err);

    crypto_pub_free(pub);
    return r;
}

/* "ok", "ok at 2017-07-14", "fail". */
static void compare_chain(
        struct vectors_case *c, const struct chain *k, uint64_t at)
{
    const char *want = vectors_text(c->expect, "chain");
    const char *when = want ? strstr(want, " at ") : NULL;
    struct err err = {0};
    int r;

    if (!want)
        return;
    if (when && !vectors_time(when + 4, &at))
        vectors_complain(c, "chain: no time in %s", want);
    r = verify_at(k, at, &err);
    if ((r == 0) != (strncmp(want, "ok", 2) == 0))
        vectors_disagree(c, "chain", want, r ? err.msg : "ok");
}

/* The chain holds a day before and not a day later. */
static void compare_expiry(struct vectors_case *c, const struct chain *k)
{
    const char *want = vectors_text(c->expect, "expired_at");
    struct err err = {0};
    uint64_t at;

    if (!want)
        return;
    if (!vectors_time(want, &at)) {
        vectors_complain(c, "expired_at: no time in %s", want);
        return;
    }
    if (verify_at(k, at - DAY_S, &err) != 0)
        vectors_disagree(c, "expired_at", want, err.msg);
    if (verify_at(k, at + DAY_S, NULL) == 0)
        vectors_disagree(c, "expired_at", want, "a later time");
}

static void compare_verdict(
        struct vectors_case *c, const struct chain *k, uint64_t at)
{
    const char *want = vectors_text(c->expect, "verdict");
    struct err err = {0};
    int r;

    if (!want)
        return;
    r = verify_at(k, at, &err);
    if ((r == 0) != (strncmp(want, "accept", 6) == 0))
        vectors_disagree(c, "verdict", want, r ? err.msg : "accept");
}

static const char *const known[] = {"parse", "chain", "expired_at", "spki_oid",
        "eku", "manufacturer", "model", "version", "key", "verdict",
        "verify_time", "issuer_known", "lesson", "why", NULL};

static void judge(struct vectors_case *c)
{
    const char *parse = vectors_text(c->expect, "parse");
    const char *time = vectors_text(c->expect, "verify_time");
    struct chain k = {0};
    uint64_t at = 0, until;

    vectors_known(c, c->expect, known);
    take(c, &k);
    if (parse && (strncmp(parse, "ok", 2) == 0) != (k.leaf != NULL))
        vectors_disagree(c, "parse", parse, k.leaf ? "ok" : "fail");
    if (parse && k.leaf && (strstr(parse, "removal") != NULL) != k.trimmed)
        vectors_disagree(
                c, "parse", parse, k.trimmed ? "ok after removal" : "ok");
    if (!k.leaf) {
        if (!parse)
            vectors_complain(c, "certificate cannot be read");
        return;
    }
    if (!time)
        time = vectors_text(c->json, "verify_time");
    if (time ? !vectors_time(time, &at)
             : crypto_cert_validity(k.leaf, &at, &until) != 0)
        vectors_complain(c, "time cannot be read");
    at += time ? 0 : DAY_S;
    compare_profile(c, k.leaf);
    compare_chain(c, &k, at);
    compare_expiry(c, &k);
    compare_verdict(c, &k, at);
    vectors_is_bool(c, c->expect, "issuer_known",
            crypto_cert_path(k.leaf, k.inter, k.n_inters, k.root, k.n_roots, at,
                    NULL) == 0);
}

const struct vectors_kind vectors_ekcert[] = {
        {.name = "ek-certificate", .judge = judge},
        {0},
};
