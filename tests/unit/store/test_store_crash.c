/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever happens to the writer, an entry that was acknowledged is in the
 * log, the log verifies, and the next start works.
 *
 * The linker routes the system calls that change the disk through here
 * (--wrap), so that a test can fail or die at each of them in turn.
 */
#include "fixture.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum fault {
    FAULT_NONE,
    FAULT_ERROR,  /* the call fails once with EIO */
    FAULT_BEFORE, /* the process dies instead of the call */
    FAULT_TORN,   /* half of a write is done, or the call, and it dies */
};

static enum fault fault;
static unsigned fault_at, fault_calls;

static bool fault_now(void)
{
    return fault != FAULT_NONE && fault_calls++ == fault_at;
}

/* Before a call: true when it must fail; may not return. */
static bool fault_before(bool now)
{
    if (now && fault == FAULT_BEFORE)
        _exit(9);
    if (now && fault == FAULT_ERROR) {
        errno = EIO;
        return true;
    }
    return false;
}

static void fault_after(bool now)
{
    if (now && fault == FAULT_TORN)
        _exit(9);
}

/*
 * What was written and not synced, by inode: an acknowledgement may leave
 * tiles here, never the journal; a flush leaves nothing.
 */
static struct {
    ino_t ino;
    bool dirty;
} inodes[65536];

static size_t inode_slot(int fd)
{
    struct stat st;
    size_t i;

    if (fstat(fd, &st) < 0)
        log_die("fstat");
    i = st.st_ino % ARRAY_LEN(inodes);
    while (inodes[i].ino != 0 && inodes[i].ino != st.st_ino)
        i = (i + 1) % ARRAY_LEN(inodes);
    inodes[i].ino = st.st_ino;
    return i;
}

static void check_journal_is_synced(const struct log *l)
{
    int fd = openat(l->dirfd, "journal", O_RDONLY);

    if (fd < 0 || inodes[inode_slot(fd)].dirty)
        _exit(5);
    close(fd);
}

static int check_file(
        const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (strstr(path, "/tmp/checkpoint") != NULL)
        return 0; /* the next one, which may be lost */
    for (size_t i = 0; type == FTW_F && i < ARRAY_LEN(inodes); i++) {
        if (inodes[i].ino == st->st_ino && inodes[i].dirty) {
            fprintf(stderr, "not synced: %s\n", path);
            _exit(6);
        }
    }
    return 0;
}

/* Files that are still there; replaced checkpoints are not. */
static void check_all_is_synced(const struct log *l)
{
    if (nftw(l->path, check_file, 16, FTW_PHYS) != 0)
        _exit(7);
}

#define WRAP(name, params, args)                                               \
    int __real_##name params;                                                  \
    int __wrap_##name params;                                                  \
    int __wrap_##name params                                                   \
    {                                                                          \
        bool now = fault_now();                                                \
        int r;                                                                 \
                                                                               \
        if (fault_before(now))                                                 \
            return -1;                                                         \
        r = __real_##name args;                                                \
        fault_after(now);                                                      \
        return r;                                                              \
    }

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    bool now = fault_now();
    int r;

    if (fault_before(now))
        return -1;
    r = __real_fdatasync(fd);
    inodes[inode_slot(fd)].dirty = false;
    fault_after(now);
    return r;
}

WRAP(fsync, (int fd), (fd))
WRAP(renameat, (int a, const char *from, int b, const char *to),
        (a, from, b, to))
WRAP(renameat2,
        (int a, const char *from, int b, const char *to, unsigned flags),
        (a, from, b, to, flags))
