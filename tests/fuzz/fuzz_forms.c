/*
 * fuzz_forms: a page that should be a logon form, and the cookies that come with it. The input's first line is taken as
 * a Set-Cookie value and as a link, the rest is the page.
 *
 * Whatever comes in: texts of the page are inside its ceilings, a form that is said to be one has both fields, what is
 * sent has no byte that would end the body's syntax, and a cookie goes back as it came.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth_form.h"
#include "base/arena.h"
#include "base/buf.h"
#include "url.h"

#define BASE "https://mail.corp.example/exchweb/bin/auth/owalogon.asp?url=https://mail.corp.example/exchange/&reason=0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void read_link(const char *link)
{
    struct dav_url u;
    struct buf out;
    int reason;

    buf_init(&out, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32);
    if (dav_form_resolve(BASE, link, &out))
        check(dav_url_parse(out.data, &u) && !strpbrk(out.data, " \r\n"));
    dav_form_is_page(link, &reason);
    check(reason >= -1);
    buf_free(&out);
}

static void read_cookie(const char *line)
{
    struct dav_jar *jar = dav_jar_new();
    struct buf out;

    buf_init(&out, DAV_JAR_COOKIES * (DAV_JAR_VALUE_MAX + 200));
    dav_jar_set(jar, "cadata=\"1,ab+/==\"; path=/");
    for (int i = 0; i < 3; i++)
        dav_jar_set(jar, line);
    if (dav_jar_line(jar, &out))
        check(strncmp(out.data, "Cookie: ", 8) == 0);
    else
        check(dav_jar_empty(jar));
    dav_jar_find(jar, "cadata");
    buf_wipe(&out);
    dav_jar_free(&jar);
}

static void read_page(const char *html, size_t len)
{
    struct arena *arena = arena_new(1 << 20);
    struct dav_form_page page;
    struct buf body, url;

    dav_form_page_read(&page, html, len, arena);
    check(page.count <= DAV_FORM_FIELDS && page.action && !page.username == !page.password);
    buf_init(&body, DAV_FORM_BODY_MAX);
    buf_init(&url, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX + 32);
    if (page.username) {
        dav_form_resolve(BASE, page.action, &url);
        if (dav_form_page_fill(&page, "CORP\\svc", "p&=w", 4, "https://mail.corp.example/exchange/", &body))
            check(strspn(body.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%&=") ==
                      body.len &&
                  strstr(body.data, "=p%26%3Dw"));
    } else if (page.elsewhere) {
        dav_form_resolve(BASE, page.elsewhere, &url);
    }
    buf_wipe(&body);
    buf_free(&url);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = newline ? (size_t)(newline - data) : 0;
    size_t rest = newline ? size - first - 1 : size;
    char *line = malloc(first + 1), *html = malloc(rest ? rest : 1);

    check(line && html);
    if (first > 0)
        memcpy(line, data, first);
    line[first] = '\0';
    if (rest > 0)
        memcpy(html, data + size - rest, rest);
    read_link(line);
    read_cookie(line);
    read_page(html, rest);
    free(line);
    free(html);
    return 0;
}
