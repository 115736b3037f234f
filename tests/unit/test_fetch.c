/*
 * fetch: what is sent, what is read, and answers that break off, never end or are none.
 */
#include "fetch_world.h"

/* --- what is sent, and what is read --- */

static void test_answer(void **state)
{
    struct outcome o;

    (void)state;
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "hello");
    assert_int_equal(o.body_len, 5);
    assert_string_equal(o.header, "yes");
    assert_false(o.reused);
    assert_true(o.connection_id > 0);

    once((struct script){.answer = OK_HELLO, .piece = 1}, (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "hello");

    once((struct script){.answer = "HTTP/1.1 200 OK\r\n\r\nto the end", .after = CLOSE}, (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_string_equal(o.body, "to the end");

    once((struct script){.answer = "HTTP/1.1 302 Found\r\nLocation: /x\r\nX-Test: /x\r\nContent-Length: 2\r\n\r\n->"},
         (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 302);
    assert_string_equal(o.body, "->");

    once(
        (struct script){
            .answer = "HTTP/1.1 100 Continue\r\nX-Test: 1xx\r\n\r\nHTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX-Test: trailer\r\n\r\n"},
        (struct fetch_request){0}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 207);
    assert_string_equal(o.body, "abcd");
    assert_string_equal(o.header, "(none)");

    once((struct script){.answer = "HTTP/1.1 204 No Content\r\n\r\n"}, (struct fetch_request){.method = "HEAD"}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.status, 204);
}

static void check_headers(struct outcome *o)
{
    assert_string_equal(fetch_header(o->fetch, "X-TEST", 0), "one");
    assert_string_equal(fetch_header(o->fetch, "x-test", 1), "two and more");
    assert_string_equal(fetch_header(o->fetch, "x-test", 2), "");
    assert_null(fetch_header(o->fetch, "x-test", 3));
    assert_null(fetch_header(o->fetch, "x-tes", 0));
    assert_null(fetch_header(o->fetch, "HTTP/1.1 200 OK", 0));
}

static void test_headers(void **state)
{
    struct outcome o = {.in_done = check_headers};
    struct world w;

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = "HTTP/1.1 200 OK\r\nX-Test:one \r\nx-TEST: \t two \r\n  and more\r\nX-Test:\r\nX-Tests: "
                             "no\r\nContent-Length: 0\r\n\r\n";
    start(&w, &o, (struct fetch_request){0});
    wait_done(&w, &o);
    teardown(&w);
}

/* `expected` is what follows the Host line. */
static void sent(struct world *w, struct fetch_request request, const char *line, const char *expected)
{
    struct outcome o = {0};
    char all[2000];

    w->server.script.answer = "HTTP/1.1 207 M\r\nContent-Length: 0\r\n\r\n";
    start(w, &o, request);
    wait_done(w, &o);
    assert_int_equal(o.err, FETCH_OK);
    snprintf(all, sizeof(all), "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: t/1\r\n%s", line, w->server.port,
             expected);
    assert_string_equal(w->server.request, all);
}

static void test_request_bytes(void **state)
{
    static const char *const HEADERS[] = {"Depth: 0", "Content-Type: text/xml", "Accept: text/xml", NULL};
    struct world w;
    char url[100];

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "x", .user_agent = "t/1"});
    sent(&w, (struct fetch_request){0}, "GET /", "Accept: */*\r\n\r\n");
    sent(&w, (struct fetch_request){.method = "PROPFIND", .headers = HEADERS, .body = "<a/>", .body_len = 4},
         "PROPFIND /",
         "Depth: 0\r\nContent-Type: text/xml\r\nAccept: "
         "text/xml\r\nContent-Length: 4\r\n\r\n<a/>");
    sent(&w, (struct fetch_request){.method = "POLL"}, "POLL /", "Accept: */*\r\nContent-Length: 0\r\n\r\n");
    sent(&w, (struct fetch_request){.method = "HEAD"}, "HEAD /", "Accept: */*\r\n\r\n");
    snprintf(url, sizeof(url), "%sa/../b/%%2e./c%%7Ed?q=/../", w.url);
    sent(&w, (struct fetch_request){.url = url, .compressed = true}, "GET /a/../b/%2e./c%7Ed?q=/../",
         "Accept: */*\r\nAccept-Encoding: "
         "gzip, deflate\r\n\r\n");
    sent(&w, (struct fetch_request){0}, "GET /", "Accept: */*\r\n\r\n");
    snprintf(url, sizeof(url), "%sa?b=/#c?d", w.url);
    sent(&w, (struct fetch_request){.url = url}, "GET /a?b=/", "Accept: */*\r\n\r\n");
    snprintf(url, sizeof(url), "http://127.0.0.1:%u?a=/b", w.server.port);
    sent(&w, (struct fetch_request){.url = url}, "GET /?a=/b", "Accept: */*\r\n\r\n");
    assert_int_equal(w.server.accepted, 1);
    teardown(&w);
}

static void test_large_body_goes_without_expect(void **state)
{
    struct outcome o = {0};
    struct world w;
    size_t len = 3000000; /* curl asks first from 1 MiB on */
    char *body = mem_calloc(1, len + 1);

    (void)state;
    memset(body, 'x', len);
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    start(&w, &o, (struct fetch_request){.method = "REPORT", .body = body, .body_len = len});
    free(body);
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_null(strcasestr(w.server.request, "expect"));
    assert_non_null(strstr(w.server.request, "\r\nContent-Length: 3000000\r\n"));
    teardown(&w);
}

static void test_refused_requests(void **state)
{
    static const char *const SPLIT[] = {"X: y\r\nZ: w", NULL};
    static const char *const NO_COLON[] = {"X", NULL};
    const struct fetch_request bad[] = {
        {.url = "ftp://x/"},
        {.url = "http://127.0.0.1:1/a b"},
        {.url = "http://127.0.0.1:1/\r\nX: y"},
        {.url = "http://u:p@[::1]:1/"},
        {.url = "http://"},
        {.url = "http://[::1/"},
        {.headers = SPLIT},
        {.headers = NO_COLON},
        {.method = "GET / HTTP/1.1\r\nX:"},
        {.method = ""},
    };
    struct outcome o[sizeof(bad) / sizeof(*bad)] = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        start(&w, &o[i], bad[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        wait_done(&w, &o[i]);
        assert_int_equal(o[i].err, FETCH_MALFORMED);
        assert_null(strstr(o[i].text, "u:p"));
    }
    assert_int_equal(w.server.accepted, 0);
    teardown(&w);
}

static void test_environment_is_not_asked(void **state)
{
    struct outcome o;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){0}, &o);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(o.err, FETCH_OK);
}

