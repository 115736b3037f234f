/*
 * caldav_look: which calendars a source has, and whether anything in them has changed. One PROPFIND asks for both; once
 * a day it also asks what does not change (zones, which are long), and a source that turns out to be no calendar is
 * taken for a home and listed. On all other days the same PROPFIND without the zones is the poll: when the calendars
 * it shows are not those we know, everything is looked at again. Where a home shows its scheduling inbox, the person's
 * working hours come with it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "asked_bodies.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/utc.h"
#include "caldav.h"
#include "url.h"

#define TIMEZONE_MAX 65536
#define AVAILABILITY_MAX 65536
#define ZONE_NAME_MAX 64
#define TOKEN_MAX 1024
#define SETTLED_S 2 /* a token that names its second is final after it */

enum { TYPE, OWNER, SELF, TRANSP, COMPONENTS, CTAG, TOKEN, AVAILABILITY, TIMEZONE, TIMEZONE_ID, LOOK_PROPS };
#define POLL_PROPS TIMEZONE
static const struct dav_ms_prop props[LOOK_PROPS] = {
    [TYPE] = {"DAV:", "resourcetype", 1024, DAV_MS_NAMES},
    [OWNER] = {"DAV:", "owner", 2048, DAV_MS_TEXT},
    [SELF] = {"DAV:", "current-user-principal", 2048, DAV_MS_TEXT},
    [TRANSP] = {DAV_CALDAV_NS, "schedule-calendar-transp", 256, DAV_MS_NAMES},
    [COMPONENTS] = {DAV_CALDAV_NS, "supported-calendar-component-set", 1024, DAV_MS_NAMES},
    [CTAG] = {"http://calendarserver.org/ns/", "getctag", TOKEN_MAX, DAV_MS_TEXT},
    [TOKEN] = {"DAV:", "sync-token", TOKEN_MAX, DAV_MS_TEXT},
    [AVAILABILITY] = {DAV_CALDAV_NS, "calendar-availability", AVAILABILITY_MAX, DAV_MS_TEXT},
    [TIMEZONE] = {DAV_CALDAV_NS, "calendar-timezone", TIMEZONE_MAX, DAV_MS_TEXT},
    [TIMEZONE_ID] = {DAV_CALDAV_NS, "calendar-timezone-id", ZONE_NAME_MAX, DAV_MS_TEXT},
};
static const struct dav_ms_spec look_spec = {props, LOOK_PROPS};
static const struct dav_ms_spec poll_spec = {props, POLL_PROPS};

#define PROPFIND(more)                                                                                                 \
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"" DAV_CALDAV_NS                                             \
                   "\" xmlns:S=\"http://calendarserver.org/ns/\"><D:prop><D:resourcetype/><D:owner/>"                  \
                   "<D:current-user-principal/><C:schedule-calendar-transp/>"                                          \
                   "<C:supported-calendar-component-set/><S:getctag/><D:sync-token/>"                  \
                   "<C:calendar-availability/>" more "</D:prop></D:propfind>"
const char dav_asked_calendars[] = PROPFIND("<C:calendar-timezone/><C:calendar-timezone-id/>");
const char dav_asked_poll[] = PROPFIND("");

static void ask(struct dav_caldav *c, enum dav_caldav_phase phase);
static bool on_row(void *arg, const struct dav_ms_response *response);
static void on_calendar(struct dav_caldav *c, const char *path, const struct dav_ms_response *response);
static void after_look(struct dav_caldav *c, const struct dav_reply *reply);
static void all_looked(struct dav_caldav *c);
static void ask_zones(struct dav_caldav *c);
static void after_poll(struct dav_caldav *c);
static void mark_unsure(struct dav_caldav *c, const struct dav_reply *reply);
static bool parse_date(const char *text, int64_t *ret);
static bool counts(const struct dav_ms_response *response);
static bool has_name(const struct dav_ms_value *value, const char *name);
static void take_availability(struct dav_caldav *c, const struct dav_ms_response *response);
static void check_owner(struct dav_caldav *c, const struct dav_ms_response *response);
static void check_found_owner(struct dav_caldav *c, const struct dav_ms_value *owner);
static bool same_path(const struct dav_ms_value *a, const char *b);
static struct dav_calendar *add_found(struct dav_caldav *c, const char *path);
static void take_zone(struct dav_caldav *c, struct dav_calendar *f, const struct dav_ms_response *response);
static void take_tokens(struct dav_caldav *c, struct dav_calendar *f, const struct dav_ms_response *response);
static const char *take_token(struct dav_caldav *c, const struct dav_ms_value *value);
static void begin_reading(struct dav_caldav *c);

