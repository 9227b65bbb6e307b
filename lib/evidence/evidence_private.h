/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room evidence. */
#ifndef QAIR_EVIDENCE_PRIVATE_H
#define QAIR_EVIDENCE_PRIVATE_H

#include "evidence.h"

/* TPM_ECC_CURVE (TCG Algorithm Registry). */
#define EVIDENCE_CURVE_P256 0x0003
#define EVIDENCE_CURVE_P384 0x0004

/* v as size bytes, zeros in front; false when it does not fit. */
bool evidence_tpm_pad(struct span v, uint8_t *ret, size_t size) MUST_CHECK;
/* Bytes of a coordinate; 0 for a curve that is not known here. */
size_t evidence_tpm_curve_size(uint16_t curve);

#endif
