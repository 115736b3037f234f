/*
 * sip_message: see sip_message.h. libosip2 is given only the header lines whose grammar is worth a library (addresses,
 * Via, digests), never a body; numbers and words are read here. sip_net.c calls this for each message that came.
 */
#include "sip_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/udp.h"

enum { TEXT_MAX = 20000, EXPIRES_MAX = 2000000000 };

struct reading {
    struct pres_sip_message *m;
    struct arena *a;
    osip_message_t *osip;
    bool failed;
};

static osip_message_t *parse(const struct pres_sip_head *head);
static void start(void);
static void be_quiet(const char *file, int line, osip_trace_level_t level, const char *format, va_list ap);
static bool wanted(const char *name);
static void read_all(struct reading *r, const struct udp_peer *from);
static void read_start(struct reading *r);
static void read_vias(struct reading *r, const struct udp_peer *from);
static void read_parties(struct reading *r);
static void read_routes(struct reading *r);
static void read_digest(struct reading *r);
static void read_challenges(struct reading *r, osip_list_t *list, bool proxy);
static struct pres_sip_uri read_uri(struct reading *r, osip_uri_t *uri);
static const char *keep(struct reading *r, const char *text);
static const char *keep_taken(struct reading *r, int result, char **text);
static const char *unquoted(struct reading *r, const char *text);
static const char *tag_of(struct reading *r, osip_from_t *party);
static unsigned port_of(const char *text);

bool pres_sip_read(struct pres_sip_message *m, struct arena *a, const char *data, const struct pres_sip_extent *e,
                   const struct udp_peer *from)
{
    struct reading r = {.m = m, .a = a};
    memset(m, 0, sizeof *m);
    if (!pres_sip_head_read(&m->head, a, data + e->head, e->head_len) || !(r.osip = parse(&m->head)))
        return false;
    m->body = data + e->body;
    m->body_len = e->body_len;
    read_all(&r, from);
    osip_message_free(r.osip);
    return !r.failed;
}

int64_t pres_sip_number(const struct pres_sip_message *m, const char *name)
{
    const char *value = pres_sip_head_get(&m->head, name);
    size_t len = value ? strspn(value, "0123456789") : 0;
    char digits[12];
    int64_t n;
    if (len == 0)
        return -1;
    if (len >= sizeof digits)
        return EXPIRES_MAX;
    memcpy(digits, value, len); /* Retry-After may have a comment behind */
    digits[len] = '\0';
    return str_to_int(digits, 0, INT64_MAX, &n) && n < EXPIRES_MAX ? n : EXPIRES_MAX;
}

bool pres_sip_lists(const struct pres_sip_message *m, const char *name, const char *word)
{
    size_t want = strlen(word), len;
    for (size_t i = 0; i < m->head.count; i++) {
        if (!str_eq_nocase(m->head.headers[i].name, name))
            continue;
        for (const char *at = m->head.headers[i].value, *next; at; at = next) {
            next = str_split(at, ',', &len);
            at = str_trim(at, &len);
            size_t bare = 0;
            while (bare < len && at[bare] != ';' && at[bare] != ' ')
                bare++;
            if (bare == want && str_find_nocase(at, bare, word) == at)
                return true;
        }
    }
    return false;
}

void pres_sip_answer_begin(struct buf *out, const struct pres_sip_message *m, unsigned status, const char *reason,
                           const char *tag)
{
    buf_addf(out, "SIP/2.0 %u %s\r\n", status, reason);
    for (unsigned i = 0; i < m->via_count; i++)
        buf_addf(out, "Via: %s\r\n", m->vias[i]);
    buf_addf(out, "From: %s\r\nTo: %s", m->from, m->to);
    if (!m->to_tag && tag)
        buf_addf(out, ";tag=%s", tag);
    buf_addf(out, "\r\nCall-ID: %s\r\nCSeq: %u %s\r\n", m->call_id, m->cseq, m->method);
}

static osip_message_t *parse(const struct pres_sip_head *head)
{
    osip_message_t *osip = NULL;
    struct buf text;
    start();
    buf_init(&text, TEXT_MAX);
    buf_addf(&text, "%s\r\n", head->start_line);
    for (size_t i = 0; i < head->count; i++)
        if (wanted(head->headers[i].name))
            buf_addf(&text, "%s: %s\r\n", head->headers[i].name, head->headers[i].value);
    buf_adds(&text, "\r\n");
    if (!text.failed && osip_message_init(&osip) == 0 && osip_message_parse(osip, text.data, text.len) != 0) {
        osip_message_free(osip);
        osip = NULL;
    }
    buf_free(&text);
    return osip;
}

