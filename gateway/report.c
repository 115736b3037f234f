/*
 * report: see report.h. Reads gateway.h's views and changes nothing. The trees are for people and their scripts: built
 * when somebody asks, never on a poll's path.
 */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "check.h"
#include "gateway.h"
#include "inlet.h"
#include "keep.h"
#include "outlets.h"
#include "policy.h"
#include "rush.h"

enum { DAY_S = 86400, CERTIFICATE_WARNING_S = 21 * DAY_S };

static struct jv *differs_object(const struct gw_differs *differs);
static struct jv *freshness(struct gateway *g);
static struct jv *next_mass(struct gateway *g);
static struct jv *server_list(struct gateway *g);
static struct jv *cause_list(struct gateway *g);
static struct jv *cause_object(const struct dav_cause *cause, const struct gw_advice_names *names);
static struct gw_advice_names names_of(struct gateway *g, const char *server, pres_id person);
static struct jv *warning_list(struct gateway *g);
static void add_warning(struct jv *list, const char *server, const char *code, const char *text);
static struct jv *server_object(const struct gw_server_view *view);
static void add_freshness(struct jv *v, const struct gw_server_view *view);
static struct jv *outlet_list(struct gateway *g);
static struct jv *listeners(struct gateway *g);
static struct jv *persons_by_state(struct gateway *g);

struct jv *gw_report_time(int64_t t)
{
    char text[UTC_TEXT_MAX];
    return t == 0 || t == PRES_NEVER ? jv_null() : jv_string(utc_rfc3339(t, text));
}

struct jv *gw_report_status(struct gateway *g)
{
    struct gw_stats stats;
    struct pres_table_stats table;
    gw_stats(g, &stats);
    pres_table_stats(gw_table(g), &table);

    struct jv *v = jv_object();
    jv_set_str(v, "version", FB_VERSION);
    jv_set_str(v, "config", gw_config(g)->path);
    jv_set(v, "started_at", gw_report_time(gw_started_at(g)));
    jv_set(v, "reloaded_at", gw_report_time(gw_reloaded_at(g)));
    jv_set_str(v, "reload_error", gw_reload_error(g));
    jv_set_bool(v, "ready", stats.ready);
    jv_set(v, "listen", listeners(g));
    jv_set(v, "persons", persons_by_state(g));
    jv_set_int(v, "subscribers", (int64_t)gw_http_subscribers(gw_http(g)));
    struct jv *polls = jv_object();
    jv_set_int(polls, "ok", (int64_t)stats.polls_ok);
    jv_set_int(polls, "failed", (int64_t)stats.polls_failed);
    jv_set_int(polls, "running", (int64_t)stats.polls_running);
    jv_set(v, "polls", polls);
    struct jv *transitions = jv_object();
    jv_set_int(transitions, "reported", (int64_t)table.transitions);
    jv_set_int(transitions, "worst_late_ms", table.worst_late_ms);
    jv_set_int(transitions, "last_hour", (int64_t)table.hour_changes);
    jv_set_int(transitions, "last_hour_late", (int64_t)table.hour_late);
    jv_set(transitions, "next_at", gw_report_time(table.next_change_at));
    jv_set(transitions, "next_mass", next_mass(g));
    jv_set(v, "transitions", transitions);
    jv_set(v, "oldest_as_of", gw_report_time(table.oldest_as_of));
    jv_set(v, "freshness", freshness(g));
    struct jv *causes = cause_list(g);
    jv_set_bool(v, "well", jv_count(causes) == 0 && gw_outlets_well(g) && gw_keep_well(g));
    jv_set(v, "state", gw_keep_report(g));
    jv_set(v, "outlets", outlet_list(g));
    jv_set(v, "servers", server_list(g));
    jv_set(v, "warnings", warning_list(g));
    return jv_set(v, "causes", causes);
}

