/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares answers of `qair policy batch` with what Qubes' own engine said:
 *
 *     policy-cases CASES ANSWERS
 *
 * An answer must be the expected one, unless the case carries the tag of a
 * deliberate difference (docs/policy.md) and differs in just that way.
 */
#include "base.h"
#include "buf.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *text(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));

    return s ? s : "";
}

static bool has_text(const json_t *list, const char *wanted)
{
    const json_t *v;
    size_t i;

    json_array_foreach (list, i, v) {
        if (json_is_string(v) && strcmp(json_string_value(v), wanted) == 0)
            return true;
    }
    return false;
}

/* Without order; no list of ours or theirs repeats an element. */
static bool same_set(const json_t *a, const json_t *b)
{
    const json_t *v;
    size_t i;

    if (!json_is_array(a) || json_array_size(a) != json_array_size(b))
        return false;
    json_array_foreach (a, i, v) {
        if (!json_is_string(v) || !has_text(b, json_string_value(v)))
            return false;
    }
    return true;
}

static bool same_member(const json_t *a, const json_t *b, const char *key)
{
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

    return x && y && json_equal(x, y);
}

static bool same_answer(const json_t *expected, const json_t *got)
{
    static const char *const members[] = {
            "default", "user", "autostart", "notify"};
    bool same = true;

    if (strcmp(text(expected, "result"), text(got, "result")) != 0)
        return false;
    if (strcmp(text(got, "result"), "deny") == 0)
        return text(got, "reason")[0] != '\0' && text(got, "class")[0] != '\0';
    if (strcmp(text(got, "result"), "allow") == 0)
        return same_member(expected, got, "notify") &&
               same_set(json_object_get(expected, "lines"),
                       json_object_get(got, "lines"));
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        same &= same_member(expected, got, members[i]);
    return same && same_set(json_object_get(expected, "targets"),
                           json_object_get(got, "targets"));
}

/* ---- deliberate differences ------------------------------------------------
 */

static bool denied(const json_t *got, const char *cls)
{
    return strcmp(text(got, "result"), "deny") == 0 &&
           strcmp(text(got, "class"), cls) == 0;
}

/* A file with an odd separator is refused as a whole. */
static bool differs_by_space(
        const json_t *line, const json_t *expected, const json_t *got)
{
    (void)line;
    (void)expected;
    return denied(got, "syntax") && strstr(text(got, "reason"), "byte 0x");
}

static bool differs_by_source(
        const json_t *line, const json_t *expected, const json_t *got)
{
    const json_t *domains =
            json_object_get(json_object_get(line, "system_info"), "domains");

    (void)expected;
    return denied(got, "request") &&
           !json_object_get(domains, text(line, "source"));
}

/* dom0 was asked for, and Qubes let a rule for a tag or type decide. */
static bool differs_by_dom0(
        const json_t *line, const json_t *expected, const json_t *got)
{
    const char *target = text(line, "target");

    (void)expected;
    return (strcmp(target, "dom0") == 0 ||
                   strncmp(target, "uuid:00000000-", 14) == 0) &&
           json_object_get(got, "result");
}

/* Without the line that tells the relay where to. */
static json_t *without_service(const json_t *lines)
{
    json_t *ret = json_array();
    const json_t *v;
    size_t i;

    json_array_foreach (lines, i, v) {
        if (strncmp(json_string_value(v), "service=", 8) != 0)
            (void)json_array_append_new(ret, json_string(json_string_value(v)));
    }
    return ret;
}

/* The same relay and transport, but the decided target's name. */
static bool differs_by_hop(
        const json_t *line, const json_t *expected, const json_t *got)
{
    json_t *theirs = json_object_get(expected, "lines");
    json_t *ours = json_object_get(got, "lines");
    json_t *a, *b;
    bool same;

    (void)line;
    if (!json_is_array(theirs) || !json_is_array(ours))
        return false;
    a = without_service(theirs);
    b = without_service(ours);
    same = json_array_size(a) + 1 == json_array_size(theirs) &&
           json_array_size(b) + 1 == json_array_size(ours) && same_set(a, b) &&
           same_member(expected, got, "notify");
    json_decref(a);
    json_decref(b);
    return same;
}

static const struct difference {
    const char *tag;
    bool (*explains)(
            const json_t *line, const json_t *expected, const json_t *got);
} differences[] = {
        {"odd-space", differs_by_space},
        {"unknown-source", differs_by_source},
        {"dom0-by-tag", differs_by_dom0},
        {"remote-redirect", differs_by_hop},
};

struct tally {
    unsigned cases, same, failed;
    unsigned differ[ARRAY_LEN(differences)];
};

static bool is_deliberate(
        const json_t *line, const json_t *got, struct tally *t)
{
    const json_t *tags = json_object_get(line, "tags");
    const json_t *expected = json_object_get(line, "expected");

    for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
        if (has_text(tags, differences[i].tag) &&
                differences[i].explains(line, expected, got)) {
            t->differ[i]++;
            return true;
        }
    }
    return false;
}

static void compare(
        const char *text_line, const char *text_got, struct tally *t)
{
    json_t *line = json_loads(text_line, 0, NULL);
    json_t *got = json_loads(text_got, JSON_REJECT_DUPLICATES, NULL);

    t->cases++;
    if (line && got && same_answer(json_object_get(line, "expected"), got)) {
        t->same++;
    } else if (!line || !got || !is_deliberate(line, got, t)) {
        t->failed++;
        if (t->failed <= 10)
            (void)printf("case %u: %s", t->cases, text_got);
    }
    json_decref(line);
    json_decref(got);
}

int main(int argc, char **argv)
{
    FILE *cases = argc == 3 ? fopen(argv[1], "re") : NULL;
    FILE *answers = argc == 3 ? fopen(argv[2], "re") : NULL;
    CLEANUP(buf_free_ptr) char *line = NULL;
    CLEANUP(buf_free_ptr) char *got = NULL;
    size_t line_size = 0, got_size = 0;
    struct tally t = {0};
    bool more;

    if (!cases || !answers) {
        (void)fprintf(stderr, "policy-cases CASES ANSWERS\n");
        return 2;
    }
    while (getline(&line, &line_size, cases) >= 0) {
        if (getline(&got, &got_size, answers) < 0) {
            (void)printf("no answer to case %u\n", t.cases + 1);
            return 1;
        }
        compare(line, got, &t);
    }
    more = getline(&got, &got_size, answers) >= 0;
    (void)fclose(cases);
    (void)fclose(answers);
    (void)printf(
            "%u cases, %u as Qubes, %u wrong\n", t.cases, t.same, t.failed);
    for (size_t i = 0; i < ARRAY_LEN(differences); i++)
        (void)printf("%u differ by %s\n", t.differ[i], differences[i].tag);
    return t.cases == 0 || t.failed > 0 || more;
}
