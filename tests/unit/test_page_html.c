/*
 * page_html: what comes from outside stays text, wherever it is put; marks that turn the direction; numbers and times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "page.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z */

enum { DAY = 86400 };

static void check(void (*write)(struct buf *b, const char *text), const char *text, const char *want)
{
    struct buf b;
    buf_init(&b, 4096);
    write(&b, text);
    assert_string_equal(b.data, want);
    buf_free(&b);
}

static void test_text(void **state)
{
    (void)state;
    check(gw_html_text, "<script>&\"'</script>", "&lt;script&gt;&amp;&quot;&#39;&lt;/script&gt;");
    check(gw_html_attr, "\" onfocus='x' <>&", "&quot; onfocus=&#39;x&#39; &lt;&gt;&amp;");
    check(gw_html_name, "<b>", "<bdi>&lt;b&gt;</bdi>");
    check(gw_html_name, "<b>@x@\"y", "<bdi>&lt;b&gt;@x<wbr>@&quot;y</bdi>"); /* breaks before the domain */
    check(gw_html_name, "@", "<bdi><wbr>@</bdi>");
    check(gw_html_url, "a&b=\"<?#%/+ x@y", "a%26b%3D%22%3C%3F%23%25%2F%2B%20x@y");
    check(gw_html_text, "caf\xc3\xa9 \xe6\x9e\x97 \xd7\xa9", "caf\xc3\xa9 \xe6\x9e\x97 \xd7\xa9");
    check(gw_html_text, "\xe2\x80\x93 \xe2\x82\xac \xe2\x81\x9f", "\xe2\x80\x93 \xe2\x82\xac \xe2\x81\x9f");
}

static void test_marks(void **state)
{
    static const struct {
        const char *bytes, *name;
    } marks[] = {{"\xe2\x80\xae", "U+202E"}, {"\xe2\x80\xaa", "U+202A"}, {"\xe2\x80\x8e", "U+200E"},
                 {"\xe2\x80\x8f", "U+200F"}, {"\xe2\x81\xa6", "U+2066"}, {"\xe2\x81\xa9", "U+2069"},
                 {"\xd8\x9c", "U+061C"},     {"\n", "U+000A"},           {"\xc2\x85", "U+0085"}};
    (void)state;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char in[32] = "a", spelled[80] = "a<span class=\"mark\">";
        strcat(strcat(in, marks[i].bytes), "z");
        strcat(strcat(spelled, marks[i].name), "</span>z");
        check(gw_html_text, in, spelled);
        check(gw_html_plain, in, "a\xef\xbf\xbdz");
        check(gw_html_attr, in, in); /* scripts need the very address */
    }
    check(gw_html_text, "\xe2", "\xe2"); /* cut in the middle: no step beyond the end */
    check(gw_html_text, "\xe2\x80", "\xe2\x80");
}

static void check_count(int64_t n, const char *want)
{
    struct buf b;
    buf_init(&b, 100);
    gw_html_count(&b, n);
    assert_string_equal(b.data, want);
    buf_free(&b);
}

static void test_counts(void **state)
{
    (void)state;
    check_count(0, "0");
    check_count(999, "999");
    check_count(1000, "1,000");
    check_count(1240567, "1,240,567");
    check_count(-1000, "-1,000");
}

static void check_time(int64_t t, enum gw_html_time form, const char *want)
{
    struct buf b;
    buf_init(&b, 400);
    gw_html_time(&b, t, NOON, form);
    const char *text = strchr(b.data, '>');
    text = text ? text + 1 : b.data;
    assert_memory_equal(text, want, strlen(want));
    buf_free(&b);
}

static void test_times(void **state)
{
    (void)state;
    check_time(NOON + 3600, GW_HTML_MOMENT, "13:00<");
    check_time(NOON + DAY / 2 - 60, GW_HTML_MOMENT, "23:59<");
    check_time(NOON + DAY, GW_HTML_MOMENT, "tomorrow 12:00<");
    check_time(NOON + DAY / 2 * 3 - 60, GW_HTML_MOMENT, "tomorrow 23:59<");
    check_time(NOON + DAY / 2 * 3, GW_HTML_MOMENT, "Sun 17 Jan 00:00<");
    check_time(NOON - DAY, GW_HTML_CLOCK, "12:00<");
    check_time(NOON + 400LL * DAY, GW_HTML_MOMENT, "19 Feb 2028<");
    check_time(NOON + 60, GW_HTML_DUE, "12:01<");
    check_time(NOON, GW_HTML_DUE, "now<"); /* and never "0 s ago" */
    check_time(NOON - DAY, GW_HTML_DUE, "now<");
    check_time(0, GW_HTML_MOMENT, "\xe2\x80\x93");
    check_time(PRES_NEVER, GW_HTML_AGO, "\xe2\x80\x93");
    assert_int_equal(gw_html_midnight(NOON), NOON - DAY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_marks),
                                       cmocka_unit_test(test_counts), cmocka_unit_test(test_times)};
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
