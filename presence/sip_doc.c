/*
 * sip_doc: see sip_doc.h.
 */
#include "presence/sip_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pub_text.h"
#include "pub_zone.h"

bool pres_sip_doc_init(struct pres_sip_doc *d, const struct pres_sip_looks *looks, char *why, size_t why_size)
{
    for (unsigned k = 0; k < PRES_KINDS; k++) {
        const char *basic = looks->map.basic[k], *activities = looks->map.activities[k];
        d->basic[k] = mem_strdup(basic ? basic : pres_pidf_usual.basic[k]);
        d->activities[k] = mem_strdup(activities ? activities : pres_pidf_usual.activities[k]);
        d->text[k] = mem_strdup(looks->text[k] ? looks->text[k] : "");
    }
    d->future = looks->future;
    return pres_zone_open(looks->zone, &d->zone, why, why_size);
}

void pres_sip_doc_free(struct pres_sip_doc *d)
{
    for (unsigned k = 0; k < PRES_KINDS; k++) {
        free(d->basic[k]);
        free(d->activities[k]);
        free(d->text[k]);
    }
    pres_zone_free(&d->zone);
}

bool pres_sip_doc_write(const struct pres_sip_doc *d, const struct pres_known *known,
                        const struct pres_presence *now, const char *entity, int64_t wall_s, bool brief,
                        struct buf *out)
{
    struct pres_pidf_map map;
    struct buf note;
    for (unsigned k = 0; k < PRES_KINDS; k++) {
        map.basic[k] = d->basic[k];
        map.activities[k] = d->activities[k];
    }
    buf_init(&note, PRES_TEXT_MAX);
    if (!brief)
        pres_text_add(d->text[now->state], d->zone, wall_s, now->until, &note);
    struct pres_pidf doc = {.entity = entity,
                            .map = &map,
                            .note = note.len ? note.data : "",
                            .now = wall_s,
                            .future = brief ? 0 : d->future,
                            .known = now->state != PRES_UNKNOWN ? known : NULL};
    bool ok = pres_render_pidf(out, &doc, now);
    buf_free(&note);
    return ok;
}
