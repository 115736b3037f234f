/*
 * http_view: an event stream of somebody who may not see everything. The watch says of whom there may be news; what is
 * written, and whether, is decided here: only when what this viewer sees has changed.
 *
 * Such a stream has no event ids, because the journal's numbers count what others do; a client that comes back is told
 * the present states first. What remains to be seen from outside: without a grid, the second at which a state that may
 * be seen changes.
 */
#ifndef GATEWAY_HTTP_VIEW_H
#define GATEWAY_HTTP_VIEW_H

#include "presence/watch.h"

struct buf;
struct gateway;
struct gw_view;
struct gw_who;

/* `who` must outlive it. */
struct gw_view *gw_view_new(struct gateway *g, const struct gw_who *who);
void gw_view_free(struct gw_view **v);

/* Adds the event as the viewer may have it; false: there is nothing to tell. */
bool gw_view_event(struct gw_view *v, const struct pres_event *event, struct buf *out);
/* The last event was written. Without this it counts as not told. */
void gw_view_said(struct gw_view *v);

/* Views change by themselves, too: a watch over the same people, from their present states on. */
struct pres_watch *gw_view_again(struct gw_view *v, const struct pres_watch *old, pres_journal_fn *wake, void *arg);

#endif
