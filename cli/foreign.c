/* SPDX-License-Identifier: Apache-2.0 */
#include "foreign.h"

#include "attest_unwrap.h"
#include "cli_sandbox.h"
#include "eventlog.h"
#include "ima.h"
#include "pack_load.h"

#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- kinds ----------------------------------------------------------- */

/* docs/proto/evidence.md, section 2 */
#define EVIDENCE_MAGIC "QAIREVID"
#define TPM_GENERATED  "\xff\x54\x43\x47"

static bool is_quote(struct span b)
{
    struct span body = tcg_file_unwrap(b);

    return body.len > 4 && memcmp(body.ptr, TPM_GENERATED, 4) == 0;
}

static bool is_log(struct span b)
{
    struct eventlog l;

    return eventlog_open_any(b, &l, NULL) == 0;
}

static bool is_ima(struct span b)
{
    struct ima_list l;
    struct ima_entry e;

    for (enum ima_format f = IMA_ASCII; f <= IMA_BINARY; f++) {
        if (ima_open(b, f, 0, &l, NULL) == 0 && ima_next(&l, &e, NULL) == 1)
            return true;
    }
    return false;
}

static const struct {
    enum foreign_kind kind;
    const char *name;
    bool (*is)(struct span b);
    cli_job *judge;
} kinds[] = {
        {FOREIGN_QUOTE, "TPM quote", is_quote, foreign_quote},
        {FOREIGN_IMA, "IMA list", is_ima, foreign_ima},
        {FOREIGN_LOG, "event log", is_log, foreign_log},
};

enum foreign_kind foreign_kind_of(struct span bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].is(bytes))
            return kinds[i].kind;
    }
    return FOREIGN_NONE;
}

const char *foreign_kind_name(enum foreign_kind k)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].kind == k)
            return kinds[i].name;
    }
    return "unknown";
}

/* ---- options --------------------------------------------------------- */

enum {
    OPT_SIGNATURE = 256,
    OPT_AK,
    OPT_PIN,
    OPT_PACK,
    OPT_OWNER,
    OPT_PCRS,
    OPT_LOG,
    OPT_IMA,
    OPT_NONCE,
    OPT_REQUIRE,
    OPT_TIME,
    OPT_JSON,
};

/* at: where a path goes; kinds: bit k of the kinds that it is for, 0 all. */
static const struct {
    const char *name;
    int has_arg;
    int option;
    ptrdiff_t at;
    unsigned kinds;
    bool both; /* evidence of a zone has it too */
} table[] = {
#define QUOTE (1u << FOREIGN_QUOTE)
#define LOGS  (1u << FOREIGN_LOG | 1u << FOREIGN_IMA)
        {"signature", 1, OPT_SIGNATURE, offsetof(struct foreign, signature),
                QUOTE},
        {"ak", 1, OPT_AK, offsetof(struct foreign, ak), QUOTE},
        {"pin", 1, OPT_PIN, -1, QUOTE},
        {"pack", 1, OPT_PACK, offsetof(struct foreign, pack), QUOTE, true},
        {"owner", 1, OPT_OWNER, offsetof(struct foreign, owner), QUOTE, true},
        {"pcrs", 1, OPT_PCRS, offsetof(struct foreign, pcrs), QUOTE | LOGS},
        {"log", 1, OPT_LOG, offsetof(struct foreign, log), QUOTE},
        {"ima", 1, OPT_IMA, offsetof(struct foreign, ima), QUOTE},
        {"nonce", 1, OPT_NONCE, -1, QUOTE},
        {"require", 1, OPT_REQUIRE, -1, QUOTE},
        {"time", 1, OPT_TIME, -1, 0},
        {"json", 0, OPT_JSON, -1, 0},
};

static bool take_bytes(
        const char *arg, uint8_t *ret, size_t cap, size_t *ret_len)
{
    size_t n = strlen(arg) / 2;

    if (n == 0 || n > cap || !text_parse_hex(span_str(arg), ret, n))
        return false;
    *ret_len = n;
    return true;
}

static bool take(struct foreign *f, size_t i, const char *arg)
{
    if (table[i].at >= 0) {
        memcpy((char *)f + table[i].at, &arg, sizeof(arg));
        return true;
    }
    switch (table[i].option) {
    case OPT_PIN:
        return take_bytes(arg, f->pin.bytes, sizeof(f->pin.bytes), &f->pin.len);
    case OPT_NONCE:
        return take_bytes(arg, f->nonce, sizeof(f->nonce), &f->nonce_len);
    case OPT_REQUIRE:
        return text_parse_bits(span_str(arg), TCG_PCRS, &f->require) &&
               f->require;
    case OPT_TIME:
        return text_parse_time(span_str(arg), &f->time);
    default:
        return f->json = true;
    }
}

/*
 * Finds the file among all options of verify, these and those for evidence of
 * a zone; what is wrong with them is said by whoever takes it.
 */
