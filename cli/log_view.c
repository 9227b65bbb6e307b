/* SPDX-License-Identifier: Apache-2.0 */
#include "log_view.h"

#include "conf.h"
#include "pack_load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool join(char *ret, size_t cap, const char *dir, const char *name)
{
    int n = snprintf(ret, cap, "%s/%s", dir, name);

    return n >= 0 && (size_t)n < cap;
}

/* ---- whose log --------------------------------------------------------- */

/* Name and owner from zone.conf; no zone.conf is fine: a copied log. */
static int load_conf(const char *dir, struct log_view *v, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_CONF_FILE_MAX);
    CLEANUP(buf_free_ptr) struct conf_zone *zone = calloc(1, sizeof *zone);
    char path[4096];
    int r;

    if (zone == NULL || !join(path, sizeof path, dir, "zone.conf"))
        return err_set(err, ERR_LIMIT, "%s: name is too long", dir);
    if (access(path, F_OK) < 0)
        return 0;
    r = buf_load(&text, AT_FDCWD, path, err);
    if (r == 0)
        r = conf_zone_parse(buf_span(&text), zone, err);
    if (r < 0)
        return r;
    memcpy(v->zone, zone->name, sizeof v->zone);
    if (zone->owner_len > 0)
        v->owner = crypto_pub_from_spki(SPAN(zone->owner, zone->owner_len));
    return 0;
}

/* DIR/log of a zone, or DIR itself. */
static int open_folder(const char *dir, struct log_view *v, struct err *err)
{
    char path[4096 + 16];

    if (!join(v->dir, sizeof v->dir, dir, "log") ||
            !join(path, sizeof path, v->dir, "checkpoint"))
        return err_set(err, ERR_LIMIT, "%s: name is too long", dir);
    if (v->zone[0] == '\0' && access(path, F_OK) < 0)
        snprintf(v->dir, sizeof v->dir, "%s", dir);
    v->dirfd = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (v->dirfd < 0)
        return err_errno(err, "%s", v->dir);
    return 0;
}

/* A copied log says whose it is: "qair/ZONE/log"; the key must agree. */
static int zone_from_origin(struct log_view *v, struct err *err)
{
    struct store_reader r;
    struct span name;
    int e = store_reader_open(v->dirfd, NULL, &r, err);

    if (e < 0)
        return err_prefix(err, e, "%s", v->dir);
    name = span_str(r.head.origin);
    if (name.len > 9 && memcmp(name.ptr, "qair/", 5) == 0 &&
            memcmp(name.ptr + name.len - 4, "/log", 4) == 0 &&
            text_is_name(
                    SPAN(name.ptr + 5, name.len - 9), LIMIT_ZONE_NAME_MAX)) {
        memcpy(v->zone, name.ptr + 5, name.len - 9);
        v->zone[name.len - 9] = '\0';
    } else {
        e = err_set(err, ERR_SYNTAX, "%s: not the log of a zone", v->dir);
    }
    store_reader_fini(&r);
    return e;
}

/* ---- whose keys --------------------------------------------------------- */

static int load_owner(const struct log_options *o, const char *pack,
        struct log_view *v, struct err *err)
{
    char path[4096 + 16];

    if (o->owner != NULL) {
        crypto_pub_free(v->owner);
        v->owner = NULL;
        return pack_load_owner(o->owner, &v->owner, err);
    }
    if (v->owner != NULL)
        return 0;
    if (!join(path, sizeof path, pack, "owner.pub"))
        return err_set(err, ERR_LIMIT, "%s: name is too long", pack);
    fprintf(stderr, "qair: trusting the pack's own owner.pub; "
                    "give --owner to say whom you trust\n");
    return pack_load_owner(path, &v->owner, err);
}

/* A zone that has no owner yet has no pack either. */
static int load_pack(const char *dir, const struct log_options *o,
        struct log_view *v, struct err *err)
{
    char path[4096];
    int r;

    if (o->pack != NULL)
        snprintf(path, sizeof path, "%s", o->pack);
    else if (!join(path, sizeof path, dir, "pack"))
        return err_set(err, ERR_LIMIT, "%s: name is too long", dir);
    if (o->pack == NULL && (v->owner == NULL || access(path, F_OK) < 0))
        return 0;
    r = load_owner(o, path, v, err);
    if (r == 0)
        r = pack_load_folder(path, v->owner, &v->pack, err);
    if (r == 0)
        v->pack_zone = pack_zone(v->pack, span_str(v->zone));
    return r;
}

