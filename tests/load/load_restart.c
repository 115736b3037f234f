/*
 * load-restart: from the start of the daemon to the moment when it serves a million people from its state directory:
 * configuration, list of people, table, last known states of forty intervals each. The limit is SQLite alone, reading
 * the same rows and adding up their intervals' bytes. Both in CPU time, which other programs disturb least; the time
 * itself is printed as well.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/db.h"
#include "base/log.h"
#include "base/loop.h"
#include "gateway.h"
#include "keep.h"
#include "stopwatch.h"

enum { PEOPLE = 1000000, SMOKE_PEOPLE = 200, INTERVALS = 40, INTERVAL_BYTES = 9, HOUR_S = 3600, SLICE = 20000 };

static char folder[] = "/tmp/freebusyd-load-XXXXXX";

static char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static FILE *create(const char *name)
{
    FILE *file = fopen(path_of(name), "w");
    if (!file) {
        perror(name);
        exit(1);
    }
    return file;
}

static void write_files(unsigned people)
{
    FILE *file = create("pw");
    fputs("secret\n", file);
    fclose(file);
    file = create("people.csv");
    fputs("address\n", file);
    for (unsigned i = 0; i < people; i++)
        fprintf(file, "u%u@x.test\n", i);
    fclose(file);
    file = create("c.yaml");
    fprintf(file,
            "servers:\n  - { name: away, kind: exchange, url: 'http://127.0.0.1:9/exchange/', account: svc, "
            "password_file: pw, auth: [basic] }\n"
            "users: [ { file: people.csv, server: away } ]\npoll: { interval: 1d }\npresence: { stale_after: 7d }\n"
            "publish: { http: { listen: ['127.0.0.1:0'] } }\ncontrol: { socket: %s/control.sock }\nstate: { directory: "
            "%s }\n",
            folder, folder);
    fclose(file);
}

static void put_u32(uint8_t *out, int64_t n)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(n >> 8 * i);
}

static void wait_safe(void *arg, bool ok)
{
    *(bool *)arg = ok;
}

static void write_states(unsigned people)
{
    static const char insert[] = "INSERT OR REPLACE INTO person VALUES (?1, 'away', ?2, ?3, ?4, ?5, NULL)";
    char why[300];
    int64_t now = clk_wall_s(clk_system());
    uint8_t busy[INTERVALS * INTERVAL_BYTES];
    struct loop *loop = loop_new(clk_system());
    struct gw_keep *keep = gw_keep_new(loop, folder, why, sizeof why);
    struct db *db = keep ? gw_keep_db(keep) : NULL;
    for (unsigned i = 0; i < INTERVALS; i++) {
        put_u32(busy + i * INTERVAL_BYTES, now + (2 * i + 1) * (int64_t)HOUR_S);
        put_u32(busy + i * INTERVAL_BYTES + 4, now + (2 * i + 2) * (int64_t)HOUR_S);
        busy[i * INTERVAL_BYTES + 8] = 3;
    }
    for (unsigned i = 0; i < people && db; i++) {
        char address[32];
        bool safe = false;
        snprintf(address, sizeof address, "u%u@x.test", i);
        const struct db_value row[] = {db_text(address), db_int(now), db_int(now - HOUR_S),
                                       db_int(now + 14 * 24 * HOUR_S), db_blob(busy, sizeof busy)};
        db_write(db, insert, row, 5);
        if (i % SLICE != SLICE - 1 && i + 1 < people)
            continue;
        db_sync(db, wait_safe, &safe);
        while (!safe)
            loop_turn(loop, 100);
    }
    gw_keep_free(&keep);
    loop_free(&loop);
    if (!db) {
        fprintf(stderr, "load-restart: no state file in %s: %s\n", folder, why);
        exit(1);
    }
}

/* SQLite alone. */
static double bare(unsigned people)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    unsigned rows = 0, sum = 0;
    double start = stopwatch_cpu();
    if (sqlite3_open(path_of("state.sqlite"), &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT address, server, as_of, starts, ends, busy, place FROM person", -1, &s, NULL) !=
            SQLITE_OK) {
        fprintf(stderr, "load-restart: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    for (; sqlite3_step(s) == SQLITE_ROW; rows++) {
        const uint8_t *blob = sqlite3_column_blob(s, 5);
        for (int i = 0; i < sqlite3_column_bytes(s, 5); i++)
            sum += blob[i];
        sum += (unsigned)sqlite3_column_bytes(s, 0) + (unsigned)sqlite3_column_int64(s, 2);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    if (rows != people || sum == 0) {
        fprintf(stderr, "load-restart: %u rows of %u\n", rows, people);
        exit(1);
    }
    return stopwatch_cpu() - start;
}

static double ours(unsigned people)
{
    double begin = stopwatch_now();
    struct gw_config_error err;
    char why[4200] = "";
    double start = stopwatch_cpu();
    struct gw_config *config = gw_config_read(path_of("c.yaml"), &err);
    struct loop *loop = loop_new(clk_system());
    struct gateway *g = config ? gw_new(loop, config, why, sizeof why) : NULL;
    if (!g) {
        fprintf(stderr, "load-restart: %s\n", config ? why : err.why);
        exit(1);
    }
    double took = stopwatch_cpu() - start;
    fprintf(stderr, "load-restart: %u people are served after %.2f s, of which %.2f s were work\n", people,
            stopwatch_now() - begin, took);
    struct pres_presence p;
    pres_table_presence(gw_table(g), pres_table_find(gw_table(g), "u7@x.test"), &p);
    if (p.state != PRES_FREE || !p.next.some || pres_table_count(gw_table(g)) != people) {
        fprintf(stderr, "load-restart: the states were not there\n");
        exit(1);
    }
    gw_free(&g);
    loop_free(&loop);
    return took;
}

int main(int argc, char **argv)
{
    unsigned people = stopwatch_smoke(argc, argv) ? SMOKE_PEOPLE : PEOPLE;
    static const char *const names[] = {"pw",   "people.csv",  "c.yaml", "state.sqlite", "state.sqlite-wal",
                                        "lock", "control.sock"};
    log_set_level(LOG_LEVEL_ERROR);
    if (!mkdtemp(folder))
        return 1;
    write_files(people);
    if (chmod(path_of("pw"), 0600) != 0)
        return 1;
    write_states(people);
    bare(people); /* the page cache is warm for both */
    double limit = bare(people), took = ours(people);
    stopwatch_print("restart", "people/s", people / took, people / limit, "SQLite alone, reading the same rows");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    rmdir(folder);
    return 0;
}
