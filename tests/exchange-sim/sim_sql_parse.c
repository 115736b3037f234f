/*
 * sim_sql_parse: a lexer and a recursive-descent parser for the SQL that Exchange's SEARCH accepts.
 *
 *   SELECT * | "prop" [AS name], ...  FROM "" | SCOPE('SHALLOW TRAVERSAL OF "path"')
 *   [WHERE expr] [ORDER BY "prop" [ASC|DESC], ...]
 *   expr: AND OR NOT ( ), < <= > >= = != <>, LIKE, IS [NOT] NULL; literals 'text', 42, True, False, CAST("x" AS 'type')
 */
#include "sim_sql.h"

#include "base/arena.h"
#include "base/str.h"
#include "base/utc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 256
#define DEPTH_MAX 100

enum kind { END, WORD, QUOTED /* "..." */, TEXT /* '...' */, NUMBER, SIGN };

struct parser {
    struct arena *arena;
    const char *p, *end;
    enum kind kind;   /* of the token read last */
    const char *text; /* its text, quotes taken off */
    size_t len;
    char sign[3];
    unsigned depth;
    char *why;
    size_t why_size;
    bool failed;
};

static struct sim_sql_expr *parse_or(struct parser *s);

static void fail(struct parser *s, const char *what)
{
    if (!s->failed)
        snprintf(s->why, s->why_size, "%s near '%.*s'", what, (int)(s->len > 40 ? 40 : s->len), s->text);
    s->failed = true;
    s->kind = END;
}

/* '...' with '' for a quote inside. */
static void lex_quoted(struct parser *s, char quote)
{
    char *out = arena_alloc(s->arena, (size_t)(s->end - s->p) + 1);
    size_t n = 0;
    s->p++;
    while (out != NULL && s->p < s->end) {
        if (*s->p == quote && s->p + 1 < s->end && s->p[1] == quote && quote == '\'')
            s->p++;
        else if (*s->p == quote) {
            s->p++;
            s->kind = quote == '\'' ? TEXT : QUOTED;
            s->text = out;
            s->len = n;
            return;
        }
        out[n++] = *s->p++;
    }
    fail(s, "a quote is not closed");
}

static void lex_sign(struct parser *s)
{
    size_t n = 1;
    if (s->p + 1 < s->end && (strncmp(s->p, "<=", 2) == 0 || strncmp(s->p, ">=", 2) == 0 ||
                              strncmp(s->p, "!=", 2) == 0 || strncmp(s->p, "<>", 2) == 0))
        n = 2;
    memcpy(s->sign, s->p, n);
    s->sign[n] = '\0';
    s->kind = SIGN;
    s->text = s->p;
    s->len = n;
    s->p += n;
}

static void lex_word(struct parser *s)
{
    s->kind = WORD;
    s->text = s->p;
    while (s->p < s->end && (isalnum((unsigned char)*s->p) || *s->p == '_'))
        s->p++;
    s->len = (size_t)(s->p - s->text);
}

static void lex_number(struct parser *s)
{
    s->kind = NUMBER;
    s->text = s->p++;
    while (s->p < s->end && isdigit((unsigned char)*s->p))
        s->p++;
    s->len = (size_t)(s->p - s->text);
}

static void next(struct parser *s)
{
    while (s->p < s->end && isspace((unsigned char)*s->p))
        s->p++;
    if (s->failed || s->p == s->end) {
        s->kind = END;
        s->text = "";
        s->len = 0;
    } else if (*s->p == '"' || *s->p == '\'') {
        lex_quoted(s, *s->p);
    } else if (isdigit((unsigned char)*s->p) ||
               (*s->p == '-' && s->p + 1 < s->end && isdigit((unsigned char)s->p[1]))) {
        lex_number(s);
    } else if (isalpha((unsigned char)*s->p) || *s->p == '_') {
        lex_word(s);
    } else if (strchr("<>=!(),*", *s->p) != NULL) {
        lex_sign(s);
    } else {
        s->text = s->p;
        s->len = 1;
        fail(s, "unexpected character");
    }
}

static bool is_word(const struct parser *s, const char *word)
{
    return s->kind == WORD && s->len == strlen(word) && str_starts_nocase(s->text, word);
}

static bool take_word(struct parser *s, const char *word)
{
    bool hit = is_word(s, word);
    if (hit)
        next(s);
    return hit;
}

static void want_word(struct parser *s, const char *word)
{
    if (!take_word(s, word))
        fail(s, "a word is missing");
}

static bool take_sign(struct parser *s, const char *sign)
{
    bool hit = s->kind == SIGN && strcmp(s->sign, sign) == 0;
    if (hit)
        next(s);
    return hit;
}

