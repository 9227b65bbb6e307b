/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_request.h"

#include "qrexec.h"

static int take_name(
        struct span name, const char *what, char *ret, struct err *err)
{
    if (!text_is_name(name, LIMIT_NAME_MAX))
        return err_set(err, ERR_SYNTAX,
                "%s: lower-case letters, digits, '.', '_', '-', at most %d",
                what, LIMIT_NAME_MAX);
    memcpy(ret, name.ptr, name.len);
    ret[name.len] = '\0';
    return 0;
}

/* As the agent writes it for this service and this argument. */
static bool is_own_call(const char *argument, const char *full_name)
{
    size_t own = strlen(RELAY_SERVICE);

    return strncmp(full_name, RELAY_SERVICE, own) == 0 &&
           full_name[own] == '+' && strcmp(full_name + own + 1, argument) == 0;
}

int relay_request_parse(const char *argument, const char *full_name,
        const char *source, struct relay_request *ret, struct err *err)
{
    struct relay_request r = {.source = ""};
    struct span service;
    const char *plus;
    int e;

    if (!argument || !full_name || !source || !is_own_call(argument, full_name))
        return err_set(err, ERR_DENIED,
                "this is a transport service: a qrexec agent starts it, for a "
                "call to a RemoteVM");
    plus = strchr(argument, '+');
    if (!plus)
        return err_set(err, ERR_SYNTAX, "not REMOTE+SERVICE+ARG");
    e = take_name(SPAN(argument, (size_t)(plus - argument)),
            "name of the RemoteVM", r.target, err);
    if (e == 0)
        e = take_name(
                span_str(source), "name of the calling qube", r.source, err);
    if (e)
        return e;
    service = span_str(plus + 1);
    if (service.len > LIMIT_SERVICE_MAX)
        return err_set(err, ERR_LIMIT, "service of over %d characters",
                LIMIT_SERVICE_MAX);
    if (!qrexec_is_service(service))
        return err_set(
                err, ERR_SYNTAX, "what follows '%s+' is no service", r.target);
    memcpy(r.service, service.ptr, service.len);
    *ret = r;
    return 0;
}
