/* SPDX-License-Identifier: Apache-2.0 */
/* run/status.json: what runs.  Names are of the zone's own configuration
 * ([a-z0-9._-]), so no escaping is needed. */
#include "qaird.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define STATUS_MAX (256u << 10)

static const char *state_of(const struct qaird *q)
{
    if (q->stopping)
        return "stopping";
    return q->serving ? "serving" : "starting";
}

static void put_roles(const struct qaird *q, struct buf *b)
{
    const char *comma = "";

    for (size_t i = 0; qaird_roles[i]; i++) {
        const struct qaird_role *r = &q->roles[qaird_roles[i]];

        buf_printf(b,
                "%s{\"name\":\"%s\",\"pid\":%d,\"ready\":%s,\"restarts\":%u}",
                comma, msg_role_name(r->role), (int)r->pid,
                r->ready ? "true" : "false", r->deaths);
        comma = ",";
    }
}

static void put_qubes(const struct qaird *q, struct buf *b)
{
    const char *comma = "";

    for (const struct qaird_qube *u = q->qubes; u; u = u->next) {
        buf_printf(b, "%s{\"name\":\"%s\",\"pid\":%d}", comma, u->name,
                (int)u->pid);
        comma = ",";
    }
}

/* Replaced as a whole and not synced: after a crash of the machine nothing
 * of run/ is believed. */
void qaird_status_write(struct qaird *q)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(STATUS_MAX);
    struct err err;
    int fd;

    buf_printf(&b,
            "{\"zone\":\"%s\",\"pid\":%d,\"state\":\"%s\",\"listen\":\"%s\","
            "\"tpm\":\"%s\",\"pack_reads\":%u,\"pack_ok\":%s,"
            "\"policy_reads\":%u,\"policy_ok\":%s,\"roles\":[",
            q->conf->name, (int)getpid(), state_of(q), q->listen_text,
            q->conf->tpm == CONF_TPM_SWTPM ? "emulated" : "device",
            q->pack_reads, q->pack_ok ? "true" : "false", q->policy_reads,
            q->policy_ok ? "true" : "false");
    put_roles(q, &b);
    buf_append_str(&b, "],\"qubes\":[");
    put_qubes(q, &b);
    buf_append_str(&b, "]}\n");
    if (buf_ok(&b, &err) < 0)
        return;
    fd = openat(q->run_fd, "status.json.tmp",
            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return;
    if (buf_write_all(fd, buf_span(&b), &err) == 0)
        (void)renameat(q->run_fd, "status.json.tmp", q->run_fd, "status.json");
    (void)close(fd);
}
