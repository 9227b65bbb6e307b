/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of room appraise. */
#ifndef QAIR_APPRAISE_PRIVATE_H
#define QAIR_APPRAISE_PRIVATE_H

#include "appraise.h"

/* What the steps work on and leave behind. */
struct appraise_work {
    const struct appraise_input *in;
    struct evidence e;
    struct evidence_events events;
    struct appraisal *out;
    struct appraise_detail *detail;
    struct appraisal files; /* findings of the comparison with the reference */
    bool brief;             /* nobody looks at claims that no rule needs */
};

/* Adds a finding; the texts are made safe to show. */
void appraise_add(struct appraisal *a, enum appraise_reason reason,
        struct span claim, const char *expected, const char *actual);
/* The same with bytes as hex. */
void appraise_add_hex(struct appraisal *a, enum appraise_reason reason,
        const char *claim, struct span expected, struct span actual);
/* All findings of another. */
void appraise_add_all(struct appraisal *a, const struct appraisal *from);
/* A part of the evidence that does not verify. */
void appraise_note(struct appraise_work *w, const char *part, const char *why);

/* Every difference between genuine evidence and a reference is added. */
void appraise_compare(const struct evidence *e,
        const struct evidence_events *events, const struct pack_reference *ref,
        struct appraisal *a);

/*
 * Claims of one kind of evidence, out of w->e, into w->detail->claims: none
 * when it is not there, a note and none when it does not verify.  The evidence
 * is genuine: the quoted PCR values are true.
 */
void appraise_tpm(struct appraise_work *w);
void appraise_zone(struct appraise_work *w);
void appraise_firmware(struct appraise_work *w);
void appraise_snp(struct appraise_work *w);
void appraise_ima(struct appraise_work *w);
void appraise_drtm(struct appraise_work *w);
void appraise_device(struct appraise_work *w);
/* Of that log, which parses to its end and gives these values. */
void appraise_uki(struct appraise_work *w, const struct eventlog *log,
        const struct eventlog_pcrs *pcrs);

/* The state that rules give to the claims; findings when they give none. */
void appraise_rules(struct appraise_work *w);

#endif
