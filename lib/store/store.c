/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* A description of its own: the lock ends with this process, even when the
 * folder's descriptor is shared with the supervisor. */
static int store_lock(struct store *s, struct err *err)
{
    s->lock_fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock_fd < 0)
        return err_errno(err, "log: open folder");
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, ERR_EXISTS, "log: another process writes here");
    return err_errno(err, "log: lock");
}

static void store_free(struct store *s)
{
    for (int k = 0; k < STORE_KINDS; k++) {
        if (s->tails[k].fd >= 0)
            close(s->tails[k].fd);
    }
    if (s->journal_fd >= 0)
        close(s->journal_fd);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    buf_fini(&s->record);
    buf_fini(&s->note);
    free(s);
}

int store_open(int dirfd, const struct merkle_vkey *vkey,
        const struct crypto_key *key, size_t journal_size, struct store **ret,
        struct err *err)
{
    struct store *s = calloc(1, sizeof *s);
    int r;

    if (s == NULL)
        return err_set(err, ERR_MEMORY, "log: out of memory");
    s->dirfd = dirfd;
    s->lock_fd = s->journal_fd = -1;
    for (int k = 0; k < STORE_KINDS; k++)
        s->tails[k].fd = -1;
    s->record = BUF_INIT(STORE_GROUP_BYTES_MAX + MERKLE_NOTE_MAX);
    s->note = BUF_INIT(MERKLE_NOTE_MAX);
    s->vkey = *vkey;
    s->key = key;
    r = store_lock(s, err);
    if (r == 0)
        r = store_journal_open(s, journal_size, err);
    if (r == 0)
        r = store_recover(s, err);
    if (r < 0) {
        store_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    if (!s->failed && store_flush(s, NULL) == 0)
        store_journal_clear(s);
    store_free(s);
}

void store_close_ptr(struct store **s)
{
    store_close(*s);
}

static int store_check_group(const struct store *s, const struct span *entries,
        size_t n, struct err *err)
{
    size_t bytes = 0;

    if (s->failed)
        return err_set(err, ERR_STATE, "log: a write to disk failed before");
    if (n == 0 || n > STORE_GROUP_MAX)
        return err_set(err, ERR_LIMIT, "log: a group of %zu entries", n);
    if (s->head.size > MERKLE_SIZE_MAX - n)
        return err_set(err, ERR_LIMIT, "log: full");
    for (size_t i = 0; i < n; i++) {
        if (entries[i].len == 0 || entries[i].len > LIMIT_LOG_ENTRY_MAX)
            return err_set(err, ERR_LIMIT, "log: an entry of %zu bytes",
                    entries[i].len);
        bytes += entries[i].len;
    }
    if (bytes > store_group_bytes(s))
        return err_set(err, ERR_LIMIT, "log: a group of %zu bytes", bytes);
    return 0;
}

static int store_sign_head(
        const struct store *s, struct store_stage *g, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(1024);
    int r = merkle_checkpoint_format(&g->head, &text);

    if (r < 0)
        return err_set(err, r, "log: checkpoint cannot be written");
    return merkle_note_sign(buf_span(&text), &s->vkey, s->key, &g->note, err);
}

/*
 * The order is the promise (docs/proto/log.md, "Durability"):
 *   1. the journal record, and pieces and checkpoint under names that nobody
 *      reads; all of it can be taken back
 *   2. the journal's sync: from here on the group is in the log
 *   3. names, the checkpoint's last: visible
 */
static int store_commit(struct store *s, struct store_stage *g,
        const struct span *entries, size_t n, struct err *err)
{
    int r = store_sign_head(s, g, err);

    if (r == 0)
        r = store_journal_encode(s, g, entries, n, err);
    if (r == 0 && !store_journal_has_room(s))
        r = store_flush(s, err);
    if (r < 0)
        return r;
    r = store_journal_write(s, err);
    if (r == 0)
        r = store_stage_write(s, g, err);
    if (r < 0) {
        if (store_journal_cancel(s, NULL) < 0)
            s->failed = true;
        return r;
    }
    r = store_journal_sync(s, err);
    if (r == 0)
        r = store_stage_publish(s, g, err);
    if (r < 0)
        s->failed = true;
    return r;
}

int store_append(
        struct store *s, const struct span *entries, size_t n, struct err *err)
{
    struct store_stage g;
    int r = store_check_group(s, entries, n, err);

    if (r < 0)
        return r;
    r = store_stage_entries(s, entries, n, &g, err);
    if (r == 0)
        r = store_commit(s, &g, entries, n, err);
    store_stage_fini(&g);
    return r;
}

/* The last tile of a kind in a tree of size. */
static uint64_t last_tile(int kind, uint64_t size)
{
    unsigned level = kind == 0 ? 0 : (unsigned)STORE_LEVEL(kind);

    return (size >> (MERKLE_TILE_HEIGHT * level)) / MERKLE_TILE_WIDTH;
}

/* Every tile that changed since the last flush, of one kind. */
static int flush_kind(
        struct store *s, int kind, struct store_sync *sync, struct err *err)
{
    uint64_t last = last_tile(kind, s->head.size);
    char path[MERKLE_PATH_SIZE];

    for (uint64_t n = last_tile(kind, s->flushed); n <= last; n++) {
        unsigned width = merkle_tile_width(STORE_LEVEL(kind), n, s->head.size);
        int r;

        if (width == 0)
            break;
        if (width == merkle_tile_width(STORE_LEVEL(kind), n, s->flushed))
            continue;
        merkle_tile_path(STORE_LEVEL(kind), n, width, path);
        r = store_file_sync(sync, path, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int store_flush(struct store *s, struct err *err)
{
    struct store_sync sync = {.dirfd = s->dirfd};
    int r = 0;

    if (s->failed)
        return err_set(err, ERR_STATE, "log: a write to disk failed before");
    if (!store_needs_flush(s)) {
        s->journal_at = 0;
        return 0;
    }
    for (int k = 0; k < STORE_KINDS && r == 0; k++)
        r = flush_kind(s, k, &sync, err);
    if (r == 0)
        r = store_file_sync(&sync, "checkpoint", err);
    if (r == 0 && buf_fsync(s->dirfd) < 0)
        r = err_errno(err, "log: fsync folder");
    if (r < 0) {
        s->failed = true;
        return r;
    }
    s->flushed = s->head.size;
    s->journal_at = 0;
    return 0;
}

bool store_needs_flush(const struct store *s)
{
    return s->flushed != s->head.size;
}

bool store_failed(const struct store *s)
{
    return s->failed;
}

const struct merkle_checkpoint *store_head(const struct store *s)
{
    return &s->head;
}

struct span store_head_note(const struct store *s)
{
    return buf_span(&s->note);
}

int store_prove(
        struct store *s, uint64_t index, struct buf *ret, struct err *err)
{
    struct store_hashes hashes;
    struct merkle_source src = store_hashes_init(&hashes, s->dirfd, s->tails);
    struct merkle_tlog_proof p = {
            .index = index, .checkpoint = store_head_note(s)};
    int r = merkle_inclusion_prove(&src, index, s->head.size, &p.proof);

    store_hashes_fini(&hashes);
    if (r == 0)
        r = merkle_tlog_proof_format(&p, ret);
    return r == 0 ? 0
                  : err_set(err, r, "log: no proof of entry %llu",
                            (unsigned long long)index);
}
