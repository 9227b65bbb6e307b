/* SPDX-License-Identifier: Apache-2.0 */
/* The child that reads one artefact and says what its digests are. */
#ifndef QAIR_KEYD_PARSE_H
#define QAIR_KEYD_PARSE_H

#include "keyd_ring.h"

#include <sys/types.h>

/* One that was forked and waits for its artefact. */
struct keyd_parser {
    pid_t pid; /* 0: there is none */
    int order, answer;
};
#define KEYD_PARSER_NONE ((struct keyd_parser){.order = -1, .answer = -1})

/*
 * Forks, unless one waits.  The child keeps no descriptor but its two, no seed
 * and no TPM, and may read, write and exit, and receive on the one of them.
 */
int keyd_parse_prepare(struct keyd_ring *ring, struct keyd_parser *p,
        struct err *err) MUST_CHECK;
/*
 * Hands the artefact to the child that waits, or to a new one.  It writes one
 * struct profile_digests when it has read the artefact to its end, or nothing.
 * The caller keeps its own descriptor of the artefact.
 */
int keyd_parse_start(struct keyd_ring *ring, struct keyd_parser *p,
        enum profile_id profile, int artefact, pid_t *ret_pid, int *ret_fd,
        struct err *err) MUST_CHECK;
/* Ends it if it still runs, and reaps it. */
void keyd_parse_end(pid_t pid);
/* The same for one that waits. */
void keyd_parse_drop(struct keyd_parser *p);

#endif
