/*
 * davquery: asks one question through davclient's public face and prints the answer, one JSON object a line: the spans
 * as they came, then the result. For integration tests that want davclient and a real server, and nothing of the
 * daemon.
 *
 *   davquery --kind caldav --url URL --user U --password-file F --address A --from T --until T
 *            [--calendar TEMPLATE]... [--path P] [--owner ALIAS]... [--zone Z] [--ca-file F] [--remember TEXT] [--stay]
 *
 * With --stay the same is asked again, with what was remembered, for each line of standard input.
 *
 * Times as 20260310T000000Z or RFC 3339. Exit code 0: an answer; 1: an error, named in the last line; 2: wrong use.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/utc.h"
#include "davclient/query.h"
#include "davclient/session.h"

#define LIST_MAX 31

struct asking {
    struct loop *loop;
    struct dav_session *session;
    struct dav_question question;
    char *remember;
    bool stay;
    int exit_code;
};

static const char *const kinds[] = {"free", "elsewhere", "tentative", "busy", "oof", "not-understood"};

static void print(struct jv *v)
{
    struct buf line;

    buf_init(&line, 65536);
    jv_write(&line, v, false);
    puts(line.data);
    buf_free(&line);
    jv_free(&v);
}

static void on_answer(void *arg, const struct dav_result *result)
{
    struct asking *a = arg;
    char text[UTC_TEXT_MAX];
    struct jv *v;

    for (size_t i = 0; i < result->count; i++) {
        v = jv_object();
        jv_set_str(v, "start", utc_basic(result->spans[i].start, text));
        jv_set_str(v, "end", utc_basic(result->spans[i].end, text));
        jv_set_str(v, "kind", kinds[result->spans[i].kind]);
        jv_set_int(v, "traits", result->spans[i].traits);
        print(v);
    }
    v = jv_object();
    jv_set_str(v, "result", dav_err_name(result->err));
    jv_set_str(v, "code", result->code);
    jv_set_str(v, "evidence", result->evidence);
    jv_set_int(v, "requests", result->requests);
    jv_set_int(v, "skipped", result->skipped);
    jv_set_str(v, "remember", result->remember);
    jv_set_str(v, "way", result->way);
    print(v);
    fflush(stdout);
    a->exit_code = result->err == DAV_OK ? 0 : 1;
    free(a->remember);
    a->remember = mem_strdup_or_null(result->remember);
    a->question.remember = a->remember;
    if (a->stay && getchar() != EOF) /* nothing else is to be done meanwhile */
        dav_query_start(a->session, &a->question, on_answer, a);
    else
        loop_stop(a->loop);
}

static int usage(const char *what)
{
    fprintf(stderr, "davquery: %s\n", what);
    return 2;
}

static int ask(const struct dav_account *account, const char *password_file, const struct dav_question *question,
               bool stay)
{
    struct asking a = {.exit_code = 2, .question = *question, .stay = stay};
    char why[300] = "";
    struct secret *secret = secret_read(password_file, why, sizeof(why));

    if (secret == NULL)
        return usage(why);
    a.loop = loop_new(clk_system());
    a.session = dav_session_new(a.loop, account, secret, why, sizeof(why));
    if (a.session == NULL) {
        usage(why);
    } else {
        dav_query_start(a.session, question, on_answer, &a);
        loop_run(a.loop);
        dav_session_close(&a.session, "done");
    }
    loop_free(&a.loop);
    secret_free(&secret);
    free(a.remember);
    return a.exit_code;
}

static const struct option options[] = {
    {"kind", 1, NULL, 'k'},     {"url", 1, NULL, 'u'},     {"user", 1, NULL, 'n'},  {"password-file", 1, NULL, 'p'},
    {"address", 1, NULL, 'a'},  {"from", 1, NULL, 'f'},    {"until", 1, NULL, 't'}, {"calendar", 1, NULL, 'c'},
    {"path", 1, NULL, 'P'},     {"owner", 1, NULL, 'o'},   {"zone", 1, NULL, 'z'},  {"ca-file", 1, NULL, 'C'},
    {"remember", 1, NULL, 'r'}, {"verbose", 0, NULL, 'v'}, {"stay", 0, NULL, 's'},  {"dns", 1, NULL, 'd'},
    {NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
    struct dav_account account = {.name = "test", .kind = DAV_KIND_CALDAV, .auth = {DAV_SCHEME_BASIC}, .auth_count = 1};
    struct dav_question question = {0};
    const char *calendars[LIST_MAX + 1] = {NULL}, *aliases[LIST_MAX + 1] = {NULL};
    const char *password_file = NULL;
    size_t calendar_count = 0, alias_count = 0;
    bool stay = false;
    int c;

    log_set_level(LOG_LEVEL_WARNING);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'k')
            account.kind = strcmp(optarg, "exchange") == 0 ? DAV_KIND_EXCHANGE
                           : strcmp(optarg, "ifb") == 0    ? DAV_KIND_IFB
                                                           : DAV_KIND_CALDAV;
        else if (c == 'u')
            account.url = optarg;
        else if (c == 'n')
            account.user = optarg;
        else if (c == 'p')
            password_file = optarg;
        else if (c == 'a')
            question.address = optarg;
        else if ((c == 'f' || c == 't') &&
                 !utc_parse_any(optarg, strlen(optarg), c == 'f' ? &question.from : &question.until))
            return usage("a time cannot be read");
        else if (c == 'c' && calendar_count < LIST_MAX)
            calendars[calendar_count++] = optarg;
        else if (c == 'P')
            question.path = optarg;
        else if (c == 'o' && alias_count < LIST_MAX)
            aliases[alias_count++] = optarg;
        else if (c == 'z')
            question.zone = optarg;
        else if (c == 'C')
            account.ca_file = optarg;
        else if (c == 'd')
            account.dns_server = optarg;
        else if (c == 'r')
            question.remember = optarg;
        else if (c == 's')
            stay = true;
        else if (c == 'v')
            log_set_level(LOG_LEVEL_DEBUG);
        else if (c == '?')
            return 2;
    }
    if (account.url == NULL || account.user == NULL || password_file == NULL || question.address == NULL ||
        question.until <= question.from)
        return usage("needs --url, --user, --password-file, --address, --from, --until");
    account.calendars = calendars;
    question.aliases = aliases;
    return ask(&account, password_file, &question, stay);
}
