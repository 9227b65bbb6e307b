/* SPDX-License-Identifier: Apache-2.0 */
/* What an untrusted qube may put into a request (qubes-core-qrexec daemon). */
#include "qrexec.h"

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

static bool is_in(uint8_t c, const char *extra)
{
    return is_alnum(c) || (c && strchr(extra, c));
}

/* Copies; what is outside the alphabet becomes '_'. */
static void copy_clean(struct span in, const char *extra, char *ret)
{
    for (size_t i = 0; i < in.len; i++)
        ret[i] = is_in(in.ptr[i], extra) ? (char)in.ptr[i] : '_';
    ret[in.len] = '\0';
}

static size_t name_len(struct span service)
{
    const uint8_t *plus =
            service.len ? memchr(service.ptr, '+', service.len) : NULL;

    return plus ? (size_t)(plus - service.ptr) : service.len;
}

static int check_ident(struct span ident, struct err *err)
{
    if (ident.len >= QREXEC_IDENT_SIZE)
        return err_set(err, ERR_LIMIT, "request identifier is too long");
    for (size_t i = 0; i < ident.len; i++) {
        if (!is_in(ident.ptr[i], "_. -"))
            return err_set(err, ERR_SYNTAX,
                    "request identifier has a byte that is not allowed");
    }
    return 0;
}

static int check_service(struct span service, struct err *err)
{
    bool plus = name_len(service) < service.len;

    if (service.len == 0 || service.ptr[0] == '+')
        return err_set(err, ERR_SYNTAX, "the service has no name");
    if (memchr(service.ptr, 0, service.len))
        return err_set(err, ERR_SYNTAX, "the service has a NUL byte inside");
    if (name_len(service) > LIMIT_SERVICE_NAME_MAX)
        return err_set(err, ERR_LIMIT, "service name of %zu bytes, limit %d",
                name_len(service), LIMIT_SERVICE_NAME_MAX);
    if (service.len + (plus ? 0 : 1) > LIMIT_SERVICE_MAX)
        return err_set(err, ERR_LIMIT,
                "service and argument of %zu bytes, limit %d", service.len,
                LIMIT_SERVICE_MAX);
    return 0;
}

int qrexec_request_check(const struct qrexec_msg *untrusted_m,
        struct qrexec_request *ret, struct err *err)
{
    struct span service = untrusted_m->service;
    int r = check_ident(untrusted_m->ident, err);

    if (r)
        return r;
    if (untrusted_m->source.len >= QREXEC_NAME_SIZE ||
            untrusted_m->target.len >= QREXEC_NAME_SIZE)
        return err_set(err, ERR_LIMIT, "a qube name is too long");
    r = check_service(service, err);
    if (r)
        return r;
    copy_clean(untrusted_m->ident, "_. -", ret->ident);
    copy_clean(untrusted_m->source, "_.-@:", ret->source);
    copy_clean(untrusted_m->target, "_.-@:", ret->target);
    copy_clean(service, "_.-+", ret->service);
    if (name_len(service) == service.len) {
        ret->service[service.len] = '+';
        ret->service[service.len + 1] = '\0';
    }
    return 0;
}

bool qrexec_is_service(struct span service)
{
    size_t name = name_len(service);

    if (name == 0 || name > LIMIT_SERVICE_NAME_MAX ||
            service.len > LIMIT_SERVICE_MAX)
        return false;
    for (size_t i = 0; i < service.len; i++) {
        if (!is_in(service.ptr[i], i < name ? "._-" : "+._-"))
            return false;
    }
    return true;
}
