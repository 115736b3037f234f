/*
 * xml: each document is read whole, byte by byte and in pieces of seven, by one reader that is reset in between; the
 * three traces must be the same. A trace is "{ns}name" for a start, "/" for an end, and the text in between.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/xml.h"

struct trace {
    struct buf out;
    struct xml_reader *reader;
    const char *attr_ns, *attr_name; /* shown as "@value" when an element has it */
    const char *stop_at;             /* element name that makes start() say stop */
    const char *first_a;             /* address of the first name "a" */
    bool same_address;
};

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct trace *t = arg;
    size_t len;

    buf_addf(&t->out, "{%s}%s", ns, name);
    if (t->attr_name) {
        const char *value = xml_reader_attr(t->reader, t->attr_ns, t->attr_name, &len);
        if (value) {
            buf_addc(&t->out, '@');
            buf_add(&t->out, value, len);
        }
    }
    if (strcmp(name, "a") == 0) {
        if (!t->first_a)
            t->first_a = name;
        t->same_address = t->same_address && t->first_a == name;
    }
    buf_addc(&t->out, ' ');
    return !t->stop_at || strcmp(t->stop_at, name) != 0;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct trace *t = arg;

    (void)ns;
    buf_addc(&t->out, '/');
    return !(t->stop_at && t->stop_at[0] == '/' && strcmp(t->stop_at + 1, name) == 0);
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct trace *t = arg;

    buf_add(&t->out, text, len);
    return !(t->stop_at && strcmp(t->stop_at, "#text") == 0);
}

static const struct xml_handler HANDLER = {on_start, on_end, on_text};
static const struct xml_limits LIMITS = {.max_bytes = 1 << 20, .max_depth = 20};
static const struct xml_limits HELD = {.max_bytes = 1 << 20, .max_depth = 20, .hold = true};

static void trace_init(struct trace *t, const struct xml_limits *limits)
{
    memset(t, 0, sizeof(*t));
    t->same_address = true;
    buf_init(&t->out, 1 << 22);
    t->reader = xml_reader_new(&HANDLER, t, limits);
}

static void trace_free(struct trace *t)
{
    xml_reader_free(&t->reader);
    buf_free(&t->out);
}

static enum xml_result read_in(struct trace *t, const char *doc, size_t len, size_t piece)
{
    xml_reader_reset(t->reader, t);
    buf_reset(&t->out);
    t->first_a = NULL;
    for (size_t i = 0; i < len; i += piece) {
        /* a copy of its own, so that the sanitizer sees a reader that looks further */
        size_t n = len - i < piece ? len - i : piece;
        char *copy = malloc(n);
        memcpy(copy, doc + i, n);
        enum xml_result result = xml_reader_feed(t->reader, copy, n);
        free(copy);
        if (result != XML_OK)
            return result;
    }
    return xml_reader_finish(t->reader);
}

static enum xml_result read_whole(struct trace *t, const char *doc, size_t len)
{
    char *copy = malloc(len + 1);
    enum xml_result result;

    memcpy(copy, doc, len);
    copy[len] = '\0';
    xml_reader_reset(t->reader, t);
    buf_reset(&t->out);
    t->first_a = NULL;
    result = xml_reader_whole(t->reader, copy, len);
    free(copy);
    return result;
}

/* Reads in pieces of three sizes and as a whole; `expected` NULL: the trace does not matter. */
static void check_bytes(struct trace *t, const char *doc, size_t len, enum xml_result result, const char *expected)
{
    static const size_t PIECES[] = {1 << 20, 1, 7};

    for (size_t i = 0; i < sizeof(PIECES) / sizeof(*PIECES); i++) {
        assert_int_equal(read_in(t, doc, len, PIECES[i]), result);
        if (expected)
            assert_string_equal(t->out.data, expected);
        assert_true(t->same_address);
    }
    assert_int_equal(read_whole(t, doc, len), result);
    if (expected)
        assert_string_equal(t->out.data, expected);
    /* whatever this document was, the next one is read well */
    assert_int_equal(read_in(t, "<a>1</a>", 8, 8), XML_OK);
    assert_string_equal(t->out.data, "{}a 1/");
}

