/*
 * dav_body: what programs really send, what is passed over, and everything that has a ceiling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "dav_body.h"

static struct arena *arena;

static enum gw_dav_body_result read_text(const char *text, struct gw_dav_body *ret)
{
    arena_reset(arena);
    return gw_dav_body_read(text, strlen(text), arena, ret);
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void test_propfind(void **state)
{
    struct gw_dav_body b;

    (void)state;
    assert_int_equal(read_text("", &b), GW_DAV_BODY_OK);
    assert_true(b.all);
    assert_int_equal(read_text("<propfind xmlns='DAV:'><allprop/></propfind>", &b), GW_DAV_BODY_OK);
    assert_true(b.all);
    assert_int_equal(read_text("<propfind xmlns='DAV:'><propname/></propfind>", &b), GW_DAV_BODY_OK);
    assert_true(b.names_only);
    assert_int_equal(read_text("<a:propfind xmlns:a='DAV:' xmlns:b='urn:x'><a:prop><a:owner/><b:y><b:z/></b:y><plain/>"
                               "<b:not&#x20;/></a:prop></a:propfind>",
                               &b),
                     GW_DAV_BODY_BROKEN);
    assert_int_equal(read_text("<a:propfind xmlns:a='DAV:' xmlns:b='urn:x'><a:prop><a:owner/><b:y><b:z/></b:y><plain/>"
                               "<b:\xc3\xa4/><b:0x8218/></a:prop></a:propfind>",
                               &b),
                     GW_DAV_BODY_OK);
    assert_string_equal(b.root, "propfind");
    assert_false(b.all);
    assert_int_equal(b.prop_count, 3); /* what could not be written again is forgotten, and what is inside of one */
    assert_string_equal(b.props[0].ns, "DAV:");
    assert_string_equal(b.props[0].name, "owner");
    assert_string_equal(b.props[1].ns, "urn:x");
    assert_string_equal(b.props[1].name, "y");
    assert_string_equal(b.props[2].ns, "");
    assert_string_equal(b.props[2].name, "plain");
}

static void test_reports(void **state)
{
    struct gw_dav_body b;

    (void)state;
    assert_int_equal(
        read_text(
            "<D:principal-property-search xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' test='anyof'>"
            "<D:property-search><D:prop><C:calendar-user-address-set/></D:prop><D:match>a&amp;b@x</D:match>"
            "</D:property-search>"
            "<D:property-search><D:prop><C:calendar-user-address-set/><D:displayname/></D:prop><D:match>c</D:match>"
            "</D:property-search>"
            "<D:property-search><D:prop><D:displayname/></D:prop></D:property-search>"
            "<D:prop><D:displayname/><D:match/></D:prop><D:match>no</D:match></D:principal-property-search>",
            &b),
        GW_DAV_BODY_OK);
    assert_int_equal(b.match_count, 3);
    assert_true(b.any_of);
    assert_true(b.matches[0].address);
    assert_string_equal(b.matches[0].text, "a&b@x");
    assert_false(b.matches[1].address); /* asks for more than the address */
    assert_false(b.matches[2].address);
    assert_string_equal(b.matches[2].text, "");
    assert_int_equal(b.prop_count, 2);

    assert_int_equal(read_text("<C:calendar-query xmlns:C='urn:ietf:params:xml:ns:caldav'><C:filter><C:comp-filter "
                               "name='VCALENDAR'><C:comp-filter name='VTODO'><C:time-range start='1' end='2'/>"
                               "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>",
                               &b),
                     GW_DAV_BODY_OK);
    assert_true(b.not_events);
    assert_string_equal(b.start, "1");
    assert_string_equal(b.end, "2");
    assert_int_equal(read_text("<m xmlns='urn:ietf:params:xml:ns:caldav'><href xmlns='DAV:'>/a</href><href "
                               "xmlns='DAV:'>/b</href><sync-token xmlns='DAV:'>t</sync-token></m>",
                               &b),
                     GW_DAV_BODY_OK);
    assert_int_equal(b.href_count, 2);
    assert_string_equal(b.hrefs[1], "/b");
    assert_string_equal(b.token, "t");
}

static void test_refused(void **state)
{
    static const char *const broken[] = {"<propfind xmlns='DAV:'>", "x", "<a></b>",
                                         "<!DOCTYPE a><propfind xmlns='DAV:'/>", "<propfind xmlns='DAV:'/>x"};
    struct gw_dav_body b;
    struct buf text;

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_int_equal(read_text(broken[i], &b), GW_DAV_BODY_BROKEN);
    buf_init(&text, 1 << 20);
    buf_adds(&text, "<propfind xmlns='DAV:'>");
    for (int i = 0; i < 100; i++)
        buf_adds(&text, "<a>");
    assert_int_equal(read_text(text.data, &b), GW_DAV_BODY_BROKEN);
    while (text.len < 200000)
        buf_adds(&text, "<a/>");
    assert_int_equal(read_text(text.data, &b), GW_DAV_BODY_TOO_MUCH);
    buf_free(&text);
}

/* `count` elements of one kind: the last that is taken, and one more. */
static void test_ceilings(void **state)
{
    static const struct {
        const char *before, *one, *after;
        int max;
    } rows[] = {
        {"<r xmlns='DAV:'><prop>", "<a/>", "</prop></r>", GW_DAV_PROPS_MAX},
        {"<r xmlns='DAV:'>", "<property-search/>", "</r>", GW_DAV_MATCHES_MAX},
        {"<r xmlns='DAV:'>", "<href>/x</href>", "</r>", GW_DAV_HREFS_MAX},
    };
    struct gw_dav_body b;
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int more = 0; more < 2; more++) {
            buf_reset(&text);
            buf_adds(&text, rows[i].before);
            for (int n = 0; n < rows[i].max + more; n++)
                buf_adds(&text, rows[i].one);
            buf_adds(&text, rows[i].after);
            assert_int_equal(read_text(text.data, &b), more ? GW_DAV_BODY_TOO_MUCH : GW_DAV_BODY_OK);
        }
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_propfind),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ceilings),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
