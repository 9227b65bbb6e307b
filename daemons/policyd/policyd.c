/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-policyd: decides.
 *
 * It gets the measured bytes of policy, qubes, pack and zone.conf, parses them
 * once, and answers MSG_DECIDE and MSG_DECIDE_REMOTE of calld.  Where one of
 * them does not parse it serves all the same and denies, with that as the
 * reason: an administrator reads it where the call failed, and there is no
 * other path by which a call could be decided.
 *
 * What this process holds is no secret, and it writes nothing; the damage of
 * taking it is a wrong yes for calls inside this zone's two policies' reach,
 * which the log then shows.  Hence no network, no files, no keys.
 */
#include "bundle.h"
#include "crypto.h"
#include "decide.h"
#include "role.h"

#include <stdlib.h>
#include <time.h>

#define STATE_MAX   64
#define WAITING_MAX 64 /* calls whose second has not come: peers' clocks */

/* A call that is judged again in its own second. */
struct waiting {
    struct policyd *p;
    struct role_ticket ticket;
    char zone[LIMIT_ZONE_NAME_MAX + 1];
    char state[STATE_MAX + 1];
    struct buf envelope;
    sd_event_source *timer;
};

struct policyd {
    struct role *role;
    struct conf_qubes qubes;
    struct policy *policy;
    struct policy_system *system;
    struct crypto_pub *owner;
    struct pack *pack;
    char no_pack[ERR_MSG_MAX];
    struct decide decide;
    struct judge judge;
    unsigned n_waiting;
};

/* ---- what was handed over --------------------------------------------------
 */

static int load_rules(struct policyd *p, struct err *err)
{
    CLEANUP(conf_qubes_fini) struct conf_qubes qubes = {0};
    CLEANUP(policy_system_free_ptr) struct policy_system *system = NULL;
    CLEANUP(policy_free_ptr) struct policy *policy = NULL;
    struct span bundle = role_bundle(p->role, "policy");
    int r = conf_qubes_parse(role_bundle(p->role, "qubes"), &qubes, err);

    if (r == 0)
        r = policy_system_new_from_conf(&qubes, &system, err);
    if (r == 0)
        r = policy_new_from_bundle(bundle, &policy, err);
    if (r < 0)
        return r;
    policy_free(p->policy);
    policy_system_free(p->system);
    conf_qubes_fini(&p->qubes);
    p->policy = TAKE_PTR(policy);
    p->system = TAKE_PTR(system);
    p->qubes = qubes;
    qubes = (struct conf_qubes){0};
    p->decide.policy = p->policy;
    p->decide.system = p->system;
    crypto_sha256(bundle, p->decide.digest);
    return 0;
}

/* Denies all from here on. */
static int load_nothing(struct policyd *p, const char *reason, struct err *err)
{
    crypto_sha256(role_bundle(p->role, "policy"), p->decide.digest);
    policy_free(TAKE_PTR(p->policy));
    policy_system_free(TAKE_PTR(p->system));
    p->policy = policy_new_broken(reason);
    p->decide.policy = p->policy;
    if (!p->policy)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (policy_system_new(NULL, 0, &p->system, err) < 0)
        return err->code;
    p->decide.system = p->system;
    return 0;
}

static int load_owner(
        struct policyd *p, struct crypto_pub **ret, struct err *err)
{
    CLEANUP(buf_free_ptr) struct conf_zone *zone = calloc(1, sizeof(*zone));
    struct span text;
    int r;

    if (!zone)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!bundle_find(role_bundle(p->role, "conf"), "zone.conf", &text))
        return err_set(err, ERR_NOT_FOUND, "no zone.conf");
    r = conf_zone_parse(text, zone, err);
    if (r < 0)
        return r;
    if (zone->owner_len == 0)
        return err_set(err, ERR_NOT_FOUND,
                "this zone has no owner yet (zone.conf): calls from other "
                "zones are refused");
    *ret = crypto_pub_from_spki(SPAN(zone->owner, zone->owner_len));
    return *ret ? 0 : err_set(err, ERR_SYNTAX, "zone.conf: owner: no key");
}

