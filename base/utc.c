/*
 * utc: civil dates in UTC to seconds and back, by arithmetic alone: no zone files, no TZ variable, no struct tm.
 * Everything that puts a moment on a wire or takes one off it comes through here, except iCalendar's own zones
 * (davclient).
 *
 * Reading is exact: what is not completely a date is not a date, since a moment misread by an hour makes somebody look
 * free.
 */
#include "base/utc.h"

#define DAY_S 86400
#define FIRST_MOMENT (-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_MOMENT 253402300799    /* 9999-12-31T23:59:59Z */

struct civil {
    int year, month, day, hour, minute, second;
};

/* What is left to read. */
struct cursor {
    const char *at, *end;
};

static void put_two(char *at, int value, char then);
static struct civil civil_from(int64_t t);
static bool civil_to(const struct civil *c, int64_t *ret);
static int month_days(int year, int month);
static bool take_digits(struct cursor *c, int count, int *ret);
static bool take_char(struct cursor *c, char wanted);
static bool take_fraction(struct cursor *c);
static bool take_offset(struct cursor *c, int64_t *ret_s);
static bool parse_seconds(const char *text, size_t len, int64_t *ret);

char *utc_rfc3339(int64_t t, char out[UTC_TEXT_MAX])
{
    struct civil c = civil_from(t);

    put_two(out, c.year / 100, '\0');
    put_two(out + 2, c.year % 100, '-');
    put_two(out + 5, c.month, '-');
    put_two(out + 8, c.day, 'T');
    put_two(out + 11, c.hour, ':');
    put_two(out + 14, c.minute, ':');
    put_two(out + 17, c.second, 'Z');
    out[20] = '\0';
    return out;
}

char *utc_basic(int64_t t, char out[UTC_TEXT_MAX])
{
    struct civil c = civil_from(t);

    put_two(out, c.year / 100, '\0');
    put_two(out + 2, c.year % 100, '\0');
    put_two(out + 4, c.month, '\0');
    put_two(out + 6, c.day, 'T');
    put_two(out + 9, c.hour, '\0');
    put_two(out + 11, c.minute, '\0');
    put_two(out + 13, c.second, 'Z');
    out[16] = '\0';
    return out;
}

char *utc_slashed(int64_t t, char out[UTC_TEXT_MAX])
{
    struct civil c = civil_from(t);

    put_two(out, c.year / 100, '\0');
    put_two(out + 2, c.year % 100, '/');
    put_two(out + 5, c.month, '/');
    put_two(out + 8, c.day, ' ');
    put_two(out + 11, c.hour, ':');
    put_two(out + 14, c.minute, ':');
    put_two(out + 17, c.second, '\0');
    return out;
}

bool utc_parse_rfc3339(const char *text, size_t len, int64_t *ret)
{
    struct cursor c = {text, text + len};
    struct civil d;
    int64_t t, offset_s;

    if (!take_digits(&c, 4, &d.year) || !take_char(&c, '-') || !take_digits(&c, 2, &d.month) || !take_char(&c, '-') ||
        !take_digits(&c, 2, &d.day))
        return false;
    if (!take_char(&c, 'T') && !take_char(&c, ' '))
        return false;
    if (!take_digits(&c, 2, &d.hour) || !take_char(&c, ':') || !take_digits(&c, 2, &d.minute) || !take_char(&c, ':') ||
        !take_digits(&c, 2, &d.second))
        return false;
    if (!take_fraction(&c) || !take_offset(&c, &offset_s) || c.at != c.end || !civil_to(&d, &t))
        return false;
    *ret = t - offset_s;
    return true;
}

bool utc_parse_basic(const char *text, size_t len, int64_t *ret)
{
    struct cursor c = {text, text + len};
    struct civil d;

    if (!take_digits(&c, 4, &d.year) || !take_digits(&c, 2, &d.month) || !take_digits(&c, 2, &d.day) ||
        !take_char(&c, 'T'))
        return false;
    if (!take_digits(&c, 2, &d.hour) || !take_digits(&c, 2, &d.minute) || !take_digits(&c, 2, &d.second))
        return false;
    return take_char(&c, 'Z') && c.at == c.end && civil_to(&d, ret);
}

