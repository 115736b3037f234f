/*
 * poller_wheel: whose turn it is. The interval is cut into 2^bits stripes; the person with number `id` belongs to
 * stripe bit-reverse(id mod 2^bits). Numbers in a row thus fall as far apart as possible (van der Corput's sequence):
 * any block of consecutive numbers, so any server's people, is spread evenly over the interval, without a list, a hash
 * or a random draw, and when people are added nobody's place moves. A daemon's `seed` shifts all places, so that
 * several daemons do not ask together.
 *
 * One timer visits stripe after stripe, each up to half a stripe late at random. After a long pause (suspend) at most
 * one round is made up for.
 */
#include "base/clk.h"
#include "base/loop.h"
#include "poller_private.h"

enum { BITS_MAX = 12, TICK_MIN_MS = 10 };

static void tick(void *arg);
static void arm(struct gw_poller *p);
static void visit_stripe(struct gw_poller *p, uint32_t stripe);
static int64_t turn_at(const struct gw_poller *p, int64_t mono_ms);
static int64_t turn_time(const struct gw_poller *p, int64_t turn);
static uint32_t reverse(uint32_t value, unsigned bits);
static unsigned wanted_bits(const struct gw_poller *p);

void gw_poll_wheel_start(struct gw_poller *p)
{
    p->random = p->seed | 1;
    p->bits = wanted_bits(p);
    p->epoch_ms = clk_mono_ms(loop_clk(p->loop)) - (int64_t)(p->seed % (uint64_t)p->interval_ms);
    p->turn = turn_at(p, clk_mono_ms(loop_clk(p->loop)));
    p->tick = loop_timer_new(p->loop, "poll-tick", tick, p);
}

void gw_poll_wheel_grow(struct gw_poller *p)
{
    unsigned bits = wanted_bits(p);
    bool idle = !loop_timer_armed(p->tick), finer = bits > p->bits;
    if (finer) {
        p->turn <<= bits - p->bits;
        p->bits = bits;
    }
    if (idle) /* nobody was there */
        p->turn = turn_at(p, clk_mono_ms(loop_clk(p->loop)));
    if (p->count > 0 && (idle || finer))
        arm(p);
}

void gw_poller_interval(struct gw_poller *p, int64_t interval_ms)
{
    if (interval_ms == p->interval_ms)
        return;
    p->interval_ms = interval_ms;
    p->epoch_ms = clk_mono_ms(loop_clk(p->loop)) - (int64_t)(p->seed % (uint64_t)interval_ms);
    p->turn = turn_at(p, clk_mono_ms(loop_clk(p->loop)));
    if (p->count > 0)
        arm(p);
    for (unsigned i = 0; i < p->server_capacity; i++)
        if (p->servers[i])
            gw_poll_bulk_interval(p->servers[i]);
}

int64_t gw_poll_wheel_next_ms(const struct gw_poller *p, uint32_t id)
{
    int64_t stripes = (int64_t)1 << p->bits;
    int64_t stripe = reverse(id & (uint32_t)(stripes - 1), p->bits);
    int64_t next = p->turn + 1;
    int64_t ahead = (stripe - next % stripes + stripes) % stripes;
    return turn_time(p, next + ahead);
}

uint32_t gw_poll_random(struct gw_poller *p)
{
    uint32_t x = p->random; /* xorshift32: for jitter only */
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return p->random = x;
}

static void tick(void *arg)
{
    struct gw_poller *p = arg;
    int64_t now = turn_at(p, clk_mono_ms(loop_clk(p->loop))), stripes = (int64_t)1 << p->bits;
    if (now - p->turn > stripes)
        p->turn = now - stripes;
    while (p->turn < now)
        visit_stripe(p, (uint32_t)(++p->turn % stripes));
    if (p->count > 0)
        arm(p);
}

static void arm(struct gw_poller *p)
{
    int64_t wait = turn_time(p, p->turn + 1) - clk_mono_ms(loop_clk(p->loop));
    int64_t half = p->interval_ms >> (p->bits + 1);
    if (half > 0)
        wait += gw_poll_random(p) % (uint64_t)half;
    loop_timer_in(p->tick, wait > TICK_MIN_MS ? wait : TICK_MIN_MS);
}

static void visit_stripe(struct gw_poller *p, uint32_t stripe)
{
    uint32_t stripes = (uint32_t)1 << p->bits;
    for (uint64_t id = reverse(stripe, p->bits); id < p->capacity; id += stripes)
        if (p->persons[id].used)
            gw_poll_visit(p, (uint32_t)id);
}

static int64_t turn_at(const struct gw_poller *p, int64_t mono_ms)
{
    return (int64_t)(((unsigned __int128)(mono_ms - p->epoch_ms) << p->bits) / (uint64_t)p->interval_ms);
}

static int64_t turn_time(const struct gw_poller *p, int64_t turn)
{
    unsigned __int128 ms = (unsigned __int128)turn * (uint64_t)p->interval_ms + ((1u << p->bits) - 1);
    return p->epoch_ms + (int64_t)(ms >> p->bits);
}

static uint32_t reverse(uint32_t value, unsigned bits)
{
    uint32_t out = 0;
    for (unsigned i = 0; i < bits; i++)
        out |= (value >> i & 1) << (bits - 1 - i);
    return out;
}

static unsigned wanted_bits(const struct gw_poller *p)
{
    unsigned bits = 0;
    while (bits < BITS_MAX && (uint32_t)1 << bits < p->capacity)
        bits++;
    return bits;
}
