/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room policytree (floor 4): the policy of a Qubes host, read from its folders
 * as one snapshot, and watched.  (A zone's policy is a measured bundle:
 * policy_new_from_bundle.)  Rules for files: docs/policy.md, "On Qubes OS".
 *
 *     policytree_load   folders -> an immutable tree with its policy.  A tree
 *                       with an error anywhere holds a policy that denies
 *                       everything with FILE:LINE as the reason.
 *     policytree_news   has anything that was read changed since?
 *
 * A tree owns an inotify instance of its own, armed on each folder, file and
 * folder above them before it is read, so that no change is missed; a change
 * while it is read makes policytree_load read again, LOAD_TRIES times, and
 * then give up with an error (which the next change ends).
 *
 * policytree_load blocks and sleeps: a daemon calls it in a thread that does
 * nothing else, and swaps the tree in when it is there.  A tree is used by one
 * thread at a time; its policy by any number.
 */
#ifndef QAIR_POLICYTREE_H
#define QAIR_POLICYTREE_H

#include "base.h"
#include "policy.h"

#define POLICYTREE_FOLDERS_MAX 8

#define POLICYTREE_RUNTIME "/run/qubes/policy.d"
#define POLICYTREE_ETC     "/etc/qubes/policy.d"
#define POLICYTREE_COMPAT  "/etc/qubes-rpc/policy"

struct policytree_paths {
    /* A file hides files of its name in later folders. */
    const char *folders[POLICYTREE_FOLDERS_MAX];
    size_t n_folders;
    const char *compat; /* for !compat-4.0 */
};

/* A file as it would be: to judge a change before it is made. */
struct policytree_change {
    const char *path; /* absolute */
    bool removed;
    struct span text;
};

struct policytree {
    struct policy *policy; /* never NULL */
    struct err error;      /* code 0: the policy is sound */
    size_t n_files;
    int fd; /* readable when there may be news; -1: not watched */
    struct policytree_watch *watch;
};

/*
 * change may be NULL.  Fails with ERR_MEMORY only; all else is in error, where
 * ERR_IO and ERR_LIMIT may go away without news.
 */
int policytree_load(const struct policytree_paths *paths,
        const struct policytree_change *change, bool watched,
        struct policytree **ret, struct err *err) MUST_CHECK;
void policytree_free(struct policytree *t);
void policytree_free_ptr(struct policytree **t);

enum policytree_news {
    POLICYTREE_SAME,
    POLICYTREE_WRITING, /* somebody writes to a file: wait for the end */
    POLICYTREE_CHANGED, /* load anew */
};
/* Takes all events; never blocks. */
enum policytree_news policytree_news(struct policytree *t);

#endif
