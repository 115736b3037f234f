/*
 * publisher: see publisher.h. gateway/outlets.c owns them and tells each of every change; the outlets (pub_*.c) are
 * called through their ops.
 *
 *   idle -> connecting -> up -> waiting -> connecting ...      stopped, from any
 *
 * While up, run() delivers: first what changed, in order, then, after a (re)connection, everybody by ascending id.
 * A token bucket holds the rate: it is looked at before a delivery and may go below zero by what one delivery cost. A
 * run ends after SLICE deliveries and goes on in the next turn.
 */
#include "presence/publisher.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "presence/viewer.h"

enum { SLICE = 100, RATE = 5000, CEILING = 1000000, RETRY_MS = 1000, RETRY_MAX_MS = 60000, BURST_MS = 100 };

enum state { STATE_IDLE, STATE_CONNECTING, STATE_UP, STATE_WAITING, STATE_STOPPED };

static const struct {
    const char *name;
    unsigned next; /* states that may follow */
} states[] = {
    [STATE_IDLE] = {"idle", 1u << STATE_CONNECTING | 1u << STATE_STOPPED},
    [STATE_CONNECTING] = {"connecting", 1u << STATE_UP | 1u << STATE_WAITING | 1u << STATE_STOPPED},
    [STATE_UP] = {"up", 1u << STATE_WAITING | 1u << STATE_STOPPED},
    [STATE_WAITING] = {"waiting", 1u << STATE_CONNECTING | 1u << STATE_STOPPED},
    [STATE_STOPPED] = {"stopped", 0},
};

struct pres_publisher {
    struct loop *loop;
    struct pres_table *table;
    struct pres_viewer viewer;
    const struct pres_outlet_ops *ops;
    void *outlet;
    char *name;
    double rate;
    size_t ceiling;
    int64_t retry_ms, retry_max_ms;

    enum state state;
    int64_t since, last_up_at, proved_at;
    unsigned failed_in_a_row;
    struct loop_timer *retry;
    int64_t retry_at;
    const char *code;
    char text[200];
    const char *check_code;
    char check_text[200];
    bool failure_told; /* it is in the log, and its end is not */

    pres_id *ring; /* persons that wait, oldest first; the bitmap says who is in it */
    size_t ring_size, ring_first, ring_count;
    uint8_t *waiting;
    size_t waiting_size; /* in persons */
    bool resyncing;
    bool resync_forced; /* to somebody who may have forgotten */
    pres_id resync_at;  /* delivered last */
    pres_id current;    /* delivery under way, PRES_NOBODY: none */
    bool current_resync;
    bool current_again;
    bool full; /* the outlet has no room */
    struct loop_timer *pace;
    double tokens;
    int64_t tokens_at; /* mono ms */
    bool scheduled;

    uint64_t delivered, messages, replaced, failures;
};

static void enter(struct pres_publisher *p, enum state next, const char *why);
static void on_retry(void *arg);
static void schedule(struct pres_publisher *p);
static void on_pace(void *arg);
static void run(void *arg);
static bool take_next(struct pres_publisher *p);
static pres_id next_person(const struct pres_publisher *p, pres_id id);
static int64_t no_time(void *arg);
static void nothing(void *arg, pres_id id, const char *part, struct pres_grant *ret);
static bool always(void *arg);
static bool deliver_current(struct pres_publisher *p);
static void refill(struct pres_publisher *p);
static double most_tokens(const struct pres_publisher *p);
static void spend(struct pres_publisher *p, unsigned messages);
static void ring_add(struct pres_publisher *p, pres_id id);
static void ring_clear(struct pres_publisher *p);
static void queue_drop_all(struct pres_publisher *p);

struct pres_publisher *pres_publisher_new(struct loop *loop, struct pres_table *table,
                                          const struct pres_publisher_settings *s, const struct pres_outlet_ops *ops,
                                          void *outlet)
{
    struct pres_publisher *p = mem_calloc(1, sizeof *p);
    p->loop = loop;
    p->table = table;
    if (s->viewer)
        p->viewer = *s->viewer;
    p->viewer.table = table;
    p->ops = ops;
    p->outlet = outlet;
    p->name = mem_strdup(s->name);
    p->rate = s->rate > 0 ? s->rate : RATE;
    p->ceiling = s->ceiling ? s->ceiling : CEILING;
    p->retry_ms = s->retry_ms ? s->retry_ms : RETRY_MS;
    p->retry_max_ms = s->retry_max_ms ? s->retry_max_ms : RETRY_MAX_MS;
    p->since = clk_wall_s(loop_clk(loop));
    p->current = p->resync_at = PRES_NOBODY;
    p->retry = loop_timer_new(loop, "publisher retry", on_retry, p);
    p->pace = loop_timer_new(loop, "publisher pace", on_pace, p);
    p->tokens_at = clk_mono_ms(loop_clk(loop));
    p->tokens = most_tokens(p);
    return p;
}

