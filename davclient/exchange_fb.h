/*
 * exchange_fb: what the files of Exchange's free/busy of many know of each other: exchange_fb.c (what is asked),
 * exchange_fb_read.c (the answer's rows), exchange_fb_digits.c (a row becomes spans), exchange_fb_names.c (whose row it
 * is), exchange_fb_known.c (what a session has learnt about its server).
 */
#ifndef DAVCLIENT_EXCHANGE_FB_H
#define DAVCLIENT_EXCHANGE_FB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct arena;
struct map;
struct xml_reader;

#define FB_EMAIL_MAX 1024
#define FB_URL_MAX 4000 /* of one request, until the server shows that it takes less */

/* --- rows --- */

struct dav_fb_row {
    const char *email; /* NUL-terminated, blanks and "SMTP:" in front cut; "" for the row of all together */
    const char *digits; /* no NUL behind them */
    size_t len;
    bool broken; /* a part of it came twice, or is too long to be one */
};

enum dav_fb_read {
    DAV_FB_READ_OK,
    DAV_FB_READ_OTHER,    /* not the answer to this question: a web page, another document */
    DAV_FB_READ_TOO_MUCH, /* more rows than anybody asked for, or more bytes */
};

/* False stops (TOO_MUCH). */
typedef bool dav_fb_row_fn(void *arg, const struct dav_fb_row *row);

struct dav_fb_reader;
struct dav_fb_reader *dav_fb_reader_new(size_t max_bytes);
void dav_fb_reader_free(struct dav_fb_reader **r);

/* A whole answer, with a NUL behind it; digits_max: longest row that makes sense. */
enum dav_fb_read dav_fb_read(struct dav_fb_reader *r, const char *body, size_t len, size_t digits_max,
                             dav_fb_row_fn *fn, void *arg);

/* --- digits --- */

struct dav_fb_window {
    int64_t start, end, slot_s; /* end - start is a multiple of slot_s */
};

enum dav_fb_digits {
    DAV_FB_DIGITS_OK,
    DAV_FB_DIGITS_LENGTH,  /* not as many as were asked for */
    DAV_FB_DIGITS_RANGE,   /* something else than 0 to 4 */
    DAV_FB_DIGITS_NO_DATA, /* nothing was published for `now` */
    DAV_FB_DIGITS_FULL,    /* `spans` has no room */
};

/*
 * Adds struct dav_span to `spans`, and says for which stretch around `now` they are all there is: the server publishes
 * some months only. Unless OK nothing is added.
 */
enum dav_fb_digits dav_fb_digits(const char *digits, size_t len, const struct dav_fb_window *w, int64_t now,
                                 struct buf *spans, int64_t *ret_from, int64_t *ret_until);

/* --- names --- */

/* An index from address to person, without case. In the arena; the texts stay the caller's. */
struct dav_fb_names {
    struct dav_fb_name *slots;
    uint32_t mask;
};
bool dav_fb_names_new(struct dav_fb_names *names, struct arena *arena, size_t most); /* false: no room */
void dav_fb_names_add(struct dav_fb_names *names, const char *name, uint32_t person);

/* The persons of that name, one after the other: start with a *pos of zeros. False: no further one. */
struct dav_fb_names_pos {
    uint32_t hash, steps;
};
bool dav_fb_names_next(const struct dav_fb_names *names, const char *name, struct dav_fb_names_pos *pos,
                       uint32_t *ret_person);

/* --- what is known of the server --- */

enum dav_fb_note {
    DAV_FB_NOTE_NONE,
    DAV_FB_NOTE_APART,  /* a request that names this one fails: by itself, and not before `again` */
    DAV_FB_NOTE_ABSENT, /* was asked about alone, and is not in the answer */
};

struct dav_fb_known {
    size_t url_max;
    int64_t url_at; /* when that was learnt, 0: never */
    unsigned people_max;
    const char *dead; /* code, NULL: the server offers this, as far as is known */
    int64_t dead_until;
    int64_t worked_at;
    struct dav_fb_reader *reader;
    struct dav_fb_noted *noted; /* a forgetful table */
    bool any_noted;
    struct map *primary;        /* address asked for -> address answered */
};
struct dav_fb_known *dav_fb_known_new(size_t max_bytes);
void dav_fb_known_free(void *known);

enum dav_fb_note dav_fb_note_of(const struct dav_fb_known *k, const char *address, int64_t now, const char **ret_code,
                                int64_t *ret_again);
void dav_fb_note(struct dav_fb_known *k, const char *address, enum dav_fb_note what, const char *code, int64_t now);
void dav_fb_note_clear(struct dav_fb_known *k, const char *address);

/* NULL: it answers by the address that was asked for, as far as is known. */
const char *dav_fb_primary(const struct dav_fb_known *k, const char *address);
void dav_fb_primary_is(struct dav_fb_known *k, const char *address, const char *answered);

#endif
