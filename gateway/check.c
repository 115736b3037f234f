/*
 * check: see check.h. The walk itself is davclient's dav_check_start; here its steps become lines of JSON.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "config.h"
#include "config_users.h"
#include "davclient/batch.h"
#include "gateway.h"
#include "marker_check.h"

enum { WINDOW_S = 2 * 86400, LINES_MAX = 65536 };

struct alone {
    struct loop *loop;
    struct dav_account account;
    const char *user;
    struct dav_result result; /* without what it points to but for its code */
};

static bool check_one(struct gw_config *config, const struct gw_config_server *server, const char *user,
                      bool *outlets_too);
static void print(struct buf *lines);
static void print_warnings(const struct gw_config *config);
static void print_step(void *arg, const struct dav_step_report *report);
static void on_done(void *arg, const struct dav_result *result);
static void print_config_failure(const char *code, const char *evidence);

void gw_check_step_line(struct buf *out, const struct dav_step_report *report, const struct dav_account *account,
                        const char *user)
{
    struct gw_advice_names names = {.person = user};
    if (account) {
        names.server = account->name;
        names.account = account->user;
    }
    struct jv *v = jv_set_str(jv_object(), "step", dav_step_name(report->step));
    jv_set_bool(v, "ok", report->ok);
    jv_set_str(v, "code", report->cause ? report->cause->code : NULL);
    jv_set_str(v, "meaning", report->cause ? report->cause->meaning : NULL);
    jv_set_str(v, "evidence", report->evidence);
    char *advice = report->cause ? gw_advice(report->cause->advice, account ? &names : NULL) : NULL;
    jv_set_str(v, "advice", advice);
    free(advice);
    jv_write(out, v, false);
    buf_addc(out, '\n');
    jv_free(&v);
}

void gw_check_done_line(struct buf *out, const struct dav_result *result, const char *server, const char *user,
                        const char *by)
{
    struct jv *v = jv_set_bool(jv_object(), "done", true);
    jv_set_bool(v, "ok", result->err == DAV_OK);
    jv_set_str(v, "code", result->code);
    jv_set_int(v, "appointments", (int64_t)result->count);
    jv_set_int(v, "broken_items", result->skipped);
    jv_set_str(v, "server", server);
    jv_set_str(v, "user", user);
    jv_set_str(v, "by", by);
    jv_write(out, v, false);
    buf_addc(out, '\n');
    jv_free(&v);
}

const char *gw_check_default_user(const struct gw_config *config, const char *server)
{
    for (unsigned i = 0; i < config->users_count; i++)
        if (config->users[i].address && strcmp(config->users[i].server, server) == 0)
            return config->users[i].address;
    for (size_t i = 0; config->roster && i < config->roster->count; i++) /* from a CSV file */
        if (strcmp(config->servers[config->roster->users[i].server].name, server) == 0)
            return config->roster->users[i].address;
    return NULL;
}

int gw_check_alone(const char *config_path, const char *server, const char *user)
{
    struct gw_config_error err;
    struct gw_config *config = gw_config_read(config_path, &err);
    if (!config) {
        print_config_failure(err.code, err.why);
        return 2;
    }
    int exit_code = 0;
    unsigned checked = 0;
    bool outlets_too = true;
    print_warnings(config);
    for (unsigned i = 0; i < config->servers_count; i++) {
        if (server && strcmp(server, config->servers[i].name) != 0)
            continue;
        checked++;
        if (!check_one(config, &config->servers[i], user, &outlets_too))
            exit_code = 1;
    }
    if (checked == 0) {
        print_config_failure("config-unknown-server", server ? server : "no server is configured");
        exit_code = 2;
    }
    gw_config_free(&config);
    return exit_code;
}

