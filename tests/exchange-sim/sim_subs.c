/*
 * sim_subs: the list of subscriptions: see sim_subscribe.h. A timer runs while there is a call-back among them.
 */
#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_store.h"
#include "sim_subscribe.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 100 };

struct sim_subs {
    struct sim *sim;
    struct sim_sub *first;
    uint32_t next_id;
    struct loop_timer *timer;
    struct udp *udp;
};

static void sub_free(struct sim_sub *sub)
{
    free(sub->mailbox);
    free(sub->href);
    free(sub->line);
    free(sub);
}

static void look(void *arg)
{
    struct sim_subs *subs = arg;
    int64_t now = sim_now(subs->sim);
    bool any = false;
    for (struct sim_sub **link = &subs->first; *link != NULL;) {
        struct sim_sub *sub = *link;
        if (sub->ends_at <= now) {
            *link = sub->next;
            sub_free(sub);
            continue;
        }
        any = any || sub->call_back;
        link = &sub->next;
    }
    sim_notify(subs->sim, subs->first, &subs->udp, clk_mono_ms(loop_clk(subs->sim->loop)));
    if (any)
        loop_timer_in(subs->timer, LOOK_MS);
}

struct sim_subs *sim_subs_new(struct sim *sim)
{
    struct sim_subs *subs = mem_calloc(1, sizeof(*subs));
    subs->sim = sim;
    subs->next_id = 1;
    subs->timer = loop_timer_new(sim->loop, "exchange-sim notify", look, subs);
    return subs;
}

void sim_subs_free(struct sim_subs **subs)
{
    if (*subs == NULL)
        return;
    sim_subs_forget(*subs);
    loop_timer_free(&(*subs)->timer);
    udp_close(&(*subs)->udp);
    free(*subs);
    *subs = NULL;
}

void sim_subs_forget(struct sim_subs *subs)
{
    while (subs->first != NULL)
        sim_subs_remove(subs, subs->first->id);
    subs->next_id = 1;
}

struct sim_sub *sim_subs_add(struct sim_subs *subs)
{
    struct sim_sub *sub = mem_calloc(1, sizeof(*sub));
    sub->id = subs->next_id++;
    sub->next = subs->first;
    subs->first = sub;
    if (!loop_timer_armed(subs->timer))
        loop_timer_in(subs->timer, LOOK_MS);
    return sub;
}

struct sim_sub *sim_subs_find(struct sim_subs *subs, uint32_t id)
{
    struct sim_sub *sub = subs->first;
    while (sub != NULL && sub->id != id)
        sub = sub->next;
    return sub != NULL && sub->ends_at > sim_now(subs->sim) ? sub : NULL;
}

void sim_subs_remove(struct sim_subs *subs, uint32_t id)
{
    for (struct sim_sub **link = &subs->first; *link != NULL; link = &(*link)->next) {
        struct sim_sub *sub = *link;
        if (sub->id != id)
            continue;
        *link = sub->next;
        sub_free(sub);
        return;
    }
}

bool sim_sub_has_news(const struct sim *sim, const struct sim_sub *sub)
{
    const struct sim_mailbox *m = sim_store_mailbox(sim->store, sub->mailbox);
    return sub->calendar && m != NULL && m->revision != sub->revision;
}

struct jv *sim_subs_json(const struct sim_subs *subs)
{
    struct jv *list = jv_array();
    char text[UTC_TEXT_MAX];
    for (const struct sim_sub *sub = subs->first; sub != NULL; sub = sub->next) {
        struct jv *v = jv_object();
        jv_set_int(v, "id", sub->id);
        jv_set_str(v, "mailbox", sub->mailbox);
        jv_set_str(v, "until", utc_rfc3339(sub->ends_at, text));
        jv_set_bool(v, "call-back", sub->call_back);
        jv_set_bool(v, "news", sim_sub_has_news(subs->sim, sub));
        jv_add(list, v);
    }
    return jv_set(jv_object(), "subscriptions", list);
}
