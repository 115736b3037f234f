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

struct pres_sip_answers {
    struct loop *loop;
    struct pres_sip_net *net;
    struct map *kept; /* by key */
    struct kept *first, **end;
    struct loop_timer *timer;
};

static char *key_of(const struct pres_sip_path *path, const struct pres_sip_message *m);
static void send_back(struct pres_sip_answers *a, const struct pres_sip_path *path, const struct pres_sip_message *m,
                      const char *data, size_t len);
static void drop_first(struct pres_sip_answers *a);
static void on_timer(void *arg);

struct pres_sip_answers *pres_sip_answers_new(struct loop *loop, struct pres_sip_net *net)
{
    struct pres_sip_answers *a = mem_calloc(1, sizeof *a);
    a->loop = loop;
    a->net = net;
    a->kept = map_new();
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
    if (k)
        send_back(a, path, m, k->data, k->len);
    free(key);
    return k != NULL;
}

void pres_sip_answers_send(struct pres_sip_answers *a, const struct pres_sip_path *path,
                           const struct pres_sip_message *m, const char *data, size_t len)
{
    send_back(a, path, m, data, len);
    if (path->transport != PRES_SIP_UDP)
        return;
    struct kept *k = mem_calloc(1, sizeof *k + len);
    k->key = key_of(path, m);
    if (map_get(a->kept, k->key)) {
        free(k->key);
        free(k);
        return;
    }
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
static void send_back(struct pres_sip_answers *a, const struct pres_sip_path *path, const struct pres_sip_message *m,
                      const char *data, size_t len)
{
    struct pres_sip_path back = *path;
    char host[UDP_TEXT_MAX];
    if (path->transport == PRES_SIP_UDP && !m->rport)
        udp_peer(&back.peer, udp_peer_host(&path->peer, host), m->via_port ? m->via_port : 5060);
    pres_sip_net_send(a->net, &back, data, len);
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
