/*
 * pub_webhook: the webhook outlet's middle. publisher.c calls its ops; what it delivers goes into the queue
 * (pub_webhook_queue.c), from there into a lane (pub_webhook_lane.c). See pub_webhook.h for the other files.
 *
 * The circuit breaker is the publisher's own connection: `connect` lets one request through (or none, when nothing
 * waits); when it succeeds we are up; when too many fail in a row we are down, and everything under way waits again.
 * What changes meanwhile is brought when we are up again; what was told already is not told again.
 */
#include "pub_webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "pub_text.h"
#include "pub_zone.h"
#include "template.h"

enum {
    BATCH = 100,
    TIMEOUT_MS = 10000,
    BREAK_AFTER = 5,
    QUEUE_MAX = 100000,
    SETTLE_MS = 30000,
    SECRETS_MS = 10000,
    BODY_MAX = 4 << 20,
    URL_MAX = 16384,
};

static struct pub_webhook *outlet_new(struct loop *loop, struct pres_table *table,
                                      const struct pres_webhook_settings *s);
static void set_texts(struct pub_webhook *h, const struct pres_webhook_settings *s);
static struct fetch_client *client_new(struct pub_webhook *h, const struct pres_webhook_settings *s, bool outside);
static void outlet_connect(void *outlet);
static void outlet_disconnect(void *outlet, const char *why);
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d);
static bool wanted(const struct pub_webhook *h, const struct pres_delivery *d);
static bool outlet_farewell(void *outlet);
static void outlet_people_changed(void *outlet);
static bool outlet_check(void *outlet, bool begin);
static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max);
static void outlet_free(void *outlet);
static void on_start(void *arg);
static void on_wait(void *arg);
static void on_settled(void *arg);
static bool read_secrets(struct pub_webhook *h);
static bool fill_lane(struct pub_hook_lane *l);
static unsigned flying(const struct pub_webhook *h);
static bool listed(char *const *list, size_t count, const char *text);

static const struct pres_outlet_ops ops = {
    .kind = "webhook",
    .connect = outlet_connect,
    .disconnect = outlet_disconnect,
    .deliver = outlet_deliver,
    .farewell = outlet_farewell,
    .people_changed = outlet_people_changed,
    .check = outlet_check,
    .counts = outlet_counts,
    .free = outlet_free,
};

struct pres_publisher *pres_webhook_new(struct loop *loop, struct pres_table *table,
                                        const struct pres_publisher_settings *publisher,
                                        const struct pres_webhook_settings *s, char *why, size_t why_size)
{
    struct pub_webhook *h = outlet_new(loop, table, s);
    if (!pres_zone_open(s->zone, &h->zone, why, why_size)) {
        outlet_free(h);
        return NULL;
    }
    h->publisher = pres_publisher_new(loop, table, publisher, &ops, h);
    return h->publisher;
}

const char *pres_webhook_url_wrong(const char *url)
{
    size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
    if (!scheme)
        return "must begin with https:// or http://";
    size_t host_len = strcspn(url + scheme, "/?#");
    if (host_len == 0 || memchr(url + scheme, '@', host_len) || memchr(url + scheme, '{', host_len))
        return "must name a host, without a user";
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || *p == '#')
            return "has a character that must be percent-encoded";
    return pres_template_wrong(url);
}

void pres_hook_pump(struct pub_webhook *h)
{
    int64_t now = clk_mono_ms(loop_clk(h->loop)), due = h->oldest_ms + h->delay_ms;
    if (h->gate == PUB_GATE_SHUT || h->queued == 0)
        return;
    if (h->gate == PUB_GATE_OPEN && h->batch && h->queued < h->batch && now < due && !h->leaving) {
        loop_timer_in(h->wait, due - now);
        return;
    }
    unsigned most = h->gate == PUB_GATE_TRYING ? 1 : h->lane_count;
    if (now - h->secrets_at_ms >= SECRETS_MS)
        read_secrets(h);
    for (unsigned i = 0; i < most && h->gate != PUB_GATE_SHUT; i++) {
        struct pub_hook_lane *l = &h->lanes[i];
        while (l->step == PUB_STEP_IDLE && h->gate != PUB_GATE_SHUT && fill_lane(l))
            pres_hook_lane_start(l); /* may settle at once */
    }
    if (h->queued < h->queue_max / 2)
        pres_publisher_room(h->publisher);
}

