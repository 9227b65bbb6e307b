/* SPDX-License-Identifier: Apache-2.0 */
/* What the qube asked for, and what the policy says to it. */
#include "daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the table ------------------------------------------------------- */

static struct span ident_of(const uint8_t ident[QREXEC_IDENT_SIZE])
{
    const uint8_t *end = memchr(ident, 0, QREXEC_IDENT_SIZE);

    return SPAN(ident, end ? (size_t)(end - ident) : QREXEC_IDENT_SIZE);
}

struct request *request_find(struct daemon *d, struct span ident)
{
    const uint8_t *end = ident.len ? memchr(ident.ptr, 0, ident.len) : NULL;

    if (end)
        ident.len = (size_t)(end - ident.ptr);
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *r = d->requests[i];

        if (r && !r->answered && span_eq(ident_of(r->ident), ident))
            return r;
    }
    return NULL;
}

static bool add(struct daemon *d, struct request *r)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        if (d->requests[i])
            continue;
        d->requests[i] = r;
        d->n_requests++;
        return true;
    }
    return false;
}

void request_free(struct request *r)
{
    struct daemon *d = r->d;

    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        if (d->requests[i] != r)
            continue;
        d->requests[i] = NULL;
        d->n_requests--;
    }
    talk_free(r->talk);
    program_forget(r);
    free(r);
    if (d->closing && d->n_requests == 0)
        daemon_exit(d, 0);
}

/* ---- the end --------------------------------------------------------- */

void request_fail(struct request *r, const char *fmt, ...)
{
    char why[ERR_MSG_MAX];
    char service[96];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    text_format_safe(span_str(r->asked.service), service, sizeof(service));
    daemon_log_qube(r->d, "%s to %s%s%s: %s%s", service,
            *r->asked.target ? r->asked.target : "@default",
            *r->asked.source ? " for " : "", r->asked.source,
            r->answered ? "" : "refused: ", why);
    if (!r->answered)
        control_refuse(r->d, r->ident);
    r->answered = true;
    talk_free(TAKE_PTR(r->talk));
    if (r->disposable)
        hop_kill(r);
    else
        request_free(r);
}

void request_abandon(struct request *r)
{
    r->answered = true;
    if (r->creating) /* its name is still to come */
        return;
    talk_free(TAKE_PTR(r->talk));
    if (r->disposable)
        hop_kill(r);
    else
        request_free(r);
}

void requests_abort(struct daemon *d)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        if (d->requests[i])
            request_abandon(d->requests[i]);
    }
}

/* ---- the decision ---------------------------------------------------- */

struct span request_source(const struct request *r)
{
    return r->decision.policy_source.len ? r->decision.policy_source
                                         : span_str(r->d->o.name);
}

struct span request_service(const struct request *r)
{
    return r->decision.service.len ? r->decision.service
                                   : span_str(r->asked.service);
}

static void decide(struct request *r, struct span answer)
{
    struct err err;
    int e;

    if (answer.len >= sizeof(r->answer)) {
        request_fail(r, "the policy's answer is too long");
        return;
    }
    memcpy(r->answer, answer.ptr, answer.len);
    e = policyline_response_parse(
            SPAN(r->answer, answer.len), false, &r->decision, &err);
    if (e)
        request_fail(r, "the policy's answer is none: %s", err.msg);
    else if (!r->decision.allow)
        request_fail(r, "denied by policy%s%.*s",
                r->decision.reason.len ? ": " : "", (int)r->decision.reason.len,
                r->decision.reason.ptr);
    else if (dsock_is_dom0(r->decision.target))
        dom0_start(r);
    else
        hop_start(r);
}

/* No answer at all: the one case in which somebody else may be asked. */
static void no_answer(struct request *r, const char *why)
{
    if (!r->d->o.policy_program)
        request_fail(r, "the policy service does not answer: %s", why);
    else if (*r->asked.source)
        /* The program knows no requested source: it would judge the relay. */
        request_fail(r,
                "the policy service does not answer (%s), and the policy "
                "program cannot judge a call for another qube",
                why);
    else
        program_start(r, decide);
}

static void on_policy(void *ctx, int e, struct err *err)
{
    struct request *r = ctx;
    char answer[POLICYLINE_RESPONSE_MAX];
    struct span in = talk_in(r->talk);

    if (e == 0) /* the end of the answer is the end of the stream */
        return;
    if (e != ERR_PEER && (e != ERR_NOT_FOUND || in.len)) {
        request_fail(r, "policy service: %s", err->msg);
        return;
    }
    memcpy(answer, in.ptr ? in.ptr : (const uint8_t *)"", in.len);
    talk_free(TAKE_PTR(r->talk));
    if (in.len)
        decide(r, SPAN(answer, in.len));
    else
        no_answer(r, e == ERR_PEER ? "it closed" : err->msg);
}

static int ask(struct request *r, struct err *err)
{
    struct daemon *d = r->d;
    char text[POLICYLINE_REQUEST_MAX];
    struct policyline_request q = {.source = span_str(d->o.name),
            .target = span_str(r->asked.target),
            .service = span_str(r->asked.service),
            .requested_source = span_str(r->asked.source)};
    size_t len;
    int e = policyline_request_format(&q, text, sizeof(text), &len, err);

    if (e)
        return e;
    return talk_new(&(struct talk_config){.event = d->event,
                            .path = d->o.policy_socket,
                            .text = SPAN(text, len),
                            .in_max = POLICYLINE_RESPONSE_MAX,
                            .timeout_s = d->o.decision_s,
                            .fn = on_policy,
                            .ctx = r},
            &r->talk, err);
}

/*
 * An ident is the agent's name for a request.  One that comes again means
 * that the agent has forgotten the former request (its client went away): it
 * is dropped, so that no client gets the answer to another's question.
 */
void request_new(struct daemon *d, const uint8_t ident[QREXEC_IDENT_SIZE],
        const struct qrexec_request *asked, bool bare)
{
    struct request *former = request_find(d, ident_of(ident));
    struct request *r;
    struct err err;
    int e;

    if (former)
        request_abandon(former);
    r = calloc(1, sizeof(*r));
    if (!r || d->closing || !add(d, r)) {
        daemon_log_qube(d, "request refused: %d are pending", REQUESTS_MAX);
        control_refuse(d, ident);
        free(r);
        return;
    }
    r->d = d;
    memcpy(r->ident, ident, sizeof(r->ident));
    r->asked = *asked;
    r->bare = bare;
    r->program_fd = -1;
    e = ask(r, &err);
    if (e == ERR_NOT_FOUND)
        no_answer(r, err.msg);
    else if (e)
        request_fail(r, "policy service: %s", err.msg);
}