static void want_sign(struct parser *s, const char *sign)
{
    if (!take_sign(s, sign))
        fail(s, "a sign is missing");
}

static void parse_prop(struct parser *s, struct sim_prop *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (s->kind != QUOTED || !sim_prop_from_text(s->arena, s->text, s->len, ret))
        fail(s, "a property in double quotes is expected");
    next(s);
}

static void parse_select(struct parser *s, struct sim_sql *sql)
{
    sql->props = arena_alloc(s->arena, LIST_MAX * sizeof(struct sim_prop));
    if (sql->props == NULL)
        fail(s, "too large");
    if (take_sign(s, "*")) {
        sql->star = true;
        return;
    }
    do {
        if (sql->prop_count == LIST_MAX || s->failed) {
            fail(s, "too many properties");
            return;
        }
        struct sim_prop *p = &sql->props[sql->prop_count++];
        parse_prop(s, p);
        if (take_word(s, "AS")) {
            if (s->kind != WORD)
                fail(s, "an alias is expected");
            p->alias = arena_strndup(s->arena, s->text, s->len);
            next(s);
        }
    } while (take_sign(s, ","));
}

/* SHALLOW TRAVERSAL OF "path", the text inside SCOPE('...'). */
static void parse_scope_text(struct parser *s, struct sim_sql *sql)
{
    static const char *const kinds[] = {"SHALLOW", "HIERARCHICAL", "DEEP"};
    struct parser in = *s;
    in.p = s->text;
    in.end = s->text + s->len;
    next(&in);
    for (unsigned i = 0; i < 3; i++)
        if (is_word(&in, kinds[i]))
            sql->traversal = (enum sim_sql_traversal)i;
    if (in.kind != WORD)
        fail(&in, "a traversal is expected");
    next(&in);
    want_word(&in, "TRAVERSAL");
    want_word(&in, "OF");
    if (in.kind == QUOTED)
        sql->scope = arena_strndup(s->arena, in.text, in.len);
    else
        fail(&in, "a path in double quotes is expected");
    s->failed = s->failed || in.failed;
}

static void parse_from(struct parser *s, struct sim_sql *sql)
{
    if (s->kind == QUOTED) { /* FROM "" or FROM "path" */
        sql->scope = arena_strndup(s->arena, s->text, s->len);
        next(s);
        return;
    }
    want_word(s, "SCOPE");
    want_sign(s, "(");
    if (s->kind == TEXT)
        parse_scope_text(s, sql);
    else
        fail(s, "a scope in single quotes is expected");
    next(s);
    want_sign(s, ")");
}

/* CAST("2008-03-03T09:00:00Z" AS 'dateTime.tz'), and the same for numbers and truth. */
static void parse_cast(struct parser *s, struct sim_value *ret)
{
    want_sign(s, "(");
    const char *text = s->text;
    size_t len = s->len;
    if (s->kind != QUOTED && s->kind != TEXT && s->kind != NUMBER)
        fail(s, "a value is expected");
    next(s);
    want_word(s, "AS");
    const char *type = s->text;
    size_t type_len = s->len;
    if (s->kind != TEXT && s->kind != QUOTED)
        fail(s, "a type is expected");
    next(s);
    want_sign(s, ")");
    if (s->failed)
        return;
    char *copy = arena_strndup(s->arena, text, len);
    if (type_len >= 8 && strncmp(type, "dateTime", 8) == 0) {
        ret->type = SIM_T_TIME;
        if (!utc_parse_rfc3339(text, len, &ret->i))
            fail(s, "CAST of a text that is no ISO date");
    } else if (type_len == 7 && strncmp(type, "boolean", 7) == 0) {
        ret->type = SIM_T_BOOL;
        ret->i = len > 0 && (text[0] == '1' || text[0] == 't' || text[0] == 'T');
    } else if (type_len >= 1 && (type[0] == 'i' || type[0] == 'u') && copy != NULL) {
        ret->type = SIM_T_INT;
        ret->i = strtoll(copy, NULL, 10);
    } else {
        ret->type = SIM_T_STRING;
        ret->s = copy;
    }
}

static void parse_operand(struct parser *s, struct sim_sql_operand *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (s->kind == QUOTED) {
        ret->is_prop = true;
        parse_prop(s, &ret->prop);
    } else if (s->kind == TEXT) {
        ret->value.type = SIM_T_STRING;
        ret->value.s = arena_strndup(s->arena, s->text, s->len);
        next(s);
    } else if (s->kind == NUMBER) {
        char digits[24];
        snprintf(digits, sizeof(digits), "%.*s", (int)s->len, s->text);
        ret->value.type = SIM_T_INT;
        ret->value.i = strtoll(digits, NULL, 10);
        next(s);
    } else if (is_word(s, "TRUE") || is_word(s, "FALSE")) {
        ret->value.type = SIM_T_BOOL;
        ret->value.i = is_word(s, "TRUE");
        next(s);
    } else if (take_word(s, "CAST")) {
        parse_cast(s, &ret->value);
    } else {
        fail(s, "a property or a value is expected");
    }
}

