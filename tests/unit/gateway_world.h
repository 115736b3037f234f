/*
 * gateway_world: a real gateway with its faces, on a fake clock, from the file c.yaml in a folder of the test's own.
 */
#ifndef TESTS_GATEWAY_WORLD_H
#define TESTS_GATEWAY_WORLD_H

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config_files.h"
#include "gateway_private.h"

struct fixture {
    char *folder;
    struct clk *clk;
    struct loop *loop;
    struct gateway *g;
    char why[4200];
};

static inline void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static inline void start(struct fixture *f)
{
    struct gw_config_error err;
    struct gw_config *c = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!c)
        fail_msg("%s", err.why);
    f->g = gw_new(f->loop, c, f->why, sizeof f->why);
    if (!f->g)
        fail_msg("%s", f->why);
}

static inline int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->folder = files_folder();
    f->clk = clk_fake_new(1800000000000);
    f->loop = loop_new(f->clk);
    log_set_sink(quiet, NULL);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    gw_free(&f->g);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
    files_remove(f->folder);
    log_set_sink(NULL, NULL);
    free(f);
    return 0;
}

#endif
