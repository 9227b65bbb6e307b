/* SPDX-License-Identifier: Apache-2.0 */
/* qair: one command, a table of nouns. */
#include "cli.h"

#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_noun *const nouns[] = {
        &noun_attest,
        &noun_call,
        &noun_key,
        &noun_log,
        &noun_pack,
        &noun_policy,
        &noun_qube,
        &noun_sign,
        &noun_verify,
        &noun_zone,
        NULL,
};

#define ZONE_DIR_DEFAULT "/var/lib/qair"

/* Words of help, in lines that fit an ordinary window. */
#define COLUMNS 80
#define INDENT  6

static void print_words(FILE *f, size_t column, const char *text)
{
    while (*text) {
        size_t gap = strspn(text, " \n"), len = strcspn(text + gap, " \n");
        size_t between = gap > 2 ? 1 : gap; /* two: a sentence's end */

        if (column > INDENT && column + between + len > COLUMNS) {
            (void)fputc('\n', f);
            column = 0;
        }
        if (column == 0)
            between = INDENT;
        (void)fprintf(f, "%*s%.*s", (int)between, "", (int)len, text + gap);
        column += between + len;
        text += gap + len;
    }
    (void)fputc('\n', f);
}

static void print_verb(FILE *f, const char *noun, const struct cli_verb *v)
{
    int n = fprintf(f, "  qair %s%s%s%s", noun, *v->name ? " " : "", v->name,
            *v->args ? " " : "");

    print_words(f, n > 0 ? (size_t)n : INDENT, v->args);
    print_words(f, 0, v->help);
}

static void print_noun(FILE *f, const struct cli_noun *noun)
{
    for (const struct cli_verb *v = noun->verbs; v->name; v++)
        print_verb(f, noun->name, v);
}

static void print_help(FILE *f)
{
    (void)fprintf(f,
            "qair [-z ZONEDIR] NOUN VERB ...\n"
            "  -z  the zone's directory ($QAIR_ZONE, else %s)\n\n",
            ZONE_DIR_DEFAULT);
    for (size_t i = 0; nouns[i]; i++)
        (void)fprintf(f, "  %-8s %s\n", nouns[i]->name, nouns[i]->help);
    (void)fprintf(f, "\n'qair NOUN' lists its verbs; qair(1) tells more.\n");
}

int cli_misuse(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    (void)fprintf(stderr, "qair %s%s%s: ", cli->noun,
            *cli->verb->name ? " " : "", cli->verb->name);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "\n");
    print_verb(stderr, cli->noun, cli->verb);
    return CLI_MISUSE;
}

int cli_fail(const struct err *err)
{
    (void)fprintf(stderr, "qair: %s\n", err->msg);
    return err->code == ERR_USAGE ? CLI_MISUSE : CLI_NO;
}

static const struct cli_noun *find_noun(const char *name)
{
    for (size_t i = 0; nouns[i]; i++) {
        if (strcmp(nouns[i]->name, name) == 0)
            return nouns[i];
    }
    return NULL;
}

static const struct cli_verb *find_verb(
        const struct cli_noun *noun, const char *name)
{
    for (const struct cli_verb *v = noun->verbs; name && v->name; v++) {
        if (*v->name && strcmp(v->name, name) == 0)
            return v;
    }
    /* The noun itself is a command. */
    return noun->verbs[0].name && !*noun->verbs[0].name ? &noun->verbs[0]
                                                        : NULL;
}

static int run_noun(struct cli *cli, int argc, char **argv)
{
    const struct cli_noun *noun = find_noun(argv[0]);
    const char *verb = argc > 1 ? argv[1] : NULL;
    bool asked = verb && strcmp(verb, "--help") == 0;

    if (!noun) {
        (void)fprintf(stderr, "qair: no noun '%s'; 'qair --help' lists them\n",
                argv[0]);
        return CLI_MISUSE;
    }
    cli->noun = noun->name;
    cli->verb = find_verb(noun, verb);
    if (!cli->verb || asked) {
        if (verb && !asked)
            (void)fprintf(stderr, "qair %s: no verb '%s'; there are:\n",
                    noun->name, verb);
        print_noun(asked ? stdout : stderr, noun);
        return asked ? CLI_OK : CLI_MISUSE;
    }
    if (verb && cli->verb->name[0] != '\0' && argc > 2 &&
            strcmp(argv[2], "--help") == 0) {
        print_verb(stdout, noun->name, cli->verb);
        return CLI_OK;
    }
    optind = 0; /* glibc: start getopt afresh for the verb */
    if (*cli->verb->name == '\0')
        return cli->verb->run(cli, argc, argv);
    return cli->verb->run(cli, argc - 1, argv + 1);
}

static const char *programs_folder(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0)
        return "/usr/libexec/qair";
    path[n] = '\0';
    return dirname(path);
}

/* What could not be written was not told: that is no success. */
static int end(int code)
{
    struct err err;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)err_errno(&err, "cannot write the answer");
    return code == CLI_OK ? cli_fail(&err) : code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
            {"zone", required_argument, NULL, 'z'},
            {"help", no_argument, NULL, 'h'},
            {"version", no_argument, NULL, 'V'},
            {0},
    };
    struct cli cli = {.programs = programs_folder()};
    const char *env = getenv("QAIR_ZONE");
    int c;

    cli.zone_dir = env && *env ? env : ZONE_DIR_DEFAULT;
    while ((c = getopt_long(argc, argv, "+z:hV", options, NULL)) != -1) {
        if (c == 'z') {
            cli.zone_dir = optarg;
        } else if (c == 'h' || c == 'V') {
            if (c == 'h')
                print_help(stdout);
            else
                (void)printf("qair %s\n", QAIR_VERSION);
            return end(CLI_OK);
        } else {
            return CLI_MISUSE;
        }
    }
    if (optind >= argc) {
        print_help(stderr);
        return CLI_MISUSE;
    }
    return end(run_noun(&cli, argc - optind, argv + optind));
}
