/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's rules over the claims of genuine evidence. */
#include "appraise_private.h"

#include <stdio.h>

#define LINE_MAX_TEXT 2 * APPRAISE_VALUE_MAX

/* "in set (line 4)". */
static void format_wanted(const struct rules *r, const struct rules_line *l,
        char *ret, size_t cap)
{
    CLEANUP(buf_fini) struct buf line = BUF_INIT(5 * CLAIM_TEXT_MAX);
    size_t name = strlen(l->name) + 1;

    rules_format_line(r, l, &line);
    if (line.error || line.len < name)
        (void)snprintf(ret, cap, "line %u", l->line);
    else
        (void)snprintf(ret, cap, "%.*s (line %u)",
                (int)(line.len - name > 100 ? 100 : line.len - name),
                (const char *)line.ptr + name, l->line);
}

/* "yes, by PCR 7, event 3 of the firmware log". */
static void format_found(const struct rules_judged *j, char *ret, size_t cap)
{
    CLEANUP(buf_fini) struct buf value = BUF_INIT(5 * CLAIM_TEXT_MAX);

    if (j->outcome == RULES_UNDECIDED) {
        (void)snprintf(ret, cap, "%s", rules_doubt_text(j->doubt));
        return;
    }
    claims_format_value(&j->claim->value, &value);
    (void)snprintf(ret, cap, "%.*s, by %s",
            (int)(value.len > 128 ? 128 : value.len), (const char *)value.ptr,
            j->claim->source);
}

static void add_line(struct appraise_work *w, const struct rules_judged *j)
{
    char wanted[LINE_MAX_TEXT], found[LINE_MAX_TEXT];

    format_wanted(w->in->rules->rules, j->line, wanted, sizeof(wanted));
    format_found(j, found, sizeof(found));
    appraise_add(w->out,
            j->outcome == RULES_FAIL ? APPRAISE_RULE : APPRAISE_UNDECIDED,
            span_str(j->line->name), wanted, found);
    /* File by file says more than that some differ. */
    if (strcmp(j->line->name, "zone.files") == 0)
        appraise_add_all(w->out, &w->files);
}

/* What keeps the zone from the state that the owner names first. */
static void add_findings(struct appraise_work *w)
{
    const struct rules_verdict *v = &w->detail->verdict;
    const struct rules_state *s = &w->in->rules->rules->state[0];

    for (size_t i = s->first; i < s->first + s->n; i++) {
        if (v->line[i].outcome != RULES_PASS)
            add_line(w, &v->line[i]);
    }
    for (size_t i = 0; i < w->detail->n_notes; i++)
        appraise_add(w->out, APPRAISE_PART, span_str(w->detail->note[i].part),
                "", w->detail->note[i].text);
}

static bool is_expired(struct appraise_work *w)
{
    uint64_t expires = w->in->rules->expires;
    char text[TEXT_TIME_SIZE];

    if (expires == 0 || w->in->time < expires)
        return false;
    appraise_add(w->out, APPRAISE_EXPIRED, span_str("rules"),
            text_format_time(expires, text) ? text : "?", "later");
    return true;
}

void appraise_rules(struct appraise_work *w)
{
    struct rules_verdict *v = &w->detail->verdict;
    const struct pack_rules *r = w->in->rules;

    if (strcmp(r->zone, w->in->zone->name) != 0) {
        appraise_add(w->out, APPRAISE_NO_REFERENCE, span_str("rules"),
                w->in->zone->name, r->zone);
        return;
    }
    if (is_expired(w))
        return;
    rules_eval(r->rules, &w->in->sets, &w->detail->claims, w->in->time,
            PACK_SKEW_S, v);
    w->out->accept = v->state != NULL;
    if (v->state)
        (void)snprintf(w->out->state, sizeof(w->out->state), "%s%s",
                v->state->name, w->in->zone->emulated ? " (emulated)" : "");
    else
        add_findings(w);
}