/* --- answers that break off or are none --- */

static void test_broken_answers(void **state)
{
    static const struct {
        struct script script;
        enum fetch_err err;
    } cases[] = {
        {{.after = CLOSE, .at_accept = true}, FETCH_TCP_RESET},
        {{.after = CLOSE}, FETCH_TCP_RESET},
        {{.after = RESET}, FETCH_TCP_RESET},
        {{.answer = "HTTP/1.1 200 O", .after = RESET}, FETCH_TCP_RESET},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .after = CLOSE}, FETCH_PARTIAL},
        {{.answer = "HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", .after = CLOSE},
         FETCH_PARTIAL},
        {{.answer = "HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", .after = CLOSE}, FETCH_PARTIAL},
        {{.answer = "HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", .after = KEEP},
         FETCH_MALFORMED},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .after = CLOSE}, FETCH_MALFORMED},
        {{.answer = "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", .after = KEEP}, FETCH_MALFORMED},
        {{.answer = "hello, here is something else\r\n", .after = CLOSE}, FETCH_MALFORMED},
        {{.answer = "\x15\x03\x01\x00\x02\x02\x46", .after = CLOSE}, FETCH_MALFORMED},
        {{.answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"}, FETCH_MALFORMED},
    };
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            struct script script = cases[i].script;
            script.piece = piece;
            once(script, (struct fetch_request){.compressed = true}, &o);
            if (o.err != cases[i].err)
                fail_msg("case %zu: %s %s", i, fetch_err_code(o.err), o.text);
            assert_string_equal(o.body, ""); /* nobody shall use half of it */
        }
    }
}

