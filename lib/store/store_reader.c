/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BUNDLE_MAX                                                             \
    ((size_t)MERKLE_TILE_WIDTH * (LIMIT_LOG_ENTRY_MAX + (size_t)2))

/* The text of a note that nobody verifies. */
static int parse_unverified(struct store_reader *r, struct err *err)
{
    const uint8_t *end = memmem(r->note.ptr, r->note.len, "\n\n", 2);

    if (end == NULL)
        return err_set(err, ERR_SYNTAX, "checkpoint: malformed");
    return merkle_checkpoint_parse(
            SPAN(r->note.ptr, (size_t)(end - r->note.ptr) + 1), &r->head, err);
}

static int open_checkpoint(
        struct store_reader *r, const struct merkle_vkey *vkey, struct err *err)
{
    int e;

    buf_reset(&r->note);
    e = buf_load(&r->note, r->dirfd, "checkpoint", err);
    if (e < 0)
        return e;
    if (vkey == NULL)
        return parse_unverified(r, err);
    return merkle_checkpoint_open(buf_span(&r->note), vkey, &r->head, err);
}

/* The writer exchanges two files and writes over the older one: who holds that
 * one open for two groups may read a mixture, and reads again. */
#define OPEN_ATTEMPTS 10

int store_reader_open(int dirfd, const struct merkle_vkey *vkey,
        struct store_reader *ret, struct err *err)
{
    struct store_reader r = {.dirfd = dirfd,
            .note = BUF_INIT(MERKLE_NOTE_MAX),
            .bundle = BUF_INIT(BUNDLE_MAX),
            .bundle_n = UINT64_MAX,
            .verified = vkey != NULL};
    int e = ERR_MISMATCH;

    for (int i = 0; i < OPEN_ATTEMPTS && e < 0 && e != ERR_IO; i++)
        e = open_checkpoint(&r, vkey, err);
    if (e < 0) {
        store_reader_fini(&r);
        return e;
    }
    *ret = r;
    return 0;
}

void store_reader_fini(struct store_reader *r)
{
    buf_fini(&r->note);
    buf_fini(&r->bundle);
}

static int reader_load(struct store_reader *r, uint64_t n, struct err *err)
{
    unsigned width = merkle_tile_width(MERKLE_ENTRIES, n, r->head.size);
    char path[MERKLE_PATH_SIZE];
    struct wire_reader w;
    struct span entry;
    int fd, e;

    r->bundle_n = UINT64_MAX;
    e = store_file_find(
            r->dirfd, MERKLE_ENTRIES, n, width, O_RDONLY, &fd, path, err);
    if (e < 0)
        return e;
    e = store_file_read(fd, BUNDLE_MAX, &r->bundle, err);
    close(fd);
    if (e < 0)
        return e;
    w = wire_reader_of(buf_span(&r->bundle));
    for (unsigned i = 0; i < width; i++) {
        r->at[i] = r->bundle.len - w.left;
        if (!merkle_bundle_get(&w, &entry))
            return err_set(err, ERR_MISMATCH, "log: %s is cut off", path);
    }
    r->at[width] = r->bundle.len - w.left;
    r->width = width;
    r->bundle_n = n;
    return 0;
}

int store_reader_get(struct store_reader *r, uint64_t index, struct span *ret,
        struct err *err)
{
    uint64_t n = index / MERKLE_TILE_WIDTH;
    unsigned i = (unsigned)(index % MERKLE_TILE_WIDTH);

    if (index >= r->head.size)
        return err_set(err, ERR_NOT_FOUND, "log: no entry %llu",
                (unsigned long long)index);
    if (r->bundle_n != n) {
        int e = reader_load(r, n, err);

        if (e < 0)
            return e;
    }
    *ret = SPAN(r->bundle.ptr + r->at[i] + 2, r->at[i + 1] - r->at[i] - 2);
    return 0;
}

int store_reader_prove(struct store_reader *r, uint64_t index, struct buf *ret,
        struct err *err)
{
    struct store_hashes hashes;
    struct merkle_source src = store_hashes_init(&hashes, r->dirfd, NULL);
    struct merkle_tlog_proof p = {
            .index = index, .checkpoint = buf_span(&r->note)};
    int e = merkle_inclusion_prove(&src, index, r->head.size, &p.proof);

