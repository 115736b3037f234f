/*
 * sip_target: see sip_target.h. An address or a port says it all. Else the domain's NAPTR records choose the transport,
 * its SRV records the hosts; a domain that has neither is a host itself. pub_sip.c asks anew for each connection.
 */
#include "sip_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

enum { ASKS_MAX = 3 };

static const struct {
    const char *rule; /* NAPTR */
    const char *name; /* SRV */
} ways[] = {
    [PRES_SIP_UDP] = {"SIP+D2U", "_sip._udp."},
    [PRES_SIP_TCP] = {"SIP+D2T", "_sip._tcp."},
    [PRES_SIP_TLS] = {"SIPS+D2T", "_sips._tcp."},
};

struct pres_sip_search {
    struct loop *loop;
    struct pres_sip_server server;
    char *name_server;
    pres_sip_targets_fn *fn;
    void *arg;
    struct srv *srv;
    struct {
        enum pres_sip_transport transport;
        char name[SRV_NAME_MAX + 16];
    } asks[ASKS_MAX]; /* SRV questions to be asked, in order */
    unsigned ask_count, asked;
    struct pres_sip_target targets[PRES_SIP_TARGETS_MAX];
    size_t count;
    bool silent;
};

static void begin(void *arg);
static void on_rules(void *arg, const struct srv_answer *answer);
static void add_ask(struct pres_sip_search *s, enum pres_sip_transport transport, const char *name);
static void ask_next(struct pres_sip_search *s);
static void on_hosts(void *arg, const struct srv_answer *answer);
static void add_target(struct pres_sip_search *s, enum pres_sip_transport transport, const char *host, unsigned port);
static void tell(struct pres_sip_search *s);
static void free_all(void *obj);

const char *pres_sip_server_parse(const char *uri, struct pres_sip_server *ret)
{
    char text[SRV_NAME_MAX + 80];
    const char *at = str_starts_nocase(uri, "sips:") ? uri + 5 : str_starts_nocase(uri, "sip:") ? uri + 4 : NULL;
    struct udp_peer peer;
    memset(ret, 0, sizeof *ret);
    if (!at || strlen(at) >= sizeof text - 8 || strpbrk(at, "@? <>\""))
        return "is no URI of a server, such as sip:192.0.2.1:5060;transport=tcp";
    ret->secure = at == uri + 5;
    size_t len = strcspn(at, ";");
    const char *parameter = at[len] ? at + len + 1 : NULL;
    ret->transport = ret->secure ? PRES_SIP_TLS : PRES_SIP_UDP;
    ret->transport_told = ret->secure || parameter;
    if (parameter && str_eq_nocase(parameter, "transport=tcp"))
        ret->transport = ret->secure ? PRES_SIP_TLS : PRES_SIP_TCP;
    else if (parameter && str_eq_nocase(parameter, "transport=tls"))
        ret->transport = PRES_SIP_TLS;
    else if (parameter && (!str_eq_nocase(parameter, "transport=udp") || ret->secure))
        return "has a parameter other than transport=udp, tcp or tls";
    bool bracket = at[0] == '[', port = bracket ? len > 0 && at[len - 1] != ']' : memchr(at, ':', len) != NULL;
    snprintf(text, sizeof text, port ? "%.*s" : "%.*s:1", (int)len, at);
    if (!io_parse_server(text, ret->host, sizeof ret->host, &ret->port))
        return "is no URI of a server, such as sip:192.0.2.1:5060;transport=tcp";
    if (!port)
        ret->port = 0;
    ret->numeric = udp_peer(&peer, ret->host, 1);
    return NULL;
}

struct pres_sip_search *pres_sip_search_new(struct loop *loop, const struct pres_sip_server *server,
                                            const char *name_server, pres_sip_targets_fn *fn, void *arg)
{
    struct pres_sip_search *s = mem_calloc(1, sizeof *s);
    s->loop = loop;
    s->server = *server;
    s->name_server = mem_strdup_or_null(name_server);
    s->fn = fn;
    s->arg = arg;
    loop_defer(loop, begin, s);
    return s;
}

void pres_sip_search_cancel(struct pres_sip_search **sp)
{
    struct pres_sip_search *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    loop_undefer(s->loop, begin, s);
    srv_cancel(&s->srv);
    loop_reap(s->loop, free_all, s);
}

static void begin(void *arg)
{
    struct pres_sip_search *s = arg;
    const struct pres_sip_server *server = &s->server;
    if (server->numeric || server->port) {
        add_target(s, server->transport, server->host, server->port);
        tell(s);
    } else if (server->transport_told) {
        add_ask(s, server->transport, NULL);
        ask_next(s);
    } else {
        s->srv = srv_find_rules(s->loop, server->host, s->name_server, on_rules, s);
    }
}

static void on_rules(void *arg, const struct srv_answer *answer)
{
    struct pres_sip_search *s = arg;
    s->srv = NULL;
    for (size_t i = 0; i < answer->count; i++)
        for (unsigned t = 0; t < sizeof ways / sizeof ways[0]; t++)
            if (answer->rules[i].flag == 'S' && str_eq_nocase(answer->rules[i].service, ways[t].rule))
                add_ask(s, (enum pres_sip_transport)t, answer->rules[i].next);
    if (s->ask_count == 0) { /* no word of the domain about that: as we like it */
        add_ask(s, PRES_SIP_TCP, NULL);
        add_ask(s, PRES_SIP_UDP, NULL);
        add_ask(s, PRES_SIP_TLS, NULL);
    }
    ask_next(s);
}

static void add_ask(struct pres_sip_search *s, enum pres_sip_transport transport, const char *name)
{
    if (s->ask_count == ASKS_MAX)
        return;
    s->asks[s->ask_count].transport = transport;
    snprintf(s->asks[s->ask_count].name, sizeof s->asks[0].name, "%s%s", name ? "" : ways[transport].name,
             name ? name : s->server.host);
    s->ask_count++;
}

static void ask_next(struct pres_sip_search *s)
{
    if (s->asked < s->ask_count) {
        s->srv = srv_find(s->loop, s->asks[s->asked].name, s->name_server, on_hosts, s);
        return;
    }
    if (s->count == 0 && !s->silent)
        add_target(s, s->server.transport, s->server.host, 0);
    tell(s);
}

static void on_hosts(void *arg, const struct srv_answer *answer)
{
    struct pres_sip_search *s = arg;
    s->srv = NULL;
    for (size_t i = 0; i < answer->count; i++)
        add_target(s, s->asks[s->asked].transport, answer->hosts[i].host, answer->hosts[i].port);
    s->silent = s->silent || answer->result == SRV_LATE;
    s->asked++;
    ask_next(s);
}

static void add_target(struct pres_sip_search *s, enum pres_sip_transport transport, const char *host, unsigned port)
{
    if (s->count == PRES_SIP_TARGETS_MAX)
        return;
    struct pres_sip_target *t = &s->targets[s->count++];
    t->transport = transport;
    t->port = port ? port : transport == PRES_SIP_TLS ? 5061 : 5060;
    snprintf(t->host, sizeof t->host, "%s", host);
}

static void tell(struct pres_sip_search *s)
{
    pres_sip_targets_fn *fn = s->fn;
    loop_reap(s->loop, free_all, s);
    fn(s->arg, s->targets, s->count);
}

static void free_all(void *obj)
{
    struct pres_sip_search *s = obj;
    free(s->name_server);
    free(s);
}
