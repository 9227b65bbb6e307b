/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dom0 starts the transport service with (docs/proto/relay.md).  Pure.
 *
 * dom0 rewrites a call to RemoteVM REMOTE into `qair.Relay+REMOTE+SERVICE+ARG`
 * in the relay qube, and the agent says who calls.  REMOTE is a name, which
 * has no '+'; what follows the first one is the service, with or without an
 * argument of its own, which may have more.
 */
#ifndef QAIR_RELAY_REQUEST_H
#define QAIR_RELAY_REQUEST_H

#include "base.h"

#define RELAY_SERVICE "qair.Relay"

struct relay_request {
    char source[LIMIT_NAME_MAX + 1];
    char target[LIMIT_NAME_MAX + 1];
    char service[LIMIT_SERVICE_MAX + 1]; /* NAME or NAME+ARG */
};

/*
 * argument: of the service; full_name and source: QREXEC_SERVICE_FULL_NAME and
 * QREXEC_REMOTE_DOMAIN of its environment, NULL when they are not set.  A
 * process that no agent started has none of them, or ones that do not agree.
 * ERR_DENIED then, ERR_SYNTAX or ERR_LIMIT for what is malformed.
 */
int relay_request_parse(const char *argument, const char *full_name,
        const char *source, struct relay_request *ret, struct err *err)
        MUST_CHECK;

#endif
