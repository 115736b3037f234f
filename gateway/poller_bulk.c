/*
 * poller_bulk: people who are asked about many at once. Beside the wheel, which asks about one person at a time, each
 * server has a list of those of its people whom one question may be about, and a timer that goes through it once an
 * interval: as many questions as the people need, evenly spread, each about as many as fit. Who is both asked about
 * alone and with others (enum gw_poller_way) is in both, and with others only every few minutes while the answers about
 * them alone are good, and when the owner knows a reason (batch_due): that nothing has changed is a good one not to
 * ask.
 *
 * A list's members are in no order that matters. Those whom to ask next stand in `waiting` until the session has room;
 * questions take them from its front. While the server fails as a whole the members are told so in their turn, and when
 * nobody is asked about alone, one of these questions is the probe.
 *
 * A question that a server does not survive, while it answers others, is asked again at once in two halves, and so on,
 * until whoever it is because of is alone, and stays so until the answer is good. Nobody else waits for them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "poller_private.h"

enum {
    REFINED_S = 300,        /* at the least between two questions about people who are asked about alone as well */
    RECENT_FROM_MS = 60000, /* as in poller.c */
    PROBE_MIN_MS = 1000,
    TICK_MIN_MS = 10,
    HALVED_MAX = 7,          /* of a hundred, and more, one is left */
    UNWANTED_AT_ONCE = 2000, /* passed over in one turn */
};

struct poll_bulk_person {
    uint32_t place;    /* in members, from 1; 0: no member */
    uint32_t asked_at; /* wall s, 0: never */
    uint32_t ok_at;
    uint8_t waiting : 1, running : 1, urgent : 1, failed : 1;
    uint8_t late : 1; /* a refresh came when the question was on its way, which may be answered with what was before */
    uint8_t halved; /* how often a question about this person was cut in two */
};

/* One running question. */
struct poll_bulk_flight {
    struct poll_server *server;
    struct dav_batch *batch;
    struct poll_bulk_flight *next, **link;
    size_t count;
    uint32_t ids[]; /* POLL_NOBODY: gone meanwhile */
};

struct poll_bulk {
    struct poll_server *server;
    uint32_t *members;
    size_t count, capacity;
    size_t cursor; /* whose turn is next */
    uint32_t *waiting;
    size_t waiting_first, waiting_end, waiting_capacity;
    struct poll_bulk_flight *flights;
    unsigned running;
    unsigned unwanted; /* passed over in this turn */
    struct loop_timer *tick;
};

static struct poll_bulk *bulk_of(struct poll_server *s);
static struct poll_bulk_person *person_at(struct gw_poller *p, uint32_t id);
static void wait_add(struct poll_bulk *b, uint32_t id);
static bool wait_next(struct poll_bulk *b, uint32_t *ret);
static void on_tick(void *arg);
static void arm(struct poll_bulk *b);
static size_t share_of(const struct poll_bulk *b);
static bool any_due(struct poll_bulk *b, size_t share);
static bool is_due(struct gw_poller *p, uint32_t id);
static void miss(struct poll_bulk *b, size_t share);
static void launch(struct poll_bulk *b);
static uint32_t *lent(const struct poll_bulk_flight *f);
static void on_answer(void *arg, const struct dav_batch_result *result);
static bool divides(const struct poll_server *s, const struct dav_result *whole);
static void halve(struct poll_bulk *b, const uint32_t *ids, size_t count);
static void again(struct poll_server *s, const uint32_t *ids, size_t count);
static bool settle(struct poll_server *s, uint32_t id, const struct dav_result *result);
static void flight_drop(struct poll_bulk_flight *f);

void gw_poll_bulk_add(struct gw_poller *p, uint32_t id)
{
    struct poll_bulk *b = bulk_of(p->servers[p->persons[id].server]);
    struct poll_bulk_person *person = person_at(p, id);
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 64;
        b->members = mem_realloc(b->members, b->capacity, sizeof *b->members);
    }
    b->members[b->count++] = id;
    *person = (struct poll_bulk_person){.place = (uint32_t)b->count};
    wait_add(b, id);
    if (!loop_timer_armed(b->tick))
        arm(b);
}

