/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_view.h"

#include "info.h"
#include "policy_load.h"
#include "policytree.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

void policy_view_fini(struct policy_view *v)
{
    buf_fini(&v->bundle);
    policy_free(v->policy);
    policy_system_free(v->system);
}

void policy_json_free_ptr(json_t **j)
{
    json_decref(*j);
}

/* ---- arguments -------------------------------------------------------- */

static bool take_option(
        struct cli *cli, int c, unsigned may, struct policy_args *ret)
{
    const struct {
        int c;
        unsigned may;
        const char **value;
    } texts[] = {
            {'l', POLICY_ARG_LOG, &ret->log},
            {'s', POLICY_ARG_SERVICE, &ret->service},
            {'p', POLICY_ARG_POLICY, &ret->policy},
            {'y', POLICY_ARG_SYSTEM, &ret->system},
            {'t', POLICY_ARG_STATE, &ret->state},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (c == texts[i].c && (may & texts[i].may)) {
            *texts[i].value = optarg;
            return true;
        }
    }
    if (c == 'j')
        ret->json = true;
    else if (c != 'm' || !(may & POLICY_ARG_HOPS) ||
             !text_parse_u64(span_str(optarg), &ret->max_hops) ||
             ret->max_hops == 0)
        return cli_misuse(cli, "what is '%s'?", optarg ? optarg : "this") ==
               CLI_OK;
    return true;
}

bool policy_args_take(struct cli *cli, int argc, char **argv, unsigned may,
        int min, int max, struct policy_args *ret)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
            {"log", required_argument, NULL, 'l'},
            {"service", required_argument, NULL, 's'},
            {"max-hops", required_argument, NULL, 'm'},
            {"policy", required_argument, NULL, 'p'},
            {"system", required_argument, NULL, 'y'},
            {"state", required_argument, NULL, 't'}, {0}};
    int c;

    *ret = (struct policy_args){0};
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?') {
            (void)cli_misuse(cli, "unknown option '%s'", argv[optind - 1]);
            return false;
        }
        if (!take_option(cli, c, may, ret))
            return false;
    }
    ret->words = argv + optind;
    ret->n_words = argc - optind;
    if (ret->n_words < min || ret->n_words > max) {
        (void)cli_misuse(
                cli, "too %s words", ret->n_words < min ? "few" : "many");
        return false;
    }
    return true;
}

bool policy_args_parse(struct cli *cli, int argc, char **argv, int min, int max,
        struct policy_args *ret)
{
    return policy_args_take(cli, argc, argv, 0, min, max, ret);
}

/* ---- loading ---------------------------------------------------------- */

bool policy_view_is_zone(const char *dir)
{
    char path[4096];
    struct stat st;

    return snprintf(path, sizeof(path), "%s/policy.d", dir) <
                   (int)sizeof(path) &&
           stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int policy_view_bundle(struct cli *cli, const char *dir, struct policy_view *v,
        struct err *err)
{
    const char *from = dir ? dir : cli->zone_dir;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r;

    v->bundle = BUF_INIT(LIMIT_BUNDLE_MAX);
    r = policy_load_bundle(from,
            !dir || policy_view_is_zone(dir) ? "policy.d" : ".", &v->bundle,
            err);
    if (r < 0)
        return r;
    crypto_sha256(buf_span(&v->bundle), digest);
    text_format_hex(SPAN_OF(digest), v->digest);
    return 0;
}

/* As qrexec-policy-daemon reads it.  v->policy denies all when it fails. */
static int load_tree(const char *dir, struct policy_view *v, struct err *err)
{
    struct policytree_paths paths = {
            .folders = {dir ? dir : POLICYTREE_RUNTIME, POLICYTREE_ETC},
            .n_folders = dir ? 1 : 2,
            .compat = POLICYTREE_COMPAT};
    CLEANUP(policytree_free_ptr) struct policytree *t = NULL;
    int r = policytree_load(&paths, NULL, false, &t, err);

    if (r < 0)
        return r;
    v->policy = TAKE_PTR(t->policy);
    if (t->error.code < 0)
        *err = t->error;
    return t->error.code;
}

int policy_view_policy(struct cli *cli, const struct policy_args *a,
        const char *dir, struct policy_view *v, struct err *err)
{
    int r;

    if (a->system)
        return load_tree(dir, v, err);
    r = policy_view_bundle(cli, dir, v, err);
    return r < 0 ? r
                 : policy_new_from_bundle(
                           buf_span(&v->bundle), &v->policy, err);
}

int policy_view_system(struct cli *cli, const struct policy_args *a,
        struct policy_view *v, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(INFO_MAX);
    CLEANUP(info_free_ptr) struct info *info = NULL;
    int r;

    if (!a->system)
        return policy_load_system(cli->zone_dir, &v->system, err);
    r = buf_load(&text, AT_FDCWD, a->system, err);
    if (r < 0)
        return r; /* names the file */
    r = info_parse(buf_span(&text), &info, err);
    if (r < 0)
        return err_prefix(err, r, "%s", a->system);
    v->system = TAKE_PTR(info->system);
    return 0;
}

int policy_view_zone(struct cli *cli, const struct policy_args *a,
        struct policy_view *v, struct err *err)
{
    struct err why = {.code = 0};
    int r = policy_view_system(cli, a, v, err);

    if (r < 0)
        return r;
    if (policy_view_policy(cli, a, a->policy, v, &why) < 0 && !v->policy)
        v->policy = policy_new_broken(why.msg);
    return v->policy ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}
