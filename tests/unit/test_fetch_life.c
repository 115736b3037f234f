/*
 * fetch: connections that are kept, lost and dropped; limits of time; exchanges that are cancelled and clients that are
 * freed, at every moment and from inside every callback.
 */
#include "fetch_world.h"

/* --- connections --- */

static void test_connection_is_reused(void **state)
{
    struct outcome o[3] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    for (int i = 0; i < 3; i++) {
        start(&w, &o[i], (struct fetch_request){0});
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].connection_id, o[0].connection_id);
        assert_int_equal(o[i].reused, i > 0);
    }
    assert_int_equal(w.server.accepted, 1);
    teardown(&w);
}

static void test_many_exchanges_few_connections(void **state)
{
    struct outcome o[50] = {0};
    char urls[50][100];
    char order[51] = "";
    unsigned connections, exchanges;
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "few", .max_connections = 3});
    w.server.script = (struct script){.answer = OK_HELLO, .piece = 20};
    for (int i = 0; i < 50; i++) {
        order[i] = (char)('0' + i);
        if (strchr("<>?\\^`", order[i])) /* no path characters */
            order[i] = '_';
        snprintf(urls[i], sizeof(urls[i]), "%s%c", w.url, order[i]);
        start(&w, &o[i], (struct fetch_request){.url = urls[i]});
    }
    fetch_client_load(w.client, &connections, &exchanges);
    assert_int_equal(exchanges, 50);
    for (int i = 0; i < 50; i++) {
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_OK);
    }
    assert_int_equal(w.server.most_open, 3);
    assert_int_equal(w.server.accepted, 3);
    assert_string_equal(w.server.order + 3, order + 3); /* the first three race */
    fetch_client_load(w.client, &connections, &exchanges);
    assert_int_equal(exchanges, 0);
    assert_int_equal(connections, 3);
    teardown(&w);
}

static void test_connection_that_ended_meanwhile(void **state)
{
    struct outcome o[3] = {0};
    unsigned connections, exchanges;
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script = (struct script){.answer = OK_HELLO, .after = CLOSE}; /* says keep, and goes */
    for (int i = 0; i < 3; i++) {
        start(&w, &o[i], (struct fetch_request){0});
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_OK);
        WAIT_UNTIL(&w, (fetch_client_load(w.client, &connections, &exchanges), connections == 0));
    }
    assert_int_equal(w.server.accepted, 3);
    assert_int_not_equal(o[0].connection_id, o[1].connection_id);
    assert_false(o[1].reused);
    teardown(&w);
}

/* Bytes that arrive on an idle connection must never become the answer to the next request. */
static void test_answer_nobody_asked_for(void **state)
{
    struct outcome o[2] = {0};
    unsigned connections, exchanges;
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    start(&w, &o[0], (struct fetch_request){0});
    wait_done(&w, &o[0]);
    static const char EVIL[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    assert_int_equal(send(TAILQ_FIRST(&w.server.conns)->fd, EVIL, strlen(EVIL), 0), strlen(EVIL));
    WAIT_UNTIL(&w, (fetch_client_load(w.client, &connections, &exchanges), connections == 0));
    start(&w, &o[1], (struct fetch_request){0});
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_OK);
    assert_string_equal(o[1].body, "hello");
    assert_int_equal(w.server.accepted, 2);
    teardown(&w);
}

static void test_drop_connections(void **state)
{
    struct outcome o[5] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    start(&w, &o[0], (struct fetch_request){0});
    wait_done(&w, &o[0]);
    fetch_client_drop_connections(w.client); /* an idle one */
    start(&w, &o[1], (struct fetch_request){0});
    wait_done(&w, &o[1]);
    assert_int_equal(w.server.accepted, 2);
    start(&w, &o[2], (struct fetch_request){0});
    WAIT_UNTIL(&w, w.server.requests == 3);
    fetch_client_drop_connections(w.client); /* one that is in use: its exchange ends well */
    wait_done(&w, &o[2]);
    assert_int_equal(o[2].err, FETCH_OK);
    assert_int_equal(w.server.accepted, 2);
    start(&w, &o[3], (struct fetch_request){0});
    wait_done(&w, &o[3]);
    assert_int_equal(w.server.accepted, 3);
    start(&w, &o[4], (struct fetch_request){0});
    wait_done(&w, &o[4]);
    assert_true(o[4].reused);
    teardown(&w);
}

