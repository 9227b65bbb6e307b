/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads policy files (docs/policy.md).  policy_parse.c walks files, includes
 * and directives; policy_rule.c reads one rule.
 */
#include "policy_rule.h"

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A parse's state; one for all files. */
struct parse {
    struct policy *p;
    const struct policy_files *files;
    size_t bytes; /* read so far, with repetition by includes */
    struct err *err;
};

/* One file being read, and the one that included it. */
struct frame {
    const struct frame *up;
    const struct policy_file *file;
    struct span name; /* copy that outlives the parse */
    unsigned depth;
    unsigned line;
    unsigned root; /* where the include chain began */
    bool service;  /* old form: lines without service and argument */
    struct span of_service, of_argument;
};

static struct span label_of(const struct policy_file *file)
{
    return file->label.len ? file->label : file->name;
}

static int fail(const struct parse *ps, const struct frame *f, int code,
        const char *fmt, ...) PRINTF_LIKE(4, 5);

static int fail(const struct parse *ps, const struct frame *f, int code,
        const char *fmt, ...)
{
    char text[ERR_MSG_MAX], name[128];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text_format_safe(label_of(f->file), name, sizeof(name));
    return err_set(ps->err, code, "%s:%u: %s", name, f->line, text);
}

static const struct policy_file *find_file(
        const struct parse *ps, unsigned root, struct span name)
{
    bool compat = root == POLICY_ROOT_COMPAT;
    const struct policy_file *v = compat ? ps->files->compat : ps->files->files;
    size_t n = compat ? ps->files->n_compat : ps->files->n_files;

    for (size_t i = 0; i < n; i++) {
        if (span_eq(v[i].name, name))
            return &v[i];
    }
    return NULL;
}

/* ---- files -------------------------------------------------------------- */

static int read_file(struct parse *ps, struct frame *f);

static int check_frame(const struct parse *ps, const struct frame *f)
{
    const struct frame *up = f->up;

    for (const struct frame *g = up; g; g = g->up) {
        if (g->file == f->file)
            return fail(ps, up, ERR_SYNTAX, "'%.*s' includes itself",
                    (int)f->file->name.len, f->file->name.ptr);
    }
    if (f->depth > LIMIT_POLICY_INCLUDE_DEPTH)
        return fail(ps, up, ERR_LIMIT, "includes are over %d deep",
                LIMIT_POLICY_INCLUDE_DEPTH);
    if (f->file->text.len > LIMIT_CONF_FILE_MAX)
        return fail(
                ps, f, ERR_LIMIT, "file is over %u bytes", LIMIT_CONF_FILE_MAX);
    if (ps->bytes > LIMIT_POLICY_BYTES_MAX)
        return fail(ps, f, ERR_LIMIT, "includes add up to over %u bytes",
                LIMIT_POLICY_BYTES_MAX);
    if (!text_is_utf8(f->file->text))
        return fail(ps, f, ERR_SYNTAX, "file is not UTF-8 text");
    return 0;
}

static int open_file(struct parse *ps, const struct frame *up,
        const struct policy_file *file, struct frame *f)
{
    int r;

    f->up = up;
    f->file = file;
    f->depth = up ? up->depth + 1 : 0;
    f->line = 0;
    if (!up)
        f->root = file->root;
    ps->bytes += file->text.len + 1;
    r = check_frame(ps, f);
    if (r < 0)
        return r;
    if (!policy_arena_copy(&ps->p->arena, label_of(file), &f->name))
        return fail(ps, f, ERR_MEMORY, "out of memory");
    return read_file(ps, f);
}

static int cmp_file(const void *a, const void *b)
{
    return policy_name_cmp((*(const struct policy_file *const *)a)->name,
            (*(const struct policy_file *const *)b)->name);
}

/* Is it one of a folder's "*.policy"?  base is its name there. */
static int is_taken(const struct parse *ps, struct span base, bool *ret)
{
    char safe[64];

    *ret = base.len > 0 && base.ptr[0] != '.' &&
           policy_name_has_suffix(base, ".policy");
    if (!*ret || policy_name_is_file(base))
        return 0;
    text_format_safe(base, safe, sizeof(safe));
    return err_set(ps->err, ERR_SYNTAX,
            "%s: a policy file's name may have only a-z 0-9 _ . -", safe);
}

static int read_sorted(struct parse *ps, const struct frame *up,
        const struct policy_file **files, size_t n)
{
    int r = 0;

    qsort(files, n, sizeof(struct policy_file *), cmp_file);
    for (size_t i = 0; i < n && r == 0; i++) {
        struct frame f = {.root = up ? up->root : 0};

        r = open_file(ps, up, files[i], &f);
    }
    return r;
}

