/*
 * ical_fix: what libical (3.0.16, Debian 12) does wrong or cannot bound, put right, all in this one file. Each
 * correction stands in the table below with its section of RFC 5545; tests/unit/test_ical_fix.c has a test for each.
 *
 * Two of them are about single times: what lies in a gap or fold of the clocks (dav_tz_to_utc in tz.c, which knows both
 * sides of a change) and the end of an event that has a length (dav_fix_end). The others are about rules:
 * dav_fix_needed() names the correction that a rule needs, and the generator here walks such a rule in libical's place.
 * It goes period by period as the RFC describes, can begin at any date in constant time, and draws every piece of its
 * work from a budget.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utc.h"
#include "ical_parts.h"

static bool is_sub_daily(const struct dav_rule *r);
static bool has_positions(const struct dav_rule *r);
static bool has_week_numbers(const struct dav_rule *r);
static bool has_year_days(const struct dav_rule *r);
static bool has_month_days(const struct dav_rule *r);
static bool has_rare_weekdays(const struct dav_rule *r);
static bool has_months_for_one_day(const struct dav_rule *r);
static bool has_weeks_apart(const struct dav_rule *r);
static bool has_count(const struct dav_rule *r);

static const struct {
    const char *what;
    const char *section;
    bool (*applies)(const struct dav_rule *r);
} corrections[] = {
    {"sub-daily rules: INTERVAL is lost when jumping, and a search may run for centuries of seconds", "3.3.10",
     is_sub_daily},
    {"BYSETPOS counts days where it has to count instances, one day twice for two names, is ignored below MONTHLY, and "
     "a position that does not "
     "exist is searched for without end",
     "3.3.10", has_positions},
    {"BYWEEKNO: week 53, and weeks that reach into the neighbouring year", "3.3.10", has_week_numbers},
    {"BYYEARDAY together with another part, or negative as a filter", "3.3.10", has_year_days},
    {"BYMONTHDAY: negative days never match as a filter, and dates that do not exist are searched for without end",
     "3.3.10", has_month_days},
    {"BYDAY beyond the fourth: where no month or year has it, it is searched for without end", "3.3.10",
     has_rare_weekdays},
    {"YEARLY with BYMONTH and the day of DTSTART: 30 February is searched for without end", "3.3.10",
     has_months_for_one_day},
    {"WEEKLY with INTERVAL: the wrong weeks when jumping, and when weeks begin on another day than Monday", "3.3.10",
     has_weeks_apart},
    {"COUNT: no jumping ahead, and every instance since DTSTART costs microseconds", "3.3.10", has_count},
};

enum { TIME_HOUR, TIME_MINUTE, TIME_SECOND, TIME_PARTS };

struct dav_gen {
    const struct dav_rule *rule;
    int64_t start, to;
    struct dav_civil start_date;
    int start_weekday; /* 0 Monday */
    short start_time[TIME_PARTS];
    bool default_month, default_monthday, default_weekday; /* taken from DTSTART because no part says it */
    bool plain_weekdays;                                   /* a number in BYDAY means nothing here */
    int64_t unit; /* the period that is next: year, month, day of a week's start, day, hour, minute or second number */
    bool done;

    /* The set of the current period: each of the days at each of the times. */
    int64_t days[366];
    int day_count;
    const short *times[TIME_PARTS];
    int time_count[TIME_PARTS];
    short fixed[TIME_PARTS]; /* where a period is itself an hour, minute or second */
    int *chosen;             /* BYSETPOS: indexes into the set, in order */
    int chosen_count, next;
};

static void set_defaults(struct dav_gen *g);
static void set_times(struct dav_gen *g, bool is_date);
static int64_t unit_of(const struct dav_gen *g, int64_t local);
static int64_t unit_start(const struct dav_gen *g, int64_t unit);
static void skip_to(struct dav_gen *g, int64_t local);
static bool next_period(struct dav_gen *g, long *steps);
static void fill_year(struct dav_gen *g, int year);
static void fill_month(struct dav_gen *g, int year, int month);
static bool fill_clock(struct dav_gen *g, int64_t unit, int64_t *ret_next);
static void choose(struct dav_gen *g);
static int set_size(const struct dav_gen *g);
static int64_t set_at(const struct dav_gen *g, int index);
static bool date_matches(const struct dav_gen *g, int64_t day, struct dav_civil c);
static bool weekday_matches(const struct dav_gen *g, int64_t day, struct dav_civil c);
static bool week_matches(const struct dav_gen *g, int64_t day, int year);
static bool list_has(const struct dav_rule *r, int list, int value);
static int weekday_of(int64_t day);
static int month_length(int year, int month);
static int64_t div_down(int64_t a, int64_t b);
static int compare_ints(const void *a, const void *b);

