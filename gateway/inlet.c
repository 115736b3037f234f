/*
 * inlet: see inlet.h. servers.c owns one for each server of kind relay; reload.c gives it new configurations. Its
 * memory (the sequence of the stream, and of each person's last message) is in the state file, so that what was refused
 * as a replay before a restart is refused after it.
 */
#include "inlet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/crypto_sign.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "config_private.h"
#include "davclient/busytext.h"
#include "outlets_private.h"
#include "presence/store.h"
#include "inlet_private.h"
#include "report.h"

#define LAST_ROW "sequence"
#define KEEP_ROW "keep"

static struct relay_key *read_keys(const struct gw_config *config, const struct gw_config_server *server,
                                   unsigned *ret_count, char *why, size_t why_size);
static bool read_key(const char *folder, const char *text, struct relay_key *ret, char *why, size_t why_size);
static void free_keys(struct relay_key *keys, unsigned count);
static void take_row(void *arg, const char *key, const char *value);
static void everybody(struct gw_inlet *r, void (*fn)(struct gw_inlet *r, pres_id id));
static void respec(struct gw_inlet *r, pres_id id);
static void fail(struct gw_inlet *r, pres_id id);

static const char *const refusal_names[GW_INLET_REFUSALS] = {
    [GW_INLET_WELL] = "accepted",          [GW_INLET_MALFORMED] = "malformed",     [GW_INLET_UNSIGNED] = "unsigned",
    [GW_INLET_UNKNOWN_KEY] = "unknown-key", [GW_INLET_EXPIRED_KEY] = "expired-key", [GW_INLET_TAMPERED] = "tampered",
    [GW_INLET_STREAM] = "other-stream",    [GW_INLET_EXPIRED] = "expired",         [GW_INLET_REPLAYED] = "replayed",
    [GW_INLET_PEER] = "peer",              [GW_INLET_PERSON] = "person",           [GW_INLET_MISSED] = "missed",
};

struct gw_inlet *gw_inlet_new(struct gateway *g, struct gw_server *s, const struct gw_config *config,
                                    const struct gw_config_server *server, char *why, size_t why_size)
{
    unsigned count = 0;
    struct relay_key *keys = read_keys(config, server, &count, why, why_size);
    if (!keys)
        return NULL;
    struct gw_inlet *r = mem_calloc(1, sizeof *r);
    *r = (struct gw_inlet){.g = g, .server = s, .keys = keys, .key_count = count};
    r->space = mem_printf("relay from %s", server->name);
    r->held = map_new();
    r->reader = dav_busytext_new();
    return r;
}

void gw_inlet_free(struct gw_inlet **relay)
{
    struct gw_inlet *r = *relay;
    size_t pos = 0;
    if (!r)
        return;
    free_keys(r->keys, r->key_count);
    dav_busytext_free(&r->reader);
    for (struct relay_held *h; (h = map_next(r->held, &pos));)
        free(h);
    map_free(&r->held);
    free(r->space);
    free(r);
    *relay = NULL;
}

void gw_inlet_config(struct gw_inlet *r)
{
    char why[300];
    unsigned count = 0;
    struct relay_key *keys = read_keys(r->g->config, r->server->config, &count, why, sizeof why);
    if (!keys) { /* it was there when the configuration was checked */
        log_error("relay", "server=%s %s: the keys read before stay in use", r->server->config->name, why);
        return;
    }
    free_keys(r->keys, r->key_count);
    r->keys = keys;
    r->key_count = count;
}

void gw_inlet_load(struct gateway *g)
{
    const struct pres_store *store = gw_outlets_store(g);
    for (unsigned i = 0; i < g->server_count; i++) {
        struct gw_inlet *r = g->servers[i]->relay;
        if (!r || r->loaded)
            continue;
        r->loaded = true;
        store->load(store->impl, r->space, take_row, r);
        everybody(r, respec);
    }
}

int64_t gw_inlet_stale_after(const struct gw_inlet *r)
{
    int64_t most = r->server->config->relay.expiry_s;
    return r->keep_s && r->keep_s < most ? r->keep_s : most;
}

void gw_inlet_tick(struct gw_inlet *r)
{
    int64_t now = clk_wall_s(loop_clk(r->g->loop));
    if (r->silent || !r->keep_s || !r->last_at || now - r->last_at <= gw_inlet_stale_after(r))
        return;
    r->silent = true;
    log_warning("relay", "server=%s silent for s=%lld", r->server->config->name, (long long)(now - r->last_at));
    everybody(r, fail);
}

