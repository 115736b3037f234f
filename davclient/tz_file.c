/*
 * tz_file: a zone file (TZif, RFC 8536) as a zone. The file lists changes up to some year; what comes after follows the
 * rule in its footer (a POSIX TZ string), which is written out here up to 2120, beyond any window that somebody asks
 * about.
 */
#include <string.h>

#include "base/utc.h"
#include "tz.h"

#define HEADER 44
#define LAST_YEAR 2120
#define DAY_S 86400

struct bytes {
    const unsigned char *at;
    size_t len;
};

/* One of the two yearly changes of a POSIX TZ string. */
struct rule {
    char form; /* 'M', 'J' or '0' (days from 0, leap day counted) */
    int month, week, day;
    int time_s;
};

struct posix_tz {
    int std_s, dst_s;
    bool has_dst;
    struct rule to_dst, to_std;
};

static int64_t read_be(const unsigned char *at, int size);
static bool block_size(const struct bytes *b, int time_size, size_t *ret);
static void add_changes(struct dav_tz *tz, const unsigned char *at, uint32_t timecnt, const unsigned char *types,
                        uint32_t typecnt);
static void add_footer(struct dav_tz *tz, const struct bytes *rest, int64_t after);
static bool parse_posix(const char *text, struct posix_tz *ret);
static bool skip_name(const char **text);
static bool take_number(const char **text, int max, int *ret);
static bool take_time(const char **text, int *ret_s);
static bool take_rule(const char **text, struct rule *ret);
static int64_t rule_local(const struct rule *r, int year);

struct dav_tz *dav_tz_read(const unsigned char *data, size_t len)
{
    struct bytes b = {data, len};
    struct dav_tz *tz;
    const unsigned char *times, *types;
    uint32_t timecnt, typecnt;
    size_t size;

    /* The first block has 32-bit times and is there for old readers. */
    if (!block_size(&b, 4, &size) || b.at[4] < '2')
        return NULL;
    b.at += size;
    b.len -= size;
    if (!block_size(&b, 8, &size))
        return NULL;
    timecnt = (uint32_t)read_be(b.at + 32, 4);
    typecnt = (uint32_t)read_be(b.at + 36, 4);
    if (typecnt == 0)
        return NULL;
    times = b.at + HEADER;
    types = times + (size_t)timecnt * 9;
    tz = dav_tz_new((int)read_be(types, 4), NULL, NULL, NULL);
    add_changes(tz, times, timecnt, types, typecnt);
    b.at += size;
    b.len -= size;
    add_footer(tz, &b, timecnt > 0 ? read_be(times + (size_t)(timecnt - 1) * 8, 8) : INT64_MIN);
    return tz;
}

