/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps a call takes, and in which order. */
#include "calld.h"

enum step {
    STEP_NONE,
    STEP_DECIDE,
    STEP_APPRAISE,
    STEP_ENVELOPE,
    STEP_RECORD,
    STEP_RECORD_ENVELOPE,
    STEP_OPEN,
    STEP_START,
    STEP_KEY,
    STEP_EXEC,
    STEP_ANSWER,
    STEP_COUNT
};

static void (*const enter[STEP_COUNT])(struct call *c) = {
        [STEP_DECIDE] = step_decide,
        [STEP_APPRAISE] = step_appraise,
        [STEP_ENVELOPE] = step_envelope,
        [STEP_RECORD] = step_record,
        [STEP_RECORD_ENVELOPE] = step_record_envelope,
        [STEP_OPEN] = step_open,
        [STEP_START] = step_start,
        [STEP_KEY] = step_key,
        [STEP_EXEC] = step_exec,
        [STEP_ANSWER] = step_answer,
};

/* Each plan ends with STEP_ANSWER, or, for PLAN_DECIDE, in another plan. */
static const enum step plans[PLAN_COUNT][6] = {
        [PLAN_DECIDE] = {STEP_DECIDE},
        [PLAN_REMOTE] = {STEP_APPRAISE, STEP_ENVELOPE, STEP_RECORD_ENVELOPE,
                STEP_OPEN, STEP_ANSWER},
        [PLAN_LOCAL] = {STEP_RECORD, STEP_START, STEP_KEY, STEP_EXEC,
                STEP_ANSWER},
        [PLAN_ASK] = {STEP_RECORD, STEP_START, STEP_EXEC, STEP_ANSWER},
        [PLAN_RUN] = {STEP_RECORD, STEP_START, STEP_EXEC, STEP_ANSWER},
};

void plan_start(struct call *c, enum call_plan plan)
{
    c->plan = plan;
    c->step = 0;
    enter[plans[plan][0]](c);
}

void plan_next(struct call *c)
{
    c->step++;
    enter[plans[c->plan][c->step]](c);
}
