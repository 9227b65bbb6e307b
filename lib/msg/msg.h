/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room msg (floor 2, pure): what the project's own processes say to each
 * other.  Specification: docs/proto/ipc.md.
 *
 * One message is one SOCK_SEQPACKET datagram: u16 type, u16 zero, u32 id, then
 * the body; integers big-endian.  A request carries an id that its sender
 * chose; the answer carries the same id.  A body is the fields of its struct
 * in order, nothing else: u8, u32, u64 as themselves, digests as 32 bytes,
 * call ids as 16, text as u16 length and bytes, blobs as u32 length and bytes.
 * Text is UTF-8 without NUL; it is refused otherwise.  msg_put of what msg_get
 * returned gives the same bytes.
 *
 * Spans in a decoded struct point into the datagram.  What a message means and
 * who may send it when stands in the permit tables of the daemons; a message
 * that is not in the table ends the process that received it.
 */
#ifndef QAIR_MSG_H
#define QAIR_MSG_H

#include "base.h"

/* One process of a zone; the value stands in MSG_PEER and in log records. */
enum msg_role {
    MSG_ROLE_QAIRD = 1,    /* supervisor; starts roles and qubes */
    MSG_ROLE_CALLD = 2,    /* owns calls; hears qubes and the local user */
    MSG_ROLE_POLICYD = 3,  /* decides */
    MSG_ROLE_KEYD = 4,     /* TPM, keys, own evidence */
    MSG_ROLE_LOGD = 5,     /* the log */
    MSG_ROLE_NETD = 6,     /* TLS to other zones */
    MSG_ROLE_ATTESTD = 7,  /* appraises foreign evidence */
    MSG_ROLE_ADMIN = 8,    /* the qair command on a local socket */
    MSG_ROLE_SERVICE = 9,  /* a service in a qube, on its key session */
    MSG_ROLE_MEASURE = 10, /* measures the zone, once, before the others */
    MSG_ROLE_RELAY = 11,   /* programs of a Qubes relay qube, on relay.sock */
    MSG_ROLE_COUNT
};

enum msg_type {
    /* answers that any request may get */
    MSG_OK = 1,      /* struct msg_empty */
    MSG_REFUSED = 2, /* struct msg_refused */

    /* qaird and a role, on the role's control link */
    MSG_PEER = 16,         /* msg_peer + fd: a link to another role */
    MSG_LISTEN = 17,       /* msg_named + fd: a listening socket */
    MSG_HANDLE = 18,       /* msg_named + fd: an open folder, or the TPM */
    MSG_BUNDLE = 19,       /* msg_named + sealed memfd: see bundle.h */
    MSG_START = 20,        /* msg_empty: all has been handed over, serve */
    MSG_READY = 21,        /* msg_empty: role serves */
    MSG_QUBE_START = 22,   /* calld -> qaird: msg_qube_start; a new one */
    MSG_QUBE_STARTED = 23, /* msg_named + fd: link to the qube's agent */
    MSG_QUBE_STOP = 24,    /* calld -> qaird: msg_named */
    MSG_QUBE_GONE = 25,    /* qaird -> calld: msg_named */
    MSG_PING = 26,         /* qaird -> a role: msg_empty -> MSG_PONG */
    MSG_PONG = 27,         /* its loop turns */

    /* calld -> policyd */
    MSG_DECIDE = 32,         /* msg_decide -> MSG_DECISION */
    MSG_DECIDE_REMOTE = 33,  /* msg_decide_remote -> MSG_DECISION */
    MSG_DECISION = 34,       /* msg_decision */
    MSG_POLICY_CHANGED = 35, /* policyd -> calld: msg_empty */

    /* calld, netd, keyd -> logd */
    MSG_APPEND = 48,         /* msg_append -> MSG_APPENDED */
    MSG_APPENDED = 49,       /* msg_appended: durable */
    MSG_LOG_KEY = 50,        /* keyd -> logd, once: msg_log_key */
    MSG_CHECKPOINT_GET = 51, /* msg_empty -> MSG_APPENDED without proof */

