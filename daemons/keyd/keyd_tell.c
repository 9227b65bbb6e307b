/* SPDX-License-Identifier: Apache-2.0 */
/* Who hears of the own state: netd, calld and the log. */
#include "keyd.h"

#include "statement.h"

void keyd_tell_netd(struct keyd *k)
{
    struct keyd_state *s = &k->state;
    struct role_link *netd = role_peer(k->role, MSG_ROLE_NETD);
    const struct msg_refused m = {.code = (uint32_t)-ERR_DENIED,
            .where = span_str(KEYD_WHERE),
            .reason = span_str(s->reason)};

    if (!s->approved && !s->netd_told && netd)
        role_send(netd, MSG_STATE_FALLEN, &m, NULL, 0);
    s->netd_told = !s->approved && netd;
}

static void on_told(struct role *r, const struct role_msg *answer, void *user)
{
    struct keyd *k = user;

    (void)r;
    k->state.telling = false;
    k->state.told = answer->type == MSG_APPENDED;
}

/* Another approved state is told as well; why none is, once. */
static bool is_told(const struct keyd_state *s)
{
    return s->told_approved == s->approved &&
           strcmp(s->told_name, s->name) == 0;
}

void keyd_tell_log(struct keyd *k)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_STATEMENT_MAX);
    struct keyd_state *s = &k->state;
    struct statement_event e = {
            .time = role_now(),
            .zone = k->zone_name,
            .kind = span_str(s->approved ? "state-approved" : "state-fallen"),
            .detail = span_str(s->approved ? s->name : s->reason),
    };
    struct msg_append a = {.kind = MSG_APPEND_STATEMENT};
    struct role_request q = {
            .to = MSG_ROLE_LOGD,
            .type = MSG_APPEND,
            .msg = &a,
            .expect = MSG_APPENDED,
            .done = on_told,
            .user = k,
    };
    struct err err = {.msg = ""};

    if (s->telling || (s->told && is_told(s)) || !k->log_has_key)
        return;
    memcpy(e.digest, s->pcr, sizeof e.digest);
    if (statement_event_format(&e, &text, &err) != 0) {
        role_log(k->role, "state not recorded: %s", err.msg);
        return;
    }
    a.payload = buf_span(&text);
    s->telling = true;
    s->told_approved = s->approved;
    memcpy(s->told_name, s->name, sizeof s->told_name);
    role_request(k->role, &q);
}

void keyd_tell_calld(struct keyd *k)
{
    struct keyd_state *s = &k->state;
    struct role_link *calld = role_peer(k->role, MSG_ROLE_CALLD);
    struct msg_own_state m = {.state = SPAN_EMPTY};

    if (!calld)
        return;
    if (s->approved) {
        m.state = span_str(s->name);
        memcpy(m.evidence, s->evidence, sizeof m.evidence);
    }
    if (s->calld_told &&
            memcmp(s->calld_evidence, m.evidence, sizeof m.evidence) == 0)
        return;
    role_send(calld, MSG_OWN_STATE, &m, NULL, 0);
    s->calld_told = true;
    memcpy(s->calld_evidence, m.evidence, sizeof s->calld_evidence);
}

void keyd_tell(struct keyd *k)
{
    keyd_tell_netd(k);
    keyd_tell_calld(k);
    keyd_tell_log(k);
}
