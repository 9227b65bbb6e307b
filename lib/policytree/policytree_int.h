/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of room policytree. */
#ifndef QAIR_POLICYTREE_INT_H
#define QAIR_POLICYTREE_INT_H

#include "policytree.h"

#include "buf.h"

#include <limits.h>

/* ---- watching (policytree_watch.c) -------------------------------------- */

struct policytree_watch;

int policytree_watch_new(struct policytree_watch **ret, struct err *err)
        MUST_CHECK;
void policytree_watch_free(struct policytree_watch *w);
int policytree_watch_fd(const struct policytree_watch *w);
/*
 * Arms on path, and on every folder above it for the name that leads there;
 * what does not exist is awaited.  whole: path is a folder, and every name in
 * it counts.  w may be NULL.
 */
int policytree_watch_add(struct policytree_watch *w, const char *path,
        bool whole, struct err *err) MUST_CHECK;
enum policytree_news policytree_watch_news(struct policytree_watch *w);

/* ---- reading (policytree_read.c) ---------------------------------------- */

struct policytree_file {
    struct policy_file file; /* first: what the parser holds */
    struct buf text;
    char path[PATH_MAX]; /* absolute, simplified: one path, one entry */
};

/* A list of files that the parser may hold. */
struct policytree_list {
    const struct policy_file **files;
    size_t n, cap;
    struct policytree_list *next;
};

struct policytree_reader {
    size_t n_folders;
    char folders[POLICYTREE_FOLDERS_MAX + 1][PATH_MAX]; /* compat is last */
    const struct policytree_change *change;
    struct policytree_watch *watch;
    struct policytree_file **files;
    size_t n_files, cap_files, bytes;
    struct policytree_list *lists;
};

/* ---- paths (policytree_path.c) ------------------------------------------ */

/* "BASE/PATH", or PATH when it is absolute, without ".", ".." and "//". */
int policytree_path_join(const char *base, struct span path,
        char ret[static PATH_MAX], struct err *err) MUST_CHECK;
/* The part of path below folder, or NULL. */
const char *policytree_path_below(const char *path, const char *folder);
/*
 * Watches path, and follows its links.  A path inside the policy folders must
 * stay inside of them; what a rule includes by a path outside is the writer's
 * choice.
 */
int policytree_path_resolve(struct policytree_reader *rd, const char *path,
        bool whole, char ret[static PATH_MAX], struct err *err) MUST_CHECK;

/* One attempt: everything is read and parsed. */
int policytree_read(const struct policytree_paths *paths,
        const struct policytree_change *change, struct policytree_watch *watch,
        struct policy **ret, size_t *ret_n_files, struct err *err) MUST_CHECK;

#endif