void dav_caldav_look(struct dav_caldav *c)
{
    ask(c, DAV_LOOKING);
}

void dav_caldav_poll(struct dav_caldav *c)
{
    c->source = c->sources;
    while (c->source != NULL && c->source->form == DAV_BUSY_ONLY)
        c->source = c->source->next;
    if (c->source != NULL)
        ask(c, DAV_POLLING);
    else
        begin_reading(c);
}

void dav_caldav_looked(struct dav_caldav *c, const struct dav_reply *reply)
{
    struct dav_calendar *f;

    if (c->phase == DAV_ASKING_ZONE) {
        c->at = c->at->next;
        ask_zones(c);
        return;
    }
    if (reply->multistatus) {
        mark_unsure(c, reply);
        if (c->phase == DAV_POLLING)
            after_poll(c);
        else
            after_look(c, reply);
        return;
    }
    if (reply->status != 403 || c->phase == DAV_POLLING || dav_caldav_is_like_home(c, c->source->path)) {
        dav_caldav_refuse(c, reply);
        return;
    }
    /* Its properties are closed to us; when and whether the person is busy may still be open (RFC 4791 6.1.1). */
    c->source->form = DAV_BUSY_ONLY;
    f = add_found(c, c->source->path);
    if (f != NULL)
        all_looked(c);
    else
        after_look(c, reply);
}

static void ask(struct dav_caldav *c, enum dav_caldav_phase phase)
{
    bool poll = phase == DAV_POLLING;
    bool deep = phase == DAV_LISTING || (poll && c->source->form == DAV_A_HOME);
    struct dav_ask ask = {.method = "PROPFIND",
                          .url = c->source->path,
                          .headers = deep ? dav_caldav_depth_1 : dav_caldav_depth_0,
                          .body = poll ? dav_asked_poll : dav_asked_calendars,
                          .body_len = poll ? sizeof(dav_asked_poll) - 1 : sizeof(dav_asked_calendars) - 1,
                          .spec = poll ? &poll_spec : &look_spec,
                          .on_response = on_row,
                          .compressed = true};

    c->phase = phase;
    c->homes = 0;
    c->rows = 0;
    c->owner_problem = NULL;
    dav_query_send(c->q, &ask);
}

/* One answer for a calendar; for a home one for itself and one for each member. */
static bool on_row(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    bool calendar = has_name(&response->value[TYPE], "calendar");
    bool deep = c->phase == DAV_LISTING || (c->phase == DAV_POLLING && c->source->form == DAV_A_HOME);
    struct buf path;

    c->rows++;
    if (c->phase == DAV_ASKING_ZONE && c->rows == 1)
        take_zone(c, c->at, response);
    if (deep && response->value[AVAILABILITY].text != NULL && has_name(&response->value[TYPE], "schedule-inbox"))
        take_availability(c, response);
    if (c->phase == DAV_ASKING_ZONE || !calendar || response->status >= 400)
        return true;
    if (!deep) {
        if (c->rows == 1)
            on_calendar(c, c->source->path, response);
        return true;
    }
    buf_init(&path, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&path, response->href, response->href_len, true) &&
        !dav_url_path_equal(path.data, c->source->path))
        on_calendar(c, path.data, response);
    buf_free(&path);
    return true;
}

static void on_calendar(struct dav_caldav *c, const char *path, const struct dav_ms_response *response)
{
    struct dav_calendar *f = NULL;

    c->homes++; /* it is one, even if it does not count */
    check_owner(c, response);
    if (!counts(response))
        return;
    if (c->phase == DAV_POLLING) {
        for (f = c->found; f != NULL; f = f->next)
            if (f->source == c->source && dav_url_path_equal(f->path, path))
                break;
        if (f == NULL)
            c->moved = true;
    } else {
        f = add_found(c, path);
        if (f != NULL)
            take_zone(c, f, response);
    }
    if (f != NULL)
        take_tokens(c, f, response);
}

static void after_look(struct dav_caldav *c, const struct dav_reply *reply)
{
    if (c->owner_problem != NULL) {
        dav_query_fail(c->q, "calendar-forbidden", "%s", c->owner_problem);
    } else if (c->lost) {
        dav_query_fail(c->q, "answer-too-large", "more than %d calendars, the last at %s", DAV_CALENDARS_MAX,
                       reply->path);
    } else if (c->homes == 0 && c->phase == DAV_LOOKING && c->rows > 0) {
        ask(c, DAV_LISTING); /* a home, or nothing */
    } else if (c->homes == 0) {
        dav_query_fail(c->q, "calendar-not-found", "no calendar at %s", reply->path);
    } else {
        c->source->form = c->phase == DAV_LISTING ? DAV_A_HOME : DAV_A_CALENDAR;
        dav_caldav_moved_to(c, c->source, reply->path);
        if (c->lost)
            dav_query_fail(c->q, "answer-too-large", "no room for the question");
        else
            all_looked(c);
    }
}

