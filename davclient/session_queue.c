/*
 * session_queue: who goes next. Queries wait in the order of their coming; one that has its first answer and needs
 * another goes ahead of those that have not begun, so that what was begun gets done.
 *
 * The pump runs from the loop only, never inside a caller's dav_query_start(): callbacks may come from it.
 */
#include "inner.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"

#define SHOWN_TOGETHER_MAX 3
#define KEEPS_UP_WITHIN_MS 1000
#define JUDGED_WITHIN_MS 1000

static struct dav_query_list *list_of(struct dav_session *s, enum dav_query_state state);
static void give_bad_news(struct dav_session *s);
static void launch_waiting(struct dav_session *s);
static bool has_place(struct dav_session *s);
static void note_backlog(struct dav_session *s);
static void on_wake(void *session);

/* Where a query may go from where. */
static const unsigned edges[DAV_QUERY_STATES] = {
    [DAV_QUERY_WAITING] = 1U << DAV_QUERY_FLYING | 1U << DAV_QUERY_DOOMED | 1U << DAV_QUERY_ENDED,
    [DAV_QUERY_FLYING] =
        1U << DAV_QUERY_WAITING | 1U << DAV_QUERY_DOUBTFUL | 1U << DAV_QUERY_ABROAD | 1U << DAV_QUERY_DOOMED |
        1U << DAV_QUERY_ENDED,
    [DAV_QUERY_DOUBTFUL] = 1U << DAV_QUERY_WAITING | 1U << DAV_QUERY_DOOMED | 1U << DAV_QUERY_ENDED,
    [DAV_QUERY_ABROAD] = 1U << DAV_QUERY_WAITING | 1U << DAV_QUERY_ENDED,
    [DAV_QUERY_DOOMED] = 1U << DAV_QUERY_ENDED,
    [DAV_QUERY_ENDED] = 0,
};

/* A new query joins. */
void dav_session_join(struct dav_session *s, struct dav_query *q)
{
    int64_t now = clk_mono_ms(loop_clk(s->loop));

    q->due_ms = now + DAV_QUERY_TOTAL_MS;
    TAILQ_INSERT_TAIL(&s->all, q, in_all);
    TAILQ_INSERT_TAIL(&s->waiting, q, entry);
    s->waiting_count++;
    if (!loop_timer_armed(s->deadline))
        loop_timer_in(s->deadline, DAV_QUERY_TOTAL_MS);
    dav_session_wake(s);
}

/* The only place where a query's state changes. */
void dav_session_put(struct dav_session *s, struct dav_query *q, enum dav_query_state state)
{
    bool allowed = edges[q->state] & 1U << state;

    assert(allowed);
    if (!allowed)
        log_error("dav", "[%u] srv=%s query went from %d to %d", s->id, s->account.name, (int)q->state, (int)state);
    TAILQ_REMOVE(list_of(s, q->state), q, entry);
    s->waiting_count -= q->state == DAV_QUERY_WAITING;
    s->flying_count -= q->state == DAV_QUERY_FLYING;
    q->state = state;
    s->waiting_count += state == DAV_QUERY_WAITING;
    s->flying_count += state == DAV_QUERY_FLYING;
    if (state == DAV_QUERY_FLYING)
        q->flew_ms = clk_mono_ms(loop_clk(s->loop));
    if (state == DAV_QUERY_WAITING && !q->ask.behind)
        TAILQ_INSERT_HEAD(&s->waiting, q, entry); /* it was under way already */
    else if (state == DAV_QUERY_WAITING)
        TAILQ_INSERT_TAIL(&s->waiting, q, entry);
    else if (state != DAV_QUERY_ENDED)
        TAILQ_INSERT_TAIL(list_of(s, state), q, entry);
    else
        TAILQ_REMOVE(&s->all, q, in_all);
}

void dav_session_wake(struct dav_session *s)
{
    if (s->woken || s->state == DAV_SESSION_CLOSED)
        return;
    s->woken = true;
    loop_defer(s->loop, on_wake, s);
}

void dav_session_sleep(struct dav_session *s)
{
    loop_undefer(s->loop, on_wake, s);
}

void dav_session_pump(struct dav_session *s)
{
    switch (s->state) {
    case DAV_SESSION_NEW:
        if (!TAILQ_EMPTY(&s->waiting))
            dav_session_enter(s, DAV_SESSION_PROBING, "a question");
        break;
    case DAV_SESSION_READY:
        launch_waiting(s);
        break;
    case DAV_SESSION_DOUBT:
        dav_session_settle_doubt(s);
        break;
    case DAV_SESSION_BACKING_OFF:
    case DAV_SESSION_UNREACHABLE:
    case DAV_SESSION_REFUSED:
        dav_session_doom(s);
        break;
    case DAV_SESSION_PROBING:
    case DAV_SESSION_LOGGING_ON:
    case DAV_SESSION_CLOSED:
        break;
    }
    give_bad_news(s);
}

