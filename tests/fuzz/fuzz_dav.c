/*
 * fuzz_dav: what a stranger may post to the CalDAV face. What begins with "<" goes to the reader of XML, the rest to
 * that of iCalendar. What comes out is bounded, and the names of properties can be written into an answer as they are.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "dav_body.h"
#include "dav_message.h"
#include "presence/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* One line: an answer repeats it. */
static void check_value(const char *text)
{
    check(strlen(text) <= 1024 && str_is_utf8(text, strlen(text)));
    for (; *text; text++)
        check((unsigned char)*text >= ' ' || *text == '\t');
}

static void read_body(const char *text, size_t len, struct arena *arena)
{
    struct gw_dav_body body;
    if (gw_dav_body_read(text, len, arena, &body) != GW_DAV_BODY_OK)
        return;
    check(body.prop_count <= GW_DAV_PROPS_MAX && body.match_count <= GW_DAV_MATCHES_MAX &&
          body.href_count <= GW_DAV_HREFS_MAX);
    for (unsigned i = 0; i < body.prop_count; i++) {
        const char *name = body.props[i].name;
        check(isalpha((unsigned char)name[0]) || name[0] == '_');
        check(strcspn(name, "<>&\"': \t\r\n") == strlen(name) && body.props[i].ns);
    }
    for (unsigned i = 0; i < body.match_count; i++)
        check(body.matches[i].text != NULL);
    for (unsigned i = 0; i < body.href_count; i++)
        check(body.hrefs[i] != NULL);
}

static void read_message(const char *text, size_t len, struct arena *arena)
{
    struct gw_dav_message m;
    const char *why = NULL;
    struct buf out;
    if (gw_dav_message_read(text, len, arena, &m, &why) != GW_DAV_MESSAGE_OK) {
        check(why != NULL);
        return;
    }
    check(m.start < m.end && m.attendee_count > 0 && m.attendee_count <= GW_DAV_ATTENDEES_MAX);
    check_value(m.uid);
    check_value(m.organizer);
    buf_init(&out, 1 << 16);
    for (unsigned i = 0; i < m.attendee_count; i++) {
        const struct pres_vfb_question question = {m.uid, m.organizer, m.attendees[i]};
        check_value(m.attendees[i]);
        gw_dav_mailbox(m.attendees[i], arena);
        buf_reset(&out);
        check(pres_render_vfb_reply(&out, &question, NULL, m.start, m.end, 0));
        check(str_is_utf8(out.data, out.len));
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(2 << 20);
    if (size > 0 && data[0] == '<')
        read_body((const char *)data, size, arena);
    else if (size > 0)
        read_message((const char *)data, size, arena);
    arena_free(&arena);
    return 0;
}