/* Who sends us elsewhere once will do so each time: Cyrus shows shared calendars below the asker's home. */
void dav_caldav_moved_to(struct dav_caldav *c, struct dav_source *source, const char *path)
{
    struct buf folder;

    buf_init(&folder, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&folder, path, strlen(path), true) && !dav_url_path_equal(folder.data, source->path)) {
        for (struct dav_calendar *f = c->found; f != NULL; f = f->next)
            if (f->source == source && source->form != DAV_A_HOME)
                f->path = dav_caldav_keep(c, folder.data, folder.len);
        source->path = dav_caldav_keep(c, folder.data, folder.len);
    }
    buf_free(&folder);
}

static void all_looked(struct dav_caldav *c)
{
    c->source = c->source->next;
    if (c->source != NULL) {
        ask(c, DAV_LOOKING);
        return;
    }
    c->at = c->found;
    ask_zones(c);
}

/* DAViCal tells the zone of a calendar to who asks that calendar, not in the list of its home. */
static void ask_zones(struct dav_caldav *c)
{
    struct dav_ask ask = {.method = "PROPFIND",
                          .headers = dav_caldav_depth_0,
                          .body = dav_asked_calendars,
                          .body_len = sizeof(dav_asked_calendars) - 1,
                          .spec = &look_spec,
                          .on_response = on_row,
                          .compressed = true};

    while (c->at != NULL && (c->at->source->form != DAV_A_HOME || c->at->zone != NULL || c->at->timezone != NULL))
        c->at = c->at->next;
    if (c->at != NULL) {
        c->phase = DAV_ASKING_ZONE;
        c->rows = 0;
        ask.url = c->at->path;
        dav_query_send(c->q, &ask);
        return;
    }
    dav_query_passed(c->q, DAV_STEP_MAILBOX, NULL);
    if (c->found == NULL)
        dav_query_passed(c->q, DAV_STEP_CALENDAR, "no calendar counts for free/busy");
    else
        dav_query_passed(c->q, DAV_STEP_CALENDAR, "%u, the first at %s", c->count, c->found->path);
    dav_caldav_remember(c);
    begin_reading(c);
}

static void after_poll(struct dav_caldav *c)
{
    for (const struct dav_calendar *f = c->found; f != NULL; f = f->next)
        if (f->source == c->source && !f->seen)
            c->moved = true;
    if (c->moved || c->owner_problem != NULL) {
        dav_caldav_restart(c);
        return;
    }
    do
        c->source = c->source->next;
    while (c->source != NULL && c->source->form == DAV_BUSY_ONLY);
    if (c->source != NULL)
        ask(c, DAV_POLLING);
    else
        begin_reading(c);
}

static void begin_reading(struct dav_caldav *c)
{
    c->at = c->found;
    dav_caldav_go_on(c);
}

/*
 * Some servers' token is the second of the last change (SOGo's): another change in the same second does not alter it.
 * Such a token is believed when it was old already as the answer was written.
 */
static void mark_unsure(struct dav_caldav *c, const struct dav_reply *reply)
{
    const char *date = dav_reply_header(reply, "Date");
    int64_t now, token;

    if (date == NULL || !parse_date(date, &now))
        now = dav_query_now(c->q);
    for (struct dav_calendar *f = c->found; f != NULL; f = f->next)
        if (f->source == c->source && f->token != NULL && str_to_int(f->token, 1000000000, 99999999999, &token))
            f->unsure = token > now - SETTLED_S && token <= now + SETTLED_S;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_date(const char *text, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, year, hour, minute, second;
    char month[4];
    const char *found;

    if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d", &day, month, &year, &hour, &minute, &second) != 6 ||
        strlen(month) != 3 || (found = strstr(months, month)) == NULL || (found - months) % 3 != 0)
        return false;
    *ret = utc_from_civil(year, (int)(found - months) / 3 + 1, day, hour, minute, second);
    return true;
}

