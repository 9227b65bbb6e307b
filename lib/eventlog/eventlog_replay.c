/* SPDX-License-Identifier: Apache-2.0 */
/* All banks of a log in one pass. */
#include "eventlog_private.h"

#define LOCALITY     "StartupLocality" /* and its NUL */
#define SIGNATURE_16 16
#define HCRTM        "HCRTM"
#define HCRTM_START  4

static void fill_drtm(struct eventlog_bank *b, int value)
{
    for (unsigned i = EVENTLOG_DRTM_FIRST; i <= EVENTLOG_DRTM_LAST; i++)
        memset(b->value[i], value, b->size);
}

void eventlog_replay_begin(
        const struct eventlog *log, struct eventlog_replay *ret)
{
    struct eventlog_pcrs *p = &ret->pcrs;

    *ret = (struct eventlog_replay){
            .log = *log, .pcrs = {.format = log->format, .events = log->index}};
    for (size_t i = 0; i < log->n_algs; i++) {
        struct eventlog_bank *b = &p->bank[p->n];

        if (!tcg_hash(log->alg[i].alg, &b->hash))
            continue;
        b->alg = log->alg[i].alg;
        b->size = crypto_hash_size(b->hash);
        fill_drtm(b, 0xff);
        p->n++;
    }
}

static bool was_extended(const struct eventlog_pcrs *p, unsigned pcr)
{
    for (size_t i = 0; i < p->n; i++) {
        if (((p->bank[i].extended | p->bank[i].missing) >> pcr) & 1)
            return true;
    }
    return false;
}

/* PCR 0 starts at the number of a locality (TPM 2.0 Part 3, 9.3). */
static void start_pcr0(struct eventlog_pcrs *p, uint8_t locality)
{
    for (size_t i = 0; i < p->n; i++)
        p->bank[i].value[0][p->bank[i].size - 1] = locality;
}

/* PFP 10.4.5.3 */
static int take_no_action(struct eventlog_pcrs *p,
        const struct eventlog_event *e, struct err *err)
{
    struct wire_reader r = wire_reader_of(e->data);
    struct span signature;
    uint8_t locality;

    if (!wire_get_span(&r, SIGNATURE_16, &signature) ||
            memcmp(signature.ptr, LOCALITY, SIGNATURE_16) != 0)
        return 0;
    if (!wire_get_u8(&r, &locality) || !wire_end(&r) || p->has_locality ||
            (locality != 0 && locality != 3 && locality != 4))
        return err_set(err, ERR_SYNTAX,
                "event log: event %zu is a malformed StartupLocality",
                e->index);
    p->has_locality = true;
    p->locality = locality;
    if (!was_extended(p, 0))
        start_pcr0(p, locality);
    return 0;
}

static int take_hcrtm(struct eventlog_pcrs *p, const struct eventlog_event *e,
        struct err *err)
{
    if (e->pcr != 0 || !span_eq_str(e->data, HCRTM))
        return err_set(err, ERR_SYNTAX,
                "event log: event %zu is a malformed H-CRTM event", e->index);
    p->has_hcrtm = true;
    if (!was_extended(p, 0))
        start_pcr0(p, HCRTM_START);
    return 0;
}

void eventlog_extend(enum crypto_hash hash, uint8_t *value, struct span digest)
{
    if (digest.len != crypto_hash_size(hash))
        __builtin_trap(); /* the caller's mistake */
    crypto_extend(hash, value, digest.ptr);
}

static void extend_all(struct eventlog_pcrs *p, const struct eventlog_event *e)
{
    uint32_t bit = 1u << e->pcr;

    if ((bit & EVENTLOG_DRTM_PCRS) && !(p->launched & EVENTLOG_DRTM_PCRS)) {
        for (size_t i = 0; i < p->n; i++)
            fill_drtm(&p->bank[i], 0);
    }
    p->launched |= bit & EVENTLOG_DRTM_PCRS;
    for (size_t i = 0; i < p->n; i++) {
        struct span digest;

        if (!eventlog_digest(e, p->bank[i].alg, &digest)) {
            p->bank[i].missing |= bit;
            continue;
        }
        eventlog_extend(p->bank[i].hash, p->bank[i].value[e->pcr], digest);
        p->bank[i].extended |= bit;
    }
}

static enum eventlog_data check(
        struct eventlog_pcrs *p, const struct eventlog_event *e)
{
    bool is_short;
    int r = eventlog_data_demand(e, &is_short);

    if (r == ERR_UNSUPPORTED)
        return EVENTLOG_DATA_OPAQUE;
    if (r == 0)
        return EVENTLOG_DATA_WHOLE;
    if (is_short)
        return EVENTLOG_DATA_SHORT;
    if (p->wrong++ == 0)
        p->first_wrong = e->index;
    return EVENTLOG_DATA_WRONG;
}

/* TXT tells which of its two ways to use PCRs it takes (SDG, F.1.1). */
static bool is_mapping(const struct eventlog_event *e)
{
    static const uint8_t zero[CRYPTO_HASH_MAX];

    if (e->type != EVENTLOG_EV_TXT_FIRST)
        return false;
    for (size_t i = 0; i < e->n_digests; i++) {
        struct span d = e->digest[i].digest;

        if (!span_eq(d, SPAN(zero, d.len)))
            return false;
    }
    return true;
}

