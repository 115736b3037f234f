/*
 * outlets_sip: how publish.sip becomes two outlets: "sip" publishes to a presence server, "sip-server" is one. See
 * outlets_private.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/tls.h"
#include "base/udp.h"
#include "forget.h"
#include "outlets.h"
#include "outlets_check.h"
#include "outlets_private.h"
#include "presence/pub_sip.h"
#include "presence/sip_doc.h"

enum {
    LINE_MAX_BYTES = 2 * PRES_SIP_PASSWORD_MAX,
    FUTURE_ASKED = 16 /* coming stretches for those who ask over HTTP, unless the site says how many */
};

static unsigned count(const struct gw_config *c);
static unsigned server_count(const struct gw_config *c);
static char *label(const struct gw_config *c, unsigned i);
static char *server_label(const struct gw_config *c, unsigned i);
static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
static bool server_same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j);
static bool same_looks(const struct gw_config_sip *x, const struct gw_config_sip *y);
static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o);
static struct pres_publisher *server_make(struct gateway *g, struct gw_outlet *o);
static void check_listen(struct gw_reading *r, const struct gw_config_sip *s);
static void check_watchers(struct gw_reading *r, const char *path);
static struct pres_sip_looks looks(const struct gw_config_sip *s);
static struct secret *read_password(void *arg, char *why, size_t why_size);
static bool find_watcher(void *arg, const char *name, char out[PRES_SIP_PASSWORD_MAX]);
static bool is_forgotten(void *arg, const char *address);
static bool line_next(FILE *file, char line[LINE_MAX_BYTES], char **ret_password, bool *ret_good);

const struct gw_outlet_kind gw_outlet_sip = {"sip", count, label, same, make};
const struct gw_outlet_kind gw_outlet_sip_server = {"sip-server", server_count, server_label, server_same, server_make};

void gw_outlets_check_sip(struct gw_reading *r, const struct gw_config_sip *s)
{
    static const char *const kinds[GW_KINDS_TOLD] = {"free", "elsewhere", "tentative", "busy", "oof", "unknown"};
    char key[100];
    if (!s->server && s->listen_count == 0) {
        if (gw_lines_has(r->lines, "publish.sip"))
            gw_problem_at(r, "config-missing", "publish.sip", "server or listen is missing");
        return;
    }
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        snprintf(key, sizeof key, "publish.sip.activities.%s", kinds[i]);
        gw_check_say(r, s->activities[i] ? pres_pidf_activities_wrong(s->activities[i]) : NULL, key);
    }
    if (s->server)
        gw_check_say(r, pres_sip_server_wrong(s->server), "publish.sip.server");
    gw_check_say(r, s->domain && strpbrk(s->domain, "@ /:;<>\"\\") ? "is no domain name" : NULL, "publish.sip.domain");
    gw_check_say(r, strpbrk(s->self, "@ /:;<>\"\\") ? "is no user's name" : NULL, "publish.sip.self");
    gw_check_words(r, "publish.sip", s->text, s->zone);
    if (s->ca_file)
        gw_config_check_file(r, s->ca_file, "publish.sip.ca_file", false);
    gw_check_secret(r, "publish.sip.password_file", s->password_file);
    check_listen(r, s);
}

static void check_listen(struct gw_reading *r, const struct gw_config_sip *s)
{
    char transport[4] = "", host[100];
    unsigned port;
    struct udp_peer peer;
    bool tls = false;
    for (unsigned i = 0; i < s->listen_count; i++) {
        bool good = pres_sip_listen_parse(s->listen[i], transport, host, sizeof host, &port);
        gw_check_say_at(r, good ? NULL : "is not like udp:192.0.2.7:5060", "publish.sip.listen", i);
        tls = tls || strcmp(transport, "tls") == 0;
    }
    for (unsigned i = 0; i < s->trusted_count; i++)
        gw_check_say_at(r, udp_peer(&peer, s->trusted[i], 1) ? NULL : "is no numeric address", "publish.sip.trusted",
                        i);
    if (s->listen_count > 0 && !s->watchers_file && s->trusted_count == 0)
        gw_problem_at(r, "config-missing", "publish.sip.listen",
                      "needs watchers_file or trusted: it would be open to everybody");
    if (tls && (!s->certificate_file || !s->key_file))
        gw_problem_at(r, "config-missing", "publish.sip.listen", "tls: needs certificate_file and key_file");
    else if (tls) {
        gw_config_check_file(r, s->key_file, "publish.sip.key_file", true);
        gw_check_say(r, tls_files_wrong(s->certificate_file, s->key_file), "publish.sip.certificate_file");
    }
    if (s->watchers_file)
        check_watchers(r, s->watchers_file);
}

