/*
 * http_dav_report: REPORT. Who is the person with this address (principal-property-search), when is this person busy
 * (free-busy-query, on a principal, a home or a calendar), and the questions with which programs keep a calendar up to
 * date, which an empty one answers at once.
 *
 * A search finds whole addresses only: parts of them would tell a stranger who there is.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/utc.h"
#include "freebusy.h"
#include "http_dav.h"
#include "http_face.h"
#include "presence/render.h"

#define CALENDARS (1u << GW_DAV_CALENDAR | 1u << GW_DAV_BUSY)

enum { ANSWER_MAX = 64 * 1024 * 1024, ARENA_MAX = 4 * 1024 * 1024 };

typedef void report_fn(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out);

static report_fn search, search_properties, free_busy, sync_collection, calendar_query, calendar_multiget;

static const struct {
    const char *name;
    report_fn *fn;
    unsigned kinds;
} reports[] = {
    {"principal-property-search", search, ~0u},
    {"principal-search-property-set", search_properties, ~0u},
    {"free-busy-query", free_busy, 1u << GW_DAV_PRINCIPAL | 1u << GW_DAV_HOME | CALENDARS},
    {"sync-collection", sync_collection, CALENDARS},
    {"calendar-query", calendar_query, CALENDARS | 1u << GW_DAV_INBOX},
    {"calendar-multiget", calendar_multiget, CALENDARS | 1u << GW_DAV_INBOX},
};

static void answer_freebusy(const struct gw_dav *d, const struct gw_freebusy *f, const struct gw_dav_body *asked,
                            struct buf *out);

void gw_dav_report(const struct gw_dav *d)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct gw_dav_body asked;
    struct buf out;
    report_fn *fn = NULL;
    buf_init(&out, ANSWER_MAX);
    if (gw_dav_read_body(d, arena, &asked)) {
        for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++)
            if (strcmp(reports[i].name, asked.root) == 0 && reports[i].kinds & 1u << d->kind)
                fn = reports[i].fn;
        if (fn)
            fn(d, &asked, &out);
        else
            gw_dav_error(d->req, 403, "D:supported-report", "This report is not known here.");
    }
    buf_free(&out);
    arena_free(&arena);
}

/* RFC 3744 9.4. With several conditions that must all hold, all must name the same address. */
static void search(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out)
{
    const char *found = NULL;
    struct gw_dav person;
    gw_dav_begin_multistatus(out);
    for (unsigned i = 0; i < asked->match_count; i++) {
        const char *text = asked->matches[i].text;
        text += str_starts_nocase(text, "mailto:") ? 7 : 0;
        bool again = found && str_eq_nocase(found, text);
        bool known = asked->matches[i].address && gw_dav_person(d, text, &person);
        if (!asked->any_of && (!known || (found && !again))) {
            found = NULL;
            break;
        }
        if (asked->any_of && known && !again)
            gw_dav_add_response(out, &person, asked);
        if (known)
            found = text;
    }
    if (found && !asked->any_of)
        gw_dav_add_response(out, &person, asked);
    gw_dav_end_multistatus(out);
    gw_dav_send_xml(d->req, 207, out);
}

/* RFC 3744 9.5 */
static void search_properties(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out)
{
    (void)asked;
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                  "<D:principal-search-property-set xmlns:D=\"DAV:\" xmlns:C=\"" GW_DAV_NS
                  "\"><D:principal-search-property><D:prop><C:calendar-user-address-set/></D:prop>"
                  "<D:description xml:lang=\"en\">the whole address</D:description>"
                  "</D:principal-search-property></D:principal-search-property-set>\n");
    gw_dav_send_xml(d->req, 200, out);
}

/* RFC 4791 7.10; on a principal as Evolution asks it. */
static void free_busy(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out)
{
    struct gw_freebusy f;
    switch (gw_freebusy_find(d->face->gateway, d->who, d->owner, &f)) {
    case GW_FREEBUSY_KNOWN:
        answer_freebusy(d, &f, asked, out);
        gw_freebusy_free(&f);
        break;
    case GW_FREEBUSY_UNKNOWN:
        gw_http_problem(d->req, 503, f.code, "This calendar is not known at present. This is not an answer of 'free'.");
        break;
    case GW_FREEBUSY_NOBODY:
    case GW_FREEBUSY_OUTSIDE:
        gw_http_nobody(d->req);
        break;
    }
}

static void answer_freebusy(const struct gw_dav *d, const struct gw_freebusy *f, const struct gw_dav_body *asked,
                            struct buf *out)
{
    static const char *const headers[] = {"Content-Type: text/calendar; charset=utf-8",
                                          "Cache-Control: private, no-cache", "Vary: Authorization", NULL};
    int64_t start, end;
    if (!asked->start || !asked->end || !utc_parse_basic(asked->start, strlen(asked->start), &start) ||
        !utc_parse_basic(asked->end, strlen(asked->end), &end) || start >= end) {
        gw_http_problem(d->req, 400, "bad-window", "A time-range has UTC times, as 20261122T090000Z, start first.");
        return;
    }
    if (gw_freebusy_cut(f, &start, &end) != GW_FREEBUSY_KNOWN) {
        gw_http_problem(d->req, 503, "outside-window", "Nothing is known of this time.");
        return;
    }
    if (!pres_render_vfb(out, f->address, f->seen->known.set, start, end, f->now)) {
        gw_http_problem(d->req, 500, "answer-too-large", "The answer is larger than we send.");
        return;
    }
    size_t len = out->len;
    httpd_reply_take(d->req, 200, headers, buf_take(out), len);
}

/* RFC 6578 */
static void sync_collection(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out)
{
    if (d->kind == GW_DAV_BUSY) {
        gw_dav_busy_sync(d, asked);
        return;
    }
    if (asked->token && asked->token[0] && strcmp(asked->token, GW_DAV_TOKEN) != 0) {
        gw_dav_error(d->req, 403, "D:valid-sync-token", "That token is not ours.");
        return;
    }
    gw_dav_begin_multistatus(out);
    buf_adds(out, "<D:sync-token>" GW_DAV_TOKEN "</D:sync-token>");
    gw_dav_end_multistatus(out);
    gw_dav_send_xml(d->req, 207, out);
}

static void calendar_query(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out)
{
    if (d->kind == GW_DAV_BUSY) {
        gw_dav_busy_query(d, asked);
        return;
    }
    gw_dav_begin_multistatus(out);
    gw_dav_end_multistatus(out);
    gw_dav_send_xml(d->req, 207, out);
}

static void calendar_multiget(const struct gw_dav *d, const struct gw_dav_body *asked, struct buf *out)
{
    if (d->kind == GW_DAV_BUSY) {
        gw_dav_busy_multiget(d, asked);
        return;
    }
    gw_dav_begin_multistatus(out);
    for (unsigned i = 0; i < asked->href_count; i++)
        gw_dav_add_missing(out, asked->hrefs[i]);
    gw_dav_end_multistatus(out);
    gw_dav_send_xml(d->req, 207, out);
}
