/*
 * outlets: see outlets.h. One row a kind of outlet says how its configuration becomes a publisher, and whether it has
 * changed; adding a kind is adding a row. Changes come from the journal once a turn, so a slow outlet is nobody's
 * business but its own queue's.
 */
#include "outlets.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/tls.h"
#include "gateway_private.h"
#include "presence/pub_xmpp.h"

enum { FAREWELL_MS = 3000, TURN_MS = 20 };

struct outlet {
    struct pres_publisher *publisher; /* NULL: not configured, or it could not be made */
    struct tls *tls;                  /* of the publisher */
    char why[300];                    /* why it could not be made */
    int64_t since;
};

/* How one kind of outlet is made of the configuration. */
struct outlet_kind {
    const char *name;
    bool (*configured)(const struct gw_config *c);
    bool (*same)(const struct gw_config *a, const struct gw_config *b);
    struct pres_publisher *(*make)(struct gateway *g, struct outlet *o);
};

static bool xmpp_configured(const struct gw_config *c);
static bool xmpp_same(const struct gw_config *a, const struct gw_config *b);
static struct pres_publisher *xmpp_make(struct gateway *g, struct outlet *o);

static const struct outlet_kind kinds[] = {
    {"xmpp", xmpp_configured, xmpp_same, xmpp_make},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* One that a reload took away, for as long as it says goodbye. */
struct retired {
    struct gw_outlets *all;
    struct retired *next;
    struct pres_publisher *publisher;
    struct tls *tls;
    struct loop_timer *timer;
    int64_t until_ms;
};

struct gw_outlets {
    struct retired *retired;
    struct gateway *g;
    struct gw_outlet_store *store;
    struct pres_journal_reader *reader;
    uint64_t seq; /* last change taken from the journal */
    struct outlet outlets[KINDS];
};

static void apply_one(struct gateway *g, unsigned i, const struct gw_config *old);
static void retire(struct gateway *g, struct outlet *o);
static void on_retired(void *arg);
static void retired_free(struct retired *r);
static void on_journal(void *arg);
static struct secret *xmpp_secret(void *arg, char *why, size_t why_size);
static int64_t real_ms(void);
static bool same(const char *a, const char *b);
static bool same_list(char *const *a, unsigned a_count, char *const *b, unsigned b_count);

void gw_outlets_apply(struct gateway *g, const struct gw_config *old)
{
    if (!g->outlets) {
        g->outlets = mem_calloc(1, sizeof *g->outlets);
        g->outlets->g = g;
        g->outlets->store = gw_outlet_store_new(g->loop, g->config->state_directory);
        g->outlets->seq = pres_journal_head(g->journal);
        g->outlets->reader = pres_journal_reader_new(g->journal, on_journal, g->outlets);
    }
    for (unsigned i = 0; i < KINDS; i++)
        apply_one(g, i, old);
}

void gw_outlets_people_changed(struct gateway *g)
{
    for (unsigned i = 0; g->outlets && i < KINDS; i++)
        if (g->outlets->outlets[i].publisher)
            pres_publisher_people_changed(g->outlets->outlets[i].publisher);
}

void gw_outlets_farewell(struct gateway *g)
{
    int64_t end = real_ms() + FAREWELL_MS; /* the loop's clock may stand still in tests */
    bool done = g->outlets == NULL;
    while (!done && real_ms() < end) {
        done = true;
        for (unsigned i = 0; i < KINDS; i++)
            if (g->outlets->outlets[i].publisher && !pres_publisher_farewell(g->outlets->outlets[i].publisher))
                done = false;
        if (!done)
            loop_turn(g->loop, TURN_MS);
    }
    if (!done)
        log_warning("outlets", "could not tell everybody that we stop");
}

void gw_outlets_free(struct gw_outlets **o)
{
    if (!*o)
        return;
    while ((*o)->retired)
        retired_free((*o)->retired);
    for (unsigned i = 0; i < KINDS; i++) {
        pres_publisher_free(&(*o)->outlets[i].publisher);
        tls_free(&(*o)->outlets[i].tls);
    }
    pres_journal_reader_free(&(*o)->reader);
    gw_outlet_store_free(&(*o)->store);
    free(*o);
    *o = NULL;
}

size_t gw_outlet_count(const struct gateway *g)
{
    size_t n = 0;
    for (unsigned i = 0; i < KINDS; i++)
        n += kinds[i].configured(g->config);
    return n;
}

/* The i-th of those that are configured. */
static const struct outlet *nth(const struct gateway *g, size_t i, const char **ret_name)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (kinds[k].configured(g->config) && i-- == 0) {
            *ret_name = kinds[k].name;
            return &g->outlets->outlets[k];
        }
    return NULL;
}

