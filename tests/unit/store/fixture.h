/* SPDX-License-Identifier: Apache-2.0 */
/* A log in a private folder, with entries that can be told by their index. */
#ifndef QAIR_TEST_STORE_FIXTURE_H
#define QAIR_TEST_STORE_FIXTURE_H

#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct log {
    char path[64];
    int dirfd;
    struct crypto_key *key;
    struct merkle_vkey vkey;
};

static inline void log_die(const char *what)
{
    perror(what);
    abort();
}

static inline void log_key(struct log *l, uint8_t byte)
{
    uint8_t seed[32], raw[32];
    size_t len;

    memset(seed, byte, sizeof seed);
    l->key = crypto_key_ed25519(seed);
    if (l->key == NULL ||
            crypto_pub_raw(crypto_key_pub(l->key), raw, sizeof raw, &len) < 0 ||
            merkle_vkey_make("qair/test/log", raw, &l->vkey) < 0)
        abort();
}

/* Under TMPDIR or /tmp. */
static inline void log_init(struct log *l)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(l->path, sizeof l->path, "%.30s/qair-store-XXXXXX",
            tmp != NULL && strlen(tmp) <= 30 ? tmp : "/tmp");
    if (mkdtemp(l->path) == NULL)
        log_die("mkdtemp");
    l->dirfd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->dirfd < 0)
        log_die("open");
    log_key(l, 1);
}

static inline void log_remove(const char *path)
{
    char cmd[128];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", path);
    if (system(cmd) != 0)
        log_die("rm");
}

static inline void log_fini(struct log *l)
{
    close(l->dirfd);
    crypto_key_free(l->key);
    log_remove(l->path);
}

#define LOG_ENTRY_BYTES 3000
/* Entries are shorter than this; a test may change it before it begins. */
static size_t log_entry_max = 900;

/* Entry i of every test log: its contents follow from i. */
static inline struct span log_entry(uint64_t i, uint8_t buf[LOG_ENTRY_BYTES])
{
    size_t len = 20 + (size_t)((i * 2654435761u) % (log_entry_max - 20));
    int n;

    memset(buf, 'a' + (int)(i % 26), LOG_ENTRY_BYTES);
    n = snprintf((char *)buf, 20, "%llu", (unsigned long long)i);
    buf[n] = ' ';
    return SPAN(buf, len);
}

static inline int log_append(struct store *s, size_t n, struct err *err)
{
    static uint8_t bytes[STORE_GROUP_MAX][LOG_ENTRY_BYTES];
    struct span entries[STORE_GROUP_MAX];

    for (size_t i = 0; i < n; i++)
        entries[i] = log_entry(store_head(s)->size + i, bytes[i]);
    return store_append(s, entries, n, err);
}

/* Group sizes and the like: repeatable. */
static inline uint32_t log_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static inline int log_same_entry(
        void *arg, uint64_t index, struct span entry, struct err *err)
{
    uint8_t want[LOG_ENTRY_BYTES];

    (void)arg;
    if (!span_eq(entry, log_entry(index, want)))
        return err_set(err, ERR_MISMATCH, "entry %llu is another one",
                (unsigned long long)index);
    return 0;
}

/* The whole log verifies and holds what was put in; its size. */
static inline int log_verify(
        const struct log *l, uint64_t *ret_size, struct err *err)
{
    struct store_reader r;
    int e = store_reader_open(l->dirfd, &l->vkey, &r, err);

    if (e < 0)
        return e;
    e = store_reader_verify(&r, log_same_entry, NULL, err);
    *ret_size = r.head.size;
    store_reader_fini(&r);
    return e;
}

#endif
