/*
 * xml_names: see xml_names.h. Two tables with open addressing, whose entries are as old as their document's number
 * says, so that nothing is cleared between documents: of the spellings, and of the texts that a name resolves to, which
 * exist once each. Every ceiling here only makes libxml2 read the document.
 */
#include "xml_names.h"

#include <string.h>

enum { TRIES = 8 };

_Static_assert(XML_NAMES_SLOTS >= 2 * XML_NAMES_MAX && XML_NAMES_POOL <= UINT16_MAX, "see find() and keep()");

static struct xml_names_slot *find(struct xml_names *n, const struct xml_spelling *s);
static const char *ns_of(const struct xml_names *n, const struct xml_spelling *s);
static const char *keep(struct xml_names *n, const char *text, size_t len);
static uint64_t hash_of(const char *text, size_t len);

static const char NOWHERE[] = "";

void xml_names_begin(struct xml_names *n)
{
    n->now = (struct xml_names_mark){0, 0};
    n->epochs = n->count = n->pool_used = 0;
    if (++n->document > 0)
        return;
    memset(n->slots, 0, sizeof(n->slots)); /* once round */
    memset(n->kept, 0, sizeof(n->kept));
    n->document = 1;
}

bool xml_names_declare(struct xml_names *n, const struct xml_names_mark *mark, const struct xml_spelling *name,
                       const char *uri, size_t len)
{
    static const char reserved[] = "http://www.w3.org/";
    size_t prefix_len = name->prefix_len ? name->len - name->prefix_len - 1 : 0;
    const char *prefix = name->text + name->len - prefix_len;
    const char *ns;

    if (n->now.scope_count == XML_NAMES_SCOPES || len == 0 || strncmp(uri, reserved, strlen(reserved)) == 0 ||
        (prefix_len >= 3 && strncmp(prefix, "xml", 3) == 0))
        return false;
    for (unsigned i = mark->scope_count; i < n->now.scope_count; i++)
        if (n->scopes[i].len == prefix_len && memcmp(n->scopes[i].prefix, prefix, prefix_len) == 0)
            return false;
    ns = keep(n, uri, len);
    if (!ns)
        return false;
    if (n->now.epoch == mark->epoch)
        n->now.epoch = ++n->epochs;
    n->scopes[n->now.scope_count].prefix = prefix;
    n->scopes[n->now.scope_count].len = prefix_len;
    n->scopes[n->now.scope_count++].ns = ns;
    return true;
}

int xml_names_resolve(struct xml_names *n, const struct xml_spelling *s)
{
    struct xml_names_slot *slot = find(n, s);
    struct xml_name *known = slot && slot->document == n->document ? &n->names[slot->index] : NULL;
    size_t skip = s->prefix_len ? s->prefix_len + 1 : 0;
    const char *ns, *local;

    if (known && known->epoch == n->now.epoch)
        return slot->index;
    ns = ns_of(n, s);
    if (!slot || !ns)
        return -1;
    if (known && known->ns == ns) {
        known->epoch = n->now.epoch;
        return slot->index;
    }
    local = n->count < XML_NAMES_MAX ? keep(n, s->text + skip, s->len - skip) : NULL;
    if (!local)
        return -1;
    *slot = (struct xml_names_slot){n->document, (uint16_t)n->count};
    n->names[n->count] = (struct xml_name){*s, n->now.epoch, ns, local};
    return (int)n->count++;
}

/* The slot that has this spelling or may take it; NULL: all that it may have are taken. */
static struct xml_names_slot *find(struct xml_names *n, const struct xml_spelling *s)
{
    uint64_t hash = hash_of(s->text, s->len) + s->is_attr;

    for (unsigned i = 0; i < TRIES; i++) {
        struct xml_names_slot *slot = &n->slots[(hash + i) % XML_NAMES_SLOTS];
        const struct xml_spelling *other = &n->names[slot->index].spelling;

        if (slot->document != n->document ||
            (other->len == s->len && other->is_attr == s->is_attr && memcmp(other->text, s->text, s->len) == 0))
            return slot;
    }
    return NULL;
}

static const char *ns_of(const struct xml_names *n, const struct xml_spelling *s)
{
    if (s->is_attr && s->prefix_len == 0)
        return NOWHERE;
    for (unsigned i = n->now.scope_count; i-- > 0;)
        if (n->scopes[i].len == s->prefix_len && memcmp(n->scopes[i].prefix, s->text, s->prefix_len) == 0)
            return n->scopes[i].ns;
    return s->prefix_len == 0 ? NOWHERE : NULL;
}

/* One copy of each text, as a string. NULL: too many, or too long. */
static const char *keep(struct xml_names *n, const char *text, size_t len)
{
    uint64_t hash = hash_of(text, len);
    char *copy = n->pool + n->pool_used;

    for (unsigned i = 0; i < TRIES; i++) {
        struct xml_names_slot *slot = &n->kept[(hash + i) % XML_NAMES_TEXTS];
        const char *other = n->pool + slot->index;

        if (slot->document == n->document) {
            if (strncmp(other, text, len) == 0 && other[len] == '\0')
                return other;
            continue;
        }
        if (len + 1 > XML_NAMES_POOL - n->pool_used)
            return NULL;
        *slot = (struct xml_names_slot){n->document, (uint16_t)n->pool_used};
        memcpy(copy, text, len);
        copy[len] = '\0';
        n->pool_used += (unsigned)len + 1;
        return copy;
    }
    return NULL;
}

/* Its ends and its length tell nearly all names apart. */
static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t first = 0, last = 0;

    if (len >= sizeof(first)) {
        memcpy(&first, text, sizeof(first));
        memcpy(&last, text + len - sizeof(last), sizeof(last));
    } else {
        for (size_t i = 0; i < len; i++)
            first = first << 8 | (unsigned char)text[i];
    }
    first ^= last * UINT64_C(0xff51afd7ed558ccd);
    first ^= first >> 32; /* a last character is in the highest bits, and multiplying moves nothing down */
    return (first ^ len) * UINT64_C(0x9e3779b97f4a7c15) >> 40;
}
