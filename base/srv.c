/*
 * srv: one question to the name servers, over udp.c. libevent's resolver knows addresses only, and the C library's
 * waits; so the question is asked here: each server in turn, twice around, a new socket and number for each attempt, so
 * that a stranger has both to guess. The C library's parser reads the answer. Called by whoever has a domain and needs
 * a host (the SIP outlet, the discovery of calendar servers).
 */
#include "base/srv.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/udp.h"

enum { WAIT_MS = 2500, ROUNDS = 2, SERVERS_MAX = 4, QUESTION_MAX = 600, TEXT_MAX = 2048 };

struct srv {
    struct loop *loop;
    srv_fn *fn;
    void *arg;
    int type; /* ns_t_srv, ns_t_naptr or ns_t_txt */
    char name[SRV_NAME_MAX];
    struct udp_peer servers[SERVERS_MAX];
    unsigned server_count, attempt;
    struct udp *socket;
    struct loop_timer *late;
    unsigned id; /* of the question under way */
    struct srv_host hosts[SRV_MAX];
    struct srv_rule rules[SRV_MAX];
    char text[TEXT_MAX];
    size_t count;
};

static struct srv *start(struct loop *loop, const char *name, int type, const char *server, srv_fn *fn, void *arg);
static void servers_of_system(struct srv *s);
static void ask(void *arg);
static size_t question(struct srv *s, unsigned char *out);
static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len);
static bool read_answer(struct srv *s, const unsigned char *data, size_t len, enum srv_result *ret);
static bool is_name(const struct srv *s, const ns_msg *message);
static void read_record(struct srv *s, const ns_msg *message, const ns_rr *record);
static bool read_host(const ns_msg *message, const ns_rr *record, struct srv_host *ret);
static bool read_rule(const ns_msg *message, const ns_rr *record, struct srv_rule *ret);
static bool read_text(const ns_rr *record, char *text);
static bool name_at(const ns_msg *message, const unsigned char *at, char *out);
static void in_order(struct srv *s);
static int by_priority(const void *a, const void *b);
static int by_order(const void *a, const void *b);
static void draw(struct srv_host *hosts, size_t n);
static void tell(struct srv *s, enum srv_result result);
static void free_all(void *obj);

struct srv *srv_find(struct loop *loop, const char *name, const char *server, srv_fn *fn, void *arg)
{
    return start(loop, name, ns_t_srv, server, fn, arg);
}

struct srv *srv_find_rules(struct loop *loop, const char *domain, const char *server, srv_fn *fn, void *arg)
{
    return start(loop, domain, ns_t_naptr, server, fn, arg);
}

struct srv *srv_find_text(struct loop *loop, const char *name, const char *server, srv_fn *fn, void *arg)
{
    return start(loop, name, ns_t_txt, server, fn, arg);
}

void srv_cancel(struct srv **sp)
{
    struct srv *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    udp_close(&s->socket);
    loop_timer_free(&s->late);
    loop_reap(s->loop, free_all, s);
}

static struct srv *start(struct loop *loop, const char *name, int type, const char *server, srv_fn *fn, void *arg)
{
    char host[UDP_TEXT_MAX];
    unsigned port;
    struct srv *s = mem_calloc(1, sizeof *s);
    s->loop = loop;
    s->fn = fn;
    s->arg = arg;
    s->type = type;
    snprintf(s->name, sizeof s->name, "%s", name);
    if (server && io_parse_server(server, host, sizeof host, &port))
        s->server_count = udp_peer(&s->servers[0], host, port);
    else
        servers_of_system(s);
    s->late = loop_timer_new(loop, "srv", ask, s);
    loop_timer_in(s->late, 0);
    return s;
}

/* What the C library makes of /etc/resolv.conf. */
static void servers_of_system(struct srv *s)
{
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0)
        return;
    for (int i = 0; i < state.nscount && s->server_count < SERVERS_MAX; i++) {
        struct udp_peer *peer = &s->servers[s->server_count];
        const struct sockaddr_in6 *six = state._u._ext.nsaddrs[i];
        memset(peer, 0, sizeof *peer);
        if (six && six->sin6_family == AF_INET6) {
            memcpy(&peer->address, six, sizeof *six);
            peer->len = sizeof *six;
        } else {
            memcpy(&peer->address, &state.nsaddr_list[i], sizeof state.nsaddr_list[i]);
            peer->len = sizeof state.nsaddr_list[i];
        }
        s->server_count++;
    }
    res_nclose(&state);
}

