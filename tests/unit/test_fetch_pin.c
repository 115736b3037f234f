/*
 * fetch: exchanges that must go over one connection (NTLM), and what becomes of them when it is gone; credentials of a
 * proxy that are a setting of their own.
 */
#include "fetch_world.h"

#define UNAUTHORIZED "HTTP/1.1 401 Who\r\nContent-Length: 5\r\n\r\nwho?\n"

static const struct fetch_client_settings ONE = {.name = "one", .max_connections = 1};

static int64_t first_leg(struct world *w)
{
    struct outcome o = {0};

    w->server.script = (struct script){.answer = UNAUTHORIZED};
    start(w, &o, (struct fetch_request){.fresh = true});
    wait_done(w, &o);
    assert_int_equal(o.status, 401);
    assert_true(o.connection_id > 0);
    return o.connection_id;
}

static void the_legs_share_a_connection(void **state)
{
    struct outcome o[5] = {0};
    struct world w;
    int64_t id;

    (void)state;
    setup(&w, &ONE);
    id = first_leg(&w);
    w.server.script.answer = OK_HELLO;
    for (int i = 0; i < 5; i++) {
        start(&w, &o[i], (struct fetch_request){.method = "SEARCH", .body = "x", .body_len = 1, .pin = id});
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_OK);
        assert_int_equal(o[i].connection_id, id);
    }
    assert_int_equal(w.server.accepted, 1);
    teardown(&w);
}

static struct world *chained_world;
static struct outcome chained;

static void start_pinned(struct outcome *o)
{
    start(chained_world, &chained, (struct fetch_request){.pin = o->connection_id});
}

/* The second leg starts inside the first one's done(). */
static void started_from_within_done(void **state)
{
    struct outcome o = {.in_done = start_pinned};
    struct world w;

    (void)state;
    setup(&w, &ONE);
    chained_world = &w;
    memset(&chained, 0, sizeof(chained));
    w.server.script.answer = UNAUTHORIZED;
    start(&w, &o, (struct fetch_request){.fresh = true});
    wait_done(&w, &chained);
    assert_int_equal(chained.err, FETCH_OK);
    assert_int_equal(chained.connection_id, o.connection_id);
    assert_int_equal(w.server.accepted, 1);
    teardown(&w);
}

static void fresh_means_fresh(void **state)
{
    struct outcome o = {0};
    struct world w;
    int64_t id;

    (void)state;
    setup(&w, &ONE);
    id = first_leg(&w);
    assert_true(first_leg(&w) != id);
    assert_int_equal(w.server.accepted, 2);
    /* the older one had to go, and nothing may be pinned to it any more */
    settle(&w);
    assert_int_equal(w.server.open, 1);
    start(&w, &o, (struct fetch_request){.pin = id});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_PIN_LOST);
    assert_int_equal(w.server.requests, 2);
    teardown(&w);
}

/* However the end of the connection comes to our knowledge: nothing is sent, no other connection is opened. */
static void a_lost_connection_is_not_replaced(void **state)
{
    struct outcome o[2] = {0};
    struct world w;
    int64_t id;

    (void)state;
    for (int noticed = 0; noticed < 2; noticed++) {
        memset(o, 0, sizeof(o));
        setup(&w, &ONE);
        id = first_leg(&w);
        conn_close(TAILQ_FIRST(&w.server.conns));
        if (noticed)
            settle(&w);
        w.server.script.answer = OK_HELLO;
        start(&w, &o[0], (struct fetch_request){.pin = id});
        assert_int_equal(o[0].calls, 0);
        wait_done(&w, &o[0]);
        assert_int_equal(o[0].err, FETCH_PIN_LOST);
        assert_int_equal(w.server.accepted, 1);
        assert_int_equal(w.server.requests, 1);
        start(&w, &o[1], (struct fetch_request){0}); /* the client is as good as new */
        wait_done(&w, &o[1]);
        assert_int_equal(o[1].err, FETCH_OK);
        teardown(&w);
    }
}

