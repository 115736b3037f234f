/*
 * pub_xmpp_account: beside the contact, a further resource of the person's own account: alice@im.example.com/calendar.
 * Only where the administrator has asked for it (own_account: resource), for the server must let us write in its users'
 * names. What a person chose in a client stays as it is: theirs are other resources. Ours has priority -1, so that no
 * message goes to it; it is there only while the person is online with one of their own and the calendar says what
 * has a <show>; else people would look online, or free, because of us.
 *
 * The server does not broadcast what we write. So we tell, one by one, those whom the person lets see (the contact
 * list, XEP-0356), and those of them who log in later, which we see because the server hands us its users' presence
 * (XEP-0356, managed_entity). Servers say that they grant these; before, nothing is done.
 *
 * deliver -> show() -> contact list asked -> on_list() -> presence to each, as that one may see it (pub_xmpp_view.c):
 * what was delivered only says whether there is anything new.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "pub_xmpp.h"

enum { USERS_MAX = 100000, RESOURCES_MAX = 16, LIST_MAX = 5000, HOSTS_MAX = 16, ASK_AGAIN_MS = 30000 };

#define NS_ROSTER "jabber:iq:roster"

/* Somebody's account, as far as it is online or ours is shown beside it. */
struct pub_user {
    char *resources[RESOURCES_MAX]; /* their own that are online */
    unsigned resource_count;
    struct pres_presence now; /* as it was delivered last: nobody's view */
    uint64_t saying, told;    /* hashes: to be told; told last, 0: nothing is shown */
    int64_t asked_ms;         /* mono ms: the contact list is under way since; 0: it is not */
    struct map *watchers;     /* who has been told, by bare JID; NULL: nobody */
    char jid[];               /* bare */
};

struct pub_account {
    struct map *users;
    char *hosts[HOSTS_MAX]; /* domains that let us see presence and contact lists */
    unsigned host_count;
    bool refused; /* the server does not take what we write: until the next start */
    uint64_t shown;
};

static bool has_host(const struct pub_account *a, const char *domain);
static void forget_host(struct pub_account *a, const char *domain);
static struct pub_user *user_of(const struct pub_xmpp *x, const char *address);
static bool came(struct pub_user *u, const char *resource);
static void went(struct pub_user *u, const char *resource);
static void tell_newcomer(struct pub_xmpp *x, const struct pres_jid *who);
static void show(struct pub_xmpp *x, struct pub_user *u, bool anew);
static void ask_list(struct pub_xmpp *x, struct pub_user *u);
static void on_list(struct pub_xmpp *x, struct pub_user *u, const struct pres_xml *query);
static bool seen_by(const struct pub_xmpp *x, const char *jid, pres_id id, struct pres_presence *ret);
static void send_to(struct pub_xmpp *x, const struct pub_user *u, const char *to, const struct pres_presence *seen);
static void withdraw(struct pub_xmpp *x, struct pub_user *u);
static void watchers_free(struct map **watchers);
static void user_free(struct pub_user *u);

struct pub_account *pres_pub_account_new(void)
{
    struct pub_account *a = mem_calloc(1, sizeof *a);
    a->users = map_new();
    return a;
}

void pres_pub_account_free(struct pub_account **ap)
{
    struct pub_account *a = *ap;
    size_t pos = 0;
    if (!a)
        return;
    for (struct pub_user *u; (u = map_next(a->users, &pos));)
        user_free(u);
    map_free(&a->users);
    while (a->host_count > 0)
        free(a->hosts[--a->host_count]);
    free(a);
    *ap = NULL;
}

void pres_pub_account_lost(struct pub_xmpp *x, const char *text)
{
    struct pub_account *a = x->account;
    size_t pos = 0;
    if (!a)
        return;
    if (!a->refused && (strstr(text, "invalid-from") || strstr(text, "too large"))) {
        a->refused = true;
        log_warning("xmpp", "people's own accounts are left alone from now on: the server does not let us text=\"%s\"",
                    text);
    }
    while (a->host_count > 0)
        free(a->hosts[--a->host_count]);
    for (struct pub_user *u; (u = map_next(a->users, &pos));) {
        while (u->resource_count > 0)
            free(u->resources[--u->resource_count]);
        u->asked_ms = 0;
    }
}

