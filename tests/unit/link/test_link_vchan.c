/* SPDX-License-Identifier: Apache-2.0 */
/* Socket vchan: both ends in one process, and what may lie in the folder. */
#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/qair-vchan-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    return setenv("VCHAN_SOCKET_DIR", dir, 1);
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* also says that no socket was left behind */
}

static void be(const char *domain)
{
    assert_int_equal(setenv("VCHAN_DOMAIN", domain, 1), 0);
}

static bool exists(const char *name)
{
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return lstat(path, &st) == 0;
}

static struct link_port *server(uint32_t client, uint32_t port)
{
    struct link_port *p = NULL;
    struct err err;

    if (link_port_listen(client, port, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static struct link_port *client(uint32_t server_id, uint32_t port, unsigned ms)
{
    struct link_port *p = NULL;
    struct err err;

    if (link_port_connect(server_id, port, ms, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static struct link *wait_open(struct link_port *p)
{
    struct link *l = NULL;
    struct err err;

    if (link_port_wait(p, 10000, 4096, 4096, &l, &err))
        fail_msg("%s", err.msg);
    link_port_free(p);
    return l;
}

static void recv_text(struct link *l, const char *text)
{
    struct err err;

    while (link_in(l).len < strlen(text)) {
        struct pollfd p = {.fd = link_fd(l), .events = link_events(l)};

        assert_int_equal(poll(&p, 1, 10000), 1);
        assert_int_equal(link_recv(l, &err), 0);
    }
    assert_true(span_eq_str(link_in(l), text));
    link_consume(l, strlen(text));
}

static void ends_meet_whoever_comes_first(void **state)
{
    (void)state;
    for (int client_first = 0; client_first < 2; client_first++) {
        struct link_port *c = NULL;
        struct link_port *s = NULL;
        struct link *a;
        struct link *b;
        struct err err;

        if (client_first) {
            be("7");
            c = client(3, 513, 10000);
            for (int i = 0; i < 5; i++)
                assert_int_equal(link_port_open(c, 0, 0, &a, &err), ERR_STATE);
        }
        be("3");
        s = server(7, 513);
        assert_true(exists("vchan.3.7.513.sock"));
        assert_int_equal(link_port_open(s, 0, 0, &b, &err), ERR_STATE);
        be("7");
        if (!client_first)
            c = client(3, 513, 10000);
        a = wait_open(c);
        b = wait_open(s);
        assert_false(exists("vchan.3.7.513.sock"));
        assert_false(link_has_fds(a));
        assert_int_equal(link_send(a, span_str("there"), NULL, 0, &err), 0);
        assert_int_equal(link_send(b, span_str("back"), NULL, 0, &err), 0);
        recv_text(b, "there");
        recv_text(a, "back");
        link_free(a);
        assert_int_equal(link_recv(b, &err), ERR_PEER);
        link_free(b);
    }
}

static void client_gives_up_at_its_deadline(void **state)
{
    struct link_port *c;
    struct link *l = NULL;
    struct err err;

    (void)state;
    be("7");
    c = client(3, 600, 50);
    assert_int_equal(link_port_wait(c, 0, 0, 0, &l, &err), ERR_TIMEOUT);
    assert_null(l);
    link_port_free(c);
}

static void server_waits_no_longer_than_told(void **state)
{
    struct link_port *s;
    struct link *l = NULL;
    struct err err;

    (void)state;
    be("3");
    s = server(7, 600);
    assert_int_equal(link_port_wait(s, 20, 0, 0, &l, &err), ERR_TIMEOUT);
    link_port_free(s);
    assert_false(exists("vchan.3.7.600.sock"));
}

/* A second client of the same port must not become a second peer. */
static void second_client_is_turned_away(void **state)
{
    struct link_port *s;
    struct link_port *late;
    struct link *a;
    struct link *b;
    struct link *l = NULL;
    struct err err;

    (void)state;
    be("3");
    s = server(7, 514);
    be("7");
    a = wait_open(client(3, 514, 10000));
    b = wait_open(s);
    late = client(3, 514, 30);
    assert_int_equal(link_port_wait(late, 0, 0, 0, &l, &err), ERR_TIMEOUT);
    link_port_free(late);
    link_free(a);
    link_free(b);
}

/* The socket of a server that died is no server, and no obstacle. */
static void stale_socket_is_replaced(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct link_port *c;
    struct link *a;
    struct link *b;
    struct err err;

    (void)state;
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path),
            "%.60s/vchan.3.7.515.sock", dir);
    assert_int_equal(bind(dead, (struct sockaddr *)&addr, sizeof(addr)), 0);
    (void)close(dead);
    be("7");
    c = client(3, 515, 10000);
    assert_int_equal(link_port_open(c, 0, 0, &a, &err), ERR_STATE);
    be("3");
    b = NULL;
    {
        struct link_port *s = server(7, 515);

        a = wait_open(c);
        b = wait_open(s);
    }
    link_free(a);
    link_free(b);
}

static void own_domain_must_be_a_number(void **state)
{
    static const char *const wrong[] = {
            "", "x", "3x", "-1", "4294967296", "../3"};
    struct link_port *p = NULL;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        be(wrong[i]);
        assert_int_equal(link_port_listen(7, 513, &p, &err), ERR_USAGE);
        assert_int_equal(link_port_connect(7, 513, 0, &p, &err), ERR_USAGE);
    }
    (void)unsetenv("VCHAN_DOMAIN");
    assert_int_equal(link_port_listen(7, 513, &p, &err), ERR_USAGE);
    assert_null(p);
}

static void descriptors_are_neither_sent_nor_kept(void **state)
{
    int fds[2];
    int p[2];
    struct link *l;
    struct err err;
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(pipe(p), 0);
    l = link_new_stream(fds[0], 4096, 4096);
    assert_int_equal(
            link_send(l, span_str("x"), &p[1], 1, &err), ERR_UNSUPPORTED);
    assert_int_equal(read(p[0], &byte, 1), 0); /* p[1] was closed */
    assert_int_equal(link_take_fd(l), -1);
    (void)close(p[0]);
    (void)close(fds[1]);
    link_free(l);
}

static void straight_reading_begins_with_what_was_queued(void **state)
{
    int fds[2];
    struct link *l;
    struct err err;
    char got[8] = "";

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    l = link_new_stream(fds[0], 4096, 0);
    assert_int_equal(write(fds[1], "abcd", 4), 4);
    assert_int_equal(link_recv(l, &err), 0);
    link_consume(l, 1);
    assert_int_equal(write(fds[1], "ef", 2), 2);
    assert_int_equal(link_read(l, got, 2), 2);
    assert_memory_equal(got, "bc", 2);
    assert_int_equal(link_read(l, got, 8), 1);
    assert_memory_equal(got, "d", 1);
    assert_int_equal(link_read(l, got, 8), 2);
    assert_memory_equal(got, "ef", 2);
    link_end(l);
    assert_int_equal(read(fds[1], got, 1), 0);
    (void)close(fds[1]);
    assert_int_equal(link_read(l, got, 1), 0);
    link_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(ends_meet_whoever_comes_first),
            cmocka_unit_test(client_gives_up_at_its_deadline),
            cmocka_unit_test(server_waits_no_longer_than_told),
            cmocka_unit_test(second_client_is_turned_away),
            cmocka_unit_test(stale_socket_is_replaced),
            cmocka_unit_test(own_domain_must_be_a_number),
            cmocka_unit_test(descriptors_are_neither_sent_nor_kept),
            cmocka_unit_test(straight_reading_begins_with_what_was_queued),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
