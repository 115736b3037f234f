/*
 * ifb: the flavour of free/busy files (RFC 5545 3.6.4, "internet free/busy"): for each person a file with a VFREEBUSY
 * that somebody's program wrote, behind any web server. Its place follows from the address by the account's templates
 * (several: the union), or is the person's own path.
 *
 * One GET a file and question, and conditional from the second on: what is kept (caldav_store.c) are the periods, with
 * the ETag and the date that the server gave. A file answers for the time that it says it answers for and nothing
 * else: what lies behind its end is not free but unknown, and one that has run out is no answer at all.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/str.h"
#include "caldav_store.h"
#include "flavour.h"
#include "ical.h"
#include "url.h"

#define FILES_MAX 16
#define FILE_BYTES_MAX (4U * 1024 * 1024)
#define VALIDATOR_MAX 1024 /* of an ETag */
#define WAY "a free/busy file: as old as its writer left it, and known only as far as it reaches"

struct dav_ifb {
    struct dav_query *q;
    struct dav_ical *ical, *compactor;
    struct dav_store *store;
    struct dav_person *person;
    const char *paths[FILES_MAX];
    size_t count, at;
    struct dav_kept *kept; /* of the file at hand */
    int64_t from, until;   /* what all files so far answer for */
    bool conditional;      /* the request under way is */
    bool done;
};

static const char *const probe_headers[] = {"Accept: */*", NULL};

static void identify(const struct fetch *fetch, char *product, size_t size);
static const char *judge_probe(const struct dav_reply *reply, bool logged_on);
static void begin(struct dav_query *q);
static void answer(struct dav_query *q, const struct dav_reply *reply);
static void end(struct dav_query *q);
static void forget(void *shared);
static struct dav_ical *reader(struct dav_query *q, bool spans);
static bool find_files(struct dav_ifb *f);
static bool add_file(struct dav_ifb *f, const struct buf *path, bool ok);
static void open_store(struct dav_ifb *f);
static void ask(struct dav_ifb *f);
static const char *validator(struct dav_ifb *f, const char *name, const char *value);
static void refuse(struct dav_ifb *f, const struct dav_reply *reply);
static bool keep(struct dav_ifb *f, const struct dav_reply *reply);
static void read_kept(struct dav_ifb *f, const char *path);
static void finish(struct dav_ifb *f);
static bool on_span(void *arg, const struct dav_span *span);

const struct dav_flavour dav_ifb_flavour = {
    .name = "ifb",
    .probe_method = "HEAD",
    .probe_headers = probe_headers,
    .identify = identify,
    .judge_probe = judge_probe,
    .begin = begin,
    .answer = answer,
    .end = end,
    .forget = forget,
};

static void identify(const struct fetch *fetch, char *product, size_t size)
{
    const char *server = fetch_header(fetch, "Server", 0);

    if (server != NULL && server[0] != '\0')
        str_printable(server, strcspn(server, " "), product, size);
}

/* Any web server will do, and there need not be anything at the place below which the files are. */
static const char *judge_probe(const struct dav_reply *reply, bool logged_on)
{
    (void)logged_on;
    return reply->status >= 500 && reply->status != 501 ? dav_reply_code(reply) : NULL;
}

static void begin(struct dav_query *q)
{
    struct dav_ifb *f = arena_alloc(dav_query_arena(q), sizeof(*f));

    if (f == NULL) {
        dav_query_fail(q, "answer-too-large", "no room for the question");
        return;
    }
    dav_query_set_state(q, f);
    f->q = q;
    f->from = dav_query_question(q)->from;
    f->until = dav_query_question(q)->until;
    f->ical = reader(q, true);
    if (f->ical == NULL || !find_files(f)) {
        dav_query_fail(q, "config-account", "%s",
                       f->ical == NULL ? "the zone is not known on this machine"
                                       : "no path in calendars, or one that cannot be used for this person");
        return;
    }
    open_store(f);
    dav_query_way(q, WAY);
    dav_query_markless(q);
    ask(f);
}

