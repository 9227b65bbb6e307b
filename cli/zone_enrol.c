/* SPDX-License-Identifier: Apache-2.0 */
#include "zone_enrol.h"

#include "cli_admin.h"
#include "cli_json.h"
#include "enrol.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define EVIDENCE_BINDER "qair-reference-1"

/* -o FILE and n more arguments; false after saying what is wrong. */
static bool arguments(struct cli *cli, int argc, char **argv, int n,
        const char **ret_out, const char **ret_binder, bool *ret_json)
{
    static const struct option options[] = {
            {"output", required_argument, NULL, 'o'},
            {"binder", required_argument, NULL, 'b'},
            {"json", no_argument, NULL, 'j'},
            {0},
    };
    int c;

    *ret_out = NULL;
    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (c == 'o')
            *ret_out = optarg;
        else if (c == 'b' && ret_binder)
            *ret_binder = optarg;
        else if (c == 'j' && ret_json)
            *ret_json = true;
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
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(ENROL_FILE_MAX);
    static struct cli_admin a = {.fd = -1};
    const char *out;
    struct err err;
    int r;

    if (!arguments(cli, argc, argv, 0, &out, NULL, NULL))
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

static int challenge_load(
        const char *file, struct enrol_challenge *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(ENROL_FILE_MAX);
    int r = buf_load(&text, AT_FDCWD, file, err);

    if (r != 0)
        return r;
    r = enrol_challenge_parse(buf_span(&text), ret, err);
    return r ? err_prefix(err, r, "%s", file) : 0;
}

static int recover(struct cli_admin *a, const struct enrol_challenge *c,
        uint8_t ret[static ENROL_SECRET], struct err *err)
{
    struct msg_activate q = {
            .credential = c->credential,
            .secret = c->secret,
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

static int answer_make(struct cli_admin *a, struct span claim,
        const struct enrol_challenge *c, struct buf *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    uint8_t secret[ENROL_SECRET], digest[CRYPTO_SHA256_SIZE];
    struct enrol_answer answer = {0};
    struct msg_evidence_get q;
    int r;

    crypto_sha256(claim, digest);
    if (memcmp(digest, c->claim, sizeof digest) != 0)
        return err_set(err, ERR_MISMATCH,
                "the challenge is for another claim than this file");
    r = recover(a, c, secret, err);
    if (r == 0)
        r = enrol_binder(secret, claim, q.binder, err);
    secret_wipe(secret, sizeof secret);
    if (r == 0)
        r = cli_admin_ask_file(a, MSG_SELF_EVIDENCE, &q, &evidence, err);
    if (r != 0)
        return r;
    answer.evidence = buf_span(&evidence);
    memcpy(answer.claim, digest, sizeof digest);
    return enrol_answer_format(&answer, ret, err);
}

int zone_answer(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf claim = BUF_INIT(ENROL_FILE_MAX);
    CLEANUP(buf_fini) struct buf answer = BUF_INIT(ENROL_ANSWER_MAX);
    static struct cli_admin a = {.fd = -1};
    CLEANUP(enrol_challenge_fini) struct enrol_challenge c = {0};
    const char *out;
    struct err err;
    int r;

    if (!arguments(cli, argc, argv, 2, &out, NULL, NULL))
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

int zone_evidence_take(
        struct cli *cli, const char *binder, struct buf *ret, struct err *err)
{
    static struct cli_admin a = {.fd = -1};
    struct msg_evidence_get q;
    int r;

    crypto_sha256(span_str(EVIDENCE_BINDER), q.binder);
    if (binder && !text_parse_hex(span_str(binder), q.binder, sizeof q.binder))
        return err_set(err, ERR_USAGE,
                "--binder is 64 digits of lower-case hex, not '%s'", binder);
    r = cli_admin_open(cli, "key.sock", &a, err);
    if (r == 0)
        r = cli_admin_ask_file(&a, MSG_SELF_EVIDENCE, &q, ret, err);
    cli_admin_close(&a);
    return r;
}

/* Where it is, how long, and its digest. */
static int tell_evidence(const char *path, struct span bytes, struct err *err)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    char hex[TEXT_HEX_SIZE(CRYPTO_SHA256_SIZE)];

    crypto_sha256(bytes, digest);
    text_format_hex(SPAN_OF(digest), hex);
    return cli_json_put(json_pack("{s:s, s:I, s:s}", "file", path, "bytes",
                                (json_int_t)bytes.len, "sha256", hex),
            stdout, err);
}

int zone_evidence(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf evidence = BUF_INIT(LIMIT_EVIDENCE_MAX);
    const char *out, *binder = NULL;
    bool json = false;
    struct err err;
    int r;

    if (!arguments(cli, argc, argv, 0, &out, &binder, &json))
        return CLI_MISUSE;
    r = zone_evidence_take(cli, binder, &evidence, &err);
    if (r == 0)
        r = buf_store(buf_span(&evidence), AT_FDCWD, out, 0644, &err);
    if (r == 0 && json)
        r = tell_evidence(out, buf_span(&evidence), &err);
    return r ? cli_fail(&err) : CLI_OK;
}