void gw_poll_bulk_remove(struct gw_poller *p, uint32_t id)
{
    if (!gw_poll_bulk_has(p, id))
        return;
    struct poll_bulk_person *person = &p->bulk[id];
    struct poll_bulk *b = p->servers[p->persons[id].server]->bulk;
    uint32_t last = b->members[--b->count];
    b->members[person->place - 1] = last;
    p->bulk[last].place = person->place;
    for (struct poll_bulk_flight *f = b->flights; f && person->running; f = f->next)
        for (size_t i = 0; i < f->count; i++)
            if (f->ids[i] == id)
                f->ids[i] = POLL_NOBODY;
    *person = (struct poll_bulk_person){.place = 0}; /* what `waiting` holds of it will be passed over */
}

bool gw_poll_bulk_has(const struct gw_poller *p, uint32_t id)
{
    return id < p->bulk_capacity && p->bulk[id].place > 0;
}

bool gw_poll_bulk_knows(const struct gw_poller *p, uint32_t id)
{
    if (!gw_poll_bulk_has(p, id) || p->bulk[id].failed || p->bulk[id].ok_at == 0)
        return false;
    int64_t age_s = clk_wall_s(loop_clk(p->loop)) - p->bulk[id].ok_at;
    return age_s < 2 * (REFINED_S + p->interval_ms / 1000);
}

bool gw_poll_bulk_lately(const struct gw_poller *p, uint32_t id)
{
    if (!gw_poll_bulk_has(p, id) || p->bulk[id].asked_at == 0)
        return false;
    int64_t since_ms = (clk_wall_s(loop_clk(p->loop)) - p->bulk[id].asked_at) * 1000;
    return since_ms >= 0 && since_ms < p->interval_ms / 2;
}

void gw_poll_bulk_urgent(struct gw_poller *p, uint32_t id)
{
    if (!gw_poll_bulk_has(p, id))
        return;
    p->bulk[id].urgent = 1;
    wait_add(p->servers[p->persons[id].server]->bulk, id);
}

void gw_poll_bulk_refresh(struct gw_poller *p, uint32_t id)
{
    if (gw_poll_bulk_has(p, id) && p->bulk[id].running)
        p->bulk[id].late = 1;
    gw_poll_bulk_urgent(p, id);
}

bool gw_poll_bulk_asks(const struct gw_poller *p, uint32_t id)
{
    return gw_poll_bulk_has(p, id) && p->bulk[id].running;
}

size_t gw_poll_bulk_waiting(const struct poll_server *s)
{
    return s->bulk ? s->bulk->waiting_end - s->bulk->waiting_first : 0;
}

size_t gw_poll_bulk_running(const struct poll_server *s)
{
    return s->bulk ? s->bulk->running : 0;
}

void gw_poll_bulk_state(const struct gw_poller *p, uint32_t id, struct gw_poller_person *ret)
{
    if (!gw_poll_bulk_has(p, id))
        return;
    const struct poll_bulk_person *person = &p->bulk[id];
    const struct poll_bulk *b = p->servers[p->persons[id].server]->bulk;
    size_t share = share_of(b), ahead = (person->place - 1 + b->count - b->cursor % b->count) % b->count;
    if (person->asked_at > ret->last_asked_at)
        ret->last_asked_at = person->asked_at;
    if (person->ok_at > ret->last_ok_at)
        ret->last_ok_at = person->ok_at;
    if (p->persons[id].alone)
        return;
    int64_t wait_ms = p->interval_ms * (int64_t)((ahead / share + 1) * share) / (int64_t)b->count;
    ret->running = person->running;
    ret->waiting = person->waiting;
    ret->failures = person->failed;
    ret->next_poll_at =
        clk_wall_s(loop_clk(p->loop)) + (person->waiting || person->running ? 0 : (wait_ms + 999) / 1000);
}

/* As far as the session has room. True: there are more. */
bool gw_poll_bulk_pump(struct poll_server *s)
{
    if (s->bulk)
        s->bulk->unwanted = 0;
    while (gw_poll_bulk_waiting(s) > 0 && s->bulk->unwanted < UNWANTED_AT_ONCE &&
           s->poller->ops->room(s->session) > 0)
        launch(s->bulk);
    return gw_poll_bulk_waiting(s) > 0;
}

/* The server is failing: one question finds out whether it still does. False: there is nobody to ask about. */
bool gw_poll_bulk_probe(struct poll_server *s)
{
    struct poll_bulk *b = s->bulk;
    if (!b || b->count == 0 || b->running > 0)
        return false;
    b->unwanted = 0;
    if (gw_poll_bulk_waiting(s) == 0)
        wait_add(b, b->members[b->cursor % b->count]);
    launch(b);
    return b->running > 0;
}

