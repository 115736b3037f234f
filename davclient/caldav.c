/*
 * caldav: the flavour that speaks CalDAV (RFC 4791). Events are read whole and expanded here (ical.c): of the servers
 * one meets, some compute free/busy wrongly, some leave out what recurs, and Radicale answers the question with
 * nothing.
 *
 * A person's calendars follow from the account's path templates, or from the person's own path. Each is looked at once
 * a day (is it a calendar, does it count, whose is it, which zone; a home is replaced by the calendars in it) and what
 * was found travels with the question as `remember`. Then each is read with one calendar-query for its events, and
 * another where it may hold VFREEBUSY; its resources are expanded as they arrive and not kept. The answer is the union;
 * one calendar that cannot be read makes all of it a failure, because what it hides might be a meeting.
 */
#include "caldav.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/str.h"
#include "base/utc.h"
#include "url.h"

#define CALDAV_NS "urn:ietf:params:xml:ns:caldav"
#define RESOURCE_MAX (4U * 1024 * 1024) /* one event with all its overrides */
#define TIMEZONE_MAX 65536
#define MARGIN_S (2 * 86400) /* servers disagree on where floating times and dates are */
#define ZONE_NAME_MAX 64

enum { LOOK_TYPE, LOOK_OWNER, LOOK_SELF, LOOK_TIMEZONE, LOOK_TIMEZONE_ID, LOOK_TRANSP, LOOK_COMPONENTS };
static const struct dav_ms_prop look_props[] = {
    [LOOK_TYPE] = {"DAV:", "resourcetype", 1024, DAV_MS_NAMES},
    [LOOK_OWNER] = {"DAV:", "owner", 2048, DAV_MS_TEXT},
    [LOOK_SELF] = {"DAV:", "current-user-principal", 2048, DAV_MS_TEXT},
    [LOOK_TIMEZONE] = {CALDAV_NS, "calendar-timezone", TIMEZONE_MAX, DAV_MS_TEXT},
    [LOOK_TIMEZONE_ID] = {CALDAV_NS, "calendar-timezone-id", ZONE_NAME_MAX, DAV_MS_TEXT},
    [LOOK_TRANSP] = {CALDAV_NS, "schedule-calendar-transp", 256, DAV_MS_NAMES},
    [LOOK_COMPONENTS] = {CALDAV_NS, "supported-calendar-component-set", 1024, DAV_MS_NAMES},
};
static const struct dav_ms_spec look_spec = {look_props, sizeof(look_props) / sizeof(look_props[0])};

static const struct dav_ms_prop read_props[] = {{CALDAV_NS, "calendar-data", RESOURCE_MAX, DAV_MS_TEXT}};
static const struct dav_ms_spec read_spec = {read_props, 1};

#define XML "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
#define LOOK_BODY                                                                                                      \
    XML "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"" CALDAV_NS                                                            \
        "\"><D:prop><D:resourcetype/><D:owner/><D:current-user-principal/>"                                            \
        "<C:calendar-timezone/><C:calendar-timezone-id/><C:schedule-calendar-transp/"                                  \
        "><C:supported-calendar-component-set/>"                                                                       \
        "</D:prop></D:propfind>"

static const char *const depth_0[] = {"Depth: 0", "Content-Type: application/xml; charset=utf-8", NULL};
static const char *const depth_1[] = {"Depth: 1", "Content-Type: application/xml; charset=utf-8", NULL};
static const char probe_body[] =
    XML "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:current-user-principal/></D:prop></D:propfind>";

