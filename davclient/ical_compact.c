/*
 * ical_compact: what is kept of an event between two looks at a calendar: the lines that decide, and of the people in
 * it the one whose calendar it is. What is written here is read by ical.c like any other iCalendar text, so that an
 * event kept and an event just read cannot mean different things. Called by ical.c while it reads a text.
 *
 * A line that was broken stays so: an item that is left out today is left out, and counted, tomorrow.
 */
#include <inttypes.h>
#include <string.h>

#include "davclient/mark.h"
#include "ical_parts.h"

static void add_line(struct buf *out, const struct dav_line *line, bool params);
static void add_answer(struct dav_compact *c, const struct dav_event_reading *event);
static void add_marks(struct buf *out, const struct dav_event_reading *event, unsigned marks);
static bool is_wanted_beside_events(enum dav_prop prop);
static uint64_t hash(const char *text, size_t len);

void dav_compact_begin(struct dav_compact *c, const char *component)
{
    c->event_at = c->out->len;
    buf_addf(c->out, "BEGIN:%s\r\n", component);
}

void dav_compact_line(struct dav_compact *c, const struct dav_line *line, const struct dav_event_reading *event)
{
    if (event == NULL && !is_wanted_beside_events(line->prop))
        return;
    switch (line->prop) {
    case DAV_PROP_UID:
        buf_addf(c->out, "UID:%016" PRIx64 "\r\n", hash(line->value, strnlen(line->value, line->value_len)));
        break;
    case DAV_PROP_DTSTART:
    case DAV_PROP_DTEND:
    case DAV_PROP_RDATE:
    case DAV_PROP_EXDATE:
    case DAV_PROP_RECURRENCE_ID:
    case DAV_PROP_FREEBUSY:
        add_line(c->out, line, true);
        break;
    case DAV_PROP_DURATION:
    case DAV_PROP_RRULE:
    case DAV_PROP_EXRULE:
    case DAV_PROP_STATUS:
    case DAV_PROP_TRANSP:
    case DAV_PROP_CLASS:
    case DAV_PROP_SEQUENCE:
    case DAV_PROP_BUSYSTATUS:
    case DAV_PROP_INTENDEDSTATUS:
    case DAV_PROP_ALLDAYEVENT:
    case DAV_PROP_BUSYTYPE:
    case DAV_PROP_PRIORITY:
        if (event == NULL || (line->prop != DAV_PROP_BUSYTYPE && line->prop != DAV_PROP_PRIORITY))
            add_line(c->out, line, false);
        break;
    case DAV_PROP_ORGANIZER:
        if (dav_event_is_owner(event, line))
            buf_addf(c->out, "ORGANIZER:mailto:%s\r\n", event->owners[0]);
        break;
    case DAV_PROP_ATTENDEE:
        if (dav_event_is_owner(event, line))
            add_answer(c, event);
        break;
    case DAV_PROP_CATEGORIES:
        add_marks(c->out, event, dav_event_marks(event, line));
        break;
    case DAV_PROP_BEGIN:
    case DAV_PROP_END:
    case DAV_PROP_TZID:
    case DAV_PROP_TZOFFSETFROM:
    case DAV_PROP_TZOFFSETTO:
        break;
    }
}

void dav_compact_end(struct dav_compact *c, const char *component)
{
    buf_addf(c->out, "END:%s\r\n", component);
}

void dav_compact_drop(struct dav_compact *c)
{
    if (c->event_at < c->out->len) {
        c->out->len = c->event_at;
        c->out->data[c->event_at] = '\0';
    }
}

/* The lines between BEGIN and END, those that ical_zone reads. */
void dav_compact_zone(struct dav_compact *c, const char *text, size_t len)
{
    struct dav_lines lines;
    struct dav_line line;
    struct buf zone;

    buf_init(&zone, c->out->max);
    buf_adds(&zone, "BEGIN:VTIMEZONE\r\n");
    dav_lines_init(&lines, text, len);
    while (dav_lines_next(&lines, &line))
        add_line(&zone, &line, line.prop == DAV_PROP_RDATE);
    dav_lines_free(&lines);
    buf_adds(&zone, "END:VTIMEZONE\r\n");
    if (zone.failed || c->on_zone == NULL || !c->on_zone(c->arg, zone.data, zone.len))
        c->zones.failed = !buf_add(&c->zones, zone.data, zone.len) || zone.failed || c->zones.failed;
    buf_free(&zone);
}

static void add_line(struct buf *out, const struct dav_line *line, bool params)
{
    buf_adds(out, dav_lines_name(line->prop));
    if (!line->broken) {
        if (params)
            buf_add(out, line->params, line->params_len);
        buf_addc(out, ':');
        buf_add(out, line->value, line->value_len);
    }
    buf_adds(out, "\r\n");
}

static void add_answer(struct dav_compact *c, const struct dav_event_reading *event)
{
    static const char *const words[] = {[DAV_ANSWER_NONE] = "NEEDS-ACTION",
                                        [DAV_ANSWER_YES] = "ACCEPTED",
                                        [DAV_ANSWER_MAYBE] = "TENTATIVE",
                                        [DAV_ANSWER_NO] = "DECLINED"};

    buf_addf(c->out, "ATTENDEE;PARTSTAT=%s:mailto:%s\r\n", words[event->answer], event->owners[0]);
}

/* In our words, not in those of the calendar. */
static void add_marks(struct buf *out, const struct dav_event_reading *event, unsigned marks)
{
    for (unsigned i = 0; i < DAV_MARKS_MAX; i++)
        if (marks & DAV_TRAIT_MARK(i))
            buf_addf(out, "CATEGORIES:%s\r\n", event->markers[i]);
}

/* Of a VFREEBUSY and a VAVAILABILITY. */
static bool is_wanted_beside_events(enum dav_prop prop)
{
    return prop == DAV_PROP_FREEBUSY || prop == DAV_PROP_DTSTART || prop == DAV_PROP_DTEND ||
           prop == DAV_PROP_DURATION || prop == DAV_PROP_BUSYTYPE || prop == DAV_PROP_PRIORITY;
}

static uint64_t hash(const char *text, size_t len)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}
