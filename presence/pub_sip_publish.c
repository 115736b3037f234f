/*
 * pub_sip_publish: the life of one publication (RFC 3903): initial, changed, refreshed, removed, and what each answer
 * means for it. pub_sip.c calls it for each delivery; timers bring it back by way of the publisher, whose rate so holds
 * for refreshes, too.
 *
 * Every request carries the whole document: Kamailio in memory mode loses it at a refresh without. It is asked for only
 * as long as the state lasts (and a little), so that a gateway that died shows nobody busy after the meeting.
 *
 * Ghosts: when the server has forgotten our tag because we do not know the newest (an answer was lost, or we were
 * killed before it was kept), it still shows that older state beside the one that we publish now, until it ends.
 * Nothing can remove it; but when it has gone we publish again, for some servers then show nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "presence/viewer.h"
#include "pub_sip.h"
#include "pub_text.h"

enum {
    LEAST_S = 60,
    LINGER_S = 30,      /* behind the end of a state */
    MOST_MIN_S = 86400, /* Min-Expires that we believe */
    RETRY_MS = 15000,
    RETRY_MAX_MS = 600000,
    HOUR_MS = 3600000,
    PAUSE_MAX_S = 3600,
    REPEATS_MAX = 3,
};

static bool transmit(struct publication *p, const char *body, size_t body_len, int64_t expires_s);
static const struct pres_sip_path *path_for(struct publication *p, size_t size);
static void on_done(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);
static void on_answer(struct publication *p, const struct pres_sip_message *answer);
static void on_taken(struct publication *p, const struct pres_sip_message *answer);
static void on_removed(struct publication *p);
static bool send_anew(struct publication *p);
static void tag_unknown(struct publication *p);
static void refused(struct publication *p, const struct pres_sip_message *answer);
static void try_later(struct publication *p);
static void pause_all(struct pub_sip *x, int64_t seconds);
static void rest(struct publication *p, int64_t ms);
static void on_timer(void *arg);
static void bring(struct publication *p);
static void schedule(struct publication *p, int64_t granted_s);
static int64_t wall_s(const struct pub_sip *x);
static int64_t mono_ms(const struct pub_sip *x);
static int64_t jitter(int64_t ms);

struct publication *pres_pub_sip_get(struct pub_sip *x, const char *aor, const char *address)
{
    struct publication *p = map_get(x->publications, aor);
    if (p)
        return p;
    size_t len = strlen(aor) + 1;
    p = mem_calloc(1, sizeof *p + len);
    memcpy(p->aor, aor, len);
    p->outlet = x;
    p->id = PRES_NOBODY;
    p->address = mem_strdup(address);
    p->timer = loop_timer_new(x->loop, "sip publication", on_timer, p);
    map_put(x->publications, p->aor, p);
    return p;
}

void pres_pub_sip_forget(struct publication *p)
{
    pres_sip_call_cancel(&p->call);
    p->outlet->going -= p->going;
    map_del(p->outlet->publications, p->aor);
    loop_timer_free(&p->timer);
    free(p->address);
    free(p->tag);
    free(p);
}

void pres_pub_sip_cancel(struct publication *p)
{
    if (p->call)
        p->doubtful = true;
    pres_sip_call_cancel(&p->call);
}

bool pres_pub_sip_room(const struct pub_sip *x)
{
    return x->up && !loop_timer_armed(x->pause_timer) && pres_sip_client_waiting(x->client) < x->window;
}

bool pres_pub_sip_publish(struct publication *p, const struct pres_presence *now)
{
    struct pub_sip *x = p->outlet;
    int64_t expires_s = x->expires_s, wall = wall_s(x);
    if (now->until > 0 && now->until != PRES_NEVER && now->until - wall + LINGER_S < expires_s)
        expires_s = now->until - wall + LINGER_S;
    if (expires_s < LEAST_S)
        expires_s = LEAST_S;
    if (expires_s < p->min_s)
        expires_s = p->min_s;
    buf_reset(&x->body);
    p->telling = pres_text_hash(now);
    p->changed = false;
    struct pres_seen *seen = pres_viewer_known(pres_publisher_viewer(x->publisher), NULL, p->id);
    bool good = pres_sip_doc_write(&x->doc, seen ? &seen->known : NULL, now, p->aor, wall, p->brief, &x->body);
    pres_seen_free(&seen);
    return good && transmit(p, x->body.data, x->body.len, expires_s);
}

void pres_pub_sip_go(struct publication *p)
{
    if (p->going)
        return;
    p->going = true;
    p->outlet->going++;
}

