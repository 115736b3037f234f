/*
 * dav_body: see dav_body.h. The reader follows base/xml's events with the depth and the element that it is inside of;
 * elements that it does not know are passed over with everything in them.
 *
 * A property's name is sent back in the answer. So one that cannot be written as it came (base/xml is forgiving about
 * names) is forgotten here: nobody misses it.
 */
#include "dav_body.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/xml.h"

#define DAV "DAV:"
#define CALDAV "urn:ietf:params:xml:ns:caldav"

enum { BODY_MAX = 128 * 1024, DEPTH_MAX = 24, TEXT_MAX = 2048, NAME_MAX_BYTES = 128 };

struct reader {
    struct xml_reader *xml;
    struct arena *arena;
    struct gw_dav_body *body;
    unsigned depth;
    const char *child; /* the root's child that is open, "" for one that means nothing to us */
    bool in_prop;      /* of that child: a property-search has a prop of its own */
    bool collects;     /* text */
    bool too_much;
    unsigned searched; /* properties of this property-search */
    struct buf text;
};

static bool on_start(void *arg, const char *ns, const char *name);
static bool on_end(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static bool start_root(struct reader *r, const char *ns, const char *name);
static bool start_child(struct reader *r, const char *ns, const char *name);
static bool start_grandchild(struct reader *r, const char *ns, const char *name);
static bool add_prop(struct reader *r, const char *ns, const char *name);
static void take_filter(struct reader *r, const char *name);
static const char *attr(struct reader *r, const char *name);
static void take_text(struct reader *r);
static bool writable(const char *ns, const char *name);
static bool stop(struct reader *r);

enum gw_dav_body_result gw_dav_body_read(const char *text, size_t len, struct arena *arena, struct gw_dav_body *ret)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    static const struct xml_limits limits = {.max_bytes = BODY_MAX, .max_depth = DEPTH_MAX};
    struct reader r = {.arena = arena, .body = ret, .child = ""};
    memset(ret, 0, sizeof *ret);
    ret->root = "";
    ret->all = true;
    if (len == 0)
        return GW_DAV_BODY_OK;
    if (len > BODY_MAX)
        return GW_DAV_BODY_TOO_MUCH;
    buf_init(&r.text, TEXT_MAX);
    r.xml = xml_reader_new(&handler, &r, &limits);
    enum xml_result result = xml_reader_feed(r.xml, text, len);
    if (result == XML_OK)
        result = xml_reader_finish(r.xml);
    xml_reader_free(&r.xml);
    buf_free(&r.text);
    if (r.too_much)
        return GW_DAV_BODY_TOO_MUCH;
    return result == XML_OK ? GW_DAV_BODY_OK : GW_DAV_BODY_BROKEN;
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct reader *r = arg;
    r->depth++;
    if (strcmp(ns, CALDAV) == 0)
        take_filter(r, name);
    switch (r->depth) {
    case 1:
        return start_root(r, ns, name);
    case 2:
        return start_child(r, ns, name);
    case 3:
        return start_grandchild(r, ns, name);
    case 4:
        if (r->in_prop) {
            struct gw_dav_match *m = &r->body->matches[r->body->match_count - 1];
            m->address =
                r->searched++ == 0 && strcmp(ns, CALDAV) == 0 && strcmp(name, "calendar-user-address-set") == 0;
        }
        return true;
    default:
        return true;
    }
}

static bool start_root(struct reader *r, const char *ns, const char *name)
{
    if ((strcmp(ns, DAV) != 0 && strcmp(ns, CALDAV) != 0) || !writable(ns, name))
        return false;
    r->body->root = arena_strndup(r->arena, name, strlen(name));
    size_t len;
    const char *test = xml_reader_attr(r->xml, "", "test", &len);
    r->body->any_of = test && len == 5 && memcmp(test, "anyof", 5) == 0;
    return r->body->root ? true : stop(r);
}

