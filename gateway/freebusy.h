/*
 * freebusy: what may be told to somebody about the busy times of somebody else, for every face that speaks calendar
 * (http_freebusy.c, http_dav*.c). The one way to it goes over the policy and the view.
 */
#ifndef GATEWAY_FREEBUSY_H
#define GATEWAY_FREEBUSY_H

#include "presence/table.h"
#include "presence/view.h"

struct gateway;
struct gw_who;

enum gw_freebusy_result {
    GW_FREEBUSY_KNOWN,
    GW_FREEBUSY_NOBODY,  /* not configured, or not for this asker to see: never told apart */
    GW_FREEBUSY_UNKNOWN, /* never read, or too long ago: `code` says why; this is not 'free' */
    GW_FREEBUSY_OUTSIDE, /* nothing is known of the time that was asked about */
};

struct gw_freebusy {
    const char *address;    /* as the person is shown to others */
    struct pres_seen *seen; /* NULL unless known */
    const char *code;
    int64_t now; /* wall s */
};

/*
 * Looks for the person as this asker may see it. When it is known, the caller frees what was found with
 * gw_freebusy_free before the loop's next turn.
 */
enum gw_freebusy_result gw_freebusy_find(struct gateway *g, const struct gw_who *who, const char *address,
                                         struct gw_freebusy *ret);
void gw_freebusy_free(struct gw_freebusy *f);

/*
 * Cuts a window to what is known: never claim more. GW_FREEBUSY_KNOWN, or GW_FREEBUSY_OUTSIDE when nothing remains.
 */
enum gw_freebusy_result gw_freebusy_cut(const struct gw_freebusy *f, int64_t *start, int64_t *end);

#endif
