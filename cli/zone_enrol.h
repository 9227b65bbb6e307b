/* SPDX-License-Identifier: Apache-2.0 */
/* The zone's side of docs/proto/enrol.md, and its evidence: verbs of nouns. */
#ifndef QAIR_ZONE_ENROL_H
#define QAIR_ZONE_ENROL_H

#include "buf.h"
#include "cli.h"

/* qair zone enrol -o CLAIM */
#define ZONE_ENROL_ARGS "-o CLAIM"
#define ZONE_ENROL_HELP "write the zone's claim, for the owner to check"
int zone_enrol(struct cli *cli, int argc, char **argv);
/* qair zone answer CLAIM CHALLENGE -o ANSWER */
#define ZONE_ANSWER_ARGS "CLAIM CHALLENGE -o ANSWER"
#define ZONE_ANSWER_HELP "answer the owner's challenge with this zone's TPM"
int zone_answer(struct cli *cli, int argc, char **argv);
/* qair attest collect -o FILE [--binder HEX] */
#define ZONE_EVIDENCE_ARGS "-o FILE [--binder HEX] [--json]"
#define ZONE_EVIDENCE_HELP "this zone's evidence of its state now"
int zone_evidence(struct cli *cli, int argc, char **argv);
/* The evidence itself; binder: hex, or NULL for the one of references. */
int zone_evidence_take(struct cli *cli, const char *binder, struct buf *ret,
        struct err *err) MUST_CHECK;

#endif
