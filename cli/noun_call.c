/* SPDX-License-Identifier: Apache-2.0 */
/* qair call: a service of a qube, asked for by the zone's owner. */
#include "cli_admin.h"
#include "cli_json.h"
#include "cli_stream.h"

#include "qrexec.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
            {"raw", no_argument, NULL, 'r'}, {0}};
    struct msg_call m;
    bool raw = false;
    int c;

    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c != 'r')
            return cli_misuse(cli, "unknown option");
        raw = true;
    }
    if (argc - optind != 2)
        return cli_misuse(cli, "a target and a service are needed");
    m.target = span_str(argv[optind]);
    m.service = span_str(argv[optind + 1]);
    if (!qrexec_is_service(m.service))
        return cli_misuse(
                cli, "'%s' is not SERVICE or SERVICE+ARG", argv[optind + 1]);
    return cli_stream(cli, MSG_CALL, &m, raw);
}

/* ---- running calls --------------------------------------------------- */

static const char *text_of(json_t *call, const char *key)
{
    const char *s = json_string_value(json_object_get(call, key));

    return s ? s : "";
}

#define COLUMNS 60

/* What may be chosen, the one offered first with a star. */
static void print_candidates(json_t *call)
{
    json_t *list = json_object_get(call, "candidates"), *name;
    size_t i, column = 0;

    json_array_foreach (list, i, name) {
        const char *s = json_string_value(name);
        size_t len = s ? strlen(s) + 2 : 0;

        if (column == 0 || column + len > COLUMNS - 2)
            column = (size_t)printf("%s  to", column ? "\n" : "") - !!column;
        column += (size_t)printf(" %s%s", s ? s : "",
                s && strcmp(s, text_of(call, "default")) == 0 ? "*" : "");
    }
    if (column)
        (void)printf("\n");
}

/* Indented, all of it: who answers a question must see what is asked. */
static void print_wrapped(const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t n = left > COLUMNS - 2 ? COLUMNS - 2 : left;

        (void)printf("  %.*s\n", (int)n, text);
        text += n;
        left -= n;
    }
}

static void print_ends(json_t *call)
{
    const char *from = text_of(call, "source_zone");
    const char *to = text_of(call, "zone");
    const char *service = text_of(call, "service");
    char source[256], target[256], line[COLUMNS + 1];
    int n;

    (void)snprintf(source, sizeof source, "%s%s%s%s", text_of(call, "source"),
            *from ? " (zone " : "", from, *from ? ")" : "");
    (void)snprintf(target, sizeof target, "-> %s%s%s", to, *to ? "/" : "",
            text_of(call, "qube"));
    n = snprintf(line, sizeof line, "%s %s %s", source, target, service);
    if (n <= COLUMNS - 2) {
        print_wrapped(line);
        return;
    }
    print_wrapped(source);
    print_wrapped(target);
    print_wrapped(service);
}

static void print_call(json_t *call)
{
    uint64_t since =
            (uint64_t)json_integer_value(json_object_get(call, "since"));
    char when[TEXT_TIME_SIZE];
    bool known = text_format_time(since, when);

    (void)printf("%s %-7s %s\n", text_of(call, "id"), text_of(call, "state"),
            known ? when + sizeof("2026-11-25T") - 1 : "");
    print_ends(call);
    print_candidates(call);
}

static int print_list(const struct buf *text, bool as_json, struct err *err)
{
    json_t *doc = json_loadb((const char *)text->ptr, text->len, 0, NULL);
    json_t *list = json_object_get(doc, "calls"), *call;
    size_t i;

    if (!json_is_array(list)) {
        json_decref(doc);
        return err_set(err, ERR_SYNTAX, "the zone's answer is no list");
    }
    if (as_json)
        return cli_json_put(doc, stdout, err);
    json_array_foreach (list, i, call) {
        print_call(call);
    }
    json_decref(doc);
    return 0;
}

static int run_list(struct cli *cli, int argc, char **argv)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT((size_t)32 << 20);
    bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    struct cli_admin admin;
    struct err err = {0};
    int r;

    if (argc != 1 + as_json)
        return cli_misuse(cli, "takes --json or nothing");
    r = cli_admin_open(cli, "call.sock", &admin, &err);
    if (r != 0)
        return cli_fail(&err);
    r = cli_admin_ask_file(
            &admin, MSG_CALL_LIST, &(struct msg_empty){0}, &text, &err);
    cli_admin_close(&admin);
    if (r == 0)
        r = print_list(&text, as_json, &err);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

static int run_kill(struct cli *cli, int argc, char **argv)
{
    struct msg_named m;
    struct msg_empty ok;
    struct cli_admin admin;
    struct err err = {0};
    int r;

    if (argc != 2)
        return cli_misuse(cli, "a call's id is needed: 'qair call list'");
    m.name = span_str(argv[1]);
    r = cli_admin_open(cli, "call.sock", &admin, &err);
    if (r != 0)
        return cli_fail(&err);
    r = cli_admin_ask(&admin, MSG_CALL_KILL, &m, MSG_OK, &ok, NULL, &err);
    cli_admin_close(&admin);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

/* ---- a person's answer ----------------------------------------------- */

static int choose(struct cli *cli, const struct msg_choose *m)
{
    struct msg_empty ok;
    struct cli_admin admin;
    struct err err = {0};
    int r = cli_admin_open(cli, "call.sock", &admin, &err);

    if (r != 0)
        return cli_fail(&err);
    r = cli_admin_ask(&admin, MSG_CALL_CHOOSE, m, MSG_OK, &ok, NULL, &err);
    cli_admin_close(&admin);
    return r == 0 ? CLI_OK : cli_fail(&err);
}

static int run_allow(struct cli *cli, int argc, char **argv)
{
    struct msg_choose m = {.allow = 1};

    if (argc < 2 || argc > 3)
        return cli_misuse(cli, "a call's id is needed: 'qair call list'");
    m.id = span_str(argv[1]);
    m.target = span_str(argc == 3 ? argv[2] : "");
    return choose(cli, &m);
}

static int run_deny(struct cli *cli, int argc, char **argv)
{
    struct msg_choose m = {.allow = 0};

    if (argc != 2)
        return cli_misuse(cli, "a call's id is needed: 'qair call list'");
    m.id = span_str(argv[1]);
    return choose(cli, &m);
}

static const struct cli_verb verbs[] = {
        {"", "[--raw] TARGET SERVICE[+ARG]",
                "call a service; stdin, stdout, stderr and exit code are its",
                run},
        {"list", "[--json]", "calls that wait or run", run_list},
        {"allow", "ID [TARGET]",
                "let a call that asks go to TARGET, or to the one with a star",
                run_allow},
        {"deny", "ID", "refuse a call that asks", run_deny},
        {"kill", "ID", "end a call that waits or runs; its end is recorded",
                run_kill},
        {0},
};

const struct cli_noun noun_call = {
        .name = "call",
        .help = "call a service of a qube, here or in another zone",
        .verbs = verbs,
};
