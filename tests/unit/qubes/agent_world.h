/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A qube (domain 7) with the real qrexec-agent in a folder of its own, and a
 * dom0 and a caller (domain 9) played by the test.  Never as root: the
 * services run as who the test is, or as nobody.
 */
#ifndef TEST_AGENT_WORLD_H
#define TEST_AGENT_WORLD_H

#include "link.h"
#include "qrexec.h"

#define QUBE   7u
#define CALLER 9u

struct world {
    char dir[64];
    pid_t agent;
    struct link *dom0;
    struct qrexec_msg heard; /* points into text */
    uint8_t *text;
};
extern const char *world_agent_program;
extern const char *world_server_program;
extern const char *world_client_program;
/* Set: the qube's programs run as root after all, its services as this user. */
extern const char *world_session_user;

/* The agent, with these options, NULL-terminated; no dom0 yet. */
void world_start(struct world *w, const char *const *options);
void world_stop(struct world *w);
/* A file of the folder; mode 0755 makes a service of it ("rpc/NAME"). */
void world_write(
        const struct world *w, const char *path, const char *text, int mode);
/* Runs a program of the build as the qube's user; stderr to /dev/null. */
pid_t world_spawn(const struct world *w, const char *program,
        const char *const *args, int out);
int world_wait_exit(pid_t pid);
const char *world_user(void);

/* A new daemon; hello is said and heard when version is not 0. */
void dom0_connect(struct world *w, uint32_t version);
void dom0_leave(struct world *w);
void dom0_say(struct world *w, const struct qrexec_msg *m);
void dom0_bytes(struct world *w, const void *bytes, size_t len);
/* The next message into w->heard; fails after 20 s. */
void dom0_hear(struct world *w, uint32_t type);
void dom0_hear_any(struct world *w);
/* The agent has closed the link. */
void dom0_is_dropped(struct world *w);
void dom0_exec(
        struct world *w, uint32_t type, uint32_t port, const char *command);
void dom0_hears_end(struct world *w, uint32_t port);

/* A program of the qube at the agent's socket. */
int client_connect(const struct world *w);
void client_ask(int fd, const char *source, size_t service_len);
/* Its answer: 8 with bytes, 0 for the end of the stream. */
size_t client_answer(int fd, uint8_t ret[8]);
/* Asks and is refused by dom0: the agent still serves. */
void client_is_served(struct world *w);

/* Runs USER:command with dom0's help; code and output. */
int call_run(struct world *w, uint32_t port, const char *command,
        const char *in, char *out, size_t cap);
/* The caller's end of a call's data, bare. */
struct link *call_accept(uint32_t port);

#endif
