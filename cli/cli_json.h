/* SPDX-License-Identifier: Apache-2.0 */
/* A command's answer for programs: one line of JSON, keys sorted. */
#ifndef QAIR_CLI_JSON_H
#define QAIR_CLI_JSON_H

#include "base.h"

#include <jansson.h>
#include <stdio.h>

/*
 * Takes j; NULL is what jansson answers when memory is out.  What stays in
 * out's buffer is the main function's to flush and check.
 */
int cli_json_put(json_t *j, FILE *out, struct err *err) MUST_CHECK;

#endif
