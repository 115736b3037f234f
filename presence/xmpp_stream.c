/*
 * xmpp_stream: the component protocol (XEP-0114) over base's io and XML reader. pub_xmpp.c owns one at a time.
 *
 *   connecting -> opening (our header is out) -> handshake (its header came) -> ready -> ended
 *
 * Nothing is decided inside the XML reader's callbacks but what the machine does next; what ends the stream is noted
 * there and acted upon when the reader has returned, because the reader may not be freed below itself.
 */
#include "xmpp_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/xml.h"

#define NS_STREAMS "http://etherx.jabber.org/streams"
#define NS_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"

enum {
    STANZA_MAX = 256 * 1024,
    TREE_MAX = 4 * STANZA_MAX, /* an element costs more as a tree than as text */
    DEPTH_MAX = 32,
    ID_MAX = 1000,
    CONNECT_MS = 10000,
    STEP_MS = 15000, /* each of header and handshake */
    SILENT_MS = 60000,
    DEAD_MS = 20000,   /* after `silent` */
    BURST = 16 * 1024, /* written at once, at the latest at the end of the turn */
    BURST_MAX = 4 * BURST,
};

enum state { STATE_CONNECTING, STATE_OPENING, STATE_HANDSHAKE, STATE_READY, STATE_ENDED };

static const struct {
    const char *name;
    int64_t deadline_ms; /* 0: io's own */
    unsigned next;
} states[] = {
    [STATE_CONNECTING] = {"connecting", 0, 1u << STATE_OPENING | 1u << STATE_ENDED},
    [STATE_OPENING] = {"opening", STEP_MS, 1u << STATE_HANDSHAKE | 1u << STATE_ENDED},
    [STATE_HANDSHAKE] = {"handshake", STEP_MS, 1u << STATE_READY | 1u << STATE_ENDED},
    [STATE_READY] = {"ready", SILENT_MS, 1u << STATE_ENDED},
    [STATE_ENDED] = {"ended", 0, 0},
};

/* What a stream error means for us (RFC 6120 4.9.3); others are "xmpp-stream-error". */
static const struct {
    const char *condition, *code;
    bool slow;
} errors[] = {
    {"not-authorized", "xmpp-not-authorized", true}, {"host-unknown", "xmpp-host-unknown", true},
    {"host-gone", "xmpp-host-unknown", true},        {"conflict", "xmpp-conflict", true},
    {"system-shutdown", "xmpp-shutdown", false},     {"policy-violation", "xmpp-policy", true},
    {"see-other-host", "xmpp-redirected", true},
};

struct pres_xmpp_stream {
    struct loop *loop;
    struct pres_xmpp_handler handler;
    void *arg;
    char *component;
    struct secret *secret;
    enum state state;
    bool closed;
    struct io *io;
    struct xml_reader *reader;
    struct pres_xml_builder *builder;
    unsigned depth;
    bool root_ended;
    bool asked; /* `silent` was called and nothing has come since */
    struct loop_timer *timer;
    struct buf burst;
    bool flushing;        /* at the end of the turn */
    const char *end_code; /* noted inside the reader, NULL: nothing */
    char end_text[200];
    bool end_slow;
};

