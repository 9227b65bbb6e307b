/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-attestd: appraises foreign evidence.
 *
 * netd hands it a peer's name, the binder of the channel and the evidence, and
 * gets a state with reasons.  It parses what another machine sent, so it holds
 * nothing: no network, no file, no key, nothing secret.  Who takes it can say
 * "golden" of a machine that is not; the target's policy and the TPM's own
 * policy on keys do not depend on that word.
 *
 * With no pack that verifies it serves all the same and refuses all, with that
 * as the reason.
 *
 * It keeps the last good evidence of each zone (kept.h).  A new pack, and a
 * reference that comes into force, are put to it at once, and netd is told of
 * each zone what its state is now (MSG_REAPPRAISED).
 */
#include "appraise.h"
#include "bundle.h"
#include "clocks.h"
#include "conf.h"
#include "kept.h"
#include "role.h"

#include <stdio.h>
#include <stdlib.h>

/* How often it is looked whether another word of the owner's is in force. */
#define TICK_US 1000000
/* In so many ticks each zone's evidence is judged anew, whatever changed. */
#define REJUDGE_TICKS 10

struct attestd {
    struct role *role;
    struct crypto_pub *owner;
    struct pack *pack; /* NULL: no_pack says why */
    uint8_t pack_digest[CRYPTO_SHA256_SIZE];
    uint64_t max_age; /* of a reference, seconds; 0: any */
    char no_pack[ERR_MSG_MAX];
    struct clocks clocks;
    struct kept kept;
    unsigned ticks;
};

/* ---- the pack -------------------------------------------------------- */

static int load_owner(struct role *r, struct crypto_pub **ret,
        uint64_t *ret_max_age, struct err *err)
{
    CLEANUP(buf_free_ptr) struct conf_zone *zone = calloc(1, sizeof(*zone));
    struct span text;
    int rc;

    if (!zone)
        return err_set(err, ERR_MEMORY, "no memory for zone.conf");
    if (!bundle_find(role_bundle(r, "conf"), "zone.conf", &text))
        return err_set(err, ERR_NOT_FOUND, "zone.conf was not handed over");
    rc = conf_zone_parse(text, zone, err);
    if (rc != 0)
        return rc;
    if (zone->owner_len == 0)
        return err_set(err, ERR_NOT_FOUND,
                "zone.conf names no owner, so no pack can be believed");
    *ret = crypto_pub_from_spki(SPAN(zone->owner, zone->owner_len));
    *ret_max_age = zone->reference_max_age_s;
    return *ret ? 0 : err_set(err, ERR_SYNTAX, "zone.conf: owner is not a key");
}

static int load_pack(struct role *r, struct err *err)
{
    struct attestd *a = role_user(r);
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *owner = NULL;
    struct pack *pack;
    uint64_t max_age = 0;
    int rc = load_owner(r, &owner, &max_age, err);

    if (rc == 0)
        rc = pack_from_bundle(role_bundle(r, "pack"), owner, &pack, err);
    if (rc != 0)
        return rc;
    pack_free(a->pack);
    crypto_pub_free(a->owner);
    a->pack = pack;
    a->owner = TAKE_PTR(owner);
    a->max_age = max_age;
    a->no_pack[0] = '\0';
    crypto_sha256(role_bundle(r, "pack"), a->pack_digest);
    return 0;
}

/* ---- appraisal ------------------------------------------------------- */

/* What the owner's words make of evidence now. */
struct judgement {
    struct appraisal a;
    struct kept_word word; /* by which it was judged */
    uint64_t until;        /* the approval ends; UINT64_MAX: never */
    struct buf reason;
};

/* Which of the owner's words are in force for a zone. */
static struct kept_word word_of(const struct appraise_input *in)
{
    return (struct kept_word){
            .reference = in->reference ? in->reference->issued : 0,
            .rules = in->rules ? in->rules->issued : 0};
}

/* When the older of them was signed. */
static uint64_t signed_at(const struct kept_word *w)
{
    return w->rules != 0 && (w->reference == 0 || w->rules < w->reference)
                   ? w->rules
                   : w->reference;
}

/* The owner's last word is too old for this zone's owner of zone.conf: it
 * could not be renewed, or was withheld. */
static void check_age(const struct attestd *d, const struct appraise_input *in,
        struct judgement *j)
{
    if (!j->a.accept || in->time < j->until)
        return;
    j->a.accept = false;
    (void)snprintf(j->a.state, sizeof(j->a.state), "%s", APPRAISE_NOT_APPROVED);
    buf_printf(&j->reason,
            "approval too old: signed %llu s ago, reference-max-age is %llu "
            "s\n",
            (unsigned long long)(in->time - signed_at(&j->word)),
            (unsigned long long)d->max_age);
}