void pres_publisher_start(struct pres_publisher *p)
{
    if (p->state != STATE_IDLE)
        return;
    enter(p, STATE_CONNECTING, "start");
    p->ops->connect(p->outlet);
}

void pres_publisher_free(struct pres_publisher **publisher)
{
    struct pres_publisher *p = *publisher;
    if (!p)
        return;
    if (p->state == STATE_CONNECTING || p->state == STATE_UP)
        p->ops->disconnect(p->outlet, "stopping");
    p->ops->free(p->outlet);
    loop_undefer(p->loop, run, p);
    loop_timer_free(&p->retry);
    loop_timer_free(&p->pace);
    free(p->ring);
    free(p->waiting);
    free(p->name);
    free(p);
    *publisher = NULL;
}

void pres_publisher_changed(struct pres_publisher *p, pres_id id)
{
    if (p->state != STATE_UP)
        return; /* everybody is brought when it is up */
    /* the one under way is looked up anew with each attempt */
    if (id == p->current || (id < p->waiting_size && (p->waiting[id / 8] & 1u << id % 8))) {
        p->replaced++;
        return;
    }
    if (p->ring_count >= p->ceiling) {
        p->replaced += p->ring_count;
        queue_drop_all(p);
        pres_publisher_resync(p);
        return;
    }
    ring_add(p, id);
    schedule(p);
}

void pres_publisher_resync(struct pres_publisher *p)
{
    p->resyncing = p->resync_forced = true;
    p->resync_at = PRES_NOBODY;
    schedule(p);
}

void pres_publisher_people_changed(struct pres_publisher *p)
{
    if (p->ops->people_changed)
        p->ops->people_changed(p->outlet);
    queue_drop_all(p); /* ids in it may be somebody else's now */
    p->resync_forced = p->resync_forced && p->resyncing;
    p->resyncing = true;
    p->resync_at = PRES_NOBODY;
    schedule(p);
}

void pres_publisher_forget(struct pres_publisher *p, const char *address)
{
    if (p->ops->forget)
        p->ops->forget(p->outlet, address);
}

bool pres_publisher_farewell(struct pres_publisher *p)
{
    if (p->state != STATE_UP || !p->ops->farewell)
        return true;
    queue_drop_all(p);
    p->resyncing = false;
    return p->ops->farewell(p->outlet);
}

void pres_publisher_up(struct pres_publisher *p)
{
    if (p->state != STATE_CONNECTING)
        return;
    enter(p, STATE_UP, "connected");
    p->last_up_at = p->since;
    p->proved_at = 0;
    p->failed_in_a_row = 0;
    p->code = NULL;
    p->text[0] = '\0';
    p->full = false;
    if (p->failure_told)
        log_notice("publish", "outlet=%s is up again", p->name);
    p->failure_told = false;
    pres_publisher_resync(p);
}

void pres_publisher_down(struct pres_publisher *p, const char *code, const char *text, bool slow)
{
    int64_t wait_ms = slow ? p->retry_max_ms : p->retry_ms;
    if (p->state != STATE_CONNECTING && p->state != STATE_UP)
        return;
    for (unsigned i = 0; i < p->failed_in_a_row && wait_ms < p->retry_max_ms; i++)
        wait_ms *= 2;
    if (wait_ms > p->retry_max_ms)
        wait_ms = p->retry_max_ms;
    wait_ms -= (int64_t)(crypto_random_u64() % (uint64_t)(wait_ms / 4 + 1)); /* gateways must not march in step */
    p->failed_in_a_row++;
    p->failures++;
    if (!p->failure_told || p->code != code)
        log_warning("publish", "outlet=%s is down code=%s text=\"%s\" next attempt in ms=%lld", p->name, code, text,
                    (long long)wait_ms);
    p->failure_told = true;
    p->code = code;
    snprintf(p->text, sizeof p->text, "%s", text);
    queue_drop_all(p);
    enter(p, STATE_WAITING, code);
    p->retry_at = p->since + (wait_ms + 999) / 1000;
    loop_timer_in(p->retry, wait_ms);
}

void pres_publisher_room(struct pres_publisher *p)
{
    p->full = false;
    schedule(p);
}