const char *dav_fix_needed(const struct dav_rule *rule)
{
    for (size_t i = 0; i < sizeof(corrections) / sizeof(corrections[0]); i++)
        if (corrections[i].applies(rule))
            return corrections[i].what;
    return NULL;
}

/*
 * 3.3.6: days of a duration go by the calendar, in local time; hours, minutes and seconds are exact and are added to
 * the moment. P1D over a change of clocks is 23 or 25 hours, PT24H never. libical adds both to the clock on the wall.
 */
int64_t dav_fix_end(struct dav_tz *tz, int64_t local, struct dav_length length)
{
    return dav_tz_to_utc(tz, local + length.days * DAV_DAY_S) + length.seconds;
}

struct dav_gen *dav_gen_new(const struct dav_rule *rule, int64_t start, bool is_date, int64_t from, int64_t to)
{
    struct dav_gen *g;

    if (rule->libical.freq == ICAL_NO_RECURRENCE || (is_date && rule->libical.freq < ICAL_DAILY_RECURRENCE))
        return NULL;
    g = mem_calloc(1, sizeof(*g));
    g->rule = rule;
    g->start = start;
    g->to = to;
    g->start_date = dav_civil_of(dav_day_of(start));
    g->start_weekday = weekday_of(dav_day_of(start));
    set_defaults(g);
    set_times(g, is_date);
    g->unit = unit_of(g, start);
    if (from > start)
        skip_to(g, from);
    if (rule->by_count[DAV_BY_SETPOS] > 0)
        g->chosen = mem_calloc((size_t)rule->by_count[DAV_BY_SETPOS], sizeof(*g->chosen));
    return g;
}

void dav_gen_free(struct dav_gen **gen)
{
    if (*gen == NULL)
        return;
    free((*gen)->chosen);
    free(*gen);
    *gen = NULL;
}

bool dav_gen_next(struct dav_gen *g, long *steps, int64_t *ret_local)
{
    for (;;) {
        int size = g->chosen != NULL ? g->chosen_count : set_size(g);

        while (g->next < size) {
            int index = g->next++;
            int64_t local = set_at(g, g->chosen != NULL ? g->chosen[index] : index);

            if (--*steps < 0)
                return false;
            if (local > g->to) {
                g->done = true;
                return false;
            }
            if (local > g->start) {
                *ret_local = local;
                return true;
            }
        }
        if (!next_period(g, steps))
            return false;
    }
}

static bool is_sub_daily(const struct dav_rule *r)
{
    return r->libical.freq < ICAL_DAILY_RECURRENCE;
}

static bool has_positions(const struct dav_rule *r)
{
    return r->by_count[DAV_BY_SETPOS] > 0;
}

static bool has_week_numbers(const struct dav_rule *r)
{
    return r->by_count[DAV_BY_WEEKNO] > 0;
}

static bool has_year_days(const struct dav_rule *r)
{
    return r->by_count[DAV_BY_YEARDAY] > 0;
}

static bool has_month_days(const struct dav_rule *r)
{
    return r->by_count[DAV_BY_MONTHDAY] > 0;
}

static bool has_rare_weekdays(const struct dav_rule *r)
{
    for (int i = 0; i < r->by_count[DAV_BY_DAY]; i++)
        if (abs(icalrecurrencetype_day_position(r->by[DAV_BY_DAY][i])) > 4)
            return true;
    return false;
}

static bool has_months_for_one_day(const struct dav_rule *r)
{
    return r->libical.freq == ICAL_YEARLY_RECURRENCE && r->by_count[DAV_BY_MONTH] > 0 && r->by_count[DAV_BY_DAY] == 0;
}

static bool has_weeks_apart(const struct dav_rule *r)
{
    return r->libical.freq == ICAL_WEEKLY_RECURRENCE && r->libical.interval > 1;
}

static bool has_count(const struct dav_rule *r)
{
    return r->libical.count > 0;
}

