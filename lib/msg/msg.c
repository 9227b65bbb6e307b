/* SPDX-License-Identifier: Apache-2.0 */
/* One field table a struct, one row a type; the codec walks them. */
#include "msg.h"

enum kind { KIND_U8, KIND_U32, KIND_U64, KIND_FIXED, KIND_TEXT, KIND_BLOB };

struct field {
    uint8_t kind;
    uint8_t size; /* KIND_FIXED */
    uint16_t at;  /* offset in the struct */
};

#define FIELDS_MAX 21 /* msg_decision */

struct shape {
    struct field field[FIELDS_MAX];
    uint8_t n;
};

#define AT(s, f) offsetof(struct s, f)
#define U8(s, f)                                                               \
    {                                                                          \
        .kind = KIND_U8, .at = AT(s, f)                                        \
    }
#define U32(s, f)                                                              \
    {                                                                          \
        .kind = KIND_U32, .at = AT(s, f)                                       \
    }
#define U64(s, f)                                                              \
    {                                                                          \
        .kind = KIND_U64, .at = AT(s, f)                                       \
    }
#define TEXT(s, f)                                                             \
    {                                                                          \
        .kind = KIND_TEXT, .at = AT(s, f)                                      \
    }
#define BLOB(s, f)                                                             \
    {                                                                          \
        .kind = KIND_BLOB, .at = AT(s, f)                                      \
    }
#define FIXED(s, f)                                                            \
    {                                                                          \
        KIND_FIXED, sizeof(((struct s *)NULL)->f), AT(s, f)                    \
    }

static const struct shape empty = {.n = 0};

static const struct shape refused = {
        .n = 3,
        .field = {U32(msg_refused, code), TEXT(msg_refused, where),
                TEXT(msg_refused, reason)},
};

static const struct shape peer = {.n = 1, .field = {U8(msg_peer, role)}};

static const struct shape named = {.n = 1, .field = {TEXT(msg_named, name)}};

static const struct shape qube_start = {
        .n = 2,
        .field = {TEXT(msg_qube_start, name), TEXT(msg_qube_start, of)},
};

static const struct shape decide = {
        .n = 6,
        .field = {TEXT(msg_decide, source), TEXT(msg_decide, target),
                TEXT(msg_decide, service), TEXT(msg_decide, choice),
                U8(msg_decide, running), TEXT(msg_decide, state)},
};

static const struct shape decide_remote = {
        .n = 4,
        .field = {TEXT(msg_decide_remote, zone),
                BLOB(msg_decide_remote, envelope),
                TEXT(msg_decide_remote, choice),
                TEXT(msg_decide_remote, state)},
};

static const struct shape decision = {
        .n = 21,
        .field = {U8(msg_decision, allow), U8(msg_decision, kind),
                U8(msg_decision, autostart), FIXED(msg_decision, call_id),
                U64(msg_decision, deadline), FIXED(msg_decision, policy),
                TEXT(msg_decision, source), TEXT(msg_decision, source_zone),
                TEXT(msg_decision, source_qube), TEXT(msg_decision, zone),
                TEXT(msg_decision, qube), TEXT(msg_decision, requested),
                TEXT(msg_decision, service), TEXT(msg_decision, user),
                TEXT(msg_decision, rule), TEXT(msg_decision, where),
                TEXT(msg_decision, reason), U8(msg_decision, ask),
                BLOB(msg_decision, candidates), TEXT(msg_decision, fallback),
                TEXT(msg_decision, guivm)},
};

static const struct shape append = {
        .n = 3,
        .field = {U8(msg_append, kind), U8(msg_append, want_proof),
                BLOB(msg_append, payload)},
};

static const struct shape appended = {
        .n = 4,
        .field = {U64(msg_appended, index), U64(msg_appended, size),
                FIXED(msg_appended, root), TEXT(msg_appended, proof)},
};

