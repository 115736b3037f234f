/*
 * http_view: an event stream of somebody who may not see everything. The watch says of whom there may be news; what is
 * written, and whether, is decided here: only when what this viewer sees has changed.
 *
 * Where a policy limits viewers, such a stream has no event ids; a client that comes back is told the present states
 * first. Where there is none, and only people's own choices or markers narrow what is told, nearly everybody is seen
 * as they are: then it has ids, under a seal (http_cursor.h), and a client that comes back is told of
 *   - who has changed since, and who was removed: as they are now, never as they were,
 *   - whoever has a choice or a marker, changed or not, so that nothing can be learned from being told,
 *   - whoever had one, if that ended since.
 * The present states of the others are what it knows. For that the journal is read from the cursor, then everybody is
 * looked at once; until that is over there is no new id.
 *
 * What remains to be seen from outside: without a grid, the second at which a state that may be seen changes.
 */
#ifndef GATEWAY_HTTP_VIEW_H
#define GATEWAY_HTTP_VIEW_H

#include "presence/watch.h"

struct buf;
struct gateway;
struct gw_cursor;
struct gw_view;
struct gw_who;

/* `who` must outlive it. */
struct gw_view *gw_view_new(struct gateway *g, const struct gw_who *who);
void gw_view_free(struct gw_view **v);

/* The client comes back with a cursor of this number; its `at` and `turn` are 0 if it was given to whom everything was
 * told. */
void gw_view_resume(struct gw_view *v, uint64_t seq, const struct gw_cursor *cursor);
bool gw_view_resuming(const struct gw_view *v);
void gw_view_caught_up(struct gw_view *v); /* everybody was looked at */

/* Adds the event as the viewer may have it, under this id if any; false: there is nothing to tell. */
bool gw_view_event(struct gw_view *v, const struct pres_event *event, const char *id, struct buf *out);
/* The last event was written. Without this it counts as not told. */
void gw_view_said(struct gw_view *v);

/* Views change by themselves, too: a watch over the same people, from their present states on. */
struct pres_watch *gw_view_again(struct gw_view *v, const struct pres_watch *old, pres_journal_fn *wake, void *arg);

#endif
