/*
 * pub_xmpp_write: how a state looks on the wire: show, text in the site's words and zone, and the machine-readable
 * start and end (XEP-0149). Only kind and times: nothing else is known here. Pure but for x->out.
 */
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/utc.h"
#include "base/xml.h"
#include "pub_text.h"
#include "pub_xmpp.h"

enum { OLD_S = 60 };

static void add_headers(const struct pres_presence *now, struct buf *out);

void pres_pub_body(struct pub_xmpp *x, const struct pres_presence *now, bool stamped, struct buf *out,
                   const char **ret_type)
{
    char stamp[UTC_TEXT_MAX];
    struct buf text;
    bool unknown = now->state == PRES_UNKNOWN;
    int64_t wall = clk_wall_s(loop_clk(x->loop));
    buf_init(&text, PRES_TEXT_MAX);
    pres_pub_text(x, now, &text);
    *ret_type = unknown ? " type='unavailable'" : "";
    if (!unknown && x->show[now->state][0])
        buf_addf(out, "<show>%s</show>", x->show[now->state]);
    if (text.len > 0) {
        buf_adds(out, "<status>");
        xml_escape(out, text.data, text.len);
        buf_adds(out, "</status>");
    }
    if (!unknown)
        buf_adds(out, "<priority>0</priority>");
    add_headers(now, out);
    if (stamped && now->since > 0 && now->since < wall - OLD_S)
        buf_addf(out, "<delay xmlns='urn:xmpp:delay' from='%s' stamp='%s'/>", x->component,
                 utc_rfc3339(now->since, stamp));
    buf_free(&text);
}

void pres_pub_text(const struct pub_xmpp *x, const struct pres_presence *now, struct buf *out)
{
    pres_text_add(x->text[now->state], x->zone, clk_wall_s(loop_clk(x->loop)), now->until, out);
}

void pres_pub_clock(const struct pub_xmpp *x, int64_t t, struct buf *out)
{
    pres_text_clock(x->zone, clk_wall_s(loop_clk(x->loop)), t, out);
}

void pres_pub_write(struct pub_xmpp *x, const char *local, bool with_resource, const char *to, const char *type,
                    const char *body)
{
    buf_reset(&x->out);
    pres_pub_head(x, local, with_resource, &x->out);
    xml_escape(&x->out, to, strlen(to));
    pres_pub_tail(type, body, &x->out);
}

void pres_pub_head(const struct pub_xmpp *x, const char *local, bool with_resource, struct buf *out)
{
    buf_adds(out, "<presence from='");
    xml_escape(out, local, strlen(local));
    buf_addf(out, "@%s%s' to='", x->component, with_resource ? "/" PUB_RESOURCE : "");
}

void pres_pub_tail(const char *type, const char *body, struct buf *out)
{
    if (body[0])
        buf_addf(out, "'%s>%s</presence>", type, body);
    else
        buf_addf(out, "'%s/>", type);
}

static void add_headers(const struct pres_presence *now, struct buf *out)
{
    char text[UTC_TEXT_MAX];
    bool start = now->since > 0 && now->state != PRES_UNKNOWN, stop = now->until != PRES_NEVER && now->until > 0;
    if (now->state == PRES_UNKNOWN || (!start && !stop))
        return;
    buf_adds(out, "<headers xmlns='http://jabber.org/protocol/shim'>");
    if (start)
        buf_addf(out, "<header name='Start'>%s</header>", utc_rfc3339(now->since, text));
    if (stop)
        buf_addf(out, "<header name='Stop'>%s</header>", utc_rfc3339(now->until, text));
    buf_adds(out, "</headers>");
}
