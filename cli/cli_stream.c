/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_stream.h"

#include "ipc.h"
#include "pump.h"
#include "qrexec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int trouble(const struct cli *cli, const char *text)
{
    (void)fprintf(stderr, "qair %s: %s\n", cli->noun, text);
    return QREXEC_EXIT_TROUBLE;
}

static int connect_zone(const struct cli *cli, int *ret, struct err *err)
{
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof(dir), "%s/run", cli->zone_dir);

    if (n < 0 || (size_t)n >= sizeof(dir))
        return err_set(err, ERR_USAGE, "the zone's path is too long");
    if (ipc_connect(dir, "call.sock", ret, err))
        return err_set(err, ERR_NOT_FOUND,
                "no zone runs in %s (or it is not yours): start it with 'qair "
                "-z %s zone start'",
                cli->zone_dir, cli->zone_dir);
    return 0;
}

static int ask(
        int fd, enum msg_type type, const void *msg, int data, struct err *err)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    size_t len;

    if (!msg_put(type, 1, msg, bytes, sizeof(bytes), &len))
        return err_set(err, ERR_USAGE,
                "target, service or command is too long or not UTF-8");
    if (ipc_send(fd, SPAN(bytes, len), &data, 1))
        return err_set(err, ERR_PEER, "calld went away");
    return 0;
}

static bool tell(
        const struct cli *cli, const char *what, const struct msg_header *h)
{
    struct msg_refused m;
    char where[256];
    char reason[1024];

    if (msg_get(h, &m))
        return false;
    text_format_safe(m.where, where, sizeof(where));
    text_format_safe(m.reason, reason, sizeof(reason));
    (void)fprintf(
            stderr, "qair %s: %s %s: %s\n", cli->noun, what, where, reason);
    return true;
}

static int refused(const struct cli *cli, const struct msg_header *h)
{
    return tell(cli, "refused by", h)
                   ? QREXEC_EXIT_REFUSED
                   : trouble(cli, "calld's answer cannot be read");
}

/* 0 when the call runs, else the exit code; Ctrl-C ends us and with us it. */
static int hear(const struct cli *cli, int fd)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct err err;
    size_t len;

    if (ipc_wait(fd, -1, &err) ||
            ipc_recv(fd, bytes, sizeof(bytes), &len, &fds) ||
            msg_get_header(SPAN(bytes, len), &h))
        return trouble(cli, "calld went away: 'qair zone status' tells more");
    ipc_fds_close(&fds);
    if (h.type == MSG_REFUSED)
        return refused(cli, &h);
    return h.type == MSG_OK ? 0 : trouble(cli, "calld's answer is unknown");
}

/* calld tells why it cut the call off; nothing when it did not. */
static int cut_off(const struct cli *cli, int fd, const char *otherwise)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct err err;
    size_t len;

    if (ipc_wait(fd, 0, &err) ||
            ipc_recv(fd, bytes, sizeof(bytes), &len, &fds) ||
            msg_get_header(SPAN(bytes, len), &h) || h.type != MSG_REFUSED)
        return trouble(cli, otherwise);
    ipc_fds_close(&fds);
    return tell(cli, "cut off by", &h) ? QREXEC_EXIT_TROUBLE
                                       : trouble(cli, otherwise);
}

static int carry(const struct cli *cli, int fd, int data, bool raw)
{
    struct pump p = {.end = QREXEC_CALLER,
            .link = link_new_stream(data, 0, 0),
            .stdin_fd = STDIN_FILENO,
            .stdout_fd = STDOUT_FILENO,
            .stderr_fd = STDERR_FILENO,
            .filter_stdout = !raw && isatty(STDOUT_FILENO),
            .filter_stderr = !raw && isatty(STDERR_FILENO)};
    struct err err;
    int code = 0;
    int r;

    (void)signal(SIGPIPE, SIG_IGN);
    for (int std = 0; std < 3; std++)
        pump_stdio_prepare(std);
    r = pump_run(&p, &code, &err);
    pump_stdio_restore();
    return r ? cut_off(cli, fd, err.msg) : code & 0xff;
}

int cli_stream(
        const struct cli *cli, enum msg_type type, const void *msg, bool raw)
{
    struct err err;
    int data[2];
    int fd;
    int r;

    if (connect_zone(cli, &fd, &err))
        return trouble(cli, err.msg);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) < 0)
        return trouble(cli, strerror(errno));
    if (ask(fd, type, msg, data[1], &err))
        return trouble(cli, err.msg);
    (void)close(data[1]);
    r = hear(cli, fd);
    if (r)
        return r;
    return carry(cli, fd, data[0], raw);
}
