/*
 * sim_subscribe: SUBSCRIBE, UNSUBSCRIBE and POLL. Ids are whole numbers; a lifetime may be cut short; a renewal must
 * bring nothing but the ids and a lifetime. POLL answers for folders of other mailboxes as well, or does not, by
 * switch.
 *
 * Every type of notification is granted; all of them are told of any change in the folder.
 */
#include "sim_subscribe.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim.h"
#include "sim_log.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX 1000
#define ANSWER_MAX (1u << 20)
#define HTTPU "httpu://"

struct ids {
    uint32_t id[IDS_MAX];
    size_t count;
};

/* False: not a list of numbers. */
static bool read_ids(const char *text, struct ids *ret)
{
    ret->count = 0;
    for (const char *p = text; p != NULL && ret->count < IDS_MAX;) {
        size_t len;
        const char *rest = str_split(p, ',', &len);
        char *end;
        unsigned long id = strtoul(p, &end, 10);
        while (*end == ' ')
            end++;
        if (end == p || end != p + len || id > UINT32_MAX)
            return false;
        ret->id[ret->count++] = (uint32_t)id;
        p = rest;
    }
    return ret->count > 0;
}

static char *folder_href(struct sim_request *r, const struct sim_node *node)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_addf(&b, "%s://%s", r->scheme, r->host);
    sim_path_write(&b, node);
    if (b.len > 0 && b.data[b.len - 1] == '/')
        b.data[--b.len] = '\0';
    return buf_take(&b);
}

static bool is_calendar(const struct sim_node *node)
{
    return node->place == SIM_AT_FOLDER && node->folder == SIM_FOLDER_CALENDAR;
}

static int64_t granted_lifetime(const struct sim_request *r)
{
    const char *text = httpd_header(r->req, "Subscription-lifetime");
    int64_t most = sim_fault_number(&r->sim->faults, r->node.mailbox, SIM_F_SUB_LIFETIME), wanted;
    if (text == NULL || !str_to_int(text, 1, INT32_MAX, &wanted))
        wanted = 3600;
    return wanted < most ? wanted : most;
}

/* httpu://HOST:PORT/...: the port must be there. A host that is no number is one that we cannot find. */
static bool take_call_back(struct sim_sub *sub, const char *text)
{
    char host[200];
    size_t len = strlen(HTTPU), end;
    int64_t port;
    if (!str_starts_nocase(text, HTTPU))
        return false;
    end = len + strcspn(text + len, "/");
    const char *colon = memrchr(text + len, ':', end - len);
    if (colon == NULL || (size_t)(colon - text) - len >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text - (ptrdiff_t)len), text + len);
    char *digits = mem_strndup(colon + 1, end - (size_t)(colon + 1 - text));
    bool ok = str_to_int(digits, 1, 65535, &port);
    free(digits);
    if (!ok)
        return false;
    sub->call_back = true;
    sub->silent = !udp_peer(&sub->peer, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, (unsigned)port);
    sub->line = mem_printf("NOTIFY %s HTTP/1.1", text);
    return true;
}

static void reply_granted(struct sim_request *r, const struct sim_sub *sub)
{
    const char *lines = sim_arena_printf(r->arena, "Subscription-id: %u", sub->id);
    const char **more = arena_alloc(r->arena, 3 * sizeof(char *));
    more[0] = sim_arena_printf(r->arena, "Subscription-lifetime: %lld", (long long)sub->lifetime);
    more[1] = sim_arena_printf(r->arena, "Content-Location: %s/", sub->href);
    sim_reply(r, &(struct sim_reply){.status = 200, .header = lines, .more = more});
}

static void subscribe_new(struct sim_request *r)
{
    const char *type = httpd_header(r->req, "Notification-type"), *call_back = httpd_header(r->req, "Call-back");
    if (type == NULL || r->node.mailbox == NULL) {
        sim_reply_error(r, type == NULL ? 400 : 403);
        return;
    }
    struct sim_sub *sub = sim_subs_add(r->sim->subs);
    if (call_back != NULL && !take_call_back(sub, call_back)) {
        sim_subs_remove(r->sim->subs, sub->id);
        sim_reply_error(r, 400);
        return;
    }
    sub->mailbox = mem_strdup(r->node.mailbox->key);
    sub->href = folder_href(r, &r->node);
    sub->calendar = is_calendar(&r->node);
    sub->revision = r->node.mailbox->revision;
    sub->lifetime = granted_lifetime(r);
    sub->ends_at = sim_now(r->sim) + sub->lifetime;
    reply_granted(r, sub);
}

/* The subscription, if it may be asked about at this URL. */
static struct sim_sub *sub_here(struct sim_request *r, uint32_t id)
{
    struct sim_sub *sub = sim_subs_find(r->sim->subs, id);
    bool ours = sub != NULL && r->node.mailbox != NULL && strcmp(sub->mailbox, r->node.mailbox->key) == 0;
    struct sim_mailbox *m = sub != NULL ? sim_store_mailbox(r->sim->store, sub->mailbox) : NULL;
    if (m == NULL || (r->account != NULL && !sim_store_may_open(r->account, m)))
        return NULL;
    return ours || sim_fault_is(&r->sim->faults, NULL, SIM_F_POLL_GROUP, "any") ? sub : NULL;
}