/* The server answers again: those who were not read meanwhile are asked about soon. */
void gw_poll_bulk_resume(struct poll_server *s)
{
    for (size_t i = 0; s->bulk && i < s->bulk->count; i++)
        if (s->poller->bulk[s->bulk->members[i]].failed)
            wait_add(s->bulk, s->bulk->members[i]);
}

/* Another session: what runs is asked again. */
void gw_poll_bulk_restart(struct poll_server *s)
{
    while (s->bulk && s->bulk->flights) {
        struct poll_bulk_flight *f = s->bulk->flights;
        s->poller->ops->batch_cancel(&f->batch);
        for (size_t i = 0; i < f->count; i++)
            if (f->ids[i] != POLL_NOBODY) {
                s->poller->bulk[f->ids[i]].running = 0;
                wait_add(s->bulk, f->ids[i]);
            }
        flight_drop(f);
    }
}

void gw_poll_bulk_interval(struct poll_server *s)
{
    if (s->bulk && s->bulk->count > 0)
        arm(s->bulk);
}

void gw_poll_bulk_free(struct poll_server *s)
{
    if (!s->bulk)
        return;
    while (s->bulk->flights) {
        s->poller->ops->batch_cancel(&s->bulk->flights->batch);
        flight_drop(s->bulk->flights);
    }
    loop_timer_free(&s->bulk->tick);
    free(s->bulk->members);
    free(s->bulk->waiting);
    free(s->bulk);
    s->bulk = NULL;
}

static struct poll_bulk *bulk_of(struct poll_server *s)
{
    if (!s->bulk) {
        s->bulk = mem_calloc(1, sizeof *s->bulk);
        s->bulk->server = s;
        s->bulk->tick = loop_timer_new(s->poller->loop, "poll-many", on_tick, s->bulk);
    }
    return s->bulk;
}

static struct poll_bulk_person *person_at(struct gw_poller *p, uint32_t id)
{
    if (p->bulk_capacity < p->capacity) {
        p->bulk = mem_realloc(p->bulk, p->capacity, sizeof *p->bulk);
        memset(p->bulk + p->bulk_capacity, 0, (p->capacity - p->bulk_capacity) * sizeof *p->bulk);
        p->bulk_capacity = p->capacity;
    }
    return &p->bulk[id];
}

/* At the end, unless already there. */
static void wait_add(struct poll_bulk *b, uint32_t id)
{
    struct poll_bulk_person *person = &b->server->poller->bulk[id];
    if (person->waiting || person->running)
        return;
    if (b->waiting_end == b->waiting_capacity && b->waiting_first > 0) {
        memmove(b->waiting, b->waiting + b->waiting_first, (b->waiting_end - b->waiting_first) * sizeof *b->waiting);
        b->waiting_end -= b->waiting_first;
        b->waiting_first = 0;
    }
    if (b->waiting_end == b->waiting_capacity) {
        b->waiting_capacity = b->waiting_capacity ? 2 * b->waiting_capacity : 64;
        b->waiting = mem_realloc(b->waiting, b->waiting_capacity, sizeof *b->waiting);
    }
    b->waiting[b->waiting_end++] = id;
    person->waiting = 1;
}

/* Passes over who is gone, or has another server by now, or is not wanted; of very many, some in each turn. */
static bool wait_next(struct poll_bulk *b, uint32_t *ret)
{
    struct gw_poller *p = b->server->poller;
    while (b->waiting_first < b->waiting_end) {
        if (b->unwanted == UNWANTED_AT_ONCE)
            return false;
        uint32_t id = b->waiting[b->waiting_first++];
        bool here = gw_poll_bulk_has(p, id) && p->persons[id].server == b->server->number;
        if (!here || !p->bulk[id].waiting)
            continue;
        p->bulk[id].waiting = 0;
        if (!p->bulk[id].urgent && gw_poll_rank(p, id) == GW_RANK_NOT) {
            b->unwanted++;
            continue;
        }
        *ret = id;
        return true;
    }
    b->waiting_first = b->waiting_end = 0;
    return false;
}

