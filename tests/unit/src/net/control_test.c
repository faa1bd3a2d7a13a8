/* The control socket as a client sees it, over a real socket and event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/loop/loop.h"
#include "src/net/control.h"
#include "tests/lib/eal.h"
#include "tests/lib/group.h"
#include "tests/lib/scratch.h"

static struct loop *loop;
static struct event_base *base;
static struct control *control;
static char path[100];

static void cmd_echo(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    for (int i = 1; i < argc; i++)
        control_printf(reply, "%s\n", argv[i]);
}

static void cmd_fail(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    control_printf(reply, "half an answer");
    control_fail(reply, "no %s", "luck");
}

/* A long reply: so many lines of 100 bytes, of which the test asks for some with every turn. */
static unsigned lines_left, lines_told, ended;

static bool more_lines(void *arg, struct control_reply *reply)
{
    for (unsigned i = 0; i < 100 && lines_left; i++, lines_left--) {
        lines_told++;
        if (reply->as_json)
            control_element(reply, json_pack("{s:i}", "line", (int)lines_told));
        else
            control_printf(reply, "\"%-97u\n", lines_told);
    }
    return lines_left > 0;
}

static void lines_end(void *arg)
{
    assert_ptr_equal(arg, &lines_left);
    ended++;
}

static void cmd_lines(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    lines_left = (unsigned)atoi(argv[1]);
    lines_told = 0;
    reply->stream = (struct control_stream){.more = more_lines, .end = lines_end, .arg = &lines_left};
}

static int setup(void **state)
{
    char error[256];

    if (test_eal_init("control_test"))
        return -1;
    loop = loop_create();
    base = loop_base(loop);
    snprintf(path, sizeof path, "%s", scratch_path("ctl"));
    control = control_create(loop, path, error, sizeof error);
    if (!control)
        return -1;
    control_register(control, "echo", "[word]...", 0, 3, cmd_echo, NULL);
    control_register(control, "fail", "", 0, 0, cmd_fail, NULL);
    control_register(control, "lines", "n", 1, 1, cmd_lines, NULL);
    return 0;
}

static int teardown(void **state)
{
    control_destroy(control);
    loop_destroy(loop);
    return access(path, F_OK) ? 0 : -1; /* the socket file is gone */
}

static int client(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (void *)&addr, sizeof addr), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void turn_loop(void)
{
    for (int i = 0; i < 20; i++) {
        loop_turn(loop);
        usleep(500);
    }
}

/* What the server answers to `text`; "" = closed the connection, NULL = nothing. */
static const char *ask(int fd, const char *text)
{
    static char answer[4096];

    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turn_loop();
    ssize_t n = recv(fd, answer, sizeof answer - 1, 0);
    if (n < 0)
        return NULL;
    answer[n] = '\0';
    return answer;
}

static void answers_a_command(void **state)
{
    int fd = client();

    assert_string_equal(ask(fd, "{\"id\":7,\"method\":\"echo\",\"params\":[\"a\",\"b\"]}"),
                        "{\"id\":7,\"result\":\"a\\nb\\n\",\"error\":null}");
    close(fd);
}

static void answers_a_request_in_pieces_and_two_at_once(void **state)
{
    int fd = client();

    assert_null(ask(fd, "{\"id\":1,\"method\":\"ec"));
    assert_string_equal(ask(fd, "ho\",\"params\":[\"}\"]}"), "{\"id\":1,\"result\":\"}\\n\",\"error\":null}");
    assert_string_equal(
        ask(fd, "{\"id\":2,\"method\":\"echo\",\"params\":[\"x\"]} {\"id\":3,\"method\":\"echo\",\"params\":[]}"),
        "{\"id\":2,\"result\":\"x\\n\",\"error\":null}{\"id\":3,\"result\":\"\",\"error\":null}");
    close(fd);
}

static void errors_are_errors(void **state)
{
    int fd = client();

    assert_string_equal(ask(fd, "{\"id\":1,\"method\":\"fail\",\"params\":[]}"),
                        "{\"id\":1,\"result\":null,\"error\":\"no luck\\n\"}");
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"nonsense\",\"params\":[]}"), "not a valid command"));
    assert_non_null(
        strstr(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[\"1\",\"2\",\"3\",\"4\"]}"), "takes 0 to 3 words"));
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[1]}"), "not a string"));
    close(fd);
}