static const struct shape log_key = {
        .n = 1,
        .field = {FIXED(msg_log_key, seed)},
};

static const struct shape envelope = {
        .n = 16,
        .field = {FIXED(msg_envelope, call_id), U64(msg_envelope, issued),
                U64(msg_envelope, deadline), FIXED(msg_envelope, policy),
                U64(msg_envelope, log_size), FIXED(msg_envelope, log_root),
                TEXT(msg_envelope, source_qube), TEXT(msg_envelope, zone),
                TEXT(msg_envelope, qube), TEXT(msg_envelope, requested),
                TEXT(msg_envelope, service), TEXT(msg_envelope, rule),
                U8(msg_envelope, autostart), BLOB(msg_envelope, via),
                TEXT(msg_envelope, state), FIXED(msg_envelope, evidence)},
};

static const struct shape blob = {.n = 1, .field = {BLOB(msg_blob, bytes)}};

static const struct shape key_session = {
        .n = 12,
        .field = {FIXED(msg_key_session, call_id),
                U64(msg_key_session, deadline), FIXED(msg_key_session, policy),
                TEXT(msg_key_session, source_zone),
                TEXT(msg_key_session, source_qube),
                TEXT(msg_key_session, source), TEXT(msg_key_session, qube),
                TEXT(msg_key_session, requested),
                TEXT(msg_key_session, service), TEXT(msg_key_session, rule),
                TEXT(msg_key_session, keys), BLOB(msg_key_session, envelope)},
};

static const struct shape key_sign = {
        .n = 2,
        .field = {TEXT(msg_key_sign, key), TEXT(msg_key_sign, name)},
};

static const struct shape key_create = {
        .n = 3,
        .field = {TEXT(msg_key_create, name), TEXT(msg_key_create, custody),
                TEXT(msg_key_create, profile)},
};

static const struct shape activate = {
        .n = 2,
        .field = {BLOB(msg_activate, credential), BLOB(msg_activate, secret)},
};

static const struct shape evidence_get = {
        .n = 1,
        .field = {FIXED(msg_evidence_get, binder)},
};

static const struct shape appraisal_get = {
        .n = 3,
        .field = {TEXT(msg_appraisal_get, zone),
                TEXT(msg_appraisal_get, source),
                U64(msg_appraisal_get, deadline)},
};

static const struct shape appraisal = {
        .n = 4,
        .field = {U64(msg_appraisal, number), U64(msg_appraisal, boot),
                FIXED(msg_appraisal, evidence), TEXT(msg_appraisal, state)},
};

static const struct shape open_call = {
        .n = 8,
        .field = {TEXT(msg_open, zone), TEXT(msg_open, source),
                U64(msg_open, deadline), BLOB(msg_open, envelope),
                U64(msg_open, number), U64(msg_open, boot),
                FIXED(msg_open, evidence), TEXT(msg_open, state)},
};

static const struct shape incoming = {
        .n = 4,
        .field = {TEXT(msg_incoming, zone), BLOB(msg_incoming, envelope),
                TEXT(msg_incoming, state), FIXED(msg_incoming, evidence)},
};

static const struct shape peer_state = {
        .n = 3,
        .field = {TEXT(msg_peer_state, zone), TEXT(msg_peer_state, state),
                FIXED(msg_peer_state, evidence)},
};

static const struct shape own_state = {
        .n = 2,
        .field = {TEXT(msg_own_state, state), FIXED(msg_own_state, evidence)},
};

static const struct shape appraise = {
        .n = 2,
        .field = {TEXT(msg_appraise, zone), FIXED(msg_appraise, binder)},
};

static const struct shape appraised = {
        .n = 7,
        .field = {U8(msg_appraised, accept), FIXED(msg_appraised, evidence),
                FIXED(msg_appraised, pack), U64(msg_appraised, until),
                U64(msg_appraised, boot), TEXT(msg_appraised, state),
                TEXT(msg_appraised, reason)},
};

