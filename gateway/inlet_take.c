/*
 * inlet_take: what a message does. In this order, and nothing of it is believed before all of them have passed: it
 * can be read; it is signed by a key we were given, which has not expired; it is for us; it is not too old, and newer
 * than everything before it. Then each VFREEBUSY in it becomes an answer about a person, if the exporter may speak for
 * that one; or everybody in it is withdrawn; or it is a digest.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto_sign.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "davclient/busytext.h"
#include "inlet_private.h"

enum { AHEAD_S = 300, PEOPLE_MAX = 20000, CALENDARS_MAX = 100, GATHERED_MAX = 20000 };

/* A message while it is taken in. */
struct taking {
    struct gw_inlet *r;
    const struct gw_relay_head *head;
    const char *only; /* NULL: anybody the exporter may speak for */
    int64_t now;
    unsigned good, refused, broken;
    unsigned gathered; /* calendars of one person, and what they say together */
    struct dav_result all;
    struct dav_span *spans;
    pres_id id;
};

static void tell(const struct gw_inlet *r, enum gw_inlet_refusal refusal);
static enum gw_inlet_refusal judge(struct gw_inlet *r, const struct gw_relay_head *head, const char *body,
                                   size_t len);
static enum gw_inlet_refusal judge_key(const struct gw_inlet *r, const struct gw_relay_head *head, const char *body,
                                       size_t len);
static enum gw_inlet_refusal take_people(struct gw_inlet *r, const struct gw_relay_head *head, const char *only,
                                         const char *body, size_t len);
static void on_part(void *arg, const struct dav_busytext_part *part);
static void gather(struct taking *t, pres_id id, const struct dav_busytext_part *part);
static void apply_gathered(struct taking *t);
static void apply(struct taking *t, pres_id id, const char *address, const struct dav_busytext_part *part);
static enum gw_inlet_refusal take_digest(struct gw_inlet *r, const struct gw_relay_head *head, const char *body,
                                         size_t len);
static bool take_has(struct gw_inlet *r, const struct gw_relay_head *head, const char *address, uint64_t sequence,
                     int64_t age_s);
static void withdraw_unseen(struct gw_inlet *r, const struct gw_relay_head *head);

enum gw_inlet_refusal gw_inlet_take(struct gw_inlet *r, const char *address, const char *body, size_t len)
{
    struct gw_relay_head head;
    enum gw_inlet_refusal refusal = GW_INLET_MALFORMED;

    if (gw_relay_parse(body, len, &head))
        refusal = judge(r, &head, body, len);
    if (refusal == GW_INLET_WELL && head.made) {
        r->last = head.sequence;
        gw_inlet_remember(r, "sequence", r->last);
        gw_inlet_keep(r, head.keep_s);
    }
    if (refusal == GW_INLET_WELL) {
        r->messages++;
        r->bytes += len;
        r->last_at = clk_wall_s(loop_clk(r->g->loop));
        r->silent = false;
        refusal = head.parts ? take_digest(r, &head, body, len) : take_people(r, &head, address, body, len);
    }
    r->refused[refusal] += refusal != GW_INLET_WELL && refusal != GW_INLET_PERSON;
    if (refusal != GW_INLET_WELL)
        tell(r, refusal);
    return refusal;
}

enum gw_inlet_refusal gw_inlet_delete(struct gw_inlet *r, const char *address)
{
    pres_id id;
    if (r->key_count > 0) { /* nothing says who it comes from */
        r->refused[GW_INLET_UNSIGNED]++;
        return GW_INLET_UNSIGNED;
    }
    if (!gw_inlet_is_ours(r, address, &id)) {
        r->refused[GW_INLET_PERSON]++;
        return GW_INLET_PERSON;
    }
    gw_inlet_withdraw(r, address);
    return GW_INLET_WELL;
}

void gw_inlet_withdraw(struct gw_inlet *r, const char *address)
{
    pres_id id;
    if (gw_inlet_is_ours(r, address, &id))
        gw_feed_withdrawn(r->g, id, "relay-withdrawn");
    r->withdrawn++;
    gw_inlet_forget(r, address);
}

