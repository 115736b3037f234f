/*
 * published: people whose free/busy a server publishes, and who may be read from their calendars as well. feed.c brings
 * the answers, people.c says who is read how.
 *
 * Read by both, a person's table entry is made of two pieces: the next hours as the calendar has them, prompt and
 * exact, and the rest of the window as it is published, in quarters of an hour and some minutes late. Neither is kept
 * twice: an answer of one kind replaces its own piece and leaves the other one as it stands in the table. When the
 * calendar cannot be read (no Receive-As), what is published takes its place, and `way` says so; when nothing is
 * published, the calendar is read for the whole window, as if the other did not exist.
 *
 * A sign that the calendar has not changed counts for both: what was published long enough after the last change is
 * what would be published now, and is asked for again only when a calendar would be read again whatever the signs say.
 */
#include "published.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "keep.h"
#include "published_private.h"
#include "why.h"

enum {
    REFINED_S = 86400, /* how far ahead the calendar is read beside what is published */
    HOUR_S = 3600,
    GRACE_S = 900, /* an answer serves for so long, and three intervals, when there is no newer one */
    LOOKS = 3,     /* that must find the same disagreement */
};

#define LIMITS "quarters of an hour, some minutes late, all-day and unanswered not told apart"
static const char way_published[] = "published free/busy (" LIMITS ")";
static const char way_both[] = "the calendar for the next hours, published free/busy (" LIMITS ") for the rest";
static const char way_no_right[] = "published free/busy (" LIMITS "), because the account may not open the calendar";
static const char way_not_found[] = "published free/busy (" LIMITS "), because the calendar was not found";
static const char way_unreadable[] = "published free/busy (" LIMITS "), because the calendar cannot be read";

static bool is_both(const struct gateway *g, pres_id id);
static struct gw_published *mine(struct gateway *g, pres_id id);
static bool is_fresh(const struct gateway *g, int64_t as_of);
static bool stands(const struct gateway *g, pres_id id, const struct gw_published *o);
static void take(struct gateway *g, pres_id id, const struct dav_result *result);
static size_t add_refined(struct gateway *g, pres_id id, const struct gw_published *o, size_t n);
static size_t add_known(struct gateway *g, pres_id id, size_t n, int64_t from, int64_t until);
static void cut_out(struct gateway *g, size_t *n, int64_t from, int64_t until);
static void miss(struct gateway *g, pres_id id, const struct dav_result *result);
static void look(struct gateway *g, pres_id id);
static void tell(struct gateway *g, pres_id id, struct gw_published *o, bool differs);

unsigned gw_published_ways(const struct gw_config *c, const struct gw_user *u)
{
    const struct gw_config_server *server = &c->servers[u->server];
    const char *read = server->read;
    if (server->kind == GW_KIND_IFB || server->kind == GW_KIND_RELAY)
        return GW_POLLER_ALONE;
    for (unsigned i = 0; u->group && i < c->group_rules_count; i++)
        if (strcmp(c->group_rules[i].group, u->group) == 0 && c->group_rules[i].read)
            read = c->group_rules[i].read;
    read = u->read ? u->read : read;
    if (strcmp(read, "freebusy") == 0)
        return GW_POLLER_BATCH;
    if (server->kind != GW_KIND_EXCHANGE) /* the outbox knows nothing that the calendar does not */
        return GW_POLLER_ALONE;
    return strcmp(read, "calendar") == 0 ? GW_POLLER_ALONE : GW_POLLER_ALONE | GW_POLLER_BATCH;
}

void gw_published_drop(struct gateway *g, pres_id id, struct gw_server *s)
{
    struct gw_person *p = &g->persons[id];
    if (p->published && p->published->told)
        s->differing--;
    free(p->published);
    p->published = NULL;
}

unsigned gw_published_poll_ways(void *gateway, uint32_t id)
{
    const struct gateway *g = gateway;
    return g->persons[id].ways ? g->persons[id].ways : GW_POLLER_ALONE;
}

/* A little further than wanted, so that the horizon may move on without another question. */
void gw_published_question(void *gateway, uint32_t id, struct dav_question *ret)
{
    const struct gateway *g = gateway;
    gw_feed_question(g, id, ret);
    if (is_both(g, id))
        ret->until += (gw_server_of(g, id)->config->changes.full_read_s + HOUR_S - 1) / HOUR_S * HOUR_S;
}

/* Nobody believes a sign for ever: after a while it is asked for anyway, as calendars are read. */
bool gw_published_due(void *gateway, uint32_t id)
{
    const struct gateway *g = gateway;
    const struct gw_published *o = g->persons[id].published;
    const struct gw_config_server *server = gw_server_of(g, id)->config;
    int64_t age_s = o ? clk_wall_s(loop_clk(g->loop)) - o->as_of : 0;
    return !o || age_s < 0 || age_s >= server->changes.full_read_s || !is_fresh(g, o->alone_as_of) ||
           !gw_published_holds(o, server->freebusy_delay_s);
}

