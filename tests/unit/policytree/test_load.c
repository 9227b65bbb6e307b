/* SPDX-License-Identifier: Apache-2.0 */
/* Which files make the policy of a Qubes host. */
#include "help.h"

#include <sys/socket.h>
#include <sys/un.h>

static void the_runtime_folder_hides_files_by_name(void **state)
{
    const struct host *h = *state;
    struct policytree *t;

    write_file(h, "etc/policy.d/30-user.policy", "* * * * allow\n");
    write_file(h, "run/policy.d/30-user.policy", "s.A * * * deny\n");
    write_file(h, "etc/policy.d/90-default.policy", "s.B * * * allow\n");
    write_file(h, "run/policy.d/10-early.policy", "s.C * * * deny\n");
    write_file(h, "etc/policy.d/20-late.policy", "s.C * * * allow\n");
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "denied by 30-user.policy:1");
    expect(t, "s.B", POLICY_ALLOW, "allowed by 90-default.policy:1");
    expect(t, "s.C", POLICY_DENY, "denied by 10-early.policy:1");
    assert_int_equal(t->n_files, 4);
    policytree_free(t);
}

static void includes_are_read_where_their_chain_began(void **state)
{
    const struct host *h = *state;
    struct policytree *t;
    char text[AT_MAX + 64];

    make_dir(h, "run/policy.d/include");
    make_dir(h, "etc/policy.d/include/deep");
    write_file(h, "run/policy.d/10-a.policy", "!include include/one\n");
    write_file(h, "run/policy.d/include/one", "s.A * * * allow\n");
    write_file(h, "etc/policy.d/include/one", "s.B * * * allow\n");
    write_file(h, "etc/policy.d/include/deep/x.policy",
            "# not from here: from the folder of policies\n"
            "!include ./include//deep/../two\n");
    write_file(h, "etc/policy.d/include/two", "s.C * * * allow\n");
    write_file(h, "out/outside", "s.D * * * allow\n");
    write_file(h, "out/service", "work vault allow\n");
    (void)snprintf(text, sizeof(text),
            "!include include/one\n!include-dir include/deep\n"
            "!include %s/out/outside\n!include ../../out/outside\n"
            "!include-service s.E * ../../out/service\n",
            h->dir);
    write_file(h, "etc/policy.d/20-b.policy", text);
    t = load(h);
    expect(t, "s.A", POLICY_ALLOW, "/run/policy.d/include/one:1");
    expect(t, "s.B", POLICY_ALLOW, "allowed by include/one:1");
    expect(t, "s.C", POLICY_ALLOW, "allowed by include/two:1");
    expect(t, "s.D", POLICY_ALLOW, "out/outside:1");
    expect(t, "s.E", POLICY_ALLOW, "out/service:1");
    policytree_free(t);
}

static void links_are_followed_inside_the_folders_only(void **state)
{
    const struct host *h = *state;
    struct policytree *t;

    write_file(h, "etc/policy.d/include/one", "s.A * * * allow\n");
    assert_int_equal(
            symlink("include/one", at(h, "etc/policy.d/10-a.policy")), 0);
    assert_int_equal(
            symlink("10-a.policy", at(h, "etc/policy.d/20-b.policy")), 0);
    t = load(h);
    expect(t, "s.A", POLICY_ALLOW, "allowed by 10-a.policy:1");
    policytree_free(t);

    write_file(h, "out/evil", "* * * * allow\n");
    assert_int_equal(
            symlink("../../out/evil", at(h, "etc/policy.d/30-c.policy")), 0);
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "leads out of the policy folders");
    policytree_free(t);
    assert_int_equal(unlink(at(h, "etc/policy.d/30-c.policy")), 0);

    /* Nor by a folder that is a link, nor when it is included. */
    assert_int_equal(symlink("../../out", at(h, "etc/policy.d/lib")), 0);
    write_file(h, "etc/policy.d/30-c.policy", "!include lib/evil\n");
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "30-c.policy:1: ");
    expect(t, "s.A", POLICY_DENY, "leads out of the policy folders");
    policytree_free(t);
    write_file(h, "etc/policy.d/30-c.policy", "!include-dir lib\n");
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "leads out of the policy folders");
    policytree_free(t);
}

static void what_is_no_file_is_passed_over(void **state)
{
    const struct host *h = *state;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct policytree *t;

    assert_int_equal(symlink("none", at(h, "etc/policy.d/10-a.policy")), 0);
    make_dir(h, "etc/policy.d/20-b.policy");
    assert_int_equal(mkfifo(at(h, "etc/policy.d/30-c.policy"), 0644), 0);
    (void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s",
            at(h, "etc/policy.d/40-d.policy"));
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    write_file(h, "etc/policy.d/.50-e.policy", "syntax error\n");
    write_file(h, "etc/policy.d/README", "syntax error\n");
    write_file(h, "etc/policy.d/60-f.policy.rpmnew", "syntax error\n");
    write_file(h, "etc/policy.d/!70-g.policy~", "syntax error\n");
    write_file(h, "etc/policy.d/90-z.policy", "s.A * * * allow\n");
    t = load(h);
    expect(t, "s.A", POLICY_ALLOW, "90-z.policy:1");
    assert_int_equal(t->n_files, 1);
    policytree_free(t);
    (void)close(fd);
}

