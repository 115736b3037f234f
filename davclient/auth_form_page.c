/*
 * auth_form_page: finds the logon form in a web page and fills it in. Not an HTML parser: it goes from tag to tag, is
 * content with any quoting, unclosed and misplaced elements, and keeps what belongs to the form with a password field.
 * Comments and scripts are passed over, but for the two variables by which some servers' scripts lead to the real page.
 * Pure, and bounded: a page may be anything.
 */
#include "auth_form.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "redirect.h"
#include "url.h"

#define ATTRIBUTES 24
#define TEXT_MAX 4096 /* of a name, a value, an action */

struct attribute {
    const char *name, *value;
    size_t name_len, value_len;
};

struct tag {
    const char *name;
    size_t name_len;
    struct attribute attributes[ATTRIBUTES];
    size_t count;
};

struct reading {
    struct dav_form_page *page;
    struct arena *arena;
    const char *at, *end;
    const char *script_path, *script_query; /* of a page that is only a script */
    bool submitted;
};

static bool next_tag(struct reading *r, struct tag *tag);
static void read_attributes(struct reading *r, struct tag *tag);
static void pass_over(struct reading *r, const char *closing);
static void read_script(struct reading *r);
static const char *script_text(struct reading *r, const char *from, size_t len, const char *variable);
static void on_form(struct reading *r, const struct tag *tag);
static void on_input(struct reading *r, const struct tag *tag);
static void add_field(struct dav_form_page *page, const char *name, const char *value);
static bool is_a(const struct tag *tag, const char *name);
static const char *value_of(struct reading *r, const struct tag *tag, const char *name);
static size_t resolve_entity(const char *at, const char *end, struct buf *out);
static bool add_pair(struct buf *out, const char *name, const char *value, size_t value_len);

void dav_form_page_read(struct dav_form_page *page, const char *html, size_t len, struct arena *arena)
{
    struct reading r = {.page = page, .arena = arena, .at = html, .end = html + len};
    struct tag tag;

    *page = (struct dav_form_page){.action = ""};
    while (next_tag(&r, &tag)) {
        if (is_a(&tag, "form") && !page->password)
            on_form(&r, &tag);
        else if (is_a(&tag, "form"))
            break; /* the one with the password is complete */
        else if (is_a(&tag, "input"))
            on_input(&r, &tag);
        else if (is_a(&tag, "script"))
            read_script(&r);
        else if (is_a(&tag, "style"))
            pass_over(&r, "</style");
    }
    if (!page->password || !page->username)
        page->password = page->username = NULL;
    if (!page->username && r.script_path) {
        struct buf link;

        buf_init(&link, TEXT_MAX);
        buf_adds(&link, r.script_path);
        buf_adds(&link, r.script_query ? r.script_query : "");
        page->elsewhere = link.failed ? NULL : arena_strndup(arena, link.data, link.len);
        buf_free(&link);
    }
}

bool dav_form_page_fill(const struct dav_form_page *page, const char *user, const char *password, size_t password_len,
                        const char *destination, struct buf *out)
{
    for (size_t i = 0; i < page->count; i++) {
        const char *name = page->fields[i].name, *value = page->fields[i].value;

        if (str_eq_nocase(name, "flags") || str_eq_nocase(name, "trusted"))
            value = "4"; /* a private computer: the session lasts */
        else if (str_eq_nocase(name, "destination") && !value[0])
            value = destination;
        add_pair(out, name, value, strlen(value));
    }
    add_pair(out, page->username, user, strlen(user));
    add_pair(out, page->password, password, password_len);
    return !out->failed;
}

bool dav_form_resolve(const char *base, const char *link, struct buf *out)
{
    struct dav_url here, there;
    size_t len = strcspn(link, "#");
    const char *path = link;

    if (!dav_url_parse(base, &here))
        return false;
    if (str_starts_nocase(link, "http://") || str_starts_nocase(link, "https://") || str_starts(link, "//")) {
        if (link[0] == '/')
            buf_adds(out, here.tls ? "https:" : "http:");
        path = strstr(link, "//") + 2;
        path += strcspn(path, "/?#");
        buf_add(out, link, (size_t)(path - link));
    } else {
        const char *end = here.path + strcspn(here.path, "?"), *slash = end;

        dav_url_origin(&here, out);
        while (slash > here.path && slash[-1] != '/')
            slash--;
        if (*link == '?' || len == 0)
            buf_add(out, here.path, (size_t)(end - here.path));
        else if (*link != '/')
            buf_add(out, here.path, (size_t)(slash - here.path));
    }
    if (path == link + len && path != link)
        buf_addc(out, '/');
    return !out->failed && dav_url_add_path(out, path, (size_t)(link + len - path)) && dav_url_parse(out->data, &there);
}

