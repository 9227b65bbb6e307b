/* SPDX-License-Identifier: Apache-2.0 */
/* One role process: what it is given, what it may say, what happens when it
 * dies. */
#include "qaird.h"

#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define DELAY_FIRST_MS 50    /* before a role that died starts again */
#define DELAY_MAX_MS   5000  /* doubled each time up to this */
#define STABLE_MS      10000 /* lived so long: begin anew */
#define BURST          16

#define BIT(n) (1u << (n))

static const struct grant {
    unsigned bundles;
    unsigned listeners;
    unsigned folders;
    bool tpm;
    bool as_root; /* when qaird is */
} grants[MSG_ROLE_COUNT] = {
        [MSG_ROLE_MEASURE] = {.bundles = BIT(BUNDLE_CONF) | BIT(BUNDLE_QUBES) |
                                         BIT(BUNDLE_POLICY) |
                                         BIT(BUNDLE_SERVICES) |
                                         BIT(BUNDLE_EVENTS),
                .folders = BIT(FOLDER_PROGRAMS),
                .tpm = true,
                .as_root = true},
        [MSG_ROLE_LOGD] = {.bundles = BIT(BUNDLE_CONF),
                .folders = BIT(FOLDER_LOG)},
        [MSG_ROLE_KEYD] = {.bundles = BIT(BUNDLE_CONF) | BIT(BUNDLE_PACK) |
                                      BIT(BUNDLE_EVENTS) | BIT(BUNDLE_MACHINE),
                .listeners = BIT(LISTENER_KEY),
                .folders = BIT(FOLDER_KEYS) | BIT(FOLDER_MEASURED) |
                           BIT(FOLDER_REPORT),
                .tpm = true},
        [MSG_ROLE_POLICYD] = {.bundles = BIT(BUNDLE_CONF) | BIT(BUNDLE_QUBES) |
                                         BIT(BUNDLE_POLICY) | BIT(BUNDLE_PACK)},
        [MSG_ROLE_ATTESTD] = {.bundles = BIT(BUNDLE_CONF) | BIT(BUNDLE_PACK)},
        [MSG_ROLE_NETD] = {.bundles = BIT(BUNDLE_CONF) | BIT(BUNDLE_PACK),
                .listeners = BIT(LISTENER_NET) | BIT(LISTENER_NET_ADMIN)},
        [MSG_ROLE_CALLD] = {.bundles = BIT(BUNDLE_CONF) | BIT(BUNDLE_QUBES) |
                                       BIT(BUNDLE_PACK),
                .listeners = BIT(LISTENER_CALL) | BIT(LISTENER_RELAY)},
};

static const char *const folder_names[FOLDER_COUNT] = {
        [FOLDER_LOG] = "log",
        [FOLDER_KEYS] = "keys",
        [FOLDER_PROGRAMS] = "programs",
        [FOLDER_MEASURED] = "measured",
        [FOLDER_REPORT] = "report",
};

static const char *const listener_names[LISTENER_COUNT] = {
        [LISTENER_CALL] = "call",
        [LISTENER_KEY] = "key",
        [LISTENER_NET_ADMIN] = "net-admin",
        [LISTENER_NET] = "net",
        [LISTENER_RELAY] = "relay",
};

/* docs/architecture.md, section 3 */
static const uint8_t links[][2] = {
        {MSG_ROLE_CALLD, MSG_ROLE_POLICYD},
        {MSG_ROLE_CALLD, MSG_ROLE_LOGD},
        {MSG_ROLE_CALLD, MSG_ROLE_KEYD},
        {MSG_ROLE_CALLD, MSG_ROLE_NETD},
        {MSG_ROLE_KEYD, MSG_ROLE_LOGD},
        {MSG_ROLE_NETD, MSG_ROLE_KEYD},
        {MSG_ROLE_NETD, MSG_ROLE_ATTESTD},
        {MSG_ROLE_NETD, MSG_ROLE_LOGD},
};

const uint8_t qaird_roles[] = {MSG_ROLE_LOGD, MSG_ROLE_KEYD, MSG_ROLE_POLICYD,
        MSG_ROLE_ATTESTD, MSG_ROLE_NETD, MSG_ROLE_CALLD, 0};

/* ---- sending --------------------------------------------------------- */