void pres_pub_sip_remove_going(struct pub_sip *x)
{
    for (size_t seen = 0, count = map_count(x->publications); x->going > 0 && seen <= count && pres_pub_sip_room(x);
         seen++) {
        struct publication *p = map_next(x->publications, &x->going_at);
        if (!p)
            x->going_at = 0;
        else if (p->going && !p->call && !p->tag)
            pres_pub_sip_forget(p);
        else if (p->going && !p->call && (x->leaving || mono_ms(x) >= p->not_before)) {
            if (!transmit(p, "", 0, 0))
                return;
            pres_publisher_spent(x->publisher, 1);
        }
    }
}

void pres_pub_sip_head(struct buf *out, const char *aor, const char *event)
{
    uint64_t random = crypto_random_u64();
    buf_addf(out, "From: <%s>;tag=%08" PRIx64 "\r\nTo: <%s>\r\nCall-ID: %016" PRIx64 "-fb\r\n", aor, random >> 32, aor,
             crypto_random_u64());
    buf_addf(out, "Event: %s\r\nUser-Agent: freebusyd/%s\r\n", event, FB_VERSION);
}

static bool transmit(struct publication *p, const char *body, size_t body_len, int64_t expires_s)
{
    struct pub_sip *x = p->outlet;
    struct buf head;
    buf_init(&head, 8192);
    pres_pub_sip_head(&head, p->aor, "presence");
    buf_addf(&head, "Expires: %lld\r\n", (long long)expires_s);
    if (p->tag)
        buf_addf(&head, "SIP-If-Match: %s\r\n", p->tag);
    if (body_len > 0)
        buf_adds(&head, "Content-Type: application/pidf+xml\r\n");
    struct pres_sip_request r = {
        .method = "PUBLISH", .uri = p->aor, .cseq = 1, .rest = head.data, .body = body, .body_len = body_len};
    const struct pres_sip_path *path = path_for(p, head.len + body_len);
    p->asked_s = expires_s;
    p->call = head.failed ? NULL : pres_sip_client_send(x->client, path, &r, on_done, p);
    buf_free(&head);
    if (p->call)
        p->due = false;
    return p->call != NULL;
}

/* RFC 3261 18.1.1: what does not fit a datagram goes over TCP, if the server takes that. */
static const struct pres_sip_path *path_for(struct publication *p, size_t size)
{
    enum { START_AND_DIGEST = 300 };
    struct pub_sip *x = p->outlet;
    char host[UDP_TEXT_MAX];
    p->by_tcp = x->path.transport == PRES_SIP_UDP && size + START_AND_DIGEST > PUB_SIP_MTU &&
                mono_ms(x) >= x->large_refused_until;
    if (!p->by_tcp)
        return &x->path;
    if (!pres_sip_net_alive(x->net, x->large.connection)) {
        x->large.transport = PRES_SIP_TCP;
        x->large.connection =
            pres_sip_net_connect(x->net, udp_peer_host(&x->path.peer, host), udp_peer_port(&x->path.peer), NULL, NULL);
    }
    return &x->large;
}

static void on_done(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct publication *p = arg;
    struct pub_sip *x = p->outlet;
    p->call = NULL;
    if (answer)
        x->heard_at = mono_ms(x);
    switch (end) {
    case PRES_SIP_ANSWERED:
        on_answer(p, answer);
        break;
    case PRES_SIP_UNKNOWN_US:
        pres_pub_sip_down(x, "sip-not-authorized",
                          x->account.password ? "the server does not take our name and password"
                                              : "the server asks for a password",
                          true);
        return;
    case PRES_SIP_TIMEOUT:
        p->doubtful = true;
        if (mono_ms(x) - x->heard_at >= PRES_SIP_TIMEOUT_MS) {
            pres_pub_sip_down(x, "sip-timeout", "the server does not answer", false);
            return;
        }
        try_later(p);
        break;
    case PRES_SIP_LOST:
        p->doubtful = true;
        bring(p);
        break;
    }
    if (x->up && x->going > 0)
        pres_pub_sip_remove_going(x);
    if (x->up) /* there is room for one more */
        pres_publisher_room(x->publisher);
}

static void on_answer(struct publication *p, const struct pres_sip_message *a)
{
    struct pub_sip *x = p->outlet;
    int64_t least = pres_sip_number(a, "Min-Expires"), after = pres_sip_number(a, "Retry-After");
    if (a->status < 300)
        on_taken(p, a);
    else if (p->going && (a->status < 500 || x->leaving))
        on_removed(p); /* what is not there need not be removed */
    else if ((a->status == 412 || a->status == 500) && p->tag)
        tag_unknown(p);
    else if (a->status == 423 && least > p->asked_s && least <= MOST_MIN_S && send_anew(p))
        p->min_s = least;
    else if ((a->status == 413 || a->status == 513) && !p->brief && send_anew(p))
        p->brief = true;
    else if (a->status == 489 || a->status == 405 || a->status == 501)
        pres_pub_sip_down(x, "sip-no-presence", "the server takes no publications of presence", true);
    else if (a->status == 503 || (a->status > 500 && after > 0)) {
        pause_all(x, after);
        bring(p);
    } else if (a->status >= 500 || a->status == 408 || a->status == 491)
        try_later(p);
    else
        refused(p, a);
}

