/*
 * audit_end: which line of the audit was the last, kept in the state directory: a chain shows what is missing in its
 * middle, and cannot show what is missing at its ends. See audit_end.c.
 */
#ifndef GATEWAY_AUDIT_END_H
#define GATEWAY_AUDIT_END_H

#include <stdbool.h>

#include "base/chain.h"

struct gateway;
struct jv;

/* The file's last line has this digest. */
void gw_audit_end_keep(struct gateway *g, const char *path, const char *head);

/* What is kept of this file. False: nothing. */
bool gw_audit_end_kept(const struct gateway *g, const char *path, char ret[CHAIN_HEX]);

/* What says where the files begin and end: of what the daemon answers, and of AUDIT_END_FILE in the state directory. */
#define AUDIT_END_FILE "audit.head"
struct jv *gw_audit_ends(const char *path, unsigned keep, const char *head, const char *oldest);

/* Writes that file, whole or not at all; blocks. */
bool gw_audit_ends_write(const char *directory, const char *path, unsigned keep, const char *head, const char *oldest,
                         char *why, size_t why_size);

/* What that file says was before the oldest lines; "" where it says nothing of this audit. Blocks. */
void gw_audit_ends_read(const char *directory, const char *path, char ret_oldest[CHAIN_HEX]);

/* Does no line of the files have this digest? Blocks. */
bool gw_audit_end_is_gone(const char *path, unsigned keep, const char *head);

#endif
