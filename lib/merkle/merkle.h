/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room merkle (floor 2, pure): the arithmetic of a transparency log.
 *
 *   tree         RFC 6962 section 2.1; proofs as in RFC 9162 section 2.1
 *   tiles        C2SP tlog-tiles: names and contents of tile files
 *   signed note  C2SP signed-note, Ed25519 (type 0x01)
 *   checkpoint   C2SP tlog-checkpoint
 *   tlog-proof   C2SP tlog-proof@v1: an entry's proof for offline use
 *
 * Nothing here reads a file: stored hashes come through struct merkle_source.
 * Sizes and indexes are u64; sizes over MERKLE_SIZE_MAX are refused.  All
 * verify functions return 0 or ERR_MISMATCH, and ERR_SYNTAX for a shape that
 * can belong to no tree.  Any process may use this room.
 */
#ifndef QAIR_MERKLE_H
#define QAIR_MERKLE_H

#include "base.h"
#include "buf.h"
#include "crypto.h"

#define MERKLE_HASH 32
/* A consistency proof in a tree of 2^62 leaves has at most 63 hashes. */
#define MERKLE_PROOF_MAX 64
#define MERKLE_SIZE_MAX  (UINT64_C(1) << 62)

void merkle_leaf(struct span data, uint8_t ret[static MERKLE_HASH]);
void merkle_node(const uint8_t l[static MERKLE_HASH],
        const uint8_t r[static MERKLE_HASH], uint8_t ret[static MERKLE_HASH]);

/*
 * The right edge: the roots of the complete subtrees that make up a tree of
 * that size, largest first.  Enough to append and to know the root.
 */
struct merkle_edge {
    uint64_t size;
    uint8_t hash[MERKLE_PROOF_MAX][MERKLE_HASH];
};
#define MERKLE_EDGE_EMPTY ((struct merkle_edge){.size = 0})
/*
 * Appends a leaf hash.  completed(arg, height, index, hash) is called for each
 * subtree that this leaf completes, height 0 (the leaf itself) first; NULL is
 * fine.
 */
void merkle_edge_append(struct merkle_edge *e,
        const uint8_t leaf[static MERKLE_HASH],
        void (*completed)(void *arg, unsigned height, uint64_t index,
                const uint8_t hash[static MERKLE_HASH]),
        void *arg);
void merkle_edge_root(
        const struct merkle_edge *e, uint8_t ret[static MERKLE_HASH]);

/*
 * Hash of the complete subtree over leaves
 * [index << height, (index + 1) << height).
 */
struct merkle_source {
    int (*get)(void *arg, unsigned height, uint64_t index,
            uint8_t ret[static MERKLE_HASH]);
    void *arg;
};

struct merkle_proof {
    size_t n;
    uint8_t hash[MERKLE_PROOF_MAX][MERKLE_HASH];
};

int merkle_edge_load(const struct merkle_source *src, uint64_t size,
        struct merkle_edge *ret) MUST_CHECK;
int merkle_root(const struct merkle_source *src, uint64_t size,
        uint8_t ret[static MERKLE_HASH]) MUST_CHECK;
int merkle_inclusion_prove(const struct merkle_source *src, uint64_t index,
        uint64_t size, struct merkle_proof *ret) MUST_CHECK;
int merkle_inclusion_verify(uint64_t index, uint64_t size,
        const uint8_t leaf[static MERKLE_HASH], const struct merkle_proof *p,
        const uint8_t root[static MERKLE_HASH]) MUST_CHECK;
int merkle_consistency_prove(const struct merkle_source *src, uint64_t old_size,
        uint64_t size, struct merkle_proof *ret) MUST_CHECK;
int merkle_consistency_verify(uint64_t old_size, uint64_t size,
        const uint8_t old_root[static MERKLE_HASH],
        const uint8_t root[static MERKLE_HASH], const struct merkle_proof *p)
        MUST_CHECK;

/* ---- tiles ----------------------------------------------------------- */

#define MERKLE_TILE_HEIGHT 8
#define MERKLE_TILE_WIDTH  256
#define MERKLE_TILE_BYTES  (MERKLE_TILE_WIDTH * MERKLE_HASH)
#define MERKLE_LEVEL_MAX   7    /* 2^62 leaves */
#define MERKLE_ENTRIES     (-1) /* level of the entry bundles */

/* "tile/0/x001/x234/067.p/255" */
#define MERKLE_PATH_SIZE 64
/* width 1..256; 256 is a full tile, without ".p". */
void merkle_tile_path(int level, uint64_t n, unsigned width,
        char ret[static MERKLE_PATH_SIZE]);
