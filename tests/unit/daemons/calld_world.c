/* SPDX-License-Identifier: Apache-2.0 */
#include "calld_world.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

const char *world_program;
const uint8_t world_policy[MSG_DIGEST] = {1, 2, 3};

int world_begin(void **state)
{
    static const char signer[] = "type = AppVM\nkeys = release\n";
    static const char work[] = "type = AppVM\n";
    static const char vault[] = "type = AppVM\nhost = qubes\n";
    const struct driver_file qubes[] = {
            {"signer.conf", SPAN(signer, sizeof(signer) - 1)},
            {"vault.conf", SPAN(vault, sizeof(vault) - 1)},
            {"work.conf", SPAN(work, sizeof(work) - 1)},
    };
    static const char *const sockets[][2] = {
            {"call", "call.sock"}, {"relay", "relay.sock"}};
    struct world *w = calloc(1, sizeof(*w));
    struct err err;
    int dir;
    int fd;

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/qair-calld-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    driver_start(&w->d, world_program, ZONE);
    w->policyd = driver_peer(&w->d, MSG_ROLE_POLICYD);
    w->logd = driver_peer(&w->d, MSG_ROLE_LOGD);
    w->keyd = driver_peer(&w->d, MSG_ROLE_KEYD);
    w->netd = driver_peer(&w->d, MSG_ROLE_NETD);
    dir = open(w->dir, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
        const struct msg_named name = {.name = span_str(sockets[i][0])};

        assert_int_equal(
                ipc_listen(dir, sockets[i][1], getuid(), getgid(), &fd, &err),
                0);
        driver_put(w->d.control, MSG_LISTEN, 0, &name, &fd, 1);
        (void)close(fd);
    }
    (void)close(dir);
    driver_bundle(&w->d, "qubes", qubes, ARRAY_LEN(qubes));
    driver_begin(&w->d);
    assert_int_equal(driver_get(w->d.control, &w->m, NULL, NULL), MSG_READY);
    *state = w;
    return 0;
}

int world_finish(void **state)
{
    struct world *w = *state;
    char path[64];

    driver_stop(&w->d);
    (void)close(w->policyd);
    (void)close(w->logd);
    (void)close(w->keyd);
    (void)close(w->netd);
    (void)snprintf(path, sizeof(path), "%s/call.sock", w->dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/relay.sock", w->dir);
    (void)unlink(path);
    (void)rmdir(w->dir);
    free(w);
    return 0;
}

/* ---- the other roles ------------------------------------------------- */

void world_hear(struct world *w, int fd, enum msg_type type)
{
    uint16_t got = driver_get(fd, &w->m, &w->fds, &w->id);

    if (got != type)
        fail_msg("%s came, not %s", msg_type_name(got),
                msg_type_name((uint16_t)type));
}

void world_appraised(struct world *w)
{
    const struct msg_appraisal a = {.number = 3,
            .boot = 7,
            .evidence = {0xe1},
            .state = span_str("golden")};

    world_hear(w, w->netd, MSG_APPRAISAL_GET);
    ipc_fds_close(&w->fds);
    driver_put(w->netd, MSG_APPRAISAL, w->id, &a, NULL, 0);
}

void world_own_state(struct world *w, const char *zone_state)
{
    const struct msg_own_state m = {
            .state = span_str(zone_state), .evidence = {0xe2}};

    driver_put(w->keyd, MSG_OWN_STATE, 0, &m, NULL, 0);
}

void world_refuse(
        struct world *w, int fd, const char *where, const char *reason)
{
    const struct msg_refused no = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str(where),
            .reason = span_str(reason)};

    driver_put(fd, MSG_REFUSED, w->id, &no, NULL, 0);
}

void world_ok(struct world *w, int fd)
{
    driver_put(fd, MSG_OK, w->id, &(struct msg_empty){0}, NULL, 0);
}

struct msg_decision world_allowed(
        uint8_t kind, const char *source, const char *zone, const char *qube)
{
    struct msg_decision d = {.allow = 1,
            .kind = kind,
            .autostart = 1,
            .source = span_str(source),
            .zone = span_str(zone),
            .qube = span_str(qube),
            .service = span_str("qair.Sign+release"),
            .rule = span_str("30-sign.policy:2")};

    memcpy(d.policy, world_policy, sizeof(d.policy));
    return d;
}

void world_decide(struct world *w, const struct msg_decision *d)
{
    driver_put(w->policyd, MSG_DECISION, w->id, d, NULL, 0);
}

void world_appended(struct world *w, uint64_t size)
{
    const struct msg_appended a = {
            .index = size - 1, .size = size, .root = {(uint8_t)size}};

    driver_put(w->logd, MSG_APPENDED, w->id, &a, NULL, 0);
}

void world_skip_checkpoint(struct world *w)
{
    world_hear(w, w->logd, MSG_CHECKPOINT_GET);
    world_appended(w, 7);
}

struct statement_decision world_hear_decision(
        struct world *w, struct statement *ret_doc)
{
    struct statement_decision d;
    struct err err;

    world_hear(w, w->logd, MSG_APPEND);
    assert_int_equal(w->m.append.kind, MSG_APPEND_STATEMENT);
    if (statement_parse(w->m.append.payload, ret_doc, &err) ||
            statement_decision_parse(ret_doc, &d, &err))
        fail_msg("record: %s", err.msg);
    assert_true(span_eq_str(d.zone, ZONE));
    return d;
}

