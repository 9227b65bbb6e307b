/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls a service of another qube; its input is one line, its output is ours.
 *
 *     cc qrexec-call.c $(pkg-config --cflags --libs qair-qrexec)
 *     ./a.out TARGET SERVICE[+ARG] LINE
 *
 * $QREXEC_AGENT_SOCKET names an agent's socket that is not in its usual place.
 */
#include <qair-qrexec.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static int copy(struct qair_call *call, enum qair_call_stream stream, int fd)
{
    char bytes[65536];
    ssize_t n;

    while ((n = qair_call_read(call, stream, bytes, sizeof(bytes))) > 0) {
        if (write(fd, bytes, (size_t)n) != n)
            return -1;
    }
    return 0;
}

static int finish(struct qair_call *call)
{
    switch (qair_call_step(call)) {
    case QAIR_CALL_EXITED:
        return qair_call_exit_code(call);
    case QAIR_CALL_REFUSED:
        fprintf(stderr, "refused by %s: %s\n", qair_call_where(call),
                qair_call_reason(call));
        return 126;
    case QAIR_CALL_ASKING:
    case QAIR_CALL_RUNNING:
    case QAIR_CALL_LOST:
    default:
        fprintf(stderr, "lost: %s\n", qair_call_reason(call));
        return 125;
    }
}

int main(int argc, char **argv)
{
    const struct qair_call_options options = {.size = sizeof(options),
            .agent = getenv("QREXEC_AGENT_SOCKET"),
            .timeout_ms = PATIENCE_MS};
    struct qair_call *call;
    size_t sent = 0, len;
    int open = 1, code, r;

    if (argc != 4) {
        fprintf(stderr, "usage: qrexec-call TARGET SERVICE[+ARG] LINE\n");
        return 2;
    }
    len = strlen(argv[3]);
    r = qair_call_start(argv[1], argv[2], &options, &call);
    if (r != 0) {
        fprintf(stderr, "no call: %s\n", strerror(-r));
        return 125;
    }
    do {
        r = qair_call_wait(call, open, -1);
        if (r != 0) {
            fprintf(stderr, "no answer: %s\n", strerror(-r));
            qair_call_free(call);
            return 125;
        }
        if (open && sent < len) {
            ssize_t n = qair_call_write(call, argv[3] + sent, len - sent);

            if (n > 0)
                sent += (size_t)n;
            open = n != -EPIPE;
        } else if (open) {
            open = qair_call_end_input(call) == -EAGAIN;
        }
        if (copy(call, QAIR_CALL_STDOUT, STDOUT_FILENO) < 0 ||
                copy(call, QAIR_CALL_STDERR, STDERR_FILENO) < 0)
            break;
    } while (qair_call_fd(call) >= 0);
    code = finish(call);
    qair_call_free(call);
    return code;
}
