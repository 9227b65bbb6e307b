/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qair-vectors DIR [KIND]: judges every case under DIR, names each
 * disagreement, ends with "N passed, N failed".  script/vectors runs it.
 */
#include "vectors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define JSON_MAX  (16u << 20)
/* A judge that needs longer hangs. */
#define JUDGE_SECONDS 120

static const struct vectors_kind *const kinds[] = {
        vectors_bundle,
        vectors_ekcert,
        vectors_eventlog,
        vectors_evidence,
        vectors_rats,
        vectors_selftest,
        vectors_ima,
        vectors_snp,
        vectors_snp_launch,
        vectors_uki,
        vectors_policy,
        vectors_quote,
        vectors_spdm,
};

static struct {
    const char *only; /* kind, or NULL */
    unsigned passed, failed, skipped;
} run;

/* ---- one case -------------------------------------------------------- */

static void judge(const struct vectors_kind *k, struct vectors_case *c)
{
    int status = 0;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    if (pid < 0) {
        perror("vectors: fork");
        exit(2);
    }
    if (pid == 0) {
        (void)alarm(JUDGE_SECONDS);
        k->judge(c);
        (void)fflush(stdout);
        _exit(c->disagreements > 0);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            exit(2);
    }
    if (WIFSIGNALED(status))
        (void)printf("  %s: the judge died: %s\n", c->id,
                strsignal(WTERMSIG(status)));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        run.passed++;
    } else {
        run.failed++;
        (void)printf("FAILED %s (%s) in %s\n", c->id, k->name, c->folder);
    }
}

static void judge_one(const struct vectors_kind *k, const char *folder,
        const char *id, json_t *file, json_t *json)
{
    struct vectors_case c = {
            .folder = folder,
            .id = vectors_text(json, "id"),
            .json = json,
            .file = file,
            .expect = json_object_get(json, "expect"),
    };

    if (!c.id)
        c.id = id;
    if (!c.expect)
        c.expect = json;
    judge(k, &c);
}

/* ---- files ----------------------------------------------------------- */

static const struct vectors_kind *kind_of(json_t *file)
{
    const char *name = vectors_text(file, "kind");

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (const struct vectors_kind *k = kinds[i]; k->name; k++) {
            if (name ? strcmp(name, k->name) == 0
                     : k->recognise && k->recognise(file))
                return k;
        }
    }
    return NULL;
}

static void take_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    bool described = strcmp(name, "expected.json") == 0;
    const char *id = strrchr(folder, '/');
    const struct vectors_kind *k;
    json_error_t error;
    json_t *file, *one;
    size_t i;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!file && described) {
        run.failed++;
        (void)printf("FAILED %s: %s\n", path, error.text);
    }
    if (!json_is_object(file)) {
        json_decref(file);
        return;
    }
    k = kind_of(file);
    id = described && id ? id + 1 : name;
    if (!k) {
        const char *kind = vectors_text(file, "kind");

        if (kind && described && (!run.only || strcmp(run.only, kind) == 0)) {
            run.failed++;
            (void)printf("FAILED %s: no judge for kind %s\n", path, kind);
        } else if (described && !run.only) {
            run.skipped++;
            (void)printf("skipped %s: names no kind and has no inputs that "
                         "would tell\n",
                    path);
        }
    } else if (run.only && strcmp(run.only, k->name) != 0) {
        /* of another kind */
    } else if (k->each && json_is_array(json_object_get(file, k->each))) {
        json_array_foreach (json_object_get(file, k->each), i, one)
            judge_one(k, folder, id, file, one);
    } else {
        judge_one(k, folder, id, file, file);
    }
    json_decref(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_json(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

static void walk(const char *folder, int depth)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);

    if (n < 0 || depth > DEPTH_MAX) {
        (void)fprintf(stderr, "vectors: %s: %s\n", folder,
                n < 0 ? strerror(errno) : "folders are nested too deep");
        exit(2);
    }
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX];
        struct stat st;

        if (name[0] != '.' &&
                snprintf(path, sizeof(path), "%s/%s", folder, name) <
                        (int)sizeof(path) &&
                lstat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                walk(path, depth + 1);
            else if (S_ISREG(st.st_mode) && is_json(name) &&
                     st.st_size <= JSON_MAX)
                take_file(folder, name);
        }
        free(entries[i]);
    }
    free(entries);
}

static void print_kinds(FILE *to)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (const struct vectors_kind *k = kinds[i]; k->name; k++)
            (void)fprintf(to, "  %s\n", k->name);
    }
}

static bool has_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (const struct vectors_kind *k = kinds[i]; k->name; k++) {
            if (strcmp(k->name, name) == 0)
                return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3 || argv[1][0] == '-' || !*argv[1]) {
        (void)fprintf(stderr, "usage: script/vectors DIR [KIND]\nkinds:\n");
        print_kinds(stderr);
        return 2;
    }
    run.only = argv[2];
    if (run.only && !has_kind(run.only)) {
        (void)fprintf(
                stderr, "vectors: no judge for kind %s; kinds:\n", run.only);
        print_kinds(stderr);
        return 2;
    }
    walk(argv[1], 0);
    (void)printf("%u passed, %u failed\n", run.passed, run.failed);
    if (run.passed + run.failed == 0) {
        (void)fprintf(stderr, "vectors: no case in %s\n", argv[1]);
        return 2;
    }
    return run.failed > 0;
}
