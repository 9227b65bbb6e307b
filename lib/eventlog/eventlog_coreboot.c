/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of coreboot. */
#include "eventlog_private.h"

#define ENTRY_SIZE  132
#define TYPE_SIZE   10
#define DIGEST_SIZE 64
#define NAME_SIZE   50
#define SPEC_ID00   "Spec ID Event00"
#define SPEC_SIZE   16
#define MAGIC1      0x31544243u /* "CBT1" */
#define MAGIC2      0x32544243u /* "CBT2" */
/* Bytes behind the magic, by layout. */
#define VENDOR_ENTRIES 8 /* max and number of entries, size of one */
#define VENDOR_COUNTED 6 /* number, next and last offset */
#define VENDOR_OFFSETS 4 /* next and last offset */
#define VENDOR_HEAD    7 /* reserved, version, magic */

struct vendor {
    bool has_n;
    uint16_t n;
    bool has_next;
    uint16_t next; /* offset behind the header */
};

static bool get_vendor(struct span info, uint32_t magic, struct vendor *v)
{
    struct wire_reader r = wire_reader_of(info);
    struct span version;
    uint32_t m, size;
    uint16_t max;

    if (!wire_get_span(&r, 3, &version) || !wire_get_u32le(&r, &m) ||
            m != magic)
        return false;
    if (r.left == VENDOR_ENTRIES) {
        v->has_n = true;
        return wire_get_u16le(&r, &max) && wire_get_u16le(&r, &v->n) &&
               wire_get_u32le(&r, &size) && v->n <= max;
    }
    if (r.left != VENDOR_COUNTED && r.left != VENDOR_OFFSETS)
        return false;
    v->has_n = r.left == VENDOR_COUNTED;
    v->has_next = true;
    return (!v->has_n || wire_get_u16le(&r, &v->n)) &&
           wire_get_u16le(&r, &v->next) && wire_get_u16le(&r, &max) &&
           v->next <= max;
}

/* Walks to the end, for as many events as the header counts. */
static int check_events(const struct eventlog_coreboot *c,
        const struct vendor *v, struct err *err)
{
    struct eventlog l = c->log;
    struct eventlog_event e;
    size_t header = eventlog_used(&l), first = l.index;
    int r;

    while ((r = eventlog_next(&l, &e, err)) == 1)
        ;
    if (r != 0)
        return r;
    if (v->has_n && l.index - first != v->n)
        return err_set(err, ERR_SYNTAX,
                "coreboot log: %zu entries, its header says %u",
                l.index - first, v->n);
    if (v->has_next && eventlog_used(&l) - header != v->next)
        return err_set(err, ERR_SYNTAX,
                "coreboot log: its entries do not end where its header says");
    return 0;
}

/* ---- the TCG forms --------------------------------------------------- */

/* Specification ID of TPM 1.2 for BIOS: no list of algorithms. */
static int open_tpm12(
        struct span bytes, struct eventlog_coreboot *c, struct err *err)
{
    struct eventlog_event e;
    struct wire_reader r;
    struct span signature, info;
    struct vendor v = {.n = 0};
    int rc = eventlog_open_any(bytes, &c->log, err);

    if (rc == 0 && eventlog_next(&c->log, &e, err) != 1)
        return err_set(err, ERR_SYNTAX, "coreboot log: no header");
    if (rc != 0)
        return rc;
    r = wire_reader_of(e.data);
    /* Class and version, then the vendor's. */
    if (!wire_get_span(&r, SPEC_SIZE, &signature) ||
            !wire_get_span(&r, 8, &signature) || !wire_get_vec8(&r, &info) ||
            !wire_end(&r) || !get_vendor(info, MAGIC1, &v))
        return err_set(err, ERR_SYNTAX, "coreboot log: malformed header");
    c->form = EVENTLOG_COREBOOT_TPM12;
    c->n = v.n;
    return check_events(c, &v, err);
}

static int open_tpm20(struct eventlog_coreboot *c, struct err *err)
{
    struct vendor v = {.n = 0};

    if (!get_vendor(c->log.vendor, MAGIC2, &v))
        return err_set(err, ERR_UNSUPPORTED,
                "coreboot log: the header's vendor is not coreboot");
    c->form = EVENTLOG_COREBOOT_TPM20;
    c->n = v.n;
    return check_events(c, &v, err);
}

static bool is_spec_id00(struct span bytes)
{
    return bytes.len >= 32 + SPEC_SIZE &&
           memcmp(bytes.ptr + 32, SPEC_ID00, SPEC_SIZE) == 0;
}

/* ---- the table ------------------------------------------------------- */

