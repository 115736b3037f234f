/*
 * sim_control: the control interface: HTTP with JSON on a port of its own, by which a test or a demonstration changes
 * the pretended server while it runs. One table of method, path and function.
 */
#include "sim_control.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_file.h"
#include "sim_log.h"
#include "sim_store.h"
#include "sim_subscribe.h"
#include "sim_when.h"
#include "sim_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct jv *control_fn(struct sim_control *c);

static control_fn get_state, get_clock, put_clock, get_faults, put_faults, delete_faults, get_counters, delete_counters,
    get_log, get_accounts, put_accounts, post_reset, post_lines, delete_sessions, post_restart, get_subscriptions;

static const struct {
    const char *method;
    const char *path; /* ends in '/': a number follows */
    control_fn *fn;
} routes[] = {
    {"GET", "/", get_state},
    {"GET", "/clock", get_clock},
    {"PUT", "/clock", put_clock},
    {"GET", "/faults", get_faults},
    {"PUT", "/faults", put_faults},
    {"DELETE", "/faults", delete_faults},
    {"GET", "/counters", get_counters},
    {"DELETE", "/counters", delete_counters},
    {"GET", "/log", get_log},
    {"GET", "/accounts", get_accounts},
    {"PUT", "/accounts", put_accounts},
    {"DELETE", "/sessions", delete_sessions},
    {"POST", "/reset", post_reset},
    {"POST", "/restart", post_restart},
    {"GET", "/subscriptions", get_subscriptions},
    {"POST", "/lines", post_lines},
    {"GET", "/mailboxes", sim_control_get_mailboxes},
    {"POST", "/mailboxes", sim_control_post_mailbox},
    {"DELETE", "/mailboxes", sim_control_delete_mailbox},
    {"GET", "/appointments", sim_control_get_appointments},
    {"POST", "/appointments", sim_control_post_appointment},
    {"PATCH", "/appointments/", sim_control_patch_appointment},
    {"DELETE", "/appointments/", sim_control_delete_appointment},
};

struct jv *sim_control_fail(struct sim_control *c, int status, const char *why)
{
    c->status = status;
    struct jv *v = jv_object();
    jv_set_str(v, "error", why);
    return v;
}

static struct jv *fine(void)
{
    struct jv *v = jv_object();
    jv_set_bool(v, "ok", true);
    return v;
}

struct sim_file sim_control_file(const struct sim_control *c)
{
    return (struct sim_file){c->sim->store, &c->sim->faults, sim_now(c->sim)};
}

static struct jv *get_state(struct sim_control *c)
{
    struct jv *v = jv_object();
    size_t items = 0;
    for (size_t i = 0; i < c->sim->store->mailbox_count; i++)
        items += c->sim->store->mailboxes[i]->count;
    jv_set_str(v, "profile", sim_profile_name(c->sim->faults.profile));
    jv_set_int(v, "port", httpd_port(c->sim->http));
    jv_set_int(v, "mailboxes", (int64_t)c->sim->store->mailbox_count);
    jv_set_int(v, "appointments", (int64_t)items);
    jv_set(v, "clock", get_clock(c));
    return v;
}

static struct jv *get_clock(struct sim_control *c)
{
    char text[UTC_TEXT_MAX];
    struct jv *v = jv_object();
    jv_set_str(v, "now", utc_rfc3339(sim_now(c->sim), text));
    jv_set_bool(v, "fixed", c->sim->clock_fixed);
    jv_set_int(v, "offset", c->sim->clock_fixed ? 0 : c->sim->clock_offset);
    return v;
}

/* {"fixed": TIME} stands still, {"offset": SECONDS} runs beside the machine's clock, {"advance": SECONDS} goes on from
 * where it is. */
