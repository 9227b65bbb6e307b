/* SPDX-License-Identifier: Apache-2.0 */
/* qrexec-daemon against a qube, a policy service and clients that do harm. */
#include "daemon_world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a qube that lies ------------------------------------------------ */

static void test_a_hello_that_lies_ends_the_daemon(void **state)
{
    static const struct {
        uint32_t type, len, version;
    } rows[] = {
            {QREXEC_HELLO, 4, 0},
            {QREXEC_HELLO, 4, 1},
            {QREXEC_HELLO, 0, 4},
            {QREXEC_HELLO, 3, 4},
            {QREXEC_HELLO, 8, 4},
            {QREXEC_STDOUT, 4, 4},
            {QREXEC_CONNECTION_TERMINATED, 8, 4},
            {QREXEC_TRIGGER_SERVICE3, 98, 4},
            {0x12345678, 4, 4},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t body[128] = {0};

        assert_int_equal(world_begin(state), 0);
        world_start(NULL);
        memcpy(body, &rows[i].version, 4);
        put_msg(w.agent, rows[i].type, body, rows[i].len);
        assert_int_equal(world_exit_code(), 1);
        assert_int_equal(world_end(state), 0);
    }
}

static void test_a_version_from_the_future_is_taken_as_ours(void **state)
{
    (void)state;
    world_ready(UINT32_MAX, NULL);
    still_serves();
}

static void test_what_a_version_has_not_ends_the_daemon(void **state)
{
    static const struct {
        uint32_t version, type, len;
    } rows[] = {
            {2, QREXEC_TRIGGER_SERVICE3, 98}, {3, QREXEC_TRIGGER_SERVICE, 128},
            {4, QREXEC_TRIGGER_SERVICE, 128}, {3, QREXEC_TRIGGER_SERVICE4, 162},
            {2, QREXEC_TRIGGER_SERVICE, 127}, {4, QREXEC_TRIGGER_SERVICE4, 160},
            {4, QREXEC_TRIGGER_SERVICE3, 96},
            {4, QREXEC_TRIGGER_SERVICE4, 160 + 65001},
            {4, QREXEC_EXEC_CMDLINE, 12}, {4, QREXEC_SERVICE_REFUSED, 32},
            {4, QREXEC_HELLO, 4},
            {4, QREXEC_CONNECTION_TERMINATED, 8}, /* port 0 */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static uint8_t body[70000];

        assert_int_equal(world_begin(state), 0);
        world_ready(rows[i].version, NULL);
        put_msg(w.agent, rows[i].type, body, rows[i].len);
        assert_int_equal(world_exit_code(), 1);
        assert_true(world_is_idle(w.policy, 0)); /* and asked nobody */
        assert_int_equal(world_end(state), 0);
    }
}

static void test_a_length_of_4_gib_is_not_waited_for(void **state)
{
    const uint32_t head[2] = {QREXEC_TRIGGER_SERVICE4, UINT32_MAX};

    (void)state;
    world_ready(4, NULL);
    put(w.agent, head, 8);
    assert_int_equal(world_exit_code(), 1);
}

static void test_bad_idents_come_back_as_they_were(void **state)
{
    static const char *const idents[] = {
            "\1\2", "a/b", "SOCKET\n", "0123456789abcdef0123456789abcdef"};

    (void)state;
    world_ready(4, NULL);
    for (size_t i = 0; i < ARRAY_LEN(idents); i++) {
        trigger("", "vault", "t.S", idents[i]);
        want_refused(idents[i]);
    }
    assert_true(world_is_idle(w.policy, 0));
    still_serves();
}

static void test_names_reach_the_policy_without_tricks(void **state)
{
    char question[1024];

    (void)state;
    world_ready(4, NULL);
    trigger("re\nlay", "va ult\nresult", "t.S+a/b\nx=y", "SOCKET1");
    answer(take_question(question, sizeof(question)), "result=deny\n");
    assert_string_equal(question,
            "source=work\nintended_target=va_ult_result\n"
            "service_and_arg=t.S+a_b_x_y\nrequested_source=re_lay\n\n");
    want_refused("SOCKET1");
}

static void test_an_ident_again_drops_the_former_request(void **state)
{
    char question[1024];
    int first;
    int second;

    (void)state;
    world_ready(4, NULL);
    trigger("", "vault", "t.First", "SOCKET1");
    first = take_question(question, sizeof(question));
    trigger("", "vault", "t.Second", "SOCKET1");
    second = take_question(question, sizeof(question));
    assert_non_null(strstr(question, "t.Second"));
    assert_true(is_closed(first));
    answer(first, ALLOW); /* too late for anybody */
    answer(second, "result=deny\n");
    want_refused("SOCKET1");
    still_serves();
}