/* Of everybody, whatever server they are on. */
static struct jv *freshness(struct gateway *g)
{
    size_t fresh = 0, ageing = 0, stale = 0, unknown = 0;
    for (size_t i = 0; i < gw_server_count(g); i++) {
        struct gw_server_view view;
        gw_server_view(g, i, &view);
        fresh += view.fresh, ageing += view.ageing, stale += view.stale, unknown += view.unknown;
    }
    struct jv *v = jv_set_int(jv_object(), "fresh", (int64_t)fresh);
    jv_set_int(v, "ageing", (int64_t)ageing);
    jv_set_int(v, "stale", (int64_t)stale);
    return jv_set_int(v, "unknown", (int64_t)unknown);
}

static struct jv *next_mass(struct gateway *g)
{
    struct gw_rush_view rush;
    if (!gw_rush(g, &rush))
        return jv_null();
    return jv_set_int(jv_set(jv_object(), "at", gw_report_time(rush.at)), "persons", (int64_t)rush.persons);
}

struct jv *gw_report_row(struct gateway *g, pres_id id, const struct pres_presence *p)
{
    struct pres_table *table = gw_table(g);
    struct jv *row = gw_report_presence_object(pres_table_publish_as(table, id), p);
    jv_set_str(row, "group", pres_table_group(table, id));
    size_t number = pres_table_server(table, id);
    return jv_set_str(row, "server", number < gw_config(g)->servers_count ? gw_config(g)->servers[number].name : NULL);
}

struct jv *gw_report_servers(struct gateway *g)
{
    return jv_set(jv_object(), "servers", server_list(g));
}

struct jv *gw_report_causes(struct gateway *g)
{
    return jv_set(jv_object(), "causes", cause_list(g));
}

struct jv *gw_report_presence(struct gateway *g, pres_id id)
{
    struct pres_presence p;
    pres_table_presence(gw_table(g), id, &p);
    return gw_report_presence_object(pres_table_publish_as(gw_table(g), id), &p);
}

struct jv *gw_report_presence_object(const char *address, const struct pres_presence *p)
{
    struct jv *v = jv_object();
    jv_set_str(v, "address", address);
    jv_set_str(v, "state", pres_kind_name(p->state));
    jv_set(v, "since", gw_report_time(p->since));
    jv_set(v, "until", gw_report_time(p->until));
    struct jv *next = jv_null();
    if (p->next.some) {
        jv_free(&next);
        next = jv_object();
        jv_set_str(next, "state", pres_kind_name(p->next.kind));
        jv_set(next, "start", gw_report_time(p->next.start));
        jv_set(next, "end", gw_report_time(p->next.end));
    }
    jv_set(v, "next", next);
    jv_set(v, "as_of", gw_report_time(p->as_of));
    jv_set(v, "valid_until", gw_report_time(p->valid_until));
    return jv_set_str(v, "reason", p->reason);
}

struct jv *gw_report_failure(struct gateway *g, pres_id id, const char *code, const char *evidence)
{
    if (!code)
        return jv_null();
    struct gw_person_view view;
    gw_person_view(g, id, &view);
    struct gw_advice_names names = names_of(g, view.server, id);
    return jv_set_str(cause_object(dav_cause_find(code), &names), "evidence", evidence);
}

static struct gw_advice_names names_of(struct gateway *g, const char *server, pres_id person)
{
    struct gw_advice_names names = {.server = server,
                                    .person = person == PRES_NOBODY ? NULL : pres_table_address(gw_table(g), person)};
    for (unsigned i = 0; i < gw_config(g)->servers_count; i++)
        if (strcmp(gw_config(g)->servers[i].name, server) == 0)
            names.account = gw_config(g)->servers[i].account;
    return names;
}

/* Of what davclient remembers of a CalDAV person, the paths of the calendars; anything else is such a path itself. */
static char *calendar_of(const char *remember)
{
    if (!remember || !str_starts(remember, "caldav"))
        return mem_strdup_or_null(remember);
    struct buf paths;
    buf_init(&paths, 4096);
    for (const char *at = remember; (at = strchr(at, '\n')) && *++at;) {
        if (at[0] != '=' || at[1] != ' ')
            continue;
        if (paths.len > 0)
            buf_addc(&paths, ' ');
        buf_add(&paths, at + 2, strcspn(at + 2, " \n"));
    }
    return buf_take(&paths);
}

/* What the person's own word lets others be told at the most, of the calendar no more than that; null: it says nothing.
 */