static int load_pack(struct policyd *p, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *pack = NULL;
    struct span bundle = role_bundle(p->role, "pack");
    struct bundle_iter it = bundle_iter_of(bundle);
    struct bundle_file file;
    int r = load_owner(p, &owner, err);

    if (r < 0)
        return r;
    pack = pack_new(owner);
    if (!pack)
        return err_set(err, ERR_MEMORY, "out of memory");
    while (r == 0 && bundle_next(&it, &file))
        r = pack_add(pack, file.name, file.content, err);
    if (r == 0)
        r = pack_check(pack, err);
    if (r < 0)
        return r;
    pack_free(p->pack);
    crypto_pub_free(p->owner);
    p->pack = TAKE_PTR(pack);
    p->owner = TAKE_PTR(owner);
    p->judge.pack = p->pack;
    return 0;
}

/*
 * Envelopes carry whole seconds, and those of the second in which this process
 * began cannot be told from ones that a former life of it used.  They are
 * refused, so that second is let pass before saying ready: who waits for the
 * zone to serve is not refused for it.
 */
static void let_the_second_pass(void)
{
    const long second = 1000000000, tick = 10000000;
    struct timespec now, rest;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    rest = (struct timespec){.tv_nsec = second - now.tv_nsec + tick};
    if (rest.tv_nsec >= second)
        rest = (struct timespec){.tv_sec = 1, .tv_nsec = rest.tv_nsec - second};
    (void)nanosleep(&rest, NULL);
}

static int start(struct role *r, struct err *err)
{
    struct policyd *p = calloc(1, sizeof(*p)); /* as long as the process */
    struct err why = {.code = 0};

    if (!p)
        return err_set(err, ERR_MEMORY, "out of memory");
    p->role = r;
    role_set_user(r, p);
    p->decide.zone = p->judge.zone = role_zone(r);
    p->judge.started = role_now();
    p->judge.qubes = &p->qubes;
    p->judge.no_pack = p->no_pack;
    p->judge.replay = replay_new(LIMIT_REPLAY_MAX);
    if (!p->judge.replay)
        return err_set(err, ERR_MEMORY, "out of memory");
    if (load_pack(p, &why) < 0) {
        text_format_safe(span_str(why.msg), p->no_pack, sizeof(p->no_pack));
        role_log(r, "no pack: %s", why.msg);
    }
    if (load_rules(p, &why) < 0) {
        role_log(r, "all is denied: %s", why.msg);
        if (load_nothing(p, why.msg, err) < 0)
            return err->code;
    }
    let_the_second_pass();
    return 0;
}

/*
 * What is measured is what decides: a policy with an error is not passed over
 * for the one before.
 */
static int reload_rules(struct policyd *p, struct err *err)
{
    struct role_link *calld = role_peer(p->role, MSG_ROLE_CALLD);
    struct err why;
    int r = load_rules(p, &why);

    if (r < 0) {
        role_log(p->role, "all is denied: %s", why.msg);
        r = load_nothing(p, why.msg, err);
    }
    if (r == 0 && calld)
        role_send(calld, MSG_POLICY_CHANGED, &(struct msg_empty){0}, NULL, 0);
    return r;
}

static int reload(struct role *r, const char *bundle, struct err *err)
{
    static const struct {
        const char *name;
        int (*load)(struct policyd *p, struct err *err);
    } loads[] = {
            {"policy", reload_rules},
            {"pack", load_pack},
            {"conf", load_pack},
    };

    /* qaird sends qubes before policy, and they count together: in between
     * neither is put to the other's former self. */
    for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
        if (strcmp(bundle, loads[i].name) == 0)
            return loads[i].load(role_user(r), err);
    }
    return 0;
}

/* ---- decisions --------------------------------------------------------------
 */

static void on_decide(struct role *r, const struct role_msg *m)
{
    const struct policyd *p = role_user(r);
    struct decide_text text;
    struct msg_decision answer;

    decide_local(&p->decide, m->body, &text, &answer);
    role_reply(r, m->ticket, MSG_DECISION, &answer, NULL, 0);
}

