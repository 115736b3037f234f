/*
 * pub_webhook_queue: who waits to be told of, and what the other side was told last. One row a person in the store:
 * {"told","mark","state"}, `state` being what waits; so a state that was taken from the table is not lost by a crash,
 * and a state that was acknowledged is not sent again after a restart.
 *
 * The queue holds persons: a newer state takes the place of an older one. A person's state that is under way stays with
 * its lane; when a newer one comes meanwhile, the person waits again behind it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/utc.h"
#include "presence/viewer.h"
#include "presence/render.h"
#include "pub_text.h"
#include "pub_webhook.h"

enum { ROW_MAX = 16000, RESERVE = 1000 };

static const char SEQUENCE[] = "sequence"; /* no address: it has no @ */

static void on_row(void *arg, const char *key, const char *value);
static void save(struct pub_webhook *h, const struct pub_hook_person *p);
static void forget(struct pub_webhook *h, struct pub_hook_person *p);
static void append(struct pub_webhook *h, struct pub_hook_person *p);
static void person_free(struct pub_hook_person *p);
static int64_t time_of(const struct jv *v, const char *key, int64_t otherwise);
static enum pres_kind kind_of(const char *name);

void pres_hook_load(struct pub_webhook *h)
{
    h->known = map_new();
    TAILQ_INIT(&h->queue);
    h->store->load(h->store->impl, h->space, on_row, h);
    h->sequence = h->reserved; /* numbers of before may have been used */
}

void pres_hook_forget_all(struct pub_webhook *h)
{
    size_t pos = 0;
    h->store->forget(h->store->impl, h);
    for (struct pub_hook_person *p; (p = map_next(h->known, &pos));)
        person_free(p);
    map_free(&h->known);
}

struct pub_hook_person *pres_hook_person(struct pub_webhook *h, const char *address)
{
    struct pub_hook_person *p = map_get(h->known, address);
    if (p)
        return p;
    size_t len = strlen(address) + 1;
    p = mem_calloc(1, sizeof *p + len);
    memcpy(p->address, address, len);
    map_put(h->known, p->address, p);
    return p;
}

void pres_hook_enqueue(struct pub_webhook *h, struct pub_hook_person *p, const struct pres_presence *now, uint64_t hash)
{
    struct buf json;
    buf_init(&json, ROW_MAX);
    pres_render_json(&json, p->address, now);
    free(p->json);
    p->json = buf_take(&json);
    p->hash = hash;
    p->old = false;
    save(h, p);
    append(h, p);
}

struct pub_hook_person *pres_hook_dequeue(struct pub_webhook *h)
{
    struct pub_hook_person *p;
    TAILQ_FOREACH(p, &h->queue, entry)
    {
        if (p->flying)
            continue;
        TAILQ_REMOVE(&h->queue, p, entry);
        h->queued--;
        p->queued = false;
        p->flying = true;
        return p;
    }
    return NULL;
}

void pres_hook_requeue(struct pub_webhook *h, struct pub_hook_person *p)
{
    p->flying = false;
    if (p->queued)
        return;
    if (h->queued == 0)
        h->oldest_ms = clk_mono_ms(loop_clk(h->loop));
    p->queued = true;
    TAILQ_INSERT_HEAD(&h->queue, p, entry);
    h->queued++;
}

void pres_hook_settled(struct pub_webhook *h, struct pub_hook_person *p, uint64_t hash)
{
    p->flying = false;
    p->told = hash;
    if (p->queued) { /* something newer came meanwhile */
        save(h, p);
        return;
    }
    free(p->json);
    p->json = NULL;
    if (p->gone)
        forget(h, p);
    else
        save(h, p);
}

/* Numbers are reserved in the store before they are used, so that none is used twice. */
uint64_t pres_hook_sequence(struct pub_webhook *h)
{
    char text[24];
    if (++h->sequence + RESERVE / 2 > h->reserved) {
        h->reserved = h->sequence + RESERVE;
        snprintf(text, sizeof text, "%" PRIu64, h->reserved);
        h->store->put(h->store->impl, h->space, SEQUENCE, text, NULL, NULL);
    }
    return h->sequence;
}

/* Who is gone is told of once more: nothing is known any longer. */
void pres_hook_people_changed(struct pub_webhook *h)
{
    size_t pos = 0;
    for (struct pub_hook_person *p; (p = map_next(h->known, &pos));) {
        pres_id id = pres_viewer_find(pres_publisher_viewer(h->publisher), NULL, p->address);
        bool gone = id == PRES_NOBODY || strcmp(pres_table_publish_as(h->table, id), p->address) != 0;
        if (gone == p->gone)
            continue;
        p->gone = gone;
        const struct pres_presence now = {.state = PRES_UNKNOWN, .until = PRES_NEVER, .reason = "removed"};
        if (gone && (p->told || p->queued || p->flying))
            pres_hook_enqueue(h, p, &now, pres_text_hash(&now));
    }
}

