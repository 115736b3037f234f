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
static void add3(struct buf *out, const char *a, const char *b, const char *c);

void pres_pub_body(struct pub_xmpp *x, const struct pres_presence *now, bool stamped, struct buf *out,
                   const char **ret_type)
{
    char stamp[UTC_TEXT_MAX];
    struct buf *text = &x->words;
    bool unknown = now->state == PRES_UNKNOWN;
    int64_t wall = clk_wall_s(loop_clk(x->loop));
    buf_reset(text);
    pres_pub_text(x, now, text);
    *ret_type = unknown ? " type='unavailable'" : "";
    if (!unknown && x->show[now->state][0])
        add3(out, "<show>", x->show[now->state], "</show>");
    if (text->len > 0) {
        buf_adds(out, "<status>");
        xml_escape(out, text->data, text->len);
        buf_adds(out, "</status>");
    }
    if (!unknown)
        buf_adds(out, "<priority>0</priority>");
    add_headers(now, out);
    if (stamped && now->since > 0 && now->since < wall - OLD_S)
        buf_addf(out, "<delay xmlns='urn:xmpp:delay' from='%s' stamp='%s'/>", x->component,
                 utc_rfc3339(now->since, stamp));
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
    add3(out, "@", x->component, with_resource ? "/" PUB_RESOURCE "' to='" : "' to='");
}

void pres_pub_tail(const char *type, const char *body, struct buf *out)
{
    add3(out, "'", type, body[0] ? ">" : "/>");
    if (body[0])
        add3(out, body, "</presence>", "");
}

static void add_headers(const struct pres_presence *now, struct buf *out)
{
    char text[UTC_TEXT_MAX];
    bool start = now->since > 0 && now->state != PRES_UNKNOWN, stop = now->until != PRES_NEVER && now->until > 0;
    if (now->state == PRES_UNKNOWN || (!start && !stop))
        return;
    buf_adds(out, "<headers xmlns='http://jabber.org/protocol/shim'>");
    if (start)
        add3(out, "<header name='Start'>", utc_rfc3339(now->since, text), "</header>");
    if (stop)
        add3(out, "<header name='Stop'>", utc_rfc3339(now->until, text), "</header>");
    buf_adds(out, "</headers>");
}

/* printf would cost more than all the rest: this runs for each change at nine o'clock. */
static void add3(struct buf *out, const char *a, const char *b, const char *c)
{
    buf_adds(out, a);
    buf_adds(out, b);
    buf_adds(out, c);
}
