/* SPDX-License-Identifier: Apache-2.0 */
#include "attest_rules.h"

#include "pack_options.h"
#include "pack_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* The rules in force keep their word for the receipts of their time. */
static int keep_former(const char *dir, const struct pack *p, const char *zone,
        uint64_t *issued, struct err *err)
{
    const struct pack_rules *f = pack_rules(p, span_str(zone), UINT64_MAX);
    char from[PACK_STORE_PATH], to[PACK_STORE_PATH];
    int n, m;

    if (!f)
        return 0;
    if (*issued <= f->issued)
        *issued = f->issued + 1;
    n = snprintf(from, sizeof(from), "%s/rules/%s.json", dir, zone);
    m = snprintf(to, sizeof(to), "%s/rules/%s@%" PRIu64 ".json", dir, zone,
            f->issued);
    if (n < 0 || (size_t)n >= sizeof(from) || m < 0 || (size_t)m >= sizeof(to))
        return err_set(err, ERR_LIMIT, "name of %s is too long", dir);
    return rename(from, to) == 0 || errno == ENOENT
                   ? 0
                   : err_errno(err, "keep %s", from);
}

static int print_understood(struct span text, const struct pack *p,
        const char *path, struct err *err)
{
    CLEANUP(rules_free_ptr) struct rules *rules = NULL;
    CLEANUP(buf_fini) struct buf out = BUF_INIT(4u << 20);
    struct rules_sets sets = pack_sets(p);
    int r = rules_parse(text, &rules, err);

    if (r == 0)
        r = rules_check(rules, &sets, err);
    if (r == 0) {
        rules_format(rules, &out);
        r = buf_ok(&out, err);
    }
    if (r != 0)
        return err_prefix(err, r, "%s", path);
    (void)printf("%s", (const char *)out.ptr);
    return 0;
}

static int sign(const struct pack_options *o, struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    CLEANUP(buf_fini) struct buf text = BUF_INIT(RULES_TEXT_MAX);
    CLEANUP(buf_fini) struct buf file = BUF_INIT(LIMIT_LOG_ENTRY_MAX);
    uint64_t issued = (uint64_t)time(NULL);
    int r = pack_store_owner(o->owner_key, &owner, err);

    if (o->expires && o->expires <= issued)
        return err_set(err, ERR_USAGE, "--expires is in the past");
    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, err);
    if (r == 0 && !pack_zone(p, span_str(o->arg[0])))
        r = err_set(err, ERR_NOT_FOUND, "no zone %.64s in the pack", o->arg[0]);
    if (r == 0)
        r = buf_load(&text, AT_FDCWD, o->arg[1], err);
    /* All that can fail comes before the former ones are moved. */
    if (r == 0)
        r = print_understood(buf_span(&text), p, o->arg[1], err);
    if (r == 0)
        r = keep_former(o->pack, p, o->arg[0], &issued, err);
    if (r == 0)
        r = pack_rules_sign(o->arg[0], buf_span(&text), issued, o->expires,
                owner, &file, err);
    return r == 0 ? pack_store_put(o->pack, owner, "rules", o->arg[0],
                            buf_span(&file), err)
                  : r;
}

int attest_rules(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_OWNER_KEY | PACK_OPT_PACK;
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(
            cli, argc, argv, need | PACK_OPT_EXPIRES, need, 2, &o);

    if (r != CLI_OK)
        return r;
    return sign(&o, &err) == 0 ? CLI_OK : cli_fail(&err);
}

int attest_claims(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf table = BUF_INIT(1u << 20);
    struct text_lines lines;
    struct span line;
    struct err err = {0};
    bool any = false;

    if (argc > 2)
        return cli_misuse(cli, "wants one name, or none");
    claims_help(&table);
    lines = text_lines_of(buf_span(&table));
    while (text_next_line(&lines, &line)) {
        size_t n = argc > 1 ? strlen(argv[1]) : 0;

        if (line.len < n || memcmp(line.ptr, argv[1] ? argv[1] : "", n) != 0)
            continue;
        (void)printf("%.*s\n", (int)line.len, (const char *)line.ptr);
        any = true;
    }
    if (any)
        return CLI_OK;
    (void)err_set(&err, ERR_NOT_FOUND, "no claim begins with '%.60s'",
            argc > 1 ? argv[1] : "");
    return cli_fail(&err);
}
