/* SPDX-License-Identifier: Apache-2.0 */
/* Files and bundles as events, in an order that their names alone decide. */
#ifndef QAIR_MEASURE_FILES_H
#define QAIR_MEASURE_FILES_H

#include "base.h"
#include "evidence.h"

struct measure_sink {
    int (*event)(void *ctx, const struct evidence_event *e, struct err *err);
    void *ctx;
};

/* Each file of a bundle, in its order, as "PREFIXname". */
int measure_bundle(struct span bundle, const char *kind, const char *prefix,
        const struct measure_sink *sink, struct err *err) MUST_CHECK;
/*
 * Each entry of the folder whose name is wanted, in byte order.  An entry that
 * is not a regular file, or a link to one, is an error.
 */
int measure_folder(int dirfd, const char *kind, const char *prefix,
        bool (*wanted)(const char *name), const struct measure_sink *sink,
        struct err *err) MUST_CHECK;
/* What qaird and the agent start: a build folder holds other files too. */
bool measure_program_name(const char *name);

#endif
