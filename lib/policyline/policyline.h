/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room policyline (floor 3, pure): the text that Qubes' qrexec-daemon and its
 * policy daemon exchange, both directions.  Specification, with what is
 * compatible and what is ours: docs/proto/policy-socket.md.
 *
 *     client                                   policy daemon
 *     policyline_request_format  ── socket ──► policyline_request_end, _parse
 *                                              policyline_from_result
 *     policyline_response_parse  ◄── EOF ──    policyline_response_format, or
 *                                              policyline_deny
 *
 * and the two socket services that qubes may ask what a policy would say,
 * policy.EvalSimple and policy.EvalGUI: policyline_eval_parse.
 *
 * Parsers are strict: a key that comes twice or is empty, a byte that is not
 * printable ASCII, a missing key, a text over its limit, a deny that carries
 * what only an allow has.  Unknown keys: an error in a request, ignored in a
 * response, as upstream has it; that is what lets our deny say reason=, while
 * a deny without one (upstream's) is read too.
 *
 * Spans that come out point into what the caller put in.  No heap, no I/O;
 * any process may call it.  Errors: ERR_SYNTAX and ERR_LIMIT with a message
 * that is fit to be a reason.
 */
#ifndef QAIR_POLICYLINE_H
#define QAIR_POLICYLINE_H

#include "base.h"
#include "policy.h"

#define POLICYLINE_SOCKET      "/run/qubes/policy.sock"
#define POLICYLINE_EVAL_SOCKET "/etc/qubes-rpc/policy.EvalSimple"
#define POLICYLINE_GUI_SOCKET  "/etc/qubes-rpc/policy.EvalGUI"

/* Of the largest request that can be allowed: service and four names. */
#define POLICYLINE_REQUEST_MAX 8192
/* What upstream's daemon reads of a response. */
#define POLICYLINE_RESPONSE_MAX 4096

/* ---- request ------------------------------------------------------------ */

struct policyline_request {
    struct span source;           /* who calls, as the asking daemon knows */
    struct span target;           /* intended_target; may be empty */
    struct span service;          /* service_and_arg */
    struct span requested_source; /* RemoteVM that source relays; or empty */
    bool assume_yes;    /* assume_yes_for_ask: what was asked for is chosen */
    bool just_evaluate; /* answer allow or deny, ask nobody, notify nobody */
};

/*
 * Length of the request at the front of text, with its empty line; 0 when more
 * bytes are needed.  At the end of the stream what there is, is the request.
 */
size_t policyline_request_end(struct span text);
/* All of text is one request; the last empty line may be missing. */
int policyline_request_parse(struct span text, struct policyline_request *ret,
        struct err *err) MUST_CHECK;
/* ERR_LIMIT when cap or POLICYLINE_REQUEST_MAX is too small, ERR_SYNTAX. */
int policyline_request_format(const struct policyline_request *r, char *ret,
        size_t cap, size_t *ret_len, struct err *err) MUST_CHECK;

/* ---- response ----------------------------------------------------------- */

/*
 * Fields other than reason count for an allow, and of the answer to
 * just_evaluate none does (has_target false).
 */
struct policyline_response {
    bool allow;
    bool has_target;
    bool autostart;
    struct span user;             /* "DEFAULT" is the target's default */
    struct span target;           /* NAME, "dom0" or "@dispvm:NAME" */
    struct span target_uuid;      /* "uuid:U", "@dispvm:uuid:U"; may be empty */
    struct span requested_target; /* what the caller asked for */
    struct span service;          /* replaces the service; empty: it stays */
    struct span policy_source;    /* replaces the caller's name; or empty */
    struct span reason;           /* deny: why, if it was said */
};

/*
 * just_evaluate: as it stood in the request; without it an allow must say
 * user, target, autostart and requested_target.
 */
int policyline_response_parse(struct span text, bool just_evaluate,
        struct policyline_response *ret, struct err *err) MUST_CHECK;
/* Canonical; ERR_LIMIT, ERR_SYNTAX.  An allow that cannot be said is denied. */
int policyline_response_format(const struct policyline_response *r, char *ret,
        size_t cap, size_t *ret_len, struct err *err) MUST_CHECK;
/* A deny with reason made printable and, if need be, cut; never fails. */
#define POLICYLINE_DENY_MAX 256
size_t policyline_deny(
        const char *reason, char ret[static POLICYLINE_DENY_MAX]);

/* Texts that policyline_from_result had to put together. */
struct policyline_store {
    char target[80], target_uuid[320];
    char service[LIMIT_SERVICE_MAX + 1];
};

/*
 * What an allow of the engine is on this socket: a RemoteVM behind a relay is
 * a call to the relay's transport service.  ERR_DENIED, and why, where Qubes
 * has no way to carry it: verdict is no allow, a RemoteVM of a zone, a relay
 * that would call itself, a service that grows too long.
 */
int policyline_from_result(const struct policy_result *r,
        const struct policy_system *system, struct policyline_store *store,
        struct policyline_response *ret, struct err *err) MUST_CHECK;

/* ---- policy.EvalSimple, policy.EvalGUI ---------------------------------- */

/* Longest text of such a call: descriptor and body. */
#define POLICYLINE_EVAL_MAX (LIMIT_SERVICE_MAX + 256)

struct policyline_eval {
    struct span caller;  /* the qube that wants to know */
    struct span service; /* what it asks about: NAME or NAME+ARG */
    struct span source;  /* at most 31 */
    struct span target;  /* at most 63 */
};

/*
 * All that came until the end of the stream:
 * "SERVICE+ARG CALLER[ TYPE TARGET]\0" and "SOURCE\0TARGET".  name is the
 * service that is served here.
 */
int policyline_eval_parse(struct span text, const char *name,
        struct policyline_eval *ret, struct err *err) MUST_CHECK;
/* "result=allow\n" or "result=deny\n": all that a qube may learn. */
const char *policyline_eval_answer(bool allow);

#endif
