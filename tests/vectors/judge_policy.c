/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy digests and MakeCredential: files with `cases` and no kind of their
 * own, recognised by what a case has.  Names of inputs vary with the command,
 * so a Name is the input whose name ends in "name", and so on.
 */
#include "tcg.h"
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

/* The first input whose name contains one of these; NULL when none does. */
static json_t *input(json_t *in, const char *const *words)
{
    const char *name;
    json_t *v;

    for (size_t i = 0; words[i]; i++) {
        json_object_foreach (in, name, v) {
            if (strstr(name, words[i]))
                return v;
        }
    }
    return NULL;
}

static struct span input_hex(json_t *in, const char *const *words)
{
    struct span s = SPAN_EMPTY;

    (void)!vectors_hex(json_string_value(input(in, words)), &s);
    return s;
}

/* 8, "8", "0x08", "eq 0x0000": the last number in it. */
static uint64_t input_number(json_t *in, const char *const *words)
{
    json_t *v = input(in, words);
    const char *s = json_string_value(v), *last;

    if (!s)
        return (uint64_t)json_integer_value(v);
    last = strrchr(s, ' ');
    return strtoull(last ? last + 1 : s, NULL, 0);
}

static const char *const name_words[] = {"name", NULL};
static const char *const ref_words[] = {"ref", "qual", NULL};
static const char *const operand_words[] = {"operand", NULL};
static const char *const offset_words[] = {"offset", NULL};
static const char *const op_words[] = {"op", NULL};
static const char *const handle_words[] = {"handle", "hierarchy", NULL};
static const char *const locality_words[] = {"localit", NULL};
static const char *const code_words[] = {"cc", "command", "code", NULL};
static const char *const written_words[] = {"written", "set", NULL};

/* "operand" begins with "op" as well. */
static enum tcg_compare op_of(json_t *in)
{
    json_t *v = json_object_get(in, "op");
    json_t *one = v ? json_pack("{s:O}", "op", v) : NULL;
    uint64_t op = input_number(one ? one : in, op_words);

    json_decref(one);
    return (enum tcg_compare)op;
}

/* ---- commands -------------------------------------------------------- */

static bool hash_named(const char *name, enum crypto_hash *ret)
{
    static const enum crypto_hash known[] = {
            CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};

    for (size_t i = 0; name && i < ARRAY_LEN(known); i++) {
        if (strcmp(crypto_hash_name(known[i]), name) == 0) {
            *ret = known[i];
            return true;
        }
    }
    return false;
}

static uint16_t alg_of(const char *name)
{
    static const uint16_t algs[] = {
            TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};

    for (size_t i = 0; name && i < ARRAY_LEN(algs); i++) {
        if (strcmp(tcg_alg_name(algs[i]), name) == 0)
            return algs[i];
    }
    return 0;
}

/* "sha256:0,4,7+sha384:0" */
static bool parse_selection(const char *text, struct tcg_selection *ret)
{
    struct tcg_selection s = {0};

    while (text && *text) {
        char bank[16];
        size_t n = strcspn(text, ":");

        if (text[n] != ':' || n >= sizeof(bank) || s.n == TCG_BANKS_MAX)
            return false;
        (void)snprintf(bank, sizeof(bank), "%.*s", (int)n, text);
        s.bank[s.n].alg = alg_of(bank);
        do {
            char *end;

            text += n + 1;
            s.bank[s.n].pcrs |= 1u << (strtoul(text, &end, 10) & 31);
            n = (size_t)(end - text);
        } while (text[n] == ',');
        s.n++;
        text += n + (text[n] == '+');
    }
    *ret = s;
    return s.n > 0;
}

static bool add_pcr(struct tcg_policy *p, json_t *in)
{
    static struct tcg_claim claims[TCG_VALUES_MAX];
    struct tcg_selection s;
    struct tcg_values v;
    const char *alg, *pcr;
    json_t *bank, *value;
    size_t n = 0;

    if (!parse_selection(vectors_text(in, "selection"), &s))
        return false;
    json_object_foreach (json_object_get(in, "pcrs"), alg, bank) {
        json_object_foreach (bank, pcr, value) {
            if (n == TCG_VALUES_MAX ||
                    !vectors_hex(json_string_value(value), &claims[n].value))
                return false;
            claims[n].alg = alg_of(alg);
            claims[n++].pcr = (unsigned)strtoul(pcr, NULL, 10);
        }
    }
    return tcg_values_of_claims(&s, claims, n, &v) == 0 &&
           tcg_policy_add_pcr(p, &s, &v) == 0;
}

