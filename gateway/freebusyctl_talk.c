/*
 * freebusyctl_talk: one request over the control socket. The loop runs until the answer is there: a command-line client
 * may wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

enum { ANSWER_MAX = 1024 * 1024 * 1024, LINE_MAX_BYTES = 1024 * 1024 };

struct talk {
    const struct ctl_options *options;
    struct loop *loop;
    ctl_line_fn *line; /* NULL: the whole answer */
    void *arg;
    struct buf rest; /* of a line that is not whole yet */
    struct jv *answer;
    enum ctl_exit result;
};

static enum ctl_exit talk(struct talk *t, const char *method, const char *path);
static bool on_data(void *arg, int status, const char *data, size_t len);
static void on_done(void *arg, const struct fetch_answer *answer);
static void explain_failure(struct talk *t, const struct fetch_answer *answer);

enum ctl_exit ctl_talk(const struct ctl_options *o, const char *method, const char *path, struct jv **ret)
{
    struct talk t = {.options = o};
    enum ctl_exit result = talk(&t, method, path);
    if (result == CTL_WELL)
        *ret = t.answer;
    return result;
}

enum ctl_exit ctl_talk_lines(const struct ctl_options *o, const char *path, ctl_line_fn *line, void *arg)
{
    struct talk t = {.options = o, .line = line, .arg = arg};
    return talk(&t, "GET", path);
}

char *ctl_path(const char *prefix, const char *argument)
{
    struct buf b;
    buf_init(&b, 65536);
    buf_adds(&b, prefix);
    str_percent_encode(&b, argument, strlen(argument), "@");
    return buf_take(&b);
}

static enum ctl_exit talk(struct talk *t, const char *method, const char *path)
{
    t->loop = loop_new(clk_system());
    t->result = CTL_NO_DAEMON;
    buf_init(&t->rest, LINE_MAX_BYTES);
    struct fetch_client_settings settings = {.name = "control", .unix_socket = t->options->socket, .idle_ms = 120000};
    struct fetch_client *client = fetch_client_new(t->loop, &settings);
    char *url = mem_printf("http://localhost%s", path);
    struct fetch_request request = {.method = method,
                                    .url = url,
                                    .total_ms = -1,
                                    .max_body = ANSWER_MAX,
                                    .on_data = t->line ? on_data : NULL,
                                    .done = on_done,
                                    .arg = t};
    fetch_start(client, &request);
    loop_run(t->loop);
    fetch_client_free(&client);
    loop_free(&t->loop);
    buf_free(&t->rest);
    free(url);
    return t->result;
}

static bool on_data(void *arg, int status, const char *data, size_t len)
{
    (void)status;
    struct talk *t = arg;
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t piece = end ? (size_t)(end - data) : len;
        buf_add(&t->rest, data, piece);
        if (!end)
            return true;
        bool more = t->line(t->arg, t->rest.data);
        buf_reset(&t->rest);
        if (!more)
            return false;
        data += piece + 1;
        len -= piece + 1;
    }
    return true;
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
    struct talk *t = arg;
    char why[200];
    loop_stop(t->loop);
    if (answer->err == FETCH_STOPPED) {
        t->result = CTL_WELL;
    } else if (answer->err != FETCH_OK || answer->status >= 300) {
        explain_failure(t, answer);
    } else if (t->line) {
        t->result = CTL_WELL;
    } else if ((t->answer = jv_parse(answer->body, answer->body_len, why, sizeof(why)))) {
        t->result = CTL_WELL;
    } else {
        fprintf(stderr, "freebusyctl: the daemon's answer is no JSON: %s\n", why);
        t->result = CTL_NOT_WELL;
    }
}

static void explain_failure(struct talk *t, const struct fetch_answer *answer)
{
    char why[200];
    if (answer->status == 0) {
        fprintf(stderr,
                "freebusyctl: no daemon answers on %s (%s)\n"
                "  Is freebusyd running? Is its control.socket another one (--socket PATH)? May you open it?\n",
                t->options->socket, answer->text);
        t->result = CTL_NO_DAEMON;
        return;
    }
    struct jv *problem = jv_parse(answer->body, answer->body_len, why, sizeof(why));
    const char *code = jv_str(jv_get(problem, "code"), "");
    if (t->options->json && problem)
        ctl_print_json(problem);
    else if (answer->err != FETCH_OK)
        fprintf(stderr, "freebusyctl: the connection to the daemon was lost (%s)\n", answer->text);
    else
        fprintf(stderr, "freebusyctl: %s (%s)\n", jv_str(jv_get(problem, "detail"), "the daemon refused"), code);
    bool usage = strncmp(code, "config-", 7) == 0 || answer->status == 400 || answer->status == 404;
    t->result = answer->err != FETCH_OK ? CTL_NO_DAEMON : usage ? CTL_USAGE : CTL_NOT_WELL;
    jv_free(&problem);
}
