/*
 * pub_mqtt: the MQTT outlet's middle. publisher.c calls its ops; it owns the link to the broker, sends a person's state
 * as a retained message with QoS 1, and looks after the acknowledgements. See pub_mqtt.h for the other files.
 *
 * A message that is not acknowledged in time is sent again as the person's present state; when a connection loses too
 * many, it is given up. After each connection everybody is sent, because a broker may have forgotten. The status topic
 * says "1" from the birth of a connection; the broker's own will turns it to "0" when we vanish, and we do when we go.
 */
#include "pub_mqtt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "presence/render.h"
#include "pub_text.h"
#include "pub_zone.h"
#include "template.h"

enum {
    INFLIGHT = 200,
    TOPIC_MAX = 65000,
    BODY_MAX = 256 * 1024,
    ACK_MS = 10000,
    TICK_MS = 500,
    SETTLE_MS = 30000,
    LOST_MAX = 200,
    EXPIRY_MIN_S = 60,
    REBIRTH_MS = 1000,
};

static struct pub_mqtt *outlet_new(struct loop *loop, struct pres_table *table, const struct pres_mqtt_settings *s);
static void outlet_connect(void *outlet);
static void outlet_disconnect(void *outlet, const char *why);
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d);
static bool outlet_farewell(void *outlet);
static void outlet_people_changed(void *outlet);
static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max);
static void outlet_free(void *outlet);
static void on_start_failed(void *arg);
static void on_up(void *arg);
static void on_acked(void *arg, int mid, bool taken);
static void on_echo(void *arg, const char *topic, const void *payload, size_t len);
static void on_end(void *arg, const char *code, const char *text, bool slow, bool old);
static void on_tick(void *arg);
static void on_settled(void *arg);
static bool owned_by_another(struct pub_mqtt *m, const struct pub_topic *t, pres_id id);
static void fill(struct pub_mqtt *m, const struct pres_delivery *d, struct buf *out);
static void drop_sent(struct pub_mqtt *m);
static void take_sent(struct pub_mqtt *m, size_t i);

static const struct pres_outlet_ops ops = {
    .kind = "mqtt",
    .connect = outlet_connect,
    .disconnect = outlet_disconnect,
    .deliver = outlet_deliver,
    .farewell = outlet_farewell,
    .people_changed = outlet_people_changed,
    .counts = outlet_counts,
    .free = outlet_free,
};

struct pres_publisher *pres_mqtt_new(struct loop *loop, struct pres_table *table,
                                     const struct pres_publisher_settings *publisher,
                                     const struct pres_mqtt_settings *s, char *why, size_t why_size)
{
    struct pub_mqtt *m = outlet_new(loop, table, s);
    if (!pres_zone_open(s->zone, &m->zone, why, why_size)) {
        outlet_free(m);
        return NULL;
    }
    m->publisher = pres_publisher_new(loop, table, publisher, &ops, m);
    return m->publisher;
}

bool pres_mqtt_server_parse(const char *text, char *ret_host, size_t host_size, unsigned *ret_port, bool *ret_tls)
{
    char with_port[400];
    *ret_tls = str_starts(text, "mqtts://");
    if (!*ret_tls && !str_starts(text, "mqtt://"))
        return false;
    const char *rest = strstr(text, "//") + 2, *colon = strrchr(rest, ':');
    bool has_port = colon && !strchr(colon, ']');
    int n = snprintf(with_port, sizeof with_port, "%s%s", rest, has_port ? "" : *ret_tls ? ":8883" : ":1883");
    return n > 0 && (size_t)n < sizeof with_port && io_parse_server(with_port, ret_host, host_size, ret_port);
}

const char *pres_mqtt_topic_wrong(const char *topic, bool person)
{
    if (!topic[0] || strlen(topic) > 1000)
        return "is empty, or too long for a topic";
    if (strpbrk(topic, "+#"))
        return "has a wildcard; + and # have no place in the topic of a message";
    if (topic[0] == '$')
        return "begins with $, which is the broker's own";
    if (!person)
        return strchr(topic, '{') ? "is one topic, without {words}" : pres_template_wrong(topic);
    for (const char *p = strchr(topic, '{'); p; p = strchr(p + 1, '{'))
        if (!str_starts(p, "{address}") && !str_starts(p, "{local}") && !str_starts(p, "{domain}") &&
            !str_starts(p, "{group}"))
            return "may hold {address}, {local}, {domain} and {group} only";
    return pres_template_has(topic, "address") || pres_template_has(topic, "local")
               ? NULL
               : "names no person: {address}, or {local} with or without {domain}, is needed";
}

