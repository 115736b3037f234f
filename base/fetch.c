/*
 * fetch: the life of an exchange, from fetch_start() to the one call of done().
 *
 * An exchange (struct fetch) waits until one of its client's slots is free; there are as many slots as the server may
 * have connections, so curl never has to queue and the time of waiting is not counted. In its slot it connects,
 * transfers and ends.
 *
 * User code never runs inside curl, which forbids taking a transfer out there: curl's callbacks (fetch_slot.c) only put
 * bytes into the slot's buffers, and when curl has returned the client calls fetch_drain(), which hands them out. Every
 * way to end leads through finish(), except cancelling, which is leave() alone. Whatever user code does in a callback -
 * cancel this exchange or another, start new ones, free the client - is found out afterwards from `state` and
 * `client->multi`; the memory lives until the turn ends.
 */
#include "base/fetch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "fetch_private.h"

enum {
    TOTAL_MS = 60000,
    BODY_MAX = 16 * 1024 * 1024,
};

/* Which states may follow, as bits. */
static const struct {
    const char *name;
    unsigned next;
} STATES[] = {
    [FETCH_WAITING] = {"waiting", 1U << FETCH_CONNECTING | 1U << FETCH_ENDED},
    [FETCH_CONNECTING] = {"connecting", 1U << FETCH_TRANSFERRING | 1U << FETCH_ENDED},
    [FETCH_TRANSFERRING] = {"transferring", 1U << FETCH_ENDED},
    [FETCH_ENDED] = {"ended", 0},
};

static struct fetch *copy_request(struct fetch_client *c, const struct fetch_request *request);
static void destroy(void *fetch);
static const char *objection(const struct fetch_client *c, const struct fetch_request *request);
static void refuse(struct fetch *f, enum fetch_err err, const char *why);
static void begin(struct fetch *f);
static void begin_waiting(struct fetch_client *c);
static void tell_refused(void *client);
static void give_pieces(struct fetch_client *c);
static bool give_piece(struct fetch_slot *slot);
static void drop_piece(struct fetch *f);
static void finish(struct fetch *f, enum fetch_err err, const char *text);
static void leave(struct fetch *f);
static void log_end(const struct fetch *f, const struct fetch_answer *answer);

struct fetch *fetch_start(struct fetch_client *c, const struct fetch_request *request)
{
    struct fetch *f = copy_request(c, request);
    const char *why = objection(c, request);

    TAILQ_INSERT_TAIL(&c->waiting, f, entry);
    c->waiting_count++;
    if (why)
        refuse(f, FETCH_MALFORMED, why);
    else if (c->waiting_count == 1 && c->running_count < c->max_connections)
        begin(f); /* else those before it come first, as soon as user code has returned */
    return f;
}

void fetch_cancel(struct fetch **fp)
{
    struct fetch *f = *fp;
    struct fetch_client *c;

    *fp = NULL;
    if (!f || f->state == FETCH_ENDED)
        return;
    c = f->client;
    leave(f);
    if (f->slot) {
        fetch_slot_detach(f->slot);
        fetch_slot_release(f->slot);
    }
    loop_reap(c->loop, destroy, f);
    begin_waiting(c);
}

const char *fetch_header(const struct fetch *f, const char *name, unsigned n)
{
    const struct buf *head;
    size_t len = strlen(name);

    if (!f->slot)
        return NULL;
    head = &f->slot->head;
    for (const char *line = head->data; line < head->data + head->len; line += strlen(line) + 1) {
        if (!str_starts_nocase(line, name) || line[len] != ':' || n-- > 0)
            continue;
        line += len + 1;
        return line + strspn(line, " \t");
    }
    return NULL;
}

void fetch_drain(struct fetch_client *c)
{
    struct fetch_slot *slot;
    CURLMsg *msg;
    char text[CURL_ERROR_SIZE] = "";
    int left;

    give_pieces(c);
    while (c->multi && (msg = curl_multi_info_read(c->multi, &left))) {
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE || curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &slot) != CURLE_OK)
            continue;
        struct fetch *f = slot->fetch;
        if (f->early != FETCH_OK) {
            finish(f, f->early, f->early_text);
        } else if (!f->has_piece || give_piece(slot)) {
            enum fetch_err err = fetch_error_of(slot, code);
            if (err != FETCH_OK)
                fetch_error_text(slot, code, text, sizeof(text));
            finish(f, err, text);
        }
    }
}

