/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/qair-test-buf-XXXXXX";
static int dir = -1;

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static void remove_entries(void)
{
    static const char *const names[] = {
            "file", "file.tmp", "link", "big", "fifo", "sub/file", "sub"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (unlinkat(dir, names[i], 0) < 0)
            (void)unlinkat(dir, names[i], AT_REMOVEDIR);
    }
}

static int remove_folder(void **state)
{
    (void)state;
    remove_entries();
    (void)close(dir);
    return rmdir(folder);
}

static void cap_is_never_passed_and_the_error_sticks(void **state)
{
    struct buf b = BUF_INIT(5);
    struct err err;

    (void)state;
    buf_append_str(&b, "abc");
    buf_append_str(&b, "def"); /* 6 > 5: refused whole */
    buf_append_u8(&b, 'x');    /* would fit, but the error sticks */
    assert_true(span_eq_str(buf_span(&b), "abc"));
    assert_int_equal(buf_ok(&b, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "5 bytes"));
    assert_null(buf_reserve(&b, 1));
    buf_reset(&b);
    buf_append_str(&b, "vwxyz");
    assert_int_equal(buf_ok(&b, NULL), 0);
    assert_string_equal((char *)b.ptr, "vwxyz");
    buf_fini(&b);
    assert_int_equal(b.cap, 5);
}

static void sizes_that_would_wrap_are_refused(void **state)
{
    struct buf b = BUF_INIT(SIZE_MAX / 2);

    (void)state;
    buf_append_str(&b, "a");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_ok(&b, NULL), ERR_LIMIT);
    buf_fini(&b);
}