void pres_hook_succeeded(struct pub_webhook *h)
{
    h->failures = 0;
    if (h->gate == PUB_GATE_TRYING) {
        h->gate = PUB_GATE_OPEN;
        pres_publisher_up(h->publisher);
    }
    pres_publisher_proved(h->publisher);
}

bool pres_hook_failed(struct pub_webhook *h, const char *code, const char *text, bool slow, int64_t retry_after_s)
{
    char kept[200];
    h->failures++;
    if (!slow && h->gate == PUB_GATE_OPEN && h->failures < h->break_after)
        return false;
    snprintf(kept, sizeof kept, "%s", text);
    h->gate = PUB_GATE_SHUT;
    h->not_before_ms = clk_mono_ms(loop_clk(h->loop)) + retry_after_s * 1000;
    loop_timer_stop(h->wait);
    for (unsigned i = 0; i < h->lane_count; i++)
        pres_hook_lane_drop(&h->lanes[i]);
    pres_publisher_down(h->publisher, code, kept, slow);
    return true;
}

static struct pub_webhook *outlet_new(struct loop *loop, struct pres_table *table,
                                      const struct pres_webhook_settings *s)
{
    struct pub_webhook *h = mem_calloc(1, sizeof *h);
    h->loop = loop;
    h->table = table;
    h->store = s->store;
    h->ready = pres_hook_ready_find(s->ready);
    h->name = mem_strdup(s->name);
    h->space = mem_printf("webhook %s", s->name);
    h->url = mem_strdup(s->url);
    h->secrets = s->secrets;
    h->secrets_arg = s->secrets_arg;
    h->headers = mem_list(s->headers, s->header_count);
    h->header_count = s->header_count;
    h->persons = mem_list(s->persons, s->person_count);
    h->person_count = s->person_count;
    for (size_t i = 0; i < h->person_count; i++)
        str_lower(h->persons[i]);
    h->groups = mem_list(s->groups, s->group_count);
    h->group_count = s->group_count;
    h->kinds = s->kinds;
    set_texts(h, s);
    h->batch = h->ready || h->body ? 0 : s->batch ? s->batch : BATCH;
    h->batch = h->batch < PUB_HOOK_BATCH_MAX ? h->batch : PUB_HOOK_BATCH_MAX;
    h->lane_count = h->ready ? PUB_HOOK_LANES : 1;
    h->delay_ms = s->delay_ms;
    h->timeout_ms = s->timeout_ms ? s->timeout_ms : TIMEOUT_MS;
    h->break_after = s->break_after ? s->break_after : BREAK_AFTER;
    h->queue_max = s->queue_max ? s->queue_max : QUEUE_MAX;
    h->allow_inner = s->allow_inner;
    for (unsigned i = 0; i < PUB_HOOK_LANES; i++) {
        h->lanes[i].hook = h;
        buf_init(&h->lanes[i].url, URL_MAX);
        buf_init(&h->lanes[i].body, BODY_MAX);
    }
    h->probe.hook = h;
    buf_init(&h->probe.url, URL_MAX);
    buf_init(&h->probe.body, BODY_MAX);
    h->client = client_new(h, s, false);
    h->outside = client_new(h, s, true);
    h->start = loop_timer_new(loop, "webhook start", on_start, h);
    h->wait = loop_timer_new(loop, "webhook batch", on_wait, h);
    h->settle = loop_timer_new(loop, "webhook settle", on_settled, h);
    loop_timer_in(h->settle, SETTLE_MS);
    pres_hook_load(h);
    return h;
}

