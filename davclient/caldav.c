/*
 * caldav: the flavour that speaks CalDAV (RFC 4791). Events are read whole and expanded here (ical.c): of the servers
 * one meets, some compute free/busy wrongly, some leave out what recurs, and Radicale answers the question with
 * nothing.
 *
 * A person's sources follow from the account's path templates, or from the person's own path, or are found by asking
 * (caldav_find.c). Once a day each source is looked at: is it a calendar or a home full of them, do they count, whose
 * are they, which zone. What was found travels with the question as `remember`. At every other question one PROPFIND a
 * source brings the ctag and sync-token of all its calendars; those that changed are synchronised (caldav_sync.c), and
 * everything else is expanded from what is kept (caldav_store.c): a window that moves costs nothing.
 *
 * The answer is the union; one calendar that cannot be read makes all of it a failure, because what it hides might be a
 * meeting.
 */
#include "asked_bodies.h"
#include "caldav.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/str.h"
#include "url.h"

#define WORK_MAX 4000000 /* steps of recurrence in one question */

const char *const dav_caldav_depth_0[] = {"Depth: 0", "Content-Type: application/xml; charset=utf-8", NULL};
const char *const dav_caldav_depth_1[] = {"Depth: 1", "Content-Type: application/xml; charset=utf-8", NULL};
const char dav_asked_principal[] =
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:current-user-principal/></D:prop></D:propfind>";

static void identify(const struct fetch *fetch, char *product, size_t size);
static const char *judge_probe(const struct dav_reply *reply, bool logged_on);
static void begin(struct dav_query *q);
static void answer(struct dav_query *q, const struct dav_reply *reply);
static void end(struct dav_query *q);
static void forget(void *shared);
static struct dav_ical *new_ical(struct dav_caldav *c);
static void open_store(struct dav_caldav *c);
static void finish(struct dav_caldav *c);
static bool on_span(void *arg, const struct dav_span *span);

const struct dav_flavour dav_caldav_flavour = {
    .name = "caldav",
    .probe_headers = dav_caldav_depth_0,
    .probe_body = dav_asked_principal,
    .identify = identify,
    .judge_probe = judge_probe,
    .begin = begin,
    .answer = answer,
    .end = end,
    .forget = forget,
    .batch = &dav_caldav_outbox_flavour,
};

void dav_caldav_look_all(struct dav_caldav *c)
{
    c->source = c->sources;
    dav_caldav_look(c);
}

void dav_caldav_restart(struct dav_caldav *c)
{
    dav_query_clear_spans(c->q);
    dav_query_remember(c->q, "");
    c->unreadable = 0;
    c->availability = NULL;
    c->from_memory = false;
    c->moved = false;
    dav_caldav_sources(c);
    if (c->sources == NULL)
        dav_caldav_find(c);
    else
        dav_caldav_look_all(c);
}

void dav_caldav_go_on(struct dav_caldav *c)
{
    while (c->at != NULL) {
        if (c->at->source->form == DAV_BUSY_ONLY) {
            dav_caldav_ask_busy(c);
            return;
        }
        if (c->at->kept == NULL) {
            dav_caldav_sync(c);
            return;
        }
        if (!dav_caldav_expand(c))
            return;
        c->at = c->at->next;
    }
    finish(c);
}

/* The calendar's own zone, else the question's, else the account's. */
void dav_caldav_set_zone(struct dav_caldav *c)
{
    const char *zone = dav_query_question(c->q)->zone;

    if (c->at != NULL && c->at->timezone != NULL &&
        dav_ical_set_timezone(c->ical, c->at->timezone, strlen(c->at->timezone)))
        return;
    if (c->at != NULL && c->at->zone != NULL && dav_ical_set_zone(c->ical, c->at->zone))
        return;
    if (zone == NULL)
        zone = dav_query_account(c->q)->zone;
    dav_ical_set_zone(c->ical, zone != NULL ? zone : "UTC");
}

