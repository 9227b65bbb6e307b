/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key sessions.  A job is one artefact on its way to a signature:
 *
 *   request -> child reads -> digests -> sign, verify, evidence, statement
 *           -> record durable in the log -> receipt
 *
 * The signature leaves in the receipt, after the record and not before.  A job
 * dies with its session, its child, its time, or the log; then nothing leaves.
 */
#include "keyd_job.h"

#include "receipt.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define SESSION_LOOK_US 1000000

/* The next child is forked this long after a job: its answer is on its way
 * back through processes that want the processor now. */
#define PREPARE_AFTER_US 2000

/* ---- sessions -------------------------------------------------------- */

static const size_t session_spans[] = {
        offsetof(struct msg_key_session, source_zone),
        offsetof(struct msg_key_session, source_qube),
        offsetof(struct msg_key_session, requested),
        offsetof(struct msg_key_session, source),
        offsetof(struct msg_key_session, qube),
        offsetof(struct msg_key_session, service),
        offsetof(struct msg_key_session, rule),
        offsetof(struct msg_key_session, keys),
        offsetof(struct msg_key_session, envelope),
};

static struct span *span_at(struct msg_key_session *s, size_t offset)
{
    return (struct span *)(void *)((uint8_t *)s + offset);
}

static struct keyd_session *session_new(
        struct keyd *k, const struct msg_key_session *call)
{
    struct keyd_session *s;
    struct msg_key_session copy = *call;
    size_t total = 0, at = 0;

    for (size_t i = 0; i < ARRAY_LEN(session_spans); i++)
        total += span_at(&copy, session_spans[i])->len;
    s = calloc(1, sizeof *s + total);
    if (!s)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(session_spans); i++) {
        struct span *v = span_at(&copy, session_spans[i]);

        if (v->len > 0)
            memcpy(s->text + at, v->ptr, v->len);
        v->ptr = s->text + at;
        at += v->len;
    }
    s->k = k;
    s->call = copy;
    return s;
}

/*
 * A service that stays when its call is over, or hands its descriptor on, must
 * not keep a key that signs later, nor a place that others need.
 */
static int on_session_over(sd_event_source *timer, uint64_t usec, void *user)
{
    struct keyd_session *s = user;

    (void)usec;
    s->over = true;
    if (s->n_jobs == 0) {
        role_link_close(s->link);
        return 0;
    }
    if (sd_event_source_set_time_relative(timer, SESSION_LOOK_US) < 0 ||
            sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT) < 0)
        role_fatal(s->k->role, "event loop");
    return 0;
}

/* By a clock that nobody sets: a call lives no longer than the limit. */
static int session_watch(struct keyd_session *s)
{
    uint64_t now = role_now(), left = LIMIT_CALL_DEADLINE_S;

    if (s->call.deadline != 0 && s->call.deadline < now + left)
        left = s->call.deadline > now ? s->call.deadline - now : 0;
    return sd_event_add_time_relative(role_event(s->k->role), &s->timer,
            CLOCK_MONOTONIC, (left + 1) * 1000000, 0, on_session_over, s);
}

void keyd_session_open(struct role *r, const struct role_msg *m)
{
    struct keyd *k = role_user(r);
    struct role_link *link = NULL;
    struct keyd_session *s;
    struct err err = {.msg = ""};

    if (k->n_sessions >= LIMIT_CALLS_MAX) {
        role_refuse(
                r, m->ticket, ERR_LIMIT, KEYD_WHERE, "too many key sessions");
        return;
    }
    s = session_new(k, m->body);
    if (!s)
        role_fatal(r, "no memory for a key session");
    if (role_link_add(r, TAKE_FD(m->fds->fd[0]), MSG_ROLE_SERVICE, s, &link,
                &err) != 0) {
        free(s);
        role_refuse(r, m->ticket, ERR_LIMIT, KEYD_WHERE, "%s", err.msg);
        return;
    }
    s->link = link;
    if (session_watch(s) < 0)
        role_fatal(r, "event loop");
    k->n_sessions++;
    role_reply_ok(r, m->ticket);
}

/* ---- jobs ------------------------------------------------------------ */

static void job_stop_reading(struct keyd_job *j)
{
    j->io = sd_event_source_disable_unref(j->io);
    j->timer = sd_event_source_disable_unref(j->timer);
    if (j->child > 0)
        keyd_parse_end(j->child);
    j->child = 0;
    buf_close_fd(&j->fd);
    j->fd = -1;
}

