/* SPDX-License-Identifier: Apache-2.0 */
/* qair qube: the qubes of a zone. */
#include "cli_stream.h"

#include "buf.h"
#include "conf.h"
#include "ipc.h"
#include "statement.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATUS_WAIT_MS 5000

/* ---- run ------------------------------------------------------------- */

/* One word of the command as the qube's shell must read it. */
static void put_quoted(struct buf *b, const char *word)
{
    buf_append_u8(b, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            buf_append_str(b, "'\\''");
        else
            buf_append_u8(b, (uint8_t)*word);
    }
    buf_append_u8(b, '\'');
}

/* A single argument is a line for the shell; several are words. */
static int put_command(struct buf *b, int argc, char **argv, struct err *err)
{
    if (argc == 1)
        buf_append_str(b, argv[0]);
    for (int i = 0; argc > 1 && i < argc; i++) {
        if (i)
            buf_append_u8(b, ' ');
        put_quoted(b, argv[i]);
    }
    return buf_ok(b, err);
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"raw", no_argument, NULL, 'r'}, {0}};
    CLEANUP(buf_fini) struct buf command = BUF_INIT(UINT16_MAX);
    struct msg_qube_run m;
    bool raw = false;
    struct err err;
    int c;

    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c != 'r')
            return cli_misuse(cli, "unknown option");
        raw = true;
    }
    if (argc - optind < 2)
        return cli_misuse(cli, "a qube and a command are needed");
    m.qube = span_str(argv[optind]);
    if (!text_is_name(m.qube, LIMIT_NAME_MAX))
        return cli_misuse(cli, "'%s' is not a qube's name", argv[optind]);
    argc -= optind + 1;
    argv += optind + 1;
    if (argc > 1 && strcmp(argv[0], "--") == 0) {
        argc--;
        argv++;
    }
    if (put_command(&command, argc, argv, &err))
        return cli_misuse(cli, "the command is too long");
    m.command = buf_span(&command);
    return cli_stream(cli, MSG_QUBE_RUN, &m, raw);
}

/* ---- list ------------------------------------------------------------ */

struct list {
    struct conf_qube *qubes;
    size_t n;
    struct json_t *status; /* calld's, NULL when the zone does not run */
};

static bool is_conf(const char *name)
{
    size_t n = strlen(name);

    return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".conf") == 0;
}