bool pres_mqtt_topic_of(struct pub_mqtt *m, pres_id id, struct buf *out)
{
    char *address = str_lower(mem_strdup(pres_table_publish_as(m->table, id)));
    const struct pres_presence nothing = {.state = PRES_UNKNOWN};
    const struct pres_fill f = {.address = address, .group = pres_table_group(m->table, id), .now = &nothing};
    buf_reset(out);
    bool ok = pres_template_add(out, m->topic, &f, PRES_ESCAPE_TOPIC);
    free(address);
    return ok;
}

bool pres_mqtt_send(struct pub_mqtt *m, struct pub_topic *topic, const char *text, const void *payload, size_t len,
                    uint32_t expiry_s)
{
    if (!m->up || m->sent_count == m->inflight)
        return false;
    int mid = pres_mqtt_link_publish(m->link, text, payload, len, expiry_s, topic ? m->content_type : NULL);
    if (mid < 0)
        return false;
    m->sent[(m->sent_first + m->sent_count++) % m->inflight] = (struct pub_sent){
        .mid = mid, .topic = topic, .at_ms = clk_mono_ms(loop_clk(m->loop)), .clear = topic && len == 0};
    return true;
}

static struct pub_mqtt *outlet_new(struct loop *loop, struct pres_table *table, const struct pres_mqtt_settings *s)
{
    struct pub_mqtt *m = mem_calloc(1, sizeof *m);
    m->loop = loop;
    m->table = table;
    m->store = s->store;
    m->host = mem_strdup(s->host);
    m->port = s->port;
    m->tls = s->tls;
    m->client_id = mem_strdup(s->client_id);
    m->user = mem_strdup_or_null(s->user);
    m->password = s->password;
    m->password_arg = s->password_arg;
    m->version = s->version;
    m->v5 = s->version != PRES_MQTT_311;
    m->topic = mem_strdup(s->topic);
    m->status_topic = mem_strdup(s->status_topic);
    m->payload = mem_strdup_or_null(s->payload);
    m->content_type = mem_strdup_or_null(s->content_type);
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        m->show[i] = mem_strdup(s->show[i] ? s->show[i] : "");
        m->text[i] = mem_strdup(s->text[i] ? s->text[i] : "");
    }
    m->inflight = s->inflight ? s->inflight : INFLIGHT;
    m->sent = mem_calloc(m->inflight, sizeof *m->sent);
    m->sweep_at = m->refresh_pos = PRES_NOBODY;
    buf_init(&m->name, TOPIC_MAX);
    buf_init(&m->body, BODY_MAX);
    m->start_timer = loop_timer_new(loop, "mqtt start", on_start_failed, m);
    m->settle_timer = loop_timer_new(loop, "mqtt settle", on_settled, m);
    m->tick = loop_timer_new(loop, "mqtt tick", on_tick, m);
    loop_timer_in(m->settle_timer, SETTLE_MS);
    pres_mqtt_topics_load(m);
    return m;
}

static void outlet_connect(void *outlet)
{
    static const struct pres_mqtt_handler handler = {on_up, on_acked, on_echo, on_end};
    struct pub_mqtt *m = outlet;
    struct secret *password = NULL;
    if (m->password && !m->password(m->password_arg, &password, m->start_why, sizeof m->start_why)) {
        loop_timer_in(m->start_timer, 0);
        return;
    }
    const struct pres_mqtt_link_settings s = {.host = m->host,
                                              .port = m->port,
                                              .tls = m->tls,
                                              .client_id = m->client_id,
                                              .user = m->user,
                                              .password = password,
                                              .will_topic = m->status_topic,
                                              .v5 = m->v5};
    m->link = pres_mqtt_link_new(m->loop, &s, &handler, m);
    secret_free(&password);
}

static void outlet_disconnect(void *outlet, const char *why)
{
    struct pub_mqtt *m = outlet;
    log_debug("mqtt", "disconnect why=%s", why);
    loop_timer_stop(m->start_timer);
    loop_timer_stop(m->tick);
    /* without the last word of ours the broker's will must say it */
    pres_mqtt_link_close(&m->link, m->leaving && m->leave_mid == 0);
    m->up = false;
    drop_sent(m);
}

