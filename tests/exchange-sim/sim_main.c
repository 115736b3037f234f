/*
 * exchange-sim: pretends to be an Exchange server of 2000, 2003 or 2007 as far as its calendars over WebDAV go. See
 * README.md. Prints one line of JSON with its ports, then serves until SIGINT or SIGTERM.
 */
#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "sim.h"
#include "sim_faults.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_MAX 64

struct arguments {
    struct sim_options options;
    const char *set[SET_MAX + 1];
    size_t set_count;
    char *listen; /* made from --port */
};

enum {
    OPT_PROFILE = 256,
    OPT_DATA,
    OPT_PORT,
    OPT_LISTEN,
    OPT_CONTROL,
    OPT_CERT,
    OPT_KEY,
    OPT_LOG,
    OPT_NTLM_HELPER,
    OPT_SEED,
    OPT_CLOCK,
    OPT_SET,
    OPT_SWITCHES,
    OPT_HELP
};

static const struct option longs[] = {
    {"profile", required_argument, NULL, OPT_PROFILE},
    {"data", required_argument, NULL, OPT_DATA},
    {"port", required_argument, NULL, OPT_PORT},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"tls-cert", required_argument, NULL, OPT_CERT},
    {"tls-key", required_argument, NULL, OPT_KEY},
    {"log", required_argument, NULL, OPT_LOG},
    {"ntlm-helper", required_argument, NULL, OPT_NTLM_HELPER},
    {"seed", required_argument, NULL, OPT_SEED},
    {"clock", required_argument, NULL, OPT_CLOCK},
    {"set", required_argument, NULL, OPT_SET},
    {"switches", no_argument, NULL, OPT_SWITCHES},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static void usage(FILE *out)
{
    fputs(
        "exchange-sim [--profile 2000|2003|2007] [--data FILE] [--port N | --listen ADDRESS:PORT] [--control "
        "ADDRESS:PORT]\n"
        "             [--tls-cert FILE --tls-key FILE] [--seed N] [--clock TIME] [--log FILE] [--ntlm-helper COMMAND]\n"
        "             [--set SWITCH=VALUE]...\n"
        "exchange-sim --switches    lists the switches\n",
        out);
}

static void list_switches(void)
{
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        printf("%-16s %s\n", sim_fault_name((enum sim_fault)i), sim_fault_help((enum sim_fault)i));
}

/* Options that are kept as they are. */
static const char **text_option(struct sim_options *o, int option)
{
    switch (option) {
    case OPT_DATA:
        return &o->data;
    case OPT_LISTEN:
        return &o->listen;
    case OPT_CONTROL:
        return &o->control;
    case OPT_CERT:
        return &o->tls_cert;
    case OPT_KEY:
        return &o->tls_key;
    case OPT_LOG:
        return &o->log;
    case OPT_NTLM_HELPER:
        return &o->ntlm_helper;
    default:
        return NULL;
    }
}

/* Returns the exit code, or -1 to go on. */
static int take_option(struct arguments *a, int option, const char *value)
{
    const char **text = text_option(&a->options, option);
    int64_t n;
    bool ok = true;
    if (text != NULL) {
        *text = value;
        return -1;
    }
    switch (option) {
    case OPT_PROFILE:
        ok = sim_profile_parse(value, &a->options.profile);
        break;
    case OPT_PORT:
        ok = str_to_int(value, 0, 65535, &n);
        free(a->listen);
        a->listen = mem_printf("127.0.0.1:%s", value);
        a->options.listen = a->listen;
        break;
    case OPT_SEED:
        ok = str_to_int(value, 0, INT64_MAX, &n);
        a->options.seed = ok ? (uint64_t)n : 0;
        break;
    case OPT_CLOCK:
        ok = utc_parse_any(value, strlen(value), &a->options.clock);
        break;
    case OPT_SET:
        ok = a->set_count < SET_MAX;
        if (ok)
            a->set[a->set_count++] = value;
        break;
    case OPT_SWITCHES:
        list_switches();
        return 0;
    case OPT_HELP:
        usage(stdout);
        return 0;
    default:
        ok = false;
        break;
    }
    if (!ok)
        usage(stderr);
    return ok ? -1 : 2;
}

static int take_arguments(int argc, char **argv, struct arguments *a)
{
    int option, code = -1;
    a->options =
        (struct sim_options){.profile = SIM_2003, .listen = "127.0.0.1:0", .control = "127.0.0.1:0", .seed = 1};
    a->options.set = a->set;
    while (code < 0 && (option = getopt_long(argc, argv, "", longs, NULL)) != -1)
        code = take_option(a, option, optarg);
    if (code < 0 && (optind < argc || (a->options.tls_cert == NULL) != (a->options.tls_key == NULL))) {
        usage(stderr);
        return 2;
    }
    return code;
}

static void say_ports(const struct sim *sim)
{
    bool tls = sim->options.tls_cert != NULL;
    char *url = mem_printf("%s://127.0.0.1:%u/exchange/", tls ? "https" : "http", httpd_port(sim->http));
    struct jv *v = jv_object();
    struct buf b;
    jv_set_int(v, "port", httpd_port(sim->http));
    jv_set_int(v, "control", httpd_port(sim->control));
    jv_set_bool(v, "tls", tls);
    jv_set_str(v, "profile", sim_profile_name(sim->faults.profile));
    jv_set_str(v, "url", url);
    buf_init(&b, 4096);
    jv_write(&b, v, false);
    printf("%s\n", b.data);
    fflush(stdout);
    buf_free(&b);
    jv_free(&v);
    free(url);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static int run(const struct arguments *a)
{
    char why[500] = "";
    struct loop *loop = loop_new(clk_system());
    struct sim *sim = sim_new(loop, &a->options, why, sizeof(why));
    if (sim == NULL) {
        fprintf(stderr, "exchange-sim: %s\n", why);
        loop_free(&loop);
        return 1;
    }
    struct loop_signal *term = loop_signal_new(loop, SIGTERM, stop, loop),
                       *intr = loop_signal_new(loop, SIGINT, stop, loop);
    say_ports(sim);
    loop_run(loop);
    loop_signal_free(&term);
    loop_signal_free(&intr);
    sim_free(&sim);
    loop_free(&loop);
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    signal(SIGPIPE, SIG_IGN);
    int code = take_arguments(argc, argv, &a);
    if (code < 0)
        code = run(&a);
    free(a.listen);
    return code;
}
