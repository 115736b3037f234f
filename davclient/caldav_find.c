/*
 * caldav_find: from an address to the homes of its person where nobody configured a path. First, once a day for a
 * session, who we are and where principals live (RFC 6764 6: the configured path, /.well-known/caldav and what it
 * redirects to, the root, and where known servers have their context). Then the person's principal: a
 * principal-property-search for the address, of which a result counts only if exactly one principal really has that
 * address (the match is one of substrings, and some servers answer with everybody, or nobody); else the place beside
 * our own principal, of which the server must say that it is the person's. Last the calendar-home-set.
 *
 * Everything found that way must say that it belongs to the principal found (DAV:owner, see caldav_look.c): Cyrus names
 * the asker's own home for everybody.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "asked_bodies.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "caldav.h"
#include "url.h"

#define COLLECTIONS_MAX 4
#define HOMES_MAX 4096

enum { SELF, COLLECTIONS };
static const struct dav_ms_prop root_props[] = {
    [SELF] = {"DAV:", "current-user-principal", 2048, DAV_MS_TEXT},
    [COLLECTIONS] = {"DAV:", "principal-collection-set", 8192, DAV_MS_LIST},
};
static const struct dav_ms_spec root_spec = {root_props, 2};

enum { ADDRESSES, HOMES, TYPE };
static const struct dav_ms_prop person_props[] = {
    [ADDRESSES] = {DAV_CALDAV_NS, "calendar-user-address-set", 16384, DAV_MS_LIST},
    [HOMES] = {DAV_CALDAV_NS, "calendar-home-set", HOMES_MAX, DAV_MS_LIST},
    [TYPE] = {"DAV:", "resourcetype", 1024, DAV_MS_NAMES},
};
static const struct dav_ms_spec person_spec = {person_props, 3};

const char dav_asked_roots[] =
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:current-user-principal/><D:principal-collection-set/>"
                   "</D:prop></D:propfind>";
#define PERSON_PROPS "<D:prop><C:calendar-user-address-set/><C:calendar-home-set/><D:resourcetype/></D:prop>"
const char dav_asked_person[] =
    DAV_CALDAV_XML "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"" DAV_CALDAV_NS "\">" PERSON_PROPS "</D:propfind>";

const char dav_asked_whose[] = DAV_CALDAV_XML
    "<D:principal-property-search xmlns:D=\"DAV:\" xmlns:C=\"" DAV_CALDAV_NS
    "\"><D:property-search><D:prop><C:calendar-user-address-set/></D:prop><D:match>";
const char dav_asked_whose_end[] = "</D:match></D:property-search>" PERSON_PROPS "</D:principal-property-search>";

/* Where a server may answer for its principals; the first is the configured path. */
static const char *const roots[] = {NULL, "/.well-known/caldav", "/", "/dav/", "/caldav.php/", "/SOGo/dav/"};
#define ROOTS (sizeof(roots) / sizeof(roots[0]))

enum { GUESS_SELF, GUESS_ADDRESS, GUESS_LOCAL, GUESSES };

struct dav_find {
    size_t root; /* being asked */
    const char *self;
    const char *collections; /* still to be searched, a path a line */
    bool plain;              /* the search is for the address as it is, not for its mailto: */
    int guess;
    unsigned matches;
    const char *principal, *homes;
};

static void ask(struct dav_caldav *c, enum dav_caldav_phase phase, const char *path, const char *body);
static void ask_root(struct dav_caldav *c);
static bool on_root(void *arg, const struct dav_ms_response *response);
static void search(struct dav_caldav *c);
static void after_search(struct dav_caldav *c);
static bool on_person(void *arg, const struct dav_ms_response *response);
static bool has_address(const struct dav_caldav *c, const struct dav_ms_value *addresses);
static bool is_address(const char *text, size_t len, const char *address);
static void guess(struct dav_caldav *c);
static bool guess_path(struct dav_caldav *c, struct buf *out);
static void take_homes(struct dav_caldav *c);
static void not_found(struct dav_caldav *c, const char *why);

void dav_caldav_find(struct dav_caldav *c)
{
    struct dav_find *f = arena_alloc(dav_query_arena(c->q), sizeof(*f));

    c->find = f;
    if (f == NULL) {
        dav_query_fail(c->q, "answer-too-large", "no room for the question");
        return;
    }
    f->self = dav_store_self(c->store, dav_query_now(c->q), &f->collections);
    if (f->self == NULL) {
        ask_root(c);
    } else {
        f->self = dav_caldav_keep(c, f->self, strlen(f->self));
        f->collections = f->collections ? dav_caldav_keep(c, f->collections, strlen(f->collections)) : "";
        search(c);
    }
}

