/* httpd: requests. Hostile and hasty clients over real sockets, answers now and later. */
#include "httpd_client.h"

enum { LATER_MAX = 8 };

/* What the handler of these tests does is chosen by the path; what it saw is kept here. */
static struct {
    struct httpd *h;
    struct httpd_req *later[LATER_MAX];
    int n_later;
    int gone;
    int asked;
    int data_freed;
    uint64_t connection;
} seen;

static const char *const text_plain[] = {"Content-Type: text/plain", NULL};

static void on_gone(void *arg)
{
    (void)arg;
    seen.gone++;
}

static void on_data_free(void *data)
{
    free(data);
    seen.data_freed++;
}

static void echo(struct httpd_req *req)
{
    struct buf b;
    size_t len;
    const char *body = httpd_body(req, &len);
    buf_init(&b, 32 << 20);
    buf_addf(&b, "%s %s?%s\n", httpd_method(req), httpd_path(req), httpd_query(req));
    buf_add(&b, body, len);
    len = b.len;
    httpd_reply_take(req, 200, text_plain, buf_take(&b), len);
}

static void handle(void *arg, struct httpd_req *req)
{
    const char *path = httpd_path(req);
    (void)arg;
    seen.asked++;
    seen.connection = httpd_connection_id(req);
    if (strcmp(path, "/later") == 0) {
        assert_true(seen.n_later < LATER_MAX);
        seen.later[seen.n_later++] = req;
        httpd_on_gone(req, on_gone, NULL);
    } else if (strcmp(path, "/release") == 0) {
        httpd_reply(seen.later[--seen.n_later], 200, NULL, "released", 8);
        httpd_reply(req, 204, NULL, NULL, 0);
    } else if (strcmp(path, "/abort") == 0) {
        httpd_on_gone(req, on_gone, NULL);
        httpd_abort(req);
    } else if (strcmp(path, "/free") == 0) {
        httpd_on_gone(req, on_gone, NULL);
        httpd_free(&seen.h);
        httpd_reply(req, 200, NULL, "too late", 8);
    } else if (strcmp(path, "/remember") == 0) {
        if (httpd_connection_data(req) == NULL)
            httpd_set_connection_data(req, mem_strdup(httpd_query(req)), on_data_free);
        const char *kept = httpd_connection_data(req);
        httpd_reply(req, 200, text_plain, kept, strlen(kept));
    } else if (strcmp(path, "/forget") == 0) {
        httpd_set_connection_data(req, NULL, NULL);
        httpd_reply(req, 204, NULL, NULL, 0);
    } else {
        echo(req);
    }
}

static struct httpd *serve_with(struct httpd_settings settings)
{
    char why[256];
    memset(&seen, 0, sizeof(seen));
    settings.listen = settings.listen != NULL ? settings.listen : "127.0.0.1:0";
    seen.h = httpd_new(loop, &settings, handle, NULL, why, sizeof(why));
    if (seen.h == NULL)
        fail_msg("%s", why);
    return seen.h;
}

static struct httpd *serve(void)
{
    return serve_with((struct httpd_settings){0});
}

static void answers_any_method(void **state)
{
    static const char *const methods[] = {"GET",  "PROPFIND", "SEARCH",     "REPORT",
                                          "POLL", "DELETE",   "BPROPPATCH", "x-odd!"};
    struct client c;
    char text[256];
    (void)state;
    client_open(&c, serve());
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        snprintf(text, sizeof(text), "%s /a%%2Fb%%20c//d%%ZZ?x=%%41+&&y HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
                 methods[i]);
        assert_int_equal(client_ask(&c, text), 200);
        snprintf(text, sizeof(text), "%s /a%%2Fb%%20c//d%%ZZ?x=%%41+&&y\nbody", methods[i]);
        assert_string_equal(c.body.data, text);
    }
    assert_int_equal(client_ask(&c, "GET http://host:1/x?y HTTP/1.1\r\nHost: z\r\n\r\n"), 200);
    assert_string_equal(c.body.data, "GET /x?y\n");
    assert_int_equal(client_ask(&c, "GET https://host?y HTTP/1.1\r\n\r\n"), 200);
    assert_string_equal(c.body.data, "GET /?y\n");
    assert_int_equal(client_ask(&c, "GET http:// HTTP/1.1\r\n\r\n"), 200);
    assert_string_equal(c.body.data, "GET /?\n");
    assert_int_equal(client_ask(&c, "OPTIONS * HTTP/1.1\r\n\r\n"), 200);
    assert_string_equal(c.body.data, "OPTIONS *?\n");
    client_close(&c);
    httpd_free(&seen.h);
}

