/*
 * caldav_sync: brings what is kept of one calendar up to date. sync-collection (RFC 6578) names what has changed since
 * a token, a listing of ETags takes its place where there is none; what is new or has another ETag is fetched by
 * calendar-multiget, fifty at a time, and kept as the lines that decide. Tokens are only moved on when everything they
 * stand for has arrived, so that a question that fails half-way loses nothing but time.
 *
 * A server may forget a token. Some say so (403, 409, 400, 412, or 500 in Xandikos' case), some answer with the full
 * list as if nothing had happened, which does not name what was deleted: an answer that repeats what we knew and leaves
 * out the rest is not believed until a full list was seen.
 *
 * What a list of changes names is fetched even when its ETag is the one we have: SOGo's is a count of versions, which
 * begins again when somebody deletes an event and stores another one under its name.
 */
#include <stdio.h>
#include <string.h>

#include "asked_bodies.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/str.h"
#include "caldav.h"
#include "url.h"

#define BATCH 50
#define ROUNDS_MAX 1000
#define DAY_S 86400
#define DAYS_KEPT 2 /* before the window: questions do not all begin in the same hour */

enum { ETAG, DATA, TYPE };
static const struct dav_ms_prop props[] = {
    [ETAG] = {"DAV:", "getetag", 1024, DAV_MS_TEXT},
    [DATA] = {DAV_CALDAV_NS, "calendar-data", DAV_CALDAV_RESOURCE_MAX, DAV_MS_TEXT},
    [TYPE] = {"DAV:", "resourcetype", 1024, DAV_MS_NAMES},
};
static const struct dav_ms_spec spec = {props, sizeof(props) / sizeof(props[0])};

const char dav_asked_etags[] =
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:getetag/><D:resourcetype/></D:prop></D:propfind>";

const char dav_asked_changes[] = DAV_CALDAV_XML "<D:sync-collection xmlns:D=\"DAV:\"><D:sync-token>";
const char dav_asked_changes_end[] =
    "</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>";
const char dav_asked_items[] = DAV_CALDAV_XML "<C:calendar-multiget xmlns:D=\"DAV:\" xmlns:C=\"" DAV_CALDAV_NS
                                              "\"><D:prop><D:getetag/><C:calendar-data/></D:prop>";

static bool is_unchanged(const struct dav_calendar *at);
static bool same_text(const char *a, const char *b);
static void list(struct dav_caldav *c);
static void list_by_token(struct dav_caldav *c, const char *token);
static void list_etags(struct dav_caldav *c);
static void send(struct dav_caldav *c, enum dav_caldav_phase phase, const char *const *headers, const struct buf *body);
static bool on_listed(void *arg, const struct dav_ms_response *response);
static void want(struct dav_caldav *c, const struct dav_ms_response *response, uint64_t name, uint64_t etag);
static uint64_t name_of(const char *href, size_t len);
static bool is_calendar_itself(const struct dav_caldav *c, const struct dav_ms_response *response);
static void after_listing(struct dav_caldav *c, const struct dav_reply *reply);
static void listing_refused(struct dav_caldav *c, const struct dav_reply *reply);
static void fetch_batch(struct dav_caldav *c);
static bool on_fetched(void *arg, const struct dav_ms_response *response);
static void take_data(struct dav_caldav *c, struct dav_want *w, const struct dav_ms_response *response);
static void after_batch(struct dav_caldav *c);
static void settle(struct dav_caldav *c);
static struct dav_ical *compactor(struct dav_caldav *c);
static int64_t kept_from(const struct dav_caldav *c);

void dav_caldav_sync(struct dav_caldav *c)
{
    struct dav_calendar *at = c->at;

    at->kept = dav_person_calendar(c->person, at->path, kept_from(c));
    if (is_unchanged(at)) {
        dav_caldav_go_on(c);
        return;
    }
    c->was_full = false;
    c->rounds = 0;
    c->hole = false;
    list(c);
}

void dav_caldav_synced(struct dav_caldav *c, const struct dav_reply *reply)
{
    if (c->phase == DAV_FETCHING) {
        if (reply->multistatus)
            after_batch(c);
        else
            dav_caldav_refuse(c, reply);
    } else if (reply->multistatus) {
        after_listing(c, reply);
    } else {
        listing_refused(c, reply);
    }
}