/* Also when the last attempt had no answer in time. */
static void ask(void *arg)
{
    struct srv *s = arg;
    char why[200];
    unsigned char text[QUESTION_MAX];
    udp_close(&s->socket);
    size_t len = question(s, text);
    if (s->server_count == 0 || s->attempt == ROUNDS * s->server_count || len == 0) {
        tell(s, len == 0 ? SRV_NONE : SRV_LATE);
        return;
    }
    const struct udp_peer *server = &s->servers[s->attempt++ % s->server_count];
    bool six = server->address.ss_family == AF_INET6;
    s->socket = udp_open(s->loop, "srv", six ? "::" : "0.0.0.0", 0, on_datagram, s, why, sizeof why);
    bool sent = s->socket && udp_send(s->socket, server, text, len);
    loop_timer_in(s->late, sent ? WAIT_MS : 0);
}

/* 0: the name is none. */
static size_t question(struct srv *s, unsigned char *out)
{
    static const unsigned char head[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};               /* recursion, please */
    static const unsigned char large[] = {0, 0, ns_t_opt, 4096 / 256, 0, 0, 0, 0, 0, 0, 0}; /* 4096 bytes are fine */
    size_t at = sizeof head;
    memcpy(out, head, sizeof head);
    s->id = (unsigned)(crypto_random_u64() & 0xffff);
    out[0] = (unsigned char)(s->id >> 8);
    out[1] = (unsigned char)s->id;
    int n = ns_name_compress(s->name, out + at, QUESTION_MAX - 100, NULL, NULL);
    if (n < 0)
        return 0;
    at += (size_t)n;
    out[at++] = 0;
    out[at++] = (unsigned char)s->type;
    out[at++] = 0;
    out[at++] = ns_c_in;
    memcpy(out + at, large, sizeof large);
    return at + sizeof large;
}

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    struct srv *s = arg;
    enum srv_result result;
    if (!udp_peer_same(from, &s->servers[(s->attempt - 1) % s->server_count]))
        return;
    if (!read_answer(s, (const unsigned char *)data, len, &result))
        return; /* not the answer */
    if (result == SRV_LATE)
        loop_timer_in(s->late, 0); /* the next server may do better */
    else
        tell(s, result);
}

static bool read_answer(struct srv *s, const unsigned char *data, size_t len, enum srv_result *ret)
{
    ns_msg message;
    ns_rr record;
    if (len > 65535 || ns_initparse(data, (int)len, &message) != 0 || ns_msg_id(message) != s->id ||
        !ns_msg_getflag(message, ns_f_qr) || !is_name(s, &message))
        return false;
    s->count = 0;
    s->text[0] = '\0';
    int code = ns_msg_getflag(message, ns_f_rcode);
    for (int i = 0; code == ns_r_noerror && i < ns_msg_count(message, ns_s_an); i++)
        if (ns_parserr(&message, ns_s_an, i, &record) == 0)
            read_record(s, &message, &record);
    bool known = code == ns_r_noerror || code == ns_r_nxdomain;
    *ret = s->count > 0 ? SRV_FOUND : known && !ns_msg_getflag(message, ns_f_tc) ? SRV_NONE : SRV_LATE;
    in_order(s);
    return true;
}

/* Does it repeat our question? */
static bool is_name(const struct srv *s, const ns_msg *message)
{
    ns_msg copy = *message;
    ns_rr asked;
    return ns_msg_count(copy, ns_s_qd) == 1 && ns_parserr(&copy, ns_s_qd, 0, &asked) == 0 &&
           (int)ns_rr_type(asked) == s->type && str_eq_nocase(ns_rr_name(asked), s->name);
}

static void read_record(struct srv *s, const ns_msg *message, const ns_rr *record)
{
    if ((int)ns_rr_type(*record) != s->type || s->count == SRV_MAX)
        return;
    if (s->type == ns_t_txt)
        s->count += read_text(record, s->text);
    else if (s->type == ns_t_srv)
        s->count += read_host(message, record, &s->hosts[s->count]);
    else
        s->count += read_rule(message, record, &s->rules[s->count]);
}

static bool read_host(const ns_msg *message, const ns_rr *record, struct srv_host *ret)
{
    const unsigned char *at = ns_rr_rdata(*record);
    if (ns_rr_rdlen(*record) < 7)
        return false;
    ret->priority = (uint16_t)ns_get16(at);
    ret->weight = (uint16_t)ns_get16(at + 2);
    ret->port = ns_get16(at + 4);
    return name_at(message, at + 6, ret->host) && ret->host[0] && strcmp(ret->host, ".") != 0 && ret->port > 0;
}

