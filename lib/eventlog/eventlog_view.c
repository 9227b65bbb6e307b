/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that are proved, and what the whole log tells. */
#include "eventlog_private.h"

#define PCR_POLICY       7
#define SEPARATOR_SIZE   4
#define FIRMWARE_PCRS    8 /* 0 to 7 have a separator (PFP 1.06, 10.4.1) */
#define SEPARATOR_ERROR  1u
#define SEPARATOR_NORMAL 0xffffffffu

static const struct {
    const char *name;
    enum eventlog_uefi_vendor vendor;
} policies[] = {
        [EVENTLOG_SECURE_BOOT] = {"SecureBoot", EVENTLOG_UEFI_GLOBAL},
        [EVENTLOG_PK] = {"PK", EVENTLOG_UEFI_GLOBAL},
        [EVENTLOG_KEK] = {"KEK", EVENTLOG_UEFI_GLOBAL},
        [EVENTLOG_DB] = {"db", EVENTLOG_UEFI_IMAGE_SECURITY},
        [EVENTLOG_DBX] = {"dbx", EVENTLOG_UEFI_IMAGE_SECURITY},
        [EVENTLOG_DBT] = {"dbt", EVENTLOG_UEFI_IMAGE_SECURITY},
        [EVENTLOG_DBR] = {"dbr", EVENTLOG_UEFI_IMAGE_SECURITY},
        [EVENTLOG_DEPLOYED_MODE] = {"DeployedMode", EVENTLOG_UEFI_GLOBAL},
        [EVENTLOG_AUDIT_MODE] = {"AuditMode", EVENTLOG_UEFI_GLOBAL},
        [EVENTLOG_SETUP_MODE] = {"SetupMode", EVENTLOG_UEFI_GLOBAL},
};

static const struct {
    const char *text;
    uint32_t pcr;
} flags[] = {
        [EVENTLOG_DEBUG_MODE] = {"UEFI Debug Mode", PCR_POLICY},
        [EVENTLOG_DMA_UNPROTECTED] = {"DMA Protection Disabled", PCR_POLICY},
        [EVENTLOG_EXIT_INVOKED] = {"Exit Boot Services Invocation", 5},
        [EVENTLOG_EXIT_SUCCEEDED] = {"Exit Boot Services Returned with Success",
                5},
        [EVENTLOG_EXIT_FAILED] = {"Exit Boot Services Returned with Failure",
                5},
        [EVENTLOG_CALLED_BOOT_OPTION] = {"Calling EFI Application from Boot "
                                         "Option",
                4},
        [EVENTLOG_RETURNED_FROM_OPTION] = {"Returning from EFI Application "
                                           "from Boot Option",
                4},
};

const char *eventlog_policy_name(enum eventlog_policy p)
{
    return policies[p].name;
}

const char *eventlog_flag_name(enum eventlog_flag flag)
{
    return flags[flag].text;
}

