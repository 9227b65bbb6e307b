/* SPDX-License-Identifier: Apache-2.0 */
/* qair log: what happened, and is the record whole?  Reads files alone. */
#include "cli.h"
#include "cli_json.h"
#include "log_text.h"
#include "log_trace.h"
#include "log_view.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct args {
    struct log_options log;
    /* Other zones' folders, or copies of their logs. */
    const char *with[LOG_TRACE_VIEWS - 1];
    size_t n_with;
    const char *kind;
    uint64_t from;
    bool json, scan;
    const char *word; /* of trace */
};

static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"from", required_argument, NULL, 'f'},
        {"kind", required_argument, NULL, 'k'},
        {"with", required_argument, NULL, 'w'},
        {"scan", no_argument, NULL, 's'},
        {"vkey", required_argument, NULL, 'v'},
        {"pack", required_argument, NULL, 'p'},
        {"owner", required_argument, NULL, 'o'},
        {"zone", required_argument, NULL, 'z'},
        {0},
};

/* False: misuse was told. */
static bool parse_args(
        struct cli *cli, int argc, char **argv, int words, struct args *ret)
{
    int c;

    *ret = (struct args){0};
    opterr = 0;
    while ((c = getopt_long(argc, argv, "z:", options, NULL)) != -1) {
        switch (c) {
        case 'j':
            ret->json = true;
            break;
        case 'f':
            if (!text_parse_u64(span_str(optarg), &ret->from)) {
                (void)cli_misuse(cli, "--from takes a number");
                return false;
            }
            break;
        case 'k':
            ret->kind = optarg;
            break;
        case 'w':
            if (ret->n_with == ARRAY_LEN(ret->with)) {
                (void)cli_misuse(cli, "--with: at most %zu other zones",
                        ARRAY_LEN(ret->with));
                return false;
            }
            ret->with[ret->n_with++] = optarg;
            break;
        case 's':
            ret->scan = true;
            break;
        case 'v':
            ret->log.vkey = optarg;
            break;
        case 'p':
            ret->log.pack = optarg;
            break;
        case 'o':
            ret->log.owner = optarg;
            break;
        case 'z':
            cli->zone_dir = optarg;
            break;
        default:
            (void)cli_misuse(cli, "unknown option '%s'", argv[optind - 1]);
            return false;
        }
    }
    if (argc - optind != words) {
        (void)cli_misuse(
                cli, "too %s words", argc - optind < words ? "few" : "many");
        return false;
    }
    ret->word = words > 0 ? argv[optind] : NULL;
    return true;
}

static int finish(int r, const struct err *err)
{
    return r < 0 ? cli_fail(err) : CLI_OK;
}

/* ---- show -------------------------------------------------------------- */

static int show_record(struct log_view *v, uint64_t index, const struct args *a,
        struct err *err)
{
    struct log_record rec;
    char line[8192];
    int r = log_view_get(v, index, &rec, err);

    if (r < 0)
        return r;
    if (a->kind == NULL ||
            strcmp(a->kind, statement_kind_name(rec.s.kind)) == 0) {
        if (a->json) {
            r = cli_json_put(log_text_json(v, &rec), stdout, err);
        } else {
            log_text_line(&rec, line, sizeof line);
            printf("%6llu %s%s\n", (unsigned long long)index, line,
                    rec.signer == NULL && v->log_key != NULL
                            ? "  [signature does not hold]"
                            : "");
        }
    }
    log_record_fini(&rec);
    return r;
}

static int run_show(struct cli *cli, int argc, char **argv)
{
    CLEANUP(log_view_fini) struct log_view v = {.dirfd = -1};
    struct err err = {0};
    struct args a;
    int r;

    if (!parse_args(cli, argc, argv, 0, &a))
        return CLI_MISUSE;
    r = log_view_open(cli->zone_dir, &a.log, &v, &err);
    if (r == 0 && v.log_key == NULL)
        fprintf(stderr,
                "qair: nothing of this is verified: the log key of "
                "zone %s is not known\n",
                v.zone);
    for (uint64_t i = a.from; r == 0 && i < v.reader.head.size; i++)
        r = show_record(&v, i, &a, &err);
    return finish(r, &err);
}

/* ---- checkpoint ---------------------------------------------------------- */