/* Whether the document is fed as it comes or held until its end must not be seen. */
static void check(const char *doc, enum xml_result result, const char *expected)
{
    struct trace t;

    trace_init(&t, &LIMITS);
    check_bytes(&t, doc, strlen(doc), result, expected);
    trace_free(&t);
    trace_init(&t, &HELD);
    check_bytes(&t, doc, strlen(doc), result, expected);
    trace_free(&t);
}

static void check_attr(const char *ns, const char *name, const char *doc, const char *expected)
{
    struct trace t;

    for (int held = 0; held < 2; held++) {
        trace_init(&t, held ? &HELD : &LIMITS);
        t.attr_ns = ns;
        t.attr_name = name;
        for (size_t piece = 1; piece < 100; piece += 9) {
            assert_int_equal(read_in(&t, doc, strlen(doc), piece), XML_OK);
            assert_string_equal(t.out.data, expected);
        }
        trace_free(&t);
    }
}

static void test_plain(void **state)
{
    (void)state;
    check("<a/>", XML_OK, "{}a /");
    check("<?xml version=\"1.0\"?><x:a xmlns:x='DAV:'><x:b>t&amp;&lt;&#65;</x:b><![CDATA[<c>]]></x:a>", XML_OK,
          "{DAV:}a {DAV:}b t&<A/<c>/");
    check("<a xmlns='u'><b xmlns=''/><c/></a>\r\n", XML_OK, "{u}a {}b /{u}c //");
    check("<a xmlns='u'><b xmlns='v'><p:a xmlns:p='w'/><a/></b><a/></a>", XML_OK, "{u}a {v}b {w}a /{v}a //{u}a //");
    check("<p:a xmlns:p='u'><p:a xmlns:p='v'/><p:a/>] &gt;</p:a >\n", XML_OK, "{u}a {v}a /{u}a /] >/");
    check("<a><!-- x --><?pi y?> 1\r\n2 <a/></a>", XML_OK, "{}a  1\n2 {}a //");
    check("<\xC3\xA9>\xE2\x82\xAC\xF0\x9F\x98\x80</\xC3\xA9>", XML_OK, "{}\xC3\xA9 \xE2\x82\xAC\xF0\x9F\x98\x80/");
}

static void test_servers_of_2000(void **state)
{
    (void)state;
    check(" \r\n\t<?xml version='1.0'?><a/>", XML_OK, "{}a /");
    check("\xEF\xBB\xBF<?xml version='1.0'?><a/>", XML_OK, "{}a /");
    check("\xEF\xBB\xBF \n<a/>", XML_OK, "{}a /");
    check("<m xmlns:h='u:{00062002-0000}/' xmlns:b='dt'><h:0x8218 b:dt='int'>0</h:0x8218><h:0x820d/></m>", XML_OK,
          "{}m {u:{00062002-0000}/}0x8218 0/{u:{00062002-0000}/}0x820d //");
    /* the default namespace is not taken for a name with a prefix, an inner declaration wins and ends with its element
     */
    check("<m xmlns='def' xmlns:h='one'><n xmlns:h='two'><h:0x1/></n><h:0x2/><q:0x3/></m>", XML_OK,
          "{def}m {def}n {two}0x1 //{one}0x2 /{}q:0x3 //");
    check("<m xmlns:h='one' xmlns:hh='two'><h:0x1/></m>", XML_OK, "{}m {one}0x1 //");
    check("<m><q:b/></m>", XML_OK, "{}m {}q:b //");
    check("<m xmlns:c='xml:'><c:v>1</c:v></m>", XML_OK, "{}m {xml:}v 1//");
    check("<a>ab&#1;cd</a>", XML_OK, "{}a abcd/");
    check("<a>ab\x01"
          "cd\x1F</a><!--\x02-->",
          XML_OK, "{}a abcd/");
    check("<a>AT&T</a>", XML_OK, NULL);
    check("<a>R&D;</a>", XML_OK, NULL);
    check("<a>]]></a>", XML_OK, NULL);
}

