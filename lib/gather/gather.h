/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room gather (floor 4): a folder of a zone's configuration into a bundle.
 *
 * qaird gathers what is measured and handed to the roles; the command gathers
 * the same to tell what a zone would do or what its digests are.  One code
 * does both, so that both see the same bytes.
 *
 * Names with a leading dot are skipped; whatever else is wanted must be a
 * regular file of at most LIMIT_CONF_FILE_MAX with a name that a bundle can
 * hold, or the whole folder is refused.  Links are not followed.
 */
#ifndef QAIR_GATHER_H
#define QAIR_GATHER_H

#include "buf.h"

/* path: relative to the folder. */
typedef bool gather_want(const char *path);

gather_want gather_conf;   /* "NAME.conf" */
gather_want gather_policy; /* "NAME.policy" and all of "include/" */
gather_want gather_any;    /* all but "*.tmp" of an interrupted write */

/*
 * The bundle of a folder, appended to the empty buffer ret.  An absent folder
 * is an empty bundle.
 */
int gather_folder(int dirfd, const char *folder, gather_want *want,
        struct buf *ret, struct err *err) MUST_CHECK;

#endif
