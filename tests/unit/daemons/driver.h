/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays qaird and the peers of one real role process.  Everything asserts:
 * what a test wants to see fail, it checks by the message that comes back.
 */
#ifndef QAIR_TEST_DRIVER_H
#define QAIR_TEST_DRIVER_H

#include "buf.h"
#include "ipc.h"
#include "msg.h"

struct driver {
    pid_t pid;
    int control;
};

/* Starts PROGRAM ZONE 0 with a control link on its descriptor 3. */
void driver_start(struct driver *d, const char *program, const char *zone);
/* Its exit status, after at most 20 s; -1 when it was ended by a signal. */
int driver_wait(struct driver *d);
/* Kills and reaps it if it still runs. */
void driver_stop(struct driver *d);

void driver_put(int fd, enum msg_type type, uint32_t id, const void *msg,
        const int *fds, size_t n_fds);
/*
 * The next message within 20 s: its type, or 0 when the other end is gone.
 * ret_body must hold the largest struct; its spans live until the next call.
 */
uint16_t driver_get(
        int fd, void *ret_body, struct ipc_fds *ret_fds, uint32_t *ret_id);
/* The same, past what keyd says to calld unasked (MSG_OWN_STATE). */
uint16_t driver_answer(
        int fd, void *ret_body, struct ipc_fds *ret_fds, uint32_t *ret_id);
/* True when nothing comes for that long. */
bool driver_is_silent(int fd, int ms);

/* A role's link: the driver keeps one end, the process gets the other. */
int driver_peer(const struct driver *d, enum msg_role role);
/* A link between two processes, each told which role the other has. */
void driver_join(const struct driver *a, enum msg_role a_is,
        const struct driver *b, enum msg_role b_is);
void driver_handle(const struct driver *d, const char *name, int fd);

struct driver_file {
    const char *name;
    struct span content;
};
void driver_bundle(const struct driver *d, const char *name,
        const struct driver_file *files, size_t n);
/* MSG_START; MSG_READY comes back on the control link, or its end. */
void driver_begin(const struct driver *d);

#endif
