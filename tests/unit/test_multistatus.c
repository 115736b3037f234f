/*
 * multistatus: recorded answers, then everything that servers do to them: odd prefixes, missing and doubled properties,
 * statuses in either order, broken and endless documents, pieces of one byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "multistatus.h"

#define CAL "urn:schemas:calendar:"
#define APPT "http://schemas.microsoft.com/mapi/id/{00062002-0000-0000-C000-000000000046}/"

enum { START, END, BUSY, NUMBER, TYPE, CALENDAR, SHORT_ONE };
static const struct dav_ms_prop props[] = {
    [START] = {CAL, "dtstart", 64, DAV_MS_TEXT},
    [END] = {CAL, "dtend", 64, DAV_MS_TEXT},
    [BUSY] = {CAL, "busystatus", 64, DAV_MS_TEXT},
    [NUMBER] = {APPT, "0x8205", 64, DAV_MS_TEXT},
    [TYPE] = {"DAV:", "resourcetype", 256, DAV_MS_NAMES},
    [CALENDAR] = {"urn:schemas:httpmail:", "calendar", 512, DAV_MS_TEXT},
    [SHORT_ONE] = {"x:", "short", 4, DAV_MS_TEXT},
};
static const struct dav_ms_spec spec = {props, sizeof(props) / sizeof(props[0])};

/* What the callbacks brought, as text: "href|status|name=value|...;" */
static struct buf seen;
static int stop_after;

static bool note(void *arg, const struct dav_ms_response *r)
{
    assert_ptr_equal(arg, &seen);
    assert_int_equal(strlen(r->href), r->href_len);
    buf_addf(&seen, "%s|%d", r->href, r->status);
    for (size_t i = 0; i < spec.count; i++) {
        if (r->value[i].text) {
            buf_addf(&seen, "|%s=%s%s", props[i].name, r->value[i].text, r->value[i].cut ? "..." : "");
            assert_int_equal(strlen(r->value[i].text), r->value[i].len);
        }
    }
    buf_adds(&seen, ";");
    return --stop_after != 0;
}

static struct dav_ms *ms;

static enum dav_ms_result read_pieces(const char *text, size_t len, size_t piece)
{
    buf_reset(&seen);
    dav_ms_begin(ms, note, &seen);
    for (size_t at = 0; at < len; at += piece)
        if (!dav_ms_feed(ms, text + at, len - at < piece ? len - at : piece))
            break;
    return dav_ms_finish(ms);
}

static enum dav_ms_result read_all(const char *text)
{
    return read_pieces(text, strlen(text), strlen(text));
}

static int set_up(void **state)
{
    static const struct dav_ms_limits limits = {.max_bytes = 100000, .max_depth = 12, .max_rows = 5};

    (void)state;
    buf_init(&seen, 1 << 20);
    stop_after = -1;
    ms = dav_ms_new(&spec, &limits);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dav_ms_free(&ms);
    buf_free(&seen);
    return 0;
}

static char *file(const char *name, bool only_body)
{
    char path[400];
    char *text = calloc(1, 65536), *body;
    FILE *f;

    snprintf(path, sizeof(path), "%s/tests/replay/exchange/%s", FB_SOURCE_DIR, name);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    body = only_body ? strstr(text, "\n\n") : NULL;
    if (body)
        memmove(text, body + 2, strlen(body + 2) + 1);
    return text;
}

#define ROOT                                                                                                           \
    "<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/\" xmlns:d=\"" CAL  \
    "\" xmlns:x=\"" APPT "\" xmlns:c=\"xml:\" xmlns:a=\"DAV:\">"
#define END_ROOT "</a:multistatus>"
#define ROW(href, status, inside)                                                                                      \
    "<a:response><a:href>" href "</a:href><a:propstat><a:status>HTTP/1.1 " status "</a:status><a:prop>" inside         \
    "</a:prop></a:propstat></a:response>"

