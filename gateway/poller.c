/*
 * poller: who is asked when; see poller.h. gateway.c owns it, reload and people.c tell it of servers and persons,
 * feed.c gets every answer.
 *
 * A person is in at most one queue of its server, or running, or nowhere. The wheel (poller_wheel.c) puts people whose
 * turn has come into DUE; `pump` starts questions from the queues, most urgent first, while the session has room. When
 * a whole server fails, its queues are told the reason in slices and gathered in MISSED; one question at a time probes
 * the server, and when it answers, MISSED is worked off at the server's pace, behind those whose turn it is.
 */
#include "poller.h"

#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "poller_private.h"

enum {
    CAPACITY_MIN = 16,
    NO_ROOM_MS = 10,          /* until a session without room is asked again, when no answer comes first */
    PROBE_MIN_MS = 1000,      /* between two probes of a failing server: doubled from here */
    PROBE_MAX_MS = 60000,     /* ... up to the interval, but at least 5 s and at most this */
    BACKOFF_MAX_MS = 1800000, /* between two questions about a person that keeps failing */
    DRAIN_SLICE = 500,
    RECENT_FROM_MS = 60000, /* with intervals from here on, a turn is left out that comes right after a refresh */
};

static struct poll_person *grow_to(struct gw_poller *p, uint32_t id);
static void join(struct gw_poller *p, uint32_t id, unsigned server);
static void part(struct gw_poller *p, uint32_t id);
static void pump_all(void *arg);
static void launch(struct poll_server *s, uint32_t id);
static void flight_done(void *arg, const struct dav_result *result);
static void flight_drop(struct poll_flight *f);
static void flight_cancel(struct gw_poller *p, uint32_t id);
static void go_first(struct gw_poller *p, uint32_t id);
static void settle(struct poll_server *s, uint32_t id, const struct dav_result *result);
static bool is_whole_server(struct poll_server *s, uint32_t id, const struct dav_cause *cause,
                            const struct dav_result *result);
static bool suspect(struct poll_server *s, uint32_t id, const char *code);
static void back_off(struct gw_poller *p, struct poll_person *person, const struct dav_result *result);
static void server_fails(struct poll_server *s, const char *code, const struct dav_result *result);
static int64_t probe_pause(struct poll_server *s, const struct dav_result *result);
static void server_answers(struct poll_server *s);
static void tell_missed(struct poll_server *s, uint32_t id);
static void drain_soon(struct poll_server *s);
static void drain(void *arg);
static void again(void *arg);

struct gw_poller *gw_poller_new(struct loop *loop, const struct gw_poller_ops *ops, void *arg, int64_t interval_ms,
                                uint32_t seed)
{
    struct gw_poller *p = mem_calloc(1, sizeof *p);
    *p = (struct gw_poller){.loop = loop, .ops = ops, .arg = arg, .interval_ms = interval_ms, .seed = seed};
    gw_poll_wheel_start(p);
    return p;
}

void gw_poller_free(struct gw_poller **poller)
{
    struct gw_poller *p = *poller;
    if (!p)
        return;
    gw_poll_refresh_free_all(p);
    for (uint32_t id = 0; id < p->capacity; id++)
        if (p->persons[id].used)
            gw_poller_remove(p, id);
    for (unsigned i = 0; i < p->server_capacity; i++)
        if (p->servers[i])
            gw_poller_server_remove(p, i);
    loop_undefer(p->loop, pump_all, p);
    loop_timer_free(&p->tick);
    free(p->servers);
    free(p->bulk);
    free(p->persons);
    free(p);
    *poller = NULL;
}

