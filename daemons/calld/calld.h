/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-calld: owns the calls of a zone (docs/architecture.md, section 1).
 *
 *   calld.c   the role's tables, start, admin requests
 *   call.c    one call: life, refusal, end
 *   plan.c    the order of its steps
 *   step.c, step_decide.c   the steps
 *   ask.c     calls about which a person is asked
 *   ask_guivm.c   the same question put to a service policy.Ask
 *   running.c calls that have started
 *   dispvm.c  qubes that are made for one call
 *   share.c   how much of the zone one source may hold
 *   list.c    what `qair call list` shows
 *   qube.c, qube_hear.c, qube_exec.c   links to the agents of running qubes
 *   host.c    qubes of the Qubes host whose relay this zone is
 *   record.c  what calld has the log say
 *
 * A call is a value in a list.  Each of its steps asks one other role and goes
 * on when the answer came; no step holds up another call.  The first failure
 * becomes the call's refusal, which is recorded and then told to whoever
 * asked.  Nothing starts before its record is durable.
 */
#ifndef QAIR_CALLD_H
#define QAIR_CALLD_H

#include "buf.h"
#include "conf.h"
#include "crypto.h"
#include "link.h"
#include "qrexec.h"
#include "role.h"

#include <sys/queue.h>

/* Half of what the target accepts: clocks may differ by the other half. */
#define CALLD_DEADLINE_S (LIMIT_CALL_DEADLINE_S / 2)
/* A qube whose agent has not said hello by then is given up. */
#define CALLD_QUBE_START_S 60
#define CALLD_WHERE_MAX    96
#define CALLD_REASON_MAX   240
#define CALLD_TARGET_MAX   64
#define CALLD_RULE_MAX     300
#define CALLD_STATE_MAX    64
/* Refusals that one source may have recorded at once, and then a second each:
 * more than a person makes, less than fills a disk. */
#define CALLD_REFUSALS_BURST 256
/* Upstream's data ports; here they number the running services of a qube. */
#define CALLD_PORT_FIRST 513
#define CALLD_ID_TEXT    TEXT_HEX_SIZE(MSG_CALL_ID)
/* LIMIT_CALLS_MAX calls with the longest services, and all questions with all
 * that they offer: a call that is not seen cannot be ended.  The same in
 * cli/noun_call.c. */
#define CALLD_LIST_MAX ((size_t)32 << 20)

/* Open questions: more than a person answers; and of one source, so that one
 * cannot hide another's among its own. */
#define CALLD_QUESTIONS_MAX        64
#define CALLD_QUESTIONS_PER_SOURCE 4
/* A question is open so long, less when the call's envelope says less. */
#define CALLD_QUESTION_S 120
#define CALLD_ASK_REST_S 15 /* of an envelope's time, to start the target */

enum call_origin {
    CALL_OF_QUBE,  /* TRIGGER_SERVICE4 of an agent */
    CALL_OF_ADMIN, /* MSG_CALL: the owner, outside any qube */
    CALL_OF_RUN,   /* MSG_QUBE_RUN: a command, not a service */
    CALL_OF_ZONE,  /* MSG_INCOMING */
    CALL_OF_HOST,  /* MSG_RELAY_CALL: a qube of the Qubes host */
    CALL_OF_ASK,   /* this process: policy.Ask about another call */
};

enum call_plan {
    PLAN_DECIDE,
    PLAN_REMOTE,
    PLAN_LOCAL, /* the target is here, wherever the call came from */
    PLAN_RUN,
    PLAN_ASK, /* policy.Ask in a GuiVM */
    PLAN_COUNT
};

/* The state of a zone that calls, or is called, and the evidence for it. */
struct proof {
    char state[CALLD_STATE_MAX + 1]; /* empty: not known, or not approved */
    uint8_t evidence[MSG_DIGEST];
    uint64_t number, boot; /* netd's, of a zone that is called */
};

struct qube;
struct ask;
struct json_t;

