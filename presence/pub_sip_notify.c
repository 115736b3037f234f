/*
 * pub_sip_notify: what a watcher is told, and when (RFC 6665 4.2.2, RFC 3856 6.10). One notification is under way at a
 * time, the newest state is the next, and not more than one in five seconds unless the watcher asked. A watcher who
 * says that there is no such subscription, or nothing at all, is forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "presence/viewer.h"
#include "pub_sip_server.h"

enum { GAP_MS = 5000, RETRY_MS = 1000, AFTER_MAX_S = 300, SAFE_MS = 2000 };

static bool tell(struct sip_watch *w);
static bool unnumbered(const struct sip_watch *w);
static bool reach(struct sip_watch *w);
static void look_again(struct sip_watch *w);
static bool add_state(struct sip_watch *w, struct buf *head);
static void on_done(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);
static int64_t now_ms(const struct sip_watch *w);

bool pres_sip_notify(struct sip_watch *w, bool now)
{
    w->changed = true;
    if (w->call || w->owed || unnumbered(w) || (!now && !w->ending && now_ms(w) < w->told_ms + GAP_MS)) {
        pres_sip_watch_arm(w);
        return false;
    }
    if (!reach(w)) { /* the next SUBSCRIBE brings a new way */
        if (w->ending)
            pres_sip_watch_end(w);
        else
            loop_timer_in(w->timer, w->ends_ms - now_ms(w));
        return false;
    }
    look_again(w);
    bool sent = tell(w);
    if (sent)
        w->server->notified++;
    else
        w->told_ms = now_ms(w) - GAP_MS + RETRY_MS;
    pres_sip_watch_arm(w);
    return sent;
}

void pres_sip_notify_beside(struct sip_watch *w, bool now)
{
    struct pres_publisher *publisher = w->server->publisher;
    if (pres_sip_notify(w, now)) /* which may have been the end of w */
        pres_publisher_spent(publisher, 1);
}

void pres_sip_watch_arm(struct sip_watch *w)
{
    int64_t at = w->ends_ms;
    if (w->changed && !w->call && !unnumbered(w) && w->told_ms + GAP_MS < at)
        at = w->told_ms + GAP_MS;
    if (w->ending && !w->call && !unnumbered(w))
        at = now_ms(w) + RETRY_MS;
    if (w->owed)
        loop_timer_in(w->timer, SAFE_MS);
    else if (w->call)
        loop_timer_stop(w->timer); /* its answer is next */
    else
        loop_timer_in(w->timer, at - now_ms(w));
}

void pres_sip_watch_end(struct sip_watch *w)
{
    w->server->ended++;
    pres_sip_answers_pay(w->server->answers, &w->owed);
    pres_sip_watch_unkeep(w);
    pres_sip_watch_free(w);
}

void pres_sip_watch_free(struct sip_watch *w)
{
    struct sip_server *s = w->server;
    struct sip_watched *of = w->watched;
    if (s->store && w->unsafe > 0)
        s->store->forget(s->store->impl, w);
    pres_sip_answers_waive(s->answers, &w->owed);
    pres_sip_call_cancel(&w->call);
    pres_sip_net_need(s->net, w->path.connection, -1);
    map_del(s->watches, w->key);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    if (--of->count == 0) {
        map_del(s->watched, of->address);
        free(of->entity);
        free(of);
    }
    loop_timer_free(&w->timer);
    free(w->remote);
    free(w->local);
    free(w->call_id);
    free(w->target);
    free(w->routes);
    free(w->event);
    free(w->contact);
    free(w->account);
    free(w);
}

static bool tell(struct sip_watch *w)
{
    struct sip_server *s = w->server;
    struct buf head;
    buf_init(&head, 32768);
    buf_addf(&head, "%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nContact: %s\r\nEvent: %s\r\n", w->routes, w->local,
             w->remote, w->call_id, w->contact, w->event);
    pres_sip_watch_keep_ahead(w);
    bool good = add_state(w, &head);
    struct pres_sip_request r = {.method = "NOTIFY",
                                 .uri = w->target,
                                 .cseq = w->cseq_out + 1,
                                 .rest = head.data,
                                 .body = s->body.data,
                                 .body_len = s->body.len};
    w->call = good && !head.failed ? pres_sip_client_send(s->client, &w->path, &r, on_done, w) : NULL;
    if (w->call) {
        w->cseq_out++;
        w->changed = false;
        w->told_ms = now_ms(w);
    }
    buf_free(&head);
    return w->call != NULL;
}