static void job_free(struct keyd_job *j)
{
    struct keyd *k = j->session->k;

    job_stop_reading(j);
    role_forget(k->role, j);
    j->session->n_jobs--;
    k->n_jobs--;
    LIST_REMOVE(j, next);
    buf_fini(&j->signature);
    buf_fini(&j->evidence);
    buf_fini(&j->statement);
    free(j);
    if (sd_event_source_set_time_relative(k->prepare, PREPARE_AFTER_US) < 0 ||
            sd_event_source_set_enabled(k->prepare, SD_EVENT_ONESHOT) < 0)
        role_fatal(k->role, "event loop");
}

static void job_refuse(struct keyd_job *j, int code, const char *reason)
{
    role_refuse(j->session->k->role, j->ticket, code, KEYD_WHERE, "%s", reason);
    job_free(j);
}

void keyd_session_gone(struct keyd *k, struct role_link *link)
{
    struct keyd_session *s = role_link_user(link);
    struct keyd_job *j, *next;

    if (!s)
        return;
    for (j = LIST_FIRST(&k->jobs); j; j = next) {
        next = LIST_NEXT(j, next);
        if (j->session == s)
            job_free(j);
    }
    k->n_sessions--;
    s->timer = sd_event_source_disable_unref(s->timer);
    free(s);
}

/* ---- the end: durable, so it may leave ------------------------------- */

static void on_appended(
        struct role *r, const struct role_msg *answer, void *user)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(RECEIPT_MAX);
    struct keyd_job *j = user;
    struct err err = {.msg = ""};

    if (answer->type == MSG_REFUSED) {
        role_refuse_as(r, j->ticket, answer->body);
        job_free(j);
        return;
    }
    if (keyd_sign_receipt(j, ((const struct msg_appended *)answer->body)->proof,
                &text, &err) != 0) {
        job_refuse(j, err.code, err.msg);
        return;
    }
    role_reply_file(r, j->ticket, buf_span(&text));
    job_free(j);
}

static void job_record(struct keyd_job *j)
{
    struct msg_append a = {
            .kind = MSG_APPEND_SIGNED,
            .want_proof = 1,
            .payload = buf_span(&j->statement),
    };
    struct role_request q = {
            .to = MSG_ROLE_LOGD,
            .type = MSG_APPEND,
            .msg = &a,
            .expect = MSG_APPENDED,
            .done = on_appended,
            .user = j,
    };

    role_request(j->session->k->role, &q);
}

/* The owner's word about the key: named in the pack, the same, for what the
 * file in keys/ says it is for, in its time. */
static int check_owner(
        const struct keyd *k, const struct keyd_key *key, struct err *err)
{
    const struct pack_key *p =
            k->pack ? pack_key(k->pack, span_str(key->file.name)) : NULL;

    if (!p || !span_eq_str(k->zone_name, p->zone) ||
            !crypto_pub_eq(p->pub, key->pub))
        return err_set(err, ERR_DENIED,
                "key '%s' is not in the owner's pack: qair pack add-key",
                key->file.name);
    if (!span_eq_str(
                span_str(p->custody), keyd_custody_name(key->file.custody)) ||
            !span_eq_str(span_str(p->profile),
                    profile_name((enum profile_id)key->file.profile)))
        return err_set(err, ERR_DENIED,
                "key '%s' is for profile %s in custody %s in the pack",
                key->file.name, p->profile, p->custody);
    if (!pack_key_valid(p, role_now()))
        return err_set(err, ERR_DENIED,
                "key '%s' is revoked or out of its time in the pack",
                key->file.name);
    return 0;
}

static void job_sign(struct keyd_job *j)
{
    struct keyd *k = j->session->k;
    struct err err = {.msg = ""};
    int r;

    if (!keyd_state_ready(k, j->ticket)) {
        job_free(j);
        return;
    }
    /* the pack may have changed since the request */
    r = check_owner(k, j->key, &err);
    if (r == 0)
        r = keyd_sign_artefact(j, &err);
    if (r != 0) {
        job_refuse(j, r, err.msg);
        return;
    }
    /* the quote was taken last: did it still show the approved state? */
    if (!keyd_state_ready(k, j->ticket)) {
        job_free(j);
        return;
    }
    job_record(j);
}

/* ---- reading --------------------------------------------------------- */

static void job_read_whole(struct keyd_job *j)
{
    bool whole = j->got == sizeof j->digests;

    job_stop_reading(j);
    if (!whole) {
        job_refuse(j, ERR_PEER, "the artefact could not be read to its end");
        return;
    }
    memcpy(&j->digests, j->answer, sizeof j->digests);
    job_sign(j);
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    struct keyd_job *j = user;
    ssize_t n;

    (void)s;
    (void)revents;
    n = read(fd, j->answer + j->got, sizeof j->answer - j->got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n > 0) {
        j->got += (size_t)n;
        if (j->got < sizeof j->answer)
            return 0;
    }
    job_read_whole(j);
    return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *user)
{
    (void)s;
    (void)usec;
    job_refuse(user, ERR_TIMEOUT, "the artefact took too long");
    return 0;
}

