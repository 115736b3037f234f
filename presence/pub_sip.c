/*
 * pub_sip: the middle of the outlet that publishes to a SIP presence server. publisher.c calls its ops; it finds the
 * server (sip_target.c), connects, greets (OPTIONS: whoever answers anything is there), delivers states as publications
 * (pub_sip_publish.c), and hands on what the server sends. See pub_sip.h for the other files.
 *
 * Hosts are tried in the order of their records; when the last has failed, the publisher waits, and the next connection
 * begins with a new search.
 */
#include "pub_sip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "presence/viewer.h"
#include "pub_text.h"

enum { EXPIRES_S = 600, WINDOW = 200, SETTLE_MS = 30000, LARGE_REFUSED_MS = 600000 };

static struct pub_sip *outlet_new(struct loop *loop, struct pres_table *table, const struct pres_sip_settings *s);
static void outlet_connect(void *outlet);
static void outlet_disconnect(void *outlet, const char *why);
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d);
static bool aor_of(const struct pub_sip *x, const char *address, struct buf *out);
static bool outlet_farewell(void *outlet);
static void outlet_people_changed(void *outlet);
static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max);
static void outlet_free(void *outlet);
static void on_start_failed(void *arg);
static void on_targets(void *arg, const struct pres_sip_target *targets, size_t count);
static void try_target(struct pub_sip *x);
static void on_name(void *arg, const char *address, enum io_end why, const char *text);
static void next_target(struct pub_sip *x, const char *code, const char *text);
static void on_opened(void *arg, uint64_t connection);
static void on_lost(void *arg, uint64_t connection, const char *code, const char *text);
static void on_room(void *arg);
static void greet(struct pub_sip *x);
static void on_greeted(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);
static void on_message(void *arg, const struct pres_sip_path *path, const struct pres_sip_message *m);
static void on_paused(void *arg);
static void on_settled(void *arg);

static const struct pres_outlet_ops ops = {
    .kind = "sip",
    .connect = outlet_connect,
    .disconnect = outlet_disconnect,
    .deliver = outlet_deliver,
    .farewell = outlet_farewell,
    .people_changed = outlet_people_changed,
    .counts = outlet_counts,
    .free = outlet_free,
};

struct pres_publisher *pres_sip_new(struct loop *loop, struct pres_table *table,
                                    const struct pres_publisher_settings *publisher, const struct pres_sip_settings *s,
                                    char *why, size_t why_size)
{
    struct pub_sip *x = outlet_new(loop, table, s);
    const char *wrong = pres_sip_server_parse(s->server, &x->server);
    if (wrong)
        snprintf(why, why_size, "server: %s %s", s->server, wrong);
    if (!pres_sip_doc_init(&x->doc, &s->looks, why, why_size) || wrong) {
        outlet_free(x);
        return NULL;
    }
    x->publisher = pres_publisher_new(loop, table, publisher, &ops, x);
    pres_pub_sip_load(x);
    return x->publisher;
}

const char *pres_sip_server_wrong(const char *uri)
{
    struct pres_sip_server server;
    return pres_sip_server_parse(uri, &server);
}

bool pres_sip_server_tls(const char *uri)
{
    struct pres_sip_server s;
    return !pres_sip_server_parse(uri, &s) &&
           (s.transport == PRES_SIP_TLS || (!s.transport_told && !s.numeric && !s.port));
}

void pres_pub_sip_down(struct pub_sip *x, const char *code, const char *text, bool slow)
{
    char copy[200];
    snprintf(copy, sizeof copy, "%s", text);
    outlet_disconnect(x, code);
    pres_publisher_down(x->publisher, code, copy, slow);
}

