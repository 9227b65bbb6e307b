/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secure Launch Resource Table.  The first drafts had entry headers of u16 and
 * another order of fields; size is never 0, which tells the two forms apart.
 */
#include "eventlog_private.h"

#define MAGIC     0x4452544du
#define REVISION  1
#define END       0xffffu
#define INFO_SIZE 32
#define TAG_MAX   8

static struct span info_of(struct span s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] != 0)
        n++;
    return SPAN(s.ptr, n);
}

static bool is_launch_pcr(uint16_t pcr)
{
    return pcr >= EVENTLOG_DRTM_FIRST && pcr <= EVENTLOG_DRTM_LAST;
}

static bool get_dl_info(struct wire_reader *r, struct eventlog_slrt *s)
{
    struct span context;
    uint64_t handler;
    uint32_t size;

    if (!s->old)
        return wire_get_u64le(r, &s->dce_size) &&
               wire_get_u64le(r, &s->dce_base) &&
               wire_get_u64le(r, &s->dlme_size) &&
               wire_get_u64le(r, &s->dlme_base) &&
               wire_get_u64le(r, &s->dlme_entry) &&
               wire_get_span(r, 16, &context) && wire_get_u64le(r, &handler) &&
               wire_end(r);
    if (!wire_get_span(r, 12, &context) || !wire_get_u64le(r, &handler) ||
            !wire_get_u64le(r, &s->dce_base) || !wire_get_u32le(r, &size) ||
            !wire_get_u64le(r, &s->dlme_entry) || !wire_end(r))
        return false;
    s->dce_size = size;
    return true;
}

static bool get_log_info(struct wire_reader *r, struct eventlog_slrt *s)
{
    uint16_t reserved;

    if (!wire_get_u16le(r, &s->log_format) || !wire_get_u16le(r, &reserved))
        return false;
    if (s->old)
        return wire_get_u64le(r, &s->log_address) &&
               wire_get_u32le(r, &s->log_size) && wire_end(r);
    return wire_get_u32le(r, &s->log_size) &&
           wire_get_u64le(r, &s->log_address) && wire_end(r);
}

/* Revision and number of a list; the later form has reserved bytes first. */
static bool get_list(
        struct wire_reader *r, const struct eventlog_slrt *s, uint16_t *ret_n)
{
    uint32_t reserved;
    uint16_t revision;

    return (s->old || wire_get_u32le(r, &reserved)) &&
           wire_get_u16le(r, &revision) && revision == REVISION &&
           wire_get_u16le(r, ret_n);
}

static bool get_policy(struct wire_reader *r, const struct eventlog_slrt *s,
        struct eventlog_slrt_policy *p)
{
    uint16_t reserved;
    struct span info;
    uint64_t a, b;

    if (!wire_get_u16le(r, &p->pcr) || !wire_get_u16le(r, &p->entity) ||
            !wire_get_u16le(r, &p->flags) || !wire_get_u16le(r, &reserved) ||
            !wire_get_u64le(r, &a) || !wire_get_u64le(r, &b) ||
            !wire_get_span(r, INFO_SIZE, &info) || !is_launch_pcr(p->pcr))
        return false;
    p->address = s->old ? a : b;
    p->size = s->old ? b : a;
    p->info = info_of(info);
    return true;
}

static bool get_policies(struct wire_reader *r, struct eventlog_slrt *s)
{
    uint16_t n;

    if (!get_list(r, s, &n) || n > EVENTLOG_SLRT_POLICIES_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!get_policy(r, s, &s->policy[i]))
            return false;
    }
    s->n_policies = n;
    return wire_end(r);
}

static bool get_config(struct wire_reader *r, const struct eventlog_slrt *s,
        struct eventlog_slrt_policy *p)
{
    uint16_t reserved;
    uint32_t size;
    struct span info;

    if (!wire_get_u16le(r, &p->pcr) || !wire_get_u16le(r, &reserved) ||
            (!s->old && !wire_get_u32le(r, &size)) ||
            !wire_get_u64le(r, &p->address) ||
            (s->old && !wire_get_u32le(r, &size)) ||
            !wire_get_span(r, INFO_SIZE, &info) || !is_launch_pcr(p->pcr))
        return false;
    p->size = size;
    p->info = info_of(info);
    return true;
}

