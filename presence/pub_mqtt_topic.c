/*
 * pub_mqtt_topic: which retained messages the broker keeps for us. Each topic is a row of the store from its first
 * message until it was emptied, so that somebody who is removed while we are not running does not stay at the broker
 * for ever.
 *
 * After people changed a sweep walks over everybody, in slices, and marks their topics; what is not marked at the end
 * is nobody's, and is emptied as the broker takes it. A second walk, all the time and a part each tick, sends again
 * what would otherwise expire while nothing changes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "presence/viewer.h"
#include "pub_mqtt.h"

enum { SLICE = 500, REFRESH_TICKS = 10 };

static const char SPACE[] = "mqtt";

static struct pub_topic *add(struct pub_mqtt *m, const char *text);
static void on_row(void *arg, const char *key, const char *value);
static void sweep_slice(void *arg);
static void sweep_end(struct pub_mqtt *m);

void pres_mqtt_topics_load(struct pub_mqtt *m)
{
    m->topics = map_new();
    m->store->load(m->store->impl, SPACE, on_row, m);
}

void pres_mqtt_topics_free(struct pub_mqtt *m)
{
    size_t pos = 0;
    m->store->forget(m->store->impl, m);
    loop_undefer(m->loop, sweep_slice, m);
    for (struct pub_topic *t; (t = map_next(m->topics, &pos));)
        free(t);
    map_free(&m->topics);
    free(m->clears);
    free(m->by_id);
}

/* What was under way may not have arrived; on the next connection everything is said again. */
void pres_mqtt_topics_disconnected(struct pub_mqtt *m)
{
    size_t pos = 0;
    m->clear_count = 0;
    for (struct pub_topic *t; (t = map_next(m->topics, &pos));) {
        t->clearing = false;
        t->told = 0;
    }
}

struct pub_topic *pres_mqtt_topic_get(struct pub_mqtt *m, const char *text)
{
    struct pub_topic *t = map_get(m->topics, text);
    if (t)
        return t;
    m->store->put(m->store->impl, SPACE, text, "1", NULL, NULL);
    return add(m, text);
}

void pres_mqtt_topic_own(struct pub_mqtt *m, struct pub_topic *t, pres_id id)
{
    if (id >= m->by_id_size) {
        size_t size = ((size_t)id / 1024 + 1) * 1024;
        m->by_id = mem_realloc(m->by_id, size, sizeof(struct pub_topic *));
        for (size_t i = m->by_id_size; i < size; i++)
            m->by_id[i] = NULL;
        m->by_id_size = size;
    }
    m->by_id[id] = t;
    t->id = id;
    t->sweep = m->sweep;
    t->clearing = false;
}

void pres_mqtt_topics_sweep(struct pub_mqtt *m)
{
    m->sweep++;
    m->sweep_at = PRES_NOBODY;
    m->clear_count = 0;
    for (size_t i = 0; i < m->by_id_size; i++)
        m->by_id[i] = NULL; /* ids may be somebody else's now */
    if (!m->sweeping)
        loop_defer(m->loop, sweep_slice, m);
    m->sweeping = true;
}

void pres_mqtt_topics_clear(struct pub_mqtt *m)
{
    while (m->clear_count > 0) {
        struct pub_topic *t = m->clears[m->clear_count - 1];
        if (t->clearing && t->sweep != m->sweep && !pres_mqtt_send(m, t, t->text, "", 0, 0))
            return;
        m->clear_count--;
    }
}

void pres_mqtt_topic_cleared(struct pub_mqtt *m, struct pub_topic *t)
{
    if (!t->clearing) /* somebody has it again */
        return;
    m->cleared++;
    m->store->put(m->store->impl, SPACE, t->text, NULL, NULL, NULL);
    map_del(m->topics, t->text);
    for (size_t i = 0; i < m->sent_count; i++) {
        struct pub_sent *s = &m->sent[(m->sent_first + i) % m->inflight];
        s->topic = s->topic == t ? NULL : s->topic;
    }
    free(t);
}

void pres_mqtt_topics_refresh(struct pub_mqtt *m)
{
    int64_t now = clk_wall_s(loop_clk(m->loop));
    for (size_t n = pres_table_count(m->table) / REFRESH_TICKS + 1; n > 0; n--) {
        m->refresh_pos = pres_viewer_next(pres_publisher_viewer(m->publisher), NULL, m->refresh_pos);
        if (m->refresh_pos == PRES_NOBODY)
            return;
        struct pub_topic *t = m->refresh_pos < m->by_id_size ? m->by_id[m->refresh_pos] : NULL;
        if (t && t->refresh_at && now >= t->refresh_at) {
            t->refresh_at = 0;
            t->told = 0;
            pres_publisher_changed(m->publisher, m->refresh_pos);
        }
    }
}

static struct pub_topic *add(struct pub_mqtt *m, const char *text)
{
    size_t len = strlen(text) + 1;
    struct pub_topic *t = mem_calloc(1, sizeof *t + len);
    t->id = PRES_NOBODY;
    memcpy(t->text, text, len);
    map_put(m->topics, t->text, t);
    return t;
}

static void on_row(void *arg, const char *key, const char *value)
{
    struct pub_mqtt *m = arg;
    (void)value;
    if (key[0] && !map_get(m->topics, key))
        add(m, key);
}

static void sweep_slice(void *arg)
{
    struct pub_mqtt *m = arg;
    for (unsigned i = 0; i < SLICE; i++) {
        m->sweep_at = pres_viewer_next(pres_publisher_viewer(m->publisher), NULL, m->sweep_at);
        if (m->sweep_at == PRES_NOBODY) {
            m->sweeping = false;
            sweep_end(m);
            return;
        }
        struct pub_topic *t = pres_mqtt_topic_of(m, m->sweep_at, &m->name) ? map_get(m->topics, m->name.data) : NULL;
        if (t && (t->sweep != m->sweep || t->id == m->sweep_at))
            pres_mqtt_topic_own(m, t, m->sweep_at);
    }
    loop_defer(m->loop, sweep_slice, m);
}

static void sweep_end(struct pub_mqtt *m)
{
    size_t pos = 0;
    for (struct pub_topic *t; (t = map_next(m->topics, &pos));) {
        if (t->sweep == m->sweep)
            continue;
        t->id = PRES_NOBODY;
        t->clearing = true;
        if (m->clear_count == m->clear_capacity) {
            m->clear_capacity = m->clear_capacity ? 2 * m->clear_capacity : 64;
            m->clears = mem_realloc(m->clears, m->clear_capacity, sizeof(struct pub_topic *));
        }
        m->clears[m->clear_count++] = t;
    }
    if (m->clear_count > 0)
        log_info("mqtt", "topics of nobody are emptied count=%zu", m->clear_count);
    pres_mqtt_topics_clear(m);
}