static void start(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    parser_init();
    osip_trace_initialize_func(TRACE_LEVEL0, be_quiet); /* it would print what strangers send */
}

static void be_quiet(const char *file, int line, osip_trace_level_t level, const char *format, va_list ap)
{
    (void)file, (void)line, (void)level, (void)format, (void)ap;
}

static bool wanted(const char *name)
{
    static const char *const names[] = {
        "Via",          "From",  "To",           "Call-ID",          "CSeq",
        "Contact",      "Route", "Record-Route", "WWW-Authenticate", "Proxy-Authenticate",
        "Authorization"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, names[i]))
            return true;
    return false;
}

static void read_all(struct reading *r, const struct udp_peer *from)
{
    const osip_message_t *o = r->osip;
    if (!o->call_id || !o->from || !o->to || !o->cseq || !o->from->url || !o->to->url || osip_list_size(&o->vias) < 1) {
        r->failed = true;
        return;
    }
    read_start(r);
    read_vias(r, from);
    read_parties(r);
    read_routes(r);
    read_digest(r);
}

static void read_start(struct reading *r)
{
    struct pres_sip_message *m = r->m;
    const osip_message_t *o = r->osip;
    char *call_id = NULL;
    int64_t cseq = -1;
    m->request = o->sip_method != NULL;
    m->method = keep(r, o->cseq->method);
    m->status = o->status_code > 0 ? (unsigned)o->status_code : 0;
    m->reason = keep(r, o->reason_phrase ? o->reason_phrase : "");
    m->call_id = keep_taken(r, osip_call_id_to_str(o->call_id, &call_id), &call_id);
    if (!o->cseq->number || !str_to_int(o->cseq->number, 0, UINT32_MAX, &cseq) || !m->method || !m->call_id)
        r->failed = true;
    m->cseq = (uint32_t)cseq;
    if (!m->request) {
        r->failed = r->failed || m->status < 100 || m->status > 699;
        return;
    }
    r->failed = r->failed || !o->req_uri || !m->method || strcmp(o->sip_method, m->method) != 0;
    if (!r->failed)
        m->uri = read_uri(r, o->req_uri);
}

static void read_vias(struct reading *r, const struct udp_peer *from)
{
    struct pres_sip_message *m = r->m;
    char host[UDP_TEXT_MAX], port[16];
    osip_generic_param_t *param = NULL;
    osip_via_t *top = osip_list_get(&r->osip->vias, 0);
    int count = osip_list_size(&r->osip->vias);
    if (r->failed || count > PRES_SIP_VIAS_MAX || !top->host) {
        r->failed = true;
        return;
    }
    osip_via_param_get_byname(top, (char[]){"branch"}, &param);
    m->branch = param && param->gvalue ? keep(r, param->gvalue) : "";
    m->via_host = keep(r, top->host);
    m->via_port = port_of(top->port);
    param = NULL;
    osip_via_param_get_byname(top, (char[]){"rport"}, &param);
    m->rport = param != NULL;
    if (m->request && from) {
        if (param && !param->gvalue) {
            snprintf(port, sizeof port, "%u", udp_peer_port(from));
            param->gvalue = osip_strdup(port);
        }
        udp_peer_host(from, host);
        if (m->rport || strcmp(host, m->via_host) != 0)
            osip_via_set_received(top, osip_strdup(host));
    }
    for (int i = 0; i < count; i++) {
        char *text = NULL;
        const char *via = keep_taken(r, osip_via_to_str(osip_list_get(&r->osip->vias, i), &text), &text);
        m->vias[m->via_count++] = via;
    }
}

static void read_parties(struct reading *r)
{
    struct pres_sip_message *m = r->m;
    osip_contact_t *contact = osip_list_get(&r->osip->contacts, 0);
    char *text = NULL;
    m->from = keep_taken(r, osip_from_to_str(r->osip->from, &text), &text);
    text = NULL;
    m->to = keep_taken(r, osip_to_to_str(r->osip->to, &text), &text);
    m->from_tag = tag_of(r, r->osip->from);
    m->to_tag = tag_of(r, r->osip->to);
    m->from_uri = read_uri(r, r->osip->from->url);
    if (contact && contact->url) {
        m->has_contact = true;
        m->contact = read_uri(r, contact->url);
    }
}

