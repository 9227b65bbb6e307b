/* SPDX-License-Identifier: Apache-2.0 */
/* What the reading verbs of `qair policy` work on. */
#ifndef QAIR_CLI_POLICY_VIEW_H
#define QAIR_CLI_POLICY_VIEW_H

#include "buf.h"
#include "cli.h"
#include "crypto.h"
#include "policy.h"

#include <jansson.h>

/* For "%.*s". */
#define S(span) (int)(span).len, (const char *)(span).ptr

struct policy_view {
    struct buf bundle;
    char digest[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];
    struct policy *policy;
    struct policy_system *system;
};

void policy_view_fini(struct policy_view *v);
void policy_json_free_ptr(json_t **j);

bool policy_view_is_zone(const char *dir); /* it has a policy.d */
/* dir: a policy folder, or a zone's directory; NULL: that of the zone. */
int policy_view_bundle(struct cli *cli, const char *dir, struct policy_view *v,
        struct err *err) MUST_CHECK;
struct policy_args {
    bool json;
    const char *log, *service; /* --log DIR, --service NAME */
    const char *policy;        /* --policy DIR: in place of the zone's */
    const char *system; /* --system FILE: the qubes of a Qubes host, and its
                           folders are read as its daemon reads them */
    const char *state;  /* --state TEXT: of the source's zone */
    uint64_t max_hops;  /* 0: as many as there may be */
    char **words;
    int n_words;
};

/* False: misuse was told.  Words between min and max; long_only: a mask of the
 * options beside --json that the verb takes. */
enum {
    POLICY_ARG_LOG = 1,
    POLICY_ARG_SERVICE = 2,
    POLICY_ARG_HOPS = 4,
    POLICY_ARG_POLICY = 8,
    POLICY_ARG_SYSTEM = 16,
    POLICY_ARG_STATE = 32,
};
bool policy_args_take(struct cli *cli, int argc, char **argv, unsigned may,
        int min, int max, struct policy_args *ret);
bool policy_args_parse(struct cli *cli, int argc, char **argv, int min, int max,
        struct policy_args *ret);

/* The policy of dir; NULL: the zone's, or the host's.  An error in it fails. */
int policy_view_policy(struct cli *cli, const struct policy_args *a,
        const char *dir, struct policy_view *v, struct err *err) MUST_CHECK;
/* The qubes: of --system, else of the zone. */
int policy_view_system(struct cli *cli, const struct policy_args *a,
        struct policy_view *v, struct err *err) MUST_CHECK;
/*
 * Both, as policyd does it: a policy with an error denies all, and says why.
 * Only what cannot be read at all is a failure of the command.
 */
int policy_view_zone(struct cli *cli, const struct policy_args *a,
        struct policy_view *v, struct err *err) MUST_CHECK;

#endif
