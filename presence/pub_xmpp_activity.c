/*
 * pub_xmpp_activity: what the calendar says as the user activity (XEP-0108) of the person's own account, published into
 * their PEP node for them (XEP-0356, privileged iq). Only where the administrator has asked for it (own_account:
 * activity) and the server says that it grants it; before, nothing is written. Presence is never touched.
 *
 * A node holds one activity, so ours would take the place of one that the person chose. Therefore the node is read
 * first, each time, and ours goes in only where it is empty or holds ours; our item has a name of its own, and only
 * that one is ever taken away. A node tells all who see it the same: what is told is the view of
 * PRES_XMPP_PART_ACTIVITY, which a policy must name.
 *
 * pub_xmpp.c calls this with each delivery: deliver -> ask -> (answer) -> publish, or at once -> retract.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "presence/viewer.h"
#include "pub_xmpp.h"

#define NS_PRIVILEGE "urn:xmpp:privilege:2"
#define NS_PUBSUB "http://jabber.org/protocol/pubsub"
#define NS_ACTIVITY "http://jabber.org/protocol/activity"
#define ID_READ "own-activity-read"
#define ID_WRITE "own-activity"
#define ITEM "freebusyd"

/* In told, below every hash. */
#define NOTHING 1 /* there is none of ours */
#define UNSURE 2  /* ours may be there, or what was said before it */

enum { USERS_MAX = 1000000, HOSTS_MAX = 16, GRANT_MS = 30000, ANSWER_MS = 30000 };

struct pub_active {
    uint64_t told;    /* hash, NOTHING, UNSURE; 0: not known whether an earlier run left something */
    uint64_t left;    /* what would be told, but the node is the person's, or cannot be read */
    int64_t asked_ms; /* the node is being read since; 0: it is not */
    bool due;         /* there was no room to say it */
    char jid[];       /* bare */
};

struct pub_activity {
    struct map *users;
    char *hosts[HOSTS_MAX]; /* domains that let us read and publish */
    unsigned host_count;
    struct loop_timer *grant_timer; /* armed: a server may yet say what it grants */
    struct loop_timer *late_timer;  /* armed: answers are awaited, or something is due */
    bool refused;                   /* until the outlet is configured anew */
    uint64_t shown;
    size_t leave_pos;
};

enum found { FOUND_NOTHING, FOUND_OURS, FOUND_THEIRS, FOUND_UNREADABLE };

static const char *const activities[PRES_KINDS] = {
    [PRES_ELSEWHERE] = "<working/>",
    [PRES_TENTATIVE] = "<having_appointment/>",
    [PRES_BUSY] = "<working><in_a_meeting/></working>",
    [PRES_OOF] = "<inactive><on_vacation/></inactive>",
};

static bool may_publish(const struct pres_xml *privilege);
static void refuse(struct pub_activity *a, const char *host, const char *why);
static void on_no_grant(void *arg);
static void on_late(void *arg);
static bool has_host(const struct pub_activity *a, const char *jid);
static void forget_hosts(struct pub_activity *a);
static struct pub_active *user(struct pub_activity *a, const char *jid);
static uint64_t compose(struct pub_xmpp *x, pres_id id);
static void ask(struct pub_xmpp *x, struct pub_active *u);
static enum found what_is_there(const struct pres_xml *iq);
static void decide(struct pub_xmpp *x, struct pub_active *u, enum found found);
static void publish(struct pub_xmpp *x, struct pub_active *u, uint64_t saying);
static bool retract(struct pub_xmpp *x, struct pub_active *u);
static void set_told(struct pub_activity *a, struct pub_active *u, uint64_t told);
static void begin_iq(struct pub_xmpp *x, const char *id, const char *type, const char *jid);
static bool send_iq(struct pub_xmpp *x, struct pub_active *u);

struct pub_activity *pres_pub_activity_new(struct pub_xmpp *x)
{
    struct pub_activity *a = mem_calloc(1, sizeof *a);
    a->users = map_new();
    a->grant_timer = loop_timer_new(x->loop, "xmpp grant", on_no_grant, a);
    a->late_timer = loop_timer_new(x->loop, "xmpp activity", on_late, x);
    return a;
}

void pres_pub_activity_free(struct pub_activity **ap)
{
    struct pub_activity *a = *ap;
    size_t pos = 0;
    if (!a)
        return;
    for (struct pub_active *u; (u = map_next(a->users, &pos));)
        free(u);
    map_free(&a->users);
    forget_hosts(a);
    loop_timer_free(&a->grant_timer);
    loop_timer_free(&a->late_timer);
    free(a);
    *ap = NULL;
}

