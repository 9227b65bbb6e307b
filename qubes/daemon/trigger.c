/* SPDX-License-Identifier: Apache-2.0 */
#include "trigger.h"

/* Fields of a body, as they lie there. */
struct fields {
    struct span source; /* empty before version 4 */
    struct span target;
    struct span ident;
    struct span service;
    bool has_nul; /* the service ends with one, which is not part of it */
};

/* Text of a field of fixed size: what follows the first NUL is dropped. */
static struct span text_of(struct span field)
{
    const uint8_t *end;

    if (!field.len)
        return field;
    end = memchr(field.ptr, 0, field.len);
    return SPAN(field.ptr, end ? (size_t)(end - field.ptr) : field.len - 1);
}

static bool get_first(struct wire_reader *r, struct fields *f)
{
    if (!wire_get_span(r, QREXEC_NAME_SIZE, &f->service) ||
            !wire_get_span(r, QREXEC_NAME_SIZE / 2, &f->target) ||
            !wire_get_span(r, QREXEC_IDENT_SIZE, &f->ident) || !wire_end(r))
        return false;
    f->service = text_of(f->service);
    f->has_nul = true;
    return true;
}

static bool get_later(struct wire_reader *r, bool has_source, struct fields *f)
{
    if ((has_source && !wire_get_span(r, QREXEC_NAME_SIZE, &f->source)) ||
            !wire_get_span(r, QREXEC_NAME_SIZE, &f->target) ||
            !wire_get_span(r, QREXEC_IDENT_SIZE, &f->ident) || wire_end(r) ||
            !wire_get_span(r, r->left, &f->service))
        return false;
    f->service.len--;
    f->has_nul = !f->service.ptr[f->service.len];
    return true;
}

/* An ident names a client of the agent: it must be what it seems. */
static bool get_ident(struct span field, struct span *ret)
{
    struct span text = text_of(field);

    for (size_t i = text.len; i < field.len; i++) {
        if (field.ptr[i])
            return false;
    }
    *ret = text;
    return true;
}

int trigger_parse(
        uint32_t type, struct span body, struct trigger *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(body);
    struct fields f = {.source = SPAN_EMPTY};
    struct qrexec_msg m = {0};
    bool ok = type == QREXEC_TRIGGER_SERVICE
                      ? get_first(&r, &f)
                      : get_later(&r, type == QREXEC_TRIGGER_SERVICE4, &f);

    memset(ret->ident, 0, sizeof(ret->ident));
    if (!ok)
        return err_set(err, ERR_SYNTAX, "malformed request");
    memcpy(ret->ident, f.ident.ptr, sizeof(ret->ident));
    if (!get_ident(f.ident, &m.ident))
        return err_set(err, ERR_SYNTAX, "malformed request identifier");
    if (!f.has_nul)
        return err_set(err, ERR_SYNTAX, "the service does not end with a NUL");
    m.source = text_of(f.source);
    m.target = text_of(f.target);
    m.service = f.service;
    ret->bare = !memchr(f.service.ptr, '+', f.service.len);
    return qrexec_request_check(&m, &ret->asked, err);
}
