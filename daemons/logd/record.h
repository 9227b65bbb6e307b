/* SPDX-License-Identifier: Apache-2.0 */
/* What may become a record, and who may write it. */
#ifndef QAIR_LOGD_RECORD_H
#define QAIR_LOGD_RECORD_H

#include "crypto.h"
#include "msg.h"
#include "statement.h"

/*
 * The entry for an append of that peer, appended to ret: an envelope as it
 * came, or a statement in an envelope that the log key signs.  ERR_DENIED when
 * this role may not write such a record; ERR_SYNTAX when it is no record that
 * a reader could read.
 */
int record_entry(const struct msg_append *m, uint8_t peer, const char *zone,
        const struct crypto_key *log_key, struct buf *ret, struct err *err)
        MUST_CHECK;

#endif
