/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy texts.  The input is read as a rule file, as a file of the old form,
 * and as a whole bundle; whatever is refused says why in printable ASCII.
 */
#include "policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, struct policy *p, const struct err *err)
{
    if (r < 0) {
        if (p || err->msg[0] == '\0')
            abort();
        for (const char *c = err->msg; *c; c++) {
            if (*c < ' ' || *c > '~')
                abort();
        }
        return;
    }
    if (!p || policy_rule_count(p) > LIMIT_POLICY_RULES_MAX)
        abort();
    policy_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct policy_file files[] = {
            {span_str("10-a.policy"), SPAN(data, size)},
            {span_str("20-b.policy"),
                    span_str("!include-service s.A * include/x\n")},
            {span_str("include/x"), SPAN(data, size)},
    };
    const struct policy_file legacy = {span_str("s.A+x"), SPAN(data, size)};
    const struct policy_files sets[] = {
            {.files = files, .n_files = 1, .compat = &legacy, .n_compat = 1},
            {.files = files + 1, .n_files = 2},
            {.files = files, .n_files = 1, .of_zone = true},
    };

    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct policy *p = NULL;
        struct err err = {.code = 0};
        int r = policy_new(&sets[i], &p, &err);

        check(r, p, &err);
    }
    struct policy *p = NULL;
    struct err err = {.code = 0};
    int r = policy_new_from_bundle(SPAN(data, size), &p, &err);

    check(r, p, &err);
    return 0;
}