static struct sim_sql_expr *node(struct parser *s, enum sim_sql_op op, struct sim_sql_expr *a, struct sim_sql_expr *b)
{
    struct sim_sql_expr *e = arena_alloc(s->arena, sizeof(*e));
    if (e == NULL) {
        fail(s, "too large");
        return NULL;
    }
    e->op = op;
    e->a = a;
    e->b = b;
    return e;
}

static bool take_comparison(struct parser *s, enum sim_sql_op *ret)
{
    static const struct {
        const char *sign;
        enum sim_sql_op op;
    } signs[] = {{"<", SIM_SQL_LT}, {"<=", SIM_SQL_LE}, {">", SIM_SQL_GT}, {">=", SIM_SQL_GE},
                 {"=", SIM_SQL_EQ}, {"!=", SIM_SQL_NE}, {"<>", SIM_SQL_NE}};
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (take_sign(s, signs[i].sign)) {
            *ret = signs[i].op;
            return true;
        }
    }
    return false;
}

static struct sim_sql_expr *parse_condition(struct parser *s)
{
    struct sim_sql_expr *e = node(s, SIM_SQL_CONST, NULL, NULL);
    if (e == NULL)
        return NULL;
    parse_operand(s, &e->left);
    if (take_word(s, "IS")) {
        e->op = take_word(s, "NOT") ? SIM_SQL_IS_NOT_NULL : SIM_SQL_IS_NULL;
        want_word(s, "NULL");
        return e;
    }
    bool not_like = take_word(s, "NOT");
    if (take_word(s, "LIKE")) {
        e->op = SIM_SQL_LIKE;
        parse_operand(s, &e->right);
        return not_like ? node(s, SIM_SQL_NOT, e, NULL) : e;
    }
    if (not_like)
        fail(s, "LIKE is expected");
    if (take_comparison(s, &e->op))
        parse_operand(s, &e->right);
    else if (e->left.is_prop)
        fail(s, "a comparison is expected");
    return e;
}

static struct sim_sql_expr *parse_not(struct parser *s)
{
    if (++s->depth > DEPTH_MAX)
        fail(s, "nested too deep");
    struct sim_sql_expr *e;
    if (s->failed) {
        e = NULL;
    } else if (take_word(s, "NOT")) {
        e = node(s, SIM_SQL_NOT, parse_not(s), NULL);
    } else if (take_sign(s, "(")) {
        e = parse_or(s);
        want_sign(s, ")");
    } else {
        e = parse_condition(s);
    }
    s->depth--;
    return e;
}

static struct sim_sql_expr *parse_and(struct parser *s)
{
    struct sim_sql_expr *e = parse_not(s);
    while (!s->failed && take_word(s, "AND"))
        e = node(s, SIM_SQL_AND, e, parse_not(s));
    return e;
}

static struct sim_sql_expr *parse_or(struct parser *s)
{
    struct sim_sql_expr *e = parse_and(s);
    while (!s->failed && take_word(s, "OR"))
        e = node(s, SIM_SQL_OR, e, parse_and(s));
    return e;
}

static void parse_order(struct parser *s, struct sim_sql *sql)
{
    want_word(s, "BY");
    sql->order = arena_alloc(s->arena, 16 * sizeof(struct sim_sql_order));
    do {
        if (sql->order_count == 16 || sql->order == NULL) {
            fail(s, "too many columns to order by");
            return;
        }
        struct sim_sql_order *o = &sql->order[sql->order_count++];
        parse_prop(s, &o->prop);
        if (take_word(s, "DESC"))
            o->descending = true;
        else
            take_word(s, "ASC");
    } while (take_sign(s, ","));
}

struct sim_sql *sim_sql_parse(struct arena *a, const char *text, size_t len, char *why, size_t why_size)
{
    struct parser s = {.arena = a, .p = text, .end = text + len, .text = "", .why = why, .why_size = why_size};
    struct sim_sql *sql = arena_alloc(a, sizeof(*sql));
    if (sql == NULL)
        return NULL;
    sql->scope = "";
    next(&s);
    want_word(&s, "SELECT");
    parse_select(&s, sql);
    want_word(&s, "FROM");
    parse_from(&s, sql);
    if (take_word(&s, "WHERE"))
        sql->where = parse_or(&s);
    if (take_word(&s, "ORDER"))
        parse_order(&s, sql);
    if (s.kind != END)
        fail(&s, "nothing more is expected");
    return s.failed ? NULL : sql;
}
