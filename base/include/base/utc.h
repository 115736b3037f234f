/*
 * utc: moments as seconds since 1970-01-01T00:00:00Z, and their spellings on the wire. Pure functions, no zone files.
 */
#ifndef BASE_UTC_H
#define BASE_UTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any spelling below, the NUL included. */
#define UTC_TEXT_MAX 40

/* Written by the formatters when a moment lies outside years 0001 to 9999 they clamp to that range. */

/* "2026-11-22T09:00:00Z" (RFC 3339). Returns `out`, which has UTC_TEXT_MAX bytes. */
char *utc_rfc3339(int64_t t, char out[UTC_TEXT_MAX]);

/* "20261122T090000Z" (RFC 5545 3.3.5, form 2). */
char *utc_basic(int64_t t, char out[UTC_TEXT_MAX]);

/* "2026/11/22 09:00:00", the date literal that Exchange's SEARCH understands. */
char *utc_slashed(int64_t t, char out[UTC_TEXT_MAX]);

/*
 * Reads "2008-03-03T09:00:00.000Z": 0 to 9 fractional digits (dropped), 'Z' or a numeric offset, 'T' or a space.
 * The whole of text[0..len) must be the date. False, and *ret untouched, when it is not one. A leap second (:60) reads
 * as :59.
 */
bool utc_parse_rfc3339(const char *text, size_t len, int64_t *ret);

/* Reads "20261122T090000Z" only. */
bool utc_parse_basic(const char *text, size_t len, int64_t *ret);

/* Either of the two above, for query parameters; also plain seconds since 1970. */
bool utc_parse_any(const char *text, size_t len, int64_t *ret);

/* Proleptic Gregorian calendar to days since 1970-01-01; month 1 to 12, day 1 to 31. */
int64_t utc_days(int year, int month, int day);

/* A civil UTC date and time to seconds. */
int64_t utc_from_civil(int year, int month, int day, int hour, int minute, int second);

#endif
