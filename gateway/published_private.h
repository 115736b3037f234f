/*
 * published_private: what published.c (two sources, one picture) and published_compare.c (do they agree?) share.
 */
#ifndef GATEWAY_PUBLISHED_PRIVATE_H
#define GATEWAY_PUBLISHED_PRIVATE_H

#include "gateway_private.h"
#include "published.h"

enum { PUBLISHED_SLOT_S = 900, PUBLISHED_NEAR = 96 /* quarters of an hour that are compared */ };

struct gw_published {
    int64_t as_of, from, until; /* of the last good answer about many; as_of 0: none */
    const char *code;           /* why the last one was not; NULL */
    int64_t alone_as_of;        /* the calendar itself, read for [alone_from, alone_until); 0: it is not */
    int64_t alone_from, alone_until;
    const char *alone_code; /* why not; NULL */
    int64_t changed_at;     /* when it was last read because it had changed, or might have */

    /* published for the next hours: two bits a quarter, as the server said it */
    int64_t near_from;
    unsigned near_count;
    uint8_t near[PUBLISHED_NEAR / 4];

    /* the calendar's next hours, as it was last read: kinds that a quarter may have, four bits, and must have, two */
    int64_t calendar_from;
    unsigned calendar_count;
    uint8_t may[PUBLISHED_NEAR / 2];
    uint8_t must[PUBLISHED_NEAR / 4];

    struct gw_differs differs;
    unsigned differed; /* looks in a row */
    bool told;
};

/* published_compare.c: pure. */

/* Was what is published asked for when the calendar's last change had long been published? Then it holds as long as
 * nothing changes. */
bool gw_published_holds(const struct gw_published *o, int64_t delay_s);
void gw_published_keep_near(struct gw_published *o, const struct dav_result *result, int64_t now);

void gw_published_keep_calendar(struct gw_published *o, const struct dav_result *result, int64_t now);

/* Does what is published for the quarter that holds `at` contradict the calendar? Tells how in *ret. */
bool gw_published_contradicts(const struct gw_published *o, int64_t at, struct gw_differs *ret);

/* One more look, after an answer of either: sets `differs` and `differed`. */
void gw_published_look(struct gw_published *o, int64_t now);

#endif
