/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bound on what somebody else may choose, with its reason.  A count or
 * length from a peer that has no name here is a defect.
 */
#ifndef QAIR_BASE_LIMIT_H
#define QAIR_BASE_LIMIT_H

/* Qubes names are at most 31 characters; remote names follow (qubes.vm). */
#define LIMIT_NAME_MAX 31
/* Zone names are DNS-label like and stand in file names and certificates. */
#define LIMIT_ZONE_NAME_MAX 31
/* Qubes: NAME_MAX on the target for the service part; descriptor 65,000. */
#define LIMIT_SERVICE_NAME_MAX 255
#define LIMIT_SERVICE_MAX      3935
/* qrexec data messages of protocol 3 and 4. */
#define LIMIT_QREXEC_DATA_MAX 65536
/* One message between own processes: fits the default socket buffer twice. */
#define LIMIT_IPC_MSG_MAX 98304
#define LIMIT_IPC_FDS_MAX 4
/* One log entry: C2SP tlog-tiles prefixes entries with a u16 length. */
#define LIMIT_LOG_ENTRY_MAX 65535
/* JSON of a statement or envelope: must fit a log entry as base64 in DSSE. */
#define LIMIT_STATEMENT_MAX 45000
#define LIMIT_JSON_DEPTH    32
/* Evidence of one machine on a channel: quote, keys, event logs.  A server's
 * firmware log has 20 to 100 KiB, its list of measured files 100 bytes a
 * file. */
#define LIMIT_EVIDENCE_MAX  (4u << 20)
#define LIMIT_EVENT_LOG_MAX (16u << 20)
/* A firmware's log: real ones are under 1 MiB; a server that runs for years
 * with a runtime log in the same form gets near these. */
#define LIMIT_TCG_LOG_MAX      (128u << 20)
#define LIMIT_TCG_EVENTS_MAX   (1u << 20)
#define LIMIT_CALLS_MAX        4096 /* calls in flight in one zone */
#define LIMIT_CALLS_PER_SOURCE 256  /* Qubes: 256 data ports per daemon */
/* An envelope lives no longer than this: bounds the replay memory. */
#define LIMIT_CALL_DEADLINE_S 300
#define LIMIT_REPLAY_MAX      65536
/* Zones that hand one call on, its origin included: thin, gateway, server and
 * one more on each way.  Each link carries those before it as base64, so that
 * the last has 4.2 times the size of the first, and must fit a log entry. */
#define LIMIT_CALL_HOPS 4
/* From the request to the last byte of an artefact, so that a signature may
 * come this much later than its call's deadline. */
#define LIMIT_ARTEFACT_S 600
#define LIMIT_QUBES_MAX  1024
/* Qubes made for one call, each with memory for files as any other. */
#define LIMIT_DISPOSABLES_MAX 64
/* Processes of one qube: a fork bomb ends there (256 services, 8 each). */
#define LIMIT_QUBE_PROCESSES_MAX 2048
#define LIMIT_ZONES_MAX          256
#define LIMIT_KEYS_MAX           256
/* A configuration or policy file: a person wrote it. */
#define LIMIT_CONF_FILE_MAX (1u << 20)
#define LIMIT_CONF_LINE_MAX 4096
/* Configuration as one run of bytes: a pack of all zones and references. */
#define LIMIT_BUNDLE_MAX       (64u << 20)
#define LIMIT_BUNDLE_FILES_MAX 8192
#define LIMIT_BUNDLE_NAME_MAX  255 /* as NAME_MAX, for the whole path */
/* Requests of one role that wait for an answer: several a call in flight. */
#define LIMIT_ROLE_PENDING_MAX 16384
/* Links of one role: peers, admins, and a key session a call. */
#define LIMIT_ROLE_LINKS_MAX 4352
/* Messages that wait for a peer to read; beyond, the peer hangs. */
#define LIMIT_ROLE_QUEUE_MAX       8192
#define LIMIT_ROLE_QUEUE_BYTES     (64u << 20)
#define LIMIT_POLICY_RULES_MAX     100000
#define LIMIT_POLICY_INCLUDE_DEPTH 16
/* All policy text with repetition: includes multiply. */
#define LIMIT_POLICY_BYTES_MAX (64u << 20)

#endif
