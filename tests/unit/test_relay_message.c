/* relay_message: what is written is read; every changed byte breaks the signature; padding is exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crypto_sign.h"
#include "config_files.h"
#include "relay_message.h"

/* RFC 8032 7.1, TEST 1. */
static const char private_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                  "-----END PRIVATE KEY-----\n";

struct fixture {
    char *folder;
    struct crypto_sign_key *key;
    struct buf out;
};

static const struct gw_relay_head head = {
    .stream = "a-to-b", .sequence = 1795338000123, .made = 1795338000, .keep_s = 900, .part = 2, .parts = 7};

static int setup(void **state)
{
    char why[300];
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = files_folder();
    files_write(f->folder, "key", 0600, private_pem);
    f->key = crypto_sign_private(files_path(f->folder, "key"), why, sizeof why);
    buf_init(&f->out, GW_RELAY_MESSAGE_MAX);
    *state = f;
    return f->key ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_free(&f->out);
    crypto_sign_free(&f->key);
    files_remove(f->folder);
    free(f);
    return 0;
}

static void there_and_back(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head got;
    char address[GW_RELAY_ADDRESS_MAX + 1];
    uint64_t sequence;
    int64_t age;
    bool bad;
    gw_relay_begin(&f->out, &head, f->key);
    gw_relay_add_has(&f->out, "a b%\r\n@example.test", 255, 60);
    gw_relay_add_has(&f->out, "c@d", UINT64_MAX, -5);
    assert_true(gw_relay_end(&f->out, f->key, 0));
    assert_true(gw_relay_parse(f->out.data, f->out.len, &got));
    assert_string_equal(got.stream, "a-to-b");
    assert_string_equal(got.key, crypto_sign_id(f->key));
    assert_int_equal(got.sequence, head.sequence);
    assert_int_equal(got.made, head.made);
    assert_int_equal(got.keep_s, 900);
    assert_int_equal(got.part, 2);
    assert_int_equal(got.parts, 7);
    assert_false(got.cancel);
    const char *at = f->out.data, *end = at + f->out.len;
    assert_true(gw_relay_next_has(&at, end, address, &sequence, &age, &bad));
    assert_string_equal(address, "a b%\r\n@example.test");
    assert_int_equal(sequence, 255);
    assert_int_equal(age, 60);
    assert_true(gw_relay_next_has(&at, end, address, &sequence, &age, &bad));
    assert_int_equal(sequence, UINT64_MAX);
    assert_int_equal(age, 0);
    assert_false(gw_relay_next_has(&at, end, address, &sequence, &age, &bad));
    assert_false(bad);
    for (const char *line = f->out.data; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\r") <= 75);
}

static void every_byte_is_signed(void **state)
{
    struct fixture *f = *state;
    gw_relay_begin(&f->out, &head, f->key);
    gw_relay_add_cancel(&f->out, "a@b", head.made);
    assert_true(gw_relay_end(&f->out, f->key, 0));
    assert_true(gw_relay_verify(f->out.data, f->out.len, f->key));
    for (size_t i = 0; i < f->out.len; i++) {
        f->out.data[i] ^= 1;
        if (gw_relay_verify(f->out.data, f->out.len, f->key))
            fail_msg("byte %zu may be changed", i);
        f->out.data[i] ^= 1;
    }
    for (size_t len = 0; len < f->out.len; len++)
        assert_false(gw_relay_verify(f->out.data, len, f->key));
    assert_true(gw_relay_verify(f->out.data, f->out.len, f->key));
}

static void padded(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head got;
    for (size_t extra = 0; extra < 300; extra++) {
        buf_reset(&f->out);
        gw_relay_begin(&f->out, &head, f->key);
        size_t size = f->out.len + 15 + 30 + extra;
        assert_true(gw_relay_end(&f->out, f->key, size));
        assert_int_equal(f->out.len, size);
        assert_true(gw_relay_verify(f->out.data, f->out.len, f->key));
        assert_true(gw_relay_parse(f->out.data, f->out.len, &got));
        assert_true(strstr(f->out.data, "\r\nEND:VCALENDAR\r\n") != NULL);
    }
}

static void makes_no_sense(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "X-FB-MADE:today\r\n",
        "X-FB-MADE:20261122T090000Z\r\n", /* and nothing else */
        "X-FB-SEQUENCE:-1\r\n",
        "X-FB-SEQUENCE:99999999999999999999\r\n",
        "X-FB-KEEP:0\r\n",
        "X-FB-KEEP:99999999999\r\n",
        "X-FB-DIGEST:3/3\r\n",
        "X-FB-DIGEST:0/0\r\n",
        "X-FB-DIGEST:1/99999\r\n",
        "X-FB-KEY:0123456789012345678901234567890123456789\r\n",
        "X-FB-STREAM:01234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n",
    };
    static const char *const bad_lines[] = {"X-FB-HAS:\n", "X-FB-HAS:1\n", "X-FB-HAS:1 1\n", "X-FB-HAS:1 1 \n",
                                            "X-FB-HAS:1 -1 a@b\n", "X-FB-HAS:1 1 a%0\n", "X-FB-HAS:1 1 %ff\n"};
    struct gw_relay_head got;
    char address[GW_RELAY_ADDRESS_MAX + 1];
    uint64_t sequence;
    int64_t age;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (gw_relay_parse(bad[i], strlen(bad[i]), &got))
            fail_msg("%s", bad[i]);
    for (size_t i = 1; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        const char *at = bad_lines[i];
        bool wrong = false;
        assert_false(gw_relay_next_has(&at, at + strlen(at), address, &sequence, &age, &wrong));
        if (!wrong)
            fail_msg("%s", bad_lines[i]);
    }
    assert_true(gw_relay_parse("BEGIN:VCALENDAR\r\n", 17, &got)); /* somebody else's */
    assert_int_equal(got.made, 0);
}

static void names(void **state)
{
    (void)state;
    char one[33], two[33];
    gw_relay_pseudonym("secret", 6, "Anna@Example.test", one);
    gw_relay_pseudonym("secret", 6, "anna@example.test", two);
    assert_string_equal(one, two);
    gw_relay_pseudonym("Secret", 6, "anna@example.test", two);
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(one), 32);
    assert_int_equal(gw_relay_bucket("Anna@example.test"), gw_relay_bucket("anna@example.test"));
    assert_int_not_equal(gw_relay_bucket("anna@example.test"), gw_relay_bucket("bert@example.test"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(there_and_back), TEST(every_byte_is_signed), TEST(padded),
                                       TEST(makes_no_sense), TEST(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
