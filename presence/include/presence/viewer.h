/*
 * viewer: somebody who looks at the table through a view: an outlet. It stands between the table and whatever an outlet
 * says; an outlet's files ask it, never the table. Whom a viewer may not see does not exist for it.
 */
#ifndef PRESENCE_VIEWER_H
#define PRESENCE_VIEWER_H

#include "presence/table.h"
#include "presence/view.h"

struct pres_viewer {
    struct pres_table *table;
    int64_t (*now)(void *arg); /* wall s */
    /* What the viewer may be told of this person. `part` is a part of the outlet with a policy of its own (the domain
     * of an XMPP watcher), NULL: the outlet itself. NULL function: everything, of everybody. */
    void (*grant)(void *arg, pres_id id, const char *part, struct pres_grant *ret);
    bool (*limited)(void *arg); /* false: grant would say so of everybody, now */
    void *arg;
};

bool pres_viewer_limited(const struct pres_viewer *v);

/* As pres_table_find and pres_table_next, of those whom the viewer may see. */
pres_id pres_viewer_find(const struct pres_viewer *v, const char *part, const char *address);
pres_id pres_viewer_next(const struct pres_viewer *v, const char *part, pres_id id);

/* False: there is nobody for this viewer, and *ret is unknown. */
bool pres_viewer_presence(const struct pres_viewer *v, const char *part, pres_id id, struct pres_presence *ret);

/* NULL: no times may be told. Freed by pres_seen_free, in this turn. */
struct pres_seen *pres_viewer_known(const struct pres_viewer *v, const char *part, pres_id id);

#endif
