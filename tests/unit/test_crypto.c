/* crypto: published vectors, and the strictness of base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crypto.h"

/* FIPS 180-4: "abc", and the empty message. */
static void sha256_vectors(void **state)
{
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t none[] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                                   0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                                   0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    uint8_t out[CRYPTO_SHA256_LEN];

    (void)state;
    crypto_sha256("abc", 3, out);
    assert_memory_equal(out, abc, sizeof(abc));
    crypto_sha256("", 0, out);
    assert_memory_equal(out, none, sizeof(none));
}

/* RFC 4648 10, and bytes that use the two odd letters. */
static void base64_vectors(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xBF", "+/+/"},
    };
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, 100);
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        buf_reset(&out);
        assert_true(crypto_base64_encode(&out, pairs[i][0], strlen(pairs[i][0])));
        assert_string_equal(out.data, pairs[i][1]);
        buf_reset(&out);
        assert_true(crypto_base64_decode(&out, pairs[i][1], strlen(pairs[i][1])));
        assert_string_equal(out.data, pairs[i][0]);
    }
    buf_free(&out);
}

static void base64_all_bytes(void **state)
{
    uint8_t bytes[256];
    struct buf text, back;
    size_t i, len;

    (void)state;
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    buf_init(&text, 1000);
    buf_init(&back, 1000);
    for (len = 0; len <= sizeof(bytes); len++) {
        buf_reset(&text);
        buf_reset(&back);
        assert_true(crypto_base64_encode(&text, bytes, len));
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(crypto_base64_decode(&back, text.data, text.len));
        assert_int_equal(back.len, len);
        assert_memory_equal(back.data, bytes, len);
    }
    buf_free(&text);
    buf_free(&back);
}

/* And what was in the buffer before stays as it was. */
static void base64_refuses(void **state)
{
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",      "Zg===",    "Zm8",      "Zm9v=", "=",
                                      "====", "Z===", "Zg==Zg==", "Zm=8",     "Zm9v!",    "Zm-_",  "Zm9vZh==",
                                      "Zm9=", "Z=g=", "Zm9v\x80", "Zm9vYg=A", "Zm9vYg==="};
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, 100);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&out);
        buf_adds(&out, "keep");
        if (crypto_base64_decode(&out, bad[i], strlen(bad[i])))
            fail_msg("\"%s\" was decoded", bad[i]);
        assert_string_equal(out.data, "keep");
        assert_int_equal(out.len, 4);
    }
    assert_false(crypto_base64_decode(&out, "Zm9v\0", 5));
    assert_true(crypto_base64_decode(&out, " Zm\r\n9v\tYg= =\n", 14));
    assert_string_equal(out.data, "keepfoob");
    buf_free(&out);
}

static void base64_has_a_ceiling(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 7);
    assert_false(crypto_base64_encode(&out, "foobar", 6));
    assert_int_equal(out.len, 0);
    buf_reset(&out);
    assert_false(crypto_base64_decode(&out, "Zm9vYmFyZm9v", 12));
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void comparison_sees_each_byte(void **state)
{
    char a[32], b[32];
    size_t i;

    (void)state;
    crypto_random(a, sizeof(a));
    for (i = 0; i < sizeof(a); i++) {
        memcpy(b, a, sizeof(a));
        assert_true(crypto_equal(a, b, sizeof(a)));
        b[i] ^= 1;
        assert_false(crypto_equal(a, b, sizeof(a)));
        assert_true(crypto_equal(a, b, i));
    }
}

static void random_is_not_constant(void **state)
{
    uint64_t first = crypto_random_u64(), i, bits = 0;

    (void)state;
    for (i = 0; i < 64; i++)
        bits |= crypto_random_u64() ^ first;
    assert_true(bits == UINT64_MAX); /* fails once in 2^58 runs */
}

/* RFC 4231, test cases 2 and 6 */
static void test_hmac_sha256(void **state)
{
    static const uint8_t jefe[CRYPTO_SHA256_LEN] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
                                                    0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
                                                    0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    static const uint8_t large[4] = {0x60, 0xe4, 0x31, 0x59};
    uint8_t key[131], out[CRYPTO_SHA256_LEN];
    const char *text = "what do ya want for nothing?", *more = "Test Using Larger Than Block-Size Key - Hash Key First";
    (void)state;
    crypto_hmac_sha256("Jefe", 4, text, strlen(text), out);
    assert_memory_equal(out, jefe, sizeof out);
    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha256(key, sizeof key, more, strlen(more), out);
    assert_memory_equal(out, large, sizeof large);
}

static void passwords_are_kept_as_scrypt(void **state)
{
    (void)state;
    struct buf a, b;
    buf_init(&a, 300);
    buf_init(&b, 300);
    assert_true(crypto_password_hash(&a, "geheim", 6));
    assert_true(crypto_password_hash(&b, "geheim", 6));
    assert_string_not_equal(a.data, b.data); /* the salt */
    assert_null(crypto_password_wrong(a.data));
    assert_null(strstr(a.data, "geheim"));
    assert_true(crypto_password_check(a.data, "geheim", 6));
    assert_false(crypto_password_check(a.data, "geheim", 5));
    assert_false(crypto_password_check(a.data, "geheim ", 7));
    assert_false(crypto_password_check(a.data, "", 0));
    a.data[a.len - 3] = a.data[a.len - 3] == 'A' ? 'B' : 'A';
    assert_false(crypto_password_check(a.data, "geheim", 6));
    buf_reset(&a);
    crypto_password_decoy(&a);
    assert_null(crypto_password_wrong(a.data));
    assert_false(crypto_password_check(a.data, "", 0));
    buf_free(&a);
    buf_free(&b);
}

/* RFC 7914 12, N=16384 r=8 p=1 has 64 bytes: its first 32 are what we would keep. */
static void scrypt_is_the_one_of_the_rfc(void **state)
{
    (void)state;
    assert_true(crypto_password_check(
        "scrypt:16384:8:1:U29kaXVtQ2hsb3JpZGU=:cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI=", "pleaseletmein", 13));
}

static void costs_beyond_reason_are_refused(void **state)
{
    (void)state;
#define TAIL ":c2FsdHNhbHRzYWx0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    static const char *const bad[] = {
        "",
        "plain",
        "scrypt:",
        "scrypt:16384:8:1",
        "scrypt:16384:8:1:c2FsdHNhbHRzYWx0:AAAA",
        "scrypt:16384:8:1:c2E=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", /* a salt too short */
        "scrypt:16383:8:1" TAIL,
        "scrypt:512:8:1" TAIL,
        "scrypt:1048576:8:1" TAIL, /* a gigabyte */
        "scrypt:16384:8:17" TAIL,
        "scrypt:-16384:8:1" TAIL,
        "scrypt:99999999999999:8:1" TAIL,
    };
    assert_null(crypto_password_wrong("scrypt:16384:8:1" TAIL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!crypto_password_wrong(bad[i]))
            fail_msg("taken: %s", bad[i]);
    assert_false(crypto_password_check("scrypt:1048576:8:1" TAIL, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_all_bytes),
        cmocka_unit_test(base64_refuses),
        cmocka_unit_test(base64_has_a_ceiling),
        cmocka_unit_test(comparison_sees_each_byte),
        cmocka_unit_test(random_is_not_constant),
        cmocka_unit_test(test_hmac_sha256),
        cmocka_unit_test(passwords_are_kept_as_scrypt),
        cmocka_unit_test(scrypt_is_the_one_of_the_rfc),
        cmocka_unit_test(costs_beyond_reason_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