WRAP(mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
WRAP(unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(ftruncate64, (int fd, off64_t len), (fd, len))

ssize_t __real_pwrite64(int fd, const void *p, size_t n, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    bool now = fault_now();
    ssize_t r;

    if (fault_before(now))
        return -1;
    inodes[inode_slot(fd)].dirty = true;
    r = __real_pwrite64(fd, p, now && fault == FAULT_TORN ? n / 2 : n, at);
    fault_after(now);
    return r;
}

/* ---- a writer in a child ---------------------------------------------- */

/* Tells the parent what is acknowledged. */
static void acknowledge(int fd, uint64_t size)
{
    if (write(fd, &size, sizeof size) != sizeof size)
        _exit(4);
}

/* Groups until done or failed; a failed store is opened again. */
static void writer(const struct log *l, int fd, uint32_t seed, unsigned groups)
{
    struct store *s = NULL;
    struct err err;

    for (unsigned i = 0; i < groups; i++) {
        uint32_t roll = log_random(&seed);

        if (s == NULL && store_open(l->dirfd, &l->vkey, l->key,
                                 STORE_JOURNAL_MIN, &s, &err) < 0) {
            s = NULL;
            continue;
        }
        if (log_append(s, 1 + roll % 40, &err) == 0) {
            check_journal_is_synced(l);
            acknowledge(fd, store_head(s)->size);
        }
        if (roll % 16 == 3 && store_flush(s, &err) == 0 && fault == FAULT_NONE)
            check_all_is_synced(l);
        if (store_failed(s) || roll % 32 == 5) {
            store_close(s);
            s = NULL;
        }
    }
    store_close(s);
    _exit(0);
}

/* Starts a writer; the descriptor tells what it acknowledged. */
static pid_t start(const struct log *l, uint32_t seed, unsigned groups,
        enum fault f, unsigned at, int *ret_fd)
{
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        memset(inodes, 0, sizeof inodes); /* of what the parent wrote */
        fault = f;
        fault_at = at;
        writer(l, fds[1], seed, groups);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static uint64_t last_acknowledged(int fd)
{
    uint64_t size, last = 0;

    while (read(fd, &size, sizeof size) == sizeof size)
        last = size;
    close(fd);
    return last;
}

/* Opens again, appends, closes; all of it must be there. */
static void check_after(
        const struct log *l, uint64_t acknowledged, const char *what)
{
    struct store *s = NULL;
    struct err err;
    uint64_t size;

    if (store_open(l->dirfd, &l->vkey, l->key, STORE_JOURNAL_MIN, &s, &err) < 0)
        fail_msg("%s: %s", what, err.msg);
    if (store_head(s)->size < acknowledged)
        fail_msg("%s: %llu entries acknowledged, %llu there", what,
                (unsigned long long)acknowledged,
                (unsigned long long)store_head(s)->size);
    if (log_verify(l, &size, &err) < 0)
        fail_msg("%s: after recovery: %s", what, err.msg);
    assert_int_equal(size, store_head(s)->size);
    if (log_append(s, 5, &err) < 0)
        fail_msg("%s: next group: %s", what, err.msg);
    store_close(s);
    if (log_verify(l, &size, &err) < 0)
        fail_msg("%s: after the next group: %s", what, err.msg);
}

/* Every call that changes the disk, in turn; true when there was one. */
static bool fault_at_call(enum fault f, unsigned at)
{
    struct log l;
    char what[64];
    int fd, status;
    uint64_t acknowledged, size;
    struct err err;
    pid_t pid;

    log_init(&l);
    pid = start(&l, 7, 24, f, at, &fd);
    acknowledged = last_acknowledged(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
    snprintf(what, sizeof what, "fault %d at call %u", (int)f, at);
    /* Before anything is repaired a reader has what was acknowledged. */
    if (acknowledged > 0) {
        if (log_verify(&l, &size, &err) < 0)
            fail_msg("%s: before recovery: %s", what, err.msg);
        assert_true(size >= acknowledged);
    }
    check_after(&l, acknowledged, what);
    log_fini(&l);
    return f == FAULT_ERROR ? at < 300 : WEXITSTATUS(status) == 9;
}

static void dying_before_any_call_loses_nothing(void **state)
{
    unsigned at = 0;

    (void)state;
    while (fault_at_call(FAULT_BEFORE, at))
        at++;
    assert_true(at > 200); /* the workload is not trivial */
}

static void dying_in_the_middle_of_any_call_loses_nothing(void **state)
{
    unsigned at = 0;

    (void)state;
    while (fault_at_call(FAULT_TORN, at))
        at++;
    assert_true(at > 200);
}

static void an_error_of_any_call_loses_nothing(void **state)
{
    unsigned at = 0;

    (void)state;
    while (fault_at_call(FAULT_ERROR, at))
        at++;
}

static void an_acknowledgement_comes_after_the_sync(void **state)
{
    struct log l;
    int fd, status;
    pid_t pid;

    (void)state;
    log_init(&l);
    pid = start(&l, 11, 300, FAULT_NONE, 0, &fd);
    assert_true(last_acknowledged(fd) > 1000);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0); /* 5: journal, 6: tiles were not synced */
    log_fini(&l);
}

static void a_hundred_kills_lose_nothing(void **state)
{
    uint32_t seed = (uint32_t)time(NULL);
    uint64_t acknowledged = 0;
    struct log l;

    (void)state;
    print_message("seed %u\n", seed);
    log_init(&l);
    for (int i = 0; i < 100; i++) {
        struct timespec wait = {0, 100000 + log_random(&seed) % 20000000};
        char what[32];
        int fd, status;
        uint64_t last;
        pid_t pid = start(&l, log_random(&seed), 100000, FAULT_NONE, 0, &fd);

        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        last = last_acknowledged(fd);
        acknowledged = last > acknowledged ? last : acknowledged;
        snprintf(what, sizeof what, "kill %d", i);
        if (i % 10 == 9)
            check_after(&l, acknowledged, what);
    }
    check_after(&l, acknowledged, "last");
    assert_true(acknowledged > 100);
    log_fini(&l);
}

/* ---- power ------------------------------------------------------------- */

static void copy(const char *from, const char *to)
{
    char cmd[512];

    snprintf(cmd, sizeof cmd, "cp -a '%s' '%s'", from, to);
    if (system(cmd) != 0)
        log_die(cmd);
}

/* Appends after a flush and leaves without closing, as a power cut does; at
 * the flush the folder is copied: no more than that needs to be on disk. */
static void writer_until_cut(const struct log *l, const char *flushed)
{
    struct store *s = NULL;
    struct err err;

    if (store_open(l->dirfd, &l->vkey, l->key, STORE_JOURNAL_MIN, &s, &err) <
                    0 ||
            log_append(s, 100, &err) < 0)
        _exit(1);
    for (int i = 0; i < 22; i++) {
        if (log_append(s, 17, &err) < 0)
            _exit(2);
    }
    if (store_flush(s, &err) < 0)
        _exit(3);
    copy(l->path, flushed);
    for (int i = 0; i < 6; i++) {
        if (log_append(s, 13, &err) < 0)
            _exit(4);
    }
    _exit(store_needs_flush(s) ? 0 : 5);
}

#define CUT_SIZE (100 + 22 * 17 + 6 * 13)

/* Length of the same tile in the copy, under any name; 0 when it is new. */
static off_t length_in(const char *copy, const char *name)
{
    char cmd[512], line[32] = "0";
    int n = (int)strcspn(name, ".");
    FILE *f;

    snprintf(cmd, sizeof cmd,
            "cd '%s' && find %.*s %.*s.p -type f -printf '%%s\\n' "
            "2>/dev/null | head -n 1",
            copy, n, name, n, name);
    f = popen(cmd, "r");
    if (f == NULL)
        log_die("popen");
    if (fgets(line, sizeof line, f) == NULL)
        strcpy(line, "0");
    pclose(f);
    return atol(line);
}

/* Renames reached the disk, data that nobody synced did not. */
static void lose_unsynced_data(const struct log *l, const char *copy)
{
    char cmd[128], name[256], path[512];
    FILE *f;

    snprintf(cmd, sizeof cmd, "cd '%s' && find tile -type f", l->path);
    f = popen(cmd, "r");
    if (f == NULL)
        log_die("popen");
    while (fgets(name, sizeof name, f) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        snprintf(path, sizeof path, "%s/%s", l->path, name);
        if (truncate(path, length_in(copy, name)) < 0)
            log_die(path);
    }
    pclose(f);
    snprintf(path, sizeof path, "%s/checkpoint", l->path);
    if (truncate(path, 0) < 0)
        log_die(path);
}

static void check_cut(struct log *l, const char *path)
{
    struct log at = *l;
    uint64_t size;
    struct err err;

    at.dirfd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(at.dirfd >= 0);
    check_after(&at, CUT_SIZE, path);
    if (log_verify(&at, &size, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(size, CUT_SIZE + 5);
    close(at.dirfd);
}

static void a_power_cut_loses_nothing(void **state)
{
    char flushed[80], from[80];
    struct log l;
    int status;
    pid_t pid;

    (void)state;
    log_init(&l);
    snprintf(flushed, sizeof flushed, "%s.flushed", l.path);
    pid = fork();
    if (pid == 0)
        writer_until_cut(&l, flushed);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    lose_unsynced_data(&l, flushed);
    check_cut(&l, l.path); /* before the copy gets the newer journal */
    /* the other extreme: nothing but the journal was written since */
    log_fini(&l);
    log_init(&l);
    log_remove(flushed);
    snprintf(flushed, sizeof flushed, "%s.flushed", l.path);
    pid = fork();
    if (pid == 0)
        writer_until_cut(&l, flushed);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    snprintf(from, sizeof from, "%s/journal", l.path);
    copy(from, flushed);
    check_cut(&l, flushed);
    log_remove(flushed);
    log_fini(&l);
}

/* The checkpoint file is written over in place before the journal is: after a
 * power cut its name may stand for a group that never was. */
static void a_checkpoint_ahead_of_its_group_is_not_believed(void **state)
{
    struct buf text = BUF_INIT(1000), note = BUF_INIT(MERKLE_NOTE_MAX);
    struct merkle_checkpoint c = {.size = CUT_SIZE + 3, .root = {1}};
    char flushed[80];
    struct err err;
    struct log l;
    int status;
    pid_t pid;

    (void)state;
    log_init(&l);
    snprintf(flushed, sizeof flushed, "%s.flushed", l.path);
    pid = fork();
    if (pid == 0)
        writer_until_cut(&l, flushed);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    strcpy(c.origin, l.vkey.name);
    assert_int_equal(merkle_checkpoint_format(&c, &text), 0);
    assert_int_equal(
            merkle_note_sign(buf_span(&text), &l.vkey, l.key, &note, &err), 0);
    assert_int_equal(
            buf_store(buf_span(&note), l.dirfd, "checkpoint", 0644, &err), 0);
    check_cut(&l, l.path);
    buf_fini(&text);
    buf_fini(&note);
    log_remove(flushed);
    log_fini(&l);
}

/* A journal record that is damaged ends the journal: the group in it was
 * acknowledged, so a log that then shows less would be a lie. */
static void a_damaged_journal_does_not_hide_what_is_visible(void **state)
{
    char flushed[80], path[128];
    struct log l;
    int status, fd;
    pid_t pid;

    (void)state;
    log_init(&l);
    snprintf(flushed, sizeof flushed, "%s.flushed", l.path);
    pid = fork();
    if (pid == 0)
        writer_until_cut(&l, flushed);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    snprintf(path, sizeof path, "%s/journal", l.path);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, "X", 1, 100) == 1);
    close(fd);
    check_cut(&l, l.path);
    log_remove(flushed);
    log_fini(&l);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
            cmocka_unit_test(dying_before_any_call_loses_nothing),
            cmocka_unit_test(dying_in_the_middle_of_any_call_loses_nothing),
            cmocka_unit_test(an_error_of_any_call_loses_nothing),
            cmocka_unit_test(an_acknowledgement_comes_after_the_sync),
            cmocka_unit_test(a_hundred_kills_lose_nothing),
            cmocka_unit_test(a_power_cut_loses_nothing),
            cmocka_unit_test(a_checkpoint_ahead_of_its_group_is_not_believed),
            cmocka_unit_test(a_damaged_journal_does_not_hide_what_is_visible),
    };

    setvbuf(stdout, NULL, _IOLBF, 0); /* children do not print it again */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
