/* crypto_sign: a pair signs and verifies; a changed byte, another key, a file that is no key are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto_sign.h"
#include "config_files.h"

/* Made with openssl genpkey -algorithm ed25519; used nowhere else. The first is that of RFC 8032 7.1, TEST 1. */
static const char private_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                  "-----END PRIVATE KEY-----\n";
static const char public_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                                 "-----END PUBLIC KEY-----\n";

static char *folder;

static struct crypto_sign_key *key(const char *name, const char *text, bool is_private, char *why)
{
    files_write(folder, name, 0600, text);
    return (is_private ? crypto_sign_private : crypto_sign_public)(files_path(folder, name), why, 300);
}

/* RFC 8032 7.1, TEST 1: the signature of nothing. */
static void known_answer(void **state)
{
    (void)state;
    static const uint8_t expected[8] = {0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72};
    char why[300];
    uint8_t signature[CRYPTO_SIGN_LEN];
    struct crypto_sign_key *mine = key("a.key", private_pem, true, why), *theirs = key("a.pub", public_pem, false, why);
    assert_non_null(mine);
    assert_non_null(theirs);
    assert_string_equal(crypto_sign_id(mine), crypto_sign_id(theirs));
    assert_int_equal(strlen(crypto_sign_id(mine)), CRYPTO_SIGN_ID_LEN);
    crypto_sign(mine, "", 0, signature);
    assert_memory_equal(signature, expected, sizeof expected);
    assert_true(crypto_sign_verify(theirs, "", 0, signature));
    assert_false(crypto_sign_verify(theirs, "x", 1, signature));
    signature[63] ^= 1;
    assert_false(crypto_sign_verify(theirs, "", 0, signature));
    crypto_sign_free(&mine);
    crypto_sign_free(&theirs);
}

static void no_key(void **state)
{
    (void)state;
    char why[300] = "";
    assert_null(crypto_sign_private("/nonexistent", why, sizeof why));
    assert_non_null(strstr(why, "cannot be read"));
    assert_null(key("b.key", public_pem, true, why));
    assert_non_null(strstr(why, "no private key"));
    assert_null(key("b.pub", private_pem, false, why));
    assert_non_null(strstr(why, "no public key"));
    assert_null(key("c.pub", "nonsense\n", false, why));
    /* X25519: a key, but none that signs */
    assert_null(key("d.pub",
                    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                    "-----END PUBLIC KEY-----\n",
                    false, why));
    assert_non_null(strstr(why, "no Ed25519 key"));
    assert_null(strstr(why, "MCow"));
}

static int setup(void **state)
{
    (void)state;
    folder = files_folder();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answer), cmocka_unit_test(no_key)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
