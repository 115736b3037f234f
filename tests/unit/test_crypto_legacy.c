/* crypto_legacy: published values, the wall around it, and a system without the provider. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/crypto.h"
#include "ntlm_kit.h"

static int start(void **state)
{
    char why[200];

    (void)state;
    return crypto_legacy_start(why, sizeof(why)) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    crypto_legacy_stop();
    return 0;
}

static void md4_and_md5(void **state)
{
    const struct crypto_piece none = {"", 0}, abc[] = {{"ab", 2}, {"", 0}, {"c", 1}};
    uint8_t out[CRYPTO_LEGACY_LEN];

    (void)state;
    crypto_legacy_md4(&none, 1, out); /* RFC 1320 A.5 */
    assert_true(kit_is(out, 16, "31d6cfe0d16ae931b73c59d7e0c089c0"));
    crypto_legacy_md4(abc, 3, out);
    assert_true(kit_is(out, 16, "a448017aaf21d8525fc10ae87aa6729d"));
    crypto_legacy_md5(&none, 0, out); /* RFC 1321 A.5 */
    assert_true(kit_is(out, 16, "d41d8cd98f00b204e9800998ecf8427e"));
    crypto_legacy_md5(abc, 3, out);
    assert_true(kit_is(out, 16, "900150983cd24fb0d6963f7d28e17f72"));
}

/* RFC 2202 2, cases 1 and 6: a short key, and one that is longer than MD5's block. */
static void hmac_md5(void **state)
{
    const struct crypto_piece there[] = {{"Hi ", 3}, {"There", 5}},
                              large = {"Test Using Larger Than Block-Size Key - Hash Key First", 54};
    uint8_t key[80], out[CRYPTO_LEGACY_LEN];

    (void)state;
    memset(key, 0x0b, 16);
    crypto_legacy_hmac_md5(key, 16, there, 2, out);
    assert_true(kit_is(out, 16, "9294727a3638bb1c13f48ef8158bfc9d"));
    memset(key, 0xaa, 80);
    crypto_legacy_hmac_md5(key, 80, &large, 1, out);
    assert_true(kit_is(out, 16, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"));
}

static void des_and_rc4(void **state)
{
    static const uint8_t key[8] = {0x13, 0x34, 0x57, 0x79, 0x9B, 0xBC, 0xDF, 0xF1},
                         same[8] = {0x12, 0x35, 0x56, 0x78, 0x9A, 0xBD, 0xDE, 0xF0},
                         block[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF};
    struct bytes stream_key = kit_unhex("0102030405060708090a0b0c0d0e0f10"), zeros = {.len = 16};
    uint8_t out[8];

    (void)state;
    crypto_legacy_des(key, block, out);
    assert_true(kit_is(out, 8, "85e813540f0ab405"));
    crypto_legacy_des(same, block, out); /* other parity bits, same key */
    assert_true(kit_is(out, 8, "85e813540f0ab405"));
    crypto_legacy_rc4(stream_key.data, zeros.data, zeros.len, zeros.data); /* RFC 6229 2, 128 bits */
    assert_true(kit_is(zeros.data, 16, "9ac7cc9a609d1ef7b2932899cde41b97"));
}

/* The rest of the program must not get weaker by it. */
static void others_do_not_see_it(void **state)
{
    EVP_MD *md;
    EVP_CIPHER *cipher;

    (void)state;
    md = EVP_MD_fetch(NULL, "MD4", NULL);
    cipher = EVP_CIPHER_fetch(NULL, "RC4", NULL);
    assert_null(md);
    assert_null(cipher);
}

static void can_be_started_again(void **state)
{
    char why[200];

    (void)state;
    assert_true(crypto_legacy_start(why, sizeof(why)));
    crypto_legacy_stop();
    crypto_legacy_stop();
    assert_true(crypto_legacy_start(why, sizeof(why)));
    md4_and_md5(state);
}

static void a_system_without_provider(void **state)
{
    struct dav_ntlm_settings settings = {.level = 3, .user = "svc"};
    struct bytes type2 = kit_type2(KIT_FLAGS, (const uint8_t *)"12345678", NULL);
    struct dav_ntlm_round round = {.type2 = type2.data, .type2_len = type2.len};
    struct buf out;
    char why[200] = "";

    (void)state;
    crypto_legacy_stop();
    assert_int_equal(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);
    assert_false(crypto_legacy_start(why, sizeof(why)));
    assert_non_null(strstr(why, "legacy"));
    buf_init(&out, DAV_NTLM_TYPE3_MAX);
    assert_int_equal(dav_ntlm_authenticate(&settings, "pw", 2, &round, &out, why, sizeof(why)), DAV_NTLM_NO_CRYPTO);
    assert_int_equal(out.len, 0);
    buf_free(&out);
    unsetenv("OPENSSL_MODULES");
    assert_true(crypto_legacy_start(why, sizeof(why)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md4_and_md5),          cmocka_unit_test(hmac_md5),
        cmocka_unit_test(des_and_rc4),          cmocka_unit_test(others_do_not_see_it),
        cmocka_unit_test(can_be_started_again), cmocka_unit_test(a_system_without_provider),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
