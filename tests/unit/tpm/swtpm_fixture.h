/* SPDX-License-Identifier: Apache-2.0 */
/* A real software TPM in a private directory, for tests. */
#ifndef QAIR_TEST_SWTPM_H
#define QAIR_TEST_SWTPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct swtpm {
    char dir[64];
    pid_t pid;
};

/* False when swtpm is not installed: the test skips with 77. */
bool swtpm_installed(void);
/* Makes the directory, and endorsement keys with certificates when with_ek. */
bool swtpm_init(struct swtpm *s, bool with_ek);
/* A directory of its own with a copy of another's TPM, which is not running:
 * making endorsement keys takes a second. */
bool swtpm_copy(const struct swtpm *from, struct swtpm *ret);
/* Starts swtpm; TPM2_Startup(CLEAR) is sent by it. */
bool swtpm_start(struct swtpm *s);
/* A connection to its data channel; one at a time. */
int swtpm_connect(const struct swtpm *s);
/* TPM reset without startup, as a power cycle of the chip alone. */
bool swtpm_reset(const struct swtpm *s);
/* One raw command on a connection of its own; true when it succeeded. */
bool swtpm_command(const struct swtpm *s, const uint8_t *bytes, size_t len);
/* True when the child ended with status 0. */
bool swtpm_wait(pid_t pid);
/* A stream that answers the first command with these bytes, then nothing. */
bool swtpm_false(int ret_fds[2], const uint8_t *bytes, size_t len);
void swtpm_stop(struct swtpm *s);
void swtpm_fini(struct swtpm *s);

#endif
