/*
 * sim_http: the way of a request through the server. It is counted, delayed or dropped if a switch says so, must log
 * on, and is then led to the mailbox and method it names.
 */
#include "base/arena.h"
#include "base/httpd.h"
#include "base/loop.h"
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

#define ARENA_MAX (256u << 20)

static void go(struct sim_request *r);

void sim_request_free(struct sim_request *r)
{
    loop_timer_free(&r->delay);
    arena_free(&r->arena);
    free(r);
}

static void request_gone(void *arg)
{
    sim_request_free(arg);
}

static void delay_over(void *arg)
{
    struct sim_request *r = arg;
    httpd_on_gone(r->req, NULL, NULL);
    go(r);
}

static void connection_free(void *data)
{
    struct sim_connection *c = data;
    sim_ntlm_free(&c->ntlm);
    free(c);
}

static void count_connection(struct sim *sim, struct httpd_req *req)
{
    struct sim_connection *c = httpd_connection_data(req);
    if (c == NULL) {
        c = mem_calloc(1, sizeof(*c));
        httpd_set_connection_data(req, c, connection_free);
        sim_log_connection(sim->log);
    }
    c->requests++;
}

static const char *host_of(struct sim_request *r)
{
    const char *internal = sim_fault_text(&r->sim->faults, r->node.mailbox, SIM_F_INTERNAL_HOST);
    const char *host = httpd_header(r->req, "Host");
    if (internal != NULL)
        return arena_strndup(r->arena, internal, strlen(internal));
    return host != NULL ? arena_strndup(r->arena, host, strlen(host)) : "localhost";
}

void sim_http_request(void *arg, struct httpd_req *req)
{
    struct sim *sim = arg;
    struct sim_request *r = mem_calloc(1, sizeof(*r));
    r->sim = sim;
    r->req = req;
    r->arena = arena_new(ARENA_MAX);
    r->method = arena_strndup(r->arena, httpd_method(req), strlen(httpd_method(req)));
    r->path = arena_strndup(r->arena, httpd_path(req), strlen(httpd_path(req)));
    r->scheme = httpd_is_tls(req) ? "https" : "http";
    struct sim_path_in in = {r->arena, sim->store, &sim->faults};
    r->found = sim_path_find(&in, r->path, &r->node);
    r->host = host_of(r);
    count_connection(sim, req);

    if (sim_fault_on(&sim->faults, r->node.mailbox, SIM_F_RESET)) {
        sim_log_answer(sim->log, r, 0);
        httpd_abort(req);
        sim_request_free(r);
        return;
    }
    int64_t slow = sim_fault_number(&sim->faults, r->node.mailbox, SIM_F_SLOW);
    bool hang = sim_fault_on(&sim->faults, r->node.mailbox, SIM_F_HANG);
    if (hang || slow > 0)
        httpd_on_gone(req, request_gone, r);
    if (hang) {
        sim_log_answer(sim->log, r, 0);
    } else if (slow > 0) {
        r->delay = loop_timer_new(sim->loop, "exchange-sim slow answer", delay_over, r);
        loop_timer_in(r->delay, slow);
    } else {
        go(r);
    }
}

static bool first_part_is(const char *path, const char *part)
{
    size_t len = strlen(part);
    return path[0] == '/' && str_starts_nocase(path + 1, part) && (path[1 + len] == '/' || path[1 + len] == '\0');
}

static bool is_method(const struct sim_request *r, const char *method)
{
    return strcmp(r->method, method) == 0;
}

static bool translate_f(const struct sim_request *r)
{
    const char *translate = httpd_header(r->req, "Translate");
    return translate != NULL && str_eq_nocase(translate, "f");
}

static bool is_listed(const char *list, const char *word)
{
    for (const char *p = list; p != NULL;) {
        size_t len;
        const char *rest = str_split(p, ',', &len);
        if (len == strlen(word) && strncmp(p, word, len) == 0)
            return true;
        p = rest;
    }
    return false;
}