static void test_refused(void **state)
{
    struct outcome o = {0};
    struct world w;
    unsigned port;
    int fd = bound(&port);
    char url[100];

    (void)state;
    setup(&w, NULL);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    close(fd);
    assert_int_equal(o.err, FETCH_TCP_REFUSED);
    assert_string_equal(fetch_err_code(o.err), "tcp-refused");
    assert_int_equal(o.status, 0);
    teardown(&w);
}

static void test_name_not_found(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    /* a label that is too long: known without asking anybody */
    start(&w, &o,
          (struct fetch_request){
              .url = "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/"});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_DNS_NOT_FOUND);
    teardown(&w);
}

/* --- limits of time --- */

static void test_silence(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .idle_ms = 1500});
    w.server.script = (struct script){.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"};
    start(&w, &o, (struct fetch_request){.total_ms = 60000, .on_data = on_data});
    WAIT_UNTIL(&w, o.data_len == 3);
    loop_advance(w.loop, 1499);
    assert_int_equal(o.calls, 0);
    loop_advance(w.loop, 1);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TIMEOUT);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.total_ms, 1500);
    assert_string_equal(o.text, "nothing arrived for 1500 ms");
    teardown(&w);
}

static void step(struct world *w, struct outcome *o)
{
    size_t before = o->data_len;

    TAILQ_FIRST(&w->server.conns)->server = &w->server;
    conn_write(TAILQ_FIRST(&w->server.conns));
    WAIT_UNTIL(w, o->data_len > before);
}

/* One byte a second is not silence, and yet must end. */
static void test_trickle(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .idle_ms = 1500});
    w.server.script = (struct script){
        .answer = "HTTP/1.1 200 OK\r\n\r\n0123456789012345678901234567890123456789", .piece = 20, .by_hand = true};
    start(&w, &o, (struct fetch_request){.total_ms = 10000, .on_data = on_data});
    WAIT_UNTIL(&w, w.server.requests == 1);
    step(&w, &o);
    w.server.script.piece = 1;
    for (int i = 0; i < 9; i++) {
        loop_advance(w.loop, 1000);
        assert_int_equal(o.calls, 0);
        step(&w, &o);
    }
    loop_advance(w.loop, 1000);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TIMEOUT);
    assert_int_equal(o.total_ms, 10000);
    assert_string_equal(o.text, "answer not complete after 10000 ms");
    teardown(&w);
}

/* Waiting for a connection is not counted; a silent server costs each its own time. */
static void test_waiting_is_not_counted(void **state)
{
    struct outcome o[2] = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
    start(&w, &o[0], (struct fetch_request){.total_ms = 5000});
    start(&w, &o[1], (struct fetch_request){.total_ms = 1000});
    w.server.script.by_hand = true;
    WAIT_UNTIL(&w, w.server.requests == 1);
    loop_advance(w.loop, 4999);
    assert_int_equal(o[0].calls + o[1].calls, 0);
    w.server.script = (struct script){.answer = OK_HELLO};
    loop_advance(w.loop, 1);
    wait_done(&w, &o[0]);
    assert_int_equal(o[0].err, FETCH_TIMEOUT);
    assert_string_equal(o[0].text, "no answer for 5000 ms");
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_OK);
    assert_int_equal(o[1].total_ms, 0);
    teardown(&w);
}

static void test_connecting_takes_too_long(void **state)
{
    struct outcome o = {0};
    struct world w;
    unsigned port;
    char url[100];
    int fd = bound(&port);
    int fillers[4];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)state;
    assert_int_equal(listen(fd, 0), 0); /* and nobody accepts: when the queue is full, connecting hangs */
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    setup(&w, &(struct fetch_client_settings){.name = "t", .connect_ms = 7000});
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    start(&w, &o, (struct fetch_request){.url = url});
    for (int i = 0; i < 10; i++)
        loop_turn(w.loop, 1);
    loop_advance(w.loop, 6999);
    assert_int_equal(o.calls, 0);
    loop_advance(w.loop, 1);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_TIMEOUT);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
    teardown(&w);
}

