/*
 * fuzz_pidf: any address and note go into a PIDF document; a strict XML parser must read it, and find the same entity
 * and note in it. The first byte chooses the state, the second the length of the address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/xml.h"
#include "presence/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct xml_reader *reader;
    struct buf entity, note;
    bool in_note;
};

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct seen *s = arg;
    size_t len;
    s->in_note = strcmp(name, "note") == 0 && strcmp(ns, "urn:ietf:params:xml:ns:pidf") == 0;
    const char *entity = xml_reader_attr(s->reader, "", "entity", &len);
    return !entity || buf_add(&s->entity, entity, len);
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct seen *s = arg;
    (void)ns, (void)name;
    s->in_note = false;
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct seen *s = arg;
    return !s->in_note || buf_add(&s->note, text, len);
}

/* Characters that XML cannot hold come back as U+FFFD; notes without them come back as they are. */
static bool comparable(const char *note)
{
    for (const unsigned char *p = (const unsigned char *)note; *p; p++)
        if ((*p < ' ' && *p != '\t' && *p != '\n') || (p[0] == 0xef && p[1] == 0xbf))
            return false;
    return strlen(note) <= 200;
}

static void read_back(const char *text, size_t len, const char *entity, const char *note)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    static const struct xml_limits limits = {.max_bytes = 1 << 20, .max_depth = 8, .stream = true};
    struct seen s = {0};
    buf_init(&s.entity, 1 << 20);
    buf_init(&s.note, 1 << 20);
    s.reader = xml_reader_new(&handler, &s, &limits);
    if (xml_reader_feed(s.reader, text, len) != XML_OK || strcmp(s.entity.data, entity) != 0)
        abort();
    if (comparable(note) && strcmp(s.note.len ? s.note.data : "", note) != 0)
        abort();
    xml_reader_free(&s.reader);
    buf_free(&s.note);
    buf_free(&s.entity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t len = data[1] < size - 2 ? data[1] : size - 2;
    char *address = mem_strndup((const char *)data + 2, len),
         *note = mem_strndup((const char *)data + 2 + len, size - 2 - len);
    struct buf entity, out;
    buf_init(&entity, 4096);
    buf_init(&out, 1 << 20);
    struct pres_presence p = {
        .state = (enum pres_kind)(data[0] % PRES_KINDS), .since = data[0] * INT64_C(40000000), .until = PRES_NEVER};
    struct pres_pidf doc = {.map = &pres_pidf_usual, .note = note, .now = 1, .future = data[0] & 1};
    if (pres_pidf_entity(&entity, "sip:", address)) {
        doc.entity = entity.data;
        if (!pres_render_pidf(&out, &doc, &p) && str_is_utf8(note, strlen(note)))
            abort();
        if (out.len > 0)
            read_back(out.data, out.len, entity.data, note);
    }
    buf_free(&entity);
    buf_free(&out);
    free(address);
    free(note);
    return 0;
}