/* Is the person asked about the service account? Then its own calendar is what we want. */
bool dav_caldav_is_own_account(const struct dav_caldav *c)
{
    const char *address = dav_query_question(c->q)->address, *user = dav_query_account(c->q)->user;
    const char *slash = strrchr(user, '\\');
    size_t local = strcspn(address, "@"), len;

    user = slash != NULL ? slash + 1 : user;
    len = strcspn(user, "@");
    return local == len && strncasecmp(address, user, len) == 0;
}

const char *dav_caldav_keep(struct dav_caldav *c, const char *text, size_t len)
{
    const char *kept = arena_strndup(dav_query_arena(c->q), text, len);

    if (kept == NULL)
        c->lost = true;
    return kept;
}

/* Anything but a 207 says nothing about busy time. */
void dav_caldav_refuse(struct dav_caldav *c, const struct dav_reply *reply)
{
    static const char *const words[] = {
        [DAV_FINDING_ROOT] = "PROPFIND", [DAV_FINDING_PERSON] = "search",      [DAV_FINDING_HOME] = "PROPFIND",
        [DAV_LOOKING] = "PROPFIND",      [DAV_LISTING] = "PROPFIND",           [DAV_ASKING_ZONE] = "PROPFIND",
        [DAV_POLLING] = "PROPFIND",      [DAV_SYNCING] = "sync-collection",    [DAV_SYNCING_ETAGS] = "PROPFIND",
        [DAV_FETCHING] = "multiget",     [DAV_ASKING_BUSY] = "free-busy-query"};
    const char *code = dav_reply_code(reply);

    if (reply->status == 404 || reply->status == 410)
        code = "calendar-not-found";
    else if (c->phase >= DAV_SYNCING && (reply->status == 405 || reply->status == 501))
        code = "query-refused";
    else if (code == NULL)
        code = "answer-malformed";
    dav_query_fail(c->q, code, "%s %s: %d", words[c->phase], reply->path, reply->status);
}

/* Radicale names only the Python server it runs in, but no other server has this line of DAV classes. */
static void identify(const struct fetch *fetch, char *product, size_t size)
{
    const char *server = fetch_header(fetch, "Server", 0), *davical = fetch_header(fetch, "X-DAViCal-Version", 0);
    const char *dav = fetch_header(fetch, "DAV", 0);

    if (davical != NULL)
        str_printable(davical, strcspn(davical, ";"), product, size);
    else if (server != NULL && str_starts(server, "WSGIServer") && dav != NULL && strstr(dav, "extended-mkcol") != NULL)
        snprintf(product, size, "Radicale");
    else if (server != NULL && server[0] != '\0')
        str_printable(server, strcspn(server, " "), product, size);
}

/*
 * Only a 207 proves WebDAV, but the root of some servers is closed to everybody, or is no place for it, while the
 * calendars below it are there; what that means is seen with the first person.
 */
static const char *judge_probe(const struct dav_reply *reply, bool logged_on)
{
    (void)logged_on;
    switch (reply->status) {
    case 207:
    case 403:
    case 404:
        return NULL;
    case 405:
    case 501:
        return strcmp(reply->path, "/") == 0 ? NULL : "webdav-missing";
    default:
        return reply->status >= 200 && reply->status <= 299 ? NULL : dav_reply_code(reply);
    }
}

static void begin(struct dav_query *q)
{
    struct dav_caldav *c = arena_alloc(dav_query_arena(q), sizeof(*c));

    if (c == NULL) {
        dav_query_fail(q, "answer-too-large", "no room for the question");
        return;
    }
    dav_query_set_state(q, c);
    c->q = q;
    c->ical = new_ical(c);
    dav_caldav_sources(c);
    if (c->ical == NULL || c->lost) {
        dav_query_fail(q, "config-account", "%s",
                       c->ical == NULL ? "the zone is not known on this machine"
                                       : "a path of calendars cannot be used for this person");
        return;
    }
    open_store(c);
    dav_query_way(q, "events");
    c->from_memory = dav_caldav_recall(c);
    if (c->from_memory)
        dav_caldav_poll(c);
    else if (c->sources == NULL)
        dav_caldav_find(c);
    else
        dav_caldav_look_all(c);
}