void gw_outlet_status(const struct gateway *g, size_t i, struct pres_publisher_status *ret)
{
    const char *name = "?";
    const struct outlet *o = nth(g, i, &name);
    if (o && o->publisher)
        pres_publisher_status(o->publisher, ret);
    else
        *ret = (struct pres_publisher_status){.name = name,
                                              .kind = name,
                                              .state = "stopped",
                                              .since = o ? o->since : 0,
                                              .code = "config-value",
                                              .text = o ? o->why : ""};
}

size_t gw_outlet_counts(const struct gateway *g, size_t i, struct pres_count *rows, size_t max)
{
    const char *name;
    const struct outlet *o = nth(g, i, &name);
    return o && o->publisher ? pres_publisher_counts(o->publisher, rows, max) : 0;
}

bool gw_outlets_well(const struct gateway *g)
{
    for (size_t i = 0; i < gw_outlet_count(g); i++) {
        struct pres_publisher_status status;
        gw_outlet_status(g, i, &status);
        if (status.code)
            return false;
    }
    return true;
}

static void apply_one(struct gateway *g, unsigned i, const struct gw_config *old)
{
    struct outlet *o = &g->outlets->outlets[i];
    bool was = old && kinds[i].configured(old), is = kinds[i].configured(g->config);
    if (was == is && (!is || kinds[i].same(old, g->config)))
        return;
    if (was)
        log_notice("outlets", "outlet=%s %s", kinds[i].name, is ? "configuration changed" : "removed");
    if (was && !is) /* one that is replaced leaves the last word to its successor */
        retire(g, o);
    pres_publisher_free(&o->publisher);
    tls_free(&o->tls);
    if (!is)
        return;
    o->since = clk_wall_s(loop_clk(g->loop));
    o->publisher = kinds[i].make(g, o);
    if (o->publisher)
        pres_publisher_start(o->publisher);
    else
        log_error("outlets", "outlet=%s cannot be made: %s", kinds[i].name, o->why);
}

static void retire(struct gateway *g, struct outlet *o)
{
    struct retired *r = mem_calloc(1, sizeof *r);
    *r = (struct retired){.all = g->outlets, .next = g->outlets->retired, .publisher = o->publisher, .tls = o->tls};
    o->publisher = NULL;
    o->tls = NULL;
    g->outlets->retired = r;
    r->until_ms = clk_mono_ms(loop_clk(g->loop)) + FAREWELL_MS;
    r->timer = loop_timer_new(g->loop, "outlet farewell", on_retired, r);
    loop_timer_in(r->timer, 0);
}

static void on_retired(void *arg)
{
    struct retired *r = arg;
    bool late = clk_mono_ms(loop_clk(r->all->g->loop)) >= r->until_ms;
    if (late || !r->publisher || pres_publisher_farewell(r->publisher))
        retired_free(r);
    else
        loop_timer_in(r->timer, TURN_MS);
}

static void retired_free(struct retired *r)
{
    struct retired **link = &r->all->retired;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    pres_publisher_free(&r->publisher);
    tls_free(&r->tls);
    loop_timer_free(&r->timer);
    free(r);
}

