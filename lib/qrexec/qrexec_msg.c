/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to and from bytes: one table row a type. */
#include "qrexec.h"

struct kind {
    uint32_t type;
    const char *name;
    uint32_t min; /* bounds of the body */
    uint32_t max;
    bool (*get)(struct wire_reader *r, struct qrexec_msg *m);
    void (*put)(struct wire_writer *w, const struct qrexec_msg *m);
};

#define TARGET_SIZE_V2 32
#define EXEC_SIZE      8
#define DESCRIPTOR_MAX 65000 /* upstream's MAX_SERVICE_NAME_LEN */
#define TRIGGER3_SIZE  (QREXEC_NAME_SIZE + QREXEC_IDENT_SIZE)
#define TRIGGER4_SIZE  (QREXEC_NAME_SIZE + TRIGGER3_SIZE)
#define REFUSED_MAX    (QREXEC_IDENT_SIZE + QREXEC_REASON_MAX)

/* Text in a field of fixed size: at least one NUL, and NULs alone after it. */
static bool get_field(struct wire_reader *r, size_t size, struct span *ret)
{
    struct span field;
    const uint8_t *end;

    if (!wire_get_span(r, size, &field))
        return false;
    end = memchr(field.ptr, 0, field.len);
    if (!end)
        return false;
    for (const uint8_t *p = end; p < field.ptr + field.len; p++) {
        if (*p)
            return false;
    }
    *ret = SPAN(field.ptr, (size_t)(end - field.ptr));
    return true;
}

static void put_field(struct wire_writer *w, size_t size, struct span text)
{
    static const uint8_t zero[QREXEC_NAME_SIZE];

    if (text.len >= size || (text.len && memchr(text.ptr, 0, text.len))) {
        w->overflow = true;
        return;
    }
    wire_put_bytes(w, text.ptr, text.len);
    wire_put_bytes(w, zero, size - text.len);
}

/* All that is left, which ends with a NUL; one may be inside where allowed. */
static bool get_rest(struct wire_reader *r, bool inner, struct span *ret)
{
    struct span text;

    if (!wire_get_span(r, r->left, &text) || text.len == 0 ||
            text.ptr[text.len - 1])
        return false;
    text.len--;
    if (!inner && text.len && memchr(text.ptr, 0, text.len))
        return false;
    *ret = text;
    return true;
}

static void put_rest(struct wire_writer *w, struct span text)
{
    wire_put_bytes(w, text.ptr, text.len);
    wire_put_u8(w, 0);
}

/* A NUL-terminated text in front of others. */
static bool get_text(struct wire_reader *r, struct span *ret)
{
    const uint8_t *end = r->left ? memchr(r->ptr, 0, r->left) : NULL;
    uint8_t nul;

    return end && wire_get_span(r, (size_t)(end - r->ptr), ret) &&
           wire_get_u8(r, &nul);
}

static bool get_data(struct wire_reader *r, struct qrexec_msg *m)
{
    return wire_get_span(r, r->left, &m->data);
}

static void put_data(struct wire_writer *w, const struct qrexec_msg *m)
{
    wire_put_bytes(w, m->data.ptr, m->data.len);
}

static bool get_exit(struct wire_reader *r, struct qrexec_msg *m)
{
    uint32_t v;

    if (!wire_get_u32le(r, &v))
        return false;
    memcpy(&m->exit_code, &v, sizeof(v));
    return true;
}

static void put_exit(struct wire_writer *w, const struct qrexec_msg *m)
{
    wire_put_u32le(w, (uint32_t)m->exit_code);
}

static bool get_link(struct wire_reader *r, struct qrexec_msg *m)
{
    return wire_get_u32le(r, &m->domain) && wire_get_u32le(r, &m->port);
}

static void put_link(struct wire_writer *w, const struct qrexec_msg *m)
{
    wire_put_u32le(w, m->domain);
    wire_put_u32le(w, m->port);
}

static bool get_exec(struct wire_reader *r, struct qrexec_msg *m)
{
    return get_link(r, m) && get_rest(r, false, &m->command);
}

static void put_exec(struct wire_writer *w, const struct qrexec_msg *m)
{
    if (m->command.len && memchr(m->command.ptr, 0, m->command.len))
        w->overflow = true;
    put_link(w, m);
    put_rest(w, m->command);
}

