/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware event log for tests, and the PCRs that it leaves behind. */
#ifndef QAIR_TESTS_FIRMWARE_LOG_H
#define QAIR_TESTS_FIRMWARE_LOG_H

#include "pack_fixture.h"

struct firmware_log {
    struct buf bytes;
    uint8_t pcr[TCG_PCRS][CRYPTO_SHA256_SIZE];
};

void firmware_log_init(struct firmware_log *l);
void firmware_log_fini(struct firmware_log *l);
/* The digest is that of hashed, the data of the event is data. */
void firmware_log_add(struct firmware_log *l, unsigned pcr, uint32_t type,
        struct span hashed, struct span data);
void firmware_log_text(
        struct firmware_log *l, unsigned pcr, uint32_t type, const char *text);
/* A variable of PCR 7, of a vendor GUID: 0 global, 1 image security. */
void firmware_log_variable(struct firmware_log *l, uint32_t type, int vendor,
        const char *name, struct span value);
/* A tagged event of Linux; the digest is that of value alone. */
void firmware_log_tag(struct firmware_log *l, unsigned pcr, uint32_t tag,
        struct span hashed, struct span value);
/* 00000000 into PCRs 0 to 7. */
void firmware_log_separators(struct firmware_log *l);
/* A whole boot with the kernel's stub: secure boot, two images, command line
 * "ro quiet", initrd "initrd". */
void firmware_log_boot(struct firmware_log *l);
/* Extends a PCR without a word in the log. */
void firmware_log_silent(struct firmware_log *l, unsigned pcr, const char *s);
/* The machine quotes PCRs 0 to 13 and sends the log. */
void firmware_log_give(struct firmware_log *l, struct machine *m);

#endif
