/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers inside a qube: each makes its calls one after another and checks
 * that each gives back exactly what it was told, and its exit code.
 *
 *     soak-calls TARGET SERVICE CALLERS CALLS
 *
 * Ends with 0 when none failed and none took longer than the patience.
 */
#include "base.h"
#include "qair-qrexec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLERS_MAX 256
#define PATIENCE_MS 60000

struct exchange {
    char said[64], got[128];
    size_t said_len, sent, got_len;
    bool open;
};

static bool step(struct qair_call *call, struct exchange *x)
{
    ssize_t n;

    if (qair_call_wait(call, x->open, PATIENCE_MS) != 0)
        return false;
    if (x->open && x->sent < x->said_len) {
        n = qair_call_write(call, x->said + x->sent, x->said_len - x->sent);
        if (n > 0)
            x->sent += (size_t)n;
    } else if (x->open) {
        x->open = qair_call_end_input(call) == -EAGAIN;
    }
    while (x->got_len < sizeof(x->got) &&
            (n = qair_call_read(call, QAIR_CALL_STDOUT, x->got + x->got_len,
                     sizeof(x->got) - x->got_len)) > 0)
        x->got_len += (size_t)n;
    return true;
}

static bool one_call(char **argv, uint64_t caller, uint64_t i)
{
    struct exchange x = {.open = true};
    struct qair_call *call;
    bool ok;

    x.said_len =
            (size_t)snprintf(x.said, sizeof(x.said), "caller %llu call %llu",
                    (unsigned long long)caller, (unsigned long long)i);
    if (qair_call_start(argv[1], argv[2], NULL, &call) != 0)
        return false;
    while ((ok = step(call, &x)) && qair_call_fd(call) >= 0) {
    }
    ok = ok && qair_call_step(call) == QAIR_CALL_EXITED &&
         qair_call_exit_code(call) == 0 && x.got_len == x.said_len &&
         memcmp(x.got, x.said, x.said_len) == 0;
    if (!ok)
        (void)fprintf(stderr, "%s: state %d, exit code %d, %s: %s\n", x.said,
                (int)qair_call_step(call), qair_call_exit_code(call),
                qair_call_where(call), qair_call_reason(call));
    qair_call_free(call);
    return ok;
}

static int caller(char **argv, uint64_t me, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++) {
        if (!one_call(argv, me, i))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t callers = 0, calls = 0;
    unsigned failed = 0;
    int status;

    if (argc != 5 || !text_parse_u64(span_str(argv[3]), &callers) ||
            callers == 0 || callers > CALLERS_MAX ||
            !text_parse_u64(span_str(argv[4]), &calls)) {
        (void)fprintf(
                stderr, "usage: soak-calls TARGET SERVICE CALLERS CALLS\n");
        return 2;
    }
    for (uint64_t i = 0; i < callers; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid == 0)
            _exit(caller(argv, i, calls));
    }
    for (uint64_t i = 0; i < callers; i++) {
        if (wait(&status) < 0 || status != 0)
            failed++;
    }
    (void)printf(
            "%u of %llu callers failed\n", failed, (unsigned long long)callers);
    return failed ? 1 : 0;
}
