/*
 * http_pidf: GET /v1/presence/ADDRESS for those who ask for application/pidf+xml: the document that SIP phones read, as
 * the site has set it for them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/httpd.h"
#include "base/loop.h"
#include "base/str.h"
#include "gateway.h"
#include "http_face.h"
#include "http_pidf.h"
#include "policy.h"
#include "presence/render.h"
#include "presence/sip_doc.h"
#include "who.h"

#define PIDF "application/pidf+xml"

enum { DOCUMENT_MAX = 65536 };

static double wish(const char *accept, const char *type);

bool gw_http_wants_pidf(const struct httpd_req *req)
{
    const char *accept = httpd_header(req, "Accept");
    double pidf = accept ? wish(accept, PIDF) : 0;
    return pidf > 0 && pidf >= wish(accept, "application/json");
}

void gw_http_get_pidf(struct gw_face *face, struct httpd_req *req, pres_id id)
{
    static const char *const headers[] = {"Content-Type: " PIDF, "Cache-Control: no-store", "Vary: Accept", NULL};
    const struct pres_table *table = gw_table(face->gateway);
    const struct gw_who *who = gw_who_of(face, req);
    struct pres_presence p;
    struct buf entity, b;
    if (!who || !gw_policy_presence(face->gateway, who, id, &p)) {
        if (who)
            gw_http_nobody(req);
        return;
    }
    struct pres_seen *seen = gw_policy_known(face->gateway, who, id); /* NULL: no times */
    buf_init(&entity, 4096);
    buf_init(&b, DOCUMENT_MAX);
    bool named = pres_pidf_entity(&entity, "pres:", pres_table_publish_as(table, id));
    int64_t now = clk_wall_s(loop_clk(gw_loop(face->gateway)));
    const struct pres_known *known = seen ? &seen->known : NULL;
    if (!named || !pres_sip_doc_write(gw_pidf(face->gateway), known, &p, entity.data, now, false, &b)) {
        gw_http_problem(req, 406, "no-such-form", "This address cannot be written as a pres: URI.");
        buf_free(&b);
    } else {
        size_t len = b.len;
        httpd_reply_take(req, 200, headers, buf_take(&b), len);
    }
    buf_free(&entity);
    pres_seen_free(&seen);
}

/* The q of the type in an Accept header (RFC 9110 12.5.1), 0: it is not named. */
static double wish(const char *accept, const char *type)
{
    size_t type_len = strlen(type), len;
    for (const char *part = accept, *next; part; part = next) {
        next = str_split(part, ',', &len);
        const char *text = str_trim(part, &len);
        const char *q = str_find_nocase(text, len, ";q="), *spaced = str_find_nocase(text, len, "; q=");
        if (len < type_len || str_find_nocase(text, type_len, type) != text ||
            (text[type_len] && !strchr("; ,\t", text[type_len])))
            continue;
        double value = q ? strtod(q + 3, NULL) : spaced ? strtod(spaced + 4, NULL) : 1;
        return isfinite(value) ? value : 0;
    }
    return 0;
}
