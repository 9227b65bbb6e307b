/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of the longest piece: 256 of the largest entries. */
#define PIECE_MAX                                                              \
    ((size_t)MERKLE_TILE_WIDTH * (LIMIT_LOG_ENTRY_MAX + (size_t)2))

#define CHECKPOINT_TMP "tmp/checkpoint"

static void piece_tmp(const struct store_piece *p, char *ret, size_t cap)
{
    snprintf(ret, cap, "tmp/%d-%llu", p->kind, (unsigned long long)p->n);
}

/* An empty folder that waits to become the next "NNN.p". */
static void piece_spare(const struct store_piece *p, char *ret, size_t cap)
{
    snprintf(ret, cap, "tmp/spare-%d", p->kind);
}

/* The piece that the next element of a kind belongs to. */
static struct store_piece *stage_piece(
        const struct store *s, struct store_stage *g, int kind)
{
    struct store_piece *p = NULL;
    uint64_t n = s->tails[kind].n;
    unsigned from = s->tails[kind].width;

    for (size_t i = 0; i < g->n; i++) {
        if (g->pieces[i].kind == kind)
            p = &g->pieces[i];
    }
    if (p != NULL && p->to < MERKLE_TILE_WIDTH)
        return p;
    if (p != NULL) {
        n = p->n + 1;
        from = 0;
    }
    if (g->n == STORE_PIECES_MAX)
        return NULL;
    p = &g->pieces[g->n++];
    *p = (struct store_piece){.kind = kind,
            .n = n,
            .from = from,
            .to = from,
            .bytes = BUF_INIT(PIECE_MAX),
            .fd = -1};
    return p;
}

struct stage_arg {
    const struct store *s;
    struct store_stage *g;
};

/* merkle_edge_append: every eighth level is one that is stored. */
static void stage_completed(void *arg, unsigned height, uint64_t index,
        const uint8_t hash[static MERKLE_HASH])
{
    const struct stage_arg *a = arg;
    struct store_piece *p;

    (void)index;
    if (height % MERKLE_TILE_HEIGHT != 0 ||
            height / MERKLE_TILE_HEIGHT > MERKLE_LEVEL_MAX)
        return;
    p = stage_piece(a->s, a->g, (int)(height / MERKLE_TILE_HEIGHT) + 1);
    if (p == NULL) {
        a->g->error = ERR_LIMIT;
        return;
    }
    buf_append(&p->bytes, SPAN(hash, MERKLE_HASH));
    p->to++;
    if (buf_ok(&p->bytes, NULL) < 0)
        a->g->error = p->bytes.error;
}

int store_stage_entries(const struct store *s, const struct span *entries,
        size_t n, struct store_stage *ret, struct err *err)
{
    struct store_stage *g = ret;
    struct stage_arg arg = {s, g};

    memset(g, 0, sizeof *g);
    g->edge = s->edge;
    g->note = BUF_INIT(MERKLE_NOTE_MAX);
    for (size_t i = 0; i < n && g->error == 0; i++) {
        struct store_piece *p = stage_piece(s, g, 0);
        uint8_t leaf[MERKLE_HASH];

        if (p == NULL) {
            g->error = ERR_LIMIT;
            break;
        }
        g->error = merkle_bundle_put(&p->bytes, entries[i]);
        p->to++;
        merkle_leaf(entries[i], leaf);
        merkle_edge_append(&g->edge, leaf, stage_completed, &arg);
    }
    if (g->error < 0)
        return err_set(err, g->error, "log: group cannot be staged");
    g->head = s->head;
    g->head.size = g->edge.size;
    merkle_edge_root(&g->edge, g->head.root);
    return 0;
}

void store_stage_fini(struct store_stage *g)
{
    for (size_t i = 0; i < g->n; i++) {
        buf_fini(&g->pieces[i].bytes);
        if (g->pieces[i].fd >= 0)
            close(g->pieces[i].fd);
    }
    g->n = 0;
    buf_fini(&g->note);
}

/* Where the piece will get its name. */
static int make_folders(
        struct store *s, const struct store_piece *p, struct err *err)
{
    char path[MERKLE_PATH_SIZE], spare[MERKLE_PATH_SIZE];
    char *last;

    merkle_tile_path(STORE_LEVEL(p->kind), p->n, p->to, path);
    if (p->to == MERKLE_TILE_WIDTH)
        return store_file_mkdirs(s->dirfd, path, err);
    piece_spare(p, spare, sizeof spare);
    last = strrchr(path, '/');
    *last = '\0';
    if (renameat(s->dirfd, spare, s->dirfd, path) == 0)
        return 0;
    *last = '/';
    return store_file_mkdirs(s->dirfd, path, err);
}

