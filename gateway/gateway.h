/*
 * gateway: the daemon as one object: it owns every part (configuration, sessions, table, journal, poller, listeners,
 * control socket), starts them in order, reloads them whole or not at all, and stops them in the reverse order.
 *
 * The faces (http_*.c, ctl*.c) see the daemon only through this header, config.h and presence's public headers.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "budget.h"
#include "config.h"
#include "davclient/query.h"
#include "davclient/result.h"
#include "davclient/session.h"
#include "presence/journal.h"
#include "presence/table.h"

struct loop;
struct gateway;
struct gw_inlet;

/* Takes the configuration. NULL with a sentence in why when something cannot start (a port in use, a secret gone).
 * Polling starts with the loop. */
struct gateway *gw_new(struct loop *loop, struct gw_config *config, char *why, size_t why_size);

/* Stops: listeners first, then polls, then sessions. */
void gw_free(struct gateway **g);

/*
 * Reads the file again; whole or not at all. A policy that tells anybody more must be confirmed. `done` comes once,
 * from the loop, never before this returned, not when the gateway is freed: with the reason, or a line of what changed.
 */
struct gw_reload;
typedef void gw_reload_fn(void *arg, bool ok, const char *why);
struct gw_reload *gw_reload(struct gateway *g, bool confirmed, gw_reload_fn *done, void *arg);
void gw_reload_forget(struct gw_reload **r); /* it goes on, but `done` does not come */

struct loop *gw_loop(const struct gateway *g);
const struct gw_config *gw_config(const struct gateway *g);
struct pres_table *gw_table(const struct gateway *g);
struct pres_journal *gw_journal(const struct gateway *g);
struct pres_sip_doc;
const struct pres_sip_doc *gw_pidf(const struct gateway *g); /* how the site writes PIDF */
int64_t gw_started_at(const struct gateway *g);       /* wall s */
int64_t gw_reloaded_at(const struct gateway *g);      /* wall s, 0: never */
const char *gw_reload_error(const struct gateway *g); /* why the last reload failed, NULL: it did not */

/* Servers in the order of the file. */
struct gw_server_view {
    const struct gw_config_server *config;
    struct dav_session_info session;
    size_t persons, fresh, ageing, stale,
        unknown;          /* ageing: last poll failed, but not stale yet. fresh+ageing+stale+unknown = persons */
    bool asked;           /* answered once, or its failure is known: counts for readyz */
    int64_t oldest_as_of; /* of its persons, 0: none read */
    struct gw_budget budget;
    double rate;               /* requests a second during the last minute */
    double per_poll;           /* requests that a poll takes, lately; 0: nobody was asked yet */
    const char *secret_note;   /* e.g. "new secret refused, old one still in use"; NULL */
    int64_t secret_changed_at; /* wall s */
    int64_t now;               /* wall s */
    const struct gw_inlet *relay; /* of kind relay; NULL */
};
size_t gw_server_count(const struct gateway *g);
void gw_server_view(const struct gateway *g, size_t i, struct gw_server_view *ret); /* borrowed until the next turn */

/* Failures grouped by (server, code): one row per cause, worst (most persons) first. Whole-server causes count all its
 * persons. */
struct gw_cause_row {
    const char *server;
    const struct dav_cause *cause;
    size_t persons;
    int64_t since;
    char evidence[200];
    pres_id example; /* one person concerned, PRES_NOBODY for a whole-server cause */
};
size_t gw_causes(const struct gateway *g, struct gw_cause_row *rows, size_t max);

/* Where a person's published free/busy and calendar disagree, for longer than publishing takes. */
struct gw_differs {
    int64_t at;    /* the moment that was looked at; 0: nowhere, as far as is known */
    int64_t since; /* wall s, when that was first seen */
    enum dav_busy published, calendar;
};

