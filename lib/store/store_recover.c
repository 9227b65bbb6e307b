/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log is after a crash.  Two witnesses: the checkpoint file, and the
 * journal, whose records carry the checkpoint that each of them made.
 *
 *   journal holds records up to a size that the checkpoint does not exceed:
 *       start from the tree before the first record (it was flushed before
 *       that record was written) and do the records again
 *   otherwise:
 *       the tree of the checkpoint, which was flushed
 *
 * Either way the tree must lead to a root that the log key signed, before
 * anything is changed.  Bytes in tiles that belong to neither are of a group
 * that was never acknowledged, and are cut off.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_MAX                                                             \
    ((size_t)MERKLE_TILE_WIDTH * (LIMIT_LOG_ENTRY_MAX + (size_t)2))

static int remove_entry(int dirfd, const char *name, void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    (void)unlinkat(dirfd, name, 0); /* what stays is written over */
    return 0;
}

static int clean_tmp(struct store *s, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    int r;

    if (mkdirat(s->dirfd, "tmp", 0755) < 0 && errno != EEXIST)
        return err_errno(err, "log: mkdir tmp");
    fd = openat(
            s->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    r = fd < 0 ? err_errno(err, "open")
               : buf_each_entry(fd, remove_entry, NULL, err);
    return r ? err_prefix(err, r, "log: tmp") : 0;
}

/* ---- the tree before the journal -------------------------------------- */

/* Length of the first width entries; ERR_MISMATCH when they are not there.
 * Each must have the leaf hash that the level 0 tile holds. */
static int bundle_prefix(const struct store *s, struct span bundle,
        unsigned width, size_t *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(bundle);
    uint8_t leaf[MERKLE_HASH];
    struct span entry;

    for (unsigned i = 0; i < width; i++) {
        if (!merkle_bundle_get(&r, &entry))
            return err_set(err, ERR_MISMATCH, "log: entry %llu is cut off",
                    (unsigned long long)(s->tails[0].n * MERKLE_TILE_WIDTH +
                                         i));
        merkle_leaf(entry, leaf);
        if (memcmp(leaf, s->tails[1].hash + i * MERKLE_HASH, sizeof leaf) != 0)
            return err_set(err, ERR_MISMATCH,
                    "log: entry %llu is not what its tile says",
                    (unsigned long long)(s->tails[0].n * MERKLE_TILE_WIDTH +
                                         i));
    }
    *ret = bundle.len - r.left;
    return 0;
}

static int load_tail(struct store *s, int kind, uint64_t size, struct err *err)
{
    CLEANUP(buf_fini)
    struct buf bytes = BUF_INIT(kind == 0 ? BUNDLE_MAX : MERKLE_TILE_BYTES);
    struct store_tail *t = &s->tails[kind];
    unsigned shift = kind == 0 ? 0 : MERKLE_TILE_HEIGHT * (unsigned)(kind - 1);
    char path[MERKLE_PATH_SIZE];
    int r;

    t->n = (size >> shift) / MERKLE_TILE_WIDTH;
    t->width = (unsigned)((size >> shift) % MERKLE_TILE_WIDTH);
    if (t->width == 0)
        return 0;
    r = store_file_find(s->dirfd, STORE_LEVEL(kind), t->n, t->width, O_RDWR,
            &t->fd, path, err);
    if (r == 0)
        r = store_file_read(t->fd, bytes.cap, &bytes, err);
    if (r < 0)
        return r;
    t->len = (size_t)t->width * MERKLE_HASH;
    if (kind == 0)
        return bundle_prefix(s, buf_span(&bytes), t->width, &t->len, err);
    if (bytes.len < t->len)
        return err_set(err, ERR_MISMATCH, "log: %s is cut off", path);
    memcpy(t->hash, bytes.ptr, t->len);
    return 0;
}

/* Reads; changes nothing on disk. */
static int load_base(struct store *s, uint64_t size, struct err *err)
{
    struct store_hashes hashes;
    struct merkle_source src;
    int r = 0;

    for (int k = STORE_KINDS - 1; k >= 0 && r == 0; k--)
        r = load_tail(s, k, size, err);
    if (r < 0)
        return r;
    src = store_hashes_init(&hashes, s->dirfd, s->tails);
    r = merkle_edge_load(&src, size, &s->edge);
    store_hashes_fini(&hashes);
    if (r < 0)
        return err_set(err, r, "log: a tile of the tree of %llu is missing",
                (unsigned long long)size);
    s->flushed = size;
    return 0;
}

/* Gives each tail the length and the name of the base. */
static int trim_base(struct store *s, struct err *err)
{
    for (int k = 0; k < STORE_KINDS; k++) {
        const struct store_tail *t = &s->tails[k];
        char want[MERKLE_PATH_SIZE], have[MERKLE_PATH_SIZE];
        int fd, r;

        if (t->width == 0)
            continue;
        if (ftruncate(t->fd, (off_t)t->len) < 0)
            return err_errno(err, "log: truncate");
        r = store_file_find(s->dirfd, STORE_LEVEL(k), t->n, t->width, O_RDONLY,
                &fd, have, err);
        if (r < 0)
            return r;
        close(fd);
        merkle_tile_path(STORE_LEVEL(k), t->n, t->width, want);
        if (strcmp(have, want) == 0)
            continue;
        r = store_file_mkdirs(s->dirfd, want, err);
        if (r == 0 && renameat(s->dirfd, have, s->dirfd, want) < 0)
            r = err_errno(err, "log: rename %s", have);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- doing the journal again ------------------------------------------ */

static int record_entries(const struct store_record *rec, struct span *ret)
{
    struct wire_reader r = wire_reader_of(rec->body);

    for (uint32_t i = 0; i < rec->count; i++) {
        if (!merkle_bundle_get(&r, &ret[i]))
            return ERR_SYNTAX;
    }
    return wire_end(&r) ? 0 : ERR_SYNTAX;
}

static int record_checkpoint(const struct store *s,
        const struct store_record *rec, struct merkle_checkpoint *ret,
        struct err *err)
{
    int r = merkle_checkpoint_open(rec->note, &s->vkey, ret, err);

    if (r < 0)
        return err_prefix(err, r, "log: journal");
    if (ret->size != rec->first + rec->count)
        return err_set(err, ERR_MISMATCH, "log: journal: wrong size");
    return 0;
}

static int replay_record(struct store *s, const struct store_record *rec,
        bool trim, struct err *err)
{
    struct span entries[STORE_GROUP_MAX];
    struct merkle_checkpoint c;
    struct store_stage g;
    int r = record_checkpoint(s, rec, &c, err);

    if (r == 0 && record_entries(rec, entries) < 0)
        r = err_set(err, ERR_MISMATCH, "log: journal: bad entries");
    if (r < 0)
        return r;
    r = store_stage_entries(s, entries, rec->count, &g, err);
    if (r == 0 && memcmp(g.head.root, c.root, sizeof c.root) != 0)
        r = err_set(err, ERR_MISMATCH,
                "log: journal and tree do not lead to the signed root of %llu",
                (unsigned long long)c.size);
    buf_append(&g.note, rec->note);
    if (r == 0)
        r = buf_ok(&g.note, err);
    if (r == 0 && trim)
        r = trim_base(s, err);
    if (r == 0)
        r = store_stage_write(s, &g, err);
    if (r == 0)
        r = store_stage_publish(s, &g, err);
    store_stage_fini(&g);
    return r;
}

static int replay(struct store *s, struct span journal, struct err *err)
{
    struct store_record rec;
    size_t at = 0;

    while (store_journal_next(journal, at, &rec) &&
            (at == 0 || rec.first == s->head.size)) {
        int r;

        if (at == 0) {
            r = load_base(s, rec.first, err);
            if (r < 0)
                return r;
            s->head.size = rec.first;
        }
        r = replay_record(s, &rec, at == 0, err);
        if (r < 0)
            return r;
        at += rec.size;
    }
    return store_flush(s, err);
}

/* Where the chain of records ends; 0: there is none. */
static uint64_t journal_end(struct span journal)
{
    struct store_record rec;
    uint64_t end = 0;

    for (size_t at = 0; store_journal_next(journal, at, &rec) &&
                        (at == 0 || rec.first == end);
            at += rec.size)
        end = rec.first + rec.count;
    return end;
}

/* ---- deciding ---------------------------------------------------------- */

static int make_empty(struct store *s, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(1024);
    int r;

    merkle_edge_root(&s->edge, s->head.root);
    r = merkle_checkpoint_format(&s->head, &text);
    if (r == 0)
        r = merkle_note_sign(buf_span(&text), &s->vkey, s->key, &s->note, err);
    if (r < 0)
        return r;
    return buf_store(buf_span(&s->note), s->dirfd, "checkpoint", 0644, err);
}

static void drop_base(struct store *s)
{
    for (int k = 0; k < STORE_KINDS; k++) {
        if (s->tails[k].fd >= 0)
            close(s->tails[k].fd);
        s->tails[k] = (struct store_tail){.fd = -1};
    }
    s->edge = MERKLE_EDGE_EMPTY;
}

/* Is the whole tree of that checkpoint there?  Reads; changes nothing. */
static int check_checkpoint(
        struct store *s, const struct merkle_checkpoint *c, struct err *err)
{
    uint8_t root[MERKLE_HASH];
    int r = load_base(s, c->size, err);

    if (r < 0)
        return r;
    merkle_edge_root(&s->edge, root);
    if (memcmp(root, c->root, sizeof root) != 0)
        return err_set(err, ERR_MISMATCH,
                "log: tiles do not lead to the root of checkpoint");
    return 0;
}

static int take_checkpoint(struct store *s, const struct merkle_checkpoint *c,
        struct span note, struct err *err)
{
    int r = check_checkpoint(s, c, err);

    if (r == 0)
        r = trim_base(s, err);
    if (r < 0)
        return r;
    s->head = *c;
    buf_append(&s->note, note);
    return buf_ok(&s->note, err);
}

/*
 * A checkpoint that is ahead of the journal is either of a group whose journal
 * record was damaged afterwards (then its tree is there), or of one that never
 * got that far: the file is written over in place, and after a power cut it
 * may carry the name that it was about to get.
 */
static bool is_ahead(
        struct store *s, const struct merkle_checkpoint *c, uint64_t end)
{
    bool ahead = c->size > end && check_checkpoint(s, c, NULL) == 0;

    drop_base(s);
    return ahead;
}

static int recover_from(struct store *s, struct span journal, struct err *err)
{
    CLEANUP(buf_fini) struct buf note = BUF_INIT(MERKLE_NOTE_MAX);
    struct merkle_checkpoint c = {.size = 0};
    uint64_t end = journal_end(journal);
    struct err why = {0};
    int r;

    memcpy(s->head.origin, s->vkey.name, sizeof s->head.origin);
    r = buf_load(&note, s->dirfd, "checkpoint", &why);
    if (r == 0)
        r = merkle_checkpoint_open(buf_span(&note), &s->vkey, &c, &why);
    if (end > 0 && (r < 0 || !is_ahead(s, &c, end)))
        return replay(s, journal, err);
    if (r == 0)
        return take_checkpoint(s, &c, buf_span(&note), err);
    if (faccessat(s->dirfd, "checkpoint", F_OK, 0) < 0 &&
            faccessat(s->dirfd, "tile", F_OK, 0) < 0)
        return make_empty(s, err);
    return err_set(err, ERR_MISMATCH, "log: %s", why.msg);
}

int store_recover(struct store *s, struct err *err)
{
    void *map;
    int r = clean_tmp(s, err);

    if (r < 0)
        return r;
    map = mmap(NULL, s->journal_size, PROT_READ, MAP_SHARED, s->journal_fd, 0);
    if (map == MAP_FAILED)
        return err_errno(err, "log: map journal");
    r = recover_from(s, SPAN(map, s->journal_size), err);
    munmap(map, s->journal_size);
    return r;
}