/* 3.3.10: information that the rule does not hold is taken from DTSTART. */
static void set_defaults(struct dav_gen *g)
{
    const int *n = g->rule->by_count;
    bool day_said = n[DAV_BY_MONTHDAY] > 0 || n[DAV_BY_YEARDAY] > 0 || n[DAV_BY_DAY] > 0;
    icalrecurrencetype_frequency freq = g->rule->libical.freq;

    if (freq == ICAL_YEARLY_RECURRENCE && !day_said && n[DAV_BY_WEEKNO] == 0) {
        g->default_monthday = true;
        g->default_month = n[DAV_BY_MONTH] == 0;
    } else if (freq == ICAL_YEARLY_RECURRENCE && !day_said) {
        g->default_weekday = true;
    } else if (freq == ICAL_MONTHLY_RECURRENCE && !day_said) {
        g->default_monthday = true;
    } else if (freq == ICAL_WEEKLY_RECURRENCE && !day_said) {
        g->default_weekday = true;
    }
    g->plain_weekdays = freq < ICAL_MONTHLY_RECURRENCE || n[DAV_BY_WEEKNO] > 0;
}

/* From BYHOUR and so on, else from DTSTART. They must be ignored for a DATE. */
static void set_times(struct dav_gen *g, bool is_date)
{
    static const int lists[TIME_PARTS] = {DAV_BY_HOUR, DAV_BY_MINUTE, DAV_BY_SECOND};
    int rest = (int)(g->start - dav_day_of(g->start) * DAV_DAY_S);

    g->start_time[TIME_HOUR] = (short)(rest / 3600);
    g->start_time[TIME_MINUTE] = (short)(rest / 60 % 60);
    g->start_time[TIME_SECOND] = (short)(rest % 60);
    for (int i = 0; i < TIME_PARTS; i++) {
        bool listed = g->rule->by_count[lists[i]] > 0 && !is_date;

        g->times[i] = listed ? g->rule->by[lists[i]] : &g->start_time[i];
        g->time_count[i] = listed ? g->rule->by_count[lists[i]] : 1;
        if ((int)g->rule->libical.freq <= ICAL_HOURLY_RECURRENCE - i) { /* the period is this hour, minute or second */
            g->times[i] = &g->fixed[i];
            g->time_count[i] = 1;
        }
    }
}

/* Number of the period that `local` lies in. */
static int64_t unit_of(const struct dav_gen *g, int64_t local)
{
    int64_t day = dav_day_of(local);
    struct dav_civil c;

    switch (g->rule->libical.freq) {
    case ICAL_YEARLY_RECURRENCE:
        return dav_civil_of(day).year;
    case ICAL_MONTHLY_RECURRENCE:
        c = dav_civil_of(day);
        return (int64_t)c.year * 12 + c.month - 1;
    case ICAL_WEEKLY_RECURRENCE:
        return div_down(day - (weekday_of(day) - g->rule->week_start + 7) % 7 + 3, 7); /* a Monday has day number -3 */
    case ICAL_DAILY_RECURRENCE:
        return day;
    case ICAL_HOURLY_RECURRENCE:
        return div_down(local, 3600);
    case ICAL_MINUTELY_RECURRENCE:
        return div_down(local, 60);
    case ICAL_SECONDLY_RECURRENCE:
    case ICAL_NO_RECURRENCE:
        break;
    }
    return local;
}

/* The first moment of a period. */
static int64_t unit_start(const struct dav_gen *g, int64_t unit)
{
    switch (g->rule->libical.freq) {
    case ICAL_YEARLY_RECURRENCE:
        return utc_days((int)unit, 1, 1) * DAV_DAY_S;
    case ICAL_MONTHLY_RECURRENCE:
        return utc_days((int)div_down(unit, 12), (int)(unit - div_down(unit, 12) * 12) + 1, 1) * DAV_DAY_S;
    case ICAL_WEEKLY_RECURRENCE:
        return (unit * 7 - 3 + g->rule->week_start) * DAV_DAY_S;
    case ICAL_DAILY_RECURRENCE:
        return unit * DAV_DAY_S;
    case ICAL_HOURLY_RECURRENCE:
        return unit * 3600;
    case ICAL_MINUTELY_RECURRENCE:
        return unit * 60;
    case ICAL_SECONDLY_RECURRENCE:
    case ICAL_NO_RECURRENCE:
        break;
    }
    return unit;
}

/* The last period of the rule's rhythm that begins at or before `local`. */
static void skip_to(struct dav_gen *g, int64_t local)
{
    int64_t away = unit_of(g, local) - g->unit, interval = g->rule->libical.interval;

    if (away > 0)
        g->unit += away / interval * interval;
}

