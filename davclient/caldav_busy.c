/*
 * caldav_busy: free-busy-query (RFC 4791 7.10) on a calendar whose events are closed to us while its free and busy time
 * is open. Never on a home: two servers answer there that nothing is busy, whatever the calendars say. Only a 200 with
 * a VFREEBUSY for the whole window is an answer; Radicale's is a 207 without any time in it.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/utc.h"
#include "caldav.h"

static bool covers(const struct dav_caldav *c);

void dav_caldav_ask_busy(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    struct dav_ask ask = {.method = "REPORT", .url = c->at->path, .headers = dav_caldav_depth_1, .compressed = true};
    char start[UTC_TEXT_MAX], until[UTC_TEXT_MAX];
    struct buf body;

    c->phase = DAV_ASKING_BUSY;
    buf_init(&body, 1024);
    buf_addf(&body,
             DAV_CALDAV_XML "<C:free-busy-query xmlns:C=\"" DAV_CALDAV_NS "\"><C:time-range start=\"%s\" end=\"%s\"/>"
                            "</C:free-busy-query>",
             utc_basic(question->from, start), utc_basic(question->until, until));
    ask.body = dav_caldav_keep(c, body.data, body.len);
    ask.body_len = body.len;
    buf_free(&body);
    if (ask.body == NULL)
        dav_query_fail(c->q, "answer-too-large", "no room for the question");
    else
        dav_query_send(c->q, &ask);
}

void dav_caldav_busy_answered(struct dav_caldav *c, const struct dav_reply *reply)
{
    enum dav_ical_verdict verdict;

    if (reply->status == 403) {
        dav_query_fail(c->q, "calendar-forbidden", "neither events nor free/busy may be read at %s", reply->path);
        return;
    }
    verdict = reply->status == 200 ? dav_ical_read(c->ical, reply->body, reply->body_len) : DAV_ICAL_NOT_CALENDAR;
    if (verdict == DAV_ICAL_STOPPED)
        return; /* too many spans; the query knows */
    if (verdict == DAV_ICAL_NOT_CALENDAR || (verdict == DAV_ICAL_OK && !covers(c))) {
        dav_caldav_refuse(c, reply);
        return;
    }
    if (verdict != DAV_ICAL_OK || dav_ical_skipped(c->ical) > c->skipped) {
        dav_query_fail(c->q, "answer-malformed", "free/busy that cannot be read at %s", reply->path);
        return;
    }
    dav_query_markless(c->q);
    dav_query_way(c->q, "free-busy-query: the server decides what counts, private and unanswered events may be missing "
                        "or wrong");
    dav_caldav_moved_to(c, c->at->source, reply->path);
    if (c->lost) {
        dav_query_fail(c->q, "answer-too-large", "no room for the question");
        return;
    }
    dav_caldav_remember(c);
    c->at = c->at->next;
    dav_caldav_go_on(c);
}

/* An answer for less than was asked would make the rest look free. */
static bool covers(const struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    int64_t from, until;

    return dav_ical_covered(c->ical, &from, &until) && from <= question->from && until >= question->until;
}
