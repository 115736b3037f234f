/*
 * xml_plain: reads a small document that holds nothing out of the ordinary, which is nearly every answer to a poll, in
 * a tenth of libxml2's time. xml.c comes here with a document that it has held until its end.
 *
 * Ordinary are elements, attributes, texts and the five named entities, with names of ASCII and declared prefixes. At
 * the first thing beyond that, or that is wrong, xml_plain_read() gives the document up without having told anybody
 * anything of it, and libxml2 reads it from its beginning: what is broken, and how, is libxml2's judgement alone. So
 * doubt costs time and nothing else, and there is only one thing to prove here: that what is accepted means the same to
 * libxml2.
 *
 * Hence two steps: read() checks the document and makes a list of tokens, tell() calls the handler for each. Texts and
 * values are offsets into the document; xml_names.c knows the names. The document ends with a NUL, and is no plain one
 * with another inside, so that hardly anything here looks at the length.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "xml_names.h"
#include "xml_private.h"

enum {
    DEPTH = 64,
    ATTRS = 16, /* of one element */
    ATTRS_ALL = 512,
    TOKENS_FIRST = 1024,
    TOKENS_MAX = 8192,
};

/* What a byte may be part of. */
enum { NAME_START = 1, NAME = 2, TEXT = 4, BLANK = 8 };

static const struct {
    const char *text;
    char c;
} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

enum token_kind { TOKEN_START, TOKEN_END, TOKEN_TEXT, TOKEN_CHAR };

struct token {
    uint16_t kind;
    uint16_t name; /* START and END */
    uint32_t at;   /* TEXT: where it begins; CHAR: which of the entities; START: its first attribute */
    uint32_t len;  /* TEXT: its bytes; START: its attributes */
};

struct attr {
    uint16_t name;
    uint32_t at, len;
};

/* An attribute as it is written. */
struct written {
    struct xml_spelling name;
    const char *value;
    size_t len;
};

/* An element whose end has not come. */
struct open {
    const char *text;
    size_t len;
    uint16_t name;
    struct xml_names_mark before; /* its declarations */
};

struct xml_plain {
    uint8_t class[256];
    const char *text, *at, *end;
    unsigned max_depth, depth;
    struct token *tokens;
    unsigned token_count, token_cap;
    unsigned attr_count;
    struct attr attrs[ATTRS_ALL];
    struct open open[DEPTH];
    struct xml_names names;
};

static bool read_declaration(struct xml_plain *p);
static bool read_start(struct xml_plain *p);
static bool read_end(struct xml_plain *p);
static bool read_text(struct xml_plain *p);
static size_t wide_size(const struct xml_plain *p, const char *at);
static const char *skip_digits(const struct xml_plain *p, const char *at);
static bool read_entity(struct xml_plain *p);
static bool read_name(struct xml_plain *p, struct xml_spelling *ret);
static int read_attrs(struct xml_plain *p, struct written *out);
static bool read_value(struct xml_plain *p, struct written *w);
static bool skip_blanks(struct xml_plain *p);
static bool is_declaration(const struct written *w);
static bool add_attrs(struct xml_plain *p, const struct written *list, int count);
static inline bool add_token(struct xml_plain *p, struct token t);

struct xml_plain *xml_plain_new(void)
{
    struct xml_plain *p = mem_calloc(1, sizeof(*p));

    for (unsigned c = 1; c < 256; c++) {
        unsigned lower = c | 0x20;
        bool letter = (lower >= 'a' && lower <= 'z') || c == '_';
        bool blank = c == ' ' || c == '\t' || c == '\n';
        bool text = ((c >= ' ' && c < 0x80) || blank) && c != '<' && c != '&' && c != ']';

        p->class[c] =
            (uint8_t)((letter ? NAME_START | NAME : 0) | (blank || c == '\r' ? BLANK : 0) | (text ? TEXT : 0));
        if ((c >= '0' && c <= '9') || c == '-' || c == '.')
            p->class[c] |= NAME;
    }
    p->token_cap = TOKENS_FIRST;
    p->tokens = mem_realloc(NULL, p->token_cap, sizeof(*p->tokens));
    return p;
}

void xml_plain_free(struct xml_plain **p)
{
    if (!*p)
        return;
    free((*p)->tokens);
    free(*p);
    *p = NULL;
}

bool xml_plain_read(struct xml_plain *p, const char *text, size_t len, unsigned max_depth)
{
    bool ok;

    p->text = p->at = text;
    p->end = text + len;
    p->max_depth = max_depth < DEPTH ? max_depth : DEPTH;
    p->depth = p->token_count = p->attr_count = 0;
    xml_names_begin(&p->names);
    ok = read_declaration(p) && read_start(p);
    while (ok && p->depth > 0) {
        if (*p->at != '<')
            ok = read_text(p);
        else
            ok = p->at[1] == '/' ? read_end(p) : read_start(p);
    }
    if (!ok)
        return false;
    skip_blanks(p);
    return p->at == text + len;
}

