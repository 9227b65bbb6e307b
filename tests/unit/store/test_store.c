/* SPDX-License-Identifier: Apache-2.0 */
/* The log without crashes: sizes, proofs, tampering, limits, full disks. */
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct log l;

    log_init(&l);
    *state = &l;
    return 0;
}

static int teardown(void **state)
{
    log_fini(*state);
    return 0;
}

static struct store *open_log(const struct log *l)
{
    struct store *s = NULL;
    struct err err;

    if (store_open(l->dirfd, &l->vkey, l->key, STORE_JOURNAL_MIN, &s, &err) < 0)
        fail_msg("%s", err.msg);
    return s;
}

static void append(struct store *s, size_t n)
{
    struct err err;

    if (log_append(s, n, &err) < 0)
        fail_msg("%s", err.msg);
}

static void assert_size(const struct log *l, uint64_t want)
{
    struct err err;
    uint64_t size;

    if (log_verify(l, &size, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(size, want);
}

static void a_new_log_has_a_checkpoint_of_nothing(void **state)
{
    struct store *s = open_log(*state);

    store_close(s);
    assert_size(*state, 0);
}

static void every_group_is_visible_when_it_is_acknowledged(void **state)
{
    static const size_t groups[] = {1, 2, 60, 193, 256, 255, 1, 1, 30};
    struct store *s = open_log(*state);
    uint64_t size = 0;

    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        append(s, groups[i]);
        size += groups[i];
        assert_int_equal(store_head(s)->size, size);
        assert_size(*state, size);
        if (i % 3 == 2) {
            store_close(s);
            s = open_log(*state);
            assert_int_equal(store_head(s)->size, size);
        }
    }
    store_close(s);
    assert_size(*state, size);
}

static void every_entry_has_a_proof(void **state)
{
    const struct log *l = *state;
    struct store *s = open_log(l);
    struct store_reader r;
    struct err err;

    for (int i = 0; i < 5; i++)
        append(s, 120);
    assert_int_equal(store_reader_open(l->dirfd, &l->vkey, &r, &err), 0);
    for (uint64_t i = 0; i < 600; i++) {
        struct buf a = BUF_INIT(MERKLE_TLOG_PROOF_MAX);
        struct buf b = BUF_INIT(MERKLE_TLOG_PROOF_MAX);
        uint8_t bytes[LOG_ENTRY_BYTES];
        struct merkle_checkpoint c;
        uint64_t index;

        assert_int_equal(store_prove(s, i, &a, &err), 0);
        assert_int_equal(store_reader_prove(&r, i, &b, &err), 0);
        assert_true(span_eq(buf_span(&a), buf_span(&b)));
        assert_int_equal(
                merkle_tlog_proof_verify(buf_span(&a), log_entry(i, bytes),
                        &l->vkey, &index, &c, &err),
                0);
        assert_int_equal(index, i);
        assert_int_not_equal(
                merkle_tlog_proof_verify(buf_span(&a), log_entry(i + 1, bytes),
                        &l->vkey, &index, &c, &err),
                0);
        buf_fini(&a);
        buf_fini(&b);
    }
    assert_int_not_equal(store_prove(s, 600, &r.bundle, &err), 0);
    store_reader_fini(&r);
    store_close(s);
}

static void what_a_log_cannot_hold_is_refused_whole(void **state)
{
    static uint8_t big[LIMIT_LOG_ENTRY_MAX + 1];
    struct span entries[STORE_GROUP_MAX + 1];
    struct store *s = open_log(*state);
    struct err err;

    append(s, 3);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        entries[i] = SPAN("x", 1);
    assert_int_equal(
            store_append(s, entries, ARRAY_LEN(entries), &err), ERR_LIMIT);
    assert_int_equal(store_append(s, entries, 0, &err), ERR_LIMIT);
    entries[1] = SPAN_OF(big);
    assert_int_equal(store_append(s, entries, 3, &err), ERR_LIMIT);
    entries[1] = SPAN_EMPTY;
    assert_int_equal(store_append(s, entries, 3, &err), ERR_LIMIT);
    for (size_t i = 0; i < 8; i++)
        entries[i] = SPAN(big, LIMIT_LOG_ENTRY_MAX);
    assert_int_equal(store_append(s, entries, 8, &err), ERR_LIMIT);
    assert_false(store_failed(s));
    append(s, 3);
    store_close(s);
    assert_size(*state, 6);
}

static void a_second_writer_is_refused(void **state)
{
    const struct log *l = *state;
    struct store *s = open_log(l), *t = NULL;
    struct err err;

    assert_int_equal(
            store_open(l->dirfd, &l->vkey, l->key, 0, &t, &err), ERR_EXISTS);
    store_close(s);
    store_close(open_log(l));
}

static void another_key_is_refused_and_changes_nothing(void **state)
{
    struct log *l = *state;
    struct log other = *l;
    struct store *s = open_log(l);
    struct err err;
    uint64_t size;

    append(s, 10);
    store_close(s);
    log_key(&other, 2);
    assert_int_equal(store_open(l->dirfd, &other.vkey, other.key, 0, &s, &err),
            ERR_MISMATCH);
    assert_int_equal(log_verify(&other, &size, &err), ERR_MISMATCH);
    crypto_key_free(other.key);
    assert_size(l, 10);
}

/* Flips one bit of a file at an offset (from the end when negative). */
static void flip(const struct log *l, const char *name, off_t at)
{
    int fd = openat(l->dirfd, name, O_RDWR);
    struct stat st;
    uint8_t b;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    at = at < 0 ? st.st_size + at : at;
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 4;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

static void a_changed_bit_anywhere_does_not_verify(void **state)
{
    static const struct {
        const char *name;
        off_t at;
    } flips[] = {{"checkpoint", 3}, {"checkpoint", 14}, {"checkpoint", -5},
            {"tile/0/000", 77}, {"tile/0/000", -1}, {"tile/0/001.p/44", 0},
            {"tile/1/000.p/1", 31}, {"tile/entries/000", 0},
            {"tile/entries/000", 1}, {"tile/entries/000", 1000},
            {"tile/entries/000", -1}, {"tile/entries/001.p/44", -1}};
    struct store *s = open_log(*state);
    struct err err;
    uint64_t size;

    append(s, 200);
    append(s, 100);
    store_close(s);
    for (size_t i = 0; i < ARRAY_LEN(flips); i++) {
        flip(*state, flips[i].name, flips[i].at);
        if (log_verify(*state, &size, &err) == 0)
            fail_msg("%s at %ld", flips[i].name, (long)flips[i].at);
        flip(*state, flips[i].name, flips[i].at);
    }
    assert_size(*state, 300);
}

static void a_tampered_tail_is_not_continued(void **state)
{
    static const char *const names[] = {"checkpoint", "tile/entries/001.p/44",
            "tile/0/001.p/44", "tile/1/000.p/1"};
    const struct log *l = *state;
    struct store *s = open_log(l);
    struct err err;

    append(s, 200);
    append(s, 100);
    store_close(s);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        flip(l, names[i], 20);
        if (store_open(l->dirfd, &l->vkey, l->key, 0, &s, &err) == 0)
            fail_msg("%s", names[i]);
        flip(l, names[i], 20);
    }
    assert_int_equal(unlinkat(l->dirfd, "checkpoint", 0), 0);
    assert_int_equal(store_open(l->dirfd, &l->vkey, l->key, 0, &s, &err),
            ERR_MISMATCH); /* not taken for a new log */
}

static void files_that_are_missing_do_not_verify(void **state)
{
    static const char *const names[] = {"tile/entries/000", "tile/0/000",
            "tile/1/000.p/1", "tile/0/001.p/44", "checkpoint"};
    const struct log *l = *state;
    struct store *s = open_log(l);
    struct err err;
    uint64_t size;

    append(s, 200);
    append(s, 100);
    store_close(s);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(renameat(l->dirfd, names[i], l->dirfd, "tmp/away"), 0);
        assert_int_not_equal(log_verify(l, &size, &err), 0);
        assert_int_equal(renameat(l->dirfd, "tmp/away", l->dirfd, names[i]), 0);
    }
    assert_size(l, 300);
}

