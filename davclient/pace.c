/*
 * pace: how fast, and how long to hold back. The session holds one bucket per server and asks it before each request.
 */
#include "pace.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/utc.h"

#define RETRY_AFTER_MAX (366 * 86400)

static double tokens_at(const struct dav_pace *p, int64_t now_ms);

void dav_pace_init(struct dav_pace *p, double rate, int64_t now_ms)
{
    double burst = rate / 10;

    *p = (struct dav_pace){.rate = rate, .burst = burst > 1 ? burst : 1, .at_ms = now_ms};
    p->tokens = p->burst;
}

int64_t dav_pace_wait_ms(struct dav_pace *p, int64_t now_ms)
{
    double lacking = 1 - tokens_at(p, now_ms);

    /* a millionth: sums of fractions must not cost another millisecond */
    return lacking <= 1e-6 ? 0 : (int64_t)(lacking / p->rate * 1000) + 1;
}

void dav_pace_take(struct dav_pace *p, int64_t now_ms)
{
    p->tokens = tokens_at(p, now_ms) - 1;
    p->at_ms = now_ms;
}

unsigned dav_pace_room(const struct dav_pace *p, int64_t now_ms)
{
    double tokens = tokens_at(p, now_ms) + 1e-6;

    return tokens < 1 ? 0 : tokens > 1e6 ? 1000000 : (unsigned)tokens;
}

int64_t dav_pace_backoff_ms(unsigned attempt, int64_t first_ms, int64_t ceiling_ms, uint64_t dice)
{
    int64_t ms = first_ms;

    while (attempt-- > 0 && ms < ceiling_ms)
        ms *= 2;
    if (ms > ceiling_ms)
        ms = ceiling_ms;
    return ms - ms / 4 + (int64_t)(dice % (uint64_t)(ms / 2 + 1));
}

int64_t dav_pace_retry_after_s(const char *value, int64_t now_wall_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, year, hour, minute, second, end = -1;
    char month[4];
    const char *found;
    int64_t s = 0;

    if (!value)
        return 0;
    if (str_to_int(value, 0, RETRY_AFTER_MAX, &s))
        return s;
    /* "Sun, 06 Nov 1994 08:49:37 GMT" is the only date that is still sent */
    if (sscanf(value, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute, &second, &end) != 6 ||
        end < 0)
        return 0;
    found = strstr(months, month);
    if (!found || strlen(month) != 3 || (found - months) % 3 != 0)
        return 0;
    s = utc_from_civil(year, (int)(found - months) / 3 + 1, day, hour, minute, second) - now_wall_s;
    return s < 0 ? 0 : s < RETRY_AFTER_MAX ? s : RETRY_AFTER_MAX;
}

static double tokens_at(const struct dav_pace *p, int64_t now_ms)
{
    double tokens = p->tokens + (double)(now_ms - p->at_ms) * p->rate / 1000;

    return tokens < p->burst ? tokens : p->burst;
}