static void add_response(struct buf *out, const char *href, const char *status, uint32_t id)
{
    buf_addf(out,
             "<a:response><a:href>%s</a:href><a:status>HTTP/1.1 %s</a:status><b:subscriptionID><li>%u</li>"
             "</b:subscriptionID></a:response>",
             href, status, id);
}

static void begin_list(struct buf *out)
{
    buf_init(out, ANSWER_MAX);
    buf_adds(out, "<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"http://schemas.microsoft.com/Exchange/\" "
                  "xmlns:a=\"DAV:\">");
}

static void end_list(struct sim_request *r, struct buf *out)
{
    buf_adds(out, "</a:multistatus>");
    sim_reply_multistatus(r, out, NULL);
}

/* What a method does to one of its ids; false: it does not exist. */
typedef const char *one_fn(struct sim_request *r, struct sim_sub *sub);

static void each(struct sim_request *r, const struct ids *ids, one_fn *fn)
{
    char *here = folder_href(r, &r->node);
    struct buf xml;
    begin_list(&xml);
    for (size_t i = 0; i < ids->count; i++) {
        struct sim_sub *sub = sub_here(r, ids->id[i]);
        char *href = mem_strdup(sub != NULL ? sub->href : here);
        add_response(&xml, href, sub != NULL ? fn(r, sub) : "412 Precondition Failed", ids->id[i]);
        free(href);
    }
    free(here);
    end_list(r, &xml);
}

static bool all_are_here(struct sim_request *r, const struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        if (sub_here(r, ids->id[i]) == NULL)
            return false;
    return true;
}

static const char *renew_one(struct sim_request *r, struct sim_sub *sub)
{
    sub->lifetime = granted_lifetime(r);
    sub->ends_at = sim_now(r->sim) + sub->lifetime;
    return "200 OK";
}

static const char *end_one(struct sim_request *r, struct sim_sub *sub)
{
    sim_subs_remove(r->sim->subs, sub->id);
    return "200 OK";
}

static const char *poll_one(struct sim_request *r, struct sim_sub *sub)
{
    const struct sim_mailbox *m = sim_store_mailbox(r->sim->store, sub->mailbox);
    bool news = sim_sub_has_news(r->sim, sub);
    sub->revision = m->revision;
    sub->told_at_ms = 0;
    sub->ends_at = sim_now(r->sim) + sub->lifetime;
    return news ? "200 OK" : "204 No Content";
}

static void renew(struct sim_request *r, const struct ids *ids)
{
    if (httpd_header(r->req, "Call-back") != NULL || httpd_header(r->req, "Notification-type") != NULL ||
        httpd_header(r->req, "Depth") != NULL) {
        sim_reply_error(r, 400);
        return;
    }
    if (ids->count > 1) {
        each(r, ids, renew_one);
        return;
    }
    struct sim_sub *sub = sub_here(r, ids->id[0]);
    if (sub == NULL) {
        sim_reply_error(r, 412);
        return;
    }
    renew_one(r, sub);
    reply_granted(r, sub);
}

static bool is_on(const struct sim *sim)
{
    const char *text = sim_fault_text(&sim->faults, NULL, SIM_F_SUBSCRIBE);
    return text != NULL ? strcmp(text, "granted") == 0 : sim->faults.profile != SIM_2000;
}

bool sim_subscribe(struct sim_request *r)
{
    const char *text = httpd_header(r->req, "Subscription-id");
    bool subscribe = strcmp(r->method, "SUBSCRIBE") == 0, poll = strcmp(r->method, "POLL") == 0;
    struct ids ids;
    if ((!subscribe && !poll && strcmp(r->method, "UNSUBSCRIBE") != 0) || !is_on(r->sim))
        return false;
    if (subscribe && strstr(r->path, "-FlatUrlSpace-") != NULL)
        sim_reply_error(r, 403);
    else if (subscribe && text == NULL)
        subscribe_new(r);
    else if (text == NULL || !read_ids(text, &ids))
        sim_reply_error(r, 400);
    else if (subscribe)
        renew(r, &ids);
    else if (poll && ids.count > 1 && sim_fault_is(&r->sim->faults, NULL, SIM_F_POLL_GROUP, "whole") &&
             !all_are_here(r, &ids))
        sim_reply_error(r, 412);
    else if (poll && ids.count == 1 && sub_here(r, ids.id[0]) == NULL)
        sim_reply_error(r, 412);
    else if (!poll && ids.count == 1)
        sim_reply_error(r, sub_here(r, ids.id[0]) == NULL ? 400 : (end_one(r, sub_here(r, ids.id[0])), 200));
    else
        each(r, &ids, poll ? poll_one : end_one);
    return true;
}
