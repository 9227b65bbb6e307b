/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One conversation of the event loop with a local service: connects, says what
 * it has to say, hears what comes, until it is freed, the peer ends it or time
 * is up.  Used for the policy service, for qubesd and for other daemons.
 */
#ifndef QAIR_QUBES_TALK_H
#define QAIR_QUBES_TALK_H

#include "base.h"

#include <systemd/sd-event.h>

struct talk; /* heap */

/*
 * r = 0: more came (talk_in).  Else the last call: ERR_PEER, the peer ended;
 * ERR_NOT_FOUND, nobody listens; ERR_TIMEOUT; ERR_LIMIT, the peer said more
 * than in_max; ERR_IO, ERR_MEMORY.  May free the talk.
 */
typedef void talk_fn(void *ctx, int r, struct err *err);

struct talk_config {
    sd_event *event;
    const char *path;
    struct span text; /* said first, copied; may be empty */
    bool end;         /* nothing more will be said */
    size_t in_max;
    unsigned timeout_s; /* for all of it */
    talk_fn *fn;
    void *ctx;
};

/* Errors as above, without a call of fn. */
int talk_new(const struct talk_config *c, struct talk **ret, struct err *err)
        MUST_CHECK;
void talk_free(struct talk *t); /* NULL is fine */
struct span talk_in(const struct talk *t);
void talk_consume(struct talk *t, size_t n);
/* At most 128 KiB that the peer did not take; ERR_LIMIT, ERR_PEER, ERR_IO. */
int talk_send(struct talk *t, struct span bytes, struct err *err) MUST_CHECK;
/* The peer may take as long as it likes from now on. */
void talk_no_deadline(struct talk *t);

#endif
