/* SPDX-License-Identifier: Apache-2.0 */
#include "zone_enrol.h"

#include "cli_admin.h"
#include "crypto.h"
#include "statement.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/* docs/proto/enrol.md: size of each of its files. */
#define FILE_MAX        49152
#define CREDENTIAL_MAX  256
#define ENCRYPTED_MAX   1100
#define ENROL_SECRET    32
#define BINDER_PREFIX   "qair-enrol-1"
#define EVIDENCE_BINDER "qair-reference-1"

/* -o FILE and n more arguments; false after saying what is wrong. */
static bool arguments(struct cli *cli, int argc, char **argv, int n,
        const char **ret_out, const char **ret_binder)
{
    static const struct option options[] = {
            {"output", required_argument, NULL, 'o'},
            {"binder", required_argument, NULL, 'b'},
            {0},
    };
    int c;

    *ret_out = NULL;
    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (c == 'o')
            *ret_out = optarg;
        else if (c == 'b' && ret_binder)
            *ret_binder = optarg;
        else
            return cli_misuse(cli, "unknown option") == CLI_OK;
    }
    if (!*ret_out || optind + n != argc)
        return cli_misuse(cli, "wrong number of arguments, or no -o FILE") ==
               CLI_OK;
    return true;
}

int zone_enrol(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(FILE_MAX);
    static struct cli_admin a = {.fd = -1};
    const char *out;
    struct err err;
    int r;

    if (!arguments(cli, argc, argv, 0, &out, NULL))
        return CLI_MISUSE;
    r = cli_admin_open(cli, "key.sock", &a, &err);
    if (r == 0)
        r = cli_admin_ask_file(
                &a, MSG_ENROL, &(struct msg_empty){0}, &claim, &err);
    if (r == 0)
        r = buf_store(buf_span(&claim), AT_FDCWD, out, 0644, &err);
    cli_admin_close(&a);
    return r ? cli_fail(&err) : CLI_OK;
}

struct challenge {
    uint8_t claim[CRYPTO_SHA256_SIZE];
    uint8_t credential[CREDENTIAL_MAX], secret[ENCRYPTED_MAX];
    size_t credential_len, secret_len;
};

static int challenge_load(
        const char *file, struct challenge *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);
    CLEANUP(statement_json_free_ptr) struct json_t *doc = NULL;
    struct statement_reader r;
    struct span type;
    int e;

    e = buf_load(&text, AT_FDCWD, file, err);
    if (e != 0)
        return e;
    doc = statement_json_parse(buf_span(&text), err);
    if (!doc)
        return err_prefix(err, ERR_SYNTAX, "%s", file);
    r = statement_reader_of(doc);
    if (!statement_get_text(&r, "type", 32, &type) ||
            !statement_get_hex(&r, "claim", ret->claim, sizeof ret->claim) ||
            !statement_get_b64(&r, "credential", ret->credential,
                    sizeof ret->credential, &ret->credential_len) ||
            !statement_get_b64(&r, "secret", ret->secret, sizeof ret->secret,
                    &ret->secret_len) ||
            !statement_get_end(&r))
        return statement_bad(&r, file, err);
    if (!span_eq_str(type, "qair:challenge/v1"))
        return err_set(err, ERR_UNSUPPORTED, "%s is not a challenge", file);
    return 0;
}

static int recover(struct cli_admin *a, const struct challenge *c,
        uint8_t ret[static ENROL_SECRET], struct err *err)
{
    struct msg_activate q = {
            .credential = SPAN(c->credential, c->credential_len),
            .secret = SPAN(c->secret, c->secret_len),
    };
    struct msg_blob answer;
    int r;

    r = cli_admin_ask(a, MSG_ACTIVATE, &q, MSG_BLOB, &answer, NULL, err);
    if (r != 0)
        return r;
    if (answer.bytes.len != ENROL_SECRET)
        return err_set(err, ERR_SYNTAX,
                "the challenge holds a secret of %zu bytes, not %d",
                answer.bytes.len, ENROL_SECRET);
    memcpy(ret, answer.bytes.ptr, ENROL_SECRET);
    return 0;
}