/* Restored, and what it is told may not be numbered before the disk knows. */
static bool unnumbered(const struct sip_watch *w)
{
    return w->restored && w->unsafe > 0;
}

/* A TCP connection that went is made anew, but only to the host that it came from: nobody can send us to others. */
static bool reach(struct sip_watch *w)
{
    struct sip_server *s = w->server;
    char host[UDP_TEXT_MAX];
    if (w->path.transport == PRES_SIP_UDP || pres_sip_net_alive(s->net, w->path.connection))
        return true;
    if (w->path.transport != PRES_SIP_TCP || !w->call_back_port || w->called_back)
        return false;
    w->path.connection =
        pres_sip_net_connect(s->net, udp_peer_host(&w->path.peer, host), w->call_back_port, NULL, NULL);
    w->called_back = true; /* once: one that cannot be reached is left alone until it asks */
    return true;
}

/* Who may watch can have changed while we were away. */
static void look_again(struct sip_watch *w)
{
    char host[UDP_TEXT_MAX];
    if (w->restored && !w->ending &&
        !pres_sip_server_knows(w->server, w->account, udp_peer_host(&w->path.peer, host)))
        w->ending = "rejected";
    w->restored = false;
}

/* The document into the server's body, and what the subscription is. */
static bool add_state(struct sip_watch *w, struct buf *head)
{
    struct sip_server *s = w->server;
    struct pres_presence now = {.state = PRES_UNKNOWN, .until = PRES_NEVER};
    int64_t left_s = (w->ends_ms - now_ms(w)) / 1000;
    pres_id id = pres_viewer_find(pres_publisher_viewer(s->publisher), NULL, w->watched->address);
    if (id != PRES_NOBODY)
        pres_viewer_presence(pres_publisher_viewer(s->publisher), NULL, id, &now);
    if (w->ending)
        buf_addf(head, "Subscription-State: terminated;reason=%s\r\n", w->ending);
    else
        buf_addf(head, "Subscription-State: active;expires=%lld\r\n", (long long)(left_s > 0 ? left_s : 0));
    buf_reset(&s->body);
    /* We go, and nothing is known from now on; or it is not the watcher's business any more. */
    bool leaving = w->ending && (strcmp(w->ending, "deactivated") == 0 || strcmp(w->ending, "rejected") == 0);
    if (leaving)
        now = (struct pres_presence){.state = PRES_UNKNOWN, .until = PRES_NEVER};
    buf_adds(head, "Content-Type: application/pidf+xml\r\n");
    struct pres_seen *seen = pres_viewer_known(pres_publisher_viewer(s->publisher), NULL, leaving ? PRES_NOBODY : id);
    bool good = pres_sip_doc_write(&s->doc, seen ? &seen->known : NULL, &now, w->watched->entity,
                                   clk_wall_s(loop_clk(s->loop)), false, &s->body);
    pres_seen_free(&seen);
    return good;
}

static void on_done(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct sip_watch *w = arg;
    struct sip_server *s = w->server;
    w->call = NULL;
    int64_t after = answer ? pres_sip_number(answer, "Retry-After") : -1;
    bool later = answer && answer->status >= 500 && after >= 0;
    bool good = end == PRES_SIP_ANSWERED && answer && answer->status < 300;
    if ((good && w->ending && !w->changed) || (!good && !later && end != PRES_SIP_LOST) || (!good && w->ending)) {
        pres_sip_watch_end(w);
    } else if (later) {
        w->changed = true;
        w->told_ms = now_ms(w) - GAP_MS + (after < AFTER_MAX_S ? after : AFTER_MAX_S) * 1000;
        pres_sip_watch_arm(w);
    } else if (w->changed || end == PRES_SIP_LOST) {
        pres_sip_notify_beside(w, false);
    } else {
        pres_sip_watch_arm(w);
    }
    pres_publisher_room(s->publisher);
}

static int64_t now_ms(const struct sip_watch *w)
{
    return clk_mono_ms(loop_clk(w->server->loop));
}