/* --- cancelling and freeing --- */

static void test_cancel_in_every_state(void **state)
{
    struct world w;

    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct outcome o[3] = {0};
        setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
        w.server.script = (struct script){.answer = OK_HELLO, .piece = 20};
        for (int i = 0; i < 3; i++)
            start(&w, &o[i], (struct fetch_request){.on_data = i == 0 ? on_data : NULL});
        for (unsigned i = 0; i < turns && o[0].calls == 0; i++)
            loop_turn(w.loop, 20);
        if (o[0].calls == 0) {
            fetch_cancel(&o[0].fetch);
            assert_null(o[0].fetch);
            fetch_cancel(&o[1].fetch); /* waits, or has just begun */
            fetch_cancel(&o[1].fetch);
            wait_done(&w, &o[2]);
            assert_int_equal(o[0].calls + o[1].calls, 0);
            assert_int_equal(o[2].err, FETCH_OK);
            assert_string_equal(o[2].body, "hello");
        }
        teardown(&w);
    }
}

static void test_cancel_a_refused_one(void **state)
{
    struct outcome o[2] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    start(&w, &o[0], (struct fetch_request){.url = "x:"});
    start(&w, &o[1], (struct fetch_request){.url = "y:"});
    fetch_cancel(&o[0].fetch);
    wait_done(&w, &o[1]);
    assert_int_equal(o[0].calls, 0);
    teardown(&w);
}

static struct outcome *victim; /* whom the callbacks below act upon */

static void cancel_victim(struct outcome *o)
{
    (void)o;
    fetch_cancel(&victim->fetch);
}

static bool cancel_in_data(struct outcome *o)
{
    fetch_cancel(&victim->fetch);
    /* the slot may go to the next at once */
    static struct outcome next;
    memset(&next, 0, sizeof(next));
    start(o->world, &next, (struct fetch_request){0});
    victim = &next;
    return true;
}

static bool cancel_in_data_and_stop(struct outcome *o)
{
    fetch_cancel(&o->fetch);
    return false;
}

static void start_another(struct outcome *o)
{
    if (victim && victim->calls == 0 && !victim->fetch)
        start(o->world, victim, (struct fetch_request){0});
}

static void test_cancel_inside_callbacks(void **state)
{
    struct outcome a = {.in_done = cancel_victim};
    struct outcome b = {0};
    struct outcome c = {.in_data = cancel_in_data};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 2});
    w.server.script.answer = OK_HELLO;
    victim = &b; /* another one, which may have ended in the same turn */
    start(&w, &a, (struct fetch_request){0});
    start(&w, &b, (struct fetch_request){0});
    wait_done(&w, &a);
    settle(&w);
    assert_int_equal(b.calls + (b.fetch == NULL), 1);
    memset(&a, 0, sizeof(a));
    a.in_done = cancel_victim;
    victim = &a; /* itself, in its own done() */
    start(&w, &a, (struct fetch_request){0});
    wait_done(&w, &a);
    assert_null(a.fetch);
    victim = &c; /* itself, in its own on_data, and starts the next */
    start(&w, &c, (struct fetch_request){.on_data = on_data});
    WAIT_UNTIL(&w, victim != &c && victim->calls == 1);
    assert_int_equal(c.calls, 0);
    assert_string_equal(victim->body, "hello");
    memset(&c, 0, sizeof(c));
    c.in_data = cancel_in_data_and_stop; /* both ways at once */
    start(&w, &c, (struct fetch_request){.on_data = on_data});
    WAIT_UNTIL(&w, c.pieces == 1);
    settle(&w);
    assert_int_equal(c.calls, 0);
    teardown(&w);
}

