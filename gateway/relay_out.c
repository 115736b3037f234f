/*
 * relay_out: see relay_out.h. publisher.c hands over people who changed; what differs from what the far end holds waits
 * in the batch. One message is under way at a time, so what the far end has is always known:
 *
 *   tombstones, then the batch, then a digest that is due      (constant rate: one of them, or an empty one, a beat)
 *
 * We dial, they answer. Of an answer only this is looked at: a status of 2xx is "accepted", everything else "refused";
 * its body is bounded and dropped. A refused digest means "resend", a refused message that the line is down.
 */
#include "relay_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/crypto_sign.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "policy.h"
#include "relay_out_private.h"

enum {
    TICK_MS = 250,
    FLUSH_MS = 50,
    BATCH_BYTES = 128 * 1024,
    PART_PERSONS = 4000,
    PAD_PART_BYTES = 120, /* that a line of a digest takes at most, usually */
    HEAD_BYTES = 500,
    CANCELS_MAX = 500,
    ANSWER_MAX = 4096,
    RESERVE = 1 << 20,
    REFUSED_PAUSE_MS = 60000,
    RETRY_MAX_MS = 30000,
};

static bool read_settings(struct relay_out *r, const struct gw_config_relay *c, char *why, size_t why_size);
static bool read_authorization(struct relay_out *r, const struct gw_config_relay *c, char *why, size_t why_size);
static void outlet_connect(void *outlet);
static void outlet_disconnect(void *outlet, const char *why);
static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d);
static void outlet_people_changed(void *outlet);
static bool outlet_farewell(void *outlet);
static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max);
static void outlet_free(void *outlet);
static void on_tick(void *arg);
static void on_flush(void *arg);
static void on_pad(void *arg);
static void send_next(struct relay_out *r, bool anything);
static void send_cancels(struct relay_out *r);
static void send_people(struct relay_out *r);
static bool digest_due(struct relay_out *r);
static void send_digest(struct relay_out *r);
static void begin_message(struct relay_out *r, bool cancel, unsigned part, unsigned parts);
static void take_flying(struct relay_out *r, struct relay_person *p);
static void start(struct relay_out *r, enum relay_sending what, const char *method, const struct relay_person *about);
static void on_answer(void *arg, const struct fetch_answer *answer);
static void accepted(struct relay_out *r, enum relay_sending what);
static void refused_digest(struct relay_out *r);
static void down(struct relay_out *r, const char *code, const char *text, bool slow);
static void drop_all(struct relay_out *r);
static uint64_t next_sequence(struct relay_out *r);

static const struct pres_outlet_ops ops = {
    .kind = "relay",
    .connect = outlet_connect,
    .disconnect = outlet_disconnect,
    .deliver = outlet_deliver,
    .farewell = outlet_farewell,
    .people_changed = outlet_people_changed,
    .counts = outlet_counts,
    .free = outlet_free,
};

struct pres_publisher *gw_relay_out_new(struct gateway *g, const char *label, const struct gw_config_relay *c,
                                        const struct pres_store *store, char *why, size_t why_size)
{
    struct relay_out *r = mem_calloc(1, sizeof *r);
    r->g = g;
    r->store = store;
    r->name = mem_strdup(label);
    r->space = mem_printf("relay to %s", label);
    r->tick = loop_timer_new(g->loop, "relay tick", on_tick, r);
    r->flush = loop_timer_new(g->loop, "relay flush", on_flush, r);
    r->pad = loop_timer_new(g->loop, "relay beat", on_pad, r);
    r->who = (struct gw_who){.name = r->name, .means = "outlet"};
    r->sweep_at = PRES_NOBODY;
    buf_init(&r->message, GW_RELAY_MESSAGE_MAX);
    if (!read_settings(r, c, why, why_size)) {
        outlet_free(r);
        return NULL;
    }
    buf_init(&r->batch, GW_RELAY_MESSAGE_MAX - HEAD_BYTES);
    gw_relay_people_load(r);
    const struct fetch_client_settings client = {.name = r->name,
                                                 .max_connections = 1,
                                                 .ca_file = c->ca_file,
                                                 .pinned_key = c->pinned_key,
                                                 .client_cert_file = c->client_cert_file,
                                                 .client_key_file = c->client_key_file,
                                                 .min_tls = c->client_cert_file ? "1.3" : NULL,
                                                 .idle_ms = c->timeout_ms};
    r->client = fetch_client_new(g->loop, &client);
    const struct pres_publisher_settings publisher = {.name = label, .rate = 1e6, .retry_max_ms = RETRY_MAX_MS};
    r->publisher = pres_publisher_new(g->loop, g->table, &publisher, &ops, r);
    return r->publisher;
}

