/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report of this guest by its processor (Linux, configfs-tsm): what is
 * written to inblob is signed and comes out of outblob.  Others of the same
 * entry could write in between, so the kernel counts writes: a report counts
 * only when the count is one higher than before the own write, from the first
 * byte read to the last.
 */
#include "keyd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define REPORT_DATA  64
#define REPORT_SIZE  1184 /* SEV-SNP firmware ABI, ATTESTATION_REPORT */
#define REPORT_TRIES 4
#define SMALL_MAX    64

static int read_file(
        int dir, const char *name, struct buf *ret, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    ssize_t n = 1;

    buf_reset(ret);
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, "%s", name);
    while (n != 0) {
        size_t room = ret->cap - ret->len;
        uint8_t *p = buf_reserve(ret, room ? room : 1);

        if (!p || room == 0)
            return err_set(err, ERR_LIMIT, "%s is too long", name);
        n = read(fd, p, room);
        if (n < 0 && errno != EINTR)
            return err_errno(err, "%s", name);
        if (n > 0)
            buf_commit(ret, (size_t)n);
    }
    return 0;
}

/* Without the line's end. */
static struct span line_of(const struct buf *b)
{
    size_t n = b->len;

    return SPAN(b->ptr, n > 0 && b->ptr[n - 1] == '\n' ? n - 1 : n);
}

static int read_count(int dir, uint64_t *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(SMALL_MAX);
    int r = read_file(dir, "generation", &text, err);

    if (r == 0 && !text_parse_u64(line_of(&text), ret))
        r = err_set(err, ERR_SYNTAX, "generation is no number");
    return r;
}

/* Whole, in one write: the kernel takes it when the file is closed. */
static int write_data(
        int dir, const uint8_t data[static REPORT_DATA], struct err *err)
{
    int fd = openat(dir, "inblob", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    int r;

    if (fd < 0)
        return err_errno(err, "inblob");
    r = buf_write_all(fd, SPAN(data, REPORT_DATA), err);
    if (close(fd) < 0 && r == 0)
        r = err_errno(err, "inblob");
    return r;
}

static int take_once(int dir, const uint8_t data[static REPORT_DATA],
        struct buf *report, struct buf *certs, bool *ret_whole, struct err *err)
{
    uint64_t before, after;
    int r = read_count(dir, &before, err);

    if (r == 0)
        r = write_data(dir, data, err);
    if (r == 0)
        r = read_file(dir, "outblob", report, err);
    if (r == 0 && faccessat(dir, "auxblob", F_OK, 0) == 0)
        r = read_file(dir, "auxblob", certs, err);
    if (r == 0)
        r = read_count(dir, &after, err);
    if (r == 0)
        *ret_whole = after == before + 1;
    return r;
}

/* Another kind of guest has no such report, unless its owner says it has. */
static int check_provider(
        struct keyd *k, int dir, bool *ret_is, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(SMALL_MAX);
    int r = read_file(dir, "provider", &text, err);

    if (r != 0)
        return r;
    *ret_is = span_eq_str(line_of(&text), "sev_guest");
    return *ret_is || !*k->conf->guest_report
                   ? 0
                   : err_set(err, ERR_UNSUPPORTED,
                             "not a guest of AMD SEV-SNP");
}

int keyd_report(struct keyd *k, const uint8_t binder[static CRYPTO_SHA256_SIZE],
        struct buf *report, struct buf *certs, struct err *err)
{
    uint8_t data[REPORT_DATA] = {0};
    int dir = role_handle(k->role, "report");
    bool whole = false, is_snp = false;
    int r;

    if (dir < 0)
        return 0;
    memcpy(data, binder, CRYPTO_SHA256_SIZE);
    r = check_provider(k, dir, &is_snp, err);
    if (r == 0 && !is_snp)
        return 0;
    for (int i = 0; i < REPORT_TRIES && r == 0 && !whole; i++)
        r = take_once(dir, data, report, certs, &whole, err);
    if (r == 0 && !whole)
        r = err_set(err, ERR_STATE, "somebody else has reports made there");
    if (r == 0 && report->len != REPORT_SIZE)
        r = err_set(err, ERR_SYNTAX, "a report of %zu bytes", report->len);
    return r == 0 ? 0 : err_prefix(err, r, "report of the guest");
}