static void test_not_utf8(void **state)
{
    struct trace t;

    (void)state;
    check("<a>ab\xFF<a>\xC3\xA9</a></a>", XML_OK, "{}a ab\xEF\xBF\xBD{}a \xC3\xA9//");
    check("<a>M\xFCller<a>\xE2\x82\xAC</a>\xE2\x82</a>", XML_OK,
          "{}a M\xEF\xBF\xBDller{}a \xE2\x82\xAC/\xEF\xBF\xBD\xEF\xBF\xBD/");
    check("<a>\xF0\x90\xC3\xA9\xED\xA0\x80</a>", XML_OK,
          "{}a \xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD/");
    check("<a>\xC0\xAF</a>", XML_OK, "{}a \xEF\xBF\xBD\xEF\xBF\xBD/");
    check("<a>x\xEF\xBF\xBEy\xEF\xBF\xBFz</a>", XML_OK, "{}a xyz/");
    check("<a>\xC3", XML_BROKEN, NULL);
    check("<a/>\xC3", XML_BROKEN, NULL);
    trace_init(&t, &LIMITS);
    check_bytes(&t, "<a>b\0c</a>\0", 11, XML_OK, "{}a bc/");
    trace_free(&t);
}

static void test_other_encodings(void **state)
{
    struct trace t;
    static const char UTF16[] = "\xFF\xFE<\0a\0>\0\xFC\0<\0/\0a\0>\0";

    (void)state;
    check("<?xml version='1.0' encoding='utf-8'?><a>\xFC</a>", XML_OK, "{}a \xEF\xBF\xBD/");
    check("<?xml version='1.0' encoding=\"ISO-8859-1\"?><a>\xFC</a>", XML_OK, "{}a \xC3\xBC/");
    check("<?xml version='1.0' encoding='no-such'?><a/>", XML_BROKEN, NULL);
    check("<?xml version='1.0' encoding='UTF-16'?><a>\xC3\xA9</a>", XML_OK, "{}a \xC3\xA9/");
    trace_init(&t, &LIMITS);
    check_bytes(&t, UTF16, sizeof(UTF16) - 1, XML_OK, "{}a \xC3\xBC/");
    trace_free(&t);
}

static void test_cut_anywhere_is_broken(void **state)
{
    static const char DOC[] =
        "<?xml version=\"1.0\"?><a:m xmlns:a=\"DAV:\"><a:r><a:0x1 b='1'>x&amp;\xC3\xA9</a:0x1><a:e/></a:r></a:m>";
    struct trace t;

    (void)state;
    trace_init(&t, &LIMITS);
    for (size_t len = 0; len < sizeof(DOC) - 1; len++) {
        assert_int_equal(read_in(&t, DOC, len, 1000), XML_BROKEN);
        assert_int_equal(read_in(&t, DOC, len, 3), XML_BROKEN);
    }
    assert_int_equal(read_in(&t, DOC, sizeof(DOC) - 1, 3), XML_OK);
    trace_free(&t);
}

static void test_not_xml(void **state)
{
    (void)state;
    check("", XML_BROKEN, "");
    check(" \n ", XML_BROKEN, "");
    check("hello", XML_BROKEN, "");
    check("{\"a\":1}", XML_BROKEN, "");
    check("<html><body><br>x</body></html>", XML_BROKEN, NULL);
    check("<a><b></a></b>", XML_BROKEN, NULL);
    check("<a><0x8205>1</0x8205></a>", XML_BROKEN, NULL);
    check("<a/><a/>", XML_BROKEN, NULL);
    check("<a/>x", XML_BROKEN, NULL);
    check("<a></a></a>", XML_BROKEN, NULL);
    check("<a><\r\n0>1</0></a>", XML_BROKEN, NULL);
    check("<a>x &\r\n y</a>", XML_OK, NULL);
    check("<a b=1/>", XML_BROKEN, NULL);
    check("<a b='1' 2='3'/>", XML_BROKEN, NULL);
    check("<a> < b</a>", XML_BROKEN, NULL);
    check("<a><?xml version='1.0'?></a>", XML_OK, NULL);
}