static void identify(const struct fetch *fetch, char *product, size_t size);
static const char *judge_probe(const struct dav_reply *reply, bool logged_on);
static void begin(struct dav_query *q);
static void answer(struct dav_query *q, const struct dav_reply *reply);
static void end(struct dav_query *q);
static struct dav_ical *new_ical(struct dav_caldav *c);
static bool on_span(void *arg, const struct dav_span *span);
static void look(struct dav_caldav *c, const char *const *headers);
static bool on_look(void *arg, const struct dav_ms_response *response);
static void after_look(struct dav_caldav *c, const struct dav_reply *reply);
static bool counts(const struct dav_ms_response *response);
static bool may_hold(const struct dav_ms_response *response, const char *component);
static bool has_name(const struct dav_ms_value *value, const char *name);
static void check_owner(struct dav_caldav *c, const struct dav_ms_response *response);
static bool is_own_account(const struct dav_caldav *c);
static void add_found(struct dav_caldav *c, const char *path, const struct dav_ms_response *response);
static void next_source(struct dav_caldav *c);
static void read_calendar(struct dav_caldav *c);
static void set_zone(struct dav_caldav *c);
static void ask_report(struct dav_caldav *c, enum dav_caldav_phase phase, const char *filter);
static bool on_resource(void *arg, const struct dav_ms_response *response);
static void after_read(struct dav_caldav *c);
static void refuse(struct dav_caldav *c, const struct dav_reply *reply);

const struct dav_flavour dav_caldav_flavour = {
    .name = "caldav",
    .probe_headers = depth_0,
    .probe_body = probe_body,
    .identify = identify,
    .judge_probe = judge_probe,
    .begin = begin,
    .answer = answer,
    .end = end,
};

/* Radicale names only the Python server it runs in, but no other server has this line of DAV classes. */
static void identify(const struct fetch *fetch, char *product, size_t size)
{
    const char *server = fetch_header(fetch, "Server", 0), *davical = fetch_header(fetch, "X-DAViCal-Version", 0);
    const char *dav = fetch_header(fetch, "DAV", 0);

    if (davical != NULL)
        str_printable(davical, strcspn(davical, ";"), product, size);
    else if (server != NULL && str_starts(server, "WSGIServer") && dav != NULL && strstr(dav, "extended-mkcol") != NULL)
        snprintf(product, size, "Radicale");
    else if (server != NULL && server[0] != '\0')
        str_printable(server, strcspn(server, " "), product, size);
}

/*
 * Only a 207 proves WebDAV, but the root of some servers is closed to everybody, or is no collection, while the
 * calendars below it are there; what that means is seen with the first person.
 */
static const char *judge_probe(const struct dav_reply *reply, bool logged_on)
{
    (void)logged_on;
    switch (reply->status) {
    case 207:
    case 403:
    case 404:
        return NULL;
    case 405:
    case 501:
        return "webdav-missing";
    default:
        return reply->status >= 200 && reply->status <= 299 ? NULL : dav_reply_code(reply);
    }
}

static void begin(struct dav_query *q)
{
    struct dav_caldav *c = arena_alloc(dav_query_arena(q), sizeof(*c));

    if (c == NULL) {
        dav_query_fail(q, "answer-too-large", "no room for the question");
        return;
    }
    dav_query_set_state(q, c);
    c->q = q;
    c->ical = new_ical(c);
    dav_caldav_sources(c);
    if (c->ical == NULL || c->sources == NULL || c->lost) {
        dav_query_fail(q, "config-account", "%s",
                       c->ical == NULL ? "the zone is not known on this machine"
                       : c->lost       ? "a path of calendars cannot be used for this person"
                                       : "no path leads to this person's calendar: set calendars or path");
        return;
    }
    c->from_memory = dav_caldav_recall(c);
    if (c->from_memory) {
        c->at = c->found;
        read_calendar(c);
    } else {
        c->at = c->sources;
        look(c, depth_0);
    }
}

static void answer(struct dav_query *q, const struct dav_reply *reply)
{
    struct dav_caldav *c = dav_query_state(q);

    if (c->phase >= DAV_READING && c->from_memory && (reply->status == 404 || reply->status == 410)) {
        /* It was there yesterday: look again from the beginning. */
        dav_query_clear_spans(q);
        dav_query_remember(q, "");
        c->from_memory = false;
        dav_caldav_forget(c);
        c->at = c->sources;
        look(c, depth_0);
        return;
    }
    if (!reply->multistatus)
        refuse(c, reply);
    else if (c->phase >= DAV_READING)
        after_read(c);
    else
        after_look(c, reply);
}