/* The first line of the answer, by `words` before it. */
static void assert_json(int fd, const char *words)
{
    char request[256];

    snprintf(request, sizeof request, "{\"id\":1,\"method\":\"echo\",\"params\":[%s,\"one\"]}", words);
    json_t *reply = json_loads(ask(fd, request), 0, NULL);
    json_t *result = json_loads(json_string_value(json_object_get(reply, "result")), 0, NULL);

    assert_string_equal(json_string_value(json_array_get(json_object_get(result, "lines"), 0)), "one");
    json_decref(result);
    json_decref(reply);
}

static void json_on_request(void **state)
{
    int fd = client();

    assert_json(fd, "\"--json\"");
    assert_json(fd, "\"--format\",\"json\"");
    assert_json(fd, "\"--format=json\"");
    assert_string_equal(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[\"--format\",\"text\",\"one\"]}"),
                        "{\"id\":1,\"result\":\"one\\n\",\"error\":null}");
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[\"--format=xml\"]}"), "json or text"));
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[\"--format\"]}"), "json or text"));
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[\"--format\",7]}"), "json or text"));
    close(fd);
}

static void garbage_closes_the_connection_only(void **state)
{
    static const char *const garbage[] = {
        "hello\n", "[1]", "{\"id\":1}", "}", "{\"id\":1,\"method\":2,\"params\":[]}", "{\"id\" 1}", "\xff\xfe"};

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        int fd = client();
        assert_string_equal(ask(fd, garbage[i]), "");
        close(fd);
    }
    int fd = client();
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"list-commands\",\"params\":[]}"), "echo"));
    close(fd);
}