static void test_dtd(void **state)
{
    (void)state;
    check("<!DOCTYPE html><html/>", XML_DTD, "");
    check("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'yyyy'><!ENTITY z '&x;&x;&x;'>]><a>&z;</a>", XML_DTD, "");
    check("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", XML_DTD, "");
    check("<a>&x;</a>", XML_OK, "{}a /");
}

static void test_ceilings(void **state)
{
    static const struct xml_limits SMALL = {.max_bytes = 30, .max_depth = 3};
    struct trace t;

    (void)state;
    trace_init(&t, &SMALL);
    check_bytes(&t, "<a><b><c></c></b></a>", 21, XML_OK, NULL);
    check_bytes(&t, "<a><b><c><d/></c></b></a>", 25, XML_TOO_DEEP, "{}a {}b {}c ");
    check_bytes(&t, "<a>012345678901234567890123</a>", 31, XML_TOO_LONG, NULL);
    check_bytes(&t, "<a>01234567890123456789012</a>", 30, XML_OK, "{}a 01234567890123456789012/");
    /* the answer sticks */
    assert_int_equal(read_in(&t, "<a><b><c><d/>", 13, 13), XML_TOO_DEEP);
    assert_int_equal(xml_reader_feed(t.reader, "</c>", 4), XML_TOO_DEEP);
    assert_int_equal(xml_reader_finish(t.reader), XML_TOO_DEEP);
    trace_free(&t);
}

static void test_many_declarations(void **state)
{
    struct trace t;
    struct buf doc;

    (void)state;
    trace_init(&t, &LIMITS);
    buf_init(&doc, 1 << 20);
    buf_adds(&doc, "<a");
    for (unsigned i = 0; i < 5000; i++)
        buf_addf(&doc, " xmlns:p%u='u%u'", i, i);
    buf_adds(&doc, "/>");
    assert_int_equal(read_in(&t, doc.data, doc.len, doc.len), XML_TOO_DEEP);
    buf_free(&doc);
    trace_free(&t);
}

static void test_stop(void **state)
{
    static const char DOC[] = "<r><a x='1'>t</a><b/></r>";
    static const char *const AT[] = {"r", "a", "b", "#text", "/a", "/b", "/r"};
    struct trace t;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(AT) / sizeof(*AT); i++) {
        trace_init(&t, i % 2 ? &HELD : &LIMITS);
        for (size_t piece = 1; piece < sizeof(DOC); piece++) {
            t.stop_at = AT[i / 2];
            assert_int_equal(read_in(&t, DOC, strlen(DOC), piece), XML_STOPPED);
            t.stop_at = NULL;
            assert_int_equal(read_in(&t, DOC, strlen(DOC), piece), XML_OK);
            assert_string_equal(t.out.data, "{}r {}a t/{}b //");
        }
        trace_free(&t);
    }
    trace_init(&t, &LIMITS);
    /* what was declared in a document that was left half-way is forgotten */
    static const char SCOPED[] = "<r xmlns='u' xmlns:h='v'><a/></r>";
    t.stop_at = "a";
    assert_int_equal(read_in(&t, SCOPED, strlen(SCOPED), 1000), XML_STOPPED);
    t.stop_at = NULL;
    assert_int_equal(read_in(&t, "<r><h:0x1/></r>", 15, 1000), XML_OK);
    assert_string_equal(t.out.data, "{}r {}h:0x1 //");
    trace_free(&t);
}

static void test_attributes(void **state)
{
    (void)state;
    check_attr("dt", "dt", "<a xmlns:b='dt' b:dt='int' dt='no'/>", "{}a@int /");
    check_attr("", "dt", "<a xmlns:b='dt' b:dt='int' dt='plain'><c/></a>", "{}a@plain {}c //");
    check_attr("", "dt", "<a q:dt='int'/>", "{}a /");
    check_attr("", "x", "<a x='1&amp;2&#38;3&lt;&amp;#38;&amp;amp;'/>", "{}a@1&2&3<&#38;&amp; /");
    check_attr("", "x", "<a x=''/>", "{}a@ /");
}

