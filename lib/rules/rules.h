/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room rules (floor 3, pure): claims, and the owner's rules over them.
 * Specification of the language and of all claims: docs/proto/rules.md.
 *
 *   claims_*  what evidence was found to say: a bounded list of typed values,
 *             each with its source in words
 *   rules_*   the text in which the owner says which claims a named state
 *             needs: parser, canonical writer, evaluator
 *
 * Room appraise fills claims from evidence that it verified, room pack reads
 * rules and sets of values that the owner signed, both ask rules_eval.
 *
 * A claim derives from a digest, or from data whose hash was checked, and from
 * nothing else.  What no signature covers (types of events, the end of an IMA
 * list that was not quoted) may be added as unattested: it is shown, and no
 * rule is ever met by it.
 *
 * A line of rules passes, fails, or is undecided: its claim is absent,
 * unattested or cannot be compared, or its set is empty, revoked or out of its
 * time.  Undecided never passes.  No rules, a state without lines, no state
 * whose lines all pass: no state.
 */
#ifndef QAIR_RULES_H
#define QAIR_RULES_H

#include "base.h"
#include "buf.h"

/* ---- values ---------------------------------------------------------- */

enum claim_type {
    CLAIM_BOOL = 1, /* yes, no */
    CLAIM_NUMBER,   /* u64: 17, 0x30000 */
    CLAIM_BYTES,    /* a digest or an id: lower-case hex */
    CLAIM_TEXT,     /* word, or "quoted words" */
    CLAIM_VERSION,  /* 1.55.21: the first part that differs decides */
    CLAIM_VECTOR,   /* 3.0.8.115: independent parts, each at least as high */
    CLAIM_TYPE_COUNT
};
/* "bool", "bytes"; "unknown". */
const char *claims_type_name(enum claim_type t);

#define CLAIM_NAME_MAX  47
#define CLAIM_BYTES_MAX 64 /* SHA-512, CHIP_ID */
#define CLAIM_TEXT_MAX                                                         \
    4096                  /* kernel command lines: 2,048 on x86, 4,096 else    \
                           */
#define CLAIM_PARTS_MAX 8 /* a TCB has at most eight bytes */

struct claim_value {
    enum claim_type type;
    bool yes;
    uint64_t number;
    struct span bytes; /* BYTES, TEXT (any bytes; shown safely) */
    size_t n_parts;    /* VERSION, VECTOR */
    uint64_t part[CLAIM_PARTS_MAX];
};

/*
 * As rules write it, in its one spelling, appended; text is a bare word when
 * it can be, else quoted, with \xHH for what is not printable.
 */
void claims_format_value(const struct claim_value *v, struct buf *ret);
struct claim_def;
/*
 * One value of the type (and size) of d.  Bytes and text are written to
 * room[text.len], which the value points into.
 */
int claims_parse_value(struct span text, const struct claim_def *d,
        uint8_t *room, struct claim_value *ret, struct err *err) MUST_CHECK;

/* ---- the table of claims --------------------------------------------- */

/*
 * Every claim there is.  A part N of a name stands for a number 0..255 ("the
 * PCR", "the device", "the measurement block").  A claim that is many has one
 * value for each file, image or line that was measured; a rule over it holds
 * when it holds for each of them and there is at least one.
 */
#define CLAIM_MANY  1u /* as above */
#define CLAIM_MOVES 2u /* changes by itself: no news in claims_diff */
struct claim_def {
    const char *name; /* "snp.vmpl", "firmware.pcr.N" */
    enum claim_type type;
    size_t size; /* BYTES: exactly; 0: 1..CLAIM_BYTES_MAX */
    unsigned flags;
    const char *from; /* the evidence that yields it: "TPM quote" */
    const char *help; /* one line */
};
size_t claims_table(const struct claim_def **ret);
/* NULL when there is no such claim. */
const struct claim_def *claims_find(struct span name);
/* As claims_find, or the name as it stands in the table, with N. */
const struct claim_def *claims_find_any(struct span name);
/* The closest name there is, "" when none is close; N stays N. */
const char *claims_suggest(struct span name);
/* The table for people: name, type, from, help; appended. */
void claims_help(struct buf *ret);

