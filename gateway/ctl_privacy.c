/*
 * ctl_privacy: GET /ctl/privacy: what is asked of servers, read out of the very requests (davclient/asked.h), and what
 * a subscriber can get at each level of the policy: a made-up person on a made-up day, through the view and the
 * renderers that everybody's answers go through.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "ctl.h"
#include "davclient/asked.h"
#include "gateway.h"
#include "http_face.h"
#include "presence/interval.h"
#include "presence/render.h"
#include "presence/sip_doc.h"
#include "presence/view.h"

enum { HOUR_S = 3600, DAY_S = 86400, TEXT_MAX = 65536 };
static const int64_t example_day = 1795392000; /* a Monday */
static const char example_person[] = "somebody@example.com";

/* Who has which of the texts, and what is around it. */
static const struct form {
    const char *text, *where, *besides;
} forms[] = {
    {"presence", "HTTP /v1/presence and lists, /v1/events, MQTT, webhooks",
     "webhooks for chat programs: words of the site's own"},
    {"pidf", "HTTP /v1/presence with Accept: application/pidf+xml, SIP", NULL},
    {"presence", "XMPP",
     "its state as <show>, <status> and <priority>; since and until, where they are told, in <status>, in a <header> "
     "of <headers> each, and as <delay>; as an activity of people's own accounts: the state and the words of <status>"},
    {"free_busy", "HTTP /v1/freebusy, the CalDAV face", "answers to a question repeat its UID, ORGANIZER and ATTENDEE"},
    {"free_busy", "relays", "numbers, times of the data, the key and the signature, as X-FB- lines"},
    {"busy_event", "the CalDAV face: busy times as events of a calendar", NULL},
};

static struct jv *servers(bool marked);
static void add_name(void *arg, const char *name);
static struct jv *subscribers(const struct gateway *g);
static struct jv *level(const struct gateway *g, enum pres_level level, const struct pres_known *known);
static struct jv *pidf(const struct gateway *g, const struct pres_known *known, const struct pres_presence *now_seen,
                       int64_t now);
static struct jv *event(const struct pres_known *known);
static struct jv *forms_list(void);

void gw_ctl_get_privacy(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    struct jv *v = jv_set(jv_object(), "server", servers(gw_config(face->gateway)->markers_count > 0));
    jv_set(v, "forms", forms_list());
    gw_http_json(req, 200, jv_set(v, "subscriber", subscribers(face->gateway)));
}

static struct jv *servers(bool marked)
{
    struct jv *list = jv_array();
    const struct dav_asked *asked;
    for (size_t i = 0; (asked = dav_asked_at(i)); i++) {
        struct jv *names = jv_array(), *v = jv_set_str(jv_object(), "kind", asked->kind);
        dav_asked_properties(asked, marked, add_name, names);
        jv_set_str(v, "verb", asked->verb);
        jv_set_str(v, "for", asked->why);
        jv_set_str(v, "answer", asked->told);
        jv_set_str(v, "compared", marked ? asked->compared : NULL);
        jv_add(list, jv_set(v, "properties", names));
    }
    return list;
}

/* A name may stand twice: looked for by, and asked for. */
static void add_name(void *arg, const char *name)
{
    for (size_t i = 0; i < jv_count(arg); i++)
        if (strcmp(jv_str(jv_at(arg, i), ""), name) == 0)
            return;
    jv_add(arg, jv_string(name));
}

static struct jv *subscribers(const struct gateway *g)
{
    const struct pres_interval day[] = {
        {.start = example_day + 9 * HOUR_S, .end = example_day + 10 * HOUR_S, .kind = PRES_BUSY},
        {.start = example_day + 14 * HOUR_S, .end = example_day + 15 * HOUR_S, .kind = PRES_TENTATIVE}};
    struct pres_set *set = pres_set_build(day, 2, example_day, example_day + DAY_S);
    const struct pres_known known = {.set = set,
                                     .from = example_day,
                                     .until = example_day + DAY_S,
                                     .as_of = example_day + 9 * HOUR_S,
                                     .stale_after = DAY_S};
    struct jv *list = jv_array();
    for (int i = PRES_SEE_NOTHING; i <= PRES_SEE_TIMES; i++)
        jv_add(list, level(g, (enum pres_level)i, &known));
    free(set);
    return list;
}

static struct jv *level(const struct gateway *g, enum pres_level level_now, const struct pres_known *known)
{
    const struct pres_grant grant = {.level = level_now, .expires = PRES_NEVER};
    int64_t now = example_day + 9 * HOUR_S + 600;
    struct jv *v = jv_set_str(jv_object(), "level", pres_level_name(level_now));
    struct pres_presence full, seen;
    struct buf b;
    char why[100];
    buf_init(&b, TEXT_MAX);
    pres_state_at(known, now, &full);
    bool some = pres_view_presence(&grant, known, &full, now, &seen) && pres_render_json(&b, example_person, &seen);
    jv_set(v, "presence", some ? jv_parse(b.data, b.len, why, sizeof why) : jv_null());
    struct pres_seen *times = pres_view_known(&grant, known, now);
    buf_reset(&b);
    if (times)
        pres_render_vfb(&b, example_person, times->known.set, times->known.from, times->known.until, now);
    jv_set_str(v, "free_busy", times ? b.data : NULL);
    jv_set(v, "pidf", some ? pidf(g, times ? &times->known : NULL, &seen, now) : jv_null());
    jv_set(v, "busy_event", times ? event(&times->known) : jv_null());
    pres_seen_free(&times);
    buf_free(&b);
    return v;
}

/* As the site has it for SIP phones. */
static struct jv *pidf(const struct gateway *g, const struct pres_known *known, const struct pres_presence *now_seen,
                       int64_t now)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    bool some = pres_sip_doc_write(gw_pidf(g), known, now_seen, "pres:somebody@example.com", now, false, &b);
    struct jv *v = some ? jv_string(b.data) : jv_null();
    buf_free(&b);
    return v;
}

static struct jv *event(const struct pres_known *known)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    struct pres_interval first = pres_set_at(known->set, 0);
    struct jv *v = pres_render_event(&b, example_person, &first, false) ? jv_string(b.data) : jv_null();
    buf_free(&b);
    return v;
}

static struct jv *forms_list(void)
{
    struct jv *list = jv_array();
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct jv *v = jv_set_str(jv_object(), "where", forms[i].where);
        jv_set_str(v, "text", forms[i].text);
        jv_add(list, jv_set_str(v, "besides", forms[i].besides));
    }
    return list;
}
