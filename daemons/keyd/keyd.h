/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-keyd: holds the TPM session and the opened keys, and signs meanings.
 *
 *   keyd.c         the role: permit table, start, links
 *   keyd_state.c   own state: approved or not
 *   keyd_evidence.c what shows it
 *   keyd_report.c   a confidential guest's report for it
 *   keyd_tell.c    who hears of it
 *   keyd_make.c    new keys
 *   keyd_call.c    envelopes and channel certificates
 *   keyd_session.c key sessions: an artefact in, a receipt out
 *   keyd_sign.c    from digests to a signature and a statement
 *   keyd_parse.c   the child that reads an artefact
 *   keyd_admin.c   key creation, enrolment, status
 *   keyd_ring.c, keyd_file.c   keys and their files
 *
 * One thread.  It waits for the TPM, which answers by itself; it never waits
 * for a peer, a service or an artefact.
 */
#ifndef QAIR_KEYD_H
#define QAIR_KEYD_H

#include "appraise.h"
#include "conf.h"
#include "keyd_parse.h"
#include "keyd_ring.h"
#include "msg.h"
#include "pack.h"
#include "role.h"
#include "tpm.h"

#include <sys/queue.h>

#define KEYD_WHERE "keyd"
/* How often the state is looked at when nobody asks for anything. */
#define KEYD_CHECK_S 3
/* A closed state is appraised again this often: clocks of zone and owner may
 * differ, so that an approval becomes valid a little later. */
#define KEYD_RETRY_S 10
/* Children that read artefacts at the same time: two links' worth of calls
 * that stall cannot keep a third from signing. */
#define KEYD_JOBS_MAX         64
#define KEYD_JOBS_PER_SESSION 4

struct keyd_approval {
    uint8_t owner[TCG_SIGNER_MAX];
    uint8_t ref[CRYPTO_SHA256_SIZE];
    struct tpm_approval tpm; /* spans point at the above */
    uint64_t issued;         /* of the reference */
    uint64_t rules;          /* when they were signed; 0: none */
    uint64_t until;          /* unix seconds; UINT64_MAX: never ends */
};

struct keyd_state {
    bool approved;
    bool measured; /* what follows, to clock, is what was last appraised */
    uint8_t pcr[TPM_DIGEST];    /* the zone's own */
    uint32_t watched;           /* PCRs that values is about */
    uint8_t values[TPM_DIGEST]; /* of all of them, hashed */
    struct tpm_clock clock;
    uint64_t since; /* when it was last appraised */
    char name[APPRAISE_STATE_MAX];
    char reason[512]; /* when not approved, one line */
    bool emulated;
    /* what the log was told last, and whether it is being told now */
    bool told, told_approved, telling;
    char told_name[APPRAISE_STATE_MAX];
    bool netd_told; /* that it fell */
    bool calld_told;
    uint8_t calld_evidence[CRYPTO_SHA256_SIZE]; /* zero: of no approved state */
    uint8_t evidence[CRYPTO_SHA256_SIZE];       /* the last, as appraised */
    struct keyd_approval approval;              /* valid while approved */
};

struct keyd_job; /* keyd_job.h */
LIST_HEAD(keyd_jobs, keyd_job);

struct keyd {
    struct role *role;
    const char *zone;
    struct span zone_name;
    struct tpm *tpm;
    struct conf_zone *conf;
    struct crypto_pub *owner; /* NULL: zone.conf names none yet */
    struct pack *pack;        /* NULL: none, or it is wrong */
    char pack_error[ERR_MSG_MAX];
    struct keyd_ring ring;
    struct keyd_state state;
    struct keyd_jobs jobs;
    struct keyd_parser parser;
    sd_event_source *prepare; /* forks the next one when all is quiet */
    size_t n_jobs, n_sessions;
    bool log_has_key;                      /* so logd can sign records */
    char creating[KEYD_FILE_NAME_MAX + 1]; /* its record is on the way */
};

/* ---- keyd_state.c ---------------------------------------------------- */

