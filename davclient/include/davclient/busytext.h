/*
 * busytext: free/busy that somebody hands to us (RFC 5545 3.6.4, published as in RFC 5546 3.3.1) instead of our asking
 * for it: a text with one VFREEBUSY or many, read into spans. Nothing but times, kinds and whose they are comes out.
 */
#ifndef DAVCLIENT_BUSYTEXT_H
#define DAVCLIENT_BUSYTEXT_H

#include "davclient/result.h"

struct dav_busytext;

#define DAV_BUSYTEXT_ADDRESS_MAX 1000

/* One VFREEBUSY. Lives during the call. */
struct dav_busytext_part {
    const char *address; /* the ORGANIZER's, else the ATTENDEE's, unescaped; "": neither says one that can be used */
    int64_t stamp;       /* DTSTAMP; 0: none */
    bool good;           /* what follows can be used; else it is broken, or does not say of which time it speaks */
    int64_t from, until;
    const struct dav_span *spans; /* in no order, may overlap and touch more than the window */
    size_t count;
};
typedef void dav_busytext_fn(void *arg, const struct dav_busytext_part *part);

/* A reader, for any number of texts. */
struct dav_busytext *dav_busytext_new(void);
void dav_busytext_free(struct dav_busytext **b);

/* Calls fn for each VFREEBUSY, at most `max` of them. False: there is none, there are more, or one has no end; fn may
 * have been called then. */
bool dav_busytext_read(struct dav_busytext *b, const char *text, size_t len, size_t max, dav_busytext_fn *fn,
                       void *arg);

#endif
