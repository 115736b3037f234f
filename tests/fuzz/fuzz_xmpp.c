/*
 * fuzz_xmpp: what an XMPP server may send after the handshake. The first byte chooses the way: most inputs go through
 * the XML reader in stream mode and the stanza builder straight into the outlet with its subscriptions, which answers
 * over a socket that is emptied now and then; one in sixty-four goes through that socket and the whole stream, in
 * pieces, and ends the connection. What the outlet says must be XML, and each stanza from an address that is its own.
 */
#include <stdint.h>

#include "base/xml.h"
#include "pub_xmpp.h"
#include "xmpp_world.h"

#define HEAD "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"

enum { DRAIN_EACH = 16, STANZA_MAX = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *w;
static struct pres_xml_builder *builder;
static unsigned depth, told_depth;
static struct xml_reader *told; /* of what the outlet says */

static void finish(void)
{
    pres_xml_builder_free(&builder);
    xml_reader_free(&told);
    world_free(&w);
}

static bool on_told(void *arg, const char *ns, const char *name)
{
    size_t len = 0, to_len = 0;
    (void)arg, (void)ns, (void)name;
    if (told_depth++ != 1)
        return true;
    const char *from = xml_reader_attr(told, "", "from", &len), *to = xml_reader_attr(told, "", "to", &to_len);
    if (!from || !to || to_len == 0 || !world_is_ours(w, from, len))
        abort();
    return true;
}

static bool on_told_end(void *arg, const char *ns, const char *name)
{
    (void)arg, (void)ns, (void)name;
    told_depth--;
    return true;
}

static bool on_told_text(void *arg, const char *text, size_t len)
{
    (void)arg, (void)text, (void)len;
    return true;
}

static void hear(const char *data, size_t len)
{
    if (xml_reader_feed(told, data, len) != XML_OK)
        abort();
}

/* From a connection's first stanza on. */
static void hear_anew(void)
{
    static const struct xml_handler handler = {on_told, on_told_end, on_told_text};
    static const struct xml_limits limits = {.max_bytes = 4 * STANZA_MAX, .max_depth = 32, .stream = true};
    xml_reader_free(&told);
    told_depth = 0;
    told = xml_reader_new(&handler, NULL, &limits);
    hear(HEAD, sizeof HEAD - 1);
    hear(w->in.data, w->in.len);
    buf_reset(&w->in);
}

static void begin(void)
{
    w = world_new();
    atexit(finish);
    w->max_watchers = 50;
    w->own_account = true;
    world_set(w, "alice@im.example", PRES_BUSY, WORLD_NOON - 3600, WORLD_NOON + 3600);
    w->admins[w->admin_count++] = "root@im.example";
    world_set(w, "alice@example.com", PRES_BUSY, WORLD_NOON - 3600, WORLD_NOON + 3600);
    world_start(w);
    if (!world_connect(w))
        abort();
    hear_anew();
}

/* What the outlet answered, and what the store has to say. */
static void drain(void)
{
    char sink[65536];
    loop_turn(w->loop, 0);
    for (ssize_t n; (n = recv(w->peer, sink, sizeof sink, MSG_DONTWAIT)) > 0;)
        hear(sink, (size_t)n);
}

static bool on_start(void *reader, const char *ns, const char *name)
{
    struct xml_reader **r = reader;
    return depth++ == 0 || pres_xml_builder_start(builder, *r, ns, name);
}

static bool on_end(void *reader, const char *ns, const char *name)
{
    const struct pres_xml *stanza = NULL;
    (void)reader, (void)ns, (void)name;
    if (--depth == 0 || !pres_xml_builder_end(builder, &stanza))
        return false;
    if (stanza)
        pres_pub_stanza(pres_publisher_outlet(w->publisher), stanza);
    return true;
}

static bool on_text(void *reader, const char *text, size_t len)
{
    (void)reader;
    return depth <= 1 || pres_xml_builder_text(builder, text, len);
}

static void feed(const uint8_t *data, size_t size, size_t piece)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    static const struct xml_limits limits = {.max_bytes = STANZA_MAX, .max_depth = 32, .stream = true};
    struct xml_reader *reader = NULL;
    depth = 0;
    builder = pres_xml_builder_new(4 * STANZA_MAX);
    reader = xml_reader_new(&handler, &reader, &limits);
    enum xml_result result = xml_reader_feed(reader, HEAD, sizeof HEAD - 1);
    for (size_t at = 0; at < size && result == XML_OK; at += piece)
        result = xml_reader_feed(reader, (const char *)data + at, size - at < piece ? size - at : piece);
    xml_reader_free(&reader);
    pres_xml_builder_free(&builder);
}

static void whole(const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        if (send(w->peer, data + at, size - at < piece ? size - at : piece, MSG_NOSIGNAL) < 0)
            break;
        loop_turn(w->loop, 0);
    }
    for (int i = 0; i < 4; i++)
        loop_turn(w->loop, 0);
    /* the stream ended of it, or an open element would swallow the next input: begin anew */
    world_hang_up(w);
    for (int i = 0; i < 6; i++)
        loop_turn(w->loop, 0);
    struct pres_publisher_status status = {.state = ""};
    for (int i = 0; i < 1000 && strcmp(status.state, "connecting") != 0; i++) {
        loop_advance(w->loop, 1000);
        pres_publisher_status(w->publisher, &status);
    }
    if (!world_connect(w))
        abort();
    hear_anew();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;
    if (size == 0)
        return 0;
    if (!w)
        begin();
    if (data[0] == 0) {
        whole(data + 1, size - 1, 50);
        return 0;
    }
    feed(data + 1, size - 1, data[0] < 100 ? data[0] : size);
    if (++runs % DRAIN_EACH == 0)
        drain();
    return 0;
}
