/*
 * fuzz_sip: what a SIP server or phone may send. The first byte chooses: the framing and the parser alone, or the whole
 * presence server with its dialogs, in memory. What was parsed is written back into an answer, which must parse again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/udp.h"
#include "presence/pub_sip.h"
#include "sip_digest.h"
#include "sip_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena *arena;
static struct clk *clk;
static struct loop *loop;
static struct pres_table *table;
static struct pres_publisher *publisher;
static struct udp *stranger;
static struct udp_peer server;

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    (void)arg, (void)now;
    if (publisher)
        pres_publisher_changed(publisher, id);
}

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    (void)arg, (void)from, (void)data, (void)len;
}

static void finish(void)
{
    pres_publisher_free(&publisher);
    udp_close(&stranger);
    pres_table_free(&table);
    loop_free(&loop);
    clk_fake_free(&clk);
    arena_free(&arena);
}

static void start(void)
{
    static const char *const at[] = {"udp:127.0.0.1:0"}, *const trusted[] = {"127.0.0.1"};
    char why[200];
    const struct pres_person_spec carol = {.address = "carol@im.example", .stale_after = 900};
    const struct pres_publisher_settings settings = {.name = "sip-server"};
    const struct pres_sip_server_settings s = {.listen = at,
                                               .listen_count = 1,
                                               .domain = "im.example",
                                               .trusted = trusted,
                                               .trusted_count = 1,
                                               .max_watchers = 20};
    arena = arena_new(1 << 20);
    clk = clk_fake_new(INT64_C(1795348800000));
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new(clk);
    table = pres_table_new(loop, on_change, NULL);
    pres_table_add(table, &carol);
    publisher = pres_sip_server_new(loop, table, &settings, &s, why, sizeof why);
    pres_publisher_start(publisher);
    loop_advance(loop, 0);
    stranger = udp_open(loop, "stranger", "127.0.0.1", 0, on_datagram, NULL, why, sizeof why);
    if (!stranger || !udp_peer(&server, "127.0.0.1", pres_sip_server_port(publisher, "udp")))
        abort();
    atexit(finish);
}

static void to_server(const char *data, size_t size)
{
    if (size > 60000)
        return;
    udp_send(stranger, &server, data, size);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, 0);
    loop_advance(loop, 40000); /* watchers who answer nothing go */
}

static void answer_again(const struct pres_sip_message *m)
{
    struct pres_sip_message again;
    struct pres_sip_extent extent;
    struct buf out;
    buf_init(&out, 1 << 20);
    pres_sip_answer_begin(&out, m, 200, "OK", "tag");
    buf_adds(&out, "Content-Length: 0\r\n\r\n");
    /* what grew by our parameters may be more than we read; what is read must be an answer to the same */
    if (pres_sip_cut(out.data, out.len, false, &extent) == PRES_SIP_WHOLE &&
        pres_sip_read(&again, arena, out.data, &extent, NULL) &&
        (again.request || again.status != 200 || again.cseq != m->cseq))
        abort();
    buf_free(&out);
}

static void parse_all(const char *data, size_t size, bool stream)
{
    struct pres_sip_extent extent;
    struct pres_sip_message m;
    struct udp_peer from;
    struct pres_sip_auth auth = {0};
    enum pres_sip_cut cut = PRES_SIP_EMPTY;
    udp_peer(&from, "192.0.2.1", 5062);
    while (size > 0 && (cut = pres_sip_cut(data, size, stream, &extent)) != PRES_SIP_MORE && cut != PRES_SIP_BAD) {
        if (extent.end == 0 || extent.end > size)
            abort();
        arena_reset(arena);
        if (cut == PRES_SIP_WHOLE && pres_sip_read(&m, arena, data, &extent, &from)) {
            pres_sip_number(&m, "Expires");
            pres_sip_lists(&m, "Accept", "application/pidf+xml");
            pres_sip_auth_take(&auth, &m);
            answer_again(&m);
        }
        data += extent.end;
        size -= extent.end;
    }
    pres_sip_auth_clear(&auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!loop)
        start();
    if (size < 2)
        return 0;
    if (data[0] % 4 == 3)
        to_server((const char *)data + 1, size - 1);
    else
        parse_all((const char *)data + 1, size - 1, data[0] & 1);
    return 0;
}