void gw_published_answer(void *gateway, uint32_t id, const struct dav_result *result)
{
    struct gateway *g = gateway;
    gw_feed_count(g, result);
    if (g->whys && !is_both(g, id))
        gw_why_take(g, id, gw_feed_rules_of(g, id), result);
    gw_keep_verdict(g, gw_server_of(g, id), result->err);
    if (result->err == DAV_OK)
        take(g, id, result);
    else
        miss(g, id, result);
    gw_person_reclass(g, id);
}

int64_t gw_published_window(const struct gateway *g, pres_id id, int64_t until)
{
    const struct gw_published *o = g->persons[id].published;
    int64_t soon = clk_wall_s(loop_clk(g->loop)) + REFINED_S + HOUR_S - 1;
    if (!o || !is_both(g, id) || !stands(g, id, o))
        return until;
    soon -= soon % HOUR_S;
    return soon < until ? soon : until;
}

size_t gw_published_extend(struct gateway *g, pres_id id, const struct dav_result *result, size_t n, int64_t *until)
{
    struct pres_known known;
    struct gw_published *o;
    if (!is_both(g, id))
        return n;
    o = mine(g, id);
    if (!result->routine || o->changed_at == 0)
        o->changed_at = result->as_of;
    o->alone_as_of = result->as_of;
    o->alone_from = result->from;
    o->alone_until = result->until;
    o->alone_code = NULL;
    gw_published_keep_calendar(o, result, clk_wall_s(loop_clk(g->loop)));
    if (!stands(g, id, o))
        return n;
    look(g, id);
    pres_table_known(g->table, id, &known);
    if (o->until <= result->until || known.until <= result->until)
        return n;
    n = add_known(g, id, n, result->until, known.until);
    *until = known.until;
    return n;
}

const char *gw_published_way(const struct gateway *g, pres_id id, const char *way)
{
    const struct gw_published *o = g->persons[id].published;
    return o && is_both(g, id) && stands(g, id, o) ? way_both : way;
}

void gw_published_confirm(struct gateway *g, pres_id id, const struct dav_result *result)
{
    if (is_both(g, id)) {
        mine(g, id)->alone_as_of = result->as_of;
        mine(g, id)->alone_code = NULL;
        look(g, id);
    }
}

bool gw_published_instead(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_person *p = &g->persons[id];
    const struct dav_cause *cause = dav_cause_find(result->code);
    struct gw_published *o = is_both(g, id) ? mine(g, id) : NULL;
    if (!o || !cause || cause->whole_server)
        return false;
    if (o->alone_code != cause->code)
        log_info("poll", "person=%s the calendar cannot be read code=%s", pres_table_address(g->table, id),
                 cause->code);
    o->alone_code = cause->code;
    if (result->err == DAV_FORBIDDEN || result->err == DAV_NOT_FOUND)
        o->alone_as_of = p->held = 0; /* what was read from it does not stand any longer than it must */
    if (o->alone_as_of == 0 && o->told)
        tell(g, id, o, false);
    if (!stands(g, id, o))
        return false;
    p->way = result->err == DAV_FORBIDDEN   ? way_no_right
             : result->err == DAV_NOT_FOUND ? way_not_found
                                            : way_unreadable;
    return true;
}

bool gw_published_differs(const struct gateway *g, pres_id id, struct gw_differs *ret)
{
    const struct gw_published *o = g->persons[id].published;
    if (!o || !o->told)
        return false;
    *ret = o->differs;
    return true;
}

static bool is_told(const struct gateway *g, pres_id id, unsigned number)
{
    (void)number;
    return g->persons[id].published && g->persons[id].published->told;
}

pres_id gw_published_example(const struct gateway *g, struct gw_server *s)
{
    return gw_people_example(g, s, is_told, 0, &s->differing_example);
}

static bool is_both(const struct gateway *g, pres_id id)
{
    return g->persons[id].ways == (GW_POLLER_ALONE | GW_POLLER_BATCH);
}

static struct gw_published *mine(struct gateway *g, pres_id id)
{
    struct gw_person *p = &g->persons[id];
    if (!p->published)
        p->published = mem_calloc(1, sizeof *p->published);
    return p->published;
}

static bool is_fresh(const struct gateway *g, int64_t as_of)
{
    return as_of != 0 && clk_wall_s(loop_clk(g->loop)) - as_of < GRACE_S + 3 * g->config->poll_interval_ms / 1000;
}

/* What is published serves, also some time after it was asked for when the calendar has not changed since. */
static bool stands(const struct gateway *g, pres_id id, const struct gw_published *o)
{
    const struct gw_config_server *server = gw_server_of(g, id)->config;
    bool holds = gw_published_holds(o, server->freebusy_delay_s) && is_fresh(g, o->alone_as_of);
    return is_fresh(g, o->as_of + (holds && o->as_of ? server->changes.full_read_s : 0));
}

