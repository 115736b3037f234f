/*
 * ical_rule: recurrence rules (RFC 5545 3.3.10). libical parses them, and its iterator walks those that it is known to
 * walk rightly; the others go to the generator in ical_fix.c, which holds the list of what libical does wrong.
 *
 * COUNT and UNTIL are applied here for both, since libical cannot jump ahead in a rule that has them in its own hands.
 * DTSTART is the first instance whatever the rule says, and COUNT counts it (3.8.5.3, 3.3.10): a run therefore only
 * yields what comes after it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utc.h"
#include "ical_parts.h"

static bool text_is_sound(const char *text);
static bool has_part(const char *text, const char *name);
static bool lists_are_sound(struct dav_rule *rule);
static int compare_shorts(const void *a, const void *b);
static int sort_list(short *values, int count);
static bool open_libical(struct dav_run *run, const struct dav_when *start);
static bool next_libical(struct dav_run *run, int64_t *ret);
static struct icaltimetype to_libical(int64_t local, bool is_date);

bool dav_rule_parse(const char *text, struct dav_rule *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (!text_is_sound(text))
        return false;
    ret->libical = icalrecurrencetype_from_string(text);
    if (ret->libical.freq == ICAL_NO_RECURRENCE || ret->libical.rscale != NULL) {
        free(ret->libical.rscale);
        return false;
    }
    if (ret->libical.interval < 1 || (has_part(text, "COUNT=") && ret->libical.count < 1))
        return false;
    if (has_part(text, "UNTIL=")) {
        const char *value = strcasestr(text, "UNTIL=") + 6;

        if (!dav_value_when(value, strcspn(value, ";"), &ret->until))
            return false;
    }
    ret->libical.until = icaltime_null_time();
    ret->week_start = (ret->libical.week_start + 5) % 7; /* libical: 1 Sunday, 2 Monday */
    return lists_are_sound(ret);
}

bool dav_run_open(struct dav_run *run, const struct dav_rule *rule, const struct dav_when *start, int64_t from,
                  int64_t to, long *steps)
{
    bool is_date = start->form == DAV_WHEN_DATE;

    memset(run, 0, sizeof(*run));
    run->rule = rule;
    run->start = start->local;
    run->from = rule->libical.count > 0 || from < start->local ? start->local : from;
    run->to = to;
    run->steps = steps;
    run->left = rule->libical.count > 0 ? rule->libical.count - 1 : INT32_MAX;
    if (rule->until.form != DAV_WHEN_NONE) {
        int64_t until = rule->until.local;

        if (rule->until.form == DAV_WHEN_UTC)
            until += DAV_DAY_S; /* the caller knows the zone */
        else if (rule->until.form == DAV_WHEN_DATE)
            until += DAV_DAY_S - 1; /* the day is meant whole */
        run->to = until < to ? until : to;
    }
    if (is_date && rule->libical.freq < ICAL_DAILY_RECURRENCE)
        return false;
    if (run->from > run->to)
        return true; /* nothing in there; dav_run_next says so */
    if (dav_fix_needed(rule) == NULL)
        return open_libical(run, start);
    run->gen = dav_gen_new(rule, start->local, is_date, run->from, run->to);
    return run->gen != NULL;
}

bool dav_run_next(struct dav_run *run, int64_t *ret_local)
{
    do {
        if (run->left <= 0)
            return false;
        if (run->gen != NULL ? !dav_gen_next(run->gen, run->steps, ret_local) : !next_libical(run, ret_local)) {
            run->failed = *run->steps < 0;
            return false;
        }
    } while (*ret_local <= run->start);
    if (*ret_local > run->to)
        return false;
    run->left--;
    return true;
}

void dav_run_close(struct dav_run *run)
{
    if (run->libical != NULL)
        icalrecur_iterator_free(run->libical);
    run->libical = NULL;
    dav_gen_free(&run->gen);
}

/* libical cuts a number to a short, or adds it up beyond an int, without a word. */
static bool text_is_sound(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ";");
        int digits = 0, most = strncasecmp(text, "COUNT=", 6) == 0 ? 9 : 4;

        for (size_t i = 0; i < len; i++) {
            digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
            if (digits > most && strncasecmp(text, "UNTIL=", 6) != 0)
                return false;
        }
        text += len + (text[len] == ';');
    }
    return true;
}

static bool has_part(const char *text, const char *name)
{
    return strcasestr(text, name) != NULL;
}

