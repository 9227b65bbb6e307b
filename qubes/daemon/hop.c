/* SPDX-License-Identifier: Apache-2.0 */
/* An allowed request on its way to another qube. */
#include "daemon.h"

#include "admin.h"

#include <stdio.h>

#define DISPOSABLE "@dispvm:"
/* A qube boots, a disposable is made: as long as their own time-outs. */
#define START_S 300
#define KILL_S  60
/* A daemon's answer, which waits for no qube. */
#define DAEMON_S   30
#define DAEMON_MAX 4096

/* ---- qubesd ---------------------------------------------------------- */

static int call_qubesd(struct request *r, const char *method,
        const char *payload, unsigned timeout_s, talk_fn *fn, struct err *err)
{
    uint8_t text[ADMIN_CALL_MAX];
    size_t len;
    int e = admin_call(method, r->target, payload, text, &len);

    if (e)
        return err_set(err, e, "'%s' is no name of a qube", r->target);
    return talk_new(&(struct talk_config){.event = r->d->event,
                            .path = r->d->o.qubesd_socket,
                            .text = SPAN(text, len),
                            .end = true,
                            .in_max = ADMIN_ANSWER_MAX,
                            .timeout_s = timeout_s,
                            .fn = fn,
                            .ctx = r},
            &r->talk, err);
}

static void on_killed(void *ctx, int e, struct err *err)
{
    struct request *r = ctx;
    struct span value;

    if (e == 0)
        return;
    if (e != ERR_PEER)
        daemon_log(
                r->d, "disposable %s is not killed: %s", r->target, err->msg);
    else if (admin_answer(talk_in(r->talk), &value, err))
        daemon_log(r->d, "disposable %s: %s", r->target, err->msg);
    request_free(r);
}

void hop_kill(struct request *r)
{
    /* One that was never started is not running, and does not go by itself. */
    const char *method = r->started ? "admin.vm.Kill" : "admin.vm.Remove";
    struct err err;

    r->disposable = false;
    talk_free(TAKE_PTR(r->talk));
    if (call_qubesd(r, method, "", KILL_S, on_killed, &err) == 0)
        return;
    daemon_log(r->d, "disposable %s is not killed: %s", r->target, err.msg);
    request_free(r);
}

/* ---- the target's daemon --------------------------------------------- */

static void connected(struct request *r, uint32_t domain, uint32_t port)
{
    if (port < LINK_DATA_PORT_FIRST || port > LINK_DATA_PORT_LAST ||
            domain == 0 || domain == r->d->o.domain) {
        request_fail(r, "%s's daemon named domain %u, port %u", r->target,
                (unsigned)domain, (unsigned)port);
        return;
    }
    control_connect(r->d, domain, port, r->ident);
    r->answered = true;
    if (r->disposable) /* its daemon closes when the call is over */
        talk_no_deadline(r->talk);
    else
        request_free(r);
}

static void hear_daemon(struct request *r)
{
    struct span in = talk_in(r->talk);
    size_t before = in.len;
    uint32_t domain;
    uint32_t port;
    struct err err;
    int e = 0;

    if (!r->greeted)
        e = dsock_get_hello(&in, &err);
    if (!e) {
        r->greeted = true;
        e = dsock_get_answer(&in, QREXEC_EXEC_CMDLINE, &domain, &port, &err);
    }
    talk_consume(r->talk, before - in.len);
    if (e && e != ERR_STATE)
        request_fail(r, "%s's daemon: %s", r->target, err.msg);
    else if (e == 0)
        connected(r, domain, port);
}

static void boot(struct request *r);

static void on_daemon(void *ctx, int e, struct err *err)
{
    struct request *r = ctx;

    if (e == 0 && !r->answered) {
        hear_daemon(r);
        return;
    }
    if (e == 0) {
        request_fail(r, "%s's daemon says too much", r->target);
    } else if (r->answered) {
        hop_kill(r);
    } else if (e == ERR_NOT_FOUND && r->decision.autostart && !r->started) {
        talk_free(TAKE_PTR(r->talk));
        boot(r);
    } else {
        request_fail(r, "%s's daemon: %s", r->target, err->msg);
    }
}