static void a_reader_follows_while_the_writer_appends(void **state)
{
    const struct log *l = *state;
    struct store *s = open_log(l);
    struct store_reader r;
    struct err err;

    append(s, 10);
    assert_int_equal(store_reader_open(l->dirfd, &l->vkey, &r, &err), 0);
    append(s, 100); /* the partial tiles of size 10 have other names now */
    if (store_reader_verify(&r, log_same_entry, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    append(s, 200); /* and now they are full */
    r.bundle_n = UINT64_MAX;
    if (store_reader_verify(&r, log_same_entry, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    store_reader_fini(&r);
    store_close(s);
}

/* ---- a disk that is full or read-only --------------------------------- */

/* Appends until refused, then after `more` again; in a child. */
static void refused_group_leaves_the_log_whole(
        const struct log *l, void (*more)(void))
{
    struct store *s = open_log(l);
    struct err err;
    uint64_t size;
    int r = 0;

    log_entry_max = LOG_ENTRY_BYTES;
    for (int i = 0; i < 2000 && r == 0; i++)
        r = log_append(s, 7, &err);
    assert_int_equal(r, ERR_IO);
    assert_false(store_failed(s));
    size = store_head(s)->size;
    assert_size(l, size);
    assert_int_equal(log_append(s, 7, &err), ERR_IO); /* still full */
    assert_size(l, size);
    more();
    append(s, 7);
    append(s, 100);
    store_close(s);
    assert_size(l, size + 107);
}

static void no_limit(void)
{
    struct rlimit rl = {RLIM_INFINITY, RLIM_INFINITY};

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

static void a_file_that_may_not_grow_refuses_the_group(void **state)
{
    struct rlimit rl = {STORE_JOURNAL_MIN + 20000, RLIM_INFINITY};
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &rl) < 0)
            _exit(2);
        refused_group_leaves_the_log_whole(*state, no_limit);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static char ballast[80];

static void remove_ballast(void)
{
    assert_int_equal(unlink(ballast), 0);
}

static void fill(const char *dir)
{
    static const uint8_t zeros[65536];
    int fd;

    snprintf(ballast, sizeof ballast, "%s/ballast", dir);
    fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 16; i++)
        (void)!write(fd, zeros, sizeof zeros);
    close(fd);
}

/* Writes what the kernel wants for a user namespace of one uid. */
static bool new_mounts(void)
{
    char map[32];
    int fd;
    uid_t uid = getuid();

    if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0)
        return false;
    if (uid != 0) {
        fd = open("/proc/self/uid_map", O_WRONLY);
        snprintf(map, sizeof map, "0 %u 1", uid);
        if (fd < 0 || write(fd, map, strlen(map)) < 0)
            return false;
        close(fd);
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void full_disk_child(const struct log *outer)
{
    struct log l = *outer;

    if (!new_mounts() || mount("tmpfs", l.path, "tmpfs", 0, "size=4m") < 0)
        _exit(77);
    l.dirfd = open(l.path, O_RDONLY | O_DIRECTORY);
    fill(l.path);
    refused_group_leaves_the_log_whole(&l, remove_ballast);
    close(l.dirfd);
    _exit(0);
}

static void a_full_disk_refuses_the_group(void **state)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        full_disk_child(*state);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void read_only_child(const struct log *outer)
{
    struct log l = *outer;
    struct store *s = open_log(&l);
    struct err err;

    append(s, 5);
    store_close(s);
    if (!new_mounts() || mount(l.path, l.path, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, l.path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) <
                    0)
        _exit(77);
    l.dirfd = open(l.path, O_RDONLY | O_DIRECTORY);
    if (store_open(l.dirfd, &l.vkey, l.key, 0, &s, &err) != ERR_IO)
        _exit(3);
    assert_size(&l, 5); /* and a reader needs no writable disk */
    _exit(0);
}

static void a_read_only_disk_is_refused_and_can_be_read(void **state)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        read_only_child(*state);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
            T(a_new_log_has_a_checkpoint_of_nothing),
            T(every_group_is_visible_when_it_is_acknowledged),
            T(every_entry_has_a_proof),
            T(what_a_log_cannot_hold_is_refused_whole),
            T(a_second_writer_is_refused),
            T(another_key_is_refused_and_changes_nothing),
            T(a_changed_bit_anywhere_does_not_verify),
            T(a_tampered_tail_is_not_continued),
            T(files_that_are_missing_do_not_verify),
            T(a_reader_follows_while_the_writer_appends),
            T(a_file_that_may_not_grow_refuses_the_group),
            T(a_full_disk_refuses_the_group),
            T(a_read_only_disk_is_refused_and_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
