/*
 * auth_form_jar: the cookies of a logon by form. One jar for each logon and host; they are sent to that very origin
 * only, so paths and domains do not matter. Values are opaque and go back as they came: Exchange's have quotes, commas
 * and blanks in them.
 */
#include "auth_form.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fetch.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_LEN 128
#define LINES_MAX 32

struct cookie {
    char *name, *value;
};

struct dav_jar {
    struct cookie cookies[DAV_JAR_COOKIES];
    size_t count;
};

static bool is_past(const char *attributes);
static void put(struct dav_jar *jar, const char *name, size_t name_len, const char *value, size_t value_len);
static void drop(struct dav_jar *jar, const char *name, size_t name_len);
static struct cookie *find(struct dav_jar *jar, const char *name, size_t name_len);
static void wipe(struct cookie *c);

struct dav_jar *dav_jar_new(void)
{
    return mem_calloc(1, sizeof(struct dav_jar));
}

void dav_jar_free(struct dav_jar **jar)
{
    if (!*jar)
        return;
    for (size_t i = 0; i < (*jar)->count; i++)
        wipe(&(*jar)->cookies[i]);
    free(*jar);
    *jar = NULL;
}

bool dav_jar_empty(const struct dav_jar *jar)
{
    return jar->count == 0;
}

bool dav_jar_set(struct dav_jar *jar, const char *set_cookie)
{
    size_t len = strcspn(set_cookie, ";"), name_len, value_len;
    const char *equals = memchr(set_cookie, '=', len), *value;
    const char *name = str_trim(set_cookie, &len);

    if (!equals || equals == name)
        return false;
    name_len = (size_t)(equals - name);
    name = str_trim(name, &name_len);
    value = equals + 1;
    value_len = (size_t)(set_cookie + strcspn(set_cookie, ";") - value);
    value = str_trim(value, &value_len);
    if (name_len == 0 || name_len > NAME_MAX_LEN || value_len > DAV_JAR_VALUE_MAX)
        return false;
    if (value_len == 0 || is_past(set_cookie + strcspn(set_cookie, ";"))) {
        drop(jar, name, name_len);
        return false;
    }
    if (!find(jar, name, name_len) && jar->count == DAV_JAR_COOKIES)
        return false;
    put(jar, name, name_len, value, value_len);
    return true;
}

bool dav_jar_take(struct dav_jar *jar, const struct fetch *fetch, int status)
{
    const char *line;
    bool any = false;

    for (unsigned n = 0; status != 440 && n < LINES_MAX && (line = fetch_header(fetch, "Set-Cookie", n)); n++)
        any = dav_jar_set(jar, line) || any;
    return any;
}

bool dav_jar_line(const struct dav_jar *jar, struct buf *out)
{
    if (jar->count == 0)
        return false;
    for (size_t i = 0; i < jar->count; i++) {
        buf_adds(out, i == 0 ? "Cookie: " : "; ");
        buf_adds(out, jar->cookies[i].name);
        buf_addc(out, '=');
        buf_adds(out, jar->cookies[i].value);
    }
    return !out->failed;
}

const char *dav_jar_find(const struct dav_jar *jar, const char *prefix)
{
    for (size_t i = 0; i < jar->count; i++)
        if (str_starts_nocase(jar->cookies[i].name, prefix))
            return jar->cookies[i].value;
    return NULL;
}

/* "expires=Thu, 01-Jan-1970 ..." is how these servers take a cookie back; others say Max-Age=0. */
static bool is_past(const char *attributes)
{
    size_t len = strlen(attributes);
    const char *expires = str_find_nocase(attributes, len, "expires=");
    const char *age = str_find_nocase(attributes, len, "max-age=");

    if (age)
        return age[8] == '0' || age[8] == '-';
    return expires && str_find_nocase(expires, strcspn(expires, ";"), "1970");
}

static void put(struct dav_jar *jar, const char *name, size_t name_len, const char *value, size_t value_len)
{
    struct cookie *c = find(jar, name, name_len);

    if (c)
        wipe(c);
    else
        c = &jar->cookies[jar->count++];
    c->name = mem_strndup(name, name_len);
    c->value = mem_strndup(value, value_len);
}

static void drop(struct dav_jar *jar, const char *name, size_t name_len)
{
    struct cookie *c = find(jar, name, name_len);

    if (!c)
        return;
    wipe(c);
    jar->count--;
    memmove(c, c + 1, (size_t)(jar->cookies + jar->count - c) * sizeof(*c));
    jar->cookies[jar->count] = (struct cookie){NULL, NULL};
}

static struct cookie *find(struct dav_jar *jar, const char *name, size_t name_len)
{
    for (size_t i = 0; i < jar->count; i++)
        if (strlen(jar->cookies[i].name) == name_len && memcmp(jar->cookies[i].name, name, name_len) == 0)
            return &jar->cookies[i];
    return NULL;
}

static void wipe(struct cookie *c)
{
    mem_wipe(c->value, strlen(c->value));
    free(c->name);
    free(c->value);
}