static void enter(struct pres_xmpp_stream *s, enum state next, const char *why);
static bool flush(struct pres_xmpp_stream *s);
static void on_turn_end(void *arg);
static void on_open(void *arg);
static void on_data(void *arg, const char *data, size_t len);
static void on_room(void *arg);
static void on_end(void *arg, enum io_end why, const char *text);
static void on_timer(void *arg);
static bool on_start_tag(void *arg, const char *ns, const char *name);
static bool on_end_tag(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static void take_header(struct pres_xmpp_stream *s, const char *ns, const char *name);
static void take_stanza(struct pres_xmpp_stream *s, const struct pres_xml *x);
static void take_error(struct pres_xmpp_stream *s, const struct pres_xml *x);
static void note_end(struct pres_xmpp_stream *s, const char *code, bool slow, const char *text);
static void finish(struct pres_xmpp_stream *s, const char *code, const char *text, bool slow);
static void free_all(void *obj);

struct pres_xmpp_stream *pres_xmpp_stream_new(struct loop *loop, const struct pres_xmpp_stream_settings *settings,
                                              const struct pres_xmpp_handler *handler, void *arg)
{
    static const struct io_handler io_handler = {on_open, on_data, on_room, on_end};
    static const struct xml_handler xml_handler = {on_start_tag, on_end_tag, on_text};
    static const struct xml_limits limits = {.max_bytes = STANZA_MAX, .max_depth = DEPTH_MAX, .stream = true};
    struct pres_xmpp_stream *s = mem_calloc(1, sizeof *s);
    struct io_settings io = {
        .name = "xmpp", .host = settings->host, .port = settings->port, .tls = settings->tls, .connect_ms = CONNECT_MS};
    s->loop = loop;
    s->handler = *handler;
    s->arg = arg;
    s->component = mem_strdup(settings->component);
    s->secret = secret_copy(settings->secret);
    s->reader = xml_reader_new(&xml_handler, s, &limits);
    s->builder = pres_xml_builder_new(TREE_MAX);
    s->timer = loop_timer_new(loop, "xmpp stream", on_timer, s);
    buf_init(&s->burst, BURST_MAX);
    s->io = io_open(loop, &io, &io_handler, s);
    return s;
}

void pres_xmpp_stream_close(struct pres_xmpp_stream **sp)
{
    struct pres_xmpp_stream *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    s->closed = true;
    s->state = STATE_ENDED;
    io_close(&s->io);
    loop_timer_free(&s->timer);
    loop_undefer(s->loop, on_turn_end, s);
    loop_reap(s->loop, free_all, s);
}

bool pres_xmpp_stream_write(struct pres_xmpp_stream *s, const char *xml, size_t len)
{
    struct buf *b = pres_xmpp_stream_add(s);
    return b && buf_add(b, xml, len);
}

struct buf *pres_xmpp_stream_add(struct pres_xmpp_stream *s)
{
    if (s->state != STATE_READY || (s->burst.len >= BURST && !flush(s)))
        return NULL;
    if (!s->flushing) {
        s->flushing = true;
        loop_defer(s->loop, on_turn_end, s);
    }
    return &s->burst;
}

size_t pres_xmpp_stream_waiting(const struct pres_xmpp_stream *s)
{
    return s->io ? io_waiting(s->io) + s->burst.len : 0;
}

/* False: it waits for the stream's room. */
static bool flush(struct pres_xmpp_stream *s)
{
    if (s->burst.len > 0 && !io_write(s->io, s->burst.data, s->burst.len))
        return false;
    buf_reset(&s->burst);
    return true;
}

static void on_turn_end(void *arg)
{
    struct pres_xmpp_stream *s = arg;
    s->flushing = false;
    if (s->state == STATE_READY)
        flush(s);
}

static void enter(struct pres_xmpp_stream *s, enum state next, const char *why)
{
    if (!(states[s->state].next & 1u << next)) {
        log_error("xmpp", "a stream cannot go from %s to %s", states[s->state].name, states[next].name);
        abort();
    }
    log_debug("xmpp", "stream %s -> %s why=%s", states[s->state].name, states[next].name, why);
    s->state = next;
    if (states[next].deadline_ms)
        loop_timer_in(s->timer, states[next].deadline_ms);
    else
        loop_timer_stop(s->timer);
}

static void on_open(void *arg)
{
    struct pres_xmpp_stream *s = arg;
    struct buf b;
    buf_init(&b, 4000);
    buf_adds(&b, "<?xml version='1.0'?><stream:stream xmlns='" PRES_XMPP_NS "' xmlns:stream='" NS_STREAMS "' to='");
    xml_escape(&b, s->component, strlen(s->component));
    buf_adds(&b, "'>");
    enter(s, STATE_OPENING, "connected");
    io_write(s->io, b.data, b.len);
    buf_free(&b);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct pres_xmpp_stream *s = arg;
    s->asked = false;
    if (s->state == STATE_READY)
        loop_timer_in(s->timer, SILENT_MS);
    enum xml_result result = xml_reader_feed(s->reader, data, len);
    if (s->closed)
        return; /* the reader lives to the end of the turn */
    if (s->end_code)
        finish(s, s->end_code, s->end_text, s->end_slow);
    else if (s->root_ended)
        finish(s, "tcp-reset", "the server ended the stream", false);
    else if (result != XML_OK)
        finish(s, "xmpp-bad-xml", xml_result_name(result), false);
}

static void on_room(void *arg)
{
    struct pres_xmpp_stream *s = arg;
    if (s->state == STATE_READY && flush(s))
        s->handler.room(s->arg);
}

static void on_end(void *arg, enum io_end why, const char *text)
{
    finish(arg, io_end_code(why), text, false);
}

static void on_timer(void *arg)
{
    struct pres_xmpp_stream *s = arg;
    if (s->state == STATE_READY && !s->asked) {
        s->asked = true;
        loop_timer_in(s->timer, DEAD_MS);
        s->handler.silent(s->arg);
        return;
    }
    finish(s, "tcp-timeout", s->state == STATE_READY ? "the server fell silent" : "the server did not answer in time",
           false);
}

static bool on_start_tag(void *arg, const char *ns, const char *name)
{
    struct pres_xmpp_stream *s = arg;
    if (s->depth++ == 0) {
        take_header(s, ns, name);
    } else if (!pres_xml_builder_start(s->builder, s->reader, ns, name)) {
        note_end(s, "xmpp-bad-xml", false, "a stanza is too large");
    }
    return !s->end_code;
}

static bool on_end_tag(void *arg, const char *ns, const char *name)
{
    struct pres_xmpp_stream *s = arg;
    const struct pres_xml *stanza;
    (void)ns, (void)name;
    if (--s->depth == 0) {
        s->root_ended = true;
        return false;
    }
    if (!pres_xml_builder_end(s->builder, &stanza))
        note_end(s, "xmpp-bad-xml", false, "a stanza is too large");
    else if (stanza)
        take_stanza(s, stanza);
    return !s->end_code && !s->closed;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct pres_xmpp_stream *s = arg;
    if (s->depth > 1 && !pres_xml_builder_text(s->builder, text, len))
        note_end(s, "xmpp-bad-xml", false, "a stanza is too large");
    return !s->end_code;
}

/* The server's header: its id and our secret make the handshake. */
static void take_header(struct pres_xmpp_stream *s, const char *ns, const char *name)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[CRYPTO_SHA1_LEN];
    char answer[100] = "<handshake>";
    size_t id_len = 0, secret_len, at = strlen(answer);
    const char *id = xml_reader_attr(s->reader, "", "id", &id_len);
    if (strcmp(ns, NS_STREAMS) != 0 || strcmp(name, "stream") != 0 || id_len > ID_MAX) {
        note_end(s, "xmpp-bad-xml", true, "this is no XMPP server");
        return;
    }
    if (s->state != STATE_OPENING)
        return;
    const char *secret = secret_bytes(s->secret, &secret_len);
    struct buf b;
    buf_init(&b, ID_MAX + SECRET_MAX);
    if (id)
        buf_add(&b, id, id_len);
    buf_add(&b, secret, secret_len);
    crypto_sha1(b.data, b.len, digest);
    buf_wipe(&b);
    for (size_t i = 0; i < sizeof digest; i++) { /* some servers take lower case only */
        answer[at++] = digits[digest[i] >> 4];
        answer[at++] = digits[digest[i] & 15];
    }
    snprintf(answer + at, sizeof answer - at, "</handshake>");
    enter(s, STATE_HANDSHAKE, "header");
    io_write(s->io, answer, strlen(answer));
}

