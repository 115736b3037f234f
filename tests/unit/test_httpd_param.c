/* httpd: query parameters, well-formed, broken, and very many. */
#include "httpd_client.h"

static struct httpd *server;
static char first[64]; /* the first "a" of the last request */

/* Answers how many values of "a" there are. */
static void handle(void *arg, struct httpd_req *req)
{
    bool bad = false;
    unsigned n = 0;
    (void)arg;
    const char *value = httpd_param(req, "a", 0, &bad);
    snprintf(first, sizeof(first), "%s", bad ? "BAD" : value != NULL ? value : "NONE");
    while (value != NULL)
        value = httpd_param(req, "a", ++n, &bad);
    char text[32];
    int len = snprintf(text, sizeof(text), "%u", n);
    httpd_reply(req, 200, NULL, text, (size_t)len);
}

static void serve(size_t max_header)
{
    char why[256];
    struct httpd_settings settings = {.listen = "127.0.0.1:0", .max_header = max_header};
    server = httpd_new(loop, &settings, handle, NULL, why, sizeof(why));
    if (server == NULL)
        fail_msg("%s", why);
}

static void finds_params(void **state)
{
    static const struct {
        const char *query;
        const char *first;
        const char *count;
    } cases[] = {
        {"", "NONE", "0"},
        {"a=1", "1", "1"},
        {"b=1&a=x%40y&a=2", "x@y", "2"},
        {"a", "", "1"},
        {"a=", "", "1"},
        {"%61=enc", "enc", "1"},
        {"a=b+c", "b+c", "1"},
        {"a=1=2", "1=2", "1"},
        {"a=%2", "BAD", "0"},
        {"a=%zz&a=1", "BAD", "0"},
        {"a=%00", "BAD", "0"},
        {"%zz=1&a=2", "2", "1"},
        {"&&a=1&&", "1", "1"},
        {"A=1", "NONE", "0"},
        {"a=%C3%BC%2F%26", "\xC3\xBC/&", "1"},
        {"a=1&a=%&a=3", "1", "1"},
    };
    struct client c;
    (void)state;
    serve(0);
    client_open(&c, server);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = mem_printf("GET /params?%s HTTP/1.1\r\n\r\n", cases[i].query);
        assert_int_equal(client_ask(&c, text), 200);
        assert_string_equal(first, cases[i].first);
        assert_string_equal(c.body.data, cases[i].count);
        free(text);
    }
    client_close(&c);
    httpd_free(&server);
}

/* Thousands of values are walked in one pass, not in one pass each. */
static void finds_many_params(void **state)
{
    struct client c;
    struct buf b;
    (void)state;
    serve(2 << 20);
    client_open(&c, server);
    buf_init(&b, 4 << 20);
    buf_adds(&b, "GET /params?");
    for (int i = 0; i < 200000; i++)
        buf_adds(&b, "a=1&");
    buf_adds(&b, " HTTP/1.1\r\n\r\n");
    assert_int_equal(client_ask(&c, b.data), 200);
    assert_string_equal(c.body.data, "200000");
    buf_free(&b);
    client_close(&c);
    httpd_free(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_params),
        cmocka_unit_test(finds_many_params),
    };
    return cmocka_run_group_tests(tests, setup_loop, teardown_loop);
}
