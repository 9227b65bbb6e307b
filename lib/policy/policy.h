/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room policy (floor 2, pure): the policy language of Qubes OS R4.3, parsed,
 * indexed, evaluated and explained.  The language, and each place where this
 * engine differs from Qubes' own on purpose, stand in docs/policy.md.
 *
 *     policy_new          texts of files -> struct policy (heap, immutable)
 *     policy_system_new   table of qubes -> struct policy_system (same)
 *     policy_eval         both, and a request -> struct policy_result
 *
 * Both objects copy what they are given.  policy_eval and policy_explain use
 * no heap, change nothing and may run at once in many threads.  Spans in a
 * result point into the policy, the system and the request; it lives no
 * longer than the three.
 *
 * One evaluation path, deny on doubt: a policy with an error anywhere does not
 * come into being; its holder evaluates policy_new_broken() instead, which
 * denies every request with the error as the reason.
 *
 * Limits: LIMIT_POLICY_RULES_MAX rules, LIMIT_CONF_FILE_MAX a file,
 * LIMIT_CONF_LINE_MAX a line, LIMIT_POLICY_INCLUDE_DEPTH includes deep,
 * LIMIT_QUBES_MAX qubes, POLICY_TAGS_MAX tags a qube.
 */
#ifndef QAIR_POLICY_H
#define QAIR_POLICY_H

#include "base.h"
#include "conf.h"

/* ---- policy ----------------------------------------------------------- */

/*
 * A file as it is named from the policy folder: "30-user.policy",
 * "include/admin".  Rules come from files at the top whose name ends in
 * ".policy" and has no leading dot, in byte order of their names; others are
 * read when included.
 */
struct policy_file {
    struct span name;
    struct span text;
    unsigned root;     /* for a finder: which folder it lies in */
    struct span label; /* for a finder: its name in reasons; empty: name */
};

/*
 * Where includes come from on a Qubes host, whose rules may lie in several
 * folders and include what lies outside.  root is that of the file at the top
 * of the chain of includes, POLICY_ROOT_COMPAT below !compat-4.0.  One file
 * has one address as long as the parse lasts, however it is spelled.
 */
#define POLICY_ROOT_COMPAT 1000u
struct policy_finder {
    void *ctx;
    int (*file)(void *ctx, unsigned root, struct span path,
            const struct policy_file **ret, struct err *err) MUST_CHECK;
    /* Files at the top of a folder; the list is the finder's. */
    int (*dir)(void *ctx, unsigned root, struct span path,
            const struct policy_file *const **ret, size_t *ret_n,
            struct err *err) MUST_CHECK;
};

struct policy_files {
    const struct policy_file *files;
    size_t n_files;
    /* What !compat-4.0 reads: names are SERVICE or SERVICE+ARG. */
    const struct policy_file *compat;
    size_t n_compat;
    const char *no_compat; /* why that cannot be read; NULL: it can */
    const struct policy_finder *finder; /* NULL: includes are among files */
    /* Rules of a zone, not of a Qubes host: state= and emulated= are words. */
    bool of_zone;
};

struct policy;

/*
 * ERR_SYNTAX with "FILE:LINE: what is wrong", ERR_LIMIT or ERR_MEMORY.  Files
 * may come in any order; two of one name are an error.
 */
int policy_new(const struct policy_files *files, struct policy **ret,
        struct err *err) MUST_CHECK;
/* The same of the bundle `policy` (bundle.h), as a zone's daemons get it. */
int policy_new_from_bundle(
        struct span bundle, struct policy **ret, struct err *err) MUST_CHECK;
/* Denies everything, because of reason.  NULL when memory is exhausted. */
struct policy *policy_new_broken(const char *reason) MUST_CHECK;
void policy_free(struct policy *p);
void policy_free_ptr(struct policy **p);
size_t policy_rule_count(const struct policy *p);

enum policy_verdict { POLICY_DENY, POLICY_ALLOW, POLICY_ASK };

