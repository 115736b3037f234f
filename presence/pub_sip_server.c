/*
 * pub_sip_server: the outlet that is a presence server itself: listens, says which request is what, and tells watchers
 * of changes. See pub_sip_server.h for the other files. It is no registrar and no proxy: it answers SUBSCRIBE for
 * presence, and OPTIONS to those who ask whether it is there.
 *
 * When it listens it subscribes to somebody at itself, over a socket of its own: what comes back proves the way.
 */
#include "pub_sip_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

enum { MAX_WATCHERS = 10000, EXPIRES_S = 3600, MIN_EXPIRES_S = 60, BODY_MAX = 16384 };

static struct sip_server *server_new(struct loop *loop, struct pres_table *table,
                                     const struct pres_sip_server_settings *s);
static void outlet_connect(void *outlet);
static bool listen_at(struct sip_server *s, const char *where);
static void on_started(void *arg);
static void outlet_disconnect(void *outlet, const char *why);
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d);
static bool outlet_farewell(void *outlet);
static void outlet_forget(void *outlet, const char *address);
static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max);
static void outlet_free(void *outlet);
static void on_message(void *arg, const struct pres_sip_path *path, const struct pres_sip_message *m);
static void on_request(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m);
static void on_lost(void *arg, uint64_t connection, const char *code, const char *text);
static void on_room(void *arg);
static void look_at_ourselves(struct sip_server *s);
static void on_looked(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);

static const struct pres_outlet_ops ops = {
    .kind = "sip-server",
    .connect = outlet_connect,
    .disconnect = outlet_disconnect,
    .deliver = outlet_deliver,
    .farewell = outlet_farewell,
    .forget = outlet_forget,
    .counts = outlet_counts,
    .watched = pres_sip_watch_each,
    .free = outlet_free,
};

struct pres_publisher *pres_sip_server_new(struct loop *loop, struct pres_table *table,
                                           const struct pres_publisher_settings *publisher,
                                           const struct pres_sip_server_settings *settings, char *why, size_t why_size)
{
    struct sip_server *s = server_new(loop, table, settings);
    s->rate = publisher->rate;
    if (!pres_sip_doc_init(&s->doc, &settings->looks, why, why_size)) {
        outlet_free(s);
        return NULL;
    }
    s->publisher = pres_publisher_new(loop, table, publisher, &ops, s);
    return s->publisher;
}

bool pres_sip_listen_parse(const char *text, char ret_transport[4], char *ret_host, size_t host_size,
                           unsigned *ret_port)
{
    struct udp_peer peer;
    snprintf(ret_transport, 4, "%.3s", text);
    return (str_starts(text, "udp:") || str_starts(text, "tcp:") || str_starts(text, "tls:")) &&
           io_parse_server(text + 4, ret_host, host_size, ret_port) && udp_peer(&peer, ret_host, *ret_port);
}

unsigned pres_sip_server_port(const struct pres_publisher *p, const char *transport)
{
    const struct sip_server *s = pres_publisher_outlet(p);
    enum pres_sip_transport t = strcmp(transport, "udp") == 0   ? PRES_SIP_UDP
                                : strcmp(transport, "tcp") == 0 ? PRES_SIP_TCP
                                                                : PRES_SIP_TLS;
    return s->net ? pres_sip_net_port(s->net, t) : 0;
}

static struct sip_server *server_new(struct loop *loop, struct pres_table *table,
                                     const struct pres_sip_server_settings *c)
{
    struct sip_server *s = mem_calloc(1, sizeof *s);
    s->loop = loop;
    s->table = table;
    s->listen = mem_list(c->listen, c->listen_count);
    s->listen_count = c->listen_count;
    s->trusted = mem_list(c->trusted, c->trusted_count);
    s->trusted_count = c->trusted_count;
    s->domain = mem_strdup_or_null(c->domain);
    s->realm = mem_strdup(c->domain ? c->domain : "presence");
    s->guard.realm = s->realm;
    crypto_random(s->guard.key, sizeof s->guard.key);
    s->tls = c->tls;
    s->quiet = c->quiet;
    s->password = c->password;
    s->password_arg = c->password_arg;
    s->store = c->quiet ? NULL : c->store;
    s->forgotten = c->forgotten;
    s->forgotten_arg = c->forgotten_arg;
    s->max_watchers = c->max_watchers ? c->max_watchers : MAX_WATCHERS;
    s->expires_s = c->expires_s ? c->expires_s : EXPIRES_S;
    s->min_expires_s = c->min_expires_s ? c->min_expires_s : MIN_EXPIRES_S;
    s->watches = map_new();
    s->watched = map_new();
    buf_init(&s->body, BODY_MAX);
    s->start_timer = loop_timer_new(loop, "sip server start", on_started, s);
    return s;
}