static void answer(struct dav_query *q, const struct dav_reply *reply)
{
    struct dav_ifb *f = dav_query_state(q);

    if (reply->status == 304 && f->conditional)
        read_kept(f, reply->path);
    else if (reply->status != 200)
        refuse(f, reply);
    else if (keep(f, reply))
        read_kept(f, reply->path);
}

static void end(struct dav_query *q)
{
    struct dav_ifb *f = dav_query_state(q);

    if (f == NULL)
        return;
    if (f->person != NULL)
        dav_store_close(f->store, &f->person, f->done);
    dav_ical_free(&f->ical);
    dav_ical_free(&f->compactor);
}

static void forget(void *shared)
{
    dav_store_free(shared);
}

static struct dav_ical *reader(struct dav_query *q, bool spans)
{
    const struct dav_question *question = dav_query_question(q);
    struct dav_ical_setup setup = {.from = question->from, .until = question->until, .max_bytes = FILE_BYTES_MAX};

    setup.zone = question->zone != NULL ? question->zone : dav_query_account(q)->zone;
    if (spans) {
        setup.on_span = on_span;
        setup.arg = q;
    }
    return dav_ical_new(&setup);
}

static bool find_files(struct dav_ifb *f)
{
    const struct dav_question *question = dav_query_question(f->q);
    const char *const *templates = dav_query_account(f->q)->calendars;
    bool ok = true;
    struct buf path;

    for (size_t i = 0; ok && question->path == NULL && templates != NULL && templates[i] != NULL; i++) {
        buf_init(&path, DAV_URL_PATH_MAX);
        ok = add_file(f, &path, dav_url_expand(&path, dav_query_base_path(f->q), templates[i], question->address));
        buf_free(&path);
    }
    if (question->path != NULL) {
        buf_init(&path, DAV_URL_PATH_MAX);
        ok = add_file(f, &path, dav_url_path_of(&path, question->path, strlen(question->path), false));
        buf_free(&path);
    }
    return ok && f->count > 0;
}

static bool add_file(struct dav_ifb *f, const struct buf *path, bool ok)
{
    const char *kept = ok && f->count < FILES_MAX ? arena_strndup(dav_query_arena(f->q), path->data, path->len) : NULL;

    if (kept == NULL)
        return false;
    f->paths[f->count++] = kept;
    return true;
}

static void open_store(struct dav_ifb *f)
{
    void **shared = dav_query_shared(f->q);

    if (*shared == NULL)
        *shared = dav_store_new();
    f->store = *shared;
    f->person = dav_store_open(f->store, dav_query_question(f->q)->address, dav_query_now(f->q));
}

static void ask(struct dav_ifb *f)
{
    struct dav_ask request = {.method = "GET", .url = f->paths[f->at], .compressed = true};
    const char **headers = arena_alloc(dav_query_arena(f->q), 4 * sizeof(*headers));
    size_t n = 0;

    f->kept = dav_person_calendar(f->person, f->paths[f->at], INT64_MIN);
    if (headers == NULL) {
        dav_query_fail(f->q, "answer-too-large", "no room for the question");
        return;
    }
    headers[n++] = "Accept: text/calendar, text/*;q=0.5, */*;q=0.1";
    if (f->kept->complete && f->kept->token != NULL)
        headers[n++] = validator(f, "If-None-Match", f->kept->token);
    else if (f->kept->complete && f->kept->poll_token != NULL)
        headers[n++] = validator(f, "If-Modified-Since", f->kept->poll_token);
    headers[n] = NULL;
    f->conditional = n > 1 && headers[1] != NULL;
    request.headers = headers;
    dav_query_send(f->q, &request);
}

/* NULL, which ends the list: no room, and then everything comes again. */
static const char *validator(struct dav_ifb *f, const char *name, const char *value)
{
    struct buf line;
    const char *kept;

    buf_init(&line, VALIDATOR_MAX + 40);
    buf_addf(&line, "%s: %s", name, value);
    kept = line.failed ? NULL : arena_strndup(dav_query_arena(f->q), line.data, line.len);
    buf_free(&line);
    return kept;
}

