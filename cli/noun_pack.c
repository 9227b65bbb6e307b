/* SPDX-License-Identifier: Apache-2.0 */
/* qair pack: the owner's signed directory. */
#include "cli.h"
#include "pack_enrol.h"
#include "pack_load.h"
#include "pack_options.h"
#include "pack_revoke.h"
#include "pack_store.h"
#include "statement.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#define KEY_FILE_MAX 16384

/* ---- init ------------------------------------------------------------ */

static int pack_init(struct cli *cli, int argc, char **argv)
{
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, 0, 0, 1, &o);

    if (r != CLI_OK)
        return r;
    if (pack_store_init(o.arg[0], &err) != 0)
        return cli_fail(&err);
    (void)printf("owner's key  %s/owner.key (keep it away from every zone)\n"
                 "pack         %s/pack\n",
            o.arg[0], o.arg[0]);
    return CLI_OK;
}

/* ---- add-zone -------------------------------------------------------- */

static int check_new(
        const struct pack *p, const char *name, bool replace, struct err *err)
{
    if (!replace && pack_zone(p, span_str(name)))
        return err_set(err, ERR_EXISTS,
                "zone %s is in the pack already; --replace puts this machine "
                "in its place",
                name);
    return 0;
}

static void print_enrolled(const struct enrol_zone *e)
{
    char hex[TEXT_HEX_SIZE(TCG_NAME_MAX)];

    (void)printf("zone         %s%s\ntpm          %s, model %s\n", e->zone.name,
            e->zone.emulated ? " (emulated)" : "", e->manufacturer, e->model);
    text_format_hex(SPAN_OF(e->zone.ek_sha256), hex);
    (void)printf("ek           %s\n", hex);
    text_format_hex(SPAN(e->zone.ak_name.bytes, e->zone.ak_name.len), hex);
    (void)printf("ak           %s\n", hex);
}

static int add_zone(const struct pack_options *o, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    CLEANUP(enrol_zone_fini) struct enrol_zone e = {0};
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    int r = pack_store_owner(o->owner_key, &owner, err);

    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, err);
    if (r == 0)
        r = pack_enrol_check(o->arg[0], o->arg[1], o->challenge,
                (uint64_t)time(NULL), o->hardware, &e, err);
    if (r == 0)
        r = check_new(p, e.zone.name, o->replace, err);
    if (r == 0 && o->address)
        (void)snprintf(
                e.zone.address, sizeof(e.zone.address), "%s", o->address);
    if (r == 0)
        r = pack_zone_sign(&e.zone, owner, &file, err);
    if (r == 0)
        r = pack_store_put(
                o->pack, owner, "zones", e.zone.name, buf_span(&file), err);
    if (r == 0)
        print_enrolled(&e);
    return r;
}

static int pack_add_zone(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_CHALLENGE | PACK_OPT_OWNER_KEY | PACK_OPT_PACK;
    unsigned may =
            need | PACK_OPT_HARDWARE | PACK_OPT_REPLACE | PACK_OPT_ADDRESS;
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, may, need, 2, &o);

    if (r != CLI_OK)
        return r;
    return add_zone(&o, &err) == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- add-key --------------------------------------------------------- */

/* What `qair key create` prints: docs/proto/pack.md, "Claims of keys". */
static int key_read(
        const struct json_t *doc, struct pack_key *k, struct err *err)
{
    struct statement_reader r = statement_reader_of(doc);
    struct span zone, name, custody, profile;
    uint8_t spki[CRYPTO_SPKI_MAX];
    uint64_t created;
    size_t len;

    if (!statement_get_time(&r, "created", &created) ||
            !statement_get_name(
                    &r, "custody", (int)sizeof(k->custody) - 1, &custody) ||
            !statement_get_name(&r, "name", PACK_KEY_MAX, &name) ||
            !statement_get_name(
                    &r, "profile", (int)sizeof(k->profile) - 1, &profile) ||
            !statement_get_b64(&r, "public", spki, sizeof(spki), &len) ||
            !statement_get_name(&r, "zone", LIMIT_ZONE_NAME_MAX, &zone) ||
            !statement_get_end(&r))
        return statement_bad(&r, "key", err);
    k->pub = crypto_pub_from_spki(SPAN(spki, len));
    if (!k->pub)
        return err_set(err, ERR_SYNTAX, "key: public is not a key");
    (void)snprintf(k->name, sizeof(k->name), "%.*s", (int)name.len,
            (const char *)name.ptr);
    (void)snprintf(k->zone, sizeof(k->zone), "%.*s", (int)zone.len,
            (const char *)zone.ptr);
    (void)snprintf(k->custody, sizeof(k->custody), "%.*s", (int)custody.len,
            (const char *)custody.ptr);
    (void)snprintf(k->profile, sizeof(k->profile), "%.*s", (int)profile.len,
            (const char *)profile.ptr);
    /* Signatures are made between the key's birth and its entry here, too. */
    k->since = created;
    return 0;
}

