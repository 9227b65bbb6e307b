/* SPDX-License-Identifier: Apache-2.0 */
/* Running a service or a command in a qube. */
#include "qube_private.h"

#include <fcntl.h>
#include <stdio.h>

#define ADMIN_NAME "dom0" /* what services know the owner as (Qubes) */

static int put_command(const struct call *c, char *ret, size_t cap)
{
    const char *source = c->source_name;
    int n;

    if (c->origin == CALL_OF_RUN) {
        n = snprintf(ret, cap, "DEFAULT:%s", c->command);
        return n > 0 && (size_t)n < cap ? 0 : ERR_LIMIT;
    }
    if (strcmp(source, "@adminvm") == 0)
        source = ADMIN_NAME;
    if (!host_has(c->d, c->qube))
        return qrexec_command_format(span_str(c->user), span_str(c->service),
                span_str(source), ret, cap);
    /* The relay has many qubes behind it; as whom, its dom0 decides. */
    n = snprintf(ret, cap, "DEFAULT:QUBESRPC %s %s name %s", c->service, source,
            c->qube);
    return n > 0 && (size_t)n < cap ? 0 : ERR_LIMIT;
}

static bool take_port(struct qube *q, uint32_t *ret)
{
    for (uint32_t i = 0; i < LIMIT_CALLS_PER_SOURCE; i++) {
        if (q->port_used[i])
            continue;
        q->port_used[i] = true;
        q->running++;
        *ret = CALLD_PORT_FIRST + i;
        return true;
    }
    return false;
}

void qube_exec(struct call *c)
{
    static char command[QREXEC_COMMAND_MAX + 1];
    struct qrexec_msg m = {
            .type = QREXEC_EXEC_CMDLINE, .domain = c->key >= 0 ? 2 : 1};
    const int fds[] = {c->data, c->key};
    struct qube *q = c->target;
    struct err err;

    if (put_command(c, command, sizeof(command))) {
        call_refuse(c, ERR_SYNTAX, c->d->where,
                "user or service cannot be written as a command");
        return;
    }
    if (share_serve(c, &err)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "%s", err.msg);
        return;
    }
    if (!take_port(q, &m.port)) {
        call_refuse(c, ERR_LIMIT, c->d->where, "%s runs %u services already",
                q->name, q->running);
        return;
    }
    c->port = m.port;
    c->watch = fcntl(c->data, F_DUPFD_CLOEXEC, 3);
    if (c->watch < 0)
        role_fatal(q->d->role, "out of descriptors");
    /* Kept to end the session with the call. */
    q->port_key[m.port - CALLD_PORT_FIRST] =
            c->key >= 0 ? fcntl(c->key, F_DUPFD_CLOEXEC, 3) : -1;
    m.command = span_str(command);
    qube_say(q, &m, fds, m.domain);
    c->data = c->key = -1;
    if (q->state != QUBE_BROKEN) /* else its burial refuses the call */
        plan_next(c);
}
