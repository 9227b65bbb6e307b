/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request made ready: checked, and turned into the numbers of the words that
 * match its source and its target, so that looking at a rule compares numbers.
 */
#include "policy_int.h"

/* ---- the words that match ------------------------------------------------ */

struct word_set {
    uint32_t *words;
    size_t n;
};

/* Words that no rule uses are left out. */
static void put(struct word_set *set, const struct policy_query *q,
        const char *prefix, struct span text)
{
    uint32_t word = policy_words_find(&q->policy->words, prefix, text);

    if (word != POLICY_WORD_NONE)
        set->words[set->n++] = word;
}

static void put_names(struct word_set *set, const struct policy_query *q,
        const struct policy_qube *qube)
{
    put(set, q, "*", SPAN_EMPTY);
    if (qube == q->system->dom0) {
        put(set, q, "@adminvm", SPAN_EMPTY);
        return;
    }
    put(set, q, "@anyvm", SPAN_EMPTY);
    put(set, q, "", qube->name);
    if (qube->uuid.len)
        put(set, q, POLICY_UUID_PREFIX, qube->uuid);
}

static void put_traits(struct word_set *set, const struct policy_query *q,
        const struct policy_qube *qube)
{
    put(set, q, "@type:", qube->type);
    for (size_t i = 0; i < qube->n_tags; i++)
        put(set, q, "@tag:", qube->tags[i]);
}

static void put_dispvm_of(struct word_set *set, const struct policy_query *q,
        const struct policy_qube *template)
{
    put(set, q, "@dispvm:", template->name);
    if (template->uuid.len)
        put(set, q, "@dispvm:" POLICY_UUID_PREFIX, template->uuid);
    if (!template->template_for_dispvms)
        return;
    for (size_t i = 0; i < template->n_tags; i++)
        put(set, q, "@dispvm:@tag:", template->tags[i]);
}

const struct policy_qube *policy_query_dispvm(const struct policy_query *q)
{
    return policy_system_find(q->system, q->source->default_dispvm);
}

static void put_keyword(
        struct word_set *set, const struct policy_query *q, const char *keyword)
{
    put(set, q, "*", SPAN_EMPTY);
    put(set, q, "@anyvm", SPAN_EMPTY);
    if (keyword)
        put(set, q, keyword, SPAN_EMPTY);
}

static size_t find_targets(struct policy_query *q)
{
    struct word_set set = {.words = q->targets};
    const struct policy_qube *template;

    switch (q->target.kind) {
    case POLICY_TOKEN_NAME:
        put_names(&set, q, q->target_qube);
        put_traits(&set, q, q->target_qube);
        break;
    case POLICY_TOKEN_ADMINVM: /* no tag or type reaches dom0 as a target */
        put_names(&set, q, q->target_qube);
        break;
    case POLICY_TOKEN_DISPVM:
        put_keyword(&set, q, "@dispvm");
        template = policy_query_dispvm(q);
        if (template)
            put_dispvm_of(&set, q, template);
        break;
    case POLICY_TOKEN_DISPVM_NAME:
        put_keyword(&set, q, NULL);
        put_dispvm_of(&set, q, q->target_qube);
        break;
    case POLICY_TOKEN_DEFAULT:
        put_keyword(&set, q, "@default");
        break;
    case POLICY_TOKEN_ANY:
    case POLICY_TOKEN_ANYVM:
    case POLICY_TOKEN_DISPVM_TAG:
    case POLICY_TOKEN_TAG:
    case POLICY_TOKEN_TYPE:
        break; /* no request has them (policy_token_parse) */
    }
    return set.n;
}

static void find_words(struct policy_query *q, const struct policy_result *r)
{
    struct word_set set = {.words = q->sources};

    put_names(&set, q, q->source);
    put_traits(&set, q, q->source);
    q->n_sources = set.n;
    q->n_targets = find_targets(q);
    for (size_t i = 0; i < q->n_targets; i++)
        q->target_mask |= UINT64_C(1) << q->targets[i] % 64;
    q->service = policy_words_find(&q->policy->words, "", r->service);
    q->argument = policy_words_find(&q->policy->words, "", r->argument);
}

bool policy_query_has_source(const struct policy_query *q, uint32_t word)
{
    for (size_t i = 0; i < q->n_sources; i++) {
        if (q->sources[i] == word)
            return true;
    }
    return false;
}

bool policy_query_has_target(const struct policy_query *q, uint32_t word)
{
    if (!(q->target_mask >> word % 64 & 1))
        return false;
    for (size_t i = 0; i < q->n_targets; i++) {
        if (q->targets[i] == word)
            return true;
    }
    return false;
}

/* The state's name, without what is said of the TPM. */
static struct span name_of_state(struct span text, bool *ret_emulated)
{
    size_t n = sizeof(POLICY_EMULATED) - 1;

    *ret_emulated = text.len > n &&
                    memcmp(text.ptr + text.len - n, POLICY_EMULATED, n) == 0;
    return *ret_emulated ? SPAN(text.ptr, text.len - n) : text;
}

bool policy_is_state(struct span text, struct span name)
{
    bool emulated;

    return span_eq(name_of_state(text, &emulated), name);
}

bool policy_query_has_state(
        const struct policy_query *q, const struct policy_rule *rule)
{
    return !rule->state.ptr ||
           (span_eq(q->state, rule->state) && (!q->emulated || rule->emulated));
}

