/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_rule.h"

#include <stdlib.h>

#define ON_DENY  1
#define ON_ALLOW 2
#define ON_ASK   4

static const struct action {
    const char *name;
    enum policy_action action;
    unsigned bit;
} actions[] = {
        {"deny", POLICY_ACTION_DENY, ON_DENY},
        {"allow", POLICY_ACTION_ALLOW, ON_ALLOW},
        {"ask", POLICY_ACTION_ASK, ON_ASK},
};

enum param_kind { PARAM_BOOL, PARAM_USER, PARAM_TOKEN, PARAM_STATE };

static const struct param {
    const char *name;
    enum param_kind kind;
    unsigned actions;
    size_t offset; /* in struct policy_rule */
    bool of_zone;  /* Qubes does not know it, and on its hosts nor do we */
} params[] = {
        {"target", PARAM_TOKEN, ON_ALLOW | ON_ASK,
                offsetof(struct policy_rule, redirect)},
        {"default_target", PARAM_TOKEN, ON_ASK,
                offsetof(struct policy_rule, default_target)},
        {"user", PARAM_USER, ON_ALLOW | ON_ASK,
                offsetof(struct policy_rule, user)},
        {"notify", PARAM_BOOL, ON_DENY | ON_ALLOW | ON_ASK,
                offsetof(struct policy_rule, notify)},
        {"autostart", PARAM_BOOL, ON_ALLOW | ON_ASK,
                offsetof(struct policy_rule, autostart)},
        /* Not on deny: whoever hides its state would get past it. */
        {"state", PARAM_STATE, ON_ALLOW | ON_ASK,
                offsetof(struct policy_rule, state), .of_zone = true},
        {"emulated", PARAM_BOOL, ON_ALLOW | ON_ASK,
                offsetof(struct policy_rule, emulated), .of_zone = true},
};

static bool is_rpc_text(struct span s, bool plus)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-' &&
                !(plus && c == '+'))
            return false;
    }
    return true;
}

int policy_rule_check_service(
        struct span service, struct span argument, struct err *err)
{
    bool any_service = span_eq_str(service, "*");
    bool any_argument = span_eq_str(argument, "*");

    if (!any_service && (service.len == 0 || !is_rpc_text(service, false)))
        return err_set(err, ERR_SYNTAX,
                "service '%.*s' has other than A-Z a-z 0-9 . _ -",
                (int)service.len, service.ptr);
    if (any_argument)
        return 0;
    if (argument.len == 0 || argument.ptr[0] != '+')
        return err_set(err, ERR_SYNTAX, "argument '%.*s' does not start with +",
                (int)argument.len, argument.ptr);
    if (!is_rpc_text(argument, true))
        return err_set(err, ERR_SYNTAX,
                "argument '%.*s' has other than A-Z a-z 0-9 + . _ -",
                (int)argument.len, argument.ptr);
    if (any_service)
        return err_set(err, ERR_SYNTAX,
                "service * takes argument * only, not '%.*s'",
                (int)argument.len, argument.ptr);
    return 0;
}

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

/* Tokens of a rule live in the arena. */
static int read_token(struct policy *p, struct span word,
        enum policy_place place, const char *what, struct policy_token *ret,
        struct err *err)
{
    struct span copy;

    if (!policy_arena_copy(&p->arena, word, &copy))
        return out_of_memory(err);
    if (!policy_token_parse(copy, place, ret))
        return err_set(err, ERR_SYNTAX, "'%.*s' cannot be a %s", (int)word.len,
                word.ptr, what);
    return 0;
}

static int add_word(
        struct policy *p, struct span word, uint32_t *ret, struct err *err)
{
    int r = policy_words_add(&p->words, &p->arena, word, ret);

    return r < 0 ? out_of_memory(err) : 0;
}

static int read_place(struct policy *p, struct span word,
        enum policy_place place, const char *what, struct policy_token *ret,
        uint32_t *ret_word, struct err *err)
{
    int r = read_token(p, word, place, what, ret, err);

    if (r < 0)
        return r;
    /* dom0 has three spellings; rules know one. */
    return add_word(p,
            ret->kind == POLICY_TOKEN_ADMINVM ? span_str("@adminvm")
                                              : ret->text,
            ret_word, err);
}

static int read_user(
        struct policy *p, struct span value, struct span *ret, struct err *err)
{
    /* USER:COMMAND goes to a shell: a colon would cut the user short. */
    if (memchr(value.ptr, ':', value.len))
        return err_set(err, ERR_SYNTAX, "user '%.*s' has a ':'", (int)value.len,
                value.ptr);
    return policy_arena_copy(&p->arena, value, ret) ? 0 : out_of_memory(err);
}

static int read_bool(const struct param *param, struct span value, bool *ret,
        struct err *err)
{
    bool yes = span_eq_str(value, "yes");

    if (!yes && !span_eq_str(value, "no"))
        return err_set(err, ERR_SYNTAX, "%s is 'yes' or 'no', not '%.*s'",
                param->name, (int)value.len, value.ptr);
    *ret = yes;
    return 0;
}

