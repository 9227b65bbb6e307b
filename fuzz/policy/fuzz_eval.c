/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and a policy: the first line is "SOURCE TARGET SERVICE CLAIMED
 * STATE" ("-": none is claimed), the rest the rules.  The index must find the
 * rule that a plain search finds, a yes must have a target, and every answer a
 * printable reason.
 */
#include "policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STR(s)                                                                 \
    {                                                                          \
        .ptr = (const uint8_t *)(s), .len = sizeof(s) - 1                      \
    }

static const struct span tags[] = {STR("t1"), STR("t2")};

static const struct policy_qube qubes[] = {
        {.name = STR("dom0"),
                .type = STR("AdminVM"),
                .tags = tags,
                .n_tags = 1,
                .default_dispvm = STR("dvm"),
                .running = true},
        {.name = STR("a"),
                .uuid = STR("1-1"),
                .type = STR("AppVM"),
                .tags = tags,
                .n_tags = 2,
                .default_dispvm = STR("dvm"),
                .running = true},
        {.name = STR("b"), .uuid = STR("2-2"), .type = STR("AppVM")},
        {.name = STR("dvm"),
                .type = STR("AppVM"),
                .tags = tags + 1,
                .n_tags = 1,
                .template_for_dispvms = true},
        {.name = STR("r"),
                .type = STR("RemoteVM"),
                .relayvm = STR("b"),
                .transport_rpc = STR("q.T")},
        {.name = STR("z"),
                .type = STR("RemoteVM"),
                .zone = STR("server"),
                .remote_name = STR("x"),
                .internal = true},
};

struct plain {
    struct span file;
    unsigned line;
    unsigned matches;
};

static void note(void *ctx, const struct policy_finding *f)
{
    struct plain *p = ctx;

    if (f->match != POLICY_MATCH)
        return;
    p->file = f->file;
    p->line = f->line;
    p->matches++;
}

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(const struct policy *p, const struct policy_system *s,
        const struct policy_request *request)
{
    struct plain plain = {.line = 0};
    struct policy_result r, again;
    struct policy_target t;
    size_t pos = 0;

    policy_eval(p, s, request, &r);
    policy_explain(p, s, request, note, &plain, &again);
    require(plain.matches <= 1);
    require(r.verdict == again.verdict && r.rule_line == plain.line &&
            span_eq(r.rule_file, plain.file));
    require(r.reason[0] != '\0');
    for (const char *c = r.reason; *c; c++)
        require(*c >= ' ' && *c <= '~');
    if (r.verdict == POLICY_DENY)
        require(r.deny_class != POLICY_CLASS_NONE && !r.target.qube);
    if (r.verdict == POLICY_ALLOW)
        require(r.rule_line && r.source && r.target.qube);
    if (r.verdict == POLICY_ASK)
        require(r.rule_line && policy_ask_next(&r, s, &pos, &t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_lines lines = text_lines_of(SPAN(data, size));
    struct policy_request request = {.source = SPAN_EMPTY};
    struct span *const words[] = {&request.source, &request.target,
            &request.service, &request.requested_source, &request.state};
    struct policy_file file = {.name = span_str("10-a.policy")};
    const struct policy_files files = {
            .files = &file, .n_files = 1, .of_zone = true};
    struct policy *p = NULL;
    struct policy_system *s = NULL;
    struct err err;
    struct span first;

    if (!text_next_line(&lines, &first))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!text_next_word(&first, words[i]))
            break;
    }
    if (span_eq_str(request.requested_source, "-"))
        request.requested_source = SPAN_EMPTY;
    file.text = SPAN(lines.ptr, lines.left);
    require(policy_system_new(qubes, ARRAY_LEN(qubes), &s, &err) == 0);
    if (policy_new(&files, &p, &err) < 0)
        p = policy_new_broken(err.msg);
    require(p != NULL);
    check(p, s, &request);
    policy_free(p);
    policy_system_free(s);
    return 0;
}