bool eventlog_extends(const struct eventlog_event *e)
{
    return e->type != EVENTLOG_EV_NO_ACTION && !is_mapping(e);
}

int eventlog_replay_next(struct eventlog_replay *r, struct eventlog_event *ret,
        enum eventlog_data *ret_data, struct err *err)
{
    struct eventlog_pcrs *p = &r->pcrs;
    int rc = eventlog_next(&r->log, ret, err);

    p->used = eventlog_used(&r->log);
    p->events = r->log.index;
    if (rc != 1)
        return rc;
    *ret_data = EVENTLOG_DATA_OPAQUE;
    if (ret->type == EVENTLOG_EV_NO_ACTION)
        rc = take_no_action(p, ret, err);
    else if (ret->type == EVENTLOG_EV_EFI_HCRTM_EVENT)
        rc = take_hcrtm(p, ret, err);
    else
        rc = 0;
    if (rc != 0)
        return rc;
    if (eventlog_extends(ret)) {
        extend_all(p, ret);
        *ret_data = check(p, ret);
    }
    return 1;
}

int eventlog_replay_all(
        const struct eventlog *log, struct eventlog_pcrs *ret, struct err *err)
{
    struct eventlog_replay r;
    struct eventlog_event e;
    enum eventlog_data data;
    int rc;

    eventlog_replay_begin(log, &r);
    while ((rc = eventlog_replay_next(&r, &e, &data, err)) == 1)
        ;
    if (rc == 0)
        *ret = r.pcrs;
    return rc;
}

int eventlog_replay(struct span log, struct eventlog_pcrs *ret, struct err *err)
{
    struct eventlog l;
    int r = eventlog_open(log, &l, err);

    return r != 0 ? r : eventlog_replay_all(&l, ret, err);
}

int eventlog_replay_any(
        struct span log, struct eventlog_pcrs *ret, struct err *err)
{
    struct eventlog l;
    int r = eventlog_open_any(log, &l, err);

    return r != 0 ? r : eventlog_replay_all(&l, ret, err);
}

const struct eventlog_bank *eventlog_bank(
        const struct eventlog_pcrs *p, uint16_t alg)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->bank[i].alg == alg)
            return &p->bank[i];
    }
    return NULL;
}

/* ---- comparison ------------------------------------------------------ */

static int check_claim(const struct eventlog_claim *c,
        const struct eventlog_agreement *so_far, struct err *err)
{
    if (c->pcr >= TCG_PCRS)
        return err_set(err, ERR_SYNTAX, "claim of PCR %u", c->pcr);
    for (size_t i = 0; i < so_far->n; i++) {
        if (so_far->bank[i].alg == c->alg &&
                ((so_far->bank[i].agree | so_far->bank[i].differ) >> c->pcr) &
                        1)
            return err_set(err, ERR_SYNTAX, "two claims of %s PCR %u",
                    tcg_alg_name(c->alg), c->pcr);
    }
    return 0;
}

static bool agrees(const struct eventlog_pcrs *p,
        const struct eventlog_claim *c, struct err *err)
{
    const struct eventlog_bank *b = eventlog_bank(p, c->alg);
    const char *why = NULL;

    if (!b)
        why = "the log has no such bank";
    else if (!span_eq(SPAN(b->value[c->pcr], b->size), c->value))
        why = "not the value that the log explains";
    if (why)
        (void)err_set(err, ERR_MISMATCH, "%s PCR %u: %s", tcg_alg_name(c->alg),
                c->pcr, why);
    return !why;
}

static bool note(
        struct eventlog_agreement *a, const struct eventlog_claim *c, bool ok)
{
    uint32_t bit = 1u << c->pcr;
    size_t i = 0;

    while (i < a->n && a->bank[i].alg != c->alg)
        i++;
    if (i == ARRAY_LEN(a->bank))
        return false;
    if (i == a->n) {
        a->n++;
        a->bank[i].alg = c->alg;
    }
    *(ok ? &a->bank[i].agree : &a->bank[i].differ) |= bit;
    if (ok && c->alg != TCG_ALG_SHA1)
        a->proved |= bit;
    if (!ok)
        a->differ |= bit;
    return true;
}

int eventlog_compare(const struct eventlog_pcrs *p,
        const struct eventlog_claim *claim, size_t n,
        struct eventlog_agreement *ret, struct err *err)
{
    struct eventlog_agreement a = {.n = 0};
    int r = 0;

    if (n == 0)
        return err_set(err, ERR_SYNTAX, "no PCR value to compare with");
    for (size_t i = 0; i < n; i++) {
        int rc = check_claim(&claim[i], &a, err);
        bool ok;

        if (rc != 0)
            return rc;
        ok = agrees(p, &claim[i], r == 0 ? err : NULL);
        if (!note(&a, &claim[i], ok))
            return err_set(err, ERR_LIMIT, "claims of more than %d banks",
                    TCG_BANKS_MAX);
        if (!ok)
            r = ERR_MISMATCH;
    }
    a.proved &= ~a.differ;
    *ret = a;
    return r;
}
