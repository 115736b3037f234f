/*
 * ical_value: dates, durations, periods and offsets. Values in the form that nearly all have are read here, because
 * libical reads them with sscanf, which was a quarter of the time of a free/busy text; all others by libical. What it
 * lets pass and should not (the 32nd of a month, an overflowing number, an empty value) is refused here, because a
 * value that was misread makes somebody look free.
 */
#include <string.h>

#include "base/utc.h"
#include "ical_parts.h"

#define VALUE_MAX 64

static struct icaltimetype read_time(const char *text, size_t len);
static bool read_digits(const char *text, unsigned count, int *ret);
static bool read_length(const char *text, size_t len, struct dav_length *ret);
static bool to_text(const char *text, size_t len, char out[VALUE_MAX]);
static bool numbers_are_short(const char *text);

bool dav_value_when(const char *text, size_t len, struct dav_when *ret)
{
    char value[VALUE_MAX];
    struct icaltimetype t;

    if (!to_text(text, len, value) || strspn(value, "0123456789TZ") != len)
        return false;
    t = read_time(value, len);
    if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > icaltime_days_in_month(t.month, t.year) || t.year < 0 ||
        t.year > 9999)
        return false;
    if (!t.is_date && (t.hour < 0 || t.hour > 23 || t.minute < 0 || t.minute > 59 || t.second < 0 || t.second > 60))
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->form = t.is_date ? DAV_WHEN_DATE : value[len - 1] == 'Z' ? DAV_WHEN_UTC : DAV_WHEN_FLOATING;
    ret->local = t.is_date ? utc_from_civil(t.year, t.month, t.day, 0, 0, 0)
                           : utc_from_civil(t.year, t.month, t.day, t.hour, t.minute, t.second > 59 ? 59 : t.second);
    return true;
}

bool dav_value_length(const char *text, size_t len, struct dav_length *ret)
{
    char value[VALUE_MAX];
    struct icaldurationtype d;
    int sign;

    if (read_length(text, len, ret))
        return true;
    if (!to_text(text, len, value) || !numbers_are_short(value) || strpbrk(value, "0123456789") == NULL)
        return false;
    d = icaldurationtype_from_string(value);
    if (icaldurationtype_is_bad_duration(d))
        return false;
    sign = d.is_neg ? -1 : 1;
    ret->days = sign * ((int64_t)d.weeks * 7 + d.days);
    ret->seconds = sign * ((int64_t)d.hours * 3600 + (int64_t)d.minutes * 60 + d.seconds);
    return true;
}

bool dav_value_period(const char *text, size_t len, struct dav_date *ret)
{
    const char *slash = memchr(text, '/', len);
    const char *second;

    if (slash == NULL || !dav_value_when(text, (size_t)(slash - text), &ret->when) || ret->when.form == DAV_WHEN_DATE)
        return false;
    second = slash + 1;
    len -= (size_t)(second - text);
    ret->is_period = true;
    ret->end.form = DAV_WHEN_NONE;
    if (memchr(second, 'P', len) != NULL)
        return dav_value_length(second, len, &ret->length);
    return dav_value_when(second, len, &ret->end) && ret->end.form != DAV_WHEN_DATE;
}

/* "+0100", "-053000" */
bool dav_value_offset(const char *text, size_t len, int *ret_s)
{
    int n[3] = {0};

    if ((len != 5 && len != 7) || (text[0] != '+' && text[0] != '-'))
        return false;
    for (size_t i = 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n[(i - 1) / 2] = n[(i - 1) / 2] * 10 + (text[i] - '0');
    }
    if (n[0] > 23 || n[1] > 59 || n[2] > 59)
        return false;
    *ret_s = (text[0] == '-' ? -1 : 1) * (n[0] * 3600 + n[1] * 60 + n[2]);
    return true;
}

/* The calendar repeats after 400 years of 146097 days; counted from 1 March the leap day is the last of its year. */
struct dav_civil dav_civil_of(int64_t day)
{
    int64_t era, of_era, year, of_year, month;
    struct dav_civil c;

    day += 719468;
    era = (day >= 0 ? day : day - 146096) / 146097;
    of_era = day - era * 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;
    c.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = (int)(year + era * 400 + (c.month <= 2));
    return c;
}

int64_t dav_day_of(int64_t local)
{
    return local / DAV_DAY_S - (local % DAV_DAY_S < 0);
}