/* The first, the second, the fourth ...: a stranger does not fill the log. */
static void tell(const struct gw_inlet *r, enum gw_inlet_refusal refusal)
{
    uint64_t count = r->refused[refusal];
    if ((count & (count - 1)) == 0)
        log_notice("relay", "server=%s refused reason=%s so far=%llu", r->server->config->name,
                   gw_inlet_refusal_name(refusal), (unsigned long long)count);
}

static enum gw_inlet_refusal judge(struct gw_inlet *r, const struct gw_relay_head *head, const char *body, size_t len)
{
    const struct gw_config_relay_from *from = &r->server->config->relay;
    const char *stream = from->stream ? from->stream : r->server->config->name;
    int64_t now = clk_wall_s(loop_clk(r->g->loop));

    if (r->key_count > 0) {
        enum gw_inlet_refusal refusal = judge_key(r, head, body, len);
        if (refusal != GW_INLET_WELL)
            return refusal;
    }
    if (!head->made) /* some program's; the peer's identity is all there is */
        return GW_INLET_WELL;
    if (strcmp(head->stream, stream) != 0)
        return GW_INLET_STREAM;
    if (head->made > now + AHEAD_S || head->made + head->keep_s <= now)
        return GW_INLET_EXPIRED;
    return head->sequence > r->last ? GW_INLET_WELL : GW_INLET_REPLAYED;
}

static enum gw_inlet_refusal judge_key(const struct gw_inlet *r, const struct gw_relay_head *head, const char *body,
                                       size_t len)
{
    if (!head->made || !head->key[0])
        return GW_INLET_UNSIGNED;
    for (unsigned i = 0; i < r->key_count; i++) {
        const struct relay_key *k = &r->keys[i];
        if (strcmp(crypto_sign_id(k->key), head->key) != 0)
            continue;
        if (!gw_relay_verify(body, len, k->key))
            return GW_INLET_TAMPERED;
        return k->until <= clk_wall_s(loop_clk(r->g->loop)) ? GW_INLET_EXPIRED_KEY : GW_INLET_WELL;
    }
    return GW_INLET_UNKNOWN_KEY;
}

/* A message of ours may have nobody in it: it says that the line is up. What it says of people for whom it may not
 * speak is left out; where it speaks of one only, that is an answer. */
static enum gw_inlet_refusal take_people(struct gw_inlet *r, const struct gw_relay_head *head, const char *only,
                                         const char *body, size_t len)
{
    struct taking t = {.r = r, .head = head, .only = only, .now = clk_wall_s(loop_clk(r->g->loop))};
    size_t max = !only ? PEOPLE_MAX : head->made ? 1 : CALENDARS_MAX;
    bool whole = dav_busytext_read(r->reader, body, len, max, on_part, &t);

    if (t.gathered && whole && !t.broken)
        apply_gathered(&t);
    free(t.spans);
    r->refused[GW_INLET_PERSON] += t.refused;
    r->refused[GW_INLET_MALFORMED] += t.broken;
    if (t.refused)
        tell(r, GW_INLET_PERSON);
    if (t.broken)
        tell(r, GW_INLET_MALFORMED);
    if ((only || !head->made) && t.refused)
        return GW_INLET_PERSON;
    if (whole ? only && !t.good : !head->made || t.good + t.refused + t.broken > 0)
        return GW_INLET_MALFORMED;
    return GW_INLET_WELL;
}

static void on_part(void *arg, const struct dav_busytext_part *part)
{
    struct taking *t = arg;
    /* A plain program's own idea of its address is its own; the path is what the peer was let in for. */
    const char *address = t->only && !t->head->made ? t->only : part->address;
    pres_id id;

    if (!gw_inlet_is_ours(t->r, address, &id) || (t->only && !str_eq_nocase(t->only, address))) {
        t->refused++;
    } else if (t->head->cancel) {
        gw_inlet_withdraw(t->r, address);
        t->good++;
    } else if (!part->good || (part->stamp == 0 && t->head->made)) {
        t->broken++;
    } else if (t->only && !t->head->made) {
        gather(t, id, part);
    } else {
        apply(t, id, address, part);
        t->good++;
    }
}

