/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GRUB 2.06 with its tpm module: PCR 8 gets each command with its words as
 * they are after expansion, and the command lines that loaders pass on; PCR 9
 * gets each file that is opened.
 *
 * Of the script language: words, quotes, variables that the script itself set,
 * comments.  Everything else changes what is run or how it is written, so it
 * is refused by name.
 */
#include "predict_private.h"

#include <stdlib.h>

#define CONFIG_MAX (1u << 20) /* as any configuration that a person writes */
#define WORDS_MAX  64
#define WORD_MAX   4096 /* a kernel's options are one word each */
#define VARS_MAX   64
#define NAME_LEN   31

struct var {
    char name[NAME_LEN + 1];
    char *value; /* NULL: set by a device search, not known here */
};

struct grub {
    struct predict *p;
    const struct predict_grub *in;
    struct err *err;
    size_t n_vars, n_words;
    struct var var[VARS_MAX];
    char *word[WORDS_MAX];
    bool is_loaded, is_booted;
    unsigned depth;
};

/* A configuration as it is read. */
struct source {
    const char *name;
    struct span left;
    unsigned line;
};

static int run(struct grub *g, const struct predict_file *config);

static int unsupported(
        const struct grub *g, const struct source *s, const char *what)
{
    return err_set(
            g->err, ERR_UNSUPPORTED, "%s line %u: %s", s->name, s->line, what);
}

/* ---- variables ------------------------------------------------------- */

static struct var *find_var(struct grub *g, const char *name)
{
    for (size_t i = 0; i < g->n_vars; i++) {
        if (strcmp(g->var[i].name, name) == 0)
            return &g->var[i];
    }
    return NULL;
}

static bool is_var_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > NAME_LEN || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                    (c >= '0' && c <= '9')))
            return false;
    }
    return true;
}

/* value NULL: set, but to what only the machine knows. */
static int set_var(struct grub *g, const char *name, const char *value)
{
    char *copy = value ? strdup(value) : NULL;
    struct var *v = find_var(g, name);

    if (value && !copy)
        return err_set(g->err, ERR_MEMORY, "no memory for GRUB's variables");
    if (!v && g->n_vars < VARS_MAX && is_var_name(name)) {
        v = &g->var[g->n_vars++];
        *v = (struct var){.value = NULL};
        memcpy(v->name, name, strlen(name) + 1);
    }
    if (!v) {
        free(copy);
        return err_set(g->err, ERR_LIMIT, "GRUB variable '%.40s'", name);
    }
    free(v->value);
    v->value = copy;
    return 0;
}

/* ---- words ----------------------------------------------------------- */

static void take(struct source *s, size_t n)
{
    s->left = SPAN(s->left.ptr + n, s->left.len - n);
}

static char peek(const struct source *s)
{
    return s->left.len ? (char)s->left.ptr[0] : '\n';
}

/* $NAME or ${NAME}, with the dollar taken; in double quotes or without. */
static int put_var(
        struct grub *g, struct source *s, bool quoted, struct buf *word)
{
    char name[NAME_LEN + 1] = {0};
    bool brace = peek(s) == '{';
    size_t n = 0;
    struct var *v;

    if (brace)
        take(s, 1);
    while (n < NAME_LEN && s->left.len) {
        name[n] = peek(s);
        if (!is_var_name(name)) {
            name[n] = 0;
            break;
        }
        n++;
        take(s, 1);
    }
    if (brace && peek(s) != '}')
        return unsupported(g, s, "a variable's name");
    if (brace)
        take(s, 1);
    v = find_var(g, name);
    if (!v || !v->value)
        return unsupported(
                g, s, "a variable whose value is not set to a text before");
    if (!quoted && (v->value[0] == 0 || strpbrk(v->value, " \t*?\\")))
        return unsupported(
                g, s, "a variable that becomes no word or several: quote it");
    buf_append_str(word, v->value);
    return 0;
}

