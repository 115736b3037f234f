/*
 * main: freebusyd's arguments, start order, signals and exit codes, and what it tells systemd. The daemon itself is
 * gateway.c.
 *
 * Start: configuration (exit 2 when it cannot be used) -> the process made safe -> gw_new, which binds every socket
 * (exit 1) -> READY. SIGHUP reloads; SIGTERM and SIGINT stop. A timer of the loop feeds systemd's watchdog, so that a
 * loop that hangs is replaced.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/utc.h"
#include "check.h"
#include "config_users.h"
#include "gateway.h"
#include "listeners.h"
#include "policy_check.h"

enum { EXIT_WELL = 0, EXIT_RUNTIME = 1, EXIT_CONFIG = 2, STATUS_EVERY_MS = 10000, RECENT_LOG_BYTES = 262144 };

struct arguments {
    const char *config, *check_server, *check_user;
    bool check_config;
    int64_t clock_at; /* wall s at which the clock begins, 0: the machine's */
};

struct process {
    struct loop *loop;
    struct gateway *gateway;
    struct loop_timer *watchdog, *status;
    int64_t watchdog_ms;
};

static int parse(int argc, char **argv, struct arguments *ret);
static int usage(FILE *out, int code);
static int print(void (*describe)(struct buf *out));
static int check_config(const char *path);
static void print_policy_warnings(const struct gw_config *config);
static struct gw_config *read_config(const char *path);
static void make_safe(void);
static int run(struct gw_config *config, struct clk *clk);
static void take_sockets(void);
static void serve(struct process *p);
static void on_reload(void *arg);
static void on_reloaded(void *arg, bool ok, const char *why);
static void on_stop(void *arg);
static void on_watchdog(void *arg);
static void on_status(void *arg);

int main(int argc, char **argv)
{
    struct arguments args = {.config = NULL};
    log_init();
    log_keep_recent(RECENT_LOG_BYTES);
    int code = parse(argc, argv, &args);
    if (code >= 0)
        return code;
    if (!args.config) {
        fprintf(stderr, "freebusyd: --config FILE is missing\n");
        return EXIT_CONFIG;
    }
    if (args.check_config)
        return check_config(args.config);
    if (args.check_server) {
        make_safe();
        return gw_check_alone(args.config, *args.check_server ? args.check_server : NULL, args.check_user);
    }
    struct gw_config *config = read_config(args.config);
    if (!config)
        return EXIT_CONFIG;
    make_safe();
    if (args.clock_at == 0)
        return run(config, clk_system());
    struct clk *clk = clk_shifted_new(args.clock_at * 1000);
    code = run(config, clk);
    clk_shifted_free(&clk);
    return code;
}

/* The exit code, or -1: go on. */
static int parse(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"log-level", required_argument, NULL, 'l'},
                                            {"print-options", no_argument, NULL, 'p'},
                                            {"print-causes", no_argument, NULL, 'P'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"check-server", required_argument, NULL, 's'},
                                            {"check-user", required_argument, NULL, 'u'},
                                            {"clock", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    enum log_level level;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            ret->config = optarg;
            break;
        case 'k':
            ret->check_config = true;
            break;
        case 's':
            ret->check_server = optarg;
            break;
        case 'u':
            ret->check_user = optarg;
            break;
        case 'l':
            if (!log_level_parse(optarg, &level)) {
                fprintf(stderr, "freebusyd: --log-level is one of error, warning, notice, info, debug\n");
                return EXIT_CONFIG;
            }
            log_set_level(level);
            break;
        case 't':
            if (!utc_parse_any(optarg, strlen(optarg), &ret->clock_at)) {
                fprintf(stderr, "freebusyd: --clock takes a time like 2026-11-22T09:00:00Z\n");
                return EXIT_CONFIG;
            }
            break;
        case 'V':
            puts("freebusyd " FB_VERSION);
            return EXIT_WELL;
        case 'p':
            return print(gw_config_describe);
        case 'P':
            return print(gw_check_print_causes);
        case 'h':
            return usage(stdout, EXIT_WELL);
        default:
            return usage(stderr, EXIT_CONFIG);
        }
    }
    return optind < argc ? usage(stderr, EXIT_CONFIG) : -1;
}

static int usage(FILE *out, int code)
{
    fputs("usage: freebusyd --config FILE [--log-level error|warning|notice|info|debug]\n"
          "       freebusyd --config FILE --check-config   says whether the file can be used, and exits\n"
          "       freebusyd --config FILE --check-server NAME [--check-user ADDRESS]\n"
          "                                                asks one server step by step, as `freebusyctl check` does\n"
          "       freebusyd --print-options                every key of the configuration, separated by tabs\n"
          "       freebusyd --print-causes                 every code of a failure, separated by tabs\n"
          "       freebusyd --version | --help\n"
          "  --clock TIME makes the daemon's clock begin at another time, for tests and demonstrations.\n"
          "Runs in the foreground. SIGHUP reads the configuration again, SIGTERM stops.\n"
          "Exit codes: 0 well, 1 could not run, 2 wrong usage or configuration.\n",
          out);
    return code;
}

static int print(void (*describe)(struct buf *out))
{
    struct buf b;
    buf_init(&b, 1 << 20);
    describe(&b);
    fputs(b.data, stdout);
    buf_free(&b);
    return EXIT_WELL;
}