/* Once a turn in which something changed. */
static void on_journal(void *arg)
{
    struct gw_outlets *all = arg;
    struct pres_journal *journal = all->g->journal;
    uint64_t head = pres_journal_head(journal);
    bool missed = all->seq + 1 < pres_journal_tail(journal);
    while (!missed && all->seq < head) {
        const struct pres_change *change = pres_journal_get(journal, ++all->seq);
        pres_id id = change ? change->id : PRES_NOBODY;
        if (id == PRES_NOBODY || !all->g->persons[id].used) /* removed meanwhile */
            continue;
        for (unsigned i = 0; i < KINDS; i++)
            if (all->outlets[i].publisher)
                pres_publisher_changed(all->outlets[i].publisher, id);
    }
    all->seq = head;
    for (unsigned i = 0; missed && i < KINDS; i++)
        if (all->outlets[i].publisher)
            pres_publisher_resync(all->outlets[i].publisher);
}

static bool xmpp_configured(const struct gw_config *c)
{
    return c->xmpp.component != NULL;
}

static bool xmpp_same(const struct gw_config *a, const struct gw_config *b)
{
    const struct gw_config_xmpp *x = &a->xmpp, *y = &b->xmpp;
    for (unsigned i = 0; i < GW_KINDS_SHOWN; i++)
        if (!same(x->show[i], y->show[i]))
            return false;
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++)
        if (!same(x->text[i], y->text[i]))
            return false;
    return same(x->component, y->component) && same(x->server, y->server) && same(x->secret_file, y->secret_file) &&
           x->tls == y->tls && same(x->ca_file, y->ca_file) && same(x->domain, y->domain) && same(x->zone, y->zone) &&
           !(x->rate < y->rate || x->rate > y->rate) && x->max_watchers == y->max_watchers &&
           same_list(x->allow, x->allow_count, y->allow, y->allow_count) &&
           same_list(x->admins, x->admins_count, y->admins, y->admins_count);
}

static struct pres_publisher *xmpp_make(struct gateway *g, struct outlet *o)
{
    _Static_assert((int)GW_KINDS_TOLD == PRES_KINDS && (int)GW_KINDS_SHOWN == PRES_UNKNOWN, "a word for each kind");
    const struct gw_config_xmpp *x = &g->config->xmpp;
    char host[300];
    struct pres_publisher_settings publisher = {.name = "xmpp", .rate = x->rate};
    struct pres_xmpp_settings s = {.component = x->component,
                                   .host = host,
                                   .secret = xmpp_secret,
                                   .secret_arg = g,
                                   .domain = x->domain,
                                   .allow = (const char *const *)x->allow,
                                   .allow_count = x->allow_count,
                                   .admins = (const char *const *)x->admins,
                                   .admin_count = x->admins_count,
                                   .zone = x->zone,
                                   .max_watchers = x->max_watchers,
                                   .store = gw_outlet_store_face(g->outlets->store)};
    const char *parent = strchr(x->component, '.');
    const char *const below[] = {parent ? parent + 1 : NULL};
    if (!x->allow_count && parent) { /* without a word, the domain that the component is below */
        s.allow = below;
        s.allow_count = 1;
    }
    for (unsigned i = 0; i < GW_KINDS_TOLD; i++) {
        s.show[i] = i < GW_KINDS_SHOWN && strcmp(x->show[i], "none") != 0 ? x->show[i] : "";
        s.text[i] = x->text[i];
    }
    io_parse_server(x->server, host, sizeof host, &s.port); /* checked with the file */
    struct tls_settings tls = {.ca_file = x->ca_file};
    if (x->tls && !(o->tls = tls_client_new(&tls, o->why, sizeof o->why)))
        return NULL;
    s.tls = o->tls;
    return pres_xmpp_new(g->loop, g->table, &publisher, &s, o->why, sizeof o->why);
}

/* Anew for each connection: a changed secret needs no reload. */
static struct secret *xmpp_secret(void *arg, char *why, size_t why_size)
{
    struct gateway *g = arg;
    return secret_read(g->config->xmpp.secret_file, why, why_size);
}

static int64_t real_ms(void)
{
    struct timespec ts = {0};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(char *const *a, unsigned a_count, char *const *b, unsigned b_count)
{
    if (a_count != b_count)
        return false;
    for (unsigned i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}
