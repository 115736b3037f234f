/*
 * auth_query: one session of davclient on a leash, for tests of logging on against real servers. Options make the
 * account; then each line of standard input is a command, and each answer one line of JSON on standard output:
 *
 *   ask N        asks N questions at once, for the addresses in turn    {"asked":N,"codes":{"ok":N,...},"evidence":...}
 *   check        the check's steps                                      {"steps":[["dns",true,...]],"code":...}
 *   info         dav_session_info                                       {"state":"ready","scheme":"ntlm",...}
 *   secret FILE  another secret                                         {"secret":true}
 *   unbreak      an administrator's word                                {"unbreak":true}
 *
 * Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/utc.h"
#include "davclient/query.h"
#include "davclient/session.h"

#define LIST_MAX 31

struct leash {
    struct loop *loop;
    struct loop_fd *input;
    struct buf line;
    struct dav_session *session;
    struct dav_question question;
    const char *addresses[LIST_MAX + 1];
    size_t address_count;
    unsigned left, asked;
    struct jv *codes, *steps;
    char code[60], evidence[300];
};

static void print(struct jv *v)
{
    struct buf line;

    buf_init(&line, 1 << 20);
    jv_write(&line, v, false);
    puts(line.data);
    fflush(stdout);
    buf_free(&line);
    jv_free(&v);
}

static void next(struct leash *l)
{
    loop_fd_want(l->input, LOOP_READ);
}

static void on_answer(void *arg, const struct dav_result *result)
{
    struct leash *l = arg;
    const char *code = result->err == DAV_OK ? "ok" : result->code;

    jv_set_int(l->codes, code, jv_num(jv_get(l->codes, code), 0) + 1);
    if (result->evidence)
        snprintf(l->evidence, sizeof(l->evidence), "%s", result->evidence);
    if (--l->left > 0)
        return;
    struct jv *v = jv_object();
    jv_set_int(v, "asked", l->asked);
    jv_set(v, "codes", l->codes);
    jv_set_str(v, "evidence", l->evidence);
    l->codes = NULL;
    print(v);
    next(l);
}

static void ask(struct leash *l, unsigned count)
{
    l->asked = l->left = count;
    l->codes = jv_object();
    l->evidence[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        l->question.address = l->addresses[i % l->address_count];
        dav_query_start(l->session, &l->question, on_answer, l);
    }
}

static void on_step(void *arg, const struct dav_step_report *report)
{
    struct leash *l = arg;
    struct jv *row = jv_array();

    jv_add(row, jv_string(dav_step_name(report->step)));
    jv_add(row, jv_bool(report->ok));
    jv_add(row, report->evidence ? jv_string(report->evidence) : jv_null());
    jv_add(l->steps, row);
}

static void on_checked(void *arg, const struct dav_result *result)
{
    struct leash *l = arg;
    struct jv *v = jv_object();

    jv_set(v, "steps", l->steps);
    jv_set_str(v, "code", result->code);
    jv_set_str(v, "evidence", result->evidence);
    l->steps = NULL;
    print(v);
    next(l);
}

static void info(struct leash *l)
{
    struct dav_session_info i;
    struct jv *v = jv_object();

    dav_session_info(l->session, &i);
    jv_set_str(v, "state", i.state);
    jv_set_str(v, "product", i.product);
    jv_set_str(v, "scheme", i.scheme);
    jv_set_str(v, "offered", i.offered);
    jv_set_str(v, "chosen_because", i.chosen_because);
    jv_set_str(v, "server_says", i.server_says);
    jv_set_str(v, "secret_note", i.secret_note);
    jv_set_str(v, "code", i.code);
    jv_set_str(v, "evidence", i.evidence);
    jv_set_int(v, "requests", (int64_t)i.requests);
    jv_set_int(v, "rejected_logons", (int64_t)i.rejected_logons);
    jv_set_int(v, "handshakes", (int64_t)i.handshakes);
    jv_set_int(v, "connections", i.connections);
    jv_set_int(v, "cert_not_after", i.cert_not_after);
    jv_set_int(v, "retry_at", i.retry_at);
    print(v);
    next(l);
}

static void give_secret(struct leash *l, const char *path)
{
    char why[300] = "";
    struct secret *secret = secret_read(path, why, sizeof(why));

    if (secret)
        dav_session_set_secret(l->session, secret);
    print(jv_set_bool(jv_object(), "secret", secret != NULL));
    secret_free(&secret);
    next(l);
}

static void obey(struct leash *l, char *line)
{
    int64_t count;

    if (str_starts(line, "ask ") && str_to_int(line + 4, 1, 100000, &count)) {
        ask(l, (unsigned)count);
    } else if (strcmp(line, "check") == 0) {
        l->steps = jv_array();
        l->question.address = l->addresses[0];
        dav_check_start(l->session, &l->question, on_step, on_checked, l);
    } else if (strcmp(line, "info") == 0) {
        info(l);
    } else if (str_starts(line, "secret ")) {
        give_secret(l, line + 7);
    } else if (strcmp(line, "unbreak") == 0) {
        dav_session_unbreak(l->session);
        print(jv_set_bool(jv_object(), "unbreak", true));
        next(l);
    } else {
        print(jv_set_str(jv_object(), "unknown", line));
        next(l);
    }
}

static void on_input(void *arg, int fd, unsigned ready)
{
    struct leash *l = arg;
    char c;

    (void)ready;
    loop_fd_want(l->input, 0);
    buf_reset(&l->line);
    for (;;) {
        if (read(fd, &c, 1) != 1) {
            loop_stop(l->loop);
            return;
        }
        if (c == '\n')
            break;
        buf_addc(&l->line, c);
    }
    obey(l, l->line.data);
}

static int usage(const char *what)
{
    fprintf(stderr, "auth_query: %s\n", what);
    return 2;
}

static bool parse_schemes(struct dav_account *account, char *list)
{
    account->auth_count = 0;
    for (char *word = strtok(list, ","); word; word = strtok(NULL, ","))
        if (account->auth_count == DAV_SCHEMES || !dav_scheme_parse(word, &account->auth[account->auth_count++]))
            return false;
    return account->auth_count > 0;
}

static int run(struct leash *l, const struct dav_account *account, const char *password_file)
{
    char why[300] = "";
    struct secret *secret = password_file ? secret_read(password_file, why, sizeof(why)) : NULL;

    if (password_file && !secret)
        return usage(why);
    l->loop = loop_new(clk_system());
    l->session = dav_session_new(l->loop, account, secret, why, sizeof(why));
    secret_free(&secret);
    if (l->session) {
        buf_init(&l->line, 4096);
        l->input = loop_fd_new(l->loop, "standard input", STDIN_FILENO, on_input, l);
        next(l);
        loop_run(l->loop);
        loop_fd_free(&l->input);
        buf_free(&l->line);
        dav_session_close(&l->session, "done");
        why[0] = '\0';
    }
    loop_free(&l->loop);
    return why[0] ? usage(why) : 0;
}

struct given {
    struct dav_account account;
    struct secret *proxy_secret;
    const char *password_file, *hosts[LIST_MAX + 1];
    size_t host_count;
};

/* Options that are one text of the account. */
static const char **text_of(struct dav_account *a, const char *name)
{
    const struct {
        const char *name, **text;
    } texts[] = {
        {"url", &a->url},
        {"user", &a->user},
        {"ca-file", &a->ca_file},
        {"pin", &a->pinned_key},
        {"min-tls", &a->min_tls},
        {"client-cert", &a->client_cert_file},
        {"client-key", &a->client_key_file},
        {"proxy", &a->proxy},
        {"proxy-user", &a->proxy_user},
        {"keytab", &a->keytab_file},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].name, name) == 0)
            return texts[i].text;
    return NULL;
}

