/* SPDX-License-Identifier: Apache-2.0 */
/* The running qaird of a zone, seen from outside: its lock, its signals, its
 * run/status.json. */
#ifndef QAIR_ZONE_PROCESS_H
#define QAIR_ZONE_PROCESS_H

#include "cli.h"

#include <jansson.h>
#include <sys/types.h>

/* Who holds the zone's lock; 0: nobody.  ERR_NOT_FOUND: not a zone. */
int zone_process_pid(const struct cli *cli, pid_t *ret, struct err *err)
        MUST_CHECK;
/* run/status.json; NULL when there is none. */
json_t *zone_process_status(const struct cli *cli);
/* Waits until nobody holds the lock. */
int zone_process_wait_end(
        const struct cli *cli, unsigned timeout_ms, struct err *err) MUST_CHECK;
/* In the background; returns when the zone serves. */
int zone_process_start(const struct cli *cli, struct err *err) MUST_CHECK;
/* Becomes qaird; returns on failure alone. */
int zone_process_run(const struct cli *cli, struct err *err);

#endif