/* ---- claims ---------------------------------------------------------- */

/* All lines of the IMA list that the largest evidence holds, and others. */
#define CLAIMS_MAX 65536
/* Their names, sources and values together: 128 bytes each. */
#define CLAIMS_BYTES_MAX  (8u << 20)
#define CLAIMS_SOURCE_MAX 159

struct claim {
    const struct claim_def *def;
    const char *name;
    const char *source; /* "PCR 9, event 21 of the firmware log" */
    bool attested;
    bool disputed; /* two attested values: neither is believed again */
    size_t before; /* 1 + index of the last that is not many; 0: none */
    struct claim_value value;
};

struct claims_arena;
/* All zero is an empty list; claims_fini frees what it holds. */
struct claims {
    size_t n, size;
    struct claim *claim; /* in the order added */
    struct claims_arena *arena;
    size_t bytes;
    size_t last_one; /* as claim.before, of the whole list */
    bool unattested; /* what is added while this is set is */
    int error;       /* 0, ERR_LIMIT, ERR_MEMORY: the list is not whole */
};
void claims_fini(struct claims *c);

/*
 * Adding.  A name or type that is not in the table is a defect of the caller
 * and asserted, as is BYTES of another size than the table's.  Names with
 * numbers are formatted by the caller ("firmware.pcr.7").  The values are
 * copied; source may hold foreign text, it is made safe to show.
 *
 * A second attested value for a claim that is not many makes it unattested,
 * unless it is the same; an unattested one gives way.  Text longer than
 * CLAIM_TEXT_MAX is cut and unattested.  The first error sticks: a list that is
 * not whole decides nothing.
 */
void claims_add_bool(
        struct claims *c, const char *name, bool v, const char *source);
void claims_add_number(
        struct claims *c, const char *name, uint64_t v, const char *source);
void claims_add_bytes(
        struct claims *c, const char *name, struct span v, const char *source);
void claims_add_text(
        struct claims *c, const char *name, struct span v, const char *source);
/* VERSION or VECTOR. */
void claims_add_parts(struct claims *c, const char *name, const uint64_t *part,
        size_t n, const char *source);
/* The claims from index first on are shown, and satisfy no rule. */
void claims_unattested(struct claims *c, size_t first);
/* All of from, appended (sources and all). */
void claims_add_all(struct claims *c, const struct claims *from);
/* 0, or why the list is not whole. */
int claims_ok(const struct claims *c, struct err *err) MUST_CHECK;

/* The first of that name; NULL. */
const struct claim *claims_get(const struct claims *c, const char *name);
bool claims_value_eq(const struct claim_value *a, const struct claim_value *b);

/* What differs between two lists, in the order of names. */
struct claims_change {
    const struct claim *was; /* NULL: new */
    const struct claim *is;  /* NULL: gone */
};
/* At most max of them into ret; *ret_n is how many there are. */
int claims_diff(const struct claims *was, const struct claims *is,
        struct claims_change *ret, size_t max, size_t *ret_n, struct err *err)
        MUST_CHECK;

/* ---- sets of reference values ---------------------------------------- */

#define RULES_SET_NAME_MAX 63
/* A signed statement of 45,000 bytes holds no more SHA-256 in hex. */
#define RULES_SET_VALUES_MAX 1024

/* As the owner signed it (docs/proto/pack.md: qair:values/v1). */
struct rules_set {
    char name[RULES_SET_NAME_MAX + 1];
    const struct claim_def *def;    /* what these are values of */
    char claim[CLAIM_NAME_MAX + 1]; /* "firmware.pcr.4"; with N: of any */
    bool revoked;
    uint64_t since;
    uint64_t until; /* 0: no end */
    size_t n;
    const struct claim_value *value; /* BYTES: ascending */
    struct span recipe;              /* for people: how the values came about */
};
struct rules_sets {
    size_t n;
    const struct rules_set *set; /* no two of one name */
};

/* ---- rules ----------------------------------------------------------- */