static void test_ends_of_calls_that_never_were_are_ignored(void **state)
{
    uint32_t body[2] = {9, 514};

    (void)state;
    world_ready(4, NULL);
    for (body[1] = 513; body[1] <= 768; body[1]++)
        put_msg(w.agent, QREXEC_CONNECTION_TERMINATED, body, 8);
    still_serves();
}

static void test_257_questions_are_one_too_many(void **state)
{
    static int questions[256];
    char text[1024];
    char ident[32];

    (void)state;
    world_ready(4, NULL);
    for (int i = 0; i < 256; i++) {
        (void)snprintf(ident, sizeof(ident), "S%d", i);
        trigger("", "vault", "t.S", ident);
        questions[i] = take_question(text, sizeof(text));
    }
    trigger("", "vault", "t.S", "S256");
    want_refused("S256");
    answer(questions[200], "result=deny\n");
    want_refused("S200");
    still_serves();
    for (int i = 0; i < 256; i++)
        (void)close(i == 200 ? -1 : questions[i]);
}

/* VmRSS in KiB. */
static long memory_of(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    }
    (void)fclose(f);
    assert_true(kib > 0);
    return kib;
}

/* Until the daemon takes no more for a second. */
static size_t flood(size_t limit)
{
    static uint8_t bytes[8 + 160 + 4];
    const uint32_t head[2] = {QREXEC_TRIGGER_SERVICE4, 160 + 4};
    size_t sent = 0;
    struct pollfd pfd = {.fd = w.agent, .events = POLLOUT};

    memcpy(bytes, head, 8);
    memcpy(bytes + 8 + 160, "t.S", 3);
    while (sent < limit && poll(&pfd, 1, 1000) == 1) {
        /* Malformed idents: each is answered at once. */
        bytes[8 + 128] = '/';
        put(w.agent, bytes, sizeof(bytes));
        sent++;
    }
    return sent;
}

static void test_a_flood_that_is_never_read_is_left_standing(void **state)
{
    const size_t limit = 200000;
    long before;
    int client;
    uint8_t hello[12];
    const struct timeval quick = {.tv_sec = 1};

    (void)state;
    world_ready(4, NULL);
    before = memory_of(w.daemon);
    (void)setsockopt(w.agent, SOL_SOCKET, SO_SNDTIMEO, &quick, sizeof(quick));
    assert_in_range(flood(limit), 1000, limit - 1);
    assert_in_range(memory_of(w.daemon), 1, before + 8192);
    /* Who else comes is heard, though the qube cannot be told. */
    client = world_connect("qrexec.7");
    assert_true(get(client, hello, sizeof(hello)));
    (void)close(client);
}

static void test_an_agent_that_goes_away_is_awaited_again(void **state)
{
    char question[1024];
    int asked;
    int client;
    uint8_t hello[12];

    (void)state;
    world_ready(4, NULL);
    client = world_connect("qrexec.7");
    assert_true(get(client, hello, sizeof(hello)));
    trigger("", "vault", "t.S", "SOCKET1");
    asked = take_question(question, sizeof(question));
    (void)close(w.agent);
    assert_true(is_closed(asked));
    assert_true(is_closed(client));
    world_ready(3, NULL);
    client = world_connect("qrexec.work");
    assert_true(get(client, hello, sizeof(hello)));
    (void)close(client);
}

/* ---- a policy service that is not what it should be ------------------ */

static void test_answers_that_are_none_refuse(void **state)
{
    static char long_text[8192];
    static const char nul[] = "result=deny\0\n";
    static const char *const rows[] = {
            "nonsense\n",
            "result=maybe\n",
            "result=allow\n",
            "result=deny\nresult=deny\n",
            "result=deny\nuser=joe\n",
            "result=deny\ntarget=vault\n",
            ALLOW "target=other\n",
            ALLOW "result=deny\n",
            "user=\nresult=allow\ntarget=vault\nautostart=True\n"
            "requested_target=vault\n",
            "user=joe\nresult=allow\ntarget=va\tult\nautostart=True\n"
            "requested_target=vault\n",
            "user=joe\nresult=allow\ntarget=vault\nautostart=yes\n"
            "requested_target=vault\n",
            /* names that are no socket's */
            "user=joe\nresult=allow\ntarget=../vault\nautostart=False\n"
            "requested_target=vault\n",
            "user=joe\nresult=allow\ntarget=vault\ntarget_uuid=uuid:../x\n"
            "autostart=False\nrequested_target=vault\n",
    };
    char question[1024];

    (void)state;
    world_ready(4, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        asked_and_told("SOCKET1", rows[i]);
        want_refused("SOCKET1");
    }
    trigger("", "vault", "t.S", "SOCKET2");
    answer_bytes(take_question(question, sizeof(question)), nul, sizeof(nul));
    want_refused("SOCKET2");
    memset(long_text, 'x', sizeof(long_text) - 1);
    memcpy(long_text, ALLOW "reason=", strlen(ALLOW "reason="));
    asked_and_told("SOCKET3", long_text);
    want_refused("SOCKET3");
    assert_true(world_is_idle(w.policy, 100)); /* nobody was asked twice */
    assert_true(world_is_idle(w.qubesd, 0));
}

