/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's programs as events, in an order that their names alone decide. */
#ifndef QAIR_MEASURE_PROGRAMS_H
#define QAIR_MEASURE_PROGRAMS_H

#include "base.h"
#include "evidence.h"

/*
 * Each program of the folder, in byte order of the names, appended to the log.
 * One that is not a regular file, or a link to one, is an error.
 */
int measure_programs(int dirfd, struct buf *log, struct err *err) MUST_CHECK;

#endif