/* Hashes (or entries) in tile n of that level in a tree of size; 0: none. */
unsigned merkle_tile_width(int level, uint64_t n, uint64_t size);
/*
 * From a tile's bytes (width hashes) the root over its hashes
 * [index << height, (index + 1) << height), height 0..8.
 */
int merkle_tile_hash(struct span tile, unsigned height, unsigned index,
        uint8_t ret[static MERKLE_HASH]) MUST_CHECK;
/* Entry bundles: u16be length and bytes, appended / taken from the front. */
int merkle_bundle_put(struct buf *b, struct span entry) MUST_CHECK;
bool merkle_bundle_get(struct wire_reader *r, struct span *ret) MUST_CHECK;

/* ---- signed notes and checkpoints ------------------------------------ */

#define MERKLE_NAME_MAX  255
#define MERKLE_SIGS_MAX  64 /* signature lines looked at in a note */
#define MERKLE_NOTE_MAX  65536
#define MERKLE_VKEY_SIZE (MERKLE_NAME_MAX + 1 + 8 + 1 + TEXT_B64_SIZE(33))

enum merkle_vkey_type {
    MERKLE_ED25519 = 0x01,
    MERKLE_COSIGNATURE = 0x04, /* cosignature/v1: time, then Ed25519 */
};

struct merkle_vkey {
    char name[MERKLE_NAME_MAX + 1];
    uint8_t id[4];
    uint8_t type;
    uint8_t key[32];
};

/* "name+hash+keydata"; checks that the hash belongs to the key. */
int merkle_vkey_parse(
        struct span text, struct merkle_vkey *ret, struct err *err) MUST_CHECK;
void merkle_vkey_format(
        const struct merkle_vkey *k, char ret[static MERKLE_VKEY_SIZE]);
/* Name and raw Ed25519 key to a vkey; ERR_SYNTAX for a bad name. */
int merkle_vkey_make(const char *name, const uint8_t key[static 32],
        struct merkle_vkey *ret) MUST_CHECK;
/* The log of a zone: name and checkpoint origin "qair/ZONE/log". */
int merkle_vkey_for_zone(struct span zone, const struct crypto_pub *log_key,
        struct merkle_vkey *ret, struct err *err) MUST_CHECK;

/* text (which ends in '\n'), an empty line and one signature, appended. */
int merkle_note_sign(struct span text, const struct merkle_vkey *vkey,
        const struct crypto_key *key, struct buf *ret, struct err *err)
        MUST_CHECK;
/*
 * 0 when at least one of keys has a good signature and no known key has a bad
 * one; *ret_text is the text with its last '\n', *ret_good the number of
 * different keys that signed (either may be NULL).
 */
int merkle_note_verify(struct span note, const struct merkle_vkey *keys,
        size_t n_keys, struct span *ret_text, size_t *ret_good, struct err *err)
        MUST_CHECK;

struct merkle_checkpoint {
    char origin[MERKLE_NAME_MAX + 1];
    uint64_t size;
    uint8_t root[MERKLE_HASH];
};

/* Origin, size, root: a note's text. */
int merkle_checkpoint_format(const struct merkle_checkpoint *c, struct buf *ret)
        MUST_CHECK;
/* A note's text; extension lines are allowed and ignored. */
int merkle_checkpoint_parse(struct span text, struct merkle_checkpoint *ret,
        struct err *err) MUST_CHECK;
/* A signed checkpoint: note verified by key, origin equal to the key's name. */
int merkle_checkpoint_open(struct span note, const struct merkle_vkey *key,
        struct merkle_checkpoint *ret, struct err *err) MUST_CHECK;

/* ---- tlog-proof@v1 --------------------------------------------------- */

#define MERKLE_TLOG_PROOF_MAX (MERKLE_NOTE_MAX + 8192)

struct merkle_tlog_proof {
    struct span extra; /* base64 text, unauthenticated; empty: none */
    uint64_t index;
    struct merkle_proof proof;
    struct span checkpoint; /* signed note */
};

int merkle_tlog_proof_format(const struct merkle_tlog_proof *p, struct buf *ret)
        MUST_CHECK;
int merkle_tlog_proof_parse(struct span text, struct merkle_tlog_proof *ret,
        struct err *err) MUST_CHECK;
/* Entry bytes are in the log of key: all of the above, checked. */
int merkle_tlog_proof_verify(struct span text, struct span entry,
        const struct merkle_vkey *key, uint64_t *ret_index,
        struct merkle_checkpoint *ret_checkpoint, struct err *err) MUST_CHECK;

#endif
