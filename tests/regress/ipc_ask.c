/* SPDX-License-Identifier: Apache-2.0 */
/* ipc_ask DIR SOCKET TYPE: one message without fields to a local socket, and
 * the answer's bytes on stdout.  Exit 3 when the other end goes away. */
#include "ipc.h"
#include "msg.h"

#include <stdio.h>
#include <unistd.h>

static uint16_t type_named(const char *name)
{
    for (uint16_t t = 1; t < 256; t++) {
        if (strcmp(msg_type_name(t), name) == 0)
            return t;
    }
    return 0;
}

static int show(struct span datagram)
{
    struct msg_header h;
    struct msg_blob b;
    struct msg_refused no;

    if (msg_get_header(datagram, &h) < 0)
        return 1;
    if (h.type == MSG_BLOB && msg_get(&h, &b) == 0) {
        (void)printf("%.*s\n", (int)b.bytes.len, (const char *)b.bytes.ptr);
        return 0;
    }
    if (h.type == MSG_REFUSED && msg_get(&h, &no) == 0)
        (void)printf("refused: %.*s\n", (int)no.reason.len,
                (const char *)no.reason.ptr);
    return h.type == MSG_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    static uint8_t buf[LIMIT_IPC_MSG_MAX];
    struct ipc_fds fds = {.n = 0};
    struct err err = {0};
    size_t len;
    int fd, rc;

    if (argc != 4)
        return 2;
    rc = ipc_connect(argv[1], argv[2], &fd, &err);
    if (rc < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    if (!msg_put((enum msg_type)type_named(argv[3]), 1, &(struct msg_empty){0},
                buf, sizeof(buf), &len) ||
            ipc_send(fd, SPAN(buf, len), NULL, 0) < 0 ||
            ipc_wait(fd, 10000, &err) < 0)
        return 1;
    rc = ipc_recv(fd, buf, sizeof(buf), &len, &fds);
    ipc_fds_close(&fds);
    if (rc == ERR_PEER)
        return 3;
    return rc < 0 ? 1 : show(SPAN(buf, len));
}