/* SHA-256("qair-enrol-1" || secret || claim bytes) */
static int binder_of(const uint8_t secret[static ENROL_SECRET],
        struct span claim, struct msg_evidence_get *ret, struct err *err)
{
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);

    if (!h)
        return err_set(err, ERR_MEMORY, "no memory to hash");
    crypto_hasher_update(h, span_str(BINDER_PREFIX));
    crypto_hasher_update(h, SPAN(secret, ENROL_SECRET));
    crypto_hasher_update(h, claim);
    crypto_hasher_final(h, ret->binder);
    crypto_hasher_free(h);
    return 0;
}

static int answer_format(const struct challenge *c, struct span evidence,
        struct buf *ret, struct err *err)
{
    CLEANUP(statement_json_free_ptr) struct json_t *j = statement_json_object();

    if (!j || !statement_put_str(j, "type", "qair:answer/v1") ||
            !statement_put_hex(j, "claim", SPAN_OF(c->claim)) ||
            !statement_put_b64(j, "evidence", evidence))
        return err_set(err, ERR_MEMORY, "no memory for the answer");
    return statement_json_format(j, ret, err);
}

static int answer_make(struct cli_admin *a, struct span claim,
        const struct challenge *c, struct buf *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    uint8_t secret[ENROL_SECRET], digest[CRYPTO_SHA256_SIZE];
    struct msg_evidence_get q;
    int r;

    crypto_sha256(claim, digest);
    if (memcmp(digest, c->claim, sizeof digest) != 0)
        return err_set(err, ERR_MISMATCH,
                "the challenge is for another claim than this file");
    r = recover(a, c, secret, err);
    if (r == 0)
        r = binder_of(secret, claim, &q, err);
    secret_wipe(secret, sizeof secret);
    if (r == 0)
        r = cli_admin_ask_file(a, MSG_SELF_EVIDENCE, &q, &evidence, err);
    return r ? r : answer_format(c, buf_span(&evidence), ret, err);
}

int zone_answer(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(FILE_MAX);
    CLEANUP(buf_fini) struct buf answer = BUF_INIT(2 * LIMIT_EVIDENCE_MAX);
    static struct cli_admin a = {.fd = -1};
    struct challenge c;
    const char *out;
    struct err err;
    int r;

    if (!arguments(cli, argc, argv, 2, &out, NULL))
        return CLI_MISUSE;
    r = buf_load(&claim, AT_FDCWD, argv[optind], &err);
    if (r == 0)
        r = challenge_load(argv[optind + 1], &c, &err);
    if (r == 0)
        r = cli_admin_open(cli, "key.sock", &a, &err);
    if (r == 0)
        r = answer_make(&a, buf_span(&claim), &c, &answer, &err);
    if (r == 0)
        r = buf_store(buf_span(&answer), AT_FDCWD, out, 0644, &err);
    cli_admin_close(&a);
    return r ? cli_fail(&err) : CLI_OK;
}

int zone_evidence(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    static struct cli_admin a = {.fd = -1};
    struct msg_evidence_get q;
    const char *out, *binder = NULL;
    struct err err;
    int r;

    if (!arguments(cli, argc, argv, 0, &out, &binder))
        return CLI_MISUSE;
    crypto_sha256(span_str(EVIDENCE_BINDER), q.binder);
    if (binder && !text_parse_hex(span_str(binder), q.binder, sizeof q.binder))
        return cli_misuse(cli, "--binder is 64 digits of lower-case hex");
    r = cli_admin_open(cli, "key.sock", &a, &err);
    if (r == 0)
        r = cli_admin_ask_file(&a, MSG_SELF_EVIDENCE, &q, &evidence, &err);
    if (r == 0)
        r = buf_store(buf_span(&evidence), AT_FDCWD, out, 0644, &err);
    cli_admin_close(&a);
    return r ? cli_fail(&err) : CLI_OK;
}
