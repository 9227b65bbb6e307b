/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts for people. */
#include "appraise_private.h"

#include <stdio.h>

void appraise_format(const struct appraise_finding *f, char *ret, size_t cap)
{
    if (f->reason == APPRAISE_FILE_DIFFERS)
        (void)snprintf(ret, cap,
                "%s differs from the reference: expected %s, measured %s",
                f->claim, f->expected, f->actual);
    else if (f->reason == APPRAISE_FILE_MISSING)
        (void)snprintf(
                ret, cap, "%s is missing: expected %s", f->claim, f->expected);
    else if (f->reason == APPRAISE_FILE_EXTRA)
        (void)snprintf(ret, cap, "%s is not in the reference: measured %s",
                f->claim, f->actual);
    else if (f->reason == APPRAISE_RULE || f->reason == APPRAISE_UNDECIDED)
        (void)snprintf(ret, cap, "%s: %s: wanted %s, found %s",
                appraise_reason_name(f->reason), f->claim, f->expected,
                f->actual);
    else
        (void)snprintf(ret, cap, "%s%s%s%s%s%s%s",
                appraise_reason_name(f->reason), f->claim[0] ? ": " : "",
                f->claim, f->expected[0] ? ": expected " : "", f->expected,
                !f->actual[0]    ? ""
                : f->expected[0] ? ", got "
                                 : ": ",
                f->actual);
}

void appraise_format_log(
        const struct appraisal *a, char ret[static APPRAISE_LOG_MAX])
{
    char computed[TEXT_BITS_SIZE], recorded[TEXT_BITS_SIZE];

    ret[0] = '\0';
    if (!a->logless)
        return;
    text_format_bits(a->computed, computed);
    text_format_bits(a->recorded, recorded);
    (void)snprintf(ret, APPRAISE_LOG_MAX, "no event log%s%s%s%s%s%s",
            *computed || *recorded ? ": " : "", *computed ? "PCR " : "",
            computed,
            *computed ? " judged against values computed from the deployed "
                        "files"
                      : "",
            *recorded ? (*computed ? ", PCR " : "PCR ") : "", recorded);
    if (*recorded)
        (void)snprintf(ret + strlen(ret), APPRAISE_LOG_MAX - strlen(ret),
                "%s against values that were measured once",
                *computed ? "" : " judged");
}

void appraise_explain(const struct appraisal *a, struct buf *ret)
{
    char line[APPRAISE_CLAIM_MAX + 2 * APPRAISE_VALUE_MAX + 80];

    for (size_t i = 0; i < a->n_findings; i++) {
        appraise_format(&a->finding[i], line, sizeof(line));
        buf_printf(ret, "%s\n", line);
    }
    if (a->n_more)
        buf_printf(ret, "and %zu more\n", a->n_more);
}

/* ---- a colleague's answer -------------------------------------------- */

#define SHOWN_MAX 200 /* of one value: a command line in most cases */

struct teller {
    const struct appraise_input *in;
    const struct appraisal *a;
    const struct appraise_detail *d;
    bool told[APPRAISE_CHANGES_MAX]; /* changes named beside their line */
    char when[TEXT_TIME_SIZE + 4];   /* " of 2026-...", or nothing */
    struct buf *out;
};

static void say_value(const struct claim_value *v, struct buf *out)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(5 * CLAIM_TEXT_MAX);

    claims_format_value(v, &text);
    buf_printf(out, "%.*s%s",
            (int)(text.len > SHOWN_MAX ? SHOWN_MAX : text.len),
            (const char *)text.ptr, text.len > SHOWN_MAX ? "..." : "");
}

static const char *wanted_state(const struct teller *t)
{
    if (t->in->rules)
        return t->in->rules->rules->state[0].name;
    return t->in->reference ? t->in->reference->state : "approved";
}

static void say_state(const struct teller *t)
{
    const struct rules_state *s = t->d->verdict.state;
    const char *zone = t->in->zone ? t->in->zone->name : "?";

    if (!t->a->genuine)
        buf_printf(t->out,
                "Not approved: this is not proved to be zone %s, now.\n", zone);
    else if (!t->a->accept)
        buf_printf(t->out, "Zone %s is not %s.\n", zone, wanted_state(t));
    else if (s && s != &t->in->rules->rules->state[0])
        buf_printf(t->out, "Zone %s is %s; it is not %s.\n", zone, t->a->state,
                wanted_state(t));
    else
        buf_printf(t->out, "Zone %s is %s.\n", zone, t->a->state);
}