void dav_session_doom(struct dav_session *s)
{
    int64_t left = s->retry_at - clk_wall_s(loop_clk(s->loop));
    struct dav_query *q;

    while ((q = TAILQ_FIRST(&s->doubtful)) || (q = TAILQ_FIRST(&s->waiting))) {
        q->code = s->cause ? s->cause->code : "http-server-error";
        snprintf(q->evidence, sizeof(q->evidence), "%s", s->evidence);
        if (s->retry_at && left > q->retry_after_s)
            q->retry_after_s = left;
        dav_session_put(s, q, DAV_QUERY_DOOMED);
        dav_session_wake(s);
    }
}

void dav_session_on_deadline(void *session)
{
    struct dav_session *s = session;
    int64_t now = clk_mono_ms(loop_clk(s->loop));
    struct dav_query *q;

    while (s->state != DAV_SESSION_CLOSED && (q = TAILQ_FIRST(&s->all)) && q->due_ms <= now) {
        bool asked = q->state == DAV_QUERY_FLYING || q->state == DAV_QUERY_DOUBTFUL || q->state == DAV_QUERY_ABROAD;

        if (q->state == DAV_QUERY_DOOMED)
            dav_query_end(q, q->code, q->evidence);
        else
            dav_query_end(q, asked ? "answer-timeout" : "waited-too-long",
                          asked ? "no answer within 120 s" : "120 s in the queue");
    }
    if (s->state == DAV_SESSION_CLOSED)
        return;
    q = TAILQ_FIRST(&s->all);
    if (q)
        loop_timer_in(s->deadline, q->due_ms - now);
    dav_session_pump(s);
}

static struct dav_query_list *list_of(struct dav_session *s, enum dav_query_state state)
{
    switch (state) {
    case DAV_QUERY_WAITING:
        return &s->waiting;
    case DAV_QUERY_FLYING:
        return &s->flying;
    case DAV_QUERY_DOUBTFUL:
        return &s->doubtful;
    case DAV_QUERY_ABROAD:
        return &s->abroad;
    case DAV_QUERY_DOOMED:
    case DAV_QUERY_ENDED:
        break;
    }
    return &s->doomed;
}

/* Callbacks may bring new questions; those wait for another turn, or somebody who asks again at once would keep us here
 * for ever. */
static void give_bad_news(struct dav_session *s)
{
    struct dav_query *q;

    while (s->state != DAV_SESSION_CLOSED && (q = TAILQ_FIRST(&s->doomed)))
        dav_query_end(q, q->code, q->evidence);
}

static void launch_waiting(struct dav_session *s)
{
    struct dav_query *q;

    while (s->state == DAV_SESSION_READY && (q = TAILQ_FIRST(&s->waiting)) && !s->crowded && has_place(s)) {
        int64_t wait = dav_pace_wait_ms(&s->pace, clk_mono_ms(loop_clk(s->loop)));

        if (s->flying_count > 0 && (q->suspect || TAILQ_FIRST(&s->flying)->suspect))
            return; /* that one goes alone */
        if (wait > 0) {
            loop_timer_in(s->pace_timer, wait);
            s->backlog_since_ms = 0;
            return;
        }
        dav_query_launch(q);
    }
    note_backlog(s);
}

/*
 * An account that nobody has accepted yet is shown once at a time: eight at once would be eight refusals. Where each
 * request shows the password, that stays so, because one that dies is refused as often as it is in the air. Who was not
 * refused within a second has been let in, and no longer counts: servers look at the password before they do the work.
 */
static bool has_place(struct dav_session *s)
{
    int64_t now = clk_mono_ms(loop_clk(s->loop)), oldest = now;
    unsigned unjudged = 0;
    struct dav_query *q;

    if (s->flying_count >= (s->accepted ? s->account.max_connections : 1))
        return false;
    if (!s->shows_each)
        return true;
    TAILQ_FOREACH_REVERSE(q, &s->flying, dav_query_list, entry)
    {
        if (now - q->flew_ms >= JUDGED_WITHIN_MS)
            break;
        oldest = q->flew_ms;
        unjudged++;
    }
    if (unjudged < (s->account.basic_together ? s->account.basic_together : s->shown_beside + 1))
        return true;
    loop_timer_in(s->pace_timer, oldest + JUDGED_WITHIN_MS - now);
    return false;
}

/* When one at a time does not keep up with the questions, there are a few more: fewer than any account is locked for.
 */
static void note_backlog(struct dav_session *s)
{
    int64_t now = clk_mono_ms(loop_clk(s->loop));

    if (TAILQ_EMPTY(&s->waiting) || s->state != DAV_SESSION_READY) {
        s->shown_beside = 0;
        s->backlog_since_ms = 0;
    } else if (s->backlog_since_ms == 0) {
        s->backlog_since_ms = now + 1; /* 0 is "none" */
    } else if (now - s->backlog_since_ms >= KEEPS_UP_WITHIN_MS && s->shown_beside + 1 < SHOWN_TOGETHER_MAX) {
        s->shown_beside++;
        s->backlog_since_ms = now;
        dav_session_wake(s);
    }
}

static void on_wake(void *session)
{
    struct dav_session *s = session;

    s->woken = false;
    dav_session_pump(s);
}
