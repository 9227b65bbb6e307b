/* SPDX-License-Identifier: Apache-2.0 */
/* Small PE images for tests: well-formed ones, to be bent by their tests. */
#ifndef QAIR_TEST_PE_FIXTURE_H
#define QAIR_TEST_PE_FIXTURE_H

#include "buf.h"

#define PE_FIXTURE_HEADERS 0x400u
#define PE_FIXTURE_PE      0x40u /* of the PE signature */
#define PE_FIXTURE_OPT     (PE_FIXTURE_PE + 24u)
#define PE_FIXTURE_CKSUM   (PE_FIXTURE_OPT + 64u)
#define PE_FIXTURE_CERT    (PE_FIXTURE_OPT + 112u + 32u)
#define PE_FIXTURE_TABLE   (PE_FIXTURE_OPT + 0xf0u)
#define PE_FIXTURE_ALIGN   0x200u
#define PE_FIXTURE_MAX     (1u << 20)

struct pe_fixture_section {
    const char *name;
    struct span data;
};

/* x86-64, PE32+, all sections in the order given, nothing behind them. */
void pe_fixture(const struct pe_fixture_section *s, size_t n, struct buf *ret);
/* Appends a certificate table with one entry and enters it in the header. */
void pe_fixture_sign(struct buf *image, struct span pkcs7);
void pe_fixture_set16(struct buf *image, size_t at, uint16_t v);
void pe_fixture_set32(struct buf *image, size_t at, uint32_t v);
uint32_t pe_fixture_get32(const struct buf *image, size_t at);

#endif
