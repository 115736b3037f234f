/*
 * load-outlets-sip: PUBLISH requests a second that Kamailio, keeping everything in memory, answers 200: ours from the
 * start until everybody is published, over UDP; the limit is SIPp with as large a document, as many people and as many
 * requests under way, at the same server in the same run, about the same people.
 *
 * It is Kamailio that is busy, three quarters of the time of both cores, and its first requests are its slowest: its
 * memory is touched for the first time. Hence one round that does not count, and then the two in turns; the round with
 * the median ratio counts.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "presence/pub_sip.h"
#include "stopwatch.h"

enum { WINDOW = 100, PATIENCE_S = 40, HOUR = 3600, ROUNDS = 9 };

static unsigned people = 4000, rounds = ROUNDS;

static struct loop *loop;
static struct pres_table *table;
static struct pres_publisher *publisher;

static void die(const char *what)
{
    fprintf(stderr, "load-outlets-sip: %s\n", what);
    exit(1);
}

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    (void)arg, (void)now;
    if (publisher)
        pres_publisher_changed(publisher, id);
}

/* "PORT TLS_PORT PID" of tests/peers/kamailio.sh. */
static pid_t server(const char *folder, unsigned *ret_port)
{
    char command[600];
    unsigned tls_port;
    int pid = 0;
    snprintf(command, sizeof command, "PEER_MEMORY=1024 %s/tests/peers/kamailio.sh %s memory", LOAD_ROOT, folder);
    FILE *out = popen(command, "r");
    if (!out || fscanf(out, "%u %u %d", ret_port, &tls_port, &pid) != 3)
        die("kamailio does not start");
    pclose(out);
    return pid;
}

static void everybody(bool busy, int64_t now)
{
    const struct pres_interval in = {now - HOUR, now + HOUR, PRES_BUSY};
    for (pres_id id = pres_table_next(table, PRES_NOBODY); id != PRES_NOBODY; id = pres_table_next(table, id))
        pres_table_update(table, id, &in, busy, now - 24 * HOUR, now + 24 * HOUR, clk_wall_s(loop_clk(loop)));
}

static bool busy_now(void)
{
    struct pres_publisher_status status;
    struct pres_count rows[20];
    size_t n = pres_publisher_counts(publisher, rows, 20);
    pres_publisher_status(publisher, &status);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, "under_way") == 0 && rows[i].value > 0)
            return true;
    return strcmp(status.state, "up") != 0 || status.waiting > 0 || status.resyncing;
}

/* Until that many messages were sent and all are answered. */
static void settle(uint64_t messages)
{
    struct pres_publisher_status status = {.messages = 0};
    for (double end = stopwatch_now() + PATIENCE_S; status.messages < messages || busy_now();) {
        loop_turn(loop, 1);
        pres_publisher_status(publisher, &status);
        if (stopwatch_now() > end) {
            struct pres_count rows[20];
            for (size_t i = 0, n = pres_publisher_counts(publisher, rows, 20); i < n; i++)
                fprintf(stderr, "%s %llu\n", rows[i].name, (unsigned long long)rows[i].value);
            fprintf(stderr, "state %s code %s waiting %zu\n", status.state, status.code ? status.code : "",
                    status.waiting);
            die("it takes too long");
        }
    }
}

static double ours(unsigned port)
{
    char uri[100], why[200];
    int64_t now = clk_wall_s(clk_system());
    const struct pres_publisher_settings settings = {.name = "sip", .rate = 1e9};
    snprintf(uri, sizeof uri, "sip:127.0.0.1:%u;transport=udp", port);
    struct pres_sip_settings s = {.server = uri, .domain = "im.example", .window = WINDOW};
    s.looks.text[PRES_BUSY] = "Busy[ until {until}]";
    loop = loop_new(clk_system());
    table = pres_table_new(loop, on_change, NULL);
    for (unsigned i = 0; i < people; i++) {
        char address[60];
        const struct pres_person_spec spec = {.address = address, .stale_after = 24 * HOUR};
        snprintf(address, sizeof address, "person%05u@im.example", i);
        pres_table_add(table, &spec);
    }
    everybody(true, now);
    publisher = pres_sip_new(loop, table, &settings, &s, why, sizeof why);
    if (!publisher)
        die(why);
    double began = stopwatch_now();
    pres_publisher_start(publisher);
    settle(people);
    double took = stopwatch_now() - began;
    pres_publisher_free(&publisher);
    pres_table_free(&table);
    loop_free(&loop);
    return people / took;
}

static double sipp(const char *folder, unsigned port)
{
    char command[1000];
    snprintf(
        command, sizeof command,
        "cd %s && sipp 127.0.0.1:%u -sf %s/tests/peers/sipp_publish.xml -i 127.0.0.1 -m %u -r 50000 -l %d -nostdin "
        "-timeout 120s -timeout_error >sipp.out 2>&1",
        folder, port, LOAD_ROOT, people, WINDOW);
    double began = stopwatch_now();
    if (system(command) != 0)
        die("SIPp failed");
    return people / (stopwatch_now() - began);
}

int main(int argc, char **argv)
{
    struct stopwatch_round all[ROUNDS];
    char folder[] = "/tmp/load-outlets-sip-XXXXXX", command[100];
    unsigned port;
    if (stopwatch_smoke(argc, argv)) {
        people = 150; /* more than may be under way */
        rounds = 1;
    }
    log_set_level(LOG_LEVEL_ERROR);
    if (!mkdtemp(folder))
        die("mkdtemp");
    pid_t pid = server(folder, &port);
    sipp(folder, port);
    for (unsigned i = 0; i < rounds; i++) {
        all[i].ours = ours(port);
        all[i].limit = sipp(folder, port);
    }
    stopwatch_print_median("outlets-sip", "PUBLISH/s", all, rounds,
                           "SIPp with as many under way at the same Kamailio in memory mode");
    kill(pid, SIGTERM);
    snprintf(command, sizeof command, "while kill -0 %d 2>/dev/null; do sleep 0.1; done; rm -rf %s", (int)pid, folder);
    return system(command) != 0;
}
