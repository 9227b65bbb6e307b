/* SPDX-License-Identifier: Apache-2.0 */
/* LZMA streams of firmware images (liblzma; used by programs alone). */
#ifndef QAIR_CLI_UNLZMA_H
#define QAIR_CLI_UNLZMA_H

#include "buf.h"

/* A whole .lzma stream, at most ret's cap. */
int unlzma(struct span stream, struct buf *ret, struct err *err) MUST_CHECK;

#endif
