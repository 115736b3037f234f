/*
 * load-idle-subscribers: twenty thousand open event streams, each to a person of its own and to one whom all have asked
 * for. What a stream holds of this process's memory; what they cost while nothing changes, which is the comment that
 * each is sent every fifteen seconds, and in the seconds between two of those; and how long it takes until all of them
 * have read of the one change of the one person. The limit is libmicrohttpd alone: as many suspended connections with a
 * response block of 16 KiB, and as many that are each sent one event of as many bytes. What is ours of a stream is what
 * it holds above libmicrohttpd's, when that has the same pool as ours and no block.
 *
 * Each measurement of memory is a process of its own.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audience.h"
#include "bare_stream.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "company.h"
#include "gateway.h"
#include "presence/interval.h"
#include "stopwatch.h"

enum { STREAMS = 20000, SPARE_FILES = 200, REST_MS = 1000, CHANGES = 5, DAY_S = 86400 };
enum { ALONE_S = 5, QUIET_S = 30, COMMENT_S = 15 };
enum { OUR_LIMIT = 4096, BLOCK = 16 * 1024, OUR_POOL = 38 * 1024 };

struct figures {
    double bytes, cpu, wall;     /* of a stream; s of one change */
    double quiet_cpu;            /* of a core while nothing changes, on the average */
    double least_cpu, alone_cpu; /* the same in the cheapest second, and with nobody connected */
    unsigned event;                     /* bytes */
};

static unsigned streams = STREAMS, quiet_s = QUIET_S, alone_s = ALONE_S, changes = CHANGES;

static size_t two_people(unsigned i, char *out, size_t max)
{
    char own[32], common[32];
    return (size_t)snprintf(out, max, "GET /v1/events?address=%s&address=%s HTTP/1.1\r\nHost: a\r\n\r\n",
                            company_address(i + 1, own), company_address(0, common));
}

static void turn_for(struct company *c, double s)
{
    for (double until = stopwatch_now() + s; stopwatch_now() < until;)
        loop_turn(c->loop, 10);
}

/* Everybody is connected, and has read the states it begins with. */
static void settle(struct company *c, const struct audience *a)
{
    while (audience_events(a) < 2 * (uint64_t)streams && audience_lost(a) == 0)
        loop_turn(c->loop, 10);
    turn_for(c, REST_MS / 1000.0);
    if (audience_lost(a) > 0) {
        fprintf(stderr, "load-idle-subscribers: %lu streams were cut\n", (unsigned long)audience_lost(a));
        exit(1);
    }
}

static void change_one(struct company *c, const struct audience *a, unsigned round, struct figures *ret)
{
    struct pres_table *table = gw_table(c->gateway);
    char address[32];
    int64_t now = clk_wall_s(clk_system());
    struct pres_interval meeting = {now - 60, now + 3600 + 60 * (int64_t)round, PRES_BUSY};
    uint64_t events = audience_events(a), bytes = audience_bytes(a);
    double cpu = stopwatch_cpu(), wall = stopwatch_now();

    pres_table_update(table, pres_table_find(table, company_address(0, address)), &meeting, 1, now - DAY_S,
                      now + DAY_S, now);
    while (audience_events(a) < events + streams && audience_lost(a) == 0)
        loop_turn(c->loop, 10);
    cpu = stopwatch_cpu() - cpu;
    wall = audience_last(a) - wall;
    ret->cpu = round == 0 || cpu < ret->cpu ? cpu : ret->cpu;
    ret->wall = round == 0 || wall < ret->wall ? wall : ret->wall;
    ret->event = (unsigned)((audience_bytes(a) - bytes) / streams);
}

/* Returns what a second costs on the average. */
static double stay_quiet(struct company *c, unsigned seconds, double *ret_least)
{
    double all = 0;
    for (unsigned i = 0; i < seconds; i++) {
        double cpu = stopwatch_cpu();
        turn_for(c, 1);
        cpu = stopwatch_cpu() - cpu;
        all += cpu;
        *ret_least = i == 0 || cpu < *ret_least ? cpu : *ret_least;
    }
    return all / seconds;
}

