/*
 * pub_xmpp_jid: XMPP addresses (RFC 7622) as far as we look at them, and the escaping of odd characters in a local part
 * (XEP-0106). Pure functions.
 */
#ifndef PRESENCE_PUB_XMPP_JID_H
#define PRESENCE_PUB_XMPP_JID_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

#define PRES_JID_PART_MAX 1023

/* Local part and domain folded to lower case; "" where a part is missing. */
struct pres_jid {
    char bare[2 * PRES_JID_PART_MAX + 2]; /* local@domain, or domain */
    char local[PRES_JID_PART_MAX + 1];
    char domain[PRES_JID_PART_MAX + 1];
    char resource[PRES_JID_PART_MAX + 1];
};

/* False: NULL, or no JID (too long, no UTF-8, a character that may not be there). */
bool pres_jid_parse(const char *text, struct pres_jid *ret);

/* Appends an address or a part of it as a local part. False: it does not fit, or cannot be one (blank at an end). */
bool pres_jid_escape(struct buf *out, const char *text, size_t len);
/* Appends what an escaped local part stands for. */
bool pres_jid_unescape(struct buf *out, const char *local);

#endif
