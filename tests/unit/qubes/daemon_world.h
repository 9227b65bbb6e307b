/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of one qrexec-daemon, played by the test: the agent of qube
 * "work" (id 7), the policy service, qubesd, other qubes' daemons and dom0's
 * clients.  Everything is blocking, with a limit of 15 s for each step.
 */
#ifndef QAIR_TESTS_DAEMON_WORLD_H
#define QAIR_TESTS_DAEMON_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dsock.h"
#include "qrexec.h"

#include <sys/types.h>

#define OWN 7

struct world {
    char dir[64];
    pid_t daemon;
    int agent;  /* the vchan's other end; -1 */
    int policy; /* listening; -1 */
    int qubesd; /* the same */
};
extern struct world w;

extern const char *world_program; /* qrexec-daemon */

/* A fresh folder with listeners; world_end ends and removes all. */
int world_begin(void **state);
int world_end(void **state);
/* extra: up to three more options, or NULL. */
void world_start(const char *const *extra);
/* And a hello of that version, echoed. */
void world_ready(uint32_t version, const char *const *extra);
/* The exit code of the daemon, which ends by itself. */
int world_exit_code(void);

int world_listen(const char *name);
int world_connect(const char *name);
int world_accept(int listener);
/* No connection comes within ms. */
bool world_is_idle(int fd, int ms);
void put(int fd, const void *bytes, size_t len);
/* Exactly len bytes; false at the end of the stream. */
bool get(int fd, void *ret, size_t len);
void put_msg(int fd, uint32_t type, const void *body, size_t len);
/* The body's length, or -1 at the end of the stream. */
ssize_t get_msg(int fd, uint32_t *ret_type, uint8_t *ret, size_t cap);
/* The next message is that one; its body follows in ret. */
ssize_t want_msg(int fd, uint32_t type, uint8_t *ret, size_t cap);
bool is_closed(int fd);

void trigger(const char *source, const char *target, const char *service,
        const char *ident);
void want_refused(const char *ident);
void want_connect(uint32_t domain, uint32_t port, const char *ident);
/* Takes the next question, as text. */
int take_question(char *ret, size_t cap);
void answer(int fd, const char *text);
/* The next call of qubesd: METHOD up to its payload, NUL as '|'. */
int take_call(char *ret, size_t cap);
void answer_bytes(int fd, const void *bytes, size_t len);

/* An answer of the policy service. */
#define ALLOW                                                                  \
    "user=DEFAULT\nresult=allow\ntarget=vault\nautostart=True\n"               \
    "requested_target=vault\n"

/* Asks for t.S+a on vault, and has the policy say that. */
void asked_and_told(const char *ident, const char *text);
/* The daemon does its work as before. */
void still_serves(void);
/* The daemon's hello and command at another qube's daemon, which listens. */
int take_command(int listener, char *ret, size_t cap);
/* And the answer to it. */
void name_port(int fd, uint32_t domain, uint32_t port);

#endif
