/*
 * watch: one subscriber's view of the journal: which persons, from which cursor, nothing lost and nothing repeated.
 *
 * A new watch (no cursor, or one that is too old or of another epoch) first yields the present state of each watched
 * person, then the changes. One with a cursor that the journal still covers yields just what came after it.
 *
 * The snapshot runs by ascending id while changes go on: a change of somebody whose state was yielded already comes in
 * between, one of somebody whose turn is yet to come is contained in the state yielded then. "Present" is the state
 * last reported, so that what the table is about to report is not told twice. A cursor inside the snapshot says how far
 * it was ("EPOCH-SEQ-ID"): resuming continues there, and also loses and repeats nothing. Somebody who is added to the
 * table is news only with the first change. The last that is told of somebody who is removed is that they are unknown,
 * because removed; whatever else the journal has about them is passed over from then on.
 */
#ifndef PRESENCE_WATCH_H
#define PRESENCE_WATCH_H

#include "presence/journal.h"

struct pres_watch;

/*
 * `ids` (copied, sorted inside; meaning the persons who have them now) NULL: everybody, also those added later.
 * `cursor` is the client's last event id or NULL; any text that is no cursor counts as none. `wake` comes when
 * pres_watch_next may have something again.
 */
struct pres_watch *pres_watch_new(struct pres_journal *j, const pres_id *ids, size_t n, const char *cursor,
                                  pres_journal_fn *wake, void *arg);
void pres_watch_free(struct pres_watch **w);

/*
 * A list comes back with its cursor, and this address in it meant somebody who was removed since: the watch tells that
 * too. Call it for each address of the list, whether anybody has it now or not, before the first pres_watch_next.
 * False: nobody was.
 */
bool pres_watch_removed(struct pres_watch *w, const char *address);

/* The same for a list that is made of a group: its members who were removed since. */
void pres_watch_removed_members(struct pres_watch *w, const char *group);

struct pres_event {
    pres_id id;          /* PRES_NOBODY: the person was removed or renamed, */
    const char *removed; /* and was published under this address until then; valid until the loop's next turn */
    struct pres_presence now;
    char cursor[48]; /* the event id: resuming from it yields what follows this event */
};

enum pres_watch_result {
    PRES_WATCH_EVENT,   /* *ret is filled */
    PRES_WATCH_NOTHING, /* wait for wake */
    PRES_WATCH_BEHIND,  /* fell off the tail: tell the client why and end; it then starts from the present states */
};
enum pres_watch_result pres_watch_next(struct pres_watch *w, struct pres_event *ret);

/* Puts the last event back: the next call yields it again (it did not fit the output); a state of the snapshot may be
 * newer by then, and the changes that led to it then come before or are contained. Once per event. */
void pres_watch_unget(struct pres_watch *w);

/* Whom the list names, as far as they are still there; false: everybody, fn is not called. */
typedef void pres_watched_fn(void *arg, pres_id id);
bool pres_watch_each(const struct pres_watch *w, pres_watched_fn *fn, void *arg);

/* Does it tell of this person? O(log n) of its list. */
bool pres_watch_names(const struct pres_watch *w, pres_id id);

/* True when `cursor` was given and could be resumed. */
bool pres_watch_resumed(const struct pres_watch *w);

/* All up to this number of the journal is dealt with. */
uint64_t pres_watch_seq(const struct pres_watch *w);

/* The cursor behind all that was yielded or passed over so far: a subscriber to quiet persons who is told it now and
 * then does not fall off the tail. Returns `out`. */
char *pres_watch_cursor(struct pres_watch *w, char out[48]);

#endif
