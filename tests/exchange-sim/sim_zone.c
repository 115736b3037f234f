/*
 * sim_zone: see the header. The data file names a zone for each mailbox; recurrences are expanded on that zone's wall
 * clock, an all-day item runs from its midnight to its midnight, and the item's MIME text carries it as a VTIMEZONE.
 */
#include "sim_zone.h"

#include "base/str.h"
#include "base/utc.h"

#include <stddef.h>
#include <string.h>

/* To summer time, to standard time. */
/* clang-format off */
#define EU_WEST {3, 5, 0, 60}, {10, 5, 0, 120}
#define EU_MID {3, 5, 0, 120}, {10, 5, 0, 180}
#define EU_EAST {3, 5, 0, 180}, {10, 5, 0, 240}
#define US {3, 2, 0, 120}, {11, 1, 0, 120}
#define NEVER {0, 0, 0, 0}, {0, 0, 0, 0}
/* clang-format on */

static const struct sim_zone zones[] = {
    {"UTC", 0, 0, NEVER, "(GMT) UTC", 0},
    {"Europe/London", 0, 60, EU_WEST, "GMT +0000 (Standard) / GMT +0100 (Daylight)", 1},
    {"Europe/Lisbon", 0, 60, EU_WEST, "GMT +0000 (Standard) / GMT +0100 (Daylight)", 2},
    {"Europe/Berlin", 60, 120, EU_MID, "GMT +0100 (Standard) / GMT +0200 (Daylight)", 4},
    {"Europe/Vienna", 60, 120, EU_MID, "GMT +0100 (Standard) / GMT +0200 (Daylight)", 4},
    {"Europe/Paris", 60, 120, EU_MID, "GMT +0100 (Standard) / GMT +0200 (Daylight)", 3},
    {"Europe/Madrid", 60, 120, EU_MID, "GMT +0100 (Standard) / GMT +0200 (Daylight)", 3},
    {"Europe/Budapest", 60, 120, EU_MID, "GMT +0100 (Standard) / GMT +0200 (Daylight)", 6},
    {"Europe/Warsaw", 60, 120, EU_MID, "GMT +0100 (Standard) / GMT +0200 (Daylight)", 6},
    {"Europe/Athens", 120, 180, EU_EAST, "GMT +0200 (Standard) / GMT +0300 (Daylight)", 7},
    {"Europe/Helsinki", 120, 180, EU_EAST, "GMT +0200 (Standard) / GMT +0300 (Daylight)", 59},
    {"Europe/Moscow", 180, 180, NEVER, "GMT +0300", 51},
    {"America/New_York", -300, -240, US, "GMT -0500 (Standard) / GMT -0400 (Daylight)", 10},
    {"America/Chicago", -360, -300, US, "GMT -0600 (Standard) / GMT -0500 (Daylight)", 11},
    {"America/Denver", -420, -360, US, "GMT -0700 (Standard) / GMT -0600 (Daylight)", 12},
    {"America/Los_Angeles", -480, -420, US, "GMT -0800 (Standard) / GMT -0700 (Daylight)", 13},
    {"Asia/Kolkata", 330, 330, NEVER, "GMT +0530", 23},
    {"Asia/Shanghai", 480, 480, NEVER, "GMT +0800", 45},
    {"Asia/Tokyo", 540, 540, NEVER, "GMT +0900", 20},
    {"Australia/Sydney", 600, 660, {10, 1, 0, 120}, {4, 1, 0, 180}, "GMT +1000 (Standard) / GMT +1100 (Daylight)", 57},
    {"Pacific/Auckland", 720, 780, {9, 5, 0, 120}, {4, 1, 0, 180}, "GMT +1200 (Standard) / GMT +1300 (Daylight)", 17},
};

const struct sim_zone *sim_zone_find(const char *name)
{
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
        if (str_eq_nocase(zones[i].name, name))
            return &zones[i];
    return NULL;
}

const struct sim_zone *sim_zone_utc(void)
{
    return &zones[0];
}

static int64_t rule_local(const struct sim_zone_rule *rule, int year)
{
    int day = sim_civil_nth(year, rule->month, rule->week, rule->weekday);
    return utc_from_civil(year, rule->month, day, 0, 0, 0) + rule->minute * 60;
}

int sim_zone_offset_s(const struct sim_zone *zone, int64_t utc)
{
    if (zone->to_dst.month == 0)
        return zone->std_min * 60;
    struct sim_civil c;
    sim_civil_of(utc + zone->std_min * 60, &c);
    int64_t summer = rule_local(&zone->to_dst, c.year) - zone->std_min * 60;
    int64_t winter = rule_local(&zone->to_std, c.year) - zone->dst_min * 60;
    bool dst = summer < winter ? utc >= summer && utc < winter : !(utc >= winter && utc < summer);
    return (dst ? zone->dst_min : zone->std_min) * 60;
}

int64_t sim_zone_to_utc(const struct sim_zone *zone, int64_t local)
{
    int64_t by_dst = local - zone->dst_min * 60;
    if (sim_zone_offset_s(zone, by_dst) == zone->dst_min * 60)
        return by_dst;
    return local - zone->std_min * 60;
}

int64_t sim_zone_to_local(const struct sim_zone *zone, int64_t utc)
{
    return utc + sim_zone_offset_s(zone, utc);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Howard Hinnant's published days-to-civil arithmetic, in eras of 400 years. */
void sim_civil_of(int64_t seconds, struct sim_civil *ret)
{
    int64_t days = floor_div(seconds, 86400);
    int rest = (int)(seconds - days * 86400);
    ret->hour = rest / 3600;
    ret->minute = rest / 60 % 60;
    ret->second = rest % 60;
    ret->weekday = (int)(((days % 7) + 11) % 7);

    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    ret->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    ret->year = (int)(yoe + era * 400 + (ret->month <= 2));
}

int64_t sim_civil_seconds(const struct sim_civil *c)
{
    return utc_from_civil(c->year, c->month, c->day, c->hour, c->minute, c->second);
}

int sim_civil_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int sim_civil_nth(int year, int month, int week, int weekday)
{
    struct sim_civil first;
    sim_civil_of(utc_from_civil(year, month, 1, 0, 0, 0), &first);
    int day = 1 + (weekday - first.weekday + 7) % 7 + (week - 1) * 7;
    while (day > sim_civil_month_days(year, month))
        day -= 7;
    return day;
}
