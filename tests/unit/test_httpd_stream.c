/* httpd: answers that are pulled. Waking, back-pressure, cutting, and everybody who may leave first. */
#include "httpd_client.h"

enum { FEEDS_MAX = 300 };

/* What one stream's owner has: text to hand out, then WAIT, or how to end. */
struct feed {
    struct httpd_stream *stream;
    struct buf text;
    int end;        /* said when the text is out; 0: wait */
    bool endless;   /* fills every block */
    bool wakes;     /* wakes itself inside the pull */
    int end_inside; /* calls httpd_stream_end inside the pull */
    bool frees;     /* calls httpd_free inside the pull */
    int pulls;
    int gone;
    size_t largest;
};

static struct httpd *server;
static struct httpd_req *late;
static struct feed feeds[FEEDS_MAX];
static int n_feeds;
static struct feed next_feed; /* how the next stream behaves */

static const char *const event_stream[] = {"Content-Type: text/event-stream", NULL};

static ssize_t pull(void *arg, char *out, size_t max)
{
    struct feed *f = arg;
    f->pulls++;
    f->largest = max > f->largest ? max : f->largest;
    if (f->frees)
        httpd_free(&server);
    if (f->end_inside != 0)
        httpd_stream_end(f->stream, f->end_inside);
    if (f->wakes)
        httpd_stream_wake(f->stream);
    if (f->endless) {
        memset(out, 'e', max);
        return (ssize_t)max;
    }
    size_t n = f->text.len < max ? f->text.len : max;
    if (n == 0)
        return f->end;
    memcpy(out, f->text.data, n);
    buf_drop(&f->text, n);
    return (ssize_t)n;
}

static void on_gone(void *arg)
{
    struct feed *f = arg;
    f->gone++;
    f->stream = NULL;
    buf_free(&f->text);
}

static void start(struct httpd_req *req)
{
    assert_true(n_feeds < FEEDS_MAX);
    struct feed *f = &feeds[n_feeds++];
    *f = next_feed;
    buf_init(&f->text, 1 << 20);
    f->stream = httpd_stream_start(req, 200, event_stream, pull, on_gone, f);
    assert_int_equal(f->pulls, 0);
    assert_int_equal(f->gone, 0);
}

static void handle(void *arg, struct httpd_req *req)
{
    (void)arg;
    if (strcmp(httpd_path(req), "/late") == 0)
        late = req;
    else if (strcmp(httpd_path(req), "/stream") == 0)
        start(req);
    else
        httpd_reply(req, 200, NULL, "plain", 5);
}

static void serve_at(const char *listen)
{
    char why[200];
    n_feeds = 0;
    late = NULL;
    memset(&next_feed, 0, sizeof(next_feed));
    struct httpd_settings settings = {.listen = listen, .stream_block = 5000};
    server = httpd_new(loop, &settings, handle, NULL, why, sizeof(why));
    if (server == NULL)
        fail_msg("%s", why);
}

static void serve(void)
{
    serve_at("127.0.0.1:0");
}

static void client_subscribe(struct client *c)
{
    int before = n_feeds;
    client_open(c, server);
    client_send(c, "GET /stream HTTP/1.1\r\n\r\n");
    wait_until(n_feeds == before + 1);
}

static void say(struct feed *f, const char *text)
{
    buf_adds(&f->text, text);
    httpd_stream_wake(f->stream);
}

static void delivers_when_woken(void **state)
{
    struct client c;
    (void)state;
    serve();
    client_subscribe(&c);
    struct feed *f = &feeds[0];
    wait_until(client_has(&c, "\r\n\r\n"));
    assert_non_null(strstr(c.in.data, "text/event-stream"));
    assert_rests();
    assert_int_equal(f->pulls, 1);
    say(f, "event one\n");
    httpd_stream_wake(f->stream);
    assert_int_equal(f->pulls, 1); /* later in the loop */
    wait_until(client_has(&c, "event one\n\r\n"));
    say(f, "event two\n");
    say(f, "event three\n");
    wait_until(client_has(&c, "16\r\nevent two\nevent three\n\r\n"));
    assert_rests();
    assert_int_equal(f->pulls, 5);
    f->end = HTTPD_PULL_END;
    say(f, "last\n");
    wait_until(client_has(&c, "5\r\nlast\n\r\n0\r\n\r\n"));
    wait_until(f->gone == 1);
    buf_reset(&c.in);
    assert_int_equal(client_ask(&c, "GET / HTTP/1.1\r\n\r\n"), 200); /* the connection goes on */
    client_close(&c);
    httpd_free(&server);
    assert_int_equal(f->gone, 1);
}

