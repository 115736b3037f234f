/*
 * load-poll-bulk: how many people a second are polled on one core from answers about 100 people each, 14 days in
 * quarters of an hour, against a bare libcurl + libevent + SAX loop that picks address and digits out of the same
 * answers and does nothing with them.
 *
 * Ours is the whole way from the question about many to the table of persons: URL, request, rows, whose they are,
 * digits to spans, intervals packed. The table has a million people with known calendars, and each answer is about
 * others. The server is canned and runs on the other core. As in load-poll, the two take turns, CPU time counts, and
 * the round with the median ratio is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_poll.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/loop.h"
#include "canned_server.h"
#include "davclient/batch.h"
#include "polled.h"
#include "presence/table.h"
#include "stopwatch.h"

enum { PEOPLE = 100, DAYS = 14, SLOTS = DAYS * 96, MEETINGS = 20, CONNECTIONS = 8, ROUNDS = 17 };

struct ours {
    struct polled side;
    int64_t from;
    char addresses[PEOPLE][40];
    struct dav_batch_person persons[PEOPLE];
    unsigned todo, running, failed, answers;
    unsigned long spans;
};

static void ask(struct ours *o);

static void answered(void *arg, const struct dav_batch_result *result)
{
    struct ours *o = arg;
    struct pres_interval intervals[MEETINGS];
    pres_id first = polled_turn(&o->side, o->answers++) / PEOPLE * PEOPLE;
    o->running--;
    for (size_t i = 0; i < result->count; i++) {
        const struct dav_result *r = &result->persons[i];
        if (r->err != DAV_OK && o->failed++ == 0)
            fprintf(stderr, "load-poll-bulk: %s: %s\n", r->code, r->evidence ? r->evidence : "");
        for (size_t k = 0; k < r->count && k < MEETINGS; k++)
            intervals[k] = (struct pres_interval){r->spans[k].start, r->spans[k].end, (enum pres_kind)r->spans[k].kind};
        pres_table_update(o->side.table, first + (pres_id)i, intervals, r->count < MEETINGS ? r->count : MEETINGS,
                          r->from, r->until, r->as_of);
        o->spans += r->count;
    }
    ask(o);
}

static void ask(struct ours *o)
{
    if (o->todo == 0 || o->failed > 0)
        return;
    o->todo--;
    o->running++;
    struct dav_batch_question q = {
        .persons = o->persons, .count = PEOPLE, .from = o->from, .until = o->from + DAYS * INT64_C(86400)};
    dav_batch_start(o->side.session, &q, answered, o);
}

static double ours_round(struct ours *o, unsigned answers)
{
    o->todo = answers;
    double began = stopwatch_cpu();
    for (unsigned i = 0; i < CONNECTIONS; i++)
        ask(o);
    while (o->running > 0)
        loop_turn(o->side.loop, 1000);
    return answers / (stopwatch_cpu() - began) * PEOPLE;
}

static void ours_open(struct ours *o, unsigned port, bool smoke)
{
    polled_open(&o->side, "load-poll-bulk", port, CONNECTIONS);
    polled_people(&o->side, smoke);
    for (unsigned i = 0; i < PEOPLE; i++)
        o->persons[i].address = o->addresses[i];
    ours_round(o, 1); /* logon, not measured */
    polled_know(&o->side, PEOPLE);
}

static void add_row(struct buf *out, const char *address, unsigned shift)
{
    char digits[SLOTS + 1];
    memset(digits, '0', SLOTS);
    digits[SLOTS] = '\0';
    for (unsigned m = 0; m < MEETINGS; m++) /* an hour every 16 hours or so */
        memset(digits + m * 65 + shift, m % 5 ? '2' : '1', 4);
    buf_addf(out, "<a:item><a:displayname>%s</a:displayname>", address ? address : "All Attendees");
    if (address)
        buf_addf(out, "<a:email type=\"SMTP\">%s</a:email>", address);
    buf_addf(out, "<a:type>1</a:type><a:fbdata>%s</a:fbdata></a:item>", digits);
}

/* What a server of 2003 says to GET; an answer to the logon's PROPFIND is all else that is needed. */
static struct canned_answer bulk_answer(const struct ours *o)
{
    struct canned_answer answer = {.method = "GET"};
    struct buf body, whole;
    buf_init(&body, 1 << 20);
    buf_init(&whole, 1 << 20);
    buf_adds(&body, "<a:response xmlns:a=\"WM\"><a:recipients>");
    add_row(&body, NULL, 0);
    for (unsigned i = 0; i < PEOPLE; i++)
        add_row(&body, o->addresses[i], i % 60);
    buf_adds(&body, "</a:recipients></a:response>");
    buf_addf(
        &whole,
        "HTTP/1.1 200 OK\r\nDate: Mon, 03 Mar 2008 08:00:00 GMT\r\nServer: Microsoft-IIS/6.0\r\n"
        "X-Powered-By: ASP.NET\r\nMS-WebStorage: 6.5.7638\r\nContent-Type: text/xml\r\nContent-Length: %zu\r\n\r\n%s",
        body.len, body.data);
    answer.len = whole.len;
    answer.bytes = buf_take(&whole);
    buf_free(&body);
    return answer;
}

int main(int argc, char **argv)
{
    static const char *const headers[] = {"User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.2)",
                                          "Accept: */*", "Authorization: Basic RVhBTVBMRVxzdmM6c2VjcmV0", NULL};
    bool smoke = stopwatch_smoke(argc, argv);
    unsigned count = smoke ? 10 : 1000, rounds = smoke ? 1 : ROUNDS;
    if (argc > 2) /* load-poll-bulk --answers N: one round, for a profiler */
        count = (unsigned)strtoul(argv[2], NULL, 10), rounds = 1;
    static struct ours o;
    for (unsigned i = 0; i < PEOPLE; i++)
        snprintf(o.addresses[i], sizeof(o.addresses[i]), "user%05u@example.test", i);
    o.from = clk_wall_s(clk_system()) / 900 * 900;
    char *propfind = canned_propfind_xml(), url[400];
    struct canned_answer answers[] = {bulk_answer(&o), canned_207("PROPFIND", propfind)};
    unsigned port;
    pid_t server = canned_server_start(answers, 2, &port);
    stopwatch_pin(0);
    ours_open(&o, port, smoke);

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/public/?cmd=freebusy&u=SMTP:anna@example.test", port);
    struct bare_poll_job job = {
        .method = "GET", .url = url, .headers = headers, .wanted = {"email", "fbdata"}, .row = "item"};
    struct stopwatch_round results[ROUNDS];
    unsigned long rows = 0;
    o.spans = 0;
    for (unsigned i = 0; i < rounds && o.failed == 0; i++) {
        unsigned long seen;
        results[i].limit = bare_poll(&job, count, CONNECTIONS, &seen) * PEOPLE;
        results[i].ours = ours_round(&o, count);
        rows += seen;
    }
    unsigned long people = (unsigned long)count * rounds * PEOPLE;
    bool same = o.failed == 0 && rows == people && o.spans == people * MEETINGS;
    if (!same)
        fprintf(stderr, "load-poll-bulk: of %lu rows ours saw %lu stretches, the bare loop %lu rows\n", people, o.spans,
                rows);
    polled_close(&o.side);
    canned_server_stop(server);
    for (size_t i = 0; i < 2; i++)
        free(answers[i].bytes);
    free(propfind);
    stopwatch_print_median("poll-bulk", "people/s", results, rounds,
                           "libcurl+libevent+SAX loop, same answers of 100 people x 14 days x 15 min");
    return same ? 0 : 1;
}
