/*
 * marker: people who have put a marker among the categories of an event (`markers` in the configuration): while the
 * event lasts, they are told of at most at the marker's level. See marker.c.
 */
#ifndef GATEWAY_MARKER_H
#define GATEWAY_MARKER_H

#include "presence/table.h"
#include "presence/view.h"

struct gateway;
struct gw_marked;
struct gw_marks;

/* The time of a marked event. */
struct gw_mark {
    int64_t start, end; /* wall s, half-open */
    enum pres_level level;
};

struct gw_marks *gw_marks_new(struct gateway *g);
void gw_marks_free(struct gw_marks **m);
void gw_marks_load(struct gw_marks *m); /* once, when the state file's rows are there */

/* Without markers in the configuration nobody is marked. */
void gw_marks_configured(struct gw_marks *m);
/* Somebody was added: what was known of them before, if anything. */
void gw_marks_apply(const struct gw_marks *m, pres_id id);
/* All marks of a calendar that was read up to `until`; they are put in order. */
void gw_marks_set(struct gw_marks *m, pres_id id, struct gw_mark *marks, size_t count, int64_t until);
/* Somebody is to be forgotten. */
void gw_marks_forget(struct gw_marks *m, const char *address);

/* False: no marker holds at this moment. */
bool gw_marks_at(const struct gateway *g, pres_id id, int64_t at, enum pres_level *ret);
/* When that is next another for this person, or whether it holds; PRES_NEVER: not known. */
int64_t gw_marks_until(const struct gateway *g, pres_id id, int64_t at);
size_t gw_marks_count(const struct gw_marks *m); /* people */
/* When it next begins or ends for anybody; PRES_NEVER. */
int64_t gw_marks_next(const struct gw_marks *m, int64_t now);

#endif
