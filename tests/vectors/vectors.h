/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors: cases with an independently established verdict.
 *
 * A folder of a case holds its inputs and an expected.json; script/vectors
 * walks a tree of them.  A judge works out everything from the inputs alone
 * and then compares, member by member, with what `expect` says.  One process a
 * case: a judge may be careless with memory, and a crash is a failure.
 *
 * What a judge does not know is a disagreement too (vectors_known), so that a
 * member which nobody compares cannot pass for one that agrees.
 */
#ifndef QAIR_VECTORS_H
#define QAIR_VECTORS_H

#include "base.h"
#include "buf.h"

#include <jansson.h>

/* No input of a vector is larger. */
#define VECTORS_FILE_MAX (64u << 20)

struct vectors_case {
    const char *folder; /* of the file that describes it */
    const char *id;
    json_t *json;   /* the case: its inputs */
    json_t *file;   /* the whole file, when it holds several cases */
    json_t *expect; /* json's member, or json itself when it has none */
    unsigned disagreements;
};

typedef void vectors_judge(struct vectors_case *c);

struct vectors_kind {
    const char *name;
    /* For files that name no kind: is it one of these?  NULL: never. */
    bool (*recognise)(json_t *file);
    const char *each; /* member with an array of cases, or NULL: one case */
    vectors_judge *judge;
};

/* Each judge's table, ended by a row without a name. */
extern const struct vectors_kind vectors_bundle[];
extern const struct vectors_kind vectors_ekcert[];
extern const struct vectors_kind vectors_eventlog[];
extern const struct vectors_kind vectors_evidence[];
extern const struct vectors_kind vectors_rats[];
extern const struct vectors_kind vectors_selftest[];
extern const struct vectors_kind vectors_ima[];
extern const struct vectors_kind vectors_snp[];
extern const struct vectors_kind vectors_spdm[];
extern const struct vectors_kind vectors_snp_launch[];
extern const struct vectors_kind vectors_uki[];
extern const struct vectors_kind vectors_policy[];
extern const struct vectors_kind vectors_quote[];

/* ---- for judges ------------------------------------------------------ */

void vectors_disagree(struct vectors_case *c, const char *what,
        const char *want, const char *got);
/* The same, with a text of the judge's own. */
void vectors_complain(struct vectors_case *c, const char *fmt, ...)
        PRINTF_LIKE(2, 3);

/* Member of `files` by name, a path; or the path itself when it is listed. */
const char *vectors_file(const struct vectors_case *c, const char *name);
/* A path as the case names it, in its folder; ends the case when absurd. */
void vectors_path(
        const struct vectors_case *c, const char *name, char ret[static 4096]);
/* A whole file; a file that cannot be read ends the case as failed. */
struct span vectors_load(struct vectors_case *c, const char *name);
bool vectors_exists(const struct vectors_case *c, const char *name);

/* Text member, or NULL. */
const char *vectors_text(json_t *o, const char *name);
/* Lower-case hex with or without 0x; heap that lives with the process. */
bool vectors_hex(const char *text, struct span *ret);
bool vectors_base64(const char *text, struct span *ret);
/* "2026-01-01", "2026-01-01T00:00:00+00:00" or ...Z to unix seconds. */
bool vectors_time(const char *text, uint64_t *ret);

/*
 * Compare a member of expect when it is there; absent or null members are not
 * looked at.  Numbers may be written as numbers or as "0x..".
 */
void vectors_is_bool(
        struct vectors_case *c, json_t *expect, const char *name, bool got);
void vectors_is_u64(
        struct vectors_case *c, json_t *expect, const char *name, uint64_t got);
void vectors_is_text(struct vectors_case *c, json_t *expect, const char *name,
        const char *got);
void vectors_is_hex(struct vectors_case *c, json_t *expect, const char *name,
        struct span got);
/* Every member of o is in the NULL-ended list, else it is a disagreement. */
void vectors_known(struct vectors_case *c, json_t *o, const char *const *known);

#endif
