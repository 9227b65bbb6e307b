/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_admin.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* A TPM may take its time; a zone that does not answer at all is broken. */
#define ANSWER_MS 120000

int cli_admin_open(const struct cli *cli, const char *socket,
        struct cli_admin *ret, struct err *err)
{
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/run", cli->zone_dir);

    if (n < 0 || (size_t)n >= sizeof dir)
        return err_set(err, ERR_USAGE, "the zone's path is too long");
    if (ipc_connect(dir, socket, &ret->fd, err) != 0)
        return err_set(err, ERR_STATE,
                "no zone runs in %s (or it is not yours): 'qair -z %s zone "
                "run' starts it",
                cli->zone_dir, cli->zone_dir);
    return 0;
}

void cli_admin_close(struct cli_admin *a)
{
    buf_close_fd(&a->fd);
    a->fd = -1;
}

static int refusal(const struct msg_header *h, struct err *err)
{
    struct msg_refused r;
    /* together with ": " they fit an err: a cut is seen as "..." */
    char where[40], reason[ERR_MSG_MAX - 42];

    if (msg_get(h, &r) != 0 || r.code == 0 || r.code > 100)
        return err_set(err, ERR_PEER, "malformed refusal");
    text_format_safe(r.where, where, sizeof where);
    text_format_safe(r.reason, reason, sizeof reason);
    return err_set(err, -(int)r.code, "%s: %s", where, reason);
}

static int answer(struct cli_admin *a, size_t len, enum msg_type expect,
        void *ret_body, struct err *err)
{
    struct msg_header h;

    if (msg_get_header(SPAN(a->bytes, len), &h) != 0)
        return err_set(err, ERR_PEER, "malformed answer");
    if (h.type == MSG_REFUSED)
        return refusal(&h, err);
    if (h.type != expect || msg_get(&h, ret_body) != 0)
        return err_set(err, ERR_PEER, "another answer than asked for");
    return 0;
}

int cli_admin_ask(struct cli_admin *a, enum msg_type type, const void *msg,
        enum msg_type expect, void *ret_body, struct ipc_fds *ret_fds,
        struct err *err)
{
    struct ipc_fds fds = {.n = 0};
    size_t len = 0;
    int r;

    if (!msg_put(type, 1, msg, a->bytes, sizeof a->bytes, &len))
        return err_set(err, ERR_USAGE, "the request is too large");
    if (ipc_send(a->fd, SPAN(a->bytes, len), NULL, 0) != 0)
        return err_set(err, ERR_PEER, "the zone closed the connection");
    r = ipc_wait(a->fd, ANSWER_MS, err);
    if (r != 0)
        return r;
    if (ipc_recv(a->fd, a->bytes, sizeof a->bytes, &len, &fds) != 0)
        return err_set(err, ERR_PEER, "the zone closed the connection");
    r = answer(a, len, expect, ret_body, err);
    if (r == 0 && ret_fds)
        *ret_fds = fds;
    else
        ipc_fds_close(&fds);
    return r;
}

int cli_admin_ask_file(struct cli_admin *a, enum msg_type type, const void *msg,
        struct buf *ret, struct err *err)
{
    struct msg_empty body;
    struct ipc_fds fds = {.n = 0};
    struct span bytes;
    int r;

    r = cli_admin_ask(a, type, msg, MSG_FILE, &body, &fds, err);
    if (r == 0 && fds.n != 1)
        r = err_set(err, ERR_PEER, "an answer without its file");
    if (r == 0)
        r = ipc_map(fds.fd[0], ret->cap, &bytes, err);
    ipc_fds_close(&fds);
    if (r != 0)
        return r;
    buf_append(ret, bytes);
    ipc_unmap(bytes);
    return buf_ok(ret, err);
}
