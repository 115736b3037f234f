/*
 * io against peers that refuse, stay silent, take nothing, or end: everything over loopback, in the same loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/loop.h"
#include "until.h"

struct world {
    struct clk *clk;
    struct loop *loop;
    int listener, peer;
    unsigned port;
    struct io *io;
    unsigned opened, ended, rooms;
    enum io_end why;
    char got[200];
    size_t got_len;
    bool close_in_open, close_in_data;
};

static void on_open(void *arg)
{
    struct world *w = arg;
    w->opened++;
    if (w->close_in_open)
        io_close(&w->io);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct world *w = arg;
    for (size_t i = 0; i < len && w->got_len < sizeof w->got - 1; i++)
        w->got[w->got_len++] = data[i];
    if (w->close_in_data)
        io_close(&w->io);
}

static void on_room(void *arg)
{
    struct world *w = arg;
    w->rooms++;
}

static void on_end(void *arg, enum io_end why, const char *text)
{
    struct world *w = arg;
    assert_non_null(text);
    w->ended++;
    w->why = why;
}

static const struct io_handler handler = {on_open, on_data, on_room, on_end};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    w->clk = clk_fake_new(1800000000000);
    w->loop = loop_new(w->clk);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    w->peer = -1;
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(w->listener, 5), 0);
    getsockname(w->listener, (struct sockaddr *)&a, &len);
    w->port = ntohs(a.sin_port);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    io_close(&w->io);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    if (w->peer >= 0)
        close(w->peer);
    close(w->listener);
    free(w);
    return 0;
}

static void start_at(struct world *w, const char *host, size_t max_output)
{
    struct io_settings s = {.name = "test", .host = host, .port = w->port, .max_output = max_output};
    w->io = io_open(w->loop, &s, &handler, w);
    assert_int_equal(w->opened + w->ended, 0); /* never before io_open returned */
}

static void open_it(struct world *w, size_t max_output)
{
    start_at(w, "127.0.0.1", max_output);
    UNTIL(w->loop, w->opened == 1);
    w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(w->peer >= 0);
}

static void test_both_ways(void **state)
{
    struct world *w = *state;
    char text[20] = "";
    open_it(w, 0);
    assert_true(io_write(w->io, "hello", 5));
    UNTIL(w->loop, io_waiting(w->io) == 0);
    assert_int_equal(read(w->peer, text, sizeof text), 5);
    assert_int_equal(write(w->peer, "last words", 10), 10);
    close(w->peer);
    w->peer = -1;
    UNTIL(w->loop, w->ended == 1);
    assert_int_equal(w->why, IO_CLOSED);
    assert_string_equal(w->got, "last words"); /* what came before the end counts */
    assert_false(io_write(w->io, "x", 1));
}

static void test_refused(void **state)
{
    struct world *w = *state;
    close(w->listener);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    start_at(w, "127.0.0.1", 0);
    UNTIL(w->loop, w->ended == 1);
    assert_int_equal(w->why, IO_REFUSED);
    assert_string_equal(io_end_code(w->why), "tcp-refused");
    assert_int_equal(w->opened, 0);
}

static void test_name(void **state)
{
    struct world *w = *state;
    start_at(w, "localhost", 0);
    UNTIL(w->loop, w->opened + w->ended == 1);
}

static void test_deadline(void **state)
{
    struct world *w = *state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fill[12];
    a.sin_port = htons((uint16_t)w->port);
    listen(w->listener, 0); /* a full backlog answers nobody */
    for (unsigned i = 0; i < 12; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fill[i], (struct sockaddr *)&a, sizeof a);
    }
    start_at(w, "127.0.0.1", 0);
    loop_advance(w->loop, 9999);
    assert_int_equal(w->ended, 0);
    loop_advance(w->loop, 1);
    assert_int_equal(w->ended, 1);
    assert_int_equal(w->why, IO_TIMEOUT);
    for (unsigned i = 0; i < 12; i++)
        close(fill[i]);
}

/* A peer that takes nothing: the ceiling holds, and after the stall time it is over; one that takes again gets on. */
static void test_ceiling_and_stall(void **state)
{
    struct world *w = *state;
    char piece[16384];
    memset(piece, 'x', sizeof piece);
    open_it(w, 256 * 1024);
    unsigned written = 0;
    for (unsigned i = 0; i < 2000; i++) {
        written += io_write(w->io, piece, sizeof piece);
        assert_true(io_waiting(w->io) <= 256 * 1024);
        loop_turn(w->loop, 0);
    }
    assert_true(written < 2000);
    assert_int_equal(write(w->peer, "still read", 10), 10); /* reading goes on */
    UNTIL(w->loop, w->got_len == 10);
    char sink[65536];
    for (unsigned i = 0; i < 5000 && !w->rooms; i++) {
        (void)!recv(w->peer, sink, sizeof sink, MSG_DONTWAIT);
        loop_turn(w->loop, 1);
    }
    assert_int_equal(w->rooms, 1);
    while (io_write(w->io, piece, sizeof piece))
        loop_turn(w->loop, 0);
    loop_advance(w->loop, 61000);
    assert_int_equal(w->ended, 1);
    assert_int_equal(w->why, IO_TIMEOUT);
}

static void test_close_in_callbacks(void **state)
{
    struct world *w = *state;
    w->close_in_open = true;
    start_at(w, "127.0.0.1", 0);
    UNTIL(w->loop, w->opened == 1);
    w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(w->loop, 1);
    assert_null(w->io);
    assert_int_equal(w->ended, 0);
    close(w->peer);
    w->close_in_open = false;
    w->close_in_data = true;
    w->opened = 0;
    open_it(w, 0);
    assert_int_equal(write(w->peer, "abc", 3), 3);
    UNTIL(w->loop, w->got_len == 3);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(w->loop, 1);
    assert_int_equal(w->ended, 0);
}

/* Closed at once, in the same turn: nobody hears anything. */
static void test_close_at_once(void **state)
{
    struct world *w = *state;
    start_at(w, "127.0.0.1", 0);
    io_close(&w->io);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(w->loop, 1);
    assert_int_equal(w->opened + w->ended, 0);
}

static void test_parse_server(void **state)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } rows[] = {{"127.0.0.1:5347", "127.0.0.1", 5347},
                {"[::1]:5347", "::1", 5347},
                {"im.example:1", "im.example", 1},
                {"im.example", NULL, 0},
                {":5347", NULL, 0},
                {"::1:5347", NULL, 0},
                {"im.example:0", NULL, 0},
                {"im.example:65536", NULL, 0},
                {"[]:5", NULL, 0},
                {"a b:5", NULL, 0},
                {"u@h:5", NULL, 0},
                {"http://h:5", NULL, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[100];
        unsigned port;
        bool ok = io_parse_server(rows[i].text, host, sizeof host, &port);
        assert_int_equal(ok, rows[i].host != NULL);
        if (ok) {
            assert_string_equal(host, rows[i].host);
            assert_int_equal(port, rows[i].port);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ceiling_and_stall, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_in_callbacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_at_once, set_up, tear_down),
        cmocka_unit_test(test_parse_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