/* The next few have their turn, all together or not at all: one who is due takes the others along. */
static void on_tick(void *arg)
{
    struct poll_bulk *b = arg;
    struct poll_server *s = b->server;
    if (b->count == 0)
        return;
    size_t share = share_of(b);
    if (s->failing)
        miss(b, share);
    else if (any_due(b, share))
        for (size_t i = 0; i < share; i++)
            wait_add(b, b->members[(b->cursor + i) % b->count]);
    b->cursor = (b->cursor + share) % b->count;
    arm(b);
    gw_poll_pump(s);
}

static void arm(struct poll_bulk *b)
{
    int64_t wait = b->server->poller->interval_ms * (int64_t)share_of(b) / (int64_t)(b->count ? b->count : 1);
    loop_timer_in(b->tick, wait > TICK_MIN_MS ? wait : TICK_MIN_MS);
}

/* How many go into each question, so that all are of one size. */
static size_t share_of(const struct poll_bulk *b)
{
    size_t most = b->server->poller->ops->batch_size(b->server->session);
    if (most < 1)
        most = 1;
    size_t questions = (b->count + most - 1) / most;
    return questions > 0 ? (b->count + questions - 1) / questions : 1;
}

static bool any_due(struct poll_bulk *b, size_t share)
{
    for (size_t i = 0; i < share; i++)
        if (is_due(b->server->poller, b->members[(b->cursor + i) % b->count]))
            return true;
    return false;
}

static bool is_due(struct gw_poller *p, uint32_t id)
{
    if (gw_poll_rank(p, id) == GW_RANK_NOT)
        return false;
    const struct poll_person *alone = &p->persons[id];
    const struct poll_bulk_person *person = &p->bulk[id];
    int64_t since_s = clk_wall_s(loop_clk(p->loop)) - person->asked_at;
    if (since_s < 0 || person->asked_at == 0)
        return true;
    if (since_s * 1000 < p->interval_ms / 4 && p->interval_ms >= RECENT_FROM_MS)
        return false;
    if (!alone->alone || alone->fails > 0 || person->failed)
        return true;
    return since_s >= REFINED_S && (!p->ops->batch_due || p->ops->batch_due(p->arg, id));
}

/* Nobody is asked; who is known by no other way learns why. */
static void miss(struct poll_bulk *b, size_t share)
{
    struct poll_server *s = b->server;
    struct gw_poller *p = s->poller;
    const struct dav_cause *cause = dav_cause_find(s->failing);
    struct dav_result result = {
        .err = cause ? cause->err : DAV_NETWORK, .code = s->failing, .as_of = clk_wall_s(loop_clk(p->loop))};
    for (size_t i = 0; i < share; i++) {
        uint32_t id = b->members[(b->cursor + i) % b->count];
        p->bulk[id].failed = 1;
        if (!p->persons[id].alone)
            p->ops->batch_answer(p->arg, id, &result);
    }
    if (s->running == 0 && b->running == 0 && !loop_timer_armed(s->again))
        loop_timer_in(s->again, PROBE_MIN_MS);
}

/* One question, about those who wait first and are as often halved. */
static void launch(struct poll_bulk *b)
{
    struct poll_server *s = b->server;
    struct gw_poller *p = s->poller;
    size_t most = p->ops->batch_size(s->session), count = 0;
    most = most < 1 ? 1 : most > DAV_BATCH_MAX ? DAV_BATCH_MAX : most;
    struct poll_bulk_flight *f = mem_calloc(1, sizeof *f + most * sizeof f->ids[0]);
    struct dav_batch_person *persons = mem_calloc(most, sizeof *persons);
    struct dav_batch_question question = {.persons = persons};
    for (uint32_t id; count < most && wait_next(b, &id);) {
        struct dav_question one = {.address = NULL};
        if (count == 0) {
            most = most >> p->bulk[id].halved > 1 ? most >> p->bulk[id].halved : 1;
        } else if (p->bulk[id].halved != p->bulk[f->ids[0]].halved) {
            b->waiting[--b->waiting_first] = id;
            p->bulk[id].waiting = 1;
            break;
        }
        p->ops->batch_question(p->arg, id, &one);
        persons[count] = (struct dav_batch_person){.address = one.address, .aliases = one.aliases};
        question.from = one.from;
        question.until = one.until;
        p->bulk[id].running = 1;
        p->bulk[id].late = 0;
        if (!p->persons[id].alone)
            gw_poll_refresh_asked(p, id);
        p->bulk[id].asked_at = (uint32_t)clk_wall_s(loop_clk(p->loop));
        f->ids[count++] = id;
    }
    question.count = f->count = count;
    f->server = s;
    f->link = &b->flights;
    f->next = b->flights;
    if (f->next)
        f->next->link = &f->next;
    b->flights = f;
    b->running++;
    f->batch = count > 0 ? p->ops->batch_start(s->session, &question, on_answer, f) : NULL;
    free(persons);
    if (f->batch)
        return;
    for (size_t i = 0; i < count; i++)
        p->bulk[f->ids[i]].running = 0; /* this session knows no such question */
    flight_drop(f);
}