/* Nobody holds the header back in the hope of a body (the kernel would, for 200 ms, if asked to). */
static void sends_the_header_at_once(void **state)
{
    int64_t best_ms = INT64_MAX;
    (void)state;
    serve();
    for (int i = 0; i < 50 && best_ms > 100; i++) {
        struct client c;
        int64_t start_ms = clk_mono_ms(clk_system());
        client_subscribe(&c);
        wait_until(client_has(&c, "\r\n\r\n"));
        int64_t took_ms = clk_mono_ms(clk_system()) - start_ms;
        best_ms = took_ms < best_ms ? took_ms : best_ms;
        client_close(&c);
    }
    assert_true(best_ms <= 100);
    httpd_free(&server);
}

static void survives_waking_inside_a_pull(void **state)
{
    struct client c;
    (void)state;
    serve();
    next_feed.wakes = true;
    client_subscribe(&c);
    wait_until(feeds[0].pulls > 20); /* asked again and again, with turns of the loop in between */
    feeds[0].wakes = false;
    assert_rests();
    client_close(&c);
    wait_until(feeds[0].gone == 1);
    httpd_free(&server);
}

static void cuts_in_the_middle(void **state)
{
    static const int inside[] = {HTTPD_PULL_END, HTTPD_PULL_ABORT, 0, 0, 0};
    (void)state;
    serve();
    for (int i = 0; i < 5; i++) {
        struct client c;
        memset(&next_feed, 0, sizeof(next_feed));
        client_subscribe(&c);
        struct feed *f = &feeds[i];
        say(f, "start\n");
        wait_until(client_has(&c, "start\n\r\n"));
        f->end_inside = inside[i];
        f->end = i == 2 ? HTTPD_PULL_ABORT : 0;
        if (i < 3)
            say(f, i == 2 ? "" : "more\n");
        else
            httpd_stream_end(f->stream, i == 3 ? HTTPD_PULL_ABORT : HTTPD_PULL_END);
        bool well = i == 0 || i == 4;
        wait_until(well ? client_has(&c, "0\r\n\r\n") : client_is_closed(&c));
        assert_int_equal(strstr(c.in.data, "\r\n0\r\n\r\n") != NULL, well);
        assert_int_equal(strstr(c.in.data, "more") != NULL, i == 0);
        wait_until(f->gone == 1);
        client_close(&c);
    }
    httpd_free(&server);
}

/* Until nothing more is pulled; a turn may also last long because others want the machine. */
static int rest_of(const struct feed *f)
{
    int before;
    do {
        before = f->pulls;
        assert_rests();
    } while (f->pulls != before);
    return before;
}

static void stops_pulling_for_a_slow_reader(void **state)
{
    struct client c;
    (void)state;
    serve();
    next_feed.endless = true;
    client_subscribe(&c);
    struct feed *f = &feeds[0];
    int pulls = rest_of(f);
    assert_true(pulls > 1);
    assert_true(f->largest > 5000 && f->largest <= 64 * 1024); /* a chunk: what the connection's own memory holds */
    for (int i = 0; i < 50; i++)
        httpd_stream_wake(f->stream);
    assert_int_equal(rest_of(f), pulls);
    wait_until((client_pump(&c), f->pulls > pulls + 100));
    rest_of(f);
    /* Cut while the socket is full: no pull will ever see it. */
    httpd_stream_end(f->stream, HTTPD_PULL_ABORT);
    wait_until(f->gone == 1);
    wait_until(client_is_closed(&c));
    client_close(&c);
    httpd_free(&server);
}

static void notices_who_leaves(void **state)
{
    struct client c[3];
    (void)state;
    serve();
    for (int i = 0; i < 3; i++) {
        next_feed.endless = i == 2;
        client_subscribe(&c[i]);
    }
    assert_rests();
    client_close(&c[0]); /* waits */
    wait_until(feeds[0].gone == 1);
    assert_int_equal(feeds[0].pulls, 1);
    client_close(&c[1]); /* leaves just before there is news */
    say(&feeds[1], "news\n");
    wait_until(feeds[1].gone == 1);
    client_close(&c[2]); /* does not read */
    wait_until(feeds[2].gone == 1);
    wait_until(httpd_connections(server) == 0);
    httpd_free(&server);
    for (int i = 0; i < 3; i++)
        assert_int_equal(feeds[i].gone, 1);
}

static void speaks_http_1_0(void **state)
{
    struct client c;
    (void)state;
    serve();
    client_open(&c, server);
    client_send(&c, "GET /stream HTTP/1.0\r\n\r\n");
    wait_until(n_feeds == 1);
    feeds[0].end = HTTPD_PULL_END;
    say(&feeds[0], "all of it\n");
    wait_until(client_is_closed(&c));
    assert_null(strstr(c.in.data, "chunked"));
    assert_true(feeds[0].largest <= 5000);
    assert_true(str_ends(c.in.data, "\r\n\r\nall of it\n"));
    assert_int_equal(feeds[0].gone, 1);
    client_close(&c);
    httpd_free(&server);
}

