/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair.Relay: the transport service of a relay qube (docs/proto/relay.md).
 * dom0 has it run for a call to a RemoteVM; it hands the call, and with it
 * this process's stdio, to the relay's zone, and is gone with it.
 */
#include "pump.h"
#include "relay_request.h"
#include "relay_zone.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(int code, const char *text)
{
    (void)fprintf(stderr, "qair.Relay: %s\n", text);
    return code;
}

static int carry(int data)
{
    struct pump p = {.end = QREXEC_CALLER,
            .link = link_new_stream(data, 0, 0),
            .stdin_fd = STDIN_FILENO,
            .stdout_fd = STDOUT_FILENO,
            .stderr_fd = STDERR_FILENO};
    struct err err;
    int code = 0;
    int r;

    if (!p.link)
        return fail(QREXEC_EXIT_TROUBLE, "no memory");
    (void)signal(SIGPIPE, SIG_IGN);
    for (int fd = 0; fd < 3; fd++)
        pump_stdio_prepare(fd);
    r = pump_run(&p, &code, &err);
    pump_stdio_restore();
    return r ? fail(QREXEC_EXIT_TROUBLE, err.msg) : code & 0xff;
}

int main(int argc, char **argv)
{
    static struct relay_request q;
    struct msg_relay_call m;
    struct err err;
    int data[2];
    int r;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)puts("qair.Relay: a qrexec service, which dom0 starts for a "
                   "call to a RemoteVM: transport_rpc = qair.Relay");
        return 0;
    }
    r = relay_request_parse(argc == 2 ? argv[1] : NULL,
            getenv("QREXEC_SERVICE_FULL_NAME"), getenv("QREXEC_REMOTE_DOMAIN"),
            &q, &err);
    if (r)
        return fail(QREXEC_EXIT_REFUSED, err.msg);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) < 0)
        return fail(QREXEC_EXIT_TROUBLE, strerror(errno));
    m = (struct msg_relay_call){.source = span_str(q.source),
            .target = span_str(q.target),
            .service = span_str(q.service)};
    r = relay_zone_ask(MSG_RELAY_CALL, &m, data[1], &err);
    if (r)
        return fail(r == ERR_DENIED ? QREXEC_EXIT_REFUSED : QREXEC_EXIT_TROUBLE,
                err.msg);
    return carry(data[0]);
}
