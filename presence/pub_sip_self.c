/*
 * pub_sip_self: does what we publish arrive? After each connection a state of our own, with a number in its note, is
 * published as sip:freebusyd@DOMAIN, asked for (SUBSCRIBE with Expires 0), and looked for in the NOTIFY that comes;
 * then it is removed. A server that does not let us is not in the way: the outlet just stays unproved.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_sip.h"

enum { LASTS_S = 60, AGAIN_MS = 20000, TRIES = 5 };

static void ask(struct pub_sip *x, const char *method, const char *more, const char *body, size_t len,
                pres_sip_done_fn *done);
static void publish(struct pub_sip *x);
static void take_back(struct pub_sip *x);
static void on_late(void *arg);
static void on_published(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);
static void on_asked(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);
static void on_removed(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer);
static bool went_well(struct pub_sip *x, const char *step, enum pres_sip_end end,
                      const struct pres_sip_message *answer);

void pres_pub_sip_self_init(struct pub_sip *x)
{
    x->self_timer = loop_timer_new(x->loop, "sip self", on_late, x);
}

void pres_pub_sip_self_start(struct pub_sip *x)
{
    x->self_tries = 0;
    publish(x);
}

static void publish(struct pub_sip *x)
{
    struct pres_pidf doc = {.entity = "sip:freebusyd", .map = &pres_pidf_usual, .note = x->self_nonce};
    struct pres_presence now = {.state = PRES_FREE, .until = PRES_NEVER};
    struct buf body;
    pres_pub_sip_self_stop(x);
    loop_timer_in(x->self_timer, AGAIN_MS);
    snprintf(x->self_nonce, sizeof x->self_nonce, "%016" PRIx64, crypto_random_u64());
    doc.now = clk_wall_s(loop_clk(x->loop));
    buf_init(&body, 4096);
    pres_render_pidf(&body, &doc, &now);
    char *more = mem_printf("Expires: %d\r\nContent-Type: application/pidf+xml\r\n", LASTS_S);
    ask(x, "PUBLISH", more, body.data, body.len, on_published);
    free(more);
    buf_free(&body);
}

void pres_pub_sip_self_stop(struct pub_sip *x)
{
    loop_timer_stop(x->self_timer);
    pres_sip_call_cancel(&x->self_call);
    free(x->self_tag);
    x->self_tag = NULL;
    x->self_nonce[0] = x->self_id[0] = '\0';
}

bool pres_pub_sip_self_take(struct pub_sip *x, const struct pres_sip_message *m)
{
    if (!x->self_id[0] || !str_starts(m->call_id, x->self_id))
        return false;
    bool there = x->self_nonce[0] && str_find_nocase(m->body, m->body_len, x->self_nonce);
    log_debug("sip", "notified of ourselves bytes=%zu with our number=%s", m->body_len, there ? "yes" : "no");
    if (there) {
        x->self_nonce[0] = '\0';
        loop_timer_stop(x->self_timer);
        pres_publisher_proved(x->publisher);
        take_back(x);
    }
    return true;
}

/* `more`: header lines. The call's id is kept, for the NOTIFY carries it. */
static void ask(struct pub_sip *x, const char *method, const char *more, const char *body, size_t len,
                pres_sip_done_fn *done)
{
    const char *domain = x->domain ? x->domain : x->server.host;
    char *aor = mem_printf(strchr(domain, ':') ? "sip:%s@[%s]" : "sip:%s@%s", x->self, domain);
    struct buf head;
    buf_init(&head, 8192);
    pres_pub_sip_head(&head, aor, "presence");
    const char *id = strstr(head.data, "Call-ID: ");
    snprintf(x->self_id, sizeof x->self_id, "%.16s", id ? id + 9 : "");
    buf_adds(&head, more);
    struct pres_sip_request r = {
        .method = method, .uri = aor, .cseq = 1, .rest = head.data, .body = body, .body_len = len};
    x->self_call = pres_sip_client_send(x->client, &x->path, &r, done, x);
    buf_free(&head);
    free(aor);
}

static void on_published(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct pub_sip *x = arg;
    char here[UDP_TEXT_MAX];
    x->self_call = NULL;
    if (!went_well(x, "publishing", end, answer))
        return;
    const char *tag = pres_sip_head_get(&answer->head, "SIP-ETag");
    x->self_tag = tag ? mem_strdup(tag) : NULL;
    const char *transport = pres_sip_transport_name(x->path.transport);
    char *more = mem_printf("Contact: <sip:%s@%s;transport=%s>\r\nExpires: 0\r\nAccept: application/pidf+xml\r\n",
                            x->self, pres_sip_net_here(x->net, &x->path, here), transport);
    ask(x, "SUBSCRIBE", more, "", 0, on_asked);
    free(more);
}

static void on_asked(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct pub_sip *x = arg;
    x->self_call = NULL;
    if (went_well(x, "asking for", end, answer) && !x->self_nonce[0])
        take_back(x); /* the NOTIFY was quicker */
}

static void take_back(struct pub_sip *x)
{
    char id[sizeof x->self_id];
    if (!x->self_tag || x->self_call)
        return;
    memcpy(id, x->self_id, sizeof id);
    char *more = mem_printf("Expires: 0\r\nSIP-If-Match: %s\r\n", x->self_tag);
    ask(x, "PUBLISH", more, "", 0, on_removed);
    memcpy(x->self_id, id, sizeof id); /* the NOTIFY may come twice */
    free(more);
    free(x->self_tag);
    x->self_tag = NULL;
}

static void on_late(void *arg)
{
    struct pub_sip *x = arg;
    if (x->self_nonce[0] && ++x->self_tries < TRIES)
        publish(x);
}

static void on_removed(void *arg, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    struct pub_sip *x = arg;
    x->self_call = NULL;
    went_well(x, "removing", end, answer);
}

static bool went_well(struct pub_sip *x, const char *step, enum pres_sip_end end, const struct pres_sip_message *answer)
{
    pres_publisher_room(x->publisher); /* we took a place in the window */
    if (end == PRES_SIP_ANSWERED && answer->status < 300)
        return true;
    log_info("sip", "%s a state of our own did not work status=%u", step, answer ? answer->status : 0);
    return false;
}
