/* SPDX-License-Identifier: Apache-2.0 */
/* A host's policy folders in a folder of the test's own. */
#ifndef TEST_POLICYTREE_HELP_H
#define TEST_POLICYTREE_HELP_H

#include "policytree.h"

#include "buf.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct host {
    char dir[64];
    char run[96], etc[96], compat[96];
    struct policytree_paths paths;
};

#define AT_MAX 256

/* dir/name; the text lives until the next call but three. */
static inline const char *at(const struct host *h, const char *name)
{
    static char text[4][AT_MAX];
    static unsigned i;

    i = (i + 1) % 4;
    (void)snprintf(text[i], AT_MAX, "%s/%s", h->dir, name);
    return text[i];
}

static inline void make_dir(const struct host *h, const char *name)
{
    assert_int_equal(mkdir(at(h, name), 0755), 0);
}

/* In place, as an editor without care does. */
static inline void write_file(
        const struct host *h, const char *name, const char *text)
{
    FILE *f = fopen(at(h, name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* As a careful one does. */
static inline void replace_file(
        const struct host *h, const char *name, const char *text)
{
    char tmp[AT_MAX];

    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", name);
    write_file(h, tmp, text);
    assert_int_equal(rename(at(h, tmp), at(h, name)), 0);
}

static inline int host_new(void **state)
{
    struct host *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    (void)snprintf(h->dir, sizeof(h->dir), "/tmp/qair-policytree-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    (void)snprintf(h->run, sizeof(h->run), "%s/run/policy.d", h->dir);
    (void)snprintf(h->etc, sizeof(h->etc), "%s/etc/policy.d", h->dir);
    (void)snprintf(h->compat, sizeof(h->compat), "%s/rpc/policy", h->dir);
    make_dir(h, "run");
    make_dir(h, "run/policy.d");
    make_dir(h, "etc");
    make_dir(h, "etc/policy.d");
    make_dir(h, "etc/policy.d/include");
    make_dir(h, "rpc");
    make_dir(h, "rpc/policy");
    make_dir(h, "out");
    h->paths = (struct policytree_paths){
            .folders = {h->run, h->etc}, .n_folders = 2, .compat = h->compat};
    *state = h;
    return 0;
}

static inline int remove_one(
        const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline int host_free(void **state)
{
    struct host *h = *state;

    (void)nftw(h->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(h);
    return 0;
}

static inline struct policytree *load_changed(
        const struct host *h, const struct policytree_change *change)
{
    struct policytree *t = NULL;
    struct err err;

    assert_int_equal(
            policytree_load(&h->paths, change, change == NULL, &t, &err), 0);
    assert_non_null(t->policy);
    return t;
}

static inline struct policytree *load(const struct host *h)
{
    return load_changed(h, NULL);
}

/* What the tree says to "work calls SERVICE in vault". */
static inline void decide(const struct policytree *t, const char *service,
        struct policy_result *ret)
{
    const struct policy_qube qubes[] = {
            {.name = span_str("work"), .type = span_str("AppVM")},
            {.name = span_str("vault"), .type = span_str("AppVM")},
    };
    const struct policy_request request = {.source = span_str("work"),
            .target = span_str("vault"),
            .service = span_str(service)};
    struct policy_system *s = NULL;
    struct err err;

    assert_int_equal(policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err), 0);
    policy_eval(t->policy, s, &request, ret);
    /* Spans of the rules stay; those of the system are not looked at. */
    policy_system_free(s);
}

static inline void expect(const struct policytree *t, const char *service,
        enum policy_verdict verdict, const char *reason)
{
    struct policy_result r;

    decide(t, service, &r);
    if (r.verdict != verdict || !strstr(r.reason, reason))
        fail_msg("%s: verdict %d, %s", service, (int)r.verdict, r.reason);
}

#endif
