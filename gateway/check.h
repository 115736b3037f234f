/*
 * check: the steps of `freebusyctl check` as JSON lines, in one spelling whether the daemon runs it or the
 * configuration file alone.
 *
 * A line is {"step","ok","code","meaning","evidence","advice"}; the last is
 * {"done":true,"ok","code","server","user","by"}.
 */
#ifndef GATEWAY_CHECK_H
#define GATEWAY_CHECK_H

#include <stdbool.h>

#include "davclient/query.h"

struct gateway;
struct buf;
struct gw_config;

/* Appends one line for a step. Account and user fill the advice's placeholders; account may be NULL. */
void gw_check_step_line(struct buf *out, const struct dav_step_report *report, const struct dav_account *account,
                        const char *user);

/* Appends the last line. */
void gw_check_done_line(struct buf *out, const struct dav_result *result, const char *server, const char *user,
                        const char *by);

/* Appends a line for each outlet: connected, let in, one message delivered to itself. False: one is down. */
bool gw_check_outlets(struct buf *out, const struct gateway *g);
/* The same without a daemon: connects them for it. `config` is only read. */
bool gw_check_outlets_alone(struct buf *out, struct gw_config *config);
/* What an outlet's code means, and what to do; both NULL without a code. */
const char *gw_outlet_cause(const char *code, const char **ret_advice);

/*
 * Without a daemon: reads the file, checks `server` (NULL: each in turn) by asking about `user` (NULL: the server's
 * first person), and prints the lines to standard output. Returns the exit code: 0 well, 1 a step failed, 2 the
 * configuration cannot be used.
 */
int gw_check_alone(const char *config_path, const char *server, const char *user);

/* The address to ask about when none was named: the first person of that server; NULL when it has none. */
const char *gw_check_default_user(const struct gw_config *config, const char *server);

/* Every code with its step, meaning and advice, for `--print-causes`: the manual is compared with it. Of outlets, those
 * that more than one kind of server has are there twice. */
void gw_check_print_causes(struct buf *out);

#endif
