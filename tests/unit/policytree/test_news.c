/* SPDX-License-Identifier: Apache-2.0 */
/* No change of what was read goes unnoticed. */
#include "help.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#define A "etc/policy.d/10-a.policy"

static int host_with_rules(void **state)
{
    struct host *h;

    assert_int_equal(host_new(state), 0);
    h = *state;
    write_file(h, A,
            "!include include/one\n!include ../../out/outside\n"
            "!include include/link\n!include-dir include/dir\n");
    make_dir(h, "etc/policy.d/include/dir");
    make_dir(h, "etc/policy.d/include/deep");
    write_file(h, "etc/policy.d/include/one", "s.A * * * allow\n");
    write_file(h, "etc/policy.d/include/deep/real", "s.C * * * allow\n");
    write_file(h, "out/outside", "s.B * * * allow\n");
    assert_int_equal(
            symlink("deep/real", at(h, "etc/policy.d/include/link")), 0);
    return 0;
}

static void swap_folder(const struct host *h)
{
    make_dir(h, "etc/new");
    write_file(h, "etc/new/10-a.policy", "s.A * * * deny\n");
    assert_int_equal(rename(at(h, "etc/policy.d"), at(h, "etc/old")), 0);
    assert_int_equal(rename(at(h, "etc/new"), at(h, "etc/policy.d")), 0);
}

static void swap_parent(const struct host *h)
{
    make_dir(h, "etc2");
    make_dir(h, "etc2/policy.d");
    write_file(h, "etc2/policy.d/10-a.policy", "s.A * * * deny\n");
    assert_int_equal(renameat2(AT_FDCWD, at(h, "etc2"), AT_FDCWD, at(h, "etc"),
                             RENAME_EXCHANGE),
            0);
}

static void remove_runtime(const struct host *h)
{
    assert_int_equal(rmdir(at(h, "run/policy.d")), 0);
}

static void write_one(const struct host *h)
{
    write_file(h, "etc/policy.d/include/one", "s.A * * * deny\n");
}

static void replace_one(const struct host *h)
{
    replace_file(h, "etc/policy.d/include/one", "s.A * * * deny\n");
}

static void write_by_other_name(const struct host *h)
{
    assert_int_equal(
            link(at(h, "etc/policy.d/include/one"), at(h, "out/hard")), 0);
    write_file(h, "out/hard", "s.A * * * deny\n");
}

static void write_outside(const struct host *h)
{
    write_file(h, "out/outside", "s.B * * * deny\n");
}

static void replace_outside(const struct host *h)
{
    replace_file(h, "out/outside", "s.B * * * deny\n");
}

static void swap_outside(const struct host *h)
{
    make_dir(h, "out2");
    write_file(h, "out2/outside", "s.B * * * deny\n");
    assert_int_equal(rename(at(h, "out"), at(h, "out3")), 0);
    assert_int_equal(rename(at(h, "out2"), at(h, "out")), 0);
}

static void write_behind_link(const struct host *h)
{
    write_file(h, "etc/policy.d/include/deep/real", "s.C * * * deny\n");
}

static void turn_link(const struct host *h)
{
    write_file(h, "etc/policy.d/include/deep/other", "s.C * * * deny\n");
    assert_int_equal(
            symlink("deep/other", at(h, "etc/policy.d/include/link2")), 0);
    assert_int_equal(rename(at(h, "etc/policy.d/include/link2"),
                             at(h, "etc/policy.d/include/link")),
            0);
}

static void add_early(const struct host *h)
{
    write_file(h, "run/policy.d/05-a.policy", "* * * * deny\n");
}

static void add_in_dir(const struct host *h)
{
    write_file(h, "etc/policy.d/include/dir/x.policy", "bad\n");
}

static void remove_include(const struct host *h)
{
    assert_int_equal(unlink(at(h, "etc/policy.d/include/one")), 0);
}

static void every_change_is_noticed_and_counts(void **state)
{
    static const struct {
        const char *what;
        void (*change)(const struct host *h);
        const char *service;
        const char *why;
    } rows[] = {
            {"folder replaced", swap_folder, "s.A", "denied by 10-a.policy:1"},
            {"its parent replaced", swap_parent, "s.A",
                    "denied by 10-a.policy:1"},
            {"folder removed", remove_runtime, "s.A", "no folder"},
            {"include written in place", write_one, "s.A",
                    "denied by include/one:1"},
            {"include replaced", replace_one, "s.A", "denied by include/one:1"},
            {"include written by a hard link", write_by_other_name, "s.A",
                    "denied by include/one:1"},
            {"outside include from allow to deny", write_outside, "s.B",
                    "out/outside:1"},
            {"outside include replaced", replace_outside, "s.B",
                    "out/outside:1"},
            {"folder of an outside include replaced", swap_outside, "s.B",
                    "out/outside:1"},
            {"target of a link written", write_behind_link, "s.C",
                    "denied by include/link:1"},
            {"link turned", turn_link, "s.C", "denied by include/link:1"},
            {"file added", add_early, "s.A", "denied by 05-a.policy:1"},
            {"file added to an included folder", add_in_dir, "s.A",
                    "x.policy:1"},
            {"include removed", remove_include, "s.A",
                    "10-a.policy:1: no such file"},
    };

    host_free(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policytree *t;

        (void)host_with_rules(state);
        t = load(*state);
        expect(t, rows[i].service, POLICY_ALLOW, "allowed by");
        assert_int_equal(policytree_news(t), POLICYTREE_SAME);
        rows[i].change(*state);
        if (policytree_news(t) != POLICYTREE_CHANGED)
            fail_msg("not noticed: %s", rows[i].what);
        policytree_free(t);
        t = load(*state);
        expect(t, rows[i].service, POLICY_DENY, rows[i].why);
        policytree_free(t);
        host_free(state);
    }
    (void)host_with_rules(state);
}

