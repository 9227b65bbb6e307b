/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room policytool (floor 3, pure): questions about a policy as a whole.
 *
 *     diff     what would two policies decide otherwise
 *     reach    can a qube ever get at another, over how many calls
 *     lint     rules that never decide, transport services that can be called
 *
 * None of them reasons about rules: each asks policy_eval, exhaustively, for
 * every source and every target that can be asked for, and for every service
 * and argument that the policies name, plus one of each that they do not name
 * and that stands for all others.  Where rules want a state of the source's
 * zone (state=), all of it is asked once for each such state, for the same on a
 * software TPM, and for a zone whose state is not known.  What is told is
 * therefore what the engine does, for these qubes when all of them run.  That
 * is work: services x sources x targets x states, at most POLICYTOOL_ASKS_MAX
 * of them, else ERR_LIMIT and nothing is told.
 *
 * Spans that are shown live as long as the universe.
 */
#ifndef QAIR_POLICYTOOL_H
#define QAIR_POLICYTOOL_H

#include "base.h"
#include "buf.h"
#include "policy.h"

#define POLICYTOOL_ASKS_MAX (UINT64_C(200) << 20) /* a minute or two */

/* A service and argument, or what stands for all others. */
struct policytool_service {
    struct span name;     /* "qubes.Gpg"; "*": any service not named */
    struct span argument; /* "+", "+x"; "*": any argument not named */
    struct span text;     /* to be asked about: NAME+ARG */
};

struct policytool_universe;

/*
 * Of n policies (1 or 2), which are borrowed, and the qubes.  Rules of a broken
 * policy name nothing.
 */
int policytool_universe_new(const struct policy *const *policies, size_t n,
        const struct policy_system *system, struct policytool_universe **ret,
        struct err *err) MUST_CHECK;
void policytool_universe_free(struct policytool_universe *u);
void policytool_universe_free_ptr(struct policytool_universe **u);
size_t policytool_services(const struct policytool_universe *u,
        const struct policytool_service **ret);

/*
 * An answer in words, appended: "deny", "allow target=vault user=root",
 * "ask work, vault default=vault".  The target is said when it is not what was
 * asked for, notify= when it is not usual.  "ask @anyvm" offers all that a
 * rule for @anyvm offers this caller, who is never offered to itself.
 */
void policytool_answer(const struct policy_result *r,
        const struct policytool_universe *u, struct buf *ret);

/* ---- diff ---------------------------------------------------------------- */

/* All sources get the one answer before and the other after, to each target. */
struct policytool_change {
    const struct policytool_service *service;
    /* That the source's zone is in; "": none that a rule for the service
     * wants; NULL: whatever it is, for no rule for the service wants one. */
    const char *state;
    const char *before, *after;
    const struct span *sources;
    size_t n_sources;
    const struct span *targets; /* as asked for */
    size_t n_targets;
};

/* Of the two policies of u; in order of services.  0 or ERR_LIMIT, ERR_MEMORY.
 * *ret_calls: how many source, target, service combinations differ.  After an
 * error, what was shown is not all. */
int policytool_diff(const struct policytool_universe *u,
        void (*show)(void *ctx, const struct policytool_change *c), void *ctx,
        uint64_t *ret_calls, struct err *err) MUST_CHECK;

/* ---- reach ----------------------------------------------------------------
 */

struct policytool_hop {
    struct span source, target;
    bool dispvm;       /* target: a new disposable of it */
    bool ask;          /* a person must agree */
    const char *asked; /* one target to ask for that leads there */
    const struct policytool_service *service; /* one that leads there */
    size_t n_services;                        /* that lead there */
    struct span state; /* that the source's zone must have; empty: any */
    struct span zone;  /* the hop leaves the zone; or empty */
    struct span relay; /* the same on a Qubes host; or empty */
};

#define POLICYTOOL_HOPS_MAX 16

/*
 * The shortest way from source to target by the first policy, of those the one
 * with the fewest questions; service: only calls of that name (empty: all).
 * 0 with *ret_n hops, 0 of them: there is no way.  Who is called is taken to
 * call on; disposables and dom0 are not.
 */
int policytool_reach(const struct policytool_universe *u, struct span source,
        struct span target, struct span service, size_t max_hops,
        struct policytool_hop ret[static POLICYTOOL_HOPS_MAX], size_t *ret_n,
        struct err *err) MUST_CHECK;

/* ---- lint ---------------------------------------------------------------- */

struct policytool_finding {
    bool is_error; /* the policy opens what must be shut */
    struct span file;
    unsigned line;
    struct span text;
    char what[ERR_MSG_MAX];
};

/*
 * Of the rules of the first policy, between these qubes: those that decide no
 * call and have no part in what an ask offers, so that nothing would change
 * without them; those that name a tag which no qube has; those that allow or
 * ask and never let anything through; those whose target= leads nowhere else.
 * And, as errors, those that let a qube call a transport service itself: that
 * of a RemoteVM, or qair.Relay.
 */
int policytool_lint(const struct policytool_universe *u,
        void (*show)(void *ctx, const struct policytool_finding *f), void *ctx,
        struct err *err) MUST_CHECK;

#endif