static const struct shape reappraised = {
        .n = 6,
        .field = {TEXT(msg_reappraised, zone), U8(msg_reappraised, accept),
                FIXED(msg_reappraised, pack), U64(msg_reappraised, until),
                TEXT(msg_reappraised, state), TEXT(msg_reappraised, reason)},
};

static const struct shape call = {
        .n = 2,
        .field = {TEXT(msg_call, target), TEXT(msg_call, service)},
};

static const struct shape qube_run = {
        .n = 2,
        .field = {TEXT(msg_qube_run, qube), TEXT(msg_qube_run, command)},
};

static const struct shape relay_call = {
        .n = 3,
        .field = {TEXT(msg_relay_call, source), TEXT(msg_relay_call, target),
                TEXT(msg_relay_call, service)},
};

static const struct shape choose = {
        .n = 3,
        .field = {U8(msg_choose, allow), TEXT(msg_choose, id),
                TEXT(msg_choose, target)},
};

static const struct type {
    const char *name;
    const struct shape *shape;
    uint8_t fds;
    bool answer;
} types[] = {
        [MSG_OK] = {"OK", &empty, 0, true},
        [MSG_REFUSED] = {"REFUSED", &refused, 0, true},
        [MSG_PEER] = {"PEER", &peer, 1, false},
        [MSG_LISTEN] = {"LISTEN", &named, 1, false},
        [MSG_HANDLE] = {"HANDLE", &named, 1, false},
        [MSG_BUNDLE] = {"BUNDLE", &named, 1, false},
        [MSG_START] = {"START", &empty, 0, false},
        [MSG_READY] = {"READY", &empty, 0, false},
        [MSG_QUBE_START] = {"QUBE_START", &qube_start, 0, false},
        [MSG_QUBE_STARTED] = {"QUBE_STARTED", &named, 1, true},
        [MSG_QUBE_STOP] = {"QUBE_STOP", &named, 0, false},
        [MSG_QUBE_GONE] = {"QUBE_GONE", &named, 0, false},
        [MSG_PING] = {"PING", &empty, 0, false},
        [MSG_PONG] = {"PONG", &empty, 0, false},
        [MSG_DECIDE] = {"DECIDE", &decide, 0, false},
        [MSG_DECIDE_REMOTE] = {"DECIDE_REMOTE", &decide_remote, 0, false},
        [MSG_DECISION] = {"DECISION", &decision, 0, true},
        [MSG_POLICY_CHANGED] = {"POLICY_CHANGED", &empty, 0, false},
        [MSG_APPEND] = {"APPEND", &append, 0, false},
        [MSG_APPENDED] = {"APPENDED", &appended, 0, true},
        [MSG_LOG_KEY] = {"LOG_KEY", &log_key, 0, false},
        [MSG_CHECKPOINT_GET] = {"CHECKPOINT_GET", &empty, 0, false},
        [MSG_ENVELOPE] = {"ENVELOPE", &envelope, 0, false},
        [MSG_BLOB] = {"BLOB", &blob, 0, true},
        [MSG_KEY_SESSION] = {"KEY_SESSION", &key_session, 1, false},
        [MSG_KEY_SIGN] = {"KEY_SIGN", &key_sign, 1, false},
        [MSG_FILE] = {"FILE", &empty, 1, true},
        [MSG_KEY_CREATE] = {"KEY_CREATE", &key_create, 0, false},
        [MSG_KEY_LIST] = {"KEY_LIST", &empty, 0, false},
        [MSG_ENROL] = {"ENROL", &empty, 0, false},
        [MSG_ACTIVATE] = {"ACTIVATE", &activate, 0, false},
        [MSG_SELF_EVIDENCE] = {"SELF_EVIDENCE", &evidence_get, 0, false},
        [MSG_KEY_RELOAD] = {"KEY_RELOAD", &empty, 0, false},
        [MSG_STATUS] = {"STATUS", &empty, 0, false},
        [MSG_OPEN] = {"OPEN", &open_call, 1, false},
        [MSG_INCOMING] = {"INCOMING", &incoming, 1, false},
        [MSG_APPRAISAL_GET] = {"APPRAISAL_GET", &appraisal_get, 1, false},
        [MSG_APPRAISAL] = {"APPRAISAL", &appraisal, 0, true},
        [MSG_PEER_STATE] = {"PEER_STATE", &peer_state, 0, false},
        [MSG_CHANNEL_CERT] = {"CHANNEL_CERT", &blob, 0, false},
        [MSG_EVIDENCE_GET] = {"EVIDENCE_GET", &evidence_get, 0, false},
        [MSG_STATE_FALLEN] = {"STATE_FALLEN", &refused, 0, false},
        [MSG_OWN_STATE] = {"OWN_STATE", &own_state, 0, false},
        [MSG_APPRAISE] = {"APPRAISE", &appraise, 1, false},
        [MSG_APPRAISED] = {"APPRAISED", &appraised, 0, true},
        [MSG_REAPPRAISED] = {"REAPPRAISED", &reappraised, 0, false},
        [MSG_CALL] = {"CALL", &call, 1, false},
        [MSG_QUBE_RUN] = {"QUBE_RUN", &qube_run, 1, false},
        [MSG_CALL_LIST] = {"CALL_LIST", &empty, 0, false},
        [MSG_CALL_KILL] = {"CALL_KILL", &named, 0, false},
        [MSG_CALL_CHOOSE] = {"CALL_CHOOSE", &choose, 0, false},
        [MSG_RELAY_CALL] = {"RELAY_CALL", &relay_call, 1, false},
        [MSG_RELAY_SERVE] = {"RELAY_SERVE", &empty, 1, false},
};

