/*
 * auth_form_page, auth_form_jar: pages that should be logon forms, and cookies. What is sent in the end is what counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth_form.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

#define HOME "https://mail.corp.example/exchange/"

static struct arena *arena;
static struct dav_form_page page;
static char sent[20000];

static void fill(const char *html, size_t len)
{
    struct buf body;

    arena_reset(arena);
    dav_form_page_read(&page, html, len, arena);
    sent[0] = '\0';
    if (!page.username)
        return;
    buf_init(&body, DAV_FORM_BODY_MAX);
    if (dav_form_page_fill(&page, "CORP\\svc", "p&s=\xc3\xa4 +", 8, HOME, &body))
        snprintf(sent, sizeof(sent), "%s", body.data);
    else
        snprintf(sent, sizeof(sent), "too much");
    buf_wipe(&body);
}

#define ACCOUNT "username=CORP%5Csvc&password=p%26s%3D%C3%A4%20%2B"

static void forms_as_they_are(void **state)
{
    static const struct {
        const char *html, *action, *sent;
    } cases[] = {
        {"<form action=\"owaauth.dll\" method=POST><input type=\"hidden\" name=\"destination\" "
         "value=\"https://a/?b=1&amp;c\">"
         "<input type=hidden name=flags value=0><input name=username><input type=password name=password>"
         "<input type=radio name=trusted value=0 checked><input type=radio name=trusted value=4></form>",
         "owaauth.dll", "destination=https%3A%2F%2Fa%2F%3Fb%3D1%26c&flags=4&trusted=4&" ACCOUNT},
        {"<FORM METHOD='post' ACTION='/a?b=1&amp;c=2'><INPUT VALUE='x' TYPE=HIDDEN NAME='destination'>"
         "<INPUT NAME=username TYPE=TEXT><INPUT NAME=password TYPE=PASSWORD>",
         "/a?b=1&c=2", "destination=x&" ACCOUNT},
        /* an empty destination becomes ours */
        {"<form><input type=hidden name=destination><input name=username><input name=password type=password>", "",
         "destination=https%3A%2F%2Fmail.corp.example%2Fexchange%2F&" ACCOUNT},
        /* one button, no boxes, nothing of other forms */
        {"<form action=search><input name=q></form><form action=go><input type=hidden name=k value=v><input "
         "name=username>"
         "<input type=password name=password><input type=checkbox name=c value=1><input type=submit name=s value=1>"
         "<input type=submit name=t value=2></form><form action=late><input type=hidden name=l>",
         "go", "k=v&s=1&" ACCOUNT},
        /* comments and scripts are no markup */
        {"<!-- <form action=no><input type=password name=no> --><script>document.write('<input type=hidden "
         "name=no>')</script>"
         "<form action=yes><style><input name=no></style><input name=username><input type=password name=password>",
         "yes", ACCOUNT},
        {"<form action=\"&#47;x&#x2F;y&quot;&lt;&bogus;&#0;\"><input name=username><input type=password name=password>",
         "/x/y\"<&bogus;&#0;", ACCOUNT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fill(cases[i].html, strlen(cases[i].html));
        assert_string_equal(page.action, cases[i].action);
        assert_string_equal(sent, cases[i].sent);
    }
}

static void no_forms(void **state)
{
    static const char *const pages[] = {
        "",
        "<",
        "<form",
        "<form action=",
        "<form action='x",
        "<html>It works</html>",
        "<form><input name=username></form>",
        "<form><input type=password name=password></form>",
        "<form><input type=password><input type=text></form>",
        "<!-- <form><input name=username><input type=password name=password>",
        "<script><form><input name=username><input type=password name=password>",
        "<form><input type=hidden name=username><input type=password name=password>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        fill(pages[i], strlen(pages[i]));
        assert_null(page.username);
        assert_null(page.elsewhere);
    }
}

static void a_page_that_is_a_script(void **state)
{
    static const char html[] =
        "<html><script language=javascript>\nvar a_fRC = 1;\nvar a_sUrl = \"?url=https%3a%2f%2fm&reason=0\";\n"
        "var a_sLgnQS = \"/owa/auth/logon.aspx\";\nredirect();</script></html>";

    (void)state;
    fill(html, strlen(html));
    assert_null(page.username);
    assert_string_equal(page.elsewhere, "/owa/auth/logon.aspx?url=https%3a%2f%2fm&reason=0");
}

static char *times(const char *before, const char *part, size_t count, size_t *ret_len)
{
    size_t first = strlen(before), len = strlen(part);
    char *text = mem_calloc(1, first + len * count + 1), *at = text + first;

    memcpy(text, before, first);
    for (size_t i = 0; i < count; i++, at += len)
        memcpy(at, part, len);
    *ret_len = (size_t)(at - text);
    return text;
}

static void pages_without_measure(void **state)
{
    size_t len;
    char *html;

    (void)state;
    html = times("<form><input name=username><input type=password name=password>", "<input type=hidden name=x>", 30000,
                 &len);
    fill(html, len);
    assert_int_equal(page.count, 1); /* all of one name */
    free(html);
    html = times("<form><input name=username><input type=password name=", "p", 500000, &len);
    fill(html, len);
    assert_null(page.username); /* no name is that long */
    free(html);
    html = times("<form action=", "&amp;", 100000, &len);
    fill(html, len);
    free(html);
    html = times("", "<form ", 100000, &len);
    fill(html, len);
    free(html);
    html = times("<input ", "a=b ", 100000, &len);
    fill(html, len);
    free(html);
}

