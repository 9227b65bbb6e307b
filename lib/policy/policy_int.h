/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of room policy: how rules, words and qubes are held. */
#ifndef QAIR_POLICY_INT_H
#define QAIR_POLICY_INT_H

#include "policy.h"

/* ---- memory that is freed as a whole (policy_arena.c) ------------------ */

struct policy_chunk;
struct policy_arena {
    struct policy_chunk *chunks;
    size_t left; /* in the newest chunk */
    uint8_t *next;
};

/* Zeroed and aligned for any object; NULL when memory is exhausted. */
void *policy_arena_new(struct policy_arena *a, size_t len) MUST_CHECK;
/* A copy of s; false when memory is exhausted. */
bool policy_arena_copy(struct policy_arena *a, struct span s, struct span *ret)
        MUST_CHECK;
void policy_arena_fini(struct policy_arena *a);

/* ---- names of files (policy_name.c) ------------------------------------ */

/* Byte order. */
int policy_name_cmp(struct span a, struct span b);
bool policy_name_has_prefix(struct span s, struct span prefix);
bool policy_name_has_suffix(struct span s, const char *suffix);
/* The part of name behind dir, if that is one file name; else empty. */
struct span policy_name_in_dir(struct span name, struct span dir);
/* a-z 0-9 _ . - only. */
bool policy_name_is_file(struct span base);
/*
 * Simplifies "." and ".." and doubled slashes of path into buf.  False when
 * it is absolute, leaves the folder, or is too long.
 */
bool policy_name_normalise(struct span path, char *buf, size_t cap, size_t *ret)
        MUST_CHECK;

/* ---- designations of qubes (policy_token.c) ---------------------------- */

enum policy_token_kind {
    POLICY_TOKEN_NAME,        /* NAME or uuid:U */
    POLICY_TOKEN_ANY,         /* "*": dom0 too */
    POLICY_TOKEN_ANYVM,       /* all but dom0 */
    POLICY_TOKEN_ADMINVM,     /* dom0 */
    POLICY_TOKEN_DEFAULT,     /* nothing asked for */
    POLICY_TOKEN_DISPVM,      /* from the source's default template */
    POLICY_TOKEN_DISPVM_NAME, /* from this template */
    POLICY_TOKEN_DISPVM_TAG,  /* from a template with this tag */
    POLICY_TOKEN_TAG,
    POLICY_TOKEN_TYPE,
};

/* Where a word may stand. */
enum policy_place {
    POLICY_PLACE_SOURCE = 1,
    POLICY_PLACE_TARGET = 2,
    POLICY_PLACE_REDIRECT = 4, /* target= and default_target= */
    POLICY_PLACE_REQUEST = 8,
};

struct policy_token {
    enum policy_token_kind kind;
    struct span text;  /* as spelled */
    struct span value; /* behind the prefix; NAME: all of it */
};

#define POLICY_UUID_PREFIX "uuid:"
#define POLICY_UUID_DOM0   "00000000-0000-0000-0000-000000000000"

/* False when the word may not stand there. */
bool policy_token_parse(struct span text, enum policy_place place,
        struct policy_token *ret) MUST_CHECK;

/* ---- words, each stored once and known by number (policy_word.c) ------- */

#define POLICY_WORD_NONE UINT32_MAX

struct policy_words {
    struct span *words;
    uint32_t n_words, cap_words;
    uint32_t *slots; /* open addressing: number, or POLICY_WORD_NONE */
    uint32_t n_slots;
};

int policy_words_add(struct policy_words *w, struct policy_arena *a,
        struct span text, uint32_t *ret) MUST_CHECK;
/* The number of prefix followed by text; POLICY_WORD_NONE when unknown. */
uint32_t policy_words_find(
        const struct policy_words *w, const char *prefix, struct span text);
void policy_words_fini(struct policy_words *w);

/* ---- rules ------------------------------------------------------------- */

enum policy_action {
    POLICY_ACTION_DENY,
    POLICY_ACTION_ALLOW,
    POLICY_ACTION_ASK
};

