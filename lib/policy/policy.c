/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_int.h"

#include <stdlib.h>

int policy_new(
        const struct policy_files *files, struct policy **ret, struct err *err)
{
    CLEANUP(policy_free_ptr)
    struct policy *p = calloc(1, sizeof(*p));
    int r;

    if (!p ||
            policy_words_add(&p->words, &p->arena, span_str("*"), &p->any) < 0)
        return err_set(err, ERR_MEMORY, "out of memory");
    p->of_zone = files->of_zone;
    r = policy_parse(p, files, err);
    if (r == 0)
        r = policy_index_build(p, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

struct policy *policy_new_broken(const char *reason)
{
    struct policy *p = calloc(1, sizeof(*p));
    struct span copy;

    /* With the NUL. */
    if (p && policy_arena_copy(
                     &p->arena, SPAN(reason, strlen(reason) + 1), &copy)) {
        p->broken = (const char *)copy.ptr;
        return p;
    }
    policy_free(p);
    return NULL;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    policy_words_fini(&p->words);
    policy_arena_fini(&p->arena);
    free(p->rules);
    free(p);
}

void policy_free_ptr(struct policy **p)
{
    policy_free(*p);
}

size_t policy_rule_count(const struct policy *p)
{
    return p->n_rules;
}

struct span policy_rule_file(const struct policy *p, size_t i)
{
    return p->rules[i].file;
}

bool policy_rule_has_service(
        const struct policy *p, size_t i, struct span service)
{
    uint32_t of_rule = p->rules[i].service;

    return of_rule == p->any ||
           of_rule == policy_words_find(&p->words, "", service);
}

static enum policy_verdict verdict_of(enum policy_action action)
{
    switch (action) {
    case POLICY_ACTION_DENY:
        break;
    case POLICY_ACTION_ALLOW:
        return POLICY_ALLOW;
    case POLICY_ACTION_ASK:
        return POLICY_ASK;
    }
    return POLICY_DENY;
}

void policy_rule_at(
        const struct policy *p, size_t i, struct policy_rule_view *ret)
{
    const struct policy_rule *r = &p->rules[i];

    *ret = (struct policy_rule_view){.file = r->file,
            .text = r->text,
            .line = r->line,
            .service = p->words.words[r->service],
            .argument = p->words.words[r->argument],
            .source = p->words.words[r->source],
            .target = p->words.words[r->target],
            .action = verdict_of(r->action),
            .has_redirect = r->redirect.text.ptr != NULL,
            .state = r->state,
            .emulated = r->emulated};
}
