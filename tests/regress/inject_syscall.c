/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_syscall PID NUMBER: makes a process that waits in a system call do
 * another one, as an attacker inside it would.  Prints the signal that killed
 * it ("signal 31") or "survived".  Exit 77 where the machine is not x86-64.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#define SYSCALL_LEN 2 /* the instruction that it came through */

static int stop_at(pid_t pid)
{
    int status;

    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0 ||
            ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
            waitpid(pid, &status, __WALL) != pid)
        return -1;
    return WIFSTOPPED(status) ? 0 : -1;
}

static int set_call(pid_t pid, unsigned long long number)
{
    struct user_regs_struct regs;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return -1;
    regs.rip -= SYSCALL_LEN;
    regs.rax = number;
    regs.orig_rax = ~0ull; /* not to be restarted */
    regs.rdi = regs.rsi = regs.rdx = regs.r10 = regs.r8 = regs.r9 = 0;
    return ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ? -1 : 0;
}

/* The process takes it for its own call, interrupted. */
static int set_result(pid_t pid)
{
    struct user_regs_struct regs;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return -1;
    regs.rax = (unsigned long long)-EINTR;
    return ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 ? -1 : 0;
}

static int inject(pid_t pid, unsigned long long number)
{
    int status, stops = 0;
    long signal_to_pass = 0;

    if (stop_at(pid) < 0 || set_call(pid, number) < 0)
        return -1;
    /* Entry and exit of the call, and entry of the next. */
    while (stops < 3) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, signal_to_pass) < 0 ||
                waitpid(pid, &status, __WALL) != pid)
            return -1;
        if (!WIFSTOPPED(status)) {
            printf("signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
            return 0;
        }
        signal_to_pass = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (++stops == 2 && set_result(pid) < 0)
                return -1;
        } else {
            signal_to_pass = WSTOPSIG(status);
        }
    }
    printf("survived\n");
    return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 ? -1 : 0;
}
#endif

int main(int argc, char **argv)
{
#ifdef __x86_64__
    if (argc != 3)
        return 2;
    if (inject((pid_t)atoi(argv[1]), strtoull(argv[2], NULL, 10)) < 0) {
        perror("inject");
        return 1;
    }
    return 0;
#else
    (void)argc;
    (void)argv;
    return 77;
#endif
}
