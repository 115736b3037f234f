/*
 * fuzz_xmpp: what an XMPP server may send after the handshake. The first byte chooses the way: most inputs go through
 * the XML reader in stream mode and the stanza builder straight into the outlet with its subscriptions, which answers
 * over a socket that is emptied now and then; one in sixty-four goes through that socket and the whole stream, in
 * pieces, and ends the connection.
 */
#include <stdint.h>

#include "base/xml.h"
#include "pub_xmpp.h"
#include "xmpp_world.h"

enum { DRAIN_EACH = 16, STANZA_MAX = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *w;
static struct pres_xml_builder *builder;
static unsigned depth;

static void finish(void)
{
    pres_xml_builder_free(&builder);
    world_free(&w);
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
}

/* What the outlet answered, and what the store has to say. */
static void drain(void)
{
    char sink[65536];
    loop_turn(w->loop, 0);
    while (recv(w->peer, sink, sizeof sink, MSG_DONTWAIT) > 0)
        ;
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
    static const char head[] =
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>";
    static const struct xml_handler handler = {on_start, on_end, on_text};
    static const struct xml_limits limits = {.max_bytes = STANZA_MAX, .max_depth = 32, .stream = true};
    struct xml_reader *reader = NULL;
    depth = 0;
    builder = pres_xml_builder_new(4 * STANZA_MAX);
    reader = xml_reader_new(&handler, &reader, &limits);
    enum xml_result result = xml_reader_feed(reader, head, sizeof head - 1);
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
