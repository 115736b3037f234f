/*
 * page_now: the sections about the daemon itself: the verdict, what is wrong (worst first), freshness and punctuality,
 * servers, outlets. Made of the tree that /v1/status serves, so the page never says anything that a script cannot read.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "page.h"

struct view {
    struct buf *b;
    const struct jv *status;
    int64_t now;
};

static void add_verdict(const struct view *v);
static void add_wrong(const struct view *v);
static void add_cause(const struct view *v, const struct jv *row);
static void add_outlet_trouble(const struct view *v, const struct jv *outlet);
static void add_note(const struct view *v, const char *head, const struct jv *text);
static void add_freshness(const struct view *v);
static void add_punctuality(const struct view *v);
static void add_servers(const struct view *v);
static void add_server(const struct view *v, const struct jv *s);
static void add_outlets(const struct view *v);

static const struct jv *at(const struct jv *v, const char *key)
{
    return jv_get(v, key);
}

static int64_t num(const struct jv *v, const char *key)
{
    return jv_num(jv_get(v, key), 0);
}

static void add_text(const struct view *v, const struct jv *text, const char *otherwise)
{
    gw_html_text(v->b, jv_str(text, otherwise));
}

/* "1 person", "1,240 people" */
static void add_people(const struct view *v, int64_t n)
{
    gw_html_count(v->b, n);
    buf_adds(v->b, n == 1 ? " person" : " people");
}

static bool outlet_is_well(const struct jv *o)
{
    return !jv_is_string(at(o, "code"));
}

static bool server_is_well(const struct jv *s)
{
    return !jv_is_object(at(s, "failure"));
}

static size_t troubled_outlets(const struct jv *status)
{
    size_t n = 0;
    for (size_t i = 0; i < jv_count(at(status, "outlets")); i++)
        n += !outlet_is_well(jv_at(at(status, "outlets"), i));
    return n;
}

void gw_page_now(struct buf *b, const struct jv *status, int64_t now)
{
    const struct view v = {.b = b, .status = status, .now = now};
    add_verdict(&v);
    add_wrong(&v);
    add_freshness(&v);
    add_servers(&v);
    add_outlets(&v);
}

static size_t others_wrong(const struct view *v)
{
    return troubled_outlets(v->status) + jv_is_string(at(at(v->status, "state"), "trouble")) +
           jv_is_string(at(v->status, "reload_error"));
}

static void add_verdict(const struct view *v)
{
    const struct jv *causes = at(v->status, "causes"), *freshness = at(v->status, "freshness");
    int64_t all = num(at(v->status, "persons"), "all"), known = num(freshness, "fresh") + num(freshness, "ageing");
    size_t things = jv_count(causes) + others_wrong(v);
    buf_addf(v->b, "<section id=\"verdict\" class=\"%s\" role=\"status\"><h1>", things ? "wrong" : "well");
    if (things == 0)
        buf_adds(v->b, jv_truth(at(v->status, "ready"), false) ? "All is well" : "Nothing is wrong so far");
    else
        buf_addf(v->b, "%zu %s wrong", things, things == 1 ? "thing is" : "things are");
    buf_adds(v->b, "</h1><p>");
    if (all == 0) {
        buf_adds(v->b, "Nobody is configured yet.");
    } else {
        gw_html_count(v->b, known);
        buf_adds(v->b, " of ");
        add_people(v, all);
        buf_adds(v->b, known == 1 && all == 1 ? " is known" : " are known");
        if (!jv_truth(at(v->status, "ready"), false))
            buf_adds(v->b, "; a server has neither answered nor failed yet");
        buf_addc(v->b, '.');
    }
    buf_adds(v->b, "</p></section>\n");
}

static void add_wrong(const struct view *v)
{
    const struct jv *causes = at(v->status, "causes"), *warnings = at(v->status, "warnings");
    const struct jv *outlets = at(v->status, "outlets");
    if (jv_count(causes) + others_wrong(v) + jv_count(warnings) == 0) {
        buf_adds(v->b, "<section id=\"wrong\" hidden></section>\n");
        return;
    }
    buf_adds(v->b, "<section id=\"wrong\"><h2>Wrong now</h2><ol class=\"causes\">");
    for (size_t i = 0; i < jv_count(causes); i++)
        add_cause(v, jv_at(causes, i));
    for (size_t i = 0; i < jv_count(outlets); i++)
        add_outlet_trouble(v, jv_at(outlets, i));
    const struct jv *state = at(v->status, "state");
    add_note(v,
             jv_is_string(at(state, "failing_since"))
                 ? "The state directory cannot be written: a restart would begin from what was saved before."
                 : "The state directory cannot be used: a restart would begin from nothing.",
             at(state, "trouble"));
    add_note(v, "The last reload was refused: the configuration before it is in use.", at(v->status, "reload_error"));
    for (size_t i = 0; i < jv_count(warnings); i++) {
        const struct jv *w = jv_at(warnings, i);
        buf_adds(v->b, "<li class=\"soon\"><p class=\"many\"><b>soon</b></p><div><h3>");
        add_text(v, at(w, "text"), "");
        buf_adds(v->b, "</h3><p class=\"facts\"><code>");
        add_text(v, at(w, "code"), "");
        buf_adds(v->b, "</code> server ");
        gw_html_name(v->b, jv_str(at(w, "server"), ""));
        buf_adds(v->b, "</p></div></li>");
    }
    buf_adds(v->b, "</ol></section>\n");
}