static void check_watchers(struct gw_reading *r, const char *path)
{
    char line[LINE_MAX_BYTES], *password;
    unsigned before = r->problems, number = 0;
    bool good = true;
    gw_config_check_file(r, path, "publish.sip.watchers_file", true);
    FILE *file = r->problems == before ? fopen(path, "re") : NULL;
    while (file && good && line_next(file, line, &password, &good))
        number++;
    if (!good)
        gw_problem_at(r, "config-secret", "publish.sip.watchers_file",
                      "has an entry behind the first %u that is not like "
                      "NAME:PASSWORD",
                      number);
    if (file)
        fclose(file);
    mem_wipe(line, sizeof line);
}

void gw_pidf_apply(struct gateway *g)
{
    char why[300];
    struct pres_sip_looks l = looks(&g->config->sip);
    if (l.future == 0)
        l.future = FUTURE_ASKED;
    gw_pidf_free(g);
    g->pidf = mem_calloc(1, sizeof *g->pidf);
    if (!pres_sip_doc_init(g->pidf, &l, why, sizeof why)) /* the check of the configuration has read it */
        log_warning("outlets", "times in PIDF are in UTC: %s", why);
}

void gw_pidf_free(struct gateway *g)
{
    if (g->pidf)
        pres_sip_doc_free(g->pidf);
    free(g->pidf);
    g->pidf = NULL;
}

static unsigned count(const struct gw_config *c)
{
    return c->sip.server != NULL;
}

static unsigned server_count(const struct gw_config *c)
{
    return c->sip.listen_count > 0;
}

static char *label(const struct gw_config *c, unsigned i)
{
    (void)c, (void)i;
    return mem_strdup("sip");
}

static char *server_label(const struct gw_config *c, unsigned i)
{
    (void)c, (void)i;
    return mem_strdup("sip-server");
}

static bool same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j)
{
    const struct gw_config_sip *x = &a->sip, *y = &b->sip;
    (void)i, (void)j;
    return same_looks(x, y) && gw_same_text(x->server, y->server) && gw_same_text(x->user, y->user) &&
           gw_same_text(x->password_file, y->password_file) && gw_same_text(x->self, y->self) &&
           gw_same_text(x->ca_file, y->ca_file) && x->expires_s == y->expires_s && x->window == y->window;
}

static bool server_same(const struct gw_config *a, unsigned i, const struct gw_config *b, unsigned j)
{
    const struct gw_config_sip *x = &a->sip, *y = &b->sip;
    (void)i, (void)j;
    return same_looks(x, y) && gw_same_list(x->listen, x->listen_count, y->listen, y->listen_count) &&
           gw_same_text(x->certificate_file, y->certificate_file) && gw_same_text(x->key_file, y->key_file) &&
           gw_same_text(x->watchers_file, y->watchers_file) && x->max_watchers == y->max_watchers &&
           gw_same_list(x->trusted, x->trusted_count, y->trusted, y->trusted_count);
}

static bool same_looks(const struct gw_config_sip *x, const struct gw_config_sip *y)
{
    return gw_same_words(x->basic, y->basic, GW_KINDS_TOLD) &&
           gw_same_words(x->activities, y->activities, GW_KINDS_TOLD) &&
           gw_same_words(x->text, y->text, GW_KINDS_TOLD) && gw_same_text(x->domain, y->domain) &&
           gw_same_text(x->zone, y->zone) && !(x->rate < y->rate || x->rate > y->rate) && x->future == y->future;
}

