/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t buf[LIMIT_IPC_MSG_MAX];

static size_t count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static void pair(int ends[2])
{
    assert_int_equal(ipc_pair(ends, NULL), 0);
}

static void close_pair(const int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_datagram_with_descriptors(void **state)
{
    struct ipc_fds fds = {.n = 0};
    size_t len, before = count_fds();
    int ends[2], in[LIMIT_IPC_FDS_MAX];

    (void)state;
    pair(ends);
    for (size_t i = 0; i < LIMIT_IPC_FDS_MAX; i++)
        in[i] = STDIN_FILENO;
    assert_int_equal(
            ipc_send(ends[0], SPAN("hello", 5), in, LIMIT_IPC_FDS_MAX), 0);
    assert_int_equal(ipc_recv(ends[1], buf, sizeof(buf), &len, &fds), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(fds.n, LIMIT_IPC_FDS_MAX);
    for (size_t i = 0; i < fds.n; i++)
        assert_true(fcntl(fds.fd[i], F_GETFD) & FD_CLOEXEC);
    ipc_fds_close(&fds);
    close_pair(ends);
    assert_int_equal(count_fds(), before);
}

static void test_nothing_now_and_nobody_there(void **state)
{
    struct ipc_fds fds;
    size_t len;
    int ends[2];

    (void)state;
    pair(ends);
    assert_int_equal(
            ipc_recv(ends[1], buf, sizeof(buf), &len, &fds), ERR_STATE);
    assert_int_equal(ipc_wait(ends[1], 1, NULL), ERR_TIMEOUT);
    (void)close(ends[0]);
    assert_int_equal(ipc_recv(ends[1], buf, sizeof(buf), &len, &fds), ERR_PEER);
    assert_int_equal(ipc_send(ends[1], SPAN("x", 1), NULL, 0), ERR_PEER);
    (void)close(ends[1]);
}

static void test_full_queue_is_told_and_not_waited_for(void **state)
{
    int ends[2], rc = 0, n = 0;

    (void)state;
    pair(ends);
    while (rc == 0 && n++ < 10000)
        rc = ipc_send(ends[0], SPAN(buf, 4096), NULL, 0);
    assert_int_equal(rc, ERR_STATE);
    close_pair(ends);
}

static void test_sender_is_bounded(void **state)
{
    static uint8_t big[LIMIT_IPC_MSG_MAX + 1];
    int ends[2], fds[LIMIT_IPC_FDS_MAX + 1] = {0};

    (void)state;
    pair(ends);
    assert_int_equal(ipc_send(ends[0], SPAN(big, 0), NULL, 0), ERR_LIMIT);
    assert_int_equal(
            ipc_send(ends[0], SPAN(big, sizeof(big)), NULL, 0), ERR_LIMIT);
    assert_int_equal(
            ipc_send(ends[0], SPAN(big, 1), fds, LIMIT_IPC_FDS_MAX + 1),
            ERR_LIMIT);
    close_pair(ends);
}

/* What a hostile peer sends with its own sendmsg. */
static void send_raw(int fd, size_t len, size_t n_fds)
{
    static uint8_t bytes[2 * LIMIT_IPC_MSG_MAX];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
    } control = {0};
    struct iovec iov = {bytes, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
    }
    assert_int_equal(sendmsg(fd, &m, 0), len);
}

static void test_hostile_datagrams_leak_nothing(void **state)
{
    static const struct {
        const char *why;
        size_t len, n_fds;
        int code;
    } cases[] = {
            {"larger than the buffer", LIMIT_IPC_MSG_MAX + 1, 0, ERR_LIMIT},
            {"larger, with descriptors", LIMIT_IPC_MSG_MAX + 1, 4, ERR_LIMIT},
            {"one descriptor too many", 1, LIMIT_IPC_FDS_MAX + 1, ERR_LIMIT},
            {"64 descriptors", 1, 64, ERR_LIMIT},
            {"empty", 0, 0, ERR_PEER},
            {"empty, with descriptors", 0, 4, ERR_PEER},
    };
    size_t before = count_fds();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ipc_fds fds = {.n = 99};
        size_t len = 99;
        int ends[2];

        pair(ends);
        send_raw(ends[0], cases[i].len, cases[i].n_fds);
        assert_int_equal(
                ipc_recv(ends[1], buf, sizeof(buf), &len, &fds), cases[i].code);
        assert_int_equal(len, 99);
        assert_int_equal(fds.n, 99);
        close_pair(ends);
        assert_int_equal(count_fds(), before);
    }
}

