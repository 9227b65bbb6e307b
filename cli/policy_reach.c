/* SPDX-License-Identifier: Apache-2.0 */
/* qair policy reach: can a qube ever get at another? */
#include "cli_json.h"
#include "policy_tools.h"
#include "policy_view.h"
#include "policytool.h"

static json_t *hop_json(const struct policytool_hop *h)
{
    json_t *j = json_pack("{s:s%, s:o, s:b, s:s, s:s%, s:s%, s:I}", "source",
            h->source.ptr, h->source.len, "target",
            json_sprintf("%s%.*s", h->dispvm ? "@dispvm:" : "", S(h->target)),
            "ask", h->ask, "asked", h->asked, "service", h->service->name.ptr,
            h->service->name.len, "argument", h->service->argument.ptr,
            h->service->argument.len, "services", (json_int_t)h->n_services);

    if (h->zone.len)
        (void)json_object_set_new(j, "zone",
                json_stringn((const char *)h->zone.ptr, h->zone.len));
    if (h->state.len)
        (void)json_object_set_new(j, "state",
                json_stringn((const char *)h->state.ptr, h->state.len));
    if (h->relay.len)
        (void)json_object_set_new(j, "relay",
                json_stringn((const char *)h->relay.ptr, h->relay.len));
    return j;
}

static void print_hop(const struct policytool_hop *h)
{
    const char *d = h->dispvm ? "@dispvm:" : "";

    (void)printf("%.*s -> %s%.*s%s", S(h->source), d, S(h->target),
            h->ask ? ", when a person agrees" : "");
    if (h->zone.len)
        (void)printf(", in zone %.*s", S(h->zone));
    if (h->relay.len)
        (void)printf(", over relay %.*s", S(h->relay));
    if (h->state.len)
        (void)printf(", while the source zone is in state %.*s", S(h->state));
    (void)printf(
            "\n    by %.*s %.*s", S(h->service->name), S(h->service->argument));
    if (h->n_services > 1)
        (void)printf(" (and %zu more)", h->n_services - 1);
    if (h->dispvm || !span_eq_str(h->target, h->asked))
        (void)printf(", asking for %s", h->asked);
    (void)putchar('\n');
}

static int tell(const struct policy_args *a, const struct policytool_hop *hop,
        size_t n, struct err *err)
{
    json_t *list;

    if (a->json) {
        list = json_array();
        for (size_t i = 0; i < n; i++)
            (void)json_array_append_new(list, hop_json(&hop[i]));
        return cli_json_put(
                json_pack("{s:b, s:o}", "reaches", n > 0, "hops", list), stdout,
                err);
    }
    for (size_t i = 0; i < n; i++)
        print_hop(&hop[i]);
    if (n == 0)
        (void)printf("no call, nor chain of calls, leads from %s to %s\n",
                a->words[0], a->words[1]);
    return 0;
}

static int find(struct cli *cli, const struct policy_args *a, size_t *ret_n,
        struct err *err)
{
    CLEANUP(policy_view_fini) struct policy_view v = {0};
    CLEANUP(policytool_universe_free_ptr)
    struct policytool_universe *u = NULL;
    struct policytool_hop hop[POLICYTOOL_HOPS_MAX];
    const struct policy *p;
    int r = policy_view_zone(cli, a, &v, err);

    if (r < 0)
        return r;
    p = v.policy;
    r = policytool_universe_new(&p, 1, v.system, &u, err);
    if (r == 0)
        r = policytool_reach(u, span_str(a->words[0]), span_str(a->words[1]),
                span_str(a->service ? a->service : ""),
                a->max_hops && a->max_hops < POLICYTOOL_HOPS_MAX
                        ? (size_t)a->max_hops
                        : POLICYTOOL_HOPS_MAX,
                hop, ret_n, err);
    return r < 0 ? r : tell(a, hop, *ret_n, err);
}

int policy_reach(struct cli *cli, int argc, char **argv)
{
    struct policy_args a;
    struct err err = {.code = 0};
    size_t n = 0;

    if (!policy_args_take(cli, argc, argv,
                POLICY_ARG_SERVICE | POLICY_ARG_HOPS | POLICY_ARG_POLICY |
                        POLICY_ARG_SYSTEM,
                2, 2, &a))
        return CLI_MISUSE;
    if (find(cli, &a, &n, &err) < 0)
        return cli_fail(&err);
    return n ? CLI_OK : CLI_NO;
}
