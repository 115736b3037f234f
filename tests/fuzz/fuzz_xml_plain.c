/*
 * fuzz_xml_plain: what the reader of plain documents accepts must mean the same to libxml2: the same elements,
 * attributes and texts, whether the document comes in pieces or as a whole. What it gives up is not looked at: that
 * goes to libxml2 anyway.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xml_private.h"

struct trace {
    struct buf out;
    struct xml_reader *reader;
};

static const struct xml_limits held = {.max_bytes = 1 << 20, .max_depth = 20, .hold = true};
static const struct xml_limits pushed = {.max_bytes = 1 << 20, .max_depth = 20};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct trace *t = arg;
    const char *attr_ns, *attr, *value;
    size_t len;

    buf_addf(&t->out, "\x01{%s}%s", ns, name);
    for (unsigned i = 0; xml_reader_attr_at(t->reader, i, &attr_ns, &attr, &value, &len); i++) {
        buf_addf(&t->out, " {%s}%s=", attr_ns, attr);
        buf_add(&t->out, value, len);
    }
    buf_addc(&t->out, '\x02');
    return true;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct trace *t = arg;

    return buf_addf(&t->out, "\x03{%s}%s\x02", ns, name);
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct trace *t = arg;

    return buf_add(&t->out, text, len);
}

static enum xml_result trace(struct trace *t, const struct xml_limits *limits, bool whole, const char *text, size_t len)
{
    static const struct xml_handler handler = {on_start, on_end, on_text};
    enum xml_result result;

    buf_init(&t->out, 1 << 24);
    t->reader = xml_reader_new(&handler, t, limits);
    if (!whole)
        xml_reader_feed(t->reader, text, len);
    result = whole ? xml_reader_whole(t->reader, text, len) : xml_reader_finish(t->reader);
    xml_reader_free(&t->reader);
    return result;
}

static void compare(const struct trace *theirs, bool whole, const struct buf *text)
{
    struct trace ours;

    if (trace(&ours, &held, whole, text->data, text->len) != XML_OK || ours.out.len != theirs->out.len ||
        memcmp(ours.out.data, theirs->out.data, ours.out.len) != 0)
        abort();
    buf_free(&ours.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct xml_plain *plain;
    struct buf text;

    if (!plain)
        plain = xml_plain_new();
    buf_init(&text, 3 * (XML_SLICE + 4));
    buf_add(&text, data, size < XML_SLICE ? size : XML_SLICE);
    if (text.len > 0 && xml_plain_read(plain, text.data, text.len, held.max_depth)) {
        struct trace theirs;

        if (trace(&theirs, &pushed, false, text.data, text.len) != XML_OK)
            abort();
        compare(&theirs, false, &text);
        compare(&theirs, true, &text);
        buf_free(&theirs.out);
    }
    buf_free(&text);
    return 0;
}