/* Something is published. What the calendar said of the next hours stands, if it is not too old. */
static void take(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_person *p = &g->persons[id];
    struct gw_published *o = mine(g, id);
    int64_t from = result->from, until = result->until;
    size_t n = gw_feed_weigh(g, gw_feed_rules_of(g, id), result);
    bool refined = is_both(g, id) && is_fresh(g, o->alone_as_of);
    o->as_of = result->as_of;
    o->from = result->from;
    o->until = result->until;
    o->code = NULL;
    if (is_both(g, id))
        gw_published_keep_near(o, result, clk_wall_s(loop_clk(g->loop)));
    if (refined) {
        cut_out(g, &n, o->alone_from, o->alone_until);
        n = add_refined(g, id, o, n);
        from = o->alone_from < from ? o->alone_from : from;
        until = o->alone_until > until ? o->alone_until : until;
        p->way = way_both;
        look(g, id);
    } else if (!is_both(g, id)) {
        p->way = result->way ? result->way : way_published;
    } else if (o->alone_code) {
        enum dav_err err = dav_cause_find(o->alone_code)->err;
        p->way = err == DAV_FORBIDDEN ? way_no_right : err == DAV_NOT_FOUND ? way_not_found : way_unreadable;
    }
    if (!refined)
        p->held = 0; /* what the calendar said is not in the table any more */
    gw_feed_well(g, id);
    pres_table_update(g->table, id, g->scratch, n, from, until, result->as_of);
    gw_keep_answer(g, id);
    gw_outlets_known(g, id);
}

static size_t add_refined(struct gateway *g, pres_id id, const struct gw_published *o, size_t n)
{
    return add_known(g, id, n, o->alone_from, o->alone_until);
}

/* What the table has in [from, until), behind the first n of the scratch. */
static size_t add_known(struct gateway *g, pres_id id, size_t n, int64_t from, int64_t until)
{
    struct pres_known known;
    pres_table_known(g->table, id, &known);
    size_t count = pres_set_count(known.set);
    gw_feed_room(g, n + count);
    for (size_t i = pres_set_find(known.set, from); i < count; i++) {
        struct pres_interval one = pres_set_at(known.set, i);
        if (one.start >= until)
            break;
        one.start = one.start < from ? from : one.start;
        one.end = one.end > until ? until : one.end;
        g->scratch[n++] = one;
    }
    return n;
}

/* Nothing of the scratch's first *n may lie in [from, until). */
static void cut_out(struct gateway *g, size_t *n, int64_t from, int64_t until)
{
    size_t count = *n, kept = 0, rest = count;
    gw_feed_room(g, 2 * count + 1);
    for (size_t i = 0; i < count; i++) {
        struct pres_interval before = g->scratch[i], after = before;
        before.end = before.end < from ? before.end : from;
        after.start = after.start > until ? after.start : until;
        if (after.start < after.end)
            g->scratch[rest++] = after;
        if (before.start < before.end)
            g->scratch[kept++] = before;
    }
    memmove(g->scratch + kept, g->scratch + count, (rest - count) * sizeof *g->scratch);
    *n = kept + rest - count;
}

/* Nothing is published of this person, or nobody can be asked. */
static void miss(struct gateway *g, pres_id id, const struct dav_result *result)
{
    struct gw_published *o = mine(g, id);
    o->code = result->code;
    if (!is_both(g, id)) {
        gw_feed_failure(g, id, result);
        return;
    }
    if (o->alone_code && !is_fresh(g, o->as_of)) { /* it stood in for a calendar that cannot be read */
        struct dav_result failure = {
            .err = dav_cause_find(o->alone_code)->err, .code = o->alone_code, .as_of = result->as_of};
        gw_feed_failure(g, id, &failure);
    }
}

static void look(struct gateway *g, pres_id id)
{
    struct gw_published *o = g->persons[id].published;
    int64_t now = clk_wall_s(loop_clk(g->loop));
    gw_published_look(o, now);
    bool lasting = o->differs.at != 0 && o->differed >= LOOKS &&
                   now - o->differs.since >= gw_server_of(g, id)->config->freebusy_delay_s;
    if (lasting && !o->told)
        tell(g, id, o, true);
    else if (o->differs.at == 0 && o->told)
        tell(g, id, o, false);
}

/* Once when it is certain, and once when it is over. */
static void tell(struct gateway *g, pres_id id, struct gw_published *o, bool differs)
{
    struct gw_server *s = gw_server_of(g, id);
    const char *address = pres_table_address(g->table, id);
    o->told = differs;
    s->differing += differs ? 1 : (size_t)-1;
    if (!differs) {
        log_notice("poll", "server=%s person=%s published free/busy and calendar agree again", s->config->name,
                   address);
        return;
    }
    if (s->differing == 1)
        s->differing_since = o->differs.since;
    log_warning("poll",
                "server=%s person=%s code=freebusy-differs at=%lld published=%s calendar=%s: the calendar counts for "
                "the next hours",
                s->config->name, address, (long long)o->differs.at,
                pres_kind_name((enum pres_kind)o->differs.published),
                pres_kind_name((enum pres_kind)o->differs.calendar));
}
