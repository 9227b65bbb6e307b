/* SPDX-License-Identifier: Apache-2.0 */
/* qair policy diff: which calls would be decided otherwise. */
#include "cli_json.h"
#include "policy_tools.h"
#include "policy_view.h"
#include "policytool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
    json_t *j = json_pack("{s:s%, s:s%, s:s, s:s, s:o, s:o}", "service",
            c->service->name.ptr, c->service->name.len, "argument",
            c->service->argument.ptr, c->service->argument.len, "before",
            c->before, "after", c->after, "sources",
            list_of(c->sources, c->n_sources), "targets",
            list_of(c->targets, c->n_targets));

    if (c->state)
        (void)json_object_set_new(j, "state", json_string(c->state));
    (void)json_array_append_new(ctx, j);
}

/* ---- text: services that change alike are told together ----------------- */

#define COLUMNS_MAX 60
#define INDENT      4
#define TEXT_MAX    (64u << 20)

struct group {
    struct buf services; /* folded, as they are printed */
    size_t column;
    char *body; /* what changes for each of them */
};

struct telling {
    const struct policytool_service *service; /* whose body this is */
    struct buf body;
    struct group *group;
    size_t n_groups;
    bool no_memory;
};

static void telling_fini(struct telling *t)
{
    for (size_t i = 0; i < t->n_groups; i++) {
        buf_fini(&t->group[i].services);
        free(t->group[i].body);
    }
    free(t->group);
    buf_fini(&t->body);
}

/* One more of a list that is folded; returns the column behind it. */
static size_t put_folded(struct buf *b, size_t at, size_t indent,
        const char *comma, const char *text)
{
    size_t len = strlen(text);

    buf_append_str(b, comma);
    at += strlen(comma);
    if (at + 2 + len > COLUMNS_MAX && *comma) {
        buf_printf(b, "\n%*s", (int)indent, "");
        at = indent;
    } else if (at > 0) {
        buf_append_str(b, " ");
        at++;
    }
    buf_append_str(b, text);
    return at + len;
}

static void put_names(
        struct buf *b, const char *label, const struct span *s, size_t n)
{
    size_t at = INDENT + strlen(label);

    buf_printf(b, "%*s%s", INDENT, "", label);
    for (size_t i = 0; i < n; i++) {
        char name[POLICY_TARGET_TEXT_MAX];

        (void)snprintf(name, sizeof(name), "%.*s", S(s[i]));
        at = put_folded(b, at, INDENT + 5, i > 0 ? "," : "", name);
    }
    buf_append_str(b, "\n");
}

static struct group *find_group(struct telling *t)
{
    const char *body = (const char *)t->body.ptr;
    struct group *grown;

    for (size_t i = 0; i < t->n_groups; i++) {
        if (strcmp(t->group[i].body, body) == 0)
            return &t->group[i];
    }
    grown = reallocarray(t->group, t->n_groups + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    t->group = grown;
    grown += t->n_groups;
    *grown = (struct group){
            .services = BUF_INIT(TEXT_MAX), .body = strdup(body)};
    if (!grown->body)
        return NULL;
    t->n_groups++;
    return grown;
}

/* All of a service was told. */
static void end_service(struct telling *t)
{
    const struct policytool_service *s = t->service;
    char text[LIMIT_SERVICE_MAX + 4];
    struct group *g;

    if (!s)
        return;
    g = t->body.error ? NULL : find_group(t);
    if (!g) {
        t->no_memory = true;
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s %.*s", S(s->name), S(s->argument));
    g->column = put_folded(
            &g->services, g->column, 0, g->services.len > 0 ? "," : "", text);
    t->no_memory |= g->services.error != 0;
    buf_reset(&t->body);
}

static void add_text(void *ctx, const struct policytool_change *c)
{
    struct telling *t = ctx;

    if (t->service != c->service)
        end_service(t);
    t->service = c->service;
    buf_printf(&t->body, "  %s -> %s", c->before, c->after);
    if (c->state)
        buf_printf(&t->body, ", when the source zone is %s%s",
                *c->state ? "in state " : "in none of these states", c->state);
    buf_append_str(&t->body, "\n");
    put_names(&t->body, "from", c->sources, c->n_sources);
    put_names(&t->body, "to  ", c->targets, c->n_targets);
}

static int print_all(struct telling *t, struct err *err)
{
    end_service(t);
    if (t->no_memory)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < t->n_groups; i++)
        (void)printf("%s\n%s", (const char *)t->group[i].services.ptr,
                t->group[i].body);
    return 0;
}

/* ---- the command -------------------------------------------------------- */

static int load(struct cli *cli, const struct policy_args *a, const char *dir,
        struct policy_view *v, struct err *err)
{
    int r = policy_view_policy(cli, a, dir, v, err);

    if (r < 0 && strncmp(err->msg, dir, strlen(dir)) != 0)
        return err_prefix(err, r, "%s", dir); /* which of the two */
    return r;
}

static int compare(struct cli *cli, const struct policy_args *a, json_t *list,
        uint64_t *ret_calls, struct err *err)
{
    CLEANUP(policy_view_fini)
    struct policy_view old = {0}, new = {0}, zone = {0};
    CLEANUP(policytool_universe_free_ptr)
    struct policytool_universe *u = NULL;
    CLEANUP(telling_fini) struct telling t = {.body = BUF_INIT(TEXT_MAX)};
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
    if (r == 0)
        r = policytool_diff(u, list ? add_json : add_text,
                list ? (void *)list : &t, ret_calls, err);
    return r == 0 ? print_all(&t, err) : r;
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
