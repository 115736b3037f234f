/*
 * ical (private): iCalendar text to spans of time (RFC 5545). Pure: no clock, no network; zones come from tz.h.
 *
 * One dav_ical is one reading: a window, the calendar's zone, the person's addresses. Feed it any number of texts (one
 * calendar resource each, or a whole calendar); what each holds is expanded and handed over before dav_ical_read
 * returns, and nothing of the text is kept. Titles, places and other people never leave the line they stand in.
 *
 * An item that is broken, or whose recurrence would take more work than allowed, is refused whole and counted; all
 * others are unaffected. The time that it may take is handed over as DAV_NOT_UNDERSTOOD.
 */
#ifndef DAVCLIENT_ICAL_H
#define DAVCLIENT_ICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/result.h"

struct dav_ical;

/* Gets each span that touches the window, not cut to it; spans may overlap. Free time is not among them unless it
 * carries a marker, but cancelled and declined time is, with its trait. False ends the reading (DAV_ICAL_STOPPED). */
typedef bool dav_ical_span_fn(void *arg, const struct dav_span *span);

struct dav_ical_setup {
    int64_t from, until;       /* UTC s, half-open */
    const char *zone;          /* the calendar's: for floating times and dates; NULL: UTC */
    const char *const *markers; /* words among categories that count (mark.h); NULL: categories are passed over.
                                   Borrowed */
    const char *const *owners; /* the person's addresses, for PARTSTAT; NULL-terminated; NULL: attendees play no part */
    dav_ical_span_fn *on_span;
    void *arg;
    size_t max_bytes;       /* of one text [64 MiB] */
    size_t max_components;  /* events in one text [100 000] */
    size_t max_spans;       /* of one text [100 000] */
    unsigned max_instances; /* of one event in the window [5 000] */
    long max_steps;         /* of work on all recurrences of one text [1 000 000], a fifth of it on one event */
    long all_steps;         /* of work on everything that is read [no limit] */
};

/* Copied, all of it. NULL: the zone is not known. */
struct dav_ical *dav_ical_new(const struct dav_ical_setup *setup);
void dav_ical_free(struct dav_ical **ical);

/* The calendar's zone from here on: by name, or from a text with a VTIMEZONE (CALDAV:calendar-timezone). False:
 * neither, no change. */
bool dav_ical_set_zone(struct dav_ical *ical, const char *name);
bool dav_ical_set_timezone(struct dav_ical *ical, const char *text, size_t len);

/* The TZID in a text with a VTIMEZONE. False: none, or longer than `size`. */
bool dav_ical_timezone_id(const char *text, size_t len, char *out, size_t size);

/* Is there a zone of this name, IANA's or Windows'? */
bool dav_ical_knows_zone(struct dav_ical *ical, const char *name);

enum dav_ical_verdict {
    DAV_ICAL_OK,
    DAV_ICAL_NOT_CALENDAR, /* no VCALENDAR at all */
    DAV_ICAL_CUT,          /* begun and not ended properly: a part may be missing, nothing of it was handed over */
    DAV_ICAL_TOO_LARGE,    /* over a ceiling; nothing of it was handed over */
    DAV_ICAL_STOPPED,
};

enum dav_ical_verdict dav_ical_read(struct dav_ical *ical, const char *text, size_t len);

/*
 * The same text with nothing but the lines that decide when its events are and whether they count: no titles, no
 * places, no other people; UIDs are hashed. Read again, it gives the same spans for every window that begins at the
 * setup's `from` or later: what ended before is dropped. DAV_ICAL_OK with `out` empty: nothing of it will ever matter.
 * `zones` is told each VTIMEZONE instead of it being written to `out`; NULL, or false from it: it is written.
 */
struct buf;
typedef bool dav_ical_zone_fn(void *arg, const char *text, size_t len);
enum dav_ical_verdict dav_ical_compact(struct dav_ical *ical, const char *text, size_t len, struct buf *out,
                                       dav_ical_zone_fn *zones, void *arg);

/*
 * After the last text: the time in which the person is not available by what the VAVAILABILITYs of all texts say
 * together (RFC 7953), with the trait DAV_TRAIT_OUTSIDE_HOURS. It is no event: events go before it.
 */
enum dav_ical_verdict dav_ical_hours(struct dav_ical *ical);

/* Items refused so far. */
unsigned dav_ical_skipped(const struct dav_ical *ical);

/* Of these, how many could be at any time: nothing readable says when they are. */
unsigned dav_ical_lost(const struct dav_ical *ical);

/* The time that the VFREEBUSYs of the last text answer for, as far as they say. False: there was none. */
bool dav_ical_covered(const struct dav_ical *ical, int64_t *ret_from, int64_t *ret_until);

#endif