static bool add_authorize(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_authorize(
            p, input_hex(in, name_words), input_hex(in, ref_words));
    return true;
}

static bool add_signed(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_signed(
            p, input_hex(in, name_words), input_hex(in, ref_words));
    return true;
}

/* TPM_RH of the hierarchy that some input names; else of endorsement. */
static struct span hierarchy(json_t *in)
{
    static const struct {
        const char *name;
        uint8_t handle[4];
    } known[] = {
            {"endorsement", {0x40, 0, 0, 0x0b}},
            {"owner", {0x40, 0, 0, 0x01}},
            {"lockout", {0x40, 0, 0, 0x0a}},
            {"platform", {0x40, 0, 0, 0x0c}},
    };
    const char *member, *text;
    json_t *v;

    json_object_foreach (in, member, v) {
        text = json_string_value(v);
        for (size_t i = 0; text && i < ARRAY_LEN(known); i++) {
            if (strstr(text, known[i].name))
                return SPAN_OF(known[i].handle);
        }
    }
    return SPAN_OF(known[0].handle);
}

static bool add_secret(struct tcg_policy *p, json_t *in)
{
    struct span name = input_hex(in, name_words);

    if (name.len == 0)
        name = input_hex(in, handle_words);
    if (name.len == 0)
        name = hierarchy(in);
    tcg_policy_add_secret(p, name, input_hex(in, ref_words));
    return true;
}

static bool add_or(struct tcg_policy *p, json_t *in)
{
    json_t *list = json_object_get(in, "branches"), *v;
    struct span b[8];
    size_t i;

    json_array_foreach (list, i, v) {
        if (i == 8 || !vectors_hex(json_string_value(v), &b[i]))
            return false;
    }
    return tcg_policy_add_or(p, b, json_array_size(list)) == 0;
}

static bool add_command(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_command(p, (uint32_t)input_number(in, code_words));
    return true;
}

static bool add_auth_value(struct tcg_policy *p, json_t *in)
{
    (void)in;
    tcg_policy_add_auth_value(p);
    return true;
}

static bool add_locality(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_locality(p, (uint8_t)input_number(in, locality_words));
    return true;
}

static bool add_nv(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_nv(p, input_hex(in, name_words),
            input_hex(in, operand_words),
            (uint16_t)input_number(in, offset_words), op_of(in));
    return true;
}

static bool add_counter_timer(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_counter_timer(p, input_hex(in, operand_words),
            (uint16_t)input_number(in, offset_words), op_of(in));
    return true;
}

static bool add_authorize_nv(struct tcg_policy *p, json_t *in)
{
    tcg_policy_add_authorize_nv(p, input_hex(in, name_words));
    return true;
}

static bool add_nv_written(struct tcg_policy *p, json_t *in)
{
    json_t *v = input(in, written_words);

    tcg_policy_add_nv_written(
            p, json_is_boolean(v) ? json_is_true(v)
                                  : input_number(in, written_words) != 0);
    return true;
}

/* Longer names first: each is looked for at the front of `what`. */
static const struct {
    const char *command;
    bool (*add)(struct tcg_policy *p, json_t *in);
} commands[] = {
        {"TPM2_PolicyAuthorizeNV", add_authorize_nv},
        {"TPM2_PolicyAuthorize", add_authorize},
        {"TPM2_PolicyAuthValue", add_auth_value},
        {"TPM2_PolicyPassword", add_auth_value},
        {"TPM2_PolicyCommandCode", add_command},
        {"TPM2_PolicyCounterTimer", add_counter_timer},
        {"TPM2_PolicyLocality", add_locality},
        {"TPM2_PolicyNvWritten", add_nv_written},
        {"TPM2_PolicyNV", add_nv},
        {"TPM2_PolicyOR", add_or},
        {"TPM2_PolicyPCR", add_pcr},
        {"TPM2_PolicySecret", add_secret},
        {"TPM2_PolicySigned", add_signed},
};

static bool add_named(struct tcg_policy *p, const char *what, json_t *in)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *name = commands[i].command;

        if (strncmp(what, name, strlen(name)) == 0)
            return commands[i].add(p, in);
    }
    return false;
}

/* `what` names one command, or several in their order. */
static const char *const policy_known[] = {
        "id", "what", "inputs", "policy_digest", "note", NULL};

