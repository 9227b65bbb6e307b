/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question put to the service policy.Ask in the source's GuiVM, in the
 * words of Qubes OS: JSON on its stdin, "allow:TARGET" or "deny" on its stdout.
 * The GuiVM is a qube: what it says is an answer within what policyd offers, or
 * none.  The call to it is this process's own; no qube can cause one but by a
 * call that the rules have asked about.
 */
#include "calld.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define SERVICE    "policy.Ask+"
#define ANSWER_MAX 128 /* "allow:", a target, an end of line */
/* All qubes and disposables with their icons, twice as much as a decision. */
#define QUESTION_MAX (512u << 10)
#define IN_MAX       65536

struct ask_guivm {
    struct ask *a;
    struct link *link;
    sd_event_source *io;
    struct qrexec_data data;
    char *question;
    char answer[ANSWER_MAX + 1];
    size_t len;
};

/* ---- the question ---------------------------------------------------- */

static json_t *icon_of(const struct calld *d, struct span name)
{
    const struct conf_qube *q = conf_qube_find(&d->qubes_conf, name);

    return json_sprintf("appvm-%s", q ? q->label : "black");
}

static bool add_target(
        json_t *targets, json_t *icons, const struct calld *d, struct span name)
{
    return json_array_append_new(targets,
                   json_stringn((const char *)name.ptr, name.len)) == 0 &&
           json_object_setn_new(icons, (const char *)name.ptr, name.len,
                   icon_of(d, name)) == 0;
}

/* NULL: out of memory. */
static char *format_question(const struct ask *a)
{
    const struct call *c = a->c;
    size_t name = strcspn(c->service, "+");
    json_t *targets = json_array(), *icons = json_object();
    const char *at = a->candidates;
    bool ok = json_object_set_new(icons, c->source_name,
                      icon_of(c->d, span_str(c->source_name))) == 0;
    json_t *doc;
    char *out;

    while (ok && *at) {
        size_t n = strcspn(at, "\n");

        ok = add_target(targets, icons, c->d, SPAN(at, n));
        at += n + (at[n] == '\n');
    }
    doc = json_pack("{s:s, s:s#, s:s, s:o, s:s, s:o}", "source", c->source_name,
            "service", c->service, (int)name, "argument",
            c->service[name] ? c->service + name : "+", "targets", targets,
            "default_target", a->fallback, "icons", icons);
    out = ok ? json_dumps(
                       doc, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII)
             : NULL;
    json_decref(doc);
    return out;
}

/* ---- begin and end --------------------------------------------------- */

static void asker_free(struct ask_guivm *g)
{
    if (!g)
        return;
    (void)sd_event_source_disable_unref(g->io);
    link_free(g->link);
    free(g->question);
    free(g);
}

void ask_guivm_end(struct ask *a)
{
    if (a->call)
        a->call->about = NULL; /* ends when it has begun */
    a->call = NULL;
    asker_free(TAKE_PTR(a->asker));
}

static void give_up(struct ask *a, const char *why)
{
    role_log(a->c->d->role,
            "the question about a call of %s was not put in %s:"
            " %s; 'qair call list' has it",
            a->c->source_name, a->guivm, why);
    ask_guivm_end(a);
}

void ask_guivm_begin(struct ask *a)
{
    struct call *c = call_new(a->c->d, CALL_OF_ASK);

    if (!c) {
        give_up(a, "too many calls at once");
        return;
    }
    c->about = a;
    c->autostart = true;
    a->call = c;
    (void)snprintf(c->source_name, sizeof(c->source_name), "@adminvm");
    (void)snprintf(c->service, sizeof(c->service), SERVICE);
    (void)snprintf(c->requested, sizeof(c->requested), "%s", a->guivm);
    (void)snprintf(c->qube, sizeof(c->qube), "%s", a->guivm);
    plan_start(c, PLAN_ASK);
}

void ask_guivm_refused(struct call *c)
{
    struct ask *a = c->about;

    if (!a)
        return;
    c->about = NULL;
    a->call = NULL;
    give_up(a, c->reason);
}

/* ---- the conversation ------------------------------------------------ */

static int put(
        struct ask_guivm *g, const void *bytes, size_t n, struct err *err)
{
    return link_send(g->link, SPAN(bytes, n), NULL, 0, err);
}

