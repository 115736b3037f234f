/*
 * rules: a table of what calendars say and what it counts as, by the default rules and by a site's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "presence/rules.h"

enum { A = PRES_TRAIT_ALL_DAY, C = PRES_TRAIT_CANCELLED, D = PRES_TRAIT_DECLINED };
enum { H = PRES_TRAIT_OUTSIDE_HOURS };
enum { U = PRES_TRAIT_UNANSWERED, M = PRES_TRAIT_ACCEPTED_MAYBE, P = PRES_TRAIT_PRIVATE };

struct row {
    enum pres_kind marked;
    unsigned traits;
    enum pres_kind want;
};

static void check(const struct pres_rules *rules, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum pres_kind got = pres_rules_apply(rules, rows[i].marked, rows[i].traits);

        if (got != rows[i].want)
            fail_msg("row %zu: %s with traits %u counts as %s, not %s", i, pres_kind_name(rows[i].marked),
                     rows[i].traits, pres_kind_name(got), pres_kind_name(rows[i].want));
    }
}

static void test_default(void **state)
{
    static const struct row rows[] = {
        {PRES_FREE, 0, PRES_FREE},
        {PRES_ELSEWHERE, 0, PRES_ELSEWHERE},
        {PRES_TENTATIVE, 0, PRES_TENTATIVE},
        {PRES_BUSY, 0, PRES_BUSY},
        {PRES_OOF, 0, PRES_OOF},
        {PRES_UNKNOWN, 0, PRES_BUSY}, /* not understood: never free */
        {PRES_BUSY, P, PRES_BUSY},
        {PRES_BUSY, A, PRES_BUSY},
        {PRES_FREE, A, PRES_FREE},
        {PRES_BUSY, C, PRES_FREE},
        {PRES_OOF, C | A | P, PRES_FREE},
        {PRES_BUSY, D, PRES_FREE},
        {PRES_UNKNOWN, D, PRES_FREE},
        {PRES_BUSY, U, PRES_TENTATIVE},
        {PRES_OOF, U | A, PRES_TENTATIVE},
        {PRES_FREE, U, PRES_FREE},
        {PRES_BUSY, M, PRES_TENTATIVE},
        {PRES_FREE, M, PRES_FREE},
        {PRES_BUSY, U | C, PRES_FREE},
        {PRES_BUSY, M | D, PRES_FREE},
        {PRES_BUSY, H, PRES_OOF},
        {PRES_FREE, H, PRES_OOF},
    };
    struct pres_rules rules = pres_rules_default();

    (void)state;
    check(&rules, rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_own(void **state)
{
    static const struct row rows[] = {
        {PRES_TENTATIVE, 0, PRES_FREE}, {PRES_BUSY, M, PRES_FREE},      {PRES_BUSY, U, PRES_BUSY},
        {PRES_OOF, 0, PRES_BUSY},       {PRES_ELSEWHERE, 0, PRES_FREE}, {PRES_BUSY, A, PRES_FREE},
        {PRES_OOF, A | U, PRES_FREE},   {PRES_UNKNOWN, 0, PRES_BUSY},   {PRES_BUSY, C | U, PRES_FREE},
        {PRES_BUSY, H, PRES_FREE},
    };
    struct pres_rules rules = {.tentative = PRES_FREE,
                               .unanswered = PRES_BUSY,
                               .oof = PRES_BUSY,
                               .elsewhere = PRES_FREE,
                               .outside_hours = PRES_FREE,
                               .all_day_counts = false};

    (void)state;
    check(&rules, rows, sizeof(rows) / sizeof(rows[0]));
    rules.unanswered = PRES_TENTATIVE; /* tentative time, and that is free here */
    check(&rules, (struct row[]){{PRES_BUSY, U, PRES_FREE}}, 1);
    rules.unanswered = PRES_FREE;
    rules.tentative = PRES_TENTATIVE;
    check(&rules, (struct row[]){{PRES_BUSY, U, PRES_FREE}, {PRES_BUSY, M, PRES_TENTATIVE}}, 2);
}

/* Each rule decides once, and says what it is in words. */
static void test_says_which(void **state)
{
    static const struct {
        enum pres_kind marked;
        unsigned traits;
        enum pres_rule want;
    } rows[] = {
        {PRES_BUSY, C | D, PRES_RULE_CANCELLED},    {PRES_OOF, D | U, PRES_RULE_DECLINED},
        {PRES_OOF, A | U, PRES_RULE_ALL_DAY},       {PRES_FREE, H | A, PRES_RULE_OUTSIDE_HOURS},
        {PRES_FREE, U, PRES_RULE_MARKED_FREE},      {PRES_BUSY, U | M, PRES_RULE_UNANSWERED},
        {PRES_BUSY, M, PRES_RULE_ACCEPTED_MAYBE},   {PRES_TENTATIVE, 0, PRES_RULE_TENTATIVE},
        {PRES_ELSEWHERE, 0, PRES_RULE_ELSEWHERE},   {PRES_OOF, P, PRES_RULE_OOF},
        {PRES_BUSY, P, PRES_RULE_BUSY},             {PRES_UNKNOWN, 0, PRES_RULE_NOT_UNDERSTOOD},
    };
    struct pres_rules rules = pres_rules_default();

    (void)state;
    rules.all_day_counts = false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(pres_rules_decide(&rules, rows[i].marked, rows[i].traits).rule, rows[i].want);
        assert_string_not_equal(pres_rule_text(rows[i].want), "");
    }
    assert_string_equal(pres_rule_option(PRES_RULE_UNANSWERED), "presence.unanswered");
    assert_null(pres_rule_option(PRES_RULE_CANCELLED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_default), cmocka_unit_test(test_own),
                                       cmocka_unit_test(test_says_which)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