static int load_qube(int dir, const char *file, void *ctx, struct err *err)
{
    struct list *l = ctx;
    CLEANUP(buf_fini) struct buf text = BUF_INIT(LIMIT_CONF_FILE_MAX);
    struct conf_qube *more;
    int r;

    if (!is_conf(file))
        return 0;
    r = buf_load(&text, dir, file, err);
    if (r)
        return r;
    if (l->n == LIMIT_QUBES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d qubes", LIMIT_QUBES_MAX);
    more = reallocarray(l->qubes, l->n + 1, sizeof(*more));
    if (!more)
        return err_set(err, ERR_MEMORY, "no memory");
    l->qubes = more;
    r = conf_qube_parse(buf_span(&text), file, &l->qubes[l->n], err);
    if (r == 0)
        l->n++;
    return r;
}

static int by_name(const void *a, const void *b)
{
    const struct conf_qube *x = a;
    const struct conf_qube *y = b;

    return strcmp(x->name, y->name);
}

static int load_qubes(const struct cli *cli, struct list *l, struct err *err)
{
    char path[PATH_MAX];
    CLEANUP(buf_close_fd) int fd = -1;
    int r;

    (void)snprintf(path, sizeof(path), "%s/qubes.d", cli->zone_dir);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s", path);
    r = buf_each_entry(fd, load_qube, l, err);
    if (l->n)
        qsort(l->qubes, l->n, sizeof(*l->qubes), by_name);
    return r;
}

/* What calld says, or nothing: a zone that does not run has no states. */
static void load_status(const struct cli *cli, struct list *l)
{
    static uint8_t bytes[LIMIT_IPC_MSG_MAX];
    const struct msg_empty nothing = {0};
    struct ipc_fds fds = {.n = 0};
    struct msg_header h;
    struct msg_blob blob;
    char dir[PATH_MAX];
    size_t len;
    int fd;

    (void)snprintf(dir, sizeof(dir), "%s/run", cli->zone_dir);
    if (ipc_connect(dir, "call.sock", &fd, NULL))
        return;
    if (msg_put(MSG_STATUS, 1, &nothing, bytes, sizeof(bytes), &len) &&
            ipc_send(fd, SPAN(bytes, len), NULL, 0) == 0 &&
            ipc_wait(fd, STATUS_WAIT_MS, NULL) == 0 &&
            ipc_recv(fd, bytes, sizeof(bytes), &len, &fds) == 0 &&
            msg_get_header(SPAN(bytes, len), &h) == 0 && h.type == MSG_BLOB &&
            msg_get(&h, &blob) == 0)
        l->status = statement_json_parse(blob.bytes, NULL);
    ipc_fds_close(&fds);
    (void)close(fd);
}

static struct span state_of(const struct list *l, const char *name)
{
    struct statement_reader r = statement_reader_of(l->status);
    const struct json_t *qubes;
    size_t n;

    if (!l->status)
        return span_str("zone stopped");
    if (!statement_get_array(&r, "qubes", &qubes, &n))
        return span_str("unknown");
    for (size_t i = 0; i < n; i++) {
        struct statement_reader q;
        struct span text;
        struct span state;

        if (statement_item_object(qubes, i, &q) &&
                statement_get_text(&q, "name", LIMIT_NAME_MAX, &text) &&
                statement_get_text(&q, "state", 32, &state) &&
                span_eq_str(text, name))
            return state;
    }
    return span_str("halted");
}

/* One agent for all qubes of the Qubes host: does it serve? */
static struct span state_of_qube(
        const struct list *l, const struct conf_qube *q)
{
    struct span state;

    if (!q->on_host)
        return state_of(l, q->name);
    state = state_of(l, "@qubes");
    if (span_eq_str(state, "running"))
        return span_str("on Qubes host");
    return span_eq_str(state, "halted") ? span_str("no relay") : state;
}

static void print_row(const struct list *l, const struct conf_qube *q)
{
    struct span state = state_of_qube(l, q);

    if (q->type == CONF_REMOTEVM)
        (void)printf("%-24s RemoteVM  %s of zone %s\n", q->name, q->remote_name,
                q->zone);
    else
        (void)printf("%-24s AppVM     %-13.*s %s\n", q->name, (int)state.len,
                (const char *)state.ptr, q->label);
}

static bool put_row(
        struct json_t *array, const struct list *l, const struct conf_qube *q)
{
    struct json_t *o = statement_add_object(array);

    if (!o || !statement_put_str(o, "name", q->name) ||
            !statement_put_str(
                    o, "type", q->type == CONF_REMOTEVM ? "RemoteVM" : "AppVM"))
        return false;
    if (q->type == CONF_REMOTEVM)
        return statement_put_str(o, "zone", q->zone) &&
               statement_put_str(o, "remoteName", q->remote_name);
    return statement_put_text(o, "state", state_of_qube(l, q)) &&
           statement_put_str(o, "label", q->label) &&
           statement_put_str(o, "keys", q->keys);
}

static int print_json(const struct list *l, struct err *err)
{
    CLEANUP(statement_json_free_ptr)
    struct json_t *o = statement_json_object();
    CLEANUP(buf_fini) struct buf text = BUF_INIT(16u << 20);
    struct json_t *array = o ? statement_put_array(o, "qubes") : NULL;
    int r;

    for (size_t i = 0; array && i < l->n; i++) {
        if (!put_row(array, l, &l->qubes[i]))
            array = NULL;
    }
    if (!array)
        return err_set(err, ERR_MEMORY, "no memory");
    r = statement_json_format(o, &text, err);
    if (r == 0)
        (void)printf("%s\n", (const char *)text.ptr);
    return r;
}

static int list(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"json", no_argument, NULL, 'j'}, {0}};
    struct list l = {0};
    bool json = false;
    struct err err;
    int c;
    int r;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return cli_misuse(cli, "unknown option");
        json = true;
    }
    if (optind != argc)
        return cli_misuse(cli, "no arguments are taken");
    r = load_qubes(cli, &l, &err);
    if (r == 0) {
        load_status(cli, &l);
        if (json)
            r = print_json(&l, &err);
        for (size_t i = 0; !json && i < l.n; i++)
            print_row(&l, &l.qubes[i]);
    }
    statement_json_free(l.status);
    free(l.qubes);
    return r ? cli_fail(&err) : CLI_OK;
}

static const struct cli_verb verbs[] = {
        {"run", "[--raw] QUBE [--] COMMAND...",
                "run a command in a qube, which is started when needed", run},
        {"list", "[--json]", "the zone's qubes and their state", list},
        {0},
};

const struct cli_noun noun_qube = {
        .name = "qube",
        .help = "run commands in qubes, list them",
        .verbs = verbs,
};