/* Hello and the command at once: the daemon reads them one after the other. */
static int say_to_daemon(struct request *r, struct span *ret, struct err *err)
{
    static uint8_t bytes[DSOCK_HELLO_SIZE + QREXEC_MSG_MAX];
    static char command[QREXEC_COMMAND_MAX + 1];
    struct dsock_request q = {
            .type = QREXEC_EXEC_CMDLINE, .domain = r->d->o.domain};
    size_t len;
    int e = qrexec_command_format(r->decision.user, request_service(r),
            request_source(r), command, sizeof(command));

    if (!e) {
        q.text = SPAN(command, strlen(command) + 1);
        dsock_put_hello(bytes);
        e = dsock_put_request(
                &q, bytes + DSOCK_HELLO_SIZE, QREXEC_MSG_MAX, &len);
    }
    if (e)
        return err_set(err, e, "the command cannot be said");
    *ret = SPAN(bytes, DSOCK_HELLO_SIZE + len);
    return 0;
}

static int dial(struct request *r, struct err *err)
{
    char path[128];
    struct span text;
    int e = dsock_path(".", r->target, path, sizeof(path), err);

    if (!e)
        e = say_to_daemon(r, &text, err);
    if (e)
        return e;
    r->greeted = false;
    return talk_new(&(struct talk_config){.event = r->d->event,
                            .path = path,
                            .text = text,
                            .in_max = DAEMON_MAX,
                            .timeout_s = DAEMON_S,
                            .fn = on_daemon,
                            .ctx = r},
            &r->talk, err);
}

static void go(struct request *r)
{
    struct err err;
    int e = dial(r, &err);

    if (e == ERR_NOT_FOUND && r->decision.autostart && !r->started)
        boot(r);
    else if (e == ERR_NOT_FOUND)
        request_fail(r, "%s is not running", r->target);
    else if (e)
        request_fail(r, "%s's daemon: %s", r->target, err.msg);
}

/* ---- a target that does not run -------------------------------------- */

static void on_started(void *ctx, int e, struct err *err)
{
    struct request *r = ctx;
    struct span in = talk_in(r->talk);
    struct span value;

    if (e == 0)
        return;
    if (e != ERR_PEER) {
        request_fail(r, "qubesd: %s", err->msg);
        return;
    }
    /* It may have been started meanwhile. */
    if (!span_eq_str(admin_exception(in), "QubesVMNotHaltedError") &&
            admin_answer(in, &value, err)) {
        request_fail(r, "%s is not started: %s", r->target, err->msg);
        return;
    }
    talk_free(TAKE_PTR(r->talk));
    go(r);
}

static void boot(struct request *r)
{
    struct err err;

    r->started = true;
    if (call_qubesd(r, "admin.vm.Start", "", START_S, on_started, &err))
        request_fail(r, "%s is not started: %s", r->target, err.msg);
}

/* ---- a disposable ---------------------------------------------------- */

static void on_created(void *ctx, int e, struct err *err)
{
    struct request *r = ctx;
    bool by_uuid = r->decision.target_uuid.len > 0;
    char name[QREXEC_NAME_SIZE] = "";
    struct span value;

    if (e == 0)
        return;
    r->creating = false;
    if (e != ERR_PEER || admin_answer(talk_in(r->talk), &value, err)) {
        request_fail(r, "no disposable: %s", err->msg);
        return;
    }
    if (value.len < sizeof(name) && !memchr(value.ptr, 0, value.len)) {
        memcpy(name, value.ptr, value.len);
        name[value.len] = '\0';
    }
    if (!dsock_is_name(name) ||
            (by_uuid && (strncmp(name, "uuid:", 5) != 0 || value.len != 41))) {
        request_fail(r, "qubesd named no disposable that is one");
        return;
    }
    talk_free(TAKE_PTR(r->talk));
    memcpy(r->target, name, sizeof(r->target));
    r->disposable = true;
    if (r->answered) /* the qube has forgotten it meanwhile */
        hop_kill(r);
    else
        boot(r);
}

static void create(struct request *r)
{
    size_t n = strlen(DISPOSABLE);
    bool by_uuid = r->decision.target_uuid.len > 0;
    struct err err;

    if (!r->decision.autostart) {
        request_fail(r, "a disposable that may not be started");
        return;
    }
    memmove(r->target, r->target + n, strlen(r->target + n) + 1);
    r->creating = true;
    if (call_qubesd(r, "admin.vm.CreateDisposable", by_uuid ? "uuid" : "",
                START_S, on_created, &err))
        request_fail(r, "no disposable: %s", err.msg);
}

void hop_start(struct request *r)
{
    struct span to = r->decision.target_uuid.len ? r->decision.target_uuid
                                                 : r->decision.target;

    if (to.len >= sizeof(r->target)) {
        request_fail(r, "the policy's target is too long");
        return;
    }
    memcpy(r->target, to.ptr, to.len);
    r->target[to.len] = '\0';
    if (strncmp(r->target, DISPOSABLE, strlen(DISPOSABLE)) == 0)
        create(r);
    else
        go(r);
}