static void test_a_policy_that_hangs_holds_that_call_alone(void **state)
{
    static const char *const extra[] = {"--decision-timeout=1", NULL};
    char question[1024];
    int hangs;

    (void)state;
    world_ready(4, extra);
    trigger("", "vault", "t.S", "SOCKET1");
    hangs = take_question(question, sizeof(question));
    still_serves();
    want_refused("SOCKET1");
    (void)close(hangs);
}

static void test_no_policy_service_no_call(void **state)
{
    char question[1024];

    (void)state;
    world_ready(4, NULL);
    trigger("", "vault", "t.S", "SOCKET1");
    (void)close(take_question(question, sizeof(question)));
    want_refused("SOCKET1");
    (void)close(w.policy);
    trigger("", "vault", "t.S", "SOCKET2");
    want_refused("SOCKET2");
}

static void write_program(char option[static 160], const char *script)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/program", w.dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    (void)dprintf(fd, "#!/bin/sh\necho \"$@\" >> %s/ran\n%s\n", w.dir, script);
    (void)close(fd);
    (void)snprintf(option, 160, "--policy-program=%s", path);
}

static void test_the_named_program_alone_decides_instead(void **state)
{
    static char option[160];
    const char *const extra[] = {option, NULL};
    char ran[128];
    char text[256] = "";
    int fd;

    (void)state;
    write_program(option, "exit 1");
    world_ready(4, extra);
    /* An answer that is nonsense is an answer. */
    asked_and_told("SOCKET1", "nonsense\n");
    want_refused("SOCKET1");
    (void)close(w.policy);
    /* It would take the relay for the caller. */
    trigger("far", "vault", "t.S", "SOCKET2");
    want_refused("SOCKET2");
    (void)snprintf(ran, sizeof(ran), "%s/ran", w.dir);
    assert_int_equal(access(ran, F_OK), -1);
    trigger("", "vault", "t.S", "SOCKET3");
    want_refused("SOCKET3");
    fd = open(ran, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    (void)close(fd);
    assert_string_equal(text, "-- work vault t.S\n");
}

static void test_a_program_that_hangs_holds_that_call_alone(void **state)
{
    static char option[160];
    const char *const extra[] = {option, "--decision-timeout=1", NULL};

    (void)state;
    write_program(option, "exec sleep 1000");
    world_ready(4, extra);
    (void)close(w.policy);
    trigger("", "vault", "t.S", "SOCKET1");
    trigger("", "vault", "", "SOCKET2");
    want_refused("SOCKET2");
    want_refused("SOCKET1");
}

static void test_what_the_program_says_is_an_answer(void **state)
{
    static char option[160];
    const char *const extra[] = {option, NULL};
    char command[4096];
    int vault;
    int fd;

    (void)state;
    write_program(option,
            "[ $4 = t.Yes ] || exec head -c 5000 /dev/zero\n"
            "echo user=joe; echo result=allow; echo target=vault\n"
            "echo autostart=False; echo requested_target=vault");
    world_ready(4, extra);
    (void)close(w.policy);
    vault = world_listen("qrexec.vault");
    trigger("", "vault", "t.Yes", "SOCKET1");
    fd = take_command(vault, command, sizeof(command));
    assert_string_equal(command, "joe:QUBESRPC t.Yes+ work");
    name_port(fd, 9, 514);
    want_connect(9, 514, "SOCKET1");
    (void)close(fd);
    trigger("", "vault", "t.No", "SOCKET2");
    want_refused("SOCKET2");
    (void)close(vault);
}

/* ---- clients --------------------------------------------------------- */

static int greet(void)
{
    const uint32_t version = 3;
    uint8_t hello[64];
    int fd = world_connect("qrexec.7");

    assert_int_equal(want_msg(fd, QREXEC_HELLO, hello, sizeof(hello)), 4);
    put_msg(fd, QREXEC_HELLO, &version, 4);
    return fd;
}

/* The port that a command for that domain gets. */
static uint32_t run(int fd, uint32_t domain, const char *command)
{
    uint8_t body[512] = {0};
    uint32_t answer_body[2];

    memcpy(body, &domain, 4);
    memcpy(body + 8, command, strlen(command));
    put_msg(fd, QREXEC_EXEC_CMDLINE, body, 8 + strlen(command) + 1);
    assert_int_equal(want_msg(fd, QREXEC_EXEC_CMDLINE, (uint8_t *)answer_body,
                             sizeof(answer_body)),
            8);
    assert_int_equal(answer_body[0], OWN);
    return answer_body[1];
}

static void want_exec(uint32_t domain, uint32_t port, const char *command)
{
    const uint32_t head[2] = {domain, port};
    uint8_t body[512];

    assert_int_equal(want_msg(w.agent, QREXEC_EXEC_CMDLINE, body, sizeof(body)),
            8 + strlen(command) + 1);
    assert_memory_equal(body, head, 8);
    assert_string_equal((char *)body + 8, command);
}

static void test_a_client_hears_the_end_of_its_call(void **state)
{
    uint32_t end[2] = {0};
    int fd;

    (void)state;
    world_ready(4, NULL);
    fd = greet();
    end[1] = run(fd, 0, "DEFAULT:true");
    want_exec(0, end[1], "joe:true");
    put_msg(w.agent, QREXEC_CONNECTION_TERMINATED, end, 8);
    assert_true(is_closed(fd));
    (void)close(fd);
}

static void test_a_port_rests_before_the_same_pair_has_it_again(void **state)
{
    uint32_t end[2] = {3};
    uint32_t again;

    (void)state;
    world_ready(4, NULL);
    end[1] = run(greet(), 3, "joe:true");
    want_exec(3, end[1], "joe:true");
    put_msg(w.agent, QREXEC_CONNECTION_TERMINATED, end, 8);
    still_serves(); /* so that the end was heard */
    again = run(greet(), 3, "joe:true");
    assert_int_not_equal(again, end[1]);
    assert_int_equal(again % 2, end[1] % 2);
    want_exec(3, again, "joe:true");
}

/* Nobody hears of that call's end: the agent was never told of it. */
static void test_clients_that_do_not_hear_their_port_cost_none(void **state)
{
    static const char request[] = "\3\0\0\0\0\0\0\0joe:true";
    uint32_t port;

    (void)state;
    world_ready(4, NULL);
    for (int i = 0; i < 257; i++) {
        int fd = greet();
        struct pollfd pfd = {.fd = fd}; /* for its end */

        assert_int_equal(shutdown(fd, SHUT_RD), 0);
        put_msg(fd, QREXEC_EXEC_CMDLINE, request, sizeof(request));
        assert_int_equal(poll(&pfd, 1, 15000), 1);
        (void)close(fd);
    }
    port = run(greet(), 3, "joe:true");
    want_exec(3, port, "joe:true");
}

static void test_clients_that_lie_are_closed(void **state)
{
    static const struct {
        uint32_t type, len;
        const char *body;
    } rows[] = {
            {QREXEC_EXEC_CMDLINE, 8, "\3\0\0\0\0\0\0\0"},
            {QREXEC_EXEC_CMDLINE, 7, "\3\0\0\0\0\0\0"},
            {QREXEC_EXEC_CMDLINE, 10, "\3\0\0\0\0\0\0\0ab"},
            {QREXEC_EXEC_CMDLINE, 10, "\3\0\0\0\1\0\0\0a"},
            {QREXEC_STDIN, 10, "\3\0\0\0\0\0\0\0a"},
            {QREXEC_HELLO, 4, "\3\0\0\0"},
            {QREXEC_SERVICE_CONNECT, 16, "\3\0\0\0\2\2\0\0SOCKET1"},
            {QREXEC_SERVICE_CONNECT, 9, "\3\0\0\0\2\2\0\0"},
    };
    const uint32_t huge[2] = {QREXEC_EXEC_CMDLINE, UINT32_MAX};
    const uint32_t old = 2;
    int fd;

    (void)state;
    world_ready(4, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fd = greet();
        put_msg(fd, rows[i].type, rows[i].body, rows[i].len);
        assert_true(is_closed(fd));
        (void)close(fd);
    }
    fd = greet();
    put(fd, huge, sizeof(huge));
    assert_true(is_closed(fd));
    (void)close(fd);
    fd = world_connect("qrexec.7");
    put_msg(fd, QREXEC_HELLO, &old, 4);
    assert_int_equal(recv(fd, (uint8_t[12]){0}, 12, MSG_WAITALL), 12);
    assert_true(is_closed(fd));
    (void)close(fd);
    fd = greet(); /* one call a connection */
    (void)run(fd, 3, "joe:true");
    put(fd, "x", 1);
    assert_true(is_closed(fd));
    (void)close(fd);
}

static void test_silent_clients_keep_nobody_out(void **state)
{
    static int silent[255];
    uint32_t port;
    int late;
    int fd;

    (void)state;
    world_ready(4, NULL);
    for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
        silent[i] = world_connect("qrexec.7");
        assert_true(get(silent[i], (uint8_t[12]){0}, 12));
    }
    fd = greet();
    port = run(fd, 3, "joe:true");
    want_exec(3, port, "joe:true");
    late = world_connect("qrexec.7"); /* no place is left */
    assert_true(is_closed(late));
    (void)close(late);
    still_serves();
    for (size_t i = 0; i < ARRAY_LEN(silent); i++)
        assert_true(is_closed(silent[i])); /* after their 10 s */
    late = greet();
    port = run(late, 3, "joe:false");
    want_exec(3, port, "joe:false");
    (void)close(late);
    (void)close(fd);
}

