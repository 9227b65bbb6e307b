/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_enrol.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CA_MAX (1u << 20)

struct zone_claim {
    struct buf text;
    struct enrol_claim file;
    struct enrol_keys keys;
};

static void claim_fini(struct zone_claim *c)
{
    enrol_keys_fini(&c->keys);
    enrol_claim_fini(&c->file);
    buf_fini(&c->text);
}

static int claim_load(const char *path, struct zone_claim *ret, struct err *err)
{
    int r;

    ret->text = BUF_INIT(ENROL_FILE_MAX);
    r = buf_load(&ret->text, AT_FDCWD, path, err);
    if (r != 0)
        return r;
    r = enrol_claim_parse(buf_span(&ret->text), &ret->file, err);
    if (r != 0)
        return err_prefix(err, r, "%s", path);
    return enrol_claim_check(&ret->file, &ret->keys, err);
}

static int ek_verify(const struct zone_claim *c, const char *ca_path,
        struct tcg_ek *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf pem = BUF_INIT(CA_MAX);
    CLEANUP(enrol_ca_fini) struct enrol_ca ca = {0};
    int r = buf_load(&pem, AT_FDCWD, ca_path, err);

    if (r != 0)
        return r;
    r = enrol_ca_parse(buf_span(&pem), &ca, err);
    if (r != 0)
        return err_prefix(err, r, "%s", ca_path);
    return enrol_claim_path(&c->keys, &ca, (uint64_t)time(NULL), ret, err);
}

/* ---- the challenge --------------------------------------------------- */

static int secret_path(
        const char *challenge, char ret[static 4096], struct err *err)
{
    int n = snprintf(ret, 4096, "%s.secret", challenge);

    return n > 0 && n < 4096 ? 0
                             : err_set(err, ERR_LIMIT, "file name is too long");
}

static int store_challenge(const struct zone_claim *c, const char *out,
        const struct tcg_credential *cred,
        const uint8_t secret[static ENROL_SECRET], struct err *err)
{
    CLEANUP(buf_fini) struct buf open = BUF_INIT(ENROL_FILE_MAX);
    CLEANUP(buf_fini) struct buf kept = BUF_INIT(ENROL_FILE_MAX);
    struct enrol_challenge o = {
            .credential = SPAN(cred->blob, cred->blob_len),
            .secret = SPAN(cred->secret, cred->secret_len),
    };
    struct enrol_secret k;
    char path[4096];
    int r = secret_path(out, path, err);

    crypto_sha256(buf_span(&c->text), o.claim);
    memcpy(k.claim, o.claim, sizeof k.claim);
    memcpy(k.secret, secret, sizeof k.secret);
    if (r == 0)
        r = enrol_challenge_format(&o, &open, err);
    if (r == 0)
        r = enrol_secret_format(&k, &kept, err);
    secret_wipe(&k, sizeof k);
    if (r == 0)
        r = buf_store(buf_span(&kept), AT_FDCWD, path, 0600, err);
    return r == 0 ? buf_store(buf_span(&open), AT_FDCWD, out, 0644, err) : r;
}

static void print_hex(const char *what, struct span bytes)
{
    char hex[TEXT_HEX_SIZE(TCG_NAME_MAX)];

    text_format_hex(bytes, hex);
    (void)printf("%-12s %s\n", what, hex);
}

static void print_ek(const struct zone_claim *c, const struct tcg_ek *ek)
{
    (void)printf("zone         %.*s\ntpm          %s, model %s, version %s%s\n",
            (int)c->file.zone.len, (const char *)c->file.zone.ptr,
            ek->manufacturer, ek->model, ek->version,
            c->file.emulated ? " (software, says the zone)" : "");
    print_hex("ek", SPAN_OF(ek->spki_sha256));
    print_hex("ak", SPAN(c->keys.ak_name.bytes, c->keys.ak_name.len));
}

static int challenge(const struct pack_options *o, struct err *err)
{
    CLEANUP(claim_fini) struct zone_claim c = {0};
    struct tcg_credential cred;
    struct tcg_ek ek;
    uint8_t secret[ENROL_SECRET], seed[CRYPTO_HASH_MAX];
    enum crypto_hash hash;
    int r = claim_load(o->arg[0], &c, err);

    if (r == 0)
        r = ek_verify(&c, o->ca, &ek, err);
    if (r == 0 && !tcg_hash(c.keys.ek.name_alg, &hash))
        r = err_set(err, ERR_UNSUPPORTED, "endorsement key is not usable");
    if (r != 0)
        return r;
    crypto_random(secret, sizeof(secret));
    crypto_random(seed, sizeof(seed));
    r = tcg_credential_make(&c.keys.ek, &c.keys.ak_name, SPAN_OF(secret),
            SPAN(seed, crypto_hash_size(hash)), &cred, err);
    if (r == 0)
        r = store_challenge(&c, o->output, &cred, secret, err);
    secret_wipe(secret, sizeof(secret));
    secret_wipe(seed, sizeof(seed));
    if (r == 0)
        print_ek(&c, &ek);
    return r;
}

int zone_challenge(struct cli *cli, int argc, char **argv)
{
    unsigned need = PACK_OPT_CA | PACK_OPT_OUTPUT;
    struct pack_options o;
    struct err err = {0};
    int r = pack_options_parse(cli, argc, argv, need, need, 1, &o);

    if (r != CLI_OK)
        return r;
    return challenge(&o, &err) == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- the answer ------------------------------------------------------ */

int pack_enrol_check(const char *claim_path, const char *answer_path,
        const char *challenge_path, uint64_t now, bool hardware,
        struct enrol_zone *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf c = BUF_INIT(ENROL_FILE_MAX);
    CLEANUP(buf_fini) struct buf q = BUF_INIT(ENROL_FILE_MAX);
    CLEANUP(buf_fini) struct buf s = BUF_INIT(ENROL_FILE_MAX);
    CLEANUP(buf_fini) struct buf a = BUF_INIT(ENROL_ANSWER_MAX);
    char path[4096];
    int r = secret_path(challenge_path, path, err);

    if (r == 0)
        r = buf_load(&c, AT_FDCWD, claim_path, err);
    if (r == 0)
        r = buf_load(&q, AT_FDCWD, challenge_path, err);
    if (r == 0)
        r = buf_load(&s, AT_FDCWD, path, err);
    if (r == 0)
        r = buf_load(&a, AT_FDCWD, answer_path, err);
    if (r != 0)
        return r;
    return enrol_answer_check(
            &(struct enrol_input){
                    .claim = buf_span(&c),
                    .challenge = buf_span(&q),
                    .secret = buf_span(&s),
                    .answer = buf_span(&a),
                    .time = now,
                    .hardware = hardware,
            },
            ret, err);
}
