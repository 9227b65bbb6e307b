/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's side of enrolment: docs/proto/enrol.md. */
#ifndef QAIR_CLI_PACK_ENROL_H
#define QAIR_CLI_PACK_ENROL_H

#include "enrol.h"
#include "pack_options.h"

/* qair zone challenge CLAIM --ca FILE -o CHALLENGE */
#define ZONE_CHALLENGE_ARGS "CLAIM --ca CA.pem -o CHALLENGE"
#define ZONE_CHALLENGE_HELP                                                    \
    "check a zone's claim and its EK certificate; ask what only its TPM can "  \
    "answer (the owner's side)"
int zone_challenge(struct cli *cli, int argc, char **argv);

/*
 * Claim, answer and challenge (with its ".secret" beside it) by file name: all
 * checks of enrol.md but the path of the EK certificate, which was checked
 * when the challenge was made.
 */
int pack_enrol_check(const char *claim, const char *answer,
        const char *challenge, uint64_t now, bool hardware,
        struct enrol_zone *ret, struct err *err) MUST_CHECK;

#endif