struct call {
    LIST_ENTRY(call) entry;
    struct calld *d;
    enum call_origin origin;
    enum call_plan plan;
    size_t step; /* in the plan */
    bool refused;
    /* who waits for the answer */
    struct qube *source;
    char ident[QREXEC_IDENT_SIZE];
    struct role_ticket ticket;
    /* what was asked */
    char source_name[CALLD_TARGET_MAX + 1]; /* as the rules see it */
    char requested[CALLD_TARGET_MAX + 1];
    char service[LIMIT_SERVICE_MAX + 1];
    uid_t uid;                               /* of the owner who asks */
    char *command;                           /* CALL_OF_RUN */
    char peer_zone[LIMIT_ZONE_NAME_MAX + 1]; /* CALL_OF_ZONE, proved */
    struct buf envelope; /* that came, or that this zone signed */
    struct buf via;      /* that came, when this zone goes on with its own */
    struct proof from;   /* of peer_zone */
    struct proof to;     /* of zone, once it was asked for */
    /* what was decided */
    bool allowed;
    bool autostart;
    unsigned policies; /* calld's count when it was decided */
    uint8_t id[MSG_CALL_ID];
    uint64_t deadline;
    uint8_t policy[MSG_DIGEST];
    char source_zone[LIMIT_ZONE_NAME_MAX + 1];
    char source_qube[CALLD_TARGET_MAX + 1];
    char zone[LIMIT_ZONE_NAME_MAX + 1]; /* of the target; empty: here */
    char qube[CALLD_TARGET_MAX + 1];
    char user[LIMIT_NAME_MAX + 1];
    char rule[CALLD_RULE_MAX + 1];
    char template[LIMIT_NAME_MAX + 1]; /* the target is a disposable of it */
    char choice[CALLD_TARGET_MAX + 1]; /* a person's answer */
    struct ask *ask;                   /* the open question about it, or NULL */
    struct ask *about; /* CALL_OF_ASK; NULL: it is answered already */
    /* what goes where */
    struct qube *target;
    uint32_t port; /* of the service in it */
    int watch;     /* the callee's end once more, for running.c */
    uint64_t since;
    int data;      /* end of the stream for the target's side */
    int data_back; /* end for a source qube; -1 when the asker has it */
    int key;       /* the service's end of the key session, or -1 */
    /* the refusal */
    int code;
    char where[CALLD_WHERE_MAX + 1];
    char reason[CALLD_REASON_MAX + 1];
    unsigned left_out; /* refusals of this source before, not recorded */
};
LIST_HEAD(call_list, call);

enum qube_state {
    QUBE_STARTING, /* qaird was asked */
    QUBE_GREETING, /* the agent's hello is awaited */
    QUBE_UP,
    QUBE_BROKEN, /* goes in the next turn of the loop */
};

struct qube {
    LIST_ENTRY(qube) entry;
    struct calld *d;
    char name[LIMIT_NAME_MAX + 1];
    enum qube_state state;
    struct link *link;
    sd_event_source *io;
    sd_event_source *timer;
    sd_event_source *burial;
    unsigned running;                  /* services in it */
    char template[LIMIT_NAME_MAX + 1]; /* it is a disposable of it, or "" */
    struct rate refusals;              /* that are recorded */
    bool port_used[LIMIT_CALLS_PER_SOURCE];
    int port_key[LIMIT_CALLS_PER_SOURCE]; /* to end its key session, or -1 */
    char why[CALLD_REASON_MAX + 1];       /* it broke */
};
LIST_HEAD(qube_list, qube);

/* A call that has started; fields as in struct call. */
struct running {
    LIST_ENTRY(running) entry;
    struct calld *d;
    enum call_origin origin;
    uint8_t id[MSG_CALL_ID];
    uint64_t since;
    uid_t uid;
    int fd;
    sd_event_source *io;
    struct qube *target; /* NULL: in another zone */
    uint32_t port;
    unsigned checked; /* against the policy of that count */
    bool cut;         /* on its way out */
    char why[CALLD_REASON_MAX + 1];
    struct role_ticket asker;
    struct role_ticket killer;
    bool has_killer;
    struct proof from;
    /* as in struct call */
    char source_name[CALLD_TARGET_MAX + 1];
    char requested[CALLD_TARGET_MAX + 1];
    char peer_zone[LIMIT_ZONE_NAME_MAX + 1];
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    char qube[CALLD_TARGET_MAX + 1];
    char rule[CALLD_RULE_MAX + 1];
    char template[LIMIT_NAME_MAX + 1];
    char choice[CALLD_TARGET_MAX + 1];
    char service[]; /* last: most are short */
};
LIST_HEAD(running_list, running);

