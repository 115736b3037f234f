/*
 * sip_answers: see sip_answers.h. Answers by UDP are kept for 32 s (timer J), oldest first, and not more than KEPT_MAX
 * of them: under a flood the oldest go early, and a late copy of their request is then answered anew.
 */
#include "sip_answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"

enum { KEPT_MAX = 5000, KEEP_MS = 32000 };

struct kept {
    struct kept *next;
    int64_t until_ms;
    size_t len;
    char *key;
    char data[];
};

struct pres_sip_owed {
    struct pres_sip_owed *next;
    struct pres_sip_path back;
    size_t len;
    char *key;
    char data[];
};

struct pres_sip_answers {
    struct loop *loop;
    struct pres_sip_net *net;
    struct map *kept; /* by key */
    struct map *owed; /* by key: those by UDP */
    struct kept *first, **end;
    struct loop_timer *timer;
};

static char *key_of(const struct pres_sip_path *path, const struct pres_sip_message *m);
static struct pres_sip_path way_back(const struct pres_sip_path *path, const struct pres_sip_message *m);
static void keep(struct pres_sip_answers *a, char *key, const char *data, size_t len);
static void drop_first(struct pres_sip_answers *a);
static void on_timer(void *arg);

struct pres_sip_answers *pres_sip_answers_new(struct loop *loop, struct pres_sip_net *net)
{
    struct pres_sip_answers *a = mem_calloc(1, sizeof *a);
    a->loop = loop;
    a->net = net;
    a->kept = map_new();
    a->owed = map_new();
    a->end = &a->first;
    a->timer = loop_timer_new(loop, "sip answers", on_timer, a);
    return a;
}

void pres_sip_answers_free(struct pres_sip_answers **ap)
{
    struct pres_sip_answers *a = *ap;
    if (!a)
        return;
    *ap = NULL;
    while (a->first)
        drop_first(a);
    map_free(&a->kept);
    map_free(&a->owed);
    loop_timer_free(&a->timer);
    free(a);
}

bool pres_sip_answers_again(struct pres_sip_answers *a, const struct pres_sip_path *path,
                            const struct pres_sip_message *m)
{
    if (path->transport != PRES_SIP_UDP)
        return false;
    char *key = key_of(path, m);
    const struct kept *k = map_get(a->kept, key);
    const struct pres_sip_path back = way_back(path, m);
    bool known = k || map_get(a->owed, key);
    if (k)
        pres_sip_net_send(a->net, &back, k->data, k->len);
    free(key);
    return known;
}

void pres_sip_answers_send(struct pres_sip_answers *a, const struct pres_sip_path *path,
                           const struct pres_sip_message *m, const char *data, size_t len)
{
    const struct pres_sip_path back = way_back(path, m);
    pres_sip_net_send(a->net, &back, data, len);
    if (path->transport == PRES_SIP_UDP)
        keep(a, key_of(path, m), data, len);
}

void pres_sip_answers_owe(struct pres_sip_answers *a, struct pres_sip_owed **list, const struct pres_sip_path *path,
                          const struct pres_sip_message *m, const char *data, size_t len)
{
    struct pres_sip_owed *o = mem_calloc(1, sizeof *o + len);
    o->back = way_back(path, m);
    o->len = len;
    memcpy(o->data, data, len);
    if (path->transport == PRES_SIP_UDP) {
        o->key = key_of(path, m);
        map_put(a->owed, o->key, o);
    }
    while (*list)
        list = &(*list)->next;
    *list = o;
}

void pres_sip_answers_pay(struct pres_sip_answers *a, struct pres_sip_owed **list)
{
    for (struct pres_sip_owed *o = *list; o; o = o->next) {
        pres_sip_net_send(a->net, &o->back, o->data, o->len);
        if (o->key)
            keep(a, mem_strdup(o->key), o->data, o->len);
    }
    pres_sip_answers_waive(a, list);
}

void pres_sip_answers_waive(struct pres_sip_answers *a, struct pres_sip_owed **list)
{
    while (*list) {
        struct pres_sip_owed *o = *list;
        *list = o->next;
        if (o->key)
            map_del(a->owed, o->key);
        free(o->key);
        free(o);
    }
}

/* Takes the key. */
static void keep(struct pres_sip_answers *a, char *key, const char *data, size_t len)
{
    if (map_get(a->kept, key)) {
        free(key);
        return;
    }
    struct kept *k = mem_calloc(1, sizeof *k + len);
    k->key = key;
    k->until_ms = clk_mono_ms(loop_clk(a->loop)) + KEEP_MS;
    k->len = len;
    memcpy(k->data, data, len);
    if (map_count(a->kept) >= KEPT_MAX)
        drop_first(a);
    map_put(a->kept, k->key, k);
    *a->end = k;
    a->end = &k->next;
    if (!loop_timer_armed(a->timer))
        loop_timer_in(a->timer, KEEP_MS);
}

/* RFC 3261 17.2.3; with the sender, so that nobody can ask for somebody else's answer. */
static char *key_of(const struct pres_sip_path *path, const struct pres_sip_message *m)
{
    char from[UDP_TEXT_MAX];
    return mem_printf("%s %s %u %s %s %s", udp_peer_text(&path->peer, from), m->branch, m->cseq, m->method, m->call_id,
                      m->from_tag ? m->from_tag : "");
}

/* RFC 3261 18.2.2: without rport to the port that the Via names, at the address that it came from. */
static struct pres_sip_path way_back(const struct pres_sip_path *path, const struct pres_sip_message *m)
{
    struct pres_sip_path back = *path;
    char host[UDP_TEXT_MAX];
    if (path->transport == PRES_SIP_UDP && !m->rport)
        udp_peer(&back.peer, udp_peer_host(&path->peer, host), m->via_port ? m->via_port : 5060);
    return back;
}

static void drop_first(struct pres_sip_answers *a)
{
    struct kept *k = a->first;
    a->first = k->next;
    if (!a->first)
        a->end = &a->first;
    map_del(a->kept, k->key);
    free(k->key);
    free(k);
}

static void on_timer(void *arg)
{
    struct pres_sip_answers *a = arg;
    int64_t now = clk_mono_ms(loop_clk(a->loop));
    while (a->first && a->first->until_ms <= now)
        drop_first(a);
    if (a->first)
        loop_timer_in(a->timer, a->first->until_ms - now);
}
