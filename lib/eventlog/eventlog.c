/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCG event logs (PC Client Platform Firmware Profile 1.06, section 10).
 * Little-endian, unlike everything that the TPM itself writes.
 */
#include "eventlog.h"

#define SPEC_ID      "Spec ID Event03" /* and its NUL */
#define LOCALITY     "StartupLocality" /* and its NUL */
#define HCRTM        "HCRTM"
#define NO_PCR       0xffffffffu
#define DRTM_FIRST   17
#define DRTM_LAST    22
#define SHA1_SIZE    20
#define SIGNATURE_16 16

static bool size_fits(const struct eventlog_alg *a)
{
    enum crypto_hash hash;

    if (tcg_hash(a->alg, &hash))
        return a->size == crypto_hash_size(hash);
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

/* TCG_EfiSpecIDEvent (10.4.5.1) */
static int get_spec_id(struct span data, struct eventlog *l)
{
    struct wire_reader r = wire_reader_of(data);
    struct span signature, version;
    uint32_t class, n;

    if (!wire_get_span(&r, SIGNATURE_16, &signature) ||
            memcmp(signature.ptr, SPEC_ID, SIGNATURE_16) != 0)
        return ERR_UNSUPPORTED;
    /* minor, major, errata, uintnSize */
    if (!wire_get_u32le(&r, &class) || !wire_get_span(&r, 4, &version) ||
            !wire_get_u32le(&r, &n) || n == 0 || n > EVENTLOG_ALGS_MAX)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < n; i++) {
        struct eventlog_alg a;

        if (!wire_get_u16le(&r, &a.alg) || !wire_get_u16le(&r, &a.size) ||
                !size_fits(&a) || has_alg(l, a.alg))
            return ERR_SYNTAX;
        l->alg[l->n_algs++] = a;
    }
    if (!wire_get_vec8(&r, &l->vendor) || !wire_end(&r))
        return ERR_SYNTAX;
    return 0;
}

int eventlog_open(struct span log, struct eventlog *ret, struct err *err)
{
    struct eventlog l = {.left = wire_reader_of(log), .index = 1};
    uint32_t pcr, type;
    struct span sha1, data;
    int r;

    if (log.len > LIMIT_EVENT_LOG_MAX)
        return err_set(err, ERR_LIMIT, "event log of %zu bytes", log.len);
    /* TCG_PCClientPCREvent: the one record in the old form */
    if (!wire_get_u32le(&l.left, &pcr) || !wire_get_u32le(&l.left, &type) ||
            !wire_get_span(&l.left, SHA1_SIZE, &sha1) ||
            !wire_get_vec32le(&l.left, &data))
        return err_set(err, ERR_SYNTAX, "event log: header cut short");
    r = type == EVENTLOG_EV_NO_ACTION && pcr == 0 ? get_spec_id(data, &l)
                                                  : ERR_UNSUPPORTED;
    if (r == ERR_UNSUPPORTED)
        return err_set(err, r, "event log: no Spec ID, a log of SHA-1 alone");
    if (r != 0)
        return err_set(err, r, "event log: malformed Spec ID");
    *ret = l;
    return 0;
}

/* ACPI tables pad with FF or 00 up to their length (TDX CCEL; PFP 10.4). */
static bool is_padding(const struct wire_reader *r)
{
    if (r->left == 0)
        return true;
    if (r->ptr[0] != 0x00 && r->ptr[0] != 0xff)
        return false;
    for (size_t i = 1; i < r->left; i++) {
        if (r->ptr[i] != r->ptr[0])
            return false;
    }
    return true;
}

/* TPML_DIGEST_VALUES: each bank of the header once, and no other. */
static bool get_digests(const struct eventlog *l, struct wire_reader *r,
        struct eventlog_event *e)
{
    uint32_t n;

    if (!wire_get_u32le(r, &n) || n != l->n_algs)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct span digest;
        uint16_t alg;
        size_t size = 0;

        if (!wire_get_u16le(r, &alg) || eventlog_digest(e, alg, &digest))
            return false;
        for (size_t j = 0; j < l->n_algs; j++) {
            if (l->alg[j].alg == alg)
                size = l->alg[j].size;
        }
        if (size == 0 || !wire_get_span(r, size, &digest))
            return false;
        e->digest[i].alg = alg;
        e->digest[i].digest = digest;
        e->n_digests++;
    }
    return true;
}

int eventlog_next(
        struct eventlog *log, struct eventlog_event *ret, struct err *err)
{
    struct wire_reader r = log->left;
    struct eventlog_event e = {.index = log->index};

