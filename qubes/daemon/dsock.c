/* SPDX-License-Identifier: Apache-2.0 */
#include "dsock.h"

#include <stdio.h>

void dsock_put_hello(uint8_t ret[static DSOCK_HELLO_SIZE])
{
    struct wire_writer w = wire_writer_of(ret, DSOCK_HELLO_SIZE);

    wire_put_u32le(&w, QREXEC_HELLO);
    wire_put_u32le(&w, 4);
    wire_put_u32le(&w, DSOCK_VERSION);
}

/* Header and whole body of one message; a huge length ends it at once. */
static int get_message(struct span *in, uint32_t *ret_type, size_t max,
        struct wire_reader *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(*in);
    uint32_t type;
    uint32_t len;

    if (!wire_get_u32le(&r, &type) || !wire_get_u32le(&r, &len))
        return err_set(err, ERR_STATE, "message is not complete");
    if (len > max)
        return err_set(err, ERR_LIMIT, "%s of %u bytes, limit %zu",
                qrexec_type_name(type), (unsigned)len, max);
    if (!wire_get_sub(&r, len, ret))
        return err_set(err, ERR_STATE, "message is not complete");
    *ret_type = type;
    *in = SPAN(r.ptr, r.left);
    return 0;
}

int dsock_get_hello(struct span *in, struct err *err)
{
    struct wire_reader body;
    struct span rest = *in;
    uint32_t type;
    uint32_t version;
    int r = get_message(&rest, &type, QREXEC_BODY_MAX, &body, err);

    if (r)
        return r;
    if (type != QREXEC_HELLO || !wire_get_u32le(&body, &version) ||
            !wire_end(&body))
        return err_set(
                err, ERR_SYNTAX, "no hello but %s", qrexec_type_name(type));
    if (version < DSOCK_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                "the peer speaks version %u, at least %d is needed",
                (unsigned)version, DSOCK_VERSION);
    *in = rest;
    return 0;
}

int dsock_put_request(const struct dsock_request *q, uint8_t *buf, size_t cap,
        size_t *ret_len)
{
    struct wire_writer w = wire_writer_of(buf, cap);
    struct span all;

    if (q->text.len == 0 || q->text.len > QREXEC_BODY_MAX - DSOCK_EXEC_SIZE)
        return ERR_LIMIT;
    wire_put_u32le(&w, q->type);
    wire_put_u32le(&w, (uint32_t)(DSOCK_EXEC_SIZE + q->text.len));
    wire_put_u32le(&w, q->domain);
    wire_put_u32le(&w, q->port);
    wire_put_bytes(&w, q->text.ptr, q->text.len);
    if (!wire_finish(&w, &all))
        return ERR_LIMIT;
    *ret_len = all.len;
    return 0;
}

static int check_request(const struct dsock_request *q, struct err *err)
{
    const char *what = qrexec_type_name(q->type);

    if (q->type != QREXEC_EXEC_CMDLINE && q->type != QREXEC_JUST_EXEC &&
            q->type != QREXEC_SERVICE_CONNECT)
        return err_set(err, ERR_UNSUPPORTED, "%s is no request", what);
    if (q->text.len == 0 || q->text.ptr[q->text.len - 1])
        return err_set(err, ERR_SYNTAX, "%s without a final NUL", what);
    if (q->type == QREXEC_SERVICE_CONNECT && q->text.len > QREXEC_IDENT_SIZE)
        return err_set(err, ERR_LIMIT, "the ident is too long");
    return 0;
}

int dsock_get_request(
        struct span *in, struct dsock_request *ret, struct err *err)
{
    struct dsock_request q;
    struct wire_reader body;
    struct span rest = *in;
    int r = get_message(&rest, &q.type, QREXEC_BODY_MAX, &body, err);

    if (r)
        return r;
    if (!wire_get_u32le(&body, &q.domain) || !wire_get_u32le(&body, &q.port))
        return err_set(
                err, ERR_SYNTAX, "%s is too short", qrexec_type_name(q.type));
    q.text = SPAN(body.ptr, body.left);
    r = check_request(&q, err);
    if (r)
        return r;
    *ret = q;
    *in = rest;
    return 0;
}

void dsock_put_answer(uint32_t type, uint32_t domain, uint32_t port,
        uint8_t ret[static DSOCK_ANSWER_SIZE])
{
    struct wire_writer w = wire_writer_of(ret, DSOCK_ANSWER_SIZE);

    wire_put_u32le(&w, type);
    wire_put_u32le(&w, DSOCK_EXEC_SIZE);
    wire_put_u32le(&w, domain);
    wire_put_u32le(&w, port);
}

int dsock_get_answer(struct span *in, uint32_t type, uint32_t *ret_domain,
        uint32_t *ret_port, struct err *err)
{
    struct wire_reader body;
    struct span rest = *in;
    uint32_t got;
    uint32_t domain;
    uint32_t port;
    int r = get_message(&rest, &got, QREXEC_BODY_MAX, &body, err);

    if (r)
        return r;
    if (got != type || !wire_get_u32le(&body, &domain) ||
            !wire_get_u32le(&body, &port) || !wire_end(&body))
        return err_set(err, ERR_SYNTAX, "%s of the daemon is no answer to %s",
                qrexec_type_name(got), qrexec_type_name(type));
    *ret_domain = domain;
    *ret_port = port;
    *in = rest;
    return 0;
}

void dsock_put_ident(struct span ident, uint8_t ret[static QREXEC_IDENT_SIZE])
{
    size_t n =
            ident.len < QREXEC_IDENT_SIZE ? ident.len : QREXEC_IDENT_SIZE - 1;

    memset(ret, 0, QREXEC_IDENT_SIZE);
    memcpy(ret, ident.ptr, n);
}

bool dsock_is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:";

    return *name && *name != '.' && strlen(name) < QREXEC_NAME_SIZE &&
           strspn(name, letters) == strlen(name);
}

int dsock_path(const char *dir, const char *name, char *ret, size_t cap,
        struct err *err)
{
    int n;

    if (!dsock_is_name(name))
        return err_set(err, ERR_SYNTAX, "'%s' is no name of a qube", name);
    n = snprintf(ret, cap, "%s/qrexec.%s", dir, name);
    if (n < 0 || (size_t)n >= cap)
        return err_set(err, ERR_LIMIT, "%s/qrexec.%s is too long", dir, name);
    return 0;
}

bool dsock_is_dom0(struct span target)
{
    static const char *const names[] = {
            "dom0", "@adminvm", "uuid:00000000-0000-0000-0000-000000000000"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq_str(target, names[i]))
            return true;
    }
    return false;
}