static void on_taken(struct publication *p, const struct pres_sip_message *a)
{
    struct pub_sip *x = p->outlet;
    const char *tag = pres_sip_head_get(&a->head, "SIP-ETag");
    int64_t granted = pres_sip_number(a, "Expires");
    if (p->going) {
        on_removed(p);
        return;
    }
    x->refreshed += p->tag != NULL && p->told == p->telling;
    free(p->tag);
    p->tag = tag && tag[0] && !strpbrk(tag, " \t") ? mem_strdup(tag) : NULL;
    granted = granted > 0 ? granted : p->asked_s;
    p->ends_at = wall_s(x) + granted;
    p->told = p->telling;
    p->doubtful = false;
    p->failures = p->repeats = 0;
    p->not_before = 0;
    pres_pub_sip_keep(p);
    schedule(p, granted);
    if (p->changed)
        bring(p);
}

static void on_removed(struct publication *p)
{
    free(p->tag);
    p->tag = NULL;
    pres_pub_sip_keep(p);
    pres_pub_sip_forget(p);
}

/* At once, in a turn of its own; false: that has been tried often enough. */
static bool send_anew(struct publication *p)
{
    if (++p->repeats > REPEATS_MAX)
        return false;
    bring(p);
    return true;
}

/* Kamailio says 500 of a tag that it cannot have made. */
static void tag_unknown(struct publication *p)
{
    struct pub_sip *x = p->outlet;
    x->conflicts++;
    if (p->doubtful) {
        x->ghosts++;
        p->ghost_until = wall_s(x) + x->expires_s; /* at the latest */
    }
    free(p->tag);
    p->tag = NULL;
    p->told = 0;
    p->doubtful = false;
    pres_pub_sip_keep(p);
    if (!send_anew(p))
        try_later(p);
}

static void refused(struct publication *p, const struct pres_sip_message *a)
{
    struct pub_sip *x = p->outlet;
    char text[100];
    x->refused++;
    if (p->failures++ == 0)
        log_warning("sip", "publishing %s is refused status=%u reason=\"%s\"", p->aor, a->status,
                    str_printable(a->reason, strlen(a->reason), text, sizeof text));
    rest(p, HOUR_MS);
}

static void try_later(struct publication *p)
{
    int64_t ms = RETRY_MS;
    for (unsigned i = 0; i < p->failures && ms < RETRY_MAX_MS; i++)
        ms *= 2;
    p->failures++;
    rest(p, jitter(ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS));
}

/* -1: the server did not say how long. */
static void pause_all(struct pub_sip *x, int64_t seconds)
{
    int64_t s = seconds < 0 ? 30 : seconds < 1 ? 1 : seconds > PAUSE_MAX_S ? PAUSE_MAX_S : seconds;
    if (loop_timer_armed(x->pause_timer))
        return;
    x->pauses++;
    log_notice("sip", "the server wants to be left alone for s=%lld", (long long)s);
    loop_timer_in(x->pause_timer, s * 1000 + jitter(2000));
}

static void rest(struct publication *p, int64_t ms)
{
    p->not_before = mono_ms(p->outlet) + ms;
    loop_timer_in(p->timer, ms);
}

static void on_timer(void *arg)
{
    bring(arg);
}

/* By way of the publisher's queue, in a later turn. */
static void bring(struct publication *p)
{
    struct pub_sip *x = p->outlet;
    p->due = true;
    if (x->up && !p->going && p->id != PRES_NOBODY)
        pres_publisher_changed(x->publisher, p->id);
}

/* When to say it again: in time, but not just before the state ends anyway; and when a ghost has gone. */
static void schedule(struct publication *p, int64_t granted_s)
{
    struct pub_sip *x = p->outlet;
    int64_t ms = granted_s * 720 + (int64_t)(crypto_random_u64() % (uint64_t)(granted_s * 160 + 1)); /* four fifths */
    int64_t ghost_s = p->ghost_until - wall_s(x);
    if (p->ghost_until > 0 && ghost_s <= 0)
        p->ghost_until = 0;
    else if (p->ghost_until > 0 && (ghost_s + 5) * 1000 < ms)
        ms = (ghost_s + 5) * 1000;
    loop_timer_in(p->timer, ms);
}

static int64_t wall_s(const struct pub_sip *x)
{
    return clk_wall_s(loop_clk(x->loop));
}

static int64_t mono_ms(const struct pub_sip *x)
{
    return clk_mono_ms(loop_clk(x->loop));
}

/* Between three quarters of it and all. */
static int64_t jitter(int64_t ms)
{
    return ms - (int64_t)(crypto_random_u64() % (uint64_t)(ms / 4 + 1));
}
