/*
 * pub_zone: what a clock on the wall shows, for texts that people read. Reads the system's zone files (RFC 8536) once,
 * when an outlet is made.
 */
#ifndef PRESENCE_PUB_ZONE_H
#define PRESENCE_PUB_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pres_zone;

/* NULL: there is no such zone, or its file is not understood. NULL and "UTC" need none. */
struct pres_zone *pres_zone_new(const char *name);
/* The zone that a setting names; NULL and "UTC" give NULL. False: it cannot be read, and `why` says so. */
bool pres_zone_open(const char *name, struct pres_zone **ret, char *why, size_t why_size);
void pres_zone_free(struct pres_zone **z);

/* Seconds east of UTC at t, and the abbreviation ("CET"); NULL: 0, "UTC". */
int32_t pres_zone_offset(const struct pres_zone *z, int64_t t, const char **ret_abbreviation);

#endif