void dav_caldav_found(struct dav_caldav *c, const struct dav_reply *reply)
{
    struct dav_find *f = c->find;

    if (reply->status >= 500 && reply->status != 501) {
        dav_caldav_refuse(c, reply);
        return;
    }
    if (c->phase == DAV_FINDING_ROOT) {
        if (!reply->multistatus || f->self == NULL) {
            f->root++;
            ask_root(c);
            return;
        }
        dav_store_set_self(c->store, dav_query_now(c->q), f->self, f->collections);
        search(c);
    } else if (c->phase == DAV_FINDING_PERSON) {
        after_search(c);
    } else if (f->matches == 1 && reply->multistatus) {
        take_homes(c);
    } else {
        f->guess++;
        guess(c);
    }
}

static void ask(struct dav_caldav *c, enum dav_caldav_phase phase, const char *path, const char *body)
{
    struct dav_ask ask = {.method = phase == DAV_FINDING_PERSON ? "REPORT" : "PROPFIND",
                          .url = path,
                          .headers = dav_caldav_depth_0,
                          .body = body,
                          .spec = phase == DAV_FINDING_ROOT ? &root_spec : &person_spec,
                          .on_response = phase == DAV_FINDING_ROOT ? on_root : on_person,
                          .compressed = true};

    c->phase = phase;
    c->rows = 0;
    if (path == NULL || body == NULL) {
        dav_query_fail(c->q, "answer-too-large", "no room for the question");
        return;
    }
    ask.body_len = strlen(body);
    dav_query_send(c->q, &ask);
}

static void ask_root(struct dav_caldav *c)
{
    struct dav_find *f = c->find;
    const char *base = dav_query_base_path(c->q);

    if (f->root == 0 && strcmp(base, "/") == 0)
        f->root++;
    f->self = NULL;
    f->collections = "";
    if (f->root < ROOTS)
        ask(c, DAV_FINDING_ROOT, f->root == 0 ? base : roots[f->root], dav_asked_roots);
    else
        not_found(c, "the server does not say where its principals are");
}

static bool on_root(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    struct dav_find *f = c->find;
    const struct dav_ms_value *self = &response->value[SELF], *collections = &response->value[COLLECTIONS];
    struct buf path;

    if (c->rows++ > 0 || self->text == NULL || self->len == 0 || self->cut)
        return true;
    buf_init(&path, DAV_URL_PATH_MAX);
    if (dav_url_path_of(&path, self->text, self->len, true))
        f->self = dav_caldav_keep(c, path.data, path.len);
    buf_free(&path);
    if (collections->text != NULL && !collections->cut)
        f->collections = dav_caldav_keep(c, collections->text, collections->len);
    return true;
}

/* Each collection of principals, for "mailto:ADDRESS" and then for "ADDRESS". */
static void search(struct dav_caldav *c)
{
    struct dav_find *f = c->find;
    size_t len = strcspn(f->collections, "\n");
    const char *address = dav_query_question(c->q)->address;
    struct buf path, body;

    f->matches = 0;
    if (dav_caldav_is_own_account(c) || len == 0) {
        guess(c);
        return;
    }
    buf_init(&path, DAV_URL_PATH_MAX);
    buf_init(&body, 16384);
    buf_adds(&body, dav_asked_whose);
    buf_adds(&body, f->plain ? "" : "mailto:");
    for (const char *at = address; *at != '\0'; at++) {
        if (*at == '&' || *at == '<' || *at == '>')
            buf_addf(&body, "&#%d;", *at);
        else
            buf_addc(&body, *at);
    }
    buf_adds(&body, dav_asked_whose_end);
    if (dav_url_path_of(&path, f->collections, len, true))
        ask(c, DAV_FINDING_PERSON, dav_caldav_keep(c, path.data, path.len), dav_caldav_keep(c, body.data, body.len));
    else
        guess(c);
    buf_free(&path);
    buf_free(&body);
}

/* A server that refuses the search, or finds nobody, may know the person all the same. */
static void after_search(struct dav_caldav *c)
{
    struct dav_find *f = c->find;

    if (f->matches > 1) {
        not_found(c, "several principals have this address");
    } else if (f->matches == 1) {
        take_homes(c);
    } else {
        if (f->plain) {
            f->collections += strcspn(f->collections, "\n");
            f->collections += *f->collections == '\n';
        }
        f->plain = !f->plain;
        search(c);
    }
}