void pres_pub_account_grant(struct pub_xmpp *x, const struct pres_xml *message)
{
    struct pub_account *a = x->account;
    const struct pres_xml *granted = pres_xml_child(message, NULL, "privilege");
    struct pres_jid from;
    bool lists = false, seen = false;
    if (!granted || !str_starts(granted->ns, "urn:xmpp:privilege:") ||
        !pres_jid_parse(pres_xml_attr(message, "from"), &from) || from.local[0] || from.resource[0] ||
        !pres_pub_allowed(x, &from))
        return;
    for (const struct pres_xml *p = granted->first; p; p = p->next) {
        const char *access = pres_xml_attr(p, "access"), *type = pres_xml_attr(p, "type");
        if (!access || !type)
            continue;
        lists = lists || (strcmp(access, "roster") == 0 && (strcmp(type, "get") == 0 || strcmp(type, "both") == 0));
        seen = seen || (strcmp(access, "presence") == 0 && strcmp(type, "none") != 0);
    }
    forget_host(a, from.domain);
    if (lists && seen && a->host_count < HOSTS_MAX)
        a->hosts[a->host_count++] = mem_strdup(from.domain);
    log_info("xmpp", "host=%s own accounts: contact lists %s, presence %s", from.domain, lists ? "granted" : "missing",
             seen ? "granted" : "missing");
}

void pres_pub_account_presence(struct pub_xmpp *x, const struct pres_jid *from, const char *type)
{
    struct pub_account *a = x->account;
    struct pub_user *u = map_get(a->users, from->bare);
    bool here = !type;
    if ((type && strcmp(type, "unavailable") != 0) || !from->resource[0] || strcmp(from->resource, PUB_RESOURCE) == 0 ||
        !has_host(a, from->domain) || (!u && (!here || map_count(a->users) >= USERS_MAX)))
        return;
    if (!u) {
        size_t len = strlen(from->bare) + 1;
        u = mem_calloc(1, sizeof *u + len);
        memcpy(u->jid, from->bare, len);
        map_put(a->users, u->jid, u);
    }
    unsigned before = u->resource_count;
    bool fresh = here && came(u, from->resource);
    if (!here)
        went(u, from->resource);
    pres_id id = (before > 0) != (u->resource_count > 0) ? pres_pub_account_person(x, from->bare) : PRES_NOBODY;
    if (id != PRES_NOBODY) /* by way of a delivery, which knows what may be told */
        pres_publisher_changed(x->publisher, id);
    if (fresh)
        tell_newcomer(x, from);
    if (u->resource_count == 0 && u->told == 0 && id == PRES_NOBODY) {
        map_del(a->users, u->jid);
        user_free(u);
    }
}

void pres_pub_account_deliver(struct pub_xmpp *x, const struct pres_delivery *d)
{
    struct pub_user *u = x->account->refused ? NULL : user_of(x, d->address);
    if (!u)
        return;
    u->now = *d->now;
    show(x, u, d->resync);
}

bool pres_pub_account_answer(struct pub_xmpp *x, const struct pres_xml *iq)
{
    const char *type = pres_xml_attr(iq, "type"), *id = pres_xml_attr(iq, "id");
    struct pres_jid from;
    if (!id || strcmp(id, "own-list") != 0 || !type || strcmp(type, "get") == 0 || strcmp(type, "set") == 0 ||
        !pres_jid_parse(pres_xml_attr(iq, "from"), &from))
        return false;
    struct pub_user *u = map_get(x->account->users, from.bare);
    const struct pres_xml *query = pres_xml_child(iq, NS_ROSTER, "query");
    if (!u || !u->asked_ms)
        return true;
    u->asked_ms = 0;
    if (strcmp(type, "result") == 0 && query)
        on_list(x, u, query);
    return true;
}

void pres_pub_account_people_changed(struct pub_xmpp *x)
{
    size_t pos = 0;
    for (struct pub_user *u; (u = map_next(x->account->users, &pos));)
        if (u->told != 0 && pres_pub_account_person(x, u->jid) == PRES_NOBODY)
            withdraw(x, u);
        else if (u->told != 0) /* others may see them now */
            ask_list(x, u);
}