static struct pub_sip *outlet_new(struct loop *loop, struct pres_table *table, const struct pres_sip_settings *s)
{
    struct pub_sip *x = mem_calloc(1, sizeof *x);
    x->loop = loop;
    x->table = table;
    x->store = s->store;
    x->domain = mem_strdup_or_null(s->domain);
    x->self = mem_strdup(s->self ? s->self : "freebusyd");
    x->user = mem_strdup(s->user ? s->user : x->self);
    x->name_server = mem_strdup_or_null(s->name_server);
    x->password = s->password;
    x->password_arg = s->password_arg;
    x->tls = s->tls;
    x->expires_s = s->expires_s ? s->expires_s : EXPIRES_S;
    x->window = s->window ? s->window : WINDOW;
    x->account.user = x->user;
    x->publications = map_new();
    buf_init(&x->body, PUB_SIP_BODY_MAX);
    x->start_timer = loop_timer_new(loop, "sip start", on_start_failed, x);
    x->pause_timer = loop_timer_new(loop, "sip pause", on_paused, x);
    x->settle_timer = loop_timer_new(loop, "sip settle", on_settled, x);
    loop_timer_in(x->settle_timer, SETTLE_MS);
    pres_pub_sip_self_init(x);
    return x;
}

static void outlet_connect(void *outlet)
{
    static const struct pres_sip_net_handler handler = {on_message, on_opened, on_lost, on_room};
    struct pub_sip *x = outlet;
    struct secret *old = NULL;
    x->start_why[0] = '\0';
    old = (struct secret *)(uintptr_t)x->account.password;
    secret_free(&old);
    x->account.password = x->password ? x->password(x->password_arg, x->start_why, sizeof x->start_why) : NULL;
    if (!x->account.password && x->start_why[0]) {
        x->start_code = "secret-unreadable";
        loop_timer_in(x->start_timer, 0);
        return;
    }
    x->net = pres_sip_net_new(x->loop, &handler, x);
    x->client = pres_sip_client_new(x->loop, x->net, &x->account);
    x->search = pres_sip_search_new(x->loop, &x->server, x->name_server, on_targets, x);
}

static void outlet_disconnect(void *outlet, const char *why)
{
    struct pub_sip *x = outlet;
    size_t pos = 0;
    log_debug("sip", "disconnect why=%s", why);
    x->up = false;
    loop_timer_stop(x->start_timer);
    loop_timer_stop(x->pause_timer);
    pres_sip_search_cancel(&x->search);
    io_name_cancel(&x->name);
    pres_sip_call_cancel(&x->hello);
    pres_pub_sip_self_stop(x);
    for (struct publication *p; (p = map_next(x->publications, &pos));)
        pres_pub_sip_cancel(p);
    pres_sip_client_free(&x->client);
    pres_sip_net_free(&x->net);
    memset(&x->path, 0, sizeof x->path);
    memset(&x->large, 0, sizeof x->large);
}

static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d)
{
    struct pub_sip *x = outlet;
    struct buf aor;
    enum pres_delivered result = PRES_DELIVERED;
    if (!pres_pub_sip_room(x))
        return PRES_FULL;
    buf_init(&aor, 4096);
    if (aor_of(x, d->address, &aor)) {
        struct publication *p = pres_pub_sip_get(x, aor.data, d->address);
        uint64_t saying = pres_text_hash(d->now);
        bool unread = d->now->state == PRES_UNKNOWN && d->now->as_of == 0;
        bool early = p->told == 0 && unread && loop_timer_armed(x->settle_timer);
        bool news = d->resync || p->due || p->told != saying || !p->tag;
        p->id = d->id;
        if (p->call)
            p->changed = p->changed || p->telling != saying;
        else if (news && !early && !p->going && clk_mono_ms(loop_clk(x->loop)) >= p->not_before) {
            bool sent = pres_pub_sip_publish(p, d->now);
            d->sent += sent;
            result = sent ? PRES_DELIVERED : PRES_FULL;
        }
    }
    buf_free(&aor);
    return result;
}

/* False: somebody who is not published here. */
static bool aor_of(const struct pub_sip *x, const char *address, struct buf *out)
{
    const char *at = strrchr(address, '@');
    return at && (!x->domain || str_eq_nocase(at + 1, x->domain)) && pres_pidf_entity(out, "sip:", address);
}

/* Removes everything that we published, as far as there is room; true when nothing is left. */
static bool outlet_farewell(void *outlet)
{
    struct pub_sip *x = outlet;
    size_t pos = 0;
    if (!x->leaving)
        for (struct publication *p; (p = map_next(x->publications, &pos));)
            pres_pub_sip_go(p);
    x->leaving = true;
    pres_pub_sip_remove_going(x);
    return map_count(x->publications) == 0;
}

