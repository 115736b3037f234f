/*
 * render_pidf: the texts that phones look for, the order that RFC 3863 asks for, every character of an address, and
 * that an XML parser reads back what was written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/xml.h"
#include "presence/render.h"

#define NOON INT64_C(1795348800) /* 2026-11-22T12:00:00Z */

static const struct pres_presence busy = {
    .state = PRES_BUSY, .since = NOON - 3600, .until = NOON + 3600, .as_of = NOON};
static const struct pres_pidf plain = {
    .entity = "sip:alice@example.com", .map = &pres_pidf_usual, .note = "Busy until 13:00 UTC", .now = NOON};

static char *render(const struct pres_pidf *doc, const struct pres_presence *p)
{
    static char text[8192];
    struct buf out;
    buf_init(&out, sizeof text - 1);
    assert_true(pres_render_pidf(&out, doc, p));
    memcpy(text, out.data, out.len + 1);
    buf_free(&out);
    return text;
}

static void test_exact(void **state)
{
    (void)state;
    assert_string_equal(
        render(&plain, &busy),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\""
        " xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:alice@example.com\">\n"
        "<tuple id=\"fb-cal\"><status><basic>open</basic></status><note>Busy until 13:00 UTC</note>"
        "<timestamp>2026-11-22T12:00:00Z</timestamp></tuple>\n"
        "<dm:person id=\"fb-person\"><rpid:activities from=\"2026-11-22T11:00:00Z\" until=\"2026-11-22T13:00:00Z\">"
        "<rpid:busy/><rpid:meeting/></rpid:activities><dm:note>Busy until 13:00 UTC</dm:note>"
        "<dm:timestamp>2026-11-22T12:00:00Z</dm:timestamp></dm:person>\n"
        "</presence>\n");
}

/* What each kind is by default, and that a site's table takes its place. */
static void test_kinds(void **state)
{
    (void)state;
    static const char *const shown[PRES_KINDS] = {"<rpid:activities></rpid:activities>",
                                                  "<rpid:activities><rpid:working/></rpid:activities>",
                                                  "<rpid:activities><rpid:appointment/></rpid:activities>",
                                                  "<rpid:activities><rpid:busy/><rpid:meeting/></rpid:activities>",
                                                  "<rpid:activities><rpid:away/><rpid:vacation/></rpid:activities>",
                                                  "<status></status>"};
    struct pres_pidf_map site = pres_pidf_usual;
    struct pres_pidf doc = plain;
    for (unsigned k = 0; k < PRES_KINDS; k++) {
        struct pres_presence p = {.state = (enum pres_kind)k, .until = PRES_NEVER};
        char *text = render(&plain, &p);
        assert_non_null(strstr(text, shown[k]));
        assert_int_equal(strstr(text, "<basic>open</basic>") != NULL, k != PRES_UNKNOWN);
        assert_int_equal(strstr(text, "<rpid:activities") != NULL, k != PRES_UNKNOWN);
    }
    site.basic[PRES_BUSY] = "closed";
    site.activities[PRES_BUSY] = " on-the-phone ";
    doc.map = &site;
    char *text = render(&doc, &busy);
    assert_non_null(strstr(text, "<basic>closed</basic>"));
    assert_non_null(strstr(text, "\"><rpid:on-the-phone/></rpid:activities>"));
}

/* Only the future, only busy and oof, not more than asked, and no end where nobody knows it. */
static void test_future(void **state)
{
    (void)state;
    const struct pres_interval in[] = {{NOON - 3600, NOON + 3600, PRES_BUSY},
                                       {NOON + 7200, NOON + 9000, PRES_BUSY},
                                       {NOON + 9000, NOON + 9900, PRES_TENTATIVE},
                                       {NOON + 10800, NOON + 99999, PRES_OOF},
                                       {NOON + 100000, NOON + 100001, PRES_BUSY}};
    struct pres_set *set = pres_set_build(in, 5, NOON - 86400, NOON + 50000);
    struct pres_known known = {
        .set = set, .from = NOON - 86400, .until = NOON + 50000, .as_of = NOON, .stale_after = 900};
    struct pres_pidf doc = plain;
    doc.known = &known;
    assert_null(strstr(render(&doc, &busy), "ts:"));
    doc.future = 16;
    char *text = render(&doc, &busy);
    assert_non_null(strstr(text, "xmlns:ts=\"urn:ietf:params:xml:ns:pidf:timed-status\""));
    assert_non_null(strstr(
        text, "</status><ts:timed-status from=\"2026-11-22T14:00:00Z\" until=\"2026-11-22T14:30:00Z\">"
              "<ts:basic>closed</ts:basic></ts:timed-status>"
              "<ts:timed-status from=\"2026-11-22T15:00:00Z\"><ts:basic>closed</ts:basic></ts:timed-status><note>"));
    doc.future = 1;
    text = render(&doc, &busy);
    assert_non_null(strstr(text, "14:00:00Z"));
    assert_null(strstr(text, "15:00:00Z"));
    free(set);
}

