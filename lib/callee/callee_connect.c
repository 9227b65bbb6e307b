/* SPDX-License-Identifier: Apache-2.0 */
/* Services that are sockets: Unix, and TCP by a link to /dev/tcp. */
#include "callee_private.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TCP_DIR      "/dev/tcp"
#define TCP_HOST_MAX 256

static int connect_unix(struct callee_call *call)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *path = call->service.path;
    char by_fd[32];
    CLEANUP(buf_close_fd) int place = -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* A path that does not fit is reached through a descriptor. */
    if (strlen(path) >= sizeof(addr.sun_path)) {
        place = open(path, O_PATH | O_CLOEXEC);
        (void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", place);
        path = by_fd;
    }
    memcpy(addr.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s: %s", call->service.path,
                strerror(errno));
    return fd;
}

/* ---- TCP ------------------------------------------------------------- */

struct place {
    char host[TCP_HOST_MAX];
    char port[TCP_HOST_MAX];
};

static bool take(char ret[static TCP_HOST_MAX], struct span text)
{
    if (text.len == 0 || text.len >= TCP_HOST_MAX)
        return false;
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

/* HOST+PORT, where '+' stands for the ':' of an IPv6 address. */
static bool parse_arg(struct span arg, struct place *ret)
{
    const uint8_t *plus = arg.len ? memrchr(arg.ptr, '+', arg.len) : NULL;

    if (!plus || !take(ret->host, SPAN(arg.ptr, (size_t)(plus - arg.ptr))) ||
            !take(ret->port,
                    SPAN(plus + 1, (size_t)(arg.ptr + arg.len - plus - 1))))
        return false;
    for (char *p = ret->host; *p; p++) {
        if (*p == '_') /* what a policy host makes of any other byte */
            return false;
        if (*p == '+')
            *p = ':';
    }
    return true;
}

/* What the link does not say, the argument must; and nothing else. */
static bool parse_place(const char *to, struct span arg, struct place *ret)
{
    struct span rest = span_str(to + sizeof(TCP_DIR) - 1);
    const uint8_t *slash;

    if (rest.len == 0)
        return parse_arg(arg, ret);
    rest = SPAN(rest.ptr + 1, rest.len - 1);
    slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    if (!slash)
        return take(ret->host, rest) && take(ret->port, arg);
    return arg.len == 0 &&
           take(ret->host, SPAN(rest.ptr, (size_t)(slash - rest.ptr))) &&
           take(ret->port,
                   SPAN(slash + 1, (size_t)(rest.ptr + rest.len - slash - 1)));
}

static bool is_port(const char *text)
{
    uint64_t n;

    return text[0] != '0' && text_parse_u64(span_str(text), &n) && n <= 65535;
}

static int connect_place(struct callee_call *call, const struct place *at)
{
    const struct addrinfo hints = {
            .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
            .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *list;
    int fd = -1;

    if (!is_port(at->port) || getaddrinfo(at->host, at->port, &hints, &list))
        callee_fail(call, QREXEC_EXIT_TROUBLE,
                "not a numeric address and port: %s %s", at->host, at->port);
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0)
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s port %s: %s", at->host,
                at->port, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

static int connect_tcp(struct callee_call *call)
{
    char to[QREXEC_PATH_MAX];
    struct place at;
    ssize_t n = readlink(call->service.path, to, sizeof(to) - 1);

    if (!call->c->tcp)
        callee_fail(call, QREXEC_EXIT_TROUBLE,
                "%s is a TCP service; a process qube has no network",
                call->service.path);
    to[n > 0 ? n : 0] = '\0';
    if (strncmp(to, TCP_DIR, sizeof(TCP_DIR) - 1) != 0 ||
            !parse_place(to, call->command.arg, &at))
        callee_fail(call, QREXEC_EXIT_TROUBLE,
                "%s: link and argument do not make a host and a port",
                call->service.path);
    return connect_place(call, &at);
}

/* ---- both ------------------------------------------------------------ */

/* SERVICE+ARG SOURCE[ TYPE TARGET], as it came. */
static void send_descriptor(struct callee_call *call, int fd)
{
    const struct qrexec_command *c = &call->command;
    struct buf head = BUF_INIT(QREXEC_COMMAND_MAX);
    struct err err;

    buf_append(&head, c->service);
    buf_append_u8(&head, ' ');
    buf_append(&head, c->source);
    if (c->target_type.len) {
        buf_append_u8(&head, ' ');
        buf_append(&head, c->target_type);
        buf_append_u8(&head, ' ');
        buf_append(&head, c->target);
    }
    buf_append_u8(&head, 0);
    if (buf_ok(&head, &err) || buf_write_all(fd, buf_span(&head), &err))
        callee_fail(call, QREXEC_EXIT_TROUBLE, "%s: %s", call->service.path,
                err.msg);
    buf_fini(&head);
}

void callee_connect(struct callee_call *call)
{
    const struct qrexec_config *config = &call->service.config;
    int fd = call->service.found == QREXEC_FOUND_TCP ? connect_tcp(call)
                                                     : connect_unix(call);

    if (!config->skip_service_descriptor)
        send_descriptor(call, fd);
    call->pump.stdin_fd = fd;
    call->pump.stdout_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    call->pump.stderr_fd = -1;
    call->pump.exit_on_client_eof = config->exit_on_client_eof;
    call->pump.exit_on_service_eof = config->exit_on_service_eof;
}
