/*
 * interval: stretches of time by kind. Half-open, UTC seconds, and no room for a subject, a place or a person: what is
 * not here cannot leak.
 */
#ifndef PRESENCE_INTERVAL_H
#define PRESENCE_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strongest last; UNKNOWN stands beside them and is never the kind of an interval. */
enum pres_kind { PRES_FREE, PRES_ELSEWHERE, PRES_TENTATIVE, PRES_BUSY, PRES_OOF, PRES_UNKNOWN };
#define PRES_KINDS (PRES_UNKNOWN + 1)

/* "free" "elsewhere" "tentative" "busy" "oof" "unknown": the JSON spelling (product of the project, stable). */
const char *pres_kind_name(enum pres_kind kind);
bool pres_kind_parse(const char *name, enum pres_kind *ret);

struct pres_interval {
    int64_t start; /* inclusive */
    int64_t end;   /* exclusive, > start */
    enum pres_kind kind;
};

/*
 * An immutable set: sorted, one kind at a time (the strongest wins where several overlap), neighbours of one kind
 * joined, nothing of kind FREE inside. Packed to 8 bytes an interval, or 4 where minutes do, because a million people
 * have forty each. Times
 * outside 1970 to 2106 are cut; runs longer than 17 years are stored in several pieces, which readers join again.
 */
struct pres_set;

/*
 * From any order, with overlaps. Intervals of kind FREE or UNKNOWN, and those that end at or before their start, are
 * left out. What lies outside [from, until) is cut off. NULL for an empty set; the caller frees with free().
 */
struct pres_set *pres_set_build(const struct pres_interval *in, size_t n, int64_t from, int64_t until);

size_t pres_set_count(const struct pres_set *set); /* NULL: 0 */
struct pres_interval pres_set_at(const struct pres_set *set, size_t i);
bool pres_set_equal(const struct pres_set *a, const struct pres_set *b);

/* Index of the first interval that ends after t; pres_set_count() when there is none. O(log n). */
size_t pres_set_find(const struct pres_set *set, int64_t t);

/*
 * What goes on at t, or comes first after it, and what comes after that: whole runs. Returns how many there are (0 to
 * 2); *ret_before is the end of what was before t, INT64_MIN: nothing was.
 */
unsigned pres_set_look(const struct pres_set *set, int64_t t, struct pres_interval ret[2], int64_t *ret_before);

/* Bytes of heap that a set of n intervals takes at the most, and that this one takes. */
size_t pres_set_bytes(size_t n);
size_t pres_set_size(const struct pres_set *set);

#endif
