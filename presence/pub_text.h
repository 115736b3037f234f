/*
 * pub_text: a state in words, as outlets show it to people: templates such as "Busy[ until {until}]" in the site's
 * language and zone. Pure.
 */
#ifndef PRESENCE_PUB_TEXT_H
#define PRESENCE_PUB_TEXT_H

#include <stdint.h>

#include "presence/state.h"

struct buf;
struct pres_zone;

#define PRES_TEXT_MAX 200

/* Adds `text` with {until} in it replaced; what stands in [ ] is left out where the end is not known (0, PRES_NEVER).
 */
void pres_text_add(const char *text, const struct pres_zone *zone, int64_t now, int64_t until, struct buf *out);
/* "15:00 UTC", with the day when it is not today */
void pres_text_clock(const struct pres_zone *zone, int64_t now, int64_t t, struct buf *out);

/* Of everything that is news in a state (not as_of and valid_until, which move with every poll); never 0. */
uint64_t pres_text_hash(const struct pres_presence *now);

#endif
