/* SPDX-License-Identifier: Apache-2.0 */
/* qair attest snp and launch over files of others: args: PROGRAM
 * FIRMWARE. */
#include "snp_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program, *firmware;
static char folder[64], out[8192];

static void put_file(const char *name, struct span s)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(s.ptr, 1, s.len, f), s.len);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    struct snp_fixture_cert ark = snp_fixture_ark(), ask = snp_fixture_ask();
    struct snp_fixture_cert vcek = snp_fixture_vcek();
    uint8_t report[SNP_REPORT_SIZE];
    char certs[96];

    (void)state;
    snp_fixture_init();
    (void)snprintf(folder, sizeof(folder), "/tmp/qair-snp-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(certs, sizeof(certs), "%s/certs", folder);
    if (mkdir(certs, 0755) < 0)
        return -1;
    /* As snpguest leaves them. */
    put_file("ark.pem", snp_fixture_pem(snp_fixture_make(&ark)));
    put_file("certs/ask.pem", snp_fixture_pem(snp_fixture_make(&ask)));
    put_file("certs/vcek.pem", snp_fixture_pem(snp_fixture_make(&vcek)));
    snp_fixture_report(report);
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    put_file("report.bin", SPAN_OF(report));
    report[0x90] ^= 1;
    put_file("tampered.bin", SPAN_OF(report));
    snp_fixture_report(report);
    report[0x0a] = 0x0b; /* debug */
    snp_fixture_sign(report, SNP_FIXTURE_VEK);
    put_file("debug.bin", SPAN_OF(report));
    return 0;
}

static int forget(
        const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    snp_fixture_fini();
    return nftw(folder, forget, 8, FTW_DEPTH | FTW_PHYS);
}

