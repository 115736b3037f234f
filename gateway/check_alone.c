/*
 * check_alone: the last step of a check without a daemon: the outlets of the configuration are made as the daemon makes
 * them, of a gateway that has nobody in it and keeps nothing, and are watched until each has shown that it connects, is
 * let in and gets a message of its own back. check.c calls it, check_outlets.c writes the lines.
 *
 * Nobody is told of anybody meanwhile. What an XMPP server or a phone asks is left without an answer (`alone`), for an
 * empty table would say that there is no such person. Where the daemon runs, nothing is tried at all: a second
 * connection by its name would push it off the server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "check.h"
#include "gateway_private.h"
#include "keep.h"
#include "outlets.h"
#include "marker.h"
#include "policy_choice.h"

enum { LOOK_MS = 50, PATIENCE_MS = 40000 };

struct looking {
    struct gateway *g;
    struct loop_timer *timer;
    int64_t until_ms;
    bool begun; /* what outlets do not do by themselves */
};

static bool daemon_runs(const char *socket_path);
static void say_that_it_runs(struct buf *out, const char *socket_path);
static void on_change(void *arg, pres_id id, const struct pres_presence *now);
static void on_look(void *arg);
static bool all_settled(struct looking *l);

bool gw_check_outlets_alone(struct buf *out, struct gw_config *config)
{
    char why[300];
    struct gateway *g = mem_calloc(1, sizeof *g);
    struct looking l = {.g = g};
    if (daemon_runs(config->control_socket)) {
        say_that_it_runs(out, config->control_socket);
        free(g);
        return true;
    }
    g->loop = loop_new(clk_system());
    g->config = config;
    g->alone = true;
    g->table = pres_table_new(g->loop, on_change, NULL);
    g->journal = pres_journal_new(g->table, 16);
    g->keep = gw_keep_new(g->loop, NULL, why, sizeof why);
    g->choices = gw_choices_new(g);
    g->marks = gw_marks_new(g);
    gw_outlets_apply(g, NULL);
    l.until_ms = clk_mono_ms(clk_system()) + PATIENCE_MS;
    l.timer = loop_timer_new(g->loop, "check", on_look, &l);
    loop_timer_in(l.timer, 0);
    loop_run(g->loop);
    bool well = gw_check_outlets(out, g);
    gw_outlets_farewell(g);
    loop_timer_free(&l.timer);
    gw_outlets_free(&g->outlets);
    gw_choices_free(&g->choices);
    gw_marks_free(&g->marks);
    gw_keep_free(&g->keep);
    pres_journal_free(&g->journal);
    pres_table_free(&g->table);
    loop_free(&g->loop);
    free(g);
    return well;
}

static bool daemon_runs(const char *socket_path)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    if (!socket_path || strlen(socket_path) >= sizeof there.sun_path)
        return false;
    strcpy(there.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool runs = fd >= 0 && connect(fd, (const struct sockaddr *)&there, sizeof there) == 0;
    if (fd >= 0)
        close(fd);
    return runs;
}

static void say_that_it_runs(struct buf *out, const char *socket_path)
{
    char *evidence = mem_printf("not tried: a daemon runs (%s), and its connections would suffer; freebusyctl check "
                                "without --config asks it",
                                socket_path);
    struct jv *v = jv_set_str(jv_object(), "step", dav_step_name(DAV_STEP_PUBLISH));
    jv_set_bool(v, "ok", true);
    jv_set_str(v, "evidence", evidence);
    jv_write(out, v, false);
    buf_addc(out, '\n');
    jv_free(&v);
    free(evidence);
}

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    (void)arg, (void)id, (void)now; /* there is nobody */
}

static void on_look(void *arg)
{
    struct looking *l = arg;
    if (all_settled(l) || clk_mono_ms(clk_system()) >= l->until_ms)
        loop_stop(l->g->loop);
    else
        loop_timer_in(l->timer, LOOK_MS);
}

/* A hook is asked when all others have shown what they can: up means only that its secrets could be read. */
static bool all_settled(struct looking *l)
{
    for (size_t i = 0; i < gw_outlet_count(l->g) && !l->begun; i++) {
        struct pres_publisher_status s;
        gw_outlet_status(l->g, i, &s);
        bool hook = strcmp(s.kind, "webhook") == 0 && strcmp(s.state, "up") == 0;
        if (!s.code && !s.proved_at && !hook)
            return false;
    }
    bool begin = !l->begun;
    l->begun = true;
    return !gw_outlets_prove(l->g, begin);
}
