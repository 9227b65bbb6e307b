/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as the agent of a qube writes it (MSG_TRIGGER_SERVICE*), without
 * I/O.  More lenient than qrexec_msg_get where upstream is: what can be
 * answered is refused by its ident, and only the rest ends the link.
 */
#ifndef QAIR_QUBES_TRIGGER_H
#define QAIR_QUBES_TRIGGER_H

#include "qrexec.h"

#define TRIGGER_SERVICE_MAX 65000 /* with its NUL, as upstream */
#define TRIGGER2_SIZE       128
#define TRIGGER3_MIN        (QREXEC_NAME_SIZE + QREXEC_IDENT_SIZE + 1)
#define TRIGGER3_MAX        (TRIGGER3_MIN - 1 + TRIGGER_SERVICE_MAX)
#define TRIGGER4_MIN        (QREXEC_NAME_SIZE + TRIGGER3_MIN)
#define TRIGGER4_MAX        (QREXEC_NAME_SIZE + TRIGGER3_MAX)

struct trigger {
    uint8_t ident[QREXEC_IDENT_SIZE]; /* as it came, also on failure */
    struct qrexec_request asked;
    bool bare; /* the service came without '+' */
};

/*
 * body has a length within the bounds of its type.  ERR_SYNTAX, ERR_LIMIT:
 * to be refused, with the reason.
 */
int trigger_parse(uint32_t type, struct span body, struct trigger *ret,
        struct err *err) MUST_CHECK;

#endif