/* The administrator's word goes before the ready-made one. */
static void set_texts(struct pub_webhook *h, const struct pres_webhook_settings *s)
{
    const struct pres_hook_ready *r = h->ready;
    h->method = mem_strdup(r ? r->method : s->method ? s->method : "POST");
    h->body = mem_strdup_or_null(s->body);
    h->content_type = mem_strdup(r ? r->content_type : s->content_type ? s->content_type : "application/json");
    h->id = mem_strdup_or_null(s->id);
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        const char *ready = r && r->show[i] ? r->show[i] : "";
        h->show[i] = mem_strdup(s->show[i] ? s->show[i] : ready);
        h->text[i] = mem_strdup(s->text[i] ? s->text[i] : "");
    }
}

static struct fetch_client *client_new(struct pub_webhook *h, const struct pres_webhook_settings *s, bool outside)
{
    const struct fetch_client_settings settings = {.name = h->name,
                                                   .max_connections = PUB_HOOK_LANES,
                                                   .ca_file = s->ca_file,
                                                   .client_cert_file = s->client_cert_file,
                                                   .client_key_file = s->client_key_file,
                                                   .address_ok = outside ? pres_hook_address_ok : NULL,
                                                   .address_arg = h};
    return fetch_client_new(h->loop, &settings);
}

static void outlet_connect(void *outlet)
{
    struct pub_webhook *h = outlet;
    int64_t now = clk_mono_ms(loop_clk(h->loop));
    loop_timer_in(h->start, h->not_before_ms > now ? h->not_before_ms - now : 0);
}

static void outlet_disconnect(void *outlet, const char *why)
{
    struct pub_webhook *h = outlet;
    log_debug("webhook", "hook=%s disconnect why=%s", h->name, why);
    loop_timer_stop(h->start);
    loop_timer_stop(h->wait);
    h->gate = PUB_GATE_SHUT;
    fetch_cancel(&h->probe.fetch);
    for (unsigned i = 0; i < h->lane_count; i++)
        pres_hook_lane_drop(&h->lanes[i]);
}

/* Into the queue, and so into the store. */
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d)
{
    struct pub_webhook *h = outlet;
    if (!wanted(h, d))
        return PRES_DELIVERED;
    uint64_t hash = pres_text_hash(d->now);
    struct pub_hook_person *p = map_get(h->known, d->address);
    if (p && p->flying && p->hash == hash && !p->queued)
        return PRES_DELIVERED;
    if (p && (p->queued ? p->hash == hash && !p->old : !p->flying && p->told == hash))
        return PRES_DELIVERED;
    /* so shortly after a start "never read" is no news */
    if (d->now->state == PRES_UNKNOWN && d->now->as_of == 0 && loop_timer_armed(h->settle))
        return PRES_DELIVERED;
    if ((!p || !p->queued) && h->queued >= h->queue_max)
        return PRES_FULL;
    pres_hook_enqueue(h, pres_hook_person(h, d->address), d->now, hash);
    d->sent = 1;
    pres_hook_pump(h);
    return PRES_DELIVERED;
}

static bool wanted(const struct pub_webhook *h, const struct pres_delivery *d)
{
    const char *group = pres_table_group(h->table, d->id);
    return (!h->kinds || (h->kinds & 1u << d->now->state)) &&
           (!h->person_count || listed(h->persons, h->person_count, d->address)) &&
           (!h->group_count || (group && listed(h->groups, h->group_count, group)));
}

/* What is under way may still arrive; what does not is in the store. */
static bool outlet_farewell(void *outlet)
{
    struct pub_webhook *h = outlet;
    if (!h->leaving) {
        h->leaving = true;
        pres_hook_pump(h);
    }
    return h->queued == 0 && flying(h) == 0;
}

static void outlet_people_changed(void *outlet)
{
    struct pub_webhook *h = outlet;
    pres_hook_people_changed(h);
    pres_hook_pump(h);
}