/* Bytes allocated at present, with the sanitizer's allocator or without. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : mallinfo2().uordblks;
}

/* A server that makes up names for ever: the memory kept between documents stays small, and reading goes on. */
static void test_names_for_ever(void **state)
{
    struct trace t;
    struct buf doc;

    (void)state;
    trace_init(&t, &LIMITS);
    buf_init(&doc, 1 << 20);
    size_t before = allocated();
    for (unsigned round = 0; round < 80; round++) { /* some 9 MB of names */
        buf_reset(&doc);
        buf_adds(&doc, "<m>");
        for (unsigned i = 0; i < 2000; i++)
            buf_addf(&doc, "<name-that-was-never-seen-before-%u-%u/>", round, i);
        buf_adds(&doc, "</m>");
        assert_int_equal(read_in(&t, doc.data, doc.len, 4096), XML_OK);
    }
    xml_reader_reset(t.reader, &t);
    assert_in_range(allocated(), 0, before + 3000000);
    check_bytes(&t, "<a><a/></a>", 11, XML_OK, "{}a {}a //");
    buf_free(&doc);
    trace_free(&t);
}

static void escaped(const char *text, size_t len, const char *expected)
{
    struct buf b;

    buf_init(&b, 1000);
    assert_true(xml_escape(&b, text, len));
    assert_string_equal(b.data, expected);
    buf_free(&b);
}

static void test_escape(void **state)
{
    struct buf b;

    (void)state;
    escaped("", 0, "");
    escaped("a<b>&\"'\t\n", 9, "a&lt;b&gt;&amp;&quot;&apos;\t\n");
    escaped("\x01\0x", 3, "\xEF\xBF\xBD\xEF\xBF\xBDx");
    escaped("\xEF\xBF\xBEx", 4, "\xEF\xBF\xBDx");
    escaped("\xC3\xA9\xFF\xC3", 4, "\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD");
    buf_init(&b, 4);
    assert_false(xml_escape(&b, "<<", 2));
    buf_free(&b);
}

/* A document that never ends: the ceiling holds for each child of the root, and what XMPP forbids is refused. */
static void test_stream(void **state)
{
    static const struct xml_limits STREAM = {.max_bytes = 1000, .max_depth = 5, .stream = true};
    static const struct {
        const char *text;
        enum xml_result result;
    } rows[] = {{"<a><b/> \n <b>x</b>", XML_OK},
                {"<a><!-- c -->", XML_DTD},
                {"<a><?php x ?>", XML_DTD},
                {"<!DOCTYPE a><a>", XML_DTD},
                {"<a>&nbsp;<b/>", XML_BROKEN},
                {"<a><b></c>", XML_BROKEN},
                {"<a><b c=d/>", XML_BROKEN},
                {"<a><b><b><b><b><b>", XML_TOO_DEEP}};
    struct trace t;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        trace_init(&t, &STREAM);
        enum xml_result result = xml_reader_feed(t.reader, rows[i].text, strlen(rows[i].text));
        assert_int_equal(result, rows[i].result);
        trace_free(&t);
    }

    trace_init(&t, &STREAM);
    assert_int_equal(xml_reader_feed(t.reader, "<a>", 3), XML_OK);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(xml_reader_feed(t.reader, i % 2 ? " " : "<b c='d'>text</b>", i % 2 ? 1 : 17), XML_OK);
    enum xml_result result = xml_reader_feed(t.reader, "<b>", 3);
    unsigned fed = 0;
    for (; result == XML_OK && fed < 1000000; fed += 10)
        result = xml_reader_feed(t.reader, "0123456789", 10);
    assert_int_equal(result, XML_TOO_LONG);
    assert_true(fed < 40000); /* the ceiling and one slice */
    trace_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_servers_of_2000),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_other_encodings),
        cmocka_unit_test(test_not_xml),
        cmocka_unit_test(test_cut_anywhere_is_broken),
        cmocka_unit_test(test_dtd),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_many_declarations),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_names_for_ever),
        cmocka_unit_test(test_escape),
    };
    return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