static void answers_head(void **state)
{
    struct client c;
    (void)state;
    serve();
    client_open(&c, server);
    client_send(&c, "HEAD /stream HTTP/1.1\r\n\r\n");
    assert_int_equal(client_answer_to(&c, true), 200);
    wait_until(feeds[0].gone == 1);
    assert_int_equal(feeds[0].pulls, 0);
    wait_until(client_is_closed(&c));
    assert_int_equal(c.in.len, 0); /* not even a last chunk */
    client_close(&c);
    httpd_free(&server);
}

static void starts_late(void **state)
{
    struct client c;
    (void)state;
    serve();
    for (int i = 0; i < 4; i++) {
        client_open(&c, server);
        late = NULL;
        client_send(&c, "GET /late HTTP/1.1\r\n\r\n");
        wait_until(late != NULL);
        start(late);
        struct feed *f = &feeds[i];
        if (i == 0) {
            say(f, "hello\n");
            wait_until(client_has(&c, "hello\n\r\n"));
        } else if (i == 1) {
            httpd_stream_end(f->stream, HTTPD_PULL_END);
            wait_until(client_has(&c, "\r\n\r\n0\r\n\r\n"));
        } else if (i == 2) {
            httpd_stream_end(f->stream, HTTPD_PULL_ABORT);
            wait_until(client_is_closed(&c));
        }
        client_close(&c); /* i == 3: before anything was sent */
        wait_until(f->gone == 1);
    }
    httpd_free(&server);
}

static void tells_all_when_freed(void **state)
{
    struct client c[4];
    (void)state;
    serve();
    for (int i = 0; i < 4; i++) {
        next_feed.endless = i == 1;
        client_subscribe(&c[i]);
    }
    assert_rests();
    say(&feeds[2], "on its way\n"); /* resumed, not yet sent */
    httpd_stream_end(feeds[3].stream, HTTPD_PULL_END);
    httpd_free(&server);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(feeds[i].gone, 1);
        wait_until(client_is_closed(&c[i]));
        client_close(&c[i]);
    }
}

static void is_freed_inside_a_pull(void **state)
{
    struct client a, b;
    (void)state;
    serve();
    client_subscribe(&a);
    next_feed.frees = true;
    client_subscribe(&b);
    wait_until(server == NULL);
    assert_int_equal(feeds[0].gone, 1);
    assert_int_equal(feeds[1].gone, 1);
    wait_until(client_is_closed(&a) && client_is_closed(&b));
    client_close(&a);
    client_close(&b);
}

static void reaches_many(void **state)
{
    static struct client c[200];
    (void)state;
    serve();
    for (int i = 0; i < 200; i++)
        client_subscribe(&c[i]);
    assert_rests();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++)
            say(&feeds[i], "tick\n");
        for (int i = 0; i < 200; i++) {
            wait_until(client_has(&c[i], "tick\n\r\n"));
            buf_reset(&c[i].in);
        }
    }
    for (int i = 0; i < 200; i++)
        client_close(&c[i]);
    wait_until(httpd_connections(server) == 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(feeds[i].gone, 1);
    httpd_free(&server);
}

static void streams_over_a_unix_socket(void **state)
{
    char dir[] = "/tmp/test_httpd_XXXXXX";
    struct client c;
    (void)state;
    assert_non_null(mkdtemp(dir));
    char *listen = mem_printf("unix:%s/s", dir);
    serve_at(listen);
    client_open_unix(&c, listen + 5);
    client_send(&c, "GET /stream HTTP/1.1\r\n\r\n");
    wait_until(n_feeds == 1);
    wait_until(client_has(&c, "\r\n\r\n"));
    say(&feeds[0], "hello\n");
    wait_until(client_has(&c, "hello\n\r\n"));
    client_close(&c);
    wait_until(feeds[0].gone == 1);
    httpd_free(&server);
    assert_int_equal(rmdir(dir), 0);
    free(listen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivers_when_woken),
        cmocka_unit_test(sends_the_header_at_once),
        cmocka_unit_test(survives_waking_inside_a_pull),
        cmocka_unit_test(cuts_in_the_middle),
        cmocka_unit_test(stops_pulling_for_a_slow_reader),
        cmocka_unit_test(notices_who_leaves),
        cmocka_unit_test(speaks_http_1_0),
        cmocka_unit_test(answers_head),
        cmocka_unit_test(starts_late),
        cmocka_unit_test(tells_all_when_freed),
        cmocka_unit_test(is_freed_inside_a_pull),
        cmocka_unit_test(reaches_many),
        cmocka_unit_test(streams_over_a_unix_socket),
    };
    return cmocka_run_group_tests(tests, setup_loop, teardown_loop);
}
