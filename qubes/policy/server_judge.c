/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its answer, through qubesd's state and a person's word. */
#include "server_int.h"

#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

/* ---- decisions ---------------------------------------------------------- */

void server_record(const struct client *c, const struct verdict *v, bool allow,
        const char *reason)
{
    char chosen[POLICY_TARGET_TEXT_MAX] = "";
    struct journal_decision d = {.request = c->id,
            .source = c->request.source,
            .target = c->request.target,
            .service = c->request.service,
            .allow = allow,
            .only_asked_about = c->request.just_evaluate,
            .rule_file = span_str(c->rule_file),
            .rule_line = c->rule_line,
            .reason = reason};

    if (c->request.requested_source.len) {
        d.relay = c->request.source;
        d.source = c->request.requested_source;
    }
    if (v) {
        d.rule_file = v->result.rule_file;
        d.rule_line = v->result.rule_line;
        if (allow &&
                policy_target_format(&v->result.target, chosen, sizeof(chosen)))
            d.chosen = span_str(chosen);
    }
    journal_decision(&d);
}

void server_refuse(struct client *c, const struct verdict *v, const char *why)
{
    server_record(c, v, false, why);
    server_say_deny(c->kind, c->fd, why);
    server_client_free(c);
}

static void permit(struct client *c, const struct verdict *v)
{
    char text[POLICYLINE_RESPONSE_MAX];
    struct policyline_response r = v->response;
    struct err err;
    size_t len;

    r.has_target = !c->request.just_evaluate;
    if (c->kind != SERVER_POLICY) {
        len = (size_t)snprintf(
                text, sizeof(text), "%s", policyline_eval_answer(true));
    } else if (policyline_response_format(&r, text, sizeof(text), &len, &err) <
               0) {
        server_refuse(c, v, err.msg);
        return;
    }
    server_record(c, v, true, v->result.reason);
    server_say(c->fd, text, len);
    server_client_free(c);
}

/* ---- notices ------------------------------------------------------------ */

void server_notice_free(struct notice *n)
{
    struct notice **at = &n->server->notices;

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    n->server->n_notices--;
    free(n);
}

static void on_noticed(void *ctx, struct span answer, const struct err *err)
{
    (void)answer;
    if (err)
        journal_note(LOG_WARNING, "nobody was notified: %s", err->msg);
    server_notice_free(ctx);
}

/* A caller that is denied in a row shows a person that, and no more. */
static bool may_notify(const struct server *s, const char *source)
{
    unsigned of_source = 0;

    for (const struct notice *n = s->notices; n; n = n->next)
        of_source += !strcmp(n->source, source);
    return s->n_notices < SERVER_NOTICES_MAX &&
           of_source < SERVER_NOTICES_PER_SOURCE;
}

/* A person is told; nothing waits for it, and nothing fails with it. */
static void notify(struct client *c, const struct verdict *v)
{
    struct server *s = c->server;
    const struct policy_qube *source = v->result.source;
    struct err err = {.code = 0};
    struct notice *n;

    if (!v->notify || c->request.just_evaluate || !source ||
            source->guivm.len == 0)
        return;
    n = calloc(1, sizeof(*n));
    if (!n)
        return;
    (void)snprintf(n->source, sizeof(n->source), "%.*s", (int)source->name.len,
            source->name.ptr);
    if (!may_notify(s, n->source)) {
        free(n);
        return;
    }
    n->server = s;
    n->next = s->notices;
    s->notices = n;
    s->n_notices++;
    if (question_ask(s->event, &s->config->questions, source->guivm,
                "policy.Notify", verdict_notice(v, &c->request),
                SERVER_NOTICE_TIMEOUT_US, on_noticed, n, &n->question,
                &err) < 0)
        on_noticed(n, SPAN_EMPTY, &err);
}

/* ---- questions ---------------------------------------------------------- */

/* No yes: the rule that asks is named, as one that denies would be. */
static void refuse_asked(struct client *c, const char *what)
{
    char reason[ERR_MSG_MAX];

    (void)snprintf(reason, sizeof(reason), "%s:%u asks: %s", c->rule_file,
            c->rule_line, what);
    server_refuse(c, NULL, reason);
}

