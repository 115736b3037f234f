/*
 * freebusyctl: arguments and the table of commands. Exit codes: 0 well, 1 the thing asked about is not well, 2 wrong
 * usage or configuration, 3 the daemon cannot be reached.
 */
#include "freebusyctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

const struct ctl_command ctl_commands[] = {
    {"status", "", "what is wrong now and how many people are in which state", 0, 0, ctl_status},
    {"show", "ADDRESS", "one person: state, what comes next, how old the data is", 1, 1, ctl_show},
    {"watch", "[ADDRESS...]", "presence as it changes (--changes N: end after N changes)", 0, 10000, ctl_watch},
    {"servers", "", "each mail server: product, logon, requests, freshness", 0, 0, ctl_servers},
    {"users", "[--state STATE]", "everybody, or everybody in one state", 0, 0, ctl_users},
    {"subscribers", "", "how many subscribers are connected", 0, 0, ctl_subscribers},
    {"why", "ADDRESS [--at TIME]", "what decides a person's state now, or at another time", 1, 1, ctl_why},
    {"refresh", "ADDRESS", "ask the mail server about this person now", 1, 1, ctl_refresh},
    {"policy", "test WHO ADDRESS | diff FILE", "what somebody may see, by which line; what another file changes", 2, 3,
     ctl_policy},
    {"audience", "[ADDRESS LEVEL|off|default]", "the most that is told of somebody, by their own choice", 0, 2,
     ctl_audience},
    {"reload", "[--confirm]", "take the configuration file again, whole or not at all", 0, 0, ctl_reload},
    {"unbreak", "SERVER", "let a refused password be tried once more", 1, 1, ctl_unbreak},
    {"log", "[LEVEL] [--for 15m]", "more or less log for a while; it falls back by itself", 0, 1, ctl_log},
    {"trace", "ADDRESS [--for 10m]", "each request about one person while it happens", 1, 1, ctl_trace},
    {"bundle", "[FILE] [--names]", "one file for support: no secrets, people as pseudonyms", 0, 1, ctl_bundle},
    {"setup", "[--output FILE]", "ask for a server, check it step by step, write a configuration that works", 0, 0,
     ctl_setup},
    {"check", "[SERVER] [--user ADDRESS]", "walk to a calendar step by step and name the cause of a failure", 0, 1,
     ctl_check},
    {"identity", "list|add|token|password|revoke|remove [NAME]", "who may ask: the file of identities", 1, 2,
     ctl_identity},
    {"audit", "ADDRESS | --verify", "who was told what about a person; whether the audit is whole", 0, 1, ctl_audit},
    {"privacy", "[server|subscriber]", "what is asked of servers, and what a subscriber can get", 0, 1, ctl_privacy},
    {"forget", "ADDRESS [--undo]", "remove a person everywhere, for good", 1, 1, ctl_forget},
    {NULL, NULL, NULL, 0, 0, NULL},
};

enum {
    OPTION_SOCKET = 256,
    OPTION_CONFIG,
    OPTION_USER,
    OPTION_STATE,
    OPTION_AT,
    OPTION_FOR,
    OPTION_NAMES,
    OPTION_CHANGES,
    OPTION_FILE,
    OPTION_HEAD,
    OPTION_ROLE,
    OPTION_GROUP,
    OPTION_UNDO,
    OPTION_VERIFY,
    OPTION_KIND,
    OPTION_URL,
    OPTION_ACCOUNT,
    OPTION_PASSWORD_FILE,
    OPTION_CALENDARS,
    OPTION_OUTPUT,
    OPTION_CONFIRM,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COMMANDS
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"user", required_argument, NULL, OPTION_USER},
    {"state", required_argument, NULL, OPTION_STATE},
    {"at", required_argument, NULL, OPTION_AT},
    {"for", required_argument, NULL, OPTION_FOR},
    {"names", no_argument, NULL, OPTION_NAMES},
    {"changes", required_argument, NULL, OPTION_CHANGES},
    {"file", required_argument, NULL, OPTION_FILE},
    {"head", required_argument, NULL, OPTION_HEAD},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"group", required_argument, NULL, OPTION_GROUP},
    {"undo", no_argument, NULL, OPTION_UNDO},
    {"verify", no_argument, NULL, OPTION_VERIFY},
    {"kind", required_argument, NULL, OPTION_KIND},
    {"url", required_argument, NULL, OPTION_URL},
    {"account", required_argument, NULL, OPTION_ACCOUNT},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"calendars", required_argument, NULL, OPTION_CALENDARS},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"confirm", no_argument, NULL, OPTION_CONFIRM},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"print-commands", no_argument, NULL, OPTION_COMMANDS},
    {NULL, 0, NULL, 0},
};

