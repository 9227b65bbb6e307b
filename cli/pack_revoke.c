/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair pack revoke: the owner takes a zone or a key back.  The entry stays and
 * says so, so that nobody takes an older one for the last word by mistake, and
 * receipts still find whose it was.
 */
#include "pack_revoke.h"

#include "pack_options.h"
#include "pack_store.h"

#include <stdio.h>

static int revoke_zone(const struct pack *p, const char *name,
        const struct crypto_key *owner, struct buf *file, struct err *err)
{
    const struct pack_zone *found = pack_zone(p, span_str(name));
    struct pack_zone z;

    if (!found)
        return err_set(err, ERR_NOT_FOUND, "no zone %.64s in the pack", name);
    if (found->revoked)
        return err_set(err, ERR_EXISTS, "zone %s is revoked already", name);
    z = *found;
    z.revoked = true;
    return pack_zone_sign(&z, owner, file, err);
}

static int revoke_key(const struct pack *p, const char *name,
        const struct crypto_key *owner, struct buf *file, struct err *err)
{
    const struct pack_key *found = pack_key(p, span_str(name));
    struct pack_key k;

    if (!found)
        return err_set(err, ERR_NOT_FOUND, "no key %.64s in the pack", name);
    if (found->revoked)
        return err_set(err, ERR_EXISTS, "key %s is revoked already", name);
    k = *found;
    k.revoked = true;
    return pack_key_sign(&k, owner, file, err);
}

static const struct kind {
    const char *name, *folder;
    int (*revoke)(const struct pack *p, const char *name,
            const struct crypto_key *owner, struct buf *file, struct err *err);
} kinds[] = {
        {"zone", "zones", revoke_zone},
        {"key", "keys", revoke_key},
};

static int revoke(
        const struct pack_options *o, const struct kind *kind, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    int r = pack_store_owner(o->owner_key, &owner, err);

    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, err);
    if (r == 0)
        r = kind->revoke(p, o->arg[1], owner, &file, err);
    if (r == 0)
        r = pack_store_put(
                o->pack, owner, kind->folder, o->arg[1], buf_span(&file), err);
    if (r == 0)
        (void)printf("revoked      %s %s; each zone that has this pack and "
                     "'qair zone reload' refuses it\n",
                kind->name, o->arg[1]);
    return r;
}

int pack_revoke(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_OWNER_KEY | PACK_OPT_PACK;
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, need, need, 2, &o);

    if (r != CLI_OK)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(o.arg[0], kinds[i].name) == 0)
            return revoke(&o, &kinds[i], &err) == 0 ? CLI_OK : cli_fail(&err);
    }
    return cli_misuse(cli, "the first argument is 'zone' or 'key'");
}