/* ---- checks of the request ----------------------------------------------- */

/* For a reason: what was asked for, made safe to show. */
#define SAFE_MAX 72

static bool refuse(struct policy_result *r, const char *what, struct span value)
{
    char safe[SAFE_MAX];

    text_format_safe(value, safe, sizeof(safe));
    policy_result_deny(r, POLICY_CLASS_REQUEST, "%s: '%s'", what, safe);
    return false;
}

static bool is_service_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool check_service(
        const struct policy_request *request, struct policy_result *r)
{
    struct span s = request->service;
    const uint8_t *plus = s.len ? memchr(s.ptr, '+', s.len) : NULL;
    size_t name = plus ? (size_t)(plus - s.ptr) : s.len;

    r->service = SPAN(s.ptr, name);
    r->argument = plus ? SPAN(plus, s.len - name) : span_str("+");
    if (name == 0 || name > LIMIT_SERVICE_NAME_MAX || s.len > LIMIT_SERVICE_MAX)
        return refuse(r, "no service name", s);
    for (size_t i = 0; i < s.len; i++) {
        if (!is_service_char(s.ptr[i]) && !(s.ptr[i] == '+' && i >= name))
            return refuse(r, "no service name", s);
    }
    return true;
}

/* Whose call is it: the caller's own, or one that it may relay. */
static bool check_source(struct policy_query *q,
        const struct policy_request *request, struct policy_result *r)
{
    const struct policy_qube *caller, *claimed;

    caller = policy_system_find(q->system, request->source);
    if (!caller)
        return refuse(r, "the caller is no qube of this zone", request->source);
    q->source = r->source = caller;
    if (request->requested_source.len == 0)
        return true;
    claimed = policy_system_find(q->system, request->requested_source);
    if (!claimed || !span_eq_str(claimed->type, "RemoteVM") ||
            policy_system_find(q->system, claimed->relayvm) != caller)
        return refuse(r, "the caller is not the relay of such a RemoteVM",
                request->requested_source);
    q->source = r->source = claimed;
    r->relayed = true;
    return true;
}

static bool check_target(struct policy_query *q,
        const struct policy_request *request, struct policy_result *r)
{
    const struct span nothing = span_str("@default");

    r->requested = request->target.len ? request->target : nothing;
    if (!policy_token_parse(r->requested, POLICY_PLACE_REQUEST, &q->target))
        return refuse(r, "no target", r->requested);
    switch (q->target.kind) {
    case POLICY_TOKEN_NAME:
        q->target_qube = policy_system_find(q->system, q->target.value);
        if (!q->target_qube) { /* Qubes: an unknown name is no name */
            r->requested = nothing;
            q->target = (struct policy_token){.kind = POLICY_TOKEN_DEFAULT,
                    .text = nothing,
                    .value = SPAN_EMPTY};
        }
        return true;
    case POLICY_TOKEN_DISPVM_NAME:
        q->target_qube = policy_system_find(q->system, q->target.value);
        if (!q->target_qube || !q->target_qube->template_for_dispvms)
            return refuse(r, "no template of disposables", r->requested);
        return true;
    case POLICY_TOKEN_ADMINVM:
        q->target_qube = q->system->dom0;
        return true;
    case POLICY_TOKEN_ANY:
    case POLICY_TOKEN_ANYVM:
    case POLICY_TOKEN_DEFAULT:
    case POLICY_TOKEN_DISPVM:
    case POLICY_TOKEN_DISPVM_TAG:
    case POLICY_TOKEN_TAG:
    case POLICY_TOKEN_TYPE:
        return true;
    }
    return false; /* not reached */
}

bool policy_query_init(struct policy_query *q, const struct policy *p,
        const struct policy_system *s, const struct policy_request *request,
        struct policy_result *ret)
{
    *q = (struct policy_query){.policy = p, .system = s};
    *ret = (struct policy_result){.verdict = POLICY_DENY};
    if (p->broken) {
        policy_result_deny(ret, POLICY_CLASS_SYNTAX, "%s", p->broken);
        return false;
    }
    if (!check_service(request, ret) || !check_source(q, request, ret) ||
            !check_target(q, request, ret))
        return false;
    find_words(q, ret);
    q->state = name_of_state(request->state, &q->emulated);
    return true;
}

struct policy_target policy_target_of(
        const struct policy_query *q, const struct policy_token *t)
{
    struct policy_target ret = {.text = t->value};

    switch (t->kind) {
    case POLICY_TOKEN_NAME:
    case POLICY_TOKEN_ADMINVM:
        ret.qube = policy_system_find(q->system, t->text);
        ret.text = t->text;
        break;
    case POLICY_TOKEN_DISPVM:
        ret.dispvm = true;
        ret.qube = policy_query_dispvm(q);
        ret.text = q->source->default_dispvm;
        break;
    case POLICY_TOKEN_DISPVM_NAME:
        ret.dispvm = true;
        ret.qube = policy_system_find(q->system, t->value);
        break;
    case POLICY_TOKEN_ANY:
    case POLICY_TOKEN_ANYVM:
    case POLICY_TOKEN_DEFAULT:
    case POLICY_TOKEN_DISPVM_TAG:
    case POLICY_TOKEN_TAG:
    case POLICY_TOKEN_TYPE:
        break;
    }
    return ret;
}
