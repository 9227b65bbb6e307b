/* SPDX-License-Identifier: Apache-2.0 */
/* Inside room store: the writer's parts. */
#ifndef QAIR_STORE_PRIVATE_H
#define QAIR_STORE_PRIVATE_H

#include "store.h"

/* Entry bundles and the levels of hash tiles. */
#define STORE_KINDS       (MERKLE_LEVEL_MAX + 2)
#define STORE_LEVEL(kind) ((kind)-1) /* kind 0: MERKLE_ENTRIES */

/* The last tile of a kind, which still grows; width 0: not begun. */
struct store_tail {
    uint64_t n;
    unsigned width;                  /* 0..255 */
    int fd;                          /* -1 when width is 0 */
    size_t len;                      /* bytes in the file */
    uint8_t hash[MERKLE_TILE_BYTES]; /* not for entries */
};

/* What one group adds to one tile. */
struct store_piece {
    int kind;
    uint64_t n;
    unsigned from, to; /* widths */
    struct buf bytes;
    int fd; /* of a tile that this piece begins */
};

/* A group on its way: two pieces for entries and level 0, one above. */
#define STORE_PIECES_MAX (2 * STORE_KINDS)
struct store_stage {
    struct merkle_edge edge;
    struct merkle_checkpoint head;
    struct buf note;
    struct store_piece pieces[STORE_PIECES_MAX];
    size_t n;
    int error;
};

struct store {
    int dirfd;
    int lock_fd; /* flock: one writer */
    int journal_fd;
    size_t journal_size;
    size_t journal_at; /* where the next record goes */
    struct buf record;
    struct merkle_vkey vkey;
    const struct crypto_key *key;
    struct merkle_edge edge;
    struct store_tail tails[STORE_KINDS];
    struct merkle_checkpoint head;
    struct buf note;
    uint64_t flushed; /* size of the tree whose files are durable */
    bool failed;
};

/* ---- store_stage.c: a group's bytes, and getting them into files ------ */

/* Hashes the entries into pieces, edge and root; signs nothing. */
int store_stage_entries(const struct store *s, const struct span *entries,
        size_t n, struct store_stage *ret, struct err *err) MUST_CHECK;
void store_stage_fini(struct store_stage *g);
/* Writes pieces and the next checkpoint under names nobody reads.  Undoes
 * itself on failure; sets s->failed when it cannot. */
int store_stage_write(struct store *s, struct store_stage *g, struct err *err)
        MUST_CHECK;
void store_stage_undo(struct store *s, struct store_stage *g);
/* Gives everything its name, the checkpoint last; then *s is the new state. */
int store_stage_publish(struct store *s, struct store_stage *g, struct err *err)
        MUST_CHECK;

/* ---- store_journal.c -------------------------------------------------- */

/* Opens or makes the journal. */
int store_journal_open(struct store *s, size_t size, struct err *err)
        MUST_CHECK;
/* Encodes the staged group into s->record; ERR_LIMIT when it never fits. */
int store_journal_encode(struct store *s, const struct store_stage *g,
        const struct span *entries, size_t n, struct err *err) MUST_CHECK;
bool store_journal_has_room(const struct store *s);
/* Writes s->record; store_journal_sync makes it durable, and with it the
 * group; store_journal_cancel takes it back. */
int store_journal_write(struct store *s, struct err *err) MUST_CHECK;
int store_journal_sync(struct store *s, struct err *err) MUST_CHECK;
int store_journal_cancel(struct store *s, struct err *err) MUST_CHECK;
/* Marks the journal empty; a hint that saves a replay. */
void store_journal_clear(struct store *s);

struct store_record {
    uint64_t first;
    uint32_t count;
    struct span body; /* entries as a bundle */
    struct span note;
    size_t size; /* in the journal */
};
/* The record at *at of the journal's bytes; false when there is none. */
bool store_journal_next(
        struct span journal, size_t at, struct store_record *ret) MUST_CHECK;

/* ---- store_recover.c -------------------------------------------------- */

int store_recover(struct store *s, struct err *err) MUST_CHECK;

/* ---- store_file.c ----------------------------------------------------- */

/* Creates the folders that path stands in. */
int store_file_mkdirs(int dirfd, const char *path, struct err *err) MUST_CHECK;
/* Opens tile n of a kind that has at least width elements under whatever
 * name; *ret_path is that name. */
int store_file_find(int dirfd, int level, uint64_t n, unsigned width, int flags,
        int *ret_fd, char ret_path[static MERKLE_PATH_SIZE], struct err *err)
        MUST_CHECK;
/* Whole contents, at most cap bytes. */
int store_file_read(int fd, size_t cap, struct buf *ret, struct err *err)
        MUST_CHECK;
int store_file_write_at(int fd, struct span bytes, size_t at, struct err *err)
        MUST_CHECK;
/* Makes a file and every folder it stands in durable. */
struct store_sync {
    int dirfd;
    char last[MERKLE_PATH_SIZE];
};
int store_file_sync(struct store_sync *sync, const char *path, struct err *err)
        MUST_CHECK;
int store_file_sync_folders(
        struct store_sync *sync, const char *path, struct err *err) MUST_CHECK;

/* Subtree hashes from tile files, and from tails (NULL: files alone). */
struct store_hashes {
    int dirfd;
    const struct store_tail *tails;
    int level; /* of the tile that is held; -1: none */
    uint64_t n;
    struct buf tile;
};
struct merkle_source store_hashes_init(
        struct store_hashes *h, int dirfd, const struct store_tail *tails);
void store_hashes_fini(struct store_hashes *h);

#endif