void eventlog_view_begin(const struct eventlog *log, uint16_t alg,
        uint32_t proved, struct eventlog_view *ret)
{
    static const uint8_t values[EVENTLOG_SEPARATORS_N][SEPARATOR_SIZE] = {
            {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {1, 0, 0, 0}};
    enum crypto_hash hash;

    *ret = (struct eventlog_view){.log = *log, .alg = alg, .proved = proved};
    if (!tcg_hash(alg, &hash)) {
        ret->proved = 0; /* nobody can have replayed it */
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        crypto_hash(hash, SPAN_OF(values[i]), ret->separator_digest[i]);
}

/* ---- one event ------------------------------------------------------- */

/* Extended with what a separator is made of, whatever it is called. */
static bool is_separator(
        const struct eventlog_view *v, const struct eventlog_fact *f)
{
    for (size_t i = 0; i < EVENTLOG_SEPARATORS_N; i++) {
        if (span_eq(f->digest, SPAN(v->separator_digest[i], f->digest.len)))
            return true;
    }
    return false;
}

static bool covers(enum eventlog_data data)
{
    return data == EVENTLOG_DATA_WHOLE || data == EVENTLOG_DATA_VALUE ||
           data == EVENTLOG_DATA_SHORT || data == EVENTLOG_DATA_TEXT;
}

static void take_separator(
        struct eventlog_view *v, const struct eventlog_fact *f)
{
    struct eventlog_separators *s = &v->separator[f->pcr];
    struct wire_reader r = wire_reader_of(f->value);
    uint32_t value;

    if (s->n++ > 0)
        return;
    s->event = f->event;
    if (wire_get_u32le(&r, &value) && wire_end(&r)) {
        s->value = value;
        s->holds = f->data_attested;
    }
}

static void take_policy(struct eventlog_view *v, const struct eventlog_event *e,
        const struct eventlog_fact *f)
{
    struct eventlog_uefi_variable var;

    if (eventlog_uefi_variable(e->data, &var) != 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct eventlog_policy_variable *p = &v->policy[i];

        if (!eventlog_uefi_is(&var, policies[i].vendor, policies[i].name))
            continue;
        if (p->n++ > 0)
            return;
        p->event = f->event;
        p->value = var.value;
        p->holds = f->data_attested && !f->after_separator &&
                   f->data == EVENTLOG_DATA_WHOLE && var.n_trailing == 0;
    }
}

/* By what was measured: a liar can call an action anything. */
static void take_action(struct eventlog_view *v, const struct eventlog_event *e,
        const struct eventlog_fact *f)
{
    struct span text = e->data;

    if (!f->data_attested || f->data != EVENTLOG_DATA_WHOLE)
        return;
    if (text.len > 0 && text.ptr[text.len - 1] == 0)
        text.len--;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (f->pcr == flags[i].pcr && span_eq_str(text, flags[i].text) &&
                v->flag[i].n++ == 0)
            v->flag[i].event = f->event;
    }
}

/* Types that the policy's PCR holds before its separator (PFP 1.06, 3.3.4.8) */
static bool belongs_in_policy(const struct eventlog_fact *f)
{
    return f->kind == EVENTLOG_VARIABLE || f->kind == EVENTLOG_ACTION ||
           f->kind == EVENTLOG_SEPARATOR;
}

static void note_opaque(struct eventlog_view *v, const struct eventlog_event *e,
        const struct eventlog_fact *f)
{
    bool opaque = !covers(f->data) || f->digest.len == 0 ||
                  (e->type != EVENTLOG_EV_SEPARATOR && is_separator(v, f)) ||
                  (f->pcr == PCR_POLICY && !f->after_separator &&
                          !belongs_in_policy(f));

    if (!opaque)
        return;
    v->opaque |= 1u << f->pcr;
    if (!f->after_separator)
        v->opaque_early |= 1u << f->pcr;
}

static void take(struct eventlog_view *v, const struct eventlog_event *e,
        const struct eventlog_fact *f)
{
    if (f->data == EVENTLOG_DATA_WRONG)
        v->n_wrong++;
    if (f->kind == EVENTLOG_UNAPPRAISED)
        v->n_unappraised++;
    if (!f->attested)
        v->n_unattested++;
    if (e->type == EVENTLOG_EV_NO_ACTION)
        return;
    note_opaque(v, e, f);
    take_action(v, e, f);
    if (f->kind == EVENTLOG_SEPARATOR)
        take_separator(v, f);
    else if (e->type == EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG &&
             f->pcr == PCR_POLICY)
        take_policy(v, e, f);
    else if (f->kind == EVENTLOG_AUTHORITY && f->data_attested)
        v->n_authorities++;
}

int eventlog_view_next(
        struct eventlog_view *v, struct eventlog_fact *ret, struct err *err)
{
    struct eventlog_fact f = {.kind = EVENTLOG_UNAPPRAISED};
    struct eventlog_event e;
    int r = eventlog_next(&v->log, &e, err);

    if (r != 1)
        return r;
    eventlog_fact_of(&e, &f);
    f.data = eventlog_data(&e);
    if (eventlog_extends(&e)) {
        f.attested = eventlog_digest(&e, v->alg, &f.digest) &&
                     (v->proved >> e.pcr) & 1;
        f.after_separator = v->separator[e.pcr].n > 0;
        f.data_attested = f.attested && covers(f.data);
    }
    take(v, &e, &f);
    *ret = f;
    return 1;
}

int eventlog_view_all(struct eventlog_view *v, struct err *err)
{
    struct eventlog_fact f;
    int r;

    while ((r = eventlog_view_next(v, &f, err)) == 1)
        ;
    return r;
}

/* ---- the whole log --------------------------------------------------- */

static bool is_proved(const struct eventlog_view *v, unsigned pcr)
{
    return (v->proved >> pcr) & 1;
}

static enum eventlog_answer because(
        const char **ret, const char *why, enum eventlog_answer answer)
{
    *ret = why;
    return answer;
}

static const char *why_not_decided(const struct eventlog_view *v)
{
    const struct eventlog_separators *s = &v->separator[PCR_POLICY];

    if (!is_proved(v, PCR_POLICY))
        return "PCR 7 is not proved";
    if (s->n != 1)
        return s->n ? "PCR 7 has several separators" : "PCR 7 has no separator";
    if (!s->holds || (s->value != 0 && s->value != SEPARATOR_NORMAL))
        return "the separator of PCR 7 says an error, or is not its digest's";
    if ((v->opaque_early >> PCR_POLICY) & 1)
        return "an event of PCR 7 before its separator hides what it is";
    for (int i = EVENTLOG_SECURE_BOOT; i <= EVENTLOG_DBX; i++) {
        const struct eventlog_policy_variable *p = &v->policy[i];

        if (p->n != 1)
            return p->n ? "a secure boot variable was measured twice"
                        : "a secure boot variable was not measured";
        if (!p->holds)
            return "a secure boot variable was measured after the separator, "
                   "or is not its digest's";
    }
    return NULL;
}

enum eventlog_answer eventlog_view_secure_boot(
        const struct eventlog_view *v, const char **ret_why)
{
    struct span value = v->policy[EVENTLOG_SECURE_BOOT].value;
    const char *why = why_not_decided(v);

    if (why)
        return because(ret_why, why, EVENTLOG_UNDECIDED);
    if (value.len != 1 || value.ptr[0] > 1)
        return because(
                ret_why, "SecureBoot is neither 0 nor 1", EVENTLOG_UNDECIDED);
    if (value.ptr[0] == 0)
        return because(ret_why, "SecureBoot is 0", EVENTLOG_NO);
    return because(ret_why, "SecureBoot is 1", EVENTLOG_YES);
}

enum eventlog_answer eventlog_view_separators(
        const struct eventlog_view *v, const char **ret_why)
{
    enum eventlog_answer answer = EVENTLOG_YES;
    const char *why = "PCRs 0 to 7 have one separator each";

    for (unsigned i = 0; i < FIRMWARE_PCRS; i++) {
        const struct eventlog_separators *s = &v->separator[i];

        if (!is_proved(v, i)) {
            answer = EVENTLOG_UNDECIDED;
            why = "not all of PCRs 0 to 7 are proved";
        } else if (s->n > 1) {
            return because(
                    ret_why, "a PCR has several separators", EVENTLOG_NO);
        } else if (s->n == 0) {
            return because(ret_why, "a PCR has no separator", EVENTLOG_NO);
        } else if (!s->holds) {
            return because(ret_why, "a separator is not its digest's",
                    EVENTLOG_UNDECIDED);
        } else if (s->value != 0 && s->value != SEPARATOR_NORMAL) {
            return because(ret_why, "a separator says an error", EVENTLOG_NO);
        }
    }
    return because(ret_why, why, answer);
}

enum eventlog_answer eventlog_view_flag(
        const struct eventlog_view *v, enum eventlog_flag flag)
{
    uint32_t pcr = flags[flag].pcr;

    if (v->flag[flag].n > 0)
        return EVENTLOG_YES;
    if (!is_proved(v, pcr) || (v->opaque >> pcr) & 1)
        return EVENTLOG_UNDECIDED;
    return EVENTLOG_NO;
}
