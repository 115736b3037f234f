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

struct reloading {
    struct fixture *f;
    bool over, ok;
};

static inline void reload_over(void *arg, bool ok, const char *why)
{
    struct reloading *r = arg;
    snprintf(r->f->why, sizeof r->f->why, "%s", why);
    r->over = true;
    r->ok = ok;
}

/* Turns the loop until it is through; f->why says what came of it. */
static inline bool reload_now(struct fixture *f, bool confirmed)
{
    struct reloading r = {.f = f};
    gw_reload(f->g, confirmed, reload_over, &r);
    assert_false(r.over);
    for (int64_t end = clk_mono_ms(clk_system()) + 60000; !r.over && clk_mono_ms(clk_system()) < end;)
        loop_turn(f->loop, 5);
    assert_true(r.over);
    return r.ok;
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
