/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoRIM, CoMID, COSE_Sign1 and EAT.  Inputs: `files` with the message (by its
 * kind's name, as `file`, or alone in a list; or `file` beside them), `key`
 * (PEM), `payload` when it is detached, `to_be_signed`; `external_aad` and
 * `nonce` in hex; verify_time. Members of expect: parse or decode (ok, fail),
 * signature (ok, bad), verdict (accept, reject), and what is said of the
 * content.
 */
#include "corim.h"
#include "eat.h"
#include "vectors.h"

#include <string.h>

/* ---- inputs ---------------------------------------------------------- */

static struct span load_message(struct vectors_case *c, const char *name)
{
    json_t *files = json_object_get(c->json, "files");
    const char *path = NULL;

    if (json_is_array(files))
        path = json_string_value(json_array_get(files, 0));
    if (!path)
        path = vectors_text(files, name);
    if (!path)
        path = vectors_text(files, "file");
    if (!path)
        path = vectors_text(c->json, "file");
    return vectors_load(c, path ? path : "");
}

/* PEM, DER or COSE_Key; NULL: none is named. */
static struct crypto_pub *load_key(struct vectors_case *c)
{
    const char *path = vectors_text(json_object_get(c->json, "files"), "key");
    struct crypto_pub *k;
    struct span text;

    if (!path)
        return NULL;
    text = vectors_load(c, path);
    k = crypto_pub_from_pem(text);
    if (!k)
        k = crypto_pub_from_spki(text);
    if (!k && cose_key_parse(text, CBOR_ANY_ORDER, &k, NULL))
        vectors_complain(c, "the key cannot be read");
    return k;
}

static struct span load_hex(struct vectors_case *c, const char *name)
{
    const char *text = vectors_text(c->json, name);
    struct span s = SPAN_EMPTY;

    if (text && !vectors_hex(text, &s))
        vectors_complain(c, "%s is not hex", name);
    return s;
}

/* 0 when no time is named: what has no time can not be out of it. */
static bool in_time(struct vectors_case *c, uint64_t *ret)
{
    const char *text = vectors_text(c->json, "verify_time");

    if (!text)
        return false;
    if (!vectors_time(text, ret))
        vectors_complain(c, "verify_time is not a time");
    return true;
}

static void compare_verdict(struct vectors_case *c, bool parsed, bool accepted)
{
    vectors_is_text(c, c->expect, "parse", parsed ? "ok" : "fail");
    vectors_is_text(c, c->expect, "decode", parsed ? "ok" : "fail");
    vectors_is_text(c, c->expect, "verdict", accepted ? "accept" : "reject");
}

/* ---- CoRIM ----------------------------------------------------------- */

static const char *const known_corim[] = {"parse", "decode", "verdict",
        "signature", "signed", "profile", "tags", "values", "notes", "lesson",
        "why", NULL};

static void compare_corim(struct vectors_case *c, const struct corim *m)
{
    char profile[256];

    text_format_safe(m->profile, profile, sizeof(profile));
    vectors_is_bool(c, c->expect, "signed", m->is_signed);
    vectors_is_u64(c, c->expect, "tags", m->n_tags);
    vectors_is_u64(c, c->expect, "values", m->n_values);
    vectors_is_u64(c, c->expect, "notes", m->n_notes);
    vectors_is_text(c, c->expect, "profile", profile);
}

/* A manifest, or a CoMID without one: a map without a tag. */
static int read_any(struct span file, struct corim **ret)
{
    struct wire_reader r = wire_reader_of(file);

    return cbor_peek(&r) == CBOR_MAP ? corim_read_comid(file, ret, NULL)
                                     : corim_read(file, NULL, ret, NULL);
}

static void judge_corim(struct vectors_case *c)
{
    struct span file = load_message(c, "corim");
    struct crypto_pub *k = load_key(c);
    struct corim *m = NULL;
    uint64_t now = 0;
    int parsed = read_any(file, &m), verified = parsed;

    vectors_known(c, c->expect, known_corim);
    if (parsed == 0)
        compare_corim(c, m);
    if (k && parsed == 0) {
        struct corim *again = NULL;

        verified = corim_read(file, k, &again, NULL);
        corim_free(again);
        vectors_is_text(
                c, c->expect, "signature", verified == 0 ? "ok" : "bad");
    }
    if (verified == 0 && in_time(c, &now))
        verified = corim_check_time(m, now, NULL);
    compare_verdict(c, parsed == 0, verified == 0);
    corim_free(m);
}

static void judge_comid(struct vectors_case *c)
{
    struct span file = load_message(c, "comid");
    struct corim *m = NULL;
    int rc = corim_read_comid(file, &m, NULL);

    vectors_known(c, c->expect, known_corim);
    if (rc == 0)
        compare_corim(c, m);
    compare_verdict(c, rc == 0, rc == 0);
    corim_free(m);
}

/* ---- COSE ------------------------------------------------------------ */

static const char *const known_cose[] = {"parse", "decode", "verdict",
        "signature", "alg", "kid", "payload", "detached", "to_be_signed",
        "lesson", "why", NULL};

static void compare_to_be_signed(struct vectors_case *c,
        const struct cose_sign1 *m, struct span aad, const struct span *payload)
{
    const char *path =
            vectors_text(json_object_get(c->json, "files"), "to_be_signed");
    struct buf tbs = BUF_INIT(VECTORS_FILE_MAX);

    if (cose_sign1_to_be_signed(m->protected_header, aad,
                payload ? *payload : m->payload, &tbs, NULL)) {
        vectors_complain(c, "what is signed is too large");
        return;
    }
    vectors_is_hex(c, c->expect, "to_be_signed", buf_span(&tbs));
    if (path && !span_eq(buf_span(&tbs), vectors_load(c, path)))
        vectors_complain(c, "what is signed is not %s", path);
    buf_fini(&tbs);
}

static void compare_cose(struct vectors_case *c, const struct cose_sign1 *m)
{
    const char *alg = cose_alg_name(m->alg);

    vectors_is_text(c, c->expect, "alg", alg ? alg : "unknown");
    vectors_is_hex(c, c->expect, "kid", m->kid);
    vectors_is_hex(c, c->expect, "payload", m->payload);
    vectors_is_bool(c, c->expect, "detached", m->detached);
}

/* As old examples have it, unless the case says strict. */
static void judge_cose(struct vectors_case *c)
{
    bool strict = json_is_true(json_object_get(c->json, "strict"));
    const struct cose_options o = {
            .order = strict ? CBOR_DETERMINISTIC : CBOR_ANY_ORDER,
            .untagged = !strict,
            .alg_unprotected = !strict};
    struct span msg = load_message(c, "message"), payload = SPAN_EMPTY;
    const char *path =
            vectors_text(json_object_get(c->json, "files"), "payload");
    struct span aad = load_hex(c, "external_aad");
    struct crypto_pub *k = load_key(c);
    struct cose_sign1 m;
    int parsed = cose_sign1_parse(msg, &o, &m, NULL), verified = parsed;

    if (path)
        payload = vectors_load(c, path);
    vectors_known(c, c->expect, known_cose);
    if (parsed == 0) {
        compare_cose(c, &m);
        compare_to_be_signed(c, &m, aad, m.detached ? &payload : NULL);
    }
    if (parsed == 0 && k) {
        verified = cose_sign1_verify(
                &m, k, aad, m.detached ? &payload : NULL, NULL);
        vectors_is_text(
                c, c->expect, "signature", verified == 0 ? "ok" : "bad");
    }
    compare_verdict(c, parsed == 0, verified == 0);
}

/* ---- EAT ------------------------------------------------------------- */

static const char *const known_eat[] = {"parse", "decode", "verdict",
        "signature", "signed", "profile", "ueid", "bootcount", "dbgstat",
        "submods", "measurements", "lesson", "why", NULL};

static void compare_eat(struct vectors_case *c, const struct eat *e)
{
    const struct eat_module *m = &e->module[0];
    char profile[256];

    text_format_safe(m->profile, profile, sizeof(profile));
    vectors_is_bool(c, c->expect, "signed", e->is_signed);
    vectors_is_text(c, c->expect, "profile", profile);
    vectors_is_hex(c, c->expect, "ueid", m->ueid);
    vectors_is_u64(c, c->expect, "bootcount", m->bootcount);
    vectors_is_u64(c, c->expect, "dbgstat", m->dbgstat);
    vectors_is_u64(c, c->expect, "submods", e->n_modules - 1);
    vectors_is_u64(c, c->expect, "measurements", e->n_measurements);
}

static void judge_eat(struct vectors_case *c)
{
    static struct eat e;
    struct crypto_pub *k = load_key(c);
    const struct eat_options o = {.key = k,
            .external_aad = load_hex(c, "external_aad"),
            .inside_attested_channel = json_is_true(
                    json_object_get(c->json, "inside_attested_channel"))};
    struct span nonce = load_hex(c, "nonce");
    uint64_t now = 0;
    int parsed = eat_read(load_message(c, "token"), &o, &e, NULL);
    int accepted = parsed;

    vectors_known(c, c->expect, known_eat);
    vectors_is_text(c, c->expect, "signature",
            parsed == 0 && e.is_signed ? "ok" : "bad");
    if (parsed == 0)
        compare_eat(c, &e);
    if (accepted == 0 && nonce.ptr)
        accepted = eat_check_nonce(&e, nonce, NULL);
    if (accepted == 0 && in_time(c, &now))
        accepted = eat_check_time(&e, now, NULL);
    /* a signature that does not hold leaves nothing to parse */
    compare_verdict(c, parsed == 0 || parsed == ERR_MISMATCH, accepted == 0);
}

const struct vectors_kind vectors_rats[] = {
        {.name = "corim", .judge = judge_corim},
        {.name = "comid", .judge = judge_comid},
        {.name = "cose-sign1", .judge = judge_cose},
        {.name = "cose", .judge = judge_cose},
        {.name = "eat", .judge = judge_eat},
        {0},
};
