/*
 * ctl_check: the check, run by the daemon: its user, its certificates, its network. The steps go out as JSON lines
 * while they are taken, so that a slow server shows where it is slow. Behind them the outlets are tried, each with a
 * deadline of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "check.h"
#include "ctl.h"
#include "gateway.h"
#include "gateway_private.h"
#include "http_face.h"
#include "outlets.h"

enum { LINES_MAX = 256 * 1024, LOOK_MS = 50 };

struct run {
    struct gateway *gateway;
    char *server_name, *user;
    struct gw_check *check;
    struct httpd_stream *stream;
    struct buf lines; /* written, not yet pulled */
    struct buf last;  /* waits for the outlets */
    struct loop_timer *look;
    bool done;
};

static void on_step(void *arg, const struct dav_step_report *report);
static void on_done(void *arg, const struct dav_result *result);
static void on_look(void *arg);
static void end(struct run *r);
static ssize_t pull(void *arg, char *out, size_t max);
static void gone(void *arg);
static const struct gw_config_server *server_named(const struct gw_config *config, const char *name);

void gw_ctl_get_check(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    static const char *const headers[] = {"Content-Type: application/x-ndjson", NULL};
    const struct gw_config *config = gw_config(face->gateway);
    bool bad = false;
    const char *name = httpd_param(req, "server", 0, &bad), *user = httpd_param(req, "user", 0, &bad);
    const struct gw_config_server *server = server_named(config, name);
    if (!server) {
        gw_http_problem(req, 404, "no-such-server", "No server of this name is configured.");
        return;
    }
    user = user ? user : gw_check_default_user(config, server->name);
    if (!user) {
        gw_http_problem(req, 422, "check-user-missing", "This server has no person yet: name one with --user ADDRESS.");
        return;
    }
    struct run *r = mem_calloc(1, sizeof(*r));
    *r = (struct run){.gateway = face->gateway, .server_name = mem_strdup(server->name), .user = mem_strdup(user)};
    buf_init(&r->lines, LINES_MAX);
    buf_init(&r->last, LINES_MAX);
    r->look = loop_timer_new(face->gateway->loop, "check", on_look, r);
    r->check = gw_check_start(face->gateway, r->server_name, r->user, on_step, on_done, r);
    r->stream = httpd_stream_start(req, 200, headers, pull, gone, r);
}

static void on_step(void *arg, const struct dav_step_report *report)
{
    struct run *r = arg;
    struct dav_account account;
    /* By name: a reload may have come in between. */
    const struct gw_config_server *server = server_named(gw_config(r->gateway), r->server_name);
    if (server)
        gw_account(gw_config(r->gateway), server, &account);
    gw_check_step_line(&r->lines, report, server ? &account : NULL, r->user);
    httpd_stream_wake(r->stream);
}

static void on_done(void *arg, const struct dav_result *result)
{
    struct run *r = arg;
    r->check = NULL;
    gw_check_done_line(&r->last, result, r->server_name, r->user, "daemon");
    if (result->err == DAV_OK) {
        gw_outlets_prove(r->gateway, true);
        loop_timer_in(r->look, 0);
    } else {
        end(r);
    }
}

static void on_look(void *arg)
{
    struct run *r = arg;
    if (gw_outlets_prove(r->gateway, false)) {
        loop_timer_in(r->look, LOOK_MS);
        return;
    }
    gw_check_outlets(&r->lines, r->gateway);
    end(r);
}

static void end(struct run *r)
{
    buf_add(&r->lines, r->last.data, r->last.len);
    r->done = true;
    httpd_stream_wake(r->stream);
}

static ssize_t pull(void *arg, char *out, size_t max)
{
    struct run *r = arg;
    if (r->lines.len == 0)
        return r->done ? HTTPD_PULL_END : HTTPD_PULL_WAIT;
    size_t n = r->lines.len < max ? r->lines.len : max;
    memcpy(out, r->lines.data, n);
    buf_drop(&r->lines, n);
    return (ssize_t)n;
}

static void gone(void *arg)
{
    struct run *r = arg;
    gw_check_cancel(&r->check);
    buf_free(&r->lines);
    buf_free(&r->last);
    loop_timer_free(&r->look);
    free(r->server_name);
    free(r->user);
    free(r);
}

/* NULL names the first. */
static const struct gw_config_server *server_named(const struct gw_config *config, const char *name)
{
    for (unsigned i = 0; i < config->servers_count; i++)
        if (!name || strcmp(name, config->servers[i].name) == 0)
            return &config->servers[i];
    return NULL;
}