bool dav_caldav_expand(struct dav_caldav *c)
{
    const struct dav_kept *kept = c->at->kept;
    unsigned unreadable = 0;
    struct buf text;
    enum dav_ical_verdict verdict = DAV_ICAL_OK;

    dav_caldav_set_zone(c);
    buf_init(&text, 2 * DAV_CALDAV_RESOURCE_MAX);
    for (size_t i = 0; i < kept->count && verdict != DAV_ICAL_STOPPED; i++) {
        const struct dav_resource *r = &kept->resources[i];

        unreadable += r->unreadable;
        if (r->text == NULL && !r->unreadable)
            continue;
        verdict = DAV_ICAL_TOO_LARGE;
        if (!r->unreadable && dav_store_compose(c->store, r, &text))
            verdict = dav_ical_read(c->ical, text.data, text.len);
        if (verdict != DAV_ICAL_OK) {
            dav_query_skip(c->q);
            c->unreadable++;
        }
        for (; c->skipped < dav_ical_skipped(c->ical); c->skipped++)
            dav_query_skip(c->q);
    }
    buf_free(&text);
    if (verdict == DAV_ICAL_STOPPED)
        return false; /* too many spans; the query knows */
    if (unreadable > 0 && unreadable == kept->count) {
        dav_query_fail(c->q, "answer-malformed", "%u resources, and not one readable calendar among them", unreadable);
        return false;
    }
    return true;
}

static bool is_unchanged(const struct dav_calendar *at)
{
    const struct dav_kept *kept = at->kept;

    return kept->complete && !kept->unsure && (at->token != NULL || at->ctag != NULL) &&
           same_text(at->token, kept->poll_token) && same_text(at->ctag, kept->poll_ctag);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void list(struct dav_caldav *c)
{
    struct dav_kept *kept = c->at->kept;

    c->wants = NULL;
    c->want_end = &c->wants;
    c->want_count = 0;
    c->repeated = 0;
    c->listed = 0;
    c->next_token = NULL;
    kept->complete = false;
    kept->round++;
    if (c->at->token != NULL && !kept->no_sync)
        list_by_token(c, kept->token);
    else
        list_etags(c);
}

/* Without a token everything is listed. */
static void list_by_token(struct dav_caldav *c, const char *token)
{
    struct buf body;

    if (c->rounds++ == 0 || token == NULL)
        c->full = token == NULL;
    c->was_full = c->was_full || c->full;
    buf_init(&body, 8192);
    buf_adds(&body, dav_asked_changes);
    for (const char *at = token; at != NULL && *at != '\0'; at++) {
        if (*at == '&' || *at == '<' || *at == '>')
            buf_addf(&body, "&#%d;", *at);
        else
            buf_addc(&body, *at);
    }
    buf_adds(&body, dav_asked_changes_end);
    send(c, DAV_SYNCING, dav_caldav_depth_0, &body);
    buf_free(&body);
}

static void list_etags(struct dav_caldav *c)
{
    struct buf body;

    c->full = true;
    c->was_full = true;
    buf_init(&body, sizeof(dav_asked_etags));
    buf_adds(&body, dav_asked_etags);
    send(c, DAV_SYNCING_ETAGS, dav_caldav_depth_1, &body);
    buf_free(&body);
}

static void send(struct dav_caldav *c, enum dav_caldav_phase phase, const char *const *headers, const struct buf *body)
{
    struct dav_ask ask = {.method = phase == DAV_SYNCING_ETAGS ? "PROPFIND" : "REPORT",
                          .url = c->at->path,
                          .headers = headers,
                          .body_len = body->len,
                          .spec = &spec,
                          .on_response = phase == DAV_FETCHING ? on_fetched : on_listed,
                          .compressed = true};

    c->phase = phase;
    c->more = false;
    ask.body = body->failed ? NULL : dav_caldav_keep(c, body->data, body->len);
    if (ask.body == NULL)
        dav_query_fail(c->q, "answer-too-large", "no room for the question");
    else
        dav_query_send(c->q, &ask);
}

static bool on_listed(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    struct dav_kept *kept = c->at->kept;
    const struct dav_ms_value *etag_value = &response->value[ETAG];
    uint64_t name, etag = 0;
    struct dav_resource *known;

    if (is_calendar_itself(c, response)) {
        c->more = c->more || response->status == 507;
        return true;
    }
    if (response->value[TYPE].text != NULL && strstr(response->value[TYPE].text, "collection") != NULL)
        return true;
    name = name_of(response->href, response->href_len);
    known = dav_kept_find(kept, name);
    if (response->status == 404 || response->status == 410) {
        dav_kept_remove(kept, name);
        return true;
    }
    c->listed += known != NULL;
    if (etag_value->text != NULL && etag_value->len > 0)
        etag = dav_store_hash(etag_value->text, etag_value->len);
    if (known != NULL && etag != 0 && known->etag == etag && !c->full) {
        c->repeated++;
        known->doubted = true; /* also when everything is listed again below */
    }
    if (known == NULL || etag == 0 || known->etag != etag || known->doubted)
        want(c, response, name, etag);
    if (known != NULL)
        known->round = kept->round;
    return !c->lost;
}

static void want(struct dav_caldav *c, const struct dav_ms_response *response, uint64_t name, uint64_t etag)
{
    struct dav_want *w = arena_alloc(dav_query_arena(c->q), sizeof(*w));

    if (w == NULL || (w->href = dav_caldav_keep(c, response->href, response->href_len)) == NULL) {
        c->lost = true;
        dav_query_fail(c->q, "answer-too-large", "more than fits, after %u changes", c->want_count);
        return;
    }
    w->name = name;
    w->etag = etag;
    c->want_count++;
    *c->want_end = w;
    c->want_end = &w->next;
}

/* Servers do not always spell a path alike, so names are compared decoded. */
static uint64_t name_of(const char *href, size_t len)
{
    struct buf path, plain;
    uint64_t hash;

    buf_init(&path, DAV_URL_PATH_MAX);
    buf_init(&plain, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&path, href, len, false) && str_percent_decode(&plain, path.data, path.len))
        hash = dav_store_hash(plain.data, plain.len);
    else
        hash = dav_store_hash(href, len);
    buf_free(&path);
    buf_free(&plain);
    return hash;
}

