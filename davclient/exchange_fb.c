/*
 * exchange_fb: free/busy of many people in one request, GET /public/?cmd=freebusy&u=...&u=..., as Exchange 2000 to 2007
 * answer it from what everybody's calendar published. No right on any mailbox is needed. The flavour of a question
 * about many (batch.c).
 *
 * The people are cut into pieces, each one request: as many as fit into a URL that the server takes. A piece that fails
 * in a way that may be its own fault (it is too long, the answer too large, one name in it upsets the server) is
 * halved, down to single persons; the others in the question go on meanwhile. When nothing at all works, that is found
 * out after a few requests and remembered for a while, and so is who spoilt a piece: that one goes alone from then on,
 * and less and less often.
 *
 * Whoever is not in the answer, or has no digit for now, is not known. Rows name people by address; one that answers by
 * an address of their own, not the one asked for, is found out by asking for that person alone.
 */
#include "exchange_fb.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/utc.h"
#include "batch_parts.h"
#include "url.h"

#define REQUESTS_MAX 40 /* for one question */
#define ALONE_MAX 4     /* of them for people whose row may have gone by another name */
#define VAIN_MAX 3      /* failures without any success, and there is nothing to be had */
#define DEAD_S 600      /* for so long it is not tried again then */
#define LEARNT_S 86400  /* what is known of the longest URL is forgotten after */
#define NOWHERE UINT32_MAX
#define USUAL_SPANS 24  /* of a person in a fortnight */
#define PIECE_MS 25000
#define SINGLE_MS 15000

struct piece {
    uint32_t lo, hi; /* of the order */
    bool apart;      /* somebody known for spoiling the others */
    bool lost;       /* somebody whose row was missing among rows of strangers */
    struct piece *next;
};

struct fb {
    struct dav_batch *batch;
    struct dav_fb_known *known;
    struct dav_fb_names names;
    struct dav_fb_window window;
    size_t slots;
    uint32_t *order, *place; /* place[order[at]] is at; of who is not asked about, NOWHERE */
    int64_t answered_at;     /* wall s */
    struct piece *first, **last; /* still to be asked */
    struct piece *now;           /* being asked */
    size_t url_len;              /* of that request */
    unsigned requests, vain, alone, strangers, rows;
    size_t good_url, bad_url; /* longest that was taken, shortest that was not */
    unsigned good_people, bad_people;
    bool succeeded, spoilt;
    const char *failure; /* of the last piece that failed */
    bool has_candidate;  /* a lone person's only row, by another name */
    char candidate[FB_EMAIL_MAX + 1];
    struct buf candidate_digits;
};

static void begin(struct dav_query *q);
static void answer(struct dav_query *q, const struct dav_reply *reply);
static void end(struct dav_query *q);
static bool cut(struct dav_query *q, struct fb *f);
static bool index_names(struct dav_query *q, struct fb *f);
static bool is_set_apart(struct dav_query *q, struct fb *f, uint32_t i);
static void piece_add(struct dav_query *q, struct fb *f, struct piece wanted, bool ahead);
static void go_on(struct dav_query *q, struct fb *f);
static void ask(struct dav_query *q, struct fb *f);
static size_t name_len(const struct dav_batch_entry *e);
static bool write_url(const struct fb *f, struct buf *url);
static void on_rows(struct dav_query *q, struct fb *f, const struct dav_reply *reply);
static bool on_row(void *query, const struct dav_fb_row *row);
static void take_row(struct fb *f, uint32_t i, const struct dav_fb_row *row);
static void take_candidate(struct fb *f);
static void take_missing(struct dav_query *q, struct fb *f);
static void piece_failed(struct dav_query *q, struct fb *f, const char *code, int status);
static bool is_hopeless(const struct fb *f, int status);
static void give_up(struct dav_query *q, struct fb *f, const char *code, int status);
static void finish(struct dav_query *q, struct fb *f);
static void learn(struct dav_query *q, struct fb *f);

/* OWA answers in XML to its own page only, which runs in Internet Explorer; Translate: f would lead past it. */
static const char *const headers[] = {
    "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.2) freebusyd",
    "Accept-Language: en-us",
    "Accept: */*",
    NULL,
};

const struct dav_flavour dav_exchange_fb_flavour = {
    .name = "exchange free/busy",
    .begin = begin,
    .answer = answer,
    .end = end,
    .forget = dav_fb_known_free,
};

