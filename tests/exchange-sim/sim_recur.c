/*
 * sim_recur: walks the occurrences of a series in order. A small cursor produces the wall-clock days of the rule; each
 * becomes a start in UTC by the item's zone, so that a meeting at ten stays at ten over a change of the clocks. COUNT
 * counts deleted and moved occurrences too. Endless series are cut off after 20,000 occurrences.
 */
#include "sim_recur.h"

#include "base/utc.h"
#include "sim_store.h"
#include "sim_zone.h"

#define OCCURRENCES_MAX 20000
#define DAY 86400

struct cursor {
    const struct sim_item *item;
    int64_t first; /* local time of the first occurrence */
    int64_t step;  /* periods (days, weeks, months, years) gone so far */
    int weekday;   /* weekly: next day of the week to look at, 0 is Monday */
};

void sim_recur_whole(const struct sim_item *item, struct sim_instance *ret)
{
    ret->item = item;
    ret->type = item->recur.freq == SIM_ONCE ? SIM_SINGLE : SIM_MASTER;
    ret->start = item->start;
    ret->end = item->end;
    ret->id = 0;
    ret->busy = item->busy;
}

static int monday_based(int64_t local)
{
    struct sim_civil c;
    sim_civil_of(local, &c);
    return (c.weekday + 6) % 7;
}

static bool wants_day(const struct cursor *k, int monday_day)
{
    unsigned days = k->item->recur.days;
    if (days == 0)
        return monday_day == monday_based(k->first);
    return (days >> (monday_day + 1) % 7 & 1) != 0;
}

static int64_t next_weekly(struct cursor *k)
{
    for (;;) {
        int64_t week = k->first - monday_based(k->first) * (int64_t)DAY + k->step * 7 * k->item->recur.interval * DAY;
        for (; k->weekday < 7; k->weekday++) {
            int64_t local = week + k->weekday * (int64_t)DAY;
            if (wants_day(k, k->weekday) && local >= k->first) {
                k->weekday++;
                return local;
            }
        }
        k->weekday = 0;
        k->step++;
    }
}

static int first_weekday_of(unsigned days)
{
    int d = 0;
    while (d < 6 && (days >> d & 1) == 0)
        d++;
    return d;
}

static int64_t next_monthly(struct cursor *k, int months)
{
    const struct sim_recur *r = &k->item->recur;
    struct sim_civil first;
    sim_civil_of(k->first, &first);
    for (;;) {
        int64_t month0 = first.year * 12 + first.month - 1 + k->step * months * r->interval;
        struct sim_civil c = first;
        c.year = (int)(month0 / 12);
        c.month = (int)(month0 % 12) + 1;
        k->step++;
        if (r->nth != 0)
            c.day = sim_civil_nth(c.year, c.month, r->nth, first_weekday_of(r->days));
        if (c.day <= sim_civil_month_days(c.year, c.month) && sim_civil_seconds(&c) >= k->first)
            return sim_civil_seconds(&c);
    }
}

static int64_t next_local(struct cursor *k)
{
    switch (k->item->recur.freq) {
    case SIM_WEEKLY:
        return next_weekly(k);
    case SIM_MONTHLY:
        return next_monthly(k, 1);
    case SIM_YEARLY:
        return next_monthly(k, 12);
    case SIM_DAILY:
    case SIM_ONCE:
        break;
    }
    return k->first + k->step++ * k->item->recur.interval * DAY;
}

static bool is_deleted(const struct sim_recur *r, int64_t start)
{
    for (size_t i = 0; i < r->deleted_count; i++)
        if (r->deleted[i] == start)
            return true;
    for (size_t i = 0; i < r->moved_count; i++)
        if (r->moved[i].id == start)
            return true;
    return false;
}

/* An all-day item keeps its length on the wall clock, any other one in seconds. */
static int64_t end_of(const struct sim_item *item, int64_t start, int64_t local)
{
    if (!item->all_day)
        return start + (item->end - item->start);
    int64_t length = sim_zone_to_local(item->zone, item->end) - sim_zone_to_local(item->zone, item->start);
    return sim_zone_to_utc(item->zone, local + length);
}

static void give_moved(const struct sim_item *item, int64_t from, int64_t to, sim_instance_fn *fn, void *arg)
{
    for (size_t i = 0; i < item->recur.moved_count; i++) {
        const struct sim_moved *m = &item->recur.moved[i];
        if (m->start > to || m->end < from)
            continue;
        struct sim_instance in = {item,   SIM_EXCEPTION, m->start,
                                  m->end, m->id,         m->busy < 0 ? (int)item->busy : m->busy};
        fn(arg, &in);
    }
}

void sim_recur_expand(const struct sim_item *item, int64_t from, int64_t to, sim_instance_fn *fn, void *arg)
{
    const struct sim_recur *r = &item->recur;
    if (r->freq == SIM_ONCE || !item->has_end)
        return;
    struct cursor k = {item, sim_zone_to_local(item->zone, item->start), 0, 0};
    for (int n = 0; n < (r->count > 0 ? r->count : OCCURRENCES_MAX); n++) {
        int64_t local = next_local(&k);
        int64_t start = sim_zone_to_utc(item->zone, local);
        if (start > to || (r->until != 0 && start > r->until))
            break;
        int64_t end = end_of(item, start, local);
        if (end < from || is_deleted(r, start))
            continue;
        struct sim_instance in = {item, SIM_INSTANCE, start, end, start, item->busy};
        fn(arg, &in);
    }
    give_moved(item, from, to, fn, arg);
}
