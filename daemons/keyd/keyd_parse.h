/* SPDX-License-Identifier: Apache-2.0 */
/* The child that reads one artefact and says what its digests are. */
#ifndef QAIR_KEYD_PARSE_H
#define QAIR_KEYD_PARSE_H

#include "keyd_ring.h"

#include <sys/types.h>

/*
 * Forks.  The child keeps artefact and the pipe, no other descriptor, no seed
 * and no TPM, and may read, write and exit.  It writes one struct
 * profile_digests when it has read the artefact to its end, or nothing.  The
 * caller keeps its own descriptor of the artefact.
 */
int keyd_parse_start(struct keyd_ring *ring, enum profile_id profile,
        int artefact, pid_t *ret_pid, int *ret_fd, struct err *err) MUST_CHECK;
/* Ends it if it still runs, and reaps it. */
void keyd_parse_end(pid_t pid);

#endif
