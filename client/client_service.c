/* SPDX-License-Identifier: Apache-2.0 */
/* What a service is told of its call; docs/proto/qrexec.md, section 4. */
#include "qair-qrexec.h"
#include "qrexec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX_MS 1000000000

/* "SERVICE+ARG SOURCE[ TYPE TARGET]" and its NUL */
#define DESCRIPTOR_MAX (LIMIT_SERVICE_MAX + 3 * QREXEC_NAME_SIZE + 16)

struct qair_service {
    char name[LIMIT_SERVICE_MAX + 1];
    char argument[LIMIT_SERVICE_MAX + 1];
    char source[QREXEC_NAME_SIZE];
    char target[QREXEC_NAME_SIZE + 1];
    int fd;
};

static bool copy(struct span s, char *ret, size_t size)
{
    if (s.len >= size || (s.len > 0 && memchr(s.ptr, 0, s.len)))
        return false;
    if (s.len > 0)
        memcpy(ret, s.ptr, s.len);
    ret[s.len] = '\0';
    return true;
}

static const char *env(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

static bool take_environment(struct qair_service *s)
{
    const char *full = env("QREXEC_SERVICE_FULL_NAME");
    const char *type = env("QREXEC_REQUESTED_TARGET_TYPE");
    const char *keyword = env("QREXEC_REQUESTED_TARGET_KEYWORD");
    size_t name = strcspn(full, "+");

    if (strcmp(type, "keyword") == 0)
        (void)snprintf(s->target, sizeof(s->target), "@%s", keyword);
    else if (strcmp(type, "name") == 0)
        (void)snprintf(s->target, sizeof(s->target), "%s",
                env("QREXEC_REQUESTED_TARGET"));
    return name > 0 && copy(SPAN(full, name), s->name, sizeof(s->name)) &&
           copy(span_str(env("QREXEC_SERVICE_ARGUMENT")), s->argument,
                   sizeof(s->argument)) &&
           *env("QREXEC_REMOTE_DOMAIN") &&
           copy(span_str(env("QREXEC_REMOTE_DOMAIN")), s->source,
                   sizeof(s->source));
}

struct qair_service *qair_service_from_environment(void)
{
    struct qair_service *s = calloc(1, sizeof(*s));

    if (s)
        s->fd = -1;
    if (s && !take_environment(s)) {
        free(TAKE_PTR(s));
        errno = ENOENT;
    }
    return s;
}

/* ---- socket services ------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool wait_for(int fd, int64_t until)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left = until - now_ms();
    int n = left > 0 ? poll(&p, 1, left < WAIT_MAX_MS ? (int)left : WAIT_MAX_MS)
                     : 0;

    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

/* Up to and with the NUL and no byte further: the rest is the caller's. */
static ssize_t read_descriptor(
        int fd, int64_t until, char text[static DESCRIPTOR_MAX])
{
    size_t len = 0;

    while (len < DESCRIPTOR_MAX) {
        ssize_t n;
        const char *end;

        if (!wait_for(fd, until))
            return -1;
        n = recv(fd, text + len, DESCRIPTOR_MAX - len, MSG_PEEK);
        if (n <= 0)
            break;
        end = memchr(text + len, 0, (size_t)n);
        if (end)
            n = end + 1 - (text + len);
        if (recv(fd, text + len, (size_t)n, 0) != n)
            break;
        len += (size_t)n;
        if (end)
            return (ssize_t)len - 1;
    }
    errno = EPROTO;
    return -1;
}

static bool take_descriptor(struct qair_service *s, struct span text)
{
    static const char head[] = "DEFAULT:QUBESRPC ";
    char line[sizeof(head) + DESCRIPTOR_MAX];
    struct qrexec_command c;
    struct err err;
    bool keyword;

    /* The same words as in EXEC_CMDLINE, which is where they come from. */
    memcpy(line, head, sizeof(head) - 1);
    memcpy(line + sizeof(head) - 1, text.ptr, text.len);
    if (qrexec_command_parse(
                SPAN(line, sizeof(head) - 1 + text.len), &c, &err) != 0 ||
            !c.is_service)
        return false;
    keyword = span_eq_str(c.target_type, "keyword");
    if (keyword)
        *s->target = '@';
    return copy(c.name, s->name, sizeof(s->name)) &&
           copy(c.arg, s->argument, sizeof(s->argument)) &&
           copy(c.source, s->source, sizeof(s->source)) &&
           copy(c.target, s->target + keyword, sizeof(s->target) - keyword);
}

static bool accept_from_agent(
        struct qair_service *s, int listener, int64_t until)
{
    char text[DESCRIPTOR_MAX];
    ssize_t n;

    if (!wait_for(listener, until))
        return false;
    s->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    n = s->fd < 0 ? -1 : read_descriptor(s->fd, until, text);
    if (n < 0)
        return false;
    if (take_descriptor(s, SPAN(text, (size_t)n)))
        return true;
    errno = EPROTO;
    return false;
}

struct qair_service *qair_service_accept(int listener, int timeout_ms)
{
    struct qair_service *s = calloc(1, sizeof(*s));
    int64_t until = timeout_ms < 0 ? INT64_MAX / 2 : now_ms() + timeout_ms;
    int e;

    if (!s)
        return NULL;
    s->fd = -1;
    if (!accept_from_agent(s, listener, until)) {
        e = errno;
        qair_service_free(TAKE_PTR(s));
        errno = e;
    }
    return s;
}

void qair_service_free(struct qair_service *s)
{
    if (s && s->fd >= 0)
        (void)close(s->fd);
    free(s);
}

const char *qair_service_name(const struct qair_service *s)
{
    return s->name;
}

const char *qair_service_argument(const struct qair_service *s)
{
    return s->argument;
}

const char *qair_service_source(const struct qair_service *s)
{
    return s->source;
}

const char *qair_service_target(const struct qair_service *s)
{
    return s->target;
}

int qair_service_fd(const struct qair_service *s)
{
    return s->fd;
}

int qair_service_key_fd(const struct qair_service *s)
{
    uint64_t fd;

    (void)s;
    return text_parse_u64(span_str(env("QAIR_KEY_FD")), &fd) && fd <= 1023
                   ? (int)fd
                   : -1;
}
