/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of unified kernel images: PCR 11 by phase, and signed policies. */
#include "predict.h"
#include "vectors.h"

#include <stdlib.h>

static const char *const known[] = {
        "id", "sections", "pcr11", "pcrsig", "verified_from_scratch", NULL};
static const char *const known_value[] = {"phase", "pcr", "hash", NULL};

static bool get_bank(const char *name, enum crypto_hash *ret)
{
    for (unsigned i = 0; i < PREDICT_BANKS; i++) {
        if (strcmp(crypto_hash_name((enum crypto_hash)i), name) == 0) {
            *ret = (enum crypto_hash)i;
            return true;
        }
    }
    return false;
}

static bool get_section(const char *name, size_t *ret)
{
    for (size_t i = 0; i < PE_UKI_SECTIONS; i++) {
        if (strcmp(pe_uki_name((enum pe_uki_section)i) + 1, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static const char *file_of(const struct vectors_case *c, const char *name)
{
    json_t *files = json_object_get(c->json, "files");

    if (!files)
        files = json_object_get(c->file, "files");
    return vectors_text(files, name);
}

/* The oldest stub that measures all sections of the case. */
static unsigned version_of(const struct span section[static PE_UKI_SECTIONS])
{
    unsigned version = 252;

    for (size_t i = 0; i < PE_UKI_SECTIONS; i++) {
        while (section[i].ptr && version < 258 &&
                !pe_uki_is_measured((enum pe_uki_section)i, version))
            version++;
    }
    return version;
}

static bool load_sections(
        struct vectors_case *c, struct span section[static PE_UKI_SECTIONS])
{
    json_t *list = json_object_get(c->json, "sections"), *one;
    size_t i, at;

    json_array_foreach (list, i, one) {
        const char *name = json_string_value(one);
        const char *file = name ? file_of(c, name) : NULL;

        if (!file || !get_section(name, &at)) {
            vectors_complain(c, "section %zu is not known", i);
            return false;
        }
        section[at] = vectors_load(c, file);
    }
    return json_array_size(list) > 0;
}

/* A prediction of one phase, from nothing. */
static struct predict predict_phase(struct vectors_case *c,
        const struct span section[static PE_UKI_SECTIONS], const char *phase)
{
    struct predict p = predict_of(PREDICT_BANKS_KNOWN);
    struct err err = {0};

    if (predict_uki_sections(&p, section, version_of(section), &err) != 0 ||
            predict_phases(&p, phase, &err) != 0)
        vectors_complain(c, "%s: %s", phase, err.msg);
    return p;
}

static void judge_value(struct vectors_case *c,
        const struct span section[static PE_UKI_SECTIONS],
        enum crypto_hash bank, json_t *value)
{
    const char *phase = vectors_text(value, "phase");
    uint8_t got[CRYPTO_HASH_MAX];
    struct predict p;

    vectors_known(c, value, known_value);
    if (!phase) {
        vectors_complain(c, "a value without a phase");
        return;
    }
    p = predict_phase(c, section, phase);
    if (predict_value(&p, bank, 11, got) != 0)
        vectors_complain(c, "no value for %s", phase);
    else
        vectors_is_hex(c, value, "hash", SPAN(got, crypto_hash_size(bank)));
    vectors_is_u64(c, value, "pcr", 11);
    predict_fini(&p);
}

static bool has_policy(const struct predict_pcrsig *s, enum crypto_hash bank,
        const uint8_t policy[static CRYPTO_SHA256_SIZE])
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->entry[i].bank == bank && s->entry[i].pcrs == 1u << 11 &&
                memcmp(s->entry[i].policy, policy, CRYPTO_SHA256_SIZE) == 0)
            return true;
    }
    return false;
}

/* Each phase that the case has must be signed for, in the banks signed for. */
static void judge_policies(struct vectors_case *c,
        const struct span section[static PE_UKI_SECTIONS],
        const struct predict_pcrsig *s)
{
    json_t *banks = json_object_get(c->json, "pcr11"), *list, *value;
    const char *name;
    size_t i, found = 0;

    json_object_foreach (banks, name, list) {
        enum crypto_hash bank;

        if (!get_bank(name, &bank))
            continue;
        json_array_foreach (list, i, value) {
            struct predict p =
                    predict_phase(c, section, vectors_text(value, "phase"));
            uint8_t policy[CRYPTO_SHA256_SIZE];

            if (predict_policy(&p, bank, 1u << 11, policy) == 0)
                found += has_policy(s, bank, policy);
            predict_fini(&p);
        }
    }
    if (found != s->n)
        vectors_complain(c, "%zu of %zu signed policies are of these phases",
                found, s->n);
}

static void judge_pcrsig(struct vectors_case *c,
        const struct span section[static PE_UKI_SECTIONS])
{
    const char *file = vectors_text(c->json, "pcrsig");
    const char *pem = file_of(c, "pcrpkey");
    struct predict_pcrsig s;
    struct err err = {0};
    struct crypto_pub *key;

    if (!file)
        return;
    key = pem ? crypto_pub_from_pem(vectors_load(c, pem)) : NULL;
    if (!key || predict_pcrsig_parse(vectors_load(c, file), &s, &err) != 0) {
        vectors_complain(c, "pcrsig: %s", key ? err.msg : "no key");
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (predict_pcrsig_verify(&s.entry[i], key, &err) != 0)
            vectors_complain(c, "pcrsig %zu: %s", i, err.msg);
    }
    judge_policies(c, section, &s);
    crypto_pub_free(key);
}

static void judge(struct vectors_case *c)
{
    struct span section[PE_UKI_SECTIONS] = {{NULL, 0}};
    json_t *banks = json_object_get(c->json, "pcr11"), *list, *value;
    const char *name;
    size_t i;

    vectors_known(c, c->json, known);
    if (!load_sections(c, section) || json_object_size(banks) == 0) {
        vectors_complain(c, "nothing to judge");
        return;
    }
    json_object_foreach (banks, name, list) {
        enum crypto_hash bank;

        if (!get_bank(name, &bank)) {
            vectors_complain(c, "bank %s is not known", name);
            continue;
        }
        json_array_foreach (list, i, value)
            judge_value(c, section, bank, value);
    }
    judge_pcrsig(c, section);
}

static bool is_uki(json_t *file)
{
    json_t *first = json_array_get(json_object_get(file, "cases"), 0);

    return json_object_get(first, "sections") &&
           json_object_get(first, "pcr11");
}

const struct vectors_kind vectors_uki[] = {
        {.name = "uki", .recognise = is_uki, .each = "cases", .judge = judge},
        {0},
};