void pres_pub_activity_ready(struct pub_xmpp *x)
{
    if (!x->activity->refused)
        loop_timer_in(x->activity->grant_timer, GRANT_MS);
}

/* What was on its way may be lost: it is said again once the server has said again that we may. */
void pres_pub_activity_lost(struct pub_xmpp *x)
{
    struct pub_activity *a = x->activity;
    size_t pos = 0;
    forget_hosts(a);
    loop_timer_stop(a->grant_timer);
    loop_timer_stop(a->late_timer);
    for (struct pub_active *u; (u = map_next(a->users, &pos));) {
        u->told = u->told > NOTHING ? UNSURE : 0;
        u->left = 0;
        u->asked_ms = 0;
        u->due = false;
    }
}

void pres_pub_activity_grant(struct pub_xmpp *x, const struct pres_xml *message)
{
    struct pub_activity *a = x->activity;
    const struct pres_xml *granted = pres_xml_child(message, NULL, "privilege");
    struct pres_jid from;
    if (a->refused || !granted || !str_starts(granted->ns, "urn:xmpp:privilege:") ||
        !pres_jid_parse(pres_xml_attr(message, "from"), &from) || from.local[0] || from.resource[0] ||
        !pres_pub_allowed(x, &from))
        return;
    loop_timer_stop(a->grant_timer);
    if (!may_publish(granted)) {
        refuse(a, from.domain, "it does not grant iq of type both");
    } else if (!has_host(a, from.domain) && a->host_count < HOSTS_MAX) {
        a->hosts[a->host_count++] = mem_strdup(from.domain);
        log_info("xmpp", "host=%s own accounts: activities granted", from.domain);
        pres_publisher_people_changed(x->publisher); /* who was delivered before */
    }
}

void pres_pub_activity_deliver(struct pub_xmpp *x, const struct pres_delivery *d)
{
    struct pub_activity *a = x->activity;
    struct buf jid;
    buf_init(&jid, 3 * PRES_JID_PART_MAX);
    struct pub_active *u =
        !a->refused && pres_pub_account_jid(d->address, &jid) && has_host(a, jid.data) ? user(a, jid.data) : NULL;
    buf_free(&jid);
    if (!u)
        return;
    uint64_t saying = compose(x, d->id);
    if (saying == NOTHING) {
        u->left = 0;
        if (u->told != NOTHING)
            retract(x, u);
    } else if ((u->told != saying && u->left != saying) || d->resync)
        ask(x, u);
}

bool pres_pub_activity_answer(struct pub_xmpp *x, const struct pres_xml *iq)
{
    const char *type = pres_xml_attr(iq, "type"), *id = pres_xml_attr(iq, "id");
    struct pres_jid from;
    if (!id || !type || strcmp(type, "get") == 0 || strcmp(type, "set") == 0)
        return false;
    if (strcmp(id, ID_WRITE) == 0) /* who has no account, or no such item, is as good as told */
        return true;
    if (strcmp(id, ID_READ) != 0)
        return false;
    struct pub_active *u = pres_jid_parse(pres_xml_attr(iq, "from"), &from) && has_host(x->activity, from.bare)
                               ? map_get(x->activity->users, from.bare)
                               : NULL;
    if (u && u->asked_ms && !x->leaving)
        decide(x, u, what_is_there(iq));
    return true;
}

void pres_pub_activity_people_changed(struct pub_xmpp *x)
{
    struct pub_activity *a = x->activity;
    size_t pos = 0;
    for (struct pub_active *u; (u = map_next(a->users, &pos));)
        if (u->told > NOTHING && pres_pub_account_person(x, u->jid) == PRES_NOBODY)
            retract(x, u);
}

bool pres_pub_activity_farewell(struct pub_xmpp *x)
{
    struct pub_activity *a = x->activity;
    size_t pos = a->leave_pos;
    for (struct pub_active *u; (u = map_next(a->users, &pos)); a->leave_pos = pos)
        if (u->told > NOTHING && has_host(a, u->jid) && !retract(x, u))
            return false;
    return true;
}

uint64_t pres_pub_activity_shown(const struct pub_xmpp *x)
{
    return x->activity ? x->activity->shown : 0;
}