static bool outlet_check(void *outlet, bool begin)
{
    struct pub_webhook *h = outlet;
    if (begin)
        read_secrets(h);
    return pres_hook_check(h, begin);
}

static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max)
{
    const struct pub_webhook *h = outlet;
    const struct pres_count all[] = {
        {"queued", "Persons whose state waits to be sent.", h->queued},
        {"in_flight", "States under way.", flying(h)},
        {"sequence", "Number of the last request.", h->sequence},
        {"requests", "HTTP requests made.", h->requests},
        {"retries", "Requests made again after a failure.", h->retries},
        {"rejected", "States that the other side refused for good.", h->rejected},
        {"kept", "Times that a status chosen by hand was left alone.", h->kept},
        {"redirected", "Redirects followed.", h->redirected},
    };
    return pres_counts_copy(rows, max, all, sizeof all / sizeof all[0]);
}

static void outlet_free(void *outlet)
{
    struct pub_webhook *h = outlet;
    for (unsigned i = 0; i < PUB_HOOK_LANES; i++)
        pres_hook_lane_free(&h->lanes[i]);
    pres_hook_lane_free(&h->probe);
    fetch_client_free(&h->client);
    fetch_client_free(&h->outside);
    pres_hook_forget_all(h);
    loop_timer_free(&h->start);
    loop_timer_free(&h->wait);
    loop_timer_free(&h->settle);
    secret_free(&h->sign);
    secret_free(&h->token);
    char *const texts[] = {h->name, h->space, h->url, h->method, h->body, h->content_type, h->id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (unsigned i = 0; i < PRES_KINDS; i++) {
        free(h->show[i]);
        free(h->text[i]);
    }
    mem_list_free(&h->headers, h->header_count);
    mem_list_free(&h->persons, h->person_count);
    mem_list_free(&h->groups, h->group_count);
    pres_zone_free(&h->zone);
    free(h);
}

/* One request to see whether the other side is well; without one we can only hope. */
static void on_start(void *arg)
{
    struct pub_webhook *h = arg;
    h->failures = 0;
    if (!read_secrets(h)) {
        pres_publisher_down(h->publisher, "secret-unreadable", h->why, false);
        return;
    }
    h->gate = PUB_GATE_TRYING;
    pres_hook_pump(h);
    if (h->gate == PUB_GATE_TRYING && flying(h) == 0) {
        h->gate = PUB_GATE_OPEN;
        pres_publisher_up(h->publisher);
    }
}

static void on_wait(void *arg)
{
    pres_hook_pump(arg);
}

/* Who has not been read by now is unknown. */
static void on_settled(void *arg)
{
    struct pub_webhook *h = arg;
    pres_publisher_people_changed(h->publisher);
}

/* A changed file needs no reload; one that cannot be read now does not take away what was read before. */
static bool read_secrets(struct pub_webhook *h)
{
    struct secret *sign = NULL, *token = NULL;
    h->secrets_at_ms = clk_mono_ms(loop_clk(h->loop));
    if (!h->secrets)
        return true;
    if (!h->secrets(h->secrets_arg, &sign, &token, h->why, sizeof h->why))
        return false;
    secret_free(&h->sign);
    secret_free(&h->token);
    h->sign = sign;
    h->token = token;
    return true;
}

/* False: nobody waits, or all who do are under way. */
static bool fill_lane(struct pub_hook_lane *l)
{
    struct pub_webhook *h = l->hook;
    unsigned most = h->batch ? h->batch : 1;
    l->count = 0;
    while (l->count < most) {
        struct pub_hook_person *p = pres_hook_dequeue(h);
        if (!p)
            break;
        l->persons[l->count++] = p;
    }
    return l->count > 0;
}

static unsigned flying(const struct pub_webhook *h)
{
    unsigned n = 0;
    for (unsigned i = 0; i < h->lane_count; i++)
        n += h->lanes[i].step != PUB_STEP_IDLE ? h->lanes[i].count : 0;
    return n;
}

static bool listed(char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(list[i], text))
            return true;
    return false;
}