void xml_plain_tell(const struct xml_plain *p, struct xml_reader *r)
{
    const unsigned char *attrs[ATTRS * XML_ATTR_POINTERS];
    bool go_on = true;

    r->attrs = attrs;
    for (const struct token *t = p->tokens; t < p->tokens + p->token_count && go_on; t++) {
        switch ((enum token_kind)t->kind) {
        case TOKEN_START:
            for (unsigned i = 0; i < t->len; i++) {
                const struct attr *a = &p->attrs[t->at + i];
                const struct xml_name *n = &p->names.names[a->name];
                const unsigned char **out = attrs + i * XML_ATTR_POINTERS;

                out[0] = (const unsigned char *)n->local;
                out[1] = NULL;
                out[2] = n->ns[0] ? (const unsigned char *)n->ns : NULL;
                out[3] = (const unsigned char *)p->text + a->at;
                out[4] = out[3] + a->len;
            }
            r->attr_count = t->len;
            go_on = r->handler.start(r->arg, p->names.names[t->name].ns, p->names.names[t->name].local);
            r->attr_count = 0;
            break;
        case TOKEN_END:
            go_on = r->handler.end(r->arg, p->names.names[t->name].ns, p->names.names[t->name].local);
            break;
        case TOKEN_TEXT:
            go_on = r->handler.text(r->arg, p->text + t->at, t->len);
            break;
        case TOKEN_CHAR:
            go_on = r->handler.text(r->arg, &entities[t->at].c, 1);
            break;
        }
    }
    r->attrs = NULL;
    r->seen_root = true;
    if (!go_on)
        r->result = XML_STOPPED;
}

/* None, or one of those that servers write. */
static bool read_declaration(struct xml_plain *p)
{
    static const char *const usual[] = {
        "<?xml version=\"1.0\"?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>",
        "<?xml version='1.0' encoding='utf-8'?>",
        "<?xml version='1.0' encoding='UTF-8'?>",
    };

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (strncmp(p->at, usual[i], strlen(usual[i])) == 0) {
            p->at += strlen(usual[i]);
            break;
        }
    }
    skip_blanks(p);
    return *p->at == '<';
}

static bool read_start(struct xml_plain *p)
{
    struct written list[ATTRS];
    struct open *o = &p->open[p->depth];
    struct xml_spelling name;
    int count, resolved;

    p->at++;
    if (p->depth == p->max_depth || !read_name(p, &name) || (count = read_attrs(p, list)) < 0)
        return false;
    o->text = name.text;
    o->len = name.len;
    o->before = p->names.now;
    for (int i = 0; i < count; i++)
        if (is_declaration(&list[i]) &&
            !xml_names_declare(&p->names, &o->before, &list[i].name, list[i].value, list[i].len))
            return false;
    resolved = xml_names_resolve(&p->names, &name);
    if (resolved < 0)
        return false;
    o->name = (uint16_t)resolved;
    p->depth++;
    if (!add_token(p, (struct token){TOKEN_START, o->name, p->attr_count, 0}))
        return false;
    if (count > 0 && !add_attrs(p, list, count))
        return false;
    if (*p->at++ == '>')
        return true;
    p->at++; /* of "/>" */
    p->depth--;
    p->names.now = o->before;
    return add_token(p, (struct token){TOKEN_END, o->name, 0, 0});
}

static bool read_end(struct xml_plain *p)
{
    const struct open *o = &p->open[p->depth - 1];

    p->at += 2;
    if (strncmp(p->at, o->text, o->len) != 0)
        return false;
    p->at += o->len;
    skip_blanks(p); /* a name that goes on is refused by what follows */
    if (*p->at++ != '>')
        return false;
    p->depth--;
    p->names.now = o->before;
    return add_token(p, (struct token){TOKEN_END, o->name, 0, 0});
}

/* Carriage returns are not ordinary: they would have to be dropped. */
static bool read_text(struct xml_plain *p)
{
    const char *from = p->at;
    const char *at = skip_digits(p, from);
    size_t size;

    for (;;) {
        while (p->class[(unsigned char)*at] & TEXT)
            at++;
        size = *at == ']' ? at[1] != ']' || at[2] != '>' : wide_size(p, at);
        if (size == 0)
            break;
        at += size;
    }
    p->at = at;
    if (at > from && !add_token(p, (struct token){TOKEN_TEXT, 0, (uint32_t)(from - p->text), (uint32_t)(at - from)}))
        return false;
    return *at == '<' || (*at == '&' && read_entity(p));
}

