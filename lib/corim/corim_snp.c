/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD's SEV-SNP profile: what it demands, and its measurement keys as claims.
 * Many keys are the bit offsets of the report's fields
 * (draft-deeglaze-amd-sev-snp-corim-profile; Veraison's scheme sevsnp).
 */
#include "corim_private.h"

#include <stdio.h>

enum { TAG_PEM_CERT = 555, TAG_PEM_PATH = 556 };

/* ---- the profile's form ---------------------------------------------- */

static const char *check_value(
        const struct corim_value *v, const struct corim_env *env)
{
    if (v->role == CORIM_ATTEST_KEY) {
        if (!env->vendor.ptr || !env->model.ptr)
            return "a key of no vendor and model";
        if (v->key.tag != TAG_PEM_CERT && v->key.tag != TAG_PEM_PATH)
            return "a key that is no certificate";
        return NULL;
    }
    if (v->role != CORIM_REFERENCE)
        return NULL;
    if (v->mkey.type == CORIM_MKEY_NONE)
        return "a measurement without its key";
    if (v->mkey.type != CORIM_MKEY_UINT)
        return "a measurement's key is no number";
    return env->instance.present && env->instance.tag == CORIM_TAG_BYTES
                   ? NULL
                   : "a reference value of no instance";
}

int corim_snp_check(const struct corim *c, struct err *err)
{
    if (c->profile_is_oid || !span_eq_str(c->profile, CORIM_PROFILE_SNP))
        return 0;
    for (size_t i = 0; i < c->n_values; i++) {
        const struct corim_value *v = &c->value[i];
        const char *wrong = check_value(v, &c->env[v->env]);

        if (wrong)
            return err_set(
                    err, ERR_SYNTAX, "CoRIM: SEV-SNP profile: %s", wrong);
    }
    return 0;
}

/* ---- measurement keys as claims -------------------------------------- */

enum form {
    F_NUMBER, /* raw value, most significant byte first */
    F_BYTES,  /* raw value or SHA-384 digest of that size */
    F_SVN,
    F_TCB,     /* svn that is a TCB */
    F_VERSION, /* version "1.55.8" */
    F_DECIMAL, /* version "2" */
    F_NEVER,   /* differs each time */
};

static const struct key {
    uint64_t mkey;
    const char *name;
    enum form form;
    size_t size;
} keys[] = {
        {0, "snp.version", F_DECIMAL, 0},
        {1, "snp.guest_svn", F_SVN, 0},
        {2, "snp.policy", F_NUMBER, 8},
        {3, "snp.family_id", F_BYTES, 16},
        {4, "snp.image_id", F_BYTES, 16},
        {5, "snp.vmpl", F_NUMBER, 4},
        {6, "snp.tcb.current", F_TCB, 0},
        {7, "snp.platform", F_NUMBER, 8},
        {640, "report data", F_NEVER, 0},
        {641, "snp.measurement", F_BYTES, 48},
        {642, "snp.host_data", F_BYTES, 32},
        {643, "snp.id_key_digest", F_BYTES, 48},
        {644, "snp.author_key_digest", F_BYTES, 48},
        {645, "report id", F_NEVER, 0},
        {646, "snp.migration_agent", F_BYTES, 32},
        {647, "snp.tcb.reported", F_TCB, 0},
        {3328, "snp.chip_id", F_BYTES, 64},
        {3329, "snp.tcb.committed", F_TCB, 0},
        {3330, "snp.firmware", F_VERSION, 3},
        {3936, "snp.firmware.committed", F_VERSION, 3},
        {3968, "snp.tcb.launch", F_TCB, 0},
};

static bool has_bits_outside(struct span mask)
{
    for (size_t i = 0; i < mask.len; i++) {
        if (mask.ptr[i] != 0xff)
            return true;
    }
    return false;
}

static int get_bytes(const struct corim_value *v, const struct key *k,
        struct corim_claim *ret, struct err *err)
{
    bool good = v->type == CORIM_RAW ||
                (v->type == CORIM_DIGEST && v->alg == CORIM_ALG_SHA384);

    if (!good || v->bytes.len != k->size)
        return err_set(
                err, ERR_NOT_FOUND, "%s: not %zu bytes", k->name, k->size);
    if (has_bits_outside(v->mask))
        return err_set(err, ERR_NOT_FOUND,
                "%s: a mask that leaves bits open: write a rule for it",
                k->name);
    ret->type = CORIM_CLAIM_BYTES;
    ret->bytes = v->bytes;
    return 0;
}

static int get_number(const struct corim_value *v, const struct key *k,
        struct corim_claim *ret, struct err *err)
{
    int rc = get_bytes(v, k, ret, err);

    if (rc)
        return rc;
    ret->type = CORIM_CLAIM_NUMBER;
    ret->number = 0;
    for (size_t i = 0; i < v->bytes.len; i++)
        ret->number = ret->number << 8 | v->bytes.ptr[i];
    ret->bytes = SPAN_EMPTY;
    return 0;
}

/*
 * Milan, Genoa: bl, tee, 4 reserved bytes, snp, microcode.  Turin: fmc, bl,
 * tee, snp, 3 reserved, microcode.  A value that fits one alone says which.
 */
static int get_tcb(uint64_t tcb, enum corim_product product,
        const struct key *k, struct corim_claim *ret, struct err *err)
{
    static const unsigned milan[] = {0, 1, 6, 7}, turin[] = {0, 1, 2, 3, 7};
    bool fits_milan = (tcb & 0x0000ffffffff0000) == 0;
    bool fits_turin = (tcb & 0x00ffffff00000000) == 0;
    const unsigned *at = milan;

    if (product == CORIM_PRODUCT_UNKNOWN && fits_milan != fits_turin)
        product = fits_milan ? CORIM_PRODUCT_MILAN : CORIM_PRODUCT_TURIN;
    if (product == CORIM_PRODUCT_UNKNOWN)
        return err_set(err, ERR_NOT_FOUND, "%s: %s", k->name,
                fits_milan ? "a TCB of either layout: name the product"
                           : "not a TCB");
    if (product == CORIM_PRODUCT_MILAN ? !fits_milan : !fits_turin)
        return err_set(err, ERR_NOT_FOUND,
                "%s: a TCB with bits that are reserved there", k->name);
    ret->n_parts = ARRAY_LEN(milan);
    if (product == CORIM_PRODUCT_TURIN) {
        at = turin;
        ret->n_parts = ARRAY_LEN(turin);
    }
    for (size_t i = 0; i < ret->n_parts; i++)
        ret->part[i] = tcb >> 8 * at[i] & 0xff;
    ret->type = CORIM_CLAIM_VECTOR;
    return 0;
}

static int get_svn(const struct corim_value *v, const struct key *k,
        enum corim_product product, struct corim_claim *ret, struct err *err)
{
    if (v->type != CORIM_SVN && v->type != CORIM_MIN_SVN)
        return err_set(
                err, ERR_NOT_FOUND, "%s: not a security version", k->name);
    ret->at_least = v->type == CORIM_MIN_SVN;
    if (k->form == F_TCB)
        return get_tcb(v->number, product, k, ret, err);
    ret->type = CORIM_CLAIM_NUMBER;
    ret->number = v->number;
    return 0;
}

/* Decimal numbers with dots between, exactly n of them. */
static bool parse_parts(struct span text, size_t n, uint64_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;

        while (len < text.len && text.ptr[len] != '.')
            len++;
        if (!text_parse_u64(SPAN(text.ptr, len), &ret[i]))
            return false;
        if (len == text.len)
            return i == n - 1;
        text = SPAN(text.ptr + len + 1, text.len - len - 1);
    }
    return false;
}