/* A program that publishes several calendars writes one behind the other. Known is then what is known of all. */
static void gather(struct taking *t, pres_id id, const struct dav_busytext_part *part)
{
    int64_t as_of = part->stamp ? part->stamp : t->now;
    struct dav_result *all = &t->all;
    if (all->count + part->count > GATHERED_MAX) {
        t->broken++;
        return;
    }
    t->spans = mem_realloc(t->spans, all->count + part->count + 1, sizeof *t->spans);
    for (size_t i = 0; i < part->count; i++)
        t->spans[all->count++] = part->spans[i];
    all->from = t->gathered && all->from > part->from ? all->from : part->from;
    all->until = t->gathered && all->until < part->until ? all->until : part->until;
    all->as_of = t->gathered && all->as_of < as_of ? all->as_of : as_of;
    t->id = id;
    t->gathered++;
}

static void apply_gathered(struct taking *t)
{
    t->all.err = DAV_OK;
    t->all.spans = t->spans;
    t->all.requests = 1;
    if (t->all.from >= t->all.until)
        return;
    gw_feed_pushed(t->r->g, t->id, &t->all);
    t->r->people++;
    t->good++;
}

static void apply(struct taking *t, pres_id id, const char *address, const struct dav_busytext_part *part)
{
    struct gw_inlet *r = t->r;
    const struct dav_result result = {.err = DAV_OK,
                                      .spans = part->spans,
                                      .count = part->count,
                                      .from = part->from,
                                      .until = part->until,
                                      .as_of = part->stamp ? part->stamp : t->now,
                                      .requests = 1};
    gw_feed_pushed(r->g, id, &result);
    r->people++;
    if (!t->head->made)
        return;
    struct relay_held *h = gw_inlet_held(r, address, true);
    h->sequence = t->head->sequence;
    gw_inlet_remember(r, h->address, h->sequence);
}

/* Whom it names with the right number is as the exporter says, as of then. Whom it does not name, and should, is
 * exported no more. */
static enum gw_inlet_refusal take_digest(struct gw_inlet *r, const struct gw_relay_head *head, const char *body,
                                         size_t len)
{
    const char *at = body, *end = body + len;
    char address[GW_RELAY_ADDRESS_MAX + 1];
    uint64_t sequence;
    int64_t age_s;
    bool bad, same = true;

    while (gw_relay_next_has(&at, end, address, &sequence, &age_s, &bad))
        same = take_has(r, head, address, sequence, age_s) && same;
    if (bad)
        return GW_INLET_MALFORMED;
    r->digests++;
    withdraw_unseen(r, head);
    return same ? GW_INLET_WELL : GW_INLET_MISSED;
}

static bool take_has(struct gw_inlet *r, const struct gw_relay_head *head, const char *address, uint64_t sequence,
                     int64_t age_s)
{
    struct relay_held *h = gw_inlet_held(r, address, false);
    pres_id id;

    if (h)
        h->seen = head->sequence;
    if (!gw_inlet_is_ours(r, address, &id) || sequence == 0)
        return true;
    if (!h || h->sequence != sequence)
        return false;
    gw_feed_confirmed(r->g, id, head->made - age_s);
    return true;
}

static void withdraw_unseen(struct gw_inlet *r, const struct gw_relay_head *head)
{
    struct relay_held *gone[64];
    size_t n, pos;

    do { /* a few at a time: each takes itself out of the map */
        n = pos = 0;
        for (struct relay_held *h; n < sizeof gone / sizeof gone[0] && (h = map_next(r->held, &pos));)
            if (h->seen != head->sequence && h->bucket % head->parts == head->part)
                gone[n++] = h;
        for (size_t i = 0; i < n; i++) {
            char *address = mem_strdup(gone[i]->address);
            gw_inlet_withdraw(r, address);
            free(address);
        }
    } while (n > 0);
}