/* Of a character beyond ASCII; 0: it is none, or none that may be here. */
static size_t wide_size(const struct xml_plain *p, const char *at)
{
    return (unsigned char)*at < 0x80 ? 0 : xml_char_size(at, (size_t)(p->end - at));
}

/* Free/busy of many people is little else than digits: eight at a time. */
static const char *skip_digits(const struct xml_plain *p, const char *at)
{
    const uint64_t high = 0xf0f0f0f0f0f0f0f0, threes = 0x3030303030303030, sixes = 0x0606060606060606;
    uint64_t word;

    while (p->end - at >= (ptrdiff_t)sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        if ((word & high) != threes || ((word + sixes) & high) != threes)
            break;
        at += sizeof(word);
    }
    return at;
}

static bool read_entity(struct xml_plain *p)
{
    for (uint32_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        size_t len = strlen(entities[i].text);

        if (strncmp(p->at, entities[i].text, len) != 0)
            continue;
        p->at += len;
        return add_token(p, (struct token){TOKEN_CHAR, 0, i, 0});
    }
    return false;
}

static bool read_name(struct xml_plain *p, struct xml_spelling *ret)
{
    const char *from = p->at;
    const char *at = from;

    *ret = (struct xml_spelling){.text = from};
    if (!(p->class[(unsigned char)*at] & NAME_START))
        return false;
    while (p->class[(unsigned char)*at] & NAME)
        at++;
    if (*at == ':') {
        ret->prefix_len = (size_t)(at - from);
        if (!(p->class[(unsigned char)*++at] & NAME_START))
            return false;
        while (p->class[(unsigned char)*at] & NAME)
            at++;
    }
    ret->len = (size_t)(at - from);
    p->at = at;
    return *at == '>' || *at == '/' || *at == '=' || p->class[(unsigned char)*at] & BLANK;
}

/* Up to the end of the tag, ">" or "/>"; returns how many there are, -1: something out of the ordinary. */
static int read_attrs(struct xml_plain *p, struct written *out)
{
    int count = 0;

    for (;;) {
        bool blank = skip_blanks(p);

        if (*p->at == '>' || (*p->at == '/' && p->at[1] == '>'))
            return count;
        if (!blank || count == ATTRS || !read_name(p, &out[count].name))
            return -1;
        out[count].name.is_attr = true;
        skip_blanks(p);
        if (*p->at++ != '=')
            return -1;
        skip_blanks(p);
        if (!read_value(p, &out[count++]))
            return -1;
    }
}

/* Line ends and tabs would have to become blanks, references characters. */
static bool read_value(struct xml_plain *p, struct written *w)
{
    const char quote = *p->at++;
    const char *at = w->value = p->at;
    size_t size;

    if (quote != '"' && quote != '\'')
        return false;
    for (;;) {
        while (*at != quote && (p->class[(unsigned char)*at] & TEXT || *at == ']') && *at != '\t' && *at != '\n')
            at++;
        size = wide_size(p, at);
        if (size == 0)
            break;
        at += size;
    }
    w->len = (size_t)(at - w->value);
    p->at = at + 1;
    return *at == quote;
}

static bool skip_blanks(struct xml_plain *p)
{
    const char *from = p->at;

    while (p->class[(unsigned char)*p->at] & BLANK)
        p->at++;
    return p->at > from;
}

static bool is_declaration(const struct written *w)
{
    const struct xml_spelling *s = &w->name;

    return strncmp(s->text, "xmlns", 5) == 0 && (s->prefix_len == 5 || (s->prefix_len == 0 && s->len == 5));
}

/* Two of one element must not have the same name. */
static bool add_attrs(struct xml_plain *p, const struct written *list, int count)
{
    struct token *start = &p->tokens[p->token_count - 1];
    const struct xml_name *names = p->names.names;

    for (int i = 0; i < count; i++) {
        int name;

        if (is_declaration(&list[i]))
            continue;
        name = xml_names_resolve(&p->names, &list[i].name);
        if (name < 0 || p->attr_count == ATTRS_ALL)
            return false;
        for (unsigned k = start->at; k < p->attr_count; k++)
            if (names[p->attrs[k].name].local == names[name].local && names[p->attrs[k].name].ns == names[name].ns)
                return false;
        p->attrs[p->attr_count++] =
            (struct attr){(uint16_t)name, (uint32_t)(list[i].value - p->text), (uint32_t)list[i].len};
        start->len++;
    }
    return true;
}

static inline bool add_token(struct xml_plain *p, struct token t)
{
    if (p->token_count == p->token_cap) {
        if (p->token_cap == TOKENS_MAX)
            return false;
        p->token_cap *= 2;
        p->tokens = mem_realloc(p->tokens, p->token_cap, sizeof(*p->tokens));
    }
    p->tokens[p->token_count++] = t;
    return true;
}
