/*
 * json: JSON values. struct jv is jansson's json_t under another name, so that no other file speaks jansson.
 *
 * Two things are added to the library. What comes in is limited: jansson recurses up to 2048 levels, we look at the
 * nesting first and refuse more than 64. What goes out cannot fail on a stranger's bytes: text that is no UTF-8
 * (jansson would refuse the value and the caller would lose a member) has each broken byte replaced by U+FFFD.
 *
 * Called by the HTTP API, the control socket, freebusyctl and the simulator's control interface.
 */
#include "base/json.h"

#include "base/buf.h"
#include "base/str.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DEPTH_MAX = 64, JSON_REAL_DIGITS = 15 };

static const char json_replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static struct jv *json_out(json_t *v);
static json_t *json_in(const struct jv *v);
static bool json_too_deep(const char *text, size_t len, int *ret_line);
static void json_why(char *why, size_t why_size, const json_error_t *error);
static char *json_clean_text(const char *text);
static size_t json_utf8_step(const char *text, size_t left);
static bool json_quote_byte(struct buf *out, unsigned char c);
static int json_to_buf(const char *piece, size_t len, void *arg);

struct jv *jv_parse(const char *text, size_t len, char *why, size_t why_size)
{
    int line = 1;
    if (json_too_deep(text, len, &line)) {
        snprintf(why, why_size, "line %d: nested deeper than %d", line, (int)JSON_DEPTH_MAX);
        return NULL;
    }
    json_error_t error;
    json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (v == NULL)
        json_why(why, why_size, &error);
    return json_out(v);
}

void jv_free(struct jv **v)
{
    if (*v != NULL)
        json_decref(json_in(*v));
    *v = NULL;
}

struct jv *jv_object(void)
{
    return json_out(json_object());
}

struct jv *jv_array(void)
{
    return json_out(json_array());
}

struct jv *jv_string(const char *text)
{
    if (text == NULL)
        return jv_null();
    if (str_is_utf8(text, strlen(text)))
        return json_out(json_string_nocheck(text));
    char *clean = json_clean_text(text);
    json_t *v = json_string_nocheck(clean);
    free(clean);
    return json_out(v);
}

struct jv *jv_int(int64_t n)
{
    return json_out(json_integer(n));
}

struct jv *jv_real(double d)
{
    json_t *v = json_real(d); /* NULL for what JSON cannot write: NaN, infinity */
    return v != NULL ? json_out(v) : jv_null();
}

struct jv *jv_bool(bool b)
{
    return json_out(json_boolean(b));
}

struct jv *jv_null(void)
{
    return json_out(json_null());
}

struct jv *jv_set(struct jv *object, const char *key, struct jv *value)
{
    json_t *v = value != NULL ? json_in(value) : json_null();
    if (str_is_utf8(key, strlen(key))) {
        json_object_set_new_nocheck(json_in(object), key, v);
    } else {
        char *clean = json_clean_text(key);
        json_object_set_new_nocheck(json_in(object), clean, v);
        free(clean);
    }
    return object;
}

struct jv *jv_set_str(struct jv *object, const char *key, const char *text)
{
    return jv_set(object, key, jv_string(text));
}

struct jv *jv_set_int(struct jv *object, const char *key, int64_t n)
{
    return jv_set(object, key, jv_int(n));
}

struct jv *jv_set_bool(struct jv *object, const char *key, bool b)
{
    return jv_set(object, key, jv_bool(b));
}

struct jv *jv_add(struct jv *array, struct jv *value)
{
    json_array_append_new(json_in(array), value != NULL ? json_in(value) : json_null());
    return array;
}

struct jv *jv_get(const struct jv *object, const char *key)
{
    return json_out(json_object_get(json_in(object), key));
}

struct jv *jv_at(const struct jv *array, size_t i)
{
    return json_out(json_array_get(json_in(array), i));
}

size_t jv_count(const struct jv *v)
{
    const json_t *j = json_in(v);
    return json_is_array(j) ? json_array_size(j) : json_object_size(j);
}

const char *jv_str(const struct jv *v, const char *otherwise)
{
    return jv_is_string(v) ? json_string_value(json_in(v)) : otherwise;
}

