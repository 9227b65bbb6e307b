/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the zone of this relay qube, over its relay.sock. */
#ifndef QAIR_RELAY_ZONE_H
#define QAIR_RELAY_ZONE_H

#include "base.h"
#include "msg.h"

#define RELAY_ZONE_DIR "/var/lib/qair" /* else $QAIR_ZONE */

/*
 * Connects, sends one message with fd (which is closed), waits for the answer:
 * 0 for MSG_OK.  ERR_DENIED: refused, in err "refused by WHERE: WHY"; other
 * codes: the zone was not reached.
 */
int relay_zone_ask(enum msg_type type, const void *msg, int fd, struct err *err)
        MUST_CHECK;

#endif
