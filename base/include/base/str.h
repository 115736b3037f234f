/*
 * str: text that is bounded and safe to show. All functions are pure; lengths are in bytes, text is UTF-8.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* ASCII letters compare without case; other bytes as they are. */
bool str_eq_nocase(const char *a, const char *b);
bool str_starts(const char *text, const char *prefix);
bool str_starts_nocase(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* strstr over a length, without ASCII case. NULL: not there. */
const char *str_find_nocase(const char *hay, size_t len, const char *needle);

/* Lower-cases ASCII letters in place: how addresses are compared everywhere (RFC 5321 leaves the local part to the
 * server; all servers we read fold it). Returns `text`. */
char *str_lower(char *text);

/* Cuts blanks (space, tab, CR, LF) at both ends: returns the first other byte, writes the length. */
const char *str_trim(const char *text, size_t *len);

/* The whole of `text` must be a decimal number in [min, max]. False leaves *ret alone. */
bool str_to_int(const char *text, int64_t min, int64_t max, int64_t *ret);

/* Is text[0..len) well-formed UTF-8 without NUL? */
bool str_is_utf8(const char *text, size_t len);

/*
 * A peer's text for a log line or an error: control characters, double quotes and what would read as such an escape
 * become \xNN, bytes that are no UTF-8 likewise, and what is longer than `size` - 1 ends in "...". Always
 * NUL-terminated; returns `out`.
 */
char *str_printable(const char *text, size_t len, char *out, size_t size);

/*
 * Percent-encodes for ONE path segment or query value: everything but A-Z a-z 0-9 - . _ ~ (RFC 3986 2.3), upper-case
 * hex. `keep` names further bytes to leave as they are ("" for none), e.g. "@" in a mailbox path.
 */
bool str_percent_encode(struct buf *out, const char *text, size_t len, const char *keep);

/* Decodes every %XX. False on a broken escape or on %00 (out may hold a part then). '+' stays '+'. */
bool str_percent_decode(struct buf *out, const char *text, size_t len);

/* Splits at the first `sep`: returns the part after it or NULL; *ret_len is the length of the part before it. */
const char *str_split(const char *text, char sep, size_t *ret_len);

#endif