static bool read_options(int argc, char **argv, struct ctl_options *o, int *ret_exit);
static bool take_option(struct ctl_options *o, int option);
static char *default_socket(void);
static void usage(FILE *out);
static const struct ctl_command *find(const char *name);

int main(int argc, char **argv)
{
    char *fallback = default_socket();
    struct ctl_options o = {.socket = fallback};
    int exit_code = CTL_USAGE;
    log_set_level(LOG_LEVEL_ERROR);
    if (read_options(argc, argv, &o, &exit_code)) {
        const struct ctl_command *command = optind < argc ? find(argv[optind]) : NULL;
        if (!command) {
            if (optind < argc)
                fprintf(stderr, "freebusyctl: there is no command '%s'\n", argv[optind]);
            usage(stderr);
        } else {
            o.args = argv + optind + 1;
            o.arg_count = argc - optind - 1;
            if (o.arg_count < command->min_args || o.arg_count > command->max_args)
                fprintf(stderr, "usage: freebusyctl %s %s\n", command->name, command->arguments);
            else
                exit_code = command->fn(&o);
        }
    }
    free(fallback);
    return exit_code;
}

static bool read_options(int argc, char **argv, struct ctl_options *o, int *ret_exit)
{
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (take_option(o, c))
            continue;
        switch (c) {
        case OPTION_CHANGES:
            if (str_to_int(optarg, 1, 1000000000, &o->changes))
                break;
            fprintf(stderr, "freebusyctl: --changes takes a number from 1 up\n");
            return false;
        case OPTION_HELP:
            usage(stdout);
            *ret_exit = CTL_WELL;
            return false;
        case OPTION_VERSION:
            puts("freebusyctl " FB_VERSION);
            *ret_exit = CTL_WELL;
            return false;
        case OPTION_COMMANDS:
            for (const struct ctl_command *command = ctl_commands; command->name; command++)
                printf("%s\t%s\t%s\n", command->name, command->arguments, command->help);
            *ret_exit = CTL_WELL;
            return false;
        default:
            usage(stderr);
            return false;
        }
    }
    return true;
}

/* One that is only a text, or only said. */
static bool take_option(struct ctl_options *o, int option)
{
    const struct {
        int option;
        const char **text;
        bool *flag;
    } rows[] = {
        {OPTION_SOCKET, &o->socket, NULL},
        {OPTION_CONFIG, &o->config, NULL},
        {OPTION_USER, &o->user, NULL},
        {OPTION_STATE, &o->state, NULL},
        {OPTION_AT, &o->at, NULL},
        {OPTION_FILE, &o->file, NULL},
        {OPTION_HEAD, &o->head, NULL},
        {OPTION_ROLE, &o->role, NULL},
        {OPTION_GROUP, &o->group, NULL},
        {OPTION_UNDO, NULL, &o->undo},
        {OPTION_VERIFY, NULL, &o->verify},
        {OPTION_CONFIRM, NULL, &o->confirm},
        {OPTION_JSON, NULL, &o->json},
        {OPTION_FOR, &o->span, NULL},
        {OPTION_NAMES, NULL, &o->names},
        {OPTION_KIND, &o->kind, NULL},
        {OPTION_URL, &o->url, NULL},
        {OPTION_ACCOUNT, &o->account, NULL},
        {OPTION_PASSWORD_FILE, &o->password_file, NULL},
        {OPTION_CALENDARS, &o->calendars, NULL},
        {OPTION_OUTPUT, &o->output, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].option != option)
            continue;
        if (rows[i].text)
            *rows[i].text = optarg;
        else
            *rows[i].flag = true;
        return true;
    }
    return false;
}

static char *default_socket(void)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY");
    return runtime && *runtime ? mem_printf("%s/control.sock", runtime) : mem_strdup("/run/freebusyd/control.sock");
}

static void usage(FILE *out)
{
    fputs("usage: freebusyctl [--socket PATH] [--json] COMMAND ...\n\n", out);
    for (const struct ctl_command *command = ctl_commands; command->name; command++)
        fprintf(out, "  %-12s %-26s %s\n", command->name, command->arguments, command->help);
    fputs("\n  --config FILE with check: without a daemon, from this file alone\n", out);
}

static const struct ctl_command *find(const char *name)
{
    for (const struct ctl_command *command = ctl_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}