/* What changed since the evidence that was good: it is judged again for its
 * claims, which takes a moment and no memory between. */
static void look_back(struct attestd *d, struct span zone,
        struct appraise_input in, struct buf *reason)
{
    const struct kept_entry *e = kept_find(&d->kept, zone);
    CLEANUP(appraise_detail_fini) struct appraise_detail was = {0}, is = {0};
    struct appraise_last last = {.claims = &was.claims};
    struct appraise_input then = in;
    struct appraisal a;

    if (!e || e->bytes == in.evidence.ptr)
        return;
    then.evidence = SPAN(e->bytes, e->len);
    then.binder = SPAN_OF(e->binder);
    then.previous.known = false;
    appraise_in_full(&then, &a, &was);
    if (!a.genuine)
        return;
    last.time = e->time;
    in.last = &last;
    appraise_in_full(&in, &a, &is);
    appraise_explain_changes(&in, &is, reason);
}

static void judge(struct attestd *d, struct span zone, struct appraise_input in,
        struct judgement *ret)
{
    *ret = (struct judgement){
            .until = UINT64_MAX, .reason = BUF_INIT(LIMIT_IPC_MSG_MAX / 2)};
    in.time = role_now();
    appraise_take_pack(&in, d->pack, zone);
    ret->word = word_of(&in);
    if (in.zone)
        ret->until = pack_until(in.zone, in.reference, in.rules, d->max_age);
    appraise(&in, &ret->a);
    appraise_explain(&ret->a, &ret->reason);
    if (ret->a.genuine && !ret->a.accept)
        look_back(d, zone, in, &ret->reason);
    check_age(d, &in, ret);
    if (ret->reason.len > 0)
        ret->reason.len--; /* '\n' stands between findings */
}

static uint64_t boot_of(const struct tcg_clock *c)
{
    return (uint64_t)c->resets << 32 | c->restarts;
}

static void tell(struct attestd *d, const char *zone, const struct judgement *j)
{
    struct role_link *netd = role_peer(d->role, MSG_ROLE_NETD);
    struct span reason = buf_span(&j->reason);
    const uint8_t *end =
            reason.len ? memchr(reason.ptr, '\n', reason.len) : NULL;
    struct msg_reappraised m = {.zone = span_str(zone),
            .accept = j->a.accept,
            .until = j->until,
            .state = span_str(j->a.state),
            .reason = reason};

    if (!j->a.accept)
        role_log(d->role, "state of zone %s fell: %.*s", zone,
                (int)(end ? (size_t)(end - reason.ptr) : reason.len),
                (const char *)reason.ptr);
    memcpy(m.pack, d->pack_digest, sizeof(m.pack));
    if (netd)
        role_send(netd, MSG_REAPPRAISED, &m, NULL, 0);
}

/* Newer evidence speaks for the zone, on whichever of its channels it came. */
static void keep(struct attestd *d, const struct appraise_input *in,
        const char *zone, const struct judgement *j)
{
    struct span name = span_str(zone);

    if (j->a.accept) {
        if (!kept_put(&d->kept, name, in->binder.ptr, in->evidence, &j->word,
                    role_now()))
            role_log(d->role, "the evidence of zone %s is not kept", zone);
    } else if (kept_find(&d->kept, name)) {
        tell(d, zone, j);
        kept_drop(&d->kept, name);
    }
}

static void on_appraise(struct role *r, const struct role_msg *m)
{
    const struct msg_appraise *q = m->body;
    struct attestd *d = role_user(r);
    struct appraise_input in = {.binder = SPAN_OF(q->binder)};
    const struct pack_zone *zone;
    struct judgement j;
    struct err err;

    if (!d->pack) {
        role_refuse(r, m->ticket, ERR_STATE, "attestd", "%s", d->no_pack);
        return;
    }
    /* netd sealed it, so that it cannot change while it is judged */
    if (ipc_map(m->fds->fd[0], LIMIT_EVIDENCE_MAX, &in.evidence, &err) != 0)
        role_fatal(r, "netd's evidence: %s", err.msg);
    zone = pack_zone(d->pack, q->zone);
    if (zone)
        in.previous = clocks_get(&d->clocks, zone);
    judge(d, q->zone, in, &j);
    struct msg_appraised answer = {.accept = j.a.accept,
            .until = j.until,
            .boot = j.a.genuine ? boot_of(&j.a.clock) : 0,
            .state = span_str(j.a.state),
            .reason = buf_span(&j.reason)};
    memcpy(answer.evidence, j.a.evidence, sizeof(answer.evidence));
    memcpy(answer.pack, d->pack_digest, sizeof(answer.pack));
    role_reply(r, m->ticket, MSG_APPRAISED, &answer, NULL, 0);
    if (j.a.genuine) {
        clocks_put(&d->clocks, zone, &j.a.clock);
        keep(d, &in, zone->name, &j);
    }
    buf_fini(&j.reason);
    ipc_unmap(in.evidence);
}

