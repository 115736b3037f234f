/*
 * page_html: text, times and numbers as HTML. What comes from outside (addresses, groups, evidence, a server's words)
 * is escaped here and nowhere else, so that no other file of the page needs to know how. A mark that turns the
 * direction of writing could make a name read as another one: it is spelled out, as U+202E.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "page.h"

enum { DAY_S = 86400 };

enum marks { MARKS_SPELLED, MARKS_REPLACED, MARKS_KEPT };
static void add_escaped(struct buf *b, const char *text, enum marks marks);
static unsigned hidden_at(const char *text, unsigned *ret_code);
static bool local(int64_t t, struct tm *ret);
static bool is_tomorrow(int64_t t, int64_t now);

void gw_html_text(struct buf *b, const char *text)
{
    add_escaped(b, text, MARKS_SPELLED);
}

void gw_html_plain(struct buf *b, const char *text)
{
    add_escaped(b, text, MARKS_REPLACED);
}

void gw_html_attr(struct buf *b, const char *text)
{
    add_escaped(b, text, MARKS_KEPT);
}

void gw_html_name(struct buf *b, const char *text)
{
    const char *at = strrchr(text, '@');
    buf_adds(b, "<bdi>");
    if (at) { /* a long one breaks here rather than in a word */
        char *local_part = mem_strndup(text, (size_t)(at - text));
        add_escaped(b, local_part, MARKS_SPELLED);
        buf_adds(b, "<wbr>");
        free(local_part);
        text = at;
    }
    add_escaped(b, text, MARKS_SPELLED);
    buf_adds(b, "</bdi>");
}

void gw_html_url(struct buf *b, const char *text)
{
    str_percent_encode(b, text, strlen(text), "@");
}

void gw_html_count(struct buf *b, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        buf_addc(b, digits[i]);
        if ((len - i - 1) % 3 == 0 && i < len - 1 && digits[i] != '-')
            buf_addc(b, ',');
    }
}

/* The text is what a reader without scripts sees: the clock of the daemon's place. */
void gw_html_time(struct buf *b, int64_t t, int64_t now, enum gw_html_time form)
{
    static const char *const names[] = {
        [GW_HTML_CLOCK] = "clock", [GW_HTML_MOMENT] = "moment", [GW_HTML_AGO] = "ago", [GW_HTML_DUE] = "due"};
    char utc[UTC_TEXT_MAX], text[64];
    struct tm tm, today;
    if (t == 0 || t == PRES_NEVER || !local(t, &tm) || !local(now, &today)) {
        buf_adds(b, "\xe2\x80\x93");
        return;
    }
    bool near = (tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year) || (t > now && t - now < DAY_S / 2);
    bool far = t - now > 300LL * DAY_S || now - t > 300LL * DAY_S;
    if (form == GW_HTML_DUE && t <= now)
        snprintf(text, sizeof text, "now");
    else if (far)
        strftime(text, sizeof text, "%d %b %Y", &tm);
    else if (near || form == GW_HTML_CLOCK)
        strftime(text, sizeof text, "%H:%M", &tm);
    else if (is_tomorrow(t, now))
        strftime(text, sizeof text, "tomorrow %H:%M", &tm);
    else
        strftime(text, sizeof text, "%a %d %b %H:%M", &tm);
    buf_addf(b, "<time datetime=\"%s\" data-f=\"%s\">%s</time>", utc_rfc3339(t, utc), names[form], text);
}

void gw_html_time_of(struct buf *b, const struct jv *v, int64_t now, enum gw_html_time form)
{
    const char *text = jv_str(v, "");
    int64_t t = 0;
    utc_parse_rfc3339(text, strlen(text), &t);
    gw_html_time(b, t, now, form);
}

void gw_html_clock(struct buf *b, int64_t t)
{
    struct tm tm;
    if (local(t, &tm))
        buf_addf(b, "%02d:%02d", tm.tm_hour, tm.tm_min);
}

void gw_html_day(struct buf *b, int64_t t)
{
    struct tm tm;
    char text[32];
    if (local(t, &tm) && strftime(text, sizeof text, "%a %d %b", &tm))
        buf_adds(b, text);
}

int64_t gw_html_midnight(int64_t t)
{
    struct tm tm;
    if (!local(t, &tm))
        return t;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return mktime(&tm);
}

const char *gw_html_kind(enum pres_kind kind)
{
    static const char *const words[PRES_KINDS] = {"free", "elsewhere", "tentative", "busy", "out of office", "unknown"};
    return words[kind];
}

void gw_html_pill(struct buf *b, enum pres_kind kind)
{
    buf_addf(b, "<span class=\"pill k-%s\">%s</span>", pres_kind_name(kind), gw_html_kind(kind));
}

static void add_escaped(struct buf *b, const char *text, enum marks marks)
{
    for (; *text; text++) {
        unsigned code, len = marks == MARKS_KEPT ? 0 : hidden_at(text, &code);
        if (len) {
            if (marks == MARKS_REPLACED)
                buf_adds(b, "\xef\xbf\xbd");
            else
                buf_addf(b, "<span class=\"mark\">U+%04X</span>", code);
            text += len - 1;
        } else if (*text == '&') {
            buf_adds(b, "&amp;");
        } else if (*text == '<') {
            buf_adds(b, "&lt;");
        } else if (*text == '>') {
            buf_adds(b, "&gt;");
        } else if (*text == '"') {
            buf_adds(b, "&quot;");
        } else if (*text == '\'') {
            buf_adds(b, "&#39;");
        } else {
            buf_addc(b, *text);
        }
    }
}

/* Bytes of a control character, or of a mark that turns the direction (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066
 * to U+2069); 0: none begins here. */
static unsigned hidden_at(const char *text, unsigned *ret_code)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x20 || c[0] == 0x7f) {
        *ret_code = c[0];
        return 1;
    }
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
        *ret_code = c[1];
        return 2;
    }
    if (c[0] == 0xd8 && c[1] == 0x9c) {
        *ret_code = 0x61c;
        return 2;
    }
    if (c[0] != 0xe2 || (c[1] != 0x80 && c[1] != 0x81))
        return 0;
    *ret_code = 0x2000U + (c[1] & 0x3fU) * 64 + (c[2] & 0x3fU);
    bool turns = *ret_code == 0x200e || *ret_code == 0x200f || (*ret_code >= 0x202a && *ret_code <= 0x202e) ||
                 (*ret_code >= 0x2066 && *ret_code <= 0x2069);
    return turns ? 3 : 0;
}

static bool local(int64_t t, struct tm *ret)
{
    time_t seconds = (time_t)t;
    return localtime_r(&seconds, ret);
}

/* A day has 23 to 25 hours. */
static bool is_tomorrow(int64_t t, int64_t now)
{
    int64_t noon = gw_html_midnight(now) + DAY_S + DAY_S / 2;
    return gw_html_midnight(t) == gw_html_midnight(noon);
}
