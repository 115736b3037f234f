/*
 * ical_parts (private to ical*.c): what the pieces of the reader hand to each other.
 *
 *   ical_lines   text to content lines            ical_zone    VTIMEZONE to a zone
 *   ical_value   values, through libical          ical_rule    RRULE, through libical
 *   ical_event   lines to struct dav_event        ical_fix     what libical does wrong
 *   ical_series  events of one UID to spans       ical         the whole, and ical_expand its second half
 *   ical_compact events to the lines that decide    ical_hours   VAVAILABILITY to working hours
 *   ical_doubt   what time a refused item may take
 *
 * Wall clock times are seconds since 1970 as if they were UTC ("local"); only with a zone they become moments.
 */
#ifndef DAVCLIENT_ICAL_PARTS_H
#define DAVCLIENT_ICAL_PARTS_H

#include <libical/ical.h>

#include "base/arena.h"
#include "base/buf.h"
#include "davclient/result.h"
#include "tz.h"

#define DAV_DAY_S 86400

/* Properties that mean something here; every other line is passed over unread. */
enum dav_prop {
    DAV_PROP_BEGIN,
    DAV_PROP_END,
    DAV_PROP_UID,
    DAV_PROP_DTSTART,
    DAV_PROP_DTEND,
    DAV_PROP_DURATION,
    DAV_PROP_RRULE,
    DAV_PROP_EXRULE,
    DAV_PROP_RDATE,
    DAV_PROP_EXDATE,
    DAV_PROP_RECURRENCE_ID,
    DAV_PROP_STATUS,
    DAV_PROP_TRANSP,
    DAV_PROP_CLASS,
    DAV_PROP_SEQUENCE,
    DAV_PROP_ORGANIZER,
    DAV_PROP_ATTENDEE,
    DAV_PROP_BUSYSTATUS,
    DAV_PROP_INTENDEDSTATUS,
    DAV_PROP_ALLDAYEVENT,
    DAV_PROP_FREEBUSY,
    DAV_PROP_TZID,
    DAV_PROP_TZOFFSETFROM,
    DAV_PROP_TZOFFSETTO,
    DAV_PROP_BUSYTYPE,
    DAV_PROP_PRIORITY,
    DAV_PROP_CATEGORIES,
};

/* One content line, unfolded. Lives until the next one is read. */
struct dav_line {
    enum dav_prop prop;
    const char *params; /* ";A=B;C=D" or "" */
    size_t params_len;
    const char *value;
    size_t value_len;
    bool broken; /* no colon, or longer than a line may be */
};

struct dav_lines {
    const char *at, *end;
    const char *line_start; /* where the line returned last begins in the text */
    struct buf unfolded;
};

void dav_lines_init(struct dav_lines *l, const char *text, size_t len);
void dav_lines_free(struct dav_lines *l);
const char *dav_lines_name(enum dav_prop prop);
bool dav_lines_next(struct dav_lines *l, struct dav_line *ret); /* false: end of text */

/* A parameter's value without quotes; NULL when absent. Points into the line. */
const char *dav_line_param(const struct dav_line *line, const char *name, size_t *ret_len);
bool dav_line_param_is(const struct dav_line *line, const char *name, const char *value);
bool dav_line_value_is(const struct dav_line *line, const char *value); /* without case */

/* A point in time as written. */
enum dav_when_form { DAV_WHEN_NONE, DAV_WHEN_DATE, DAV_WHEN_FLOATING, DAV_WHEN_UTC, DAV_WHEN_ZONED };
struct dav_when {
    enum dav_when_form form;
    int64_t local;
    const char *tzid;  /* with DAV_WHEN_ZONED */
    struct dav_tz *tz; /* NULL until resolved */
};

/* Days follow the calendar, seconds the clock of physics (RFC 5545 3.3.6). */
struct dav_length {
    int64_t days, seconds;
};

/* One value of RDATE, EXDATE or FREEBUSY. */
struct dav_date {
    struct dav_date *next;
    struct dav_when when;
    struct dav_when end; /* of a period; form NONE when it has a length or is no period */
    struct dav_length length;
    bool is_period;
};