/* order, preference, then three texts (flags, services, regexp), then a name. */
static bool read_rule(const ns_msg *message, const ns_rr *record, struct srv_rule *ret)
{
    const unsigned char *at = ns_rr_rdata(*record), *end = at + ns_rr_rdlen(*record), *texts[3];
    if (end - at < 8)
        return false;
    ret->order = (uint16_t)ns_get16(at);
    ret->preference = (uint16_t)ns_get16(at + 2);
    at += 4;
    for (unsigned i = 0; i < 3; i++) {
        if (end - at < 1 || end - at < 1 + at[0])
            return false;
        texts[i] = at;
        at += 1 + at[0];
    }
    snprintf(ret->service, sizeof ret->service, "%.*s", texts[1][0], (const char *)texts[1] + 1);
    ret->flag = texts[0][0] == 1 ? (char)(texts[0][1] & ~0x20) : '\0';
    return (ret->flag == 'S' || ret->flag == 'A') && at < end && name_at(message, at, ret->next) && ret->next[0];
}

/* Strings of up to 255 bytes, appended as lines; those that hold what no line may hold are left out. */
static bool read_text(const ns_rr *record, char *text)
{
    const unsigned char *at = ns_rr_rdata(*record), *end = at + ns_rr_rdlen(*record);
    size_t len = strlen(text);

    for (; at < end && at + 1 + at[0] <= end; at += 1 + at[0]) {
        bool clean = len + at[0] + 2 < TEXT_MAX;
        for (unsigned i = 1; i <= at[0]; i++)
            clean = clean && at[i] >= ' ' && at[i] < 127;
        if (clean)
            len += (size_t)snprintf(text + len, TEXT_MAX - len, "%.*s\n", at[0], (const char *)at + 1);
    }
    return true;
}

static bool name_at(const ns_msg *message, const unsigned char *at, char *out)
{
    if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), at, out, SRV_NAME_MAX) < 0)
        return false;
    for (const char *p = out; *p; p++)
        if ((unsigned char)*p <= ' ' || strchr("/@?#[]\"\\:", *p)) /* no host is called so */
            return false;
    return true;
}

static void in_order(struct srv *s)
{
    if (s->type == ns_t_txt)
        return;
    if (s->type == ns_t_naptr) {
        qsort(s->rules, s->count, sizeof s->rules[0], by_order);
        return;
    }
    qsort(s->hosts, s->count, sizeof s->hosts[0], by_priority);
    for (size_t i = 0, end; i < s->count; i = end) {
        for (end = i + 1; end < s->count && s->hosts[end].priority == s->hosts[i].priority; end++)
            ;
        draw(s->hosts + i, end - i);
    }
}

static int by_priority(const void *a, const void *b)
{
    const struct srv_host *x = a, *y = b;
    return x->priority != y->priority ? x->priority - y->priority : x->weight - y->weight;
}

static int by_order(const void *a, const void *b)
{
    const struct srv_rule *x = a, *y = b;
    return x->order != y->order ? x->order - y->order : x->preference - y->preference;
}

/* RFC 2782: lots by weight, those of weight 0 (first here) keep a small chance. */
static void draw(struct srv_host *hosts, size_t n)
{
    for (; n > 1; hosts++, n--) {
        uint64_t sum = 0, lot;
        size_t i = 0;
        for (size_t j = 0; j < n; j++)
            sum += hosts[j].weight;
        lot = crypto_random_u64() % (sum + 1);
        for (uint64_t reached = hosts[0].weight; reached < lot; reached += hosts[i].weight)
            i++;
        struct srv_host chosen = hosts[i];
        memmove(hosts + 1, hosts, i * sizeof *hosts);
        hosts[0] = chosen;
    }
}

static void tell(struct srv *s, enum srv_result result)
{
    struct srv_answer answer = {.result = result, .count = result == SRV_FOUND ? s->count : 0, .text = s->text};
    answer.hosts = s->type == ns_t_srv ? s->hosts : NULL;
    answer.rules = s->type == ns_t_naptr ? s->rules : NULL;
    srv_fn *fn = s->fn;
    void *arg = s->arg;
    udp_close(&s->socket);
    loop_timer_free(&s->late);
    loop_reap(s->loop, free_all, s);
    fn(arg, &answer);
}

static void free_all(void *obj)
{
    free(obj);
}
