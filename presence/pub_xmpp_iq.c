/*
 * pub_xmpp_iq: questions that clients and servers put to the component and its contacts. Each get and set is answered,
 * for want of anything better with service-unavailable, or clients hang; results and errors never are.
 *
 * About a contact a stranger is told what is told about a contact that does not exist.
 */
#include <string.h>

#include "base/str.h"
#include "base/xml.h"
#include "pub_xmpp.h"

struct question {
    const struct pres_xml *stanza, *payload;
    struct pres_jid from, to;
    pres_id person; /* PRES_NOBODY: the component itself, or a contact that the asker may not know of */
    bool to_contact;
};

static void answer_ping(struct pub_xmpp *x, const struct question *q);
static void answer_info(struct pub_xmpp *x, const struct question *q);
static void answer_items(struct pub_xmpp *x, const struct question *q);
static void answer_vcard(struct pub_xmpp *x, const struct question *q);
static void answer_version(struct pub_xmpp *x, const struct question *q);
static void answer_gateway(struct pub_xmpp *x, const struct question *q);
static void answer_command(struct pub_xmpp *x, const struct question *q);
static void add(struct pub_xmpp *x, const char *text);
static void finish(struct pub_xmpp *x, const char *end);

#define NS_INFO "http://jabber.org/protocol/disco#info"
#define NS_ITEMS "http://jabber.org/protocol/disco#items"
#define NS_COMMANDS "http://jabber.org/protocol/commands"

enum { DOMAIN = 1, CONTACT = 2, GET = 4, SET = 8 };

static const struct {
    const char *ns, *name;
    unsigned where;
    void (*answer)(struct pub_xmpp *x, const struct question *q);
} questions[] = {
    {"urn:xmpp:ping", "ping", DOMAIN | CONTACT | GET, answer_ping},
    {NS_INFO, "query", DOMAIN | CONTACT | GET, answer_info},
    {NS_ITEMS, "query", DOMAIN | CONTACT | GET, answer_items},
    {"vcard-temp", "vCard", DOMAIN | CONTACT | GET, answer_vcard},
    {"jabber:iq:version", "query", DOMAIN | GET, answer_version},
    {"jabber:iq:gateway", "query", DOMAIN | GET | SET, answer_gateway},
    {NS_COMMANDS, "command", DOMAIN | SET, answer_command},
};

void pres_pub_iq(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    struct question q = {.stanza = stanza, .payload = stanza->first, .person = PRES_NOBODY};
    const char *type = pres_xml_attr(stanza, "type");
    bool get = type && strcmp(type, "get") == 0, set = type && strcmp(type, "set") == 0;
    if ((!get && !set) || !pres_jid_parse(pres_xml_attr(stanza, "from"), &q.from) ||
        !pres_jid_parse(pres_xml_attr(stanza, "to"), &q.to) || strcmp(q.to.domain, x->component) != 0 ||
        strcmp(q.from.domain, x->component) == 0)
        return;
    if (!q.payload || q.payload->next) {
        pres_pub_iq_error(x, stanza, "modify", "bad-request");
        return;
    }
    q.to_contact = q.to.local[0] != '\0';
    if (q.to_contact && (pres_pub_allowed(x, &q.from) || pres_pub_watch(x, q.to.local, q.from.bare)))
        q.person = pres_pub_person_for(x, q.from.bare, q.to.local);
    unsigned where = (q.to_contact ? CONTACT : DOMAIN) | (get ? GET : SET);
    if (!q.to_contact || q.person != PRES_NOBODY)
        for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
            if ((questions[i].where & where) == where && strcmp(questions[i].ns, q.payload->ns) == 0 &&
                strcmp(questions[i].name, q.payload->name) == 0) {
                questions[i].answer(x, &q);
                return;
            }
    pres_pub_iq_error(x, stanza, "cancel", "service-unavailable");
}

void pres_pub_iq_error(struct pub_xmpp *x, const struct pres_xml *stanza, const char *type, const char *condition)
{
    if (!pres_pub_iq_begin(x, stanza))
        return;
    /* the same head but for the type */
    char *at = memmem(x->out.data, x->out.len, "type='result'", 13);
    memcpy(at, "type='error' ", 13);
    buf_addf(&x->out, "<error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", type,
             condition);
    pres_pub_send(x);
}

bool pres_pub_iq_begin(struct pub_xmpp *x, const struct pres_xml *stanza)
{
    struct pres_jid from, to;
    const char *id = pres_xml_attr(stanza, "id");
    buf_reset(&x->out);
    if (!pres_jid_parse(pres_xml_attr(stanza, "from"), &from) || !pres_jid_parse(pres_xml_attr(stanza, "to"), &to) ||
        strcmp(to.domain, x->component) != 0)
        return false; /* what we would send had a from that is not ours */
    buf_adds(&x->out, "<iq type='result' from='");
    add(x, to.bare);
    if (to.resource[0]) {
        buf_addc(&x->out, '/');
        add(x, to.resource);
    }
    buf_adds(&x->out, "' to='");
    add(x, from.bare);
    if (from.resource[0]) {
        buf_addc(&x->out, '/');
        add(x, from.resource);
    }
    buf_adds(&x->out, "' id='");
    add(x, id && strlen(id) <= 1000 ? id : "");
    return buf_adds(&x->out, "'>");
}

