/*
 * caldav_outbox: free and busy time of many people in one request, by a POST of a VFREEBUSY request to the service
 * account's own scheduling outbox (RFC 6638 5). For sites that grant free/busy and nothing else: the server itself
 * looks into the calendars, and decides what counts. The flavour of a question about many (batch.c).
 *
 * Once a day the outbox is looked for: the account's principal, on the way that caldav_find.c goes, and of that the
 * outbox and an address to ask as. Then one POST for each piece of the people. A person is known when the answer has a
 * row with a status of success and a VFREEBUSY that covers the time asked about; an answer about less is about less.
 */
#include "asked_bodies.h"
#include "caldav_outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "batch_parts.h"
#include "caldav.h"
#include "url.h"

#define PIECE 50
#define ADDRESS_MAX 1000
#define DAY_S 86400
#define WAY                                                                                                            \
    "the scheduling outbox: the server decides what counts; private, cancelled, tentative and unanswered events may "  \
    "be "                                                                                                              \
    "missing or plainly busy"

enum phase { LOOKING_FOR_US, LOOKING_FOR_OUTBOX, ASKING };

/* Of the session. */
struct outbox {
    char *path, *organizer; /* NULL: not known */
    int64_t found_at;
};

struct asking {
    struct dav_query *q;
    struct dav_batch *batch;
    struct outbox *known;
    enum phase phase;
    size_t root;
    const char *self;
    size_t first, end; /* the piece being asked */
    unsigned number;   /* of the request */
};

enum { SELF };
static const struct dav_ms_prop root_props[] = {[SELF] = {"DAV:", "current-user-principal", 2048, DAV_MS_TEXT}};
static const struct dav_ms_spec root_spec = {root_props, 1};
static const char root_body[] =
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:current-user-principal/></D:prop></D:propfind>";
static const char *const roots[] = {NULL, "/.well-known/caldav", "/", "/dav/", "/caldav.php/", "/SOGo/dav/"};
#define ROOTS (sizeof(roots) / sizeof(roots[0]))

enum { OUTBOX, ADDRESSES };
static const struct dav_ms_prop our_props[] = {
    [OUTBOX] = {DAV_CALDAV_NS, "schedule-outbox-URL", 2048, DAV_MS_TEXT},
    [ADDRESSES] = {DAV_CALDAV_NS, "calendar-user-address-set", 16384, DAV_MS_LIST},
};
static const struct dav_ms_spec our_spec = {our_props, 2};
const char dav_asked_outbox[] =
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"" DAV_CALDAV_NS
                   "\"><D:prop><C:schedule-outbox-URL/><C:calendar-user-address-set/></D:prop></D:propfind>";
static const char *const post_headers[] = {"Content-Type: text/calendar; charset=utf-8", NULL};

static void begin(struct dav_query *q);
static void answer(struct dav_query *q, const struct dav_reply *reply);
static void end(struct dav_query *q);
static void forget(void *shared);
static void propfind(struct asking *a, enum phase phase, const char *path);
static void look_for_us(struct asking *a);
static bool on_root(void *query, const struct dav_ms_response *response);
static bool on_us(void *query, const struct dav_ms_response *response);
static void take_organizer(struct outbox *known, const char *addresses);
static void ask_piece(struct asking *a);
static void write_request(struct asking *a, struct buf *out);
static void add_line(struct buf *out, const char *name, const char *value);
static void take_piece(struct asking *a, const struct dav_reply *reply);
static void on_row(void *asking, const struct dav_outbox_row *row);
static struct dav_batch_entry *entry_of(struct asking *a, const char *recipient, size_t *ret);
static void take_periods(struct asking *a, size_t i, const struct dav_outbox_row *row);
static bool on_span(void *batch, const struct dav_span *span);

const struct dav_flavour dav_caldav_outbox_flavour = {
    .name = "caldav outbox",
    .begin = begin,
    .answer = answer,
    .end = end,
    .forget = forget,
};

