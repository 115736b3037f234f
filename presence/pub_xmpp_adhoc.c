/*
 * pub_xmpp_adhoc: commands (XEP-0050) at the component's own address, for clients that show them: who is free now,
 * watch somebody, watch nobody any more. Each is done in one step, or in two with a form; no session is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "pub_xmpp.h"

#define NS_COMMANDS "http://jabber.org/protocol/commands"
#define NS_DATA "jabber:x:data"

enum { FREE_MAX = 100, ADDRESSES_MAX = 20 };

static void who_is_free(struct pub_xmpp *x, const struct pres_jid *from, const struct pres_xml *stanza);
static void watch_form(struct pub_xmpp *x, const struct pres_xml *stanza);
static void watch(struct pub_xmpp *x, const struct pres_jid *asker, const struct pres_xml *stanza,
                  const struct pres_xml *form);
static size_t unwatch_all(struct pub_xmpp *x, const struct pres_jid *from);
static void note(struct pub_xmpp *x, const struct pres_xml *stanza, const char *node, const char *text);

void pres_pub_command(struct pub_xmpp *x, const struct pres_xml *stanza, const struct pres_xml *command)
{
    const char *node = pres_xml_attr(command, "node"), *action = pres_xml_attr(command, "action");
    const struct pres_xml *form = pres_xml_child(command, NS_DATA, "x");
    struct pres_jid from;
    if (!node || !pres_jid_parse(pres_xml_attr(stanza, "from"), &from)) {
        pres_pub_iq_error(x, stanza, "modify", "bad-request");
    } else if (action && strcmp(action, "cancel") == 0) {
        if (pres_pub_iq_begin(x, stanza)) {
            buf_adds(&x->out, "<command xmlns='" NS_COMMANDS "' node='");
            xml_escape(&x->out, node, strlen(node));
            buf_adds(&x->out, "' sessionid='one' status='canceled'/></iq>");
            pres_pub_send(x);
        }
    } else if (strcmp(node, "who-is-free") == 0) {
        who_is_free(x, &from, stanza);
    } else if (strcmp(node, "watch") == 0 && !form) {
        watch_form(x, stanza);
    } else if (strcmp(node, "watch") == 0) {
        watch(x, &from, stanza, form);
    } else if (strcmp(node, "unwatch") == 0) {
        struct buf said;
        buf_init(&said, 100);
        buf_addf(&said, "%zu contacts are watched no more.", unwatch_all(x, &from));
        note(x, stanza, node, said.data);
        buf_free(&said);
    } else {
        pres_pub_iq_error(x, stanza, "cancel", "item-not-found");
    }
}

/* Only of the people whom the asker watches, or might: everybody, as far as the answer's size allows. */
static void who_is_free(struct pub_xmpp *x, const struct pres_jid *from, const struct pres_xml *stanza)
{
    struct buf text;
    unsigned listed = 0, more = 0;
    buf_init(&text, PUB_STANZA_MAX / 2);
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(x->table, id)) != PRES_NOBODY && more < 1;) {
        struct pres_presence now;
        pres_pub_presence_for(x, from->bare, id, &now);
        if (now.state != PRES_FREE)
            continue;
        if (listed++ >= FREE_MAX) {
            more++;
            break;
        }
        buf_addf(&text, "%s", pres_table_publish_as(x->table, id));
        if (now.until != PRES_NEVER) {
            buf_adds(&text, " until ");
            pres_pub_clock(x, now.until, &text);
        }
        buf_addc(&text, '\n');
    }
    if (more)
        buf_adds(&text, "and more");
    note(x, stanza, "who-is-free", text.len ? text.data : "Nobody is known to be free now.");
    buf_free(&text);
}

static void watch_form(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    if (!pres_pub_iq_begin(x, stanza))
        return;
    buf_adds(&x->out,
             "<command xmlns='" NS_COMMANDS "' node='watch' sessionid='one' status='executing'>"
             "<actions execute='complete'><complete/></actions><x xmlns='" NS_DATA "' type='form'>"
             "<title>Watch people&apos;s calendars</title><instructions>A contact for each comes into your list."
             "</instructions><field var='addresses' type='text-multi' label='Mail addresses'><required/></field>"
             "</x></command></iq>");
    pres_pub_send(x);
}

/* We may not write into a user's contact list: the contacts are suggested (a subscription is theirs to ask for). */
static void watch(struct pub_xmpp *x, const struct pres_jid *asker, const struct pres_xml *stanza,
                  const struct pres_xml *form)
{
    struct buf text, local;
    unsigned n = 0;
    buf_init(&text, PUB_STANZA_MAX / 2);
    buf_init(&local, 3 * PRES_JID_PART_MAX);
    buf_adds(&text, "Add these contacts:\n");
    for (const struct pres_xml *f = form->first; f; f = f->next) {
        const char *var = pres_xml_attr(f, "var");
        for (const struct pres_xml *v = var && strcmp(var, "addresses") == 0 ? f->first : NULL; v; v = v->next) {
            size_t len = strlen(v->text);
            const char *from = str_trim(v->text, &len);
            char *address = mem_strndup(from, len);
            pres_id id =
                len <= PRES_JID_PART_MAX && n < ADDRESSES_MAX ? pres_table_find(x->table, address) : PRES_NOBODY;
            struct pres_presence now;
            if (!pres_pub_presence_for(x, asker->bare, id, &now))
                id = PRES_NOBODY;
            if (id != PRES_NOBODY && str_eq_nocase(pres_table_publish_as(x->table, id), address) &&
                pres_pub_form(x, address, 0, &local)) {
                buf_addf(&text, "xmpp:%s@%s?subscribe\n", local.data, x->component);
                n++;
            }
            free(address);
        }
    }
    note(x, stanza, "watch", n ? text.data : "None of these addresses is known here.");
    buf_free(&text);
    buf_free(&local);
}

static size_t unwatch_all(struct pub_xmpp *x, const struct pres_jid *from)
{
    size_t pos = 0, n = 0;
    for (struct pub_watch *w; (w = map_next(x->watches, &pos));) {
        if (strcmp(w->jid, from->bare) != 0)
            continue;
        char *local = mem_strdup(w->contact->local);
        pres_pub_unsubscribe(x, local, from);
        free(local);
        n++;
    }
    return n;
}

static void note(struct pub_xmpp *x, const struct pres_xml *stanza, const char *node, const char *text)
{
    if (!pres_pub_iq_begin(x, stanza))
        return;
    buf_addf(&x->out,
             "<command xmlns='" NS_COMMANDS "' node='%s' sessionid='one' status='completed'><note type='info'>", node);
    xml_escape(&x->out, text, strlen(text));
    buf_adds(&x->out, "</note></command></iq>");
    pres_pub_send(x);
}