static void answer_ping(struct pub_xmpp *x, const struct question *q)
{
    if (pres_pub_iq_begin(x, q->stanza))
        finish(x, "");
}

static void answer_info(struct pub_xmpp *x, const struct question *q)
{
    static const char *const features[] = {NS_INFO,           NS_ITEMS,           "urn:xmpp:ping",
                                           "jid\\20escaping", "vcard-temp",       "jabber:iq:gateway",
                                           NS_COMMANDS,       "jabber:iq:version"};
    const char *node = pres_xml_attr(q->payload, "node");
    if (!pres_pub_iq_begin(x, q->stanza))
        return;
    buf_adds(&x->out, "<query xmlns='" NS_INFO "'");
    if (node && strlen(node) < 1000) {
        buf_adds(&x->out, " node='");
        add(x, node);
        buf_addc(&x->out, '\'');
    }
    buf_addc(&x->out, '>');
    if (q->to_contact)
        buf_adds(&x->out, "<identity category='account' type='registered'/>"
                          "<feature var='" NS_INFO "'/><feature var='vcard-temp'/><feature var='urn:xmpp:ping'/>");
    else {
        buf_adds(&x->out, "<identity category='component' type='presence' name='Calendar presence'/>");
        for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
            buf_addf(&x->out, "<feature var='%s'/>", features[i]);
    }
    finish(x, "</query>");
}

/* The commands of the domain. Contacts are not listed: that would be the company's directory. */
static void answer_items(struct pub_xmpp *x, const struct question *q)
{
    const char *node = pres_xml_attr(q->payload, "node");
    bool commands = !q->to_contact && node && strcmp(node, NS_COMMANDS) == 0;
    if (!pres_pub_iq_begin(x, q->stanza))
        return;
    buf_addf(&x->out, "<query xmlns='" NS_ITEMS "'%s>", commands ? " node='" NS_COMMANDS "'" : "");
    if (commands)
        buf_addf(&x->out,
                 "<item jid='%s' node='who-is-free' name='Who is free now'/>"
                 "<item jid='%s' node='watch' name='Watch people&apos;s calendars'/>"
                 "<item jid='%s' node='unwatch' name='Stop watching all'/>",
                 x->component, x->component, x->component);
    finish(x, "</query>");
}

static void answer_vcard(struct pub_xmpp *x, const struct question *q)
{
    const char *address = q->to_contact ? pres_table_publish_as(x->table, q->person) : NULL;
    if (!pres_pub_iq_begin(x, q->stanza))
        return;
    buf_adds(&x->out, "<vCard xmlns='vcard-temp'><FN>");
    add(x, address ? address : "Calendar presence");
    buf_adds(&x->out, "</FN>");
    if (address) {
        buf_adds(&x->out, "<EMAIL><INTERNET/><USERID>");
        add(x, address);
        buf_adds(&x->out, "</USERID></EMAIL><DESC>Calendar of ");
        add(x, address);
        buf_adds(&x->out, "</DESC>");
    }
    finish(x, "</vCard>");
}

static void answer_version(struct pub_xmpp *x, const struct question *q)
{
    if (!pres_pub_iq_begin(x, q->stanza))
        return;
    buf_adds(&x->out, "<query xmlns='jabber:iq:version'><name>freebusyd</name><version>" FB_VERSION "</version>");
    finish(x, "</query>");
}

/* From a mail address to our contact's JID, for clients that ask (XEP-0100). */
static void answer_gateway(struct pub_xmpp *x, const struct question *q)
{
    const char *prompt = pres_xml_text(q->payload, NULL, "prompt");
    struct buf local;
    if (strcmp(pres_xml_attr(q->stanza, "type"), "get") == 0) {
        if (!pres_pub_iq_begin(x, q->stanza))
            return;
        buf_adds(&x->out,
                 "<query xmlns='jabber:iq:gateway'><desc>The mail address of the person whose calendar you want "
                 "to watch</desc><prompt>Mail address</prompt>");
        finish(x, "</query>");
        return;
    }
    buf_init(&local, 3 * PRES_JID_PART_MAX);
    if (!prompt || strlen(prompt) > PRES_JID_PART_MAX || !pres_pub_form(x, prompt, 0, &local)) {
        pres_pub_iq_error(x, q->stanza, "modify", "not-acceptable");
    } else if (pres_pub_iq_begin(x, q->stanza)) {
        buf_adds(&x->out, "<query xmlns='jabber:iq:gateway'><jid>");
        add(x, local.data);
        buf_addf(&x->out, "@%s</jid><prompt>", x->component);
        add(x, local.data);
        buf_addf(&x->out, "@%s</prompt>", x->component);
        finish(x, "</query>");
    }
    buf_free(&local);
}

static void answer_command(struct pub_xmpp *x, const struct question *q)
{
    if (pres_pub_allowed(x, &q->from))
        pres_pub_command(x, q->stanza, q->payload);
    else
        pres_pub_iq_error(x, q->stanza, "auth", "forbidden");
}

static void add(struct pub_xmpp *x, const char *text)
{
    xml_escape(&x->out, text, strlen(text));
}

static void finish(struct pub_xmpp *x, const char *end)
{
    buf_addf(&x->out, "%s</iq>", end);
    pres_pub_send(x);
}