void gw_inlet_forget(struct gw_inlet *r, const char *address)
{
    struct relay_held *h = gw_inlet_held(r, address, false);
    const struct pres_store *store = gw_outlets_store(r->g);
    if (!h)
        return;
    map_del(r->held, h->address);
    store->put(store->impl, r->space, h->address, NULL, NULL, NULL);
    free(h);
}

void gw_inlet_info(const struct gw_inlet *r, struct dav_session_info *ret)
{
    *ret = (struct dav_session_info){.state = r->silent     ? "silent"
                                              : r->last_at ? "listening"
                                                           : "waiting for the first message",
                                     .last_ok = r->last_at,
                                     .requests = r->messages,
                                     .bytes_in = r->bytes};
    for (int i = GW_INLET_WELL + 1; i < GW_INLET_REFUSALS; i++)
        ret->failures += r->refused[i];
    if (r->silent) {
        ret->code = "relay-silent";
        ret->evidence = "nothing came from the exporter for longer than its data may be used";
        ret->failing_since = r->last_at;
    }
}

struct jv *gw_inlet_report(const struct gw_inlet *r)
{
    struct jv *v = jv_object(), *refused = jv_object();
    jv_set_bool(v, "signed", r->key_count > 0);
    jv_set_int(v, "messages", (int64_t)r->messages);
    jv_set_int(v, "people", (int64_t)r->people);
    jv_set_int(v, "digests", (int64_t)r->digests);
    jv_set_int(v, "withdrawn", (int64_t)r->withdrawn);
    jv_set_int(v, "held", (int64_t)map_count(r->held));
    jv_set_int(v, "stale_after_s", gw_inlet_stale_after(r));
    jv_set(v, "last_message_at", gw_report_time(r->last_at));
    for (int i = GW_INLET_WELL + 1; i < GW_INLET_REFUSALS; i++)
        jv_set_int(refused, refusal_names[i], (int64_t)r->refused[i]);
    return jv_set(v, "refused", refused);
}