static int open_table(
        struct span bytes, struct eventlog_coreboot *c, struct err *err)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct eventlog_coreboot_entry e;
    uint16_t max, n;

    if (!wire_get_u16le(&r, &max) || !wire_get_u16le(&r, &n) || n > max ||
            !wire_get_span(&r, (size_t)n * ENTRY_SIZE, &c->entries) ||
            r.left > (size_t)(max - n) * ENTRY_SIZE)
        return err_set(err, ERR_SYNTAX, "coreboot log: malformed table");
    c->form = EVENTLOG_COREBOOT_TABLE;
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        int rc = eventlog_coreboot_entry(c, i, &e, err);

        if (rc != 0)
            return rc;
    }
    return 0;
}

int eventlog_coreboot_open(
        struct span bytes, struct eventlog_coreboot *ret, struct err *err)
{
    struct eventlog_coreboot c = {.n = 0};
    int r;

    if (is_spec_id00(bytes))
        r = open_tpm12(bytes, &c, err);
    else if (eventlog_open(bytes, &c.log, NULL) == 0)
        r = open_tpm20(&c, err);
    else
        r = open_table(bytes, &c, err);
    if (r == 0)
        *ret = c;
    return r;
}

/* Up to its NUL, which must be there; the rest is not looked at. */
static bool get_text(struct wire_reader *r, size_t size, struct span *ret)
{
    struct span s;
    size_t n = 0;

    if (!wire_get_span(r, size, &s))
        return false;
    while (n < size && s.ptr[n] != 0)
        n++;
    *ret = SPAN(s.ptr, n);
    return n < size;
}

static const struct {
    const char *name;
    uint16_t alg;
} hashes[] = {
        {"SHA1", TCG_ALG_SHA1},
        {"SHA256", TCG_ALG_SHA256},
        {"SHA384", TCG_ALG_SHA384},
        {"SHA512", TCG_ALG_SHA512},
};

static bool find_hash(struct span name, uint16_t *ret, enum crypto_hash *hash)
{
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if (span_eq_str(name, hashes[i].name)) {
            *ret = hashes[i].alg;
            return tcg_hash(*ret, hash);
        }
    }
    return false;
}

int eventlog_coreboot_entry(const struct eventlog_coreboot *c, size_t i,
        struct eventlog_coreboot_entry *ret, struct err *err)
{
    struct eventlog_coreboot_entry e;
    struct wire_reader r = wire_reader_of(c->entries);
    struct span skipped, type, digest;
    enum crypto_hash hash;
    uint32_t len;

    if (i >= c->n || !wire_get_span(&r, i * ENTRY_SIZE, &skipped) ||
            !wire_get_u32le(&r, &e.pcr) || !get_text(&r, TYPE_SIZE, &type) ||
            !wire_get_span(&r, DIGEST_SIZE, &digest) ||
            !wire_get_u32le(&r, &len) || !get_text(&r, NAME_SIZE, &e.name))
        return err_set(err, ERR_SYNTAX, "coreboot log: entry %zu malformed", i);
    if (e.pcr >= TCG_PCRS || !find_hash(type, &e.alg, &hash) ||
            len != crypto_hash_size(hash))
        return err_set(err, ERR_SYNTAX,
                "coreboot log: entry %zu of PCR %u with %u bytes of digest", i,
                e.pcr, len);
    e.digest = SPAN(digest.ptr, len);
    *ret = e;
    return 0;
}

/* The bank of alg, which is added when it is new. */
static struct eventlog_bank *bank_of(struct eventlog_pcrs *p, uint16_t alg)
{
    struct eventlog_bank *b;

    for (size_t i = 0; i < p->n; i++) {
        if (p->bank[i].alg == alg)
            return &p->bank[i];
    }
    b = &p->bank[p->n++]; /* as many as there are hashes */
    b->alg = alg;
    if (!tcg_hash(alg, &b->hash))
        __builtin_trap(); /* find_hash */
    b->size = crypto_hash_size(b->hash);
    for (unsigned i = EVENTLOG_DRTM_FIRST; i <= EVENTLOG_DRTM_LAST; i++)
        memset(b->value[i], 0xff, b->size);
    return b;
}

static int replay_table(const struct eventlog_coreboot *c,
        struct eventlog_pcrs *ret, struct err *err)
{
    struct eventlog_pcrs p = {.format = EVENTLOG_AGILE, .events = c->n};

    for (size_t i = 0; i < c->n; i++) {
        struct eventlog_coreboot_entry e;
        struct eventlog_bank *b;
        int r = eventlog_coreboot_entry(c, i, &e, err);

        if (r != 0)
            return r;
        b = bank_of(&p, e.alg);
        eventlog_extend(b->hash, b->value[e.pcr], e.digest);
        b->extended |= 1u << e.pcr;
    }
    p.used = 4 + c->n * ENTRY_SIZE;
    *ret = p;
    return 0;
}

int eventlog_coreboot_replay(const struct eventlog_coreboot *c,
        struct eventlog_pcrs *ret, struct err *err)
{
    if (c->form == EVENTLOG_COREBOOT_TABLE)
        return replay_table(c, ret, err);
    return eventlog_replay_all(&c->log, ret, err);
}
