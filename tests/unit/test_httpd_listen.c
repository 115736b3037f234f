/* httpd: where it listens. Addresses, socket files, passed sockets, the ceiling on connections, two servers in one
 * loop. */
#include "httpd_client.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct {
    struct httpd *h;
    struct httpd_req *later[1];
    int n_later;
    int gone;
    int asked;
} seen;

static void on_gone(void *arg)
{
    (void)arg;
    seen.gone++;
}

static void handle(void *arg, struct httpd_req *req)
{
    (void)arg;
    seen.asked++;
    if (strcmp(httpd_path(req), "/later") != 0) {
        httpd_reply(req, 200, NULL, "ok", 2);
        return;
    }
    assert_int_equal(seen.n_later, 0);
    seen.later[seen.n_later++] = req;
    httpd_on_gone(req, on_gone, NULL);
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

static void limits_connections(void **state)
{
    struct client c[3];
    (void)state;
    serve_with((struct httpd_settings){.max_connections = 2});
    for (int i = 0; i < 3; i++)
        client_open(&c[i], seen.h);
    assert_int_equal(client_ask(&c[0], "GET / HTTP/1.1\r\n\r\n"), 200);
    assert_int_equal(client_ask(&c[1], "GET / HTTP/1.1\r\n\r\n"), 200);
    client_send(&c[2], "GET / HTTP/1.1\r\n\r\n");
    assert_rests();
    assert_int_equal(seen.asked, 2);
    client_close(&c[0]);
    assert_int_equal(client_answer(&c[2]), 200);
    client_close(&c[1]);
    client_close(&c[2]);
    httpd_free(&seen.h);
}

static void serves_two_in_one_loop(void **state)
{
    struct client a, b;
    char why[100];
    (void)state;
    serve();
    struct httpd *second =
        httpd_new(loop, &(struct httpd_settings){.listen = "[::1]:0"}, handle, NULL, why, sizeof(why));
    if (second == NULL) /* a machine without IPv6 */
        second = httpd_new(loop, &(struct httpd_settings){.listen = "localhost:0"}, handle, NULL, why, sizeof(why));
    assert_non_null(second);
    assert_true(httpd_port(second) != 0 && httpd_port(second) != httpd_port(seen.h));
    client_open(&a, seen.h);
    client_send(&a, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    httpd_free(&second);
    httpd_free(&second);
    httpd_reply(seen.later[0], 200, NULL, NULL, 0);
    assert_int_equal(client_answer(&a), 200);
    client_open(&b, seen.h);
    assert_int_equal(client_ask(&b, "GET / HTTP/1.1\r\n\r\n"), 200);
    client_close(&a);
    client_close(&b);
    httpd_free(&seen.h);
}

static void explains_bad_addresses(void **state)
{
    static const char *const bad[] = {"",           "8008",    "host.example:80", "127.0.0.1:99999",
                                      "127.0.0.1:", "[::1:80", "unix:",           ":80"};
    char why[200];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(httpd_new(loop, &(struct httpd_settings){.listen = bad[i]}, handle, NULL, why, sizeof(why)));
        assert_true(strlen(why) > 10);
    }
    serve();
    char listen[64];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", httpd_port(seen.h));
    assert_null(httpd_new(loop, &(struct httpd_settings){.listen = listen}, handle, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, listen));
    assert_non_null(strstr(why, "in use"));
    httpd_free(&seen.h);
}

static void serves_a_unix_socket(void **state)
{
    char dir[] = "/tmp/test_httpd_XXXXXX";
    char why[200];
    struct stat st;
    struct client c;
    (void)state;
    assert_non_null(mkdtemp(dir));
    char *listen = mem_printf("unix:%s/s", dir);
    const char *path = listen + 5;
    /* a file left behind by a process that died */
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    assert_int_equal(bind(stale, (const struct sockaddr *)&un, sizeof(un)), 0);
    close(stale);
    serve_with((struct httpd_settings){.listen = listen, .unix_mode = 0600});
    assert_int_equal(httpd_port(seen.h), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_null(httpd_new(loop, &(struct httpd_settings){.listen = listen}, handle, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "in use"));
    client_open_unix(&c, path);
    assert_int_equal(client_ask(&c, "GET /u HTTP/1.1\r\n\r\n"), 200);
    client_send(&c, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    assert_string_equal(httpd_peer(seen.later[0]), "unix");
    client_close(&c);
    wait_until(seen.gone == 1);
    httpd_free(&seen.h);
    assert_int_equal(stat(path, &st), -1);
    /* something else of that name is left alone */
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_null(httpd_new(loop, &(struct httpd_settings){.listen = listen}, handle, NULL, why, sizeof(why)));
    assert_non_null(strstr(why, "no socket"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    free(listen);
}

static void adopts_a_socket(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct client c;
    (void)state;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 5), 0);
    serve_with((struct httpd_settings){.listen_fd = fd});
    client_open(&c, seen.h);
    client_send(&c, "GET /later HTTP/1.1\r\n\r\n");
    wait_until(seen.n_later == 1);
    assert_true(str_starts(httpd_peer(seen.later[0]), "127.0.0.1:"));
    client_close(&c);
    httpd_free(&seen.h);
    assert_int_equal(seen.gone, 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_connections),     cmocka_unit_test(serves_two_in_one_loop),
        cmocka_unit_test(explains_bad_addresses), cmocka_unit_test(serves_a_unix_socket),
        cmocka_unit_test(adopts_a_socket),
    };
    return cmocka_run_group_tests(tests, setup_loop, teardown_loop);
}