/*
 * All of a folder's "*.policy", sorted by name.  dir is empty or ends in '/'.
 * ERR_NOT_FOUND when no file at all lies there.
 */
static int read_dir(struct parse *ps, const struct frame *up, struct span dir)
{
    const struct policy_files *all = ps->files;
    CLEANUP(buf_free_ptr)
    const struct policy_file **taken =
            calloc(all->n_files + 1, sizeof(struct policy_file *));
    bool exists = dir.len == 0;
    size_t n = 0;

    if (!taken)
        return err_set(ps->err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < all->n_files; i++) {
        struct span name = all->files[i].name;
        bool take;
        int r = is_taken(ps, policy_name_in_dir(name, dir), &take);

        if (r < 0)
            return r;
        exists |= policy_name_has_prefix(name, dir);
        if (take)
            taken[n++] = &all->files[i];
    }
    return exists ? read_sorted(ps, up, taken, n) : ERR_NOT_FOUND;
}

/* The same of a folder that the finder lists. */
static int read_found_dir(
        struct parse *ps, const struct frame *f, struct span path)
{
    const struct policy_finder *finder = ps->files->finder;
    const struct policy_file *const *list = NULL;
    CLEANUP(buf_free_ptr) const struct policy_file **taken = NULL;
    size_t n_list = 0, n = 0;
    struct err why = {.code = 0};
    int r = finder->dir(finder->ctx, f->root, path, &list, &n_list, &why);

    if (r < 0)
        return fail(ps, f, r, "%s", why.msg);
    taken = calloc(n_list + 1, sizeof(struct policy_file *));
    if (!taken)
        return fail(ps, f, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n_list; i++) {
        struct span name = list[i]->name;
        const uint8_t *slash = memrchr(name.ptr, '/', name.len);
        size_t dir = slash ? (size_t)(slash - name.ptr) + 1 : 0;
        bool take;

        r = is_taken(ps, SPAN(name.ptr + dir, name.len - dir), &take);
        if (r < 0)
            return r;
        if (take)
            taken[n++] = list[i];
    }
    return read_sorted(ps, f, taken, n);
}

/* ---- directives --------------------------------------------------------- */

#define PATH_CAP 512

static int resolve(const struct parse *ps, const struct frame *f,
        struct span path, char *buf, struct span *ret)
{
    size_t len;

    if (!policy_name_normalise(path, buf, PATH_CAP, &len))
        return fail(ps, f, ERR_SYNTAX, "'%.*s' is not inside the policy folder",
                (int)path.len, path.ptr);
    *ret = SPAN(buf, len);
    return 0;
}

static int find_include(const struct parse *ps, const struct frame *f,
        struct span path, const struct policy_file **ret)
{
    const struct policy_finder *finder = ps->files->finder;
    struct span name = SPAN_EMPTY;
    struct err why = {.code = 0};
    char buf[PATH_CAP];
    int r;

    if (finder) {
        r = finder->file(finder->ctx, f->root, path, ret, &why);
        return r < 0 ? fail(ps, f, r, "%s", why.msg) : 0;
    }
    r = resolve(ps, f, path, buf, &name);
    if (r < 0)
        return r;
    *ret = find_file(ps, f->root, name);
    if (!*ret)
        return fail(ps, f, ERR_SYNTAX, "no file '%.*s' to include",
                (int)path.len, path.ptr);
    return 0;
}

static int include_file(struct parse *ps, const struct frame *f,
        struct span path, struct frame *next)
{
    const struct policy_file *file = NULL;
    int r = find_include(ps, f, path, &file);

    if (r < 0)
        return r;
    next->root = f->root;
    return open_file(ps, f, file, next);
}

static int do_include(
        struct parse *ps, const struct frame *f, const struct span *words)
{
    struct frame next = {.service = f->service,
            .of_service = f->of_service,
            .of_argument = f->of_argument};

    return include_file(ps, f, words[1], &next);
}

static int do_include_dir(
        struct parse *ps, const struct frame *f, const struct span *words)
{
    struct span dir = SPAN_EMPTY;
    char buf[PATH_CAP];
    int r;

    if (ps->files->finder)
        return read_found_dir(ps, f, words[1]);
    r = resolve(ps, f, words[1], buf, &dir);
    if (r < 0)
        return r;
    if (dir.len > 0) { /* PATH_CAP leaves room: the path was shorter */
        buf[dir.len] = '/';
        dir.len++;
    }
    r = read_dir(ps, f, dir);
    if (r == ERR_NOT_FOUND)
        return fail(ps, f, ERR_SYNTAX, "no folder '%.*s' to include",
                (int)words[1].len, words[1].ptr);
    return r;
}

