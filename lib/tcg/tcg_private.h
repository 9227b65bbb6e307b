/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room tcg. */
#ifndef QAIR_TCG_PRIVATE_H
#define QAIR_TCG_PRIVATE_H

#include "tcg.h"

/* TPM_ECC_CURVE (TCG Algorithm Registry). */
#define TCG_CURVE_P256     0x0003
#define TCG_CURVE_P384     0x0004
#define TCG_CURVE_P521     0x0005
#define TCG_COORDINATE_MAX 66

/*
 * The selection whatever is wrong with it, so that each reason can be told;
 * *ret_twice: a bank stands in it more than once.
 */
enum tcg_why tcg_selection_parse(struct wire_reader *r,
        struct tcg_selection *ret, bool *ret_twice) MUST_CHECK;
/*
 * Bits of enum tcg_why; *ret is not to be believed unless 0.  With *ret_parsed
 * all of its fields can at least be shown, else those that came before.
 */
uint32_t tcg_attest_parse(struct span bytes, struct tcg_attested *ret,
        bool *ret_parsed) MUST_CHECK;
int tcg_verify_with(const struct crypto_pub *pub, struct span attest,
        const struct tcg_signature *sig, struct err *err) MUST_CHECK;
/* The first reason why p is no AK, or TCG_WHY_NONE; all in bits. */
uint32_t tcg_ak_reasons(const struct tcg_public *p) MUST_CHECK;

/* v as size bytes, zeros in front; false when it does not fit. */
bool tcg_pad(struct span v, uint8_t *ret, size_t size) MUST_CHECK;
/* Bytes of a coordinate; 0 for a curve that is not known here. */
size_t tcg_curve_size(uint16_t curve);

#endif
