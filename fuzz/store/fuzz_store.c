/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal and the files of a log after somebody wrote into them: whatever
 * is there, opening the log refuses it or leaves one that verifies.
 *
 * Input: u8 which file, u32be offset, bytes to put there.
 */
#include "store.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES 300

static const char *const files[] = {"journal", "checkpoint", "tile/entries/000",
        "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44",
        "tile/1/000.p/1"};

static struct crypto_key *key;
static struct merkle_vkey vkey;

static const char *const folders[] = {"tile", "tile/entries",
        "tile/entries/001.p", "tile/0", "tile/0/001.p", "tile/1",
        "tile/1/000.p"};

/* The log of the template, byte for byte. */
static struct buf contents[ARRAY_LEN(files)];

static int remove_one(
        const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_folder(const char *dir)
{
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
}

static void write_log(const char *dir)
{
    int fd;

    if (mkdir(dir, 0700) < 0)
        abort();
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if (mkdirat(fd, folders[i], 0700) < 0)
            abort();
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        int out = openat(
                fd, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (out < 0 || buf_write_all(out, buf_span(&contents[i]), NULL) < 0)
            abort();
        close(out);
    }
    close(fd);
}

/* A log whose journal holds its last groups, as after a kill. */
static void make_log(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct span one[ENTRIES / 3];
    struct store *s;

    if (fd < 0 || store_open(fd, &vkey, key, STORE_JOURNAL_MIN, &s, NULL) < 0)
        abort();
    for (size_t i = 0; i < ARRAY_LEN(one); i++)
        one[i] = span_str("an entry");
    for (int i = 0; i < 3; i++) {
        if (store_append(s, one, ARRAY_LEN(one), NULL) < 0 ||
                (i == 0 && store_flush(s, NULL) < 0))
            abort();
    }
    _exit(0); /* and no store_close */
}

static char run_dir[64];

/* Once: a writer that is gone without closing, and what it left. */
static void load_template(void)
{
    static const uint8_t seed[32] = {1};
    char dir[64] = "/tmp/qair-fuzz-store-XXXXXX";
    uint8_t raw[32];
    size_t len;
    int status, fd;
    pid_t pid;

    key = crypto_key_ed25519(seed);
    if (key == NULL || mkdtemp(dir) == NULL ||
            crypto_pub_raw(crypto_key_pub(key), raw, sizeof raw, &len) < 0 ||
            merkle_vkey_make("qair/fuzz/log", raw, &vkey) < 0)
        abort();
    pid = fork();
    if (pid == 0)
        make_log(dir);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        abort();
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        contents[i] = BUF_INIT(STORE_JOURNAL_MIN);
        if (buf_load(&contents[i], fd, files[i], NULL) < 0)
            abort();
    }
    close(fd);
    remove_folder(dir);
    snprintf(run_dir, sizeof run_dir, "%s", dir);
}

static void damage(const char *dir, const uint8_t *data, size_t size)
{
    struct wire_reader r = wire_reader_of(SPAN(data, size));
    char path[256];
    uint32_t at;
    uint8_t which;
    int fd;

    if (!wire_get_u8(&r, &which) || !wire_get_u32be(&r, &at))
        return;
    snprintf(path, sizeof path, "%s/%s", dir, files[which % ARRAY_LEN(files)]);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || pwrite(fd, r.ptr, r.left, (off_t)(at % 300000)) < 0)
        abort();
    close(fd);
}

static void check(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct span entry = span_str("next");
    struct store_reader r;
    struct store *s;

    if (fd < 0)
        abort();
    if (store_open(fd, &vkey, key, 0, &s, NULL) == 0) {
        /* the old tiles are read when they are asked for: damage there is the
         * reader's to find, and the writer goes on */
        if (store_append(s, &entry, 1, NULL) < 0)
            abort();
        store_close(s);
        if (store_reader_open(fd, &vkey, &r, NULL) < 0)
            abort();
        (void)!store_reader_verify(&r, NULL, NULL, NULL);
        store_reader_fini(&r);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (run_dir[0] == '\0')
        load_template();
    write_log(run_dir);
    damage(run_dir, data, size);
    check(run_dir);
    remove_folder(run_dir);
    return 0;
}
