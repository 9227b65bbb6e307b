/* SPDX-License-Identifier: Apache-2.0 */
#include "measure_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAMS "programs" /* in the log, wherever the folder is */

static int hash_fd(int fd, uint8_t ret[static CRYPTO_SHA256_SIZE],
        uint64_t *ret_size, struct err *err)
{
    CLEANUP(crypto_hasher_free_ptr)
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);
    static uint8_t part[65536];
    uint64_t size = 0;
    ssize_t n;

    if (!h)
        return err_set(err, ERR_MEMORY, "no memory to hash");
    while ((n = read(fd, part, sizeof part)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read");
        crypto_hasher_update(h, SPAN(part, (size_t)n));
        size += (uint64_t)n;
    }
    crypto_hasher_final(h, ret);
    *ret_size = size;
    return 0;
}

static int measure_file(
        int dirfd, const char *name, struct buf *log, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    struct stat st;
    uint64_t size = 0;
    int r;

    /* O_NONBLOCK: a FIFO must not hold up the start */
    fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, PROGRAMS "/%s", name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_UNSUPPORTED,
                PROGRAMS "/%s is not a file and cannot be measured: remove it",
                name);
    r = hash_fd(fd, sha256, &size, err);
    if (r != 0)
        return err_prefix(err, r, PROGRAMS "/%s", name);
    return evidence_events_add_file(
            log, "program", PROGRAMS, span_str(name), sha256, size, err);
}

/* What qaird and the agent start: a build folder holds other files too. */
static bool is_program(const char *name)
{
    static const char *const exact[] = {"qair", "qaird", "qrexec-client-vm"};
    size_t len = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(exact); i++)
        if (strcmp(name, exact[i]) == 0)
            return true;
    /* meson keeps the objects of a program in NAME.p */
    return strncmp(name, "qair-", 5) == 0 &&
           !(len > 2 && strcmp(name + len - 2, ".p") == 0);
}

struct names {
    char **name;
    size_t n, size;
};

static void names_fini(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->name[i]);
    free(s->name);
}

static int names_add(struct names *s, const char *name, struct err *err)
{
    char **more;

    if (s->n == EVIDENCE_EVENTS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files to measure",
                EVIDENCE_EVENTS_MAX);
    if (s->n == s->size) {
        more = reallocarray(s->name, s->size + 64, sizeof *more);
        if (!more)
            return err_set(err, ERR_MEMORY, "no memory for names");
        s->name = more;
        s->size += 64;
    }
    s->name[s->n] = strdup(name);
    if (!s->name[s->n])
        return err_set(err, ERR_MEMORY, "no memory for names");
    s->n++;
    return 0;
}

static int list_entry(int dirfd, const char *name, void *ctx, struct err *err)
{
    struct names *names = ctx;

    (void)dirfd;
    return is_program(name) ? names_add(names, name, err) : 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int measure_programs(int dirfd, struct buf *log, struct err *err)
{
    CLEANUP(names_fini) struct names names = {.n = 0};
    int r = buf_each_entry(dirfd, list_entry, &names, err);

    if (r != 0)
        return err_prefix(err, r, PROGRAMS);
    if (names.n > 1)
        qsort(names.name, names.n, sizeof *names.name, by_bytes);
    for (size_t i = 0; i < names.n && r == 0; i++)
        r = measure_file(dirfd, names.name[i], log, err);
    return r;
}