void pres_hook_state(struct pub_webhook *h, const struct pub_hook_person *p, struct pres_presence *ret,
                     struct jv **ret_parsed)
{
    char why[100];
    pres_id id = p->gone ? PRES_NOBODY : pres_viewer_find(pres_publisher_viewer(h->publisher), NULL, p->address);
    *ret_parsed = NULL;
    if (id != PRES_NOBODY) {
        pres_viewer_presence(pres_publisher_viewer(h->publisher), NULL, id, ret);
        if ((!p->old || ret->as_of != 0 || ret->state != PRES_UNKNOWN) && (!h->kinds || (h->kinds & 1u << ret->state)))
            return;
    }
    struct jv *v = p->json ? jv_parse(p->json, strlen(p->json), why, sizeof why) : NULL;
    const struct jv *next = jv_get(v, "next");
    *ret = (struct pres_presence){.state = kind_of(jv_str(jv_get(v, "state"), "")),
                                  .since = time_of(v, "since", 0),
                                  .until = time_of(v, "until", PRES_NEVER),
                                  .as_of = time_of(v, "as_of", 0),
                                  .valid_until = time_of(v, "valid_until", 0),
                                  .reason = jv_str(jv_get(v, "reason"), NULL)};
    if (jv_is_object(next))
        ret->next = (struct pres_next){.some = true,
                                       .kind = kind_of(jv_str(jv_get(next, "state"), "")),
                                       .start = time_of(next, "start", 0),
                                       .end = time_of(next, "end", PRES_NEVER)};
    *ret_parsed = v;
}

static void on_row(void *arg, const char *key, const char *value)
{
    struct pub_webhook *h = arg;
    char why[100];
    struct buf state;
    struct jv *v = jv_parse(value, strlen(value), why, sizeof why);
    if (strcmp(key, SEQUENCE) == 0) {
        h->reserved = strtoull(value, NULL, 10);
        jv_free(&v);
        return;
    }
    if (!jv_is_object(v)) {
        jv_free(&v);
        return;
    }
    struct pub_hook_person *p = pres_hook_person(h, key);
    p->told = strtoull(jv_str(jv_get(v, "told"), "0"), NULL, 16);
    p->mark = mem_strdup_or_null(jv_str(jv_get(v, "mark"), NULL));
    if (jv_is_object(jv_get(v, "state"))) {
        buf_init(&state, ROW_MAX);
        jv_write(&state, jv_get(v, "state"), false);
        p->json = buf_take(&state);
        p->old = true;
        append(h, p);
    }
    jv_free(&v);
}

static void save(struct pub_webhook *h, const struct pub_hook_person *p)
{
    struct buf value;
    buf_init(&value, ROW_MAX);
    buf_addf(&value, "{\"told\":\"%" PRIx64 "\"", p->told);
    if (p->mark) {
        buf_adds(&value, ",\"mark\":");
        jv_quote(&value, p->mark);
    }
    if (p->json)
        buf_addf(&value, ",\"state\":%s", p->json);
    buf_addc(&value, '}');
    if (!value.failed)
        h->store->put(h->store->impl, h->space, p->address, value.data, NULL, NULL);
    buf_free(&value);
}

static void forget(struct pub_webhook *h, struct pub_hook_person *p)
{
    h->store->put(h->store->impl, h->space, p->address, NULL, NULL, NULL);
    map_del(h->known, p->address);
    person_free(p);
}

static void append(struct pub_webhook *h, struct pub_hook_person *p)
{
    if (p->queued)
        return;
    if (h->queued == 0)
        h->oldest_ms = clk_mono_ms(loop_clk(h->loop));
    p->queued = true;
    TAILQ_INSERT_TAIL(&h->queue, p, entry);
    h->queued++;
}

static void person_free(struct pub_hook_person *p)
{
    free(p->json);
    free(p->mark);
    free(p->id);
    free(p);
}

static int64_t time_of(const struct jv *v, const char *key, int64_t otherwise)
{
    const char *text = jv_str(jv_get(v, key), NULL);
    int64_t t = otherwise;
    if (text)
        utc_parse_rfc3339(text, strlen(text), &t);
    return t;
}

static enum pres_kind kind_of(const char *name)
{
    for (int i = 0; i < PRES_KINDS; i++)
        if (strcmp(pres_kind_name((enum pres_kind)i), name) == 0)
            return (enum pres_kind)i;
    return PRES_UNKNOWN;
}