static int write_piece(struct store *s, struct store_piece *p, struct err *err)
{
    const struct store_tail *tail = &s->tails[p->kind];
    char path[MERKLE_PATH_SIZE];
    int r;

    if (p->from > 0)
        return store_file_write_at(
                tail->fd, buf_span(&p->bytes), tail->len, err);
    r = make_folders(s, p, err);
    if (r < 0)
        return r;
    piece_tmp(p, path, sizeof path);
    p->fd = openat(s->dirfd, path,
            O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (p->fd < 0)
        return err_errno(err, "log: create %s", path);
    return store_file_write_at(p->fd, buf_span(&p->bytes), 0, err);
}

/*
 * Over what the last exchange left there: no block is allocated or freed, and
 * on a disk with online discard freeing one costs more than the group.
 */
static int write_checkpoint(struct store *s, struct span note, struct err *err)
{
    int fd = openat(s->dirfd, CHECKPOINT_TMP,
            O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    struct stat st;
    int r;

    if (fd < 0)
        return err_errno(err, "log: create " CHECKPOINT_TMP);
    r = store_file_write_at(fd, note, 0, err);
    if (r == 0 &&
            (fstat(fd, &st) < 0 || ((size_t)st.st_size > note.len &&
                                           ftruncate(fd, (off_t)note.len) < 0)))
        r = err_errno(err, "log: cut " CHECKPOINT_TMP);
    close(fd);
    return r;
}

static int publish_checkpoint(struct store *s, struct err *err)
{
    if (renameat2(s->dirfd, CHECKPOINT_TMP, s->dirfd, "checkpoint",
                RENAME_EXCHANGE) == 0)
        return 0;
    /* The first one, or a file system that cannot. */
    if (renameat(s->dirfd, CHECKPOINT_TMP, s->dirfd, "checkpoint") == 0)
        return 0;
    return err_errno(err, "log: rename checkpoint");
}

int store_stage_write(struct store *s, struct store_stage *g, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < g->n && r == 0; i++)
        r = write_piece(s, &g->pieces[i], err);
    if (r == 0)
        r = write_checkpoint(s, buf_span(&g->note), err);
    if (r < 0)
        store_stage_undo(s, g);
    return r;
}

/* Names were not touched yet: cut what grew, remove what is new. */
void store_stage_undo(struct store *s, struct store_stage *g)
{
    char path[MERKLE_PATH_SIZE];

    for (size_t i = 0; i < g->n; i++) {
        const struct store_piece *p = &g->pieces[i];

        if (p->from > 0) {
            if (ftruncate(s->tails[p->kind].fd, (off_t)s->tails[p->kind].len) <
                    0)
                s->failed = true;
            continue;
        }
        piece_tmp(p, path, sizeof path);
        (void)unlinkat(s->dirfd, path, 0);
    }
    (void)unlinkat(s->dirfd, CHECKPOINT_TMP, 0);
}

static int publish_piece(
        struct store *s, const struct store_piece *p, struct err *err)
{
    char from[MERKLE_PATH_SIZE], to[MERKLE_PATH_SIZE];
    char partial[MERKLE_PATH_SIZE + 2], spare[MERKLE_PATH_SIZE];

    if (p->from > 0)
        merkle_tile_path(STORE_LEVEL(p->kind), p->n, p->from, from);
    else
        piece_tmp(p, from, sizeof from);
    merkle_tile_path(STORE_LEVEL(p->kind), p->n, p->to, to);
    if (renameat(s->dirfd, from, s->dirfd, to) < 0)
        return err_errno(err, "log: rename %s to %s", from, to);
    if (p->to == MERKLE_TILE_WIDTH) {
        /* Its folder of partial tiles is empty now, or was never made: the
         * next tile of the kind takes it. */
        (void)snprintf(partial, sizeof(partial), "%s.p", to);
        piece_spare(p, spare, sizeof spare);
        if (renameat(s->dirfd, partial, s->dirfd, spare) < 0)
            (void)unlinkat(s->dirfd, partial, AT_REMOVEDIR);
    }
    return 0;
}

static void apply_piece(struct store *s, struct store_piece *p)
{
    struct store_tail *tail = &s->tails[p->kind];

    if (p->from == 0) {
        tail->n = p->n;
        tail->len = 0;
        tail->fd = TAKE_FD(p->fd);
    }
    if (p->kind > 0)
        memcpy(tail->hash + (size_t)p->from * MERKLE_HASH, p->bytes.ptr,
                p->bytes.len);
    tail->len += p->bytes.len;
    tail->width = p->to;
    if (p->to < MERKLE_TILE_WIDTH)
        return;
    /* Starts writing back, so that the next flush finds little to do. */
    (void)sync_file_range(tail->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    close(tail->fd);
    *tail = (struct store_tail){.n = p->n + 1, .fd = -1};
}

int store_stage_publish(struct store *s, struct store_stage *g, struct err *err)
{
    int r;

    for (size_t i = 0; i < g->n; i++) {
        r = publish_piece(s, &g->pieces[i], err);
        if (r < 0)
            return r;
    }
    r = publish_checkpoint(s, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < g->n; i++)
        apply_piece(s, &g->pieces[i]);
    s->edge = g->edge;
    s->head = g->head;
    buf_reset(&s->note);
    buf_append(&s->note, buf_span(&g->note));
    return buf_ok(&s->note, err);
}
