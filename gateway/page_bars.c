/*
 * page_bars: stretches of time as an SVG as wide as its place: positions are percentages, so that patterns keep their
 * size. Colours and patterns are the page's (page.html defines them); the same is said in words for who does not see.
 */
#include <string.h>

#include "base/buf.h"
#include "base/utc.h"
#include "page.h"

enum { TOLD_MAX = 40, SECONDS_H = 3600 };

static double percent(const struct gw_bars *w, int64_t t);
static void add_bar(struct buf *b, const struct gw_bars *w, int64_t start, int64_t end, const char *kind,
                    const char *word);
static void add_words(struct buf *b, const struct gw_bars *w);
static void add_unknown(struct buf *b, const struct gw_bars *w);
static void add_line(struct buf *b, double at, const char *class);

void gw_bars(struct buf *b, const struct gw_bars *w)
{
    buf_adds(b, "<svg class=\"bars\" role=\"img\" aria-label=\"");
    add_words(b, w);
    buf_adds(b, "\">");
    if (w->middle)
        add_line(b, percent(w, w->middle), "day");
    add_unknown(b, w);
    size_t n = w->known && !w->lost ? pres_set_count(w->known->set) : 0;
    for (size_t i = n ? pres_set_find(w->known->set, w->from) : 0; i < n; i++) {
        struct pres_interval one = pres_set_at(w->known->set, i);
        if (one.start >= w->until)
            break;
        add_bar(b, w, one.start, one.end, pres_kind_name(one.kind), gw_html_kind(one.kind));
    }
    if (w->now >= w->from && w->now < w->until) {
        buf_addf(b, "<rect class=\"past\" width=\"%.2f%%\" height=\"100%%\"/>", percent(w, w->now));
        add_line(b, percent(w, w->now), "now");
    }
    buf_adds(b, "</svg>");
}

void gw_bars_scale(struct buf *b, int64_t from, int64_t until, unsigned every_h)
{
    struct gw_bars w = {.from = from, .until = until};
    char utc[UTC_TEXT_MAX];
    buf_adds(b, "<svg class=\"scale\" height=\"18\" aria-hidden=\"true\">");
    for (int64_t t = from; t < until; t += (int64_t)every_h * SECONDS_H)
        buf_addf(b, "<text x=\"%.2f%%\" y=\"14\" dx=\"3\" data-hour=\"%s\">%02d</text>", percent(&w, t),
                 utc_rfc3339(t, utc), (int)((t - from) / SECONDS_H % 24));
    buf_adds(b, "</svg>");
}

static double percent(const struct gw_bars *w, int64_t t)
{
    t = t < w->from ? w->from : t > w->until ? w->until : t;
    return (double)(t - w->from) * 100 / (double)(w->until - w->from);
}

static void add_line(struct buf *b, double at, const char *class)
{
    buf_addf(b, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y2=\"100%%\"/>", class, at, at);
}

static void add_bar(struct buf *b, const struct gw_bars *w, int64_t start, int64_t end, const char *kind,
                    const char *word)
{
    double x = percent(w, start), width = percent(w, end) - x;
    char a[UTC_TEXT_MAX], z[UTC_TEXT_MAX];
    if (width <= 0)
        return;
    buf_addf(b, "<rect class=\"b-%s\" x=\"%.2f%%\" y=\"18%%\" width=\"%.2f%%\" height=\"64%%\" rx=\"2\"", kind, x,
             width < 0.25 ? 0.25 : width);
    buf_addf(b, " fill=\"url(#k-%s)\">", kind);
    buf_addf(b, "<title data-a=\"%s\" data-z=\"%s\">%s</title></rect>", utc_rfc3339(start, a), utc_rfc3339(end, z),
             word);
}

/* Where nothing is known is not where somebody is free. */
static void add_unknown(struct buf *b, const struct gw_bars *w)
{
    if (!w->known || w->lost) {
        add_bar(b, w, w->from, w->until, "unknown", "unknown");
        return;
    }
    if (w->known->from > w->from)
        add_bar(b, w, w->from, w->known->from, "unknown", "not asked about");
    if (w->known->until < w->until)
        add_bar(b, w, w->known->until, w->until, "unknown", "not asked about");
}

/* "busy 09:00 to 10:00 ..." in the daemon's time; scripts put the reader's. */
static void add_words(struct buf *b, const struct gw_bars *w)
{
    unsigned told = 0;
    if (!w->known || w->lost) {
        buf_adds(b, "unknown");
        return;
    }
    for (size_t i = pres_set_find(w->known->set, w->from); i < pres_set_count(w->known->set) && told < TOLD_MAX; i++) {
        struct pres_interval one = pres_set_at(w->known->set, i);
        if (one.start >= w->until)
            break;
        if (told++)
            buf_adds(b, ", ");
        buf_adds(b, gw_html_kind(one.kind));
        buf_addc(b, ' ');
        gw_html_clock(b, one.start);
        buf_adds(b, " to ");
        gw_html_clock(b, one.end);
    }
    if (told == 0)
        buf_adds(b, "free as far as is known");
    if (w->known->from > w->from || w->known->until < w->until)
        buf_adds(b, ", part of it was not asked about");
}