/* ---- start-up -------------------------------------------------------- */

static int start_as_daemon(const char *timeout)
{
    char option[3][128];
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)snprintf(option[0], 128, "--socket-dir=%s", w.dir);
        (void)snprintf(option[1], 128, "--log-dir=%s", w.dir);
        (void)setenv("VCHAN_SOCKET_DIR", w.dir, 1);
        (void)setenv("VCHAN_DOMAIN", "0", 1);
        (void)setenv("QREXEC_STARTUP_TIMEOUT", timeout, 1);
        (void)execl(world_program, world_program, option[0], option[1], "-q",
                "7", "work", NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_the_start_ends_when_no_agent_comes(void **state)
{
    (void)state;
    assert_int_equal(start_as_daemon("1"), 3);
}

static void test_the_start_ends_when_the_agent_says_nothing(void **state)
{
    int vchan = world_listen("vchan.7.0.512.sock");

    (void)state;
    assert_int_equal(start_as_daemon("1"), 3);
    (void)close(vchan);
}

static void test_bad_arguments_say_so(void **state)
{
    static const char *const rows[][3] = {
            {"7", NULL, NULL},
            {"0", "work", NULL},
            {"-1", "work", NULL},
            {"7x", "work", NULL},
            {"7", "../work", NULL},
            {"7", "", NULL},
            {"7", "work", "us:er"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
            (void)execl(world_program, world_program, "--", rows[i][0],
                    rows[i][1], rows[i][2], NULL);
            _exit(99);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 2);
    }
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_hello_that_lies_ends_the_daemon),
            WITH_WORLD(test_a_version_from_the_future_is_taken_as_ours),
            cmocka_unit_test(test_what_a_version_has_not_ends_the_daemon),
            WITH_WORLD(test_a_length_of_4_gib_is_not_waited_for),
            WITH_WORLD(test_bad_idents_come_back_as_they_were),
            WITH_WORLD(test_names_reach_the_policy_without_tricks),
            WITH_WORLD(test_an_ident_again_drops_the_former_request),
            WITH_WORLD(test_ends_of_calls_that_never_were_are_ignored),
            WITH_WORLD(test_257_questions_are_one_too_many),
            WITH_WORLD(test_a_flood_that_is_never_read_is_left_standing),
            WITH_WORLD(test_an_agent_that_goes_away_is_awaited_again),
            WITH_WORLD(test_answers_that_are_none_refuse),
            WITH_WORLD(test_a_policy_that_hangs_holds_that_call_alone),
            WITH_WORLD(test_no_policy_service_no_call),
            WITH_WORLD(test_the_named_program_alone_decides_instead),
            WITH_WORLD(test_a_program_that_hangs_holds_that_call_alone),
            WITH_WORLD(test_what_the_program_says_is_an_answer),
            WITH_WORLD(test_a_client_hears_the_end_of_its_call),
            WITH_WORLD(test_a_port_rests_before_the_same_pair_has_it_again),
            WITH_WORLD(test_clients_that_do_not_hear_their_port_cost_none),
            WITH_WORLD(test_clients_that_lie_are_closed),
            WITH_WORLD(test_silent_clients_keep_nobody_out),
            WITH_WORLD(test_the_start_ends_when_no_agent_comes),
            WITH_WORLD(test_the_start_ends_when_the_agent_says_nothing),
            cmocka_unit_test(test_bad_arguments_say_so),
    };

    if (argc != 2)
        return 2;
    world_program = argv[1];
    return cmocka_run_group_tests_name("qrexec-daemon", tests, NULL, NULL);
}