/* RFC 6638 9.1, RFC 4791 5.2.3: without the set everything may be in there. */
static bool counts(const struct dav_ms_response *response)
{
    const struct dav_ms_value *components = &response->value[COMPONENTS];
    bool any = components->text == NULL || components->text[0] == '\0';

    return !has_name(&response->value[TRANSP], "transparent") &&
           (any || has_name(components, "comp=VEVENT") || has_name(components, "comp=VFREEBUSY") ||
            has_name(components, "comp=VAVAILABILITY"));
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

/* The property of a scheduling inbox in which a person's working hours are kept (RFC 7953 7.2.4). */
static void take_availability(struct dav_caldav *c, const struct dav_ms_response *response)
{
    const struct dav_ms_value *value = &response->value[AVAILABILITY], *owner = &response->value[OWNER];
    struct dav_availability *a;

    if (value->len == 0 || (c->source->owner != NULL && owner->text != NULL && !same_path(owner, c->source->owner)))
        return;
    a = arena_alloc(dav_query_arena(c->q), sizeof(*a));
    if (a == NULL || (a->text = dav_caldav_keep(c, value->text, value->len)) == NULL) {
        c->lost = true;
        return;
    }
    a->len = value->len;
    a->cut = value->cut;
    a->next = c->availability;
    c->availability = a;
}

/*
 * Some servers show the asker's own calendar in place of somebody else's (Cyrus does with homes): an empty one would
 * make the person look free. Where the person's principal is known, the owner must be that one.
 */
static void check_owner(struct dav_caldav *c, const struct dav_ms_response *response)
{
    const struct dav_ms_value *owner = &response->value[OWNER], *self = &response->value[SELF];
    struct buf path;

    if (c->source->owner != NULL) {
        check_found_owner(c, owner);
        return;
    }
    if (owner->text == NULL || self->text == NULL || owner->len == 0 || self->len == 0 || dav_caldav_is_own_account(c))
        return;
    buf_init(&path, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&path, self->text, self->len, true) && same_path(owner, path.data))
        c->owner_problem = "the calendar there belongs to the service account itself";
    buf_free(&path);
}

static void check_found_owner(struct dav_caldav *c, const struct dav_ms_value *owner)
{
    if (owner->text == NULL || owner->len == 0)
        c->owner_problem = "the server does not say whose calendar it is";
    else if (!same_path(owner, c->source->owner))
        c->owner_problem = "the calendar there belongs to somebody else";
}

static bool same_path(const struct dav_ms_value *a, const char *b)
{
    struct buf path;
    bool same;

    buf_init(&path, DAV_URL_PATH_MAX);
    same = dav_url_path_of(&path, a->text, a->len, true) && dav_url_path_equal(path.data, b);
    buf_free(&path);
    return same;
}

static struct dav_calendar *add_found(struct dav_caldav *c, const char *path)
{
    struct dav_calendar *f = arena_alloc(dav_query_arena(c->q), sizeof(*f));

    if (f == NULL || ++c->count > DAV_CALENDARS_MAX || (f->path = dav_caldav_keep(c, path, strlen(path))) == NULL) {
        c->lost = true;
        return NULL;
    }
    f->source = c->source;
    *c->found_end = f;
    c->found_end = &f->next;
    return f;
}

/* A name is preferred to the definition that comes with it: names are what is remembered, and today must not differ
 * from tomorrow. */
static void take_zone(struct dav_caldav *c, struct dav_calendar *f, const struct dav_ms_response *response)
{
    const struct dav_ms_value *id = &response->value[TIMEZONE_ID], *zone = &response->value[TIMEZONE];
    char name[ZONE_NAME_MAX + 1];

    if (id->text != NULL && !id->cut && id->len > 0 && dav_ical_knows_zone(c->ical, id->text))
        f->zone = dav_caldav_keep(c, id->text, id->len);
    else if (zone->text != NULL && !zone->cut && dav_ical_timezone_id(zone->text, zone->len, name, sizeof(name)) &&
             dav_ical_knows_zone(c->ical, name))
        f->zone = dav_caldav_keep(c, name, strlen(name));
    else if (zone->text != NULL && !zone->cut && zone->len > 0)
        f->timezone = dav_caldav_keep(c, zone->text, zone->len);
}

static void take_tokens(struct dav_caldav *c, struct dav_calendar *f, const struct dav_ms_response *response)
{
    f->seen = true;
    f->ctag = take_token(c, &response->value[CTAG]);
    f->token = take_token(c, &response->value[TOKEN]);
}

static const char *take_token(struct dav_caldav *c, const struct dav_ms_value *value)
{
    return value->text != NULL && value->len > 0 && !value->cut ? dav_caldav_keep(c, value->text, value->len) : NULL;
}
