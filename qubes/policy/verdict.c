/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <stdio.h>

static void deny(struct verdict *v, const char *reason)
{
    v->asks = v->allow = false;
    (void)snprintf(v->reason, sizeof(v->reason), "%s", reason);
}

static void settle(struct verdict *v, const struct policy_system *s)
{
    struct err err = {.code = 0};

    v->notify = v->result.notify;
    deny(v, v->result.reason);
    if (v->result.verdict != POLICY_ALLOW)
        return;
    if (policyline_from_result(&v->result, s, &v->store, &v->response, &err) <
            0) {
        deny(v, err.msg);
        v->notify = true;
        return;
    }
    v->allow = true;
}

void verdict_of(const struct policy *p, const struct info *info,
        const struct policyline_request *request, struct span choice,
        struct verdict *ret)
{
    const struct policy_system *s = info ? info->system : NULL;
    const struct policy_request q = {.source = request->source,
            .target = request->target,
            .service = request->service,
            .requested_source = request->requested_source};

    ret->asks = false;
    if (choice.len > 0) {
        policy_choose(p, s, &q, choice, &ret->result);
        settle(ret, s);
        return;
    }
    policy_eval(p, s, &q, &ret->result);
    if (ret->result.verdict != POLICY_ASK) {
        settle(ret, s);
        return;
    }
    if (request->assume_yes) {
        /* As if the person had taken what was asked for. */
        policy_choose(p, s, &q, ret->result.requested, &ret->result);
        settle(ret, s);
        return;
    }
    settle(ret, s);
    ret->asks = !request->just_evaluate;
}

/* ---- JSON --------------------------------------------------------------- */

static json_t *text(struct span s)
{
    return json_stringn((const char *)s.ptr, s.len);
}

static json_t *target_text(const struct policy_target *t)
{
    char name[POLICY_TARGET_TEXT_MAX];

    return policy_target_format(t, name, sizeof(name)) ? json_string(name)
                                                       : NULL;
}

static json_t *targets_of(
        const struct policy_result *r, const struct policy_system *s)
{
    json_t *list = json_array();
    struct policy_target t;
    size_t pos = 0;

    while (policy_ask_next(r, s, &pos, &t)) {
        if (json_array_append_new(list, target_text(&t)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* json_pack frees what it was given and returns NULL when a part is missing. */
static char *dump(json_t *doc)
{
    char *out =
            json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

    json_decref(doc);
    return out;
}

char *verdict_question(const struct verdict *v, const struct info *info)
{
    const struct policy_result *r = &v->result;

    return dump(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "source",
            text(r->source->name), "service", text(r->service), "argument",
            text(r->argument), "targets", targets_of(r, info->system),
            "default_target",
            r->target.qube ? target_text(&r->target) : json_string(""), "icons",
            info_icons(info)));
}

char *verdict_notice(
        const struct verdict *v, const struct policyline_request *request)
{
    const struct policy_result *r = &v->result;

    return dump(json_pack("{s:s, s:o, s:o, s:o, s:o}", "resolution",
            v->allow ? "allow" : "deny", "service", text(r->service),
            "argument", text(r->argument), "source", text(r->source->name),
            "target",
            v->allow ? target_text(&r->target) : text(request->target)));
}

bool verdict_parse_answer(struct span answer, struct span *ret)
{
    static const char allow[] = "allow:";
    size_t n = sizeof(allow) - 1;

    if (answer.len <= n || memcmp(answer.ptr, allow, n) != 0)
        return false;
    *ret = SPAN(answer.ptr + n, answer.len - n);
    return true;
}

/* ---- policy.EvalGUI ----------------------------------------------------- */

static bool has_tag(const struct policy_qube *q, struct span tag)
{
    for (size_t i = 0; i < q->n_tags; i++) {
        if (span_eq(q->tags[i], tag))
            return true;
    }
    return false;
}

bool verdict_is_guivm(const struct info *info, const struct policyline_eval *e)
{
    const struct span both[] = {e->source, e->target};
    char tag[80];
    int n = snprintf(
            tag, sizeof(tag), "guivm-%.*s", (int)e->caller.len, e->caller.ptr);

    if (n < 0 || (size_t)n >= sizeof(tag))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        const struct policy_qube *q = policy_system_find(info->system, both[i]);

        if (!q || !span_eq(q->name, both[i]) || !has_tag(q, span_str(tag)))
            return false;
    }
    return true;
}
