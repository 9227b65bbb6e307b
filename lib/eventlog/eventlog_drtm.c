/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of dynamic launches. */
#include "eventlog_private.h"

#define TXT_SIGNATURE      "TXT Event Container" /* and its NUL */
#define TXT_SIGNATURE_SIZE 20
#define TXT_RESERVED       12
#define TXT_HEADER         48
#define SKL_VENDOR         20

static bool is_zero_or_ones(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] != s.ptr[0])
            return false;
    }
    return s.len == 0 || s.ptr[0] == 0x00 || s.ptr[0] == 0xff;
}

/* The events from where log stands to next, which must be its end. */
static int limit(struct span bytes, uint32_t first, uint32_t next,
        struct eventlog *log, struct err *err)
{
    struct eventlog all;
    struct eventlog_event e;
    int r;

    if (next > bytes.len || next < first)
        return err_set(err, ERR_SYNTAX,
                "launch log: next record at %u of %zu bytes", next, bytes.len);
    if (!is_zero_or_ones(SPAN(bytes.ptr + next, bytes.len - next)))
        return err_set(err, ERR_SYNTAX,
                "launch log: events behind the end that its header says");
    log->bytes = SPAN(bytes.ptr, next);
    log->left = wire_reader_of(SPAN(bytes.ptr + first, next - first));
    all = *log;
    while ((r = eventlog_next(&all, &e, err)) == 1)
        ;
    if (r == 0 && all.left.left != 0)
        r = err_set(err, ERR_SYNTAX,
                "launch log: its last event ends before its header says");
    return r;
}

/* txt_ev_log_container_12 */
static int open_txt12(
        struct span bytes, struct eventlog_drtm *d, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct span signature, reserved;
    uint32_t version, first;

    if (!wire_get_span(&r, TXT_SIGNATURE_SIZE, &signature) ||
            !wire_get_span(&r, TXT_RESERVED, &reserved) ||
            !wire_get_u32le(&r, &version) ||
            !wire_get_u32le(&r, &d->allocated) || !wire_get_u32le(&r, &first) ||
            !wire_get_u32le(&r, &d->next))
        return err_set(err, ERR_SYNTAX, "launch log: container cut short");
    /* Container 1.x, events 1.0 */
    if ((version & 0xffff00ff) != 0x00010001)
        return err_set(err, ERR_UNSUPPORTED,
                "launch log: container of version %#x", version);
    if (first < TXT_HEADER || bytes.len > d->allocated)
        return err_set(err, ERR_SYNTAX, "launch log: malformed container");
    d->form = EVENTLOG_DRTM_TXT12;
    d->log = (struct eventlog){.format = EVENTLOG_LEGACY,
            .n_algs = 1,
            .alg = {{TCG_ALG_SHA1, 20}}};
    return limit(bytes, first, d->next, &d->log, err);
}

/* Vendor information of SKL: where the log is, its size, first and next. */
static int open_skl(struct span bytes, struct eventlog_drtm *d, struct err *err)
{
    struct wire_reader r = wire_reader_of(d->log.vendor);
    uint32_t header = (uint32_t)eventlog_used(&d->log), first;

    if (!wire_get_u64le(&r, &d->address) ||
            !wire_get_u32le(&r, &d->allocated) || !wire_get_u32le(&r, &first) ||
            !wire_get_u32le(&r, &d->next) || !wire_end(&r) ||
            (first != 0 && first != header) || bytes.len > d->allocated)
        return err_set(
                err, ERR_SYNTAX, "launch log: malformed vendor information");
    d->form = EVENTLOG_DRTM_SKL;
    return limit(bytes, header, d->next, &d->log, err);
}

/* Where padding begins. */
static int find_end(const struct eventlog *log, uint32_t *ret, struct err *err)
{
    struct eventlog l = *log;
    struct eventlog_event e;
    int r;

    while ((r = eventlog_next(&l, &e, err)) == 1)
        ;
    if (r == 0)
        *ret = (uint32_t)eventlog_used(&l);
    return r;
}

int eventlog_drtm_open(
        struct span bytes, struct eventlog_drtm *ret, struct err *err)
{
    struct eventlog_drtm d = {.address = 0};
    int r;

    if (bytes.len > LIMIT_TCG_LOG_MAX)
        return err_set(err, ERR_LIMIT, "launch log of %zu bytes", bytes.len);
    if (bytes.len >= TXT_SIGNATURE_SIZE &&
            memcmp(bytes.ptr, TXT_SIGNATURE, TXT_SIGNATURE_SIZE) == 0) {
        r = open_txt12(bytes, &d, err);
    } else {
        r = eventlog_open(bytes, &d.log, err);
        if (r == 0 && d.log.vendor.len == SKL_VENDOR) {
            r = open_skl(bytes, &d, err);
        } else if (r == 0) {
            d.form = EVENTLOG_DRTM_TXT20;
            d.allocated = (uint32_t)bytes.len;
            r = find_end(&d.log, &d.next, err);
        }
    }
    if (r == 0)
        *ret = d;
    return r;
}

/* ---- replay ---------------------------------------------------------- */

static bool is_launch_pcr(const struct eventlog_event *e)
{
    return e->pcr < TCG_PCRS && (EVENTLOG_DRTM_PCRS >> e->pcr) & 1;
}

int eventlog_drtm_replay(const struct eventlog_drtm *d,
        struct eventlog_pcrs *ret, struct err *err)
{
    struct eventlog_replay r;
    struct eventlog_event e;
    enum eventlog_data data;
    int rc;

