/*
 * policy_check: what is odd, though not wrong, about the policy. See policy_check.c.
 */
#ifndef GATEWAY_POLICY_CHECK_H
#define GATEWAY_POLICY_CHECK_H

struct buf;
struct gw_config;

/* One line for each line of the policy that matches nothing. Before people are taken from the roster. */
void gw_policy_warnings(const struct gw_config *c, struct buf *out);

/* Those of the file, which has been checked; NULL: none. */
struct gw_config_hours;
struct pres_hours *gw_policy_hours(const struct gw_config_hours *h);

/* A text file whole, at most 1 MB; NULL: it cannot be read. */
char *gw_policy_file(const char *path);

#endif