/* One of its limits has run out: which one shows in its state. */
void fetch_expire(struct fetch_slot *slot)
{
    struct fetch *f = slot->fetch;
    int64_t now_ms = clk_mono_ms(loop_clk(f->client->loop));
    enum fetch_err err = FETCH_TIMEOUT;
    const char *what = "nothing arrived for";
    int64_t limit_ms = f->client->idle_ms;
    char text[100];

    if (f->state == FETCH_CONNECTING) {
        err = fetch_error_of_connecting(slot, &what);
        limit_ms = f->client->connect_ms;
    }
    if (f->total_ms >= 0 && now_ms - f->start_ms >= f->total_ms)
        limit_ms = f->total_ms;
    if (f->state == FETCH_TRANSFERRING && limit_ms == f->total_ms)
        what = f->status ? "answer not complete after" : "no answer for";
    snprintf(text, sizeof(text), "%s %" PRId64 " ms", what, limit_ms);
    finish(f, err, text);
}

void fetch_enter(struct fetch *f, enum fetch_state state)
{
    (void)STATES; /* where assertions are off */
    assert(STATES[f->state].next & 1U << state);
    f->state = state;
}

/* Without callbacks, for a client that goes. */
void fetch_abandon_all(struct fetch_client *c)
{
    struct fetch *f;

    while ((f = TAILQ_FIRST(&c->running)) || (f = TAILQ_FIRST(&c->waiting))) {
        leave(f);
        if (f->slot)
            fetch_slot_detach(f->slot);
        loop_reap(c->loop, destroy, f);
    }
    loop_undefer(c->loop, tell_refused, c);
}

/* --- the beginning --- */

