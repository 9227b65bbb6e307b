/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the server: server.c owns connections and reads requests,
 * server_judge.c answers them.
 */
#ifndef QAIR_QUBES_POLICY_SERVER_INT_H
#define QAIR_QUBES_POLICY_SERVER_INT_H

#include "server.h"
#include "verdict.h"

#define ID_MAX 32

enum state {
    STATE_READING, /* the request comes */
    STATE_WAITING, /* for the state of the qubes */
    STATE_ASKING,  /* a person is asked */
};

struct client {
    struct server *server;
    struct client *prev, *next;
    enum server_kind kind;
    enum state state;
    int fd;
    uint64_t deadline_us; /* of reading and waiting */
    uint64_t need;        /* of qubesd's state */
    sd_event_source *io;
    struct question *question;
    struct policyline_request request; /* points into buf */
    struct policyline_eval eval;       /* the same */
    char id[ID_MAX];
    char source[64]; /* who is asked about, to count */
    char choice[QUESTION_ANSWER_MAX + 1];
    char rule_file[64]; /* of the rule that asks, for the record */
    unsigned rule_line;
    size_t len;
    uint8_t buf[POLICYLINE_REQUEST_MAX + 1];
};

_Static_assert(POLICYLINE_EVAL_MAX <= POLICYLINE_REQUEST_MAX, "one buffer");

struct notice {
    struct server *server;
    struct notice *next;
    struct question *question;
    char source[64];
};

struct listener {
    struct server *server;
    enum server_kind kind;
    sd_event_source *io;
};

struct server {
    sd_event *event;
    const struct server_config *config;
    const struct snapshot *policy;
    struct qubesd *qubesd;
    struct listener listeners[3];
    size_t n_listeners;
    struct client *clients;
    struct notice *notices;
    unsigned n_clients[3]; /* by kind */
    unsigned n_questions, n_notices;
    uint32_t run; /* of this start: ids do not come twice */
    uint64_t n_requests;
    sd_event_source *sweep; /* enabled while there is somebody to look after */
    bool paused;            /* no descriptor was left to accept with */
};

/* ---- server.c ----------------------------------------------------------- */

uint64_t server_now_us(const struct server *s);
void server_client_free(struct client *c);
/* While an answer takes its time: the asker may go away. */
void server_watch_asker(struct client *c, enum state state);
void server_say(int fd, const char *text, size_t len);
/* A deny in the words of this kind of socket. */
void server_say_deny(enum server_kind kind, int fd, const char *why);

/* ---- server_judge.c: each may end with the client being freed ----------- */

/* Notes what was decided. */
void server_record(const struct client *c, const struct verdict *v, bool allow,
        const char *reason);
/* The last word to this client; v may be NULL. */
void server_refuse(struct client *c, const struct verdict *v, const char *why);
/* Answers now, or when qubesd has told its state, or a person an answer. */
void server_judge(struct client *c);
/* qubesd_done: those who wait for the state go on. */
void server_on_state(void *ctx, uint64_t began, const struct err *err);
void server_notice_free(struct notice *n);

#endif