static int load_keys(
        const struct log_options *o, struct log_view *v, struct err *err)
{
    uint8_t raw[32];
    size_t len;
    int r;

    if (o->vkey != NULL) {
        r = merkle_vkey_parse(span_str(o->vkey), &v->vkey, err);
        if (r < 0)
            return r;
        v->log_key = crypto_pub_ed25519(v->vkey.key);
    } else if (v->pack_zone != NULL) {
        r = crypto_pub_raw(v->pack_zone->log, raw, sizeof raw, &len);
        if (r < 0 || len != sizeof raw)
            return err_set(err, ERR_UNSUPPORTED, "log key: not Ed25519");
        v->log_key = crypto_pub_ed25519(raw);
    } else {
        return 0;
    }
    if (v->log_key == NULL)
        return err_set(err, ERR_SYNTAX, "log key: not a key");
    if (o->vkey != NULL)
        return 0;
    return merkle_vkey_for_zone(span_str(v->zone), v->log_key, &v->vkey, err);
}

static int view_load(const char *dir, const struct log_options *o,
        struct log_view *v, struct err *err)
{
    int r = load_conf(dir, v, err);

    if (r == 0)
        r = open_folder(dir, v, err);
    if (r == 0 && v->zone[0] == '\0')
        r = zone_from_origin(v, err);
    if (r == 0)
        r = load_pack(dir, o, v, err);
    if (r == 0)
        r = load_keys(o, v, err);
    if (r < 0)
        return r;
    r = store_reader_open(
            v->dirfd, v->log_key != NULL ? &v->vkey : NULL, &v->reader, err);
    return r < 0 ? err_prefix(err, r, "%s", v->dir) : 0;
}

int log_view_open(const char *dir, const struct log_options *o,
        struct log_view *ret, struct err *err)
{
    int r;

    memset(ret, 0, sizeof *ret);
    ret->dirfd = -1;
    r = view_load(dir, o, ret, err);
    if (r < 0)
        log_view_fini(ret);
    return r;
}

void log_view_fini(struct log_view *v)
{
    store_reader_fini(&v->reader);
    crypto_pub_free(v->log_key);
    pack_free(v->pack);
    crypto_pub_free(v->owner);
    if (v->dirfd >= 0)
        close(v->dirfd);
    memset(v, 0, sizeof *v);
    v->dirfd = -1;
}

int log_view_need_key(const struct log_view *v, struct err *err)
{
    if (v->log_key != NULL)
        return 0;
    return err_set(err, ERR_STATE,
            "the log key of zone %s is not known: give --vkey, or --pack DIR "
            "with its entry zones/%s.json",
            v->zone, v->zone);
}

/* ---- records ------------------------------------------------------------ */

const char *log_view_signer(const struct log_view *v, const struct statement *s)
{
    if (v->log_key != NULL && statement_verify(s, v->log_key, NULL) == 0)
        return "log";
    if (v->pack_zone != NULL &&
            statement_verify(s, v->pack_zone->identity, NULL) == 0)
        return "identity";
    return NULL;
}

int log_view_get(struct log_view *v, uint64_t index, struct log_record *ret,
        struct err *err)
{
    struct log_record rec = {
            .index = index, .entry = BUF_INIT(LIMIT_LOG_ENTRY_MAX)};
    struct span entry;
    int r = store_reader_get(&v->reader, index, &entry, err);

    if (r < 0)
        return r;
    buf_append(&rec.entry, entry);
    r = buf_ok(&rec.entry, err);
    if (r == 0)
        r = statement_open_untrusted(buf_span(&rec.entry), &rec.s, err);
    if (r == 0) {
        r = statement_check(&rec.s, err);
        if (r < 0)
            statement_fini(&rec.s);
    }
    if (r < 0) {
        buf_fini(&rec.entry);
        return err_prefix(err, r, "entry %llu", (unsigned long long)index);
    }
    rec.signer = log_view_signer(v, &rec.s);
    *ret = rec;
    return 0;
}

void log_record_fini(struct log_record *r)
{
    statement_fini(&r->s);
    buf_fini(&r->entry);
}

int log_view_prove(
        const struct log_view *v, const struct log_record *r, struct err *err)
{
    CLEANUP(buf_fini) struct buf proof = BUF_INIT(MERKLE_TLOG_PROOF_MAX);
    struct store_reader reader = v->reader; /* its bundle is left alone */
    int e = log_view_need_key(v, err);

    if (e == 0)
        e = store_reader_prove(&reader, r->index, &proof, err);
    if (e < 0)
        return e;
    return merkle_tlog_proof_verify(
            buf_span(&proof), buf_span(&r->entry), &v->vkey, NULL, NULL, err);
}
