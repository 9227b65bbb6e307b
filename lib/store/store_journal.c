/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: a file of fixed size that is written over in place, so that a
 * sync moves data alone and never waits for the file system's own journal.
 *
 * A record begins at a multiple of 4096 bytes, so that writing it never
 * touches a page of the record before it:
 *
 *     "qairjnl1"  u64be first  u32be count  u32be body length
 *     u32be note length  32 bytes SHA-256: see below
 *     body (entries as in a bundle)  note (the signed checkpoint)
 *
 * The hash is over the 28 bytes before it, the leaf hash of each entry, and
 * the note: the leaf hashes are there anyway, and the entries are hashed once.
 *
 * A record belongs to those before it when it starts where they end; what an
 * earlier round left behind starts lower and is not taken for more.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_ALIGN  4096
#define RECORD_HEADER 60
#define RECORD_SUM_AT 28

static const char record_magic[8] = "qairjnl1";

static size_t record_round(size_t n)
{
    return (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

size_t store_group_bytes(const struct store *s)
{
    size_t fits = s->journal_size - RECORD_HEADER - 4096 -
                  2 * (size_t)STORE_GROUP_MAX;

    return fits < STORE_GROUP_BYTES_MAX ? fits : STORE_GROUP_BYTES_MAX;
}

/* Zeros that are really there: a hole would be allocated by the first write,
 * and that can fail. */
static int journal_make(struct store *s, size_t size, struct err *err)
{
    static const uint8_t zeros[65536];

    for (size_t at = 0; at < size; at += sizeof zeros) {
        int r = buf_write_all(s->journal_fd, SPAN_OF(zeros), err);

        if (r < 0)
            return r;
    }
    if (buf_fsync(s->journal_fd) < 0)
        return err_errno(err, "log: fsync journal.new");
    if (renameat(s->dirfd, "journal.new", s->dirfd, "journal") < 0 ||
            buf_fsync(s->dirfd) < 0)
        return err_errno(err, "log: rename journal.new");
    return 0;
}

int store_journal_open(struct store *s, size_t size, struct err *err)
{
    struct stat st;
    int fd = openat(s->dirfd, "journal", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0) {
        s->journal_fd = fd;
        if (fstat(fd, &st) < 0)
            return err_errno(err, "log: stat journal");
        if (!S_ISREG(st.st_mode) || st.st_size < STORE_JOURNAL_MIN ||
                st.st_size > (1 << 30))
            return err_set(err, ERR_MISMATCH, "log: journal of a wrong size");
        s->journal_size = (size_t)st.st_size;
        return 0;
    }
    if (errno != ENOENT)
        return err_errno(err, "log: open journal");
    size = size == 0 ? STORE_JOURNAL_DEFAULT : size;
    size = size < STORE_JOURNAL_MIN ? STORE_JOURNAL_MIN : size;
    size = (size + 65535) / 65536 * 65536;
    fd = openat(s->dirfd, "journal.new",
            O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(err, "log: create journal.new");
    s->journal_fd = fd;
    s->journal_size = size;
    return journal_make(s, size, err);
}

static void record_sum(struct span header, const struct span *leaves, size_t n,
        struct span note, uint8_t ret[static 32])
{
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);

    if (h == NULL) {
        memset(ret, 0, 32); /* the hash of nothing */
        return;
    }
    crypto_hasher_update(h, header);
    for (size_t i = 0; i < n; i++)
        crypto_hasher_update(h, leaves[i]);
    crypto_hasher_update(h, note);
    crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
}

/* The group's leaf hashes are what it adds to level 0. */
static size_t stage_leaves(const struct store_stage *g, struct span *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n; i++) {
        if (STORE_LEVEL(g->pieces[i].kind) == 0)
            ret[n++] = buf_span(&g->pieces[i].bytes);
    }
    return n;
}

int store_journal_encode(struct store *s, const struct store_stage *g,
        const struct span *entries, size_t n, struct err *err)
{
    struct span leaves[STORE_PIECES_MAX], note = buf_span(&g->note);
    struct buf *b = &s->record;
    struct wire_writer w;
    uint8_t *header;
    size_t body;

    buf_reset(b);
    header = buf_reserve(b, RECORD_HEADER);
    if (header == NULL)
        return buf_ok(b, err);
    memset(header, 0, RECORD_HEADER);
    buf_commit(b, RECORD_HEADER);
    for (size_t i = 0; i < n; i++) {
        int r = merkle_bundle_put(b, entries[i]);

        if (r < 0)
            return err_set(err, r, "log: entry of %zu bytes", entries[i].len);
    }
    body = b->len - RECORD_HEADER;
    buf_append(b, note);
    if (buf_ok(b, err) < 0)
        return b->error;
    w = wire_writer_of(b->ptr, RECORD_SUM_AT);
    wire_put_bytes(&w, (const uint8_t *)record_magic, sizeof record_magic);
    wire_put_u64be(&w, s->head.size);
    wire_put_u32be(&w, (uint32_t)n);
    wire_put_u32be(&w, (uint32_t)body);
    wire_put_u32be(&w, (uint32_t)note.len);
    record_sum(SPAN(b->ptr, RECORD_SUM_AT), leaves, stage_leaves(g, leaves),
            note, b->ptr + RECORD_SUM_AT);
    if (record_round(b->len) > s->journal_size)
        return err_set(err, ERR_LIMIT, "log: a group of %zu bytes", b->len);
    return 0;
}

bool store_journal_has_room(const struct store *s)
{
    return s->journal_at + record_round(s->record.len) <= s->journal_size;
}

int store_journal_write(struct store *s, struct err *err)
{
    int r = store_file_write_at(
            s->journal_fd, buf_span(&s->record), s->journal_at, err);

    /* The disk works on it while the pieces are written. */
    if (r == 0)
        (void)sync_file_range(s->journal_fd, (off_t)s->journal_at,
                (off_t)s->record.len, SYNC_FILE_RANGE_WRITE);
    return r;
}

int store_journal_sync(struct store *s, struct err *err)
{
    if (buf_fdatasync(s->journal_fd) < 0)
        return err_errno(err, "log: fdatasync journal");
    s->journal_at += record_round(s->record.len);
    return 0;
}

static const uint8_t no_header[RECORD_HEADER];

int store_journal_cancel(struct store *s, struct err *err)
{
    int r = store_file_write_at(
            s->journal_fd, SPAN_OF(no_header), s->journal_at, err);

    if (r == 0 && buf_fdatasync(s->journal_fd) < 0)
        r = err_errno(err, "log: fdatasync journal");
    return r;
}

void store_journal_clear(struct store *s)
{
    if (store_file_write_at(s->journal_fd, SPAN_OF(no_header), 0, NULL) == 0)
        (void)!buf_fdatasync(s->journal_fd);
    s->journal_at = 0;
}

/* Hashes the entries again; false when they are not count entries. */
static bool record_is_whole(
        const struct store_record *rec, struct span header, struct span sum)
{
    uint8_t leaf[STORE_GROUP_MAX][MERKLE_HASH];
    struct wire_reader r = wire_reader_of(rec->body);
    uint8_t want[32];
    struct span entry, leaves;

    for (uint32_t i = 0; i < rec->count; i++) {
        if (!merkle_bundle_get(&r, &entry))
            return false;
        merkle_leaf(entry, leaf[i]);
    }
    leaves = SPAN(leaf, (size_t)rec->count * MERKLE_HASH);
    record_sum(header, &leaves, 1, rec->note, want);
    return wire_end(&r) && span_eq(SPAN_OF(want), sum);
}

bool store_journal_next(
        struct span journal, size_t at, struct store_record *ret)
{
    struct store_record rec;
    struct wire_reader r;
    struct span magic, sum;
    uint32_t body, note;

    if (at > journal.len)
        return false;
    r = wire_reader_of(SPAN(journal.ptr + at, journal.len - at));
    if (!wire_get_span(&r, sizeof record_magic, &magic) ||
            memcmp(magic.ptr, record_magic, sizeof record_magic) != 0 ||
            !wire_get_u64be(&r, &rec.first) ||
            !wire_get_u32be(&r, &rec.count) || !wire_get_u32be(&r, &body) ||
            !wire_get_u32be(&r, &note) || !wire_get_span(&r, 32, &sum) ||
            !wire_get_span(&r, body, &rec.body) ||
            !wire_get_span(&r, note, &rec.note))
        return false;
    if (rec.count == 0 || rec.count > STORE_GROUP_MAX ||
            rec.first > MERKLE_SIZE_MAX ||
            !record_is_whole(&rec, SPAN(magic.ptr, RECORD_SUM_AT), sum))
        return false;
    rec.size = record_round(RECORD_HEADER + (size_t)body + note);
    *ret = rec;
    return true;
}