static void wait_for_its_second(struct policyd *p, struct role_ticket ticket,
        const struct msg_decide_remote *m);

static void judge(struct policyd *p, struct role_ticket ticket,
        const struct msg_decide_remote *m)
{
    CLEANUP(judge_call_fini) struct judge_call call = {.verified = false};
    struct decide_text text;
    struct msg_decision answer;
    struct err err = {.code = 0};

    switch ((m->choice.len > 0 ? judge_answered : judge_envelope)(
            &p->judge, m->zone, m->envelope, role_now(), &call, &err)) {
    case JUDGE_LATER: /* an answered one waited for its second before */
        if (p->n_waiting < WAITING_MAX && m->choice.len == 0) {
            wait_for_its_second(p, ticket, m);
            return;
        }
        decide_refuse(&p->decide, m->zone, &call,
                "too many calls from clocks ahead of ours", &text, &answer);
        break;
    case JUDGE_REFUSED:
        decide_refuse(&p->decide, m->zone, &call, err.msg, &text, &answer);
        break;
    case JUDGE_TRUE:
        decide_remote(&p->decide, &call, m, &text, &answer);
        break;
    }
    role_reply(p->role, ticket, MSG_DECISION, &answer, NULL, 0);
}

static void on_decide_remote(struct role *r, const struct role_msg *m)
{
    judge(role_user(r), m->ticket, m->body);
}

/* ---- calls from clocks that are ahead ---------------------------------------
 */

static int on_its_second(sd_event_source *s, uint64_t usec, void *user)
{
    struct waiting *w = user;

    (void)s;
    (void)usec;
    /* May be too early still, and wait anew: the number stays bounded. */
    w->p->n_waiting--;
    judge(w->p, w->ticket,
            &(struct msg_decide_remote){.zone = span_str(w->zone),
                    .envelope = buf_span(&w->envelope),
                    .state = span_str(w->state)});
    sd_event_source_disable_unref(w->timer);
    buf_fini(&w->envelope);
    free(w);
    return 0;
}

#define WAIT_US 250000

static void wait_for_its_second(struct policyd *p, struct role_ticket ticket,
        const struct msg_decide_remote *m)
{
    struct waiting *w = calloc(1, sizeof(*w));

    if (!w || m->zone.len >= sizeof(w->zone) ||
            m->state.len >= sizeof(w->state))
        role_fatal(p->role, "a call that must wait cannot be kept");
    w->p = p;
    w->ticket = ticket;
    memcpy(w->zone, m->zone.ptr, m->zone.len);
    if (m->state.len > 0)
        memcpy(w->state, m->state.ptr, m->state.len);
    w->envelope = BUF_INIT(STATEMENT_ENVELOPE_MAX);
    buf_append(&w->envelope, m->envelope);
    if (buf_ok(&w->envelope, NULL) < 0 ||
            sd_event_add_time_relative(role_event(p->role), &w->timer,
                    CLOCK_MONOTONIC, WAIT_US, 0, on_its_second, w) < 0)
        role_fatal(p->role, "a call that must wait cannot be kept");
    p->n_waiting++;
}

/* ---- the role ---------------------------------------------------------------
 */

/* Bundles are mapped, answers are sent: the base group is enough. */
static const struct sandbox_spec sandbox = {.name = "policyd"};

static const struct role_permit permits[] = {
        {MSG_ROLE_CALLD, MSG_DECIDE, ROLE_OPEN, on_decide},
        {MSG_ROLE_CALLD, MSG_DECIDE_REMOTE, ROLE_OPEN, on_decide_remote},
};

static const struct role_spec spec = {
        .role = MSG_ROLE_POLICYD,
        .sandbox = &sandbox,
        .permits = permits,
        .n_permits = ARRAY_LEN(permits),
        .start = start,
        .reload = reload,
};

int main(int argc, char **argv)
{
    return role_main(&spec, argc, argv);
}