/* Opens the TPM, makes the zone's own keys at the first start. */
int keyd_state_init(struct keyd *k, struct err *err) MUST_CHECK;
/* Takes the pack as it is now, and appraises again. */
void keyd_state_reload(struct keyd *k);
/*
 * True when the state is approved and is still what it was; called before
 * every use of a key.  When it is not, keys are wiped first, and the reason
 * stands in state.reason.
 */
bool keyd_state_check(struct keyd *k);
/* The same, and refuses the request when it is not. */
bool keyd_state_ready(struct keyd *k, struct role_ticket t) MUST_CHECK;
/* The evidence blob over a binder, in any state (keyd_evidence.c). */
int keyd_state_evidence(struct keyd *k,
        const uint8_t binder[static CRYPTO_SHA256_SIZE], struct buf *ret,
        struct err *err) MUST_CHECK;
#define KEYD_REPORT_MAX 4096
#define KEYD_CERTS_MAX  65536 /* VCEK or VLEK, ASK and ARK: under 8 KiB */
/*
 * A report of this guest over the binder, and its certificates (keyd_report.c);
 * 0 and both empty where qaird handed no place over in which to have it made.
 */
int keyd_report(struct keyd *k, const uint8_t binder[static CRYPTO_SHA256_SIZE],
        struct buf *report, struct buf *certs, struct err *err) MUST_CHECK;
/* Opens a sealed key of an approved state at its first use. */
int keyd_state_open(struct keyd *k, struct keyd_key *key, struct err *err)
        MUST_CHECK;

/* ---- keyd_tell.c ----------------------------------------------------- */

/* All of them, of what they have not heard. */
void keyd_tell(struct keyd *k);
/* Has logd record that the state changed, unless it did already. */
void keyd_tell_log(struct keyd *k);
/* A state that is not approved has no channels: netd hears of it once. */
void keyd_tell_netd(struct keyd *k);
/* For rules that want a state of callers in this zone. */
void keyd_tell_calld(struct keyd *k);

/* ---- keyd_make.c ----------------------------------------------------- */

/* The zone's own keys that are not there yet; the identity needs an owner. */
int keyd_make_own(struct keyd *k, struct err *err) MUST_CHECK;
/* What PolicyAuthorize of new keys names; ERR_STATE without an owner. */
int keyd_make_policy(struct keyd *k, uint8_t ret[static TPM_DIGEST],
        struct err *err) MUST_CHECK;
/* A fresh Ed25519 seed, sealed: from the TPM and the kernel together. */
int keyd_make_sealed(struct keyd *k, const char *name, uint8_t profile,
        const uint8_t *policy, struct keyd_file *ret, struct err *err)
        MUST_CHECK;
/* The public key of a TPM's object into the file. */
int keyd_make_spki(struct keyd_file *f, struct err *err) MUST_CHECK;

/* ---- handlers -------------------------------------------------------- */

void keyd_call_envelope(struct role *r, const struct role_msg *m);
void keyd_call_cert(struct role *r, const struct role_msg *m);
void keyd_call_evidence(struct role *r, const struct role_msg *m);
/* logd came: it gets its key. */
void keyd_call_logd(struct keyd *k, struct role_link *logd);

/* Before the first session. */
int keyd_session_init(struct keyd *k, struct err *err) MUST_CHECK;
void keyd_session_open(struct role *r, const struct role_msg *m);
void keyd_session_sign(struct role *r, const struct role_msg *m);
void keyd_session_gone(struct keyd *k, struct role_link *link);

void keyd_admin_create(struct role *r, const struct role_msg *m);
void keyd_admin_list(struct role *r, const struct role_msg *m);
void keyd_admin_enrol(struct role *r, const struct role_msg *m);
void keyd_admin_activate(struct role *r, const struct role_msg *m);
void keyd_admin_evidence(struct role *r, const struct role_msg *m);
void keyd_admin_reload(struct role *r, const struct role_msg *m);
void keyd_admin_status(struct role *r, const struct role_msg *m);

/* DSSE of a Statement by the zone identity; the state must be checked. */
int keyd_call_sign(struct keyd *k, struct span statement, struct buf *ret,
        struct err *err) MUST_CHECK;

#endif