static void answers_head_without_body(void **state)
{
    struct client c;
    (void)state;
    client_open(&c, serve());
    client_send(&c, "HEAD /abc HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n");
    assert_int_equal(client_answer_to(&c, true), 200);
    assert_non_null(strstr(c.head, "Content-Length: 11\r\n"));
    assert_int_equal(client_answer(&c), 200);
    assert_string_equal(c.body.data, "GET /d?\n");
    client_close(&c);
    httpd_free(&seen.h);
}

static void keeps_and_pipelines(void **state)
{
    struct client a, b;
    (void)state;
    serve();
    client_open(&a, seen.h);
    client_send(&a, "GET /remember?1 HTTP/1.1\r\n\r\nGET /remember?2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
    assert_int_equal(client_answer(&a), 200);
    assert_string_equal(a.body.data, "1");
    assert_int_equal(client_answer(&a), 200);
    assert_string_equal(a.body.data, "1");
    assert_int_equal(client_answer(&a), 200);
    assert_string_equal(a.body.data, "GET /3?\n");
    uint64_t first = seen.connection;
    client_open(&b, seen.h);
    assert_int_equal(client_ask(&b, "GET /remember?b HTTP/1.1\r\n\r\n"), 200);
    assert_string_equal(b.body.data, "b");
    assert_true(seen.connection != first);
    assert_int_equal(httpd_connections(seen.h), 2);
    assert_int_equal(seen.data_freed, 0);
    assert_int_equal(client_ask(&a, "GET /forget HTTP/1.1\r\n\r\n"), 204);
    assert_int_equal(seen.data_freed, 1);
    assert_int_equal(client_ask(&a, "GET /remember?4 HTTP/1.1\r\n\r\n"), 200);
    assert_string_equal(a.body.data, "4");
    client_close(&a);
    wait_until(httpd_connections(seen.h) == 1);
    assert_int_equal(seen.data_freed, 2);
    client_close(&b);
    httpd_free(&seen.h);
    assert_int_equal(seen.data_freed, 3);
}

static void takes_bodies_up_to_the_ceiling(void **state)
{
    struct client c;
    (void)state;
    client_open(&c, serve_with((struct httpd_settings){.max_body = 100000}));
    char *big = mem_calloc(1, 100002);
    memset(big, 'x', 100001);
    client_send(&c, "PUT / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
    client_send_bytes(&c, big, 50001);
    client_send_bytes(&c, big, 49999);
    assert_int_equal(client_answer(&c), 200);
    assert_int_equal(c.body.len, strlen("PUT /?\n") + 100000);
    client_send(&c, "PUT / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n");
    client_send_bytes(&c, big, 100001);
    assert_int_equal(client_answer(&c), 413);
    client_send(
        &c,
        "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
    assert_int_equal(client_answer(&c), 200);
    assert_string_equal(c.body.data, "PUT /c?\nabcde");
    assert_int_equal(seen.asked, 2);
    free(big);
    client_close(&c);
    httpd_free(&seen.h);
}

static void refuses_a_flood(void **state)
{
    struct client c;
    char *big = mem_calloc(1, 1 << 20);
    (void)state;
    memset(big, 'x', 1 << 20);
    client_open(&c, serve());
    client_send(&c, "PUT / HTTP/1.1\r\nContent-Length: 10485760\r\n\r\n");
    for (int i = 0; i < 10; i++)
        client_send_bytes(&c, big, 1 << 20);
    assert_int_equal(client_answer(&c), 413);
    assert_int_equal(client_ask(&c, "GET / HTTP/1.1\r\n\r\n"), 200);
    /* asked before it sends: told at once, without "100 Continue" */
    assert_int_equal(client_ask(&c, "PUT / HTTP/1.1\r\nContent-Length: 10485760\r\nExpect: 100-continue\r\n\r\n"), 413);
    client_close(&c);
    client_open(&c, seen.h);
    assert_int_equal(client_ask(&c, "PUT / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"), 413);
    client_close(&c);
    client_open(&c, seen.h);
    client_send(&c, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n");
    for (int i = 0; i < 64 && !c.closed; i++)
        client_send_bytes(&c, big, 1 << 20);
    wait_until(client_is_closed(&c));
    assert_int_equal(seen.asked, 1);
    free(big);
    client_close(&c);
    assert_rests();
    httpd_free(&seen.h);
}

/* One request whose header has `len` bytes in all. */
static int ask_with_header_of(size_t len)
{
    static const char start[] = "GET / HTTP/1.1\r\nX: ";
    struct client c;
    char *text = mem_calloc(1, len + 1);
    memset(text, 'x', len);
    memcpy(text, start, strlen(start));
    memcpy(text + len - 4, "\r\n\r\n", 4);
    client_open(&c, seen.h);
    int status = client_ask(&c, text);
    client_close(&c);
    free(text);
    return status;
}

static int ask_with_target_of(size_t len, char fill)
{
    struct client c;
    char *target = mem_calloc(1, len + 1);
    memset(target, fill, len);
    memcpy(target, "/?", 2);
    char *text = mem_printf("GET %s HTTP/1.1\r\n\r\n", target);
    client_open(&c, seen.h);
    int status = client_ask(&c, text);
    client_close(&c);
    free(text);
    free(target);
    return status;
}

static void limits_headers(void **state)
{
    (void)state;
    serve_with((struct httpd_settings){.max_header = 10000});
    assert_int_equal(ask_with_header_of(10000), 200);
    assert_int_equal(ask_with_header_of(10001), 431);
    assert_int_equal(ask_with_header_of(100000), 431);
    assert_int_equal(ask_with_target_of(9900, 'x'), 200);
    assert_int_equal(ask_with_target_of(10000, 'x'), 414);
    assert_int_equal(ask_with_target_of(100000, 'x'), 414);
    assert_int_equal(ask_with_target_of(9900, '&'), 200);
    assert_int_equal(seen.asked, 3);
    assert_rests();
    httpd_free(&seen.h);
}

static void refuses_a_flood_of_fields(void **state)
{
    struct client c;
    struct buf b;
    (void)state;
    client_open(&c, serve());
    buf_init(&b, 1 << 20);
    buf_adds(&b, "GET / HTTP/1.1\r\n");
    while (b.len < 31000)
        buf_adds(&b, "a:b\r\n");
    buf_adds(&b, "\r\n");
    assert_int_equal(client_ask(&c, b.data), 431);
    client_close(&c);
    client_open(&c, seen.h);
    buf_reset(&b);
    buf_adds(&b, "GET / HTTP/1.1\r\nCookie: ");
    while (b.len < 31000)
        buf_adds(&b, "a=b;");
    buf_adds(&b, "\r\n\r\n");
    assert_int_equal(client_ask(&c, b.data), 431);
    client_close(&c);
    buf_free(&b);
    assert_rests();
    assert_int_equal(seen.asked, 0);
    httpd_free(&seen.h);
}

/* A chunk's size line without end: libmicrohttpd can neither read on nor refuse, and would keep the loop busy with it.
 */
static void cuts_a_body_that_cannot_go_on(void **state)
{
    struct client c;
    char *line = mem_calloc(1, 200001);
    (void)state;
    memset(line, 'a', 200000);
    client_open(&c, serve());
    client_send(&c, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;");
    send(c.fd, line, 200000, MSG_NOSIGNAL);
    int turns = 0;
    wait_until(turns++ > 3000 || client_is_closed(&c));
    assert_true(turns < 3000); /* some 400 with pauses of 5 ms in between, or a hundred times as many without */
    client_close(&c);
    assert_rests();
    httpd_free(&seen.h);
    free(line);
}

static void refuses_broken_requests(void **state)
{
    static const struct {
        const char *text;
        int status; /* 0: the connection is closed */
    } cases[] = {
        {"GARBAGE\r\n\r\n", 0},
        {"GET / FOO\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {" \r\n\r\n", 0},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"GET /a b HTTP/1.1\r\n\r\n", 400},
        {"GET /a\tb HTTP/1.1\r\n\r\n", 400},
        {"GET a HTTP/1.1\r\n\r\n", 400},
        {"CONNECT host:443 HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
        {"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400},
        {"PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", 400},
        {"PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nx", 501},
        {"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", 400},
        {"\x16\x03\x01\x02\n\n", 0},
    };
    (void)state;
    serve();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c;
        client_open(&c, seen.h);
        if (client_ask(&c, cases[i].text) != cases[i].status)
            fail_msg("%s", cases[i].text);
        client_close(&c);
    }
    assert_int_equal(seen.asked, 0);
    assert_rests();
    httpd_free(&seen.h);
}

static void answers_later(void **state)
{
    struct client a, b, c;
    (void)state;
    serve();
    client_open(&a, seen.h);
    client_open(&b, seen.h);
    client_open(&c, seen.h);
    client_send(&a, "GET /later HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    client_send(&b, "POST /later HTTP/1.1\r\nX-Y: kept\r\nContent-Length: 2\r\n\r\nhi");
    wait_until(seen.n_later == 2);
    assert_rests();
    assert_int_equal(seen.asked, 2); /* what was pipelined behind waits */
    assert_string_equal(httpd_method(seen.later[1]), "POST");
    assert_string_equal(httpd_header(seen.later[1], "x-y"), "kept");
    assert_string_equal(httpd_body(seen.later[1], NULL), "hi");
    assert_int_equal(client_ask(&c, "GET /release HTTP/1.1\r\n\r\n"), 204);
    assert_int_equal(client_answer(&b), 200);
    assert_string_equal(b.body.data, "released");
    httpd_reply_take(seen.later[0], 418, text_plain, mem_strdup("tea"), 3);
    assert_int_equal(client_answer(&a), 418);
    assert_int_equal(client_answer(&a), 200);
    assert_string_equal(a.body.data, "GET /next?\n");
    client_close(&a);
    client_close(&b);
    client_close(&c);
    wait_until(httpd_connections(seen.h) == 0);
    assert_int_equal(seen.gone, 0);
    httpd_free(&seen.h);
}

static void notices_who_leaves(void **state)
{
    struct client a, b;
    (void)state;
    serve();
    client_open(&a, seen.h);
    client_send(&a, "GET /later HTTP/1.1\r\n\r\nGET /pipelined HTTP/1.1\r\n\r\n");
    client_open(&b, seen.h);
    client_send(&b, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 2);
    client_close(&a);
    wait_until(seen.gone == 1);
    wait_until(httpd_connections(seen.h) == 1);
    struct linger hard = {.l_onoff = 1};
    setsockopt(b.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)); /* resets */
    client_close(&b);
    wait_until(httpd_connections(seen.h) == 0);
    assert_int_equal(seen.gone, 2);
    assert_int_equal(seen.asked, 2);
    /* Gone, but answered before that was noticed: nobody is told. */
    client_open(&a, seen.h);
    client_send(&a, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 3);
    client_close(&a);
    httpd_reply(seen.later[2], 200, NULL, "x", 1);
    wait_until(httpd_connections(seen.h) == 0);
    assert_int_equal(seen.gone, 2);
    httpd_free(&seen.h);
}

/* The hang-up is reported once, while another request of that connection is under way. */
static void remembers_who_left(void **state)
{
    struct client c;
    (void)state;
    client_open(&c, serve());
    client_send(&c, "GET /later HTTP/1.1\r\n\r\nGET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    shutdown(c.fd, SHUT_WR);
    httpd_reply(seen.later[0], 200, NULL, "one", 3);
    wait_until(seen.n_later == 2);
    wait_until(seen.gone == 1);
    wait_until(httpd_connections(seen.h) == 0);
    client_close(&c);
    httpd_free(&seen.h);
}

static void aborts(void **state)
{
    struct client c;
    (void)state;
    client_open(&c, serve());
    client_send(&c, "GET /abort HTTP/1.1\r\n\r\n");
    wait_until(client_is_closed(&c));
    assert_int_equal(c.in.len, 0);
    client_close(&c);
    client_open(&c, seen.h);
    client_send(&c, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    httpd_abort(seen.later[0]);
    wait_until(client_is_closed(&c));
    assert_int_equal(c.in.len, 0);
    assert_int_equal(seen.gone, 0);
    client_close(&c);
    httpd_free(&seen.h);
}

static void frees_with_open_requests(void **state)
{
    struct client a, b;
    (void)state;
    serve();
    client_open(&a, seen.h);
    client_send(&a, "GET /later HTTP/1.1\r\n\r\n");
    client_open(&b, seen.h);
    client_send(&b, "PUT /half HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    wait_until(seen.n_later == 1);
    httpd_free(&seen.h);
    assert_null(seen.h);
    assert_int_equal(seen.gone, 1);
    wait_until(client_is_closed(&a) && client_is_closed(&b));
    client_close(&a);
    client_close(&b);
}

/* A handler may close its own server, and a successor may take the address at once. */
static void frees_inside_a_handler(void **state)
{
    struct client a, b;
    char listen[64];
    (void)state;
    serve();
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", httpd_port(seen.h));
    client_open(&a, seen.h);
    client_open(&b, seen.h);
    client_send(&a, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    client_send(&b, "GET /free HTTP/1.1\r\n\r\nGET /pipelined HTTP/1.1\r\n\r\n");
    wait_until(seen.h == NULL);
    assert_int_equal(seen.gone, 2);
    assert_int_equal(seen.asked, 2);
    serve_with((struct httpd_settings){.listen = listen});
    wait_until(client_is_closed(&a) && client_is_closed(&b));
    client_close(&a);
    client_open(&a, seen.h);
    assert_int_equal(client_ask(&a, "GET / HTTP/1.1\r\n\r\n"), 200);
    client_close(&a);
    client_close(&b);
    httpd_free(&seen.h);
}

static void cannot_split_answers(void **state)
{
    struct client c;
    (void)state;
    client_open(&c, serve());
    client_send(&c, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    static const char *const headers[] = {"X-A: 1\r\nX-Evil: 1", "no colon", "Content-Length: 99", "X-B:   2", NULL};
    httpd_reply(seen.later[0], 200, headers, "ok", 2);
    assert_int_equal(client_answer(&c), 200);
    assert_null(strstr(c.head, "Evil"));
    assert_non_null(strstr(c.head, "X-B: 2\r\n"));
    assert_non_null(strstr(c.head, "Content-Length: 2\r\n"));
    client_close(&c);
    httpd_free(&seen.h);
}

static void closes_the_idle_not_the_waiting(void **state)
{
    struct client idle, half, waiting;
    (void)state;
    serve_with((struct httpd_settings){.idle_s = 1});
    client_open(&idle, seen.h);
    client_open(&half, seen.h);
    client_send(&half, "GET / HT");
    client_open(&waiting, seen.h);
    client_send(&waiting, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(client_is_closed(&idle) && client_is_closed(&half));
    assert_int_equal(seen.gone, 0);
    httpd_reply(seen.later[0], 200, NULL, "still", 5);
    assert_int_equal(client_answer(&waiting), 200);
    client_close(&idle);
    client_close(&half);
    client_close(&waiting);
    httpd_free(&seen.h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_any_method),
        cmocka_unit_test(answers_head_without_body),
        cmocka_unit_test(keeps_and_pipelines),
        cmocka_unit_test(takes_bodies_up_to_the_ceiling),
        cmocka_unit_test(refuses_a_flood),
        cmocka_unit_test(limits_headers),
        cmocka_unit_test(refuses_a_flood_of_fields),
        cmocka_unit_test(cuts_a_body_that_cannot_go_on),
        cmocka_unit_test(refuses_broken_requests),
        cmocka_unit_test(answers_later),
        cmocka_unit_test(notices_who_leaves),
        cmocka_unit_test(remembers_who_left),
        cmocka_unit_test(aborts),
        cmocka_unit_test(frees_with_open_requests),
        cmocka_unit_test(frees_inside_a_handler),
        cmocka_unit_test(cannot_split_answers),
        cmocka_unit_test(closes_the_idle_not_the_waiting),
    };
    return cmocka_run_group_tests(tests, setup_loop, teardown_loop);
}
