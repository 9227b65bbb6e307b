/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usock PATH: stdin to a Unix socket, its end too, then what comes back to
 * stdout.  usock --silent N PATH: N connections that say nothing, held until
 * stdin ends; prints "ready" when they stand.  usock --serve PATH TEXT:
 * takes one connection, writes what came to PATH.got, answers TEXT.
 * usock --activate PATH PROGRAM...: runs it with a socket that listens there,
 * as systemd does.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int make(const char *path, struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", path);
    if (fd < 0)
        die("socket");
    return fd;
}

static int dial(const char *path)
{
    struct sockaddr_un sun;
    int fd = make(path, &sun);

    if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
        die(path);
    return fd;
}

static void copy(int from, int to)
{
    char buf[65536];
    ssize_t n;

    while ((n = read(from, buf, sizeof(buf))) > 0) {
        if (send(to, buf, (size_t)n, MSG_NOSIGNAL) < 0 &&
                write(to, buf, (size_t)n) != n)
            return;
    }
}

static int be_silent(unsigned long n, const char *path)
{
    char c;

    for (unsigned long i = 0; i < n; i++)
        (void)dial(path);
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    return 0;
}

static int serve(const char *path, const char *text)
{
    struct sockaddr_un sun;
    int fd = make(path, &sun), peer, out;
    char got[256];

    (void)unlink(path);
    if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 1) < 0)
        die(path);
    peer = accept(fd, NULL, NULL);
    (void)snprintf(got, sizeof(got), "%s.got", path);
    out = open(got, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (peer < 0 || out < 0)
        die(got);
    copy(peer, out);
    (void)!write(peer, text, strlen(text));
    return 0;
}

static int activate(const char *path, char **argv)
{
    struct sockaddr_un sun;
    char pid[16];
    int fd = make(path, &sun);

    (void)unlink(path);
    if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
            listen(fd, 64) < 0 || dup2(fd, 3) < 0)
        die(path);
    if (fd != 3)
        (void)close(fd);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "1", 1);
    (void)execv(argv[0], argv);
    die(argv[0]);
    return 1;
}

int main(int argc, char **argv)
{
    int fd;

    if (argc > 3 && !strcmp(argv[1], "--activate"))
        return activate(argv[2], argv + 3);

    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && !strcmp(argv[1], "--silent"))
        return be_silent(strtoul(argv[2], NULL, 10), argv[3]);
    if (argc == 4 && !strcmp(argv[1], "--serve"))
        return serve(argv[2], argv[3]);
    if (argc != 2)
        return 2;
    fd = dial(argv[1]);
    copy(STDIN_FILENO, fd);
    (void)shutdown(fd, SHUT_WR);
    copy(fd, STDOUT_FILENO);
    return 0;
}