static int put_quoted(struct grub *g, struct source *s, struct buf *word)
{
    int r = 0;

    while (r == 0 && s->left.len && peek(s) != '"') {
        char c = peek(s);

        take(s, 1);
        if (c == '\n')
            return unsupported(g, s, "a text over several lines");
        if (c == '\\' && s->left.len && strchr("\"\\$", peek(s))) {
            buf_append_u8(word, (uint8_t)peek(s));
            take(s, 1);
        } else if (c == '$') {
            r = put_var(g, s, true, word);
        } else {
            buf_append_u8(word, (uint8_t)c);
        }
    }
    if (r == 0 && !s->left.len)
        return unsupported(g, s, "a text without its end");
    if (r == 0)
        take(s, 1);
    return r;
}

static int put_literal(struct grub *g, struct source *s, struct buf *word)
{
    const uint8_t *end = memchr(s->left.ptr, '\'', s->left.len);
    size_t n = end ? (size_t)(end - s->left.ptr) : 0;

    if (!end || memchr(s->left.ptr, '\n', n))
        return unsupported(g, s, "a text without its end on the line");
    buf_append(word, SPAN(s->left.ptr, n));
    take(s, n + 1);
    return 0;
}

static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == ';';
}

static int put_plain(struct grub *g, struct source *s, struct buf *word)
{
    char c = peek(s);

    take(s, 1);
    if (c == '\'')
        return put_literal(g, s, word);
    if (c == '"')
        return put_quoted(g, s, word);
    if (c == '$')
        return put_var(g, s, false, word);
    if (c == '\\')
        return unsupported(g, s, "a backslash outside of quotes");
    if (strchr("{}|&<>*?", c))
        return unsupported(g, s,
                "blocks, pipes, lists and patterns (that is: menu entries, "
                "conditions, functions)");
    if (c < 0x20 || c > 0x7e)
        return unsupported(g, s, "a character that is not ASCII");
    buf_append_u8(word, (uint8_t)c);
    return 0;
}

static int get_word(struct grub *g, struct source *s)
{
    struct buf word = BUF_INIT(WORD_MAX);
    int r = 0;

    if (g->n_words == WORDS_MAX)
        return unsupported(g, s, "more words than any command has");
    while (r == 0 && !ends_word(peek(s)))
        r = put_plain(g, s, &word);
    /* So that a word without characters is one. */
    buf_append_u8(&word, 0);
    if (r == 0)
        r = buf_ok(&word, g->err);
    if (r == 0)
        g->word[g->n_words++] = (char *)word.ptr;
    else
        buf_fini(&word);
    return r;
}

static void drop_words(struct grub *g)
{
    for (size_t i = 0; i < g->n_words; i++)
        free(g->word[i]);
    g->n_words = 0;
}

/* The words of the next command, none for an empty one. */
static int get_command(struct grub *g, struct source *s)
{
    int r = 0;

    drop_words(g);
    while (r == 0 && s->left.len) {
        char c = peek(s);

        if (c == '\n' || c == ';')
            break;
        if (c == '#') {
            while (s->left.len && peek(s) != '\n')
                take(s, 1);
        } else if (ends_word(c)) {
            take(s, 1);
        } else {
            r = get_word(g, s);
        }
    }
    return r;
}

/* ---- events ---------------------------------------------------------- */

/* Words from one on, as a loader passes them or as the shell had them. */
static int add_words(
        struct grub *g, const char *kind, size_t from, bool is_loader)
{
    CLEANUP(buf_fini) struct buf text = BUF_INIT(WORDS_MAX * WORD_MAX);
    struct span all;
    int r;

    for (size_t i = from; i < g->n_words; i++) {
        bool quote = is_loader && strchr(g->word[i], ' ');

        if (i > from)
            buf_append_u8(&text, ' ');
        if (quote)
            buf_append_u8(&text, '"');
        for (const char *c = g->word[i]; *c; c++) {
            if (is_loader && strchr("\\'\"", *c))
                buf_append_u8(&text, '\\');
            buf_append_u8(&text, (uint8_t)*c);
        }
        if (quote)
            buf_append_u8(&text, '"');
    }
    r = buf_ok(&text, g->err);
    all = buf_span(&text);
    return r == 0 ? predict_add(g->p, 8, &all, 1, g->err, "EV_IPL %s: %.*s",
                            kind, (int)all.len,
                            all.ptr ? (const char *)all.ptr : "")
                  : r;
}

