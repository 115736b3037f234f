/*
 * load-nine-oclock: a million people change at one second. How long until the last byte of it has been read, by one
 * subscriber to everybody, and by a thousand subscribers to a thousand people each; beside as many bytes from a bare
 * libmicrohttpd loop, and as many messages through Redis and mosquitto.
 *
 * A whole gateway in this process, its audience on the other core. Everybody changes again every few seconds; the
 * quickest of some rounds counts, of ours as of the limit's, because what disturbs a shared machine only adds. CPU time
 * is the serving process's alone.
 */
#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "audience.h"
#include "bare_stream.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "brokers.h"
#include "company.h"
#include "gateway.h"
#include "presence/render.h"
#include "stopwatch.h"

enum { PEOPLE = 1000000, GROUPS = 1000, ROUNDS = 3, POOL = 256 * 1024 };

struct taken {
    double cpu, wall; /* s; 0: not measured */
    unsigned bytes;   /* of an event, with what HTTP adds */
};

static unsigned people = PEOPLE, groups = GROUPS, rounds = ROUNDS;
static const char *only; /* this shape, and ours alone: for a profiler */

static size_t everybody(unsigned i, char *out, size_t max)
{
    (void)i;
    return (size_t)snprintf(out, max, "GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
}

static size_t one_group(unsigned group, char *out, size_t max)
{
    size_t len = (size_t)snprintf(out, max, "GET /v1/events");
    for (unsigned i = 0; i < people / groups; i++) {
        char address[32];
        len += (size_t)snprintf(out + len, max - len, "%saddress=%s", i ? "&" : "?",
                                company_address(i * groups + group, address));
    }
    return len + (size_t)snprintf(out + len, max - len, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* Until nothing comes any more, and the next change is not too near. */
static void rest(struct company *c, const struct audience *a, int64_t first, int64_t step)
{
    do
        company_heard(c, a, people);
    while ((clk_wall_ms(clk_system()) - first * 1000) % (step * 1000) > (step - 1) * 1000);
}

static void keep_best(struct taken *best, double cpu, double wall)
{
    best->cpu = best->cpu == 0 || cpu < best->cpu ? cpu : best->cpu;
    best->wall = best->wall == 0 || wall < best->wall ? wall : best->wall;
}

static struct taken ours(unsigned connections, audience_hello_fn *hello)
{
    int64_t step = 3 + people / 60000;
    struct taken best = {0, 0, 0};
    struct audience a;
    struct company c;

    company_open(&c, people, 0.001);
    int64_t first = clk_wall_s(clk_system()) + step;
    company_meet(&c, first, step, 0);
    audience_start(&a, c.port, connections, hello);
    for (unsigned i = 0; i < rounds; i++) {
        rest(&c, &a, first, step);
        uint64_t events = audience_events(&a), bytes = audience_bytes(&a);
        double cpu = stopwatch_cpu(), now = stopwatch_now();
        int64_t ms = clk_wall_ms(clk_system()) - first * 1000;
        double begin = now + (ms < 0 ? (double)-ms : (double)(step * 1000 - ms % (step * 1000))) / 1000;
        while (audience_events(&a) < events + people && audience_lost(&a) == 0)
            loop_turn(c.loop, 10);
        keep_best(&best, stopwatch_cpu() - cpu, audience_last(&a) - begin);
        best.bytes = (unsigned)((audience_bytes(&a) - bytes) / people);
    }
    if (audience_lost(&a) > 0) {
        fprintf(stderr, "load-nine-oclock: %lu streams were cut\n", (unsigned long)audience_lost(&a));
        exit(1);
    }
    audience_stop(&a);
    company_close(&c);
    return best;
}

static void compare(const char *shape, const char *beside, const struct taken *mine, double cpu, double wall,
                    const char *what)
{
    char driver[80];
    if (wall <= 0)
        return;
    snprintf(driver, sizeof(driver), "nine-oclock-%s-%s", shape, beside);
    stopwatch_print_cost(driver, "s", mine->wall, wall, what);
    snprintf(driver, sizeof(driver), "nine-oclock-%s-%s-cpu", shape, beside);
    stopwatch_print_cost(driver, "s", mine->cpu, cpu, what);
    fflush(stdout);
}

/* Everybody's event, all different, of so many bytes each. */
static char *prepare(unsigned bytes)
{
    char *text = malloc((size_t)people * bytes), address[256];
    int64_t now = clk_wall_s(clk_system());
    struct pres_presence p = {.since = now, .until = now + 60, .as_of = now, .valid_until = now + 90};
    struct buf event;
    int width = 7;
    if (!text)
        abort();
    buf_init(&event, 4096);
    for (unsigned i = 0; i < people; i++) {
        do {
            buf_reset(&event);
            snprintf(address, sizeof(address), "u%0*u@x.test", width, i);
            buf_addf(&event, "id: 0123456789abcdef-%07u\nevent: presence\ndata: ", i);
            pres_render_json(&event, address, &p);
            buf_adds(&event, "\n\n");
            width += (int)bytes - (int)event.len;
        } while (event.len != bytes && width < (int)sizeof(address) / 2);
        memcpy(text + (size_t)i * bytes, event.data, bytes);
    }
    buf_free(&event);
    return text;
}

static void run(const char *shape, unsigned connections, audience_hello_fn *hello)
{
    struct taken mine, bare = {0, 0, 0}, printing = {0, 0, 0}, redis = {0, 0, 0}, mosquitto = {0, 0, 0};
    struct broker_time took;

    if (only && strcmp(only, shape) != 0)
        return;
    mine = ours(connections, hello);
    char *text = prepare(mine.bytes);
    for (unsigned i = 0; i < 2 * rounds; i++) {
        struct bare_stream_time stream = bare_stream(connections, text, people, mine.bytes, i % 2 ? POOL : 0);
        keep_best(&bare, stream.cpu, stream.wall);
        stream = bare_stream(connections, NULL, people, mine.bytes, i % 2 ? POOL : 0);
        keep_best(&printing, stream.cpu, stream.wall);
    }
    free(text);
    if (only) {
        fprintf(stderr, "%s: %.3f s, %.3f s CPU, %u bytes each; bare %.3f s, %.3f s CPU; printing %.3f s, %.3f s CPU\n",
                shape, mine.wall, mine.cpu, mine.bytes, bare.wall, bare.cpu, printing.wall, printing.cpu);
        return;
    }
    for (unsigned i = 0; i < rounds; i++) {
        if (brokers_redis(connections, people, mine.bytes, &took))
            keep_best(&redis, took.cpu, took.wall);
        if (brokers_mosquitto(connections, people, mine.bytes, &took))
            keep_best(&mosquitto, took.cpu, took.wall);
    }
    compare(shape, "bare", &mine, bare.cpu, bare.wall, "a bare libmicrohttpd loop, the same bytes");
    compare(shape, "bare-printing", &mine, printing.cpu, printing.wall,
            "a bare libmicrohttpd loop that prints each event with snprintf()");
    compare(shape, "redis", &mine, redis.cpu, redis.wall, "Redis PUBLISH, pipelined, as many messages");
    compare(shape, "mosquitto", &mine, mosquitto.cpu, mosquitto.wall, "mosquitto, QoS 0, as many messages");
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (stopwatch_smoke(argc, argv))
        people = 1000, groups = 10, rounds = 1;
    if (argc > 3) /* --people N firehose|groups */
        people = (unsigned)strtoul(argv[2], NULL, 10), groups = people / 1000, only = argv[3];
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    log_set_level(LOG_LEVEL_ERROR);
    stopwatch_pin(0);
    run("firehose", 1, everybody);
    run("groups", groups, one_group);
    return 0;
}
