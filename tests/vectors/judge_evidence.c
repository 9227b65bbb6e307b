/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of a zone as it goes over channels (docs/proto/evidence.md): is it
 * of the machine with that attestation key, and what does it prove?  Nothing
 * was approved, so the verdict is whether it is genuine; `claims` has values
 * that were established without this program, null for what must not be
 * claimed.
 */
#include "appraise.h"
#include "vectors.h"

#include <stdio.h>

static bool has_value(
        const struct claims *c, const char *name, const char *want)
{
    for (size_t i = 0; i < c->n; i++) {
        CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);

        if (strcmp(c->claim[i].name, name) != 0 || !c->claim[i].attested)
            continue;
        claims_format_value(&c->claim[i].value, &text);
        if (span_eq_str(buf_span(&text), want))
            return true;
    }
    return false;
}

/* Attested, whatever its value. */
static bool is_claimed(const struct claims *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->claim[i].name, name) == 0 && c->claim[i].attested)
            return true;
    }
    return false;
}

static void compare_claims(struct vectors_case *c, const struct claims *is)
{
    json_t *want = json_object_get(c->expect, "claims"), *v;
    const char *name;

    json_object_foreach (want, name, v) {
        const char *text = json_string_value(v);

        if (json_is_null(v) && is_claimed(is, name))
            vectors_complain(c, "%s is claimed and must not be", name);
        if (!json_is_null(v) && (!text || !has_value(is, name, text)))
            vectors_complain(c, "%s: expected %s, which nothing claims", name,
                    text ? text : "another type");
    }
}

static void compare_findings(struct vectors_case *c, const struct appraisal *a)
{
    json_t *want = json_object_get(c->expect, "finding");
    const char *got =
            a->n_findings ? appraise_reason_name(a->finding[0].reason) : "none";

    if (json_is_string(want) && strcmp(json_string_value(want), got) != 0)
        vectors_disagree(c, "finding", json_string_value(want), got);
}

static bool take_zone(struct vectors_case *c, struct pack_zone *z)
{
    struct span ak = vectors_load(c, vectors_file(c, "ak.bin"));
    struct tcg_public p;

    if (ak.len > sizeof(z->ak) || tcg_public(ak, &p, NULL) != 0 ||
            tcg_name(&p, &z->ak_name) != 0)
        return false;
    (void)snprintf(z->name, sizeof(z->name), "machine");
    memcpy(z->ak, ak.ptr, ak.len);
    z->ak_len = ak.len;
    z->emulated = true;
    return true;
}

static void judge(struct vectors_case *c)
{
    static const char *const known[] = {
            "verdict", "binder", "claims", "finding", "logless", "why", NULL};
    static struct pack_zone zone;
    static struct appraise_detail detail;
    static struct appraisal a;
    struct appraise_input in = {.zone = &zone};

    vectors_known(c, c->expect, known);
    if (!take_zone(c, &zone)) {
        vectors_complain(c, "ak.bin is no attestation key");
        return;
    }
    in.evidence = vectors_load(c, vectors_file(c, "evidence.bin"));
    if (!vectors_hex(vectors_text(c->expect, "binder"), &in.binder)) {
        vectors_complain(c, "binder is not hex");
        return;
    }
    appraise_in_full(&in, &a, &detail);
    vectors_is_text(c, c->expect, "verdict", a.genuine ? "accept" : "reject");
    vectors_is_bool(c, c->expect, "logless", a.logless);
    compare_findings(c, &a);
    compare_claims(c, &detail.claims);
    appraise_detail_fini(&detail);
}

const struct vectors_kind vectors_evidence[] = {
        {"zone-evidence", NULL, NULL, judge},
        {0},
};
