/*
 * pub_sip_watch: subscriptions from the notifier's side (RFC 6665 4.2): made, prolonged, ended. What was agreed is kept
 * (pub_sip_keep.c) before it is said: who was answered 200 is told of changes, whatever becomes of us.
 *
 * Notifications go back the way by which the last SUBSCRIBE came, never to an address that it merely names. Somebody
 * who does not exist is watched like somebody of whom nothing is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "presence/viewer.h"
#include "pub_sip_server.h"
#include "pub_text.h"

enum { USUAL_S = 3600, WATCHES_PER_PERSON = 5000, ADDRESS_MAX = 1000, UNSAFE_MAX = 8 };

static bool sound(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                  int64_t *ret_expires_s);
static struct sip_watch *begin(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                               const char *key);
static struct sip_watched *watched_get(struct sip_server *s, const char *address, const char *entity);
static char *routes_of(const struct pres_sip_message *m);
static void go_on(struct sip_watch *w, const struct pres_sip_path *path, const struct pres_sip_message *m,
                  int64_t expires_s);
static void agree(struct sip_watch *w, const struct pres_sip_message *m, int64_t expires_s, bool later);
static void on_timer(void *arg);
static char *key_of(const struct sip_server *s, const struct pres_sip_message *m);
static void set_text(char **text, char *by);

void pres_sip_watch_request(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                            const char *account)
{
    int64_t expires_s;
    if (!sound(s, path, m, &expires_s))
        return;
    char *key = key_of(s, m);
    struct sip_watch *w = map_get(s->watches, key);
    if (!w && m->to_tag) {
        pres_sip_server_answer(s, path, m, 481, "Subscription Does Not Exist", "");
    } else if (w && m->cseq <= w->cseq_in) {
        pres_sip_server_answer(s, path, m, 500, "CSeq Out Of Order", "");
    } else {
        w = w ? w : begin(s, path, m, key);
        if (w) {
            set_text(&w->account, mem_strdup(account));
            go_on(w, path, m, expires_s);
        }
    }
    free(key);
}

struct sip_watch *pres_sip_watch_new(struct sip_server *s, const char *address, const char *entity, const char *key)
{
    struct sip_watched *of = map_count(s->watches) < s->max_watchers ? watched_get(s, address, entity) : NULL;
    if (!of || of->count >= WATCHES_PER_PERSON)
        return NULL;
    size_t len = strlen(key) + 1;
    struct sip_watch *w = mem_calloc(1, sizeof *w + len);
    memcpy(w->key, key, len);
    w->server = s;
    w->watched = of;
    w->next = of->first;
    w->link = &of->first;
    if (w->next)
        w->next->link = &w->next;
    of->first = w;
    of->count++;
    w->told_ms = -1000000;
    w->timer = loop_timer_new(s->loop, "sip watch", on_timer, w);
    map_put(s->watches, w->key, w);
    return w;
}

void pres_sip_watch_settle(struct sip_watch *w)
{
    bool asked = w->owed != NULL;
    pres_sip_answers_pay(w->server->answers, &w->owed);
    if (asked)
        pres_sip_notify_beside(w, true);
    else
        pres_sip_watch_arm(w);
}

enum pres_delivered pres_sip_watch_deliver(struct sip_server *s, struct pres_delivery *d)
{
    char *address = str_lower(mem_strdup(d->address));
    struct sip_watched *of = map_get(s->watched, address);
    uint64_t saying = pres_text_hash(d->now);
    enum pres_delivered result = PRES_DELIVERED;
    free(address);
    if (!of || (of->told == saying && !d->again))
        return PRES_DELIVERED;
    for (struct sip_watch *w = of->first; w && !d->again; w = w->next)
        w->changed = true;
    of->told = saying;
    for (struct sip_watch *w = of->first, *next; w && result == PRES_DELIVERED; w = next) {
        next = w->next;
        if (!w->changed || w->call)
            continue;
        if (d->sent == d->budget)
            result = PRES_MORE;
        else
            d->sent += pres_sip_notify(w, false);
    }
    return result;
}

bool pres_sip_watch_farewell(struct sip_server *s)
{
    size_t pos = 0;
    for (struct sip_watch *w; (w = map_next(s->watches, &pos));) {
        bool told = w->ending != NULL;
        w->ending = "deactivated";
        if (!told || !w->call)
            pres_sip_notify_beside(w, true);
    }
    return map_count(s->watches) == 0;
}

void pres_sip_watch_each(const void *server, void (*fn)(void *arg, pres_id id), void *arg)
{
    const struct sip_server *s = server;
    size_t pos = 0;
    for (const struct sip_watched *of; (of = map_next(s->watched, &pos));) {
        pres_id id = of->first ? pres_viewer_find(pres_publisher_viewer(s->publisher), NULL, of->address) : PRES_NOBODY;
        if (id != PRES_NOBODY) /* they may also ask for somebody who does not exist */
            fn(arg, id);
    }
}