/* Runs qair in the folder; what it printed is in out. */
static int qair(const char *const *argv)
{
    int fd[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (chdir(folder) < 0 || dup2(fd[1], 1) < 0 || dup2(fd[1], 2) < 0)
            _exit(99);
        (void)execv(program, (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    (void)close(fd[1]);
    while ((got = read(fd[0], out + n, sizeof(out) - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    (void)close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define QAIR(...) qair((const char *const[]){"qair", __VA_ARGS__, NULL})
#define AT        "--time", "2026-01-01T00:00:00Z"

static void says(const char *want)
{
    if (!strstr(out, want))
        fail_msg("'%s' is not in:\n%s", want, out);
}

static void test_a_folder_of_snpguest_is_judged_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(QAIR("attest", "snp", "report.bin", "certs", "--root",
                             "ark.pem", AT),
            0);
    says("report       accepted\n");
    says("version      3, Milan\n");
    says("reported 4.0.24.219");
    assert_int_equal(
            QAIR("attest", "snp", "report.bin", "certs/ask.pem",
                    "certs/vcek.pem", "--root", "ark.pem", AT, "--json"),
            0);
    says("\"acceptable\":true");
    says("\"reasons\":[]");
}

static void test_what_is_wrong_is_told(void **state)
{
    (void)state;
    assert_int_equal(QAIR("attest", "snp", "tampered.bin", "certs", "--root",
                             "ark.pem", AT),
            1);
    says("not authentic");
    says("signature: ");
    assert_int_equal(QAIR("attest", "snp", "debug.bin", "certs", "--root",
                             "ark.pem", AT),
            1);
    says("authentic, not acceptable");
    says("debug: ");
    /* The fixture's root is not AMD's. */
    assert_int_equal(
            QAIR("attest", "snp", "report.bin", "certs", "ark.pem", AT), 1);
    says("chain: ");
    says("its CA is not signed by a trusted ARK");
    assert_int_equal(QAIR("attest", "snp", "report.bin", "certs", "--root",
                             "ark.pem", "--time", "2033-01-01T00:00:00Z"),
            1);
    says("cert-time: ");
    assert_int_equal(
            QAIR("attest", "snp", "report.bin", "--root", "ark.pem", AT), 1);
    says("certificate: ");
    says("https://kdsintf.amd.com/vcek/v1/Milan/b4a1d7");
    assert_int_equal(QAIR("attest", "snp", "report.bin", "certs", "--root",
                             "ark.pem", AT, "--vmpl", "1"),
            1);
    says("vmpl0: ");
    assert_int_equal(QAIR("attest", "snp", "report.bin", "certs", "--root",
                             "ark.pem", AT, "--host-data",
                             "11111111111111111111111111111111"
                             "11111111111111111111111111111111"),
            1);
    says("host-data: ");
}

static unsigned lines(void)
{
    unsigned n = 0;

    for (const char *p = out; *p; p++)
        n += *p == '\n';
    return n;
}

static void test_a_guest_has_a_digest_for_each_size_and_cpu(void **state)
{
    char one[97];

    (void)state;
    assert_int_equal(QAIR("attest", "launch", "--ovmf", firmware, "--vcpus",
                             "2", "--cpu", "EPYC-Genoa"),
            0);
    assert_int_equal(lines(), 1);
    says("  vcpus 2, EPYC-Genoa\n");
    memcpy(one, out, 96);
    one[96] = '\0';
    assert_int_equal(
            QAIR("attest", "launch", "--ovmf", firmware, "--vcpus", "1-2,8",
                    "--cpu", "EPYC-Milan", "--cpu", "0xa10f10"),
            0);
    assert_int_equal(lines(), 6);
    says(one);
    assert_int_equal(QAIR("attest", "launch", "--ovmf", firmware, "--vcpus",
                             "1", "--vmm", "ec2", "--json"),
            0);
    says("\"claim\":\"snp.measurement\"");
    assert_int_equal(QAIR("attest", "launch", "--ovmf", firmware, "--vcpus",
                             "1", "--mode", "sev"),
            0);
    assert_int_equal(strcspn(out, " "), 64);
}

static void test_misuse_is_told(void **state)
{
    (void)state;
    assert_int_equal(QAIR("attest", "snp"), 2);
    assert_int_equal(QAIR("attest", "snp", "report.bin", "--time", "soon"), 2);
    assert_int_equal(QAIR("attest", "snp", "report.bin", "--vmpl", "4"), 2);
    assert_int_equal(QAIR("attest", "snp", "report.bin", "--chip", "ab"), 2);
    assert_int_equal(QAIR("attest", "snp", "none.bin"), 1);
    assert_int_equal(QAIR("attest", "snp", "ark.pem"), 1);
    says("1184");
    assert_int_equal(QAIR("attest", "launch", "--vcpus", "1"), 2);
    assert_int_equal(
            QAIR("attest", "launch", "--ovmf", "report.bin", "--vcpus", "1"),
            2);
    says("--cpu EPYC-Milan");
    assert_int_equal(QAIR("attest", "launch", "--ovmf", "report.bin", "--vcpus",
                             "0x", "--cpu", "EPYC-Milan"),
            2);
    static const char *const sizes[] = {
            "0", "2-1", "1,1", "1-513", "4097", "1-", "1,", "+1", "01"};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_int_equal(QAIR("attest", "launch", "--ovmf", firmware, "--vcpus",
                                 sizes[i], "--cpu", "EPYC-Milan"),
                2);
    }
    assert_int_equal(QAIR("attest", "launch", "--ovmf", "report.bin", "--vcpus",
                             "1", "--cpu", "EPYC-Milan"),
            1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_folder_of_snpguest_is_judged_as_it_is),
            cmocka_unit_test(test_what_is_wrong_is_told),
            cmocka_unit_test(test_a_guest_has_a_digest_for_each_size_and_cpu),
            cmocka_unit_test(test_misuse_is_told),
    };

    if (argc != 3)
        return 2;
    /* Both are run and read in another folder. */
    program = realpath(argv[1], NULL);
    firmware = realpath(argv[2], NULL);
    if (!program || !firmware)
        return 2;
    return cmocka_run_group_tests(tests, setup, teardown);
}