static bool on_person(void *arg, const struct dav_ms_response *response)
{
    struct dav_caldav *c = dav_query_state(arg);
    struct dav_find *f = c->find;
    const struct dav_ms_value *homes = &response->value[HOMES], *type = &response->value[TYPE];
    bool same = has_address(c, &response->value[ADDRESSES]);
    struct buf path;

    c->rows++;
    /* beside our own principal: a name that is the whole address, and is a principal, needs no other proof */
    if (c->phase == DAV_FINDING_HOME && !same)
        same = c->rows == 1 && f->guess != GUESS_LOCAL && type->text != NULL && strstr(type->text, "principal") != NULL;
    buf_init(&path, DAV_URL_PATH_MAX);
    if (same && response->status < 400 && dav_url_path_of(&path, response->href, response->href_len, true) &&
        (f->principal == NULL || f->matches == 0 || !dav_url_path_equal(f->principal, path.data))) {
        f->matches++;
        f->principal = dav_caldav_keep(c, path.data, path.len);
        f->homes = homes->text != NULL && !homes->cut ? dav_caldav_keep(c, homes->text, homes->len) : NULL;
    }
    buf_free(&path);
    return true;
}

static bool has_address(const struct dav_caldav *c, const struct dav_ms_value *addresses)
{
    const struct dav_question *question = dav_query_question(c->q);

    if (addresses->text == NULL || addresses->cut)
        return false;
    for (const char *at = addresses->text; *at != '\0';) {
        size_t len = strcspn(at, "\n"), item = len;
        const char *text = str_trim(at, &item);

        if (is_address(text, item, question->address))
            return true;
        at += len + (at[len] == '\n');
    }
    return false;
}

static bool is_address(const char *text, size_t len, const char *address)
{
    struct buf plain;
    bool same;

    if (len < 7 || strncasecmp(text, "mailto:", 7) != 0)
        return false;
    buf_init(&plain, DAV_URL_PATH_MAX);
    same = str_percent_decode(&plain, text + 7, len - 7) && str_eq_nocase(plain.data, address);
    buf_free(&plain);
    return same;
}

static void guess(struct dav_caldav *c)
{
    struct dav_find *f = c->find;
    struct buf path;

    f->matches = 0;
    buf_init(&path, DAV_URL_PATH_MAX);
    while (f->guess < GUESSES && !guess_path(c, &path))
        f->guess++;
    if (f->guess < GUESSES)
        ask(c, DAV_FINDING_HOME, dav_caldav_keep(c, path.data, path.len), dav_asked_person);
    else
        not_found(c, "no principal has this address: set calendars or path");
    buf_free(&path);
}

/* The person's name in place of ours, at the end of our principal's path. */
static bool guess_path(struct dav_caldav *c, struct buf *out)
{
    const struct dav_find *f = c->find;
    const char *address = dav_query_question(c->q)->address;
    size_t end = strlen(f->self);

    buf_reset(out);
    if (f->guess == GUESS_SELF)
        return dav_caldav_is_own_account(c) && buf_adds(out, f->self);
    if (dav_caldav_is_own_account(c))
        return false;
    while (end > 0 && f->self[end - 1] == '/')
        end--;
    while (end > 0 && f->self[end - 1] != '/')
        end--;
    return end > 0 && buf_add(out, f->self, end) &&
           str_percent_encode(out, address, f->guess == GUESS_LOCAL ? strcspn(address, "@") : strlen(address), "") &&
           buf_addc(out, '/');
}

static void take_homes(struct dav_caldav *c)
{
    struct dav_find *f = c->find;
    unsigned count = 0;

    for (const char *at = f->homes; at != NULL && *at != '\0' && count < COLLECTIONS_MAX;) {
        size_t len = strcspn(at, "\n"), item = len;
        const char *text = str_trim(at, &item);
        struct buf path;

        buf_init(&path, DAV_URL_PATH_MAX);
        if (item > 0 && dav_url_path_of(&path, text, item, true) &&
            dav_caldav_add_source(c, path.data, path.len, f->principal) != NULL)
            count++;
        buf_free(&path);
        at += len + (at[len] == '\n');
    }
    if (count == 0)
        not_found(c, "the server shows no calendars of this person");
    else
        dav_caldav_look_all(c);
}

static void not_found(struct dav_caldav *c, const char *why)
{
    dav_query_fail(c->q, "calendar-not-found", "%s", why);
}