static const struct type *type_of(uint16_t type)
{
    if (type >= ARRAY_LEN(types) || !types[type].name)
        return NULL;
    return &types[type];
}

/* Text is for people and policy: NUL or bad UTF-8 would be read two ways. */
static bool is_text(struct span s)
{
    return text_is_utf8(s) && (s.len == 0 || !memchr(s.ptr, 0, s.len));
}

static bool put_field(
        struct wire_writer *w, const struct field *f, const uint8_t *msg)
{
    const void *at = msg + f->at;
    struct span s;

    switch ((enum kind)f->kind) {
    case KIND_U8:
        wire_put_u8(w, *(const uint8_t *)at);
        return true;
    case KIND_U32:
        wire_put_u32be(w, *(const uint32_t *)at);
        return true;
    case KIND_U64:
        wire_put_u64be(w, *(const uint64_t *)at);
        return true;
    case KIND_FIXED:
        wire_put_bytes(w, at, f->size);
        return true;
    case KIND_TEXT:
        memcpy(&s, at, sizeof(s));
        wire_put_vec16be(w, s);
        return is_text(s);
    case KIND_BLOB:
        memcpy(&s, at, sizeof(s));
        wire_put_vec32be(w, s);
        return true;
    }
    return false;
}

static bool get_span_field(
        struct wire_reader *r, const struct field *f, uint8_t *at)
{
    struct span s;
    bool ok = f->kind == KIND_TEXT ? wire_get_vec16be(r, &s) && is_text(s)
                                   : wire_get_vec32be(r, &s);

    if (ok)
        memcpy(at, &s, sizeof(s));
    return ok;
}

static bool get_field(
        struct wire_reader *r, const struct field *f, uint8_t *msg)
{
    uint8_t *at = msg + f->at;

    switch ((enum kind)f->kind) {
    case KIND_U8:
        return wire_get_u8(r, at);
    case KIND_U32:
        return wire_get_u32be(r, (uint32_t *)(void *)at);
    case KIND_U64:
        return wire_get_u64be(r, (uint64_t *)(void *)at);
    case KIND_FIXED:
        return wire_get_copy(r, at, f->size);
    case KIND_TEXT:
    case KIND_BLOB:
        return get_span_field(r, f, at);
    }
    return false;
}

