/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room qrexec (floor 2, pure): the Qubes remote execution protocol.
 * Specification: docs/proto/qrexec.md; the model is qubes-core-qrexec 4.4.
 *
 * Four parts, each without I/O:
 *
 *   messages   every message of the protocol to and from bytes.  Little
 *              endian; qrexec_msg_put of what qrexec_msg_get returned gives
 *              the same bytes.
 *   data       the state of one end of a call's data stream: bytes from the
 *              peer become events, local data becomes headers to send.  Body
 *              bytes are never copied.  The order rules (hello first, one end
 *              of file a stream, the exit code last) are enforced both ways.
 *   names      what an untrusted qube may put into a request.
 *   service    finding, configuring and starting a service in the target:
 *              search path, configuration file, command line, environment.
 *
 * Spans that come out point into what the caller put in.
 */
#ifndef QAIR_QREXEC_H
#define QAIR_QREXEC_H

#include "base.h"
#include "buf.h"

/* ---- messages -------------------------------------------------------- */

#define QREXEC_VERSION     4
#define QREXEC_VERSION_MIN 2

enum qrexec_type {
    QREXEC_STDIN = 0x190,
    QREXEC_STDOUT = 0x191,
    QREXEC_STDERR = 0x192,
    QREXEC_EXIT_CODE = 0x193,
    QREXEC_EXEC_CMDLINE = 0x200,
    QREXEC_JUST_EXEC = 0x201,
    QREXEC_SERVICE_CONNECT = 0x202,
    QREXEC_SERVICE_REFUSED = 0x203,
    QREXEC_TRIGGER_SERVICE = 0x210, /* protocol 2 only */
    QREXEC_CONNECTION_TERMINATED = 0x211,
    QREXEC_TRIGGER_SERVICE3 = 0x212,
    QREXEC_TRIGGER_SERVICE4 = 0x213,
    QREXEC_HELLO = 0x300,
};

/* Exit codes of a call that are not the service's own. */
#define QREXEC_EXIT_TROUBLE     125 /* the service could not be run */
#define QREXEC_EXIT_REFUSED     126 /* a policy or an unknown target */
#define QREXEC_EXIT_NOT_FOUND   127 /* no such service */
#define QREXEC_EXIT_SIGNAL_BASE 128

#define QREXEC_HEADER_SIZE  8
#define QREXEC_IDENT_SIZE   32
#define QREXEC_NAME_SIZE    64 /* of a name on the wire, with its NUL */
#define QREXEC_COMMAND_MAX  65535
#define QREXEC_REASON_MAX   512 /* where and reason with their NULs */
#define QREXEC_DATA_MAX_V2  4096
#define QREXEC_BODY_MAX     65544 /* largest body: exec, command and its NUL */
#define QREXEC_MSG_MAX      (QREXEC_HEADER_SIZE + QREXEC_BODY_MAX)
#define QREXEC_EXEC_FDS_MAX 2

/*
 * One message; which fields count depends on the type.  Names are text
 * without the padding.
 */
struct qrexec_msg {
    uint32_t type;
    uint32_t version;    /* HELLO */
    int32_t exit_code;   /* EXIT_CODE */
    uint32_t domain;     /* EXEC*, SERVICE_CONNECT, CONNECTION_TERMINATED */
    uint32_t port;       /* the same */
    struct span data;    /* STDIN, STDOUT, STDERR; empty = end of file */
    struct span command; /* EXEC_CMDLINE, JUST_EXEC */
    struct span ident;   /* SERVICE_*, TRIGGER_*: at most 31 */
    struct span source;  /* TRIGGER_SERVICE4: at most 63 */
    struct span target;  /* TRIGGER_*: at most 63 (31 in protocol 2) */
    struct span service; /* TRIGGER_*: NAME+ARG */
    bool has_reason;     /* SERVICE_REFUSED with our extension */
    struct span where;   /* ...which zone or process refused */
    struct span reason;  /* ...and why */
};

/*
 * Takes one message from the front of *in.  ERR_STATE: more bytes are needed
 * (nothing is taken).  ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED: the peer broke
 * the protocol; a link is closed then, because nothing after it can be read.
 */
int qrexec_msg_get(struct span *in, struct qrexec_msg *ret, struct err *err)
        MUST_CHECK;
