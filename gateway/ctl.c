/*
 * ctl: the control socket. HTTP over a Unix socket, for freebusyctl and for `curl --unix-socket`: everything that the
 * listeners serve, and what only an administrator may ask (ctl_cmds.c, ctl_check.c). Who may connect is the socket
 * file's mode and its folder.
 */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/httpd.h"
#include "base/mem.h"
#include "gateway.h"
#include "http_face.h"
#include "page.h"

struct gw_ctl {
    struct gw_face face;
    struct httpd *httpd;
};

static const struct gw_http_route routes[] = {
    {"GET", "/ctl/users", false, gw_ctl_get_users},
    {"GET", "/ctl/person/", true, gw_ctl_get_person},
    {"GET", "/ctl/why/", true, gw_ctl_get_why},
    {"GET", "/ctl/check", false, gw_ctl_get_check},
    {"POST", "/ctl/refresh/", true, gw_ctl_post_refresh},
    {"POST", "/ctl/unbreak/", true, gw_ctl_post_unbreak},
    {"POST", "/ctl/reload", false, gw_ctl_post_reload},
    {"POST", "/ctl/forget/", true, gw_ctl_post_forget},
    {"DELETE", "/ctl/forget/", true, gw_ctl_delete_forget},
    {"GET", "/ctl/policy/test", false, gw_ctl_get_policy_test},
    {"GET", "/ctl/policy/diff", false, gw_ctl_get_policy_diff},
    {"GET", "/ctl/audience", false, gw_ctl_get_audience},
    {"POST", "/ctl/audience/", true, gw_ctl_post_audience},
    {"GET", "/ctl/audit", false, gw_ctl_get_audit},
    {"GET", "/ctl/identities", false, gw_ctl_get_identities},
    {"GET", "/ctl/privacy", false, gw_ctl_get_privacy},
    {"GET", "/ctl/bundle", false, gw_ctl_get_bundle},
    {"POST", "/ctl/log", false, gw_ctl_post_log},
    {"GET", "/ctl/trace/", true, gw_ctl_get_trace},
    {NULL, NULL, false, NULL},
};

static void handle(void *arg, struct httpd_req *req);

struct gw_ctl *gw_ctl_new(struct gateway *g, char *why, size_t why_size)
{
    struct gw_ctl *c = mem_calloc(1, sizeof(*c));
    c->face = (struct gw_face){.gateway = g, .events = gw_events_new(g), .page = gw_page_new(g), .admin = true};
    char *listen = mem_printf("unix:%s", gw_config(g)->control_socket);
    struct httpd_settings settings = {
        .listen = listen, .unix_mode = 0660, .require_host = true, .max_connections = 200};
    c->httpd = httpd_new(gw_loop(g), &settings, handle, &c->face, why, why_size);
    free(listen);
    if (!c->httpd)
        gw_ctl_free(&c);
    return c;
}

void gw_ctl_free(struct gw_ctl **c)
{
    if (!*c)
        return;
    httpd_free(&(*c)->httpd);
    gw_page_free(&(*c)->face.page);
    gw_events_free(&(*c)->face.events);
    free(*c);
    *c = NULL;
}

static void handle(void *arg, struct httpd_req *req)
{
    gw_http_dispatch(arg, req, routes);
}