unsigned gw_poller_server_add(struct gw_poller *p, struct dav_session *session)
{
    unsigned number = 0;
    while (number < p->server_capacity && p->servers[number])
        number++;
    if (number == p->server_capacity) {
        p->server_capacity = number + 8;
        p->servers = mem_realloc(p->servers, p->server_capacity, sizeof *p->servers);
        memset(p->servers + number, 0, 8 * sizeof *p->servers);
    }
    struct poll_server *s = mem_calloc(1, sizeof *s);
    *s = (struct poll_server){.poller = p, .number = number, .session = session, .asked = !session};
    for (int q = 0; q < POLL_QUEUES; q++)
        s->queues[q] = (struct poll_list){.first = POLL_NOBODY, .last = POLL_NOBODY};
    s->again = loop_timer_new(p->loop, "poll-again", again, s);
    p->servers[number] = s;
    return number;
}

void gw_poller_server_session(struct gw_poller *p, unsigned server, struct dav_session *session)
{
    struct poll_server *s = p->servers[server];
    while (s->flights) {
        uint32_t id = s->flights->id;
        flight_cancel(p, id);
        gw_poll_enter(p, id, POLL_NEW);
    }
    gw_poll_bulk_restart(s);
    s->session = session;
    server_answers(s); /* nothing is known against the new one */
    s->suspects = 0;
    s->asked = false;
    gw_poll_pump_soon(p);
}

void gw_poller_server_remove(struct gw_poller *p, unsigned server)
{
    struct poll_server *s = p->servers[server];
    loop_undefer(p->loop, drain, s);
    loop_timer_free(&s->again);
    gw_poll_bulk_free(s);
    p->servers[server] = NULL;
    free(s);
}

void gw_poller_server_kick(struct gw_poller *p, unsigned server)
{
    struct poll_server *s = p->servers[server];
    if (!s->failing)
        return;
    s->probes = 0;
    loop_timer_in(s->again, 0);
}

void gw_poller_add(struct gw_poller *p, uint32_t id, unsigned server)
{
    struct poll_person *person = grow_to(p, id);
    *person = (struct poll_person){.used = 1};
    p->count++;
    gw_poll_wheel_grow(p);
    join(p, id, server);
}

void gw_poller_remove(struct gw_poller *p, uint32_t id)
{
    struct poll_person *person = &p->persons[id];
    gw_poll_refresh_orphan(p, id);
    part(p, id);
    person->used = 0;
    p->count--;
}

void gw_poller_move(struct gw_poller *p, uint32_t id, unsigned server)
{
    struct poll_person *person = &p->persons[id];
    part(p, id);
    person->fails = person->skip = 0;
    join(p, id, server);
}

bool gw_poller_person(const struct gw_poller *p, uint32_t id, struct gw_poller_person *ret)
{
    if (id >= p->capacity || !p->persons[id].used)
        return false;
    const struct poll_person *person = &p->persons[id];
    int64_t wall_s = clk_wall_s(loop_clk(p->loop)), mono_ms = clk_mono_ms(loop_clk(p->loop));
    int64_t next_ms = gw_poll_wheel_next_ms(p, id) + person->skip * p->interval_ms;
    bool waiting = person->queue != POLL_NOWHERE && person->queue != POLL_MISSED;
    *ret = (struct gw_poller_person){.server = person->server,
                                     .running = person->running,
                                     .waiting = waiting,
                                     .failures = person->fails,
                                     .last_asked_at = person->last_asked,
                                     .last_ok_at = person->last_ok};
    ret->next_poll_at = waiting || person->running ? wall_s : wall_s + (next_ms - mono_ms + 999) / 1000;
    gw_poll_bulk_state(p, id, ret);
    return true;
}

void gw_poller_server(const struct gw_poller *p, unsigned server, struct gw_poller_server *ret)
{
    const struct poll_server *s = p->servers[server];
    *ret = (struct gw_poller_server){
        .persons = s->persons, .running = s->running, .failing = s->failing, .asked = s->asked};
    ret->running += gw_poll_bulk_running(s);
    ret->waiting = gw_poll_bulk_waiting(s);
    for (int q = POLL_URGENT; q < POLL_QUEUES; q++)
        ret->waiting += s->queues[q].count;
}

