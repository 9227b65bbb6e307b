/* SPDX-License-Identifier: Apache-2.0 */
/* Predicates as tables of their members: statement_predicate.c walks them. */
#ifndef QAIR_STATEMENT_PRIVATE_H
#define QAIR_STATEMENT_PRIVATE_H

#include "statement.h"

#include <stddef.h>

enum statement_member_kind {
    ID,         /* 16 bytes, hex */
    DIGEST,     /* 32 bytes, hex */
    DIGEST_OPT, /* 32 bytes, "" for zero */
    SHA512,     /* 64 bytes, hex */
    TIME,
    U64,
    BOOL,
    NAME,     /* text_is_name */
    NAME_OPT, /* or empty */
    TEXT,     /* printable ASCII, not empty */
    TEXT_OPT,
    EVENT,         /* enum statement_channel_event */
    APPRAISAL_OPT, /* struct statement_appraisal; absent: none */
};

struct statement_member {
    const char *key;
    enum statement_member_kind kind;
    size_t offset;
    size_t max; /* of text */
};

/* Qube names and tokens as "@dispvm:NAME". */
#define QUBE_MAX  64
#define STATE_MAX STATEMENT_STATE_MAX
#define WHERE_MAX 128

#define M(key, kind, type, field, max)                                         \
    {                                                                          \
        key, kind, offsetof(struct type, field), max                           \
    }

/* Everything but the members: how a predicate gets its subject. */
struct statement_predicate {
    enum statement_kind kind;
    const struct statement_member *members; /* ends with a NULL key */
    /* Writes the subject's name and digest from the struct. */
    void (*subject)(const void *in, struct buf *ret_name, uint8_t *ret);
    /* Checks the values together; NULL when there is nothing to check. */
    const char *(*check)(const void *in);
};

/* scratch is as large as *in: what is written must read back. */
int statement_predicate_format(const struct statement_predicate *p,
        const void *in, void *scratch, struct buf *ret, struct err *err)
        MUST_CHECK;
int statement_predicate_parse(const struct statement_predicate *p,
        const struct statement *s, void *ret, struct err *err) MUST_CHECK;

bool statement_predicate_is_zero(const uint8_t d[static STATEMENT_DIGEST]);
void statement_predicate_subject_call(
        const uint8_t id[static STATEMENT_CALL_ID], struct buf *name,
        uint8_t *ret);
/* The digest itself, or for none that of a text. */
void statement_predicate_subject_digest(
        const uint8_t d[static STATEMENT_DIGEST], struct span text,
        uint8_t *ret);

#endif