static void read_routes(struct reading *r)
{
    struct pres_sip_message *m = r->m;
    int count = osip_list_size(&r->osip->record_routes);
    if (count > PRES_SIP_ROUTES_MAX) {
        r->failed = true;
        return;
    }
    for (int i = 0; i < count; i++) {
        osip_record_route_t *route = osip_list_get(&r->osip->record_routes, i);
        char *text = NULL;
        m->routes[m->route_count++] = keep_taken(r, osip_record_route_to_str(route, &text), &text);
        struct pres_sip_uri uri = route->url ? read_uri(r, route->url) : (struct pres_sip_uri){0};
        if (i == 0)
            m->first_route = uri;
        m->last_route = uri;
    }
}

static void read_digest(struct reading *r)
{
    struct pres_sip_credentials *c = &r->m->credentials;
    const osip_authorization_t *a = osip_list_get(&r->osip->authorizations, 0);
    read_challenges(r, &r->osip->www_authenticates, false);
    read_challenges(r, &r->osip->proxy_authenticates, true);
    if (!a || !a->auth_type || !str_eq_nocase(a->auth_type, "Digest"))
        return;
    r->m->has_credentials = true;
    c->user = unquoted(r, a->username);
    c->realm = unquoted(r, a->realm);
    c->nonce = unquoted(r, a->nonce);
    c->uri = unquoted(r, a->uri);
    c->response = unquoted(r, a->response);
    c->algorithm = unquoted(r, a->algorithm);
    c->cnonce = unquoted(r, a->cnonce);
    c->qop = unquoted(r, a->message_qop);
    c->nc = unquoted(r, a->nonce_count);
}

static void read_challenges(struct reading *r, osip_list_t *list, bool proxy)
{
    struct pres_sip_message *m = r->m;
    for (int i = 0; i < osip_list_size(list) && m->challenge_count < PRES_SIP_CHALLENGES_MAX; i++) {
        const osip_www_authenticate_t *w = osip_list_get(list, i);
        if (!w->auth_type || !str_eq_nocase(w->auth_type, "Digest"))
            continue;
        const char *stale = unquoted(r, w->stale);
        m->challenges[m->challenge_count++] =
            (struct pres_sip_challenge){.proxy = proxy,
                                        .stale = stale && str_eq_nocase(stale, "true"),
                                        .realm = unquoted(r, w->realm),
                                        .nonce = unquoted(r, w->nonce),
                                        .opaque = unquoted(r, w->opaque),
                                        .algorithm = unquoted(r, w->algorithm),
                                        .qop = unquoted(r, w->qop_options)};
    }
}

static struct pres_sip_uri read_uri(struct reading *r, osip_uri_t *uri)
{
    char *text = NULL;
    osip_uri_param_t *transport = NULL;
    struct pres_sip_uri ret = {.text = keep_taken(r, osip_uri_to_str(uri, &text), &text)};
    if (!uri->scheme || !uri->host) /* tel: and others have neither host nor user */
        return ret;
    osip_uri_uparam_get_byname(uri, (char[]){"transport"}, &transport);
    /* the library has undone the escapes */
    ret.user = uri->username ? keep(r, uri->username) : NULL;
    ret.host = keep(r, uri->host);
    ret.port = port_of(uri->port);
    ret.transport = transport && transport->gvalue ? keep(r, transport->gvalue) : NULL;
    ret.secure = str_eq_nocase(uri->scheme, "sips");
    return ret;
}

static const char *keep(struct reading *r, const char *text)
{
    char *copy = text ? arena_strndup(r->a, text, strlen(text)) : NULL;
    if (!copy)
        r->failed = true;
    return copy;
}

/* A text that the library made: ours to free. */
static const char *keep_taken(struct reading *r, int result, char **text)
{
    const char *copy = keep(r, result == 0 ? *text : NULL);
    osip_free(*text);
    *text = NULL;
    return copy;
}

static const char *unquoted(struct reading *r, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (!text)
        return NULL;
    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return keep(r, text);
    char *copy = arena_strndup(r->a, text + 1, len - 2), *to = copy;
    if (!copy) {
        r->failed = true;
        return NULL;
    }
    for (const char *p = copy; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        *to++ = *p;
    }
    *to = '\0';
    return copy;
}

static const char *tag_of(struct reading *r, osip_from_t *party)
{
    osip_generic_param_t *tag = NULL;
    osip_generic_param_get_byname(&party->gen_params, (char[]){"tag"}, &tag);
    return tag && tag->gvalue ? keep(r, tag->gvalue) : NULL;
}

/* 0: none, or no port. */
static unsigned port_of(const char *text)
{
    int64_t port;
    return text && str_to_int(text, 1, 65535, &port) ? (unsigned)port : 0;
}
