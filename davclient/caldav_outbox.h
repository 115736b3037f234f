/*
 * caldav_outbox (private): the answer of a scheduling outbox (RFC 6638 10.9), row by row.
 */
#ifndef DAVCLIENT_CALDAV_OUTBOX_H
#define DAVCLIENT_CALDAV_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Texts live during the call; "" where the server said nothing. */
struct dav_outbox_row {
    const char *recipient; /* "mailto:alice@example.org", as the server writes it */
    const char *status;    /* "2.0;Success" */
    const char *data;      /* a calendar with a VFREEBUSY */
    size_t data_len;
    bool cut; /* something was longer than is accepted */
};
typedef void dav_outbox_fn(void *arg, const struct dav_outbox_row *row);

/* False: it is no such answer, or not whole. Rows may have come before that was seen. */
bool dav_outbox_read(const char *body, size_t len, dav_outbox_fn *fn, void *arg);

#endif
