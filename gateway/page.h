/*
 * page: what the files of the page at `/` tell each other.
 *
 *   http_page.c    the requests: whole pages, their parts, the files they need
 *   page_act.c     what an administrator may do from it: ask again, ask why
 *   page_find.c    looks for people, a slice a turn
 *   page_html.c    text, times and numbers as HTML
 *   page_now.c     what is wrong, servers, outlets, freshness
 *   page_bars.c    time as bars
 *   page_rows.c    people as rows
 *   page_person.c  one person's page
 */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "presence/table.h"
#include "presence/view.h"

struct buf;
struct gateway;
struct gw_face;
struct gw_find;
struct gw_who;
struct httpd_req;
struct jv;

/* A file of gateway/page, built in by cmake/Embed.cmake. */
struct gw_page_file {
    const char *name, *data;
    size_t len;
    const char *etag;
};
extern const struct gw_page_file gw_page_files[];          /* the last has an empty name, and nothing in it */
const struct gw_page_file *gw_page_file(const char *name); /* the last one: there is none of this name */

/* What a face keeps for its page: the searches under way, and the part that is the same for everybody. */
struct gw_page *gw_page_new(struct gateway *g);
void gw_page_free(struct gw_page **p); /* after the httpd that carries its requests */
struct gw_finds *gw_page_finds(struct gw_page *p);

/* The template `name` with each {{word}} replaced by what `fill` adds for it. */
typedef void gw_page_fill_fn(struct buf *b, const char *word, void *arg);
void gw_page_fill(struct buf *b, const char *name, gw_page_fill_fn *fill, void *arg);

/* Answers with a page, or 304. Takes the text. */
void gw_page_reply(struct httpd_req *req, int status, struct buf *b);

/* Where the first day begins: ?from=, the reader's midnight, else the daemon's, also when it returns false: what is
 * asked for is no time, or no day of these. */
bool gw_page_from(struct httpd_req *req, int64_t now, int64_t *ret);

/* page_html.c. Marks that turn the direction of writing are spelled out in an element's text, replaced where there can
 * be no element (the title), and kept in attributes, which nobody reads and scripts rely on. */
void gw_html_text(struct buf *b, const char *text);
void gw_html_plain(struct buf *b, const char *text);
void gw_html_attr(struct buf *b, const char *text);
void gw_html_name(struct buf *b, const char *text); /* a stranger's name: isolated from the text around it */
void gw_html_url(struct buf *b, const char *text);  /* one segment or value, percent-encoded */
void gw_html_count(struct buf *b, int64_t n);       /* "1,240" */
enum gw_html_time { GW_HTML_CLOCK, GW_HTML_MOMENT, GW_HTML_AGO, GW_HTML_DUE };    /* DUE: "now" when it has come */
void gw_html_time(struct buf *b, int64_t t, int64_t now, enum gw_html_time form); /* 0 and PRES_NEVER: a dash */
void gw_html_time_of(struct buf *b, const struct jv *v, int64_t now, enum gw_html_time form);
void gw_html_clock(struct buf *b, int64_t t);  /* "09:00", no element around it */
void gw_html_day(struct buf *b, int64_t t);    /* "Mon 23 Nov" */
int64_t gw_html_midnight(int64_t t);           /* before t, of the daemon's place */
const char *gw_html_kind(enum pres_kind kind); /* "out of office" */
void gw_html_pill(struct buf *b, enum pres_kind kind);

/* page_bars.c: [from, until) of what is known as bars, with the present moment as a line. */
struct gw_bars {
    int64_t from, until, now;
    int64_t middle;                 /* a line between two days, 0: none */
    const struct pres_known *known; /* NULL: nothing may be told */
    bool lost;                      /* the present state is unknown: so is everything else */
};
void gw_bars(struct buf *b, const struct gw_bars *bars);
void gw_bars_scale(struct buf *b, int64_t from, int64_t until, unsigned every_h);

/* page_now.c: sections as HTML, of gw_report_status()'s tree. */
void gw_page_now(struct buf *b, const struct jv *status, int64_t now);

/* page_rows.c: a person as this reader may see them. False: not at all. NULL: no times may be told. */
bool gw_page_see(struct gateway *g, const struct gw_who *who, pres_id id, struct pres_presence *ret);
struct pres_seen *gw_page_known(struct gateway *g, const struct gw_who *who, pres_id id);
void gw_page_row(struct buf *b, struct gateway *g, const struct gw_who *who, pres_id id, int64_t from);

/* page_person.c: GET /person/ADDRESS; page_act.c: POST /v1/refresh/ADDRESS, POST /v1/why/ADDRESS */
void gw_http_get_person_page(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_http_post_refresh(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_http_post_why(struct gw_face *face, struct httpd_req *req, const char *rest);

/* page_find.c: looks for people, at most a few milliseconds a turn for all who look. */
struct gw_find_ask {
    const char *text;  /* part of an address or group, without case; "": any */
    const char *group; /* NULL: any */
    int state;         /* enum pres_kind, -1: any */
    pres_id after;     /* PRES_NOBODY: from the first */
    unsigned limit;
    const struct gw_who *who;
};
struct gw_find_ops {
    void (*found)(void *arg, pres_id id);
    void (*done)(void *arg, pres_id last, bool more); /* `last`: go on after this one */
};
struct gw_finds *gw_finds_new(struct gateway *g);
void gw_finds_free(struct gw_finds **f);
/* Texts are copied; `ops` never before this returned; NULL: too many look already. */
struct gw_find *gw_find_start(struct gw_finds *f, const struct gw_find_ask *ask, const struct gw_find_ops *ops,
                              void *arg);
void gw_find_cancel(struct gw_find **find);

#endif