static void end(struct dav_query *q)
{
    struct dav_caldav *c = dav_query_state(q);

    if (c != NULL)
        dav_ical_free(&c->ical);
}

static struct dav_ical *new_ical(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    const struct dav_account *account = dav_query_account(c->q);
    struct dav_ical_setup setup = {.from = question->from, .until = question->until, .on_span = on_span, .arg = c->q};
    const char *owners[64];
    size_t n = 0;

    owners[n++] = question->address;
    for (size_t i = 0; question->aliases != NULL && question->aliases[i] != NULL && n < 63; i++)
        owners[n++] = question->aliases[i];
    owners[n] = NULL;
    setup.owners = owners;
    setup.zone = question->zone != NULL ? question->zone : account->zone;
    setup.max_bytes = RESOURCE_MAX;
    return dav_ical_new(&setup);
}

static bool on_span(void *arg, const struct dav_span *span)
{
    return dav_query_span(arg, span);
}

static void look(struct dav_caldav *c, const char *const *headers)
{
    struct dav_ask ask = {.method = "PROPFIND",
                          .url = c->at->path,
                          .headers = headers,
                          .body = LOOK_BODY,
                          .body_len = sizeof(LOOK_BODY) - 1,
                          .spec = &look_spec,
                          .on_response = on_look,
                          .compressed = true};

    c->phase = headers == depth_0 ? DAV_LOOKING : DAV_LISTING;
    c->homes = 0;
    c->rows = 0;
    c->owner_problem = NULL;
    dav_query_send(c->q, &ask);
}

/* One answer for a calendar; for a home one for itself and one for each member. */
static bool on_look(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    bool calendar = has_name(&response->value[LOOK_TYPE], "calendar");
    struct buf path;

    c->rows++;
    if (c->phase == DAV_LOOKING && c->rows == 1 && calendar) {
        check_owner(c, response);
        if (counts(response))
            add_found(c, c->at->path, response);
        c->homes++; /* it is one, even if it does not count */
    } else if (c->phase == DAV_LISTING && calendar) {
        buf_init(&path, DAV_URL_PATH_MAX);
        if (dav_url_path_of(&path, response->href, response->href_len, true) &&
            !dav_url_path_equal(path.data, c->at->path)) {
            check_owner(c, response);
            c->homes++;
            if (counts(response))
                add_found(c, path.data, response);
        }
        buf_free(&path);
    }
    return true;
}

static void after_look(struct dav_caldav *c, const struct dav_reply *reply)
{
    if (c->owner_problem != NULL) {
        dav_query_fail(c->q, "calendar-forbidden", "%s", c->owner_problem);
    } else if (c->lost) {
        dav_query_fail(c->q, "answer-too-large", "more than %d calendars, the last at %s", DAV_CALENDARS_MAX,
                       reply->path);
    } else if (c->homes == 0 && c->phase == DAV_LOOKING && c->rows > 0) {
        look(c, depth_1); /* a home, or nothing */
    } else if (c->homes == 0) {
        dav_query_fail(c->q, "calendar-not-found", "no calendar at %s", reply->path);
    } else {
        next_source(c);
    }
}

/* RFC 6638 9.1, RFC 4791 5.2.3. */
static bool counts(const struct dav_ms_response *response)
{
    return !has_name(&response->value[LOOK_TRANSP], "transparent") &&
           (may_hold(response, "comp=VEVENT") || may_hold(response, "comp=VFREEBUSY"));
}

/* Without the property everything may be in there (RFC 4791 5.2.3). */
static bool may_hold(const struct dav_ms_response *response, const char *component)
{
    const struct dav_ms_value *components = &response->value[LOOK_COMPONENTS];

    return components->text == NULL || components->text[0] == '\0' || has_name(components, component);
}