static bool start_child(struct reader *r, const char *ns, const char *name)
{
    static const char *const dav[] = {"prop", "property-search", "href", "sync-token"};
    r->child = "";
    if (strcmp(ns, DAV) != 0)
        return true;
    for (size_t i = 0; i < sizeof dav / sizeof dav[0]; i++)
        if (strcmp(name, dav[i]) == 0)
            r->child = dav[i];
    if (strcmp(name, "propname") == 0)
        r->body->names_only = true;
    if (strcmp(name, "prop") == 0)
        r->body->all = false;
    r->collects = strcmp(r->child, "href") == 0 || strcmp(r->child, "sync-token") == 0;
    if (strcmp(r->child, "property-search") == 0) {
        if (r->body->match_count == GW_DAV_MATCHES_MAX)
            return stop(r);
        r->body->matches[r->body->match_count++] = (struct gw_dav_match){.text = ""};
        r->searched = 0;
    }
    return true;
}

static bool start_grandchild(struct reader *r, const char *ns, const char *name)
{
    if (strcmp(r->child, "prop") == 0)
        return add_prop(r, ns, name);
    if (strcmp(r->child, "property-search") == 0 && strcmp(ns, DAV) == 0) {
        r->in_prop = strcmp(name, "prop") == 0;
        r->collects = strcmp(name, "match") == 0;
    }
    return true;
}

static bool add_prop(struct reader *r, const char *ns, const char *name)
{
    struct gw_dav_body *b = r->body;
    if (!writable(ns, name))
        return true;
    if (b->prop_count == GW_DAV_PROPS_MAX)
        return stop(r);
    struct gw_dav_name *p = &b->props[b->prop_count];
    p->ns = arena_strndup(r->arena, ns, strlen(ns));
    p->name = arena_strndup(r->arena, name, strlen(name));
    if (!p->ns || !p->name)
        return stop(r);
    b->prop_count++;
    return true;
}

/* Of a free-busy-query, or inside a calendar-query's filter. */
static void take_filter(struct reader *r, const char *name)
{
    if (strcmp(name, "time-range") == 0) {
        r->body->start = attr(r, "start");
        r->body->end = attr(r, "end");
    } else if (strcmp(name, "comp-filter") == 0) {
        const char *component = attr(r, "name");
        r->body->not_events |= component && strcmp(component, "VCALENDAR") != 0 && strcmp(component, "VEVENT") != 0;
    }
}

static const char *attr(struct reader *r, const char *name)
{
    size_t len;
    const char *value = xml_reader_attr(r->xml, "", name, &len);
    return value && len < NAME_MAX_BYTES ? arena_strndup(r->arena, value, len) : NULL;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct reader *r = arg;
    (void)ns, (void)name;
    if (r->collects && ((r->depth == 2 && strcmp(r->child, "property-search") != 0) ||
                        (r->depth == 3 && strcmp(r->child, "property-search") == 0)))
        take_text(r);
    if (r->depth <= 3)
        r->in_prop = false;
    r->depth--;
    return !r->too_much;
}

static void take_text(struct reader *r)
{
    struct gw_dav_body *b = r->body;
    const char *text = r->text.failed ? "" : arena_strndup(r->arena, r->text.data, r->text.len);
    r->collects = false;
    buf_reset(&r->text);
    if (!text)
        stop(r);
    else if (strcmp(r->child, "property-search") == 0)
        b->matches[b->match_count - 1].text = text;
    else if (strcmp(r->child, "sync-token") == 0)
        b->token = text;
    else if (b->href_count == GW_DAV_HREFS_MAX)
        stop(r);
    else
        b->hrefs[b->href_count++] = text;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct reader *r = arg;
    if (r->collects)
        buf_add(&r->text, text, len);
    return true;
}

/* ASCII is enough for every name that means something here. */
static bool writable(const char *ns, const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_BYTES || strlen(ns) > NAME_MAX_BYTES || isdigit((unsigned char)name[0]) ||
        name[0] == '-' || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_' && name[i] != '.')
            return false;
    return true;
}

static bool stop(struct reader *r)
{
    r->too_much = true;
    return false;
}