    /* calld -> keyd */
    MSG_ENVELOPE = 64,    /* msg_envelope -> MSG_BLOB (DSSE) */
    MSG_BLOB = 65,        /* msg_blob */
    MSG_KEY_SESSION = 66, /* msg_key_session + fd -> MSG_OK */

    /* service -> keyd on its session's descriptor */
    MSG_KEY_SIGN = 72, /* msg_key_sign + fd of the artefact -> MSG_FILE */
    MSG_FILE = 73,     /* msg_empty + sealed memfd */

    /* admin -> keyd */
    MSG_KEY_CREATE = 80, /* msg_key_create -> MSG_BLOB (JSON) */
    MSG_KEY_LIST = 81,   /* msg_empty -> MSG_BLOB (JSON) */
    MSG_ENROL = 82,      /* msg_empty -> MSG_FILE: the zone's enrolment claim */
    MSG_ACTIVATE = 83,   /* msg_activate -> MSG_BLOB (the recovered secret) */
    MSG_SELF_EVIDENCE = 84, /* msg_evidence_get -> MSG_FILE */
    MSG_KEY_RELOAD = 85,    /* msg_empty -> MSG_OK: read pack and state again */
    MSG_STATUS = 86,        /* msg_empty -> MSG_BLOB (JSON); every role */

    /* calld <-> netd */
    MSG_OPEN = 96,     /* msg_open + fd -> MSG_OK when the far side accepted */
    MSG_INCOMING = 97, /* netd -> calld: msg_incoming + fd -> MSG_OK, REFUSED */
    /* calld -> netd: msg_appraisal_get + fd of the call's stream, which netd
     * watches while the call waits for a channel -> MSG_APPRAISAL */
    MSG_APPRAISAL_GET = 98,
    MSG_APPRAISAL = 99,
    MSG_PEER_STATE = 100, /* netd -> calld: msg_peer_state: it is another now */

    /* netd -> keyd */
    MSG_CHANNEL_CERT = 112, /* msg_blob (SPKI) -> MSG_BLOB (certificate DER) */
    MSG_EVIDENCE_GET = 113, /* msg_evidence_get -> MSG_FILE */
    /* keyd -> netd: the own state is not approved; struct msg_refused */
    MSG_STATE_FALLEN = 114,
    /* keyd -> calld: msg_own_state, at once and when it changes */
    MSG_OWN_STATE = 115,

    /* netd -> attestd */
    MSG_APPRAISE = 128,  /* msg_appraise + sealed memfd -> MSG_APPRAISED */
    MSG_APPRAISED = 129, /* msg_appraised */
    /* attestd -> netd, with a new pack: msg_reappraised for each zone of whose
     * evidence attestd keeps the last, then one without a zone: that is all */
    MSG_REAPPRAISED = 130,

    /* admin -> calld */
    MSG_CALL = 144,        /* msg_call + fd: data stream -> MSG_OK */
    MSG_QUBE_RUN = 145,    /* msg_qube_run + fd: data stream -> MSG_OK */
    MSG_CALL_LIST = 146,   /* msg_empty -> MSG_FILE (JSON) */
    MSG_CALL_KILL = 147,   /* msg_named: the call's id in hex -> MSG_OK */
    MSG_CALL_CHOOSE = 148, /* msg_choose -> MSG_OK */

    /* relay -> calld, in the relay qube of a Qubes host */
    MSG_RELAY_CALL = 176,  /* msg_relay_call + fd: data stream -> MSG_OK */
    MSG_RELAY_SERVE = 177, /* msg_empty + fd: link of an agent -> MSG_OK */
};

#define MSG_HEADER_SIZE 8
#define MSG_CALL_ID     16
#define MSG_DIGEST      32

struct msg_empty {
    uint8_t unused; /* no fields on the wire */
};

/* Where a refusal was decided, for people and for the log. */
struct msg_refused {
    uint32_t code;      /* -err_code */
    struct span where;  /* "policy of zone server", "keyd", "netd" */
    struct span reason; /* one line */
};

struct msg_peer {
    uint8_t role;
};

struct msg_named {
    struct span name;
};

struct msg_qube_start {
    struct span name;
    struct span of; /* qube that it is a disposable of; empty: it is itself */
};

