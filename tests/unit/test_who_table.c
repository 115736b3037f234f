/* who_table: identities of the configuration and of the file, and what is wrong with either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "config.h"
#include "config_files.h"
#include "who_table.h"

static char *folder;
static struct gw_config_error err;

#define HASH "scrypt:16384:8:1:c2FsdHNhbHRzYWx0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

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

static struct gw_config *read_both(const char *identities, const char *file)
{
    char *yaml = mem_printf("servers:\n- { name: hq, kind: ifb, url: \"http://127.0.0.1/\", account: x, "
                            "password_file: pw, auth: [basic], calendars: [\"/{address}\"] }\n"
                            "users:\n- { address: a@example.com, server: hq }\n%s%s",
                            identities, file ? "identities_file: ids\n" : "");
    files_write(folder, "c.yaml", 0644, yaml);
    if (file)
        files_write(folder, "ids", 0600, file);
    free(yaml);
    return gw_config_read(files_path(folder, "c.yaml"), &err);
}

static void digest_of(const char *token, char hex[2 * CRYPTO_SHA256_LEN + 1])
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    crypto_sha256(token, strlen(token), digest);
    crypto_hex(digest, sizeof digest, hex);
}

static void both_make_one_table(void **state)
{
    (void)state;
    char one[65], two[65];
    digest_of("one", one);
    digest_of("two", two);
    char *file = mem_printf("# ours\n\n  Door-Display role=reader group=displays token=sha256:%s token=sha256:%s\n"
                            "ops password=" HASH "\n",
                            one, two);
    struct gw_config *c = read_both("identities:\n- { name: Ops, role: admin, group: staff }\n"
                                    "- { name: phone, certificate: Phone@Example.com }\n",
                                    file);
    free(file);
    if (!c)
        fail_msg("%s", err.why);
    const struct gw_who_entry *door = gw_whos_with_token(c->whos, "two", 3);
    assert_non_null(door);
    assert_string_equal(door->who.name, "door-display");
    assert_string_equal(door->who.group, "displays");
    assert_true(door->who.reader);
    assert_false(door->who.admin);
    assert_ptr_equal(gw_whos_with_token(c->whos, "one", 3), door);
    assert_null(gw_whos_with_token(c->whos, "on", 2));
    assert_null(gw_whos_with_token(c->whos, one, 64)); /* the digest is no token */
    const struct gw_who_entry *ops = gw_whos_named(c->whos, "OPS");
    assert_non_null(ops);
    assert_true(ops->who.admin && ops->who.reader);
    assert_string_equal(ops->who.group, "staff");
    assert_string_equal(ops->password, HASH);
    assert_true(gw_whos_passwords(c->whos));
    assert_null(gw_whos_named(c->whos, "nobody"));
    gw_config_free(&c);
}

static void a_certificate_is_known_by_name_only_when_trusted(void **state)
{
    (void)state;
    struct gw_config *c = read_both("identities:\n- { name: phone, certificate: Phone@Example.com }\n"
                                    "- { name: pinned, certificate: \"sha256//AAAA\" }\n"
                                    "- { name: named, certificate: wall }\n",
                                    NULL);
    if (!c)
        fail_msg("%s", err.why);
    struct httpd_cert cert = {.name = "Wall", .key = "sha256//BBBB"};
    assert_null(gw_whos_with_cert(c->whos, &cert));
    cert.trusted = true;
    assert_string_equal(gw_whos_with_cert(c->whos, &cert)->who.name, "named");
    strcpy(cert.name, "somebody");
    strcpy(cert.mails[1], "phone@example.COM");
    assert_string_equal(gw_whos_with_cert(c->whos, &cert)->who.name, "phone");
    strcpy(cert.mails[1], "sha256//aaaa");
    strcpy(cert.name, "sha256//AAAA"); /* a name that looks like a key is a name */
    assert_null(gw_whos_with_cert(c->whos, &cert));
    cert = (struct httpd_cert){.key = "sha256//AAAA"};
    assert_string_equal(gw_whos_with_cert(c->whos, &cert)->who.name, "pinned");
    gw_config_free(&c);
}

