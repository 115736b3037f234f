/*
 * page_person: GET /person/ADDRESS: one person's day and fortnight, why they are in their state as far as that is known
 * without asking anybody, and who is told. What the mail server must be asked for is behind a button (page_act.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/utc.h"
#include "gateway.h"
#include "http_face.h"
#include "outlets.h"
#include "page.h"
#include "report.h"
#include "who.h"

enum { PAGE_BYTES_MAX = 1024 * 1024, DAY_S = 86400, DAYS = 14 };

struct sheet {
    struct gateway *gateway;
    const struct gw_face *face;
    const struct gw_who *who;
    pres_id id;
    const char *address;
    int64_t now, from; /* present, and the midnight before it */
    struct pres_presence presence;
    struct pres_seen *seen; /* NULL: no times may be told */
    struct jv *report;
};

static void reply_nobody(struct httpd_req *req);
static void fill(struct buf *b, const char *word, void *arg);
static void add_state(struct buf *b, const struct sheet *s);
static void add_days(struct buf *b, const struct sheet *s);
static void add_why(struct buf *b, const struct sheet *s);
static void add_failure(struct buf *b, const struct jv *failure);
static void add_told(struct buf *b, const struct sheet *s);

void gw_http_get_person_page(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    if (!gw_who_reads(face, req))
        return;
    const struct gw_who *who = gw_who_of(face, req);
    struct sheet s = {.gateway = face->gateway, .face = face, .who = who};
    s.id = pres_table_find(gw_table(s.gateway), rest);
    if (s.id == PRES_NOBODY || !gw_page_see(s.gateway, who, s.id, &s.presence)) {
        reply_nobody(req);
        return;
    }
    struct buf b;
    buf_init(&b, PAGE_BYTES_MAX);
    s.address = pres_table_publish_as(gw_table(s.gateway), s.id);
    s.now = clk_wall_s(loop_clk(gw_loop(s.gateway)));
    gw_page_from(req, s.now, &s.from);
    s.seen = gw_page_known(s.gateway, who, s.id);
    s.report = gw_report_person(s.gateway, s.id);
    gw_page_fill(&b, "person.html", fill, &s);
    jv_free(&s.report);
    pres_seen_free(&s.seen);
    gw_page_reply(req, 200, &b);
    buf_free(&b);
}

static void fill_nothing(struct buf *b, const char *word, void *arg)
{
    (void)b, (void)word, (void)arg;
}

static void reply_nobody(struct httpd_req *req)
{
    struct buf b;
    buf_init(&b, PAGE_BYTES_MAX);
    gw_page_fill(&b, "nobody.html", fill_nothing, NULL);
    gw_page_reply(req, 404, &b);
    buf_free(&b);
}

static void fill(struct buf *b, const char *word, void *arg)
{
    const struct sheet *s = arg;
    if (strcmp(word, "name") == 0)
        gw_html_name(b, s->address);
    else if (strcmp(word, "title") == 0)
        gw_html_plain(b, s->address);
    else if (strcmp(word, "address") == 0)
        gw_html_attr(b, s->address);
    else if (strcmp(word, "clock") == 0)
        gw_html_time(b, s->now / 60 * 60, s->now, GW_HTML_CLOCK);
    else if (strcmp(word, "state") == 0)
        add_state(b, s);
    else if (strcmp(word, "days") == 0)
        add_days(b, s);
    else if (strcmp(word, "why") == 0)
        add_why(b, s);
    else if (strcmp(word, "told") == 0)
        add_told(b, s);
    else if (strcmp(word, "role") == 0)
        buf_adds(b, s->who->admin ? "admin" : "reader");
    else if (strcmp(word, "version") == 0)
        buf_adds(b, FB_VERSION);
    else if (strcmp(word, "who") == 0)
        gw_html_name(b, s->who->name);
}