/* "(hd0,gpt1)/xen" and "/xen" are the same file of ours. */
static const char *without_device(const char *name)
{
    const char *end = name[0] == '(' ? strchr(name, ')') : NULL;

    return end ? end + 1 : name;
}

static int open_file(struct grub *g, const struct source *s, const char *name,
        const struct predict_file **ret)
{
    for (size_t i = 0; i < g->in->n_files; i++) {
        const struct predict_file *f = &g->in->files[i];

        if (strcmp(f->name, without_device(name)) != 0)
            continue;
        if (ret)
            *ret = f;
        return predict_add(g->p, 9, &f->data, 1, g->err,
                "EV_IPL file %s, %zu bytes", name, f->data.len);
    }
    return err_set(g->err, ERR_NOT_FOUND,
            "%s line %u: opens '%.60s', which "
            "was not given",
            s->name, s->line, name);
}

/* ---- commands -------------------------------------------------------- */

static int do_nothing(struct grub *g, const struct source *s)
{
    (void)g;
    (void)s;
    return 0;
}

static int assign(struct grub *g, const struct source *s, const char *text)
{
    const char *equal = strchr(text, '=');
    char name[NAME_LEN + 1] = {0};

    if (!equal || (size_t)(equal - text) > NAME_LEN)
        return unsupported(g, s, "an assignment needs NAME=VALUE");
    memcpy(name, text, (size_t)(equal - text));
    if (!is_var_name(name))
        return unsupported(g, s, "a variable's name");
    return set_var(g, name, equal + 1);
}

static int do_set(struct grub *g, const struct source *s)
{
    return g->n_words == 2 ? assign(g, s, g->word[1])
                           : unsupported(g, s, "set takes one NAME=VALUE");
}

static int do_unset(struct grub *g, const struct source *s)
{
    return g->n_words == 2 ? set_var(g, g->word[1], NULL)
                           : unsupported(g, s, "unset takes one name");
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* A search by file opens it; the device that it finds is the machine's. */
static int do_search(struct grub *g, const struct source *s)
{
    const char *name = NULL, *var = NULL;
    bool by_file = false, by_name = false;
    int r;

    for (size_t i = 1; i < g->n_words; i++) {
        const char *w = g->word[i];

        if (strncmp(w, "--set=", 6) == 0)
            var = w + 6;
        else if (is_one_of(w, "--file", "-f"))
            by_file = true;
        else if (is_one_of(w, "--label", "-l") ||
                 is_one_of(w, "--fs-uuid", "-u"))
            by_name = true;
        else if (!is_one_of(w, "--no-floppy", "-n") &&
                 strncmp(w, "--hint", 6) != 0 && (w[0] == '-' || name))
            return unsupported(g, s, "an option of search");
        else if (w[0] != '-')
            name = w;
    }
    if (!name || !var || by_file == by_name)
        return unsupported(g, s,
                "search takes --set=NAME, one of --file, --label, "
                "--fs-uuid, and what to look for");
    r = set_var(g, var, NULL);
    return r == 0 && by_file ? open_file(g, s, name, NULL) : r;
}

static int do_linux(struct grub *g, const struct source *s)
{
    int r;

    if (g->n_words < 2)
        return unsupported(g, s, "a loader without a file");
    r = open_file(g, s, g->word[1], NULL);
    if (r == 0)
        r = add_words(g, "kernel_cmdline", 1, true);
    g->is_loaded = true;
    return r;
}

static int load_with(struct grub *g, const struct source *s, const char *kind)
{
    int r;

    if (g->n_words < 2 || g->word[1][0] == '-')
        return unsupported(g, s, "a loader without a file, or with options");
    r = open_file(g, s, g->word[1], NULL);
    return r == 0 ? add_words(g, kind, 2, true) : r;
}

static int do_multiboot(struct grub *g, const struct source *s)
{
    g->is_loaded = true;
    return load_with(g, s, "kernel_cmdline");
}

static int do_module(struct grub *g, const struct source *s)
{
    return load_with(g, s, "module_cmdline");
}

static int do_open(struct grub *g, const struct source *s)
{
    int r = g->n_words < 2 ? unsupported(g, s, "a file to open") : 0;

    for (size_t i = 1; i < g->n_words && r == 0; i++) {
        if (g->word[i][0] == '-' || strncmp(g->word[i], "newc:", 5) == 0)
            r = unsupported(g, s, "an option of a command that opens files");
        else
            r = open_file(g, s, g->word[i], NULL);
    }
    return r;
}

static int do_chainloader(struct grub *g, const struct source *s)
{
    g->is_loaded = true;
    return g->n_words == 2 ? do_open(g, s)
                           : unsupported(g, s, "chainloader takes one file");
}

static int do_source(struct grub *g, const struct source *s)
{
    const struct predict_file *f = NULL;
    int r;

    if (g->n_words != 2 || g->depth == PREDICT_GRUB_DEPTH)
        return unsupported(g, s, "source takes one file, four deep at most");
    r = open_file(g, s, g->word[1], &f);
    return r == 0 ? run(g, f) : r;
}

static int do_boot(struct grub *g, const struct source *s)
{
    if (!g->is_loaded)
        return unsupported(g, s, "boot before anything is loaded");
    g->is_booted = true;
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct grub *g, const struct source *s);
} commands[] = {
        {".", do_source},
        {"boot", do_boot},
        {"chainloader", do_chainloader},
        {"echo", do_nothing},
        {"export", do_nothing},
        {"initrd", do_open},
        {"initrdefi", do_open},
        {"linux", do_linux},
        {"linuxefi", do_linux},
        {"loadfont", do_open},
        {"module", do_module},
        {"module2", do_module},
        {"multiboot", do_multiboot},
        {"multiboot2", do_multiboot},
        {"search", do_search},
        {"set", do_set},
        {"sleep", do_nothing},
        {"source", do_source},
        {"terminal_input", do_nothing},
        {"terminal_output", do_nothing},
        {"true", do_nothing},
        {"unset", do_unset},
};