void gw_relay_send_soon(struct relay_out *r)
{
    if (r->up && !r->fetch && !r->pad_ms && !loop_timer_armed(r->flush))
        loop_timer_in(r->flush, r->batch.len >= r->batch_bytes / 2 || r->withdrawn_count ? 0 : FLUSH_MS);
}

void gw_relay_batch_drop(struct relay_out *r)
{
    while (r->waiting_count > 0) {
        struct relay_person *p = r->waiting[--r->waiting_count];
        pres_id id = pres_table_find(r->g->table, p->address);
        gw_relay_lost(p);
        if (id != PRES_NOBODY)
            pres_publisher_changed(r->publisher, id);
    }
    buf_reset(&r->batch);
}

static bool read_settings(struct relay_out *r, const struct gw_config_relay *c, char *why, size_t why_size)
{
    const char *place = strstr(c->url, "{address}");
    r->files = place != NULL;
    r->url = mem_strdup(c->url);
    r->base = mem_strndup(c->url, place ? (size_t)(place - c->url) : strlen(c->url));
    r->stream = mem_strdup(c->stream ? c->stream : c->name);
    r->digest_ms = c->digest_ms;
    r->timeout_ms = c->timeout_ms;
    r->pad_bytes = c->pad_bytes;
    r->pad_ms = c->pad_bytes ? c->pad_every_ms : 0;
    r->batch_bytes = r->pad_bytes ? r->pad_bytes - HEAD_BYTES : BATCH_BYTES;
    if (c->sign_key_file && !(r->key = crypto_sign_private(c->sign_key_file, why, why_size)))
        return false;
    if (c->pseudonym_key_file) {
        struct secret *secret = secret_read(c->pseudonym_key_file, why, why_size);
        if (!secret)
            return false;
        r->pseudonym_key = mem_strdup(secret_bytes(secret, NULL));
        r->pseudonym_domain = mem_strdup(c->pseudonym_domain);
        secret_free(&secret);
    }
    return read_authorization(r, c, why, why_size);
}

static bool read_authorization(struct relay_out *r, const struct gw_config_relay *c, char *why, size_t why_size)
{
    const char *path = c->token_file ? c->token_file : c->password_file;
    struct secret *secret = path ? secret_read(path, why, why_size) : NULL;
    struct buf line, pair;
    if (!path || !secret)
        return !path;
    buf_init(&line, 8 * SECRET_MAX);
    buf_init(&pair, 2 * SECRET_MAX);
    if (c->token_file) {
        buf_addf(&line, "Authorization: Bearer %s", secret_bytes(secret, NULL));
    } else {
        buf_addf(&pair, "%s:%s", c->user, secret_bytes(secret, NULL));
        buf_adds(&line, "Authorization: Basic ");
        crypto_base64_encode(&line, pair.data, pair.len);
    }
    r->authorization = buf_take(&line);
    buf_wipe(&pair);
    secret_free(&secret);
    return true;
}

/* Is anybody there, and are we welcome? */
static void outlet_connect(void *outlet)
{
    struct relay_out *r = outlet;
    if (r->files) {
        buf_reset(&r->message);
        start(r, RELAY_PROBE, "OPTIONS", NULL);
        return;
    }
    begin_message(r, false, 0, 0);
    gw_relay_end(&r->message, r->key, r->pad_bytes);
    start(r, RELAY_PROBE, "PUT", NULL);
}

static void outlet_disconnect(void *outlet, const char *why)
{
    (void)why;
    drop_all(outlet);
}

static enum pres_delivered outlet_deliver(void *outlet, struct pres_delivery *d)
{
    struct relay_out *r = outlet;
    switch (gw_relay_look(r, d->id, d->address)) {
    case RELAY_FULL:
        return PRES_FULL;
    case RELAY_DIFFERS:
        d->sent = 1;
        return PRES_DELIVERED;
    case RELAY_WITHHELD:
        r->withheld++;
        return PRES_DELIVERED;
    case RELAY_SAME:
        break;
    }
    return PRES_DELIVERED;
}

