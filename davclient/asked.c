/*
 * asked: see davclient/asked.h. The texts are those that are sent; what is named in them is read out of them here, so
 * that nothing can be asked for that is not told. A request without a text says in words what it is answered with.
 */
#include "davclient/asked.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asked_bodies.h"
#include "base/mem.h"

enum { NAME_MAX_LEN = 300 };

/* Verb of HTTP, why. */
#define EXCHANGE(verb_, why_) .kind = "exchange", .verb = verb_, .why = why_
#define CALDAV(verb_, why_) .kind = "caldav", .verb = verb_, .why = why_
#define IFB(verb_, why_) .kind = "ifb", .verb = verb_, .why = why_

static const struct dav_asked table[] = {
    {EXCHANGE("PROPFIND", "where the calendar is and whether it may be read"), .body = dav_asked_folder},
    {EXCHANGE("SEARCH", "the appointments of the window"), .body = dav_asked_search, .marked = dav_asked_search_marks,
     .more = dav_asked_search_where, .last = dav_asked_search_end,
     .compared = "categories are compared with the markers, and thrown away"},
    {EXCHANGE("PROPFIND", "whether the calendar has changed"), .body = dav_asked_tag},
    {EXCHANGE("SUBSCRIBE", "to be told that a calendar has changed"), .told = "the number of a subscription"},
    {EXCHANGE("POLL", "which calendars have changed"), .told = "numbers of subscriptions"},
    {EXCHANGE("GET", "published free/busy of many people"),
     .told = "a digit for each quarter of an hour: free, tentative, busy, out of office"},
    {EXCHANGE("GET", "which mailbox an address belongs to, where it is not called after it"),
     .told = "the directory's entry; only the mailbox's name is looked at"},
    {EXCHANGE("POST", "logon by the form, where the server has one"), .told = "a cookie"},
    {CALDAV("PROPFIND", "who we are"), .body = dav_asked_principal},
    {CALDAV("PROPFIND", "where people are"), .body = dav_asked_roots},
    {CALDAV("REPORT", "whose an address is"), .body = dav_asked_whose, .more = dav_asked_whose_end},
    {CALDAV("PROPFIND", "where a person's calendars are"), .body = dav_asked_person},
    {CALDAV("PROPFIND", "which calendars there are"), .body = dav_asked_calendars},
    {CALDAV("PROPFIND", "whether they have changed"), .body = dav_asked_poll},
    {CALDAV("REPORT", "which items have changed"), .body = dav_asked_changes, .more = dav_asked_changes_end},
    {CALDAV("PROPFIND", "which items there are, where the server keeps no record of changes"),
     .body = dav_asked_etags},
    {CALDAV("REPORT", "items: the server sends them whole; start, end, recurrence, status, class, transparency and "
                      "the person's own answer are looked at, everything else is passed over unread"),
     .body = dav_asked_items, .compared = "categories are compared with the markers, and passed over"},
    {CALDAV("REPORT", "free/busy, where items may not be read"), .told = "busy periods with their kind"},
    {CALDAV("PROPFIND", "where free/busy of many people is asked"), .body = dav_asked_outbox},
    {CALDAV("POST", "free/busy of many people"), .told = "busy periods with their kind"},
    {IFB("HEAD", "whether the server is there"), .told = "headers"},
    {IFB("GET", "a person's free/busy file"), .told = "busy periods with their kind"},
};

struct reading {
    void (*fn)(void *arg, const char *name);
    void *arg;
    const char *body; /* of the namespaces */
};

static void read_elements(const struct reading *r, const char *text);
static void read_quoted(const struct reading *r, const char *text);
static void tell_element(const struct reading *r, const char *name, size_t len);

const struct dav_asked *dav_asked_at(size_t i)
{
    return i < sizeof table / sizeof table[0] ? &table[i] : NULL;
}

void dav_asked_properties(const struct dav_asked *asked, bool marked, void (*fn)(void *arg, const char *name),
                          void *arg)
{
    const char *const texts[] = {asked->body, marked ? asked->marked : NULL, asked->more, asked->last};
    struct reading r = {.fn = fn, .arg = arg, .body = asked->body};
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!texts[i])
            continue;
        if (strstr(asked->body, "<D:sql>"))
            read_quoted(&r, texts[i]);
        else
            read_elements(&r, texts[i]);
    }
}

/* Everything inside <D:prop>. */
static void read_elements(const struct reading *r, const char *text)
{
    for (const char *prop = strstr(text, "<D:prop>"); prop; prop = strstr(prop, "<D:prop>")) {
        const char *end = strstr(prop, "</D:prop>");
        for (const char *at = prop + strlen("<D:prop>"); end && at < end; at++) {
            size_t len = *at == '<' ? strcspn(at + 1, "/> ") : 0;
            if (len)
                tell_element(r, at + 1, len);
        }
        prop = end ? end : prop + 1;
    }
}

/* A query's, but the one empty text of SCOPE. */
static void read_quoted(const struct reading *r, const char *text)
{
    const char *at = strstr(text, "<D:sql>") ? strstr(text, "<D:sql>") : text;
    while ((at = strchr(at, '"'))) {
        size_t len = strcspn(at + 1, "\"");
        char name[NAME_MAX_LEN];
        if (len > 0) {
            snprintf(name, sizeof name, "%.*s", (int)len, at + 1);
            r->fn(r->arg, name);
        }
        at += len + 2;
    }
}

static void tell_element(const struct reading *r, const char *name, size_t len)
{
    const char *colon = memchr(name, ':', len);
    char key[40], full[NAME_MAX_LEN];
    snprintf(key, sizeof key, "xmlns:%.*s=\"", colon ? (int)(colon - name) : 0, name);
    const char *ns = strstr(r->body, key);
    size_t ns_len = ns ? strcspn(ns + strlen(key), "\"") : 0;
    const char *local = colon ? colon + 1 : name;
    snprintf(full, sizeof full, "{%.*s}%.*s", (int)ns_len, ns ? ns + strlen(key) : "", (int)(name + len - local),
             local);
    r->fn(r->arg, full);
}
