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

/* Fills headers, body and reader of the SEARCH for the next page, categories in it or not. False: the arena is full. */
bool dav_exchange_page_ask(struct exchange_page *p, struct arena *arena, int64_t from, int64_t until, bool marks,
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
extern const struct dav_ms_spec dav_exchange_row_spec, dav_exchange_row_spec_marks; /* the latter with categories */
bool dav_exchange_on_row(void *query, const struct dav_ms_response *r);

enum exchange_row {
    EXCHANGE_ROW_SPAN,    /* *ret is filled */
    EXCHANGE_ROW_NOTHING, /* understood, takes no time in the window: a recurring master, a zero length */
    EXCHANGE_ROW_BROKEN,  /* start or end is missing or no date, or the end is before the start */
};
enum exchange_row dav_exchange_row_read(const struct dav_ms_response *r, struct dav_span *ret);
/* Of a row read with dav_exchange_row_spec_marks: traits. */
unsigned dav_exchange_row_marks(const struct dav_ms_response *r, const char *const *markers);

/* What is being waited for. */
enum exchange_stage {
    EXCHANGE_NONE,
    EXCHANGE_ROOT,       /* the mailbox, by the form of its name at hand */
    EXCHANGE_HIDDEN,     /* NON_IPM_SUBTREE */
    EXCHANGE_WHO,        /* the directory: whose address is that? */
    EXCHANGE_WHO_ELSE,   /* ... and does anybody else have that alias? */
    EXCHANGE_LITERAL,    /* the SEARCH, where it has to be called Calendar */
    EXCHANGE_FOUND,      /* ... where the mailbox says */
    EXCHANGE_REMEMBERED, /* ... where it was */
    EXCHANGE_TAG,        /* contenttag of the calendar */
    EXCHANGE_SUBSCRIBE,  /* a subscription to it */
    EXCHANGE_RENEW,      /* the same for longer, and those of others */
    EXCHANGE_POLL,       /* what has happened, here and with others */
    EXCHANGE_POLL_ALONE, /* ... only here */
};
#define EXCHANGE_STAGES (EXCHANGE_POLL_ALONE + 1)

#define EXCHANGE_GROUP 100 /* subscriptions in one POLL */
#define EXCHANGE_FORMS 6   /* names of a mailbox that are tried */

struct exchange {
    enum exchange_stage stage;
    char *mailbox;         /* path or URL, with trailing slash */
    const char *calendar;  /* the same, of the folder that is searched */
    const char *found;     /* in the answer being read: its calendar folder's path */
    const char *root_code; /* what it means if nothing further on works, and what was seen */
    int root_status;
    bool no_access;   /* in the answer being read: the server says that we have no rights */
    bool owner;       /* the mailbox root said that we have all of them */
    bool is_calendar; /* in the answer being read: the folder itself is a calendar */
    struct exchange_page page;

    /* exchange_place.c */
    unsigned form;     /* which name of the mailbox is tried, 0: its own */
    char *alias;       /* by the directory; NULL: not asked */
    char *answered_as; /* in the answer being read: what the mailbox calls itself */
    bool proved;       /* this walk began at the mailbox */

    /* exchange_watch.c and beside it */
    uint64_t person;
    uint64_t tag;      /* of the calendar, before it was read; 0: not asked */
    bool tag_is_young; /* it is a time, and something may yet happen in the same second */
    bool widened;
    uint16_t changes;     /* what was known of changes when the reading began */
    uint32_t *asked;      /* subscriptions of the POLL or renewal under way */
    unsigned asked_count; /* of these not answered yet: 0 in `asked` is answered */
    int own_status;       /* what was said of this person's */
};

/* exchange.c */
struct exchange_page *dav_exchange_page(const struct dav_query *q);
void dav_exchange_enter(struct dav_query *q, struct exchange *x, enum exchange_stage stage);
void dav_exchange_fail(struct dav_query *q, const char *code, const struct dav_reply *reply);
char *dav_exchange_join(struct dav_query *q, const char *folder, const char *below);

/* exchange_place.c: which mailbox, and is it this person's? */
char *dav_exchange_mailbox(struct dav_query *q); /* by the configured path or the address; NULL: it cannot be written */
bool dav_exchange_place_is_own(struct dav_query *q, const char *calendar);
bool dav_exchange_place_another(struct dav_query *q,
                                struct exchange *x); /* the next form is asked for; false: no more */
bool dav_exchange_place_proved(struct dav_query *q, const struct exchange *x);
void dav_exchange_place_ask(struct dav_query *q, struct exchange *x);
void dav_exchange_place_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply);

#endif
