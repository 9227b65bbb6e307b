/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: from text and back. */
#include "rules_private.h"

#include <stdlib.h>

static const char *const op_names[RULES_OP_COUNT] = {
        [RULES_IS] = "is",
        [RULES_IS_NOT] = "is not",
        [RULES_IN] = "in",
        [RULES_NOT_IN] = "not in",
        [RULES_AT_LEAST] = "at least",
        [RULES_AT_MOST] = "at most",
};

const char *rules_op_name(enum rules_op op)
{
    return op > 0 && op < RULES_OP_COUNT ? op_names[op] : "unknown";
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    free(r->line);
    free(r->set);
    free(r->bytes);
    free(r);
}

void rules_free_ptr(struct rules **r)
{
    rules_free(*r);
}

/* Two rows of the table of prefixes: all that Levenshtein needs. */
size_t rules_distance(struct span a, struct span b)
{
    size_t row[RULES_SET_NAME_MAX + 2];

    if (a.len > RULES_SET_NAME_MAX || b.len > RULES_SET_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            corner = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len];
}

/* ---- reading --------------------------------------------------------- */

struct parser {
    struct rules *r;
    size_t lines_max; /* that r->line holds */
    unsigned at;      /* line of the text */
    struct err *err;
};

static bool takes_word(struct span *rest, const char *word)
{
    struct span next = *rest, got;

    if (!text_next_word(&next, &got) || !span_eq_str(got, word))
        return false;
    *rest = next;
    return true;
}

/* In this order: "is not" before "is", "not in" before a claim's own "not". */
static bool parse_op(struct span *rest, enum rules_op *ret)
{
    static const struct {
        const char *first, *second;
        enum rules_op op;
    } ops[] = {
            {"is", "not", RULES_IS_NOT},
            {"is", NULL, RULES_IS},
            {"in", NULL, RULES_IN},
            {"not", "in", RULES_NOT_IN},
            {"at", "least", RULES_AT_LEAST},
            {"at", "most", RULES_AT_MOST},
    };

    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        struct span s = *rest;

        if (!takes_word(&s, ops[i].first) ||
                (ops[i].second && !takes_word(&s, ops[i].second)))
            continue;
        *rest = s;
        *ret = ops[i].op;
        return true;
    }
    return false;
}

static bool is_ordered(enum claim_type t)
{
    return t == CLAIM_NUMBER || t == CLAIM_VERSION || t == CLAIM_VECTOR;
}

static int parse_set(struct rules *r, struct span name, struct err *err)
{
    char shown[80];

    if (!text_is_name(name, RULES_SET_NAME_MAX)) {
        text_format_safe(name, shown, sizeof(shown));
        return err_set(err, ERR_SYNTAX,
                "'%s' is not the name of a set: [a-z0-9._-], at most %d", shown,
                RULES_SET_NAME_MAX);
    }
    if (r->n_sets == RULES_SETS_MAX)
        return err_set(
                err, ERR_LIMIT, "more than %d sets are named", RULES_SETS_MAX);
    memcpy(r->set[r->n_sets++], name.ptr, name.len);
    return 0;
}

/* "a or b or c" */
static int parse_sets(struct rules *r, struct span rest, struct rules_line *l,
        struct err *err)
{
    struct span name = SPAN_EMPTY;
    int rc;

    l->first_set = r->n_sets;
    do {
        if (!text_next_word(&rest, &name))
            name = SPAN_EMPTY;
        rc = parse_set(r, name, err);
        l->n_sets++;
    } while (rc == 0 && takes_word(&rest, "or"));
    if (rc == 0 && text_next_word(&rest, &name))
        return err_set(err, ERR_SYNTAX,
                "between sets comes 'or', and nothing behind them");
    return rc;
}

static int parse_right_side(
        struct parser *p, struct span rest, struct rules_line *l)
{
    uint8_t *room = p->r->bytes + p->r->n_bytes;
    int r;

    if (l->op == RULES_IN || l->op == RULES_NOT_IN)
        return parse_sets(p->r, rest, l, p->err);
    if ((l->op == RULES_AT_LEAST || l->op == RULES_AT_MOST) &&
            !is_ordered(l->def->type))
        return err_set(p->err, ERR_SYNTAX,
                "%s is %s: it is neither more nor less than another", l->name,
                claims_type_name(l->def->type));
    r = claims_parse_value(rest, l->def, room, &l->value, p->err);
    if (r == 0)
        p->r->n_bytes += l->value.bytes.len;
    return r;
}

