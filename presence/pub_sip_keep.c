/*
 * pub_sip_keep: subscriptions of the presence server over a crash or a restart, as one row of JSON each, under the tag
 * that we gave the dialog. Who was answered 200 has a row on the disk by then.
 *
 * After a start each watcher is told the present state within its dialog, over UDP where it was, over TCP at the place
 * that it named if it came from there; one over TLS waits for the watcher's next request. Notifications are numbered
 * behind what the row says, which is kept ahead of those that were sent, so the numbers never fall back. What may be
 * seen is decided when it is told, as ever; and so is, once, whether the watcher is still one who may watch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_sip_server.h"

#define SPACE "sip-watch"

enum { ROW_MAX = 8192, AHEAD = 200, GAP_MS = 5000, TOLD_PER_SECOND = 1000 };

/* Texts of a row that go as they are: where they are in the watch, and the row's names for them. */
static const struct {
    const char *name;
    size_t at;
} texts[] = {
    {"call", offsetof(struct sip_watch, call_id)},    {"local", offsetof(struct sip_watch, local)},
    {"remote", offsetof(struct sip_watch, remote)},   {"target", offsetof(struct sip_watch, target)},
    {"routes", offsetof(struct sip_watch, routes)},   {"event", offsetof(struct sip_watch, event)},
    {"contact", offsetof(struct sip_watch, contact)}, {"account", offsetof(struct sip_watch, account)},
};
enum { TEXTS = sizeof texts / sizeof texts[0] };

struct loading {
    struct sip_server *server;
    char **gone; /* keys of rows that are of no use any more */
    size_t gone_count, count;
};

static void on_row(void *arg, const char *key, const char *value);
static bool restore(struct loading *l, const struct jv *row);
static bool read_path(const struct sip_server *s, const struct jv *row, struct pres_sip_path *ret);
static char *write_row(const struct sip_watch *w);
static char **text_at(const struct sip_watch *w, size_t i);
static const char *row_key(const struct sip_watch *w);
static void on_safe(void *arg, const char *key, bool ok);

void pres_sip_watch_load(struct sip_server *s)
{
    struct loading l = {.server = s};
    size_t pos = 0;
    if (!s->store || s->loaded)
        return;
    s->loaded = true;
    s->store->load(s->store->impl, SPACE, on_row, &l);
    for (size_t i = 0; i < l.gone_count; i++) {
        s->store->put(s->store->impl, SPACE, l.gone[i], NULL, NULL, NULL);
        free(l.gone[i]);
    }
    free(l.gone);
    for (struct sip_watch *w; (w = map_next(s->watches, &pos));) {
        pres_sip_watch_keep(w); /* before anything is numbered behind what the row says */
        pres_sip_watch_arm(w);
    }
    if (l.count > 0)
        log_notice("sip", "subscriptions of before go on count=%zu", l.count);
}

bool pres_sip_watch_keep(struct sip_watch *w)
{
    const struct pres_store *store = w->server->store;
    if (!store || w->unkept)
        return false;
    w->cseq_kept = w->cseq_out + AHEAD;
    char *row = write_row(w);
    if (row) {
        w->unsafe++;
        store->put(store->impl, SPACE, row_key(w), row, on_safe, w);
    } else {
        pres_sip_watch_unkeep(w); /* the older row would be wrong */
    }
    free(row);
    return w->unsafe > 0;
}

void pres_sip_watch_unkeep(struct sip_watch *w)
{
    const struct pres_store *store = w->server->store;
    if (store && w->cseq_kept > 0)
        store->put(store->impl, SPACE, row_key(w), NULL, NULL, NULL);
    w->cseq_kept = 0;
}

void pres_sip_watch_keep_ahead(struct sip_watch *w)
{
    const struct pres_store *store = w->server->store;
    if (w->cseq_kept == 0 || w->cseq_out + AHEAD / 2 < w->cseq_kept)
        return;
    w->cseq_kept = w->cseq_out + AHEAD;
    char *row = write_row(w);
    if (row)
        store->put(store->impl, SPACE, row_key(w), row, NULL, NULL);
    free(row);
}

void pres_sip_watch_forget(struct sip_server *s, const char *address)
{
    size_t pos = 0;
    for (struct sip_watch *w; (w = map_next(s->watches, &pos));)
        if (str_eq_nocase(w->watched->address, address) ||
            str_find_nocase(w->remote, strlen(w->remote), address)) {
            pres_sip_watch_unkeep(w);
            w->unkept = true;
        }
}

bool pres_sip_watch_nameless(const struct sip_server *s, const char *address, const struct pres_sip_message *m)
{
    if (!s->forgotten)
        return false;
    const char *user = m->from_uri.user, *host = m->from_uri.host;
    char *name = mem_printf("%s@%s", user ? user : "", host ? host : "");
    bool found = s->forgotten(s->forgotten_arg, address) || s->forgotten(s->forgotten_arg, name);
    free(name);
    return found;
}

static void on_row(void *arg, const char *key, const char *value)
{
    struct loading *l = arg;
    char why[100];
    struct jv *row = jv_parse(value, strlen(value), why, sizeof why);
    if (!row || !restore(l, row)) {
        l->gone = mem_realloc(l->gone, l->gone_count + 1, sizeof *l->gone);
        l->gone[l->gone_count++] = mem_strdup(key);
    }
    jv_free(&row);
}

