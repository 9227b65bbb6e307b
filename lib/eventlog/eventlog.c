/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading logs (PFP 1.06, section 10).  Little-endian, unlike everything that
 * the TPM itself writes.
 */
#include "eventlog_private.h"

#define SPEC_ID      "Spec ID Event03" /* and its NUL */
#define SHA1_SIZE    20
#define SIGNATURE_16 16
#define NO_PCR       0xffffffffu

/* Sizes of hashes that we keep but do not compute. */
static const struct eventlog_alg kept_algs[] = {
        {TCG_ALG_SM3, 32}, {0x27, 32}, {0x28, 48}, {0x29, 64}, /* SHA-3 */
};

static bool size_fits(const struct eventlog_alg *a)
{
    enum crypto_hash hash;

    if (tcg_hash(a->alg, &hash))
        return a->size == crypto_hash_size(hash);
    for (size_t i = 0; i < ARRAY_LEN(kept_algs); i++) {
        if (kept_algs[i].alg == a->alg)
            return a->size == kept_algs[i].size;
    }
    return a->size > 0 && a->size <= CRYPTO_HASH_MAX;
}

static bool has_alg(const struct eventlog *l, uint16_t alg)
{
    for (size_t i = 0; i < l->n_algs; i++) {
        if (l->alg[i].alg == alg)
            return true;
    }
    return false;
}

static bool add_alg(struct eventlog *l, const struct eventlog_alg *a)
{
    if (l->n_algs == EVENTLOG_ALGS_MAX || !size_fits(a) || has_alg(l, a->alg))
        return false;
    l->alg[l->n_algs++] = *a;
    return true;
}

static bool is_spec_id(struct span data)
{
    return data.len >= SIGNATURE_16 &&
           memcmp(data.ptr, SPEC_ID, SIGNATURE_16) == 0;
}

/* TCG_EfiSpecIDEvent (10.4.5.1), behind its signature. */
static bool get_spec_id(struct span data, struct eventlog *l)
{
    struct wire_reader r = wire_reader_of(data);
    struct span signature;
    uint32_t n;

    if (!wire_get_span(&r, SIGNATURE_16, &signature) ||
            !wire_get_u32le(&r, &l->platform_class) ||
            !wire_get_u8(&r, &l->minor) || !wire_get_u8(&r, &l->major) ||
            !wire_get_u8(&r, &l->errata) || !wire_get_u8(&r, &l->uintn_size) ||
            !wire_get_u32le(&r, &n) || n == 0 || n > EVENTLOG_ALGS_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct eventlog_alg a;

        if (!wire_get_u16le(&r, &a.alg) || !wire_get_u16le(&r, &a.size) ||
                !add_alg(l, &a))
            return false;
    }
    return wire_get_vec8(&r, &l->vendor) && wire_end(&r);
}

/* TCG_PCClientPCREvent: the one record of agile logs in the old form. */
static bool get_old_record(struct wire_reader *r, struct eventlog_event *e)
{
    if (!wire_get_u32le(r, &e->pcr) || !wire_get_u32le(r, &e->type) ||
            !wire_get_span(r, SHA1_SIZE, &e->digest[0].digest) ||
            !wire_get_vec32le(r, &e->data))
        return false;
    e->digest[0].alg = TCG_ALG_SHA1;
    e->n_digests = 1;
    return true;
}

/* Some OVMF for TDX put the header in measurement register 1. */
static bool is_header(const struct eventlog_event *e)
{
    return e->type == EVENTLOG_EV_NO_ACTION && e->pcr <= 1 &&
           is_spec_id(e->data);
}

static int check_size(struct span log, struct err *err)
{
    if (log.len <= LIMIT_TCG_LOG_MAX)
        return 0;
    return err_set(err, ERR_LIMIT, "event log of %zu bytes, more than %u",
            log.len, LIMIT_TCG_LOG_MAX);
}

int eventlog_open_any(struct span log, struct eventlog *ret, struct err *err)
{
    struct eventlog l = {.bytes = log, .left = wire_reader_of(log)};
    struct eventlog_event e;
    int r = check_size(log, err);

    if (r != 0)
        return r;
    if (!get_old_record(&l.left, &e))
        return err_set(err, ERR_SYNTAX, "event log: header cut short");
    if (is_header(&e)) {
        if (!get_spec_id(e.data, &l))
            return err_set(err, ERR_SYNTAX, "event log: malformed Spec ID");
        l.index = 1;
    } else {
        l.format = EVENTLOG_LEGACY;
        l.n_algs = 1;
        l.alg[0] = (struct eventlog_alg){TCG_ALG_SHA1, SHA1_SIZE};
        l.left = wire_reader_of(log);
    }
    *ret = l;
    return 0;
}