static int unknown_claim(struct span name, struct err *err)
{
    const char *near = claims_suggest(name);
    char shown[80];

    text_format_safe(name, shown, sizeof(shown));
    return err_set(err, ERR_SYNTAX, "there is no claim '%s'%s%s%s", shown,
            *near ? "; did you mean " : "", near,
            *near ? "?" : " (qair attest claims)");
}

static int parse_rule(struct parser *p, struct span name, struct span rest)
{
    struct rules *r = p->r;
    struct rules_line l = {.line = p->at, .def = claims_find(name)};
    int rc;

    if (!l.def)
        return unknown_claim(name, p->err);
    if (r->n_states == 0)
        return err_set(p->err, ERR_SYNTAX, "before it comes 'state NAME'");
    if (r->n_lines == p->lines_max)
        return err_set(
                p->err, ERR_LIMIT, "more than %d lines", RULES_LINES_MAX);
    memcpy(l.name, name.ptr, name.len);
    if (!parse_op(&rest, &l.op))
        return err_set(p->err, ERR_SYNTAX,
                "behind %s comes is, is not, in, not in, at least or at most",
                l.name);
    rc = parse_right_side(p, text_trim(rest), &l);
    if (rc != 0)
        return rc;
    r->line[r->n_lines++] = l;
    r->state[r->n_states - 1].n++;
    return 0;
}

/* A state without lines would be anything. */
static int end_state(struct parser *p)
{
    const struct rules *r = p->r;
    const struct rules_state *s =
            r->n_states ? &r->state[r->n_states - 1] : NULL;

    if (s && s->n == 0)
        return err_set(p->err, ERR_SYNTAX,
                "state %s, line %u, has no lines: anything would be it",
                s->name, s->line);
    return 0;
}

static int parse_state(struct parser *p, struct span rest)
{
    struct rules *r = p->r;
    struct span name = text_trim(rest);
    struct rules_state *s;
    int rc = end_state(p);

    if (rc != 0)
        return rc;
    if (!text_is_name(name, RULES_STATE_MAX))
        return err_set(p->err, ERR_SYNTAX,
                "a state is named in [a-z0-9._-], at most %d", RULES_STATE_MAX);
    for (size_t i = 0; i < r->n_states; i++) {
        if (span_eq_str(name, r->state[i].name))
            return err_set(p->err, ERR_SYNTAX, "state %s is on line %u already",
                    r->state[i].name, r->state[i].line);
    }
    if (r->n_states == RULES_STATES_MAX)
        return err_set(
                p->err, ERR_LIMIT, "more than %d states", RULES_STATES_MAX);
    s = &r->state[r->n_states++];
    s->line = p->at;
    s->first = r->n_lines;
    memcpy(s->name, name.ptr, name.len);
    return 0;
}

/* The line without its comment; '#' inside of quotes is none. */
static struct span without_comment(struct span line)
{
    bool quoted = false;

    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];

        if (c == '#' && !quoted)
            return SPAN(line.ptr, i);
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
    }
    return line;
}

/* What is seen is what was signed: no other script, no direction marks. */
static bool is_plain(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];

        if (c != '\t' && (c < 0x20 || c >= 0x7f))
            return false;
    }
    return true;
}

static int parse_line(struct parser *p, struct span line)
{
    struct span rest = text_trim(without_comment(line)), first;

    if (!is_plain(line))
        return err_set(p->err, ERR_SYNTAX, "has a byte that is not ASCII text");
    if (!text_next_word(&rest, &first))
        return 0;
    if (span_eq_str(first, "state"))
        return parse_state(p, rest);
    return parse_rule(p, first, rest);
}

static int parse_lines(struct parser *p, struct span text)
{
    struct text_lines lines = text_lines_of(text);
    struct span line;
    int r = 0;

    while (r == 0 && text_next_line(&lines, &line)) {
        p->at = lines.line;
        r = parse_line(p, line);
    }
    if (r != 0)
        return err_prefix(p->err, r, "line %u", p->at);
    return end_state(p);
}

