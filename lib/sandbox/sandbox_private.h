/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QAIR_SANDBOX_PRIVATE_H
#define QAIR_SANDBOX_PRIVATE_H

#include "sandbox.h"

/* "qair-NAME: sandbox: ..." with errno. */
void sandbox_warn(const struct sandbox_spec *spec, const char *what);
_Noreturn void sandbox_die(const struct sandbox_spec *spec, const char *what);

/* Denies the network and scopes; with deny_files also every path, otherwise
 * all but those beneath the folders.  One layer; layers only take away. */
void sandbox_landlock(const struct sandbox_spec *spec, bool deny_files,
        const int *folders, size_t n);
void sandbox_seccomp(const struct sandbox_spec *spec);

#endif