static struct jv *audience_object(const struct gateway *g, pres_id id)
{
    enum pres_level level;
    const char *by;
    int64_t until;
    if (!gw_policy_narrowing(g, id, &level, &by, &until))
        return jv_null();
    struct jv *v = jv_set_str(jv_object(), "level", pres_level_name(level));
    jv_set_str(v, "by", by);
    return jv_set(v, "until", until == PRES_NEVER ? jv_null() : gw_report_time(until));
}

struct jv *gw_report_person(struct gateway *g, pres_id id)
{
    struct gw_person_view view;
    gw_person_view(g, id, &view);
    struct jv *v = gw_report_presence(g, id);
    jv_set_str(v, "configured_as", pres_table_address(gw_table(g), id));
    jv_set_str(v, "group", pres_table_group(gw_table(g), id));
    jv_set_str(v, "server", view.server);
    char *calendar = calendar_of(view.remember);
    jv_set_str(v, "calendar", calendar ? calendar : view.path);
    free(calendar);
    jv_set(v, "last_asked_at", gw_report_time(view.last_asked_at));
    jv_set(v, "last_ok_at", gw_report_time(view.last_ok_at));
    jv_set(v, "next_poll_at", gw_report_time(view.next_poll_at));
    jv_set_int(v, "broken_items", view.skipped);
    jv_set_str(v, "way", view.way);
    jv_set(v, "differs", differs_object(&view.differs));
    jv_set(v, "failure", gw_report_failure(g, id, view.code, view.evidence));
    jv_set(v, "audience", audience_object(g, id));

    struct pres_known known;
    pres_table_known(gw_table(g), id, &known);
    struct jv *busy = jv_array();
    for (size_t i = 0; i < pres_set_count(known.set); i++) {
        struct pres_interval one = pres_set_at(known.set, i);
        struct jv *row = jv_set_str(jv_object(), "state", pres_kind_name(one.kind));
        jv_set(row, "start", gw_report_time(one.start));
        jv_set(row, "end", gw_report_time(one.end));
        jv_add(busy, row);
    }
    return jv_set(v, "intervals", busy);
}

/* Published free/busy and calendar disagree. */
static struct jv *differs_object(const struct gw_differs *differs)
{
    if (differs->at == 0)
        return jv_null();
    struct jv *v = jv_set(jv_object(), "at", gw_report_time(differs->at));
    jv_set_str(v, "published", pres_kind_name((enum pres_kind)differs->published));
    jv_set_str(v, "calendar", pres_kind_name((enum pres_kind)differs->calendar));
    return jv_set(v, "since", gw_report_time(differs->since));
}

static struct jv *server_list(struct gateway *g)
{
    struct jv *list = jv_array();
    for (size_t i = 0; i < gw_server_count(g); i++) {
        struct gw_server_view view;
        gw_server_view(g, i, &view);
        jv_add(list, server_object(&view));
    }
    return list;
}

static struct jv *cause_list(struct gateway *g)
{
    size_t max = gw_server_count(g) * dav_cause_count();
    struct gw_cause_row *rows = mem_calloc(max + 1, sizeof(*rows));
    size_t n = gw_causes(g, rows, max);
    struct jv *list = jv_array();
    for (size_t i = 0; i < n; i++) {
        struct gw_advice_names names = names_of(g, rows[i].server, rows[i].example);
        struct jv *row = cause_object(rows[i].cause, &names);
        jv_set_str(row, "server", rows[i].server);
        jv_set_int(row, "persons", (int64_t)rows[i].persons);
        jv_set(row, "since", gw_report_time(rows[i].since));
        jv_set_str(row, "evidence", rows[i].evidence[0] ? rows[i].evidence : NULL);
        jv_set_str(row, "example",
                   rows[i].example == PRES_NOBODY ? NULL : pres_table_address(gw_table(g), rows[i].example));
        jv_add(list, row);
    }
    free(rows);
    return list;
}