static void outlet_people_changed(void *outlet)
{
    gw_relay_withdraw_gone(outlet);
}

/* What we know is theirs until it expires; there is nothing to say. */
static bool outlet_farewell(void *outlet)
{
    (void)outlet;
    return true;
}

static size_t outlet_counts(const void *outlet, struct pres_count *rows, size_t max)
{
    const struct relay_out *r = outlet;
    const struct pres_count all[] = {
        {"exported", "People whom the far end holds.", r->told_count - r->withdrawn_count},
        {"sent_bytes", "Bytes of messages.", r->bytes},
        {"sent_messages", "Messages that were sent.", r->messages},
        {"digests", "Digests that were accepted.", r->digests},
        {"digests_refused", "Digests that were refused: people were sent again.", r->digests_refused},
        {"tombstones", "People of whom the far end was told that they are exported no more.", r->cancels},
        {"cut", "People of whom less time was told, so that they fit a message.", r->cut},
    };
    return pres_counts_copy(rows, max, all, sizeof all / sizeof all[0]);
}

static void outlet_free(void *outlet)
{
    struct relay_out *r = outlet;
    fetch_cancel(&r->fetch);
    if (r->client)
        fetch_client_free(&r->client);
    if (r->people)
        gw_relay_people_free(r);
    loop_timer_free(&r->tick);
    loop_timer_free(&r->flush);
    loop_timer_free(&r->pad);
    crypto_sign_free(&r->key);
    if (r->pseudonym_key)
        mem_wipe(r->pseudonym_key, strlen(r->pseudonym_key));
    if (r->authorization)
        mem_wipe(r->authorization, strlen(r->authorization));
    buf_free(&r->batch);
    buf_free(&r->message);
    free(r->pseudonym_key);
    free(r->pseudonym_domain);
    free(r->authorization);
    free(r->waiting);
    free(r->flying);
    free(r->stream);
    free(r->base);
    free(r->url);
    free(r->space);
    free(r->name);
    free(r);
}

static void on_tick(void *arg)
{
    struct relay_out *r = arg;
    loop_timer_in(r->tick, TICK_MS);
    gw_relay_sweep(r);
    if (!r->pad_ms)
        send_next(r, false);
}

static void on_flush(void *arg)
{
    send_next(arg, true);
}

static void on_pad(void *arg)
{
    struct relay_out *r = arg;
    loop_timer_in(r->pad, r->pad_ms);
    send_next(r, true);
}

/* `people`: also a batch that may still grow. */
static void send_next(struct relay_out *r, bool people)
{
    if (!r->up || r->fetch || r->g->alone) /* a check without a daemon knows nobody, and a digest would say so */
        return;
    if (r->withdrawn_count > 0)
        send_cancels(r);
    if (!r->fetch && people && r->waiting_count > 0)
        send_people(r);
    if (!r->fetch && !r->files && digest_due(r))
        send_digest(r);
    if (r->fetch || !r->pad_ms)
        return;
    begin_message(r, false, 0, 0);
    gw_relay_end(&r->message, r->key, r->pad_bytes);
    start(r, RELAY_NOTHING, "PUT", NULL);
}

static void send_cancels(struct relay_out *r)
{
    int64_t now = clk_wall_s(loop_clk(r->g->loop));
    size_t pos = 0, room = r->files ? 1 : CANCELS_MAX;
    begin_message(r, true, 0, 0);
    for (struct relay_person *p; room > 0 && (p = map_next(r->people, &pos));) {
        if (!p->withdrawn || p->flying || r->message.len > r->batch_bytes)
            continue;
        gw_relay_add_cancel(&r->message, p->wire, now);
        take_flying(r, p);
        room--;
    }
    if (r->flying_count == 0)
        return;
    gw_relay_end(&r->message, r->key, r->pad_bytes);
    if (r->files)
        buf_reset(&r->message);
    start(r, RELAY_CANCEL, r->files ? "DELETE" : "PUT", r->files ? r->flying[0] : NULL);
}