static bool is_calendar_itself(const struct dav_caldav *c, const struct dav_ms_response *response)
{
    struct buf path;
    bool same;

    buf_init(&path, DAV_URL_PATH_MAX);
    same =
        dav_url_path_of(&path, response->href, response->href_len, true) && dav_url_path_equal(path.data, c->at->path);
    buf_free(&path);
    return same;
}

static void after_listing(struct dav_caldav *c, const struct dav_reply *reply)
{
    struct dav_kept *kept = c->at->kept;

    if (c->phase == DAV_SYNCING && reply->sync_token[0] != '\0')
        c->next_token = dav_caldav_keep(c, reply->sync_token, strlen(reply->sync_token));
    if (c->more && c->next_token != NULL && c->rounds < ROUNDS_MAX) {
        list_by_token(c, c->next_token);
    } else if (c->more) {
        dav_query_fail(c->q, "answer-malformed", "a list of changes without an end");
    } else if (!c->full && c->repeated > 0 && c->listed < kept->count && !c->was_full) {
        dav_kept_set(&kept->token, NULL);
        c->rounds = 0;
        list(c);
    } else {
        if (c->full) { /* what is not named exists no more, but what is new is not there yet */
            dav_kept_sweep(kept);
            c->full = false;
        }
        c->batch = c->wants;
        fetch_batch(c);
    }
}

/* A token that was forgotten; sync-collection that does not work; or a calendar that is closed. */
static void listing_refused(struct dav_caldav *c, const struct dav_reply *reply)
{
    struct dav_kept *kept = c->at->kept;
    bool about_token = reply->status == 400 || reply->status == 403 || reply->status == 409 || reply->status == 412 ||
                       reply->status == 500;

    if (c->phase == DAV_SYNCING && about_token && kept->token != NULL) {
        dav_kept_set(&kept->token, NULL);
        c->rounds = 0;
        list(c);
    } else if (c->phase == DAV_SYNCING && (about_token || reply->status == 405 || reply->status == 501 ||
                                           reply->status == 415 || reply->status == 422)) {
        kept->no_sync = true;
        list(c);
    } else {
        dav_caldav_refuse(c, reply);
    }
}

