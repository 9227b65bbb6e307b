/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QAIR_CONF_PRIVATE_H
#define QAIR_CONF_PRIVATE_H

#include "conf.h"

/* Copies a name (text_is_name) into ret[max + 1]. */
int conf_set_name(char *ret, size_t max, struct span value, struct err *err)
        MUST_CHECK;
/* An absolute path without "..", or empty. */
int conf_set_path(char *ret, size_t size, struct span value, struct err *err)
        MUST_CHECK;

#endif