static struct jv *put_clock(struct sim_control *c)
{
    struct sim *sim = c->sim;
    const struct jv *fixed = jv_get(c->in, "fixed"), *offset = jv_get(c->in, "offset"),
                    *advance = jv_get(c->in, "advance");
    struct sim_when w = {sim_now(sim), sim_zone_utc(), NULL};
    int64_t t;
    if (jv_is_string(fixed)) {
        if (!sim_when_parse(&w, jv_str(fixed, ""), &t))
            return sim_control_fail(c, 400, "fixed is no moment");
        sim->clock_fixed = true;
        sim->clock_at = t;
    } else if (offset != NULL) {
        sim->clock_fixed = false;
        sim->clock_offset = jv_num(offset, 0);
    } else if (advance != NULL && sim->clock_fixed) {
        sim->clock_at += jv_num(advance, 0);
    } else if (advance != NULL) {
        sim->clock_offset += jv_num(advance, 0);
    } else {
        return sim_control_fail(c, 400, "fixed, offset or advance is expected");
    }
    return get_clock(c);
}

/* "mailbox" in the query or the body; NULL with *ret_ok for none. */
static struct sim_mailbox *which_mailbox(struct sim_control *c, bool *ret_ok)
{
    const char *address = httpd_param(c->req, "mailbox", 0, NULL);
    if (address == NULL)
        address = jv_str(jv_get(c->in, "mailbox"), NULL);
    struct sim_mailbox *m = address != NULL ? sim_store_mailbox(c->sim->store, address) : NULL;
    *ret_ok = address == NULL || m != NULL;
    return m;
}

static struct jv *get_faults(struct sim_control *c)
{
    bool ok;
    struct sim_mailbox *m = which_mailbox(c, &ok);
    return ok ? sim_faults_json(&c->sim->faults, m) : sim_control_fail(c, 404, "no such mailbox");
}

/* {"mailbox": ADDRESS, "NAME": VALUE, ...}; true is "on", false and null switch off. */
static struct jv *put_faults(struct sim_control *c)
{
    bool ok;
    struct sim_mailbox *m = which_mailbox(c, &ok);
    if (!ok)
        return sim_control_fail(c, 404, "no such mailbox");
    const char *name;
    struct jv *value;
    for (size_t pos = 0; jv_next(c->in, &pos, &name, &value);) {
        char number[24], why[200];
        const char *text = jv_str(value, NULL);
        if (strcmp(name, "mailbox") == 0)
            continue;
        snprintf(number, sizeof(number), "%lld", (long long)jv_num(value, -1));
        if (text == NULL && jv_num(value, -1) >= 0)
            text = number;
        else if (text == NULL && !jv_is_null(value))
            text = jv_truth(value, false) ? "on" : "off";
        if (!sim_fault_set(&c->sim->faults, m, name, text, why, sizeof(why)))
            return sim_control_fail(c, 400, why);
    }
    return sim_faults_json(&c->sim->faults, m);
}

/* Everything back to what the table says; switches of the data file and the command line come back with a reset. */
static struct jv *delete_faults(struct sim_control *c)
{
    sim_faults_free(&c->sim->faults);
    for (size_t i = 0; i < c->sim->store->mailbox_count; i++) {
        for (int k = 0; k < SIM_FAULT_COUNT; k++) {
            free(c->sim->store->mailboxes[i]->faults[k]);
            c->sim->store->mailboxes[i]->faults[k] = NULL;
        }
    }
    return fine();
}

static struct jv *get_counters(struct sim_control *c)
{
    return sim_log_counters(c->sim->log);
}

static struct jv *delete_counters(struct sim_control *c)
{
    sim_log_reset(c->sim->log);
    return fine();
}

static struct jv *get_log(struct sim_control *c)
{
    int64_t since = 1;
    const char *text = httpd_param(c->req, "since", 0, NULL);
    if (text != NULL && !str_to_int(text, 1, INT64_MAX, &since))
        return sim_control_fail(c, 400, "since is no number");
    struct jv *v = jv_object();
    jv_set(v, "requests", sim_log_entries(c->sim->log, (uint64_t)since));
    return v;
}

static struct jv *account_json(const struct sim_account *a)
{
    struct jv *v = jv_object();
    jv_set_str(v, "account", a->name);
    jv_set_str(v, "state", sim_refusal_name(a->state));
    jv_set_int(v, "wrong", a->wrong);
    return v;
}

