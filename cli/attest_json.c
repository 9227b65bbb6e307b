/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_json.h"

#include "statement.h"

#include <stdio.h>

/* Claims of a full list, with room for their names and sources. */
#define JSON_MAX (16u << 20)

static bool put_findings(struct json_t *o, const struct appraisal *a)
{
    struct json_t *list = statement_put_array(o, "findings");

    for (size_t i = 0; list && i < a->n_findings; i++) {
        const struct appraise_finding *f = &a->finding[i];
        struct json_t *item = statement_add_object(list);

        if (!item ||
                !statement_put_str(
                        item, "reason", appraise_reason_name(f->reason)) ||
                !statement_put_str(item, "claim", f->claim) ||
                !statement_put_str(item, "expected", f->expected) ||
                !statement_put_str(item, "actual", f->actual))
            return false;
    }
    return list != NULL;
}

static bool put_verdict(
        struct json_t *o, const struct pack_zone *z, const struct appraisal *a)
{
    return statement_put_bool(o, "accept", a->accept) &&
           statement_put_bool(o, "genuine", a->genuine) &&
           statement_put_str(o, "zone", z->name) &&
           statement_put_str(o, "state", a->state) &&
           statement_put_hex(o, "evidence", SPAN_OF(a->evidence)) &&
           statement_put_u64(o, "more_findings", a->n_more) &&
           statement_put_bool(o, "no_firmware_log", a->logless) &&
           put_findings(o, a);
}

static int print(const struct json_t *o, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(JSON_MAX);
    int r = statement_json_format(o, &text, err);

    if (r == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return r;
}

int attest_json_verdict(
        const struct pack_zone *z, const struct appraisal *a, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();

    if (!o || !put_verdict(o, z, a))
        return err_set(err, ERR_MEMORY, "no memory for the verdict");
    return print(o, err);
}

/* ---- explain --------------------------------------------------------- */

/* As rules write it: numbers, too, which JSON would round. */
static bool put_value(
        struct json_t *o, const char *key, const struct claim_value *v)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(5 * CLAIM_TEXT_MAX);

    claims_format_value(v, &text);
    return text.error == 0 && statement_put_text(o, key, buf_span(&text));
}

static bool put_line(struct json_t *list, const struct rules *r,
        const struct rules_state *s, const struct rules_judged *j)
{
    struct json_t *o = statement_add_object(list);
    CLEANUP(buf_fini) struct buf rule = BUF_INIT(5 * CLAIM_TEXT_MAX);

    rules_format_line(r, j->line, &rule);
    if (!o || rule.error || !statement_put_str(o, "state", s->name) ||
            !statement_put_u64(o, "line", j->line->line) ||
            !statement_put_str(o, "claim", j->line->name) ||
            !statement_put_text(o, "rule", buf_span(&rule)) ||
            !statement_put_str(o, "outcome", rules_outcome_name(j->outcome)) ||
            !statement_put_str(o, "doubt", rules_doubt_text(j->doubt)))
        return false;
    return !j->claim ||
           (put_value(o, "actual", &j->claim->value) &&
                   statement_put_str(o, "source", j->claim->source));
}

static bool put_rules(struct json_t *o, const struct appraise_input *in,
        const struct appraise_detail *d)
{
    struct json_t *r, *lines;
    const struct rules *rules = in->rules ? in->rules->rules : NULL;

    if (!rules)
        return true;
    r = statement_put_object(o, "rules");
    lines = r ? statement_put_array(r, "lines") : NULL;
    if (!lines || !statement_put_time(r, "issued", in->rules->issued) ||
            !statement_put_hex(r, "digest", SPAN_OF(in->rules->digest)))
        return false;
    for (size_t i = 0; i < rules->n_states; i++) {
        const struct rules_state *s = &rules->state[i];

        for (size_t k = s->first; k < s->first + s->n && k < d->verdict.n;
                k++) {
            if (!put_line(lines, rules, s, &d->verdict.line[k]))
                return false;
        }
    }
    return true;
}

static bool put_claims(struct json_t *o, const struct claims *c)
{
    struct json_t *list = statement_put_array(o, "claims");

    for (size_t i = 0; list && i < c->n; i++) {
        const struct claim *k = &c->claim[i];
        struct json_t *item = statement_add_object(list);

        if (!item || !statement_put_str(item, "name", k->name) ||
                !statement_put_str(
                        item, "type", claims_type_name(k->def->type)) ||
                !statement_put_str(item, "source", k->source) ||
                !statement_put_bool(item, "attested", k->attested) ||
                !put_value(item, "value", &k->value))
            return false;
    }
    return list != NULL;
}

static bool put_notes(struct json_t *o, const struct appraise_detail *d)
{
    struct json_t *list = statement_put_array(o, "notes");

    for (size_t i = 0; list && i < d->n_notes; i++) {
        struct json_t *item = statement_add_object(list);

        if (!item || !statement_put_str(item, "part", d->note[i].part) ||
                !statement_put_str(item, "text", d->note[i].text))
            return false;
    }
    return list != NULL;
}

static bool put_change(struct json_t *list, const struct claims_change *c)
{
    struct json_t *o = statement_add_object(list);

    return o && statement_put_str(o, "claim", (c->is ? c->is : c->was)->name) &&
           (!c->was || put_value(o, "was", &c->was->value)) &&
           (!c->is || put_value(o, "is", &c->is->value));
}

static bool put_changes(struct json_t *o, const struct appraise_input *in,
        const struct appraise_detail *d)
{
    struct json_t *list;

    if (!in->last)
        return true;
    list = statement_put_array(o, "changes");
    for (size_t i = 0; list && i < d->n_changes && i < APPRAISE_CHANGES_MAX;
            i++) {
        if (!put_change(list, &d->change[i]))
            return false;
    }
    return list && statement_put_u64(o, "n_changes", d->n_changes);
}

int attest_json_explain(const struct appraise_input *in,
        const struct appraisal *a, const struct appraise_detail *d,
        struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *o = statement_json_object();

    if (!o || !put_verdict(o, in->zone, a) ||
            !statement_put_time(o, "time", in->time) || !put_rules(o, in, d) ||
            !put_claims(o, &d->claims) || !put_notes(o, d) ||
            !put_changes(o, in, d))
        return err_set(err, ERR_MEMORY, "no memory for the answer");
    return print(o, err);
}
