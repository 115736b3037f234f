/*
 * sim_repl: see the header. sim_search asks it which rows to leave out, sim_render what to say of those that stay.
 */
#include "sim_repl.h"

#include "base/buf.h"
#include "base/str.h"
#include "sim.h"
#include "sim_value.h"
#include "sim_path.h"
#include "sim_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOB_HEAD "AQAAA"
enum { GUID_DIGITS = 16 };

bool sim_repl_since(const struct sim_mailbox *m, const char *blob, unsigned *ret_revision)
{
    size_t head = strlen(BLOB_HEAD);
    char *end;
    *ret_revision = 0;
    if (blob[0] == '\0')
        return true;
    if (strncmp(blob, BLOB_HEAD, head) != 0 || strlen(blob) <= head + GUID_DIGITS ||
        strtoull(blob + head + GUID_DIGITS, &end, 16) > m->revision || *end)
        return false;
    *ret_revision = (unsigned)strtoull(blob + head + GUID_DIGITS, NULL, 16);
    char guid[GUID_DIGITS + 1];
    snprintf(guid, sizeof(guid), "%016" PRIx64, m->guid);
    return strncmp(blob + head, guid, GUID_DIGITS) == 0;
}

const char *sim_repl_blob(struct arena *a, const struct sim_mailbox *m)
{
    return sim_arena_printf(a, BLOB_HEAD "%016" PRIx64 "%08x", m->guid, m->revision);
}

bool sim_repl_changed(const struct sim_item *item, unsigned since)
{
    return item->revision > since;
}

bool sim_repl_new(const struct sim_item *item, unsigned since)
{
    return item->first_revision > since;
}

void sim_repl_deleted(const struct sim_mailbox *m, unsigned since, const char *repl, struct buf *out)
{
    for (size_t i = 0; since > 0 && i < m->deleted_count; i++) {
        const struct sim_deleted *d = &m->deleted[i];
        if (d->revision <= since || d->first_revision > since)
            continue;
        buf_adds(out, "<a:response><a:href/>");
        buf_addf(out, "<%schangetype>delete</%schangetype>", repl, repl);
        buf_adds(out, "<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>");
        buf_addf(out, "<%srepl-uid>rid:%016" PRIx64 "%010x</%srepl-uid>", repl, m->guid, d->id, repl);
        buf_adds(out, "</a:prop></a:propstat></a:response>");
    }
}
