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

static const struct dav_asked table[] = {
    {"exchange", "PROPFIND", "where the calendar is and whether it may be read", dav_asked_folder, NULL, NULL},
    {"exchange", "SEARCH", "the appointments of the window", dav_asked_search, dav_asked_search_end, NULL},
    {"exchange", "PROPFIND", "whether the calendar has changed", dav_asked_tag, NULL, NULL},
    {"exchange", "SUBSCRIBE", "to be told that a calendar has changed", NULL, NULL, "the number of a subscription"},
    {"exchange", "POLL", "which calendars have changed", NULL, NULL, "numbers of subscriptions"},
    {"exchange", "GET", "published free/busy of many people", NULL, NULL,
     "a digit for each quarter of an hour: free, tentative, busy, out of office"},
    {"exchange", "GET", "which mailbox an address belongs to, where it is not called after it", NULL, NULL,
     "the directory's entry; only the mailbox's name is looked at"},
    {"exchange", "POST", "logon by the form, where the server has one", NULL, NULL, "a cookie"},
    {"caldav", "PROPFIND", "who we are", dav_asked_principal, NULL, NULL},
    {"caldav", "PROPFIND", "where people are", dav_asked_roots, NULL, NULL},
    {"caldav", "REPORT", "whose an address is", dav_asked_whose, dav_asked_whose_end, NULL},
    {"caldav", "PROPFIND", "where a person's calendars are", dav_asked_person, NULL, NULL},
    {"caldav", "PROPFIND", "which calendars there are", dav_asked_calendars, NULL, NULL},
    {"caldav", "PROPFIND", "whether they have changed", dav_asked_poll, NULL, NULL},
    {"caldav", "REPORT", "which items have changed", dav_asked_changes, dav_asked_changes_end, NULL},
    {"caldav", "PROPFIND", "which items there are, where the server keeps no record of changes", dav_asked_etags, NULL,
     NULL},
    {"caldav", "REPORT",
     "items: the server sends them whole; start, end, recurrence, status, class, transparency and "
     "the person's own answer are looked at, everything else is passed over unread",
     dav_asked_items, NULL, NULL},
    {"caldav", "REPORT", "free/busy, where items may not be read", NULL, NULL, "busy periods with their kind"},
    {"caldav", "PROPFIND", "where free/busy of many people is asked", dav_asked_outbox, NULL, NULL},
    {"caldav", "POST", "free/busy of many people", NULL, NULL, "busy periods with their kind"},
    {"ifb", "HEAD", "whether the server is there", NULL, NULL, "headers"},
    {"ifb", "GET", "a person's free/busy file", NULL, NULL, "busy periods with their kind"},
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

void dav_asked_properties(const struct dav_asked *asked, void (*fn)(void *arg, const char *name), void *arg)
{
    const char *const texts[] = {asked->body, asked->more};
    struct reading r = {.fn = fn, .arg = arg, .body = asked->body};
    for (unsigned i = 0; i < 2; i++) {
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