/* ---- agents ---------------------------------------------------------- */

void agent_say(
        struct agent *a, const struct qrexec_msg *m, const int *fds, size_t n)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;
    size_t len;

    assert_int_equal(qrexec_msg_put(m, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(link_send(a->l, SPAN(bytes, len), fds, n, &err), 0);
}

bool agent_hear(struct agent *a, struct qrexec_msg *ret)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    struct err err;

    for (;;) {
        struct pollfd pfd = {.fd = link_fd(a->l), .events = POLLIN};
        struct span in = link_in(a->l);
        size_t n;
        int r = qrexec_msg_get(&in, ret, &err);

        if (r == 0) { /* again, on bytes that stay */
            n = link_in(a->l).len - in.len;
            memcpy(bytes, link_in(a->l).ptr, n);
            in = SPAN(bytes, n);
            assert_int_equal(qrexec_msg_get(&in, ret, &err), 0);
            link_consume(a->l, n);
            return true;
        }
        assert_int_equal(r, ERR_STATE);
        assert_int_equal(poll(&pfd, 1, 20000), 1);
        if (link_recv(a->l, &err))
            return false;
    }
}

void agent_hear_type(struct agent *a, struct qrexec_msg *ret, uint32_t type)
{
    assert_true(agent_hear(a, ret));
    if (ret->type != type)
        fail_msg("%s came, not %s", qrexec_type_name(ret->type),
                qrexec_type_name(type));
}

struct agent world_start_qube_of(
        struct world *w, const char *name, const char *of)
{
    struct msg_named named;
    struct agent a;
    int fds[2];

    world_hear(w, w->d.control, MSG_QUBE_START);
    if (name)
        assert_true(span_eq_str(w->m.start.name, name));
    named.name = w->m.start.name;
    assert_true(span_eq_str(w->m.start.of, of));
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    driver_put(w->d.control, MSG_QUBE_STARTED, w->id, &named, &fds[1], 1);
    (void)close(fds[1]);
    a.l = link_new_unix(fds[0], QREXEC_MSG_MAX, 1 << 21);
    assert_non_null(a.l);
    return a;
}

struct agent world_start_qube(struct world *w, const char *name)
{
    return world_start_qube_of(w, name, "");
}

void agent_greet(struct agent *a)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    struct qrexec_msg m;

    agent_say(a, &hello, NULL, 0);
    agent_hear_type(a, &m, QREXEC_HELLO);
}

void agent_trigger(struct agent *a, const char *source, const char *target,
        const char *service, const char *ident)
{
    const struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .source = span_str(source),
            .target = span_str(target),
            .service = span_str(service),
            .ident = span_str(ident)};

    agent_say(a, &m, NULL, 0);
}

void agent_hear_refused(struct agent *a, const char *ident, const char *where,
        const char *reason)
{
    struct qrexec_msg m;

    agent_hear_type(a, &m, QREXEC_SERVICE_REFUSED);
    assert_true(span_eq_str(m.ident, ident));
    assert_true(m.has_reason);
    assert_true(span_eq_str(m.where, where));
    if (!span_eq_str(m.reason, reason))
        fail_msg("%.*s", (int)m.reason.len, (const char *)m.reason.ptr);
}

/* ---- the owner ------------------------------------------------------- */

int owner_asks(
        struct world *w, enum msg_type type, const void *msg, int *ret_data)
{
    struct err err;
    int data[2];
    int fd;

    assert_int_equal(ipc_connect(w->dir, "call.sock", &fd, &err), 0);
    assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), 0);
    driver_put(fd, type, 5, msg, &data[1], 1);
    (void)close(data[1]);
    *ret_data = data[0];
    return fd;
}

int owner_runs(
        struct world *w, const char *qube, const char *command, int *ret_data)
{
    const struct msg_qube_run m = {
            .qube = span_str(qube), .command = span_str(command)};

    return owner_asks(w, MSG_QUBE_RUN, &m, ret_data);
}

void owner_hears_refused(
        struct world *w, int fd, const char *where, const char *reason)
{
    world_hear(w, fd, MSG_REFUSED);
    assert_int_equal(w->id, 5);
    assert_true(span_eq_str(w->m.refused.where, where));
    if (!span_eq_str(w->m.refused.reason, reason))
        fail_msg("%.*s", (int)w->m.refused.reason.len,
                (const char *)w->m.refused.reason.ptr);
}

struct agent world_work_qube(struct world *w)
{
    struct agent a;
    struct qrexec_msg m;
    int data;
    int fd = owner_runs(w, "work", "true", &data);
    int exec;

    world_hear(w, w->logd, MSG_APPEND);
    world_appended(w, 8);
    a = world_start_qube(w, "work");
    agent_greet(&a);
    agent_hear_type(&a, &m, QREXEC_EXEC_CMDLINE);
    assert_true(span_eq_str(m.command, "DEFAULT:true"));
    assert_int_equal(m.domain, 1);
    exec = link_take_fd(a.l);
    assert_true(exec >= 0);
    world_hear(w, fd, MSG_OK);
    (void)close(exec);
    (void)close(data);
    (void)close(fd);
    return a;
}

void world_assert_stream(int a, int b)
{
    char c = 0;

    assert_true(a >= 0 && b >= 0);
    assert_int_equal(write(a, "x", 1), 1);
    assert_int_equal(read(b, &c, 1), 1);
    assert_int_equal(c, 'x');
}
