/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon_world.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_S 15

struct world w;
const char *world_program;

static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", w.dir, name);

    assert_in_range(n, 1, sizeof(a.sun_path) - 1);
    return a;
}

static void limit(int fd)
{
    const struct timeval t = {.tv_sec = LIMIT_S};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)), 0);
}

int world_listen(const char *name)
{
    struct sockaddr_un a = address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)unlink(a.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 512), 0);
    limit(fd);
    return fd;
}

int world_connect(const char *name)
{
    struct sockaddr_un a = address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    limit(fd);
    for (int i = 0; connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0; i++) {
        assert_true(i < LIMIT_S * 100);
        (void)usleep(10000);
    }
    return fd;
}

int world_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    assert_true(fd >= 0);
    limit(fd);
    return fd;
}

bool world_is_idle(int fd, int ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    return poll(&pfd, 1, ms) == 0;
}

int world_begin(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    w = (struct world){.dir = "/tmp/qair-daemon-XXXXXX", .agent = -1};
    if (!mkdtemp(w.dir))
        return -1;
    w.policy = world_listen("policy.sock");
    w.qubesd = world_listen("qubesd.sock");
    return 0;
}

int world_end(void **state)
{
    char command[128];

    (void)state;
    if (w.daemon) {
        (void)kill(w.daemon, SIGTERM);
        (void)waitpid(w.daemon, NULL, 0);
    }
    (void)close(w.agent);
    (void)close(w.policy);
    (void)close(w.qubesd);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", w.dir);
    return system(command);
}

static _Noreturn void become(const char *const *extra)
{
    static char option[6][128];
    const char *argv[16] = {world_program, "--direct"};
    size_t n = 2;

    (void)snprintf(option[0], 128, "--socket-dir=%s", w.dir);
    (void)snprintf(option[1], 128, "--policy-socket=%s/policy.sock", w.dir);
    (void)snprintf(option[2], 128, "--qubesd-socket=%s/qubesd.sock", w.dir);
    for (size_t i = 0; i < 3; i++)
        argv[n++] = option[i];
    for (size_t i = 0; extra && extra[i]; i++)
        argv[n++] = extra[i];
    argv[n++] = "7";
    argv[n++] = "work";
    argv[n++] = "joe";
    (void)setenv("VCHAN_SOCKET_DIR", w.dir, 1);
    (void)setenv("VCHAN_DOMAIN", "0", 1);
    (void)setenv("QREXEC_STARTUP_TIMEOUT", "20", 1);
    (void)execv(world_program, (char *const *)(uintptr_t)argv);
    _exit(99);
}

void world_start(const char *const *extra)
{
    int vchan = world_listen("vchan.7.0.512.sock");

    if (!w.daemon) {
        w.daemon = fork();
        if (w.daemon == 0)
            become(extra);
        assert_true(w.daemon > 0);
    }
    w.agent = world_accept(vchan);
    (void)close(vchan);
}

void world_ready(uint32_t version, const char *const *extra)
{
    uint8_t body[64];

    world_start(extra);
    put_msg(w.agent, QREXEC_HELLO, &version, 4);
    assert_int_equal(want_msg(w.agent, QREXEC_HELLO, body, sizeof(body)), 4);
    assert_memory_equal(body, &version, 4);
    (void)close(world_connect("qrexec.7"));
}

int world_exit_code(void)
{
    int status = 0;

    for (int i = 0; waitpid(w.daemon, &status, WNOHANG) == 0; i++) {
        assert_true(i < LIMIT_S * 100);
        (void)usleep(10000);
    }
    w.daemon = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void put(int fd, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* the test looks at what the other end says */
        assert_true(n > 0);
        p += n;
        len -= (size_t)n;
    }
}

