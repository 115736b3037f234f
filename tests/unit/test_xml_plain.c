/*
 * xml_plain: what it takes on and what it leaves to libxml2. That both mean the same by what it takes on is for
 * fuzz_xml_plain and the rows of test_xml.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "xml_private.h"

static bool reads(const char *doc, unsigned max_depth)
{
    struct xml_plain *p = xml_plain_new();
    size_t size = strlen(doc) + 1;
    char *copy = malloc(size); /* its own, so that the sanitizer sees who looks further */
    bool first, second;

    memcpy(copy, doc, size);
    first = xml_plain_read(p, copy, size - 1, max_depth);
    second = xml_plain_read(p, copy, size - 1, max_depth);
    assert_int_equal(first, second);
    free(copy);
    xml_plain_free(&p);
    return first;
}

/* Without these the fast way would be no way at all, and nobody would notice. */
static void test_answers_are_plain(void **state)
{
    static const char *const docs[] = {
        "<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/\" "
        "xmlns:c=\"xml:\""
        " xmlns:d=\"urn:schemas:calendar:\" xmlns:a=\"DAV:\"><a:response><a:href>http://x/a&amp;b~1%20c</a:href>"
        "<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop><d:dtstart b:dt=\"dateTime.tz\">2008</d:dtstart>"
        "<busymapi b:dt=\"int\">2</busymapi></a:prop></a:propstat></a:response></a:multistatus>",
        ("<?xml version='1.0' encoding='utf-8'?>\n<multistatus xmlns=\"DAV:\" xmlns:C=\"urn:caldav\">\n"
         " <response><href>/\xC3\xA9/</href>\n </response>\n</multistatus>\r\n"),
        "<a\n x='1'\r\n  y = \"2\" ><b/><c /></a >",
        "<a>] ]]]x &lt;&gt;&quot;&apos;</a>",
        "<a xmlns='u'><b xmlns='v' xmlns:p='w' p:q='1' q='1'><p:c/></b><c/></a>",
        "<a x='\xC3\xA9]\xE2\x82\xAC'>0000000000\xC3\xA9]\xF0\x9F\x98\x80]</a>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
        if (!reads(docs[i], 32))
            fail_msg("gave up %s", docs[i]);
}

static void test_the_rest_is_not(void **state)
{
    static const char *const docs[] = {
        "", "<", "<a", "<a ", "<a/", "<a>", "<a></", "<a></a", "<a x", "<a x=", "<a x='", "<a x='1'", "<a x='1' /", "x",
        "<a/>x", "<a/><a/>", "<a></b>", "<a></ab>", "<a></a b>", "<ab></a>", "</a>", "<>", "< a/>", "<a x='1'y='2'/>",
        "<a x=1/>", "<a x/>", "<a x='1\"/>", "<a x='<'/>", "<a x='1' x='2'/>", "<1/>", "<a:1/>", "<a:/>", "<:a/>",
        "<a:b/>", "<a:b:c xmlns:a='u'/>", "<a b:c='1'/>", "<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
        "<a xmlns='u' xmlns='v'/>", "<a xmlns:p='u' xmlns:p='u'/>", "<a xmlns:p=''/>", "<a xmlns=''/>",
        "<a xmlns:xml='u'/>", "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "<a xml:lang='en'/>", "<xmlns:a/>",
        "<a x='&amp;'/>", "<a x='\n'/>", "<a>&</a>", "<a>&amp</a>", "<a>&x;</a>", "<a>&#65;</a>", "<a>]]></a>",
        "<a>\r</a>", "<a><!-- --></a>", "<a><![CDATA[x]]></a>", "<a><?p?></a>", "<!DOCTYPE a><a/>", "<?xml?><a/>",
        "<?xml version='1.1'?><a/>", "<?xml version='1.0'?><?xml version='1.0'?><a/>", "<\xC3\xA9/>",
        "<a xmlns:p='u'><b xmlns:q='v'/><q:c/></a>",
        "<a>\xC3</a>", "<a>\xE2\x82", "<a>\xFF</a>", "<a>\xC0\xAF</a>", "<a>\xEF\xBF\xBE</a>", "<a x='\xC3'/>",
        "<a x='\xED\xA0\x80'/>", "<a>\x01</a>", "<a x='\x1F'/>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
        if (reads(docs[i], 32))
            fail_msg("took on %s", docs[i]);
}

/* More than there is room for: names, texts, declarations, attributes, tokens, depth. */
static void test_ceilings(void **state)
{
    static const struct {
        const char *begin, *before, *after, *end; /* `before` a number, `after` it */
        unsigned fits, too_many;
    } rows[] = {
        {"<r>", "<n", "/>", "</r>", 100, 300},
        {"<r>", "<n xmlns='a-namespace-of-forty-characters-or-more-", "'/>", "</r>", 20, 300},
        {"<r", " xmlns:p", "='u'", "/>", 10, 17},
        {"<r", " p", "='u'", "/>", 16, 17},
        {"<r>", "<n p='", "'/>", "</r>", 500, 513},
        {"<r>", "<n>", "</n>", "</r>", 2000, 2800},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned too_many = 0; too_many < 2; too_many++) {
            struct buf doc;
            unsigned count = too_many ? rows[i].too_many : rows[i].fits;

            buf_init(&doc, 1 << 20);
            buf_adds(&doc, rows[i].begin);
            for (unsigned k = 0; k < count; k++) {
                buf_addf(&doc, "%s%u%s", rows[i].before, k, rows[i].after);
            }
            buf_adds(&doc, rows[i].end);
            if (reads(doc.data, 32) != !too_many)
                fail_msg("row %zu with %u", i, count);
            buf_free(&doc);
        }
    }
    assert_true(reads("<a><a><a/></a></a>", 3));
    assert_false(reads("<a><a><a><a/></a></a></a>", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_plain),
        cmocka_unit_test(test_the_rest_is_not),
        cmocka_unit_test(test_ceilings),
    };

    return cmocka_run_group_tests_name("xml_plain", tests, NULL, NULL);
}
