/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-fork-server: started in a user's session, runs services inside it,
 * so that they see the session (display, keyring, agents).  The qube's
 * qrexec-agent hands requests over (fork.h); who else can reach the
 * socket is of the same user or root, and could run the commands itself.
 */
#include "callee.h"
#include "fork.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_DEFAULT "/var/run/qubes/qrexec-server.%s.sock"
#define REQUEST_MS     10000
#define REQUEST_MAX    (FORK_HEADER + QREXEC_COMMAND_MAX + 1)

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "qrexec-fork-server: %s: %s\n", what, why);
    exit(1);
}

static bool is_trusted(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
           (cred.uid == 0 || cred.uid == getuid());
}

/* In the call's own process: the request, then the service. */
static _Noreturn void serve(int fd)
{
    static uint8_t bytes[REQUEST_MAX];
    struct fork_request q;
    size_t len = 0;
    struct err err;
    int r = ERR_STATE;

    while (r == ERR_STATE && len < sizeof(bytes)) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        ssize_t n = -1;

        if (poll(&pfd, 1, REQUEST_MS) == 1)
            n = read(fd, bytes + len, sizeof(bytes) - len);
        if (n <= 0)
            _exit(1);
        len += (size_t)n;
        r = fork_parse(SPAN(bytes, len), &q, &err);
    }
    if (r)
        _exit(1);
    struct callee c = {.name = "qrexec-fork-server",
            .command = q.command,
            .bare = true,
            .users = &callee_any_user, /* the agent chose this server */
            .just_exec = q.type == QREXEC_JUST_EXEC,
            .tcp = true,
            .one_socket = true,
            .leaves_running = true,
            .key_fd = -1,
            .hold_fd = fd,
            .open_log = session_log};

    if (link_port_connect(q.domain, q.port, CALLEE_CONNECT_MS, &c.port, &err))
        die("data vchan", err.msg);
    callee_run(&c);
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask;

    if (strlen(path) >= sizeof(addr.sun_path))
        die(path, "the path is too long");
    memcpy(addr.sun_path, path, strlen(path));
    (void)unlink(path);
    mask = umask(0077);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            listen(fd, SOMAXCONN) < 0)
        die(path, strerror(errno));
    (void)umask(mask); /* the session's, for its services */
    return fd;
}

static void set_path(int argc, char **argv, char *ret, size_t cap)
{
    const struct passwd *pw = getpwuid(getuid());

    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        (void)fputs("usage: qrexec-fork-server [SOCKET]\n", stderr);
        exit(argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2);
    }
    if (argc < 2 && !pw)
        die("user", "this user has no name");
    if (argc == 2 ? snprintf(ret, cap, "%s", argv[1]) >= (int)cap
                  : snprintf(ret, cap, SOCKET_DEFAULT, pw->pw_name) >= (int)cap)
        die("socket", "the path is too long");
}

int main(int argc, char **argv)
{
    char path[128];
    int listener;
    int null;

    set_path(argc, argv, path, sizeof(path));
    listener = listen_at(path);
    /* Whoever started the session goes on when the socket is there. */
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || daemon(0, 1) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        die("daemon", strerror(errno));
    (void)signal(SIGCHLD, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pid_t pid;

        if (fd < 0) {
            if (errno != EINTR && errno != ECONNABORTED)
                die("accept", strerror(errno));
            continue;
        }
        pid = is_trusted(fd) ? fork() : -1;
        if (pid == 0) {
            (void)signal(SIGCHLD, SIG_DFL);
            serve(fd);
        }
        (void)close(fd);
    }
}