static void outlet_people_changed(void *outlet)
{
    struct pub_sip *x = outlet;
    size_t pos = 0;
    for (struct publication *p; (p = map_next(x->publications, &pos));) {
        pres_id id = pres_viewer_find(pres_publisher_viewer(x->publisher), NULL, p->address);
        if (id != PRES_NOBODY && !str_eq_nocase(pres_table_publish_as(x->table, id), p->address))
            id = PRES_NOBODY;
        p->id = id;
        if (id == PRES_NOBODY)
            pres_pub_sip_go(p);
    }
    if (x->up)
        pres_pub_sip_remove_going(x);
}

static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max)
{
    const struct pub_sip *x = outlet;
    const struct pres_count all[] = {
        {"publications", "People published.", map_count(x->publications)},
        {"under_way", "Requests that wait for an answer.", x->client ? pres_sip_client_waiting(x->client) : 0},
        {"retransmitted", "Requests sent again since the connection.",
         x->client ? pres_sip_client_repeats(x->client) : 0},
        {"refreshed", "Publications prolonged.", x->refreshed},
        {"forgotten", "Publications that the server had forgotten.", x->conflicts},
        {"ghosts", "Publications of ours that the server may show beside a newer one until they end.", x->ghosts},
        {"refused", "Publications that the server refused.", x->refused},
        {"pauses", "Times the server wanted to be left alone.", x->pauses},
    };
    return pres_counts_copy(rows, max, all, sizeof all / sizeof all[0]);
}

static void outlet_free(void *outlet)
{
    struct pub_sip *x = outlet;
    struct secret *password = (struct secret *)(uintptr_t)x->account.password;
    size_t pos = 0;
    outlet_disconnect(x, "freed");
    for (struct publication *p; (p = map_next(x->publications, &pos));)
        pres_pub_sip_forget(p);
    map_free(&x->publications);
    secret_free(&password);
    loop_timer_free(&x->start_timer);
    loop_timer_free(&x->pause_timer);
    loop_timer_free(&x->settle_timer);
    loop_timer_free(&x->self_timer);
    pres_sip_doc_free(&x->doc);
    buf_free(&x->body);
    free(x->domain);
    free(x->self);
    free(x->user);
    free(x->name_server);
    free(x);
}

static void on_start_failed(void *arg)
{
    struct pub_sip *x = arg;
    pres_pub_sip_down(x, x->start_code, x->start_why, false);
}

static void on_targets(void *arg, const struct pres_sip_target *targets, size_t count)
{
    struct pub_sip *x = arg;
    x->search = NULL;
    if (count == 0) {
        pres_pub_sip_down(x, "dns-timeout", "no name server answered", false);
        return;
    }
    memcpy(x->targets, targets, count * sizeof *targets);
    x->target_count = count;
    x->target = 0;
    try_target(x);
}

static void try_target(struct pub_sip *x)
{
    const struct pres_sip_target *t = &x->targets[x->target];
    if (t->transport == PRES_SIP_UDP) {
        x->name = io_name_find(x->loop, t->host, on_name, x);
        return;
    }
    struct tls *tls = t->transport == PRES_SIP_TLS ? x->tls : NULL;
    x->path.transport = t->transport;
    x->path.connection = pres_sip_net_connect(x->net, t->host, t->port, tls, x->server.host);
}

static void on_name(void *arg, const char *address, enum io_end why, const char *text)
{
    struct pub_sip *x = arg;
    char problem[200] = "";
    x->name = NULL;
    x->path.transport = PRES_SIP_UDP;
    if (!address || !udp_peer(&x->path.peer, address, x->targets[x->target].port)) {
        next_target(x, io_end_code(why), text);
        return;
    }
    x->path.socket = strchr(address, ':') != NULL; /* ours are two: one for each kind of address */
    if (!pres_sip_net_port(x->net, PRES_SIP_UDP) &&
        (!pres_sip_net_bind(x->net, "0.0.0.0", 0, problem, sizeof problem) ||
         (!pres_sip_net_bind(x->net, "::", 0, problem, sizeof problem) && x->path.socket == 1))) {
        next_target(x, "udp-refused", problem);
        return;
    }
    greet(x);
}