/* A rule's words as they are compared; "*" for any. */
struct policy_rule_view {
    struct span file, text;
    unsigned line;
    struct span service, argument; /* argument with its '+' */
    struct span source, target;
    enum policy_verdict action;
    bool has_redirect;
    struct span state; /* of the source's zone that the rule wants; or empty */
    bool emulated;     /* ... of a software TPM too */
};
/* i: in the order in which rules are looked at. */
void policy_rule_at(
        const struct policy *p, size_t i, struct policy_rule_view *ret);
/* The file of rule i, and whether it can match a request of service NAME. */
struct span policy_rule_file(const struct policy *p, size_t i);
bool policy_rule_has_service(
        const struct policy *p, size_t i, struct span service);

/* ---- system ----------------------------------------------------------- */

#define POLICY_TAGS_MAX 64 /* Qubes sets a handful; all are tried a request */

/* What the evaluator knows of a qube.  Empty spans are values not set. */
struct policy_qube {
    struct span name;
    struct span uuid; /* without "uuid:" */
    struct span type; /* AppVM, RemoteVM, AdminVM ... */
    const struct span *tags;
    size_t n_tags;
    struct span default_dispvm;
    struct span guivm;
    bool template_for_dispvms;
    bool internal; /* never offered to a person */
    bool running;
    /* RemoteVM behind a relay qube, as in Qubes. */
    struct span relayvm;
    struct span transport_rpc;
    /* RemoteVM of a zone of ours, and its name there. */
    struct span zone;
    struct span remote_name;
};

struct policy_system;

/* "dom0" (AdminVM) is added when it is missing. */
int policy_system_new(const struct policy_qube *qubes, size_t n,
        struct policy_system **ret, struct err *err) MUST_CHECK;
/*
 * The qubes of a zone of ours.  They count as running: who starts qubes
 * (calld) holds to the result's autostart.
 */
int policy_system_new_from_conf(const struct conf_qubes *qubes,
        struct policy_system **ret, struct err *err) MUST_CHECK;
void policy_system_free(struct policy_system *s);
void policy_system_free_ptr(struct policy_system **s);
/* All of them, dom0 among them. */
size_t policy_system_qubes(
        const struct policy_system *s, const struct policy_qube **ret);
/* By name, "uuid:U", or "@adminvm"; NULL when there is none. */
const struct policy_qube *policy_system_find(
        const struct policy_system *s, struct span name);

/* ---- evaluation ------------------------------------------------------- */

/* What room appraise puts behind the name of a state that a software TPM, or
 * one of no known maker, proved. */
#define POLICY_EMULATED  " (emulated)"
#define POLICY_STATE_MAX 31 /* of a state's name in a rule */

struct policy_request {
    struct span source;           /* who calls, as the zone itself knows it */
    struct span target;           /* as asked for; may be empty */
    struct span service;          /* NAME or NAME+ARG */
    struct span requested_source; /* RemoteVM that source relays; or empty */
    /* The approved state of the source's zone, as it was appraised: "golden",
     * "golden (emulated)".  Empty: not known, or not approved; rules that want
     * a state do not match then. */
    struct span state;
};

/* Who said no: the files, the request, a rule, or what allow came upon. */
enum policy_class {
    POLICY_CLASS_NONE,
    POLICY_CLASS_SYNTAX,
    POLICY_CLASS_REQUEST,
    POLICY_CLASS_POLICY,
    POLICY_CLASS_EXECUTE,
};

/* A qube, or a new disposable made from it. */
struct policy_target {
    const struct policy_qube *qube; /* NULL: none */
    bool dispvm;
    struct span text; /* as it was spelled; empty: the plain "@dispvm" */
};

enum policy_route {
    POLICY_ROUTE_LOCAL,
    POLICY_ROUTE_ZONE,  /* target.qube->zone carries it, under remote_name */
    POLICY_ROUTE_RELAY, /* target.qube->relayvm carries it (Qubes) */
};

#define POLICY_ASK_WORDS (LIMIT_QUBES_MAX / 64 + 1)

