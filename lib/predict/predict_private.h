/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QAIR_PREDICT_PRIVATE_H
#define QAIR_PREDICT_PRIVATE_H

#include "predict.h"

/* Drops the events behind the first n, for a function that failed. */
void predict_rewind(struct predict *p, size_t n, uint32_t pcrs);
/* ASCII as UTF-16LE, without a NUL. */
int predict_utf16(
        struct span ascii, const char *what, struct buf *ret, struct err *err);

#endif
