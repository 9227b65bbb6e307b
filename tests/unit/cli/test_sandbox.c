/* SPDX-License-Identifier: Apache-2.0 */
/* What takes foreign bytes apart can print, and end, and nothing else. */
#include "cli_sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* As in qair.c, without its nouns. */
int cli_fail(const struct err *err)
{
    (void)fprintf(stderr, "qair: %s\n", err->msg);
    return err->code == ERR_USAGE ? CLI_MISUSE : CLI_NO;
}

static int job_code(void *ctx)
{
    (void)printf("# printed by the child\n");
    return *(int *)ctx;
}

static int job_memory(void *ctx)
{
    char *p = malloc(8u << 20);

    (void)ctx;
    if (!p)
        return CLI_NO;
    memset(p, 1, 8u << 20);
    free(p);
    return CLI_OK;
}

static int job_open(void *ctx)
{
    (void)ctx;
    return open("/etc/passwd", O_RDONLY) >= 0 ? CLI_OK : CLI_NO;
}

static int job_socket(void *ctx)
{
    (void)ctx;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? CLI_OK : CLI_NO;
}

static int job_exec(void *ctx)
{
    char *const argv[] = {(char *)(uintptr_t) "/bin/true", NULL};

    (void)ctx;
    return execv(argv[0], argv);
}

static int job_write_nowhere(void *ctx)
{
    volatile int *p = ctx;

    *p = 1;
    return CLI_OK;
}

static int job_abort(void *ctx)
{
    (void)ctx;
    abort();
}

static void test_its_answer_is_the_answer(void **state)
{
    int code;

    (void)state;
    for (code = CLI_OK; code <= CLI_MISUSE; code++)
        assert_int_equal(cli_in_sandbox(job_code, &code), code);
    assert_int_equal(cli_in_sandbox(job_memory, NULL), CLI_OK);
}

static void test_whatever_else_it_does_is_a_refusal(void **state)
{
    static cli_job *const jobs[] = {
            job_open, job_socket, job_exec, job_abort, job_write_nowhere};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        assert_int_equal(cli_in_sandbox(jobs[i], NULL), CLI_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_its_answer_is_the_answer),
            cmocka_unit_test(test_whatever_else_it_does_is_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