static int run_command(struct grub *g, const struct source *s)
{
    int r = add_words(g, "grub_cmd", 0, false);

    if (r != 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, g->word[0]) == 0)
            return commands[i].run(g, s);
    }
    if (strchr(g->word[0], '='))
        return assign(g, s, g->word[0]);
    return err_set(g->err, ERR_UNSUPPORTED,
            "%s line %u: what '%.40s' does to PCR 8 and 9 is not known",
            s->name, s->line, g->word[0]);
}

static int run(struct grub *g, const struct predict_file *config)
{
    struct source s = {.name = config->name, .left = config->data, .line = 1};
    int r = 0;

    if (config->data.len > CONFIG_MAX)
        return err_set(g->err, ERR_LIMIT, "%s has %zu bytes", config->name,
                config->data.len);
    g->depth++;
    while (r == 0 && s.left.len && !g->is_booted) {
        r = get_command(g, &s);
        if (r == 0 && g->n_words)
            r = run_command(g, &s);
        if (s.left.len) {
            s.line += peek(&s) == '\n';
            take(&s, 1);
        }
    }
    g->depth--;
    return r;
}

int predict_grub(
        struct predict *p, const struct predict_grub *in, struct err *err)
{
    struct grub g = {.p = p, .in = in, .err = err};
    size_t n = p->n;
    uint32_t had = p->pcrs;
    int r = 0;

    if (!in->config_is_embedded)
        r = predict_add(p, 9, &in->config.data, 1, err,
                "EV_IPL file %s, %zu bytes", in->config.name,
                in->config.data.len);
    if (r == 0)
        r = run(&g, &in->config);
    if (r == 0 && !g.is_booted)
        r = err_set(err, ERR_UNSUPPORTED,
                "%s ends without boot: a person would choose", in->config.name);
    drop_words(&g);
    for (size_t i = 0; i < g.n_vars; i++)
        free(g.var[i].value);
    if (r != 0)
        predict_rewind(p, n, had);
    return r;
}
