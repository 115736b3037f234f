/*
 * hours: working hours: on some days of the week, from one time of the day to another, in a zone.
 */
#ifndef PRESENCE_HOURS_H
#define PRESENCE_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pres_hours;

/* `days`: a bit a day, Monday is 1. Seconds of the day, from < to <= 86400. NULL with a sentence in why: a zone that
 * cannot be read (NULL: UTC), no day, no time. */
struct pres_hours *pres_hours_new(unsigned days, int from_s, int to_s, const char *zone, char *why, size_t why_size);
void pres_hours_free(struct pres_hours **h);

bool pres_hours_same(const struct pres_hours *a, const struct pres_hours *b); /* NULL: as no hours */

/* Is t within them? In any case the stretch around t that is like it: [*ret_start, *ret_end). */
bool pres_hours_at(const struct pres_hours *h, int64_t t, int64_t *ret_start, int64_t *ret_end);

/* "mon" "tue" ... "sun": its number from 0, -1: no day. */
int pres_hours_day(const char *name);
/* "08:00", "24:00": seconds of the day, -1: no time. */
int pres_hours_time(const char *text);

#endif
