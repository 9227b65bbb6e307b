/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three zones of one owner, a release key, and the recipe of a receipt.  A test
 * changes the recipe as an attacker would and has it cooked: all signatures,
 * the log and the evidence are real.
 */
#ifndef QAIR_RECEIPT_FIXTURE_H
#define QAIR_RECEIPT_FIXTURE_H

#include "pack_fixture.h"
#include "receipt.h"

#define FIXTURE_ARTEFACT "qair release 1.0\n"

struct scene {
    struct estate server, thin, gateway; /* of one owner */
    struct crypto_key *release, *stranger;
    struct pack_key key; /* release, as the pack has it */
    struct pack *pack;   /* scene_pack */
};

struct recipe {
    enum profile_id profile;
    const char *artefact; /* bytes that are signed */
    /* Filled with what is right; digests are computed when cooked, unless
     * they were set to something else. */
    struct statement_sign sign;
    struct statement_call call;
    /* scene_through_gateway: the link before call. */
    struct statement_call first;
    const struct crypto_key *first_signer;
    struct buf first_dsse;
    bool local;               /* no envelope at all */
    bool unstated;            /* in the receipt, but not stated */
    bool drop_envelope;       /* stated, but not in the receipt */
    bool other_binder;        /* evidence made for another act */
    bool other_proof;         /* of the entry beside ours */
    bool other_evidence;      /* not the stated one */
    bool other_text;          /* a second signature, not the stated one */
    const char *comment_name; /* in minisign's trusted comment */
    const struct crypto_key *identity, *log, *origin, *signer;
};

void scene_init(struct scene *s, enum crypto_key_type release);
void scene_fini(struct scene *s);
/* The pack as s says now (s->server.zone, s->thin.zone, s->key). */
void scene_pack(struct scene *s);
struct recipe scene_recipe(const struct scene *s, enum profile_id profile);
/* thin's call came over gateway; what was set in r->first stays. */
void scene_through_gateway(const struct scene *s, struct recipe *r);
void recipe_fini(struct recipe *r);
/* The receipt's text. */
struct buf scene_cook(struct scene *s, struct recipe *r);
struct profile_digests scene_digests(const char *artefact);

#endif
