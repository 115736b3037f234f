/*
 * sim_when: how the data file and the control interface write a moment.
 *
 *   2008-03-03T09:00:00Z       UTC                      2008-03-03T10:00   2008-03-03     the mailbox's wall clock
 *   now   now-3d+20s   now+1h30m  the simulator's clock    today@09:00   monday+7d@09:00   on the wall clock (also
 * tomorrow, sunday...) +30m  +1d                  after the start (only for an end)
 */
#ifndef SIM_WHEN_H
#define SIM_WHEN_H

#include <stdbool.h>
#include <stdint.h>

struct sim_zone;

struct sim_when {
    int64_t now;
    const struct sim_zone *zone;
    const int64_t *start; /* what "+30m" counts from; NULL: not allowed */
};

bool sim_when_parse(const struct sim_when *w, const char *text, int64_t *ret);

/* "1d2h30m15s" to seconds; the whole text must be one. */
bool sim_when_duration(const char *text, int64_t *ret);

#endif