static void take_stanza(struct pres_xmpp_stream *s, const struct pres_xml *x)
{
    if (strcmp(x->ns, NS_STREAMS) == 0 && strcmp(x->name, "error") == 0) {
        take_error(s, x);
    } else if (strcmp(x->ns, PRES_XMPP_NS) != 0) {
        log_debug("xmpp", "an element of another namespace is ignored");
    } else if (strcmp(x->name, "handshake") == 0) {
        if (s->state != STATE_HANDSHAKE) /* answered twice: once is enough */
            return;
        enter(s, STATE_READY, "accepted");
        s->handler.ready(s->arg);
    } else if (s->state == STATE_READY) {
        s->handler.stanza(s->arg, x);
    }
}

static void take_error(struct pres_xmpp_stream *s, const struct pres_xml *x)
{
    char shown[100], text[160] = "";
    const char *condition = "unnamed", *said = pres_xml_text(x, NS_ERRORS, "text"), *code = "xmpp-stream-error";
    bool slow = false;
    for (const struct pres_xml *c = x->first; c; c = c->next)
        if (strcmp(c->ns, NS_ERRORS) == 0 && strcmp(c->name, "text") != 0)
            condition = c->name;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(errors[i].condition, condition) == 0) {
            code = errors[i].code;
            slow = errors[i].slow;
        }
    snprintf(text, sizeof text, "%s%s%s", str_printable(condition, strlen(condition), shown, 60), said ? ": " : "",
             said ? str_printable(said, strlen(said), (char[90]){0}, 90) : "");
    note_end(s, code, slow, text);
}

static void note_end(struct pres_xmpp_stream *s, const char *code, bool slow, const char *text)
{
    if (s->end_code)
        return;
    s->end_code = code;
    s->end_slow = slow;
    snprintf(s->end_text, sizeof s->end_text, "%s", text);
}

static void finish(struct pres_xmpp_stream *s, const char *code, const char *text, bool slow)
{
    if (s->state == STATE_ENDED)
        return;
    enter(s, STATE_ENDED, code);
    s->handler.end(s->arg, code, text, slow);
}

static void free_all(void *obj)
{
    struct pres_xmpp_stream *s = obj;
    io_close(&s->io);
    xml_reader_free(&s->reader);
    pres_xml_builder_free(&s->builder);
    secret_free(&s->secret);
    buf_free(&s->burst);
    free(s->component);
    free(s);
}
