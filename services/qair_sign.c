/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-sign KEY: the service qair.Sign, in the qube that may use keys.  As
 * "#!/opt/qair/qair-sign --service" it is the interpreter of the service's own
 * file, whose path comes before KEY then and is not read: no shell between.
 *
 * The artefact comes on standard input and goes to keyd as a descriptor; this
 * process reads none of it.  The receipt comes back as sealed memory and goes
 * to standard output.  QAIR_KEY_FD is the key session of this one call: what is
 * signed is signed in that call's name.
 *
 * Exit: 0 signed, 1 refused ("WHERE: REASON" on standard error), 2 misuse.
 */
#include "buf.h"
#include "ipc.h"
#include "msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNED = 0, REFUSED = 1, MISUSE = 2 };

/* A receipt holds a proof, evidence and two envelopes (lib/receipt). */
#define ANSWER_MAX (6u << 20)

/* The stream that a call carries has no file name; the receipt says the
 * digest, and whoever stores the file names it. */
#define ARTEFACT_NAME "artefact"

static int refuse(const char *where, const char *reason)
{
    (void)fprintf(stderr, "%s: %s\n", where, reason);
    return REFUSED;
}

static bool session_fd(int *ret)
{
    const char *text = getenv("QAIR_KEY_FD");
    uint64_t fd;

    if (!text || !text_parse_u64(span_str(text), &fd) || fd > 1023)
        return false;
    *ret = (int)fd;
    return true;
}

static int ask(int fd, const char *key)
{
    struct msg_key_sign m = {
            .key = span_str(key), .name = span_str(ARTEFACT_NAME)};
    const int artefact = STDIN_FILENO;
    uint8_t datagram[512];
    size_t len;

    if (!msg_put(MSG_KEY_SIGN, 1, &m, datagram, sizeof(datagram), &len))
        return ERR_LIMIT;
    return ipc_send(fd, SPAN(datagram, len), &artefact, 1);
}

/* The receipt's memory, whole and unchangeable, to standard output. */
static int print_file(const struct ipc_fds *fds)
{
    struct err err = {0};
    struct span receipt;
    int rc;

    if (fds->n != 1)
        return refuse("qair-sign", "keyd sent no receipt");
    if (ipc_map(fds->fd[0], ANSWER_MAX, &receipt, &err))
        return refuse("qair-sign", err.msg);
    rc = buf_write_all(STDOUT_FILENO, receipt, &err);
    ipc_unmap(receipt);
    return rc ? refuse("qair-sign", err.msg) : SIGNED;
}

static int print_refusal(const struct msg_header *h)
{
    struct msg_refused r;
    char where[128], reason[512];

    if (msg_get(h, &r))
        return refuse("qair-sign", "keyd broke the protocol");
    text_format_safe(r.where, where, sizeof(where));
    text_format_safe(r.reason, reason, sizeof(reason));
    return refuse(where, reason);
}

static int answer(int fd)
{
    static uint8_t datagram[LIMIT_IPC_MSG_MAX];
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct err err = {0};
    size_t len;
    int rc;

    do {
        if (ipc_wait(fd, -1, &err))
            return refuse("qair-sign", err.msg);
        rc = ipc_recv(fd, datagram, sizeof(datagram), &len, &fds);
    } while (rc == ERR_STATE);
    if (rc || msg_get_header(SPAN(datagram, len), &h) || h.id != 1)
        rc = refuse("keyd", "went away without an answer");
    else if (h.type == MSG_FILE)
        rc = print_file(&fds);
    else if (h.type == MSG_REFUSED)
        rc = print_refusal(&h);
    else
        rc = refuse("qair-sign", "keyd broke the protocol");
    ipc_fds_close(&fds);
    return rc;
}

int main(int argc, char **argv)
{
    int fd, rc;

    if (argc == 4 && strcmp(argv[1], "--service") == 0) {
        argv += 2;
        argc -= 2;
    }
    if (argc != 2 || argv[1][0] == '\0') {
        (void)fprintf(stderr,
                "qair-sign: name the key: call qair.Sign+KEY with the file on "
                "standard input\n");
        return MISUSE;
    }
    if (!session_fd(&fd)) {
        (void)fprintf(stderr,
                "qair-sign: no key session: list keys of this qube in "
                "qubes.d (keys = ...)\n");
        return MISUSE;
    }
    rc = ask(fd, argv[1]);
    if (rc == ERR_LIMIT)
        return refuse("qair-sign", "name of the key is too long");
    if (rc)
        return refuse("keyd", "is not there");
    return answer(fd);
}