static void test_credentials_are_not_taken_along(void **state)
{
    struct ipc_fds fds = {.n = 0};
    size_t len;
    int ends[2], on = 1;

    (void)state;
    pair(ends);
    assert_int_equal(
            setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    send_raw(ends[0], 1, 0);
    assert_int_equal(
            ipc_recv(ends[1], buf, sizeof(buf), &len, &fds), ERR_LIMIT);
    close_pair(ends);
}

/* ---- local sockets --------------------------------------------------- */

static void test_local_socket(void **state)
{
    char dir[] = "/tmp/qair-ipc-XXXXXX";
    struct err err;
    struct ipc_cred cred;
    struct stat st;
    int dirfd, l, c, s, round;

    (void)state;
    assert_non_null(mkdtemp(dir));
    dirfd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_true(dirfd >= 0);
    for (round = 0; round < 2; round++) { /* a stale file is replaced */
        assert_int_equal(
                ipc_listen(dirfd, "a.sock", getuid(), getgid(), &l, &err), 0);
        assert_int_equal(fstatat(dirfd, "a.sock", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(ipc_connect(dir, "a.sock", &c, &err), 0);
        s = accept(l, NULL, NULL);
        assert_true(s >= 0);
        assert_int_equal(ipc_peer_cred(s, &cred, &err), 0);
        assert_int_equal(cred.pid, getpid());
        assert_int_equal(cred.uid, getuid());
        (void)close(s);
        (void)close(c);
        (void)close(l);
    }
    assert_int_equal(ipc_connect(dir, "a.sock", &c, &err), ERR_IO);
    assert_int_equal(ipc_connect(dir, "b.sock", &c, &err), ERR_IO);
    assert_int_equal(ipc_listen(dirfd, "../x", 0, 0, &l, &err), ERR_LIMIT);
    assert_int_equal(unlinkat(dirfd, "a.sock", 0), 0);
    (void)close(dirfd);
    assert_int_equal(rmdir(dir), 0);
}

/* ---- sealed bytes ---------------------------------------------------- */

static void test_sealed_bytes_stay(void **state)
{
    struct span s;
    int fd;

    (void)state;
    assert_int_equal(ipc_seal(SPAN("bytes", 5), "t", &fd, NULL), 0);
    assert_int_equal(ipc_map(fd, 5, &s, NULL), 0);
    assert_true(span_eq_str(s, "bytes"));
    assert_true(write(fd, "x", 1) < 0);
    assert_true(ftruncate(fd, 0) < 0);
    assert_true(ftruncate(fd, 10) < 0);
    assert_true(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0);
    assert_ptr_equal(mmap(NULL, 5, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    ipc_unmap(s);
    assert_int_equal(ipc_map(fd, 4, &s, NULL), ERR_LIMIT);
    (void)close(fd);
    assert_int_equal(ipc_seal(SPAN_EMPTY, "t", &fd, NULL), 0);
    assert_int_equal(ipc_map(fd, 4, &s, NULL), 0);
    assert_int_equal(s.len, 0);
    ipc_unmap(s);
    (void)close(fd);
}

static void test_what_could_change_is_not_mapped(void **state)
{
    static const int seals[] = {0, F_SEAL_WRITE,
            F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW,
            F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_GROW,
            F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK};
    struct span s;
    int fd;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seals); i++) {
        fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "x", 1), 1);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
        assert_int_equal(ipc_map(fd, 9, &s, NULL), ERR_DENIED);
        (void)close(fd);
    }
    fd = open("/dev/zero", O_RDONLY);
    assert_int_equal(ipc_map(fd, 9, &s, NULL), ERR_DENIED);
    (void)close(fd);
    fd = open("/etc/passwd", O_RDONLY);
    assert_int_equal(ipc_map(fd, 1 << 20, &s, NULL), ERR_DENIED);
    (void)close(fd);
    assert_int_equal(ipc_map(-1, 9, &s, NULL), ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_datagram_with_descriptors),
            cmocka_unit_test(test_nothing_now_and_nobody_there),
            cmocka_unit_test(test_full_queue_is_told_and_not_waited_for),
            cmocka_unit_test(test_sender_is_bounded),
            cmocka_unit_test(test_hostile_datagrams_leak_nothing),
            cmocka_unit_test(test_credentials_are_not_taken_along),
            cmocka_unit_test(test_local_socket),
            cmocka_unit_test(test_sealed_bytes_stay),
            cmocka_unit_test(test_what_could_change_is_not_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