void pres_sip_watch_free_all(struct sip_server *s)
{
    size_t pos = 0;
    for (struct sip_watch *w; (w = map_next(s->watches, &pos));)
        pres_sip_watch_free(w);
}

pres_id pres_sip_watch_person(const struct sip_server *s, const struct pres_sip_uri *uri, struct buf *out)
{
    struct udp_peer peer;
    bool numeric = uri->host && udp_peer(&peer, uri->host, 1);
    const char *user = uri->user ? uri->user : "", *hosts[3] = {NULL};
    unsigned count = 0;
    if (strchr(user, '@'))
        hosts[count++] = "";
    if (!numeric && uri->host)
        hosts[count++] = uri->host;
    if (s->domain)
        hosts[count++] = s->domain;
    for (unsigned i = 0; i < count; i++) {
        buf_reset(out);
        buf_addf(out, "%s%s%s", user, hosts[i][0] ? "@" : "", hosts[i]);
        pres_id id = out->failed ? PRES_NOBODY : pres_viewer_find(pres_publisher_viewer(s->publisher), NULL, out->data);
        if (id != PRES_NOBODY) {
            buf_reset(out);
            buf_adds(out, pres_table_publish_as(s->table, id));
            return id;
        }
    }
    return PRES_NOBODY;
}

/* What is asked for, or an answer that says why not. */
static bool sound(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                  int64_t *ret_expires_s)
{
    const char *require = pres_sip_head_get(&m->head, "Require"), *accept = pres_sip_head_get(&m->head, "Accept");
    int64_t expires_s = pres_sip_number(m, "Expires");
    char more[200];
    if (!pres_sip_lists(m, "Event", "presence")) {
        pres_sip_server_answer(s, path, m, 489, "Bad Event", "Allow-Events: presence\r\n");
    } else if (require) {
        snprintf(more, sizeof more, "Unsupported: %.100s\r\n", require);
        pres_sip_server_answer(s, path, m, 420, "Bad Extension", more);
    } else if (accept && !pres_sip_lists(m, "Accept", "application/pidf+xml") && !pres_sip_lists(m, "Accept", "*/*") &&
               !pres_sip_lists(m, "Accept", "application/*")) {
        pres_sip_server_answer(s, path, m, 406, "Not Acceptable", "Accept: application/pidf+xml\r\n");
    } else if (!m->has_contact || !m->contact.host || !m->from_tag || !m->uri.host) {
        pres_sip_server_answer(s, path, m, 400, "Bad Request", "");
    } else if (expires_s > 0 && expires_s < s->min_expires_s) {
        snprintf(more, sizeof more, "Min-Expires: %lld\r\n", (long long)s->min_expires_s);
        pres_sip_server_answer(s, path, m, 423, "Interval Too Brief", more);
    } else {
        expires_s = expires_s < 0 ? USUAL_S : expires_s;
        *ret_expires_s = expires_s < s->expires_s ? expires_s : s->expires_s;
        return true;
    }
    s->refused++;
    return false;
}

static struct sip_watch *begin(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                               const char *key)
{
    char tag[SIP_TAG_MAX];
    struct buf address;
    buf_init(&address, ADDRESS_MAX);
    pres_sip_watch_person(s, &m->uri, &address); /* for somebody who does not exist, what was asked for */
    str_lower(address.data);
    struct sip_watch *w = address.failed ? NULL : pres_sip_watch_new(s, address.data, m->uri.text, key);
    if (w) {
        w->unkept = pres_sip_watch_nameless(s, address.data, m);
        w->local = mem_printf("%s;tag=%s", m->to, pres_sip_server_tag(s, m, tag));
        w->remote = mem_strdup(m->from);
        w->call_id = mem_strdup(m->call_id);
        w->event = mem_strdup(pres_sip_head_get(&m->head, "Event"));
        w->routes = routes_of(m);
    } else {
        s->refused++;
        pres_sip_server_answer(s, path, m, 503, "Too Many Watchers", "Retry-After: 600\r\n");
    }
    buf_free(&address);
    return w;
}