static int64_t read_be(const unsigned char *at, int size)
{
    uint64_t value = (at[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (int i = 0; i < size; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

/* Header and data of the block that begins here; false when it is no TZif or sticks out. */
static bool block_size(const struct bytes *b, int time_size, size_t *ret)
{
    uint64_t n[6], size;

    if (b->len < HEADER || memcmp(b->at, "TZif", 4) != 0)
        return false;
    for (int i = 0; i < 6; i++) {
        n[i] = (uint64_t)read_be(b->at + 20 + i * 4, 4);
        if (n[i] > 100000)
            return false;
    }
    /* isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt */
    size = HEADER + n[3] * (uint64_t)(time_size + 1) + n[4] * 6 + n[5] + n[2] * (uint64_t)(time_size + 4) + n[1] + n[0];
    if (size > b->len)
        return false;
    *ret = size;
    return true;
}

static void add_changes(struct dav_tz *tz, const unsigned char *at, uint32_t timecnt, const unsigned char *types,
                        uint32_t typecnt)
{
    const unsigned char *index = at + (size_t)timecnt * 8;

    for (uint32_t i = 0; i < timecnt; i++)
        if (index[i] < typecnt)
            dav_tz_add(tz, read_be(at + (size_t)i * 8, 8), (int)read_be(types + (size_t)index[i] * 6, 4));
}

static void add_footer(struct dav_tz *tz, const struct bytes *rest, int64_t after)
{
    char text[128];
    struct posix_tz p;
    const unsigned char *end;
    int year = 1970;

    if (rest->len < 2 || rest->at[0] != '\n')
        return;
    end = memchr(rest->at + 1, '\n', rest->len - 1);
    if (end == NULL || end - rest->at > (long)sizeof(text))
        return;
    memcpy(text, rest->at + 1, (size_t)(end - rest->at - 1));
    text[end - rest->at - 1] = '\0';
    if (!parse_posix(text, &p) || !p.has_dst)
        return;
    while (year < LAST_YEAR && utc_days(year + 1, 1, 1) * DAY_S <= after)
        year++;
    for (; year <= LAST_YEAR; year++) {
        int64_t dst = rule_local(&p.to_dst, year) - p.std_s, std = rule_local(&p.to_std, year) - p.dst_s;

        if (dst < std && dst > after)
            dav_tz_add(tz, dst, p.dst_s);
        if (std > after)
            dav_tz_add(tz, std, p.std_s);
        if (dst >= std && dst > after)
            dav_tz_add(tz, dst, p.dst_s);
    }
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; offsets there count westward. */
static bool parse_posix(const char *text, struct posix_tz *ret)
{
    int west_s;

    memset(ret, 0, sizeof(*ret));
    if (!skip_name(&text) || !take_time(&text, &west_s))
        return false;
    ret->std_s = -west_s;
    if (*text == '\0')
        return true;
    if (!skip_name(&text))
        return false;
    ret->has_dst = true;
    ret->dst_s = ret->std_s + 3600;
    if (*text != ',') {
        if (!take_time(&text, &west_s))
            return false;
        ret->dst_s = -west_s;
    }
    return take_rule(&text, &ret->to_dst) && take_rule(&text, &ret->to_std) && *text == '\0';
}

static bool skip_name(const char **text)
{
    const char *at = *text;

    if (*at == '<') {
        at = strchr(at, '>');
        if (at == NULL)
            return false;
        *text = at + 1;
        return true;
    }
    while ((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z'))
        at++;
    if (at - *text < 3)
        return false;
    *text = at;
    return true;
}

static bool take_number(const char **text, int max, int *ret)
{
    int value = 0, digits = 0;

    for (; **text >= '0' && **text <= '9' && digits < 4; (*text)++, digits++)
        value = value * 10 + (**text - '0');
    if (digits == 0 || value > max)
        return false;
    *ret = value;
    return true;
}

static bool take_time(const char **text, int *ret_s)
{
    int sign = 1, hours, minutes = 0, seconds = 0;

    if (**text == '-' || **text == '+')
        sign = *(*text)++ == '-' ? -1 : 1;
    if (!take_number(text, 167, &hours))
        return false;
    if (**text == ':' && ((*text)++, !take_number(text, 59, &minutes)))
        return false;
    if (**text == ':' && ((*text)++, !take_number(text, 59, &seconds)))
        return false;
    *ret_s = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool take_rule(const char **text, struct rule *ret)
{
    if (*(*text)++ != ',')
        return false;
    ret->form = **text == 'M' || **text == 'J' ? *(*text)++ : '0';
    if (ret->form == 'M') {
        if (!take_number(text, 12, &ret->month) || ret->month == 0 || *(*text)++ != '.' ||
            !take_number(text, 5, &ret->week) || ret->week == 0 || *(*text)++ != '.' ||
            !take_number(text, 6, &ret->day))
            return false;
    } else if (!take_number(text, 365, &ret->day)) {
        return false;
    }
    ret->time_s = 2 * 3600;
    return **text != '/' || ((*text)++, take_time(text, &ret->time_s));
}

/* The wall clock time, by the clock before the change, at which the rule strikes in `year`. */
static int64_t rule_local(const struct rule *r, int year)
{
    int64_t first, next, day;

    if (r->form == 'M') {
        first = utc_days(year, r->month, 1);
        next = r->month == 12 ? utc_days(year + 1, 1, 1) : utc_days(year, r->month + 1, 1);
        day = first + ((r->day - (first + 4)) % 7 + 7) % 7 + (r->week - 1) * 7; /* day 0 of 1970 was a Thursday */
        while (day >= next)
            day -= 7;
    } else if (r->form == 'J') { /* 1 to 365, 29 February is never counted */
        bool leap = utc_days(year, 3, 1) - utc_days(year, 2, 28) == 2;

        day = utc_days(year, 1, 1) + r->day - 1 + (leap && r->day >= 60);
    } else {
        day = utc_days(year, 1, 1) + r->day;
    }
    return day * DAY_S + r->time_s;
}