static void add_cause(const struct view *v, const struct jv *row)
{
    const char *example = jv_str(at(row, "example"), NULL);
    buf_adds(v->b, "<li><p class=\"many\"><b>");
    gw_html_count(v->b, num(row, "persons"));
    buf_addf(v->b, "</b> %s</p><div><h3>", num(row, "persons") == 1 ? "person" : "people");
    add_text(v, at(row, "meaning"), "");
    buf_adds(v->b, "</h3><p class=\"facts\"><code>");
    add_text(v, at(row, "code"), "");
    buf_adds(v->b, "</code> server ");
    gw_html_name(v->b, jv_str(at(row, "server"), ""));
    buf_adds(v->b, ", since ");
    gw_html_time_of(v->b, at(row, "since"), v->now, GW_HTML_MOMENT);
    if (example) {
        buf_adds(v->b, ", for example <a href=\"/person/");
        gw_html_url(v->b, example);
        buf_adds(v->b, "\">");
        gw_html_name(v->b, example);
        buf_adds(v->b, "</a>");
    }
    buf_adds(v->b, "</p>");
    if (jv_is_string(at(row, "evidence"))) {
        buf_adds(v->b, "<p class=\"evidence\"><span class=\"label\">Evidence</span> <code>");
        add_text(v, at(row, "evidence"), "");
        buf_adds(v->b, "</code></p>");
    }
    buf_adds(v->b, "<p class=\"remedy\"><span class=\"label\">What to do</span> <span>");
    add_text(v, at(row, "advice"), "");
    buf_adds(v->b, "</span></p></div></li>");
}

static void add_outlet_trouble(const struct view *v, const struct jv *o)
{
    if (outlet_is_well(o))
        return;
    buf_adds(v->b, "<li><p class=\"many\"><b class=\"word\">down</b> outlet</p><div><h3>");
    add_text(v, at(o, "meaning"), "");
    buf_adds(v->b, "</h3><p class=\"facts\"><code>");
    add_text(v, at(o, "code"), "");
    buf_adds(v->b, "</code> outlet ");
    gw_html_name(v->b, jv_str(at(o, "name"), "?"));
    buf_adds(v->b, ", nobody is told there since ");
    gw_html_time_of(v->b, at(o, "since"), v->now, GW_HTML_MOMENT);
    if (num(o, "waiting") > 0) {
        buf_adds(v->b, ", waiting: ");
        add_people(v, num(o, "waiting"));
    }
    if (jv_is_string(at(o, "retry_at"))) {
        buf_adds(v->b, ", next try ");
        gw_html_time_of(v->b, at(o, "retry_at"), v->now, GW_HTML_DUE);
    }
    buf_adds(v->b, "</p><p class=\"evidence\"><span class=\"label\">Evidence</span> <code>");
    add_text(v, at(o, "evidence"), "none");
    buf_adds(v->b, "</code></p><p class=\"remedy\"><span class=\"label\">What to do</span> <span>");
    add_text(v, at(o, "advice"), "");
    buf_adds(v->b, "</span></p></div></li>");
}

static void add_note(const struct view *v, const char *head, const struct jv *text)
{
    if (!jv_is_string(text))
        return;
    buf_addf(v->b, "<li><p class=\"many\"><b>!</b></p><div><h3>%s</h3>", head);
    buf_adds(v->b, "<p class=\"evidence\"><span class=\"label\">Evidence</span> <code>");
    add_text(v, text, "");
    buf_adds(v->b, "</code></p></div></li>");
}