bool dav_value_when(const char *text, size_t len, struct dav_when *ret); /* DATE or DATE-TIME, tzid not set */
bool dav_value_length(const char *text, size_t len, struct dav_length *ret);
bool dav_value_period(const char *text, size_t len, struct dav_date *ret);
/* Year, month and day of a day counted from 1970-01-01. */
struct dav_civil {
    int year, month, day;
};
struct dav_civil dav_civil_of(int64_t day);
int64_t dav_day_of(int64_t local); /* rounded down */
bool dav_value_offset(const char *text, size_t len, int *ret_s);
bool dav_line_when(const struct dav_line *line, struct arena *arena, struct dav_when *ret); /* with VALUE and TZID */
/* Adds each value of the line to the list; false: one of them is broken, or the arena is full. */
bool dav_line_dates(const struct dav_line *line, struct arena *arena, struct dav_date **list);

/* A recurrence rule as parsed by libical, with its lists counted and sorted. */
enum {
    DAV_BY_SECOND,
    DAV_BY_MINUTE,
    DAV_BY_HOUR,
    DAV_BY_MONTHDAY,
    DAV_BY_YEARDAY,
    DAV_BY_WEEKNO,
    DAV_BY_MONTH,
    DAV_BY_SETPOS,
    DAV_BY_DAY
};
#define DAV_BY_LISTS (DAV_BY_DAY + 1)
struct dav_rule {
    struct icalrecurrencetype libical;
    const short *by[DAV_BY_LISTS];
    int by_count[DAV_BY_LISTS];
    int week_start; /* 0 Monday ... 6 Sunday */
    struct dav_when until;
};
bool dav_rule_parse(const char *text, struct dav_rule *ret);

/*
 * Local times of the rule after `start` (not `start` itself, which is always the first instance), in order, from about
 * `from` to `to`. `steps` is drawn on; when it is used up the run ends with `failed`. UNTIL is applied with a day of
 * slack when it is in UTC: the caller, who knows the zone, looks again.
 */
struct dav_gen;
struct dav_run {
    const struct dav_rule *rule;
    int64_t start, from, to;
    long *steps;
    int left; /* instances that COUNT still allows */
    bool failed;
    icalrecur_iterator *libical; /* one of these two */
    struct dav_gen *gen;
};
bool dav_run_open(struct dav_run *run, const struct dav_rule *rule, const struct dav_when *start, int64_t from,
                  int64_t to, long *steps);
bool dav_run_next(struct dav_run *run, int64_t *ret_local);
void dav_run_close(struct dav_run *run);

/* ical_fix.c: where libical must not be asked, see there. */
const char *dav_fix_needed(const struct dav_rule *rule); /* why this rule is not for libical's iterator; NULL: it is */
struct dav_gen *dav_gen_new(const struct dav_rule *rule, int64_t start, bool is_date, int64_t from, int64_t to);
void dav_gen_free(struct dav_gen **gen);
bool dav_gen_next(struct dav_gen *gen, long *steps, int64_t *ret_local);
int64_t dav_fix_end(struct dav_tz *tz, int64_t local, struct dav_length length);

struct dav_text {
    struct dav_text *next;
    const char *text;
};

/* One VEVENT. Everything it points to is in the arena of the text. */
struct dav_event {
    const char *uid; /* NULL: none */
    struct dav_when start, end, recurrence_id;
    bool has_length, this_and_future;
    struct dav_length length;
    struct dav_text *rules, *ex_rules;
    struct dav_date *dates, *ex_dates;
    int sequence;
    enum dav_busy kind;
    unsigned traits;
    bool recurs; /* or was meant to */
    bool broken;
};

