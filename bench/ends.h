/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bench-channel and bench-wan share: two zones, and the two ends of a TCP
 * connection, each a process, with a channel on it or with less.
 */
#ifndef QAIR_BENCH_ENDS_H
#define QAIR_BENCH_ENDS_H

#include "channel.h"
#include "channel_tls.h"

#include <sys/types.h>

enum ends_mode {
    ENDS_CALL, /* socket -> channel -> socket: one call */
    ENDS_COPY, /* socket -> TLS -> socket */
    ENDS_RAW,  /* memory -> TLS -> nowhere */
    ENDS_TCP,  /* memory -> TCP -> nowhere */
    ENDS_MODES
};

extern struct channel_context *ends_contexts[2]; /* thin, server */
extern uint64_t ends_total;                      /* bytes of a run */
/* Where the receiver of the last run notes its first and its last byte. */
extern struct ends_seen {
    double first, last;
} * ends_seen;

void ends_init(void);
/* MB/s, from the first byte received to the last; takes both sockets. */
double ends_run(enum ends_mode mode, const int tcp[static 2]);

/* Ends that accept what the other says; arg is struct ends_end for the last. */
struct ends_end {
    int fd;
    bool open;
    bool served;
};
void ends_on_evidence(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER]);
void ends_on_appraise(void *arg, struct channel *ch,
        const uint8_t binder[static CHANNEL_BINDER], struct span evidence);
void ends_on_accepted(void *arg, struct channel *ch, unsigned round);
/* Ends the process: the other end is done. */
void ends_on_closed(
        void *arg, struct channel *ch, int code, const char *reason);
/* One turn, after something happened. */
void ends_run_once(struct channel *ch);
struct channel_tls *ends_tls_open(int side, int tcp);

_Noreturn void ends_die(const char *what);
struct channel_time ends_now(void);
double ends_seconds(void);
pid_t ends_fork(void);
void ends_set_nonblocking(int fd);
int ends_by_value(const void *a, const void *b);
/* A JSON line. */
void ends_print(
        const char *name, const char *unit, double value, double reference);

#endif
