/* SPDX-License-Identifier: Apache-2.0 */
/* qair policy diff: which calls would be decided otherwise. */
#include "cli_json.h"
#include "policy_tools.h"
#include "policy_view.h"
#include "policytool.h"

#include <inttypes.h>

#define INDENT 4

static json_t *list_of(const struct span *s, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(
                list, json_stringn((const char *)s[i].ptr, s[i].len));
    return list;
}

static void add_json(void *ctx, const struct policytool_change *c)
{
    (void)json_array_append_new(
            ctx, json_pack("{s:s%, s:s%, s:s, s:s, s:o, s:o}", "service",
                         c->service->name.ptr, c->service->name.len, "argument",
                         c->service->argument.ptr, c->service->argument.len,
                         "before", c->before, "after", c->after, "sources",
                         list_of(c->sources, c->n_sources), "targets",
                         list_of(c->targets, c->n_targets)));
}

/* Names, folded at 60 columns. */
static void print_names(
        const char *label, const struct span *s, size_t n, size_t at)
{
    (void)printf("%*s%s", INDENT, "", label);
    at += INDENT;
    for (size_t i = 0; i < n; i++) {
        size_t len = s[i].len + (i + 1 < n);

        if (at + 1 + len > 60) {
            (void)printf("\n%*s", INDENT + 4, "");
            at = INDENT + 4;
        }
        (void)printf(" %.*s%s", S(s[i]), i + 1 < n ? "," : "");
        at += 1 + len;
    }
    (void)putchar('\n');
}

static void print_change(void *ctx, const struct policytool_change *c)
{
    (void)ctx;
    (void)printf("%.*s %.*s\n  %s -> %s\n", S(c->service->name),
            S(c->service->argument), c->before, c->after);
    print_names("from", c->sources, c->n_sources, 4);
    print_names("to  ", c->targets, c->n_targets, 4);
}

static int load(struct cli *cli, const struct policy_args *a, const char *dir,
        struct policy_view *v, struct err *err)
{
    int r = policy_view_policy(cli, a, dir, v, err);

    return r < 0 ? err_prefix(err, r, "%s", dir) : 0;
}

static int compare(struct cli *cli, const struct policy_args *a, json_t *list,
        uint64_t *ret_calls, struct err *err)
{
    CLEANUP(policy_view_fini)
    struct policy_view old = {0}, new = {0}, zone = {0};
    CLEANUP(policytool_universe_free_ptr)
    struct policytool_universe *u = NULL;
    const struct policy *both[2];
    int r = load(cli, a, a->words[0], &old, err);

    if (r == 0)
        r = load(cli, a, a->words[1], &new, err);
    if (r == 0)
        r = policy_view_system(cli, a, &zone, err);
    if (r < 0)
        return r;
    both[0] = old.policy;
    both[1] = new.policy;
    r = policytool_universe_new(both, 2, zone.system, &u, err);
    return r < 0 ? r
                 : policytool_diff(u, a->json ? add_json : print_change, list,
                           ret_calls, err);
}

int policy_diff(struct cli *cli, int argc, char **argv)
{
    json_t *list = NULL;
    struct policy_args a;
    struct err err = {.code = 0};
    uint64_t calls = 0;
    int r;

    if (!policy_args_take(cli, argc, argv, POLICY_ARG_SYSTEM, 2, 2, &a))
        return CLI_MISUSE;
    if (a.json)
        list = json_array();
    r = compare(cli, &a, list, &calls, &err);
    if (a.json && r == 0)
        r = cli_json_put(json_pack("{s:I, s:o}", "calls", (json_int_t)calls,
                                 "changes", list),
                stdout, &err);
    else if (r == 0)
        (void)printf(calls ? "%" PRIu64 " combinations of source, target and "
                             "service change\n"
                           : "nothing changes for the qubes of this zone\n",
                calls);
    if (r < 0) {
        (void)cli_fail(&err);
        return CLI_MISUSE; /* as diff(1): 1 says that they differ */
    }
    return calls ? CLI_NO : CLI_OK;
}