static void begin(struct dav_query *q)
{
    const struct dav_question *question = dav_query_question(q);
    struct fb *f = arena_alloc(dav_query_arena(q), sizeof(*f));
    struct dav_fb_known **known = (struct dav_fb_known **)dav_query_shared(q);

    if (!*known)
        *known = dav_fb_known_new(dav_query_account(q)->max_answer_bytes);
    f->batch = dav_query_batch(q);
    f->known = *known;
    f->last = &f->first;
    f->window = (struct dav_fb_window){question->from, question->until, DAV_BATCH_SLOT_S};
    f->slots = (size_t)((question->until - question->from) / DAV_BATCH_SLOT_S);
    buf_init(&f->candidate_digits, f->slots);
    dav_query_set_state(q, f);
    if (f->known->dead && f->known->dead_until > dav_query_now(q)) {
        dav_query_fail(q, f->known->dead, "found out before, and not tried again yet");
        return;
    }
    f->known->dead = NULL;
    if (cut(q, f))
        go_on(q, f);
    else
        dav_query_fail(q, "answer-too-large", "no room for %zu people", f->batch->count);
}

static void answer(struct dav_query *q, const struct dav_reply *reply)
{
    struct fb *f = dav_query_state(q);

    switch (reply->status) {
    case 200:
        on_rows(q, f, reply);
        return;
    case 401:
    case 403:
    case 440:
        give_up(q, f, "freebusy-forbidden", reply->status);
        return;
    case DAV_STATUS_LOST:
        piece_failed(q, f, "answer-timeout", reply->status);
        return;
    case DAV_STATUS_TOO_LARGE:
        piece_failed(q, f, "answer-too-large", reply->status);
        return;
    case 400:
    case 404:
    case 410:
    case 414:
        piece_failed(q, f, "freebusy-unavailable", reply->status);
        return;
    case 405:
    case 501:
        give_up(q, f, "freebusy-unavailable", reply->status);
        return;
    default:
        piece_failed(q, f, reply->status >= 500 ? "http-server-error" : "answer-malformed", reply->status);
        return;
    }
}

static void end(struct dav_query *q)
{
    struct fb *f = dav_query_state(q);

    buf_free(&f->candidate_digits);
    dav_batch_end(f->batch);
}

/* Everybody into pieces, those who spoil the others' answers each into one of their own. */
static bool cut(struct dav_query *q, struct fb *f)
{
    struct dav_batch *b = f->batch;
    int64_t now = dav_query_now(q);
    size_t apart = b->count, together = 0;
    struct buf url;

    if (f->known->url_at && now - f->known->url_at > LEARNT_S)
        f->known->url_max = FB_URL_MAX, f->known->people_max = 0, f->known->url_at = 0;
    f->order = arena_alloc(dav_query_arena(q), (b->count + 1) * sizeof(*f->order));
    f->place = arena_alloc(dav_query_arena(q), (b->count + 1) * sizeof(*f->place));
    if (!f->order || !f->place || !index_names(q, f))
        return false;
    for (uint32_t i = 0; i < b->count; i++) {
        f->place[i] = NOWHERE;
        if (b->entries[i].state != DAV_BATCH_PENDING)
            continue;
        f->place[i] = (uint32_t)(is_set_apart(q, f, i) ? --apart : together++);
        f->order[f->place[i]] = i;
    }
    buf_init(&url, FB_URL_MAX);
    write_url(f, &url);
    for (size_t lo = 0, at; lo < together; lo = at) {
        size_t len = url.len + name_len(&b->entries[f->order[lo]]);

        for (at = lo + 1; at < together && (!f->known->people_max || at - lo < f->known->people_max); at++) {
            len += name_len(&b->entries[f->order[at]]);
            if (len > f->known->url_max)
                break;
        }
        piece_add(q, f, (struct piece){.lo = (uint32_t)lo, .hi = (uint32_t)at}, false);
    }
    for (size_t i = apart; i < b->count; i++)
        if (b->entries[f->order[i]].state == DAV_BATCH_PENDING)
            piece_add(q, f, (struct piece){.lo = (uint32_t)i, .hi = (uint32_t)i + 1, .apart = true}, false);
    buf_free(&url);
    return true;
}

static bool index_names(struct dav_query *q, struct fb *f)
{
    const struct dav_batch *b = f->batch;
    size_t most = 2 * b->count;

    for (size_t i = 0; i < b->count; i++)
        for (const char *const *alias = b->entries[i].aliases; alias && *alias; alias++)
            most++;
    if (!dav_fb_names_new(&f->names, dav_query_arena(q), most))
        return false;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct dav_batch_entry *e = &b->entries[i];
        const char *primary = dav_fb_primary(f->known, e->address);

        dav_fb_names_add(&f->names, e->address, i);
        if (primary)
            dav_fb_names_add(&f->names, arena_strndup(dav_query_arena(q), primary, strlen(primary)), i);
        for (const char *const *alias = e->aliases; alias && *alias; alias++)
            dav_fb_names_add(&f->names, *alias, i);
    }
    return true;
}