struct calld {
    struct role *role;
    char where[CALLD_WHERE_MAX + 1]; /* "zone NAME" */
    struct conf_qubes qubes_conf;
    struct call_list calls;
    unsigned n_calls;
    struct running_list running;
    unsigned n_running;
    unsigned policies;        /* that were in force, and states, counted */
    struct proof own;         /* as keyd said last */
    struct running *checking; /* against the newest, now */
    unsigned n_asking;
    struct qube_list qubes;
    unsigned n_qubes;
    /* Of other zones, as they came; in the last all that find no place. */
    struct {
        char zone[LIMIT_ZONE_NAME_MAX + 1];
        struct rate refusals;
    } peers[LIMIT_ZONES_MAX];
    struct rate host_refusals; /* of all qubes of the Qubes host */
    uint64_t log_size;         /* of the newest record known durable */
    uint8_t log_root[MSG_DIGEST];
};

/* ---- call.c ---------------------------------------------------------- */

/* NULL when there are too many calls already. */
struct call *call_new(struct calld *d, enum call_origin origin) MUST_CHECK;
void call_free(struct call *c);
/*
 * Is it what a call's stream can be?  Whoever calls chooses the descriptor,
 * and one that cannot be polled would end calld, one that cannot be shut down
 * would outlive the call.
 */
bool call_is_stream(int fd);
/* Takes the caller's stream; false: it is none, and c is refused. */
bool call_take_stream(struct call *c, const struct role_msg *m);
/* Records and tells; the call is gone or on its way when this returns. */
void call_refuse(struct call *c, int code, const char *where, const char *fmt,
        ...) PRINTF_LIKE(4, 5);
/* As call_refuse with the words of another. */
void call_refuse_as(struct call *c, const struct msg_refused *refused);
/* Nobody waits for the answer any more. */
void call_cancel(struct call *c);

/* The answer was a refusal: the call ends with it. */
bool call_is_refused(struct call *c, const struct role_msg *answer) MUST_CHECK;
/* Has logd append, and keeps what the answer tells of the log's size. */
void call_append(struct call *c, uint8_t kind, struct span payload,
        void (*done)(struct role *, const struct role_msg *, void *));
void call_note_log(struct calld *d, const struct role_msg *answer);

/* False: no call can hold it. */
bool call_take_proof(struct span state,
        const uint8_t evidence[static MSG_DIGEST], struct proof *ret)
        MUST_CHECK;
/* What proves the zone that the call comes from: this one's, or the peer's. */
const struct proof *call_source_proof(const struct call *c);

/* ---- plan.c ---------------------------------------------------------- */

void plan_start(struct call *c, enum call_plan plan);
/* The current step succeeded. */
void plan_next(struct call *c);

/* ---- step.c, step_decide.c ------------------------------------------- */

/* Each begins a step, which ends in plan_next or a refusal, now or later. */
void step_decide(struct call *c);
void step_appraise(struct call *c);
void step_envelope(struct call *c);
void step_record(struct call *c);
void step_record_envelope(struct call *c);
void step_open(struct call *c);
void step_start(struct call *c);
void step_key(struct call *c);
void step_exec(struct call *c);
void step_answer(struct call *c);

/* ---- qube.c ---------------------------------------------------------- */

/* NULL when it does not run and is not starting. */
struct qube *qube_find(struct calld *d, const char *name);
/* Makes c's target run and goes on with c, now or later. */
void qube_start(struct call *c);
/* One that is not there yet; NULL: too many. */
struct qube *qube_new(struct calld *d, const char *name) MUST_CHECK;
void qube_ask_start(struct qube *q);
/* It is not needed: its end, without a complaint. */
void qube_end(struct qube *q, const char *what);
/* The service of that port has no key any more, whether it has ended or not. */
void qube_end_key_session(struct qube *q, uint32_t port);

/* ---- dispvm.c -------------------------------------------------------- */

