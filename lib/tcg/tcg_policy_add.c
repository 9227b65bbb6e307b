/* SPDX-License-Identifier: Apache-2.0 */
/* Policies assertion by assertion (TPM 2.0 Part 3, 23; Part 1, 19.7). */
#include "tcg_private.h"

/* TPM_CC (Part 2, 6.5.2). */
#define CC_NV                0x149u
#define CC_SECRET            0x151u
#define CC_SIGNED            0x160u
#define CC_CP_HASH           0x163u
#define CC_AUTHORIZE         0x16au
#define CC_AUTH_VALUE        0x16bu
#define CC_COMMAND_CODE      0x16cu
#define CC_COUNTER_TIMER     0x16du
#define CC_LOCALITY          0x16fu
#define CC_NAME_HASH         0x170u
#define CC_OR                0x171u
#define CC_PCR               0x17fu
#define CC_PHYSICAL_PRESENCE 0x187u
#define CC_DUPLICATION       0x188u
#define CC_NV_WRITTEN        0x18fu
#define CC_TEMPLATE          0x190u
#define CC_AUTHORIZE_NV      0x192u

#define OR_MIN 2
#define OR_MAX 8

int tcg_policy_start(struct tcg_policy *p, enum crypto_hash hash)
{
    if (hash == CRYPTO_BLAKE2B512)
        return ERR_UNSUPPORTED;
    *p = (struct tcg_policy){.hash = hash};
    return 0;
}

static void forget(struct tcg_policy *p)
{
    memset(p->digest, 0, sizeof(p->digest));
}

/* digest = H(digest || parts) */
static void update(struct tcg_policy *p, const struct span *parts, size_t n)
{
    struct crypto_hasher *h = crypto_hasher_new(p->hash);

    /* Some bytes of heap: a process that has none left cannot go on. */
    if (!h)
        __builtin_trap();
    crypto_hasher_update(h, SPAN(p->digest, crypto_hash_size(p->hash)));
    for (size_t i = 0; i < n; i++)
        crypto_hasher_update(h, parts[i]);
    crypto_hasher_final(h, p->digest);
    crypto_hasher_free(h);
}

/* digest = H(digest || command || a || b) */
static void extend(
        struct tcg_policy *p, uint32_t command, struct span a, struct span b)
{
    uint8_t cc[4] = {(uint8_t)(command >> 24), (uint8_t)(command >> 16),
            (uint8_t)(command >> 8), (uint8_t)command};
    struct span parts[] = {SPAN_OF(cc), a, b};

    update(p, parts, ARRAY_LEN(parts));
}

/* PolicyUpdate() (Part 3, 23.2.3): the reference is a hash of its own. */
static void extend_ref(struct tcg_policy *p, uint32_t command, struct span name,
        struct span ref)
{
    extend(p, command, name, SPAN_EMPTY);
    update(p, &ref, 1);
}

int tcg_policy_add_pcr(struct tcg_policy *p, const struct tcg_selection *s,
        const struct tcg_values *values)
{
    uint8_t selection[4 + TCG_BANKS_MAX * 6], digest[CRYPTO_HASH_MAX];
    struct wire_writer w = wire_writer_of(selection, sizeof(selection));
    struct span written;
    int r;

    if (!tcg_values_fit(s, values))
        return ERR_MISMATCH;
    tcg_put_selection(&w, s);
    if (!wire_finish(&w, &written))
        return ERR_LIMIT;
    r = tcg_pcr_digest(values, p->hash, digest);
    if (r != 0)
        return r;
    extend(p, CC_PCR, written, SPAN(digest, crypto_hash_size(p->hash)));
    return 0;
}

void tcg_policy_add_authorize(
        struct tcg_policy *p, struct span signer_name, struct span ref)
{
    forget(p);
    extend_ref(p, CC_AUTHORIZE, signer_name, ref);
}

void tcg_policy_add_signed(
        struct tcg_policy *p, struct span signer_name, struct span ref)
{
    extend_ref(p, CC_SIGNED, signer_name, ref);
}

void tcg_policy_add_secret(
        struct tcg_policy *p, struct span name, struct span ref)
{
    extend_ref(p, CC_SECRET, name, ref);
}