static void add_freshness(const struct view *v)
{
    static const struct {
        const char *key, *word;
    } classes[] = {{"fresh", "fresh"}, {"ageing", "ageing"}, {"stale", "stale"}, {"unknown", "never read"}};
    const struct jv *f = at(v->status, "freshness");
    double all = 0, x = 0;
    for (unsigned i = 0; i < 4; i++)
        all += (double)num(f, classes[i].key);
    buf_adds(v->b, "<section id=\"freshness\"><h2>Freshness</h2>");
    buf_adds(v->b, "<svg class=\"share\" height=\"14\" aria-hidden=\"true\">");
    buf_adds(v->b, "<rect class=\"track\" width=\"100%\" height=\"100%\"/>");
    for (unsigned i = 0; i < 4 && all > 0; i++) {
        double width = (double)num(f, classes[i].key) * 100 / all;
        if (width > 0)
            buf_addf(v->b, "<rect x=\"%.2f%%\" width=\"%.2f%%\" height=\"100%%\" fill=\"url(#f-%s)\"/>", x, width,
                     classes[i].key);
        x += width;
    }
    buf_adds(v->b, "</svg><dl class=\"figures\">");
    for (unsigned i = 0; i < 4; i++) {
        buf_addf(v->b, "<div class=\"f-%s\"><dt>%s</dt><dd>", classes[i].key, classes[i].word);
        gw_html_count(v->b, num(f, classes[i].key));
        buf_adds(v->b, "</dd></div>");
    }
    buf_adds(v->b, "<div><dt>oldest answer</dt><dd>");
    gw_html_time_of(v->b, at(v->status, "oldest_as_of"), v->now, GW_HTML_AGO);
    buf_adds(v->b, "</dd></div>");
    add_punctuality(v);
    buf_adds(v->b, "</dl></section>\n");
}

static void add_punctuality(const struct view *v)
{
    const struct jv *t = at(v->status, "transitions"), *mass = at(t, "next_mass");
    int64_t changes = num(t, "last_hour"), late = num(t, "last_hour_late");
    buf_adds(v->b, "<div><dt>on time, last hour</dt><dd>");
    if (changes == 0)
        buf_adds(v->b, "\xe2\x80\x93 <small>no changes</small>");
    else
        buf_addf(v->b, "%.4g\xc2\xa0%% <small>worst %lld\xc2\xa0ms late</small>",
                 (double)(changes - late) * 100 / (double)changes, (long long)num(t, "worst_late_ms"));
    buf_adds(v->b, "</dd></div><div><dt>next change</dt><dd>");
    gw_html_time_of(v->b, at(t, "next_at"), v->now, GW_HTML_MOMENT);
    buf_adds(v->b, "</dd></div><div><dt>next mass change</dt><dd>");
    gw_html_time_of(v->b, at(mass, "at"), v->now, GW_HTML_MOMENT);
    if (num(mass, "persons") > 0) {
        buf_adds(v->b, " <small>");
        add_people(v, num(mass, "persons"));
        buf_adds(v->b, "</small>");
    }
    buf_adds(v->b, "</dd></div>");
}

static void add_servers(const struct view *v)
{
    static const char *const heads[] = {"Server",  "State",       "Logon",    "Connections", "Requests/s",
                                        "Latency", "Certificate", "Password", "People"};
    const struct jv *servers = at(v->status, "servers");
    buf_adds(v->b, "<section id=\"servers\"><h2>Servers</h2><table class=\"board\"><thead><tr>");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        buf_addf(v->b, "<th scope=\"col\">%s</th>", heads[i]);
    buf_adds(v->b, "</tr></thead><tbody>");
    for (int well = 0; well < 2; well++) /* worst first */
        for (size_t i = 0; i < jv_count(servers); i++)
            if (server_is_well(jv_at(servers, i)) == (well == 1))
                add_server(v, jv_at(servers, i));
    buf_adds(v->b, "</tbody></table></section>\n");
}

static void add_server_state(const struct view *v, const struct jv *s)
{
    const struct jv *failure = at(s, "failure");
    bool fails = !server_is_well(s);
    buf_addf(v->b, "<td data-label=\"State\"><span class=\"lamp %s\">", fails ? "off" : "on");
    add_text(v, at(s, "state"), "?");
    buf_adds(v->b, "</span>");
    if (fails) {
        buf_adds(v->b, " <small>");
        add_text(v, at(failure, "evidence"), "");
        if (jv_is_string(at(s, "retry_at"))) {
            buf_adds(v->b, "; next try ");
            gw_html_time_of(v->b, at(s, "retry_at"), v->now, GW_HTML_DUE);
        }
        buf_adds(v->b, "</small>");
    }
    buf_adds(v->b, "</td>");
}

/* So much of what may be, as a number and a bar. */
static void add_share(const struct view *v, const char *label, double used, double most)
{
    double width = most > 0 ? used * 100 / most : 0;
    buf_addf(v->b,
             "<td data-label=\"%s\">%.*f <small>of %.4g</small><svg class=\"meter\" height=\"4\" aria-hidden=\"true\">"
             "<rect class=\"track\" width=\"100%%\" height=\"100%%\"/><rect class=\"ink\" width=\"%.1f%%\" "
             "height=\"100%%\"/></svg></td>",
             label, used > 0 && used < 10 && used != (int)used, used, most, width > 100 ? 100 : width);
}

