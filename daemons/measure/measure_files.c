/* SPDX-License-Identifier: Apache-2.0 */
#include "measure_files.h"

#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int put_event(const char *kind, const char *prefix, struct span name,
        const uint8_t sha256[static CRYPTO_SHA256_SIZE], uint64_t size,
        const struct measure_sink *sink, struct err *err)
{
    char full[EVIDENCE_EVENT_NAME_MAX + 1];
    struct evidence_event e = {.kind = span_str(kind), .size = size};
    int n;

    n = snprintf(full, sizeof full, "%s%.*s", prefix, (int)name.len,
            (const char *)name.ptr);
    if (n < 0 || (size_t)n >= sizeof full)
        return err_set(err, ERR_LIMIT, "%.60s...: name too long", full);
    e.name = SPAN(full, (size_t)n);
    memcpy(e.sha256, sha256, sizeof e.sha256);
    return sink->event(sink->ctx, &e, err);
}

int measure_bundle(struct span bundle, const char *kind, const char *prefix,
        const struct measure_sink *sink, struct err *err)
{
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file f;
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    int r = 0;

    while (r == 0 && bundle_next(&it, &f)) {
        crypto_sha256(f.content, sha256);
        r = put_event(kind, prefix, f.name, sha256, f.content.len, sink, err);
    }
    return r;
}

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

static int measure_file(int dirfd, const char *name, const char *kind,
        const char *prefix, const struct measure_sink *sink, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    uint8_t sha256[CRYPTO_SHA256_SIZE];
    struct stat st;
    uint64_t size = 0;
    int r;

    /* O_NONBLOCK: a FIFO must not hold up the start */
    fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "%s%s", prefix, name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_UNSUPPORTED,
                "%s%s is not a file and cannot be measured: remove it", prefix,
                name);
    r = hash_fd(fd, sha256, &size, err);
    if (r != 0)
        return err_prefix(err, r, "%s%s", prefix, name);
    return put_event(kind, prefix, span_str(name), sha256, size, sink, err);
}

bool measure_program_name(const char *name)
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

struct listing {
    struct names *names;
    bool (*wanted)(const char *name);
};

static int list_entry(int dirfd, const char *name, void *ctx, struct err *err)
{
    const struct listing *l = ctx;

    (void)dirfd;
    return l->wanted(name) ? names_add(l->names, name, err) : 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int measure_folder(int dirfd, const char *kind, const char *prefix,
        bool (*wanted)(const char *name), const struct measure_sink *sink,
        struct err *err)
{
    CLEANUP(names_fini) struct names names = {.n = 0};
    struct listing l = {&names, wanted};
    int r = buf_each_entry(dirfd, list_entry, &l, err);

    if (r != 0)
        return err_prefix(err, r, "%s", prefix);
    if (names.n > 1)
        qsort(names.name, names.n, sizeof *names.name, by_bytes);
    for (size_t i = 0; i < names.n && r == 0; i++)
        r = measure_file(dirfd, names.name[i], kind, prefix, sink, err);
    return r;
}
