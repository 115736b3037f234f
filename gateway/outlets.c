/*
 * outlets: see outlets.h. One row a kind of outlet says how its configuration becomes publishers (outlets_private.h);
 * here they are made, kept over a reload where nothing changed, fed, and said goodbye to. Changes come from the journal
 * once a turn, so a slow outlet is nobody's business but its own queue's.
 */
#include "outlets.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/tls.h"
#include "keep.h"
#include "outlets_private.h"
#include "policy.h"

enum { FAREWELL_MS = 3000, TURN_MS = 20 };

static const struct gw_outlet_kind *const kinds[] = {&gw_outlet_xmpp, &gw_outlet_mqtt, &gw_outlet_sip,
                                                     &gw_outlet_sip_server, &gw_outlet_webhook, &gw_outlet_relay};
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
    struct gw_outlet **list;
    size_t count;
};

static struct gw_outlet *outlet_new(struct gateway *g, const struct gw_outlet_kind *kind, unsigned i, char *label);
static void outlet_free(struct gw_outlet **o);
static struct gw_outlet *take(struct gw_outlet **list, size_t count, const struct gw_outlet_kind *kind,
                              const char *label);
static void retire(struct gateway *g, struct gw_outlet *o);
static void on_retired(void *arg);
static void retired_free(struct retired *r);
static void on_journal(void *arg);
static int64_t real_ms(void);
static int64_t wall_s(void *arg);
static void grant(void *arg, pres_id id, const char *part, struct pres_grant *ret);
static bool limited(void *arg);

void gw_outlets_apply(struct gateway *g, const struct gw_config *old)
{
    struct gw_outlets *all = g->outlets;
    if (!all) {
        all = g->outlets = mem_calloc(1, sizeof *g->outlets);
        all->g = g;
        all->store = gw_outlet_store_new(g->loop, gw_keep_db(g->keep));
        all->seq = pres_journal_head(g->journal);
        all->reader = pres_journal_reader_new(g->journal, on_journal, all);
    }
    struct gw_outlet **before = all->list;
    size_t before_count = all->count;
    all->list = NULL;
    all->count = 0;
    for (unsigned k = 0; k < KINDS; k++)
        for (unsigned i = 0; i < kinds[k]->count(g->config); i++) {
            char *label = kinds[k]->label(g->config, i);
            struct gw_outlet *o = take(before, before_count, kinds[k], label);
            if (o && kinds[k]->same(old, o->index, g->config, i)) {
                o->index = i;
                free(label);
            } else {
                if (o)
                    log_notice("outlets", "outlet=%s configuration changed", label);
                outlet_free(&o); /* it leaves the last word to its successor */
                o = outlet_new(g, kinds[k], i, label);
            }
            all->list = mem_realloc(all->list, all->count + 1, sizeof(struct gw_outlet *));
            all->list[all->count++] = o;
        }
    for (size_t i = 0; i < before_count; i++)
        if (before[i]) {
            log_notice("outlets", "outlet=%s removed", before[i]->label);
            retire(g, before[i]);
            outlet_free(&before[i]);
        }
    free(before);
}

void gw_outlets_people_changed(struct gateway *g)
{
    for (size_t i = 0; g->outlets && i < g->outlets->count; i++)
        if (g->outlets->list[i]->publisher)
            pres_publisher_people_changed(g->outlets->list[i]->publisher);
}

void gw_outlets_forget(struct gateway *g, const char *address)
{
    for (size_t i = 0; g->outlets && i < g->outlets->count; i++)
        if (g->outlets->list[i]->publisher)
            pres_publisher_forget(g->outlets->list[i]->publisher, address);
}

void gw_outlets_resync(struct gateway *g)
{
    for (size_t i = 0; g->outlets && i < g->outlets->count; i++)
        if (g->outlets->list[i]->publisher)
            pres_publisher_resync(g->outlets->list[i]->publisher);
}

void gw_outlets_known(struct gateway *g, pres_id id)
{
    for (size_t i = 0; g->outlets && i < g->outlets->count; i++)
        if (g->outlets->list[i]->kind == &gw_outlet_relay && g->outlets->list[i]->publisher)
            pres_publisher_changed(g->outlets->list[i]->publisher, id);
}

/* What an outlet may tell, and of whom, is something else now; what it said is put right where it differs. */
void gw_outlets_policy_changed(struct gateway *g)
{
    for (size_t i = 0; g->outlets && i < g->outlets->count; i++) {
        struct gw_outlet *o = g->outlets->list[i];
        bool is_limited = limited(o);
        if (o->publisher && (is_limited || o->was_limited))
            pres_publisher_people_changed(o->publisher);
        o->was_limited = is_limited;
    }
}