static bool get_connect(struct wire_reader *r, struct qrexec_msg *m)
{
    return get_link(r, m) && get_field(r, QREXEC_IDENT_SIZE, &m->ident);
}

static void put_connect(struct wire_writer *w, const struct qrexec_msg *m)
{
    put_link(w, m);
    put_field(w, QREXEC_IDENT_SIZE, m->ident);
}

static bool get_refused(struct wire_reader *r, struct qrexec_msg *m)
{
    if (!get_field(r, QREXEC_IDENT_SIZE, &m->ident))
        return false;
    m->has_reason = !wire_end(r);
    return !m->has_reason ||
           (get_text(r, &m->where) && get_rest(r, false, &m->reason));
}

static void put_refused(struct wire_writer *w, const struct qrexec_msg *m)
{
    put_field(w, QREXEC_IDENT_SIZE, m->ident);
    if (!m->has_reason)
        return;
    if ((m->where.len && memchr(m->where.ptr, 0, m->where.len)) ||
            (m->reason.len && memchr(m->reason.ptr, 0, m->reason.len)))
        w->overflow = true;
    put_rest(w, m->where);
    put_rest(w, m->reason);
}

static bool get_trigger2(struct wire_reader *r, struct qrexec_msg *m)
{
    return get_field(r, QREXEC_NAME_SIZE, &m->service) &&
           get_field(r, TARGET_SIZE_V2, &m->target) &&
           get_field(r, QREXEC_IDENT_SIZE, &m->ident);
}

static void put_trigger2(struct wire_writer *w, const struct qrexec_msg *m)
{
    put_field(w, QREXEC_NAME_SIZE, m->service);
    put_field(w, TARGET_SIZE_V2, m->target);
    put_field(w, QREXEC_IDENT_SIZE, m->ident);
}

/*
 * A NUL inside the service is left for qrexec_request_check to refuse: it is
 * a bad request, not a broken link.
 */
static bool get_trigger3(struct wire_reader *r, struct qrexec_msg *m)
{
    return get_field(r, QREXEC_NAME_SIZE, &m->target) &&
           get_field(r, QREXEC_IDENT_SIZE, &m->ident) &&
           get_rest(r, true, &m->service);
}

static void put_trigger3(struct wire_writer *w, const struct qrexec_msg *m)
{
    put_field(w, QREXEC_NAME_SIZE, m->target);
    put_field(w, QREXEC_IDENT_SIZE, m->ident);
    put_rest(w, m->service);
}

static bool get_trigger4(struct wire_reader *r, struct qrexec_msg *m)
{
    return get_field(r, QREXEC_NAME_SIZE, &m->source) && get_trigger3(r, m);
}

static void put_trigger4(struct wire_writer *w, const struct qrexec_msg *m)
{
    put_field(w, QREXEC_NAME_SIZE, m->source);
    put_trigger3(w, m);
}

static bool get_hello(struct wire_reader *r, struct qrexec_msg *m)
{
    return wire_get_u32le(r, &m->version);
}

static void put_hello(struct wire_writer *w, const struct qrexec_msg *m)
{
    wire_put_u32le(w, m->version);
}