static void send_people(struct relay_out *r)
{
    begin_message(r, false, 0, 0);
    buf_add(&r->message, r->batch.data, r->batch.len);
    gw_relay_end(&r->message, r->key, r->pad_bytes);
    for (size_t i = 0; i < r->waiting_count; i++)
        take_flying(r, r->waiting[i]);
    r->waiting_count = 0;
    buf_reset(&r->batch);
    start(r, RELAY_PEOPLE, "PUT", r->files ? r->flying[0] : NULL);
    pres_publisher_room(r->publisher);
}

/* Not before everybody was looked at once, and not while something waits: it would name less than the far end has. */
static bool digest_due(struct relay_out *r)
{
    struct pres_publisher_status status;
    if (clk_mono_ms(loop_clk(r->g->loop)) < r->next_digest_ms || r->waiting_count > 0)
        return false;
    pres_publisher_status(r->publisher, &status);
    return !status.resyncing;
}

static void send_digest(struct relay_out *r)
{
    int64_t now = clk_wall_s(loop_clk(r->g->loop)), mono = clk_mono_ms(loop_clk(r->g->loop));
    size_t pos = 0, each = r->pad_bytes ? r->batch_bytes / PAD_PART_BYTES : PART_PERSONS;
    if (r->digest_part >= r->digest_parts) { /* a new round */
        size_t parts = r->told_count / (each ? each : 1) + 1;
        r->digest_parts = parts < GW_RELAY_PARTS_MAX ? (unsigned)parts : GW_RELAY_PARTS_MAX;
        r->digest_part = 0;
        r->may_resend = !r->refused_ms || mono - r->refused_ms >= REFUSED_PAUSE_MS;
    }
    r->next_digest_ms = mono + r->digest_ms / r->digest_parts;
    begin_message(r, false, r->digest_part, r->digest_parts);
    for (struct relay_person *p; (p = map_next(r->people, &pos));) {
        if (!(p->sequence || p->told || p->unread) || p->withdrawn || p->bucket % r->digest_parts != r->digest_part)
            continue;
        pres_id id = pres_table_find(r->g->table, p->address);
        struct pres_known known = {.as_of = p->held.as_of};
        if (id != PRES_NOBODY)
            pres_table_known(r->g->table, id, &known);
        gw_relay_add_has(&r->message, p->wire, p->sequence, now - known.as_of);
    }
    gw_relay_end(&r->message, r->key, r->pad_bytes);
    start(r, RELAY_DIGEST, "PUT", NULL);
}

static void begin_message(struct relay_out *r, bool cancel, unsigned part, unsigned parts)
{
    struct gw_relay_head head = {.sequence = next_sequence(r),
                                 .made = clk_wall_s(loop_clk(r->g->loop)),
                                 .keep_s = r->g->config->stale_after_s,
                                 .cancel = cancel,
                                 .part = part,
                                 .parts = parts};
    snprintf(head.stream, sizeof head.stream, "%s", r->stream);
    buf_reset(&r->message);
    r->flying_count = 0;
    gw_relay_begin(&r->message, &head, r->key);
}

static void take_flying(struct relay_out *r, struct relay_person *p)
{
    r->flying = mem_realloc(r->flying, r->flying_count + 1, sizeof(struct relay_person *));
    r->flying[r->flying_count++] = p;
}

/* What is in `message`. A file's name comes from the address as the far end knows it. */
static void start(struct relay_out *r, enum relay_sending what, const char *method, const struct relay_person *about)
{
    const char *headers[] = {"Content-Type: text/calendar; charset=utf-8", "Accept: */*", r->authorization, NULL};
    struct buf url;
    buf_init(&url, 8192);
    buf_adds(&url, r->base);
    if (about) {
        str_percent_encode(&url, about->wire, strlen(about->wire), "@");
        buf_adds(&url, r->url + strlen(r->base) + strlen("{address}"));
    }
    const struct fetch_request request = {.method = method,
                                          .url = url.data,
                                          .headers = headers,
                                          .body = r->message.len ? r->message.data : NULL,
                                          .body_len = r->message.len,
                                          .total_ms = r->timeout_ms,
                                          .max_body = ANSWER_MAX,
                                          .done = on_answer,
                                          .arg = r};
    r->sending = what;
    r->messages++;
    r->bytes += r->message.len;
    loop_timer_stop(r->flush);
    r->fetch = fetch_start(r->client, &request);
    buf_free(&url);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct relay_out *r = arg;
    enum relay_sending what = r->sending;
    int status = answer->status;
    bool gone = what == RELAY_CANCEL && r->files && (status == 404 || status == 410);
    char text[100];

    r->fetch = NULL;
    snprintf(text, sizeof text, "the far end answers %d", status);
    if (answer->err != FETCH_OK)
        down(r, fetch_err_code(answer->err), answer->text, false);
    else if (status / 100 == 2 || gone)
        accepted(r, what);
    else if (status == 401 || status == 403)
        down(r, "relay-not-authorized", text, true);
    else if (what == RELAY_DIGEST && status < 500)
        refused_digest(r);
    else
        down(r, "relay-refused", text, false);
    if (r->up && !r->pad_ms)
        send_next(r, r->batch.len >= r->batch_bytes / 2 || r->files);
    if (r->waiting_count > 0 || r->withdrawn_count > 0)
        gw_relay_send_soon(r);
}