static void begin(struct dav_query *q)
{
    struct asking *a = arena_alloc(dav_query_arena(q), sizeof(*a));
    void **shared = dav_query_shared(q);

    if (*shared == NULL)
        *shared = mem_calloc(1, sizeof(struct outbox));
    if (a == NULL) {
        dav_query_fail(q, "answer-too-large", "no room for the question");
        return;
    }
    dav_query_set_state(q, a);
    a->q = q;
    a->batch = dav_query_batch(q);
    a->batch->way = WAY;
    a->known = *shared;
    dav_query_way(q, WAY);
    if (a->known->path != NULL && dav_query_now(q) < a->known->found_at + DAY_S)
        ask_piece(a);
    else
        look_for_us(a);
}

static void answer(struct dav_query *q, const struct dav_reply *reply)
{
    struct asking *a = dav_query_state(q);

    switch (a->phase) {
    case LOOKING_FOR_US:
        if (reply->multistatus && a->self != NULL) {
            propfind(a, LOOKING_FOR_OUTBOX, a->self);
        } else {
            a->root++;
            look_for_us(a);
        }
        break;
    case LOOKING_FOR_OUTBOX:
        if (reply->multistatus && a->known->path != NULL && a->known->organizer != NULL) {
            a->known->found_at = dav_query_now(q);
            ask_piece(a);
        } else {
            dav_query_fail(q, "outbox-missing", "PROPFIND %s: %d, %s", reply->path, reply->status,
                           a->known->path == NULL ? "no outbox" : "no address of the account");
        }
        break;
    case ASKING:
        take_piece(a, reply);
        break;
    }
}

static void end(struct dav_query *q)
{
    struct asking *a = dav_query_state(q);

    if (a != NULL)
        dav_batch_end(a->batch);
}

static void forget(void *shared)
{
    struct outbox *known = shared;

    free(known->path);
    free(known->organizer);
    free(known);
}

static void propfind(struct asking *a, enum phase phase, const char *path)
{
    bool us = phase == LOOKING_FOR_OUTBOX;
    struct dav_ask ask = {.method = "PROPFIND",
                          .url = path,
                          .headers = dav_caldav_depth_0,
                          .body = us ? dav_asked_outbox : root_body,
                          .body_len = us ? sizeof(dav_asked_outbox) - 1 : sizeof(root_body) - 1,
                          .spec = us ? &our_spec : &root_spec,
                          .on_response = us ? on_us : on_root,
                          .compressed = true};

    a->phase = phase;
    dav_query_send(a->q, &ask);
}

static void look_for_us(struct asking *a)
{
    const char *base = dav_query_base_path(a->q);

    if (a->root == 0 && strcmp(base, "/") == 0)
        a->root++;
    a->self = NULL;
    if (a->root < ROOTS)
        propfind(a, LOOKING_FOR_US, a->root == 0 ? base : roots[a->root]);
    else
        dav_query_fail(a->q, "outbox-missing", "the server does not say who the account is");
}

static bool on_root(void *query, const struct dav_ms_response *response)
{
    struct asking *a = dav_query_state(query);
    const struct dav_ms_value *self = &response->value[SELF];
    struct buf path;

    buf_init(&path, DAV_URL_PATH_MAX);
    if (a->self == NULL && self->text != NULL && !self->cut && dav_url_path_of(&path, self->text, self->len, true))
        a->self = arena_strndup(dav_query_arena(query), path.data, path.len);
    buf_free(&path);
    return true;
}

static bool on_us(void *query, const struct dav_ms_response *response)
{
    struct asking *a = dav_query_state(query);
    const struct dav_ms_value *outbox = &response->value[OUTBOX], *addresses = &response->value[ADDRESSES];
    struct buf path;

    buf_init(&path, DAV_URL_PATH_MAX);
    if (outbox->text != NULL && !outbox->cut && dav_url_path_of(&path, outbox->text, outbox->len, true)) {
        free(a->known->path);
        a->known->path = mem_strdup(path.data);
    }
    buf_free(&path);
    if (addresses->text != NULL && !addresses->cut)
        take_organizer(a->known, addresses->text);
    return true;
}

