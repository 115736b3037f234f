/* json: limits on what comes in, repair of what goes out, and values that are of another type than hoped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

static struct jv *parse(const char *text)
{
    char why[200] = "";
    struct jv *v = jv_parse(text, strlen(text), why, sizeof(why));
    assert_int_equal(v == NULL, why[0] != '\0');
    if (v == NULL)
        assert_int_equal(strncmp(why, "line ", 5), 0);
    return v;
}

static void assert_written(const struct jv *v, bool pretty, const char *expected)
{
    struct buf b;
    buf_init(&b, 10000);
    assert_true(jv_write(&b, v, pretty));
    assert_string_equal(b.data, expected);
    buf_free(&b);
}

static void refuses_what_is_no_json(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{\"a\":1,\"a\":2}",
                                      "nul",
                                      "[1] [2]",
                                      "\"\\u0000\"",
                                      "\"\xFF\"",
                                      "{\"a\":1e999}",
                                      "'x'",
                                      "[\"\\ud800\"]"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(parse(bad[i]));
    char why[200];
    assert_null(jv_parse("{\n\n x}", 6, why, sizeof(why)));
    assert_int_equal(strncmp(why, "line 3: ", 8), 0);
    assert_null(jv_parse("[1]\0", 4, why, sizeof(why)));
}

static void limits_depth(void **state)
{
    char text[2 * 4000 + 1];
    (void)state;
    for (int depth = 63; depth <= 66; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        struct jv *v = parse(text);
        assert_int_equal(v != NULL, depth <= 64);
        jv_free(&v);
    }
    memset(text, '{', 4000);
    text[4000] = '\0';
    assert_null(parse(text));
    /* brackets in strings are text, also behind an escaped quote */
    struct jv *v = parse("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\",[]]");
    assert_int_equal(jv_count(v), 2);
    jv_free(&v);
}

static void reads_by_type(void **state)
{
    (void)state;
    struct jv *v =
        parse("{\"s\":\"t\",\"i\":9007199254740993,\"r\":1.5,\"b\":false,\"n\":null,\"a\":[1,2],\"o\":{\"k\":1}}");
    assert_string_equal(jv_str(jv_get(v, "s"), "?"), "t");
    assert_string_equal(jv_str(jv_get(v, "i"), "?"), "?");
    assert_true(jv_num(jv_get(v, "i"), 0) == 9007199254740993);
    assert_int_equal(jv_num(jv_get(v, "r"), 7), 7);
    assert_int_equal(jv_num(jv_get(v, "s"), 7), 7);
    assert_true(jv_dbl(jv_get(v, "r"), 0) == 1.5);
    assert_true(jv_dbl(jv_at(jv_get(v, "a"), 1), 0) == 2);
    assert_false(jv_truth(jv_get(v, "b"), true));
    assert_true(jv_truth(jv_get(v, "n"), true));
    assert_true(jv_is_null(jv_get(v, "n")) && jv_is_null(jv_get(v, "absent")) && !jv_is_null(jv_get(v, "b")));
    assert_int_equal(jv_count(jv_get(v, "a")), 2);
    assert_int_equal(jv_count(jv_get(v, "s")), 0);
    assert_null(jv_at(jv_get(v, "a"), 2));
    assert_null(jv_at(v, 0));
    /* a path through what is not there */
    assert_string_equal(jv_str(jv_get(jv_at(jv_get(jv_get(v, "x"), "y"), 3), "z"), "none"), "none");
    assert_int_equal(jv_num(jv_get(jv_get(v, "o"), "k"), 0), 1);
    jv_free(&v);
    jv_free(&v);
}

static void walks_in_order(void **state)
{
    struct jv *v = parse("{\"z\":1,\"a\":2,\"m\":3}");
    char keys[10] = "";
    int64_t sum = 0;
    size_t pos = 0;
    const char *key;
    struct jv *member;
    (void)state;
    while (jv_next(v, &pos, &key, &member)) {
        strcat(keys, key);
        sum += jv_num(member, 0);
    }
    assert_false(jv_next(v, &pos, &key, &member));
    assert_string_equal(keys, "zam");
    assert_int_equal(sum, 6);
    pos = 0;
    assert_false(jv_next(jv_get(v, "z"), &pos, &key, &member));
    pos = 0;
    assert_false(jv_next(NULL, &pos, &key, &member));
    jv_free(&v);
}