/* A failure here shows, with its reason, when an artefact needs the child. */
static int on_quiet(sd_event_source *s, uint64_t usec, void *user)
{
    struct keyd *k = user;

    (void)s;
    (void)usec;
    (void)!keyd_parse_prepare(&k->ring, &k->parser, NULL);
    return 0;
}

int keyd_session_init(struct keyd *k, struct err *err)
{
    k->parser = KEYD_PARSER_NONE;
    if (sd_event_add_time_relative(role_event(k->role), &k->prepare,
                CLOCK_MONOTONIC, 0, PREPARE_AFTER_US, on_quiet, k) < 0 ||
            sd_event_source_set_priority(k->prepare, SD_EVENT_PRIORITY_IDLE) <
                    0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

/* ---- a request ------------------------------------------------------- */

/* Exact words: there is no "*" for keys. */
static bool session_has_key(const struct keyd_session *s, struct span key)
{
    struct span rest = s->call.keys, word;

    while (text_next_word(&rest, &word))
        if (span_eq(word, key))
            return true;
    return false;
}

static int check_request(struct keyd *k, const struct keyd_session *s,
        const struct msg_key_sign *q, struct keyd_key **ret, struct err *err)
{
    char shown[PROFILE_ARTEFACT_MAX];
    struct keyd_key *key;
    int r;

    text_format_safe(q->key, shown, sizeof shown);
    if (s->over || (s->call.deadline != 0 && role_now() > s->call.deadline))
        return err_set(err, ERR_TIMEOUT, "the call's deadline has passed");
    if (!session_has_key(s, q->key))
        return err_set(err, ERR_DENIED,
                "qube '%.*s' may not use the key '%.64s': see keys in "
                "qubes.d/%.*s.conf",
                (int)s->call.qube.len, (const char *)s->call.qube.ptr, shown,
                (int)s->call.qube.len, (const char *)s->call.qube.ptr);
    key = keyd_ring_find(&k->ring, q->key);
    if (!key)
        return err_set(err, ERR_NOT_FOUND,
                "there is no key '%.64s': qair key create", shown);
    if (!profile_is_artefact_name(q->name))
        return err_set(err, ERR_SYNTAX, "malformed name of an artefact");
    if (k->n_jobs >= KEYD_JOBS_MAX || s->n_jobs >= KEYD_JOBS_PER_SESSION)
        return err_set(err, ERR_LIMIT, "too many artefacts at the same time");
    r = check_owner(k, key, err);
    if (r == 0)
        *ret = key;
    return r;
}

static int job_start(struct keyd_job *j, int artefact, struct err *err)
{
    struct keyd *k = j->session->k;
    sd_event *event = role_event(k->role);
    int r;

    r = keyd_parse_start(&k->ring, &k->parser,
            (enum profile_id)j->key->file.profile, artefact, &j->child, &j->fd,
            err);
    if (r != 0)
        return r;
    if (sd_event_add_io(event, &j->io, j->fd, EPOLLIN, on_answer, j) < 0 ||
            sd_event_add_time_relative(event, &j->timer, CLOCK_MONOTONIC,
                    LIMIT_ARTEFACT_S * 1000000ull, 0, on_timeout, j) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

static struct keyd_job *job_new(
        struct keyd_session *s, struct keyd_key *key, const struct role_msg *m)
{
    const struct msg_key_sign *q = m->body;
    struct keyd_job *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->session = s;
    j->key = key;
    j->ticket = m->ticket;
    j->fd = -1;
    memcpy(j->name, q->name.ptr, q->name.len);
    j->signature = BUF_INIT(PROFILE_TEXT_MAX);
    j->evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    j->statement = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    LIST_INSERT_HEAD(&s->k->jobs, j, next);
    s->n_jobs++;
    s->k->n_jobs++;
    return j;
}

void keyd_session_sign(struct role *r, const struct role_msg *m)
{
    struct keyd_session *s = role_link_user(m->link);
    struct keyd *k = role_user(r);
    struct keyd_key *key = NULL;
    struct keyd_job *j;
    struct err err = {.msg = ""};
    int e;

    e = check_request(k, s, m->body, &key, &err);
    if (e != 0) {
        role_refuse(r, m->ticket, e, KEYD_WHERE, "%s", err.msg);
        return;
    }
    if (!keyd_state_ready(k, m->ticket))
        return;
    j = job_new(s, key, m);
    if (!j)
        role_fatal(r, "no memory for a signature");
    e = job_start(j, m->fds->fd[0], &err);
    if (e != 0)
        job_refuse(j, e, err.msg);
}
