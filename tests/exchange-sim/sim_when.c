/*
 * sim_when: reads the spellings of a moment that the header lists. Called by the data file's reader and by the control
 * interface.
 */
#include "sim_when.h"

#include "base/str.h"
#include "base/utc.h"
#include "sim_zone.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DAY 86400

/* Reads one or more "<number><unit>"; returns what follows, or NULL. */
static const char *read_duration(const char *p, int64_t *ret)
{
    int64_t sum = 0;
    if (!isdigit((unsigned char)*p))
        return NULL;
    while (isdigit((unsigned char)*p)) {
        int64_t n = 0;
        for (; isdigit((unsigned char)*p) && n < 1000000000; p++)
            n = n * 10 + (*p - '0');
        switch (*p) {
        case 'w':
            sum += n * 7 * DAY;
            break;
        case 'd':
            sum += n * DAY;
            break;
        case 'h':
            sum += n * 3600;
            break;
        case 'm':
            sum += n * 60;
            break;
        case 's':
            sum += n;
            break;
        default:
            return NULL;
        }
        p++;
    }
    *ret = sum;
    return p;
}

/* Reads any number of "+1d", "-10m" in a row; returns what follows, or NULL. */
static const char *read_shifts(const char *p, int64_t *ret)
{
    *ret = 0;
    while (p != NULL && (*p == '+' || *p == '-')) {
        int64_t shift = 0;
        int sign = *p == '+' ? 1 : -1;
        p = read_duration(p + 1, &shift);
        *ret += sign * shift;
    }
    return p;
}

bool sim_when_duration(const char *text, int64_t *ret)
{
    int64_t sum;
    const char *end = read_duration(text, &sum);
    if (end == NULL || *end != '\0')
        return false;
    *ret = sum;
    return true;
}

/* "HH:MM" or "HH:MM:SS" to seconds of the day. */
static bool read_clock(const char *text, int64_t *ret)
{
    int h, m, s = 0, used = 0;
    if (sscanf(text, "%2d:%2d%n", &h, &m, &used) != 2)
        return false;
    text += used;
    if (*text == ':') {
        if (sscanf(text, ":%2d%n", &s, &used) != 1)
            return false;
        text += used;
    }
    if (*text != '\0' || h < 0 || h > 24 || m < 0 || m > 59 || s < 0 || s > 59)
        return false;
    *ret = h * 3600 + m * 60 + s;
    return true;
}

/* Midnight (on the wall) of the day that a word names, and what follows the word. */
static const char *read_day_word(const struct sim_when *w, const char *text, int64_t *ret)
{
    static const char *const days[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
    int64_t local = sim_zone_to_local(w->zone, w->now);
    struct sim_civil c;
    sim_civil_of(local, &c);
    int64_t today = local - (c.hour * 3600 + c.minute * 60 + c.second);
    if (str_starts(text, "today")) {
        *ret = today;
        return text + strlen("today");
    }
    if (str_starts(text, "tomorrow")) {
        *ret = today + DAY;
        return text + strlen("tomorrow");
    }
    for (int i = 0; i < 7; i++) {
        if (!str_starts(text, days[i]))
            continue;
        *ret = today + ((i + 6) % 7 - (c.weekday + 6) % 7) * (int64_t)DAY; /* of this week, which begins on Monday */
        return text + strlen(days[i]);
    }
    return NULL;
}

static bool parse_day_word(const struct sim_when *w, const char *text, int64_t *ret)
{
    int64_t local, shift = 0, clock = 0;
    const char *p = read_day_word(w, text, &local);
    p = p != NULL ? read_shifts(p, &shift) : NULL;
    if (p == NULL || (*p == '@' ? !read_clock(p + 1, &clock) : *p != '\0'))
        return false;
    *ret = sim_zone_to_utc(w->zone, local + shift + clock);
    return true;
}

static bool parse_civil(const struct sim_when *w, const char *text, int64_t *ret)
{
    int y, m, d, used = 0;
    int64_t clock = 0;
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == 'Z')
        return utc_parse_rfc3339(text, len, ret);
    if (sscanf(text, "%4d-%2d-%2d%n", &y, &m, &d, &used) != 3 || m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    if (text[used] == 'T' ? !read_clock(text + used + 1, &clock) : text[used] != '\0')
        return false;
    *ret = sim_zone_to_utc(w->zone, utc_from_civil(y, m, d, 0, 0, 0) + clock);
    return true;
}

bool sim_when_parse(const struct sim_when *w, const char *text, int64_t *ret)
{
    int64_t shift;
    if (str_starts(text, "now")) {
        const char *end = read_shifts(text + 3, &shift);
        if (end == NULL || *end != '\0')
            return false;
        *ret = w->now + shift;
        return true;
    }
    if (text[0] == '+') {
        if (w->start == NULL || !sim_when_duration(text + 1, &shift))
            return false;
        *ret = *w->start + shift;
        return true;
    }
    return parse_day_word(w, text, ret) || parse_civil(w, text, ret);
}