struct msg_decide {
    struct span source;  /* qube name, or "@adminvm" for the local user */
    struct span target;  /* as asked for, may be empty or "@default" */
    struct span service; /* NAME+ARG; "+" added when missing */
    struct span choice;  /* what a person answered to the decision `ask` */
    uint8_t running;     /* 1: a call that runs, from whichever zone, source
                            being its local name: would it be allowed now? */
    struct span state;   /* of the source's zone; empty: not known */
};

struct msg_decide_remote {
    struct span zone;     /* peer, as proved by the channel */
    struct span envelope; /* DSSE */
    struct span choice;   /* as above: the same envelope a second time */
    struct span state;    /* of zone, as its channel proved it */
};

enum msg_target_kind {
    MSG_TARGET_LOCAL = 1,
    MSG_TARGET_REMOTE = 2,
    MSG_TARGET_DISPOSABLE = 3, /* of this zone, made from the qube for it */
};

struct msg_decision {
    uint8_t allow; /* 0 or 1 */
    uint8_t kind;  /* enum msg_target_kind; 0 when denied */
    uint8_t autostart;
    uint8_t call_id[MSG_CALL_ID]; /* the envelope's; zero for MSG_DECIDE */
    uint64_t deadline;            /* unix seconds; 0 for MSG_DECIDE */
    uint8_t policy[MSG_DIGEST];   /* digest of the policy that decided */
    struct span source;           /* as the rules saw it */
    struct span source_zone;      /* origin of the call; empty when local */
    struct span source_qube;      /* name in the origin zone */
    struct span zone;             /* of the decided target; empty = here */
    struct span qube;             /* decided target, name in that zone */
    struct span requested;        /* target as asked for */
    struct span service;          /* NAME+ARG */
    struct span user;             /* empty = the qube's default */
    struct span rule;             /* "30-sign.policy:12" or empty */
    struct span where;            /* when denied */
    struct span reason;
    /* A person is to choose (allow is 0); then decide again with `choice`. */
    uint8_t ask;
    struct span candidates; /* a name a line, each with its '\n' */
    struct span fallback;   /* the candidate that is offered first, or empty */
    struct span guivm;      /* qube in which to ask, or empty */
};

enum msg_append_kind {
    MSG_APPEND_SIGNED = 1,    /* payload is a DSSE envelope of keyd's */
    MSG_APPEND_STATEMENT = 2, /* payload is a Statement; logd signs it */
};

struct msg_append {
    uint8_t kind;
    uint8_t want_proof;
    struct span payload;
};

struct msg_appended {
    uint64_t index;
    uint64_t size; /* of the tree that contains it */
    uint8_t root[MSG_DIGEST];
    struct span proof; /* C2SP tlog-proof text when asked for */
};

struct msg_log_key {
    uint8_t seed[32];
};

struct msg_envelope {
    uint8_t call_id[MSG_CALL_ID];
    uint64_t issued;
    uint64_t deadline;
    uint8_t policy[MSG_DIGEST];
    uint64_t log_size; /* last known checkpoint of the origin's log */
    uint8_t log_root[MSG_DIGEST];
    struct span source_qube;
    struct span zone; /* decided target */
    struct span qube;
    struct span requested;
    struct span service;
    struct span rule;
    uint8_t autostart; /* 0: only a target that runs */
    struct span via;   /* DSSE of the zone that called; empty: begins here */
    struct span state; /* of zone: the appraisal that the call rests on */
    uint8_t evidence[MSG_DIGEST];
};

struct msg_blob {
    struct span bytes;
};

struct msg_key_session {
    uint8_t call_id[MSG_CALL_ID];
    uint64_t deadline;
    uint8_t policy[MSG_DIGEST]; /* this zone's */
    struct span source_zone;
    struct span source_qube;
    struct span source;    /* local name */
    struct span qube;      /* where the service runs */
    struct span requested; /* target as the call named it */
    struct span service;
    struct span rule;
    struct span keys;     /* space-separated names that the qube may use */
    struct span envelope; /* the origin's DSSE; empty for a local call */
};

struct msg_key_sign {
    struct span key;
    struct span name; /* of the artefact, for people; [ -~] */
};

struct msg_key_create {
    struct span name;
    struct span custody; /* "tpm" or "sealed" */
    struct span profile; /* "sshsig" or "minisign" */
};

