/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope of a call from another zone: is it true, fresh, for us, and
 * whose is it?  Pure: bytes, tables and the time come in.
 *
 * What is checked, in this order:
 *   1. the peer is a zone of the pack, valid now
 *   2. the signature is that of the peer's identity, the statement a call
 *   3. the signer is the peer that the channel proved: nobody relays
 *   4. the call is for this zone, and names the appraisal of this zone on
 *      which it rests
 *   5. it was issued after this process began, because what was seen before is
 *      forgotten; and not in the future (JUDGE_LATER up to a small skew)
 *   6. its deadline has not passed and is not too far ahead
 *   7. the zones that the call went through before signed their links, and
 *      the links are of one call (room chain); none is of before 5, or lives
 *      longer than 6 allows
 *   8. a RemoteVM of ours stands for its source, and where that one says
 *      where its calls begin, this one began there
 *   9. its id was not seen; it is remembered for as long as its first link
 *      lives, whatever a gateway says in the last
 * From 2 on the call's fields are told with a refusal too, so that records of
 * both zones can be tied together.
 */
#ifndef QAIR_POLICYD_JUDGE_H
#define QAIR_POLICYD_JUDGE_H

#include "chain.h"
#include "conf.h"
#include "pack.h"
#include "replay.h"
#include "statement.h"

/* A peer's clock may be this far ahead: such a call waits (JUDGE_LATER). */
#define JUDGE_SKEW_S 2

struct judge {
    const char *zone; /* this one */
    uint64_t started; /* unix seconds */
    uint64_t latest;  /* highest time seen: a clock set back stands still */
    const struct pack *pack; /* NULL: none, because of no_pack */
    const char *no_pack;
    const struct conf_qubes *qubes;
    struct replay *replay;
};

enum judge_verdict {
    JUDGE_REFUSED, /* err says why */
    JUDGE_TRUE,
    JUDGE_LATER, /* judge the same bytes again when its second has come */
};

struct judge_call {
    bool verified; /* call was signed by the peer's identity */
    struct statement statement;
    struct statement_call call; /* points into statement */
    struct chain chain;         /* the links before it */
    const struct conf_qube *source;
};

enum judge_verdict judge_envelope(struct judge *j, struct span peer,
        struct span envelope, uint64_t now, struct judge_call *ret,
        struct err *err) MUST_CHECK;
/*
 * The same for an envelope that was found true before, when a person has
 * answered the question that its call led to: its id must have been seen.
 */
enum judge_verdict judge_answered(struct judge *j, struct span peer,
        struct span envelope, uint64_t now, struct judge_call *ret,
        struct err *err) MUST_CHECK;
void judge_call_fini(struct judge_call *c);

#endif
