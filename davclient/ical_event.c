/*
 * ical_event: one VEVENT, line by line, to times, recurrence and what decides whether it counts. An override is read
 * like any other event: it is a complete component and inherits nothing from its master (RFC 5545 3.8.4.4).
 *
 * What an event is marked as: X-MICROSOFT-CDO-BUSYSTATUS where Outlook or Exchange wrote one, else TRANSP and STATUS.
 * The person's own answer becomes a trait; what it is worth is for the caller's rules.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "davclient/mark.h"
#include "ical_parts.h"

static void mark_broken_unless(struct dav_event *e, bool ok);
static void read_text_line(struct dav_event_reading *r, const struct dav_line *line);
static void read_attendee(struct dav_event_reading *r, const struct dav_line *line);
static bool address_matches(const char *owner, const char *text, size_t len);
static void add_text(struct dav_event_reading *r, const struct dav_line *line, struct dav_text **list);
static int read_busystatus(const struct dav_line *line);
static enum dav_busy mark(const struct dav_event_reading *r);

struct dav_event *dav_event_begin(struct dav_event_reading *r, struct arena *arena, char *const *owners)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena;
    r->owners = owners;
    r->busystatus = -1;
    r->intended = -1;
    r->event = arena_alloc(arena, sizeof(*r->event));
    return r->event;
}

void dav_event_line(struct dav_event_reading *r, const struct dav_line *line)
{
    struct dav_event *e = r->event;

    switch (line->prop) {
    case DAV_PROP_UID:
        e->uid = arena_strndup(r->arena, line->value, line->value_len);
        break;
    case DAV_PROP_DTSTART:
    case DAV_PROP_DTEND:
        mark_broken_unless(e, dav_line_when(line, r->arena, line->prop == DAV_PROP_DTSTART ? &e->start : &e->end));
        break;
    case DAV_PROP_DURATION:
        e->has_length = true;
        mark_broken_unless(e, !line->broken && dav_value_length(line->value, line->value_len, &e->length));
        break;
    case DAV_PROP_RECURRENCE_ID:
        e->this_and_future = dav_line_param_is(line, "RANGE", "THISANDFUTURE");
        mark_broken_unless(e, dav_line_when(line, r->arena, &e->recurrence_id));
        break;
    case DAV_PROP_RRULE:
        e->recurs = true;
        add_text(r, line, &e->rules);
        break;
    case DAV_PROP_EXRULE:
        add_text(r, line, &e->ex_rules);
        break;
    case DAV_PROP_RDATE:
        e->recurs = true;
        mark_broken_unless(e, line->value_len == 0 || dav_line_dates(line, r->arena, &e->dates));
        break;
    case DAV_PROP_EXDATE:
        mark_broken_unless(e, line->value_len == 0 || dav_line_dates(line, r->arena, &e->ex_dates));
        break;
    case DAV_PROP_STATUS:
    case DAV_PROP_TRANSP:
    case DAV_PROP_CLASS:
    case DAV_PROP_SEQUENCE:
    case DAV_PROP_BUSYSTATUS:
    case DAV_PROP_INTENDEDSTATUS:
    case DAV_PROP_ALLDAYEVENT:
        read_text_line(r, line);
        break;
    case DAV_PROP_ORGANIZER:
        r->is_organizer = r->is_organizer || dav_event_is_owner(r, line);
        break;
    case DAV_PROP_ATTENDEE:
        read_attendee(r, line);
        break;
    case DAV_PROP_CATEGORIES:
        e->traits |= dav_event_marks(r, line);
        break;
    case DAV_PROP_BEGIN:
    case DAV_PROP_END:
    case DAV_PROP_FREEBUSY:
    case DAV_PROP_TZID:
    case DAV_PROP_TZOFFSETFROM:
    case DAV_PROP_TZOFFSETTO:
    case DAV_PROP_BUSYTYPE:
    case DAV_PROP_PRIORITY:
        break;
    }
}

void dav_event_end(struct dav_event_reading *r)
{
    struct dav_event *e = r->event;

    /* Times of one event are of one kind, except that an all-day event may carry a superfluous zone, which was dropped.
     */
    mark_broken_unless(e, e->start.form != DAV_WHEN_NONE);
    if (e->end.form != DAV_WHEN_NONE)
        e->has_length = false; /* both are not allowed; the end is what people see */
    e->kind = mark(r);
    if (r->cancelled)
        e->traits |= DAV_TRAIT_CANCELLED;
    if (e->start.form == DAV_WHEN_DATE || r->all_day)
        e->traits |= DAV_TRAIT_ALL_DAY;
    if (r->answer == DAV_ANSWER_NO)
        e->traits |= DAV_TRAIT_DECLINED;
    else if (r->answer == DAV_ANSWER_MAYBE)
        e->traits |= DAV_TRAIT_ACCEPTED_MAYBE;
    else if (r->is_attendee && r->answer == DAV_ANSWER_NONE && !r->is_organizer)
        e->traits |=
            DAV_TRAIT_UNANSWERED; /* also when PARTSTAT is missing: NEEDS-ACTION is its default (RFC 5545 3.2.12) */
}

static void mark_broken_unless(struct dav_event *e, bool ok)
{
    if (!ok)
        e->broken = true;
}

