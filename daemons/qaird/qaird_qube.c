/* SPDX-License-Identifier: Apache-2.0 */
/* Process qubes: started and stopped for calld, ended with calld, since the
 * link to a qube's agent is calld's and dies with it. */
#include "qaird.h"

#include "bundle.h"
#include "isolate.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVICE_CONFIG "rpc-config/" /* qrexec's /etc/qubes/rpc-config */

static struct qaird_qube *find(const struct qaird *q, struct span name)
{
    for (struct qaird_qube *u = q->qubes; u; u = u->next) {
        if (span_eq_str(name, u->name))
            return u;
    }
    return NULL;
}

static void refuse(struct qaird *q, uint32_t id, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

static void refuse(struct qaird *q, uint32_t id, const char *fmt, ...)
{
    char reason[ERR_MSG_MAX];
    struct msg_refused m = {
            .code = (uint32_t)-ERR_STATE, .where = span_str("qaird")};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    m.reason = span_str(reason);
    (void)qaird_role_put(&q->roles[MSG_ROLE_CALLD], MSG_REFUSED, id, &m, -1);
}

static void tell_gone(struct qaird *q, const char *name)
{
    struct msg_named m = {.name = span_str(name)};

    (void)qaird_role_put(&q->roles[MSG_ROLE_CALLD], MSG_QUBE_GONE, 0, &m, -1);
}

/* ---- what a qube sees of services/ ----------------------------------- */

struct files {
    struct isolate_file file[ISOLATE_FILES_MAX];
    char path[ISOLATE_FILES_MAX]
             [sizeof(ISOLATE_SERVICES) + 32 + LIMIT_BUNDLE_NAME_MAX];
    size_t n;
};

static bool may_see(const struct conf_qube *c, struct span name)
{
    return conf_list_has(c->services, name);
}

static int add_file(struct files *f, const struct bundle_file *b,
        const struct conf_qube *c, struct err *err)
{
    size_t skip = strlen(SERVICE_CONFIG);
    bool config = b->name.len > skip &&
                  memcmp(b->name.ptr, SERVICE_CONFIG, skip) == 0;
    struct span name =
            config ? SPAN(b->name.ptr + skip, b->name.len - skip) : b->name;

    if (!may_see(c, name))
        return 0;
    if (f->n == ISOLATE_FILES_MAX)
        return err_set(
                err, ERR_LIMIT, "more than %d services", ISOLATE_FILES_MAX);
    (void)snprintf(f->path[f->n], sizeof(f->path[0]), "%s/%.*s",
            config ? "/etc/qubes/rpc-config" : ISOLATE_SERVICES, (int)name.len,
            (const char *)name.ptr);
    f->file[f->n] = (struct isolate_file){
            .path = f->path[f->n],
            .mode = config ? 0644 : 0755,
            .bytes = b->content,
    };
    f->n++;
    return 0;
}

static int files_of(const struct qaird *q, const struct conf_qube *c,
        struct files *f, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(q->services);
    struct bundle_file b;
    int rc = 0;

    while (rc == 0 && bundle_next(&it, &b))
        rc = add_file(f, &b, c, err);
    return rc;
}

/* ---- processes ------------------------------------------------------- */

static void forget(struct qaird_qube *u)
{
    struct qaird_qube **p = &u->q->qubes;

    while (*p != u)
        p = &(*p)->next;
    *p = u->next;
    free(u);
}

static void on_exit_of_qube(const siginfo_t *si, void *user)
{
    struct qaird_qube *u = user;
    struct qaird *q = u->q;
    uint32_t id = u->again_id;
    bool again = u->again;
    char name[LIMIT_NAME_MAX + 1];

    (void)si;
    memcpy(name, u->name, sizeof(name));
    forget(u);
    if (q->stopping) {
        qaird_step(q);
        return;
    }
    if (again)
        qaird_qube_start(
                q, id, &(struct msg_qube_start){.name = span_str(name)});
    else
        tell_gone(q, name);
    qaird_status_write(q);
}

/* Once: a qube that cannot be set up would only be seen to end. */
static int check_machine(uid_t uid, gid_t gid, struct err *err)
{
    static bool fine;

    if (!fine && isolate_check(uid, gid, err) < 0)
        return err->code;
    fine = true;
    return 0;
}

/*
 * Each running qube has a uid of its own: that of its place in qubes.d, or,
 * when places have shifted since and another runs under that, the next.
 */
static bool has_uid(const struct qaird *q, unsigned at)
{
    for (const struct qaird_qube *u = q->qubes; u; u = u->next) {
        if (!u->slot && u->uid_at == at)
            return true;
    }
    return false;
}

static unsigned find_uid(const struct qaird *q, const struct conf_qube *c)
{
    unsigned at = (unsigned)(c - q->qubes_conf.qubes);

    for (unsigned i = 0; i < LIMIT_QUBES_MAX && has_uid(q, at); i++)
        at = (at + 1) % LIMIT_QUBES_MAX;
    return at;
}

static int start_process(struct qaird *q, const struct conf_qube *c,
        struct qaird_qube *u, int agent_fd, struct err *err)
{
    struct files *f = calloc(1, sizeof(*f));
    struct isolate_params p = {
            .name = u->name,
            .programs = q->programs,
            .uid = qaird_uid(q, QAIRD_QUBE_UIDS + u->uid_at),
            .gid = qaird_uid(q, QAIRD_QUBE_UIDS + u->uid_at),
    };
    int rc;

    if (!f) {
        (void)close(agent_fd);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    rc = check_machine(p.uid, p.gid, err);
    if (rc == 0)
        rc = files_of(q, c, f, err);
    p.files = f->file;
    p.n_files = f->n;
    if (rc == 0)
        rc = isolate_start(&p, agent_fd, &u->pid, err);
    else
        (void)close(agent_fd);
    free(f);
    return rc;
}

static int start(struct qaird *q, const struct conf_qube *c, struct span name,
        unsigned slot, int *ret_agent, struct err *err)
{
    struct qaird_qube *u = calloc(1, sizeof(*u));
    int ends[2], rc;

    if (!u)
        return err_set(err, ERR_MEMORY, "out of memory");
    u->slot = slot;
    u->uid_at = slot ? LIMIT_QUBES_MAX + slot - 1 : find_uid(q, c);
    memcpy(u->name, name.ptr, name.len); /* checked by who calls */
    /* A byte stream (docs/proto/agent.md), as other carriers are. */
    rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0
                 ? err_errno(err, "socketpair")
                 : 0;
    if (rc == 0) {
        rc = start_process(q, c, u, ends[1], err);
        if (rc < 0)
            (void)close(ends[0]);
    }
    if (rc < 0) {
        free(u);
        return rc;
    }
    u->q = q;
    u->next = q->qubes;
    q->qubes = u;
    *ret_agent = ends[0];
    return qaird_watch(q, u->pid, on_exit_of_qube, u, err);
}

/* ---- disposables ----------------------------------------------------- */

/* 0: none is free. */
static unsigned free_slot(const struct qaird *q)
{
    bool used[LIMIT_DISPOSABLES_MAX + 1] = {false};

    for (const struct qaird_qube *u = q->qubes; u; u = u->next)
        used[u->slot] = true;
    for (unsigned i = 1; i <= LIMIT_DISPOSABLES_MAX; i++) {
        if (!used[i])
            return i;
    }
    return 0;
}

/* What it is made from; a name of its own keeps it apart from all others. */
static const struct conf_qube *find_template(struct qaird *q,
        const struct msg_qube_start *m, unsigned *ret_slot, struct err *err)
{
    const struct conf_qube *c = conf_qube_find(&q->qubes_conf, m->of);

    *ret_slot = free_slot(q);
    if (!c || !c->template_for_dispvms)
        (void)err_set(err, ERR_DENIED, "that is no template of disposables");
    else if (!text_is_name(m->name, LIMIT_NAME_MAX) || find(q, m->name) ||
             conf_qube_find(&q->qubes_conf, m->name))
        (void)err_set(err, ERR_EXISTS, "a disposable needs a name of its own");
    else if (*ret_slot == 0)
        (void)err_set(err, ERR_LIMIT, "%d disposables run already",
                LIMIT_DISPOSABLES_MAX);
    else
        return c;
    return NULL;
}

/* ---- starting -------------------------------------------------------- */

static void start_and_tell(struct qaird *q, uint32_t id,
        const struct conf_qube *c, struct span name, unsigned slot)
{
    struct msg_named m = {.name = name};
    struct err err;
    int agent = -1;

    if (start(q, c, name, slot, &agent, &err) < 0) {
        refuse(q, id, "%s", err.msg);
        return;
    }
    (void)qaird_role_put(
            &q->roles[MSG_ROLE_CALLD], MSG_QUBE_STARTED, id, &m, agent);
    (void)close(agent);
    qaird_status_write(q);
}

static void start_disposable(
        struct qaird *q, uint32_t id, const struct msg_qube_start *m)
{
    struct err err;
    unsigned slot;
    const struct conf_qube *c = find_template(q, m, &slot, &err);

    if (c)
        start_and_tell(q, id, c, m->name, slot);
    else
        refuse(q, id, "%s", err.msg);
}

void qaird_qube_start(
        struct qaird *q, uint32_t id, const struct msg_qube_start *m)
{
    const struct conf_qube *c = conf_qube_find(&q->qubes_conf, m->name);
    struct qaird_qube *u = find(q, m->name);

    if (m->of.len > 0) {
        start_disposable(q, id, m);
        return;
    }
    if (!c || c->type != CONF_APPVM) {
        refuse(q, id, "no such qube in qubes.d");
        return;
    }
    if (u) { /* calld lost its link: a new one comes with a new qube */
        if (u->again)
            refuse(q, u->again_id, "asked for again");
        u->again = true;
        u->again_id = id;
        (void)kill(u->pid, SIGKILL);
        return;
    }
    start_and_tell(q, id, c, m->name, 0);
}

void qaird_qube_stop(struct qaird *q, struct span name)
{
    struct qaird_qube *u = find(q, name);

    if (u)
        (void)kill(u->pid, SIGKILL);
}

void qaird_qube_stop_all(struct qaird *q)
{
    for (struct qaird_qube *u = q->qubes; u; u = u->next) {
        u->again = false; /* who asked is gone, and the next numbers anew */
        (void)kill(u->pid, SIGKILL);
    }
}
