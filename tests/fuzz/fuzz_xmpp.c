/*
 * fuzz_xmpp: what an XMPP server may send after the handshake: any bytes through the XML reader in stream mode, the
 * stanza builder, and, with a socket in between, the whole outlet with its subscriptions. The first byte chooses the
 * size of the pieces.
 */
#include <stdint.h>

#include "xmpp_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *w;

static void finish(void)
{
    world_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = data[0] ? data[0] : 1;
    if (!w) {
        w = world_new();
        atexit(finish);
        w->max_watchers = 50;
        w->admins[w->admin_count++] = "root@im.example";
        world_set(w, "alice@example.com", PRES_BUSY, WORLD_NOON - 3600, WORLD_NOON + 3600);
        world_start(w);
        if (!world_connect(w))
            abort();
    }
    for (size_t at = 1; at < size; at += piece) {
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
        loop_advance(w->loop, 100);
        pres_publisher_status(w->publisher, &status);
    }
    if (!world_connect(w))
        abort();
    return 0;
}
