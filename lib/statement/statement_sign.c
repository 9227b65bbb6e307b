/* SPDX-License-Identifier: Apache-2.0 */
/* What a key signed. */
#include "statement_private.h"

static const struct statement_member sign_members[] = {
        M("artefact", TEXT, statement_sign, artefact, STATEMENT_SUBJECT_MAX),
        M("artefactSha256", DIGEST, statement_sign, artefact_sha256, 0),
        M("artefactSha512", SHA512, statement_sign, artefact_sha512, 0),
        M("artefactSize", U64, statement_sign, artefact_size, 0),
        M("call", ID, statement_sign, call_id, 0),
        M("custody", NAME, statement_sign, custody, LIMIT_NAME_MAX),
        M("emulated", BOOL, statement_sign, emulated, 0),
        M("envelope", DIGEST_OPT, statement_sign, envelope, 0),
        M("evidence", DIGEST_OPT, statement_sign, evidence, 0),
        M("key", NAME, statement_sign, key, LIMIT_NAME_MAX),
        M("keySha256", DIGEST, statement_sign, key_sha256, 0),
        M("policy", DIGEST, statement_sign, policy, 0),
        M("profile", NAME, statement_sign, profile, LIMIT_NAME_MAX),
        M("qube", TEXT, statement_sign, qube, QUBE_MAX),
        M("requested", TEXT_OPT, statement_sign, requested,
                LIMIT_SERVICE_NAME_MAX),
        M("requesterQube", TEXT, statement_sign, requester_qube, QUBE_MAX),
        M("requesterZone", NAME, statement_sign, requester_zone,
                LIMIT_ZONE_NAME_MAX),
        M("rule", TEXT, statement_sign, rule, STATEMENT_RULE_MAX),
        M("signature", DIGEST, statement_sign, signature, 0),
        M("source", TEXT, statement_sign, source, QUBE_MAX),
        M("state", TEXT, statement_sign, state, STATE_MAX),
        M("time", TIME, statement_sign, time, 0),
        M("zone", NAME, statement_sign, zone, LIMIT_ZONE_NAME_MAX),
        {0},
};

static void sign_subject(const void *in, struct buf *name, uint8_t *ret)
{
    const struct statement_sign *s = in;

    buf_append(name, s->artefact);
    memcpy(ret, s->artefact_sha256, STATEMENT_DIGEST);
}

static const struct statement_predicate sign_predicate = {
        STATEMENT_SIGN, sign_members, sign_subject, NULL};

int statement_sign_format(
        const struct statement_sign *s, struct buf *ret, struct err *err)
{
    struct statement_sign scratch;

    return statement_predicate_format(&sign_predicate, s, &scratch, ret, err);
}

int statement_sign_parse(
        const struct statement *s, struct statement_sign *ret, struct err *err)
{
    struct statement_sign sign = {0};
    int r = statement_predicate_parse(&sign_predicate, s, &sign, err);

    if (r == 0)
        *ret = sign;
    return r;
}
