/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-logd: the log of a zone.
 *
 * One writer of log/ (room store): it takes records from calld, netd and keyd,
 * makes them durable in groups, and answers when they are.  It signs with the
 * log key, which keyd unseals in any state of the machine and hands over once:
 * until then records wait, for a while and up to a bound.  Where the log cannot
 * be opened it serves all the same and refuses each record with the reason, so
 * that whoever asked for an act reads why it did not happen.
 *
 * Taking this process gains the log key: with it one can sign false records
 * and, by keeping back what was acknowledged, a second history.  A checkpoint
 * that any envelope carried to another zone shows the second one as a fork.
 * Hence no network, and no file but those beneath log/.
 */
#include "batch.h"
#include "record.h"
#include "role.h"

#include <stdio.h>
#include <stdlib.h>

/* A quiet log is flushed after this long: the next start has no replay. */
#define FLUSH_AFTER_US 1000000
/* The folder may be repaired, or the disk emptied, while we run. */
#define REOPEN_AFTER_US 1000000
/* A TPM takes a second or two to unseal; no act waits longer than this. */
#define KEY_WAIT_US 20000000

struct logd {
    struct role *role;
    struct store *store; /* NULL: no key yet, or it cannot be opened */
    struct crypto_key *key;
    struct merkle_vkey vkey;
    struct err why; /* why there is no store */
    uint64_t tried_us;
    struct batch batch;
    struct batch waiting;   /* for the key: as they came, after a prefix */
    struct buf entry;       /* scratch of on_append */
    sd_event_source *defer; /* commits when no message is left to read */
    sd_event_source *timer; /* flushes when it is quiet */
};

static struct role_ticket ticket_of(const struct batch_waiter *w)
{
    return (struct role_ticket){.link = w->link, .id = w->id};
}

static void refuse(
        struct logd *d, struct role_ticket t, int code, const char *reason)
{
    char where[LIMIT_ZONE_NAME_MAX + 16];

    snprintf(where, sizeof where, "log of zone %s", role_zone(d->role));
    role_refuse(d->role, t, code, where, "%s", reason);
}

/* ---- groups ----------------------------------------------------------- */

static void on_done(void *arg, const struct batch_waiter *waiter, int code,
        uint64_t index, const struct err *err)
{
    CLEANUP(buf_fini) struct buf proof = BUF_INIT(MERKLE_TLOG_PROOF_MAX);
    struct logd *d = arg;
    struct msg_appended m = {.index = index};
    struct err why;

    if (code < 0) {
        refuse(d, ticket_of(waiter), code, err->msg);
        return;
    }
    if (waiter->want_proof &&
            (code = store_prove(d->store, index, &proof, &why)) < 0) {
        refuse(d, ticket_of(waiter), code, why.msg);
        return;
    }
    m.size = store_head(d->store)->size;
    memcpy(m.root, store_head(d->store)->root, sizeof m.root);
    m.proof = buf_span(&proof);
    role_reply(d->role, ticket_of(waiter), MSG_APPENDED, &m, NULL, 0);
}

static void open_store(struct logd *d)
{
    uint64_t now = 0;

    if (d->key == NULL || d->store != NULL)
        return;
    (void)sd_event_now(role_event(d->role), CLOCK_MONOTONIC, &now);
    if (d->tried_us != 0 && now - d->tried_us < REOPEN_AFTER_US)
        return;
    d->tried_us = now;
    if (store_open(role_handle(d->role, "log"), &d->vkey, d->key, 0, &d->store,
                &d->why) < 0) {
        d->store = NULL;
        role_log(d->role, "%s", d->why.msg);
    }
}

static void commit(struct logd *d)
{
    open_store(d);
    if (d->store == NULL) {
        batch_refuse(&d->batch, &d->why, on_done, d);
        return;
    }
    batch_commit(&d->batch, d->store, on_done, d);
    if (store_failed(d->store))
        role_fatal(d->role, "a write to disk failed; the next start decides "
                            "from the journal");
    if (sd_event_source_set_time_relative(d->timer, FLUSH_AFTER_US) < 0 ||
            sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT) < 0)
        role_fatal(d->role, "event loop");
}

static int on_defer(sd_event_source *s, void *user)
{
    (void)s;
    commit(user);
    return 0;
}

static int on_timer(sd_event_source *s, uint64_t us, void *user)
{
    struct logd *d = user;
    struct err err;

    (void)s;
    (void)us;
    if (d->key == NULL) {
        err_set(&err, ERR_STATE, "keyd has not handed over the log key");
        batch_refuse(&d->waiting, &err, on_done, d);
    }
    if (d->store != NULL && store_flush(d->store, &err) < 0)
        role_fatal(d->role, "%s", err.msg);
    return 0;
}

/* ---- messages --------------------------------------------------------- */

static void accept_record(struct logd *d, const struct msg_append *a,
        uint8_t peer, struct batch_waiter w)
{
    struct role *r = d->role;
    struct err err;
    int code;

    buf_reset(&d->entry);
    code = record_entry(a, peer, role_zone(r), d->key, &d->entry, &err);
    if (code < 0) {
        role_log(r, "record of %s refused: %s", msg_role_name(peer), err.msg);
        refuse(d, ticket_of(&w), code, err.msg);
        return;
    }
    if (batch_add(&d->batch, buf_span(&d->entry), w) < 0) {
        refuse(d, ticket_of(&w), ERR_LIMIT, "too many records are waiting");
        return;
    }
    if (batch_is_full(&d->batch))
        commit(d);
    else if (sd_event_source_set_enabled(d->defer, SD_EVENT_ONESHOT) < 0)
        role_fatal(r, "event loop");
}