void gw_outlets_farewell(struct gateway *g)
{
    int64_t end = real_ms() + FAREWELL_MS; /* the loop's clock may stand still in tests */
    bool done = g->outlets == NULL;
    while (!done && real_ms() < end) {
        done = true;
        for (size_t i = 0; i < g->outlets->count; i++)
            if (g->outlets->list[i]->publisher && !pres_publisher_farewell(g->outlets->list[i]->publisher))
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
    for (size_t i = 0; i < (*o)->count; i++)
        outlet_free(&(*o)->list[i]);
    pres_journal_reader_free(&(*o)->reader);
    gw_outlet_store_free(&(*o)->store);
    free((*o)->list);
    free(*o);
    *o = NULL;
}

bool gw_outlets_configured(const struct gw_config *c, const char *label)
{
    bool found = false;
    for (unsigned k = 0; k < KINDS; k++)
        for (unsigned i = 0; !found && i < kinds[k]->count(c); i++) {
            char *one = kinds[k]->label(c, i);
            found = strcmp(one, label) == 0;
            free(one);
        }
    return found;
}

size_t gw_outlet_count(const struct gateway *g)
{
    return g->outlets ? g->outlets->count : 0;
}

void gw_outlet_status(const struct gateway *g, size_t i, struct pres_publisher_status *ret)
{
    const struct gw_outlet *o = g->outlets->list[i];
    if (o->publisher)
        pres_publisher_status(o->publisher, ret);
    else
        *ret = (struct pres_publisher_status){.name = o->label,
                                              .kind = o->kind->name,
                                              .state = "stopped",
                                              .since = o->since,
                                              .code = "config-value",
                                              .text = o->why};
}

bool gw_outlets_prove(struct gateway *g, bool begin)
{
    bool busy = false;
    for (size_t i = 0; i < gw_outlet_count(g); i++)
        if (g->outlets->list[i]->publisher)
            busy = pres_publisher_check(g->outlets->list[i]->publisher, begin) || busy;
    return busy;
}

size_t gw_outlet_counts(const struct gateway *g, size_t i, struct pres_count *rows, size_t max)
{
    const struct gw_outlet *o = g->outlets->list[i];
    return o->publisher ? pres_publisher_counts(o->publisher, rows, max) : 0;
}

bool gw_outlets_watched(const struct gateway *g, void (*fn)(void *arg, pres_id id), void *arg)
{
    bool named = true;
    for (size_t i = 0; i < gw_outlet_count(g); i++)
        if (g->outlets->list[i]->publisher)
            named = pres_publisher_watched(g->outlets->list[i]->publisher, fn, arg) && named;
    return named;
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

struct gw_outlet_store *gw_outlets_rows(const struct gateway *g)
{
    return g->outlets->store;
}

const struct pres_store *gw_outlets_store(const struct gateway *g)
{
    return gw_outlet_store_face(g->outlets->store);
}

bool gw_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool gw_same_list(char *const *a, unsigned a_count, char *const *b, unsigned b_count)
{
    if (a_count != b_count)
        return false;
    for (unsigned i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

bool gw_same_words(char *const *a, char *const *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!gw_same_text(a[i], b[i]))
            return false;
    return true;
}

/* Takes the label. */
static struct gw_outlet *outlet_new(struct gateway *g, const struct gw_outlet_kind *kind, unsigned i, char *label)
{
    struct gw_outlet *o = mem_calloc(1, sizeof *o);
    o->kind = kind;
    o->gateway = g;
    o->label = label;
    o->index = i;
    o->since = clk_wall_s(loop_clk(g->loop));
    o->who = (struct gw_who){.name = o->label, .means = "outlet"};
    if (gw_policy_sees_all(g, &o->who))
        gw_audit_everybody(g, &o->who);
    o->viewer = (struct pres_viewer){.now = wall_s, .grant = grant, .limited = limited, .arg = o};
    o->was_limited = limited(o);
    o->publisher = kind->make(g, o);
    if (o->publisher)
        pres_publisher_start(o->publisher);
    else
        log_error("outlets", "outlet=%s cannot be made: %s", label, o->why);
    return o;
}

static void outlet_free(struct gw_outlet **o)
{
    if (!*o)
        return;
    pres_publisher_free(&(*o)->publisher);
    tls_free(&(*o)->tls);
    free((*o)->label);
    free(*o);
    *o = NULL;
}

/* Out of the list; NULL: it is not there. */
static struct gw_outlet *take(struct gw_outlet **list, size_t count, const struct gw_outlet_kind *kind,
                              const char *label)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] && list[i]->kind == kind && strcmp(list[i]->label, label) == 0) {
            struct gw_outlet *o = list[i];
            list[i] = NULL;
            return o;
        }
    return NULL;
}

static void retire(struct gateway *g, struct gw_outlet *o)
{
    struct retired *r = mem_calloc(1, sizeof *r);
    *r = (struct retired){.all = g->outlets, .next = g->outlets->retired, .publisher = o->publisher, .tls = o->tls};
    if (o->publisher)
        pres_publisher_blind(o->publisher);
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
    while (!missed && all->count > 0 && all->seq < head) {
        const struct pres_change *change = pres_journal_get(journal, ++all->seq);
        pres_id id = change ? change->id : PRES_NOBODY;
        if (id == PRES_NOBODY || !all->g->persons[id].used) /* removed meanwhile */
            continue;
        for (size_t i = 0; i < all->count; i++)
            if (all->list[i]->publisher)
                pres_publisher_changed(all->list[i]->publisher, id);
    }
    all->seq = head;
    for (size_t i = 0; missed && i < all->count; i++)
        if (all->list[i]->publisher)
            pres_publisher_resync(all->list[i]->publisher);
}

static int64_t real_ms(void)
{
    struct timespec ts = {0};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t wall_s(void *arg)
{
    const struct gw_outlet *o = arg;
    return clk_wall_s(loop_clk(o->gateway->loop));
}

static void grant(void *arg, pres_id id, const char *part, struct pres_grant *ret)
{
    const struct gw_outlet *o = arg;
    gw_policy_grant_part(o->gateway, &o->who, part, id, ret);
    gw_audit(o->gateway, &o->who, id, ret);
}

static bool limited(void *arg)
{
    const struct gw_outlet *o = arg;
    return !gw_policy_sees_all(o->gateway, &o->who);
}
