/* SPDX-License-Identifier: Apache-2.0 */
/* The link to dom0's daemon: vchan server, hello, messages, and anew. */
#include "agent.h"

#include "link.h"

#include <poll.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define DOM0 0u
/* Requests of all clients at their usual size; more are refused. */
#define OUT_MAX (1u << 20)
/* Kept free of requests, for the ends of calls that dom0 must hear of. */
#define OUT_RESERVE (64u << 10)

static struct link_port *port;
static struct link *control;
static sd_event_source *source;
static uint32_t version; /* 0 = no hello yet */
static unsigned epochs;

static void lose(const char *why)
{
    agent_log("the daemon went away: %s", why);
    sd_event_source_disable_unref(source);
    source = NULL;
    link_free(control);
    control = NULL;
    version = 0;
    agent_client_refuse_all();
    agent_control_open();
}

static void set_events(void)
{
    short events = link_events(control);

    if (sd_event_source_set_io_events(source, (uint32_t)events) < 0)
        agent_die("no events of the control link");
}

static int tell(const struct qrexec_msg *m, struct err *err)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    size_t len;
    int r = qrexec_msg_put(m, bytes, sizeof(bytes), &len);

    if (r)
        return err_set(err, r, "the request cannot be said to this daemon");
    r = link_send(control, SPAN(bytes, len), NULL, 0, err);
    if (r == 0)
        set_events();
    return r;
}

unsigned agent_control_epoch(void)
{
    return version ? epochs : 0;
}

int agent_control_ask(const struct qrexec_msg *m, struct err *err)
{
    struct qrexec_msg out = *m;

    if (!version)
        return err_set(err, ERR_STATE, "dom0 is not there");
    if (m->service.len > LIMIT_SERVICE_MAX)
        return err_set(err, ERR_LIMIT, "service and argument are too long");
    if (version < 4 && out.type == QREXEC_TRIGGER_SERVICE4) {
        if (out.source.len)
            return err_set(err, ERR_UNSUPPORTED,
                    "this dom0 knows no calls for another qube");
        out.type = QREXEC_TRIGGER_SERVICE3;
    }
    if (version < 3)
        out.type = QREXEC_TRIGGER_SERVICE;
    if (link_room(control) < OUT_RESERVE)
        return err_set(err, ERR_LIMIT, "dom0 does not read");
    return tell(&out, err);
}

void agent_control_ended(unsigned epoch, uint32_t domain, uint32_t p)
{
    const struct qrexec_msg m = {
            .type = QREXEC_CONNECTION_TERMINATED, .domain = domain, .port = p};
    struct err err;

    /* Another daemon knows nothing of this call. */
    if (epoch == 0 || epoch != agent_control_epoch())
        return;
    if (tell(&m, &err))
        lose(err.msg);
}

/* ---- from the daemon ------------------------------------------------- */

static int on_hello(const struct qrexec_msg *m, struct err *err)
{
    int r;

    if (version)
        return err_set(err, ERR_PEER, "a second hello");
    r = qrexec_negotiate(m->version, &version, err);
    if (r)
        return r;
    epochs++;
    (void)sd_notify(0, "READY=1");
    return 0;
}

static int on_message(const struct qrexec_msg *m, struct err *err)
{
    static const struct {
        uint32_t type;
        void (*handler)(const struct qrexec_msg *m);
    } permits[] = {
            {QREXEC_EXEC_CMDLINE, agent_exec},
            {QREXEC_JUST_EXEC, agent_exec},
            {QREXEC_SERVICE_CONNECT, agent_client_connect},
            {QREXEC_SERVICE_REFUSED, agent_client_refused},
    };

    if (m->type == QREXEC_HELLO)
        return on_hello(m, err);
    for (size_t i = 0; version && i < ARRAY_LEN(permits); i++) {
        if (permits[i].type == m->type) {
            permits[i].handler(m);
            return 0;
        }
    }
    return err_set(
            err, ERR_PEER, "%s is not permitted", qrexec_type_name(m->type));
}

/* Messages until more bytes are needed; stops when the link was lost. */
static int take_messages(struct err *err)
{
    struct link *l = control;

    while (control == l) {
        struct span in = link_in(l);
        size_t before = in.len;
        struct qrexec_msg m;
        int r = qrexec_msg_get(&in, &m, err);

        if (r == ERR_STATE)
            return 0;
        if (r == 0)
            r = on_message(&m, err);
        if (r)
            return r;
        if (control == l)
            link_consume(l, before - in.len);
    }
    return 0;
}

static int on_control(
        sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    struct err err;
    int r;

    (void)s;
    (void)fd;
    (void)revents;
    (void)userdata;
    r = link_flush(control, &err);
    if (r == 0)
        r = link_recv(control, &err);
    if (r == 0)
        r = take_messages(&err);
    if (r)
        lose(err.msg);
    else if (control)
        set_events();
    return 0;
}

/* ---- opening --------------------------------------------------------- */

static void begin(void)
{
    const struct qrexec_msg hello = {
            .type = QREXEC_HELLO, .version = QREXEC_VERSION};
    struct err err;

    if (sd_event_add_io(agent.loop, &source, link_fd(control), EPOLLIN,
                on_control, NULL) < 0)
        agent_die("no event source");
    if (tell(&hello, &err))
        lose(err.msg);
}

static int on_port(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
    struct err err;
    int r = link_port_open(port, QREXEC_MSG_MAX, OUT_MAX, &control, &err);

    (void)fd;
    (void)revents;
    (void)userdata;
    if (r == ERR_STATE)
        return 0;
    if (r)
        agent_die("control vchan: %s", err.msg);
    sd_event_source_disable_unref(s);
    source = NULL;
    link_port_free(port);
    port = NULL;
    begin();
    return 0;
}

void agent_control_open(void)
{
    struct err err;

    if (link_port_listen(DOM0, LINK_CONTROL_PORT, &port, &err))
        agent_die("control vchan: %s", err.msg);
    if (sd_event_add_io(agent.loop, &source, link_port_fd(port), EPOLLIN,
                on_port, NULL) < 0)
        agent_die("no event source");
}