void pres_pub_account_farewell(struct pub_xmpp *x)
{
    size_t pos = 0;
    for (struct pub_user *u; (u = map_next(x->account->users, &pos));)
        withdraw(x, u);
}

uint64_t pres_pub_account_shown(const struct pub_xmpp *x)
{
    return x->account ? x->account->shown : 0;
}

static bool has_host(const struct pub_account *a, const char *domain)
{
    for (unsigned i = 0; i < a->host_count; i++)
        if (strcmp(a->hosts[i], domain) == 0)
            return true;
    return false;
}

static void forget_host(struct pub_account *a, const char *domain)
{
    for (unsigned i = 0; i < a->host_count; i++)
        if (strcmp(a->hosts[i], domain) == 0) {
            free(a->hosts[i]);
            a->hosts[i] = a->hosts[--a->host_count];
            return;
        }
}

/* The account whose JID is the address that the person is published as. */
static struct pub_user *user_of(const struct pub_xmpp *x, const char *address)
{
    struct pub_user *u = NULL;
    struct buf jid;
    buf_init(&jid, 3 * PRES_JID_PART_MAX);
    if (pres_pub_account_jid(address, &jid))
        u = map_get(x->account->users, jid.data);
    buf_free(&jid);
    return u;
}

bool pres_pub_account_jid(const char *address, struct buf *out)
{
    char *lower = str_lower(mem_strdup(address));
    const char *at = strrchr(lower, '@');
    bool fits = at && pres_jid_escape(out, lower, (size_t)(at - lower)) && buf_adds(out, at);
    free(lower);
    return fits;
}

pres_id pres_pub_account_person(const struct pub_xmpp *x, const char *jid)
{
    pres_id id = PRES_NOBODY;
    const char *at = strchr(jid, '@');
    char *local = mem_strndup(jid, at ? (size_t)(at - jid) : 0);
    struct buf address;
    buf_init(&address, 3 * PRES_JID_PART_MAX);
    if (at && pres_jid_unescape(&address, local) && buf_adds(&address, at))
        id = pres_table_find(x->table, address.data);
    if (id != PRES_NOBODY && !str_eq_nocase(pres_table_publish_as(x->table, id), address.data))
        id = PRES_NOBODY;
    buf_free(&address);
    free(local);
    return id;
}

/* True: it was not there before. */
static bool came(struct pub_user *u, const char *resource)
{
    for (unsigned i = 0; i < u->resource_count; i++)
        if (strcmp(u->resources[i], resource) == 0)
            return false;
    if (u->resource_count < RESOURCES_MAX)
        u->resources[u->resource_count++] = mem_strdup(resource);
    return true;
}

static void went(struct pub_user *u, const char *resource)
{
    for (unsigned i = 0; i < u->resource_count; i++)
        if (strcmp(u->resources[i], resource) == 0) {
            free(u->resources[i]);
            u->resources[i] = u->resources[--u->resource_count];
            return;
        }
}

/* Their server shows them the resources that it knows of; ours it does not. */
static void tell_newcomer(struct pub_xmpp *x, const struct pres_jid *who)
{
    struct pres_presence seen;
    size_t pos = 0;
    for (const struct pub_user *u; x->account->shown > 0 && (u = map_next(x->account->users, &pos));)
        if (u->told != 0 && u->watchers && map_get(u->watchers, who->bare) &&
            seen_by(x, who->bare, pres_pub_account_person(x, u->jid), &seen))
            send_to(x, u, who->bare, &seen);
}

static void show(struct pub_xmpp *x, struct pub_user *u, bool anew)
{
    const char *type;
    bool wanted = u->resource_count > 0 && u->now.state != PRES_UNKNOWN && x->show[u->now.state][0];
    if (!wanted) {
        withdraw(x, u);
        return;
    }
    buf_reset(&x->body);
    pres_pub_body(x, &u->now, false, &x->body, &type);
    u->saying = pres_pub_hash(&x->body, type);
    if (anew || u->saying != u->told)
        ask_list(x, u);
}

