/* SPDX-License-Identifier: Apache-2.0 */
/* qair verify: a receipt, judged offline by the pack alone. */
#include "cli.h"

#include "pack_load.h"
#include "receipt.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS 80
#define INDENT  15 /* of the detail: a SHA-256 in hex fits beside it */

struct options {
    const char *receipt;
    const char *file; /* NULL: none */
    const char *pack;
    const char *owner; /* NULL: the pack's own owner.pub */
    uint64_t time;
    bool json;
};

static const struct {
    const char *text, *json;
} results[] = {
        [RECEIPT_FAILED] = {"FAIL", "failed"},
        [RECEIPT_OK] = {"ok", "ok"},
        [RECEIPT_NOT_GIVEN] = {"-", "not given"},
};

/* All digests that any profile wants: the profile is the receipt's secret. */
static int digest_file(
        const char *path, struct profile_digests *ret, struct err *err)
{
    CLEANUP(profile_stream_free_ptr)
    struct profile_stream *s = profile_begin(PROFILE_MINISIGN);
    CLEANUP(buf_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    static uint8_t part[1 << 16];
    ssize_t n;

    if (fd < 0)
        return err_errno(err, "%s", path);
    if (!s)
        return err_set(err, ERR_MEMORY, "out of memory");
    while ((n = read(fd, part, sizeof(part))) > 0)
        profile_update(s, SPAN(part, (size_t)n));
    if (n < 0)
        return err_errno(err, "%s", path);
    profile_end(TAKE_PTR(s), ret);
    return 0;
}

/* Words of text, broken before the last column, under one another. */
static void print_wrapped(const char *text)
{
    struct span rest = span_str(text), word;
    size_t column = INDENT;
    bool first = true;

    while (text_next_word(&rest, &word)) {
        if (!first && column + 1 + word.len >= COLUMNS) {
            (void)printf("\n%*s", INDENT, "");
            column = INDENT;
            first = true;
        }
        (void)printf("%s%.*s", first ? "" : " ", (int)word.len,
                (const char *)word.ptr);
        column += word.len + (first ? 0 : 1);
        first = false;
    }
    (void)putchar('\n');
}

static void print_text(const struct receipt_judgement *j)
{
    for (unsigned i = 0; i < RECEIPT_CHECK_COUNT; i++) {
        (void)printf("%-9s %-4s ", receipt_check_name((enum receipt_check)i),
                results[j->finding[i].result].text);
        print_wrapped(j->finding[i].detail);
    }
    (void)printf("%s\n", j->verified ? "verified" : "NOT VERIFIED");
}

static bool fill_json(struct json_t *doc, const struct options *o,
        const struct receipt_judgement *j)
{
    struct json_t *list;

    if (!doc || !statement_put_bool(doc, "verified", j->verified) ||
            !statement_put_str(doc, "receipt", o->receipt) ||
            !statement_put_time(doc, "time", o->time) ||
            !statement_put_str(doc, "owner", o->owner ? o->owner : "pack"))
        return false;
    list = statement_put_array(doc, "checks");
    for (unsigned i = 0; list && i < RECEIPT_CHECK_COUNT; i++) {
        struct json_t *item = statement_add_object(list);

        if (!item ||
                !statement_put_str(item, "check",
                        receipt_check_name((enum receipt_check)i)) ||
                !statement_put_str(
                        item, "result", results[j->finding[i].result].json) ||
                !statement_put_str(item, "detail", j->finding[i].detail))
            return false;
    }
    return list != NULL;
}

static int print_json(const struct options *o,
        const struct receipt_judgement *j, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *doc = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(RECEIPT_MAX);
    int rc;

    if (!fill_json(doc, o, j))
        return err_set(err, ERR_MEMORY, "cannot write JSON");
    rc = statement_json_format(doc, &text, err);
    if (rc == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return rc;
}

static int verify(const struct options *o, struct err *err)
{
    CLEANUP(buf_fini) struct buf receipt = BUF_INIT(RECEIPT_MAX);
    CLEANUP(crypto_pub_free_ptr) struct crypto_pub *owner = NULL;
    CLEANUP(pack_free_ptr) struct pack *pack = NULL;
    struct profile_digests digests;
    struct receipt_input in = {.time = o->time};
    struct receipt_judgement j;
    int rc = pack_load_owner_for(o->owner, o->pack, &owner, err);

    if (rc == 0)
        rc = pack_load_folder(o->pack, owner, &pack, err);
    if (rc == 0)
        rc = buf_load(&receipt, AT_FDCWD, o->receipt, err);
    if (rc == 0 && o->file)
        rc = digest_file(o->file, &digests, err);
    if (rc)
        return cli_fail(err);
    in.receipt = buf_span(&receipt);
    in.pack = pack;
    in.artefact = o->file ? &digests : NULL;
    receipt_judge(&in, &j);
    if (!o->json)
        print_text(&j);
    else if (print_json(o, &j, err))
        return cli_fail(err);
    return j.verified ? CLI_OK : CLI_NO;
}

enum { OPT_PACK = 256, OPT_OWNER, OPT_TIME, OPT_JSON };

static int parse(struct cli *cli, int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
            {"pack", required_argument, NULL, OPT_PACK},
            {"owner", required_argument, NULL, OPT_OWNER},
            {"time", required_argument, NULL, OPT_TIME},
            {"json", no_argument, NULL, OPT_JSON},
            {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == OPT_PACK)
            o->pack = optarg;
        else if (c == OPT_OWNER)
            o->owner = optarg;
        else if (c == OPT_JSON)
            o->json = true;
        else if (c != OPT_TIME)
            return cli_misuse(cli, "unknown option");
        else if (!text_parse_time(span_str(optarg), &o->time))
            return cli_misuse(
                    cli, "--time is written 2026-11-25T02:06:00Z (UTC)");
    }
    if (argc - optind < 1 || argc - optind > 2)
        return cli_misuse(cli, "name a receipt, and the file it is about");
    if (!o->pack)
        return cli_misuse(cli, "name the owner's pack: --pack DIR");
    o->receipt = argv[optind];
    o->file = argc - optind == 2 ? argv[optind + 1] : NULL;
    return CLI_OK;
}

static int run_verify(struct cli *cli, int argc, char **argv)
{
    struct options o = {.time = (uint64_t)time(NULL)};
    struct err err = {0};
    int rc = parse(cli, argc, argv, &o);

    return rc ? rc : verify(&o, &err);
}

static const struct cli_verb verbs[] = {
        {"", "RECEIPT [FILE] --pack DIR [--owner FILE] [--time T] [--json]",
                "judge a receipt offline, and FILE against it", run_verify},
        {0},
};

const struct cli_noun noun_verify = {
        .name = "verify",
        .help = "judge a receipt offline by the owner's pack",
        .verbs = verbs,
};