static void an_error_anywhere_denies_everything(void **state)
{
    static const struct {
        const char *text; /* of 20-b.policy */
        const char *why;
    } rows[] = {
            {"s.A * work vault permit\n", "20-b.policy:1: 'permit'"},
            {"# \xff\n", "20-b.policy"},
            {"\n!include include/none\n", "20-b.policy:2: no such file"},
            {"!include-dir include/none\n", "20-b.policy:1: no folder"},
            {"!include include\n", "20-b.policy:1: not a file"},
            {"!include 20-b.policy\n", "20-b.policy:1: '20-b.policy' includes "
                                       "itself"},
            {"!include include/loop\n", "includes itself"},
            {"s.A * work vault allow user=a:b\n", "20-b.policy:1: "},
    };
    const struct host *h = *state;

    write_file(h, "etc/policy.d/10-a.policy", "* * * * allow\n");
    write_file(h, "etc/policy.d/include/loop", "!include 20-b.policy\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policytree *t;

        write_file(h, "etc/policy.d/20-b.policy", rows[i].text);
        t = load(h);
        expect(t, "s.A", POLICY_DENY, rows[i].why);
        assert_int_not_equal(t->error.code, 0);
        policytree_free(t);
    }
}

static void bad_names_and_missing_folders_deny_everything(void **state)
{
    struct host *h = *state;
    struct policytree *t;

    write_file(h, "etc/policy.d/10-a.policy", "* * * * allow\n");
    write_file(h, "etc/policy.d/20-B.policy", "");
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "20-B.policy");
    policytree_free(t);
    assert_int_equal(unlink(at(h, "etc/policy.d/20-B.policy")), 0);

    assert_int_equal(rmdir(at(h, "run/policy.d")), 0);
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "no folder");
    policytree_free(t);
    make_dir(h, "run/policy.d");
    t = load(h);
    expect(t, "s.A", POLICY_ALLOW, "10-a.policy:1");
    policytree_free(t);
}

static void a_file_over_the_limit_denies_everything(void **state)
{
    const struct host *h = *state;
    FILE *f = fopen(at(h, "etc/policy.d/10-a.policy"), "w");
    struct policytree *t;

    assert_non_null(f);
    for (unsigned i = 0; i <= LIMIT_CONF_FILE_MAX / 16; i++)
        assert_true(fputs("#23456789012345\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "is over 1048576 bytes");
    policytree_free(t);
}

static void legacy_files_are_read_by_directive(void **state)
{
    const struct host *h = *state;
    struct policytree *t;

    write_file(h, "etc/policy.d/35-compat.policy", "!compat-4.0\n");
    write_file(h, "rpc/policy/s.A", "$anyvm $anyvm allow\n");
    write_file(h, "rpc/policy/s.B+x", "$include:include/more\n");
    write_file(h, "rpc/policy/s.C.rpmsave", "syntax error\n");
    make_dir(h, "rpc/policy/include");
    write_file(h, "rpc/policy/include/more", "work vault allow\n");
    t = load(h);
    expect(t, "s.A", POLICY_ALLOW, "/rpc/policy/s.A:1");
    expect(t, "s.B+x", POLICY_ALLOW, "/rpc/policy/include/more:1");
    expect(t, "s.B+y", POLICY_DENY, "no rule matches");
    policytree_free(t);

    assert_int_equal(rename(at(h, "rpc"), at(h, "gone")), 0);
    t = load(h);
    expect(t, "s.A", POLICY_DENY, "35-compat.policy:1: no folder");
    policytree_free(t);
    /* Who does not ask for them does not need them. */
    write_file(h, "etc/policy.d/35-compat.policy", "s.A * * * allow\n");
    t = load(h);
    expect(t, "s.A", POLICY_ALLOW, "35-compat.policy:1");
    policytree_free(t);
}

static void a_change_is_judged_before_it_is_made(void **state)
{
    static const struct {
        const char *path;
        const char *text; /* NULL: removed */
        enum policy_verdict verdict;
        const char *why;
    } rows[] = {
            {"etc/policy.d/10-a.policy", "s.A * * * deny\n", POLICY_DENY,
                    "denied by 10-a.policy:1"},
            {"etc/policy.d/10-a.policy", "s.A * * *\n", POLICY_DENY,
                    "10-a.policy:1: "},
            {"etc/policy.d/10-a.policy", NULL, POLICY_DENY, "no rule"},
            {"etc/policy.d/05-new.policy", "s.A * * * deny\n", POLICY_DENY,
                    "05-new.policy:1"},
            {"etc/policy.d/include/one", NULL, POLICY_DENY,
                    "10-a.policy:2: no such file"},
            {"etc/policy.d/include/one", "!include 10-a.policy\n", POLICY_DENY,
                    "includes itself"},
            {"etc/policy.d/include/two", "syntax error\n", POLICY_ALLOW,
                    "10-a.policy:1"},
    };
    const struct host *h = *state;

    write_file(h, "etc/policy.d/10-a.policy",
            "s.A * * * allow\n!include include/one\n");
    write_file(h, "etc/policy.d/include/one", "s.B * * * allow\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policytree_change change = {.path = at(h, rows[i].path),
                .removed = rows[i].text == NULL,
                .text = rows[i].text ? span_str(rows[i].text) : SPAN_EMPTY};
        struct policytree *t = load_changed(h, &change);

        expect(t, "s.A", rows[i].verdict, rows[i].why);
        policytree_free(t);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, host_new, host_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(the_runtime_folder_hides_files_by_name),
            TEST(includes_are_read_where_their_chain_began),
            TEST(links_are_followed_inside_the_folders_only),
            TEST(what_is_no_file_is_passed_over),
            TEST(an_error_anywhere_denies_everything),
            TEST(bad_names_and_missing_folders_deny_everything),
            TEST(a_file_over_the_limit_denies_everything),
            TEST(legacy_files_are_read_by_directive),
            TEST(a_change_is_judged_before_it_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
