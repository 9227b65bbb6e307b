/* SPDX-License-Identifier: Apache-2.0 */
/* qair-measure against a real software TPM: args: PROGRAM. */
#include "driver.h"
#include "evidence.h"
#include "swtpm_fixture.h"
#include "tpm.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;
static struct swtpm chip;

struct world {
    char dir[64];
    struct driver d;
    struct buf log;
    bool again; /* the zone runs: log is handed over as what was measured */
};

static void write_file(
        const struct world *w, const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_dir(const struct world *w, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int open_dir(const struct world *w, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static struct world world_new(void)
{
    struct world w = {.dir = "/tmp/qair-test-measure-XXXXXX"};

    w.log = BUF_INIT(LIMIT_EVIDENCE_MAX);
    assert_non_null(mkdtemp(w.dir));
    make_dir(&w, "programs");
    write_file(&w, "programs/qaird", "the supervisor");
    write_file(&w, "programs/qair-keyd", "the keys");
    write_file(&w, "programs/build.ninja", "no program");
    make_dir(&w, "programs/qair-keyd.p");
    /* a fresh TPM for every start, as after a restart of the machine */
    assert_true(swtpm_start(&chip));
    return w;
}

static void world_free(struct world *w)
{
    char cmd[128];

    driver_stop(&w->d);
    swtpm_stop(&chip);
    buf_fini(&w->log);
    snprintf(cmd, sizeof cmd, "rm -rf -- '%s'", w->dir);
    assert_int_equal(system(cmd), 0);
}

/* Exit status; the log that it answered with is in w->log. */
static int run_with(struct world *w, const char *policy, bool with_programs)
{
    const struct driver_file conf[] = {{"zone.conf", span_str("name = z\n")}};
    const struct driver_file qubes[] = {
            {"signer.conf", span_str("type = AppVM\n")},
            {"work.conf", span_str("type = RemoteVM\n")}};
    const struct driver_file policies[] = {{"30-sign.policy", span_str(policy)},
            {"include/common", span_str("# shared\n")}};
    const struct driver_file services[] = {
            {"qair.Sign", span_str("#!/bin/sh\n")}};
    struct msg_empty body;
    struct ipc_fds fds;
    struct err err;
    struct span map;
    uint16_t type;

    driver_start(&w->d, program, "server");
    driver_handle(&w->d, "tpm", swtpm_connect(&chip));
    if (with_programs)
        driver_handle(&w->d, "programs", open_dir(w, "programs"));
    driver_bundle(&w->d, "conf", conf, 1);
    driver_bundle(&w->d, "qubes", qubes, 2);
    driver_bundle(&w->d, "policy", policies, 2);
    driver_bundle(&w->d, "services", services, 1);
    if (w->again) {
        const struct driver_file events[] = {{"events", buf_span(&w->log)}};

        driver_bundle(&w->d, "events", events, 1);
    }
    driver_begin(&w->d);
    buf_reset(&w->log);
    type = driver_get(w->d.control, &body, &fds, NULL);
    if (type == MSG_FILE) {
        assert_int_equal(ipc_map(fds.fd[0], LIMIT_EVIDENCE_MAX, &map, &err), 0);
        buf_append(&w->log, map);
        ipc_unmap(map);
        ipc_fds_close(&fds);
        assert_int_equal(
                driver_get(w->d.control, &body, NULL, NULL), MSG_READY);
        assert_int_equal(driver_get(w->d.control, &body, NULL, NULL), 0);
    } else {
        assert_int_equal(type, 0);
    }
    return driver_wait(&w->d);
}

static int run(struct world *w, const char *policy)
{
    return run_with(w, policy, true);
}

static void read_pcr(uint8_t ret[32])
{
    struct tpm *t = NULL;
    struct err err;

    assert_int_equal(tpm_open(swtpm_connect(&chip), false, &t, &err), 0);
    assert_int_equal(tpm_pcr_read(t, TPM_PCR_QAIR, ret, &err), 0);
    tpm_close(t);
}

static void test_everything_is_in_the_log(void **state)
{
    static const struct {
        const char *kind, *name, *content;
    } want[] = {
            {"conf", "zone.conf", "name = z\n"},
            {"qube", "qubes.d/signer.conf", "type = AppVM\n"},
            {"qube", "qubes.d/work.conf", "type = RemoteVM\n"},
            {"policy", "policy.d/30-sign.policy", "allow\n"},
            {"policy", "policy.d/include/common", "# shared\n"},
            {"service", "services/qair.Sign", "#!/bin/sh\n"},
            {"program", "programs/qair-keyd", "the keys"},
            {"program", "programs/qaird", "the supervisor"},
    };
    struct evidence_events events;
    struct world w = world_new();
    uint8_t pcr[32], sha256[32];
    struct err err;

    (void)state;
    assert_int_equal(run(&w, "allow\n"), 0);
    assert_int_equal(evidence_events_parse(buf_span(&w.log), &events, &err), 0);
    assert_int_equal(events.n, ARRAY_LEN(want));
    for (size_t i = 0; i < events.n; i++) {
        assert_true(span_eq_str(events.event[i].kind, want[i].kind));
        assert_true(span_eq_str(events.event[i].name, want[i].name));
        assert_int_equal(events.event[i].size, strlen(want[i].content));
        crypto_sha256(span_str(want[i].content), sha256);
        assert_memory_equal(events.event[i].sha256, sha256, 32);
    }
    /* the TPM says the same as the log */
    read_pcr(pcr);
    assert_memory_equal(pcr, events.pcr, 32);
    evidence_events_fini(&events);
    world_free(&w);
}

static void test_one_byte_changes_the_state(void **state)
{
    uint8_t a[32], b[32], c[32];
    struct world w = world_new();

    (void)state;
    assert_int_equal(run(&w, "allow\n"), 0);
    read_pcr(a);
    world_free(&w);
    w = world_new();
    assert_int_equal(run(&w, "allox\n"), 0);
    read_pcr(b);
    world_free(&w);
    w = world_new();
    assert_int_equal(run(&w, "allow\n"), 0);
    read_pcr(c);
    world_free(&w);
    assert_memory_not_equal(a, b, 32);
    assert_memory_equal(a, c, 32);
}

static void test_second_start_without_reset(void **state)
{
    struct world w = world_new();

    (void)state;
    assert_int_equal(run(&w, "allow\n"), 0);
    assert_int_not_equal(run(&w, "allow\n"), 0);
    assert_int_equal(w.log.len, 0);
    world_free(&w);
}

static void test_what_cannot_be_measured_ends_the_start(void **state)
{
    static const char *const kinds[] = {
            "folder", "fifo", "dangling link", "unreadable name"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct world w = world_new();

        snprintf(path, sizeof path, "%s/programs/qair-%s", w.dir,
                i == 3 ? "a\nb" : "extra");
        switch (i) {
        case 0:
            assert_int_equal(mkdir(path, 0700), 0);
            break;
        case 1:
            assert_int_equal(mkfifo(path, 0600), 0);
            break;
        case 2:
            assert_int_equal(symlink("nothing", path), 0);
            break;
        default:
            close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        }
        assert_int_not_equal(run(&w, "allow\n"), 0);
        assert_int_equal(w.log.len, 0);
        world_free(&w);
    }
}

static void test_no_programs_no_start(void **state)
{
    struct world w = world_new();

    (void)state;
    assert_int_not_equal(run_with(&w, "allow\n", false), 0);
    world_free(&w);
}

static void test_link_inside_the_folder_is_followed(void **state)
{
    struct evidence_events events;
    struct world w = world_new();
    char path[128];
    struct err err;

    (void)state;
    snprintf(path, sizeof path, "%s/programs/qair-logd", w.dir);
    assert_int_equal(symlink("qair-keyd", path), 0);
    assert_int_equal(run(&w, "allow\n"), 0);
    assert_int_equal(evidence_events_parse(buf_span(&w.log), &events, &err), 0);
    assert_int_equal(events.n, 9);
    assert_memory_equal(events.event[6].sha256, events.event[7].sha256, 32);
    evidence_events_fini(&events);
    world_free(&w);
}

/* The zone takes its policy anew, twice; the TPM and the log agree. */
static void test_change_is_measured_behind_the_start(void **state)
{
    struct evidence_events events;
    struct world w = world_new();
    uint8_t pcr[32], sha256[32];
    struct err err;

    (void)state;
    assert_int_equal(run(&w, "allow\n"), 0);
    w.again = true;
    assert_int_equal(run(&w, "allow\n"), 0);
    assert_int_equal(run(&w, "deny\n"), 0);
    assert_int_equal(evidence_events_parse(buf_span(&w.log), &events, &err), 0);
    assert_int_equal(events.rounds, 2);
    /* 2 qubes, 2 of policy, 1 service, and the change itself */
    assert_int_equal(events.n, 8 + 2 * 6);
    crypto_sha256(span_str("deny\n"), sha256);
    assert_true(span_eq_str(events.event[17].name, "policy.d/30-sign.policy"));
    assert_memory_equal(events.event[17].sha256, sha256, 32);
    read_pcr(pcr);
    assert_memory_equal(pcr, events.pcr, 32);
    evidence_events_fini(&events);
    world_free(&w);
}

/* The new round would stand behind a past that it hides. */
static void test_change_behind_a_log_that_is_not_the_whole_truth(void **state)
{
    static const uint8_t digest[32] = {1};
    struct world w = world_new();
    uint8_t before[32], after[32];
    struct tpm *t = NULL;
    struct err err;

    (void)state;
    assert_int_equal(run(&w, "allow\n"), 0);
    assert_int_equal(tpm_open(swtpm_connect(&chip), false, &t, &err), 0);
    assert_int_equal(tpm_pcr_extend(t, TPM_PCR_QAIR, digest, &err), 0);
    tpm_close(t);
    read_pcr(before);
    w.again = true;
    assert_int_not_equal(run(&w, "allow\n"), 0);
    read_pcr(after);
    assert_memory_equal(before, after, 32);
    world_free(&w);
}

static void test_change_behind_a_broken_log(void **state)
{
    struct world w = world_new();
    uint8_t before[32], after[32];

    (void)state;
    assert_int_equal(run(&w, "allow\n"), 0);
    read_pcr(before);
    w.again = true;
    w.log.len--;
    assert_int_not_equal(run(&w, "allow\n"), 0);
    read_pcr(after);
    assert_memory_equal(before, after, 32);
    world_free(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_everything_is_in_the_log),
            cmocka_unit_test(test_one_byte_changes_the_state),
            cmocka_unit_test(test_second_start_without_reset),
            cmocka_unit_test(test_what_cannot_be_measured_ends_the_start),
            cmocka_unit_test(test_no_programs_no_start),
            cmocka_unit_test(test_link_inside_the_folder_is_followed),
            cmocka_unit_test(test_change_is_measured_behind_the_start),
            cmocka_unit_test(
                    test_change_behind_a_log_that_is_not_the_whole_truth),
            cmocka_unit_test(test_change_behind_a_broken_log),
    };
    int failed;

    if (argc != 2 || !swtpm_installed()) {
        puts("skipped: swtpm is not installed");
        return 77;
    }
    program = argv[1];
    if (!swtpm_init(&chip, false))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    swtpm_fini(&chip);
    return failed;
}
