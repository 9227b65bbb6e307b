/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two halves of the room: what is set up, and the child that does
 * it.  isolate.c is the host's side, isolate_child.c runs between fork and
 * exec. */
#ifndef QAIR_ISOLATE_PRIVATE_H
#define QAIR_ISOLATE_PRIVATE_H

#include "isolate.h"

#include "buf.h"

#include <limits.h>

#define ISOLATE_BWRAP    "/usr/bin/bwrap"
#define ISOLATE_ARGS_MAX 2048
/* Descriptors that bwrap reads have the numbers from here on. */
#define ISOLATE_FIXED_FDS 64
/* Where root arranges the folders that the qube's user could not reach. */
#define ISOLATE_STAGE "/mnt"

/* What a qube finds in ISOLATE_PROGRAMS; the first two are needed. */
#define ISOLATE_PROGRAMS_COUNT  3
#define ISOLATE_PROGRAMS_NEEDED 2
extern const char *const isolate_program_names[ISOLATE_PROGRAMS_COUNT];

struct isolate_plan {
    const struct isolate_params *p;
    pid_t parent;
    int agent_fd;
    int err_fd;          /* becomes descriptor 2; -1: as it is */
    char home[PATH_MAX]; /* host folder, resolved; empty: tmpfs */
    char services[PATH_MAX];
    char programs[ISOLATE_PROGRAMS_COUNT][PATH_MAX];
    char *args[ISOLATE_ARGS_MAX];
    size_t n_args;
    int error;                       /* of putting args together */
    int data[ISOLATE_FILES_MAX + 8]; /* memfds of files */
    size_t n_data;
};

/* For a freshly forked child: becomes bubblewrap, or says why not and exits. */
_Noreturn void isolate_child(struct isolate_plan *plan);

#endif
