/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy tests share: files from literals, and a small system. */
#ifndef TEST_POLICY_HELP_H
#define TEST_POLICY_HELP_H

#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A span as a constant. */
#define STR(s)                                                                 \
    {                                                                          \
        .ptr = (const uint8_t *)(s), .len = sizeof(s) - 1                      \
    }

#define MAX_FILES 8

struct text_file {
    const char *name;
    const char *text;
};

static inline size_t to_files(
        const struct text_file *from, struct policy_file *ret)
{
    size_t n = 0;

    for (; n < MAX_FILES && from[n].name; n++)
        ret[n] = (struct policy_file){
                .name = span_str(from[n].name), .text = span_str(from[n].text)};
    return n;
}

static inline int parse_files(const struct text_file *files,
        const struct text_file *compat, struct policy **ret, struct err *err)
{
    struct policy_file list[MAX_FILES], legacy[MAX_FILES];
    struct policy_files all = {.files = list, .compat = legacy};

    all.n_files = to_files(files, list);
    all.n_compat = compat ? to_files(compat, legacy) : 0;
    return policy_new(&all, ret, err);
}

static inline struct policy *parse_text(const char *text)
{
    const struct text_file files[] = {{"50-test.policy", text}, {0}};
    struct policy *p = NULL;
    struct err err = {.code = 0};

    if (parse_files(files, NULL, &p, &err) < 0)
        fail_msg("%s", err.msg);
    return p;
}

#endif