void pres_publisher_proved(struct pres_publisher *p)
{
    if (!p->proved_at)
        log_info("publish", "outlet=%s delivered one message to itself", p->name);
    p->proved_at = clk_wall_s(loop_clk(p->loop));
}

void pres_publisher_checked(struct pres_publisher *p, const char *code, const char *text)
{
    log_debug("publish", "outlet=%s check code=%s text=\"%s\"", p->name, code, text);
    p->check_code = code;
    snprintf(p->check_text, sizeof p->check_text, "%s", text);
}

bool pres_publisher_check(struct pres_publisher *p, bool begin)
{
    if (!p->ops->check || p->state != STATE_UP)
        return false;
    if (begin)
        p->check_code = NULL;
    return p->ops->check(p->outlet, begin);
}

void pres_publisher_spent(struct pres_publisher *p, unsigned messages)
{
    refill(p);
    spend(p, messages);
    if (p->tokens < -most_tokens(p)) /* a flood of questions must not hold up what changed */
        p->tokens = -most_tokens(p);
}

void pres_publisher_status(const struct pres_publisher *p, struct pres_publisher_status *ret)
{
    *ret = (struct pres_publisher_status){
        .name = p->name,
        .kind = p->ops->kind,
        .state = states[p->state].name,
        .since = p->since,
        .last_up_at = p->last_up_at,
        .proved_at = p->state == STATE_UP ? p->proved_at : 0,
        .retry_at = p->state == STATE_WAITING ? p->retry_at : 0,
        .code = p->code,
        .text = p->text,
        .check_code = p->state == STATE_UP ? p->check_code : NULL,
        .check_text = p->check_text,
        .names_watched = p->ops->watched != NULL,
        .waiting = p->ring_count + (p->current != PRES_NOBODY),
        .resyncing = p->resyncing,
        .delivered = p->delivered,
        .messages = p->messages,
        .replaced = p->replaced,
        .failures = p->failures,
    };
}

size_t pres_publisher_counts(const struct pres_publisher *p, struct pres_count *rows, size_t max)
{
    return p->ops->counts ? p->ops->counts(p->outlet, rows, max) : 0;
}

size_t pres_counts_copy(struct pres_count *rows, size_t max, const struct pres_count *all, size_t count)
{
    size_t n = count < max ? count : max;
    for (size_t i = 0; i < n; i++)
        rows[i] = all[i];
    return n;
}

bool pres_publisher_watched(const struct pres_publisher *p, void (*fn)(void *arg, pres_id id), void *arg)
{
    if (!p->ops->watched)
        return false;
    p->ops->watched(p->outlet, fn, arg);
    return true;
}

const struct pres_viewer *pres_publisher_viewer(const struct pres_publisher *p)
{
    return &p->viewer;
}

void pres_publisher_blind(struct pres_publisher *p)
{
    p->viewer = (struct pres_viewer){.table = p->table, .now = no_time, .grant = nothing, .limited = always};
}

void *pres_publisher_outlet(const struct pres_publisher *p)
{
    return p->outlet;
}

static void enter(struct pres_publisher *p, enum state next, const char *why)
{
    if (!(states[p->state].next & 1u << next)) {
        log_error("publish", "outlet=%s cannot go from %s to %s", p->name, states[p->state].name, states[next].name);
        abort();
    }
    log_debug("publish", "outlet=%s %s -> %s why=%s", p->name, states[p->state].name, states[next].name, why);
    p->state = next;
    p->since = clk_wall_s(loop_clk(p->loop));
}

static void on_retry(void *arg)
{
    struct pres_publisher *p = arg;
    enter(p, STATE_CONNECTING, "retry");
    p->ops->connect(p->outlet);
}

/* Deliveries happen at the end of the turn, so that a second's many changes are one run. */
static void schedule(struct pres_publisher *p)
{
    if (p->state != STATE_UP || p->full || p->scheduled || loop_timer_armed(p->pace))
        return;
    p->scheduled = true;
    loop_defer(p->loop, run, p);
}

static void on_pace(void *arg)
{
    schedule(arg);
}

static void run(void *arg)
{
    struct pres_publisher *p = arg;
    p->scheduled = false;
    for (unsigned i = 0; i < SLICE && p->state == STATE_UP && !p->full; i++) {
        refill(p);
        if (p->tokens < 1) {
            loop_timer_in(p->pace, (int64_t)((1 - p->tokens) * 1000 / p->rate) + 1);
            return;
        }
        if (!take_next(p))
            return;
        if (!deliver_current(p))
            return;
    }
    schedule(p);
}