static void ours(struct figures *ret)
{
    struct audience a;
    struct company c;

    company_open(&c, streams + 1, 0.001);
    company_settle(&c);
    stay_quiet(&c, alone_s, &ret->alone_cpu);
    size_t before = company_resident();
    audience_start(&a, c.port, streams, two_people);
    settle(&c, &a);
    ret->bytes = (double)(company_resident() - before) / streams;
    ret->quiet_cpu = stay_quiet(&c, quiet_s, &ret->least_cpu);
    for (unsigned i = 0; i < changes; i++) {
        turn_for(&c, 0.2);
        change_one(&c, &a, i, ret);
    }
    audience_stop(&a);
    company_close(&c);
}

static void bare_with_block(struct figures *ret)
{
    ret->bytes = (double)bare_stream_resident(streams, BLOCK, 0) / streams;
}

static void bare_as_ours(struct figures *ret)
{
    ret->bytes = (double)bare_stream_resident(streams, 1, OUR_POOL) / streams;
}

static void apart(void (*run)(struct figures *ret), struct figures *ret)
{
    int status;
    struct figures *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    pid_t child = fork();
    if (child == 0) {
        run(shared);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        exit(1);
    *ret = *shared;
    munmap(shared, sizeof(*shared));
}

/* A descriptor each in this process, and as many in the audience's; who may, may have more than was given. */
static void allow_files(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < streams + SPARE_FILES) {
        struct rlimit more = {streams + SPARE_FILES, streams + SPARE_FILES};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
        streams = (unsigned)files.rlim_max - SPARE_FILES;
        fprintf(stderr, "load-idle-subscribers: no more than %u descriptors are allowed\n", (unsigned)files.rlim_max);
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    struct figures mine, with_block, no_block;

    if (stopwatch_smoke(argc, argv))
        streams = 50, quiet_s = 1, alone_s = 1, changes = 1;
    allow_files();
    log_set_level(LOG_LEVEL_ERROR);
    stopwatch_pin(0);
    apart(bare_with_block, &with_block);
    apart(bare_as_ours, &no_block);
    apart(ours, &mine);
    stopwatch_print_cost("idle-subscribers-memory", "bytes/stream", mine.bytes, with_block.bytes,
                         "a bare libmicrohttpd stream with a block of 16 KiB");
    stopwatch_print_cost("idle-subscribers-memory-ours", "bytes/stream", mine.bytes - no_block.bytes, OUR_LIMIT,
                         "what is allowed of ours, above a bare stream without a block");
    stopwatch_print_cost("idle-subscribers-still", "% of a core", 100 * mine.least_cpu, 100 * mine.alone_cpu,
                         "the same gateway with nobody connected");
    char *text = malloc((size_t)streams * mine.event);
    struct bare_stream_time bare, best = {0, 0};
    if (!text)
        abort();
    memset(text, 'x', (size_t)streams * mine.event);
    for (unsigned i = 0; i < streams; i++)
        memcpy(text + (size_t)(i + 1) * mine.event - 3, "}\n\n", 3);
    for (unsigned i = 0; i < changes; i++) {
        bare = bare_stream(streams, text, streams, mine.event, 0);
        best.cpu = i == 0 || bare.cpu < best.cpu ? bare.cpu : best.cpu;
        best.wall = i == 0 || bare.wall < best.wall ? bare.wall : best.wall;
    }
    stopwatch_print_cost("idle-subscribers-quiet", "% of a core", 100 * mine.quiet_cpu, 100 * best.cpu / COMMENT_S,
                         "a bare libmicrohttpd loop, one event to each every 15 s");
    stopwatch_print_cost("idle-subscribers-change", "s", mine.wall, best.wall,
                         "a bare libmicrohttpd loop, one event to each");
    stopwatch_print_cost("idle-subscribers-change-cpu", "s", mine.cpu, best.cpu,
                         "a bare libmicrohttpd loop, one event to each");
    free(text);
    return 0;
}
