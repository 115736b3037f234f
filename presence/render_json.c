/*
 * render_json: a presence as one JSON object, for the HTTP interface, the event stream and the control socket. Written
 * straight into the buffer without a tree, because at nine o'clock it runs once for every change of a million people;
 * dates are reckoned here for the same reason.
 */
#include "presence/render.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"

/* Room for all but the two texts, whose lengths we do not choose: keys, kinds and six dates. */
#define LINE_MAX_BYTES 512
#define DAY_S 86400

/* What RFC 3339 can say: years 0000 to 9999. */
#define YEAR_0 (-62167219200)
#define YEAR_10000 253402300800

/* The dates of one object are mostly of the same day. */
struct day {
    int64_t number; /* from 1970-01-01 */
    char text[11];  /* "2026-11-22T" */
};

static char *add(char *at, const char *text);
static char *add_time(char *at, const char *key, int64_t t, struct day *day);
static char *add_two(char *at, unsigned value);
static void day_of(int64_t number, struct day *ret);
static void civil(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day);

bool pres_render_json(struct buf *out, const char *address, const struct pres_presence *p)
{
    char line[LINE_MAX_BYTES], *at = line;
    struct day day = {.number = INT64_MIN};

    buf_adds(out, "{\"address\":");
    jv_quote(out, address);
    at = add(at, ",\"state\":\"");
    at = add(at, pres_kind_name(p->state));
    at = add_time(at, "\",\"since\":", p->since, &day);
    at = add_time(at, ",\"until\":", p->until, &day);
    if (p->next.some) {
        at = add(at, ",\"next\":{\"state\":\"");
        at = add(at, pres_kind_name(p->next.kind));
        at = add_time(at, "\",\"start\":", p->next.start, &day);
        at = add_time(at, ",\"end\":", p->next.end, &day);
        at = add(at, "}");
    } else {
        at = add(at, ",\"next\":null");
    }
    at = add_time(at, ",\"as_of\":", p->as_of, &day);
    at = add_time(at, ",\"valid_until\":", p->valid_until, &day);
    at = add(at, ",\"reason\":");
    buf_add(out, line, (size_t)(at - line));
    jv_quote(out, p->reason);
    return buf_addc(out, '}');
}

static char *add(char *at, const char *text)
{
    return stpcpy(at, text);
}

/* A moment that nobody knows, or that never comes, is null. */
static char *add_time(char *at, const char *key, int64_t t, struct day *day)
{
    int64_t number;
    unsigned second;

    at = add(at, key);
    if (t == 0 || t < YEAR_0 || t >= YEAR_10000)
        return add(at, "null");
    number = t >= 0 ? t / DAY_S : -((DAY_S - 1 - t) / DAY_S);
    if (number != day->number)
        day_of(number, day);
    second = (unsigned)(t - number * DAY_S);
    *at++ = '"';
    memcpy(at, day->text, sizeof(day->text));
    at = add_two(at + sizeof(day->text), second / 3600);
    *at++ = ':';
    at = add_two(at, second / 60 % 60);
    *at++ = ':';
    at = add_two(at, second % 60);
    return add(at, "Z\"");
}

static char *add_two(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
    return at + 2;
}

static void day_of(int64_t number, struct day *ret)
{
    unsigned year, month, day;

    civil(number, &year, &month, &day);
    ret->number = number;
    add_two(add_two(ret->text, year / 100), year % 100);
    ret->text[4] = ret->text[7] = '-';
    add_two(ret->text + 5, month);
    add_two(ret->text + 8, day);
    ret->text[10] = 'T';
}

/*
 * Gregorian date of a day counted from 1970-01-01. Counted from 1 March of year 0 instead, leap days stand at the end
 * of a year of 365 or 366 days, of four years, of a century and of 400 years, and the months from March on are 153 days
 * in every five.
 */
static void civil(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    const int64_t to_1970 = 719468; /* days from 0000-03-01 */
    unsigned day = (unsigned)(days + to_1970 + 146097), cycle = day / 146097, year,
             month; /* one cycle up: never negative */

    day %= 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    *ret_day = day - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = year + (cycle - 1) * 400 + (month >= 10);
}