static struct sip_watched *watched_get(struct sip_server *s, const char *address, const char *entity)
{
    struct sip_watched *of = map_get(s->watched, address);
    size_t len = strlen(address) + 1;
    if (of)
        return of;
    of = mem_calloc(1, sizeof *of + len);
    memcpy(of->address, address, len);
    of->entity = mem_strdup(entity);
    map_put(s->watched, of->address, of);
    return of;
}

static char *routes_of(const struct pres_sip_message *m)
{
    struct buf out;
    buf_init(&out, 32768);
    for (unsigned i = 0; i < m->route_count; i++)
        buf_addf(&out, "Route: %s\r\n", m->routes[i]);
    char *ret = mem_strdup(out.data);
    buf_free(&out);
    return ret;
}

static void go_on(struct sip_watch *w, const struct pres_sip_path *path, const struct pres_sip_message *m,
                  int64_t expires_s)
{
    struct sip_server *s = w->server;
    char host[UDP_TEXT_MAX];
    pres_sip_net_need(s->net, w->path.connection, -1);
    pres_sip_net_need(s->net, path->connection, 1);
    w->path = *path;
    w->cseq_in = m->cseq;
    set_text(&w->target, mem_strdup(m->contact.text));
    bool same = strcmp(udp_peer_host(&path->peer, host), m->contact.host) == 0 && m->route_count == 0;
    w->call_back_port = same ? m->contact.port ? m->contact.port : 5060 : 0;
    w->ends_ms = clk_mono_ms(loop_clk(s->loop)) + expires_s * 1000;
    w->ending = expires_s == 0 ? "timeout" : NULL;
    w->restored = w->called_back = false;
    set_text(&w->contact, pres_sip_server_contact(s, &w->path));
    if (expires_s == 0 || w->unsafe >= UNSAFE_MAX) { /* who asks so often is not heard out */
        pres_sip_answers_pay(s->answers, &w->owed);
        agree(w, m, expires_s, false);
        pres_sip_notify_beside(w, true);
        return;
    }
    bool later = pres_sip_watch_keep(w);
    agree(w, m, expires_s, later);
    if (later)
        pres_sip_watch_arm(w);
    else
        pres_sip_notify_beside(w, true);
}

static void agree(struct sip_watch *w, const struct pres_sip_message *m, int64_t expires_s, bool later)
{
    struct sip_server *s = w->server;
    struct buf more;
    buf_init(&more, 32768);
    for (unsigned i = 0; i < m->route_count; i++)
        buf_addf(&more, "Record-Route: %s\r\n", m->routes[i]);
    buf_addf(&more, "Contact: %s\r\nExpires: %lld\r\n", w->contact, (long long)expires_s);
    if (later)
        pres_sip_server_owe(s, &w->owed, &w->path, m, 200, "OK", more.data);
    else
        pres_sip_server_answer(s, &w->path, m, 200, "OK", more.data);
    buf_free(&more);
}

static void on_timer(void *arg)
{
    struct sip_watch *w = arg;
    if (w->owed) { /* the disk hangs: better an answer that a crash may undo than none */
        pres_sip_watch_settle(w);
        return;
    }
    if (!w->ending && clk_mono_ms(loop_clk(w->server->loop)) >= w->ends_ms)
        w->ending = "timeout";
    if (w->changed || w->ending)
        pres_sip_notify_beside(w, w->ending != NULL);
    else
        pres_sip_watch_arm(w);
}

static char *key_of(const struct sip_server *s, const struct pres_sip_message *m)
{
    char tag[SIP_TAG_MAX];
    return mem_printf("%s\n%s\n%s", m->call_id, m->from_tag, m->to_tag ? m->to_tag : pres_sip_server_tag(s, m, tag));
}

static void set_text(char **text, char *by)
{
    free(*text);
    *text = by;
}