static void fetch_batch(struct dav_caldav *c)
{
    struct dav_want *w = c->batch;
    struct buf body;

    if (c->batch == NULL) {
        settle(c);
        return;
    }
    buf_init(&body, (size_t)BATCH * 6 * DAV_URL_PATH_MAX);
    buf_adds(&body, dav_asked_items);
    for (int i = 0; i < BATCH && w != NULL; i++, w = w->next) {
        buf_adds(&body, "<D:href>");
        for (const char *at = w->href; *at != '\0'; at++) {
            if (*at == '&' || *at == '<' || *at == '>')
                buf_addf(&body, "&#%d;", *at);
            else
                buf_addc(&body, *at);
        }
        buf_adds(&body, "</D:href>");
    }
    buf_adds(&body, "</C:calendar-multiget>");
    c->batch_end = w;
    send(c, DAV_FETCHING, dav_caldav_depth_1, &body);
    buf_free(&body);
}

static bool on_fetched(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    uint64_t name = name_of(response->href, response->href_len);

    for (struct dav_want *w = c->batch; w != c->batch_end; w = w->next) {
        if (w->name != name || w->answered)
            continue;
        if (response->status == 404 || response->status == 410)
            break;
        w->answered = true;
        take_data(c, w, response);
        break;
    }
    if (!dav_person_is_full(c->person))
        return true;
    dav_query_fail(c->q, "answer-too-large", "more than is kept for one person");
    return false;
}

/* What comes without its data, or is no calendar, is an item left out. */
static void take_data(struct dav_caldav *c, struct dav_want *w, const struct dav_ms_response *response)
{
    const struct dav_ms_value *etag = &response->value[ETAG], *data = &response->value[DATA];
    struct dav_kept *kept = c->at->kept;
    enum dav_ical_verdict verdict = DAV_ICAL_NOT_CALENDAR;
    struct dav_compacted compacted;

    dav_store_begin(c->store, &compacted, DAV_CALDAV_RESOURCE_MAX);
    if (response->status < 400 && data->text != NULL && !data->cut)
        verdict =
            dav_ical_compact(compactor(c), data->text, data->len, &compacted.events, dav_store_on_zone, &compacted);
    if (etag->text != NULL && etag->len > 0)
        w->etag = dav_store_hash(etag->text, etag->len);
    if (verdict == DAV_ICAL_OK)
        dav_store_put(&compacted, kept, w->name, w->etag);
    else
        dav_kept_put(kept, w->name, w->etag, NULL, 0, true);
    dav_store_end(&compacted);
    kept->from = kept_from(c);
}

static void after_batch(struct dav_caldav *c)
{
    for (struct dav_want *w = c->batch; w != c->batch_end; w = w->next) {
        if (w->answered)
            continue;
        c->hole = true;
        dav_kept_put(c->at->kept, w->name, 0, NULL, 0, true);
    }
    dav_kept_settle(c->at->kept);
    c->batch = c->batch_end;
    fetch_batch(c);
}

/* Everything that the new token stands for is here. */
static void settle(struct dav_caldav *c)
{
    struct dav_calendar *at = c->at;
    struct dav_kept *kept = at->kept;

    dav_kept_settle(kept);
    dav_kept_set(&kept->token, c->hole ? NULL : c->next_token);
    dav_kept_set(&kept->poll_token, at->token);
    dav_kept_set(&kept->poll_ctag, at->ctag);
    kept->complete = !c->hole;
    kept->unsure = at->unsure;
    dav_caldav_go_on(c);
}

static struct dav_ical *compactor(struct dav_caldav *c)
{
    const struct dav_question *question = dav_query_question(c->q);
    const char *owners[64];
    struct dav_ical_setup setup = {.from = kept_from(c),
                                   .until = question->until,
                                   .owners = owners,
                                   .markers = dav_query_account(c->q)->markers,
                                   .max_bytes = DAV_CALDAV_RESOURCE_MAX};
    size_t n = 0;

    if (c->compactor != NULL)
        return c->compactor;
    owners[n++] = question->address;
    for (size_t i = 0; question->aliases != NULL && question->aliases[i] != NULL && n < 63; i++)
        owners[n++] = question->aliases[i];
    owners[n] = NULL;
    c->compactor = dav_ical_new(&setup);
    return c->compactor;
}

static int64_t kept_from(const struct dav_caldav *c)
{
    int64_t from = dav_query_question(c->q)->from;

    return (from / DAY_S - DAYS_KEPT) * DAY_S;
}
