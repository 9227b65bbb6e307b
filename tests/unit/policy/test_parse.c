/* SPDX-License-Identifier: Apache-2.0 */
/* Policy files: what is read, and all that must be refused. */
#include "help.h"

#include "buf.h"

#include <stdio.h>

/* ---- one line ----------------------------------------------------------- */

struct line {
    const char *what;
    const char *text;
    const char *error; /* part of the message; NULL: accepted */
};

static const struct line lines[] = {
        {"plain rule", "s.A * work vault allow\n", NULL},
        {"no newline at the end", "s.A * work vault allow", NULL},
        {"CRLF", "s.A * work vault allow\r\n", NULL},
        {"tabs and spaces", " \ts.A\t*  work \t vault\tdeny \t\n", NULL},
        {"comment, UTF-8 in it", "  # f\xc3\xbcr alle\ns.A * a b deny\n", NULL},
        {"empty file", "", NULL},
        {"only blanks", " \t\n\n \n", NULL},
        {"every source",
                "s.A * * a deny\ns.A * @anyvm a deny\n"
                "s.A * @adminvm a deny\ns.A * dom0 a deny\n"
                "s.A * @dispvm:d a deny\ns.A * @dispvm:@tag:t a deny\n"
                "s.A * @tag:t a deny\ns.A * @type:AppVM a deny\n"
                "s.A * uuid:1234 a deny\n",
                NULL},
        {"every target",
                "s.A * a * deny\ns.A * a @anyvm deny\n"
                "s.A * a @adminvm deny\ns.A * a dom0 deny\n"
                "s.A * a @default deny\ns.A * a @dispvm deny\n"
                "s.A * a @dispvm:d deny\ns.A * a @dispvm:@tag:t deny\n"
                "s.A * a @tag:t deny\ns.A * a @type:AppVM deny\n"
                "s.A * a uuid:1234 deny\n",
                NULL},
        {"every parameter",
                "s.A + a b allow target=c user=u notify=yes autostart=no\n"
                "s.A +x+y a b ask target=c user=u notify=no autostart=yes "
                "default_target=c\n"
                "s.A +x a b deny notify=no\n",
                NULL},
        {"user with =", "s.A * a b allow user=u=v\n", NULL},
        {"user empty", "s.A * a b allow user=\n", NULL},
        {"any redirect",
                "s.A * a b allow target=@dispvm\n"
                "s.A * a b allow target=@dispvm:d\n"
                "s.A * a b allow target=@adminvm\n"
                "s.A * a b allow target=dom0\n",
                NULL},
        {"odd words that Qubes takes as names", "s.A * te$st!vm b deny\n",
                NULL},

        {"too few words", "s.A * work allow\n", "a rule is SERVICE"},
        {"one word", "s.A\n", "a rule is SERVICE"},
        {"unknown action", "s.A * a b permit\n", "'permit' is not allow"},
        {"action in capitals", "s.A * a b Allow\n", "'Allow' is not allow"},
        {"comment behind a rule", "s.A * a b allow # yes\n", "not KEY=VALUE"},
        {"* service with argument", "* +x a b allow\n", "takes argument *"},
        {"argument without +", "s.A x a b allow\n", "does not start with +"},
        {"glob in an argument", "s.A +x* a b allow\n", "has other than"},
        {"glob in a service", "s.* * a b allow\n", "has other than"},
        {"slash in a service", "../s.A * a b allow\n", "has other than"},
        {"plus in a service", "s.A+x * a b allow\n", "has other than"},
        {"@default as source", "s.A * @default b deny\n", "cannot be a source"},
        {"@dispvm as source", "s.A * @dispvm b deny\n", "cannot be a source"},
        {"empty tag", "s.A * @tag: b deny\n", "cannot be a source"},
        {"empty type", "s.A * a @type: deny\n", "cannot be a target"},
        {"empty template", "s.A * a @dispvm: deny\n", "cannot be a target"},
        {"empty template tag", "s.A * a @dispvm:@tag: deny\n",
                "cannot be a target"},
        {"tag of a tag", "s.A * a @tag:@tag:x deny\n", "cannot be a target"},
        {"unknown keyword", "s.A * a @allvm deny\n", "cannot be a target"},
        {"keyword in capitals", "s.A * a @AnyVM deny\n", "cannot be a target"},
        {"redirect to all", "s.A * a b allow target=*\n", "cannot be a target"},
        {"redirect to @anyvm", "s.A * a b allow target=@anyvm\n",
                "cannot be a target"},
        {"redirect to @default", "s.A * a b allow target=@default\n",
                "cannot be a target"},
        {"redirect to a tag", "s.A * a b allow target=@tag:x\n",
                "cannot be a target"},
        {"redirect to nothing", "s.A * a b allow target=\n",
                "cannot be a target"},
        {"default_target a tag", "s.A * a b ask default_target=@tag:x\n",
                "cannot be a default_target"},
        {"@default without redirect", "s.A * a @default allow\n",
                "must have target="},
        {"default_target on allow", "s.A * a b allow default_target=c\n",
                "allow takes no 'default_target='"},
        {"target on deny", "s.A * a b deny target=c\n",
                "deny takes no 'target='"},
        {"user on deny", "s.A * a b deny user=root\n", "deny takes no 'user='"},
        {"autostart on deny", "s.A * a b deny autostart=no\n",
                "deny takes no 'autostart='"},
        {"unknown key", "s.A * a b allow colour=red\n", "no 'colour='"},
        {"key in capitals", "s.A * a b allow User=root\n", "no 'User='"},
        {"key given twice", "s.A * a b allow user=a user=a\n", "given twice"},
        {"key without value", "s.A * a b allow user\n", "not KEY=VALUE"},
        {"comma form of 4.0", "s.A * a b allow,user=root\n", "is not allow"},
        {"boolean true", "s.A * a b allow notify=true\n", "'yes' or 'no'"},
        {"boolean empty", "s.A * a b allow autostart=\n", "'yes' or 'no'"},
        {"shell command behind the user", "s.A * a b allow user=root:sh\n",
                "has a ':'"},
        {"17 words",
                "s.A * a b allow a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 "
                "k=1 l=1\n",
                "too many words"},

        {"no-break space separates",
                "s.A *\xc2\xa0"
                "a b allow\n",
                "byte 0xc2"},
        {"em space separates",
                "s.A * a\xe2\x80\x83"
                "b allow\n",
                "byte 0xe2"},
        {"vertical tab separates", "s.A * a\vb allow\n", "byte 0x0b"},
        {"form feed separates", "s.A * a\fb allow\n", "byte 0x0c"},
        {"file separator separates",
                "s.A * a\x1c"
                "b allow\n",
                "byte 0x1c"},
        {"next line (C1) separates",
                "s.A * a\xc2\x85"
                "b allow\n",
                "byte 0xc2"},
        {"zero width space in a name", "s.A * a\xe2\x80\x8b b allow\n",
                "byte 0xe2"},
        {"byte order mark", "\xef\xbb\xbfs.A * a b allow\n", "byte 0xef"},
        {"latin-1 in a comment", "# f\xfcr alle\n", "not UTF-8"},
        {"overlong slash in a comment", "# \xc0\xaf\n", "not UTF-8"},
        {"surrogate in a comment", "# \xed\xa0\x80\n", "not UTF-8"},
        {"rule hidden behind a CR", "# nothing\rs.A * a b allow\n",
                "carriage return"},
        {"CR CR LF", "s.A * a b allow\r\r\n", "carriage return"},
        {"escape code in a rule", "s.A * a\x1b[0m b allow\n", "byte 0x1b"},
        {"DEL in a rule", "s.A * a\x7f b allow\n", "byte 0x7f"},

        {"unknown directive", "!bogus x\n", "no directive '!bogus'"},
        {"directive with a space", "! include include/x\n", "no directive '!'"},
        {"include without file", "!include\n", "takes 1 words, not 0"},
        {"include of two files", "!include a b\n", "takes 1 words, not 2"},
        {"include of nothing", "!include include/none\n", "no file"},
        {"include of a folder that is not", "!include-dir none\n", "no folder"},
        {"include above the folder", "!include ../secret\n", "not inside"},
        {"include above, later", "!include include/../../secret\n",
                "not inside"},
        {"include of an absolute path", "!include /etc/passwd\n", "not inside"},
        {"include-service of bad service", "!include-service * +x include/x\n",
                "takes argument *"},
        {"include-service short", "!include-service s.A include/x\n",
                "takes 3 words, not 2"},
        {"compat with a word", "!compat-4.0 x\n", "takes 0 words, not 1"},
        {"file includes itself", "!include 50-test.policy\n",
                "includes itself"},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const struct text_file files[] = {
                {"50-test.policy", lines[i].text}, {0}};
        struct policy *p = NULL;
        struct err err = {.code = 0};
        int r = parse_files(files, NULL, &p, &err);

        if (!lines[i].error) {
            if (r != 0)
                fail_msg("%s: %s", lines[i].what, err.msg);
            policy_free(p);
            continue;
        }
        if (r == 0)
            fail_msg("%s: was accepted", lines[i].what);
        if (!strstr(err.msg, lines[i].error))
            fail_msg("%s: '%s' has no '%s'", lines[i].what, err.msg,
                    lines[i].error);
        assert_null(p);
        assert_int_equal(strncmp(err.msg, "50-test.policy:", 15), 0);
    }
}