static void endless_request_is_cut_off(void **state)
{
    int fd = client();
    char chunk[4096];

    memset(chunk, ' ', sizeof chunk);
    assert_null(ask(fd, "{\"id\":1,"));
    bool closed = false;
    for (int i = 0; i < 2000 && !closed; i++) {
        closed = send(fd, chunk, sizeof chunk, MSG_NOSIGNAL) < 0;
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    turn_loop();
    assert_true(send(fd, chunk, sizeof chunk, MSG_NOSIGNAL) < 0);
    close(fd);
}

static void connections_left_open_do_not_keep_others_out(void **state)
{
    int idle[100], busy = client(), fd;

    for (size_t i = 0; i < 100; i++) {
        idle[i] = client();
        if (i % 10 == 0) /* who asks now and then stays */
            assert_non_null(ask(busy, "{\"id\":1,\"method\":\"echo\",\"params\":[]}"));
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    fd = client();
    assert_non_null(strstr(ask(fd, "{\"id\":1,\"method\":\"echo\",\"params\":[\"in\"]}"), "in"));
    assert_non_null(strstr(ask(busy, "{\"id\":1,\"method\":\"echo\",\"params\":[\"still\"]}"), "still"));
    close(fd);
    close(busy);
    for (size_t i = 0; i < 100; i++)
        close(idle[i]);
    turn_loop();
}

static void who_does_not_read_is_not_heard(void **state)
{
    static const char request[] = "{\"id\":1,\"method\":\"list-commands\",\"params\":[]}";
    size_t sent = 0, answered = 0;
    char answers[65536];
    int fd = client(), quiet = 0;

    for (int i = 0; i < 100000 && quiet < 100; i++) {
        ssize_t n = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
        quiet = n < 0 ? quiet + 1 : 0;
        sent += n > 0;
        if (n > 0)
            assert_int_equal(n, sizeof request - 1);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    assert_true(sent < 100000); /* nothing more was taken */
    /* What was sent is answered once it reads. */
    for (int i = 0; i < 20000 && answered < sent; i++) {
        ssize_t n = recv(fd, answers, sizeof answers - 1, 0);
        for (ssize_t at = 0; at < n; at++)
            answered += answers[at] == '{' && at + 5 < n && !memcmp(answers + at, "{\"id\"", 5);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    assert_true(answered > sent * 9 / 10); /* some are cut in two by recv */
    close(fd);
    turn_loop();
}

static void long_replies_come_in_pieces(void **state)
{
    int fd = client();

    assert_string_equal(ask(fd, "{\"id\":[4],\"method\":\"lines\",\"params\":[\"0\"]}"),
                        "{\"id\":[4],\"result\":\"\",\"error\":null}");
    assert_string_equal(ask(fd, "{\"id\":5,\"method\":\"lines\",\"params\":[\"--json\",\"0\"]}"),
                        "{\"id\":5,\"result\":\"[]\\n\",\"error\":null}");
    assert_string_equal(ask(fd, "{\"id\":6,\"method\":\"lines\",\"params\":[\"--json\",\"2\"]}"),
                        "{\"id\":6,\"result\":\"[\\n  {\\\"line\\\":1},\\n  {\\\"line\\\":2}\\n]\\n\",\"error\":null}");
    /* The request behind it is answered behind it. */
    const char *answer = ask(fd, "{\"id\":7,\"method\":\"lines\",\"params\":[\"3\"]}"
                                 "{\"id\":8,\"method\":\"echo\",\"params\":[\"after\"]}");
    json_error_t error;
    json_t *reply = json_loads(answer, JSON_DISABLE_EOF_CHECK, &error);
    assert_int_equal(strlen(json_string_value(json_object_get(reply, "result"))), 3 * 99);
    assert_string_equal(answer + error.position, "{\"id\":8,\"result\":\"after\\n\",\"error\":null}");
    json_decref(reply);
    assert_int_equal(ended, 4);
    close(fd);
}

static void who_does_not_read_a_long_reply_holds_up_nothing(void **state)
{
    static const char request[] = "{\"id\":1,\"method\":\"lines\",\"params\":[\"100000\"]}";
    int fd = client(), other = client();
    size_t got = 0;
    char part[65536];

    ended = 0;
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    for (int i = 0; i < 20; i++)
        turn_loop();
    unsigned told = lines_told;
    assert_true(told < 20000);
    turn_loop();
    assert_int_equal(lines_told, told);
    assert_string_equal(ask(other, "{\"id\":2,\"method\":\"echo\",\"params\":[\"x\"]}"),
                        "{\"id\":2,\"result\":\"x\\n\",\"error\":null}");
    for (int i = 0; i < 20000 && !ended; i++) {
        ssize_t n = recv(fd, part, sizeof part, 0);
        got += n > 0 ? (size_t)n : 0;
        loop_turn(loop);
    }
    assert_int_equal(ended, 1);
    assert_int_equal(lines_told, 100000);
    close(fd);
    /* Who goes away in the middle of it. */
    fd = client();
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    turn_loop();
    assert_int_equal(ended, 1);
    close(fd);
    turn_loop();
    assert_int_equal(ended, 2);
    close(other);
    turn_loop();
}

static void second_server_is_refused_and_stale_socket_replaced(void **state)
{
    char error[256] = "";

    assert_null(control_create(loop, path, error, sizeof error));
    assert_non_null(strstr(error, "another sluiced"));

    char stale[108];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(stale, sizeof stale, "%s.stale", path);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", stale);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (void *)&addr, sizeof addr), 0);
    close(fd);
    struct control *second = control_create(loop, stale, error, sizeof error);
    assert_non_null(second);
    control_destroy(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_command),
        cmocka_unit_test(answers_a_request_in_pieces_and_two_at_once),
        cmocka_unit_test(errors_are_errors),
        cmocka_unit_test(json_on_request),
        cmocka_unit_test(garbage_closes_the_connection_only),
        cmocka_unit_test(endless_request_is_cut_off),
        cmocka_unit_test(connections_left_open_do_not_keep_others_out),
        cmocka_unit_test(who_does_not_read_is_not_heard),
        cmocka_unit_test(long_replies_come_in_pieces),
        cmocka_unit_test(who_does_not_read_a_long_reply_holds_up_nothing),
        cmocka_unit_test(second_server_is_refused_and_stale_socket_replaced),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    int failed = cmocka_run_group_tests(tests, setup, NULL);
    return group_end(failed, teardown(NULL));
}
