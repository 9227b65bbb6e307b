/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_zone.h"

#include "ipc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int connect_zone(int *ret, struct err *err)
{
    const char *zone = getenv("QAIR_ZONE");
    char dir[PATH_MAX];
    int n = snprintf(
            dir, sizeof(dir), "%s/run", zone && *zone ? zone : RELAY_ZONE_DIR);

    if (n < 0 || (size_t)n >= sizeof(dir))
        return err_set(err, ERR_USAGE, "the zone's path is too long");
    if (ipc_connect(dir, "relay.sock", ret, err))
        return err_set(err, ERR_NOT_FOUND,
                "no zone runs in %s, or its relay-user is another", dir);
    return 0;
}

static int refused(const struct msg_header *h, struct err *err)
{
    struct msg_refused m;
    char where[96], reason[100];

    if (msg_get(h, &m))
        return err_set(err, ERR_PEER, "the zone's answer cannot be read");
    text_format_safe(m.where, where, sizeof(where));
    text_format_safe(m.reason, reason, sizeof(reason));
    return err_set(err, ERR_DENIED, "refused by %s: %s", where, reason);
}

static int hear(int sock, struct err *err)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    size_t len;

    if (ipc_wait(sock, -1, err) ||
            ipc_recv(sock, bytes, sizeof(bytes), &len, &fds) ||
            msg_get_header(SPAN(bytes, len), &h))
        return err_set(err, ERR_PEER, "the zone went away");
    ipc_fds_close(&fds);
    if (h.type == MSG_REFUSED)
        return refused(&h, err);
    return h.type == MSG_OK
                   ? 0
                   : err_set(err, ERR_PEER, "the zone's answer is unknown");
}

int relay_zone_ask(enum msg_type type, const void *msg, int fd, struct err *err)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    size_t len;
    int sock = -1;
    int r = connect_zone(&sock, err);

    if (r == 0 && !msg_put(type, 1, msg, bytes, sizeof(bytes), &len))
        r = err_set(err, ERR_USAGE, "the request does not fit");
    if (r == 0 && ipc_send(sock, SPAN(bytes, len), &fd, 1))
        r = err_set(err, ERR_PEER, "the zone went away");
    (void)close(fd);
    if (r == 0)
        r = hear(sock, err);
    if (sock >= 0)
        (void)close(sock);
    return r;
}