static void add_state(struct buf *b, const struct sheet *s)
{
    const struct pres_presence *p = &s->presence;
    buf_adds(b, "<div class=\"big\">");
    gw_html_pill(b, p->state);
    if (p->state == PRES_UNKNOWN && p->reason) {
        buf_adds(b, " <code>");
        gw_html_text(b, p->reason);
        buf_adds(b, "</code>");
    }
    if (p->until && p->until != PRES_NEVER) {
        buf_adds(b, " until ");
        gw_html_time(b, p->until, s->now, GW_HTML_MOMENT);
    }
    buf_adds(b, "</div>");
    if (p->next.some) {
        buf_addf(b, "<p class=\"then\">then %s from ", gw_html_kind(p->next.kind));
        gw_html_time(b, p->next.start, s->now, GW_HTML_MOMENT);
        buf_adds(b, " to ");
        gw_html_time(b, p->next.end, s->now, GW_HTML_MOMENT);
        buf_adds(b, "</p>");
    }
}

/* Today first and taller, then the fortnight, a row for each day. */
static void add_days(struct buf *b, const struct sheet *s)
{
    char utc[UTC_TEXT_MAX];
    buf_addf(b,
             "<table class=\"days-of\" data-from=\"%s\"><thead><tr><th scope=\"col\">Day</th><th scope=\"col\" "
             "class=\"time\"><span class=\"unseen\">Hours</span>",
             utc_rfc3339(s->from, utc));
    gw_bars_scale(b, s->from, s->from + DAY_S, 3);
    buf_adds(b, "</th></tr></thead><tbody>");
    for (int day = 0; day < DAYS; day++) {
        struct gw_bars bars = {.from = s->from + (int64_t)day * DAY_S,
                               .until = s->from + (int64_t)(day + 1) * DAY_S,
                               .now = s->now - s->now % 60,
                               .known = s->seen ? &s->seen->known : NULL,
                               .lost = s->presence.state == PRES_UNKNOWN};
        buf_addf(b, "<tr%s><th scope=\"row\"><time datetime=\"%s\" data-f=\"day\">", day ? "" : " class=\"today\"",
                 utc_rfc3339(bars.from, utc));
        gw_html_day(b, bars.from);
        buf_adds(b, "</time></th><td class=\"time\">");
        gw_bars(b, &bars);
        buf_adds(b, "</td></tr>");
    }
    buf_adds(b, "</tbody></table>");
}

static void add_fact(struct buf *b, const char *what, const struct jv *text)
{
    if (!jv_is_string(text))
        return;
    buf_addf(b, "<dt>%s</dt><dd>", what);
    gw_html_text(b, jv_str(text, ""));
    buf_adds(b, "</dd>");
}

static void add_moment(struct buf *b, const char *what, const struct jv *t, int64_t now, enum gw_html_time form)
{
    buf_addf(b, "<dt>%s</dt><dd>", what);
    gw_html_time_of(b, t, now, form);
    buf_adds(b, "</dd>");
}

static void add_why(struct buf *b, const struct sheet *s)
{
    const struct pres_presence *p = &s->presence;
    const struct jv *differs = jv_get(s->report, "differs");
    buf_adds(b, "<p>");
    if (p->state == PRES_UNKNOWN && p->as_of)
        buf_adds(b, "The last answer is too old to be believed, so the state is unknown, not free.");
    else if (p->state == PRES_UNKNOWN)
        buf_adds(b, "No good answer has come yet, so the state is unknown, not free.");
    else if (p->state == PRES_FREE)
        buf_adds(b, "Nothing that counts covers this moment in the calendar that was read.");
    else
        buf_addf(b, "The calendar that was read says %s; it is the strongest kind that covers this moment.",
                 gw_html_kind(p->state));
    buf_adds(b, "</p>");
    add_failure(b, jv_get(s->report, "failure"));
    buf_adds(b, "<dl class=\"facts-of\">");
    add_fact(b, "Server", jv_get(s->report, "server"));
    add_fact(b, "Group", jv_get(s->report, "group"));
    add_fact(b, "Configured as", jv_get(s->report, "configured_as"));
    add_fact(b, "Calendar", jv_get(s->report, "calendar"));
    add_fact(b, "Read by", jv_get(s->report, "way"));
    add_moment(b, "Last good answer", jv_get(s->report, "last_ok_at"), s->now, GW_HTML_AGO);
    add_moment(b, "Next question", jv_get(s->report, "next_poll_at"), s->now, GW_HTML_DUE);
    if (jv_num(jv_get(s->report, "broken_items"), 0) > 0)
        buf_addf(b, "<dt>Left out</dt><dd>%lld broken items of the calendar</dd>",
                 (long long)jv_num(jv_get(s->report, "broken_items"), 0));
    buf_adds(b, "</dl>");
    if (jv_is_object(differs)) {
        buf_adds(b, "<p>What the server publishes and the calendar disagree about ");
        gw_html_time_of(b, jv_get(differs, "at"), s->now, GW_HTML_MOMENT);
        buf_addf(b, ": %s and %s. The calendar counts.</p>", jv_str(jv_get(differs, "published"), "?"),
                 jv_str(jv_get(differs, "calendar"), "?"));
    }
}