/* Not together with others; and if it is too early to try again, not at all. */
static bool is_set_apart(struct dav_query *q, struct fb *f, uint32_t i)
{
    const char *address = f->batch->entries[i].address, *code;
    int64_t again;

    if (dav_fb_note_of(f->known, address, dav_query_now(q), &code, &again) != DAV_FB_NOTE_APART)
        return false;
    if (again > dav_query_now(q))
        dav_batch_failed(f->batch, i, code, "as before, and not asked for again yet");
    return true;
}

static void piece_add(struct dav_query *q, struct fb *f, struct piece wanted, bool ahead)
{
    struct piece *p = arena_alloc(dav_query_arena(q), sizeof(*p));

    if (!p)
        return; /* they stay unknown */
    *p = wanted;
    p->next = ahead ? f->first : NULL;
    if (ahead)
        f->first = p;
    else
        *f->last = p;
    if (!p->next)
        f->last = &p->next;
}

static void go_on(struct dav_query *q, struct fb *f)
{
    f->now = f->first;
    if (!f->now || f->requests >= REQUESTS_MAX) {
        finish(q, f);
        return;
    }
    f->first = f->now->next;
    if (!f->first)
        f->last = &f->first;
    ask(q, f);
}

static void ask(struct dav_query *q, struct fb *f)
{
    bool alone = f->now->hi - f->now->lo == 1;
    struct dav_ask a = {
        .method = "GET",
        .headers = headers,
        .compressed = true,
        .total_ms = alone ? SINGLE_MS : PIECE_MS,
        .behind = f->failure != NULL,
        .may_shrink = true,
    };
    struct buf url;

    buf_init(&url, FB_URL_MAX);
    buf_room(&url, FB_URL_MAX); /* at once, not in ten steps; so for the spans */
    if (f->batch->spans.cap == 0)
        buf_room(&f->batch->spans, f->batch->count * USUAL_SPANS * sizeof(struct dav_span));
    if (write_url(f, &url))
        a.url = arena_strndup(dav_query_arena(q), url.data, url.len);
    f->url_len = url.len;
    buf_free(&url);
    if (!a.url) {
        piece_failed(q, f, "answer-too-large", 414);
        return;
    }
    for (uint32_t at = f->now->lo; at < f->now->hi; at++)
        f->batch->entries[f->order[at]].requests++;
    f->requests++;
    f->strangers = f->rows = 0;
    f->has_candidate = false;
    dav_query_send(q, &a);
}

/* "&u=SMTP:" and the address, escaped. */
static size_t name_len(const struct dav_batch_entry *e)
{
    size_t len = strlen("&u=SMTP:");

    for (const char *p = e->address; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');

        len += plain || strchr("-._~@", *p) ? 1 : 3;
    }
    return len;
}

/* For the people of the present piece; without one, what stands in front of them. */
static bool write_url(const struct fb *f, struct buf *url)
{
    char start[UTC_TEXT_MAX], until[UTC_TEXT_MAX];

    buf_addf(url, "/public/?cmd=freebusy&start=%s&end=%s&interval=%d", utc_rfc3339(f->window.start, start),
             utc_rfc3339(f->window.end, until), DAV_BATCH_SLOT_S / 60);
    for (uint32_t at = f->now ? f->now->lo : 0; f->now && at < f->now->hi; at++) {
        const char *address = f->batch->entries[f->order[at]].address;

        buf_adds(url, "&u=SMTP:");
        str_percent_encode(url, address, strlen(address), "@");
    }
    return !url->failed;
}

static void on_rows(struct dav_query *q, struct fb *f, const struct dav_reply *reply)
{
    uint32_t people = f->now->hi - f->now->lo;

    f->answered_at = dav_query_now(q);
    switch (dav_fb_read(f->known->reader, reply->body, reply->body_len, f->slots, on_row, q)) {
    case DAV_FB_READ_OTHER:
        piece_failed(q, f, "answer-malformed", reply->status);
        return;
    case DAV_FB_READ_TOO_MUCH:
        piece_failed(q, f, "answer-too-large", reply->status);
        return;
    case DAV_FB_READ_OK:
        break;
    }
    f->succeeded = true;
    f->known->worked_at = dav_query_now(q);
    f->good_url = f->url_len > f->good_url ? f->url_len : f->good_url;
    f->good_people = people > f->good_people ? people : f->good_people;
    if (people == 1 && f->has_candidate && f->strangers == 1)
        take_candidate(f);
    take_missing(q, f);
    go_on(q, f);
}

