/*
 * mark: words of the account (dav_account.markers) that a person may put among the categories of an event, to say
 * something about themselves to us. A category is compared with these words and thrown away.
 */
#ifndef DAVCLIENT_MARK_H
#define DAVCLIENT_MARK_H

#include <stddef.h>

#define DAV_MARKS_MAX 8 /* words of an account */

/* Traits of a span whose event carries the i-th word, and all of these. */
#define DAV_TRAIT_MARK(i) (128u << (i))
#define DAV_TRAIT_MARKS (255u << 7)

/*
 * Which of the words stand in a list of categories (separated by commas, semicolons or line ends, a backslash before
 * what separates nothing), without regard to case: traits. `markers` ends with NULL; NULL: none.
 */
unsigned dav_marks_in(const char *const *markers, const char *text, size_t len);

/* All of them: what cannot be read may be any of them. */
unsigned dav_marks_all(const char *const *markers);

#endif