/* This one failed. */
static void next_target(struct pub_sip *x, const char *code, const char *text)
{
    if (++x->target < x->target_count)
        try_target(x);
    else
        pres_pub_sip_down(x, code, text, false);
}

static void on_opened(void *arg, uint64_t connection)
{
    struct pub_sip *x = arg;
    if (connection == x->path.connection && !x->up)
        greet(x);
}

static void on_lost(void *arg, uint64_t connection, const char *code, const char *text)
{
    struct pub_sip *x = arg;
    if (connection == x->large.connection) {
        x->large_refused_until = clk_mono_ms(loop_clk(x->loop)) + LARGE_REFUSED_MS;
        pres_sip_client_lost(x->client, connection);
    } else if (connection == x->path.connection && x->up) {
        pres_pub_sip_down(x, code, text, false);
    } else if (connection == x->path.connection) {
        pres_sip_call_cancel(&x->hello);
        next_target(x, code, text);
    }
}

static void on_room(void *arg)
{
    struct pub_sip *x = arg;
    if (x->up)
        pres_publisher_room(x->publisher);
}

static void greet(struct pub_sip *x)
{
    struct buf head, uri, aor;
    const char *domain = x->domain ? x->domain : x->server.host;
    buf_init(&head, 4096);
    buf_init(&uri, 1024);
    buf_init(&aor, 1024);
    buf_addf(&uri, strchr(domain, ':') ? "sip:[%s]" : "sip:%s", domain);
    buf_addf(&aor, strchr(domain, ':') ? "sip:%s@[%s]" : "sip:%s@%s", x->self, domain);
    pres_pub_sip_head(&head, aor.data, "presence");
    struct pres_sip_request r = {.method = "OPTIONS", .uri = uri.data, .cseq = 1, .rest = head.data, .body = ""};
    x->hello = pres_sip_client_send(x->client, &x->path, &r, on_greeted, x);
    if (!x->hello) {
        x->start_code = "sip-timeout";
        snprintf(x->start_why, sizeof x->start_why, "nothing can be sent there");
        loop_timer_in(x->start_timer, 0);
    }
    buf_free(&head);
    buf_free(&uri);
    buf_free(&aor);
}

static void on_greeted(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct pub_sip *x = arg;
    x->hello = NULL;
    x->heard_at = clk_mono_ms(loop_clk(x->loop));
    if (end == PRES_SIP_UNKNOWN_US && x->account.password) {
        pres_pub_sip_down(x, "sip-not-authorized", "the server does not take our name and password", true);
    } else if (end == PRES_SIP_TIMEOUT || end == PRES_SIP_LOST) {
        next_target(x, "sip-timeout", "the server does not answer");
    } else if (answer->status == 503) {
        next_target(x, "sip-503", "the server says that it is not available");
    } else {
        x->up = true;
        pres_publisher_up(x->publisher);
        pres_pub_sip_self_start(x);
    }
}

static void on_message(void *arg, const struct pres_sip_path *path, const struct pres_sip_message *m)
{
    struct pub_sip *x = arg;
    struct buf answer;
    if (!m->request) {
        pres_sip_client_take(x->client, m);
        return;
    }
    bool notify = strcmp(m->method, "NOTIFY") == 0, ours = notify && pres_pub_sip_self_take(x, m);
    if (strcmp(m->method, "ACK") == 0)
        return;
    buf_init(&answer, 32768);
    pres_sip_answer_begin(&answer, m,
                          ours     ? 200
                          : notify ? 481
                                   : 405,
                          ours     ? "OK"
                          : notify ? "Subscription Does Not Exist"
                                   : "Method Not Allowed",
                          "fb");
    buf_adds(&answer, "Allow: NOTIFY\r\nContent-Length: 0\r\n\r\n");
    if (!answer.failed)
        pres_sip_net_send(x->net, path, answer.data, answer.len);
    buf_free(&answer);
}

static void on_paused(void *arg)
{
    struct pub_sip *x = arg;
    if (x->up)
        pres_publisher_room(x->publisher);
    if (x->up && x->going > 0)
        pres_pub_sip_remove_going(x);
}

/* Who has not been read by now is unknown; and whoever is gone since our last run is removed. */
static void on_settled(void *arg)
{
    struct pub_sip *x = arg;
    pres_publisher_people_changed(x->publisher);
}