/* False: it has ended meanwhile, or is none. */
static bool restore(struct loading *l, const struct jv *row)
{
    struct sip_server *s = l->server;
    int64_t left_s = jv_num(jv_get(row, "ends_at"), 0) - clk_wall_s(loop_clk(s->loop));
    int64_t now = clk_mono_ms(loop_clk(s->loop)), in = jv_num(jv_get(row, "cseq_in"), -1),
            out = jv_num(jv_get(row, "cseq_out"), -1), port = jv_num(jv_get(row, "call_back_port"), 0);
    const char *of = jv_str(jv_get(row, "of"), NULL), *entity = jv_str(jv_get(row, "entity"), NULL),
               *key = jv_str(jv_get(row, "key"), NULL);
    struct pres_sip_path path;
    if (left_s <= 0 || in < 0 || in > UINT32_MAX || out <= 0 || out > INT32_MAX || port < 0 || port > 65535 || !of ||
        !entity || !key || map_get(s->watches, key) || !read_path(s, row, &path))
        return false;
    for (size_t i = 0; i < TEXTS; i++)
        if (!jv_is_string(jv_get(row, texts[i].name)))
            return false;
    struct sip_watch *w = pres_sip_watch_new(s, of, entity, key);
    if (!w)
        return false;
    for (size_t i = 0; i < TEXTS; i++)
        *text_at(w, i) = mem_strdup(jv_str(jv_get(row, texts[i].name), ""));
    w->path = path;
    w->cseq_in = (uint32_t)in;
    w->cseq_out = w->cseq_kept = (uint32_t)out;
    w->call_back_port = (unsigned)port;
    w->ends_ms = now + (left_s < s->expires_s ? left_s : s->expires_s) * 1000; /* the clock may have been set */
    double rate = s->rate > 0 && s->rate < TOLD_PER_SECOND ? s->rate : TOLD_PER_SECOND;
    w->told_ms = now - GAP_MS + (int64_t)((double)++l->count * 1000 / rate);
    w->changed = w->restored = true;
    return true;
}

/* A socket that we do not have any more: the first one. A connection is gone in any case. */
static bool read_path(const struct sip_server *s, const struct jv *row, struct pres_sip_path *ret)
{
    char host[UDP_TEXT_MAX];
    unsigned port;
    const char *peer = jv_str(jv_get(row, "peer"), ""), *transport = jv_str(jv_get(row, "transport"), "");
    int64_t socket = jv_num(jv_get(row, "socket"), 0);
    *ret = (struct pres_sip_path){.transport = PRES_SIP_UDP};
    while (strcmp(pres_sip_transport_name(ret->transport), transport) != 0)
        if (ret->transport++ == PRES_SIP_TLS)
            return false;
    bool ours = ret->transport != PRES_SIP_UDP || pres_sip_net_port(s->net, PRES_SIP_UDP) > 0;
    if (socket > 0 && (size_t)socket < s->listen_count)
        ret->socket = (unsigned)socket;
    return ours && io_parse_server(peer, host, sizeof host, &port) && udp_peer(&ret->peer, host, port);
}

/* NULL: too large to be kept, or not UTF-8. */
static char *write_row(const struct sip_watch *w)
{
    const struct sip_server *s = w->server;
    char peer[UDP_TEXT_MAX];
    struct jv *row = jv_object();
    struct buf out;
    int64_t left_ms = w->ends_ms - clk_mono_ms(loop_clk(s->loop));
    for (size_t i = 0; i < TEXTS; i++)
        jv_set_str(row, texts[i].name, *text_at(w, i));
    jv_set_str(row, "of", w->watched->address);
    jv_set_str(row, "entity", w->watched->entity);
    jv_set_str(row, "key", w->key);
    jv_set_str(row, "transport", pres_sip_transport_name(w->path.transport));
    jv_set_str(row, "peer", udp_peer_text(&w->path.peer, peer));
    jv_set_int(row, "socket", w->path.socket);
    jv_set_int(row, "call_back_port", w->call_back_port);
    jv_set_int(row, "cseq_in", w->cseq_in);
    jv_set_int(row, "cseq_out", w->cseq_kept);
    jv_set_int(row, "ends_at", clk_wall_s(loop_clk(s->loop)) + left_ms / 1000);
    buf_init(&out, ROW_MAX);
    bool good = jv_write(&out, row, false);
    for (size_t i = 0; i < TEXTS && good; i++)
        good = strcmp(jv_str(jv_get(row, texts[i].name), ""), *text_at(w, i)) == 0;
    jv_free(&row);
    char *ret = good && !out.failed ? mem_strdup(out.data) : NULL;
    buf_free(&out);
    return ret;
}

static char **text_at(const struct sip_watch *w, size_t i)
{
    return (char **)((char *)(uintptr_t)w + texts[i].at);
}

static const char *row_key(const struct sip_watch *w)
{
    return strrchr(w->key, '\n') + 1;
}

static void on_safe(void *arg, const char *key, bool ok)
{
    struct sip_watch *w = arg;
    (void)key, (void)ok; /* where it could not be made safe, the subscription is worth as much as we live */
    if (--w->unsafe == 0)
        pres_sip_watch_settle(w);
}
