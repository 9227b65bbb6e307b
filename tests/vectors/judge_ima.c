/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of Linux IMA, text and binary. */
#include "ima.h"
#include "vectors.h"

#include <stdio.h>

/* Names of templates seen, each once. */
#define TEMPLATES_MAX 32

struct tally {
    size_t n;
    struct {
        char name[IMA_TEMPLATE_NAME_MAX + 1];
        size_t count;
    } of[TEMPLATES_MAX];
};

static void count(struct tally *t, struct span name)
{
    size_t i = 0;

    while (i < t->n && !span_eq_str(name, t->of[i].name))
        i++;
    if (i == TEMPLATES_MAX)
        return;
    if (i == t->n) {
        t->n++;
        (void)snprintf(t->of[i].name, sizeof(t->of[i].name), "%.*s",
                (int)name.len, (const char *)name.ptr);
    }
    t->of[i].count++;
}

static void compare_templates(struct vectors_case *c, const struct tally *t)
{
    json_t *want = json_object_get(c->expect, "templates");

    if (!want)
        return;
    if (json_object_size(want) != t->n)
        vectors_complain(c, "templates: expected %zu kinds, got %zu",
                json_object_size(want), t->n);
    for (size_t i = 0; i < t->n; i++) {
        json_t *v = json_object_get(want, t->of[i].name);

        if (!v || (size_t)json_integer_value(v) != t->of[i].count)
            vectors_complain(c, "templates: got %zu of %s", t->of[i].count,
                    t->of[i].name);
    }
}

static const char *const known[] = {"parse", "verdict", "entries", "templates",
        "violations", "invalidated", "template_hash_mismatch", "pcr10_sha1",
        "pcr10_sha256", "pcr10_sha384", "pcr10_sha512", "lesson", "why", NULL};

static const struct {
    const char *member;
    enum crypto_hash bank;
} banks[] = {
        {"pcr10_sha1", CRYPTO_SHA1},
        {"pcr10_sha256", CRYPTO_SHA256},
        {"pcr10_sha384", CRYPTO_SHA384},
        {"pcr10_sha512", CRYPTO_SHA512},
};

static void judge(struct vectors_case *c, enum ima_format format)
{
    struct span log = vectors_load(
            c, json_is_array(json_object_get(c->json, "files"))
                       ? json_string_value(json_array_get(
                                 json_object_get(c->json, "files"), 0))
                       : vectors_file(c, "log"));
    struct ima_replay replay = {0};
    struct tally tally = {0};
    struct ima_list list, at;
    struct ima_entry e;
    struct err err = {0};
    bool good;
    int rc;

    vectors_known(c, c->expect, known);
    rc = ima_open(log, format, 0, &list, &err);
    at = list;
    while (rc == 0 && (rc = ima_next(&at, &e, &err)) > 0) {
        count(&tally, e.name);
        rc = 0;
    }
    vectors_is_text(c, c->expect, "parse", rc == 0 ? "ok" : "fail");
    if (rc != 0 && !vectors_text(c->expect, "parse"))
        vectors_complain(c, "cannot be read: %s", err.msg);
    good = rc == 0;
    for (size_t i = 0; good && i < ARRAY_LEN(banks); i++) {
        if (ima_replay_all(list, banks[i].bank, IMA_PCR, SPAN_EMPTY, &replay,
                    &err) != 0) {
            vectors_complain(c, "cannot be replayed: %s", err.msg);
            return;
        }
        vectors_is_hex(c, c->expect, banks[i].member,
                SPAN(replay.value, crypto_hash_size(banks[i].bank)));
    }
    vectors_is_text(c, c->expect, "verdict",
            good && replay.mismatches == 0 ? "accept" : "reject");
    if (!good)
        return;
    vectors_is_u64(c, c->expect, "entries", replay.entries);
    vectors_is_u64(c, c->expect, "violations", replay.violations);
    vectors_is_bool(c, c->expect, "invalidated", replay.violations > 0);
    vectors_is_u64(c, c->expect, "template_hash_mismatch", replay.mismatches);
    compare_templates(c, &tally);
}

static void judge_ascii(struct vectors_case *c)
{
    judge(c, IMA_ASCII);
}

static void judge_binary(struct vectors_case *c)
{
    judge(c, IMA_BINARY);
}

const struct vectors_kind vectors_ima[] = {
        {.name = "ima-ascii", .judge = judge_ascii},
        {.name = "ima-binary", .judge = judge_binary},
        {0},
};