/* To read, too: without, an activity that the person chose would be overwritten. */
static bool may_publish(const struct pres_xml *privilege)
{
    for (const struct pres_xml *p = privilege->first; p; p = p->next) {
        const char *access = pres_xml_attr(p, "access");
        for (const struct pres_xml *n = access && strcmp(access, "iq") == 0 ? p->first : NULL; n; n = n->next) {
            const char *ns = pres_xml_attr(n, "ns"), *type = pres_xml_attr(n, "type");
            if (ns && type && strcmp(ns, NS_PUBSUB) == 0 && strcmp(type, "both") == 0)
                return strcmp(privilege->ns, NS_PRIVILEGE) == 0;
        }
    }
    return false;
}

static void refuse(struct pub_activity *a, const char *host, const char *why)
{
    a->refused = true;
    a->shown = 0;
    forget_hosts(a);
    loop_timer_stop(a->grant_timer);
    loop_timer_stop(a->late_timer);
    log_warning("xmpp",
                "host=%s does not let us publish activities (%s): people's own accounts are left alone. Grant iq with "
                "the namespace of pubsub (Prosody: mod_privilege), or set own_account: untouched",
                host, why);
}

static void on_no_grant(void *arg)
{
    refuse(arg, "any", "no server says that it grants anything");
}

/* Nobody answers: what may be old is taken away, and the node is asked for anew. */
static void on_late(void *arg)
{
    struct pub_xmpp *x = arg;
    struct pub_activity *a = x->activity;
    int64_t now = clk_mono_ms(loop_clk(x->loop));
    size_t pos = 0;
    bool awaited = false;
    for (struct pub_active *u; (u = map_next(a->users, &pos));) {
        bool late = u->asked_ms && now - u->asked_ms >= ANSWER_MS;
        awaited = awaited || (u->asked_ms && !late);
        if (!late && !u->due)
            continue;
        u->asked_ms = 0;
        u->due = false;
        if (late && u->told > NOTHING)
            retract(x, u);
        pres_id id = pres_pub_account_person(x, u->jid);
        if (id != PRES_NOBODY)
            pres_publisher_changed(x->publisher, id);
        else if (u->told > NOTHING)
            retract(x, u);
    }
    if (awaited)
        loop_timer_in(a->late_timer, ANSWER_MS);
}

/* Of a JID or a domain. */
static bool has_host(const struct pub_activity *a, const char *jid)
{
    const char *at = strchr(jid, '@');
    for (unsigned i = 0; i < a->host_count; i++)
        if (strcmp(a->hosts[i], at ? at + 1 : jid) == 0)
            return true;
    return false;
}

static void forget_hosts(struct pub_activity *a)
{
    while (a->host_count > 0)
        free(a->hosts[--a->host_count]);
}

static struct pub_active *user(struct pub_activity *a, const char *jid)
{
    struct pub_active *u = map_get(a->users, jid);
    if (u || map_count(a->users) >= USERS_MAX)
        return u;
    size_t len = strlen(jid) + 1;
    u = mem_calloc(1, sizeof *u + len);
    memcpy(u->jid, jid, len);
    map_put(a->users, u->jid, u);
    return u;
}

/* Into x->body; NOTHING when there is nothing to tell. */
static uint64_t compose(struct pub_xmpp *x, pres_id id)
{
    struct pres_presence seen;
    if (!pres_viewer_presence(pres_publisher_viewer(x->publisher), PRES_XMPP_PART_ACTIVITY, id, &seen) ||
        !activities[seen.state])
        return NOTHING;
    buf_reset(&x->body);
    buf_reset(&x->words);
    buf_adds(&x->body, activities[seen.state]);
    pres_pub_text(x, &seen, &x->words);
    if (x->words.len > 0) {
        buf_adds(&x->body, "<text>");
        xml_escape(&x->body, x->words.data, x->words.len);
        buf_adds(&x->body, "</text>");
    }
    return pres_pub_hash(&x->body, "");
}

static void ask(struct pub_xmpp *x, struct pub_active *u)
{
    if (u->asked_ms)
        return; /* its answer tells what is so then */
    begin_iq(x, ID_READ, "get", u->jid);
    buf_adds(&x->out, "<items node='" NS_ACTIVITY "'/>");
    if (!send_iq(x, u))
        return;
    u->asked_ms = clk_mono_ms(loop_clk(x->loop));
    u->asked_ms += u->asked_ms == 0;
    if (!loop_timer_armed(x->activity->late_timer))
        loop_timer_in(x->activity->late_timer, ANSWER_MS);
}