bool msg_put(enum msg_type type, uint32_t id, const void *msg, uint8_t *buf,
        size_t cap, size_t *ret_len)
{
    const struct type *t = type_of((uint16_t)type);
    struct wire_writer w = wire_writer_of(
            buf, cap < LIMIT_IPC_MSG_MAX ? cap : LIMIT_IPC_MSG_MAX);
    struct span out;

    if (!t)
        return false;
    wire_put_u16be(&w, (uint16_t)type);
    wire_put_u16be(&w, 0);
    wire_put_u32be(&w, id);
    for (size_t i = 0; i < t->shape->n; i++) {
        if (!put_field(&w, &t->shape->field[i], msg))
            return false;
    }
    if (!wire_finish(&w, &out))
        return false;
    *ret_len = out.len;
    return true;
}

int msg_get_header(struct span datagram, struct msg_header *ret)
{
    struct wire_reader r = wire_reader_of(datagram);
    struct msg_header h;
    uint16_t zero;

    if (datagram.len > LIMIT_IPC_MSG_MAX)
        return ERR_LIMIT;
    if (!wire_get_u16be(&r, &h.type) || !wire_get_u16be(&r, &zero) ||
            !wire_get_u32be(&r, &h.id) || zero != 0 || !type_of(h.type))
        return ERR_SYNTAX;
    h.body = SPAN(r.ptr, r.left);
    *ret = h;
    return 0;
}

int msg_get(const struct msg_header *h, void *ret)
{
    const struct type *t = type_of(h->type);
    struct wire_reader r = wire_reader_of(h->body);
    union msg_any any = {0};

    if (!t)
        return ERR_SYNTAX;
    for (size_t i = 0; i < t->shape->n; i++) {
        if (!get_field(&r, &t->shape->field[i], (uint8_t *)&any))
            return ERR_SYNTAX;
    }
    if (!wire_end(&r))
        return ERR_SYNTAX;
    /* The caller has room for its struct alone: copy field by field. */
    for (size_t i = 0; i < t->shape->n; i++) {
        const struct field *f = &t->shape->field[i];
        const size_t sizes[] = {[KIND_U8] = 1,
                [KIND_U32] = 4,
                [KIND_U64] = 8,
                [KIND_FIXED] = f->size,
                [KIND_TEXT] = sizeof(struct span),
                [KIND_BLOB] = sizeof(struct span)};

        memcpy((uint8_t *)ret + f->at, (uint8_t *)&any + f->at, sizes[f->kind]);
    }
    return 0;
}

size_t msg_fds(uint16_t type)
{
    const struct type *t = type_of(type);

    return t ? t->fds : 0;
}

bool msg_is_answer(uint16_t type)
{
    const struct type *t = type_of(type);

    return t && t->answer;
}

const char *msg_type_name(uint16_t type)
{
    const struct type *t = type_of(type);

    return t ? t->name : "unknown";
}

const char *msg_role_name(uint8_t role)
{
    static const char *const names[MSG_ROLE_COUNT] = {
            [MSG_ROLE_QAIRD] = "qaird",
            [MSG_ROLE_CALLD] = "calld",
            [MSG_ROLE_POLICYD] = "policyd",
            [MSG_ROLE_KEYD] = "keyd",
            [MSG_ROLE_LOGD] = "logd",
            [MSG_ROLE_NETD] = "netd",
            [MSG_ROLE_ATTESTD] = "attestd",
            [MSG_ROLE_ADMIN] = "admin",
            [MSG_ROLE_SERVICE] = "service",
            [MSG_ROLE_MEASURE] = "measure",
            [MSG_ROLE_RELAY] = "relay",
    };

    return role < MSG_ROLE_COUNT && names[role] ? names[role] : "unknown";
}