/* Curl would repeat a request on another connection when a kept one dies under it. */
static void an_unanswered_request_is_not_repeated(void **state)
{
    struct outcome o = {0};
    struct world w;
    int64_t id;

    (void)state;
    setup(&w, &ONE);
    id = first_leg(&w);
    w.server.script = (struct script){.answer = NULL, .after = CLOSE};
    start(&w, &o, (struct fetch_request){.pin = id});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TCP_RESET); /* it was sent: that is something else than FETCH_PIN_LOST */
    assert_int_equal(w.server.accepted, 1);
    assert_int_equal(w.server.requests, 2);
    teardown(&w);
}

static void connection_close_is_believed(void **state)
{
    struct outcome o[2] = {0};
    struct world w;

    (void)state;
    setup(&w, &ONE);
    w.server.script = (struct script){.answer = "HTTP/1.1 401 Who\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"};
    start(&w, &o[0], (struct fetch_request){.fresh = true});
    wait_done(&w, &o[0]);
    start(&w, &o[1], (struct fetch_request){.pin = o[0].connection_id});
    wait_done(&w, &o[1]);
    assert_int_equal(o[1].err, FETCH_PIN_LOST);
    assert_int_equal(w.server.requests, 1);
    teardown(&w);
}

static void not_among_several(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    start(&w, &o, (struct fetch_request){.pin = 1});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_MALFORMED);
    teardown(&w);
}

static void cancelled_before_the_loss_is_told(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, &ONE);
    start(&w, &o, (struct fetch_request){.pin = 77});
    fetch_cancel(&o.fetch);
    settle(&w);
    assert_int_equal(o.calls, 0);
    start(&w, &o, (struct fetch_request){.pin = 77});
    fetch_client_free(&w.client);
    settle(&w);
    assert_int_equal(o.calls, 0);
    teardown(&w);
}

/* The server's credential goes to the server, the proxy's to the proxy. */
static void credentials_of_a_proxy(void **state)
{
    static const char *const headers[] = {"Authorization: NTLM TlRMTVNTUAAB", NULL};
    struct outcome o = {0};
    struct world w;
    char proxy[60];

    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        memset(&o, 0, sizeof(o));
        setup(&w, NULL);
        fetch_client_free(&w.client);
        snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", w.server.port);
        w.client = fetch_client_new(
            w.loop, &(struct fetch_client_settings){
                        .name = "t", .proxy = proxy, .proxy_user = "gw", .proxy_password = "geheim:@/"});
        w.server.script.answer = "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n";
        start(&w, &o,
              (struct fetch_request){.url = tls ? "https://mail.example.test/x" : "http://mail.example.test/x?y=z",
                                     .headers = headers});
        wait_done(&w, &o);
        assert_int_equal(o.err, FETCH_PROXY_AUTH);
        assert_int_equal(w.server.requests, 1); /* not tried again with what was refused */
        assert_non_null(strstr(w.server.request, "Proxy-Authorization: Basic Z3c6Z2VoZWltOkAv\r\n"));
        assert_int_equal(strstr(w.server.request, "\r\nAuthorization:") == NULL, tls);
        assert_int_equal(strstr(w.server.request, "GET http://mail.example.test/x?y=z HTTP") == NULL, tls);
        assert_null(strstr(o.text, "geheim"));
        teardown(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_legs_share_a_connection),
        cmocka_unit_test(started_from_within_done),
        cmocka_unit_test(fresh_means_fresh),
        cmocka_unit_test(a_lost_connection_is_not_replaced),
        cmocka_unit_test(an_unanswered_request_is_not_repeated),
        cmocka_unit_test(connection_close_is_believed),
        cmocka_unit_test(not_among_several),
        cmocka_unit_test(cancelled_before_the_loss_is_told),
        cmocka_unit_test(credentials_of_a_proxy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