static void test_ceilings(void **state)
{
    static const struct {
        const char *head, *part;
        size_t times;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", "0123456789", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", 1000},
        {"HTTP/1.1 200 OK\r\n", "X-Flood: abcdefghijklmnopqrstuvwxyz\r\n", 1000},
        {"HTTP/1.1 200 OK\r\nX-Long: ", "abcdefgh", 1000},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: abcdefg\r\n", 1000},
        {"", "HTTP/1.1 100 Continue\r\n\r\n", 1000},
    };
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *text = repeated(cases[i].head, cases[i].part, cases[i].times);
        once((struct script){.answer = text, .after = ENDLESS, .again_from = strlen(cases[i].head)},
             (struct fetch_request){.max_body = 100000}, &o);
        if (o.err != FETCH_TOO_LARGE)
            fail_msg("case %zu: %s %s", i, fetch_err_code(o.err), o.text);
        assert_string_equal(fetch_err_code(o.err), "answer-too-large");
        free(text);
    }
    /* exactly the ceiling is allowed */
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){.max_body = 5}, &o);
    assert_int_equal(o.err, FETCH_OK);
    once((struct script){.answer = OK_HELLO}, (struct fetch_request){.max_body = 4}, &o);
    assert_int_equal(o.err, FETCH_TOO_LARGE);
}

/* --- pieces --- */

static void test_pieces(void **state)
{
    struct outcome o = {0};
    struct world w;
    char *text = repeated("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", "0123456789", 1000);

    (void)state;
    setup(&w, NULL);
    w.server.script = (struct script){.answer = text, .piece = 777};
    start(&w, &o, (struct fetch_request){.on_data = on_data, .max_body = 10000});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.data_len, 10000);
    assert_memory_equal(o.data, strstr(text, "\r\n\r\n") + 4, 10000);
    assert_true(o.pieces > 3);
    assert_string_equal(o.body, "");
    /* another status than 2xx is collected */
    memset(&o, 0, sizeof(o));
    w.server.script = (struct script){.answer = "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nwhy"};
    start(&w, &o, (struct fetch_request){.on_data = on_data});
    wait_done(&w, &o);
    assert_int_equal(o.pieces, 0);
    assert_string_equal(o.body, "why");
    /* the ceiling counts all pieces together */
    memset(&o, 0, sizeof(o));
    w.server.script = (struct script){.answer = text, .piece = 777};
    start(&w, &o, (struct fetch_request){.on_data = on_data, .max_body = 9999});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_TOO_LARGE);
    assert_in_range(o.data_len, 1, 9999);
    /* a reader that had enough */
    memset(&o, 0, sizeof(o));
    o.refuse_data = true;
    w.server.script = (struct script){.answer = text, .piece = 777};
    start(&w, &o, (struct fetch_request){.on_data = on_data});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_STOPPED);
    assert_int_equal(o.pieces, 1);
    teardown(&w);
    free(text);
}

/* Little on the wire, much in memory: 100,000 letters in 133 bytes. */
static void test_compressed(void **state)
{
    static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    static const char GZIP[] =
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac\xeb\x5f\xc2\x1a\x1e\x40\x01"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xaf\x06\x87\xfa\xe2\x1b\xa0\x86\x01\x00";
    static char text[sizeof(HEAD) + sizeof(GZIP)];
    const struct script script = {.answer = text, .len = sizeof(HEAD) + sizeof(GZIP) - 2, .after = CLOSE};
    struct outcome o;

    (void)state;
    memcpy(text, HEAD, sizeof(HEAD) - 1);
    memcpy(text + sizeof(HEAD) - 1, GZIP, sizeof(GZIP) - 1);
    once(script, (struct fetch_request){.compressed = true}, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_int_equal(o.body_len, 100000);
    once(script, (struct fetch_request){.compressed = true, .max_body = 99999}, &o);
    assert_int_equal(o.err, FETCH_TOO_LARGE);
}

/* A body that broke off was handed out up to there, and then done() says so. */
static void test_pieces_then_partial(void **state)
{
    struct outcome o;

    (void)state;
    once((struct script){.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .after = CLOSE},
         (struct fetch_request){.on_data = on_data}, &o);
    assert_int_equal(o.err, FETCH_PARTIAL);
    assert_int_equal(o.data_len, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),           cmocka_unit_test(test_headers),
        cmocka_unit_test(test_request_bytes),    cmocka_unit_test(test_large_body_goes_without_expect),
        cmocka_unit_test(test_refused_requests), cmocka_unit_test(test_environment_is_not_asked),
        cmocka_unit_test(test_broken_answers),   cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_pieces),           cmocka_unit_test(test_pieces_then_partial),
        cmocka_unit_test(test_compressed),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
