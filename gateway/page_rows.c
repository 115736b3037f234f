/* page_rows: people as rows of the page's table, each as its reader may see them. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/utc.h"
#include "gateway.h"
#include "page.h"
#include "policy.h"

enum { DAY_S = 86400 };

static void add_until(struct buf *b, const struct pres_presence *p, int64_t now);

bool gw_page_see(struct gateway *g, const struct gw_who *who, pres_id id, struct pres_presence *ret)
{
    return gw_policy_presence(g, who, id, ret);
}

struct pres_seen *gw_page_known(struct gateway *g, const struct gw_who *who, pres_id id)
{
    return gw_policy_known(g, who, id);
}

void gw_page_row(struct buf *b, struct gateway *g, const struct gw_who *who, pres_id id, int64_t from)
{
    const char *address = pres_table_publish_as(gw_table(g), id), *group = pres_table_group(gw_table(g), id);
    int64_t now = clk_wall_s(loop_clk(gw_loop(g)));
    char text[UTC_TEXT_MAX];
    struct pres_presence p;
    if (!gw_page_see(g, who, id, &p))
        return;
    struct pres_seen *seen = gw_page_known(g, who, id);
    buf_adds(b, "<tr data-address=\"");
    gw_html_attr(b, address);
    buf_addf(b, "\" data-state=\"%s\" data-until=\"%s\"><th scope=\"row\"><a href=\"/person/", pres_kind_name(p.state),
             p.until && p.until != PRES_NEVER ? utc_rfc3339(p.until, text) : "");
    gw_html_url(b, address);
    buf_adds(b, "\">");
    gw_html_name(b, address);
    buf_adds(b, "</a>");
    if (group) {
        buf_adds(b, " <a class=\"group\" href=\"/?group=");
        gw_html_url(b, group);
        buf_adds(b, "#people\">");
        gw_html_name(b, group);
        buf_adds(b, "</a>");
    }
    buf_adds(b, "</th><td class=\"state\">");
    gw_html_pill(b, p.state);
    buf_adds(b, "</td><td class=\"until\">");
    add_until(b, &p, now);
    buf_adds(b, "</td><td class=\"time\">");
    struct gw_bars bars = {.from = from,
                           .until = from + 2 * DAY_S,
                           .middle = from + DAY_S,
                           .now = now - now % 60,
                           .known = seen ? &seen->known : NULL,
                           .lost = p.state == PRES_UNKNOWN};
    gw_bars(b, &bars);
    buf_adds(b, "</td></tr>\n");
    pres_seen_free(&seen);
}

static void add_until(struct buf *b, const struct pres_presence *p, int64_t now)
{
    if (p->state == PRES_UNKNOWN) {
        gw_html_text(b, p->reason ? p->reason : "");
        return;
    }
    if (p->until && p->until != PRES_NEVER) {
        buf_adds(b, "until ");
        gw_html_time(b, p->until, now, GW_HTML_MOMENT);
    }
    if (p->next.some && p->state != PRES_FREE) {
        buf_addf(b, " <span class=\"next\">then %s ", gw_html_kind(p->next.kind));
        gw_html_time(b, p->next.start, now, GW_HTML_MOMENT);
        buf_adds(b, "</span>");
    }
    if (p->state == PRES_FREE && p->until == PRES_NEVER)
        buf_adds(b, "nothing ahead");
}