/* What happened with one person's polls. */
struct gw_person_view {
    const char *server;
    const char *path;                                /* override, NULL */
    const char *remember;                            /* where the calendar was found, NULL */
    int64_t last_asked_at, last_ok_at, next_poll_at; /* wall s, 0: never / not planned */
    const char *code;          /* of the last failure when it is newer than the last success, NULL */
    const char *evidence;      /* this person's own, if it is kept: the last of each cause is; NULL */
    unsigned skipped;          /* broken items left out of the last answer */
    const char *way;           /* how the calendar is read and what cannot be known that way, NULL */
    struct gw_differs differs; /* at 0: what is published and the calendar agree, or it is not known yet */
};
void gw_person_view(const struct gateway *g, pres_id id, struct gw_person_view *ret);

/*
 * Asks about this person now, before everybody else. `done` (may be NULL) comes once with err DAV_OK or the failure,
 * never before this returned. What it says was asked after this call: the answer to a poll that is already on its way
 * may be of before, and another poll follows it. Cancel with gw_refresh_cancel before the asker goes away.
 */
typedef void gw_refresh_fn(void *arg, enum dav_err err, const char *code);
struct gw_refresh;
struct gw_refresh *gw_refresh(struct gateway *g, pres_id id, gw_refresh_fn *done, void *arg);
void gw_refresh_cancel(struct gw_refresh **r);

/* An administrator's word that a refused secret may be tried again. False: no such server. */
bool gw_unbreak(struct gateway *g, const char *server);

/* Everything the pages and metrics count. */
struct gw_stats {
    uint64_t polls_ok, polls_failed;
    uint64_t polls_by_err[DAV_CANCELLED + 1];
    size_t polls_running;
    int64_t loop_lag_ms; /* worst since the last look */
    bool ready;          /* every server answered once or is reported */
};
void gw_stats(const struct gateway *g, struct gw_stats *ret);

/* The check as the daemon runs it, over a session of its own with the daemon's configuration; NULL server: the first.
 * See query.h. */
struct gw_check;
struct gw_check *gw_check_start(struct gateway *g, const char *server, const char *address, dav_step_fn *on_step,
                                dav_query_fn *done, void *arg);
void gw_check_cancel(struct gw_check **c);

/*
 * A duplicate, for httpd_settings.listen_fd, of the bound socket of publish.http.listen[listener]; it becomes the
 * caller's. Sockets are bound before a reload changes anything, and kept where the address stays. -1: there is none.
 */
int gw_listen_fd(const struct gateway *g, unsigned listener);

/* A dav_account (borrowed texts) for one configured server; used by sessions and by `freebusyctl check` run from the
 * file alone. */
void gw_account(const struct gw_config *config, const struct gw_config_server *server, struct dav_account *ret);

/* The password for the server's proxy, to be put into the account and freed by the caller. NULL: none is configured, or
 * it cannot be read (why). */
struct secret;
struct secret *gw_proxy_secret(const struct gw_config_server *server, char *why, size_t why_size);

/*
 * The faces' part, implemented in http_api.c and ctl.c, called by gw_new/gw_reload/gw_free. Each returns NULL with a
 * sentence in why.
 */
struct gw_http;
struct gw_http *gw_http_new(struct gateway *g, char *why, size_t why_size); /* one httpd per configured listener */
void gw_http_free(struct gw_http **h);
void gw_http_policy_changed(struct gw_http *h);
size_t gw_http_subscribers(const struct gw_http *h);
size_t gw_http_watching(const struct gw_http *h, pres_id id); /* open event streams that tell of this person */
bool gw_http_watched(const struct gw_http *h, void (*fn)(void *arg, pres_id id),
                     void *arg);                                 /* by event streams; as pres_watch_each() */
void gw_demand_changed(struct gateway *g);                       /* somebody watches others than before; see demand.c */
unsigned gw_http_port(const struct gw_http *h, size_t listener); /* bound port, for tests and the demo */
struct gw_ctl;
struct gw_ctl *gw_ctl_new(struct gateway *g, char *why, size_t why_size);
void gw_ctl_free(struct gw_ctl **c);
struct gw_http *gw_http(const struct gateway *g);
struct gw_gate;
struct gw_gate *gw_gate(const struct gateway *g);

#endif
