/*
 * xml_head: what the first bytes of a document say about the rest. Leading white space is dropped, and the XML
 * declaration is awaited, because only it says whether the bytes are UTF-8. xml.c sends everything through here until
 * the head is complete.
 */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "xml_private.h"

static bool is_blank(char c);
static void head_trim(struct xml_reader *r);
static bool head_is_foreign(const char *head, size_t len);
static bool head_decide(struct xml_reader *r);

bool xml_head_add(struct xml_reader *r, const char **data, size_t *len)
{
    while (*len > 0) {
        size_t n = XML_HEAD_MAX - r->head_len;
        if (n > *len)
            n = *len;
        memcpy(r->head + r->head_len, *data, n);
        r->head_len += n;
        *data += n;
        *len -= n;
        head_trim(r);
        if (head_decide(r))
            return true;
    }
    return false;
}

size_t xml_head_blank(const char *data, size_t len)
{
    size_t skip = 0;

    for (;;) {
        if (skip < len && is_blank(data[skip]))
            skip++;
        else if (len - skip >= 3 && memcmp(data + skip, "\xEF\xBB\xBF", 3) == 0)
            skip += 3;
        else
            return skip;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void head_trim(struct xml_reader *r)
{
    size_t skip = xml_head_blank(r->head, r->head_len);

    r->head_len -= skip;
    memmove(r->head, r->head + skip, r->head_len);
}

/* The declaration is complete: does it name an encoding that is not UTF-8? (Who claims UTF-16 in plain bytes is not
 * believed.) */
static bool head_is_foreign(const char *head, size_t len)
{
    const char *p = str_find_nocase(head, len, "encoding");
    const char *end = head + len;

    if (!p)
        return false;
    p += strlen("encoding");
    while (p < end && (is_blank(*p) || *p == '=' || *p == '"' || *p == '\''))
        p++;
    return !(end - p >= 3 && strncasecmp(p, "utf", 3) == 0) && !(end - p >= 8 && strncasecmp(p, "us-ascii", 8) == 0);
}

/* Is it known by now what the bytes are? */
static bool head_decide(struct xml_reader *r)
{
    static const char DECL[] = "<?xml";
    size_t n = r->head_len;
    const char *end;

    if (n < 2)
        return false;
    if (r->head[0] == '\xFE' || r->head[0] == '\xFF' || r->head[0] == '\0' || r->head[1] == '\0')
        return r->foreign = true; /* UTF-16 */
    if (n < 3 && r->head[0] == '\xEF')
        return false;
    if (strncmp(r->head, DECL, n < 5 ? n : 5) != 0)
        return true;
    end = memmem(r->head, n, "?>", 2);
    if (end)
        r->foreign = head_is_foreign(r->head, (size_t)(end - r->head));
    return end || n == XML_HEAD_MAX;
}