static void test_start_inside_done(void **state)
{
    struct outcome o[2] = {{.in_done = start_another}, {0}};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
    w.server.script.answer = OK_HELLO;
    victim = &o[1];
    start(&w, &o[0], (struct fetch_request){0});
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_OK);
    assert_true(o[1].reused);
    teardown(&w);
}

static void start_last(struct outcome *o)
{
    static char url[100];

    snprintf(url, sizeof(url), "%slast", o->world->url);
    start(o->world, victim, (struct fetch_request){.url = url});
}

/* What is started inside done() goes behind those that wait. */
static void test_first_come_first_served(void **state)
{
    struct outcome o[3] = {{.in_done = start_last}, {0}, {0}};
    struct world w;
    char url[100];

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 1});
    w.server.script.answer = OK_HELLO;
    victim = &o[2];
    snprintf(url, sizeof(url), "%sfirst", w.url);
    start(&w, &o[0], (struct fetch_request){.url = url});
    snprintf(url, sizeof(url), "%ssecond", w.url);
    start(&w, &o[1], (struct fetch_request){.url = url});
    wait_done(&w, &o[2]);
    wait_done(&w, &o[1]);
    assert_string_equal(w.server.order, "fsl");
    teardown(&w);
}

static void refuse_and_free_client(struct outcome *o)
{
    start(o->world, victim, (struct fetch_request){.url = "x:"});
    fetch_client_free(&o->world->client);
}

/* The refusal would be told in the next turn, when there is no client any more. */
static void test_refused_and_freed(void **state)
{
    struct outcome o[2] = {{.in_done = refuse_and_free_client}, {0}};
    struct world w;

    (void)state;
    setup(&w, NULL);
    victim = &o[1];
    start(&w, &o[0], (struct fetch_request){.url = "y:"}); /* told by a deferred call, as the next would be */
    wait_done(&w, &o[0]);
    settle(&w);
    assert_int_equal(o[1].calls, 0);
    teardown(&w);
}

static void free_client(struct outcome *o)
{
    fetch_client_free(&o->world->client);
}

static bool free_client_in_data(struct outcome *o)
{
    fetch_client_free(&o->world->client);
    return true;
}

static void test_free_with_running_exchanges(void **state)
{
    struct world w;

    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        for (unsigned way = 0; way < 3; way++) {
            struct outcome o[4] = {0};
            setup(&w, &(struct fetch_client_settings){.name = "t", .max_connections = 2});
            w.server.script = (struct script){.answer = OK_HELLO, .piece = 20};
            if (way == 1)
                o[0].in_done = free_client;
            if (way == 2)
                o[0].in_data = free_client_in_data;
            for (int i = 0; i < 4; i++)
                start(&w, &o[i],
                      (struct fetch_request){.on_data = i == 0 ? on_data : NULL, .url = i == 3 ? "x:" : NULL});
            for (unsigned i = 0; i < turns; i++)
                loop_turn(w.loop, 1);
            if (way > 0)
                WAIT_UNTIL(&w, !w.client);
            unsigned before = o[0].calls + o[1].calls + o[2].calls + o[3].calls;
            fetch_client_free(&w.client);
            settle(&w);
            assert_int_equal(o[0].calls + o[1].calls + o[2].calls + o[3].calls, before);
            teardown(&w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_is_reused),
        cmocka_unit_test(test_many_exchanges_few_connections),
        cmocka_unit_test(test_connection_that_ended_meanwhile),
        cmocka_unit_test(test_answer_nobody_asked_for),
        cmocka_unit_test(test_drop_connections),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_name_not_found),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_waiting_is_not_counted),
        cmocka_unit_test(test_connecting_takes_too_long),
        cmocka_unit_test(test_cancel_in_every_state),
        cmocka_unit_test(test_cancel_a_refused_one),
        cmocka_unit_test(test_cancel_inside_callbacks),
        cmocka_unit_test(test_start_inside_done),
        cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_refused_and_freed),
        cmocka_unit_test(test_free_with_running_exchanges),
    };
    return cmocka_run_group_tests_name("fetch-life", tests, NULL, NULL);
}