    store_hashes_fini(&hashes);
    if (e == 0)
        e = merkle_tlog_proof_format(&p, ret);
    return e == 0 ? 0
                  : err_set(err, e, "log: no proof of entry %llu",
                            (unsigned long long)index);
}

/* ---- reading everything again ----------------------------------------- */

/* Per level the hashes of the tile that is being filled. */
struct verify {
    struct store_reader *r;
    uint8_t tile[MERKLE_LEVEL_MAX + 1][MERKLE_TILE_BYTES];
    struct err *err;
    int error;
};

static int verify_tile(struct verify *v, int level, uint64_t n, unsigned width)
{
    CLEANUP(buf_fini) struct buf have = BUF_INIT(MERKLE_TILE_BYTES);
    char path[MERKLE_PATH_SIZE];
    int fd;
    int e = store_file_find(
            v->r->dirfd, level, n, width, O_RDONLY, &fd, path, v->err);

    if (e < 0)
        return e;
    e = store_file_read(fd, MERKLE_TILE_BYTES, &have, v->err);
    close(fd);
    if (e < 0)
        return e;
    if (have.len < (size_t)width * MERKLE_HASH ||
            memcmp(have.ptr, v->tile[level], (size_t)width * MERKLE_HASH) != 0)
        return err_set(v->err, ERR_MISMATCH,
                "log: %s is not what its entries give", path);
    return 0;
}

static void verify_completed(void *arg, unsigned height, uint64_t index,
        const uint8_t hash[static MERKLE_HASH])
{
    struct verify *v = arg;
    unsigned level = height / MERKLE_TILE_HEIGHT;
    unsigned i = (unsigned)(index % MERKLE_TILE_WIDTH);

    if (height % MERKLE_TILE_HEIGHT != 0 || level > MERKLE_LEVEL_MAX)
        return;
    memcpy(v->tile[level] + (size_t)i * MERKLE_HASH, hash, MERKLE_HASH);
    if (i == MERKLE_TILE_WIDTH - 1 && v->error == 0)
        v->error = verify_tile(
                v, (int)level, index / MERKLE_TILE_WIDTH, MERKLE_TILE_WIDTH);
}

static int verify_entries(struct verify *v, struct merkle_edge *edge,
        store_entry_fn *on_entry, void *arg)
{
    for (uint64_t i = 0; i < v->r->head.size; i++) {
        uint8_t leaf[MERKLE_HASH];
        struct span entry;
        int e = store_reader_get(v->r, i, &entry, v->err);

        if (e < 0)
            return e;
        merkle_leaf(entry, leaf);
        merkle_edge_append(edge, leaf, verify_completed, v);
        if (v->error < 0)
            return v->error;
        e = on_entry == NULL ? 0 : on_entry(arg, i, entry, v->err);
        if (e < 0)
            return e;
    }
    return 0;
}

static int verify_partials(struct verify *v)
{
    for (int level = 0; level <= MERKLE_LEVEL_MAX; level++) {
        uint64_t count = v->r->head.size >> (MERKLE_TILE_HEIGHT * level);
        unsigned width = (unsigned)(count % MERKLE_TILE_WIDTH);
        int e;

        if (width == 0)
            continue;
        e = verify_tile(v, level, count / MERKLE_TILE_WIDTH, width);
        if (e < 0)
            return e;
    }
    return 0;
}

int store_reader_verify(struct store_reader *r, store_entry_fn *on_entry,
        void *arg, struct err *err)
{
    struct verify v = {.r = r, .err = err};
    struct merkle_edge edge = MERKLE_EDGE_EMPTY;
    uint8_t root[MERKLE_HASH];
    int e = verify_entries(&v, &edge, on_entry, arg);

    if (e == 0)
        e = verify_partials(&v);
    if (e < 0)
        return e;
    merkle_edge_root(&edge, root);
    if (memcmp(root, r->head.root, sizeof root) != 0)
        return err_set(err, ERR_MISMATCH,
                "log: entries do not lead to the root of checkpoint");
    return 0;
}
