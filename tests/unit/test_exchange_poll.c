/*
 * exchange_poll: the answers about subscriptions and the datagrams, as they are sent and as nobody should send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_poll.h"

#define BEGIN                                                                                                          \
    "<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"http://schemas.microsoft.com/Exchange/\" xmlns:a=\"DAV:\">"
#define END "</a:multistatus>"

static char told[4000];

static void note(void *arg, uint32_t id, int status, const char *path)
{
    size_t len = strlen(told);

    (void)arg;
    snprintf(told + len, sizeof(told) - len, "%u=%d%s;", id, status, path);
}

static bool read_it(const char *text)
{
    told[0] = '\0';
    return dav_exchange_poll_read(text, strlen(text), note, NULL);
}

static void as_it_is_sent(void **state)
{
    (void)state;
    assert_true(read_it(
        BEGIN "<a:response><a:href>https://mail.example.test/exchange/anna@example.test/Calendar</a:href>"
              "<a:status>HTTP/1.1 200 OK</a:status><b:subscriptionID><li>15</li></b:subscriptionID></a:response>"
              "<a:response><a:href>https://mail.example.test/exchange/bob/Calendar/</a:href>"
              "<b:subscriptionID><li>18</li><li>19</li></b:subscriptionID>"
              "<a:status>HTTP/1.1 204 No Content</a:status></a:response>" END));
    assert_string_equal(told, "15=200/exchange/anna@example.test/Calendar/;18=204/exchange/bob/Calendar/;"
                              "19=204/exchange/bob/Calendar/;");
}

static void as_it_should_not_be(void **state)
{
    (void)state;
    /* one response's status is not the next one's */
    assert_true(read_it(BEGIN "<a:response><a:status>HTTP/1.1 204 No Content</a:status></a:response>"
                              "<a:response><b:subscriptionID><li>15</li></b:subscriptionID></a:response>" END));
    assert_string_equal(told, "15=0;");
    assert_true(read_it(BEGIN "<a:response><a:status>nonsense</a:status><b:subscriptionID>15, 16</b:subscriptionID>"
                              "</a:response>" END));
    assert_string_equal(told, "15=0;16=0;");
    assert_true(read_it(BEGIN "<a:response><a:status>HTTP/1.1 204 x</a:status><b:subscriptionID><li>fifteen</li>"
                              "<li>-1</li><li>99999999999</li></b:subscriptionID></a:response>" END));
    assert_string_equal(told, "");
    assert_false(read_it("<html>a page</html"));
    assert_false(read_it(""));
    assert_false(
        read_it(BEGIN "<a:response><a:status>HTTP/1.1 204 No Content</a:status><b:subscriptionID><li>15</li>"));
}

static void more_ids_than_there_can_be(void **state)
{
    size_t size = 200000, at;
    char *text = malloc(size);

    (void)state;
    at = (size_t)snprintf(text, size, "%s<a:response><a:status>HTTP/1.1 204 No</a:status><b:subscriptionID>", BEGIN);
    for (int i = 0; i < 9000; i++)
        at += (size_t)snprintf(text + at, size - at, "<li>%d</li>", i);
    snprintf(text + at, size - at, "</b:subscriptionID></a:response>" END);
    assert_true(read_it(text));
    assert_non_null(strstr(told, "300=204;"));
    free(text);
}

static void lists_of_numbers(void **state)
{
    uint32_t ids[4];

    (void)state;
    assert_int_equal(dav_exchange_ids_read("15", 2, ids, 4), 1);
    assert_int_equal(ids[0], 15);
    assert_int_equal(dav_exchange_ids_read(" 1,2 ,\t3\r\n", 9, ids, 4), 3);
    assert_int_equal(ids[2], 3);
    assert_int_equal(dav_exchange_ids_read("1,2,3,4,5", 9, ids, 4), 4);
    assert_int_equal(dav_exchange_ids_read("", 0, ids, 4), 0);
    assert_int_equal(dav_exchange_ids_read("1;drop", 6, ids, 4), 0);
    assert_int_equal(dav_exchange_ids_read("4294967295", 10, ids, 4), 0);
    assert_int_equal(dav_exchange_ids_read("99999999999999999999999999", 26, ids, 4), 0);
}

static int datagram(const char *text, size_t len)
{
    uint32_t ids[4] = {0};
    char *copy = malloc(len + 1); /* not terminated, as from the wire */
    int n;

    memcpy(copy, text, len);
    n = dav_exchange_notify_read(copy, len, ids, 4);
    free(copy);
    return n > 0 ? (int)ids[0] : n;
}
#define DATAGRAM(text) datagram(text, sizeof(text) - 1)

static void datagrams(void **state)
{
    static char long_one[4000] = "NOTIFY httpu://x/ HTTP/1.1\r\nSubscription-id: 15\r\n";

    (void)state;
    assert_int_equal(DATAGRAM("NOTIFY httpu://gw:5602/ HTTP/1.1\r\nSubscription-id: 15\r\n\r\n"), 15);
    assert_int_equal(DATAGRAM("NOTIFY httpu://gw:5602/ HTTP/1.1\r\nSubscription-id: 15\r\n"), 15);
    assert_int_equal(DATAGRAM("NOTIFY httpu://gw:5602/ HTTP/1.1\r\nsubscription-ID:15,16"), 15);
    assert_int_equal(DATAGRAM("NOTIFY httpu://gw:5602/ HTTP/1.1\nX: y\nSubscription-Id: 7"), 7);
    assert_int_equal(DATAGRAM("NOTIFY httpu://gw:5602/ HTTP/1.1\r\n\r\n"), 0);
    assert_int_equal(DATAGRAM("NOTIFY httpu://gw:5602/ HTTP/1.1"), 0);
    assert_int_equal(DATAGRAM("NOTIFY x HTTP/1.1\r\nSubscription-id: 15; or 1=1\r\n"), -1);
    assert_int_equal(DATAGRAM("GET / HTTP/1.1\r\nSubscription-id: 15\r\n"), -1);
    assert_int_equal(DATAGRAM("NOTIFY"), -1);
    assert_int_equal(DATAGRAM(""), -1);
    assert_int_equal(DATAGRAM("NOTIFY x HTTP/1.1\r\n\0Subscription-id: 15\r\n"), -1);
    memset(long_one + strlen(long_one), 'x', sizeof(long_one) - strlen(long_one));
    assert_int_equal(datagram(long_one, sizeof(long_one)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_is_sent),
        cmocka_unit_test(as_it_should_not_be),
        cmocka_unit_test(more_ids_than_there_can_be),
        cmocka_unit_test(lists_of_numbers),
        cmocka_unit_test(datagrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