static void judge_policy(struct vectors_case *c)
{
    json_t *in = json_object_get(c->json, "inputs");
    const char *what = vectors_text(c->json, "what");
    enum crypto_hash hash = CRYPTO_SHA256;
    struct tcg_policy p;
    unsigned n = 0;

    vectors_known(c, c->json, policy_known);
    if (!hash_named(vectors_text(in, "session_hash"), &hash) ||
            tcg_policy_start(&p, hash) != 0) {
        vectors_complain(c, "session hash is not known");
        return;
    }
    for (; what && (what = strstr(what, "TPM2_Policy")); what++, n++) {
        if (!add_named(&p, what, in))
            vectors_complain(c, "inputs cannot be read: %s", what);
    }
    if (n == 0)
        vectors_complain(c, "no command");
    vectors_is_hex(c, c->json, "policy_digest",
            SPAN(p.digest, crypto_hash_size(hash)));
}

/* ---- credentials ----------------------------------------------------- */

static const char *const credential_known[] = {"id", "name_alg", "aes_bits",
        "seed", "ak_name", "secret", "sym_key", "hmac_key", "integrity",
        "enc_identity", "tpm2b_id_object_inner", "note", NULL};

static void compare_credential(
        struct vectors_case *c, const struct tcg_credential *got)
{
    struct wire_reader r = wire_reader_of(SPAN(got->blob, got->blob_len));
    struct wire_reader in;
    struct span inner, integrity;

    if (!wire_get_vec16be(&r, &inner) || !wire_end(&r)) {
        vectors_complain(c, "blob is malformed");
        return;
    }
    vectors_is_hex(c, c->json, "tpm2b_id_object_inner", inner);
    in = wire_reader_of(inner);
    if (!wire_get_vec16be(&in, &integrity)) {
        vectors_complain(c, "blob is malformed");
        return;
    }
    vectors_is_hex(c, c->json, "integrity", integrity);
    vectors_is_hex(c, c->json, "enc_identity", SPAN(in.ptr, in.left));
}

static void judge_credential(struct vectors_case *c)
{
    struct tcg_public ek = {0};
    struct tcg_credential got;
    struct tcg_name name = {0};
    struct span seed, secret, ak;
    enum crypto_hash hash;
    uint8_t key[CRYPTO_HASH_MAX];
    uint32_t bits =
            (uint32_t)json_integer_value(json_object_get(c->json, "aes_bits"));

    vectors_known(c, c->json, credential_known);
    ek.name_alg = alg_of(vectors_text(c->json, "name_alg"));
    ek.symmetric_bits = (uint16_t)bits;
    if (!tcg_hash(ek.name_alg, &hash) ||
            !vectors_hex(vectors_text(c->json, "seed"), &seed) ||
            !vectors_hex(vectors_text(c->json, "secret"), &secret) ||
            !vectors_hex(vectors_text(c->json, "ak_name"), &ak) ||
            ak.len > sizeof(name.bytes)) {
        vectors_complain(c, "inputs cannot be read");
        return;
    }
    memcpy(name.bytes, ak.ptr, ak.len);
    name.len = ak.len;
    if (tcg_credential_wrap(&ek, &name, secret, seed, &got) != 0) {
        vectors_complain(c, "credential cannot be made");
        return;
    }
    compare_credential(c, &got);
    if (tcg_credential_kdfa(hash, seed, "STORAGE", ak, bits, key) == 0)
        vectors_is_hex(c, c->json, "sym_key", SPAN(key, bits / 8));
    if (tcg_credential_kdfa(hash, seed, "INTEGRITY", SPAN_EMPTY,
                (uint32_t)(8 * crypto_hash_size(hash)), key) == 0)
        vectors_is_hex(
                c, c->json, "hmac_key", SPAN(key, crypto_hash_size(hash)));
}

static bool first_has(json_t *file, const char *member)
{
    return json_object_get(json_array_get(json_object_get(file, "cases"), 0),
                   member) != NULL;
}

static bool is_policy(json_t *file)
{
    return first_has(file, "policy_digest");
}

static bool is_credential(json_t *file)
{
    return first_has(file, "enc_identity");
}

const struct vectors_kind vectors_policy[] = {
        {.name = "tpm-policy",
                .recognise = is_policy,
                .each = "cases",
                .judge = judge_policy},
        {.name = "tpm-credential",
                .recognise = is_credential,
                .each = "cases",
                .judge = judge_credential},
        {0},
};