/* What is well today and will not be for long, or only seems well. */
static struct jv *warning_list(struct gateway *g)
{
    struct jv *list = jv_array();
    for (size_t i = 0; i < gw_server_count(g); i++) {
        struct gw_server_view view;
        char text[300], end[UTC_TEXT_MAX];
        gw_server_view(g, i, &view);
        int64_t left = view.session.cert_not_after - view.now;
        long long days = left > 0 ? (long long)(left / DAY_S) : 0;
        if (view.session.cert_not_after && left < CERTIFICATE_WARNING_S) {
            snprintf(text, sizeof(text), "The server's certificate ends on %.10s, in %lld day%s: have it renewed.",
                     utc_rfc3339(view.session.cert_not_after, end), days, days == 1 ? "" : "s");
            add_warning(list, view.config->name, "certificate-ends-soon", text);
        }
        if (view.secret_note)
            add_warning(list, view.config->name, "secret-not-in-use", view.secret_note);
    }
    return list;
}

static void add_warning(struct jv *list, const char *server, const char *code, const char *text)
{
    struct jv *row = jv_set_str(jv_object(), "server", server);
    jv_set_str(row, "code", code);
    jv_add(list, jv_set_str(row, "text", text));
}

static struct jv *cause_object(const struct dav_cause *cause, const struct gw_advice_names *names)
{
    struct jv *v = jv_object();
    if (!cause)
        return v;
    jv_set_str(v, "code", cause->code);
    jv_set_str(v, "meaning", cause->meaning);
    char *advice = gw_advice(cause->advice, names);
    jv_set_str(v, "advice", advice);
    free(advice);
    return v;
}

static struct jv *server_object(const struct gw_server_view *view)
{
    static const char *const kinds[] = {
        [GW_KIND_EXCHANGE] = "exchange", [GW_KIND_CALDAV] = "caldav", [GW_KIND_IFB] = "ifb", [GW_KIND_RELAY] = "relay"};
    const struct dav_session_info *s = &view->session;
    struct jv *v = jv_object();
    jv_set_str(v, "name", view->config->name);
    jv_set_str(v, "kind", kinds[view->config->kind]);
    jv_set_str(v, "url", view->config->url);
    jv_set_str(v, "state", s->state);
    jv_set_str(v, "product", s->product);
    jv_set_str(v, "scheme", s->scheme);
    jv_set_str(v, "offered", s->offered);
    jv_set_str(v, "chosen_because", s->chosen_because);
    jv_set_str(v, "server_says", s->server_says);
    jv_set_int(v, "handshakes", (int64_t)s->handshakes);
    jv_set_int(v, "connections", s->connections);
    jv_set_int(v, "max_connections", view->config->max_connections);
    jv_set_int(v, "running", s->running);
    jv_set_int(v, "waiting", s->waiting);
    jv_set_int(v, "requests", (int64_t)s->requests);
    jv_set(v, "requests_per_second", jv_real(view->rate));
    jv_set_int(v, "failures", (int64_t)s->failures);
    jv_set_int(v, "rejected_logons", (int64_t)s->rejected_logons);
    jv_set_int(v, "bytes_in", (int64_t)s->bytes_in);
    jv_set_int(v, "latency_ms", s->latency_ms);
    jv_set(v, "last_ok", gw_report_time(s->last_ok));
    jv_set(v, "retry_at", gw_report_time(s->retry_at));
    jv_set(v, "certificate_until", gw_report_time(s->cert_not_after));
    jv_set(v, "secret_changed_at", gw_report_time(view->secret_changed_at));
    jv_set(v, "secret_age_s", view->secret_changed_at ? jv_int(view->now - view->secret_changed_at) : jv_null());
    jv_set_str(v, "secret_note", view->secret_note);
    jv_set_str(v, "changes", s->changes);
    jv_set(v, "relay", view->relay ? gw_inlet_report(view->relay) : jv_null());
    add_freshness(v, view);
    struct gw_advice_names names = {.server = view->config->name, .account = view->config->account};
    struct jv *failure = s->code ? cause_object(dav_cause_find(s->code), &names) : jv_null();
    if (s->code) {
        jv_set_str(failure, "evidence", s->evidence);
        jv_set(failure, "since", gw_report_time(s->failing_since));
    }
    return jv_set(v, "failure", failure);
}

