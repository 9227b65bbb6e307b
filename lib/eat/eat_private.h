/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: registered numbers, and a claims set into a token. */
#ifndef QAIR_EAT_PRIVATE_H
#define QAIR_EAT_PRIVATE_H

#include "eat.h"

/* RFC 8392 and RFC 9711: claim keys. */
enum eat_claim {
    EAT_CLAIM_ISS = 1,
    EAT_CLAIM_SUB = 2,
    EAT_CLAIM_AUD = 3,
    EAT_CLAIM_EXP = 4,
    EAT_CLAIM_NBF = 5,
    EAT_CLAIM_IAT = 6,
    EAT_CLAIM_NONCE = 10,
    EAT_CLAIM_UEID = 256,
    EAT_CLAIM_OEMID = 258,
    EAT_CLAIM_HWMODEL = 259,
    EAT_CLAIM_HWVERSION = 260,
    EAT_CLAIM_UPTIME = 261,
    EAT_CLAIM_OEMBOOT = 262,
    EAT_CLAIM_DBGSTAT = 263,
    EAT_CLAIM_PROFILE = 265,
    EAT_CLAIM_SUBMODS = 266,
    EAT_CLAIM_BOOTCOUNT = 267,
    EAT_CLAIM_BOOTSEED = 268,
    EAT_CLAIM_SWNAME = 270,
    EAT_CLAIM_SWVERSION = 271,
    EAT_CLAIM_MANIFESTS = 272,
    EAT_CLAIM_MEASUREMENTS = 273,
    EAT_CLAIM_MEASRES = 274,
    EAT_CLAIM_INTUSE = 275,
};

/* Tags; CoAP content formats. */
enum {
    TAG_CWT = 61,
    TAG_UCCS = 601,
    TAG_BUNDLE = 602,
    FORMAT_CWT = 61,
    FORMAT_EAT_CWT = 263,
    FORMAT_MAX = 65535,
};

struct eat_reading {
    struct eat *e;
    struct span audience;
};

/* A claims map into module `at`, its submodules behind it. */
int eat_get_claims(struct eat_reading *x, struct wire_reader map, size_t at,
        struct err *err) MUST_CHECK;

#endif