static void test_nul_in_a_comment_is_refused(void **state)
{
    static const char text[] = "# a\0b\n";
    struct policy_file file = {
            .name = span_str("a.policy"), .text = SPAN(text, sizeof(text) - 1)};
    struct policy_files files = {.files = &file, .n_files = 1};
    struct policy *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(policy_new(&files, &p, &err), ERR_SYNTAX);
}

static void test_error_names_file_and_line(void **state)
{
    const struct text_file files[] = {{"10-a.policy", "s.A * a b allow\n"},
            {"20-b.policy", "# one\n\n!include include/x\n"},
            {"include/x", "s.A * a b deny\ns.A * a b dney\n"}, {0}};
    struct policy *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(parse_files(files, NULL, &p, &err), ERR_SYNTAX);
    assert_string_equal(
            err.msg, "include/x:2: 'dney' is not allow, deny or ask");
}

/* ---- files -------------------------------------------------------------- */

struct set {
    const char *what;
    struct text_file files[MAX_FILES];
    int result;
    size_t rules;
};

#define RULE "s.A * a b allow\n"

static const struct set sets[] = {
        {"only *.policy at the top counts",
                {{"10-a.policy", RULE}, {"README", "garbage"},
                        {"x.policy~", "garbage"}, {"a.policy.swp", "garbage"},
                        {".hidden.policy", "garbage"}, {"include/x", "garbage"},
                        {"sub/a.policy", "garbage"}},
                0, 1},
        {"capitals in a taken name", {{"User.policy", RULE}}, ERR_SYNTAX, 0},
        {"space in a taken name", {{"10 b.policy", RULE}}, ERR_SYNTAX, 0},
        {"newline in a taken name", {{"1\nb.policy", RULE}}, ERR_SYNTAX, 0},
        {"two files of one name",
                {{"10-a.policy", RULE}, {"10-a.policy", RULE}}, ERR_EXISTS, 0},
        {"one file included twice",
                {{"10-a.policy", "!include include/x\n!include include/x\n"},
                        {"include/x", RULE}},
                0, 2},
        {"path with dots and slashes",
                {{"10-a.policy", "!include ./include//y/../x\n"},
                        {"include/x", RULE}},
                0, 1},
        {"include-dir takes *.policy",
                {{"10-a.policy", "!include-dir inc.d\n"},
                        {"inc.d/b.policy", RULE}, {"inc.d/skip.txt", "bad"},
                        {"inc.d/.x.policy", "bad"},
                        {"inc.d/deep/c.policy", "bad"}},
                0, 1},
        {"include-dir with a bad name",
                {{"10-a.policy", "!include-dir inc.d\n"},
                        {"inc.d/B.policy", RULE}},
                ERR_SYNTAX, 0},
        {"include-dir with nothing to take",
                {{"10-a.policy", "!include-dir inc.d\n"}, {"inc.d/x", "bad"}},
                0, 0},
        {"loop of two",
                {{"10-a.policy", "!include include/x\n"},
                        {"include/x", "!include include/y\n"},
                        {"include/y", "!include include/x\n"}},
                ERR_SYNTAX, 0},
        {"loop over include-dir",
                {{"10-a.policy", "!include-dir inc.d\n"},
                        {"inc.d/b.policy", "!include-dir inc.d\n"}},
                ERR_SYNTAX, 0},
        {"error in a file that a later rule would shadow",
                {{"10-a.policy", "* * * * deny\n"},
                        {"90-z.policy", "s.A * a b alow\n"}},
                ERR_SYNTAX, 0},
        {"old form",
                {{"10-a.policy", "!include-service s.A +x include/o\n"},
                        {"include/o", "# old\n$anyvm $dispvm "
                                      "allow,target=b,user=root\n"
                                      "a b ask, default_target=b\n"
                                      "$include:include/p\n!include include/p"},
                        {"include/p", "$tag:x @adminvm deny notify=no\n"}},
                0, 4},
        {"old form has no rules of five words",
                {{"10-a.policy", "!include-service s.A +x include/o\n"},
                        {"include/o", "s.A +x a b allow\n"}},
                ERR_SYNTAX, 0},
        {"old form has no include-dir",
                {{"10-a.policy", "!include-service s.A +x include/o\n"},
                        {"include/o", "!include-dir include\n"}},
                ERR_SYNTAX, 0},
        {"old form has no compat",
                {{"10-a.policy", "!include-service s.A +x include/o\n"},
                        {"include/o", "!compat-4.0\n"}},
                ERR_SYNTAX, 0},
        {"old form in a loop",
                {{"10-a.policy", "!include-service s.A +x include/o\n"},
                        {"include/o", "$include:include/o\n"}},
                ERR_SYNTAX, 0},
        {"dollar form in a modern file",
                {{"10-a.policy", "s.A * $anyvm b "
                                 "allow,user=x\n"}},
                ERR_SYNTAX, 0},
};