/* *outlets_too: the outlets have not been looked at yet; they are, behind the first calendar that can be read. */
static bool check_one(struct gw_config *config, const struct gw_config_server *server, const char *user,
                      bool *outlets_too)
{
    char why[300];
    bool well = false;
    struct buf lines;
    struct alone a = {.user = user ? user : gw_check_default_user(config, server->name)};
    if (!a.user) {
        print_config_failure("config-missing", "this server has no person yet: name one with --user ADDRESS");
        return false;
    }
    if (server->kind == GW_KIND_RELAY) {
        print_config_failure("relay-silent", "only the running daemon knows what a relay has told: leave out --config");
        return false;
    }
    gw_account(config, server, &a.account);
    struct secret *secret = server->password_file ? secret_read(server->password_file, why, sizeof(why)) : NULL;
    struct secret *proxy = gw_proxy_secret(server, why, sizeof(why));
    if ((server->password_file && !secret) || (server->proxy_password_file && !proxy)) {
        print_config_failure("config-secret", why);
        secret_free(&secret);
        secret_free(&proxy);
        return false;
    }
    a.account.proxy_secret = proxy;
    a.loop = loop_new(clk_system());
    struct dav_session *session = dav_session_new(a.loop, &a.account, secret, why, sizeof(why));
    if (!session) {
        print_config_failure("config-value", why);
    } else {
        print_step(&a, &(struct dav_step_report){.step = DAV_STEP_CONFIG, .ok = true, .evidence = config->path});
        int64_t now = clk_wall_s(clk_system());
        struct dav_question q = {.address = a.user, .from = now - 86400, .until = now + WINDOW_S};
        bool published = server->kind != GW_KIND_IFB && strcmp(server->read, "freebusy") == 0;
        (published ? dav_batch_check_start : dav_check_start)(session, &q, print_step, on_done, &a);
        loop_run(a.loop);
        dav_session_close(&session, "check done");
        well = a.result.err == DAV_OK;
        buf_init(&lines, LINES_MAX);
        if (well && *outlets_too)
            well = gw_check_outlets_alone(&lines, config);
        *outlets_too = *outlets_too && a.result.err != DAV_OK;
        gw_check_done_line(&lines, &a.result, server->name, a.user, "file");
        print(&lines);
    }
    secret_free(&secret);
    secret_free(&proxy);
    loop_free(&a.loop);
    return well;
}

/* What works and yet will not do what somebody expects of it; beside the steps. */
static void print_warnings(const struct gw_config *config)
{
    struct buf b;
    buf_init(&b, LINES_MAX);
    gw_markers_warnings(config, &b);
    fputs(b.len ? b.data : "", stderr);
    buf_free(&b);
}

static void print_step(void *arg, const struct dav_step_report *report)
{
    struct alone *a = arg;
    struct buf b;
    buf_init(&b, LINES_MAX);
    gw_check_step_line(&b, report, &a->account, a->user);
    print(&b);
}

static void on_done(void *arg, const struct dav_result *result)
{
    struct alone *a = arg;
    a->result = (struct dav_result){
        .err = result->err, .code = result->code, .count = result->count, .skipped = result->skipped};
    loop_stop(a->loop);
}

/* At once, for whoever watches the steps; frees them. */
static void print(struct buf *lines)
{
    fputs(lines->data, stdout);
    fflush(stdout);
    buf_free(lines);
}

static void print_config_failure(const char *code, const char *evidence)
{
    const struct dav_cause *cause = dav_cause_find(code);
    struct jv *v = jv_set_str(jv_object(), "step", dav_step_name(DAV_STEP_CONFIG));
    jv_set_bool(v, "ok", false);
    jv_set_str(v, "code", code);
    jv_set_str(v, "meaning", cause ? cause->meaning : NULL);
    jv_set_str(v, "evidence", evidence);
    jv_set_str(v, "advice", cause ? cause->advice : NULL);
    struct buf b;
    buf_init(&b, 65536);
    jv_write(&b, v, false);
    puts(b.data);
    buf_free(&b);
    jv_free(&v);
}