static void outlet_connect(void *outlet)
{
    static const struct pres_sip_net_handler handler = {on_message, NULL, on_lost, on_room};
    struct sip_server *s = outlet;
    s->why[0] = '\0';
    s->net = pres_sip_net_new(s->loop, &handler, s);
    s->client = pres_sip_client_new(s->loop, s->net, NULL);
    s->answers = pres_sip_answers_new(s->loop, s->net);
    for (size_t i = 0; i < s->listen_count && !s->why[0]; i++)
        if (!listen_at(s, s->listen[i]) && !s->why[0])
            snprintf(s->why, sizeof s->why, "%.100s cannot be listened at", s->listen[i]);
    loop_timer_in(s->start_timer, 0);
}

static bool listen_at(struct sip_server *s, const char *where)
{
    char transport[4], host[UDP_TEXT_MAX];
    unsigned port;
    bool any_port = str_ends(where, ":0"); /* for tests */
    char *text = any_port ? mem_printf("%.*s1", (int)strlen(where) - 1, where) : mem_strdup(where);
    bool good = pres_sip_listen_parse(text, transport, host, sizeof host, &port);
    free(text);
    if (!good)
        return false;
    port = any_port ? 0 : port;
    if (strcmp(transport, "udp") == 0)
        return pres_sip_net_bind(s->net, host, port, s->why, sizeof s->why);
    bool tls = strcmp(transport, "tls") == 0;
    return (!tls || s->tls) && pres_sip_net_listen(s->net, host, port, tls ? s->tls : NULL, s->why, sizeof s->why);
}

static void on_started(void *arg)
{
    struct sip_server *s = arg;
    char why[sizeof s->why];
    if (!s->why[0]) {
        pres_sip_watch_load(s);
        pres_publisher_up(s->publisher);
        look_at_ourselves(s);
        return;
    }
    memcpy(why, s->why, sizeof why);
    outlet_disconnect(s, "sip-listen");
    pres_publisher_down(s->publisher, "sip-listen", why, false);
}

static void outlet_disconnect(void *outlet, const char *why)
{
    struct sip_server *s = outlet;
    log_debug("sip", "presence server closes why=%s", why);
    loop_timer_stop(s->start_timer);
    s->loaded = false;
    pres_sip_call_cancel(&s->self_call);
    pres_sip_watch_free_all(s);
    pres_sip_answers_free(&s->answers);
    pres_sip_client_free(&s->client);
    pres_sip_net_free(&s->net);
}

static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d)
{
    return pres_sip_watch_deliver(outlet, d);
}

static bool outlet_farewell(void *outlet)
{
    struct sip_server *s = outlet;
    s->leaving = true;
    return pres_sip_watch_farewell(s);
}

static void outlet_forget(void *outlet, const char *address)
{
    pres_sip_watch_forget(outlet, address);
}

static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max)
{
    const struct sip_server *s = outlet;
    struct pres_sip_net_counts net = {0};
    if (s->net)
        pres_sip_net_count(s->net, &net);
    const struct pres_count all[] = {
        {"watchers", "Subscriptions of phones.", map_count(s->watches)},
        {"watched", "People that phones watch.", map_count(s->watched)},
        {"connections", "TCP and TLS connections.", net.connections},
        {"notified", "Notifications sent.", s->notified},
        {"ended", "Subscriptions that have ended.", s->ended},
        {"refused", "Requests refused.", s->refused},
        {"wrong_passwords", "Requests with a wrong password.", s->wrong},
        {"malformed", "What came and was no SIP message.", net.malformed},
    };
    return pres_counts_copy(rows, max, all, sizeof all / sizeof all[0]);
}

static void outlet_free(void *outlet)
{
    struct sip_server *s = outlet;
    if (s->net)
        outlet_disconnect(s, "freed");
    map_free(&s->watches);
    map_free(&s->watched);
    loop_timer_free(&s->start_timer);
    pres_sip_doc_free(&s->doc);
    buf_free(&s->body);
    mem_list_free(&s->listen, s->listen_count);
    mem_list_free(&s->trusted, s->trusted_count);
    free(s->domain);
    free(s->realm);
    mem_wipe(&s->guard, sizeof s->guard);
    free(s);
}

