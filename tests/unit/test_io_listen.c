/*
 * io_listen: strangers who connect to us, taken or hung up on; both ends are ours, in one loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/udp.h"
#include "until.h"

struct end {
    struct io *io;
    unsigned opened, ended;
    char got[100];
    size_t len;
};

struct world {
    struct loop *loop;
    struct io_listener *listener;
    struct end ours, theirs;
    unsigned arrived;
    bool refuse, close_listener;
};

static void on_open(void *arg)
{
    struct end *e = arg;
    e->opened++;
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct end *e = arg;
    assert_int_equal(e->opened, 1); /* `open` first, also when the stranger was quick */
    memcpy(e->got + e->len, data, len);
    e->len += len;
}

static void on_end(void *arg, enum io_end why, const char *text)
{
    struct end *e = arg;
    (void)why;
    (void)text;
    e->ended++;
}

static const struct io_handler handler = {on_open, on_data, NULL, on_end};

static void on_arrived(void *arg, struct io_arrival *a)
{
    struct world *w = arg;
    char text[UDP_TEXT_MAX];
    struct io_settings s = {.name = "ours", .host = "stranger", .port = 1};
    w->arrived++;
    assert_string_equal(udp_peer_host(io_arrival_from(a), text), "127.0.0.1");
    if (!w->refuse)
        w->ours.io = io_take(a, &s, &handler, &w->ours);
    assert_int_equal(w->ours.opened, 0);
    if (w->close_listener)
        io_listen_close(&w->listener);
}

static int set_up(void **state)
{
    char why[200];
    struct world *w = calloc(1, sizeof *w);
    w->loop = loop_new(clk_system());
    w->listener = io_listen(w->loop, "test", "127.0.0.1", 0, on_arrived, w, why, sizeof why);
    assert_non_null(w->listener);
    struct io_settings s = {.name = "theirs", .host = "127.0.0.1", .port = io_listen_port(w->listener)};
    w->theirs.io = io_open(w->loop, &s, &handler, &w->theirs);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    io_close(&w->ours.io);
    io_close(&w->theirs.io);
    io_listen_close(&w->listener);
    loop_free(&w->loop);
    free(w);
    return 0;
}

static void test_taken(void **state)
{
    struct world *w = *state;
    struct udp_peer here, there;
    UNTIL(w->loop, w->ours.opened == 1 && w->theirs.opened == 1);
    assert_true(io_write(w->theirs.io, "hello", 5));
    UNTIL(w->loop, w->ours.len == 5);
    assert_true(io_write(w->ours.io, "yes", 3));
    UNTIL(w->loop, w->theirs.len == 3);
    assert_memory_equal(w->theirs.got, "yes", 3);
    assert_true(io_local(w->ours.io, &here) && io_remote(w->theirs.io, &there));
    assert_true(udp_peer_same(&here, &there));
    assert_int_equal(udp_peer_port(&here), io_listen_port(w->listener));
    io_close(&w->theirs.io);
    UNTIL(w->loop, w->ours.ended == 1);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    w->refuse = true;
    UNTIL(w->loop, w->theirs.ended == 1);
    assert_int_equal(w->arrived, 1);
}

static void test_closed_inside(void **state)
{
    struct world *w = *state;
    w->close_listener = true;
    UNTIL(w->loop, w->ours.opened == 1);
    assert_null(w->listener); /* the stream lives on */
    assert_true(io_write(w->ours.io, "still", 5));
    UNTIL(w->loop, w->theirs.len == 5);
}

static void test_taken_and_closed(void **state)
{
    struct world *w = *state;
    UNTIL(w->loop, w->arrived == 1);
    io_close(&w->ours.io); /* before it was open */
    UNTIL(w->loop, w->theirs.ended == 1);
    assert_true(w->ours.opened <= 1);
    assert_int_equal(w->ours.ended, 0);
}

static void test_port_taken(void **state)
{
    struct world *w = *state;
    char why[200] = "";
    assert_null(io_listen(w->loop, "test", "127.0.0.1", io_listen_port(w->listener), on_arrived, w, why, sizeof why));
    assert_non_null(strstr(why, "tcp 127.0.0.1"));
    assert_null(io_listen(w->loop, "test", "localhost", 0, on_arrived, w, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_and_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_port_taken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
