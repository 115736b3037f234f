/*
 * caldav (private to caldav*.c): one question to a CalDAV server while it is under way.
 */
#ifndef DAVCLIENT_CALDAV_H
#define DAVCLIENT_CALDAV_H

#include "flavour.h"
#include "ical.h"

#define DAV_CALENDARS_MAX 32 /* of one person */

enum dav_caldav_phase { DAV_LOOKING, DAV_LISTING, DAV_READING, DAV_READING_FREEBUSY };

struct dav_calendar {
    struct dav_calendar *next;
    const char *path;
    const char *zone;     /* name; NULL: it says nothing, or a definition */
    const char *timezone; /* definition, when its name is not known here */
    bool freebusy;        /* it may hold VFREEBUSY components */
};

struct dav_caldav {
    struct dav_query *q;
    struct dav_ical *ical;
    struct dav_calendar *sources; /* as configured */
    struct dav_calendar *found, **found_end;
    struct dav_calendar *at; /* of `sources` while looking, of `found` while reading */
    const char *key;         /* the sources in one text: what is remembered of others is not used; NULL: too long */
    long day;                /* what was found counts until it changes */
    enum dav_caldav_phase phase;
    unsigned count; /* of `found` */
    unsigned homes; /* calendars where we look, whether they count or not */
    bool from_memory;
    bool lost; /* a calendar could not be kept: the union would have a hole */
    const char *owner_problem;
    unsigned rows, good; /* resources of the calendar being read */
    unsigned skipped;    /* by ical, as of now */
};

/* caldav_path.c: fills `sources`, `key` and `day`; sets `lost` when a path cannot be used. */
void dav_caldav_sources(struct dav_caldav *c);

/* Fills `found` from what the question remembers; false: nothing, or not of today, or of other sources. */
bool dav_caldav_recall(struct dav_caldav *c);
void dav_caldav_remember(struct dav_caldav *c);
void dav_caldav_forget(struct dav_caldav *c); /* empties `found` */

#endif