static bool next_period(struct dav_gen *g, long *steps)
{
    int64_t unit = g->unit, next = unit + g->rule->libical.interval;
    int64_t first;

    if (g->done || (first = unit_start(g, unit)) > g->to) {
        g->done = true;
        return false;
    }
    if ((*steps -= g->rule->libical.freq == ICAL_YEARLY_RECURRENCE ? 16 : 1) < 0)
        return false;
    g->day_count = 0;
    g->next = 0;
    if (g->rule->libical.freq == ICAL_YEARLY_RECURRENCE) {
        fill_year(g, (int)unit);
    } else if (g->rule->libical.freq == ICAL_MONTHLY_RECURRENCE) {
        fill_month(g, (int)div_down(unit, 12), (int)(unit - div_down(unit, 12) * 12) + 1);
    } else if (g->rule->libical.freq >= ICAL_DAILY_RECURRENCE) {
        int64_t day = dav_day_of(first);

        for (int i = 0; i < (g->rule->libical.freq == ICAL_WEEKLY_RECURRENCE ? 7 : 1); i++)
            if (date_matches(g, day + i, dav_civil_of(day + i)))
                g->days[g->day_count++] = day + i;
    } else if (!fill_clock(g, unit, &next)) {
        g->day_count = 0;
    }
    g->unit = next;
    if (g->chosen != NULL)
        choose(g);
    return true;
}

static void fill_year(struct dav_gen *g, int year)
{
    for (int month = 1; month <= 12; month++)
        fill_month(g, year, month);
}

static void fill_month(struct dav_gen *g, int year, int month)
{
    int64_t first;
    int length = month_length(year, month);

    if (g->rule->by_count[DAV_BY_MONTH] > 0 ? !list_has(g->rule, DAV_BY_MONTH, month)
                                            : g->default_month && month != g->start_date.month)
        return;
    first = utc_days(year, month, 1);
    for (int day = 1; day <= length; day++)
        if (date_matches(g, first + day - 1, (struct dav_civil){year, month, day}))
            g->days[g->day_count++] = first + day - 1;
}

/*
 * An hour, minute or second. Where its day, hour or minute is out of the question as a whole, *ret_next becomes the
 * first period of the rhythm behind that: a rule for seconds of one day in the year does not try them all.
 */
static bool fill_clock(struct dav_gen *g, int64_t unit, int64_t *ret_next)
{
    int64_t interval = g->rule->libical.interval, local = unit_start(g, unit), day = dav_day_of(local), behind;
    int rest = (int)(local - day * DAV_DAY_S);
    int hour = rest / 3600, minute = rest / 60 % 60, second = rest % 60;
    icalrecurrencetype_frequency freq = g->rule->libical.freq;

    if (!date_matches(g, day, dav_civil_of(day)))
        behind = (day + 1) * DAV_DAY_S;
    else if (g->rule->by_count[DAV_BY_HOUR] > 0 && !list_has(g->rule, DAV_BY_HOUR, hour))
        behind = day * DAV_DAY_S + (hour + 1) * 3600;
    else if (freq <= ICAL_MINUTELY_RECURRENCE && g->rule->by_count[DAV_BY_MINUTE] > 0 &&
             !list_has(g->rule, DAV_BY_MINUTE, minute))
        behind = day * DAV_DAY_S + hour * 3600 + (minute + 1) * 60;
    else if (freq == ICAL_SECONDLY_RECURRENCE && g->rule->by_count[DAV_BY_SECOND] > 0 &&
             !list_has(g->rule, DAV_BY_SECOND, second))
        return false;
    else
        behind = INT64_MIN;
    if (behind != INT64_MIN) {
        int64_t away = unit_of(g, behind) - unit;

        *ret_next = unit + (away + interval - 1) / interval * interval;
        return false;
    }
    g->fixed[TIME_HOUR] = (short)hour;
    g->fixed[TIME_MINUTE] = (short)minute;
    g->fixed[TIME_SECOND] = (short)second;
    g->days[g->day_count++] = day;
    return true;
}

/* BYSETPOS: the n-th instance of the period's whole set, from either end. */
static void choose(struct dav_gen *g)
{
    int size = set_size(g), kept = 0;

    g->chosen_count = 0;
    for (int i = 0; i < g->rule->by_count[DAV_BY_SETPOS]; i++) {
        int position = g->rule->by[DAV_BY_SETPOS][i];
        int index = position > 0 ? position - 1 : size + position;

        if (index >= 0 && index < size)
            g->chosen[g->chosen_count++] = index;
    }
    qsort(g->chosen, (size_t)g->chosen_count, sizeof(*g->chosen), compare_ints);
    for (int i = 0; i < g->chosen_count; i++)
        if (kept == 0 || g->chosen[kept - 1] != g->chosen[i])
            g->chosen[kept++] = g->chosen[i];
    g->chosen_count = kept;
}

static int set_size(const struct dav_gen *g)
{
    return g->day_count * g->time_count[TIME_HOUR] * g->time_count[TIME_MINUTE] * g->time_count[TIME_SECOND];
}

