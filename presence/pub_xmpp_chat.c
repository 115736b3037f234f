/*
 * pub_xmpp_chat: what is said in words. A message to a contact is answered with the person's day; an administrator is
 * asked about subscriptions by message from the component, and answers "allow JID" or "refuse JID" to it.
 *
 * Nothing that a program may have sent is answered (errors, headlines, group chat, replies of our own), and no
 * more than a few a second are, so that two robots do not fill the line.
 */
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/xml.h"
#include "presence/viewer.h"
#include "pub_xmpp.h"

enum { LINES_MAX = 20, DAY_S = 86400, REPLY_MAX = 4000 };

static void take_word(struct pub_xmpp *x, const struct pres_jid *from, const char *body);
static void add_day(struct pub_xmpp *x, const char *jid, pres_id id, struct buf *out);
static void say(struct pub_xmpp *x, const char *local, const char *to, const char *text);

void pres_pub_message(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    struct pres_jid from, to;
    const char *type = pres_xml_attr(stanza, "type"), *full = pres_xml_attr(stanza, "from");
    if (x->account && !pres_xml_child(stanza, PRES_XMPP_NS, "body"))
        pres_pub_account_grant(x, stanza);
    if (x->activity && !pres_xml_child(stanza, PRES_XMPP_NS, "body"))
        pres_pub_activity_grant(x, stanza);
    const char *body = pres_xml_text(stanza, PRES_XMPP_NS, "body");
    if (!body || !body[0] || (type && strcmp(type, "chat") != 0 && strcmp(type, "normal") != 0) ||
        !pres_jid_parse(full, &from) || !pres_jid_parse(pres_xml_attr(stanza, "to"), &to) || !from.local[0] ||
        strcmp(to.domain, x->component) != 0 || strcmp(from.domain, x->component) == 0 ||
        strcmp(from.resource, PUB_RESOURCE) == 0)
        return;
    if (!to.local[0]) {
        if (pres_pub_is_admin(x, &from))
            take_word(x, &from, body);
        return;
    }
    const struct pub_watch *w = pres_pub_watch(x, to.local, from.bare);
    if (!pres_pub_allowed(x, &from) && !(w && w->state == PUB_SUBSCRIBED))
        return;
    int64_t now = clk_mono_ms(loop_clk(x->loop));
    if (now - x->chat_at > 1000) {
        x->chat_at = now;
        x->chats = 0;
    }
    pres_id id = pres_pub_person_for(x, full, to.local);
    if (id == PRES_NOBODY || x->chats++ >= PUB_CHATS_PER_SECOND)
        return;
    struct buf text;
    buf_init(&text, REPLY_MAX);
    add_day(x, full, id, &text);
    say(x, to.local, full, text.data);
    buf_free(&text);
}

void pres_pub_ask_admins(struct pub_xmpp *x, const char *jid, const char *address)
{
    struct buf text;
    buf_init(&text, REPLY_MAX);
    buf_addf(&text, "%s asks to see the calendar presence of %s. Answer \"allow %s\" or \"refuse %s\".", jid, address,
             jid, jid);
    for (size_t i = 0; i < x->admin_count; i++)
        if (strchr(x->admins[i], '@'))
            say(x, "", x->admins[i], text.data);
    buf_free(&text);
}

static void take_word(struct pub_xmpp *x, const struct pres_jid *from, const char *body)
{
    size_t len = strlen(body);
    char word[1200], text[200];
    const char *line = str_trim(body, &len);
    struct pres_jid about;
    snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), line);
    bool allow = str_starts_nocase(word, "allow "), refuse = str_starts_nocase(word, "refuse ");
    if ((allow || refuse) && pres_jid_parse(strchr(word, ' ') + 1, &about))
        snprintf(text, sizeof text, "%zu requests %s.", pres_pub_decide(x, about.bare, allow),
                 allow ? "allowed" : "refused");
    else
        snprintf(text, sizeof text, "Say \"allow JID\" or \"refuse JID\". Undecided requests: %zu.", x->pending);
    say(x, "", from->bare, text);
}

/* The state now, and what the rest of the day holds: kinds and times only. */
static void add_day(struct pub_xmpp *x, const char *jid, pres_id id, struct buf *out)
{
    struct pres_presence now;
    int64_t wall = clk_wall_s(loop_clk(x->loop));
    unsigned lines = 0;
    pres_pub_presence_for(x, jid, id, &now);
    buf_addf(out, "%s: ", pres_table_publish_as(x->table, id));
    pres_pub_text(x, &now, out);
    struct pres_seen *seen = now.state != PRES_UNKNOWN ? pres_pub_known_for(x, jid, id) : NULL;
    if (!seen)
        return;
    const struct pres_set *set = seen->known.set;
    for (size_t i = pres_set_find(set, wall); i < pres_set_count(set) && lines < LINES_MAX; i++) {
        struct pres_interval one = pres_set_at(set, i);
        if (one.start > wall + DAY_S)
            break;
        buf_adds(out, "\n");
        pres_pub_clock(x, one.start, out);
        buf_adds(out, " - ");
        pres_pub_clock(x, one.end, out);
        buf_addf(out, " %s", pres_kind_name(one.kind));
        lines++;
    }
    if (lines == 0)
        buf_adds(out, "\nNothing in the next 24 hours.");
    pres_seen_free(&seen);
}

static void say(struct pub_xmpp *x, const char *local, const char *to, const char *text)
{
    buf_reset(&x->out);
    buf_adds(&x->out, "<message type='chat' from='");
    xml_escape(&x->out, local, strlen(local));
    buf_addf(&x->out, "%s%s' to='", local[0] ? "@" : "", x->component);
    xml_escape(&x->out, to, strlen(to));
    buf_adds(&x->out, "'><body>");
    xml_escape(&x->out, text, strlen(text));
    buf_adds(&x->out, "</body></message>");
    pres_pub_send(x);
}