static void test_sets_of_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct policy *p = NULL;
        struct err err = {.code = 0};
        int r = parse_files(sets[i].files, NULL, &p, &err);

        if (r != sets[i].result)
            fail_msg("%s: %d, %s", sets[i].what, r, err.msg);
        if (r == 0 && policy_rule_count(p) != sets[i].rules)
            fail_msg("%s: %zu rules", sets[i].what, policy_rule_count(p));
        policy_free(p);
    }
}

/* ---- !compat-4.0 --------------------------------------------------------- */

struct order {
    const char *lines[16];
    size_t n;
};

static void note_rule(void *ctx, const struct policy_finding *f)
{
    struct order *o = ctx;
    char line[128];

    if (o->n < ARRAY_LEN(o->lines)) {
        (void)snprintf(line, sizeof(line), "%.*s:%u", (int)f->file.len,
                f->file.ptr, f->line);
        o->lines[o->n++] = strdup(line);
    }
}

/* By service, then argument, the file without one last; denies between. */
static void test_compat_order(void **state)
{
    static const char *const expected[] = {"10-a.policy:1", "s.A+x:1",
            "s.A+x:2", "s.A+x:2", "s.A+x:2", "s.A+y:1", "s.A+y:1", "s.A+y:1",
            "s.A:1", "s.B:1", "include/i:1"};
    const struct text_file files[] = {
            {"10-a.policy", "s.Z * a b deny\n!compat-4.0\n"}, {0}};
    const struct text_file compat[] = {{"s.B", "a b allow\n$include:include/i"},
            {"s.A", "a b allow\n"}, {"s.A+y", "a b allow"},
            {"s.A+x", "a b allow\na c allow\n"}, {".s.C", "garbage"},
            {"s.D.rpmnew", "garbage"}, {"include/i", "b c deny\n"}, {0}};
    const struct policy_request request = {.source = span_str("dom0"),
            .target = span_str("dom0"),
            .service = span_str("none.Such")};
    struct policy *p = NULL;
    struct policy_system *s = NULL;
    struct policy_result r;
    struct order o = {.n = 0};
    struct err err = {.code = 0};

    (void)state;
    if (parse_files(files, compat, &p, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(policy_system_new(NULL, 0, &s, &err), 0);
    policy_explain(p, s, &request, note_rule, &o, &r);
    assert_int_equal(o.n, ARRAY_LEN(expected));
    for (size_t i = 0; i < o.n; i++) {
        assert_string_equal(o.lines[i], expected[i]);
        free((void *)(uintptr_t)o.lines[i]);
    }
    policy_free(p);
    policy_system_free(s);
}

static void test_compat_error_is_an_error(void **state)
{
    const struct text_file files[] = {{"10-a.policy", "!compat-4.0\n"}, {0}};
    const struct text_file compat[] = {{"s.A", "a b allov\n"}, {0}};
    struct policy *p = NULL;
    struct err err = {.code = 0};

    (void)state;
    assert_int_equal(parse_files(files, compat, &p, &err), ERR_SYNTAX);
    assert_string_equal(err.msg, "s.A:1: 'allov' is not allow, deny or ask");
}

/* ---- limits ---------------------------------------------------------------
 */

static int parse_big(struct buf *b, struct err *err)
{
    struct policy_file file = {
            .name = span_str("a.policy"), .text = buf_span(b)};
    struct policy_files files = {.files = &file, .n_files = 1};
    struct policy *p = NULL;
    int r = policy_new(&files, &p, err);

    policy_free(p);
    return r;
}

static void test_long_line_and_file(void **state)
{
    CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
    struct err err;

    (void)state;
    buf_append_str(&b, "s.A * a b allow user=");
    while (b.len < LIMIT_CONF_LINE_MAX)
        buf_append_u8(&b, 'x');
    assert_int_equal(parse_big(&b, &err), 0);
    buf_append_u8(&b, 'x');
    assert_int_equal(parse_big(&b, &err), ERR_LIMIT);
    buf_reset(&b);
    while (b.len <= LIMIT_CONF_FILE_MAX - 2)
        buf_append_str(&b, "#\n");
    assert_int_equal(parse_big(&b, &err), 0);
    buf_append_str(&b, "\n");
    assert_int_equal(parse_big(&b, &err), ERR_LIMIT);
}

/* One file of 1,000 rules, included n times. */
static int parse_many(unsigned n, struct err *err)
{
    CLEANUP(buf_fini) struct buf rules = BUF_INIT(1u << 20);
    CLEANUP(buf_fini) struct buf top = BUF_INIT(1u << 20);
    struct policy_file list[2];
    struct policy_files files = {.files = list, .n_files = 2};
    struct policy *p = NULL;
    int r;

    for (unsigned i = 0; i < 1000; i++)
        buf_printf(&rules, "s.A +%u a b deny\n", i);
    for (unsigned i = 0; i < n; i++)
        buf_append_str(&top, "!include include/x\n");
    list[0] = (struct policy_file){span_str("a.policy"), buf_span(&top)};
    list[1] = (struct policy_file){span_str("include/x"), buf_span(&rules)};
    r = policy_new(&files, &p, err);
    policy_free(p);
    return r;
}

static void test_rules_are_bounded(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(parse_many(LIMIT_POLICY_RULES_MAX / 1000, &err), 0);
    assert_int_equal(
            parse_many(LIMIT_POLICY_RULES_MAX / 1000 + 1, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "rules"));
}

/* A chain of files, each including the next times times. */
static int parse_chain(unsigned length, unsigned times, struct err *err)
{
    struct policy_file list[LIMIT_POLICY_INCLUDE_DEPTH + 4] = {0};
    char names[LIMIT_POLICY_INCLUDE_DEPTH + 4][24];
    struct buf texts[LIMIT_POLICY_INCLUDE_DEPTH + 4];
    struct policy_files files = {.files = list, .n_files = length};
    struct policy *p = NULL;
    int r;

    assert_true(length <= ARRAY_LEN(list));
    for (unsigned i = 0; i < length; i++) {
        texts[i] = BUF_INIT(1u << 16);
        (void)snprintf(
                names[i], sizeof(names[i]), i ? "include/%u" : "a.policy", i);
        for (unsigned k = 0; k < times && i + 1 < length; k++)
            buf_printf(&texts[i], "!include include/%u\n", i + 1);
        list[i] = (struct policy_file){span_str(names[i]), buf_span(&texts[i])};
    }
    r = policy_new(&files, &p, err);
    policy_free(p);
    for (unsigned i = 0; i < length; i++)
        buf_fini(&texts[i]);
    return r;
}

static void test_include_depth_is_bounded(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(parse_chain(LIMIT_POLICY_INCLUDE_DEPTH + 1, 1, &err), 0);
    assert_int_equal(
            parse_chain(LIMIT_POLICY_INCLUDE_DEPTH + 2, 1, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "deep"));
}

/* Nine to the sixteenth includes of nothing: must end, and soon. */
static void test_include_bomb_is_bounded(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(
            parse_chain(LIMIT_POLICY_INCLUDE_DEPTH + 1, 9, &err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, "add up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_lines),
            cmocka_unit_test(test_nul_in_a_comment_is_refused),
            cmocka_unit_test(test_error_names_file_and_line),
            cmocka_unit_test(test_sets_of_files),
            cmocka_unit_test(test_compat_order),
            cmocka_unit_test(test_compat_error_is_an_error),
            cmocka_unit_test(test_long_line_and_file),
            cmocka_unit_test(test_rules_are_bounded),
            cmocka_unit_test(test_include_depth_is_bounded),
            cmocka_unit_test(test_include_bomb_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
