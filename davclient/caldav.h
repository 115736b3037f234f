/*
 * caldav (private to caldav*.c): one question to a CalDAV server while it is under way.
 *
 *   caldav        the flavour: what comes when       caldav_path      from an address to sources, and back from memory
 *   caldav_look   which calendars there are           caldav_find      from an address to its home, by asking
 * (discovery) caldav_sync   what changed in one of them         caldav_store     what is kept between questions
 *   caldav_busy   free-busy-query where no more is allowed
 */
#ifndef DAVCLIENT_CALDAV_H
#define DAVCLIENT_CALDAV_H

#include "caldav_store.h"
#include "flavour.h"
#include "ical.h"

#define DAV_CALENDARS_MAX 32 /* of one person */
#define DAV_CALDAV_NS "urn:ietf:params:xml:ns:caldav"
#define DAV_CALDAV_XML "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
#define DAV_CALDAV_RESOURCE_MAX (4U * 1024 * 1024) /* one event with all its overrides */

enum dav_caldav_phase {
    DAV_FINDING_ROOT,   /* for the account's principal */
    DAV_FINDING_PERSON, /* for the principal with this address */
    DAV_FINDING_HOME,   /* for the homes of a principal that may be the person's */
    DAV_LOOKING,        /* what is a source? */
    DAV_LISTING,        /* it is a home: which calendars are in it? */
    DAV_ASKING_ZONE,    /* for the zone of a calendar that the list of its home did not tell */
    DAV_POLLING,        /* has any of the calendars known changed? */
    DAV_SYNCING,        /* what has changed in one of them? */
    DAV_SYNCING_ETAGS,  /* the same, of a server without sync-collection */
    DAV_FETCHING,       /* for what changed */
    DAV_ASKING_BUSY,    /* for a free-busy-query */
};

enum dav_caldav_form { DAV_UNSEEN, DAV_A_CALENDAR, DAV_A_HOME, DAV_BUSY_ONLY };

/* A path that an address leads to: a calendar, or a home with calendars. */
struct dav_source {
    struct dav_source *next;
    const char *path;
    const char *owner; /* the principal it must belong to; NULL: anybody but the account */
    enum dav_caldav_form form;
};

struct dav_calendar {
    struct dav_calendar *next;
    struct dav_source *source;
    const char *path;
    const char *zone;         /* name; NULL: it says nothing, or a definition */
    const char *timezone;     /* definition, when its name is not known here */
    const char *token, *ctag; /* as just seen; NULL: none */
    bool seen, unsure;
    struct dav_kept *kept;
};

/* The working hours that a scheduling inbox has as a property. */
struct dav_availability {
    struct dav_availability *next;
    const char *text;
    size_t len;
    bool cut;
};

/* A calendar object to be fetched. */
struct dav_want {
    struct dav_want *next;
    const char *href; /* as the server wrote it */
    uint64_t name, etag;
    bool answered;
};

struct dav_caldav {
    struct dav_query *q;
    struct dav_ical *ical;
    struct dav_ical *compactor; /* made when something is to be kept */
    struct dav_store *store;
    struct dav_person *person;
    struct dav_source *sources, **source_end;
    struct dav_source *source; /* at hand while looking and polling */
    struct dav_calendar *found, **found_end;
    struct dav_calendar *at; /* at hand while reading */
    const char *key;         /* where we were told to look, in one text: what is remembered of other places is not used;
                                NULL: too long */
    long day;                /* what was found counts until it changes */
    enum dav_caldav_phase phase;
    unsigned count; /* of `found` */
    unsigned homes; /* calendars where we look, whether they count or not */
    bool from_memory;
    bool done;
    bool moved; /* what the poll shows is not what we knew */
    bool lost;  /* a calendar could not be kept: the union would have a hole */
    const char *owner_problem;
    struct dav_availability *availability;
    unsigned rows;
    unsigned skipped; /* by ical, as of now */
    unsigned unreadable; /* objects of which nothing is known */

    /* discovery */
    struct dav_find *find;

    /* synchronising `at` */
    struct dav_want *wants, **want_end, *batch, *batch_end;
    unsigned want_count, listed, repeated, rounds; /* `listed`: of those we knew */
    bool full;                                     /* the listing names everything there is */
    bool was_full;                                 /* once already */
    bool more;                                     /* the listing was cut off by the server */
    bool hole;                                     /* something asked for was not answered */
    const char *next_token;
};

extern const char *const dav_caldav_depth_0[], *const dav_caldav_depth_1[];

/* caldav.c */
void dav_caldav_go_on(struct dav_caldav *c);    /* to the next calendar, or to the end */
void dav_caldav_restart(struct dav_caldav *c);  /* looks again from the beginning, once a question */
void dav_caldav_look_all(struct dav_caldav *c); /* the sources are known */
void dav_caldav_refuse(struct dav_caldav *c, const struct dav_reply *reply);
void dav_caldav_set_zone(struct dav_caldav *c);
bool dav_caldav_is_own_account(const struct dav_caldav *c);
const char *dav_caldav_keep(struct dav_caldav *c, const char *text, size_t len); /* NULL sets `lost` */

/* caldav_path.c: fills `sources`, `key` and `day`; sets `lost` when a path cannot be used. */
void dav_caldav_sources(struct dav_caldav *c);
struct dav_source *dav_caldav_add_source(struct dav_caldav *c, const char *path, size_t len, const char *owner);

/* Fills `sources` and `found` from what the question remembers; false: nothing, or not of today, or of other sources.
 */
bool dav_caldav_recall(struct dav_caldav *c);
void dav_caldav_remember(struct dav_caldav *c);
void dav_caldav_forget(struct dav_caldav *c); /* empties `found` */
bool dav_caldav_is_like_home(const struct dav_caldav *c, const char *path);

/* caldav_look.c */
void dav_caldav_look(struct dav_caldav *c);
void dav_caldav_poll(struct dav_caldav *c);
void dav_caldav_looked(struct dav_caldav *c, const struct dav_reply *reply);
void dav_caldav_moved_to(struct dav_caldav *c, struct dav_source *source, const char *path); /* after a redirect */

/* caldav_sync.c */
void dav_caldav_sync(struct dav_caldav *c);
void dav_caldav_synced(struct dav_caldav *c, const struct dav_reply *reply);
bool dav_caldav_expand(struct dav_caldav *c); /* what is kept of `at`; false: the question has failed */

/* caldav_busy.c */
void dav_caldav_ask_busy(struct dav_caldav *c);
void dav_caldav_busy_answered(struct dav_caldav *c, const struct dav_reply *reply);

/* caldav_find.c */
void dav_caldav_find(struct dav_caldav *c);
void dav_caldav_found(struct dav_caldav *c, const struct dav_reply *reply);

#endif
