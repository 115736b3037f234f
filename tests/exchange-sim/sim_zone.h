/*
 * sim_zone: the simulator's own table of time zones, and the civil calendar. Like the server it plays, it knows one
 * rule a zone and no history. It shares no code with the programs under test, so that an error there cannot hide behind
 * the same error here.
 */
#ifndef SIM_ZONE_H
#define SIM_ZONE_H

#include <stdint.h>

/* When the clocks change: the week-th (5: last) weekday (0: Sunday) of the month, at that minute of the wall clock. */
struct sim_zone_rule {
    int month; /* 0: never */
    int week;
    int weekday;
    int minute;
};

struct sim_zone {
    const char *name; /* IANA */
    int std_min;      /* minutes east of Greenwich */
    int dst_min;      /* the same as std_min where there is no summer time */
    struct sim_zone_rule to_dst;
    struct sim_zone_rule to_std;
    const char *label; /* what CDO writes as TZID */
    int cdo_id;
};

struct sim_civil {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second;
    int weekday; /* 0: Sunday */
};

/* NULL: not in the table. */
const struct sim_zone *sim_zone_find(const char *name);
const struct sim_zone *sim_zone_utc(void);

/* Seconds to add to UTC for local time. */
int sim_zone_offset_s(const struct sim_zone *zone, int64_t utc);

/*
 * Local seconds (a wall clock read as if it were UTC) to UTC. A time that comes twice means the first; one that does
 * not exist is read by the clock before the change.
 */
int64_t sim_zone_to_utc(const struct sim_zone *zone, int64_t local);
int64_t sim_zone_to_local(const struct sim_zone *zone, int64_t utc);

void sim_civil_of(int64_t seconds, struct sim_civil *ret);
int64_t sim_civil_seconds(const struct sim_civil *c);
int sim_civil_month_days(int year, int month);

/* The day of the month on which the week-th (5: last) weekday falls. */
int sim_civil_nth(int year, int month, int week, int weekday);

#endif
