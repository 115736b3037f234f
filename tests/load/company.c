/*
 * company: see company.h. The people's calendars are given to the table as the poller's answers would be; the polls
 * themselves go on beside that at the rate that the driver allows, which is next to nothing where they are not what is
 * measured.
 */
#include "company.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audience.h"
#include "base/clk.h"
#include "base/loop.h"
#include "canned_server.h"
#include "gateway.h"
#include "presence/interval.h"

enum { DAY_S = 86400, WINDOW_DAYS = 14, APPOINTMENTS = 20 };

static FILE *create(const struct company *c, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", c->folder, name);
    FILE *file = fopen(path, "w");
    if (!file || fchmod(fileno(file), 0600) != 0) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_config(const struct company *c, const char *rules)
{
    FILE *file = create(c, "c.yaml");
    fprintf(
        file,
        "servers:\n  - { name: canned, kind: exchange, url: 'http://127.0.0.1:%u/exchange/', account: 'EXAMPLE\\svc',\n"
        "      password_file: pw, auth: [basic], max_requests_per_second: %.3f, changes: { contenttag: false, "
        "subscribe: false } }\n"
        "users: [ { file: people.csv } ]\npoll: { interval: 1d }\npresence: { stale_after: 7d }\n"
        "publish: { http: { listen: ['127.0.0.1:0'], max_connections: 60000 } }\ncontrol: { socket: %s/control.sock "
        "}\n%s%s",
        c->server_port, c->polls, c->folder, rules[0] ? "policy:\n  rules:\n" : "", rules);
    fclose(file);
}

static void write_files(const struct company *c)
{
    FILE *file = create(c, "pw");
    fputs("secret\n", file);
    fclose(file);
    file = create(c, "people.csv");
    fputs("address\n", file);
    for (unsigned i = 0; i < c->people; i++) {
        char address[32];
        fprintf(file, "%s\n", company_address(i, address));
    }
    fclose(file);
    write_config(c, "");
}

static void remove_files(const struct company *c)
{
    static const char *const names[] = {"pw", "people.csv", "c.yaml", "control.sock"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", c->folder, names[i]);
        unlink(path);
    }
    rmdir(c->folder);
}

void company_open(struct company *c, unsigned people, double polls)
{
    char *search = canned_search_xml(APPOINTMENTS, clk_wall_s(clk_system())), *propfind = canned_propfind_xml();
    struct canned_answer answers[] = {canned_207("SEARCH", search), canned_207("PROPFIND", propfind)};
    struct gw_config_error err;
    char path[128], why[4200];

    *c = (struct company){.people = people, .polls = polls, .folder = "/tmp/freebusyd-load-XXXXXX"};
    if (!mkdtemp(c->folder)) {
        perror(c->folder);
        exit(1);
    }
    c->server = canned_server_start(answers, 2, &c->server_port);
    write_files(c);
    snprintf(path, sizeof(path), "%s/c.yaml", c->folder);
    struct gw_config *config = gw_config_read(path, &err);
    c->loop = loop_new(clk_system());
    c->gateway = config ? gw_new(c->loop, config, why, sizeof(why)) : NULL;
    if (!c->gateway) {
        fprintf(stderr, "load: %s\n", config ? why : err.why);
        exit(1);
    }
    c->port = gw_http_port(gw_http(c->gateway), 0);
    for (size_t i = 0; i < 2; i++)
        free(answers[i].bytes);
    free(search);
    free(propfind);
}

void company_close(struct company *c)
{
    gw_free(&c->gateway);
    loop_free(&c->loop);
    canned_server_stop(c->server);
    remove_files(c);
}

static void reloaded(void *arg, bool ok, const char *why)
{
    *(bool *)arg = true;
    if (ok)
        return;
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

void company_policy(struct company *c, const char *rules)
{
    bool over = false;
    write_config(c, rules);
    gw_reload(c->gateway, true, reloaded, &over);
    while (!over)
        loop_turn(c->loop, 10);
    company_settle(c);
}

char *company_address(unsigned n, char out[32])
{
    snprintf(out, 32, "u%u@x.test", n);
    return out;
}

void company_meet(struct company *c, int64_t first, int64_t step, unsigned jitter)
{
    struct pres_table *table = gw_table(c->gateway);
    int64_t now = clk_wall_s(clk_system());
    struct pres_interval meetings[COMPANY_INTERVALS];
    unsigned n = 0;

    for (pres_id id = PRES_NOBODY; (id = pres_table_next(table, id)) != PRES_NOBODY; n++) {
        for (int64_t i = 0; i < COMPANY_INTERVALS; i++) {
            int64_t start = first + (jitter ? n % jitter / 60 * 60 : 0) + 2 * i * step;
            meetings[i] = (struct pres_interval){start, start + step, PRES_BUSY};
        }
        pres_table_update(table, id, meetings, COMPANY_INTERVALS, now - now % DAY_S, now + (int64_t)WINDOW_DAYS * DAY_S,
                          now);
        if (n % 1000 == 0)
            loop_turn(c->loop, 0);
    }
    company_settle(c);
}

/* The table does a slice of its work a turn: while there is some, the journal grows. */
void company_settle(struct company *c)
{
    uint64_t before, after = pres_journal_head(gw_journal(c->gateway));
    do {
        before = after;
        for (unsigned i = 0; i < 200; i++)
            loop_turn(c->loop, 0);
        after = pres_journal_head(gw_journal(c->gateway));
    } while (after != before);
}

/* Nothing heard is not enough: on a busy machine this process or the audience may have got no turn. */
void company_heard(struct company *c, const struct audience *a, uint64_t states)
{
    uint64_t seen, idle;
    do {
        seen = audience_events(a);
        idle = audience_idle(a);
        for (unsigned i = 0; i < 50; i++)
            loop_turn(c->loop, 10);
    } while (audience_events(a) != seen || audience_idle(a) < idle + 3 || seen < states);
}

size_t company_resident(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
        exit(1);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}
