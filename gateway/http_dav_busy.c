/*
 * http_dav_busy: somebody's busy times as a calendar of events, for programs that only know how to subscribe: one event
 * for each stretch, and its words are "Busy", "Tentative" or "Out of office", never a meeting's.
 *
 * An item's name says all that is in it (20261122T090000Z-20261122T100000Z-busy.ics). So nothing is kept between
 * requests: an item exists as long as the name is that of a stretch that is known now. While nothing is known every
 * question is answered 503: a calendar that is suddenly empty would tell its readers that the person is free.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/utc.h"
#include "freebusy.h"
#include "http_dav.h"
#include "http_face.h"
#include "presence/render.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, NAMES_MAX = 16 * 1024 * 1024, STAMP_LEN = 16, TOKEN_BYTES = 12 };

static bool find(const struct gw_dav *d, struct gw_freebusy *ret);
static bool next_item(const struct pres_set *set, size_t *i, struct pres_interval *ret);
static bool exists(const struct gw_freebusy *f, const struct pres_interval *item);
static void add_items(struct buf *out, const struct gw_dav *d, const struct gw_freebusy *f,
                      const struct gw_dav_body *asked, int64_t start, int64_t end);
static void add_token(struct buf *out, const struct gw_freebusy *f);
static void send(const struct gw_dav *d, struct gw_freebusy *f, struct buf *out);
static void send_calendar(const struct gw_dav *d, struct buf *out);

void gw_dav_busy_list(const struct gw_dav *d, const struct gw_dav_body *asked)
{
    struct gw_freebusy f;
    struct buf out;
    if (!find(d, &f))
        return;
    if (d->kind == GW_DAV_ITEM && !exists(&f, &d->item)) {
        gw_freebusy_free(&f);
        gw_http_nobody(d->req);
        return;
    }
    buf_init(&out, ANSWER_MAX);
    gw_dav_begin_multistatus(&out);
    gw_dav_add_response(&out, d, asked);
    if (d->kind == GW_DAV_BUSY)
        add_items(&out, d, &f, asked, INT64_MIN, INT64_MAX);
    send(d, &f, &out);
}

void gw_dav_busy_query(const struct gw_dav *d, const struct gw_dav_body *asked)
{
    int64_t start = INT64_MIN, end = INT64_MAX;
    struct gw_freebusy f;
    struct buf out;
    if ((asked->start && !utc_parse_basic(asked->start, strlen(asked->start), &start)) ||
        (asked->end && !utc_parse_basic(asked->end, strlen(asked->end), &end))) {
        gw_dav_error(d->req, 403, "C:valid-filter", "A time-range has UTC times, as 20261122T090000Z.");
        return;
    }
    if (!find(d, &f))
        return;
    buf_init(&out, ANSWER_MAX);
    gw_dav_begin_multistatus(&out);
    if (!asked->not_events)
        add_items(&out, d, &f, asked, start, end);
    send(d, &f, &out);
}

/* RFC 6578. We remember no older states: who has one starts anew. */
void gw_dav_busy_sync(const struct gw_dav *d, const struct gw_dav_body *asked)
{
    bool first = !asked->token || !asked->token[0];
    struct gw_freebusy f;
    struct buf out, token;
    if (!find(d, &f))
        return;
    buf_init(&token, 256);
    add_token(&token, &f);
    if (!first && strcmp(asked->token, token.data) != 0) {
        gw_dav_error(d->req, 403, "D:valid-sync-token", "Something has changed since. Read all.");
        gw_freebusy_free(&f);
    } else {
        buf_init(&out, ANSWER_MAX);
        gw_dav_begin_multistatus(&out);
        if (first)
            add_items(&out, d, &f, asked, INT64_MIN, INT64_MAX);
        buf_addf(&out, "<D:sync-token>%s</D:sync-token>", token.data);
        send(d, &f, &out);
    }
    buf_free(&token);
}

void gw_dav_busy_multiget(const struct gw_dav *d, const struct gw_dav_body *asked)
{
    struct gw_freebusy f;
    struct gw_dav item;
    struct buf out;
    if (!find(d, &f))
        return;
    buf_init(&out, ANSWER_MAX);
    gw_dav_begin_multistatus(&out);
    for (unsigned i = 0; i < asked->href_count; i++)
        if (gw_dav_locate(d, asked->hrefs[i], &item) && item.kind == GW_DAV_ITEM &&
            str_eq_nocase(item.owner, d->owner) && exists(&f, &item.item))
            gw_dav_add_response(&out, &item, asked);
        else
            gw_dav_add_missing(&out, asked->hrefs[i]);
    send(d, &f, &out);
}

