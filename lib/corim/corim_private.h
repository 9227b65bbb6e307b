/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: readers of the parts of a manifest. */
#ifndef QAIR_CORIM_PRIVATE_H
#define QAIR_CORIM_PRIVATE_H

#include "corim.h"

/* ---- corim_list.c: what was found ------------------------------------ */

struct corim *corim_new(void) MUST_CHECK;
int corim_add_tag(struct corim *c, const struct corim_tag *t, struct err *err)
        MUST_CHECK;
int corim_add_env(struct corim *c, const struct corim_env *e, struct err *err)
        MUST_CHECK;
int corim_add_value(struct corim *c, const struct corim_value *v,
        struct err *err) MUST_CHECK;
int corim_add_link(struct corim *c, const struct corim_link *l, struct err *err)
        MUST_CHECK;
void corim_note(struct corim *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- corim_parts.c --------------------------------------------------- */

int corim_get_name(struct wire_reader r, const char *what,
        struct corim_name *ret, struct err *err) MUST_CHECK;
int corim_get_validity(struct wire_reader r, const char *what,
        struct corim_validity *ret, struct err *err) MUST_CHECK;
int corim_get_env(struct wire_reader *r, struct corim_env *ret, struct err *err)
        MUST_CHECK;
int corim_get_mkey(struct wire_reader r, struct corim_mkey *ret,
        struct err *err) MUST_CHECK;
/* crypto-key-type-choice */
int corim_get_key(struct wire_reader *r, struct corim_id *ret, struct err *err)
        MUST_CHECK;
int corim_check_entities(struct corim *c, struct wire_reader r,
        const char *what, struct err *err) MUST_CHECK;
/* A URI is tag 32 around text. */
bool corim_get_uri(struct wire_reader *r, struct span *ret) MUST_CHECK;
bool corim_is_oid(struct span s);
/*
 * Unknown members.  Negative keys are a profile's own and noted; others refuse,
 * as a later draft may have made them restrict what was understood.
 */
int corim_note_unknown(struct corim *c, const struct cbor_unknown *u,
        const char *what, struct err *err) MUST_CHECK;

/* ---- corim_digest.c -------------------------------------------------- */

/* ERR_SYNTAX for a value that is not of its type's form. */
int corim_bad(const struct corim_value *v, struct err *err);
/* Members of measurement-values-map, added value by value. */
int corim_get_digests(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err) MUST_CHECK;
int corim_get_registers(struct corim *c, struct wire_reader r,
        struct corim_value *v, struct err *err) MUST_CHECK;

/* ---- corim_measurement.c --------------------------------------------- */

/* measurement-map: each of its values, for the last environment and tag. */
int corim_get_measurement(struct corim *c, struct wire_reader *r,
        enum corim_role role, struct err *err) MUST_CHECK;

/* ---- corim_comid.c --------------------------------------------------- */

int corim_get_comid(struct corim *c, struct span comid, struct err *err)
        MUST_CHECK;

/* ---- corim_snp.c ----------------------------------------------------- */

/* What AMD's profile demands beyond the form. */
int corim_snp_check(const struct corim *c, struct err *err) MUST_CHECK;
int corim_snp_claim(const struct corim_value *v, enum corim_product product,
        struct corim_claim *ret, struct err *err) MUST_CHECK;

#endif