static bool get_configs(struct wire_reader *r, struct eventlog_slrt *s)
{
    uint16_t n;

    if (!get_list(r, s, &n) || n > EVENTLOG_SLRT_CONFIGS_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!get_config(r, s, &s->config[i]))
            return false;
    }
    s->n_configs = n;
    return wire_end(r);
}

/* State of the platform: nothing that is measured by itself. */
static bool skip(struct wire_reader *r, struct eventlog_slrt *s)
{
    (void)r;
    (void)s;
    return true;
}

static bool (*const entries[TAG_MAX + 1])(
        struct wire_reader *r, struct eventlog_slrt *s) = {
        [EVENTLOG_SLRT_DL_INFO] = get_dl_info,
        [EVENTLOG_SLRT_LOG_INFO] = get_log_info,
        [EVENTLOG_SLRT_POLICY] = get_policies,
        [EVENTLOG_SLRT_INTEL] = skip,
        [EVENTLOG_SLRT_AMD] = skip,
        [EVENTLOG_SLRT_ARM] = skip,
        [EVENTLOG_SLRT_UEFI_INFO] = skip,
        [EVENTLOG_SLRT_UEFI_CONFIG] = get_configs,
};

static bool get_entry_header(struct wire_reader *r,
        const struct eventlog_slrt *s, uint32_t *ret_tag, uint32_t *ret_size)
{
    uint16_t tag, size;

    if (!s->old)
        return wire_get_u32le(r, ret_tag) && wire_get_u32le(r, ret_size);
    if (!wire_get_u16le(r, &tag) || !wire_get_u16le(r, &size))
        return false;
    *ret_tag = tag;
    *ret_size = size;
    return true;
}

static int get_entries(
        struct wire_reader *r, struct eventlog_slrt *s, struct err *err)
{
    uint32_t header = s->old ? 4 : 8, tag, size;
    struct wire_reader body;

    while (get_entry_header(r, s, &tag, &size) && size >= header &&
            wire_get_sub(r, size - header, &body)) {
        if (tag == END)
            return wire_end(r) && wire_end(&body)
                           ? 0
                           : err_set(err, ERR_SYNTAX,
                                     "SLRT: bytes behind its end");
        if (tag == 0 || tag > TAG_MAX)
            return err_set(err, ERR_UNSUPPORTED, "SLRT: entry of tag %u", tag);
        if ((s->tags >> tag) & 1)
            return err_set(err, ERR_SYNTAX, "SLRT: two entries of tag %u", tag);
        if (!entries[tag](&body, s))
            return err_set(
                    err, ERR_SYNTAX, "SLRT: malformed entry of tag %u", tag);
        s->tags |= 1u << tag;
    }
    return err_set(err, ERR_SYNTAX, "SLRT: no end entry");
}

int eventlog_slrt_parse(
        struct span table, struct eventlog_slrt *ret, struct err *err)
{
    struct wire_reader r = wire_reader_of(table);
    struct eventlog_slrt s = {.old = false};
    uint32_t magic, size, max_size, first;
    uint16_t revision;
    struct wire_reader peek;
    int rc;

    if (!wire_get_u32le(&r, &magic) || !wire_get_u16le(&r, &revision) ||
            !wire_get_u16le(&r, &s.architecture) ||
            !wire_get_u32le(&r, &size) || !wire_get_u32le(&r, &max_size))
        return err_set(err, ERR_SYNTAX, "SLRT: cut short");
    if (magic != MAGIC)
        return err_set(err, ERR_SYNTAX, "SLRT: wrong magic");
    if (revision != REVISION)
        return err_set(err, ERR_UNSUPPORTED, "SLRT: revision %u", revision);
    if (size > max_size || size > table.len || size < table.len - r.left)
        return err_set(err, ERR_SYNTAX, "SLRT: %u bytes of at most %u", size,
                max_size);
    r.left = size - (table.len - r.left);
    peek = r;
    if (!wire_get_u32le(&peek, &first))
        return err_set(err, ERR_SYNTAX, "SLRT: no entry");
    s.old = first >> 16 != 0;
    rc = get_entries(&r, &s, err);
    if (rc == 0)
        *ret = s;
    return rc;
}