/* The server's answer to the person stands inside of its answer to us; without, it would not even ask. */
static enum found what_is_there(const struct pres_xml *iq)
{
    const struct pres_xml *at = pres_xml_child(iq, NULL, "privilege");
    enum found found = FOUND_NOTHING;
    at = at ? pres_xml_child(at, NULL, "forwarded") : NULL;
    at = at ? pres_xml_child(at, NULL, "iq") : NULL;
    const char *type = pres_xml_attr(at ? at : iq, "type");
    if (!type || strcmp(type, "result") != 0) {
        const struct pres_xml *error = at ? pres_xml_child(at, NULL, "error") : NULL;
        return error && pres_xml_child(error, NULL, "item-not-found") ? FOUND_NOTHING : FOUND_UNREADABLE;
    }
    at = at ? pres_xml_child(at, NS_PUBSUB, "pubsub") : NULL;
    at = at ? pres_xml_child(at, NULL, "items") : NULL;
    if (!at)
        return FOUND_UNREADABLE;
    for (const struct pres_xml *item = at->first; item; item = item->next) {
        const struct pres_xml *activity = pres_xml_child(item, NS_ACTIVITY, "activity");
        const char *id = pres_xml_attr(item, "id");
        if (!activity || !activity->first)
            continue;
        if (!id || strcmp(id, ITEM) != 0)
            return FOUND_THEIRS;
        found = FOUND_OURS;
    }
    return found;
}

/* As things stand now, which may be otherwise than when it was asked. */
static void decide(struct pub_xmpp *x, struct pub_active *u, enum found found)
{
    pres_id id = pres_pub_account_person(x, u->jid);
    uint64_t saying = id == PRES_NOBODY ? NOTHING : compose(x, id);
    u->asked_ms = 0;
    switch (found) {
    case FOUND_NOTHING:
    case FOUND_OURS:
        u->left = 0;
        if (saying == NOTHING && (u->told != NOTHING || found == FOUND_OURS))
            retract(x, u);
        else if (saying != NOTHING && (u->told != saying || found == FOUND_NOTHING))
            publish(x, u, saying);
        return;
    case FOUND_THEIRS:
    case FOUND_UNREADABLE:
        u->left = saying;
        if (u->told != NOTHING) /* where a node holds several */
            retract(x, u);
        return;
    }
}

/* What stands in x->body. */
static void publish(struct pub_xmpp *x, struct pub_active *u, uint64_t saying)
{
    begin_iq(x, ID_WRITE, "set", u->jid);
    buf_adds(&x->out, "<publish node='" NS_ACTIVITY "'><item id='" ITEM "'><activity xmlns='" NS_ACTIVITY "'>");
    buf_add(&x->out, x->body.data, x->body.len);
    buf_adds(&x->out, "</activity></item></publish>");
    if (send_iq(x, u))
        set_told(x->activity, u, saying);
}

/* Ours, and no other. */
static bool retract(struct pub_xmpp *x, struct pub_active *u)
{
    begin_iq(x, ID_WRITE, "set", u->jid);
    buf_adds(&x->out, "<retract node='" NS_ACTIVITY "' notify='true'><item id='" ITEM "'/></retract>");
    if (!send_iq(x, u))
        return false;
    set_told(x->activity, u, NOTHING);
    return true;
}

static void set_told(struct pub_activity *a, struct pub_active *u, uint64_t told)
{
    a->shown += (uint64_t)(told > NOTHING) - (uint64_t)(u->told > NOTHING);
    u->told = told;
}

static void begin_iq(struct pub_xmpp *x, const char *id, const char *type, const char *jid)
{
    struct buf *out = &x->out;
    buf_reset(out);
    buf_addf(out, "<iq type='%s' id='%s' from='%s' to='", type, id, x->component);
    xml_escape(out, jid, strlen(jid));
    buf_addf(out, "'><privileged_iq xmlns='" NS_PRIVILEGE "'><iq xmlns='jabber:client' type='%s' id='%s' from='", type,
             id);
    xml_escape(out, jid, strlen(jid));
    buf_adds(out, "' to='");
    xml_escape(out, jid, strlen(jid));
    buf_adds(out, "'><pubsub xmlns='" NS_PUBSUB "'>");
}

/* False: later. */
static bool send_iq(struct pub_xmpp *x, struct pub_active *u)
{
    if (!has_host(x->activity, u->jid))
        return false;
    buf_adds(&x->out, "</pubsub></iq></privileged_iq></iq>");
    if (pres_pub_send(x)) {
        pres_publisher_spent(x->publisher, 1);
        return true;
    }
    u->due = true;
    if (!loop_timer_armed(x->activity->late_timer))
        loop_timer_in(x->activity->late_timer, ANSWER_MS);
    return false;
}