struct policy_result {
    enum policy_verdict verdict;
    enum policy_class deny_class;
    const struct policy_qube *source; /* as the rules saw it; NULL unknown */
    struct span requested;            /* normalised: "" is "@default" */
    struct span service;              /* NAME */
    struct span argument;             /* "+ARG", never empty */
    size_t rule;                      /* 1 + its number; 0: none decided */
    struct span rule_file;            /* empty when no rule decided */
    unsigned rule_line;
    struct span user; /* empty: the target's default */
    bool autostart;
    bool notify;
    bool relayed; /* requested_source was accepted and is the source */
    /* allow */
    enum policy_route route;
    struct policy_target target;   /* ask: the default, if there is one */
    struct policy_target ask_only; /* ask with target=: the one candidate,
                                      perhaps no qube that exists */
    /* ask without: candidates, bits by position in the system (policy_ask_next)
     */
    uint64_t ask_qubes[POLICY_ASK_WORDS];
    uint64_t ask_dispvms[POLICY_ASK_WORDS];
    char reason[ERR_MSG_MAX]; /* always set, one printable line */
};

/* Is text this state, of whatever TPM? */
bool policy_is_state(struct span text, struct span name);

/* Never fails: what cannot be decided is denied. */
void policy_eval(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request, struct policy_result *ret);

/* Candidates of an ask in table order; *pos starts at 0. */
bool policy_ask_next(const struct policy_result *r,
        const struct policy_system *s, size_t *pos, struct policy_target *ret)
        MUST_CHECK;

/* "NAME", "dom0", "@dispvm:NAME" or "@dispvm"; false when it does not fit. */
#define POLICY_TARGET_TEXT_MAX 80
bool policy_target_format(const struct policy_target *t, char *ret, size_t cap)
        MUST_CHECK;

/*
 * A person's answer to an ask: the request is judged again, with the policy
 * and the system of now, and choice, a candidate as policy_target_format wrote
 * it, must still be offered.  ret is an allow or a deny.
 */
void policy_choose(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request, struct span choice,
        struct policy_result *ret);

/*
 * A relayed call's service, "TRANSPORT+TARGET+SERVICE+ARG", from the decided
 * target; false when it does not fit.
 */
bool policy_format_relay(const struct policy_result *r, char *ret, size_t cap)
        MUST_CHECK;

/* Why a rule does or does not apply, in the order of its words. */
enum policy_match {
    POLICY_MATCH,       /* this rule decides */
    POLICY_MATCH_LATER, /* it would, but an earlier rule decided */
    POLICY_MATCH_SERVICE,
    POLICY_MATCH_ARGUMENT,
    POLICY_MATCH_SOURCE,
    POLICY_MATCH_STATE,
    POLICY_MATCH_TARGET,
};

struct policy_finding {
    struct span file;
    unsigned line;
    struct span text; /* the rule's line, trimmed */
    enum policy_match match;
};

const char *policy_match_name(enum policy_match m); /* "service differs" */
/* Shows every rule in order, then the result that policy_eval gives. */
void policy_explain(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request,
        void (*show)(void *ctx, const struct policy_finding *finding),
        void *ctx, struct policy_result *ret);

/* Would rule i decide the request if no rule came before it? */
bool policy_rule_fits(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request, size_t i) MUST_CHECK;

/* ---- doubts ------------------------------------------------------------ */

struct policy_doubt {
    struct span file;
    unsigned line;
    struct span text;
    char what[ERR_MSG_MAX];
};

/*
 * Shows rules that name a qube which is not there (s NULL: not looked at), and
 * rules that an earlier one with the same words, or "* * * *", leaves without
 * effect on a decision.  For a person; nothing is refused for it.  0 or
 * ERR_MEMORY.
 */
int policy_doubts(const struct policy *p, const struct policy_system *s,
        void (*show)(void *ctx, const struct policy_doubt *doubt), void *ctx)
        MUST_CHECK;

#endif