static int put_question(struct ask_guivm *g, struct err *err)
{
    uint8_t header[QREXEC_HEADER_SIZE];
    const char *at = g->question;
    size_t left = strlen(at);
    int r = 0;

    while (r == 0) {
        size_t n = left;

        if (n > qrexec_data_chunk_max(&g->data))
            n = qrexec_data_chunk_max(&g->data);
        r = qrexec_data_put_header(&g->data, QREXEC_STDIN, n, header);
        if (r == 0)
            r = put(g, header, sizeof(header), err);
        if (n == 0) /* that was the end of file */
            break;
        if (r == 0)
            r = put(g, at, n, err);
        at += n;
        left -= n;
    }
    return r;
}

static int take(struct ask_guivm *g, struct span data, struct err *err)
{
    if (data.len > ANSWER_MAX - g->len)
        return err_set(err, ERR_LIMIT, "its answer is too long");
    memcpy(g->answer + g->len, data.ptr, data.len);
    g->len += data.len;
    return 0;
}

/* The answer counts; g is gone then. */
static void judge(struct ask_guivm *g, int code)
{
    static const char allow[] = "allow:";
    struct ask *a = g->a;
    struct call *c = a->c;
    struct span said = SPAN(g->answer, g->len);
    char choice[ANSWER_MAX + 1];

    if (said.len && said.ptr[said.len - 1] == '\n')
        said.len--;
    if (code != 0) {
        give_up(a, "policy.Ask failed there");
    } else if (span_eq_str(said, "deny")) {
        call_refuse(c, ERR_DENIED, c->d->where,
                "denied by the person asked in %s", a->guivm);
    } else if (said.len >= sizeof(allow) &&
               memcmp(said.ptr, allow, sizeof(allow) - 1) == 0) {
        said = SPAN(
                said.ptr + sizeof(allow) - 1, said.len - (sizeof(allow) - 1));
        memcpy(choice, said.ptr, said.len);
        ask_answer(c, SPAN(choice, said.len)); /* frees what said points to */
    } else {
        call_refuse(c, ERR_DENIED, c->d->where,
                "policy.Ask in %s gave no answer that is known", a->guivm);
    }
}

/* 1: the service has ended with *ret_code. */
static int hear(struct ask_guivm *g, int *ret_code, struct err *err)
{
    struct span in = link_in(g->link);
    size_t before = in.len;
    struct qrexec_event e;
    int r;

    do {
        r = qrexec_data_feed(&g->data, &in, &e, err);
        if (r == 0 && e.kind == QREXEC_EVENT_HELLO)
            r = put_question(g, err);
        else if (r == 0 && e.kind == QREXEC_EVENT_DATA &&
                 e.stream == QREXEC_STDOUT)
            r = take(g, e.data, err);
    } while (r == 0 && e.kind != QREXEC_EVENT_NONE &&
             e.kind != QREXEC_EVENT_EXIT);
    link_consume(g->link, before - in.len);
    if (r < 0 || e.kind != QREXEC_EVENT_EXIT)
        return r;
    *ret_code = e.exit_code;
    return 1;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct ask_guivm *g = user;
    struct err err = {.msg = "the link"};
    unsigned events = EPOLLIN;
    int code = 0, dead, r = 0;

    (void)fd;
    if (revents & EPOLLOUT)
        r = link_flush(g->link, &err);
    dead = r;
    if (!dead && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        dead = link_recv(g->link, &err);
    r = hear(g, &code, &err);
    if (r > 0) {
        judge(g, code);
    } else if (r < 0 || dead) {
        give_up(g->a, err.msg);
    } else {
        if (link_events(g->link) & EPOLLOUT)
            events |= EPOLLOUT;
        (void)sd_event_source_set_io_events(s, events);
    }
    return 0;
}

void ask_guivm_connected(struct call *c)
{
    struct ask *a = c->about;
    struct ask_guivm *g;
    uint8_t hello[12];
    struct err err = {.msg = "no memory"};

    if (!a) /* answered meanwhile: the stream closes with c */
        return;
    c->about = NULL;
    a->call = NULL;
    g = calloc(1, sizeof(*g));
    if (!g)
        role_fatal(c->d->role, "out of memory");
    a->asker = g;
    g->a = a;
    g->question = format_question(a);
    g->link = link_new_stream(c->data_back, IN_MAX, QUESTION_MAX);
    if (!g->question || !g->link) {
        give_up(a, err.msg);
        return;
    }
    c->data_back = -1;
    qrexec_data_init(&g->data, QREXEC_CALLER);
    qrexec_data_put_hello(&g->data, hello);
    if (sd_event_add_io(role_event(a->c->d->role), &g->io, link_fd(g->link),
                EPOLLIN, on_io, g) < 0)
        role_fatal(a->c->d->role, "event loop");
    if (put(g, hello, sizeof(hello), &err) < 0)
        give_up(a, err.msg);
}
