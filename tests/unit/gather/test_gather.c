/* SPDX-License-Identifier: Apache-2.0 */
/* Folders into bundles: what is taken, and what makes the whole refused. */
#include "gather.h"

#include "bundle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char dir[32];
    int fd;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/qair-gather-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->fd >= 0);
    assert_int_equal(mkdirat(w->fd, "p", 0700), 0);
    assert_int_equal(mkdirat(w->fd, "p/include", 0700), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[64];

    (void)close(w->fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static void put(const struct world *w, const char *path, const char *text)
{
    CLEANUP(buf_close_fd)
    int fd = openat(w->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(buf_write_all(fd, span_str(text), NULL), 0);
}

static int get(const struct world *w, const char *folder, gather_want *want,
        struct buf *ret, struct err *err)
{
    *ret = BUF_INIT(LIMIT_BUNDLE_MAX);
    return gather_folder(w->fd, folder, want, ret, err);
}

static void names(const struct buf *bundle, char *ret, size_t cap)
{
    struct bundle_iter it = bundle_iter_of(buf_span(bundle));
    struct bundle_file file;
    size_t n = 0;

    ret[0] = '\0';
    assert_int_equal(bundle_check(buf_span(bundle), NULL), 0);
    while (bundle_next(&it, &file))
        n += (size_t)snprintf(ret + n, cap - n, "%.*s=%.*s ",
                (int)file.name.len, file.name.ptr, (int)file.content.len,
                file.content.ptr);
}

static void test_what_is_taken(void **state)
{
    const struct world *w = *state;
    static const char *const files[] = {"p/b.policy", "p/a.policy", "p/x.conf",
            "p/README", "p/.hidden.policy", "p/c.policy~", "p/d.policy.swp",
            "p/include/z", "p/include/.y", "p/w.tmp", "p/include/y.policy"};
    static const struct {
        gather_want *want;
        const char *names;
    } cases[] = {
            {gather_policy, "a.policy=1 b.policy=0 include/y.policy=10 "
                            "include/z=7 "},
            {gather_conf, "x.conf=2 "},
    };
    char number[16], got[512];
    struct err err = {.code = 0};

    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(number, sizeof(number), "%u", i);
        put(w, files[i], number);
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_fini) struct buf b = {0};

        if (get(w, "p", cases[i].want, &b, &err) < 0)
            fail_msg("%s", err.msg);
        names(&b, got, sizeof(got));
        assert_string_equal(got, cases[i].names);
    }
}

static void test_absent_and_empty_folder(void **state)
{
    struct buf b;
    struct err err;

    assert_int_equal(get(*state, "nosuch", gather_any, &b, &err), 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(get(*state, "p", gather_any, &b, &err), 0);
    assert_int_equal(b.len, 0);
}

/* One thing that cannot be taken: the folder is refused, not read in part. */
static void test_refusals(void **state)
{
    const struct world *w = *state;
    static const char *const names_that_no_bundle_holds[] = {
            "p/10 b.policy", "p/a\nb.policy", "p/\xc3\xa4.policy"};
    CLEANUP(buf_fini) struct buf b = {0};
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(names_that_no_bundle_holds); i++) {
        put(w, names_that_no_bundle_holds[i], "x");
        assert_int_not_equal(get(w, "p", gather_policy, &b, &err), 0);
        buf_fini(&b);
        assert_int_equal(unlinkat(w->fd, names_that_no_bundle_holds[i], 0), 0);
    }
    put(w, "secret", "x");
    assert_int_equal(symlinkat("../secret", w->fd, "p/link.policy"), 0);
    assert_int_not_equal(get(w, "p", gather_policy, &b, &err), 0);
    buf_fini(&b);
    assert_int_equal(unlinkat(w->fd, "p/link.policy", 0), 0);
    assert_int_equal(mkfifoat(w->fd, "p/fifo.policy", 0600), 0);
    assert_int_not_equal(get(w, "p", gather_policy, &b, &err), 0);
    buf_fini(&b);
    assert_int_equal(unlinkat(w->fd, "p/fifo.policy", 0), 0);
    assert_int_equal(symlinkat("p", w->fd, "q"), 0);
    assert_int_not_equal(get(w, "q", gather_policy, &b, &err), 0);
    assert_int_not_equal(get(w, "secret", gather_policy, &b, &err), 0);
}

static void test_size_and_depth_are_bounded(void **state)
{
    const struct world *w = *state;
    CLEANUP(buf_fini) struct buf b = {0};
    struct err err;
    int fd;

    put(w, "p/big.policy", "");
    fd = openat(w->fd, "p/big.policy", O_WRONLY);
    assert_int_equal(ftruncate(fd, LIMIT_CONF_FILE_MAX), 0);
    assert_int_equal(get(w, "p", gather_policy, &b, &err), 0);
    buf_fini(&b);
    assert_int_equal(ftruncate(fd, LIMIT_CONF_FILE_MAX + 1), 0);
    assert_int_equal(get(w, "p", gather_policy, &b, &err), ERR_LIMIT);
    buf_fini(&b);
    (void)close(fd);
    assert_int_equal(unlinkat(w->fd, "p/big.policy", 0), 0);

    assert_int_equal(mkdirat(w->fd, "p/1", 0700), 0);
    assert_int_equal(mkdirat(w->fd, "p/1/2", 0700), 0);
    assert_int_equal(mkdirat(w->fd, "p/1/2/3", 0700), 0);
    assert_int_equal(mkdirat(w->fd, "p/1/2/3/4", 0700), 0);
    assert_int_equal(get(w, "p", gather_any, &b, &err), 0);
    assert_int_equal(mkdirat(w->fd, "p/1/2/3/4/5", 0700), 0);
    assert_int_equal(get(w, "p", gather_any, &b, &err), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_what_is_taken, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    test_absent_and_empty_folder, setup, teardown),
            cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    test_size_and_depth_are_bounded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
