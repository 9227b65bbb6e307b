/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors.  A function that can fail returns 0 or one of these negative codes.
 * Where a person will read the failure, the last parameter is a struct err
 * that the caller owns: the innermost function says what was wrong with which
 * value (err_set), outer ones say where (err_prefix).  err may be NULL.
 */
#ifndef QAIR_BASE_ERR_H
#define QAIR_BASE_ERR_H

#include "attr.h"

enum err_code {
    ERR_SYNTAX = -1,      /* malformed, truncated or trailing bytes */
    ERR_LIMIT = -2,       /* larger or more than limit.h allows */
    ERR_UNSUPPORTED = -3, /* well-formed, but a version or kind unknown here */
    ERR_DENIED = -4,      /* policy, permission or state says no */
    ERR_MISMATCH = -5,    /* a signature, digest or proof does not hold */
    ERR_NOT_FOUND = -6,   /* no such thing */
    ERR_EXISTS = -7,      /* already there, and must not be replaced */
    ERR_IO = -8,          /* a system call failed; the message has errno */
    ERR_MEMORY = -9,      /* allocation failed */
    ERR_STATE = -10,      /* not now: wrong order, closed, not ready */
    ERR_TIMEOUT = -11,    /* a deadline passed */
    ERR_CRYPTO = -12,     /* the cryptographic library refused */
    ERR_TPM = -13,        /* the TPM refused; the message has its code */
    ERR_PEER = -14,       /* the peer went away or broke the protocol */
    ERR_USAGE = -15,      /* a person's mistake on the command line */
};

#define ERR_MSG_MAX 200

struct err {
    int code;
    char msg[ERR_MSG_MAX];
};

/* Sets code and message, returns code.  Over-long text is cut. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set with ERR_IO, and ": strerror(errno)" added. */
int err_errno(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "TEXT: " before the message; returns the code unchanged. */
int err_prefix(struct err *err, int code, const char *fmt, ...)
        PRINTF_LIKE(3, 4);
/* Two or three words for a code: "not found". */
const char *err_name(int code);

#endif