static int do_include_service(
        struct parse *ps, const struct frame *f, const struct span *words)
{
    struct frame next = {
            .service = true, .of_service = words[1], .of_argument = words[2]};
    struct err why;

    if (policy_rule_check_service(words[1], words[2], &why) < 0)
        return fail(ps, f, ERR_SYNTAX, "%s", why.msg);
    return include_file(ps, f, words[3], &next);
}

static int do_compat(
        struct parse *ps, const struct frame *f, const struct span *words);

#define WORDS_MAX 16

static const struct directive {
    const char *name;
    size_t n_words;
    bool in_service; /* allowed in files of the old form */
    int (*run)(
            struct parse *ps, const struct frame *f, const struct span *words);
} directives[] = {
        {"!include", 2, true, do_include},
        {"!include-dir", 2, false, do_include_dir},
        {"!include-service", 4, false, do_include_service},
        {"!compat-4.0", 1, false, do_compat},
};

static int run_directive(struct parse *ps, const struct frame *f,
        const struct span *words, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
        const struct directive *d = &directives[i];

        if (!span_eq_str(words[0], d->name) || (f->service && !d->in_service))
            continue;
        if (n != d->n_words)
            return fail(ps, f, ERR_SYNTAX, "%s takes %zu words, not %zu",
                    d->name, d->n_words - 1, n - 1);
        return d->run(ps, f, words);
    }
    return fail(ps, f, ERR_SYNTAX, "no directive '%.*s' here",
            (int)words[0].len, words[0].ptr);
}

/* ---- !compat-4.0 --------------------------------------------------------- */

struct legacy {
    const struct policy_file *file;
    struct span service, argument; /* "*" when the name has none */
};

static bool is_legacy_name(struct span name)
{
    static const char *const skipped[] = {".rpmsave", ".rpmnew", ".swp"};

    if (name.len == 0 || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(skipped); i++) {
        if (policy_name_has_suffix(name, skipped[i]))
            return false;
    }
    return true;
}

/* By service, then argument; the file without argument last. */
static int cmp_legacy(const void *a, const void *b)
{
    const struct legacy *x = a, *y = b;
    bool x_any = span_eq_str(x->argument, "*");
    bool y_any = span_eq_str(y->argument, "*");
    int c = policy_name_cmp(x->service, y->service);

    if (c == 0)
        c = x_any - y_any;
    return c ? c : policy_name_cmp(x->argument, y->argument);
}

static size_t list_legacy(const struct parse *ps, struct legacy *list)
{
    size_t n = 0;

    for (size_t i = 0; i < ps->files->n_compat; i++) {
        const struct policy_file *file = &ps->files->compat[i];
        struct span name = file->name;
        const uint8_t *plus = memchr(name.ptr, '+', name.len);
        size_t len = plus ? (size_t)(plus - name.ptr) : name.len;
        struct legacy l = {.file = file,
                .service = SPAN(name.ptr, len),
                .argument = plus ? SPAN(plus, name.len - len) : span_str("*")};

        /* Files that are not named like a service were ignored too. */
        if (is_legacy_name(name) &&
                policy_rule_check_service(l.service, l.argument, NULL) == 0)
            list[n++] = l;
    }
    qsort(list, n, sizeof(*list), cmp_legacy);
    return n;
}

static int add_rule(struct parse *ps, const struct frame *f, struct span line,
        const struct span *words, size_t n)
{
    struct err why = {.code = 0};
    int r = policy_rule_add(ps->p, f->name, f->line, line, words, n, &why);

    return r < 0 ? fail(ps, f, r, "%s", why.msg) : 0;
}

/* What was implied behind the file of one argument. */
static int deny_rest(struct parse *ps, const struct frame *f)
{
    static const char *const targets[] = {"@anyvm", "@adminvm"};
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(targets) && r == 0; i++) {
        const struct span words[] = {f->of_service, f->of_argument,
                span_str("@anyvm"), span_str(targets[i]), span_str("deny")};

        r = add_rule(ps, f, span_str("(implied by !compat-4.0)"), words,
                ARRAY_LEN(words));
    }
    return r;
}

static int do_compat(
        struct parse *ps, const struct frame *f, const struct span *words)
{
    CLEANUP(buf_free_ptr)
    struct legacy *list = calloc(ps->files->n_compat + 1, sizeof(*list));
    size_t n;
    int r = 0;

