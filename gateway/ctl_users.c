/*
 * ctl_users: everybody, for an administrator. There may be tens of thousands, and writing them all down at once would
 * hold the loop: the answer is a stream, and each turn of the loop writes a few hundred people more. Who is added or
 * removed meanwhile may be in it or not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "ctl.h"
#include "gateway.h"
#include "http_face.h"
#include "report.h"

enum { SLICE = 100, SLICE_BYTES_MAX = 4 * 1024 * 1024 };

struct users {
    struct gateway *gateway;
    struct httpd_stream *http;
    char *state, *server; /* whom to list, NULL: everybody */
    pres_id at;           /* the last one looked at */
    struct buf rows;      /* written down, sent up to `sent` */
    size_t sent;
    bool any, whole, resting;
};

static ssize_t pull(void *arg, char *out, size_t max);
static void write_slice(struct users *u);
static bool matches(const struct users *u, pres_id id);
static void go_on(void *arg);
static void gone(void *arg);

void gw_ctl_get_users(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    static const char *const headers[] = {"Content-Type: application/json", "Cache-Control: no-store", NULL};
    bool bad = false;
    const char *state = httpd_param(req, "state", 0, &bad);
    char *wanted = mem_strdup_or_null(state); /* the next parameter may take its place */
    const char *server = httpd_param(req, "server", 0, &bad);
    enum pres_kind kind;
    (void)rest;
    if (bad || (wanted && !pres_kind_parse(wanted, &kind))) {
        free(wanted);
        gw_http_problem(req, 400, "bad-state", "The states are free, elsewhere, tentative, busy, oof and unknown.");
        return;
    }
    struct users *u = mem_calloc(1, sizeof(*u));
    *u = (struct users){
        .gateway = face->gateway, .state = wanted, .server = mem_strdup_or_null(server), .at = PRES_NOBODY};
    buf_init(&u->rows, SLICE_BYTES_MAX);
    buf_adds(&u->rows, "{\"users\":[");
    u->http = httpd_stream_start(req, 200, headers, pull, gone, u);
}

static ssize_t pull(void *arg, char *out, size_t max)
{
    struct users *u = arg;
    if (u->resting)
        return HTTPD_PULL_WAIT;
    if (u->sent == u->rows.len) {
        if (u->whole)
            return HTTPD_PULL_END;
        buf_reset(&u->rows);
        u->sent = 0;
        write_slice(u);
        if (u->rows.failed)
            return HTTPD_PULL_ABORT;
        u->resting = true; /* one slice a turn */
        loop_defer(gw_loop(u->gateway), go_on, u);
        return HTTPD_PULL_WAIT;
    }
    size_t len = u->rows.len - u->sent;
    len = len < max ? len : max;
    memcpy(out, u->rows.data + u->sent, len);
    u->sent += len;
    return (ssize_t)len;
}

static void write_slice(struct users *u)
{
    struct pres_table *table = gw_table(u->gateway);
    for (unsigned i = 0; i < SLICE; i++) {
        u->at = pres_table_next(table, u->at);
        if (u->at == PRES_NOBODY) {
            u->whole = true;
            buf_adds(&u->rows, "]}\n");
            return;
        }
        if (!matches(u, u->at))
            continue;
        struct pres_presence p;
        pres_table_presence(table, u->at, &p);
        struct jv *row = gw_report_row(u->gateway, u->at, &p);
        if (u->any)
            buf_addc(&u->rows, ',');
        u->any = true;
        jv_write(&u->rows, row, false);
        jv_free(&row);
    }
}

static bool matches(const struct users *u, pres_id id)
{
    if (u->state) {
        struct pres_presence p;
        pres_table_presence(gw_table(u->gateway), id, &p);
        if (strcmp(u->state, pres_kind_name(p.state)) != 0)
            return false;
    }
    const struct gw_config *config = gw_config(u->gateway);
    size_t number = pres_table_server(gw_table(u->gateway), id);
    return !u->server || (number < config->servers_count && strcmp(config->servers[number].name, u->server) == 0);
}

static void go_on(void *arg)
{
    struct users *u = arg;
    u->resting = false;
    httpd_stream_wake(u->http);
}

static void gone(void *arg)
{
    struct users *u = arg;
    loop_undefer(gw_loop(u->gateway), go_on, u);
    buf_free(&u->rows);
    free(u->state);
    free(u->server);
    free(u);
}