/* What the claim was, when that is another value than now. */
static void say_was(struct teller *t, const char *name)
{
    size_t n = t->d->n_changes < APPRAISE_CHANGES_MAX ? t->d->n_changes
                                                      : APPRAISE_CHANGES_MAX;

    for (size_t i = 0; i < n; i++) {
        const struct claims_change *c = &t->d->change[i];

        if (strcmp((c->is ? c->is : c->was)->name, name) != 0)
            continue;
        t->told[i] = true;
        buf_printf(t->out, "      the last good evidence%s ", t->when);
        if (!c->was) {
            buf_append_str(t->out, "did not have ");
            say_value(&c->is->value, t->out);
        } else {
            buf_append_str(t->out, "had ");
            say_value(&c->was->value, t->out);
        }
        buf_append_u8(t->out, '\n');
    }
}

static void say_file_findings(const struct teller *t)
{
    char line[APPRAISE_CLAIM_MAX + 2 * APPRAISE_VALUE_MAX + 80];

    for (size_t i = 0; i < t->a->n_findings; i++) {
        const struct appraise_finding *f = &t->a->finding[i];

        if (f->reason == APPRAISE_RULE || f->reason == APPRAISE_UNDECIDED ||
                f->reason == APPRAISE_PART)
            continue;
        appraise_format(f, line, sizeof(line));
        buf_printf(t->out, "      %s\n", line);
    }
    if (t->a->n_more)
        buf_printf(t->out, "      and %zu more\n", t->a->n_more);
}

#define VALUES_SHOWN 3 /* of a set; its list has them all */

static const struct rules_set *find_set(
        const struct rules_sets *sets, const char *name)
{
    for (size_t i = 0; i < sets->n; i++) {
        if (strcmp(sets->set[i].name, name) == 0)
            return &sets->set[i];
    }
    return NULL;
}

/* What the sets of a line say, and since when. */
static void say_sets(const struct teller *t, const struct rules_line *l)
{
    const struct rules *r = t->in->rules->rules;

    for (size_t i = l->first_set; i < l->first_set + l->n_sets; i++) {
        const struct rules_set *s = find_set(&t->in->sets, r->set[i]);
        char since[TEXT_TIME_SIZE];

        if (!s)
            continue;
        buf_printf(t->out, "      %s, since %s%s, has ", s->name,
                text_format_time(s->since, since) ? since : "?",
                s->revoked ? ", revoked" : "");
        for (size_t k = 0; k < s->n && k < VALUES_SHOWN; k++) {
            buf_append_str(t->out, k ? ", " : "");
            say_value(&s->value[k], t->out);
        }
        if (s->n > VALUES_SHOWN)
            buf_printf(t->out, " and %zu more", s->n - VALUES_SHOWN);
        buf_append_str(t->out, s->n ? "\n" : "no value\n");
    }
}

static void say_line(struct teller *t, const struct rules_judged *j)
{
    const struct rules_line *l = j->line;

    buf_printf(t->out, "  %s ", l->name);
    if (j->outcome == RULES_UNDECIDED) {
        buf_printf(t->out, "is undecided: %s", rules_doubt_text(j->doubt));
        if (j->doubt == RULES_ABSENT)
            buf_printf(t->out, " (%s)", l->def->from);
    } else {
        buf_append_str(t->out, "is ");
        say_value(&j->claim->value, t->out);
        buf_printf(t->out, ", by %s", j->claim->source);
    }
    buf_printf(t->out, ";\n      line %u of the rules: ", l->line);
    rules_format_line(t->in->rules->rules, l, t->out);
    buf_append_u8(t->out, '\n');
    say_sets(t, l);
    if (j->claim)
        say_was(t, j->claim->name);
    if (strcmp(l->name, "zone.files") == 0)
        say_file_findings(t);
}

/* The lines of the state that the owner names first. */
static void say_lines(struct teller *t)
{
    const struct rules_verdict *v = &t->d->verdict;
    const struct rules_state *s = &t->in->rules->rules->state[0];
    size_t met = 0;

    for (size_t i = s->first; i < s->first + s->n && i < v->n; i++) {
        if (v->line[i].outcome == RULES_PASS)
            met++;
        else
            say_line(t, &v->line[i]);
    }
    buf_printf(t->out, "  %zu of %zu lines of state %s are met.\n", met, s->n,
            s->name);
}

