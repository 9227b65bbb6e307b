/* SPDX-License-Identifier: Apache-2.0 */
/* Between qube.c, qube_exec.c and qube_hear.c. */
#ifndef QAIR_CALLD_QUBE_PRIVATE_H
#define QAIR_CALLD_QUBE_PRIVATE_H

#include "calld.h"

/* It broke a rule, or does not read: the qube ends. */
void qube_bury_and_stop(struct qube *q, const char *what);
/* Polls its link for what there is to do. */
void qube_watch(struct qube *q);
/* Takes the descriptors in any case. */
void qube_say(
        struct qube *q, const struct qrexec_msg *m, const int *fds, size_t n);
void qube_say_refused(struct qube *q, const char *ident, const char *where,
        const char *reason);
int qube_on_io(sd_event_source *s, int fd, uint32_t revents, void *user);

#endif
