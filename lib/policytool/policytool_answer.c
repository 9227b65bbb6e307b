/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the engine: in words, and whether two are the same.  Both know
 * the same differences, or a change would be told as none. */
#include "policytool_private.h"

#define TARGET_MAX (POLICY_TARGET_TEXT_MAX + 16)

/* ---- targets ----------------------------------------------------------- */

/* Empty when there is none. */
static void format(const struct policy_target *t, char ret[static TARGET_MAX])
{
    if ((!t->qube && t->text.len == 0 && !t->dispvm) ||
            !policy_target_format(t, ret, TARGET_MAX))
        *ret = '\0';
}

static bool is_same_target(
        const struct policy_target *a, const struct policy_target *b)
{
    char x[TARGET_MAX], y[TARGET_MAX];

    if (a->qube == b->qube && a->dispvm == b->dispvm &&
            span_eq(a->text, b->text))
        return true;
    format(a, x);
    format(b, y);
    return strcmp(x, y) == 0;
}

bool policytool_is_redirected(const struct policy_result *r)
{
    char target[TARGET_MAX];

    format(&r->target, target);
    return !span_eq_str(r->requested, target) &&
           !(span_eq_str(r->requested, "@adminvm") &&
                   strcmp(target, "dom0") == 0);
}

/* ---- what a person may choose from ------------------------------------- */

static bool has_bit(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static bool is_only(const struct policy_result *r)
{
    return r->ask_only.dispvm || r->ask_only.text.len > 0;
}

/* All that "@anyvm" can offer to this caller, dom0 left aside. */
static bool is_anyvm(
        const struct policy_result *r, const struct policytool_universe *u)
{
    if (is_only(r) || u->n_qubes < 4)
        return false;
    for (size_t i = 0; i < u->n_qubes; i++) {
        const struct policy_qube *q = &u->qube[i];
        bool admin = span_eq_str(q->name, "dom0");

        if (!admin &&
                has_bit(r->ask_qubes, i) !=
                        (!q->internal && !span_eq(q->name, r->source->name)))
            return false;
        if (has_bit(r->ask_dispvms, i) !=
                (!q->internal && q->template_for_dispvms))
            return false;
    }
    return true;
}

static void put_candidates(struct buf *ret, const struct policy_result *r,
        const struct policytool_universe *u)
{
    bool any = is_anyvm(r, u);
    const char *comma = any ? ", " : " ";
    char text[TARGET_MAX];
    struct policy_target t;
    size_t pos = 0;

    if (any)
        buf_append_str(ret, " @anyvm");
    while (policy_ask_next(r, u->system, &pos, &t)) {
        format(&t, text);
        if (any && strcmp(text, "dom0") != 0)
            continue;
        buf_printf(ret, "%s%s", comma, text);
        comma = ", ";
    }
    format(&r->target, text);
    if (r->target.qube)
        buf_printf(ret, " default=%s", text);
}

/* ---- whole answers ----------------------------------------------------- */

/* Qubes tells a person of a deny, and not of an allow, unless a rule differs.
 */
static bool is_notify_default(const struct policy_result *r)
{
    return r->notify == (r->verdict == POLICY_DENY);
}

void policytool_answer(const struct policy_result *r,
        const struct policytool_universe *u, struct buf *ret)
{
    char target[TARGET_MAX];

    switch (r->verdict) {
    case POLICY_DENY:
        buf_append_str(ret, "deny");
        break;
    case POLICY_ALLOW:
        format(&r->target, target);
        buf_append_str(ret, "allow");
        if (policytool_is_redirected(r))
            buf_printf(ret, " target=%s", target);
        break;
    case POLICY_ASK:
        buf_append_str(ret, "ask");
        put_candidates(ret, r, u);
        break;
    }
    if (r->verdict != POLICY_DENY && r->user.len)
        buf_printf(
                ret, " user=%.*s", (int)r->user.len, (const char *)r->user.ptr);
    if (r->verdict != POLICY_DENY && !r->autostart)
        buf_append_str(ret, " autostart=no");
    if (!is_notify_default(r))
        buf_printf(ret, " notify=%s", r->notify ? "yes" : "no");
}

static bool is_same_ask(
        const struct policy_result *a, const struct policy_result *b)
{
    if (is_only(a) || is_only(b))
        return is_same_target(&a->ask_only, &b->ask_only);
    return memcmp(a->ask_qubes, b->ask_qubes, sizeof(a->ask_qubes)) == 0 &&
           memcmp(a->ask_dispvms, b->ask_dispvms, sizeof(a->ask_dispvms)) == 0;
}

bool policytool_is_same(
        const struct policy_result *a, const struct policy_result *b)
{
    if (a->verdict != b->verdict || a->notify != b->notify)
        return false;
    if (a->verdict == POLICY_DENY)
        return true;
    return is_same_target(&a->target, &b->target) &&
           span_eq(a->user, b->user) && a->autostart == b->autostart &&
           (a->verdict == POLICY_ALLOW || is_same_ask(a, b));
}
