/*
 * metrics: the counters as Prometheus text (exposition format 0.0.4). Names are stable: alert rules hang on them.
 * Labels are the server's name from the configuration and words of our own, never an address.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway.h"
#include "http_face.h"
#include "outlets.h"
#include "inlet.h"
#include "rush.h"
#include "who.h"

enum { METRICS_BYTES_MAX = 4 * 1024 * 1024, CAUSES_MAX = 100 };

/* One number of each server, by a getter. */
struct server_metric {
    const char *name, *type, *help;
    double (*value)(const struct gw_server_view *view);
};

static double up(const struct gw_server_view *v)
{
    return v->session.last_ok && !v->session.code ? 1 : 0;
}
static double requests(const struct gw_server_view *v)
{
    return (double)v->session.requests;
}
static double failures(const struct gw_server_view *v)
{
    return (double)v->session.failures;
}
static double rejected_logons(const struct gw_server_view *v)
{
    return (double)v->session.rejected_logons;
}
static double bytes_in(const struct gw_server_view *v)
{
    return (double)v->session.bytes_in;
}
static double connections(const struct gw_server_view *v)
{
    return v->session.connections;
}
static double latency(const struct gw_server_view *v)
{
    return (double)v->session.latency_ms / 1000;
}
static double certificate_until(const struct gw_server_view *v)
{
    return (double)v->session.cert_not_after;
}
static double oldest(const struct gw_server_view *v)
{
    return (double)v->oldest_as_of;
}

static const struct server_metric server_metrics[] = {
    {"freebusyd_server_up", "gauge", "1 when the server's last answer was good.", up},
    {"freebusyd_server_requests_total", "counter", "HTTP requests sent to the server.", requests},
    {"freebusyd_server_request_failures_total", "counter", "Requests that brought no usable answer.", failures},
    {"freebusyd_server_rejected_logons_total", "counter", "Logons that the server refused.", rejected_logons},
    {"freebusyd_server_received_bytes_total", "counter", "Bytes of answers from the server.", bytes_in},
    {"freebusyd_server_connections", "gauge", "Connections open to the server.", connections},
    {"freebusyd_server_latency_seconds", "gauge", "Moving average of the time that one request takes.", latency},
    {"freebusyd_server_certificate_expiry_seconds", "gauge",
     "End of the certificate, seconds since 1970; 0 without TLS.", certificate_until},
    {"freebusyd_server_oldest_answer_seconds", "gauge", "Age mark of the oldest answer in use, seconds since 1970.",
     oldest},
};

static void add_head(struct buf *b, const char *name, const char *type, const char *help);
static void add_one(struct buf *b, const char *name, const char *type, const char *help, double value);
static void add_label(struct buf *b, const char *value);
static void add_transitions(struct buf *b, struct gateway *g);
static void add_servers(struct buf *b, struct gateway *g);
static void add_freshness(struct buf *b, const struct gw_server_view *view);
static void add_persons(struct buf *b, struct gateway *g);
static void add_polls(struct buf *b, struct gateway *g);
static void add_causes(struct buf *b, struct gateway *g);
static void add_outlets(struct buf *b, struct gateway *g);
static void add_refusals(struct buf *b, struct gateway *g);

void gw_http_get_metrics(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    static const char *const headers[] = {"Content-Type: text/plain; version=0.0.4; charset=utf-8", NULL};
    struct buf b;
    buf_init(&b, METRICS_BYTES_MAX);
    gw_metrics_write(face->gateway, &b);
    size_t len = b.len;
    httpd_reply_take(req, 200, headers, buf_take(&b), len);
}

void gw_metrics_write(struct gateway *g, struct buf *out)
{
    add_head(out, "freebusyd_build_info", "gauge", "Always 1; the version is a label.");
    buf_adds(out, "freebusyd_build_info{version=\"" FB_VERSION "\"} 1\n");
    add_one(out, "freebusyd_start_time_seconds", "gauge", "When the daemon started.", (double)gw_started_at(g));
    add_persons(out, g);
    add_transitions(out, g);
    add_polls(out, g);
    add_servers(out, g);
    add_causes(out, g);
    gw_inlet_metrics(out, g);
    add_outlets(out, g);
    add_refusals(out, g);
    add_one(out, "freebusyd_subscribers", "gauge", "Open event streams.", (double)gw_http_subscribers(gw_http(g)));
}

static void add_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_one(struct buf *b, const char *name, const char *type, const char *help, double value)
{
    add_head(b, name, type, help);
    buf_addf(b, "%s %.15g\n", name, value);
}

/* Backslash, quote and line end are the three that the format escapes. */
static void add_label(struct buf *b, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buf_addc(b, '\\');
        buf_adds(b, *value == '\n' ? "\\n" : (char[]){*value, '\0'});
    }
}

static void add_persons(struct buf *b, struct gateway *g)
{
    struct pres_table_stats t;
    pres_table_stats(gw_table(g), &t);
    add_head(b, "freebusyd_persons", "gauge", "Persons by their present state.");
    for (int kind = 0; kind < PRES_KINDS; kind++)
        buf_addf(b, "freebusyd_persons{state=\"%s\"} %zu\n", pres_kind_name((enum pres_kind)kind), t.by_state[kind]);
}

