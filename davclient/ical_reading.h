/*
 * ical_reading (private to ical.c and ical_expand.c): the reader and a text while it is read. ical.c goes through the
 * lines, ical_expand.c makes spans of what they said.
 */
#ifndef DAVCLIENT_ICAL_READING_H
#define DAVCLIENT_ICAL_READING_H

#include "ical.h"
#include "ical_parts.h"

#define ICAL_DEPTH_MAX 16
#define ICAL_DEFINITIONS_MAX 256

struct dav_ical {
    struct dav_ical_setup setup; /* numbers and callback; its texts are not ours */
    char **owners;
    struct dav_zones *zones;
    struct dav_tz *zone;     /* the calendar's */
    struct dav_tz *own_zone; /* the same when it came as a definition, ours to free */
    unsigned skipped, lost;
    int64_t covered_from, covered_until; /* by the VFREEBUSYs of the last text */
    unsigned free_busies;                /* of the last text */
    long steps_left;                     /* of all_steps */
    struct dav_spans spans;
    struct dav_ranges *hours; /* NULL: no VAVAILABILITY so far */
};

enum component { NONE, VCALENDAR, VEVENT, VFREEBUSY, VTIMEZONE, VAVAILABILITY, AVAILABLE, OTHER };

/* A text while it is read. */
struct reading {
    struct dav_ical *ical;
    struct arena *arena;
    struct dav_lines lines;
    enum component stack[ICAL_DEPTH_MAX];
    unsigned depth;
    bool any_calendar, cut, too_large;
    struct dav_event_reading event; /* of the VEVENT or AVAILABLE at hand */
    const char *zone_text;          /* of the VTIMEZONE at hand */
    struct dav_when busy_from, busy_until; /* of the VFREEBUSY at hand */
    struct dav_event **events;
    size_t event_count, event_cap, event_total;
    struct dav_hours *hours;                          /* the last one is at hand */
    struct dav_tz *definitions[ICAL_DEFINITIONS_MAX]; /* of this text */
    size_t definition_count;
    const char *last_tzid; /* looked up last: most events of a text are in one zone */
    struct dav_tz *last_tz;
    struct dav_compact *compact; /* NULL: to be expanded */
};

/* ical_expand.c */
void dav_reading_refuse(struct reading *r, const struct dav_event *e); /* an event; what time it may take counts */
void dav_reading_freebusy(struct reading *r, const struct dav_line *line);
void dav_reading_freebusy_end(struct reading *r);
void dav_reading_expand(struct reading *r);
enum dav_ical_verdict dav_reading_hand_over(struct dav_ical *ical);

#endif