static int run_checkpoint(struct cli *cli, int argc, char **argv)
{
    CLEANUP(log_view_fini) struct log_view v = {.dirfd = -1};
    char root[TEXT_HEX_SIZE(MERKLE_HASH)], vkey[MERKLE_VKEY_SIZE] = "";
    struct err err = {0};
    struct args a;
    int r;

    if (!parse_args(cli, argc, argv, 0, &a))
        return CLI_MISUSE;
    r = log_view_open(cli->zone_dir, &a.log, &v, &err);
    if (r < 0)
        return finish(r, &err);
    if (v.log_key == NULL)
        fprintf(stderr,
                "qair: not verified: the log key of zone %s is not "
                "known\n",
                v.zone);
    if (!a.json) {
        fwrite(v.reader.note.ptr, 1, v.reader.note.len, stdout);
        return finish(0, &err);
    }
    text_format_hex(SPAN_OF(v.reader.head.root), root);
    if (v.log_key != NULL)
        merkle_vkey_format(&v.vkey, vkey);
    r = cli_json_put(json_pack("{s:s, s:s, s:I, s:b, s:s}", "origin",
                             v.reader.head.origin, "root", root, "size",
                             (json_int_t)v.reader.head.size, "verified",
                             v.log_key != NULL, "vkey", vkey),
            stdout, &err);
    return finish(r, &err);
}

/* ---- verify -------------------------------------------------------------- */

struct verify {
    const struct log_view *v;
    uint64_t kinds[STATEMENT_KIND_COUNT];
    bool progress;
};

/* One entry: a record that reads back, signed by a key of the zone. */
static int verify_entry(
        void *arg, uint64_t index, struct span entry, struct err *err)
{
    struct verify *c = arg;
    struct statement s;
    const char *signer;
    int r = statement_open_untrusted(entry, &s, err);

    if (r < 0)
        return err_prefix(err, r, "entry %llu", (unsigned long long)index);
    r = statement_check(&s, err);
    signer = r == 0 ? log_view_signer(c->v, &s) : NULL;
    c->kinds[s.kind]++;
    statement_fini(&s);
    if (r < 0)
        return err_prefix(err, r, "entry %llu", (unsigned long long)index);
    if (signer == NULL)
        return err_set(err, ERR_MISMATCH,
                "entry %llu is signed by no known key of zone %s%s",
                (unsigned long long)index, c->v->zone,
                c->v->pack_zone == NULL
                        ? ": its identity is in the pack, give --pack DIR"
                        : "");
    if (c->progress && index % 10000 == 9999)
        fprintf(stderr, "\r%llu of %llu", (unsigned long long)index + 1,
                (unsigned long long)c->v->reader.head.size);
    return 0;
}

static json_t *kinds_json(const struct verify *c)
{
    json_t *j = json_object();

    for (int k = 0; k < STATEMENT_KIND_COUNT; k++) {
        if (c->kinds[k] > 0)
            json_object_set_new(j, statement_kind_name((enum statement_kind)k),
                    json_integer((json_int_t)c->kinds[k]));
    }
    return j;
}

static int print_verified(const struct verify *c, bool json, struct err *err)
{
    const struct log_view *v = c->v;
    char root[TEXT_HEX_SIZE(MERKLE_HASH)], vkey[MERKLE_VKEY_SIZE];

    text_format_hex(SPAN_OF(v->reader.head.root), root);
    merkle_vkey_format(&v->vkey, vkey);
    if (json)
        return cli_json_put(json_pack("{s:b, s:o, s:s, s:I, s:s, s:s}", "ok", 1,
                                    "records", kinds_json(c), "root", root,
                                    "size", (json_int_t)v->reader.head.size,
                                    "vkey", vkey, "zone", v->zone),
                stdout, err);
    printf("log of zone %s verified: %llu records, every entry, tile and "
           "signature\n",
            v->zone, (unsigned long long)v->reader.head.size);
    for (int k = 0; k < STATEMENT_KIND_COUNT; k++) {
        if (c->kinds[k] > 0)
            printf("  %-10s %llu\n",
                    statement_kind_name((enum statement_kind)k),
                    (unsigned long long)c->kinds[k]);
    }
    printf("  root       %s\n  signed by  %s\n", root, vkey);
    return 0;
}

static int run_verify(struct cli *cli, int argc, char **argv)
{
    CLEANUP(log_view_fini) struct log_view v = {.dirfd = -1};
    struct verify c = {.v = &v, .progress = isatty(2) != 0};
    struct err err = {0};
    struct args a;
    int r;

    if (!parse_args(cli, argc, argv, 0, &a))
        return CLI_MISUSE;
    r = log_view_open(cli->zone_dir, &a.log, &v, &err);
    if (r == 0)
        r = log_view_need_key(&v, &err);
    if (r == 0)
        r = store_reader_verify(&v.reader, verify_entry, &c, &err);
    if (c.progress && v.reader.head.size >= 10000)
        fprintf(stderr, "\r\033[K");
    if (r == 0)
        r = print_verified(&c, a.json, &err);
    return finish(r, &err);
}

