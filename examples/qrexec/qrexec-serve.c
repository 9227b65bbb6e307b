/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket service that says who called, and gives back what it is told.
 * It runs all the time; no process is made for a call.
 *
 *     cc qrexec-serve.c $(pkg-config --cflags --libs qair-qrexec)
 *     ./a.out /run/qubes-rpc/example.Serve [--once]
 */
#include <qair-qrexec.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            listen(fd, 16) < 0)
        return -1;
    return fd;
}

static void serve(struct qair_service *s)
{
    int fd = qair_service_fd(s);
    char bytes[4096];
    ssize_t n;

    dprintf(fd, "%s calls %s+%s\n", qair_service_source(s),
            qair_service_name(s), qair_service_argument(s));
    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
        if (write(fd, bytes, (size_t)n) != n)
            break;
    }
}

int main(int argc, char **argv)
{
    int once = argc == 3 && strcmp(argv[2], "--once") == 0;
    int listener;

    if (argc != 2 + once) {
        fprintf(stderr, "usage: qrexec-serve SOCKET [--once]\n");
        return 2;
    }
    listener = listen_at(argv[1]);
    if (listener < 0) {
        perror(argv[1]);
        return 1;
    }
    do {
        struct qair_service *s = qair_service_accept(listener, -1);

        if (!s) {
            perror("a call");
            continue;
        }
        serve(s);
        qair_service_free(s);
    } while (!once);
    return 0;
}