/* H(operandB || offset || operation) */
static size_t hash_arguments(const struct tcg_policy *p, struct span operand,
        uint16_t offset, enum tcg_compare op, uint8_t *ret)
{
    struct crypto_hasher *h = crypto_hasher_new(p->hash);
    uint8_t rest[4] = {(uint8_t)(offset >> 8), (uint8_t)offset,
            (uint8_t)(op >> 8), (uint8_t)op};

    if (!h)
        __builtin_trap();
    crypto_hasher_update(h, operand);
    crypto_hasher_update(h, SPAN_OF(rest));
    crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
    return crypto_hash_size(p->hash);
}

void tcg_policy_add_nv(struct tcg_policy *p, struct span nv_name,
        struct span operand, uint16_t offset, enum tcg_compare op)
{
    uint8_t args[CRYPTO_HASH_MAX];
    size_t n = hash_arguments(p, operand, offset, op, args);

    extend(p, CC_NV, SPAN(args, n), nv_name);
}

void tcg_policy_add_counter_timer(struct tcg_policy *p, struct span operand,
        uint16_t offset, enum tcg_compare op)
{
    uint8_t args[CRYPTO_HASH_MAX];
    size_t n = hash_arguments(p, operand, offset, op, args);

    extend(p, CC_COUNTER_TIMER, SPAN(args, n), SPAN_EMPTY);
}

void tcg_policy_add_authorize_nv(struct tcg_policy *p, struct span nv_name)
{
    forget(p);
    extend(p, CC_AUTHORIZE_NV, nv_name, SPAN_EMPTY);
}

void tcg_policy_add_nv_written(struct tcg_policy *p, bool written)
{
    uint8_t yes = written;

    extend(p, CC_NV_WRITTEN, SPAN(&yes, 1), SPAN_EMPTY);
}

int tcg_policy_add_or(
        struct tcg_policy *p, const struct span *branches, size_t n)
{
    static const uint8_t cc[] = {0, 0, CC_OR >> 8, CC_OR & 0xff};
    struct span parts[1 + OR_MAX] = {SPAN_OF(cc)};

    if (n < OR_MIN || n > OR_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (branches[i].len != crypto_hash_size(p->hash))
            return ERR_LIMIT;
        parts[1 + i] = branches[i];
    }
    forget(p);
    update(p, parts, 1 + n);
    return 0;
}

void tcg_policy_add_auth_value(struct tcg_policy *p)
{
    extend(p, CC_AUTH_VALUE, SPAN_EMPTY, SPAN_EMPTY);
}

void tcg_policy_add_command(struct tcg_policy *p, uint32_t command)
{
    uint8_t code[4] = {(uint8_t)(command >> 24), (uint8_t)(command >> 16),
            (uint8_t)(command >> 8), (uint8_t)command};

    extend(p, CC_COMMAND_CODE, SPAN_OF(code), SPAN_EMPTY);
}

void tcg_policy_add_locality(struct tcg_policy *p, uint8_t localities)
{
    extend(p, CC_LOCALITY, SPAN(&localities, 1), SPAN_EMPTY);
}

void tcg_policy_add_physical_presence(struct tcg_policy *p)
{
    extend(p, CC_PHYSICAL_PRESENCE, SPAN_EMPTY, SPAN_EMPTY);
}

void tcg_policy_add_cp_hash(struct tcg_policy *p, struct span digest)
{
    extend(p, CC_CP_HASH, digest, SPAN_EMPTY);
}

void tcg_policy_add_name_hash(struct tcg_policy *p, struct span digest)
{
    extend(p, CC_NAME_HASH, digest, SPAN_EMPTY);
}

void tcg_policy_add_template(struct tcg_policy *p, struct span digest)
{
    extend(p, CC_TEMPLATE, digest, SPAN_EMPTY);
}

void tcg_policy_add_duplication(
        struct tcg_policy *p, struct span object, struct span new_parent)
{
    uint8_t include = object.len > 0;
    static const uint8_t cc[] = {
            0, 0, CC_DUPLICATION >> 8, CC_DUPLICATION & 0xff};
    struct span parts[] = {SPAN_OF(cc), object, new_parent, SPAN(&include, 1)};

    update(p, parts, ARRAY_LEN(parts));
}