int qaird_role_put(struct qaird_role *r, enum msg_type type, uint32_t id,
        const void *msg, int fd)
{
    static uint8_t out[LIMIT_IPC_MSG_MAX];
    size_t len;
    int rc;

    if (r->control < 0)
        return ERR_PEER;
    if (!msg_put(type, id, msg, out, sizeof(out), &len))
        return ERR_LIMIT;
    rc = ipc_send(r->control, SPAN(out, len), &fd, fd >= 0 ? 1 : 0);
    if (rc < 0) {
        qaird_log(r->q, "%s does not take messages", msg_role_name(r->role));
        qaird_role_kill(r);
    }
    return rc;
}

static int put_named(
        struct qaird_role *r, enum msg_type type, const char *name, int fd)
{
    struct msg_named m = {.name = span_str(name)};

    return fd < 0 ? 0 : qaird_role_put(r, type, 0, &m, fd);
}

static void link_roles(struct qaird *q, uint8_t a, uint8_t b)
{
    struct qaird_role *ra = &q->roles[a], *rb = &q->roles[b];
    struct msg_peer to_a = {.role = b}, to_b = {.role = a};
    struct err err;
    int ends[2];

    if (ra->control < 0 || rb->control < 0)
        return;
    if (ipc_pair(ends, &err) < 0) {
        qaird_log(q, "%s", err.msg);
        qaird_stop(q, 1);
        return;
    }
    (void)qaird_role_put(ra, MSG_PEER, 0, &to_a, ends[0]);
    (void)qaird_role_put(rb, MSG_PEER, 0, &to_b, ends[1]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void hand_over(struct qaird_role *r)
{
    const struct grant *g = &grants[r->role];
    struct qaird *q = r->q;

    for (unsigned i = 0; i < BUNDLE_COUNT; i++) {
        bool anew = r->role == MSG_ROLE_MEASURE && q->change[i] >= 0;

        if (g->bundles & BIT(i))
            (void)put_named(r, MSG_BUNDLE,
                    qaird_bundle_name((enum qaird_bundle)i),
                    anew ? q->change[i] : q->bundle[i]);
    }
    for (unsigned i = 0; i < FOLDER_COUNT; i++) {
        if (g->folders & BIT(i))
            (void)put_named(r, MSG_HANDLE, folder_names[i], q->folder[i]);
    }
    for (unsigned i = 0; i < LISTENER_COUNT; i++) {
        if (g->listeners & BIT(i))
            (void)put_named(r, MSG_LISTEN, listener_names[i], q->listener[i]);
    }
    if (g->tpm) {
        int fd = qaird_tpm_connect(q);

        if (fd < 0)
            qaird_log(q, "no TPM for %s: %s", msg_role_name(r->role),
                    strerror(errno));
        (void)put_named(r, MSG_HANDLE, "tpm", fd);
        if (fd >= 0)
            (void)close(fd);
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        if (links[i][0] == r->role || links[i][1] == r->role)
            link_roles(q, links[i][0], links[i][1]);
    }
    (void)qaird_role_put(r, MSG_START, 0, &(struct msg_empty){0}, -1);
}

void qaird_role_send_bundle(struct qaird *q, enum qaird_bundle b)
{
    for (size_t i = 0; qaird_roles[i]; i++) {
        struct qaird_role *r = &q->roles[qaird_roles[i]];

        if (r->control >= 0 && (grants[r->role].bundles & BIT(b)))
            (void)put_named(r, MSG_BUNDLE, qaird_bundle_name(b), q->bundle[b]);
    }
}

/* ---- what roles say -------------------------------------------------- */

static void on_ready(struct qaird_role *r, uint32_t id, const void *body,
        struct ipc_fds *fds)
{
    (void)id;
    (void)body;
    (void)fds;
    r->ready = true;
    r->has_served = true;
    qaird_step(r->q);
}

static void on_pong(struct qaird_role *r, uint32_t id, const void *body,
        struct ipc_fds *fds)
{
    (void)id;
    (void)body;
    (void)fds;
    r->asked_ms = 0;
}

/* The event log of qair-measure: kept for keyd, and in run/ for people. */
static void on_events(struct qaird_role *r, uint32_t id, const void *body,
        struct ipc_fds *fds)
{
    struct qaird *q = r->q;
    CLEANUP(buf_fini) struct buf out = BUF_INIT(LIMIT_BUNDLE_MAX);
    struct bundle_writer w = {.out = &out};
    struct bundle_file f = {.name = span_str("events")};
    struct err err;
    int rc;

    (void)id;
    (void)body;
    rc = ipc_map(fds->fd[0], LIMIT_EVENT_LOG_MAX, &f.content, &err);
    if (rc == 0) {
        rc = bundle_put(&w, &f, &err);
        if (rc == 0)
            rc = buf_store(f.content, q->run_fd, "events.bin", 0644, &err);
        ipc_unmap(f.content);
    }
    buf_close_fd(&q->bundle[BUNDLE_EVENTS]);
    if (rc == 0)
        rc = ipc_seal(
                buf_span(&out), "events", &q->bundle[BUNDLE_EVENTS], &err);
    if (rc < 0) {
        qaird_log(q, "event log: %s", err.msg);
        qaird_stop(q, 1);
    }
}

static void on_qube_start(struct qaird_role *r, uint32_t id, const void *body,
        struct ipc_fds *fds)
{
    const struct msg_qube_start *m = body;

    (void)fds;
    qaird_qube_start(r->q, id, m);
}

static void on_qube_stop(struct qaird_role *r, uint32_t id, const void *body,
        struct ipc_fds *fds)
{
    const struct msg_named *m = body;

    (void)id;
    (void)fds;
    qaird_qube_stop(r->q, m->name);
}

#define ANY_ROLE 0

static const struct permit {
    uint8_t role;
    uint16_t type;
    bool before_ready, after_ready;
    void (*handler)(struct qaird_role *r, uint32_t id, const void *body,
            struct ipc_fds *fds);
} permits[] = {
        {ANY_ROLE, MSG_READY, true, false, on_ready},
        {ANY_ROLE, MSG_PONG, false, true, on_pong},
        {MSG_ROLE_MEASURE, MSG_FILE, true, false, on_events},
        {MSG_ROLE_CALLD, MSG_QUBE_START, true, true, on_qube_start},
        {MSG_ROLE_CALLD, MSG_QUBE_STOP, true, true, on_qube_stop},
};

static const struct permit *find_permit(
        const struct qaird_role *r, uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(permits); i++) {
        const struct permit *p = &permits[i];

        if (p->type == type && (p->role == ANY_ROLE || p->role == r->role) &&
                (r->ready ? p->after_ready : p->before_ready))
            return p;
    }
    return NULL;
}

static bool take_message(
        struct qaird_role *r, struct span datagram, struct ipc_fds *fds)
{
    const struct permit *p;
    struct msg_header h;
    union msg_any body = {0};

    if (msg_get_header(datagram, &h) < 0)
        return false;
    p = find_permit(r, h.type);
    if (!p || fds->n != msg_fds(h.type) || msg_get(&h, &body) < 0)
        return false;
    p->handler(r, h.id, &body, fds);
    return true;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *user)
{
    static uint8_t in[LIMIT_IPC_MSG_MAX];
    struct qaird_role *r = user;

    (void)revents;
    for (int i = 0; i < BURST && r->control == fd; i++) {
        struct ipc_fds fds = {.n = 0};
        size_t len;
        int rc = ipc_recv(fd, in, sizeof(in), &len, &fds);
        bool ok;

        if (rc == ERR_STATE)
            return 0;
        if (rc == ERR_PEER) /* the end of the process follows */
            return sd_event_source_set_enabled(s, SD_EVENT_OFF);
        ok = rc == 0 && take_message(r, SPAN(in, len), &fds);
        ipc_fds_close(&fds);
        if (!ok) {
            qaird_log(r->q, "%s broke the protocol", msg_role_name(r->role));
            qaird_role_kill(r);
            return sd_event_source_set_enabled(s, SD_EVENT_OFF);
        }
    }
    return 0;
}

/* ---- life and death -------------------------------------------------- */

void qaird_role_kill(struct qaird_role *r)
{
    if (r->pid > 0)
        (void)kill(r->pid, SIGKILL);
}

void qaird_role_end(struct qaird_role *r)
{
    r->io = sd_event_source_disable_unref(r->io);
    r->asked_ms = qaird_now_ms();
    if (r->control >= 0)
        (void)close(TAKE_FD(r->control));
}

static int on_restart(sd_event_source *s, uint64_t usec, void *user)
{
    struct qaird_role *r = user;

    (void)s;
    (void)usec;
    if (!r->q->stopping)
        qaird_role_start(r->q, r->role);
    return 0;
}

static void restart_later(struct qaird_role *r)
{
    bool stable = qaird_now_ms() - r->started_ms > STABLE_MS;

    if (stable || r->delay_ms == 0)
        r->delay_ms = DELAY_FIRST_MS;
    else if (r->delay_ms * 2 <= DELAY_MAX_MS)
        r->delay_ms *= 2;
    else
        r->delay_ms = DELAY_MAX_MS;
    r->timer = sd_event_source_disable_unref(r->timer);
    if (sd_event_add_time_relative(r->q->event, &r->timer, CLOCK_MONOTONIC,
                (uint64_t)r->delay_ms * 1000, 0, on_restart, r) < 0)
        qaird_stop(r->q, 1);
}

static void log_death(const struct qaird_role *r, const siginfo_t *si)
{
    const char *name = msg_role_name(r->role);

    if (si->si_code == CLD_EXITED)
        qaird_log(r->q, "%s exited with code %d", name, si->si_status);
    else if (si->si_status == SIGSYS)
        qaird_log(r->q, "%s was killed for a forbidden system call", name);
    else
        qaird_log(r->q, "%s was killed by signal %d", name, si->si_status);
}

static void measure_ended(struct qaird_role *r, const siginfo_t *si)
{
    struct qaird *q = r->q;
    bool ok = si->si_code == CLD_EXITED && si->si_status == 0 &&
              r->has_served && q->bundle[BUNDLE_EVENTS] >= 0;

    r->has_served = false;
    if (q->changing) {
        qaird_change_end(q, ok);
    } else if (ok) {
        q->measured = true;
        qaird_step(q);
    } else if (q->conf->tpm == CONF_TPM_DEVICE || q->tpm_pid > 0) {
        qaird_log(q, "the zone could not be measured and does not start");
        qaird_stop(q, 1);
    } /* else the software TPM starts again, and measuring with it */
}

static void on_exit_of_role(const siginfo_t *si, void *user)
{
    struct qaird_role *r = user;
    struct qaird *q = r->q;

    /* The event loop may tell of the end before it tells of the last words,
     * and qair-measure's last words are all that it was started for. */
    if (r->role == MSG_ROLE_MEASURE && r->control >= 0)
        (void)on_io(r->io, r->control, EPOLLIN, r);
    r->io = sd_event_source_disable_unref(r->io);
    if (r->control >= 0)
        (void)close(r->control);
    r->control = -1;
    r->pid = 0;
    r->ready = false;
    if (q->stopping) {
        qaird_step(q);
        return;
    }
    if (r->role == MSG_ROLE_MEASURE) {
        measure_ended(r, si);
        return;
    }
    if (r->role == MSG_ROLE_KEYD && q->changing) {
        qaird_change_measure(q);
        return;
    }
    log_death(r, si);
    r->deaths++;
    if (r->role == MSG_ROLE_CALLD)
        qaird_qube_stop_all(q);
    if (r->has_served) {
        restart_later(r);
    } else {
        qaird_log(q, "%s did not start: the zone ends", msg_role_name(r->role));
        qaird_stop(q, 1);
    }
    qaird_status_write(q);
}

static int spawn(struct qaird_role *r, struct err *err)
{
    char path[CONF_PATH_MAX + 32], name[32], uid[16];
    const char *argv[] = {name, r->q->conf->name, uid, NULL};
    struct qaird_exec x = {.path = path, .argv = argv, .dir_fd = -1};
    int ends[2], rc;

    (void)snprintf(name, sizeof(name), "qair-%s", msg_role_name(r->role));
    (void)snprintf(path, sizeof(path), "%s/%s", r->q->programs, name);
    (void)snprintf(uid, sizeof(uid), "%u",
            grants[r->role].as_root ? 0 : qaird_uid(r->q, r->role));
    if (access(path, X_OK) < 0)
        return err_errno(err, "%s", path);
    rc = ipc_pair(ends, err);
    if (rc < 0)
        return rc;
    x.fd3 = ends[1];
    rc = qaird_exec(&x, &r->pid, err);
    (void)close(ends[1]);
    if (rc < 0)
        (void)close(ends[0]);
    else
        r->control = ends[0];
    return rc;
}

void qaird_role_start(struct qaird *q, uint8_t role)
{
    struct qaird_role *r = &q->roles[role];
    struct err err;

    r->started_ms = qaird_now_ms();
    /* qair-measure answers nothing but its end. */
    r->asked_ms = role == MSG_ROLE_MEASURE ? r->started_ms : 0;
    if (spawn(r, &err) < 0) {
        qaird_log(q, "%s", err.msg);
        qaird_stop(q, 1);
        return;
    }
    if (qaird_watch(q, r->pid, on_exit_of_role, r, &err) < 0 ||
            sd_event_add_io(q->event, &r->io, r->control, EPOLLIN, on_io, r) <
                    0) {
        qaird_log(q, "event loop: out of memory");
        qaird_stop(q, 1);
        return;
    }
    hand_over(r);
    qaird_status_write(q);
}