/* The first that is a mail address. */
static void take_organizer(struct outbox *known, const char *addresses)
{
    for (const char *at = addresses; *at != '\0';) {
        size_t len = strcspn(at, "\n"), item = len;
        const char *text = str_trim(at, &item);

        if (item > 7 && item < ADDRESS_MAX && str_starts_nocase(text, "mailto:")) {
            free(known->organizer);
            known->organizer = mem_strndup(text, item);
            return;
        }
        at += len + (at[len] == '\n');
    }
}

static void ask_piece(struct asking *a)
{
    struct dav_ask ask = {.method = "POST", .url = a->known->path, .headers = post_headers, .compressed = true};
    struct buf body;

    while (a->end < a->batch->count && a->batch->entries[a->end].state != DAV_BATCH_PENDING)
        a->end++;
    if (a->end == a->batch->count) {
        dav_query_succeed(a->q);
        return;
    }
    a->first = a->end;
    a->end = a->first + PIECE < a->batch->count ? a->first + PIECE : a->batch->count;
    a->phase = ASKING;
    a->number++;
    buf_init(&body, (size_t)(PIECE + 4) * 4 * ADDRESS_MAX);
    write_request(a, &body);
    ask.body = body.failed ? NULL : arena_strndup(dav_query_arena(a->q), body.data, body.len);
    ask.body_len = body.len;
    buf_free(&body);
    if (ask.body == NULL)
        dav_query_fail(a->q, "answer-too-large", "no room for the question");
    else
        dav_query_send(a->q, &ask);
}