static void what_was_not_there_is_awaited(void **state)
{
    const struct host *h = *state;
    struct policytree *t;

    assert_int_equal(rename(at(h, "run"), at(h, "away")), 0);
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "no folder");
    assert_int_equal(rename(at(h, "away"), at(h, "run")), 0);
    assert_int_equal(policytree_news(t), POLICYTREE_CHANGED);
    policytree_free(t);

    assert_int_equal(rename(at(h, "out"), at(h, "away")), 0);
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "10-a.policy:2: no such file");
    make_dir(h, "out");
    assert_int_equal(policytree_news(t), POLICYTREE_CHANGED);
    policytree_free(t);
    t = load(h);
    write_file(h, "out/outside", "s.B * * * allow\n");
    assert_int_equal(policytree_news(t), POLICYTREE_CHANGED);
    policytree_free(t);
}

static void neighbours_make_no_noise(void **state)
{
    const struct host *h = *state;
    struct policytree *t = load(h);

    write_file(h, "etc/other", "x");
    write_file(h, "out/other", "x");
    make_dir(h, "run/other");
    write_file(h, "etc/policy.d/10-a.policy.tmp", "x");
    write_file(h, "etc/policy.d/.10-a.policy.swp", "x");
    write_file(h, "etc/policy.d/!10-a.policy", "x");
    assert_int_equal(unlink(at(h, "out/other")), 0);
    assert_int_equal(policytree_news(t), POLICYTREE_SAME);
    policytree_free(t);
}

static void an_open_writer_is_told_from_a_done_one(void **state)
{
    const struct host *h = *state;
    struct policytree *t = load(h);
    int fd = open(at(h, A), O_WRONLY | O_APPEND);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "#\n", 2), 2);
    assert_int_equal(policytree_news(t), POLICYTREE_WRITING);
    assert_int_equal(policytree_news(t), POLICYTREE_SAME);
    assert_int_equal(close(fd), 0);
    assert_int_equal(policytree_news(t), POLICYTREE_CHANGED);
    policytree_free(t);
}

/* ---- while it is read --------------------------------------------------- */

#define RULES 2000

struct writer {
    const struct host *h;
    _Atomic bool stop;
    char *texts[2];
};

static void *rewrite(void *ctx)
{
    struct writer *w = ctx;

    for (unsigned i = 0; !w->stop; i++) {
        int fd = open(at(w->h, A), O_WRONLY | O_TRUNC);
        const char *text = w->texts[i % 2];
        size_t half = strlen(text) / 2;

        (void)!write(fd, text, half);
        (void)!write(fd, text + half, strlen(text) - half);
        (void)close(fd);
        (void)usleep(i % 16 * 100);
    }
    return NULL;
}

static char *make_rules(const char *action)
{
    struct buf b = BUF_INIT(LIMIT_CONF_FILE_MAX);

    for (unsigned i = 0; i < RULES; i++)
        buf_printf(&b, "s.R%u * * * %s\n", i, action);
    assert_int_equal(buf_ok(&b, NULL), 0);
    return (char *)b.ptr;
}

static bool has_leases(const struct host *h)
{
    int fd = open(at(h, A), O_RDONLY);
    bool has = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;

    (void)close(fd);
    return has;
}

/*
 * A file that somebody rewrites without end: what is loaded is one of the two
 * texts, whole, or nothing at all.
 */
static void a_file_that_changes_while_it_is_read_is_never_half(void **state)
{
    const struct host *h = *state;
    struct writer w = {
            .h = h, .texts = {make_rules("allow"), make_rules("deny")}};
    pthread_t thread;

    write_file(h, A, w.texts[0]);
    if (!has_leases(h)) {
        free(w.texts[0]);
        free(w.texts[1]);
        skip();
    }
    assert_int_equal(pthread_create(&thread, NULL, rewrite, &w), 0);
    for (unsigned i = 0; i < 12; i++) {
        struct policytree *t = load(h);
        struct policy_result first, last;

        decide(t, "s.R0", &first);
        decide(t, "s.R1999", &last);
        if (t->error.code) {
            if (!strstr(t->error.msg, "changes while it is read") &&
                    !strstr(t->error.msg, "10-a.policy' is being written"))
                fail_msg("%s", t->error.msg);
            assert_int_equal(first.verdict, POLICY_DENY);
        } else {
            assert_int_equal(policy_rule_count(t->policy), RULES);
            assert_int_equal(first.verdict, last.verdict);
        }
        policytree_free(t);
    }
    w.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* And when it is over, it is read. */
    write_file(h, A, w.texts[1]);
    struct policytree *t = load(h);
    expect(t, "s.R1999", POLICY_DENY, "denied by 10-a.policy:2000");
    policytree_free(t);
    free(w.texts[0]);
    free(w.texts[1]);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, host_with_rules, host_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(every_change_is_noticed_and_counts),
            TEST(what_was_not_there_is_awaited),
            TEST(neighbours_make_no_noise),
            TEST(an_open_writer_is_told_from_a_done_one),
            TEST(a_file_that_changes_while_it_is_read_is_never_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