/* Header and body into buf; ERR_LIMIT, ERR_USAGE when it cannot be said. */
int qrexec_msg_put(const struct qrexec_msg *m, uint8_t *buf, size_t cap,
        size_t *ret_len) MUST_CHECK;
const char *qrexec_type_name(uint32_t type); /* "EXEC_CMDLINE", "unknown" */
/* The version both speak; ERR_UNSUPPORTED when below QREXEC_VERSION_MIN. */
int qrexec_negotiate(uint32_t peer, uint32_t *ret, struct err *err) MUST_CHECK;

/* ---- data: one end of a call ----------------------------------------- */

enum qrexec_end {
    QREXEC_CALLER, /* sends STDIN; gets STDOUT, STDERR, EXIT_CODE */
    QREXEC_CALLEE, /* the other way round */
};

enum qrexec_event_kind {
    QREXEC_EVENT_NONE,  /* all bytes are used up */
    QREXEC_EVENT_HELLO, /* version is agreed: data may be sent */
    QREXEC_EVENT_DATA,  /* body bytes of a stream, maybe not a whole message */
    QREXEC_EVENT_EOF,   /* end of a stream */
    QREXEC_EVENT_EXIT,  /* the call is over; nothing may follow */
};

struct qrexec_event {
    enum qrexec_event_kind kind;
    uint32_t stream; /* QREXEC_STDIN, QREXEC_STDOUT or QREXEC_STDERR */
    struct span data;
    int32_t exit_code;
};

struct qrexec_data {
    enum qrexec_end end;
    uint32_t version; /* 0 until the peer's hello came */
    bool hello_sent;
    bool exit_sent;
    bool exit_got;
    uint8_t eof_sent; /* bit a stream, from QREXEC_STDIN */
    uint8_t eof_got;
    /* parser */
    uint32_t type;
    uint32_t left; /* of the body */
    uint8_t part[QREXEC_HEADER_SIZE];
    size_t part_len;
    bool in_body;
    bool broken;
};

void qrexec_data_init(struct qrexec_data *d, enum qrexec_end end);
/*
 * Advances over *in to the next event.  Negative: the peer broke the
 * protocol, the call is lost and d stays broken.
 */
int qrexec_data_feed(struct qrexec_data *d, struct span *in,
        struct qrexec_event *ret, struct err *err) MUST_CHECK;
/* Largest body that may be sent; 0 before the hello. */
uint32_t qrexec_data_chunk_max(const struct qrexec_data *d);
/* False when this end may send nothing on stream (now, or any more). */
bool qrexec_data_may_send(const struct qrexec_data *d, uint32_t stream);
/* The first message of an end. */
void qrexec_data_put_hello(struct qrexec_data *d, uint8_t ret[static 12]);
/*
 * Header of len body bytes that the caller sends right behind it; len 0 is
 * the end of the stream.  ERR_STATE when may_send is false, ERR_LIMIT.
 */
int qrexec_data_put_header(struct qrexec_data *d, uint32_t stream, size_t len,
        uint8_t ret[static QREXEC_HEADER_SIZE]) MUST_CHECK;
/*
 * Caller, after the exit code: the end of stdin, which upstream still sends
 * then.  False when there is none to send.
 */
bool qrexec_data_put_last_eof(struct qrexec_data *d,
        uint8_t ret[static QREXEC_HEADER_SIZE]) MUST_CHECK;
/* Callee only, last message; ERR_STATE otherwise. */
int qrexec_data_put_exit(
        struct qrexec_data *d, int32_t code, uint8_t ret[static 12]) MUST_CHECK;
/* Exit code of a waitpid status. */
int qrexec_exit_code(int wait_status);

/* ---- names ----------------------------------------------------------- */

/* A request after the checks that do not need a policy. */
struct qrexec_request {
    char ident[QREXEC_IDENT_SIZE];
    char source[QREXEC_NAME_SIZE]; /* claimed by the qube, may be empty */
    char target[QREXEC_NAME_SIZE];
    char service[LIMIT_SERVICE_MAX + 1]; /* NAME+ARG, '+' always there */
};
/*
 * Checks and copies a TRIGGER_SERVICE* from a qube: bytes outside the
 * alphabets become '_' as upstream does.  ERR_SYNTAX or ERR_LIMIT with the
 * reason for the refusal.
 */
