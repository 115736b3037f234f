/*
 * bundle: see bundle.h. One row a part; each writes plain text, and pseudonyms are put over the whole at the end, so
 * that no part can forget them. What must not be in it at all (secrets, what an administrator hides in headers and
 * addresses of hooks) is left out by config_print.c.
 */
#include "bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/utc.h"
#include "config_print.h"
#include "gateway.h"
#include "http_face.h"
#include "pseudonym.h"
#include "report.h"

enum { PART_MAX = 64 * 1024 * 1024 };

static void add_about(struct gateway *g, struct buf *out);
static void add_config(struct gateway *g, struct buf *out);
static void add_status(struct gateway *g, struct buf *out);
static void add_servers(struct gateway *g, struct buf *out);
static void add_metrics(struct gateway *g, struct buf *out);
static void add_log(struct gateway *g, struct buf *out);
static void add_tree(struct jv *v, struct buf *out);
static char **bases_of(const struct gw_config *config);

static const struct part {
    const char *name, *sentence;
    void (*add)(struct gateway *g, struct buf *out);
} parts[] = {
    {"about", "versions, times and the machine", add_about},
    {"configuration", "as it is in use, defaults left out; no secret, no user", add_config},
    {"status", "what `freebusyctl status` shows: states, causes with evidence, outlets", add_status},
    {"servers", "what `freebusyctl servers` shows", add_servers},
    {"counters", "what /metrics shows", add_metrics},
    {"log", "the last lines, oldest first", add_log},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

bool gw_bundle(struct gateway *g, bool names, struct buf *out)
{
    struct buf text;
    buf_init(&text, PART_MAX);
    buf_adds(&text, "freebusyd bundle\n\nIn it:\n");
    for (unsigned i = 0; i < PARTS; i++)
        buf_addf(&text, "  %-14s %s\n", parts[i].name, parts[i].sentence);
    buf_adds(&text,
             names ? "People are named.\n"
                   : "Mail addresses and mailboxes are pseudonyms: the same person has the same one throughout.\n");
    for (unsigned i = 0; i < PARTS; i++) {
        buf_addf(&text, "\n== %s\n\n", parts[i].name);
        parts[i].add(g, &text);
    }
    if (names) {
        buf_add(out, text.data, text.len);
    } else {
        struct gw_pseudonyms p;
        char **bases = bases_of(gw_config(g));
        gw_pseudonyms_init(&p, (const char *const *)bases);
        gw_pseudonyms_scrub(&p, text.data, out);
        for (unsigned i = 0; bases[i]; i++)
            free(bases[i]);
        free(bases);
    }
    bool ok = !text.failed && !out->failed;
    buf_free(&text);
    return ok;
}

static void add_about(struct gateway *g, struct buf *out)
{
    char now[UTC_TEXT_MAX], start[UTC_TEXT_MAX], reload[UTC_TEXT_MAX];
    struct utsname machine;
    struct rusage used;
    utc_rfc3339(clk_wall_s(loop_clk(gw_loop(g))), now);
    utc_rfc3339(gw_started_at(g), start);
    utc_rfc3339(gw_reloaded_at(g), reload);
    buf_addf(out, "freebusyd %s\nnow %s, running since %s, reloaded %s\n", FB_VERSION, now, start,
             gw_reloaded_at(g) ? reload : "never");
    if (uname(&machine) == 0) /* not the host's name */
        buf_addf(out, "%s %s %s\n", machine.sysname, machine.release, machine.machine);
    buf_addf(out, "%s\n", fetch_version());
    if (getrusage(RUSAGE_SELF, &used) == 0)
        buf_addf(out, "%ld kB of memory at the most, %ld s of CPU\n", used.ru_maxrss,
                 (long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec));
}

static void add_config(struct gateway *g, struct buf *out)
{
    gw_config_print(gw_config(g), out);
}

static void add_status(struct gateway *g, struct buf *out)
{
    add_tree(gw_report_status(g), out);
}

static void add_servers(struct gateway *g, struct buf *out)
{
    add_tree(gw_report_servers(g), out);
}

static void add_metrics(struct gateway *g, struct buf *out)
{
    gw_metrics_write(g, out);
}

static void add_log(struct gateway *g, struct buf *out)
{
    (void)g;
    log_recent(out);
}

static void add_tree(struct jv *v, struct buf *out)
{
    jv_write(out, v, true);
    buf_addc(out, '\n');
    jv_free(&v);
}

/* Behind which parts of a URL mailboxes begin: the paths of the servers' URLs. */
static char **bases_of(const struct gw_config *config)
{
    char **bases = mem_calloc(config->servers_count + 1, sizeof *bases);
    unsigned n = 0;
    for (unsigned i = 0; i < config->servers_count; i++) {
        const char *host = strstr(config->servers[i].url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
        if (path && path[1])
            bases[n++] = mem_printf("%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/");
    }
    return bases;
}