static void answer(struct dav_query *q, const struct dav_reply *reply)
{
    struct dav_caldav *c = dav_query_state(q);

    if (c->from_memory && (reply->status == 404 || reply->status == 410)) {
        dav_caldav_restart(c); /* it was there yesterday */
        return;
    }
    switch (c->phase) {
    case DAV_FINDING_ROOT:
    case DAV_FINDING_PERSON:
    case DAV_FINDING_HOME:
        dav_caldav_found(c, reply);
        break;
    case DAV_LOOKING:
    case DAV_LISTING:
    case DAV_ASKING_ZONE:
    case DAV_POLLING:
        dav_caldav_looked(c, reply);
        break;
    case DAV_SYNCING:
    case DAV_SYNCING_ETAGS:
    case DAV_FETCHING:
        dav_caldav_synced(c, reply);
        break;
    case DAV_ASKING_BUSY:
        dav_caldav_busy_answered(c, reply);
        break;
    }
}

static void end(struct dav_query *q)
{
    struct dav_caldav *c = dav_query_state(q);

    if (c == NULL)
        return;
    if (c->person != NULL)
        dav_store_close(c->store, &c->person, c->done);
    dav_ical_free(&c->ical);
    dav_ical_free(&c->compactor);
}

static void forget(void *shared)
{
    dav_store_free(shared);
}

static struct dav_ical *new_ical(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    const struct dav_account *account = dav_query_account(c->q);
    struct dav_ical_setup setup = {.from = question->from, .until = question->until, .on_span = on_span, .arg = c->q};
    const char *owners[64];
    size_t n = 0;

    owners[n++] = question->address;
    for (size_t i = 0; question->aliases != NULL && question->aliases[i] != NULL && n < 63; i++)
        owners[n++] = question->aliases[i];
    owners[n] = NULL;
    setup.owners = owners;
    setup.markers = account->markers;
    setup.zone = question->zone != NULL ? question->zone : account->zone;
    setup.max_bytes = 2 * DAV_CALDAV_RESOURCE_MAX;
    setup.all_steps = WORK_MAX;
    return dav_ical_new(&setup);
}

/* Whose answers to invitations are kept depends on the addresses, so they are part of the key. */
static void open_store(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    void **shared = dav_query_shared(c->q);
    struct buf key;

    if (*shared == NULL)
        *shared = dav_store_new();
    c->store = *shared;
    buf_init(&key, 65536);
    buf_adds(&key, question->address);
    for (size_t i = 0; question->aliases != NULL && question->aliases[i] != NULL; i++)
        buf_addf(&key, " %s", question->aliases[i]);
    c->person = dav_store_open(c->store, key.data, dav_query_now(c->q));
    buf_free(&key);
}

/*
 * Everything was read. An object that is there and cannot be read, or says nothing of when it is, may be a meeting at
 * any time: then nobody can say that the person is free.
 */
static void finish(struct dav_caldav *c)
{
    unsigned lost = c->unreadable + dav_ical_lost(c->ical);

    dav_caldav_set_zone(c);
    for (const struct dav_availability *a = c->availability; a != NULL; a = a->next) {
        if (a->cut || dav_ical_read(c->ical, a->text, a->len) != DAV_ICAL_OK)
            dav_query_skip(c->q);
    }
    if (lost > 0) {
        dav_query_fail(c->q, "items-unreadable", "%u item%s of the calendar: nothing says when %s", lost,
                       lost > 1 ? "s" : "", lost > 1 ? "they are" : "it is");
        return;
    }
    switch (dav_ical_hours(c->ical)) {
    case DAV_ICAL_STOPPED:
        return; /* too many spans; the query knows */
    case DAV_ICAL_TOO_LARGE:
        dav_query_fail(c->q, "answer-too-large", "more hours of availability than are accepted");
        return;
    case DAV_ICAL_OK:
    case DAV_ICAL_NOT_CALENDAR:
    case DAV_ICAL_CUT:
        break;
    }
    c->done = true;
    dav_query_succeed(c->q);
}

static bool on_span(void *arg, const struct dav_span *span)
{
    return dav_query_span(arg, span);
}