static bool has_name(const struct dav_ms_value *value, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = value->text; at != NULL && *at != '\0';) {
        size_t word = strcspn(at, " ");

        if (word == len && strncasecmp(at, name, len) == 0)
            return true;
        at += word;
        at += strspn(at, " ");
    }
    return false;
}

/*
 * Some servers show the asker's own calendar in place of somebody else's (Cyrus does with homes): an empty one would
 * make the person look free.
 */
static void check_owner(struct dav_caldav *c, const struct dav_ms_response *response)
{
    const struct dav_ms_value *owner = &response->value[LOOK_OWNER], *self = &response->value[LOOK_SELF];
    struct buf a, b;

    if (owner->text == NULL || self->text == NULL || owner->len == 0 || self->len == 0 || is_own_account(c))
        return;
    buf_init(&a, DAV_URL_PATH_MAX);
    buf_init(&b, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&a, owner->text, owner->len, true) && dav_url_path_of(&b, self->text, self->len, true) &&
        dav_url_path_equal(a.data, b.data))
        c->owner_problem = "the calendar there belongs to the service account itself";
    buf_free(&a);
    buf_free(&b);
}

/* Is the person asked about the service account? Then its own calendar is what we want. */
static bool is_own_account(const struct dav_caldav *c)
{
    const char *address = dav_query_question(c->q)->address, *user = dav_query_account(c->q)->user;
    const char *slash = strrchr(user, '\\');
    size_t local = strcspn(address, "@"), len;

    user = slash != NULL ? slash + 1 : user;
    len = strcspn(user, "@");
    return local == len && strncasecmp(address, user, len) == 0;
}

/* A name is preferred to the definition that comes with it: names are what is remembered, and today must not differ
 * from tomorrow. */
static void add_found(struct dav_caldav *c, const char *path, const struct dav_ms_response *response)
{
    const struct dav_ms_value *id = &response->value[LOOK_TIMEZONE_ID], *zone = &response->value[LOOK_TIMEZONE];
    struct arena *arena = dav_query_arena(c->q);
    struct dav_calendar *f = arena_alloc(arena, sizeof(*f));
    char name[ZONE_NAME_MAX + 1];

    if (f == NULL || ++c->count > DAV_CALENDARS_MAX || (f->path = arena_strndup(arena, path, strlen(path))) == NULL) {
        c->lost = true;
        return;
    }
    if (id->text != NULL && !id->cut && id->len > 0 && dav_ical_knows_zone(c->ical, id->text))
        f->zone = arena_strndup(arena, id->text, id->len);
    else if (zone->text != NULL && !zone->cut && dav_ical_timezone_id(zone->text, zone->len, name, sizeof(name)) &&
             dav_ical_knows_zone(c->ical, name))
        f->zone = arena_strndup(arena, name, strlen(name));
    else if (zone->text != NULL && !zone->cut && zone->len > 0)
        f->timezone = arena_strndup(arena, zone->text, zone->len);
    f->freebusy = may_hold(response, "comp=VFREEBUSY");
    *c->found_end = f;
    c->found_end = &f->next;
}

static void next_source(struct dav_caldav *c)
{
    c->at = c->at->next;
    if (c->at != NULL) {
        look(c, depth_0);
        return;
    }
    dav_query_passed(c->q, DAV_STEP_MAILBOX, NULL);
    if (c->found == NULL) {
        dav_query_passed(c->q, DAV_STEP_CALENDAR, "no calendar counts for free/busy");
        dav_query_succeed(c->q);
        return;
    }
    dav_query_passed(c->q, DAV_STEP_CALENDAR, "%u, the first at %s", c->count, c->found->path);
    dav_caldav_remember(c);
    c->at = c->found;
    read_calendar(c);
}