/* --- tags --- */

/* Leaves r->at behind the tag. */
static bool next_tag(struct reading *r, struct tag *tag)
{
    while (r->at < r->end && (r->at = memchr(r->at, '<', (size_t)(r->end - r->at)))) {
        r->at++;
        if (r->end - r->at >= 3 && memcmp(r->at, "!--", 3) == 0) {
            pass_over(r, "-->");
            continue;
        }
        if (r->at == r->end || !isalpha((unsigned char)*r->at))
            continue;
        *tag = (struct tag){.name = r->at};
        while (r->at < r->end && isalnum((unsigned char)*r->at))
            r->at++;
        tag->name_len = (size_t)(r->at - tag->name);
        read_attributes(r, tag);
        return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '/';
}

static void read_attributes(struct reading *r, struct tag *tag)
{
    while (r->at < r->end && *r->at != '>') {
        struct attribute a = {.name = r->at, .value = ""};
        const char *p;

        if (is_blank(*r->at)) {
            r->at++;
            continue;
        }
        do
            r->at++;
        while (r->at < r->end && !is_blank(*r->at) && *r->at != '=' && *r->at != '>');
        a.name_len = (size_t)(r->at - a.name);
        for (p = r->at; p < r->end && is_blank(*p); p++)
            continue;
        if (p < r->end && *p == '=') {
            for (p++; p < r->end && is_blank(*p) && *p != '/'; p++)
                continue;
            char quote = p < r->end && (*p == '"' || *p == '\'') ? *p++ : '\0';
            a.value = p;
            while (p < r->end && (quote ? *p != quote : *p != '>' && (!is_blank(*p) || *p == '/')))
                p++;
            a.value_len = (size_t)(p - a.value);
            r->at = quote && p < r->end ? p + 1 : p;
        }
        if (tag->count < ATTRIBUTES)
            tag->attributes[tag->count++] = a;
    }
}

/* `closing` in lower case. */
static void pass_over(struct reading *r, const char *closing)
{
    const char *found = str_find_nocase(r->at, (size_t)(r->end - r->at), closing);

    r->at = found ? found + strlen(closing) : r->end;
}

static bool is_a(const struct tag *tag, const char *name)
{
    return strlen(name) == tag->name_len && str_starts_nocase(tag->name, name);
}

/* NULL: there is no such attribute. Entities are resolved. */
static const char *value_of(struct reading *r, const struct tag *tag, const char *name)
{
    for (size_t i = 0; i < tag->count; i++) {
        const struct attribute *a = &tag->attributes[i];
        const char *at = a->value, *end = a->value + a->value_len;
        const char *kept;
        struct buf text;

        if (a->name_len != strlen(name) || !str_starts_nocase(a->name, name))
            continue;
        buf_init(&text, TEXT_MAX);
        while (at < end)
            at += resolve_entity(at, end, &text);
        kept = text.failed || memchr(text.data, '\0', text.len) ? NULL : arena_strndup(r->arena, text.data, text.len);
        buf_free(&text);
        return kept;
    }
    return NULL;
}

/* Adds the character at `at`; returns how many bytes stood for it. Characters beyond ASCII have no business in these
 * attributes when written so, and stay as they are. */
static size_t resolve_entity(const char *at, const char *end, struct buf *out)
{
    static const struct {
        const char *name;
        char character;
    } entities[] = {{"&amp;", '&'}, {"&quot;", '"'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&apos;", '\''}};
    char digits[8] = "", *stop;
    unsigned long number;
    size_t left = (size_t)(end - at);

    for (size_t i = 0; *at == '&' && i < sizeof(entities) / sizeof(entities[0]); i++) {
        size_t len = strlen(entities[i].name);

        if (left >= len && memcmp(at, entities[i].name, len) == 0) {
            buf_addc(out, entities[i].character);
            return len;
        }
    }
    if (left >= 4 && at[0] == '&' && at[1] == '#') {
        bool hex = at[2] == 'x' || at[2] == 'X';

        memcpy(digits, at + 2 + hex, left - 2 - hex < 7 ? left - 2 - hex : 7);
        number = strtoul(digits, &stop, hex ? 16 : 10);
        if (*stop == ';' && isxdigit((unsigned char)digits[0]) && number > 0 && number < 128) {
            buf_addc(out, (char)number);
            return 2 + hex + (size_t)(stop - digits) + 1;
        }
    }
    buf_addc(out, *at);
    return 1;
}

/* --- what the tags mean --- */

static void on_form(struct reading *r, const struct tag *tag)
{
    const char *action = value_of(r, tag, "action");

    *r->page = (struct dav_form_page){.action = action ? action : ""};
    r->submitted = false;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && !str_eq_nocase(word, *words))
        words++;
    return *words != NULL;
}

static void on_input(struct reading *r, const struct tag *tag)
{
    static const char *const not_text[] = {"hidden", "submit", "checkbox", "radio", "button",
                                           "image",  "reset",  "file",     NULL};
    struct dav_form_page *page = r->page;
    const char *type = value_of(r, tag, "type"), *name = value_of(r, tag, "name"), *value = value_of(r, tag, "value");

    if (!name || !name[0])
        return;
    if (type && str_eq_nocase(type, "password")) {
        if (!page->password)
            page->password = name;
    } else if (!type || !is_one_of(type, not_text)) { /* a type that nobody knows is a text */
        if (!page->password)
            page->username = name; /* the one right before the password */
    } else if (str_eq_nocase(type, "hidden") || str_eq_nocase(name, "trusted")) {
        add_field(page, name, value ? value : "");
    } else if (str_eq_nocase(type, "submit") && !r->submitted) {
        r->submitted = true; /* one button is pressed */
        add_field(page, name, value ? value : "");
    }
}

/* Twice the same name (the radio buttons public and private): once is enough. */
static void add_field(struct dav_form_page *page, const char *name, const char *value)
{
    for (size_t i = 0; i < page->count; i++)
        if (strcmp(page->fields[i].name, name) == 0)
            return;
    if (page->count < DAV_FORM_FIELDS)
        page->fields[page->count++] = (struct dav_form_field){name, value};
}

/* Some pages have no form, but a script that goes to a_sLgnQS (or a_sLgn) with a_sUrl behind it. */
static void read_script(struct reading *r)
{
    const char *from = r->at, *path;
    size_t len;

    pass_over(r, "</script");
    len = (size_t)(r->at - from);
    path = script_text(r, from, len, "a_sLgnQS");
    if (!path)
        path = script_text(r, from, len, "a_sLgn");
    if (path && path[0]) {
        r->script_path = path;
        r->script_query = script_text(r, from, len, "a_sUrl");
    }
}

/* The text that a variable is set to: `name = "text"`. */
static const char *script_text(struct reading *r, const char *from, size_t len, const char *variable)
{
    const char *end = from + len, *p = from, *close;

    while ((p = str_find_nocase(p, (size_t)(end - p), variable))) {
        p += strlen(variable);
        while (p < end && is_blank(*p))
            p++;
        if (p == end || *p != '=')
            continue;
        for (p++; p < end && is_blank(*p); p++)
            continue;
        if (p == end || (*p != '"' && *p != '\''))
            continue;
        close = memchr(p + 1, *p, (size_t)(end - p - 1));
        if (close && close - p < TEXT_MAX && !memchr(p, '\0', (size_t)(close - p)))
            return arena_strndup(r->arena, p + 1, (size_t)(close - p - 1));
    }
    return NULL;
}

/* application/x-www-form-urlencoded, a blank as %20, which every decoder takes. */
static bool add_pair(struct buf *out, const char *name, const char *value, size_t value_len)
{
    if (out->len > 0)
        buf_addc(out, '&');
    str_percent_encode(out, name, strlen(name), "");
    buf_addc(out, '=');
    return str_percent_encode(out, value, value_len, "");
}