void gw_poll_visit(struct gw_poller *p, uint32_t id)
{
    struct poll_person *person = &p->persons[id];
    struct poll_server *s = p->servers[person->server];
    if (!person->alone || person->running || person->queue == POLL_URGENT || person->queue == POLL_HINTED ||
        person->queue == POLL_FIRST)
        return;
    if (person->skip > 0) {
        person->skip--;
        return;
    }
    int64_t since_ms = ((int64_t)gw_poll_now_s(p) - person->last_asked) * 1000;
    bool recent = since_ms >= 0 && since_ms < p->interval_ms / 4;
    if (recent && p->interval_ms >= RECENT_FROM_MS && person->queue == POLL_NOWHERE && !s->failing)
        return;
    enum gw_rank rank = gw_poll_rank(p, id);
    if (rank == GW_RANK_NOT)
        return;
    if (!s->failing) {
        enum poll_queue queue = rank == GW_RANK_FIRST ? POLL_FIRST : rank == GW_RANK_SOON ? POLL_SOON : POLL_DUE;
        if (queue < person->queue || (person->queue != POLL_SOON && person->queue != POLL_DUE))
            gw_poll_enter(p, id, queue); /* else it has been waiting there for a whole interval, and keeps its place */
        gw_poll_pump(s);
        return;
    }
    tell_missed(s, id);
    if (s->running == 0 && !loop_timer_armed(s->again))
        loop_timer_in(s->again, PROBE_MIN_MS);
}

void gw_poll_urgent(struct gw_poller *p, uint32_t id)
{
    gw_poll_bulk_refresh(p, id);
    gw_poll_pump_soon(p);
    if (p->persons[id].running || !p->persons[id].alone)
        return; /* when its answer has come */
    go_first(p, id);
}

static void go_first(struct gw_poller *p, uint32_t id)
{
    p->persons[id].skip = 0;
    gw_poll_enter(p, id, POLL_URGENT);
}

