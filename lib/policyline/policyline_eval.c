/* SPDX-License-Identifier: Apache-2.0 */
/* What a qube sends to policy.EvalSimple and policy.EvalGUI. */
#include "policyline.h"

#define EVAL_SOURCE_MAX 31
#define EVAL_TARGET_MAX 63

static bool is_name(struct span s, size_t max)
{
    if (s.len == 0 || s.len > max)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
                !(c >= '0' && c <= '9') && !memchr("@_-.:", c, 5))
            return false;
    }
    return true;
}

/* The part of *rest before c, which goes too; false when there is no c. */
static bool cut(struct span *rest, uint8_t c, struct span *ret)
{
    const uint8_t *at = rest->len ? memchr(rest->ptr, c, rest->len) : NULL;
    size_t n;

    if (!at)
        return false;
    n = (size_t)(at - rest->ptr);
    *ret = SPAN(rest->ptr, n);
    *rest = SPAN(at + 1, rest->len - n - 1);
    return true;
}

/* "NAME+SERVICE CALLER[ TYPE TARGET]": qrexec wrote it, name is ours. */
static int parse_descriptor(struct span text, const char *name,
        struct policyline_eval *ret, struct err *err)
{
    struct span called, own, rest;

    if (!cut(&text, ' ', &called))
        return err_set(err, ERR_SYNTAX, "%s: no caller", name);
    rest = called;
    if (!cut(&rest, '+', &own))
        own = called, rest = SPAN_EMPTY;
    if (!span_eq_str(own, name))
        return err_set(err, ERR_SYNTAX, "%s: called by another name", name);
    if (rest.len == 0 || rest.ptr[0] == '+')
        return err_set(err, ERR_SYNTAX,
                "%s: the argument is the service to ask about", name);
    ret->service = rest;
    if (!cut(&text, ' ', &ret->caller))
        ret->caller = text;
    if (!is_name(ret->caller, EVAL_TARGET_MAX))
        return err_set(err, ERR_SYNTAX, "%s: no caller", name);
    return 0;
}

int policyline_eval_parse(struct span text, const char *name,
        struct policyline_eval *ret, struct err *err)
{
    struct policyline_eval got = {.caller = SPAN_EMPTY};
    struct span descriptor;
    int r;

    if (text.len > POLICYLINE_EVAL_MAX)
        return err_set(
                err, ERR_LIMIT, "%s: over %d bytes", name, POLICYLINE_EVAL_MAX);
    if (!cut(&text, '\0', &descriptor))
        return err_set(err, ERR_SYNTAX, "%s: no service descriptor", name);
    r = parse_descriptor(descriptor, name, &got, err);
    if (r < 0)
        return r;
    if (!cut(&text, '\0', &got.source))
        return err_set(
                err, ERR_SYNTAX, "%s: the body is SOURCE, NUL, TARGET", name);
    got.target = text;
    if (!is_name(got.source, EVAL_SOURCE_MAX))
        return err_set(err, ERR_SYNTAX, "%s: no name of a source", name);
    if (!is_name(got.target, EVAL_TARGET_MAX))
        return err_set(err, ERR_SYNTAX, "%s: no name of a target", name);
    *ret = got;
    return 0;
}

const char *policyline_eval_answer(bool allow)
{
    return allow ? "result=allow\n" : "result=deny\n";
}