void gw_inlet_metrics(struct buf *b, const struct gateway *g)
{
    bool first = true;
    for (unsigned s = 0; s < g->server_count; s++) {
        const struct gw_inlet *r = g->servers[s]->relay;
        if (!r)
            continue;
        if (first)
            buf_adds(b,
                     "# HELP freebusyd_relay_refused_total What a relay's exporter sent and was refused, by reason.\n"
                     "# TYPE freebusyd_relay_refused_total counter\n");
        first = false;
        for (int i = GW_INLET_WELL + 1; i < GW_INLET_REFUSALS; i++)
            buf_addf(b, "freebusyd_relay_refused_total{server=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                     g->servers[s]->config->name, refusal_names[i], r->refused[i]);
    }
}

const char *gw_inlet_refusal_name(enum gw_inlet_refusal refusal)
{
    return refusal_names[refusal];
}

void gw_inlet_remember(struct gw_inlet *r, const char *key, uint64_t value)
{
    const struct pres_store *store = gw_outlets_store(r->g);
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    store->put(store->impl, r->space, key, text, NULL, NULL);
}

void gw_inlet_keep(struct gw_inlet *r, int64_t keep_s)
{
    if (keep_s == r->keep_s)
        return;
    r->keep_s = keep_s;
    gw_inlet_remember(r, KEEP_ROW, (uint64_t)keep_s);
    everybody(r, respec);
}

struct relay_held *gw_inlet_held(struct gw_inlet *r, const char *address, bool make)
{
    char *key = str_lower(mem_strdup(address));
    struct relay_held *h = map_get(r->held, key);
    if (!h && make) {
        h = mem_calloc(1, sizeof *h + strlen(key) + 1);
        memcpy(h->address, key, strlen(key) + 1);
        h->bucket = gw_relay_bucket(key);
        map_put(r->held, h->address, h);
    }
    free(key);
    return h;
}

bool gw_inlet_is_ours(const struct gw_inlet *r, const char *address, pres_id *ret)
{
    *ret = pres_table_find(r->g->table, address);
    return *ret != PRES_NOBODY && gw_server_of(r->g, *ret) == r->server &&
           str_eq_nocase(pres_table_address(r->g->table, *ret), address);
}

/* Does the file say what can be read here? For the check of a configuration. */
void gw_inlet_check(struct gw_reading *reading, const struct gw_config_server *s, unsigned i)
{
    char why[300], key[60];
    snprintf(key, sizeof key, "servers[%u].relay", i);
    if (s->url || s->account || s->password_file)
        gw_problem_at(reading, "config-value", key,
                      "nobody is asked: url, account and password_file have no place here");
    if (s->relay.keys_count == 0 && !s->relay.from)
        gw_problem_at(reading, "config-missing", key, "needs keys, or from, or both: else anybody could PUT");
    for (unsigned k = 0; k < s->relay.keys_count; k++) {
        struct relay_key one = {.key = NULL};
        snprintf(key, sizeof key, "servers[%u].relay.keys[%u]", i, k);
        if (!read_key(reading->folder, s->relay.keys[k], &one, why, sizeof why))
            gw_problem_at(reading, "config-value", key, "%s", why);
        crypto_sign_free(&one.key);
    }
}

/* Never NULL when all is well. */
static struct relay_key *read_keys(const struct gw_config *config, const struct gw_config_server *server,
                                   unsigned *ret_count, char *why, size_t why_size)
{
    const struct gw_config_relay_from *from = &server->relay;
    struct relay_key *keys = mem_calloc(from->keys_count + 1, sizeof *keys);
    for (unsigned i = 0; i < from->keys_count; i++)
        if (!read_key(config->folder, from->keys[i], &keys[i], why, why_size)) {
            free_keys(keys, i);
            return NULL;
        }
    *ret_count = from->keys_count;
    return keys;
}

/* "FILE" or "FILE until 2027-01-01T00:00:00Z". */
static bool read_key(const char *folder, const char *text, struct relay_key *ret, char *why, size_t why_size)
{
    static const char word[] = " until ";
    const char *until = strstr(text, word);
    char *name = until ? mem_strndup(text, (size_t)(until - text)) : mem_strdup(text);
    char *path = name[0] == '/' ? mem_strdup(name) : mem_printf("%s/%s", folder, name);
    ret->until = PRES_NEVER;
    bool good = true;
    if (until) {
        until += sizeof word - 1;
        good = utc_parse_rfc3339(until, strlen(until), &ret->until);
        if (!good)
            snprintf(why, why_size, "what follows \"until\" is no time such as 2027-01-01T00:00:00Z");
    }
    ret->key = good ? crypto_sign_public(path, why, why_size) : NULL;
    free(path);
    free(name);
    return ret->key != NULL;
}

static void free_keys(struct relay_key *keys, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        crypto_sign_free(&keys[i].key);
    free(keys);
}

static void take_row(void *arg, const char *key, const char *value)
{
    struct gw_inlet *r = arg;
    int64_t n;
    if (!str_to_int(value, 0, INT64_MAX, &n))
        return;
    if (strcmp(key, LAST_ROW) == 0)
        r->last = (uint64_t)n;
    else if (strcmp(key, KEEP_ROW) == 0)
        r->keep_s = n;
    else
        gw_inlet_held(r, key, true)->sequence = (uint64_t)n;
}

static void everybody(struct gw_inlet *r, void (*fn)(struct gw_inlet *r, pres_id id))
{
    for (pres_id id = PRES_NOBODY; (id = pres_table_next(r->g->table, id)) != PRES_NOBODY;)
        if (gw_server_of(r->g, id) == r->server)
            fn(r, id);
}

static void respec(struct gw_inlet *r, pres_id id)
{
    const struct pres_table *t = r->g->table;
    const struct pres_person_spec spec = {.address = pres_table_address(t, id),
                                          .publish_as = pres_table_publish_as(t, id),
                                          .group = pres_table_group(t, id),
                                          .stale_after = gw_inlet_stale_after(r),
                                          .server = (uint16_t)pres_table_server(t, id)};
    pres_table_respec(r->g->table, id, &spec);
}

static void fail(struct gw_inlet *r, pres_id id)
{
    const struct dav_result result = {
        .err = DAV_NETWORK, .code = "relay-silent", .evidence = "nothing came from the exporter", .requests = 1};
    gw_feed_failure(r->g, id, &result);
    gw_person_reclass(r->g, id);
}
