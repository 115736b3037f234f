/*
 * sim_item: GET of an item with Translate: f: its MIME text, in which CDO's iCalendar stands: the zone under a display
 * name, the series with RRULE and EXDATE, each moved instance as a VEVENT of its own.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_props.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (4u << 20)
#define BOUNDARY "----_=_NextPart_001_01C8"

static void add_stamp(struct buf *out, const char *name, int64_t t)
{
    char text[UTC_TEXT_MAX];
    buf_addf(out, "%s:%s\r\n", name, utc_basic(t, text));
}

/* Local time with the zone's display name, or a date for an all-day item. */
static void add_local(struct buf *out, const char *name, const struct sim_item *item, int64_t t)
{
    struct sim_civil c;
    sim_civil_of(sim_zone_to_local(item->zone, t), &c);
    if (item->all_day)
        buf_addf(out, "%s;VALUE=DATE:%04d%02d%02d\r\n", name, c.year, c.month, c.day);
    else
        buf_addf(out, "%s;TZID=\"%s\":%04d%02d%02dT%02d%02d%02d\r\n", name, item->zone->label, c.year, c.month, c.day,
                 c.hour, c.minute, c.second);
}

static void add_offset(struct buf *out, const char *name, int minutes)
{
    int m = abs(minutes);
    buf_addf(out, "%s:%c%02d%02d\r\n", name, minutes < 0 ? '-' : '+', m / 60, m % 60);
}

static void add_observance(struct buf *out, const char *kind, const struct sim_zone_rule *rule, int from, int to)
{
    static const char days[] = "SUMOTUWETHFRSA";
    buf_addf(out, "BEGIN:%s\r\nDTSTART:16010101T%02d%02d00\r\n", kind, rule->minute / 60, rule->minute % 60);
    add_offset(out, "TZOFFSETFROM", from);
    add_offset(out, "TZOFFSETTO", to);
    if (rule->month != 0)
        buf_addf(out, "RRULE:FREQ=YEARLY;WKST=MO;INTERVAL=1;BYMONTH=%d;BYDAY=%d%.2s\r\n", rule->month,
                 rule->week == 5 ? -1 : rule->week, days + 2 * rule->weekday);
    buf_addf(out, "END:%s\r\n", kind);
}

static void add_zone(struct buf *out, const struct sim_zone *z)
{
    buf_addf(out, "BEGIN:VTIMEZONE\r\nTZID:%s\r\nX-MICROSOFT-CDO-TZID:%d\r\n", z->label, z->cdo_id);
    add_observance(out, "STANDARD", &z->to_std, z->dst_min, z->std_min);
    if (z->to_dst.month != 0)
        add_observance(out, "DAYLIGHT", &z->to_dst, z->std_min, z->dst_min);
    buf_adds(out, "END:VTIMEZONE\r\n");
}

/* RFC 5545 3.3.11. */
static void add_text(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, "%s:", name);
    for (; *text != '\0'; text++) {
        if (strchr("\\;,", *text) != NULL)
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
    buf_adds(out, "\r\n");
}

static void add_event(struct buf *out, const struct sim_request *r, const struct sim_instance *in)
{
    static const char *const words[] = {"FREE", "TENTATIVE", "BUSY", "OOF", "BUSY"};
    const struct sim_item *item = in->item;
    const struct sim_recur *rule = &item->recur;
    buf_adds(out, "BEGIN:VEVENT\r\n");
    add_stamp(out, "DTSTAMP", item->modified);
    add_local(out, "DTSTART", item, in->start);
    if (item->has_end)
        add_local(out, "DTEND", item, in->end);
    add_text(out, "SUMMARY", item->subject);
    add_text(out, "LOCATION", item->location);
    if (item->uid != NULL)
        add_text(out, "UID", item->uid);
    if (in->type == SIM_MASTER)
        buf_addf(out, "RRULE:%s\r\n", sim_item_rule(r->arena, item));
    for (size_t i = 0; in->type == SIM_MASTER && i < rule->deleted_count; i++)
        add_local(out, "EXDATE", item, rule->deleted[i]);
    if (in->type == SIM_EXCEPTION)
        add_local(out, "RECURRENCE-ID", item, in->id);
    buf_addf(out, "CLASS:%s\r\n", item->sensitivity >= 2 ? "PRIVATE" : "PUBLIC");
    buf_addf(out, "X-MICROSOFT-CDO-BUSYSTATUS:%s\r\n", words[in->busy]);
    buf_addf(out, "X-MICROSOFT-CDO-INSTTYPE:%d\r\nX-MICROSOFT-CDO-ALLDAYEVENT:%s\r\n", (int)in->type,
             item->all_day ? "TRUE" : "FALSE");
    buf_addf(out, "STATUS:%s\r\nEND:VEVENT\r\n",
             item->cancelled ? "CANCELLED"
             : item->meeting ? "CONFIRMED"
                             : "TENTATIVE");
}

static void add_calendar(struct buf *out, const struct sim_request *r, const struct sim_item *item)
{
    struct sim_instance whole;
    buf_adds(out,
             "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nPRODID:Microsoft CDO for Microsoft Exchange\r\nVERSION:2.0\r\n");
    add_zone(out, item->zone);
    sim_recur_whole(item, &whole);
    add_event(out, r, &whole);
    for (size_t i = 0; i < item->recur.moved_count; i++) {
        const struct sim_moved *m = &item->recur.moved[i];
        struct sim_instance in = {item,   SIM_EXCEPTION, m->start,
                                  m->end, m->id,         m->busy < 0 ? (int)item->busy : m->busy};
        add_event(out, r, &in);
    }
    buf_adds(out, "END:VCALENDAR\r\n");
}

void sim_get_item(struct sim_request *r)
{
    const struct sim_item *item = r->node.instance.item;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_addf(&text, "Content-Class: urn:content-classes:appointment\r\nMIME-Version: 1.0\r\nSubject: %s\r\n",
             item->subject);
    buf_addf(&text, "From: \"%s\" <%s>\r\nContent-Type: multipart/alternative;\r\n\tboundary=\"" BOUNDARY "\"\r\n\r\n",
             item->mailbox->display, item->mailbox->address);
    buf_adds(&text, "--" BOUNDARY "\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n\r\n\r\n--" BOUNDARY "\r\n");
    buf_adds(&text,
             "Content-class: urn:content-classes:appointment\r\nContent-Type: text/calendar;\r\n\tmethod=PUBLISH;\r\n"
             "\tcharset=\"utf-8\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    add_calendar(&text, r, item);
    buf_adds(&text, "\r\n--" BOUNDARY "--\r\n");
    sim_reply(r,
              &(struct sim_reply){.status = 200,
                                  .type = "message/rfc822",
                                  .body = text.data,
                                  .len = text.len,
                                  .header = sim_arena_printf(r->arena, "ETag: \"%08x%08x\"", item->id, item->version)});
    buf_free(&text);
}