static bool on_row(void *query, const struct dav_fb_row *row)
{
    struct dav_query *q = query;
    struct fb *f = dav_query_state(q);
    struct dav_fb_names_pos pos = {0};
    uint32_t people = f->now->hi - f->now->lo, i;
    bool asked = false, ours = false;

    if (++f->rows > 2 * people + 8)
        return false;
    if (!row->email[0])
        return true; /* all together */
    while (dav_fb_names_next(&f->names, row->email, &pos, &i)) {
        ours = true;
        if (f->place[i] < f->now->lo || f->place[i] >= f->now->hi)
            continue;
        take_row(f, i, row);
        asked = true;
    }
    if (asked)
        return true;
    f->strangers++;
    if (!ours && people == 1 && !row->broken && strlen(row->email) < sizeof(f->candidate)) {
        f->has_candidate = true;
        snprintf(f->candidate, sizeof(f->candidate), "%s", row->email);
        buf_reset(&f->candidate_digits);
        buf_add(&f->candidate_digits, row->digits, row->len);
    }
    return true;
}

static void take_row(struct fb *f, uint32_t i, const struct dav_fb_row *row)
{
    struct dav_batch *b = f->batch;
    struct dav_batch_entry *e = &b->entries[i];
    size_t first = b->spans.len / sizeof(struct dav_span), added;
    enum dav_fb_digits result = DAV_FB_DIGITS_LENGTH;
    int64_t from = 0, until = 0;

    if (!row->broken)
        result = dav_fb_digits(row->digits, row->len, &f->window, f->answered_at, &b->spans, &from, &until);
    added = b->spans.len / sizeof(struct dav_span) - first;
    if (e->state == DAV_BATCH_KNOWN && result == DAV_FB_DIGITS_OK) { /* a second time: does it say the same? */
        const struct dav_span *spans = (const struct dav_span *)(const void *)b->spans.data;
        bool same = from == e->from && until == e->until && added == e->count &&
                    (added == 0 || memcmp(spans + e->first, spans + first, added * sizeof(*spans)) == 0);

        b->spans.len = first * sizeof(*spans);
        if (!same)
            dav_batch_failed(b, i, "answer-malformed", "two rows, which contradict each other");
        return;
    }
    switch (result) {
    case DAV_FB_DIGITS_OK:
        if (e->state == DAV_BATCH_PENDING)
            dav_batch_known(b, i, first, from, until);
        if (f->now->apart || f->now->lost)
            dav_fb_note_clear(f->known, e->address);
        return;
    case DAV_FB_DIGITS_NO_DATA:
        dav_batch_failed(b, i, "freebusy-no-data", "nothing is published for this moment");
        return;
    case DAV_FB_DIGITS_LENGTH:
        dav_batch_failed(b, i, "answer-malformed", "a row of %zu digits, for %zu quarters of an hour", row->len,
                         f->slots);
        return;
    case DAV_FB_DIGITS_RANGE:
        dav_batch_failed(b, i, "answer-malformed", "something else than the digits 0 to 4");
        return;
    case DAV_FB_DIGITS_FULL:
        dav_batch_failed(b, i, "answer-too-large", "more changes than are kept");
        return;
    }
}

/* Asked about one, it answered about one: by the address that it likes better. */
static void take_candidate(struct fb *f)
{
    uint32_t i = f->order[f->now->lo];
    struct dav_fb_row row = {.email = f->candidate, .digits = f->candidate_digits.data, .len = f->candidate_digits.len};

    if (f->batch->entries[i].state != DAV_BATCH_PENDING || f->candidate_digits.failed)
        return;
    dav_fb_primary_is(f->known, f->batch->entries[i].address, f->candidate);
    take_row(f, i, &row);
}

static void take_missing(struct dav_query *q, struct fb *f)
{
    bool alone = f->now->hi - f->now->lo == 1;

    for (uint32_t at = f->now->lo; at < f->now->hi; at++) {
        uint32_t i = f->order[at];
        const char *address = f->batch->entries[i].address, *code;
        int64_t again;

        if (f->batch->entries[i].state != DAV_BATCH_PENDING)
            continue;
        if (!alone && f->strangers > 0 && f->alone < ALONE_MAX &&
            dav_fb_note_of(f->known, address, dav_query_now(q), &code, &again) == DAV_FB_NOTE_NONE) {
            f->alone++;
            piece_add(q, f, (struct piece){.lo = at, .hi = at + 1, .lost = true}, false);
            continue;
        }
        if (alone)
            dav_fb_note(f->known, address, DAV_FB_NOTE_ABSENT, "freebusy-missing", dav_query_now(q));
        dav_batch_failed(f->batch, i, "freebusy-missing", "%u rows in the answer, none of this person", f->rows);
    }
}

