/* who_header: Authorization as strangers write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "who_header.h"

static struct gw_auth auth;

static enum gw_auth_kind basic(const char *bytes, size_t len)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_adds(&b, "Basic ");
    crypto_base64_encode(&b, bytes, len);
    enum gw_auth_kind kind = gw_auth_parse(b.data, &auth);
    buf_free(&b);
    return kind;
}

static void a_token_is_taken_whole(void **state)
{
    (void)state;
    assert_int_equal(gw_auth_parse("Bearer abc-._~+/12==", &auth), GW_AUTH_BEARER);
    assert_string_equal(auth.secret, "abc-._~+/12==");
    assert_int_equal(gw_auth_parse("bearer   abc ", &auth), GW_AUTH_BEARER);
    assert_string_equal(auth.secret, "abc");
    assert_int_equal(auth.secret_len, 3);
}

static void what_is_no_token_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "Bearer",      "Bearer ",    "Bearer a b",      "Bearer a,b", "Bearer =",
        "Bearera",   "Bearer a\"b", "Bearer a=b", "Token abc",       "Basic",      "Basic ",
        "Digest a",  "Basic ====",  "Basic YQ==", "Basic YTpi YTpi", "Basic Og==", "Basic YTo=" /* a: */,
        "Basic OmI=" /* :b */};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (gw_auth_parse(bad[i], &auth) != GW_AUTH_BAD)
            fail_msg("taken: %s", bad[i]);
}

static void a_password_may_have_colons(void **state)
{
    (void)state;
    assert_int_equal(basic("alice@example.com:a:b c", 23), GW_AUTH_BASIC);
    assert_string_equal(auth.name, "alice@example.com");
    assert_string_equal(auth.secret, "a:b c");
    assert_int_equal(basic("m\xc3\xbcller:gr\xc3\xbcn", 13), GW_AUTH_BASIC);
}

static void control_characters_and_broken_text_are_refused(void **state)
{
    (void)state;
    assert_int_equal(basic("ali\0ce:secret", 13), GW_AUTH_BAD);
    assert_int_equal(basic("alice:sec\0ret", 13), GW_AUTH_BAD);
    assert_int_equal(basic("alice\n:secret", 13), GW_AUTH_BAD);
    assert_int_equal(basic("alice:\xff\xfe", 8), GW_AUTH_BAD);
}

static void ceilings_hold(void **state)
{
    (void)state;
    char *text = mem_calloc(1, 4000);
    memset(text, 'a', 3000);
    assert_int_equal(gw_auth_parse(text, &auth), GW_AUTH_BAD);
    memcpy(text, "Bearer ", 7);
    assert_int_equal(gw_auth_parse(text, &auth), GW_AUTH_BAD);
    text[7 + GW_AUTH_SECRET_MAX] = '\0';
    assert_int_equal(gw_auth_parse(text, &auth), GW_AUTH_BEARER);
    text[7 + GW_AUTH_SECRET_MAX] = 'a';
    text[8 + GW_AUTH_SECRET_MAX] = '\0';
    assert_int_equal(gw_auth_parse(text, &auth), GW_AUTH_BAD);
    memset(text, 'a', 1000);
    text[GW_AUTH_NAME_MAX] = ':';
    assert_int_equal(basic(text, GW_AUTH_NAME_MAX + 1 + GW_AUTH_SECRET_MAX), GW_AUTH_BASIC);
    text[GW_AUTH_NAME_MAX] = 'a';
    text[GW_AUTH_NAME_MAX + 1] = ':';
    assert_int_equal(basic(text, GW_AUTH_NAME_MAX + 10), GW_AUTH_BAD);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_taken_whole),
        cmocka_unit_test(what_is_no_token_is_none),
        cmocka_unit_test(a_password_may_have_colons),
        cmocka_unit_test(control_characters_and_broken_text_are_refused),
        cmocka_unit_test(ceilings_hold),
    };
    return cmocka_run_group_tests_name("who_header", tests, NULL, NULL);
}