    (void)words;
    if (!list)
        return fail(ps, f, ERR_MEMORY, "out of memory");
    if (ps->files->no_compat)
        return fail(ps, f, ERR_SYNTAX, "%s", ps->files->no_compat);
    n = list_legacy(ps, list);
    for (size_t i = 0; i < n && r == 0; i++) {
        struct frame next = {.root = POLICY_ROOT_COMPAT,
                .service = true,
                .of_service = list[i].service,
                .of_argument = list[i].argument};

        r = open_file(ps, f, list[i].file, &next);
        if (r == 0 && !span_eq_str(list[i].argument, "*"))
            r = deny_rest(ps, &next);
    }
    return r;
}

/* ---- lines --------------------------------------------------------------- */

/* Space and tab separate; whatever else looks like space is refused. */
static int check_bytes(
        const struct parse *ps, const struct frame *f, struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];

        if (c != '\t' && (c < 0x20 || c > 0x7e))
            return fail(ps, f, ERR_SYNTAX,
                    "byte 0x%02x: rules are printable ASCII, space and tab", c);
    }
    return 0;
}

static size_t split(struct span line, struct span *words)
{
    size_t n = 0;

    while (n < WORDS_MAX && text_next_word(&line, &words[n]))
        n++;
    return n;
}

/*
 * The old form: "$include:" is "!include ", "$" is "@" and a comma separates.
 * buf is LIMIT_CONF_LINE_MAX long.
 */
static struct span modernise(struct span line, uint8_t *buf)
{
    static const char old[] = "$include:", now[] = "!include ";
    size_t n = strlen(old);

    memcpy(buf, line.ptr, line.len);
    if (line.len >= n && memcmp(buf, old, n) == 0)
        memcpy(buf, now, n);
    for (size_t i = 0; i < line.len; i++) {
        if (buf[i] == '$')
            buf[i] = '@';
        else if (buf[i] == ',')
            buf[i] = ' ';
    }
    return SPAN(buf, line.len);
}

/* line is trimmed, neither empty nor a comment. */
static int read_line(struct parse *ps, const struct frame *f, struct span line)
{
    uint8_t buf[LIMIT_CONF_LINE_MAX];
    struct span words[WORDS_MAX + 2];
    struct span *first = words;
    size_t n;

    if (f->service) {
        words[0] = f->of_service;
        words[1] = f->of_argument;
        first = words + 2;
    }
    n = split(f->service ? modernise(line, buf) : line, first);
    if (n == WORDS_MAX)
        return fail(ps, f, ERR_SYNTAX, "too many words");
    if (n > 0 && first[0].ptr[0] == '!')
        return run_directive(ps, f, first, n);
    return add_rule(ps, f, line, words, n + (size_t)(first - words));
}

static int read_file(struct parse *ps, struct frame *f)
{
    struct text_lines lines = text_lines_of(f->file->text);
    struct span line;
    int r = 0;

    while (r == 0 && text_next_line(&lines, &line)) {
        f->line = lines.line;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len > LIMIT_CONF_LINE_MAX)
            return fail(ps, f, ERR_LIMIT, "line is over %d bytes",
                    LIMIT_CONF_LINE_MAX);
        if (line.len > 0 && memchr(line.ptr, '\r', line.len))
            return fail(ps, f, ERR_SYNTAX, "carriage return inside a line");
        line = text_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        r = check_bytes(ps, f, line);
        if (r == 0)
            r = read_line(ps, f, line);
    }
    return r;
}

static int check_unique(
        const struct policy_file *files, size_t n, struct err *err)
{
    CLEANUP(buf_free_ptr)
    const struct policy_file **v = calloc(n + 1, sizeof(struct policy_file *));

    if (!v)
        return err_set(err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        v[i] = &files[i];
    qsort(v, n, sizeof(struct policy_file *), cmp_file);
    for (size_t i = 1; i < n; i++) {
        char name[64];

        if (cmp_file(&v[i - 1], &v[i]) != 0)
            continue;
        text_format_safe(v[i]->name, name, sizeof(name));
        return err_set(err, ERR_EXISTS, "two files are named '%s'", name);
    }
    return 0;
}

int policy_parse(
        struct policy *p, const struct policy_files *files, struct err *err)
{
    struct parse ps = {.p = p, .files = files, .err = err};
    int r = check_unique(files->files, files->n_files, err);

    if (r == 0)
        r = check_unique(files->compat, files->n_compat, err);
    return r < 0 ? r : read_dir(&ps, NULL, SPAN_EMPTY);
}