static char *put(char **at, const char *text, size_t len)
{
    char *copy = *at;

    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

/* Lines that curl would send of its own accord are taken out by an empty line of that name. */
static struct fetch *copy_request(struct fetch_client *c, const struct fetch_request *request)
{
    static const char *const SUPPRESSED[] = {"Expect:", "Content-Type:"};
    static const char *const NONE[] = {NULL};
    const char *const *headers = request->headers ? request->headers : NONE;
    size_t count = 0;
    size_t size = strlen(request->method) + strlen(request->url) + request->body_len + 3;
    bool typed = false;
    char *at;

    for (; headers[count]; count++) {
        size += strlen(headers[count]) + 1;
        typed = typed || str_starts_nocase(headers[count], SUPPRESSED[1]);
    }
    size_t own = typed ? 1 : 2;
    for (size_t i = 0; i < own; i++)
        size += strlen(SUPPRESSED[i]) + 1;
    struct fetch *f = mem_calloc(1, sizeof(*f) + (count + own) * sizeof(struct curl_slist) + size);
    *f = (struct fetch){
        .client = c,
        .headers = (struct curl_slist *)(f + 1),
        .body_len = request->body_len,
        .total_ms = request->total_ms ? request->total_ms : TOTAL_MS,
        .max_body = request->max_body ? request->max_body : BODY_MAX,
        .compressed = request->compressed,
        .pin = request->pin,
        .fresh = request->fresh,
        .on_data = request->on_data,
        .done = request->done,
        .arg = request->arg,
    };
    f->text = at = (char *)(f->headers + count + own);
    for (size_t i = 0; i < count + own; i++) {
        const char *line = i < count ? headers[i] : SUPPRESSED[i - count];
        f->headers[i].data = put(&at, line, strlen(line));
        f->headers[i].next = i + 1 < count + own ? f->headers + i + 1 : NULL;
    }
    f->method = put(&at, request->method, strlen(request->method));
    f->url = put(&at, request->url, strlen(request->url));
    f->text_len = (size_t)(at - f->text);
    f->body = request->body ? put(&at, request->body, request->body_len) : NULL;
    return f;
}

/* Header lines hold credentials. */
static void destroy(void *fetch)
{
    struct fetch *f = fetch;

    mem_wipe(f->text, f->text_len);
    free(f);
}

/* Is there a byte that would end the line, or the request? */
static bool is_one_line(const char *text, unsigned char lowest)
{
    for (; *text; text++)
        if (((unsigned char)*text < lowest && *text != '\t') || *text == 0x7F)
            return false;
    return true;
}

static const char *objection(const struct fetch_client *c, const struct fetch_request *request)
{
    if (request->pin && c->max_connections > 1)
        return "pinned among several connections"; /* curl would choose */
    if (!request->method[0] || !is_one_line(request->method, '!'))
        return "unusable method";
    if (!str_starts_nocase(request->url, "http://") && !str_starts_nocase(request->url, "https://"))
        return "not an http or https URL";
    if (!is_one_line(request->url, '!') || strchr(request->url, '\t'))
        return "URL with blanks or control characters";
    for (const char *const *line = request->headers; line && *line; line++)
        if (!is_one_line(*line, ' ') || !strchr(*line, ':'))
            return "unusable header line";
    return NULL;
}

/* The caller does not have its pointer yet: it will be told from the loop. */
static void refuse(struct fetch *f, enum fetch_err err, const char *why)
{
    f->refused = true;
    f->early = err;
    f->early_text = why;
    loop_defer(f->client->loop, tell_refused, f->client);
}

/* One call for each refusal; those that were cancelled meanwhile leave calls that find nothing. */
static void tell_refused(void *client)
{
    struct fetch_client *c = client;
    struct fetch *f;

    TAILQ_FOREACH(f, &c->waiting, entry)
    {
        if (f->refused) {
            finish(f, f->early, f->early_text);
            return;
        }
    }
}

static void begin(struct fetch *f)
{
    struct fetch_client *c = f->client;
    struct fetch_slot *slot = c->free_slots;

    if (f->pin && !fetch_socket_of(c, f->pin)) {
        refuse(f, FETCH_PIN_LOST, "the connection was closed meanwhile");
        return;
    }
    if (!slot)
        slot = fetch_slot_new(c);
    else
        c->free_slots = slot->next_free;
    if (!fetch_slot_begin(slot, f)) {
        slot->next_free = c->free_slots;
        c->free_slots = slot;
        refuse(f, FETCH_MALFORMED, "curl refused the request");
        return;
    }
    TAILQ_REMOVE(&c->waiting, f, entry);
    c->waiting_count--;
    TAILQ_INSERT_TAIL(&c->running, f, entry);
    c->running_count++;
    fetch_enter(f, FETCH_CONNECTING);
}

static void begin_waiting(struct fetch_client *c)
{
    struct fetch *f, *next;

    for (f = TAILQ_FIRST(&c->waiting); f && c->running_count < c->max_connections; f = next) {
        next = TAILQ_NEXT(f, entry);
        if (!f->refused)
            begin(f);
    }
}

/* --- pieces --- */

/* From the first again after each, because user code may have changed the list. */
static void give_pieces(struct fetch_client *c)
{
    struct fetch *f;

    while (c->multi && c->piece_count > 0) {
        TAILQ_FOREACH(f, &c->running, entry)
        {
            if (f->has_piece)
                break;
        }
        if (!f)
            break;
        if (f->early == FETCH_OK)
            give_piece(f->slot);
        else
            drop_piece(f);
    }
}

/*
 * The buffer is out of the slot's hands while user code reads it, since that code may end this exchange and give the
 * slot to the next. False: the exchange is over.
 */
static bool give_piece(struct fetch_slot *slot)
{
    struct fetch *f = slot->fetch;
    struct fetch_client *c = f->client;
    struct buf piece = slot->body;
    bool go_on;

    buf_init(&slot->body, f->max_body);
    drop_piece(f);
    go_on = f->on_data(f->arg, f->status, piece.data, piece.len);
    if (c->multi && slot->body.cap == 0) {
        buf_reset(&piece);
        piece.max = slot->body.max;
        slot->body = piece;
    } else {
        buf_free(&piece);
    }
    if (f->state == FETCH_ENDED)
        return false;
    if (!go_on)
        finish(f, FETCH_STOPPED, "stopped by the reader");
    return go_on;
}

static void drop_piece(struct fetch *f)
{
    if (f->has_piece)
        f->client->piece_count--;
    f->has_piece = false;
}

/* --- the end --- */

/* The slot is freed only after done(), which may look at the headers and the body. */
static void finish(struct fetch *f, enum fetch_err err, const char *text)
{
    struct fetch_client *c = f->client;
    struct fetch_slot *slot = f->slot;
    struct fetch_answer answer = {.err = err, .status = f->status, .body = "", .connection_id = -1, .fetch = f};

    if (err != FETCH_OK)
        str_printable(text, strlen(text), answer.text, sizeof(answer.text));
    if (slot)
        fetch_slot_describe(slot, &answer);
    leave(f);
    if (slot)
        fetch_slot_detach(slot);
    log_end(f, &answer);
    f->done(f->arg, &answer);
    loop_reap(c->loop, destroy, f);
    if (!c->multi)
        return;
    if (slot)
        fetch_slot_release(slot);
    begin_waiting(c);
}

static void leave(struct fetch *f)
{
    struct fetch_client *c = f->client;

    drop_piece(f);
    if (f->state == FETCH_WAITING) {
        TAILQ_REMOVE(&c->waiting, f, entry);
        c->waiting_count--;
    } else {
        TAILQ_REMOVE(&c->running, f, entry);
        c->running_count--;
    }
    fetch_enter(f, FETCH_ENDED);
}

static void log_end(const struct fetch *f, const struct fetch_answer *answer)
{
    log_debug("fetch", "srv=%s %s status=%d err=%s ms=%" PRId64 " conn=%" PRId64 " bytes=%zu", f->client->name,
              f->method, answer->status, fetch_err_code(answer->err), answer->total_ms, answer->connection_id,
              f->received);
}
