/*
 * sim_notify: NOTIFY by UDP: a datagram for each subscription with a call-back whose folder has changed, repeated until
 * POLL or the end of the subscription; and what becomes of datagrams, by switch.
 */
#include "base/buf.h"
#include "sim.h"
#include "sim_log.h"
#include "sim_subscribe.h"

#include <string.h>

static void nothing_comes(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    (void)arg;
    (void)from;
    (void)data;
    (void)len;
}

static void send_one(struct sim *sim, const struct sim_sub *sub, struct udp *udp)
{
    const struct sim_faults *f = &sim->faults;
    struct buf b;
    if (sim_fault_is(f, NULL, SIM_F_NOTIFY, "lost") || sub->silent)
        return;
    buf_init(&b, 2000);
    buf_addf(&b, "%s\r\n", sub->line);
    if (!sim_fault_is(f, NULL, SIM_F_NOTIFY, "bare"))
        buf_addf(&b, "Subscription-id: %u\r\n", sub->id);
    if (!sim_fault_is(f, NULL, SIM_F_NOTIFY, "short"))
        buf_adds(&b, "\r\n");
    for (int i = 0; i < (sim_fault_is(f, NULL, SIM_F_NOTIFY, "twice") ? 2 : 1); i++)
        udp_send(udp, &sub->peer, b.data, b.len);
    buf_free(&b);
}

void sim_notify(struct sim *sim, struct sim_sub *subs, struct udp **udp, int64_t now_ms)
{
    int64_t repeat_ms = sim_fault_number(&sim->faults, NULL, SIM_F_NOTIFY_REPEAT) * 1000;
    char why[200];
    for (struct sim_sub *sub = subs; sub != NULL; sub = sub->next) {
        if (!sub->call_back || !sim_sub_has_news(sim, sub) ||
            (sub->told_at_ms != 0 && sub->told_at_ms + repeat_ms > now_ms))
            continue;
        if (*udp == NULL)
            *udp = udp_open(sim->loop, "exchange-sim notify", "0.0.0.0", 0, nothing_comes, NULL, why, sizeof(why));
        if (*udp == NULL)
            return;
        sub->told_at_ms = now_ms;
        send_one(sim, sub, *udp);
    }
}