static void add_secret_age(const struct view *v, const struct jv *s)
{
    long long days = (long long)(num(s, "secret_age_s") / 86400);
    if (days >= 2) {
        buf_addf(v->b, "%lld\xc2\xa0", days);
        buf_adds(v->b, "days old");
    } else {
        buf_adds(v->b, "changed ");
        gw_html_time_of(v->b, at(s, "secret_changed_at"), v->now, GW_HTML_AGO);
    }
}

static void add_server(const struct view *v, const struct jv *s)
{
    const struct jv *budget = at(s, "budget"), *persons = at(s, "persons");
    buf_adds(v->b, "<tr><th scope=\"row\">");
    gw_html_name(v->b, jv_str(at(s, "name"), "?"));
    buf_adds(v->b, " <small>");
    add_text(v, at(s, "product"), "not known yet");
    buf_adds(v->b, "</small></th>");
    add_server_state(v, s);
    buf_adds(v->b, "<td data-label=\"Logon\">");
    add_text(v, at(s, "scheme"), "\xe2\x80\x93");
    buf_adds(v->b, "</td>");
    add_share(v, "Connections", (double)num(s, "connections"), (double)num(s, "max_connections"));
    add_share(v, "Requests/s", jv_dbl(at(s, "requests_per_second"), 0),
              jv_dbl(at(budget, "max_requests_per_second"), 0));
    buf_addf(v->b, "<td data-label=\"Latency\">%lld\xc2\xa0ms</td><td data-label=\"Certificate\">",
             (long long)num(s, "latency_ms"));
    if (jv_is_string(at(s, "certificate_until"))) {
        buf_adds(v->b, "until ");
        gw_html_time_of(v->b, at(s, "certificate_until"), v->now, GW_HTML_MOMENT);
    } else {
        buf_adds(v->b, "\xe2\x80\x93");
    }
    buf_adds(v->b, "</td><td data-label=\"Password\">");
    if (!jv_is_string(at(s, "secret_changed_at")))
        buf_adds(v->b, "\xe2\x80\x93");
    else
        add_secret_age(v, s);
    buf_adds(v->b, "</td><td data-label=\"People\">");
    gw_html_count(v->b, num(persons, "fresh"));
    buf_adds(v->b, " <small>of ");
    gw_html_count(v->b, num(persons, "all"));
    buf_adds(v->b, " fresh</small></td></tr>");
}

static const char *const outlet_heads[] = {"Outlet", "State", "Waiting", "Handed over", "Replaced", "Failures"};

static void add_outlet(const struct view *v, const struct jv *o)
{
    static const char *const numbers[] = {"waiting", "messages", "replaced", "failures"};
    buf_adds(v->b, "<tr><th scope=\"row\">");
    gw_html_name(v->b, jv_str(at(o, "name"), "?"));
    buf_addf(v->b, "</th><td data-label=\"State\"><span class=\"lamp %s\">", outlet_is_well(o) ? "on" : "off");
    add_text(v, at(o, "state"), "?");
    buf_adds(v->b, "</span> <small>since ");
    gw_html_time_of(v->b, at(o, "since"), v->now, GW_HTML_MOMENT);
    buf_adds(v->b, "</small></td>");
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        buf_addf(v->b, "<td data-label=\"%s\">", outlet_heads[k + 2]);
        gw_html_count(v->b, num(o, numbers[k]));
        buf_adds(v->b, "</td>");
    }
    buf_adds(v->b, "</tr>");
}

static void add_outlets(const struct view *v)
{
    const struct jv *outlets = at(v->status, "outlets");
    buf_adds(v->b, "<section id=\"outlets\"><h2>Outlets</h2><table class=\"board\"><thead><tr>");
    for (size_t i = 0; i < sizeof outlet_heads / sizeof *outlet_heads; i++)
        buf_addf(v->b, "<th scope=\"col\">%s</th>", outlet_heads[i]);
    buf_adds(v->b, "</tr></thead><tbody>");
    for (int well = 0; well < 2; well++)
        for (size_t i = 0; i < jv_count(outlets); i++)
            if (outlet_is_well(jv_at(outlets, i)) == (well == 1))
                add_outlet(v, jv_at(outlets, i));
    buf_adds(v->b, "<tr><th scope=\"row\">HTTP</th><td data-label=\"State\"><span class=\"lamp on\">up</span> <small>");
    gw_html_count(v->b, num(v->status, "subscribers"));
    buf_addf(v->b, " event stream%s</small></td>", num(v->status, "subscribers") == 1 ? "" : "s");
    for (size_t k = 2; k < sizeof outlet_heads / sizeof *outlet_heads; k++)
        buf_addf(v->b, "<td data-label=\"%s\">\xe2\x80\x93</td>", outlet_heads[k]);
    buf_adds(v->b, "</tr></tbody></table></section>\n");
}