static struct pres_publisher *make(struct gateway *g, struct gw_outlet *o)
{
    const struct gw_config_sip *c = &g->config->sip;
    struct pres_publisher_settings publisher = {.name = o->label, .viewer = &o->viewer, .rate = c->rate};
    const struct tls_settings ts = {.ca_file = c->ca_file};
    struct pres_sip_settings s = {.server = c->server,
                                  .domain = c->domain,
                                  .user = c->user,
                                  .self = c->self,
                                  .password = c->password_file ? read_password : NULL,
                                  .password_arg = g,
                                  .expires_s = c->expires_s,
                                  .window = c->window,
                                  .looks = looks(c),
                                  .store = gw_outlets_store(g)};
    if (pres_sip_server_tls(c->server) && !(o->tls = tls_client_new(&ts, o->why, sizeof o->why)))
        return NULL;
    s.tls = o->tls;
    return pres_sip_new(g->loop, g->table, &publisher, &s, o->why, sizeof o->why);
}

static struct pres_publisher *server_make(struct gateway *g, struct gw_outlet *o)
{
    const struct gw_config_sip *c = &g->config->sip;
    struct pres_publisher_settings publisher = {.name = o->label, .viewer = &o->viewer, .rate = c->rate};
    struct pres_sip_server_settings s = {.listen = (const char *const *)c->listen,
                                         .listen_count = c->listen_count,
                                         .domain = c->domain,
                                         .trusted = (const char *const *)c->trusted,
                                         .trusted_count = c->trusted_count,
                                         .password = c->watchers_file ? find_watcher : NULL,
                                         .password_arg = g,
                                         .max_watchers = c->max_watchers,
                                         .looks = looks(c),
                                         .store = gw_outlets_store(g),
                                         .forgotten = is_forgotten,
                                         .forgotten_arg = g,
                                         .quiet = g->alone};
    if (c->certificate_file && c->key_file &&
        !(o->tls = tls_server_new(c->certificate_file, c->key_file, o->why, sizeof o->why)))
        return NULL;
    s.tls = o->tls;
    return pres_sip_server_new(g->loop, g->table, &publisher, &s, o->why, sizeof o->why);
}

static struct pres_sip_looks looks(const struct gw_config_sip *s)
{
    _Static_assert((int)GW_KINDS_TOLD == PRES_KINDS, "a word for each kind");
    struct pres_sip_looks l = {.zone = s->zone, .future = s->future};
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        l.map.basic[i] = strcmp(s->basic[i], "none") != 0 ? s->basic[i] : "";
        l.map.activities[i] = s->activities[i] ? s->activities[i] : "";
        l.text[i] = s->text[i];
    }
    return l;
}

/* Anew for each connection: a changed password needs no reload. */
static struct secret *read_password(void *arg, char *why, size_t why_size)
{
    const struct gateway *g = arg;
    return secret_read(g->config->sip.password_file, why, why_size);
}

/* Anew for each request that has a name: a changed file needs no reload. It is small. */
static bool find_watcher(void *arg, const char *name, char out[PRES_SIP_PASSWORD_MAX])
{
    const struct gateway *g = arg;
    char line[LINE_MAX_BYTES], *password;
    bool good = true, found = false;
    FILE *file = fopen(g->config->sip.watchers_file, "re");
    while (file && !found && line_next(file, line, &password, &good)) {
        found = strcmp(line, name) == 0 && strlen(password) < PRES_SIP_PASSWORD_MAX;
        if (found)
            strcpy(out, password);
    }
    if (file)
        fclose(file);
    mem_wipe(line, sizeof line);
    return found;
}

static bool is_forgotten(void *arg, const char *address)
{
    return gw_forgotten_has(arg, address);
}

/* The next entry, name and password apart. False: there is none; *ret_good false: the line is none. */
static bool line_next(FILE *file, char line[LINE_MAX_BYTES], char **ret_password, bool *ret_good)
{
    while (fgets(line, LINE_MAX_BYTES, file)) {
        size_t len = strcspn(line, "\r\n");
        bool whole = line[len] != '\0' || feof(file);
        line[len] = '\0';
        if (whole && (len == 0 || line[0] == '#'))
            continue;
        char *colon = strchr(line, ':');
        *ret_good = whole && colon && colon > line && colon[1];
        if (!*ret_good)
            return false;
        *colon = '\0';
        *ret_password = colon + 1;
        return true;
    }
    return false;
}