static void writes(void **state)
{
    struct jv *v = jv_object();
    (void)state;
    jv_set_str(v, "s", "a\"\\/\n\x01\xC3\xBC");
    jv_set_str(v, "none", NULL);
    jv_set_int(v, "i", INT64_MIN);
    jv_set_bool(v, "b", true);
    jv_set(v, "r", jv_real(0.1));
    jv_set(v, "nan", jv_real(0.0 / 0.0));
    jv_set(v, "gone", NULL);
    jv_set(v, "a", jv_add(jv_add(jv_array(), jv_int(1)), jv_null()));
    assert_written(
        v, false,
        "{\"s\":\"a\\\"\\\\/\\n\\u0001\xC3\xBC\",\"none\":null,\"i\":-9223372036854775808,\"b\":true,\"r\":0.1,"
        "\"nan\":null,\"gone\":null,\"a\":[1,null]}");
    jv_free(&v);
    v = jv_set(jv_object(), "k", jv_array());
    assert_written(v, true, "{\n  \"k\": []\n}");
    jv_free(&v);
    assert_written(NULL, false, "null");
    /* a value that no container takes is freed, not lost */
    jv_set(NULL, "k", jv_string("x"));
    jv_add(NULL, jv_string("x"));
}

static void repairs_broken_text(void **state)
{
    static const struct {
        const char *text;
        const char *repaired;
    } cases[] = {
        {"ok \xE2\x82\xAC", "ok \xE2\x82\xAC"},
        {"\xFC", "\xEF\xBF\xBD"},
        {"a\xC3", "a\xEF\xBF\xBD"},
        {"\xC3(", "\xEF\xBF\xBD("},
        {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate */
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* overlong */
        {"\xF0\x9F\x98\x80\xFF", "\xF0\x9F\x98\x80\xEF\xBF\xBD"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[100];
        struct jv *v = jv_string(cases[i].text);
        struct buf b;
        assert_string_equal(jv_str(v, NULL), cases[i].repaired);
        snprintf(expected, sizeof(expected), "\"%s\"", cases[i].repaired);
        assert_written(v, false, expected);
        buf_init(&b, 100);
        assert_true(jv_quote(&b, cases[i].text));
        assert_string_equal(b.data, expected);
        buf_free(&b);
        jv_free(&v);
    }
    struct jv *v = jv_set_int(jv_object(), "k\xFF", 1);
    assert_written(v, false, "{\"k\xEF\xBF\xBD\":1}");
    jv_free(&v);
}

static void quotes(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    assert_true(jv_quote(&b, "\"\\\b\t\r\n\x1F\x7F/é"));
    assert_string_equal(b.data, "\"\\\"\\\\\\u0008\\t\\r\\n\\u001f\x7F/é\"");
    buf_reset(&b);
    assert_true(jv_quote(&b, NULL));
    assert_true(jv_quote(&b, ""));
    assert_string_equal(b.data, "null\"\"");
    buf_free(&b);
}

static void fails_with_its_buffer(void **state)
{
    struct jv *v = jv_string("0123456789");
    struct buf b;
    (void)state;
    buf_init(&b, 11);
    assert_false(jv_write(&b, v, false));
    buf_reset(&b);
    assert_false(jv_quote(&b, "0123456789"));
    buf_free(&b);
    buf_init(&b, 12);
    assert_true(jv_quote(&b, "0123456789"));
    assert_int_equal(b.len, 12);
    buf_free(&b);
    jv_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(limits_depth),
        cmocka_unit_test(reads_by_type),
        cmocka_unit_test(walks_in_order),
        cmocka_unit_test(writes),
        cmocka_unit_test(repairs_broken_text),
        cmocka_unit_test(quotes),
        cmocka_unit_test(fails_with_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
