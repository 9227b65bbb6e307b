/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request, and what becomes of it.  In a zone the agent answers with a
 * descriptor, or with who refused and why; on Qubes with a domain and a port
 * for a vchan, or with the end of the stream.
 */
#include "client_vm.h"

#include "qrexec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDENT       "SOCKET"
#define REASON_MARK UINT32_MAX
#define CALLEE_MS   120000 /* as upstream */

static int connect_agent(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(addr.sun_path))
        client_vm_die(QREXEC_EXIT_TROUBLE, "socket path is too long: %s", path);
    memcpy(addr.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        client_vm_die(QREXEC_EXIT_TROUBLE,
                "no agent at %s (%s): is this program run inside a qube?", path,
                strerror(errno));
    return fd;
}

static void say(struct link *l, const struct client_vm_request *q)
{
    static uint8_t bytes[QREXEC_MSG_MAX];
    char target[QREXEC_NAME_SIZE];
    struct qrexec_msg m = {.type = QREXEC_TRIGGER_SERVICE4,
            .source = span_str(q->source),
            .ident = span_str(IDENT),
            .service = span_str(q->service)};
    struct err err;
    size_t len;

    if (strlen(q->target) >= sizeof(target))
        client_vm_die(QREXEC_EXIT_TROUBLE, "target name is too long");
    (void)snprintf(target, sizeof(target), "%s", q->target);
    for (char *p = target; *p; p++) {
        if (*p == '$') /* the keyword sign of older rules */
            *p = '@';
    }
    m.target = span_str(target);
    if (qrexec_msg_put(&m, bytes, sizeof(bytes), &len))
        client_vm_die(
                QREXEC_EXIT_TROUBLE, "source name or service is too long");
    if (link_send(l, SPAN(bytes, len), NULL, 0, &err))
        client_vm_die(QREXEC_EXIT_TROUBLE, "agent: %s", err.msg);
}

/* Reads until n bytes are there; false at the end of the stream. */
static bool need(struct link *l, size_t n)
{
    while (link_in(l).len < n) {
        struct pollfd pfd = {.fd = link_fd(l), .events = link_events(l)};
        struct err err;

        if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
            client_vm_die(QREXEC_EXIT_TROUBLE, "poll: %s", strerror(errno));
        if (link_flush(l, &err) == ERR_IO)
            client_vm_die(QREXEC_EXIT_TROUBLE, "agent: %s", err.msg);
        if (link_recv(l, &err))
            return link_in(l).len >= n;
    }
    return true;
}

static _Noreturn void refused(struct link *l, uint32_t len)
{
    char where[QREXEC_REASON_MAX] = "";
    char reason[QREXEC_REASON_MAX] = "no reason given";
    const uint8_t *end = NULL;
    struct span text;

    if (len <= QREXEC_REASON_MAX && need(l, len)) {
        text = SPAN(link_in(l).ptr, len);
        end = len ? memchr(text.ptr, 0, len) : NULL;
    }
    if (end && text.ptr[len - 1] == 0) {
        size_t n = (size_t)(end - text.ptr);

        text_format_safe(SPAN(text.ptr, n), where, sizeof(where));
        if (n + 2 < len)
            text_format_safe(
                    SPAN(end + 1, len - n - 2), reason, sizeof(reason));
    }
    client_vm_die(QREXEC_EXIT_REFUSED, "refused by %s: %s",
            *where ? where : "the zone", reason);
}

/* Qubes: the caller is the server of the call's vchan. */
static struct link *await_callee(uint32_t domain, uint32_t port)
{
    CLEANUP(link_port_free_ptr) struct link_port *p = NULL;
    struct link *l = NULL;
    struct err err;

    if (link_port_listen(domain, port, &p, &err) ||
            link_port_wait(p, CALLEE_MS, 0, 0, &l, &err))
        client_vm_die(CLIENT_VM_CUT_OFF, "data vchan: %s", err.msg);
    return l;
}

struct client_vm_call client_vm_ask(const struct client_vm_request *q)
{
    struct link *l = link_new_unix(
            connect_agent(q->socket), 8 + QREXEC_REASON_MAX, QREXEC_MSG_MAX);
    struct client_vm_call call = {.agent = l};
    struct wire_reader r;
    uint32_t domain;
    uint32_t port;
    int fd;

    if (!l)
        client_vm_die(QREXEC_EXIT_TROUBLE, "no memory");
    say(l, q);
    if (!need(l, 8)) { /* upstream's word: programs look for it */
        (void)fputs("Request refused\n", stderr);
        exit(QREXEC_EXIT_REFUSED);
    }
    r = wire_reader_of(link_in(l));
    if (!wire_get_u32le(&r, &domain) || !wire_get_u32le(&r, &port))
        client_vm_die(QREXEC_EXIT_TROUBLE, "agent: short answer");
    link_consume(l, 8);
    if (domain == REASON_MARK)
        refused(l, port);
    fd = link_take_fd(l);
    if (fd >= 0) {
        call.data = link_new_stream(fd, 0, 0);
        link_free(TAKE_PTR(call.agent));
    } else {
        call.data = await_callee(domain, port);
    }
    return call;
}
