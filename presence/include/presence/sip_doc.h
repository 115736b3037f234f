/*
 * sip_doc: the document about a person as the site wants it: the table of kinds, the words, the zone. For both SIP
 * outlets, and for those who ask for it over HTTP.
 */
#ifndef PRESENCE_SIP_DOC_H
#define PRESENCE_SIP_DOC_H

#include "presence/pub_sip.h"

struct buf;
struct pres_zone;

struct pres_sip_doc {
    char *basic[PRES_KINDS], *activities[PRES_KINDS], *text[PRES_KINDS];
    struct pres_zone *zone;
    unsigned future;
};

/* False with a sentence in why; free it all the same. */
bool pres_sip_doc_init(struct pres_sip_doc *d, const struct pres_sip_looks *looks, char *why, size_t why_size);
void pres_sip_doc_free(struct pres_sip_doc *d);

/* What somebody is, for `entity`. `known` NULL: nothing is told of what comes. `brief`: as short as it goes. */
bool pres_sip_doc_write(const struct pres_sip_doc *d, const struct pres_known *known,
                        const struct pres_presence *now, const char *entity, int64_t wall_s, bool brief,
                        struct buf *out);

#endif
