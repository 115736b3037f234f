/*
 * session_throttle: "not now, later" (429, or 503 with Retry-After) is said to all of us, and everybody waits. A server
 * that says it of one mailbox for ever, while it reads the others to us, means that mailbox: after a few such answers,
 * each with good answers about others since the one before, only that person is told to come later.
 *
 * The session remembers the last few whom it was said of. session.c asks here with every such answer.
 */
#include "base/clk.h"
#include "base/loop.h"
#include "inner.h"

/* So often it is everybody's, with good answers about others in between. */
#define TIMES_MAX 3

/* After so long without one it begins anew. */
#define FORGET_S 86400

static struct dav_throttled *slot_of(struct dav_session *s, uint64_t person);
static uint64_t person_of(const struct dav_query *q);

void dav_session_served(struct dav_session *s, const struct dav_query *q)
{
    struct dav_throttled *slot = slot_of(s, person_of(q));

    if (!slot) /* their first steps may well succeed: no sign that others are served */
        s->served++;
}

bool dav_session_throttles_one(struct dav_session *s, const struct dav_query *q)
{
    int64_t now = clk_wall_s(loop_clk(s->loop));
    uint64_t person = person_of(q);
    struct dav_throttled *slot = slot_of(s, person);

    if (!slot || now - slot->at > FORGET_S || now < slot->at) {
        if (!slot)
            slot = &s->throttled[s->throttled_next++ % DAV_THROTTLED];
        *slot = (struct dav_throttled){.person = person, .at = now, .served = s->served, .times = 1};
        return false;
    }
    if (s->served > slot->served && slot->times < TIMES_MAX)
        slot->times++;
    slot->at = now;
    slot->served = s->served;
    return slot->times >= TIMES_MAX;
}

static struct dav_throttled *slot_of(struct dav_session *s, uint64_t person)
{
    for (unsigned i = 0; i < DAV_THROTTLED; i++)
        if (s->throttled[i].times > 0 && s->throttled[i].person == person)
            return &s->throttled[i];
    return NULL;
}

/* FNV-1a. */
static uint64_t person_of(const struct dav_query *q)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (const char *p = q->question.address; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
    return hash;
}
