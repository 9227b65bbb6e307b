/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for secrets: whole pages, locked, kept out of core dumps and forked
 * children, wiped when freed.  Freed with secret_free alone.
 */
#ifndef QAIR_BASE_SECRET_H
#define QAIR_BASE_SECRET_H

#include "attr.h"

#include <stddef.h>

/* Zeroed bytes, or NULL when they cannot be mapped and locked. */
void *secret_new(size_t len) MUST_CHECK;
/* Wipes and unmaps; NULL is fine.  len as given to secret_new. */
void secret_free(void *p, size_t len);
/* Wipes a caller's buffer; never optimised away. */
void secret_wipe(void *p, size_t len);

#endif
