/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct ends {
    struct link *a;
    struct link *b;
};

static struct ends make(size_t in_cap, size_t out_cap)
{
    struct ends e;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    e.a = link_new_unix(fds[0], in_cap, out_cap);
    e.b = link_new_unix(fds[1], in_cap, out_cap);
    assert_non_null(e.a);
    assert_non_null(e.b);
    return e;
}

static void drop(struct ends *e)
{
    link_free(e->a);
    link_free(e->b);
}

/* A descriptor that can be told from others. */
static int marked(unsigned mark)
{
    int fds[2];
    uint8_t byte = (uint8_t)mark;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], &byte, 1), 1);
    (void)close(fds[1]);
    return fds[0];
}

static unsigned mark_of(int fd)
{
    uint8_t byte = 0;

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), 1);
    (void)close(fd);
    return byte;
}

/* Megabytes through small socket buffers, a descriptor on every message: each
 * arrives, in order, not before its bytes were sent. */
static void descriptors_keep_their_order_over_partial_sends(void **state)
{
    enum { N = 200, SIZE = 9001 };
    struct ends e = make(1 << 16, 4 << 20);
    static uint8_t message[SIZE];
    struct err err;
    size_t got = 0;
    unsigned fds = 0;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        int fd = marked(i);

        memset(message, (int)i, sizeof(message));
        assert_int_equal(link_send(e.a, SPAN_OF(message), &fd, 1, &err), 0);
    }
    assert_true(link_events(e.a) & POLLOUT);
    while (got < (size_t)N * SIZE) {
        struct span in;
        int fd;

        assert_int_equal(link_flush(e.a, &err), 0);
        assert_int_equal(link_recv(e.b, &err), 0);
        in = link_in(e.b);
        for (size_t i = 0; i < in.len; i++)
            assert_int_equal(in.ptr[i], (got + i) / SIZE);
        got += in.len;
        link_consume(e.b, in.len);
        while ((fd = link_take_fd(e.b)) >= 0)
            assert_int_equal(mark_of(fd), fds++);
        /* with its first byte at the latest */
        assert_true(fds * (size_t)SIZE >= got);
    }
    assert_int_equal(fds, N);
    assert_false(link_events(e.a) & POLLOUT);
    drop(&e);
}

static size_t open_fds(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void peer_that_does_not_read_costs_the_cap(void **state)
{
    size_t before = open_fds();
    struct ends e = make(4096, 100000);
    static uint8_t kib[1000];
    struct err err;
    size_t sent = 0;
    int r = 0;

    (void)state;
    while (r == 0 && sent < (16u << 20)) {
        int fd = marked(1);

        r = link_send(e.a, SPAN_OF(kib), &fd, 1, &err);
        sent += sizeof(kib);
    }
    assert_int_equal(r, ERR_LIMIT);
    drop(&e);
    assert_int_equal(open_fds(), before); /* queued, refused, unread: closed */
}

static void too_many_descriptors_are_a_violation(void **state)
{
    struct ends e = make(4096, 4096);
    struct err err;
    int r = 0;

    (void)state;
    for (unsigned i = 0; i <= LINK_FDS_MAX; i++) {
        int fd = marked(i);

        assert_int_equal(link_send(e.a, span_str("x"), &fd, 1, &err), 0);
    }
    for (unsigned i = 0; i <= LINK_FDS_MAX && r == 0; i++)
        r = link_recv(e.b, &err);
    assert_int_equal(r, ERR_PEER);
    drop(&e);
}

static void full_buffer_is_not_read_into(void **state)
{
    struct ends e = make(10, 4096);
    struct err err;

    (void)state;
    assert_int_equal(
            link_send(e.a, span_str("0123456789abc"), NULL, 0, &err), 0);
    assert_int_equal(link_recv(e.b, &err), 0);
    assert_true(span_eq_str(link_in(e.b), "0123456789"));
    assert_false(link_events(e.b) & POLLIN);
    assert_int_equal(link_recv(e.b, &err), 0);
    link_consume(e.b, 4);
    assert_true(link_events(e.b) & POLLIN);
    assert_int_equal(link_recv(e.b, &err), 0);
    assert_true(span_eq_str(link_in(e.b), "456789abc"));
    drop(&e);
}

static void end_of_the_peer_is_told_after_its_bytes(void **state)
{
    struct ends e = make(4096, 4096);
    struct err err;

    (void)state;
    assert_int_equal(link_recv(e.b, &err), 0); /* nothing there is no error */
    assert_int_equal(link_send(e.a, span_str("last"), NULL, 0, &err), 0);
    link_free(e.a);
    assert_int_equal(link_recv(e.b, &err), 0);
    assert_int_equal(link_recv(e.b, &err), ERR_PEER);
    assert_true(span_eq_str(link_in(e.b), "last"));
    assert_int_equal(link_send(e.b, span_str("x"), NULL, 0, &err), ERR_PEER);
    link_free(e.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(descriptors_keep_their_order_over_partial_sends),
            cmocka_unit_test(peer_that_does_not_read_costs_the_cap),
            cmocka_unit_test(too_many_descriptors_are_a_violation),
            cmocka_unit_test(full_buffer_is_not_read_into),
            cmocka_unit_test(end_of_the_peer_is_told_after_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