uint32_t gw_poll_now_s(const struct gw_poller *p)
{
    int64_t s = clk_wall_s(loop_clk(p->loop));
    return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static struct poll_person *grow_to(struct gw_poller *p, uint32_t id)
{
    if (id >= p->capacity) {
        uint32_t capacity = p->capacity ? p->capacity : CAPACITY_MIN;
        while (capacity <= id && capacity < UINT32_MAX / 2)
            capacity *= 2;
        p->persons = mem_realloc(p->persons, capacity, sizeof *p->persons);
        memset(p->persons + p->capacity, 0, (capacity - p->capacity) * sizeof *p->persons);
        p->capacity = capacity;
    }
    return &p->persons[id];
}

/* A server's people, each asked about in its way. */
static void join(struct gw_poller *p, uint32_t id, unsigned server)
{
    struct poll_person *person = &p->persons[id];
    struct poll_server *s = p->servers[server];
    unsigned ways = p->ops->ways ? p->ops->ways(p->arg, id) : GW_POLLER_ALONE;
    if (!s->session) { /* nobody to ask */
        person->server = (uint16_t)server;
        person->alone = 0;
        s->persons++;
        return;
    }
    bool together = (ways & GW_POLLER_BATCH) && p->ops->batch_size(s->session) > 0;
    person->server = (uint16_t)server;
    person->alone = (ways & GW_POLLER_ALONE) || !together;
    s->persons++;
    s->alone += person->alone;
    if (together)
        gw_poll_bulk_add(p, id);
    if (person->alone)
        gw_poll_enter(p, id, POLL_NEW);
    gw_poll_pump_soon(p);
}

static void part(struct gw_poller *p, uint32_t id)
{
    struct poll_server *s = p->servers[p->persons[id].server];
    flight_cancel(p, id);
    gw_poll_leave(p, id);
    gw_poll_bulk_remove(p, id);
    s->persons--;
    s->alone -= p->persons[id].alone;
}

void gw_poll_pump_soon(struct gw_poller *p)
{
    if (p->pumping)
        return;
    p->pumping = true;
    loop_defer(p->loop, pump_all, p);
}

static void pump_all(void *arg)
{
    struct gw_poller *p = arg;
    p->pumping = false;
    for (unsigned i = 0; i < p->server_capacity; i++)
        if (p->servers[i])
            gw_poll_pump(p->servers[i]);
}

void gw_poll_pump(struct poll_server *s)
{
    const struct gw_poller_ops *ops = s->poller->ops;
    bool more;
    if (s->failing) {
        uint32_t urgent = s->queues[POLL_URGENT].first;
        if (urgent != POLL_NOBODY && s->running == 0)
            launch(s, urgent); /* an administrator wants to know: this is a probe, too */
        drain_soon(s);
        return;
    }
    more = gw_poll_bulk_pump(s); /* first: one of these is worth a hundred of the others */
    for (uint32_t id; (id = gw_poll_next(s)) != POLL_NOBODY && ops->room(s->session) > 0;)
        launch(s, id);
    if ((more || gw_poll_any_waiting(s)) && !loop_timer_armed(s->again))
        loop_timer_in(s->again, NO_ROOM_MS);
}

static void launch(struct poll_server *s, uint32_t id)
{
    struct gw_poller *p = s->poller;
    struct poll_flight *f = mem_calloc(1, sizeof *f);
    struct dav_question question = {.address = NULL};
    enum poll_queue queue = (enum poll_queue)p->persons[id].queue;
    gw_poll_leave(p, id);
    gw_poll_refresh_asked(p, id);
    p->persons[id].running = 1;
    p->persons[id].last_asked = gw_poll_now_s(p);
    *f = (struct poll_flight){.server = s, .id = id, .next = s->flights, .link = &s->flights};
    if (f->next)
        f->next->link = &f->next;
    s->flights = f;
    s->running++;
    bool by_name = queue == POLL_URGENT;
    (by_name && p->ops->refresh_question ? p->ops->refresh_question : p->ops->question)(p->arg, id, &question);
    question.held = question.held && !by_name; /* who asks by name wants it from the source */
    bool due = queue == POLL_FIRST || queue == POLL_SOON || queue == POLL_DUE;
    s->turn += due;
    question.fresh_s = due ? p->interval_ms / 2000 : 0;
    f->query = p->ops->start(s->session, &question, flight_done, f);
}

static void flight_done(void *arg, const struct dav_result *result)
{
    struct poll_flight *f = arg;
    struct poll_server *s = f->server;
    uint32_t id = f->id;
    flight_drop(f);
    if (result->err == DAV_CANCELLED) /* nobody but us cancels, and then there is no answer */
        gw_poll_enter(s->poller, id, POLL_NEW);
    else
        settle(s, id, result);
}

static void flight_drop(struct poll_flight *f)
{
    f->server->running--;
    f->server->poller->persons[f->id].running = 0;
    *f->link = f->next;
    if (f->next)
        f->next->link = f->link;
    free(f);
}

/* A server has as many of them as connections: a list is enough. */
static void flight_cancel(struct gw_poller *p, uint32_t id)
{
    if (!p->persons[id].running)
        return;
    struct poll_flight *f = p->servers[p->persons[id].server]->flights;
    while (f->id != id)
        f = f->next;
    p->ops->cancel(&f->query);
    flight_drop(f);
}

/* The one place where an answer has its consequences. */
static void settle(struct poll_server *s, uint32_t id, const struct dav_result *result)
{
    struct gw_poller *p = s->poller;
    struct poll_person *person = &p->persons[id];
    const struct dav_cause *cause = result->code ? dav_cause_find(result->code) : NULL;
    bool ok = result->err == DAV_OK;
    bool whole_server = !ok && is_whole_server(s, id, cause, result);
    unsigned number = s->number;
    s->asked = true;
    if (ok) {
        s->suspects = 0;
        person->last_ok = gw_poll_now_s(p);
        person->fails = 0;
    } else if (!whole_server) {
        back_off(p, person, result);
    }
    p->ops->answer(p->arg, id, result);
    bool again = !whole_server && (result->unchanged ? gw_poll_refresh_waits(p, id) : gw_poll_refresh_late(p, id));
    bool hinted = person->hinted;
    person->hinted = 0;
    if (again)
        go_first(p, id);
    else if (hinted)
        gw_poller_hint(p, id);
    if (whole_server) {
        gw_poll_enter(p, id, POLL_MISSED);
        server_fails(s, cause ? cause->code : dav_err_name(result->err), result);
    } else {
        server_answers(s);
    }
    bool known = ok || (!whole_server && gw_poll_bulk_knows(p, id));
    if (!again || !result->unchanged)
        gw_poll_refresh_answer(p, id, known ? DAV_OK : result->err, known ? NULL : result->code, whole_server);
    if (number < p->server_capacity && p->servers[number]) /* a callback may have done anything */
        gw_poll_pump(p->servers[number]);
}

/*
 * What an error in the answer about many means is left to the answers about single people, where there are such: the
 * directory of published free/busy may have troubles of its own. Where there are none, several such answers in a row
 * must have the same error, unless nothing could be asked: one may be about somebody whom the server does not survive.
 */
void gw_poll_verdict(struct poll_server *s, const struct dav_result *whole, uint32_t first)
{
    const struct dav_cause *cause = whole->code ? dav_cause_find(whole->code) : NULL;
    bool whole_server = cause ? cause->whole_server : whole->err == DAV_AUTH || whole->err == DAV_NETWORK;
    bool at_once = whole->err == DAV_AUTH || whole->retry_after_s > 0 || whole->requests == 0 ||
                   (cause && cause->step <= DAV_STEP_TLS && strcmp(cause->code, "tcp-reset") != 0);
    s->asked = true;
    if (whole->err == DAV_OK && s->alone == 0)
        s->suspects = 0;
    if (whole->err == DAV_OK || !whole_server)
        server_answers(s);
    else if (at_once || s->failing ||
             (s->alone == 0 && suspect(s, first, cause ? cause->code : dav_err_name(whole->err))))
        server_fails(s, cause ? cause->code : dav_err_name(whole->err), whole);
}

/*
 * Does this failure concern everybody on the server? A refused account, a server that says when to come back, or a
 * session that did not even ask, at once. Others, such as a connection that was cut, or error 500, may be one mailbox's
 * doing and would hold up everybody else's turn: several people in a row must have the same one.
 */
static bool is_whole_server(struct poll_server *s, uint32_t id, const struct dav_cause *cause,
                            const struct dav_result *result)
{
    bool whole_server = cause ? cause->whole_server : result->err == DAV_AUTH || result->err == DAV_NETWORK;
    bool at_once = result->err == DAV_AUTH || result->retry_after_s > 0 || result->requests == 0;
    bool in_a_row = whole_server && suspect(s, id, cause ? cause->code : dav_err_name(result->err));
    if (!whole_server)
        s->suspects = 0;
    return whole_server && (s->failing || in_a_row || at_once);
}

/* Counts a failure that may be everybody's. True: there were enough. Who is alone on a server is everybody. */
static bool suspect(struct poll_server *s, uint32_t id, const char *code)
{
    size_t enough = s->persons < POLL_SUSPECTS ? s->persons : POLL_SUSPECTS;
    bool again = false;
    if (!s->suspected || strcmp(s->suspected, code) != 0)
        s->suspects = 0;
    s->suspected = code;
    for (unsigned i = 0; i < s->suspects; i++)
        again = again || s->suspect[i] == id;
    if (!again && s->suspects < POLL_SUSPECTS)
        s->suspect[s->suspects++] = id;
    return s->suspects >= enough && (again || enough > 1);
}

/* Once more in the next turn, then after 1, 3, 7 ... turns left out. */
static void back_off(struct gw_poller *p, struct poll_person *person, const struct dav_result *result)
{
    int64_t most = BACKOFF_MAX_MS / p->interval_ms;
    int64_t skip = person->fails < 5 ? ((int64_t)1 << person->fails) - 1 : 31;
    int64_t told = result->retry_after_s > 0 ? result->retry_after_s * 1000 / p->interval_ms : 0;
    if (skip > most)
        skip = most;
    if (skip < told)
        skip = told > 200 ? 200 : told;
    person->skip = (uint8_t)skip;
    if (person->fails < UINT8_MAX)
        person->fails++;
}

static void server_fails(struct poll_server *s, const char *code, const struct dav_result *result)
{
    struct gw_poller *p = s->poller;
    bool news = s->failing != code;
    if (!s->failing) {
        s->failing = code;
        s->probes = 0;
        loop_timer_stop(s->again); /* it waited for room */
    }
    s->failing = code;
    if (!loop_timer_armed(s->again)) { /* else this one was on its way already when the first failed */
        int64_t wait = probe_pause(s, result);
        loop_timer_in(s->again, wait + (int64_t)(gw_poll_random(p) % (uint64_t)(wait / 8 + 1)));
    }
    if (news)
        p->ops->server(p->arg, s->number, code);
    drain_soon(s);
}

static int64_t probe_pause(struct poll_server *s, const struct dav_result *result)
{
    int64_t interval = s->poller->interval_ms;
    int64_t most = interval < 5000 ? 5000 : interval > PROBE_MAX_MS ? PROBE_MAX_MS : interval;
    int64_t pause = s->probes < 16 ? (int64_t)PROBE_MIN_MS << s->probes : most;
    if (result->requests == 0) /* the session holds back by itself and answered without asking: that cost nothing */
        pause = PROBE_MIN_MS;
    else
        s->probes++;
    if (pause > most)
        pause = most;
    return pause < result->retry_after_s * 1000 ? result->retry_after_s * 1000 : pause;
}

static void server_answers(struct poll_server *s)
{
    if (!s->failing)
        return;
    s->failing = NULL;
    s->probes = 0;
    loop_timer_stop(s->again);
    s->poller->ops->server(s->poller->arg, s->number, NULL);
    gw_poll_bulk_resume(s);
}

/* Nobody is asked, but the person learns why. */
static void tell_missed(struct poll_server *s, uint32_t id)
{
    struct gw_poller *p = s->poller;
    const struct dav_cause *cause = dav_cause_find(s->failing);
    struct dav_result result = {.err = cause ? cause->err : DAV_NETWORK, .code = s->failing, .as_of = gw_poll_now_s(p)};
    gw_poll_enter(p, id, POLL_MISSED);
    p->ops->answer(p->arg, id, &result);
}

static void drain_soon(struct poll_server *s)
{
    if (gw_poll_first_untold(s) == POLL_NOBODY || s->draining)
        return;
    s->draining = true;
    loop_defer(s->poller->loop, drain, s);
}

static void drain(void *arg)
{
    struct poll_server *s = arg;
    s->draining = false;
    for (int i = 0; s->failing && i < DRAIN_SLICE; i++) {
        uint32_t id = gw_poll_first_untold(s);
        if (id == POLL_NOBODY)
            return;
        tell_missed(s, id);
    }
    if (s->failing)
        drain_soon(s);
    else
        gw_poll_pump(s);
}

/* The session may have room again, or it is time to see whether the server is well again. */
static void again(void *arg)
{
    struct poll_server *s = arg;
    if (!s->failing)
        gw_poll_pump(s);
    else if (s->running > 0 || gw_poll_bulk_running(s) > 0)
        loop_timer_in(s->again, PROBE_MIN_MS);
    else if (gw_poll_any_waiting(s))
        launch(s, gw_poll_head(s));
    else
        gw_poll_bulk_probe(s);
}
