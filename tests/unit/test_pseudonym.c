/* Unit tests of pseudonym.c: whatever the spelling, the same person has one name, and no address stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "pseudonym.h"

static const char *const bases[] = {"/exchange/", NULL};

static char *scrubbed(struct gw_pseudonyms *p, struct buf *b, const char *text)
{
    buf_reset(b);
    gw_pseudonyms_scrub(p, text, b);
    return b->data;
}

static void one_name_for_all_spellings(void **state)
{
    (void)state;
    static const char *const texts[] = {"alice@example.com", "Alice@Example.COM", "alice%40example.com"};
    struct gw_pseudonyms p;
    struct buf b;
    char name[32] = "";
    gw_pseudonyms_init(&p, bases);
    buf_init(&b, 4096);
    for (size_t i = 0; i < 3; i++) {
        const char *got = scrubbed(&p, &b, texts[i]);
        assert_int_equal(strlen(got), strlen("person-0123456789"));
        if (i)
            assert_string_equal(got, name);
        strcpy(name, got);
    }
    assert_string_not_equal(scrubbed(&p, &b, "bob@example.com"), name);
    struct gw_pseudonyms other;
    gw_pseudonyms_init(&other, bases);
    assert_string_not_equal(scrubbed(&other, &b, "alice@example.com"), name);
    buf_free(&b);
}

static void nothing_of_an_address_stays(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "person=secret.name+tag@secret.test code=stale",
        "\"secret@secret.test\":",
        "mailto:o'secret@secret.test.",
        "(secret%40secret.test)",
        "https://mail/exchange/secret/Calendar/",
        "SEARCH /exchange/secret%40x/Kalender/?a=b",
        "<secret@secret.test>, secret@secret.test;",
        "secr\xc3\xa9tsecret@secret.test",
        "/exchange/secret",
    };
    struct gw_pseudonyms p;
    struct buf b;
    gw_pseudonyms_init(&p, bases);
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *got = scrubbed(&p, &b, texts[i]);
        if (strstr(got, "secret"))
            fail_msg("%s stays in: %s", texts[i], got);
        assert_non_null(strstr(got, "person-"));
    }
    buf_free(&b);
}

static void other_text_stays(void **state)
{
    (void)state;
    static const char *const texts[] = {"answered 503 with 100% of @ and a@", "price 12.5%",
                                        "url: https://mail.example.com/exchange/", ""};
    struct gw_pseudonyms p;
    struct buf b;
    gw_pseudonyms_init(&p, bases);
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_string_equal(scrubbed(&p, &b, texts[i]), texts[i]);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_name_for_all_spellings),
                                       cmocka_unit_test(nothing_of_an_address_stays),
                                       cmocka_unit_test(other_text_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