int64_t jv_num(const struct jv *v, int64_t otherwise)
{
    const json_t *j = json_in(v);
    return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

double jv_dbl(const struct jv *v, double otherwise)
{
    const json_t *j = json_in(v);
    return json_is_number(j) ? json_number_value(j) : otherwise;
}

bool jv_truth(const struct jv *v, bool otherwise)
{
    const json_t *j = json_in(v);
    return json_is_boolean(j) ? json_is_true(j) : otherwise;
}

bool jv_is_null(const struct jv *v)
{
    return v == NULL || json_is_null(json_in(v));
}

bool jv_is_object(const struct jv *v)
{
    return json_is_object(json_in(v));
}

bool jv_is_array(const struct jv *v)
{
    return json_is_array(json_in(v));
}

bool jv_is_string(const struct jv *v)
{
    return json_is_string(json_in(v));
}

/* *pos is jansson's iterator, or 1 behind the last member (an iterator is a pointer and never odd). */
bool jv_next(const struct jv *object, size_t *pos, const char **ret_key, struct jv **ret_value)
{
    json_t *o = json_in(object);
    if (*pos == 1)
        return false;
    void *iter = *pos == 0 ? json_object_iter(o) : json_object_iter_next(o, (void *)(uintptr_t)*pos);
    *pos = iter != NULL ? (size_t)(uintptr_t)iter : 1;
    if (iter == NULL)
        return false;
    *ret_key = json_object_iter_key(iter);
    *ret_value = json_out(json_object_iter_value(iter));
    return true;
}

bool jv_write(struct buf *out, const struct jv *v, bool pretty)
{
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(JSON_REAL_DIGITS) | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    json_t *j = v != NULL ? json_in(v) : json_null();
    return json_dump_callback(j, json_to_buf, out, flags) == 0;
}

bool jv_quote(struct buf *out, const char *text)
{
    if (text == NULL)
        return buf_adds(out, "null");
    buf_addc(out, '"');
    size_t left = strlen(text);
    while (left > 0 && !out->failed) {
        size_t run = 0;
        while (run < left && (unsigned char)text[run] >= 0x20 && (unsigned char)text[run] < 0x80 && text[run] != '"' &&
               text[run] != '\\')
            run++;
        buf_add(out, text, run);
        text += run;
        left -= run;
        if (left == 0)
            break;
        size_t step = json_utf8_step(text, left);
        if (step > 1)
            buf_add(out, text, step);
        else
            json_quote_byte(out, (unsigned char)*text);
        step = step > 0 ? step : 1;
        text += step;
        left -= step;
    }
    return buf_addc(out, '"') && !out->failed;
}

static struct jv *json_out(json_t *v)
{
    return (struct jv *)v;
}

/* jansson's getters want json_t pointers that are not const, and change nothing. */
static json_t *json_in(const struct jv *v)
{
    return (json_t *)(uintptr_t)v;
}

/* Counts brackets outside of strings. Broken text may be miscounted; the parser refuses it anyway. */
static bool json_too_deep(const char *text, size_t len, int *ret_line)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\n')
            ++*ret_line;
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
            return true;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
    }
    return false;
}

static void json_why(char *why, size_t why_size, const json_error_t *error)
{
    char text[JSON_ERROR_TEXT_LENGTH * 2];
    str_printable(error->text, strlen(error->text), text, sizeof(text));
    snprintf(why, why_size, "line %d: %s", error->line > 0 ? error->line : 1, text);
}

/* malloc'ed; each byte that belongs to no well-formed sequence becomes U+FFFD. */
static char *json_clean_text(const char *text)
{
    size_t left = strlen(text);
    struct buf b;
    buf_init(&b, left * (sizeof(json_replacement) - 1));
    while (left > 0) {
        size_t step = json_utf8_step(text, left);
        if (step > 0)
            buf_add(&b, text, step);
        else
            buf_adds(&b, json_replacement);
        step = step > 0 ? step : 1;
        text += step;
        left -= step;
    }
    return buf_take(&b);
}

/* Length of the well-formed sequence at `text` (there is no NUL in it), 0 when there is none. */
static size_t json_utf8_step(const char *text, size_t left)
{
    unsigned char c = (unsigned char)*text;
    size_t want = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    return want <= left && str_is_utf8(text, want) ? want : 0;
}

static bool json_quote_byte(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        return buf_adds(out, "\\\"");
    case '\\':
        return buf_adds(out, "\\\\");
    case '\n':
        return buf_adds(out, "\\n");
    case '\r':
        return buf_adds(out, "\\r");
    case '\t':
        return buf_adds(out, "\\t");
    default:
        return c < 0x20 ? buf_addf(out, "\\u%04x", c) : buf_adds(out, json_replacement);
    }
}

static int json_to_buf(const char *piece, size_t len, void *arg)
{
    return buf_add(arg, piece, len) ? 0 : -1;
}