static int check_config(const char *path)
{
    struct gw_config *config = read_config(path);
    if (!config)
        return EXIT_CONFIG;
    for (unsigned i = 0; i < config->roster->note_count; i++)
        fprintf(stderr, "%s\n", config->roster->notes[i]);
    if (config->roster->notes_untold)
        fprintf(stderr, "and %u more lines that cannot be used\n", config->roster->notes_untold);
    print_policy_warnings(config);
    printf("%s: can be used: %u servers, %zu persons\n", path, config->servers_count, config->roster->count);
    gw_config_free(&config);
    return EXIT_WELL;
}

static void print_policy_warnings(const struct gw_config *config)
{
    struct buf b;
    buf_init(&b, 1 << 18);
    gw_policy_warnings(config, &b);
    fputs(b.len ? b.data : "", stderr);
    buf_free(&b);
}

static struct gw_config *read_config(const char *path)
{
    struct gw_config_error err;
    struct gw_config *config = gw_config_read(path, &err);
    if (!config)
        fprintf(stderr, "freebusyd: the configuration cannot be used (%s)\n%s\n", err.code, err.why);
    return config;
}

/*
 * The process holds a password for every calendar: no core dump, and no debugger of the same user, may see it.
 * (Sanitizers need to look into the process themselves.) A peer that goes away must not end it, nor a limit on the size
 * of files; its files are nobody else's, and each subscriber costs a descriptor.
 */
static void make_safe(void)
{
    struct rlimit none = {0, 0}, files;
    setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    umask(0077);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int run(struct gw_config *config, struct clk *clk)
{
    char why[4200] = "";
    struct process p = {.loop = loop_new(clk)};
    log_notice("main", "freebusyd %s starts config=%s", FB_VERSION, config->path);
    take_sockets();
    p.gateway = gw_new(p.loop, config, why, sizeof why);
    if (p.gateway)
        serve(&p);
    else
        log_error("main", "cannot start: %s", why);
    int code = p.gateway ? EXIT_WELL : EXIT_RUNTIME;
    gw_free(&p.gateway);
    loop_free(&p.loop);
    if (code == EXIT_WELL)
        log_notice("main", "stopped");
    return code;
}

/* Socket activation: what systemd bound for us before we were there. */
static void take_sockets(void)
{
    int count = sd_listen_fds(1);
    if (count > 0 && gw_listeners_given(SD_LISTEN_FDS_START, (unsigned)count) > 0)
        log_warning("main", "socket activation handed over a descriptor that does not listen");
}

static void serve(struct process *p)
{
    struct loop_signal *hup = loop_signal_new(p->loop, SIGHUP, on_reload, p);
    struct loop_signal *term = loop_signal_new(p->loop, SIGTERM, on_stop, p);
    struct loop_signal *interrupt = loop_signal_new(p->loop, SIGINT, on_stop, p);
    uint64_t watchdog_us = 0;
    p->watchdog = loop_timer_new(p->loop, "watchdog", on_watchdog, p);
    p->status = loop_timer_new(p->loop, "status", on_status, p);
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        p->watchdog_ms = (int64_t)(watchdog_us / 3000);
        on_watchdog(p);
    }
    sd_notify(0, "READY=1");
    if (getenv("NOTIFY_SOCKET"))
        loop_timer_in(p->status, 0);
    loop_run(p->loop);
    loop_timer_free(&p->watchdog);
    loop_timer_free(&p->status);
    loop_signal_free(&hup);
    loop_signal_free(&term);
    loop_signal_free(&interrupt);
}

static void on_reload(void *arg)
{
    struct process *p = arg;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* systemd wants its own clock's microseconds */
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration again",
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    gw_reload(p->gateway, false, on_reloaded, p);
}

/* The log says what came of it. */
static void on_reloaded(void *arg, bool ok, const char *why)
{
    const struct process *p = arg;
    (void)ok, (void)why;
    sd_notify(0, "READY=1");
    if (getenv("NOTIFY_SOCKET"))
        loop_timer_in(p->status, 0);
}

static void on_stop(void *arg)
{
    struct process *p = arg;
    sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
    log_notice("main", "a signal asks to stop");
    loop_stop(p->loop);
}

static void on_watchdog(void *arg)
{
    struct process *p = arg;
    sd_notify(0, "WATCHDOG=1");
    loop_timer_in(p->watchdog, p->watchdog_ms);
}

static void on_status(void *arg)
{
    struct process *p = arg;
    struct pres_table_stats table;
    unsigned failing = 0;
    const char *reload_error = gw_reload_error(p->gateway);
    pres_table_stats(gw_table(p->gateway), &table);
    for (size_t i = 0; i < gw_server_count(p->gateway); i++) {
        struct gw_server_view view;
        gw_server_view(p->gateway, i, &view);
        failing += view.session.code != NULL;
    }
    sd_notifyf(0, "STATUS=%zu persons, %zu unknown; %zu servers, %u failing%s", table.persons,
               table.by_state[PRES_UNKNOWN], gw_server_count(p->gateway), failing,
               reload_error ? "; the last reload was refused" : "");
    loop_timer_in(p->status, STATUS_EVERY_MS);
}
