/*
 * multistatus_name: what the names in a 207 mean to its reader (multistatus.c). Rows are alike: a name is resolved once
 * and then found by the addresses that the XML reader gives to equal spellings, nearly always at the first look, as
 * what followed the name before it last time.
 */
#ifndef DAVCLIENT_MULTISTATUS_NAME_H
#define DAVCLIENT_MULTISTATUS_NAME_H

#include <stdint.h>

#include "multistatus.h"

#define DAV_MS_NAMES_SLOTS 128 /* 7 bits of a hash */

/* Elements of DAV: that carry the structure. */
enum dav_ms_element {
    DAV_MS_EL_OTHER,
    DAV_MS_EL_MULTISTATUS,
    DAV_MS_EL_RESPONSE,
    DAV_MS_EL_HREF,
    DAV_MS_EL_STATUS,
    DAV_MS_EL_PROPSTAT,
    DAV_MS_EL_PROP,
    DAV_MS_EL_SYNC_TOKEN
};

/* A name once resolved. Addresses hold for a document. */
struct dav_ms_name {
    uint64_t document; /* in which it was resolved */
    const char *ns, *name;
    enum dav_ms_element element;
    int prop;                 /* index in the spec, -1: not wanted */
    struct dav_ms_name *next; /* what followed it last time */
};

struct dav_ms_names {
    const struct dav_ms_spec *spec;
    uint64_t document; /* counts them, from 1 */
    struct dav_ms_name *last; /* looked up */
    struct dav_ms_name slots[DAV_MS_NAMES_SLOTS];
};

void dav_ms_names_init(struct dav_ms_names *n, const struct dav_ms_spec *spec);
struct dav_ms_name *dav_ms_names_look_up(struct dav_ms_names *n, const char *ns, const char *name);

static inline const struct dav_ms_name *dav_ms_name_of(struct dav_ms_names *n, const char *ns, const char *name)
{
    struct dav_ms_name *k = n->last->next;

    if (k->name != name || k->ns != ns || k->document != n->document) {
        k = dav_ms_names_look_up(n, ns, name);
        n->last->next = k;
    }
    n->last = k;
    return k;
}

#endif
