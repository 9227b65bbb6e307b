/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room store (floor 4): the log on disk.  Specification: docs/proto/log.md.
 *
 *   writer   one process (logd): groups of entries, durable when acknowledged
 *   reader   any process that can read the folder: qair log, auditors
 *   index    SQLite over the entries, for queries; can be deleted at any time
 *
 * The folder is a C2SP tlog-tiles log: checkpoint, tile/entries/, tile/0/ and
 * so on, beside journal (the redo log of what the tree's own files may not
 * hold durably yet), tmp/ and index.db.  Any C2SP reader can follow it.
 *
 * When store_append returns 0, the group is durable (in the journal, with the
 * signed checkpoint that contains it) and visible (in tiles and checkpoint).
 * When it fails, the group is not in the log, unless the failure was one of
 * the disk itself: then store_failed is true from there on, every call is
 * refused, and the next store_open decides from the journal.  A crash at any
 * point loses nothing that was acknowledged.
 *
 * One thread.  Calls block on the disk.
 */
#ifndef QAIR_STORE_H
#define QAIR_STORE_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "merkle.h"
#include "statement.h"

/* Entries and bytes of one group; one journal record. */
#define STORE_GROUP_MAX       256
#define STORE_GROUP_BYTES_MAX (4u << 20)
/* Larger: rarer flushes, longer recovery (16 MiB: some 50 ms). */
#define STORE_JOURNAL_DEFAULT (16u << 20)
#define STORE_JOURNAL_MIN     (256u << 10)

/* ---- writer ---------------------------------------------------------- */

struct store;

/*
 * Opens the log in folder dirfd (borrowed), creating an empty one in an empty
 * folder, and recovers.  ERR_EXISTS when another process has it open,
 * ERR_MISMATCH when checkpoint or tree are not those of vkey: nothing is
 * changed then, a person has to look.  key (borrowed, of vkey) signs
 * checkpoints.  journal_size 0 is STORE_JOURNAL_DEFAULT; the size of an
 * existing journal stays.
 */
int store_open(int dirfd, const struct merkle_vkey *vkey,
        const struct crypto_key *key, size_t journal_size, struct store **ret,
        struct err *err) MUST_CHECK;
/* Flushes and frees; NULL is fine. */
void store_close(struct store *s);
void store_close_ptr(struct store **s);

/* One group: all or nothing.  The first gets index store_head()->size. */
int store_append(struct store *s, const struct span *entries, size_t n,
        struct err *err) MUST_CHECK;
/* Entry bytes that one group may hold in this log's journal. */
size_t store_group_bytes(const struct store *s);
/*
 * Makes the tree's own files durable and empties the journal.  Called when
 * there is nothing to append; store_append does it itself when it must.
 */
int store_flush(struct store *s, struct err *err) MUST_CHECK;
bool store_needs_flush(const struct store *s);
/* A write that must not fail failed: close, and open again. */
bool store_failed(const struct store *s);
/* What the last acknowledged group made. */
const struct merkle_checkpoint *store_head(const struct store *s);
struct span store_head_note(const struct store *s);
/* tlog-proof@v1 of an entry under the current head, appended to ret. */
int store_prove(struct store *s, uint64_t index, struct buf *ret,
        struct err *err) MUST_CHECK;

/* ---- reader ---------------------------------------------------------- */

/*
 * A view of the log at one checkpoint.  Works while a writer appends: a
 * partial tile that has grown meanwhile is read as far as the view needs.
 */
struct store_reader {
    int dirfd; /* borrowed */
    struct merkle_checkpoint head;
    struct buf note;
    bool verified; /* by the vkey given to store_reader_open */
    struct buf bundle;
    uint64_t bundle_n; /* which; UINT64_MAX: none */
    size_t at[MERKLE_TILE_WIDTH + 1];
    unsigned width;
};

/* vkey NULL: the checkpoint is read and not verified. */
int store_reader_open(int dirfd, const struct merkle_vkey *vkey,
        struct store_reader *ret, struct err *err) MUST_CHECK;
void store_reader_fini(struct store_reader *r);
/* Entry bytes, valid until the next call. */
int store_reader_get(struct store_reader *r, uint64_t index, struct span *ret,
        struct err *err) MUST_CHECK;
/* Inclusion proof text of an entry at this view. */
int store_reader_prove(struct store_reader *r, uint64_t index, struct buf *ret,
        struct err *err) MUST_CHECK;

/*
 * Reads everything again: each entry, each hash of each tile, the root.
 * on_entry judges an entry's contents (signatures), in order; its failure ends
 * the run with that code.  NULL when only the tree is of interest.
 */
typedef int store_entry_fn(
        void *arg, uint64_t index, struct span entry, struct err *err);
int store_reader_verify(struct store_reader *r, store_entry_fn *on_entry,
        void *arg, struct err *err) MUST_CHECK;

/* ---- index ----------------------------------------------------------- */

/*
 * Answers "which entries speak of this call, this digest, this kind".  It is
 * a hint: whoever uses a row reads the entry and checks that it says so.
 */
struct store_index;
/*
 * Opens DIR/index.db for the log of r and brings it up to r's size; an index
 * that is absent, damaged or of another log is made anew.  In a folder that
 * cannot be written the index is built in memory.
 */
int store_index_open(const char *dir, struct store_reader *r,
        struct store_index **ret, struct err *err) MUST_CHECK;
void store_index_close(struct store_index *x);
void store_index_close_ptr(struct store_index **x);

struct store_query {
    const uint8_t *call_id; /* 16 bytes or NULL */
    const uint8_t *subject; /* 32 bytes or NULL */
    const char *kind;       /* statement_kind_name or NULL */
    uint64_t from;          /* first index */
};
/* Indexes in order; fn returns 0 to go on. */
int store_index_query(struct store_index *x, const struct store_query *q,
        int (*fn)(void *arg, uint64_t index), void *arg, struct err *err)
        MUST_CHECK;

#endif
