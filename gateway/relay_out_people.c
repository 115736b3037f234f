/*
 * relay_out_people: what the far end holds of each person, and whether that is still what it may know. Called by
 * relay_out.c for everybody who changed, and for a slice of all others four times a second: time passes, a grant
 * expires, a window moves on, without anything having changed.
 *
 * What a person's message says comes from pres_view_known and from nowhere else. Whom the policy does not let us tell
 * the times of is not exported; who was, and is no longer, gets a tombstone.
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy.h"
#include "presence/render.h"
#include "presence/view.h"
#include "relay_out_private.h"

enum { TICK_MS = 250, SLICE_MAX = 500, SLICE_MIN = 20, SLACK_PARTS = 28, SLACK_MIN_S = 3600, SLACK_MAX_S = 43200 };
enum { WINDOW_MIN_S = 3600 };

static bool differs(const struct relay_person *p, const struct pres_known *now_known, int64_t now, bool files,
                    int64_t keep_s);
static bool same_ahead(const struct pres_set *a, const struct pres_set *b, int64_t now);
static enum relay_news put(struct relay_out *r, struct relay_person *p, const struct pres_known *known);
static struct pres_set *copy_of(const struct pres_set *set, int64_t from, int64_t until);
static void person_free(struct relay_person *p);
static void told_clear(struct relay_told *t);
static void take_row(void *arg, const char *key, const char *value);

struct relay_person *gw_relay_person(struct relay_out *r, const char *address)
{
    char *key = str_lower(mem_strdup(address)), pseudonym[33];
    struct relay_person *p = map_get(r->people, key);
    if (p) {
        free(key);
        return p;
    }
    p = mem_calloc(1, sizeof *p);
    p->address = key;
    if (r->pseudonym_key) {
        gw_relay_pseudonym(r->pseudonym_key, strlen(r->pseudonym_key), key, pseudonym);
        p->wire = mem_printf("%s@%s", pseudonym, r->pseudonym_domain);
    } else {
        p->wire = mem_strdup(key);
    }
    p->bucket = gw_relay_bucket(p->wire);
    map_put(r->people, p->address, p);
    return p;
}

enum relay_news gw_relay_look(struct relay_out *r, pres_id id, const char *address)
{
    struct relay_person *p = gw_relay_person(r, address);
    int64_t now = clk_wall_s(loop_clk(r->g->loop));
    struct pres_grant grant;
    struct pres_known known;
    enum relay_news news = RELAY_SAME;

    pres_table_known(r->g->table, id, &known);
    gw_policy_grant(r->g, &r->who, id, &grant);
    struct pres_seen *seen = known.as_of ? pres_view_known(&grant, &known, now) : NULL;
    p->unread = !known.as_of && grant.level == PRES_SEE_TIMES;
    if (known.as_of && !seen) {
        gw_relay_withdraw(r, p);
        return RELAY_WITHHELD;
    }
    if (seen && (p->flying || p->withdrawn))
        p->again = true;
    else if (seen && seen->known.until > now &&
             differs(p, &seen->known, now, r->files, r->g->config->stale_after_s))
        news = put(r, p, &seen->known);
    if (news == RELAY_DIFFERS) /* a look alone tells nobody anything */
        gw_audit(r->g, &r->who, id, &grant);
    if (seen)
        pres_seen_free(&seen);
    return news;
}

void gw_relay_accepted(struct relay_out *r, struct relay_person *p, uint64_t sequence)
{
    told_clear(&p->held);
    p->held = p->next;
    p->next = (struct relay_told){.set = NULL};
    p->flying = false;
    p->sequence = sequence;
    if (p->told)
        return;
    p->told = true;
    r->told_count++;
    r->store->put(r->store->impl, r->space, p->address, p->wire, NULL, NULL);
}

void gw_relay_lost(struct relay_person *p)
{
    told_clear(&p->next);
    p->flying = false;
    p->again = false; /* everybody is looked at when the line is up again */
}

void gw_relay_withdraw(struct relay_out *r, struct relay_person *p)
{
    if (p->withdrawn || (!p->told && !p->flying))
        return;
    for (size_t i = 0; i < r->waiting_count; i++)
        if (r->waiting[i] == p) {
            gw_relay_batch_drop(r); /* nothing of it leaves any more */
            break;
        }
    if (!p->told && !p->flying)
        return;
    p->withdrawn = true;
    r->withdrawn_count++;
    gw_relay_send_soon(r);
}

void gw_relay_withdrawn(struct relay_out *r, struct relay_person *p)
{
    pres_id id = p->again ? pres_table_find(r->g->table, p->address) : PRES_NOBODY;

    map_del(r->people, p->address);
    r->withdrawn_count--;
    r->told_count -= p->told;
    r->store->put(r->store->impl, r->space, p->address, NULL, NULL, NULL);
    person_free(p);
    if (id != PRES_NOBODY) /* and is back already */
        pres_publisher_changed(r->publisher, id);
}

void gw_relay_withdraw_gone(struct relay_out *r)
{
    size_t pos = 0;
    for (struct relay_person *p; (p = map_next(r->people, &pos));) {
        pres_id id = pres_table_find(r->g->table, p->address);
        if (id != PRES_NOBODY && str_eq_nocase(pres_table_publish_as(r->g->table, id), p->address))
            continue;
        gw_relay_withdraw(r, p);
        if (!p->told && !p->flying && !p->withdrawn) { /* nobody was told: nothing to be taken back */
            map_del(r->people, p->address);
            person_free(p);
        }
    }
}

