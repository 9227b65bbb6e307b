/* SPDX-License-Identifier: Apache-2.0 */
/* The state that a running zone will be in when it takes new files. */
#ifndef QAIR_CLI_ATTEST_CHANGE_H
#define QAIR_CLI_ATTEST_CHANGE_H

#include "buf.h"
#include "evidence.h"

struct attest_change {
    struct buf log;
    uint8_t pcr[CRYPTO_SHA256_SIZE];
    uint32_t pcrs; /* that a recipe gave, bit i = PCR i */
    uint8_t predicted[TCG_PCRS][CRYPTO_SHA256_SIZE];
};
void attest_change_fini(struct attest_change *c);

/*
 * e: genuine evidence of the zone as it is; log and PCR 14 become those after
 * it took policy, qubes and services of zone_dir anew.  e lives no longer than
 * *c.  Its quote is then not one over its values: e is for approving, and no
 * evidence any more.
 */
int attest_change(struct evidence *e, const char *zone_dir,
        struct attest_change *c, struct err *err) MUST_CHECK;
/*
 * The same for a start of the zone with the files of zone_dir and the programs
 * of a folder.
 */
int attest_change_start(struct evidence *e, const char *zone_dir,
        const char *programs, struct attest_change *c, struct err *err)
        MUST_CHECK;
/*
 * The same for a reboot into other files: the PCRs of the recipe
 * (docs/proto/recipe.md) get its SHA-256 values.  Each must be quoted; PCR 14
 * is the zone's own and in no recipe.  A zone that took new files since its
 * start will not come up as it is, so that is refused.
 */
int attest_change_boot(struct evidence *e, const char *recipe,
        struct attest_change *c, struct err *err) MUST_CHECK;

#endif