static void accepted(struct relay_out *r, enum relay_sending what)
{
    uint64_t sequence = r->sequence;
    size_t count = r->flying_count;
    r->flying_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct relay_person *p = r->flying[i];
        pres_id id = p->again && what == RELAY_PEOPLE ? pres_table_find(r->g->table, p->address) : PRES_NOBODY;
        if (what == RELAY_CANCEL) {
            gw_relay_withdrawn(r, p);
            r->cancels++;
        } else {
            p->again = false;
            gw_relay_accepted(r, p, sequence);
        }
        if (id != PRES_NOBODY)
            pres_publisher_changed(r->publisher, id);
    }
    if (what == RELAY_DIGEST) {
        r->digests++;
        r->digest_part++;
    }
    if (what != RELAY_PROBE) {
        pres_publisher_proved(r->publisher);
        return;
    }
    r->up = true;
    r->next_digest_ms = 0;
    r->digest_part = r->digest_parts = 0;
    pres_publisher_up(r->publisher);
    pres_publisher_proved(r->publisher);
    if (r->g->alone)
        return;
    r->epoch = gw_policy_epoch(r->g);
    gw_relay_withdraw_gone(r);
    loop_timer_in(r->tick, TICK_MS);
    if (r->pad_ms)
        loop_timer_in(r->pad, r->pad_ms);
}

/* The far end has lost something: whom the digest was about is sent again, but not again and again. */
static void refused_digest(struct relay_out *r)
{
    int64_t now = clk_mono_ms(loop_clk(r->g->loop));
    size_t pos = 0, count = 0;
    r->digests_refused++;
    for (struct relay_person *p; r->may_resend && (p = map_next(r->people, &pos));)
        if (p->sequence && p->bucket % r->digest_parts == r->digest_part) {
            pres_id id = pres_table_find(r->g->table, p->address);
            p->sequence = 0;
            count++;
            if (id != PRES_NOBODY)
                pres_publisher_changed(r->publisher, id);
        }
    if (r->may_resend)
        r->refused_ms = now;
    log_notice("relay", "outlet=%s the far end does not hold what we believe: people sent again=%zu", r->name, count);
    r->digest_part++;
}

static void down(struct relay_out *r, const char *code, const char *text, bool slow)
{
    drop_all(r);
    pres_publisher_down(r->publisher, code, text, slow);
}

static void drop_all(struct relay_out *r)
{
    r->up = false;
    fetch_cancel(&r->fetch);
    loop_timer_stop(r->flush);
    loop_timer_stop(r->tick);
    loop_timer_stop(r->pad);
    while (r->flying_count > 0)
        gw_relay_lost(r->flying[--r->flying_count]);
    while (r->waiting_count > 0)
        gw_relay_lost(r->waiting[--r->waiting_count]);
    buf_reset(&r->batch);
}

/* Grows over every restart: by the clock, and where that was set back, by what the state file says. */
static uint64_t next_sequence(struct relay_out *r)
{
    uint64_t now = (uint64_t)clk_wall_ms(loop_clk(r->g->loop));
    char text[24];
    r->sequence = now > r->sequence ? now : r->sequence + 1;
    if (r->sequence >= r->reserved) {
        r->reserved = r->sequence + RESERVE;
        snprintf(text, sizeof text, "%llu", (unsigned long long)r->reserved);
        r->store->put(r->store->impl, r->space, "sequence", text, NULL, NULL);
    }
    return r->sequence;
}