void gw_relay_sweep(struct relay_out *r)
{
    size_t all = pres_table_count(r->g->table);
    size_t slice = all * TICK_MS / (size_t)r->digest_ms;
    unsigned epoch = gw_policy_epoch(r->g);

    if (epoch != r->epoch) {
        gw_relay_batch_drop(r); /* it was made under the old one */
        r->epoch = epoch;
        r->sweep_hurry = all;
    }
    slice = slice < SLICE_MIN ? SLICE_MIN : slice;
    slice = r->sweep_hurry || slice > SLICE_MAX ? SLICE_MAX : slice;
    r->sweep_hurry -= r->sweep_hurry < slice ? r->sweep_hurry : slice;
    for (size_t i = 0; i < slice && i < all; i++) {
        r->sweep_at = pres_table_next(r->g->table, r->sweep_at);
        if (r->sweep_at != PRES_NOBODY &&
            gw_relay_look(r, r->sweep_at, pres_table_publish_as(r->g->table, r->sweep_at)) == RELAY_FULL)
            pres_publisher_changed(r->publisher, r->sweep_at);
    }
}

void gw_relay_people_load(struct relay_out *r)
{
    r->people = map_new();
    r->store->load(r->store->impl, r->space, take_row, r);
}

void gw_relay_people_free(struct relay_out *r)
{
    size_t pos = 0;
    for (struct relay_person *p; (p = map_next(r->people, &pos));)
        person_free(p);
    map_free(&r->people);
}

/* A file at a plain server lives as long as it says and must be written anew before; where digests keep it alive, only
 * its window has to move. */
static bool differs(const struct relay_person *p, const struct pres_known *known, int64_t now, bool files,
                    int64_t keep_s)
{
    int64_t slack = (known->until - now) / SLACK_PARTS;

    if (!p->sequence)
        return true;
    slack = slack < SLACK_MIN_S ? SLACK_MIN_S : slack > SLACK_MAX_S ? SLACK_MAX_S : slack;
    if (known->until < p->held.until || known->until - p->held.until >= slack)
        return true;
    if (files && known->as_of > p->held.as_of && p->held.as_of + keep_s / 2 <= now)
        return true;
    return !same_ahead(known->set, p->held.set, now);
}

/* Of now and what comes: what is over is no news, nor where a window cuts what goes on. */
static bool same_ahead(const struct pres_set *a, const struct pres_set *b, int64_t now)
{
    size_t i = pres_set_find(a, now), k = pres_set_find(b, now);

    if (pres_set_count(a) - i != pres_set_count(b) - k)
        return false;
    for (; i < pres_set_count(a); i++, k++) {
        struct pres_interval x = pres_set_at(a, i), y = pres_set_at(b, k);
        bool begun = x.start <= now && y.start <= now;
        if (x.kind != y.kind || x.end != y.end || (x.start != y.start && !begun))
            return false;
    }
    return true;
}

static enum relay_news put(struct relay_out *r, struct relay_person *p, const struct pres_known *known)
{
    int64_t until = known->until, now = clk_wall_s(loop_clk(r->g->loop));
    size_t before = r->batch.len;
    bool full = r->waiting_count > 0 && (before >= r->batch_bytes || r->files);

    if (!full)
        pres_render_vfb_part(&r->batch, p->wire, known->set, known->from, until, known->as_of);
    /* One person's part that is longer than a message may be speaks of less time. */
    while (!full && r->batch.len > r->batch_bytes && r->waiting_count == 0 && until - now > WINDOW_MIN_S) {
        until = now + (until - now) * 3 / 4;
        r->batch.len = before;
        r->cut++;
        pres_render_vfb_part(&r->batch, p->wire, known->set, known->from, until, known->as_of);
    }
    if (full || r->batch.len > r->batch_bytes) {
        r->batch.len = before;
        r->batch.data[before] = '\0';
        r->batch.failed = false;
        gw_relay_send_soon(r);
        return RELAY_FULL;
    }
    if (r->waiting_count == r->waiting_room) {
        r->waiting_room = r->waiting_room ? 2 * r->waiting_room : 64;
        r->waiting = mem_realloc(r->waiting, r->waiting_room, sizeof(struct relay_person *));
    }
    r->waiting[r->waiting_count++] = p;
    p->next =
        (struct relay_told){copy_of(known->set, known->from, known->until), known->from, known->until, known->as_of};
    p->flying = true;
    gw_relay_send_soon(r);
    return RELAY_DIFFERS;
}

static struct pres_set *copy_of(const struct pres_set *set, int64_t from, int64_t until)
{
    size_t n = pres_set_count(set);
    struct pres_interval *all = mem_calloc(n + 1, sizeof *all);

    for (size_t i = 0; i < n; i++)
        all[i] = pres_set_at(set, i);
    struct pres_set *copy = pres_set_build(all, n, from, until);
    free(all);
    return copy;
}

static void person_free(struct relay_person *p)
{
    told_clear(&p->held);
    told_clear(&p->next);
    free(p->wire);
    free(p->address);
    free(p);
}

static void told_clear(struct relay_told *t)
{
    free(t->set);
    *t = (struct relay_told){.set = NULL};
}

/* Somebody who was exported before a restart. What the far end holds of them is not known any more. */
static void take_row(void *arg, const char *key, const char *value)
{
    struct relay_out *r = arg;
    int64_t n;

    if (strcmp(key, "sequence") == 0) {
        if (str_to_int(value, 0, INT64_MAX, &n))
            r->sequence = r->reserved = (uint64_t)n;
        return;
    }
    struct relay_person *p = gw_relay_person(r, key);
    free(p->wire);
    p->wire = mem_strdup(value);
    p->bucket = gw_relay_bucket(value);
    r->told_count += !p->told;
    p->told = true;
}