/* The record as it came, behind the two bytes that say how to read it. */
static void wait_for_key(struct logd *d, const struct msg_append *a,
        uint8_t peer, struct batch_waiter w)
{
    buf_reset(&d->entry);
    buf_append_u8(&d->entry, peer);
    buf_append_u8(&d->entry, a->kind);
    buf_append(&d->entry, a->payload);
    if (buf_ok(&d->entry, NULL) < 0 ||
            batch_add(&d->waiting, buf_span(&d->entry), w) < 0) {
        refuse(d, ticket_of(&w), ERR_LIMIT, "too many records are waiting");
        return;
    }
    if (d->waiting.n > 1)
        return;
    if (sd_event_source_set_time_relative(d->timer, KEY_WAIT_US) < 0 ||
            sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT) < 0)
        role_fatal(d->role, "event loop");
}

static void on_append(struct role *r, const struct role_msg *m)
{
    struct logd *d = role_user(r);
    const struct msg_append *a = m->body;
    uint8_t peer = role_link_peer(m->link);
    struct batch_waiter w = {m->ticket.link, m->ticket.id, a->want_proof != 0};

    if (d->key == NULL)
        wait_for_key(d, a, peer, w);
    else
        accept_record(d, a, peer, w);
}

static void accept_waiting(struct logd *d)
{
    for (size_t i = 0; i < d->waiting.n; i++) {
        const struct batch_item *item = &d->waiting.items[i];
        const uint8_t *p = d->waiting.bytes.ptr + item->at;
        struct msg_append a = {
                .kind = p[1], .payload = SPAN(p + 2, item->len - 2)};

        accept_record(d, &a, p[0], item->waiter);
    }
    batch_empty(&d->waiting);
}

/* The same key again after keyd was restarted; another one is an attack. */
static void on_key(struct role *r, const struct role_msg *m)
{
    struct logd *d = role_user(r);
    const struct msg_log_key *k = m->body;
    struct crypto_key *key = crypto_key_ed25519(k->seed);
    struct err err;

    if (key == NULL)
        role_fatal(r, "log key: out of memory");
    if (d->key != NULL) {
        if (!crypto_pub_eq(crypto_key_pub(key), crypto_key_pub(d->key)))
            role_fatal(r, "keyd sent another log key");
        crypto_key_free(key);
        role_reply_ok(r, m->ticket);
        return;
    }
    if (merkle_vkey_for_zone(span_str(role_zone(r)), crypto_key_pub(key),
                &d->vkey, &err) < 0)
        role_fatal(r, "%s", err.msg);
    d->key = key;
    open_store(d);
    role_reply_ok(r, m->ticket);
    accept_waiting(d);
}

static void on_checkpoint_get(struct role *r, const struct role_msg *m)
{
    struct logd *d = role_user(r);
    struct msg_appended a = {.proof = SPAN_EMPTY};

    open_store(d);
    if (d->store == NULL) {
        refuse(d, m->ticket, ERR_STATE,
                d->key == NULL ? "keyd has not handed over the log key"
                               : d->why.msg);
        return;
    }
    a.size = store_head(d->store)->size;
    a.index = a.size == 0 ? 0 : a.size - 1;
    memcpy(a.root, store_head(d->store)->root, sizeof a.root);
    role_reply(r, m->ticket, MSG_APPENDED, &a, NULL, 0);
}

/* ---- start ------------------------------------------------------------ */

static int start(struct role *r, struct err *err)
{
    struct logd *d = calloc(1, sizeof *d); /* as long as the process */
    sd_event *e = role_event(r);

    if (d == NULL || batch_init(&d->batch, err) < 0 ||
            batch_init(&d->waiting, err) < 0)
        return err_set(err, ERR_MEMORY, "out of memory");
    d->role = r;
    d->entry = BUF_INIT(LIMIT_IPC_MSG_MAX);
    role_set_user(r, d);
    if (role_handle(r, "log") < 0)
        return err_set(err, ERR_NOT_FOUND, "no log folder");
    if (sd_event_add_defer(e, &d->defer, on_defer, d) < 0 ||
            sd_event_source_set_enabled(d->defer, SD_EVENT_OFF) < 0 ||
            sd_event_source_set_priority(d->defer, SD_EVENT_PRIORITY_IDLE) <
                    0 ||
            sd_event_add_time_relative(e, &d->timer, CLOCK_MONOTONIC,
                    FLUSH_AFTER_US, 0, on_timer, d) < 0 ||
            sd_event_source_set_enabled(d->timer, SD_EVENT_OFF) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

static const struct sandbox_spec sandbox = {
        .name = "logd",
        .groups = SANDBOX_FILES, /* writes beneath log/, nothing else */
        .max_fds = 64,
        /* A bundle of 256 of the largest entries. */
        .max_file = 32u << 20,
        .max_lock = 1u << 20, /* the log key */
};

static const struct role_permit permits[] = {
        {MSG_ROLE_CALLD, MSG_APPEND, ROLE_OPEN, on_append},
        {MSG_ROLE_NETD, MSG_APPEND, ROLE_OPEN, on_append},
        {MSG_ROLE_KEYD, MSG_APPEND, ROLE_OPEN, on_append},
        {MSG_ROLE_KEYD, MSG_LOG_KEY, ROLE_OPEN, on_key},
        {MSG_ROLE_CALLD, MSG_CHECKPOINT_GET, ROLE_OPEN, on_checkpoint_get},
};

static const struct role_spec spec = {
        .role = MSG_ROLE_LOGD,
        .sandbox = &sandbox,
        .start = start,
        .permits = permits,
        .n_permits = ARRAY_LEN(permits),
};

int main(int argc, char **argv)
{
    return role_main(&spec, argc, argv);
}