static const struct kind kinds[] = {
        {QREXEC_STDIN, "STDIN", 0, LIMIT_QREXEC_DATA_MAX, get_data, put_data},
        {QREXEC_STDOUT, "STDOUT", 0, LIMIT_QREXEC_DATA_MAX, get_data, put_data},
        {QREXEC_STDERR, "STDERR", 0, LIMIT_QREXEC_DATA_MAX, get_data, put_data},
        {QREXEC_EXIT_CODE, "EXIT_CODE", 4, 4, get_exit, put_exit},
        {QREXEC_EXEC_CMDLINE, "EXEC_CMDLINE", EXEC_SIZE + 1, QREXEC_BODY_MAX,
                get_exec, put_exec},
        {QREXEC_JUST_EXEC, "JUST_EXEC", EXEC_SIZE + 1, QREXEC_BODY_MAX,
                get_exec, put_exec},
        {QREXEC_SERVICE_CONNECT, "SERVICE_CONNECT",
                EXEC_SIZE + QREXEC_IDENT_SIZE, EXEC_SIZE + QREXEC_IDENT_SIZE,
                get_connect, put_connect},
        {QREXEC_SERVICE_REFUSED, "SERVICE_REFUSED", QREXEC_IDENT_SIZE,
                REFUSED_MAX, get_refused, put_refused},
        {QREXEC_TRIGGER_SERVICE, "TRIGGER_SERVICE",
                TRIGGER3_SIZE + TARGET_SIZE_V2, TRIGGER3_SIZE + TARGET_SIZE_V2,
                get_trigger2, put_trigger2},
        {QREXEC_CONNECTION_TERMINATED, "CONNECTION_TERMINATED", EXEC_SIZE,
                EXEC_SIZE, get_link, put_link},
        {QREXEC_TRIGGER_SERVICE3, "TRIGGER_SERVICE3", TRIGGER3_SIZE + 1,
                TRIGGER3_SIZE + DESCRIPTOR_MAX, get_trigger3, put_trigger3},
        {QREXEC_TRIGGER_SERVICE4, "TRIGGER_SERVICE4", TRIGGER4_SIZE + 1,
                TRIGGER4_SIZE + DESCRIPTOR_MAX, get_trigger4, put_trigger4},
        {QREXEC_HELLO, "HELLO", 4, 4, get_hello, put_hello},
};

static const struct kind *find_kind(uint32_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].type == type)
            return &kinds[i];
    }
    return NULL;
}

const char *qrexec_type_name(uint32_t type)
{
    const struct kind *k = find_kind(type);

    return k ? k->name : "unknown";
}

int qrexec_msg_get(struct span *in, struct qrexec_msg *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(*in);
    struct wire_reader body;
    const struct kind *k;
    struct qrexec_msg m = {0};
    uint32_t len;

    if (!wire_get_u32le(&r, &m.type) || !wire_get_u32le(&r, &len))
        return err_set(err, ERR_STATE, "message is not complete");
    k = find_kind(m.type);
    if (!k)
        return err_set(err, ERR_UNSUPPORTED, "message of unknown type 0x%x",
                (unsigned)m.type);
    if (len < k->min)
        return err_set(err, ERR_SYNTAX, "%s of %u bytes is too short", k->name,
                (unsigned)len);
    if (len > k->max)
        return err_set(err, ERR_LIMIT, "%s of %u bytes, limit %u", k->name,
                (unsigned)len, (unsigned)k->max);
    if (!wire_get_sub(&r, len, &body))
        return err_set(err, ERR_STATE, "message is not complete");
    if (!k->get(&body, &m) || !wire_end(&body))
        return err_set(err, ERR_SYNTAX, "malformed %s", k->name);
    *ret = m;
    *in = SPAN(r.ptr, r.left);
    return 0;
}

int qrexec_msg_put(
        const struct qrexec_msg *m, uint8_t *buf, size_t cap, size_t *ret_len)
{
    const struct kind *k = find_kind(m->type);
    struct wire_writer head = wire_writer_of(buf, cap);
    struct wire_writer body;
    struct span all;

    if (!k)
        return ERR_USAGE;
    if (cap < QREXEC_HEADER_SIZE)
        return ERR_LIMIT;
    body = wire_writer_of(buf + QREXEC_HEADER_SIZE, cap - QREXEC_HEADER_SIZE);
    k->put(&body, m);
    if (!wire_finish(&body, &all) || all.len < k->min || all.len > k->max)
        return ERR_LIMIT;
    wire_put_u32le(&head, k->type);
    wire_put_u32le(&head, (uint32_t)all.len);
    *ret_len = QREXEC_HEADER_SIZE + all.len;
    return 0;
}

int qrexec_negotiate(uint32_t peer, uint32_t *ret, struct err *err)
{
    if (peer < QREXEC_VERSION_MIN)
        return err_set(err, ERR_UNSUPPORTED,
                "peer speaks qrexec protocol %u, at least %d is needed",
                (unsigned)peer, QREXEC_VERSION_MIN);
    *ret = peer < QREXEC_VERSION ? peer : QREXEC_VERSION;
    return 0;
}