bool get(int fd, void *ret, size_t len)
{
    uint8_t *p = ret;

    while (len) {
        ssize_t n = recv(fd, p, len, 0);

        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return false;
        assert_true(n > 0);
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool is_closed(int fd)
{
    uint8_t byte;

    return !get(fd, &byte, 1);
}

void put_msg(int fd, uint32_t type, const void *body, size_t len)
{
    uint8_t bytes[8 + 70000];
    const uint32_t head[2] = {type, (uint32_t)len};

    assert_in_range(len, 0, 70000);
    memcpy(bytes, head, 8);
    if (len)
        memcpy(bytes + 8, body, len);
    put(fd, bytes, 8 + len);
}

ssize_t get_msg(int fd, uint32_t *ret_type, uint8_t *ret, size_t cap)
{
    uint32_t head[2];

    if (!get(fd, head, 8))
        return -1;
    *ret_type = head[0];
    assert_in_range(head[1], 0, cap);
    assert_true(get(fd, ret, head[1]));
    return head[1];
}

ssize_t want_msg(int fd, uint32_t type, uint8_t *ret, size_t cap)
{
    uint32_t got = 0;
    ssize_t n = get_msg(fd, &got, ret, cap);

    assert_true(n >= 0);
    assert_int_equal(got, type);
    return n;
}

void trigger(const char *source, const char *target, const char *service,
        const char *ident)
{
    uint8_t body[160 + 70000] = {0};
    size_t n = strlen(service) + 1;

    memcpy(body, source, strlen(source));
    memcpy(body + 64, target, strlen(target));
    memcpy(body + 128, ident, strlen(ident));
    memcpy(body + 160, service, n);
    put_msg(w.agent, QREXEC_TRIGGER_SERVICE4, body, 160 + n);
}

static void want_ident(const uint8_t *got, const char *ident)
{
    uint8_t all[32] = {0};

    memcpy(all, ident, strlen(ident));
    assert_memory_equal(got, all, 32);
}

void want_refused(const char *ident)
{
    uint8_t body[64];

    assert_int_equal(want_msg(w.agent, QREXEC_SERVICE_REFUSED, body, 64), 32);
    want_ident(body, ident);
}

void want_connect(uint32_t domain, uint32_t port, const char *ident)
{
    const uint32_t head[2] = {domain, port};
    uint8_t body[64];

    assert_int_equal(want_msg(w.agent, QREXEC_SERVICE_CONNECT, body, 64), 40);
    assert_memory_equal(body, head, 8);
    want_ident(body + 8, ident);
}

int take_question(char *ret, size_t cap)
{
    int fd = world_accept(w.policy);
    size_t n = 0;

    while (n < 2 || memcmp(ret + n - 2, "\n\n", 2) != 0) {
        assert_in_range(n, 0, cap - 2);
        assert_true(get(fd, ret + n, 1));
        n++;
    }
    ret[n] = '\0';
    return fd;
}

void answer_bytes(int fd, const void *bytes, size_t len)
{
    put(fd, bytes, len);
    (void)close(fd);
}

void answer(int fd, const char *text)
{
    answer_bytes(fd, text, strlen(text));
}

int take_call(char *ret, size_t cap)
{
    int fd = world_accept(w.qubesd);
    size_t n = 0;
    ssize_t r;

    while ((r = recv(fd, ret + n, cap - 1 - n, 0)) > 0)
        n += (size_t)r;
    assert_int_equal(r, 0); /* qubesd reads to the end of the stream */
    for (size_t i = 0; i < n; i++) {
        if (!ret[i])
            ret[i] = '|';
    }
    ret[n] = '\0';
    return fd;
}

void asked_and_told(const char *ident, const char *text)
{
    char question[1024];

    trigger("", "vault", "t.S+a", ident);
    answer(take_question(question, sizeof(question)), text);
}

void still_serves(void)
{
    asked_and_told("still", "result=deny\n");
    want_refused("still");
}

int take_command(int listener, char *ret, size_t cap)
{
    const uint32_t version = 3;
    uint8_t body[4096];
    uint32_t own = OWN;
    int fd = world_accept(listener);
    ssize_t n;

    put_msg(fd, QREXEC_HELLO, &version, 4);
    assert_int_equal(want_msg(fd, QREXEC_HELLO, body, sizeof(body)), 4);
    assert_memory_equal(body, &version, 4);
    n = want_msg(fd, QREXEC_EXEC_CMDLINE, body, sizeof(body));
    assert_in_range(n, 9, cap + 8);
    assert_memory_equal(body, &own, 4);
    assert_memory_equal(body + 4, "\0\0\0\0", 4);
    memcpy(ret, body + 8, (size_t)n - 8);
    assert_int_equal(ret[n - 9], 0);
    return fd;
}

void name_port(int fd, uint32_t domain, uint32_t port)
{
    const uint32_t body[2] = {domain, port};

    put_msg(fd, QREXEC_EXEC_CMDLINE, body, 8);
}