static int get_version(const struct corim_value *v, const struct key *k,
        struct corim_claim *ret, struct err *err)
{
    size_t n = k->form == F_DECIMAL ? 1 : k->size;

    if (v->type != CORIM_VERSION || !parse_parts(v->bytes, n, ret->part))
        return err_set(err, ERR_NOT_FOUND, "%s: not a version", k->name);
    if (k->form == F_DECIMAL) {
        ret->type = CORIM_CLAIM_NUMBER;
        ret->number = ret->part[0];
        return 0;
    }
    ret->type = CORIM_CLAIM_VERSION;
    ret->n_parts = n;
    return 0;
}

static int get_claim(const struct corim_value *v, const struct key *k,
        enum corim_product product, struct corim_claim *ret, struct err *err)
{
    switch (k->form) {
    case F_NUMBER:
        return get_number(v, k, ret, err);
    case F_BYTES:
        return get_bytes(v, k, ret, err);
    case F_SVN:
    case F_TCB:
        return get_svn(v, k, product, ret, err);
    case F_VERSION:
    case F_DECIMAL:
        return get_version(v, k, ret, err);
    case F_NEVER:
        break;
    }
    return err_set(err, ERR_NOT_FOUND, "%s: differs each time", k->name);
}

int corim_snp_claim(const struct corim_value *v, enum corim_product product,
        struct corim_claim *ret, struct err *err)
{
    struct corim_claim claim = {.n_parts = 0};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        int rc;

        if (v->mkey.type != CORIM_MKEY_UINT || keys[i].mkey != v->mkey.number)
            continue;
        (void)snprintf(claim.name, sizeof(claim.name), "%s", keys[i].name);
        rc = get_claim(v, &keys[i], product, &claim, err);
        if (rc == 0)
            *ret = claim;
        return rc;
    }
    return err_set(err, ERR_NOT_FOUND, "a measurement key that is not known");
}

/* ---- any profile ----------------------------------------------------- */

#define PCR_MAX 23

static int register_claim(
        const struct corim_value *v, struct corim_claim *ret, struct err *err)
{
    bool wide = v->alg == CORIM_ALG_SHA384;
    struct corim_claim claim = {.type = CORIM_CLAIM_BYTES, .bytes = v->bytes};

    if (v->reg.type != CORIM_MKEY_UINT || v->reg.number > PCR_MAX)
        return err_set(err, ERR_NOT_FOUND, "a register that is no PCR");
    if (!wide && v->alg != CORIM_ALG_SHA256)
        return err_set(err, ERR_NOT_FOUND, "PCR %u: not of a bank of ours",
                (unsigned)v->reg.number);
    (void)snprintf(claim.name, sizeof(claim.name), "firmware.pcr.%s%u",
            wide ? "sha384." : "", (unsigned)v->reg.number);
    *ret = claim;
    return 0;
}

int corim_claim(const struct corim *c, const struct corim_value *v,
        enum corim_product product, struct corim_claim *ret, struct err *err)
{
    if (v->role != CORIM_REFERENCE)
        return err_set(err, ERR_DENIED, "not a reference value");
    if (v->partial)
        return err_set(err, ERR_DENIED,
                "it stands with members that are not known here");
    if (v->authorized_by)
        return err_set(
                err, ERR_DENIED, "only for evidence of certain authorities");
    if (c->tag[v->tag].replaced)
        return err_set(err, ERR_DENIED, "another tag replaces its tag");
    if (v->type == CORIM_REGISTER)
        return register_claim(v, ret, err);
    if (!c->profile_is_oid && span_eq_str(c->profile, CORIM_PROFILE_SNP))
        return corim_snp_claim(v, product, ret, err);
    return err_set(err, ERR_NOT_FOUND, "no claim is known for its profile");
}