static bool take(struct given *g, struct leash *l, const char *name, char *value)
{
    struct dav_account *a = &g->account;
    const char **text = text_of(a, name);
    char why[300];

    if (text)
        *text = value;
    else if (strcmp(name, "password-file") == 0)
        g->password_file = value;
    else if (strcmp(name, "proxy-password-file") == 0)
        a->proxy_secret = g->proxy_secret = secret_read(value, why, sizeof(why));
    else if (strcmp(name, "auth") == 0)
        return parse_schemes(a, value);
    else if (strcmp(name, "level") == 0)
        a->lm_compatibility_level = atoi(value);
    else if (strcmp(name, "legacy") == 0)
        a->legacy_ciphers = atoi(value);
    else if (strcmp(name, "no-binding") == 0)
        a->no_channel_binding = atoi(value);
    else if (strcmp(name, "format") == 0)
        a->logon_format = (enum dav_logon_format)atoi(value);
    else if (strcmp(name, "connections") == 0)
        a->max_connections = (unsigned)atoi(value);
    else if (strcmp(name, "verbose") == 0)
        log_set_level(LOG_LEVEL_DEBUG);
    else if (strcmp(name, "address") == 0 && l->address_count < LIST_MAX)
        l->addresses[l->address_count++] = value;
    else if (strcmp(name, "allowed-host") == 0 && g->host_count < LIST_MAX)
        g->hosts[g->host_count++] = value;
    else
        return false;
    return true;
}

/* Every option is --NAME VALUE. */
int main(int argc, char **argv)
{
    struct given g = {.account = {.name = "test",
                                  .kind = DAV_KIND_EXCHANGE,
                                  .auth = {DAV_SCHEME_NTLM, DAV_SCHEME_BASIC},
                                  .auth_count = 2,
                                  .lm_compatibility_level = 3,
                                  .max_requests_per_second = 10000,
                                  .allowed_hosts = g.hosts}};
    struct leash l = {.question = {.from = 1204502400, .until = 1205107200}}; /* a week of March 2008 */
    int code;

    log_set_level(LOG_LEVEL_WARNING);
    for (int i = 1; i < argc; i += 2)
        if (!str_starts(argv[i], "--") || i + 1 == argc || !take(&g, &l, argv[i] + 2, argv[i + 1]))
            return usage(argv[i]);
    if (!g.account.url || !g.account.user || l.address_count == 0)
        return usage("needs --url, --user, --address");
    code = run(&l, &g.account, g.password_file);
    secret_free(&g.proxy_secret);
    return code;
}
