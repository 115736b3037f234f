/*
 * caldav_store (private to caldav*.c): what is kept of calendars from one question to the next, so that a calendar that
 * has not changed is not read again. Belongs to a session, by person.
 */
#ifndef DAVCLIENT_CALDAV_STORE_H
#define DAVCLIENT_CALDAV_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct dav_store;
struct dav_person;

/* One calendar object: an event with its overrides. */
struct dav_resource {
    uint64_t name; /* of its path, hashed */
    uint64_t etag; /* hashed; 0: the server gave none */
    char *text;    /* see dav_kept_compose(); NULL: nothing in it will ever matter, or unreadable */
    uint32_t len;
    uint32_t round; /* of the listing that named it last */
    bool unreadable;
    bool doubted; /* it was named as changed, with the ETag that we have */
};

struct dav_kept {
    struct dav_kept *next;
    char *path;
    char *token;                  /* what the next sync-collection begins from; NULL: from nothing */
    char *poll_token, *poll_ctag; /* as they were before the contents were read; NULL: none */
    bool complete;                /* the contents are all there was */
    bool unsure;                  /* poll_token may have been given away a moment too early */
    bool no_sync;                 /* sync-collection does not work here */
    int64_t from;                 /* what ended before may have been dropped */
    uint32_t round;
    bool used;
    struct dav_resource *resources; /* sorted by name, but for the last `added` */
    size_t count, cap, added, bytes;
};

struct dav_store *dav_store_new(void);
void dav_store_free(struct dav_store *store);

/* For the time of one question. Who is open already is opened as a stranger, of whom nothing is kept. */
struct dav_person *dav_store_open(struct dav_store *store, const char *key, int64_t now);
void dav_store_close(struct dav_store *store, struct dav_person **person, bool good);
bool dav_person_is_full(const struct dav_person *person);

/* Its calendar at `path`, a new one when there is none, or when what is kept does not reach back to `from`. */
struct dav_kept *dav_person_calendar(struct dav_person *person, const char *path, int64_t from);

struct dav_resource *dav_kept_find(struct dav_kept *kept, uint64_t name);
/* Found by dav_kept_find() only after dav_kept_settle(). `text` is what dav_ical_compact() wrote. */
void dav_kept_put(struct dav_kept *kept, uint64_t name, uint64_t etag, const char *text, size_t len, bool unreadable);
void dav_kept_settle(struct dav_kept *kept);
void dav_kept_remove(struct dav_kept *kept, uint64_t name);
void dav_kept_sweep(struct dav_kept *kept); /* what the listing of this round did not name */
void dav_kept_clear(struct dav_kept *kept);
void dav_kept_set(char **text, const char *value); /* "" and NULL are the same */

/* One calendar object on its way in: `events` and dav_store_on_zone are for dav_ical_compact(). */
struct dav_compacted {
    struct dav_store *store;
    struct buf events, zones; /* the numbers of the zones */
};
void dav_store_begin(struct dav_store *store, struct dav_compacted *compacted, size_t max);
bool dav_store_on_zone(void *compacted, const char *text, size_t len);
void dav_store_put(struct dav_compacted *compacted, struct dav_kept *kept, uint64_t name, uint64_t etag);
void dav_store_end(struct dav_compacted *compacted);

/* A text that dav_ical_read() takes. The resource's own begins with the numbers of its zones. */
bool dav_store_compose(const struct dav_store *store, const struct dav_resource *resource, struct buf *out);

/* What the server calls us, and where its principals are, a path a line; NULL: not known, or not of this day. */
const char *dav_store_self(const struct dav_store *store, int64_t now, const char **ret_collections);
void dav_store_set_self(struct dav_store *store, int64_t now, const char *self, const char *collections);

uint64_t dav_store_hash(const char *text, size_t len); /* never 0 */

#endif