/* ---- trace ----------------------------------------------------------------
 */

static int hash_file(const char *path, uint8_t *ret, struct err *err)
{
    struct crypto_hasher *h = crypto_hasher_new(CRYPTO_SHA256);
    static uint8_t block[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    int r = 0;

    if (fd < 0)
        r = err_errno(err,
                "%s (neither a file, nor the 64 hex digits of a "
                "sha256, nor the 32 of a call id)",
                path);
    else if (h == NULL)
        r = err_set(err, ERR_MEMORY, "out of memory");
    while (r == 0 && (n = read(fd, block, sizeof block)) > 0)
        crypto_hasher_update(h, SPAN(block, (size_t)n));
    if (r == 0 && n < 0)
        r = err_errno(err, "%s", path);
    if (r == 0)
        crypto_hasher_final(h, ret);
    crypto_hasher_free(h);
    if (fd >= 0)
        close(fd);
    return r;
}

static int parse_what(
        const char *word, struct log_trace_what *ret, struct err *err)
{
    struct span text = span_str(word);

    *ret = (struct log_trace_what){0};
    ret->is_call = text_parse_hex(text, ret->call_id, sizeof ret->call_id);
    if (ret->is_call || text_parse_hex(text, ret->sha256, sizeof ret->sha256))
        return 0;
    return hash_file(word, ret->sha256, err);
}

/* The other log is judged by its own pack when it has one, else by ours. */
static int open_other(struct cli *cli, const struct args *a, const char *dir,
        struct log_view *ret, struct err *err)
{
    struct log_options o = {.pack = a->log.pack, .owner = a->log.owner};
    char pack[4096];
    int r = log_view_open(dir, &o, ret, err);

    if (r < 0 || ret->log_key != NULL)
        return r;
    log_view_fini(ret);
    snprintf(pack, sizeof pack, "%s/pack", cli->zone_dir);
    o.pack = a->log.pack != NULL ? a->log.pack : pack;
    return log_view_open(dir, &o, ret, err);
}

static int open_all(struct cli *cli, const struct args *a, struct log_trace *t,
        struct err *err)
{
    int r = log_view_open(cli->zone_dir, &a->log, t->views[0], err);

    if (r == 0)
        r = log_view_need_key(t->views[0], err);
    for (t->n_views = 1; r == 0 && t->n_views <= a->n_with; t->n_views++) {
        struct log_view *v = t->views[t->n_views];

        r = open_other(cli, a, a->with[t->n_views - 1], v, err);
        if (r == 0)
            r = log_view_need_key(v, err);
    }
    return r;
}

static int run_trace(struct cli *cli, int argc, char **argv)
{
    struct log_view views[LOG_TRACE_VIEWS];
    struct log_trace t = {.n_views = 0};
    struct log_trace_what what;
    struct err err = {0};
    struct args a;
    int r;

    if (!parse_args(cli, argc, argv, 1, &a))
        return CLI_MISUSE;
    t.json = a.json;
    t.scan = a.scan;
    for (size_t i = 0; i < LOG_TRACE_VIEWS; i++) {
        views[i] = (struct log_view){.dirfd = -1};
        t.views[i] = &views[i];
    }
    r = parse_what(a.word, &what, &err);
    if (r == 0)
        r = open_all(cli, &a, &t, &err);
    if (r == 0)
        r = log_trace_run(&t, &what, &err);
    if (r == ERR_NOT_FOUND && a.n_with == 0)
        err_prefix(&err, r, "log of zone %s", views[0].zone);
    for (size_t i = 0; i < LOG_TRACE_VIEWS; i++)
        log_view_fini(&views[i]);
    return finish(r, &err);
}

static const struct cli_verb verbs[] = {
        {"show", "[--from N] [--kind KIND] [--json] [--pack DIR] [--vkey KEY]",
                "list the records of a zone", run_show},
        {"trace",
                "FILE|SHA256|CALL-ID [--with DIR]... [--scan] [--json] "
                "[--pack DIR]",
                "who did this, by which rule, in which state, with which key",
                run_trace},
        {"verify", "[--json] [--pack DIR] [--owner PEM] [--vkey KEY]",
                "read everything again: entries, tiles, signatures",
                run_verify},
        {"checkpoint", "[--json] [--pack DIR] [--vkey KEY]",
                "print the signed checkpoint", run_checkpoint},
        {0},
};

const struct cli_noun noun_log = {
        "log", "what happened, and is the record whole", verbs};