void gw_dav_busy_get(const struct gw_dav *d)
{
    bool all = d->kind == GW_DAV_BUSY, found = all;
    struct pres_interval item;
    struct gw_freebusy f;
    struct buf out;
    if (!find(d, &f))
        return;
    buf_init(&out, ANSWER_MAX);
    if (all) {
        buf_adds(&out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freebusyd//EN\r\n");
        for (size_t i = 0; next_item(f.seen->known.set, &i, &item);)
            pres_render_event(&out, d->owner, &item, true);
        buf_adds(&out, "END:VCALENDAR\r\n");
    } else if (exists(&f, &d->item)) {
        found = pres_render_event(&out, d->owner, &d->item, false);
    }
    gw_freebusy_free(&f);
    if (found)
        send_calendar(d, &out);
    else
        gw_http_nobody(d->req);
    buf_free(&out);
}

/* Where nothing is known now there is no token that anybody has seen before. */
void gw_dav_busy_add_token(struct buf *out, const struct gw_dav *d)
{
    struct gw_freebusy f;
    if (gw_freebusy_find(d->face->gateway, d->who, d->owner, &f) == GW_FREEBUSY_KNOWN)
        add_token(out, &f);
    else
        buf_adds(out, "urn:freebusyd:sync:unknown");
    gw_freebusy_free(&f);
}

void gw_dav_busy_add_name(struct buf *out, const struct pres_interval *item)
{
    char from[UTC_TEXT_MAX], until[UTC_TEXT_MAX];
    buf_addf(out, "%s-%s-%s.ics", utc_basic(item->start, from), utc_basic(item->end, until),
             pres_kind_name(item->kind));
}

bool gw_dav_busy_parse_name(const char *name, struct pres_interval *ret)
{
    char kind[16] = "";
    size_t len = strlen(name), head = 2 * STAMP_LEN + 2;
    if (len <= head + 4 || len - head - 4 >= sizeof kind || name[STAMP_LEN] != '-' || name[head - 1] != '-' ||
        !str_ends(name, ".ics"))
        return false;
    memcpy(kind, name + head, len - head - 4);
    return utc_parse_basic(name, STAMP_LEN, &ret->start) &&
           utc_parse_basic(name + STAMP_LEN + 1, STAMP_LEN, &ret->end) && pres_kind_parse(kind, &ret->kind);
}

/* False: it has been answered. */
static bool find(const struct gw_dav *d, struct gw_freebusy *ret)
{
    switch (gw_freebusy_find(d->face->gateway, d->who, d->owner, ret)) {
    case GW_FREEBUSY_KNOWN:
        return true;
    case GW_FREEBUSY_UNKNOWN:
        gw_http_problem(d->req, 503, ret->code, "This calendar is not known at present. It is not empty.");
        break;
    case GW_FREEBUSY_NOBODY:
    case GW_FREEBUSY_OUTSIDE:
        gw_http_nobody(d->req);
        break;
    }
    return false;
}

/* The next busy stretch from *i on; pieces of a long one are joined. */
static bool next_item(const struct pres_set *set, size_t *i, struct pres_interval *ret)
{
    for (size_t count = pres_set_count(set); *i < count;) {
        *ret = pres_set_at(set, *i);
        for (++*i; *i < count && pres_set_at(set, *i).start == ret->end && pres_set_at(set, *i).kind == ret->kind; ++*i)
            ret->end = pres_set_at(set, *i).end;
        if (ret->kind != PRES_ELSEWHERE && ret->kind != PRES_FREE)
            return true;
    }
    return false;
}

static bool exists(const struct gw_freebusy *f, const struct pres_interval *item)
{
    struct pres_interval one;
    for (size_t i = pres_set_find(f->seen->known.set, item->start); next_item(f->seen->known.set, &i, &one);)
        if (one.start >= item->start)
            return one.start == item->start && one.end == item->end && one.kind == item->kind;
    return false;
}

static void add_items(struct buf *out, const struct gw_dav *d, const struct gw_freebusy *f,
                      const struct gw_dav_body *asked, int64_t start, int64_t end)
{
    struct gw_dav at = *d;
    at.kind = GW_DAV_ITEM;
    for (size_t i = 0; next_item(f->seen->known.set, &i, &at.item);)
        if (at.item.end > start && at.item.start < end)
            gw_dav_add_response(out, &at, asked);
}

static void add_token(struct buf *out, const struct gw_freebusy *f)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    struct pres_interval item;
    struct buf names;
    buf_init(&names, NAMES_MAX);
    for (size_t i = 0; next_item(f->seen->known.set, &i, &item);)
        gw_dav_busy_add_name(&names, &item);
    crypto_sha256(names.data, names.len, digest);
    buf_adds(out, "urn:freebusyd:sync:");
    for (unsigned i = 0; i < TOKEN_BYTES; i++)
        buf_addf(out, "%02x", digest[i]);
    buf_free(&names);
}

static void send(const struct gw_dav *d, struct gw_freebusy *f, struct buf *out)
{
    gw_dav_end_multistatus(out);
    gw_dav_send_xml(d->req, 207, out);
    buf_free(out);
    gw_freebusy_free(f);
}

static void send_calendar(const struct gw_dav *d, struct buf *out)
{
    static const char *const headers[] = {"Content-Type: text/calendar; charset=utf-8",
                                          "Cache-Control: private, no-cache", "Vary: Authorization", NULL};
    size_t len = out->len;
    if (out->failed)
        gw_http_problem(d->req, 500, "answer-too-large", "The answer is larger than we send.");
    else
        httpd_reply_take(d->req, 200, headers, buf_take(out), len);
}
