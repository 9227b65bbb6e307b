/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR for tests in its diagnostic notation (RFC 8949, 8): numbers, 'text',
 * h'bytes', true, false, null, [...], {...}, 18(...), <<...>> for a byte string
 * of encoded items.  Heads are shortest; keys stay in the order written.
 */
#ifndef QAIR_CBOR_DIAG_H
#define QAIR_CBOR_DIAG_H

#include "cbor.h"

/* Fails the test when the notation is wrong or does not fit. */
struct span cbor_diag(const char *text, uint8_t *ret, size_t cap);

#endif