/* `status` tells whether a shorter request may do better, or whether it is somebody's trouble. */
static void piece_failed(struct dav_query *q, struct fb *f, const char *code, int status)
{
    struct piece *p = f->now;
    uint32_t people = p->hi - p->lo, middle = p->lo + people / 2, i = f->order[p->lo];
    bool sized = status >= 400 && status <= 414;

    f->failure = code;
    if (!f->succeeded && !p->apart && (people == 1 || !sized))
        f->vain++;
    if (people > 1 && status == DAV_STATUS_TOO_LARGE)
        f->bad_people = people;
    else if (people > 1 && sized)
        f->bad_url = f->url_len;
    if (people == 1) {
        f->spoilt = true;
        code = status == 404 || status == 410 ? "freebusy-no-data" : code;
        dav_fb_note(f->known, f->batch->entries[i].address, DAV_FB_NOTE_APART, code, dav_query_now(q));
        dav_batch_failed(f->batch, i, code, "?cmd=freebusy for this person alone: %d", status);
    } else { /* while nothing works, straight down to the smallest piece */
        bool down = sized && !f->succeeded;

        piece_add(q, f, (struct piece){.lo = down ? middle : p->lo, .hi = down ? p->hi : middle}, down);
        piece_add(q, f, (struct piece){.lo = down ? p->lo : middle, .hi = down ? middle : p->hi}, down);
    }
    if (is_hopeless(f, status))
        give_up(q, f, f->failure, status);
    else
        go_on(q, f);
}

/* Where it worked a while ago, it needs more to be believed that nobody can be asked about any more. */
static bool is_hopeless(const struct fb *f, int status)
{
    bool sized = status >= 400 && status <= 414;
    unsigned most = sized && f->known->worked_at ? 3 * VAIN_MAX : VAIN_MAX;

    return !f->succeeded && f->vain >= most;
}

static void give_up(struct dav_query *q, struct fb *f, const char *code, int status)
{
    struct dav_batch *b = f->batch;

    for (size_t i = 0; i < b->count; i++)
        if (b->entries[i].state == DAV_BATCH_FAILED && b->entries[i].requests > 0 && !f->succeeded) {
            b->entries[i].code = code; /* it was not this person's fault */
            dav_fb_note_clear(f->known, b->entries[i].address);
        }
    if (strcmp(code, "freebusy-unavailable") == 0 || strcmp(code, "freebusy-forbidden") == 0) {
        f->known->dead = code;
        f->known->dead_until = dav_query_now(q) + DEAD_S;
    }
    dav_query_fail(q, code, "GET /public/?cmd=freebusy answered %d, %u requests", status, f->requests);
}

/* Everybody was asked about, or as many as can be in one go. */
static void finish(struct dav_query *q, struct fb *f)
{
    struct dav_batch *b = f->batch;
    const struct dav_batch_entry *e = b->entries;
    size_t known = 0;

    learn(q, f);
    for (size_t i = 0; i < b->count; i++) {
        if (e[i].state == DAV_BATCH_PENDING && f->failure) {
            dav_fb_note(f->known, e[i].address, DAV_FB_NOTE_APART, f->failure, dav_query_now(q));
            dav_batch_failed(b, i, f->failure, "not found out in %u requests", f->requests);
        }
        known += e[i].state == DAV_BATCH_KNOWN;
    }
    if (f->succeeded)
        dav_query_passed(q, DAV_STEP_CALENDAR, "published free/busy, /public/?cmd=freebusy");
    if (known == 0 && b->count > 0 && e[0].state == DAV_BATCH_FAILED) {
        dav_query_fail(q, e[0].code, "%s", e[0].evidence ? e[0].evidence : "");
        return;
    }
    dav_query_passed(q, DAV_STEP_READ, "%zu stretches that are not free", b->spans.len / sizeof(struct dav_span));
    dav_query_succeed(q);
}

/* Only where halves did what the whole could not, and nobody spoilt anything, was it the length. */
static void learn(struct dav_query *q, struct fb *f)
{
    if (f->spoilt || !f->succeeded)
        return;
    if (f->bad_url > f->good_url)
        f->known->url_max = f->good_url;
    if (f->bad_people > f->good_people)
        f->known->people_max = f->good_people;
    if (f->bad_url || f->bad_people)
        f->known->url_at = dav_query_now(q);
}