/* Anew for each change: the person may have let somebody see since, or not any more. */
static void ask_list(struct pub_xmpp *x, struct pub_user *u)
{
    int64_t now = clk_mono_ms(loop_clk(x->loop));
    if (u->asked_ms && now - u->asked_ms < ASK_AGAIN_MS)
        return; /* its answer tells what is so then */
    buf_reset(&x->out);
    buf_addf(&x->out, "<iq type='get' id='own-list' from='%s' to='", x->component);
    xml_escape(&x->out, u->jid, strlen(u->jid));
    buf_adds(&x->out, "'><query xmlns='" NS_ROSTER "'/></iq>");
    if (pres_pub_send(x))
        u->asked_ms = now > 0 ? now : 1;
}

static void on_list(struct pub_xmpp *x, struct pub_user *u, const struct pres_xml *query)
{
    struct map *before = u->watchers;
    struct pres_presence seen;
    struct pres_jid jid;
    pres_id id = pres_pub_account_person(x, u->jid);
    size_t pos = 0;
    if (u->resource_count == 0 || u->now.state == PRES_UNKNOWN || !x->show[u->now.state][0])
        return; /* that has passed */
    x->account->shown += u->told == 0;
    u->told = u->saying;
    u->watchers = map_new();
    for (const struct pres_xml *i = query->first; i && map_count(u->watchers) < LIST_MAX; i = i->next) {
        const char *sees = pres_xml_attr(i, "subscription");
        if (!sees || (strcmp(sees, "from") != 0 && strcmp(sees, "both") != 0) ||
            !pres_jid_parse(pres_xml_attr(i, "jid"), &jid) || jid.resource[0] ||
            strcmp(jid.domain, x->component) == 0 || map_get(u->watchers, jid.bare) || !seen_by(x, jid.bare, id, &seen))
            continue;
        char *kept = mem_strdup(jid.bare);
        map_put(u->watchers, kept, kept);
        send_to(x, u, kept, &seen);
    }
    for (const char *was; before && (was = map_next(before, &pos));)
        if (!map_get(u->watchers, was))
            send_to(x, u, was, NULL);
    watchers_free(&before);
}

/* False: this one is shown nothing now. */
static bool seen_by(const struct pub_xmpp *x, const char *jid, pres_id id, struct pres_presence *ret)
{
    return id != PRES_NOBODY && pres_pub_presence_for(x, jid, id, ret) && ret->state != PRES_UNKNOWN &&
           x->show[ret->state][0];
}

/* `seen` NULL: it is gone. */
static void send_to(struct pub_xmpp *x, const struct pub_user *u, const char *to, const struct pres_presence *seen)
{
    struct buf *out = &x->out;
    buf_reset(out);
    buf_adds(out, "<presence from='");
    xml_escape(out, u->jid, strlen(u->jid));
    buf_adds(out, "/" PUB_RESOURCE "' to='");
    xml_escape(out, to, strlen(to));
    if (seen) {
        buf_addf(out, "'><show>%s</show><status>", x->show[seen->state]);
        buf_reset(&x->words);
        pres_pub_text(x, seen, &x->words);
        xml_escape(out, x->words.data, x->words.len);
        buf_adds(out, "</status><priority>-1</priority></presence>");
    } else {
        buf_adds(out, "' type='unavailable'/>");
    }
    pres_pub_send(x);
}

static void withdraw(struct pub_xmpp *x, struct pub_user *u)
{
    size_t pos = 0;
    for (const char *to; u->watchers && (to = map_next(u->watchers, &pos));)
        send_to(x, u, to, NULL);
    watchers_free(&u->watchers);
    x->account->shown -= u->told != 0;
    u->told = 0;
}

static void watchers_free(struct map **watchers)
{
    size_t pos = 0;
    for (char *jid; *watchers && (jid = map_next(*watchers, &pos));)
        free(jid);
    if (*watchers)
        map_free(watchers);
}

static void user_free(struct pub_user *u)
{
    while (u->resource_count > 0)
        free(u->resources[--u->resource_count]);
    watchers_free(&u->watchers);
    free(u);
}