static void add_failure(struct buf *b, const struct jv *failure)
{
    if (!jv_is_object(failure))
        return;
    buf_adds(b, "<div class=\"failure\"><h3>");
    gw_html_text(b, jv_str(jv_get(failure, "meaning"), ""));
    buf_adds(b, "</h3><p class=\"facts\"><code>");
    gw_html_text(b, jv_str(jv_get(failure, "code"), "?"));
    buf_adds(b, "</code></p>");
    if (jv_is_string(jv_get(failure, "evidence"))) {
        buf_adds(b, "<p class=\"evidence\"><span class=\"label\">Evidence</span> <code>");
        gw_html_text(b, jv_str(jv_get(failure, "evidence"), ""));
        buf_adds(b, "</code></p>");
    }
    buf_adds(b, "<p class=\"remedy\"><span class=\"label\">What to do</span> <span>");
    gw_html_text(b, jv_str(jv_get(failure, "advice"), ""));
    buf_adds(b, "</span></p></div>");
}

/* What the calendar says beside that is nobody's to read here. */
static void add_audience(struct buf *b, const struct jv *audience, int64_t now)
{
    if (!jv_is_object(audience))
        return;
    bool marker = strcmp(jv_str(jv_get(audience, "by"), ""), "marker") == 0;
    buf_addf(b, "<p class=\"audience\">%s lets others be told at most <code>",
             marker ? "A marker in the calendar" : "The person's own choice");
    gw_html_text(b, jv_str(jv_get(audience, "level"), "?"));
    buf_adds(b, "</code>");
    if (!jv_is_null(jv_get(audience, "until"))) {
        buf_adds(b, " until ");
        gw_html_time_of(b, jv_get(audience, "until"), now, GW_HTML_MOMENT);
    }
    buf_adds(b, ".</p>");
}

static void add_told(struct buf *b, const struct sheet *s)
{
    size_t streams = gw_http_watching(gw_http(s->gateway), s->id);
    if (s->who->admin)
        add_audience(b, jv_get(s->report, "audience"), s->now);
    buf_adds(b, "<ul class=\"told\"><li><b>HTTP</b> ");
    if (streams)
        gw_html_count(b, (int64_t)streams);
    else
        buf_adds(b, "no");
    buf_adds(b, streams == 1 ? " open event stream tells of this person" : " open event streams tell of this person");
    buf_adds(b, "</li>");
    for (size_t i = 0; i < gw_outlet_count(s->gateway); i++) {
        struct pres_publisher_status o;
        gw_outlet_status(s->gateway, i, &o);
        buf_adds(b, "<li><b>");
        gw_html_text(b, o.name);
        buf_addf(b, "</b> <span class=\"lamp %s\">", o.code ? "off" : "on");
        gw_html_text(b, o.state);
        buf_adds(b, "</span>");
        if (o.code) {
            buf_adds(b, " <code>");
            gw_html_text(b, o.code);
            buf_adds(b, "</code>");
        }
        buf_adds(b, "</li>");
    }
    buf_adds(b, "</ul>");
}
