/*
 * audit_end: which line of the audit was the last, kept in the state file: a chain shows what is missing in its middle,
 * and cannot show what is missing at its end. See audit_end.c.
 */
#ifndef GATEWAY_AUDIT_END_H
#define GATEWAY_AUDIT_END_H

#include <stdbool.h>

#include "base/chain.h"

struct gateway;

/* The file's last line has this digest. */
void gw_audit_end_keep(struct gateway *g, const char *path, const char *head);

/* What is kept of this file. False: nothing. */
bool gw_audit_end_kept(const struct gateway *g, const char *path, char ret[CHAIN_HEX]);

/* Does no line of the files have this digest? Blocks. */
bool gw_audit_end_is_gone(const char *path, unsigned keep, const char *head);

#endif