static void grows_one_byte_at_a_time_to_exactly_the_cap(void **state)
{
    struct buf b = BUF_INIT(1000);

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        buf_append_u8(&b, (uint8_t)i);
    assert_int_equal(buf_ok(&b, NULL), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(b.ptr[i], (uint8_t)i);
    assert_int_equal(b.ptr[1000], 0);
    buf_consume(&b, 999);
    assert_int_equal(b.len, 1);
    assert_int_equal(b.ptr[0], (uint8_t)999);
    buf_printf(&b, "%s", "");
    buf_printf(&b, "%d-%d", 12, 34);
    assert_memory_equal(b.ptr + 1, "12-34", 6);
    buf_fini(&b);
}

static void load_refuses_what_is_not_a_regular_file(void **state)
{
    struct buf b = BUF_INIT(100);
    struct err err;

    (void)state;
    assert_int_equal(buf_load(&b, dir, "absent", &err), ERR_NOT_FOUND);
    assert_int_equal(mkdirat(dir, "sub", 0700), 0);
    assert_int_equal(buf_load(&b, dir, "sub", &err), ERR_DENIED);
    assert_int_equal(symlinkat("file", dir, "link"), 0);
    assert_int_equal(buf_store(span_str("x"), dir, "file", 0600, &err), 0);
    assert_int_equal(buf_load(&b, dir, "link", &err), ERR_IO); /* ELOOP */
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(buf_load(&b, dir, "fifo", &err), ERR_DENIED);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void load_stops_at_the_cap(void **state)
{
    struct buf b = BUF_INIT(10);
    struct err err;

    (void)state;
    assert_int_equal(
            buf_store(span_str("12345678901"), dir, "big", 0600, &err), 0);
    assert_int_equal(buf_load(&b, dir, "big", &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "big"));
    assert_int_equal(
            buf_store(span_str("1234567890"), dir, "big", 0600, &err), 0);
    assert_int_equal(buf_load(&b, dir, "big", &err), 0);
    assert_true(span_eq_str(buf_span(&b), "1234567890"));
    buf_fini(&b);
}

/* /proc files have size 0 and contents; a growing file may have more. */
static void load_reads_what_is_there_not_what_stat_says(void **state)
{
    struct buf b = BUF_INIT(65536);
    struct err err;

    (void)state;
    assert_int_equal(buf_load(&b, AT_FDCWD, "/proc/self/status", &err), 0);
    assert_true(b.len > 100);
    buf_fini(&b);
}

static void store_replaces_whole_and_sets_the_mode(void **state)
{
    struct buf b = BUF_INIT(100);
    struct stat st;
    struct err err;

    (void)state;
    assert_int_equal(buf_store(span_str("old"), dir, "file", 0644, &err), 0);
    assert_int_equal(buf_store(span_str("newer"), dir, "file", 0600, &err), 0);
    assert_int_equal(buf_load(&b, dir, "file", &err), 0);
    assert_true(span_eq_str(buf_span(&b), "newer"));
    assert_int_equal(fstatat(dir, "file", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(faccessat(dir, "file.tmp", F_OK, 0), -1);
    buf_fini(&b);
}

static void store_that_cannot_finish_leaves_the_old_file(void **state)
{
    static uint8_t big[8192];
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY}, was;
    struct buf b = BUF_INIT(100);
    struct err err;
    int rc;

    (void)state;
    assert_int_equal(buf_store(span_str("old"), dir, "file", 0600, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = buf_store(SPAN_OF(big), dir, "file", 0600, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(buf_load(&b, dir, "file", &err), 0);
    assert_true(span_eq_str(buf_span(&b), "old"));
    assert_int_equal(faccessat(dir, "file.tmp", F_OK, 0), -1);
    buf_fini(&b);
}

/* A writer killed at any moment leaves the old contents or the new. */
static void kill_during_store_leaves_old_or_new(void **state)
{
    static uint8_t a[20000], z[20000];
    struct err err;

    (void)state;
    memset(a, 'a', sizeof(a));
    memset(z, 'z', sizeof(z));
    assert_int_equal(buf_store(SPAN_OF(a), dir, "file", 0600, &err), 0);
    for (unsigned i = 0; i < 50; i++) {
        struct buf b = BUF_INIT(sizeof(a));
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            for (;;) {
                if (buf_store(SPAN_OF(z), dir, "file", 0600, NULL) < 0 ||
                        buf_store(SPAN_OF(a), dir, "file", 0600, NULL) < 0)
                    _exit(1);
            }
        }
        (void)usleep(i * 97);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(buf_load(&b, dir, "file", &err), 0);
        assert_int_equal(b.len, sizeof(a));
        assert_true(span_eq(buf_span(&b), SPAN_OF(a)) ||
                    span_eq(buf_span(&b), SPAN_OF(z)));
        buf_fini(&b);
    }
}

/* ---- entries --------------------------------------------------------- */

/* How many entries the disk still gives; -1: all. */
static int entries_left = -1;

struct dirent *__real_readdir64(DIR *d);
struct dirent *__wrap_readdir64(DIR *d);
struct dirent *__wrap_readdir64(DIR *d)
{
    if (entries_left == 0) {
        errno = EIO;
        return NULL;
    }
    if (entries_left > 0)
        entries_left--;
    return __real_readdir64(d);
}

struct seen {
    unsigned file, sub, other;
    int stop; /* what the first entry answers */
};

static int see(int dirfd, const char *name, void *ctx, struct err *err)
{
    struct seen *s = ctx;

    assert_int_equal(dirfd, dir);
    if (strcmp(name, "file") == 0)
        s->file++;
    else if (strcmp(name, "sub") == 0)
        s->sub++;
    else
        s->other++;
    /* of the walk, not of what an entry's work leaves behind */
    errno = EIO;
    return s->stop ? err_set(err, s->stop, "not %s", name) : 0;
}

static void each_entry_comes_once_at_every_walk(void **state)
{
    struct err err;

    (void)state;
    remove_entries();
    assert_int_equal(buf_store(span_str("x"), dir, "file", 0600, &err), 0);
    assert_int_equal(mkdirat(dir, "sub", 0700), 0);
    for (int i = 0; i < 2; i++) {
        struct seen s = {0};

        assert_int_equal(buf_each_entry(dir, see, &s, &err), 0);
        assert_int_equal(s.file, 1);
        assert_int_equal(s.sub, 1);
        assert_int_equal(s.other, 0);
    }
}

static void entry_that_fails_ends_the_walk(void **state)
{
    struct seen s = {.stop = ERR_DENIED};
    struct err err;

    (void)state;
    assert_int_equal(buf_each_entry(dir, see, &s, &err), ERR_DENIED);
    assert_int_equal(s.file + s.sub, 1);
    assert_non_null(strstr(err.msg, "not "));
}

static void what_cannot_be_listed_is_an_error(void **state)
{
    struct seen s = {0};
    struct err err;
    int fd = openat(dir, "file", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(buf_each_entry(fd, see, &s, &err), ERR_IO);
    (void)close(fd);
    assert_int_equal(buf_each_entry(-1, see, &s, &err), ERR_IO);
    assert_int_equal(s.file + s.sub + s.other, 0);
}

static void folder_read_in_part_is_an_error(void **state)
{
    struct err err;

    (void)state;
    /* file, sub, and the two that are left out */
    for (int n = 0; n <= 4; n++) {
        struct seen s = {0};

        entries_left = n;
        assert_int_equal(buf_each_entry(dir, see, &s, &err), ERR_IO);
        assert_true(s.file + s.sub <= (unsigned)n);
    }
    entries_left = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(cap_is_never_passed_and_the_error_sticks),
            cmocka_unit_test(sizes_that_would_wrap_are_refused),
            cmocka_unit_test(grows_one_byte_at_a_time_to_exactly_the_cap),
            cmocka_unit_test(load_refuses_what_is_not_a_regular_file),
            cmocka_unit_test(load_stops_at_the_cap),
            cmocka_unit_test(load_reads_what_is_there_not_what_stat_says),
            cmocka_unit_test(store_replaces_whole_and_sets_the_mode),
            cmocka_unit_test(store_that_cannot_finish_leaves_the_old_file),
            cmocka_unit_test(kill_during_store_leaves_old_or_new),
            cmocka_unit_test(each_entry_comes_once_at_every_walk),
            cmocka_unit_test(entry_that_fails_ends_the_walk),
            cmocka_unit_test(what_cannot_be_listed_is_an_error),
            cmocka_unit_test(folder_read_in_part_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