/* What changed goes before what is only brought again. */
static bool take_next(struct pres_publisher *p)
{
    if (p->current != PRES_NOBODY)
        return true;
    p->current_again = false;
    if (p->ring_count > 0) {
        p->current = p->ring[p->ring_first];
        p->current_resync = false;
        p->ring_first = (p->ring_first + 1) % p->ring_size;
        p->ring_count--;
        p->waiting[p->current / 8] &= (uint8_t) ~(1u << p->current % 8);
    } else if (p->resyncing) {
        p->current = p->resync_at = next_person(p, p->resync_at);
        p->current_resync = p->resync_forced;
        p->resyncing = p->current != PRES_NOBODY;
    }
    return p->current != PRES_NOBODY;
}

static pres_id next_person(const struct pres_publisher *p, pres_id id)
{
    return p->ops->parts ? pres_table_next(p->table, id) : pres_viewer_next(&p->viewer, NULL, id);
}

/* False: the outlet is full, or gone. */
static bool deliver_current(struct pres_publisher *p)
{
    struct pres_presence now;
    if (p->ops->parts)
        pres_table_presence(p->table, p->current, &now);
    else if (!pres_viewer_presence(&p->viewer, NULL, p->current, &now)) {
        p->current = PRES_NOBODY; /* for this outlet there is no such person */
        return true;
    }
    struct pres_delivery d = {.id = p->current,
                              .address = pres_table_publish_as(p->table, p->current),
                              .now = &now,
                              .again = p->current_again,
                              .resync = p->current_resync,
                              .budget = p->tokens < 1 ? 1 : (unsigned)p->tokens};
    enum pres_delivered result = p->ops->deliver(p->outlet, &d);
    spend(p, d.sent);
    if (p->state != STATE_UP)
        return false;
    p->current_again = true;
    switch (result) {
    case PRES_DELIVERED:
        p->delivered += d.sent > 0;
        p->current = PRES_NOBODY;
        return true;
    case PRES_MORE:
        return true;
    case PRES_FULL:
        p->full = true;
        return false;
    }
    return false;
}

/* A bucket of a tenth of a second: enough to keep a line busy, too little to flood a server after a pause. */
static void refill(struct pres_publisher *p)
{
    int64_t now = clk_mono_ms(loop_clk(p->loop));
    p->tokens += (double)(now - p->tokens_at) * p->rate / 1000;
    p->tokens_at = now;
    if (p->tokens > most_tokens(p))
        p->tokens = most_tokens(p);
}

static double most_tokens(const struct pres_publisher *p)
{
    double most = p->rate * BURST_MS / 1000;
    return most < 1 ? 1 : most;
}

static void spend(struct pres_publisher *p, unsigned messages)
{
    p->tokens -= messages;
    p->messages += messages;
}

static void ring_add(struct pres_publisher *p, pres_id id)
{
    if (id >= p->waiting_size) {
        size_t size = ((size_t)id / 1024 + 1) * 1024;
        p->waiting = mem_realloc(p->waiting, size / 8, 1);
        for (size_t i = p->waiting_size / 8; i < size / 8; i++)
            p->waiting[i] = 0;
        p->waiting_size = size;
    }
    if (p->ring_count == p->ring_size) {
        size_t size = p->ring_size ? 2 * p->ring_size : 64;
        pres_id *ring = mem_calloc(size, sizeof *ring);
        for (size_t i = 0; i < p->ring_count; i++)
            ring[i] = p->ring[(p->ring_first + i) % p->ring_size];
        free(p->ring);
        p->ring = ring;
        p->ring_size = size;
        p->ring_first = 0;
    }
    p->ring[(p->ring_first + p->ring_count++) % p->ring_size] = id;
    p->waiting[id / 8] |= (uint8_t)(1u << id % 8);
}

static void ring_clear(struct pres_publisher *p)
{
    for (size_t i = 0; i < p->ring_count; i++) {
        pres_id id = p->ring[(p->ring_first + i) % p->ring_size];
        p->waiting[id / 8] &= (uint8_t) ~(1u << id % 8);
    }
    p->ring_count = p->ring_first = 0;
}

static void queue_drop_all(struct pres_publisher *p)
{
    ring_clear(p);
    p->current = PRES_NOBODY;
    loop_timer_stop(p->pace);
}

static int64_t no_time(void *arg)
{
    (void)arg;
    return 0;
}

static void nothing(void *arg, pres_id id, const char *part, struct pres_grant *ret)
{
    (void)arg, (void)id, (void)part;
    *ret = (struct pres_grant){.level = PRES_SEE_NOTHING};
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}