static void recorded_answers(void **state)
{
    char *text;

    (void)state;
    text = file("search-two-appointments-2003.xml", false);
    for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
        assert_int_equal(read_pieces(text, strlen(text), piece), DAV_MS_OK);
        assert_string_equal(
            seen.data,
            "https://mail.rokonai.hu/exchange/rokonaiintranet/Napt%C3%A1r/{8D717CCC-C399-4161-91F6-23D159322873}.EML|0"
            "|dtstart=2010-05-28T06:00:00.000Z|dtend=2010-05-28T06:30:00.000Z|busystatus=BUSY;"
            "https://mail.rokonai.hu/exchange/rokonaiintranet/Napt%C3%A1r/{5CD50F59-8DF2-4DB5-AFEA-34DB11A4BAB9}.EML|0"
            "|dtstart=2010-05-26T06:00:00.000Z|dtend=2010-05-26T06:30:00.000Z|busystatus=BUSY;");
    }
    free(text);
    text = file("search-empty-result.xml", false);
    assert_int_equal(read_all(text), DAV_MS_OK);
    assert_int_equal(dav_ms_rows(ms), 0);
    free(text);
    text = file("propfind-well-known-folders-2007.http", true);
    assert_int_equal(read_all(text), DAV_MS_OK);
    assert_string_equal(seen.data,
                        "https://SERVER01/exchange/local/|0|calendar=https://SERVER01/exchange/local/Calendar;");
    free(text);
    text = file("freebusy-public-folder-message.xml", false);
    assert_int_equal(read_all(text), DAV_MS_OK);
    assert_int_equal(dav_ms_rows(ms), 1);
    free(text);
}