struct policy_rule {
    uint32_t service, argument; /* words; policy.any for "*" */
    uint32_t source, target;    /* words, dom0 spelled "@adminvm" */
    struct policy_token target_token;
    struct policy_token redirect; /* text.ptr NULL: none */
    struct policy_token default_target;
    struct span user; /* ptr NULL: none */
    struct span file;
    struct span text;
    unsigned line;
    enum policy_action action;
    struct span state; /* of the source's zone; ptr NULL: any */
    bool emulated;
    bool autostart;
    bool notify;
};

/* Rules of one service, argument and source, by number. */
struct policy_group {
    uint32_t service, argument, source;
    uint32_t first, count; /* in order[] */
};

/* The target stands beside the number: a long group is read in one sweep. */
struct policy_order {
    uint32_t rule, target;
};

struct policy {
    struct policy_arena arena;
    struct policy_words words;
    uint32_t any; /* the word "*" */
    struct policy_rule *rules;
    uint32_t n_rules, cap_rules;
    struct policy_order *order; /* by group, then by rule */
    struct policy_group *groups;
    uint32_t n_groups;
    bool of_zone;       /* rules may want a state */
    const char *broken; /* reason to deny everything; NULL when sound */
};

/* Reads all files into p->rules (policy_parse.c). */
int policy_parse(struct policy *p, const struct policy_files *files,
        struct err *err) MUST_CHECK;
/* Fills order and groups (policy_index.c). */
int policy_index_build(struct policy *p, struct err *err) MUST_CHECK;
const struct policy_group *policy_index_find(const struct policy *p,
        uint32_t service, uint32_t argument, uint32_t source);

/* ---- system ------------------------------------------------------------ */

struct policy_system {
    struct policy_arena arena;
    struct policy_qube *qubes;
    size_t n_qubes;
    const struct policy_qube **by_name, **by_uuid;
    const struct policy_qube *dom0;
};

static inline size_t policy_system_index(
        const struct policy_system *s, const struct policy_qube *q)
{
    return (size_t)(q - s->qubes);
}

bool policy_qube_has_tag(const struct policy_qube *q, struct span tag);

/* ---- a request made ready for matching (policy_query.c) ---------------- */

/* Words that match the request's source: "*", names, tags. */
#define POLICY_QUERY_SOURCES (POLICY_TAGS_MAX + 8)

struct policy_query {
    const struct policy *policy;
    const struct policy_system *system;
    const struct policy_qube *source;
    struct policy_token target;
    const struct policy_qube *target_qube; /* of NAME, ADMINVM, DISPVM_NAME */
    uint32_t service, argument;
    uint32_t sources[POLICY_QUERY_SOURCES];
    size_t n_sources;
    uint32_t targets[POLICY_TAGS_MAX + 8];
    size_t n_targets;
    uint64_t target_mask; /* bit word % 64 of each: most rules stop here */
    struct span state;    /* without POLICY_EMULATED; empty: none */
    bool emulated;
};

/* False, with ret denied and its reason set, when the request is no good. */
bool policy_query_init(struct policy_query *q, const struct policy *p,
        const struct policy_system *s, const struct policy_request *request,
        struct policy_result *ret) MUST_CHECK;
bool policy_query_has_source(const struct policy_query *q, uint32_t word);
bool policy_query_has_target(const struct policy_query *q, uint32_t word);
bool policy_query_has_state(
        const struct policy_query *q, const struct policy_rule *rule);
/* The template of a plain @dispvm for this source; NULL when it has none. */
const struct policy_qube *policy_query_dispvm(const struct policy_query *q);

/* The qube that a token names, and whether a disposable of it. */
struct policy_target policy_target_of(
        const struct policy_query *q, const struct policy_token *t);

/* ---- results ----------------------------------------------------------- */

void policy_result_deny(struct policy_result *r, enum policy_class cls,
        const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Answers an ask rule (policy_ask.c). */
void policy_ask(const struct policy_query *q, const struct policy_rule *rule,
        struct policy_result *ret);
bool policy_may_start(
        const struct policy_rule *rule, const struct policy_target *t);

#endif
