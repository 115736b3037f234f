/*
 * http_dav_outbox: POST to the asker's scheduling outbox (RFC 6638 5): when are these people busy? One answer for each
 * attendee, in their order:
 *
 *   2.0  a VFREEBUSY for as much of the asked time as is known
 *   3.7  nobody whom the asker may see: not configured, hidden or another site's, never told apart
 *   5.1  the calendar is not known at present; never an empty VFREEBUSY
 *
 * Who asks must say so: an ORGANIZER that is not the asker is refused.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/xml.h"
#include "dav_message.h"
#include "freebusy.h"
#include "http_dav.h"
#include "http_face.h"
#include "presence/render.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, ARENA_MAX = 2 * 1024 * 1024, CALENDAR_MAX = 16 * 1024 * 1024 };

static void post(const struct gw_dav *d, struct arena *arena, struct gw_dav_message *message);
static bool accept(const struct gw_dav *d, struct arena *arena, struct gw_dav_message *message);
static bool is_calendar(const char *type);
static void add_answer(struct buf *out, const struct gw_dav *d, const struct gw_dav_message *m, const char *attendee,
                       struct arena *arena);
static const char *status_of(const struct gw_dav *d, const struct gw_dav_message *m, const char *attendee,
                             struct arena *arena, struct buf *calendar);

void gw_dav_post(const struct gw_dav *d)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct gw_dav_message *message = arena_alloc(arena, sizeof *message);
    if (d->kind != GW_DAV_OUTBOX)
        gw_dav_error(d->req, 403, "C:supported-collection", "Only the outbox takes questions.");
    else if (!is_calendar(httpd_header(d->req, "Content-Type")))
        gw_dav_error(d->req, 415, "C:supported-calendar-data", "Questions are text/calendar.");
    else
        post(d, arena, message);
    arena_free(&arena);
}

static void post(const struct gw_dav *d, struct arena *arena, struct gw_dav_message *message)
{
    struct buf out;
    if (!accept(d, arena, message))
        return;
    buf_init(&out, ANSWER_MAX);
    buf_adds(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                   "<C:schedule-response xmlns:D=\"DAV:\" xmlns:C=\"" GW_DAV_NS "\">\n");
    for (unsigned i = 0; i < message->attendee_count; i++)
        add_answer(&out, d, message, message->attendees[i], arena);
    buf_adds(&out, "</C:schedule-response>\n");
    gw_dav_send_xml(d->req, 200, &out);
    buf_free(&out);
}

/* False: it has been refused. */
static bool accept(const struct gw_dav *d, struct arena *arena, struct gw_dav_message *message)
{
    const char *why;
    size_t len;
    const char *body = httpd_body(d->req, &len);
    switch (gw_dav_message_read(body, len, arena, message, &why)) {
    case GW_DAV_MESSAGE_OK: {
        const char *organizer = gw_dav_mailbox(message->organizer, arena);
        if (organizer && gw_dav_is_own_address(d, organizer))
            return true;
        gw_dav_error(d->req, 403, "C:valid-organizer", "The ORGANIZER is not who asks.");
        return false;
    }
    case GW_DAV_MESSAGE_BROKEN:
        gw_dav_error(d->req, 400, "C:valid-calendar-data", why);
        return false;
    case GW_DAV_MESSAGE_TOO_MANY:
        gw_dav_error(d->req, 403, "C:max-attendees-per-instance", why);
        return false;
    case GW_DAV_MESSAGE_WRONG:
        break;
    }
    gw_dav_error(d->req, 403, "C:valid-scheduling-message", why);
    return false;
}

/* Nothing said is as good. */
static bool is_calendar(const char *type)
{
    return !type || str_starts_nocase(type, "text/calendar");
}

static void add_answer(struct buf *out, const struct gw_dav *d, const struct gw_dav_message *m, const char *attendee,
                       struct arena *arena)
{
    struct buf calendar;
    buf_init(&calendar, CALENDAR_MAX);
    const char *status = status_of(d, m, attendee, arena, &calendar);
    buf_adds(out, "<C:response><C:recipient><D:href>");
    xml_escape(out, attendee, strlen(attendee));
    buf_addf(out, "</D:href></C:recipient><C:request-status>%s</C:request-status>", status);
    if (calendar.len > 0) {
        buf_adds(out, "<C:calendar-data>");
        xml_escape(out, calendar.data, calendar.len);
        buf_adds(out, "</C:calendar-data>");
    }
    buf_adds(out, "</C:response>\n");
    buf_free(&calendar);
}

static const char *status_of(const struct gw_dav *d, const struct gw_dav_message *m, const char *attendee,
                             struct arena *arena, struct buf *calendar)
{
    static const char *const unavailable = "5.1;Service unavailable";
    const struct pres_vfb_question question = {m->uid, m->organizer, attendee};
    const char *address = gw_dav_mailbox(attendee, arena);
    struct gw_freebusy f = {0};
    int64_t start = m->start, end = m->end;
    enum gw_freebusy_result result =
        address ? gw_freebusy_find(d->face->gateway, d->who, address, &f) : GW_FREEBUSY_NOBODY;
    if (result == GW_FREEBUSY_NOBODY)
        return "3.7;Invalid calendar user";
    if (result == GW_FREEBUSY_KNOWN)
        result = gw_freebusy_cut(&f, &start, &end);
    bool told =
        result == GW_FREEBUSY_KNOWN && pres_render_vfb_reply(calendar, &question, f.seen->known.set, start, end, f.now);
    gw_freebusy_free(&f);
    if (!told)
        buf_reset(calendar);
    return told ? "2.0;Success" : unavailable;
}