bool utc_parse_any(const char *text, size_t len, int64_t *ret)
{
    return utc_parse_rfc3339(text, len, ret) || utc_parse_basic(text, len, ret) || parse_seconds(text, len, ret);
}

/*
 * Years are counted from March, so that the leap day is the last of its year, and in eras of 400 years, which all have
 * 146097 days; the months from March on have 153 days per five.
 */
int64_t utc_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t utc_from_civil(int year, int month, int day, int hour, int minute, int second)
{
    return utc_days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
}

/* By hand, because every question of a poll has two dates in it, and a free/busy text hundreds. */
static void put_two(char *at, int value, char then)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
    at[2] = then;
}

static struct civil civil_from(int64_t t)
{
    struct civil c = {0};
    int64_t day, rest, left;

    t = t < FIRST_MOMENT ? FIRST_MOMENT : t > LAST_MOMENT ? LAST_MOMENT : t;
    day = t / DAY_S - (t % DAY_S < 0);
    rest = t - day * DAY_S;
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);

    /* A guess from the mean length of a year is off by one at the most. */
    c.year = (int)((day * 400 + 400 * 719528LL) / 146097);
    while (utc_days(c.year, 1, 1) > day)
        c.year--;
    while (utc_days(c.year + 1, 1, 1) <= day)
        c.year++;
    left = day - utc_days(c.year, 1, 1);
    for (c.month = 1; left >= month_days(c.year, c.month); c.month++)
        left -= month_days(c.year, c.month);
    c.day = (int)left + 1;
    return c;
}

static bool civil_to(const struct civil *c, int64_t *ret)
{
    int second = c->second == 60 ? 59 : c->second; /* Unix time has no place for a leap second */

    if (c->year < 1 || c->month < 1 || c->month > 12 || c->day < 1 || c->day > month_days(c->year, c->month))
        return false;
    if (c->hour > 23 || c->minute > 59 || second > 59)
        return false;
    *ret = utc_from_civil(c->year, c->month, c->day, c->hour, c->minute, second);
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static bool take_digits(struct cursor *c, int count, int *ret)
{
    int value = 0;

    if (c->end - c->at < count)
        return false;
    for (; count > 0; count--, c->at++) {
        if (*c->at < '0' || *c->at > '9')
            return false;
        value = value * 10 + (*c->at - '0');
    }
    *ret = value;
    return true;
}

static bool take_char(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* Nothing, or a point and one to nine digits. */
static bool take_fraction(struct cursor *c)
{
    int digits = 0, ignored;

    if (!take_char(c, '.'))
        return true;
    while (digits <= 9 && take_digits(c, 1, &ignored))
        digits++;
    return digits >= 1 && digits <= 9;
}

static bool take_offset(struct cursor *c, int64_t *ret_s)
{
    int sign, hours, minutes;

    if (take_char(c, 'Z')) {
        *ret_s = 0;
        return true;
    }
    sign = take_char(c, '+') ? 1 : take_char(c, '-') ? -1 : 0;
    if (sign == 0 || !take_digits(c, 2, &hours) || !take_char(c, ':') || !take_digits(c, 2, &minutes))
        return false;
    *ret_s = sign * (hours * 3600 + minutes * 60);
    return hours <= 23 && minutes <= 59;
}

static bool parse_seconds(const char *text, size_t len, int64_t *ret)
{
    struct cursor c = {text, text + len};
    bool negative = take_char(&c, '-');
    int64_t value = 0;
    int digit;

    if (c.at == c.end || c.end - c.at > 12)
        return false;
    while (c.at != c.end) {
        if (!take_digits(&c, 1, &digit))
            return false;
        value = value * 10 + digit;
    }
    value = negative ? -value : value;
    if (value < FIRST_MOMENT || value > LAST_MOMENT)
        return false;
    *ret = value;
    return true;
}
