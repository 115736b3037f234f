/*
 * hours: see hours.h. Made of the policy's configuration, asked by view.c for each thing that is told. A day's stretch
 * is found by its local midnight, so that it begins at the same time of the day in summer and in winter.
 */
#include "presence/hours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pub_zone.h"

enum { DAY_S = 86400, WEEK = 7, FAR_DAYS = 8, THURSDAY = 3 }; /* 1970-01-01 was one */

struct pres_hours {
    unsigned days;
    int from_s, to_s;
    struct pres_zone *zone;
    char *zone_name;
};

static const char *const day_names[WEEK] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int64_t local_day(const struct pres_hours *h, int64_t t);
static bool is_workday(const struct pres_hours *h, int64_t day);
static int64_t moment(const struct pres_hours *h, int64_t day, int second);
static int64_t offset(const struct pres_hours *h, int64_t t);

struct pres_hours *pres_hours_new(unsigned days, int from_s, int to_s, const char *zone, char *why, size_t why_size)
{
    struct pres_zone *opened = NULL;
    if (!(days & ((1u << WEEK) - 1)) || from_s < 0 || from_s >= to_s || to_s > DAY_S) {
        snprintf(why, why_size, "working hours need a day, and a beginning before their end");
        return NULL;
    }
    if (!pres_zone_open(zone, &opened, why, why_size))
        return NULL;
    struct pres_hours *h = mem_calloc(1, sizeof *h);
    *h = (struct pres_hours){
        .days = days, .from_s = from_s, .to_s = to_s, .zone = opened, .zone_name = mem_strdup(zone ? zone : "UTC")};
    return h;
}

void pres_hours_free(struct pres_hours **h)
{
    if (!*h)
        return;
    pres_zone_free(&(*h)->zone);
    free((*h)->zone_name);
    free(*h);
    *h = NULL;
}

bool pres_hours_same(const struct pres_hours *a, const struct pres_hours *b)
{
    if (!a || !b)
        return a == b;
    return a->days == b->days && a->from_s == b->from_s && a->to_s == b->to_s &&
           strcmp(a->zone_name, b->zone_name) == 0;
}

bool pres_hours_at(const struct pres_hours *h, int64_t t, int64_t *ret_start, int64_t *ret_end)
{
    int64_t first = local_day(h, t) - FAR_DAYS, last = first + 2 * (int64_t)FAR_DAYS;
    int64_t begin = 0, end = 0, before = moment(h, first, 0); /* the joined stretch in hand; where the last one ended */
    bool some = false;

    for (int64_t day = first; day <= last; day++) {
        if (!is_workday(h, day))
            continue;
        int64_t start = moment(h, day, h->from_s), stop = moment(h, day, h->to_s);
        if (some && start <= end) { /* midnight between two whole days */
            end = stop;
            continue;
        }
        if (some && t < end)
            break;
        before = some ? end : before;
        begin = start;
        end = stop;
        some = true;
        if (t < begin)
            break;
    }
    bool inside = t >= begin && t < end;
    *ret_start = inside ? begin : t < begin ? before : end;
    *ret_end = inside ? end : t < begin ? begin : moment(h, last + 1, 0);
    return inside;
}

int pres_hours_day(const char *name)
{
    for (int i = 0; i < WEEK; i++)
        if (strcmp(name, day_names[i]) == 0)
            return i;
    return -1;
}

int pres_hours_time(const char *text)
{
    const char *digits = "0123456789";
    if (strlen(text) != 5 || text[2] != ':' || strspn(text, digits) != 2 || strspn(text + 3, digits) != 2)
        return -1;
    int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
    return minute > 59 || hour * 60 + minute > 24 * 60 ? -1 : (hour * 60 + minute) * 60;
}

static int64_t local_day(const struct pres_hours *h, int64_t t)
{
    int64_t local = t + offset(h, t);
    return local / DAY_S - (local % DAY_S < 0);
}

static bool is_workday(const struct pres_hours *h, int64_t day)
{
    int64_t week = (day + THURSDAY) % WEEK;
    return h->days & 1u << (week < 0 ? week + WEEK : week);
}

/* The moment at which the clocks of the zone show this second of this day. */
static int64_t moment(const struct pres_hours *h, int64_t day, int second)
{
    int64_t local = day * DAY_S + second;
    int64_t near = local - offset(h, local);
    return local - offset(h, near);
}

static int64_t offset(const struct pres_hours *h, int64_t t)
{
    const char *name;
    return pres_zone_offset(h->zone, t, &name);
}