static void write_request(struct asking *a, struct buf *out)
{
    const struct dav_question *question = dav_query_question(a->q);
    char text[UTC_TEXT_MAX], uid[80];

    snprintf(uid, sizeof(uid), "freebusyd-%lld-%u", (long long)dav_query_now(a->q), a->number);
    buf_adds(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freebusyd//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\n");
    add_line(out, "UID:", uid);
    add_line(out, "DTSTAMP:", utc_basic(dav_query_now(a->q), text));
    add_line(out, "DTSTART:", utc_basic(question->from, text));
    add_line(out, "DTEND:", utc_basic(question->until, text));
    add_line(out, "ORGANIZER:", a->known->organizer);
    for (size_t i = a->first; i < a->end; i++) {
        const struct dav_batch_entry *e = &a->batch->entries[i];
        struct buf address;

        if (e->state != DAV_BATCH_PENDING)
            continue;
        buf_init(&address, 3 * ADDRESS_MAX);
        if (strlen(e->address) < ADDRESS_MAX &&
            str_percent_encode(&address, e->address, strlen(e->address), "@+!&'*=/"))
            add_line(out, "ATTENDEE:mailto:", address.data);
        buf_free(&address);
    }
    buf_adds(out, "END:VFREEBUSY\r\nEND:VCALENDAR\r\n");
}

/* Folded at 75 bytes; what stands in it is ASCII. */
static void add_line(struct buf *out, const char *name, const char *value)
{
    size_t column = strlen(name);

    buf_adds(out, name);
    for (; *value != '\0'; value++, column++) {
        if (column >= 74) {
            buf_adds(out, "\r\n ");
            column = 1;
        }
        buf_addc(out, *value);
    }
    buf_adds(out, "\r\n");
}

static void take_piece(struct asking *a, const struct dav_reply *reply)
{
    const char *code = dav_reply_code(reply);

    if (reply->status == 200 && dav_outbox_read(reply->body, reply->body_len, on_row, a)) {
        for (size_t i = a->first; i < a->end; i++)
            a->batch->entries[i].requests = 1;
        dav_query_passed(a->q, DAV_STEP_CALENDAR, "the outbox %s", reply->path);
        ask_piece(a);
        return;
    }
    for (size_t i = a->first; i < a->end; i++) /* rows of an answer that is not whole */
        if (a->batch->entries[i].state == DAV_BATCH_KNOWN)
            dav_batch_failed(a->batch, i, "answer-malformed", "POST %s: not whole", reply->path);
    if (reply->status == 403 || reply->status == 404 || reply->status == 405 || reply->status == 501) {
        free(a->known->path);
        a->known->path = NULL; /* it may be somewhere else now */
        code = "outbox-missing";
    }
    dav_query_fail(a->q, code != NULL ? code : "answer-malformed", "POST %s: %d%s", reply->path, reply->status,
                   reply->status == 200 ? ", no schedule-response" : "");
}

static void on_row(void *asking, const struct dav_outbox_row *row)
{
    struct asking *a = asking;
    size_t i;
    struct dav_batch_entry *e = entry_of(a, row->recipient, &i);

    if (e == NULL || e->state != DAV_BATCH_PENDING)
        return;
    if (row->cut)
        dav_batch_failed(a->batch, i, "answer-too-large", "the outbox says more than is accepted");
    else if (row->status[0] == '2')
        take_periods(a, i, row);
    else if (str_starts(row->status, "3."))
        dav_batch_failed(a->batch, i, "mailbox-not-found", "the outbox says %s", row->status);
    else
        dav_batch_failed(a->batch, i, "freebusy-no-data", "the outbox says %s", row->status);
}

static struct dav_batch_entry *entry_of(struct asking *a, const char *recipient, size_t *ret)
{
    const char *address = str_starts_nocase(recipient, "mailto:") ? recipient + 7 : recipient;
    struct dav_batch_entry *found = NULL;
    struct buf plain;

    buf_init(&plain, ADDRESS_MAX);
    if (!str_percent_decode(&plain, address, strlen(address)))
        buf_reset(&plain);
    for (size_t i = a->first; i < a->end && found == NULL && plain.len > 0; i++) {
        struct dav_batch_entry *e = &a->batch->entries[i];

        if (str_eq_nocase(e->address, plain.data) || str_eq_nocase(e->address, address)) {
            found = e;
            *ret = i;
        }
    }
    buf_free(&plain);
    return found;
}

static void take_periods(struct asking *a, size_t i, const struct dav_outbox_row *row)
{
    const struct dav_question *question = dav_query_question(a->q);
    struct dav_ical_setup setup = {
        .from = question->from, .until = question->until, .on_span = on_span, .arg = a->batch};
    size_t first = a->batch->spans.len / sizeof(struct dav_span);
    struct dav_ical *ical = dav_ical_new(&setup);
    enum dav_ical_verdict verdict = dav_ical_read(ical, row->data, row->data_len);
    int64_t from = question->from, until = question->until, begin, last;

    if (verdict == DAV_ICAL_STOPPED) {
        dav_batch_failed(a->batch, i, "answer-too-large", "more periods than are accepted");
    } else if (verdict != DAV_ICAL_OK || !dav_ical_covered(ical, &begin, &last) || dav_ical_skipped(ical) > 0) {
        a->batch->spans.len = first * sizeof(struct dav_span);
        dav_batch_failed(a->batch, i, "answer-malformed", "free/busy that cannot be read, with %s", row->status);
    } else {
        from = begin > from ? begin : from;
        until = last < until ? last : until;
        if (until > from)
            dav_batch_known(a->batch, i, first, from, until);
        else
            dav_batch_failed(a->batch, i, "freebusy-no-data", "the outbox answers for another time");
    }
    dav_ical_free(&ical);
}

static bool on_span(void *batch, const struct dav_span *span)
{
    struct dav_batch *b = batch;

    return buf_add(&b->spans, span, sizeof(*span));
}
