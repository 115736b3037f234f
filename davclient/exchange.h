/*
 * exchange: what the files of the Exchange flavour know of each other: exchange.c (the walk), exchange_page.c (the
 * SEARCH and its pages), exchange_row.c (a row becomes a span).
 */
#ifndef DAVCLIENT_EXCHANGE_H
#define DAVCLIENT_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/result.h"
#include "flavour.h"
#include "multistatus.h"

struct arena;

#define EXCHANGE_PAGE_ROWS 200

/* How far the reading of one window has come. */
struct exchange_page {
    unsigned first;  /* row that the page on its way begins with, from 0 */
    unsigned spans;  /* rows that became a span, inside the window or not */
    unsigned broken; /* rows that were left out */
    unsigned fresh;  /* rows of this page that no earlier page had */
    struct arena *arena;
    uint64_t *seen; /* identities of the rows so far, an open-addressed set; NULL while there is only one page */
    size_t seen_count, seen_cap;
    uint64_t *rows; /* identities of the first page, in its order, for the day when there is a second */
    size_t row_count, row_cap;
};

/* Before the first page of a folder. */
void dav_exchange_page_first(struct exchange_page *p);
bool dav_exchange_page_begun(const struct exchange_page *p); /* one page was read already */

/* Fills headers, body and reader of the SEARCH for the next page. False: the arena is full. */
bool dav_exchange_page_ask(struct exchange_page *p, struct arena *arena, int64_t from, int64_t until,
                           struct dav_ask *ask);

enum exchange_page_result {
    EXCHANGE_PAGE_LAST,
    EXCHANGE_PAGE_MORE,      /* ask again */
    EXCHANGE_PAGE_SENSELESS, /* rows are missing by the server's own account */
};

/* A page was read whole: `rows` in it, Content-Range as sent or NULL. */
enum exchange_page_result dav_exchange_page_end(struct exchange_page *p, unsigned rows, const char *content_range);

/* All that might have been an appointment was broken: that is no empty calendar. */
bool dav_exchange_page_hopeless(const struct exchange_page *p);

/* Was a row with this identity in an earlier page? Notes it otherwise. */
bool dav_exchange_page_repeats(struct exchange_page *p, uint64_t identity);

/* "rows 0-99; total=250": false without a first row; *ret_total -1 when it is missing. */
bool dav_exchange_content_range(const char *value, unsigned *ret_first, int64_t *ret_total);

/* What SEARCH asks for, and how a row of it reads. */
extern const struct dav_ms_spec dav_exchange_row_spec;
bool dav_exchange_on_row(void *query, const struct dav_ms_response *r);

enum exchange_row {
    EXCHANGE_ROW_SPAN,    /* *ret is filled */
    EXCHANGE_ROW_NOTHING, /* understood, takes no time in the window: a recurring master, a zero length */
    EXCHANGE_ROW_BROKEN,  /* start or end is missing or no date, or the end is before the start */
};
enum exchange_row dav_exchange_row_read(const struct dav_ms_response *r, struct dav_span *ret);

/* exchange.c */
struct exchange_page *dav_exchange_page(const struct dav_query *q);

#endif
