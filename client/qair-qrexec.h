/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libqair-qrexec: calls to other qubes, made and served, without a helper
 * process.  Needs libc alone.  Manual: qair-qrexec(3).
 *
 * Stable: handles are opaque, option structs carry their size and only grow,
 * names are never taken away within one soname.
 *
 * Nothing here blocks but qair_call_wait and qair_service_accept, and
 * qair_call_start while the agent is too busy to take a request.  A handle is
 * one thread's at a time.  Functions that return int or ssize_t return a
 * negative errno value on failure.
 *
 * On Qubes OS and its test transport the call's stream is a vchan; today that
 * is the socket vchan ($VCHAN_DOMAIN, $VCHAN_SOCKET_DIR).
 *
 * Memory of a call is bounded (about 400 KiB), whatever the other side does:
 * what is not read stays in the stream and holds the service back.  So read
 * both streams, also of a service whose words on stderr do not matter.
 */
#ifndef QAIR_QREXEC_H_PUBLIC
#define QAIR_QREXEC_H_PUBLIC

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- making a call ----------------------------------------------------- */

struct qair_call;

struct qair_call_options {
    size_t size;         /* sizeof(struct qair_call_options) */
    const char *agent;   /* the agent's socket; NULL: /run/qubes/qrexec-agent */
    const char *source;  /* relays alone: the qube that is spoken for */
    unsigned timeout_ms; /* from now to the call's end; 0: as long as it takes.
                            A call that is not over then is LOST */
};

enum qair_call_state {
    QAIR_CALL_ASKING,  /* the policy is being asked */
    QAIR_CALL_RUNNING, /* the service runs */
    QAIR_CALL_EXITED,  /* it ended: qair_call_exit_code */
    QAIR_CALL_REFUSED, /* a zone said no: qair_call_where, _reason */
    QAIR_CALL_LOST,    /* cut off: _reason */
};

enum qair_call_stream {
    QAIR_CALL_STDOUT = 1,
    QAIR_CALL_STDERR = 2,
};

/*
 * Asks for SERVICE or SERVICE+ARGUMENT of the target; "" or "@default" lets the
 * policy choose the target.  options: NULL for the defaults.
 * -ENOENT, -ECONNREFUSED: there is no agent here; -EAGAIN: it is so busy that
 * it took no request before the timeout; -EINVAL, -ENAMETOOLONG; -ENOMEM.
 */
int qair_call_start(const char *target, const char *service,
        const struct qair_call_options *options, struct qair_call **ret);
/* A call that is not over is cancelled: its service is ended. */
void qair_call_free(struct qair_call *call);

/* To be polled for; both may change with each step. */
int qair_call_fd(const struct qair_call *call);
short qair_call_events(const struct qair_call *call);
/* How long to poll at most: to the end of the timeout; -1: there is none. */
int qair_call_left_ms(const struct qair_call *call);
/* Takes and gives what goes now, and says where the call stands. */
enum qair_call_state qair_call_step(struct qair_call *call);
/*
 * Steps until there is something to read, room to write (when want_write), or
 * the call is over; timeout in milliseconds, -1: none.  0: look; -ETIMEDOUT;
 * -EINTR.
 */
int qair_call_wait(struct qair_call *call, int want_write, int timeout_ms);

/*
 * For the service's standard input.  The number of bytes taken; -EAGAIN;
 * -EPIPE when the service reads no more or the call is over.
 */
ssize_t qair_call_write(struct qair_call *call, const void *bytes, size_t n);
/* Its end.  -EAGAIN: once more later. */
int qair_call_end_input(struct qair_call *call);
/* The number of bytes; 0: the stream has ended; -EAGAIN. */
ssize_t qair_call_read(struct qair_call *call, enum qair_call_stream stream,
        void *bytes, size_t n);

/* Valid when it EXITED; streams may still hold bytes to be read. */
int qair_call_exit_code(const struct qair_call *call);
/* One printable line each, never NULL; they live as long as the handle. */
const char *qair_call_where(const struct qair_call *call);
const char *qair_call_reason(const struct qair_call *call);

/* ---- serving ----------------------------------------------------------- */

struct qair_service;

/*
 * Inside an executable that the agent started: 0, 1 and 2 are the call's.
 * NULL with errno ENOENT when it was not started so.
 */
struct qair_service *qair_service_from_environment(void);
/*
 * A socket service: takes one connection of a listening Unix socket and reads
 * what the agent says of the call.  NULL with errno; EPROTO: somebody else than
 * an agent; ETIMEDOUT: it said nothing for timeout_ms.
 */
struct qair_service *qair_service_accept(int listener, int timeout_ms);
/* Closes the connection. */
void qair_service_free(struct qair_service *service);

/* As said by the zone; never NULL. */
const char *qair_service_name(const struct qair_service *service);
const char *qair_service_argument(const struct qair_service *service);
const char *qair_service_source(const struct qair_service *service);
/* What the caller asked for: "" in a qube, else a name or "@keyword". */
const char *qair_service_target(const struct qair_service *service);
/* Of a socket service: both directions of the call.  -1 otherwise. */
int qair_service_fd(const struct qair_service *service);
/* The call's key session (key-session protocol), or -1. */
int qair_service_key_fd(const struct qair_service *service);

#ifdef __cplusplus
}
#endif
#endif