static void on_answer(void *ctx, struct span answer, const struct err *err)
{
    struct client *c = ctx;
    struct span choice;

    c->question = NULL;
    c->server->n_questions--;
    if (err) {
        refuse_asked(c, err->msg);
        return;
    }
    if (!verdict_parse_answer(answer, &choice)) {
        refuse_asked(c, span_eq_str(answer, "deny")
                                ? "denied by the person"
                                : "policy.Ask gave no answer that is known");
        return;
    }
    memcpy(c->choice, choice.ptr, choice.len);
    c->choice[choice.len] = '\0';
    /* Judged again: rules and qubes may have changed meanwhile. */
    c->need = qubesd_need(c->server->qubesd);
    server_judge(c);
}

static const char *may_ask(const struct client *c, const struct verdict *v)
{
    const struct server *s = c->server;
    unsigned of_source = 0;

    if (v->result.source->guivm.len == 0)
        return "the caller has no GuiVM to ask in";
    if (s->n_questions >= SERVER_QUESTIONS_MAX)
        return "too many questions are open";
    for (const struct client *o = s->clients; o; o = o->next)
        of_source += o->question && !strcmp(o->source, c->source);
    if (of_source >= SERVER_QUESTIONS_PER_SOURCE)
        return "too many questions about this caller are open";
    return NULL;
}

static void ask(
        struct client *c, const struct verdict *v, const struct info *info)
{
    struct server *s = c->server;
    const struct policy_qube *source = v->result.source;
    struct err err = {.code = 0};
    const char *why;

    (void)snprintf(c->source, sizeof(c->source), "%.*s", (int)source->name.len,
            source->name.ptr);
    (void)snprintf(c->rule_file, sizeof(c->rule_file), "%.*s",
            (int)v->result.rule_file.len, v->result.rule_file.ptr);
    c->rule_line = v->result.rule_line;
    why = may_ask(c, v);
    if (!why && question_ask(s->event, &s->config->questions, source->guivm,
                        "policy.Ask", verdict_question(v, info),
                        s->config->ask_timeout_us, on_answer, c, &c->question,
                        &err) < 0)
        why = err.msg;
    if (why) {
        refuse_asked(c, why);
        return;
    }
    s->n_questions++;
    server_watch_asker(c, STATE_ASKING);
}

/* ---- judging ------------------------------------------------------------ */

static void answer(struct client *c, const struct info *info)
{
    const struct policytree *tree = snapshot_tree(c->server->policy);
    struct verdict v;

    if (c->kind == SERVER_EVAL_GUI && info &&
            !verdict_is_guivm(info, &c->eval)) {
        server_refuse(c, NULL, "the caller is not the GuiVM of both qubes");
        return;
    }
    verdict_of(tree->policy, info, &c->request, span_str(c->choice), &v);
    if (v.asks) {
        ask(c, &v, info);
        return;
    }
    notify(c, &v);
    if (v.allow)
        permit(c, &v);
    else
        server_refuse(c, &v, v.reason);
}

/* Answers, or waits until qubesd has told its state. */
void server_judge(struct client *c)
{
    struct server *s = c->server;
    const struct info *info = NULL;

    /* A policy with an error denies whatever the state is. */
    if (snapshot_tree(s->policy)->error.code == 0) {
        info = qubesd_info(s->qubesd, c->need);
        if (!info) {
            c->deadline_us = server_now_us(s) + SERVER_STATE_TIMEOUT_US;
            server_watch_asker(c, STATE_WAITING);
            return;
        }
    }
    answer(c, info);
}

/* The state came, or did not: who waits for it goes on. */
void server_on_state(void *ctx, uint64_t began, const struct err *err)
{
    struct server *s = ctx;
    struct client *next;

    for (struct client *c = s->clients; c; c = next) {
        const struct info *info;

        next = c->next;
        if (c->state != STATE_WAITING)
            continue;
        if (err && c->need <= began) {
            server_refuse(c, NULL, err->msg);
            continue;
        }
        info = qubesd_info(s->qubesd, c->need);
        if (info)
            answer(c, info);
    }
}
