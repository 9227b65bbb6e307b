/* SPDX-License-Identifier: Apache-2.0 */
#include "fork.h"

#include "buf.h"
#include "qrexec.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A name that stays one component of a path. */
static bool is_user(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || s.ptr[i] == '/')
            return false;
    }
    return s.len > 0 && s.len <= 64;
}

static bool fill_addr(
        const char *pattern, const char *user, struct sockaddr_un *ret)
{
    const char *at = strchr(pattern, '%');
    int n;

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!at)
        return false;
    n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%.*s%s%s",
            (int)(at - pattern), pattern, user, at + 2);
    return n > 0 && (size_t)n < sizeof(ret->sun_path);
}

/* Whoever may write in the folder could listen there under another's name. */
static bool is_run_by(int fd, const char *user)
{
    const struct passwd *pw = getpwnam(user);
    struct ucred cred;
    socklen_t len = sizeof(cred);

    return pw && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
           cred.uid == pw->pw_uid;
}

static bool send_all(int fd, const struct fork_request *q)
{
    struct buf out = BUF_INIT(FORK_HEADER + QREXEC_COMMAND_MAX + 1);
    const uint32_t head[4] = {
            q->type, q->domain, q->port, (uint32_t)q->command.len + 1};
    bool ok;

    buf_append(&out, SPAN((const uint8_t *)head, sizeof(head)));
    buf_append(&out, q->command);
    buf_append_u8(&out, 0);
    /* Never more than the socket's buffer: a server that hangs is no server. */
    ok = buf_ok(&out, NULL) == 0 &&
         send(fd, out.ptr, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
                 (ssize_t)out.len;
    buf_fini(&out);
    return ok;
}

int fork_send(
        const char *pattern, struct span user, const struct fork_request *q)
{
    struct sockaddr_un addr;
    char name[65];
    int fd;

    if (!is_user(user))
        return -1;
    memcpy(name, user.ptr, user.len);
    name[user.len] = '\0';
    if (!fill_addr(pattern, name, &addr))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            !is_run_by(fd, name) || !send_all(fd, q)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int fork_parse(struct span in, struct fork_request *ret, struct err *err)
{
    uint32_t head[4];

    if (in.len < sizeof(head))
        return ERR_STATE;
    memcpy(head, in.ptr, sizeof(head));
    if ((head[0] != QREXEC_EXEC_CMDLINE && head[0] != QREXEC_JUST_EXEC) ||
            head[3] < 2 || head[3] > QREXEC_COMMAND_MAX + 1)
        return err_set(err, ERR_SYNTAX, "not a request to a fork server");
    if (in.len < sizeof(head) + head[3])
        return ERR_STATE;
    if (in.len > sizeof(head) + head[3] || in.ptr[in.len - 1] != 0)
        return err_set(err, ERR_SYNTAX, "a malformed request");
    *ret = (struct fork_request){.type = head[0],
            .domain = head[1],
            .port = head[2],
            .command = SPAN(in.ptr + sizeof(head), head[3] - 1)};
    return 0;
}
