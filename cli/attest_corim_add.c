/* SPDX-License-Identifier: Apache-2.0 */
/* A maker's values as sets of the owner's: one for each claim. */
#include "attest_corim.h"
#include "attest_values.h"
#include "pack_store.h"

#include <stdio.h>

static const struct rules_set *find(const struct pack *p, const char *name)
{
    struct rules_sets sets = pack_sets(p);

    for (size_t i = 0; i < sets.n; i++) {
        if (strcmp(sets.set[i].name, name) == 0)
            return &sets.set[i];
    }
    return NULL;
}

/* The maker's word ends; so does the set, and a former end is kept. */
static uint64_t until_of(const struct pack *p, const char *name,
        const struct pack_options *o, uint64_t until)
{
    const struct rules_set *was = o->replace ? NULL : find(p, name);

    if (o->until)
        return o->until;
    if (was && was->until && (until == 0 || was->until < until))
        return was->until;
    return until;
}

/* All values of the claim of line `first`, which is the first of its claim. */
static int add_claim(const struct attest_corim *c, size_t first,
        const struct pack *p, const struct pack_options *o,
        const struct crypto_key *owner, struct err *err)
{
    const char *claim = c->line[first].claim;
    struct pack_options one = *o;
    char name[RULES_SET_NAME_MAX + 1], note[PACK_RECIPE_MAX];
    int n = o->claim ? snprintf(name, sizeof(name), "%s", o->arg[0])
                     : snprintf(name, sizeof(name), "%s-%s", o->arg[0], claim);

    if (n < 0 || (size_t)n >= sizeof(name))
        return err_set(err, ERR_USAGE, "the name of set %s-%s is too long",
                o->arg[0], claim);
    (void)snprintf(note, sizeof(note), "%s%s%s", o->note ? o->note : "",
            o->note ? "\n" : "", c->note);
    one.arg[0] = name;
    one.claim = claim;
    one.note = note;
    one.until = until_of(p, name, o, c->until);
    one.n_values = 0;
    for (size_t i = first; i < c->n; i++) {
        if (c->line[i].at_least || strcmp(c->line[i].claim, claim) != 0)
            continue;
        if (one.n_values == PACK_OPTIONS_VALUES_MAX)
            return err_set(err, ERR_LIMIT, "more than %d values of %s",
                    PACK_OPTIONS_VALUES_MAX, claim);
        one.value[one.n_values++] = c->line[i].value;
    }
    return attest_values_add(p, &one, owner, err);
}

static bool is_first(const struct attest_corim *c, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (!c->line[i].at_least &&
                strcmp(c->line[i].claim, c->line[at].claim) == 0)
            return false;
    }
    return true;
}

static int add_all(const struct attest_corim *c, const struct pack_options *o,
        struct err *err)
{
    CLEANUP(crypto_key_free_ptr) struct crypto_key *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *p = NULL;
    size_t taken = 0;
    int r = pack_store_owner(o->owner_key, &owner, err);

    if (r == 0)
        r = pack_store_load(o->pack, owner, &p, err);
    for (size_t i = 0; r == 0 && i < c->n; i++) {
        if (o->claim && strcmp(o->claim, c->line[i].claim) != 0)
            continue;
        taken++;
        if (c->line[i].at_least)
            (void)printf("for rules    %s at least %s\n", c->line[i].claim,
                    c->line[i].value);
        else if (is_first(c, i))
            r = add_claim(c, i, p, o, owner, err);
    }
    if (r == 0 && taken == 0)
        return err_set(err, ERR_NOT_FOUND,
                "%s has no value that rules could be about; see 'qair attest "
                "corim'",
                o->corim);
    return r;
}

/* The owner's key is read when the foreign file has been. */
int attest_corim_add(const struct pack_options *o)
{
    CLEANUP(attest_corim_fini) struct attest_corim c = {0};
    struct err err = {0};
    int r = attest_corim_values(o, &c);

    if (r != CLI_OK)
        return r;
    return add_all(&c, o, &err) == 0 ? CLI_OK : cli_fail(&err);
}
