/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        err->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
    }
    return code;
}

int err_errno(struct err *err, const char *fmt, ...)
{
    int saved = errno;
    char text[ERR_MSG_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(
            err, ERR_IO, "%.*s: %s", ERR_MSG_MAX - 60, text, strerror(saved));
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
    char text[ERR_MSG_MAX];
    char old[ERR_MSG_MAX];
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    memcpy(old, err->msg, sizeof(old));
    err->code = code;
    (void)snprintf(err->msg, sizeof(err->msg), "%.*s: %.*s", ERR_MSG_MAX / 2,
            text, ERR_MSG_MAX - 1, old);
    return code;
}

static const char *const err_names[] = {
        [-ERR_SYNTAX] = "malformed",
        [-ERR_LIMIT] = "over the limit",
        [-ERR_UNSUPPORTED] = "not supported",
        [-ERR_DENIED] = "denied",
        [-ERR_MISMATCH] = "does not verify",
        [-ERR_NOT_FOUND] = "not found",
        [-ERR_EXISTS] = "exists already",
        [-ERR_IO] = "system error",
        [-ERR_MEMORY] = "out of memory",
        [-ERR_STATE] = "not possible now",
        [-ERR_TIMEOUT] = "timed out",
        [-ERR_CRYPTO] = "cryptography failed",
        [-ERR_TPM] = "TPM refused",
        [-ERR_PEER] = "peer failed",
        [-ERR_USAGE] = "wrong usage",
};

const char *err_name(int code)
{
    if (code >= 0 || (size_t)-code >= ARRAY_LEN(err_names))
        return "unknown error";
    return err_names[-code];
}
