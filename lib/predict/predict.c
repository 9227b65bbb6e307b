/* SPDX-License-Identifier: Apache-2.0 */
/* The list of events and what follows from it. */
#include "predict_private.h"

#include "eventlog.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct predict predict_of(unsigned banks)
{
    return (struct predict){.banks = banks & PREDICT_BANKS_KNOWN};
}

void predict_fini(struct predict *p)
{
    free(p->event);
    *p = (struct predict){.banks = 0};
}

void predict_rewind(struct predict *p, size_t n, uint32_t pcrs)
{
    p->n = n;
    p->pcrs = pcrs;
}

void predict_start(struct predict *p, unsigned pcr)
{
    if (pcr < TCG_PCRS)
        p->pcrs |= 1u << pcr;
}

static bool has_bank(const struct predict *p, size_t i)
{
    return (p->banks >> i) & 1;
}

/* Room for one more, zeroed, with its line; it is taken by take_event. */
PRINTF_LIKE(3, 0)
static int next_event(struct predict *p, unsigned pcr, const char *fmt,
        va_list ap, struct predict_event **ret, struct err *err)
{
    struct predict_event *e;

    if (pcr >= TCG_PCRS)
        return err_set(err, ERR_SYNTAX, "PCR %u", pcr);
    if (p->n == PREDICT_EVENTS_MAX)
        return err_set(
                err, ERR_LIMIT, "more than %d events", PREDICT_EVENTS_MAX);
    if (p->n % 64 == 0) {
        e = reallocarray(p->event, p->n + 64, sizeof(*e));
        if (!e)
            return err_set(err, ERR_MEMORY, "no memory for the prediction");
        p->event = e;
    }
    e = &p->event[p->n];
    *e = (struct predict_event){.pcr = pcr};
    (void)vsnprintf(e->how, sizeof(e->how), fmt, ap);
    /* Names come from the caller's files: a line stays a line. */
    for (char *c = e->how; *c; c++) {
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    }
    *ret = e;
    return 0;
}

static void take_event(struct predict *p)
{
    predict_start(p, p->event[p->n].pcr);
    p->n++;
}

static void hash_parts(
        enum crypto_hash hash, const struct span *part, size_t n, uint8_t *ret)
{
    CLEANUP(crypto_hasher_free_ptr)
    struct crypto_hasher *h = crypto_hasher_new(hash);

    if (!h)
        __builtin_trap(); /* as crypto_hash does without memory */
    for (size_t i = 0; i < n; i++)
        crypto_hasher_update(h, part[i]);
    crypto_hasher_final(h, ret);
}

int predict_add(struct predict *p, unsigned pcr, const struct span *part,
        size_t n, struct err *err, const char *fmt, ...)
{
    struct predict_event *e;
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = next_event(p, pcr, fmt, ap, &e, err);
    va_end(ap);
    if (r != 0)
        return r;
    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        if (has_bank(p, i))
            hash_parts((enum crypto_hash)i, part, n, e->digest[i]);
    }
    take_event(p);
    return 0;
}

int predict_add_digest(struct predict *p, unsigned pcr,
        const struct span *digest, struct err *err, const char *fmt, ...)
{
    struct predict_event *e;
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = next_event(p, pcr, fmt, ap, &e, err);
    va_end(ap);
    if (r != 0)
        return r;
    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        size_t size = crypto_hash_size((enum crypto_hash)i);

        if (!has_bank(p, i))
            continue;
        if (digest->len != size)
            return err_set(err, ERR_SYNTAX, "a digest of %zu bytes for %s",
                    digest->len, crypto_hash_name((enum crypto_hash)i));
        memcpy(e->digest[i], digest->ptr, size);
        digest++;
    }
    take_event(p);
    return 0;
}

/* ---- values ---------------------------------------------------------- */

static void start_value(unsigned pcr, uint8_t *value, size_t size)
{
    /* 17 to 22 until a dynamic launch (PFP 1.06, 3.3.1). */
    memset(value, pcr >= 17 && pcr <= 22 ? 0xff : 0, size);
}

int predict_value(const struct predict *p, enum crypto_hash hash, unsigned pcr,
        uint8_t *ret)
{
    uint8_t value[CRYPTO_HASH_MAX];
    size_t size;

    if ((unsigned)hash >= PREDICT_BANKS || !has_bank(p, hash) ||
            pcr >= TCG_PCRS || !((p->pcrs >> pcr) & 1))
        return ERR_NOT_FOUND;
    size = crypto_hash_size(hash);
    start_value(pcr, value, size);
    for (size_t i = 0; i < p->n; i++) {
        struct span two[2] = {
                SPAN(value, size), SPAN(p->event[i].digest[hash], size)};

        if (p->event[i].pcr == pcr)
            hash_parts(hash, two, 2, value);
    }
    memcpy(ret, value, size);
    return 0;
}

/* TPM_ALG_ID of a hash of ours. */
static uint16_t alg_of(enum crypto_hash hash)
{
    static const uint16_t alg[PREDICT_BANKS] = {
            TCG_ALG_SHA1, TCG_ALG_SHA256, TCG_ALG_SHA384, TCG_ALG_SHA512};

    return alg[hash];
}

