/* SPDX-License-Identifier: Apache-2.0 */
/* How long a channel of netd lasts, and who may have one.  args: PROGRAM. */
#include "netd_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned opened(const struct world *w)
{
    return w->thin.records[STATEMENT_CHANNEL_OPENED];
}

static unsigned closed(const struct world *w)
{
    return w->thin.records[STATEMENT_CHANNEL_CLOSED];
}

/* A call that must be accepted; the caller's end. */
static int call_ok(struct world *w)
{
    unsigned n = w->thin.answers;
    int fd = world_call(w, "server", "envelope");

    world_serve_until(w, &w->thin.answers, n + 1);
    if (w->thin.answer != MSG_OK)
        fail_msg("%s: %s", w->thin.where, w->thin.reason);
    return fd;
}

/* ---- the end of a certificate ---------------------------------------- */

#define SHORT_S 20

/* A channel in its last quarter, with a call on it. */
struct ageing {
    struct world *w;
    int caller, callee;
    uint64_t until;
};

static void ageing_init(struct ageing *a, bool own)
{
    a->w = world_prepare();
    struct zone *z = own ? &a->w->thin : &a->w->server;

    z->cert_s = SHORT_S;
    world_start(a->w, &a->w->thin, 300);
    world_start(a->w, &a->w->server, 300);
    a->caller = call_ok(a->w);
    a->callee = TAKE_FD(a->w->server.data);
    a->until = z->cert_until;
    /* A short certificate does not mean a channel for each call. */
    (void)close(call_ok(a->w));
    assert_int_equal(opened(a->w), 1);
}

static void ageing_check(struct ageing *a)
{
    struct world *w = a->w;
    char buf[32];

    (void)close(call_ok(w));
    assert_int_equal(opened(w), 2);
    /* The call under way goes on over the old channel. */
    assert_int_equal(closed(w), 0);
    assert_int_equal(write(a->caller, "question", 8), 8);
    assert_true(world_serve(w, 50));
    assert_int_equal(read(a->callee, buf, sizeof(buf)), 8);
    (void)close(a->caller);
    (void)close(a->callee);
    world_serve_until(w, &w->thin.records[STATEMENT_CHANNEL_CLOSED], 1);
    assert_string_equal(w->thin.record_reason, "replaced by a fresh channel");
    (void)close(call_ok(w));
    assert_int_equal(opened(w), 2);
    world_free(w);
}

static void channel_near_a_certificates_end_takes_no_new_calls(void **state)
{
    struct ageing a[2];
    (void)state;

    for (int own = 0; own < 2; own++)
        ageing_init(&a[own], own);
    while ((uint64_t)time(NULL) + 3 < a[0].until) {
        assert_true(world_serve(a[0].w, 100));
        assert_true(world_serve(a[1].w, 100));
    }
    ageing_check(&a[0]);
    while ((uint64_t)time(NULL) + 3 < a[1].until)
        assert_true(world_serve(a[1].w, 100));
    ageing_check(&a[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(
                    channel_near_a_certificates_end_takes_no_new_calls),
    };
    if (argc != 2)
        return 2;
    world_program = argv[1];
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