/* Servers look for floating events and dates in whatever zone they like: the window is asked for with a margin. */
static void read_calendar(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    char start[UTC_TEXT_MAX], until[UTC_TEXT_MAX], filter[256];

    set_zone(c);
    snprintf(filter, sizeof(filter),
             "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"%s\" end=\"%s\"/></C:comp-filter>",
             utc_basic(question->from - MARGIN_S, start), utc_basic(question->until + MARGIN_S, until));
    ask_report(c, DAV_READING, filter);
}

/* The calendar's own zone, else the question's, else the account's. */
static void set_zone(struct dav_caldav *c)
{
    const char *zone = dav_query_question(c->q)->zone;

    if (c->at->timezone != NULL && dav_ical_set_timezone(c->ical, c->at->timezone, strlen(c->at->timezone)))
        return;
    if (c->at->zone != NULL && dav_ical_set_zone(c->ical, c->at->zone))
        return;
    if (zone == NULL)
        zone = dav_query_account(c->q)->zone;
    dav_ical_set_zone(c->ical, zone != NULL ? zone : "UTC");
}

static void ask_report(struct dav_caldav *c, enum dav_caldav_phase phase, const char *filter)
{
    struct dav_ask ask = {.method = "REPORT",
                          .url = c->at->path,
                          .headers = depth_1,
                          .spec = &read_spec,
                          .on_response = on_resource,
                          .compressed = true};
    struct buf body;

    c->phase = phase;
    c->rows = 0;
    c->good = 0;
    buf_init(&body, 2048);
    buf_addf(&body,
             XML "<C:calendar-query xmlns:D=\"DAV:\" xmlns:C=\"" CALDAV_NS "\"><D:prop><C:calendar-data/></D:prop>"
                 "<C:filter><C:comp-filter name=\"VCALENDAR\">%s</C:comp-filter></C:filter></C:calendar-query>",
             filter);
    ask.body = arena_strndup(dav_query_arena(c->q), body.data, body.len);
    ask.body_len = body.len;
    buf_free(&body);
    if (ask.body == NULL)
        dav_query_fail(c->q, "answer-too-large", "no room for the question");
    else
        dav_query_send(c->q, &ask);
}

/* A resource that is no calendar, or comes without its data, is an item left out; all of them make the answer
 * worthless. */
static bool on_resource(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    const struct dav_ms_value *data = &response->value[0];
    enum dav_ical_verdict verdict = DAV_ICAL_NOT_CALENDAR;

    c->rows++;
    if (response->status < 400 && data->text != NULL)
        verdict = data->cut ? DAV_ICAL_TOO_LARGE : dav_ical_read(c->ical, data->text, data->len);
    for (; c->skipped < dav_ical_skipped(c->ical); c->skipped++)
        dav_query_skip(c->q);
    if (verdict == DAV_ICAL_STOPPED)
        return false; /* too many spans; the query knows */
    if (verdict == DAV_ICAL_OK)
        c->good++;
    else
        dav_query_skip(c->q);
    return true;
}

static void after_read(struct dav_caldav *c)
{
    if (c->rows > 0 && c->good == 0) {
        dav_query_fail(c->q, "answer-malformed", "%u resources, and not one readable calendar among them", c->rows);
        return;
    }
    if (c->phase == DAV_READING && c->at->freebusy) {
        ask_report(c, DAV_READING_FREEBUSY, "<C:comp-filter name=\"VFREEBUSY\"/>");
        return;
    }
    c->at = c->at->next;
    if (c->at != NULL)
        read_calendar(c);
    else
        dav_query_succeed(c->q);
}

/* Anything but a 207 says nothing about busy time. */
static void refuse(struct dav_caldav *c, const struct dav_reply *reply)
{
    const char *code = dav_reply_code(reply);

    if (reply->status == 404 || reply->status == 410)
        code = "calendar-not-found";
    else if (c->phase >= DAV_READING && (reply->status == 405 || reply->status == 501))
        code = "query-refused";
    else if (code == NULL)
        code = "answer-malformed";
    dav_query_fail(c->q, code, "%s %s: %d", c->phase >= DAV_READING ? "REPORT" : "PROPFIND", c->at->path,
                   reply->status);
}