static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d)
{
    struct pub_mqtt *m = outlet;
    int64_t now = clk_wall_s(loop_clk(m->loop));
    if (!pres_mqtt_topic_of(m, d->id, &m->name))
        return PRES_DELIVERED;
    struct pub_topic *t = map_get(m->topics, m->name.data);
    uint64_t saying = pres_text_hash(d->now);
    /* so shortly after a start "never read" says nothing, and would only make lights flicker */
    if (d->now->state == PRES_UNKNOWN && d->now->as_of == 0 && loop_timer_armed(m->settle_timer) && (!t || !t->told))
        return PRES_DELIVERED;
    if (t && owned_by_another(m, t, d->id)) {
        m->conflicts++;
        return PRES_DELIVERED;
    }
    if (t && !d->resync && t->told == saying)
        return PRES_DELIVERED;
    if (m->sent_count == m->inflight)
        return PRES_FULL;
    t = t ? t : pres_mqtt_topic_get(m, m->name.data);
    pres_mqtt_topic_own(m, t, d->id);
    fill(m, d, &m->body);
    int64_t left = d->now->valid_until > now ? d->now->valid_until - now : 0;
    uint32_t expiry = left == 0             ? 0
                      : left < EXPIRY_MIN_S ? EXPIRY_MIN_S
                      : left > UINT32_MAX   ? UINT32_MAX
                                            : (uint32_t)left;
    if (m->body.failed || !pres_mqtt_send(m, t, t->text, m->body.data, m->body.len, expiry))
        return PRES_FULL; /* the link is about to end */
    t->told = saying;
    t->refresh_at = left ? now + left / 2 : 0;
    d->sent = 1;
    pres_mqtt_link_flush(m->link);
    return PRES_DELIVERED;
}

/* True when the broker has our last word. */
static bool outlet_farewell(void *outlet)
{
    struct pub_mqtt *m = outlet;
    if (!m->leaving) {
        m->leaving = true;
        m->leave_mid = pres_mqtt_link_publish(m->link, m->status_topic, "0", 1, 0, NULL);
        pres_mqtt_link_flush(m->link);
    }
    return m->leave_mid <= 0;
}

static void outlet_people_changed(void *outlet)
{
    pres_mqtt_topics_sweep(outlet);
}

static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max)
{
    const struct pub_mqtt *m = outlet;
    const struct pres_count all[] = {
        {"protocol", "Version of MQTT in use: 5, or 3 for 3.1.1.", m->v5 ? 5 : 3},
        {"topics", "Retained messages that the broker keeps for us.", map_count(m->topics)},
        {"unacknowledged", "Messages that the broker has not acknowledged.", m->sent_count},
        {"lost", "Messages that the broker did not acknowledge in time.", m->lost},
        {"refused", "Messages that the broker refused.", m->refused},
        {"cleared", "Messages of persons who are gone that were removed.", m->cleared},
        {"conflicts", "States not sent because another person has the same topic.", m->conflicts},
    };
    return pres_counts_copy(rows, max, all, sizeof all / sizeof all[0]);
}

static void outlet_free(void *outlet)
{
    struct pub_mqtt *m = outlet;
    pres_mqtt_link_close(&m->link, false);
    pres_mqtt_topics_free(m);
    loop_timer_free(&m->start_timer);
    loop_timer_free(&m->settle_timer);
    loop_timer_free(&m->tick);
    char *const texts[] = {m->host, m->client_id, m->user, m->topic, m->status_topic, m->payload, m->content_type};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        free(m->show[i]);
        free(m->text[i]);
    }
    pres_zone_free(&m->zone);
    buf_free(&m->name);
    buf_free(&m->body);
    free(m->sent);
    free(m);
}

static void on_start_failed(void *arg)
{
    struct pub_mqtt *m = arg;
    pres_publisher_down(m->publisher, "secret-unreadable", m->start_why, false);
}

static void on_up(void *arg)
{
    struct pub_mqtt *m = arg;
    m->up = true;
    m->lost_here = 0;
    m->leaving = false;
    pres_mqtt_send(m, NULL, m->status_topic, "1", 1, 0);
    pres_mqtt_link_subscribe(m->link, m->status_topic); /* comes back: one message delivered to ourselves */
    loop_timer_in(m->tick, TICK_MS);
    pres_publisher_up(m->publisher);
    pres_mqtt_topics_sweep(m);
}

static void on_acked(void *arg, int mid, bool taken)
{
    struct pub_mqtt *m = arg;
    m->refused += !taken;
    if (mid == m->leave_mid)
        m->leave_mid = 0;
    for (size_t i = 0; i < m->sent_count; i++) {
        struct pub_sent s = m->sent[(m->sent_first + i) % m->inflight];
        if (s.mid != mid)
            continue;
        take_sent(m, i);
        if (s.clear && s.topic)
            pres_mqtt_topic_cleared(m, s.topic);
        break;
    }
    if (m->clear_count > 0)
        pres_mqtt_topics_clear(m);
    pres_publisher_room(m->publisher); /* at once: what we send next takes TCP's acknowledgement along */
}