static int key_load(const char *path, struct pack_key *k, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(KEY_FILE_MAX);
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    int r = buf_load(&text, AT_FDCWD, path, err);

    if (r != 0)
        return r;
    doc = statement_json_parse(text_trim(buf_span(&text)), err);
    if (!doc)
        return err_prefix(err, ERR_SYNTAX, "%s", path);
    return key_read(doc, k, err);
}

static int add_key_file(
        const struct pack_options *o, struct pack_key *k, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    int r = pack_store_owner(o->owner_key, &owner, err);

    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, err);
    if (r == 0 && !o->replace && pack_key(p, span_str(k->name)))
        r = err_set(err, ERR_EXISTS,
                "key %s is in the pack already; --replace puts this one in "
                "its place",
                k->name);
    if (r == 0)
        r = pack_key_sign(k, owner, &file, err);
    if (r == 0)
        r = pack_store_put(
                o->pack, owner, "keys", k->name, buf_span(&file), err);
    if (r == 0)
        (void)printf("key          %s of zone %s, custody %s, profile %s\n",
                k->name, k->zone, k->custody, k->profile);
    return r;
}

static int pack_add_key(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_OWNER_KEY | PACK_OPT_PACK;
    struct pack_options o;
    struct pack_key k = {0};
    struct err err = {0};
    int r = pack_options_parse(
            cli, argc, argv, need | PACK_OPT_REPLACE, need, 1, &o);

    if (r != CLI_OK)
        return r;
    r = key_load(o.arg[0], &k, &err);
    if (r == 0)
        r = add_key_file(&o, &k, &err);
    crypto_pub_free(k.pub);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- show ------------------------------------------------------------ */

static const char *when(uint64_t t, char ret[static TEXT_TIME_SIZE])
{
    return t && text_format_time(t, ret) ? ret : "-";
}

static void show_text(const struct pack *p)
{
    const struct pack_zone *z;
    const struct pack_key *k;
    const struct pack_reference *f;
    char since[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE];
    size_t n = pack_zones(p, &z);

    for (size_t i = 0; i < n; i++)
        (void)printf("zone       %-16s %-24s %s%ssince %s until %s\n",
                z[i].name, z[i].address[0] ? z[i].address : "-",
                z[i].emulated ? "emulated " : "",
                z[i].revoked ? "REVOKED " : "", when(z[i].since, since),
                when(z[i].until, until));
    n = pack_keys(p, &k);
    for (size_t i = 0; i < n; i++)
        (void)printf("key        %-16s %-16s %s %s %ssince %s until %s\n",
                k[i].name, k[i].zone, k[i].custody, k[i].profile,
                k[i].revoked ? "REVOKED " : "", when(k[i].since, since),
                when(k[i].until, until));
    n = pack_references(p, &f);
    for (size_t i = 0; i < n; i++)
        (void)printf(
                "reference  %-16s %-16s %zu files, issued %s, expires %s\n",
                f[i].zone, f[i].state, f[i].n_events, when(f[i].issued, since),
                when(f[i].expires, until));
}

static bool put_end(struct json_t *o, const char *key, uint64_t t)
{
    return t == 0 || statement_put_time(o, key, t);
}

static bool put_zones(struct json_t *doc, const struct pack *p)
{
    struct json_t *list = statement_put_array(doc, "zones");
    const struct pack_zone *z;
    size_t n = pack_zones(p, &z);

    for (size_t i = 0; list && i < n; i++) {
        struct json_t *o = statement_add_object(list);

        if (!o || !statement_put_str(o, "name", z[i].name) ||
                !statement_put_str(o, "address", z[i].address) ||
                !statement_put_bool(o, "emulated", z[i].emulated) ||
                !statement_put_bool(o, "revoked", z[i].revoked) ||
                !statement_put_hex(o, "ek_sha256", SPAN_OF(z[i].ek_sha256)) ||
                !statement_put_hex(o, "ak_name",
                        SPAN(z[i].ak_name.bytes, z[i].ak_name.len)) ||
                !statement_put_time(o, "since", z[i].since) ||
                !put_end(o, "until", z[i].until))
            return false;
    }
    return list != NULL;
}

static bool put_keys(struct json_t *doc, const struct pack *p)
{
    struct json_t *list = statement_put_array(doc, "keys");
    const struct pack_key *k;
    size_t n = pack_keys(p, &k);

    for (size_t i = 0; list && i < n; i++) {
        struct json_t *o = statement_add_object(list);

        if (!o || !statement_put_str(o, "name", k[i].name) ||
                !statement_put_str(o, "zone", k[i].zone) ||
                !statement_put_str(o, "custody", k[i].custody) ||
                !statement_put_str(o, "profile", k[i].profile) ||
                !statement_put_bool(o, "revoked", k[i].revoked) ||
                !statement_put_hex(
                        o, "spki_sha256", SPAN_OF(k[i].spki_sha256)) ||
                !statement_put_time(o, "since", k[i].since) ||
                !put_end(o, "until", k[i].until))
            return false;
    }
    return list != NULL;
}

static bool put_references(struct json_t *doc, const struct pack *p)
{
    struct json_t *list = statement_put_array(doc, "references");
    const struct pack_reference *f;
    size_t n = pack_references(p, &f);

    for (size_t i = 0; list && i < n; i++) {
        struct json_t *o = statement_add_object(list);

        if (!o || !statement_put_str(o, "zone", f[i].zone) ||
                !statement_put_str(o, "state", f[i].state) ||
                !statement_put_u64(o, "files", f[i].n_events) ||
                !statement_put_hex(o, "pcr_digest", SPAN_OF(f[i].pcr_digest)) ||
                !statement_put_time(o, "issued", f[i].issued) ||
                !put_end(o, "expires", f[i].expires))
            return false;
    }
    return list != NULL;
}

static int show_json(const struct pack *p, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *doc = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(8u << 20);
    int r;

    if (!doc || !put_zones(doc, p) || !put_keys(doc, p) ||
            !put_references(doc, p))
        return err_set(err, ERR_MEMORY, "no memory for the pack");
    r = statement_json_format(doc, &text, err);
    if (r == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return r;
}

static int show(const struct pack_options *o, struct err *err)
{
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    int r = pack_load_owner_for(o->owner, o->pack, &owner, err);

    if (r == 0)
        r = pack_load_folder(o->pack, owner, &p, err);
    if (r != 0)
        return r;
    if (o->json)
        return show_json(p, err);
    show_text(p);
    return 0;
}

static int pack_show(struct cli *cli, int argc, char **argv)
{
    unsigned may = PACK_OPT_PACK | PACK_OPT_OWNER | PACK_OPT_JSON;
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, may, PACK_OPT_PACK, 0, &o);

    if (r != CLI_OK)
        return r;
    return show(&o, &err) == 0 ? CLI_OK : cli_fail(&err);
}

static const struct cli_verb verbs[] = {
        {"init", "DIR", "make the owner's key DIR/owner.key and DIR/pack",
                pack_init},
        {"add-zone",
                "CLAIM ANSWER --challenge FILE --owner-key FILE --pack DIR "
                "[--address HOST:PORT] [--hardware] [--replace]",
                "sign a zone into the pack that answered the challenge; "
                "--hardware: its EK certificate is of a TPM maker",
                pack_add_zone},
        {"add-key", "FILE --owner-key FILE --pack DIR [--replace]",
                "sign a zone's release key into the pack; FILE is what 'qair "
                "key create' prints",
                pack_add_key},
        {"revoke", "zone|key NAME --owner-key FILE --pack DIR",
                "take a zone or a release key back", pack_revoke},
        {"show", "--pack DIR [--owner FILE] [--json]",
                "verify the pack and list what it says", pack_show},
        {0},
};

const struct cli_noun noun_pack = {
        .name = "pack",
        .help = "the owner's signed directory of zones, keys and states",
        .verbs = verbs,
};