struct seen {
    unsigned elements;
    struct buf entity, note;
    bool in_note;
    struct xml_reader *reader;
};

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct seen *s = arg;
    size_t len;
    s->elements++;
    s->in_note = strcmp(name, "note") == 0 && strcmp(ns, "urn:ietf:params:xml:ns:pidf") == 0;
    const char *entity = xml_reader_attr(s->reader, "", "entity", &len);
    return !entity || buf_add(&s->entity, entity, len);
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct seen *s = arg;
    (void)ns, (void)name;
    s->in_note = false;
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct seen *s = arg;
    return !s->in_note || buf_add(&s->note, text, len);
}

/* Each printable character in the local part, and what only a note can hold. */
static void test_read_back(void **state)
{
    (void)state;
    static const struct xml_handler handler = {on_start, on_end, on_text};
    static const struct xml_limits limits = {.max_bytes = 100000, .max_depth = 10};
    for (int c = 1; c < 128; c++) {
        const char address[] = {'a', (char)c, 'b', '@', 'x', '.', 'e', '\0'},
                   note[] = {'<', (char)c, '\xc3', '\xbc', '\0'};
        struct buf entity;
        struct seen s = {0};
        buf_init(&entity, 200);
        buf_init(&s.entity, 200);
        buf_init(&s.note, 200);
        assert_true(pres_pidf_entity(&entity, "sip:", address));
        for (const char *p = entity.data; *p; p++)
            assert_true(*p > ' ' && *p <= '~' && !strchr("\"<>&", *p));
        struct pres_pidf doc = plain;
        doc.entity = entity.data;
        doc.note = note;
        char *text = render(&doc, &busy);
        s.reader = xml_reader_new(&handler, &s, &limits);
        assert_int_equal(xml_reader_feed(s.reader, text, strlen(text)), XML_OK);
        assert_int_equal(xml_reader_finish(s.reader), XML_OK);
        assert_string_equal(s.entity.data, entity.data);
        assert_int_equal(s.elements, 12);
        bool kept = c >= ' ' || c == '\t' || c == '\n';
        if (kept)
            assert_string_equal(s.note.data, note);
        xml_reader_free(&s.reader);
        buf_free(&s.note);
        buf_free(&s.entity);
        buf_free(&entity);
    }
}

static void test_entities(void **state)
{
    (void)state;
    static const struct {
        const char *address, *want;
    } rows[] = {
        {"alice@example.com", "sip:alice@example.com"},
        {"o'hara@example.com", "sip:o'hara@example.com"},
        {"a/b c@example.com", "sip:a%2Fb%20c@example.com"},
        {"a@b@example.com", "sip:a%40b@example.com"},
        {"j\xc3\xb6rg@example.com", "sip:j%C3%B6rg@example.com"},
        {"alice", NULL},
        {"@example.com", NULL},
        {"alice@", NULL},
        {"alice@b\xc3\xbc"
         "cher.example",
         NULL},
        {"alice@example.com;transport=tcp", NULL},
        {"alice@exa\r\nmple", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        buf_init(&out, 200);
        assert_int_equal(pres_pidf_entity(&out, "sip:", rows[i].address), rows[i].want != NULL);
        if (rows[i].want)
            assert_string_equal(out.data, rows[i].want);
        buf_free(&out);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct buf out;
    struct pres_pidf doc = plain;
    buf_init(&out, 100);
    assert_false(pres_render_pidf(&out, &doc, &busy)); /* no room */
    doc.note = "\xff";
    assert_false(pres_render_pidf(&out, &doc, &busy));
    buf_free(&out);
    assert_null(pres_pidf_activities_wrong(""));
    assert_null(pres_pidf_activities_wrong("busy  meeting on-the-phone"));
    assert_non_null(pres_pidf_activities_wrong("busy meetings"));
    assert_non_null(pres_pidf_activities_wrong("busy/><evil"));
    assert_non_null(pres_pidf_activities_wrong("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

/* A long note is cut between characters. */
static void test_long_note(void **state)
{
    (void)state;
    char note[600] = "x";
    for (unsigned i = 0; i < 250; i++)
        strcat(note, "\xc3\xbc");
    struct pres_pidf doc = plain;
    doc.note = note;
    char *text = render(&doc, &busy), *end = strstr(text, "</note>");
    assert_non_null(end);
    assert_int_equal(end - (strstr(text, "<note>") + 6), 199);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),     cmocka_unit_test(test_kinds),    cmocka_unit_test(test_future),
        cmocka_unit_test(test_read_back), cmocka_unit_test(test_entities), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