static const char *front_page(const struct sim_request *r)
{
    if (sim_fault_is(&r->sim->faults, NULL, SIM_F_FRONT_PAGE, "address"))
        return "<html><body><h2>HTTP Error 403.6 - Forbidden: IP address of the client has been "
               "rejected.</h2></body></html>";
    if (sim_fault_is(&r->sim->faults, NULL, SIM_F_FRONT_PAGE, "portal"))
        return "<html><head><title>Welcome to the guest network</title></head><body><form action=\"/accept\">"
               "<input type=\"submit\" value=\"I accept the terms\"></form></body></html>";
    return "<html><head><title>The page cannot be found</title></head><body><h1>Not here</h1></body></html>";
}

/* Answers and returns true where something in front of Exchange does: no MS-WebStorage then, and nobody is asked who he
 * is. */
static bool refused_in_front(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    const char *to = sim_fault_text(f, NULL, SIM_F_FRONT_REDIRECT),
               *methods = sim_fault_text(f, NULL, SIM_F_FRONT_METHODS), *page = front_page(r);
    int64_t status = sim_fault_number(f, NULL, SIM_F_FRONT_STATUS);
    bool escapes =
        sim_fault_on(f, NULL, SIM_F_FRONT_ESCAPES) &&
        (strchr(r->path, '+') != NULL || strcasestr(r->path, "%2b") != NULL || strstr(r->path, "%25") != NULL);
    if (methods != NULL && !is_listed(methods, r->method))
        status = 0;
    if (to == NULL && status == 0 && !escapes)
        return false;
    sim_reply(r, &(struct sim_reply){.status = to != NULL ? 302
                                               : escapes  ? 404
                                                          : (int)status,
                                     .type = "text/html",
                                     .body = page,
                                     .len = strlen(page),
                                     .location = to,
                                     .bare = true});
    return true;
}

/* Answers and returns true when the server as a whole is not to be had this way. */
static bool refused_by_server(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    int64_t limit = sim_fault_number(f, NULL, SIM_F_URL_LIMIT);
    if (sim_fault_on(f, NULL, SIM_F_FOREIGN) &&
        (httpd_header(r->req, "Authorization") != NULL || httpd_header(r->req, "Cookie") != NULL))
        sim_log_violation(r->sim->log, r, "credentials were sent to a foreign host");
    if (sim_fault_on(f, NULL, SIM_F_HTTPS_ONLY) && !httpd_is_tls(r->req)) {
        sim_reply_page(
            r, 403,
            "<html><body><h2>This page must be viewed over a secure channel (SSL), use https.</h2></body></html>");
        return true;
    }
    if (limit > 0 && strlen(r->path) + 1 + strlen(httpd_query(r->req)) > (size_t)limit) {
        sim_reply_error(r, 414);
        return true;
    }
    return false;
}

/* Where the mailbox is not to be had, whoever asks. */
static bool refused_by_mailbox(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    const struct sim_mailbox *m = r->node.mailbox;
    const char *moved = sim_fault_text(f, m, SIM_F_MOVED);
    int64_t status = sim_fault_number(f, m, SIM_F_STATUS);
    if (is_method(r, "SEARCH") && status == 0)
        status = sim_fault_number(f, m, SIM_F_SEARCH_STATUS);
    if (sim_fault_on(f, m, SIM_F_ABSENT))
        sim_reply_error(r, 404);
    else if (moved != NULL)
        sim_reply_redirect(r, sim_arena_printf(r->arena, "%s%s", moved, r->path));
    else if (sim_fault_on(f, m, SIM_F_OFFLINE))
        sim_reply_error(r, 503);
    else if (status >= 200 && status <= 599)
        sim_reply_error(r, (int)status);
    else
        return false;
    return true;
}

static void get(struct sim_request *r)
{
    if (r->node.place == SIM_AT_PUBLIC)
        sim_freebusy(r);
    else if (r->node.place == SIM_AT_ITEM && translate_f(r))
        sim_get_item(r);
    else
        sim_owa_page(r);
}

