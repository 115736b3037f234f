/*
 * json: JSON values, over jansson. Functions begin with jv_ ("a JSON value"), because json_ belongs to jansson.
 *
 * Values are trees with one owner: what is put into an object or array belongs to it. A getter on NULL or on a value of
 * another type answers its default, so a path can be walked without looking at each step.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct jv;

/* NULL with "line 3: ..." in why when the text is no JSON, is deeper than 64, or has a duplicate key. */
struct jv *jv_parse(const char *text, size_t len, char *why, size_t why_size);
void jv_free(struct jv **v);

struct jv *jv_object(void);
struct jv *jv_array(void);
struct jv *jv_string(const char *text); /* NULL gives null; bytes that are no UTF-8 are replaced by U+FFFD */
struct jv *jv_int(int64_t n);
struct jv *jv_real(double d);
struct jv *jv_bool(bool b);
struct jv *jv_null(void);

/* Put, taking `value`; each returns the container, so that calls can be chained by the reader's eye. Order of keys is
 * kept. */
struct jv *jv_set(struct jv *object, const char *key, struct jv *value);
struct jv *jv_set_str(struct jv *object, const char *key, const char *text);
struct jv *jv_set_int(struct jv *object, const char *key, int64_t n);
struct jv *jv_set_bool(struct jv *object, const char *key, bool b);
struct jv *jv_add(struct jv *array, struct jv *value);

struct jv *jv_get(const struct jv *object, const char *key); /* borrowed; NULL when absent */
struct jv *jv_at(const struct jv *array, size_t i);          /* borrowed */
size_t jv_count(const struct jv *v);                         /* members of an object or array, else 0 */
const char *jv_str(const struct jv *v, const char *otherwise);
int64_t jv_num(const struct jv *v, int64_t otherwise);
double jv_dbl(const struct jv *v, double otherwise);
bool jv_truth(const struct jv *v, bool otherwise);
bool jv_is_null(const struct jv *v); /* JSON null, or absent */
bool jv_is_object(const struct jv *v);
bool jv_is_array(const struct jv *v);
bool jv_is_string(const struct jv *v);

/* Walks an object's members: start with *pos = 0. */
bool jv_next(const struct jv *object, size_t *pos, const char **ret_key, struct jv **ret_value);

/* Appends; indented by two when `pretty`. */
bool jv_write(struct buf *out, const struct jv *v, bool pretty);

/* Appends a quoted and escaped JSON string: for writers that need no tree. NULL gives null. */
bool jv_quote(struct buf *out, const char *text);

#endif