/* As qube_start, in a new disposable, which ends with the call. */
void qube_start_disposable(struct call *c);
/* c's target, or a running call's, is not needed any more. */
void qube_release(struct qube *target);
/* Runs c's command in its target, which is up. */
void qube_exec(struct call *c);
/* The answers to a call of a qube. */
void qube_connect(struct call *c);
void qube_refuse(struct call *c);
void qube_on_gone(struct role *r, const struct role_msg *m);
/* Of an agent: one without a qube of its own is called "@...". */
struct qube *qube_adopt(struct calld *d, const char *name, int fd) MUST_CHECK;

/* ---- ask.c ----------------------------------------------------------- */

/* What is to be chosen, as policyd said it. */
struct ask {
    struct call *c;
    sd_event_source *timer;
    sd_event_source *hangup; /* of who waits for the call */
    uint64_t until;
    char *candidates; /* a line each */
    char fallback[CALLD_TARGET_MAX + 1];
    char guivm[LIMIT_NAME_MAX + 1];
    struct call *call; /* to policy.Ask, being set up */
    struct ask_guivm *asker;
};

/* c waits for a person, or is refused. */
void ask_begin(struct call *c, const struct msg_decision *d);
/* The question is over, however; c->ask is NULL then. */
void ask_end(struct call *c);
/* A person's answer; decided anew with it. */
void ask_answer(struct call *c, struct span choice);
void ask_on_choose(struct role *r, const struct role_msg *m);
bool ask_put(struct json_t *o, const struct ask *a);

/* ---- ask_guivm.c ----------------------------------------------------- */

/* A failure leaves the question open to the owner, and is logged. */
void ask_guivm_begin(struct ask *a);
void ask_guivm_end(struct ask *a);
/* The service runs; takes c's end of its stream. */
void ask_guivm_connected(struct call *c);
void ask_guivm_refused(struct call *c);

/* ---- running.c ------------------------------------------------------- */

/* c has been answered; takes its watch. */
void running_begin(struct call *c);
void running_terminated(struct qube *q, uint32_t port);
void running_qube_gone(struct qube *q);
void running_netd_gone(struct calld *d);
/* Another policy is in force, or a zone in another state: calls that are not
 * allowed any more end. */
void running_check(struct calld *d);
/* What is known of the zone that these calls come from is another. */
void running_note_state(
        struct calld *d, const char *zone, const struct proof *now);
void running_kill(struct role *r, const struct role_msg *m);

/* ---- host.c ---------------------------------------------------------- */

/* Does the qube live on the Qubes host? */
bool host_has(const struct calld *d, const char *name);
/* As qube_start, for such a one: Qubes starts it, a program of the relay
 * qube calls it. */
void host_start(struct call *c);
void host_on_call(struct role *r, const struct role_msg *m);
void host_on_serve(struct role *r, const struct role_msg *m);

/* ---- share.c --------------------------------------------------------- */

/* Who calls: peer_zone is empty for what begins here. */
struct share_of {
    enum call_origin origin;
    const char *source; /* NULL: a qube of peer_zone, not known yet */
    const char *peer_zone;
};
/*
 * ERR_LIMIT when that source has enough; err says of what.  except: a call that
 * is in the list already, or NULL.
 */
int share_begin(const struct calld *d, const struct share_of *who,
        const struct call *except, struct err *err) MUST_CHECK;
/* As share_begin, for one more disposable. */
int share_make(const struct call *c, struct err *err) MUST_CHECK;
/* As share_begin, for one more service in c's target. */
int share_serve(const struct call *c, struct err *err) MUST_CHECK;

/* ---- list.c ---------------------------------------------------------- */

void list_calls(struct role *r, const struct role_msg *m);

/* ---- record.c -------------------------------------------------------- */

/* False: its source had too many refusals recorded, this one is counted. */
bool record_may_refuse(struct call *c);
/* A decision (allowed or refused) or a run as a Statement. */
int record_decision(const struct call *c, struct buf *ret, struct err *err)
        MUST_CHECK;
int record_run(const struct call *c, struct buf *ret, struct err *err)
        MUST_CHECK;
/* That a person is asked, where, and about which call. */
int record_ask(const struct call *c, struct buf *ret, struct err *err)
        MUST_CHECK;

#endif