static void add_freshness(struct jv *v, const struct gw_server_view *view)
{
    struct jv *persons = jv_object();
    jv_set_int(persons, "all", (int64_t)view->persons);
    jv_set_int(persons, "fresh", (int64_t)view->fresh);
    jv_set_int(persons, "ageing", (int64_t)view->ageing);
    jv_set_int(persons, "stale", (int64_t)view->stale);
    jv_set_int(persons, "unknown", (int64_t)view->unknown);
    jv_set(v, "persons", persons);
    jv_set(v, "oldest_as_of", gw_report_time(view->oldest_as_of));
    struct jv *budget = jv_object();
    jv_set(budget, "requests_per_poll", jv_real(view->per_poll));
    jv_set(budget, "requests_per_second_needed", jv_real(view->budget.requests_per_second));
    jv_set(budget, "max_requests_per_second", jv_real(view->config->max_requests_per_second));
    jv_set(budget, "connections_needed", jv_real(view->budget.connections));
    jv_set_int(budget, "max_connections", view->config->max_connections);
    jv_set(budget, "interval_s", jv_real((double)view->budget.interval_ms / 1000));
    jv_set(budget, "freshness_s", jv_real((double)view->budget.freshness_ms / 1000));
    jv_set_str(budget, "limited_by", view->budget.limited_by);
    jv_set(v, "budget", budget);
}

static struct jv *outlet_list(struct gateway *g)
{
    enum { COUNTS_MAX = 20 };
    struct jv *list = jv_array();
    for (size_t i = 0; i < gw_outlet_count(g); i++) {
        struct pres_publisher_status s;
        struct pres_count counts[COUNTS_MAX];
        gw_outlet_status(g, i, &s);
        size_t n = gw_outlet_counts(g, i, counts, COUNTS_MAX);
        struct jv *v = jv_set_str(jv_object(), "name", s.name);
        jv_set_str(v, "state", s.state);
        jv_set(v, "since", gw_report_time(s.since));
        jv_set(v, "last_up_at", gw_report_time(s.last_up_at));
        jv_set(v, "proved_at", gw_report_time(s.proved_at));
        jv_set(v, "retry_at", gw_report_time(s.retry_at));
        jv_set_str(v, "code", s.code);
        const char *advice, *meaning = gw_outlet_cause(s.code, &advice);
        jv_set_str(v, "evidence", s.code ? s.text : NULL);
        jv_set_str(v, "meaning", meaning);
        jv_set_str(v, "advice", advice);
        jv_set_str(v, "tells_of", s.names_watched ? "watched" : "everybody");
        jv_set_int(v, "waiting", (int64_t)s.waiting);
        jv_set_int(v, "delivered", (int64_t)s.delivered);
        jv_set_int(v, "messages", (int64_t)s.messages);
        jv_set_int(v, "replaced", (int64_t)s.replaced);
        jv_set_int(v, "failures", (int64_t)s.failures);
        for (size_t k = 0; k < n; k++)
            jv_set_int(v, counts[k].name, (int64_t)counts[k].value);
        jv_add(list, v);
    }
    return list;
}

/* "127.0.0.1:8008", with the port that was bound where the configuration says 0. */
static struct jv *listeners(struct gateway *g)
{
    const struct gw_config_http *http = &gw_config(g)->http;
    struct jv *list = jv_array();
    for (unsigned i = 0; i < http->listen_count; i++) {
        const char *configured = http->listen[i];
        int host = 0;
        for (int at = 0; configured[at]; at++)
            host = configured[at] == ':' ? at : host;
        char text[300];
        snprintf(text, sizeof(text), "%.*s:%u", host, configured, gw_http_port(gw_http(g), i));
        jv_add(list, jv_string(text));
    }
    return list;
}

static struct jv *persons_by_state(struct gateway *g)
{
    struct pres_table_stats table;
    pres_table_stats(gw_table(g), &table);
    struct jv *v = jv_object();
    jv_set_int(v, "all", (int64_t)table.persons);
    for (int kind = 0; kind < PRES_KINDS; kind++)
        jv_set_int(v, pres_kind_name((enum pres_kind)kind), (int64_t)table.by_state[kind]);
    return v;
}