/* What the file says is never in the error. */
static void what_is_wrong_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *identities, *file, *why;
    } cases[] = {
        {"", "a token=plain\n", "ids:1: a has a token that is not sha256:"},
        {"", "# x\na role=root\n", "ids:2: a has a role"},
        {"", "a password=geheim\n", "ids:1: the password of a is no hash"},
        {"", "a\nb\nA\n", "ids:3: A has line 1 already"},
        {"", "a secret=x\n", "ids:1: a has a word"},
        {"", "a:b role=none\n", "ids:1: the name has a blank"},
        {"", "administrator role=admin\n", "ids:1: the name is taken"},
        {"", "anonymous password=" HASH "\n", "ids:1: anonymous shows nothing"},
        {"", "a password=" HASH " password=" HASH "\n", "ids:1: a has a word"},
        {"identities: [ { name: a } ]\n", "a role=admin\n", "ids:1: a has its role and group in the configuration"},
        {"identities: [ { name: a }, { name: A } ]\n", NULL, "stands there twice"},
        {"identities: [ { name: a, certificate: x }, { name: b, certificate: X } ]\n", NULL, "another identity"},
        {"identities: [ { name: anonymous, certificate: x } ]\n", NULL, "not for anonymous"},
        {"identities: [ { name: a, role: boss } ]\n", NULL, "one of: none reader admin"},
        {"identities: [ { name: \"a b\" } ]\n", NULL, "has a blank"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_config *c = read_both(cases[i].identities, cases[i].file);
        if (c || !strstr(err.why, cases[i].why))
            fail_msg("case %zu: %s", i, c ? "was taken" : err.why);
        assert_null(strstr(err.why, "plain"));
        assert_null(strstr(err.why, "geheim"));
    }
}

static void the_file_must_be_private_and_be_there(void **state)
{
    (void)state;
    struct gw_config *c = read_both("", "a\n");
    assert_non_null(c);
    gw_config_free(&c);
    files_write(folder, "ids", 0644, "a\n");
    assert_null(gw_config_read(files_path(folder, "c.yaml"), &err));
    assert_string_equal(err.code, "config-secret");
    unlink(files_path(folder, "ids"));
    assert_null(gw_config_read(files_path(folder, "c.yaml"), &err));
}

static void a_listener_beyond_loopback_wants_tls_and_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool file, ok;
    } cases[] = {
        {"publish: { http: { listen: [\"192.0.2.1:80\"] } }\n", false, false},
        {"publish: { http: { listen: [\"192.0.2.1:80\"] } }\n", true, false},
        {"publish: { http: { listen: [\"192.0.2.1:80\"], allow_remote: true } }\n", true, true},
        {"publish: { http: { listen: [\"192.0.2.1:80\"], allow_remote: true } }\n", false, true},
        {"publish: { http: { client_ca_file: pw } }\n", true, false},
        {"publish: { http: { proxies: [ { from: nowhere, header: X-User } ] } }\n", true, false},
        {"publish: { http: { proxies: [ { from: 10.0.0.0/8, header: \"X User\" } ] } }\n", true, false},
        {"publish: { http: { proxies: [ { from: 10.0.0.0/8, header: Authorization } ] } }\n", true, false},
        {"publish: { http: { proxies: [ { from: 10.0.0.0/8, header: X-User } ] } }\n", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gw_config *c = read_both(cases[i].text, cases[i].file ? "a\n" : NULL);
        if ((c != NULL) != cases[i].ok)
            fail_msg("case %zu: %s", i, err.why);
        gw_config_free(&c);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(both_make_one_table),
        T(a_certificate_is_known_by_name_only_when_trusted),
        T(what_is_wrong_is_named_with_its_line),
        T(the_file_must_be_private_and_be_there),
        T(a_listener_beyond_loopback_wants_tls_and_names),
    };
    return cmocka_run_group_tests_name("who_table", tests, NULL, NULL);
}
