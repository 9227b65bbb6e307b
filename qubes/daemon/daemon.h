/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qrexec-daemon: dom0's side of one qube's calls.  One event loop; processes
 * exist for dom0's own services alone.
 *
 *     qube's agent ── vchan ──► control ──► request ──► policy service
 *                                  ▲            │
 *                                  │            ├─► hop: another qube's daemon
 *     dom0's programs ── socket ──► clients     └─► dom0: a service of dom0
 *
 * Every byte from the vchan is the qube's and hostile.  Who reaches the socket
 * is trusted to call this qube (permissions of its folder), not to be correct.
 */
#ifndef QAIR_QUBES_DAEMON_H
#define QAIR_QUBES_DAEMON_H

#include "dsock.h"
#include "options.h"
#include "policyline.h"
#include "ports.h"
#include "qrexec.h"
#include "talk.h"

#include "link.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

#define CLIENTS_MAX  256 /* as upstream */
#define REQUESTS_MAX 256 /* not decided, or with a disposable to be killed */

#define SECOND_US 1000000ull

struct daemon;

/* The link to the qube's agent. */
struct control {
    struct link_port *port; /* looked for */
    struct link *link;      /* found */
    sd_event_source *io;    /* of either */
    sd_event_source *again; /* looks anew a little later */
    uint32_t version;       /* 0: no hello yet */
    bool was_ready;         /* the agent has been there before */
};

enum client_state {
    CLIENT_FREE,
    CLIENT_HELLO,
    CLIENT_REQUEST,
    CLIENT_RUNNING, /* waits for the end of its call */
};

struct client {
    struct daemon *d;
    enum client_state state;
    struct link *link;
    sd_event_source *io;
    sd_event_source *deadline;
};

/* A call that the qube asked for, from its trigger to its connection. */
struct request {
    struct daemon *d;
    uint8_t ident[QREXEC_IDENT_SIZE];
    struct qrexec_request asked;
    bool bare;     /* the service came without '+' */
    bool answered; /* the qube knows, or nobody wants to know any more */
    struct talk *talk;
    /* The fallback program, while it runs. */
    sd_event_source *program;
    sd_event_source *program_deadline;
    pid_t program_pid;
    int program_fd;
    /* The decision. */
    char answer[POLICYLINE_RESPONSE_MAX + 1];
    struct policyline_response decision; /* points into answer */
    /* The way to a qube. */
    char target[QREXEC_NAME_SIZE]; /* as its daemon's socket is called */
    bool started;                  /* qubesd was asked to */
    bool creating;                 /* qubesd was asked for a disposable */
    bool disposable;               /* to be killed at the end */
    bool greeted;                  /* by the target's daemon */
};

struct daemon {
    struct options o;
    sd_event *event;
    struct control control;
    struct ports ports;
    int listener;
    sd_event_source *listener_io;
    struct client clients[CLIENTS_MAX];
    bool clients_paused;
    struct request *requests[REQUESTS_MAX];
    size_t n_requests;
    bool closing;     /* SIGTERM: ends with the last request */
    int ready_fd;     /* tells the waiting parent how it went; -1 = nobody */
    struct rate says; /* lines that the qube makes us log */
    sd_event_source *startup;
};

/* ---- daemon.c -------------------------------------------------------- */

uint64_t daemon_now_ms(void);
void daemon_log(struct daemon *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same for what the qube causes: bounded, the rest is counted. */
void daemon_log_qube(struct daemon *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Ends the loop. */
void daemon_exit(struct daemon *d, int code);
/* The agent is there: the parent may go. */
void daemon_ready(struct daemon *d);

/* ---- control.c ------------------------------------------------------- */

/* Looks for the agent; comes back to it whenever it is lost. */
void control_start(struct daemon *d);
void control_send(struct daemon *d, struct span message);
void control_refuse(struct daemon *d, const uint8_t ident[QREXEC_IDENT_SIZE]);
void control_connect(struct daemon *d, uint32_t domain, uint32_t port,
        const uint8_t ident[QREXEC_IDENT_SIZE]);
/* False while the agent does not take what is already there. */
bool control_has_room(const struct daemon *d);
void control_fini(struct daemon *d);

/* ---- clients.c ------------------------------------------------------- */

int clients_open(struct daemon *d, struct err *err) MUST_CHECK;
void clients_close(struct daemon *d); /* sockets too */
void clients_pause(struct daemon *d, bool pause);
void client_drop(struct client *c);

/* ---- request.c ------------------------------------------------------- */

void request_new(struct daemon *d, const uint8_t ident[QREXEC_IDENT_SIZE],
        const struct qrexec_request *asked, bool bare);
/* The request of that name that waits for its answer, or NULL. */
struct request *request_find(struct daemon *d, struct span ident);
/* The end: refuses if that is still to be said, and says why in the log. */
void request_fail(struct request *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Nobody waits any more: no word of it, and what was made for the call goes. */
void request_abandon(struct request *r);
void request_free(struct request *r);
void requests_abort(struct daemon *d);
/* Who calls, and what, as the target shall hear it. */
struct span request_source(const struct request *r);
struct span request_service(const struct request *r);

/* ---- hop.c, dom0.c: an allowed request ------------------------------- */

void hop_start(struct request *r);
/* The disposable that r has made; frees r when that is done. */
void hop_kill(struct request *r);
void dom0_start(struct request *r);

/* ---- program.c ------------------------------------------------------- */

/* Asks the fallback program; the answer as the policy service's. */
void program_start(
        struct request *r, void (*done)(struct request *r, struct span answer));
void program_forget(struct request *r);

#endif
