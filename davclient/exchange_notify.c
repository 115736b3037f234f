/*
 * exchange_notify: the server's datagrams. NOTIFY says that something has happened to a subscription, repeated every
 * few seconds until POLL. Anybody can send one: it is heeded as a hint to ask sooner, and never tells what.
 *
 * A datagram costs at most a glance: those that name no subscription of ours are dropped, as many hints are given as a
 * tenth of the server's budget allows, and one for all that the same POLL asks about. One without an id says that the
 * server's store goes down: any one subscription is asked about then, whose loss tells the rest.
 */
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/udp.h"
#include "exchange_poll.h"
#include "exchange_watch.h"

#define IDS_MAX 32
#define RETRY_S 60
#define FAREWELL_S 60
#define AGAIN_S 2 /* what is asked about anyway */

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len);
static void heed(struct exchange_watch *w, struct exchange_known *known, int64_t now_ms, int64_t now);
static void on_farewell(struct exchange_watch *w, int64_t now_ms, int64_t now);

void dav_exchange_notify_open(struct exchange_watch *w, int64_t now)
{
    char host[256], why[200] = "the address makes no sense";
    unsigned port;

    if (!w->account->notify_listen || w->udp || w->udp_retry_at > now || w->account->no_subscribe)
        return;
    if (io_parse_server(w->account->notify_listen, host, sizeof(host), &port))
        w->udp =
            udp_open(dav_session_loop(w->session), "exchange-notify", host, port, on_datagram, w, why, sizeof(why));
    if (w->udp)
        return;
    w->udp_retry_at = now + RETRY_S;
    log_warning("dav", "srv=%s no notifications at %s: %s", dav_session_name(w->session), w->account->notify_listen,
                why);
}

void dav_exchange_notify_close(struct exchange_watch *w)
{
    udp_close(&w->udp);
}

bool dav_exchange_notify_url(const struct exchange_watch *w, char *out, size_t size)
{
    char host[256];
    unsigned port;

    if (!w->udp || !io_parse_server(w->account->notify_listen, host, sizeof(host), &port))
        return false;
    return snprintf(out, size,
                    strchr(host, ':') && !w->account->notify_host ? "Call-back: httpu://[%s]:%u/"
                                                                  : "Call-back: httpu://%s:%u/",
                    w->account->notify_host ? w->account->notify_host : host, udp_port(w->udp)) < (int)size;
}

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    struct exchange_watch *w = arg;
    const struct clk *clk = loop_clk(dav_session_loop(w->session));
    int64_t now_ms = clk_mono_ms(clk), now = clk_wall_s(clk);
    uint32_t ids[IDS_MAX];
    int n = dav_exchange_notify_read(data, len, ids, IDS_MAX);
    bool any = false;

    (void)from; /* behind a front-end it comes from a server that we have never heard of */
    if (n == 0)
        on_farewell(w, now_ms, now);
    for (int i = 0; i < n; i++) {
        struct exchange_known *known = dav_exchange_known_by_subscription(w->table, ids[i]);

        any = any || known;
        if (known)
            heed(w, known, now_ms, now);
    }
    if (n != 0 && !any)
        w->ignored++;
}

static void heed(struct exchange_watch *w, struct exchange_known *known, int64_t now_ms, int64_t now)
{
    struct exchange_known *other;
    unsigned pos = 0;

    if (known->polling || known->hinted_at + AGAIN_S > now || dav_pace_wait_ms(&w->hints, now_ms) > 0) {
        w->ignored++;
        return;
    }
    dav_pace_take(&w->hints, now_ms);
    w->heeded++;
    while (!known->alone && w->group > 1 && (other = dav_exchange_known_group(w->table, known, w->group, &pos)))
        other->hinted_at = (uint32_t)now;
    known->hinted_at = (uint32_t)now;
    dav_session_hint(w->session, known->number);
}

static void on_farewell(struct exchange_watch *w, int64_t now_ms, int64_t now)
{
    struct exchange_known *known = NULL;

    if (w->farewell_at + FAREWELL_S <= now)
        known = dav_exchange_known_any_subscribed(w->table, w->next_farewell++);
    if (known)
        w->farewell_at = now;
    if (known)
        heed(w, known, now_ms, now);
    else
        w->ignored++;
}