/* A VEVENT while its lines are read. */
struct dav_event_reading {
    struct dav_event *event;
    struct arena *arena;
    char *const *owners; /* lower case, NULL-terminated; NULL: none */
    const char *const *markers; /* NULL: categories do not matter; to be set after dav_event_begin() */
    bool transparent, cancelled, tentative, all_day;
    bool is_attendee, is_organizer;
    enum { DAV_ANSWER_NONE, DAV_ANSWER_YES, DAV_ANSWER_MAYBE, DAV_ANSWER_NO } answer;
    int busystatus, intended; /* enum dav_busy, -1: not given */
};

/* NULL: the arena is full. */
struct dav_event *dav_event_begin(struct dav_event_reading *r, struct arena *arena, char *const *owners);
void dav_event_line(struct dav_event_reading *r, const struct dav_line *line);
void dav_event_end(struct dav_event_reading *r); /* may set event->broken */

unsigned dav_event_marks(const struct dav_event_reading *r, const struct dav_line *line); /* of CATEGORIES: traits */
bool dav_event_is_owner(const struct dav_event_reading *r, const struct dav_line *line);

/* What is kept of a text; see dav_ical_compact(). */
struct dav_compact {
    struct buf *out;
    size_t event_at; /* where in `out` the component at hand begins */
    bool (*on_zone)(void *arg, const char *text, size_t len);
    void *arg;
    struct buf zones; /* those written to `out` in the end */
};
void dav_compact_begin(struct dav_compact *c, const char *component);
void dav_compact_line(struct dav_compact *c, const struct dav_line *line, const struct dav_event_reading *event);
void dav_compact_end(struct dav_compact *c, const char *component);
void dav_compact_drop(struct dav_compact *c); /* what was begun last */
void dav_compact_zone(struct dav_compact *c, const char *text, size_t len);

/* A zone from the lines between BEGIN:VTIMEZONE and END:VTIMEZONE, named by its TZID. NULL: broken. */
struct dav_tz *dav_zone_define(const char *text, size_t len);

/* What the events of one UID are expanded into. */
struct dav_spans {
    struct dav_span *items;
    size_t count, cap, max;
    bool full;
};
void dav_spans_add(struct dav_spans *spans, const struct dav_span *span);

/*
 * ical_doubt.c: an item is refused. Adds the time in the window that it may take, as not understood; what is cancelled
 * or marked as free adds nothing. False: nothing is known of when it is.
 */
bool dav_doubt_event(struct dav_spans *spans, const struct dav_event *e, int64_t from, int64_t until);

/*
 * ical_hours.c: one VAVAILABILITY (RFC 7953): from .. until it says when the person can be met, which is in the times
 * of its AVAILABLEs. Collected over all texts of a reading.
 */
struct dav_hours {
    struct dav_when start, end;
    bool has_length, broken;
    struct dav_length length;
    enum dav_busy kind;        /* of all other time */
    int priority;              /* 1 is the highest, 0 means none and is the lowest */
    struct dav_event **events; /* its AVAILABLEs, ours to free */
    size_t count, cap;
    struct dav_hours *next;
};
struct dav_ranges;
void dav_hours_begin(struct dav_hours *h);
void dav_hours_line(struct dav_hours *h, const struct dav_line *line, struct arena *arena);
enum dav_busy dav_hours_kind(const struct dav_line *line); /* BUSYTYPE */

struct dav_ranges *dav_ranges_new(int64_t from, int64_t until);
void dav_ranges_free(struct dav_ranges **ranges);
/* Every time is resolved; `free_time` is what the AVAILABLEs were expanded into. False: too many. */
bool dav_ranges_add(struct dav_ranges *ranges, const struct dav_hours *h, const struct dav_spans *free_time);
void dav_ranges_hand_over(const struct dav_ranges *ranges, struct dav_spans *spans);

struct dav_series {
    struct dav_event *const *events; /* of one UID */
    size_t count;
    int64_t from, until;
    unsigned max_instances;
    long *steps;
    struct dav_spans *spans;
};
/* Returns how many of the events were refused; what time they may take is among the spans. Every time of the events
 * must be resolved. */
unsigned dav_series_expand(const struct dav_series *s);

#endif
