/*
 * A whole gateway for tests of what reads its table: many people whom nobody polls, on a clock of ours.
 */
#ifndef UNIT_PEOPLE_WORLD_H
#define UNIT_PEOPLE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config_files.h"
#include "gateway_private.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z */
#define DAY INT64_C(86400)

struct fixture {
    char *folder;
    struct clk *clk;
    struct loop *loop;
    struct gateway *g;
    struct pres_table *table;
};

static inline int world_begin(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    log_set_level(LOG_LEVEL_ERROR);
    f->folder = files_folder();
    f->clk = clk_fake_new(NOON * 1000);
    f->loop = loop_new(f->clk);
    *state = f;
    return 0;
}

static inline int world_end(void **state)
{
    struct fixture *f = *state;
    gw_free(&f->g);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
    files_remove(f->folder);
    free(f);
    return 0;
}

/* p0@x.test and so on; every tenth one is in the group "Sales". */
static inline void world_people(struct fixture *f, unsigned count)
{
    struct gw_config_error err;
    char text[1000], why[300];
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
    struct gw_config *config = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!config)
        fail_msg("%s", err.why);
    f->g = gw_new(f->loop, config, why, sizeof why);
    if (!f->g)
        fail_msg("%s", why);
    f->table = f->g->table;
    assert_int_equal(pres_table_count(f->table), count);
}

static inline pres_id person(const struct fixture *f, unsigned number)
{
    char address[32];
    snprintf(address, sizeof address, "p%u@x.test", number);
    return pres_table_find(f->table, address);
}

/* An answer of now, for a day before and two days after. */
static inline void meetings(const struct fixture *f, unsigned number, const struct pres_interval *in, size_t n)
{
    int64_t now = clk_wall_s(f->clk);
    pres_table_update(f->table, person(f, number), in, n, now - DAY, now + 2 * DAY, now);
}

static inline void turns(const struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        loop_turn(f->loop, 0);
}

#endif