static struct jv *get_accounts(struct sim_control *c)
{
    struct jv *list = jv_array(), *out = jv_object();
    for (size_t i = 0; i < c->sim->store->account_count; i++)
        jv_add(list, account_json(c->sim->store->accounts[i]));
    return jv_set(out, "accounts", list);
}

/* {"account": NAME, "state": STATE, "password": TEXT, "receive_as_all": BOOL}; "normal" also forgets the wrong
 * passwords. */
static struct jv *put_accounts(struct sim_control *c)
{
    struct sim_account *a = sim_store_account(c->sim->store, jv_str(jv_get(c->in, "account"), ""));
    const char *state = jv_str(jv_get(c->in, "state"), NULL), *password = jv_str(jv_get(c->in, "password"), NULL);
    if (a == NULL)
        return sim_control_fail(c, 404, "no such account");
    if (state != NULL && !sim_refusal_parse(state, &a->state))
        return sim_control_fail(c, 400, "no such state");
    if (state != NULL)
        a->wrong = 0;
    if (password != NULL) {
        free(a->password);
        a->password = mem_strdup(password);
    }
    a->receive_all = jv_truth(jv_get(c->in, "receive_as_all"), a->receive_all);
    return account_json(a);
}

static struct jv *delete_sessions(struct sim_control *c)
{
    sim_forms_expire(c->sim->forms);
    c->sim->logon_epoch++;
    return fine();
}

static struct jv *post_reset(struct sim_control *c)
{
    char why[400];
    return sim_reset(c->sim, why, sizeof(why)) ? fine() : sim_control_fail(c, 500, why);
}

/* The store forgets what is in its memory: subscriptions and sessions. */
static struct jv *post_restart(struct sim_control *c)
{
    sim_subs_forget(c->sim->subs);
    sim_forms_expire(c->sim->forms);
    return fine();
}

static struct jv *get_subscriptions(struct sim_control *c)
{
    return sim_subs_json(c->sim->subs);
}

/* Lines of the data file, as they stand. */
static struct jv *post_lines(struct sim_control *c)
{
    size_t len;
    char why[400];
    const char *text = httpd_body(c->req, &len);
    struct sim_file file = sim_control_file(c);
    return sim_file_text(&file, "lines", text, len, why, sizeof(why)) ? fine() : sim_control_fail(c, 400, why);
}

static bool route_fits(struct sim_control *c, const char *path, const char *wanted)
{
    size_t len = strlen(wanted);
    int64_t id;
    if (len < 2 || wanted[len - 1] != '/')
        return strcmp(path, wanted) == 0;
    if (strncmp(path, wanted, len) != 0 || !str_to_int(path + len, 1, UINT32_MAX, &id))
        return false;
    c->id = (unsigned)id;
    return true;
}

static void reply(struct sim_control *c, const struct jv *out)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct buf b;
    buf_init(&b, 256u << 20);
    jv_write(&b, out, true);
    buf_addc(&b, '\n');
    httpd_reply(c->req, c->status, headers, b.data, b.len);
    buf_free(&b);
}

void sim_control_request(void *arg, struct httpd_req *req)
{
    struct sim_control c = {.sim = arg, .req = req, .status = 200};
    control_fn *fn = NULL;
    const char *path = httpd_path(req);
    bool raw = strcmp(path, "/lines") == 0;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && fn == NULL; i++)
        if (strcmp(routes[i].method, httpd_method(req)) == 0 && route_fits(&c, path, routes[i].path))
            fn = routes[i].fn;
    char why[200];
    size_t len;
    const char *body = httpd_body(req, &len);
    struct jv *in = raw || len == 0 ? jv_object() : jv_parse(body, len, why, sizeof(why)), *out;
    c.in = in;
    if (fn == NULL)
        out = sim_control_fail(&c, 404, "no such thing to control");
    else if (!jv_is_object(in))
        out = sim_control_fail(&c, 400, in == NULL ? why : "a JSON object is expected");
    else
        out = fn(&c);
    reply(&c, out);
    jv_free(&out);
    jv_free(&in);
}
