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
 */
#include "appraise.h"
#include "bundle.h"
#include "clocks.h"
#include "conf.h"
#include "role.h"

#include <stdio.h>
#include <stdlib.h>

struct attestd {
    struct crypto_pub *owner;
    struct pack *pack; /* NULL: no_pack says why */
    char no_pack[ERR_MSG_MAX];
    struct clocks clocks;
};

/* ---- the pack -------------------------------------------------------- */

static int load_owner(struct role *r, struct crypto_pub **ret, struct err *err)
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
    return *ret ? 0 : err_set(err, ERR_SYNTAX, "zone.conf: owner is not a key");
}

static int load_pack(struct role *r, struct err *err)
{
    struct attestd *a = role_user(r);
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *owner = NULL;
    struct pack *pack;
    int rc = load_owner(r, &owner, err);

    if (rc == 0)
        rc = pack_from_bundle(role_bundle(r, "pack"), owner, &pack, err);
    if (rc != 0)
        return rc;
    pack_free(a->pack);
    crypto_pub_free(a->owner);
    a->pack = pack;
    a->owner = TAKE_PTR(owner);
    a->no_pack[0] = '\0';
    return 0;
}

static int start(struct role *r, struct err *err)
{
    struct attestd *a = calloc(1, sizeof(*a)); /* as long as the process */
    struct err why = {0};

    if (!a)
        return err_set(err, ERR_MEMORY, "no memory");
    role_set_user(r, a);
    if (load_pack(r, &why) != 0) {
        (void)snprintf(a->no_pack, sizeof(a->no_pack), "%s", why.msg);
        role_log(r, "no pack, so all evidence is refused: %s", why.msg);
    }
    return 0;
}

/* The former pack stays when the new one is not right: see role.h. */
static int reload(struct role *r, const char *bundle, struct err *err)
{
    if (strcmp(bundle, "pack") != 0 && strcmp(bundle, "conf") != 0)
        return 0;
    return load_pack(r, err);
}

/* ---- appraisal ------------------------------------------------------- */

static void on_appraise(struct role *r, const struct role_msg *m)
{
    const struct msg_appraise *q = m->body;
    struct attestd *a = role_user(r);
    struct buf reason = BUF_INIT(LIMIT_IPC_MSG_MAX / 2);
    struct appraise_input in = {
            .binder = SPAN_OF(q->binder),
            .time = role_now(),
    };
    struct appraisal out;
    struct msg_appraised answer = {0};
    struct err err;

    if (!a->pack) {
        role_refuse(r, m->ticket, ERR_STATE, "attestd", "%s", a->no_pack);
        return;
    }
    /* netd sealed it, so that it cannot change while it is judged */
    if (ipc_map(m->fds->fd[0], LIMIT_EVIDENCE_MAX, &in.evidence, &err) != 0)
        role_fatal(r, "netd's evidence: %s", err.msg);
    in.zone = pack_zone(a->pack, q->zone);
    in.reference = pack_reference(a->pack, q->zone, in.time);
    if (in.zone)
        in.previous = clocks_get(&a->clocks, in.zone);
    appraise(&in, &out);
    if (out.genuine)
        clocks_put(&a->clocks, in.zone, &out.clock);
    appraise_explain(&out, &reason);
    if (reason.len > 0)
        reason.len--; /* '\n' stands between findings */
    answer.accept = out.accept;
    memcpy(answer.evidence, out.evidence, sizeof(answer.evidence));
    answer.state = span_str(out.state);
    answer.reason = buf_span(&reason);
    role_reply(r, m->ticket, MSG_APPRAISED, &answer, NULL, 0);
    buf_fini(&reason);
    ipc_unmap(in.evidence);
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
};

int main(int argc, char **argv)
{
    return role_main(&spec, argc, argv);
}
