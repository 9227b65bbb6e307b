/* SPDX-License-Identifier: Apache-2.0 */
/* A prediction for people and for programs. */
#ifndef QAIR_CLI_PREDICT_OUT_H
#define QAIR_CLI_PREDICT_OUT_H

#include "predict.h"

/* On stdout: each PCR, its value, and the steps that lead to it. */
int predict_out(const struct predict *p, bool json, struct err *err) MUST_CHECK;

#endif
