/*
 * exchange_tag: contenttag, which is another one whenever the folder's content is. One small PROPFIND, no state on the
 * server. Where it is missing the folder's time of change serves, unless that is so young that another change could
 * hide in the same second.
 *
 * The tag that is kept is older than the reading or as old, never younger: then it can only make us read too often.
 */
#include <string.h>

#include "asked_bodies.h"
#include "base/str.h"
#include "base/utc.h"
#include "caldav_store.h"
#include "exchange_watch.h"

#define TAG_MAX 256
#define SETTLED_S 120 /* clocks differ */

enum { TAG_CONTENT, TAG_MODIFIED };
static const struct dav_ms_prop tag_props[] = {
    [TAG_CONTENT] = {"http://schemas.microsoft.com/repl/", "contenttag", TAG_MAX, DAV_MS_TEXT},
    [TAG_MODIFIED] = {"DAV:", "getlastmodified", 64, DAV_MS_TEXT},
};
static const struct dav_ms_spec tag_spec = {tag_props, sizeof(tag_props) / sizeof(tag_props[0])};

static const char *const tag_headers[] = {
    "Depth: 0", "Brief: t", "Translate: f", "Accept-Language: en-us", "Content-Type: text/xml", NULL,
};
const char dav_asked_tag[] = "<?xml version=\"1.0\"?><D:propfind xmlns:D=\"DAV:\" "
                               "xmlns:r=\"http://schemas.microsoft.com/repl/\"><D:prop><r:contenttag/>"
                               "<D:getlastmodified/></D:prop></D:propfind>";

static bool on_tag(void *query, const struct dav_ms_response *r);

void dav_exchange_tag_ask(struct dav_query *q, struct exchange *x)
{
    struct dav_ask ask = {
        .method = "PROPFIND",
        .url = x->calendar,
        .headers = tag_headers,
        .body = dav_asked_tag,
        .body_len = sizeof(dav_asked_tag) - 1,
        .spec = &tag_spec,
        .on_response = on_tag,
    };

    x->tag = 0;
    dav_query_send(q, &ask);
}

void dav_exchange_tag_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    struct exchange_known *known = dav_exchange_known(q, x);

    if (reply->multistatus && x->tag && x->tag == known->tag) {
        known->clean_at = (uint32_t)dav_query_as_of(q);
        dav_query_unchanged(q, known->from, known->until, known->clean_at);
        return;
    }
    if (x->tag_is_young) {
        x->tag = 0; /* read now, and seen again next time */
    } else if (!reply->multistatus || !x->tag) { /* the calendar itself says what is the matter, if anything is */
        x->tag = 0;
        known->no_tag_until = (uint32_t)(dav_query_now(q) + dav_query_account(q)->full_read_s);
    }
    dav_exchange_enter(q, x, EXCHANGE_REMEMBERED);
}

/* One row; Depth 0. */
static bool on_tag(void *query, const struct dav_ms_response *r)
{
    struct dav_query *q = query;
    struct exchange *x = dav_query_state(q);
    const struct dav_ms_value *tag = &r->value[TAG_CONTENT], *modified = &r->value[TAG_MODIFIED];
    int64_t at = 0;

    if (tag->text && tag->len > 0 && !tag->cut)
        x->tag = dav_store_hash(tag->text, tag->len);
    else if (modified->text && utc_parse_rfc3339(modified->text, modified->len, &at))
        x->tag = dav_store_hash(modified->text, modified->len);
    x->tag_is_young = x->tag && at && dav_query_now(q) - at < SETTLED_S;
    return true;
}
