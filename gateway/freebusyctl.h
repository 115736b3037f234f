/*
 * freebusyctl: the parts of the command-line client. It links base only and speaks HTTP to the daemon's control socket.
 *
 *   freebusyctl.c        arguments, the table of commands, exit codes
 *   freebusyctl_talk.c   one request to the daemon, whole or line by line
 *   freebusyctl_cmds.c   the commands
 *   freebusyctl_watch.c  watch: the event stream, told as changes
 *   freebusyctl_check.c  check: by the daemon, or by `freebusyd --check-server` from the file alone
 *   freebusyctl_why.c    why: what decided somebody's state
 *   freebusyctl_identity.c, freebusyctl_audit.c, freebusyctl_forget.c   who may ask, who was told, who is forgotten
 *   freebusyctl_setup.c  setup: from nothing to a configuration that works
 *   freebusyctl_ask.c    its questions
 *   freebusyctl_policy.c policy test, policy diff, audience: who may see whom
 *   freebusyctl_support.c  log, trace, bundle: when something is wrong
 *   freebusyctl_print.c  text for people
 */
#ifndef GATEWAY_FREEBUSYCTL_H
#define GATEWAY_FREEBUSYCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct jv;

/* Exit codes: promises to scripts. */
enum ctl_exit { CTL_WELL = 0, CTL_NOT_WELL = 1, CTL_USAGE = 2, CTL_NO_DAEMON = 3 };

struct ctl_options {
    const char *socket;
    const char *config;       /* check without a daemon */
    const char *user;         /* check --user */
    const char *state;        /* users --state */
    const char *at;           /* why --at */
    const char *span;         /* log, trace: --for */
    bool names;               /* bundle */
    int64_t changes;          /* watch --changes N: end after so many, 0: never */
    const char *file;         /* identity, audit --file */
    const char *head;         /* audit --head */
    const char *role, *group; /* identity */
    bool undo;                /* forget */
    bool verify;              /* audit */
    const char *kind, *url, *account, *password_file, *calendars, *output; /* setup */
    bool confirm;             /* reload */
    bool json;
    char **args; /* after the command */
    int arg_count;
};

typedef enum ctl_exit ctl_command_fn(const struct ctl_options *o);

struct ctl_command {
    const char *name, *arguments, *help;
    int min_args, max_args;
    ctl_command_fn *fn;
};

/* The table; ends with a NULL name. */
extern const struct ctl_command ctl_commands[];

ctl_command_fn ctl_status, ctl_show, ctl_servers, ctl_users, ctl_subscribers, ctl_refresh, ctl_reload, ctl_unbreak,
    ctl_watch, ctl_check, ctl_why, ctl_log, ctl_trace, ctl_bundle, ctl_setup, ctl_identity, ctl_audit,
    ctl_privacy, ctl_forget, ctl_policy, ctl_audience;

/* The check from o->config alone, printed as it goes. `step` and `code` become those of the step that failed, else "".
 */
enum ctl_exit ctl_check_file(const struct ctl_options *o, char step[32], char code[64]);

/*
 * One request. CTL_WELL: *ret holds the answer's JSON (caller frees) when the status was 2xx. Else the reason has been
 * printed: CTL_NO_DAEMON when nobody answers on the socket, CTL_NOT_WELL or CTL_USAGE by the status.
 */
enum ctl_exit ctl_talk(const struct ctl_options *o, const char *method, const char *path, struct jv **ret);

/* One request whose 2xx body is handed over line by line (without line end, NUL-terminated); `line` returns false to
 * end it. */
typedef bool ctl_line_fn(void *arg, char *line);
enum ctl_exit ctl_talk_lines(const struct ctl_options *o, const char *path, ctl_line_fn *line, void *arg);

/* False: there is no more input. `usual` (may be NULL) is what an empty line stands for. */
bool ctl_ask(const char *question, const char *usual, char *out, size_t size);
bool ctl_ask_secret(const char *question, char *out, size_t size);

/* "/ctl/person/" + address, escaped. malloc'ed. */
char *ctl_path(const char *prefix, const char *argument);

/* Text for people. `when` gives "09:30", or "Tue 24 Nov 09:30" on another day, in local time; "" for null. Four static
 * buffers in turn. */
const char *ctl_when(const struct jv *time);
const char *ctl_text(const struct jv *v,
                     const char *otherwise); /* control characters made harmless; static buffers in turn */
void ctl_print_json(const struct jv *v);
void ctl_print_causes(const struct jv *causes);
void ctl_print_warnings(const struct jv *warnings);
void ctl_print_outlets(const struct jv *outlets);
void ctl_print_presence_line(const struct jv *person);

/* A table whose columns are as wide as their widest cell. */
struct ctl_table;
struct ctl_table *ctl_table_new(const char *const *heads, int columns);
void ctl_table_row(struct ctl_table *t, const char *const *cells);
void ctl_table_print(struct ctl_table **t); /* and frees it */

#endif