static void options(struct sim_request *r)
{
    sim_reply(r, &(struct sim_reply){
                     .status = 200,
                     .header = "Allow: OPTIONS, TRACE, GET, HEAD, PROPFIND, SEARCH, SUBSCRIBE, UNSUBSCRIBE, POLL"});
}

/* Nothing may be written, whoever asks: 403. What nobody knows: 501. */
static void run_method(struct sim_request *r)
{
    static const char *const writes[] = {"PROPPATCH", "MKCOL",      "COPY",  "MOVE",  "DELETE",  "PUT",
                                         "POST",      "BPROPPATCH", "BCOPY", "BMOVE", "BDELETE", NULL};
    if (is_method(r, "PROPFIND")) {
        sim_propfind(r);
        return;
    }
    if (is_method(r, "SEARCH")) {
        sim_search(r);
        return;
    }
    if (is_method(r, "GET") || is_method(r, "HEAD")) {
        get(r);
        return;
    }
    if (is_method(r, "OPTIONS")) {
        options(r);
        return;
    }
    if (sim_subscribe(r))
        return;
    for (size_t i = 0; writes[i] != NULL; i++) {
        if (is_method(r, writes[i])) {
            sim_reply_error(r, 403);
            return;
        }
    }
    sim_reply_error(r, 501);
}

static void go_public(struct sim_request *r)
{
    const char *mode = sim_fault_text(&r->sim->faults, NULL, SIM_F_PUBLIC);
    if (mode == NULL || strcmp(mode, "404") == 0)
        sim_reply_error(r, 404);
    else if (strcmp(mode, "403") == 0)
        sim_reply_error(r, 403);
    else
        run_method(r);
}

static void go_mailbox(struct sim_request *r)
{
    const char *deny = sim_fault_text(&r->sim->faults, r->node.mailbox, SIM_F_DENY);
    if (refused_by_mailbox(r) || !sim_logon_may_open(r, r->node.mailbox))
        return;
    if (deny != NULL && sim_logon_deny(r, deny))
        return;
    if (r->found == SIM_PATH_NO_ITEM)
        sim_reply_error(r, is_method(r, "MKCOL") || is_method(r, "PUT") || is_method(r, "DELETE") ? 403 : 404);
    else
        run_method(r);
}

static void answer_root(struct sim_request *r)
{
    const char *how = sim_fault_text(&r->sim->faults, NULL, SIM_F_IMPLICIT);
    if (how == NULL || !sim_logon_deny(r, how))
        sim_reply_error(r, 500);
}

static void go_found(struct sim_request *r)
{
    switch (r->found) {
    case SIM_PATH_FOREIGN:
        sim_reply(r, &(struct sim_reply){
                         .status = 404, .type = "text/html", .body = "<html>404</html>", .len = 16, .bare = true});
        return;
    case SIM_PATH_BAD:
        sim_reply_error(r, 400);
        return;
    case SIM_PATH_ROOT:
        if (is_method(r, "GET") || is_method(r, "HEAD"))
            sim_owa_root(r);
        else
            answer_root(r);
        return;
    case SIM_PATH_NO_MAILBOX:
        sim_reply_error(r, 404);
        return;
    case SIM_PATH_NO_ITEM:
    case SIM_PATH_FOUND:
        break;
    }
    if (r->node.mailbox != NULL)
        go_mailbox(r);
    else if (r->found == SIM_PATH_FOUND)
        go_public(r);
    else
        sim_reply_error(r, 404);
}

static void go(struct sim_request *r)
{
    if (refused_in_front(r) || refused_by_server(r) || sim_forms_serve(r))
        return;
    if (r->found == SIM_PATH_FOREIGN && !first_part_is(r->path, "owa")) {
        go_found(r);
        return;
    }
    if (sim_logon(r))
        sim_http_go_on(r);
}

void sim_http_go_on(struct sim_request *r)
{
    if (r->found == SIM_PATH_FOREIGN)
        sim_owa_2007(r);
    else
        go_found(r);
}