int eventlog_open(struct span log, struct eventlog *ret, struct err *err)
{
    struct eventlog l;
    int r = eventlog_open_any(log, &l, err);

    if (r != 0)
        return r;
    if (l.format != EVENTLOG_AGILE)
        return err_set(err, ERR_UNSUPPORTED,
                "event log: no Spec ID, a log of SHA-1 alone");
    *ret = l;
    return 0;
}

int eventlog_open_fragment(struct span events, const struct eventlog_alg *alg,
        size_t n, struct eventlog *ret, struct err *err)
{
    struct eventlog l = {.bytes = events, .left = wire_reader_of(events)};
    int r = check_size(events, err);

    if (r != 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        if (!add_alg(&l, &alg[i]))
            return err_set(err, ERR_UNSUPPORTED,
                    "event log: bank %#x of %u bytes", alg[i].alg, alg[i].size);
    }
    if (n == 0)
        return err_set(err, ERR_UNSUPPORTED, "event log: no bank");
    *ret = l;
    return 0;
}

size_t eventlog_used(const struct eventlog *log)
{
    return log->bytes.len - log->left.left;
}

/*
 * ACPI tables pad with FF or 00 up to their length (TDX CCEL; PFP 10.4).  The
 * end of a run that turned out to be none is kept, or a log of empty events
 * would take the square of its length.
 */
static bool is_padding(struct eventlog *l)
{
    const uint8_t *p = l->left.ptr, *end = p + l->left.left;
    uint8_t first;

    if (l->left.left == 0)
        return true;
    first = *p;
    if ((first != 0x00 && first != 0xff) || p < l->run_end)
        return false;
    while (p < end && *p == first)
        p++;
    l->run_end = p;
    return p == end;
}

static size_t size_of(const struct eventlog *l, size_t at, uint16_t alg)
{
    if (at < l->n_algs && l->alg[at].alg == alg)
        return l->alg[at].size;
    for (size_t i = 0; i < l->n_algs; i++) {
        if (l->alg[i].alg == alg)
            return l->alg[i].size;
    }
    return 0;
}

/* TPML_DIGEST_VALUES: at least one bank of the header, none twice. */
static bool get_digests(const struct eventlog *l, struct wire_reader *r,
        struct eventlog_event *e)
{
    uint32_t n;

    e->n_digests = 0;
    if (!wire_get_u32le(r, &n) || n == 0 || n > l->n_algs)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct span digest;
        uint16_t alg;
        size_t size;

        if (!wire_get_u16le(r, &alg) || eventlog_digest(e, alg, &digest))
            return false;
        size = size_of(l, i, alg);
        if (size == 0 || !wire_get_span(r, size, &digest))
            return false;
        e->digest[i].alg = alg;
        e->digest[i].digest = digest;
        e->n_digests++;
    }
    return true;
}

static bool get_event(const struct eventlog *l, struct wire_reader *r,
        struct eventlog_event *e)
{
    if (l->format == EVENTLOG_LEGACY)
        return get_old_record(r, e);
    return wire_get_u32le(r, &e->pcr) && wire_get_u32le(r, &e->type) &&
           get_digests(l, r, e) && wire_get_vec32le(r, &e->data);
}

/* Windows appends EV_NO_ACTION events of no PCR at all. */
static bool has_pcr(const struct eventlog_event *e)
{
    return e->pcr < TCG_PCRS ||
           (e->pcr == NO_PCR && e->type == EVENTLOG_EV_NO_ACTION);
}

int eventlog_next(
        struct eventlog *log, struct eventlog_event *ret, struct err *err)
{
    struct wire_reader r = log->left;

    if (is_padding(log))
        return 0;
    if (log->index >= LIMIT_TCG_EVENTS_MAX)
        return err_set(err, ERR_LIMIT, "event log: more than %u events",
                LIMIT_TCG_EVENTS_MAX);
    if (!get_event(log, &r, ret))
        return err_set(
                err, ERR_SYNTAX, "event log: event %zu malformed", log->index);
    if (!has_pcr(ret))
        return err_set(err, ERR_SYNTAX, "event log: event %zu of PCR %u",
                log->index, ret->pcr);
    if (ret->type == EVENTLOG_EV_NO_ACTION && is_spec_id(ret->data))
        return err_set(err, ERR_SYNTAX,
                "event log: event %zu is a second header", log->index);
    ret->index = log->index++;
    log->left = r;
    return 1;
}

bool eventlog_digest(
        const struct eventlog_event *e, uint16_t alg, struct span *ret)
{
    for (size_t i = 0; i < e->n_digests; i++) {
        if (e->digest[i].alg == alg) {
            *ret = e->digest[i].digest;
            return true;
        }
    }
    return false;
}
