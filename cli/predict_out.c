/* SPDX-License-Identifier: Apache-2.0 */
#include "predict_out.h"

#include "cli_json.h"

#include <stdio.h>

static const char *format_digest(enum crypto_hash hash, const uint8_t *digest)
{
    static char hex[TEXT_HEX_SIZE(CRYPTO_HASH_MAX)];

    text_format_hex(SPAN(digest, crypto_hash_size(hash)), hex);
    return hex;
}

static void print_pcr(
        const struct predict *p, enum crypto_hash hash, unsigned pcr)
{
    uint8_t value[CRYPTO_HASH_MAX];
    size_t steps = 0;

    if (predict_value(p, hash, pcr, value) != 0)
        return;
    (void)printf("PCR %-2u %s %s\n", pcr, crypto_hash_name(hash),
            format_digest(hash, value));
    for (size_t i = 0; i < p->n; i++) {
        const struct predict_event *e = &p->event[i];

        if (e->pcr != pcr)
            continue;
        (void)printf(
                "    %s %s\n", format_digest(hash, e->digest[hash]), e->how);
        steps++;
    }
    if (!steps)
        (void)printf("    nothing is extended: it keeps its start value\n");
}

static json_t *steps_json(
        const struct predict *p, enum crypto_hash hash, unsigned pcr)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < p->n; i++) {
        const struct predict_event *e = &p->event[i];

        if (e->pcr == pcr &&
                json_array_append_new(
                        list, json_pack("{s:s, s:s}", "digest",
                                      format_digest(hash, e->digest[hash]),
                                      "how", e->how)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* 0 also for a PCR that is not predicted. */
static int add_pcr(json_t *list, const struct predict *p, enum crypto_hash hash,
        unsigned pcr)
{
    uint8_t value[CRYPTO_HASH_MAX];

    if (predict_value(p, hash, pcr, value) != 0)
        return 0;
    return json_array_append_new(list,
            json_pack("{s:i, s:s, s:s, s:o}", "pcr", (int)pcr, "bank",
                    crypto_hash_name(hash), "value", format_digest(hash, value),
                    "steps", steps_json(p, hash, pcr)));
}

/* What follows from the values, when all are there that it needs. */
static int add_aggregate(
        json_t *o, const struct predict *p, enum crypto_hash hash)
{
    uint8_t value[CRYPTO_HASH_MAX];

    if (predict_boot_aggregate(p, hash, value) != 0)
        return 0;
    return json_object_set_new(
            o, crypto_hash_name(hash), json_string(format_digest(hash, value)));
}

static int out_json(const struct predict *p, struct err *err)
{
    json_t *pcrs = json_array(), *aggregate = json_object(), *policy, *all;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r = 0;

    policy = json_object();
    for (unsigned i = 0; i < PREDICT_BANKS; i++) {
        enum crypto_hash hash = (enum crypto_hash)i;

        for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++)
            r |= add_pcr(pcrs, p, hash, pcr);
        r |= add_aggregate(aggregate, p, hash);
        if (predict_policy(p, hash, p->pcrs, digest) == 0)
            r |= json_object_set_new(policy, crypto_hash_name(hash),
                    json_string(format_digest(CRYPTO_SHA256, digest)));
    }
    all = json_pack("{s:o, s:o, s:o}", "pcrs", pcrs, "policy_pcr", policy,
            "boot_aggregate", aggregate);
    if (r != 0) {
        json_decref(all);
        all = NULL;
    }
    return cli_json_put(all, stdout, err);
}

static void out_text(const struct predict *p)
{
    uint8_t digest[CRYPTO_HASH_MAX];

    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        for (unsigned i = 0; i < PREDICT_BANKS; i++)
            print_pcr(p, (enum crypto_hash)i, pcr);
    }
    for (unsigned i = 0; i < PREDICT_BANKS; i++) {
        enum crypto_hash hash = (enum crypto_hash)i;

        if (predict_policy(p, hash, p->pcrs, digest) == 0)
            (void)printf("PolicyPCR of these in %s: %s\n",
                    crypto_hash_name(hash),
                    format_digest(CRYPTO_SHA256, digest));
        if (predict_boot_aggregate(p, hash, digest) == 0)
            (void)printf("IMA boot_aggregate %s:%s\n", crypto_hash_name(hash),
                    format_digest(hash, digest));
    }
}

int predict_out(const struct predict *p, bool json, struct err *err)
{
    if (json)
        return out_json(p, err);
    out_text(p);
    return 0;
}