#define RULES_TEXT_MAX   32768 /* in a statement of 45,000 bytes, as JSON */
#define RULES_STATES_MAX 16
#define RULES_LINES_MAX  256 /* over all states; a person reads them */
#define RULES_SETS_MAX   512 /* named in all lines: a set has 650 SHA-256 */
#define RULES_STATE_MAX  31  /* as PACK_STATE_MAX: golden */

enum rules_op {
    RULES_IS = 1,
    RULES_IS_NOT,
    RULES_IN,
    RULES_NOT_IN,
    RULES_AT_LEAST, /* NUMBER, VERSION, VECTOR */
    RULES_AT_MOST,
    RULES_OP_COUNT
};
const char *rules_op_name(enum rules_op op); /* "at least" */

struct rules_line {
    unsigned line; /* of the text, from 1 */
    const struct claim_def *def;
    char name[CLAIM_NAME_MAX + 1];
    enum rules_op op;
    struct claim_value value; /* not for IN, NOT_IN */
    size_t first_set, n_sets; /* for IN, NOT_IN: of rules.set */
};
struct rules_state {
    unsigned line;
    char name[RULES_STATE_MAX + 1];
    size_t first, n; /* of rules.line; n > 0 */
};
struct rules {
    size_t n_states, n_lines;
    struct rules_state state[RULES_STATES_MAX];
    struct rules_line *line;
    size_t n_sets;
    char (*set)[RULES_SET_NAME_MAX + 1]; /* names */
    uint8_t *bytes;                      /* what the values point into */
    size_t n_bytes;
};

/*
 * Strict: "line 7: there is no claim snp.vmlp; did you mean snp.vmpl?".
 * *ret is freed with rules_free.  Sets are looked at by rules_check.
 */
int rules_parse(struct span text, struct rules **ret, struct err *err)
        MUST_CHECK;
void rules_free(struct rules *r);
void rules_free_ptr(struct rules **r);
/* Every set that is named is there, and has values of that claim. */
int rules_check(const struct rules *r, const struct rules_sets *sets,
        struct err *err) MUST_CHECK;
/* Canonical: parse(format(r)) == r, comments are gone. */
void rules_format(const struct rules *r, struct buf *ret);
/* "snp.vmpl is 0", without '\n'; appended. */
void rules_format_line(
        const struct rules *r, const struct rules_line *l, struct buf *ret);

/* ---- evaluation ------------------------------------------------------ */

enum rules_outcome {
    RULES_PASS = 1,
    RULES_FAIL,
    RULES_UNDECIDED,
    RULES_OUTCOME_COUNT
};
const char *rules_outcome_name(enum rules_outcome o);

/* Why a line is undecided. */
enum rules_doubt {
    RULES_SURE = 0,
    RULES_ABSENT,       /* no evidence yields the claim */
    RULES_UNATTESTED,   /* it is said, and nothing proves it */
    RULES_INCOMPARABLE, /* versions of another length */
    RULES_NO_SET,       /* unknown, or of another type */
    RULES_SET_EMPTY,
    RULES_SET_REVOKED,
    RULES_SET_EARLY,  /* not valid yet */
    RULES_SET_LATE,   /* not valid any more */
    RULES_INCOMPLETE, /* the list of claims is not whole */
    RULES_DOUBT_COUNT
};
/* "no evidence yields it", "its set is revoked". */
const char *rules_doubt_text(enum rules_doubt d);

struct rules_judged {
    const struct rules_line *line;
    enum rules_outcome outcome;
    enum rules_doubt doubt;    /* when undecided */
    const struct claim *claim; /* what decided it; NULL: none */
};
struct rules_verdict {
    const struct rules_state *state; /* whose lines all pass; NULL: none */
    size_t n;                        /* all lines of all states, in order */
    struct rules_judged line[RULES_LINES_MAX];
};
/*
 * The verdict points into its inputs.  r may be NULL: no state.  skew: as
 * PACK_SKEW_S, clocks of owner and verifier may differ by it.
 */
void rules_eval(const struct rules *r, const struct rules_sets *sets,
        const struct claims *c, uint64_t time, uint64_t skew,
        struct rules_verdict *ret);

#endif
