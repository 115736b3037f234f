/*
 * load-poll: how many people a second are polled from an Exchange server on one core, for SEARCH answers of 20
 * appointments, against a bare libcurl + libevent + SAX loop that picks start, end and kind out of the same answers and
 * does nothing with them.
 *
 * Ours is the whole way from the question to the table of persons: URL, request, 207 as a stream, dates, rules' traits,
 * intervals packed. The table has a million people with known calendars, and each answer is about another one; the way
 * through the poller and the rules is load-growth's matter. The server is canned and runs on the other core. Speed is
 * users per second of CPU time of the client's core, so that neither the server nor a neighbour on the machine is
 * measured. The two take turns, several rounds; the round with the median ratio counts, because what disturbs a shared
 * machine disturbs one of the two as easily as the other.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_poll.h"
#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "canned_server.h"
#include "davclient/query.h"
#include "polled.h"
#include "presence/table.h"
#include "stopwatch.h"

enum { APPOINTMENTS = 20, CONNECTIONS = 8, DAYS = 14, ROUNDS = 21 };

struct ours {
    struct polled side;
    int64_t from;
    char *remember; /* where the calendar is, as learnt from the first answer */
    unsigned todo, running, failed, answers;
    unsigned long appointments;
};

static void ask(struct ours *o);

static void answered(void *arg, const struct dav_result *result)
{
    struct ours *o = arg;
    o->running--;
    if (result->err != DAV_OK) {
        if (o->failed++ == 0)
            fprintf(stderr, "load-poll: %s: %s\n", result->code, result->evidence ? result->evidence : "");
        return;
    }
    if (!o->remember && result->remember)
        o->remember = mem_strdup(result->remember);
    struct pres_interval intervals[APPOINTMENTS];
    for (size_t i = 0; i < result->count && i < APPOINTMENTS; i++)
        intervals[i] =
            (struct pres_interval){result->spans[i].start, result->spans[i].end, (enum pres_kind)result->spans[i].kind};
    pres_table_update(o->side.table, polled_turn(&o->side, o->answers++), intervals, result->count, result->from,
                      result->until, result->as_of);
    o->appointments += result->count;
    ask(o);
}

static void ask(struct ours *o)
{
    if (o->todo == 0)
        return;
    o->todo--;
    o->running++;
    struct dav_question q = {
        .address = "anna@example.test", .from = o->from, .until = o->from + DAYS * 86400, .remember = o->remember};
    dav_query_start(o->side.session, &q, answered, o);
}

static double ours_round(struct ours *o, unsigned users)
{
    o->todo = users;
    double began = stopwatch_cpu();
    for (unsigned i = 0; i < CONNECTIONS; i++)
        ask(o);
    while (o->running > 0)
        loop_turn(o->side.loop, 1000);
    return users / (stopwatch_cpu() - began);
}

static void ours_open(struct ours *o, unsigned port, bool smoke)
{
    polled_open(&o->side, "load-poll", port, CONNECTIONS);
    polled_people(&o->side, smoke);
    ours_round(o, 1); /* logon and discovery, not measured */
    polled_know(&o->side, 1);
}

static void ours_close(struct ours *o)
{
    polled_close(&o->side);
    free(o->remember);
}

/* The SEARCH body of the bare loop: of the size of ours. */
static const char search_body[] =
    "<?xml version=\"1.0\"?><D:searchrequest xmlns:D=\"DAV:\"><D:sql>SELECT \"DAV:href\", \"urn:schemas:calendar:uid\","
    " \"urn:schemas:calendar:dtstart\", \"urn:schemas:calendar:dtend\", \"urn:schemas:calendar:busystatus\","
    " \"urn:schemas:calendar:alldayevent\", \"urn:schemas:calendar:instancetype\","
    " \"http://schemas.microsoft.com/exchange/sensitivity\", \"http://schemas.microsoft.com/mapi/apptstateflags\""
    " FROM SCOPE('SHALLOW TRAVERSAL OF \"\"') WHERE \"DAV:contentclass\" = 'urn:content-classes:appointment'"
    " AND \"urn:schemas:calendar:dtend\" &gt; '2008/03/03 00:00:00' AND \"urn:schemas:calendar:dtstart\" &lt; "
    "'2008/03/17 00:00:00'"
    " AND NOT \"urn:schemas:calendar:instancetype\" = 1</D:sql></D:searchrequest>";

static const char *const search_headers[] = {"Content-Type: text/xml",
                                             "Depth: 1",
                                             "Translate: f",
                                             "Brief: t",
                                             "Accept-Language: en-us",
                                             "Range: rows=0-199",
                                             "Expect:",
                                             "Authorization: Basic RVhBTVBMRVxzdmM6c2VjcmV0",
                                             NULL};

int main(int argc, char **argv)
{
    bool smoke = stopwatch_smoke(argc, argv);
    unsigned users = smoke ? 50 : 2000, rounds = smoke ? 1 : ROUNDS;
    if (argc > 2) /* load-poll --users N: one round, for a profiler */
        users = (unsigned)strtoul(argv[2], NULL, 10), rounds = 1;
    struct ours o = {.from = clk_wall_s(clk_system())};
    char *search = canned_search_xml(APPOINTMENTS, o.from), *propfind = canned_propfind_xml();
    struct canned_answer answers[] = {canned_207("SEARCH", search), canned_207("PROPFIND", propfind)};
    unsigned port;
    pid_t server = canned_server_start(answers, 2, &port);
    stopwatch_pin(0);
    ours_open(&o, port, smoke);

    char url[200];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/exchange/anna@example.test/Calendar/", port);
    struct bare_poll_job job = {.method = "SEARCH",
                                .url = url,
                                .body = search_body,
                                .headers = search_headers,
                                .wanted = {"dtstart", "dtend", "busystatus"},
                                .row = "response"};
    struct stopwatch_round results[ROUNDS];
    unsigned long bare_appointments = 0;
    o.appointments = 0;
    for (unsigned i = 0; i < rounds && o.failed == 0; i++) {
        unsigned long seen;
        results[i].limit = bare_poll(&job, users, CONNECTIONS, &seen);
        results[i].ours = ours_round(&o, users);
        bare_appointments += seen;
    }
    bool same = o.failed == 0 && o.appointments == bare_appointments &&
                bare_appointments == (unsigned long)users * rounds * APPOINTMENTS;
    if (!same)
        fprintf(stderr, "load-poll: ours saw %lu appointments, the bare loop %lu, sent were %lu\n", o.appointments,
                bare_appointments, (unsigned long)users * rounds * APPOINTMENTS);
    ours_close(&o);
    canned_server_stop(server);
    for (size_t i = 0; i < 2; i++)
        free(answers[i].bytes);
    free(search);
    free(propfind);
    stopwatch_print_median("poll", "users/s", results, rounds,
                           "libcurl+libevent+SAX loop, same answers");
    return same ? 0 : 1;
}