static int64_t set_at(const struct dav_gen *g, int index)
{
    int second = g->times[TIME_SECOND][index % g->time_count[TIME_SECOND]];
    int minute, hour;

    index /= g->time_count[TIME_SECOND];
    minute = g->times[TIME_MINUTE][index % g->time_count[TIME_MINUTE]];
    index /= g->time_count[TIME_MINUTE];
    hour = g->times[TIME_HOUR][index % g->time_count[TIME_HOUR]];
    index /= g->time_count[TIME_HOUR];
    return g->days[index] * DAV_DAY_S + hour * 3600 + minute * 60 + (second > 59 ? 59 : second);
}

/* Every part that says something about the day must agree. Parts that only expand have made the day a candidate. */
static bool date_matches(const struct dav_gen *g, int64_t day, struct dav_civil c)
{
    const struct dav_rule *r = g->rule;
    int length = month_length(c.year, c.month);

    if (r->by_count[DAV_BY_MONTH] > 0 && !list_has(r, DAV_BY_MONTH, c.month))
        return false;
    if (r->by_count[DAV_BY_MONTHDAY] > 0
            ? !list_has(r, DAV_BY_MONTHDAY, c.day) && !list_has(r, DAV_BY_MONTHDAY, c.day - length - 1)
            : g->default_monthday && c.day != g->start_date.day)
        return false;
    if (r->by_count[DAV_BY_YEARDAY] > 0) {
        int64_t first = utc_days(c.year, 1, 1), next = utc_days(c.year + 1, 1, 1);

        if (!list_has(r, DAV_BY_YEARDAY, (int)(day - first) + 1) && !list_has(r, DAV_BY_YEARDAY, (int)(day - next)))
            return false;
    }
    if (r->by_count[DAV_BY_DAY] > 0 ? !weekday_matches(g, day, c)
                                    : g->default_weekday && weekday_of(day) != g->start_weekday)
        return false;
    return r->by_count[DAV_BY_WEEKNO] == 0 || week_matches(g, day, c.year);
}

/* "2TU" counts within the month, or within the year for a YEARLY rule without BYMONTH. */
static bool weekday_matches(const struct dav_gen *g, int64_t day, struct dav_civil c)
{
    const struct dav_rule *r = g->rule;
    bool by_year = r->libical.freq == ICAL_YEARLY_RECURRENCE && r->by_count[DAV_BY_MONTH] == 0;
    int weekday = weekday_of(day);

    for (int i = 0; i < r->by_count[DAV_BY_DAY]; i++) {
        short entry = r->by[DAV_BY_DAY][i];
        int position = icalrecurrencetype_day_position(entry);
        int64_t first, last;

        if (((int)icalrecurrencetype_day_day_of_week(entry) + 5) % 7 != weekday)
            continue;
        if (position == 0 || g->plain_weekdays)
            return true;
        first = by_year ? utc_days(c.year, 1, 1) : day - c.day + 1;
        last = by_year ? utc_days(c.year, 12, 31) : first + month_length(c.year, c.month) - 1;
        if (position > 0 ? (day - first) / 7 + 1 == position : (last - day) / 7 + 1 == -position)
            return true;
    }
    return false;
}

/* Week 1 is the first with four days in the year (3.3.10); a week belongs to the year that has its fourth day. */
static bool week_matches(const struct dav_gen *g, int64_t day, int year)
{
    int start = g->rule->week_start;
    int64_t fourth = day - (weekday_of(day) - start + 7) % 7 + 3, late, late_fourth;
    int number, count;

    if (fourth < utc_days(year, 1, 1))
        year--;
    else if (fourth >= utc_days(year + 1, 1, 1))
        year++;
    late = utc_days(year, 12, 28); /* always in the last week */
    late_fourth = late - (weekday_of(late) - start + 7) % 7 + 3;
    number = (int)(fourth - utc_days(year, 1, 1)) / 7 + 1;
    count = (int)(late_fourth - utc_days(year, 1, 1)) / 7 + 1;
    return list_has(g->rule, DAV_BY_WEEKNO, number) || list_has(g->rule, DAV_BY_WEEKNO, number - count - 1);
}

static bool list_has(const struct dav_rule *r, int list, int value)
{
    for (int i = 0; i < r->by_count[list]; i++)
        if (r->by[list][i] == value)
            return true;
    return false;
}

static int weekday_of(int64_t day)
{
    return (int)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

static int month_length(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return lengths[month - 1] + (month == 2 && leap);
}

static int64_t div_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}