/* What RFC 5545 allows in each list; libical looks at most of it but not at all. */
static bool lists_are_sound(struct dav_rule *rule)
{
    struct icalrecurrencetype *r = &rule->libical;
    struct {
        short *values;
        int size, low, high;
        bool negative;
    } lists[DAV_BY_LISTS] = {
        [DAV_BY_SECOND] = {r->by_second, ICAL_BY_SECOND_SIZE, 0, 60, false},
        [DAV_BY_MINUTE] = {r->by_minute, ICAL_BY_MINUTE_SIZE, 0, 59, false},
        [DAV_BY_HOUR] = {r->by_hour, ICAL_BY_HOUR_SIZE, 0, 23, false},
        [DAV_BY_MONTHDAY] = {r->by_month_day, ICAL_BY_MONTHDAY_SIZE, 1, 31, true},
        [DAV_BY_YEARDAY] = {r->by_year_day, ICAL_BY_YEARDAY_SIZE, 1, 366, true},
        [DAV_BY_WEEKNO] = {r->by_week_no, ICAL_BY_WEEKNO_SIZE, 1, 53, true},
        [DAV_BY_MONTH] = {r->by_month, ICAL_BY_MONTH_SIZE, 1, 12, false},
        [DAV_BY_SETPOS] = {r->by_set_pos, ICAL_BY_SETPOS_SIZE, 1, 366, true},
        [DAV_BY_DAY] = {r->by_day, ICAL_BY_DAY_SIZE, 0, 0, false},
    };

    for (int i = 0; i < DAV_BY_LISTS; i++) {
        short *values = lists[i].values;
        int n = 0;

        for (; n < lists[i].size && values[n] != ICAL_RECURRENCE_ARRAY_MAX; n++) {
            int v = lists[i].negative && values[n] < 0 ? -values[n] : values[n];

            if (i != DAV_BY_DAY && (v < lists[i].low || v > lists[i].high))
                return false;
        }
        rule->by[i] = values;
        rule->by_count[i] = i < DAV_BY_MONTHDAY ? sort_list(values, n) : n; /* times of day are built in order */
    }
    return true;
}

static int compare_shorts(const void *a, const void *b)
{
    return *(const short *)a - *(const short *)b;
}

/* Returns how many are left without repetitions. */
static int sort_list(short *values, int count)
{
    int kept = 0;

    qsort(values, (size_t)count, sizeof(*values), compare_shorts);
    for (int i = 0; i < count; i++)
        if (kept == 0 || values[kept - 1] != values[i])
            values[kept++] = values[i];
    if (kept < count)
        values[kept] = ICAL_RECURRENCE_ARRAY_MAX;
    return kept;
}

/*
 * Jumping: the iterator starts at DTSTART, for the parts that the rule takes from it, and is then moved. It must be
 * moved to DTSTART's time of day, because it takes the clock time of the first instance from there. The window's end is
 * its UNTIL, so that it cannot search for an instance that never comes.
 */
static bool open_libical(struct dav_run *run, const struct dav_when *start)
{
    struct icalrecurrencetype rule = run->rule->libical;
    bool is_date = start->form == DAV_WHEN_DATE;
    int64_t time_of_day = start->local - dav_day_of(start->local) * DAV_DAY_S;

    rule.count = 0;
    rule.until = to_libical(run->to + DAV_DAY_S, is_date);
    icalerror_clear_errno();
    run->libical = icalrecur_iterator_new(rule, to_libical(start->local, is_date));
    if (run->libical == NULL)
        return false;
    if (run->from <= start->local)
        return true;
    return icalrecur_iterator_set_start(run->libical,
                                        to_libical(dav_day_of(run->from) * DAV_DAY_S + time_of_day, is_date)) != 0;
}

static bool next_libical(struct dav_run *run, int64_t *ret)
{
    struct icaltimetype t;

    if (run->libical == NULL)
        return false;
    *run->steps -= 50; /* a step of libical takes microseconds, one of the generator tens of nanoseconds */
    if (*run->steps < 0)
        return false;
    t = icalrecur_iterator_next(run->libical);
    if (icaltime_is_null_time(t))
        return false;
    *ret = utc_from_civil(t.year, t.month, t.day, t.is_date ? 0 : t.hour, t.is_date ? 0 : t.minute,
                          t.is_date ? 0 : t.second);
    return true;
}

static struct icaltimetype to_libical(int64_t local, bool is_date)
{
    struct icaltimetype t = icaltime_null_time();
    int64_t day = dav_day_of(local);
    int rest = (int)(local - day * DAV_DAY_S);
    struct dav_civil c = dav_civil_of(day);

    t.year = c.year;
    t.month = c.month;
    t.day = c.day;
    t.is_date = is_date;
    if (!is_date) {
        t.hour = rest / 3600;
        t.minute = rest / 60 % 60;
        t.second = rest % 60;
    }
    return t;
}