bool foreign_takes(int argc, char **argv)
{
    struct option options[ARRAY_LEN(table) + 3] = {0};
    CLEANUP(buf_close_fd) int fd = -1;
    char head[sizeof(EVIDENCE_MAGIC) - 1];
    bool ours = false; /* an option that zone evidence does not take */
    int c, at, errors = opterr;
    ssize_t n;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        options[i] = (struct option){table[i].name, table[i].has_arg, NULL, 1};
    options[ARRAY_LEN(table)] = (struct option){"binder", 1, NULL, 1};
    options[ARRAY_LEN(table) + 1] = (struct option){"ear", 1, NULL, 1};
    opterr = optind = 0;
    while ((c = getopt_long(argc, argv, "", options, &at)) == 1)
        ours = ours || ((size_t)at < ARRAY_LEN(table) && table[at].kinds &&
                               !table[at].both);
    opterr = errors;
    if (c == -1 && optind < argc)
        fd = open(argv[optind], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    optind = 0; /* whoever is next scans from the start */
    if (fd < 0)
        return ours;
    n = read(fd, head, sizeof(head));
    if (n > 0 && attest_is_wrapped((uint8_t)head[0]))
        return ours;
    return n >= 0 && ((size_t)n < sizeof(head) ||
                             memcmp(head, EVIDENCE_MAGIC, sizeof(head)) != 0);
}

/* A report is told by its size: nothing else that verify takes has it. */
bool foreign_has_report(int argc, char **argv)
{
    struct stat st;

    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && stat(argv[i], &st) == 0 &&
                S_ISREG(st.st_mode) && st.st_size == FOREIGN_REPORT_SIZE)
            return true;
    }
    return false;
}

/* Also which options were seen, as bits of the table. */
static int parse(struct cli *cli, int argc, char **argv, struct foreign *f,
        unsigned *ret_seen)
{
    struct option options[ARRAY_LEN(table) + 1] = {0};
    int c;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        options[i] = (struct option){
                table[i].name, table[i].has_arg, NULL, table[i].option};
    optind = 0; /* scanned from the start: the caller looked already */
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        size_t i = (size_t)(c - OPT_SIGNATURE);

        if (c < OPT_SIGNATURE)
            return cli_misuse(cli, "unknown option");
        if (!take(f, i, optarg))
            return cli_misuse(
                    cli, "--%s does not take '%s'", table[i].name, optarg);
        *ret_seen |= 1u << i;
    }
    if (argc - optind != 1)
        return cli_misuse(cli, "wants one file, got %d", argc - optind);
    f->path = argv[optind];
    if (f->time == 0)
        f->time = (uint64_t)time(NULL);
    return CLI_OK;
}

static int check(struct cli *cli, const struct foreign *f, unsigned seen)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if ((seen >> i & 1) && table[i].kinds &&
                !(table[i].kinds >> f->kind & 1))
            return cli_misuse(cli, "--%s is not for a file of this kind (%s)",
                    table[i].name, foreign_kind_name(f->kind));
    }
    if (f->kind == FOREIGN_QUOTE && (!f->signature || !f->ak))
        return cli_misuse(cli,
                "a TPM quote needs --signature FILE and --ak FILE, as "
                "tpm2_quote and tpm2_createak wrote them");
    return CLI_OK;
}

/* ---- files ----------------------------------------------------------- */

void foreign_fini(struct foreign *f)
{
    struct buf *all[] = {&f->bytes, &f->signature_bytes, &f->ak_bytes,
            &f->pcrs_bytes, &f->log_bytes, &f->ima_bytes};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_fini(all[i]);
    pack_free(f->pack_read);
    crypto_pub_free(f->owner_pub);
}

static int read_file(struct buf *b, const char *path, struct err *err)
{
    *b = BUF_INIT(FOREIGN_FILE_MAX);
    return path ? buf_load(b, AT_FDCWD, path, err) : 0;
}

static int read_pack(struct foreign *f, struct err *err)
{
    int r;

    if (!f->pack)
        return 0;
    r = pack_load_owner_for(f->owner, f->pack, &f->owner_pub, err);
    return r == 0 ? pack_load_folder(f->pack, f->owner_pub, &f->pack_read, err)
                  : r;
}

static int read_all(struct foreign *f, struct err *err)
{
    int r = read_file(&f->signature_bytes, f->signature, err);

    if (r == 0)
        r = read_file(&f->ak_bytes, f->ak, err);
    if (r == 0)
        r = read_file(&f->pcrs_bytes, f->pcrs, err);
    if (r == 0)
        r = read_file(&f->log_bytes, f->log, err);
    if (r == 0)
        r = read_file(&f->ima_bytes, f->ima, err);
    return r == 0 ? read_pack(f, err) : r;
}

/* ---- the verb -------------------------------------------------------- */

static cli_job *judge_of(enum foreign_kind k)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].kind == k)
            return kinds[i].judge;
    }
    return NULL;
}

/* The child has no way to say a kind but its exit code. */
static int tell_kind(void *ctx)
{
    const struct foreign *f = ctx;

    return (int)foreign_kind_of(buf_span(&f->bytes));
}

int foreign_verify(struct cli *cli, int argc, char **argv)
{
    CLEANUP(foreign_fini) struct foreign f = {0};
    struct err err = {0};
    unsigned seen = 0;
    int r = parse(cli, argc, argv, &f, &seen);

    if (r != CLI_OK)
        return r;
    if (read_file(&f.bytes, f.path, &err) != 0)
        return cli_fail(&err);
    f.kind = (enum foreign_kind)cli_in_sandbox(tell_kind, &f);
    if (!judge_of(f.kind)) {
        (void)err_set(&err, ERR_SYNTAX,
                "%s is no evidence of a zone, TPM quote, event log or IMA "
                "list",
                f.path);
        return cli_fail(&err);
    }
    r = check(cli, &f, seen);
    if (r != CLI_OK)
        return r;
    if (read_all(&f, &err) != 0)
        return cli_fail(&err);
    return cli_in_sandbox(judge_of(f.kind), &f);
}
