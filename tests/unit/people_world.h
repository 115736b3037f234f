/*
 * people_world: a gateway (gateway_world.h) for tests of what reads its table: many people whom nobody polls.
 */
#ifndef TESTS_PEOPLE_WORLD_H
#define TESTS_PEOPLE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway_world.h"

#define BEGAN INT64_C(1800000000) /* 2027-01-15T08:00:00Z, of gateway_world.h */
#define DAY INT64_C(86400)

/* p0@x.test and so on; every tenth one is in the group "Sales". */
static inline void start_with(struct fixture *f, unsigned count)
{
    char text[1000];
    FILE *file = fopen(files_path(f->folder, "people.csv"), "w");
    assert_non_null(file);
    fputs("address,group\n", file);
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "p%u@x.test,%s\n", i, i % 10 ? "" : "Sales");
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(files_path(f->folder, "people.csv"), 0600), 0);
    snprintf(text, sizeof text,
             "servers:\n  - { name: inside, kind: relay, relay: { from: exporter, expiry: 1d } }\n"
             "users: [ { file: people.csv } ]\npublish: { http: { listen: [] } }\n"
             "control: { socket: %s/control.sock }\n",
             f->folder);
    files_write(f->folder, "c.yaml", 0600, text);
    start(f);
    assert_int_equal(pres_table_count(f->g->table), count);
}

static inline pres_id person(const struct fixture *f, unsigned number)
{
    char address[32];
    snprintf(address, sizeof address, "p%u@x.test", number);
    return pres_table_find(f->g->table, address);
}

/* An answer of now, for a day before and two days after. */
static inline void meetings(const struct fixture *f, unsigned number, const struct pres_interval *in, size_t n)
{
    int64_t now = clk_wall_s(f->clk);
    pres_table_update(f->g->table, person(f, number), in, n, now - DAY, now + 2 * DAY, now);
}

static inline void turns(const struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        loop_turn(f->loop, 0);
}

#endif