static void read_text_line(struct dav_event_reading *r, const struct dav_line *line)
{
    struct dav_event *e = r->event;

    if (line->prop == DAV_PROP_STATUS) {
        r->cancelled = dav_line_value_is(line, "CANCELLED") || dav_line_value_is(line, "CANCELED");
        r->tentative = dav_line_value_is(line, "TENTATIVE");
    } else if (line->prop == DAV_PROP_TRANSP) {
        /* TRANSPARENT-NOCONFLICT is one of RFC 2445's relatives that servers still send */
        r->transparent = line->value_len >= 11 && strncasecmp(line->value, "TRANSPARENT", 11) == 0;
    } else if (line->prop == DAV_PROP_CLASS) {
        if (!dav_line_value_is(line, "PUBLIC"))
            e->traits |= DAV_TRAIT_PRIVATE; /* unknown values are to be treated as PRIVATE (RFC 5545 3.8.1.3) */
    } else if (line->prop == DAV_PROP_SEQUENCE) {
        e->sequence = 0;
        for (size_t i = 0; i < line->value_len && i < 9 && line->value[i] >= '0' && line->value[i] <= '9'; i++)
            e->sequence = e->sequence * 10 + (line->value[i] - '0');
    } else if (line->prop == DAV_PROP_BUSYSTATUS) {
        r->busystatus = read_busystatus(line);
    } else if (line->prop == DAV_PROP_INTENDEDSTATUS) {
        r->intended = read_busystatus(line);
    } else {
        r->all_day = dav_line_value_is(line, "TRUE");
    }
}

static void read_attendee(struct dav_event_reading *r, const struct dav_line *line)
{
    if (!dav_event_is_owner(r, line))
        return;
    r->is_attendee = true;
    if (dav_line_param_is(line, "PARTSTAT", "DECLINED") || dav_line_param_is(line, "PARTSTAT", "DELEGATED"))
        r->answer = DAV_ANSWER_NO; /* a delegated meeting is somebody else's */
    else if (dav_line_param_is(line, "PARTSTAT", "TENTATIVE"))
        r->answer = DAV_ANSWER_MAYBE;
    else if (dav_line_param_is(line, "PARTSTAT", "ACCEPTED") || dav_line_param_is(line, "PARTSTAT", "COMPLETED") ||
             dav_line_param_is(line, "PARTSTAT", "IN-PROCESS"))
        r->answer = DAV_ANSWER_YES;
    else
        r->answer = DAV_ANSWER_NONE;
}

/* What is no line of its kind may have been a marker: who asked to be seen less is not seen more for it. */
unsigned dav_event_marks(const struct dav_event_reading *r, const struct dav_line *line)
{
    return line->broken ? dav_marks_all(r->markers) : dav_marks_in(r->markers, line->value, line->value_len);
}

/* By the calendar address, or by EMAIL where a server writes addresses of its own there (RFC 7986 6.2). */
bool dav_event_is_owner(const struct dav_event_reading *r, const struct dav_line *line)
{
    size_t len;
    const char *email = dav_line_param(line, "EMAIL", &len);

    if (r->owners == NULL)
        return false;
    for (size_t i = 0; r->owners[i] != NULL; i++) {
        if (address_matches(r->owners[i], line->value, line->value_len))
            return true;
        if (email != NULL && address_matches(r->owners[i], email, len))
            return true;
    }
    return false;
}

static bool address_matches(const char *owner, const char *text, size_t len)
{
    struct buf decoded;
    bool same;

    if (len >= 7 && strncasecmp(text, "mailto:", 7) == 0) {
        text += 7;
        len -= 7;
    }
    if (memchr(text, '%', len) == NULL)
        return strlen(owner) == len && strncasecmp(owner, text, len) == 0;
    buf_init(&decoded, 1024);
    same = strlen(owner) == len && strncasecmp(owner, text, len) == 0;
    same = same || (str_percent_decode(&decoded, text, len) && str_eq_nocase(owner, decoded.data));
    buf_free(&decoded);
    return same;
}

static void add_text(struct dav_event_reading *r, const struct dav_line *line, struct dav_text **list)
{
    struct dav_text *text = arena_alloc(r->arena, sizeof(*text));

    if (text != NULL)
        text->text = arena_strndup(r->arena, line->value, line->value_len);
    if (line->broken || text == NULL || text->text == NULL) {
        r->event->broken = true;
        return;
    }
    text->next = *list;
    *list = text;
}

static int read_busystatus(const struct dav_line *line)
{
    static const struct {
        const char *text;
        enum dav_busy kind;
    } values[] = {
        {"FREE", DAV_FREE}, {"TENTATIVE", DAV_TENTATIVE},        {"BUSY", DAV_BUSY},
        {"OOF", DAV_OOF},   {"WORKINGELSEWHERE", DAV_ELSEWHERE},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (dav_line_value_is(line, values[i].text))
            return (int)values[i].kind;
    return -1;
}

/*
 * An invitation from Outlook says TENTATIVE, as it is to be shown while unanswered, and INTENDEDSTATUS for what it is
 * to become; a server other than Exchange keeps both when the answer is given, so an accepted one is what was intended.
 */
static enum dav_busy mark(const struct dav_event_reading *r)
{
    if (r->busystatus == DAV_TENTATIVE && r->answer == DAV_ANSWER_YES && r->intended >= 0)
        return (enum dav_busy)r->intended;
    if (r->busystatus >= 0)
        return (enum dav_busy)r->busystatus;
    if (r->transparent)
        return DAV_FREE;
    if (r->intended >= 0)
        return (enum dav_busy)r->intended;
    return r->tentative ? DAV_TENTATIVE : DAV_BUSY;
}