/* H(values of the PCRs of a set, ascending), and the hash is its own. */
static int hash_values(const struct predict *p, enum crypto_hash bank,
        uint32_t pcrs, enum crypto_hash hash, uint8_t *ret)
{
    uint8_t value[TCG_PCRS][CRYPTO_HASH_MAX];
    struct span part[TCG_PCRS];
    size_t n = 0;

    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        if (!((pcrs >> pcr) & 1))
            continue;
        if (predict_value(p, bank, pcr, value[pcr]) != 0)
            return ERR_NOT_FOUND;
        part[n++] = SPAN(value[pcr], crypto_hash_size(bank));
    }
    hash_parts(hash, part, n, ret);
    return 0;
}

int predict_policy(const struct predict *p, enum crypto_hash hash,
        uint32_t pcrs, uint8_t ret[static CRYPTO_SHA256_SIZE])
{
    struct tcg_selection s = {.n = 1};
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int r;

    if ((unsigned)hash >= PREDICT_BANKS || pcrs == 0 || pcrs >> TCG_PCRS)
        return ERR_NOT_FOUND;
    s.bank[0] = (struct tcg_bank){.alg = alg_of(hash), .pcrs = pcrs};
    r = hash_values(p, hash, pcrs, CRYPTO_SHA256, digest);
    return r == 0 ? tcg_policy_pcr(&s, digest, ret) : r;
}

int predict_boot_aggregate(
        const struct predict *p, enum crypto_hash hash, uint8_t *ret)
{
    if ((unsigned)hash >= PREDICT_BANKS)
        return ERR_NOT_FOUND;
    return hash_values(p, hash, hash == CRYPTO_SHA1 ? 0xff : 0x3ff, hash, ret);
}

/* ---- events of a log ------------------------------------------------- */

static int add_logged(
        struct predict *p, const struct eventlog_event *e, struct err *err)
{
    struct span digest[PREDICT_BANKS];
    size_t n = 0;

    for (size_t i = 0; i < PREDICT_BANKS; i++) {
        if (has_bank(p, i) &&
                !eventlog_digest(e, alg_of((enum crypto_hash)i), &digest[n++]))
            return err_set(err, ERR_UNSUPPORTED, "event %zu has no %s digest",
                    e->index, crypto_hash_name((enum crypto_hash)i));
    }
    return predict_add_digest(p, e->pcr, digest, err,
            "as in the log, event %zu of type 0x%08x", e->index, e->type);
}

/* Other start values than zero are announced by events that extend nothing. */
static int check_start(const struct eventlog_event *e, struct err *err)
{
    static const char locality[] = "StartupLocality";

    if (e->type == EVENTLOG_EV_EFI_HCRTM_EVENT ||
            (e->type == EVENTLOG_EV_NO_ACTION &&
                    e->data.len == sizeof(locality) + 1 &&
                    memcmp(e->data.ptr, locality, sizeof(locality)) == 0 &&
                    e->data.ptr[sizeof(locality)] != 0))
        return err_set(err, ERR_UNSUPPORTED,
                "PCR 0 of this log does not start at zero");
    return 0;
}

static int add_log(
        struct predict *p, struct span log, uint32_t pcrs, struct err *err)
{
    struct eventlog l;
    struct eventlog_event e;
    int r = eventlog_open(log, &l, err);

    if (r != 0)
        return r;
    while ((r = eventlog_next(&l, &e, err)) == 1) {
        r = (pcrs & 1) ? check_start(&e, err) : 0;
        if (r == 0 && e.pcr < TCG_PCRS && ((pcrs >> e.pcr) & 1) &&
                eventlog_extends(&e))
            r = add_logged(p, &e, err);
        if (r != 0)
            return r;
    }
    return r;
}

int predict_add_log(
        struct predict *p, struct span log, uint32_t pcrs, struct err *err)
{
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r;

    if (pcrs >> TCG_PCRS)
        return err_set(err, ERR_SYNTAX, "PCRs %#x", pcrs);
    r = add_log(p, log, pcrs, err);
    if (r != 0) {
        predict_rewind(p, n, had);
        return r;
    }
    for (unsigned pcr = 0; pcr < TCG_PCRS; pcr++) {
        if ((pcrs >> pcr) & 1)
            predict_start(p, pcr);
    }
    return 0;
}

int predict_utf16(
        struct span ascii, const char *what, struct buf *ret, struct err *err)
{
    for (size_t i = 0; i < ascii.len; i++) {
        if (ascii.ptr[i] < 0x20 || ascii.ptr[i] > 0x7e)
            return err_set(err, ERR_UNSUPPORTED,
                    "%s: byte %#x at %zu: what is not printable ASCII is "
                    "changed on its way, differently by each version",
                    what, ascii.ptr[i], i);
        buf_append_u8(ret, ascii.ptr[i]);
        buf_append_u8(ret, 0);
    }
    return buf_ok(ret, err);
}