    if (is_padding(&r))
        return 0;
    if (log->index >= LIMIT_EVENTS_MAX)
        return err_set(err, ERR_LIMIT, "event log: more than %d events",
                LIMIT_EVENTS_MAX);
    if (!wire_get_u32le(&r, &e.pcr) || !wire_get_u32le(&r, &e.type) ||
            !get_digests(log, &r, &e) || !wire_get_vec32le(&r, &e.data))
        return err_set(
                err, ERR_SYNTAX, "event log: event %zu malformed", e.index);
    if (e.pcr >= TCG_PCRS &&
            !(e.pcr == NO_PCR && e.type == EVENTLOG_EV_NO_ACTION))
        return err_set(err, ERR_SYNTAX, "event log: event %zu of PCR %u",
                e.index, e.pcr);
    log->left = r;
    log->index++;
    *ret = e;
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

/* Types whose digest is defined as the hash of the event data (10.4.1). */
static bool hashes_data(const struct eventlog_event *e)
{
    static const uint32_t types[] = {
            EVENTLOG_EV_SEPARATOR,
            EVENTLOG_EV_ACTION,
            EVENTLOG_EV_S_CRTM_VERSION,
            EVENTLOG_EV_EFI_VARIABLE_DRIVER_CONFIG,
            EVENTLOG_EV_EFI_GPT_EVENT,
            EVENTLOG_EV_EFI_ACTION,
            EVENTLOG_EV_EFI_VARIABLE_AUTHORITY,
    };
    struct wire_reader r = wire_reader_of(e->data);
    uint32_t tag;

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (e->type == types[i])
            return true;
    }
    /* Linux's tags hash what they point at, ours hash themselves. */
    return e->type == EVENTLOG_EV_EVENT_TAG && wire_get_u32le(&r, &tag) &&
           tag == EVENTLOG_TAG_QAIR;
}

int eventlog_check_data(const struct eventlog_event *e)
{
    int r = ERR_UNSUPPORTED;

    if (!hashes_data(e))
        return ERR_UNSUPPORTED;
    for (size_t i = 0; i < e->n_digests; i++) {
        uint8_t digest[CRYPTO_HASH_MAX];
        enum crypto_hash hash;

        if (!tcg_hash(e->digest[i].alg, &hash))
            continue;
        crypto_hash(hash, e->data, digest);
        if (!span_eq(SPAN(digest, crypto_hash_size(hash)), e->digest[i].digest))
            return ERR_MISMATCH;
        r = 0;
    }
    return r;
}

/* ---- replay ---------------------------------------------------------- */

struct replay {
    struct eventlog_pcrs *pcrs;
    enum crypto_hash hash;
    bool has_locality;
};

static void start(struct eventlog_pcrs *p)
{
    for (unsigned i = DRTM_FIRST; i <= DRTM_LAST; i++)
        memset(p->value[i], 0xff, p->size);
}

static bool was_launched(const struct eventlog_pcrs *p)
{
    return (p->extended >> DRTM_FIRST) &
           ((1u << (DRTM_LAST - DRTM_FIRST + 1)) - 1);
}

/* EV_NO_ACTION says at which locality PCR 0 was started (10.4.5.3). */
static int take_no_action(
        struct replay *p, const struct eventlog_event *e, struct err *err)
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
    if (!(p->pcrs->extended & 1))
        p->pcrs->value[0][p->pcrs->size - 1] = locality;
    return 0;
}

static void extend(struct replay *p, unsigned pcr, struct span digest)
{
    struct eventlog_pcrs *s = p->pcrs;
    uint8_t both[2 * CRYPTO_HASH_MAX];

    memcpy(both, s->value[pcr], s->size);
    memcpy(both + s->size, digest.ptr, s->size);
    crypto_hash(p->hash, SPAN(both, 2 * s->size), s->value[pcr]);
    s->extended |= 1u << pcr;
}

static int take_event(
        struct replay *p, const struct eventlog_event *e, struct err *err)
{
    struct eventlog_pcrs *s = p->pcrs;
    struct span digest;

    if (e->type == EVENTLOG_EV_NO_ACTION)
        return take_no_action(p, e, err);
    if (!eventlog_digest(e, s->alg, &digest))
        return err_set(err, ERR_SYNTAX, "event log: event %zu without %s",
                e->index, tcg_alg_name(s->alg));
    if (e->type == EVENTLOG_EV_EFI_HCRTM_EVENT) {
        if (e->pcr != 0 || !span_eq_str(e->data, HCRTM))
            return err_set(err, ERR_SYNTAX,
                    "event log: event %zu is a malformed H-CRTM event",
                    e->index);
        if (!(s->extended & 1))
            s->value[0][s->size - 1] = 4;
    }
    if (e->pcr >= DRTM_FIRST && e->pcr <= DRTM_LAST && !was_launched(s)) {
        for (unsigned i = DRTM_FIRST; i <= DRTM_LAST; i++)
            memset(s->value[i], 0, s->size);
    }
    extend(p, e->pcr, digest);
    return 0;
}

int eventlog_replay(struct span log, uint16_t alg, struct eventlog_pcrs *ret,
        struct err *err)
{
    struct eventlog_pcrs pcrs = {.alg = alg};
    struct replay p = {.pcrs = &pcrs};
    struct eventlog l;
    struct eventlog_event e;
    int r = eventlog_open(log, &l, err);

    if (r != 0)
        return r;
    if (!tcg_hash(alg, &p.hash) || !has_alg(&l, alg))
        return err_set(err, ERR_UNSUPPORTED, "event log: no bank of %s",
                tcg_alg_name(alg));
    pcrs.size = crypto_hash_size(p.hash);
    start(&pcrs);
    while ((r = eventlog_next(&l, &e, err)) == 1) {
        r = take_event(&p, &e, err);
        if (r != 0)
            return r;
    }
    if (r == 0)
        *ret = pcrs;
    return r;
}