static void say_reasons(struct teller *t)
{
    if (t->d->verdict.n > 0) {
        say_lines(t);
        return;
    }
    for (size_t i = 0; i < t->a->n_findings; i++) {
        char line[APPRAISE_CLAIM_MAX + 2 * APPRAISE_VALUE_MAX + 80];

        appraise_format(&t->a->finding[i], line, sizeof(line));
        buf_printf(t->out, "  %s\n", line);
    }
    if (t->a->n_more)
        buf_printf(t->out, "  and %zu more\n", t->a->n_more);
}

static void say_notes(const struct teller *t)
{
    for (size_t i = 0; i < t->d->n_notes; i++)
        buf_printf(t->out, "The %s says nothing: it does not verify: %s.\n",
                t->d->note[i].part, t->d->note[i].text);
}

/* "tpm.resets: 5 -> 6" */
static void say_change(const struct claims_change *c, struct buf *out)
{
    buf_printf(out, "%s: ", (c->is ? c->is : c->was)->name);
    if (!c->was)
        buf_append_str(out, "new, ");
    else
        say_value(&c->was->value, out);
    if (c->was)
        buf_append_str(out, c->is ? " -> " : ", gone");
    if (c->is)
        say_value(&c->is->value, out);
    if (c->is && !c->is->attested)
        buf_append_str(out, " (not proved)");
    buf_append_u8(out, '\n');
}

void appraise_explain_changes(const struct appraise_input *in,
        const struct appraise_detail *d, struct buf *ret)
{
    char since[TEXT_TIME_SIZE];

    if (!in->last)
        return;
    if (!text_format_time(in->last->time, since))
        since[0] = '\0';
    if (d->n_changes == 0)
        buf_printf(ret, "nothing changed since %s\n", since);
    for (size_t i = 0; i < d->n_changes && i < APPRAISE_CHANGES_MAX; i++) {
        buf_printf(ret, "since %s: ", since);
        say_change(&d->change[i], ret);
    }
    if (d->n_changes > APPRAISE_CHANGES_MAX)
        buf_printf(ret, "since %s: and %zu more\n", since,
                d->n_changes - APPRAISE_CHANGES_MAX);
}

static void say_changes(const struct teller *t)
{
    size_t n = t->d->n_changes, told = 0;

    if (!t->in->last || !t->a->genuine)
        return;
    for (size_t i = 0; i < n && i < APPRAISE_CHANGES_MAX; i++)
        told += t->told[i];
    if (n == told) {
        buf_printf(t->out,
                "Nothing%s changed since the last good evidence%s.\n",
                told ? " else" : "", t->when);
        return;
    }
    buf_printf(t->out, "Changed%s since the last good evidence%s:\n",
            told ? " too" : "", t->when);
    for (size_t i = 0; i < n && i < APPRAISE_CHANGES_MAX; i++) {
        if (t->told[i])
            continue;
        buf_append_str(t->out, "  ");
        say_change(&t->d->change[i], t->out);
    }
    if (n > APPRAISE_CHANGES_MAX)
        buf_printf(t->out, "  and %zu more\n", n - APPRAISE_CHANGES_MAX);
}

static void say_unattested(const struct teller *t)
{
    bool first = true;

    for (size_t i = 0; i < t->d->claims.n; i++) {
        const struct claim *c = &t->d->claims.claim[i];

        if (c->attested)
            continue;
        buf_printf(t->out, "%s  %s ",
                first ? "Said, and proved by nothing:\n" : "", c->name);
        say_value(&c->value, t->out);
        buf_printf(t->out, ", by %s\n", c->source);
        first = false;
    }
}

void appraise_tell(const struct appraise_input *in, const struct appraisal *a,
        const struct appraise_detail *d, struct buf *ret)
{
    struct teller t = {.in = in, .a = a, .d = d, .out = ret};
    char time[TEXT_TIME_SIZE];

    if (in->last && in->last->time && text_format_time(in->last->time, time))
        (void)snprintf(t.when, sizeof(t.when), " of %s", time);
    say_state(&t);
    if (!a->accept || (d->verdict.state &&
                              d->verdict.state != &in->rules->rules->state[0]))
        say_reasons(&t);
    say_notes(&t);
    say_changes(&t);
    say_unattested(&t);
    if (a->genuine && in->zone->emulated)
        buf_append_str(ret, "Emulated: whoever runs this machine can forge "
                            "all of it.\n");
}