/* Room for as many lines and bytes as the text can have. */
static struct rules *new_rules(struct span text, size_t *ret_lines)
{
    CLEANUP(rules_free_ptr) struct rules *r = calloc(1, sizeof(*r));
    size_t n = 1;

    if (!r)
        return NULL;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    *ret_lines = n < RULES_LINES_MAX ? n : RULES_LINES_MAX;
    r->line = calloc(*ret_lines, sizeof(*r->line));
    r->bytes = malloc(text.len + 1);
    r->set = calloc(RULES_SETS_MAX, sizeof(*r->set));
    return r->line && r->set && r->bytes ? TAKE_PTR(r) : NULL;
}

int rules_parse(struct span text, struct rules **ret, struct err *err)
{
    CLEANUP(rules_free_ptr) struct rules *r = NULL;
    struct parser p = {.err = err};
    int rc;

    if (text.len > RULES_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "rules of %zu bytes, at most %d",
                text.len, RULES_TEXT_MAX);
    r = new_rules(text, &p.lines_max);
    if (!r)
        return err_set(err, ERR_MEMORY, "no memory for rules");
    p.r = r;
    rc = parse_lines(&p, text);
    if (rc == 0 && r->n_states == 0)
        rc = err_set(err, ERR_SYNTAX, "rules name no state");
    if (rc == 0)
        *ret = TAKE_PTR(r);
    return rc;
}

/* ---- sets ------------------------------------------------------------ */

const struct rules_set *rules_find_set(
        const struct rules_sets *sets, const char *name)
{
    for (size_t i = 0; sets && i < sets->n; i++) {
        if (strcmp(sets->set[i].name, name) == 0)
            return &sets->set[i];
    }
    return NULL;
}

bool rules_set_fits(const struct rules_set *s, const struct rules_line *l)
{
    return s->def == l->def && (strcmp(s->claim, l->name) == 0 ||
                                       strcmp(s->claim, l->def->name) == 0);
}

static int no_set(const struct rules_line *l, const char *name,
        const struct rules_sets *sets, struct err *err)
{
    size_t least = RULES_NEAR + 1;
    const char *near = "";

    for (size_t i = 0; sets && i < sets->n; i++) {
        size_t d = rules_distance(span_str(name), span_str(sets->set[i].name));

        if (d < least) {
            least = d;
            near = sets->set[i].name;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "line %u: there is no set '%s'%s%s%s",
            l->line, name, *near ? "; did you mean " : "", near,
            *near ? "?" : "");
}

static int check_line(const struct rules *r, const struct rules_line *l,
        const struct rules_sets *sets, struct err *err)
{
    for (size_t i = l->first_set; i < l->first_set + l->n_sets; i++) {
        const struct rules_set *s = rules_find_set(sets, r->set[i]);

        if (!s)
            return no_set(l, r->set[i], sets, err);
        if (!rules_set_fits(s, l))
            return err_set(err, ERR_MISMATCH,
                    "line %u: set %s has values of %s, not of %s", l->line,
                    s->name, s->claim, l->name);
    }
    return 0;
}

int rules_check(
        const struct rules *r, const struct rules_sets *sets, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->n_lines; i++)
        rc = check_line(r, &r->line[i], sets, err);
    return rc;
}

/* ---- writing --------------------------------------------------------- */

void rules_format_line(
        const struct rules *r, const struct rules_line *l, struct buf *ret)
{
    buf_printf(ret, "%s %s ", l->name, rules_op_name(l->op));
    for (size_t i = 0; i < l->n_sets; i++)
        buf_printf(ret, "%s%s", i ? " or " : "", r->set[l->first_set + i]);
    if (l->n_sets == 0)
        claims_format_value(&l->value, ret);
}

void rules_format(const struct rules *r, struct buf *ret)
{
    for (size_t i = 0; i < r->n_states; i++) {
        const struct rules_state *s = &r->state[i];

        buf_printf(ret, "%sstate %s\n", i ? "\n" : "", s->name);
        for (size_t j = s->first; j < s->first + s->n; j++) {
            buf_append_str(ret, "    ");
            rules_format_line(r, &r->line[j], ret);
            buf_append_u8(ret, '\n');
        }
    }
}