static int read_state(
        struct policy *p, struct span value, struct span *ret, struct err *err)
{
    if (!text_is_name(value, POLICY_STATE_MAX))
        return err_set(err, ERR_SYNTAX, "'%.*s' cannot be a state's name",
                (int)value.len, value.ptr);
    return policy_arena_copy(&p->arena, value, ret) ? 0 : out_of_memory(err);
}

static int read_value(struct policy *p, struct policy_rule *rule,
        const struct param *param, struct span value, struct err *err)
{
    void *field = (uint8_t *)rule + param->offset;

    switch (param->kind) {
    case PARAM_BOOL:
        return read_bool(param, value, field, err);
    case PARAM_USER:
        return read_user(p, value, field, err);
    case PARAM_TOKEN:
        return read_token(
                p, value, POLICY_PLACE_REDIRECT, param->name, field, err);
    case PARAM_STATE:
        return read_state(p, value, field, err);
    }
    return ERR_STATE; /* not reached */
}

static int read_param(struct policy *p, struct policy_rule *rule,
        const struct action *action, struct span word, unsigned *seen,
        struct err *err)
{
    const uint8_t *eq = memchr(word.ptr, '=', word.len);
    struct span name, value;

    if (!eq)
        return err_set(err, ERR_SYNTAX, "'%.*s' is not KEY=VALUE",
                (int)word.len, word.ptr);
    name = SPAN(word.ptr, (size_t)(eq - word.ptr));
    value = SPAN(eq + 1, word.len - name.len - 1);
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        if (!span_eq_str(name, params[i].name) ||
                !(params[i].actions & action->bit) ||
                (params[i].of_zone && !p->of_zone))
            continue;
        if (*seen & 1u << i)
            return err_set(
                    err, ERR_SYNTAX, "%s= is given twice", params[i].name);
        *seen |= 1u << i;
        return read_value(p, rule, &params[i], value, err);
    }
    return err_set(err, ERR_SYNTAX, "%s takes no '%.*s='", action->name,
            (int)name.len, name.ptr);
}

static int read_action(struct policy *p, struct policy_rule *rule,
        const struct span *words, size_t n_words, struct err *err)
{
    unsigned seen = 0;
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (!span_eq_str(words[0], actions[i].name))
            continue;
        rule->action = actions[i].action;
        rule->notify = rule->action == POLICY_ACTION_DENY;
        rule->autostart = true;
        for (size_t k = 1; k < n_words && r == 0; k++)
            r = read_param(p, rule, &actions[i], words[k], &seen, err);
        if (r == 0 && rule->emulated && !rule->state.ptr)
            r = err_set(err, ERR_SYNTAX, "emulated= goes with state=");
        return r;
    }
    return err_set(err, ERR_SYNTAX, "'%.*s' is not allow, deny or ask",
            (int)words[0].len, words[0].ptr);
}

static int read_rule(struct policy *p, struct policy_rule *rule,
        const struct span *words, size_t n_words, struct err *err)
{
    struct policy_token source;
    int r;

    if (n_words < 5)
        return err_set(err, ERR_SYNTAX,
                "a rule is SERVICE ARGUMENT SOURCE TARGET ACTION");
    r = policy_rule_check_service(words[0], words[1], err);
    if (r == 0)
        r = add_word(p, words[0], &rule->service, err);
    if (r == 0)
        r = add_word(p, words[1], &rule->argument, err);
    if (r == 0)
        r = read_place(p, words[2], POLICY_PLACE_SOURCE, "source", &source,
                &rule->source, err);
    if (r == 0)
        r = read_place(p, words[3], POLICY_PLACE_TARGET, "target",
                &rule->target_token, &rule->target, err);
    if (r == 0)
        r = read_action(p, rule, words + 4, n_words - 4, err);
    if (r == 0 && rule->target_token.kind == POLICY_TOKEN_DEFAULT &&
            rule->action == POLICY_ACTION_ALLOW && !rule->redirect.text.ptr)
        return err_set(err, ERR_SYNTAX, "allow for @default must have target=");
    return r;
}

static int grow(struct policy *p, struct err *err)
{
    uint32_t cap = p->cap_rules ? 2 * p->cap_rules : 64;
    struct policy_rule *rules;

    if (p->n_rules >= LIMIT_POLICY_RULES_MAX)
        return err_set(err, ERR_LIMIT, "over %d rules", LIMIT_POLICY_RULES_MAX);
    if (p->n_rules < p->cap_rules)
        return 0;
    rules = reallocarray(p->rules, cap, sizeof(*rules));
    if (!rules)
        return out_of_memory(err);
    p->rules = rules;
    p->cap_rules = cap;
    return 0;
}

int policy_rule_add(struct policy *p, struct span file, unsigned line_number,
        struct span line, const struct span *words, size_t n_words,
        struct err *err)
{
    struct policy_rule rule = {.file = file, .line = line_number};
    int r = grow(p, err);

    if (r == 0)
        r = read_rule(p, &rule, words, n_words, err);
    if (r < 0)
        return r;
    if (!policy_arena_copy(&p->arena, line, &rule.text))
        return out_of_memory(err);
    p->rules[p->n_rules++] = rule;
    return 0;
}