bool dav_line_when(const struct dav_line *line, struct arena *arena, struct dav_when *ret)
{
    size_t len;
    const char *tzid;

    if (line->broken || !dav_value_when(line->value, line->value_len, ret))
        return false;
    if (ret->form != DAV_WHEN_FLOATING)
        return true;
    tzid = dav_line_param(line, "TZID", &len);
    if (tzid == NULL)
        return true;
    ret->form = DAV_WHEN_ZONED;
    ret->tzid = arena_strndup(arena, tzid, len);
    return ret->tzid != NULL;
}

bool dav_line_dates(const struct dav_line *line, struct arena *arena, struct dav_date **list)
{
    const char *at = line->value, *end = line->value + line->value_len;
    const char *tzid = NULL, *tzid_param;
    size_t len;

    if (line->broken)
        return false;
    tzid_param = dav_line_param(line, "TZID", &len);
    if (tzid_param != NULL && (tzid = arena_strndup(arena, tzid_param, len)) == NULL)
        return false;
    while (at <= end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        struct dav_date *date = arena_alloc(arena, sizeof(*date));
        size_t item;

        if (date == NULL)
            return false;
        if (comma == NULL)
            comma = end;
        item = (size_t)(comma - at);
        if (memchr(at, '/', item) != NULL ? !dav_value_period(at, item, date) : !dav_value_when(at, item, &date->when))
            return false;
        if (tzid != NULL && date->when.form == DAV_WHEN_FLOATING) {
            date->when.form = DAV_WHEN_ZONED;
            date->when.tzid = tzid;
        }
        if (tzid != NULL && date->end.form == DAV_WHEN_FLOATING) {
            date->end.form = DAV_WHEN_ZONED;
            date->end.tzid = tzid;
        }
        date->next = *list;
        *list = date;
        at = comma + 1;
    }
    return true;
}

/* "20261122", "20261122T090000", "20261122T090000Z" */
static struct icaltimetype read_time(const char *text, size_t len)
{
    struct icaltimetype t = {.is_date = len == 8};
    bool whole = (len == 8 || len == 15 || (len == 16 && text[15] == 'Z')) && read_digits(text, 4, &t.year) &&
                 read_digits(text + 4, 2, &t.month) && read_digits(text + 6, 2, &t.day);

    if (whole && len > 8)
        whole = text[8] == 'T' && read_digits(text + 9, 2, &t.hour) && read_digits(text + 11, 2, &t.minute) &&
                read_digits(text + 13, 2, &t.second);
    return whole ? t : icaltime_from_string(text);
}

static bool read_digits(const char *text, unsigned count, int *ret)
{
    int n = 0;

    for (unsigned i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (text[i] - '0');
    }
    *ret = n;
    return true;
}

/* "PT1H30M", "P1DT2H": short numbers, each unit once, in their order. */
static bool read_length(const char *text, size_t len, struct dav_length *ret)
{
    static const struct {
        char unit;
        bool time;
        int seconds;
    } units[] = {{'D', false, 0}, {'H', true, 3600}, {'M', true, 60}, {'S', true, 1}};
    const char *at = text + 1, *end = text + len;
    struct dav_length length = {.days = 0};
    bool time = false;
    unsigned next = 0, parts = 0;

    if (len < 3 || text[0] != 'P')
        return false;
    while (at < end) {
        int n = 0;
        const char *digits;
        if (!time && *at == 'T') {
            time = true;
            at++;
        }
        for (digits = at; at < end && *at >= '0' && *at <= '9' && at - digits < 6; at++)
            n = n * 10 + (*at - '0');
        while (next < 4 && (at == end || units[next].unit != *at || units[next].time != time))
            next++;
        if (at == digits || next == 4)
            return false;
        length.days += units[next].time ? 0 : n;
        length.seconds += (int64_t)n * units[next].seconds;
        next++;
        at++;
        parts++;
    }
    *ret = length;
    return parts > 0;
}

static bool to_text(const char *text, size_t len, char out[VALUE_MAX])
{
    if (len == 0 || len >= VALUE_MAX || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* libical adds up digits in an int without looking. */
static bool numbers_are_short(const char *text)
{
    int digits = 0;

    for (; *text != '\0'; text++) {
        digits = *text >= '0' && *text <= '9' ? digits + 1 : 0;
        if (digits > 7)
            return false;
    }
    return true;
}
