/*
 * render_json: the exact bytes, as other programs rely on them; every character of an address; dates against base's
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utc.h"
#include "presence/render.h"

#define NOON INT64_C(1800014400) /* 2027-01-15T12:00:00Z */

static void check(const char *address, const struct pres_presence *p, const char *want)
{
    struct buf out;

    char at[2048];

    buf_init(&out, 4096);
    assert_true(pres_render_json(&out, address, p));
    assert_string_equal(out.data, want);
    buf_free(&out);
    assert_int_equal(pres_render_json_at(at, sizeof(at), address, p), strlen(want));
    assert_memory_equal(at, want, strlen(want));
}

static void test_exact(void **state)
{
    struct pres_presence busy = {.state = PRES_BUSY,
                                 .since = NOON - 3600,
                                 .until = NOON + 1800,
                                 .next = {true, PRES_OOF, NOON + 7200, PRES_NEVER},
                                 .as_of = NOON - 5,
                                 .valid_until = NOON + 895};
    struct pres_presence open = {
        .state = PRES_FREE, .since = NOON, .until = PRES_NEVER, .as_of = NOON, .valid_until = NOON + 1};
    struct pres_presence unknown = {.state = PRES_UNKNOWN, .until = PRES_NEVER, .reason = "never-read"};

    (void)state;
    check("alice@example.com", &busy,
          "{\"address\":\"alice@example.com\",\"state\":\"busy\",\"since\":\"2027-01-15T11:00:00Z\","
          "\"until\":\"2027-01-15T12:30:00Z\",\"next\":{\"state\":\"oof\",\"start\":\"2027-01-15T14:00:00Z\",\"end\":"
          "null},"
          "\"as_of\":\"2027-01-15T11:59:55Z\",\"valid_until\":\"2027-01-15T12:14:55Z\",\"reason\":null}");
    open.reason = "tcp-refused";
    check("b", &open,
          "{\"address\":\"b\",\"state\":\"free\",\"since\":\"2027-01-15T12:00:00Z\",\"until\":null,\"next\":null,"
          "\"as_of\":\"2027-01-15T12:00:00Z\",\"valid_until\":\"2027-01-15T12:00:01Z\",\"reason\":\"tcp-refused\"}");
    check("c", &unknown,
          "{\"address\":\"c\",\"state\":\"unknown\",\"since\":null,\"until\":null,\"next\":null,\"as_of\":null,"
          "\"valid_until\":null,\"reason\":\"never-read\"}");
}

static void test_every_character(void **state)
{
    static const char *const addresses[] = {
        "~#%+&|*/ '@x",    "\"quoted\\\"@x",     "j\xc3\xbcrgen@b\xc3\xbc\x63her.example",
        "tab\t\x01\x1f@x", "\xf0\x9f\x98\x80@x", "</script>@x"};
    struct pres_presence p = {.state = PRES_FREE};
    struct buf out;
    char why[100];

    char at[2048], longest[1100];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(pres_render_json_at(at, 1023, "x", &p), 0);
    assert_int_equal(pres_render_json_at(at, 1600, longest, &p), 0);
    assert_true(pres_render_json_at(at, sizeof(at), longest, &p) > sizeof(longest));
    for (size_t i = 1; i < sizeof(addresses) / sizeof(addresses[0]) - 1; i++)
        assert_int_equal(pres_render_json_at(at, sizeof(at), addresses[i], &p), 0);
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct jv *v;

        buf_reset(&out);
        assert_true(pres_render_json(&out, addresses[i], &p));
        v = jv_parse(out.data, out.len, why, sizeof(why));
        assert_non_null(v);
        assert_string_equal(jv_str(jv_get(v, "address"), ""), addresses[i]);
        jv_free(&v);
    }
    buf_reset(&out);
    assert_true(pres_render_json(&out, "bad\xff\xc3@x", &p)); /* no UTF-8: still JSON */
    assert_true(strstr(out.data, "\xff") == NULL);
    buf_free(&out);
}

static void test_dates(void **state)
{
    struct pres_presence p = {.state = PRES_BUSY, .until = PRES_NEVER};
    char want[UTC_TEXT_MAX], key[64];
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    for (int64_t day = -719000; day<2932800; day += day> 0 && day < 60000 ? 1 : 97) { /* years 1 to 9999 */
        p.since = day * 86400 + day % 86400 + 86399;
        buf_reset(&out);
        assert_true(pres_render_json(&out, "a", &p));
        snprintf(key, sizeof(key), "\"since\":\"%s\"", utc_rfc3339(p.since, want));
        if (!strstr(out.data, key))
            fail_msg("%s has no %s", out.data, key);
    }
    for (p.since = INT64_MIN; p.since < INT64_MAX; p.since = p.since < 0 ? INT64_C(253402300800) : INT64_MAX) {
        buf_reset(&out);
        assert_true(pres_render_json(&out, "a", &p));
        assert_non_null(strstr(out.data, "\"since\":null"));
    }
    buf_free(&out);
}

static void test_no_room(void **state)
{
    struct pres_presence p = {.state = PRES_BUSY, .until = PRES_NEVER};
    struct buf out;

    (void)state;
    for (size_t max = 0; max < 128; max += 7) {
        buf_init(&out, max);
        assert_false(pres_render_json(&out, "alice@example.com", &p));
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
