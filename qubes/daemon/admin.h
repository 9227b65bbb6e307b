/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of qubesd's Admin API, as text (no I/O):
 *
 *     METHOD+ARG dom0 name DEST\0PAYLOAD      or "keyword" for an @DEST
 *     0\0VALUE     2\0TYPE\0TRACEBACK\0FORMAT\0...
 */
#ifndef QAIR_QUBES_ADMIN_H
#define QAIR_QUBES_ADMIN_H

#include "base.h"

#define ADMIN_SOCKET     "/var/run/qubesd.sock"
#define ADMIN_CALL_MAX   256
#define ADMIN_ANSWER_MAX 65536

/* ERR_LIMIT, ERR_SYNTAX: dest has a byte that is no name's. */
int admin_call(const char *method, const char *dest, const char *payload,
        uint8_t ret[static ADMIN_CALL_MAX], size_t *ret_len) MUST_CHECK;
/* The value; ERR_DENIED with qubesd's word for it, ERR_SYNTAX. */
int admin_answer(struct span text, struct span *ret, struct err *err)
        MUST_CHECK;
/* The exception that refused, as "QubesVMNotHaltedError", or empty. */
struct span admin_exception(struct span text);

#endif