int qrexec_request_check(const struct qrexec_msg *untrusted_m,
        struct qrexec_request *ret, struct err *err) MUST_CHECK;
/* SERVICE or SERVICE+ARG as a person or a rule writes it. */
bool qrexec_is_service(struct span service);

/* ---- service --------------------------------------------------------- */

#define QREXEC_SERVICE_PATH                                                    \
    "/run/qubes-rpc:/usr/local/etc/qubes-rpc:/etc/qubes-rpc"
#define QREXEC_CONFIG_PATH                                                     \
    "/run/qubes/rpc-config:/usr/local/etc/qubes/rpc-config:"                   \
    "/etc/qubes/rpc-config"

/* What a path holds, as the caller's probe found. */
enum qrexec_found {
    QREXEC_FOUND_NONE,   /* ENOENT, also a dangling link */
    QREXEC_FOUND_EXEC,   /* a file that may be executed */
    QREXEC_FOUND_FILE,   /* a file that may not */
    QREXEC_FOUND_SOCKET, /* a Unix socket */
    QREXEC_FOUND_TCP,    /* a link to /dev/tcp... */
    QREXEC_FOUND_ERROR,  /* the probe failed: the search ends */
};
typedef enum qrexec_found (*qrexec_probe)(void *ctx, const char *path);

#define QREXEC_PATH_MAX 4096

/*
 * Searches SERVICE+ARG in all folders of the ':'-separated list (SERVICE+ for
 * a call without argument), then SERVICE; ret_path is where.  ERR_NOT_FOUND;
 * ERR_IO when the probe failed.
 */
int qrexec_lookup(struct span service, const char *path_list,
        qrexec_probe probe, void *ctx, char ret_path[static QREXEC_PATH_MAX],
        enum qrexec_found *ret, struct err *err) MUST_CHECK;

/* Configuration of one service (a subset of TOML). */
struct qrexec_config {
    bool wait_for_session;
    bool skip_service_descriptor;
    bool exit_on_client_eof;
    bool exit_on_service_eof;
    char force_user[LIMIT_NAME_MAX + 1]; /* empty = not set */
    unsigned unknown;                    /* keys that were ignored */
};
/* A duplicate key, a bad type or clashing keys are ERR_SYNTAX: call fails. */
int qrexec_config_parse(struct span text, struct qrexec_config *ret,
        struct err *err) MUST_CHECK;

/* The command of EXEC_CMDLINE. */
struct qrexec_command {
    struct span user;    /* "DEFAULT" = the qube's; empty in a bare one */
    bool nogui;          /* do not wait for the user's session */
    bool is_service;     /* else shell is for the user's shell */
    struct span service; /* NAME+ARG */
    struct span name;    /* NAME */
    struct span arg;
    bool has_arg; /* false for "NAME" without '+' */
    struct span source;
    struct span target_type; /* "", "name" or "keyword" */
    struct span target;
    struct span shell;
};
/* "USER:[nogui:]QUBESRPC SERVICE+ARG SOURCE[ TYPE TARGET]" or
 * "USER:COMMAND". */
int qrexec_command_parse(struct span text, struct qrexec_command *ret,
        struct err *err) MUST_CHECK;
/* The same without "USER:". */
int qrexec_command_parse_bare(struct span text, struct qrexec_command *ret,
        struct err *err) MUST_CHECK;
/* The reverse for a service: user may be empty. */
int qrexec_command_format(struct span user, struct span service,
        struct span source, char *ret, size_t cap) MUST_CHECK;

/*
 * The environment of a service: base without its QREXEC* (but
 * QREXEC_SERVICE_PATH and QREXEC_AGENT_PID) and QAIR_*, then what describes
 * the call.  A NULL-terminated vector inside ret.
 */
#define QREXEC_ENV_MAX 256
struct qrexec_env {
    struct buf store;
    char *vars[QREXEC_ENV_MAX + 1];
};
int qrexec_env_build(const struct qrexec_command *c, int key_fd,
        char *const *base, struct qrexec_env *ret) MUST_CHECK;
void qrexec_env_fini(struct qrexec_env *e);

#endif