static void no_prefix_means_anything(void **state)
{
    (void)state;
    assert_int_equal(
        read_all(
            "<multistatus xmlns='DAV:'><response><href>/x</href><propstat><prop>"
            "<a:dtstart xmlns:a='urn:schemas:calendar:'>s</a:dtstart></prop><status>HTTP/1.1 200 OK</status></propstat>"
            "</response></multistatus>"),
        DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|dtstart=s;");
    /* the usual prefix, another namespace */
    assert_int_equal(read_all("<a:multistatus xmlns:a='DAV:' xmlns:d='urn:other'>" ROW(
                         "/x", "200 OK", "<d:dtstart>s</d:dtstart>") END_ROOT),
                     DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0;");
    /* a property of the structure's own names is a property */
    assert_int_equal(read_all(ROOT ROW("/x", "200 OK",
                                       "<a:href>/y</a:href><a:response>z</a:response><d:dtend>e</d:dtend>") END_ROOT),
                     DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|dtend=e;");
}

static void what_is_absent_or_doubled(void **state)
{
    (void)state;
    assert_int_equal(
        read_all(
            ROOT
            "<a:response><a:href>/x</a:href>"
            "<a:propstat><a:status>HTTP/1.1 404 Resource Not "
            "Found</a:status><a:prop><d:dtend/><d:busystatus/></a:prop></a:propstat>"
            "<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop><d:dtstart>1</d:dtstart><d:dtstart>2</d:dtstart>"
            "<d:dtend></d:dtend></a:prop></a:propstat>"
            "<a:propstat><a:status>HTTP/1.1 "
            "OK</a:status><a:prop><d:busystatus>FREE</d:busystatus></a:prop></a:propstat>"
            "<a:propstat><a:prop><d:busystatus>OOF</d:busystatus></a:prop></a:propstat>"
            "</a:response>" END_ROOT),
        DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|dtstart=1|dtend=;");
    assert_int_equal(
        read_all(
            ROOT
            "<a:response><a:href>/gone</a:href><a:status>HTTP/1.1 404 Not Found</a:status></a:response><a:response/>"
            "<a:sync-token> t-1 </a:sync-token>" END_ROOT),
        DAV_MS_OK);
    assert_string_equal(seen.data, "/gone|404;|0;");
    assert_string_equal(dav_ms_sync_token(ms), "t-1");
    assert_int_equal(read_all(ROOT END_ROOT), DAV_MS_OK);
    assert_string_equal(dav_ms_sync_token(ms), "");
}

static void names_that_begin_with_a_digit(void **state)
{
    static const char *const spellings[] = {"0x8205", "0x00008205", "x8205", "_x0030_x8205", "0X8205"};
    char text[2000];

    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        snprintf(text, sizeof(text),
                 "%s<a:response><a:href>/x</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop><x:%s "
                 "b:dt=\"int\">3</x:%s>"
                 "<d:dtend>e</d:dtend></a:prop></a:propstat></a:response>%s",
                 ROOT, spellings[i], spellings[i], END_ROOT);
        assert_int_equal(read_all(text), DAV_MS_OK);
        assert_string_equal(seen.data, "/x|0|dtend=e|0x8205=3;");
    }
    assert_int_equal(dav_ms_mapi_id("0x8206"), 0x8206);
    assert_int_equal(dav_ms_mapi_id("0x"), -1);
    assert_int_equal(dav_ms_mapi_id("x82g5"), -1);
    assert_int_equal(dav_ms_mapi_id("8205"), -1);
    assert_int_equal(dav_ms_mapi_id("x123456789"), -1);
}

static void bytes_that_are_no_xml(void **state)
{
    (void)state;
    assert_int_equal(
        read_all(ROOT ROW("/x", "200 OK",
                          "<d:subject>a&#1;b\x01"
                          "c\xff</d:subject><d:busystatus>BU&#1;SY</d:busystatus><d:dtend>e</d:dtend>") END_ROOT),
        DAV_MS_OK);
    assert_non_null(strstr(seen.data, "|dtend=e"));
    assert_int_equal(read_all("<html><body>Log on</body></html>"), DAV_MS_BROKEN);
    assert_int_equal(read_all(""), DAV_MS_BROKEN);
    assert_int_equal(read_all("<a:response xmlns:a='DAV:'/>"), DAV_MS_BROKEN);
    assert_int_equal(read_all("<a:multistatus xmlns:a='DAV'/>"), DAV_MS_BROKEN);
    assert_int_equal(read_all("<!DOCTYPE a [<!ENTITY x 'y'>]><a:multistatus xmlns:a='DAV:'/>"), DAV_MS_BROKEN);
}

/* Cut anywhere, it is no answer; and the reader works again afterwards. */
static void a_document_that_was_cut(void **state)
{
    static const char whole[] = ROOT ROW("/x", "200 OK", "<d:dtstart>s</d:dtstart>") END_ROOT;

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 2; len++)
        assert_int_equal(read_pieces(whole, len, 50), DAV_MS_BROKEN);
    assert_int_equal(read_all(whole), DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|dtstart=s;");
}

static void ceilings(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_adds(&text, ROOT);
    for (int i = 0; i < 5; i++)
        buf_adds(&text, ROW("/x", "200 OK", ""));
    buf_adds(&text, END_ROOT);
    assert_int_equal(read_all(text.data), DAV_MS_OK);
    text.len -= strlen(END_ROOT);
    buf_adds(&text, ROW("/x", "200 OK", "") END_ROOT);
    assert_int_equal(read_all(text.data), DAV_MS_TOO_LARGE);

    buf_reset(&text);
    buf_adds(&text, ROOT);
    for (int i = 0; i < 20; i++)
        buf_adds(&text, "<deep>");
    assert_int_equal(read_all(text.data), DAV_MS_TOO_LARGE);

    buf_reset(&text);
    buf_adds(&text, ROOT "<a:response><a:href>/");
    for (int i = 0; i < 10001; i++)
        buf_adds(&text, "0123456789");
    assert_int_equal(read_all(text.data), DAV_MS_TOO_LARGE);
    buf_free(&text);
}

static void a_value_over_its_own_ceiling_is_cut(void **state)
{
    (void)state;
    assert_int_equal(read_all(ROOT ROW("/x", "200 OK", "<short xmlns='x:'>12345</short><d:dtend>e</d:dtend>") END_ROOT),
                     DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|dtend=e|short=1234...;");
    assert_int_equal(read_all(ROOT ROW("/x", "200 OK", "<short xmlns='x:'>1234</short>") END_ROOT), DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|short=1234;");
}

static void names_of_children(void **state)
{
    (void)state;
    assert_int_equal(
        read_all(ROOT ROW(
            "/x", "200 OK",
            "<a:resourcetype><a:collection/><c:calendar><deep/></c:calendar><c:comp name=\"VEVENT\"/></a:resourcetype>"
            "<d:busystatus>B<i>U<b>S</b></i>Y</d:busystatus>") END_ROOT),
        DAV_MS_OK);
    assert_string_equal(seen.data, "/x|0|busystatus=BUSY|resourcetype= collection calendar comp=VEVENT;");
}

static void the_callback_may_stop(void **state)
{
    (void)state;
    stop_after = 2;
    assert_int_equal(read_all(ROOT ROW("/1", "200 OK", "") ROW("/2", "200 OK", "") ROW("/3", "200 OK", "") END_ROOT),
                     DAV_MS_STOPPED);
    assert_string_equal(seen.data, "/1|0;/2|0;");
}

static void status_numbers(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"HTTP/1.1 200 OK", 200},
        {"HTTP/1.1 404 Resource Not Found", 404},
        {"HTTP/1.1 204", 204},
        {"http/1.0 507 x", 507},
        {"HTTP/1.1 OK", 0},
        {"HTTP/1.1 2000", 0},
        {"HTTP/1.1 20", 0},
        {"HTTP/1.1", 0},
        {"200 OK", 0},
        {"", 0},
        {"HTTP/1.1 999 x", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(dav_ms_status_number(cases[i].text, strlen(cases[i].text)), cases[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recorded_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_prefix_means_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_absent_or_doubled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_begin_with_a_digit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_xml, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_document_that_was_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ceilings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_over_its_own_ceiling_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_children, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_callback_may_stop, set_up, tear_down),
        cmocka_unit_test(status_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