static void refuse(struct dav_ifb *f, const struct dav_reply *reply)
{
    const char *code = dav_reply_code(reply);

    dav_query_fail(f->q, code != NULL ? code : "answer-malformed", "GET %s: %d", reply->path, reply->status);
}

/* The periods, and by what to ask whether they have changed. False: it is no free/busy file; the question has failed.
 */
static bool keep(struct dav_ifb *f, const struct dav_reply *reply)
{
    const char *etag = dav_reply_header(reply, "ETag"), *modified = dav_reply_header(reply, "Last-Modified");
    enum dav_ical_verdict verdict = DAV_ICAL_NOT_CALENDAR;
    struct dav_compacted compacted;

    dav_kept_clear(f->kept);
    if (f->compactor == NULL)
        f->compactor = reader(f->q, false);
    dav_store_begin(f->store, &compacted, FILE_BYTES_MAX);
    if (str_find_nocase(reply->body, reply->body_len, "BEGIN:VFREEBUSY") != NULL)
        verdict = dav_ical_compact(f->compactor, reply->body, reply->body_len, &compacted.events, dav_store_on_zone,
                                   &compacted);
    if (verdict == DAV_ICAL_OK) {
        dav_store_put(&compacted, f->kept, 1, 0);
        dav_kept_settle(f->kept);
        f->kept->complete = true;
        dav_kept_set(&f->kept->token, etag != NULL && strlen(etag) < VALIDATOR_MAX ? etag : NULL);
        dav_kept_set(&f->kept->poll_token, modified != NULL && strlen(modified) < VALIDATOR_MAX ? modified : NULL);
    }
    dav_store_end(&compacted);
    if (verdict == DAV_ICAL_OK && !dav_person_is_full(f->person))
        return true;
    dav_query_fail(
        f->q, verdict == DAV_ICAL_TOO_LARGE || verdict == DAV_ICAL_OK ? "answer-too-large" : "answer-malformed",
        verdict == DAV_ICAL_CUT ? "GET %s: the calendar in it has no end" : "GET %s: no free/busy in it", reply->path);
    return false;
}

static void read_kept(struct dav_ifb *f, const char *path)
{
    enum dav_ical_verdict verdict = DAV_ICAL_NOT_CALENDAR;
    struct buf text;
    int64_t from, until;

    buf_init(&text, 2 * FILE_BYTES_MAX);
    if (f->kept->count == 1 && dav_store_compose(f->store, &f->kept->resources[0], &text))
        verdict = dav_ical_read(f->ical, text.data, text.len);
    buf_free(&text);
    if (verdict == DAV_ICAL_STOPPED)
        return; /* too many spans; the query knows */
    if (verdict != DAV_ICAL_OK || !dav_ical_covered(f->ical, &from, &until)) {
        dav_query_fail(f->q, "answer-malformed", "GET %s: no free/busy in it", path);
        return;
    }
    if (dav_ical_lost(f->ical) > 0) {
        dav_query_fail(f->q, "items-unreadable", "GET %s: periods that cannot be read", path);
        return;
    }
    f->from = from > f->from ? from : f->from;
    f->until = until < f->until ? until : f->until;
    f->at++;
    if (f->at < f->count)
        ask(f);
    else
        finish(f);
}

static void finish(struct dav_ifb *f)
{
    int64_t now = dav_query_now(f->q);

    for (unsigned i = dav_ical_skipped(f->ical); i > 0; i--)
        dav_query_skip(f->q);
    if (f->until <= f->from || (f->until <= now && f->until < dav_query_question(f->q)->until)) {
        dav_query_fail(f->q, "freebusy-outdated", "%s: what it says is over", f->paths[f->count - 1]);
        return;
    }
    dav_query_passed(f->q, DAV_STEP_CALENDAR, "%zu file%s, the first at %s", f->count, f->count > 1 ? "s" : "",
                     f->paths[0]);
    dav_query_cut(f->q, f->from, f->until);
    f->done = true;
    dav_query_succeed(f->q);
}

static bool on_span(void *arg, const struct dav_span *span)
{
    return dav_query_span(arg, span);
}