/* ---- again, without the machine -------------------------------------- */

/* quiet: netd hears of it only when it fell. */
static void reappraise(struct attestd *d, struct kept_entry *e, bool quiet)
{
    const struct appraise_input in = {
            .evidence = SPAN(e->bytes, e->len), .binder = SPAN_OF(e->binder)};
    struct judgement j;

    judge(d, span_str(e->zone), in, &j);
    e->word = j.word;
    if (!quiet || !j.a.accept)
        tell(d, e->zone, &j);
    if (!j.a.accept) /* its channels go: nothing stands on it any more */
        kept_drop(&d->kept, span_str(e->zone));
    buf_fini(&j.reason);
}

/* What is not among these was judged by no pack that is in force. */
static void reappraise_all(struct attestd *d)
{
    struct role_link *netd = role_peer(d->role, MSG_ROLE_NETD);
    struct msg_reappraised end = {.zone = SPAN_EMPTY};

    for (size_t i = d->kept.n; i > 0; i--) /* from behind: it may go */
        reappraise(d, &d->kept.entry[i - 1], false);
    memcpy(end.pack, d->pack_digest, sizeof(end.pack));
    if (netd)
        role_send(netd, MSG_REAPPRAISED, &end, NULL, 0);
}

static bool is_other_word(const struct attestd *d, const struct kept_entry *e)
{
    struct appraise_input in = {.time = role_now()};
    struct kept_word now;

    appraise_take_pack(&in, d->pack, span_str(e->zone));
    now = word_of(&in);
    return now.reference != e->word.reference || now.rules != e->word.rules;
}

/*
 * What was signed ahead comes into force by itself, and is put to the evidence
 * at once.  Values of sets end by themselves: so all is judged anew in turn.
 */
static int on_tick(sd_event_source *s, uint64_t usec, void *user)
{
    struct attestd *d = user;

    d->ticks++;
    for (size_t i = d->pack ? d->kept.n : 0; i > 0; i--) {
        struct kept_entry *e = &d->kept.entry[i - 1];
        bool other = is_other_word(d, e);

        if (other || i % REJUDGE_TICKS == d->ticks % REJUDGE_TICKS)
            reappraise(d, e, !other);
    }
    (void)sd_event_source_set_time(s, usec + TICK_US);
    return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* ---- role ------------------------------------------------------------ */

static int start(struct role *r, struct err *err)
{
    struct attestd *a = calloc(1, sizeof(*a)); /* as long as the process */
    struct err why = {0};

    if (!a)
        return err_set(err, ERR_MEMORY, "no memory");
    a->role = r;
    role_set_user(r, a);
    if (load_pack(r, &why) != 0) {
        (void)snprintf(a->no_pack, sizeof(a->no_pack), "%s", why.msg);
        role_log(r, "no pack, so all evidence is refused: %s", why.msg);
    }
    if (sd_event_add_time_relative(role_event(r), NULL, CLOCK_MONOTONIC,
                TICK_US, TICK_US / 4, on_tick, a) < 0)
        return err_set(err, ERR_MEMORY, "event loop");
    return 0;
}

/* The former pack stays when the new one is not right: see role.h. */
static int reload(struct role *r, const char *bundle, struct err *err)
{
    int rc;

    if (strcmp(bundle, "pack") != 0 && strcmp(bundle, "conf") != 0)
        return 0;
    rc = load_pack(r, err);
    if (rc == 0)
        reappraise_all(role_user(r));
    return rc;
}

/* One that was started again has channels of before, or netd was: what is not
 * kept here must be attested anew when the pack is another. */
static void on_peer(struct role *r, struct role_link *link)
{
    struct attestd *d = role_user(r);

    if (d->pack && role_link_peer(link) == MSG_ROLE_NETD)
        reappraise_all(d);
}

/* Bundles are mapped, answers are sent: the base group is enough. */
static const struct sandbox_spec sandbox = {.name = "attestd"};

static const struct role_permit permits[] = {
        {MSG_ROLE_NETD, MSG_APPRAISE, ROLE_OPEN, on_appraise},
};

static const struct role_spec spec = {
        .role = MSG_ROLE_ATTESTD,
        .sandbox = &sandbox,
        .permits = permits,
        .n_permits = ARRAY_LEN(permits),
        .start = start,
        .reload = reload,
        .peer = on_peer,
};

int main(int argc, char **argv)
{
    return role_main(&spec, argc, argv);
}