/* Our own status. A "0" is the will of a connection that we had before, or another gateway's. */
static void on_echo(void *arg, const char *topic, const void *payload, size_t len)
{
    struct pub_mqtt *m = arg;
    int64_t now = clk_mono_ms(loop_clk(m->loop));
    if (strcmp(topic, m->status_topic) != 0 || len != 1 || m->leaving)
        return;
    if (*(const char *)payload == '1')
        pres_publisher_proved(m->publisher);
    else if (now - m->reborn_ms >= REBIRTH_MS) {
        m->reborn_ms = now;
        pres_mqtt_send(m, NULL, m->status_topic, "1", 1, 0);
    }
}

static void on_end(void *arg, const char *code, const char *text, bool slow, bool old)
{
    struct pub_mqtt *m = arg;
    pres_mqtt_link_close(&m->link, false);
    loop_timer_stop(m->tick);
    m->up = false;
    m->leave_mid = 0;
    drop_sent(m);
    pres_mqtt_topics_disconnected(m);
    if (old && m->version == PRES_MQTT_AUTO) {
        m->v5 = !m->v5;
        log_info("mqtt", "the broker may not know this version; next is %s", m->v5 ? "5.0" : "3.1.1");
    }
    pres_publisher_down(m->publisher, code, text, slow);
}

/* Messages that nobody acknowledges, and states whose validity ends. */
static void on_tick(void *arg)
{
    struct pub_mqtt *m = arg;
    int64_t now = clk_mono_ms(loop_clk(m->loop));
    loop_timer_in(m->tick, TICK_MS);
    while (m->sent_count > 0 && now - m->sent[m->sent_first].at_ms >= ACK_MS) {
        struct pub_sent s = m->sent[m->sent_first];
        take_sent(m, 0);
        m->lost++;
        m->lost_here++;
        if (s.topic && s.topic->id != PRES_NOBODY) {
            s.topic->told = 0;
            pres_publisher_changed(m->publisher, s.topic->id);
        } else if (s.topic && s.clear) {
            pres_mqtt_send(m, s.topic, s.topic->text, "", 0, 0);
        } else if (!s.topic && !m->leaving) {
            pres_mqtt_send(m, NULL, m->status_topic, "1", 1, 0);
        }
    }
    if (m->lost_here > LOST_MAX) {
        on_end(m, "mqtt-no-answer", "the broker does not acknowledge our messages", false, false);
        return;
    }
    pres_mqtt_topics_clear(m);
    pres_mqtt_topics_refresh(m);
    pres_publisher_room(m->publisher);
    pres_mqtt_link_flush(m->link);
}

/* Who has not been read by now is unknown. */
static void on_settled(void *arg)
{
    struct pub_mqtt *m = arg;
    pres_publisher_people_changed(m->publisher);
}

/* Two persons whose topics are the same: the first one has it. */
static bool owned_by_another(struct pub_mqtt *m, const struct pub_topic *t, pres_id id)
{
    return t->id != PRES_NOBODY && t->id != id && t->sweep == m->sweep && t->id < m->by_id_size && m->by_id[t->id] == t;
}

static void fill(struct pub_mqtt *m, const struct pres_delivery *d, struct buf *out)
{
    struct buf json, text;
    buf_reset(out);
    if (!m->payload) {
        pres_render_json(out, d->address, d->now);
        return;
    }
    buf_init(&json, BODY_MAX);
    buf_init(&text, PRES_TEXT_MAX);
    int64_t wall = clk_wall_s(loop_clk(m->loop));
    pres_render_json(&json, d->address, d->now);
    pres_text_add(m->text[d->now->state], m->zone, wall, d->now->until, &text);
    const struct pres_fill f = {.address = d->address,
                                .group = pres_table_group(m->table, d->id),
                                .now = d->now,
                                .json = json.data,
                                .show = m->show[d->now->state],
                                .text = text.data,
                                .wall = wall};
    bool is_json = m->content_type && strstr(m->content_type, "json");
    pres_template_add(out, m->payload, &f, is_json ? PRES_ESCAPE_JSON : PRES_ESCAPE_NONE);
    buf_free(&json);
    buf_free(&text);
}

static void drop_sent(struct pub_mqtt *m)
{
    m->sent_count = m->sent_first = 0;
}

/* The i-th is settled; acknowledgements come in order but for a few. */
static void take_sent(struct pub_mqtt *m, size_t i)
{
    for (; i > 0; i--)
        m->sent[(m->sent_first + i) % m->inflight] = m->sent[(m->sent_first + i - 1) % m->inflight];
    m->sent_first = (m->sent_first + 1) % m->inflight;
    m->sent_count--;
}
