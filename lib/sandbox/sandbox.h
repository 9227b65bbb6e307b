/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room sandbox (floor 4): what a role process gives up before it reads its
 * first byte.
 *
 * sandbox_enter, in this order: close other descriptors, resource limits,
 * undumpable, new empty mount/network/ipc/uts namespaces, an empty read-only
 * root, the role's uid and no groups, no capabilities, no_new_privs, die with
 * the parent, landlock, seccomp.  When a step is impossible (not root and no
 * user namespaces; an old kernel) it says so on stderr and goes on with the
 * rest; seccomp, no_new_privs and a drop of uid that fails are fatal (the
 * process exits): a role does not run without them.
 *
 *   started as root      uid = uid, groups none, namespaces and empty root
 *   started as a user    uid stays; the same namespaces by a user namespace
 *   old kernel           no landlock: the empty root and seccomp remain
 *
 * Every group of system calls stands in sandbox_seccomp.c with its reason; a
 * call that is in no granted group kills the process (SIGSYS).  Opening a path
 * without SANDBOX_FILES and a few probes that libraries make answer an error
 * instead, since they are harmless and libraries make them unasked.
 */
#ifndef QAIR_SANDBOX_H
#define QAIR_SANDBOX_H

#include "base.h"

#include <sys/types.h>

/* Groups of system calls; every role has the base group (memory, own clock,
 * epoll, timers, signals to itself, I/O on descriptors it holds, sealed
 * memfd, descriptor passing on unix sockets it was given). */
enum sandbox_group {
    SANDBOX_FILES = 1 << 0,    /* files beneath the folders it was handed:
                                  openat, renameat, unlinkat, fsync, ... */
    SANDBOX_NET = 1 << 1,      /* connect to TCP peers, accept from them */
    SANDBOX_FORK = 1 << 2,     /* fork children (clone without new threads or
                                  namespaces), wait for them */
    SANDBOX_DEVICE = 1 << 3,   /* speaks to a TPM: needs no more than the
                                  base group today, said for the reader */
    SANDBOX_SOCKPAIR = 1 << 4, /* make unix socket pairs, pipes */
};

struct sandbox_spec {
    const char *name; /* "netd"; for messages */
    unsigned groups;  /* enum sandbox_group */
    unsigned max_fds; /* RLIMIT_NOFILE; 0: 64 */
    size_t max_file;  /* RLIMIT_FSIZE; 0: 1 GiB (memfds, too) */
    size_t max_lock;  /* RLIMIT_MEMLOCK, for secrets; 0: as is */
};

/*
 * Enters.  keep: the descriptors to keep beside 0, 1, 2.  uid: of the role,
 * used when started by root; 0 keeps root's uid (tests only).  Does not return
 * when a fatal step fails.  With SANDBOX_FILES landlock waits for
 * sandbox_seal_files.
 */
void sandbox_enter(const struct sandbox_spec *spec, uid_t uid, const int *keep,
        size_t n_keep);
/*
 * For SANDBOX_FILES, once: from here on only files beneath these folders can
 * be opened, made or removed.  Says on stderr when the kernel cannot.
 */
void sandbox_seal_files(
        const struct sandbox_spec *spec, const int *folders, size_t n);
/*
 * In a child that was forked for one parse: nothing is left but memory, reads
 * and writes on open descriptors, exit, and receiving (a descriptor) on
 * SANDBOX_PARSER_ORDER alone.
 */
#define SANDBOX_PARSER_ORDER 0
void sandbox_enter_parser(void);
/* Of the running kernel; 0 when landlock is absent. */
int sandbox_landlock_abi(void);

#endif
