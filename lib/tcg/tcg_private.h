/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room tcg. */
#ifndef QAIR_TCG_PRIVATE_H
#define QAIR_TCG_PRIVATE_H

#include "tcg.h"

/* TPM_ECC_CURVE (TCG Algorithm Registry). */
#define TCG_CURVE_P256 0x0003
#define TCG_CURVE_P384 0x0004

/* v as size bytes, zeros in front; false when it does not fit. */
bool tcg_pad(struct span v, uint8_t *ret, size_t size) MUST_CHECK;
/* Bytes of a coordinate; 0 for a curve that is not known here. */
size_t tcg_curve_size(uint16_t curve);

#endif