static void too_many_fields(void **state)
{
    struct buf html;

    (void)state;
    buf_init(&html, 1 << 20);
    buf_adds(&html, "<form><input name=username><input type=password name=password>");
    for (int i = 0; i < 100; i++)
        buf_addf(&html, "<input type=hidden name=field%d value='%0900d'>", i, i);
    fill(html.data, html.len);
    assert_int_equal(page.count, DAV_FORM_FIELDS);
    assert_string_equal(sent, "too much");
    buf_free(&html);
}

static void links(void **state)
{
    static const struct {
        const char *link, *to;
    } cases[] = {
        {"owaauth.dll", "https://m.test/owa/auth/owaauth.dll"},
        {"/exchweb/bin/auth/owaauth.dll", "https://m.test/exchweb/bin/auth/owaauth.dll"},
        {"https://m.test:444/x", "https://m.test:444/x"},
        {"//other.test/x", "https://other.test/x"},
        {"https://m.test", "https://m.test/"},
        {"?a=b", "https://m.test/owa/auth/logon.aspx?a=b"},
        {"", "https://m.test/owa/auth/logon.aspx"},
        {"x y#z", "https://m.test/owa/auth/x%20y"},
        {"javascript:go()", "https://m.test/owa/auth/javascript:go()"},
        {"/a\r\nX: y", NULL},
        {"http://", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;

        buf_init(&out, 5000);
        bool ok =
            dav_form_resolve("https://m.test/owa/auth/logon.aspx?url=https://m.test/x&reason=0", cases[i].link, &out);
        assert_int_equal(ok, cases[i].to != NULL);
        if (ok)
            assert_string_equal(out.data, cases[i].to);
        buf_free(&out);
    }
}

static void logon_pages(void **state)
{
    int reason;

    (void)state;
    assert_true(dav_form_is_page("/exchweb/bin/auth/owalogon.asp?url=x&reason=2", &reason));
    assert_int_equal(reason, 2);
    assert_true(dav_form_is_page("https://m/owa/auth/logon.aspx?url=x", &reason));
    assert_int_equal(reason, -1);
    assert_true(dav_form_is_page("/CookieAuth.dll?GetLogon?reason=99999999999999999999", &reason));
    assert_true(reason >= 0);
    assert_false(dav_form_is_page("https://m/exchange/anna/", &reason));
}

/* --- cookies --- */

static void cookies(void **state)
{
    struct dav_jar *jar = dav_jar_new();
    struct buf line;

    (void)state;
    buf_init(&line, 1 << 20);
    assert_false(dav_jar_line(jar, &line));
    assert_true(dav_jar_set(jar, "sessionid=7c6c5b0a-1111,0x409; path=/"));
    assert_true(
        dav_jar_set(jar, "cadata=\"2,qN0c+9f/ x==\"; HttpOnly; secure; path=/; expires=Thu, 01-Jan-2030 00:00:00 GMT"));
    assert_true(dav_jar_line(jar, &line));
    assert_string_equal(line.data, "Cookie: sessionid=7c6c5b0a-1111,0x409; cadata=\"2,qN0c+9f/ x==\"");
    assert_true(dav_jar_set(jar, "cadata=\"new\""));
    assert_string_equal(dav_jar_find(jar, "CADATA"), "\"new\"");
    assert_false(dav_jar_set(jar, "cadata=; path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT"));
    assert_null(dav_jar_find(jar, "cadata"));
    assert_true(dav_jar_set(jar, "a=b"));
    assert_false(dav_jar_set(jar, "a=b; Max-Age=0"));
    assert_null(dav_jar_find(jar, "a"));
    assert_false(dav_jar_set(jar, "=b"));
    assert_false(dav_jar_set(jar, "no cookie"));
    assert_false(dav_jar_set(jar, ""));
    buf_reset(&line);
    dav_jar_line(jar, &line);
    assert_string_equal(line.data, "Cookie: sessionid=7c6c5b0a-1111,0x409");
    buf_wipe(&line);
    dav_jar_free(&jar);
}

static void too_many_cookies(void **state)
{
    struct dav_jar *jar = dav_jar_new();
    char text[100], *long_one = mem_calloc(1, DAV_JAR_VALUE_MAX + 10);

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "c%d=v", i);
        assert_int_equal(dav_jar_set(jar, text), i < DAV_JAR_COOKIES);
    }
    assert_true(dav_jar_set(jar, "c0=w")); /* those that are there may change */
    assert_string_equal(dav_jar_find(jar, "c0"), "w");
    memset(long_one, 'v', DAV_JAR_VALUE_MAX + 9);
    memcpy(long_one, "c0=", 3);
    assert_false(dav_jar_set(jar, long_one));
    free(long_one);
    dav_jar_free(&jar);
}

static int begin(void **state)
{
    (void)state;
    arena = arena_new(1 << 21);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_as_they_are),
        cmocka_unit_test(no_forms),
        cmocka_unit_test(a_page_that_is_a_script),
        cmocka_unit_test(pages_without_measure),
        cmocka_unit_test(too_many_fields),
        cmocka_unit_test(links),
        cmocka_unit_test(logon_pages),
        cmocka_unit_test(cookies),
        cmocka_unit_test(too_many_cookies),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