static uint32_t *lent(const struct poll_bulk_flight *f)
{
    uint32_t *ids = mem_calloc(f->count + 1, sizeof *ids);
    memcpy(ids, f->ids, f->count * sizeof *ids);
    return ids;
}

static void on_answer(void *arg, const struct dav_batch_result *result)
{
    struct poll_bulk_flight *f = arg;
    struct poll_server *s = f->server;
    struct gw_poller *p = s->poller;
    unsigned number = s->number;
    size_t count = f->count < result->count ? f->count : result->count, waited = 0;
    uint32_t *ids = mem_calloc(count + 1, sizeof *ids); /* of those whose answer somebody waits for */
    uint32_t *all = lent(f);
    size_t asked = f->count;
    size_t *which = mem_calloc(count + 1, sizeof *which);
    struct dav_result whole = {
        .err = result->err, .code = result->code, .retry_after_s = result->retry_after_s, .requests = result->requests};
    for (size_t i = 0; i < count; i++) {
        if (f->ids[i] != POLL_NOBODY && settle(s, f->ids[i], &result->persons[i])) {
            ids[waited] = f->ids[i];
            which[waited++] = i;
        }
    }
    flight_drop(f);
    gw_poll_verdict(s, &whole, all[0]);
    if (asked > 1 && divides(s, &whole))
        halve(s->bulk, all, asked);
    again(s, all, asked);
    bool failing = s->failing;
    for (size_t i = 0; i < waited; i++)
        gw_poll_refresh_answer(p, ids[i], result->persons[which[i]].err, result->persons[which[i]].code, failing);
    free(ids);
    free(all);
    free(which);
    if (number < p->server_capacity && p->servers[number]) /* a callback may have done anything */
        gw_poll_pump(p->servers[number]);
}

/* It may be because of one of them; refusals, and what is everybody's, would be the same in halves. */
static bool divides(const struct poll_server *s, const struct dav_result *whole)
{
    const struct dav_cause *cause = whole->code ? dav_cause_find(whole->code) : NULL;
    return !s->failing && whole->requests > 0 && whole->retry_after_s == 0 && cause && cause->whole_server &&
           cause->err != DAV_AUTH;
}

static void halve(struct poll_bulk *b, const uint32_t *ids, size_t count)
{
    struct gw_poller *p = b->server->poller;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == POLL_NOBODY || !gw_poll_bulk_has(p, ids[i]) || p->persons[ids[i]].server != b->server->number)
            continue;
        if (p->bulk[ids[i]].halved < HALVED_MAX)
            p->bulk[ids[i]].halved++;
        wait_add(b, ids[i]);
    }
}

/* Those of whom somebody wants to know what has been since the question left. */
static void again(struct poll_server *s, const uint32_t *ids, size_t count)
{
    struct gw_poller *p = s->poller;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == POLL_NOBODY || !gw_poll_bulk_has(p, ids[i]) || !p->bulk[ids[i]].late)
            continue;
        p->bulk[ids[i]].late = 0;
        if (!s->failing)
            gw_poll_bulk_urgent(p, ids[i]);
    }
}

/* True: somebody waits for this answer. */
static bool settle(struct poll_server *s, uint32_t id, const struct dav_result *result)
{
    struct gw_poller *p = s->poller;
    struct poll_bulk_person *person = &p->bulk[id];
    bool waited = person->urgent && !p->persons[id].alone;
    person->running = 0;
    person->urgent = 0;
    person->failed = result->err != DAV_OK;
    if (result->err == DAV_OK) {
        person->ok_at = (uint32_t)clk_wall_s(loop_clk(p->loop));
        person->halved = 0;
    }
    p->ops->batch_answer(p->arg, id, result);
    return waited;
}

static void flight_drop(struct poll_bulk_flight *f)
{
    f->server->bulk->running--;
    *f->link = f->next;
    if (f->next)
        f->next->link = f->link;
    free(f);
}