static void on_message(void *arg, const struct pres_sip_path *path, const struct pres_sip_message *m)
{
    struct sip_server *s = arg;
    if (!m->request)
        pres_sip_client_take(s->client, m);
    else if (strcmp(m->method, "ACK") != 0 && !pres_sip_answers_again(s->answers, path, m))
        on_request(s, path, m);
}

static void on_request(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m)
{
    static const char allow[] = "Allow: SUBSCRIBE, OPTIONS\r\nAllow-Events: presence\r\n";
    const char *account;
    pres_sip_watch_load(s); /* a request may be here sooner than on_started() */
    if (strcmp(m->method, "OPTIONS") == 0) {
        pres_sip_server_answer(s, path, m, 200, "OK", allow);
    } else if (strcmp(m->method, "NOTIFY") == 0) { /* only what we told ourselves can be meant for us */
        bool told = s->self_id[0] && strcmp(m->call_id, s->self_id) == 0 && m->body_len > 0;
        pres_sip_server_answer(s, path, m, told ? 200 : 481, told ? "OK" : "Subscription Does Not Exist", "");
        if (told)
            pres_publisher_proved(s->publisher);
    } else if (strcmp(m->method, "SUBSCRIBE") != 0) {
        pres_sip_server_answer(s, path, m, 405, "Method Not Allowed", allow);
    } else if (s->leaving || (s->quiet && strcmp(m->call_id, s->self_id) != 0)) {
        pres_sip_server_answer(s, path, m, 503, "Service Unavailable", "Retry-After: 10\r\n");
    } else if (pres_sip_server_admit(s, path, m, &account)) {
        pres_sip_watch_request(s, path, m, account);
    }
}

static void on_lost(void *arg, uint64_t connection, const char *code, const char *text)
{
    struct sip_server *s = arg;
    (void)code, (void)text;
    pres_sip_client_lost(s->client, connection);
}

static void on_room(void *arg)
{
    struct sip_server *s = arg;
    pres_publisher_room(s->publisher);
}

/* Over UDP or TCP, whichever is there; TLS alone would need somebody whom our certificate convinces. */
static void look_at_ourselves(struct sip_server *s)
{
    struct pres_sip_path path = {.transport = PRES_SIP_UDP};
    char here[UDP_TEXT_MAX], host[UDP_TEXT_MAX] = "127.0.0.1", transport[4];
    unsigned port = pres_sip_net_port(s->net, PRES_SIP_UDP), told;
    bool tcp = port == 0;
    if (tcp)
        port = pres_sip_net_port(s->net, PRES_SIP_TCP);
    for (size_t i = 0; i < s->listen_count; i++)
        if (str_starts(s->listen[i], tcp ? "tcp:" : "udp:"))
            pres_sip_listen_parse(s->listen[i], transport, host, sizeof host, &told);
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(host, sizeof host, strchr(host, ':') ? "::1" : "127.0.0.1");
    if (port == 0 || !udp_peer(&path.peer, host, port))
        return;
    if (tcp) {
        path.transport = PRES_SIP_TCP;
        path.connection = pres_sip_net_connect(s->net, host, port, NULL, NULL);
    }
    snprintf(s->self_id, sizeof s->self_id, "%016" PRIx64, crypto_random_u64());
    char *rest =
        mem_printf("From: <sip:freebusyd@%s>;tag=self\r\nTo: <sip:freebusyd@%s>\r\nCall-ID: %s\r\nEvent: presence\r\n"
                   "Expires: 0\r\nContact: <sip:freebusyd@%s>\r\n",
                   s->realm, s->realm, s->self_id, udp_peer_text(&path.peer, here));
    char *uri = mem_printf("sip:freebusyd@%s", s->realm);
    struct pres_sip_request r = {.method = "SUBSCRIBE", .uri = uri, .cseq = 1, .rest = rest, .body = ""};
    s->self_call = pres_sip_client_send(s->client, &path, &r, on_looked, s);
    free(uri);
    free(rest);
}

static void on_looked(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct sip_server *s = arg;
    s->self_call = NULL;
    if (end != PRES_SIP_ANSWERED || answer->status >= 300)
        log_info("sip", "watching at ourselves did not work status=%u", answer ? answer->status : 0);
}
