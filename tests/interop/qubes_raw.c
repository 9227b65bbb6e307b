/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of a qube that talks to the agent's socket by itself:
 *
 *   qubes-raw trigger SOCKET TARGET SERVICE-LENGTH   one request whose
 *       service is "t.Echo+" and as many a's as make up the length (written in
 *       blocks, as the socket takes it); says "allowed" or "refused"
 *   qubes-raw half SOCKET COUNT   so many connections with half a header;
 *       holds them until stdin ends
 *   qubes-raw flood SOCKET TARGET COUNT   so many requests, none of whose
 *       answers is read; holds them until stdin ends
 *
 * Exit code 0 once the agent answered or ended the connection, 1 on trouble,
 * 3 when nothing came within 20 s.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TRIGGER_SERVICE4 0x213
#define NAME_SIZE        64
#define IDENT_SIZE       32
#define FIXED_SIZE       (NAME_SIZE + NAME_SIZE + IDENT_SIZE)
#define SERVICE_SIZE_MAX 100000
#define ANSWER_SIZE      8
#define WAIT_MS          20000

static int connect_to(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static int send_all(int fd, const uint8_t *p, size_t left)
{
    while (left > 0) {
        ssize_t n = send(fd, p, left, MSG_NOSIGNAL);

        if (n <= 0)
            return -1;
        p += n;
        left -= (size_t)n;
    }
    return 0;
}

static size_t request(uint8_t *to, const char *target, size_t service_len)
{
    static const char name[] = "t.Echo+";
    uint32_t header[2] = {
            TRIGGER_SERVICE4, (uint32_t)(FIXED_SIZE + service_len + 1)};
    uint8_t *service = to + sizeof(header) + FIXED_SIZE;

    memset(to, 0, sizeof(header) + FIXED_SIZE);
    memcpy(to, header, sizeof(header));
    (void)snprintf(
            (char *)to + sizeof(header) + NAME_SIZE, NAME_SIZE, "%s", target);
    memcpy(to + sizeof(header) + NAME_SIZE + NAME_SIZE, "SOCKET", 6);
    memset(service, 'a', service_len);
    memcpy(service, name, sizeof(name) - 1);
    service[service_len] = 0;
    return sizeof(header) + FIXED_SIZE + service_len + 1;
}

/* An end of the connection is a refusal, before the answer as in a write. */
static int say_answer(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t answer[ANSWER_SIZE];
    ssize_t n;

    if (poll(&p, 1, WAIT_MS) != 1) {
        (void)puts("no answer");
        return 3;
    }
    n = recv(fd, answer, sizeof(answer), MSG_WAITALL);
    (void)puts(n == (ssize_t)sizeof(answer) ? "allowed" : "refused");
    return 0;
}

static int trigger(const char *path, const char *target, size_t len)
{
    static uint8_t buf[8 + FIXED_SIZE + SERVICE_SIZE_MAX + 1];
    int fd = connect_to(path);

    if (len < 8 || len > SERVICE_SIZE_MAX)
        return 1;
    (void)send_all(fd, buf, request(buf, target, len));
    return say_answer(fd);
}

static void hold(void)
{
    char c;

    (void)puts("holding");
    (void)fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
}

static int half(const char *path, int count)
{
    static const uint8_t part[] = {TRIGGER_SERVICE4 & 0xff, 2, 0, 0};

    for (int i = 0; i < count; i++)
        (void)send_all(connect_to(path), part, sizeof(part));
    hold();
    return 0;
}

static int flood(const char *path, const char *target, int count)
{
    uint8_t buf[8 + FIXED_SIZE + 64];
    size_t len = request(buf, target, 8);

    for (int i = 0; i < count; i++)
        (void)send_all(connect_to(path), buf, len);
    hold();
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files = {4096, 4096};

    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (argc == 5 && strcmp(argv[1], "trigger") == 0)
        return trigger(argv[2], argv[3], strtoul(argv[4], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "half") == 0)
        return half(argv[2], atoi(argv[3]));
    if (argc == 5 && strcmp(argv[1], "flood") == 0)
        return flood(argv[2], argv[3], atoi(argv[4]));
    (void)fputs("usage: qubes-raw trigger|half|flood SOCKET ...\n", stderr);
    return 2;
}
