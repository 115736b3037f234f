/*
 * ctl_log: `freebusyctl log LEVEL --for 15m`: more of the log for a while, and back by itself, so that nobody forgets a
 * debug log until the disk is full. And `bundle`, which has the last lines in it.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bundle.h"
#include "ctl.h"
#include "gateway_private.h"
#include "http_face.h"
#include "report.h"

enum { BUNDLE_MAX = 128 * 1024 * 1024, FOR_MAX_MS = 86400000, FOR_USUAL_MS = 900000 };

struct gw_log {
    struct gateway *g;
    struct loop_timer *timer;
    enum log_level usual; /* to which it falls back */
    int64_t until;        /* wall s, 0: not raised */
};

static void change(struct gateway *g, enum log_level level, int64_t ms);
static void fall_back(void *arg);

void gw_ctl_post_log(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    struct gateway *g = face->gateway;
    bool bad = false;
    const char *word = httpd_param(req, "level", 0, &bad), *span = httpd_param(req, "for", 0, &bad);
    enum log_level level = log_get_level();
    int64_t ms = FOR_USUAL_MS;
    if ((word && !log_level_parse(word, &level)) || (span && !gw_duration_read(span, &ms)) || ms < 1000 ||
        ms > FOR_MAX_MS || bad) {
        gw_http_problem(req, 400, "bad-level", "A level is error, warning, notice, info or debug; a time is 1s to 1d.");
        return;
    }
    if (word)
        change(g, level, ms);
    struct jv *v = jv_set_str(jv_object(), "level", log_level_name(log_get_level()));
    jv_set(v, "until", gw_report_time(g->log ? g->log->until : 0));
    jv_set_str(v, "then", log_level_name(g->log ? g->log->usual : log_get_level()));
    gw_http_json(req, 200, v);
}

void gw_ctl_get_bundle(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)rest;
    static const char *const headers[] = {"Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store", NULL};
    bool bad = false;
    struct buf b;
    buf_init(&b, BUNDLE_MAX);
    if (!gw_bundle(face->gateway, httpd_param(req, "names", 0, &bad) != NULL, &b)) {
        buf_free(&b);
        gw_http_problem(req, 500, "answer-too-large", "The bundle is larger than we send.");
        return;
    }
    size_t len = b.len;
    httpd_reply_take(req, 200, headers, buf_take(&b), len);
}

void gw_log_free(struct gw_log **l)
{
    if (!*l)
        return;
    if ((*l)->until)
        log_set_level((*l)->usual);
    loop_timer_free(&(*l)->timer);
    free(*l);
    *l = NULL;
}

static void change(struct gateway *g, enum log_level level, int64_t ms)
{
    struct gw_log *l = g->log;
    if (!l) {
        l = g->log = mem_calloc(1, sizeof *l);
        l->g = g;
        l->timer = loop_timer_new(g->loop, "log level", fall_back, l);
    }
    if (!l->until)
        l->usual = log_get_level();
    log_notice("log", "level=%s for=%llds, then %s", log_level_name(level), (long long)(ms / 1000),
               log_level_name(l->usual));
    log_set_level(level);
    bool raised = level != l->usual;
    l->until = raised ? clk_wall_s(loop_clk(g->loop)) + ms / 1000 : 0;
    if (raised)
        loop_timer_in(l->timer, ms);
    else
        loop_timer_stop(l->timer);
}

static void fall_back(void *arg)
{
    struct gw_log *l = arg;
    log_set_level(l->usual);
    l->until = 0;
    log_notice("log", "level=%s again", log_level_name(l->usual));
}