struct msg_activate {
    struct span credential; /* TPM2B_ID_OBJECT */
    struct span secret;     /* TPM2B_ENCRYPTED_SECRET */
};

struct msg_evidence_get {
    uint8_t binder[MSG_DIGEST]; /* qualifying data of the quote */
};

struct msg_appraisal_get {
    struct span zone;
    struct span source; /* whose call it is here; netd counts by it */
    uint64_t deadline;
};

/* What netd has of a zone now.  number and boot are netd's own, and come back
 * in MSG_OPEN: a channel may have a newer appraisal by then. */
struct msg_appraisal {
    uint64_t number;
    uint64_t boot;
    uint8_t evidence[MSG_DIGEST];
    struct span state;
};

struct msg_open {
    struct span zone;
    struct span source; /* as in msg_appraisal_get */
    uint64_t deadline;
    struct span envelope;
    /* as in msg_appraisal: the one that the envelope names */
    uint64_t number;
    uint64_t boot;
    uint8_t evidence[MSG_DIGEST];
    struct span state;
};

struct msg_incoming {
    struct span zone; /* peer, as proved */
    struct span envelope;
    struct span state; /* of zone: the appraisal that the channel stands on */
    uint8_t evidence[MSG_DIGEST];
};

struct msg_peer_state {
    struct span zone;
    struct span state;
    uint8_t evidence[MSG_DIGEST];
};

struct msg_own_state {
    struct span state; /* empty: not approved, keys are closed */
    uint8_t evidence[MSG_DIGEST];
};

struct msg_appraise {
    struct span zone;
    uint8_t binder[MSG_DIGEST];
};

struct msg_appraised {
    uint8_t accept;
    uint8_t evidence[MSG_DIGEST]; /* SHA-256 of the evidence bytes */
    uint8_t pack[MSG_DIGEST];     /* of the pack that it was judged by */
    uint64_t until;     /* unix seconds: the approval ends; UINT64_MAX: never */
    uint64_t boot;      /* resets and restarts of its TPM, as one number */
    struct span state;  /* "golden", "golden (emulated)" */
    struct span reason; /* one line a finding, '\n' between */
};

struct msg_reappraised {
    struct span zone; /* empty: no more zones were judged by this pack */
    uint8_t accept;
    uint8_t pack[MSG_DIGEST];
    uint64_t until;
    struct span state;
    struct span reason;
};

struct msg_call {
    struct span target;
    struct span service;
};

struct msg_relay_call {
    struct span source; /* qube of the Qubes host, as its dom0 said */
    struct span target; /* RemoteVM */
    struct span service;
};

/* The owner's answer to a call that asks. */
struct msg_choose {
    uint8_t allow;
    struct span id;     /* in hex */
    struct span target; /* a candidate; empty: the one offered first */
};

struct msg_qube_run {
    struct span qube;
    struct span command; /* for the qube's shell */
};

/*
 * Encodes header and body of the given type from *msg (the struct that the
 * enum names) into buf[LIMIT_IPC_MSG_MAX]; false when it does not fit.
 */
bool msg_put(enum msg_type type, uint32_t id, const void *msg, uint8_t *buf,
        size_t cap, size_t *ret_len) MUST_CHECK;

struct msg_header {
    uint16_t type;
    uint32_t id;
    struct span body;
};
/* Splits a datagram; ERR_SYNTAX when shorter than a header or type unknown. */
int msg_get_header(struct span datagram, struct msg_header *ret) MUST_CHECK;
/* Decodes the body into the struct that belongs to h->type. */
int msg_get(const struct msg_header *h, void *ret) MUST_CHECK;
/* Descriptors that go with a message of this type, exactly: 0 or 1. */
size_t msg_fds(uint16_t type);
/* Does this type only ever answer a request (its id is the asker's)? */
bool msg_is_answer(uint16_t type);
/* The largest of the structs, for storage of any decoded message. */
union msg_any {
    struct msg_decision decision;
    struct msg_envelope envelope;
    struct msg_key_session key_session;
    uint64_t align;
};
const char *msg_type_name(uint16_t type);
const char *msg_role_name(uint8_t role); /* "policyd" */

#endif
