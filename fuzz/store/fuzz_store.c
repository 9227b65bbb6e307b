/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal and the files of a log after somebody wrote into them: whatever
 * is there, opening the log refuses it or leaves one that verifies.
 *
 * Input: u8 which file, u32be offset, bytes to put there.
 */
#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES 300

static const char *const files[] = {"journal", "checkpoint", "tile/entries/000",
        "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44",
        "tile/1/000.p/1"};

static struct crypto_key *key;
static struct merkle_vkey vkey;

static int run(const char *cmd)
{
    return system(cmd) == 0 ? 0 : -1;
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

static char template_dir[64];

static void remove_template(void)
{
    char cmd[128];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", template_dir);
    (void)run(cmd);
    crypto_key_free(key);
}

static const char *template_log(void)
{
    char *dir = template_dir;
    static const uint8_t seed[32] = {1};
    uint8_t raw[32];
    size_t len;
    int status;
    pid_t pid;

    if (dir[0] != '\0')
        return dir;
    key = crypto_key_ed25519(seed);
    snprintf(dir, sizeof template_dir, "/tmp/qair-fuzz-store-XXXXXX");
    if (key == NULL || mkdtemp(dir) == NULL ||
            crypto_pub_raw(crypto_key_pub(key), raw, sizeof raw, &len) < 0 ||
            merkle_vkey_make("qair/fuzz/log", raw, &vkey) < 0)
        abort();
    pid = fork();
    if (pid == 0)
        make_log(dir);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        abort();
    (void)atexit(remove_template);
    return dir;
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
    const char *from = template_log();
    char dir[80], cmd[256];

    snprintf(dir, sizeof dir, "%s.run", from);
    snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -a '%s' '%s'", dir, from, dir);
    if (run(cmd) < 0)
        abort();
    damage(dir, data, size);
    check(dir);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    return run(cmd) < 0 ? 1 : 0;
}