static void add_transitions(struct buf *b, struct gateway *g)
{
    struct pres_table_stats t;
    struct gw_rush_view rush = {0, 0};
    pres_table_stats(gw_table(g), &t);
    add_one(b, "freebusyd_transitions_total", "counter", "Changes of presence that were reported.",
            (double)t.transitions);
    add_one(b, "freebusyd_transition_lateness_seconds", "gauge", "Worst delay of a transition in the last hour.",
            (double)t.worst_late_ms / 1000);
    add_head(b, "freebusyd_transitions_last_hour", "gauge",
             "Changes of the last hour that a clock brought, by whether they were reported within a second of theirs.");
    buf_addf(b, "freebusyd_transitions_last_hour{punctual=\"yes\"} %zu\n", t.hour_changes - t.hour_late);
    buf_addf(b, "freebusyd_transitions_last_hour{punctual=\"no\"} %zu\n", t.hour_late);
    if (!gw_rush(g, &rush))
        rush = (struct gw_rush_view){0, 0};
    add_one(b, "freebusyd_next_mass_change_time_seconds", "gauge",
            "The minute of the coming day in which most persons change, seconds since 1970; 0: not known.",
            (double)rush.at);
    add_one(b, "freebusyd_next_mass_change_persons", "gauge", "How many persons change in that minute.",
            (double)rush.persons);
}

static void add_polls(struct buf *b, struct gateway *g)
{
    struct gw_stats s;
    gw_stats(g, &s);
    add_head(b, "freebusyd_polls_total", "counter", "Answered questions about a person, by outcome.");
    for (int err = 0; err <= DAV_CANCELLED; err++)
        buf_addf(b, "freebusyd_polls_total{outcome=\"%s\"} %" PRIu64 "\n", dav_err_name((enum dav_err)err),
                 s.polls_by_err[err]);
    add_one(b, "freebusyd_polls_running", "gauge", "Questions under way.", (double)s.polls_running);
    add_one(b, "freebusyd_ready", "gauge", "1 when every server answered once or is reported.", s.ready ? 1 : 0);
}

static void add_servers(struct buf *b, struct gateway *g)
{
    size_t n = gw_server_count(g);
    struct gw_server_view *views = mem_calloc(n + 1, sizeof(*views));
    for (size_t i = 0; i < n; i++)
        gw_server_view(g, i, &views[i]);
    for (size_t m = 0; m < sizeof(server_metrics) / sizeof(*server_metrics); m++) {
        const struct server_metric *metric = &server_metrics[m];
        add_head(b, metric->name, metric->type, metric->help);
        for (size_t i = 0; i < n; i++) {
            buf_addf(b, "%s{server=\"", metric->name);
            add_label(b, views[i].config->name);
            buf_addf(b, "\"} %.15g\n", metric->value(&views[i]));
        }
    }
    add_head(b, "freebusyd_server_persons", "gauge",
             "Persons of the server by how well they are known; ageing: the last poll failed.");
    for (size_t i = 0; i < n; i++)
        add_freshness(b, &views[i]);
    free(views);
}

static void add_freshness(struct buf *b, const struct gw_server_view *view)
{
    const struct {
        const char *name;
        size_t persons;
    } rows[] = {
        {"fresh", view->fresh}, {"ageing", view->ageing}, {"stale", view->stale}, {"unknown", view->unknown}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        buf_adds(b, "freebusyd_server_persons{server=\"");
        add_label(b, view->config->name);
        buf_addf(b, "\",freshness=\"%s\"} %zu\n", rows[i].name, rows[i].persons);
    }
}

static void add_causes(struct buf *b, struct gateway *g)
{
    struct gw_cause_row rows[CAUSES_MAX];
    size_t n = gw_causes(g, rows, CAUSES_MAX);
    add_head(b, "freebusyd_persons_failing", "gauge", "Persons whose last poll failed, by server and cause.");
    for (size_t i = 0; i < n && i < CAUSES_MAX; i++) {
        buf_adds(b, "freebusyd_persons_failing{server=\"");
        add_label(b, rows[i].server);
        buf_addf(b, "\",code=\"%s\"} %zu\n", rows[i].cause->code, rows[i].persons);
    }
}

static void add_outlets(struct buf *b, struct gateway *g)
{
    static const struct {
        const char *name, *type, *help;
    } rows[] = {{"freebusyd_outlet_up", "gauge", "1 when the outlet is connected."},
                {"freebusyd_outlet_waiting", "gauge", "Persons whose new state waits to be handed over."},
                {"freebusyd_outlet_messages_total", "counter", "Messages handed over."},
                {"freebusyd_outlet_replaced_total", "counter", "States that a newer one replaced while they waited."},
                {"freebusyd_outlet_failures_total", "counter", "Connections that failed or were lost."}};
    for (size_t m = 0; m < sizeof(rows) / sizeof(*rows) && gw_outlet_count(g) > 0; m++) {
        add_head(b, rows[m].name, rows[m].type, rows[m].help);
        for (size_t i = 0; i < gw_outlet_count(g); i++) {
            struct pres_publisher_status s;
            gw_outlet_status(g, i, &s);
            const uint64_t values[] = {strcmp(s.state, "up") == 0, s.waiting, s.messages, s.replaced, s.failures};
            buf_addf(b, "%s{outlet=\"%s\"} %" PRIu64 "\n", rows[m].name, s.name, values[m]);
        }
    }
}

static void add_refusals(struct buf *b, struct gateway *g)
{
    const char *why;
    uint64_t count;
    add_head(b, "freebusyd_http_refused_total", "counter", "Requests refused for who sent them, or how they said so.");
    for (size_t i = 0; gw_gate_count(gw_gate(g), i, &why, &count), why; i++)
        buf_addf(b, "freebusyd_http_refused_total{why=\"%s\"} %" PRIu64 "\n", why, count);
}
