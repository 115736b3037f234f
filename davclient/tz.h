/*
 * tz (private): wall clock times of a zone to moments and back. A zone is a list of changes of its offset, read from
 * the system's zone files or computed from a VTIMEZONE, so that what stands on both sides of a change is known, and
 * with it what a time means that exists twice or not at all.
 */
#ifndef DAVCLIENT_TZ_H
#define DAVCLIENT_TZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dav_tz;
struct dav_zones;

/* Widens what a zone knows so that the moments from .. until are inside: the changes are to be added anew, in order. */
typedef void dav_tz_fill_fn(void *arg, struct dav_tz *tz, int64_t from, int64_t until);

/* A zone to be filled with dav_tz_add. With `fill` the changes are asked for when they are needed; `free_arg` ends
 * `arg`. */
struct dav_tz *dav_tz_new(int offset_s, dav_tz_fill_fn *fill, void *arg, void (*free_arg)(void *arg));
void dav_tz_free(struct dav_tz **tz);
void dav_tz_set_name(struct dav_tz *tz, const char *name); /* the TZID of a definition */
const char *dav_tz_name(const struct dav_tz *tz);          /* "" when it was never set */
void dav_tz_restart(struct dav_tz *tz, int offset_s);
void dav_tz_add(struct dav_tz *tz, int64_t at, int offset_s); /* from the moment `at` on; ascending */

/*
 * `local` is a wall clock time written as if it were UTC. A time that the clocks skip is read with the offset before
 * the gap, one that they show twice is the first (RFC 5545 3.3.5).
 */
int64_t dav_tz_to_utc(struct dav_tz *tz, int64_t local);
int64_t dav_tz_to_local(struct dav_tz *tz, int64_t utc);

/* Zones already read, by name. One for each session: reading a zone file takes tens of microseconds. */
struct dav_zones *dav_zones_new(void);
void dav_zones_free(struct dav_zones **zones);
struct dav_tz *dav_zones_utc(struct dav_zones *zones);

/*
 * By IANA name, by Windows name ("W. Europe Standard Time"), or by a TZID that ends in an IANA name
 * ("/vendor/Europe/Berlin"). NULL: no such zone. The zone belongs to `zones`.
 */
struct dav_tz *dav_zones_find(struct dav_zones *zones, const char *name);

/* A slot for zones that come from definitions: keyed by the text itself. At most 256 are kept; then all of them are
 * dropped by dav_zones_trim, which must only be called when nobody holds one. */
struct dav_tz *dav_zones_defined(struct dav_zones *zones, const char *definition);
void dav_zones_define(struct dav_zones *zones, const char *definition, struct dav_tz *tz); /* takes tz */
void dav_zones_trim(struct dav_zones *zones);

/* The IANA name for a Windows zone name, compared without case; NULL: not in the table. */
const char *dav_tz_from_windows(const char *name);

/* A zone from the bytes of a TZif file (RFC 8536). NULL when they are not one. */
struct dav_tz *dav_tz_read(const unsigned char *data, size_t len);

#endif