    eventlog_replay_begin(&d->log, &r);
    while ((rc = eventlog_replay_next(&r, &e, &data, err)) == 1) {
        if (e.type != EVENTLOG_EV_NO_ACTION && !is_launch_pcr(&e))
            return err_set(err, ERR_SYNTAX,
                    "launch log: event %zu is of PCR %u", e.index, e.pcr);
    }
    if (rc == 0)
        *ret = r.pcrs;
    return rc;
}

/* Index of the claim of one PCR in one bank, or n. */
static size_t find(const struct eventlog_claim *claim, size_t n, uint16_t alg,
        unsigned pcr)
{
    size_t i = 0;

    while (i < n && (claim[i].alg != alg || claim[i].pcr != pcr))
        i++;
    return i;
}

static int check_launch(
        const struct eventlog_claim *claim, size_t n, struct err *err)
{
    bool strong = false;

    for (size_t i = 0; i < n; i++) {
        strong = strong || claim[i].alg != TCG_ALG_SHA1;
        for (unsigned pcr = 17; pcr <= 18; pcr++) {
            if (find(claim, n, claim[i].alg, pcr) == n)
                return err_set(err, ERR_SYNTAX, "%s PCR %u is not claimed",
                        tcg_alg_name(claim[i].alg), pcr);
        }
    }
    if (!strong)
        return err_set(err, ERR_SYNTAX, "a launch in the SHA-1 bank alone");
    return 0;
}

/* Does some value say that there was no launch at all? */
static int check_values(
        const struct eventlog_claim *claim, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (claim[i].pcr != 17 && claim[i].pcr != 18)
            continue;
        if (!is_zero_or_ones(claim[i].value))
            continue;
        return err_set(err, ERR_MISMATCH, "PCR %u: %s", claim[i].pcr,
                claim[i].value.len > 0 && claim[i].value.ptr[0] == 0xff
                        ? "all ones, there was no dynamic launch"
                        : "all zeros, reset and nothing measured");
    }
    return 0;
}

int eventlog_drtm_compare(const struct eventlog_pcrs *p,
        const struct eventlog_claim *claim, size_t n,
        struct eventlog_agreement *ret, struct err *err)
{
    struct eventlog_agreement a;
    int r = eventlog_compare(p, claim, n, &a, err), no_launch;

    if (r != 0 && r != ERR_MISMATCH)
        return r;
    no_launch = check_values(claim, n, err);
    if (no_launch == 0) {
        int rc = check_launch(claim, n, err);

        if (rc != 0)
            return rc;
    }
    a.differ = 0;
    for (size_t i = 0; i < a.n; i++) {
        if (a.bank[i].alg != TCG_ALG_SHA1)
            a.differ |= a.bank[i].differ;
    }
    a.proved = 0;
    for (size_t i = 0; i < a.n && no_launch == 0; i++) {
        if (a.bank[i].alg != TCG_ALG_SHA1)
            a.proved |= a.bank[i].agree & ~a.differ;
    }
    *ret = a;
    if (no_launch != 0)
        return no_launch;
    return a.differ ? r : 0;
}

/* ---- prediction ------------------------------------------------------ */

#define SLB_MAX 65536u

int eventlog_drtm_slb(struct span file, struct span *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(file);
    uint16_t entry, length;

    if (!wire_get_u16le(&r, &entry) || !wire_get_u16le(&r, &length) ||
            length < 4 || length > file.len || entry >= length ||
            file.len > SLB_MAX)
        return err_set(err, ERR_SYNTAX, "not a secure loader block");
    *ret = SPAN(file.ptr, length);
    return 0;
}

/* Linux boot protocol, 2.06 and later */
#define SETUP_SECTS 0x1f1
#define SYSSIZE     0x1f4
#define HDRS        0x202
#define SECTOR      512u

int eventlog_drtm_kernel(struct span file, struct span *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(file);
    struct span skipped, magic;
    uint8_t sectors;
    uint32_t paragraphs;
    uint16_t other;
    size_t begin;

    if (!wire_get_span(&r, SETUP_SECTS, &skipped) ||
            !wire_get_u8(&r, &sectors) || !wire_get_u16le(&r, &other) ||
            !wire_get_u32le(&r, &paragraphs) ||
            !wire_get_span(&r, HDRS - SYSSIZE - 4, &skipped) ||
            !wire_get_span(&r, 4, &magic) || memcmp(magic.ptr, "HdrS", 4) != 0)
        return err_set(err, ERR_SYNTAX, "not a bzImage");
    begin = ((sectors ? sectors : 4u) + 1) * SECTOR;
    if (begin > file.len || (uint64_t)paragraphs * 16 > file.len - begin)
        return err_set(err, ERR_SYNTAX, "bzImage is cut short");
    *ret = SPAN(file.ptr + begin, (size_t)paragraphs * 16);
    return 0;
}

int eventlog_drtm_predict(enum crypto_hash hash, struct span slb,
        struct span kernel, const struct span *more, size_t n_more,
        uint8_t ret[static CRYPTO_HASH_MAX])
{
    uint8_t value[CRYPTO_HASH_MAX] = {0}, digest[CRYPTO_HASH_MAX];
    size_t size = crypto_hash_size(hash);

    for (size_t i = 0; i < n_more; i++) {
        if (more[i].len != size)
            return ERR_SYNTAX;
    }
    crypto_hash(hash, slb, digest);
    eventlog_extend(hash, value, SPAN(digest, size));
    crypto_hash(hash, kernel, digest);
    eventlog_extend(hash, value, SPAN(digest, size));
    for (size_t i = 0; i < n_more; i++)
        eventlog_extend(hash, value, more[i]);
    memcpy(ret, value, size);
    return 0;
}
